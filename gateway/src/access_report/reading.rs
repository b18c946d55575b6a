//! From entries of the log to lines that an officer reads. Pure.
//!
//! Every entry becomes a line or is counted: nothing about a child is passed over in silence.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemas::catalogue::Catalogue;
use schemas::{MessageType, RecordId};
use serde::Serialize;

use super::{Counts, Question};
use crate::audit::{Entry, Event, EventKind, looked, purpose};
use crate::clock::london_time;
use crate::log_search::phrase;
use crate::queue::DeliveryId;
use crate::telemetry::name_of;

/// The lines, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// What went out, and who looked.
    pub seen: Vec<Line>,
    /// What was asked for, or would have gone, and was not given.
    pub not_given: Vec<Line>,
    /// Looks at lists that the child stood on, by who looked at which, newest first.
    pub lists: Vec<ListLine>,
    /// The same by organisation.
    pub organisations: Vec<Summary>,
    /// Entries about the child that are neither, by their kind.
    pub other_entries: Counts,
}

/// One look at or release of a record, or one that did not come about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The entry of the log.
    pub entry: u64,
    /// When, by London's clocks, for example `2026-11-27 17:27`.
    pub when: String,
    /// Whether content went out, or somebody looked at what is known about it.
    pub given: bool,
    /// What happened, in words.
    pub what: String,
    /// The type of message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<MessageType>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The classes of data that a message of this type may hold, less those that were cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The classes of data that were cut, and what cut each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cut: BTreeMap<String, String>,
    /// Who saw it or would have: the organisation's code, or `gateway`.
    pub organisation: String,
    /// Its name.
    pub organisation_name: String,
    /// The person, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How whoever acted came in, for example `mutual-tls` or `local`.
    pub method: String,
    /// The authority relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Why, in a sentence; of a look, the purpose in words, or `not said`.
    pub why: String,
    /// The purpose that whoever looked or fetched said, by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What became of a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
}

/// Looks at one list for one purpose by one person, or by one system that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListLine {
    /// What the list is, in words.
    pub what: String,
    /// Who looked: the organisation's code, or `gateway`.
    pub organisation: String,
    /// Its name.
    pub organisation_name: String,
    /// The person, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How whoever looked came in.
    pub method: String,
    /// The purpose that they said, in words, or `not said`.
    pub why: String,
    /// The same by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How often.
    pub looks: u64,
    /// When first, of those that were read.
    pub first: String,
    /// When last.
    pub last: String,
    /// The entry of the last.
    pub entry: u64,
    /// How many lines the list had at the last.
    pub lines: u64,
}

/// What an organisation was given and looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its code, or `gateway`.
    pub organisation: String,
    /// Its name.
    pub organisation_name: String,
    /// How often content went to it.
    pub given: u64,
    /// How often it looked.
    pub looks: u64,
    /// How often something was not given to it.
    pub not_given: u64,
    /// The newest of these.
    pub last: String,
}

/// What an entry is to somebody who asks who has seen a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Content went out.
    Given,
    /// Somebody looked at something about it, or had to in order to act.
    Looked,
    /// Something was not given.
    NotGiven,
    /// Book-keeping, or what an organisation said itself.
    Other,
}

