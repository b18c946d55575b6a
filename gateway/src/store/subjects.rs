//! Guards on people: nothing goes out about a person after a withdrawal was acknowledged.
//!
//! Whoever sends holds the person's guard shared, from before authority is asked until the last
//! byte has left. Whoever records a withdrawal holds it exclusively: it waits for what is being
//! sent, and what comes later asks authority again and is refused. Guards are fair: a withdrawal
//! is not overtaken by later sends.
//!
//! Within a process this is a keyed lock; gateways that share a PostgreSQL also take an advisory
//! lock there, on a connection the guard keeps; guards taken together keep one connection between
//! them, and one entry each in the server's table of locks (some 6,000 unless it is configured for
//! more). Two people whose pseudonyms share their first
//! eight bytes share that lock, which only costs waiting.
//!
//! A guard orders and waits; it is not what proves. It can be lost while its holder goes on, and it
//! does not reach a command line beside a gateway on SQLite. That nothing leaves after a withdrawal
//! was acknowledged is held by the fence ([`sends`](super::sends)): a guard that has
//! [entered](SubjectGuard::entered) it takes its row away when it is dropped, and says until when
//! its bytes [may leave](SubjectGuard::may_leave).

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::Instant;
use uuid::Uuid;

use super::Store;
use super::engine::{Engine, Statement, postgres, statements};
use super::error::StoreError;
use super::value::values;
use crate::audit::SubjectKey;

/// How a guard is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// With others: for sending.
    Shared,
    /// Alone: for recording a withdrawal.
    Exclusive,
}

/// A person's guard, held until it is dropped. May move to another task or into a response body.
#[must_use = "a guard that is dropped guards nothing"]
pub struct SubjectGuard {
    guards: Option<SubjectGuards>,
    fence: Option<Fence>,
}

/// A row that says that somebody sends: taken away when what was sent has left.
struct Fence {
    store: Store,
    id: Uuid,
    until: Instant,
}

/// The guards of several people, held until they are dropped together.
#[must_use = "guards that are dropped guard nothing"]
pub struct SubjectGuards {
    // Dropped in this order: the server's locks, then ours.
    _server: Option<ServerLocks>,
    _local: Vec<Local>,
}

/// One person's guard within this process.
struct Local {
    // Dropped in this order: the lock, then the entry nobody uses any more.
    _lock: LocalLock,
    _entry: Entry,
}

impl Store {
    /// Waits for a person's guard.
    pub async fn subject_guard(
        &self,
        subject: SubjectKey,
        hold: Hold,
    ) -> Result<SubjectGuard, StoreError> {
        let guards = self.subject_guards(&BTreeSet::from([subject]), hold).await?;
        Ok(SubjectGuard { guards: Some(guards), fence: None })
    }

    /// Waits for the guards of several people, alone, at most this long; `None` when they could
    /// not be had in time.
    pub async fn subject_guards_within(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        at_most: Duration,
    ) -> Result<Option<SubjectGuards>, StoreError> {
        let taken = self.guards_of(subjects, Hold::Exclusive, Some(at_most));
        match tokio::time::timeout(at_most, taken).await {
            Ok(Ok(guards)) => Ok(Some(guards)),
            Ok(Err(StoreError::StillLeaving)) | Err(_) => Ok(None),
            Ok(Err(error)) => Err(error),
        }
    }

    /// Waits for the guards of several people, on one connection however many they are.
    ///
    /// Sets that overlap do not wait for each other for ever, because each takes its guards in the
    /// same order. For the same reason whoever holds guards must not ask for more of them.
    ///
    /// A guard holds for every pseudonym that means the person. Those are looked up before the
    /// guards are taken and again after, because an event about identities takes the same guards:
    /// whoever has them knows all of them.
    pub async fn subject_guards(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        hold: Hold,
    ) -> Result<SubjectGuards, StoreError> {
        self.guards_of(subjects, hold, None).await
    }

