//! The second half of every certificate check: not only "from our authority" but "this partner's".
//!
//! Each verifier here wraps rustls's own and can only refuse more than it does. Before you change
//! this: signatures and chains are never checked by our code, always by the wrapped verifier.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use schemas::OrganisationCode;

use crate::config::Pin;
use crate::peer::{PeerRefusal, Peers, is_organisation, pin_of};

/// Callers: a chain to our authorities, not revoked, and a partner's key and organisation.
#[derive(Debug)]
pub(super) struct PartnerVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    peers: Arc<Peers>,
}

impl PartnerVerifier {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, peers: Arc<Peers>) -> Self {
        Self { chain, peers }
    }
}

impl ClientCertVerifier for PartnerVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        self.peers.check(end_entity, timestamp(now)).map_err(refused)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// An endpoint we call: a chain to the authorities for that name, and whose it must be.
#[derive(Debug)]
pub(super) struct EndpointVerifier {
    chain: Arc<WebPkiServerVerifier>,
    whose: Whose,
}

/// Whose an endpoint must be, beyond its chain and its name.
#[derive(Debug)]
pub(super) enum Whose {
    /// A partner's own, by organisation and key, so that a push cannot reach anybody else.
    Partner(OrganisationCode, BTreeSet<Pin>),
    /// One with one of these keys; with any key when there are none.
    Pinned(BTreeSet<Pin>),
}

impl EndpointVerifier {
    pub(super) fn new(chain: Arc<WebPkiServerVerifier>, whose: Whose) -> Self {
        Self { chain, whose }
    }
}

impl Whose {
    fn check(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        match self {
            Self::Partner(organisation, pins) => {
                is_organisation(end_entity, organisation, pins).map_err(refused)
            }
            Self::Pinned(pins) if pins.is_empty() => Ok(()),
            Self::Pinned(pins) if pin_of(end_entity).is_ok_and(|pin| pins.contains(&pin)) => Ok(()),
            Self::Pinned(_) => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }
}

impl ServerCertVerifier for EndpointVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.chain.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        self.whose.check(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn refused(refusal: PeerRefusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

fn timestamp(now: UnixTime) -> Timestamp {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
