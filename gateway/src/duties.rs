//! What the gateway does by itself when its time has come.
//!
//! Owns the list of duties, and that each is done once for its period, whichever of several
//! gateways comes first, and again by another when that one dies at it. What a duty does must be
//! harmless to do twice. It must never know how time passes: [`serving`](crate::serving) calls
//! [`run_due`] every minute, and tests call it with a clock they move.
//!
//! Use: one row of `DUTIES` and one file under `duties/` for each.

mod backups;
mod consents;
mod documents;
mod forgotten;
mod reconciling;
mod reminders;
mod retention;
mod transition;

use std::future::Future;
use std::pin::Pin;

use jiff::SignedDuration;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::pipeline::ReceiveError;
use crate::store::{Change, StoreError, Write};

/// Why a duty could not be done; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DutyError {
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
    /// A message of the gateway's own could not be made.
    #[error("a message could not be made")]
    Message(#[from] ReceiveError),
    /// What is due could not be removed.
    #[error("what is due could not be removed")]
    Retention(#[from] crate::retention::RetentionError),
    /// Something is left of documents that have ended, without its key.
    #[error(
        "segments of {0} documents that have ended cannot be taken away, they have no key any more; \
         look at the store for documents: it is tried again every ten minutes"
    )]
    SegmentsLeft(u64),
    /// A backup could not be made.
    #[error("a backup could not be made")]
    Backup(#[from] crate::backup::BackupError),
    /// The shipped rules do not cover the date.
    #[error("the gateway could not work out {0}")]
    Ours(&'static str),
}

/// How many things a duty did.
type Doing<'a> = Pin<Box<dyn Future<Output = Result<usize, DutyError>> + Send + 'a>>;

/// Something that falls due.
struct Duty {
    /// Its name in the log.
    name: &'static str,
    /// The period it falls due in now, for example the civil day; `None` when it is not due.
    period: fn(&App) -> Option<String>,
    /// What it does.
    act: for<'a> fn(&'a App) -> Doing<'a>,
}

/// Everything the gateway does by itself.
const DUTIES: &[Duty] = &[
    Duty {
        name: "forgotten-holds",
        period: |app| Some(app.clock.today().to_string()),
        act: |app| Box::pin(forgotten::speak_of(app)),
    },
    Duty {
        name: "reminders",
        period: |app| Some(app.clock.today().to_string()),
        act: |app| Box::pin(reminders::remind(app)),
    },
    Duty {
        name: "consent-decision-maker",
        period: |app| Some(app.clock.today().to_string()),
        act: consents::pass_decisions_on,
    },
    Duty {
        name: "consent-expiry",
        period: |app| Some(app.clock.today().to_string()),
        act: consents::expire,
    },
    Duty {
        name: "transitions",
        period: |app| Some(app.clock.today().to_string()),
        act: transition::act,
    },
    Duty { name: "retention", period: retention::period, act: retention::act },
    Duty {
        name: "ended-documents",
        period: |app| Some(app.clock.today().to_string()),
        act: documents::clear,
    },
    Duty { name: "reconciliation", period: reconciling::period, act: reconciling::act },
    // Last: it takes as long as there is much to keep.
    Duty { name: "backup", period: backups::period, act: |app| Box::pin(backups::make(app)) },
];

/// The names of all duties, as the log has them.
pub fn names() -> impl Iterator<Item = &'static str> {
    DUTIES.iter().map(|duty| duty.name)
}

/// Does what has fallen due and was not done yet. Gives how many duties were done. One that fails
/// does not keep the others from being done; the first failure is given at the end.
pub async fn run_due(app: &App) -> Result<usize, DutyError> {
    let mut done = 0;
    let mut failure = None;
    // Each time, and each entry of the log once: it keeps its own place.
    if let Err(error) = crate::odd_access::watch(app).await {
        let chain = crate::telemetry::chain(&error);
        tracing::error!(error = %chain, "the log could not be watched for odd access");
        failure.get_or_insert(error.into());
    }
    for duty in DUTIES {
        match run(app, duty).await {
            Ok(true) => done += 1,
            Ok(false) => {}
            Err(error) => {
                let chain = crate::telemetry::chain(&error);
                tracing::error!(duty = duty.name, error = %chain, "a duty could not be done");
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(done), Err)
}

async fn run(app: &App, duty: &Duty) -> Result<bool, DutyError> {
    let Some(period) = (duty.period)(app) else { return Ok(false) };
    let now = app.clock.now();
    let until = now.checked_add(TAKEN_FOR).or(Err(DutyError::Ours("the time")))?;
    if !app.store.claim_duty(duty.name, &period, now, until).await? {
        return Ok(false);
    }
    let count = (duty.act)(app).await?;
    let event = Event::new(EventKind::DutyDone, Actor::gateway())
        .with("duty", duty.name)
        .with("period", &period)
        .with("count", count);
    app.store.commit(Change::because(event).write(Write::DutyDone(duty.name, period))).await?;
    Ok(true)
}

/// Has the database's own journal emptied of what was freed.
async fn free(app: &App) -> Result<(), StoreError> {
    if !app.store.forget_freed().await? {
        say_not_freed(app);
    }
    Ok(())
}

/// Says that freed bytes may still be in the journal. On a server that is its own housekeeping's.
fn say_not_freed(app: &App) {
    if app.store.engine_name() == "sqlite" {
        tracing::warn!("what was freed may still be in the journal, because somebody reads it");
    }
}

/// How long a gateway may be at a duty before another takes it on.
const TAKEN_FOR: SignedDuration = SignedDuration::from_mins(10);
