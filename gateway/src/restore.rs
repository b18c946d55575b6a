//! After a restore from backup: nothing is released until the consent ledger has caught up.
//!
//! A restored database has forgotten what came after its backup, withdrawals among it. It cannot
//! know that by itself. So the newest checkpoint of the log is kept in a file outside the database
//! and compared at start, and partners show the newest one they hold ([`show`]). A checkpoint of
//! this log that this database does not know means that it was restored: the gateway is *held*. It
//! takes everything in, consent decisions above all, and releases nothing. Partners send again what
//! they have sent since; an operator who has made sure of that [confirms](confirm) it, naming the
//! size that was lost.
//!
//! Must never know HTTP or the command line.
//!
//! Limits: a restore that takes the checkpoint file back with the database is found only by a
//! witness, by a folder that the log is [published](crate::publication) or [handed on](crate::sinks) to,
//! or when a partner shows what it holds. A checkpoint proves that entries were lost, not which.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError};
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::{Actor, Event, EventKind};
use crate::store::{Change, Restore, Shown, Store, StoreError, Write};

/// What is known of a checkpoint that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// This database's log has it.
    Known,
    /// It was lost in a restore that an operator has confirmed.
    LostAndConfirmed,
    /// This database does not know it: nothing is released until an operator confirms.
    Held(Restore),
}

/// Why a checkpoint could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is not a checkpoint of this gateway's log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares a checkpoint that somebody holds with this database's log. From the first one that is
/// not known, nothing is released.
pub async fn show(app: &App, note: &str, actor: &Actor) -> Result<Standing, RestoreError> {
    let shown = Checkpoint::parse_and_verify(note, &app.log_vkey)?;
    let own_size = app.log_size().await?;
    if is_known((&app.store, &app.log_vkey), &shown, own_size).await? {
        return Ok(Standing::Known);
    }
    Ok(not_known(app, own_size, (shown.size, Some(shown.at)), actor).await?)
}

/// Somebody shows no checkpoint and says that the log had so many entries, at a time if it knows that, which
/// ours does not continue: a witness that cosigned them, or a folder that was given them. It is believed,
/// since who lists a witness or sets up a sink trusts it to stop the gateway.
pub(crate) async fn told(
    app: &App,
    lost: (u64, Option<Timestamp>),
    actor: &Actor,
) -> Result<Standing, StoreError> {
    not_known(app, app.log_size().await?, lost, actor).await
}

/// From here on nothing is released, unless it is what an operator has confirmed to be lost.
async fn not_known(
    app: &App,
    own_size: u64,
    (size, at): (u64, Option<Timestamp>),
    actor: &Actor,
) -> Result<Standing, StoreError> {
    let restores = app.store.restores().await?;
    let lost = |restore: &&Restore| {
        let before = |confirmed| at.is_none_or(|at| at <= confirmed);
        restore.confirmed_at.is_some_and(before) && size <= restore.lost_size
    };
    if restores.iter().any(|restore| lost(&restore)) {
        return Ok(Standing::LostAndConfirmed);
    }
    let open = restores.into_iter().find(|restore| restore.confirmed_at.is_none());
    if let Some(open) = open.filter(|open| size <= open.lost_size) {
        return Ok(Standing::Held(open));
    }
    tracing::error!(
        own = own_size,
        shown = size,
        "this database is older than what {} holds: nothing is released",
        actor.organisation
    );
    let event = Event::new(EventKind::RestoreFound, actor.clone())
        .with("own_size", own_size)
        .with("shown_size", size);
    let by = actor.organisation.clone();
    let at = at.unwrap_or_else(|| app.clock.now());
    let write = Write::RestoreFound(Shown { own_size, size, at, by });
    app.store.commit(Change::because(event).write(write)).await?;
    let open = app.store.unconfirmed_restore().await?;
    Ok(open.map_or(Standing::LostAndConfirmed, Standing::Held))
}

