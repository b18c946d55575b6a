//! Reading the consent ledger: what stands today, and what it stops.
//!
//! Owns the meaning of the ledger's order. The newest decision of a kind counts; an entry that
//! only says "not recorded" decides nothing and undoes nothing, so that a blank cell in a nightly
//! extract can never undo a withdrawal. Withdrawals and refusals do not lapse.
//!
//! Must never know rules, agreements or who asks.
//!
//! Use: `Ledger::new(&evidence.consents).restriction(kind, &recipient)` and `.standing(..)`.
//!
//! Limits: entries do not say *which* parent decided, so agreement by a parent after a refusal by
//! a parent is taken for a disagreement between two people and goes to a person.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

use super::ConsentEntry;

pub(super) struct Ledger<'a>(&'a [ConsentEntry]);

/// A withdrawal, refusal or exclusion that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restriction {
    /// The rule that refuses what rests on consent.
    pub(super) rule: &'static str,
    /// What is in the way, as a clause.
    pub(super) because: &'static str,
    /// The entry that was looked at.
    pub(super) version: u32,
    /// When the newest thing in the way was recorded; a vote before it did not weigh it.
    pub(super) since: Timestamp,
}

/// Whether consent can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Valid,
    Missing,
    Refused,
    Withdrawn,
    NotBegun,
    Expired,
    OtherPurpose,
    /// Given by somebody who no longer decides.
    Stale,
    /// Given by one parent after another objected, as far as the ledger can tell.
    Disputed,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(entries: &'a [ConsentEntry]) -> Self {
        Self(entries)
    }

    /// The newest decision of a kind.
    pub(super) fn newest(&self, kind: ConsentKind) -> Option<&'a ConsentEntry> {
        let decides = |e: &&ConsentEntry| e.kind == kind && e.status != ConsentStatus::NotRecorded;
        self.0.iter().filter(decides).max_by_key(|entry| entry.version)
    }

    /// What is in the way of a release to this recipient, if anything. A decision about sharing
    /// stops the plan document too; a decision about the plan stops only the plan.
    pub(super) fn restriction(
        &self,
        kind: ConsentKind,
        recipient: &OrganisationCode,
    ) -> Option<Restriction> {
        let about = match kind {
            ConsentKind::Sharing => vec![ConsentKind::Sharing],
            ConsentKind::Plan => vec![ConsentKind::Plan, ConsentKind::Sharing],
        };
        let decided = about.into_iter().filter_map(|kind| self.newest(kind));
        let stops = decided.filter_map(|entry| match entry.status {
            ConsentStatus::Withdrawn => {
                Some((entry, "consent-withdrawn", "agreement to share was withdrawn"))
            }
            ConsentStatus::Refused => {
                Some((entry, "consent-refused", "agreement to share was refused"))
            }
            ConsentStatus::Given | ConsentStatus::NotRecorded => None,
        });
        let excludes = self.exclusions().filter(|entry| entry.exclusions.contains(recipient));
        let excludes = excludes
            .map(|e| (e, "recipient-excluded", "the family asked that this recipient be left out"));
        let all: Vec<_> = stops.chain(excludes).collect();
        let since = all.iter().map(|(entry, ..)| entry.recorded_at).max()?;
        let (entry, rule, because) = all.first()?;
        Some(Restriction { rule, because, version: entry.version, since })
    }

    /// Whether consent of this kind covers one of these purposes today.
    pub(super) fn standing(
        &self,
        kind: ConsentKind,
        purposes: &[String],
        decisions_pass_on: Option<Date>,
        today: Date,
    ) -> Standing {
        let Some(entry) = self.newest(kind) else { return Standing::Missing };
        match entry.status {
            ConsentStatus::Refused => return Standing::Refused,
            ConsentStatus::Withdrawn => return Standing::Withdrawn,
            ConsentStatus::NotRecorded => return Standing::Missing,
            ConsentStatus::Given => {}
        }
        let same = |covered: &String| {
            purposes.iter().any(|purpose| covered.trim().eq_ignore_ascii_case(purpose))
        };
        if entry.decided_on.is_some_and(|day| today < day) {
            Standing::NotBegun
        } else if entry.expires_on.is_some_and(|day| day < today) {
            Standing::Expired
        } else if !entry.purposes.is_empty() && !entry.purposes.iter().any(same) {
            Standing::OtherPurpose
        } else if is_stale(entry, decisions_pass_on, today) {
            Standing::Stale
        } else if self.is_disputed(entry) {
            Standing::Disputed
        } else {
            Standing::Valid
        }
    }

    /// Whether a parent agreed although a parent had refused before (Children Act 1989, section
    /// 2(7): each may act alone, but an objection goes to a person).
    fn is_disputed(&self, given: &ConsentEntry) -> bool {
        given.given_by == Some(DecisionMaker::Parent)
            && self.0.iter().any(|earlier| {
                earlier.version < given.version
                    && earlier.kind == given.kind
                    && earlier.status == ConsentStatus::Refused
                    && earlier.given_by == Some(DecisionMaker::Parent)
            })
    }

    /// The entries whose exclusions are in force: the newest decision of each kind, and anything
    /// recorded after it.
    fn exclusions(&self) -> impl Iterator<Item = &'a ConsentEntry> {
        self.0.iter().filter(|entry| {
            self.newest(entry.kind).is_none_or(|newest| newest.version <= entry.version)
        })
    }
}

/// Whether agreement was given by somebody who decided then and does not now. At the end of
/// compulsory school age the young person decides (Children and Families Act 2014, section 83;
/// Education Act 1996, section 8). Agreement whose giver is not recorded cannot be shown to be the
/// young person's own.
fn is_stale(given: &ConsentEntry, decisions_pass_on: Option<Date>, today: Date) -> bool {
    decisions_pass_on.is_some_and(|day| day <= today)
        && match given.given_by {
            None | Some(DecisionMaker::Parent | DecisionMaker::LocalAuthority) => true,
            Some(DecisionMaker::YoungPerson | DecisionMaker::AlternativePerson) => false,
        }
}
