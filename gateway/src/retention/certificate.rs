//! The certificate of deletion: what was removed, by which rule, and the proof that the log says so.
//!
//! A compact JWS, signed with the log's key. Each thing that was removed is listed with the entry that
//! says so, whole, and the proof that the entry is in the log of the certificate's own checkpoint. So
//! whoever holds the certificate and the log's public key can check all of it without the gateway,
//! and compare the hashes with those of entries and receipts they kept before.
//!
//! It proves that the gateway said, at a place in its log that cannot be changed any more, that it
//! destroyed just these sealed bytes. It cannot prove that no copy exists elsewhere: backups are the
//! operator's.
//!
//! Limits: [`LISTED_MAX`] things in one certificate; what is more is on the next.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RetentionError;
use crate::app::App;
use crate::audit::bundle::Base64Hash;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::tree::{self, leaf_hash};
use crate::audit::verify::REMOVED;
use crate::audit::{Actor, Entry, Event, EventKind};
use crate::entropy::hex;
use crate::receipt::{self, ReceiptError, Signed};
use crate::store::{
    Change, NewCertificate, Removable, RetentionWrite, StoreError, StoredRemoval, Write,
};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The gateway, by the origin of its log.
    pub iss: String,
    /// Its id.
    pub sub: Uuid,
    /// When it was signed, in seconds since 1970 UTC.
    pub iat: i64,
    /// The versions of the schedule that it was removed under.
    pub schedule: BTreeSet<String>,
    /// How many things of each class.
    pub counts: BTreeMap<String, u64>,
    /// What was removed, in the order of the log.
    pub removed: Vec<Listed>,
    /// The checkpoint that the proofs lead to, as a signed note.
    pub checkpoint: String,
}

/// One thing that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The entry of the log that says so.
    pub entry: u64,
    /// What.
    pub what: Removable,
    /// The record, submission, quarantined item or document.
    pub item: Uuid,
    /// Its class in the schedule.
    pub class: String,
    /// SHA-256 of the sealed bytes, in hexadecimal.
    pub sha256: String,
    /// The bytes of the entry, in base64.
    pub leaf: String,
    /// The inclusion proof (RFC 9162 section 2.1.3), each hash in base64.
    pub proof: Vec<Base64Hash>,
}

