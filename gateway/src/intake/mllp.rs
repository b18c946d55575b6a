//! HL7 v2 over MLLP, coming in: a listener of its own, behind the same mutual TLS as the API.
//!
//! The certificate says which partner speaks, and is looked at again before every message; the
//! names in MSH must be that partner's (`[partner.feed.hl7]`). Each message is answered with what
//! is true: AA (or CA) once it is durable, AE when we failed and it should be sent again, AR when
//! it was refused or put into quarantine, with an ERR segment for each reason and never a value.
//! The key of a message is its control id: the same bytes under it get the same answer and have
//! one effect; other bytes under it are refused.
//!
//! It must never know SQL, keys or what a document says. Limits: the frame, its time and the
//! silence between frames (`[mllp]`); messages in hand per partner, shared with the API.
//!
//! Not supported: deferred application acknowledgements on a connection of our own, because both
//! answers are known at once and go out on the one the message came by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters::hl7v2::ack::{self, Header, Outcome};
use adapters::limits::SUBMISSION_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use schemas::{Issue, OrganisationCode, PersonalBytes, Place};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Arrival;
use crate::app::App;
use crate::config::MllpSection;
use crate::mllp::{self, Frame, FrameError, Frames, Patience};
use crate::peer::Peer;
use crate::pipeline::{Answer, ReceiveError};
use crate::tls::{self, Connection, Limits, ServerTls};

/// Serves until told to stop; a message that is being taken in is finished and answered.
pub async fn serve(
    (app, tls): (Arc<App>, Arc<ServerTls>),
    listener: TcpListener,
    (limits, settings): (Limits, MllpSection),
    shutdown: CancellationToken,
) {
    let stop = shutdown.clone();
    let seconds = |value: std::num::NonZeroU32| Duration::from_secs(value.get().into());
    let patience = Patience {
        idle: seconds(settings.idle_timeout_seconds),
        frame: seconds(settings.frame_timeout_seconds),
    };
    let listening = tls::serve_streams(listener, tls, limits, shutdown, move |connection| {
        converse(Arc::clone(&app), connection, patience, stop.clone())
    });
    let served = listening.await;
    tracing::info!(cut_off = served.cut_off, "the MLLP listener has stopped");
}

/// One connection: frames in, acknowledgements out, in order.
async fn converse(
    app: Arc<App>,
    mut connection: Connection,
    patience: Patience,
    stop: CancellationToken,
) {
    let mut frames = Frames::new(SUBMISSION_BYTES_MAX);
    let mut buffer = BytesMut::new();
    loop {
        let next = mllp::next(connection.stream(), &mut frames, &mut buffer, patience);
        let frame = match stop.run_until_cancelled(next).await {
            Some(Ok(Some(frame))) => frame,
            Some(Err(FrameError::TooSlow)) => {
                tracing::info!("an MLLP frame was not finished in time; the connection is closed");
                return;
            }
            // Told to stop, or the other end has closed, broken off or fallen silent.
            None | Some(Ok(None) | Err(FrameError::Io(_))) => return,
        };
        // A partner that may no longer call gets no answer; its next handshake says why.
        let Ok(peer) = connection.peer() else { return };
        let answers = answer(&app, &peer, frame).await;
        for answer in answers {
            if connection.stream().write_all(&mllp::framed(&answer)).await.is_err() {
                return;
            }
        }
        if connection.stream().flush().await.is_err() {
            return;
        }
    }
}

/// What became of one message, and why.
struct Verdict {
    outcome: Outcome,
    status: Option<u16>,
    issues: Vec<Issue>,
}

