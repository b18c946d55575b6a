//! The version that may be given to a family. Pure. What is left out, and why, is said in the
//! module above; whatever is not known to be safe is left out.
//!
//! A look is told only where what may be told lets its organisation look: else a look at the case would
//! tell of an organisation whose message must not be told.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemas::{MessageType, RecordId};
use serde::Serialize;

use super::reading::{ARRIVED, Sort, outcomes, sort, title, whose};
use super::{Question, Report};
use crate::audit::{Actor, Entry, Event, EventKind};
use crate::clock::london_date;
use crate::queue::DeliveryId;

/// One line for a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FamilyLine {
    /// On which day.
    pub on: Date,
    /// Which organisation, by name.
    pub organisation: String,
    /// What it was given, or looked at.
    pub what: String,
    /// Why.
    pub why: &'static str,
}

/// Why no version for a family is made by machine. For the officer only: it is not to be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// A restriction is or was recorded.
    #[error(
        "a restriction on sharing is or was recorded about this person; a named person must write the answer to the family, with the Caldicott guardian. Do not tell the family of this message"
    )]
    Restricted,
    /// Not all entries were read.
    #[error("there are more entries about this person than are read at once; ask for an export")]
    TooLong,
    /// Of some years it cannot be told any more whom the entries are about.
    #[error(
        "the look-up of a year of these days was destroyed: what was given about this person in it, and any warning, cannot be found any more; ask from a later day on, or have a named person write the answer and say so in it"
    )]
    LookUpDestroyed,
}

/// Why no lines are made of a report at all. A restriction goes before everything else: whoever is
/// told another reason might go on without a person.
pub(super) fn refusal(report: &Report, restricted: bool) -> Option<Unsafe> {
    if restricted || report.entries.iter().any(warned) {
        Some(Unsafe::Restricted)
    } else if !report.look_ups_destroyed.is_empty() {
        Some(Unsafe::LookUpDestroyed)
    } else {
        report.older_left_out.then_some(Unsafe::TooLong)
    }
}

/// Whether an entry is of a warning about an address. Who says that an address is not safe need not
/// have recorded a restriction.
fn warned(entry: &Entry) -> bool {
    entry.event.message_type == Some(MessageType::PersonAddressSafe)
}

