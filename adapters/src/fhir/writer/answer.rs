//! `Task`, `ServiceRequest` and `DocumentReference`: a request, and every answer to one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::PersonalText;
use schemas::record::{
    Advice, AdviceRequest, Attachment, Body, Exception, NilReturn, StoredDocument, Triage,
};
use serde_json::{Map, Value, json};

use super::super::systems;
use super::{
    Part, Parts, concept, identifier, organisation, people, put, put_list, put_some, resource,
    task_status,
};
use crate::document_path;

/// A request: the Task, and the `ServiceRequest` it is focused on.
pub(super) fn request(parts: &mut Parts<'_>, request: &AdviceRequest) -> Part {
    let mut inputs = Vec::new();
    texts(&mut inputs, "questions", &request.questions);
    if let Some(date) = request.assessment_requested_on {
        inputs.push(detail("assessment_requested_on", "valueDate", json!(date.to_string())));
    }
    inputs.push(detail("year_9_or_above", "valueBoolean", json!(request.year_9_or_above)));
    inputs.push(detail("asked_by_family", "valueBoolean", json!(request.asked_by_family)));
    texts(&mut inputs, "reply_to", request.reply_to.as_slice());
    texts(&mut inputs, "existing_reports", &request.existing_reports);
    let mut task = task(parts, "input", inputs);
    put(&mut task, "focus", parts.reference(Part::ServiceRequest));
    if let Some(due_on) = parts.outbound.due_on {
        put(&mut task, "restriction", json!({"period": {"end": due_on.to_string()}}));
    }
    parts.push(Part::Task, Value::Object(task));
    let service_request = service_request(parts, request);
    parts.push(Part::ServiceRequest, service_request);
    Part::Task
}

fn service_request(parts: &Parts<'_>, request: &AdviceRequest) -> Value {
    let message = parts.record.message();
    let mut members = resource("ServiceRequest");
    if let Some(case) = &message.case {
        put(&mut members, "identifier", json!([identifier(systems::CASE, case.expose())]));
    }
    if let Some(leg) = request.replaces_leg {
        let replaced = json!([{"identifier": identifier(systems::LEG, &leg.to_string())}]);
        put(&mut members, "replaces", replaced);
    }
    put(&mut members, "status", json!("active"));
    put(&mut members, "intent", json!("order"));
    put(&mut members, "category", json!([{"text": "Education, health and care needs assessment"}]));
    put(
        &mut members,
        "code",
        json!({"text": "Advice and information for an EHC needs assessment"}),
    );
    put(&mut members, "subject", parts.reference(Part::Patient));
    put(&mut members, "authoredOn", json!(request.requested_on.to_string()));
    put(&mut members, "requester", parts.reference(Part::Sender));
    // A service is told what is asked of itself, not who else is asked.
    let services = match &parts.outbound.service {
        Some(service) => std::slice::from_ref(service),
        None => request.services.as_slice(),
    };
    let codings: Vec<Value> = services
        .iter()
        .map(|service| json!({"system": systems::SERVICE, "code": service.as_str()}))
        .collect();
    put(&mut members, "performerType", json!({"coding": codings}));
    put(&mut members, "performer", json!([parts.reference(Part::Recipient)]));
    let questions = request.questions.iter().map(|question| json!({"text": question.expose()}));
    put_list(&mut members, "reasonCode", questions.collect());
    Value::Object(members)
}

/// Accepted, rejected or redirected.
pub(super) fn triage(parts: &mut Parts<'_>, triage: &Triage) -> Part {
    let mut outputs = Vec::new();
    if let Some(code) = &triage.redirect_to {
        let reference = json!({"identifier": organisation(code.as_str())});
        outputs.push(detail("redirect_to", "valueReference", reference));
    }
    let mut task = task(parts, "output", outputs);
    let reason = triage.reason.map(|reason| concept(systems::REJECTION_REASON, reason));
    put_some(&mut task, "statusReason", reason);
    put_some(&mut task, "note", triage.note.as_ref().map(note));
    parts.push(Part::Task, Value::Object(task));
    Part::Task
}

/// A nil return.
pub(super) fn nil(parts: &mut Parts<'_>, nil: &NilReturn) -> Part {
    let mut outputs = Vec::new();
    if let Some(date) = nil.last_seen_on {
        outputs.push(detail("last_seen_on", "valueDate", json!(date.to_string())));
    }
    texts(&mut outputs, "alternative_service", nil.alternative_service.as_slice());
    let mut task = task(parts, "output", outputs);
    put(&mut task, "statusReason", concept(systems::NIL_REASON, nil.reason));
    parts.push(Part::Task, Value::Object(task));
    Part::Task
}

/// A lawful exception to the six weeks.
pub(super) fn exception(parts: &mut Parts<'_>, exception: &Exception) -> Part {
    let mut task = task(parts, "output", Vec::new());
    put(&mut task, "statusReason", concept(systems::EXCEPTION_LIMB, exception.limb));
    let mut period = json!({"start": exception.from.to_string()});
    if let (Some(until), Some(members)) = (exception.until, period.as_object_mut()) {
        put(members, "end", json!(until.to_string()));
    }
    put(&mut task, "executionPeriod", period);
    let expected = json!({"period": {"end": exception.expected_on.to_string()}});
    put(&mut task, "restriction", expected);
    put(&mut task, "note", note(&exception.evidence));
    parts.push(Part::Task, Value::Object(task));
    Part::Task
}

