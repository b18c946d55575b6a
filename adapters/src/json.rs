//! The canonical JSON message, in and out.
//!
//! Owns the canonical form only: one object, or an array of at most
//! [`MESSAGES_MAX`](crate::limits::MESSAGES_MAX) objects, whose member paths are those of
//! [`Field`]. [`read`] gives one item per object, with its own bytes; [`write()`] gives the record,
//! the members the gateway adds (`leg`, `delivery`) and the documents. It must never know a
//! partner, a rule about content or a clock.
//!
//! `null` means absent. Numbers and booleans are taken as their text. `delivery` is what the
//! gateway wrote and is ignored on the way in; `decision` is allowed and empty.
//!
//! Not supported, and why: unknown members (an error, because a misspelt `consent` must not be
//! dropped in silence); empty text (leave the member out, so that absent is said in one way); a
//! document's digest (`sha256`), which needs a hash and is therefore not this crate's to compare.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::{
    Draft, DraftAttachment, DraftReference, Field, Issue, PersonalBytes, PersonalText, Place,
    Record,
};
use serde_json::{Value as Json, json};

use crate::read_error::{ReadError, ReadErrorKind};
use crate::{Item, Outbound, Reading, WriteError, limits};

pub(crate) mod strict;

use strict::{Member, Node, Spot, Value};

/// Reads one canonical message, or an array of them.
pub fn read(bytes: &[u8]) -> Result<Reading, ReadError> {
    let root = strict::parse(bytes)?;
    let messages: Vec<&Node> = match &root.value {
        Value::Object(_) => vec![&root],
        Value::Array(messages) if messages.len() > limits::MESSAGES_MAX => {
            return Err(ReadError::new(
                ReadErrorKind::TooLarge,
                "json-too-many-messages",
                root.spot.place(""),
                "there are more than 1,000 messages",
                "send fewer messages at a time",
            ));
        }
        Value::Array(messages) => messages.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            return Err(not_a_message(root.spot));
        }
    };
    let mut items = Vec::with_capacity(messages.len());
    for message in messages {
        if !matches!(message.value, Value::Object(_)) {
            return Err(not_a_message(message.spot));
        }
        let raw = bytes.get(message.span.clone()).unwrap_or_default().to_vec();
        items.push(Item { draft: draft(message), raw: PersonalBytes::new(raw) });
    }
    Ok(Reading { items, notes: Vec::new() })
}

/// Writes a record as canonical JSON for one recipient.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    let message = serde_json::to_value(record.message()).or(Err(WriteError::Failed))?;
    let Json::Object(mut message) = message else { return Err(WriteError::Failed) };
    if let Some(leg) = outbound.leg {
        message.insert("leg".to_owned(), json!(leg.to_string()));
    }
    let inside = record.attachments().iter().map(|document| {
        json!({
            "name": document.name.expose(),
            "media_type": document.media_type,
            "content_base64": STANDARD.encode(document.content.expose()),
        })
    });
    let apart = record.numbered_stored().map(|(number, document)| {
        json!({
            "document": document.id.to_string(),
            "name": document.name.expose(),
            "media_type": document.media_type,
            "size": document.size,
            "sha256": document.sha256_hex(),
            "href": crate::document_path(outbound.delivery, number),
        })
    });
    let documents: Vec<Json> = inside.chain(apart).collect();
    if !documents.is_empty() {
        message.insert("attachments".to_owned(), Json::Array(documents));
    }
    let mut delivery = json!({
        "id": outbound.delivery.to_string(),
        "received_at": outbound.received_at.to_string(),
        "sent_at": outbound.sent_at.to_string(),
        "sender_name": outbound.sender_name,
        "recipient": outbound.recipient.as_str(),
        "recipient_name": outbound.recipient_name,
    });
    if let Json::Object(members) = &mut delivery {
        if let Some(due_on) = outbound.due_on {
            members.insert("due_on".to_owned(), json!(due_on.to_string()));
        }
        if let Some(service) = &outbound.service {
            members.insert("service".to_owned(), json!(service.as_str()));
        }
    }
    message.insert("delivery".to_owned(), delivery);
    serde_json::to_vec(&Json::Object(message)).or(Err(WriteError::Failed))
}

fn not_a_message(spot: Spot) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "json-not-a-message",
        spot.place(""),
        "a message is a JSON object; a file of several is an array of objects",
        "send one object, or an array of objects",
    )
}

