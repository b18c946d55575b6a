//! The codes of an `OperationOutcome`: whose move it is, what happened, and FHIR's own types.

use serde_json::{Value, json};

use super::{Cause, Outcome, Party};

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
        "format-not-read" | "fhir-resource-ignored" => "not-supported",
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

/// Puts the response codes of ITK before ours, in the first thing that is said.
pub(super) fn add_itk(outcome: &Outcome, issues: &mut [Value]) {
    let codes = itk(outcome);
    let codings = codes.iter().map(|code| json!({"system": ITK_RESPONSE_CODES, "code": code}));
    let mut codings: Vec<Value> = codings.collect();
    let details = issues.first_mut().and_then(|issue| issue.get_mut("details"));
    let Some(details) = details.and_then(Value::as_object_mut) else { return };
    if let Some(Value::Array(ours)) = details.get("coding") {
        codings.extend(ours.iter().cloned());
    }
    if !codings.is_empty() {
        details.insert("coding".to_owned(), Value::Array(codings));
    }
}

/// The response codes of ITK that say the same; none where it is not known what became of it.
fn itk(outcome: &Outcome) -> &'static [&'static str] {
    let Some(fault) = &outcome.fault else {
        return if outcome.repeated { &[DUPLICATE_MESSAGE] } else { &[TAKEN, PATIENT_KNOWN] };
    };
    if matches!(
        fault.cause,
        Cause::Conflict | Cause::TooManyRequests | Cause::ServerError | Cause::Unavailable
    ) {
        return &[];
    }
    let broken = |rules: &[&str]| {
        outcome.issues.iter().any(|issue| issue.is_error() && rules.contains(&issue.rule.as_str()))
    };
    if fault.cause == Cause::Forbidden || broken(&["sender-not-you", "type-not-for-role"]) {
        &[SENDER_NOT_AUTHORISED]
    } else if broken(&["leg-not-found", "identity-mismatch"]) {
        &[PATIENT_NOT_KNOWN]
    } else {
        &[PAYLOAD_INVALID]
    }
}

const ITK_RESPONSE_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/ITK-ResponseCodes-1";
const TAKEN: &str = "20013";
const DUPLICATE_MESSAGE: &str = "20007";
const PAYLOAD_INVALID: &str = "20009";
const SENDER_NOT_AUTHORISED: &str = "20012";
const PATIENT_KNOWN: &str = "30001";
const PATIENT_NOT_KNOWN: &str = "30002";
/// The code system of `BaRS`, spelled as it is published.
const HTTP_ERROR_CODES: &str = "https://fhir.nhs.uk/Codesystem/http-error-codes";
