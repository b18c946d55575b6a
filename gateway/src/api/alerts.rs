//! Alerts of odd access and samples: the queue, one of it, its sign-off, a draw; and lists of staff.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::Deserialize;
use uuid::Uuid;

use super::holds::{Acting, read};
use super::problem::{Kind, Problem};
use super::{Caller, acting_user, cursor};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::odd_access::{self, AlertError, Draw, Outcome, Reviewer, StaffEntry};
use crate::peer::Role;
use crate::pipeline;
use crate::store::{AlertFilter, AlertPlace, Change};

/// Query parameters of the queue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertsQuery {
    /// Only those of this rule.
    rule: Option<String>,
    /// `open` (as when nothing is said), `closed` or `all`.
    state: Option<Wanted>,
    /// `alert` or `sample`; both when nothing is said.
    kind: Option<WantedKind>,
    /// Continue after the last line of the page before.
    cursor: Option<String>,
    /// At most this many lines, 1 to 200.
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wanted {
    Open,
    Closed,
    All,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WantedKind {
    Alert,
    Sample,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let parameters = || Problem::new(Kind::InvalidParameter, PARAMETERS);
    let Query(query) = query.or(Err(parameters()))?;
    let limit = query.limit.unwrap_or(LISTED);
    if !(1..=LISTED_MAX).contains(&limit) {
        return Err(parameters());
    }
    let own = own(&caller);
    let filter = AlertFilter {
        own: own.cloned(),
        rule: query.rule,
        sampled: query.kind.map(|kind| matches!(kind, WantedKind::Sample)),
        open: match query.state.unwrap_or(Wanted::Open) {
            Wanted::Open => Some(true),
            Wanted::Closed => Some(false),
            Wanted::All => None,
        },
        from: None,
        before: None,
    };
    let scope = format!("alerts {filter:?}");
    let after = query.cursor.as_deref().map(|text| cursor::read::<(i64, Uuid)>(&scope, text));
    if after == Some(None) {
        return Err(parameters());
    }
    let place = |(micros, id)| {
        let raised_at = Timestamp::from_microsecond(micros).ok();
        raised_at.map(|raised_at| AlertPlace { raised_at, id })
    };
    let after = after.flatten().and_then(place);
    let lines = odd_access::list(&app, &filter, after, limit, &caller.actor).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| lines.len() == limit);
    let next = lines
        .last()
        .filter(|_| full)
        .and_then(|line| cursor::write(&scope, (line.since.as_microsecond(), line.alert)));
    let waiting = app.store.alerts_by_rule(own).await?;
    let waiting: Vec<_> = waiting
        .into_iter()
        .map(|one| {
            serde_json::json!({ "rule": one.rule, "count": one.count, "oldest_since": one.oldest })
        })
        .collect();
    let body = serde_json::json!({ "alerts": lines, "waiting": waiting, "next": next });
    Ok(Json(body).into_response())
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(alert): Path<String>,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&alert).or(Err(no_alert()))?;
    let view = odd_access::show(&app, id, own(&caller), &caller.actor).await?;
    Ok(Json(view.ok_or_else(no_alert)?).into_response())
}

/// What somebody makes of an alert.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    outcome: Outcome,
    reason: String,
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(alert): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = Uuid::try_parse(&alert).or(Err(no_alert()))?;
    let once = Acting::new(&caller, ("alert", id), &headers, &body)?;
    if let Some(before) = once.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let outcomes = odd_access::OUTCOMES.join(", ");
        Problem::new(
            Kind::InvalidParameter,
            format!(
                "Send an outcome ({outcomes}) and a reason code of its list: GET /v1/openapi.json has them."
            ),
        )
    };
    let decided: Decided = read(&body, wrong)?;
    let reviewer = Reviewer {
        organisation: caller.peer.organisation().clone(),
        actor: caller.actor.clone(),
        user: acting_user(&headers).unwrap_or_default().to_owned(),
        sees_all: caller.has(Role::IgAuditor),
    };
    let said = (decided.outcome, decided.reason.as_str());
    let change = match odd_access::decide(&app, &reviewer, id, said).await {
        Err(AlertError::NotYours(why)) => {
            let event = Event::new(EventKind::AccessRefused, caller.actor.clone())
                .with("rule", Kind::NotYoursToDecide.code());
            app.store.commit(Change::because(event)).await?;
            return Err(AlertError::NotYours(why).into());
        }
        decided => decided?,
    };
    let body = serde_json::json!({
        "alert": id,
        "outcome": decided.outcome,
        "next": if decided.outcome == Outcome::Escalate {
            "somebody else must close it"
        } else {
            "nothing more is needed"
        },
    });
    once.commit(&app, &body, change).await
}

