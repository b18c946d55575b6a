//! The accept loop: nobody speaks HTTP, or any other protocol, before it is known who they are.
//!
//! A stranger holds a handshake slot, never one of the partners' connection slots, and holds it no
//! longer than the handshake timeout. The peer is looked at again before every request; one that
//! may no longer call gets no answer at all, and the handshake of its next attempt says why.

use std::convert::Infallible;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config::GatewaySection;
use crate::peer::Peer;

use super::{KeyExchange, Refusal, ServerTls, VerifiedLeaf};

/// What the listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many partner connections may be open at once.
    pub connections_max: NonZeroUsize,
    /// How long a caller has to prove who it is.
    pub handshake_timeout: Duration,
    /// How long a connection may wait for, or spend on, the head of a request.
    pub header_timeout: Duration,
    /// How long requests in progress may go on once told to stop.
    pub drain_timeout: Duration,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Connections that were cut off because the drain deadline passed.
    pub cut_off: usize,
}

impl From<&GatewaySection> for Limits {
    fn from(settings: &GatewaySection) -> Self {
        let seconds = |seconds: std::num::NonZeroU32| Duration::from_secs(seconds.get().into());
        Self {
            connections_max: settings.max_connections,
            handshake_timeout: seconds(settings.handshake_timeout_seconds),
            header_timeout: seconds(settings.header_timeout_seconds),
            drain_timeout: seconds(settings.drain_timeout_seconds),
        }
    }
}

/// Serves until told to stop, then lets requests in progress finish until the drain deadline.
///
/// Every request reaches `app` with a [`Peer`] and an `Arc<VerifiedLeaf>` among its extensions.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    app: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Served {
    let stop = shutdown.clone();
    let door = Door { tls, streams: false, limits, shutdown };
    let converse =
        move |connection: Connection| converse(app.clone(), connection, limits, stop.clone());
    door.keep(listener, converse).await
}

/// Serves another protocol than HTTP on connections whose peer is known. `converse` is handed each
/// and asks it for the peer before every message; it ends when told to stop, or is cut off at the
/// drain deadline.
pub async fn serve_streams<F, Fut>(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    limits: Limits,
    shutdown: CancellationToken,
    converse: F,
) -> Served
where
    F: Fn(Connection) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    Door { tls, streams: true, limits, shutdown }.keep(listener, converse).await
}

/// A connection whose peer was identified.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    standing: Standing,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Connection {
    /// Who is at the other end, checked afresh when anything was reloaded: to be asked before
    /// every message. After an error the connection must end without an answer.
    pub fn peer(&self) -> Result<Peer, NoLonger> {
        self.standing.peer()
    }

    /// What is said on it.
    pub fn stream(&mut self) -> &mut (impl AsyncRead + AsyncWrite + Unpin + Send + use<>) {
        &mut self.stream
    }
}

/// What every new connection is met with.
#[derive(Clone)]
struct Door {
    tls: Arc<ServerTls>,
    streams: bool,
    limits: Limits,
    shutdown: CancellationToken,
}

