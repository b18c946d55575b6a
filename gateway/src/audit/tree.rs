//! The Merkle tree of the log: hashes, proofs and what they prove. Pure.
//!
//! Owns the arithmetic (RFC 9162 section 2.1, through `tlog_tiles`) and the form in which nodes are
//! stored. It must never know an entry's content, a store or a key.
//!
//! With each entry its *nodes* are stored: its leaf hash, then the hash of every subtree that it
//! completes, smallest first. So node `n` of a level stands in the row of entry
//! `((n + 1) << level) - 1`, at byte `level * 32`: see [`NodeAt`].
//!
//! ```
//! use gateway::audit::tree::{Frontier, leaf_hash};
//! let mut frontier = Frontier::default();
//! let nodes = frontier.append(b"an entry").unwrap();
//! assert_eq!(nodes, leaf_hash(b"an entry"));
//! assert_eq!(frontier.root().unwrap(), leaf_hash(b"an entry"));
//! ```
//!
//! Proofs are made in two steps, because their nodes may have to be fetched: ask which nodes
//! ([`inclusion_nodes`], [`consistency_nodes`]), fetch them, then make the proof.
//! Limits: at most [`SIZE_MAX`] entries.

use std::cell::RefCell;

use tlog_tiles::tlog::{self, Hash, HashReader};

/// The hash of a tree or node.
pub type TreeHash = [u8; 32];

/// Why a tree could not be computed or a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A node that is needed was not given.
    #[error("a node of the tree is missing")]
    MissingNode,
    /// The bytes are not those of a frontier.
    #[error("not the frontier of a tree")]
    Frontier,
    /// The numbers do not fit together, or are too large.
    #[error("no such entry or size in the tree")]
    Range,
    /// An entry is longer than [`LEAF_BYTES_MAX`].
    #[error("an entry is longer than 65,535 bytes")]
    Leaf,
    /// The proof does not prove it.
    #[error("the proof does not hold")]
    Proof,
}

/// Where a node is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAt {
    /// The level: 0 is the leaves.
    pub level: u8,
    /// The number of the node on its level, from 0.
    pub number: u64,
}

/// The roots of the largest complete subtrees: all that is needed to append.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One hash for each bit set in `size`, largest subtree first.
    hashes: Vec<TreeHash>,
}

impl NodeAt {
    /// The entry in whose row the node is stored.
    pub fn row(self) -> u64 {
        self.number
            .checked_add(1)
            .and_then(|next| next.checked_mul(1_u64.checked_shl(u32::from(self.level))?))
            .map_or(u64::MAX, |end| end.saturating_sub(1))
    }

    /// The node, from the nodes stored with its row.
    pub fn pick(self, nodes: &[u8]) -> Option<TreeHash> {
        nodes.chunks_exact(32).nth(usize::from(self.level))?.try_into().ok()
    }

    fn from_index(index: u64) -> Self {
        let (level, number) = tlog::split_stored_hash_index(index);
        Self { level, number }
    }
}

impl Frontier {
    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry; answers the nodes to store with it.
    pub fn append(&mut self, leaf: &[u8]) -> Result<Vec<u8>, TreeError> {
        if leaf.len() > LEAF_BYTES_MAX {
            return Err(TreeError::Leaf);
        }
        self.append_hash(leaf_hash(leaf))
    }

    /// Appends an entry known by its leaf hash; answers the nodes to store with it.
    pub fn append_hash(&mut self, leaf: TreeHash) -> Result<Vec<u8>, TreeError> {
        if self.size >= SIZE_MAX {
            return Err(TreeError::Range);
        }
        let reader = Reading(|node| self.node(node));
        let nodes = tlog::stored_hashes_for_record_hash(self.size, Hash(leaf), &reader)
            .or(Err(TreeError::MissingNode))?;
        let joined = nodes.len().saturating_sub(1);
        self.hashes.truncate(self.hashes.len().saturating_sub(joined));
        self.hashes.extend(nodes.last().map(|hash| hash.0));
        self.size = self.size.saturating_add(1);
        Ok(nodes.iter().flat_map(|hash| hash.0).collect())
    }

