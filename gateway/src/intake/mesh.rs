//! Collecting from our mailbox on NHS MESH.
//!
//! Owns: when the inbox is listed, what becomes of each message in it, and when MESH is told that
//! we keep one. It must never know a format's grammar, SQL or keys; the calls are
//! [`delivery::mesh::exchange`](crate::delivery::mesh::exchange).
//!
//! [`run`] lists every `poll_seconds`, and at once when more was waiting. Each message on its own:
//!
//! - from a partner's mailbox under a workflow that is set: through [`take`], then a
//!   business receipt to the sender under `<workflow>_ACK`, then acknowledged at MESH. What is
//!   quarantined is kept, so it is acknowledged, and its receipt says `rejected`;
//! - a business receipt: the delivery it is about is accepted or rejected;
//! - a REPORT of MESH: the delivery it is about has failed, with MESH's code.
//!
//! MESH is told only after our commit. A crash between the two brings the same message again,
//! under the same key, to the same answer: no second record. The receipt may go twice, with the
//! same local id.
//!
//! What cannot be kept (an unknown mailbox, a workflow that is not set, a wrong checksum, broken
//! compression, more bytes than are read in one piece) is not acknowledged: it is counted, logged
//! without content, passed over for an hour, and returns to its sender as uncollected after five
//! days. It never keeps what is behind it waiting.
//!
//! Not supported: a receipt in the partner's own format, because what a receipt must hold is not
//! agreed for any workflow of ours; it is canonical JSON (`ack.business`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapters::mesh::{Claimed, Incoming, Kind, MeshMessageId, WorkflowId};
use jiff::{SignedDuration, Timestamp};
use schemas::PersonalBytes;
use tokio_util::sync::CancellationToken;

use super::{Arrival, take};
use crate::app::App;
use crate::audit::Actor;
use crate::config::{MeshSection, Partner};
use crate::delivery::mesh::exchange::{Exchange, MeshError, gunzip, is_gzip};
use crate::pipeline::ReceiveError;

mod notices;

/// What became of one message in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    /// A record, or several, or quarantine: kept.
    Taken,
    /// A receipt that was applied, or said again what was known.
    ReceiptApplied,
    /// A receipt about nothing of this partner's. There is nothing to keep.
    ReceiptUnmatched,
    /// A report that was applied.
    ReportApplied,
    /// It cannot be kept, for this reason.
    Left(&'static str),
}

