//! The bare durable insert rate: what the engine and the disk give when nothing else is done.
//!
//! The yardstick of the benchmark. One row in one plain table with one key, one durable commit
//! for each row, under the settings the store itself opens with. Must never touch an audited
//! table: it makes a table of its own and drops it.
//!
//! To use it: [`insert_rate`] with the bytes a row should have; [`Store::bytes_kept`] before and
//! after a load says how many those are; [`survey`] first, when the server is somebody's.
//!
//! On SQLite the writers queue for the one connection that writes; on PostgreSQL each has its own.
//! The rows' bytes cannot be compressed, as sealed bytes cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use sqlx::sqlite::SqlitePool;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::connection::{self, DatabaseUrl, StoreLocation};
use super::engine::{Engine, postgres, sqlite, statements};
use super::error::StoreError;
use super::value::values;
use super::{Store, engine::Transaction};

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BareRate {
    /// From the first timed insert until the last writer stopped.
    pub elapsed: Duration,
    /// How long each durable commit took, waiting for the writer included; one for each row.
    pub latencies: Vec<Duration>,
}

/// What the store keeps, in the columns that hold content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Accepted records.
    pub records: u64,
    /// The bytes of originals, answers, envelopes, labels, log entries and their tree nodes.
    /// Identifiers, hashes, deliveries, checkpoints and indexes are not counted.
    pub bytes: u64,
}

/// Whether a server somebody else set up can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// The database has no table: nothing of anybody's is in the way.
    pub is_empty: bool,
    /// The server flushes to disk (`fsync`), without which nothing is durable.
    pub flushes: bool,
}

/// Inserts rows for a while, one durable commit each, with this many writers at once.
pub async fn insert_rate(
    location: &StoreLocation,
    row_bytes: usize,
    writers: u32,
    for_how_long: Duration,
) -> Result<BareRate, StoreError> {
    let engine = connection::open_with(location, writers).await?;
    make_table(&engine).await?;
    let load = Load {
        ids: Arc::new(AtomicU64::new(1)),
        body: noise(row_bytes),
        // The writers and the one that takes the time.
        start: Arc::new(Barrier::new(usize::try_from(writers).unwrap_or(0).saturating_add(1))),
        for_how_long,
    };
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let writer = Writer::of(&engine).await?;
        tasks.spawn(load.clone().run(writer));
    }
    load.start.wait().await;
    let started = Instant::now();
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended.or(Err(StoreError::Closed))??);
    }
    let elapsed = started.elapsed();
    script(&engine, DROP).await?;
    engine.close().await;
    Ok(BareRate { elapsed, latencies })
}

/// Looks at a server before it is measured.
pub async fn survey(url: &DatabaseUrl) -> Result<Survey, StoreError> {
    let location = StoreLocation::Postgres { url: url.clone() };
    let engine = connection::open_with(&location, 1).await?;
    let mut counts = [0; 2];
    for (statement, count) in [&TABLES, &FLUSHES].into_iter().zip(&mut counts) {
        let row = engine.row(statement, values![]).await?;
        *count = row.map_or(Ok(0), |row| row.count("found"))?;
    }
    engine.close().await;
    let [tables, flushes] = counts;
    Ok(Survey { is_empty: tables == 0, flushes: flushes == 1 })
}

impl Store {
    /// How much content is kept now.
    pub async fn bytes_kept(&self) -> Result<Kept, StoreError> {
        match self.engine.row(&BYTES_KEPT, values![]).await? {
            Some(row) => Ok(Kept { records: row.count("records")?, bytes: row.count("bytes")? }),
            None => Ok(Kept { records: 0, bytes: 0 }),
        }
    }
}

/// What all writers share.
#[derive(Debug, Clone)]
struct Load {
    ids: Arc<AtomicU64>,
    body: Vec<u8>,
    start: Arc<Barrier>,
    for_how_long: Duration,
}

impl Load {
    async fn run(self, mut writer: Writer) -> Result<Vec<Duration>, StoreError> {
        // Prepares the statement; the row is not counted. A writer that fails still lets the
        // others start.
        let first = self.insert(&mut writer).await;
        self.start.wait().await;
        first?;
        let started = Instant::now();
        let mut latencies = Vec::new();
        while started.elapsed() < self.for_how_long {
            let asked = Instant::now();
            self.insert(&mut writer).await?;
            latencies.push(asked.elapsed());
        }
        Ok(latencies)
    }

    /// One row in a transaction of its own: durable when this returns.
    async fn insert(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let values = values![id, self.body.clone()];
        match writer {
            Writer::Sqlite(pool) => {
                sqlite(INSERT.sqlite, values).execute(&*pool).await?;
            }
            Writer::Postgres(connection) => {
                postgres(INSERT.postgres, values).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }
}

/// Where one writer writes.
enum Writer {
    Sqlite(SqlitePool),
    Postgres(PoolConnection<Postgres>),
}

impl Writer {
    async fn of(engine: &Engine) -> Result<Self, StoreError> {
        Ok(match engine {
            Engine::Sqlite { write, .. } => Self::Sqlite(write.clone()),
            Engine::Postgres { pool, .. } => Self::Postgres(pool.acquire().await?),
        })
    }
}

/// Makes the table; refuses when there is one.
pub(super) async fn make_table(engine: &Engine) -> Result<(), StoreError> {
    let sql = match engine {
        Engine::Sqlite { .. } => CREATE_SQLITE,
        Engine::Postgres { .. } => CREATE_POSTGRES,
    };
    script(engine, sql).await
}

async fn script(engine: &Engine, sql: &'static str) -> Result<(), StoreError> {
    let mut tx: Transaction = engine.begin().await?;
    tx.script(sql).await?;
    tx.commit().await
}

/// Bytes that no database can compress, always the same ones (xorshift, which is no secret).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

statements! {
    INSERT = "bare::insert" on "bench_bare_rows":
        "insert into bench_bare_rows (id, body) values ($1, $2)";
    TABLES = "bare::survey" on "tables":
        "select 0 + count(*) as found",
        postgres: " from information_schema.tables where table_schema = current_schema()";
    FLUSHES = "bare::survey" on "pg_settings":
        "select 0 + count(*) as found",
        postgres: " from pg_settings where name = 'fsync' and setting = 'on'";
    BYTES_KEPT = "bare::bytes_kept" on "records":
        "select
            (select count(*) from records) as records,
            (select coalesce(sum(length(original) + length(answer)), 0) from submissions)
            + (select coalesce(sum(length(envelope) + length(label)), 0) from records)
            + (select coalesce(sum(length(leaf) + length(nodes)), 0) from audit_entries)
            as bytes";
}

const CREATE_SQLITE: &str = "/* bare::make_table */
    create table bench_bare_rows (id integer primary key, body blob not null) strict";
const CREATE_POSTGRES: &str = "/* bare::make_table */
    create table bench_bare_rows (id bigint primary key, body bytea not null)";
const DROP: &str = "/* bare::insert_rate */ drop table bench_bare_rows";

#[cfg(test)]
mod tests;
