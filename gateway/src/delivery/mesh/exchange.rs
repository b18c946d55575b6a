//! The calls of MESH, as one mailbox makes them.
//!
//! Each request bears a token of its own (a fresh nonce, count 0). Secrets are read from files
//! that only their owner can read, and are wiped from memory when the exchange is dropped. Bodies
//! are bounded, decompressed bodies too. Errors hold codes and statuses, never what was answered.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use adapters::mesh::{
    self, Assembly, ChunkRange, InboxPage, Incoming, Mailbox, MeshMessageId, TokenParts, Tracking,
    WorkflowId,
};
use flate2::read::MultiGzDecoder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::{DeliverySection, MeshSection};
use crate::entropy::{Entropy, hex, hmac_sha256};

pub use super::super::SendError;

mod posting;

pub use posting::Letter;

/// One mailbox's connection to MESH.
pub struct Exchange {
    client: Client,
    base: String,
    mailbox: Mailbox,
    password: Zeroizing<String>,
    shared_key: Zeroizing<Vec<u8>>,
    chunk_bytes: u32,
    attempt: Duration,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    greeted: OnceCell<()>,
}

/// Why a call of MESH did not end well. No content.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// `[mesh]` is not configured.
    #[error("the gateway has no mailbox; add [mesh] to its configuration")]
    NotSet,
    /// A file could not be used.
    #[error("the files named under [mesh] cannot be used")]
    Files(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server could not be reached, or the connection broke.
    #[error("MESH could not be reached")]
    Unreachable,
    /// The token was refused: mailbox, password, shared key, clock or certificate is wrong.
    #[error("MESH refused our token (403): check mailbox, password, shared key and clock")]
    Forbidden,
    /// There is no such message, or it is not available any more.
    #[error("MESH has no such message ({0})")]
    Gone(u16),
    /// It answered with something else than success.
    #[error("MESH answered {status}: {fault}")]
    Refused {
        /// The status.
        status: u16,
        /// What it said, in codes.
        fault: mesh::Fault,
    },
    /// Its answer could not be used.
    #[error("the answer of MESH cannot be used: {0}")]
    Unusable(String),
    /// No randomness for a token.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

/// A message whose headers were read, and whose body was not yet.
#[derive(Debug)]
pub struct Arriving {
    /// Its headers.
    pub headers: Incoming,
    first: Response,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exchange({})", self.mailbox)
    }
}

