//! The rule table: for each type of message, what may be relied on and what may be released.
//!
//! Owns the rules file, the checks that keep it from saying something unlawful, and the
//! [`RuleBook`] (rules and agreements together) whose version is written into every decision. The
//! law is data (`gateway/rules/authority-1.toml`): a new power is a new row, not new code.
//!
//! Must never know a child, the store or the clock.
//!
//! Use: `RuleBook { agreements, rules: Rules::built_in()? }`.
//!
//! Limits: safeguarding overrides, court orders, best interests and vital interests are not yet
//! bases of their own; a person releases such a message from a hold.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::MessageType;
use schemas::catalogue::DataClass;
use schemas::record::ConsentKind;
use serde::Deserialize;
use toml::Spanned;

use super::agreements::{Agreements, PartyKind};
use super::table::{self, TableError};

/// What a release can rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A named legal power or duty, for example SEND Regulations 2014, regulation 8(1).
    Statute,
    /// Agreement to share that holds today (the common law duty of confidentiality; for the plan
    /// document, SEND Regulations 2014, regulation 17).
    Consent,
    /// The duty to share of Children Act 2004, section 16LA, where it is switched on.
    #[serde(rename = "ca2004-16la")]
    Ca2004S16la,
    /// A record or notice that the law requires to be kept (UK GDPR, Article 5(2)).
    RecordKeeping,
}

/// What happens when a withdrawal, a refusal or an exclusion meets a basis (`domain.md` 5.3
/// step 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restricted {
    /// A person decides.
    Hold,
    /// It does not go.
    Refuse,
    /// It goes all the same: it is a record or a notice, not a disclosure for a purpose.
    Proceed,
}

/// One thing a rule may rest on (`domain.md` 5.3 step 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// What kind of authority.
    pub basis: Basis,
    /// The provision, in words an officer can look up.
    pub reference: String,
    /// What a restriction does to it.
    pub restricted: Restricted,
    /// The kinds of recipient for which it may be relied on; none named means all.
    #[serde(default)]
    pub to: BTreeSet<PartyKind>,
}

/// The rule for one type of message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, written into every decision it makes.
    pub id: String,
    /// The type of message, by its name on the wire.
    pub message: String,
    /// What the message is for; an agreement or a consent must cover one of them.
    pub purposes: Vec<String>,
    /// Who may send it.
    pub from: BTreeSet<PartyKind>,
    /// Whether it is kept although it goes to nobody.
    pub undirected: bool,
    /// Which kind of consent counts (SEND Regulations 2014, regulation 17, for the plan).
    pub consent_kind: ConsentKind,
    /// Every class of data the type of message is for.
    pub carries: BTreeSet<DataClass>,
    /// What it may rest on, in order of preference.
    pub authority: Vec<Candidate>,
    /// Who may receive it, and which classes (UK GDPR, Article 5(1)(c)).
    pub release: BTreeMap<PartyKind, BTreeSet<DataClass>>,
}

/// The rules in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    version: String,
    ca2004_16la_from: Option<Date>,
    by_message: BTreeMap<String, Rule>,
}

/// Everything a decision is made by: the agreements and the rules in force together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleBook {
    /// The sharing agreements.
    pub agreements: Agreements,
    /// The rules.
    pub rules: Rules,
}

impl RuleBook {
    /// The version of rules and agreements, for example `authority-1+agreements-3`; written into
    /// every decision.
    pub fn version(&self) -> String {
        format!("{}+{}", self.rules.version(), self.agreements.version())
    }
}

