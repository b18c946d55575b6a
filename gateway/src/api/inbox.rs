//! The inbox: list, fetch, acknowledge.
//!
//! Listing shows no content, but that somebody is written to: a list that is not empty is a look, in the
//! log. Fetching is a release: decided, and in the log, before a byte leaves.

use std::sync::Arc;

use adapters::Format;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use schemas::MessageType;
use schemas::record::RejectionReason;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::totality::names_nobody;
use super::{Caller, cursor, documents, records};
use crate::app::App;
use crate::pipeline::{self, Apart, Collected, CollectedDocument};
use crate::queue::{Delivery, DeliveryId, DeliveryState};
use crate::standing::{self, Standing};
use crate::store::{InboxPlace, Related};

/// Query parameters of the inbox.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxQuery {
    cursor: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    all: bool,
}

/// One line of the inbox.
#[derive(Debug, Serialize)]
struct Line {
    delivery: DeliveryId,
    #[serde(rename = "type")]
    kind: MessageType,
    service: Option<String>,
    from: String,
    state: DeliveryState,
    available_at: String,
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    supersedes: Option<DeliveryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<DeliveryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recalls: Option<Recalled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

/// What a recall in the inbox takes back from this recipient.
#[derive(Debug, Serialize)]
struct Recalled {
    deliveries: Vec<DeliveryId>,
    reason: String,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<InboxQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.or(Err(Problem::new(
        Kind::InvalidParameter,
        "Parameters are cursor, limit (1 to 500) and all=true.",
    )))?;
    let recipient = caller.peer.organisation();
    let scope = format!("inbox {recipient} {}", query.all);
    let limit = query.limit.unwrap_or(100);
    let after = query.cursor.as_deref().map(|text| cursor::read::<(i64, Uuid)>(&scope, text));
    if !(1..=500).contains(&limit) || after == Some(None) {
        return Err(Problem::new(
            Kind::InvalidParameter,
            "The cursor belongs to another list, or the limit is not between 1 and 500. Start again without a cursor.",
        ));
    }
    let after = after.flatten().and_then(|(at, id)| {
        let available_at = Timestamp::from_microsecond(at).ok()?;
        Some(InboxPlace { available_at, id: DeliveryId(id) })
    });
    let states: &[DeliveryState] = if query.all { &LISTED } else { &WAITING };
    let deliveries = app.store.inbox(recipient, states, after, limit).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| deliveries.len() == limit);
    let last = deliveries.last().filter(|_| full);
    let next = last.and_then(|d| cursor::write(&scope, (d.available_at.as_microsecond(), d.id.0)));
    let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
    let mut related = app.store.related(recipient, &ids).await?;
    let mut lines = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let related = related.remove(&delivery.id).unwrap_or_default();
        lines.push(line(&app, delivery, related).await?);
    }
    let mut response =
        Json(serde_json::json!({ "deliveries": lines, "next": &next })).into_response();
    if let Some(next) = &next
        && let Ok(link) = HeaderValue::from_str(&format!("</v1/inbox?cursor={next}>; rel=\"next\""))
    {
        response.headers_mut().insert(header::LINK, link);
    }
    if lines.is_empty() {
        return Ok(names_nobody(response));
    }
    standing::viewed(&app, &caller.actor, (Standing::Inbox, lines.len()), None).await?;
    Ok(response)
}

pub(super) async fn collect(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = delivery_id(&delivery)?;
    let format = accepted_format(&headers)?;
    let actor = caller.actor.clone();
    let organisation = caller.peer.organisation();
    let collected = pipeline::collect(&app, organisation, &actor, id, format).await?;
    Ok(leaving(collected))
}

