//! Is it odd? Pure: an entry of the log, what is known around it, and the rules.
//!
//! Must never know the store, the clock or a name.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemas::deadlines::BankHolidays;
use schemas::{MessageType, OrganisationCode};
use uuid::Uuid;

use super::rules::{Of, Rule, Rules, Test};
use crate::access_report::{Sort, sort};
use crate::audit::looked::PEOPLE;
use crate::audit::{Entry, Event, EventKind, SubjectKey};
use crate::clock::london_date;
use crate::queue::DeliveryId;

/// What an entry is to the watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The entry's place in the log.
    pub seq: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// Who acted.
    pub by: Acting,
    /// A look at somebody's record, or a record that was given out.
    pub access: Option<Access>,
    /// Something that is about to go to somebody.
    pub sharing: Option<Sharing>,
    /// Something that stood in the way was set aside.
    pub setting_aside: Option<SettingAside>,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// The organisation, or `gateway` at the machine's own prompt.
    pub organisation: String,
    /// The person, as that organisation's pseudonym; nobody for a system, or at the prompt, where no
    /// organisation vouches.
    pub person: Option<String>,
    /// Whether it was typed at the machine's own prompt.
    pub at_the_prompt: bool,
    /// The login there, where it is known.
    pub login: Option<String>,
}

/// An access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Whose record was opened or given out, when it was one person's: their pseudonym, or the alias
    /// when nobody knows any more whose it is.
    pub opened: Option<SubjectKey>,
    /// What stands for that person in the leaf. Whatever is kept of them longer than for a count is made
    /// of this, so that it tells nobody anything once the look-up is destroyed.
    pub alias: Option<SubjectKey>,
    /// How many people were on a list; 0 where nobody knows whom it is about.
    pub listed: u64,
}

/// A message that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// To whom.
    pub to: OrganisationCode,
    /// What.
    pub kind: MessageType,
}

/// A decision of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingAside {
    /// About which delivery.
    pub delivery: Option<DeliveryId>,
    /// The reason of a vote; none for an emergency.
    pub reason: Option<String>,
    /// The review of an emergency.
    pub review: Option<Uuid>,
}

/// A look before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// At whose record, when it was one.
    pub opened: Option<SubjectKey>,
    /// How many people were on a list.
    pub listed: u64,
}

/// What is known around an entry.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// Bank holidays.
    pub holidays: &'a BankHolidays,
    /// What the same person looked at before.
    pub of_person: &'a [Look],
    /// What the same organisation looked at before, whoever acted.
    pub of_organisation: &'a [Look],
    /// The restrictions in force about whoever's record was opened.
    pub restrictions: BTreeSet<String>,
    /// How many of the organisation's staff have the family name that the person who looks has in
    /// common with whose record it is; none when they have none in common. The rarest counts.
    pub surname_shared_by: Option<u64>,
    /// Whether both live at one postcode.
    pub same_postcode: bool,
    /// What is known of the way that a message goes.
    pub way: Way,
}

/// What is known of the way that a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Since when it is known what goes where.
    pub known_since: Timestamp,
    /// When this type last went this way.
    pub last_sent: Option<Timestamp>,
    /// When anything last came back.
    pub last_back: Option<Timestamp>,
    /// Whether the routing table names the recipient.
    pub routed: bool,
}

/// Something odd, by one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What more of the same has in common with it. Holds pseudonyms: to be hashed, never written.
    pub likeness: String,
}

/// What an entry is to the watch; `None` for what the gateway does by itself, and for whatever
/// touches nobody's record. `whose` is what the look-up has of whom it is about: a leaf only names an
/// alias, under which the store knows nobody.
pub fn observe(entry: &Entry, whose: Option<SubjectKey>) -> Option<Observation> {
    let event = &entry.event;
    let actor = &event.actor;
    if actor.method == "gateway" {
        return None;
    }
    let at_the_prompt = actor.is_at_the_prompt();
    let seen = Observation {
        seq: entry.seq,
        at: Timestamp::from_microsecond(entry.at_us).ok()?,
        by: Acting {
            organisation: actor.organisation.clone(),
            person: actor.person.clone().filter(|_| !at_the_prompt),
            at_the_prompt,
            login: actor.person.clone().filter(|_| at_the_prompt),
        },
        access: access(event, whose),
        sharing: sharing(event),
        setting_aside: setting_aside(event),
    };
    let anything = seen.access.is_some() || seen.sharing.is_some() || seen.setting_aside.is_some();
    anything.then_some(seen)
}

