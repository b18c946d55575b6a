//! Reading a rules file, and refusing what would be unlawful whoever wrote it.
//!
//! Owns the shape of the file. Every refusal names the line and says what to write instead. Must
//! never know the catalogue or an agreement: [`consistency`](super::consistency) does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::MessageType;
use schemas::catalogue::DataClass;
use schemas::record::ConsentKind;
use serde::Deserialize;
use toml::Spanned;

use super::{
    Basis, Candidate, DetrimentTest, Obstacle, OverrideRule, PartyKind, PlanDisclosure,
    RestrictionRule, Rule, Rules, Share,
};
use crate::authority::table::{self, TableError};

pub(super) fn read(text: &str) -> Result<Rules, TableError> {
    let file: File = table::read(text)?;
    if file.version.get_ref().trim().is_empty() {
        return Err(TableError::at(text, &file.version, "the version is empty"));
    }
    let purposes: BTreeSet<_> = file.plan_disclosure.iter().map(|one| &*one.purpose).collect();
    let overrides = overrides(text, file.overrides, &purposes)?;
    let restrictions = restrictions(text, file.restriction, &file.version)?;
    let mut by_message = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in file.rule {
        let place = row.id.clone();
        let line = TableError::at(text, &place, "").line;
        let rule = row.check(line, &purposes);
        let rule = rule.map_err(|problem| TableError::at(text, &place, problem))?;
        if !ids.insert(rule.id.clone()) {
            return Err(TableError::at(text, &place, "two rules have this id; give each its own"));
        }
        let message = rule.message.clone();
        if let Some(other) = by_message.insert(message, rule) {
            let problem = format!(
                "two rules are for this type of message (the other is on line {}); delete one",
                other.line
            );
            return Err(TableError::at(text, &place, problem));
        }
    }
    for kind in MessageType::ALL {
        if !by_message.contains_key(kind.as_str()) {
            let name = kind.as_str();
            let problem = format!("no rule is for messages of type `{name}`; add one");
            return Err(TableError::at(text, &file.version, problem));
        }
    }
    let duty = file.ca2004_16la;
    Ok(Rules {
        version: file.version.into_inner(),
        ca2004_16la_from: duty.enabled.then_some(duty.from),
        detriment_test: duty.detriment_test,
        own_record: file.own_record.reference,
        overrides,
        restrictions,
        disclosures: file.plan_disclosure,
        by_message,
    })
}

fn overrides(
    text: &str,
    rows: Vec<Spanned<OverrideRule>>,
    purposes: &BTreeSet<&str>,
) -> Result<Vec<OverrideRule>, TableError> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let one = row.get_ref();
        let fail = |problem: &str| Err(TableError::at(text, &row, problem));
        // The duty of section 16LA has a test of its own, which people answer in the same way.
        if !one.basis.is_override() && one.basis != Basis::Statute {
            return fail("only an override or `statute` can be claimed by people");
        }
        if one.reference.trim().is_empty() {
            return fail("an override needs a `reference`: the provision it comes from");
        }
        if one.lifts.contains(&Obstacle::CourtLimits) && one.basis != Basis::CourtOrTribunal {
            return fail(
                "only `court-or-tribunal` can lift `court-limits`: what a court has limited, \
                 only a court can allow",
            );
        }
        if one.basis == Basis::Statute && one.lifts.contains(&Obstacle::NoAgreement) {
            return fail("confirming a duty cannot stand in for agreement; remove `no-agreement`");
        }
        if one.disclosure.as_deref().is_some_and(|name| !purposes.contains(name)) {
            return fail(UNKNOWN_DISCLOSURE);
        }
        if !seen.insert(one.basis) {
            return fail("two overrides have this basis; delete one");
        }
        found.push(row.into_inner());
    }
    Ok(found)
}

