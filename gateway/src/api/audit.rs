//! The log for those who verify it: checkpoint, entries, proofs, keys.
//!
//! Leaves hold pseudonyms and hashes, so every partner may hold the whole log and check it
//! without trusting us. Reading entries is itself an entry.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Json, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde::Deserialize;

use super::Caller;
use super::problem::{Kind, Problem};
use super::totality::names_nobody;
use crate::access_report::{self, Question, Reason};
use crate::app::App;
use crate::audit::tiles::Tile;
use crate::audit::verify::Row;
use crate::audit::{Event, EventKind, bundle};
use crate::outsiders::{self, Means};
use crate::publication;
use crate::restore::{RestoreError, Standing};
use crate::store::Change;

/// Whether only a checkpoint will do that witnesses have cosigned.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointQuery {
    #[serde(default)]
    cosigned: bool,
}

pub(super) async fn checkpoint(
    State(app): State<Arc<App>>,
    query: Result<Query<CheckpointQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let wrong = "The only parameter here is cosigned=true.";
    let Query(query) = query.or(Err(Problem::new(Kind::InvalidParameter, wrong)))?;
    let (note, none) = if query.cosigned {
        let none = "No checkpoint was cosigned yet by as many witnesses as are wanted.";
        (outsiders::newest_cosigned(&app).await?, none)
    } else {
        let newest = app.store.latest_checkpoint().await?;
        let note = match newest {
            Some(newest) => Some(outsiders::with_cosignatures(&app, newest).await?),
            None => None,
        };
        (note, "The log is empty: there is no checkpoint yet.")
    };
    let note = note.ok_or_else(|| Problem::new(Kind::NotFound, none))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// Somebody shows a checkpoint it keeps: is it of the history this database has?
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: String,
) -> Result<Response, Problem> {
    let standing = echoed(&app, &caller, &body, Means::Shown).await?;
    let mut said = serde_json::json!({
        "standing": standing_name(&standing), "held": matches!(standing, Standing::Held(_)),
    });
    if let (Standing::Held(restore), Some(members)) = (&standing, said.as_object_mut()) {
        members.insert("own_size".to_owned(), restore.own_size.into());
        members.insert("lost_size".to_owned(), restore.lost_size.into());
    }
    Ok(Json(said).into_response())
}

/// Compares a checkpoint that a caller holds with the log, and remembers that it holds it.
pub(super) async fn echoed(
    app: &App,
    caller: &Caller,
    note: &str,
    means: Means,
) -> Result<Standing, Problem> {
    match outsiders::echoed(app, note, &caller.actor, means).await {
        Ok(standing) => Ok(standing),
        Err(RestoreError::Store(error)) => Err(error.into()),
        Err(RestoreError::Checkpoint(_)) => Err(Problem::new(
            Kind::InvalidParameter,
            "This is not a checkpoint of this gateway's log. Send one as it was given: the answer of GET /v1/audit/checkpoint, the checkpoint in a receipt, or EHC-Log-Checkpoint decoded from base64.",
        )),
    }
}

/// What is said of a checkpoint that was shown.
pub(super) fn standing_name(standing: &Standing) -> &'static str {
    match standing {
        Standing::Known => "known",
        Standing::LostAndConfirmed => "lost-and-confirmed",
        Standing::Held(_) => "not-known",
    }
}

/// Query parameters for entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    #[serde(default)]
    from: u64,
    limit: Option<u32>,
}

pub(super) async fn entries(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<EntriesQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let wrong = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are from (0 or more) and limit (1 to 5000).",
        )
    };
    let Query(query) = query.or(Err(wrong()))?;
    let limit = query.limit.unwrap_or(1000);
    if !(1..=5000).contains(&limit) {
        return Err(wrong());
    }
    let event = Event::new(EventKind::AuditViewed, caller.actor.clone())
        .with("from", query.from)
        .with("limit", limit);
    app.store.commit(Change::because(event)).await?;
    let rows = app.store.audit_rows(query.from, limit).await?;
    let mut lines = Vec::new();
    for row in rows {
        let unwritten = |_| Problem::new(Kind::Internal, "Quote the reference to the operator.");
        bundle::write_row(&mut lines, &Row::from(row)).map_err(unwritten)?;
    }
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response())
}

/// Whose record it is, why it is asked, and what kind of answer is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    nhs_number: Option<String>,
    person_id: Option<String>,
    id_of: Option<String>,
    reason: Reason,
    from: Option<Date>,
    until: Option<Date>,
    #[serde(default)]
    for_family: bool,
    #[serde(default)]
    proof: bool,
}

