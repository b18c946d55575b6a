//! Connecting to NHS MESH: its own authorities, its own client certificate.
//!
//! MESH's certificates come from another authority than partners' do and name no organisation in
//! our form, so neither our authorities nor the check of a partner's endpoint fit. What holds here:
//! a chain to the authorities set for MESH, for the host that is called (by SAN), and one of the
//! pins when any is set. TLS 1.2 is allowed, because MESH promises no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::time_provider::TimeProvider;

use super::material::Material;
use super::verifier::{EndpointVerifier, Whose};
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
    pinned_config(&settings, &mesh.server_pins, clock)
}

/// How to reach an endpoint that is no partner: a chain to these authorities, and one of the pins when
/// there are any. Also for receivers of the audit log.
pub(super) fn pinned_config(
    settings: &TlsSection,
    pins: &BTreeSet<Pin>,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsError> {
    let material = Material::read(settings)?;
    let provider = provider(false);
    let chain = material.endpoint_verifier(&provider)?;
    let verifier = EndpointVerifier::new(chain, Whose::Pinned(pins.clone()));
    let time: Arc<dyn TimeProvider> = Arc::new(ClockTime(clock));
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::Settings(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| TlsError::Certificate { file: settings.certificate.clone(), source })?;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
