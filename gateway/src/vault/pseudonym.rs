//! Pseudonyms: how a person is told from another without saying who they are.
//!
//! Owns the keyed functions that turn identifiers into pseudonyms for the log, the ledger and the
//! wrong-person guard. It must never know where they are kept. The key belongs to one deployment:
//! the same person has another pseudonym elsewhere, and without the key a pseudonym cannot be
//! tested against a list of NHS numbers.
//!
//! ```
//! use gateway::vault::pseudonym::Pseudonyms;
//! let pseudonyms = Pseudonyms::from_key(&[7; 32]).unwrap();
//! let org = schemas::OrganisationCode::parse("334").unwrap();
//! assert_eq!(pseudonyms.person(&org, "user-1"), pseudonyms.person(&org, "user-1"));
//! ```
//!
//! Limits: losing the key file breaks the tie between old and new entries about a person; it is
//! never changed. Pseudonyms are personal data in law: they single a person out.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use ring::{hkdf, hmac};
use schemas::record::Subject;
use schemas::{NhsNumber, OrganisationCode};
use zeroize::Zeroizing;

use super::VaultError;
use super::envelope::push_list;
use super::keyring::{decode_32, make_encoded_secret};
use crate::audit::SubjectKey;
use crate::entropy::Entropy;
use crate::entropy::hex;
use crate::secret_file;

/// Makes pseudonyms under the keys of this deployment.
pub struct Pseudonyms {
    subjects: hmac::Key,
    demographics: hmac::Key,
    people: hmac::Key,
    messages: hmac::Key,
    marks: hmac::Key,
}

