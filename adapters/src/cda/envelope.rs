//! SOAP and the ITK distribution envelope: to the one payload, or a refusal by name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::{Issue, Place};

use super::{CDA, HL7};
use crate::limits::SUBMISSION_BYTES_MAX;
use crate::xml::{self, Element};
use crate::{ReadError, ReadErrorKind};

/// The clinical document, inside the message or unpacked from it.
pub(super) enum Opened<'a> {
    Inside(&'a Element),
    Unpacked(Box<Element>),
}

impl Opened<'_> {
    pub(super) fn document(&self) -> &Element {
        match self {
            Self::Inside(document) => document,
            Self::Unpacked(document) => document,
        }
    }
}

/// Whether an element is one of the envelopes.
pub(super) fn is_envelope(root: &Element) -> bool {
    root.is(Some(SOAP), "Envelope") || root.is(Some(ITK), "DistributionEnvelope")
}

/// Opens the envelopes.
pub(super) fn open<'a>(root: &'a Element, notes: &mut Vec<Issue>) -> Result<Opened<'a>, ReadError> {
    if root.is(Some(HL7), CDA) {
        return Ok(Opened::Inside(root));
    }
    let envelope = if root.is(Some(SOAP), "Envelope") {
        let body = root.child("Body");
        let inside = body.and_then(|body| {
            // Some services wrap the envelope in an operation of their own.
            let mut direct = body.elements();
            let first = direct.next()?;
            if is_envelope(first) { Some(first) } else { first.elements().find(|e| is_envelope(e)) }
        });
        inside.ok_or_else(|| {
            refused("itk-no-envelope", root.place("Envelope"), "holds no DistributionEnvelope")
        })?
    } else {
        root
    };
    let payloads = envelope.child("payloads");
    let mut payloads = payloads.into_iter().flat_map(|all| all.children_named("payload"));
    let Some(payload) = payloads.next() else {
        return Err(refused("itk-no-payload", envelope.place(PAYLOAD), "holds no payload"));
    };
    if let Some(second) = payloads.next() {
        let message = "holds more than one payload";
        return Err(refused("itk-several-payloads", second.place(PAYLOAD), message));
    }
    opened(payload, manifest_of(envelope, payload, notes))
}

fn opened<'a>(payload: &'a Element, manifest: Option<&Element>) -> Result<Opened<'a>, ReadError> {
    let says = |name: &str| {
        manifest.and_then(|item| item.attribute(name)).is_some_and(|value| value.trim() == "true")
    };
    let at = payload.place(PAYLOAD);
    if says("encrypted") {
        return Err(refused("itk-encrypted", at, "is encrypted, which is not handled"));
    }
    if says("compressed") {
        return Err(refused("itk-compressed", at, "is compressed, which is not handled"));
    }
    if says("base64") {
        let packed: String = payload.text().split_whitespace().collect();
        let bytes = STANDARD.decode(packed).ok().filter(|b| b.len() <= SUBMISSION_BYTES_MAX);
        let Some(bytes) = bytes else {
            return Err(refused("itk-base64", at, "is not the base64 its manifest says it is"));
        };
        let inner = xml::parse(&bytes).map_err(|error| ReadError {
            // The place inside the payload would mislead: what was sent has no such line.
            place: at.clone(),
            ..error
        })?;
        if !inner.is(Some(HL7), CDA) {
            return Err(no_document(at));
        }
        return Ok(Opened::Unpacked(Box::new(inner)));
    }
    let document = payload.elements().find(|element| element.is(Some(HL7), CDA));
    document.map(Opened::Inside).ok_or_else(|| no_document(at))
}

/// The line of the manifest about a payload. One that is not there is reported: its flags matter.
fn manifest_of<'a>(
    envelope: &'a Element,
    payload: &Element,
    notes: &mut Vec<Issue>,
) -> Option<&'a Element> {
    let items = envelope.descend(&["header", "manifest"]);
    let mut items = items.into_iter().flat_map(|all| all.children_named("manifestitem"));
    let id = payload.attribute("id");
    let found = items.find(|item| item.attribute("id") == id);
    if found.is_none() {
        notes.push(Issue::warning(
            "itk-manifest",
            None,
            payload.place(PAYLOAD),
            "the payload is not in the manifest, and was read as plain XML",
            "list every payload in the manifest by its id",
        ));
    }
    found
}

fn no_document(at: Place) -> ReadError {
    refused("itk-no-document", at, "holds no ClinicalDocument")
}

fn refused(rule: &str, at: Place, message: &str) -> ReadError {
    let next = "send one CDA document as plain or base64 XML in one payload";
    ReadError::new(ReadErrorKind::Shape, rule, at, message, next)
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const ITK: &str = "urn:nhs-itk:ns:201005";
const PAYLOAD: &str = "DistributionEnvelope/payloads/payload";
