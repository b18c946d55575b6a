//! Each day's signed statement, the partner's answer to it, and the differences that are left.
//!
//! A statement lists what passed, so looking at one is an entry in the log. So is looking at the list of
//! days and at the list of differences, unless it is empty: days, versions, codes and our own ids,
//! nothing of a person or a case, and a partner sees its own alone. An auditor and an operator see everybody's differences,
//! which they must explain by name; that is an entry.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::civil::Date;
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::totality::names_nobody;
use super::{Caller, records};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::looks;
use crate::peer::Role;
use crate::pipeline;
use crate::reconciliation::{self, Answer, ReconciliationError};
use crate::standing::{self, Standing};
use crate::store::{StoredDifference, StoredStatement};

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let statements = app.store.statements_of(caller.peer.organisation(), DAYS_LISTED).await?;
    let lines: Vec<_> = statements
        .iter()
        .map(|stored| {
            serde_json::json!({
                "day": stored.id.day,
                "version": stored.id.version,
                "made_at": stored.made_at,
                "answer": stored.answered.map(|(agreed, _)| outcome(agreed)),
                "answered_at": stored.answered.map(|(_, at)| at),
                "href": format!("/v1/reconciliations/{}", stored.id.day),
            })
        })
        .collect();
    let response = Json(serde_json::json!({ "reconciliations": lines })).into_response();
    if lines.is_empty() {
        return Ok(names_nobody(response));
    }
    let looked = (Standing::Reconciliations, lines.len());
    standing::viewed(&app, &caller.actor, looked, None).await?;
    Ok(response)
}

/// Query parameters of one statement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionQuery {
    version: Option<u32>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(day): Path<String>,
    query: Result<Query<VersionQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wrong = || Problem::new(Kind::InvalidParameter, "The only query parameter is version.");
    let Query(query) = query.or(Err(wrong()))?;
    let stored = app.store.statement(caller.peer.organisation(), civil(&day)?, query.version);
    let stored = stored.await?.ok_or_else(none)?;
    let tag = tag(&stored);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let statement = reconciliation::read(&app, &stored)?;
    let event = Event::new(EventKind::ReconciliationViewed, caller.actor.clone())
        .with("day", stored.id.day)
        .with("version", stored.id.version)
        .with("rows", statement.lines.len());
    looks::at_records(&app, event, statement.lines.iter().filter_map(|line| line.record)).await?;
    let body = serde_json::json!({ "statement": statement, "signed": stored.signed });
    let mut response = Json(body).into_response();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(day): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let day = civil(&day)?;
    let sender = caller.sender();
    let request = records::request_bytes("reconcile", day, &body);
    if let Some(before) = pipeline::answered_before(&app, &sender, &key, &request).await? {
        return Ok(records::answered(before));
    }
    let said: Answer = serde_json::from_slice(&body).or(Err(Problem::new(
        Kind::InvalidParameter,
        "Send {\"version\": 1, \"outcome\": \"agreed\"}, or \"differs\" with differences: an item and a code for each.",
    )))?;
    let own = caller.peer.organisation();
    let answered = reconciliation::answer(&app, (own, day), &said, &caller.actor).await?;
    let (change, differences) = answered;
    let body = serde_json::json!({
        "day": day,
        "version": said.version,
        "outcome": outcome(differences.is_empty()),
        "differences": differences,
    });
    let once = (key.as_str(), request.as_slice());
    Ok(records::answered(pipeline::commit_once(&app, &sender, once, &body, change).await?))
}

pub(super) async fn differences(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let everything = caller.has(Role::IgAuditor) || caller.has(Role::Operator);
    let own = (!everything).then(|| caller.peer.organisation());
    let open = app.store.differences(own, None, DIFFERENCES_LISTED).await?;
    let today = app.clock.today();
    let lines: Vec<_> = open.iter().map(|difference| line(difference, today)).collect();
    let response = Json(serde_json::json!({ "differences": lines })).into_response();
    if lines.is_empty() {
        return Ok(names_nobody(response));
    }
    standing::viewed(&app, &caller.actor, (Standing::Differences, lines.len()), None).await?;
    Ok(response)
}

fn line(difference: &StoredDifference, today: Date) -> serde_json::Value {
    let since = crate::clock::london_date(difference.raised_at);
    serde_json::json!({
        "difference": difference.id,
        "partner": difference.about.partner,
        "day": difference.about.day,
        "version": difference.about.version,
        "item": difference.item,
        "code": difference.code,
        "raised_at": difference.raised_at,
        "days_open": (today - since).get_days(),
    })
}

/// A person's explanation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    code: String,
}

pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(difference): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let id = Uuid::try_parse(&difference).or(Err(none()))?;
    let sender = caller.sender();
    let person = caller.actor.person.as_deref().unwrap_or_default();
    let request = records::request_bytes(&format!("explain {person}"), id, &body);
    if let Some(before) = pipeline::answered_before(&app, &sender, &key, &request).await? {
        return Ok(records::answered(before));
    }
    let said: Explanation = serde_json::from_slice(&body).or(Err(Problem::new(
        Kind::InvalidParameter,
        format!("Send a code: {}.", reconciliation::EXPLANATION_CODES.join(", ")),
    )))?;
    let why = (caller.peer.organisation(), said.code.as_str());
    let change = reconciliation::explain(&app, id, why, &caller.actor).await?;
    let body = serde_json::json!({ "difference": id, "explanation": said.code });
    let once = (key.as_str(), request.as_slice());
    Ok(records::answered(pipeline::commit_once(&app, &sender, once, &body, change).await?))
}

fn civil(day: &str) -> Result<Date, Problem> {
    day.parse().or(Err(Problem::new(Kind::InvalidParameter, "Name a day as 2026-03-31.")))
}

fn outcome(agreed: bool) -> &'static str {
    if agreed { "agreed" } else { "differs" }
}

fn tag(stored: &StoredStatement) -> String {
    format!("\"{}\"", crate::entropy::sha256_hex(stored.signed.as_bytes()))
}

fn none() -> Problem {
    Problem::new(
        Kind::NotFound,
        "There is no such statement or difference of yours. GET /v1/reconciliations lists the days.",
    )
}

impl From<ReconciliationError> for Problem {
    fn from(error: ReconciliationError) -> Self {
        match error {
            ReconciliationError::NotClosed | ReconciliationError::NotFound => none(),
            ReconciliationError::Settled => Self::new(
                Kind::AlreadyDecided,
                "It was answered or explained before, or a newer version has taken its place. Fetch it again.",
            ),
            ReconciliationError::Unfit(fix) => Self::new(Kind::InvalidParameter, fix),
            ReconciliationError::Signature => {
                tracing::error!("a statement is not as it was signed");
                Self::new(Kind::Internal, "Quote the reference to the operator.")
            }
            ReconciliationError::Store(error) => error.into(),
        }
    }
}

/// A year and a month of days.
const DAYS_LISTED: u32 = 400;
/// The most differences listed at once; more is a fault to talk about.
const DIFFERENCES_LISTED: u32 = 1_000;
