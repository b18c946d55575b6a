//! The `Mex-` headers, both ways, and messages that travel in chunks.

use crate::Format;

use super::{
    CHUNKS_MAX, ChunkRange, MAILBOX_BYTES_MAX, Mailbox, MeshMessageId, WORKFLOW_BYTES_MAX,
    WorkflowId,
};

/// A header that cannot be sent, or cannot be used. Names the header, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderFault {
    /// The header.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// What goes with the first chunk of a message. None of it may hold personal details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// To which mailbox.
    pub to: Mailbox,
    /// Under which workflow.
    pub workflow: WorkflowId,
    /// The sender's own id of the message: a delivery's or a submission's.
    pub local_id: String,
    /// What it is about, for people: a message type.
    pub subject: String,
    /// A file name that says nothing.
    pub file_name: String,
    /// The media type of the whole body.
    pub content_type: String,
    /// The checksum of the whole body.
    pub checksum: Checksum,
    /// This chunk.
    pub chunk: ChunkRange,
}

impl Outgoing {
    /// The headers, each within its limit and alphabet.
    pub fn headers(&self) -> Result<Vec<(&'static str, String)>, HeaderFault> {
        let named: [(&'static str, usize, &str); 7] = [
            (TO, MAILBOX_BYTES_MAX, self.to.as_str()),
            (WORKFLOW, WORKFLOW_BYTES_MAX, self.workflow.as_str()),
            (LOCAL_ID, LOCAL_ID_BYTES_MAX, &self.local_id),
            (SUBJECT, SUBJECT_BYTES_MAX, &self.subject),
            (FILE_NAME, FILE_NAME_BYTES_MAX, &self.file_name),
            (CONTENT_TYPE, CONTENT_TYPE_BYTES_MAX, &self.content_type),
            (CHECKSUM, CHECKSUM_BYTES_MAX, self.checksum.as_str()),
        ];
        let mut headers = Vec::with_capacity(named.len() + 1);
        for (header, most, value) in named {
            if value.len() > most {
                return Err(HeaderFault { header, problem: "is longer than MESH allows" });
            }
            // Control characters are refused by MESH (code 06); other bytes are read differently
            // by different clients.
            if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                return Err(HeaderFault { header, problem: "holds more than printable ASCII" });
            }
            headers.push((header, value.to_owned()));
        }
        if self.chunk.total > CHUNKS_MAX || !(1..=self.chunk.total).contains(&self.chunk.number) {
            return Err(HeaderFault {
                header: CHUNK_RANGE,
                problem: "is not a chunk of a message",
            });
        }
        headers.push((CHUNK_RANGE, self.chunk.to_string()));
        Ok(headers)
    }
}

/// `Mex-Content-Checksum` as we write it: `sha256:` and hexadecimal digits, because MESH takes
/// letters, digits, spaces, `:`, `-` and `/` only. MESH passes it on and does not check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum(String);

impl Checksum {
    /// The checksum of a body whose SHA-256 this is, in lower-case hexadecimal digits.
    pub fn sha256(hex: &str) -> Self {
        Self(format!("sha256:{hex}"))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a sender's checksum claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// A SHA-256, in lower-case hexadecimal digits.
    Sha256(String),
    /// Something else: another algorithm, or a form we do not know. It proves nothing.
    Other,
}

impl Claimed {
    /// Reads a checksum: `sha256:` or `sha-256 ` before the digits, or 64 digits alone.
    pub fn read(text: &str) -> Self {
        let lower = text.trim().to_ascii_lowercase();
        let named = ["sha256", "sha-256"].iter().find_map(|name| lower.strip_prefix(name));
        let digits = named.map_or(lower.as_str(), |rest| rest.trim_start_matches([':', ' ', '-']));
        let is_hash = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hash { Self::Sha256(digits.to_owned()) } else { Self::Other }
    }
}

/// Whether a message is somebody's, or MESH's own about one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message.
    Data,
    /// A report of MESH that one of our messages was not delivered. It has no body.
    Report,
}

/// What comes with a message. Only what is used is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its id.
    pub id: MeshMessageId,
    /// What it is.
    pub kind: Kind,
    /// Whose it is; absent on reports.
    pub from: Option<Mailbox>,
    /// Under which workflow; absent on some reports.
    pub workflow: Option<WorkflowId>,
    /// The sender's own id of it, when it can be repeated.
    pub local_id: Option<String>,
    /// The format of the body, when its sender names one that is read here.
    pub format: Option<Format>,
    /// This chunk.
    pub chunk: ChunkRange,
    /// What the sender's checksum claims.
    pub checksum: Option<Claimed>,
    /// Whether the sender, or a server, says that the content is compressed: look at the bytes.
    pub said_compressed: bool,
    /// For a report: our message.
    pub linked: Option<MeshMessageId>,
    /// For a report: the code.
    pub code: Option<String>,
}

