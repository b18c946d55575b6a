//! ITK3 documents: FHIR STU3 message Bundles around a document, received only.
//!
//! GP Connect Send Document and Transfer of Care send these. Owns what differs from R4:
//! `MessageHeader.event` and the handling extension, a nested document Bundle, `Binary.content`.
//! One Bundle is one document: advice that names no request, so the one request about its person
//! that the sender still owes is answered. It must never know that request, or the pipeline.
//!
//! The author's profession comes from the role or qualification, else from the feed's constants.
//! Not supported: events that are not documents (`ITK...M` with structured content is read for its
//! document alone); ITK business acknowledgements of our own, because the response codes in the
//! answer say as much and no system of a council sends on the Message Exchange for itself.

use schemas::{Draft, Field, MessageType};

use super::bundle::Bundle;
use super::element::{self, Element, Notes};
use super::{author, document, patient};
use crate::json::strict::Node;
use crate::read_error::{ReadError, ReadErrorKind};

/// Whether a Bundle is one of these: its header has an STU3 `event`, or its profile says so.
pub(super) fn is(root: &Node) -> bool {
    let header = root.member("entry").and_then(|entries| entries.elements().first());
    let header = header.and_then(|entry| entry.member("resource"));
    let system = header.and_then(|header| header.member("event"));
    let system = system.and_then(|event| event.member("system")).and_then(Node::text);
    let profiles = root.member("meta").and_then(|meta| meta.member("profile"));
    let profiled = profiles.is_some_and(|profiles| {
        let mut named = profiles.elements().iter().filter_map(Node::text);
        named.any(|profile| profile.starts_with(PROFILE))
    });
    profiled || system.is_some_and(|system| system.starts_with(EVENT))
}

/// Reads the document as advice.
pub(super) fn draft(root: &Node) -> Result<Draft, ReadError> {
    let notes = Notes::default();
    let mut draft = Draft { leg_by_person: true, ..Draft::default() };
    {
        let root = Element { node: root, path: "Bundle".to_owned(), notes: &notes };
        draft.place = root.place();
        let bundle = Bundle::open(root)?;
        read(&bundle, &mut draft)?;
    }
    draft.notes = notes.into_issues();
    Ok(draft)
}

fn read(bundle: &Bundle<'_>, draft: &mut Draft) -> Result<(), ReadError> {
    draft.set(Field::TYPE, MessageType::AdviceResponse.as_str(), bundle.root.place());
    let header = bundle.only("MessageHeader").map(|entry| entry.resource.clone());
    let own = bundle.root.get("identifier").and_then(|identifier| identifier.get("value"));
    let of_header = header.as_ref().and_then(|header| header.get("id"));
    element::set(draft, Field::ID, own.or(of_header).or_else(|| bundle.root.get("id")));
    let Some(composition) = bundle.only("Composition").map(|entry| entry.resource.clone()) else {
        return Err(ReadError::new(
            ReadErrorKind::Shape,
            "itk3-no-document",
            bundle.root.place(),
            "holds no document",
            "send the document as a Bundle with its Composition, inside the message",
        ));
    };
    let sender = header.as_ref().and_then(|header| {
        let reference = header.get("sender").or_else(|| header.get("responsible"))?;
        author::organisation(bundle, header, &reference)
    });
    let custodian = || {
        let reference = composition.get("custodian")?;
        author::organisation(bundle, &composition, &reference)
    };
    element::set(draft, Field::SENDER, sender.or_else(custodian));
    if let Some(header) = &header {
        handling(header);
    }
    let subject = composition.get("subject");
    let subject = subject.and_then(|subject| bundle.resolve(&composition, &subject));
    let subject = subject.or_else(|| bundle.only("Patient").cloned());
    if let Some(subject) = subject.filter(|entry| entry.kind == "Patient") {
        patient::read(&subject.resource, bundle.made_on().as_deref(), draft);
    }
    document::advice(bundle, draft);
    document::attachments(bundle, "content", draft);
    Ok(())
}

/// What the sender asks of whoever handles the message. A copy for information is advice all the
/// same; a message that was only ever a test or a template is not sent this way.
fn handling(header: &Element<'_>) {
    let Some(handling) = header.extension(HANDLING) else { return };
    let asks = |name: &str| {
        handling.extension(name).is_some_and(|asked| {
            asked.get("valueBoolean").is_some_and(|value| value.text() == Some("true"))
        })
    };
    if asks("BusAckRequested") {
        handling.warn(
            "itk3-business-acknowledgement",
            "asks for a business acknowledgement, which is not sent",
            "take the answer to the message for it, or read the receipt",
        );
    }
}

const EVENT: &str = "https://fhir.nhs.uk/STU3/CodeSystem/ITK-MessageEvent-";
const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/ITK-Message-Bundle-";
const HANDLING: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-ITK-MessageHandling-2";

#[cfg(test)]
mod tests;
