//! The canonical message as XML, in and out: what a case system imports where it takes XML.
//!
//! Owns one namespace, [`NAMESPACE`], whose elements are the members of canonical JSON by name and
//! in its order; a member that repeats is an element that repeats. Schema:
//! `schemas/xml/message-1.xsd`; the page about it: `schemas/xml/mapping.md`. It must never know a
//! rule about content, a partner, or how XML is made safe (that is `xml`).
//!
//! ```text
//! let bytes = gateway_xml::write(record, outbound)?;
//! let reading = gateway_xml::read(&xml::read(&bytes, false)?, &bytes);
//! ```
//!
//! Documents stand inside, in base64. On the way in every element must be one of ours; `delivery`
//! is what the gateway wrote and is ignored.
//!
//! Not supported: a document's digest (it needs a hash, which is not this crate's to compute; the
//! manifest of a folder has it), several messages in one file (the inbox and the folder deliver
//! one at a time), empty elements (leave them out, so that absent is said in one way).

use schemas::{Draft, DraftAttachment, Field, Issue, PersonalBytes, PersonalText, Record};
use serde_json::{Map, Value};

use crate::json::{self, decode_document};
use crate::xml::{Document, Element, Writer};
use crate::{Item, Outbound, Reading, WriteError, limits};

/// The namespace of every element, with the version of the schema.
pub const NAMESPACE: &str = "urn:ehc-gateway:message:1";

/// The name of the root element.
pub(crate) const ROOT: &str = "message";

/// Writes a record as one document.
pub(crate) fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    // One canonical form: what JSON says, element by element.
    let canonical = json::write(record, outbound)?;
    let canonical: Map<String, Value> =
        serde_json::from_slice(&canonical).or(Err(WriteError::Failed))?;
    let mut writer = Writer::new();
    writer.start(ROOT, &[("xmlns", NAMESPACE)]);
    for name in MEMBERS {
        match canonical.get(name) {
            Some(Value::Array(documents)) if name == "attachments" => {
                writer.start("documents", &[]);
                for document in documents {
                    element(&mut writer, "document", document);
                }
                writer.end();
            }
            Some(value) => element(&mut writer, name, value),
            None => {}
        }
    }
    writer.end();
    writer.finish().or(Err(WriteError::Failed))
}

/// One member; a list is an element for each of its values. Depth is that of our own types.
fn element(writer: &mut Writer, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => writer.leaf(name, &[], &flag.to_string()),
        Value::Number(number) => writer.leaf(name, &[], &number.to_string()),
        Value::String(text) => writer.leaf(name, &[], text),
        Value::Array(values) => values.iter().for_each(|value| element(writer, name, value)),
        Value::Object(members) if members.is_empty() => writer.empty(name, &[]),
        Value::Object(members) => {
            writer.start(name, &[]);
            members.iter().for_each(|(name, value)| element(writer, name, value));
            writer.end();
        }
    }
}

/// Reads one message.
pub(crate) fn read(document: &Document<'_>, bytes: &[u8]) -> Reading {
    let root = &document.root;
    let mut draft = Draft { place: root.place(ROOT), ..Draft::default() };
    crate::letter::note_guess(&mut draft, document.guessed);
    plain(&mut draft, root, ROOT);
    for child in root.elements() {
        if child.is(Some(NAMESPACE), "documents") {
            documents(&mut draft, child);
        } else if !(child.is(Some(NAMESPACE), "delivery") || child.is(Some(NAMESPACE), "decision"))
        {
            member(&mut draft, child, "");
        }
    }
    if draft.notes.len() > NOTES_MAX {
        draft.notes.truncate(NOTES_MAX);
        let next = "put these right and send it again";
        let message = "there are more faults than are listed here";
        draft.notes.push(Issue::error("xml-more-faults", None, root.place(ROOT), message, next));
    }
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Reading { items: vec![item], notes: Vec::new() }
}