/// Sorts an event. Every kind is named, so that a new one has to be thought about.
#[rustfmt::skip]
pub(crate) fn sort(event: &Event) -> Sort {
    match event.kind {
        EventKind::DeliveryCollected | EventKind::DeliveryAttempted => Sort::Given,
        EventKind::HoldDecided | EventKind::HoldAsked | EventKind::HoldAnswered
        | EventKind::HoldViewed | EventKind::HoldBroken | EventKind::ReviewClosed
        | EventKind::EvidenceMade | EventKind::DeliveryResent | EventKind::QuarantineViewed
        | EventKind::QuarantineReplayed | EventKind::ConsentViewed | EventKind::ConsentPreviewed
        | EventKind::CaseViewed | EventKind::ReconciliationViewed | EventKind::BoardViewed
        | EventKind::StandingViewed | EventKind::TransitionsViewed | EventKind::JourneyViewed
        | EventKind::AlertViewed | EventKind::AlertDecided | EventKind::RetentionViewed
        | EventKind::AuditViewed => Sort::Looked,
        EventKind::SharingDecided => decided(event),
        EventKind::DeliveryHeld | EventKind::DeliveryWithdrawn | EventKind::DeliveryFailed
        | EventKind::RecordQuarantined | EventKind::MessageRefused | EventKind::AccessRefused
        | EventKind::ConsentNotTold => Sort::NotGiven,
        EventKind::RecordAccepted | EventKind::RecordTakenBack | EventKind::DeliveryRecalled
        | EventKind::SubmissionReceived | EventKind::DeliveryDelivered
        | EventKind::DeliveryDeferred | EventKind::DeliveryUnknown
        | EventKind::DeliveryAcknowledged | EventKind::LegChanged | EventKind::ClockChanged
        | EventKind::LegReminded | EventKind::ConsentRecorded | EventKind::IdentityRecorded
        | EventKind::BackupMade | EventKind::BackupRestored | EventKind::RestoreFound
        | EventKind::RestoreConfirmed | EventKind::DocumentBegun | EventKind::DocumentStored
        | EventKind::DocumentHeld | EventKind::DocumentRefused | EventKind::DocumentAbandoned
        | EventKind::MessageRetaken | EventKind::ReconciliationMade
        | EventKind::ReconciliationAnswered | EventKind::DifferenceExplained
        | EventKind::TransitionsWorkedOut | EventKind::AlertRaised | EventKind::AlertGrown
        | EventKind::AccessSampled | EventKind::StaffListed | EventKind::RecordRemoved
        | EventKind::ContentRemoved | EventKind::DeletionCertified | EventKind::LegalHoldPlaced
        | EventKind::LegalHoldLifted | EventKind::LookUpDestroyed | EventKind::DutyDone
        | EventKind::ConnectionRefused | EventKind::TrustChanged | EventKind::SinkChanged
        | EventKind::SettingsChanged | EventKind::GatewayStarted | EventKind::GatewayStopped => Sort::Other,
    }
}

/// What was let go is a line when it goes.
fn decided(event: &Event) -> Sort {
    let outcome = event.decision.as_ref().map(|note| note.outcome.as_str());
    let goes = outcome.is_some_and(|outcome| outcome.starts_with("release"));
    if goes { Sort::Other } else { Sort::NotGiven }
}

/// Reads entries about a person, newest first, into lines. Names come by organisation code.
pub(super) fn account(
    entries: &[Entry],
    question: &Question,
    names: &dyn Fn(&str) -> String,
) -> Account {
    let known = Known::of(entries);
    let outcomes = outcomes(entries);
    let mut account = Account {
        seen: Vec::new(),
        not_given: Vec::new(),
        lists: Vec::new(),
        organisations: Vec::new(),
        other_entries: Counts::new(),
    };
    for entry in entries {
        let event = &entry.event;
        if !question.takes(entry.at()) {
            continue;
        }
        if is_list(event) {
            listed(&mut account.lists, entry, names);
            continue;
        }
        // What failed after it was tried may have arrived: the attempt is the line, with its outcome.
        let tried = event.delivery.is_some_and(|delivery| known.tried.contains(&delivery));
        let failed = event.kind == EventKind::DeliveryFailed;
        let sort = if failed && tried { Sort::Other } else { sort(event) };
        if sort == Sort::Other {
            let count = account.other_entries.entry(name_of(event.kind)).or_default();
            *count = count.saturating_add(1);
            continue;
        }
        let mut line = line(entry, sort, &known, names);
        line.outcome = outcomes.get(&entry.seq).copied();
        match sort {
            Sort::NotGiven => account.not_given.push(line),
            Sort::Given | Sort::Looked | Sort::Other => account.seen.push(line),
        }
    }
    account.organisations = summed(&account);
    account
}

