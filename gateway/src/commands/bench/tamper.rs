//! The tamper sweep: every alteration of a log is reported, with the first entry that is wrong.
//!
//! Two practice deployments make a log each, through the store's own commit. Then copies of the
//! first are altered in every way of [`Kind`], one at a time, and judged by `audit::verify`.
//!
//! A log of 1,000 entries is not read 100,000 times from its beginning. The verifier judges
//! entries in order, so its state before the altered one is the same for every copy: it is kept
//! for every place and cloned. Of what follows a flipped bit, a lost, moved or doubled entry, only
//! a few entries are read, because a later entry that stands in order can only be named by its own,
//! greater number. Whatever is not reported rightly so is read again from the first entry to the
//! last, and that stands; so is the first of each kind and every thousandth after it, which holds
//! the short way to the long one.
//!
//! What only a checkpoint kept elsewhere can show is also judged without one, and must pass: the
//! log alone proves nothing against whoever holds its key.

mod beside;
mod deployment;
mod tally;

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::json;

use super::super::{Outcome, eprintln_line, print_line, progress, table};
use super::figures::thousands;
use crate::audit::Entry;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::tree::Frontier;
use crate::audit::verify::{Row, Verification, Verifier, verify};
use crate::entropy::{Entropy, SystemEntropy};
pub(super) use deployment::{Deployment, Dice, event};
use tally::{Expected, HEADER, Kind, Naming, Tally};

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// How long the log is.
    pub(super) entries: u64,
    /// How many alterations at least; flipped bits make up what the others leave.
    pub(super) alterations: u64,
    /// How many backups are restored.
    pub(super) backups: u64,
    /// What everything follows from.
    pub(super) seed: u64,
}

/// What a run found.
pub(super) struct Report {
    plan: Plan,
    commits: usize,
    tallies: Vec<(Kind, Tally)>,
    /// The first few that were missed or wrongly named.
    failures: Vec<String>,
}

/// A seed that was not used before.
pub(super) fn new_seed() -> anyhow::Result<u32> {
    let mut bytes = [0; 4];
    SystemEntropy::default().fill(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

pub(super) async fn run(folder: &Path, plan: Plan, json: bool) -> anyhow::Result<Outcome> {
    let report = sweep(folder, plan).await?;
    if json {
        print_line(&format!("{:#}", report.document()));
    } else {
        print_line(&report.text());
    }
    if report.holds() {
        return Ok(Outcome::Done);
    }
    for failure in &report.failures {
        eprintln_line(failure);
    }
    eprintln_line(
        "The sweep does not hold: see the rows with something missed, wrong or not tried.",
    );
    Ok(Outcome::Failed)
}

/// Makes the logs and tries everything.
pub(super) async fn sweep(folder: &Path, plan: Plan) -> anyhow::Result<Report> {
    let bar = progress(plan.entries, "altering");
    let own = Deployment::found(&folder.join("own"), plan.seed, plan.entries, plan.backups).await?;
    let other = Deployment::found(&folder.join("other"), !plan.seed, plan.entries, 0).await?;
    let mut sweep = Sweep::new(own, other, plan.seed)?;
    for place in 0..sweep.own.rows.len() {
        sweep.at(place)?;
        bar.inc(1);
        // A run that is stopped by hand ends here.
        tokio::task::yield_now().await;
    }
    sweep.restore().await?;
    while sweep.tried < plan.alterations {
        sweep.flip_anywhere();
        if sweep.tried.is_multiple_of(1_000) {
            tokio::task::yield_now().await;
        }
    }
    bar.finish_and_clear();
    Ok(Report {
        plan,
        commits: sweep.own.kept.len(),
        tallies: sweep.tallies,
        failures: sweep.failures,
    })
}

impl Report {
    /// Whether everything was tried, found and named.
    pub(super) fn holds(&self) -> bool {
        self.tallies.iter().all(|(kind, tally)| tally.holds(*kind))
    }

    fn tried(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.tries).sum()
    }

    fn read_whole(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.read_whole).sum()
    }

    fn text(&self) -> String {
        let table = table(&HEADER, self.tallies.iter().map(|(kind, tally)| tally.cells(*kind)));
        let count = |count: u64| thousands(&count.to_string());
        format!(
            "{table}\n\n{} alterations of a log of {} entries in {} commits; {} copies were also read \
             from the first entry to the last. Repeat this run with --seed {}.\n{WHAT_IS_SHOWN}",
            count(self.tried()),
            count(self.plan.entries),
            self.commits,
            count(self.read_whole()),
            self.plan.seed,
        )
    }

    fn document(&self) -> serde_json::Value {
        let kinds = self.tallies.iter().map(|(kind, tally)| tally.document(*kind));
        json!({
            "entries": self.plan.entries,
            "commits": self.commits,
            "alterations": self.tried(),
            "seed": self.plan.seed,
            "holds": self.holds(),
            "kinds": kinds.collect::<Vec<_>>(),
        })
    }
}

