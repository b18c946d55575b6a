//! Out, one document at a time: those inside a message whole, those kept apart in ranges.
//!
//! A large document leaves for longer than a person's guard may be held. So it leaves in stretches:
//! for each, the guard is taken, authority is asked again and the record opened again; then the
//! guard is let go. A withdrawal waits for one stretch at most, and the next never begins. A
//! recipient that stops reading loses its turn, and goes on later with a range of its own.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::OrganisationCode;
use schemas::record::StoredDocument;
use tokio::sync::mpsc;

use super::sending::{CollectError, Collected, Opening, delivery_event, open};
use crate::app::App;
use crate::audit::{Actor, EventKind};
use crate::delivery::Parcel;
use crate::documents::{self, SegmentError};
use crate::entropy::{Sha256, sha256_hex};
use crate::queue::DeliveryId;
use crate::store::{Change, Write};
use crate::vault::segments::{Segments, segments_for};

/// A document of a delivery, decided on for its recipient.
#[derive(Debug)]
pub enum CollectedDocument {
    /// It came inside its message: here it is.
    Inside(Box<Collected>),
    /// It is kept apart: nothing of it has left, and nothing is in the log, until [`Apart::leave`].
    Apart(Box<Apart>),
}

/// A document that is kept apart, decided on for its recipient.
#[derive(Debug)]
pub struct Apart {
    opening: Opening,
    document: StoredDocument,
    segments: Segments,
    number: usize,
    asked: Asked,
}

/// Who asked for which delivery, for asking authority again on the way.
#[derive(Debug, Clone)]
struct Asked {
    recipient: OrganisationCode,
    actor: Actor,
    delivery: DeliveryId,
}

/// Bytes on their way out, in order. The channel ends early when they had to stop.
#[derive(Debug)]
pub struct Leaving {
    /// How many bytes there will be.
    pub length: u64,
    /// The bytes, or that they ended before their end.
    pub pieces: mpsc::Receiver<Result<Bytes, Stopped>>,
}

/// The bytes ended before their end: authority no longer holds, or they could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the document stopped before its end")]
pub struct Stopped;

/// Opens one document of a delivery for the recipient that fetches it, counted from 0.
pub async fn collect_document(
    app: &App,
    recipient: &OrganisationCode,
    actor: &Actor,
    id: DeliveryId,
    index: usize,
) -> Result<CollectedDocument, CollectError> {
    let opening = open(app, recipient, actor, id).await?;
    let inside = opening.opened.record().attachments().len();
    let Some(apart) = index.checked_sub(inside) else {
        let inside = inside_of(app, opening, actor, index).await?;
        return Ok(CollectedDocument::Inside(Box::new(inside)));
    };
    let document = opening.opened.record().stored().get(apart).cloned();
    let document = document.ok_or(CollectError::NoDocument)?;
    let known = app.store.find_document(document.id).await?.ok_or(CollectError::NoDocument)?;
    let segments = app.vault.document_for_release(&opening.opened, &document, &known.header)?;
    let asked = Asked { recipient: recipient.clone(), actor: actor.clone(), delivery: id };
    let number = index.saturating_add(1);
    Ok(CollectedDocument::Apart(Box::new(Apart { opening, document, segments, number, asked })))
}

async fn inside_of(
    app: &App,
    opening: Opening,
    actor: &Actor,
    index: usize,
) -> Result<Collected, CollectError> {
    let fence = opening.fence(app)?;
    let Opening { delivery, stored, opened, note, mut guard, .. } = opening;
    let parcel = Parcel::document(&opened, index).ok_or(CollectError::NoDocument)?;
    let mut event = delivery_event(EventKind::DeliveryCollected, &delivery, &stored, actor);
    event.decision = Some(note);
    event.hashes.insert("parcel".to_owned(), sha256_hex(parcel.expose_body()));
    let event = event.with("media_type", parcel.media_type());
    let collected = Write::Collected(delivery.id, app.clock.now());
    let change = Change::because(event).write(Write::Sending(fence.send)).write(collected);
    app.store.commit(change).await?;
    fence.entered(app, &mut guard);
    Ok(Collected { parcel, guard })
}

impl Apart {
    /// What is known of the document.
    pub fn document(&self) -> &StoredDocument {
        &self.document
    }

    /// The delivery it is of.
    pub fn delivery(&self) -> DeliveryId {
        self.asked.delivery
    }

