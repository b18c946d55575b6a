//! The gateway as a FHIR R4 endpoint: `/fhir/metadata` and `/fhir/$process-message`.
//!
//! Owns what is particular to these routes: headers shaped like those of `BaRS`, errors as
//! `OperationOutcome`, and the response message. What happens to a message is the pipeline's, as
//! for every other route. A second copy is told by `MessageHeader.id` and `Bundle.id` together
//! (FHIR R4, reliable messaging), so no idempotency key is asked for; where a message has neither,
//! by `X-Request-Id`, else by its bytes.
//!
//! The answer is the infrastructure level: `ok` says that the message is durable here, and nothing
//! about a person having read it. Its HTTP status says the same: 200, or that of the fault.

use std::sync::Arc;

use adapters::Format;
use adapters::fhir::capability::Capability;
use adapters::fhir::reply::{
    self, Cause, Dialect, Fault, Identity, Named, Outcome, Party, Reply, ReplyCode,
};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemas::Issue;
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Blame, Kind, Problem};
use super::{Caller, records};
use crate::app::App;
use crate::pipeline::Answer;
use crate::receipt::{RowOutcome, RowResult};

/// The headers that are read here, all optional.
pub(super) const HEADERS: [&str; 7] = [
    "X-Request-Id",
    "X-Correlation-Id",
    "NHSD-Target-Identifier",
    "NHSD-End-User-Organisation",
    "NHSD-Requesting-Software",
    "NHSD-Requesting-Practitioner",
    "Use-Context",
];

/// What the outermost layer must know of a request to these routes, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Exchange {
    echoed: Vec<(&'static str, HeaderValue)>,
    format: Format,
}

impl Exchange {
    /// The exchange that a request begins; `None` when it is not for these routes.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let path = request.uri().path();
        if path != "/fhir" && !path.starts_with("/fhir/") {
            return None;
        }
        let headers = request.headers();
        let ids = ["x-request-id", "x-correlation-id"].into_iter();
        let echoed = ids.filter_map(|name| {
            let value = headers.get(name).filter(|value| is_uuid(value))?;
            Some((name, value.clone()))
        });
        let format = wanted(headers).unwrap_or(Format::Fhir);
        Some(Self { echoed: echoed.collect(), format })
    }

    /// A problem as an `OperationOutcome`.
    pub(super) fn render(&self, problem: &Problem, reference: &str) -> Response {
        let reference = Some(format!("reference {reference}"));
        let outcome = Outcome { reference, ..outcome_of(problem) };
        let body = outcome.write(self.format).unwrap_or_default();
        let mut response = written(problem.kind().status(), self.format, body);
        if matches!(problem.kind(), Kind::TemporarilyUnavailable | Kind::RequestInProgress) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }

    /// Repeats the caller's own ids. Ours moves to a header of its own, on every answer.
    pub(super) fn echo(self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(ours) = headers.get("x-request-id").cloned() {
            headers.insert("ehc-reference", ours);
        }
        for (name, value) in self.echoed {
            headers.insert(name, value);
        }
    }
}

pub(super) async fn capability(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = wanted(&headers)?;
    let version = env!("CARGO_PKG_VERSION");
    let statement = Capability { version, publisher: &app.config.gateway.name };
    let body = statement.write(format).or(Err(cannot_write()))?;
    Ok(written(200, format, body))
}

pub(super) async fn process_message(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let format = wanted(&headers)?;
    well_shaped(&headers)?;
    let mut raw = records::raw_message(&headers, body, String::new())?;
    if !matches!(raw.format, Format::Fhir | Format::FhirXml) {
        let next = "Send application/fhir+json or application/fhir+xml.";
        return Err(Problem::new(Kind::UnsupportedMediaType, next));
    }
    let identity = reply::identity(raw.format, raw.bytes.expose());
    raw.key = key(&identity, &headers, raw.bytes.expose());
    let about = about(&identity, &headers);
    let dialect = identity.dialect;
    let answering = Answering { app: &app, caller: &caller, format, dialect };
    match records::received(&app, &caller, raw, None).await {
        Ok(answer) => answering.answer(about, answer),
        Err(problem) => answering.fault(about, &problem),
    }
}

/// What is needed to write an answer.
struct Answering<'a> {
    app: &'a App,
    caller: &'a Caller,
    format: Format,
    dialect: Dialect,
}

