//! Backups: everything the gateway keeps in one file, sealed and signed, proved and put back.
//!
//! ```text
//! header    "EHCB" | version 1 | length: u32 | JSON: id, when, whose, engine, wrapped key
//! segment   part: u32 | end: u8 | length: u32 | ciphertext and tag (AES-256-GCM)
//!   part 0            the database, row by row, at one instant
//!   part 1, 2, ...    a large document each, as it is kept
//!   part 2^32 - 1     the manifest and its signature: sizes and hashes of all parts, the log's
//!                     head and its checkpoint
//! ```
//!
//! Owns that form, how a backup is [made](make), [proved](prove) and [restored](restore). It is
//! written and read as a stream, so memory does not grow with it; a file appears whole or not at
//! all, and nothing is put back unless all of it was proved. The form is the same for both engines.
//!
//! Whose eyes: the records in a backup are sealed as they are in the database, under the wrapping
//! keys, so that a key that is destroyed takes what it sealed out of every backup. Around that, a
//! backup is sealed as a whole under a *backup key* of its own and signed with the key of the log.
//! **No key is in a backup**, nor the configuration: both are kept apart by the operator.
//!
//! A backup is always older than somebody's knowledge. So a database that was restored from one is
//! *held* from its first moment ([`restore`](crate::restore)): the mark is in the same transaction as
//! the rows, whatever became of the checkpoint outside the database.
//!
//! While one is proved, a copy of the whole database stands beside, in a folder of its own. It goes with
//! whatever ends the proof; what a killed process left goes at the next ([`sweep`]).
//!
//! Must never know what a record says, or the command line.
//!
//! Limits: one row is held whole; all else by the MiB. A backup that is made keeps the database's old
//! row versions until it is done. Documents in an S3-compatible store are not in a backup: its own
//! versions and copies are for that, and the manifest says so. Not supported: backups of what changed
//! since the last one, and restoring to a moment between two, because the engines' own replication
//! does that better.

mod form;
mod making;
mod manifest;
mod opening;
mod rows;
mod scratch;

use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::vault::VaultError;

pub use making::{Made, Why, file_name, make};
pub use manifest::{Documents, Header, Manifest, PartNote};
pub use opening::{Keys, Proved, Restored, Seams, header_of, prove, restore};
pub use scratch::{Scratch, Swept, Work, places, sweep, sweep_quietly};

/// Told how many bytes have gone by.
pub type Progress<'a> = &'a mut (dyn FnMut(u64) + Send);

/// Why a backup was not made, not believed or not restored. No content.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("{}: {what}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The place of the file is taken: a backup never replaces another.
    #[error("{} is there already; a backup never replaces a file", .0.display())]
    Taken(PathBuf),
    /// It does not begin as a backup does.
    #[error("{} is not a backup of version 1", .0.display())]
    NotABackup(PathBuf),
    /// It is of another gateway.
    #[error(
        "this is a backup of {found}, and the configuration is of {wanted}; use that gateway's"
    )]
    OtherGateway {
        /// Whose backup it is.
        found: String,
        /// Who the configuration is of.
        wanted: String,
    },
    /// The key that opens it is not at hand, or a key file cannot be used.
    #[error("the backup cannot be opened with the backup keys of this configuration")]
    Key(#[source] VaultError),
    /// A segment does not open where it stands.
    #[error(
        "segment {segment}, in {part}, does not open: it was changed, moved, or is of another backup; \
         use another copy"
    )]
    Changed {
        /// Which segment, from 0.
        segment: u64,
        /// What it is in.
        part: String,
    },
    /// It ends before its end.
    #[error("the backup is cut short after {segments} segments, in {part}; use another copy")]
    CutShort {
        /// How many segments were whole.
        segments: u64,
        /// In what it ends.
        part: String,
    },
    /// Something follows after its end.
    #[error("something was added after the end of the backup; use another copy")]
    Added,
    /// A part is not what the manifest says, or not in the form it should be.
    #[error("{part} is not as the manifest says: {what}; use another copy")]
    Part {
        /// Which part.
        part: String,
        /// What differs.
        what: &'static str,
    },
    /// The manifest is not signed by the log's key of this configuration.
    #[error(
        "the manifest is not signed by this gateway's log-signing key: it is of another gateway, was \
         made by somebody else who has a backup key, or the key was changed since"
    )]
    Signature,
    /// The place is not empty.
    #[error("{0} is not empty: a backup is restored only where there is nothing to lose")]
    NotEmpty(String),
    /// The store refused or failed.
    #[error("the database refused or failed")]
    Store(#[from] StoreError),
    /// A document could not be read or put back.
    #[error("a document could not be read or kept")]
    Keeping(#[from] crate::documents::keeping::KeepingError),
    /// A document that should be there is not.
    #[error(
        "document {0} is not where it is kept; look at the store for documents, then try again"
    )]
    DocumentMissing(uuid::Uuid),
    /// The configuration or a key.
    #[error(transparent)]
    App(#[from] crate::app::AppError),
    /// The log of the backup could not be verified.
    #[error("the log in the backup could not be verified")]
    Verification(#[from] crate::verification::VerificationError),
    /// There was no randomness.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

impl BackupError {
    fn file(file: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_owned();
        move |source| {
            if source.kind() == std::io::ErrorKind::AlreadyExists {
                return Self::Taken(file);
            }
            Self::File { file, what, source }
        }
    }
}
