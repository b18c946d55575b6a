//! The log, or a part of it, as a file: JSON lines that anybody can keep and verify offline.
//!
//! Owns the form, which `docs/audit-format.md` describes for those who write another verifier: a
//! [`Header`] says what the file holds, [`Anchors`] what it is proved by, and one line follows for
//! each entry. A bundle of before there were headers is entries and then checkpoints. What such a
//! file proves is judged by [`judge`]; reading alone proves nothing. It must never know a store.
//!
//! Limits: a line of at most 1 MiB; errors name the line only. Not supported: two parts in one
//! file, because each part has checkpoints of its own.

use std::io::{self, BufRead, Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemas::{OrganisationCode, RecordId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::TreeHash;
use super::verify::Row;
use super::{Entry, EventKind};

mod judging;
mod words;

pub use judging::{Judged, judge};

/// What a bundle holds of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// Every entry.
    Whole,
    /// Every entry of a time, and those at its edges that prove it.
    Period,
    /// Entries about a case.
    Case,
    /// Entries that name a partner, or are about a message that was accepted from it.
    Partner,
}

/// By what the entries were chosen. Codes and instants only; no personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// For a period: from when on, microseconds since 1970 UTC; from the beginning when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_us: Option<i64>,
    /// For a period: the instant it ends before, microseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_us: Option<i64>,
    /// The case, by its opaque id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<Uuid>,
    /// The partner, by its code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partner: Option<OrganisationCode>,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `ehc-audit-bundle`.
    pub format: String,
    /// Always 2: the first version had no header.
    pub version: u32,
    /// The origin of the log.
    pub log: String,
    /// What the file holds.
    pub holds: Holds,
    /// By what it was chosen.
    pub filter: Filter,
    /// The number of the first entry, where entries follow each other without a gap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<u64>,
    /// How many entries the file holds.
    pub entries: u64,
    /// How many entries the log had.
    pub size: u64,
}

/// The second line: what the entries are proved by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchors {
    /// The newest checkpoint of the log, as a signed note.
    pub checkpoint: String,
    /// The checkpoint over the entries before the first, unless the first is entry 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<String>,
    /// The roots of the complete subtrees of the tree before the first entry, largest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub frontier: Vec<Base64Hash>,
    /// The checkpoint over the entries up to the last of the file, where that is not the newest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<String>,
    /// That the tree of `checkpoint` begins with that of `end` (RFC 9162 section 2.1.4).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub consistency: Vec<Base64Hash>,
}

/// A hash, in base64 where it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Base64Hash(pub TreeHash);

/// Why a bundle was not judged.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The first line is not one of a bundle.
    #[error("this is not an audit bundle: line 1 is neither a header nor an entry")]
    Form,
    /// It is of a version that this program does not know.
    #[error("this is an audit bundle of version {0}, and this program knows versions 1 and 2")]
    Version(u32),
    /// The public key is not one.
    #[error("the key is not an Ed25519 verifier key (name+id+key)")]
    Key,
    /// The file could not be read.
    #[error("the bundle could not be read")]
    Io(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    seq: u64,
    leaf: String,
    nodes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvedLine {
    seq: u64,
    leaf: String,
    proof: Vec<Base64Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

/// An entry with the proof that it is in the log of the bundle's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Its number.
    pub seq: u64,
    /// The canonical bytes of the [`Entry`].
    pub leaf: Vec<u8>,
    /// The inclusion proof (RFC 9162 section 2.1.3).
    pub proof: Vec<TreeHash>,
}

impl Header {
    /// A header of the current version.
    pub fn new(log: &str, (holds, filter): (Holds, Filter), size: u64) -> Self {
        let (format, log) = (FORMAT.to_owned(), log.to_owned());
        Self { format, version: VERSION, log, holds, filter, first: None, entries: 0, size }
    }

    /// Whether the filter is one of what the file says it holds.
    fn is_sound(&self) -> bool {
        let Filter { from_us, until_us, case, partner } = &self.filter;
        let period = from_us.is_some() || until_us.is_some();
        let given = (period, case.is_some(), partner.is_some());
        match self.holds {
            Holds::Whole => given == (false, false, false) && self.first == Some(0),
            Holds::Period => given == (true, false, false) && self.first.is_some(),
            Holds::Case => given == (false, true, false) && self.first.is_none(),
            Holds::Partner => given == (false, false, true) && self.first.is_none(),
        }
    }
}

impl From<Base64Hash> for String {
    fn from(hash: Base64Hash) -> Self {
        BASE64_STANDARD.encode(hash.0)
    }
}

impl TryFrom<String> for Base64Hash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, &'static str> {
        let bytes = BASE64_STANDARD.decode(text).or(Err("not base64"))?;
        bytes.try_into().map(Self).or(Err("not 32 bytes"))
    }
}