fn access(event: &Event, whose: Option<SubjectKey>) -> Option<Access> {
    // Who asks about somebody in vain looks for them all the same.
    let in_vain = event.kind == EventKind::ConsentNotTold;
    if !in_vain && !matches!(sort(event), Sort::Given | Sort::Looked) {
        return None;
    }
    if let Some(alias) = event.subject {
        return Some(Access {
            opened: Some(whose.unwrap_or(alias)),
            alias: Some(alias),
            listed: 0,
        });
    }
    let number = |name: &str| event.detail.get(name).and_then(|n| n.parse::<u64>().ok());
    let people = number(PEOPLE);
    // Lines are not people: what is kept, a month's figures and alerts have lines, too.
    let at_people = people.is_some() || ABOUT_SOMEBODY.contains(&event.kind);
    let is_empty = LINES.iter().any(|name| number(name) == Some(0));
    let listed = people.unwrap_or(0);
    (at_people && !is_empty).then_some(Access { opened: None, alias: None, listed })
}

/// Whether an observation is an access by a person: what samples are drawn from.
pub fn is_by_a_person(seen: &Observation) -> bool {
    seen.access.is_some() && seen.by.counted_as().is_some()
}

fn sharing(event: &Event) -> Option<Sharing> {
    let goes = event.decision.as_ref().is_some_and(|note| note.outcome.starts_with("release"));
    (event.kind == EventKind::SharingDecided && goes)
        .then(|| Some(Sharing { to: event.counterparty.clone()?, kind: event.message_type? }))?
}

fn setting_aside(event: &Event) -> Option<SettingAside> {
    let said = |name: &str| event.detail.get(name).map(String::as_str);
    let voted = event.kind == EventKind::HoldDecided && said("decision") == Some("release");
    let broken = event.kind == EventKind::HoldBroken;
    (voted || broken).then(|| SettingAside {
        delivery: event.delivery,
        reason: said("reason").filter(|_| voted).map(str::to_owned),
        review: said("review").and_then(|id| Uuid::try_parse(id).ok()),
    })
}

/// Everything that is odd about what was observed.
pub fn judge<'a>(rules: &'a Rules, around: &Around<'_>, seen: &Observation) -> Vec<Odd<'a>> {
    if london_date(seen.at) < rules.from {
        return Vec::new();
    }
    let judged = rules.rules.iter().filter_map(|rule| {
        let likeness = match &rule.test {
            Test::Override { grounds, emergencies } => set_aside((grounds, *emergencies), seen),
            Test::OutOfHours => out_of_hours(rules, around, seen),
            Test::Bulk { of, within, people, listed } => {
                bulk((*of, *within), (*people, *listed), around, seen)
            }
            Test::Rate { of, within, looks } => rate((*of, *within), *looks, around, seen),
            Test::UnusualRecipient { unseen, settle } => {
                unusual_recipient((*unseen, *settle), &around.way, seen)
            }
            Test::Restricted(kinds) => {
                opened_by_a_person(seen).filter(|_| !kinds.is_disjoint(&around.restrictions))
            }
            Test::OwnSurname { shared_by_at_most } => opened_by_a_person(seen).filter(|_| {
                let shared = around.surname_shared_by;
                shared.is_some_and(|n| n <= *shared_by_at_most || around.same_postcode)
            }),
            Test::OwnPostcode => opened_by_a_person(seen).filter(|_| around.same_postcode),
        };
        likeness.map(|likeness| Odd { rule, likeness })
    });
    judged.collect()
}

impl Acting {
    /// The person whose accesses are counted together: a name, a login, or whoever sits at the prompt.
    pub fn counted_as(&self) -> Option<&str> {
        let prompt = self.at_the_prompt.then_some(AT_THE_PROMPT);
        self.person.as_deref().or(self.login.as_deref()).or(prompt)
    }

    fn as_text(&self) -> String {
        format!("{} {}", self.organisation, self.counted_as().unwrap_or("-"))
    }
}

fn set_aside(
    (grounds, emergencies): (&BTreeSet<String>, bool),
    seen: &Observation,
) -> Option<String> {
    let decision = seen.setting_aside.as_ref()?;
    let counts = match &decision.reason {
        Some(reason) => grounds.contains(reason),
        None => emergencies,
    };
    // Both votes on one delivery are one alert; every emergency is one of its own.
    let what = decision.review.or(decision.delivery.map(|id| id.0));
    counts.then(|| what.map_or_else(|| seen.seq.to_string(), |id| id.to_string()))
}

