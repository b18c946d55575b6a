//! Search of the log for information governance. Whom it is about is in the body, never in a URL.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Json, Response};

use super::Caller;
use super::problem::{Kind, Problem};
use crate::app::App;
use crate::log_search::{self, Asked};

pub(super) async fn search(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked: Asked = serde_json::from_slice(&body).or(Err(Problem::new(
        Kind::InvalidParameter,
        "Send {\"reason\": \"…\"} and any of nhs_number, person_id with id_of, user with user_of, person, organisation, counterparty, kinds, purpose, authority, outcome, from, until, before and limit.",
    )))?;
    let search = asked.search(app.vault.pseudonyms());
    let search = search.map_err(|why| Problem::new(Kind::InvalidParameter, format!("{why}.")))?;
    let found = log_search::search(&app, &search, &caller.actor).await?;
    Ok(Json(found).into_response())
}
