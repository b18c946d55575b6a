//! The API's description, OpenAPI 3.1, made from the table of routes and the canonical schema.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::problem::Kind;
use super::{Purposes, ROUTES, Route, RouteId, purposes};
use crate::audit::purpose::Purpose;

pub(super) async fn describe() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// The whole description.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        // OpenAPI knows no path of several parts: it is one parameter there.
        let path = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_lowercase(), operation(route));
        }
    }
    let codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    let mut message = schemas::message_schema();
    // OpenAPI 3.1 takes JSON Schema 2020-12 as it is; nested definitions move up one floor.
    let definitions = message.as_object_mut().and_then(|schema| schema.remove("$defs"));
    let mut components = Map::new();
    for (name, schema) in definitions.and_then(|d| d.as_object().cloned()).unwrap_or_default() {
        components.insert(name, lifted(schema));
    }
    components.insert("Message".to_owned(), lifted(message));
    components.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "required": ["type", "title", "status", "code", "detail", "instance"],
            "properties": {
                "type": { "type": "string", "format": "uri" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "code": { "type": "string", "enum": codes },
                "detail": { "type": "string" },
                "blame": { "type": "string", "enum": ["sender", "recipient", "operator", "ours"] },
                "instance": { "type": "string", "format": "uri" },
                "issues": { "type": "array", "items": { "type": "object" } },
            },
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "EHC Gateway partner API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Advice requests, answers, consent and evidence between a local authority and the health bodies around it. Mutual TLS 1.3 only.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "https://localhost:8443" }],
        "security": [{ "mutualTLS": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "mutualTLS": { "type": "mutualTLS" } },
            "schemas": components,
        },
    })
}

/// What needs no idempotency key: it changes nothing, or tells a repetition by other means.
const WITHOUT_KEY: [RouteId; 10] = [
    RouteId::Rehearse,
    RouteId::FindConsents,
    RouteId::FindCase,
    RouteId::WhoHasSeen,
    RouteId::MakeReport,
    RouteId::SearchLog,
    RouteId::PreviewConsent,
    RouteId::ShowCheckpoint,
    RouteId::ProcessMessage,
    RouteId::AppendDocument,
];

