//! `GET /v1/board`: the caller's own part of the board.

use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Json, Response};
use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, ServiceCode};
use serde::Deserialize;

use super::problem::{Kind, Problem};
use super::{Caller, cursor};
use crate::app::App;
use crate::board::{Labels, lines};
use crate::holds;
use crate::peer::Role;
use crate::queue::LegState;
use crate::store::{BoardFilter, BoardPlace};

/// Query parameters of the board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoardQuery {
    /// Only legs that still owe an answer.
    #[serde(default)]
    open: bool,
    /// Only those overdue today.
    #[serde(default)]
    overdue: bool,
    /// Only of this organisation: asked of it, or for whoever is asked, asked by it.
    organisation: Option<OrganisationCode>,
    /// Only of this service.
    service: Option<ServiceCode>,
    /// Only in this state.
    state: Option<LegState>,
    /// Only due on this day or later.
    due_from: Option<Date>,
    /// Only due on this day or earlier.
    due_until: Option<Date>,
    /// Continue after the last line of the page before.
    cursor: Option<String>,
    /// At most this many lines, 1 to 500.
    limit: Option<u32>,
}

pub(super) async fn board(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<BoardQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are open=true, overdue=true, organisation, service, state, due_from, due_until, limit (1 to 500) and cursor, the `next` of the page before.",
        )
    };
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(200);
    if !(1..=500).contains(&limit) {
        return Err(parameters());
    }
    let own = caller.peer.organisation().clone();
    // Who asks sees what it asked; who is asked sees what it owes; IG sees all.
    let everything = caller.has(Role::IgAuditor);
    let asks = caller.has(Role::LaCaseSystem);
    let (asks_only, other) = (asks && !everything, query.organisation);
    let filter = BoardFilter {
        sender: if everything || asks { asks_only.then(|| own.clone()) } else { other.clone() },
        recipient: if everything || asks { other } else { Some(own) },
        state: query.state,
        service: query.service,
        due_from: query.due_from,
        due_until: query.due_until,
        overdue_on: query.overdue.then(|| app.clock.today()),
        open_only: query.open,
        out_only: !asks && !everything,
    };
    let theirs = (!everything).then(|| caller.peer.organisation());
    let (differences, oldest) = crate::reconciliation::open_differences(&app, theirs).await?;
    let labels = if everything { Labels::Hidden } else { Labels::Shown };
    let scope = format!("board {filter:?}");
    let after = query.cursor.as_deref().map(|text| cursor::read::<(Date, LegId)>(&scope, text));
    if after == Some(None) {
        return Err(parameters());
    }
    let after = after.flatten().map(|(statutory_due, id)| BoardPlace { statutory_due, id });
    let lines = lines(&app, (&filter, labels), after, limit, &caller.actor).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| lines.len() == limit);
    let last = lines.last().filter(|_| full);
    let next = last.and_then(|line| cursor::write(&scope, (line.statutory_due, line.leg)));
    let waiting = holds::waiting(&app, filter.sender.as_ref()).await?;
    let own = (!everything).then(|| caller.peer.organisation());
    // Whoever is only asked learns nothing of what is held for it.
    let holds = (asks || everything).then_some(waiting);
    let reviews = holds::reviews_waiting(&app, own).await?;
    let overdue = lines.iter().filter(|line| line.overdue).count();
    // Once, with the first page; the board does not fail for them.
    let whose = (!everything).then(|| caller.peer.organisation());
    let transitions = match after {
        None => crate::transition::totals(&app, whose).await.map(Some),
        Some(_) => Ok(None),
    };
    let transitions = transitions.unwrap_or_else(|error| {
        let chain = crate::telemetry::chain(&error);
        tracing::error!(error = %chain, "transitions could not be shown");
        None
    });
    let body = serde_json::json!({
        "today": app.clock.today(), "overdue": overdue, "legs": lines, "next": next, "holds": holds,
        "reviews": reviews, "transitions": transitions,
        "differences": { "open": differences, "oldest_days": oldest },
    });
    Ok(Json(body).into_response())
}
