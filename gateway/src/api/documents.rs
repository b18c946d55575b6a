//! Uploading documents apart from their message, in as many requests as it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Json, Response};
use http_body_util::BodyExt;
use serde::Deserialize;
use uuid::Uuid;

use super::problem::{Kind, Problem};
use super::{Caller, records};
use crate::app::App;
use crate::documents::upload::{self, BrokenOff, Declared, Pieces, UploadError};
use crate::documents::{DocumentState, inspection};
use crate::store::StoredUpload;

/// What a sender says of a document before it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    size: u64,
    #[serde(default)]
    sha256: Option<String>,
}

pub(super) async fn begin(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = records::idempotency_key(&headers)?;
    let said: Begin = serde_json::from_slice(&body).or(Err(Problem::new(
        Kind::MalformedMessage,
        "Send {\"size\": N} with the document's size in bytes and, better, its \"sha256\" in hexadecimal.",
    )))?;
    let sha256 = said.sha256.as_deref().map(digest).transpose()?;
    let declared = Declared { size: said.size, sha256 };
    let answer = upload::begin(&app, &caller.sender(), &key, declared).await?;
    Ok(records::answered(answer))
}

pub(super) async fn append(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(document): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id = document_id(&document)?;
    let offset = headers.get("upload-offset").and_then(|value| value.to_str().ok());
    let offset = offset.and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| {
        Problem::new(
            Kind::InvalidParameter,
            "Say where these bytes begin in an Upload-Offset header; GET the document to learn it.",
        )
    })?;
    // What came in is noted before the request's own time is up.
    let patience = app.config.gateway.request_timeout();
    let until = Instant::now() + patience.saturating_sub(patience / 6);
    let mut pieces = Coming { body, until };
    let known = match upload::append(&app, &caller.sender(), id, offset, &mut pieces).await {
        Ok(known) => known,
        Err(error) => {
            pieces.run_out().await;
            return Err(error.into());
        }
    };
    if known.received < known.size {
        return Ok(status(&known));
    }
    // Looked at to its end whether or not the caller waits; a large one takes longer than it may.
    let looking = Arc::clone(&app);
    let inspected = tokio::spawn(async move {
        if let Err(error) = inspection::inspect(&looking, id).await {
            let error = crate::telemetry::chain(&error);
            tracing::error!(document = %id, error, "a document could not be looked at");
        }
    });
    drop(tokio::time::timeout(INSPECTED_WITHIN, inspected).await);
    Ok(status(&upload::find(&app, &caller.sender(), id).await?))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(document): Path<String>,
) -> Result<Response, Problem> {
    let id = document_id(&document)?;
    Ok(status(&upload::find(&app, &caller.sender(), id).await?))
}

/// How a document stands, and where its upload goes on.
fn status(known: &StoredUpload) -> Response {
    let checking = known.state == DocumentState::Uploading && known.received == known.size;
    let mut response = Json(serde_json::json!({
        "document": known.id,
        "state": if checking { serde_json::json!("checking") } else { serde_json::json!(known.state) },
        "reason": known.reason,
        "size": known.size,
        "received": known.received,
        "sha256": known.sha256.map(|digest| crate::entropy::hex(&digest)),
        "media_type": known.media_type,
    }))
    .into_response();
    if let Ok(value) = HeaderValue::from_str(&known.received.to_string()) {
        response.headers_mut().insert("upload-offset", value);
    }
    response
}

/// A body as it comes in, within a time.
struct Coming {
    body: Body,
    until: Instant,
}

impl Coming {
    /// Takes what is still coming and drops it, within what one request may bring: a sender that is
    /// cut off while it sends never reads why it was refused.
    async fn run_out(&mut self) {
        let mut dropped = 0_u64;
        while let Some(Ok(bytes)) = self.next_piece().await {
            dropped = dropped.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            if dropped > upload::REQUEST_BYTES_MAX {
                return;
            }
        }
    }
}

impl Pieces for Coming {
    fn announced(&self) -> Option<u64> {
        hyper::body::Body::size_hint(&self.body).exact()
    }

    async fn next_piece(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now()).min(SILENCE);
            let frame = tokio::time::timeout(left, self.body.frame()).await;
            return match frame {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => Some(Ok(bytes)),
                    // Trailers say nothing here.
                    Err(_) => continue,
                },
                Ok(None) => None,
                Ok(Some(Err(_))) | Err(_) => Some(Err(BrokenOff)),
            };
        }
    }
}