/// Whether this database's log had this very head: every head it ever had was signed and kept.
pub(crate) async fn is_known(
    (store, vkey): (&Store, &str),
    shown: &Checkpoint,
    own_size: u64,
) -> Result<bool, RestoreError> {
    if shown.size == 0 {
        return Ok(true);
    }
    if shown.size > own_size {
        return Ok(false);
    }
    let kept = store.checkpoints(shown.size, 1).await?;
    let Some(kept) = kept.first().filter(|kept| kept.size == shown.size) else { return Ok(false) };
    Ok(Checkpoint::parse_and_verify(&kept.note, vkey)?.root == shown.root)
}

/// Compares the checkpoint file with the database, before anything is written to either.
pub(crate) async fn look_at_file(app: &App) -> Result<(), AppError> {
    let file = &app.config.checkpoint_file;
    let fault = |message: String| AppError::DataFile { file: file.display().to_string(), message };
    let note = match std::fs::read_to_string(file) {
        Ok(note) => note,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(format!("the newest checkpoint cannot be read: {error}"))),
    };
    let actor = Actor { organisation: "checkpoint-file".to_owned(), ..Actor::local() };
    match show(app, &note, &actor).await {
        Ok(_) => Ok(()),
        Err(RestoreError::Store(error)) => Err(error.into()),
        Err(RestoreError::Checkpoint(error)) => Err(fault(format!(
            "{error}; if the log's signing key was changed on purpose, move this file away"
        ))),
    }
}

/// Keeps the newest checkpoint in the file while the gateway runs.
pub(crate) async fn keep_newest(app: Arc<App>, stop: CancellationToken) {
    let mut last = false;
    while !last {
        tokio::select! {
            () = tokio::time::sleep(KEPT_EVERY) => {}
            () = stop.cancelled() => last = true,
        }
        keep_now(&app).await;
    }
}

/// Writes the newest checkpoint to the file, unless it is there. While the gateway is held, the
/// file stays: it is the evidence.
pub(crate) async fn keep_now(app: &App) {
    let newest = async {
        if app.store.unconfirmed_restore().await?.is_some() {
            return Ok(None);
        }
        app.store.latest_checkpoint().await
    };
    let newest = match newest.await {
        Ok(Some(newest)) => newest,
        Ok(None) => return,
        Err(error) => {
            let error = crate::telemetry::chain(&error);
            tracing::warn!(error, "the newest checkpoint could not be read");
            return;
        }
    };
    let file = &app.config.checkpoint_file;
    if std::fs::read_to_string(file).is_ok_and(|kept| kept == newest.note) {
        return;
    }
    let Ok(unique) = app.make_id() else { return };
    let written = crate::whole_file::replace(file, newest.note.as_bytes(), &unique.to_string());
    if let Err(error) = written {
        tracing::error!(%error, file = %file.display(), "the newest checkpoint could not be kept");
    }
}

/// An operator confirms that the consent ledger has caught up with what was lost. `lost_size` is
/// the size named by the newest checkpoint that was shown: another one that was shown meanwhile
/// makes this a [`StoreError::Conflict`].
pub async fn confirm(
    app: &App,
    actor: &Actor,
    lost_size: u64,
    reason: &'static str,
) -> Result<(), StoreError> {
    let event = Event::new(EventKind::RestoreConfirmed, actor.clone())
        .with("lost_size", lost_size)
        .with("own_size", app.log_size().await?)
        .with("reason", reason);
    let write = Write::RestoreConfirmed { lost_size, reason: reason.to_owned() };
    app.store.commit(Change::because(event).write(write)).await?;
    Ok(())
}

/// Who is said to have shown what was lost, when a backup was restored by command: at first nothing
/// is known to be lost, and the gateway is held all the same.
pub const BY_COMMAND: &str = "backup";

/// Why an operator confirms.
pub const REASONS: [&str; 3] = ["partners-sent-again", "nothing-was-sent-since", "exercise"];

/// How often the newest checkpoint is kept: a partner may hold one that is this much newer.
const KEPT_EVERY: Duration = Duration::from_secs(1);
