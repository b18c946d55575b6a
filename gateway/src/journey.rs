//! A record's journey, and what a person or partner says about a delivery afterwards.
//!
//! The journey is read from the audit log alone: what the log does not hold did not happen.
//! Looking is itself an entry, committed before the answer is given.

use schemas::record::RejectionReason;
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, DecisionNote, Entry, Event, EventKind};
use crate::authority::Override;
use crate::pipeline::{CollectError, delivery_event};
use crate::queue::{DeliveryId, DeliveryState, LegState};
use crate::store::{Change, NewLeg, StoreError, Write};

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

/// The journey of a record for a viewer: its sender, or a recipient (who sees its own steps);
/// `None` as viewer sees all. `Ok(None)` when there is no such record for this viewer.
pub async fn of_record(
    app: &App,
    record: RecordId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Journey>, StoreError> {
    let Some(stored) = app.store.find_record(record).await? else { return Ok(None) };
    let sender = stored.sealed.sender().clone();
    let recipients = stored.sealed.recipients();
    let concerned = viewer.is_none_or(|who| *who == sender || recipients.contains(who));
    if !concerned {
        return Ok(None);
    }
    let mut event = Event::new(EventKind::JourneyViewed, actor.clone());
    event.record = Some(record);
    event.subject = stored.subject;
    app.store.commit(Change::because(event)).await?;
    let entries = app.store.journey(record).await?;
    let own = |entry: &Entry| match viewer {
        Some(who) if *who != sender => {
            entry.event.counterparty.as_ref() == Some(who)
                || entry.event.actor.organisation == who.as_str()
        }
        _ => true,
    };
    Ok(Some(Journey {
        record,
        message_type: stored.sealed.kind(),
        sender: sender.clone(),
        steps: entries.into_iter().filter(own).map(step).collect(),
    }))
}

fn step(entry: Entry) -> Step {
    let at = jiff::Timestamp::from_microsecond(entry.at_us).unwrap_or_default();
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

/// Records a recipient's business acknowledgement. Saying the same again changes nothing.
pub async fn acknowledge(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    state: DeliveryState,
    reason: Option<RejectionReason>,
) -> Result<(), CollectError> {
    let delivery = app.store.find_delivery(id).await?.filter(|d| d.recipient == *recipient);
    let delivery = delivery.ok_or(CollectError::NotFound)?;
    if matches!(delivery.state, DeliveryState::Held | DeliveryState::Withdrawn) {
        return Err(CollectError::Stopped);
    }
    let code = reason.and_then(|reason| serde_json::to_value(reason).ok());
    let code = code.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
    if delivery.state == state && delivery.reason == code {
        return Ok(());
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
            state: if accepted { LegState::Accepted } else { LegState::Rejected },
            answered_on: None,
            expected_on: None,
        });
    }
    app.store.commit(change).await?;
    Ok(())
}

/// What a person decides about a held delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldDecision {
    /// A vote to release it; the second person's vote queues it.
    Release,
    /// It will not go.
    Refuse,
}

/// Records a person's decision about a held delivery. Answers its new state.
///
/// `reason` is a code of the closed list in [`HOLD_REASONS`]: free text would be personal data.
pub async fn decide_hold(
    app: &App,
    organisation: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    decision: HoldDecision,
    reason: &str,
) -> Result<DeliveryState, CollectError> {
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
        let rule = "refused-by-person".to_owned();
        let stop = Write::Stop(id, DeliveryState::Withdrawn, rule);
        app.store.commit(Change::because(event).write(stop)).await?;
        return Ok(DeliveryState::Withdrawn);
    }
    let votes = app.store.overrides_for(id).await?;
    let second = votes.iter().any(|vote| vote.person != person);
    let vote = Override { person, organisation: organisation.clone(), at: now };
    let mut change = Change::because(event).write(Write::Override(id, vote));
    if second {
        change = change.write(Write::Resume(id, now));
        if delivery.kind == MessageType::AdviceRequest {
            // The service could not have it before, so its six weeks begin now (ADR 0012).
            let received_on = app.clock.today();
            let due = app.rules.advice_due(received_on).or(Err(CollectError::NotFound))?;
            change = change.write(Write::LegRestarted(NewLeg {
                id: id.leg(),
                received_on,
                statutory_due: due.statutory,
                operational_due: due.operational,
                rule_version: due.rule_version,
                state: LegState::Waiting,
            }));
        }
    }
    app.store.commit(change).await?;
    Ok(if second { DeliveryState::Queued } else { DeliveryState::Held })
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
