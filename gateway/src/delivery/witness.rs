//! Asking a witness for a cosignature, and, as a witness, asking a gateway for its log.
//!
//! Both over mutual TLS with the pins of the other's entry in a partners file. Answers are bounded,
//! and believed only for what is signed in them. It must never know what follows from an answer.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use crate::app::App;
use crate::audit::history::Link;
use crate::config::{Partner, WitnessSection};
use crate::entropy::sha256_hex;
use crate::witness::Submission;

/// What a witness answers to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Lines of signatures, to be checked.
    Cosigned(String),
    /// It cosigned this size last, and not the one that was named, or another root of it.
    Last(u64),
    /// What is shown is not proved to begin with what it cosigned.
    NotProved,
    /// Something else: it does not know the log, or is not well.
    Refused(u16),
}

/// Why nothing was heard: names the step, never an address's content.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unheard(&'static str);

/// Hands a checkpoint to a witness.
pub(crate) async fn submit(
    app: &App,
    witness: &WitnessSection,
    submission: &Submission,
) -> Result<Said, Unheard> {
    let url = format!("{}/add-checkpoint", witness.url.trim_end_matches('/'));
    let request = client(app, witness)?.post(url).body(submission.to_body());
    let answer = request.timeout(ANSWER_WITHIN).send().await.or(Err(UNREACHABLE))?;
    let status = answer.status();
    let body = text(answer).await?;
    Ok(match status {
        StatusCode::OK => Said::Cosigned(body),
        StatusCode::CONFLICT => {
            Said::Last(body.trim_end().parse().or(Err(Unheard("the witness's size is no size")))?)
        }
        StatusCode::UNPROCESSABLE_ENTITY => Said::NotProved,
        other => Said::Refused(other.as_u16()),
    })
}

/// What a witness cosigned last of our log; `None` when it has nothing, or no such route.
pub(crate) async fn last(app: &App, witness: &WitnessSection) -> Result<Option<String>, Unheard> {
    let origin = sha256_hex(app.origin().as_bytes());
    let url = format!("{}/checkpoint/{origin}", witness.url.trim_end_matches('/'));
    let request = client(app, witness)?.get(url).timeout(ANSWER_WITHIN);
    let answer = request.send().await.or(Err(UNREACHABLE))?;
    match answer.status() {
        StatusCode::OK => text(answer).await.map(Some),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(None),
        _ => Err(Unheard("the witness is not well")),
    }
}

fn client(app: &App, witness: &WitnessSection) -> Result<Client, Unheard> {
    let partner = app.partner(&witness.partner).filter(|partner| partner.enabled);
    let partner = partner.ok_or(Unheard("who runs the witness is not in the partners file"))?;
    let tls = |partner: &Partner| {
        crate::tls::client_config(&app.config.tls, partner, std::sync::Arc::clone(&app.clock))
    };
    let made = app.carriers.https.client(&partner, &app.config.delivery, tls);
    made.or(Err(Unheard("the certificates cannot be used")))
}

/// A gateway's log, as a witness reads it.
#[derive(Debug)]
pub struct LogReader {
    base: String,
    client: Client,
}

impl LogReader {
    /// Reads from a gateway at `https://host:port`, with a TLS configuration that pins it.
    pub fn new(base: &str, tls: impl std::any::Any) -> Result<Self, Unheard> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .timeout(ANSWER_WITHIN)
            .build();
        let client = client.or(Err(Unheard("the settings do not fit together")))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client })
    }

    /// The newest checkpoint.
    pub async fn checkpoint(&self) -> Result<String, Unheard> {
        self.get("/v1/audit/checkpoint").await
    }

    /// The proof that the log of one size begins with that of another; its hashes as they came.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Link, Unheard> {
        let text = self.get(&format!("/v1/audit/consistency?from={from}&to={to}")).await?;
        serde_json::from_str(&text).or(Err(Unheard("the gateway's proof is not one")))
    }

    /// Shows the gateway a checkpoint; what it says of it.
    pub async fn show(&self, note: &str) -> Result<String, Unheard> {
        let url = format!("{}/v1/audit/checkpoints", self.base);
        let request = self.client.post(url).header("content-type", "text/plain");
        let request = request.header("idempotency-key", sha256_hex(note.as_bytes()));
        let answer = request.body(note.to_owned()).send().await.or(Err(NO_GATEWAY))?;
        if answer.status() != StatusCode::OK {
            return Err(Unheard("the gateway did not take the checkpoint"));
        }
        text(answer).await
    }

    async fn get(&self, path: &str) -> Result<String, Unheard> {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await;
        let answer = answer.or(Err(NO_GATEWAY))?;
        if answer.status() != StatusCode::OK {
            return Err(Unheard("the gateway did not answer the question"));
        }
        text(answer).await
    }
}

/// A bounded answer.
async fn text(mut answer: Response) -> Result<String, Unheard> {
    const BROKEN: Unheard = Unheard("the answer broke off");
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.or(Err(BROKEN))? {
        if bytes.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(Unheard("the answer is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).or(Err(Unheard("the answer is not text")))
}

const UNREACHABLE: Unheard = Unheard("the witness could not be reached");
const NO_GATEWAY: Unheard = Unheard("the gateway could not be reached");
/// A witness only compares and signs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A note with many cosignatures is a few kilobytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
