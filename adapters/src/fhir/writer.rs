//! From a `Record` to a message Bundle in which every reference is resolved.
//!
//! The header's id is the delivery; every other resource has an id derived from it by its place,
//! so that writing the same delivery again gives the same bytes.

use schemas::{Body, MessageType, Record};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::systems;
use crate::Outbound;

mod answer;
mod consent;
mod decision;
mod particulars;
mod people;

/// The Bundle for one recipient.
pub(super) fn bundle(record: &Record, outbound: &Outbound) -> Value {
    let mut parts = Parts { record, outbound, entries: Vec::new() };
    let message = record.message();
    people::write(&mut parts);
    let focus = match &message.body {
        Body::Request(request) => Some(answer::request(&mut parts, request)),
        Body::Triage(triage) => Some(answer::triage(&mut parts, triage)),
        Body::Advice(advice) => Some(answer::advice(&mut parts, advice)),
        Body::Nil(nil) => Some(answer::nil(&mut parts, nil)),
        Body::Exception(exception) => Some(answer::exception(&mut parts, exception)),
        Body::Transition(plan) => Some(decision::plan(&mut parts, plan)),
        Body::Notice(notice) => decision::outcome(&mut parts, notice).map(|_| Part::Outcome),
        Body::Decision(_) => Some(Part::Consent),
        Body::Particulars(said) if message.kind.answers_a_leg() => {
            Some(particulars::answer(&mut parts, said))
        }
        Body::Particulars(said) => Some(particulars::communication(&mut parts, said)),
    };
    if let Some(consent) = &message.consent {
        consent::write(&mut parts, consent);
    }
    answer::documents(&mut parts);
    let header = header(&parts, focus);
    let mut entries = vec![parts.entry(Part::Header, header)];
    entries.append(&mut parts.entries);
    json!({
        "resourceType": "Bundle",
        "id": outbound.delivery.to_string(),
        "meta": {"profile": [systems::profile("Bundle")]},
        "identifier": {"system": systems::MESSAGE_ID, "value": message.id.expose()},
        "type": "message",
        "timestamp": outbound.sent_at.to_string(),
        "entry": entries,
    })
}

/// What is being written.
struct Parts<'a> {
    record: &'a Record,
    outbound: &'a Outbound,
    entries: Vec<Value>,
}

/// A resource of the Bundle by its part in the message; decides its id.
#[derive(Clone, Copy)]
enum Part {
    Header,
    Task,
    ServiceRequest,
    Patient,
    Sender,
    Recipient,
    Author,
    AuthorRole,
    Enterer,
    Consent,
    CarePlan,
    Outcome,
    Communication,
    Document(u8),
}

impl Parts<'_> {
    fn id(&self, part: Part) -> Uuid {
        let number = match part {
            Part::Header => return self.outbound.delivery,
            Part::Task => 1,
            Part::ServiceRequest => 2,
            Part::Patient => 3,
            Part::Sender => 4,
            Part::Recipient => 5,
            Part::Author => 6,
            Part::AuthorRole => 7,
            Part::Enterer => 8,
            Part::Consent => 9,
            Part::CarePlan => 10,
            Part::Outcome => 11,
            Part::Communication => 12,
            Part::Document(index) => 32_u8.wrapping_add(index),
        };
        let mut bytes = self.outbound.delivery.into_bytes();
        if let Some(last) = bytes.last_mut() {
            *last ^= number;
        }
        // Version 8 (RFC 9562): an id made by a rule of our own, not a random one.
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    fn reference(&self, part: Part) -> Value {
        json!({"reference": format!("urn:uuid:{}", self.id(part))})
    }

    fn entry(&self, part: Part, mut resource: Value) -> Value {
        let id = self.id(part);
        if let Value::Object(members) = &mut resource {
            members.insert("id".to_owned(), json!(id.to_string()));
        }
        json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
    }

    fn push(&mut self, part: Part, resource: Value) {
        let entry = self.entry(part, resource);
        self.entries.push(entry);
    }

    fn has_subject(&self) -> bool {
        self.record.message().subject.is_some()
    }
}

/// A resource with its type and UK Core profile, to be filled.
fn resource(kind: &str) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "resourceType", json!(kind));
    put(&mut members, "meta", json!({"profile": [systems::profile(kind)]}));
    members
}

fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

/// Puts a member that may be missing.
fn put_some(members: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        put(members, name, value);
    }
}

/// Puts an array, which FHIR leaves out when it is empty.
fn put_list(members: &mut Map<String, Value>, name: &str, values: Vec<Value>) {
    if !values.is_empty() {
        put(members, name, Value::Array(values));
    }
}

fn identifier(system: &str, value: &str) -> Value {
    json!({"system": system, "value": value})
}

fn concept(system: &str, code: impl serde::Serialize) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn organisation(code: &str) -> Value {
    identifier(systems::organisation_system(code), code)
}

fn header(parts: &Parts<'_>, focus: Option<Part>) -> Value {
    let (message, outbound) = (parts.record.message(), parts.outbound);
    let address = |code: &str| format!("{}:{code}", systems::ORGANISATION);
    let mut members = resource("MessageHeader");
    if let Some(earlier) = &message.supersedes {
        let earlier = identifier(systems::MESSAGE_ID, earlier.expose());
        let extension = json!([{"url": systems::EXTENSION_SUPERSEDES, "valueIdentifier": earlier}]);
        put(&mut members, "extension", extension);
    }
    let event = json!({"system": systems::EVENT, "code": message.kind.as_str()});
    put(&mut members, "eventCoding", event);
    let destination = json!([{
        "name": outbound.recipient_name,
        "endpoint": address(outbound.recipient.as_str()),
        "receiver": parts.reference(Part::Recipient),
    }]);
    put(&mut members, "destination", destination);
    put(&mut members, "sender", parts.reference(Part::Sender));
    put_some(
        &mut members,
        "enterer",
        message.acting.as_ref().map(|_| parts.reference(Part::Enterer)),
    );
    let source =
        json!({"name": outbound.sender_name, "endpoint": address(message.sender.as_str())});
    put(&mut members, "source", source);
    put(&mut members, "responsible", parts.reference(Part::Sender));
    if let Body::Notice(notice) = &message.body {
        let with_details = focus.map(|part| parts.reference(part));
        put(&mut members, "response", decision::response(parts, notice, with_details));
    } else {
        put_list(
            &mut members,
            "focus",
            focus.map(|part| parts.reference(part)).into_iter().collect(),
        );
    }
    Value::Object(members)
}

/// The FHIR status of a Task that carries this type of message.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have nothing of the kind")]
fn task_status(kind: MessageType) -> &'static str {
    match kind {
        MessageType::AdviceRequest => "requested",
        MessageType::AdviceAccepted => "accepted",
        MessageType::AdviceRejected | MessageType::AdviceRedirected => "rejected",
        MessageType::AdviceNil => "failed",
        MessageType::AdviceException => "on-hold",
        MessageType::AdviceLateForecast => "in-progress",
        _ => "completed",
    }
}
