//! Made-up things to store. Sealed bytes are just bytes here.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};
use schemas::{LegId, MessageType, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::authority::ConsentEntry;
use crate::queue::{CarrierKind, DeliveryId, DeliveryState, LegState, SubmissionId};
use crate::store::{
    Change, NewConsent, NewDelivery, NewLeg, NewQuarantine, NewRecord, NewSubmission, Relations,
    Write,
};
use crate::vault::{SealedBlob, SealedRecord};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

pub(super) fn organisation(code: &str) -> OrganisationCode {
    OrganisationCode::parse(code).unwrap()
}

/// A number never used before in this process.
pub(super) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(super) fn id() -> Uuid {
    Uuid::from_u64_pair(0x0190_0000_0000_7000, fresh())
}

pub(super) fn hash(number: u64) -> [u8; 32] {
    let mut bytes = [7u8; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(super) fn subject(number: u64) -> SubjectKey {
    SubjectKey(hash(number))
}

pub(super) fn blob(text: &str) -> SealedBlob {
    SealedBlob { envelope: text.as_bytes().to_vec() }
}

pub(super) fn event(kind: EventKind) -> Event {
    Event::new(kind, Actor::gateway())
}

pub(super) fn submission(key: &str) -> NewSubmission {
    NewSubmission {
        id: SubmissionId(id()),
        sender: organisation("334"),
        key: key.to_owned(),
        request_hash: hash(1),
        status: 202,
        answer: b"{}".to_vec(),
        answer_type: "application/json".to_owned(),
        original: blob("original"),
        received_at: at(0),
    }
}

pub(super) fn record(submission: SubmissionId, about: SubjectKey) -> NewRecord {
    NewRecord {
        sealed: SealedRecord {
            record: RecordId(id()),
            kind: MessageType::AdviceRequest,
            sender: organisation("334"),
            recipients: vec![organisation("RRK"), organisation("RYR")],
            envelope: vec![0, 1, 2, 255],
        },
        submission,
        identity: hash(fresh()),
        fingerprint: hash(3),
        subject: Some(about),
        demographics: Some(hash(2)),
        label: blob("label"),
        about: None,
        relations: Relations::default(),
        decisions_pass_on: Some(jiff::civil::date(2031, 6, 27)),
        accepted_at: at(0),
    }
}

pub(super) fn delivery(record: RecordId, recipient: &str, carrier: CarrierKind) -> NewDelivery {
    NewDelivery {
        id: DeliveryId(id()),
        record,
        recipient: organisation(recipient),
        service: Some(ServiceCode::parse("SALT").unwrap()),
        carrier,
        state: DeliveryState::Queued,
        reason: None,
        available_at: at(0),
    }
}

pub(super) fn leg(id: LegId) -> NewLeg {
    NewLeg {
        id,
        received_on: jiff::civil::date(2026, 11, 2),
        statutory_due: jiff::civil::date(2026, 12, 14),
        alternative_due: Some(jiff::civil::date(2026, 12, 13)),
        operational_due: jiff::civil::date(2026, 12, 11),
        rule_version: "2026-1".to_owned(),
        state: LegState::Waiting,
    }
}

pub(super) fn quarantine(submission: SubmissionId) -> NewQuarantine {
    NewQuarantine {
        id: id(),
        submission,
        sender: organisation("334"),
        sealed: blob("row"),
        issues: "[]".to_owned(),
        at: at(0),
    }
}

pub(super) fn consent(subject: SubjectKey, record: RecordId, status: ConsentStatus) -> NewConsent {
    NewConsent {
        subject,
        record,
        entry: ConsentEntry {
            version: 0,
            status,
            kind: ConsentKind::Sharing,
            given_by: Some(DecisionMaker::YoungPerson),
            decided_on: Some(jiff::civil::date(2026, 11, 1)),
            expires_on: None,
            purposes: vec!["ehc-assessment".to_owned()],
            exclusions: vec![organisation("RYR")],
            recipients: Vec::new(),
            classes: Vec::new(),
            restriction: None,
            assessed_on: None,
            record,
            recorded_by: organisation("334"),
            recorded_at: at(0),
        },
        restricts: false,
        expected: None,
    }
}

/// A whole request: one record about a person, one delivery and one leg.
pub(super) struct Request {
    pub(super) change: Change,
    pub(super) key: String,
    pub(super) record: RecordId,
    pub(super) delivery: DeliveryId,
}

pub(super) fn request(subject: SubjectKey, recipient: &str, carrier: CarrierKind) -> Request {
    let key = format!("key-{}", fresh());
    let submission = submission(&key);
    let record = record(submission.id, subject);
    let delivery = delivery(record.sealed.record, recipient, carrier);
    let (record_id, delivery_id) = (record.sealed.record, delivery.id);
    let mut accepted = event(EventKind::RecordAccepted);
    accepted.record = Some(record_id);
    accepted.subject = Some(subject);
    let change = Change::because(event(EventKind::SubmissionReceived))
        .write(Write::Submission(submission))
        .and(accepted)
        .write(Write::Record(record))
        .write(Write::Delivery(delivery))
        .write(Write::Leg(leg(delivery_id.leg())));
    Request { change, key, record: record_id, delivery: delivery_id }
}
