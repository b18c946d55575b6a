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
//! and is then located between two checkpoints, not to an entry. At most [`FAULTS_MAX`] faults are
//! listed.

use std::collections::BTreeMap;
use std::fmt;

use schemas::RecordId;
use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::tree::{Frontier, TreeHash};
use super::{Entry, Event};

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

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The first entry that is wrong, where one can be named.
    pub first_bad: Option<u64>,
    /// What is wrong with it.
    #[serde(flatten)]
    pub what: FaultKind,
}

/// What is wrong. Its `Display` says it in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum FaultKind {
    /// The entry's bytes are not a canonical entry.
    Unreadable,
    /// The entry says that it is another one.
    Misplaced {
        /// The number it gives itself.
        says: u64,
    },
    /// The entry and the hashes stored with it do not agree.
    Changed,
    /// Entries are not there.
    Missing {
        /// The last of them.
        last: u64,
    },
    /// The entry stands after later ones.
    OutOfOrder,
    /// The entry is there more than once.
    Repeated,
    /// The log ends before a checkpoint that was given out.
    CutShort {
        /// How many entries that checkpoint saw.
        checkpoint_size: u64,
    },
    /// The log is not the one that a checkpoint saw: something in the range was rewritten.
    Rewritten {
        /// How many entries that checkpoint saw.
        checkpoint_size: u64,
    },
    /// The head of the log has no checkpoint of this gateway: its end was not written by it.
    Unsigned,
    /// A sealed record is not the one that the entry vouches for.
    RecordChanged {
        /// Which.
        record: RecordId,
    },
    /// A sealed record that the entry vouches for is not there.
    RecordMissing {
        /// Which.
        record: RecordId,
    },
    /// A sealed record is there that no entry vouches for.
    RecordUnvouched {
        /// Which.
        record: RecordId,
    },
    /// A line of a bundle cannot be read; nothing from there on was.
    Line {
        /// Its number, from 1.
        line: u64,
    },
    /// The entry stands after the end that was signed.
    Surplus,
    /// The entry's proof does not lead to the signed checkpoint.
    Unproved,
    /// The entry does not name the partner that a bundle says it is about.
    Foreign,
    /// A bundle has not as many entries as it says.
    Count {
        /// How many it says.
        says: u64,
        /// How many it has.
        has: u64,
    },
    /// What a bundle is proved by does not hold.
    Anchor {
        /// Which of it.
        anchor: Anchor,
    },
}

/// What the entries of a bundle are proved by (see [`bundle`](super::bundle)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The checkpoint is not one that this key signed.
    Checkpoint,
    /// The header speaks of another log, size or stretch than what is signed.
    Header,
    /// The checkpoint before the first entry is missing, or not one that this key signed.
    Before,
    /// The hashes before the first entry are not those of the checkpoint before it.
    Frontier,
    /// The checkpoint at the last entry is not one that this key signed.
    End,
    /// The newest checkpoint is not proved to continue the one at the last entry.
    Consistency,
    /// The checkpoints around the entries do not enclose the time that the header says.
    Period,
    /// A checkpoint kept elsewhere saw another log.
    Kept,
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
    /// What is wrong; nothing when the log is whole.
    pub faults: Vec<Fault>,
}

