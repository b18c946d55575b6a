//! FHIR messages: to a partner's own `$process-message`, and what its answer means.
//!
//! Owns the exchange of one message: a Bundle out with headers shaped like those of `BaRS`, a
//! response message back, read up to a limit for its code alone. It goes over the connections of
//! [`HttpsCarrier`]: mutual TLS, pinned both ways, one fixed URL from the trust file, no redirects.
//! It must never know what a message or an answer says beyond that.
//!
//! Only a response message about this very message counts. `ok` with a success is delivered;
//! `transient-error` is tried again; `fatal-error` is refused for good. An `OperationOutcome` alone
//! with a status of 4xx is a refusal below messages. Whatever else comes back, or nothing, means
//! that it may have arrived (NHS guidance: a missing acknowledgement is a failure, never a success).
//!
//! Not supported: asynchronous `$process-message` (`async=true`), because the answer that counts
//! for a person comes as a business acknowledgement anyway.

use adapters::Format;
use adapters::fhir::reply::{self, ReplyCode, Said};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{RequestBuilder, Response};
use serde_json::json;
use uuid::Uuid;

use super::https::HttpsCarrier;
use super::{Parcel, SendError};
use crate::config::{DeliverySection, GatewaySection, Partner};

/// The carrier of FHIR messages, with the connections it keeps.
#[derive(Debug, Default)]
pub struct FhirCarrier {
    connections: HttpsCarrier,
}

/// What an attempt needs beside the parcel and the partner.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Who sends, for the headers.
    pub gateway: &'a GatewaySection,
    /// How long an attempt may take.
    pub settings: &'a DeliverySection,
    /// The id of this attempt, different every time.
    pub request: Uuid,
}

impl FhirCarrier {
    /// Says that certificates, authorities or lists have changed: clients are made again.
    pub fn renew(&self) {
        self.connections.renew();
    }

    /// Sends a parcel to the recipient it was opened for, and reads its answer.
    pub async fn send<T: std::any::Any>(
        &self,
        parcel: Parcel,
        partner: &Partner,
        attempt: Attempt<'_>,
        tls: impl FnOnce(&Partner) -> Result<T, crate::tls::TlsError>,
    ) -> Result<(), SendError> {
        let endpoint = partner.endpoint.as_deref().filter(|_| partner.enabled);
        let Some(endpoint) = endpoint.filter(|_| partner.organisation == *parcel.recipient())
        else {
            return Err(SendError::Transient("the partner is not pushed to at present".to_owned()));
        };
        let client = self.connections.client(partner, attempt.settings, tls)?;
        let media_type = parcel.media_type().to_owned();
        let request = client
            .post(endpoint)
            .header("content-type", &media_type)
            .header("accept", &media_type)
            .body(parcel.expose_body().to_vec());
        let sent = addressed(request, &parcel, attempt).send().await;
        let response = sent.map_err(|error| super::https::fault(&error))?;
        // The header's id is the delivery's: see the writer in `adapters`.
        understood(response, partner.format, &parcel.delivery().to_string()).await
    }
}

/// The headers of `BaRS`. They repeat what the certificate and the message say.
fn addressed(request: RequestBuilder, parcel: &Parcel, attempt: Attempt<'_>) -> RequestBuilder {
    let identifier = |code: &str| {
        let digits = code.chars().all(|c| c.is_ascii_digit());
        let system = if digits { ORGANISATION } else { ODS };
        json!({"system": system, "value": code})
    };
    let encoded = |value: serde_json::Value| STANDARD.encode(value.to_string());
    let organisation = json!({
        "resourceType": "Organization",
        "identifier": [identifier(attempt.gateway.organisation.as_str())],
        "name": attempt.gateway.name,
    });
    let software = json!({
        "resourceType": "Device",
        "deviceName": [{"name": "EHC Gateway", "type": "manufacturer-name"}],
        "version": [{"value": env!("CARGO_PKG_VERSION")}],
    });
    request
        .header("x-request-id", attempt.request.to_string())
        // The same on every attempt: what the partner sees of this delivery belongs together.
        .header("x-correlation-id", parcel.delivery().to_string())
        .header("nhsd-target-identifier", encoded(identifier(parcel.recipient().as_str())))
        .header("nhsd-end-user-organisation", encoded(organisation))
        .header("nhsd-requesting-software", encoded(software))
}

/// What an answer means for the delivery. Its words are never repeated.
async fn understood(mut response: Response, sent_as: Format, about: &str) -> Result<(), SendError> {
    let status = response.status();
    let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let named = media_type.and_then(Format::from_media_type);
    let format = named.filter(|f| matches!(f, Format::Fhir | Format::FhirXml)).unwrap_or(sent_as);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= reply::ANSWER_BYTES_MAX => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => break,
            Ok(Some(_)) => return Err(unknown("the answer is larger than any answer should be")),
            Err(_) => return Err(unknown("the answer broke off")),
        }
    }
    let code = status.as_u16();
    match reply::read(format, &body, about) {
        Said::Response(ReplyCode::Ok) if status.is_success() => Ok(()),
        Said::Response(ReplyCode::Ok) => {
            Err(unknown(&format!("the answer says ok and its status is {code}")))
        }
        Said::Response(ReplyCode::TransientError) => {
            Err(SendError::Transient("the answer is transient-error".to_owned()))
        }
        Said::Response(ReplyCode::FatalError) => {
            Err(SendError::Permanent("the answer is fatal-error".to_owned()))
        }
        Said::AboutAnother => Err(unknown("the answer is about another message")),
        Said::OutcomeAlone | Said::Unreadable if matches!(code, 408 | 425 | 429 | 503) => {
            Err(SendError::Transient(format!("the endpoint answered {code}")))
        }
        Said::OutcomeAlone if (400..500).contains(&code) => {
            Err(SendError::Permanent(format!("the endpoint answered {code} with an outcome")))
        }
        Said::OutcomeAlone | Said::Unreadable => {
            Err(unknown(&format!("the endpoint answered {code} without a response message")))
        }
    }
}

fn unknown(reason: &str) -> SendError {
    SendError::Unknown(reason.to_owned())
}

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const ORGANISATION: &str = "urn:ehc-gateway:organisation";
