//! Report 5: what was disclosed without consent, by legal basis and recipient, month by month.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::gathering::{Senders, gather_of, of_kinds};
use super::rows::{Marks, Names, count, month, when};
use super::{Ask, Kind, Made, ReportError, Sheet};
use crate::app::App;
use crate::audit::{DecisionNote, Entry, EventKind, SubjectKey};
use crate::queue::DeliveryId;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    let own = ask.organisation.as_ref();
    let gathered = gather_of(app, &of_kinds(ask, &LEAVES), own, asked).await?;
    let (without, with) = first_of_each(&gathered.entries);
    let names: Names<'_> = &|code| app.name_of_code(code);
    let mut sheets = vec![by_month(&without, names, ask.outside)];
    if !ask.outside {
        let senders = Senders::of(app, without.iter().copied()).await?;
        sheets.push(each(&without, &senders, names, Marks::of(asked)));
    }
    let mut made = Made::from(sheets);
    made.notes.extend(gathered.note("disclosures"));
    if ask.outside {
        return Ok(made.note(SUPPRESSED));
    }
    Ok(made.note(format!("{with} disclosures rested on consent and are not listed.")).note(COUNTED))
}

/// The first entry by which each delivery left, oldest first, where it did not rest on consent; and
/// how many did.
fn first_of_each(newest_first: &[Entry]) -> (Vec<&Entry>, u64) {
    let mut seen: HashSet<DeliveryId> = HashSet::new();
    let (mut without, mut with) = (Vec::new(), 0_u64);
    for entry in newest_first.iter().rev() {
        if !entry.event.delivery.is_some_and(|delivery| seen.insert(delivery)) {
            continue;
        }
        if basis(entry) == CONSENT {
            with = with.saturating_add(1);
        } else {
            without.push(entry);
        }
    }
    (without, with)
}

fn by_month(entries: &[&Entry], names: Names<'_>, outside: bool) -> Sheet {
    type Key = (String, String, String, String);
    let mut counts: BTreeMap<Key, (u64, BTreeSet<SubjectKey>)> = BTreeMap::new();
    for entry in entries {
        let key = (month(entry.at()), basis(entry), provision(entry), recipient(entry));
        let (messages, children) = counts.entry(key).or_default();
        *messages = messages.saturating_add(1);
        children.extend(entry.event.subject);
    }
    let columns = [
        ("month", Kind::Text),
        ("basis", Kind::Text),
        ("provision", Kind::Text),
        ("recipient", Kind::Text),
        ("recipient name", Kind::Text),
        ("messages", Kind::Number),
        ("children", Kind::Number),
    ];
    let mut sheet = Sheet::new("By month", &columns);
    for ((month, basis, provision, recipient), (messages, children)) in counts {
        let children = u64::try_from(children.len()).unwrap_or(u64::MAX);
        sheet.rows.push(vec![
            month.into(),
            basis.into(),
            provision.into(),
            recipient.clone().into(),
            names(&recipient).into(),
            count(messages, outside),
            count(children, outside),
        ]);
    }
    sheet
}

/// A row for each, newest first.
fn each(entries: &[&Entry], senders: &Senders, names: Names<'_>, marks: Marks) -> Sheet {
    let columns = [
        ("entry", Kind::Number),
        ("when (London)", Kind::Time),
        ("from", Kind::Text),
        ("recipient", Kind::Text),
        ("recipient name", Kind::Text),
        ("message type", Kind::Text),
        ("basis", Kind::Text),
        ("provision", Kind::Text),
        ("rule", Kind::Text),
        ("why", Kind::Text),
        ("child", Kind::Text),
        ("record", Kind::Text),
        ("delivery", Kind::Text),
    ];
    let mut sheet = Sheet::new("Each disclosure", &columns);
    for entry in entries.iter().rev() {
        let event = &entry.event;
        let note = event.decision.as_ref();
        let recipient = recipient(entry);
        sheet.rows.push(vec![
            entry.seq.into(),
            when(entry),
            senders.sender(entry).map(ToString::to_string).into(),
            recipient.clone().into(),
            names(&recipient).into(),
            event.message_type.map(|kind| kind.as_str().to_owned()).into(),
            basis(entry).into(),
            provision(entry).into(),
            note.map(|note| note.rule.clone()).into(),
            note.map(|note| note.reason.clone()).into(),
            event.subject.map(|subject| marks.child(subject)).into(),
            event.record.map(|record| record.to_string()).into(),
            event.delivery.map(|delivery| delivery.to_string()).into(),
        ]);
    }
    sheet
}

/// The authority that something left under.
fn basis(entry: &Entry) -> String {
    let note = entry.event.decision.as_ref().and_then(|note| note.authority.clone());
    note.unwrap_or_else(|| "none is recorded".to_owned())
}

fn provision(entry: &Entry) -> String {
    let reference = |note: &DecisionNote| note.reference.clone();
    entry.event.decision.as_ref().and_then(reference).unwrap_or_default()
}

fn recipient(entry: &Entry) -> String {
    entry.event.counterparty.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Whether an entry tells of bytes that left, or may have.
pub(crate) fn is_one(entry: &Entry) -> bool {
    LEAVES.contains(&entry.event.kind)
}

/// What the log has of bytes that left, or may have.
pub(super) const LEAVES: [EventKind; 2] =
    [EventKind::DeliveryCollected, EventKind::DeliveryAttempted];

/// The authority of agreement to share, as decisions name it.
pub(super) const CONSENT: &str = "consent";

const COUNTED: &str = "A message to one recipient counts once, when it first left within these days, however often it was fetched or tried again.";
const SUPPRESSED: &str = "Counts of one to four are shown as under 5, and no totals are given from which they could be worked out. Do not hand out two of these whose days overlap.";

#[cfg(test)]
mod tests;
