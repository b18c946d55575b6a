//! The time, as an argument.
//!
//! One of the three seams (with `Entropy` and `KeyWrapper`): tests hold time still and move it.
//! Everything else in the gateway takes a `Timestamp` or a civil date.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The instant now.
    fn now(&self) -> Timestamp;

    /// Where the time comes from, for the log: `system`, or `practice` where it is made up.
    fn source(&self) -> &'static str;

    /// The civil date in Europe/London now, on which statutory periods are counted.
    fn today(&self) -> Date {
        london_date(self.now())
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn source(&self) -> &'static str {
        "system"
    }
}

/// The machine's clock, moved by an amount that can be changed; for the demo.
#[derive(Debug)]
pub struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// A clock that runs with the machine's, this much ahead (or, negative, behind).
    pub fn new(shift: SignedDuration) -> Self {
        Self(AtomicI64::new(i64::try_from(shift.as_micros()).unwrap_or(0)))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        let shift = SignedDuration::from_micros(self.0.load(Ordering::SeqCst));
        now.checked_add(shift).unwrap_or(now)
    }

    fn source(&self) -> &'static str {
        PRACTICE
    }
}

/// A clock that moves only when told to; for tests.
#[derive(Debug)]
pub struct FrozenClock(AtomicI64);

impl FrozenClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_microsecond()))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(0);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn source(&self) -> &'static str {
        PRACTICE
    }
}

/// The source of a clock that is not the machine's.
const PRACTICE: &str = "practice";

/// The instant at which a civil day is over in London.
pub fn london_day_ends(day: Date) -> Timestamp {
    let london = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    let next = day.tomorrow().unwrap_or(day);
    next.to_zoned_datetime(london).map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// The civil date in Europe/London at an instant (Interpretation Act 1978, section 9: legal time
/// is Greenwich mean time or British summer time).
pub fn london_date(at: Timestamp) -> Date {
    let london = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    at.to_zoned_datetime(london).date()
}

/// The civil time in Europe/London at an instant, for people to read.
pub fn london_time(at: Timestamp) -> jiff::civil::DateTime {
    let london = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    at.to_zoned_datetime(london).datetime()
}
