//! Notices: signed proof that a message was superseded or recalled.
//!
//! Owns the claims, and the story of a recall until the last recipient has acknowledged it. A
//! notice is computed from what is stored and signed the same each time, so it is kept nowhere. It
//! must never know content: records and deliveries are told by our own ids, reasons by code.
//!
//! Use: [`notice_of`] for a party to a record, [`containment`] for whoever recalled it.
//!
//! Not supported: a notice that only a third party's software can act on, because what a recipient
//! deletes is in the recipient's own systems.

use jiff::{SignedDuration, Timestamp};
use schemas::{OrganisationCode, RecordId, ServiceCode};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::audit::EventKind;
use crate::pipeline::{RECALLED, SUPERSEDED};
use crate::queue::{DeliveryId, DeliveryState};
use crate::receipt::Signed;
use crate::store::{StoreError, StoredRecord, Taken};

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The gateway, by the origin of its log.
    pub iss: String,
    /// Whom it is for.
    pub aud: OrganisationCode,
    /// When what it says was done, in seconds since 1970 UTC.
    pub iat: i64,
    /// The record that was taken back.
    pub record: RecordId,
    /// `superseded` or `recalled`.
    pub how: String,
    /// The record that did it: the newer message, or the recall.
    pub by: RecordId,
    /// Who sent both.
    pub sender: OrganisationCode,
    /// Why, by code, for a recall.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When it was done.
    pub at: Timestamp,
    /// The place in the log of the entry that says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<u64>,
    /// The deliveries concerned of whom it is for; for the sender, all.
    pub deliveries: Vec<DeliveryId>,
}

/// How a recall stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Containment {
    /// The record that was recalled.
    pub record: RecordId,
    /// The recalls, oldest first.
    pub recalls: Vec<Recall>,
    /// What became of each delivery of the record.
    pub deliveries: Vec<Contained>,
    /// When the last recipient that had opened it acknowledged the recall; at once when nobody
    /// had. Absent while somebody is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contained_at: Option<Timestamp>,
    /// Seconds from the first recall until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_to_contain: Option<i64>,
}

/// One recall of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recall {
    /// The recall itself.
    pub by: RecordId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Why, by code.
    pub reason: String,
}

/// What became of one delivery of a recalled record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contained {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Who receives it.
    pub recipient: OrganisationCode,
    /// The service within the recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceCode>,
    /// Where it stands.
    pub state: DeliveryState,
    /// The rule behind the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the recipient has it, or may have it.
    pub opened: bool,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// The delivery that tells its recipient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_by: Option<DeliveryId>,
    /// When the recipient acknowledged that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
}

/// The signed notice of a record, for a party to it: of its recall; failing that, of what it
/// superseded or recalled itself; failing that, of its being superseded. `None` when there is
/// nothing to tell this party.
pub async fn notice_of(
    app: &App,
    record: RecordId,
    party: &OrganisationCode,
) -> Result<Option<String>, StoreError> {
    let Some(stored) = app.store.find_record(record).await? else { return Ok(None) };
    let acts = stored.relations.recalls.is_some() || stored.relations.supersedes.is_some();
    let recall = app.store.recalls_of(record).await?.pop();
    let by = match recall {
        Some(recall) => Some(recall),
        None if acts => Some(record),
        None => app.store.superseded_by(record).await?,
    };
    let Some(by) = by else { return Ok(None) };
    let by = if by == record { Some(stored) } else { app.store.find_record(by).await? };
    let Some(by) = by else { return Ok(None) };
    let Some(notice) = claims(app, &by, party).await? else { return Ok(None) };
    Ok(app.receipts.sign_as(Signed::Notice, &notice).ok())
}

/// What the notice of a superseding or recalling record says to a party.
async fn claims(
    app: &App,
    by: &StoredRecord,
    party: &OrganisationCode,
) -> Result<Option<Notice>, StoreError> {
    let id = by.sealed.record();
    let (record, how, reason) = match (&by.relations.recalls, by.relations.supersedes) {
        (Some((record, reason)), _) => (*record, RECALLED, Some(reason.clone())),
        (None, Some(record)) => (record, SUPERSEDED, None),
        (None, None) => return Ok(None),
    };
    let sends = by.sealed.sender() == party;
    let within = |taken: &Taken| {
        let theirs = sends || (taken.recipient == *party && taken.may_have_left());
        theirs && (how == SUPERSEDED || taken.reason.as_deref() == Some(RECALLED))
    };
    let all = app.store.taken(record).await?.into_iter();
    let mut concerned: Vec<DeliveryId> =
        all.filter(|taken| within(taken)).map(|taken| taken.delivery).collect();
    concerned.sort_unstable();
    if !sends && concerned.is_empty() {
        return Ok(None);
    }
    let entries = app.store.journey(id).await?;
    let entry = entries.iter().find(|entry| entry.event.kind == EventKind::RecordAccepted);
    Ok(Some(Notice {
        iss: app.origin().to_owned(),
        aud: party.clone(),
        iat: by.accepted_at.as_second(),
        record,
        how: how.to_owned(),
        by: id,
        sender: by.sealed.sender().clone(),
        reason,
        at: by.accepted_at,
        entry: entry.map(|entry| entry.seq),
        deliveries: concerned,
    }))
}

/// How the recall of a record stands; `None` when it was never recalled.
pub async fn containment(app: &App, record: RecordId) -> Result<Option<Containment>, StoreError> {
    let mut recalls = Vec::new();
    let mut told: Vec<Taken> = Vec::new();
    for by in app.store.recalls_of(record).await? {
        let Some(stored) = app.store.find_record(by).await? else { continue };
        let reason = stored.relations.recalls.map(|(_, reason)| reason).unwrap_or_default();
        recalls.push(Recall { by, at: stored.accepted_at, reason });
        told.extend(app.store.taken(by).await?);
    }
    let Some(first) = recalls.first().map(|recall| recall.at) else { return Ok(None) };
    let deliveries: Vec<Contained> =
        app.store.taken(record).await?.into_iter().map(|taken| contained(taken, &told)).collect();
    let awaited = |one: &&Contained| {
        one.opened && (one.told_by.is_some() || one.reason.as_deref() == Some(RECALLED))
    };
    let mut last = Some(first);
    for one in deliveries.iter().filter(awaited) {
        last = last.zip(one.acknowledged_at).map(|(last, at)| last.max(at));
    }
    let seconds =
        last.map(|last| last.duration_since(first)).map(|took: SignedDuration| took.as_secs());
    Ok(Some(Containment {
        record,
        recalls,
        deliveries,
        contained_at: last,
        seconds_to_contain: seconds,
    }))
}

fn contained(taken: Taken, told: &[Taken]) -> Contained {
    let opened = taken.may_have_left();
    let notice = told.iter().rfind(|one| one.recipient == taken.recipient);
    let acknowledged =
        notice.filter(|one| matches!(one.state, DeliveryState::Accepted | DeliveryState::Rejected));
    Contained {
        delivery: taken.delivery,
        recipient: taken.recipient,
        service: taken.service,
        state: taken.state,
        reason: taken.reason,
        opened,
        opened_at: taken.delivered_at,
        told_by: notice.map(|one| one.delivery).filter(|_| opened),
        acknowledged_at: acknowledged.and_then(|one| one.acknowledged_at).filter(|_| opened),
    }
}
