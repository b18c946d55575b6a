//! The judgement over a bundle, line by line, so that memory stays flat however long it is; of a
//! partner's bundle the ids of the partner's own records are kept.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Seek};

use schemas::RecordId;
use serde::Serialize;

use super::{Anchors, BadLine, BundleError, Header, Holds, Lines, Proved};
use super::{accepted_from, checkpoint_of, header_of, names, proved_of, row_of};
use crate::audit::Entry;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::tree::{self, Frontier};
use crate::audit::verify::{Anchor, Fault, FaultKind, Verification, Verifier};

/// What was found of a bundle, and what that proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The format's version: 1 had no header.
    pub version: u32,
    /// What the bundle says it holds.
    pub holds: Holds,
    /// What was found.
    #[serde(flatten)]
    pub verification: Verification,
    /// What is proved, in plain words; nothing when something is wrong.
    pub proved: Vec<String>,
    /// What is not proved, in plain words.
    pub not_proved: Vec<String>,
}

/// What the words about a bundle are made of.
pub(super) struct Facts {
    pub(super) header: Option<Header>,
    pub(super) newest: Option<Checkpoint>,
    pub(super) before: Option<Checkpoint>,
    pub(super) end: Option<Checkpoint>,
    /// Checkpoints kept elsewhere that agreed, and those that could not be compared.
    pub(super) kept: (u64, u64),
}

/// Judges a bundle with the log's public key and checkpoints that were kept elsewhere, each
/// verified before. A file that is no bundle is an error; a bundle that is not whole is not.
pub fn judge<R: BufRead + Seek>(
    from: &mut R,
    vkey: &str,
    kept: &[Checkpoint],
) -> Result<Judged, BundleError> {
    if matches!(Checkpoint::parse_and_verify("", vkey), Err(CheckpointError::VerifierKey)) {
        return Err(BundleError::Key);
    }
    let start = from.stream_position()?;
    let mut lines = Lines::new(from);
    let Some(Ok(first)) = lines.next()? else { return Err(BundleError::Form) };
    let Some(header) = header_of(first)? else {
        if row_of(first).is_err() && checkpoint_of(first).is_err() {
            return Err(BundleError::Form);
        }
        from.seek(io::SeekFrom::Start(start))?;
        return without_header(from, vkey, kept);
    };
    let mut judging = Judging::new(vkey, header, kept);
    let anchors = match lines.next()? {
        Some(Ok(line)) => serde_json::from_slice::<Anchors>(line).ok(),
        Some(Err(BadLine)) | None => None,
    };
    let Some(anchors) = anchors else {
        judging.fault(None, FaultKind::Line { line: 2 });
        return Ok(judging.judged(nothing()));
    };
    let Some(newest) = judging.newest(&anchors) else { return Ok(judging.judged(nothing())) };
    let verification = match judging.header.first {
        Some(first) => judging.contiguous(&mut lines, (&anchors, first), &newest)?,
        None => judging.chosen(&mut lines, &anchors, &newest)?,
    };
    Ok(judging.judged(verification))
}

/// The first version: entries, then checkpoints. It is read twice, for its checkpoints first.
fn without_header<R: BufRead + Seek>(
    from: &mut R,
    vkey: &str,
    kept: &[Checkpoint],
) -> Result<Judged, BundleError> {
    let start = from.stream_position()?;
    let (mut own, mut faults) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(from);
    while let Some(Ok(line)) = lines.next()? {
        if let Ok(note) = checkpoint_of(line) {
            match Checkpoint::parse_and_verify(&note, vkey) {
                Ok(checkpoint) => own.push(checkpoint),
                Err(_) => faults.push(anchor(Anchor::Checkpoint)),
            }
        }
    }
    from.seek(io::SeekFrom::Start(start))?;
    own.extend(kept.iter().cloned());
    let newest = own.iter().max_by_key(|checkpoint| checkpoint.size).cloned();
    let mut verifier = Verifier::from(0, Some(&Frontier::default()), own);
    let mut lines = Lines::new(from);
    while let Some(line) = lines.next()? {
        match line.and_then(row_of) {
            Ok(row) => verifier.row(&row),
            Err(BadLine) if line.is_ok_and(|line| checkpoint_of(line).is_ok()) => {}
            Err(BadLine) => {
                let line = lines.number;
                let first_bad = Some(verifier.expected());
                faults.push(Fault { first_bad, what: FaultKind::Line { line } });
                break;
            }
        }
    }
    if newest.as_ref().is_none_or(|newest| newest.size < verifier.expected()) {
        faults.push(Fault { first_bad: None, what: FaultKind::Unsigned });
    }
    let mut verification = verifier.finish(None);
    verification.faults.extend(faults);
    let end = newest.clone();
    let agreed = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    let facts = Facts { header: None, newest, before: None, end, kept: (agreed, 0) };
    Ok(facts.judged(verification))
}

