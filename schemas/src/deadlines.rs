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
//! Rooms: `period` (one clock and how it is counted), `exceptions` (what excuses being late),
//! `receipt` (when something counts as received), `reading` (a file of rules and its mistakes),
//! `page` (the rules for a lawyer to read),
//! `school` (school years and ages), `working_days`.
//!
//! Not supported, and why: an exception (regulations 8(2) and 10(4)) does not move a date; it
//! excuses being late. Whether circumstances were exceptional is for a person: here only dates are
//! weighed.

mod exceptions;
mod page;
mod period;
mod reading;
mod receipt;
mod school;
mod working_days;

use std::sync::OnceLock;

use jiff::civil::{Date, DateTime};
use jiff::{Span, ToSpan};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use exceptions::{Claim, Exception, ExceptionTest, NotShown};
pub use period::{Counting, Ends, Mark, Nature, OwedBy, Period, PeriodUnit};
pub use receipt::{Receipt, ReceiptDay};
pub use school::{
    end_of_compulsory_school_age, is_year_9_or_above, start_of_compulsory_school_age, year_group,
};
pub use working_days::BankHolidays;

/// The rules that hold from one date until the next version begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleVersion {
    /// The name written into every answer, for example `clocks-1`.
    pub id: String,
    /// The first date on which it holds.
    pub effective_from: Date,
    /// The last date on which it holds, where the next version does not say so by beginning.
    #[serde(default)]
    pub effective_until: Option<Date>,
    /// The instrument it comes from.
    pub source: String,
    /// How weeks are counted.
    pub counting: Counting,
    /// When reminders fall, in days from the due date; negative is before.
    pub reminder_days: Vec<i32>,
    /// Reasons for being late, by code, that excuse nothing.
    #[serde(default)]
    pub never_excuse: Vec<String>,
    /// The periods.
    #[serde(rename = "period")]
    pub periods: Vec<Period>,
    /// The exceptions that periods name.
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
    /// When something counts as received, for display.
    #[serde(default, rename = "receipt")]
    pub receipts: Vec<Receipt>,
}