/// What to draw.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrawBody {
    from: Date,
    until: Date,
    count: usize,
    organisation: Option<String>,
}

pub(super) async fn sample(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let once = Acting::new(&caller, ("sample", Uuid::nil()), &headers, &body)?;
    if let Some(before) = once.before(&app).await? {
        return Ok(before);
    }
    let wrong = || Problem::new(Kind::InvalidParameter, DRAW);
    let asked: DrawBody = read(&body, wrong)?;
    let organisation = asked.organisation.as_deref().map(OrganisationCode::parse);
    let organisation = organisation.transpose().or(Err(wrong()))?;
    let draw = Draw { from: asked.from, until: asked.until, count: asked.count, organisation };
    let (drawn, change) = odd_access::sample(&app, &caller.actor, &draw).await?;
    let body = serde_json::json!(drawn);
    once.commit(&app, &body, change).await
}

/// An organisation's staff.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Staff {
    staff: Vec<StaffEntry>,
}

pub(super) async fn staff(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    // A request is kept with its answer, to tell a retry from a clash; of this one, a keyed hash.
    let print = app.vault.pseudonyms().recognition("staff", &body);
    let print = Bytes::from(print.to_vec());
    let once = Acting::new(&caller, ("staff", Uuid::nil()), &headers, &print)?;
    if let Some(before) = once.before(&app).await? {
        return Ok(before);
    }
    let wrong = || Problem::new(Kind::InvalidParameter, STAFF);
    let listed: Staff = read(&body, wrong)?;
    let own = caller.peer.organisation();
    let listed = odd_access::list_staff(&app, own, &caller.actor, &listed.staff);
    let (people, change) = listed
        .map_err(|error| Problem::new(Kind::InvalidParameter, format!("{error}. {STAFF}")))?;
    let body = serde_json::json!({ "people": people });
    once.commit(&app, &body, change).await
}

impl From<AlertError> for Problem {
    fn from(error: AlertError) -> Self {
        match error {
            AlertError::NotFound => no_alert(),
            AlertError::NotYours(why) => Self::new(Kind::NotYoursToDecide, why),
            AlertError::AlreadyDecided(why) => Self::new(Kind::AlreadyDecided, why),
            AlertError::Drawn(why) => Self::new(Kind::AlreadyDecided, why),
            AlertError::Code(why) => Self::new(
                Kind::InvalidParameter,
                format!("{why} GET /v1/openapi.json has the lists."),
            ),
            AlertError::Store(error) => error.into(),
            AlertError::Entropy(error) => pipeline::ReceiveError::Entropy(error).into(),
        }
    }
}

/// Whose alerts a caller sees: its own organisation's, unless it looks into everybody's.
fn own(caller: &Caller) -> Option<&OrganisationCode> {
    (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation())
}

fn no_alert() -> Problem {
    Problem::new(
        Kind::NotFound,
        "No alert with this reference is your organisation's to look into.",
    )
}

const PARAMETERS: &str = "Parameters are rule, state (open, closed or all), kind (alert or sample), limit (1 to 200) and cursor, the `next` of the page before.";
const DRAW: &str = "Send from and until (days that are over), count (1 to 200) and, if you like, organisation (a code).";
const STAFF: &str = "Send {\"staff\": [{\"user\": …, \"surnames\": […], \"postcodes\": […]}, …]}: all of your organisation's staff, at most 40,000, with at most 4 family names and 4 postcodes each.";
/// Alerts listed at once when no limit is given.
const LISTED: u32 = 100;
/// The most alerts listed at once.
const LISTED_MAX: u32 = 200;
