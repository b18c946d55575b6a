//! The practice MESH over HTTP: routes, headers and bodies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adapters::mesh::{ACCEPT, MeshMessageId, ROOT};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State as Shared};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::json;

use super::Mood;
use super::rules::{Posted, Refusal, State, Status, Stored};
use crate::peer::Peer;

type Server = Arc<Mutex<State>>;
type Answer = Result<Response<Body>, Refused>;

pub(super) fn router(state: Server, most: usize) -> Router {
    let route = |path: &str| format!("{ROOT}/{{mailbox}}{path}");
    Router::new()
        .route(&route(""), get(handshake).post(handshake))
        .route(&route("/inbox"), get(list))
        .route(&route("/inbox/{id}"), get(first))
        .route(&route("/inbox/{id}/{number}"), get(next))
        .route(&route("/inbox/{id}/status/acknowledged"), put(acknowledge))
        .route(&route("/outbox"), post(send))
        .route(&route("/outbox/tracking"), get(track))
        .route(&route("/outbox/{id}/{number}"), post(chunk))
        .layer(DefaultBodyLimit::max(most))
        .with_state(state)
}

/// A refusal, in version 2 of the error body.
struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let (status, code) = self.0;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Some(code) = code else { return status.into_response() };
        let body = json!({
            "message_id": null,
            "internal_id": null,
            "detail": [{ "event": "SEND", "code": code, "msg": "refused" }],
        });
        (status, [("content-type", ACCEPT)], body.to_string()).into_response()
    }
}

fn lock(state: &Server) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn mesh_json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    (status, [("content-type", ACCEPT)], body.to_string()).into_response()
}

async fn handshake(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path(mailbox): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let mut state = lock(&state);
    state.admit(&mailbox, &text(&headers, "authorization"), peer.organisation())?;
    let named = ["mex-clientversion", "mex-osname", "mex-osversion"];
    if named.iter().any(|name| text(&headers, name).is_empty()) {
        return Err(Refused((400, Some("06"))));
    }
    state.handshakes += 1;
    Ok(StatusCode::OK.into_response())
}

#[derive(Deserialize)]
struct Listing {
    workflow_filter: Option<String>,
    continue_from: Option<usize>,
}

async fn list(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path(mailbox): Path<String>,
    Query(asked): Query<Listing>,
    headers: HeaderMap,
) -> Answer {
    let mut state = lock(&state);
    let mailbox = state.admit(&mailbox, &text(&headers, "authorization"), peer.organisation())?;
    let all = state.waiting(&mailbox, asked.workflow_filter.as_deref());
    let (from, page) = (asked.continue_from.unwrap_or(0), state.page());
    let ids: Vec<&str> = all.iter().skip(from).take(page).map(MeshMessageId::as_str).collect();
    let own = format!("{ROOT}/{mailbox}/inbox");
    let mut links = json!({ "self": &own });
    if from + page < all.len()
        && let Some(links) = links.as_object_mut()
    {
        let filter = asked.workflow_filter.map(|f| format!("&workflow_filter={f}"));
        let next = format!("{own}?continue_from={}{}", from + page, filter.unwrap_or_default());
        links.insert("next".to_owned(), next.into());
    }
    let body = json!({ "messages": ids, "links": links, "approx_inbox_count": all.len() });
    Ok(mesh_json(StatusCode::OK, &body))
}

