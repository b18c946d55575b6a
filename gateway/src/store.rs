//! The one place where anything is kept: a concrete store over two engines.
//!
//! A change is a [`Change`]: events, each with the writes it explains. There is no other way to
//! write audited tables, so no change can be committed without its audit entry. Changes that wait
//! at the same time share one durable transaction (group commit).
//!
//! This module must never know a `Record` or a plaintext byte of one: it takes sealed things only.
//!
//! To use it: [`Store::open`], then [`Store::commit`] for every change and the typed questions
//! (`find_…`, `inbox`, `board`, `journey`) for everything else; [`Store::close`] at the end.
//! Claiming a delivery ([`Store::lease_due`]) is bookkeeping: it can touch nothing but leases.
//!
//! Limits: at most 256 changes or 4,096 events share a transaction; 1,024 changes wait before
//! callers are slowed. A list never returns more than it was asked for.
//!
//! Not supported, and why: deleting and rewriting rows, because what happened stays told. Retention
//! is a change like any other: it makes sealed bytes nothing and leaves the row. The exceptions: a new
//! hold takes the earlier votes off its delivery, and the log keeps them; what the watch keeps beside
//! the log is forgotten when no rule looks back as far; a list of staff takes the place of the one
//! before; the look-up of a period of the log is destroyed, by a change like any other.

mod alerts;
mod backups;
mod cases;
mod clocks;
mod commit;
mod connection;
mod consents;
mod counts;
mod deliveries;
mod documents;
pub(crate) mod dump;
mod duties;
mod engine;
mod error;
mod holds;
mod identities;
mod kept;
mod legal_holds;
mod legs;
mod log;
mod looks;
mod migration;
mod notice;
mod periods;
mod plan;
mod pulse;
mod reconciliations;
mod records;
mod relations;
mod restores;
mod retention;
mod row;
mod searches;
mod sends;
mod signal;
mod sinks;
mod subjects;
mod transitions;
mod value;
mod watch;
mod witnessed;
mod writes;

pub mod bare;
pub mod change;

use std::sync::Arc;

use crate::clock::Clock;
use crate::entropy::Entropy;
use commit::{Committer, Desk};
use connection::Missing;
use engine::Engine;
use signal::Signal;
use subjects::SubjectLocks;

pub use alerts::{
    AlertDecision, AlertEntry, AlertFilter, AlertPlace, AlertWrite, DRAWN_ONCE, ESCALATED,
    NewAlert, NewSample, StoredAlert,
};
pub use backups::{NewBackup, StoredBackup};
pub use cases::{CaseClock, CaseClockLine, ClockFilter, NewCaseClock};
pub use change::{
    Change, DocumentFound, NewConsent, NewDelivery, NewDocument, NewLeg, NewQuarantine, NewRecord,
    NewSubmission, Relations, Settlement, Write,
};
pub use clocks::{AgreementRow, ClockWrite, LegSnapshot, ReminderRow, SnapshotFilter};
pub use commit::{Committed, Traffic};
pub use connection::{DatabaseUrl, StoreLocation};
pub use counts::Counts;
pub use deliveries::InboxPlace;
pub use documents::{HeldMessage, StoredUpload};
pub use error::{Fault, MOVED_ON, REMOVED_MEANWHILE, SUPERSEDED_ONCE, StoreError};
pub use holds::{
    Ageing, Finding, HoldFilter, HoldPlace, HoldWrite, NewQuestion, NewReview, StoredQuestion,
    StoredReview,
};
pub use identities::{CaseKey, CasePerson, IdentityKind, IdentityWrite, NewIdentity};
pub use kept::{
    Content, Contents, KeptDocument, KeptOriginal, KeptPart, KeptPlace, KeptQuarantine, KeptRecord,
    Whose,
};
pub use legal_holds::{
    HOLDS_MOVED, HeldScope, HoldActor, Lifted, NewLegalHold, ScopeName, StoredLegalHold,
};
pub use legs::{BoardFilter, BoardLine, BoardPlace};
pub use log::{AuditRow, Head, StoredCheckpoint};
pub use notice::Notice;
pub use periods::{LogPeriod, LookUpGone, LookUpSize};
pub use plan::{Appended, LogError, LogKeeper};
pub use pulse::Unwritable;
pub use reconciliations::{
    Explained, NewDifference, NewStatement, Parcelled, ParcelledTo, Refused, Span, StatementId,
    StoredDifference, StoredStatement,
};
pub use records::{StoredQuarantine, StoredRecord, StoredSubmission};
pub use relations::{CaseMessage, Related, Taken};
pub use restores::{Restore, Shown};
pub use retention::{
    NewCertificate, Removable, Removal, RetentionWrite, StoredCertificate, StoredRemoval,
};
pub use searches::LogFilter;
pub use sends::{CLOCKS_AGREE, NewSend};
pub use sinks::RequiredSink;
pub use subjects::{Hold, SubjectGuard, SubjectGuards};
pub use transitions::{
    NewTransitionStep, TransitionDay, TransitionDelivery, TransitionFilter, TransitionStep,
    TransitionWrite,
};
pub use watch::{
    InCommon, LOOKED_AT, Mark, StaffMember, WatchWrite, Watched, WatchedLook, WatchedTo, WatchedWay,
};
pub use witnessed::{HeldOutside, StoredCosignature};