/// Takes one message in and says what to answer.
async fn answer(app: &Arc<App>, peer: &Peer, frame: Frame) -> Vec<Vec<u8>> {
    let started = Instant::now();
    let reference = app.make_id().map(|id| id.to_string()).unwrap_or_default();
    app.metrics.partner(peer.organisation(), peer.key_exchange().name());
    let (bytes, too_large) = match frame {
        Frame::Message(bytes) => (bytes, false),
        Frame::TooLarge(head) => (head, true),
    };
    let header = Header::of(&bytes);
    let verdict = if too_large {
        refused(
            "hl7-too-large",
            "is larger than one message may be",
            "send large documents another way",
        )
    } else if bytes.iter().all(u8::is_ascii_whitespace) {
        refused("hl7-no-header", "is an empty frame", "send one message in each frame")
    } else {
        take(app, peer, header.as_ref(), bytes).await
    };
    let header = header.unwrap_or_else(ack::no_header);
    let codes = header.answers(verdict.outcome);
    let said = codes.first().map_or("none", |code| code.as_str());
    let organisation = peer.organisation();
    app.metrics.mllp_message(organisation, said);
    if let Some(status) = verdict.status {
        app.metrics.submission(organisation, status);
    }
    let message = header.event();
    tracing::info!(
        reference,
        message,
        answer = said,
        organisation = organisation.as_str(),
        took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        "{reference} MLLP {message} {said}",
    );
    let answers = codes.into_iter().map(|code| {
        let id = app.make_id().map(|id| id.simple().to_string()).unwrap_or_default();
        // MSH-10 has twenty characters in most versions.
        let id: String = id.chars().skip(12).collect();
        header.acknowledge(code, &id, app.clock.now(), &verdict.issues)
    });
    answers.collect()
}

async fn take(app: &Arc<App>, peer: &Peer, header: Option<&Header>, bytes: Bytes) -> Verdict {
    let organisation = peer.organisation();
    let Some(_place) = app.take_place(organisation) else {
        return failed(
            "too-many-in-hand",
            "your organisation has too many messages in hand",
            "wait for some to be answered, then send it again",
        );
    };
    let Some(partner) = app.partner(organisation) else {
        return failed("not-a-partner", "your organisation is not known just now", "try again");
    };
    let control = header.map(Header::control_id).filter(|id| !id.trim().is_empty());
    let key = control.map_or_else(
        || format!("hl7-bytes:{}", crate::entropy::sha256_hex(&bytes)),
        |id| format!("hl7-control:{id}"),
    );
    let arrival = Arrival {
        format: adapters::Format::Hl7,
        mapping: None,
        bytes: PersonalBytes::new(bytes.to_vec()),
        key,
    };
    let (taking, actor) = (Arc::clone(app), peer.actor());
    // To its end whatever becomes of the connection: a retry then finds the answer.
    let taken = tokio::spawn(async move { super::take(&taking, &partner, actor, arrival).await });
    match tokio::time::timeout(app.config.gateway.request_timeout(), taken).await {
        Ok(Ok(Ok(answer))) => judged(&answer),
        Ok(Ok(Err(error))) => could_not(&error, organisation),
        Ok(Err(_)) => failed("internal", "something went wrong here", "send it again"),
        Err(_) => failed("took-too-long", "it took too long", "send it again"),
    }
}

/// What the pipeline's answer means for the sender.
fn judged(answer: &Answer) -> Verdict {
    if answer.status < 300 {
        return Verdict {
            outcome: Outcome::Taken,
            status: Some(answer.status),
            issues: Vec::new(),
        };
    }
    // The stored answer, so that a retry is told the same.
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let issues = said.get("issues").cloned().unwrap_or_default();
    let issues = serde_json::from_value(issues).unwrap_or_default();
    Verdict { outcome: Outcome::Refused, status: Some(answer.status), issues }
}

fn could_not(error: &ReceiveError, organisation: &OrganisationCode) -> Verdict {
    match error {
        ReceiveError::KeyReused => refused(
            "control-id-reused",
            "a message with other content came before under this control id (MSH-10)",
            "give every message a control id of its own",
        ),
        ReceiveError::InProgress => {
            failed("in-progress", "the same message is being taken in now", "send it again later")
        }
        ReceiveError::UnknownMapping
        | ReceiveError::Unreadable(_)
        | ReceiveError::Store(_)
        | ReceiveError::Vault(_)
        | ReceiveError::Entropy(_)
        | ReceiveError::Ours(_) => {
            let chain = crate::telemetry::chain(error);
            tracing::error!(%organisation, error = %chain, "an MLLP message could not be taken in");
            failed("internal", "something went wrong here", "send it again")
        }
    }
}

fn refused(rule: &str, message: &str, next: &str) -> Verdict {
    let issues = vec![Issue::error(rule, None, Place::Whole, message, next)];
    Verdict { outcome: Outcome::Refused, status: None, issues }
}

fn failed(rule: &str, message: &str, next: &str) -> Verdict {
    Verdict { outcome: Outcome::Failed, ..refused(rule, message, next) }
}
