//! What contradicts: rule against rule, agreement against agreement, rules against the catalogue.
//!
//! Owns the findings that [`Rules::parse`](super::Rules::parse) and
//! [`Agreements::parse`](crate::authority::Agreements::parse) cannot see, because each reads one
//! row at a time. A finding names the file, the line and what to write instead.
//!
//! Must never know a child, the store or the clock.
//!
//! Use: `for finding in book.findings(Catalogue::built_in()) { .. }`.
//!
//! Limits: it looks at kinds of bodies and message types, so it does not know whether anybody
//! ever sends a message. Whether an authority can ever be the one relied on is found by trying
//! every state of the ledger, not by reasoning.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::catalogue::{Catalogue, DataClass, Direction, Entry};
use schemas::record::ConsentStatus;
use schemas::{MessageType, OrganisationCode, RecordId};
use uuid::Uuid;

use super::{Basis, Candidate, Obstacle, PartyKind, Rule, RuleBook, Rules, Share};
use crate::authority::ConsentEntry;
use crate::authority::agreements::Agreement;
use crate::authority::ledger::Standing;
use crate::authority::restrictions::{Barrier, Reach, exclusion, stop};
use crate::authority::weighing::Case;

/// Which file a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The rules.
    Rules,
    /// The sharing agreements.
    Agreements,
}

/// Something that contradicts something else, or can never apply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which file.
    pub source: Source,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl Rules {
    /// What in the rules contradicts itself or the catalogue, in the order of the file.
    pub fn findings(&self, catalogue: &Catalogue) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for rule in self.all() {
            let at = |problem| Finding { source: Source::Rules, line: rule.line, problem };
            match catalogue.find(&rule.message) {
                Some(entry) => {
                    let problems = against_catalogue(rule, entry, catalogue);
                    found.extend(problems.into_iter().map(at));
                }
                None => found.push(at(format!(
                    "the catalogue has no message `{}`; correct the name or delete the rule",
                    rule.message
                ))),
            }
            found.extend(plan_in_one_file(rule).map(at));
            found.extend(unreachable(rule, self).into_iter().map(at));
        }
        found.sort();
        found
    }
}

impl RuleBook {
    /// Everything that contradicts, in the order of the files; none means that nothing does.
    pub fn findings(&self, catalogue: &Catalogue) -> Vec<Finding> {
        let mut found = self.rules.findings(catalogue);
        found.extend(self.agreement_findings());
        found
    }

    /// What in the agreements contradicts, or can never apply under these rules.
    pub fn agreement_findings(&self) -> Vec<Finding> {
        let mut found = self.idle_agreements();
        found.extend(self.overlapping_agreements());
        found.extend(self.never_told());
        found.sort();
        found
    }

    fn idle_agreements(&self) -> Vec<Finding> {
        let purposes: BTreeSet<_> = self.rules.all().flat_map(|rule| &rule.purposes).collect();
        let mut found = Vec::new();
        for agreement in self.agreements.all() {
            let mut at = |problem| {
                let line = agreement.line;
                found.push(Finding { source: Source::Agreements, line, problem });
            };
            for name in agreement.messages.iter().filter(|name| self.rules.rule(name).is_none()) {
                at(format!("`messages` names `{name}`, for which there is no rule; correct it"));
            }
            for name in agreement.purposes.iter().filter(|name| !purposes.contains(name)) {
                at(format!("`purposes` names `{name}`, which no rule is for; correct it"));
            }
            if !agreement.classes.contains(&DataClass::Identity) {
                at("nothing can go under it: `classes` lacks \"identity\"; add it".to_owned());
            }
        }
        found
    }

