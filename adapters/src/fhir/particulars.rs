//! What the types of the catalogue say by name, as the payloads of a `Communication`.
//!
//! Each payload bears the name in an extension and the value as its text, so that a viewer that
//! knows nothing of us still shows the words. Answers to a leg have a Task instead: see `task`.

use schemas::{Draft, Field};

use super::bundle::Bundle;
use super::element;
use super::systems;

/// Reads every payload that names what it is.
pub(super) fn read(bundle: &Bundle<'_>, draft: &mut Draft) {
    let Some(entry) = bundle.only("Communication") else { return };
    let communication = &entry.resource;
    if !communication.is("status", "completed") {
        let status = communication.get("status");
        status.unwrap_or_else(|| communication.clone()).error(
            "fhir-status-contradicts",
            "is not that of something that was said",
            "send the Communication when its status is completed",
        );
    }
    for payload in communication.list("payload") {
        let extension = payload.extension(systems::EXTENSION_DETAIL);
        let concept = extension.and_then(|extension| extension.get("valueCodeableConcept"));
        let code = concept.and_then(|concept| concept.code_in(systems::DETAIL));
        let path = code.and_then(|code| code.text().map(|name| format!("particulars.{name}")));
        match path.and_then(|path| Field::from_path(&path)) {
            Some(field) => element::set(draft, field, payload.get("contentString")),
            None => payload.warn(
                "fhir-element-ignored",
                "does not say which name of the catalogue it is, and is not read",
                "name it in the extension of the mapping, or send it as a document",
            ),
        }
    }
}
