//! Out: the release decision, the opening, the rendering, and the commit before the bytes leave.
//!
//! Both ways out take a shared guard on the person first and keep it until the bytes have gone:
//! a withdrawal takes the exclusive one, so it waits for what has begun, and nothing begins after
//! it was acknowledged.

use std::time::Duration;

use adapters::{Format, Outbound};
use schemas::{MessageType, OrganisationCode};

use super::evidence;
use super::relations::guarded;
use crate::app::App;
use crate::audit::{Actor, DecisionNote, Event, EventKind, SubjectKey};
use crate::authority::{self, Question, Release, Ruling};
use crate::delivery::{Parcel, SendError};
use crate::queue::{CarrierKind, Delivery, DeliveryId, DeliveryState, Lease};
use crate::store::{
    CLOCKS_AGREE, Change, Hold, NewSend, REMOVED_MEANWHILE, Settlement, StoreError, StoredRecord,
    SubjectGuard, Write,
};
use crate::vault::{Opened, VaultError};

/// A record opened for its recipient. The guard must live until the bytes have gone.
#[derive(Debug)]
pub struct Collected {
    /// What to send.
    pub parcel: Parcel,
    /// Held while the bytes leave.
    pub guard: Option<SubjectGuard>,
}

/// Why a delivery cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// There is no such delivery for this recipient.
    #[error("there is no such delivery for this recipient")]
    NotFound,
    /// It was stopped: held for a person, or withdrawn.
    #[error("the delivery is no longer available")]
    Stopped,
    /// Its time was over, and it was removed with its key.
    #[error("the record was removed when its retention ended")]
    Removed,
    /// The format asked for has no form for this type of message.
    #[error("the message has no form in the format asked for")]
    Format(#[source] adapters::WriteError),
    /// The document asked for does not exist.
    #[error("the message has no such document")]
    NoDocument,
    /// What is kept of a document could not be read.
    #[error("the document could not be read")]
    Document(#[from] crate::documents::SegmentError),
    /// The shipped rules do not cover the date.
    #[error("the gateway could not work out {0}")]
    Ours(&'static str),
    /// The store refused or failed.
    #[error("the delivery could not be read or recorded")]
    Store(#[source] StoreError),
    /// The record could not be opened.
    #[error("the record could not be opened")]
    Vault(#[from] VaultError),
}

impl From<StoreError> for CollectError {
    /// A record that was removed between its opening and the commit is as one removed before.
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Conflict { rule } if rule == REMOVED_MEANWHILE) {
            return Self::Removed;
        }
        Self::Store(error)
    }
}

/// A record that was decided on now and opened; nothing of it has left, and nothing is in the log.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) delivery: Delivery,
    pub(super) stored: StoredRecord,
    pub(super) opened: Opened,
    pub(super) note: DecisionNote,
    /// The version of the person's ledger that authority was asked about.
    pub(super) ledger: u32,
    pub(super) guard: Option<SubjectGuard>,
}

impl Opening {
    /// The fence before these bytes: what to commit with the event that says that they leave.
    pub(super) fn fence(&self, app: &App) -> Result<Fence, CollectError> {
        let at_most = app.config.consent.leaving();
        Fence::new(app, self.stored.subject, self.ledger, at_most)
    }
}

/// A row that says that somebody sends, before it is written ([`crate::store::NewSend`]).
pub(super) struct Fence {
    pub(super) send: NewSend,
    until: tokio::time::Instant,
}

impl Fence {
    pub(super) fn new(
        app: &App,
        subject: Option<SubjectKey>,
        ledger: u32,
        at_most: Duration,
    ) -> Result<Self, CollectError> {
        // Both are taken now, before the row is written: the row outlasts the right to send.
        let until = tokio::time::Instant::now() + at_most;
        let lapses = app.clock.now().checked_add(at_most.saturating_add(CLOCKS_AGREE));
        let lapses = lapses.or(Err(CollectError::Ours("the time")))?;
        let id = app.make_id().map_err(StoreError::from)?;
        Ok(Self { send: NewSend { id, subject, ledger, until: lapses }, until })
    }

    /// The row is written: the guard takes it away when the bytes have gone.
    pub(super) fn entered(self, app: &App, guard: &mut Option<SubjectGuard>) {
        if let Some(guard) = guard {
            guard.entered(&app.store, self.send.id, self.until);
        }
    }
}

/// Opens a delivery for the recipient that fetches it.
///
/// The release and its reason are durable in the log before this returns.
pub async fn collect(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    format: Option<Format>,
) -> Result<Collected, CollectError> {
    let mut collected = collect_once(app, recipient, actor, id, format).await;
    for _ in 1..ASKED_AGAIN {
        if !matches!(collected, Err(CollectError::Store(StoreError::Fenced))) {
            break;
        }
        collected = collect_once(app, recipient, actor, id, format).await;
    }
    collected
}

async fn collect_once(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    format: Option<Format>,
) -> Result<Collected, CollectError> {
    let collects = app.store.find_delivery(id).await?.map(|delivery| delivery.carrier);
    if collects != Some(CarrierKind::Collect) {
        return Err(CollectError::NotFound);
    }
    let opening = open(app, recipient, actor, id).await?;
    let fence = opening.fence(app)?;
    let Opening { delivery, stored, opened, note, mut guard, .. } = opening;
    let parcel = render(app, &delivery, &stored, opened, format).await?;
    let mut event = delivery_event(EventKind::DeliveryCollected, &delivery, &stored, actor);
    event.decision = Some(note);
    event.hashes.insert("parcel".to_owned(), crate::entropy::sha256_hex(parcel.expose_body()));
    let event = event.with("media_type", parcel.media_type());
    let collected = Write::Collected(delivery.id, app.clock.now());
    let change = Change::because(event).write(Write::Sending(fence.send)).write(collected);
    app.store.commit(change).await?;
    fence.entered(app, &mut guard);
    Ok(Collected { parcel, guard })
}

/// How often authority is asked again when the person's ledger moves meanwhile.
const ASKED_AGAIN: usize = 3;
/// How long a push waits for a withdrawal that is being recorded.
const HELD_BACK_FOR: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// Asks authority about a delivery now, under the person's guard, and opens its record.
pub(super) async fn open(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
) -> Result<Opening, CollectError> {
    let delivery = app.store.find_delivery(id).await?.filter(|d| d.recipient == *recipient);
    let delivery = delivery.ok_or(CollectError::NotFound)?;
    let stored = app.store.find_record(delivery.record).await?.ok_or(CollectError::NotFound)?;
    let guard = Some(app.store.subject_guard(guarded(&stored), Hold::Shared).await?);
    // Read again under the guard: it may have been stopped while this waited.
    let delivery = app.store.find_delivery(id).await?.ok_or(CollectError::NotFound)?;
    if matches!(delivery.state, DeliveryState::Held | DeliveryState::Withdrawn) {
        return Err(CollectError::Stopped);
    }
    if stored.sealed.is_removed() {
        return Err(CollectError::Removed);
    }
    if app.store.unconfirmed_restore().await?.is_some() {
        return Err(StoreError::HeldAfterRestore.into());
    }
    let (ruling, ledger) = decide(app, &delivery, &stored).await?;
    let (release, note) = match ruling {
        Ruling::Granted(release, note) => (release, note),
        Ruling::Hold(note) => {
            stop(app, &delivery, &stored, note, DeliveryState::Held, actor).await?;
            return Err(CollectError::Stopped);
        }
        Ruling::Refused(note) => {
            stop(app, &delivery, &stored, note, DeliveryState::Withdrawn, actor).await?;
            return Err(CollectError::Stopped);
        }
    };
    let opened = app.vault.open(&stored.sealed, release, app.clock.now())?;
    Ok(Opening { delivery, stored, opened, note, ledger, guard })
}

/// Attempts one leased push and settles it, whatever happens.
pub async fn dispatch(app: &App, lease: Lease) -> Result<(), CollectError> {
    let delivery = &lease.delivery;
    let stored = app.store.find_record(delivery.record).await?.ok_or(CollectError::NotFound)?;
    for _ in 0..ASKED_AGAIN {
        let mut guard = Some(app.store.subject_guard(guarded(&stored), Hold::Shared).await?);
        let current = app.store.find_delivery(delivery.id).await?.ok_or(CollectError::NotFound)?;
        if current.state != DeliveryState::Queued {
            return Ok(());
        }
        if !delivery.carrier.tells_copies_apart() && may_have_arrived(app, delivery).await? {
            let reason = "an earlier attempt ended without an outcome".to_owned();
            let actor = Actor::gateway();
            let event = delivery_event(EventKind::DeliveryUnknown, delivery, &stored, &actor)
                .with("outcome", &reason);
            let stopped = Settlement::Stopped(DeliveryState::Unknown, reason);
            return settle(app, &lease, event, stopped).await;
        }
        match attempt(app, &lease, &stored, &mut guard).await {
            // The person's ledger has moved since authority was asked: ask again.
            Err(CollectError::Store(StoreError::Fenced)) => {}
            ended => return ended,
        }
    }
    // A withdrawal waits. The lease is given back, and whoever takes it on asks again.
    let actor = Actor::gateway();
    let event = delivery_event(EventKind::DeliveryDeferred, delivery, &stored, &actor)
        .with("outcome", "a decision about agreement to share is being recorded");
    let next =
        app.clock.now().checked_add(HELD_BACK_FOR).or(Err(CollectError::Ours("the time")))?;
    settle(app, &lease, event, Settlement::Deferred(next)).await
}

/// One attempt under the person's guard: decided, opened, in the log, fenced, sent and settled.
async fn attempt(
    app: &App,
    lease: &Lease,
    stored: &StoredRecord,
    guard: &mut Option<SubjectGuard>,
) -> Result<(), CollectError> {
    let (delivery, actor) = (&lease.delivery, Actor::gateway());
    let (ruling, ledger) = decide(app, delivery, stored).await?;
    let (release, note) = match ruling {
        Ruling::Granted(release, note) => (release, note),
        Ruling::Hold(note) => {
            return stop(app, delivery, stored, note, DeliveryState::Held, &actor).await;
        }
        Ruling::Refused(note) => {
            return stop(app, delivery, stored, note, DeliveryState::Withdrawn, &actor).await;
        }
    };
    let opened = app.vault.open(&stored.sealed, release, app.clock.now());
    let parcel = match opened {
        Ok(opened) => render(app, delivery, stored, opened, None).await,
        Err(error) => Err(error.into()),
    };
    let parcel = match parcel {
        Ok(parcel) => parcel,
        // Trying again would fail the same way: for a person, and out of the others' way.
        Err(
            error @ (CollectError::Vault(_) | CollectError::Format(_) | CollectError::NoDocument),
        ) => {
            let chain = crate::telemetry::chain(&error);
            tracing::error!(delivery = %delivery.id, error = %chain, "a delivery cannot be made");
            let event = delivery_event(EventKind::DeliveryFailed, delivery, stored, &actor)
                .with("outcome", "it cannot be opened or written");
            let reason = "cannot-be-made".to_owned();
            let stopped = Settlement::Stopped(DeliveryState::Failed, reason);
            return settle(app, lease, event, stopped).await;
        }
        Err(error) => return Err(error),
    };
    let mut event = delivery_event(EventKind::DeliveryAttempted, delivery, stored, &actor);
    event.decision = Some(note);
    event.hashes.insert("parcel".to_owned(), crate::entropy::sha256_hex(parcel.expose_body()));
    let event = event.with("attempt", delivery.attempts + 1);
    // Another worker may have the delivery when the lease ends: nothing leaves after that.
    let at_most = Duration::from_secs(app.config.delivery.lease_seconds.get().into());
    let fence = Fence::new(app, stored.subject, ledger, at_most)?;
    let (delivery_id, token) = (delivery.id, lease.token);
    let attempting =
        Write::Settle { delivery: delivery_id, token, settlement: Settlement::Attempting };
    // The fence first: a ledger that has moved is told from a lease that is lost.
    let begins = Change::because(event).write(Write::Sending(fence.send)).write(attempting);
    app.store.commit(begins).await?;
    let (id, until) = (fence.send.id, fence.until);
    fence.entered(app, guard);
    let sent = tokio::time::timeout_at(until, app.push(parcel)).await;
    let late = || SendError::Unknown("it took longer than it may".to_owned());
    let (kind, settlement, detail) =
        settlement(app, delivery, sent.unwrap_or_else(|_| Err(late())));
    let event = delivery_event(kind, delivery, stored, &actor).with("outcome", detail);
    let ends = settled(lease, event.clone(), settlement).write(Write::Sent(id));
    match app.store.commit(ends).await {
        Ok(_) => {
            if let Some(guard) = guard {
                guard.left();
            }
            Ok(())
        }
        // The recipient acknowledged it before its answer to the push arrived here: the delivery
        // has moved on, and what happened is still said.
        Err(StoreError::LeaseLost) => {
            app.store.commit(Change::because(event)).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an earlier attempt began and nobody wrote down how it ended: the log says so. A worker
/// that died between the two may have sent it.
async fn may_have_arrived(app: &App, delivery: &Delivery) -> Result<bool, CollectError> {
    if delivery.attempts == 0 {
        return Ok(false);
    }
    let entries = app.store.journey(delivery.record).await?;
    let kinds = entries.iter().rev().filter(|entry| entry.event.delivery == Some(delivery.id));
    let last = kinds.map(|entry| entry.event.kind).find(|kind| {
        matches!(
            kind,
            EventKind::DeliveryAttempted
                | EventKind::DeliveryDeferred
                | EventKind::DeliveryDelivered
                | EventKind::DeliveryFailed
                | EventKind::DeliveryUnknown
        )
    });
    Ok(last == Some(EventKind::DeliveryAttempted))
}

/// What the result of an attempt means (design, section 10).
fn settlement(
    app: &App,
    delivery: &Delivery,
    sent: Result<(), SendError>,
) -> (EventKind, Settlement, String) {
    let now = app.clock.now();
    let attempt = delivery.attempts + 1;
    match sent {
        Ok(()) => (EventKind::DeliveryDelivered, Settlement::Delivered(now), "taken".to_owned()),
        Err(ref error @ (SendError::Transient(ref reason) | SendError::Unknown(ref reason)))
            if attempt < app.config.delivery.attempts_max.get()
                && (delivery.carrier.tells_copies_apart()
                    || matches!(error, SendError::Transient(_))) =>
        {
            let reason = reason.clone();
            // Unknown means it may have arrived. A recipient that tells a second copy by the
            // delivery id is asked again by sending again (ADR 0006); of the others a person is.
            let jitter = app.random_u16().unwrap_or(0);
            let wait = crate::queue::backoff(attempt, jitter);
            let next = now.checked_add(wait).unwrap_or(now);
            (EventKind::DeliveryDeferred, Settlement::Deferred(next), reason)
        }
        Err(SendError::Unknown(reason)) => (
            EventKind::DeliveryUnknown,
            Settlement::Stopped(DeliveryState::Unknown, reason.clone()),
            reason,
        ),
        Err(SendError::Transient(reason) | SendError::Permanent(reason)) => (
            EventKind::DeliveryFailed,
            Settlement::Stopped(DeliveryState::Failed, reason.clone()),
            reason,
        ),
    }
}

async fn settle(
    app: &App,
    lease: &Lease,
    event: Event,
    settlement: Settlement,
) -> Result<(), CollectError> {
    app.store.commit(settled(lease, event, settlement)).await?;
    Ok(())
}

fn settled(lease: &Lease, event: Event, settlement: Settlement) -> Change {
    let delivery = lease.delivery.id;
    Change::because(event).write(Write::Settle { delivery, token: lease.token, settlement })
}

async fn decide(
    app: &App,
    delivery: &Delivery,
    stored: &StoredRecord,
) -> Result<(Ruling<Release>, u32), CollectError> {
    let question = question(delivery, stored);
    let evidence = evidence(app, &question, Some(delivery.id)).await?;
    let ledger = u32::try_from(evidence.consents.len()).unwrap_or(u32::MAX);
    let (now, today) = (app.clock.now(), app.clock.today());
    let ruling = authority::release(&question, delivery.id, &evidence, app.rule_book(), now, today);
    let votes = &evidence.overrides;
    Ok((super::after_recorded_death(app, &question, ruling, votes).await?, ledger))
}

async fn stop(
    app: &App,
    delivery: &Delivery,
    stored: &StoredRecord,
    note: DecisionNote,
    state: DeliveryState,
    actor: &Actor,
) -> Result<(), CollectError> {
    let change = stopped(delivery, stored.subject, note, state, actor);
    match app.store.commit(change).await {
        // Whoever recorded the decision has stopped it meanwhile: it does not go either way.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The question that a delivery asks.
pub(crate) fn question(delivery: &Delivery, stored: &StoredRecord) -> Question {
    Question {
        record: delivery.record,
        kind: delivery.kind,
        sender: delivery.sender.clone(),
        recipient: delivery.recipient.clone(),
        service: delivery.service.clone(),
        subject: stored.subject,
        decisions_pass_on: stored.decisions_pass_on,
    }
}

/// The change that stops a delivery, with the rule and reason.
pub(super) fn stopped(
    delivery: &Delivery,
    subject: Option<SubjectKey>,
    note: DecisionNote,
    state: DeliveryState,
    actor: &Actor,
) -> Change {
    let kind = if state == DeliveryState::Held {
        EventKind::DeliveryHeld
    } else {
        EventKind::DeliveryWithdrawn
    };
    let rule = note.rule.clone();
    let waits = matches!(delivery.state, DeliveryState::Queued | DeliveryState::Held);
    let mut event = Event::new(kind, actor.clone());
    event.subject = subject;
    event.record = Some(delivery.record);
    event.delivery = Some(delivery.id);
    event.message_type = Some(delivery.kind);
    event.counterparty = Some(delivery.recipient.clone());
    event.decision = Some(note);
    let change = Change::because(event);
    if !waits {
        // It went before; now it may not be fetched again. The log says so, its state stays.
        return change;
    }
    let change = change.write(Write::Stop(delivery.id, state, rule));
    if delivery.kind != MessageType::AdviceRequest {
        return change;
    }
    change.write(Write::LegWithheld(delivery.id.leg()))
}

pub(crate) fn delivery_event(
    kind: EventKind,
    delivery: &Delivery,
    stored: &StoredRecord,
    actor: &Actor,
) -> Event {
    let mut event = Event::new(kind, actor.clone());
    event.subject = stored.subject;
    event.record = Some(delivery.record);
    event.delivery = Some(delivery.id);
    event.message_type = Some(delivery.kind);
    event.counterparty = Some(delivery.recipient.clone());
    event
}

/// Writes what was opened in the recipient's format. The address comes out of the opening.
async fn render(
    app: &App,
    delivery: &Delivery,
    stored: &StoredRecord,
    opened: Opened,
    format: Option<Format>,
) -> Result<Parcel, CollectError> {
    let format = format.unwrap_or_else(|| app.format_of(&delivery.recipient));
    let leg = if delivery.kind == MessageType::AdviceRequest {
        Some(delivery.id.leg())
    } else {
        super::recall::leg_taken_back(app, stored, &delivery.recipient).await?
    };
    let due_on = match app.store.find_leg(delivery.id.leg()).await? {
        Some(leg) => Some(leg.statutory_due),
        None => None,
    };
    let outbound = Outbound {
        delivery: delivery.id.0,
        leg,
        service: delivery.service.clone(),
        sender_name: app.name_of(&delivery.sender),
        recipient: delivery.recipient.clone(),
        recipient_name: app.name_of(&delivery.recipient),
        received_at: delivery.available_at,
        due_on,
        sent_at: app.clock.now(),
    };
    let parcel = Parcel::message(&opened, format, &outbound).map_err(CollectError::Format)?;
    // A folder has a place for documents beside the message; everybody else asks for them.
    if app.carrier_of(&delivery.recipient) != Some(CarrierKind::DropFolder) {
        return Ok(parcel);
    }
    let mut apart = Vec::new();
    for document in opened.record().stored() {
        let known = app.store.find_document(document.id).await?.ok_or(CollectError::NoDocument)?;
        apart.push(app.vault.document_for_release(&opened, document, &known.header)?);
    }
    Ok(parcel.enclosing_documents(&opened, apart))
}