/// Whether an entry names a partner: as who acted, or as the other organisation.
pub fn names(entry: &Entry, partner: &OrganisationCode) -> bool {
    let event = &entry.event;
    event.actor.organisation == partner.as_str() || event.counterparty.as_ref() == Some(partner)
}

/// The record that an entry says was accepted from a partner. Later entries about it (that it was
/// collected, held or looked at) belong to the partner, too, although they name only who acted and
/// the recipient.
pub fn accepted_from(entry: &Entry, partner: &OrganisationCode) -> Option<RecordId> {
    let event = &entry.event;
    let theirs = event.actor.organisation == partner.as_str();
    event.record.filter(|_| theirs && event.kind == EventKind::RecordAccepted)
}

/// Writes the first two lines.
pub fn write_head(to: &mut impl Write, header: &Header, anchors: &Anchors) -> io::Result<()> {
    write_line(to, header)?;
    write_line(to, anchors)
}

/// Writes one entry of those that follow each other without a gap.
pub fn write_row(to: &mut impl Write, row: &Row) -> io::Result<()> {
    let (leaf, nodes) = (BASE64_STANDARD.encode(&row.leaf), BASE64_STANDARD.encode(&row.nodes));
    write_line(to, &EntryLine { seq: row.seq, leaf, nodes })
}

/// Writes one entry with its proof.
pub fn write_proved(to: &mut impl Write, entry: &Proved) -> io::Result<()> {
    let proof = entry.proof.iter().copied().map(Base64Hash).collect();
    write_line(to, &ProvedLine { seq: entry.seq, leaf: BASE64_STANDARD.encode(&entry.leaf), proof })
}

fn write_line(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// A line that cannot be read.
#[derive(Clone, Copy)]
struct BadLine;

/// Hands out lines; nothing of them verified.
struct Lines<'a, R> {
    from: &'a mut R,
    text: Vec<u8>,
    number: u64,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(from: &'a mut R) -> Self {
        Self { from, text: Vec::new(), number: 0 }
    }

    /// The next line without its end; `None` at the end of the file. A line that does not end is
    /// a bad one.
    fn next(&mut self) -> io::Result<Option<Result<&[u8], BadLine>>> {
        self.text.clear();
        self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.text)?;
        if self.text.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        Ok(Some(self.text.strip_suffix(b"\n").ok_or(BadLine)))
    }
}

fn row_of(line: &[u8]) -> Result<Row, BadLine> {
    let line: EntryLine = serde_json::from_slice(line).or(Err(BadLine))?;
    Ok(Row { seq: line.seq, leaf: bytes_of(&line.leaf)?, nodes: bytes_of(&line.nodes)? })
}

fn proved_of(line: &[u8]) -> Result<Proved, BadLine> {
    let line: ProvedLine = serde_json::from_slice(line).or(Err(BadLine))?;
    let proof = line.proof.into_iter().map(|hash| hash.0).collect();
    Ok(Proved { seq: line.seq, leaf: bytes_of(&line.leaf)?, proof })
}

fn checkpoint_of(line: &[u8]) -> Result<String, BadLine> {
    let line: CheckpointLine = serde_json::from_slice(line).or(Err(BadLine))?;
    Ok(line.checkpoint)
}

fn bytes_of(text: &str) -> Result<Vec<u8>, BadLine> {
    BASE64_STANDARD.decode(text).or(Err(BadLine))
}

/// What the first line says of itself, if it is a header of any version.
#[derive(Deserialize)]
struct Announced {
    format: String,
    version: u32,
}

/// The header; `None` when the line is none, so that it may be one of the first version.
fn header_of(line: &[u8]) -> Result<Option<Header>, BundleError> {
    let announced: Result<Announced, _> = serde_json::from_slice(line);
    let Some(announced) = announced.ok().filter(|announced| announced.format == FORMAT) else {
        return Ok(None);
    };
    if announced.version != VERSION {
        return Err(BundleError::Version(announced.version));
    }
    let header: Header = serde_json::from_slice(line).or(Err(BundleError::Form))?;
    // There is one way to write it, so that no two readers take it for two things.
    let one = serde_json::to_vec(&header).is_ok_and(|written| written == line);
    (one && header.is_sound()).then_some(Some(header)).ok_or(BundleError::Form)
}

/// The name of the form.
pub const FORMAT: &str = "ehc-audit-bundle";
const VERSION: u32 = 2;
const LINE_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
