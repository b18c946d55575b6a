//! The log in a second place: every entry also goes to a folder on another volume, or to a security
//! team's store over syslog.
//!
//! Owns one follower for each sink of `[[audit.sinks]]`. A sink follows the log by the place of the first
//! entry that it has not confirmed, so nothing is lost while it is away, and goes at its own pace: one
//! that is slow, hangs or is gone holds up neither the others nor the gateway. Only where a sink is
//! *required* does the store refuse to extend the log further than it may be behind
//! ([`StoreError::SinkBehind`]); it goes on by itself as soon as the sink has caught up.
//!
//! A folder remembers what it was given. When its last line is not in this database, the database was
//! restored: the gateway is held ([`restore`]), from its start or as soon as the folder can be read, whether
//! or not the sink is required.
//!
//! Must never know what an entry says: it is handed on in one of the [`crate::audit::forms`].
//! Sinks are append-only: nothing is ever taken back, written again or cut off.
//!
//! Use: `look_at_folders` before the start is in the log, then `follow(app, state, stop)` for each of
//! [`States::each`].
//!
//! Limits: one gateway for each sink; several gateways on one database have a sink each, by names of
//! their own. What was sent and not confirmed before a crash is sent again; its `seq` tells. Once the
//! database is found to be a restored one, no receiver goes on under its name: it never gets two histories. A
//! folder whose last line is of this log goes on, and any other that is of a restored log does when an operator
//! has confirmed the restore, with a mark. What is in a folder is believed without a signature: whoever can write
//! there can hold the gateway. An entry that cannot be read is handed on as its bytes.

mod file;
mod syslog;

use file::Line;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError};
use crate::audit::forms;
use crate::audit::{Actor, Entry, Event, EventKind};
use crate::config::{AuditSection, SinkKind, SinkSection};
use crate::restore::{self, Standing};
use crate::store::{AuditRow, Change, RequiredSink, StoreError};

/// How every sink stands, for health and metrics.
#[derive(Debug, Default)]
pub struct States(Vec<Arc<State>>);

/// How one sink stands.
#[derive(Debug)]
pub struct State {
    /// As it is configured.
    pub settings: SinkSection,
    next: AtomicU64,
    fault: Mutex<Option<SinkFault>>,
    /// Whether the operator was told of an entry that cannot be read: once is enough.
    said_unreadable: AtomicBool,
}

/// Why a sink does not take entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinkFault {
    /// Its folder cannot be written.
    #[error("its folder cannot be written")]
    Unwritable,
    /// Its folder does not answer.
    #[error("its volume does not answer")]
    Hangs,
    /// Another process writes there.
    #[error("another process writes to its folder")]
    Taken,
    /// It has entries that this log does not have.
    #[error(
        "it holds entries that this log does not have: the database was restored, or the sink is \
         another log's"
    )]
    Foreign,
    /// It cannot be reached, or is not who it should be.
    #[error("its receiver cannot be reached, or is not the one it should be")]
    Unreachable,
    /// It did not confirm.
    #[error("its receiver does not confirm what it is sent")]
    Unconfirmed,
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log,
}

impl SinkFault {
    /// Its name in the log and in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unwritable => "unwritable",
            Self::Hangs => "hangs",
            Self::Taken => "taken",
            Self::Foreign => "foreign",
            Self::Unreachable => "unreachable",
            Self::Unconfirmed => "unconfirmed",
            Self::Log => "log-unreadable",
        }
    }
}

impl From<StoreError> for SinkFault {
    fn from(_: StoreError) -> Self {
        Self::Log
    }
}

