//! Mutual TLS: what the gateway presents, what it asks of others, and how that is reloaded.
//!
//! Owns: the cryptographic provider, server and client configurations, the second look at every
//! certificate, revocation, reload, and the accept loop that lets nobody speak HTTP before it is
//! known who they are. TLS 1.3 only, but 1.2 where MLLP is configured to allow it; a client
//! certificate always; the hybrid post-quantum group
//! X25519MLKEM768 first; no tickets, no resumption, no early data.
//!
//! Must never know: records, routes, or what a peer may do.
//!
//! Use: `ServerTls::load(..)?`, then `serve(listener, tls, router, limits, shutdown)` beside
//! `tls.watch(..)`. For a push, `client_config(&config.tls, partner, clock)?`. Protocols other than
//! HTTP: `serve_streams(..)` and `connect(..)`.
//!
//! Limits: revocation is by list (CRL) only, never by asking a responder: nothing phones home. A
//! revoked certificate stops within one reload interval, on open connections too. Not supported:
//! TLS 1.2 for the API and for pushes over HTTPS, because no partner of today's journeys needs it.

mod collector;
mod listener;
mod material;
mod mesh;
mod refusals;
mod reload;
mod verifier;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs, ring};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;
use crate::config::{ConfigError, Partner, TlsSection};
use crate::peer::{Peer, PeerRefusal, Peers};

use material::Material;
use reload::Fingerprints;
use verifier::{EndpointVerifier, PartnerVerifier, Whose};

pub use collector::connect_collector;
pub use listener::{Connection, Limits, NoLonger, Served, serve, serve_streams};
pub use mesh::mesh_client_config;
pub use refusals::{Refusal, Refusals};
pub use reload::{Prepared, TrustChange, TrustNews, TrustPrints};

/// What the partners' listener presents and asks for; replaced whole on reload.
#[derive(Debug)]
pub struct ServerTls {
    settings: TlsSection,
    partners_file: Option<PathBuf>,
    peers: Arc<Peers>,
    clock: Arc<dyn Clock>,
    live: ArcSwap<Live>,
    refusals: Refusals,
    allow_tls12: bool,
}

/// The certificate a connection was verified with. Made here, after the handshake, and nowhere else.
#[derive(Debug, Clone)]
pub struct VerifiedLeaf {
    chain: Vec<CertificateDer<'static>>,
    key_exchange: KeyExchange,
}

/// How a connection's keys were agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// Hybrid: X25519 and ML-KEM-768 together. Safe from recording now and decrypting later.
    X25519MlKem768,
    /// Classical X25519.
    X25519,
    /// Classical P-256.
    Secp256r1,
    /// Classical P-384.
    Secp384r1,
}

