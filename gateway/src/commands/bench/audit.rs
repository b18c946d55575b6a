//! The audit log's own arithmetic: appending, proving and verifying, beside bare SHA-256.
//!
//! In memory the log goes by in stretches: entries are made before the clock starts, and only
//! their tree nodes are kept (64 bytes for each entry), so ten million entries need 640 MB. In
//! SQLite they are committed with their checkpoints, as the gateway does. Bare SHA-256 is ring's,
//! over the same entries one after the other on the same machine. The entries are about nobody.
//! `bundled` verifies the same log as the file that `audit export` makes.
//! `stored` measures what people ask of a long log in the store, and how that grows.

mod bundled;
mod stored;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Outcome, eprintln_line, print_line, progress, table};
use super::figures::{rounded, thousands, two_places};
use super::tamper::{Deployment, Dice, event};
use crate::audit::Entry;
use crate::audit::tree::{
    self, Frontier, NodeAt, TreeHash, consistency_proof, inclusion_proof, verify_consistency,
    verify_inclusion,
};
use crate::audit::verify::{Row, Verifier};
use crate::entropy::sha256;

/// One thing that was done many times.
struct Figure {
    entries: u64,
    what: &'static str,
    times: u64,
    took: Duration,
    /// The bytes of entries that went through, where they did.
    bytes: Option<u64>,
    /// What bare SHA-256 took for the same bytes.
    bare: Option<Duration>,
}

pub(super) async fn measure(folder: &Path, sizes: &[u64], json: bool) -> anyhow::Result<Outcome> {
    if cfg!(debug_assertions) {
        eprintln_line("This is a debug build: its figures mean nothing. Run it with --release.");
    }
    let bar = progress(sizes.iter().sum::<u64>().saturating_mul(2), "measuring");
    let mut figures = Vec::new();
    for size in sizes {
        figures.extend(in_memory(*size, &bar).await?);
        // A disk is too slow for a million; the cost of an entry does not grow with their number.
        let stored = (*size).min(STORED_MAX);
        if !figures.iter().any(|figure| figure.entries == stored && figure.what == COMMITTED) {
            figures.extend(in_sqlite(&folder.join(format!("log-{stored}")), stored).await?);
        }
        figures.extend(stored::measure(&folder.join(format!("store-{size}")), *size, &bar).await?);
    }
    bar.finish_and_clear();
    if json {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let figures: Vec<Value> = figures.iter().map(Figure::document).collect();
        print_line(&format!("{:#}", json!({ "build": build, "audit": figures })));
    } else {
        print_line(&table(&HEADER, figures.iter().map(Figure::cells)));
        print_line(WHAT_IS_COMPARED);
        print_line(&table(&GROWTH, growth(&figures)));
    }
    Ok(Outcome::Done)
}

/// How the cost of each thing grows from the shortest log to the longest.
fn growth(figures: &[Figure]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for first in figures {
        let same = |figure: &&Figure| figure.what == first.what;
        let shortest = figures.iter().filter(same).min_by_key(|figure| figure.entries);
        let longest = figures.iter().filter(same).max_by_key(|figure| figure.entries);
        let (Some(shortest), Some(longest)) = (shortest, longest) else { continue };
        if !std::ptr::eq(first, shortest) || shortest.entries == longest.entries {
            continue;
        }
        let cost = [shortest, longest].map(Figure::microseconds);
        let [least, most] = cost;
        rows.push(vec![
            first.what.to_owned(),
            two_places(Some(least)),
            two_places(Some(most)),
            two_places((least > 0.0).then(|| most / least)),
        ]);
    }
    rows
}