impl Answering<'_> {
    /// The pipeline's answer as a response message. A copy of the message gets a copy of it.
    fn answer(&self, about: Option<String>, answer: Answer) -> Result<Response, Problem> {
        let said: Stored = serde_json::from_slice(&answer.body).or(Err(cannot_write()))?;
        let kind = said.code.as_deref().and_then(Kind::parse);
        let unchanged = |row: &RowOutcome| row.outcome == RowResult::Unchanged;
        let repeated = !said.rows.is_empty() && said.rows.iter().all(unchanged);
        let issues = said.issues.into_iter().chain(said.notes);
        let issues = issues.chain(said.rows.into_iter().flat_map(|row| row.issues)).collect();
        let outcome = Outcome {
            fault: kind.map(|kind| fault(kind, said.detail.unwrap_or_default())),
            issues,
            reference: Some(format!("submission {}", answer.submission)),
            repeated,
            dialect: self.dialect,
        };
        let code = kind.map_or(ReplyCode::Ok, code_of);
        let id = answer.submission.0;
        let status = kind.map_or(200, Kind::status);
        let body = self.message(id, about, (code, &outcome), said.receipt.as_deref())?;
        let media_type = self.dialect.media_type(self.format).to_owned();
        Ok(records::answered(Answer { status, media_type, body, ..answer }))
    }

    /// What kept the pipeline from answering, as a response message: nothing is known of it later.
    fn fault(&self, about: Option<String>, problem: &Problem) -> Result<Response, Problem> {
        let id = self.app.make_id().or(Err(cannot_write()))?;
        let outcome = Outcome { dialect: self.dialect, ..outcome_of(problem) };
        let code = code_of(problem.kind());
        let body = self.message(id, about, (code, &outcome), None)?;
        Ok(written(problem.kind().status(), self.format, body))
    }

    fn message(
        &self,
        id: Uuid,
        about: Option<String>,
        (code, outcome): (ReplyCode, &Outcome),
        receipt: Option<&str>,
    ) -> Result<Vec<u8>, Problem> {
        let (ours, caller) = (&self.app.config.gateway, &self.caller.peer);
        let reply = Reply {
            id,
            about: &about.unwrap_or_else(|| id.to_string()),
            code,
            at: made_at(id).unwrap_or_else(|| self.app.clock.now()),
            from: Named { code: &ours.organisation, name: &ours.name },
            to: Named { code: caller.organisation(), name: caller.name() },
            outcome,
            receipt,
        };
        reply.write(self.format).or(Err(cannot_write()))
    }
}

/// What of a stored answer is said again here: a receipt's body, or a problem's.
#[derive(Deserialize)]
struct Stored {
    code: Option<String>,
    detail: Option<String>,
    receipt: Option<String>,
    #[serde(default)]
    issues: Vec<Issue>,
    #[serde(default)]
    rows: Vec<RowOutcome>,
    #[serde(default)]
    notes: Vec<Issue>,
}

/// Transient is what may go better with the same message; the rest is for good.
fn code_of(kind: Kind) -> ReplyCode {
    match kind {
        Kind::RequestInProgress
        | Kind::TemporarilyUnavailable
        | Kind::NotYetInForce
        | Kind::HeldAfterRestore
        | Kind::Internal => ReplyCode::TransientError,
        Kind::MalformedMessage
        | Kind::MessageRefused
        | Kind::TooLarge
        | Kind::UnsupportedMediaType
        | Kind::NotAcceptable
        | Kind::IdempotencyKeyMissing
        | Kind::IdempotencyKeyReused
        | Kind::NotPermitted
        | Kind::IfMatchRequired
        | Kind::LedgerMoved
        | Kind::NotYoursToDecide
        | Kind::NotFound
        | Kind::NoLongerAvailable
        | Kind::Removed
        | Kind::UnknownMapping
        | Kind::InvalidParameter
        | Kind::UploadOffset
        | Kind::RangeNotSatisfiable
        | Kind::AlreadyDecided => ReplyCode::FatalError,
    }
}

fn outcome_of(problem: &Problem) -> Outcome {
    Outcome {
        fault: Some(fault(problem.kind(), problem.detail().to_owned())),
        issues: problem.issues().to_vec(),
        ..Outcome::default()
    }
}

fn fault(kind: Kind, words: String) -> Fault {
    let party = match kind.blame() {
        Blame::Sender => Party::Sender,
        Blame::Recipient => Party::Recipient,
        Blame::Operator | Blame::Ours => Party::Gateway,
    };
    let cause = match kind {
        Kind::MalformedMessage
        | Kind::TooLarge
        | Kind::UnsupportedMediaType
        | Kind::IdempotencyKeyMissing
        | Kind::UnknownMapping
        | Kind::IfMatchRequired
        | Kind::RangeNotSatisfiable
        | Kind::InvalidParameter => Cause::BadRequest,
        Kind::MessageRefused => Cause::UnprocessableEntity,
        Kind::NotAcceptable => Cause::NotAcceptable,
        Kind::IdempotencyKeyReused
        | Kind::RequestInProgress
        | Kind::UploadOffset
        | Kind::LedgerMoved
        | Kind::AlreadyDecided => Cause::Conflict,
        Kind::NotPermitted | Kind::NotYoursToDecide => Cause::Forbidden,
        Kind::NotFound | Kind::NoLongerAvailable | Kind::Removed => Cause::NotFound,
        Kind::TemporarilyUnavailable | Kind::NotYetInForce | Kind::HeldAfterRestore => {
            Cause::Unavailable
        }
        Kind::Internal => Cause::ServerError,
    };
    Fault { party, cause, rule: kind.code().to_owned(), words }
}

