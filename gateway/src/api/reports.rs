//! The reports of information governance, for an auditor. Whom one is about is in the body, never
//! in a URL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::Deserialize;

use super::Caller;
use super::problem::{Kind, Problem};
use crate::access_report::Reason;
use crate::app::App;
use crate::reports::{self, Ask, Draw, Form, ReportError, ReportKind};

/// What may be asked for.
pub(super) async fn list() -> Response {
    Json(serde_json::json!({ "reports": reports::listed() })).into_response()
}

/// What is asked, of whom, why, and in which form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    reason: Reason,
    from: Option<Date>,
    until: Option<Date>,
    organisation: Option<OrganisationCode>,
    user: Option<String>,
    nhs_number: Option<String>,
    person_id: Option<String>,
    id_of: Option<OrganisationCode>,
    #[serde(default)]
    outside: bool,
    accesses: Option<usize>,
    again: Option<u64>,
    form: Option<Form>,
}

pub(super) async fn make(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(report): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let report = ReportKind::parse(&report).ok_or_else(|| {
        Problem::new(Kind::NotFound, "There is no such report. GET /v1/reports names them all.")
    })?;
    let asked: Asked = serde_json::from_slice(&body).or(Err(wrong()))?;
    let form = asked.form;
    let ask = asked.ask(&app, report).ok_or_else(wrong)?;
    let made = reports::make(&app, &ask, &caller.actor).await.map_err(problem)?;
    let Some(form) = form else { return Ok(Json(made).into_response()) };
    let files = reports::files(&made, form).map_err(|error| problem(error.into()))?;
    reports::note_export(&app, (&ask, &made), form, &files, &caller.actor).await?;
    let media = match form {
        Form::Csv => "text/csv; charset=utf-8",
        Form::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    };
    let (_, bytes) = files.into_iter().next().ok_or_else(|| {
        Problem::new(Kind::NotFound, "This report has no table; ask for it without a form.")
    })?;
    Ok(([(header::CONTENT_TYPE, media)], bytes).into_response())
}

impl Asked {
    fn ask(self, app: &App, report: ReportKind) -> Option<Ask> {
        let names = app.vault.pseudonyms();
        let mut ask = Ask::new(report, self.reason);
        let by_id = (self.person_id.as_deref(), self.id_of.as_ref().map(OrganisationCode::as_str));
        if self.nhs_number.is_some() || by_id != (None, None) {
            ask.subject = Some(names.key_named(self.nhs_number.as_deref(), by_id)?);
        }
        ask.person = match (&self.user, &self.organisation) {
            (None, _) => None,
            (Some(user), Some(own)) if !user.trim().is_empty() => Some(names.person(own, user)),
            (Some(_), _) => return None,
        };
        ask.from = self.from;
        ask.until = self.until;
        ask.organisation = self.organisation;
        ask.outside = self.outside;
        ask.draw = Draw { accesses: self.accesses, again: self.again };
        Some(ask)
    }
}

fn wrong() -> Problem {
    Problem::new(
        Kind::InvalidParameter,
        "Send {\"reason\": \"…\"} with from, until and organisation where wanted; nhs_number, or person_id with id_of, for child-access; user with organisation for person-actions; form is csv or xlsx. GET /v1/openapi.json has the reasons.",
    )
}

fn problem(error: ReportError) -> Problem {
    match error {
        ReportError::Ask(contradiction) => Problem::new(Kind::InvalidParameter, contradiction),
        ReportError::Store(error) => error.into(),
        ReportError::Sheet(_) => Problem::new(
            Kind::InvalidParameter,
            "There is more than a table can hold. Ask for a shorter time.",
        ),
        ReportError::Verification(_) | ReportError::NoCheckpoint => {
            Problem::new(Kind::Internal, "Quote the reference to the operator.")
        }
    }
}
