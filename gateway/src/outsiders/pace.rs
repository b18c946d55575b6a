//! When somebody outside is given the newest checkpoint: soon after it was signed, sooner when many
//! entries wait, and again when it failed.
//!
//! Pure: it is asked with the time and the size of the log. One pace for each witness and one for
//! what is published, so that none of them waits for another.
//!
//! Limits: whoever looks does so every second; so much comes on top.

use jiff::{SignedDuration, Timestamp};

/// What one holder has, and when it was last tried.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    has: u64,
    tried: Option<Timestamp>,
    /// In a row.
    failures: u32,
}

impl Pace {
    /// How many entries the checkpoint covers that it has, as far as this process knows.
    pub(crate) fn has(&self) -> u64 {
        self.has
    }

    /// Whether it is to be given the checkpoint of a log of this size now.
    pub(crate) fn is_due(&self, now: Timestamp, size: u64) -> bool {
        if size == self.has {
            return false;
        }
        let Some(tried) = self.tried else { return true };
        let waited = now.duration_since(tried);
        // A clock that was set back does not say how long it was.
        if waited.is_negative() {
            return true;
        }
        match self.failures {
            0 => size >= self.has.saturating_add(ENTRIES) || waited >= EVERY,
            failures => waited >= again(failures),
        }
    }

    /// It has come so far.
    pub(crate) fn reached(&mut self, now: Timestamp, size: u64) {
        *self = Self { has: size, tried: Some(now), failures: 0 };
    }

    /// It could not be given it; whether that is the first time in a row.
    pub(crate) fn failed(&mut self, now: Timestamp) -> bool {
        self.tried = Some(now);
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }
}

/// How long is waited after so many failures in a row.
fn again(failures: u32) -> SignedDuration {
    let doubled = 2i32.saturating_pow(failures.saturating_sub(1));
    AGAIN.saturating_mul(doubled).min(AGAIN_MAX)
}

/// The longest that a signed checkpoint waits for somebody who is well.
const EVERY: SignedDuration = SignedDuration::from_secs(30);
/// With so many new entries it does not wait.
pub(super) const ENTRIES: u64 = 100;
/// How soon one that failed is tried again; twice as long after each further failure.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// One that is away is tried at least so often: when it is back, it has the newest within a minute.
const AGAIN_MAX: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests;