/// What an altered copy is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// The log and nothing else.
    Alone,
    /// The checkpoint of every commit, as partners keep them with their receipts.
    Kept,
}

/// A copy of the log with something else at a place.
struct Alteration {
    kind: Kind,
    /// The entries before it are untouched.
    place: usize,
    /// What stands there.
    rows: Vec<Row>,
    /// Where the log goes on.
    resume: usize,
    /// What is added to the numbers from there on.
    shift: i64,
    evidence: Evidence,
    expected: Expected,
}

/// The logs, the verifier's state at every place, and what was found.
struct Sweep {
    own: Deployment,
    other: Deployment,
    /// The verifier before each entry and after the last, with no checkpoint and with all.
    alone: Vec<Verifier>,
    kept: Vec<Verifier>,
    /// The tree before each entry.
    frontiers: Vec<Frontier>,
    dice: Dice,
    tried: u64,
    tallies: Vec<(Kind, Tally)>,
    failures: Vec<String>,
}

impl Sweep {
    fn new(own: Deployment, other: Deployment, seed: u64) -> anyhow::Result<Self> {
        let whole = verify(&own.rows, own.kept.clone(), None);
        ensure!(whole.is_whole(), "the untouched log is not whole");
        let states = |checkpoints: Vec<Checkpoint>| {
            let mut states = vec![Verifier::new(checkpoints)];
            for row in &own.rows {
                let mut next = states.last().cloned().into_iter();
                states.extend(next.by_ref().map(|mut state| {
                    state.row(row);
                    state
                }));
            }
            states
        };
        let (alone, kept) = (states(Vec::new()), states(own.kept.clone()));
        let mut frontier = Frontier::default();
        let mut frontiers = vec![frontier.clone()];
        for row in &own.rows {
            frontier.append(&row.leaf)?;
            frontiers.push(frontier.clone());
        }
        let tallies = Kind::ALL.map(|kind| (kind, Tally::default())).to_vec();
        let dice = Dice::new(seed ^ 0x5eed);
        Ok(Self {
            own,
            other,
            alone,
            kept,
            frontiers,
            dice,
            tried: 0,
            tallies,
            failures: Vec::new(),
        })
    }

    /// Everything that can be done at one place.
    fn at(&mut self, place: usize) -> anyhow::Result<()> {
        let bits = self.own.rows.get(place).map_or(0, bits);
        if place.is_multiple_of(DENSE_EVERY) {
            (0..bits).for_each(|bit| self.flip(place, bit));
        } else {
            let bit = self.dice.place(bits);
            self.flip(place, bit);
        }
        self.move_about(place);
        self.splice(place);
        self.hash_again(place)?;
        self.cut(place);
        self.fork(place)?;
        self.sign_again(place)?;
        self.misfile(place)
    }

    /// Alters what the store has beside the entry, to hide it from a search.
    fn misfile(&mut self, place: usize) -> anyhow::Result<()> {
        let Some(row) = self.own.rows.get(place).cloned() else { return Ok(()) };
        for (kind, altered) in beside::altered(&beside::of(&row)?) {
            self.tried += 1;
            let alteration = Alteration::of(kind, place, vec![row.clone()], place + 1);
            let mut state = self.alone.get(place).cloned().context("no state")?;
            state.stored_row(&row, &altered);
            let mut found = state.finish(None);
            let tries = self.tallies.iter().find(|(tried, _)| *tried == kind);
            let whole = tries.is_none_or(|(_, tally)| tally.tries.is_multiple_of(WHOLE_EVERY));
            if whole {
                let mut state = Verifier::new(self.own.kept.clone());
                for row in &self.own.rows {
                    let here = alteration.expected.first == row.seq;
                    let own = if here { altered.clone() } else { beside::of(row)? };
                    state.stored_row(row, &own);
                }
                found = state.finish(None);
            }
            let naming = alteration.expected.compare(&found);
            self.note(&alteration, naming, &found);
            if let Some((_, tally)) = self.tallies.iter_mut().find(|(tried, _)| *tried == kind) {
                tally.count(naming);
                tally.read_whole += u64::from(whole);
            }
        }
        Ok(())
    }

    fn flip_anywhere(&mut self) {
        let place = self.dice.place(self.own.rows.len());
        let bits = self.own.rows.get(place).map_or(0, bits);
        let bit = self.dice.place(bits);
        self.flip(place, bit);
    }