impl Pseudonyms {
    /// From the deployment's pseudonym key. Each use has a key of its own, derived from it.
    pub fn from_key(key: &[u8; 32]) -> Result<Self, VaultError> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(key);
        Ok(Self {
            subjects: derive_key(&secret, b"subject")?,
            demographics: derive_key(&secret, b"demographics")?,
            people: derive_key(&secret, b"person")?,
            messages: derive_key(&secret, b"message")?,
            marks: derive_key(&secret, b"mark")?,
        })
    }

    /// Reads the key file: 32 bytes in base64, readable by its owner only.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let encoded = secret_file::read(path)?;
        let key = decode_32(&encoded).ok_or_else(|| VaultError::KeyFile {
            path: path.to_owned(),
            problem: "it is not 32 bytes in base64".to_owned(),
        })?;
        Self::from_key(&key)
    }

    /// Makes a key file with a fresh key. Refuses when it exists: the key is never changed.
    pub fn generate(path: &Path, entropy: &dyn Entropy) -> Result<Self, VaultError> {
        secret_file::create(path, make_encoded_secret(entropy)?.as_bytes())?;
        Self::load(path)
    }

    /// The pseudonym of the person a message is about: by NHS number; failing that by the sender's
    /// own id for them; failing both by name and date of birth as this sender writes them.
    pub fn subject_key(&self, subject: &Subject, sender: &OrganisationCode) -> SubjectKey {
        let sender = sender.as_str().as_bytes();
        let key = if let Some(number) = &subject.nhs_number {
            return self.key_of_nhs_number(number);
        } else if let Some(id) = &subject.la_person_id {
            let id = id.expose().as_bytes();
            keyed(&self.subjects, &[b"sender-person", sender, id])
        } else {
            let given = fold(subject.given_names.expose());
            let demographics = self.demographics(subject);
            keyed(&self.subjects, &[b"details", sender, &demographics, given.as_bytes()])
        };
        SubjectKey(key)
    }

    /// The pseudonym of the person with an NHS number.
    pub fn key_of_nhs_number(&self, number: &NhsNumber) -> SubjectKey {
        SubjectKey(keyed(&self.subjects, &[b"nhs-number", number.expose().as_bytes()]))
    }

    /// The pseudonym of whom a question names: by an NHS number, or by an id and the organisation
    /// whose it is. `None` when it names nobody, in two ways, or by what is no number or code.
    pub fn key_named(
        &self,
        nhs_number: Option<&str>,
        (person_id, id_of): (Option<&str>, Option<&str>),
    ) -> Option<SubjectKey> {
        match (nhs_number, person_id.map(str::trim), id_of) {
            (Some(number), None, None) => {
                Some(self.key_of_nhs_number(&NhsNumber::parse(number).ok()?))
            }
            (None, Some(id), Some(code)) if !id.is_empty() => {
                Some(self.key_of_person_id(id, &OrganisationCode::parse(code).ok()?))
            }
            _ => None,
        }
    }

    /// The pseudonym of the person with an id of a sender's own.
    pub fn key_of_person_id(&self, id: &str, sender: &OrganisationCode) -> SubjectKey {
        let sender = sender.as_str().as_bytes();
        SubjectKey(keyed(&self.subjects, &[b"sender-person", sender, id.as_bytes()]))
    }

    /// A keyed hash by which a message is recognised again: of its sender and reference
    /// (`identity`), or of its whole content (`fingerprint`).
    pub fn recognition(&self, what: &str, bytes: &[u8]) -> [u8; 32] {
        keyed(&self.messages, &[what.as_bytes(), bytes])
    }

    /// What must agree before two messages are taken to be about one person: date of birth, and
    /// family name without regard to case, spaces, hyphens and apostrophes.
    pub fn demographics(&self, subject: &Subject) -> [u8; 32] {
        let born = subject.date_of_birth.to_string();
        let family = fold(subject.family_name.expose());
        keyed(&self.demographics, &[born.as_bytes(), family.as_bytes()])
    }

    /// The marks of a family name: of the whole, and of each part of a name of several, so that
    /// `Smith-Jones` has a mark in common with `Smith`. None for a name without letters.
    pub fn surname_marks(&self, name: &str) -> BTreeSet<[u8; 32]> {
        let parts = name.split(|c: char| c.is_whitespace() || c == '-' || c == '\u{2010}');
        let told = parts.map(fold).filter(|part| part.chars().count() >= PART_CHARS_MIN);
        let marks = std::iter::once(fold(name)).chain(told).filter(|part| !part.is_empty());
        marks.map(|part| keyed(&self.marks, &[b"surname", part.as_bytes()])).collect()
    }

    /// The mark of a postcode, without regard to case and spaces. None for what is no postcode of a
    /// place: too short, too long, or one of the NHS pseudo-postcodes, which begin with `ZZ99` and
    /// say that somebody's address is not known or not in this country.
    pub fn postcode_mark(&self, postcode: &str) -> Option<[u8; 32]> {
        let folded = fold(postcode);
        let fits = POSTCODE_CHARS.contains(&folded.chars().count()) && folded.is_ascii();
        let place = fits && !folded.starts_with("zz99");
        place.then(|| keyed(&self.marks, &[b"postcode", folded.as_bytes()]))
    }

    /// A short pseudonym of somebody who acted, by their organisation and their user id there.
    pub fn person(&self, organisation: &OrganisationCode, user: &str) -> String {
        let user = user.trim().to_lowercase();
        let key = keyed(&self.people, &[organisation.as_str().as_bytes(), user.as_bytes()]);
        hex(&key).chars().take(16).collect()
    }

    /// The pseudonym of a user id whatever organisation it came from: a person who calls through
    /// two organisations is one person. Two people with the same id are taken for one, which only
    /// asks for a third.
    pub fn anywhere(&self, user: &str) -> String {
        let user = user.trim().to_lowercase();
        hex(&keyed(&self.people, &[b"anywhere", b"", user.as_bytes()])).chars().take(16).collect()
    }

    /// The pseudonym of a login of this machine: the one by which user ids of different organisations
    /// are compared, so that nobody signs off through an organisation what they did at the prompt.
    pub fn login(&self, name: &str) -> String {
        self.anywhere(name)
    }

    /// The pseudonym that the log has of a user id of an organisation, by its code, or of a login of
    /// this machine, by `gateway`. `None` for what is no code.
    pub fn user_of(&self, organisation: &str, user: &str) -> Option<String> {
        if organisation == GATEWAY {
            return Some(self.login(user));
        }
        let organisation = OrganisationCode::parse(organisation).ok()?;
        Some(self.person(&organisation, user))
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(keys hidden)")
    }
}

fn derive_key(secret: &hkdf::Prk, purpose: &[u8]) -> Result<hmac::Key, VaultError> {
    let info = [purpose];
    secret.expand(&info, hmac::HMAC_SHA256).map(hmac::Key::from).or(Err(VaultError::Refused))
}

fn keyed(key: &hmac::Key, fields: &[&[u8]]) -> [u8; 32] {
    let mut message = Zeroizing::new(Vec::with_capacity(512));
    push_list(&mut message, fields);
    let mut code = [0; 32];
    for (to, from) in code.iter_mut().zip(hmac::sign(key, &message).as_ref()) {
        *to = *from;
    }
    code
}

/// Lower case, letters and digits only: `O’Neill-Smith` and `ONEILL SMITH` are one name.
fn fold(name: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(name.len().saturating_mul(2)));
    folded.extend(name.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()));
    folded
}

/// The shortest part of a family name that is a name of its own; `de` and `Mc` are not.
const PART_CHARS_MIN: usize = 3;
/// Letters and digits of a postcode of the United Kingdom, `M1 1AA` to `SW1A 1AA`.
const POSTCODE_CHARS: std::ops::RangeInclusive<usize> = 5..=7;

/// Who acts in the log where no organisation does.
const GATEWAY: &str = "gateway";

const SALT: &[u8] = b"ehc-gateway pseudonyms 1";

#[cfg(test)]
mod tests;