    async fn guards_of(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        hold: Hold,
        at_most: Option<Duration>,
    ) -> Result<SubjectGuards, StoreError> {
        loop {
            let people = self.pseudonyms_of_all(subjects).await?;
            let guards = self.guards_on(&people, hold, at_most).await?;
            if self.pseudonyms_of_all(subjects).await? == people {
                return Ok(guards);
            }
        }
    }

    async fn guards_on(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        hold: Hold,
        at_most: Option<Duration>,
    ) -> Result<SubjectGuards, StoreError> {
        let mut local = Vec::with_capacity(subjects.len());
        for subject in subjects {
            local.push(Local::take(&self.subjects, *subject, hold).await);
        }
        let server = match &self.subjects.engine {
            Engine::Postgres { locks, .. } if !subjects.is_empty() => {
                Some(ServerLocks::take(locks.acquire().await?, subjects, hold, at_most).await?)
            }
            Engine::Postgres { .. } | Engine::Sqlite { .. } => None,
        };
        Ok(SubjectGuards { _server: server, _local: local })
    }
}

impl SubjectGuard {
    /// Says under which row this guard's holder sends, and until when its bytes may leave by this
    /// process's steady clock. A row entered before is taken away.
    pub fn entered(&mut self, store: &Store, id: Uuid, until: Instant) {
        let before = self.fence.replace(Fence { store: store.clone(), id, until });
        if let (Some(fence), Ok(runtime)) = (before, tokio::runtime::Handle::try_current()) {
            runtime.spawn(fence.leave());
        }
    }

    /// Whether bytes may still leave under this guard: look before every piece of them. A sender
    /// that was frozen and wakes finds that it may not.
    pub fn may_leave(&self) -> bool {
        self.fence.as_ref().is_none_or(|fence| Instant::now() < fence.until)
    }

    /// Until when bytes may leave under this guard.
    pub fn until(&self) -> Option<Instant> {
        self.fence.as_ref().map(|fence| fence.until)
    }

    /// The row was taken away by the commit that says what became of the send.
    pub fn left(&mut self) {
        self.fence = None;
    }

    /// Loses the locks while the holder goes on, as when its database session is killed. For
    /// proofs: nothing may depend on a guard that can be lost.
    pub fn lose(&mut self) {
        if let Some(SubjectGuards { _server: Some(mut server), .. }) = self.guards.take() {
            server.cut();
        }
    }
}

impl Fence {
    async fn leave(self) {
        // What cannot be taken away lapses.
        if let Err(error) = self.store.end_sending(self.id).await {
            let error = crate::telemetry::chain(&error);
            tracing::debug!(error, "a send that has ended stays on record until it lapses");
        }
    }
}

impl Drop for SubjectGuard {
    fn drop(&mut self) {
        let Some(fence) = self.fence.take() else { return };
        let guards = self.guards.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                fence.leave().await;
                // Only now: whoever waits for the guard then finds nobody sending.
                drop(guards);
            });
        }
    }
}

impl Local {
    async fn take(locks: &Arc<SubjectLocks>, subject: SubjectKey, hold: Hold) -> Self {
        let entry = SubjectLocks::entry(locks, subject);
        let lock = Arc::clone(&entry.lock);
        let lock = match hold {
            Hold::Shared => LocalLock::Shared { _guard: lock.read_owned().await },
            Hold::Exclusive => LocalLock::Exclusive { _guard: lock.write_owned().await },
        };
        Self { _lock: lock, _entry: entry }
    }
}

impl fmt::Debug for SubjectGuards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectGuards")
    }
}

impl fmt::Debug for SubjectGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectGuard")
    }
}

/// The locks of this process, by person; only those in use.
#[derive(Debug)]
pub(super) struct SubjectLocks {
    engine: Engine,
    locks: Mutex<HashMap<SubjectKey, Arc<RwLock<()>>>>,
}

