//! Recalling a record, how its recall stands, and the signed notice of it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Json, Response};
use schemas::{OrganisationCode, PersonalBytes, RecordId};
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, records};
use crate::app::App;
use crate::notices;
use crate::peer::Role;
use crate::pipeline::RawMessage;
use crate::standing::{self, Standing};

/// What is recalled, why, and from whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    reason: String,
    #[serde(default)]
    recipient: Option<OrganisationCode>,
}

pub(super) async fn recall(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let record = record_id(&record)?;
    let said: Option<Recall> = serde_json::from_slice(&body).ok();
    let said = said.ok_or_else(|| {
        Problem::new(
            Kind::InvalidParameter,
            "Send {\"reason\": \"wrong-recipient\"} with a reason code of the catalogue, and a recipient to recall it from one only.",
        )
    })?;
    let own = caller.peer.organisation();
    let stored = app.store.find_record(record).await?;
    if stored.is_none_or(|stored| stored.sealed.sender() != own) {
        return Err(none());
    }
    // The message that the caller could have sent itself, and the same for the same key.
    let id = crate::entropy::sha256_hex(&records::request_bytes(&key, record, &body));
    let id = id.get(..32).unwrap_or_default();
    let mut message = serde_json::json!({
        "type": "recall",
        "id": format!("recall-{id}"),
        "sender": own,
        "particulars": { "about": record, "recall_reason": said.reason },
    });
    if let (Some(recipient), Some(members)) = (said.recipient, message.as_object_mut()) {
        members.insert("recipient".to_owned(), recipient.to_string().into());
    }
    let bytes = PersonalBytes::new(message.to_string().into_bytes());
    let raw = RawMessage { format: adapters::Format::Json, mapping: None, bytes, key };
    records::take(&app, &caller, raw).await
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    let record = record_id(&record)?;
    let stored = app.store.find_record(record).await?.ok_or_else(none)?;
    if stored.sealed.sender() != caller.peer.organisation() && !caller.has(Role::IgAuditor) {
        return Err(none());
    }
    let contained = notices::containment(&app, record).await?;
    let contained =
        contained.ok_or_else(|| Problem::new(Kind::NotFound, "This record was never recalled."))?;
    standing::viewed(&app, &caller.actor, (Standing::Recall, 1), Some(record)).await?;
    Ok(Json(contained).into_response())
}

pub(super) async fn notice(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    let record = record_id(&record)?;
    let notice = notices::notice_of(&app, record, caller.peer.organisation()).await?;
    let notice = notice.ok_or_else(|| {
        Problem::new(Kind::NotFound, "Nothing of yours was superseded or recalled by this record.")
    })?;
    standing::viewed(&app, &caller.actor, (Standing::Notice, 1), Some(record)).await?;
    Ok(([(header::CONTENT_TYPE, "application/jose")], notice).into_response())
}

fn record_id(text: &str) -> Result<RecordId, Problem> {
    Uuid::try_parse(text).map(RecordId).or(Err(none()))
}

fn none() -> Problem {
    Problem::new(Kind::NotFound, "No record with this id is yours.")
}
