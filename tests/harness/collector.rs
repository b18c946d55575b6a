//! A security team's receiver of syslog over TLS (RFC 5425), in one of several moods.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::practice::Stage;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything and confirms it.
    Take,
    /// Accepts connections and never reads from them.
    Hang,
    /// Takes everything and ends the connection without the good-bye of TLS.
    Rude,
    /// Reads everything, then is gone before it confirms.
    Die,
    /// Takes everything and confirms it, seconds later.
    Slow,
}

/// A running receiver.
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    mood: Mutex<Mood>,
    messages: Mutex<Vec<String>>,
    held: Mutex<Vec<TcpStream>>,
}

impl Collector {
    /// Starts one with the certificate of a member, which asks for one of the same authority.
    pub async fn start(stage: &Stage, mood: Mood) -> Self {
        let folder = stage.config_path().parent().expect("a folder").join("pki");
        let acceptor = TlsAcceptor::from(Arc::new(config(&folder)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            mood: Mutex::new(mood),
            messages: Mutex::default(),
            held: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let state = Arc::clone(&shared);
                if state.mood() == Mood::Hang {
                    state.held.lock().expect("held").push(socket);
                    continue;
                }
                tokio::spawn(serve(acceptor.clone(), socket, state));
            }
        });
        Self { address, state, task }
    }

    /// Changes its mood.
    pub fn feel(&self, mood: Mood) {
        *self.state.mood.lock().expect("a mood") = mood;
        self.state.held.lock().expect("held").clear();
    }

    /// What it was sent and has read, in order.
    pub fn messages(&self) -> Vec<String> {
        self.state.messages.lock().expect("messages").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn mood(&self) -> Mood {
        *self.mood.lock().expect("a mood")
    }
}

async fn serve(acceptor: TlsAcceptor, socket: TcpStream, state: Arc<State>) {
    let Ok(mut stream) = acceptor.accept(socket).await else { return };
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).await.is_err() {
        return;
    }
    let mood = state.mood();
    if mood == Mood::Die {
        return;
    }
    if mood == Mood::Slow {
        tokio::time::sleep(SLOW).await;
    }
    state.messages.lock().expect("messages").extend(frames(&bytes));
    if matches!(mood, Mood::Take | Mood::Slow) {
        drop(stream.shutdown().await);
    }
}

/// Octet counting: a length, a space, and so many bytes (RFC 5425 section 4.3).
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').expect("a length");
        let (length, rest) = bytes.split_at(space);
        let length = std::str::from_utf8(length).expect("digits").parse().expect("a length");
        let (message, rest) = rest[1..].split_at(length);
        messages.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
        bytes = rest;
    }
    messages
}

/// Less than a sender gives up after.
const SLOW: Duration = Duration::from_secs(3);

fn config(pki: &Path) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = |file: &str| {
        let found = CertificateDer::pem_file_iter(pki.join(file)).expect("a file");
        found.collect::<Result<Vec<_>, _>>().expect("certificates")
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("authority/certificate.pem") {
        roots.add(authority).expect("an authority");
    }
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_file(pki.join("partners/trust-ryw/server-key.pem"));
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients.build().expect("a verifier"))
        .with_single_cert(certificates("partners/trust-ryw/server.pem"), key.expect("a key"))
        .expect("a certificate")
}
