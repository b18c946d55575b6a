//! HTTPS push: to a partner's own endpoint, over mutual TLS, pinned both ways.
//!
//! No redirects, one fixed URL per partner from the trust file, never a URL from a message.
//! The recipient tells a repeated push by `Idempotency-Key`, which is the delivery's id.
//! Answers are read for their status alone; a partner's body is never parsed or logged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use schemas::OrganisationCode;

use super::{Parcel, SendError};
use crate::config::{DeliverySection, Partner};

/// The pushing carrier: one client, with its own pins, per partner that is pushed to.
///
/// A client is made again as soon as the partner's entry or any trust file has changed, so that
/// a changed pin, a renewed certificate or a partner switched off counts from the next push on.
#[derive(Debug, Default)]
pub struct HttpsCarrier {
    made: Mutex<BTreeMap<OrganisationCode, Made>>,
    trust: AtomicU64,
}

#[derive(Debug, Clone)]
struct Made {
    trust: u64,
    partner: Partner,
    client: Client,
}

impl HttpsCarrier {
    /// Says that certificates, authorities or lists have changed: clients are made again.
    pub fn renew(&self) {
        self.trust.fetch_add(1, Ordering::SeqCst);
    }

    /// Sends a parcel to the recipient it was opened for. The parcel is spent. `partner` is the
    /// recipient's entry in force, and `tls` makes the configuration that pins it.
    pub async fn send<T: std::any::Any>(
        &self,
        parcel: Parcel,
        partner: &Partner,
        settings: &DeliverySection,
        tls: impl FnOnce(&Partner) -> Result<T, crate::tls::TlsError>,
    ) -> Result<(), SendError> {
        let endpoint = partner.endpoint.as_deref().filter(|_| partner.enabled);
        let Some(endpoint) = endpoint.filter(|_| partner.organisation == *parcel.recipient())
        else {
            return Err(SendError::Transient("the partner is not pushed to at present".to_owned()));
        };
        let client = self.client(partner, settings, tls)?;
        let request = client
            .post(endpoint)
            .header("content-type", parcel.media_type())
            .header("idempotency-key", parcel.delivery().to_string())
            .body(parcel.expose_body().to_vec());
        match request.send().await {
            Ok(response) => outcome(response.status()),
            Err(error) => Err(fault(&error)),
        }
    }

    /// The client for a partner, made again when its entry or any trust file has changed.
    pub(super) fn client<T: std::any::Any>(
        &self,
        partner: &Partner,
        settings: &DeliverySection,
        tls: impl FnOnce(&Partner) -> Result<T, crate::tls::TlsError>,
    ) -> Result<Client, SendError> {
        let trust = self.trust.load(Ordering::SeqCst);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&partner.organisation)
            && known.trust == trust
            && known.partner == *partner
        {
            return Ok(known.client.clone());
        }
        let cannot = |what: &str| SendError::Transient(format!("no client could be made: {what}"));
        let tls = tls(partner).or(Err(cannot("the certificates cannot be used")))?;
        let seconds = |value: std::num::NonZeroU32| Duration::from_secs(value.get().into());
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .connect_timeout(seconds(settings.connect_timeout_seconds))
            .timeout(seconds(settings.send_timeout_seconds))
            .build()
            .or(Err(cannot("the settings do not fit together")))?;
        let partner = partner.clone();
        let known = Made { trust, partner, client: client.clone() };
        made.insert(known.partner.organisation.clone(), known);
        Ok(client)
    }
}

/// What a request without an answer means for the delivery.
pub(super) fn fault(error: &reqwest::Error) -> SendError {
    if error.is_connect() || error.is_builder() {
        return SendError::Transient("the endpoint could not be reached".to_owned());
    }
    let timed_out = error.is_timeout();
    let what = "the connection broke before an answer";
    SendError::Unknown(
        if timed_out { "no answer within the time allowed" } else { what }.to_owned(),
    )
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
