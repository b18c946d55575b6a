//! `GET /v1/clocks`, `POST /v1/clocks/{clock}`, `GET /v1/performance` and
//! `GET /v1/legs/{leg}/evidence`: clocks of cases, figures of a month, and proof of a leg.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::civil::Date;
use schemas::deadlines::Claim;
use schemas::{LegId, OrganisationCode};
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, cursor, records};
use crate::app::App;
use crate::board::Labels;
use crate::evidence;
use crate::obligations::{self, Said, SayError};
use crate::peer::Role;
use crate::performance::{self, Cohort, PerformanceQuestion};
use crate::pipeline;
use crate::store::ClockFilter;

/// Query parameters of the clocks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClocksQuery {
    #[serde(default)]
    open: bool,
    period: Option<String>,
    owner: Option<OrganisationCode>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The clocks of cases that the caller is a party to; the auditor sees all, without references.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ClocksQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are open=true, period (a name of the rules), owner (an organisation), limit (1 to 500) and cursor, the `next` of the page before.",
        )
    };
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(200);
    if !(1..=500).contains(&limit) {
        return Err(parameters());
    }
    let everything = caller.has(Role::IgAuditor);
    let filter = ClockFilter {
        viewer: (!everything).then(|| caller.peer.organisation().clone()),
        owner: query.owner,
        period: query.period,
        open_only: query.open,
    };
    let labels = if everything { Labels::Hidden } else { Labels::Shown };
    let scope = format!("clocks {filter:?}");
    let after = query.cursor.as_deref().map(|text| cursor::read::<(Date, Uuid)>(&scope, text));
    if after == Some(None) {
        return Err(parameters());
    }
    let clocks =
        obligations::list(&app, (&filter, labels), after.flatten(), limit, &caller.actor).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| clocks.len() == limit);
    let last = clocks.last().filter(|_| full);
    let next = last.and_then(|clock| cursor::write(&scope, (clock.due_on, clock.clock)));
    let body = serde_json::json!({
        "today": app.clock.today(),
        "tally": obligations::tally(&clocks),
        "clocks": clocks,
        "next": next,
    });
    Ok(Json(body).into_response())
}

/// What the owner of a clock says: that it was done, or what excuses it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    met_on: Option<Date>,
    exception: Option<String>,
    from: Option<Date>,
    until: Option<Date>,
    asked_on: Option<Date>,
}

impl Word {
    fn said(self) -> Option<Said> {
        let claim = Claim { from: self.from, until: self.until, asked_on: self.asked_on };
        match (self.met_on, self.exception) {
            (Some(on), None) if claim == Claim::default() => Some(Said::Done(on)),
            (None, Some(exception)) => Some(Said::Excused(exception, claim)),
            (Some(_) | None, _) => None,
        }
    }
}

/// Records what the owner of a clock says of it.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(clock): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let missing =
        || Problem::new(Kind::NotFound, "No clock that your organisation owes has this id.");
    let id: Uuid = clock.parse().or(Err(missing()))?;
    let sender = caller.sender();
    let person = caller.actor.person.as_deref().unwrap_or_default();
    let request = records::request_bytes(&format!("clock {person}"), id, &body);
    if let Some(before) = pipeline::answered_before(&app, &sender, &key, &request).await? {
        return Ok(records::answered(before));
    }
    let wrong = |detail: String| Problem::new(Kind::InvalidParameter, detail);
    let said = serde_json::from_slice::<Word>(&body).ok().and_then(Word::said);
    let said = said.ok_or_else(|| {
        wrong("Send met_on, a date; or exception, a name of the rules, with from, until and asked_on where it needs them.".to_owned())
    })?;
    let change = obligations::say(&app, &sender.organisation, &caller.actor, id, &said).await;
    let change = change.map_err(|error| match error {
        SayError::NotFound => missing(),
        SayError::NotThen => wrong("The day has not come yet.".to_owned()),
        SayError::NotShown(why) => wrong(format!("It is not excused: {why}.")),
        SayError::Store(error) => error.into(),
    })?;
    let body = serde_json::json!({ "clock": id, "recorded": true });
    let once = (key.as_str(), request.as_slice());
    Ok(records::answered(pipeline::commit_once(&app, &sender, once, &body, change).await?))
}

/// Query parameters of the figures.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PerformanceQuery {
    month: String,
    as_of: Option<Date>,
    by: Option<By>,
    organisation: Option<OrganisationCode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Asked,
    Due,
}

/// The figures of a month for the caller: what it asked, or what was asked of it.
pub(super) async fn performance(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    query: Result<Query<PerformanceQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are month (for example 2026-11), as_of (a date, today when left out), by (asked or due) and organisation.",
        )
    };
    let Query(query) = query.or(Err(parameters()))?;
    let month: Date = format!("{}-01", query.month).parse().or(Err(parameters()))?;
    let own = caller.peer.organisation().clone();
    let everything = caller.has(Role::IgAuditor);
    let asks = caller.has(Role::LaCaseSystem);
    let question = PerformanceQuestion {
        month,
        as_of: query.as_of.unwrap_or_else(|| app.clock.today()),
        by: if matches!(query.by, Some(By::Due)) { Cohort::Due } else { Cohort::Asked },
        authority: (asks && !everything).then(|| own.clone()),
        organisation: if asks || everything { query.organisation } else { Some(own) },
    };
    let figures = performance::of_month(&app, &question, &caller.actor).await?;
    let wanted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if wanted.is_some_and(|wanted| wanted.starts_with("text/csv")) {
        return Ok(([(header::CONTENT_TYPE, "text/csv")], figures.to_csv()).into_response());
    }
    Ok(Json(figures).into_response())
}

/// The evidence pack of a leg that the caller asked, or was asked.
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(leg): Path<String>,
) -> Result<Response, Problem> {
    let missing =
        || Problem::new(Kind::NotFound, "No leg that your organisation may see has this id.");
    let leg = LegId(leg.parse().or(Err(missing()))?);
    let own = (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation());
    let pack = evidence::pack(&app, leg, own, &caller.actor).await?.ok_or_else(missing)?;
    Ok(Json(pack).into_response())
}