/// Who has seen a person's record. The person is in the body, never in a URL.
pub(super) async fn who_has_seen(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wrong = || {
        Problem::new(
            Kind::InvalidParameter,
            "Send {\"nhs_number\": \"…\", \"reason\": \"…\"}, or person_id with id_of; reason is subject-access-request, complaint, incident, routine-check, family-question, staff-investigation, regulator, tribunal or management. A proof is not for a family.",
        )
    };
    let seen: Seen = serde_json::from_slice(&body).or(Err(wrong()))?;
    if seen.for_family && seen.proof {
        return Err(wrong());
    }
    let by_id = (seen.person_id.as_deref(), seen.id_of.as_deref());
    let subject = app.vault.pseudonyms().key_named(seen.nhs_number.as_deref(), by_id);
    let subject = subject.ok_or_else(wrong)?;
    let Seen { reason, from, until, .. } = seen;
    let question = Question { subject, reason, from, until };
    let report = access_report::look(&app, &question, &caller.actor).await?;
    if seen.for_family {
        let lines = access_report::for_family(&app, &report, &question).await?;
        let lines = lines.map_err(|why| Problem::new(Kind::NotYoursToDecide, why.to_string()))?;
        return Ok(Json(serde_json::json!({ "for_family": lines })).into_response());
    }
    let proof =
        if seen.proof { Some(access_report::prove(&app, &report, &question).await?) } else { None };
    Ok(Json(serde_json::json!({ "report": report, "proof": proof })).into_response())
}

/// A tile, as tools that read transparency logs ask for it. Entries are looked at, hashes are not.
pub(super) async fn tile(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let none = || {
        Problem::new(
            Kind::NotFound,
            "The log has no such tile yet. A path is tile/LEVEL/NUMBER or tile/entries/NUMBER as C2SP tlog-tiles writes it, within the size of the checkpoint.",
        )
    };
    let tile = Tile::parse(&format!("tile/{path}")).ok_or_else(none)?;
    let bytes = publication::tile(&app.store, tile).await?.ok_or_else(none)?;
    if tile.has_entries() {
        let event = Event::new(EventKind::AuditViewed, caller.actor).with("tile", tile);
        app.store.commit(Change::because(event)).await?;
    }
    let response = ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    Ok(if tile.has_entries() { response } else { names_nobody(response) })
}

/// The size of the tree a proof is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeQuery {
    size: Option<u64>,
}

pub(super) async fn inclusion(
    State(app): State<Arc<App>>,
    Path(seq): Path<String>,
    query: Result<Query<SizeQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let wrong =
        || Problem::new(Kind::InvalidParameter, "Name an entry below the size of the tree.");
    let Query(query) = query.or(Err(wrong()))?;
    let seq: u64 = seq.parse().or(Err(wrong()))?;
    let size = app.log_size().await?;
    let size = query.size.filter(|wanted| *wanted <= size).unwrap_or(size);
    if seq >= size {
        return Err(wrong());
    }
    let proof = app.inclusion_proof(size, seq).await?;
    Ok(Json(serde_json::json!({ "seq": seq, "size": size, "hashes": encoded(&proof) }))
        .into_response())
}

/// The two sizes a consistency proof is between.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BetweenQuery {
    from: u64,
    to: Option<u64>,
}

pub(super) async fn consistency(
    State(app): State<Arc<App>>,
    query: Result<Query<BetweenQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let wrong = || {
        Problem::new(
            Kind::InvalidParameter,
            "Parameters are from (1 or more) and to (at most the log's size).",
        )
    };
    let Query(query) = query.or(Err(wrong()))?;
    let size = app.log_size().await?;
    let to = query.to.unwrap_or(size);
    if query.from == 0 || query.from > to || to > size {
        return Err(wrong());
    }
    let proof = app.consistency_proof(query.from, to).await?;
    Ok(Json(serde_json::json!({ "from": query.from, "to": to, "hashes": encoded(&proof) }))
        .into_response())
}

pub(super) async fn keys(State(app): State<Arc<App>>) -> Response {
    Json(serde_json::json!({
        "log": app.log_vkey,
        "receipts": { "keys": [app.receipts.public_jwk()] },
    }))
    .into_response()
}

fn encoded(hashes: &[[u8; 32]]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}
