//! Reading the consent ledger: whose decision counts, what stands today, and what is in the way.
//!
//! Owns the meaning of the ledger's order. A withdrawal, a refusal or a list of exclusions stands
//! until agreement recorded after it lifts it: agreement dated later, or dated the same day by the
//! organisation that recorded what it lifts. So a nightly extract that still says "given" undoes
//! nothing. An entry that only says "not recorded" decides nothing and undoes nothing, but its
//! exclusions count. Withdrawals, refusals and restrictions do not lapse; a restriction stands
//! until it is lifted by name.
//!
//! Owns too whose decision counts (`domain.md` 5.2). There are two voices: the person's own (a
//! competent child; from the end of compulsory school age the young person, or the alternative
//! person who stands in for them) and that of people with parental responsibility. The person's
//! own prevails wherever it has spoken. A stop of which nobody recorded who said it stops both.
//!
//! Must never know rules, agreements or who asks.
//!
//! Use: `Ledger::new(&evidence.consents, pass_on, today)`, then `.barriers(kind, &recipient)` and
//! `.standing(..)`.
//!
//! Limits: entries do not say *which* parent decided, so agreement and refusal by parents are
//! taken for a disagreement between two people and go to a person. A withdrawal stops everything
//! whatever scope it names. Not supported: agreements for several purposes side by side; the
//! newest that counts replaces the others, because an authority's extract says what holds now.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

use super::ConsentEntry;
use super::restrictions::{self, Barrier, Restrictions};
use crate::clock::london_date;

pub(super) use standing::{Ask, Standing};

mod standing;

/// What stands, by kind of consent.
pub(super) struct Ledger<'a> {
    sharing: Voices<'a>,
    plan: Voices<'a>,
    restrictions: Restrictions<'a>,
    pass_on: Option<Date>,
    today: Date,
}

/// Who has spoken about one kind of consent.
#[derive(Default)]
struct Voices<'a> {
    own: History<'a>,
    parental: History<'a>,
    /// Whether the person's own voice has decided anything.
    own_spoke: bool,
}

/// What the entries of one voice come to.
#[derive(Default)]
pub(super) struct History<'a> {
    /// Withdrawals and refusals that nothing has lifted.
    stops: Open<'a>,
    /// Entries whose exclusions nothing has lifted.
    lists: Open<'a>,
    /// The newest agreement that counts.
    given: Option<&'a ConsentEntry>,
    /// What was recorded of that agreement since: that it expired, or is stale.
    lapsed: Option<&'a ConsentEntry>,
    /// Whether a person with parental responsibility had refused before that agreement.
    objected: bool,
    parent_refused: bool,
    /// The latest day of a withdrawal or refusal that was lifted; agreement dated before it is
    /// from before the family changed its mind.
    lifted: Option<Date>,
}

/// Entries that stand, by the day of the decision and by who recorded it, with their places in
/// the ledger. Each is put in and taken out once.
#[derive(Default)]
pub(super) struct Open<'a>(BTreeMap<Date, BTreeMap<&'a OrganisationCode, Vec<Placed<'a>>>>);

pub(super) type Placed<'a> = (usize, &'a ConsentEntry);

impl<'a> Ledger<'a> {
    /// Reads the ledger once. Versions order the entries; they need not be unique or without
    /// gaps. An entry without a version (0) is about to be recorded, after all others.
    pub(super) fn new(entries: &'a [ConsentEntry], pass_on: Option<Date>, today: Date) -> Self {
        let mut ledger = Self {
            sharing: Voices::default(),
            plan: Voices::default(),
            restrictions: Restrictions::default(),
            pass_on,
            today,
        };
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|entry| (entry.version == 0, entry.version));
        let passed = ledger.has_passed();
        for placed in ordered.into_iter().enumerate() {
            match placed.1.kind {
                ConsentKind::Sharing => ledger.sharing.read(placed, passed, today),
                ConsentKind::Plan => ledger.plan.read(placed, passed, today),
            }
            ledger.restrictions.read(placed, today);
        }
        ledger
    }

    /// Whether the young person decides today (end of compulsory school age: Education Act 1996,
    /// section 8; Children and Families Act 2014, section 83).
    pub(super) fn has_passed(&self) -> bool {
        self.pass_on.is_some_and(|day| day <= self.today)
    }

    /// The restrictions that stand, for whomever.
    pub(super) fn restrictions_in_force(&self) -> Vec<schemas::record::Restriction> {
        self.restrictions.kinds().collect()
    }

    /// The decision of a kind that stands.
    pub(super) fn newest(&self, kind: ConsentKind) -> Option<&'a ConsentEntry> {
        self.of(kind).voice().newest()
    }

    /// Whether the person has decided for themselves, which prevails.
    pub(super) fn person_spoke(&self, kind: ConsentKind) -> bool {
        self.of(kind).own_spoke
    }

    fn of(&self, kind: ConsentKind) -> &Voices<'a> {
        match kind {
            ConsentKind::Sharing => &self.sharing,
            ConsentKind::Plan => &self.plan,
        }
    }

    /// Everything in the way of a release to this recipient. A decision about sharing stops the
    /// plan document too; a decision about the plan stops only the plan.
    pub(super) fn barriers(
        &self,
        kind: ConsentKind,
        recipient: &OrganisationCode,
    ) -> Vec<Barrier<'a>> {
        let about = match kind {
            ConsentKind::Sharing => vec![ConsentKind::Sharing],
            ConsentKind::Plan => vec![ConsentKind::Plan, ConsentKind::Sharing],
        };
        let decided = about.into_iter().filter_map(|kind| self.newest(kind));
        let mut found: Vec<_> = decided.filter_map(restrictions::stop).collect();
        // Lists of exclusions count whoever made them, and whatever they were about.
        let lists = [&self.sharing, &self.plan].into_iter().flat_map(Voices::lists);
        let excludes = lists.filter(|entry| entry.exclusions.contains(recipient));
        found.extend(excludes.map(restrictions::exclusion));
        found.extend(self.restrictions.for_recipient(recipient));
        found
    }
}