/// Why a message could not be dealt with now; it is met again at the next listing.
#[derive(Debug, thiserror::Error)]
enum Later {
    #[error(transparent)]
    Mesh(#[from] MeshError),
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    #[error(transparent)]
    Settle(#[from] crate::pipeline::CollectError),
    #[error("its business receipt could not be sent yet")]
    Receipt,
}

/// Messages that cannot be kept, and until when they are passed over.
type Left = BTreeMap<MeshMessageId, Timestamp>;

/// Runs until told to stop. Ends at once when no mailbox is configured.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(settings) = app.config.mesh.as_ref() else { return };
    for workflow in settings.workflows.unregistered() {
        tracing::warn!(%workflow, "workflow id {workflow} is a placeholder; set a registered one");
    }
    let every = Duration::from_secs(settings.poll_seconds.get().into());
    let mut left = Left::new();
    while !stop.is_cancelled() {
        let more = match round(&app, settings, &mut left, &stop).await {
            Ok(more) => more,
            Err(error) => {
                app.metrics.mesh("listing-failed");
                let chain = crate::telemetry::chain(&error);
                tracing::warn!(error = %chain, "the MESH inbox could not be listed");
                false
            }
        };
        if !more {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Lists the inbox and deals with everything in it. `true` when more may be waiting already.
async fn round(
    app: &App,
    settings: &MeshSection,
    left: &mut Left,
    stop: &CancellationToken,
) -> Result<bool, MeshError> {
    let exchange = app.carriers.mesh.exchange(app)?;
    exchange.greet().await?;
    let (waiting, unusable) = listed(&exchange).await?;
    for _ in 0..unusable {
        app.metrics.mesh("unusable-id");
    }
    left.retain(|id, until| waiting.contains(id) && *until > app.clock.now());
    let mut kept = 0;
    for id in waiting.iter().filter(|id| !left.contains_key(*id)).cloned().collect::<Vec<_>>() {
        if stop.is_cancelled() {
            return Ok(false);
        }
        match one(app, settings, &exchange, &id).await {
            Ok(Became::Left(reason)) => {
                app.metrics.mesh(reason);
                tracing::warn!(message = %id, reason, "MESH message {id} cannot be kept");
                let until = app.clock.now().checked_add(PASSED_OVER_FOR);
                left.insert(id, until.unwrap_or(Timestamp::MAX));
            }
            Ok(became) => {
                app.metrics.mesh(became.name());
                tracing::info!(message = %id, became = became.name(), "MESH message {id} is kept");
                kept += 1;
            }
            Err(error) => {
                app.metrics.mesh("later");
                let chain = crate::telemetry::chain(&error);
                tracing::warn!(message = %id, error = %chain, "MESH message {id} is left for later");
            }
        }
    }
    Ok(kept > 0 && waiting.len() >= PAGE_OF_MESH)
}

/// Every id in the inbox, over all pages.
async fn listed(exchange: &Exchange) -> Result<(Vec<MeshMessageId>, usize), MeshError> {
    let (mut waiting, mut unusable) = (Vec::new(), 0);
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = exchange.list(None, next.as_deref()).await?;
        waiting.extend(page.messages);
        unusable += page.unusable;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok((waiting, unusable))
}

/// One message: fetched, dealt with, and acknowledged when it is kept.
async fn one(
    app: &App,
    settings: &MeshSection,
    exchange: &Exchange,
    id: &MeshMessageId,
) -> Result<Became, Later> {
    let arriving = match exchange.fetch(id).await {
        Ok(arriving) => arriving,
        Err(MeshError::Unusable(_)) => return Ok(Became::Left("unusable-headers")),
        Err(MeshError::Gone(_)) => return Ok(Became::Left("gone")),
        Err(error) => return Err(error.into()),
    };
    let headers = arriving.headers.clone();
    let became = if headers.kind == Kind::Report {
        notices::report(app, exchange, &headers).await?
    } else {
        let (partner, workflow) = match known(app, settings, &headers) {
            Ok(known) => known,
            Err(reason) => return Ok(Became::Left(reason)),
        };
        let most = adapters::limits::SUBMISSION_BYTES_MAX;
        let bytes = match exchange.rest(arriving, most).await {
            Ok(bytes) => PersonalBytes::new(bytes),
            Err(MeshError::Unusable(_)) => return Ok(Became::Left("unusable-body")),
            Err(error) => return Err(error.into()),
        };
        let bytes = match plain(&headers, bytes) {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(Became::Left(reason)),
        };
        let message =
            Message { settings, exchange, partner: &partner, workflow, headers: &headers };
        if message.workflow.is_receipt() {
            notices::receipt(app, &message, &bytes).await?
        } else {
            message.take(app, bytes).await?
        }
    };
    if !matches!(became, Became::Left(_)) {
        exchange.acknowledge(id).await?;
    }
    Ok(became)
}

/// Whose message it is, and under which of the workflows that are set.
fn known(
    app: &App,
    settings: &MeshSection,
    headers: &Incoming,
) -> Result<(Partner, WorkflowId), &'static str> {
    let partners = app.peers.partners();
    let from = headers.from.as_ref().and_then(|mailbox| partners.by_mailbox(mailbox));
    let partner = from.filter(|partner| partner.enabled).ok_or("unknown-sender")?;
    let workflow = headers.workflow.clone().ok_or("unknown-workflow")?;
    let set = settings.workflows.knows(&workflow)
        || partner.workflows.knows(&workflow)
        || settings.formats.contains_key(&workflow);
    if set { Ok((partner.clone(), workflow)) } else { Err("unknown-workflow") }
}

/// The content, checked against the sender's checksum, and decompressed when the sender said that
/// it compressed the file and the bytes agree.
fn plain(headers: &Incoming, bytes: PersonalBytes) -> Result<PersonalBytes, &'static str> {
    let compressed = headers.said_compressed && is_gzip(bytes.expose());
    let inner = if compressed {
        let most = adapters::limits::SUBMISSION_BYTES_MAX;
        Some(PersonalBytes::new(gunzip(bytes.expose(), most).or(Err("unusable-body"))?))
    } else {
        None
    };
    if let Some(Claimed::Sha256(claimed)) = &headers.checksum {
        // It may be of the file before the sender compressed it, or after.
        let of = |bytes: &PersonalBytes| crate::entropy::sha256_hex(bytes.expose()) == *claimed;
        if !of(&bytes) && !inner.as_ref().is_some_and(of) {
            return Err("checksum-mismatch");
        }
    }
    Ok(inner.unwrap_or(bytes))
}

/// A message of a known partner under a known workflow.
struct Message<'a> {
    settings: &'a MeshSection,
    exchange: &'a Exchange,
    partner: &'a Partner,
    workflow: WorkflowId,
    headers: &'a Incoming,
}

impl Message<'_> {
    /// Through the pipeline, and a receipt to its sender.
    async fn take(&self, app: &App, bytes: PersonalBytes) -> Result<Became, Later> {
        // The workflow's format as it was agreed; then what the sender says; then its usual one.
        let agreed = self.settings.formats.get(&self.workflow).copied();
        let format = agreed.or(self.headers.format).unwrap_or(self.partner.format);
        let arrival = Arrival { format, mapping: None, bytes, key: self.key() };
        let answer = match take(app, self.partner, actor(), arrival).await {
            Ok(answer) => answer,
            // Kept before, when its workflow was set to another format: there is no second record.
            Err(ReceiveError::KeyReused) => return Ok(Became::Taken),
            Err(ReceiveError::UnknownMapping) => return Ok(Became::Left("no-mapping")),
            Err(error) => return Err(error.into()),
        };
        notices::send_receipt(app, self, &answer).await?;
        Ok(Became::Taken)
    }

    /// The key under which a second copy of this message is known.
    fn key(&self) -> String {
        format!("mesh {}", self.headers.id)
    }
}

impl Became {
    fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::ReceiptApplied => "receipt",
            Self::ReceiptUnmatched => "receipt-unmatched",
            Self::ReportApplied => "report",
            Self::Left(reason) => reason,
        }
    }
}

/// How the log names whoever sent through MESH: the mailbox was authenticated by MESH, not by us.
fn actor() -> Actor {
    Actor { method: "mesh".to_owned(), ..Actor::gateway() }
}

/// How long a message that cannot be kept is passed over.
const PASSED_OVER_FOR: SignedDuration = SignedDuration::from_hours(1);
/// A full page of MESH: more may be waiting.
const PAGE_OF_MESH: usize = 500;
/// The most pages of one listing: MESH keeps uncollected messages for five days only.
const PAGES_MAX: usize = 1_000;
