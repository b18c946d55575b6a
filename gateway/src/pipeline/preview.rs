//! What a decision about sharing would do, asked before it is confirmed.
//!
//! The decision is read and checked like any message and weighed against the ledger with it; nothing
//! of it is recorded. That somebody asked is in the log. The answer carries a tag: a confirmation
//! that names it is refused when the ledger, what is on its way or what has gone is no longer what
//! was shown.

use std::collections::BTreeSet;

use schemas::record::ConsentStatus;
use schemas::{Issue, MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use super::admission::{Batch, Facts, Mode};
use super::disclosures::{self, Disclosed};
use super::{RawMessage, ReceiveError, Sender, evidence};
use crate::app::App;
use crate::audit::{Event, EventKind, SubjectKey};
use crate::authority::{self, ConsentEntry, Evidence, Ruling};
use crate::queue::{Delivery, DeliveryId, DeliveryState, SubmissionId};
use crate::receipt::Disclosure;
use crate::store::Change;

/// What a decision about sharing would do now.
#[derive(Debug, Clone, Serialize)]
pub struct Effect {
    /// What would be recorded.
    pub status: ConsentStatus,
    /// The version it would have in the person's ledger; for those who have dealt with the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The tag to confirm it with.
    pub etag: String,
    /// What is on its way, and what would become of it; the caller's own records.
    pub open: Vec<OpenItem>,
    /// What has gone, and is not called back; the caller's own records.
    pub disclosed: Vec<Disclosure>,
    /// Who would be told of it: those who received something that rested on agreement.
    pub told: BTreeSet<OrganisationCode>,
    /// What else there is of records of other organisations, on its way or gone: counted only.
    pub of_others: usize,
}

/// Something on its way.
#[derive(Debug, Clone, Serialize)]
pub struct OpenItem {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The record.
    pub record: RecordId,
    /// What kind of message.
    pub message_type: MessageType,
    /// Who would receive it.
    pub recipient: OrganisationCode,
    /// The service within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceCode>,
    /// How it stands now.
    pub now: DeliveryState,
    /// What would become of it: `goes-on`, `held` or `withdrawn`.
    pub then: &'static str,
    /// The authority it would go on under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The rule that would decide.
    pub rule: String,
    /// Why, in plain words.
    pub reason: String,
}

/// Says what recording one decision about sharing would do. The issues when it would be refused.
pub async fn preview(
    app: &App,
    sender: &Sender,
    raw: RawMessage,
) -> Result<Result<Effect, Vec<Issue>>, ReceiveError> {
    let mut reading = super::read(app, sender, &raw)?;
    let (Some(item), true) = (reading.items.pop(), reading.items.is_empty()) else {
        return Ok(Err(vec![not_one("is not one message", "ask about one decision at a time")]));
    };
    let checked = match item.draft.check(app.clock.today()) {
        Ok(checked) => checked,
        Err(issues) => return Ok(Err(issues)),
    };
    let submission = SubmissionId(app.make_id()?);
    let batch = Batch::new(app, sender, submission, Mode::Commit);
    if let Some(issue) = batch.may_send(&checked.record, &schemas::Place::Whole) {
        return Ok(Err(vec![issue]));
    }
    let facts = batch.facts(&checked.record)?;
    let entry = batch.consent_entry(facts.id, checked.record.message().consent.as_ref());
    let (Some(subject), Some(entry)) = (facts.subject, entry) else {
        let next = "send what you would send to record the decision";
        return Ok(Err(vec![not_one("says nothing of agreement to share", next)]));
    };
    let version = disclosures::version_of(app, subject).await?;
    let etag = disclosures::effect_tag(app, subject, version).await?;
    let own = &sender.organisation;
    let (open, of_others) = open_items(app, own, subject, &entry).await?;
    let disclosed = disclosures::of_person(app, subject).await?;
    // Who never dealt with the person learns nothing of who did.
    let concerned = app.store.has_dealt_with(own, subject).await?;
    let told = told(&batch, facts, (&entry, concerned), &disclosed).await?;
    let (mine, others): (Vec<_>, Vec<_>) =
        disclosed.into_iter().partition(|one| one.sender == *own);
    let effect = Effect {
        status: entry.status,
        version: concerned.then(|| version.saturating_add(1)),
        etag,
        open,
        disclosed: mine.into_iter().map(|one| mark(one, &told)).collect(),
        told,
        of_others: if concerned { of_others.saturating_add(others.len()) } else { 0 },
    };
    let mut event = Event::new(EventKind::ConsentPreviewed, sender.actor.clone())
        .with("status", crate::telemetry::name_of(effect.status))
        .with("open", effect.open.len())
        .with("disclosed", effect.disclosed.len());
    event.subject = Some(subject);
    app.store.commit(Change::because(event)).await?;
    Ok(Ok(effect))
}

/// What is on its way of the caller's records, each decided with the decision in the ledger; and
/// how much there is of others'.
async fn open_items(
    app: &App,
    own: &OrganisationCode,
    subject: SubjectKey,
    entry: &ConsentEntry,
) -> Result<(Vec<OpenItem>, usize), ReceiveError> {
    let (mut open, mut of_others) = (Vec::new(), 0);
    for delivery in app.store.queued_for_subject(subject).await? {
        if delivery.sender != *own {
            of_others += 1;
            continue;
        }
        let Some(stored) = app.store.find_record(delivery.record).await? else { continue };
        let question = super::question(&delivery, &stored);
        let mut evidence: Evidence = evidence(app, &question, Some(delivery.id)).await?;
        let version = evidence.consents.iter().map(|entry| entry.version).max().unwrap_or(0);
        let version = version.saturating_add(1);
        evidence.consents.push(ConsentEntry { version, ..entry.clone() });
        let (now, today, book) = (app.clock.now(), app.clock.today(), app.rule_book());
        let ruling = authority::release(&question, delivery.id, &evidence, book, now, today);
        open.push(item(delivery, ruling));
    }
    Ok((open, of_others))
}

fn item(delivery: Delivery, ruling: Ruling<authority::Release>) -> OpenItem {
    let held = delivery.state == DeliveryState::Held;
    let (then, note) = match ruling {
        // What is held stays held until people have decided.
        Ruling::Granted(_, note) => (if held { "held" } else { "goes-on" }, note),
        Ruling::Hold(note) => ("held", note),
        Ruling::Refused(note) => (if held { "held" } else { "withdrawn" }, note),
    };
    OpenItem {
        delivery: delivery.id,
        record: delivery.record,
        message_type: delivery.kind,
        recipient: delivery.recipient,
        service: delivery.service,
        now: delivery.state,
        then,
        authority: note.authority,
        rule: note.rule,
        reason: note.reason,
    }
}

/// Who would be told: of those who relied on agreement, those to whom a withdrawal may go.
async fn told(
    batch: &Batch<'_>,
    facts: Facts,
    (entry, concerned): (&ConsentEntry, bool),
    disclosed: &[Disclosed],
) -> Result<BTreeSet<OrganisationCode>, ReceiveError> {
    let own = &batch.sender.organisation;
    if entry.status != ConsentStatus::Withdrawn || !concerned {
        return Ok(BTreeSet::new());
    }
    let relied = disclosed.iter().filter(|one| one.rests_on_consent());
    let relied: BTreeSet<_> =
        relied.map(|one| &one.what.recipient).filter(|to| *to != own).collect();
    let destinations = batch.destinations_to(relied.into_iter().cloned())?;
    let facts = Facts { kind: MessageType::ConsentWithdraw, ..facts };
    let weighed = batch.weigh(&facts, destinations, Some(entry), &schemas::Place::Whole).await?;
    let weighed = weighed.map(|(_, weighed)| weighed).unwrap_or_default();
    let goes = weighed.into_iter().filter(|(_, note)| note.outcome.starts_with("release"));
    Ok(goes.map(|(to, _)| to.recipient).collect())
}

fn mark(one: Disclosed, told: &BTreeSet<OrganisationCode>) -> Disclosure {
    let is_told = one.rests_on_consent() && told.contains(&one.what.recipient);
    Disclosure { told: is_told, ..one.what }
}

fn not_one(message: &str, next: &str) -> Issue {
    Issue::error("preview-one-decision", None, schemas::Place::Whole, message, next)
}
