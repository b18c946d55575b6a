//! One period of time that the law gives, as data, and how its end is counted.
//!
//! Counting needs no bank holidays but for working days, so that a date far ahead (an 18th
//! birthday) has an end although the table of bank holidays does not reach it.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::school::{
    birthday, end_of_compulsory_school_age, first_day_of_year_group, last_day_of_school_year_aged,
    start_of_compulsory_school_age,
};
use super::working_days::BankHolidays;
use super::{DeadlineError, days_beginning_with, months_after, plus, weeks_after};

/// How weeks are counted from the day of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// The day of the event is not counted: due = event + 7n days. The default.
    ExcludeReceiptDay,
    /// The day of the event is day 1: due = event + 7n - 1 days.
    #[serde(rename = "receipt-day-is-day-1")]
    ReceiptDayIsDay1,
}

/// What a period is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeriodUnit {
    /// Weeks of seven calendar days; negative lengths count back.
    Weeks,
    /// Calendar days, the day of the event not counted.
    Days,
    /// Calendar days, the day of the event being day 1.
    DaysBeginningWith,
    /// Working days, the day of the event being day 1 if it is one.
    WorkingDaysBeginningWith,
    /// The same day of a later or earlier month, or the last day of that month.
    Months,
    /// A day of the calendar year of the event, named by `month` and `day`.
    CalendarDay,
    /// The day of the event itself: one that a message or a court names.
    ThatDay,
    /// From a date of birth: the birthday of the age in `length`.
    Birthday,
    /// From a date of birth: 1 September on which the year group in `length` begins, by age.
    SchoolYear,
    /// From a date of birth: 31 August of the school year of the birthday in `length`.
    SchoolYearEnd,
    /// From a date of birth: the last day before compulsory school age.
    BeforeCompulsorySchoolAge,
    /// From a date of birth: the last day of compulsory school age.
    EndOfCompulsorySchoolAge,
    /// The law gives no number.
    NoFixedDate,
}

/// What kind of thing ends with the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// Something is owed by then.
    #[default]
    Duty,
    /// Time is given until then; nobody is late when it has passed.
    Window,
    /// Something is wished for by then; lateness breaks no law.
    Target,
}

/// Which party to the message that starts a clock owes what is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwedBy {
    /// Its sender.
    #[default]
    Sender,
    /// Each of its recipients.
    Recipient,
}

/// A message that starts, meets or ends the clock of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The type of message, by its name on the wire.
    pub message: String,
    /// The name in the message that holds the day; the day of receipt where none is named. A
    /// message that leaves a named day out starts nothing.
    #[serde(default)]
    pub date: Option<String>,
    /// The name that must say what `is` says.
    #[serde(default, rename = "where")]
    pub only_where: Option<String>,
    /// What it must say: a code, or `yes` or `no`.
    #[serde(default)]
    pub is: Option<String>,
    /// The name that holds the day from which the clock that is met was started.
    #[serde(default)]
    pub of: Option<String>,
    /// Whether only a clock that began before the day is met: a review meets the year before it,
    /// and begins the next.
    #[serde(default)]
    pub earlier: bool,
    /// The name that holds a day before which nothing is due.
    #[serde(default)]
    pub not_before: Option<String>,
}

/// One period of time that the law gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its name in data and decisions, for example `reg-8`.
    pub id: String,
    /// How many units; negative counts back from the event (weeks and months only).
    pub length: i32,
    /// The unit.
    pub unit: PeriodUnit,
    /// The month of a calendar day, 1 to 12.
    #[serde(default)]
    pub month: Option<i8>,
    /// The day of a calendar day, 1 to 31.
    #[serde(default)]
    pub day: Option<i8>,
    /// How its weeks are counted, where that is not for the version to say; such a period is
    /// counted in one way only.
    #[serde(default)]
    pub counting: Option<Counting>,
    /// What ends with it.
    #[serde(default)]
    pub nature: Nature,
    /// The event it is counted from, in words.
    pub starts: String,
    /// Who must act, in words.
    pub owes: String,
    /// What is due at its end, in words.
    pub words: String,
    /// The provision of law.
    pub provision: String,
    /// The exceptions that excuse lateness, by name: these and no others.
    #[serde(default)]
    pub excused_by: Vec<String>,
    /// Whether the number was checked against public text of the law.
    pub verified: bool,
    /// What to know about it; what to look at where it is not verified.
    #[serde(default)]
    pub note: String,
    /// The messages that start it in a case.
    #[serde(default)]
    pub started_by: Vec<Mark>,
    /// The messages that meet it.
    #[serde(default)]
    pub met_by: Vec<Mark>,
    /// The messages after which nothing is owed any more.
    #[serde(default)]
    pub ended_by: Vec<Mark>,
    /// Which party to the starting message owes.
    #[serde(default)]
    pub owed_by: OwedBy,
}

/// The end of a period by both ways of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// By the convention in force.
    pub statutory: Date,
    /// By the other one, where it gives another date.
    pub alternative: Option<Date>,
}

