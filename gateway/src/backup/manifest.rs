//! What a backup says of itself: the header before everything, in the open, and the signed manifest
//! at its end.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::signing::{self, SigningKey};
use crate::vault::keyring::{KeyId, WrappedKey};

/// What stands before everything, readable without a key. Bound to every segment, and hashed in the
/// manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The backup.
    pub id: Uuid,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Whose it is: the origin of the log.
    pub gateway: String,
    /// The engine it was made on.
    pub engine: String,
    /// The version of the program that made it.
    pub software: String,
    /// The migration the database was at.
    pub schema: i64,
    /// The name of the backup key that opens it.
    pub key: String,
    /// The content key, wrapped by it, in base64.
    pub wrapped: String,
}

/// What a backup holds. Signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The backup.
    pub id: Uuid,
    /// When it was begun.
    pub made_at: Timestamp,
    /// Whose it is: the origin of the log.
    pub gateway: String,
    /// The engine it was made on.
    pub engine: String,
    /// The version of the program that made it.
    pub software: String,
    /// The SHA-256 of the header, in hexadecimal.
    pub header: String,
    /// The migration the database was at.
    pub schema: i64,
    /// How many entries the log had.
    pub log_size: u64,
    /// The log's newest checkpoint, a signed note of just that size; empty when there was no entry.
    pub checkpoint: String,
    /// How many rows each table had.
    pub tables: BTreeMap<String, u64>,
    /// Whether large documents are in it.
    pub documents: Documents,
    /// Every part in order.
    pub parts: Vec<PartNote>,
}

/// Whether large documents are in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// They are, each as a part.
    Included,
    /// They are not: they are in an S3-compatible store, which is backed up by itself.
    InTheirOwnStore,
}

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartNote {
    /// `database`, or the id of a document.
    pub name: String,
    /// How many bytes it has, opened.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Header {
    /// The wrapped key, if what stands there has the form of one.
    pub(super) fn wrapped(&self) -> Option<WrappedKey> {
        let bytes = BASE64_STANDARD.decode(&self.wrapped).ok()?;
        Some(WrappedKey { key: KeyId::parse(&self.key)?, bytes })
    }

    /// The same the other way.
    pub(super) fn of(wrapped: &WrappedKey) -> (String, String) {
        (wrapped.key.as_str().to_owned(), BASE64_STANDARD.encode(&wrapped.bytes))
    }
}

impl Manifest {
    /// The signed form: length, the manifest's JSON, the signature over a context and that JSON.
    pub(super) fn sign(&self, key: &SigningKey) -> Option<Vec<u8>> {
        let json = serde_json::to_vec(self).ok()?;
        let length = u32::try_from(json.len()).ok()?;
        let signature = key.sign(&[CONTEXT, json.as_slice()].concat());
        Some([length.to_be_bytes().as_slice(), &json, &signature].concat())
    }

    /// Checks the signature, and only then reads.
    pub(super) fn verify(bytes: &[u8], public: &[u8; 32]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (json, signature) = rest.split_at_checked(length)?;
        let signed = signing::verify(public, &[CONTEXT, json].concat(), signature);
        signed.then(|| serde_json::from_slice(json).ok()).flatten()
    }
}

const CONTEXT: &[u8] = b"ehc-gateway backup manifest 1\n";
