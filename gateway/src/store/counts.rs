//! Counts for the metrics: numbers only, of nobody.

use jiff::Timestamp;
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

impl Counts {
    /// The counts of deliveries by state, for metrics.
    pub fn by_state(&self) -> [(&'static str, u64); 4] {
        [
            ("queued", self.queued),
            ("held", self.held),
            ("failed", self.failed),
            ("unknown", self.unknown),
        ]
    }
}

impl Store {
    /// How many pushes are due or under way.
    pub async fn pushes_under_way(&self, now: Timestamp) -> Result<u64, StoreError> {
        match self.engine.row(&PUSHES_UNDER_WAY, values![now]).await? {
            Some(row) => row.count("pushes"),
            None => Ok(0),
        }
    }

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
    PUSHES_UNDER_WAY = "counts::pushes_under_way" on "deliveries":
        "select count(*) as pushes from deliveries
        where carrier <> 'collect' and state = 'queued' and available_at <= $1";
    COUNTS = "counts::counts" on "deliveries":
        "select
            (select count(*) from deliveries where state = 'queued') as queued,
            (select count(*) from deliveries where state = 'held') as held,
            (select count(*) from deliveries where state = 'failed') as failed,
            (select count(*) from deliveries where state = 'unknown') as unknown_fate,
            (select count(*) from legs where state in ('waiting', 'accepted', 'exception', 'partial')
                and case when expected_on is not null and expected_on > statutory_due
                    then expected_on else statutory_due end < $1) as overdue,
            (select count(*) from legs where state in ('waiting', 'accepted', 'exception', 'partial'))
                as still_open,
            (select count(*) from quarantine) as quarantined";
}
