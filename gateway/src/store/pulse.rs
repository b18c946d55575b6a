//! Whether the log can be written, as the task that commits has last seen it.
//!
//! Kept in memory, by each process for itself. Finding out never adds an entry: a whole commit is
//! rehearsed and undone, then a row beside the log is written durably.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::StoreError;

/// Why nothing can be accepted or released at present: what the database said, without any value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(pub(super) String);

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<Beat>);

#[derive(Debug, Default)]
struct Beat {
    /// Since when the task is at a transaction.
    at_work: Option<Instant>,
    /// When one was last made durable.
    proved: Option<Instant>,
}

impl Pulse {
    /// A transaction begins.
    pub(super) fn begins(&self) {
        self.with(|beat| beat.at_work = Some(Instant::now()));
    }

    /// It has ended.
    pub(super) fn ended(&self, durable: bool) {
        self.with(|beat| {
            beat.at_work = None;
            beat.proved = if durable { Some(Instant::now()) } else { None };
        });
    }

    /// For how long the task has been at one transaction.
    pub(super) fn at_work(&self) -> Duration {
        self.with(|beat| beat.at_work.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    /// Whether something was made durable a moment ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.with(|beat| beat.proved.is_some_and(|at| at.elapsed() < FRESH))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Beat) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<&StoreError> for Unwritable {
    fn from(error: &StoreError) -> Self {
        Self(crate::telemetry::chain(error))
    }
}

impl Unwritable {
    /// A transaction does not end.
    pub(super) fn waiting() -> Self {
        Self(format!(
            "the database has not taken a write for more than {} seconds",
            PATIENCE.as_secs()
        ))
    }
}

/// For so long a proof is believed without another.
const FRESH: Duration = Duration::from_secs(1);
/// A write that takes longer is one that does not work.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