    /// Agreements under which something can go because somebody agreed, between two bodies of whom
    /// one could not be told that the agreement was withdrawn.
    fn never_told(&self) -> Vec<Finding> {
        let on_consent = |rule: &&Rule| rule.authority.iter().any(|a| a.basis == Basis::Consent);
        let resting: Vec<&Rule> = self.rules.all().filter(on_consent).collect();
        let withdrawal = self.rules.rule(MessageType::ConsentWithdraw.as_str());
        let tells = |one: &Agreement, from: &OrganisationCode, to: &OrganisationCode| {
            one.parties.contains_key(from)
                && one.parties.contains_key(to)
                && withdrawal.is_some_and(|rule| one.names(&rule.message, &rule.purposes))
        };
        let mut found = Vec::new();
        for one in self.agreements.all() {
            let covered = resting.iter().filter(|rule| one.names(&rule.message, &rule.purposes));
            let flows = covered.flat_map(|rule| flows_of(one, rule).map(move |flow| (rule, flow)));
            let untold = flows.into_iter().find(|(_, (from, to))| {
                let mut others = self.agreements.all().iter().filter(|other| one.overlaps(other));
                !others.any(|other| tells(other, from, to))
            });
            if let Some((rule, (from, to))) = untold {
                let (line, message) = (one.line, &rule.message);
                let problem = format!(
                    "`{message}` can go from {from} to {to} because somebody agreed, and nothing \
                     lets {to} be told that this was withdrawn; add \"consent.withdraw\" to \
                     `messages`"
                );
                found.push(Finding { source: Source::Agreements, line, problem });
            }
        }
        found
    }

    /// Two agreements in force on one day for one flow, of which one lets pass what the other
    /// does not.
    fn overlapping_agreements(&self) -> Vec<Finding> {
        let mut rest = self.agreements.all();
        let mut found = Vec::new();
        while let Some((one, others)) = rest.split_first() {
            rest = others;
            for other in others {
                let shared = one.parties.keys().filter(|code| other.parties.contains_key(*code));
                if !one.overlaps(other) || shared.count() < 2 {
                    continue;
                }
                let contradict =
                    |rule: &&Rule| both_cover(one, other, rule) && differ_on(one, other, rule);
                if let Some(rule) = self.rules.all().find(contradict) {
                    let (line, message) = (other.line, &rule.message);
                    let problem = format!(
                        "it contradicts `{}` on line {}: both are in force between the same bodies \
                         for `{message}`, with different `classes`; end one with `until`, or take \
                         the message out of one",
                        one.id, one.line
                    );
                    found.push(Finding { source: Source::Agreements, line, problem });
                }
            }
        }
        found
    }
}

fn both_cover(one: &Agreement, other: &Agreement, rule: &Rule) -> bool {
    [one, other].into_iter().all(|agreement| agreement.names(&rule.message, &rule.purposes))
}

/// Whether one lets pass a class of what the rule gives to anybody that the other does not.
fn differ_on(one: &Agreement, other: &Agreement, rule: &Rule) -> bool {
    let given: BTreeSet<_> = rule.release.values().flat_map(|share| &share.classes).collect();
    given.into_iter().any(|class| one.classes.contains(class) != other.classes.contains(class))
}

/// From whom to whom a rule lets a message go, among the parties of an agreement.
fn flows_of<'a>(
    agreement: &'a Agreement,
    rule: &'a Rule,
) -> impl Iterator<Item = (&'a OrganisationCode, &'a OrganisationCode)> {
    let senders = agreement.parties.iter().filter(|(_, kind)| rule.from.contains(kind));
    let receives = |kind: &PartyKind| rule.release.contains_key(kind);
    senders.flat_map(move |(from, _)| {
        let recipients = agreement.parties.iter().filter(move |(_, kind)| receives(kind));
        recipients.map(|(to, _)| to).filter(move |to| *to != from).map(move |to| (from, to))
    })
}

