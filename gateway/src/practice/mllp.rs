//! HL7 v2 in the practice world: a trust's own MLLP listener, and its client.
//!
//! `stage.open_mllp("trust-rxt")` listens with the trust's certificate, keeps every message and
//! answers as it is told to. `stage.mllp_caller("trust-rxt")` sends to the gateway's listener and
//! gives what came back. [`document`] is a made-up answer as a trust's engine writes it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adapters::hl7v2::ack::{Header, Outcome};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use jiff::civil::Date;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::people::Child;
use super::{PracticeError, Stage};
use crate::clock::Clock;
use crate::config::{Partner, Pin, TlsSection};
use crate::mllp::{self, Frame, Frames, Patience};
use crate::tls::{Connection, Served, serve_streams};

/// How the trust's listener answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answering {
    /// With this outcome.
    With(Outcome),
    /// Not at all: it keeps the message and closes the connection.
    Silence,
}

/// A trust's own MLLP listener.
#[derive(Debug)]
pub struct MllpEndpoint {
    address: SocketAddr,
    pin: Pin,
    inbox: Arc<Mutex<Inbox>>,
    shutdown: CancellationToken,
    task: JoinHandle<Served>,
}

#[derive(Debug)]
struct Inbox {
    answering: Answering,
    messages: Vec<String>,
}

impl MllpEndpoint {
    /// What a partner's entry calls it: `mllps://host:port`.
    pub fn endpoint(&self) -> String {
        format!("mllps://{}", self.address)
    }

    /// The pin of the key it answers with.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Changes how it answers from now on.
    pub fn behave(&self, answering: Answering) {
        self.with(|inbox| inbox.answering = answering);
    }

    /// Everything that came, repeated attempts included.
    pub fn messages(&self) -> Vec<String> {
        self.with(|inbox| inbox.messages.clone())
    }