fn draft(message: &Node) -> Draft {
    let mut draft = Draft { place: message.spot.place(""), ..Draft::default() };
    members(&mut draft, message, "");
    if draft.notes.len() > NOTES_MAX {
        draft.notes.truncate(NOTES_MAX);
        let place = draft.place.clone();
        draft.notes.push(Issue::error(
            "json-more-faults",
            None,
            place,
            "there are more faults than are listed here",
            "put these right and send it again",
        ));
    }
    draft
}

/// Walks the members of the message or of one of its groups.
fn members(draft: &mut Draft, object: &Node, parent: &str) {
    for member in object.members() {
        if matches!(member.node.value, Value::Null) {
            // `null` means absent, but the name must still be one of ours.
            if !is_known(parent, &member.name) {
                unknown(draft, member, parent);
            }
            continue;
        }
        let path = join(parent, &member.name);
        match (parent, member.name.as_str()) {
            ("", "attachments") => attachments(draft, &member.node),
            ("", "delivery" | "decision") => envelope(draft, member),
            _ => match Field::from_path(&path) {
                Some(field) => value(draft, field, &member.node),
                None if is_group(&path) && matches!(member.node.value, Value::Object(_)) => {
                    members(draft, &member.node, &path);
                }
                None if is_group(&path) => {
                    wrong_type(draft, None, member.node.spot.place(path), "an object");
                }
                None => unknown(draft, member, parent),
            },
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Whether a path has fields below it.
fn is_group(path: &str) -> bool {
    Field::every()
        .any(|field| field.path().strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn is_known(parent: &str, name: &str) -> bool {
    let path = join(parent, name);
    let envelope = parent.is_empty() && ["attachments", "delivery", "decision"].contains(&name);
    envelope || is_group(&path) || Field::from_path(&path).is_some()
}

/// `delivery`, which the gateway itself writes and ignores; `decision`, which says nothing.
fn envelope(draft: &mut Draft, member: &Member) {
    let name = if member.name == "delivery" { "delivery" } else { "decision" };
    if !matches!(member.node.value, Value::Object(_)) {
        wrong_type(draft, None, member.node.spot.place(name), "an object");
    } else if name == "decision"
        && let Some(first) = member.node.members().first()
    {
        unknown(draft, first, name);
    }
}

fn value(draft: &mut Draft, field: Field, node: &Node) {
    if !field.repeats() {
        scalar(draft, field, node, node.spot.place(field.path()));
        return;
    }
    let Value::Array(elements) = &node.value else {
        wrong_type(draft, Some(field), node.spot.place(field.path()), "an array of texts");
        return;
    };
    if elements.len() > VALUES_MAX {
        draft.notes.push(Issue::error(
            "json-too-many-values",
            Some(field),
            node.spot.place(field.path()),
            "has more than 200 values",
            "send fewer, or attach a document",
        ));
        return;
    }
    for (index, element) in elements.iter().enumerate() {
        let place = element.spot.place(format!("{}[{index}]", field.path()));
        scalar(draft, field, element, place);
    }
}

fn scalar(draft: &mut Draft, field: Field, node: &Node, place: Place) {
    let text = match &node.value {
        Value::Text(text) | Value::Number(text) => text.expose().trim(),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null | Value::Array(_) | Value::Object(_) => {
            wrong_type(draft, Some(field), place, "a text, a number, true or false");
            return;
        }
    };
    if text.is_empty() {
        draft.notes.push(Issue::error(
            "json-empty-text",
            Some(field),
            place,
            "is empty",
            "leave the member out when there is nothing to say",
        ));
        return;
    }
    draft.set(field, text, place);
}

fn attachments(draft: &mut Draft, node: &Node) {
    let Value::Array(documents) = &node.value else {
        wrong_type(draft, None, node.spot.place("attachments"), "an array of objects");
        return;
    };
    if documents.len() > limits::DOCUMENTS_MAX {
        draft.notes.push(Issue::error(
            "attachment-too-many",
            None,
            node.spot.place("attachments"),
            "there are more than 20 documents",
            "send fewer documents in one message",
        ));
        return;
    }
    for (index, document) in documents.iter().enumerate() {
        attachment(draft, document, &format!("attachments[{index}]"));
    }
}

fn attachment(draft: &mut Draft, document: &Node, path: &str) {
    if !matches!(document.value, Value::Object(_)) {
        wrong_type(draft, None, document.spot.place(path), "an object");
        return;
    }
    if document.member("document").is_some() {
        reference(draft, document, path);
        return;
    }
    let members = document.members();
    for member in members.iter().filter(|m| !ATTACHMENT_MEMBERS.contains(&m.name.as_str())) {
        unknown(draft, member, path);
    }
    let texts = ATTACHMENT_MEMBERS.map(|name| {
        let node = document.member(name);
        let text = node.and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
        if text.is_none() {
            let spot = node.map_or(document.spot, |node| node.spot);
            draft.notes.push(Issue::error(
                "attachment-incomplete",
                None,
                spot.place(format!("{path}.{name}")),
                "a document lacks this member, or it is not a text",
                "give name, media_type and content_base64 of every document",
            ));
        }
        text
    });
    let [Some(name), Some(media_type), Some(content)] = texts else { return };
    let spot = document.member("content_base64").map_or(document.spot, |node| node.spot);
    let place = spot.place(format!("{path}.content_base64"));
    match decode_document(content) {
        Ok(content) => draft.attachments.push(DraftAttachment {
            name: PersonalText::new(name),
            media_type: media_type.to_owned(),
            content,
            place,
        }),
        Err(fault) => draft.notes.push(fault.issue(place)),
    }
}

/// A document that was uploaded before. What the gateway writes beside its id and name is ignored.
fn reference(draft: &mut Draft, document: &Node, path: &str) {
    for member in document.members() {
        if !REFERENCE_MEMBERS.contains(&member.name.as_str()) {
            unknown(draft, member, path);
        }
    }
    let text = |name| document.member(name).and_then(Node::text).map(str::trim);
    let place = document.spot.place(format!("{path}.document"));
    match (text("document"), text("name")) {
        (Some(id), Some(name)) if !(id.is_empty() || name.is_empty()) => {
            draft.references.push(DraftReference::new(id, PersonalText::new(name), place));
        }
        _ => draft.notes.push(Issue::error(
            "attachment-incomplete",
            None,
            place,
            "a document that is named by its id lacks the id or a name, or they are not texts",
            "give document (the id of the upload) and name",
        )),
    }
}

/// Why the base64 of a document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentFault {
    TooLarge,
    NotBase64,
    Empty,
}

impl DocumentFault {
    /// The fault as an issue at a place.
    pub(crate) fn issue(self, place: Place) -> Issue {
        let (rule, message, next) = match self {
            Self::TooLarge => (
                "attachment-too-large",
                "a document is larger than 10 MiB",
                "upload it on its own (POST /v1/documents) and name it in the message",
            ),
            Self::NotBase64 => (
                "attachment-base64",
                "a document is not strict base64 (standard alphabet, padded, no line breaks)",
                "encode it as RFC 4648 section 4 says",
            ),
            Self::Empty => ("attachment-empty", "a document has no content", "attach the document"),
        };
        Issue::error(rule, None, place, message, next)
    }
}

/// Decodes a document: standard alphabet, padding required, bounded before a byte is decoded.
pub(crate) fn decode_document(text: &str) -> Result<PersonalBytes, DocumentFault> {
    if text.len() / 4 * 3 > limits::DOCUMENT_BYTES_MAX + 2 {
        return Err(DocumentFault::TooLarge);
    }
    let bytes = STANDARD.decode(text).or(Err(DocumentFault::NotBase64))?;
    match bytes.len() {
        0 => Err(DocumentFault::Empty),
        len if len > limits::DOCUMENT_BYTES_MAX => Err(DocumentFault::TooLarge),
        _ => Ok(PersonalBytes::new(bytes)),
    }
}

fn unknown(draft: &mut Draft, member: &Member, parent: &str) {
    draft.notes.push(Issue::error(
        "json-unknown-member",
        None,
        member.spot.place(parent),
        "holds a member that is not in the schema",
        "check its spelling against the JSON Schema; leave out what is not in it",
    ));
}

fn wrong_type(draft: &mut Draft, field: Option<Field>, place: Place, wanted: &str) {
    let message = format!("is not {wanted}");
    let next = "check it against the JSON Schema";
    draft.notes.push(Issue::error("json-wrong-type", field, place, &message, next));
}

/// The members of a document, all required.
const ATTACHMENT_MEMBERS: [&str; 3] = ["name", "media_type", "content_base64"];
/// The members of a document that is named by its id; only the first two are read.
const REFERENCE_MEMBERS: [&str; 6] = ["document", "name", "media_type", "size", "sha256", "href"];
/// The most values of one repeating field: more is a list out of place, and a document's work.
const VALUES_MAX: usize = 200;
/// The most faults listed for one message.
const NOTES_MAX: usize = 100;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
