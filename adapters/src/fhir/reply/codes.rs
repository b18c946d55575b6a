//! The codes of an `OperationOutcome`: whose move it is, what happened, and FHIR's own types.

use serde_json::{Value, json};

use super::{Cause, Party};

/// The code that says who failed and how.
pub(super) fn coding(party: Party, cause: Cause) -> Value {
    let prefix = match party {
        Party::Sender => "SEND",
        Party::Gateway => "PROXY",
        Party::Recipient => "REC",
    };
    let name = match cause {
        Cause::BadRequest => "BAD_REQUEST",
        Cause::Forbidden => "FORBIDDEN",
        Cause::NotFound => "NOT_FOUND",
        Cause::NotAcceptable => "NOT_ACCEPTABLE",
        Cause::Conflict => "CONFLICT",
        Cause::UnprocessableEntity => "UNPROCESSABLE_ENTITY",
        Cause::TooManyRequests => "TOO_MANY_REQUESTS",
        Cause::ServerError => "SERVER_ERROR",
        Cause::Unavailable => "UNAVAILABLE",
    };
    json!({"system": HTTP_ERROR_CODES, "code": format!("{prefix}_{name}")})
}

/// FHIR's type of a fault as a whole (`issue-type`, R4).
pub(super) fn of_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::BadRequest | Cause::UnprocessableEntity => "invalid",
        Cause::Forbidden => "forbidden",
        Cause::NotFound => "not-found",
        Cause::NotAcceptable => "not-supported",
        Cause::Conflict => "conflict",
        Cause::TooManyRequests => "throttled",
        Cause::ServerError => "exception",
        Cause::Unavailable => "transient",
    }
}

/// FHIR's type of a broken rule; `invalid` where it has no better word.
pub(super) fn of_rule(rule: &str) -> &'static str {
    match rule {
        "missing" | "subject-identifier-missing" => "required",
        "type-not-carried" | "format-not-read" | "fhir-resource-ignored" => "not-supported",
        "type-not-for-role" | "sender-not-you" => "forbidden",
        "id-reused" => "duplicate",
        "leg-unknown" | "leg-not-found" => "not-found",
        "leg-ambiguous" => "multiple-matches",
        "leg-settled" => "conflict",
        "fhir-wrong-type" | "fhir-not-a-bundle" | "fhir-bundle-type" | "fhir-first-entry" => {
            "structure"
        }
        "fhir-modifier-extension" => "extension",
        _ if rule.starts_with("json-") || rule.starts_with("xml-") => "structure",
        _ => "invalid",
    }
}

/// The code system of `BaRS`, spelled as it is published.
const HTTP_ERROR_CODES: &str = "https://fhir.nhs.uk/Codesystem/http-error-codes";