async fn first(
    shared: Shared<Server>,
    peer: Extension<Peer>,
    Path((mailbox, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    download(&shared, &peer, (&mailbox, &id, 1), &headers)
}

async fn next(
    shared: Shared<Server>,
    peer: Extension<Peer>,
    Path((mailbox, id, number)): Path<(String, String, u32)>,
    headers: HeaderMap,
) -> Answer {
    download(&shared, &peer, (&mailbox, &id, number), &headers)
}

fn download(
    state: &Server,
    peer: &Peer,
    (mailbox, id, number): (&str, &str, u32),
    headers: &HeaderMap,
) -> Answer {
    let mut state = lock(state);
    let mailbox = state.admit(mailbox, &text(headers, "authorization"), peer.organisation())?;
    let message = state.open(&mailbox, id)?;
    let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let chunk = match (&message.linked, at.and_then(|at| message.chunks.get(at))) {
        (Some(_), _) => Vec::new(),
        (None, Some(chunk)) => chunk.clone(),
        (None, None) => return Err(Refused((404, Some("20")))),
    };
    let more = number < message.total;
    let status = if more { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = Response::builder().status(status);
    for (name, value) in about(message, number) {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(chunk)).unwrap_or_default())
}

/// The headers a download comes with.
fn about(message: &Stored, number: u32) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("mex-messageid", message.id.to_string()),
        ("mex-to", message.to.to_string()),
        ("mex-workflowid", message.workflow.to_string()),
        ("mex-chunk-range", format!("{number}:{}", message.total)),
        ("mex-total-chunks", message.total.to_string()),
    ];
    let from = message.from.as_ref().map(ToString::to_string);
    match &message.linked {
        None => headers.extend([
            ("mex-messagetype", "DATA".to_owned()),
            ("mex-from", from.unwrap_or_default()),
            ("mex-localid", message.local_id.clone()),
            ("mex-content-type", message.content_type.clone()),
            ("mex-content-checksum", message.checksum.clone()),
            ("mex-statussuccess", "SUCCESS".to_owned()),
        ]),
        Some((linked, code)) => headers.extend([
            ("mex-messagetype", "REPORT".to_owned()),
            ("mex-linkedmsgid", linked.to_string()),
            ("mex-statuscode", code.clone()),
            ("mex-statusevent", "SEND".to_owned()),
            ("mex-statussuccess", "ERROR".to_owned()),
            ("mex-subject", "NDR".to_owned()),
        ]),
    }
    if !message.encoding.is_empty() {
        headers.push(("content-encoding", message.encoding.clone()));
        headers.push(("mex-content-compressed", "Y".to_owned()));
    }
    headers.retain(|(_, value)| !value.is_empty());
    headers
}

async fn acknowledge(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path((mailbox, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let mut state = lock(&state);
    let mailbox = state.admit(&mailbox, &text(&headers, "authorization"), peer.organisation())?;
    state.acknowledge(&mailbox, &id)?;
    Ok(StatusCode::OK.into_response())
}

async fn send(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path(mailbox): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (id, mood) = {
        let mut state = lock(&state);
        let token = text(&headers, "authorization");
        let mailbox = state.admit(&mailbox, &token, peer.organisation())?;
        let header = |name: &str| text(&headers, name);
        let id = state.post(mailbox, Posted { header: &header, body: body.to_vec() })?;
        (id, state.mood)
    };
    if mood == Mood::HoldFirstAnswers {
        std::future::pending::<()>().await;
    }
    if mood == Mood::LoseFirstAnswers {
        return Err(Refused((502, None)));
    }
    Ok(mesh_json(StatusCode::ACCEPTED, &json!({ "message_id": id.as_str() })))
}

async fn chunk(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path((mailbox, id, number)): Path<(String, String, u32)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut state = lock(&state);
    let mailbox = state.admit(&mailbox, &text(&headers, "authorization"), peer.organisation())?;
    let header = |name: &str| text(&headers, name);
    let posted = Posted { header: &header, body: body.to_vec() };
    let last = state.chunk(&mailbox, (&id, number), posted)?;
    if last && state.mood == Mood::LoseLastAnswer {
        return Err(Refused((502, None)));
    }
    Ok(mesh_json(StatusCode::ACCEPTED, &serde_json::Value::Null))
}

#[derive(Deserialize)]
struct Tracked {
    #[serde(rename = "messageID")]
    id: String,
}

async fn track(
    Shared(state): Shared<Server>,
    Extension(peer): Extension<Peer>,
    Path(mailbox): Path<String>,
    Query(asked): Query<Tracked>,
    headers: HeaderMap,
) -> Answer {
    let mut state = lock(&state);
    let mailbox = state.admit(&mailbox, &text(&headers, "authorization"), peer.organisation())?;
    let message = state.track(&mailbox, &asked.id)?;
    let status = match message.status {
        Status::Uploading => "uploading",
        Status::Accepted => "accepted",
        Status::Acknowledged => "acknowledged",
        Status::Undeliverable => "undeliverable",
    };
    let body = json!({
        "message_id": message.id.as_str(),
        "local_id": message.local_id,
        "workflow_id": message.workflow.as_str(),
        "recipient": message.to.as_str(),
        "status": status,
    });
    Ok(mesh_json(StatusCode::OK, &body))
}
