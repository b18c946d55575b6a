//! The rule table: for each type of message, what may be relied on and what may be released.
//!
//! Owns the meaning of a rules file and the [`RuleBook`] (rules and agreements together) whose
//! version is written into every decision. The law is data (`gateway/rules/authority-1.toml`): a
//! new power is a new row, not new code. `reading` keeps a file from saying something unlawful;
//! [`consistency`] finds what contradicts: rule against rule, agreement against agreement, rules
//! against the catalogue. [`page`] says all of it in words.
//!
//! Must never know a child, the store or the clock.
//!
//! Use: `RuleBook { agreements, rules: Rules::built_in()? }`, then `book.findings(catalogue)`.
//!
//! Limits: one rule for each type of message. Not supported: rules that depend on what a message
//! says, because a decision is made before anything is opened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::catalogue::DataClass;
use schemas::record::ConsentKind;
use serde::Deserialize;

use super::agreements::{Agreements, PartyKind};
use super::table::TableError;

pub mod consistency;
pub mod page;
mod reading;

/// What a release can rest on (`domain.md` 5.3 step 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A named legal power or duty, for example SEND Regulations 2014, regulation 8(1).
    Statute,
    /// Agreement to share that holds today (the common law duty of confidentiality; for the plan
    /// document, SEND Regulations 2014, regulation 17).
    Consent,
    /// What a patient expects of those who care for them directly: from one health body to
    /// another, and only while nobody has objected (common law duty of confidentiality).
    DirectCareImplied,
    /// The duty to share of Children Act 2004, section 16LA, where it is switched on.
    #[serde(rename = "ca2004-16la")]
    Ca2004S16la,
    /// A record or notice that the law requires to be kept (UK GDPR, Article 5(2)).
    RecordKeeping,
    /// To protect a child or another person from harm; two named people decide.
    SafeguardingOverride,
    /// An order or direction of a court or tribunal; two named people have read it.
    CourtOrTribunal,
    /// Best interests of a person without capacity or competence for this decision (Mental
    /// Capacity Act 2005, section 4); two named people decide.
    BestInterests,
    /// To save a life (UK GDPR, Articles 6(1)(d) and 9(2)(c)); two named people decide.
    VitalInterests,
}

/// What happens when a withdrawal, a refusal, an exclusion or another restriction meets a basis
/// (`domain.md` 5.3 step 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restricted {
    /// A person decides.
    Hold,
    /// It does not go.
    Refuse,
    /// It goes all the same: it is a record or a notice, not a disclosure for a purpose. What a
    /// restriction cuts is still cut.
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
    /// The kinds of sender for which it may be relied on; none named means all of the rule.
    #[serde(default)]
    pub from: BTreeSet<PartyKind>,
    /// The kinds of recipient for which it may be relied on; none named means all.
    #[serde(default)]
    pub to: BTreeSet<PartyKind>,
    /// For a plan document without agreement: which of the purposes of regulation 17 it is.
    #[serde(default)]
    pub disclosure: Option<String>,
}

/// What one kind of recipient may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The classes it may have (UK GDPR, Article 5(1)(c)).
    pub classes: BTreeSet<DataClass>,
    /// Those without which the message is of no use to it; always the identity.
    pub needs: BTreeSet<DataClass>,
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
    /// Who may receive it, and what.
    pub release: BTreeMap<PartyKind, Share>,
    /// The line of the file on which it begins.
    pub line: usize,
}

/// One of the overrides that two named people can claim (`domain.md` 5.3 step 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideRule {
    /// What is claimed.
    pub basis: Basis,
    /// The provision, in words an officer can look up.
    pub reference: String,
    /// What it overcomes.
    pub lifts: BTreeSet<Obstacle>,
    /// Which purpose of regulation 17 it is; without one it releases no plan document.
    #[serde(default)]
    pub disclosure: Option<String>,
}

/// What can be in the way of a release (`domain.md` 5.3 step 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// Agreement was withdrawn or refused, or the recipient is one the family left out.
    Objection,
    /// No agreement that can be relied on: none, past, or for something else.
    NoAgreement,
    /// Agreement by somebody who no longer decides.
    StaleDecisionMaker,
    /// Two people with parental responsibility disagree.
    Disagreement,
    /// No capacity or competence assessment is on record where one is needed.
    CapacityNotRecorded,
    /// The duty to share asks whether sharing is more detrimental than not sharing.
    Detriment,
    /// The address is protected.
    ProtectedAddress,
    /// There is information about somebody else.
    ThirdParty,
    /// There is information about an adoption.
    Adoption,
    /// Items are sealed.
    Sealed,
    /// A court has limited what may be disclosed.
    CourtLimits,
}

/// What a restriction on record does (`domain.md` 5.3 step 4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictionRule {
    /// Which restriction.
    pub kind: Obstacle,
    /// The provision, in words an officer can look up.
    pub reference: String,
    /// The classes that are cut when the entry names none; none here means that the whole
    /// message waits for a person.
    #[serde(default)]
    pub cuts: BTreeSet<DataClass>,
    /// Whether an entry that names classes cuts those alone. Otherwise its classes do not count.
    #[serde(default)]
    pub narrowed_by_entry: bool,
}

