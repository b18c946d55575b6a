//! A record's journey, and what a person or partner says about a delivery afterwards.
//!
//! The journey is read from the audit log alone: what the log does not hold did not happen.
//! Looking is itself an entry, committed before the answer is given.

use schemas::record::RejectionReason;
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, DecisionNote, Entry, Event, EventKind};
use crate::authority::{self, Override, Ruling};
use crate::pipeline::{self, CollectError, delivery_event};
use crate::queue::{Delivery, DeliveryId, DeliveryState, LegState};
use crate::store::{Change, NewLeg, StoreError, Write};
use crate::telemetry::name_of;

/// What happened to one record.
#[derive(Debug, Serialize)]
pub struct Journey {
    /// The record.
    pub record: RecordId,
    /// What kind of message it is.
    pub message_type: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// Step by step, oldest first.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The entry in the log.
    pub entry: u64,
    /// When, in UTC.
    pub at: String,
    /// What happened.
    pub event: EventKind,
    /// Which organisation did it.
    pub by: String,
    /// The delivery or leg it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    /// The other organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty: Option<OrganisationCode>,
    /// What was decided about sharing, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionNote>,
    /// Codes, counts and positions.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub detail: std::collections::BTreeMap<String, String>,
}

/// The journey of a record for a viewer: its sender sees all; a recipient sees its own steps, once
/// something has gone to it; `None` as viewer sees all. `Ok(None)` when there is no such record
/// for this viewer.
pub async fn of_record(
    app: &App,
    record: RecordId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Journey>, StoreError> {
    let Some(stored) = app.store.find_record(record).await? else { return Ok(None) };
    let sender = stored.sealed.sender().clone();
    let recipient = viewer.filter(|viewer| **viewer != sender);
    if let Some(recipient) = recipient {
        let deliveries = app.store.deliveries_of(record).await?;
        // Whoever was refused or is waited for learns nothing, not even that there is a record.
        let out = |d: &Delivery| {
            let stopped = match d.state {
                DeliveryState::Held => true,
                // What was opened before its sender took it back is theirs to see.
                DeliveryState::Withdrawn => d.delivered_at.is_none(),
                DeliveryState::Queued
                | DeliveryState::Delivered
                | DeliveryState::Accepted
                | DeliveryState::Rejected
                | DeliveryState::Failed
                | DeliveryState::Unknown => false,
            };
            d.recipient == *recipient && !stopped
        };
        if !deliveries.iter().any(out) {
            return Ok(None);
        }
    }
    let mut event = Event::new(EventKind::JourneyViewed, actor.clone());
    event.record = Some(record);
    event.subject = stored.subject;
    app.store.commit(Change::because(event)).await?;
    let entries = app.store.journey(record).await?;
    let steps = entries.into_iter().filter(|entry| recipient.is_none_or(|who| is_own(entry, who)));
    Ok(Some(Journey {
        record,
        message_type: stored.sealed.kind(),
        sender: sender.clone(),
        steps: steps.map(step).collect(),
    }))
}

/// Whether an entry is a recipient's own to see: what it did, and what went to it.
pub(crate) fn is_own(entry: &Entry, who: &OrganisationCode) -> bool {
    let event = &entry.event;
    let to_them = event.counterparty.as_ref() == Some(who);
    let sent = matches!(
        event.kind,
        EventKind::DeliveryCollected
            | EventKind::DeliveryAttempted
            | EventKind::DeliveryDelivered
            | EventKind::DeliveryAcknowledged
            | EventKind::DeliveryRecalled
    );
    event.actor.organisation == who.as_str() || (to_them && sent)
}

fn step(entry: Entry) -> Step {
    let at = entry.at();
    Step {
        entry: entry.seq,
        at: at.to_string(),
        event: entry.event.kind,
        by: entry.event.actor.organisation,
        delivery: entry.event.delivery,
        counterparty: entry.event.counterparty,
        decision: entry.event.decision,
        detail: entry.event.detail,
    }
}

/// The change that a recipient's business acknowledgement makes; `None` when it says again what
/// was said before.
pub async fn acknowledge(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    (state, reason): (DeliveryState, Option<RejectionReason>),
) -> Result<Option<Change>, CollectError> {
    let delivery = app.store.find_delivery(id).await?.filter(|d| d.recipient == *recipient);
    let delivery = delivery.ok_or(CollectError::NotFound)?;
    if matches!(delivery.state, DeliveryState::Held | DeliveryState::Withdrawn) {
        return Err(CollectError::Stopped);
    }
    let code = reason.map(name_of);
    if delivery.state == state && delivery.reason == code {
        return Ok(None);
    }
    let stored = app.store.find_record(delivery.record).await?.ok_or(CollectError::NotFound)?;
    let outcome = if state == DeliveryState::Accepted { "accepted" } else { "rejected" };
    let mut event = delivery_event(EventKind::DeliveryAcknowledged, &delivery, &stored, actor)
        .with("outcome", outcome);
    if let Some(code) = &code {
        event = event.with("reason", code);
    }
    let now = app.clock.now();
    let mut change = Change::because(event).write(Write::Acknowledged(id, state, code, now));
    if delivery.kind == MessageType::AdviceRequest
        && let Some(leg) = app.store.find_leg(id.leg()).await?
        && matches!(leg.state, LegState::Waiting | LegState::Accepted | LegState::Rejected)
    {
        let accepted = state == DeliveryState::Accepted;
        change = change.write(Write::LegChanged {
            leg: leg.id,
            from: leg.state,
            state: match reason {
                _ if accepted => LegState::Accepted,
                Some(RejectionReason::SubjectObjects) => LegState::Objection,
                Some(_) | None => LegState::Rejected,
            },
            answered_on: None,
            expected_on: None,
        });
    }
    Ok(Some(change))
}

/// What a person decides about a held delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldDecision {
    /// A vote to release it; the second person's vote queues it.
    Release,
    /// It will not go.
    Refuse,
}

