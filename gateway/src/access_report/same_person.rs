//! That the entries of a proof are about one person, although their leaves name another alias each
//! year: the openings of those aliases, for whoever is given the proof.
//!
//! An opening tells of its own person and year only. Of entries from before there were years, the
//! leaf has the pseudonym itself: the opening is of nothing, and says that it is this person's. Not supported: years whose look-up was destroyed,
//! because nobody has their openings any more; what was given out before holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::alias::{self, Period};
use crate::audit::bundle::Base64Hash;
use crate::audit::{Entry, SubjectKey};
use crate::store::StoreError;

/// What shows whose an alias is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The period of the alias.
    pub period: Period,
    /// Whose it is, as a pseudonym.
    pub subject: SubjectKey,
    /// Its opening, in base64.
    pub opening: Base64Hash,
}

/// The openings of the aliases that entries name these people by.
pub(super) async fn openings(
    app: &App,
    entries: &[&Entry],
    own: &BTreeSet<SubjectKey>,
) -> Result<Vec<Opening>, StoreError> {
    let mut openings = Vec::new();
    for period in app.store.log_periods().await? {
        if period.key.is_none() && period.period != Period::BEFORE {
            continue;
        }
        let here = entries.iter().filter(|entry| period.holds(entry.seq));
        let named: BTreeSet<SubjectKey> = here.filter_map(|entry| entry.event.subject).collect();
        for subject in named.intersection(own) {
            let opening = match &period.key {
                Some(key) => app
                    .period_keys
                    .opening(period.period, key, *subject)
                    .map_err(|error| StoreError::Log(Arc::new(error)))?,
                None => [0; 32],
            };
            let (period, subject) = (period.period, *subject);
            openings.push(Opening { period, subject, opening: Base64Hash(opening) });
        }
    }
    Ok(openings)
}

/// The first entry that names somebody whom no opening shows to be one of the people of the proof.
/// Where there is no opening at all, whoever the first entry names is the only one: were openings
/// taken out of a proof, entries of another year or of somebody else would not pass either. Entries
/// that name a pseudonym itself are older than all that name an alias, and pass nowhere else.
pub(super) fn stranger(entries: &[Entry], openings: &[Opening]) -> Option<u64> {
    let aliases = openings.iter().filter(|one| one.period != Period::BEFORE);
    let aliases = aliases.map(|one| alias::of(&one.opening.0, one.subject));
    let aliases: BTreeSet<SubjectKey> = aliases.collect();
    let mut plain: BTreeSet<SubjectKey> = openings.iter().map(|one| one.subject).collect();
    if openings.is_empty() {
        let named = entries.iter().filter(|entry| entry.event.subject.is_some());
        plain.extend(named.min_by_key(|entry| entry.seq).and_then(|entry| entry.event.subject));
    }
    let by_alias = |one: &SubjectKey| aliases.contains(one);
    let named_so =
        entries.iter().filter(|entry| entry.event.subject.as_ref().is_some_and(by_alias));
    let since = named_so.map(|entry| entry.seq).min().unwrap_or(u64::MAX);
    let strange = |entry: &&Entry| {
        let known = |one: SubjectKey| by_alias(&one) || entry.seq < since && plain.contains(&one);
        !entry.event.subject.is_none_or(known)
    };
    entries.iter().filter(strange).map(|entry| entry.seq).min()
}
