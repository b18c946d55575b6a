//! `GET /v1/transitions` and `GET /v1/transitions/{transition}`: the caller's cases on the way to
//! adulthood.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, cursor};
use crate::app::App;
use crate::transition::{self, TransitionError};

/// Query parameters of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitionsQuery {
    /// Only cases with something missing.
    #[serde(default)]
    gaps: bool,
    /// Also cases that are over.
    #[serde(default)]
    all: bool,
    /// Continue after the last case of the page before.
    cursor: Option<String>,
    /// At most this many cases, 1 to 500.
    limit: Option<usize>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<TransitionsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are gaps=true, all=true, limit (1 to 500) and cursor, the `next` of the page before.",
        )
    };
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(200);
    if !(1..=500).contains(&limit) {
        return Err(parameters());
    }
    let own = caller.peer.organisation();
    let scope = format!("transitions {own} {} {}", query.gaps, query.all);
    let after = query.cursor.as_deref().map(|text| cursor::read::<Uuid>(&scope, text));
    if after == Some(None) {
        return Err(parameters());
    }
    let mut cases = transition::list(&app, Some(own), &caller.actor).await?;
    let rules = transition::rules_on(app.clock.today())?;
    let totals = transition::sum(rules, cases.iter());
    cases.retain(|case| (query.all || case.over.is_none()) && (!query.gaps || case.gaps > 0));
    if let Some(after) = after.flatten() {
        let place = cases.iter().position(|case| case.transition == after);
        cases.drain(..place.map_or(0, |place| place + 1));
    }
    let more = cases.len() > limit;
    cases.truncate(limit);
    let last = cases.last().filter(|_| more);
    let next = last.and_then(|case| cursor::write(&scope, case.transition));
    let body = serde_json::json!({
        "today": app.clock.today(), "totals": totals, "transitions": cases, "next": next,
    });
    Ok(Json(body).into_response())
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let none = || {
        Problem::new(
            Kind::NotFound,
            "There is no such case, or your organisation is not part of it.",
        )
    };
    let id = Uuid::parse_str(&id).or(Err(none()))?;
    let own = caller.peer.organisation();
    let case = transition::show(&app, id, Some(own), &caller.actor).await?.ok_or_else(none)?;
    Ok(Json(case).into_response())
}

impl From<TransitionError> for Problem {
    fn from(error: TransitionError) -> Self {
        match error {
            TransitionError::Store(error) => error.into(),
            TransitionError::Date(_) | TransitionError::Ours(_) => {
                tracing::error!(error = %crate::telemetry::chain(&error), "transitions could not be shown");
                Self::new(
                    Kind::Internal,
                    "The checklist could not be worked out. Tell the operator.",
                )
            }
        }
    }
}
