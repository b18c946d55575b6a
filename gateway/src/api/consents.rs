//! Recording and reading agreement to share. A person is never named in a URL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use schemas::{NhsNumber, OrganisationCode, RecordId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, records};
use crate::app::App;
use crate::audit::{Event, EventKind, SubjectKey};
use crate::authority::ConsentEntry;
use crate::config::IfMatch;
use crate::peer::Role;
use crate::pipeline::{self, CollectError};
use crate::store::Change;

/// Records a `consent.grant` or `consent.withdraw`: the same pipeline as every message.
pub(super) async fn record(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let raw = records::raw_message(&headers, body, key)?;
    let expected = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let expected = expected.map(|text| text.trim().to_owned());
    if expected.is_none() && app.config.consent.if_match == IfMatch::Required {
        return Err(Problem::new(
            Kind::IfMatchRequired,
            "Read the ledger (POST /v1/consents/find) or ask for a preview, and name its ETag in If-Match.",
        ));
    }
    let answer = records::received(&app, &caller, raw, expected).await?;
    // The record whose ledger the tag is of; an answer that is given again has no rows.
    let record = answer.rows.iter().find_map(|row| row.record);
    let mut response = records::answered(answer);
    if let Some(record) = record
        && let Some(subject) = app.store.find_record(record).await?.and_then(|r| r.subject)
    {
        let entries = app.store.consents_for(subject).await?;
        tag(&app, subject, &entries, &mut response);
    }
    Ok(response)
}

/// Names the version of a person's ledger in the answer.
fn tag(app: &App, subject: SubjectKey, entries: &[ConsentEntry], response: &mut Response) {
    let version = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    if let Ok(value) = HeaderValue::from_str(&pipeline::ledger_tag(app, subject, version)) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// Says what recording a decision would do.
pub(super) async fn preview(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let raw = records::raw_message(&headers, body, String::new())?;
    match pipeline::preview(&app, &caller.sender(), raw).await? {
        Ok(effect) => {
            let etag = HeaderValue::from_str(&effect.etag);
            let mut response = Json(effect).into_response();
            if let Ok(value) = etag {
                response.headers_mut().insert(header::ETAG, value);
            }
            Ok(response)
        }
        Err(issues) => Err(Problem::new(
            Kind::MessageRefused,
            "The decision would not be recorded: see the issues. Nothing was recorded.",
        )
        .with_issues(issues)),
    }
}

/// Whose ledger is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    nhs_number: String,
}

pub(super) async fn find(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wrong = || {
        Problem::new(
            Kind::InvalidParameter,
            "Send {\"nhs_number\": \"…\"} with a number that passes its check digit.",
        )
    };
    let whose: Whose = serde_json::from_slice(&body).or(Err(wrong()))?;
    let number = NhsNumber::parse(&whose.nhs_number).or(Err(wrong()))?;
    let subject = app.vault.pseudonyms().key_of_nhs_number(&number);
    let own = caller.peer.organisation();
    // An authority reads about those it has sent something about; everybody else is nobody to it.
    let concerned = caller.has(Role::IgAuditor) || app.store.has_record_about(own, subject).await?;
    let entries = if concerned { app.store.consents_for(subject).await? } else { Vec::new() };
    let actor = caller.actor.clone();
    // Whoever is told nothing has read nothing; that they asked is an entry all the same.
    let mut event = if concerned {
        Event::new(EventKind::ConsentViewed, actor).with("entries", entries.len())
    } else {
        Event::new(EventKind::ConsentNotTold, actor).with("rule", "not-concerned")
    };
    event.subject = Some(subject);
    app.store.commit(Change::because(event)).await?;
    let listed: Vec<Listed<'_>> = entries.iter().map(|entry| Listed::of(entry, own)).collect();
    let mut response = Json(serde_json::json!({ "consents": listed })).into_response();
    if concerned {
        tag(&app, subject, &entries, &mut response);
    }
    Ok(response)
}

/// An entry as it is listed: where its evidence is, for the organisation that recorded it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    entry: &'a ConsentEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
}

impl<'a> Listed<'a> {
    fn of(entry: &'a ConsentEntry, own: &OrganisationCode) -> Self {
        let evidence =
            (entry.recorded_by == *own).then(|| format!("/v1/consents/{}/evidence", entry.record));
        Self { entry, evidence }
    }
}

/// What the caller recorded a decision with.
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    let own = caller.peer.organisation();
    let kept = pipeline::evidence_of_entry(&app, own, &caller.actor, own_record(&record)?).await;
    Ok(Json(kept.map_err(not_recorded)?).into_response())
}

/// One document of it, whole.
pub(super) async fn document(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((record, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let number = number.parse().or(Err(Problem::new(
        Kind::NotFound,
        "Documents are counted from 1; the evidence lists them.",
    )))?;
    let own = caller.peer.organisation();
    let which = (own_record(&record)?, number);
    let given = pipeline::evidence_document(&app, own, &caller.actor, which).await;
    let given = given.map_err(not_recorded)?;
    let mut response = Bytes::copy_from_slice(&given.bytes).into_response();
    let name = format!("attachment; filename=\"document-{number}\"");
    for (header, text) in
        [(header::CONTENT_TYPE, given.media_type), (header::CONTENT_DISPOSITION, name)]
    {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}

fn own_record(record: &str) -> Result<RecordId, Problem> {
    Uuid::try_parse(record).map(RecordId).or(Err(none()))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only what is not there is said otherwise here")]
fn not_recorded(error: CollectError) -> Problem {
    match error {
        CollectError::NotFound => none(),
        other => other.into(),
    }
}

fn none() -> Problem {
    Problem::new(
        Kind::NotFound,
        "No decision of this id was recorded by your organisation. POST /v1/consents/find lists them.",
    )
}