/// Whether an entry is a look at a list, of which the gateway recorded who was on it.
pub(super) fn is_list(event: &Event) -> bool {
    event.detail.contains_key(looked::HASH)
}

/// Adds a look at a list to those of the same list by the same person for the same purpose.
fn listed(lists: &mut Vec<ListLine>, entry: &Entry, names: &dyn Fn(&str) -> String) {
    let event = &entry.event;
    let actor = &event.actor;
    let what = list_of(event);
    let same = lists.iter_mut().find(|list| {
        list.what == what
            && list.organisation == actor.organisation
            && (&list.person, &list.role) == (&actor.person, &actor.role)
            && list.method == actor.method
            && list.purpose.as_ref() == event.detail.get(purpose::NAME)
    });
    let when = when(entry);
    if let Some(list) = same {
        list.looks = list.looks.saturating_add(1);
        list.first = when;
        return;
    }
    let lines = LIST_LINES.iter().find_map(|name| event.detail.get(*name)?.parse().ok());
    lists.push(ListLine {
        what: what.to_owned(),
        organisation_name: names(&actor.organisation),
        organisation: actor.organisation.clone(),
        person: actor.person.clone(),
        role: actor.role.clone(),
        method: actor.method.clone(),
        why: said(event, Sort::Looked),
        purpose: event.detail.get(purpose::NAME).cloned(),
        looks: 1,
        first: when.clone(),
        last: when,
        entry: entry.seq,
        lines: lines.unwrap_or_default(),
    });
}

/// What a list is, in words.
fn list_of(event: &Event) -> &'static str {
    let held = event.detail.get("what").map(String::as_str);
    match (event.kind, held) {
        (EventKind::BoardViewed, _) if event.detail.contains_key("clocks") => {
            "the statutory clocks of cases"
        }
        (EventKind::BoardViewed, _) => "the board of who owes what",
        (EventKind::TransitionsViewed, _) => "cases on the way to adulthood",
        (EventKind::HoldViewed, Some("questions")) => "questions about what is held",
        (EventKind::HoldViewed, Some("reviews")) => "releases in an emergency",
        (EventKind::HoldViewed, _) => "what is held",
        (EventKind::ReconciliationViewed, _) => "what passed on a day",
        (_, _) => "a list",
    }
}

/// The details that say how many lines a list had.
const LIST_LINES: [&str; 3] = ["rows", "clocks", "cases"];

/// When an entry was made, by London's clocks.
fn when(entry: &Entry) -> String {
    london_time(entry.at()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// What entries say of records and deliveries that other entries only name.
struct Known<'a> {
    types: HashMap<RecordId, MessageType>,
    deliveries: HashMap<DeliveryId, RecordId>,
    /// The deliveries that were pushed at least once.
    tried: HashSet<DeliveryId>,
    /// The newest reason of a delivery.
    reasons: HashMap<DeliveryId, &'a Entry>,
}

impl<'a> Known<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let (mut types, mut deliveries) = (HashMap::new(), HashMap::new());
        let (mut reasons, mut tried) = (HashMap::new(), HashSet::new());
        for entry in entries {
            let event = &entry.event;
            if let (Some(record), Some(kind)) = (event.record, event.message_type) {
                types.insert(record, kind);
            }
            if let (Some(delivery), Some(record)) = (event.delivery, event.record) {
                deliveries.insert(delivery, record);
            }
            if event.kind == EventKind::DeliveryAttempted {
                tried.extend(event.delivery);
            }
            if let (Some(delivery), Some(_)) = (event.delivery, &event.decision) {
                reasons.entry(delivery).or_insert(entry);
            }
        }
        Self { types, deliveries, tried, reasons }
    }

    fn record(&self, event: &Event) -> Option<RecordId> {
        event.record.or_else(|| self.deliveries.get(&event.delivery?).copied())
    }

    fn kind(&self, event: &Event) -> Option<MessageType> {
        event.message_type.or_else(|| self.types.get(&self.record(event)?).copied())
    }
}