fn against_catalogue(rule: &Rule, entry: &Entry, catalogue: &Catalogue) -> Vec<String> {
    let mut found = Vec::new();
    let number = &entry.number;
    let keeps_records = rule.authority.iter().all(|one| one.basis == Basis::RecordKeeping);
    if !keeps_records && !rule.purposes.contains(&entry.purpose) {
        let purpose = &entry.purpose;
        found.push(format!("`purposes` lacks \"{purpose}\", which {number} is for; add it"));
    }
    let said = needed(rule, entry, catalogue);
    let missing: Vec<_> = said.difference(&rule.carries).copied().collect();
    if !missing.is_empty() {
        found.push(format!("`carries` lacks {}, which {number} needs; add it", names(&missing)));
    }
    // What every message says of its person, and what is recorded of agreement, may come along.
    let extra = rule.carries.difference(&entry.data_classes).copied();
    let extra: Vec<_> = extra.filter(|class| !ALONG.contains(class)).collect();
    if !extra.is_empty() {
        found.push(format!(
            "`carries` has {}, which {number} is not for; take it out",
            names(&extra)
        ));
    }
    let allowed: BTreeSet<_> = entry.authority.iter().filter_map(|name| basis_of(name)).collect();
    for one in rule.authority.iter().filter(|one| is_of_the_catalogue(one)) {
        if !allowed.contains(&one.basis) {
            let basis = one.basis.as_str();
            found.push(format!(
                "`authority` has \"{basis}\", which {number} of the catalogue does not; change one"
            ));
        }
    }
    let has = |basis: &Basis| rule.authority.iter().any(|one| one.basis == *basis);
    for basis in allowed.iter().filter(|basis| !has(basis)) {
        let basis = basis.as_str();
        found.push(format!("`authority` lacks \"{basis}\", which {number} has; change one"));
    }
    found.extend(against_direction(rule, entry.direction));
    found
}

fn against_direction(rule: &Rule, direction: Direction) -> Option<String> {
    let from_health = rule.from.iter().all(|kind| kind.is_health());
    let from_authority = rule.from.iter().all(|kind| !kind.is_health());
    let to_health = rule.release.keys().all(|kind| kind.is_health());
    let to_authority = rule.release.keys().all(|kind| !kind.is_health());
    let (agrees, words) = match direction {
        Direction::AuthorityToHealth => (from_authority, "from a local authority to health"),
        Direction::HealthToAuthority => {
            (from_health && to_authority, "from health to a local authority")
        }
        Direction::WithinHealth => (from_health && to_health, "within health"),
        Direction::Either => (true, ""),
    };
    (!agrees).then(|| {
        format!(
            "the catalogue says that it goes {words}; change `from`, `release` or the catalogue"
        )
    })
}

/// A plan in one file cannot be cut: whoever may not have every section may have no document.
fn plan_in_one_file(rule: &Rule) -> Option<String> {
    let sections: BTreeSet<_> =
        rule.carries.iter().filter(|class| SECTIONS.contains(class)).copied().collect();
    let cut = |share: &Share| {
        share.classes.contains(&DataClass::Documents) && !share.classes.is_superset(&sections)
    };
    let (kind, _) = rule.release.iter().find(|(_, share)| rule.is_plan_document() && cut(share))?;
    Some(format!(
        "`release` gives {} the plan in one file but not every section of it; take \"documents\" \
         out, or give every section",
        kind.in_words()
    ))
}

/// Authorities that can never be the one relied on, and recipients whom none covers.
fn unreachable(rule: &Rule, rules: &Rules) -> Vec<String> {
    let mut reached = BTreeSet::new();
    let mut found = Vec::new();
    for (to, share) in &rule.release {
        let mut covered = false;
        for from in &rule.from {
            let chosen = chosen_between(rule, rules, share, (*from, *to));
            covered |= !chosen.is_empty();
            reached.extend(chosen);
        }
        if !covered {
            found.push(format!(
                "`release` names {}, for which no authority can be relied on; add one or take it \
                 out",
                to.in_words()
            ));
        }
    }
    for (place, one) in rule.authority.iter().enumerate() {
        if !reached.contains(&place) {
            found.push(format!(
                "the authority \"{}\" ({}) can never be the one relied on: another before it \
                 always decides; move it or take it out",
                one.basis.as_str(),
                one.reference
            ));
        }
    }
    found
}

