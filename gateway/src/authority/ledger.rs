//! Reading the consent ledger: what stands today, and what it stops.
//!
//! Owns the meaning of the ledger's order. A withdrawal, a refusal or a list of exclusions stands
//! until agreement recorded after it lifts it: agreement dated later, or dated the same day by the
//! organisation that recorded what it lifts. So a nightly extract that still says "given" undoes
//! nothing. An entry that only says "not recorded" decides nothing and undoes nothing, but its
//! exclusions count. Withdrawals and refusals do not lapse.
//!
//! Must never know rules, agreements or who asks.
//!
//! Use: `Ledger::new(&evidence.consents, today).restriction(kind, &recipient)` and `.standing(..)`.
//!
//! Limits: entries do not say *which* parent decided, so agreement by a parent after a refusal by
//! a parent is taken for a disagreement between two people and goes to a person.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

use super::ConsentEntry;
use crate::clock::london_date;

/// What stands, by kind of consent.
pub(super) struct Ledger<'a> {
    sharing: History<'a>,
    plan: History<'a>,
}

/// What the entries about one kind of consent come to.
#[derive(Default)]
struct History<'a> {
    /// Withdrawals and refusals that nothing has lifted.
    stops: Open<'a>,
    /// Entries whose exclusions nothing has lifted.
    lists: Open<'a>,
    /// The newest agreement that counts.
    given: Option<&'a ConsentEntry>,
    /// Whether a parent had refused before that agreement.
    objected: bool,
    parent_refused: bool,
    /// The latest day of a withdrawal or refusal that was lifted; agreement dated before it is
    /// from before the family changed its mind.
    lifted: Option<Date>,
}

/// Entries that stand, by the day of the decision and by who recorded it, with their places in
/// the ledger. Each is put in and taken out once.
#[derive(Default)]
struct Open<'a>(BTreeMap<Date, BTreeMap<&'a OrganisationCode, Vec<Placed<'a>>>>);

type Placed<'a> = (usize, &'a ConsentEntry);

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
    /// Reads the ledger once. Versions order the entries; they need not be unique or without
    /// gaps. An entry without a version (0) is about to be recorded, after all others.
    pub(super) fn new(entries: &'a [ConsentEntry], today: Date) -> Self {
        let mut ledger = Self { sharing: History::default(), plan: History::default() };
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|entry| (entry.version == 0, entry.version));
        for placed in ordered.into_iter().enumerate() {
            match placed.1.kind {
                ConsentKind::Sharing => ledger.sharing.read(placed, today),
                ConsentKind::Plan => ledger.plan.read(placed, today),
            }
        }
        ledger
    }

    /// The decision of a kind that stands.
    pub(super) fn newest(&self, kind: ConsentKind) -> Option<&'a ConsentEntry> {
        let history = self.of(kind);
        history.stops.newest().or(history.given)
    }

    fn of(&self, kind: ConsentKind) -> &History<'a> {
        match kind {
            ConsentKind::Sharing => &self.sharing,
            ConsentKind::Plan => &self.plan,
        }
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
            ConsentStatus::Given
            | ConsentStatus::NotRecorded
            | ConsentStatus::Expired
            | ConsentStatus::Stale
            | ConsentStatus::Restricted
            | ConsentStatus::Lifted => None,
        });
        let lists = self.sharing.lists.entries().chain(self.plan.lists.entries());
        let excludes =
            lists.map(|(_, entry)| entry).filter(|entry| entry.exclusions.contains(recipient));
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
            ConsentStatus::Expired => return Standing::Expired,
            ConsentStatus::Stale => return Standing::Stale,
            ConsentStatus::NotRecorded | ConsentStatus::Restricted | ConsentStatus::Lifted => {
                return Standing::Missing;
            }
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
        } else if self.is_disputed(kind, entry) {
            Standing::Disputed
        } else {
            Standing::Valid
        }
    }

    /// Whether a parent agreed although a parent had refused before (Children Act 1989, section
    /// 2(7): each may act alone, but an objection goes to a person).
    fn is_disputed(&self, kind: ConsentKind, given: &ConsentEntry) -> bool {
        given.given_by == Some(DecisionMaker::Parent) && self.of(kind).objected
    }
}

impl<'a> History<'a> {
    /// Takes the next entry into account.
    fn read(&mut self, placed: Placed<'a>, today: Date) {
        let (_, entry) = placed;
        let day = entry.decided_on.unwrap_or_else(|| london_date(entry.recorded_at));
        match entry.status {
            ConsentStatus::Given => self.give(entry, today),
            ConsentStatus::Withdrawn => self.stops.add(day, placed),
            ConsentStatus::Refused => {
                self.stops.add(day, placed);
                self.parent_refused |= entry.given_by == Some(DecisionMaker::Parent);
            }
            ConsentStatus::NotRecorded
            | ConsentStatus::Expired
            | ConsentStatus::Stale
            | ConsentStatus::Restricted
            | ConsentStatus::Lifted => {}
        }
        if !entry.exclusions.is_empty() {
            self.lists.add(day, placed);
        }
    }

    /// Lifts what this agreement lifts. It counts unless something still stands, or it is dated
    /// before a withdrawal or refusal that another agreement lifted. Agreement without a date, or
    /// dated in the future, lifts nothing.
    fn give(&mut self, entry: &'a ConsentEntry, today: Date) {
        if let Some(day) = entry.decided_on.filter(|day| *day <= today) {
            self.lifted = self.lifted.max(self.stops.lift(day, &entry.recorded_by));
            self.lists.lift(day, &entry.recorded_by);
        }
        if self.stops.0.is_empty() && self.lifted <= entry.decided_on {
            self.given = Some(entry);
            self.objected = self.parent_refused;
        }
    }
}

impl<'a> Open<'a> {
    fn add(&mut self, day: Date, placed: Placed<'a>) {
        self.0.entry(day).or_default().entry(&placed.1.recorded_by).or_default().push(placed);
    }

    /// Takes out what agreement of this day, recorded by this organisation, lifts: every earlier
    /// day, and the organisation's own entries of the same day. Gives the latest day lifted.
    fn lift(&mut self, day: Date, by: &OrganisationCode) -> Option<Date> {
        let mut latest = None;
        while let Some(first) = self.0.first_entry().filter(|first| *first.key() < day) {
            latest = Some(*first.key());
            first.remove();
        }
        if let Some(same_day) = self.0.get_mut(&day) {
            if same_day.remove(by).is_some() {
                latest = Some(day);
            }
            if same_day.is_empty() {
                self.0.remove(&day);
            }
        }
        latest
    }

    fn entries(&self) -> impl Iterator<Item = Placed<'a>> {
        self.0.values().flat_map(BTreeMap::values).flatten().copied()
    }

    fn newest(&self) -> Option<&'a ConsentEntry> {
        self.entries().max_by_key(|(place, _)| *place).map(|(_, entry)| entry)
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
            Some(
                DecisionMaker::CompetentChild
                | DecisionMaker::YoungPerson
                | DecisionMaker::AlternativePerson,
            ) => false,
        }
}

#[cfg(test)]
mod tests;
