//! Guards on people: nothing goes out about a person after a withdrawal was acknowledged.
//!
//! Whoever sends holds the person's guard shared, from before authority is asked until the last
//! byte has left. Whoever records a withdrawal holds it exclusively: it waits for what is being
//! sent, and what comes later asks authority again and is refused. Guards are fair: a withdrawal
//! is not overtaken by later sends.
//!
//! Within a process this is a keyed lock; gateways that share a PostgreSQL also take an advisory
//! lock there, on a connection the guard keeps. Two people whose pseudonyms share their first
//! eight bytes share that lock, which only costs waiting. SQLite has one gateway; a command line
//! beside it commits withdrawals without waiting for that gateway's sends.

use std::collections::HashMap;
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
    // Dropped in this order: the server's lock, ours, then the entry nobody uses any more.
    _server: Option<ServerLock>,
    _local: LocalLock,
    _entry: Entry,
}

impl Store {
    /// Waits for a person's guard.
    pub async fn subject_guard(
        &self,
        subject: SubjectKey,
        hold: Hold,
    ) -> Result<SubjectGuard, StoreError> {
        let entry = SubjectLocks::entry(&self.subjects, subject);
        let lock = Arc::clone(&entry.lock);
        let local = match hold {
            Hold::Shared => LocalLock::Shared { _guard: lock.read_owned().await },
            Hold::Exclusive => LocalLock::Exclusive { _guard: lock.write_owned().await },
        };
        let server = match &self.subjects.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { locks, .. } => {
                Some(ServerLock::take(locks.acquire().await?, subject, hold).await?)
            }
        };
        Ok(SubjectGuard { _server: server, _local: local, _entry: entry })
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

/// An advisory lock, and the connection whose session holds it.
struct ServerLock {
    connection: Option<PoolConnection<Postgres>>,
    subject: SubjectKey,
    hold: Hold,
}

impl ServerLock {
    async fn take(
        connection: PoolConnection<Postgres>,
        subject: SubjectKey,
        hold: Hold,
    ) -> Result<Self, StoreError> {
        // Made before the lock is asked for: if the caller gives up while waiting, dropping this
        // lets the wait end in the background and gives the lock back.
        let mut lock = Self { connection: Some(connection), subject, hold };
        let statement = match hold {
            Hold::Shared => &LOCK_SHARED,
            Hold::Exclusive => &LOCK_EXCLUSIVE,
        };
        lock.ask(statement).await?;
        Ok(lock)
    }

    async fn ask(&mut self, statement: &Statement) -> Result<(), StoreError> {
        if let Some(connection) = &mut self.connection {
            let query = postgres(statement.postgres, values![lock_number(self.subject)]);
            query.fetch_all(&mut **connection).await?;
        }
        Ok(())
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let unlock = match self.hold {
            Hold::Shared => &UNLOCK_SHARED,
            Hold::Exclusive => &UNLOCK_EXCLUSIVE,
        };
        let mut lock = Unlocking { connection: Some(connection) };
        let number = lock_number(self.subject);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let Some(connection) = &mut lock.connection else { return };
                let query = postgres(unlock.postgres, values![number]);
                if query.fetch_all(&mut **connection).await.is_ok() {
                    // Unlocked: the session may be used again.
                    drop(lock.connection.take());
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
    UNLOCK_SHARED = "subjects::drop" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_unlock_shared($1)";
    UNLOCK_EXCLUSIVE = "subjects::drop" on "subjects":
        "select $1 as number", postgres: " from pg_advisory_unlock($1)";
}
