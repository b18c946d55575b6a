//! What is in the way of a release: objections of the family, and restrictions on record.
//!
//! Owns what a barrier is, and the ledger's restrictions (`domain.md` 5.3 step 4): protected
//! address, third-party information, adoption, sealed items, court limits. A restriction stands
//! from the day it is recorded until it is lifted by name; it does not lapse, whatever end it
//! names, because forgetting one cannot be undone.
//!
//! Must never know what a rule makes of a barrier: `weighing` does.
//!
//! Limits: lifting lifts every earlier restriction of its kind, unless it names recipients or
//! classes; then it lifts those that name the same.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::catalogue::DataClass;
use schemas::record::{ConsentStatus, Restriction as OnRecord};

use super::ConsentEntry;
use super::ledger::{Placed, day_of};
use super::rules::{Obstacle, Rules, Share};

/// One thing that is in the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Barrier<'a> {
    /// What kind of thing.
    pub(super) obstacle: Obstacle,
    /// The rule that refuses what rests on consent.
    pub(super) rule: &'static str,
    /// What is in the way, as a clause.
    pub(super) because: &'static str,
    /// The entry that says so.
    pub(super) entry: &'a ConsentEntry,
}

/// How far a barrier reaches for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// The whole message waits for a person.
    Whole,
    /// These classes are cut; the rest may go.
    Classes(BTreeSet<DataClass>),
}

/// Restrictions that stand.
#[derive(Default)]
pub(super) struct Restrictions<'a>(Vec<Placed<'a>>);

impl<'a> Restrictions<'a> {
    pub(super) fn read(&mut self, placed: Placed<'a>, today: Date) {
        let (_, entry) = placed;
        match entry.status {
            ConsentStatus::Restricted => self.0.push(placed),
            ConsentStatus::Lifted => {
                // As with agreement: without a date, or dated in the future, it lifts nothing.
                if let Some(day) = entry.decided_on.filter(|day| *day <= today) {
                    self.0.retain(|(_, one)| !lifts(entry, day, one));
                }
            }
            ConsentStatus::Given
            | ConsentStatus::Refused
            | ConsentStatus::Withdrawn
            | ConsentStatus::NotRecorded
            | ConsentStatus::Expired
            | ConsentStatus::Stale => {}
        }
    }

    /// Of what kinds they are; one whose kind was not recorded is taken for the widest.
    pub(super) fn kinds(&self) -> impl Iterator<Item = OnRecord> {
        self.0.iter().map(|(_, entry)| entry.restriction.unwrap_or(OnRecord::Sealed))
    }

    /// Those that concern a recipient: all that name nobody, and those that name it.
    pub(super) fn for_recipient(
        &self,
        recipient: &OrganisationCode,
    ) -> impl Iterator<Item = Barrier<'a>> {
        let concerns = |entry: &ConsentEntry| {
            entry.recipients.is_empty() || entry.recipients.contains(recipient)
        };
        self.0.iter().filter(move |(_, entry)| concerns(entry)).map(|(_, entry)| on_record(entry))
    }
}

fn lifts(lifting: &ConsentEntry, day: Date, one: &ConsentEntry) -> bool {
    let own = one.recorded_by == lifting.recorded_by;
    // Who protected an address knows from whom; nobody else lifts that, on any day.
    let only_own = one.restriction == Some(OnRecord::ProtectedAddress);
    let earlier = (day_of(one) < day && (own || !only_own)) || (day_of(one) == day && own);
    let unscoped = lifting.recipients.is_empty() && lifting.classes.is_empty();
    let same = lifting.recipients == one.recipients && lifting.classes == one.classes;
    lifting.restriction.is_some()
        && lifting.restriction == one.restriction
        && earlier
        && (unscoped || same)
}

fn on_record(entry: &ConsentEntry) -> Barrier<'_> {
    let (obstacle, rule, because) = match entry.restriction {
        Some(OnRecord::ProtectedAddress) => {
            (Obstacle::ProtectedAddress, "address-protected", "the address is protected")
        }
        Some(OnRecord::ThirdParty) => (
            Obstacle::ThirdParty,
            "third-party-information",
            "it is on record that there is information about somebody else",
        ),
        Some(OnRecord::Adoption) => (
            Obstacle::Adoption,
            "adoption-information",
            "it is on record that there is information about an adoption",
        ),
        Some(OnRecord::CourtLimits) => {
            (Obstacle::CourtLimits, "court-limits", "a court has limited what may be disclosed")
        }
        // What kind of restriction it is was not recorded: taken for the widest.
        Some(OnRecord::Sealed) | None => {
            (Obstacle::Sealed, "items-sealed", "it is on record that items are sealed")
        }
    };
    Barrier { obstacle, rule, because, entry }
}

/// A decision against sharing, if it is one.
pub(super) fn stop(entry: &ConsentEntry) -> Option<Barrier<'_>> {
    let (rule, because) = match entry.status {
        ConsentStatus::Withdrawn => ("consent-withdrawn", "agreement to share was withdrawn"),
        ConsentStatus::Refused => ("consent-refused", "agreement to share was refused"),
        ConsentStatus::Given
        | ConsentStatus::NotRecorded
        | ConsentStatus::Expired
        | ConsentStatus::Stale
        | ConsentStatus::Restricted
        | ConsentStatus::Lifted => return None,
    };
    Some(Barrier { obstacle: Obstacle::Objection, rule, because, entry })
}

/// A recipient whom the family asked to be left out.
pub(super) fn exclusion(entry: &ConsentEntry) -> Barrier<'_> {
    Barrier {
        obstacle: Obstacle::Objection,
        rule: "recipient-excluded",
        because: "the family asked that this recipient be left out",
        entry,
    }
}

impl Barrier<'_> {
    /// When it was recorded; a vote before that did not weigh it.
    pub(super) fn since(&self) -> Timestamp {
        self.entry.recorded_at
    }

    /// Whether the family said it, rather than a record that protects somebody.
    pub(super) fn is_objection(&self) -> bool {
        self.obstacle == Obstacle::Objection
    }

    /// How far it reaches for a recipient: what cuts a class that the recipient cannot do without
    /// leaves nothing worth sending, and is for a person.
    pub(super) fn reach(&self, rules: &Rules, share: &Share) -> Reach {
        let Some(row) = rules.restriction(self.obstacle) else { return Reach::Whole };
        let named: BTreeSet<_> = self.entry.classes.iter().copied().collect();
        let cut = if row.narrowed_by_entry && !named.is_empty() { named } else { row.cuts.clone() };
        if cut.is_empty() || !cut.is_disjoint(&share.needs) {
            Reach::Whole
        } else {
            Reach::Classes(cut)
        }
    }
}
