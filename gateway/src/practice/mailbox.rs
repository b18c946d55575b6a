//! A MESH server of our own, in this process, stricter than NHS England's sandbox.
//!
//! Owns: mailboxes on loopback over real mutual TLS, for the demo and the tests, and the way a
//! practice trust uses one ([`Correspondent`]). Our client is also tested against mesh-sandbox,
//! which we did not write; this double is for the rules the sandbox does not check:
//!
//! - a token older or newer than two hours, and a token used before: 403;
//! - a mailbox in lower case anywhere, or one that is not the caller's own by its certificate: 403;
//! - a workflow under which the sender may not write to the recipient: 417, code 17;
//! - a request above the size limit: 413;
//! - a download after the acknowledgement: 410.
//!
//! It also keeps what both keep: chunks in order, one content encoding (417), nothing after the
//! last chunk (423), no chunk beyond the range (406), 206 and 200 on download, printable headers
//! (400, code 06), reports with an empty body, tracking for the sender alone. [`Mood`] makes it
//! fail as real servers do.
//!
//! Must never be used with real people: it keeps messages in memory, in the open.
//!
//! Not supported: look-ups, HEAD, version 1 bodies, expiry by age ([`Mailboxes::report`] puts a
//! report where MESH would), because nothing here is tested by them.

mod calls;
mod correspondent;
mod files;
mod rules;
mod stage;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use adapters::mesh::{Mailbox, MeshMessageId, WorkflowId};
use schemas::OrganisationCode;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PracticeError;
use crate::clock::Clock;
use crate::config::{Partners, TlsSection};
use crate::peer::Peers;
use crate::tls::{Served, ServerTls, serve};

pub use correspondent::{Correspondent, Received};
pub use files::{MailboxFiles, PASSWORD, SHARED_KEY};
pub use stage::PracticeMesh;

use rules::State;

/// What a practice MESH is made of.
#[derive(Debug, Clone)]
pub struct MailboxPlan {
    /// Where it listens.
    pub address: SocketAddr,
    /// The mailboxes, each with the organisation whose certificate may use it.
    pub mailboxes: Vec<(Mailbox, OrganisationCode)>,
    /// Who may write to whom under which workflow.
    pub allowed: Vec<(Mailbox, Mailbox, WorkflowId)>,
    /// The time it checks tokens against.
    pub clock: Arc<dyn Clock>,
    /// The largest request: MESH's own is 100 MB.
    pub request_bytes_max: usize,
    /// How many ids one page of an inbox lists: MESH's own default is 500.
    pub page: usize,
}

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// First POSTs are taken, and then it fails before it can say so.
    LoseFirstAnswers,
    /// First POSTs are taken, and never answered.
    HoldFirstAnswers,
    /// Last chunks are taken once, and then it fails before it can say so.
    LoseLastAnswer,
    /// Everything is answered with 503, this often.
    Busy(u32),
    /// Acknowledgements are answered with 500 and do nothing.
    NoAcknowledgements,
}

/// A practice MESH that runs.
#[derive(Debug)]
pub struct Mailboxes {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<Served>,
}

impl Mailboxes {
    /// Starts serving, with the certificates of `files`.
    pub async fn open(files: &MailboxFiles, plan: MailboxPlan) -> Result<Self, PracticeError> {
        let [certificate, key, client_authorities] = files.server();
        let tls = TlsSection {
            certificate,
            key,
            client_authorities,
            revocation_lists: Vec::new(),
            require_hybrid: false,
            reload_seconds: std::num::NonZeroU32::MIN,
        };
        let callers = files.callers()?;
        let partners = Partners::parse(&files.write("callers.toml", &callers)?, &callers)?;
        let peers = Arc::new(Peers::new(partners));
        let server = ServerTls::load(&tls, None, peers, Arc::clone(&plan.clock))?;
        let listener = TcpListener::bind(plan.address).await.map_err(PracticeError::Port)?;
        let address = listener.local_addr().map_err(PracticeError::Port)?;
        let most = plan.request_bytes_max;
        let state = Arc::new(Mutex::new(State::new(plan)));
        let router = calls::router(Arc::clone(&state), most);
        let limits = super::practice_limits();
        let shutdown = CancellationToken::new();
        let task =
            tokio::spawn(serve(listener, Arc::new(server), router, limits, shutdown.clone()));
        Ok(Self { state, address, shutdown, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it behaves from now on.
    pub fn feel(&self, mood: Mood) {
        self.with(|state| state.mood = mood);
    }

    /// How many messages were made: first POSTs that were taken, whatever was answered.
    pub fn taken(&self) -> usize {
        self.with(|state| state.first_posts)
    }

    /// How many handshakes succeeded.
    pub fn handshakes(&self) -> usize {
        self.with(|state| state.handshakes)
    }

    /// How many acknowledgements were asked for, taken or not.
    pub fn acknowledgements(&self) -> usize {
        self.with(|state| state.acknowledgements)
    }

    /// The ids in a mailbox, oldest first, as its owner would be told.
    pub fn waiting(&self, mailbox: &Mailbox) -> Vec<MeshMessageId> {
        self.with(|state| state.waiting(mailbox, None))
    }

    /// The local ids of everything sent to a mailbox, collected or not.
    pub fn local_ids(&self, to: &Mailbox) -> Vec<String> {
        self.with(|state| state.local_ids(to))
    }

    /// Puts a report about a message into its sender's mailbox, as MESH does for what was not
    /// collected (code 14). `None` when there is no such message.
    pub fn report(&self, linked: &MeshMessageId, code: &str) -> Option<MeshMessageId> {
        self.with(|state| state.report(linked, code))
    }

    /// Changes a byte of a message that waits, as a fault in transport would.
    pub fn damage(&self, id: &MeshMessageId) {
        self.with(|state| state.damage(id));
    }

    /// Stops serving.
    pub async fn close(self) {
        self.shutdown.cancel();
        drop(self.task.await);
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
