//! Sharing agreements: between whom information may flow, for what, and from when to when.
//!
//! Owns the agreements file (a data file with a version, replaced by configuration) and the look
//! up. An agreement is never an authority by itself: it is the first thing asked for, because
//! without one nothing leaves (`domain.md` 5.3 step 1; UK GDPR, Articles 26 and 28).
//!
//! Must never know a message's content, a child, the store or the clock.
//!
//! Use: `let agreements = Agreements::parse(text)?;` then
//! `agreements.in_force(&Flow { sender, recipient, message, purposes }, today)`.
//!
//! Limits: one file holds every agreement; no agreement takes effect part-way through a day. When
//! two agreements in force cover the same flow, the one that began later counts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::catalogue::DataClass;
use serde::Deserialize;
use toml::Spanned;

use super::table::{self, TableError};

/// What kind of body a party to an agreement is (Children and Families Act 2014, section 28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// A local authority.
    LocalAuthority,
    /// An NHS trust or NHS foundation trust.
    HealthTrust,
    /// An integrated care board, the responsible commissioning body.
    Icb,
}

impl PartyKind {
    /// The name in data files, for example `health-trust`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LocalAuthority => "local-authority",
            Self::HealthTrust => "health-trust",
            Self::Icb => "icb",
        }
    }

    /// What it is, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::LocalAuthority => "a local authority",
            Self::HealthTrust => "a health trust",
            Self::Icb => "an integrated care board",
        }
    }

    /// Whether it is a health body.
    pub fn is_health(self) -> bool {
        match self {
            Self::LocalAuthority => false,
            Self::HealthTrust | Self::Icb => true,
        }
    }
}

/// One agreement (UK GDPR, Article 26 or 28; data protection codes on sharing).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its reference, written into every decision that rests on it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Who is party to it, and as what.
    pub parties: BTreeMap<OrganisationCode, PartyKind>,
    /// The message types it covers by name.
    pub messages: BTreeSet<String>,
    /// The purposes it covers, whatever the message type.
    pub purposes: BTreeSet<String>,
    /// The classes of data that may pass under it.
    pub classes: BTreeSet<DataClass>,
    /// The first day on which it is in force.
    pub from: Date,
    /// The last day on which it is in force; none means until further notice.
    pub until: Option<Date>,
    /// The legal powers it rests on, for the reader.
    pub statute: String,
    /// The line of the file on which it begins.
    pub line: usize,
}

/// A flow of information that asks for an agreement.
#[derive(Debug, Clone, Copy)]
pub struct Flow<'a> {
    /// Who sends.
    pub sender: &'a OrganisationCode,
    /// Who would receive.
    pub recipient: &'a OrganisationCode,
    /// The message type's name, for example `advice.request`.
    pub message: &'a str,
    /// What it is for.
    pub purposes: &'a [String],
}

/// Why no agreement covers a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAgreement {
    /// There is none between these two for this.
    None,
    /// There was one, and it has ended.
    Ended,
    /// There is one, and it has not begun.
    NotBegun,
}

/// The agreements in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreements {
    version: String,
    agreements: Vec<Agreement>,
}

impl Agreements {
    /// Reads the file; the error names the line.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: File = table::read(text)?;
        if file.version.get_ref().trim().is_empty() {
            return Err(TableError::at(text, &file.version, "the version is empty"));
        }
        let mut seen = BTreeSet::new();
        let mut agreements = Vec::with_capacity(file.agreement.len());
        for row in file.agreement {
            let mut agreement = row.check().map_err(|(place, problem)| TableError {
                line: TableError::at(text, &place, "").line,
                problem,
            })?;
            if !seen.insert(agreement.agreement.id.clone()) {
                let problem = "two agreements have this id; give each its own";
                return Err(TableError::at(text, &agreement.place, problem));
            }
            agreement.agreement.line = TableError::at(text, &agreement.place, "").line;
            agreements.push(agreement.agreement);
        }
        Ok(Self { version: file.version.into_inner(), agreements })
    }

    /// The version of the file.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every agreement, in the order of the file.
    pub fn all(&self) -> &[Agreement] {
        &self.agreements
    }

    /// The agreement that covers a flow on a day, or why none does.
    pub fn in_force(&self, flow: &Flow<'_>, on: Date) -> Result<&Agreement, NoAgreement> {
        let covering = || self.agreements.iter().filter(|agreement| agreement.covers(flow));
        if let Some(agreement) = covering().filter(|a| a.holds_on(on)).max_by_key(|a| a.from) {
            return Ok(agreement);
        }
        if covering().any(|agreement| on < agreement.from) {
            return Err(NoAgreement::NotBegun);
        }
        Err(if covering().next().is_some() { NoAgreement::Ended } else { NoAgreement::None })
    }
}