/// Judges a log, entry by entry.
#[derive(Debug)]
pub struct Verifier {
    checkpoints: Vec<Checkpoint>,
    next: u64,
    rows: u64,
    tree: Option<Frontier>,
    agreed: u64,
    checked: u64,
    missing: BTreeMap<u64, usize>,
    /// `None` where no records are compared, so that memory stays flat.
    sealed: Option<BTreeMap<RecordId, (u64, String)>>,
    faults: Vec<Fault>,
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
        Self { sealed: records, ..Self::from(0, Some(Frontier::default()), checkpoints) }
    }

    /// A verifier of the entries from a place on, after a tree that was proved; without a tree
    /// only each entry's own hash is checked. It compares no sealed records.
    pub fn from(first: u64, tree: Option<Frontier>, mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        let mut verifier = Self {
            checkpoints,
            next: first,
            rows: 0,
            tree,
            agreed: first,
            checked: 0,
            missing: BTreeMap::new(),
            sealed: None,
            faults: Vec::new(),
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
        self.rows = self.rows.saturating_add(1);
        if row.seq < self.next {
            self.came_before(row.seq);
            return;
        }
        if row.seq > self.next {
            self.missing.insert(self.next, self.faults.len());
            self.fault(self.next, FaultKind::Missing { last: row.seq.saturating_sub(1) });
            self.tree = None;
        }
        self.next = row.seq.saturating_add(1);
        self.entry(row);
        self.nodes(row);
        self.compare();
    }

    /// The judgement. `sealed` is the hash, in hexadecimal, of each sealed record in the store.
    pub fn finish(mut self, sealed: Option<&BTreeMap<RecordId, String>>) -> Verification {
        let sizes: Vec<u64> = self.checkpoints.iter().map(|checkpoint| checkpoint.size).collect();
        if let Some(size) = sizes.into_iter().filter(|size| *size > self.next).max() {
            self.checked = self.checked.saturating_add(1);
            self.fault(self.next, FaultKind::CutShort { checkpoint_size: size });
        }
        let records_checked = sealed.map_or(0, |sealed| self.records(sealed));
        let root = self.tree.and_then(|tree| tree.root().ok());
        Verification {
            entries: self.rows,
            root: root.map(|root| crate::entropy::hex(&root)),
            checkpoints_checked: self.checked,
            records_checked,
            faults: self.faults,
        }
    }

    /// A row whose number was passed: out of order when it was missed, else a copy.
    fn came_before(&mut self, seq: u64) {
        let gap = self.missing.range(..=seq).next_back().map(|(_, fault)| *fault);
        let missed = gap
            .and_then(|place| self.faults.get_mut(place))
            .filter(|fault| matches!(fault.what, FaultKind::Missing { last } if seq <= last));
        match missed {
            Some(fault) if fault.first_bad == Some(seq) => fault.what = FaultKind::OutOfOrder,
            Some(_) => self.fault(seq, FaultKind::OutOfOrder),
            None => self.fault(seq, FaultKind::Repeated),
        }
    }

    fn entry(&mut self, row: &Row) {
        let Ok(entry) = Entry::parse(&row.leaf) else {
            return self.fault(row.seq, FaultKind::Unreadable);
        };
        if entry.seq != row.seq {
            return self.fault(row.seq, FaultKind::Misplaced { says: entry.seq });
        }
        let Some(sealed) = &mut self.sealed else { return };
        // The latest entry that names a record's sealed bytes vouches for them.
        let Event { record, mut hashes, .. } = entry.event;
        if let (Some(record), Some(hash)) = (record, hashes.remove(SEALED)) {
            sealed.insert(record, (row.seq, hash));
        }
    }

    fn nodes(&mut self, row: &Row) {
        let Some(tree) = &mut self.tree else {
            // Without the tree there is still the entry's own hash.
            if row.nodes.first_chunk() != Some(&super::tree::leaf_hash(&row.leaf)) {
                self.fault(row.seq, FaultKind::Changed);
            }
            return;
        };
        let stored: Option<TreeHash> = row.nodes.first_chunk().copied();
        let honest = super::tree::leaf_hash(&row.leaf);
        // Follow the stored hash, so that one changed entry does not make the later ones look bad.
        let nodes = tree.append_hash(stored.unwrap_or(honest));
        if stored != Some(honest) || nodes.as_ref() != Ok(&row.nodes) {
            self.fault(row.seq, FaultKind::Changed);
        }
    }

    /// Compares the tree with the checkpoints of just this size.
    fn compare(&mut self) {
        let Some(tree) = &self.tree else { return };
        let root = tree.root().ok();
        let size = self.next;
        let here: Vec<bool> = self
            .checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.size == size)
            .map(|checkpoint| Some(checkpoint.root) == root)
            .collect();
        for agrees in here {
            self.checked = self.checked.saturating_add(1);
            if agrees {
                self.agreed = size;
            } else if !self.faults.iter().any(|fault| fault.first_bad < Some(size)) {
                self.fault(self.agreed, FaultKind::Rewritten { checkpoint_size: size });
            }
        }
    }

    fn records(&mut self, store: &BTreeMap<RecordId, String>) -> u64 {
        let vouched = self.sealed.take().unwrap_or_default();
        for (record, (seq, hash)) in &vouched {
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
        u64::try_from(vouched.len()).unwrap_or(u64::MAX)
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first_bad {
            Some(seq) => write!(f, "entry {seq}: {}", self.what),
            None => write!(f, "{}", self.what),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("its bytes are not an entry; they were changed"),
            Self::Misplaced { says } => write!(f, "in its place stands what calls itself {says}"),
            Self::Changed => f.write_str("it does not agree with the hashes stored with it"),
            Self::Missing { last } => write!(f, "missing, with all entries up to {last}"),
            Self::OutOfOrder => f.write_str("stands after later entries"),
            Self::Repeated => f.write_str("is there more than once"),
            Self::CutShort { checkpoint_size } => {
                write!(f, "missing; a checkpoint was given out over {checkpoint_size} entries")
            }
            Self::Rewritten { checkpoint_size } => write!(
                f,
                "from here on and before entry {checkpoint_size} something was rewritten: a \
                 checkpoint over {checkpoint_size} entries saw another log"
            ),
            Self::Unsigned => f.write_str(
                "the end of the log has no checkpoint signed by this gateway: something was \
                 added or taken away there",
            ),
            Self::RecordChanged { record } => {
                write!(f, "the sealed record {record} is not the one this entry vouches for")
            }
            Self::RecordMissing { record } => {
                write!(f, "the sealed record {record}, which this entry vouches for, is not there")
            }
            Self::RecordUnvouched { record } => {
                write!(f, "no entry vouches for the sealed record {record}")
            }
            Self::Line { line } => {
                write!(
                    f,
                    "line {line} of the bundle cannot be read; nothing after it was looked at"
                )
            }
            Self::Surplus => f.write_str("stands after the end that was signed"),
            Self::Unproved => f.write_str(
                "its proof does not lead to the signed checkpoint: the entry, its number or the \
                 proof was changed",
            ),
            Self::Foreign => f.write_str("does not name the partner that the bundle is about"),
            Self::Count { says, has } => {
                write!(f, "the bundle says that it has {says} entries, and has {has}")
            }
            Self::Anchor { anchor } => anchor.fmt(f),
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => {
                "the bundle's checkpoint was not signed with this key, or was changed since"
            }
            Self::Header => {
                "the bundle's first line speaks of another log, size or stretch than was signed"
            }
            Self::Before => {
                "the checkpoint before the first entry is missing, was not signed with this key, \
                 or was changed since"
            }
            Self::Frontier => {
                "the hashes before the first entry are not those that were signed before it"
            }
            Self::End => {
                "the checkpoint at the last entry was not signed with this key, or was changed since"
            }
            Self::Consistency => {
                "the newest checkpoint is not proved to continue the one at the last entry"
            }
            Self::Period => {
                "the signed checkpoints do not enclose the time that the bundle says it is of"
            }
            Self::Kept => "a checkpoint that was kept elsewhere saw another log",
        })
    }
}

/// The name under which an event gives the hash of a record's sealed bytes.
pub const SEALED: &str = "sealed";
/// The most faults that are listed.
pub const FAULTS_MAX: usize = 1000;

#[cfg(test)]
mod tests;
