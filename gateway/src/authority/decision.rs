//! The decision: a pure function from a question, its evidence and the rules to an outcome.
//!
//! Owns the steps of `domain.md` 5.3, in order: an agreement in force; who decides today;
//! authorities that could be relied on; restrictions in their way; what two people claim;
//! reduction to what is needed; the outcome with its rule, its versions and its reason.
//!
//! Must never know the store, the clock, a message's content, or how anything is sent. It makes no
//! tokens: [`admit`](super::admit) and [`release`](super::release) do.
//!
//! Use: `let decision = decide(&question, &evidence, &book, now, today);`, or
//! [`explain`](super::explain) for every step in words.
//!
//! Limits: it does not see whether the recipient is authenticated: who cannot prove itself never
//! gets as far as a question.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::RecordId;
use schemas::catalogue::DataClass;

use super::agreements::{Agreement, Flow, NoAgreement, PartyKind};
use super::explanation::{Stage, Trace};
use super::ledger::{Ask, Ledger};
use super::overrides::{Count, Counted};
use super::reduction::{Cut, Limits};
use super::restrictions::Reach;
use super::rules::{Basis, Candidate, Rule, RuleBook, Share};
use super::weighing::{Case, Verdict, kind_in_words};
use super::{Evidence, Question};
use crate::audit::DecisionNote;

/// What was decided. The order is that of preference between authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It goes, whole.
    Release,
    /// It goes, without the classes of data its recipient may not have.
    ReleaseReduced,
    /// A person must decide.
    Hold,
    /// It does not go.
    Refuse,
}

/// A decision with everything an auditor asks about it (`domain.md` 5.3 step 6, 5.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// The authority relied on, or the one that a restriction met.
    pub authority: Option<String>,
    /// The provision that authority comes from.
    pub reference: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// The version of rules and agreements.
    pub rule_version: String,
    /// The agreement in force.
    pub agreement: Option<String>,
    /// The record that brought the entry of the consent ledger that was looked at.
    pub consent: Option<RecordId>,
    /// The version of that entry.
    pub consent_version: Option<u32>,
    /// The classes of data that may go; none unless it is released.
    pub classes: BTreeSet<DataClass>,
    /// The classes that the type is for and that do not go, and why; none unless it is released.
    pub cut: BTreeMap<DataClass, Cut>,
    /// Why, in plain words, without personal details.
    pub reason: String,
}

/// Decides one question (`domain.md` 5.3). Votes recorded after `now` do not count.
pub fn decide(
    question: &Question,
    evidence: &Evidence,
    book: &RuleBook,
    now: Timestamp,
    today: Date,
) -> Decision {
    decided(question, evidence, book, (now, today), &mut Trace::none())
}

/// [`decide`], saying each step to a trace.
pub(super) fn decided(
    question: &Question,
    evidence: &Evidence,
    book: &RuleBook,
    (now, today): (Timestamp, Date),
    trace: &mut Trace,
) -> Decision {
    let draft = Draft::new(book);
    let Some(rule) = book.rules.rule(question.kind.as_str()) else {
        return draft.refuse("rule-none", "No rule covers this type of message.");
    };
    trace
        .say(Stage::Rule, || format!("Rule {} is for messages of type {}.", rule.id, rule.message));
    if question.sender == question.recipient {
        return draft.own_record(book.rules.own_record(), rule);
    }
    let agreement = match agreement(question, rule, book, today, trace) {
        Ok(agreement) => agreement,
        Err(absence) => return draft.refuse("agreement-none", absence_in_words(absence)),
    };
    let ledger = Ledger::new(&evidence.consents, question.decisions_pass_on, today);
    let newest = ledger.newest(rule.consent_kind);
    let draft = Draft {
        agreement: Some(agreement.id.clone()),
        consent: newest.map(|entry| entry.record),
        consent_version: newest.map(|entry| entry.version),
        ..draft
    };
    let Some((from, to, share)) = direction(rule, agreement, question) else {
        let reason = "This type of message does not pass from this kind of body to that one.";
        return draft.refuse("direction-not-allowed", reason);
    };
    let ask = Ask {
        kind: rule.consent_kind,
        purposes: &rule.purposes,
        recipient: &question.recipient,
        needs: &share.needs,
    };
    let reaches = |barrier: super::restrictions::Barrier<'_>| barrier.reach(&book.rules, share);
    let barriers = ledger.barriers(rule.consent_kind, &question.recipient);
    let case = Case {
        rules: &book.rules,
        rule,
        share,
        from,
        to,
        standing: ledger.standing(&ask),
        newest,
        scope: ledger.scope(rule.consent_kind),
        barriers: barriers.into_iter().map(|one| (one, reaches(one))).collect(),
        duty_holds: book.rules.ca2004_16la_holds_on(today),
    };
    say_what_stands(&case, &ledger, trace);
    let Some(verdict) = case.best(|one, verdict| say_what_it_comes_to(one, verdict, trace)) else {
        return draft.refuse("authority-none", "No authority covers this recipient.");
    };
    let count = Count {
        rules: &book.rules,
        rule,
        votes: &evidence.overrides,
        emergency: evidence.emergency,
        now,
        pass_on: question.decisions_pass_on,
    };
    let counted = count.on(&verdict);
    say_what_people_claim(&counted, trace);
    let verdict = after_votes(verdict, &counted, book);
    draft.conclude(verdict, &case, agreement, trace)
}

