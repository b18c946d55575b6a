//! Connecting to NHS MESH: its own authorities, its own client certificate.
//!
//! MESH's certificates come from another authority than partners' do and name no organisation in
//! our form, so neither the authorities nor the check of `EndpointVerifier` fit. What holds here:
//! a chain to the authorities set for MESH, for the host that is called (by SAN), and one of the
//! pins when any is set. TLS 1.2 is allowed, because MESH promises no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::material::Material;
use super::{ALPN, ClockTime, TlsError, provider};
use crate::clock::Clock;
use crate::config::{MeshSection, Pin, TlsSection};

/// How to reach the MESH server of a configuration. Reads the files it names.
pub fn mesh_client_config(
    mesh: &MeshSection,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsError> {
    let settings = TlsSection {
        certificate: mesh.certificate.clone(),
        key: mesh.key.clone(),
        client_authorities: mesh.authorities.clone(),
        revocation_lists: Vec::new(),
        require_hybrid: false,
        reload_seconds: std::num::NonZeroU32::MIN,
    };
    let material = Material::read(&settings)?;
    let provider = provider(false);
    let chain = material.endpoint_verifier(&provider)?;
    let verifier = MeshVerifier { chain, pins: mesh.server_pins.clone() };
    let time: Arc<dyn TimeProvider> = Arc::new(ClockTime(clock));
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::Settings(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| TlsError::Certificate { file: mesh.certificate.clone(), source })?;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// rustls's own verifier, and the pins when there are any. It can only refuse more.
#[derive(Debug)]
struct MeshVerifier {
    chain: Arc<WebPkiServerVerifier>,
    pins: BTreeSet<Pin>,
}

impl ServerCertVerifier for MeshVerifier {
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
        let pinned = |pin: Pin| self.pins.contains(&pin);
        if self.pins.is_empty() || crate::peer::pin_of(end_entity).is_ok_and(pinned) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
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
