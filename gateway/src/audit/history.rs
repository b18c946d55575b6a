//! Checkpoints held against each other: is it one history that was signed, or more than one?
//!
//! Owns the judgement over heads of one log that somebody outside kept, from receipts, files or a
//! published folder, with whatever ties them: consistency proofs, or the tree itself. It needs
//! nothing of the gateway. Signatures were checked when a [`Checkpoint`] was parsed, so two heads
//! that contradict are proof that the owner of the key signed two histories. Pure.
//!
//! ```
//! # use gateway::audit::history::{Kept, Ties, judge};
//! # fn look(kept: &[Kept]) {
//! let judged = judge(kept, &Ties::default());
//! assert!(judged.contradictions.is_empty());
//! # }
//! ```
//!
//! Limits: a proof ties two heads only; the words say which one is still wanted.

use serde::{Deserialize, Serialize};

use super::bundle::Base64Hash;
use super::checkpoint::Checkpoint;
use super::tree::{Frontier, NodeAt, TreeHash, consistency_roots};

/// A head of the log, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// A few words: a file, a receipt.
    pub place: String,
    /// The head.
    pub checkpoint: Checkpoint,
}

/// A consistency proof, as `GET /v1/audit/consistency` answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The older size, from 1.
    pub from: u64,
    /// The newer size.
    pub to: u64,
    /// The hashes.
    pub hashes: Vec<Base64Hash>,
}

/// What ties heads to each other.
#[derive(Default)]
pub struct Ties<'a> {
    /// Consistency proofs.
    pub links: Vec<Link>,
    /// A tree of this many entries that can be looked into, such as a published log's.
    pub tree: Option<(u64, ReadNode<'a>)>,
}

/// Finds a node of a tree.
pub type ReadNode<'a> = &'a dyn Fn(NodeAt) -> Option<TreeHash>;

/// What heads say about each other, in plain words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// What is proved.
    pub proved: Vec<String>,
    /// What is not, and what would prove it.
    pub not_proved: Vec<String>,
    /// What cannot all be true of one log that only grows.
    pub contradictions: Vec<String>,
}

/// What a pair of heads, the smaller first, comes to.
enum Pair {
    Continues,
    Rewritten,
    Unknown,
    /// A proof was given and does not hold for these heads.
    Useless,
}

/// Holds heads of one log against each other.
pub fn judge(kept: &[Kept], ties: &Ties<'_>) -> Judged {
    let mut judged = Judged::default();
    let mut heads: Vec<&Kept> = kept.iter().collect();
    heads.sort_by_key(|head| (head.checkpoint.size, head.checkpoint.at));
    for (older, newer) in heads.iter().zip(heads.iter().skip(1)) {
        judged.pair(older, newer, ties);
    }
    heads.sort_by_key(|head| (head.checkpoint.at, head.checkpoint.size));
    let mut largest: Option<&Kept> = None;
    for head in heads {
        if let Some(before) = largest.filter(|before| is_shorter_later(before, head)) {
            judged.contradictions.push(format!(
                "The log became shorter: {} entries at {} ({}), and {} later, at {} ({}). It was cut or restored from a backup.",
                before.checkpoint.size,
                before.checkpoint.at,
                before.place,
                head.checkpoint.size,
                head.checkpoint.at,
                head.place,
            ));
        }
        let larger = largest.is_none_or(|before| head.checkpoint.size > before.checkpoint.size);
        largest = if larger { Some(head) } else { largest };
    }
    judged
}

impl Judged {
    /// Whether nothing contradicts.
    pub fn is_one_history(&self) -> bool {
        self.contradictions.is_empty()
    }

    fn pair(&mut self, older: &Kept, newer: &Kept, ties: &Ties<'_>) {
        let (a, b) = (&older.checkpoint, &newer.checkpoint);
        if a.size == b.size {
            if a.root != b.root {
                self.contradictions.push(format!(
                    "FORK: two different logs of {} entries are signed by the same key: {}, of {}, and {}, of {}. Keep both: together they are the proof.",
                    a.size, older.place, a.at, newer.place, b.at
                ));
            }
            return;
        }
        match Pair::of(a, b, ties) {
            Pair::Continues => self.proved.push(format!(
                "The log of {} entries ({}) begins with the log of {} entries ({}): nothing of it was changed, removed or moved.",
                b.size, newer.place, a.size, older.place
            )),
            Pair::Rewritten => self.contradictions.push(format!(
                "REWRITTEN: the log of {} entries ({}) does not begin with the log of {} entries ({}), and both are signed by the same key. Keep both, and the proof.",
                b.size, newer.place, a.size, older.place
            )),
            Pair::Unknown => self.not_proved.push(format!(
                "That the log of {} entries ({}) begins with the log of {} entries ({}). Fetch GET /v1/audit/consistency?from={}&to={} and give it with --proof, or give the published log with --log.",
                b.size, newer.place, a.size, older.place, a.size, b.size
            )),
            Pair::Useless => self.contradictions.push(format!(
                "The proof from {} to {} entries does not hold for what was signed. Fetch it again; if it still does not, history was REWRITTEN.",
                a.size, b.size
            )),
        }
    }
}

impl Pair {
    fn of(older: &Checkpoint, newer: &Checkpoint, ties: &Ties<'_>) -> Self {
        if older.size == 0 {
            return Self::Continues;
        }
        let mut useless = false;
        let fits = |link: &&Link| link.from == older.size && link.to == newer.size;
        for link in ties.links.iter().filter(fits) {
            let proof: Vec<TreeHash> = link.hashes.iter().map(|hash| hash.0).collect();
            match consistency_roots(&proof, newer.size, older.size, older.root) {
                Some((old, new)) if new == newer.root && old == older.root => {
                    return Self::Continues;
                }
                Some((old, new)) if new == newer.root && old != older.root => {
                    return Self::Rewritten;
                }
                Some(_) | None => useless = true,
            }
        }
        let root_of = |size: u64| {
            let (_, read) = ties.tree.filter(|(whole, _)| size <= *whole)?;
            Frontier::rebuild(size, read).ok()?.root().ok()
        };
        match (root_of(older.size), root_of(newer.size)) {
            (Some(old), Some(new)) if new == newer.root => {
                if old == older.root {
                    Self::Continues
                } else {
                    Self::Rewritten
                }
            }
            // The newer head is of another history than this tree, and the older one of this.
            (Some(old), Some(_)) if old == older.root => Self::Rewritten,
            (Some(_) | None, Some(_) | None) => {
                if useless {
                    Self::Useless
                } else {
                    Self::Unknown
                }
            }
        }
    }
}

/// Whether a head was signed clearly after a larger one.
fn is_shorter_later(before: &Kept, head: &Kept) -> bool {
    let seconds = head.checkpoint.at.as_second() - before.checkpoint.at.as_second();
    head.checkpoint.size < before.checkpoint.size && seconds > CLOCKS_AGREE_SECONDS
}

/// Gateways that share a log may differ in their clocks by less than this.
const CLOCKS_AGREE_SECONDS: i64 = 120;

#[cfg(test)]
mod tests;
