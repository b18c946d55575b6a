//! Report 3: what was overridden, released in an emergency, held or refused, and what waits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemas::OrganisationCode;

use super::gathering::{Gathered, Senders, gather_of, of_kinds};
use super::rows::{ENTRY, Marks, Names, entry_row, month, rule_of, tally, time};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{Actor, Entry, EventKind};
use crate::queue::Delivery;
use crate::store::{HoldFilter, LogFilter, StoredReview};

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut keep = |gathered: Gathered, what: &str| {
        notes.extend(gathered.note(what));
        entries.extend(gathered.entries);
    };
    let own = ask.organisation.as_ref();
    let found = gather_of(app, &of_kinds(ask, &KINDS), own, asked).await?;
    keep(found, "holds, refusals and votes");
    for outcome in ["hold", "refuse"] {
        let filter = of_kinds(ask, &[EventKind::SharingDecided]);
        let filter = LogFilter { outcome: Some(outcome.to_owned()), ..filter };
        keep(gather_of(app, &filter, own, asked).await?, "what was decided at the door");
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    let senders = Senders::of(app, &entries).await?;
    let names: Names<'_> = &|code| app.name_of_code(code);
    let now = app.clock.now();
    let filter = HoldFilter { sender: ask.organisation.clone(), ..HoldFilter::default() };
    let waiting = app.store.held(&filter, None, LISTED_MAX).await?;
    let reviews = app.store.reviews(own, LISTED_MAX).await?;
    if waiting.len() >= LISTED || reviews.len() >= LISTED {
        notes.push(format!("Of what waits and of reviews, the oldest {LISTED_MAX} are listed."));
    }
    let sheets = vec![
        happened(&entries, names, Marks::of(asked)),
        by_rule(&entries),
        held(&waiting, now),
        reviewed(&reviews, now),
        by_organisation(&entries, &senders, names),
    ];
    Ok(Made { sheets, limits: Vec::new(), notes }.note(NOW).note(REVIEWERS))
}

/// A row for each, with what sort of exception it is.
fn happened(entries: &[Entry], names: Names<'_>, marks: Marks) -> Sheet {
    let mut columns = vec![("sort", Kind::Text)];
    columns.extend(ENTRY);
    let mut sheet = Sheet::new("What happened", &columns);
    for entry in entries {
        let mut row = vec![sort(entry).into()];
        row.extend(entry_row(entry, names, marks));
        sheet.rows.push(row);
    }
    sheet
}

fn by_rule(entries: &[Entry]) -> Sheet {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for entry in entries {
        let rule = rule_of(entry).unwrap_or_else(|| "none is recorded".to_owned());
        let count = counts.entry(format!("{}: {rule}", sort(entry))).or_default();
        *count = count.saturating_add(1);
    }
    tally("By rule", "sort and rule", counts)
}

/// How often each month, by organisation and reason. What the gateway does by itself (a hold at the
/// last moment) counts for who sent the message.
fn by_organisation(entries: &[Entry], senders: &Senders, names: Names<'_>) -> Sheet {
    type Key = (String, String, &'static str, String);
    let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
    for entry in entries {
        let actor = &entry.event.actor;
        let by_itself = actor.method == Actor::gateway().method;
        let sender = senders.sender(entry).filter(|_| by_itself).map(ToString::to_string);
        let whose = sender.unwrap_or_else(|| actor.organisation.clone());
        let rule = rule_of(entry).unwrap_or_else(|| "none is recorded".to_owned());
        let count = counts.entry((month(entry.at()), whose, sort(entry), rule)).or_default();
        *count = count.saturating_add(1);
    }
    let columns = [
        ("month", Kind::Text),
        ("organisation", Kind::Text),
        ("organisation name", Kind::Text),
        ("sort", Kind::Text),
        ("rule or reason", Kind::Text),
        ("how many", Kind::Number),
    ];
    let mut sheet = Sheet::new("By organisation", &columns);
    for ((month, whose, sort, rule), many) in counts {
        let name = names(&whose);
        sheet.rows.push(vec![
            month.into(),
            whose.into(),
            name.into(),
            sort.into(),
            rule.into(),
            many.into(),
        ]);
    }
    sheet
}

/// What sort of exception an entry tells of.
fn sort(entry: &Entry) -> &'static str {
    let event = &entry.event;
    let said = |name: &str| event.detail.get(name).map(String::as_str);
    let decided = event.decision.as_ref().map(|note| note.outcome.as_str());
    let is = |kind: EventKind| event.kind == kind;
    if is(EventKind::HoldDecided) && said("decision") == Some("release") {
        "vote to override"
    } else if is(EventKind::HoldBroken) {
        "emergency"
    } else if is(EventKind::ReviewClosed) {
        "review"
    } else if is(EventKind::DeliveryWithdrawn) {
        "stopped"
    } else if is(EventKind::DeliveryHeld)
        || is(EventKind::DocumentHeld)
        || (is(EventKind::SharingDecided) && decided == Some("hold"))
    {
        "hold"
    } else {
        "refusal"
    }
}

