//! The periods of the log: whose key makes the aliases of which stretch, and the end of a look-up.
//!
//! A period begins with the first entry of its year, in the commit of that entry and under the lock
//! of the head, so that two gateways which meet at a year's end agree. The clock of a gateway may
//! stand before the newest period; its entries are then of the newest one, so that a period is
//! always one stretch. Must never know how an alias is made: that is the
//! [`LogKeeper`]'s.
//!
//! A record's pseudonym is written once, and so is that of its deliveries. This alone takes it away,
//! when the record's content was removed and an entry of the look-up names it.
//!
//! Limits: destroying a look-up writes every entry of its stretch in one commit, during which
//! nothing else is committed: some seconds for a million entries.

use jiff::Timestamp;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::plan::LogKeeper;
use super::row::Row;
use super::value::values;
use super::writes::one;
use crate::audit::SubjectKey;
use crate::audit::alias::Period;

/// A period of the log: a stretch of it, and how its look-up stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPeriod {
    /// Which.
    pub period: Period,
    /// Its first entry.
    pub from: u64,
    /// The entry after its last; `None` for the newest period.
    pub until: Option<u64>,
    /// The sealed key of its aliases; none before there were keys, and none once destroyed.
    pub key: Option<Vec<u8>>,
    /// When its look-up was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

impl LogPeriod {
    /// Whether an entry is of this period.
    pub fn holds(&self, seq: u64) -> bool {
        seq >= self.from && self.until.is_none_or(|until| seq < until)
    }
}

/// What a look-up holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookUpSize {
    /// Entries with the pseudonym of whom they are about.
    pub entries: u64,
    /// People on lists that were looked at, each list apart.
    pub looks: u64,
    /// Records that entries of the period name and that lead to a pseudonym all the same: by their
    /// own row while their content is kept, by their case, by the consent ledger, by a match or merge,
    /// by a clock, by the way to adulthood, or by entries of other periods.
    pub records: u64,
}

/// A look-up that is to be destroyed, as it was read: the commit fails when it is no longer so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUpGone {
    /// Its period, which has ended.
    pub period: LogPeriod,
    /// What it holds.
    pub size: LookUpSize,
}

impl Store {
    /// Every period of the log, oldest first.
    pub async fn log_periods(&self) -> Result<Vec<LogPeriod>, StoreError> {
        let rows = self.engine.rows(&PERIODS, values![]).await?;
        rows.iter().map(period).collect()
    }

    /// What the look-up of a period holds; of the newest period, so far.
    pub async fn look_up_size(&self, of: &LogPeriod) -> Result<LookUpSize, StoreError> {
        let stretch = || values![of.from, of.until.unwrap_or(u64::MAX)];
        let count = async |statement| -> Result<u64, StoreError> {
            let row = self.engine.row(statement, stretch()).await?;
            row.map_or(Ok(0), |row| row.count("seq"))
        };
        Ok(LookUpSize {
            entries: count(&COUNT_ENTRIES).await?,
            looks: count(&COUNT_LOOKS).await?,
            records: count(&COUNT_RECORDS).await?,
        })
    }

    /// The alias of a pseudonym in a period; the pseudonym itself in entries from before periods.
    ///
    /// Errors: [`StoreError::Log`] when the period's key is destroyed or cannot be opened.
    pub fn alias_in(
        &self,
        period: &LogPeriod,
        subject: SubjectKey,
    ) -> Result<SubjectKey, StoreError> {
        self.keeper.alias(Some(period), subject)
    }
}

/// The period of what is committed now. When it begins with this, its key is made and kept.
pub(super) async fn current(
    tx: &mut Transaction,
    keeper: &LogKeeper,
    (size, at): (u64, Timestamp),
) -> Result<Option<LogPeriod>, StoreError> {
    let rows = tx.rows(&NEWEST, values![]).await?;
    let newest = rows.first().map(period).transpose()?;
    let due = Period::at(at);
    if let Some(newest) = newest.filter(|newest| newest.period >= due) {
        return Ok(Some(newest));
    }
    let Some(key) = keeper.make_key(due)? else { return Ok(None) };
    tx.execute(&ENDED, values![size]).await?;
    let begun = values![u64::from(due.year().unsigned_abs()), size, key.clone(), at];
    tx.execute(&BEGUN, begun).await?;
    Ok(Some(LogPeriod { period: due, from: size, until: None, key: Some(key), destroyed_at: None }))
}