/// How the test of Children Act 2004, section 16LA, is done: the duty does not apply where sharing
/// would be more detrimental to the child than not sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetrimentTest {
    /// Two named people say so each time.
    ByAPerson,
    /// The duty is used unless something on record speaks against it.
    OnRecord,
}

/// A purpose for which a plan document may be disclosed without agreement (SEND Regulations 2014,
/// regulation 17).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDisclosure {
    /// Its name, which candidates use.
    pub purpose: String,
    /// In words.
    pub words: String,
}

/// The rules in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    version: String,
    ca2004_16la_from: Option<Date>,
    detriment_test: DetrimentTest,
    own_record: String,
    overrides: Vec<OverrideRule>,
    restrictions: BTreeMap<Obstacle, RestrictionRule>,
    disclosures: Vec<PlanDisclosure>,
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

    /// The text of those rules, for whoever wants to read or copy it.
    pub fn built_in_text() -> &'static str {
        BUILT_IN
    }

    /// Reads a rules file; the error names the line.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        reading::read(text)
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

    /// The day from which Children Act 2004, section 16LA, counts, where it is switched on.
    pub fn ca2004_16la_from(&self) -> Option<Date> {
        self.ca2004_16la_from
    }

    /// Whether Children Act 2004, section 16LA, may be relied on: switched on, and begun.
    pub fn ca2004_16la_holds_on(&self, on: Date) -> bool {
        self.ca2004_16la_from.is_some_and(|from| from <= on)
    }

    /// How the test of that section is done.
    pub fn detriment_test(&self) -> DetrimentTest {
        self.detriment_test
    }

    /// The provision under which an organisation is given what is about its own requests.
    pub fn own_record(&self) -> &str {
        &self.own_record
    }

    /// What a claim of this basis by two people rests on and overcomes.
    pub fn override_of(&self, basis: Basis) -> Option<&OverrideRule> {
        self.overrides.iter().find(|one| one.basis == basis)
    }

    /// Every claim that two people can make, as the file orders them.
    pub fn overrides(&self) -> &[OverrideRule] {
        &self.overrides
    }

    /// What each restriction does.
    pub fn restrictions(&self) -> impl Iterator<Item = &RestrictionRule> {
        self.restrictions.values()
    }

    /// What a restriction does.
    pub fn restriction(&self, kind: Obstacle) -> Option<&RestrictionRule> {
        self.restrictions.get(&kind)
    }

    /// The purposes for which a plan document may be disclosed without agreement.
    pub fn plan_disclosures(&self) -> &[PlanDisclosure] {
        &self.disclosures
    }
}

impl Rule {
    /// Whether it is the plan document itself, for which regulation 17 is stricter.
    pub fn is_plan_document(&self) -> bool {
        self.consent_kind == ConsentKind::Plan
    }
}

impl Candidate {
    /// Whether it may be relied on between these kinds of bodies. Implied agreement to direct
    /// care is for health bodies alone, whatever a file says.
    pub fn is_between(&self, from: PartyKind, to: PartyKind) -> bool {
        let listed = |kinds: &BTreeSet<PartyKind>, kind| kinds.is_empty() || kinds.contains(&kind);
        let health = self.basis != Basis::DirectCareImplied || (from.is_health() && to.is_health());
        health && listed(&self.from, from) && listed(&self.to, to)
    }
}

impl Basis {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statute => "statute",
            Self::Consent => "consent",
            Self::DirectCareImplied => "direct-care-implied",
            Self::Ca2004S16la => "ca2004-16la",
            Self::RecordKeeping => "record-keeping",
            Self::SafeguardingOverride => "safeguarding-override",
            Self::CourtOrTribunal => "court-or-tribunal",
            Self::BestInterests => "best-interests",
            Self::VitalInterests => "vital-interests",
        }
    }

    /// Whether it exists only by the claim of two named people.
    pub fn is_override(self) -> bool {
        match self {
            Self::SafeguardingOverride
            | Self::CourtOrTribunal
            | Self::BestInterests
            | Self::VitalInterests => true,
            Self::Statute
            | Self::Consent
            | Self::DirectCareImplied
            | Self::Ca2004S16la
            | Self::RecordKeeping => false,
        }
    }

    /// What a restriction may be made to do to it: never a silent release.
    fn may_be_restricted_by(self, restricted: Restricted) -> bool {
        match self {
            Self::Statute
            | Self::Ca2004S16la
            | Self::SafeguardingOverride
            | Self::CourtOrTribunal
            | Self::BestInterests
            | Self::VitalInterests => restricted == Restricted::Hold,
            Self::Consent | Self::DirectCareImplied => restricted != Restricted::Proceed,
            Self::RecordKeeping => restricted != Restricted::Refuse,
        }
    }
}

impl Obstacle {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Objection => "objection",
            Self::NoAgreement => "no-agreement",
            Self::StaleDecisionMaker => "stale-decision-maker",
            Self::Disagreement => "disagreement",
            Self::CapacityNotRecorded => "capacity-not-recorded",
            Self::Detriment => "detriment",
            Self::ProtectedAddress => "protected-address",
            Self::ThirdParty => "third-party",
            Self::Adoption => "adoption",
            Self::Sealed => "sealed",
            Self::CourtLimits => "court-limits",
        }
    }
}

const BUILT_IN: &str = include_str!("../../rules/authority-1.toml");

#[cfg(test)]
mod tests;
