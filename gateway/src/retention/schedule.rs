//! The retention schedule: how long each class of what is kept is kept, as data.
//!
//! Owns the classes, the form of `rules/retention-1.toml`, and when something is due. Pure. It must
//! never know what is in the store or how it is deleted.
//!
//! Use: [`Schedule::shipped`] or [`Schedule::parse`], then [`Schedule::due_at`].
//!
//! Limits: every class is named once, with the event that the class counts from; what the file does
//! not name is a mistake, not a default. Not supported: other classes than those here, because each
//! is a question to the store that somebody has to write.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use schemas::MessageType;
use serde::{Deserialize, Serialize};

/// A class of things that are kept for the same reason and the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The sealed copy of a message that was delivered.
    TransitCopy,
    /// The sealed copy of a message that nobody ever received.
    Undelivered,
    /// The sealed message that an entry of the consent ledger rests on.
    ConsentEvidence,
    /// The sealed message that says who somebody is.
    IdentityEvidence,
    /// A submission as it came in.
    Original,
    /// A quarantined item that was put right.
    Quarantine,
    /// A quarantined item that nobody put right.
    QuarantineUnresolved,
    /// A document kept apart, with the messages that name it.
    Document,
    /// A document kept apart that no message names.
    DocumentUnnamed,
    /// The sealed case reference that the board shows.
    CaseReference,
    /// The sealed facts of the way to adulthood.
    TransitionFacts,
    /// The consent ledger.
    ConsentLedger,
    /// Which pseudonyms are one person.
    IdentityLedger,
    /// Legs, clocks, deliveries and their history.
    Clocks,
    /// Answers and signed receipts.
    Receipts,
    /// The entries of the log.
    AuditLog,
    /// What leads from a person to the entries of a year of the log.
    AuditLookup,
    /// Backups.
    Backups,
}

impl Class {
    /// All of them, in the order of the page.
    pub const ALL: [Self; 18] = [
        Self::TransitCopy,
        Self::Undelivered,
        Self::ConsentEvidence,
        Self::IdentityEvidence,
        Self::Original,
        Self::Quarantine,
        Self::QuarantineUnresolved,
        Self::Document,
        Self::DocumentUnnamed,
        Self::CaseReference,
        Self::TransitionFacts,
        Self::ConsentLedger,
        Self::IdentityLedger,
        Self::Clocks,
        Self::Receipts,
        Self::AuditLog,
        Self::AuditLookup,
        Self::Backups,
    ];

    /// The class of a record's sealed copy.
    pub fn of_record(kind: MessageType, was_delivered: bool) -> Self {
        let name = kind.as_str();
        if name.starts_with("consent.") {
            Self::ConsentEvidence
        } else if name.starts_with("person.") {
            Self::IdentityEvidence
        } else if was_delivered {
            Self::TransitCopy
        } else {
            Self::Undelivered
        }
    }

    /// The event it counts from.
    pub fn start(self) -> &'static str {
        match self {
            Self::TransitCopy => "delivered",
            Self::Undelivered
            | Self::ConsentEvidence
            | Self::IdentityEvidence
            | Self::CaseReference => "accepted",
            Self::Original => "received",
            Self::Quarantine => "resolved",
            Self::QuarantineUnresolved => "quarantined",
            Self::Document => "last-message-removed",
            Self::DocumentUnnamed => "uploaded",
            Self::TransitionFacts => "first-looked-at",
            Self::ConsentLedger
            | Self::IdentityLedger
            | Self::Clocks
            | Self::Receipts
            | Self::AuditLog => "last-event",
            Self::AuditLookup => "year-ended",
            Self::Backups => "made",
        }
    }

    /// Who deletes it.
    pub fn deleted_by(self) -> DeletedBy {
        match self {
            Self::TransitCopy
            | Self::Undelivered
            | Self::ConsentEvidence
            | Self::IdentityEvidence
            | Self::Original
            | Self::Quarantine
            | Self::QuarantineUnresolved
            | Self::Document
            | Self::DocumentUnnamed
            | Self::CaseReference
            | Self::TransitionFacts => DeletedBy::Gateway,
            Self::ConsentLedger
            | Self::IdentityLedger
            | Self::Clocks
            | Self::Receipts
            | Self::AuditLog => DeletedBy::Nobody,
            Self::AuditLookup | Self::Backups => DeletedBy::Operator,
        }
    }

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransitCopy => "transit-copy",
            Self::Undelivered => "undelivered",
            Self::ConsentEvidence => "consent-evidence",
            Self::IdentityEvidence => "identity-evidence",
            Self::Original => "original",
            Self::Quarantine => "quarantine",
            Self::QuarantineUnresolved => "quarantine-unresolved",
            Self::Document => "document",
            Self::DocumentUnnamed => "document-unnamed",
            Self::CaseReference => "case-reference",
            Self::TransitionFacts => "transition-facts",
            Self::ConsentLedger => "consent-ledger",
            Self::IdentityLedger => "identity-ledger",
            Self::Clocks => "clocks",
            Self::Receipts => "receipts",
            Self::AuditLog => "audit-log",
            Self::AuditLookup => "audit-lookup",
            Self::Backups => "backups",
        }
    }
}