    /// Flips a bit: of the entry, then of its hashes, then of its number.
    fn flip(&mut self, place: usize, bit: usize) {
        let Some(mut row) = self.own.rows.get(place).cloned() else { return };
        let (byte, mask) = (bit / 8, 1_u8 << (bit % 8));
        let of_hashes = byte.checked_sub(row.leaf.len());
        let kind = if let Some(hit) = row.leaf.get_mut(byte) {
            *hit ^= mask;
            Kind::EntryBit
        } else if let Some(hit) = of_hashes.and_then(|byte| row.nodes.get_mut(byte)) {
            *hit ^= mask;
            Kind::HashBit
        } else {
            row.seq ^= 1_u64.rotate_left(u32::try_from(bits(&row) - 1 - bit).unwrap_or(0));
            Kind::NumberBit
        };
        self.attempt(&Alteration::of(kind, place, vec![row], place + 1));
    }

    /// Deletes, swaps and doubles an entry, with and without new numbers for what follows.
    fn move_about(&mut self, place: usize) {
        let rows = self.own.rows.get(place..).unwrap_or_default();
        let Some((row, rest)) = rows.split_first() else { return };
        let (row, next) = (row.clone(), rest.first().cloned());
        // The last one can be missed by nobody but who kept a checkpoint over it.
        let evidence = if next.is_some() { Evidence::Alone } else { Evidence::Kept };
        let gone =
            |kind| Alteration { evidence, ..Alteration::of(kind, place, Vec::new(), place + 1) };
        let renumbered = Alteration { shift: -1, ..gone(Kind::DeletedRenumbered) };
        let again = Row { seq: row.seq.saturating_add(1), ..row.clone() };
        let twice =
            |kind, second| Alteration::of(kind, place, vec![row.clone(), second], place + 1);
        let mut copy = Alteration { shift: 1, ..twice(Kind::RepeatedRenumbered, again) };
        // What stands there first is itself; the copy is the first that is wrong.
        copy.expected.first = row.seq.saturating_add(1);
        let mut tries =
            vec![gone(Kind::Deleted), renumbered, twice(Kind::Repeated, row.clone()), copy];
        if let Some(next) = next {
            let swapped = |kind, rows| Alteration::of(kind, place, rows, place + 2);
            let first = Row { seq: row.seq, ..next.clone() };
            let second = Row { seq: next.seq, ..row.clone() };
            tries.push(swapped(Kind::SwappedRenumbered, vec![first, second]));
            tries.push(swapped(Kind::Swapped, vec![next, row]));
        }
        for one in tries {
            self.attempt(&one);
        }
    }

    /// Puts entries of the other deployment in place of one, and of several.
    fn splice(&mut self, place: usize) {
        for (kind, length) in
            [(Kind::Spliced, 1), (Kind::SplicedRun, 2 + self.dice.place(RUN_MAX - 1))]
        {
            let end = place.saturating_add(length).min(self.own.rows.len());
            let rows = self.other.rows.get(place..end).unwrap_or_default().to_vec();
            if kind == Kind::Spliced || rows.len() > 1 {
                let spliced = Alteration::of(kind, place, rows, end);
                self.attempt(&self.located(spliced, None));
            }
        }
    }

    /// Changes an entry and makes the hashes stored with it again, but no later ones.
    fn hash_again(&mut self, place: usize) -> anyhow::Result<()> {
        let rows = self.rewritten(place, 1)?;
        let changed = Alteration::of(Kind::HashedAgain, place, rows, place + 1);
        self.attempt(&self.located(changed, None));
        Ok(())
    }

    fn cut(&mut self, place: usize) {
        let end = self.own.rows.len();
        let mut cut = Alteration::of(Kind::Cut, place, Vec::new(), end);
        cut.evidence = Evidence::Kept;
        cut.expected.checkpoint = u64::try_from(end).ok();
        self.attempt(&cut);
    }

    /// Goes on otherwise from an older state of the log, past the next checkpoint that was kept.
    fn fork(&mut self, place: usize) -> anyhow::Result<()> {
        let at = u64::try_from(place)?;
        if !self.own.kept.iter().any(|kept| kept.size == at) {
            return Ok(());
        }
        let next = self.next_kept(at).context("the last entry has a checkpoint")?;
        let length = next - at + self.dice.below(4);
        let mut frontier = self.frontiers.get(place).cloned().unwrap_or_default();
        let mut rows = Vec::new();
        for seq in at..at + length {
            let event = event(seq, &mut self.dice)?;
            let id = uuid::Uuid::from_u64_pair(seq, self.dice.below(u64::MAX));
            let leaf = Entry { seq, at_us: 1, id, event }.to_bytes()?;
            let nodes = frontier.append(&leaf)?;
            rows.push(Row { seq, leaf, nodes });
        }
        let fork = Alteration::of(Kind::Fork, place, rows, self.own.rows.len());
        self.attempt(&self.located(fork, Some(next)));
        Ok(())
    }

