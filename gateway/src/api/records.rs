//! Submitting messages, rehearsing them, and following a record's journey.

use std::sync::Arc;

use adapters::Format;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::{PersonalBytes, RecordId};
use serde::Deserialize;
use uuid::Uuid;

use super::Caller;
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::pipeline::{self, Answer, RawMessage};
use crate::store::Notice;

/// Query parameters of a submission.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitQuery {
    #[serde(default, rename = "dry-run")]
    dry_run: bool,
}

pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<SubmitQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.or(Err(Problem::new(
        Kind::InvalidParameter,
        "The only query parameter here is dry-run=true.",
    )))?;
    if query.dry_run {
        return rehearse(State(app), Extension(caller), headers, body).await;
    }
    let raw = raw_message(&headers, body, idempotency_key(&headers)?)?;
    take(&app, &caller, raw).await
}

/// Receives a message to its end, whether or not the caller waits for the answer: a retry then
/// finds it. Shared with the consent routes.
pub(super) async fn take(
    app: &Arc<App>,
    caller: &Caller,
    raw: RawMessage,
) -> Result<Response, Problem> {
    Ok(answered(received(app, caller, raw, None).await?))
}

/// The same, for a caller that writes the answer in a form of its own; made on what the caller has
/// seen of the person's ledger, when it says so.
pub(super) async fn received(
    app: &Arc<App>,
    caller: &Caller,
    raw: RawMessage,
    expected: Option<String>,
) -> Result<Answer, Problem> {
    let (receiving, sender) = (Arc::clone(app), caller.sender());
    // The entry that is made there is this request's.
    let notice = Notice::current();
    let receive = async move { pipeline::receive_if(&receiving, &sender, raw, expected).await };
    let received = tokio::spawn(async move { Box::pin(notice.over(receive)).await });
    let received = received.await;
    let answer = received.or(Err(Problem::new(
        Kind::Internal,
        "Quote the reference to the operator. Send the request again with the same idempotency key.",
    )))??;
    app.metrics.submission(caller.peer.organisation(), answer.status);
    Ok(answer.with_checkpoint(app).await?)
}

pub(super) async fn rehearse(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let raw = raw_message(&headers, body, String::new())?;
    let preview = pipeline::rehearse(&app, &caller.sender(), raw).await?;
    Ok(Json(preview).into_response())
}

pub(super) async fn journey(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    let record = record_id(&record)?;
    let viewer = (!caller.has(crate::peer::Role::IgAuditor)).then(|| caller.peer.organisation());
    let journey = crate::journey::of_record(&app, record, viewer, &caller.actor).await?;
    Ok(Json(journey.ok_or_else(no_such_record)?).into_response())
}

pub(super) async fn authority(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    let record = record_id(&record)?;
    let viewer = (!caller.has(crate::peer::Role::IgAuditor)).then(|| caller.peer.organisation());
    let found = crate::accountability::of_record(&app, record, viewer, &caller.actor).await?;
    Ok(Json(found.ok_or_else(no_such_record)?).into_response())
}

fn record_id(text: &str) -> Result<RecordId, Problem> {
    Uuid::try_parse(text).map(RecordId).map_err(|_syntax| no_such_record())
}

fn no_such_record() -> Problem {
    Problem::new(Kind::NotFound, "No record with this id concerns your organisation.")
}

/// The idempotency key every POST must carry.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let key = key.map(|key| key.trim_matches('"').to_owned()).unwrap_or_default();
    let printable = key.chars().all(|c| c.is_ascii_graphic());
    if key.is_empty() || key.len() > KEY_CHARS_MAX || !printable {
        return Err(Problem::new(
            Kind::IdempotencyKeyMissing,
            "Send an Idempotency-Key header of 1 to 128 printable characters, such as a UUID, and the same one when you retry.",
        ));
    }
    Ok(key)
}

/// The body as it came, with its format. Shared with the consent routes.
pub(super) fn raw_message(
    headers: &HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
    key: String,
) -> Result<RawMessage, Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = media_type.and_then(Format::from_media_type).ok_or_else(|| {
        Problem::new(
            Kind::UnsupportedMediaType,
            "Send text/csv, a workbook (.xlsx), a set as application/zip, application/json or application/fhir+json.",
        )
    })?;
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "Send the body without a content encoding.",
        ));
    }
    let body = body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Kind::TooLarge, "Send at most 32 MiB in one submission; split the batch.")
        } else {
            Problem::new(
                Kind::MalformedMessage,
                "The body broke off before its end. Send it again.",
            )
        }
    })?;
    let mapping = headers.get("ehc-mapping").and_then(|value| value.to_str().ok());
    Ok(RawMessage {
        format,
        mapping: mapping.map(str::to_owned),
        bytes: PersonalBytes::new(body.to_vec()),
        key,
    })
}

/// What an idempotency key of a small request stands for: the act, its object and its body.
pub(super) fn request_bytes(what: &str, id: impl std::fmt::Display, body: &[u8]) -> Vec<u8> {
    [format!("{what} {id}\n").as_bytes(), body].concat()
}

/// The pipeline's answer on the wire.
pub(super) fn answered(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    let mut set = |name: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set("content-type", &answer.media_type);
    set("ehc-submission", &answer.submission.to_string());
    if let Some(entry) = answer.entry {
        set("ehc-log-entry", &entry.to_string());
    }
    if let Some(checkpoint) = &answer.checkpoint {
        set("ehc-log-checkpoint", &STANDARD.encode(checkpoint));
    }
    if answer.replayed {
        set("idempotency-replayed", "true");
    }
    response
}

/// Longer keys than this are refused.
const KEY_CHARS_MAX: usize = 128;
