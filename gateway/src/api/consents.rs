//! Recording and reading agreement to share. A person is never named in a URL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use schemas::NhsNumber;
use serde::Deserialize;

use super::problem::{Kind, Problem};
use super::{Caller, records};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::peer::Role;
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
    records::take(&app, &caller, raw).await
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
    let mut event =
        Event::new(EventKind::ConsentViewed, caller.actor.clone()).with("entries", entries.len());
    event.subject = Some(subject);
    app.store.commit(Change::because(event)).await?;
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            serde_json::json!({
                "version": entry.version,
                "status": entry.status,
                "kind": entry.kind,
                "given_by": entry.given_by,
                "decided_on": entry.decided_on,
                "expires_on": entry.expires_on,
                "purposes": entry.purposes,
                "exclusions": entry.exclusions,
                "recorded_by": entry.recorded_by,
                "recorded_at": entry.recorded_at.to_string(),
            })
        })
        .collect();
    Ok(Json(serde_json::json!({ "consents": entries })).into_response())
}
