//! Whether this database is older than what partners hold, and what was done about it.

use jiff::Timestamp;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::values;
use super::writes::one;

/// A time at which this database was found to be older than what partners hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// From 1.
    pub number: u64,
    /// How many entries the log had when it was found out.
    pub own_size: u64,
    /// How many entries the newest checkpoint covers that was shown.
    pub lost_size: u64,
    /// When that checkpoint was signed.
    pub lost_at: Timestamp,
    /// Who showed it: an organisation, or `file`.
    pub shown_by: String,
    /// When it was found out.
    pub found_at: Timestamp,
    /// When an operator confirmed that the consent ledger has caught up.
    pub confirmed_at: Option<Timestamp>,
}

/// A checkpoint that this database does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// How many entries our log has.
    pub own_size: u64,
    /// How many it covers.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// Who showed it.
    pub by: String,
}

impl Store {
    /// The restore that nobody has confirmed yet: nothing is released meanwhile.
    pub async fn unconfirmed_restore(&self) -> Result<Option<Restore>, StoreError> {
        let row = self.engine.row(&UNCONFIRMED, values![]).await?;
        row.as_ref().map(restore).transpose()
    }

    /// Every restore, oldest first.
    pub async fn restores(&self) -> Result<Vec<Restore>, StoreError> {
        let rows = self.engine.rows(&RESTORES, values![]).await?;
        rows.iter().map(restore).collect()
    }
}

/// Notes a checkpoint that this database does not know.
pub(super) async fn found(
    tx: &mut Transaction,
    shown: &Shown,
    now: Timestamp,
) -> Result<(), StoreError> {
    let open = is_held(tx).await?;
    let (by, at) = (shown.by.as_str(), shown.at);
    if open {
        tx.execute(&WIDEN, values![shown.size, at, by]).await.map(drop)
    } else {
        tx.execute(&FOUND, values![shown.own_size, shown.size, at, by, now]).await?;
        super::sinks::forked(tx).await
    }
}

/// Whether a restore is not confirmed yet, as this transaction sees it.
pub(super) async fn is_held(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(!tx.rows(&UNCONFIRMED, values![]).await?.is_empty())
}

fn restore(row: &Row) -> Result<Restore, StoreError> {
    Ok(Restore {
        number: row.count("seq")?,
        own_size: row.count("own_size")?,
        lost_size: row.count("lost_size")?,
        lost_at: row.time("lost_at")?,
        shown_by: row.text("shown_by")?,
        found_at: row.time("found_at")?,
        confirmed_at: row.maybe_time("confirmed_at")?,
    })
}

/// A restore is confirmed by the size that was lost.
pub(super) async fn confirmed(
    tx: &mut Transaction,
    (lost_size, reason): (u64, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = values![lost_size, reason, now];
    one(tx, &CONFIRM, values, "only the size that is held is confirmed").await
}

statements! {
    UNCONFIRMED = "restores::unconfirmed_restore" on "restores":
        "select number as seq, own_size, lost_size, lost_at, shown_by, found_at, confirmed_at
        from restores where confirmed_at is null";
    RESTORES = "restores::restores" on "restores":
        "select number as seq, own_size, lost_size, lost_at, shown_by, found_at, confirmed_at
        from restores order by number";
    FOUND = "restores::found" on "restores":
        "insert into restores (number, own_size, lost_size, lost_at, shown_by, found_at)
        select coalesce(max(number), 0) + 1, $1, $2, $3, $4, $5 from restores";
    WIDEN = "restores::found" on "restores":
        "update restores set lost_size = $1, lost_at = $2, shown_by = $3
        where confirmed_at is null and lost_size < $1";
    CONFIRM = "restores::confirm" on "restores":
        "update restores set confirmed_at = $3, reason = $2
        where confirmed_at is null and lost_size = $1";
}
