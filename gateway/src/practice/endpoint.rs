//! A trust's own endpoint: a real HTTPS server with mutual TLS that takes pushes, or does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{PracticeError, Stage};
use crate::config::Partners;
use crate::peer::Peers;
use crate::tls::{Limits, Served, ServerTls, serve};

/// How the endpoint treats what is pushed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it, and takes the same again without a second effect.
    Take,
    /// Says that it is busy.
    Unavailable,
    /// Says that it never will.
    Refuse,
    /// Takes it, and fails before it can say so.
    TakeAndFail,
}

/// The pushed-to trust's endpoint.
#[derive(Debug)]
pub struct Endpoint {
    inbox: Arc<Mutex<Inbox>>,
    shutdown: CancellationToken,
    task: JoinHandle<Served>,
}

#[derive(Debug)]
struct Inbox {
    behaviour: Behaviour,
    attempts: usize,
    parcels: BTreeMap<String, String>,
}

impl Endpoint {
    /// Changes how pushes are treated from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.with(|inbox| inbox.behaviour = behaviour);
    }

    /// Takes everything from now on.
    pub fn open(&self) {
        self.behave(Behaviour::Take);
    }

    /// How often something was pushed, taken or not.
    pub fn attempts(&self) -> usize {
        self.with(|inbox| inbox.attempts)
    }

    /// What was taken: the delivery's id and the body, once each.
    pub fn parcels(&self) -> Vec<(String, String)> {
        self.with(|inbox| inbox.parcels.clone().into_iter().collect())
    }

    /// Waits until this many parcels were taken, at most this long, and gives what there is.
    pub async fn wait_for(&self, count: usize, at_most: Duration) -> Vec<(String, String)> {
        self.wait(at_most, || self.parcels().len() >= count).await;
        self.parcels()
    }

    /// Waits until something was pushed this often, at most this long.
    pub async fn wait_for_attempts(&self, count: usize, at_most: Duration) {
        self.wait(at_most, || self.attempts() >= count).await;
    }

    /// Stops serving.
    pub async fn close(self) {
        self.shutdown.cancel();
        drop(self.task.await);
    }

    async fn wait(&self, at_most: Duration, done: impl Fn() -> bool) {
        let steps = at_most.as_millis() / 25;
        for _ in 0..steps {
            if done() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inbox) -> T) -> T {
        look(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stage {
    /// Opens the endpoint of the pushed-to trust: unavailable at first.
    pub(super) async fn open_endpoint(&self) -> Result<Endpoint, PracticeError> {
        let folder = self.plan.dir.join("pki/partners/trust-ryw");
        let tls = self.tls_section(folder.join("server.pem"), folder.join("server-key.pem"));
        let text =
            toml::to_string(&BTreeMap::from([("partner", vec![self.gateway_as_partner()?])]))
                .unwrap_or_default();
        let partners = Partners::parse(&folder.join("partners.toml"), &text)?;
        let peers = Arc::new(Peers::new(partners));
        let server = ServerTls::load(&tls, None, peers, Arc::clone(&self.plan.clock))?;
        let listener = bind(self.endpoint).await?;
        let inbox = Arc::new(Mutex::new(Inbox {
            behaviour: Behaviour::Unavailable,
            attempts: 0,
            parcels: BTreeMap::new(),
        }));
        let router = Router::new()
            .route("/inbox", post(take))
            .layer(axum::extract::DefaultBodyLimit::max(adapters::limits::SUBMISSION_BYTES_MAX))
            .with_state(Arc::clone(&inbox));
        let limits = Limits {
            connections_max: std::num::NonZeroUsize::MIN.saturating_add(99),
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(1),
        };
        let shutdown = CancellationToken::new();
        let task =
            tokio::spawn(serve(listener, Arc::new(server), router, limits, shutdown.clone()));
        Ok(Endpoint { inbox, shutdown, task })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, PracticeError> {
    TcpListener::bind(address).await.map_err(PracticeError::Port)
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.unwrap_or_default().to_owned();
    let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
    inbox.attempts += 1;
    let takes = matches!(inbox.behaviour, Behaviour::Take | Behaviour::TakeAndFail);
    if takes {
        let text = String::from_utf8_lossy(&body).into_owned();
        inbox.parcels.entry(key).or_insert(text);
    }
    match inbox.behaviour {
        Behaviour::Take => StatusCode::OK,
        Behaviour::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Behaviour::Refuse => StatusCode::BAD_REQUEST,
        Behaviour::TakeAndFail => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
