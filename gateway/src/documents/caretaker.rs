//! Looking after documents: what was given up is removed, what waits is tried again.
//!
//! [`run`] does so now and then in the gateway and, for an operator who does not want to wait, a
//! command. What is left of documents that have ended is [`clear_ended`]'s, once a day: it cannot be
//! opened any more.

use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use jiff::{SignedDuration, Timestamp};
use schemas::PersonalBytes;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::inspection::inspect;
use super::upload::abandon;
use super::{DocumentState, scanner};
use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::config::Partner;
use crate::intake::{self, Arrival};
use crate::pipeline::{self, RawMessage, Sender};
use crate::store::{Change, HeldMessage, StoreError, StoredUpload, Write};
use crate::vault::BlobKind;

/// What one round did, and what still waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Unfinished uploads that were given up.
    pub abandoned: usize,
    /// Documents that were looked at (again).
    pub inspected: usize,
    /// Documents that still wait for the scanner.
    pub not_scanned: usize,
    /// Messages that were taken up again.
    pub retaken: usize,
    /// Messages that still wait for the scanner.
    pub waiting: usize,
}

/// Runs until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = round(&app).await {
            let chain = crate::telemetry::chain(&error);
            tracing::error!(error = %chain, "documents could not be looked after");
        }
    }
}

/// One round over everything that waits.
pub async fn round(app: &App) -> Result<Round, StoreError> {
    let mut round = Round::default();
    let now = app.clock.now();
    let hours = i64::from(app.documents.settings.abandoned_after_hours.get());
    let given_up = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now);
    for known in all(app, DocumentState::Uploading, now).await? {
        if known.received == known.size {
            round.inspected += look(app, &known).await;
        } else if known.touched_at <= given_up {
            round.abandoned += give_up(app, &known).await;
        }
    }
    for known in all(app, DocumentState::NotScanned, now).await? {
        round.inspected += look(app, &known).await;
    }
    round.not_scanned = all(app, DocumentState::NotScanned, now).await?.len();
    if scanner_answers(app).await {
        round.retaken = retake_all(app).await?;
    }
    round.waiting = app.store.held_messages(None, PAGE).await?.len();
    Ok(round)
}

async fn all(
    app: &App,
    state: DocumentState,
    now: Timestamp,
) -> Result<Vec<StoredUpload>, StoreError> {
    let mut found = Vec::new();
    let mut after: Option<Uuid> = None;
    loop {
        let page = app.store.documents_in(state, now, after, PAGE).await?;
        after = page.last().map(|known| known.id);
        found.extend(page);
        if after.is_none() {
            return Ok(found);
        }
    }
}

async fn look(app: &App, known: &StoredUpload) -> usize {
    match inspect(app, known.id).await {
        Ok(()) => 1,
        Err(error) => {
            let error = crate::telemetry::chain(&error);
            tracing::error!(document = %known.id, error, "a document could not be looked at");
            0
        }
    }
}

async fn give_up(app: &App, known: &StoredUpload) -> usize {
    match abandon(app, known).await {
        Ok(()) => 1,
        Err(error) => {
            let error = crate::telemetry::chain(&error);
            tracing::error!(document = %known.id, error, "an upload could not be given up");
            0
        }
    }
}

/// What was taken away of documents that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Documents of which nothing is left now.
    pub documents: u64,
    /// Documents of which something is left, without its key.
    pub left: u64,
}

/// Takes away what is left of documents that were refused, given up or removed: their keys first, where
/// they ended before a key went with that, then their segments. After a few that cannot be taken away
/// it stops: then it is the place that fails, and not they.
pub async fn clear_ended(app: &App) -> Result<Cleared, StoreError> {
    let forgotten = app.store.forget_ended_keys(app.clock.now()).await?;
    if forgotten > 0 {
        tracing::info!(forgotten, "keys of documents that had ended were removed");
    }
    let (mut cleared, mut after) = (Cleared::default(), None);
    loop {
        let page = app.store.uncleared_documents(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(cleared) };
        after = Some(last.id);
        for known in &page {
            if super::clear(app, known).await? {
                cleared.documents += 1;
            } else {
                cleared.left += 1;
            }
            if cleared.left >= LEFT_MAX {
                return Ok(cleared);
            }
        }
    }
}

/// Whether the scanner answers now; so it does when there is none any more.
async fn scanner_answers(app: &App) -> bool {
    !matches!(app.documents.scan(b"ehc-gateway").await, scanner::Scan::NotScanned(_))
}

/// Takes messages up again that were held because the scanner was away.
async fn retake_all(app: &App) -> Result<usize, StoreError> {
    let mut taken = 0;
    let mut after = None;
    loop {
        let page = app.store.held_messages(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(taken) };
        after = Some(last.id);
        for held in &page {
            taken += usize::from(retake(app, held).await?);
        }
    }
}

/// Puts a held message through the pipeline as if it came now. A second time is harmless: its key is
/// its own.
async fn retake(app: &App, held: &HeldMessage) -> Result<bool, StoreError> {
    let (Some(partner), Some(format)) =
        (app.partner(&held.sender), Format::from_media_type(&held.format))
    else {
        return Ok(false);
    };
    let kind = BlobKind::Quarantine;
    let bytes = app.vault.expose_blob_for_owner(kind, held.id, &held.sender, &held.sealed);
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(id = %held.id, %error, "a held message does not open");
            return Ok(false);
        }
    };
    if still_waits(app, &partner, format, &bytes).await {
        return Ok(false);
    }
    let key = format!("held-message-{}", held.id);
    let arrival = Arrival { format, mapping: None, bytes, key };
    match intake::take(app, &partner, Actor::gateway(), arrival).await {
        Ok(answer) => {
            let mut said =
                Event::new(EventKind::MessageRetaken, Actor::gateway()).with("held", held.id);
            said.submission = Some(answer.submission);
            let said = said.with("status", answer.status);
            let change = Change::because(said).write(Write::MessageTaken(held.id));
            match app.store.commit(change).await {
                // Another gateway took it up at the same time; it went through once.
                Ok(_) | Err(StoreError::Conflict { .. }) => Ok(true),
                Err(error) => Err(error),
            }
        }
        Err(error) => {
            let error = crate::telemetry::chain(&error);
            tracing::error!(id = %held.id, error, "a held message was not taken up again");
            Ok(false)
        }
    }
}

/// Whether a message would only be held again: one of its documents is too large for the scanner.
async fn still_waits(app: &App, partner: &Partner, format: Format, bytes: &PersonalBytes) -> bool {
    let sender = Sender::partner(partner, Actor::gateway());
    let (bytes, key) = (bytes.clone(), String::new());
    let raw = RawMessage { format, mapping: None, bytes, key };
    match pipeline::rehearse(app, &sender, raw).await {
        Ok(preview) => {
            let mut issues = preview.rows.iter().flat_map(|row| &row.issues);
            issues.any(|issue| issue.rule == pipeline::NOT_SCANNED)
        }
        Err(_) => true,
    }
}

/// How often the gateway looks: a scanner that is back is noticed within a minute.
const EVERY: Duration = Duration::from_mins(1);
/// Documents that cannot be taken away before it is given up until the next time.
const LEFT_MAX: u64 = 10;
/// How many rows are read at a time.
const PAGE: u32 = 200;