/// A field, or a group of fields. Groups hold only fields.
fn member(draft: &mut Draft, element: &Element, group: &str) {
    let path =
        if group.is_empty() { element.name.clone() } else { format!("{group}.{}", element.name) };
    let ours = element.namespace.as_deref() == Some(NAMESPACE);
    match Field::from_path(&path).filter(|_| ours) {
        Some(field) => scalar(draft, field, element),
        None if ours && group.is_empty() && is_group(&path) => {
            plain(draft, element, &path);
            for child in element.elements() {
                member(draft, child, &path);
            }
        }
        None => draft.notes.push(Issue::error(
            "xml-element-unknown",
            None,
            element.place(group),
            "is not an element of the schema at this place",
            "check its name and namespace against the schema; leave out what is not in it",
        )),
    }
}

fn scalar(draft: &mut Draft, field: Field, element: &Element) {
    let place = element.place(field.path());
    let text = element.text();
    if element.elements().next().is_some() || !element.attributes.is_empty() {
        draft.notes.push(Issue::error(
            "xml-not-text",
            Some(field),
            place,
            "holds elements or attributes where the schema has text alone",
            "check it against the schema",
        ));
    } else if text.is_empty() {
        draft.notes.push(Issue::error(
            "xml-empty-text",
            Some(field),
            place,
            "is empty",
            "leave the element out when there is nothing to say",
        ));
    } else if draft.all(field).count() >= VALUES_MAX {
        draft.notes.push(Issue::error(
            "xml-too-many-values",
            Some(field),
            place,
            "has more than 200 values",
            "send fewer, or attach a document",
        ));
    } else {
        draft.set(field, text, place);
    }
}

/// Whether a path has fields below it.
fn is_group(path: &str) -> bool {
    let below = |field: Field| field.path().strip_prefix(path).is_some_and(|r| r.starts_with('.'));
    Field::every().any(below)
}

/// Refuses words and attributes where only elements belong.
fn plain(draft: &mut Draft, element: &Element, path: &str) {
    let foreign = element.attributes.iter().any(|attribute| {
        // Where the schema is found is no part of the message.
        attribute.namespace.as_deref() != Some("http://www.w3.org/2001/XMLSchema-instance")
    });
    if foreign || !element.text().is_empty() {
        draft.notes.push(Issue::error(
            "xml-not-elements",
            None,
            element.place(path),
            "holds text or attributes where the schema has elements alone",
            "check it against the schema",
        ));
    }
}

fn documents(draft: &mut Draft, list: &Element) {
    plain(draft, list, "documents");
    for (index, document) in list.elements().enumerate() {
        let path = format!("documents.document[{index}]");
        if index >= limits::DOCUMENTS_MAX {
            draft.notes.push(Issue::error(
                "attachment-too-many",
                None,
                document.place(path),
                "there are more than 20 documents",
                "send fewer documents in one message",
            ));
            return;
        }
        let texts = DOCUMENT_MEMBERS.map(|name| document.child(name));
        let known = document.is(Some(NAMESPACE), "document")
            && document.elements().count() == DOCUMENT_MEMBERS.len();
        let [Some(name), Some(media_type), Some(content)] = texts.map(|t| t.filter(|_| known))
        else {
            draft.notes.push(Issue::error(
                "attachment-incomplete",
                None,
                document.place(path),
                "a document lacks an element, or has one too many",
                "give name, media_type and content_base64 of every document, once",
            ));
            continue;
        };
        let place = content.place(format!("{path}.content_base64"));
        let packed: String = content.raw_text().split_ascii_whitespace().collect();
        match decode_document(&packed) {
            Ok(decoded) => draft.attachments.push(DraftAttachment {
                name: PersonalText::new(name.text()),
                media_type: media_type.text(),
                content: decoded,
                place,
            }),
            Err(fault) => draft.notes.push(fault.issue(place)),
        }
    }
}

/// The members of canonical JSON in the order of the schema.
const MEMBERS: [&str; 21] = [
    "type",
    "version",
    "id",
    "supersedes",
    "sender",
    "recipient",
    "case",
    "leg",
    "acting",
    "subject",
    "consent",
    "request",
    "triage",
    "advice",
    "nil",
    "exception",
    "transition",
    "notice",
    "particulars",
    "attachments",
    "delivery",
];
/// The elements of a document, all required.
const DOCUMENT_MEMBERS: [&str; 3] = ["name", "media_type", "content_base64"];
/// The most values of one repeating field: more is a list out of place, and a document's work.
const VALUES_MAX: usize = 200;
/// The most faults listed for one message.
const NOTES_MAX: usize = 100;

#[cfg(test)]
mod tests;
