//! Figures from measurements: rates, percentiles, ratios, and how they are written.

use std::time::Duration;

use serde_json::{Value, json};

/// Accepts over some connections, next to bare inserts by as many writers.
pub(super) struct Run {
    pub(super) connections: u32,
    /// The bytes kept for one accept, which a bare row has too.
    pub(super) row_bytes: usize,
    pub(super) accepts: Rate,
    pub(super) bare: Rate,
    /// Changes committed meanwhile, warming up included.
    pub(super) changes: u64,
    /// Durable transactions they shared.
    pub(super) transactions: u64,
}

/// How many in how long, and how long each took.
pub(super) struct Rate {
    elapsed: Duration,
    /// Shortest first.
    latencies: Vec<Duration>,
}

impl Run {
    /// A row under [`HEADER`].
    pub(super) fn cells(&self, engine: &str) -> Vec<String> {
        let rate = |rate: &Rate| thousands(&format!("{:.0}", rate.per_second()));
        let at = |rate: &Rate, percent| two_places(rate.percentile_ms(percent));
        vec![
            engine.to_owned(),
            self.connections.to_string(),
            rate(&self.accepts),
            at(&self.accepts, 50),
            at(&self.accepts, 99),
            rate(&self.bare),
            at(&self.bare, 50),
            at(&self.bare, 99),
            two_places(self.ratio()),
        ]
    }

    /// What a row of the table leaves out.
    pub(super) fn note(&self, engine: &str) -> String {
        format!(
            "{engine}, {} connection(s): {} bytes kept per accept, {} changes per transaction.",
            self.connections,
            thousands(&self.row_bytes.to_string()),
            two_places(self.group()),
        )
    }

    /// Accepts for each bare commit in the same time; none when nothing was committed bare.
    fn ratio(&self) -> Option<f64> {
        let bare = self.bare.per_second();
        (bare > 0.0).then(|| self.accepts.per_second() / bare)
    }

    /// Changes for each transaction.
    fn group(&self) -> Option<f64> {
        let transactions = float(self.transactions);
        (transactions > 0.0).then(|| float(self.changes) / transactions)
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "connections": self.connections,
            "row_bytes": self.row_bytes,
            "accepts": self.accepts.latencies.len(),
            "accepts_per_second": rounded(Some(self.accepts.per_second())),
            "p50_ms": rounded(self.accepts.percentile_ms(50)),
            "p99_ms": rounded(self.accepts.percentile_ms(99)),
            "bare_commits": self.bare.latencies.len(),
            "bare_commits_per_second": rounded(Some(self.bare.per_second())),
            "bare_p50_ms": rounded(self.bare.percentile_ms(50)),
            "bare_p99_ms": rounded(self.bare.percentile_ms(99)),
            "ratio": rounded(self.ratio()),
            "changes": self.changes,
            "transactions": self.transactions,
            "changes_per_transaction": rounded(self.group()),
        })
    }
}

impl Rate {
    /// As many as there are latencies, in any order.
    pub(super) fn new(elapsed: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { elapsed, latencies }
    }

    pub(super) fn per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let count = u64::try_from(self.latencies.len()).unwrap_or(u64::MAX);
        if seconds > 0.0 { float(count) / seconds } else { 0.0 }
    }

    /// The shortest time within which this share of all was done (the nearest-rank percentile).
    fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = self.latencies.len().saturating_mul(percent).div_ceil(100);
        self.latencies.get(rank.max(1) - 1).copied()
    }

    pub(super) fn percentile_ms(&self, percent: usize) -> Option<f64> {
        self.percentile(percent).map(|time| time.as_secs_f64() * 1000.0)
    }
}

/// Counts here are far below what a float holds exactly.
fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// With two places; a dash where there is no figure.
pub(super) fn two_places(figure: Option<f64>) -> String {
    let Some(figure) = figure else { return "-".to_owned() };
    let text = format!("{figure:.2}");
    match text.split_once('.') {
        Some((whole, places)) => format!("{}.{places}", thousands(whole)),
        None => text,
    }
}

/// Digits with a comma before every third from the end.
pub(super) fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With three places, as a machine reads it.
pub(super) fn rounded(figure: Option<f64>) -> Value {
    figure.map_or(Value::Null, |figure| ((figure * 1000.0).round() / 1000.0).into())
}

/// The names of the columns.
pub(super) const HEADER: [&str; 9] = [
    "engine",
    "connections",
    "accepts/s",
    "p50 ms",
    "p99 ms",
    "bare commits/s",
    "bare p50 ms",
    "bare p99 ms",
    "ratio",
];

pub(super) const WHY_32_IS_MORE: &str = "An accept is acknowledged when it is durable. One \
    connection waits for a transaction of its own each time; what 32 connections wait for at the \
    same time is committed together in one (group commit). Bare inserts are one transaction for \
    each row: SQLite makes each durable alone, PostgreSQL lets transactions that wait at the same \
    time share a flush.";

pub(super) const WHAT_IS_COUNTED: &str = "A bare row has the bytes the gateway keeps per accept: \
    the sealed original, the answer, the sealed record and label, its log entries and their tree \
    nodes. Identifiers, hashes, deliveries, checkpoints and indexes are not counted.";

#[cfg(test)]
mod tests;
