//! Weighing one candidate authority against what stands and what is in its way.
//!
//! Owns what each basis needs, which restriction stops it, and the words of both. Must never know
//! votes or classes of data that may go: `overrides` and `reduction` come after.
//!
//! Use: `case.weigh(&candidate)` for each candidate; the best outcome is the first that releases,
//! failing that the first that holds.
//!
//! Limits: a verdict here is not a decision; it names every obstacle that people would have to
//! overcome.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemas::catalogue::DataClass;
use schemas::record::ConsentKind;

use super::ConsentEntry;
use super::agreements::PartyKind;
use super::decision::Outcome;
use super::ledger::Standing;
use super::restrictions::{Barrier, Reach};
use super::rules::{Basis, Candidate, DetrimentTest, Obstacle, Restricted, Rule, Rules, Share};

/// What one question comes to, before any authority is weighed.
pub(super) struct Case<'a> {
    pub(super) rules: &'a Rules,
    pub(super) rule: &'a Rule,
    pub(super) share: &'a Share,
    pub(super) from: PartyKind,
    pub(super) to: PartyKind,
    pub(super) standing: Standing,
    /// The decision of the family that stands.
    pub(super) newest: Option<&'a ConsentEntry>,
    /// The classes that the agreement relied on names; none means all.
    pub(super) scope: &'a [DataClass],
    /// What is in the way, and how far each reaches.
    pub(super) barriers: Vec<(Barrier<'a>, Reach)>,
    pub(super) duty_holds: bool,
}

/// What one candidate comes to.
#[derive(Debug, Clone)]
pub(super) struct Verdict<'a> {
    pub(super) outcome: Outcome,
    /// The authority relied on, or the one that something met.
    pub(super) basis: Option<&'a Candidate>,
    pub(super) rule: String,
    pub(super) reason: String,
    /// What people would have to overcome.
    pub(super) obstacles: BTreeSet<Obstacle>,
    /// Since when the matter of a hold has been on record; a vote before that did not weigh it.
    pub(super) since: Option<Timestamp>,
    /// The ledger entry that decided, where one did.
    pub(super) entry: Option<&'a ConsentEntry>,
    /// The classes that the agreement relied on covers; none means that it is not what limits.
    pub(super) scope: Option<BTreeSet<DataClass>>,
}

impl<'a> Case<'a> {
    /// The best that any authority gives; none when none is for these bodies.
    pub(super) fn best(
        &self,
        mut each: impl FnMut(&Candidate, &Verdict<'a>),
    ) -> Option<Verdict<'a>> {
        let candidates = self.rule.authority.iter().filter(|one| {
            one.is_between(self.from, self.to)
                && (one.basis != Basis::Ca2004S16la || self.duty_holds)
        });
        // `min_by_key` gives the first of equals: the order of the file is that of preference.
        let weighed = candidates.map(|one| {
            let verdict = self.weigh(one);
            each(one, &verdict);
            verdict
        });
        weighed.min_by_key(|one| one.outcome)
    }

    fn weigh(&self, candidate: &'a Candidate) -> Verdict<'a> {
        match candidate.basis {
            Basis::Consent => self.consent(candidate),
            Basis::DirectCareImplied => self.implied(candidate),
            Basis::Ca2004S16la => self.duty_to_share(candidate),
            Basis::Statute => match self.wholes().next() {
                Some(_) => self.meets(candidate),
                None => self.go(candidate, self.by_law(candidate), None),
            },
            Basis::RecordKeeping => match (self.wholes().next(), candidate.restricted) {
                (Some(_), Restricted::Hold | Restricted::Refuse) => self.meets(candidate),
                (Some(_), Restricted::Proceed) | (None, _) => {
                    let reason =
                        format!("{} asks that this be kept and made known.", candidate.reference);
                    self.go(candidate, reason, None)
                }
            },
            Basis::SafeguardingOverride
            | Basis::CourtOrTribunal
            | Basis::BestInterests
            | Basis::VitalInterests => self.needs_people(candidate),
        }
    }

    /// Barriers that stop the whole message.
    fn wholes(&self) -> impl Iterator<Item = &Barrier<'a>> {
        self.barriers.iter().filter(|(_, reach)| *reach == Reach::Whole).map(|(one, _)| one)
    }

