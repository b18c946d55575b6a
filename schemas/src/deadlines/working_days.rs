//! Working days: not Saturday, not Sunday, not a bank holiday in England and Wales.
//!
//! The table of bank holidays ends; a question beyond its end is an error, never a guess.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::DeadlineError;

/// The bank holidays of a span of years.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankHolidays {
    covers_from: Date,
    covers_until: Date,
    holidays: BTreeSet<Date>,
}

impl BankHolidays {
    /// The first date the table covers.
    pub fn covers_from(&self) -> Date {
        self.covers_from
    }

    /// The last date the table covers; an operator extends the table before it comes near.
    pub fn covers_until(&self) -> Date {
        self.covers_until
    }

    /// The bank holidays in order.
    pub fn dates(&self) -> impl Iterator<Item = Date> {
        self.holidays.iter().copied()
    }

    /// Whether a date is a working day.
    pub fn is_working_day(&self, date: Date) -> Result<bool, DeadlineError> {
        if !(self.covers_from..=self.covers_until).contains(&date) {
            let (from, until) = (self.covers_from, self.covers_until);
            return Err(DeadlineError::BankHolidaysUnknown { from, until });
        }
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        Ok(!weekend && !self.holidays.contains(&date))
    }

    /// The date itself if it is a working day, otherwise the last working day before it.
    pub fn last_working_day_by(&self, date: Date) -> Result<Date, DeadlineError> {
        let mut day = date;
        while !self.is_working_day(day)? {
            day = day.yesterday().or(Err(DeadlineError::BeyondCalendar))?;
        }
        Ok(day)
    }

    /// The date itself if it is a working day, otherwise the next working day.
    pub fn first_working_day_from(&self, date: Date) -> Result<Date, DeadlineError> {
        let mut day = date;
        while !self.is_working_day(day)? {
            day = day.tomorrow().or(Err(DeadlineError::BeyondCalendar))?;
        }
        Ok(day)
    }

    /// The last of `n` working days of which `start` is the first, if it is one.
    pub fn working_days_beginning_with(&self, start: Date, n: u32) -> Result<Date, DeadlineError> {
        if n == 0 {
            return Err(DeadlineError::NoDays);
        }
        let mut day = start;
        let mut counted = u32::from(self.is_working_day(day)?);
        while counted < n {
            day = day.tomorrow().or(Err(DeadlineError::BeyondCalendar))?;
            counted += u32::from(self.is_working_day(day)?);
        }
        Ok(day)
    }
}