/// Who deletes a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletedBy {
    /// This program, when its day has come.
    Gateway,
    /// Nobody yet: it is kept.
    Nobody,
    /// Whoever runs the machine.
    Operator,
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Whole days of 24 hours.
    Days(i32),
    /// Calendar months, in UTC.
    Months(i32),
    /// Calendar years, in UTC.
    Years(i32),
    /// Never deleted.
    ForEver,
}

impl Period {
    /// Reads `30 days`, `12 months`, `8 years` or `for-ever`; at most a hundred years.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "for-ever" {
            return Some(Self::ForEver);
        }
        let (number, unit) = text.split_once(' ')?;
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: i32 = number.parse().ok().filter(|_| plain)?;
        let (period, most) = match unit {
            "days" => (Self::Days(number), 36_525),
            "months" => (Self::Months(number), 1_200),
            "years" => (Self::Years(number), 100),
            _ => return None,
        };
        (number <= most).then_some(period)
    }

    fn span(self) -> Option<Span> {
        match self {
            Self::Days(days) => Some(days.days()),
            Self::Months(months) => Some(months.months()),
            Self::Years(years) => Some(years.years()),
            Self::ForEver => None,
        }
    }

    /// When something that counts from an instant is due; `None` when never.
    pub fn after(self, start: Timestamp) -> Option<Timestamp> {
        let ends = start.to_zoned_datetime(TimeZone::UTC).checked_add(self.span()?).ok()?;
        Some(ends.timestamp())
    }
}

impl Period {
    /// Whether this ends no earlier than another that starts with it, on whatever day that is.
    fn is_as_long_as(self, other: Self) -> bool {
        let months = |period| match period {
            Self::Months(months) => Some(months),
            Self::Years(years) => Some(years.saturating_mul(12)),
            Self::Days(_) | Self::ForEver => None,
        };
        if let (Some(ours), Some(theirs)) = (months(self), months(other)) {
            return ours >= theirs;
        }
        // Months differ in days, but every four years they do so in the same way.
        let days = (0..FOUR_YEARS).filter_map(|day| {
            Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::from_hours(24 * day)).ok()
        });
        days.into_iter().all(|start| match (self.after(start), other.after(start)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => ours >= theirs,
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days} days"),
            Self::Months(months) => write!(f, "{months} months"),
            Self::Years(years) => write!(f, "{years} years"),
            Self::ForEver => f.write_str("for-ever"),
        }
    }
}

/// What the schedule says of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is, in words.
    pub holds: String,
    /// How long it is kept.
    pub period: Period,
    /// Why so long, in words.
    pub source: String,
}

/// The schedule in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    version: String,
    rules: BTreeMap<Class, Rule>,
}

/// What is wrong with a schedule: the line, from 1, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScheduleError {
    /// The line.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchedule {
    version: String,
    class: Vec<toml::Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: Class,
    holds: String,
    start: String,
    period: String,
    deleted_by: DeletedBy,
    source: String,
}

impl Schedule {
    /// The schedule that comes with the gateway.
    pub fn shipped() -> Result<Self, ScheduleError> {
        Self::parse(SHIPPED)
    }

