//! Cases: the messages that belong together, as one party to them may see them.
//!
//! A case is an opaque id ([`CaseId`]): a keyed pseudonym of the authority and its reference, so
//! that the reference itself stands in no URL and no log. A viewer sees what it sent and what was
//! sent to it; a case of which it sees nothing is no case for it. Looking is an entry in the log.
//!
//! Limits: messages taken in before cases were kept belong to none; at most [`MESSAGES_MAX`] of a
//! case are listed.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{LegId, MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::pipeline;
use crate::queue::{CaseId, DeliveryId, DeliveryState, LegState};
use crate::store::{CaseMessage, Change, StoreError};

/// The messages of a case.
#[derive(Debug, Serialize)]
pub struct Case {
    /// The case.
    pub case: CaseId,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}

/// One message of a case. No content.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The record.
    pub record: RecordId,
    /// What kind of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Who sent it.
    pub from: OrganisationCode,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The leg it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<LegId>,
    /// The record it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<RecordId>,
    /// The record that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RecordId>,
    /// The record it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recalls: Option<RecordId>,
    /// Its deliveries: for its sender all, for a recipient its own.
    pub deliveries: Vec<Sent>,
}

/// One delivery of a message of a case.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// The delivery; for a request also the leg.
    pub delivery: DeliveryId,
    /// Who receives it.
    pub to: OrganisationCode,
    /// The service within the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceCode>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The rule or reason behind the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// Where the leg stands, for a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegState>,
    /// The leg's statutory date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<Date>,
}

/// A case as a viewer sees it; `None` as viewer sees all. `Ok(None)` when the viewer sees nothing
/// of it.
pub async fn of_viewer(
    app: &App,
    case: CaseId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Case>, StoreError> {
    let mut messages = Vec::new();
    for message in app.store.messages_of_case(case, MESSAGES_MAX).await? {
        messages.extend(seen(app, message, viewer).await?);
    }
    if messages.is_empty() {
        return Ok(None);
    }
    // What a viewer cannot see is not named to it either.
    let shown: Vec<RecordId> = messages.iter().map(|message| message.record).collect();
    for message in &mut messages {
        let known = |id: &RecordId| shown.contains(id);
        message.supersedes = message.supersedes.filter(known);
        message.superseded_by = message.superseded_by.filter(known);
        message.recalls = message.recalls.filter(known);
    }
    // Which case is not said: its id is the same every year, and the person's alias is not.
    let mut event =
        Event::new(EventKind::CaseViewed, actor.clone()).with("messages", messages.len());
    // A case is about one person, so the look is found when somebody asks who saw their record.
    if let Some(first) = shown.first() {
        event.subject = app.store.find_record(*first).await?.and_then(|stored| stored.subject);
    }
    app.store.commit(Change::because(event)).await?;
    Ok(Some(Case { case, messages }))
}

/// The case of an authority's reference, or of a record; `None` when the viewer sees nothing of it.
pub async fn find(
    app: &App,
    wanted: &Wanted,
    viewer: Option<&OrganisationCode>,
) -> Result<Option<CaseId>, StoreError> {
    let case = match wanted {
        Wanted::Reference(authority, reference) => {
            Some(pipeline::case_id(app, authority, reference))
        }
        Wanted::Record(record) => {
            let record = app.store.find_record(*record).await?;
            record.and_then(|record| record.relations.case)
        }
    };
    let Some(case) = case else { return Ok(None) };
    for message in app.store.messages_of_case(case, MESSAGES_MAX).await? {
        if seen(app, message, viewer).await?.is_some() {
            return Ok(Some(case));
        }
    }
    Ok(None)
}

/// How a case is looked for.
#[derive(Debug)]
pub enum Wanted {
    /// By an authority's own reference. To be parsed before it comes here.
    Reference(OrganisationCode, String),
    /// By one of its records.
    Record(RecordId),
}

async fn seen(
    app: &App,
    message: CaseMessage,
    viewer: Option<&OrganisationCode>,
) -> Result<Option<Message>, StoreError> {
    let recipient = viewer.filter(|viewer| **viewer != message.sender);
    let mut taken = app.store.taken(message.record).await?;
    if let Some(recipient) = recipient {
        taken.retain(|taken| {
            taken.recipient == *recipient && taken.state.is_known(taken.delivered_at)
        });
        if taken.is_empty() {
            return Ok(None);
        }
    }
    let mut deliveries = Vec::with_capacity(taken.len());
    for taken in taken {
        let leg = if message.kind == MessageType::AdviceRequest {
            app.store.find_leg(taken.delivery.leg()).await?
        } else {
            None
        };
        deliveries.push(Sent {
            delivery: taken.delivery,
            to: taken.recipient,
            service: taken.service,
            state: taken.state,
            reason: taken.reason,
            opened_at: taken.delivered_at,
            leg: leg.as_ref().map(|leg| leg.state),
            due_on: leg.map(|leg| leg.statutory_due),
        });
    }
    Ok(Some(Message {
        record: message.record,
        kind: message.kind,
        from: message.sender,
        accepted_at: message.accepted_at,
        answers: message.about,
        supersedes: message.relations.supersedes,
        superseded_by: message.superseded_by,
        recalls: message.relations.recalls.map(|(record, _)| record),
        deliveries,
    }))
}

/// The most messages of one case that are listed; a plan's whole life is a few hundred.
pub const MESSAGES_MAX: u32 = 1_000;