/// What keeps a TLS configuration from being used. Names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("{} could not be read: {source}; check the path and its permissions", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what}; it must be PEM", .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A key is readable by others than its owner.
    #[error("{} may be read by others; chmod 600 it and consider the key lost", .file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
    },
    /// The certificate and its key cannot be used together.
    #[error("{} and its key cannot be used: {source}", .file.display())]
    Certificate {
        /// The certificate.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// An authority's certificate cannot be used.
    #[error("{} holds an authority that cannot be used: {source}", .file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A revocation list cannot be used.
    #[error("{} holds a revocation list that cannot be used: {reason}", .file.display())]
    RevocationList {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The protocol settings do not fit together.
    #[error("the TLS settings do not fit together: {0}")]
    Settings(String),
    /// The partners file cannot be used.
    #[error(transparent)]
    Partners(#[from] ConfigError),
}

impl ServerTls {
    /// Reads everything the listener needs. `partners_file`, if given, is reloaded into `peers`.
    pub fn load(
        settings: &TlsSection,
        partners_file: Option<PathBuf>,
        peers: Arc<Peers>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let material = Material::read(settings)?;
        let live = Live::build(&material, settings, &peers, &clock, (false, 0))?;
        let fingerprints = Fingerprints::before_partners(&material);
        Ok(Self {
            live: ArcSwap::from_pointee(Live { fingerprints, ..live }),
            settings: settings.clone(),
            partners_file,
            peers,
            clock,
            refusals: Refusals::default(),
            allow_tls12: false,
        })
    }

    /// Lets listeners that do not speak HTTP take TLS 1.2 as well, for partners' engines that know
    /// nothing newer. Never the listener of the API.
    pub fn with_tls12_for_streams(self, allow: bool) -> Result<Self, TlsError> {
        if !allow {
            return Ok(self);
        }
        let material = Material::read(&self.settings)?;
        let live = Live::build(&material, &self.settings, &self.peers, &self.clock, (true, 0))?;
        let fingerprints = Fingerprints::before_partners(&material);
        self.live.store(Arc::new(Live { fingerprints, ..live }));
        Ok(Self { allow_tls12: true, ..self })
    }

    /// Whose connection this still is: the whole chain, revocation included, and the partner.
    pub fn recheck(&self, leaf: &VerifiedLeaf) -> Result<Peer, Refusal> {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let (end_entity, intermediates) = leaf.chain.split_first().ok_or(Refusal::NoCertificate)?;
        let live = self.live.load();
        live.verifier
            .verify_client_cert(end_entity, intermediates, time)
            .map_err(|error| Refusal::from_tls(&error))?;
        if self.settings.require_hybrid && !leaf.key_exchange.is_hybrid() {
            return Err(Refusal::Peer(PeerRefusal::NotHybrid));
        }
        self.peers.identify(leaf, now).map_err(Refusal::Peer)
    }

    /// The partners this listener knows.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// Who was refused since this was last asked.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Changes whenever the listener's files or the partners are replaced.
    fn generation(&self) -> (u64, u64) {
        (self.live.load().number, self.peers.generation())
    }
}

impl VerifiedLeaf {
    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        self.chain.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// How the connection's keys were agreed.
    pub fn key_exchange(&self) -> KeyExchange {
        self.key_exchange
    }
}

impl KeyExchange {
    /// Whether a recording of the connection is safe from a quantum computer to come.
    pub fn is_hybrid(self) -> bool {
        self == Self::X25519MlKem768
    }

    /// The group's registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::X25519 => "x25519",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only the groups we offer can be negotiated"
    )]
    fn of(group: &dyn SupportedKxGroup) -> Option<Self> {
        match group.name() {
            NamedGroup::X25519MLKEM768 => Some(Self::X25519MlKem768),
            NamedGroup::X25519 => Some(Self::X25519),
            NamedGroup::secp256r1 => Some(Self::Secp256r1),
            NamedGroup::secp384r1 => Some(Self::Secp384r1),
            _ => None,
        }
    }
}

