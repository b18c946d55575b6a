//! Statutory clocks: civil dates in, civil dates out.
//!
//! The law is data (`rules/clocks-1.toml`, `rules/bank-holidays-england-wales.toml`), in versions
//! with the dates from which they hold; the version used is part of every answer. All dates are
//! civil dates in Europe/London; which instant is which date is for the caller to say. This
//! module must never know a clock, a case or a partner.
//!
//! ```
//! use jiff::civil::date;
//! use schemas::deadlines::Rules;
//!
//! let due = Rules::built_in().advice_due(date(2025, 9, 15))?;
//! assert_eq!(due.statutory, date(2025, 10, 27));
//! assert_eq!(due.operational, date(2025, 10, 24), "the last working day before Sunday 26");
//! # Ok::<(), schemas::deadlines::DeadlineError>(())
//! ```
//!
//! Not supported, and why: lawful exceptions (regulations 8(2) and 10(4)) do not move a date here;
//! they are evidence that a person weighs.

mod school;
mod working_days;

use std::sync::OnceLock;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use school::{
    end_of_compulsory_school_age, is_year_9_or_above, start_of_compulsory_school_age, year_group,
};
pub use working_days::BankHolidays;

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
    /// Weeks of seven calendar days.
    Weeks,
    /// Calendar days, the day of the event being day 1.
    DaysBeginningWith,
    /// Working days, the day of the event being day 1 if it is one.
    WorkingDaysBeginningWith,
}

/// One period of time that the law gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its name in data and decisions, for example `reg-8`.
    pub id: String,
    /// How many units; negative counts back from the event (weeks only).
    pub length: i32,
    /// The unit.
    pub unit: PeriodUnit,
    /// The event it is counted from, in words.
    pub starts: String,
    /// What is due at its end, in words.
    pub words: String,
    /// The provision of law.
    pub provision: String,
}

/// The rules that hold from one date until the next version begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleVersion {
    /// The name written into every answer, for example `clocks-1`.
    pub id: String,
    /// The first date on which it holds.
    pub effective_from: Date,
    /// The instrument it comes from.
    pub source: String,
    /// How weeks are counted.
    pub counting: Counting,
    /// When reminders fall, in days from the due date; negative is before.
    pub reminder_days: Vec<i32>,
    /// The periods.
    #[serde(rename = "period")]
    pub periods: Vec<Period>,
}

/// When something is due, and by which version of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The last day on which it is in time by law.
    pub statutory: Date,
    /// The day to work to: under the default counting one day earlier, so that both ways of
    /// counting weeks are kept, and never a weekend or bank holiday (the last working day before).
    pub operational: Date,
    /// The version of the rules that gave these dates.
    pub rule_version: String,
}

/// A reminder of something due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Days from the due date; negative is before.
    pub offset_days: i32,
    /// The date of the reminder.
    pub on: Date,
}

/// The dates around an annual review meeting (regulations 20 to 22).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewDates {
    /// Invitations and advice are out by this date, two weeks before.
    pub papers_out_by: Date,
    /// The report is out by this date, two weeks after.
    pub report_by: Date,
    /// The decision and any proposed amendments are out by this date, four weeks after.
    pub decision_by: Date,
    /// The amended plan is out by this date, twelve weeks after.
    pub final_by: Date,
    /// The version of the rules that gave these dates.
    pub rule_version: String,
}

/// Why a date cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeadlineError {
    /// The date is before the first version of the rules.
    #[error("no rules hold on {on}: the first version begins on {first}")]
    BeforeRules {
        /// The date asked about.
        on: Date,
        /// The first date with rules.
        first: Date,
    },
    /// The version of the rules has no such period.
    #[error("{version} has no period named {period}")]
    NoSuchPeriod {
        /// The version.
        version: String,
        /// The period asked for.
        period: String,
    },
    /// A working-day question goes beyond the table of bank holidays.
    #[error("bank holidays are known from {from} to {until} only; extend the table")]
    BankHolidaysUnknown {
        /// The first date covered.
        from: Date,
        /// The last date covered.
        until: Date,
    },
    /// A number of days to count is not at least one.
    #[error("a period of days has at least one day")]
    NoDays,
    /// The answer is not a date of the calendar.
    #[error("the date is beyond the calendar")]
    BeyondCalendar,
}

