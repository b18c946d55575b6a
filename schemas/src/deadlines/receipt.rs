//! When something counts as received, for display.
//!
//! The instant of receipt is kept as it was; these dates stand beside it for people who reckon by
//! them. No clock starts from them.

use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

use super::working_days::BankHolidays;
use super::{DeadlineError, next_day};

/// Which day counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptDay {
    /// After `after`, or not on a working day: the next working day.
    NextWorkingDayIfLate,
    /// Always the working day after.
    NextWorkingDay,
    /// The day itself.
    SameDay,
}

/// One manner of reaching a body, and the day that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The manner, for example `e-mail`.
    pub manner: String,
    /// Which day counts.
    pub counts: ReceiptDay,
    /// The time of day after which it is late.
    #[serde(default)]
    pub after: Option<Time>,
    /// The rule in words.
    pub words: String,
    /// Whether it was checked against published advice.
    pub verified: bool,
}

impl Receipt {
    /// The day that counts for something that came, or was posted, at a civil date and time.
    pub fn day(&self, at: DateTime, holidays: &BankHolidays) -> Result<Date, DeadlineError> {
        let on = at.date();
        let late = self.after.is_some_and(|after| at.time() > after);
        match self.counts {
            ReceiptDay::SameDay => Ok(on),
            ReceiptDay::NextWorkingDayIfLate if !late && holidays.is_working_day(on)? => Ok(on),
            ReceiptDay::NextWorkingDayIfLate | ReceiptDay::NextWorkingDay => {
                holidays.first_working_day_from(next_day(on)?)
            }
        }
    }
}

#[cfg(test)]
mod tests;