fn restrictions(
    text: &str,
    rows: Vec<Spanned<RestrictionRule>>,
    version: &Spanned<String>,
) -> Result<BTreeMap<Obstacle, RestrictionRule>, TableError> {
    let mut found = BTreeMap::new();
    for row in rows {
        let place = row.span();
        let fail =
            |problem: &str| Err(TableError::at(text, &Spanned::new(place.clone(), ()), problem));
        let one = row.into_inner();
        if !RESTRICTIONS.contains(&one.kind) {
            return fail("this is not a restriction that the ledger can hold");
        }
        if one.cuts.contains(&DataClass::Identity) {
            return fail(
                "without the identity a message is of no use; leave `cuts` out to hold it whole",
            );
        }
        if one.reference.trim().is_empty() {
            return fail("a restriction needs a `reference`: where it comes from");
        }
        if found.insert(one.kind, one).is_some() {
            return fail("two rows are for this restriction; delete one");
        }
    }
    for kind in RESTRICTIONS {
        if !found.contains_key(&kind) {
            let problem = format!("no [[restriction]] says what `{}` does; add one", kind.as_str());
            return Err(TableError::at(text, version, problem));
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    ca2004_16la: Switch,
    own_record: OwnRecord,
    #[serde(rename = "override", default)]
    overrides: Vec<Spanned<OverrideRule>>,
    #[serde(default)]
    restriction: Vec<Spanned<RestrictionRule>>,
    #[serde(default)]
    plan_disclosure: Vec<PlanDisclosure>,
    rule: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
    #[serde(deserialize_with = "table::date")]
    from: Date,
    detriment_test: DetrimentTest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnRecord {
    reference: String,
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
    #[serde(default)]
    needs: BTreeSet<DataClass>,
}

impl Row {
    fn check(self, line: usize, purposes: &BTreeSet<&str>) -> Result<Rule, &'static str> {
        if self.id.get_ref().trim().is_empty() || self.message.trim().is_empty() {
            return Err("the id and the message type must not be empty");
        }
        if self.purposes.is_empty() || self.from.is_empty() {
            return Err("name at least one purpose in `purposes` and one kind in `from`");
        }
        self.check_authority(purposes)?;
        let release = self.release_table()?;
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
            line,
        })
    }

    fn check_authority(&self, purposes: &BTreeSet<&str>) -> Result<(), &'static str> {
        if self.authority.is_empty() {
            return Err("name at least one authority; without one nothing may be released");
        }
        if self.authority.iter().any(|one| one.reference.trim().is_empty()) {
            return Err("an authority needs a `reference`: the provision it comes from");
        }
        if self.authority.iter().any(|one| !one.basis.may_be_restricted_by(one.restricted)) {
            return Err(
                "a restriction must hold what rests on a legal power or an override, hold or \
                 refuse what rests on consent, and hold or let proceed what is record keeping",
            );
        }
        let keeps_records = |one: &Candidate| one.basis == Basis::RecordKeeping;
        if self.authority.len() > 1 && self.authority.iter().any(keeps_records) {
            return Err("`record-keeping` cannot stand beside another authority");
        }
        if self.undirected && !self.authority.iter().any(keeps_records) {
            return Err("only a rule whose authority is `record-keeping` can be `undirected`");
        }
        let unknown = |one: &Candidate| {
            one.disclosure.as_deref().is_some_and(|name| !purposes.contains(name))
        };
        if self.authority.iter().any(unknown) {
            return Err(UNKNOWN_DISCLOSURE);
        }
        let bare = |one: &Candidate| one.basis != Basis::Consent && one.disclosure.is_none();
        if self.consent_kind == ConsentKind::Plan && self.authority.iter().any(bare) {
            return Err(
                "a plan document goes without agreement only for a purpose of regulation 17: name \
                 it in `disclosure`",
            );
        }
        Ok(())
    }

    fn release_table(&self) -> Result<BTreeMap<PartyKind, Share>, &'static str> {
        let mut release = BTreeMap::new();
        let kind = MessageType::parse(&self.message);
        let indispensable = kind.map(MessageType::indispensable_classes).unwrap_or_default();
        for row in &self.release {
            if !row.classes.is_subset(&self.carries) {
                return Err("a recipient is given a class of data that `carries` does not name");
            }
            if !row.needs.is_subset(&row.classes) {
                return Err("a recipient `needs` a class of data that it is not given");
            }
            if !indispensable.is_subset(&row.classes) {
                return Err("a recipient is not given a class of data without which this type of \
                            message cannot be made; give it, or take the recipient out");
            }
            let mut needs = &row.needs | &indispensable;
            needs.insert(DataClass::Identity);
            let share = Share { classes: row.classes.clone(), needs };
            if release.insert(row.to, share).is_some() {
                return Err("`release` names one kind of recipient twice");
            }
        }
        Ok(release)
    }
}

fn about_sharing() -> ConsentKind {
    ConsentKind::Sharing
}

/// The restrictions that the ledger can hold, each of which needs its row.
const RESTRICTIONS: [Obstacle; 5] = [
    Obstacle::ProtectedAddress,
    Obstacle::ThirdParty,
    Obstacle::Adoption,
    Obstacle::Sealed,
    Obstacle::CourtLimits,
];

const UNKNOWN_DISCLOSURE: &str =
    "`disclosure` names a purpose that no [[plan_disclosure]] lists; add it or correct the name";
