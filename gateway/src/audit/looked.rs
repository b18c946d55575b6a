//! A look at a list: who was on it, and a hash that can prove it later without telling.
//!
//! The entry of a look says how many people were on the list, and a hash over one salted
//! commitment for each. Partners hold the log: without a salt nobody can try pseudonyms against it,
//! and each person has a salt of their own, so that it can be proved of one of them that they were
//! on the list without saying who else was.
//!
//! The hash: SHA-256 over the commitments in ascending order; a commitment is SHA-256 over
//! [`DOMAIN`], the 16 bytes of the salt and the 32 bytes of the pseudonym.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::bundle::Base64Hash;
use super::{Event, SubjectKey};
use crate::entropy::{Entropy, EntropyError, Sha256, hex};

/// Who was on a list, with the salts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked(Vec<Salted>);

/// A person on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salted {
    /// Who, as a pseudonym.
    pub subject: SubjectKey,
    /// Random bytes.
    pub salt: [u8; 16],
}

impl Salted {
    /// What stands for this person in the hash.
    pub fn commitment(&self) -> [u8; 32] {
        let mut hash = Sha256::default();
        hash.update(DOMAIN);
        hash.update(&self.salt);
        hash.update(&self.subject.0);
        hash.finish()
    }
}

impl Looked {
    /// These people, each once, with fresh salts.
    pub fn at(
        people: impl IntoIterator<Item = SubjectKey>,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        let people: BTreeSet<SubjectKey> = people.into_iter().collect();
        let mut salted = Vec::with_capacity(people.len());
        for subject in people {
            let mut salt = [0; 16];
            entropy.fill(&mut salt)?;
            salted.push(Salted { subject, salt });
        }
        Ok(Self(salted))
    }

    /// The people, in order of pseudonym.
    pub fn people(&self) -> &[Salted] {
        &self.0
    }

    /// The commitments, in ascending order.
    pub fn commitments(&self) -> Vec<[u8; 32]> {
        let mut commitments: Vec<[u8; 32]> = self.0.iter().map(Salted::commitment).collect();
        commitments.sort_unstable();
        commitments
    }

    /// The hash over all of them, in hexadecimal.
    pub fn hash(&self) -> String {
        hash_of(&self.commitments())
    }

    /// Says in an event how many were on the list, and the hash of who.
    #[must_use]
    pub fn told_in(&self, event: Event) -> Event {
        event.with(PEOPLE, self.0.len()).with(HASH, self.hash())
    }

    /// What proves that somebody was on the list of an entry; `None` when they were not.
    pub fn proof_of(&self, entry: u64, subject: SubjectKey) -> Option<OnList> {
        let one = self.0.iter().find(|one| one.subject == subject)?;
        Some(OnList {
            entry,
            subject,
            salt: BASE64_STANDARD.encode(one.salt),
            commitments: self.commitments().into_iter().map(Base64Hash).collect(),
        })
    }
}

/// The proof that a person was on the list of an entry. Of the others on it, it says how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnList {
    /// The entry of the look.
    pub entry: u64,
    /// Who, as a pseudonym.
    pub subject: SubjectKey,
    /// The salt of their commitment, in base64.
    pub salt: String,
    /// The commitments to all who were on the list, in ascending order, in base64.
    pub commitments: Vec<Base64Hash>,
}

impl OnList {
    /// Whether the event, which must be proved to be that entry's, vouches for it.
    pub fn holds(&self, event: &Event) -> bool {
        let salt = BASE64_STANDARD.decode(&self.salt).ok().and_then(|salt| salt.try_into().ok());
        let Some(salt) = salt else { return false };
        let own = Salted { subject: self.subject, salt }.commitment();
        let all: Vec<[u8; 32]> = self.commitments.iter().map(|hash| hash.0).collect();
        all.contains(&own)
            && event.detail.get(PEOPLE) == Some(&all.len().to_string())
            && event.detail.get(HASH) == Some(&hash_of(&all))
    }
}

/// Whether what the gateway recorded of a look, by its hash, is what the event vouches for. Without
/// anybody on the list nothing is recorded.
pub fn agrees(event: &Event, recorded: Option<&str>) -> bool {
    match (event.detail.get(HASH), recorded) {
        (Some(hash), Some(recorded)) => hash == recorded,
        (Some(hash), None) => *hash == hash_of(&[]),
        (None, recorded) => recorded.is_none(),
    }
}

impl From<Vec<Salted>> for Looked {
    fn from(mut people: Vec<Salted>) -> Self {
        people.sort_unstable_by_key(|one| one.subject);
        Self(people)
    }
}

/// The hash over commitments in ascending order, in hexadecimal.
pub fn hash_of(commitments: &[[u8; 32]]) -> String {
    let mut hash = Sha256::default();
    for commitment in commitments {
        hash.update(commitment);
    }
    hex(&hash.finish())
}

/// The detail of an entry that says how many people were on the list.
pub const PEOPLE: &str = "people";

/// The detail of an entry that holds the hash of who was on the list.
pub const HASH: &str = "looked_at";

/// Keeps these hashes apart from all others.
pub const DOMAIN: &[u8] = b"ehc-looked-at-1\n";

#[cfg(test)]
mod tests;
