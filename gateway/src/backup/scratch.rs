//! What is made beside a backup while one is made, proved or rehearsed, and what is left of it by a
//! process that was killed.
//!
//! Whoever proves a backup has a copy of the whole database in a folder meanwhile, in which only the
//! records are sealed. It goes with what holds it, whether the work came to its end or was given up.
//! A process that is killed has no such moment, so the next that works there [sweeps](sweep) first.
//! What is still worked on is told by a lock on the folder or file, which the operating system lets go
//! of with the process that has it, however it ends: neither an age nor a number of a process is
//! believed.
//!
//! It must never know what is in a folder. Limits: one folder is looked into, not those below it. On
//! a file system without locks nothing is swept, because what is left cannot be told from what is
//! worked on. Not supported: writing over what is removed, which a file system need not do in place;
//! use an encrypted disk.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::BackupError;
use crate::config::Config;
use crate::whole_file;

/// A folder for its owner only, removed with all that is in it.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Says that it is worked on; nothing where there are no locks.
    _held: Option<File>,
}

/// What a folder is made for; begins its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A backup is proved.
    Proof,
    /// All of it is rehearsed.
    Drill,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many folders and files of processes that are no more were removed.
    pub removed: u64,
    /// How many could not be removed.
    pub left: u64,
}

impl Scratch {
    /// Makes a folder of its own within one, which is made when it is not there.
    pub fn make(within: &Path, work: Work, unique: Uuid) -> Result<Self, BackupError> {
        let made = std::fs::create_dir_all(within);
        made.map_err(BackupError::file(within, "the folder cannot be made"))?;
        let folder = within.join(format!("{}{unique}", work.prefix()));
        let fault = || BackupError::file(&folder, "the folder cannot be made");
        for _ in 0..MADE_AGAIN {
            whole_file::ensure_folder(&folder, 0o700).map_err(fault())?;
            match whole_file::hold(&folder) {
                Ok(Some(held)) => return Ok(Self { folder, _held: Some(held) }),
                // Somebody sweeps, and came between making and holding it.
                Ok(None) => {}
                Err(_) => return Ok(Self { folder, _held: None }),
            }
        }
        Err(fault()(io::ErrorKind::ResourceBusy.into()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for _ in 0..REMOVED_AGAIN {
            match std::fs::remove_dir_all(&self.folder) {
                Ok(()) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                // A connection to a database in it is still closing.
                Err(_) => std::thread::sleep(WAIT),
            }
        }
    }
}

impl Work {
    fn prefix(self) -> &'static str {
        match self {
            Self::Proof => PROOF,
            Self::Drill => DRILL,
        }
    }
}

/// Removes what processes that are no more have left in these folders. What cannot be removed is left,
/// and counted: it keeps nobody from working.
pub fn sweep<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Swept {
    let mut swept = Swept::default();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // A folder that is not there has nothing left in it.
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(is_ours) {
                continue;
            }
            match remove(&entry.path()) {
                Ok(true) => swept.removed += 1,
                Ok(false) => {}
                Err(_) => swept.left += 1,
            }
        }
    }
    swept
}

/// The folders of a configuration in which something may be left: where backups are proved unless
/// another is named, and where the gateway makes them by itself.
pub fn places(config: &Config) -> impl Iterator<Item = &Path> {
    [config.gateway.data_dir.as_path()].into_iter().chain(config.backup.to.as_deref())
}

/// The same for a gateway that runs: in its own folders, and what was found goes into its messages.
pub fn sweep_quietly(config: &Config) {
    let Swept { removed, left } = sweep(places(config));
    if removed > 0 {
        tracing::info!(removed, "what interrupted backup commands had left was removed");
    }
    if left > 0 {
        tracing::error!(left, "what interrupted backup commands have left cannot be removed");
    }
}

/// Whether it was removed; not when somebody works on it.
fn remove(path: &Path) -> io::Result<bool> {
    let kind = std::fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return Ok(false);
    }
    let Some(_held) = whole_file::hold(path)? else { return Ok(false) };
    if kind.is_dir() {
        std::fs::remove_dir_all(path)?;
    } else {
        std::fs::remove_file(path)?;
    }
    Ok(true)
}

/// The name beside its place of a backup that is being written ([`whole_file::Staged`] adds to it).
pub(super) fn staged_name(id: Uuid) -> String {
    format!("backup-{id}")
}

/// Whether something of this name is made here: a folder, or a backup that is not in its place yet.
fn is_ours(name: &str) -> bool {
    let rest = [PROOF, DRILL].into_iter().find_map(|prefix| name.strip_prefix(prefix));
    let id = rest.map(|rest| rest.strip_suffix(".partial").unwrap_or(rest));
    id.is_some_and(|id| id.len() == ID_LENGTH && Uuid::try_parse(id).is_ok())
}

const PROOF: &str = ".backup-";
const DRILL: &str = ".drill-";
/// An id with its hyphens.
const ID_LENGTH: usize = 36;
/// Sweeps come one at a time and seldom.
const MADE_AGAIN: usize = 3;
/// With [`WAIT`]: two seconds for a database to close.
const REMOVED_AGAIN: usize = 40;
const WAIT: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