pub(super) async fn document(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((delivery, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = delivery_id(&delivery)?;
    let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let index =
        index.ok_or_else(|| Problem::new(Kind::NotFound, "Documents are counted from 1."))?;
    let organisation = caller.peer.organisation();
    let actor = &caller.actor;
    match pipeline::collect_document(&app, organisation, actor, id, index).await? {
        CollectedDocument::Inside(collected) => Ok(leaving(*collected)),
        CollectedDocument::Apart(apart) => in_ranges(&app, &headers, *apart).await,
    }
}

/// A document that is kept apart, whole or in the range asked for (RFC 9110, section 14).
async fn in_ranges(app: &Arc<App>, headers: &HeaderMap, apart: Apart) -> Result<Response, Problem> {
    let document = apart.document().clone();
    let (delivery, number) = (apart.delivery(), apart.number());
    let tag = format!("\"{}\"", document.sha256_hex());
    let asked = documents::range(headers, document.size, &tag)?;
    let range = asked.clone().unwrap_or(0..document.size);
    let body = documents::Outgoing::new(apart.leave(app, range.clone()).await?);
    let mut response = Response::new(Body::new(body));
    let mut set = |name: header::HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, document.media_type);
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, tag);
    set(header::CONTENT_DISPOSITION, format!("attachment; filename=\"document-{number}\""));
    set(header::HeaderName::from_static("ehc-delivery"), delivery.to_string());
    if asked.is_some() {
        let last = range.end.saturating_sub(1);
        set(header::CONTENT_RANGE, format!("bytes {}-{last}/{}", range.start, document.size));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// A business acknowledgement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    outcome: schemas::record::NoticeOutcome,
    #[serde(default)]
    reason: Option<RejectionReason>,
}

pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(delivery): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let id = delivery_id(&delivery)?;
    let sender = caller.sender();
    let request = records::request_bytes("acknowledge", id, &body);
    if let Some(before) = pipeline::answered_before(&app, &sender, &key, &request).await? {
        return Ok(records::answered(before));
    }
    let body: Acknowledgement = serde_json::from_slice(&body).or(Err(Problem::new(
        Kind::MalformedMessage,
        "Send {\"outcome\": \"accepted\"} or {\"outcome\": \"rejected\", \"reason\": \"NOT_MY_PATIENT\"} with a reason of the catalogue.",
    )))?;
    let state = match (body.outcome, body.reason) {
        (schemas::record::NoticeOutcome::Accepted, _) => DeliveryState::Accepted,
        (schemas::record::NoticeOutcome::Rejected, Some(_)) => DeliveryState::Rejected,
        (schemas::record::NoticeOutcome::Rejected, None) => {
            return Err(Problem::new(
                Kind::InvalidParameter,
                "A rejection needs a reason of the catalogue, for example WRONG_ORG.",
            ));
        }
    };
    let own = caller.peer.organisation();
    let said = (state, body.reason);
    let answer = serde_json::json!({ "delivery": id, "state": state });
    match crate::journey::acknowledge(&app, own, &caller.actor, id, said).await? {
        Some(change) => {
            let once = (key.as_str(), request.as_slice());
            let answer = pipeline::commit_once(&app, &sender, once, &answer, change).await?;
            Ok(records::answered(answer))
        }
        None => Ok(Json(answer).into_response()),
    }
}

/// The parcel as a response whose body keeps the guard until it has been handed over.
fn leaving(collected: Collected) -> Response {
    let Collected { parcel, guard } = collected;
    // In one piece: a connection that is read slowly does not hold the guard for long.
    let handover = pipeline::Handover::new(parcel.expose_body(), guard, usize::MAX);
    let mut response = Response::new(Body::new(Guarded(handover)));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(parcel.media_type()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    let id = parcel.delivery().to_string();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("ehc-delivery", value);
    }
    if let Some(name) = parcel.file_name()
        && let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
    {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A body that owns the person's guard: it is dropped with the body, after the last byte was taken.
struct Guarded(pipeline::Handover);

impl hyper::body::Body for Guarded {
    type Data = Bytes;
    type Error = pipeline::Stopped;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        // An error cuts the connection, so that nothing half looks whole.
        let piece = self.0.next_piece().map(|piece| piece.map(hyper::body::Frame::data));
        std::task::Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.0.left() == 0
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.left())
    }
}

async fn line(app: &App, delivery: Delivery, related: Related) -> Result<Line, Problem> {
    let mut recalls = None;
    if let Some((record, reason)) = &related.recalls {
        let taken = app.store.taken(*record).await?.into_iter();
        let theirs = taken.filter(|one| one.recipient == delivery.recipient && one.may_have_left());
        let deliveries = theirs.map(|one| one.delivery).collect();
        recalls = Some(Recalled { deliveries, reason: reason.clone() });
    }
    let acts = recalls.is_some() || related.supersedes.is_some();
    let notice = acts.then(|| format!("/v1/records/{}/notice", delivery.record));
    Ok(Line {
        href: format!("/v1/inbox/{}", delivery.id),
        delivery: delivery.id,
        kind: delivery.kind,
        service: delivery.service.map(|service| service.to_string()),
        from: delivery.sender.to_string(),
        state: delivery.state,
        available_at: delivery.available_at.to_string(),
        supersedes: related.supersedes,
        superseded_by: related.superseded_by,
        recalls,
        notice,
    })
}

pub(super) fn delivery_id(text: &str) -> Result<DeliveryId, Problem> {
    Uuid::try_parse(text)
        .map(DeliveryId)
        .or(Err(Problem::new(Kind::NotFound, "No delivery with this id is in your inbox.")))
}

/// The format named by `Accept`; the recipient's own when it names none.
fn accepted_format(headers: &HeaderMap) -> Result<Option<Format>, Problem> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    if accept.split(',').any(|range| range.trim().starts_with("*/*")) {
        return Ok(None);
    }
    accept.split(',').find_map(Format::from_media_type).map(Some).ok_or_else(|| {
        Problem::new(
            Kind::NotAcceptable,
            "Accept application/json, application/fhir+json or text/csv.",
        )
    })
}

/// What waits: not acknowledged yet.
const WAITING: [DeliveryState; 2] = [DeliveryState::Queued, DeliveryState::Delivered];
/// Everything that was or can be collected.
const LISTED: [DeliveryState; 4] = [
    DeliveryState::Queued,
    DeliveryState::Delivered,
    DeliveryState::Accepted,
    DeliveryState::Rejected,
];
