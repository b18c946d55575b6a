//! What the verifier may find wrong, and how it says so in plain words.

use std::fmt;

use schemas::RecordId;
use serde::Serialize;

use super::LookUpFault;
use crate::audit::alias::Period;

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
    /// This entry, or one after it, was replaced together with its own hash: what the later one
    /// vouches for is not what stands here.
    Replaced {
        /// The last that may be meant.
        last: u64,
    },
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
    /// The entry says that a sealed record was removed, and it is there.
    RecordNotRemoved {
        /// Which.
        record: RecordId,
    },
    /// The entry says that a sealed record was removed that is not the one that was vouched for.
    RecordRemovedOther {
        /// Which.
        record: RecordId,
    },
    /// What the store searches the entry by is not what the entry says: a search may miss it.
    Misfiled {
        /// The columns that differ.
        columns: Vec<&'static str>,
    },
    /// Who the store says was on the list that was looked at is not whom the entry vouches for.
    LookChanged,
    /// The look-up of a period is not as the log says.
    LookUp {
        /// Which.
        period: Period,
        /// What is wrong with it.
        look_up: LookUpFault,
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

/// What the entries of a bundle are proved by (see [`bundle`](crate::audit::bundle)).
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
            Self::Replaced { last } => write!(
                f,
                "it, or an entry after it up to {last}, was replaced together with its own hash"
            ),
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
            Self::RecordNotRemoved { record } => write!(
                f,
                "the sealed record {record}, which this entry says was removed, is there again"
            ),
            Self::RecordRemovedOther { record } => write!(
                f,
                "says that other bytes of the record {record} were removed than those that an \
                 earlier entry vouches for"
            ),
            Self::Misfiled { columns } => write!(
                f,
                "what it is searched by is not what it says, so that a search may miss it: {}",
                columns.join(", ")
            ),
            Self::LookChanged => f.write_str(
                "who was on the list that was looked at is not whom this entry vouches for",
            ),
            Self::LookUp { period, look_up } => write!(f, "the look-up of {period}: {look_up}"),
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
            Self::Foreign => f.write_str(
                "neither names the partner that the bundle is about nor is about its messages",
            ),
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