impl<'a> Voices<'a> {
    fn read(&mut self, placed: Placed<'a>, passed: bool, today: Date) {
        match voice_of(placed.1, passed) {
            // The person's own agreement lifts what parents said too; not the other way round.
            Some(Voice::Own) if placed.1.status == ConsentStatus::Given => {
                self.own_spoke = true;
                self.parental.lift(placed.1, today);
                self.own.read(placed, today);
            }
            Some(Voice::Own) => {
                self.own_spoke |= is_a_stop(placed.1);
                self.own.read(placed, today);
            }
            Some(Voice::Parental) => self.parental.read(placed, today),
            None if placed.1.status == ConsentStatus::Given => self.parental.read(placed, today),
            None => {
                self.own.read(placed, today);
                self.parental.read(placed, today);
            }
        }
    }

    /// The voice that prevails (`domain.md` 5.2).
    fn voice(&self) -> &History<'a> {
        if self.own_spoke { &self.own } else { &self.parental }
    }

    /// Lists of exclusions that stand. One of unknown giver is kept for both voices; while the
    /// person's own has not spoken, that of the parents says whether it was lifted.
    fn lists(&self) -> impl Iterator<Item = &'a ConsentEntry> {
        let own = self.own.lists.entries().filter(|_| self.own_spoke);
        own.chain(self.parental.lists.entries()).map(|(_, entry)| entry)
    }
}

enum Voice {
    Own,
    Parental,
}

/// Whose voice an entry is; none when nobody recorded it.
fn voice_of(entry: &ConsentEntry, passed: bool) -> Option<Voice> {
    match entry.given_by? {
        DecisionMaker::CompetentChild => Some(Voice::Own),
        DecisionMaker::YoungPerson | DecisionMaker::AlternativePerson if passed => Some(Voice::Own),
        DecisionMaker::YoungPerson
        | DecisionMaker::AlternativePerson
        | DecisionMaker::Parent
        | DecisionMaker::LocalAuthority => Some(Voice::Parental),
    }
}

fn is_a_stop(entry: &ConsentEntry) -> bool {
    matches!(entry.status, ConsentStatus::Withdrawn | ConsentStatus::Refused)
}

/// Whether it was decided by somebody with parental responsibility (Children Act 1989, section
/// 2(7); under a care order the authority shares it, section 33(3)).
fn is_parental(entry: &ConsentEntry) -> bool {
    matches!(entry.given_by, Some(DecisionMaker::Parent | DecisionMaker::LocalAuthority))
}

/// The day of a decision; where none is recorded, the London day on which it was written down.
pub(super) fn day_of(entry: &ConsentEntry) -> Date {
    entry.decided_on.unwrap_or_else(|| london_date(entry.recorded_at))
}

impl<'a> History<'a> {
    fn newest(&self) -> Option<&'a ConsentEntry> {
        self.stops.newest().or(self.given)
    }

    /// Takes the next entry into account.
    fn read(&mut self, placed: Placed<'a>, today: Date) {
        let (_, entry) = placed;
        match entry.status {
            ConsentStatus::Given => self.give(entry, today),
            ConsentStatus::Withdrawn => self.stops.add(day_of(entry), placed),
            ConsentStatus::Refused => {
                self.stops.add(day_of(entry), placed);
                self.parent_refused |= is_parental(entry);
            }
            ConsentStatus::Expired | ConsentStatus::Stale => self.lapsed = Some(entry),
            ConsentStatus::NotRecorded | ConsentStatus::Restricted | ConsentStatus::Lifted => {}
        }
        if !entry.exclusions.is_empty() {
            self.lists.add(day_of(entry), placed);
        }
    }

    /// Lifts what this agreement lifts. It counts unless something still stands, or it is dated
    /// before a withdrawal or refusal that another agreement lifted. Agreement without a date, or
    /// dated in the future, lifts nothing.
    fn give(&mut self, entry: &'a ConsentEntry, today: Date) {
        self.lift(entry, today);
        if self.stops.is_empty() && self.lifted <= entry.decided_on {
            self.given = Some(entry);
            self.objected = self.parent_refused;
            self.lapsed = None;
        }
    }

    fn lift(&mut self, entry: &'a ConsentEntry, today: Date) {
        if let Some(day) = entry.decided_on.filter(|day| *day <= today) {
            self.lifted = self.lifted.max(self.stops.lift(day, &entry.recorded_by));
            self.lists.lift(day, &entry.recorded_by);
        }
    }
}

impl<'a> Open<'a> {
    pub(super) fn add(&mut self, day: Date, placed: Placed<'a>) {
        self.0.entry(day).or_default().entry(&placed.1.recorded_by).or_default().push(placed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out what a decision of this day, recorded by this organisation, lifts: every earlier
    /// day, and the organisation's own entries of the same day. Gives the latest day lifted.
    pub(super) fn lift(&mut self, day: Date, by: &OrganisationCode) -> Option<Date> {
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

    pub(super) fn entries(&self) -> impl Iterator<Item = Placed<'a>> {
        self.0.values().flat_map(BTreeMap::values).flatten().copied()
    }

    fn newest(&self) -> Option<&'a ConsentEntry> {
        self.entries().max_by_key(|(place, _)| *place).map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests;
