//! The offline verifier: is the log whole, and which entry is the first that is not?
//!
//! Owns the judgement over entries in order, checkpoints (ours and those kept by partners) and,
//! where the store is at hand, the hashes of what it holds. Pure: rows are handed in one at a time,
//! from a store or a bundle. It must never know where they come from.
//!
//! ```
//! use gateway::audit::verify::Verifier;
//! let mut verifier = Verifier::new(Vec::new());
//! // for each row: verifier.row(&row);
//! assert!(verifier.finish(None).is_whole());
//! ```
//!
//! Limits: after a gap in the numbers the tree cannot be followed, so later checkpoints are not
//! checked. A rewrite that is consistent in itself shows only against a checkpoint kept elsewhere,
//! and is then located between two checkpoints, not to an entry. Of a log that ends before the next
//! checkpoint that was kept, the end is named, although entries since the last one may be others.
//! At most [`FAULTS_MAX`] faults are listed.

use std::collections::BTreeMap;

use schemas::RecordId;
use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::found_by::FoundBy;
use super::looked;
use super::tree::{Frontier, leaf_hash};
use super::{Entry, Event, EventKind};
use trail::{Settled, Trail};

pub use fault::{Anchor, Fault, FaultKind};
pub use look_up::{LookUp, LookUpFault};

mod fault;
mod look_up;
mod trail;

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// The canonical bytes of the [`Entry`].
    pub leaf: Vec<u8>,
    /// The nodes that were stored with it (see [`tree`](super::tree)).
    pub nodes: Vec<u8>,
}

/// What a store has beside an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// What the entry is searched by.
    pub found_by: FoundBy,
    /// The hash, in hexadecimal, of who was on the list that it says was looked at
    /// ([`looked`]); `None` when the store names nobody.
    pub looked: Option<String>,
    /// Whether the look-up of its period is there to be compared.
    pub look_up: LookUp,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many entries were read.
    pub entries: u64,
    /// The root of the tree over them, in hexadecimal, unless the tree was lost at a gap.
    pub root: Option<String>,
    /// How many checkpoints were compared with the log.
    pub checkpoints_checked: u64,
    /// How many sealed records were compared with their entries.
    pub records_checked: u64,
    /// How many of them are gone, and lawfully: a later entry says that just these bytes were
    /// removed, and by which rule.
    pub records_removed: u64,
    /// What is wrong; nothing when the log is whole.
    pub faults: Vec<Fault>,
}

/// Judges a log, entry by entry. A clone goes on from the same entry by itself.
#[derive(Debug, Clone)]
pub struct Verifier {
    checkpoints: Vec<Checkpoint>,
    next: u64,
    rows: u64,
    tree: Option<Trail>,
    agreed: u64,
    checked: u64,
    missing: BTreeMap<u64, usize>,
    /// `None` where no records are compared, so that memory stays flat.
    sealed: Option<BTreeMap<RecordId, (u64, String)>>,
    /// Which entry says that a record was removed, and the hash of what was.
    removed: BTreeMap<RecordId, (u64, String)>,
    faults: Vec<Fault>,
    found_beside: Vec<Fault>,
}

/// Verifies rows in order against checkpoints and, where given, the sealed records in the store.
pub fn verify<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    checkpoints: Vec<Checkpoint>,
    sealed: Option<&BTreeMap<RecordId, String>>,
) -> Verification {
    let mut verifier = Verifier::new(checkpoints);
    for row in rows {
        verifier.row(row);
    }
    verifier.finish(sealed)
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }

    /// The first entry that is wrong.
    pub fn first_bad(&self) -> Option<u64> {
        self.faults.iter().filter_map(|fault| fault.first_bad).min()
    }
}

impl Verifier {
    /// A verifier that will compare the log with these checkpoints.
    pub fn new(checkpoints: Vec<Checkpoint>) -> Self {
        let records = Some(BTreeMap::new());
        Self { sealed: records, ..Self::from(0, Some(&Frontier::default()), checkpoints) }
    }

    /// A verifier of the entries from a place on, after a tree that was proved; without a tree
    /// only each entry's own hash is checked. It compares no sealed records.
    pub fn from(first: u64, tree: Option<&Frontier>, mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        let mut verifier = Self {
            checkpoints,
            next: first,
            rows: 0,
            tree: tree.map(Trail::after),
            agreed: first,
            checked: 0,
            missing: BTreeMap::new(),
            sealed: None,
            removed: BTreeMap::new(),
            faults: Vec::new(),
            found_beside: Vec::new(),
        };
        verifier.compare();
        verifier
    }

    /// The number of the entry that is expected next.
    pub fn expected(&self) -> u64 {
        self.next
    }

    /// Judges the next row.
    pub fn row(&mut self, row: &Row) {
        self.judge(row, None);
    }

