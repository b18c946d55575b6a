//! What is owed on the way to adulthood: the checklist as data, in versions with their dates.
//!
//! Owns the reading of `rules/transition-1.toml` and the days its moments fall on for a date of
//! birth. It must never know a case, a partner or a clock: whether an item was done is for whoever
//! holds the messages to say.
//!
//! ```
//! use jiff::civil::date;
//! use schemas::transition::TransitionRules;
//!
//! let version = TransitionRules::built_in().version_on(date(2026, 9, 1)).expect("a version");
//! let notify = version.item("notify-14").expect("an item");
//! assert_eq!(notify.by.on(date(2012, 2, 29), None)?, date(2026, 3, 1), "not a leap year");
//! # Ok::<(), schemas::deadlines::DeadlineError>(())
//! ```
//!
//! Not supported, and why: reception, infant and middle schools' phase transfers, and children a
//! year ahead or behind, because only the age is known.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::MessageType;
use crate::deadlines::DeadlineError;

/// Who owes an item, or must receive what shows that it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// The local authority.
    Authority,
    /// The health services that know the person.
    Health,
    /// The commissioning body, normally the integrated care board.
    CommissioningBody,
}

/// Whom an item applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applies {
    /// Every case from Year 9.
    Everyone,
    /// An EHC plan, or a review of one, was seen.
    Plan,
    /// Somebody said that adult services will be needed.
    AdultCare,
    /// Adult NHS Continuing Healthcare is in question.
    ContinuingCare,
    /// An assessment under section 58 of the Care Act 2014 was requested.
    #[serde(rename = "section-58")]
    Section58,
    /// Adult NHS Continuing Healthcare was decided, in principle or finally.
    Eligible,
}

/// What a moment is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// 1 September of the school year of a year group, by age.
    YearStart,
    /// 31 August of the school year of a year group, by age.
    YearEnd,
    /// A day of the calendar year in which the school year of a year group ends.
    InYear,
    /// A birthday.
    Birthday,
    /// The planned transfer to adult services, or the 18th birthday while none is planned.
    Transfer,
}

/// A moment in somebody's life, as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// What it is counted from.
    pub at: Anchor,
    /// The year group, for the anchors of a school year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i16>,
    /// The age, for a birthday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<i16>,
    /// The month, 1 to 12, for a day in a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<i8>,
    /// The day, 1 to 31, for a day in a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i8>,
    /// Months later; negative is earlier. From a day that the month does not have: its last day.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub months: i32,
}

/// One item of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its name in data and answers, for example `notify-14`.
    pub id: String,
    /// What is owed, in words.
    pub words: String,
    /// Who owes it.
    pub owes: Duty,
    /// Whom it applies to.
    pub applies: Applies,
    /// From when it is owed.
    pub from: Moment,
    /// By when.
    pub by: Moment,
    /// It is shown from `from` to this moment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Whether a case that is first known later is given some days from then.
    #[serde(default)]
    pub late_entry: bool,
    /// The messages that show it was done.
    pub evidence: Vec<MessageType>,
    /// A name that the message must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Says>,
    /// Whether only what is dated on or after `from` counts.
    #[serde(default)]
    pub fresh: bool,
    /// After how many months it is due again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_months: Option<i32>,
    /// Who must have received the message, or itself have sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<Duty>,
    /// Where it stands.
    pub provision: String,
    /// Whether the date was checked against the source.
    pub verified: bool,
    /// What to know about it; whose figure it is where it was not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a message must say beyond being of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The named worker.
    NamedWorker,
    /// The adult service that receives.
    ReceivingService,
    /// The first day of a package.
    StartsOn,
}