/// The change that a person's decision about a held delivery makes, and the state it leads to.
///
/// `reason` is a code of the closed list in [`HOLD_REASONS`]: free text would be personal data.
pub async fn decide_hold(
    app: &App,
    organisation: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    (decision, reason): (HoldDecision, &str),
) -> Result<(DeliveryState, Change), CollectError> {
    let delivery = app.store.find_delivery(id).await?.ok_or(CollectError::NotFound)?;
    let stored = app.store.find_record(delivery.record).await?.ok_or(CollectError::NotFound)?;
    if delivery.state != DeliveryState::Held {
        let rule = "only what is held is decided";
        return Err(CollectError::Store(StoreError::Conflict { rule }));
    }
    let person = actor.person.clone().ok_or(CollectError::NotFound)?;
    let now = app.clock.now();
    let event = delivery_event(EventKind::HoldDecided, &delivery, &stored, actor)
        .with("reason", reason)
        .with("decision", if decision == HoldDecision::Release { "release" } else { "refuse" });
    if decision == HoldDecision::Refuse {
        let stop = Write::Stop(id, DeliveryState::Withdrawn, "refused-by-person".to_owned());
        return Ok((DeliveryState::Withdrawn, Change::because(event).write(stop)));
    }
    let basis = authority::Basis::claimed_by(reason).ok_or(CollectError::NotFound)?;
    let vote = Override { person, organisation: organisation.clone(), basis, at: now };
    // The rules say whether this vote is enough, as they will be asked again when it goes.
    let question = pipeline::question(&delivery, &stored);
    let mut evidence = pipeline::evidence(app, &question, Some(id)).await?;
    evidence.overrides.push(vote.clone());
    let today = app.clock.today();
    let ruling = authority::release(&question, id, &evidence, app.rule_book(), now, today);
    let change = Change::because(event).write(Write::Override(id, vote));
    let votes = &evidence.overrides;
    let ruling = pipeline::after_recorded_death(app, &question, ruling, votes).await?;
    if !matches!(ruling, Ruling::Granted(..)) {
        return Ok((DeliveryState::Held, change));
    }
    let change = change.write(Write::Resume(id, now));
    Ok((DeliveryState::Queued, resumed_leg(app, &delivery, change).await?))
}

/// A resumed request's clock: it begins now when the service could never have had it before
/// (ADR 0012), and goes on with its first date when it was withheld later.
pub(crate) async fn resumed_leg(
    app: &App,
    delivery: &Delivery,
    change: Change,
) -> Result<Change, CollectError> {
    let Some(held) = app.store.find_leg(delivery.id.leg()).await? else { return Ok(change) };
    if held.state != LegState::Withheld {
        return Ok(change);
    }
    let leg = held.id;
    let entries = app.store.journey(delivery.record).await?;
    let held_at_first = entries.iter().any(|entry| {
        let decided = entry.event.decision.as_ref().is_some_and(|note| note.outcome == "hold");
        let here = entry.event.delivery == Some(delivery.id);
        here && decided && entry.event.kind == EventKind::SharingDecided
    });
    if !held_at_first {
        return Ok(change.write(Write::LegChanged {
            leg,
            from: LegState::Withheld,
            state: LegState::Waiting,
            answered_on: None,
            expected_on: None,
        }));
    }
    let received_on = app.clock.today();
    let due = app.rules.advice_due(received_on);
    let due = due.or(Err(CollectError::Ours("the statutory date")))?;
    Ok(change.write(Write::LegRestarted(NewLeg {
        id: leg,
        received_on,
        statutory_due: due.statutory,
        alternative_due: due.alternative,
        operational_due: due.operational,
        rule_version: due.rule_version,
        state: LegState::Waiting,
    })))
}

/// Why a held delivery may be released or refused by people (`domain.md` 5.3 and 5.4).
pub const HOLD_REASONS: [&str; 6] = [
    "safeguarding",
    "court-or-tribunal",
    "best-interests",
    "vital-interests",
    "statutory-duty-confirmed",
    "objection-upheld",
];