    /// The hash of the whole tree.
    pub fn root(&self) -> Result<TreeHash, TreeError> {
        let reader = Reading(|node| self.node(node));
        tlog::tree_hash(self.size, &reader).map(|hash| hash.0).or(Err(TreeError::MissingNode))
    }

    /// The nodes from which the frontier of a size is made again with [`Frontier::rebuild`].
    pub fn nodes(size: u64) -> Vec<NodeAt> {
        if size > SIZE_MAX {
            return Vec::new();
        }
        tlog::sub_tree_index(0, size, Vec::new()).into_iter().map(NodeAt::from_index).collect()
    }

    /// Makes the frontier of a size again from stored nodes.
    pub fn rebuild(
        size: u64,
        read: impl Fn(NodeAt) -> Option<TreeHash>,
    ) -> Result<Self, TreeError> {
        if size > SIZE_MAX {
            return Err(TreeError::Range);
        }
        let hashes = Self::nodes(size).into_iter().map(read).collect::<Option<_>>();
        Ok(Self { size, hashes: hashes.ok_or(TreeError::MissingNode)? })
    }

    /// The roots of the complete subtrees, largest first.
    pub fn hashes(&self) -> &[TreeHash] {
        &self.hashes
    }

    /// The size in eight bytes, then the hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.size.to_be_bytes().as_slice(), self.hashes.as_flattened()].concat()
    }

    /// From what [`Frontier::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TreeError> {
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(TreeError::Frontier)?;
        let size = u64::from_be_bytes(*size);
        let (hashes, rest) = rest.as_chunks::<32>();
        let fits = u32::try_from(hashes.len()).is_ok_and(|count| count == size.count_ones());
        if !fits || !rest.is_empty() || size > SIZE_MAX {
            return Err(TreeError::Frontier);
        }
        Ok(Self { size, hashes: hashes.to_vec() })
    }

    fn node(&self, node: NodeAt) -> Option<TreeHash> {
        let place = Self::nodes(self.size).into_iter().position(|at| at == node)?;
        self.hashes.get(place).copied()
    }
}

/// The hash of an entry's bytes as a leaf.
pub fn leaf_hash(leaf: &[u8]) -> TreeHash {
    tlog::record_hash(leaf).0
}

/// The hash of the subtree over two of the same size.
pub fn node_hash(left: TreeHash, right: TreeHash) -> TreeHash {
    tlog::node_hash(Hash(left), Hash(right)).0
}

/// The nodes needed to prove that a tree of this size has this entry.
pub fn inclusion_nodes(size: u64, seq: u64) -> Result<Vec<NodeAt>, TreeError> {
    needed(|reader| inclusion(size, seq, reader).map(drop))
}

/// Proves that a tree of this size has this entry.
pub fn inclusion_proof(
    size: u64,
    seq: u64,
    read: impl Fn(NodeAt) -> Option<TreeHash>,
) -> Result<Vec<TreeHash>, TreeError> {
    inclusion(size, seq, &Reading(read))
}

/// The nodes needed to prove that a tree of this size begins with that of an older size.
pub fn consistency_nodes(size: u64, older: u64) -> Result<Vec<NodeAt>, TreeError> {
    needed(|reader| consistency(size, older, reader).map(drop))
}

/// Proves that a tree of this size begins with that of an older size, from 1.
pub fn consistency_proof(
    size: u64,
    older: u64,
    read: impl Fn(NodeAt) -> Option<TreeHash>,
) -> Result<Vec<TreeHash>, TreeError> {
    consistency(size, older, &Reading(read))
}

/// Checks that the tree of this size and root has this leaf at this place.
pub fn verify_inclusion(
    proof: &[TreeHash],
    size: u64,
    root: TreeHash,
    seq: u64,
    leaf: TreeHash,
) -> Result<(), TreeError> {
    in_range(proof, size, seq < size)?;
    let proof: Vec<Hash> = proof.iter().copied().map(Hash).collect();
    tlog::check_record(&proof, size, Hash(root), seq, Hash(leaf)).or(Err(TreeError::Proof))
}