    /// Waits until this many messages came, at most this long, and gives what there is.
    pub async fn wait_for(&self, count: usize, at_most: Duration) -> Vec<String> {
        let steps = at_most.as_millis() / 25;
        for _ in 0..steps {
            if self.messages().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.messages()
    }

    /// Stops serving.
    pub async fn close(self) {
        self.shutdown.cancel();
        drop(self.task.await);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inbox) -> T) -> T {
        look(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A partner's MLLP client, with its certificate.
#[derive(Debug, Clone)]
pub struct MllpCaller {
    tls: TlsSection,
    gateway: Partner,
    clock: Arc<dyn Clock>,
    address: SocketAddr,
}

impl MllpCaller {
    /// Sends one message on a connection of its own and gives the first acknowledgement; `None`
    /// when the gateway would not speak with it or closed without an answer.
    pub async fn send(&self, message: &[u8]) -> Option<String> {
        self.send_raw(&mllp::framed(message), 1).await.pop()
    }

    /// Sends bytes as they are and gives this many acknowledgements, or as many as came.
    pub async fn send_raw(&self, bytes: &[u8], answers: usize) -> Vec<String> {
        match self.connect().await {
            Some(mut conversation) => conversation.exchange(bytes, answers).await,
            None => Vec::new(),
        }
    }

    /// Opens a connection for several messages; `None` when the gateway would not have it.
    pub async fn connect(&self) -> Option<Conversation> {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        let clock = Arc::clone(&self.clock);
        let connecting = crate::tls::connect(&self.tls, &self.gateway, clock, (&host, port));
        let stream: Box<dyn Stream> = Box::new(connecting.await.ok()?);
        Some(Conversation { stream, frames: Frames::new(FRAME_MAX), buffer: BytesMut::new() })
    }
}

/// What a connection is read from and written to.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open connection to the gateway's listener.
pub struct Conversation {
    stream: Box<dyn Stream>,
    frames: Frames,
    buffer: BytesMut,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Conversation")
    }
}

impl Conversation {
    /// Sends one message and gives its acknowledgement; `None` when the gateway closes instead.
    pub async fn ask(&mut self, message: &[u8]) -> Option<String> {
        self.exchange(&mllp::framed(message), 1).await.pop()
    }

    async fn exchange(&mut self, bytes: &[u8], answers: usize) -> Vec<String> {
        let mut found = Vec::new();
        if self.stream.write_all(bytes).await.is_err() || self.stream.flush().await.is_err() {
            return found;
        }
        while found.len() < answers {
            let (stream, frames) = (&mut self.stream, &mut self.frames);
            let next = mllp::next(stream, frames, &mut self.buffer, PATIENCE).await;
            let Ok(Some(Frame::Message(answer))) = next else { break };
            found.push(String::from_utf8_lossy(&answer).into_owned());
        }
        found
    }
}

impl Stage {
    /// Where the gateway takes HL7 v2.
    pub fn mllp_address(&self) -> SocketAddr {
        self.mllp
    }

    /// A member's MLLP client, by the name of its folder.
    pub fn mllp_caller(&self, name: &str) -> Result<MllpCaller, PracticeError> {
        self.mllp_caller_from(&self.plan.dir.join("pki/partners").join(name))
    }

    /// MLLP clients with one fault each, by the fault's name.
    pub fn mllp_villains(&self) -> Vec<(String, MllpCaller)> {
        let folder = self.plan.dir.join("pki/villains");
        let villains = self.practice.villains().iter().filter_map(|villain| {
            let name = villain.kind.name();
            let caller = self.mllp_caller_from(&folder.join(name)).ok()?;
            Some((name.to_owned(), caller))
        });
        villains.collect()
    }

    fn mllp_caller_from(&self, folder: &Path) -> Result<MllpCaller, PracticeError> {
        Ok(MllpCaller {
            tls: self.tls_section(folder.join("certificate.pem"), folder.join("key.pem")),
            gateway: self.gateway_as_partner()?,
            clock: Arc::clone(&self.plan.clock),
            address: self.mllp,
        })
    }

    /// Opens a member's own MLLP listener, which takes everything at first.
    pub async fn open_mllp(&self, name: &'static str) -> Result<MllpEndpoint, PracticeError> {
        let server = self.server_of(name)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(PracticeError::Port)?;
        let address = listener.local_addr().map_err(PracticeError::Port)?;
        let answering = Answering::With(Outcome::Taken);
        let inbox = Arc::new(Mutex::new(Inbox { answering, messages: Vec::new() }));
        let limits = super::practice_limits();
        let shutdown = CancellationToken::new();
        let (kept, clock) = (Arc::clone(&inbox), Arc::clone(&self.plan.clock));
        let converse = move |connection| take(Arc::clone(&kept), Arc::clone(&clock), connection);
        let serving = serve_streams(listener, Arc::new(server), limits, shutdown.clone(), converse);
        let task = tokio::spawn(serving);
        let pin = self.practice.partner(name)?.server.pin();
        Ok(MllpEndpoint { address, pin, inbox, shutdown, task })
    }
}

/// Takes what the gateway sends, and answers.
async fn take(inbox: Arc<Mutex<Inbox>>, clock: Arc<dyn Clock>, mut connection: Connection) {
    let (mut frames, mut buffer) = (Frames::new(FRAME_MAX), BytesMut::new());
    loop {
        let next = mllp::next(connection.stream(), &mut frames, &mut buffer, PATIENCE).await;
        let Ok(Some(Frame::Message(message))) = next else { return };
        let (answering, number) = {
            let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.messages.push(String::from_utf8_lossy(&message).into_owned());
            (inbox.answering, inbox.messages.len())
        };
        let (Answering::With(outcome), Some(header)) = (answering, Header::of(&message)) else {
            return;
        };
        for code in header.answers(outcome) {
            let answer = header.acknowledge(code, &format!("T{number}"), clock.now(), &[]);
            if connection.stream().write_all(&mllp::framed(&answer)).await.is_err() {
                return;
            }
        }
        if connection.stream().flush().await.is_err() {
            return;
        }
    }
}

/// A made-up answer as a trust's integration engine sends it: MDM^T02 with a PDF. `leg` is the
/// request's number, where the engine kept it.
pub fn document(sender: &str, id: &str, leg: Option<&str>, child: &Child, on: Date) -> String {
    let day = on.strftime("%Y%m%d");
    let born = child.date_of_birth.strftime("%Y%m%d");
    let leg = leg.map(|leg| format!("{leg}^EHC-GATEWAY")).unwrap_or_default();
    let pdf = STANDARD.encode(super::people::pdf());
    let (nhs, family, given) = (&child.nhs_number, &child.family_name, &child.given_names);
    format!(
        "MSH|^~\\&|TIE|{sender}|EHC-GATEWAY|EHCGW|{day}0930||MDM^T02^MDM_T02|C-{id}|P|2.4|||AL|NE\r\
         EVN|T02|{day}0930\r\
         PID|1||{nhs}^^^NHS^NH~L{nhs}^^^{sender}^PI||{family}^{given}^^^^^L||{born}000000|F\r\
         PV1|1|O\r\
         TXA|1|LET^Clinic letter|AP|{day}0900||{day}0915||{day}0920|G4^Practice-Therapist^Sam^^^Dr|\
         ||{id}^{sender}||{leg}||advice.pdf|AU||AV\r\
         OBX|1|TX|LET^Clinic letter||Made-up advice for practice.||||||F\r\
         OBX|2|ED|PDF^Clinic letter||^application^pdf^Base64^{pdf}||||||F\r"
    )
}

const FRAME_MAX: usize = adapters::limits::SUBMISSION_BYTES_MAX;
const PATIENCE: Patience =
    Patience { idle: Duration::from_secs(30), frame: Duration::from_secs(30) };
