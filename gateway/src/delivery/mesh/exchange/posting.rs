//! Sending: the first chunk once, the others until they are taken.

use std::io::Write;

use adapters::mesh::{Checksum, Outgoing, TrackingStatus, chunks};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{
    CALLS_MAX, CONTENT_ENCODING, CONTENT_TYPE, ChunkRange, Exchange, Instant, Mailbox, MeshError,
    MeshMessageId, Method, SendError, StatusCode, WorkflowId, bounded, mesh, refused, try_again,
};

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// To which mailbox.
    pub to: &'a Mailbox,
    /// Under which workflow.
    pub workflow: &'a WorkflowId,
    /// Our own id of it.
    pub local_id: &'a str,
    /// What it is about: a message type.
    pub subject: &'a str,
    /// The media type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Exchange {
    /// Sends a message, in as many chunks as it needs. Ends within the time of one attempt, so
    /// that no other worker begins meanwhile.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<MeshMessageId, SendError> {
        let until = Instant::now() + self.attempt;
        let parts = chunks(letter.body, self.chunk_bytes)
            .map_err(|fault| SendError::Permanent(fault.to_string()))?;
        let Some(((range, first), later)) = parts.split_first() else {
            return Err(SendError::Permanent("there is nothing to send".to_owned()));
        };
        let id = self.first(letter, *range, first).await?;
        for (range, bytes) in later {
            self.later(&id, *range, &compressed(bytes)?, until).await?;
        }
        Ok(id)
    }

    /// The first POST, which makes the message: never repeated.
    async fn first(
        &self,
        letter: &Letter<'_>,
        chunk: ChunkRange,
        bytes: &[u8],
    ) -> Result<MeshMessageId, SendError> {
        let outgoing = Outgoing {
            to: letter.to.clone(),
            workflow: letter.workflow.clone(),
            local_id: letter.local_id.to_owned(),
            subject: letter.subject.to_owned(),
            file_name: format!("{}.dat", letter.local_id),
            content_type: letter.content_type.to_owned(),
            checksum: Checksum::sha256(&crate::entropy::sha256_hex(letter.body)),
            chunk,
        };
        let headers =
            outgoing.headers().map_err(|fault| SendError::Permanent(fault.to_string()))?;
        let path = format!("{}/{}/outbox", mesh::ROOT, self.mailbox);
        let mut request = self.request(Method::POST, &path).map_err(|error| not_sent(&error))?;
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_ENCODING, "gzip")
            .body(compressed(bytes)?);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Err(SendError::Transient("MESH could not be reached".to_owned()));
            }
            Err(_) => {
                let reason = "the connection to MESH broke before its answer";
                return Err(SendError::Unknown(reason.to_owned()));
            }
        };
        if response.status().is_success() {
            let body = bounded(response, mesh::ANSWER_BYTES_MAX).await;
            let id = body.ok().and_then(|body| mesh::sent(&body).ok());
            let reason = "MESH took it and its answer names no message";
            return id.ok_or_else(|| SendError::Unknown(reason.to_owned()));
        }
        let status = response.status();
        let reason = refused(response).await.to_string();
        Err(match status.as_u16() {
            // Refused before it was looked at.
            401 | 403 | 408 | 425 | 429 | 503 => SendError::Transient(reason),
            500..=599 => SendError::Unknown(reason),
            _ => SendError::Permanent(reason),
        })
    }

    /// A later chunk, which may be repeated. A message that lacks one is never listed, so until
    /// the last one it provably has not arrived.
    async fn later(
        &self,
        id: &MeshMessageId,
        range: ChunkRange,
        bytes: &[u8],
        until: Instant,
    ) -> Result<(), SendError> {
        let path = format!("{}/{}/outbox/{id}/{}", mesh::ROOT, self.mailbox, range.number);
        let mut reason = "MESH could not be reached".to_owned();
        for attempt in 0..CALLS_MAX {
            self.pause(attempt).await.map_err(|error| not_sent(&error))?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                "there was no time for every chunk".clone_into(&mut reason);
                break;
            }
            let request = self.request(Method::POST, &path).map_err(|error| not_sent(&error))?;
            let request = request
                .timeout(left)
                .header("mex-chunk-range", range.to_string())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_ENCODING, "gzip")
                .body(bytes.to_vec());
            match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                // The last chunk was taken before, and only the answer was lost; or it was not.
                Ok(response) if response.status() == StatusCode::LOCKED => break,
                Ok(response) if try_again(response.status()) => {
                    reason = refused(response).await.to_string();
                }
                Ok(response) => {
                    let lasting = !response.status().is_server_error();
                    reason = refused(response).await.to_string();
                    if lasting {
                        return Err(SendError::Permanent(reason));
                    }
                }
                Err(_) => "MESH could not be reached".clone_into(&mut reason),
            }
        }
        if range.is_last() {
            self.resolve(id, reason).await
        } else {
            Err(SendError::Transient(reason))
        }
    }

    /// Whether a message whose last chunk met no answer is complete: MESH says so itself.
    async fn resolve(&self, id: &MeshMessageId, reason: String) -> Result<(), SendError> {
        match self.track(id).await.ok().flatten().map(|tracking| tracking.status) {
            Some(TrackingStatus::Accepted | TrackingStatus::Acknowledged) => Ok(()),
            Some(TrackingStatus::Uploading) => Err(SendError::Transient(reason)),
            Some(TrackingStatus::Undeliverable | TrackingStatus::Failed) => {
                Err(SendError::Permanent("MESH could not deliver it".to_owned()))
            }
            Some(TrackingStatus::Other) | None => Err(SendError::Unknown(reason)),
        }
    }
}

fn not_sent(error: &MeshError) -> SendError {
    SendError::Transient(error.to_string())
}

/// One chunk, compressed on its own.
fn compressed(bytes: &[u8]) -> Result<Vec<u8>, SendError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.or(Err(SendError::Transient("it could not be compressed".to_owned())))
}
