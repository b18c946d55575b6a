//! HTTPS push: to a partner's own endpoint, over mutual TLS, pinned both ways.
//!
//! No redirects, one fixed URL per partner from the trust file, never a URL from a message.
//! The recipient tells a repeated push by `Idempotency-Key`, which is the delivery's id.
//! Answers are read for their status alone; a partner's body is never parsed or logged.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use schemas::OrganisationCode;

use super::{Parcel, SendError};

/// The pushing carrier: one client, with its own pins, per partner that is pushed to.
#[derive(Debug, Default)]
pub struct HttpsCarrier {
    endpoints: BTreeMap<OrganisationCode, Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    url: String,
    client: Client,
}

impl HttpsCarrier {
    /// Adds a partner's endpoint, reached with a TLS configuration that pins the partner.
    pub fn add(
        &mut self,
        organisation: OrganisationCode,
        url: String,
        tls: impl std::any::Any,
    ) -> Result<(), reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(SEND_TIMEOUT)
            .build()?;
        self.endpoints.insert(organisation, Endpoint { url, client });
        Ok(())
    }

    /// Sends a parcel to the recipient it was opened for. The parcel is spent.
    pub async fn send(&self, parcel: Parcel) -> Result<(), SendError> {
        let endpoint = self.endpoints.get(parcel.recipient()).ok_or_else(|| {
            SendError::Permanent("no endpoint is configured for the recipient".to_owned())
        })?;
        let request = endpoint
            .client
            .post(&endpoint.url)
            .header("content-type", parcel.media_type())
            .header("idempotency-key", parcel.delivery().to_string())
            .body(parcel.expose_body().to_vec());
        match request.send().await {
            Ok(response) => outcome(response.status()),
            Err(error) if error.is_connect() || error.is_builder() => {
                Err(SendError::Transient("the endpoint could not be reached".to_owned()))
            }
            Err(error) if error.is_timeout() => {
                Err(SendError::Unknown("no answer within the time allowed".to_owned()))
            }
            Err(_) => Err(SendError::Unknown("the connection broke before an answer".to_owned())),
        }
    }
}

/// What a status means for the delivery.
fn outcome(status: StatusCode) -> Result<(), SendError> {
    let code = status.as_u16();
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the endpoint answered {code}");
    match code {
        408 | 425 | 429 | 503 => Err(SendError::Transient(reason)),
        500..=599 => Err(SendError::Unknown(reason)),
        _ => Err(SendError::Permanent(reason)),
    }
}

/// How long to wait for a connection and its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a push may take in all: as long as a release is valid.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
