//! Overrides: what two named people can decide against an obstacle, and on which ground.
//!
//! Owns who counts (two different people with the same claim, each cast with the matter on
//! record, so that an old approval never outlives a new withdrawal) and what a claim overcomes,
//! which is rule data. Nothing releases a refusal.
//!
//! In an emergency one named person may do the same on two grounds, but not against what protects
//! somebody from just that: an adoption, a sealed record, limits set by a court, a protected
//! address (ADR 0025).
//!
//! Must never know how people vote or sign in.
//!
//! Limits: people are told apart by the pseudonym that their system vouches for. A claim is a
//! ground of law; why it holds in this case is the reason on the vote, in the log.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use super::decision::Outcome;
use super::rules::{Basis, Obstacle, OverrideRule, Rule, Rules};
use super::weighing::Verdict;
use super::{BreakGlass, Override};
use crate::clock::london_date;

/// What votes are counted against.
pub(super) struct Count<'a> {
    pub(super) rules: &'a Rules,
    pub(super) rule: &'a Rule,
    pub(super) votes: &'a [Override],
    pub(super) emergency: Option<BreakGlass>,
    pub(super) now: Timestamp,
    /// The day from which the young person decides, where it has come.
    pub(super) pass_on: Option<Date>,
}

/// What came of the votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counted {
    /// Nobody has claimed anything that counts.
    None,
    /// One person has; a second, different person must.
    OnePerson(Basis),
    /// Two have, and the ground they claim does not overcome this.
    NotEnough(Basis),
    /// Two have, and it does.
    Overcome(Basis),
    /// One person released it in an emergency.
    Emergency(Basis),
}

impl Basis {
    /// The grounds that people can claim, in the order in which they are tried: the narrowest
    /// first.
    pub const CLAIMS: [Self; 5] = [
        Self::Statute,
        Self::CourtOrTribunal,
        Self::VitalInterests,
        Self::SafeguardingOverride,
        Self::BestInterests,
    ];

    /// The ground that a reason code of a vote claims; the closed list is the API's
    /// (`journey::HOLD_REASONS`).
    pub fn claimed_by(reason: &str) -> Option<Self> {
        match reason {
            "safeguarding" => Some(Self::SafeguardingOverride),
            "court-or-tribunal" => Some(Self::CourtOrTribunal),
            "best-interests" => Some(Self::BestInterests),
            "vital-interests" => Some(Self::VitalInterests),
            "statutory-duty-confirmed" => Some(Self::Statute),
            _ => None,
        }
    }
}

impl Count<'_> {
    /// Counts the votes on a verdict.
    pub(super) fn on(&self, verdict: &Verdict<'_>) -> Counted {
        if verdict.outcome != Outcome::Hold {
            return Counted::None;
        }
        if let Some(basis) = self.emergency(verdict) {
            return Counted::Emergency(basis);
        }
        let mut best = Counted::None;
        for basis in Basis::CLAIMS {
            let counted = match (self.people(basis, verdict), self.rules.override_of(basis)) {
                (0, _) => continue,
                (1, _) => Counted::OnePerson(basis),
                (_, Some(row)) if self.overcomes(row, verdict) => return Counted::Overcome(basis),
                (_, _) => Counted::NotEnough(basis),
            };
            if best == Counted::None {
                best = counted;
            }
        }
        best
    }

    /// The ground of an emergency that releases this: declared with the matter on record, and
    /// against nothing that one person cannot set aside.
    fn emergency(&self, verdict: &Verdict<'_>) -> Option<Basis> {
        let BreakGlass { basis, at } = self.emergency?;
        let row = self.rules.override_of(basis)?;
        let ground = matches!(basis, Basis::VitalInterests | Basis::SafeguardingOverride);
        let in_time = at <= self.now && verdict.since.is_none_or(|since| since <= at);
        let alone = verdict.obstacles.iter().all(|one| !BEYOND_ONE_PERSON.contains(one));
        (ground && in_time && alone && self.overcomes(row, verdict)).then_some(basis)
    }

    /// How many different people made this claim with the matter on record.
    fn people(&self, basis: Basis, verdict: &Verdict<'_>) -> usize {
        let stale = verdict.obstacles.contains(&Obstacle::StaleDecisionMaker);
        let pass_on = self.pass_on.filter(|_| stale);
        let people: BTreeSet<&str> = self
            .votes
            .iter()
            .filter(|vote| vote.basis == basis && vote.at <= self.now)
            .filter(|vote| verdict.since.is_none_or(|since| since <= vote.at))
            .filter(|vote| pass_on.is_none_or(|day| day <= london_date(vote.at)))
            .map(|vote| vote.person.trim())
            .filter(|person| !person.is_empty())
            .collect();
        people.len()
    }

    fn overcomes(&self, row: &OverrideRule, verdict: &Verdict<'_>) -> bool {
        let candidate = verdict.basis.map(|one| one.basis);
        // To confirm a duty there must be one.
        let duty = row.basis != Basis::Statute
            || matches!(
                candidate,
                Some(Basis::Statute | Basis::Ca2004S16la | Basis::RecordKeeping)
            );
        // A plan document goes without agreement only for a purpose of regulation 17.
        let lawful = !self.rule.is_plan_document()
            || row.basis == Basis::Statute
            || row.disclosure.is_some();
        duty && lawful && verdict.obstacles.is_subset(&row.lifts)
    }
}

/// What one person alone never sets aside, whatever the emergency.
const BEYOND_ONE_PERSON: [Obstacle; 4] =
    [Obstacle::Adoption, Obstacle::Sealed, Obstacle::CourtLimits, Obstacle::ProtectedAddress];

#[cfg(test)]
mod tests;