impl SubjectLocks {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, locks: Mutex::new(HashMap::new()) }
    }

    /// How many people have a guard held or waited for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table().len()
    }

    fn entry(this: &Arc<Self>, subject: SubjectKey) -> Entry {
        let lock = Arc::clone(this.table().entry(subject).or_default());
        Entry { subject, lock, locks: Arc::clone(this) }
    }

    /// A panic elsewhere leaves the table whole: every change to it is one insertion or removal.
    fn table(&self) -> MutexGuard<'_, HashMap<SubjectKey, Arc<RwLock<()>>>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A use of a person's lock; the last one to go removes it from the table.
struct Entry {
    subject: SubjectKey,
    lock: Arc<RwLock<()>>,
    locks: Arc<SubjectLocks>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut table = self.locks.table();
        // The table and this entry: nobody else holds it or waits for it.
        if Arc::strong_count(&self.lock) <= 2 {
            table.remove(&self.subject);
        }
    }
}

enum LocalLock {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Exclusive { _guard: OwnedRwLockWriteGuard<()> },
}

/// Advisory locks, and the connection whose session holds them all.
struct ServerLocks {
    connection: Option<PoolConnection<Postgres>>,
}

impl ServerLocks {
    async fn take(
        connection: PoolConnection<Postgres>,
        subjects: &BTreeSet<SubjectKey>,
        hold: Hold,
        at_most: Option<Duration>,
    ) -> Result<Self, StoreError> {
        // Made before the locks are asked for: if the caller gives up while waiting, dropping this
        // lets the wait end in the background and gives the locks back.
        let mut locks = Self { connection: Some(connection) };
        let statement = match hold {
            Hold::Shared => &LOCK_SHARED,
            Hold::Exclusive => &LOCK_EXCLUSIVE,
        };
        // The server itself ends the wait: one that is only walked away from would keep its place
        // in the queue, and everybody else behind it.
        if let (Some(at_most), Some(connection)) = (at_most, &mut locks.connection) {
            let query = postgres(PATIENCE.postgres, values![at_most.as_millis().to_string()]);
            query.fetch_all(&mut **connection).await?;
        }
        // In order of number on every gateway, and each number once.
        let numbers: BTreeSet<i64> = subjects.iter().copied().map(lock_number).collect();
        for number in numbers {
            locks.ask(statement, number).await.map_err(|error| match (hold, error) {
                // A withdrawal is at work: what waited must ask authority again anyway.
                (Hold::Shared, StoreError::StillLeaving) => StoreError::Fenced,
                (_, error) => error,
            })?;
        }
        Ok(locks)
    }

    async fn ask(&mut self, statement: &Statement, number: i64) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            let query = postgres(statement.postgres, values![number]);
            query.fetch_all(&mut **connection).await.map_err(|error| {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                if code.as_deref() == Some(LOCK_NOT_AVAILABLE) {
                    StoreError::StillLeaving
                } else {
                    error.into()
                }
            })?;
        }
        Ok(())
    }

    /// Ends the session without giving the locks back: the server does.
    fn cut(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for ServerLocks {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let mut session = Unlocking { connection: Some(connection) };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let Some(connection) = &mut session.connection else { return };
                let query = postgres(UNLOCK.postgres, values![]);
                if query.fetch_all(&mut **connection).await.is_ok() {
                    // Unlocked: the session may be used again.
                    drop(session.connection.take());
                }
            });
        }
    }
}

/// A connection that must not go back to its pool while its session holds a lock.
struct Unlocking {
    connection: Option<PoolConnection<Postgres>>,
}

impl Drop for Unlocking {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closing the session releases its locks.
            drop(connection.detach());
        }
    }
}

fn lock_number(subject: SubjectKey) -> i64 {
    let first = subject.0.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_be_bytes(first)
}

/// How a server says that a lock was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

statements! {
    LOCK_SHARED = "subjects::take" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_lock_shared($1)";
    LOCK_EXCLUSIVE = "subjects::take" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_lock($1)";
    UNLOCK = "subjects::drop" on "subjects":
        "select 1 as number", postgres: " from pg_advisory_unlock_all(),
            set_config('lock_timeout', '20s', false)";
    PATIENCE = "subjects::take" on "subjects":
        "select $1 as number", postgres: " from set_config('lock_timeout', $1, false)";
}
