//! The backups that were made of this database: how old the newest is.

use jiff::Timestamp;
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::value::values;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackup {
    /// Its id.
    pub id: Uuid,
    /// How many entries of the log it has.
    pub log_size: u64,
    /// How many bytes its file has.
    pub bytes: u64,
    /// The SHA-256 of its file.
    pub sha256: [u8; 32],
}

/// The newest backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBackup {
    /// Its id.
    pub id: Uuid,
    /// When it was made.
    pub made_at: Timestamp,
    /// How many entries of the log it has.
    pub log_size: u64,
}

impl Store {
    /// The newest backup that was made of this database, if any was.
    pub async fn newest_backup(&self) -> Result<Option<StoredBackup>, StoreError> {
        let row = self.engine.row(&NEWEST, values![]).await?;
        row.map(|row| {
            Ok(StoredBackup {
                id: row.id("id")?,
                made_at: row.time("made_at")?,
                log_size: row.count("log_size")?,
            })
        })
        .transpose()
    }
}

/// Notes a backup.
pub(super) async fn made(
    tx: &mut Transaction,
    new: &NewBackup,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = values![new.id, now, new.log_size, new.bytes, new.sha256];
    tx.execute(&MADE, values).await.map(drop)
}

statements! {
    NEWEST = "backups::newest_backup" on "backups":
        "select id, made_at, log_size from backups order by made_at desc limit 1";
    MADE = "backups::made" on "backups":
        "insert into backups (id, made_at, log_size, bytes, sha256) values ($1, $2, $3, $4, $5)";
}
