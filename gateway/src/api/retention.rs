//! Legal holds, what is due for removal, and the certificates of deletion.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::Caller;
use super::holds::{Acting, made_or_refused, read};
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::queue::CaseId;
use crate::retention::{self, legal};
use crate::store::{Change, HeldScope};

pub(super) async fn holds(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let lines = legal::lines(&app, &caller.actor).await?;
    Ok(Json(serde_json::json!({ "legal_holds": lines })).into_response())
}

/// A legal hold, and what it is on: one of the three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    nhs_number: Option<String>,
    person_id: Option<String>,
    id_of: Option<String>,
    case: Option<Uuid>,
    #[serde(default)]
    everything: bool,
    reason: String,
    reference: String,
}

impl Placed {
    fn scope(&self, app: &App) -> Option<HeldScope> {
        let by_id = (self.person_id.as_deref(), self.id_of.as_deref());
        let names_a_person = self.nhs_number.is_some() || by_id != (None, None);
        match (names_a_person, self.case, self.everything) {
            (true, None, false) => {
                let names = app.vault.pseudonyms();
                names.key_named(self.nhs_number.as_deref(), by_id).map(HeldScope::Person)
            }
            (false, Some(case), false) => Some(HeldScope::Case(CaseId(case))),
            (false, None, true) => Some(HeldScope::Everything),
            _ => None,
        }
    }
}

/// Puts a legal hold on somebody or something. The person is in the body, never in a URL.
pub(super) async fn place(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    // A request's hash is kept with its answer, to tell a retry from a clash. This one may have an
    // NHS number, which could be tried out: of it, the hash of a keyed hash.
    let print = app.vault.pseudonyms().recognition("legal-hold", &body);
    let print = Bytes::from(print.to_vec());
    let acting = Acting::new(&caller, ("legal-hold", Uuid::nil()), &headers, &print)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let reasons = legal::REASONS.join(", ");
        let detail = format!(
            "Send what it is on (nhs_number; person_id with id_of; case; or everything: true), a reference of 1 to 40 letters, digits, '/', '-' and '.', and a reason: {reasons}."
        );
        Problem::new(Kind::InvalidParameter, detail)
    };
    let placed: Placed = read(&body, wrong)?;
    let scope = placed.scope(&app).ok_or_else(wrong)?;
    let why = (placed.reason.as_str(), placed.reference.as_str());
    let records = legal::records_under(&app.store, &scope).await?;
    let made = legal::place(&app, acting.person(), scope, why).await;
    let (id, change) = made_or_refused(&app, &caller, made).await?;
    let next = if records == Some(0) { NONE_HELD } else { HELD };
    let body = serde_json::json!({ "legal_hold": id, "records": records, "next": next });
    acting.commit(&app, &body, change).await
}

/// Why a legal hold is lifted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lifting {
    reason: String,
}

pub(super) async fn lift(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(hold): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "There is no legal hold with this id.");
    let id = Uuid::try_parse(&hold).or(Err(none()))?;
    let acting = Acting::new(&caller, ("lift-legal-hold", id), &headers, &body)?;
    if let Some(before) = acting.before(&app).await? {
        return Ok(before);
    }
    let wrong = || {
        let detail = format!("Send a reason: {}.", legal::LIFT_REASONS.join(", "));
        Problem::new(Kind::InvalidParameter, detail)
    };
    let lifting: Lifting = read(&body, wrong)?;
    if app.store.legal_hold(id).await?.is_none() {
        return Err(none());
    }
    let made = legal::lift(&app, acting.person(), id, &lifting.reason).await;
    let change = made_or_refused(&app, &caller, made).await?;
    let body = serde_json::json!({ "legal_hold": id, "in_force": false });
    acting.commit(&app, &body, change).await
}

/// How far ahead is looked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DueQuery {
    /// Days from now, 0 to 3660; none looks at now.
    within: Option<u16>,
}

pub(super) async fn due(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<DueQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let wrong = || Problem::new(Kind::InvalidParameter, "The parameter is within: 0 to 3660 days.");
    let Query(query) = query.or(Err(wrong()))?;
    let days = i64::from(query.within.unwrap_or(0));
    if days > WITHIN_DAYS_MAX {
        return Err(wrong());
    }
    let until = app.clock.now().checked_add(SignedDuration::from_hours(24 * days));
    let until: Timestamp = until.or(Err(wrong()))?;
    let plan = retention::look(&app, until, &caller.actor).await?;
    Ok(Json(retention::document(&app, &plan, until)).into_response())
}

pub(super) async fn certificates(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let found = app.store.deletion_certificates(CERTIFICATES_LISTED).await?;
    let event = Event::new(EventKind::RetentionViewed, caller.actor)
        .with("what", "certificates")
        .with("rows", found.len());
    app.store.commit(Change::because(event)).await?;
    let lines = found.iter().map(|one| {
        serde_json::json!({ "certificate": one.id, "made_at": one.made_at, "items": one.items })
    });
    let body = serde_json::json!({ "certificates": lines.collect::<Vec<_>>() });
    Ok(Json(body).into_response())
}

pub(super) async fn certificate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(certificate): Path<String>,
) -> Result<Response, Problem> {
    let none = || Problem::new(Kind::NotFound, "There is no certificate with this id.");
    let id = Uuid::try_parse(&certificate).or(Err(none()))?;
    let found = app.store.deletion_certificate(id).await?.ok_or_else(none)?;
    let event = Event::new(EventKind::RetentionViewed, caller.actor)
        .with("what", "certificate")
        .with("certificate", id);
    app.store.commit(Change::because(event)).await?;
    Ok(([(header::CONTENT_TYPE, "application/jwt")], found.certificate).into_response())
}

/// Ten years ahead.
const WITHIN_DAYS_MAX: i64 = 3_660;
const CERTIFICATES_LISTED: u32 = 500;

const HELD: &str = "nothing of it is removed until another person lifts it";
const NONE_HELD: &str = "it stands, but the gateway has no record under this number or id: check it, and \
    place another by person_id with id_of, or on the case";
