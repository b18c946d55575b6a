//! What each withdrawal or refusal did: what it stopped, what had left already and to whom, who was
//! told of it, and what was recalled.
//!
//! What it stopped stands in the same commit as the decision, which ends at the next checkpoint. What
//! had left is not called back by a withdrawal; a recall is somebody's own step, and is shown beside
//! what it took back, as it stands now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemas::{OrganisationCode, RecordId};

use super::super::disclosures::LEAVES;
use super::super::gathering::{Senders, gather};
use super::super::rows::{Marks, Names, detail, time, when};
use super::super::{Ask, Cell, Kind, ReportError, Sheet};
use super::PEOPLE_MAX;
use crate::app::App;
use crate::audit::{Entry, EventKind, SubjectKey};
use crate::notices;
use crate::queue::DeliveryId;
use crate::store::{LogFilter, Taken};

/// One thing that a decision did, or that had happened before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Effect {
    what: &'static str,
    at: Option<Timestamp>,
    sender: Option<String>,
    recipient: String,
    message: Option<String>,
    basis: Option<String>,
    record: Option<RecordId>,
    delivery: Option<DeliveryId>,
}

/// When a delivery was recalled, and when its recipient acknowledged that.
type Recalls = BTreeMap<DeliveryId, (Timestamp, Option<Timestamp>)>;