impl Agreement {
    /// Whether it is in force on a day; the first and the last day count.
    pub fn holds_on(&self, on: Date) -> bool {
        self.from <= on && self.until.is_none_or(|until| on <= until)
    }

    /// Whether both are in force on some day.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_in_time =
            |one: &Self, until: Option<Date>| until.is_none_or(|day| one.from <= day);
        begins_in_time(self, other.until) && begins_in_time(other, self.until)
    }

    /// What kind of party an organisation is, if it is one.
    pub fn kind_of(&self, organisation: &OrganisationCode) -> Option<PartyKind> {
        self.parties.get(organisation).copied()
    }

    fn covers(&self, flow: &Flow<'_>) -> bool {
        flow.sender != flow.recipient
            && self.parties.contains_key(flow.sender)
            && self.parties.contains_key(flow.recipient)
            && self.names(flow.message, flow.purposes)
    }

    /// Whether it is about a type of message, by its name or by one of its purposes.
    pub fn names(&self, message: &str, purposes: &[String]) -> bool {
        self.messages.contains(message)
            || purposes.iter().any(|purpose| self.purposes.contains(purpose))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    #[serde(default)]
    agreement: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    title: String,
    #[serde(default)]
    local_authorities: Vec<Spanned<OrganisationCode>>,
    #[serde(default)]
    health_trusts: Vec<Spanned<OrganisationCode>>,
    #[serde(default)]
    icbs: Vec<Spanned<OrganisationCode>>,
    #[serde(default)]
    messages: BTreeSet<String>,
    #[serde(default)]
    purposes: BTreeSet<String>,
    classes: BTreeSet<DataClass>,
    #[serde(deserialize_with = "table::date")]
    from: Date,
    #[serde(default, deserialize_with = "table::optional_date")]
    until: Option<Date>,
    statute: String,
}

struct CheckedRow {
    place: Spanned<String>,
    agreement: Agreement,
}

impl Row {
    fn check(self) -> Result<CheckedRow, (Spanned<String>, String)> {
        let place = self.id;
        let fail = |problem: &str| Err((place.clone(), problem.to_owned()));
        if place.get_ref().trim().is_empty() {
            return fail("the id is empty");
        }
        if self.until.is_some_and(|until| until < self.from) {
            return fail("`until` is before `from`");
        }
        if self.messages.is_empty() && self.purposes.is_empty() {
            return fail("name what it covers, in `messages` or in `purposes`");
        }
        if self.classes.is_empty() {
            return fail("name at least one class of data in `classes`");
        }
        let listed = [
            (PartyKind::LocalAuthority, self.local_authorities),
            (PartyKind::HealthTrust, self.health_trusts),
            (PartyKind::Icb, self.icbs),
        ];
        let mut parties = BTreeMap::new();
        for (kind, codes) in listed {
            for code in codes {
                let span = code.span();
                if parties.insert(code.into_inner(), kind).is_some() {
                    let problem = "this organisation is named twice".to_owned();
                    return Err((Spanned::new(span, String::new()), problem));
                }
            }
        }
        if parties.len() < 2 {
            return fail("an agreement needs at least two parties");
        }
        let agreement = Agreement {
            id: place.get_ref().clone(),
            title: self.title,
            parties,
            messages: self.messages,
            purposes: self.purposes,
            classes: self.classes,
            from: self.from,
            until: self.until,
            statute: self.statute,
            line: 0,
        };
        Ok(CheckedRow { place, agreement })
    }
}

#[cfg(test)]
mod tests;