/// Checks that the tree of this size and root begins with the older one.
pub fn verify_consistency(
    proof: &[TreeHash],
    size: u64,
    root: TreeHash,
    older: u64,
    older_root: TreeHash,
) -> Result<(), TreeError> {
    in_range(proof, size, (1..=size).contains(&older))?;
    let proof: Vec<Hash> = proof.iter().copied().map(Hash).collect();
    tlog::check_tree(&proof, size, Hash(root), older, Hash(older_root)).or(Err(TreeError::Proof))
}

/// The roots that a consistency proof leads to (RFC 9162 section 2.1.4.2): of the older size and of
/// this one. `None` when it is no proof for these sizes. When the second is the root that was signed
/// and the first is not the one that was signed before, the older tree was replaced. For an older
/// size that is a power of two the proof leaves out the older root, so the first is `older_root`
/// itself.
pub fn consistency_roots(
    proof: &[TreeHash],
    size: u64,
    older: u64,
    older_root: TreeHash,
) -> Option<(TreeHash, TreeHash)> {
    in_range(proof, size, (1..size).contains(&older)).ok()?;
    let mut hashes =
        older.is_power_of_two().then_some(older_root).into_iter().chain(proof.iter().copied());
    let (mut left, mut right) = (older - 1, size - 1);
    while left & 1 == 1 {
        (left, right) = (left >> 1, right >> 1);
    }
    let first = hashes.next()?;
    let (mut old, mut new) = (first, first);
    for hash in hashes {
        if right == 0 {
            return None;
        }
        if left & 1 == 1 || left == right {
            (old, new) = (node_hash(hash, old), node_hash(hash, new));
            while left & 1 == 0 && left != 0 {
                (left, right) = (left >> 1, right >> 1);
            }
        } else {
            new = node_hash(new, hash);
        }
        (left, right) = (left >> 1, right >> 1);
    }
    (right == 0).then_some((old, new))
}

/// Reads nodes from wherever they are.
struct Reading<F>(F);

impl<F: Fn(NodeAt) -> Option<TreeHash>> HashReader for Reading<F> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let read = |index: &u64| (self.0)(NodeAt::from_index(*index)).map(Hash);
        indexes.iter().map(read).collect::<Option<_>>().ok_or(tlog::Error::IndexesNotInTree)
    }
}

/// Writes down which nodes are asked for and gives nothing of worth.
struct Recording(RefCell<Vec<NodeAt>>);

impl HashReader for Recording {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        self.0.borrow_mut().extend(indexes.iter().copied().map(NodeAt::from_index));
        Ok(vec![Hash::default(); indexes.len()])
    }
}

fn needed(ask: impl FnOnce(&Recording) -> Result<(), TreeError>) -> Result<Vec<NodeAt>, TreeError> {
    let recording = Recording(RefCell::default());
    ask(&recording)?;
    Ok(recording.0.into_inner())
}

fn inclusion<R: HashReader>(size: u64, seq: u64, reader: &R) -> Result<Vec<TreeHash>, TreeError> {
    in_range(&[], size, seq < size)?;
    let proof = tlog::prove_record(size, seq, reader).or(Err(TreeError::MissingNode))?;
    Ok(proof.into_iter().map(|hash| hash.0).collect())
}

fn consistency<R: HashReader>(
    size: u64,
    older: u64,
    reader: &R,
) -> Result<Vec<TreeHash>, TreeError> {
    in_range(&[], size, (1..=size).contains(&older))?;
    let proof = tlog::prove_tree(size, older, reader).or(Err(TreeError::MissingNode))?;
    Ok(proof.into_iter().map(|hash| hash.0).collect())
}

/// The library's own arithmetic is only asked about numbers it can do.
fn in_range(proof: &[TreeHash], size: u64, within: bool) -> Result<(), TreeError> {
    if within && size <= SIZE_MAX && proof.len() <= PROOF_HASHES_MAX {
        return Ok(());
    }
    Err(TreeError::Range)
}

/// The largest log: 2^40 entries.
pub const SIZE_MAX: u64 = 1 << 40;
/// The longest entry: its length has two bytes in a tile (C2SP tlog-tiles).
pub const LEAF_BYTES_MAX: usize = 65_535;
const PROOF_HASHES_MAX: usize = 128;

#[cfg(test)]
mod tests;
