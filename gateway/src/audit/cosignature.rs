//! Cosignatures: what a witness says of somebody else's log.
//!
//! Owns the form (C2SP tlog-cosignature, `cosignature/v1`, Ed25519): a line of signatures under a
//! checkpoint, over the time and the checkpoint's whole text. It says that at that time the
//! checkpoint was the largest consistent head the witness had seen of that log. It must never know
//! whether that is so: a witness finds out (see [`witness`](crate::witness)).
//!
//! ```
//! # use gateway::audit::cosignature::{Cosigner, CosignerKey};
//! # fn ask(cosigner: &Cosigner, checkpoint: &str, now: jiff::Timestamp) {
//! let line = cosigner.cosign(checkpoint, now).unwrap();
//! let key = CosignerKey::parse(&cosigner.vkey()).unwrap();
//! assert!(key.find(checkpoint, &line).is_some());
//! # }
//! ```
//!
//! Limits: times are whole seconds. Not supported: ML-DSA-44 cosignatures, because ring has none.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use signed_note::Signature;

use super::signing::{self, SigningKey, SigningKeyError};
use crate::entropy::Entropy;

/// Cosigns under a name of its own.
#[derive(Debug)]
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

/// The public key of a witness, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    id: u32,
    public: [u8; 32],
}

/// A cosignature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The name of the witness.
    pub by: String,
    /// When it cosigned, to the second.
    pub at: Timestamp,
    /// The line, as it stands under a checkpoint, ended by a line feed.
    pub line: String,
}

/// Why there is no cosignature or no key for one.
#[derive(Debug, thiserror::Error)]
pub enum CosignatureError {
    /// The name cannot stand in a signed note.
    #[error("a witness's name is 1 to 100 printable characters without spaces and plus signs")]
    Name,
    /// The text is not a key of a witness.
    #[error("not the verifier key of a witness (name+id+key, of signature type 4)")]
    Key,
    /// The text is not a signed note, or the time is before 1970.
    #[error("not a checkpoint in a signed note")]
    Form,
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] SigningKeyError),
}

impl Cosigner {
    /// Makes a key file that only its owner can read, and cosigns with it. Refuses when it exists.
    pub fn generate(
        path: &Path,
        name: &str,
        entropy: &dyn Entropy,
    ) -> Result<Self, CosignatureError> {
        let name = checked_name(name)?;
        Ok(Self { name, key: SigningKey::generate(path, entropy)? })
    }

    /// Reads the key file.
    pub fn load(path: &Path, name: &str) -> Result<Self, CosignatureError> {
        let name = checked_name(name)?;
        Ok(Self { name, key: SigningKey::load(path)? })
    }

    /// The name under which it cosigns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The verifier key to hand to logs and their partners.
    pub fn vkey(&self) -> String {
        let key = key_bytes(&self.key.public());
        let id = signed_note::key_id(&self.name, &key);
        format!("{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }

    /// The line of a cosignature over a checkpoint's text. The caller has checked it.
    pub fn cosign(&self, note: &str, at: Timestamp) -> Result<String, CosignatureError> {
        let text = text_of(note).ok_or(CosignatureError::Form)?;
        let seconds = u64::try_from(at.as_second()).or(Err(CosignatureError::Form))?;
        let signature = self.key.sign(message(seconds, text).as_bytes());
        let signed = [seconds.to_be_bytes().as_slice(), &signature].concat();
        let id = signed_note::key_id(&self.name, &key_bytes(&self.key.public()));
        let line = Signature::new(self.name.clone(), id, signed).or(Err(CosignatureError::Name))?;
        String::from_utf8(line.to_bytes()).or(Err(CosignatureError::Form))
    }
}

impl CosignerKey {
    /// Reads a verifier key.
    pub fn parse(vkey: &str) -> Result<Self, CosignatureError> {
        let wrong = CosignatureError::Key;
        let mut parts = vkey.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong);
        };
        let bytes = BASE64_STANDARD.decode(key).or(Err(CosignatureError::Key))?;
        let Some((&ALGORITHM_COSIGNATURE, public)) = bytes.split_first() else { return Err(wrong) };
        let public: [u8; 32] = public.try_into().or(Err(CosignatureError::Key))?;
        let name = checked_name(name)?;
        let known = signed_note::key_id(&name, &bytes);
        if id.len() != 8 || u32::from_str_radix(id, 16).ok() != Some(known) {
            return Err(wrong);
        }
        Ok(Self { name, id: known, public })
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest cosignature by this witness over a checkpoint's text, of those that stand in
    /// `lines`: lines of signatures, or a whole note that has some. `None` when there is none that
    /// holds; what others signed is passed over.
    pub fn find(&self, note: &str, lines: &str) -> Option<Cosignature> {
        let text = text_of(note)?;
        let lines = lines.rsplit_once("\n\n").map_or(lines, |(_, signatures)| signatures);
        let found = lines.lines().take(LINES_MAX).filter_map(|line| self.check(text, line));
        found.max_by_key(|cosignature| cosignature.at)
    }

    fn check(&self, text: &str, line: &str) -> Option<Cosignature> {
        let signature = Signature::from_bytes(line.as_bytes()).ok()?;
        if signature.name() != self.name || signature.id() != self.id {
            return None;
        }
        let (time, bytes) = signature.signature().split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*time);
        if !signing::verify(&self.public, message(seconds, text).as_bytes(), bytes) {
            return None;
        }
        let at = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
        Some(Cosignature { by: self.name.clone(), at, line: format!("{line}\n") })
    }
}

/// The text of a signed note, with its last line feed and without signatures.
pub fn text_of(note: &str) -> Option<&str> {
    let (text, _) = note.rsplit_once("\n\n")?;
    note.get(..text.len().saturating_add(1))
}

/// A note with more lines of signatures under it, each once.
pub fn with_lines<'a>(note: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut whole = note.to_owned();
    for line in lines {
        if !whole.contains(line.trim_end()) {
            whole.push_str(line.trim_end());
            whole.push('\n');
        }
    }
    whole
}

/// What is signed (C2SP tlog-cosignature): a header, the time, and the checkpoint's text.
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

fn key_bytes(public: &[u8; 32]) -> Vec<u8> {
    [[ALGORITHM_COSIGNATURE].as_slice(), public].concat()
}

fn checked_name(name: &str) -> Result<String, CosignatureError> {
    let printable = name.chars().all(|c| c.is_ascii_graphic() && c != '+');
    let fits = printable && (1..=100).contains(&name.len());
    fits.then(|| name.to_owned()).ok_or(CosignatureError::Name)
}

/// The algorithm byte of Ed25519 cosignatures in verifier keys.
const ALGORITHM_COSIGNATURE: u8 = 4;
/// More lines than this are not looked at; a note has at most a hundred.
const LINES_MAX: usize = 100;

#[cfg(test)]
mod tests;