/// Everything the gateway keeps. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    desk: Arc<Desk>,
    keeper: Arc<LogKeeper>,
    subjects: Arc<SubjectLocks>,
    signal: Signal,
}

impl Store {
    /// Opens the database, brings it up to date, and starts the task that commits.
    ///
    /// Must be called inside a tokio runtime. Refuses a database that is newer than this program
    /// or that does not keep the settings durability depends on.
    pub async fn open(
        location: StoreLocation,
        keeper: LogKeeper,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StoreError> {
        let engine = connection::open(&location, Missing::Make).await?;
        Self::start(engine, keeper, clock, entropy).await
    }

    /// Opens a database that must be there: like [`Store::open`], but an embedded database whose
    /// file is missing is refused and not made. For commands that only look, and for copies.
    pub async fn open_existing(
        location: StoreLocation,
        keeper: LogKeeper,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StoreError> {
        let engine = connection::open(&location, Missing::Refuse).await?;
        Self::start(engine, keeper, clock, entropy).await
    }

    async fn start(
        engine: Engine,
        keeper: LogKeeper,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StoreError> {
        migration::migrate(&engine, clock.now()).await?;
        let signal = Signal::open(&engine);
        let keeper = Arc::new(keeper);
        let desk = Committer::start(
            engine.clone(),
            Arc::clone(&keeper),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            signal.clone(),
        );
        let subjects = Arc::new(SubjectLocks::new(engine.clone()));
        Ok(Self { engine, clock, entropy, desk: Arc::new(desk), keeper, subjects, signal })
    }

    /// Commits a change with its audit entries, durably, or not at all.
    ///
    /// The change may share a transaction with others, but fails alone. Once handed over it is
    /// committed even when the caller goes away. After `Unavailable` it may or may not have been
    /// made.
    pub async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let committed = self.desk.commit(change).await;
        if committed.is_ok() {
            notice::mark();
        }
        committed
    }

    /// Whether the log can be written now: without it nothing is accepted and nothing released.
    /// Asking adds no entry, takes at most three seconds, and costs a flush at most once a second.
    pub async fn is_writable(&self) -> Result<(), Unwritable> {
        self.desk.is_writable().await
    }

    /// Commits everything handed over so far, then closes the database. Later commits are
    /// refused.
    pub async fn close(&self) {
        self.desk.close().await;
        self.signal.close();
        self.engine.close().await;
    }

    /// Copies an embedded database into a new file: a backup while the gateway runs.
    pub async fn copy_to(&self, file: &std::path::Path) -> Result<(), StoreError> {
        connection::copy(&self.engine, file).await
    }

    /// Makes what was freed unreadable, as far as the engine lets: an embedded database moves its
    /// journal into its file and empties it, where freed bytes are written over. `false` when
    /// somebody still reads the journal, and on a server, whose own housekeeping does it in its time.
    pub async fn forget_freed(&self) -> Result<bool, StoreError> {
        connection::forget_freed(&self.engine).await
    }

    /// How many changes were committed, in how many transactions, since the store was opened.
    pub fn traffic(&self) -> Traffic {
        self.desk.traffic()
    }

    /// The name of the engine: `sqlite` or `postgres`.
    pub fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite { .. } => "sqlite",
            Engine::Postgres { .. } => "postgres",
        }
    }
}

#[cfg(test)]
mod tests;