    /// Judges the next row of a store, and what the store has beside it.
    pub fn stored_row(&mut self, row: &Row, beside: &Beside) {
        self.judge(row, Some(beside));
    }

    fn judge(&mut self, row: &Row, beside: Option<&Beside>) {
        self.rows = self.rows.saturating_add(1);
        if row.seq < self.next {
            self.came_before(row);
            return;
        }
        if row.seq > self.next {
            self.missing.insert(self.next, self.faults.len());
            self.fault(self.next, FaultKind::Missing { last: row.seq.saturating_sub(1) });
            self.tree = None;
        }
        self.next = row.seq.saturating_add(1);
        let before = self.faults.len();
        self.entry(row, beside);
        let known = self.faults.len() > before;
        self.nodes(row, known);
        self.compare();
    }

    /// The judgement. `sealed` is the hash, in hexadecimal, of each sealed record in the store.
    pub fn finish(mut self, sealed: Option<&BTreeMap<RecordId, String>>) -> Verification {
        let sizes: Vec<u64> = self.checkpoints.iter().map(|checkpoint| checkpoint.size).collect();
        if let Some(size) = sizes.into_iter().filter(|size| *size > self.next).max() {
            self.checked = self.checked.saturating_add(1);
            self.fault(self.next, FaultKind::CutShort { checkpoint_size: size });
        }
        self.locate();
        for fault in std::mem::take(&mut self.found_beside) {
            // Of an entry that was itself changed, what it is found by says no more.
            if !self.faults.iter().any(|other| other.first_bad == fault.first_bad) {
                self.push(fault);
            }
        }
        let (records_checked, records_removed) =
            sealed.map_or((0, 0), |sealed| self.records(sealed));
        let root = self.tree.and_then(|tree| tree.root());
        Verification {
            entries: self.rows,
            root: root.map(|root| crate::entropy::hex(&root)),
            checkpoints_checked: self.checked,
            records_checked,
            records_removed,
            faults: self.faults,
        }
    }

    /// A row whose number was passed: out of order when it was missed, else a copy, unless its own
    /// entry says otherwise: then its number was changed where it stands.
    fn came_before(&mut self, row: &Row) {
        let seq = row.seq;
        let gap = self.missing.range(..=seq).next_back().map(|(_, fault)| *fault);
        let missed = gap
            .and_then(|place| self.faults.get_mut(place))
            .filter(|fault| matches!(fault.what, FaultKind::Missing { last } if seq <= last));
        match missed {
            Some(fault) if fault.first_bad == Some(seq) => fault.what = FaultKind::OutOfOrder,
            Some(_) => self.fault(seq, FaultKind::OutOfOrder),
            None if Entry::parse(&row.leaf).is_ok_and(|entry| entry.seq == self.next) => {
                self.fault(self.next, FaultKind::Misplaced { says: seq });
            }
            None => self.fault(seq, FaultKind::Repeated),
        }
    }

    fn entry(&mut self, row: &Row, beside: Option<&Beside>) {
        let Ok(entry) = Entry::parse(&row.leaf) else {
            return self.fault(row.seq, FaultKind::Unreadable);
        };
        if entry.seq != row.seq {
            return self.fault(row.seq, FaultKind::Misplaced { says: entry.seq });
        }
        if let Some(beside) = beside {
            self.beside(&entry, beside);
        }
        let Some(sealed) = &mut self.sealed else { return };
        // The latest entry that names a record's sealed bytes vouches for them.
        let Event { kind, record, mut hashes, .. } = entry.event;
        if let (EventKind::RecordRemoved, Some(record)) = (kind, record) {
            let hash = hashes.remove(REMOVED).unwrap_or_default();
            self.removed.insert(record, (row.seq, hash));
            return;
        }
        if let (Some(record), Some(hash)) = (record, hashes.remove(SEALED)) {
            sealed.insert(record, (row.seq, hash));
        }
    }

    /// Compares what the store has beside an entry with it. What is wrong there says nothing of the
    /// entry, so it must not explain what else is found.
    fn beside(&mut self, entry: &Entry, beside: &Beside) {
        let mut told = FoundBy::of(entry);
        let mut agrees = looked::agrees(&entry.event, beside.looked.as_deref());
        match beside.look_up {
            LookUp::Kept => {}
            LookUp::Locked => told.subject = beside.found_by.subject,
            LookUp::Destroyed => {
                told.subject = None;
                agrees = beside.looked.is_none();
            }
        }
        let columns = told.differences(&beside.found_by);
        let misfiled = (!columns.is_empty()).then_some(FaultKind::Misfiled { columns });
        let looks = (!agrees).then_some(FaultKind::LookChanged);
        let found = misfiled.into_iter().chain(looks);
        self.found_beside.extend(found.map(|what| Fault { first_bad: Some(entry.seq), what }));
        self.found_beside.truncate(FAULTS_MAX);
    }