fn agreement<'a>(
    question: &Question,
    rule: &Rule,
    book: &'a RuleBook,
    today: Date,
    trace: &mut Trace,
) -> Result<&'a Agreement, NoAgreement> {
    let flow = Flow {
        sender: &question.sender,
        recipient: &question.recipient,
        message: question.kind.as_str(),
        purposes: &rule.purposes,
    };
    let found = book.agreements.in_force(&flow, today)?;
    trace.say(Stage::Agreement, || {
        let (from, until) = (found.from, found.until);
        let end = until.map_or_else(String::new, |day| format!(" until {day}"));
        format!("Agreement {} is in force from {from}{end}: {}.", found.id, found.title)
    });
    Ok(found)
}

fn say_what_stands(case: &Case<'_>, ledger: &Ledger<'_>, trace: &mut Trace) {
    trace.say(Stage::Direction, || {
        format!("It may pass from {} to {}.", case.from.in_words(), case.to.in_words())
    });
    trace.say(Stage::DecisionMaker, || {
        let who = if ledger.has_passed() {
            "The young person decides: compulsory school age has ended."
        } else {
            "People with parental responsibility decide, or the child where competent."
        };
        who.to_owned()
    });
    trace.say(Stage::Consent, || {
        let about = kind_in_words(case.rule.consent_kind);
        match case.newest {
            Some(entry) => {
                let own = ledger.person_spoke(case.rule.consent_kind);
                let whose = if own { " It is the person's own, which prevails." } else { "" };
                let (version, standing) = (entry.version, case.standing.in_words());
                format!(
                    "Of {about}, entry {version} of the ledger stands; it is {standing}.{whose}"
                )
            }
            None => format!("Of {about}, nothing stands in the ledger."),
        }
    });
    trace.say(Stage::Restrictions, || {
        let words = case.barriers.iter().map(|(barrier, reach)| {
            let entry = barrier.entry.version;
            match reach {
                Reach::Whole => {
                    format!("{} (entry {entry}), which stops all of it", barrier.because)
                }
                Reach::Classes(classes) => {
                    format!("{} (entry {entry}), which cuts {}", barrier.because, listed(classes))
                }
            }
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() {
            "Nothing stands in the way.".to_owned()
        } else {
            format!("In the way: {}.", words.join("; "))
        }
    });
}

fn say_what_it_comes_to(candidate: &Candidate, verdict: &Verdict<'_>, trace: &mut Trace) {
    trace.say(Stage::Authority, || {
        let about = candidate.basis.as_str();
        format!("{about}: {} ({}). {}", verdict.outcome.as_str(), verdict.rule, verdict.reason)
    });
}

fn say_what_people_claim(counted: &Counted, trace: &mut Trace) {
    let words = match counted {
        Counted::None => return,
        Counted::OnePerson(basis) => format!("One person claims {}.", basis.as_str()),
        Counted::NotEnough(basis) => {
            format!("Two people claim {}, which does not overcome this.", basis.as_str())
        }
        Counted::Emergency(basis) => {
            format!("One person released it in an emergency, claiming {}.", basis.as_str())
        }
        Counted::Overcome(basis) => {
            format!("Two different people claim {}, which overcomes this.", basis.as_str())
        }
    };
    trace.say(Stage::Overrides, || words);
}

/// Two different people's claim releases what was held; nothing releases a refusal.
fn after_votes<'a>(verdict: Verdict<'a>, counted: &Counted, book: &RuleBook) -> Claimed<'a> {
    let note = match counted {
        Counted::None => return Claimed { verdict, claim: None },
        Counted::OnePerson(_) => ONE_VOTE,
        Counted::NotEnough(_) => CLAIM_TOO_NARROW,
        Counted::Emergency(basis) => return in_an_emergency(verdict, *basis, book),
        Counted::Overcome(basis) => {
            let row = book.rules.override_of(*basis);
            let reference = row.map_or("", |row| row.reference.as_str());
            let reason = format!(
                "Two different people approved the release ({}), on the ground of {} ({reference}).",
                verdict.rule,
                basis.as_str(),
            );
            let verdict = Verdict {
                outcome: Outcome::Release,
                rule: "approved-override".to_owned(),
                reason,
                ..verdict
            };
            return Claimed { verdict, claim: Some((*basis, reference.to_owned())) };
        }
    };
    let reason = format!("{}{note}", verdict.reason);
    Claimed { verdict: Verdict { reason, ..verdict }, claim: None }
}

