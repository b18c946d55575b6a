//! A gateway's listener on loopback, and partners and villains that call it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use jiff::{SignedDuration, Timestamp};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use schemas::OrganisationCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, FrozenClock};
use crate::config::{Partners, Pin};
use crate::peer::Peer;
use crate::pki::{Issued, Practice, PracticePlan};

use super::super::*;

pub(super) struct Stage {
    pub(super) folder: tempfile::TempDir,
    pub(super) practice: Practice,
    pub(super) settings: TlsSection,
    pub(super) clock: Arc<FrozenClock>,
    pub(super) tls: Arc<ServerTls>,
    pub(super) address: std::net::SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) serving: JoinHandle<Served>,
    answered: Arc<AtomicUsize>,
}

pub(super) const LIMITS: Limits = Limits {
    connections_max: std::num::NonZeroUsize::new(4).expect("not zero"),
    handshake_timeout: Duration::from_millis(700),
    header_timeout: Duration::from_secs(10),
    drain_timeout: Duration::from_millis(600),
};

pub(super) fn now() -> Timestamp {
    "2026-06-01T09:00:00Z".parse().expect("an instant")
}

pub(super) fn code(code: &str) -> OrganisationCode {
    OrganisationCode::parse(code).expect("a code")
}

impl Stage {
    pub(super) async fn set() -> Self {
        Self::set_with("", |_| {}).await
    }

    /// `la_lines` are added to the local authority's entry.
    pub(super) async fn set_with(la_lines: &str, change: impl FnOnce(&mut TlsSection)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let named = [("la", "334"), ("trust", "RRK")];
        let partners = named.iter().map(|(name, of)| ((*name).to_owned(), code(of))).collect();
        let plan = PracticePlan { gateway: code("QHL"), partners, now: now(), days: 30 };
        let practice = Practice::mint(&plan).expect("minted");
        practice.write(folder.path()).expect("written");
        let at = |path: &str| folder.path().join(path);
        let mut settings = TlsSection {
            certificate: at("gateway/certificate.pem"),
            key: at("gateway/key.pem"),
            client_authorities: at("authority/certificate.pem"),
            revocation_lists: vec![at("authority/revoked.pem")],
            require_hybrid: false,
            reload_seconds: std::num::NonZeroU32::MIN,
        };
        change(&mut settings);
        let partners_file = at("partners.toml");
        let pins: Vec<Pin> = practice.partners().map(|(_, partner)| partner.client.pin()).collect();
        write_partners(&partners_file, la_lines, &[("334", &pins[..1]), ("RRK", &pins[1..])]);
        let partners = Partners::load(&partners_file).expect("partners");
        let clock = Arc::new(FrozenClock::new(now()));
        let dyn_clock: Arc<dyn Clock> = Arc::<FrozenClock>::clone(&clock);
        let peers = Arc::new(Peers::new(partners));
        let tls = ServerTls::load(&settings, Some(partners_file), peers, dyn_clock);
        let tls = Arc::new(tls.expect("TLS files"));
        let answered = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let app = router(Arc::clone(&answered));
        let serving =
            tokio::spawn(serve(listener, Arc::clone(&tls), app, LIMITS, shutdown.clone()));
        Self { folder, practice, settings, clock, tls, address, shutdown, serving, answered }
    }

    pub(super) fn la(&self) -> &Issued {
        &self.practice.partner("la").expect("planned").client
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn set_la_pins(&self, pins: &[Pin]) {
        let trust = self.practice.partner("trust").expect("planned").client.pin();
        write_partners(&self.path("partners.toml"), "", &[("334", pins), ("RRK", &[trust])]);
    }

    pub(super) fn revoke(&self, issued: &[&Issued]) {
        let list = self.practice.revocation_list_with(issued, self.clock.now(), 30);
        std::fs::write(self.path("authority/revoked.pem"), list.expect("a list")).expect("written");
    }

    pub(super) fn pass(&self, days: i64) {
        self.clock.advance(SignedDuration::from_hours(24 * days));
    }

    /// How many requests any handler has seen.
    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    pub(super) fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.tls.refusals().drain()
    }