    /// Changes an entry as an insider would who holds the key: makes all later hashes again, and
    /// signs the new head.
    fn sign_again(&mut self, place: usize) -> anyhow::Result<()> {
        let rows = self.rewritten(place, usize::MAX)?;
        let mut frontier = self.frontiers.get(place).cloned().unwrap_or_default();
        for row in &rows {
            frontier.append(&row.leaf)?;
        }
        let at = self.own.kept.last().map(|kept| kept.at).unwrap_or_default();
        let signer = &self.own.signer;
        let note = signer.sign_checkpoint(frontier.size(), frontier.root()?, at)?;
        let signed = Checkpoint::parse_and_verify(&note, &signer.vkey())?;
        let mut judge = Verifier::new(vec![signed.clone()]);
        let next = self.next_kept(u64::try_from(place)?);
        let resigned = Alteration::of(Kind::Resigned, place, rows, self.own.rows.len());
        let resigned = self.located(resigned, next);
        if place.is_multiple_of(WHOLE_EVERY_PLACE) {
            self.copy(&resigned).for_each(|row| judge.row(&row));
            ensure!(judge.finish(None).is_whole(), "a log that is signed again does not pass");
        } else {
            // The rows were judged up to here; what is left of a checkpoint is to compare roots.
            let root = self.judge(&resigned, Evidence::Alone).root;
            let same = root == Some(crate::entropy::hex(&signed.root));
            ensure!(same, "a log that is signed again does not pass");
        }
        self.attempt(&resigned);
        Ok(())
    }

    /// Restores the backups, really, and lets the gateway go on from each.
    async fn restore(&mut self) -> anyhow::Result<()> {
        for (file, from) in self.own.backups.clone() {
            let next = self.next_kept(from).context("a backup is older than the log")?;
            let rows = self.own.restore(&file, from, next + 1).await?;
            let place = usize::try_from(from)?;
            let (before, after) = rows.split_at_checked(place).unwrap_or_default();
            ensure!(
                self.own.rows.get(..place) == Some(before),
                "a restored backup does not begin as the log did"
            );
            let end = self.own.rows.len();
            let restored = Alteration::of(Kind::Restored, place, after.to_vec(), end);
            self.attempt(&self.located(restored, Some(next)));
        }
        Ok(())
    }

    /// This many entries from a place on, the first of them changed, with hashes that fit.
    fn rewritten(&self, place: usize, length: usize) -> anyhow::Result<Vec<Row>> {
        let mut frontier = self.frontiers.get(place).cloned().unwrap_or_default();
        let mut rows = Vec::new();
        for row in self.own.rows.iter().skip(place).take(length) {
            let leaf = if rows.is_empty() { changed(&row.leaf)? } else { row.leaf.clone() };
            let nodes = frontier.append(&leaf)?;
            rows.push(Row { seq: row.seq, leaf, nodes });
        }
        Ok(rows)
    }

    /// The same, to be located with the checkpoints that were kept: to its commit at the worst.
    fn located(&self, mut alteration: Alteration, checkpoint: Option<u64>) -> Alteration {
        let first = alteration.expected.first;
        let before = self.own.kept.iter().map(|kept| kept.size).filter(|size| *size <= first);
        alteration.expected.commit = Some(before.max().unwrap_or(0));
        alteration.expected.checkpoint = checkpoint;
        alteration.evidence = Evidence::Kept;
        alteration
    }

    fn next_kept(&self, after: u64) -> Option<u64> {
        self.own.kept.iter().map(|kept| kept.size).find(|size| *size > after)
    }

    /// Judges an altered copy and counts what came of it.
    fn attempt(&mut self, altered: &Alteration) {
        self.tried += 1;
        let found = self.judge(altered, altered.evidence);
        let mut naming = altered.expected.compare(&found);
        let tries = self.tallies.iter().find(|(kind, _)| *kind == altered.kind);
        let sampled = tries.is_none_or(|(_, tally)| tally.tries.is_multiple_of(WHOLE_EVERY));
        let whole = sampled || matches!(naming, Naming::Wrong | Naming::Missed);
        if whole {
            let rows: Vec<Row> = self.copy(altered).collect();
            let checkpoints = match altered.evidence {
                Evidence::Alone => Vec::new(),
                Evidence::Kept => self.own.kept.clone(),
            };
            let found = verify(&rows, checkpoints, None);
            naming = altered.expected.compare(&found);
            self.note(altered, naming, &found);
        }
        let passes =
            altered.kind.needs_checkpoint() && self.judge(altered, Evidence::Alone).is_whole();
        if let Some((_, tally)) = self.tallies.iter_mut().find(|(kind, _)| *kind == altered.kind) {
            tally.count(naming);
            tally.pass_alone += u64::from(passes);
            tally.read_whole += u64::from(whole);
        }
    }