/// One person's release in an emergency, which must be reviewed.
fn in_an_emergency<'a>(verdict: Verdict<'a>, basis: Basis, book: &RuleBook) -> Claimed<'a> {
    let reference = book.rules.override_of(basis).map_or("", |row| row.reference.as_str());
    let reason = format!(
        "One named person released it in an emergency ({}), on the ground of {} ({reference}). Somebody else must review that.",
        verdict.rule,
        basis.as_str(),
    );
    let verdict =
        Verdict { outcome: Outcome::Release, rule: "break-glass".to_owned(), reason, ..verdict };
    Claimed { verdict, claim: Some((basis, reference.to_owned())) }
}

/// A verdict, with the ground on which people approved it.
struct Claimed<'a> {
    verdict: Verdict<'a>,
    claim: Option<(Basis, String)>,
}

impl Claimed<'_> {
    /// The authority and the provision it comes from. Who confirms a duty relies on that duty.
    fn authority(&self) -> (Option<String>, Option<String>) {
        match &self.claim {
            Some((basis, reference)) if *basis != Basis::Statute => {
                (Some(basis.as_str().to_owned()), Some(reference.clone()))
            }
            Some(_) | None => {
                let basis = self.verdict.basis;
                (
                    basis.map(|one| one.basis.as_str().to_owned()),
                    basis.map(|one| one.reference.clone()),
                )
            }
        }
    }
}

impl Outcome {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::ReleaseReduced => "release-reduced",
            Self::Hold => "hold",
            Self::Refuse => "refuse",
        }
    }

    /// What it means, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Release => "It goes, whole",
            Self::ReleaseReduced => "It goes, reduced",
            Self::Hold => "It waits for a person",
            Self::Refuse => "It does not go",
        }
    }

    /// Whether it goes, whole or reduced.
    pub fn is_release(self) -> bool {
        matches!(self, Self::Release | Self::ReleaseReduced)
    }
}

impl Decision {
    /// What the log says of it.
    pub fn note(&self) -> DecisionNote {
        let cut = self.cut.iter();
        DecisionNote {
            outcome: self.outcome.as_str().to_owned(),
            authority: self.authority.clone(),
            reference: self.reference.clone(),
            rule: self.rule.clone(),
            rule_version: self.rule_version.clone(),
            agreement: self.agreement.clone(),
            consent: self.consent,
            consent_version: self.consent_version,
            cut: cut
                .map(|(class, why)| (class.as_str().to_owned(), why.as_str().to_owned()))
                .collect(),
            reason: self.reason.clone(),
        }
    }

    /// A refusal made before any rule is looked at.
    pub(super) fn refused_outright(book: &RuleBook, rule: &str, reason: &str) -> Self {
        Draft::new(book).refuse(rule, reason)
    }

    /// Whether a record of a type that goes to nobody is kept.
    pub(super) fn keeping(rule: Option<&Rule>, book: &RuleBook) -> Self {
        let basis = rule.filter(|rule| rule.undirected).and_then(|rule| {
            let candidate = rule.authority.first()?;
            Some((rule, candidate))
        });
        let Some((rule, candidate)) = basis else {
            let reason = "This type of message needs a recipient, and none was named.";
            return Self::refused_outright(book, "recipient-none", reason);
        };
        let reason = format!("{} asks that this be kept. It goes to nobody.", candidate.reference);
        Self {
            authority: Some(candidate.basis.as_str().to_owned()),
            reference: Some(candidate.reference.clone()),
            classes: rule.carries.clone(),
            ..Draft::new(book).decision(Outcome::Release, &rule.id, reason)
        }
    }
}

impl From<Decision> for DecisionNote {
    fn from(decision: Decision) -> Self {
        decision.note()
    }
}

struct Draft {
    version: String,
    agreement: Option<String>,
    consent: Option<RecordId>,
    consent_version: Option<u32>,
}

impl Draft {
    fn new(book: &RuleBook) -> Self {
        Self { version: book.version(), agreement: None, consent: None, consent_version: None }
    }