/// The log in memory: appended, verified and hashed bare stretch by stretch, then proofs.
async fn in_memory(size: u64, bar: &ProgressBar) -> anyhow::Result<Vec<Figure>> {
    let (mut frontier, mut verifier) = (Frontier::default(), Verifier::new(Vec::new()));
    let (mut nodes, mut dice) = (Nodes::default(), Dice::new(size));
    let [mut append, mut verify, mut bare] = [Duration::ZERO; 3];
    let (mut seq, mut bytes) = (0, 0);
    // An older tree to prove consistency with, at about a third.
    let older = (size / 3).max(1);
    let mut older_root = None;
    while seq < size {
        let bound = if seq < older { older } else { size };
        let end = seq.saturating_add(STRETCH).min(bound);
        let leaves =
            (seq..end).map(|seq| leaf(seq, &mut dice)).collect::<anyhow::Result<Vec<_>>>()?;
        let began = Instant::now();
        for leaf in &leaves {
            black_box(sha256(leaf));
        }
        bare += began.elapsed();
        let began = Instant::now();
        let stored =
            leaves.iter().map(|leaf| frontier.append(leaf)).collect::<Result<Vec<_>, _>>()?;
        append += began.elapsed();
        let rows: Vec<Row> = (seq..)
            .zip(leaves.into_iter().zip(stored))
            .map(|(seq, (leaf, nodes))| Row { seq, leaf, nodes })
            .collect();
        let began = Instant::now();
        for row in &rows {
            verifier.row(row);
        }
        verify += began.elapsed();
        for row in &rows {
            bytes += u64::try_from(row.leaf.len())?;
            nodes.keep(row);
        }
        bar.inc(end - seq);
        seq = end;
        if seq == older {
            older_root = Some(frontier.root()?);
        }
        // A run that is stopped by hand ends here.
        tokio::task::yield_now().await;
    }
    let root = frontier.root()?;
    let found = verifier.finish(None);
    ensure!(found.is_whole() && found.entries == size, "the log that was made is not whole");
    let passed = |what, took| Figure {
        entries: size,
        what,
        times: size,
        took,
        bytes: Some(bytes),
        bare: Some(bare),
    };
    let mut figures = vec![
        passed("bare SHA-256 of the entries", bare),
        passed("append in memory", append),
        passed("verify every entry", verify),
    ];
    let older_root = older_root.context("no older tree")?;
    figures.extend(proofs(&nodes, (size, root), (older, older_root), &mut dice)?);
    Ok(figures)
}

/// Proofs for entries here and there, each checked.
fn proofs(
    nodes: &Nodes,
    (size, root): (u64, TreeHash),
    (older, older_root): (u64, TreeHash),
    dice: &mut Dice,
) -> anyhow::Result<Vec<Figure>> {
    let read = |node: NodeAt| nodes.at(node);
    let asked: Vec<u64> = (0..PROOFS).map(|_| dice.below(size)).collect();
    let (took, proofs) = timed(|| {
        asked.iter().map(|seq| inclusion_proof(size, *seq, read)).collect::<Result<Vec<_>, _>>()
    });
    let proofs = proofs?;
    let leaf = |seq| nodes.at(NodeAt { level: 0, number: seq }).unwrap_or_default();
    let (checked, outcome) = timed(|| {
        asked
            .iter()
            .zip(&proofs)
            .try_for_each(|(seq, proof)| verify_inclusion(proof, size, root, *seq, leaf(*seq)))
    });
    outcome?;
    let (joined, proof) = timed(|| {
        (0..PROOFS).map(|_| consistency_proof(size, older, read)).collect::<Result<Vec<_>, _>>()
    });
    let proofs = proof?;
    let (joined_checked, outcome) = timed(|| {
        proofs.iter().try_for_each(|proof| verify_consistency(proof, size, root, older, older_root))
    });
    outcome?;
    let figure =
        |what, took| Figure { entries: size, what, times: PROOFS, took, bytes: None, bare: None };
    Ok(vec![
        figure("make an inclusion proof", took),
        figure("check an inclusion proof", checked),
        figure("make a consistency proof", joined),
        figure("check a consistency proof", joined_checked),
    ])
}

/// The log in SQLite, through the store's commit: durable, with a signed checkpoint each. And the same
/// log as a bundle.
async fn in_sqlite(folder: &Path, size: u64) -> anyhow::Result<Vec<Figure>> {
    let began = Instant::now();
    let made = Deployment::found(folder, size, size, 0).await?;
    let took = began.elapsed();
    let began = Instant::now();
    for row in &made.rows {
        black_box(sha256(&row.leaf));
    }
    let bare = Some(began.elapsed());
    ensure!(made.rows.len() == usize::try_from(size)?, "not every entry was committed");
    let bytes = made.rows.iter().map(|row| row.leaf.len()).sum::<usize>();
    let bytes = u64::try_from(bytes).ok();
    let committed = Figure { entries: size, what: COMMITTED, times: size, took, bytes, bare };
    Ok(vec![committed, bundled::measure(&folder.join("whole.bundle"), &made)?])
}

