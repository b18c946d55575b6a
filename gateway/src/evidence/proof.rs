//! Whether a pack proves what it says: offline, against the log's public key.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{FORMAT, Pack, PackLog, PackMessage};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::tree::{self, TreeHash};
use crate::audit::{Entry, EventKind};
use crate::receipt;

/// What a pack does not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackFault {
    /// It is not of the form this program knows.
    #[error("it is not an evidence pack of the form {FORMAT}")]
    Form,
    /// The checkpoint is not signed by the key that was given.
    #[error("its checkpoint is not signed by the key that was given")]
    Checkpoint,
    /// An entry is not one of the log that the checkpoint is of.
    #[error("entry {0} is not in the log that the checkpoint is of")]
    Entry(u64),
    /// Nothing proves that the person stood on the list that an entry says was looked at.
    #[error("nothing proves that the person was on the list that entry {0} says was looked at")]
    List(u64),
    /// Nothing proves that an entry is about the person that the others are about.
    #[error("nothing proves that entry {0} is about the same person as the others")]
    Stranger(u64),
    /// No entry of the log vouches for the hash of a record.
    #[error("no entry vouches for the hash of record {0}")]
    Record(schemas::RecordId),
    /// The entry of a submission is missing, or is of another answer.
    #[error("no entry vouches for the answer that was given about record {0}")]
    Submission(schemas::RecordId),
    /// A receipt is not signed by the key that was given, or does not name its record.
    #[error("the receipt of record {0} does not hold")]
    Receipt(schemas::RecordId),
}

/// What a pack does not prove, given the log's public key; nothing when it proves all it says.
pub fn verify(pack: &Pack, vkey: &str) -> Vec<PackFault> {
    if pack.format != FORMAT {
        return vec![PackFault::Form];
    }
    let (entries, mut faults) = verify_log(&pack.log, vkey);
    if faults.contains(&PackFault::Checkpoint) {
        return faults;
    }
    for message in std::iter::once(&pack.request).chain(&pack.answers) {
        faults.extend(unproved(message, &entries, vkey));
    }
    faults
}

/// The entries that are proved to be in the log of a public key, and what is not proved.
pub(crate) fn verify_log(log: &PackLog, vkey: &str) -> (Vec<Entry>, Vec<PackFault>) {
    let Ok(checkpoint) = Checkpoint::parse_and_verify(&log.checkpoint, vkey) else {
        return (Vec::new(), vec![PackFault::Checkpoint]);
    };
    let mut faults = Vec::new();
    let mut entries = Vec::new();
    for entry in &log.entries {
        match included(entry, checkpoint.size, checkpoint.root) {
            Some(entry) => entries.push(entry),
            None => faults.push(PackFault::Entry(entry.seq)),
        }
    }
    (entries, faults)
}

/// The entry, when its proof leads to the root.
fn included(entry: &super::PackEntry, size: u64, root: TreeHash) -> Option<Entry> {
    let leaf = BASE64_STANDARD.decode(&entry.leaf).ok()?;
    let hash = |text: &String| BASE64_STANDARD.decode(text).ok()?.try_into().ok();
    let proof: Vec<TreeHash> = entry.proof.iter().map(hash).collect::<Option<_>>()?;
    tree::verify_inclusion(&proof, size, root, entry.seq, tree::leaf_hash(&leaf)).ok()?;
    Entry::parse(&leaf).ok().filter(|parsed| parsed.seq == entry.seq)
}

fn unproved(message: &PackMessage, entries: &[Entry], vkey: &str) -> Vec<PackFault> {
    let mut faults = Vec::new();
    let vouched = entries.iter().any(|entry| {
        let event = &entry.event;
        event.kind == EventKind::RecordAccepted
            && event.record == Some(message.record)
            && event.hashes.get("sealed") == Some(&message.sealed_sha256)
    });
    if !vouched {
        faults.push(PackFault::Record(message.record));
    }
    let submitted = entries.iter().any(|entry| {
        // What the gateway made itself has an entry, and no answer to anybody.
        let answer = entry.event.hashes.get("answer");
        entry.seq == message.entry
            && entry.event.kind == EventKind::SubmissionReceived
            && answer.is_none_or(|answer| *answer == message.answer_sha256)
    });
    if !submitted {
        faults.push(PackFault::Submission(message.record));
    }
    if let Some(jws) = &message.receipt {
        let key = receipt::jwk_of_vkey(vkey);
        let receipt = key.and_then(|key| receipt::verify(jws, &key).ok());
        let names = |receipt: &receipt::Receipt| {
            receipt.rows.iter().any(|row| row.record == Some(message.record))
        };
        if !receipt.is_some_and(|receipt| names(&receipt)) {
            faults.push(PackFault::Receipt(message.record));
        }
    }
    faults
}
