//! A sink behind syslog over TLS (RFC 5424, RFC 5425): ATNA messages to a security team's store.
//!
//! Syslog has no acknowledgement, and bytes that a socket took are not bytes that arrived. So each
//! batch has a connection of its own, ended by our `close_notify`, which a receiver must answer with its
//! own (RFC 5425 section 4.4): whoever has answered has read everything before it. Only then is the
//! batch confirmed. Receivers that just end the connection are taken at that where the operator
//! allows it (`confirmed_by = "end-of-stream"`).
//!
//! What was read and not yet confirmed when either side died is sent again; its `seq` tells.
//!
//! Limits: a batch takes at most ten seconds. Not supported: syslog without TLS.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::SinkFault;
use crate::app::App;
use crate::audit::Entry;
use crate::audit::forms::{self, Source};
use crate::config::{ConfirmedBy, SinkSection};
use crate::store::AuditRow;

/// Sends a batch to a receiver. Nothing is remembered of it between two batches.
pub(super) async fn take(
    app: &App,
    settings: &SinkSection,
    entries: &[(Option<Entry>, AuditRow)],
) -> Result<(), SinkFault> {
    let organisation = app.organisation().to_string();
    let source = Source { log: app.origin(), organisation: &organisation };
    let mut frames = Vec::new();
    for (entry, row) in entries {
        let message = match entry {
            Some(entry) => forms::syslog(&source, entry, &row.leaf),
            None => forms::unreadable_syslog(&source, row.seq, &row.leaf),
        };
        frames.extend_from_slice(message.len().to_string().as_bytes());
        frames.push(b' ');
        frames.extend_from_slice(&message);
    }
    let Some((host, port)) = settings.host_and_port() else {
        return Err(SinkFault::Unreachable);
    };
    let clock = std::sync::Arc::clone(&app.clock);
    let connecting = crate::tls::connect_collector(settings, &app.config.tls, clock, (&host, port));
    let connected = tokio::time::timeout(CONNECTING, connecting).await;
    let Ok(Ok(stream)) = connected else { return Err(SinkFault::Unreachable) };
    let handed = hand_over(stream, &frames, settings.confirmed_by);
    tokio::time::timeout(SENDING, handed).await.unwrap_or(Err(SinkFault::Unconfirmed))
}

/// Writes everything, ends our side, and waits for the receiver to end its own.
async fn hand_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    frames: &[u8],
    confirmed_by: ConfirmedBy,
) -> Result<(), SinkFault> {
    let unconfirmed = SinkFault::Unconfirmed;
    stream.write_all(frames).await.or(Err(unconfirmed))?;
    stream.flush().await.or(Err(unconfirmed))?;
    stream.shutdown().await.or(Err(unconfirmed))?;
    // A receiver of syslog says nothing; whatever it says is passed over.
    let mut said = [0u8; 256];
    loop {
        match stream.read(&mut said).await {
            // TLS tells a proper end from a connection that was just cut.
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let enough = confirmed_by == ConfirmedBy::EndOfStream;
                return enough.then_some(()).ok_or(SinkFault::Unconfirmed);
            }
            Err(_) => return Err(SinkFault::Unconfirmed),
        }
    }
}

/// The longest that a connection and its handshake take.
const CONNECTING: Duration = Duration::from_secs(3);
/// The longest that a batch takes from then on.
const SENDING: Duration = Duration::from_secs(7);
