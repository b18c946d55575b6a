//! NHS Message Exchange for Social Care and Health (MESH): what its calls say, as pure values.
//!
//! Owns: the text a token signs, header names with their limits and alphabets, chunk ranges,
//! the bodies MESH answers with, its error codes, and which workflow id a message type travels
//! under. It must never know a connection, a clock, a key, a partner or compression: the gateway's
//! `delivery::mesh` does all of that with these values. The source is the MESH API specification,
//! version 2 of its bodies (`application/vnd.mesh.v2+json`).
//!
//! ```
//! use adapters::mesh::{ChunkRange, Mailbox, WorkflowId};
//!
//! let mailbox = Mailbox::parse("X26ABC1").expect("upper case letters and digits");
//! assert!(Mailbox::parse("x26abc1").is_none(), "lower case is answered with 403");
//! assert_eq!(WorkflowId::parse("EHC_ADVICE_REQ").expect("an id").receipt().as_str(), "EHC_ADVICE_REQ_ACK");
//! assert_eq!(ChunkRange::parse("2:3").expect("a range").to_string(), "2:3");
//! # let _ = mailbox;
//! ```
//!
//! Limits: bodies of [`ANSWER_BYTES_MAX`]; header values as the specification limits them; a
//! message id or a link that could lead elsewhere than to the mailbox is not usable. Errors never
//! quote what was read.
//!
//! Not supported: version 1 bodies of successful answers, because version 2 is asked for; the
//! retired `/count` and tracking by local id; `Mex-Content-Encrypted`, because nobody has agreed
//! keys; addressing a practice by its patient's details (`GPPROVIDER_...`), because that puts
//! personal details into a header.

mod answers;
mod faults;
mod headers;
mod workflows;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use answers::{InboxPage, Tracking, TrackingStatus, inbox_page, mailboxes, sent, tracking};
pub use faults::{Fault, fault, meaning};
pub use headers::{
    Assembly, AssemblyFault, Checksum, Claimed, HeaderFault, Incoming, Kind, Outgoing, chunks,
};
pub use workflows::{Workflows, is_placeholder};

/// A mailbox on MESH: upper-case letters and digits, for example `X26ABC1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox(String);

/// A workflow id: what kind of message travels, registered by NHS England.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkflowId(String);

/// The id MESH gives a message. Goes into paths, so its alphabet is closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeshMessageId(String);

/// Which chunk of how many: `Mex-Chunk-Range`. A REPORT says `1:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// The chunk, from 1.
    pub number: u32,
    /// How many there are; 0 for a message without a body.
    pub total: u32,
}

/// What one token is made of, beside the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenParts {
    /// Who asks.
    pub mailbox: Mailbox,
    /// A UUID, fresh for every request.
    pub nonce: String,
    /// Counts requests under one nonce; 0 for a fresh one.
    pub count: u32,
    /// When, UTC, as `yyyyMMddHHmm`.
    pub timestamp: String,
}

impl TokenParts {
    /// The parts of a token made now.
    pub fn new(mailbox: Mailbox, nonce: String, count: u32, now: Timestamp) -> Self {
        let timestamp = now.strftime("%Y%m%d%H%M").to_string();
        Self { mailbox, nonce, count, timestamp }
    }

    /// The text whose HMAC-SHA256 under the environment's shared key is the token's last part. It
    /// holds the password: wipe it.
    pub fn signed_text(&self, password: &str) -> String {
        let Self { mailbox, nonce, count, timestamp } = self;
        format!("{mailbox}:{nonce}:{count}:{password}:{timestamp}")
    }

    /// The `Authorization` header, with the lower-case hexadecimal HMAC.
    pub fn authorization(&self, hash: &str) -> String {
        let Self { mailbox, nonce, count, timestamp } = self;
        format!("{SCHEME} {mailbox}:{nonce}:{count}:{timestamp}:{hash}")
    }

