//! The rules of odd access: read from a file, or refused with the line.
//!
//! Owns the shape of `gateway/rules/odd-access-1.toml`. Must never know the store or an access.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use schemas::deadlines::BankHolidays;
use schemas::record::Restriction;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use crate::authority::TableError;
use crate::authority::table;
use crate::clock::london_time;
use crate::journey::HOLD_REASONS;

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The version, which every alert names.
    pub version: String,
    /// The first day on which they hold.
    pub from: Date,
    /// When people work.
    pub hours: Hours,
    /// What is looked for, in the order of the file.
    pub rules: Vec<Rule>,
}

/// When people work, by the clocks of Europe/London.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    weekdays: BTreeSet<i8>,
    from: Time,
    until: Time,
    on_bank_holidays: bool,
}

/// One thing that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name: kebab-case, in alerts, logs and metrics.
    pub name: String,
    /// How soon somebody should look.
    pub severity: Severity,
    /// What it means, for people.
    pub words: String,
    /// Who looks into it.
    pub reviewers: Reviewers,
    /// Within how many days.
    pub review_within_days: u16,
    /// More of the same within this time belongs to the same alert while it is open.
    pub once_within: SignedDuration,
    /// What is odd.
    pub test: Test,
}

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// When there is time.
    Low,
    /// This week.
    Medium,
    /// Now.
    High,
}

/// Who looks into an alert: never who did what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reviewers {
    /// An information governance auditor.
    InformationGovernance,
    /// Somebody of the organisation whose person or system it was, or an auditor.
    OwnOrganisation,
}

/// Whose accesses are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// One person's.
    Person,
    /// One organisation's, whoever or whatever acted for it.
    Organisation,
}

/// What is odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// People set something aside, on one of these grounds or in an emergency.
    Override {
        /// Reasons of a vote to release.
        grounds: BTreeSet<String>,
        /// Whether a release in an emergency counts: by one rule of a file, since its review decides
        /// one alert.
        emergencies: bool,
    },
    /// Outside working hours.
    OutOfHours,
    /// Many different people in a short time.
    Bulk {
        /// Whose accesses count together.
        of: Of,
        /// The time.
        within: SignedDuration,
        /// This many people or more, opened one by one.
        people: u64,
        /// This many or more, lines of lists included.
        listed: u64,
    },
    /// Many looks in a short time.
    Rate {
        /// Whose accesses count together.
        of: Of,
        /// The time.
        within: SignedDuration,
        /// This many looks or more.
        looks: u64,
    },
    /// A way that nothing of this type has gone lately.
    UnusualRecipient {
        /// Not for this long.
        unseen: SignedDuration,
        /// For this long the watch only learns.
        settle: SignedDuration,
    },
    /// Somebody about whom one of these restrictions, by its name in the ledger, is in force.
    Restricted(BTreeSet<String>),
    /// Somebody with a family name of who looks.
    OwnSurname {
        /// A name that more of the organisation's staff have says nothing by itself.
        shared_by_at_most: u64,
    },
    /// Somebody at the postcode of who looks.
    OwnPostcode,
}

impl Rules {
    /// The rules that are shipped.
    pub fn built_in_text() -> &'static str {
        include_str!("../../rules/odd-access-1.toml")
    }

    /// Reads a file of rules; the error names the line.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: File = table::read(text)?;
        if file.version.get_ref().trim().is_empty() {
            return Err(TableError::at(text, &file.version, "the version is empty"));
        }
        let hours = file.hours.get_ref().check();
        let hours = hours.map_err(|problem| TableError::at(text, &file.hours, problem))?;
        let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
        for row in file.rule {
            let place = row.name.clone();
            let rule = row.check().map_err(|problem| TableError::at(text, &place, problem))?;
            if rules.iter().any(|one| one.name == rule.name) {
                let problem = "two rules have this name; give each its own";
                return Err(TableError::at(text, &place, problem));
            }
            if rule.is_of_emergencies() && rules.iter().any(Rule::is_of_emergencies) {
                let problem = "an emergency is one alert; write `emergencies = false` in all rules of kind override but one";
                return Err(TableError::at(text, &place, problem));
            }
            rules.push(rule);
        }
        Ok(Self { version: file.version.into_inner(), from: file.from, hours, rules })
    }

    /// A rule by its name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// How far back any rule looks at what was looked at before.
    pub fn looks_back(&self) -> SignedDuration {
        let within = self.rules.iter().map(|rule| match &rule.test {
            Test::Bulk { within, .. } | Test::Rate { within, .. } => *within,
            Test::Override { .. }
            | Test::OutOfHours
            | Test::UnusualRecipient { .. }
            | Test::Restricted(_)
            | Test::OwnSurname { .. }
            | Test::OwnPostcode => SignedDuration::ZERO,
        });
        within.max().unwrap_or(SignedDuration::ZERO)
    }
}