/// A judgement in progress.
struct Judging<'a> {
    vkey: &'a str,
    header: Header,
    kept: &'a [Checkpoint],
    facts: Facts,
    faults: Vec<Fault>,
}

impl<'a> Judging<'a> {
    fn new(vkey: &'a str, header: Header, kept: &'a [Checkpoint]) -> Self {
        let known = Some(header.clone());
        let facts = Facts { header: known, newest: None, before: None, end: None, kept: (0, 0) };
        Self { vkey, header, kept, facts, faults: Vec::new() }
    }

    /// The bundle's own checkpoint, compared with the header.
    fn newest(&mut self, anchors: &Anchors) -> Option<Checkpoint> {
        let Ok(newest) = Checkpoint::parse_and_verify(&anchors.checkpoint, self.vkey) else {
            self.anchor(Anchor::Checkpoint);
            return None;
        };
        if newest.origin != self.header.log || newest.size != self.header.size {
            self.anchor(Anchor::Header);
        }
        self.facts.newest = Some(newest.clone());
        Some(newest)
    }

    /// Entries that follow each other from `first` on.
    fn contiguous<R: BufRead>(
        &mut self,
        lines: &mut Lines<'_, R>,
        (anchors, first): (&Anchors, u64),
        newest: &Checkpoint,
    ) -> Result<Verification, BundleError> {
        let tree = self.tree_before(anchors, first);
        let end = self.end(anchors, newest);
        if first.checked_add(self.header.entries) != Some(end.size) {
            self.anchor(Anchor::Header);
        }
        self.period(&end, newest);
        let mut checkpoints = vec![end.clone()];
        for kept in self.kept {
            if kept.size == newest.size {
                self.kept_at(kept, newest);
            } else if (first..=end.size).contains(&kept.size) || self.header.holds == Holds::Whole {
                self.facts.kept.0 = self.facts.kept.0.saturating_add(1);
                checkpoints.push(kept.clone());
            } else {
                self.facts.kept.1 = self.facts.kept.1.saturating_add(1);
            }
        }
        let mut verifier = Verifier::from(first, tree.as_ref(), checkpoints);
        while let Some(line) = lines.next()? {
            match line.and_then(row_of) {
                Ok(row) if row.seq >= end.size => self.fault(Some(row.seq), FaultKind::Surplus),
                Ok(row) => verifier.row(&row),
                Err(BadLine) => {
                    let what = FaultKind::Line { line: lines.number };
                    self.fault(Some(verifier.expected()), what);
                    break;
                }
            }
        }
        self.facts.end = Some(end);
        Ok(verifier.finish(None))
    }

    /// The tree before the first entry; `None` when it cannot be believed.
    fn tree_before(&mut self, anchors: &Anchors, first: u64) -> Option<Frontier> {
        if first == 0 {
            if anchors.before.is_some() || !anchors.frontier.is_empty() {
                self.anchor(Anchor::Header);
            }
            return Some(Frontier::default());
        }
        let before = anchors.before.as_deref();
        let before = before.and_then(|note| Checkpoint::parse_and_verify(note, self.vkey).ok());
        let Some(before) = before else {
            self.anchor(Anchor::Before);
            return None;
        };
        if before.size != first {
            self.anchor(Anchor::Header);
        }
        let hashes = anchors.frontier.iter().flat_map(|hash| hash.0);
        let bytes: Vec<u8> = first.to_be_bytes().into_iter().chain(hashes).collect();
        let tree = Frontier::from_bytes(&bytes).ok();
        let tree = tree.filter(|tree| tree.root().is_ok_and(|root| root == before.root));
        if tree.is_none() {
            self.anchor(Anchor::Frontier);
        }
        self.facts.before = Some(before);
        tree
    }

    /// The checkpoint at the last entry, and whether the newest continues it.
    fn end(&mut self, anchors: &Anchors, newest: &Checkpoint) -> Checkpoint {
        let consistency: Vec<_> = anchors.consistency.iter().map(|hash| hash.0).collect();
        let Some(note) = &anchors.end else {
            if !consistency.is_empty() {
                self.anchor(Anchor::Consistency);
            }
            return newest.clone();
        };
        let Ok(end) = Checkpoint::parse_and_verify(note, self.vkey) else {
            self.anchor(Anchor::End);
            return newest.clone();
        };
        let (size, root) = (newest.size, newest.root);
        if tree::verify_consistency(&consistency, size, root, end.size, end.root).is_err() {
            self.anchor(Anchor::Consistency);
        }
        end
    }