/// When something is due, and by which version of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The last day on which it is in time by law.
    pub statutory: Date,
    /// The same by the other way of counting, where it gives another date.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alternative: Option<Date>,
    /// The day to work to: it keeps both ways of counting, and is never a weekend or bank holiday
    /// (the last working day before).
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
    /// The date is after the last version of the rules, or between two of them.
    #[error("no rules hold on {on}: a version must begin by then")]
    NoRules {
        /// The date asked about.
        on: Date,
    },
    /// The law gives no number for the period.
    #[error("{period} has no fixed date")]
    NoFixedDate {
        /// The period.
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
    /// There is no version, two hold at once, or they are not in order.
    #[error("clocks, line {line}: {message}")]
    Order {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A period stands twice, contradicts another, or says what it cannot.
    #[error("clocks, line {line}: {version}: the period {period} {message}")]
    Period {
        /// The line, from 1.
        line: usize,
        /// The version.
        version: String,
        /// The period.
        period: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// An exception stands twice or has days it cannot have.
    #[error(
        "clocks, line {line}: {version}: the exception {exception} stands twice, or has days that \
         its test cannot have"
    )]
    Exception {
        /// The line, from 1.
        line: usize,
        /// The version.
        version: String,
        /// The exception.
        exception: String,
    },
    /// A manner of receipt stands twice.
    #[error("clocks, line {line}: {version}: the receipt by {manner} stands twice; keep one")]
    Receipt {
        /// The line, from 1.
        line: usize,
        /// The version.
        version: String,
        /// The manner.
        manner: String,
    },
    /// A version has no `reg-8` period or no period of a review.
    #[error("clocks, line {line}: {version}: the period {period} is missing; put it in")]
    Missing {
        /// The line, from 1, of the version.
        line: usize,
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

impl Rules {
    /// The rules shipped with the binary.
    #[expect(clippy::expect_used, reason = "the files are compiled in and a test parses them")]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Rules> = OnceLock::new();
        BUILT_IN.get_or_init(|| Self::of_files(None, None).expect("the built-in rules parse"))
    }

    /// The rules shipped with the binary, with the texts of other files in place of those given.
    pub fn of_files(clocks: Option<&str>, bank_holidays: Option<&str>) -> Result<Self, RulesError> {
        let (shipped, days) = Self::built_in_texts();
        Self::parse(clocks.unwrap_or(shipped), bank_holidays.unwrap_or(days))
    }

    /// The texts shipped with the binary: the clocks and the table of bank holidays.
    pub fn built_in_texts() -> (&'static str, &'static str) {
        (
            include_str!("../rules/clocks-1.toml"),
            include_str!("../rules/bank-holidays-england-wales.toml"),
        )
    }

    /// Reads a file of clocks and a table of bank holidays.
    pub fn parse(clocks: &str, bank_holidays: &str) -> Result<Self, RulesError> {
        let versions = reading::versions(clocks)?;
        let bank_holidays: BankHolidays = toml::from_str(bank_holidays).map_err(|error| {
            let (line, message) = reading::located(bank_holidays, &error);
            RulesError::BankHolidays { line, message }
        })?;
        Ok(Self { versions, bank_holidays, counting: None })
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
        let holding = holding.ok_or_else(|| DeadlineError::BeforeRules {
            on,
            first: self.versions.first().map_or(Date::MIN, |version| version.effective_from),
        })?;
        let over = holding.effective_until.is_some_and(|until| until < on);
        if over { Err(DeadlineError::NoRules { on }) } else { Ok(holding) }
    }

    /// The version of this name, or the newest if there is none: for showing what was decided
    /// under rules that are no longer in the file.
    pub fn version_named(&self, id: &str) -> Option<&RuleVersion> {
        self.versions.iter().find(|version| version.id == id).or_else(|| self.versions.last())
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
        let (ends, version) = self.ends(period, from)?;
        self.due_by(ends, version)
    }

    /// The same, and not before another day: something to be done on the day of a move, or later
    /// when the move was heard of late (regulations 15 and 16).
    pub fn due_not_before(
        &self,
        period: &str,
        from: Date,
        not_before: Date,
    ) -> Result<Due, DeadlineError> {
        let (ends, version) = self.ends(period, from)?;
        let statutory = ends.statutory.max(not_before);
        self.due_by(Ends { statutory, alternative: ends.alternative }, version)
    }

    /// The end of a period by both ways of counting, without a day to work to: for dates beyond
    /// the table of bank holidays, such as a birthday.
    ///
    /// What begins with a date of birth is by the first version when the birth was before it.
    pub fn ends(&self, period: &str, from: Date) -> Result<(Ends, &RuleVersion), DeadlineError> {
        let version = match (self.version_on(from), self.versions.first()) {
            (Err(DeadlineError::BeforeRules { .. }), Some(first))
                if first.counts_from_birth(period) =>
            {
                first
            }
            (found, _) => found?,
        };
        let counting = self.counting.unwrap_or(version.counting);
        let ends = version.period(period)?.ends(from, counting, &self.bank_holidays)?;
        Ok((ends, version))
    }

    /// Whether the dates of a claim show an exception that excuses a period from `starts` to
    /// `ends`, by the version that held when it began.
    pub fn excuse(
        &self,
        (period, starts, ends): (&str, Date, Date),
        exception: &str,
        claim: &Claim,
    ) -> Result<&Exception, NotShown> {
        let version = self.version_on(starts)?;
        let period = version.period(period)?;
        let listed = period.excused_by.iter().any(|id| id == exception);
        let found = version.exception(exception).filter(|_| listed);
        let found = found.ok_or_else(|| NotShown::NotListed {
            period: period.id.clone(),
            listed: match period.excused_by.as_slice() {
                [] => "nothing".to_owned(),
                listed => listed.join(", "),
            },
        })?;
        found.shown_by(claim, starts, ends)?;
        Ok(found)
    }

    /// The day on which something counts as received that came by a manner at a civil date and
    /// time; `None` for a manner that the rules do not name. For display only.
    pub fn deemed_receipt(
        &self,
        manner: &str,
        at: DateTime,
    ) -> Result<Option<Date>, DeadlineError> {
        let version = self.version_on(at.date())?;
        let receipt = version.receipts.iter().find(|receipt| receipt.manner == manner);
        receipt.map(|receipt| receipt.day(at, &self.bank_holidays)).transpose()
    }

    fn due_by(&self, ends: Ends, version: &RuleVersion) -> Result<Due, DeadlineError> {
        let operational = self.bank_holidays.last_working_day_by(ends.earlier())?;
        let Ends { statutory, alternative } = ends;
        Ok(Due { statutory, alternative, operational, rule_version: version.id.clone() })
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
        let by = |period: &str| Ok(self.ends(period, meeting_on)?.0.statutory);
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
}

impl RuleVersion {
    /// The period of this name.
    pub fn period(&self, id: &str) -> Result<&Period, DeadlineError> {
        self.periods.iter().find(|period| period.id == id).ok_or_else(|| {
            DeadlineError::NoSuchPeriod { version: self.id.clone(), period: id.to_owned() }
        })
    }

    /// The exception of this name.
    pub fn exception(&self, id: &str) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| exception.id == id)
    }

    /// Whether a reason for being late, by its code, excuses nothing.
    pub fn never_excuses(&self, reason: &str) -> bool {
        self.never_excuse.iter().any(|never| never == reason)
    }

    /// Whether a period is counted from a date of birth.
    fn counts_from_birth(&self, period: &str) -> bool {
        self.period(period).is_ok_and(|period| match period.unit {
            PeriodUnit::Birthday
            | PeriodUnit::SchoolYear
            | PeriodUnit::SchoolYearEnd
            | PeriodUnit::BeforeCompulsorySchoolAge
            | PeriodUnit::EndOfCompulsorySchoolAge => true,
            PeriodUnit::Weeks
            | PeriodUnit::Days
            | PeriodUnit::DaysBeginningWith
            | PeriodUnit::WorkingDaysBeginningWith
            | PeriodUnit::Months
            | PeriodUnit::CalendarDay
            | PeriodUnit::ThatDay
            | PeriodUnit::NoFixedDate => false,
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

/// The same day `months` months later (or, negative, earlier), or the last day of that month.
pub fn months_after(from: Date, months: i32) -> Result<Date, DeadlineError> {
    let months = Span::new().try_months(months).or(Err(DeadlineError::BeyondCalendar))?;
    plus(from, months)
}

fn next_day(date: Date) -> Result<Date, DeadlineError> {
    date.tomorrow().or(Err(DeadlineError::BeyondCalendar))
}

fn plus(date: Date, span: Span) -> Result<Date, DeadlineError> {
    date.checked_add(span).or(Err(DeadlineError::BeyondCalendar))
}

#[cfg(test)]
mod tests;