    /// The text of that schedule.
    pub fn shipped_text() -> &'static str {
        SHIPPED
    }

    /// Reads a schedule: every class once, each with the start that belongs to it.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let line_at = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let raw: RawSchedule = toml::from_str(text).map_err(|error| ScheduleError {
            line: error.span().map_or(1, |span| line_at(span.start)),
            problem: error.message().to_owned(),
        })?;
        let name = raw.version.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            let problem = "version is 1 to 40 letters, digits, hyphens and full stops".to_owned();
            return Err(ScheduleError { line: 1, problem });
        }
        let mut rules = BTreeMap::new();
        for spanned in raw.class {
            let line = line_at(spanned.span().start);
            let (class, rule) =
                checked(spanned.into_inner()).map_err(|problem| ScheduleError { line, problem })?;
            if rules.insert(class, rule).is_some() {
                let problem = format!("{} is there twice; leave one out", class.as_str());
                return Err(ScheduleError { line, problem });
            }
        }
        if let Some(missing) = Class::ALL.into_iter().find(|class| !rules.contains_key(class)) {
            let problem = format!("the class {} is missing; add it", missing.as_str());
            return Err(ScheduleError { line: line_at(text.len()), problem });
        }
        let named = |class| text.find(&format!("\"{}\"", Class::as_str(class))).map_or(1, line_at);
        let period = |class| rules.get(&class).map_or(Period::ForEver, |rule: &Rule| rule.period);
        let short =
            |(short, long, _): &&(Class, Class, &str)| !period(*short).is_as_long_as(period(*long));
        if let Some((short, long, why)) = NEEDED.iter().find(short) {
            let problem = format!(
                "{} is kept for at least as long as {}, {}: {why}",
                short.as_str(),
                long.as_str(),
                period(*long)
            );
            return Err(ScheduleError { line: named(*short), problem });
        }
        let print = crate::entropy::sha256_hex(text.as_bytes());
        let print: String = print.chars().take(12).collect();
        Ok(Self { version: format!("{name}:{print}"), rules })
    }

    /// Its name and the beginning of its hash: two texts are two versions.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it says of a class.
    pub fn rule(&self, class: Class) -> Option<&Rule> {
        self.rules.get(&class)
    }

    /// When something of a class that counts from an instant is due; `None` when never.
    pub fn due_at(&self, class: Class, start: Timestamp) -> Option<Timestamp> {
        self.rules.get(&class)?.period.after(start)
    }

    /// The latest start from which something of any of these classes could be due by an instant, give
    /// or take a few days towards later, because months differ; `None` when nothing ever is.
    pub fn began_by(&self, classes: &[Class], until: Timestamp) -> Option<Timestamp> {
        let until = until.to_zoned_datetime(TimeZone::UTC);
        let spans = classes.iter().filter_map(|class| self.rules.get(class)?.period.span());
        let latest = spans.filter_map(|span| until.checked_sub(span).ok()).max()?;
        Some(latest.checked_add(3.days()).ok()?.timestamp())
    }

    /// Every class with its rule, for people and programs: the answers' JSON.
    pub fn document(&self) -> Vec<serde_json::Value> {
        self.iter()
            .map(|(class, rule)| {
                serde_json::json!({
                    "class": class, "holds": rule.holds, "counts_from": class.start(),
                    "period": rule.period.to_string(), "deleted_by": class.deleted_by(),
                    "source": rule.source,
                })
            })
            .collect()
    }

    /// Every class with its rule, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Class, &Rule)> {
        self.rules.iter().map(|(class, rule)| (*class, rule))
    }
}

fn checked(raw: RawRule) -> Result<(Class, Rule), String> {
    let class = raw.name;
    let name = class.as_str();
    if raw.start != class.start() {
        return Err(format!("{name} counts from {}, and from nothing else", class.start()));
    }
    if raw.deleted_by != class.deleted_by() {
        return Err(format!("{name} is not deleted by whom this says; see the shipped schedule"));
    }
    if raw.holds.trim().is_empty() || raw.source.trim().is_empty() {
        return Err(format!("{name} needs holds and source, in words"));
    }
    let period = Period::parse(&raw.period).ok_or_else(|| {
        format!("the period of {name} is not \"N days\", \"N months\", \"N years\" or \"for-ever\"")
    })?;
    // What has just been delivered may have to be fetched again, or disputed.
    let at_once = matches!(period, Period::Days(0) | Period::Months(0) | Period::Years(0));
    if at_once && class != Class::Document {
        return Err(format!("{name} is kept for at least a day"));
    }
    Ok((class, Rule { holds: raw.holds, period, source: raw.source }))
}

/// In days.
const FOUR_YEARS: i64 = 1_461;

/// What is needed as long as something else is kept, and why.
const NEEDED: [(Class, Class, &str); 2] = [
    (
        Class::DocumentUnnamed,
        Class::QuarantineUnresolved,
        "a quarantined message that is put right may name the document",
    ),
    (
        Class::AuditLookup,
        Class::ConsentLedger,
        "whoever withdraws what stands in the ledger is told who relied on it, which the look-up tells",
    ),
];

const SHIPPED: &str = include_str!("../../rules/retention-1.toml");

#[cfg(test)]
mod tests;