impl Ends {
    /// The earlier of both.
    pub fn earlier(self) -> Date {
        self.alternative.map_or(self.statutory, |other| other.min(self.statutory))
    }
}

impl Period {
    /// When it ends that begins with an event on `from`; `version` is the convention for weeks
    /// where the period has none of its own.
    pub(super) fn ends(
        &self,
        from: Date,
        version: Counting,
        holidays: &BankHolidays,
    ) -> Result<Ends, DeadlineError> {
        let days = || u32::try_from(self.length).or(Err(DeadlineError::NoDays));
        let one_way = |statutory| Ends { statutory, alternative: None };
        let end = match self.unit {
            PeriodUnit::Weeks => return self.weeks(from, version),
            PeriodUnit::CalendarDay => return self.calendar_day(from),
            PeriodUnit::Days => plus(from, self.days_span()?),
            PeriodUnit::DaysBeginningWith => days_beginning_with(from, days()?),
            PeriodUnit::WorkingDaysBeginningWith => {
                holidays.working_days_beginning_with(from, days()?)
            }
            PeriodUnit::Months => months_after(from, self.length),
            PeriodUnit::ThatDay => Ok(from),
            PeriodUnit::Birthday => birthday(from, self.years()?),
            PeriodUnit::SchoolYear => first_day_of_year_group(from, self.years()?),
            PeriodUnit::SchoolYearEnd => last_day_of_school_year_aged(from, self.years()?),
            PeriodUnit::BeforeCompulsorySchoolAge => {
                plus(start_of_compulsory_school_age(from)?, (-1).days())
            }
            PeriodUnit::EndOfCompulsorySchoolAge => end_of_compulsory_school_age(from),
            PeriodUnit::NoFixedDate => Err(DeadlineError::NoFixedDate { period: self.id.clone() }),
        };
        end.map(one_way)
    }

    fn weeks(&self, from: Date, version: Counting) -> Result<Ends, DeadlineError> {
        let without_first_day = weeks_after(from, self.length)?;
        if self.length <= 0 {
            return Ok(Ends { statutory: without_first_day, alternative: None });
        }
        let with_first_day = plus(without_first_day, (-1).days())?;
        let (statutory, other) = match self.counting.unwrap_or(version) {
            Counting::ExcludeReceiptDay => (without_first_day, with_first_day),
            Counting::ReceiptDayIsDay1 => (with_first_day, without_first_day),
        };
        let alternative = self.counting.is_none().then_some(other);
        Ok(Ends { statutory, alternative })
    }

    /// The day itself, and the day before for those who read "before" by the letter.
    fn calendar_day(&self, from: Date) -> Result<Ends, DeadlineError> {
        let (month, day) = self.month.zip(self.day).unwrap_or((0, 0));
        let statutory =
            Date::new(from.year(), month, day).or(Err(DeadlineError::BeyondCalendar))?;
        Ok(Ends { statutory, alternative: Some(plus(statutory, (-1).days())?) })
    }

    fn days_span(&self) -> Result<jiff::Span, DeadlineError> {
        jiff::Span::new().try_days(self.length).or(Err(DeadlineError::BeyondCalendar))
    }

    fn years(&self) -> Result<i16, DeadlineError> {
        i16::try_from(self.length).or(Err(DeadlineError::BeyondCalendar))
    }

    /// Whether its length, month and day are ones that its unit can have.
    pub(super) fn has_a_possible_length(&self) -> bool {
        let named_day = self.month.zip(self.day);
        match self.unit {
            PeriodUnit::Weeks | PeriodUnit::Months => {
                self.length != 0 && self.length.unsigned_abs() <= LENGTH_MAX && named_day.is_none()
            }
            PeriodUnit::Days
            | PeriodUnit::DaysBeginningWith
            | PeriodUnit::WorkingDaysBeginningWith => {
                let length = u32::try_from(self.length).unwrap_or_default();
                (1..=LENGTH_MAX).contains(&length) && named_day.is_none()
            }
            PeriodUnit::Birthday | PeriodUnit::SchoolYear | PeriodUnit::SchoolYearEnd => {
                (1..=AGE_MAX).contains(&self.length) && named_day.is_none()
            }
            PeriodUnit::CalendarDay => {
                // 29 February is not a day of every year.
                let every_year = named_day.is_some_and(|(m, d)| Date::new(2025, m, d).is_ok());
                self.length == 0 && every_year
            }
            PeriodUnit::ThatDay
            | PeriodUnit::BeforeCompulsorySchoolAge
            | PeriodUnit::EndOfCompulsorySchoolAge
            | PeriodUnit::NoFixedDate => self.length == 0 && named_day.is_none(),
        }
    }
}

/// No period of these rules is anywhere near this long; a longer one is a typing error.
const LENGTH_MAX: u32 = 1_000;
/// No age or year group of these rules is above this.
const AGE_MAX: i32 = 30;

#[cfg(test)]
mod tests;
