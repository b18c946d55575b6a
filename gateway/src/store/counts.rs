//! Counts for the metrics: numbers only, of nobody.

use jiff::civil::Date;

use super::Store;
use super::engine::statements;
use super::error::StoreError;
use super::value::values;

/// How much of everything there is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries that wait to be collected or sent.
    pub queued: u64,
    /// Deliveries that wait for a person's decision.
    pub held: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// Deliveries that may or may not have arrived.
    pub unknown: u64,
    /// Legs whose clock runs and whose statutory date has passed.
    pub overdue: u64,
    /// Legs whose clock runs.
    pub open: u64,
    /// Items that could not be accepted.
    pub quarantined: u64,
}

impl Store {
    /// How much of everything there is, on this civil date.
    pub async fn counts(&self, today: Date) -> Result<Counts, StoreError> {
        let Some(row) = self.engine.row(&COUNTS, values![today]).await? else {
            return Ok(Counts::default());
        };
        Ok(Counts {
            queued: row.count("queued")?,
            held: row.count("held")?,
            failed: row.count("failed")?,
            unknown: row.count("unknown_fate")?,
            overdue: row.count("overdue")?,
            open: row.count("still_open")?,
            quarantined: row.count("quarantined")?,
        })
    }
}

statements! {
    COUNTS = "counts::counts" on "deliveries":
        "select
            (select count(*) from deliveries where state = 'queued') as queued,
            (select count(*) from deliveries where state = 'held') as held,
            (select count(*) from deliveries where state = 'failed') as failed,
            (select count(*) from deliveries where state = 'unknown') as unknown_fate,
            (select count(*) from legs where state in ('waiting', 'accepted', 'exception')
                and statutory_due < $1) as overdue,
            (select count(*) from legs where state in ('waiting', 'accepted', 'exception'))
                as still_open,
            (select count(*) from quarantine) as quarantined";
}