    /// Its number within the message, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Sends a range of it. That it goes is durable in the log before this returns.
    pub async fn leave(self, app: &Arc<App>, range: Range<u64>) -> Result<Leaving, CollectError> {
        let Self { opening, document, segments, number, asked } = self;
        let fence = opening.fence(app)?;
        let Opening { delivery, stored, note, mut guard, .. } = opening;
        let kind = EventKind::DeliveryCollected;
        let mut event = delivery_event(kind, &delivery, &stored, &asked.actor);
        event.decision = Some(note);
        event.hashes.insert("document".to_owned(), document.sha256_hex());
        let event = event
            .with("media_type", &document.media_type)
            .with("document", document.id)
            .with("number", number)
            .with("range", format!("{}-{}", range.start, range.end));
        let collected = Write::Collected(delivery.id, app.clock.now());
        let change = Change::because(event).write(Write::Sending(fence.send)).write(collected);
        app.store.commit(change).await?;
        fence.entered(app, &mut guard);
        // One piece waits while the next is opened: what is held does not grow with the document.
        let (to, pieces) = mpsc::channel(1);
        let length = range.end.saturating_sub(range.start);
        let whole = (length == document.size).then(Sha256::default);
        let sending = Sending { app: Arc::clone(app), asked, document, segments, to, whole };
        tokio::spawn(sending.run(range, guard));
        Ok(Leaving { length, pieces })
    }
}

/// A document on its way to its recipient.
struct Sending {
    app: Arc<App>,
    asked: Asked,
    document: StoredDocument,
    segments: Segments,
    to: mpsc::Sender<Result<Bytes, Stopped>>,
    /// The digest so far, when all of it goes.
    whole: Option<Sha256>,
}

/// Why sending ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the recipient does not read any more")]
    NotRead,
    #[error("it may not go on")]
    Refused(#[from] CollectError),
    #[error("it cannot be read")]
    Unreadable(#[from] SegmentError),
    #[error("it took longer than it may")]
    Late,
    #[error("its bytes are not those that were accepted")]
    Changed,
}

impl Sending {
    async fn run(mut self, range: Range<u64>, guard: Option<crate::store::SubjectGuard>) {
        let id = self.document.id;
        if let Err(ended) = self.send(range, guard).await {
            let error = crate::telemetry::chain(&ended);
            tracing::warn!(document = %id, error, "a document stopped before its end: {error}");
            // The connection is cut, so that half a document never looks like a whole one.
            drop(tokio::time::timeout(STALL, self.to.send(Err(Stopped))).await);
        }
    }

    async fn send(
        &mut self,
        range: Range<u64>,
        guard: Option<crate::store::SubjectGuard>,
    ) -> Result<(), Ended> {
        let mut guard = guard;
        let (places, mut skip) = segments_for(&range);
        let mut left = range.end.saturating_sub(range.start);
        let mut began = Instant::now();
        let mut in_stretch = 0;
        let stretch = STRETCH.min(self.app.config.consent.leaving() / 2);
        for index in places {
            if in_stretch == STRETCH_SEGMENTS || began.elapsed() >= stretch {
                drop(guard.take());
                guard = self.may_go_on().await?;
                (began, in_stretch) = (Instant::now(), 0);
            }
            in_stretch += 1;
            let plain =
                documents::segment(&self.app, self.document.id, &self.segments, index).await?;
            if let Some(whole) = &mut self.whole {
                whole.update(&plain);
            }
            let wanted = usize::try_from(left).unwrap_or(usize::MAX);
            let piece = plain.get(skip..).unwrap_or_default();
            let piece = piece.get(..wanted).unwrap_or(piece);
            left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(0));
            skip = 0;
            if left == 0
                && self.whole.take().is_some_and(|hash| hash.finish() != self.document.sha256)
            {
                return Err(Ended::Changed);
            }
            if guard.as_ref().is_some_and(|guard| !guard.may_leave()) {
                return Err(Ended::Late);
            }
            let sent = self.to.send(Ok(Bytes::copy_from_slice(piece)));
            let sent = tokio::time::timeout(STALL, sent).await;
            sent.or(Err(Ended::NotRead))?.or(Err(Ended::NotRead))?;
        }
        Ok(())
    }

    /// Asks authority again, under the person's guard, and that the record still names the document.
    async fn may_go_on(&self) -> Result<Option<crate::store::SubjectGuard>, Ended> {
        let Asked { recipient, actor, delivery } = &self.asked;
        let opening = open(&self.app, recipient, actor, *delivery).await?;
        if !opening.opened.record().stored().contains(&self.document) {
            return Err(Ended::Refused(CollectError::NoDocument));
        }
        let fence = opening.fence(&self.app)?;
        let record = opening.stored.sealed.record();
        let mut guard = opening.guard;
        self.app.store.begin_sending(&fence.send).await.map_err(CollectError::from)?;
        fence.entered(&self.app, &mut guard);
        // From here on it is not removed before this stretch has left; it may have been just before.
        let stored = self.app.store.find_record(record).await.map_err(CollectError::from)?;
        if stored.is_none_or(|stored| stored.sealed.is_removed()) {
            return Err(Ended::Refused(CollectError::Removed));
        }
        Ok(guard)
    }
}

/// How many segments leave before authority is asked again.
const STRETCH_SEGMENTS: u32 = 16;
/// How long a stretch may take: a withdrawal waits no longer than this and one stall.
const STRETCH: Duration = Duration::from_secs(10);
/// How long a recipient may take over one segment.
const STALL: Duration = Duration::from_secs(15);
