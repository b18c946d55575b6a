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
//! eight bytes share that lock, which only costs waiting. SQLite has one gateway; a command line
//! beside it commits withdrawals without waiting for that gateway's sends.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

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
    _guards: SubjectGuards,
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
        Ok(SubjectGuard { _guards: guards })
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
        loop {
            let people = self.pseudonyms_of_all(subjects).await?;
            let guards = self.guards_on(&people, hold).await?;
            if self.pseudonyms_of_all(subjects).await? == people {
                return Ok(guards);
            }
        }
    }

    async fn guards_on(
        &self,
        subjects: &BTreeSet<SubjectKey>,
        hold: Hold,
    ) -> Result<SubjectGuards, StoreError> {
        let mut local = Vec::with_capacity(subjects.len());
        for subject in subjects {
            local.push(Local::take(&self.subjects, *subject, hold).await);
        }
        let server = match &self.subjects.engine {
            Engine::Postgres { locks, .. } if !subjects.is_empty() => {
                Some(ServerLocks::take(locks.acquire().await?, subjects, hold).await?)
            }
            Engine::Postgres { .. } | Engine::Sqlite { .. } => None,
        };
        Ok(SubjectGuards { _server: server, _local: local })
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
    ) -> Result<Self, StoreError> {
        // Made before the locks are asked for: if the caller gives up while waiting, dropping this
        // lets the wait end in the background and gives the locks back.
        let mut locks = Self { connection: Some(connection) };
        let statement = match hold {
            Hold::Shared => &LOCK_SHARED,
            Hold::Exclusive => &LOCK_EXCLUSIVE,
        };
        // In order of number on every gateway, and each number once.
        let numbers: BTreeSet<i64> = subjects.iter().copied().map(lock_number).collect();
        for number in numbers {
            locks.ask(statement, number).await?;
        }
        Ok(locks)
    }

    async fn ask(&mut self, statement: &Statement, number: i64) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            let query = postgres(statement.postgres, values![number]);
            query.fetch_all(&mut **connection).await?;
        }
        Ok(())
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

statements! {
    LOCK_SHARED = "subjects::take" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_lock_shared($1)";
    LOCK_EXCLUSIVE = "subjects::take" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_lock($1)";
    UNLOCK = "subjects::drop" on "subjects":
        "select 1 as number", postgres: " from pg_advisory_unlock_all()";
}