/// The lines, newest first; or why a person must write them. Whether an organisation is a local
/// authority comes by its code.
pub(super) fn lines(
    entries: &[Entry],
    question: &Question,
    names: &dyn Fn(&str) -> String,
    is_authority: &dyn Fn(&str) -> bool,
) -> Result<Vec<FamilyLine>, Unsafe> {
    if entries.iter().any(warned) {
        return Err(Unsafe::Restricted);
    }
    let broken: BTreeSet<DeliveryId> = entries
        .iter()
        .filter(|entry| entry.event.kind == EventKind::HoldBroken)
        .filter_map(|entry| entry.event.delivery)
        .collect();
    let own = |entry: &&Entry| entry.event.subject == Some(question.subject);
    let given: Vec<&Entry> =
        entries.iter().filter(own).filter(|entry| may_be_told(&entry.event, &broken)).collect();
    let outcomes = outcomes(entries);
    let arrived = |entry: &Entry| outcomes.get(&entry.seq).is_none_or(|said| *said == ARRIVED);
    let taken: BTreeSet<DeliveryId> = given
        .iter()
        .filter(|entry| arrived(entry))
        .filter_map(|entry| entry.event.delivery)
        .collect();
    let told = Told::of(&given, entries.iter().filter(own), is_authority);
    let mut lines = Vec::new();
    for entry in entries.iter().filter(own).filter(|entry| question.takes(entry.at())) {
        let event = &entry.event;
        let said = if given.iter().any(|given| given.seq == entry.seq) {
            // Of what was tried again and then taken, the attempts before are no news.
            let again = event.delivery.is_some_and(|delivery| taken.contains(&delivery));
            let arrived = arrived(entry);
            disclosed(event)
                .filter(|_| arrived || !again)
                .map(|(title, why)| (format!("{}{title}", if arrived { GIVEN } else { SENT }), why))
        } else {
            told.look(event).map(|what| (what.to_owned(), LOOK))
        };
        let Some((what, why)) = said else { continue };
        let line = FamilyLine {
            on: london_date(entry.at()),
            organisation: names(&whose(event, sort(event))),
            what,
            why,
        };
        // A document that was fetched in pieces is one event to a family.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Whether a release may be told: its kind of message and its ground both may.
fn may_be_told(event: &Event, broken: &BTreeSet<DeliveryId>) -> bool {
    let in_emergency = event.delivery.is_some_and(|delivery| broken.contains(&delivery));
    sort(event) == Sort::Given && !in_emergency && disclosed(event).is_some()
}

/// The title of what was released and why, where both may be told.
fn disclosed(event: &Event) -> Option<(String, &'static str)> {
    let kind = event.message_type?;
    let told = TOLD.iter().any(|family| kind.as_str().starts_with(family));
    let authority = event.decision.as_ref()?.authority.as_deref()?;
    let (_, why) = GROUNDS.iter().find(|(ground, _)| told && *ground == authority)?;
    Some((title(kind), why))
}

/// Before the title of what arrived, or was fetched.
const GIVEN: &str = "was given: ";

/// Before the title of what was sent and is not known to have arrived.
const SENT: &str = "was sent, and may have received: ";

/// What the releases that may be told say of who may look.
#[derive(Debug, Default)]
struct Told {
    /// The deliveries and legs.
    deliveries: BTreeSet<DeliveryId>,
    /// Who was given which record, or sent it.
    parties: BTreeSet<(String, RecordId)>,
    /// The organisations that the list names, and the authorities that sent what it names.
    organisations: BTreeSet<String>,
    /// Authorities that sent some of it: they may read the ledger.
    authorities: BTreeSet<String>,
    /// Who was given or sent something about the way to adulthood.
    on_the_way: BTreeSet<String>,
}

impl Told {
    /// Of the releases that may be told, out of all entries about the child.
    fn of<'a>(
        given: &[&Entry],
        own: impl Iterator<Item = &'a Entry>,
        is_authority: &dyn Fn(&str) -> bool,
    ) -> Self {
        let mut told = Self::default();
        let mut of_way = BTreeSet::new();
        for event in given.iter().map(|entry| &entry.event) {
            let recipient = whose(event, Sort::Given);
            told.deliveries.extend(event.delivery);
            told.organisations.insert(recipient.clone());
            if let Some(record) = event.record {
                told.parties.insert((recipient.clone(), record));
            }
            if event.message_type.is_some_and(is_on_the_way) {
                of_way.extend(event.record);
                told.on_the_way.insert(recipient);
            }
        }
        let records: BTreeSet<RecordId> = told.parties.iter().map(|(_, record)| *record).collect();
        for entry in own.filter(|entry| entry.event.kind == EventKind::RecordAccepted) {
            let sender = &entry.event.actor.organisation;
            let Some(record) = entry.event.record.filter(|record| records.contains(record)) else {
                continue;
            };
            told.parties.insert((sender.clone(), record));
            if is_authority(sender) {
                told.organisations.insert(sender.clone());
                told.authorities.insert(sender.clone());
            }
            if of_way.contains(&record) {
                told.on_the_way.insert(sender.clone());
            }
        }
        told
    }

    /// What a look was at, where it tells of nothing but what may be told. The gateway's own people see
    /// everything: of them only what there is to see is told.
    fn look(&self, event: &Event) -> Option<&'static str> {
        let who = &event.actor.organisation;
        let own = *who == Actor::gateway().organisation;
        let named = self.organisations.contains(who);
        let any = own && !self.organisations.is_empty();
        let party = |record: RecordId| {
            let of = |(one, at): &(String, RecordId)| *at == record && (own || one == who);
            (named || own) && self.parties.iter().any(of)
        };
        let of_delivery = event.delivery.is_some_and(|one| self.deliveries.contains(&one));
        let reads_ledger = any || self.authorities.contains(who);
        let of_way =
            (own && !self.on_the_way.is_empty()) || (named && self.on_the_way.contains(who));
        if event.kind == EventKind::JourneyViewed && event.record.is_some_and(party) {
            Some("looked at when a message was sent and to whom")
        } else if event.kind == EventKind::EvidenceMade
            && of_delivery
            && event.record.is_some_and(party)
        {
            Some("made a record of when advice was asked for and given")
        } else if event.kind == EventKind::ConsentViewed && event.record.is_none() && reads_ledger {
            Some("read what is recorded of agreement to share")
        } else if event.kind == EventKind::CaseViewed && (named || any) {
            Some("looked at the list of messages of the case")
        } else if event.kind == EventKind::TransitionsViewed && of_way {
            Some("looked at the preparation for adulthood")
        } else if event.kind == EventKind::AuditViewed && (named || own) {
            Some("looked at the record of who has seen what")
        } else {
            None
        }
    }
}

/// Whether a message is itself about the way to adulthood: what such a look is at may tell of others.
fn is_on_the_way(kind: MessageType) -> bool {
    ON_THE_WAY.iter().any(|family| kind.as_str().starts_with(family))
}

/// The types of message about the way to adulthood, by how their names begin.
const ON_THE_WAY: [&str; 4] = ["transition.", "careact58.", "chc.", "cyp_cc."];

/// The types of message that may be told, by how their names begin. Not: agreement, identity and
/// safety, safeguarding, acknowledgements and recalls.
const TOLD: [&str; 11] = [
    "s23.",
    "ehcna.",
    "advice.",
    "plan.",
    "review.",
    "rcb.",
    "transition.",
    "careact58.",
    "chc.",
    "cyp_cc.",
    "tribunal.",
];

/// The authorities that may be told, in words. Not: overrides, best interests, court orders.
const GROUNDS: [(&str, &str); 3] = [
    ("statute", "The law about special educational needs asks for this or allows it."),
    ("consent", "Agreement to share was given."),
    ("direct-care-implied", "It is part of giving care."),
];

/// Why somebody looked is not told: were some purposes told and others not, those would be known by it.
const LOOK: &str = "A member of staff looked. This list does not say why; you may ask.";