/// Advice: a completed Task, its author, and (with the documents) the `DocumentReference`.
pub(super) fn advice(parts: &mut Parts<'_>, advice: &Advice) -> Part {
    people::author(parts, advice);
    let mut outputs = Vec::new();
    if let Some(basis) = advice.basis {
        outputs.push(detail("basis", "valueCode", json!(basis)));
    }
    if let Some(date) = advice.remainder_on {
        outputs.push(detail("remainder_on", "valueDate", json!(date.to_string())));
    }
    texts(&mut outputs, "health_needs", &advice.health_needs);
    texts(&mut outputs, "educational_needs", &advice.educational_needs);
    texts(&mut outputs, "outcomes", &advice.outcomes);
    texts(&mut outputs, "health_provision", &advice.health_provision);
    texts(&mut outputs, "educational_provision", &advice.educational_provision);
    let document = parts.reference(Part::Document(0));
    outputs.push(json!({"type": {"text": "advice"}, "valueReference": document}));
    let task = task(parts, "output", outputs);
    parts.push(Part::Task, Value::Object(task));
    Part::Task
}

/// Every document of the record; the first of advice says who wrote it and when.
pub(super) fn documents(parts: &mut Parts<'_>) {
    let record = parts.record;
    let advice =
        if let Body::Advice(advice) = &record.message().body { Some(advice) } else { None };
    let mut contents: Vec<Value> = record.attachments().iter().map(content).collect();
    let delivery = parts.outbound.delivery;
    contents.extend(
        record
            .numbered_stored()
            .map(|(number, stored)| by_address(stored, &document_path(delivery, number))),
    );
    if contents.is_empty() && advice.is_some() {
        // A DocumentReference must have content; this one says that there is no document.
        let absent = json!([{"url": systems::DATA_ABSENT, "valueCode": "not-applicable"}]);
        contents.push(json!({"attachment": {"extension": absent, "title": "No document"}}));
    }
    for (content, index) in contents.into_iter().zip(0_u8..) {
        let mut members = resource("DocumentReference");
        put(&mut members, "status", json!("current"));
        put(&mut members, "docStatus", json!("final"));
        if parts.has_subject() {
            put(&mut members, "subject", parts.reference(Part::Patient));
        }
        if let (Some(advice), 0) = (advice, index) {
            authored(parts, advice, &mut members);
        }
        put(&mut members, "content", json!([content]));
        parts.push(Part::Document(index), Value::Object(members));
    }
}

fn authored(parts: &Parts<'_>, advice: &Advice, members: &mut Map<String, Value>) {
    put(members, "type", json!({"text": "Advice for an EHC needs assessment"}));
    // An instant at midnight UTC falls on the same day in England, summer and winter.
    put(members, "date", json!(format!("{}T00:00:00Z", advice.date)));
    put(members, "author", json!([parts.reference(Part::AuthorRole)]));
    put_some(members, "description", advice.summary.as_ref().map(|text| json!(text.expose())));
    if let Some(date) = advice.last_seen_on {
        put(members, "context", json!({"period": {"end": date.to_string()}}));
    }
}

fn content(document: &Attachment) -> Value {
    json!({"attachment": {
        "contentType": document.media_type,
        "data": STANDARD.encode(document.content.expose()),
        "size": document.content.len(),
        "title": document.name.expose(),
    }})
}

/// A document that is kept apart: its address at this gateway instead of its data.
fn by_address(stored: &StoredDocument, path: &str) -> Value {
    let mut attachment = Map::new();
    let hash = json!([{"url": systems::EXTENSION_SHA256, "valueString": stored.sha256_hex()}]);
    put(&mut attachment, "extension", hash);
    put(&mut attachment, "contentType", json!(stored.media_type));
    put(&mut attachment, "url", json!(path));
    // An unsignedInt ends at 2^31 - 1; the size of a larger one is said by the address.
    put_some(&mut attachment, "size", i32::try_from(stored.size).ok().map(|size| json!(size)));
    put(&mut attachment, "title", json!(stored.name.expose()));
    json!({"attachment": attachment})
}

/// The Task of a request or of an answer to one.
pub(super) fn task(parts: &Parts<'_>, details: &str, values: Vec<Value>) -> Map<String, Value> {
    let (message, outbound) = (parts.record.message(), parts.outbound);
    let mut members = resource("Task");
    if let Some(leg) = outbound.leg.or(message.leg) {
        put(&mut members, "identifier", json!([identifier(systems::LEG, &leg.to_string())]));
    }
    let case = message.case.as_ref().map(|case| identifier(systems::CASE, case.expose()));
    put_some(&mut members, "groupIdentifier", case);
    put(&mut members, "status", json!(task_status(message.kind)));
    put(&mut members, "intent", json!("order"));
    if parts.has_subject() {
        put(&mut members, "for", parts.reference(Part::Patient));
    }
    put(&mut members, "authoredOn", json!(outbound.received_at.to_string()));
    put(&mut members, "requester", parts.reference(Part::Sender));
    put(&mut members, "owner", parts.reference(Part::Recipient));
    put_list(&mut members, details, values);
    members
}

fn texts(details: &mut Vec<Value>, code: &str, texts: &[PersonalText]) {
    details.extend(texts.iter().map(|text| detail(code, "valueString", json!(text.expose()))));
}

/// One coded input or output.
pub(super) fn detail(code: &str, kind: &str, value: Value) -> Value {
    let mut members = Map::new();
    put(&mut members, "type", concept(systems::DETAIL, code));
    put(&mut members, kind, value);
    Value::Object(members)
}

fn note(text: &PersonalText) -> Value {
    json!([{"text": text.expose()}])
}