/// The key by which a second copy is known. The space keeps it apart from every key in a header.
fn key(identity: &Identity, headers: &HeaderMap, bytes: &[u8]) -> String {
    match (&identity.message, &identity.bundle, request_id(headers)) {
        (None, None, Some(request)) => format!("fhir request {request}"),
        (None, None, None) => format!("fhir bytes {}", crate::entropy::sha256_hex(bytes)),
        (message, bundle, _) => {
            let part = |id: &Option<String>| id.clone().unwrap_or_default();
            format!("fhir message {} {}", part(message), part(bundle))
        }
    }
}

/// What the answer says it is about: the header's id, or the next best the sender will know.
fn about(identity: &Identity, headers: &HeaderMap) -> Option<String> {
    let next_best = || identity.bundle.clone().or_else(|| request_id(headers));
    identity.message.clone().or_else(next_best)
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-request-id").filter(|value| is_uuid(value))?;
    value.to_str().ok().map(str::to_owned)
}

fn is_uuid(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.len() == 36 && Uuid::try_parse(text).is_ok())
}

/// Headers shaped like those of `BaRS` are refused when they are there and are not that. What they
/// say is not believed: the certificate says who calls, and the message what it is about.
fn well_shaped(headers: &HeaderMap) -> Result<(), Problem> {
    let wrong = |detail: &str| Err(Problem::new(Kind::InvalidParameter, detail));
    for name in ["x-request-id", "x-correlation-id"] {
        if headers.get(name).is_some_and(|value| !is_uuid(value)) {
            return wrong(
                "X-Request-Id and X-Correlation-Id are UUIDs. Send them so, or not at all.",
            );
        }
    }
    let members = |name: &str| headers.get(name).map(decoded);
    if let Some(target) = members("nhsd-target-identifier") {
        let text = |name| target.as_ref().and_then(|t| t.get(name)).is_some_and(is_text);
        if !text("system") || !text("value") {
            return wrong(
                "NHSD-Target-Identifier is the base64 of {\"system\": ..., \"value\": ...}. Send it so, or not at all.",
            );
        }
    }
    for (name, kinds) in FRAGMENTS {
        let Some(fragment) = members(name) else { continue };
        let kind = fragment.as_ref().and_then(|f| f.get("resourceType")).and_then(|k| k.as_str());
        if !kind.is_some_and(|kind| kinds.contains(&kind)) {
            return wrong(
                "NHSD-End-User-Organisation, NHSD-Requesting-Software and NHSD-Requesting-Practitioner are FHIR resources in base64: an Organization, a Device, a PractitionerRole. Send them so, or not at all.",
            );
        }
    }
    Ok(())
}

fn is_text(value: &serde_json::Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn decoded(value: &HeaderValue) -> Option<serde_json::Value> {
    let bytes = STANDARD.decode(value.as_bytes()).ok()?;
    serde_json::from_slice(&bytes).ok().filter(serde_json::Value::is_object)
}

/// The form of the answer: as `Accept` says, JSON when it does not.
fn wanted(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(accept) = headers.get(header::ACCEPT) else { return Ok(Format::Fhir) };
    let accept = accept.to_str().unwrap_or_default();
    let form = |range: &str| match range.split(';').next().unwrap_or_default().trim() {
        "application/fhir+json" | "application/json" | "application/*" | "*/*" => {
            Some(Format::Fhir)
        }
        "application/fhir+xml" | "application/xml" => Some(Format::FhirXml),
        _ => None,
    };
    accept.split(',').find_map(form).ok_or_else(|| {
        let next = "Accept application/fhir+json or application/fhir+xml.";
        Problem::new(Kind::NotAcceptable, next)
    })
}

fn written(status: u16, format: Format, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, format.media_type())], body).into_response()
}

fn cannot_write() -> Problem {
    Problem::new(Kind::Internal, "The answer could not be written. Send the same message again.")
}

/// When an id of ours was made (UUID version 7), so that every copy of an answer has one time.
fn made_at(id: Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

/// The headers that hold a resource, and which resources those are.
const FRAGMENTS: [(&str, &[&str]); 3] = [
    ("nhsd-end-user-organisation", &["Organization"]),
    ("nhsd-requesting-software", &["Device"]),
    ("nhsd-requesting-practitioner", &["Practitioner", "PractitionerRole"]),
];