fn line(entry: &Entry, sort: Sort, known: &Known<'_>, names: &dyn Fn(&str) -> String) -> Line {
    let event = &entry.event;
    let kind = known.kind(event);
    let organisation = whose(event, sort);
    let given = sort == Sort::Given;
    // A push carries its own reason; what was stopped or tried again was decided before.
    let decision = event.decision.as_ref().or_else(|| {
        let told = given || event.kind == EventKind::DeliveryFailed;
        let before = event.delivery.filter(|_| told).and_then(|id| known.reasons.get(&id));
        before.and_then(|entry| entry.event.decision.as_ref())
    });
    let cut = decision.map(|note| note.cut.clone()).unwrap_or_default();
    let stated = decision.map(|note| match &note.reference {
        Some(reference) if !note.reason.contains(reference.as_str()) => {
            format!("{} ({reference})", note.reason)
        }
        Some(_) | None => note.reason.clone(),
    });
    Line {
        entry: entry.seq,
        when: when(entry),
        given,
        what: words(event, kind),
        message_type: kind,
        record: known.record(event),
        classes: if given { classes(kind, &cut) } else { Vec::new() },
        cut,
        organisation_name: names(&organisation),
        organisation,
        person: event.actor.person.clone(),
        role: event.actor.role.clone(),
        method: event.actor.method.clone(),
        authority: decision.and_then(|note| note.authority.clone()),
        why: stated.map_or_else(|| said(event, sort), |stated| with_purpose(stated, event)),
        purpose: event.detail.get(purpose::NAME).cloned(),
        outcome: None,
    }
}

/// Who saw it or would have: for what goes out, whoever receives it; for a look, whoever looked.
pub(super) fn whose(event: &Event, sort: Sort) -> String {
    let receives = matches!(sort, Sort::Given | Sort::NotGiven);
    match &event.counterparty {
        Some(recipient) if receives => recipient.to_string(),
        Some(_) | None => event.actor.organisation.clone(),
    }
}

/// Why, where no decision says it.
fn said(event: &Event, sort: Sort) -> String {
    let silent = if sort == Sort::Looked { NOT_SAID } else { "no reason is recorded" };
    said_code(event).unwrap_or_else(|| silent.to_owned())
}

/// The code that somebody gave, or their purpose.
fn said_code(event: &Event) -> Option<String> {
    let names = ["reason", "ground", "rule", "how", "question", "answer"];
    let code = names.into_iter().find_map(|name| Some((name, event.detail.get(name)?)));
    match code {
        Some((name, code)) => Some(with_purpose(format!("{name}: {code}"), event)),
        None => purpose::said_in(event),
    }
}

/// What decided, with the purpose of whoever fetched it where they said one.
fn with_purpose(decided: String, event: &Event) -> String {
    match purpose::said_in(event) {
        Some(purpose) => format!("{decided}; purpose: {purpose}"),
        None => decided,
    }
}

/// The purpose of a look of which none was said.
const NOT_SAID: &str = "not said";

/// The catalogue's words for a type of message.
pub(super) fn title(kind: MessageType) -> String {
    let entry = Catalogue::built_in().find(kind.as_str());
    entry.map_or_else(|| kind.as_str().to_owned(), |entry| entry.title.clone())
}

fn classes(kind: Option<MessageType>, cut: &BTreeMap<String, String>) -> Vec<String> {
    let entry = kind.and_then(|kind| Catalogue::built_in().find(kind.as_str()));
    let classes = entry.map(|entry| entry.data_classes.iter().map(|class| name_of(*class)));
    classes.into_iter().flatten().filter(|class| !cut.contains_key(class)).collect()
}

