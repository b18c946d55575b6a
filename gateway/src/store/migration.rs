//! Brings a database up to date: numbered, forward only, each in one transaction.
//!
//! A migration is never edited after release. A database that has seen a newer one than this
//! program knows is refused, not guessed at. Several gateways may start at once: the first one
//! in migrates, the others wait and find nothing to do.

use jiff::Timestamp;

use super::engine::{Engine, Transaction, statements};
use super::error::StoreError;
use super::value::values;

/// One migration, written for each engine.
struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Applies what is missing.
pub(super) async fn migrate(engine: &Engine, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = engine.begin().await?;
    migrate_to(&mut tx, i64::MAX, now).await?;
    tx.commit().await
}

/// Applies what is missing up to a migration, in a transaction that may do more.
pub(super) async fn migrate_to(
    tx: &mut Transaction,
    last: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let preparation = if tx.is_shared() { PREPARE_POSTGRES } else { PREPARE_SQLITE };
    tx.script(preparation)
        .await
        .map_err(|error| StoreError::Migration { number: 0, fault: (&error).into() })?;
    let found = match tx.rows(&NEWEST, values![]).await?.first() {
        Some(row) => row.int("number")?,
        None => 0,
    };
    let known = known();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    let due = |number| number > found && number <= last;
    for migration in MIGRATIONS.iter().filter(|migration| due(migration.number)) {
        apply(tx, migration, now).await?;
    }
    Ok(())
}

/// The newest migration this program has.
pub(super) fn known() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.number).max().unwrap_or(0)
}

async fn apply(
    tx: &mut Transaction,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = if tx.is_shared() { migration.postgres } else { migration.sqlite };
    tx.script(sql).await.map_err(|error| StoreError::Migration {
        number: migration.number,
        fault: (&error).into(),
    })?;
    tx.execute(&APPLIED, values![migration.number, migration.name, now]).await?;
    Ok(())
}

statements! {
    NEWEST = "migration::migrate_to" on "migrations":
        "select coalesce(max(number), 0) as number from migrations";
    APPLIED = "migration::apply" on "migrations":
        "insert into migrations (number, name, applied_at) values ($1, $2, $3)";
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first_light",
        sqlite: include_str!("../../migrations/sqlite/0001_first_light.sql"),
        postgres: include_str!("../../migrations/postgres/0001_first_light.sql"),
    },
    Migration {
        number: 2,
        name: "questions_about_people",
        sqlite: include_str!("../../migrations/sqlite/0002_questions_about_people.sql"),
        postgres: include_str!("../../migrations/postgres/0002_questions_about_people.sql"),
    },
    Migration {
        number: 3,
        name: "documents",
        sqlite: include_str!("../../migrations/sqlite/0003_documents.sql"),
        postgres: include_str!("../../migrations/postgres/0003_documents.sql"),
    },
    Migration {
        number: 4,
        name: "duties",
        sqlite: include_str!("../../migrations/sqlite/0004_duties.sql"),
        postgres: include_str!("../../migrations/postgres/0004_duties.sql"),
    },
    Migration {
        number: 5,
        name: "holds",
        sqlite: include_str!("../../migrations/sqlite/0005_holds.sql"),
        postgres: include_str!("../../migrations/postgres/0005_holds.sql"),
    },
    Migration {
        number: 6,
        name: "clocks",
        sqlite: include_str!("../../migrations/sqlite/0006_clocks.sql"),
        postgres: include_str!("../../migrations/postgres/0006_clocks.sql"),
    },
    Migration {
        number: 7,
        name: "consent_in_force",
        sqlite: include_str!("../../migrations/sqlite/0007_consent_in_force.sql"),
        postgres: include_str!("../../migrations/postgres/0007_consent_in_force.sql"),
    },
    Migration {
        number: 8,
        name: "letters",
        sqlite: include_str!("../../migrations/sqlite/0008_letters.sql"),
        postgres: include_str!("../../migrations/postgres/0008_letters.sql"),
    },
    Migration {
        number: 9,
        name: "grounds_of_votes",
        sqlite: include_str!("../../migrations/sqlite/0009_grounds_of_votes.sql"),
        postgres: include_str!("../../migrations/postgres/0009_grounds_of_votes.sql"),
    },
    Migration {
        number: 10,
        name: "transitions",
        sqlite: include_str!("../../migrations/sqlite/0010_transitions.sql"),
        postgres: include_str!("../../migrations/postgres/0010_transitions.sql"),
    },
    Migration {
        number: 12,
        name: "search_of_the_log",
        sqlite: include_str!("../../migrations/sqlite/0012_search_of_the_log.sql"),
        postgres: include_str!("../../migrations/postgres/0012_search_of_the_log.sql"),
    },
    Migration {
        number: 13,
        name: "audit_sinks",
        sqlite: include_str!("../../migrations/sqlite/0013_audit_sinks.sql"),
        postgres: include_str!("../../migrations/postgres/0013_audit_sinks.sql"),
    },
    Migration {
        number: 14,
        name: "odd_access",
        sqlite: include_str!("../../migrations/sqlite/0014_odd_access.sql"),
        postgres: include_str!("../../migrations/postgres/0014_odd_access.sql"),
    },
    Migration {
        number: 15,
        name: "backups",
        sqlite: include_str!("../../migrations/sqlite/0015_backups.sql"),
        postgres: include_str!("../../migrations/postgres/0015_backups.sql"),
    },
    Migration {
        number: 16,
        name: "retention",
        sqlite: include_str!("../../migrations/sqlite/0016_retention.sql"),
        postgres: include_str!("../../migrations/postgres/0016_retention.sql"),
    },
    Migration {
        number: 17,
        name: "periods_of_the_log",
        sqlite: include_str!("../../migrations/sqlite/0017_periods_of_the_log.sql"),
        postgres: include_str!("../../migrations/postgres/0017_periods_of_the_log.sql"),
    },
];

const PREPARE_SQLITE: &str = "/* migration::migrate_to */
    create table if not exists migrations (
        number integer primary key,
        name text not null,
        applied_at integer not null
    ) strict";

// The lock is let go at the end of the transaction; its number is arbitrary and ours.
const PREPARE_POSTGRES: &str = "/* migration::migrate_to */
    set local lock_timeout = 0;
    select pg_advisory_xact_lock(3342014);
    create table if not exists migrations (
        number bigint primary key,
        name text not null,
        applied_at bigint not null
    )";