/// Which candidates are chosen in any state of the ledger, between these kinds of bodies.
fn chosen_between(
    rule: &Rule,
    rules: &Rules,
    share: &Share,
    (from, to): (PartyKind, PartyKind),
) -> BTreeSet<usize> {
    let statuses = [ConsentStatus::Withdrawn, ConsentStatus::Refused, ConsentStatus::Given];
    let entries: Vec<_> = statuses.into_iter().filter_map(made_up).collect();
    let [withdrawn, refused, excluding] = entries.as_slice() else { return BTreeSet::new() };
    let sealed = Barrier { obstacle: Obstacle::Sealed, rule: "", because: "", entry: excluding };
    let barriers: Vec<Vec<Barrier<'_>>> = vec![
        Vec::new(),
        stop(withdrawn).into_iter().collect(),
        stop(refused).into_iter().collect(),
        vec![exclusion(excluding)],
        vec![sealed],
    ];
    let mut chosen = BTreeSet::new();
    for standing in Standing::ALL {
        for some in &barriers {
            for duty_holds in [false, true] {
                let barriers = some.iter().map(|one| (*one, Reach::Whole)).collect();
                let newest = None;
                let case = Case {
                    rules,
                    rule,
                    share,
                    from,
                    to,
                    standing,
                    newest,
                    scope: &[],
                    barriers,
                    duty_holds,
                };
                let best = case.best(|_, _| {}).and_then(|verdict| verdict.basis);
                let place = |one: &Candidate| {
                    rule.authority.iter().position(|other| std::ptr::eq(other, one))
                };
                chosen.extend(best.and_then(place));
            }
        }
    }
    chosen
}

/// An entry that stands for any of its status.
fn made_up(status: ConsentStatus) -> Option<ConsentEntry> {
    let by = OrganisationCode::parse("AAA").ok()?;
    Some(ConsentEntry::bare(status, RecordId(Uuid::nil()), by, Timestamp::UNIX_EPOCH))
}

/// The classes of what a type says: those of its own content, or of its entry where it has a form
/// of its own.
fn needed(rule: &Rule, entry: &Entry, catalogue: &Catalogue) -> BTreeSet<DataClass> {
    let content = MessageType::parse(&rule.message).and_then(|kind| catalogue.content(kind));
    let Some(content) = content else { return entry.data_classes.clone() };
    content.names().filter_map(|name| catalogue.field(name)?.class).collect()
}

/// The duty of section 16LA stands beside any authority once it is switched on, so the catalogue
/// does not name it.
fn is_of_the_catalogue(candidate: &Candidate) -> bool {
    candidate.basis != Basis::Ca2004S16la && !candidate.basis.is_override()
}

/// The basis that a word of the catalogue means. Its overrides are not compared: one that a rule
/// does not name can still be claimed for what is held.
fn basis_of(name: &str) -> Option<Basis> {
    match name {
        "statute" => Some(Basis::Statute),
        "consent" => Some(Basis::Consent),
        "direct-care-implied" => Some(Basis::DirectCareImplied),
        "consent-record" | "operation" => Some(Basis::RecordKeeping),
        _ => None,
    }
}

fn names(classes: &[DataClass]) -> String {
    let names: Vec<_> = classes.iter().map(|class| format!("\"{class}\"")).collect();
    names.join(" and ")
}

/// What may come along with any message: the person's address and school, and recorded agreement.
const ALONG: [DataClass; 3] = [DataClass::Contact, DataClass::Education, DataClass::Consent];

/// The classes that sections of a plan belong to.
const SECTIONS: [DataClass; 3] = [DataClass::Education, DataClass::Health, DataClass::SocialCare];

#[cfg(test)]
mod tests;