    fn consent(&self, candidate: &'a Candidate) -> Verdict<'a> {
        let objection = self.wholes().find(|one| one.is_objection());
        let disputed = self.standing == Standing::Disputed;
        if let Some(one) = objection
            && candidate.restricted != Restricted::Hold
            && !(disputed && self.only_refused())
        {
            let reason = format!("It rests on agreement to share, and {}.", one.because);
            return Verdict { entry: Some(one.entry), ..stop(Outcome::Refuse, one.rule, reason) };
        }
        let (rule, reason, obstacle) = match self.standing {
            Standing::Valid if self.wholes().next().is_some() => return self.meets(candidate),
            Standing::Valid => {
                let reason = format!(
                    "Agreement to share holds today and covers this purpose ({}).",
                    candidate.reference
                );
                return self.go(candidate, reason, self.agreed_classes());
            }
            Standing::Refused | Standing::Withdrawn => return self.meets(candidate),
            Standing::Missing => ("consent-missing", MISSING, None),
            Standing::NotBegun => ("consent-not-begun", NOT_BEGUN, None),
            Standing::Expired => ("consent-expired", EXPIRED, None),
            Standing::OtherPurpose => ("consent-purpose", OTHER_PURPOSE, None),
            Standing::OtherRecipient => ("consent-recipient", OTHER_RECIPIENT, None),
            Standing::OtherClasses => ("consent-classes", OTHER_CLASSES, None),
            Standing::Stale => {
                ("consent-stale-decision-maker", STALE, Some(Obstacle::StaleDecisionMaker))
            }
            Standing::Disputed => ("consent-disputed", DISPUTED, Some(Obstacle::Disagreement)),
            Standing::CapacityNotRecorded => {
                let obstacle = Some(Obstacle::CapacityNotRecorded);
                ("consent-capacity-not-recorded", CAPACITY_NOT_RECORDED, obstacle)
            }
        };
        match obstacle {
            None => stop(Outcome::Refuse, rule, reason.to_owned()),
            Some(obstacle) => self.held(candidate, rule, reason.to_owned(), obstacle),
        }
    }

    /// Whether all objections are refusals: one person refused while another agreed.
    fn only_refused(&self) -> bool {
        self.wholes().filter(|one| one.is_objection()).all(|one| one.rule == "consent-refused")
    }

    /// Implied agreement: nobody was asked, so any limit that somebody set goes to a person.
    fn implied(&self, candidate: &'a Candidate) -> Verdict<'a> {
        let objection = self.wholes().find(|one| one.is_objection());
        if let Some(one) = objection.filter(|_| candidate.restricted == Restricted::Refuse) {
            let reason = format!("It rests on implied agreement to care, and {}.", one.because);
            return Verdict { entry: Some(one.entry), ..stop(Outcome::Refuse, one.rule, reason) };
        }
        if self.wholes().next().is_some() {
            return self.meets(candidate);
        }
        if self.is_limited() {
            let rule = "implied-consent-limited";
            return self.held(candidate, rule, LIMITED.to_owned(), Obstacle::Objection);
        }
        let reason = format!(
            "It goes from one health body to another for the person's own care, and nobody has \
             objected ({}).",
            candidate.reference
        );
        self.go(candidate, reason, self.agreed_classes())
    }

    /// Children Act 2004, section 16LA: a duty with a test of its own. Whatever speaks against
    /// sharing leaves the test to people.
    fn duty_to_share(&self, candidate: &'a Candidate) -> Verdict<'a> {
        if self.wholes().next().is_some() {
            let mut verdict = self.meets(candidate);
            verdict.obstacles.insert(Obstacle::Detriment);
            return verdict;
        }
        let spoken_against = !self.barriers.is_empty() || self.is_limited();
        if spoken_against || self.rules.detriment_test() == DetrimentTest::ByAPerson {
            let reason = format!("{} {DETRIMENT}", candidate.reference);
            return self.held(candidate, "detriment-test", reason, Obstacle::Detriment);
        }
        self.go(candidate, self.by_law(candidate), self.agreed_classes())
    }

    /// An override exists only by the claim of two people.
    fn needs_people(&self, candidate: &'a Candidate) -> Verdict<'a> {
        let weigh = |one: &Barrier<'_>| format!(" They must weigh that {}.", one.because);
        let weigh = self.wholes().next().map(weigh).unwrap_or_default();
        let reason = format!("{OVERRIDE_NEEDED} ({}).{weigh}", candidate.reference);
        self.held(candidate, "override-needed", reason, Obstacle::NoAgreement)
    }

    /// Whether the family agreed to something narrower than what is asked.
    fn is_limited(&self) -> bool {
        match self.standing {
            Standing::OtherPurpose | Standing::OtherRecipient | Standing::OtherClasses => true,
            Standing::Valid
            | Standing::Missing
            | Standing::Refused
            | Standing::Withdrawn
            | Standing::NotBegun
            | Standing::Expired
            | Standing::Stale
            | Standing::Disputed
            | Standing::CapacityNotRecorded => false,
        }
    }

    /// The classes that agreement names, with the identity, which it implies.
    fn agreed_classes(&self) -> Option<BTreeSet<DataClass>> {
        let named = self.scope.iter().copied();
        (!self.scope.is_empty()).then(|| named.chain([DataClass::Identity]).collect())
    }

    fn by_law(&self, candidate: &Candidate) -> String {
        let noted = match self.standing {
            Standing::Stale => STALE_NOTED,
            Standing::Disputed => DISPUTE_NOTED,
            Standing::Valid
            | Standing::Missing
            | Standing::Refused
            | Standing::Withdrawn
            | Standing::NotBegun
            | Standing::Expired
            | Standing::OtherPurpose
            | Standing::OtherRecipient
            | Standing::OtherClasses
            | Standing::CapacityNotRecorded => "",
        };
        let reference = &candidate.reference;
        format!("{reference} is the power relied on; agreement to share is not needed.{noted}")
    }

    /// Something in the way meets a power or an agreement: for a person, never silently either
    /// way.
    fn meets(&self, candidate: &'a Candidate) -> Verdict<'a> {
        let because = self.wholes().next().map_or("something stands against it", |one| one.because);
        let (rule, reason) = match candidate.basis {
            Basis::Consent => (
                "restriction-meets-consent",
                format!("It rests on agreement to share, but {because}. A person must decide."),
            ),
            Basis::DirectCareImplied => (
                "restriction-meets-implied-consent",
                format!("It rests on implied agreement, but {because}. A person must decide."),
            ),
            Basis::Statute
            | Basis::Ca2004S16la
            | Basis::RecordKeeping
            | Basis::SafeguardingOverride
            | Basis::CourtOrTribunal
            | Basis::BestInterests
            | Basis::VitalInterests => (
                "restriction-meets-statute",
                format!(
                    "{} would allow this, but {because}. A person must decide.",
                    candidate.reference
                ),
            ),
        };
        let obstacle = self.wholes().next().map_or(Obstacle::Objection, |one| one.obstacle);
        self.held(candidate, rule, reason, obstacle)
    }

    /// A hold, with everything that people would have to overcome.
    fn held(
        &self,
        candidate: &'a Candidate,
        rule: &str,
        reason: String,
        obstacle: Obstacle,
    ) -> Verdict<'a> {
        let mut obstacles: BTreeSet<_> = self.wholes().map(|one| one.obstacle).collect();
        obstacles.insert(obstacle);
        let recorded = self.newest.map(|entry| entry.recorded_at);
        let agreed = matches!(candidate.basis, Basis::Consent | Basis::DirectCareImplied);
        let since = self.wholes().map(Barrier::since).chain(recorded).max();
        Verdict {
            basis: Some(candidate),
            obstacles,
            since,
            entry: self.wholes().next().map(|one| one.entry),
            // People overcome what is in the way; they do not widen what was agreed.
            scope: self.agreed_classes().filter(|_| agreed),
            ..stop(Outcome::Hold, rule, reason)
        }
    }

    fn go(
        &self,
        candidate: &'a Candidate,
        reason: String,
        scope: Option<BTreeSet<DataClass>>,
    ) -> Verdict<'a> {
        Verdict { basis: Some(candidate), scope, ..stop(Outcome::Release, &self.rule.id, reason) }
    }
}

fn stop<'a>(outcome: Outcome, rule: &str, reason: String) -> Verdict<'a> {
    Verdict {
        outcome,
        basis: None,
        rule: rule.to_owned(),
        reason,
        obstacles: BTreeSet::new(),
        since: None,
        entry: None,
        scope: None,
    }
}

/// What kind of consent a plain word names, for explanations.
pub(super) fn kind_in_words(kind: ConsentKind) -> &'static str {
    match kind {
        ConsentKind::Sharing => "agreement to share",
        ConsentKind::Plan => "agreement to disclose the plan document",
    }
}

const MISSING: &str = "It rests on agreement to share, and none is recorded.";
const NOT_BEGUN: &str = "It rests on agreement to share, which is dated in the future.";
const EXPIRED: &str = "It rests on agreement to share, which has expired.";
const OTHER_PURPOSE: &str = "It rests on agreement to share, which does not cover this purpose.";
const OTHER_RECIPIENT: &str =
    "It rests on agreement to share, which names its recipients, and this is none of them.";
const OTHER_CLASSES: &str = "It rests on agreement to share, which does not cover the classes of \
    data without which this message is of no use.";
const STALE: &str = "Agreement to share was given by somebody else before the young person became \
    the one to decide. A person must ask the young person.";
const DISPUTED: &str = "One person with parental responsibility agreed and one objected, as far as \
    the record shows. A person must decide.";
const CAPACITY_NOT_RECORDED: &str = "Agreement was given by a child as competent, or by somebody \
    who decides in the young person's place, and no assessment of that is on record. A person must \
    decide.";
const LIMITED: &str = "It rests on implied agreement to care, but the family agreed to something \
    narrower. A person must decide.";
const DETRIMENT: &str = "is the duty relied on; it does not apply where sharing would be more \
    detrimental to the child than not sharing, and a person must say so.";
const OVERRIDE_NEEDED: &str =
    "No agreement and no duty covers this; two named people may decide that it goes all the same";
const STALE_NOTED: &str = " The agreement on record was given by somebody else before the young \
    person became the one to decide, and should be asked for again.";
const DISPUTE_NOTED: &str =
    " An objection by a person with parental responsibility is also on record.";