/// Why a certificate is not believed.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The public key is not one.
    #[error("the key is not an Ed25519 verifier key (name+id+key)")]
    Key,
    /// It is not a certificate that this key signed.
    #[error("not a certificate of deletion that this key signed, or changed since")]
    Signature(#[from] ReceiptError),
    /// Its checkpoint is not one that this key signed.
    #[error("its checkpoint was not signed with this key, or was changed since")]
    Checkpoint(#[from] CheckpointError),
    /// An entry does not say what the certificate says.
    #[error("entry {0}: it does not say what the certificate says of it")]
    Entry(u64),
    /// An entry is not proved to be in the log.
    #[error("entry {0}: its proof does not lead to the checkpoint")]
    Proof(u64),
    /// The counts are not those of what is listed.
    #[error("it counts other things than it lists")]
    Counts,
}

/// Signs certificates of everything that was removed and is on none yet; their ids.
pub(super) async fn certify(app: &App, actor: &Actor) -> Result<Vec<Uuid>, RetentionError> {
    let mut made = Vec::new();
    loop {
        let removals = app.store.uncertified(LISTED_MAX).await?;
        let Some(last) = removals.last() else { return Ok(made) };
        let (last_entry, items) = (last.entry, u64::try_from(removals.len()).unwrap_or(u64::MAX));
        let certificate = make(app, removals).await?;
        let id = certificate.sub;
        let signed = app.receipts.sign_as(Signed::Deletion, &certificate);
        let certificate = signed.or(Err(RetentionError::Certificate("it was not signed")))?;
        let mut event = Event::new(EventKind::DeletionCertified, actor.clone())
            .with("certificate", id)
            .with("items", items)
            .with("last_entry", last_entry);
        let hash = crate::entropy::sha256_hex(certificate.as_bytes());
        event.hashes.insert("certificate".to_owned(), hash);
        let new = NewCertificate { id, items, last_entry, certificate };
        let write = Write::Retention(RetentionWrite::Certified(new));
        match app.store.commit(Change::because(event).write(write)).await {
            Ok(_) => made.push(id),
            // Another gateway certified them at the same time.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn make(app: &App, removals: Vec<StoredRemoval>) -> Result<Certificate, RetentionError> {
    let missing = || RetentionError::Certificate("the log cannot be read; run `audit verify`");
    let newest = app.store.latest_checkpoint().await?.ok_or_else(missing)?;
    let seqs: Vec<u64> = removals.iter().map(|removal| removal.entry).collect();
    let rows = app.store.audit_rows_at(&seqs).await?;
    let mut leaves: BTreeMap<u64, Vec<u8>> =
        rows.into_iter().map(|row| (row.seq, row.leaf)).collect();
    let (mut listed, mut counts, mut schedule) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for removal in removals {
        let leaf = leaves.remove(&removal.entry).ok_or_else(missing)?;
        let proof = app.inclusion_proof(newest.size, removal.entry).await?;
        *counts.entry(removal.class.clone()).or_default() += 1;
        schedule.insert(removal.rule_version);
        listed.push(Listed {
            entry: removal.entry,
            what: removal.what,
            item: removal.item,
            class: removal.class,
            sha256: hex(&removal.sha256),
            leaf: BASE64_STANDARD.encode(leaf),
            proof: proof.into_iter().map(Base64Hash).collect(),
        });
    }
    Ok(Certificate {
        iss: app.origin().to_owned(),
        sub: app.make_id()?,
        iat: app.clock.now().as_second(),
        schedule,
        counts,
        removed: listed,
        checkpoint: newest.note,
    })
}

/// Reads a certificate and checks all of it with the log's public key (vkey) alone: its signature, its
/// checkpoint, and that each entry is in the log and says what is listed.
pub fn verify(jws: &str, vkey: &str) -> Result<Certificate, CertificateError> {
    let jwk = receipt::jwk_of_vkey(vkey).ok_or(CertificateError::Key)?;
    let certificate: Certificate = receipt::verify_as(Signed::Deletion, jws.trim(), &jwk)?;
    let checkpoint = Checkpoint::parse_and_verify(&certificate.checkpoint, vkey)?;
    if checkpoint.origin != certificate.iss {
        return Err(CheckpointError::OtherLog.into());
    }
    let mut counts = BTreeMap::new();
    for listed in &certificate.removed {
        let wrong = || CertificateError::Entry(listed.entry);
        let leaf = BASE64_STANDARD.decode(&listed.leaf).or(Err(wrong()))?;
        let entry = Entry::parse(&leaf).or(Err(wrong()))?;
        if !says(&entry, listed, &certificate.schedule) {
            return Err(wrong());
        }
        let proof: Vec<tree::TreeHash> = listed.proof.iter().map(|hash| hash.0).collect();
        let (size, root) = (checkpoint.size, checkpoint.root);
        tree::verify_inclusion(&proof, size, root, listed.entry, leaf_hash(&leaf))
            .or(Err(CertificateError::Proof(listed.entry)))?;
        *counts.entry(listed.class.clone()).or_default() += 1;
    }
    if counts != certificate.counts {
        return Err(CertificateError::Counts);
    }
    Ok(certificate)
}

fn says(entry: &Entry, listed: &Listed, schedule: &BTreeSet<String>) -> bool {
    let event = &entry.event;
    let kind = super::kind_of(listed.what);
    let detail = |name: &str| event.detail.get(name).map_or("", String::as_str);
    entry.seq == listed.entry
        && event.kind == kind
        && event.hashes.get(REMOVED) == Some(&listed.sha256)
        && detail("what") == listed.what.as_str()
        && detail("item") == listed.item.to_string()
        && detail("class") == listed.class
        && schedule.contains(detail("schedule"))
}

/// The most things that one certificate lists: with their proofs some 600 KiB.
pub const LISTED_MAX: u32 = 500;