/// Why a file of rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The file of clocks is not TOML of its shape.
    #[error("clocks, line {line}: {message}")]
    Clocks {
        /// The line, from 1.
        line: usize,
        /// What the reader of TOML says.
        message: String,
    },
    /// The table of bank holidays is not TOML of its shape.
    #[error("bank holidays, line {line}: {message}")]
    BankHolidays {
        /// The line, from 1.
        line: usize,
        /// What the reader of TOML says.
        message: String,
    },
    /// There is no version, or versions are not in order of their dates, each with its own name.
    #[error("versions must be in order of effective_from, each with a name of its own")]
    Order,
    /// A period stands twice in a version, or counts days back.
    #[error("{version}: the period {period} stands twice or has no length it can have")]
    Period {
        /// The version.
        version: String,
        /// The period.
        period: String,
    },
    /// A version has no `reg-8` period or no period of a review.
    #[error("{version}: the period {period} is missing")]
    Missing {
        /// The version.
        version: String,
        /// The period.
        period: String,
    },
}

/// The rules in all their versions, with the table of bank holidays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    versions: Vec<RuleVersion>,
    bank_holidays: BankHolidays,
    counting: Option<Counting>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClocksFile {
    version: Vec<RuleVersion>,
}

impl Rules {
    /// The rules shipped with the binary.
    #[expect(clippy::expect_used, reason = "the files are compiled in and a test parses them")]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Rules> = OnceLock::new();
        BUILT_IN.get_or_init(|| {
            Self::parse(
                include_str!("../rules/clocks-1.toml"),
                include_str!("../rules/bank-holidays-england-wales.toml"),
            )
            .expect("the built-in rules parse")
        })
    }

    /// Reads a file of clocks and a table of bank holidays.
    pub fn parse(clocks: &str, bank_holidays: &str) -> Result<Self, RulesError> {
        let file: ClocksFile = toml::from_str(clocks).map_err(|error| {
            let (line, message) = located(clocks, &error);
            RulesError::Clocks { line, message }
        })?;
        let bank_holidays: BankHolidays = toml::from_str(bank_holidays).map_err(|error| {
            let (line, message) = located(bank_holidays, &error);
            RulesError::BankHolidays { line, message }
        })?;
        let in_order = file
            .version
            .iter()
            .zip(file.version.iter().skip(1))
            .all(|(one, next)| one.effective_from < next.effective_from && one.id != next.id);
        if file.version.is_empty() || !in_order {
            return Err(RulesError::Order);
        }
        file.version.iter().try_for_each(RuleVersion::sound)?;
        Ok(Self { versions: file.version, bank_holidays, counting: None })
    }

    /// The same rules with another way of counting weeks in every version.
    #[must_use]
    pub fn counting(mut self, counting: Counting) -> Self {
        self.counting = Some(counting);
        self
    }

    /// The version that holds on a date.
    pub fn version_on(&self, on: Date) -> Result<&RuleVersion, DeadlineError> {
        let holding = self.versions.iter().rev().find(|version| version.effective_from <= on);
        holding.ok_or_else(|| DeadlineError::BeforeRules {
            on,
            first: self.versions.first().map_or(Date::MIN, |version| version.effective_from),
        })
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> &[RuleVersion] {
        &self.versions
    }

    /// The table of bank holidays.
    pub fn bank_holidays(&self) -> &BankHolidays {
        &self.bank_holidays
    }

    /// When a service owes its advice (regulation 8(1)), from the date it received the request.
    ///
    /// A redirected request keeps the date on which it was first received.
    pub fn advice_due(&self, received_on: Date) -> Result<Due, DeadlineError> {
        self.due("reg-8", received_on)
    }

    /// When a period of this name ends that begins with an event on `from`.
    pub fn due(&self, period: &str, from: Date) -> Result<Due, DeadlineError> {
        let version = self.version_on(from)?;
        let statutory = self.end_of(version, period, from)?;
        let counting = self.counting.unwrap_or(version.counting);
        let weeks = version.period(period)?.unit == PeriodUnit::Weeks;
        let earlier = weeks && counting == Counting::ExcludeReceiptDay;
        let target = if earlier { plus(statutory, (-1).days())? } else { statutory };
        let operational = self.bank_holidays.last_working_day_by(target)?;
        Ok(Due { statutory, operational, rule_version: version.id.clone() })
    }

    /// The reminders of something due on `statutory`, by the version that holds on that date.
    pub fn reminders(&self, statutory: Date) -> Result<Vec<Reminder>, DeadlineError> {
        let offsets = &self.version_on(statutory)?.reminder_days;
        let reminder = |offset_days: &i32| {
            let on = plus(statutory, offset_days.days())?;
            Ok(Reminder { offset_days: *offset_days, on })
        };
        offsets.iter().map(reminder).collect()
    }

    /// The dates around an annual review meeting; always counted without the day of the meeting.
    pub fn review_dates(&self, meeting_on: Date) -> Result<ReviewDates, DeadlineError> {
        let version = self.version_on(meeting_on)?;
        let by = |period: &str| weeks_after(meeting_on, version.period(period)?.length);
        Ok(ReviewDates {
            papers_out_by: by("review-papers")?,
            report_by: by("review-report")?,
            decision_by: by("review-decision")?,
            final_by: by("review-final")?,
            rule_version: version.id.clone(),
        })
    }

    /// The last of `n` working days of which `start` is the first, if it is one.
    pub fn working_days_beginning_with(&self, start: Date, n: u32) -> Result<Date, DeadlineError> {
        self.bank_holidays.working_days_beginning_with(start, n)
    }

    fn end_of(
        &self,
        version: &RuleVersion,
        period: &str,
        from: Date,
    ) -> Result<Date, DeadlineError> {
        let period = version.period(period)?;
        let days = u32::try_from(period.length).or(Err(DeadlineError::NoDays));
        match period.unit {
            PeriodUnit::Weeks => {
                let end = weeks_after(from, period.length)?;
                match self.counting.unwrap_or(version.counting) {
                    Counting::ReceiptDayIsDay1 if period.length > 0 => plus(end, (-1).days()),
                    Counting::ReceiptDayIsDay1 | Counting::ExcludeReceiptDay => Ok(end),
                }
            }
            PeriodUnit::DaysBeginningWith => days_beginning_with(from, days?),
            PeriodUnit::WorkingDaysBeginningWith => self.working_days_beginning_with(from, days?),
        }
    }
}

