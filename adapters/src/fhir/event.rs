//! Which type of message a message Bundle is.
//!
//! Our own event decides. Without one, the events of `BaRS` do: a request is a request for advice,
//! and what a response is, its Task's status says. A header with a `response` and nothing else to
//! say is an acknowledgement. Everything else is refused, never guessed.

use schemas::record::Form;
use schemas::{Draft, Field, MessageType};

use super::bundle::Bundle;
use super::element::Element;
use super::systems;

/// Reads the type. `None` when it is not one that is carried, which the check says.
pub(super) fn read(
    bundle: &Bundle<'_>,
    header: &Element<'_>,
    draft: &mut Draft,
) -> Option<MessageType> {
    let coding = header.get("eventCoding");
    let code = |system| {
        let coding = coding.as_ref().filter(|coding| coding.is("system", system))?;
        coding.get("code")
    };
    let content = CONTENT.into_iter().any(|kind| bundle.all(kind).next().is_some());
    let response = header.get("response");
    if let Some(response) =
        response.filter(|_| !content && code(systems::EVENT).as_ref().is_none_or(is_answered))
    {
        return Some(set(draft, MessageType::Acknowledgement, &response));
    }
    if let Some(code) = code(systems::EVENT) {
        code.set(draft, Field::TYPE);
        return code.text().and_then(MessageType::parse);
    }
    match code(systems::BARS_EVENT) {
        Some(code) if code.text() == Some("servicerequest-request") => {
            Some(set(draft, MessageType::AdviceRequest, &code))
        }
        Some(code) if code.text() == Some("servicerequest-response") => by_state(bundle, draft),
        Some(_) | None => {
            header.error(
                "fhir-event-unknown",
                "has no eventCoding of the system urn:ehc-gateway:message-event",
                "name the event, for example advice.response",
            );
            None
        }
    }
}

/// Whether a message of this event, sent back with a `response`, says that it was taken or not:
/// acknowledgements and errors say so themselves.
fn is_answered(code: &Element<'_>) -> bool {
    let kind = code.text().and_then(MessageType::parse);
    kind.is_some_and(|kind| kind.form() != Form::Notice)
}

/// What a response is by the status of its Task (the NHS England workflow states).
fn by_state(bundle: &Bundle<'_>, draft: &mut Draft) -> Option<MessageType> {
    let task = bundle.only("Task")?.resource.clone();
    let redirected = task.list("output").iter().any(|output| {
        let code = output.get("type").and_then(|concept| concept.code_in(systems::DETAIL));
        code.is_some_and(|code| code.text() == Some("redirect_to"))
    });
    let status = task.get("status");
    let kind = match status.as_ref().and_then(Element::text) {
        Some("received" | "accepted" | "in-progress") => MessageType::AdviceAccepted,
        Some("rejected") if redirected => MessageType::AdviceRedirected,
        Some("rejected") => MessageType::AdviceRejected,
        Some("on-hold") => MessageType::AdviceException,
        Some("completed") => MessageType::AdviceResponse,
        Some("failed") => MessageType::AdviceNil,
        _ => {
            status.unwrap_or(task).error(
                "fhir-task-state",
                "is not the state of an answer",
                "send received, accepted, in-progress, rejected, on-hold, completed or failed; \
                 draft, requested and cancelled are not answers",
            );
            return None;
        }
    };
    Some(set(draft, kind, &status.unwrap_or(task)))
}

fn set(draft: &mut Draft, kind: MessageType, element: &Element<'_>) -> MessageType {
    draft.set(Field::TYPE, kind.as_str(), element.place());
    kind
}

/// Resources that say something of their own: a message with one is more than an acknowledgement.
const CONTENT: [&str; 7] = [
    "Task",
    "ServiceRequest",
    "DocumentReference",
    "Composition",
    "Consent",
    "CarePlan",
    "Communication",
];