/// What an entry says, in words: what happened, to which message.
pub(crate) fn words(event: &Event, kind: Option<MessageType>) -> String {
    let phrase = phrase(event);
    let names_one = event.record.is_some() || event.delivery.is_some() || kind.is_some();
    if !names_one {
        return phrase.trim_end_matches([':', ' ']).to_owned();
    }
    let message = kind.map_or_else(
        || "a message".to_owned(),
        |kind| format!("\"{}\" ({})", title(kind), kind.as_str()),
    );
    let document = event.detail.get("number").map(|number| format!("document {number} of "));
    let between = if phrase.ends_with(' ') { "" } else { ": " };
    format!("{phrase}{between}{}{message}", document.unwrap_or_default())
}

/// Why, as far as an entry says it: what was decided, and the code or purpose that somebody gave.
pub(crate) fn why(event: &Event) -> String {
    let decided = event.decision.as_ref().map(|note| note.reason.clone());
    decided
        .map_or_else(|| said_code(event).unwrap_or_default(), |reason| with_purpose(reason, event))
}

/// What became of each attempt to push, by its place in the log; entries come newest first.
pub(super) fn outcomes(entries: &[Entry]) -> HashMap<u64, &'static str> {
    let mut became: HashMap<DeliveryId, &'static str> = HashMap::new();
    let mut outcomes = HashMap::new();
    for entry in entries {
        let Some(delivery) = entry.event.delivery else { continue };
        let said = OUTCOMES.iter().find(|(kind, _)| *kind == entry.event.kind);
        if let Some((_, words)) = said {
            became.insert(delivery, words);
        }
        if entry.event.kind == EventKind::DeliveryAttempted {
            // Taken away: the outcome of an earlier attempt is its own.
            outcomes.insert(entry.seq, became.remove(&delivery).unwrap_or(NO_OUTCOME));
        }
    }
    outcomes
}

/// The outcome of a push that its recipient took.
pub(super) const ARRIVED: &str = "arrived";

/// The outcome of a push of which nothing more is recorded.
const NO_OUTCOME: &str = "no answer is recorded: it may have arrived";

/// What an entry says became of the attempt before it. What was tried again may have arrived: some
/// recipients are sent a second copy because they can tell.
const OUTCOMES: [(EventKind, &str); 4] = [
    (EventKind::DeliveryDelivered, ARRIVED),
    (EventKind::DeliveryDeferred, "not known to have arrived; tried again"),
    (EventKind::DeliveryFailed, "refused by the recipient's system, or given up"),
    (EventKind::DeliveryUnknown, "may or may not have arrived"),
];

fn summed(account: &Account) -> Vec<Summary> {
    let mut by: BTreeMap<&str, Summary> = BTreeMap::new();
    let of_nothing = |organisation: &str, organisation_name: &str| Summary {
        organisation: organisation.to_owned(),
        organisation_name: organisation_name.to_owned(),
        given: 0,
        looks: 0,
        not_given: 0,
        last: String::new(),
    };
    for list in &account.lists {
        let summary = by
            .entry(&list.organisation)
            .or_insert_with(|| of_nothing(&list.organisation, &list.organisation_name));
        summary.looks = summary.looks.saturating_add(list.looks);
        if list.last > summary.last {
            summary.last.clone_from(&list.last);
        }
    }
    let seen = account.seen.iter().map(|line| (line, true));
    for (line, seen) in seen.chain(account.not_given.iter().map(|line| (line, false))) {
        let summary = by
            .entry(&line.organisation)
            .or_insert_with(|| of_nothing(&line.organisation, &line.organisation_name));
        let count = match (seen, line.given) {
            (true, true) => &mut summary.given,
            (true, false) => &mut summary.looks,
            (false, _) => &mut summary.not_given,
        };
        *count = count.saturating_add(1);
        if line.when > summary.last {
            summary.last.clone_from(&line.when);
        }
    }
    by.into_values().collect()
}