fn out_of_hours(rules: &Rules, around: &Around<'_>, seen: &Observation) -> Option<String> {
    seen.access.as_ref()?;
    seen.by.counted_as()?;
    (!rules.hours.are_open(seen.at, around.holidays)).then(|| seen.by.as_text())
}

/// What counts together with an access, itself not among it, and by what name.
fn together<'a>(
    (of, within): (Of, SignedDuration),
    around: &'a Around<'_>,
    seen: &Observation,
) -> Option<(impl Iterator<Item = &'a Look>, String)> {
    let (looks, name) = match of {
        Of::Person => {
            seen.by.counted_as()?;
            (around.of_person, seen.by.as_text())
        }
        Of::Organisation => (around.of_organisation, seen.by.organisation.clone()),
    };
    let since = seen.at.checked_sub(within).unwrap_or(Timestamp::MIN);
    Some((looks.iter().filter(move |look| look.at > since), name))
}

fn bulk(
    which: (Of, SignedDuration),
    (people, listed): (u64, u64),
    around: &Around<'_>,
    seen: &Observation,
) -> Option<String> {
    let access = seen.access.as_ref()?;
    let (looks, name) = together(which, around, seen)?;
    let mut opened = BTreeSet::from_iter(access.opened);
    // The same list again shows the same people: the longest counts, once.
    let mut longest = access.listed;
    for look in looks {
        opened.extend(look.opened);
        longest = longest.max(look.listed);
    }
    let opened = u64::try_from(opened.len()).unwrap_or(u64::MAX);
    (opened >= people || opened.saturating_add(longest) >= listed).then_some(name)
}

fn rate(
    which: (Of, SignedDuration),
    looks: u64,
    around: &Around<'_>,
    seen: &Observation,
) -> Option<String> {
    seen.access.as_ref()?;
    let (before, name) = together(which, around, seen)?;
    let count = u64::try_from(before.count()).unwrap_or(u64::MAX);
    (count.saturating_add(1) >= looks).then_some(name)
}

fn unusual_recipient(
    (unseen, settle): (SignedDuration, SignedDuration),
    way: &Way,
    seen: &Observation,
) -> Option<String> {
    let sharing = seen.sharing.as_ref()?;
    let lately =
        |last: Option<Timestamp>| last.is_some_and(|last| seen.at.duration_since(last) < unseen);
    let settled = seen.at.duration_since(way.known_since) >= settle;
    let usual = way.routed || lately(way.last_sent) || lately(way.last_back);
    let Sharing { to, kind } = sharing;
    (settled && !usual).then(|| format!("{} {to} {}", seen.by.organisation, kind.as_str()))
}

/// For rules about one person's record that somebody opened: who, and whose.
fn opened_by_a_person(seen: &Observation) -> Option<String> {
    let alias = seen.access.as_ref()?.alias?;
    seen.by.counted_as()?;
    Some(format!("{} {}", seen.by.as_text(), alias.to_hex()))
}

/// The kinds of entry that can be an access: what somebody is given or looks at.
pub const ACCESSES: [EventKind; 24] = [
    EventKind::DeliveryCollected,
    EventKind::DeliveryAttempted,
    EventKind::DeliveryResent,
    EventKind::JourneyViewed,
    EventKind::CaseViewed,
    EventKind::BoardViewed,
    EventKind::StandingViewed,
    EventKind::TransitionsViewed,
    EventKind::ConsentViewed,
    EventKind::ConsentPreviewed,
    EventKind::HoldViewed,
    EventKind::HoldDecided,
    EventKind::HoldAsked,
    EventKind::HoldAnswered,
    EventKind::HoldBroken,
    EventKind::ReviewClosed,
    EventKind::EvidenceMade,
    EventKind::QuarantineViewed,
    EventKind::QuarantineReplayed,
    EventKind::ReconciliationViewed,
    EventKind::AlertViewed,
    EventKind::AlertDecided,
    EventKind::RetentionViewed,
    EventKind::AuditViewed,
];

/// Looks at somebody, even where it is not known at whom.
const ABOUT_SOMEBODY: [EventKind; 8] = [
    EventKind::DeliveryCollected,
    EventKind::JourneyViewed,
    EventKind::EvidenceMade,
    EventKind::CaseViewed,
    EventKind::ConsentViewed,
    EventKind::ConsentNotTold,
    EventKind::QuarantineViewed,
    EventKind::QuarantineReplayed,
];
/// The details that say how many lines a list had.
const LINES: [&str; 3] = ["rows", "clocks", "cases"];
/// How whoever sits at the machine's own prompt is counted where no login is known.
const AT_THE_PROMPT: &str = "local";