fn operation(route: &Route) -> Value {
    let roles: Vec<_> = route.roles.iter().map(|role| role.as_str()).collect();
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
        .map(|name| name.trim_start_matches('*'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for name in query_parameters(route.id) {
        parameters.push(json!({ "name": name, "in": "query", "schema": { "type": "string" } }));
    }
    let once = route.method == "POST" && !WITHOUT_KEY.contains(&route.id);
    if once {
        parameters.push(header_parameter("Idempotency-Key", true));
    }
    if route.id == RouteId::RecordConsent {
        parameters.push(header_parameter("If-Match", false));
    }
    if route.id == RouteId::AppendDocument {
        parameters.push(header_parameter("Upload-Offset", true));
    }
    if route.id == RouteId::Document {
        parameters.push(header_parameter("Range", false));
        parameters.push(header_parameter("If-Range", false));
    }
    if route.person {
        parameters.push(header_parameter("EHC-Acting-User", true));
        parameters.push(header_parameter("EHC-Acting-Role", false));
    }
    if purposes(route.id) != Purposes::Unread {
        parameters.push(purpose());
    }
    if route.id == RouteId::ProcessMessage {
        parameters.extend(super::fhir::HEADERS.map(|name| header_parameter(name, false)));
    }
    let keeps = once || route.id == RouteId::ProcessMessage;
    let headers = if keeps { answer_headers() } else { json!({}) };
    let (fault, schema) = if route.path.starts_with("/fhir/") {
        ("application/fhir+json", json!({ "type": "object" }))
    } else {
        ("application/problem+json", json!({ "$ref": "#/components/schemas/Problem" }))
    };
    let mut operation = json!({
        "operationId": format!("{:?}", route.id),
        "summary": route.summary,
        "description": format!("For: {}.", roles.join(", ")),
        "parameters": parameters,
        "responses": {
            "200": { "description": "Done.", "headers": headers },
            "201": { "description": "Stored, and answered with a signed receipt.", "headers": headers },
            "default": {
                "description": "A problem; `code` names it.",
                "content": { fault: { "schema": schema } },
            },
        },
    });
    if let (RouteId::Document, Some(answers)) =
        (route.id, operation.pointer_mut("/responses").and_then(Value::as_object_mut))
    {
        answers.remove("201");
        answers.insert("206".to_owned(), json!({ "description": "The range that was asked for." }));
    }
    if let (Some(body), Some(object)) = (request_body(route.id), operation.as_object_mut()) {
        object.insert("requestBody".to_owned(), body);
    }
    operation
}

/// The headers of an answer that is given once per idempotency key.
fn answer_headers() -> Value {
    let header =
        |kind: &str, text: &str| json!({ "description": text, "schema": { "type": kind } });
    json!({
        "EHC-Submission": header("string", "The submission; quote it when you ask about it."),
        "EHC-Log-Entry": header("integer", "The place of its entry in the audit log, from 0."),
        "EHC-Log-Checkpoint": header("string", "A signed checkpoint that covers the entry, in base64; keep it."),
        "Idempotency-Replayed": header("string", "`true` when this answer was given before; absent otherwise."),
    })
}

fn header_parameter(name: &str, required: bool) -> Value {
    json!({ "name": name, "in": "header", "required": required, "schema": { "type": "string" } })
}

/// Why somebody looks.
fn purpose() -> Value {
    json!({
        "name": "EHC-Purpose", "in": "header", "required": false,
        "description": "Why somebody looks; it stands in the entry that the look leaves. A gateway may require it of people who look at something about a child.",
        "schema": { "type": "string", "enum": Purpose::codes() },
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most routes take none")]
fn query_parameters(id: RouteId) -> &'static [&'static str] {
    match id {
        RouteId::Submit => &["dry-run"],
        RouteId::Inbox => &["cursor", "limit", "all"],
        RouteId::Board => &[
            "open",
            "overdue",
            "organisation",
            "service",
            "state",
            "due_from",
            "due_until",
            "cursor",
            "limit",
        ],
        RouteId::Clocks => &["open", "period", "owner", "cursor", "limit"],
        RouteId::Performance => &["month", "as_of", "by", "organisation"],
        RouteId::Holds => &["rule", "from", "to", "older-than", "cursor", "limit"],
        RouteId::Alerts => &["rule", "state", "kind", "cursor", "limit"],
        RouteId::Deliveries => &["state", "limit"],
        RouteId::Transitions => &["gaps", "all", "cursor", "limit"],
        RouteId::Checkpoint => &["cosigned"],
        RouteId::Entries => &["from", "limit"],
        RouteId::ShowReconciliation => &["version"],
        RouteId::RetentionDue => &["within"],
        RouteId::Inclusion => &["size"],
        RouteId::Consistency => &["from", "to"],
        // All others say what they mean in their path or their body.
        _ => &[],
    }
}

/// What the owner of a clock says of it.
fn word_about_a_clock() -> Value {
    let date = json!({ "type": "string", "format": "date" });
    json!({
        "type": "object",
        "properties": {
            "met_on": date, "exception": { "type": "string" },
            "from": date, "until": date, "asked_on": date,
        },
    })
}

/// What is drawn at random.
fn draw() -> Value {
    let date = json!({ "type": "string", "format": "date" });
    json!({
        "type": "object", "required": ["from", "until", "count"],
        "properties": {
            "from": date, "until": date, "organisation": { "type": "string" },
            "count": { "type": "integer", "minimum": 1, "maximum": 200 },
        },
    })
}

/// An organisation's staff.
fn staff() -> Value {
    let texts = json!({ "type": "array", "maxItems": 4, "items": { "type": "string" } });
    let member = json!({
        "type": "object", "required": ["user"],
        "properties": { "user": { "type": "string" }, "surnames": texts, "postcodes": texts },
    });
    json!({
        "type": "object", "required": ["staff"],
        "properties": { "staff": {
            "type": "array", "maxItems": crate::odd_access::STAFF_MAX, "items": member,
        } },
    })
}

/// Whose record, why, and what kind of answer.
fn who_has_seen() -> Value {
    let date = json!({ "type": "string", "format": "date" });
    json!({
        "type": "object", "required": ["reason"],
        "properties": {
            "nhs_number": { "type": "string" },
            "person_id": { "type": "string" }, "id_of": { "type": "string" },
            "reason": { "enum": crate::access_report::Reason::CODES },
            "from": date, "until": date,
            "for_family": { "type": "boolean" }, "proof": { "type": "boolean" },
        },
    })
}

/// Which days, of whom, why, and in which form.
fn report() -> Value {
    let date = json!({ "type": "string", "format": "date" });
    json!({
        "type": "object", "required": ["reason"],
        "properties": {
            "reason": { "enum": crate::access_report::Reason::CODES },
            "from": date, "until": date,
            "organisation": { "type": "string" }, "user": { "type": "string" },
            "nhs_number": { "type": "string" },
            "person_id": { "type": "string" }, "id_of": { "type": "string" },
            "outside": { "type": "boolean" },
            "accesses": { "type": "integer", "minimum": 1 },
            "again": { "type": "integer", "minimum": 1 },
            "form": { "enum": ["csv", "xlsx"] },
        },
    })
}

/// What is searched for in the log, and why.
fn log_search() -> Value {
    let date = json!({ "type": "string", "format": "date" });
    let text = json!({ "type": "string" });
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": crate::log_search::LIMIT_MAX,
    });
    json!({
        "type": "object", "required": ["reason"],
        "properties": {
            "reason": { "enum": crate::access_report::Reason::CODES },
            "nhs_number": text, "person_id": text, "id_of": text,
            "user": text, "user_of": text, "person": text,
            "organisation": text, "counterparty": text,
            "kinds": { "type": "array", "items": text },
            "purpose": text, "authority": text, "outcome": text,
            "from": date, "until": date,
            "before": { "type": "integer", "minimum": 0 }, "limit": limit,
        },
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all others are fetched, or need no body")]
fn request_body(id: RouteId) -> Option<Value> {
    if let Some((_, members)) = CODED.iter().find(|(coded, _)| *coded == id) {
        return Some(json!({ "required": true, "content": codes(members) }));
    }
    let message = json!({ "schema": { "$ref": "#/components/schemas/Message" } });
    let text = json!({ "schema": { "type": "string" } });
    let object = json!({ "schema": { "type": "object" } });
    let content = match id {
        RouteId::PreviewConsent => json!({
            "application/json": message, "application/fhir+json": object,
        }),
        RouteId::ShowCheckpoint => json!({ "text/plain": text }),
        RouteId::Submit | RouteId::Rehearse | RouteId::RecordConsent => json!({
            "application/json": message, "application/fhir+json": object, "text/csv": text,
            "application/zip": {},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {},
        }),
        RouteId::ProcessMessage => json!({
            "application/fhir+json": object, "application/fhir+xml": text,
        }),
        RouteId::Acknowledge => json!({ "application/json": { "schema": {
            "type": "object",
            "required": ["outcome"],
            "properties": {
                "outcome": { "enum": ["accepted", "rejected"] },
                "reason": { "$ref": "#/components/schemas/RejectionReason" },
                "checkpoint": { "type": "string", "description": "The newest checkpoint of the gateway's log that you hold; one it does not know means it was restored, and nothing is released." },
            },
        } } }),
        RouteId::FindConsents => json!({ "application/json": { "schema": {
            "type": "object", "required": ["nhs_number"],
            "properties": { "nhs_number": { "type": "string" } },
        } } }),
        RouteId::WhoHasSeen => json!({ "application/json": { "schema": who_has_seen() } }),
        RouteId::MakeReport => json!({ "application/json": { "schema": report() } }),
        RouteId::PlaceLegalHold => json!({ "application/json": { "schema": legal_hold() } }),
        RouteId::SearchLog => json!({ "application/json": { "schema": log_search() } }),
        RouteId::BeginDocument => json!({ "application/json": { "schema": {
            "type": "object", "required": ["size"],
            "properties": {
                "size": { "type": "integer", "minimum": 1, "maximum": crate::documents::DOCUMENT_BYTES_MAX },
                "sha256": { "type": "string", "pattern": "^[0-9a-fA-F]{64}$" },
            },
        } } }),
        RouteId::SampleAccesses => json!({ "application/json": { "schema": draw() } }),
        RouteId::ListStaff => json!({ "application/json": { "schema": staff() } }),
        RouteId::SayOfClock => json!({ "application/json": { "schema": word_about_a_clock() } }),
        RouteId::AppendDocument => json!({ "application/octet-stream": {} }),
        RouteId::Recall
        | RouteId::FindCase
        | RouteId::AnswerReconciliation
        | RouteId::ExplainDifference => json!({ "application/json": { "schema": letter(id) } }),
        // What is fetched has no body.
        _ => return None,
    };
    Some(json!({ "required": true, "content": content }))
}

/// What is sent about recalls, cases and reconciliations.
fn letter(id: RouteId) -> Value {
    if id == RouteId::Recall {
        return json!({
            "type": "object", "required": ["reason"],
            "properties": {
                "reason": { "enum": recall_reasons() },
                "recipient": { "type": "string" },
            },
        });
    }
    if id == RouteId::FindCase {
        return json!({
            "type": "object",
            "properties": {
                "record": { "type": "string", "format": "uuid" },
                "reference": { "type": "string" },
                "authority": { "type": "string" },
            },
        });
    }
    if id == RouteId::ExplainDifference {
        return json!({
            "type": "object", "required": ["code"],
            "properties": { "code": { "enum": crate::reconciliation::EXPLANATION_CODES } },
        });
    }
    json!({
        "type": "object", "required": ["version", "outcome"],
        "properties": {
            "version": { "type": "integer", "minimum": 1 },
            "outcome": { "enum": ["agreed", "differs"] },
            "differences": { "type": "array", "items": {
                "type": "object", "required": ["item", "code"],
                "properties": {
                    "item": { "type": "string", "format": "uuid" },
                    "code": { "enum": crate::reconciliation::DIFFERENCE_CODES },
                },
            } },
        },
    })
}

/// A legal hold: on one of a person, a case, or everything.
fn legal_hold() -> Value {
    json!({
        "type": "object", "required": ["reason", "reference"],
        "properties": {
            "nhs_number": { "type": "string" },
            "person_id": { "type": "string" },
            "id_of": { "type": "string" },
            "case": { "type": "string", "format": "uuid" },
            "everything": { "type": "boolean" },
            "reason": { "enum": crate::retention::legal::REASONS },
            "reference": { "type": "string", "minLength": 1, "maxLength": 40 },
        },
    })
}

/// Why a message may be recalled, by the catalogue.
fn recall_reasons() -> Vec<&'static str> {
    let field = schemas::catalogue::Catalogue::built_in().field("recall_reason");
    field.map(|field| field.codes.iter().map(String::as_str).collect()).unwrap_or_default()
}

/// A member, and the codes it may be.
type Coded = (&'static str, &'static [&'static str]);

/// Bodies whose members are all codes of closed lists, by route.
const CODED: [(RouteId, &[Coded]); 8] = [
    (
        RouteId::DecideHold,
        &[("decision", &["release", "refuse"]), ("reason", &crate::journey::HOLD_REASONS)],
    ),
    (
        RouteId::AskAboutHold,
        &[("of", &["sender", "recipient"]), ("question", &crate::holds::QUESTIONS)],
    ),
    (
        RouteId::BreakGlass,
        &[
            ("basis", &crate::holds::BREAK_GLASS_BASES),
            ("reason", &crate::holds::BREAK_GLASS_REASONS),
        ],
    ),
    (RouteId::AnswerQuestion, &[("answer", &crate::holds::ANSWERS)]),
    (
        RouteId::CloseReview,
        &[("outcome", &["upheld", "not-upheld"]), ("finding", &crate::holds::FINDINGS)],
    ),
    (
        RouteId::DecideAlert,
        &[("outcome", &crate::odd_access::OUTCOMES), ("reason", &crate::odd_access::REASONS)],
    ),
    (RouteId::Resend, &[("reason", &crate::repair::RESEND_REASONS)]),
    (RouteId::LiftLegalHold, &[("reason", &crate::retention::legal::LIFT_REASONS)]),
];

/// A body whose members are all codes of closed lists, and all required.
fn codes(members: &[Coded]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = members
        .iter()
        .map(|(name, codes)| ((*name).to_owned(), json!({ "enum": codes })))
        .collect();
    json!({ "application/json": { "schema": {
        "type": "object", "required": names, "properties": properties,
    } } })
}

/// References to `#/$defs/X` become references to `#/components/schemas/X`.
fn lifted(schema: Value) -> Value {
    let text = schema.to_string().replace("#/$defs/", "#/components/schemas/");
    serde_json::from_str(&text).unwrap_or(schema)
}