/// Destroys a look-up; part of a commit.
pub(super) async fn destroy(
    tx: &mut Transaction,
    LookUpGone { period, size }: &LookUpGone,
    now: Timestamp,
) -> Result<(), StoreError> {
    let year = u64::from(period.period.year().unsigned_abs());
    let until = period.until.unwrap_or_default();
    let key = period.key.clone().unwrap_or_default();
    one(tx, &DESTROYED, values![year, period.from, until, key, now], MOVED).await?;
    let stretch = || values![period.from, until];
    let entries = tx.execute(&FORGET_ENTRIES, stretch()).await?;
    let looks = tx.execute(&FORGET_LOOKS, stretch()).await?;
    tx.execute(&FORGET_DELIVERIES, stretch()).await?;
    tx.execute(&FORGET_RECORDS, stretch()).await?;
    if (entries, looks) == (size.entries, size.looks) {
        Ok(())
    } else {
        Err(StoreError::Conflict { rule: MOVED })
    }
}

fn period(row: &Row) -> Result<LogPeriod, StoreError> {
    let year = i16::try_from(row.int("period")?).or(Err(row.contradiction("period")))?;
    let until = row.maybe_int("until_seq")?.map(u64::try_from).transpose();
    Ok(LogPeriod {
        period: Period::of_year(year),
        from: row.count("seq")?,
        until: until.or(Err(row.contradiction("until_seq")))?,
        key: row.maybe_bytes("key_sealed")?,
        destroyed_at: row.maybe_time("destroyed_at")?,
    })
}

/// The rule that a look-up is destroyed as it was read, once, and only when its period is over.
const MOVED: &str = "the look-up has changed since it was read";

statements! {
    PERIODS = "periods::log_periods" on "log_periods":
        "select period, from_seq as seq, until_seq, key_sealed, destroyed_at from log_periods
        order by from_seq";
    NEWEST = "periods::current" on "log_periods":
        "select period, from_seq as seq, until_seq, key_sealed, destroyed_at from log_periods
        order by from_seq desc limit 1";
    ENDED = "periods::current" on "log_periods":
        "update log_periods set until_seq = $1 where until_seq is null";
    BEGUN = "periods::current" on "log_periods":
        "insert into log_periods (period, from_seq, key_sealed, begun_at) values ($1, $2, $3, $4)";
    DESTROYED = "periods::destroy" on "log_periods":
        "update log_periods set key_sealed = null, destroyed_at = $5
        where period = $1 and from_seq = $2 and until_seq = $3 and key_sealed = $4";
    FORGET_ENTRIES = "periods::destroy" on "audit_entries":
        "update audit_entries set subject = null
        where seq >= $1 and seq < $2 and subject is not null";
    FORGET_LOOKS = "periods::destroy" on "looks":
        "delete from looks where seq >= $1 and seq < $2";
    FORGET_RECORDS = "periods::destroy" on "records":
        "update records set subject = null
        where subject is not null and removed_at is not null and id in (
            select a.record_id from audit_entries a
            where a.seq >= $1 and a.seq < $2 and a.record_id is not null)";
    FORGET_DELIVERIES = "periods::destroy" on "deliveries":
        "update deliveries set subject = null
        where subject is not null and record_id in (
            select r.id from records r where r.removed_at is not null) and record_id in (
            select a.record_id from audit_entries a
            where a.seq >= $1 and a.seq < $2 and a.record_id is not null)";
    COUNT_ENTRIES = "periods::look_up_size" on "audit_entries":
        "select count(*) as seq from audit_entries
        where seq >= $1 and seq < $2 and subject is not null";
    COUNT_LOOKS = "periods::look_up_size" on "looks":
        "select count(*) as seq from looks where seq >= $1 and seq < $2";
    COUNT_RECORDS = "periods::look_up_size" on "records":
        "select count(*) as seq from records r
        where r.id in (select a.record_id from audit_entries a
            where a.seq >= $1 and a.seq < $2 and a.record_id is not null)
        and ((r.subject is not null and r.removed_at is null)
            or r.case_id is not null
            or exists (select 1 from consents c where c.record_id = r.id)
            or exists (select 1 from identities i where i.record_id = r.id)
            or exists (select 1 from case_clocks k where k.started_by = r.id)
            or exists (select 1 from case_clock_sources s where s.record_id = r.id)
            or exists (select 1 from transition_steps t where t.record_id = r.id)
            or exists (select 1 from audit_entries a where a.record_id = r.id
                and a.subject is not null and (a.seq < $1 or a.seq >= $2)))";
}