/// The checklist that holds from one date until the next version begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// The name written into every answer, for example `transition-1`.
    pub id: String,
    /// The first date on which it holds.
    pub effective_from: Date,
    /// Where it comes from.
    pub source: String,
    /// Messages that count only once the receiver has accepted them.
    pub accepted_types: Vec<MessageType>,
    /// Months before the 18th birthday at which a case with gaps rises, most first.
    pub warnings: Vec<i32>,
    /// How many days what had passed when a case was first known is given from then.
    pub late_entry_days: i32,
    /// The items, in the order in which they are shown.
    #[serde(rename = "item")]
    pub items: Vec<Item>,
}

/// The checklist in all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRules {
    versions: Vec<Checklist>,
}

/// Why a file of rules cannot be used; says where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("transition rules, line {line}: {problem}")]
pub struct TransitionRulesError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Vec<Checklist>,
}

impl TransitionRules {
    /// The checklist shipped with the binary.
    #[expect(clippy::expect_used, reason = "the file is compiled in and a test parses it")]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<TransitionRules> = OnceLock::new();
        BUILT_IN.get_or_init(|| {
            Self::parse(include_str!("../rules/transition-1.toml"))
                .expect("the built-in transition rules parse")
        })
    }

    /// Reads a file of rules.
    pub fn parse(text: &str) -> Result<Self, TransitionRulesError> {
        let file: File = toml::from_str(text).map_err(|error| TransitionRulesError {
            line: error.span().map_or(1, |span| crate::catalogue::line_of(text, span.start)),
            problem: error.message().to_owned(),
        })?;
        let fault = |name: &str, problem: String| TransitionRulesError {
            line: line_with(text, name),
            problem,
        };
        let mut earlier: Option<&Checklist> = None;
        for version in &file.version {
            let in_order = earlier.is_none_or(|before| {
                before.effective_from < version.effective_from && before.id != version.id
            });
            if !in_order {
                let problem = "versions stand in the order of effective_from, each with a name of its own; move or rename it";
                return Err(fault(&version.id, problem.to_owned()));
            }
            version.sound().map_err(|(name, problem)| fault(&name, problem))?;
            earlier = Some(version);
        }
        if file.version.is_empty() {
            return Err(fault("", "there is no [[version]]; add one".to_owned()));
        }
        Ok(Self { versions: file.version })
    }

    /// The version that holds on a date; `None` before the first.
    pub fn version_on(&self, on: Date) -> Option<&Checklist> {
        self.versions.iter().rev().find(|version| version.effective_from <= on)
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> &[Checklist] {
        &self.versions
    }
}

impl Checklist {
    /// The item of this name.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    /// The 1 September from which anything of the checklist may concern somebody. It is the same
    /// for everybody born in one school year, so that it may be kept where a birthday may not.
    pub fn begins(&self, born: Date) -> Result<Date, DeadlineError> {
        let mut first = Date::MAX;
        for item in &self.items {
            first = first.min(item.from.on(born, None)?);
        }
        Date::new(school_year_began(first), 9, 1).or(Err(DeadlineError::BeyondCalendar))
    }

    /// What is wrong with it, and the name it is wrong at.
    fn sound(&self) -> Result<(), (String, String)> {
        let say = |name: &str, problem: &str| Err((name.to_owned(), problem.to_owned()));
        let descending = self.warnings.windows(2).all(|pair| pair.first() > pair.last());
        if !descending || self.warnings.iter().any(|months| !(1..=24).contains(months)) {
            return say(&self.id, "warnings are months from 24 to 1, most first; put them right");
        }
        if !(0..=366).contains(&self.late_entry_days) {
            return say(&self.id, "late_entry_days is 0 to 366; put it right");
        }
        let mut names = BTreeSet::new();
        for item in &self.items {
            if !names.insert(&item.id) {
                return say(&item.id, "an item of this name stands twice; rename one");
            }
            for moment in [Some(item.from), Some(item.by), item.until].into_iter().flatten() {
                if let Some(problem) = moment.fault() {
                    return say(&item.id, problem);
                }
            }
            if item.evidence.is_empty() {
                return say(&item.id, "no message shows that it was done; name one in `evidence`");
            }
            if !item.verified && item.note.is_none() {
                return say(&item.id, "is not verified and has no note; say whose figure it is");
            }
            if item.renew_months.is_some_and(|months| !(1..=60).contains(&months)) {
                return say(&item.id, "renew_months is 1 to 60; put it right");
            }
            // Any birthday will do: the order of moments is the same for everybody but by a year.
            let ends = |moment: Moment| moment.on(Date::constant(2010, 1, 15), None);
            if matches!((ends(item.from), ends(item.by)), (Ok(from), Ok(by)) if by < from) {
                return say(&item.id, "is due before it begins; change `from` or `by`");
            }
        }
        Ok(())
    }
}

