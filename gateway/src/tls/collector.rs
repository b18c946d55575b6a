//! Connecting to a receiver of the audit log: syslog over TLS (RFC 5425).
//!
//! Our own certificate, a chain to the authorities that the operator named for the receiver, for the
//! host that is called, and one of the pins when any is set. TLS 1.2 is allowed, because RFC 5425
//! receivers may know nothing newer (RFC 9662). A receiver is no partner: it only takes.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ConnectError;
use super::mesh::pinned_config;
use crate::clock::Clock;
use crate::config::{SinkSection, TlsSection};

/// Connects to the receiver of a sink. Reads the files it names; where it names none, those of the
/// partners' listener.
pub async fn connect_collector(
    sink: &SinkSection,
    own: &TlsSection,
    clock: Arc<dyn Clock>,
    (host, port): (&str, u16),
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ConnectError> {
    let settings = TlsSection {
        certificate: sink.certificate.clone().unwrap_or_else(|| own.certificate.clone()),
        key: sink.key.clone().unwrap_or_else(|| own.key.clone()),
        client_authorities: sink
            .authorities
            .clone()
            .unwrap_or_else(|| own.client_authorities.clone()),
        revocation_lists: Vec::new(),
        require_hybrid: false,
        reload_seconds: own.reload_seconds,
    };
    let mut config = pinned_config(&settings, &sink.server_pins, clock)?;
    config.alpn_protocols.clear();
    let name = ServerName::try_from(host.to_owned()).or(Err(ConnectError::Name))?;
    let socket = TcpStream::connect((host, port)).await?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, socket).await?)
}
