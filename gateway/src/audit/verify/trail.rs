//! The tree as the stored hashes tell it, and which entry a contradiction points at.
//!
//! Owns the question behind "the first entry that is wrong". A row that does not fit what stands
//! before it may have been changed itself, or be the first honest one after an entry that was
//! replaced together with its own hash. Later rows and checkpoints hold hashes over both, so both
//! readings are followed until one of them tells. It must never know entries or checkpoints.
//!
//! Limits: what no later row and no checkpoint covers is not settled; the row itself is then
//! named. Of two readings that both fail, the row and what it alone vouches for are named.

use crate::audit::tree::{Frontier, TreeHash, node_hash};

/// The roots of the largest complete subtrees so far, with what is in doubt about them.
#[derive(Debug, Clone)]
pub(super) struct Trail {
    size: u64,
    /// Largest subtree first.
    nodes: Vec<Node>,
}

/// What a row turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// The row does not agree with its hashes, or they with the rows before it.
    pub(super) contradicts: bool,
    /// What is now known of rows that contradicted before.
    pub(super) settled: Vec<Settled>,
}

/// A contradiction that is explained: an entry from `first` on was replaced; `row` showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) row: u64,
    pub(super) first: u64,
}

/// A complete subtree.
#[derive(Debug, Clone, Copy)]
struct Node {
    hash: TreeHash,
    /// The other reading, where there is one.
    other: Option<TreeHash>,
    doubt: Option<Doubt>,
    /// An entry in it is known to be wrong, so that a hash that does not fit points at nothing new.
    known: bool,
}

/// A row whose stored hash contradicts the rows before it, not settled yet.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    row: u64,
    /// The first that may be wrong if the stored hash proves right.
    if_stored: u64,
    /// The first that may be wrong if neither reading proves right.
    if_neither: u64,
}

/// Which of two readings proved right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Followed,
    Other,
    Neither,
}

impl Trail {
    /// Goes on after a tree that is known to be right.
    pub(super) fn after(tree: &Frontier) -> Self {
        let nodes = tree.hashes().iter().copied().map(Node::sure).collect();
        Self { size: tree.size(), nodes }
    }

    /// Appends a row: the hash of its entry as it is, and the hashes stored with it; `known` when
    /// the entry is wrong in itself.
    pub(super) fn append(&mut self, honest: TreeHash, stored: &[u8], known: bool) -> Findings {
        let row = self.size;
        self.size = self.size.saturating_add(1);
        let joins = self.size.trailing_zeros();
        let (stored, rest) = stored.as_chunks::<32>();
        let mut findings = Findings::default();
        let right_length = u32::try_from(stored.len()).is_ok_and(|count| count == joins + 1);
        findings.contradicts = !right_length || !rest.is_empty();
        let mut stored = stored.iter().copied();
        let known = known || findings.contradicts;
        let mut right = Node { known, ..Node::sure(honest) };
        // The stored hash is followed, so that one changed entry does not make later ones look bad.
        if let Some(leaf) = stored.next().filter(|leaf| *leaf != honest) {
            findings.contradicts = true;
            right = Node { hash: leaf, other: Some(honest), doubt: None, known: true };
        }
        for level in 1..=joins {
            let Some(left) = self.nodes.pop() else { break };
            right = match stored.next() {
                Some(stored) => join([left, right], stored, (row, level), &mut findings),
                None => Node { known: true, ..Node::sure(node_hash(left.hash, right.hash)) },
            };
        }
        self.nodes.push(right);
        findings
    }

    /// Whether a contradiction is not settled yet.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.nodes.iter().any(|node| node.doubt.is_some())
    }

    /// The hash of the whole tree, as it is followed.
    pub(super) fn root(&self) -> Option<TreeHash> {
        self.root_of(|node| node.hash)
    }

    /// Whether the tree is the one with this root, in either reading, and what that settles.
    pub(super) fn compare(&mut self, root: TreeHash) -> (bool, Vec<Settled>) {
        let reading = if self.root() == Some(root) {
            Reading::Followed
        } else if self.root_of(|node| node.other.unwrap_or(node.hash)) == Some(root) {
            Reading::Other
        } else {
            Reading::Neither
        };
        let mut settled = Vec::new();
        for node in &mut self.nodes {
            settled.extend(node.doubt.and_then(|doubt| doubt.settle(reading)));
            *node = match reading {
                Reading::Followed => Node::sure(node.hash),
                Reading::Other => Node::sure(node.other.unwrap_or(node.hash)),
                Reading::Neither => {
                    Node { known: node.known || node.doubt.is_some(), doubt: None, ..*node }
                }
            };
        }
        (reading != Reading::Neither, settled)
    }

    fn root_of(&self, read: impl Fn(&Node) -> TreeHash) -> Option<TreeHash> {
        let mut roots = self.nodes.iter().rev().map(read);
        match roots.next() {
            Some(last) => Some(roots.fold(last, |right, left| node_hash(left, right))),
            None => Frontier::default().root().ok(),
        }
    }
}

/// Joins two subtrees under the hash stored for both by a row, at a level from 1.
fn join(
    [left, right]: [Node; 2],
    stored: TreeHash,
    (row, level): (u64, u32),
    findings: &mut Findings,
) -> Node {
    let readings = |node: Node| {
        let other = node.other.map(|hash| (hash, Reading::Other));
        [Some((node.hash, Reading::Followed)), other].into_iter().flatten()
    };
    let explained = readings(left).find_map(|(first, of_left)| {
        readings(right)
            .find(|(second, _)| node_hash(first, *second) == stored)
            .map(|(_, of_right)| (of_left, of_right))
    });
    let mut settle = |node: Node, reading| {
        findings.settled.extend(node.doubt.and_then(|doubt: Doubt| doubt.settle(reading)));
    };
    if let Some((of_left, of_right)) = explained {
        settle(left, of_left);
        settle(right, of_right);
        return Node::sure(stored);
    }
    let begins = |level: u32| (row + 1).saturating_sub(1_u64.checked_shl(level).unwrap_or(0));
    let computed = node_hash(left.hash, right.hash);
    let own = right.doubt.filter(|doubt| doubt.row == row);
    settle(left, Reading::Neither);
    if left.known
        || right.known
        || (own.is_none() && (left.doubt.is_some() || right.doubt.is_some()))
    {
        // What is known to be wrong below explains it. The later row is followed, if it is sound.
        settle(right, Reading::Neither);
        let (hash, other) = if right.known { (computed, stored) } else { (stored, computed) };
        return Node { hash, other: Some(other), doubt: None, known: true };
    }
    findings.contradicts = true;
    let if_neither = own.map_or(begins(level - 1), |doubt| doubt.if_neither);
    let doubt = Some(Doubt { row, if_stored: begins(level), if_neither });
    Node { hash: computed, other: Some(stored), doubt, known: false }
}

impl Node {
    fn sure(hash: TreeHash) -> Self {
        Self { hash, other: None, doubt: None, known: false }
    }
}

impl Doubt {
    /// What it comes to; nothing when only the row's own stored hash was wrong.
    fn settle(self, reading: Reading) -> Option<Settled> {
        let first = match reading {
            Reading::Followed => return None,
            Reading::Other => self.if_stored,
            Reading::Neither => self.if_neither,
        };
        (first < self.row).then_some(Settled { row: self.row, first })
    }
}
