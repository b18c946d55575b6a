//! Entries of the log in the forms that other machines take: JSON lines, ATNA messages in syslog, and
//! FHIR R4 `AuditEvent` resources after IHE BALP.
//!
//! Pure: an entry and its canonical bytes go in, bytes come out. It must never know where they go: an
//! [export](crate::verification) or a [sink](crate::sinks). Every form names the log, the place of
//! the entry and the hash of its leaf, so that what a security team's store holds can be
//! compared with the log that is proved.
//!
//! Nothing is added to what the entry says: people are pseudonyms, content is hashes.
//!
//! Not supported, and why: reading any of these back. The log is verified from its leaves, and only
//! JSON lines hold them.

mod atna;
mod balp;
mod classes;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Entry, tree};
use crate::entropy::hex;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line, which holds the leaf itself.
    JsonLines,
    /// One RFC 5424 message a line, which holds a DICOM PS3.15 `AuditMessage`.
    Atna,
    /// One FHIR R4 `AuditEvent` a line, after IHE BALP where it has a profile.
    Balp,
}

/// Whose log it is.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The origin of the log.
    pub log: &'a str,
    /// The code of the gateway's own organisation.
    pub organisation: &'a str,
}

impl Form {
    /// Its name, as it is asked for and as the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Atna => "atna",
            Self::Balp => "balp",
        }
    }

    /// One entry, with the line feed that ends it.
    pub fn line(self, source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Vec<u8> {
        let mut line = match self {
            Self::JsonLines => json_line(source, entry, leaf),
            Self::Atna => syslog(source, entry, leaf),
            Self::Balp => balp::audit_event(source, entry, leaf).to_string().into_bytes(),
        };
        line.push(b'\n');
        line
    }
}

/// An entry as an RFC 5424 message that holds an ATNA `AuditMessage`; no line feed is in it.
pub fn syslog(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Vec<u8> {
    atna::syslog(source, entry, leaf)
}

/// What cannot be read as an entry, as a JSON object with the line feed that ends it: the bytes
/// themselves, for whoever can.
pub fn unreadable_line(source: &Source<'_>, seq: u64, leaf: &[u8]) -> Vec<u8> {
    let mut line = unreadable(source, seq, leaf);
    line.push(b'\n');
    line
}

/// What cannot be read as an entry, as an RFC 5424 message: the same JSON object, by a MSGID of its
/// own, since nothing is known that an ATNA `AuditMessage` must say.
pub fn unreadable_syslog(source: &Source<'_>, seq: u64, leaf: &[u8]) -> Vec<u8> {
    atna::wrapped(source, seq, ("-", "unreadable-entry"), &unreadable(source, seq, leaf))
}

fn unreadable(source: &Source<'_>, seq: u64, leaf: &[u8]) -> Vec<u8> {
    let line = serde_json::json!({
        "log": source.log,
        "seq": seq,
        "unreadable": true,
        "leaf_hash": leaf_hash(leaf),
        "leaf": BASE64_STANDARD.encode(leaf),
    });
    line.to_string().into_bytes()
}

/// An entry as one JSON object without a line feed. The last member is the entry's own bytes: SHA-256
/// over a zero byte and them is `leaf_hash`.
fn json_line(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Vec<u8> {
    let class = classes::Class::of(&entry.event);
    let head = serde_json::json!({
        "log": source.log,
        "seq": entry.seq,
        "at": instant(entry),
        "kind": crate::telemetry::name_of(entry.event.kind),
        "action": class.action,
        "outcome": class.outcome.name(),
        "leaf_hash": leaf_hash(leaf),
    });
    let mut line = head.to_string().into_bytes();
    // The entry goes in as it is, not written again: its bytes are what is proved.
    line.pop();
    line.extend_from_slice(b",\"entry\":");
    line.extend_from_slice(leaf);
    line.push(b'}');
    line
}

/// The hash of a leaf, in hexadecimal.
pub fn leaf_hash(leaf: &[u8]) -> String {
    hex(&tree::leaf_hash(leaf))
}

/// When it was committed, as RFC 3339 in UTC to the microsecond.
fn instant(entry: &Entry) -> String {
    let at = entry.at();
    format!("{at:.6}")
}

#[cfg(test)]
mod tests;