impl Door {
    async fn keep<F, Fut>(self, listener: TcpListener, converse: F) -> Served
    where
        F: Fn(Connection) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let cut_off = CancellationToken::new();
        let tracker = TaskTracker::new();
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX.min(Semaphore::MAX_PERMITS)));
        let places = self.limits.connections_max.get().min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        while let Some(accepted) = self.shutdown.run_until_cancelled(listener.accept()).await {
            let Ok((socket, _)) = accepted else {
                // Usually out of file descriptors: let some connections end first.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(handshake) = Arc::clone(&handshakes).try_acquire_owned() else {
                self.tls.refusals.count(Refusal::TooMany);
                continue;
            };
            let (door, cut_off, places) = (self.clone(), cut_off.clone(), Arc::clone(&places));
            let converse = converse.clone();
            tracker.spawn(async move {
                let admitted = async move {
                    if let Some((connection, _place)) = door.admit(socket, handshake, places).await
                    {
                        converse(connection).await;
                    }
                };
                cut_off.run_until_cancelled(admitted).await;
            });
        }
        drop(listener);
        tracker.close();
        let drained = tokio::time::timeout(self.limits.drain_timeout, tracker.wait()).await;
        let left = if drained.is_ok() { 0 } else { tracker.len() };
        cut_off.cancel();
        tracker.wait().await;
        Served { cut_off: left }
    }

    /// From a bare connection to a known peer, or not at all.
    async fn admit(
        self,
        socket: TcpStream,
        handshake: OwnedSemaphorePermit,
        places: Arc<Semaphore>,
    ) -> Option<(Connection, OwnedSemaphorePermit)> {
        let proof = self.prove(socket);
        let proof = tokio::time::timeout(self.limits.handshake_timeout, proof);
        let proof = self.shutdown.run_until_cancelled(proof).await?;
        match proof.unwrap_or(Err(Refusal::TooSlow)) {
            Err(refusal) => {
                self.tls.refusals.count(refusal);
                None
            }
            Ok(connection) => {
                drop(handshake);
                let place = places.try_acquire_owned();
                if place.is_err() {
                    self.tls.refusals.count(Refusal::TooMany);
                }
                Some((connection, place.ok()?))
            }
        }
    }

    async fn prove(&self, socket: TcpStream) -> Result<Connection, Refusal> {
        // A failure only costs latency, and the handshake finds a broken socket anyway.
        let _ = socket.set_nodelay(true);
        let generation = self.tls.generation();
        let config = self.tls.live.load().config(self.streams);
        let stream = TlsAcceptor::from(config)
            .accept(socket)
            .await
            .map_err(|error| Refusal::from_io(&error))?;
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().ok_or(Refusal::NoCertificate)?;
        let leaf = VerifiedLeaf {
            chain: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(),
            key_exchange: connection
                .negotiated_key_exchange_group()
                .and_then(KeyExchange::of)
                .ok_or(Refusal::Incompatible)?,
        };
        let now = self.tls.clock.now();
        let peer = self.tls.peers.identify(&leaf, now).map_err(Refusal::Peer)?;
        let seen = Mutex::new(Seen { generation, at: now, peer });
        let standing = Standing { tls: Arc::clone(&self.tls), leaf: Arc::new(leaf), seen };
        Ok(Connection { stream, standing })
    }
}

/// Speaks HTTP with a known peer.
async fn converse(
    app: Router,
    connection: Connection,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let Connection { stream, standing } = connection;
    let standing = Arc::new(standing);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (app, standing) = (app.clone(), Arc::clone(&standing));
        async move {
            let peer = standing.peer()?;
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(Arc::clone(&standing.leaf));
            app.oneshot(request).await.map_err(never)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(timeout = error.is_timeout(), "connection ended early");
    }
}

/// Who is at the other end, as last checked.
struct Standing {
    tls: Arc<ServerTls>,
    leaf: Arc<VerifiedLeaf>,
    seen: Mutex<Seen>,
}

struct Seen {
    generation: (u64, u64),
    at: Timestamp,
    peer: Peer,
}

impl Standing {
    /// The peer, checked afresh when anything was reloaded or the last check is too long ago for
    /// its dates and the lists' dates to be relied on.
    fn peer(&self) -> Result<Peer, NoLonger> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, now) = (self.tls.generation(), self.tls.clock.now());
        let age = now.as_second().saturating_sub(seen.at.as_second());
        if generation != seen.generation || !RECHECK_SECONDS.contains(&age) {
            let peer = self.tls.recheck(&self.leaf).map_err(|refusal| {
                self.tls.refusals.count(refusal);
                NoLonger
            })?;
            *seen = Seen { generation, at: now, peer };
        }
        Ok(seen.peer.clone())
    }
}

/// The peer may no longer call: the connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the peer may no longer call")]
pub struct NoLonger;

fn never(infallible: Infallible) -> NoLonger {
    match infallible {}
}

/// For how many seconds a check is relied on while nothing is reloaded.
const RECHECK_SECONDS: std::ops::Range<i64> = 0..5;
const HANDSHAKES_MAX: usize = 256;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
