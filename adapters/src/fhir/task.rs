//! `Task` and `ServiceRequest`: what is asked, which leg is answered, and how.

use schemas::record::Form;
use schemas::{Draft, Field, MessageType};

use super::author;
use super::bundle::Bundle;
use super::element::{self, Element};
use super::systems;

/// Reads the Task of a request or an answer.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have nothing of the kind")]
pub(super) fn read(bundle: &Bundle<'_>, kind: MessageType, draft: &mut Draft) {
    if kind == MessageType::AdviceRequest {
        request(bundle, draft);
    }
    let Some(task) = bundle.only("Task").map(|entry| entry.resource.clone()) else { return };
    status(&task, kind);
    details(&task, kind, draft);
    let reason = task.get("statusReason");
    let reason = |system| reason.as_ref().and_then(|reason| reason.code_in(system));
    match kind {
        MessageType::AdviceNil => {
            element::set(draft, Field::NIL_REASON, reason(systems::NIL_REASON));
        }
        MessageType::AdviceException => {
            element::set(draft, Field::EXCEPTION_LIMB, reason(systems::EXCEPTION_LIMB));
            let from = task.get("executionPeriod").and_then(|period| period.get("start"));
            element::set_date(draft, Field::EXCEPTION_FROM, from);
            let until = task.get("executionPeriod").and_then(|period| period.get("end"));
            element::set_date(draft, Field::EXCEPTION_UNTIL, until);
            let period = task.get("restriction").and_then(|r| r.get("period"));
            let expected = period.and_then(|period| period.get("end"));
            element::set_date(draft, Field::EXCEPTION_EXPECTED, expected);
            notes(&task, Field::EXCEPTION_EVIDENCE, draft);
        }
        MessageType::AdviceAccepted
        | MessageType::AdviceRejected
        | MessageType::AdviceRedirected => {
            element::set(draft, Field::TRIAGE_REASON, reason(systems::REJECTION_REASON));
            notes(&task, Field::TRIAGE_NOTE, draft);
        }
        _ => {}
    }
}

/// The leg, wherever a message may name it. All that name one must name the same.
pub(super) fn leg(bundle: &Bundle<'_>, draft: &mut Draft) {
    let mut found: Vec<Element<'_>> = Vec::new();
    for task in bundle.all("Task").map(|entry| &entry.resource) {
        found.extend(task.identifier_in("identifier", systems::LEG));
        found.extend(task.list("basedOn").iter().filter_map(named_leg));
        found.extend(task.get("focus").as_ref().and_then(named_leg));
    }
    for communication in bundle.all("Communication").map(|entry| &entry.resource) {
        found.extend(communication.list("basedOn").iter().filter_map(named_leg));
    }
    for document in bundle.all("DocumentReference").map(|entry| &entry.resource) {
        found.extend(document.identifier_in("identifier", systems::LEG));
        let related = document.get("context").map(|context| context.list("related"));
        found.extend(related.unwrap_or_default().iter().filter_map(named_leg));
    }
    for composition in bundle.all("Composition").map(|entry| &entry.resource) {
        let identifier = composition.get("identifier").filter(|id| id.is("system", systems::LEG));
        found.extend(identifier.and_then(|identifier| identifier.get("value")));
    }
    let mut found = found.into_iter();
    let Some(first) = found.next() else { return };
    first.set(draft, Field::LEG);
    for other in found.filter(|other| other.text() != first.text()) {
        other.error(
            "fhir-legs-differ",
            "names another leg than an element before it",
            "answer one leg in one message",
        );
    }
}

/// The leg of a Reference by identifier.
fn named_leg<'a>(reference: &Element<'a>) -> Option<Element<'a>> {
    let identifier = reference.get("identifier").filter(|id| id.is("system", systems::LEG))?;
    identifier.get("value")
}

fn request(bundle: &Bundle<'_>, draft: &mut Draft) {
    let Some(entry) = bundle.only("ServiceRequest") else { return };
    let request = &entry.resource;
    element::set_date(draft, Field::REQUESTED_ON, request.get("authoredOn"));
    let codings = request.get("performerType").map(|concept| concept.list("coding"));
    for coding in codings.unwrap_or_default() {
        if coding.is("system", systems::SERVICE) {
            element::set(draft, Field::SERVICES, coding.get("code"));
        }
    }
    let replaced = request.list("replaces").iter().find_map(named_leg);
    element::set(draft, Field::REPLACES_LEG, replaced);
}

/// The coded inputs and outputs of the Task, by the last part of their canonical path.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have nothing of the kind")]
fn details(task: &Element<'_>, kind: MessageType, draft: &mut Draft) {
    let (name, group) = match kind {
        MessageType::AdviceRequest => ("input", "request"),
        MessageType::AdviceResponse => ("output", "advice"),
        MessageType::AdviceNil => ("output", "nil"),
        MessageType::AdviceAccepted
        | MessageType::AdviceRejected
        | MessageType::AdviceRedirected => ("output", "triage"),
        _ if kind.form() == Form::Particulars => ("output", "particulars"),
        _ => return,
    };
    for detail in task.list(name) {
        let code = detail.get("type").and_then(|concept| concept.code_in(systems::DETAIL));
        let path = code.and_then(|code| code.text().map(|code| format!("{group}.{code}")));
        if let Some(field) = path.and_then(|path| Field::from_path(&path)) {
            element::set(draft, field, value(&detail));
        } else if detail.node.member("valueReference").is_none() {
            // A reference to a document needs no code of ours: the document itself is read.
            detail.warn(
                "fhir-element-ignored",
                "has a type that is not read",
                "use a code of the mapping",
            );
        }
    }
}

fn value<'a>(detail: &Element<'a>) -> Option<Element<'a>> {
    let names = ["valueString", "valueCode", "valueDate", "valueBoolean"];
    let plain = names.into_iter().find_map(|name| detail.get(name));
    plain.or_else(|| author::logical_organisation(&detail.get("valueReference")?))
}

fn notes(task: &Element<'_>, field: Field, draft: &mut Draft) {
    let texts: Vec<Element<'_>> =
        task.list("note").iter().filter_map(|note| note.get("text")).collect();
    let words: Vec<&str> = texts.iter().filter_map(Element::text).collect();
    if let Some(first) = texts.first() {
        draft.set(field, words.join("\n"), first.place());
    }
}

/// The event decides the type; a Task that says otherwise is a fault, never a guess.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have nothing of the kind")]
fn status(task: &Element<'_>, kind: MessageType) {
    let accepted: &[&str] = match kind {
        MessageType::AdviceRequest => &["requested"],
        MessageType::AdviceAccepted => &["accepted", "received", "in-progress"],
        MessageType::AdviceRejected | MessageType::AdviceRedirected => &["rejected"],
        MessageType::AdviceResponse | MessageType::AdviceExistingSufficient => &["completed"],
        MessageType::AdviceLateForecast => &["in-progress"],
        MessageType::AdviceNil => &["failed", "completed"],
        MessageType::AdviceException => &["on-hold"],
        _ => return,
    };
    let given = task.get("status");
    if given.as_ref().and_then(Element::text).is_some_and(|text| accepted.contains(&text)) {
        return;
    }
    given.unwrap_or_else(|| task.clone()).error(
        "fhir-status-contradicts",
        "the status does not agree with the message's event",
        "send the status that the mapping gives for this event",
    );
}
