//! Opening a database: where it is, the settings that make it durable, and proof that it keeps
//! them.
//!
//! SQLite silently ignores a pragma it does not know or cannot honour, so each one that matters is
//! read back and the store does not open when it is not as it must be.

use std::fmt;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use zeroize::Zeroizing;

use super::engine::Engine;
use super::error::StoreError;

/// Where the database is.
#[derive(Debug, Clone)]
pub enum StoreLocation {
    /// A file on this machine's own disk; made when it is not there, readable by its owner only.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A PostgreSQL server, shared by several gateways.
    Postgres {
        /// Its address, with user and password.
        url: DatabaseUrl,
    },
}

/// The address of a database server: may hold a password, so it hides in `Debug` and is wiped.
#[derive(Clone)]
pub struct DatabaseUrl(Zeroizing<String>);

impl DatabaseUrl {
    /// Takes the address as the operator wrote it, for example `postgres://user@host/name`.
    pub fn new(url: impl Into<String>) -> Self {
        Self(Zeroizing::new(url.into()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(hidden)")
    }
}

/// What to do about an embedded database that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Refuse,
}

/// Opens the connections and checks the settings.
pub(super) async fn open(location: &StoreLocation, missing: Missing) -> Result<Engine, StoreError> {
    match location {
        StoreLocation::Sqlite { path } => open_sqlite(path, missing).await,
        StoreLocation::Postgres { url } => open_postgres(url, CONNECTIONS).await,
    }
}

/// The same, with a server's pool of another size; SQLite has one writer whatever is asked.
pub(super) async fn open_with(
    location: &StoreLocation,
    connections: u32,
) -> Result<Engine, StoreError> {
    match location {
        StoreLocation::Sqlite { path } => open_sqlite(path, Missing::Make).await,
        StoreLocation::Postgres { url } => open_postgres(url, connections).await,
    }
}

/// Copies an embedded database whole, consistent and without its journal, while it is in use.
pub(super) async fn copy(engine: &Engine, to: &Path) -> Result<(), StoreError> {
    let Engine::Sqlite { write, .. } = engine else {
        return Err(StoreError::Setting { setting: "engine: copy a server with its own tools" });
    };
    let to = to.display().to_string();
    sqlx::query("/* connection::copy */ vacuum into $1").bind(to).execute(write).await?;
    Ok(())
}

/// Moves the journal of an embedded database into its file and empties it; `false` when a reader kept
/// some of it, or where there is none.
pub(super) async fn forget_freed(engine: &Engine) -> Result<bool, StoreError> {
    let Engine::Sqlite { write, .. } = engine else { return Ok(false) };
    let sql = "/* connection::forget_freed */ pragma wal_checkpoint(truncate)";
    let row = sqlx::query(sql).fetch_one(write).await?;
    Ok(row.try_get::<i64, _>(0)? == 0)
}

async fn open_sqlite(path: &Path, missing: Missing) -> Result<Engine, StoreError> {
    make_private(path, missing)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .pragma("trusted_schema", "off")
        // What is deleted or made empty is written over with zeros.
        .pragma("secure_delete", "on")
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Full);
    let lasting = || {
        SqlitePoolOptions::new().max_lifetime(None).idle_timeout(None).test_before_acquire(false)
    };
    let write = lasting()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
        .await?;
    let read = lasting()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.read_only(true))
        .await?;
    for pool in [&write, &read] {
        assert_settings(pool).await?;
    }
    Ok(Engine::Sqlite { write, read })
}

/// Makes the file, if it may, with rights for its owner only; the journal beside it inherits
/// them.
fn make_private(path: &Path, missing: Missing) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create(missing == Missing::Make).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        if missing == Missing::Refuse && error.kind() == ErrorKind::NotFound {
            StoreError::Setting { setting: "database file: it does not exist" }
        } else {
            StoreError::Unavailable((&sqlx::Error::Io(error)).into())
        }
    })
}

async fn assert_settings(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    for (setting, sql, wanted) in SETTINGS {
        let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
        let found = row.try_get::<i64, _>(0).map(|number| number.to_string());
        let found = found.or_else(|_| row.try_get::<String, _>(0))?;
        if found != wanted {
            return Err(StoreError::Setting { setting });
        }
    }
    Ok(())
}

async fn open_postgres(url: &DatabaseUrl, connections: u32) -> Result<Engine, StoreError> {
    let options = PgConnectOptions::from_str(&url.0)
        .or(Err(StoreError::Setting { setting: "address" }))?
        .application_name("ehc-gateway")
        .options([("synchronous_commit", "on"), ("client_min_messages", "warning")]);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .connect_with(options.clone().options([("lock_timeout", BUSY_AT_SERVER)]))
        .await?;
    let locks = PgPoolOptions::new()
        .max_connections(LOCKS)
        .acquire_timeout(LOCK_WAIT)
        .connect_lazy_with(options.options([("lock_timeout", LOCK_TIMEOUT)]));
    assert_durable(&pool).await?;
    Ok(Engine::Postgres { pool, locks })
}

async fn assert_durable(pool: &PgPool) -> Result<(), StoreError> {
    let sql = "/* connection::assert_durable */ select current_setting('synchronous_commit')";
    let row = sqlx::query(sql).fetch_one(pool).await?;
    if row.try_get::<String, _>(0)? == "on" {
        Ok(())
    } else {
        Err(StoreError::Setting { setting: "synchronous_commit" })
    }
}

/// Each setting, the question, and the answer it must give.
const SETTINGS: [(&str, &str, &str); 5] = [
    ("journal_mode", "/* connection::assert_settings */ pragma journal_mode", "wal"),
    ("synchronous", "/* connection::assert_settings */ pragma synchronous", "2"),
    ("foreign_keys", "/* connection::assert_settings */ pragma foreign_keys", "1"),
    ("trusted_schema", "/* connection::assert_settings */ pragma trusted_schema", "0"),
    ("secure_delete", "/* connection::assert_settings */ pragma secure_delete", "1"),
];

/// How long another process may hold the file, for example an import beside a server.
const BUSY: Duration = Duration::from_secs(10);
/// The same at a server: how long a row may be held by somebody else's transaction.
const BUSY_AT_SERVER: &str = "10s";
const ACQUIRE: Duration = Duration::from_secs(15);
const LOCK_WAIT: Duration = Duration::from_mins(1);
/// How long a lock on a person is waited for at the server, when nothing else is said.
const LOCK_TIMEOUT: &str = "20s";
const READERS: u32 = 4;
const CONNECTIONS: u32 = 12;
const LOCKS: u32 = 24;