impl Incoming {
    /// Reads the headers of a download. `header` finds a header by its name in any case.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Self, HeaderFault> {
        let fault = |header, problem| HeaderFault { header, problem };
        let id = header(MESSAGE_ID).and_then(MeshMessageId::parse);
        let id = id.ok_or(fault(MESSAGE_ID, "is not a message id"))?;
        let kind = match header(MESSAGE_TYPE).map(str::trim) {
            Some(kind) if kind.eq_ignore_ascii_case("DATA") => Kind::Data,
            Some(kind) if kind.eq_ignore_ascii_case("REPORT") => Kind::Report,
            _ => return Err(fault(MESSAGE_TYPE, "is neither DATA nor REPORT")),
        };
        let chunk = match header(CHUNK_RANGE) {
            None => ChunkRange::new(1, 1),
            Some(range) => {
                ChunkRange::parse(range).ok_or(fault(CHUNK_RANGE, "is not a chunk range"))?
            }
        };
        if kind == Kind::Data && chunk.total == 0 {
            return Err(fault(CHUNK_RANGE, "says that a message has no chunks"));
        }
        let short = |text: &&str| {
            !text.is_empty()
                && text.len() <= LOCAL_ID_BYTES_MAX
                && text.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        Ok(Self {
            id,
            kind,
            from: header(FROM).and_then(|text| Mailbox::parse(text.trim())),
            workflow: header(WORKFLOW).and_then(|text| WorkflowId::parse(text.trim())),
            format: header(CONTENT_TYPE).and_then(Format::from_media_type),
            local_id: header(LOCAL_ID).map(str::trim).filter(short).map(str::to_owned),
            chunk,
            checksum: header(CHECKSUM).filter(|t| !t.trim().is_empty()).map(Claimed::read),
            said_compressed: header(COMPRESSED).is_some_and(|t| t.trim().eq_ignore_ascii_case("Y")),
            linked: header(LINKED).and_then(|text| MeshMessageId::parse(text.trim())),
            code: header(STATUS_CODE).and_then(super::faults::code),
        })
    }
}

/// Why chunks do not make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyFault {
    /// Another chunk than the next.
    #[error("a chunk came out of turn")]
    OutOfTurn,
    /// The number of chunks changed.
    #[error("the number of chunks changed")]
    Changed,
    /// More bytes than are read in one piece.
    #[error("it is larger than is read in one piece")]
    TooLarge,
    /// A chunk is missing.
    #[error("a chunk is missing")]
    Incomplete,
}

/// Puts a message together from its chunks, each decoded already.
#[derive(Debug)]
pub struct Assembly {
    total: u32,
    taken: u32,
    bytes: Vec<u8>,
    most: usize,
}

impl Assembly {
    /// A message of this many chunks and at most this many bytes.
    pub fn new(total: u32, most: usize) -> Self {
        Self { total, taken: 0, bytes: Vec::new(), most }
    }

    /// How many bytes there is still room for.
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.bytes.len())
    }

    /// The next chunk to ask for, if any is missing.
    pub fn next(&self) -> Option<u32> {
        (self.taken < self.total).then_some(self.taken + 1)
    }

    /// Takes the next chunk.
    pub fn take(&mut self, range: ChunkRange, bytes: &[u8]) -> Result<(), AssemblyFault> {
        if range.total != self.total {
            return Err(AssemblyFault::Changed);
        }
        if Some(range.number) != self.next() {
            return Err(AssemblyFault::OutOfTurn);
        }
        if bytes.len() > self.room() {
            return Err(AssemblyFault::TooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        self.taken += 1;
        Ok(())
    }

    /// The whole message.
    pub fn whole(self) -> Result<Vec<u8>, AssemblyFault> {
        if self.taken == self.total { Ok(self.bytes) } else { Err(AssemblyFault::Incomplete) }
    }
}

/// Splits a body into chunks of at most this many bytes, each with its range. Split first, then
/// compress each: a receiver may fetch and decompress them one by one. At least one chunk.
pub fn chunks(body: &[u8], most: u32) -> Result<Vec<(ChunkRange, &[u8])>, HeaderFault> {
    let size = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
    let parts: Vec<&[u8]> = if body.is_empty() { vec![body] } else { body.chunks(size).collect() };
    let total = u32::try_from(parts.len()).ok().filter(|total| *total <= CHUNKS_MAX);
    let problem = "would need more chunks than MESH takes; raise chunk_bytes";
    let total = total.ok_or(HeaderFault { header: CHUNK_RANGE, problem })?;
    Ok((1..=total).map(|number| ChunkRange::new(number, total)).zip(parts).collect())
}

const TO: &str = "mex-to";
const FROM: &str = "mex-from";
const WORKFLOW: &str = "mex-workflowid";
const LOCAL_ID: &str = "mex-localid";
const SUBJECT: &str = "mex-subject";
const FILE_NAME: &str = "mex-filename";
const CONTENT_TYPE: &str = "mex-content-type";
const CHECKSUM: &str = "mex-content-checksum";
const COMPRESSED: &str = "mex-content-compressed";
const CHUNK_RANGE: &str = "mex-chunk-range";
const MESSAGE_ID: &str = "mex-messageid";
const MESSAGE_TYPE: &str = "mex-messagetype";
const LINKED: &str = "mex-linkedmsgid";
const STATUS_CODE: &str = "mex-statuscode";
const LOCAL_ID_BYTES_MAX: usize = 300;
const SUBJECT_BYTES_MAX: usize = 500;
const FILE_NAME_BYTES_MAX: usize = 300;
const CONTENT_TYPE_BYTES_MAX: usize = 100;
const CHECKSUM_BYTES_MAX: usize = 100;