impl Moment {
    /// The day it falls on for somebody; `transfer` is the planned transfer to adult services.
    pub fn on(&self, born: Date, transfer: Option<Date>) -> Result<Date, DeadlineError> {
        let beyond = DeadlineError::BeyondCalendar;
        let day_of = |month: i8, day: i8, later: i16| {
            let starts = school_year_began(born).checked_add(self.year.unwrap_or(0) + 5 + later);
            starts.and_then(|year| Date::new(year, month, day).ok()).ok_or(beyond.clone())
        };
        let day = match self.at {
            Anchor::YearStart => day_of(9, 1, 0)?,
            Anchor::YearEnd => day_of(8, 31, 1)?,
            Anchor::InYear => day_of(self.month.unwrap_or(1), self.day.unwrap_or(1), 1)?,
            Anchor::Birthday => birthday(born, self.age.unwrap_or(0))?,
            Anchor::Transfer => match transfer {
                Some(planned) => planned,
                None => birthday(born, ADULT)?,
            },
        };
        day.checked_add(self.months.months()).or(Err(beyond))
    }

    /// What is wrong with it, if anything.
    fn fault(&self) -> Option<&'static str> {
        let school = matches!(self.at, Anchor::YearStart | Anchor::YearEnd | Anchor::InYear);
        let named_day = self.at == Anchor::InYear;
        let a_day = self.month.zip(self.day).is_some_and(|(m, d)| Date::new(2025, m, d).is_ok());
        if school != self.year.is_some_and(|year| (1..=14).contains(&year)) {
            Some(
                "`year` is a year group from 1 to 14, and stands with year-start, year-end and in-year only",
            )
        } else if (self.at == Anchor::Birthday)
            != self.age.is_some_and(|age| (1..=25).contains(&age))
        {
            Some("`age` is 1 to 25, and stands with birthday only")
        } else if named_day != a_day || named_day != self.month.is_some() {
            Some("`month` and `day` are a day of every year, and stand with in-year only")
        } else if self.months.unsigned_abs() > 36 {
            Some("`months` is at most 36 either way")
        } else {
            None
        }
    }
}

/// The birthday on which somebody is so many years old; 1 March for 29 February in other years
/// (a year of age is completed when the anniversary begins, and that day has none).
pub fn birthday(born: Date, age: i16) -> Result<Date, DeadlineError> {
    let beyond = DeadlineError::BeyondCalendar;
    let year = born.year().checked_add(age).ok_or(beyond.clone())?;
    Date::new(year, born.month(), born.day()).or_else(|_| Date::new(year, 3, 1)).or(Err(beyond))
}

/// The calendar year in which the school year of a date began.
fn school_year_began(date: Date) -> i16 {
    if date.month() >= 9 { date.year() } else { date.year() - 1 }
}

/// The last line, from 1, that has this name in quotation marks.
fn line_with(text: &str, name: &str) -> usize {
    let quoted = format!("\"{name}\"");
    let found = text.lines().zip(1..).filter(|(line, _)| line.contains(&quoted)).last();
    found.map_or(1, |(_, number)| number)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(months: &i32) -> bool {
    *months == 0
}

/// When adult services begin.
const ADULT: i16 = 18;

#[cfg(test)]
mod tests;
