//! A trust's own endpoint: a real HTTPS server with mutual TLS that takes pushes, or does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{PracticeError, Stage};
use crate::tls::{Served, serve};

/// How the endpoint treats what is pushed to it, or sent to its `$process-message`.
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
    /// Takes it, and answers about another message.
    AnswerAboutAnother,
    /// Takes it, and answers with words that nobody can read.
    AnswerNonsense,
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
        let server = self.server_of("trust-ryw")?;
        let listener = bind(self.endpoint).await?;
        let inbox = Arc::new(Mutex::new(Inbox {
            behaviour: Behaviour::Unavailable,
            attempts: 0,
            parcels: BTreeMap::new(),
        }));
        let router = Router::new()
            .route("/inbox", post(take))
            .route("/fhir/$process-message", post(take_message))
            .layer(axum::extract::DefaultBodyLimit::max(adapters::limits::SUBMISSION_BYTES_MAX))
            .with_state(Arc::clone(&inbox));
        let limits = super::practice_limits();
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
    let behaviour = keep(&inbox, key.unwrap_or_default(), &body);
    match behaviour {
        Behaviour::Take | Behaviour::AnswerAboutAnother | Behaviour::AnswerNonsense => {
            StatusCode::OK
        }
        Behaviour::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Behaviour::Refuse => StatusCode::BAD_REQUEST,
        Behaviour::TakeAndFail => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Counts an attempt and keeps what is taken, once per key.
fn keep(inbox: &Mutex<Inbox>, key: &str, body: &[u8]) -> Behaviour {
    let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
    inbox.attempts += 1;
    if !matches!(inbox.behaviour, Behaviour::Unavailable | Behaviour::Refuse) {
        let text = String::from_utf8_lossy(body).into_owned();
        inbox.parcels.entry(key.to_owned()).or_insert(text);
    }
    inbox.behaviour
}

/// A trust's own `$process-message`, written without the gateway's code for answers. It reads of
/// a message what an answer needs, and answers in JSON whatever came.
async fn take_message(State(inbox): State<Arc<Mutex<Inbox>>>, body: Bytes) -> Response {
    let Some((id, event)) = called(&body) else {
        let issue = json!([{ "severity": "fatal", "code": "structure" }]);
        let outcome = json!({ "resourceType": "OperationOutcome", "issue": issue });
        return fhir(StatusCode::BAD_REQUEST, &outcome);
    };
    let (id, event) = (id.as_str(), &json!({ "system": EVENTS, "code": event }));
    let said = |about: &str, code: &str| response(event, about, code);
    match keep(&inbox, id, &body) {
        Behaviour::Take => fhir(StatusCode::OK, &said(id, "ok")),
        Behaviour::Unavailable => {
            fhir(StatusCode::SERVICE_UNAVAILABLE, &said(id, "transient-error"))
        }
        Behaviour::Refuse => fhir(StatusCode::UNPROCESSABLE_ENTITY, &said(id, "fatal-error")),
        Behaviour::TakeAndFail => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behaviour::AnswerAboutAnother => {
            fhir(StatusCode::OK, &said("0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff", "ok"))
        }
        Behaviour::AnswerNonsense => (StatusCode::OK, "thank you").into_response(),
    }
}

/// The id of a message's header and the code of its event, from JSON or XML.
fn called(body: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(body).ok()?;
    if text.starts_with('<') {
        let header = text.split_once("<MessageHeader>")?.1;
        let value = |after: &str| {
            let (_, rest) = header.split_once(after)?;
            rest.split('"').next().map(str::to_owned)
        };
        return Some((value("<id value=\"")?, value("<code value=\"")?));
    }
    let message: Value = serde_json::from_str(text).ok()?;
    let header = message.pointer("/entry/0/resource")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    text(header.get("resourceType")).filter(|kind| kind == "MessageHeader")?;
    Some((text(header.get("id"))?, text(header.pointer("/eventCoding/code"))?))
}

/// The code system of the events that messages between gateway and trust have.
const EVENTS: &str = "urn:ehc-gateway:message-event";

fn response(event: &Value, about: &str, code: &str) -> Value {
    let severity = if code == "ok" { "information" } else { "error" };
    let kind = if code == "ok" { "informational" } else { "processing" };
    let outcome = "urn:uuid:7d1c5f0e-5a0e-4c57-9b0f-6a4c1f1d2e3b";
    json!({
        "resourceType": "Bundle",
        "type": "message",
        "entry": [
            { "fullUrl": "urn:uuid:2f6d6a53-7a6f-4a5c-8b35-0a9a4f2f9d11", "resource": {
                "resourceType": "MessageHeader",
                "eventCoding": event,
                "source": { "endpoint": "urn:ehc-gateway:organisation:RYW" },
                "response": {
                    "identifier": about, "code": code, "details": { "reference": outcome },
                },
            } },
            { "fullUrl": outcome, "resource": {
                "resourceType": "OperationOutcome",
                "issue": [{ "severity": severity, "code": kind }],
            } },
        ],
    })
}

fn fhir(status: StatusCode, resource: &Value) -> Response {
    let media_type = [("content-type", "application/fhir+json; fhirVersion=4.0")];
    (status, media_type, resource.to_string()).into_response()
}
