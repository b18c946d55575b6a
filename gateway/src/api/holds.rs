//! Deliveries that wait for a person, and what people decide about them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;

use super::problem::{Kind, Problem};
use super::{Caller, inbox, records};
use crate::app::App;
use crate::journey::{HOLD_REASONS, HoldDecision, decide_hold};
use crate::peer::Role;
use crate::pipeline;
use crate::queue::DeliveryState;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let own = (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation());
    let held = app.store.holds(own, None, HOLDS_MAX).await?;
    let lines: Vec<_> = held
        .iter()
        .map(|delivery| {
            serde_json::json!({
                "delivery": delivery.id,
                "record": delivery.record,
                "type": delivery.kind,
                "from": delivery.sender,
                "to": delivery.recipient,
                "service": delivery.service,
                "rule": delivery.reason,
            })
        })
        .collect();
    Ok(Json(serde_json::json!({ "holds": lines })).into_response())
}

/// A person's decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    decision: Choice,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Choice {
    Release,
    Refuse,
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let id = inbox::delivery_id(&delivery)?;
    let sender = caller.sender();
    let person = caller.actor.person.as_deref().unwrap_or_default();
    let request = records::request_bytes(&format!("decide {person}"), id, &body);
    if let Some(before) = pipeline::answered_before(&app, &sender, &key, &request).await? {
        return Ok(records::answered(before));
    }
    let vote: Option<Vote> = serde_json::from_slice(&body).ok();
    let vote = vote.filter(|vote| HOLD_REASONS.contains(&vote.reason.as_str()));
    let vote = vote.ok_or_else(|| {
        Problem::new(
            Kind::InvalidParameter,
            format!(
                "Send a decision (release or refuse) and a reason code: {}.",
                HOLD_REASONS.join(", ")
            ),
        )
    })?;
    let own = caller.peer.organisation();
    let delivery = app.store.find_delivery(id).await?;
    let concerned = delivery.is_some_and(|d| caller.has(Role::IgAuditor) || d.sender == *own);
    if !concerned {
        return Err(Problem::new(Kind::NotFound, "No held delivery has this id."));
    }
    let decision = match vote.decision {
        Choice::Release => HoldDecision::Release,
        Choice::Refuse => HoldDecision::Refuse,
    };
    let said = (decision, vote.reason.as_str());
    let (state, change) = decide_hold(&app, own, &caller.actor, id, said).await?;
    let body = serde_json::json!({
        "delivery": id,
        "state": state,
        "next": if state == DeliveryState::Held {
            "a second person must vote before it goes"
        } else {
            "nothing more is needed"
        },
    });
    let once = (key.as_str(), request.as_slice());
    Ok(records::answered(pipeline::commit_once(&app, &sender, once, &body, change).await?))
}

/// The most holds listed at once; more than this is a day's work for nobody.
const HOLDS_MAX: u32 = 500;