    /// Whether the signed times enclose the period; the end of the log is the end of any.
    fn period(&mut self, end: &Checkpoint, newest: &Checkpoint) {
        let filter = &self.header.filter;
        let late = filter.from_us.is_some_and(|from| {
            self.facts.before.as_ref().is_some_and(|before| before.at.as_microsecond() >= from)
        });
        let early = filter
            .until_us
            .is_some_and(|until| end.size < newest.size && end.at.as_microsecond() < until);
        // Without a first instant the period begins where the log does.
        let cut = filter.from_us.is_none() && self.header.first != Some(0);
        let cut_end = filter.until_us.is_none() && end.size < newest.size;
        if late || early || cut || cut_end {
            self.anchor(Anchor::Period);
        }
    }

    /// Entries that were chosen, each with its proof.
    fn chosen<R: BufRead>(
        &mut self,
        lines: &mut Lines<'_, R>,
        anchors: &Anchors,
        newest: &Checkpoint,
    ) -> Result<Verification, BundleError> {
        let alone = Anchors { checkpoint: anchors.checkpoint.clone(), ..Anchors::default() };
        if *anchors != alone {
            self.anchor(Anchor::Header);
        }
        for kept in self.kept {
            if kept.size == newest.size {
                self.kept_at(kept, newest);
            } else {
                self.facts.kept.1 = self.facts.kept.1.saturating_add(1);
            }
        }
        let (mut entries, mut last, mut own) = (0_u64, None, BTreeSet::new());
        while let Some(line) = lines.next()? {
            let Ok(entry) = line.and_then(proved_of) else {
                self.fault(None, FaultKind::Line { line: lines.number });
                break;
            };
            entries = entries.saturating_add(1);
            if let Err(what) = self.chosen_entry(&entry, last, newest, &mut own) {
                self.fault(Some(entry.seq), what);
            }
            last = last.max(Some(entry.seq));
        }
        if entries != self.header.entries {
            let says = self.header.entries;
            self.fault(None, FaultKind::Count { says, has: entries });
        }
        let root = Some(crate::entropy::hex(&newest.root));
        let checkpoints_checked = 1;
        Ok(Verification { entries, root, checkpoints_checked, ..nothing() })
    }

    /// Whether an entry belongs here and is proved. `own` gathers the records that were accepted from
    /// the partner whose bundle it is.
    fn chosen_entry(
        &self,
        entry: &Proved,
        last: Option<u64>,
        newest: &Checkpoint,
        own: &mut BTreeSet<RecordId>,
    ) -> Result<(), FaultKind> {
        let Proved { seq, leaf, proof } = entry;
        if last == Some(*seq) {
            return Err(FaultKind::Repeated);
        }
        if last > Some(*seq) {
            return Err(FaultKind::OutOfOrder);
        }
        let hash = tree::leaf_hash(leaf);
        if tree::verify_inclusion(proof, newest.size, newest.root, *seq, hash).is_err() {
            return Err(FaultKind::Unproved);
        }
        let Ok(entry) = Entry::parse(leaf) else { return Err(FaultKind::Unreadable) };
        if entry.seq != *seq {
            return Err(FaultKind::Misplaced { says: entry.seq });
        }
        let Some(partner) = &self.header.filter.partner else { return Ok(()) };
        let of_own = entry.event.record.is_some_and(|record| own.contains(&record));
        if !of_own && !names(&entry, partner) {
            return Err(FaultKind::Foreign);
        }
        own.extend(accepted_from(&entry, partner));
        Ok(())
    }

    fn kept_at(&mut self, kept: &Checkpoint, newest: &Checkpoint) {
        if kept.root == newest.root {
            self.facts.kept.0 = self.facts.kept.0.saturating_add(1);
        } else {
            self.anchor(Anchor::Kept);
        }
    }

    fn anchor(&mut self, which: Anchor) {
        self.faults.push(anchor(which));
    }

    fn fault(&mut self, first_bad: Option<u64>, what: FaultKind) {
        if self.faults.len() < crate::audit::verify::FAULTS_MAX {
            self.faults.push(Fault { first_bad, what });
        }
    }

    fn judged(self, mut verification: Verification) -> Judged {
        verification.faults.extend(self.faults);
        self.facts.judged(verification)
    }
}

impl Facts {
    fn judged(self, verification: Verification) -> Judged {
        let (proved, not_proved) = self.words(&verification);
        let header = self.header.as_ref();
        let holds = header.map_or(Holds::Whole, |header| header.holds);
        let version = header.map_or(1, |header| header.version);
        Judged { version, holds, verification, proved, not_proved }
    }
}

fn anchor(anchor: Anchor) -> Fault {
    Fault { first_bad: None, what: FaultKind::Anchor { anchor } }
}

fn nothing() -> Verification {
    Verification {
        entries: 0,
        root: None,
        checkpoints_checked: 0,
        records_checked: 0,
        records_removed: 0,
        faults: Vec::new(),
    }
}