    fn note(&mut self, altered: &Alteration, naming: Naming, found: &Verification) {
        let bad = matches!(naming, Naming::Wrong | Naming::Missed);
        if bad && self.failures.len() < FAILURES_MAX {
            let mut said: Vec<_> = found.faults.iter().map(ToString::to_string).collect();
            said.truncate(3);
            self.failures.push(format!(
                "{}: {} entries from {}; reported: {}",
                altered.kind.name(),
                altered.rows.len(),
                altered.expected.first,
                if said.is_empty() { "nothing".to_owned() } else { said.join("; ") },
            ));
        }
    }

    /// The judgement from the state before the altered place.
    fn judge(&self, altered: &Alteration, evidence: Evidence) -> Verification {
        let states = match evidence {
            Evidence::Alone => &self.alone,
            Evidence::Kept => &self.kept,
        };
        let state = states.get(altered.place).cloned();
        let mut state = state.unwrap_or_else(|| Verifier::new(Vec::new()));
        altered.rows.iter().for_each(|row| state.row(row));
        let after = if altered.is_located() { usize::MAX } else { ROWS_AFTER };
        for row in self.own.rows.iter().skip(altered.resume).take(after) {
            match altered.shift {
                0 => state.row(row),
                shift => state.row(&shifted(row, shift)),
            }
        }
        state.finish(None)
    }

    /// The altered copy from the first entry to the last.
    fn copy<'a>(&'a self, altered: &'a Alteration) -> impl Iterator<Item = Row> + 'a {
        let before = self.own.rows.iter().take(altered.place).cloned();
        let after = self.own.rows.iter().skip(altered.resume);
        let after = after.map(|row| shifted(row, altered.shift));
        before.chain(altered.rows.iter().cloned()).chain(after)
    }
}

impl Alteration {
    /// To be found in the log alone, and named by the number of its place.
    fn of(kind: Kind, place: usize, rows: Vec<Row>, resume: usize) -> Self {
        let first = u64::try_from(place).unwrap_or(u64::MAX);
        let expected = Expected { first, commit: None, checkpoint: None };
        Self { kind, place, rows, resume, shift: 0, evidence: Evidence::Alone, expected }
    }

    /// Whether later entries are needed to locate it, so that all of them are read.
    fn is_located(&self) -> bool {
        self.expected.commit.is_some()
    }
}

/// The bits of a row: of the entry, of the hashes stored with it, of its number.
fn bits(row: &Row) -> usize {
    (row.leaf.len() + row.nodes.len() + size_of::<u64>()) * 8
}

fn shifted(row: &Row, shift: i64) -> Row {
    Row { seq: row.seq.saturating_add_signed(shift), ..row.clone() }
}

/// An entry that says something else, in the one form an entry has.
fn changed(leaf: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut entry = Entry::parse(leaf)?;
    entry.event = entry.event.with("changed", "yes");
    Ok(entry.to_bytes()?)
}

/// How many backups are restored.
pub(super) const BACKUPS: u64 = 20;
/// Of one entry in this many every bit is flipped: of 50 in 1,000.
const DENSE_EVERY: usize = 20;
/// The most entries of another deployment in a row.
const RUN_MAX: usize = 16;
/// Entries that are read after an alteration that shows at once.
const ROWS_AFTER: usize = 3;
/// Of each kind, one in this many is read from the first entry to the last.
const WHOLE_EVERY: u64 = 1_000;
/// Failures that are told in words.
const FAILURES_MAX: usize = 20;
/// Of logs signed again, those at every so many places are read so with the new checkpoint.
const WHOLE_EVERY_PLACE: usize = 100;

const WHAT_IS_SHOWN: &str = "Found: audit::verify reported it. Entry named: as the first that is \
    wrong. Its commit named: of what was changed together with its hashes, the first of the few \
    entries committed together, between two checkpoints that partners kept. What needs a kept \
    checkpoint was found by the checkpoint that was named; without one it passes, as the last \
    column says.";

#[cfg(test)]
mod tests;