impl RuleVersion {
    /// The period of this name.
    pub fn period(&self, id: &str) -> Result<&Period, DeadlineError> {
        self.periods.iter().find(|period| period.id == id).ok_or_else(|| {
            DeadlineError::NoSuchPeriod { version: self.id.clone(), period: id.to_owned() }
        })
    }

    /// Whether it has what is asked of it by name, each period once and with a length it can have.
    fn sound(&self) -> Result<(), RulesError> {
        for (index, period) in self.periods.iter().enumerate() {
            let twice = self.periods.iter().take(index).any(|earlier| earlier.id == period.id);
            let back = period.unit != PeriodUnit::Weeks && period.length < 1;
            let absurd = period.length.unsigned_abs() > LENGTH_MAX;
            if twice || back || absurd {
                let (version, period) = (self.id.clone(), period.id.clone());
                return Err(RulesError::Period { version, period });
            }
        }
        let missing = NEEDED.iter().find(|id| self.period(id).is_err());
        missing.map_or(Ok(()), |id| {
            Err(RulesError::Missing { version: self.id.clone(), period: (*id).to_owned() })
        })
    }
}

/// The date `weeks` weeks of seven days after (or, negative, before) a date, not counting it.
pub fn weeks_after(from: Date, weeks: i32) -> Result<Date, DeadlineError> {
    let weeks = Span::new().try_weeks(weeks).or(Err(DeadlineError::BeyondCalendar))?;
    plus(from, weeks)
}

/// The last of `n` calendar days of which `start` is the first.
pub fn days_beginning_with(start: Date, n: u32) -> Result<Date, DeadlineError> {
    let later = n.checked_sub(1).ok_or(DeadlineError::NoDays)?;
    let days = Span::new().try_days(later).or(Err(DeadlineError::BeyondCalendar))?;
    plus(start, days)
}

fn plus(date: Date, span: Span) -> Result<Date, DeadlineError> {
    date.checked_add(span).or(Err(DeadlineError::BeyondCalendar))
}

fn located(text: &str, error: &toml::de::Error) -> (usize, String) {
    let line = error.span().map_or(1, |span| crate::catalogue::line_of(text, span.start));
    (line, error.message().to_owned())
}

/// The periods that are asked for by name.
const NEEDED: [&str; 5] =
    ["reg-8", "review-papers", "review-report", "review-decision", "review-final"];
/// No period of these rules is anywhere near this long; a longer one is a typing error.
const LENGTH_MAX: u32 = 1_000;

#[cfg(test)]
mod tests;