impl States {
    /// The sinks of a configuration, none of them reached yet.
    pub fn of(section: &AuditSection) -> Self {
        let state = |settings: &SinkSection| {
            let settings = settings.clone();
            Arc::new(State {
                settings,
                next: AtomicU64::new(0),
                fault: Mutex::default(),
                said_unreadable: AtomicBool::new(false),
            })
        };
        Self(section.sinks.iter().map(state).collect())
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = &Arc<State>> {
        self.0.iter()
    }

    /// One by its name.
    pub fn by_name(&self, name: &str) -> Option<&State> {
        self.0.iter().find(|state| state.settings.name == name).map(AsRef::as_ref)
    }
}

impl State {
    /// The place of the first entry that it has not confirmed, as far as this process knows.
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Why it does not take entries; `None` when it does.
    pub fn fault(&self) -> Option<SinkFault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stands(&self, fault: Option<SinkFault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// The bounds of the sinks that are required.
pub fn required(section: &AuditSection) -> Vec<RequiredSink> {
    let required = section.sinks.iter().filter(|sink| sink.required);
    required
        .map(|sink| RequiredSink {
            name: sink.name.clone(),
            entries: sink.behind_entries.get(),
            seconds: sink.behind_seconds.get(),
        })
        .collect()
}

/// Holds the last line of each folder against this database, before anything is released: an entry
/// that it does not have means that it was restored. A folder that cannot be looked at now is looked
/// at when it is there, before it is given anything.
pub(crate) async fn look_at_folders(app: &App) -> Result<(), AppError> {
    for state in app.sinks.each() {
        let sink = state.settings.name.as_str();
        let Some(folder) = state.settings.folder.clone() else { continue };
        match file::last(folder).await {
            Ok(Some(last)) => drop(compare(app, sink, &last).await?),
            Ok(None) => {}
            Err(fault) => {
                let reason = fault.code();
                tracing::warn!(
                    sink,
                    reason,
                    "an audit sink's folder was not looked at before the start"
                );
            }
        }
    }
    Ok(())
}

/// What the last line of a folder says of this log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// This log has its entry.
    OfThisLog,
    /// It is of another log.
    OfAnother,
    /// It is of this log, which does not have its entry: the gateway is held.
    Held,
    /// It was lost in a restore that an operator has confirmed.
    LostAndConfirmed,
}

/// Holds a line against this database. From the first one of this log's name that is not in it,
/// nothing is released.
async fn compare(app: &App, sink: &str, line: &Line) -> Result<Compared, StoreError> {
    if has(app, line.seq, &line.leaf_hash).await? {
        return Ok(Compared::OfThisLog);
    }
    if line.log != app.origin() {
        return Ok(Compared::OfAnother);
    }
    let actor = Actor { organisation: format!("audit-sink-{sink}"), ..Actor::local() };
    let lost = (line.seq.saturating_add(1), line.at());
    Ok(match restore::told(app, lost, &actor).await? {
        Standing::LostAndConfirmed => Compared::LostAndConfirmed,
        Standing::Held(_) | Standing::Known => Compared::Held,
    })
}

/// Whether this log has an entry with this hash at a place.
async fn has(app: &App, seq: u64, leaf_hash: &str) -> Result<bool, StoreError> {
    let row = app.store.audit_rows_at(&[seq]).await?.into_iter().next();
    Ok(row.is_some_and(|row| forms::leaf_hash(&row.leaf) == leaf_hash))
}

/// Follows the log with one sink until told to stop, and once more then.
pub async fn follow(app: Arc<App>, state: Arc<State>, stop: CancellationToken) {
    let mut sink = Sink::of(&state.settings);
    let (mut failures, mut is_lost) = (0u32, false);
    loop {
        let last = stop.is_cancelled();
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        // What is not taken when the gateway stops is taken at the next start.
        let ended = tokio::select! {
            ended = round(&app, &state, &mut sink) => ended,
            () = stopped => return,
        };
        state.stands(ended.err());
        failures = if ended.is_err() { failures.saturating_add(1) } else { 0 };
        let lost = if is_lost { failures > 0 } else { failures >= FAILURES };
        if lost != is_lost && !last {
            is_lost = lost;
            tell(&app, &state, ended.err()).await;
        }
        if last {
            return;
        }
        let wait = match ended {
            Ok(true) => Duration::ZERO,
            Ok(false) => EVERY,
            Err(_) => AGAIN,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Hands on what is new, as much as goes at once; whether there is more.
async fn round(app: &App, state: &State, sink: &mut Sink) -> Result<bool, SinkFault> {
    let name = state.settings.name.as_str();
    let stored = app.store.sink_cursor(name).await?;
    // After a restore the cursor is beyond every log; only a folder can tell that it is of this one.
    let next = sink.next(app, stored).await?;
    if next > app.log_size().await? {
        return Err(SinkFault::Foreign);
    }
    let rows = app.store.audit_rows(next, AT_ONCE).await?;
    let reached = rows.last().map_or(next, |row| row.seq.saturating_add(1));
    if !rows.is_empty() {
        sink.take(app, state, rows).await?;
    }
    if reached != stored {
        app.store.sink_confirmed(name, (stored, reached)).await?;
    }
    state.next.store(reached, Ordering::Relaxed);
    Ok(reached.saturating_sub(next) == u64::from(AT_ONCE))
}

/// A sink that is lost, and one that has caught up, are said once: in the log and to the operator.
async fn tell(app: &App, state: &State, fault: Option<SinkFault>) {
    let sink = state.settings.name.as_str();
    let event = Event::new(EventKind::SinkChanged, Actor::gateway()).with("sink", sink);
    let event = if let Some(fault) = fault {
        tracing::error!(sink, reason = fault.code(), "an audit sink takes no entries");
        event.with("state", "lost").with("reason", fault.code())
    } else {
        tracing::info!(sink, "an audit sink takes entries again");
        event.with("state", "caught-up")
    };
    if let Err(error) = app.store.commit(Change::because(event)).await {
        let error = crate::telemetry::chain(&error);
        tracing::error!(sink, error, "it could not be written down how an audit sink stands");
    }
}

/// Where entries go.
#[derive(Debug)]
enum Sink {
    File(Box<file::Folder>),
    Syslog,
}

impl Sink {
    fn of(settings: &SinkSection) -> Self {
        match settings.kind {
            SinkKind::File => Self::File(Box::new(file::Folder::of(settings))),
            SinkKind::Syslog => Self::Syslog,
        }
    }

    /// The place of the first entry it does not have: a folder knows better than the database.
    async fn next(&mut self, app: &App, stored: u64) -> Result<u64, SinkFault> {
        match self {
            Self::File(folder) => folder.next(app).await,
            Self::Syslog => Ok(stored),
        }
    }

    async fn take(
        &mut self,
        app: &App,
        state: &State,
        rows: Vec<AuditRow>,
    ) -> Result<(), SinkFault> {
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            // What cannot be read is handed on as it is: it must neither be lost nor stop the rest.
            let entry = Entry::parse(&row.leaf).ok();
            if entry.is_none() && !state.said_unreadable.swap(true, Ordering::Relaxed) {
                let (sink, seq) = (state.settings.name.as_str(), row.seq);
                tracing::error!(sink, seq, "an entry of the log cannot be read; verify the log");
            }
            entries.push((entry, row));
        }
        match self {
            Self::File(folder) => folder.take(app, entries).await,
            Self::Syslog => syslog::take(app, &state.settings, &entries).await,
        }
    }
}

/// Entries that are handed on together: one flush, or one connection.
const AT_ONCE: u32 = 500;
/// How often it is looked whether there is something new.
const EVERY: Duration = Duration::from_millis(250);
/// How soon a sink that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// After so many failures in a row a sink is lost: one that comes and goes does not fill the log.
const FAILURES: u32 = 2;
/// The longest that a stop waits for a sink.
const LAST: Duration = Duration::from_secs(2);
