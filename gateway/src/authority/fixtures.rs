//! What the tests of this module share: a rule book, a question and ledger entries.

use std::sync::LazyLock;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use schemas::record::{ConsentStatus, DecisionMaker, Restriction};
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::{Agreements, Basis, ConsentEntry, Evidence, Override, Question, RuleBook, Rules};

pub(super) const AGREEMENTS: &str = include_str!("../../config/agreements.example.toml");
pub(super) const RULES: &str = include_str!("../../rules/authority-1.toml");

pub(super) fn book() -> RuleBook {
    static BOOK: LazyLock<RuleBook> = LazyLock::new(|| book_of(AGREEMENTS, RULES));
    BOOK.clone()
}

pub(super) fn book_of(agreements: &str, rules: &str) -> RuleBook {
    RuleBook {
        agreements: Agreements::parse(agreements).unwrap(),
        rules: Rules::parse(rules).unwrap(),
    }
}

/// The rules with Children Act 2004, section 16LA, switched on from 30 September 2026; its test is
/// done by people.
pub(super) fn book_with_16la() -> RuleBook {
    book_of(AGREEMENTS, &RULES.replace("enabled = false", "enabled = true"))
}

/// The same, with the test done on what is on record.
pub(super) fn book_with_16la_on_record() -> RuleBook {
    let rules = RULES.replace("enabled = false", "enabled = true");
    let (by_people, on_record) =
        ("\ndetriment_test = \"by-a-person\"", "\ndetriment_test = \"on-record\"");
    book_of(AGREEMENTS, &rules.replace(by_people, on_record))
}

pub(super) fn org(code: &str) -> OrganisationCode {
    OrganisationCode::parse(code).unwrap()
}

pub(super) fn service(code: &str) -> ServiceCode {
    ServiceCode::parse(code).unwrap()
}

pub(super) fn today() -> Date {
    date(2026, 3, 2)
}

pub(super) fn now() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

pub(super) fn ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

pub(super) fn question(kind: MessageType, sender: &str, recipient: &str) -> Question {
    Question {
        record: RecordId(Uuid::from_u128(7)),
        kind,
        sender: org(sender),
        recipient: org(recipient),
        service: None,
        subject: None,
        decisions_pass_on: None,
    }
}

/// A statutory question: the council asks a trust for advice.
pub(super) fn request() -> Question {
    question(MessageType::AdviceRequest, "334", "RYW")
}

/// A question that rests on consent: a trust sends a transition plan to the council.
pub(super) fn transition() -> Question {
    question(MessageType::TransitionHealthPlan, "RYW", "334")
}

pub(super) fn entry(version: u32, status: ConsentStatus) -> ConsentEntry {
    ConsentEntry {
        version,
        given_by: Some(DecisionMaker::Parent),
        decided_on: Some(date(2026, 1, 5)),
        ..ConsentEntry::bare(status, RecordId(Uuid::nil()), org("334"), ago(48))
    }
}

pub(super) fn given() -> ConsentEntry {
    entry(1, ConsentStatus::Given)
}

/// An entry that begins a restriction.
pub(super) fn restricted(version: u32, restriction: Restriction) -> ConsentEntry {
    ConsentEntry { restriction: Some(restriction), ..entry(version, ConsentStatus::Restricted) }
}

/// A vote that confirms the rule's own duty.
pub(super) fn vote(person: &str, at: Timestamp) -> Override {
    claim(person, Basis::Statute, at)
}

/// A vote on a ground.
pub(super) fn claim(person: &str, basis: Basis, at: Timestamp) -> Override {
    Override { person: person.to_owned(), organisation: org("334"), basis, at }
}

/// Two people's claim on the same ground, with the matter on record.
pub(super) fn both_claim(basis: Basis) -> [Override; 2] {
    [claim("p1", basis, ago(1)), claim("p2", basis, now())]
}

pub(super) fn evidence(consents: &[ConsentEntry], overrides: &[Override]) -> Evidence {
    Evidence { consents: consents.to_vec(), overrides: overrides.to_vec(), emergency: None }
}
