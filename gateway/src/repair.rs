//! What a person does about what did not arrive, and about what was not accepted.
//!
//! A delivery that failed, or whose fate is not known, is sent again when a named person says why;
//! authority is asked again when it goes. What is in quarantine goes through the pipeline again,
//! from the bytes its partner sent, under the mapping and settings of now: what was accepted before
//! is known by its reference and stays as it is, so a replay may be repeated.
//!
//! Must never know HTTP, or show what is in quarantine: its issues are shown, its bytes are not.
//!
//! Limits: a submission is replayed whole, because a row without its header says nothing.
//! Not supported: editing what a partner sent, because it would not be theirs any more.

use adapters::Format;
use schemas::{Issue, OrganisationCode, PersonalBytes};
use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::config::Partner;
use crate::pipeline::{self, Answer, Preview, RawMessage, ReceiveError, Sender, delivery_event};
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::{Change, HoldWrite, StoreError, StoredQuarantine, Write};
use crate::vault::{BlobKind, VaultError};

/// Why nothing was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// There is no such thing for this person.
    #[error("there is no such thing here")]
    NotFound,
    /// It is in another state.
    #[error("{0}")]
    AlreadyDone(&'static str),
    /// A code is not one of its list, or not enough for this.
    #[error("{0}")]
    Code(&'static str),
    /// The bytes are of a partner or format that is not known any more.
    #[error("{0}")]
    Unreadable(&'static str),
    /// The pipeline could not take it.
    #[error("it could not be taken through the pipeline")]
    Receive(#[from] ReceiveError),
    /// It could not be opened.
    #[error("it could not be opened")]
    Vault(#[from] VaultError),
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
}

/// The change that sends a delivery again that failed or whose fate is not known. `owner` limits
/// it to one organisation's records.
pub async fn resend(
    app: &App,
    owner: Option<&OrganisationCode>,
    actor: &Actor,
    id: DeliveryId,
    reason: &str,
) -> Result<Change, RepairError> {
    let delivery = app.store.find_delivery(id).await?;
    let delivery = delivery.filter(|d| owner.is_none_or(|owner| d.sender == *owner));
    let delivery = delivery.ok_or(RepairError::NotFound)?;
    if !RESEND_REASONS.contains(&reason) {
        return Err(RepairError::Code("Use a reason of the list."));
    }
    if !matches!(delivery.state, DeliveryState::Failed | DeliveryState::Unknown) {
        return Err(RepairError::AlreadyDone(
            "Only what failed, or whose fate is not known, is sent again.",
        ));
    }
    let may_double =
        delivery.state == DeliveryState::Unknown && !delivery.carrier.tells_copies_apart();
    if may_double && reason != NOT_RECEIVED {
        return Err(RepairError::Code(
            "It may have arrived, and the recipient cannot tell a second copy: ask it first, and give the reason recipient-has-not-received-it.",
        ));
    }
    let stored = app.store.find_record(delivery.record).await?.ok_or(RepairError::NotFound)?;
    let event = delivery_event(EventKind::DeliveryResent, &delivery, &stored, actor)
        .with("reason", reason)
        .with("was", crate::telemetry::name_of(delivery.state));
    let again = Write::Hold(HoldWrite::Resent(id, app.clock.now()));
    Ok(Change::because(event).write(again))
}

/// A quarantined item as people see it: what is wrong with it, never what is in it.
#[derive(Debug, Clone, Serialize)]
pub struct QuarantineLine {
    /// Its id.
    pub id: Uuid,
    /// The submission it came in.
    pub submission: crate::queue::SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// Since when it is there.
    pub since: jiff::Timestamp,
    /// How often it went through the pipeline again.
    pub replays: u64,
    /// The submission that a replay became, when one was accepted.
    pub resolved_as: Option<crate::queue::SubmissionId>,
    /// What is wrong with it.
    pub issues: Vec<Issue>,
}

impl From<StoredQuarantine> for QuarantineLine {
    fn from(stored: StoredQuarantine) -> Self {
        Self {
            id: stored.id,
            submission: stored.submission,
            sender: stored.sender,
            since: stored.at,
            replays: stored.replays,
            resolved_as: stored.resolved_as,
            issues: serde_json::from_str(&stored.issues).unwrap_or_default(),
        }
    }
}

/// What is in quarantine and was not resolved, oldest first. `Ok` only once the look is in the log.
pub async fn quarantined(
    app: &App,
    sender: Option<&OrganisationCode>,
    actor: &Actor,
    limit: usize,
) -> Result<Vec<QuarantineLine>, StoreError> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = app.store.quarantined(sender, after, PAGE).await?;
        after = page.last().map(|item| item.id);
        let open = page.into_iter().filter(|item| item.resolved_as.is_none());
        lines.extend(open.map(QuarantineLine::from));
        if after.is_none() || lines.len() >= limit {
            break;
        }
    }
    lines.truncate(limit);
    viewed(app, actor, lines.len()).await?;
    Ok(lines)
}

/// One quarantined item.
pub async fn quarantined_item(
    app: &App,
    id: Uuid,
    actor: &Actor,
) -> Result<Option<QuarantineLine>, StoreError> {
    let found = app.store.find_quarantined(id).await?;
    viewed(app, actor, usize::from(found.is_some())).await?;
    Ok(found.map(QuarantineLine::from))
}

async fn viewed(app: &App, actor: &Actor, rows: usize) -> Result<(), StoreError> {
    let event = Event::new(EventKind::QuarantineViewed, actor.clone()).with("rows", rows);
    app.store.commit(Change::because(event)).await.map(drop)
}

/// How to replay.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// The mapping to read it with; the one it was sent under when none is named.
    pub mapping: Option<String>,
    /// The format it is written in; found out when none is named.
    pub format: Option<Format>,
}

/// Says what a replay would do. Commits nothing.
pub async fn rehearse_replay(app: &App, id: Uuid, how: Replay) -> Result<Preview, RepairError> {
    let (_, partner, raw) = prepared(app, id, how).await?;
    let sender = Sender::partner(&partner, app.operator());
    Ok(pipeline::rehearse(app, &sender, raw).await?)
}

/// Takes what a partner sent through the pipeline again. It is resolved when nothing of it was
/// refused; else it stays, and may be replayed again.
pub async fn replay(
    app: &App,
    id: Uuid,
    how: Replay,
    actor: &Actor,
) -> Result<Answer, RepairError> {
    let (item, partner, raw) = prepared(app, id, how).await?;
    if item.resolved_as.is_some() {
        return Err(RepairError::AlreadyDone("A replay of this was accepted before."));
    }
    let sender = Sender::partner(&partner, actor.clone());
    let answer = pipeline::receive(app, &sender, raw).await?;
    let accepted = answer.is_accepted_whole();
    let mut event = Event::new(EventKind::QuarantineReplayed, sender.actor.clone())
        .with("item", id)
        .with("status", answer.status)
        .with("resolved", accepted);
    event.submission = Some(answer.submission);
    let resolved = accepted.then_some(answer.submission);
    let write = Write::Hold(HoldWrite::Replayed(id, resolved));
    app.store.commit(Change::because(event).write(write)).await?;
    Ok(answer)
}

/// The bytes a partner sent, as they came, under a key of this attempt.
async fn prepared(
    app: &App,
    id: Uuid,
    how: Replay,
) -> Result<(StoredQuarantine, Partner, RawMessage), RepairError> {
    let item = app.store.find_quarantined(id).await?.ok_or(RepairError::NotFound)?;
    let submission = app.store.submission(item.submission).await?.ok_or(RepairError::NotFound)?;
    let partner = app.partner(&item.sender).ok_or(RepairError::Unreadable(
        "Its sender is no partner any more; put it back into the partners file first.",
    ))?;
    if item.sealed.is_removed() || submission.original.is_removed() {
        return Err(RepairError::Unreadable(
            "Its bytes were removed when their retention ended; ask its sender to send it again.",
        ));
    }
    let place = submission.id.0;
    let original = &submission.original;
    let whole =
        app.vault.expose_blob_for_owner(BlobKind::Original, place, &item.sender, original)?;
    // What could not be read at all is kept once, in quarantine.
    let bytes = if whole.is_empty() {
        app.vault.expose_blob_for_owner(BlobKind::Quarantine, id, &item.sender, &item.sealed)?
    } else {
        whole
    };
    let sent = as_sent(app, &submission.request_hash, &bytes);
    let format = how.format.or(sent.as_ref().map(|(format, _)| *format));
    let format = format.ok_or(RepairError::Unreadable(
        "How it was written cannot be told any more; say it with --format.",
    ))?;
    let mapping = how.mapping.or(sent.and_then(|(_, mapping)| mapping));
    let key = format!("quarantine-replay-{id}-{}", item.replays);
    Ok((item, partner, RawMessage { format, mapping, bytes, key }))
}

/// How the bytes were sent: the format and named mapping whose hash is the request's.
fn as_sent(
    app: &App,
    request_hash: &[u8; 32],
    bytes: &PersonalBytes,
) -> Option<(Format, Option<String>)> {
    let names = app.mapping_names().map(Some).chain(std::iter::once(None));
    let mappings: Vec<Option<&String>> = names.collect();
    Format::ALL.into_iter().find_map(|format| {
        let mapping = mappings.iter().find(|mapping| {
            pipeline::request_hash_of((format, **mapping), bytes) == *request_hash
        })?;
        Some((format, mapping.cloned()))
    })
}

/// Why a delivery is sent again.
pub const RESEND_REASONS: [&str; 4] = [
    "endpoint-repaired",
    "settings-corrected",
    "recipient-asked-for-it",
    "recipient-has-not-received-it",
];

const NOT_RECEIVED: &str = "recipient-has-not-received-it";
/// How many rows are read at a time.
const PAGE: u32 = 200;
