//! Exceptions: what excuses being late, and whether the dates given for it can.
//!
//! Only what the rules list for a period excuses it. Dates are weighed here; whether
//! circumstances were exceptional is for a person.

use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DeadlineError, plus};

/// What the dates of a claim must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionTest {
    /// A day, or a span, that falls in the period.
    Circumstances,
    /// Away for so many days on end within the period.
    Absence,
    /// The day of an appointment within the period.
    MissedAppointment,
    /// Advice was asked while an institution was closed, or about to close, for so many days.
    Closure,
}

/// One exception of the law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Its name, for example `reg-8-2-b`.
    pub id: String,
    /// What its dates must show.
    pub test: ExceptionTest,
    /// How many days on end an absence or a closure lasts at least; 0 where nothing lasts.
    #[serde(default)]
    pub days_min: i32,
    /// How many days before closing, and before opening again, the time of a closure begins and
    /// ends.
    #[serde(default)]
    pub margin_days: i32,
    /// What it says, in words.
    pub words: String,
    /// What whoever relies on it must give.
    pub evidence: String,
    /// The provision of law.
    pub provision: String,
    /// Whether it was checked against public text of the law.
    pub verified: bool,
    /// What to know about it.
    #[serde(default)]
    pub note: String,
}

/// The dates that somebody who relies on an exception gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The first day: of the circumstances, of the absence, of the closure; or the appointment.
    pub from: Option<Date>,
    /// The last day: of the circumstances or the absence; the day of opening again of a closure.
    pub until: Option<Date>,
    /// The day on which advice was asked of an institution that closed.
    pub asked_on: Option<Date>,
}

/// Why dates do not show what an exception needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotShown {
    /// The exception is none of those that the law lists for the period.
    #[error("the law lists for {period}: {listed}; nothing else excuses it")]
    NotListed {
        /// The period.
        period: String,
        /// Those listed, or `nothing`.
        listed: String,
    },
    /// A date that the exception needs was not given.
    #[error("{exception} needs {evidence}")]
    Missing {
        /// The exception.
        exception: String,
        /// The evidence it needs.
        evidence: String,
    },
    /// The days given do not fall in the period.
    #[error("the days given for {exception} do not fall in the period from {from} to {until}")]
    OutsideThePeriod {
        /// The exception.
        exception: String,
        /// The first day of the period.
        from: Date,
        /// Its last day.
        until: Date,
    },
    /// What must last did not last long enough.
    #[error("{exception} needs at least {days_min} days on end; the days given are {days}")]
    TooShort {
        /// The exception.
        exception: String,
        /// How many are needed.
        days_min: i32,
        /// How many were given.
        days: i32,
    },
    /// The last day is before the first.
    #[error("the last day given for {exception} is before the first")]
    Backwards {
        /// The exception.
        exception: String,
    },
    /// A date is beyond the calendar, or the rules have none.
    #[error(transparent)]
    Deadline(#[from] DeadlineError),
}

impl Exception {
    /// Whether the dates given show what the exception needs, for a period that runs from
    /// `starts` to `ends`, both days included.
    pub fn shown_by(&self, claim: &Claim, starts: Date, ends: Date) -> Result<(), NotShown> {
        if let (Some(from), Some(until)) = (claim.from, claim.until)
            && until < from
        {
            return Err(NotShown::Backwards { exception: self.id.clone() });
        }
        let from = claim.from.ok_or_else(|| self.missing())?;
        match self.test {
            ExceptionTest::Circumstances => {
                // What is not over may last to the end.
                let until = claim.until.unwrap_or(Date::MAX);
                self.inside(from <= ends && until >= starts, starts, ends)
            }
            ExceptionTest::MissedAppointment => {
                self.inside((starts..=ends).contains(&from), starts, ends)
            }
            ExceptionTest::Absence => {
                let until = claim.until.ok_or_else(|| self.missing())?;
                self.inside(from <= ends && until >= starts, starts, ends)?;
                let (first, last) = (from.max(starts), until.min(ends));
                self.long_enough(days_between(first, last) + 1)
            }
            ExceptionTest::Closure => {
                let reopens = claim.until.ok_or_else(|| self.missing())?;
                let asked = claim.asked_on.ok_or_else(|| self.missing())?;
                self.long_enough(days_between(from, reopens))?;
                let (first, last) = self.closure_window(from, reopens)?;
                self.inside((first..=last).contains(&asked), first, last)?;
                self.inside((starts..=ends).contains(&asked), starts, ends)
            }
        }
    }

    /// The first and the last day on which advice asked of an institution that closes on `closes`
    /// and opens again on `reopens` counts as asked in the holiday.
    pub fn closure_window(
        &self,
        closes: Date,
        reopens: Date,
    ) -> Result<(Date, Date), DeadlineError> {
        let margin = Span::new().try_days(-i64::from(self.margin_days));
        let margin = margin.or(Err(DeadlineError::BeyondCalendar))?;
        Ok((plus(closes, margin)?, plus(reopens, margin)?))
    }

    /// Whether its numbers are ones that its test can have.
    pub(super) fn has_possible_days(&self) -> bool {
        let lasting = matches!(self.test, ExceptionTest::Absence | ExceptionTest::Closure);
        let margin = self.test == ExceptionTest::Closure;
        let days =
            if lasting { (1..=DAYS_MAX).contains(&self.days_min) } else { self.days_min == 0 };
        let margin =
            if margin { (0..=DAYS_MAX).contains(&self.margin_days) } else { self.margin_days == 0 };
        days && margin
    }

    fn missing(&self) -> NotShown {
        NotShown::Missing { exception: self.id.clone(), evidence: self.evidence.clone() }
    }

    fn inside(&self, holds: bool, from: Date, until: Date) -> Result<(), NotShown> {
        let exception = self.id.clone();
        if holds { Ok(()) } else { Err(NotShown::OutsideThePeriod { exception, from, until }) }
    }

    fn long_enough(&self, days: i32) -> Result<(), NotShown> {
        let (exception, days_min) = (self.id.clone(), self.days_min);
        if days >= days_min {
            Ok(())
        } else {
            Err(NotShown::TooShort { exception, days_min, days })
        }
    }
}

fn days_between(from: Date, until: Date) -> i32 {
    (until - from).get_days()
}

/// Nothing of these rules lasts longer; a longer one is a typing error.
const DAYS_MAX: i32 = 400;

#[cfg(test)]
mod tests;