/// How to push to a partner: our certificate, its keys, its organisation, and nobody else.
pub fn client_config(
    settings: &TlsSection,
    partner: &Partner,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, TlsError> {
    partner_config(settings, partner, clock, versions(false))
}

fn partner_config(
    settings: &TlsSection,
    partner: &Partner,
    clock: Arc<dyn Clock>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, TlsError> {
    let material = Material::read(settings)?;
    let provider = provider(settings.require_hybrid || partner.require_hybrid);
    let chain = material.endpoint_verifier(&provider)?;
    let organisation = partner.organisation.clone();
    let verifier =
        EndpointVerifier::new(chain, Whose::Partner(organisation, partner.server_pins.clone()));
    let time: Arc<dyn TimeProvider> = Arc::new(ClockTime(clock));
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Settings(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(material.chain.clone(), material.key.clone_key())
        .map_err(|source| TlsError::Certificate { file: settings.certificate.clone(), source })?;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    config.require_ems = true;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// Connects to a partner's own endpoint that speaks something other than HTTP: our certificate,
/// its keys, its organisation, and nobody else. TLS 1.2 only where the partner's entry allows it.
pub async fn connect(
    settings: &TlsSection,
    partner: &Partner,
    clock: Arc<dyn Clock>,
    (host, port): (&str, u16),
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ConnectError> {
    let mut config = partner_config(settings, partner, clock, versions(partner.allow_tls12))?;
    config.alpn_protocols.clear();
    let name = ServerName::try_from(host.to_owned()).or(Err(ConnectError::Name))?;
    let socket = TcpStream::connect((host, port)).await?;
    // A failure only costs latency.
    let _ = socket.set_nodelay(true);
    Ok(TlsConnector::from(Arc::new(config)).connect(name, socket).await?)
}

/// Why a partner's endpoint could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Our own files.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The endpoint's name.
    #[error("the endpoint's name is not one that a certificate can have")]
    Name,
    /// The network, or the handshake.
    #[error("the endpoint could not be reached, or is not the partner's")]
    Io(#[from] std::io::Error),
}

/// The protocol versions that are offered.
fn versions(allow_tls12: bool) -> &'static [&'static SupportedProtocolVersion] {
    const NEW: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    if allow_tls12 { BOTH } else { NEW }
}

/// One generation of what the listener presents and asks for.
#[derive(Debug)]
struct Live {
    config: Arc<ServerConfig>,
    /// For listeners that do not speak HTTP.
    streams: Arc<ServerConfig>,
    verifier: Arc<PartnerVerifier>,
    fingerprints: Fingerprints,
    number: u64,
}

impl Live {
    /// Always a new `ServerConfig`: an old one may remember sessions.
    fn build(
        material: &Material,
        settings: &TlsSection,
        peers: &Arc<Peers>,
        clock: &Arc<dyn Clock>,
        (allow_tls12, number): (bool, u64),
    ) -> Result<Self, TlsError> {
        let provider = provider(settings.require_hybrid);
        let chain = material.client_verifier(&provider)?;
        let verifier = Arc::new(PartnerVerifier::new(chain, Arc::clone(peers)));
        let build = |allow_tls12: bool, protocols: Vec<Vec<u8>>| {
            let time: Arc<dyn TimeProvider> = Arc::new(ClockTime(Arc::clone(clock)));
            let mut config = ServerConfig::builder_with_details(Arc::clone(&provider), time)
                .with_protocol_versions(versions(allow_tls12))
                .map_err(|error| TlsError::Settings(error.to_string()))?
                .with_client_cert_verifier(Arc::<PartnerVerifier>::clone(&verifier))
                .with_single_cert(material.chain.clone(), material.key.clone_key())
                .map_err(|source| TlsError::Certificate {
                    file: settings.certificate.clone(),
                    source,
                })?;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config.max_early_data_size = 0;
            config.require_ems = true;
            config.alpn_protocols = protocols;
            Ok::<_, TlsError>(Arc::new(config))
        };
        let config = build(false, vec![ALPN.to_vec()])?;
        let streams = build(allow_tls12, Vec::new())?;
        let fingerprints = Fingerprints::default();
        Ok(Self { config, streams, verifier, fingerprints, number })
    }

    fn config(&self, streams: bool) -> Arc<ServerConfig> {
        Arc::clone(if streams { &self.streams } else { &self.config })
    }
}

/// Makes our choice of cryptography the process's own, for clients that do not take one: the
/// S3-compatible store's. Doing it again changes nothing.
pub fn choose_cryptography() {
    // An error means that a choice was made before, by us.
    drop(provider(false).as_ref().clone().install_default());
}

/// ring for everything but the hybrid group, which ring does not have.
fn provider(hybrid_only: bool) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    let hybrid = aws_lc_rs::kx_group::X25519MLKEM768;
    if hybrid_only {
        provider.kx_groups.clear();
    }
    provider.kx_groups.insert(0, hybrid);
    Arc::new(provider)
}

/// The gateway's clock, as rustls asks for it.
#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

const ALPN: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests;