    fn nodes(&mut self, row: &Row, known: bool) {
        let Some(tree) = &mut self.tree else {
            // Without the tree there is still the entry's own hash.
            if row.nodes.first_chunk::<32>() != Some(&leaf_hash(&row.leaf)) {
                self.fault(row.seq, FaultKind::Changed);
            }
            return;
        };
        let found = tree.append(leaf_hash(&row.leaf), &row.nodes, known);
        if found.contradicts {
            self.fault(row.seq, FaultKind::Changed);
        }
        self.settle(&found.settled);
    }

    /// Names the entries that contradictions turned out to point at. None of them stands before
    /// the last checkpoint that agreed.
    fn settle(&mut self, settled: &[Settled]) {
        for Settled { row, first } in settled {
            let first = self.agreed.max(*first);
            for fault in &mut self.faults {
                let changed = fault.what == FaultKind::Changed && fault.first_bad == Some(*row);
                if changed && first < *row {
                    let what = FaultKind::Replaced { last: *row };
                    *fault = Fault { first_bad: Some(first), what };
                }
            }
        }
    }

    /// A rewrite that a checkpoint shows is located more closely by what else was found in there.
    fn locate(&mut self) {
        if self.tree.as_ref().is_none_or(Trail::is_in_doubt) {
            return;
        }
        let others: Vec<Option<u64>> = self.faults.iter().map(|fault| fault.first_bad).collect();
        for fault in &mut self.faults {
            if let FaultKind::Rewritten { checkpoint_size } = fault.what {
                let within = |seq: &u64| *seq < checkpoint_size && Some(*seq) > fault.first_bad;
                let closer = others.iter().copied().flatten().filter(within).min();
                fault.first_bad = closer.or(fault.first_bad);
            }
        }
    }

    /// Compares the tree with the checkpoints of just this size.
    fn compare(&mut self) {
        let Some(tree) = &mut self.tree else { return };
        let size = self.next;
        let here: Vec<(bool, Vec<Settled>)> = self
            .checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.size == size)
            .map(|checkpoint| tree.compare(checkpoint.root))
            .collect();
        for (agrees, settled) in here {
            self.checked = self.checked.saturating_add(1);
            self.settle(&settled);
            if agrees {
                self.agreed = size;
            } else if !self.faults.iter().any(|fault| fault.first_bad < Some(size)) {
                self.fault(self.agreed, FaultKind::Rewritten { checkpoint_size: size });
            }
        }
    }

    /// Compares what the entries vouch for, and say was removed, with what is there: how many were
    /// compared, and how many of them are gone lawfully.
    fn records(&mut self, store: &BTreeMap<RecordId, String>) -> (u64, u64) {
        let vouched = self.sealed.take().unwrap_or_default();
        let removed = std::mem::take(&mut self.removed);
        let mut gone = 0_u64;
        for (record, (at, hash)) in &removed {
            let record = *record;
            // What vouches stands before what removes, and both are about the same bytes.
            let same = vouched.get(&record).is_some_and(|(seq, one)| seq < at && one == hash);
            if !same {
                self.fault(*at, FaultKind::RecordRemovedOther { record });
            } else if store.contains_key(&record) {
                self.fault(*at, FaultKind::RecordNotRemoved { record });
            } else {
                gone = gone.saturating_add(1);
            }
        }
        for (record, (seq, hash)) in &vouched {
            if removed.contains_key(record) {
                continue;
            }
            match store.get(record) {
                None => self.fault(*seq, FaultKind::RecordMissing { record: *record }),
                Some(found) if found != hash => {
                    self.fault(*seq, FaultKind::RecordChanged { record: *record });
                }
                Some(_) => {}
            }
        }
        for record in store.keys().filter(|record| !vouched.contains_key(record)) {
            self.push(Fault {
                first_bad: None,
                what: FaultKind::RecordUnvouched { record: *record },
            });
        }
        (u64::try_from(vouched.len()).unwrap_or(u64::MAX), gone)
    }

    fn fault(&mut self, first_bad: u64, what: FaultKind) {
        self.push(Fault { first_bad: Some(first_bad), what });
    }

    fn push(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX && self.faults.last() != Some(&fault) {
            self.faults.push(fault);
        }
    }
}

/// The name under which an event gives the hash of a record's sealed bytes.
pub const SEALED: &str = "sealed";
/// The name under which an event gives the hash of sealed bytes that were removed.
pub const REMOVED: &str = "removed";
/// The most faults that are listed.
pub const FAULTS_MAX: usize = 1000;

#[cfg(test)]
mod tests;
