//! Is the log whole, and are the sealed records the ones it vouches for?
//!
//! Feeds what a store holds to the offline verifier, [`audit::verify`](crate::audit::verify), and
//! exports the log, or a part of it, as a [bundle](crate::audit::bundle) for those who check it
//! without us. It must never know what is in a record: it compares hashes of sealed bytes.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use schemas::RecordId;

use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::looked::Looked;
use crate::audit::tree::TreeError;
use crate::audit::verify::{Beside, Fault, FaultKind, Row, Verifier};
use crate::audit::{Entry, EventKind};
use crate::entropy::{hex, sha256};
use crate::store::{Store, StoreError};
use look_ups::LookUps;

mod exporting;
mod forming;
mod look_ups;

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
    /// The tree of the log cannot be followed.
    #[error("the hashes of the log cannot be followed; run `audit verify`")]
    Tree(#[from] TreeError),
    /// An entry that is to be written in another form cannot be read.
    #[error("entry {0} cannot be read; run `audit verify`")]
    Entry(u64),
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
    let mut looks = Looks::new(store);
    let mut look_ups = LookUps::of(store).await?;
    while from < head {
        let rows = store.audit_rows_found_by(from, ROWS_AT_ONCE).await?;
        let Some((last, _)) = rows.last() else { break };
        from = last.seq.saturating_add(1);
        for (row, found_by) in rows {
            if row.seq < head {
                let looked = looks.of(row.seq).await?;
                let (found_by, look_up) = look_ups.beside(&row, found_by);
                verifier.stored_row(&row.into(), &Beside { found_by, looked, look_up });
            }
        }
        seen(from.min(head));
    }
    let sealed = sealed_hashes(store).await?;
    let mut verification = verifier.finish(Some(&sealed));
    if !signed {
        verification.faults.push(Fault { first_bad: None, what: FaultKind::Unsigned });
    }
    verification.faults.extend(look_ups.faults());
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

/// Who was on the lists that were looked at, read alongside the log.
struct Looks<'a> {
    store: &'a Store,
    read: VecDeque<(u64, Looked)>,
    from: u64,
    more: bool,
}

impl<'a> Looks<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, read: VecDeque::new(), from: 0, more: true }
    }

    /// The hash of whom the store has for an entry; entries are asked about in their order.
    async fn of(&mut self, seq: u64) -> Result<Option<String>, StoreError> {
        loop {
            while self.read.front().is_some_and(|(look, _)| *look < seq) {
                self.read.pop_front();
            }
            if !self.read.is_empty() || !self.more {
                let here = self.read.front().filter(|(look, _)| *look == seq);
                return Ok(here.map(|(_, looked)| looked.hash()));
            }
            self.read = self.store.looks_from(self.from.max(seq)).await?.into();
            self.more = !self.read.is_empty();
            self.from = self.read.back().map_or(self.from, |(last, _)| last.saturating_add(1));
        }
    }
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