    /// Takes an `Authorization` header apart: the parts and the hash.
    pub fn parse(header: &str) -> Option<(Self, String)> {
        let rest = header.strip_prefix(SCHEME)?.strip_prefix(' ')?;
        let mut parts = rest.split(':');
        let mailbox = Mailbox::parse(parts.next()?)?;
        let nonce = parts.next().filter(|nonce| !nonce.is_empty())?.to_owned();
        let count = parts.next()?.parse().ok()?;
        let digits = |text: &&str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let timestamp = parts.next().filter(digits)?.to_owned();
        let hash = parts.next()?.to_owned();
        parts.next().is_none().then_some((Self { mailbox, nonce, count, timestamp }, hash))
    }
}

impl Mailbox {
    /// Parses a mailbox id.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let fits = !text.is_empty() && text.len() <= MAILBOX_BYTES_MAX && text.bytes().all(fits);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl WorkflowId {
    /// Parses a workflow id: letters, digits, `_`, `-` and `.`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let fits = !text.is_empty() && text.len() <= WORKFLOW_BYTES_MAX && text.bytes().all(fits);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id under which business receipts for this one travel. A receipt's own id is itself:
    /// receipts are not acknowledged.
    #[must_use]
    pub fn receipt(&self) -> Self {
        if self.is_receipt() { self.clone() } else { Self(format!("{}{RECEIPT_SUFFIX}", self.0)) }
    }

    /// Whether messages under this id are business receipts.
    pub fn is_receipt(&self) -> bool {
        self.0.ends_with(RECEIPT_SUFFIX)
    }
}

impl MeshMessageId {
    /// Parses a message id: letters, digits, `_` and `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let fits = !text.is_empty() && text.len() <= MESSAGE_ID_BYTES_MAX && text.bytes().all(fits);
        fits.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ChunkRange {
    /// Chunk `number` of `total`.
    pub fn new(number: u32, total: u32) -> Self {
        Self { number, total }
    }

    /// Parses `k:n`. The chunk lies within the range, or the message has none (`1:0`).
    pub fn parse(text: &str) -> Option<Self> {
        let (number, total) = text.trim().split_once(':')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse());
        let number: u32 = digits(number.trim())?.ok()?;
        let total: u32 = digits(total.trim())?.ok()?;
        let fits = (1..=total).contains(&number) || (number, total) == (1, 0);
        (fits && total <= CHUNKS_MAX).then_some(Self { number, total })
    }

    /// Whether this is the last chunk, or there is nothing.
    pub fn is_last(self) -> bool {
        self.number >= self.total
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MeshMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ChunkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.total)
    }
}

impl TryFrom<String> for Mailbox {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            "this is not a mailbox; fix: write its id in upper-case letters and digits, as MESH \
             gave it, for example \"X26ABC1\""
                .to_owned()
        })
    }
}

impl TryFrom<String> for WorkflowId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            "this is not a workflow id; fix: write it as registered, for example \"EHC_ADVICE_REQ\""
                .to_owned()
        })
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> Self {
        mailbox.0
    }
}

impl From<WorkflowId> for String {
    fn from(workflow: WorkflowId) -> Self {
        workflow.0
    }
}

/// The scheme of a token; one space follows it.
pub const SCHEME: &str = "NHSMESH";
/// What every request asks for: version 2 of the bodies.
pub const ACCEPT: &str = "application/vnd.mesh.v2+json";
/// Where every call's path begins.
pub const ROOT: &str = "/messageexchange";
/// The largest answer that is read as JSON, in bytes: 5,000 message ids of 100 bytes fit.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The largest request MESH takes, in bytes.
pub const REQUEST_BYTES_MAX: u32 = 100_000_000;
/// The most chunks of one message: 100 GB in requests of 100 MB, the most MESH takes.
pub const CHUNKS_MAX: u32 = 1_000;
/// The longest mailbox id (`Mex-To`).
pub const MAILBOX_BYTES_MAX: usize = 100;
/// The longest workflow id (`Mex-WorkflowID`).
pub const WORKFLOW_BYTES_MAX: usize = 300;
/// The longest message id that is followed: real ones have 32.
pub const MESSAGE_ID_BYTES_MAX: usize = 100;
/// What a receipt's workflow id ends with.
pub const RECEIPT_SUFFIX: &str = "_ACK";

#[cfg(test)]
mod tests;
