//! Is the log whole, and are the sealed records the ones it vouches for?
//!
//! Feeds what a store holds to the offline verifier, [`audit::verify`](crate::audit::verify), and
//! exports the log, or a part of it, as a [bundle](crate::audit::bundle) for those who check it
//! without us. It must never know what is in a record: it compares hashes of sealed bytes.

use std::collections::BTreeMap;
use std::io;

use schemas::RecordId;

use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::tree::TreeError;
use crate::audit::verify::{Fault, FaultKind, Row, Verifier};
use crate::audit::{Entry, EventKind};
use crate::entropy::{hex, sha256};
use crate::store::{Store, StoreError};

mod exporting;
mod forming;

pub use crate::audit::verify::Verification;
pub(crate) use exporting::write;
pub use exporting::{Exported, Wanted, export};
pub use forming::export_as;

/// Why a verification could not be made; not the same as one that found something.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// The store could not be read.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// A checkpoint that was handed in is not one of this log.
    #[error("a checkpoint that was handed in cannot be used")]
    Checkpoint(#[from] CheckpointError),
    /// An entry of the log cannot be read, so that it cannot be said what it names.
    #[error("entry {0} of the log cannot be read; run `audit verify`")]
    Entry(u64),
    /// The tree of the log cannot be followed.
    #[error("the hashes of the log cannot be followed; run `audit verify`")]
    Tree(#[from] TreeError),
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Io(#[from] io::Error),
}

/// Verifies a store's log and records against the checkpoint of its own head and those that
/// partners kept. Every commit leaves a checkpoint of just its size, so a head without one was not
/// made by this gateway. `seen` is told how many entries have been read so far.
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
    // What is committed from here on is left for the next verification.
    let head = store.audit_head().await?.size;
    let own = store.checkpoints(head, 1).await?.into_iter().next();
    let own = own.and_then(|own| Checkpoint::parse_and_verify(&own.note, vkey).ok());
    let own = own.filter(|own| own.size == head);
    let signed = own.is_some() || head == 0;
    checkpoints.extend(own);
    let mut verifier = Verifier::new(checkpoints);
    let mut from = 0;
    while from < head {
        let rows = rows(store, from).await?;
        let Some(last) = rows.last() else { break };
        from = last.seq.saturating_add(1);
        for row in rows.iter().filter(|row| row.seq < head) {
            verifier.row(row);
        }
        seen(from.min(head));
    }
    let sealed = sealed_hashes(store).await?;
    let mut verification = verifier.finish(Some(&sealed));
    if !signed {
        verification.faults.push(Fault { first_bad: None, what: FaultKind::Unsigned });
    }
    forgive_the_newest(store, head, &mut verification).await?;
    Ok(verification)
}

/// A record that was accepted while this looked has its entry after the head that was read; so has
/// one that was removed meanwhile.
async fn forgive_the_newest(
    store: &Store,
    head: u64,
    verification: &mut Verification,
) -> Result<(), StoreError> {
    let mut kept = Vec::new();
    for fault in std::mem::take(&mut verification.faults) {
        if let FaultKind::RecordUnvouched { record } = &fault.what {
            let first = store.first_entry_about(*record).await?;
            if first.is_some_and(|seq| seq >= head) {
                continue;
            }
        }
        if let FaultKind::RecordMissing { record } = &fault.what {
            let entries = store.journey(*record).await?;
            let removes = |entry: &Entry| entry.event.kind == EventKind::RecordRemoved;
            if entries.iter().any(|entry| entry.seq >= head && removes(entry)) {
                continue;
            }
        }
        kept.push(fault);
    }
    verification.faults = kept;
    Ok(())
}

async fn rows(store: &Store, from: u64) -> Result<Vec<Row>, StoreError> {
    let rows = store.audit_rows(from, ROWS_AT_ONCE).await?;
    Ok(rows.into_iter().map(Row::from).collect())
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