/// What is held as the report is made, oldest first.
fn held(waiting: &[(Delivery, Timestamp)], now: Timestamp) -> Sheet {
    let columns = [
        ("delivery", Kind::Text),
        ("record", Kind::Text),
        ("message type", Kind::Text),
        ("from", Kind::Text),
        ("to", Kind::Text),
        ("rule", Kind::Text),
        ("held since (London)", Kind::Time),
        ("days", Kind::Number),
    ];
    let mut sheet = Sheet::new("Held now", &columns);
    for (delivery, since) in waiting {
        sheet.rows.push(vec![
            delivery.id.to_string().into(),
            delivery.record.to_string().into(),
            delivery.kind.as_str().into(),
            delivery.sender.to_string().into(),
            delivery.recipient.to_string().into(),
            delivery.reason.clone().into(),
            time(*since),
            days(*since, now),
        ]);
    }
    sheet
}

/// Releases in an emergency with their reviews: those that nobody has reviewed come first.
fn reviewed(reviews: &[(StoredReview, Delivery)], now: Timestamp) -> Sheet {
    let columns = [
        ("review", Kind::Text),
        ("delivery", Kind::Text),
        ("message type", Kind::Text),
        ("from", Kind::Text),
        ("to", Kind::Text),
        ("released by", Kind::Text),
        ("person", Kind::Text),
        ("ground", Kind::Text),
        ("emergency", Kind::Text),
        ("rule that held it", Kind::Text),
        ("released (London)", Kind::Time),
        ("days until review", Kind::Number),
        ("reviewed", Kind::Text),
        ("finding", Kind::Text),
        ("reviewed by", Kind::Text),
        ("reviewer", Kind::Text),
    ];
    let mut sheet = Sheet::new("Reviews", &columns);
    for (stored, delivery) in reviews {
        let review = &stored.review;
        let (reviewed_by, reviewer) = stored.reviewer.clone().unzip();
        let (outcome, finding, until) = match &stored.closed {
            Some((outcome, finding, at)) => (outcome.clone(), finding.clone(), *at),
            None => ("not yet".to_owned(), String::new(), now),
        };
        sheet.rows.push(vec![
            review.id.to_string().into(),
            delivery.id.to_string().into(),
            delivery.kind.as_str().into(),
            delivery.sender.to_string().into(),
            delivery.recipient.to_string().into(),
            OrganisationCode::to_string(&review.organisation).into(),
            review.person.clone().into(),
            review.basis.clone().into(),
            review.reason.clone().into(),
            review.rule.clone().into(),
            time(review.at),
            days(review.at, until),
            outcome.into(),
            finding.into(),
            reviewed_by.into(),
            reviewer.into(),
        ]);
    }
    sheet
}

/// Whole days between two instants.
pub(super) fn days(since: Timestamp, until: Timestamp) -> Cell {
    Cell::Number(until.duration_since(since).max(SignedDuration::ZERO).as_hours() / 24)
}

/// The kinds of entry that tell of exceptions, whatever was decided.
const KINDS: [EventKind; 11] = [
    EventKind::HoldDecided,
    EventKind::HoldBroken,
    EventKind::ReviewClosed,
    EventKind::DeliveryHeld,
    EventKind::DeliveryWithdrawn,
    EventKind::RecordQuarantined,
    EventKind::MessageRefused,
    EventKind::AccessRefused,
    EventKind::ConnectionRefused,
    EventKind::DocumentHeld,
    EventKind::DocumentRefused,
];

/// The most holds and reviews listed: more than that is an incident of its own.
const LISTED_MAX: u32 = 10_000;
const LISTED: usize = 10_000;

const REVIEWERS: &str = "A review is closed by somebody else than who released: within one organisation the two pseudonyms differ. A pseudonym is another one in each organisation; that nobody reviews their own release through another organisation is held when the review is closed, by the user id.";
const NOW: &str = "What is held and what is reviewed is as it stood when this was made, whatever days were asked for.";

#[cfg(test)]
mod tests;
