//! What stands for a person in the leaves of the log: another pseudonym in each period.
//!
//! Everybody may hold the log, and for ever. Did a leaf name a person by the pseudonym that the
//! gateway works with, whoever holds the log could follow a child through all years, and nothing
//! could ever end that. So a leaf names an *alias*, made under the key of the [`Period`] that the
//! entry is of. The pseudonym stands beside the entry in the database: that is the look-up. It dies
//! with the key of its period ([`look_up`](crate::look_up)); leaves, hashes and proofs stay as
//! they are.
//!
//! An alias is SHA-256 over [`DOMAIN`], the 32 bytes of its *opening* and the 32 bytes of the
//! pseudonym; the opening is HMAC-SHA256 of the pseudonym under the period's key
//! ([`PeriodKeys`](crate::vault::look_up::PeriodKeys)). Whoever is given pseudonym and opening can
//! see for themselves that the alias is of that pseudonym, and learns of nobody else and of no other
//! period. Pure; it must never know a key.
//!
//! Limits: an alias ties the entries of one period together, and entries on both sides of a
//! period's end that name the same record or delivery tie its two aliases.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::date;
use serde::{Deserialize, Serialize};

use super::{Event, SubjectKey};
use crate::clock::{london_date, london_day_ends};
use crate::entropy::Sha256;

/// A stretch of the log whose people have aliases of their own: a calendar year in London.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(i16);

impl Period {
    /// Entries from before there were periods: their leaves name the pseudonym itself.
    pub const BEFORE: Self = Self(0);

    /// The period of a year.
    pub fn of_year(year: i16) -> Self {
        Self(year)
    }

    /// The period that an instant is in.
    pub fn at(instant: Timestamp) -> Self {
        Self(london_date(instant).year())
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0
    }

    /// The instant at which it is over.
    pub fn ends(self) -> Timestamp {
        london_day_ends(date(self.0.clamp(1, 9998), 12, 31))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The alias of a pseudonym.
pub fn of(opening: &[u8; 32], subject: SubjectKey) -> SubjectKey {
    let mut hash = Sha256::default();
    hash.update(DOMAIN);
    hash.update(opening);
    hash.update(&subject.0);
    SubjectKey(hash.finish())
}

/// An event with other pseudonyms for everybody that it names as a person of the records: whom it
/// is about, and whom it says that they are.
pub fn renamed<E>(
    event: &Event,
    mut name: impl FnMut(SubjectKey) -> Result<SubjectKey, E>,
) -> Result<Event, E> {
    let mut event = event.clone();
    event.subject = event.subject.map(&mut name).transpose()?;
    if let Some(text) = event.detail.get_mut(KNOWN_AS)
        && let Some(subject) = SubjectKey::from_hex(text)
    {
        *text = name(subject)?.to_hex();
    }
    Ok(event)
}

/// The detail of an entry that names a second pseudonym: the one a person has from then on.
pub const KNOWN_AS: &str = "known_as";

/// Keeps these hashes apart from all others.
pub const DOMAIN: &[u8] = b"ehc-alias-1\n";

#[cfg(test)]
mod tests;