/// The table of what each of these decisions did, newest first, and what was left out.
pub(super) async fn made(
    app: &App,
    ask: &Ask,
    asked: u64,
    stops: &[&Entry],
    (names, marks): (Names<'_>, Marks),
) -> Result<(Sheet, Option<String>), ReportError> {
    let mut sheet = Sheet::new("Effect of withdrawals", &COLUMNS);
    let mut people: BTreeMap<SubjectKey, Known> = BTreeMap::new();
    let mut left_out = 0_usize;
    for stop in stops {
        let Some(subject) = stop.event.subject else { continue };
        if !people.contains_key(&subject) {
            if people.len() >= PEOPLE_MAX {
                left_out = left_out.saturating_add(1);
                continue;
            }
            people.insert(subject, about(app, subject, asked).await?);
        }
        let Some(Known { entries, senders, recalls }) = people.get(&subject) else { continue };
        let next = app.store.checkpoints(stop.seq.saturating_add(1), 1).await?;
        let end = next.first().map_or(asked, |next| next.size);
        let mut effects = of_entries(entries, (stop.seq, end), senders);
        if effects.is_empty() {
            effects.push(Effect::bare(NOTHING, stop));
        }
        effects.extend(told(app, stop).await?);
        let recorder = stop.event.actor.organisation.as_str();
        let own = |own: &OrganisationCode, one: &Effect| {
            let sides = [Some(recorder), Some(one.recipient.as_str()), one.sender.as_deref()];
            sides.contains(&Some(own.as_str()))
        };
        effects.retain(|one| ask.organisation.as_ref().is_none_or(|code| own(code, one)));
        let child = marks.child(subject);
        sheet.rows.extend(effects.iter().map(|one| row(stop, one, &child, (names, recalls))));
    }
    let note = (left_out > 0).then(|| {
        format!("What {left_out} withdrawals did was not worked out: ask for a shorter time.")
    });
    Ok((sheet, note))
}

/// What the log says of a person that a withdrawal may have to do with.
struct Known {
    /// Newest first.
    entries: Vec<Entry>,
    senders: Senders,
    recalls: Recalls,
}

async fn about(app: &App, subject: SubjectKey, asked: u64) -> Result<Known, ReportError> {
    let mut kinds = LEAVES.to_vec();
    kinds.extend([EventKind::DeliveryHeld, EventKind::DeliveryWithdrawn]);
    kinds.push(EventKind::RecordTakenBack);
    let filter = LogFilter { kinds, subject: Some(subject), ..LogFilter::default() };
    let entries = gather(app, &filter, asked).await?.entries;
    let recalled: BTreeSet<RecordId> = entries
        .iter()
        .filter(|entry| detail(entry, &["how"]).as_deref() == Some("recalled"))
        .filter_map(|entry| entry.event.record)
        .collect();
    let mut recalls = Recalls::new();
    for record in recalled {
        let Some(how) = notices::containment(app, record).await? else { continue };
        let Some(first) = how.recalls.first().map(|recall| recall.at) else { continue };
        let one = |one: &notices::Contained| (one.delivery, (first, one.acknowledged_at));
        recalls.extend(how.deliveries.iter().map(one));
    }
    let senders = Senders::of(app, &entries).await?;
    Ok(Known { entries, senders, recalls })
}

/// What a decision at a place of the log stopped, in the commit that ends at another; then what had
/// left before it, each delivery once. Entries are of one person, newest first.
fn of_entries(entries: &[Entry], (stop, end): (u64, u64), senders: &Senders) -> Vec<Effect> {
    let stopped = entries.iter().filter(|entry| entry.seq > stop && entry.seq < end);
    let mut effects: Vec<Effect> = stopped
        .filter_map(|entry| {
            let event = &entry.event;
            let decided = event.decision.is_some();
            let held = event.kind == EventKind::DeliveryHeld;
            let what = if held { STOPPED_HELD } else { STOPPED_WITHDRAWN };
            let stops = [EventKind::DeliveryHeld, EventKind::DeliveryWithdrawn];
            (decided && stops.contains(&event.kind))
                .then(|| Effect::of(what, entry, entry.at(), senders))
        })
        .collect();
    let mut left: BTreeMap<DeliveryId, Effect> = BTreeMap::new();
    // From the oldest on: when it first left, and under which authority it did last.
    let leaves = |entry: &&Entry| entry.seq < stop && LEAVES.contains(&entry.event.kind);
    for entry in entries.iter().rev().filter(leaves) {
        let Some(delivery) = entry.event.delivery else { continue };
        let first = left.get(&delivery).and_then(|one| one.at).unwrap_or(entry.at());
        left.insert(delivery, Effect::of(LEFT, entry, first, senders));
    }
    let mut left: Vec<Effect> = left.into_values().collect();
    left.sort_by_key(|one| (std::cmp::Reverse(one.at), one.delivery));
    effects.extend(left);
    effects
}

/// To whom the message that brought the decision went.
async fn told(app: &App, stop: &Entry) -> Result<Vec<Effect>, ReportError> {
    let Some(record) = stop.event.record else { return Ok(Vec::new()) };
    let told = |taken: Taken| {
        let what = if taken.may_have_left() { TOLD } else { NOT_TOLD };
        Effect {
            at: taken.delivered_at,
            recipient: taken.recipient.to_string(),
            delivery: Some(taken.delivery),
            ..Effect::bare(what, stop)
        }
    };
    Ok(app.store.taken(record).await?.into_iter().map(told).collect())
}

impl Effect {
    /// What is said of the decision itself.
    fn bare(what: &'static str, stop: &Entry) -> Self {
        Self {
            what,
            at: None,
            sender: Some(stop.event.actor.organisation.clone()),
            recipient: String::new(),
            message: stop.event.message_type.map(|kind| kind.as_str().to_owned()),
            basis: None,
            record: stop.event.record,
            delivery: None,
        }
    }

    fn of(what: &'static str, entry: &Entry, at: Timestamp, senders: &Senders) -> Self {
        let event = &entry.event;
        Self {
            what,
            at: Some(at),
            sender: senders.sender(entry).map(ToString::to_string),
            recipient: event.counterparty.as_ref().map(ToString::to_string).unwrap_or_default(),
            message: event.message_type.map(|kind| kind.as_str().to_owned()),
            basis: event.decision.as_ref().and_then(|note| note.authority.clone()),
            record: event.record,
            delivery: event.delivery,
        }
    }
}

fn row(
    stop: &Entry,
    one: &Effect,
    child: &str,
    (names, recalls): (Names<'_>, &Recalls),
) -> Vec<Cell> {
    let name = if one.recipient.is_empty() { String::new() } else { names(&one.recipient) };
    let recall = one.delivery.and_then(|delivery| recalls.get(&delivery));
    vec![
        stop.seq.into(),
        when(stop),
        detail(stop, &["status"]).into(),
        child.into(),
        one.what.into(),
        one.at.map_or(Cell::Nothing, time),
        one.sender.clone().into(),
        one.recipient.clone().into(),
        name.into(),
        one.message.clone().into(),
        one.basis.clone().into(),
        one.record.map(|record| record.to_string()).into(),
        one.delivery.map(|delivery| delivery.to_string()).into(),
        recall.map_or(Cell::Nothing, |(at, _)| time(*at)),
        recall.and_then(|(_, at)| *at).map_or(Cell::Nothing, time),
    ]
}

const COLUMNS: [(&str, Kind); 15] = [
    ("entry of the decision", Kind::Number),
    ("recorded (London)", Kind::Time),
    ("decision", Kind::Text),
    ("child", Kind::Text),
    ("effect", Kind::Text),
    ("when (London)", Kind::Time),
    ("from", Kind::Text),
    ("to", Kind::Text),
    ("to (name)", Kind::Text),
    ("message type", Kind::Text),
    ("basis", Kind::Text),
    ("record", Kind::Text),
    ("delivery", Kind::Text),
    ("recalled (London)", Kind::Time),
    ("recall acknowledged (London)", Kind::Time),
];

const STOPPED_HELD: &str = "stopped: held for people";
const STOPPED_WITHDRAWN: &str = "stopped: withdrawn";
const LEFT: &str = "had left already";
const NOTHING: &str = "nothing was on its way, and nothing had left";
const TOLD: &str = "told of the decision";
const NOT_TOLD: &str = "to be told of the decision; it has not gone";

/// What the table means.
pub(super) const WHAT: &str = "Effect of withdrawals: what a withdrawal or refusal stopped when it was recorded, what had left before it, on which basis and to whom, to whom the decision itself went, and whether what had left was recalled since. A withdrawal calls nothing back by itself; what rested on a duty went on (consent.md).";

#[cfg(test)]
mod tests;