impl Exchange {
    /// Reads the files of `[mesh]` and makes a client. Connects to nothing yet.
    pub fn open(
        settings: &MeshSection,
        delivery: &DeliverySection,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, MeshError> {
        let tls = crate::tls::mesh_client_config(settings, Arc::clone(&clock))
            .map_err(|error| MeshError::Files(Box::new(error)))?;
        let secret = |file| {
            let bytes = crate::secret_file::read(file);
            bytes.map_err(|error| MeshError::Files(Box::new(error)))
        };
        let password = secret(&settings.password_file)?;
        let password = std::str::from_utf8(&password)
            .map_err(|error| MeshError::Files(Box::new(error)))?
            .trim_end_matches(['\r', '\n']);
        let shared_key = secret(&settings.shared_key_file)?;
        let seconds = |value: std::num::NonZeroU32| Duration::from_secs(value.get().into());
        let connect = seconds(delivery.connect_timeout_seconds);
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .connect_timeout(connect)
            .timeout(seconds(delivery.send_timeout_seconds))
            .build()
            .map_err(|error| MeshError::Files(Box::new(error)))?;
        Ok(Self {
            client,
            base: settings.base_url.trim_end_matches('/').to_owned(),
            mailbox: settings.mailbox.clone(),
            password: Zeroizing::new(password.to_owned()),
            shared_key: Zeroizing::new(shared_key.trim_ascii_end().to_vec()),
            chunk_bytes: settings.chunk_bytes.get(),
            attempt: connect + seconds(delivery.send_timeout_seconds),
            clock,
            entropy,
            greeted: OnceCell::new(),
        })
    }

    /// Our own mailbox.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Announces the mailbox, once for as long as this exchange lives.
    pub async fn greet(&self) -> Result<(), MeshError> {
        self.greeted.get_or_try_init(|| self.handshake()).await.copied()
    }

    /// Announces the mailbox: MESH checks token, certificate and client.
    pub async fn handshake(&self) -> Result<(), MeshError> {
        let path = format!("{}/{}", mesh::ROOT, self.mailbox);
        let version = concat!("ehc-gateway ", env!("CARGO_PKG_VERSION"));
        let ask = |request: RequestBuilder| {
            request
                .header("mex-clientversion", version)
                .header("mex-osname", std::env::consts::OS)
                .header("mex-osversion", std::env::consts::ARCH)
        };
        self.call(Method::POST, &path, ask).await.map(drop)
    }

    /// One page of the inbox: the first, or the one that a page named as its next. `filter` limits
    /// the first page to workflow ids (`X`, `!X`, `X*`, `*X*`, `!*X*`).
    pub async fn list(
        &self,
        filter: Option<&str>,
        next: Option<&str>,
    ) -> Result<InboxPage, MeshError> {
        let inbox = format!("{}/{}/inbox", mesh::ROOT, self.mailbox);
        // The characters of a filter are those of workflow ids, and two that need no escape.
        let plain = |c: &char| c.is_ascii_alphanumeric() || "_-.!*".contains(*c);
        let path = match (next, filter) {
            (Some(next), _) => next.to_owned(),
            (None, Some(filter)) => {
                let filter: String = filter.chars().filter(plain).collect();
                format!("{inbox}?workflow_filter={filter}")
            }
            (None, None) => inbox,
        };
        let response = self.call(Method::GET, &path, |request| request).await?;
        let body = bounded(response, mesh::ANSWER_BYTES_MAX).await?;
        mesh::inbox_page(&body, &self.mailbox).map_err(|error| unusable(&error))
    }

    /// Begins to fetch a message: its headers tell whether the rest is wanted.
    pub async fn fetch(&self, id: &MeshMessageId) -> Result<Arriving, MeshError> {
        let path = format!("{}/{}/inbox/{id}", mesh::ROOT, self.mailbox);
        let first = self.call(Method::GET, &path, accept_gzip).await?;
        let found = |name: &str| first.headers().get(name).and_then(|value| value.to_str().ok());
        let headers = Incoming::read(found).map_err(|fault| unusable(&fault))?;
        if headers.id != *id {
            return Err(MeshError::Unusable("it is another message than was asked for".to_owned()));
        }
        Ok(Arriving { headers, first })
    }

    /// Fetches the rest: every chunk, each decoded by its own `Content-Encoding`, at most `most`
    /// bytes in all.
    pub async fn rest(&self, arriving: Arriving, most: usize) -> Result<Vec<u8>, MeshError> {
        let Arriving { headers, first } = arriving;
        let mut assembly = Assembly::new(headers.chunk.total, most);
        let bytes = decoded(first, assembly.room()).await?;
        assembly.take(headers.chunk, &bytes).map_err(|fault| unusable(&fault))?;
        while let Some(number) = assembly.next() {
            let id = &headers.id;
            let path = format!("{}/{}/inbox/{id}/{number}", mesh::ROOT, self.mailbox);
            let response = self.call(Method::GET, &path, accept_gzip).await?;
            let range = response.headers().get("mex-chunk-range").and_then(|v| v.to_str().ok());
            let range =
                range.map_or(Some(ChunkRange::new(number, headers.chunk.total)), ChunkRange::parse);
            let range = range.ok_or_else(|| MeshError::Unusable("its chunk range".to_owned()))?;
            let bytes = decoded(response, assembly.room()).await?;
            assembly.take(range, &bytes).map_err(|fault| unusable(&fault))?;
        }
        assembly.whole().map_err(|fault| unusable(&fault))
    }

    /// Tells MESH that we keep a message: it is taken off the inbox. Twice is harmless.
    pub async fn acknowledge(&self, id: &MeshMessageId) -> Result<(), MeshError> {
        let path = format!("{}/{}/inbox/{id}/status/acknowledged", mesh::ROOT, self.mailbox);
        self.call(Method::PUT, &path, |request| request).await.map(drop)
    }

    /// Where one of our own messages stands; `None` when MESH knows none by that id.
    pub async fn track(&self, id: &MeshMessageId) -> Result<Option<Tracking>, MeshError> {
        let path = format!("{}/{}/outbox/tracking?messageID={id}", mesh::ROOT, self.mailbox);
        let response = match self.call(Method::GET, &path, |request| request).await {
            Ok(response) => response,
            Err(MeshError::Gone(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let body = bounded(response, mesh::ANSWER_BYTES_MAX).await?;
        mesh::tracking(&body).map(Some).map_err(|error| unusable(&error))
    }

    /// The mailboxes of an organisation that take a workflow: a check of a known pair.
    pub async fn find_mailboxes(
        &self,
        organisation: &str,
        workflow: &WorkflowId,
    ) -> Result<Vec<Mailbox>, MeshError> {
        let path = format!("{}/endpointlookup/{organisation}/{workflow}", mesh::ROOT);
        let response = self.call(Method::GET, &path, |request| request).await?;
        let body = bounded(response, mesh::ANSWER_BYTES_MAX).await?;
        mesh::mailboxes(&body).map_err(|error| unusable(&error))
    }

    /// A call that may be made again: it reads, or repeating it changes nothing.
    async fn call(
        &self,
        method: Method,
        path: &str,
        ask: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, MeshError> {
        let mut last = MeshError::Unreachable;
        for attempt in 0..CALLS_MAX {
            self.pause(attempt).await?;
            let request = ask(self.request(method.clone(), path)?);
            last = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) if try_again(response.status()) => refused(response).await,
                Ok(response) => return Err(refused(response).await),
                Err(_) => MeshError::Unreachable,
            };
        }
        Err(last)
    }

    /// A request with a token of its own.
    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, MeshError> {
        let nonce = self.entropy.make_id(self.clock.now())?.to_string();
        let parts = TokenParts::new(self.mailbox.clone(), nonce, 0, self.clock.now());
        let text = Zeroizing::new(parts.signed_text(&self.password));
        let hash = hex(&hmac_sha256(&self.shared_key, text.as_bytes()));
        let request = self.client.request(method, format!("{}{path}", self.base));
        Ok(request.header(AUTHORIZATION, parts.authorization(&hash)).header(ACCEPT, mesh::ACCEPT))
    }

    /// Waits before another attempt: doubling, with up to half as much again by chance.
    async fn pause(&self, attempt: u32) -> Result<(), MeshError> {
        if attempt > 0 {
            let mut chance = [0u8; 1];
            self.entropy.fill(&mut chance)?;
            let base = PAUSE_MS << (attempt - 1);
            let extra = base * u64::from(chance[0]) / 512;
            tokio::time::sleep(Duration::from_millis(base + extra)).await;
        }
        Ok(())
    }
}

fn accept_gzip(request: RequestBuilder) -> RequestBuilder {
    request.header(ACCEPT_ENCODING, "gzip")
}

/// What a refusal means for the call.
async fn refused(response: Response) -> MeshError {
    let status = response.status();
    match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => return MeshError::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => return MeshError::Gone(status.as_u16()),
        _ => {}
    }
    let body = bounded(response, mesh::ANSWER_BYTES_MAX).await.unwrap_or_default();
    MeshError::Refused { status: status.as_u16(), fault: mesh::fault(&body) }
}

/// Statuses after which the same call may be made again (as NHS England's own client does).
fn try_again(status: StatusCode) -> bool {
    matches!(status.as_u16(), 425 | 429 | 502 | 503 | 504)
}

/// A body of at most so many bytes.
async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, MeshError> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.or(Err(MeshError::Unreachable))? {
        if body.len() + bytes.len() > most {
            return Err(MeshError::Unusable("it is larger than is read in one piece".to_owned()));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// A chunk, decompressed when its transport says so.
async fn decoded(response: Response, most: usize) -> Result<Vec<u8>, MeshError> {
    let encoding = response.headers().get(CONTENT_ENCODING).cloned();
    // Incompressible content grows by a few bytes for each 16 KiB.
    let bytes = bounded(response, most + most / 1000 + 1024).await?;
    match encoding.as_ref().map(|encoding| encoding.as_bytes().to_ascii_lowercase()) {
        None => Ok(bytes),
        Some(encoding) if encoding == b"identity" || encoding.is_empty() => Ok(bytes),
        Some(encoding) if encoding == b"gzip" => {
            gunzip(&bytes, most).map_err(|problem| MeshError::Unusable(problem.to_owned()))
        }
        Some(_) => Err(MeshError::Unusable("its content encoding is not gzip".to_owned())),
    }
}

/// Decompresses at most so many bytes: a small bomb stays small.
pub fn gunzip(bytes: &[u8], most: usize) -> Result<Vec<u8>, &'static str> {
    let mut plain = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut plain);
    if plain.len() > most {
        return Err("it is larger than is read in one piece");
    }
    read.map(|_| plain).or(Err("its compression is broken"))
}

/// Whether bytes begin as gzip does (RFC 1952).
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 0x08])
}

fn unusable(problem: &impl std::fmt::Display) -> MeshError {
    MeshError::Unusable(problem.to_string())
}

/// How often a call is made before it is given up for now.
const CALLS_MAX: u32 = 4;
/// The first pause between calls, in milliseconds.
const PAUSE_MS: u64 = 200;