/// Bytes of a document that leave in pieces, with their length known.
pub(super) struct Outgoing {
    pieces: tokio::sync::mpsc::Receiver<Result<Bytes, crate::pipeline::Stopped>>,
    left: u64,
}

impl Outgoing {
    pub(super) fn new(leaving: crate::pipeline::Leaving) -> Self {
        Self { pieces: leaving.pieces, left: leaving.length }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = crate::pipeline::Stopped;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(0));
                Some(Ok(hyper::body::Frame::data(bytes)))
            }
            Some(Err(stopped)) => Some(Err(stopped)),
            // A channel that ends before everything was sent is a stop too.
            None => (self.left > 0).then_some(Err(crate::pipeline::Stopped)),
        })
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left)
    }
}

/// The range a caller asks for; the whole when it asks for none, for several, or for one of another
/// version. An error when there is nothing at it.
pub(super) fn range(
    headers: &HeaderMap,
    size: u64,
    tag: &str,
) -> Result<Option<std::ops::Range<u64>>, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if text(header::IF_RANGE).is_some_and(|condition| condition != tag) {
        return Ok(None);
    }
    let asked = text(header::RANGE).and_then(|text| text.strip_prefix("bytes="));
    let asked = asked.filter(|text| !text.contains(',')).and_then(|text| text.split_once('-'));
    let Some((first, last)) = asked else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match (first.is_empty(), last.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => number(last).map(|count| size.saturating_sub(count)..size),
        (false, true) => number(first).map(|first| first..size),
        (false, false) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => {
                Some(first..last.saturating_add(1).min(size))
            }
            _ => None,
        },
    };
    match range {
        None => Ok(None),
        Some(range) if range.start < range.end => Ok(Some(range)),
        Some(_) => Err(Problem::new(
            Kind::RangeNotSatisfiable,
            format!("The document has {size} bytes; ask for a range within them."),
        )
        .with_header("content-range", format!("bytes */{size}"))),
    }
}

fn document_id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).or(Err(UploadError::NotFound.into()))
}

fn digest(text: &str) -> Result<[u8; 32], Problem> {
    crate::entropy::from_hex(text).ok_or_else(|| {
        Problem::new(Kind::InvalidParameter, "sha256 is 64 hexadecimal digits, or left out.")
    })
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::NotFound => {
                Self::new(Kind::NotFound, "Your organisation has no document with this id.")
            }
            UploadError::Finished => Self::new(
                Kind::AlreadyDecided,
                "The document takes no more bytes: all of it came in, or it was given up. GET it to see.",
            ),
            UploadError::InProgress => Self::new(
                Kind::RequestInProgress,
                "Another request is adding to this document. Wait, then ask where it goes on.",
            ),
            UploadError::WrongOffset(at) => Self::new(
                Kind::UploadOffset,
                format!("The upload goes on at {at}: send the bytes from there."),
            )
            .with_header("upload-offset", at.to_string()),
            UploadError::TooMuch => Self::new(
                Kind::TooLarge,
                "Send at most 64 MiB in one request, and no more bytes than were declared.",
            ),
            UploadError::Size => Self::new(
                Kind::TooLarge,
                "A document has at least 1 byte and at most what the operator allows (5 GiB or less).",
            ),
            UploadError::TooMany => Self::new(
                Kind::RequestInProgress,
                "Your organisation has 64 unfinished uploads. Finish some; those left alone are given up.",
            ),
            UploadError::Store(error) => error.into(),
            UploadError::Receive(error) => error.into(),
            UploadError::Keeping(error) => {
                let error = crate::telemetry::chain(&error);
                tracing::error!(error, "a segment could not be kept");
                Self::new(
                    Kind::TemporarilyUnavailable,
                    "The bytes could not be kept. GET the document to learn where to go on, and try again.",
                )
            }
            UploadError::Vault(_) | UploadError::Entropy(_) => {
                let error = crate::telemetry::chain(&error);
                tracing::error!(error, "a document could not be sealed");
                Self::new(Kind::TemporarilyUnavailable, "Nothing was kept. Try again later.")
            }
        }
    }
}

/// How long a caller waits for the look at its document; after that it asks again.
const INSPECTED_WITHIN: Duration = Duration::from_secs(5);
/// How long a sender may be silent within a request.
const SILENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;
