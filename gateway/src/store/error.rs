//! Why the store could not do what was asked.
//!
//! Nothing here holds a value a person supplied: drivers put rows into the details of their errors
//! (PostgreSQL quotes the key that clashed), so a driver's error is reduced to a [`Fault`] where
//! it enters.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::entropy::EntropyError;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The database cannot be reached, is full, or is locked by another process. When a commit
    /// ends with this, it may or may not have been made: ask again under the same key.
    #[error("the database is not available")]
    Unavailable(#[source] Fault),
    /// The store was closed; nothing was written.
    #[error("the store is closed")]
    Closed,
    /// The sender has used this idempotency key before.
    #[error("the idempotency key is taken")]
    KeyTaken,
    /// The sender has sent a message with this reference before.
    #[error("the record was accepted before")]
    DuplicateRecord,
    /// The lease lapsed or was taken over; another worker may hold the delivery.
    #[error("the lease is no longer held")]
    LeaseLost,
    /// Nothing may begin to go about this person: their ledger has moved since authority was asked,
    /// or a withdrawal waits. Ask authority again.
    #[error("the person's consent ledger has moved, or is about to")]
    Fenced,
    /// Somebody still sends about this person, so that nothing can be stopped yet; nothing was
    /// written.
    #[error("something about this person is still leaving")]
    StillLeaving,
    /// The person's ledger is not at the version that was named; nothing was written.
    #[error("the person's consent ledger has moved")]
    LedgerMoved,
    /// This database is older than what partners hold: nothing goes until an operator confirms.
    #[error("nothing goes until the consent ledger has caught up after a restore")]
    HeldAfterRestore,
    /// A sink that is required is further behind than it may be; nothing was written.
    #[error("the audit sink {sink} has not confirmed {entries} entries of the log")]
    SinkBehind {
        /// Its name in the configuration.
        sink: String,
        /// How many entries it has not confirmed.
        entries: u64,
    },
    /// What is stored does not allow the change, for example collecting what was withdrawn.
    #[error("the change does not fit what is stored: {rule}")]
    Conflict {
        /// The rule that was broken.
        rule: &'static str,
    },
    /// What is stored contradicts the types it was written from.
    #[error("stored data contradicts itself: {table}.{column}, row {row}")]
    Contradiction {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's own random identifier, or its place in the log.
        row: String,
    },
    /// The database was written by a newer version of the gateway.
    #[error("the database is at migration {found}, this program knows {known}")]
    NewerSchema {
        /// The newest migration applied.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },
    /// The database could not be brought up to date; nothing of that migration was applied.
    #[error("migration {number} could not be applied")]
    Migration {
        /// Which migration.
        number: i64,
        /// What the database said.
        #[source]
        fault: Fault,
    },
    /// The database does not keep a setting that durability or safety depends on, or its address
    /// cannot be used.
    #[error("the database setting {setting} is not as it must be")]
    Setting {
        /// The setting.
        setting: &'static str,
    },
    /// The audit log could not be extended; nothing was written.
    #[error("the audit log could not be extended")]
    Log(#[source] Arc<dyn Error + Send + Sync>),
    /// The operating system gave no random bytes.
    #[error("no random bytes for an identifier")]
    Entropy(#[from] EntropyError),
}

impl StoreError {
    /// Whether one change is to blame, so that the others of its group may go ahead without it.
    pub(super) fn is_of_one_change(&self) -> bool {
        match self {
            Self::KeyTaken
            | Self::DuplicateRecord
            | Self::LeaseLost
            | Self::Fenced
            | Self::StillLeaving
            | Self::LedgerMoved
            | Self::HeldAfterRestore
            | Self::SinkBehind { .. }
            | Self::Conflict { .. }
            | Self::Contradiction { .. } => true,
            Self::Unavailable(_)
            | Self::Closed
            | Self::NewerSchema { .. }
            | Self::Migration { .. }
            | Self::Setting { .. }
            | Self::Log(_)
            | Self::Entropy(_) => false,
        }
    }
}

/// What the database said, without any value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Fault {}

impl From<&sqlx::Error> for Fault {
    fn from(error: &sqlx::Error) -> Self {
        // The message of a database error names constraints; only its details quote rows. The
        // other kinds are about sockets, pools and columns.
        Self(match error.as_database_error() {
            Some(said) => match said.code() {
                Some(code) => format!("{} ({code})", said.message()),
                None => said.message().to_owned(),
            },
            None => error.to_string(),
        })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::of_driver(&error)
    }
}

impl StoreError {
    /// Tells a broken rule from a database that is not there.
    fn of_driver(error: &sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        let Some(said) = error.as_database_error() else {
            return Self::Unavailable(error.into());
        };
        match said.kind() {
            ErrorKind::UniqueViolation => Self::of_clash(said.constraint(), said.message()),
            ErrorKind::ForeignKeyViolation => {
                Self::Conflict { rule: "what it refers to is not there" }
            }
            ErrorKind::CheckViolation | ErrorKind::NotNullViolation => {
                Self::Conflict { rule: "a value is outside what the column allows" }
            }
            ErrorKind::ExclusionViolation | ErrorKind::Other | _ => Self::Unavailable(error.into()),
        }
    }

    /// PostgreSQL names the constraint, SQLite the columns.
    fn of_clash(constraint: Option<&str>, message: &str) -> Self {
        let clash = constraint.unwrap_or(message);
        if clash == "submissions_key" || clash.contains("submissions.idempotency_key") {
            Self::KeyTaken
        } else if clash == "records_identity_key" || clash.contains("records.identity") {
            Self::DuplicateRecord
        } else if clash.contains("records_supersedes") || clash.contains("records.supersedes") {
            Self::Conflict { rule: SUPERSEDED_ONCE }
        } else if clash.contains("overrides") {
            Self::Conflict { rule: "the same person has voted before" }
        } else {
            Self::Conflict { rule: "it is already there" }
        }
    }
}

/// The rule of a conflict: a delivery is no longer as it was when it was to be taken back.
pub const MOVED_ON: &str = "the delivery has moved on meanwhile";
/// The rule of a conflict: two messages take the place of one.
pub const SUPERSEDED_ONCE: &str = "a record is superseded once";
/// The rule of a conflict: the record was removed when its time was over, and nothing of it goes.
pub const REMOVED_MEANWHILE: &str = "the record was removed meanwhile";