impl Rules {
    /// The rules shipped with the binary. A test keeps them readable.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a rules file; the error names the line.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: File = table::read(text)?;
        if file.version.get_ref().trim().is_empty() {
            return Err(TableError::at(text, &file.version, "the version is empty"));
        }
        let mut rules = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for row in file.rule {
            let place = row.id.clone();
            let rule = row.check().map_err(|problem| TableError::at(text, &place, problem))?;
            if !ids.insert(rule.id.clone()) {
                return Err(TableError::at(text, &place, "two rules have this id"));
            }
            if rules.insert(rule.message.clone(), rule).is_some() {
                return Err(TableError::at(text, &place, "two rules are for this type of message"));
            }
        }
        for kind in MessageType::ALL {
            if !rules.contains_key(kind.as_str()) {
                let problem = format!("no rule is for messages of type `{}`", kind.as_str());
                return Err(TableError::at(text, &file.version, problem));
            }
        }
        let duty = file.ca2004_16la;
        Ok(Self {
            version: file.version.into_inner(),
            ca2004_16la_from: duty.enabled.then_some(duty.from),
            by_message: rules,
        })
    }

    /// The version of the file.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rule for a type of message, by its name on the wire.
    pub fn rule(&self, message: &str) -> Option<&Rule> {
        self.by_message.get(message)
    }

    /// Every rule, by message type.
    pub fn all(&self) -> impl Iterator<Item = &Rule> {
        self.by_message.values()
    }

    /// Whether Children Act 2004, section 16LA, may be relied on: switched on, and begun.
    pub fn ca2004_16la_holds_on(&self, on: Date) -> bool {
        self.ca2004_16la_from.is_some_and(|from| from <= on)
    }
}

impl Basis {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statute => "statute",
            Self::Consent => "consent",
            Self::Ca2004S16la => "ca2004-16la",
            Self::RecordKeeping => "record-keeping",
        }
    }

    /// What a restriction may be made to do to it: never a silent release.
    fn may_be_restricted_by(self, restricted: Restricted) -> bool {
        match self {
            Self::Statute | Self::Ca2004S16la => restricted == Restricted::Hold,
            Self::Consent => restricted != Restricted::Proceed,
            Self::RecordKeeping => restricted != Restricted::Refuse,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    ca2004_16la: Switch,
    rule: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
    #[serde(deserialize_with = "table::date")]
    from: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    message: String,
    purposes: Vec<String>,
    from: BTreeSet<PartyKind>,
    #[serde(default)]
    undirected: bool,
    #[serde(default = "about_sharing")]
    consent_kind: ConsentKind,
    carries: BTreeSet<DataClass>,
    authority: Vec<Candidate>,
    release: Vec<ReleaseRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseRow {
    to: PartyKind,
    classes: BTreeSet<DataClass>,
}

impl Row {
    fn check(self) -> Result<Rule, &'static str> {
        if self.id.get_ref().trim().is_empty() || self.message.trim().is_empty() {
            return Err("the id and the message type must not be empty");
        }
        if self.purposes.is_empty() || self.from.is_empty() {
            return Err("name at least one purpose in `purposes` and one kind in `from`");
        }
        if self.authority.is_empty() {
            return Err("name at least one authority; without one nothing may be released");
        }
        if self.authority.iter().any(|one| one.reference.trim().is_empty()) {
            return Err("an authority needs a `reference`: the provision it comes from");
        }
        if self.authority.iter().any(|one| !one.basis.may_be_restricted_by(one.restricted)) {
            return Err(
                "a restriction must hold what rests on a legal power, hold or refuse what \
                 rests on consent, and hold or let proceed what is record keeping",
            );
        }
        let keeps_records = |one: &Candidate| one.basis == Basis::RecordKeeping;
        if self.authority.len() > 1 && self.authority.iter().any(keeps_records) {
            return Err("`record-keeping` cannot stand beside another authority");
        }
        if self.undirected && !self.authority.iter().any(keeps_records) {
            return Err("only a rule whose authority is `record-keeping` can be `undirected`");
        }
        let mut release = BTreeMap::new();
        for row in self.release {
            if !row.classes.is_subset(&self.carries) {
                return Err("a recipient is given a class of data that `carries` does not name");
            }
            if release.insert(row.to, row.classes).is_some() {
                return Err("`release` names one kind of recipient twice");
            }
        }
        Ok(Rule {
            id: self.id.into_inner(),
            message: self.message,
            purposes: self.purposes,
            from: self.from,
            undirected: self.undirected,
            consent_kind: self.consent_kind,
            carries: self.carries,
            authority: self.authority,
            release,
        })
    }
}

fn about_sharing() -> ConsentKind {
    ConsentKind::Sharing
}

const BUILT_IN: &str = include_str!("../../rules/authority-1.toml");

#[cfg(test)]
mod tests;
