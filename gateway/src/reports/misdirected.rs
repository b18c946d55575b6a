//! Report 7: what went to the wrong place or was about the wrong child, and until when.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemas::RecordId;

use super::gathering::{Senders, gather, gather_of, of_kinds};
use super::rows::{Names, detail, time};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{Entry, EventKind};
use crate::notices::{self, Contained, Containment};
use crate::store::LogFilter;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let rejected = of_kinds(ask, &[EventKind::DeliveryAcknowledged]);
    let rejected = LogFilter { outcome: Some("rejected".to_owned()), ..rejected };
    let own = ask.organisation.as_ref();
    let rejected = gather_of(app, &rejected, own, asked).await?;
    let quarantined = of_kinds(ask, &[EventKind::RecordQuarantined]);
    let quarantined = gather_of(app, &quarantined, own, asked).await?;
    // An entry of a recall names who recalls; its recipients are found below.
    let recalls = gather(app, &of_kinds(ask, &[EventKind::RecordTakenBack]), asked).await?;
    let mut notes: Vec<String> = rejected.note("refusals by recipients").into_iter().collect();
    notes.extend(quarantined.note("refusals at the door"));
    notes.extend(recalls.note("recalls"));
    let mut entries = rejected.entries;
    entries.extend(quarantined.entries);
    entries.extend(recalls.entries);
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    let senders = Senders::of(app, &entries).await?;
    let mut found = Vec::new();
    let mut recalled: BTreeSet<RecordId> = BTreeSet::new();
    for entry in &entries {
        let event = &entry.event;
        if event.kind == EventKind::RecordTakenBack {
            let record = event.record.filter(|_| is_recall(entry));
            let Some(record) = record.filter(|record| recalled.insert(*record)) else { continue };
            if let Some(how) = notices::containment(app, record).await? {
                found.extend(of_recall(entry, &how));
            }
        } else if event.kind == EventKind::RecordQuarantined && is_wrong_child(entry) {
            found.push(of_entry(entry, "stopped at the door: another child"));
        } else if let Some(id) = event.delivery.filter(|_| is_misdirected(entry)) {
            let delivery = app.store.find_delivery(id).await?;
            let left = delivery.and_then(|delivery| delivery.delivered_at);
            let sender = senders.sender(entry).map(ToString::to_string);
            found.push(Incident { sender, left, ..of_entry(entry, "refused by the recipient") });
        }
    }
    found.retain(|one| own.is_none_or(|own| one.concerns(own.as_str())));
    let names: Names<'_> = &|code| app.name_of_code(code);
    let sheets = vec![incidents(&found, names)];
    Ok(Made { sheets, limits: Vec::new(), notes }.note(CONTAINED))
}

/// One message, or one recipient of a message that was recalled.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Incident {
    entry: u64,
    what: &'static str,
    /// When somebody said so.
    noticed: Timestamp,
    reason: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    message: Option<String>,
    record: Option<String>,
    /// When it left; nothing when it never did.
    left: Option<Timestamp>,
    /// When it was contained: the recipient has acknowledged the recall, or never had it.
    contained: Option<Timestamp>,
}

impl Incident {
    fn concerns(&self, own: &str) -> bool {
        [&self.sender, &self.recipient].into_iter().any(|one| one.as_deref() == Some(own))
    }
}

fn of_entry(entry: &Entry, what: &'static str) -> Incident {
    let event = &entry.event;
    let rejected = event.kind == EventKind::DeliveryAcknowledged;
    // Who says that a message is not theirs is its recipient (its sender stands with the record); who
    // brings one is its sender.
    let actor = Some(event.actor.organisation.clone());
    let (sender, recipient) = if rejected { (None, actor) } else { (actor, None) };
    Incident {
        entry: entry.seq,
        what,
        noticed: entry.at(),
        reason: detail(entry, &["reason", "rules"]),
        sender,
        recipient,
        message: event.message_type.map(|kind| kind.as_str().to_owned()),
        record: event.record.map(|record| record.to_string()),
        left: None,
        contained: (!rejected).then(|| entry.at()),
    }
}