    /// The reasons for refusals, once at least one was counted.
    pub(super) async fn refusal(&self) -> Vec<&'static str> {
        for _ in 0..200 {
            let refused = self.refused();
            if !refused.is_empty() {
                return refused.into_keys().collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Vec::new()
    }

    /// A caller's configuration, as another maker's software would have it.
    pub(super) fn caller(&self, issued: Option<&Issued>) -> ClientConfig {
        self.caller_with(issued, issued, provider(false), &rustls::version::TLS13)
    }

    /// A caller that may show one certificate and sign with another's key.
    #[expect(clippy::needless_pass_by_value, reason = "callers make a provider for each call")]
    pub(super) fn caller_with(
        &self,
        shown: Option<&Issued>,
        key: Option<&Issued>,
        provider: Arc<CryptoProvider>,
        version: &'static SupportedProtocolVersion,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let authority = self.practice.authority_pem();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("one")).expect("ok");
        let dyn_clock: Arc<dyn Clock> = Arc::<FrozenClock>::clone(&self.clock);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let builder = ClientConfig::builder_with_details(
            Arc::clone(&provider),
            Arc::new(ClockTime(dyn_clock)),
        )
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_webpki_verifier(verifier.build().expect("a verifier"));
        let (Some(shown), Some(key)) = (shown, key) else {
            return builder.with_no_client_auth();
        };
        let pem = shown.certificate_pem().as_bytes();
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.expose_key_pem().as_bytes()).expect("a key");
        let key = provider.key_provider.load_private_key(key).expect("a key");
        let certified = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let mut config = builder.with_client_cert_resolver(Arc::new(certified));
        config.resumption = Resumption::in_memory_sessions(8);
        config
    }

    pub(super) async fn connect(&self, config: ClientConfig) -> std::io::Result<Open> {
        self.connect_shared(Arc::new(config)).await
    }

    pub(super) async fn connect_shared(&self, config: Arc<ClientConfig>) -> std::io::Result<Open> {
        let socket = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(config).connect(name, socket).await.map(Open)
    }

    /// One request on a connection of its own: the answer, or `None` if there was none.
    pub(super) async fn call(&self, config: ClientConfig) -> Option<String> {
        let mut open = self.connect(config).await.ok()?;
        open.ask("/").await
    }
}

/// An open connection to the gateway.
pub(super) struct Open(pub(super) TlsStream<TcpStream>);

impl Open {
    /// The body of the answer, or `None` if the gateway gave none.
    pub(super) async fn ask(&mut self, path: &str) -> Option<String> {
        self.send(path).await?;
        self.hear().await
    }

    pub(super) async fn send(&mut self, path: &str) -> Option<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.ok()?;
        self.0.flush().await.ok()
    }

    pub(super) async fn hear(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 1024];
        loop {
            let read = tokio::time::timeout(Duration::from_secs(5), self.0.read(&mut chunk)).await;
            let count = read.expect("an answer or an end").ok().filter(|&count| count > 0)?;
            bytes.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                if body.ends_with('.') {
                    return Some(body.to_owned());
                }
            }
        }
    }
}

fn router(answered: Arc<AtomicUsize>) -> Router {
    let count = move || answered.fetch_add(1, Ordering::SeqCst);
    let slow_count = count.clone();
    let home = async move |Extension(peer): Extension<Peer>| {
        count();
        format!("{} {}.", peer.organisation().as_str(), peer.key_exchange().name())
    };
    let slow = async move |Extension(peer): Extension<Peer>, pause: String| {
        slow_count();
        let _ = pause;
        tokio::time::sleep(Duration::from_millis(300)).await;
        format!("{} slowly.", peer.organisation().as_str())
    };
    let endless = async || {
        std::future::pending::<()>().await;
        "never."
    };
    Router::new().route("/", get(home)).route("/slow", get(slow)).route("/endless", get(endless))
}

fn write_partners(file: &std::path::Path, la_lines: &str, partners: &[(&str, &[Pin])]) {
    let entry = |(organisation, pins): &(&str, &[Pin])| {
        let pins: Vec<String> = pins.iter().map(|pin| format!("{:?}", pin.to_string())).collect();
        let pins = pins.join(", ");
        let lines = if *organisation == "334" { la_lines } else { "" };
        format!(
            "[[partner]]\norganisation = \"{organisation}\"\nname = \"Partner\"\n\
             roles = [\"health-trust\"]\npins = [{pins}]\nformat = \"json\"\n\
             carrier = \"collect\"\n{lines}\n"
        )
    };
    let text: String = partners.iter().map(entry).collect();
    std::fs::write(file, text).expect("written");
}