/// The stored nodes of a log, one entry's after the other's.
#[derive(Default)]
struct Nodes(Vec<TreeHash>);

impl Nodes {
    fn keep(&mut self, row: &Row) {
        self.0.extend(row.nodes.as_chunks::<32>().0);
    }

    fn at(&self, node: NodeAt) -> Option<TreeHash> {
        // Every entry has a leaf hash, and before it stand as many joins as entries less the
        // bits of their number.
        let row = node.row();
        let before = row.checked_mul(2)?.checked_sub(row.count_ones().into())?;
        let place = before.checked_add(node.level.into())?;
        self.0.get(usize::try_from(place).ok()?).copied()
    }
}

impl Figure {
    fn per_second(&self) -> Option<f64> {
        let seconds = self.took.as_secs_f64();
        (seconds > 0.0).then(|| float(self.times) / seconds)
    }

    fn microseconds(&self) -> f64 {
        self.took.as_secs_f64() * 1e6 / float(self.times)
    }

    fn megabytes_per_second(&self) -> Option<f64> {
        let seconds = self.took.as_secs_f64();
        self.bytes.filter(|_| seconds > 0.0).map(|bytes| float(bytes) / 1e6 / seconds)
    }

    /// Its speed as a part of the bare speed.
    fn ratio(&self) -> Option<f64> {
        let seconds = self.took.as_secs_f64();
        self.bare.filter(|_| seconds > 0.0).map(|bare| bare.as_secs_f64() / seconds)
    }

    fn cells(&self) -> Vec<String> {
        let per_second = self.per_second().map(|rate| thousands(&format!("{rate:.0}")));
        vec![
            thousands(&self.entries.to_string()),
            self.what.to_owned(),
            per_second.unwrap_or_else(|| "-".to_owned()),
            two_places(Some(self.microseconds())),
            two_places(self.megabytes_per_second()),
            self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.4}")),
        ]
    }

    fn document(&self) -> Value {
        json!({
            "entries": self.entries,
            "what": self.what,
            "times": self.times,
            "per_second": rounded(self.per_second()),
            "microseconds_each": rounded(Some(self.microseconds())),
            "megabytes_per_second": rounded(self.megabytes_per_second()),
            "of_bare_sha256": rounded(self.ratio()),
        })
    }
}

/// The canonical bytes of an entry about nobody.
fn leaf(seq: u64, dice: &mut Dice) -> anyhow::Result<Vec<u8>> {
    let id = Uuid::from_u64_pair(seq, dice.below(u64::MAX));
    let entry = Entry { seq, at_us: 1_800_000_000_000_000, id, event: event(seq, dice)? };
    let leaf = entry.to_bytes()?;
    ensure!(leaf.len() <= tree::LEAF_BYTES_MAX, "an entry is too long");
    Ok(leaf)
}

fn timed<T>(pass: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let made = pass();
    (began.elapsed(), made)
}

/// Exact below 2^53, which no count here comes near.
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "counts are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Entries that are made, appended, verified and forgotten at a time.
const STRETCH: u64 = 10_000;
/// Proofs of each kind.
const PROOFS: u64 = 2_000;
/// The longest log in SQLite.
const STORED_MAX: u64 = 100_000;
const COMMITTED: &str = "commit in SQLite, up to 8 at a time";

const HEADER: [&str; 6] =
    ["entries", "what", "per second", "microseconds each", "MB/s", "of bare SHA-256"];

const GROWTH: [&str; 4] =
    ["what", "microseconds each, shortest log", "longest log", "times as much"];

const WHAT_IS_COMPARED: &str = "\nAppending takes the entry's hash and joins subtrees. Verifying also \
    reads each entry and writes it again, to hold it to its one form. Bare SHA-256 takes the same \
    bytes, one entry after the other, and nothing else. A commit in SQLite is one caller's, durable, \
    with a signed checkpoint; reading the log back is in its time. A bundle is a file of JSON lines in \
    base64, and bare SHA-256 takes that file's bytes. A search is a page of 50 entries.\n";

#[cfg(test)]
mod tests;
