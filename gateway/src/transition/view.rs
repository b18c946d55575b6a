//! A case as one viewer may see it.
//!
//! The authority and the commissioning body, which answer for the whole, see where every item
//! stands. A health service sees what it owes and what it has itself sent or been sent. Which
//! record shows an item, who rejected it and why, the named worker and the receiving service are
//! shown only to those who have that record.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemas::transition::{Checklist, Duty, Item};
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;
use uuid::Uuid;

use super::checklist::{Case, Line, Over, State, date_of_birth, text_of};
use super::evidence::{Evidence, Handed};
use super::{Known, duties_of};
use crate::app::App;
use crate::audit::{Entry, EventKind};
use crate::queue::DeliveryState;
use crate::vault::BlobKind;

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseView {
    /// Its id.
    pub transition: Uuid,
    /// The case reference of the newest message the viewer has, the authority's own before others'.
    pub case: String,
    /// The authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<OrganisationCode>,
    /// Age in whole years.
    pub age: i16,
    /// Year group by age.
    pub year_group: i16,
    /// The warning the 18th birthday has reached: months before it, 0 from the day itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_months: Option<i32>,
    /// A checkpoint that was reached in the last seven days, for example `birthday-16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Items missing now.
    pub gaps: usize,
    /// Of these, past their day.
    pub overdue: usize,
    /// What is due next, or has been overdue for longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextView>,
    /// The named worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_worker: Option<String>,
    /// The adult service that receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiving_service: Option<String>,
    /// The planned transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_on: Option<Date>,
    /// Why the case is over, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// The version of the checklist.
    pub rule_version: String,
    /// The checklist; empty in a list of cases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<LineView>,
    /// What happened, oldest first; empty in a list of cases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryView>,
    #[serde(skip)]
    adult_on: Date,
}

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextView {
    /// The item.
    pub item: String,
    /// By when.
    pub due: Date,
    /// Where it stands.
    pub state: State,
    /// Who owes it.
    pub owed_by: Duty,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineView {
    /// Its name.
    pub item: String,
    /// What is owed, in words.
    pub words: String,
    /// Who owes it.
    pub owed_by: Duty,
    /// The parties to this case that are that.
    pub organisations: Vec<OrganisationCode>,
    /// From when it is owed.
    pub from: Date,
    /// By when.
    pub due: Date,
    /// Where it stands.
    pub state: State,
    /// Whether it is missing now.
    pub gap: bool,
    /// Whether it is open and its day has passed.
    pub overdue: bool,
    /// The day it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_on: Option<Date>,
    /// Which message shows it, for those who have that message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceView>,
    /// Where it stands in law or guidance.
    pub provision: String,
    /// Whether the date was checked against the source.
    pub verified: bool,
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The message that shows an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceView {
    /// The record.
    pub record: RecordId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The day it is about.
    pub on: Date,
    /// To whom it went.
    pub receivers: Vec<HandedView>,
}

/// How a message stands with one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandedView {
    /// The receiver.
    pub organisation: OrganisationCode,
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// The reason of a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the receiver last said whether it accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_on: Option<Date>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryView {
    /// The entry in the log.
    pub entry: u64,
    /// When, in UTC.
    pub at: String,
    /// What: an event of the log.
    pub event: EventKind,
    /// The record.
    pub record: RecordId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Which organisation did it.
    pub by: String,
    /// `accepted` or `rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The reason of a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl CaseView {
    /// The order of a list: what is over last; what is overdue first, then what has gaps; each by
    /// how near the 18th birthday is, then by what is due first.
    pub(super) fn urgency(&self, today: Date) -> (bool, bool, bool, i32, Date, Uuid) {
        let days = (self.adult_on - today).get_days();
        let next = self.next.as_ref().map_or(Date::MAX, |next| next.due);
        let (none_overdue, no_gaps) = (self.overdue == 0, self.gaps == 0);
        (self.over.is_some(), none_overdue, no_gaps, days, next, self.transition)
    }

    pub(super) fn without_lines(self) -> Self {
        Self { items: Vec::new(), ..self }
    }
}

/// A case as a viewer may see it; `None` when nothing of it is the viewer's to see.
pub(super) fn of(
    app: &App,
    viewer: Option<&OrganisationCode>,
    (rules, case): (&Checklist, &Case<'_>),
    known: &Known,
    today: Date,
) -> Option<CaseView> {
    let evidence = &known.evidence;
    let viewer_is = viewer.map(|viewer| duties_of(app, viewer)).unwrap_or_default();
    let has = |index: usize| {
        evidence.get(index).is_some_and(|one| viewer.is_none_or(|viewer| one.is_with(viewer)))
    };
    let all = viewer.is_none()
        || viewer_is.contains(&Duty::Authority)
        || viewer_is.contains(&Duty::CommissioningBody);
    let shown: Vec<&Line<'_>> = case
        .lines
        .iter()
        .filter(|line| all || viewer_is.contains(&line.item.owes) || line.by.is_some_and(has))
        .collect();
    if shown.is_empty() && case.over.is_none() {
        return None;
    }
    let next = shown.iter().filter(|line| line.is_open()).min_by_key(|line| line.due);
    let born = date_of_birth(evidence)?;
    let text = |index: Option<usize>, text| {
        text_of(evidence, index.filter(|index| has(*index)), text).map(str::to_owned)
    };
    Some(CaseView {
        transition: known.id,
        case: label(app, known, &has),
        authority: party(evidence, Duty::Authority).into_iter().next(),
        age: case.age,
        year_group: case.year_group,
        within_months: case.within_months(rules, today),
        checkpoint: case.checkpoint(rules, born, today).map(|(name, _)| name),
        gaps: shown.iter().filter(|line| line.is_gap(today)).count(),
        overdue: shown.iter().filter(|line| line.overdue).count(),
        next: next.map(|line| NextView {
            item: line.item.id.clone(),
            due: line.due,
            state: line.state,
            owed_by: line.item.owes,
        }),
        named_worker: text(case.named_worker, |e| e.said.named_worker.as_ref()),
        receiving_service: text(case.receiving_service, |e| e.said.receiving_service.as_ref()),
        transfer_on: case.transfer_on,
        over: case.over,
        rule_version: rules.id.clone(),
        items: shown.into_iter().map(|line| line_view(line, evidence, &has, today)).collect(),
        history: Vec::new(),
        adult_on: case.adult_on,
    })
}

/// The case reference of the newest message the viewer has, the authority's own before others'.
fn label(app: &App, known: &Known, has: &dyn Fn(usize) -> bool) -> String {
    let labels = known.evidence.iter().zip(&known.labels).enumerate().rev();
    let labels = labels.filter(|(index, _)| has(*index)).map(|(_, one)| one);
    let (own, others): (Vec<_>, Vec<_>) =
        labels.partition(|(evidence, _)| evidence.sender_is.contains(&Duty::Authority));
    let open = |(evidence, label): (&Evidence, &crate::vault::SealedBlob)| {
        let (place, owner) = (evidence.record.0, &evidence.sender);
        let bytes = app.vault.expose_blob_for_owner(BlobKind::Label, place, owner, label).ok()?;
        String::from_utf8(bytes.expose().to_vec()).ok().filter(|label| !label.is_empty())
    };
    own.into_iter().chain(others).find_map(open).unwrap_or_default()
}

fn line_view(
    line: &Line<'_>,
    evidence: &[Evidence],
    has: &dyn Fn(usize) -> bool,
    today: Date,
) -> LineView {
    let item: &Item = line.item;
    let shown = line.by.filter(|index| has(*index)).and_then(|index| evidence.get(index));
    LineView {
        item: item.id.clone(),
        words: item.words.clone(),
        owed_by: item.owes,
        organisations: party(evidence, item.owes).into_iter().collect(),
        from: line.from,
        due: line.due,
        state: line.state,
        gap: line.is_gap(today),
        overdue: line.overdue,
        done_on: line.done_on,
        evidence: shown.map(evidence_view),
        provision: item.provision.clone(),
        verified: item.verified,
        note: item.note.clone(),
    }
}

fn evidence_view(evidence: &Evidence) -> EvidenceView {
    let receiver = |handed: &Handed| HandedView {
        organisation: handed.to.clone(),
        state: handed.state,
        reason: handed.reason.clone(),
        answered_on: handed.answered_on,
    };
    EvidenceView {
        record: evidence.record,
        kind: evidence.kind,
        sender: evidence.sender.clone(),
        on: evidence.on(),
        receivers: evidence.handed.iter().filter(|to| to.is_out()).map(receiver).collect(),
    }
}

/// The parties to a case that are this: senders, and those something went to.
fn party(evidence: &[Evidence], duty: Duty) -> BTreeSet<OrganisationCode> {
    let mut parties = BTreeSet::new();
    for one in evidence {
        if one.sender_is.contains(&duty) {
            parties.insert(one.sender.clone());
        }
        let out = one.handed.iter().filter(|to| to.is_out() && to.to_is.contains(&duty));
        parties.extend(out.map(|to| to.to.clone()));
    }
    parties
}

/// What happened to one record that matters to the checklist: that it came, and what its receivers
/// said, each time they said it.
pub(super) fn history(evidence: &Evidence, entries: &[Entry]) -> Vec<HistoryView> {
    let told = |entry: &&Entry| {
        matches!(entry.event.kind, EventKind::RecordAccepted | EventKind::DeliveryAcknowledged)
    };
    let line = |entry: &Entry| HistoryView {
        entry: entry.seq,
        at: entry.at().to_string(),
        event: entry.event.kind,
        record: evidence.record,
        kind: evidence.kind,
        by: entry.event.actor.organisation.clone(),
        outcome: entry.event.detail.get("outcome").cloned(),
        reason: entry.event.detail.get("reason").cloned(),
    };
    entries.iter().filter(told).map(line).collect()
}
