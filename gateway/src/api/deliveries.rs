//! Deliveries that did not arrive, and sending them again.
//!
//! The list has our own ids, types, codes of organisations and what a carrier answered, and nothing of a
//! person, a case or a decision of the family; looking at it is an entry, unless it is empty. An organisation sees its own; an operator, who must send
//! them again, everybody's. Whoever goes on from there to a record leaves an entry there.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use schemas::OrganisationCode;
use serde::Deserialize;

use super::holds::{Acting, read};
use super::problem::{Kind, Problem};
use super::totality::names_nobody;
use super::{Caller, inbox};
use crate::app::App;
use crate::peer::Role;
use crate::queue::DeliveryState;
use crate::repair::{self, RepairError};
use crate::standing::{self, Standing};

/// Query parameters of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveriesQuery {
    state: Undone,
    limit: Option<u32>,
}

/// The states from which a person has something sent again.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Undone {
    Failed,
    Unknown,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are state (failed or unknown) and limit (1 to 500).",
        )
    };
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(200);
    if !(1..=500).contains(&limit) {
        return Err(parameters());
    }
    let state = match query.state {
        Undone::Failed => DeliveryState::Failed,
        Undone::Unknown => DeliveryState::Unknown,
    };
    let found = app.store.deliveries_in(state, owner(&caller), limit).await?;
    let lines: Vec<_> = found
        .iter()
        .map(|delivery| {
            serde_json::json!({
                "delivery": delivery.id,
                "record": delivery.record,
                "type": delivery.kind,
                "from": delivery.sender,
                "to": delivery.recipient,
                "service": delivery.service,
                "carrier": delivery.carrier,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "reason": delivery.reason,
            })
        })
        .collect();
    let response = Json(serde_json::json!({ "deliveries": lines })).into_response();
    if lines.is_empty() {
        return Ok(names_nobody(response));
    }
    standing::viewed(&app, &caller.actor, (Standing::Deliveries, lines.len()), None).await?;
    Ok(response)
}

/// Why it is sent again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    reason: String,
}

pub(super) async fn resend(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = inbox::delivery_id(&delivery)?;
    let acting = Acting::new(&caller, ("resend", id.0), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let reasons = repair::RESEND_REASONS.join(", ");
        Problem::new(Kind::InvalidParameter, format!("Send a reason code: {reasons}."))
    };
    let again: Again = read(&body, wrong)?;
    let change = repair::resend(&app, owner(&caller), &caller.actor, id, &again.reason).await?;
    let body = serde_json::json!({ "delivery": id, "state": DeliveryState::Queued });
    acting.commit(&app, &body, change).await
}

/// Whose records the caller may have sent again: its own; an operator, everybody's.
fn owner(caller: &Caller) -> Option<&OrganisationCode> {
    (!caller.has(Role::Operator)).then(|| caller.peer.organisation())
}

impl From<RepairError> for Problem {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::NotFound => {
                Self::new(Kind::NotFound, "No delivery of your organisation's has this id.")
            }
            RepairError::AlreadyDone(why) => Self::new(Kind::AlreadyDecided, why),
            RepairError::Code(why) | RepairError::Unreadable(why) => {
                Self::new(Kind::InvalidParameter, why)
            }
            RepairError::Receive(error) => error.into(),
            RepairError::Vault(error) => crate::pipeline::ReceiveError::Vault(error).into(),
            RepairError::Store(error) => error.into(),
        }
    }
}
