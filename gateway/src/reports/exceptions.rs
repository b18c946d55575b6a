//! Report 3: what was overridden, released in an emergency, held or refused, and what waits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemas::OrganisationCode;

use super::gathering::{Gathered, gather, of_kinds};
use super::rows::{ENTRY, Marks, Names, entry_row, rule_of, tally, time};
use super::{Ask, Cell, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{Entry, EventKind, bundle};
use crate::queue::Delivery;
use crate::store::{HoldFilter, LogFilter, StoredReview};

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    let mut keep = |gathered: Gathered, what: &str| {
        notes.extend(gathered.note(what));
        entries.extend(gathered.entries);
    };
    keep(gather(app, &of_kinds(ask, &KINDS), asked).await?, "holds, refusals and votes");
    for outcome in ["hold", "refuse"] {
        let filter = of_kinds(ask, &[EventKind::SharingDecided]);
        let filter = LogFilter { outcome: Some(outcome.to_owned()), ..filter };
        keep(gather(app, &filter, asked).await?, "what was decided at the door");
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    if let Some(own) = &ask.organisation {
        entries.retain(|entry| bundle::names(entry, own));
    }
    let names: Names<'_> = &|code| app.name_of_code(code);
    let now = app.clock.now();
    let filter = HoldFilter { sender: ask.organisation.clone(), ..HoldFilter::default() };
    let waiting = app.store.held(&filter, None, LISTED_MAX).await?;
    let reviews = app.store.reviews(ask.organisation.as_ref(), LISTED_MAX).await?;
    if waiting.len() >= LISTED || reviews.len() >= LISTED {
        notes.push(format!("Of what waits and of reviews, the oldest {LISTED_MAX} are listed."));
    }
    let sheets = vec![
        happened(&entries, names, Marks::of(asked)),
        by_rule(&entries),
        held(&waiting, now),
        reviewed(&reviews, now),
    ];
    Ok(Made { sheets, limits: Vec::new(), notes }.note(NOW))
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
    ];
    let mut sheet = Sheet::new("Reviews", &columns);
    for (stored, delivery) in reviews {
        let review = &stored.review;
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

const NOW: &str = "What is held and what is reviewed is as it stood when this was made, whatever days were asked for.";

#[cfg(test)]
mod tests;
