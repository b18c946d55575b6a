//! Search of the log for an information governance officer: who did what, when and why.
//!
//! An officer asks by any of child, person, organisation, kind, purpose, authority, outcome and
//! time, and says why ([`Reason`]). That it was asked, and by which of these, is an entry of the log
//! before anything is read; what was looked for is not, unless it is a child: then the entry names
//! its pseudonym, so that the search is found by whoever asks who has seen that child's record.
//! No search reads the log through ([`LogFilter`]).
//!
//! To use it: [`search`], then again with [`Found::next_before`] for what is older.
//!
//! A pseudonym of a child is told by its first digits only. Not supported: search by content,
//! which is not in the log; by a name: nobody's is.

mod asked;
mod words;

use jiff::Timestamp;
use schemas::{MessageType, RecordId};
use serde::Serialize;

use crate::access_report::Reason;
use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::audit::{Actor, Entry, EventKind};
use crate::clock::{london_date, london_time};
use crate::look_up::{self, Standing};
use crate::queue::DeliveryId;
use crate::store::{Change, LogFilter, StoreError};
use crate::telemetry::name_of;

pub use asked::{AskError, Asked};
pub(crate) use words::phrase;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Which entries.
    pub filter: LogFilter,
    /// Why it is asked.
    pub reason: Reason,
    /// Only what stands before this place.
    pub before: Option<u64>,
    /// At most so many, from 1 to [`LIMIT_MAX`].
    pub limit: u32,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The entry of the log that says that this was asked.
    pub entry: u64,
    /// What was found, newest first.
    pub entries: Vec<FoundEntry>,
    /// Before which place to go on; nothing when this is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
    /// Of a search by child: years of which nobody can tell any more whom the entries are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub look_ups_destroyed: Vec<Standing>,
}

/// An entry for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundEntry {
    /// Its place in the log.
    pub entry: u64,
    /// When, by London's clocks.
    pub when: String,
    /// The name of what happened.
    pub kind: EventKind,
    /// What happened, in words.
    pub what: String,
    /// Why, as far as it was said.
    pub why: String,
    /// Who did it: the organisation's code, or `gateway`.
    pub organisation: String,
    /// Its name.
    pub organisation_name: String,
    /// The person, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How whoever acted came in.
    pub method: String,
    /// Whom somebody at the machine's own prompt only said to be, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// The other organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<String>,
    /// About whom: the first digits of the pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The type of message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The delivery or leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    /// The authority relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What was decided, or what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Searches. The asking is durable in the log before anything is read, and so is the first thing
/// that a search without limits finds.
pub async fn search(app: &App, search: &Search, actor: &Actor) -> Result<Found, StoreError> {
    let mut event = LogLook::Search
        .event(actor.clone())
        .with("reason", name_of(search.reason))
        .with("by", members(&search.filter).join(" "));
    event.subject = search.filter.subject;
    let asked = app.store.commit(Change::because(event)).await?;
    let before = search.before.unwrap_or(u64::MAX);
    let limit = search.limit.clamp(1, LIMIT_MAX);
    let entries = app.store.entries_matching(&search.filter, before, limit).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| entries.len() >= limit);
    let next_before = entries.last().filter(|last| full && last.seq > 0).map(|last| last.seq);
    let entries = entries.into_iter().map(|entry| told(app, entry)).collect();
    let look_ups_destroyed = match search.filter.subject {
        Some(_) => {
            let day = |at: Option<Timestamp>| at.map(london_date);
            let (from, until) = (day(search.filter.from), day(search.filter.until));
            look_up::destroyed_within(app, from, until).await?
        }
        None => Vec::new(),
    };
    Ok(Found { entry: asked.first_seq, entries, next_before, look_ups_destroyed })
}

/// The names of what a filter asks by.
fn members(filter: &LogFilter) -> Vec<&'static str> {
    let members = [
        ("child", filter.subject.is_some()),
        ("person", filter.person.is_some()),
        ("organisation", filter.organisation.is_some()),
        ("counterparty", filter.counterparty.is_some()),
        ("kind", !filter.kinds.is_empty()),
        ("purpose", filter.reason.is_some()),
        ("authority", filter.authority.is_some()),
        ("outcome", filter.outcome.is_some()),
        ("from", filter.from.is_some()),
        ("until", filter.until.is_some()),
    ];
    members.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

fn told(app: &App, entry: Entry) -> FoundEntry {
    let (what, why) = words::of(&entry);
    let Entry { seq, at_us, event, .. } = entry;
    let at = london_time(Timestamp::from_microsecond(at_us).unwrap_or_default());
    let decision = event.decision;
    let outcome = decision.as_ref().map(|note| note.outcome.clone());
    let about = event.subject.map(|key| key.to_hex().chars().take(DIGITS).collect());
    FoundEntry {
        entry: seq,
        when: at.strftime("%Y-%m-%d %H:%M").to_string(),
        kind: event.kind,
        what,
        why,
        organisation_name: app.name_of_code(&event.actor.organisation),
        organisation: event.actor.organisation,
        person: event.actor.person,
        role: event.actor.role,
        method: event.actor.method,
        claimed: event.actor.claimed,
        counterparty: event.counterparty.map(|code| code.to_string()),
        about,
        message_type: event.message_type,
        record: event.record,
        delivery: event.delivery,
        authority: decision.as_ref().and_then(|note| note.authority.clone()),
        outcome: outcome.or_else(|| event.detail.get("outcome").cloned()),
        rule: decision.map(|note| note.rule),
    }
}

/// The most entries of one page.
pub const LIMIT_MAX: u32 = 500;

/// The digits of a child's pseudonym that are told: enough to see that two entries are about one
/// child, too few to look for that child elsewhere.
const DIGITS: usize = 8;

#[cfg(test)]
mod tests;
