//! MLLP push: HL7 v2 to a partner's own listener, over mutual TLS, pinned both ways.
//!
//! One connection for each message, closed after the acknowledgement, so that no answer to one
//! can be taken for an answer to another. Only an acknowledgement of this very message counts: AA
//! or CA is delivered, AE or CE is tried again, AR or CR is for a person. Everything else (late,
//! malformed, about another message) leaves the outcome unknown: it may have arrived. A repeated
//! attempt bears the same control id and document number.
//!
//! What the answer says beyond its code is never read or logged.

use std::sync::Arc;
use std::time::Duration;

use adapters::hl7v2::ack::{self, Header, Outcome};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{Parcel, SendError};
use crate::clock::Clock;
use crate::config::{DeliverySection, Partner, TlsSection, mllp_address};
use crate::mllp::{self, Frame, Frames, Patience};

/// Sends a parcel to the recipient it was opened for. The parcel is spent.
pub async fn send(
    parcel: Parcel,
    partner: &Partner,
    (tls, settings): (&TlsSection, &DeliverySection),
    clock: Arc<dyn Clock>,
) -> Result<(), SendError> {
    let endpoint = partner.endpoint.as_deref().filter(|_| partner.enabled);
    let endpoint = endpoint.filter(|_| partner.organisation == *parcel.recipient());
    let Some((host, port)) = endpoint.and_then(mllp_address) else {
        return Err(SendError::Transient("the partner is not sent to at present".to_owned()));
    };
    let seconds = |value: std::num::NonZeroU32| Duration::from_secs(value.get().into());
    let connecting = crate::tls::connect(tls, partner, clock, (&host, port));
    let within = seconds(settings.connect_timeout_seconds);
    let Ok(Ok(stream)) = tokio::time::timeout(within, connecting).await else {
        return Err(SendError::Transient("the endpoint could not be reached".to_owned()));
    };
    exchange(stream, parcel.expose_body(), seconds(settings.send_timeout_seconds)).await
}

/// Sends one message and waits for its acknowledgement.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    message: &[u8],
    within: Duration,
) -> Result<(), SendError> {
    let sent = Header::of(message).map(|header| header.control_id().to_owned());
    let unknown = |what: &str| SendError::Unknown(what.to_owned());
    let answered = tokio::time::timeout(within, async {
        let frame = mllp::framed(message);
        let written = stream.write_all(&frame).await;
        if written.is_err() || stream.flush().await.is_err() {
            return Err(unknown("the connection broke while it was sent"));
        }
        let patience = Patience { idle: within, frame: within };
        let (mut frames, mut buffer) = (Frames::new(ANSWER_BYTES_MAX), BytesMut::new());
        match mllp::next(&mut stream, &mut frames, &mut buffer, patience).await {
            Ok(Some(Frame::Message(answer))) => Ok(answer),
            Ok(Some(Frame::TooLarge(_))) => Err(unknown("the answer is no acknowledgement")),
            Ok(None) | Err(_) => Err(unknown("the connection ended before an answer")),
        }
    });
    let answer = match answered.await {
        Ok(answer) => answer?,
        Err(_) => return Err(unknown("no answer within the time allowed")),
    };
    // Closing is good manners; the answer counts whatever becomes of it.
    let _ = tokio::time::timeout(CLOSING, stream.shutdown()).await;
    let Some(said) = ack::read(&answer, &sent.unwrap_or_default()) else {
        return Err(unknown("the answer is no acknowledgement"));
    };
    if !said.matches {
        return Err(unknown("the acknowledgement is about another message"));
    }
    let code = said.code.as_str();
    match said.code.outcome() {
        Outcome::Taken => Ok(()),
        Outcome::Failed => Err(SendError::Transient(format!("the endpoint answered {code}"))),
        Outcome::Refused => Err(SendError::Permanent(format!("the endpoint answered {code}"))),
    }
}

/// The largest answer that is read: acknowledgements are short, even with many ERR segments.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait for the other end's good-bye.
const CLOSING: Duration = Duration::from_millis(500);
