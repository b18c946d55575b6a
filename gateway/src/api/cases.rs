//! Cases: which messages belong together. The reference stands in a body, never in a URL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Json, Response};
use schemas::{CaseReference, OrganisationCode, RecordId};
use serde::Deserialize;
use uuid::Uuid;

use super::Caller;
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::cases::{self, Wanted};
use crate::peer::Role;
use crate::queue::CaseId;
use crate::standing::{self, Standing};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(case): Path<String>,
) -> Result<Response, Problem> {
    let case = Uuid::try_parse(&case).map(CaseId).or(Err(none()))?;
    let viewer = viewer(&caller);
    let case = cases::of_viewer(&app, case, viewer, &caller.actor).await?.ok_or_else(none)?;
    Ok(Json(case).into_response())
}

/// What is looked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    reference: Option<String>,
    authority: Option<OrganisationCode>,
    record: Option<Uuid>,
}

pub(super) async fn find(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wrong = || {
        Problem::new(
            Kind::InvalidParameter,
            "Send {\"record\": \"...\"}, or {\"reference\": \"...\"} with the authority whose reference it is unless it is your own.",
        )
    };
    let query: Query = serde_json::from_slice(&body).or(Err(wrong()))?;
    let wanted = match (query.record, query.reference) {
        (Some(record), None) => Wanted::Record(RecordId(record)),
        (None, Some(reference)) => {
            let reference = CaseReference::parse(&reference).or(Err(wrong()))?;
            let authority = query.authority.unwrap_or_else(|| caller.peer.organisation().clone());
            Wanted::Reference(authority, reference.expose().to_owned())
        }
        (Some(_), Some(_)) | (None, None) => return Err(wrong()),
    };
    let case = cases::find(&app, &wanted, viewer(&caller)).await?.ok_or_else(none)?;
    standing::viewed(&app, &caller.actor, (Standing::Case, 1), None).await?;
    Ok(Json(serde_json::json!({ "case": case, "href": format!("/v1/cases/{case}") }))
        .into_response())
}

fn viewer(caller: &Caller) -> Option<&OrganisationCode> {
    (!caller.has(Role::IgAuditor)).then(|| caller.peer.organisation())
}

fn none() -> Problem {
    Problem::new(Kind::NotFound, "No case of that description has a message you sent or were sent.")
}
