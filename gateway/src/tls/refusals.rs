//! Why connections were refused, counted until somebody writes it down.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rustls::{AlertDescription, CertificateError, Error};

use crate::peer::PeerRefusal;

/// Why a connection got no further. The codes are stable: the audit log and metrics use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The certificate is from the right authority but no partner's.
    Peer(PeerRefusal),
    /// The caller sent no certificate.
    NoCertificate,
    /// The certificate is from no authority of ours, or its signature is wrong.
    UnknownAuthority,
    /// The certificate was revoked.
    Revoked,
    /// No current revocation list speaks for the certificate.
    RevocationUnknown,
    /// The certificate is not for this use: wrong key usage, an authority's own, or a critical
    /// extension nobody here understands.
    WrongUse,
    /// A signature is wrong: an impostor authority of the right name, or a caller without the key.
    BadSignature,
    /// The caller and the gateway have no protocol version, cipher or key exchange in common.
    Incompatible,
    /// The caller spoke something other than TLS, or broke it.
    NotTls,
    /// The caller went away before it had proved who it is.
    Abandoned,
    /// The caller took too long to prove who it is.
    TooSlow,
    /// Too many connections were open.
    TooMany,
}

impl Refusal {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Peer(refusal) => refusal.code(),
            Self::NoCertificate => "certificate-missing",
            Self::UnknownAuthority => "authority-unknown",
            Self::Revoked => "certificate-revoked",
            Self::RevocationUnknown => "revocation-unknown",
            Self::WrongUse => "certificate-wrong-use",
            Self::BadSignature => "signature-wrong",
            Self::Incompatible => "tls-incompatible",
            Self::NotTls => "tls-broken",
            Self::Abandoned => "connection-abandoned",
            Self::TooSlow => "handshake-timeout",
            Self::TooMany => "connections-exhausted",
        }
    }

    /// The reason behind what the TLS library says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls's errors are open-ended")]
    pub(super) fn from_tls(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(fault) => Self::from_certificate(fault),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::PeerIncompatible(_)
            | Error::AlertReceived(
                AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
            ) => Self::Incompatible,
            Error::AlertReceived(_) => Self::Abandoned,
            _ => Self::NotTls,
        }
    }

    /// The reason behind a failed handshake.
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => Self::from_tls(error),
            None => Self::Abandoned,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls's errors are open-ended")]
    fn from_certificate(fault: &CertificateError) -> Self {
        use CertificateError as Fault;
        match fault {
            Fault::Expired | Fault::ExpiredContext { .. } => Self::Peer(PeerRefusal::Expired),
            Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
                Self::Peer(PeerRefusal::NotYetValid)
            }
            Fault::Revoked => Self::Revoked,
            Fault::UnknownRevocationStatus
            | Fault::ExpiredRevocationList
            | Fault::ExpiredRevocationListContext { .. } => Self::RevocationUnknown,
            Fault::UnknownIssuer => Self::UnknownAuthority,
            Fault::BadSignature => Self::BadSignature,
            Fault::InvalidPurpose
            | Fault::InvalidPurposeContext { .. }
            | Fault::UnhandledCriticalExtension => Self::WrongUse,
            Fault::Other(other) => match other.0.downcast_ref::<PeerRefusal>() {
                Some(refusal) => Self::Peer(*refusal),
                // webpki's own reasons without a name in rustls: an authority as a leaf, and kin.
                None => Self::WrongUse,
            },
            _ => Self::Peer(PeerRefusal::Unreadable),
        }
    }
}

/// Counts of refusals since they were last drained. A flood is a number, not a pile.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<&'static str, u64>>);

impl Refusals {
    /// The counts by code since the last call. For one audit entry per code and interval.
    pub fn drain(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn count(&self, refusal: Refusal) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(refusal.code()).or_default();
        *count = count.saturating_add(1);
        tracing::debug!(reason = refusal.code(), "connection refused");
    }
}
