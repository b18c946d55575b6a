//! The proof in a receipt: that what it says is an entry of the log.
//!
//! A receipt is signed twice. Before the commit it says what became of the submission, and its hash
//! goes into the entry `submission.received`. After the commit, when the entry has its place, the
//! same claims are signed again with one more member, `log`: place, entry, inclusion proof, and
//! the checkpoint that was signed in that commit. Both are made of the same bytes every time, so a
//! retry gets the very receipt that was given before.
//!
//! Whoever has the receipt and the log's public key needs nothing else to [`check`] it.
//! Limits: one entry is proved, the submission's. It vouches for every row, because it holds the
//! hash of the claims.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Receipt, ReceiptError, ReceiptSigner, jwk_of_vkey, verify};
use crate::audit::bundle::Base64Hash;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::tree::{self, TreeHash};
use crate::audit::{Entry, EventKind};
use crate::entropy::sha256_hex;

/// Where a receipt's entry stands in the log, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProof {
    /// Its place, from 0.
    pub seq: u64,
    /// Its canonical bytes, in base64.
    pub entry: String,
    /// The inclusion proof in the tree of the checkpoint (RFC 9162 section 2.1.3), lowest first.
    pub proof: Vec<Base64Hash>,
    /// The signed checkpoint, a signed note.
    pub checkpoint: String,
}

/// A receipt that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub receipt: Receipt,
    /// The head of the log that its entry is proved to be in; `None` for a receipt of before they
    /// carried one.
    pub checkpoint: Option<Checkpoint>,
    /// The entry, when it is proved.
    pub entry: Option<Entry>,
    /// Whether the entry holds the hash of what the receipt says. Entries of before do not.
    pub vouched: bool,
}

/// Why a receipt does not prove what it says.
#[derive(Debug, thiserror::Error)]
pub enum ProofFault {
    /// The key is not a log's.
    #[error("the key is not an Ed25519 verifier key (name+id+key)")]
    Key,
    /// It is no receipt, or not signed.
    #[error("the receipt does not hold: {0}")]
    Receipt(#[from] ReceiptError),
    /// Its checkpoint is not one of the log.
    #[error("its checkpoint does not hold: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// It is of another log than its checkpoint.
    #[error("it is of another log than its checkpoint")]
    OtherLog,
    /// The entry is not in the log of the checkpoint.
    #[error("its entry is NOT in the log that its checkpoint is of")]
    NotInLog,
    /// The entry is about something else.
    #[error("its entry is about another submission, or says something else than the receipt")]
    OtherEntry,
}

impl Receipt {
    /// SHA-256 of what it says, in hexadecimal: of its claims without `log`, as they are signed.
    pub fn sha256_hex(&self) -> Result<String, ReceiptError> {
        let claims = Self { log: None, ..self.clone() };
        let claims = serde_json::to_vec(&claims).or(Err(ReceiptError::Form))?;
        Ok(sha256_hex(&claims))
    }
}

impl ReceiptSigner {
    /// Signs a receipt again with its proof. `None` when `jws` is not a receipt that this key
    /// signed, such as one of before the key was changed: it stands as it is.
    pub fn sign_with(&self, jws: &str, log: LogProof) -> Option<String> {
        let receipt =
            verify(jws, &self.public_jwk()).ok().filter(|receipt| receipt.log.is_none())?;
        self.sign(&Receipt { log: Some(log), ..receipt }).ok()
    }
}

/// Checks a receipt against the log's public key, and nothing else. `jwk` is the key that signs
/// receipts, where that is not the log's.
pub fn check(jws: &str, vkey: &str, jwk: Option<&Value>) -> Result<Checked, ProofFault> {
    let own = jwk_of_vkey(vkey).ok_or(ProofFault::Key)?;
    let receipt = verify(jws, jwk.unwrap_or(&own))?;
    let Some(log) = &receipt.log else {
        return Ok(Checked { receipt, checkpoint: None, entry: None, vouched: false });
    };
    let checkpoint = Checkpoint::parse_and_verify(&log.checkpoint, vkey)?;
    if checkpoint.origin != receipt.iss {
        return Err(ProofFault::OtherLog);
    }
    let leaf = BASE64_STANDARD.decode(&log.entry).or(Err(ProofFault::NotInLog))?;
    let proof: Vec<TreeHash> = log.proof.iter().map(|hash| hash.0).collect();
    let (size, root) = (checkpoint.size, checkpoint.root);
    tree::verify_inclusion(&proof, size, root, log.seq, tree::leaf_hash(&leaf))
        .or(Err(ProofFault::NotInLog))?;
    let entry = Entry::parse(&leaf).or(Err(ProofFault::OtherEntry))?;
    let event = &entry.event;
    let about = entry.seq == log.seq
        && event.kind == EventKind::SubmissionReceived
        && event.submission == Some(receipt.sub);
    let hash = event.hashes.get(HASH);
    let same = |hash: &String| claims_sha256(jws).is_some_and(|claims| claims == *hash);
    if !about || !hash.is_none_or(same) {
        return Err(ProofFault::OtherEntry);
    }
    let vouched = hash.is_some();
    Ok(Checked { checkpoint: Some(checkpoint), entry: Some(entry), vouched, receipt })
}

/// Of the claims as they were signed, without `log`: not of what this program would write again.
fn claims_sha256(jws: &str) -> Option<String> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(jws.split('.').nth(1)?).ok()?;
    let mut claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.as_object_mut()?.shift_remove("log");
    Some(sha256_hex(&serde_json::to_vec(&claims).ok()?))
}

/// The name under which the entry holds the hash of the claims.
pub const HASH: &str = "receipt";
