//! What an entry is found by: the few facts of it that stand beside it in the database.
//!
//! The one place that says which these are. They are written with the entry, searched by, and
//! compared with it again by the verification: whoever edits one to hide an entry from a search is
//! found. Must never hold what the entry itself does not say.

use uuid::Uuid;

use super::{Entry, SubjectKey, purpose};
use crate::telemetry::name_of;

/// The facts of an entry that it is searched by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBy {
    /// What happened, by its name in the log.
    pub kind: String,
    /// When it was committed, microseconds since 1970 UTC.
    pub at_us: i64,
    /// The organisation that acted, or `gateway`.
    pub organisation: String,
    /// The person who acted, as a keyed pseudonym.
    pub person: Option<String>,
    /// The other organisation.
    pub counterparty: Option<String>,
    /// The authority relied on, by its code.
    pub authority: Option<String>,
    /// What was decided; where nothing was, what came of it.
    pub outcome: Option<String>,
    /// Why, by the code that was given: a reason, or the purpose of a look.
    pub reason: Option<String>,
    /// The record.
    pub record: Option<Uuid>,
    /// The delivery or leg.
    pub delivery: Option<Uuid>,
    /// About whom, as a pseudonym.
    pub subject: Option<SubjectKey>,
}

impl FoundBy {
    /// What an entry is found by.
    pub fn of(entry: &Entry) -> Self {
        let event = &entry.event;
        let decision = event.decision.as_ref();
        let detail = |name: &str| event.detail.get(name).cloned();
        Self {
            kind: name_of(event.kind),
            at_us: entry.at_us,
            organisation: event.actor.organisation.clone(),
            person: event.actor.person.clone(),
            counterparty: event.counterparty.as_ref().map(ToString::to_string),
            authority: decision.and_then(|note| note.authority.clone()),
            outcome: decision.map(|note| note.outcome.clone()).or_else(|| detail("outcome")),
            reason: detail("reason").or_else(|| detail(purpose::NAME)),
            record: event.record.map(|id| id.0),
            delivery: event.delivery.map(|id| id.0),
            subject: event.subject,
        }
    }

    /// The names of the facts in which two differ, as the columns of the database have them.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let facts = [
            ("kind", self.kind == other.kind),
            ("at_us", self.at_us == other.at_us),
            ("organisation", self.organisation == other.organisation),
            ("person", self.person == other.person),
            ("counterparty", self.counterparty == other.counterparty),
            ("authority", self.authority == other.authority),
            ("outcome", self.outcome == other.outcome),
            ("reason", self.reason == other.reason),
            ("record_id", self.record == other.record),
            ("delivery_id", self.delivery == other.delivery),
            ("subject", self.subject == other.subject),
        ];
        facts.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}
