//! What the tests of this module share: a rule book, a question and ledger entries.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::{Agreements, ConsentEntry, Evidence, Override, Question, RuleBook, Rules};

pub(super) const AGREEMENTS: &str = include_str!("../../config/agreements.example.toml");
pub(super) const RULES: &str = include_str!("../../rules/authority-1.toml");

pub(super) fn book() -> RuleBook {
    book_of(AGREEMENTS, RULES)
}

pub(super) fn book_of(agreements: &str, rules: &str) -> RuleBook {
    RuleBook {
        agreements: Agreements::parse(agreements).unwrap(),
        rules: Rules::parse(rules).unwrap(),
    }
}

/// The rules with Children Act 2004, section 16LA, switched on from 30 September 2026.
pub(super) fn book_with_16la() -> RuleBook {
    book_of(AGREEMENTS, &RULES.replace("enabled = false", "enabled = true"))
}

/// The rules with transition plans treated as plan documents, to try the plan rule's shape.
pub(super) fn book_with_plan_rule() -> RuleBook {
    let rules = RULES
        .replace("message = \"transition.health_plan\"", "message = \"x\"")
        .replace("message = \"plan.final\"", "message = \"transition.health_plan\"")
        .replace("message = \"x\"", "message = \"plan.final\"")
        .replace("purposes = [\"ehc-plan\"]", "purposes = [\"transition-to-adulthood\"]");
    book_of(AGREEMENTS, &rules)
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
        status,
        kind: ConsentKind::Sharing,
        given_by: Some(DecisionMaker::Parent),
        decided_on: Some(date(2026, 1, 5)),
        expires_on: None,
        purposes: Vec::new(),
        exclusions: Vec::new(),
        recipients: Vec::new(),
        classes: Vec::new(),
        restriction: None,
        assessed_on: None,
        record: RecordId(Uuid::nil()),
        recorded_by: org("334"),
        recorded_at: ago(48),
    }
}

pub(super) fn given() -> ConsentEntry {
    entry(1, ConsentStatus::Given)
}

pub(super) fn vote(person: &str, at: Timestamp) -> Override {
    Override { person: person.to_owned(), organisation: org("334"), at }
}

pub(super) fn evidence(consents: &[ConsentEntry], overrides: &[Override]) -> Evidence {
    Evidence { consents: consents.to_vec(), overrides: overrides.to_vec() }
}