    fn refuse(self, rule: &str, reason: &str) -> Decision {
        self.decision(Outcome::Refuse, rule, reason.to_owned())
    }

    /// What the gateway returns to an organisation about its own requests is not a disclosure.
    fn own_record(self, reference: &str, rule: &Rule) -> Decision {
        let reason =
            format!("It goes back to the organisation whose own record it is ({reference}).");
        Decision {
            authority: Some(Basis::RecordKeeping.as_str().to_owned()),
            reference: Some(reference.to_owned()),
            classes: rule.carries.clone(),
            ..self.decision(Outcome::Release, OWN_RECORD, reason)
        }
    }

    fn decision(self, outcome: Outcome, rule: &str, reason: String) -> Decision {
        Decision {
            outcome,
            authority: None,
            reference: None,
            rule: rule.to_owned(),
            rule_version: self.version,
            agreement: self.agreement,
            consent: self.consent,
            consent_version: self.consent_version,
            classes: BTreeSet::new(),
            cut: BTreeMap::new(),
            reason,
        }
    }

    /// Drops what the recipient may not have, and says what and why. Without the identity of the
    /// person a message is of no use, and does not go.
    fn conclude(
        self,
        claimed: Claimed<'_>,
        case: &Case<'_>,
        agreement: &Agreement,
        trace: &mut Trace,
    ) -> Decision {
        let (authority, reference) = claimed.authority();
        let verdict = claimed.verdict;
        // The entry that decided is the one to look at; failing that, the one that stands.
        let entry = verdict.entry;
        let draft = Self {
            consent: entry.map(|entry| entry.record).or(self.consent),
            consent_version: entry.map(|entry| entry.version).or(self.consent_version),
            ..self
        };
        let (outcome, rule) = (verdict.outcome, verdict.rule);
        if !outcome.is_release() {
            let decision = draft.decision(outcome, &rule, verdict.reason);
            return Decision { authority, reference, ..decision };
        }
        let limits = Limits {
            carries: &case.rule.carries,
            share: case.share,
            agreement: &agreement.classes,
            barriers: &case.barriers,
            scope: verdict.scope.as_ref(),
        };
        let reduced = limits.reduce();
        if !reduced.classes.is_superset(&case.share.needs) {
            let reason = "The agreement does not cover the classes of data without which this \
                          message is of no use.";
            return draft.refuse("agreement-classes", reason);
        }
        trace.say(Stage::Reduction, || {
            let cut = reduced.cut.iter().map(|(class, why)| format!("{class} ({})", why.as_str()));
            let cut: Vec<_> = cut.collect();
            let left = if cut.is_empty() { "nothing".to_owned() } else { cut.join(", ") };
            format!("What may go: {}. What is cut: {left}.", listed(&reduced.classes))
        });
        let whole = reduced.cut.is_empty();
        let (outcome, noted) =
            if whole { (Outcome::Release, "") } else { (Outcome::ReleaseReduced, REDUCED) };
        let reason = format!("{}{noted}", verdict.reason);
        Decision {
            authority,
            reference,
            classes: reduced.classes,
            cut: reduced.cut,
            ..draft.decision(outcome, &rule, reason)
        }
    }
}

/// The kinds of both bodies and what the recipient may have, when this may pass between them.
fn direction<'a>(
    rule: &'a Rule,
    agreement: &Agreement,
    question: &Question,
) -> Option<(PartyKind, PartyKind, &'a Share)> {
    let from = agreement.kind_of(&question.sender).filter(|kind| rule.from.contains(kind))?;
    let to = agreement.kind_of(&question.recipient)?;
    Some((from, to, rule.release.get(&to)?))
}

fn absence_in_words(absence: NoAgreement) -> &'static str {
    match absence {
        NoAgreement::None => "No sharing agreement covers this sender, recipient and purpose.",
        NoAgreement::Ended => "The sharing agreement for this has ended.",
        NoAgreement::NotBegun => "The sharing agreement for this has not begun.",
    }
}

fn listed(classes: &BTreeSet<DataClass>) -> String {
    let names: Vec<_> = classes.iter().map(|class| class.as_str()).collect();
    names.join(", ")
}

/// The rule of what goes back to the organisation whose own record it is.
pub const OWN_RECORD: &str = "own-record";

const ONE_VOTE: &str = " One person has approved the release; a second, different person must, \
    on the same ground.";
const CLAIM_TOO_NARROW: &str = " The ground on which people approved the release does not overcome \
    this.";
const REDUCED: &str = " Classes of data that the recipient may not have were left out.";

#[cfg(test)]
mod tests;
