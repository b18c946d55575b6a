//! What a witness answers: C2SP tlog-witness, and what it cosigned last.
//!
//! A listener of its own, run by another organisation: nothing of the gateway's API is here.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing;

use crate::entropy::sha256_hex;
use crate::witness::{Refusal, Submission, Witness};

/// The routes of a witness: `POST /add-checkpoint`, and `GET /checkpoint/ORIGIN` with the SHA-256 of
/// the log's origin in hexadecimal.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", routing::post(add))
        .route("/checkpoint/{origin}", routing::get(last))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(witness)
}

async fn add(State(witness): State<Arc<Witness>>, body: String) -> Response {
    let Some(submission) = Submission::parse(&body) else {
        return said(StatusCode::BAD_REQUEST, &Refusal::Form);
    };
    // The state is flushed to disk before the answer.
    let added = tokio::task::spawn_blocking(move || witness.add(&submission)).await;
    let refusal = match added {
        Ok(Ok(line)) => return (StatusCode::OK, line).into_response(),
        Ok(Err(refusal)) => refusal,
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    if refusal.is_against_the_log() {
        let error = refusal.to_string();
        tracing::error!(error, "a log does not continue what was cosigned of it");
    }
    match refusal {
        Refusal::Form => said(StatusCode::BAD_REQUEST, &refusal),
        Refusal::UnknownLog(_) => said(StatusCode::NOT_FOUND, &refusal),
        Refusal::NotSigned => said(StatusCode::FORBIDDEN, &refusal),
        Refusal::Stale { cosigned, .. }
        | Refusal::Shorter { cosigned, .. }
        | Refusal::Fork(cosigned) => size(cosigned),
        Refusal::NotProved { .. } => said(StatusCode::UNPROCESSABLE_ENTITY, &refusal),
        Refusal::State(_) | Refusal::Cosignature(_) | Refusal::Entropy(_) => {
            let error = crate::telemetry::chain(&refusal);
            tracing::error!(error, "what is cosigned could not be kept");
            said(StatusCode::INTERNAL_SERVER_ERROR, &refusal)
        }
    }
}

/// What was cosigned last, with the cosignature: the evidence, for whoever asks.
async fn last(State(witness): State<Arc<Witness>>, Path(wanted): Path<String>) -> Response {
    let known = witness.logs().find(|(origin, _)| sha256_hex(origin.as_bytes()) == wanted);
    match known.and_then(|(origin, _)| witness.head(origin)) {
        Some(head) => (StatusCode::OK, head.note).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn said(status: StatusCode, refusal: &Refusal) -> Response {
    (status, format!("{refusal}\n")).into_response()
}

/// The size that was cosigned last, in the form that C2SP tlog-witness asks for.
fn size(cosigned: u64) -> Response {
    let form = [(header::CONTENT_TYPE, "text/x.tlog.size")];
    (StatusCode::CONFLICT, form, format!("{cosigned}\n")).into_response()
}

/// A note and a proof are a few kilobytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
