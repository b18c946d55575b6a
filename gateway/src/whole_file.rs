//! Files and folders that appear whole or not at all.
//!
//! Owns how something is written so that a reader, a crash or a full disk never meets half of it:
//! beside its place under a hidden name, flushed, and then renamed into place in one step. It must
//! never know what is in a file. Paths given here are made of our own ids and of folders the
//! operator named.
//!
//! What is worked on for long is [held](hold): the operating system lets go of it with the process, so
//! that what a killed one left is told from what is still being written.
//!
//! Limits: one file system, since a rename is atomic only there; the folder itself belongs to the
//! operator, who decides who may read it. Not supported: keeping others out by a lock, because whoever
//! shares the folder need not honour it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts a file into place, over whatever file is there. `unique` keeps two writers apart.
pub fn replace(path: &Path, content: &[u8], unique: &str) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let staged = folder.join(format!(".{unique}.partial"));
    let written = create(&staged, content, mode_within(folder)?)
        .and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        drop(std::fs::remove_file(&staged));
    }
    written.and_then(|()| flush_folder(folder))
}

/// Writes a new file and flushes it. Fails when something is there.
pub fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    // Set, not asked for: what the process masks must not keep the folder's group out.
    file.set_permissions(Permissions::from_mode(mode & 0o666))?;
    file.write_all(content)?;
    file.sync_all()
}

/// A file that is written bit by bit, beside its place, for its owner only, until it is put into
/// place. Dropped before that, it is removed. It is [held](hold) until then, where there are locks.
#[derive(Debug)]
pub struct Staged {
    beside: PathBuf,
    path: PathBuf,
    is_put: bool,
    _held: File,
}

impl Staged {
    /// Begins a file; what is given is written to. Refuses when the place is taken.
    pub fn begin(path: &Path, unique: &str) -> io::Result<(Self, File)> {
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let beside = folder.join(format!(".{unique}.partial"));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        let path = folder.join(path.file_name().unwrap_or_default());
        // The lock is of both handles, and goes with the last of them.
        let staged = Self { beside, path, is_put: false, _held: file.try_clone()? };
        match file.try_lock() {
            Ok(()) if is_at(&staged.beside, &file)? => {}
            // Without locks nobody clears away what is there.
            Err(TryLockError::Error(_)) => {}
            // Somebody clears away, and came between making and holding it.
            Ok(()) | Err(TryLockError::WouldBlock) => {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
        }
        Ok((staged, file))
    }

    /// Puts the file, which must be flushed, into its place, and makes that durable.
    pub fn put(mut self) -> io::Result<()> {
        if self.path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(&self.beside, &self.path)?;
        self.is_put = true;
        flush_folder(self.path.parent().ok_or(io::ErrorKind::InvalidInput)?)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_put {
            drop(std::fs::remove_file(&self.beside));
        }
    }
}

/// Holds the file or folder at a path as worked on, for as long as what is given lives. `None` when
/// another process holds it, or has just removed it. Errors where the file system has no locks.
pub fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(is_at(path, &file)?.then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether what was opened is still what is at a path.
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(here) => Ok((here.dev(), here.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder with these permissions. One that is there stays as it is; anything else of that
/// name, a link included, is an error.
pub fn ensure_folder(path: &Path, mode: u32) -> io::Result<()> {
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let made = std::fs::metadata(path)?.permissions().mode();
            let mode = (made & 0o7000) | (mode & 0o777);
            std::fs::set_permissions(path, Permissions::from_mode(mode))?;
            flush_folder(parent)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let here = std::fs::symlink_metadata(path)?;
            if here.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }
        Err(error) => Err(error),
    }
}

/// Makes what was renamed into or out of a folder durable.
pub fn flush_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The permissions for what is made in a folder: the owner's, and the group's as the folder has
/// them. Never anybody else's.
pub fn mode_within(folder: &Path) -> io::Result<u32> {
    Ok(0o700 | (std::fs::metadata(folder)?.permissions().mode() & 0o070))
}

/// Whether others than owner and group may look into a folder or write to it.
pub fn is_open_to_others(folder: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(folder)?.permissions().mode() & 0o007 != 0)
}

/// Opens a plain file that is not a link, by name or on disk, and says what it is.
pub fn open_plain(path: &Path) -> io::Result<(File, Metadata)> {
    let named = std::fs::symlink_metadata(path)?;
    if !named.is_file() || named.nlink() > 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    // Nothing was put in its place between looking and opening.
    let same = (named.dev(), named.ino()) == (opened.dev(), opened.ino());
    if same && opened.is_file() {
        Ok((file, opened))
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests;
