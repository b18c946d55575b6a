//! What was altered, how it must be reported, and how often it was.

use serde_json::{Value, json};

use super::super::figures::thousands;
use crate::audit::verify::{FaultKind, Verification};

/// A kind of alteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    EntryBit,
    HashBit,
    NumberBit,
    Deleted,
    DeletedRenumbered,
    Swapped,
    SwappedRenumbered,
    Repeated,
    RepeatedRenumbered,
    Spliced,
    SplicedRun,
    HashedAgain,
    Cut,
    Fork,
    Restored,
    Resigned,
    Misfiled,
    LookEdited,
}

/// How exactly the first bad entry was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The entry itself.
    Exact,
    /// The first of the entries that were committed together with it.
    Commit,
    /// Another one, or not with the checkpoint that shows it.
    Wrong,
    /// Nothing was reported.
    Missed,
}

/// What must be reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// The first entry that is not what it was.
    pub(super) first: u64,
    /// The first entry of its commit, where it can be located no closer.
    pub(super) commit: Option<u64>,
    /// The size of the checkpoint that must be named.
    pub(super) checkpoint: Option<u64>,
}

/// How often a kind was tried, and what came of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) tries: u64,
    pub(super) exact: u64,
    pub(super) commit: u64,
    pub(super) wrong: u64,
    pub(super) missed: u64,
    /// Tries that a verifier without a checkpoint kept elsewhere takes for whole.
    pub(super) pass_alone: u64,
    /// Tries that were read again from the first entry to the last.
    pub(super) read_whole: u64,
}

impl Kind {
    pub(super) const ALL: [Self; 18] = [
        Self::EntryBit,
        Self::HashBit,
        Self::NumberBit,
        Self::Deleted,
        Self::DeletedRenumbered,
        Self::Swapped,
        Self::SwappedRenumbered,
        Self::Repeated,
        Self::RepeatedRenumbered,
        Self::Spliced,
        Self::SplicedRun,
        Self::HashedAgain,
        Self::Cut,
        Self::Fork,
        Self::Restored,
        Self::Resigned,
        Self::Misfiled,
        Self::LookEdited,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EntryBit => "a bit of an entry flipped",
            Self::HashBit => "a bit of its hashes flipped",
            Self::NumberBit => "a bit of its number flipped",
            Self::Deleted => "deleted",
            Self::DeletedRenumbered => "deleted, the later ones renumbered",
            Self::Swapped => "swapped with the next",
            Self::SwappedRenumbered => "swapped with the next, renumbered",
            Self::Repeated => "there twice",
            Self::RepeatedRenumbered => "there twice, renumbered",
            Self::Spliced => "another deployment's entry in its place",
            Self::SplicedRun => "several of another deployment's",
            Self::HashedAgain => "changed, its own hashes made again",
            Self::Cut => "cut off from here",
            Self::Fork => "restored, then went on otherwise",
            Self::Restored => "SQLite backup restored, then went on",
            Self::Resigned => "changed, all hashes made again, signed again",
            Self::Misfiled => "a column that it is searched by edited",
            Self::LookEdited => "who was on a list that was looked at edited",
        }
    }

    /// Whether only a checkpoint that somebody else kept can show it.
    pub(super) fn needs_checkpoint(self) -> bool {
        matches!(self, Self::Cut | Self::Fork | Self::Restored | Self::Resigned)
    }
}

impl Expected {
    /// How a report compares with what must be reported.
    pub(super) fn compare(self, found: &Verification) -> Naming {
        let Some(named) = found.first_bad() else {
            return if found.is_whole() { Naming::Missed } else { Naming::Wrong };
        };
        let shown = self.checkpoint.is_none_or(|size| {
            found.faults.iter().any(|fault| {
                let (FaultKind::CutShort { checkpoint_size }
                | FaultKind::Rewritten { checkpoint_size }) = fault.what
                else {
                    return false;
                };
                fault.first_bad == Some(named) && checkpoint_size == size
            })
        });
        match named {
            _ if !shown => Naming::Wrong,
            named if named == self.first => Naming::Exact,
            named if self.commit.is_some_and(|from| (from..self.first).contains(&named)) => {
                Naming::Commit
            }
            _ => Naming::Wrong,
        }
    }
}

impl Tally {
    pub(super) fn count(&mut self, naming: Naming) {
        self.tries += 1;
        match naming {
            Naming::Exact => self.exact += 1,
            Naming::Commit => self.commit += 1,
            Naming::Wrong => self.wrong += 1,
            Naming::Missed => self.missed += 1,
        }
    }

    /// Whether this shows what it should.
    pub(super) fn holds(&self, kind: Kind) -> bool {
        let honest = !kind.needs_checkpoint() || self.pass_alone == self.tries;
        self.tries > 0 && self.missed == 0 && self.wrong == 0 && honest && self.read_whole > 0
    }

    pub(super) fn cells(&self, kind: Kind) -> Vec<String> {
        let count = |count: u64| thousands(&count.to_string());
        let alone = if kind.needs_checkpoint() { count(self.pass_alone) } else { "-".to_owned() };
        vec![
            kind.name().to_owned(),
            count(self.tries),
            count(self.tries - self.missed),
            count(self.exact),
            count(self.commit),
            count(self.wrong),
            count(self.missed),
            alone,
        ]
    }

    pub(super) fn document(&self, kind: Kind) -> Value {
        json!({
            "alteration": kind.name(),
            "tries": self.tries,
            "found": self.tries - self.missed,
            "first_bad_entry_named": self.exact,
            "first_of_its_commit_named": self.commit,
            "wrongly_named": self.wrong,
            "missed": self.missed,
            "needs_a_checkpoint_kept_elsewhere": kind.needs_checkpoint(),
            "pass_without_one": self.pass_alone,
            "read_again_from_first_to_last": self.read_whole,
        })
    }
}

pub(super) const HEADER: [&str; 8] = [
    "alteration",
    "tries",
    "found",
    "entry named",
    "its commit named",
    "wrongly named",
    "missed",
    "pass without a kept checkpoint",
];