/// One row for each recipient of what was recalled.
fn of_recall(entry: &Entry, how: &Containment) -> Vec<Incident> {
    let Some(first) = how.recalls.first() else { return Vec::new() };
    let of = |one: &Contained| Incident {
        noticed: first.at,
        reason: Some(first.reason.clone()),
        recipient: Some(one.recipient.to_string()),
        left: one.opened_at.filter(|_| one.opened),
        contained: if one.opened { one.acknowledged_at } else { Some(first.at) },
        ..of_entry(entry, "recalled")
    };
    how.deliveries.iter().map(of).collect()
}

fn is_recall(entry: &Entry) -> bool {
    entry.event.detail.get("how").map(String::as_str) == Some("recalled")
}

fn is_misdirected(entry: &Entry) -> bool {
    let rejected = entry.event.kind == EventKind::DeliveryAcknowledged;
    let reason = entry.event.detail.get("reason").filter(|_| rejected);
    reason.is_some_and(|reason| MISDIRECTED.contains(&reason.as_str()))
}

fn is_wrong_child(entry: &Entry) -> bool {
    let rules = entry.event.detail.get("rules").map(String::as_str).unwrap_or_default();
    rules.split(' ').any(|rule| WRONG_CHILD.contains(&rule))
}

fn incidents(found: &[Incident], names: Names<'_>) -> Sheet {
    let mut sheet = Sheet::new("Incidents", &COLUMNS);
    for one in found {
        let recipient = one.recipient.clone().unwrap_or_default();
        let name = if recipient.is_empty() { String::new() } else { names(&recipient) };
        sheet.rows.push(vec![
            one.entry.into(),
            one.what.into(),
            one.reason.clone().into(),
            time(one.noticed),
            one.sender.clone().into(),
            recipient.into(),
            name.into(),
            one.message.clone().into(),
            one.record.clone().into(),
            one.left.map_or(Cell::Nothing, time),
            one.contained.map_or(Cell::Nothing, time),
            hours(one.left, one.contained),
            hours(Some(one.noticed), one.contained),
        ]);
    }
    sheet
}

/// Whole hours between two instants, begun ones counted.
fn hours(from: Option<Timestamp>, until: Option<Timestamp>) -> Cell {
    let Some((from, until)) = from.zip(until) else { return Cell::Nothing };
    let took = until.duration_since(from).max(SignedDuration::ZERO);
    Cell::Number(took.as_secs().saturating_add(HOUR_S - 1) / HOUR_S)
}

const COLUMNS: [(&str, Kind); 13] = [
    ("entry", Kind::Number),
    ("what", Kind::Text),
    ("reason", Kind::Text),
    ("noticed (London)", Kind::Time),
    ("from", Kind::Text),
    ("to", Kind::Text),
    ("to (name)", Kind::Text),
    ("message type", Kind::Text),
    ("record", Kind::Text),
    ("left (London)", Kind::Time),
    ("contained (London)", Kind::Time),
    ("hours out", Kind::Number),
    ("hours to contain", Kind::Number),
];

/// Why a recipient refuses what was not for it, or not about its patient.
const MISDIRECTED: [&str; 4] = ["NOT_MY_PATIENT", "WRONG_ORG", "IDENTITY_MISMATCH", "OUT_OF_AREA"];
/// Why the gateway does not take what is about another child than it says.
const WRONG_CHILD: [&str; 3] =
    ["identity-mismatch", "another-persons-number", "supersedes-other-person"];
const HOUR_S: i64 = 3_600;

const CONTAINED: &str = "Contained is when a recipient acknowledged the recall, or at once when it had opened nothing. Where it is empty, somebody still has the message: a recipient's refusal alone does not take it back.";

#[cfg(test)]
mod tests;
