//! The JSON Schema of the canonical message, generated from the types.
//!
//! The schema gives the shape; the rules of [`check`](crate::check) decide. It is written to
//! `schemas/record/message-v1.schema.json`, and a test compares the two.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Message;
use crate::catalogue::{Catalogue, ValueKind};

/// A document as it travels in canonical JSON, in the member `attachments` of the message: with its
/// bytes, or by the id under which it was uploaded before.
///
/// For the schema only: what is read becomes a [`DraftAttachment`](crate::DraftAttachment), whose
/// content decides its type, or a [`DraftReference`](crate::DraftReference).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WireAttachment {
    /// With its bytes.
    Inside(WireContent),
    /// Uploaded before.
    Stored(WireReference),
}

/// A document with its bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireContent {
    /// The file name; reduced to letters, digits, `-`, `_` and `.` when accepted.
    pub name: String,
    /// The media type as the sender has it; the content decides.
    pub media_type: String,
    /// The bytes in base64 (RFC 4648 section 4, with padding).
    #[schemars(extend("contentEncoding" = "base64"))]
    pub content_base64: String,
    /// The SHA-256 digest of the bytes, 64 hexadecimal digits, so that damage is noticed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
}

/// A document that was uploaded before (`POST /v1/documents`). A sender gives `document` and
/// `name`; the gateway adds the rest for the recipient, and ignores it when it is sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WireReference {
    /// The id of the upload.
    #[schemars(extend("format" = "uuid"))]
    pub document: String,
    /// The file name; reduced to letters, digits, `-`, `_` and `.` when accepted.
    pub name: String,
    /// The media type found from the content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// How many bytes it has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// The SHA-256 digest of the bytes, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
    /// The path at this gateway from which the recipient fetches it, in ranges if it likes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub href: Option<String>,
}

impl std::fmt::Debug for WireAttachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WireAttachment(hidden)")
    }
}

/// The JSON Schema (draft 2020-12) of the canonical message, version 1.
pub fn message_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let documents = generator.subschema_for::<Vec<WireAttachment>>();
    let root = generator.into_root_schema_for::<Message>();
    let mut schema = Schema::to_value(root);
    close(&mut schema);
    free_decision(&mut schema);
    if let Some(particulars) = schema.pointer_mut("/$defs/Particulars") {
        *particulars = particulars_schema();
    }
    let Some(members) = schema.as_object_mut() else { return schema };
    members.insert("$id".to_owned(), json!("urn:ehc-gateway:schema:message:1"));
    members.insert("title".to_owned(), json!("EHC Gateway canonical message, version 1"));
    members.insert("unevaluatedProperties".to_owned(), json!(false));
    members.remove("additionalProperties");
    if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
        let mut documents = documents.to_value();
        if let Some(documents) = documents.as_object_mut() {
            documents.insert("description".to_owned(), json!("Documents that come with it."));
        }
        properties.insert("attachments".to_owned(), documents);
        properties.insert(
            "version".to_owned(),
            json!({"description": "The version of this schema.", "const": crate::SCHEMA_VERSION}),
        );
    }
    schema
}

/// The names of the catalogue with their kinds. Which of them a type needs, the check decides.
fn particulars_schema() -> Value {
    let named = Catalogue::built_in().fields().iter().map(|field| {
        let mut schema = match field.kind {
            ValueKind::Flag => json!({"type": "boolean"}),
            ValueKind::Date => json!({"type": "string", "format": "date"}),
            ValueKind::Number => json!({"type": "string", "pattern": "^-?[0-9]+$"}),
            ValueKind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            ValueKind::Code => json!({"type": "string", "enum": field.codes}),
            ValueKind::Organisation => json!({"$ref": "#/$defs/OrganisationCode"}),
            ValueKind::Reference => json!({"$ref": "#/$defs/MessageId"}),
            ValueKind::NhsNumber => json!({"$ref": "#/$defs/NhsNumber"}),
            ValueKind::Line | ValueKind::Text => json!({"type": "string"}),
        };
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), json!(field.words));
        }
        (field.name.clone(), schema)
    });
    json!({
        "type": "object",
        "description": "What the message says, by the names of the catalogue.",
        "properties": named.collect::<serde_json::Map<_, _>>(),
        "additionalProperties": false,
    })
}

/// Says of every object with named members that it has no others, as the readers have it. The
/// variants of the body are left open: the message as a whole closes them.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            for (name, member) in members.iter_mut() {
                if name == "oneOf" {
                    continue;
                }
                close(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The `decision` of the consent messages says nothing, so a sender need not write it: the last
/// variant of the body is then that none of the others is there.
fn free_decision(schema: &mut Value) {
    let Some(variants) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else { return };
    let (decisions, others): (Vec<_>, Vec<_>) =
        variants.iter_mut().partition(|variant| variant.pointer("/properties/decision").is_some());
    let required = |variant: &Value| variant.get("required").cloned().unwrap_or_default();
    let others: Vec<Value> = others.iter().map(|v| json!({"required": required(v)})).collect();
    for decision in decisions {
        if let Some(members) = decision.as_object_mut() {
            members.remove("required");
            members.insert("not".to_owned(), json!({"anyOf": others}));
        }
    }
}
