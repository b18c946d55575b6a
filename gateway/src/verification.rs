//! Is the log whole, and are the sealed records the ones it vouches for?
//!
//! Feeds what a store holds to the offline verifier, [`audit::verify`](crate::audit::verify), and
//! exports the log as a bundle for those who check it without us. It must never know what is in a
//! record: it compares hashes of sealed bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemas::RecordId;

use crate::audit::bundle;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::verify::{Row, Verifier};
use crate::entropy::{hex, sha256};
use crate::store::{Store, StoreError};

pub use crate::audit::verify::Verification;

/// Why a verification could not be made; not the same as one that found something.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// The store could not be read.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// A checkpoint that was handed in is not one of this log.
    #[error("a checkpoint that was handed in cannot be used")]
    Checkpoint(#[from] CheckpointError),
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Io(#[from] io::Error),
}

/// Verifies a store's log and records against its own newest checkpoint and those that partners
/// kept. `seen` is told how many entries have been read so far.
pub async fn of_store(
    store: &Store,
    vkey: &str,
    kept: &[String],
    mut seen: impl FnMut(u64),
) -> Result<Verification, VerificationError> {
    let mut checkpoints = Vec::new();
    for note in kept {
        checkpoints.push(Checkpoint::parse_and_verify(note, vkey)?);
    }
    if let Some(own) = newest(store).await? {
        checkpoints.push(Checkpoint::parse_and_verify(&own, vkey)?);
    }
    let mut verifier = Verifier::new(checkpoints);
    let mut from = 0;
    loop {
        let rows = rows(store, from).await?;
        let Some(last) = rows.last() else { break };
        from = last.seq.saturating_add(1);
        for row in &rows {
            verifier.row(row);
        }
        seen(from);
    }
    let sealed = sealed_hashes(store).await?;
    Ok(verifier.finish(Some(&sealed)))
}

/// Writes the whole log and its newest checkpoint as a bundle.
pub async fn export(store: &Store, to: &mut impl Write) -> Result<u64, VerificationError> {
    let mut from = 0;
    loop {
        let rows = rows(store, from).await?;
        let Some(last) = rows.last() else { break };
        from = last.seq.saturating_add(1);
        for row in &rows {
            bundle::write_row(to, row)?;
        }
    }
    if let Some(note) = newest(store).await? {
        bundle::write_checkpoint(to, &note)?;
    }
    Ok(from)
}

async fn newest(store: &Store) -> Result<Option<String>, StoreError> {
    Ok(store.latest_checkpoint().await?.map(|checkpoint| checkpoint.note))
}

async fn rows(store: &Store, from: u64) -> Result<Vec<Row>, StoreError> {
    let rows = store.audit_rows(from, ROWS_AT_ONCE).await?;
    Ok(rows.into_iter().map(|row| Row { seq: row.seq, leaf: row.leaf, nodes: row.nodes }).collect())
}

async fn sealed_hashes(store: &Store) -> Result<BTreeMap<RecordId, String>, StoreError> {
    let mut hashes = BTreeMap::new();
    let mut after = None;
    loop {
        let envelopes = store.sealed_envelopes(after, ROWS_AT_ONCE).await?;
        let Some((last, _)) = envelopes.last() else { return Ok(hashes) };
        after = Some(*last);
        hashes.extend(envelopes.iter().map(|(id, envelope)| (*id, hex(&sha256(envelope)))));
    }
}

/// Enough to keep the disk busy, few enough to keep memory flat.
const ROWS_AT_ONCE: u32 = 1_000;
