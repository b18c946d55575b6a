//! Checkpoints: the signed head of the log, to be kept by others.
//!
//! Owns the C2SP forms (tlog-checkpoint in a signed-note, with an Ed25519 signature) and the key
//! that signs them. It must never know entries. The text of a checkpoint is: origin, size, root,
//! and one line of our own, `time` with the instant.
//!
//! ```
//! # use gateway::audit::checkpoint::{Checkpoint, LogSigner};
//! # fn keep(signer: &LogSigner, root: [u8; 32], now: jiff::Timestamp) {
//! let note = signer.sign_checkpoint(0, root, now).unwrap();
//! let kept = Checkpoint::parse_and_verify(&note, &signer.vkey()).unwrap();
//! # }
//! ```
//!
//! Parsing always verifies: there is no unverified checkpoint. Signatures by others (cosignatures)
//! are passed over, not checked. Whoever holds the signing key can sign a second history; only
//! checkpoints kept elsewhere show that.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use signed_note::{Note, Signature, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog::Hash;

use super::signing::{SigningKey, SigningKeyError};
use super::tree::TreeHash;
use crate::entropy::Entropy;

/// Signs checkpoints for one log, named by its origin.
#[derive(Debug, Clone)]
pub struct LogSigner {
    origin: String,
    key: Arc<SigningKey>,
}

/// The head of a log at an instant, its signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The hash of its tree.
    pub root: TreeHash,
    /// When it was signed.
    pub at: Timestamp,
}

/// Why a checkpoint was not made or not believed.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The origin cannot stand in a checkpoint.
    #[error("an origin is 1 to 100 printable characters without spaces and plus signs")]
    Origin,
    /// The verifier key is not one.
    #[error("not an Ed25519 verifier key (name+id+key)")]
    VerifierKey,
    /// The text is not a checkpoint of ours in a signed note.
    #[error("not a checkpoint in a signed note")]
    Form,
    /// It is a checkpoint of another log.
    #[error("a checkpoint of another log")]
    OtherLog,
    /// It is not signed by the key, or was changed after signing.
    #[error("not signed by this key, or changed since")]
    Signature,
    /// The signing key is missing.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

impl LogSigner {
    /// Signs for a log with a key; the key may also sign receipts.
    pub fn new(origin: &str, key: Arc<SigningKey>) -> Result<Self, CheckpointError> {
        let printable = origin.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+');
        if !printable || !(1..=100).contains(&origin.len()) {
            return Err(CheckpointError::Origin);
        }
        Ok(Self { origin: origin.to_owned(), key })
    }

    /// Makes the key file and signs with it.
    pub fn generate(
        path: &Path,
        origin: &str,
        entropy: &dyn Entropy,
    ) -> Result<Self, CheckpointError> {
        Self::new(origin, Arc::new(SigningKey::generate(path, entropy)?))
    }

    /// Reads the key file.
    pub fn load(path: &Path, origin: &str) -> Result<Self, CheckpointError> {
        Self::new(origin, Arc::new(SigningKey::load(path)?))
    }

    /// The key, to share with what signs receipts.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key)
    }

    /// The name of the log, for example `ehc-gateway/334`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The verifier key to hand to partners (C2SP signed-note: name, key id, algorithm and key).
    pub fn vkey(&self) -> String {
        let key = self.key_bytes();
        let id = signed_note::key_id(&self.origin, &key);
        format!("{}+{id:08x}+{}", self.origin, BASE64_STANDARD.encode(key))
    }

    /// Signs the head of the log.
    pub fn sign_checkpoint(
        &self,
        size: u64,
        root: TreeHash,
        at: Timestamp,
    ) -> Result<String, CheckpointError> {
        let time = format!("time {at}\n");
        let text = tlog_tiles::Checkpoint::new(&self.origin, size, Hash(root), &time)
            .or(Err(CheckpointError::Form))?
            .to_bytes();
        let id = signed_note::key_id(&self.origin, &self.key_bytes());
        let signature = Signature::new(self.origin.clone(), id, self.key.sign(&text))
            .or(Err(CheckpointError::Origin))?;
        let note = Note::new(&text, &[signature]).or(Err(CheckpointError::Form))?;
        String::from_utf8(note.to_bytes()).or(Err(CheckpointError::Form))
    }

    fn key_bytes(&self) -> Vec<u8> {
        [[ALGORITHM_ED25519].as_slice(), &self.key.public()].concat()
    }
}

impl Checkpoint {
    /// The origin of the log that a verifier key is of; `None` when it is not a log's key.
    pub fn origin_of_key(vkey: &str) -> Option<String> {
        StandardVerifier::new(vkey).ok().map(|verifier| verifier.name().to_owned())
    }

    /// Parses a checkpoint and checks its signature and its log, in one step.
    pub fn parse_and_verify(note: &str, vkey: &str) -> Result<Self, CheckpointError> {
        let verifier = StandardVerifier::new(vkey).or(Err(CheckpointError::VerifierKey))?;
        let name = verifier.name().to_owned();
        if note.len() > NOTE_BYTES_MAX {
            return Err(CheckpointError::Form);
        }
        let note = Note::from_bytes(note.as_bytes()).or(Err(CheckpointError::Form))?;
        let known = VerifierList::new(vec![Box::new(verifier)]);
        note.verify(&known).or(Err(CheckpointError::Signature))?;
        let text = note.text();
        let parsed = tlog_tiles::Checkpoint::from_bytes(text).or(Err(CheckpointError::Form))?;
        if parsed.origin() != name {
            return Err(CheckpointError::OtherLog);
        }
        let time = parsed.extension().lines().find_map(|line| line.strip_prefix("time "));
        let at = time.and_then(|time| time.parse().ok()).ok_or(CheckpointError::Form)?;
        Ok(Self { origin: name, size: parsed.size(), root: parsed.hash().0, at })
    }
}

/// The algorithm byte of Ed25519 in signed notes.
const ALGORITHM_ED25519: u8 = 1;
/// Ours are under 400 bytes; this leaves room for many cosignatures.
const NOTE_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