impl Hours {
    /// Whether people work at an instant. Beyond the table of bank holidays only the weekday counts.
    pub fn are_open(&self, at: Timestamp, holidays: &BankHolidays) -> bool {
        let local = london_time(at);
        let weekday = self.weekdays.contains(&local.weekday().to_monday_one_offset());
        let holiday = holidays.dates().any(|day| day == local.date());
        let time = local.time();
        weekday && (!holiday || self.on_bank_holidays) && self.from <= time && time < self.until
    }
}

impl Rule {
    /// Whether a release in an emergency is an alert by it.
    pub fn is_of_emergencies(&self) -> bool {
        matches!(self.test, Test::Override { emergencies: true, .. })
    }

    /// What kind of thing it looks for, as the file writes it.
    pub fn kind(&self) -> &'static str {
        match self.test {
            Test::Override { .. } => "override",
            Test::OutOfHours => "out-of-hours",
            Test::Bulk { .. } => "bulk",
            Test::Rate { .. } => "rate",
            Test::UnusualRecipient { .. } => "unusual-recipient",
            Test::Restricted(_) => "restricted",
            Test::OwnSurname { .. } => "own-surname",
            Test::OwnPostcode => "own-postcode",
        }
    }
}

impl Severity {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Reviewers {
    /// Their name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InformationGovernance => "information-governance",
            Self::OwnOrganisation => "own-organisation",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    #[serde(deserialize_with = "table::date")]
    from: Date,
    hours: Spanned<HoursRow>,
    rule: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursRow {
    weekdays: Vec<String>,
    #[serde(deserialize_with = "time")]
    from: Time,
    #[serde(deserialize_with = "time")]
    until: Time,
    bank_holidays: BankHolidayRow,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum BankHolidayRow {
    Open,
    Closed,
}

impl HoursRow {
    fn check(&self) -> Result<Hours, String> {
        if self.from >= self.until {
            return Err("`from` must be before `until`, on the same day".to_owned());
        }
        let mut weekdays = BTreeSet::new();
        for name in &self.weekdays {
            let found = WEEKDAYS.iter().find(|(known, _)| known == name);
            let (_, day) = found.ok_or_else(|| {
                format!("`{name}` is no weekday; write monday to sunday, in lower case")
            })?;
            if !weekdays.insert(day.to_monday_one_offset()) {
                return Err(format!("`{name}` is there twice"));
            }
        }
        let on_bank_holidays = self.bank_holidays == BankHolidayRow::Open;
        Ok(Hours { weekdays, from: self.from, until: self.until, on_bank_holidays })
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Override,
    OutOfHours,
    Bulk,
    Rate,
    UnusualRecipient,
    Restricted,
    OwnSurname,
    OwnPostcode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Spanned<String>,
    kind: Kind,
    severity: Severity,
    words: String,
    reviewers: Reviewers,
    review_within_days: u16,
    once_within_hours: Option<u32>,
    of: Option<Of>,
    within_minutes: Option<u32>,
    people: Option<u64>,
    listed: Option<u64>,
    looks: Option<u64>,
    unseen_days: Option<u32>,
    settle_days: Option<u32>,
    restrictions: Option<Vec<Restriction>>,
    shared_by_at_most: Option<u64>,
    grounds: Option<Vec<String>>,
    emergencies: Option<bool>,
}

impl Row {
    fn check(mut self) -> Result<Rule, String> {
        let name = self.name.get_ref().clone();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) || name == super::SAMPLE {
            return Err(format!(
                "a name is lower-case letters, digits and hyphens, and not `{}`",
                super::SAMPLE
            ));
        }
        if self.words.trim().is_empty() || self.review_within_days == 0 {
            return Err("say in `words` what it means, and give `review_within_days` of 1 or more"
                .to_owned());
        }
        let test = self.test()?;
        let once = match (&test, self.once_within_hours.take()) {
            (Test::Override { .. }, None) => 0,
            (Test::Override { .. }, Some(_)) => {
                return Err(
                    "each override is an alert of its own; remove `once_within_hours`".to_owned()
                );
            }
            (_, Some(hours @ 1..=ONCE_HOURS_MAX)) => hours,
            (_, _) => {
                return Err(format!("`once_within_hours` is needed, 1 to {ONCE_HOURS_MAX}"));
            }
        };
        if let Some(key) = self.left_over() {
            return Err(format!("`{key}` means nothing for a rule of this kind; remove it"));
        }
        Ok(Rule {
            name,
            severity: self.severity,
            words: self.words,
            reviewers: self.reviewers,
            review_within_days: self.review_within_days,
            once_within: SignedDuration::from_hours(i64::from(once)),
            test,
        })
    }

    fn test(&mut self) -> Result<Test, String> {
        Ok(match self.kind {
            Kind::Override => {
                let grounds: BTreeSet<String> =
                    needed(self.grounds.take(), "grounds")?.into_iter().collect();
                if let Some(unknown) =
                    grounds.iter().find(|one| !HOLD_REASONS.contains(&one.as_str()))
                {
                    return Err(format!(
                        "`{unknown}` is no reason of a vote; known are {}",
                        HOLD_REASONS.join(", ")
                    ));
                }
                Test::Override { grounds, emergencies: self.emergencies.take().unwrap_or(true) }
            }
            Kind::OutOfHours => Test::OutOfHours,
            Kind::Bulk => Test::Bulk {
                of: needed(self.of.take(), "of")?,
                within: self.within()?,
                people: some(self.people.take(), "people")?,
                listed: some(self.listed.take(), "listed")?,
            },
            Kind::Rate => Test::Rate {
                of: needed(self.of.take(), "of")?,
                within: self.within()?,
                looks: some(self.looks.take(), "looks")?,
            },
            Kind::UnusualRecipient => Test::UnusualRecipient {
                unseen: days(needed(self.unseen_days.take(), "unseen_days")?),
                settle: days(needed(self.settle_days.take(), "settle_days")?),
            },
            Kind::Restricted => {
                let named = needed(self.restrictions.take(), "restrictions")?;
                if named.is_empty() {
                    return Err("name at least one restriction in `restrictions`".to_owned());
                }
                Test::Restricted(named.into_iter().map(crate::telemetry::name_of).collect())
            }
            Kind::OwnSurname => Test::OwnSurname {
                shared_by_at_most: some(self.shared_by_at_most.take(), "shared_by_at_most")?,
            },
            Kind::OwnPostcode => Test::OwnPostcode,
        })
    }

    fn within(&mut self) -> Result<SignedDuration, String> {
        match self.within_minutes.take() {
            Some(minutes @ 1..=WITHIN_MINUTES_MAX) => {
                Ok(SignedDuration::from_mins(i64::from(minutes)))
            }
            Some(_) | None => Err(format!("`within_minutes` is needed, 1 to {WITHIN_MINUTES_MAX}")),
        }
    }

    /// A key that was given and that the kind has no use for.
    fn left_over(&self) -> Option<&'static str> {
        let given = [
            ("of", self.of.is_some()),
            ("within_minutes", self.within_minutes.is_some()),
            ("people", self.people.is_some()),
            ("listed", self.listed.is_some()),
            ("looks", self.looks.is_some()),
            ("unseen_days", self.unseen_days.is_some()),
            ("settle_days", self.settle_days.is_some()),
            ("restrictions", self.restrictions.is_some()),
            ("shared_by_at_most", self.shared_by_at_most.is_some()),
            ("grounds", self.grounds.is_some()),
            ("emergencies", self.emergencies.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
    }
}

fn needed<T>(value: Option<T>, key: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("a rule of this kind needs `{key}`"))
}

fn some(value: Option<u64>, key: &str) -> Result<u64, String> {
    match needed(value, key)? {
        0 => Err(format!("`{key}` must be 1 or more")),
        value => Ok(value),
    }
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days).saturating_mul(24))
}

/// A TOML time, written without quotes: `from = 07:30:00`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    use serde::de::Error as _;
    let written = toml::value::Datetime::deserialize(deserializer)
        .map_err(|_syntax| D::Error::custom(TIME_HELP))?;
    let (None, Some(time), None) = (written.date, written.time, written.offset) else {
        return Err(D::Error::custom(TIME_HELP));
    };
    let part = |part: u8| i8::try_from(part).or(Err(D::Error::custom(TIME_HELP)));
    Time::new(part(time.hour)?, part(time.minute)?, 0, 0).or(Err(D::Error::custom(TIME_HELP)))
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

const TIME_HELP: &str = "write a time as 07:30:00, without quotes and without a date";
/// A month: what is the same alert for longer is forgotten.
const ONCE_HOURS_MAX: u32 = 744;
/// A day: every look of this time is kept beside the log and read for each new one.
const WITHIN_MINUTES_MAX: u32 = 1440;
