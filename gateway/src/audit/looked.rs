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

    /// Says in an event how many were on the list, and the hash of who.
    #[must_use]
    pub fn told_in(&self, event: Event) -> Event {
        event.with(PEOPLE, self.0.len()).with(HASH, hash_of(&self.commitments()))
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
