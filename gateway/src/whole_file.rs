//! Files and folders that appear whole or not at all.
//!
//! Owns how something is written so that a reader, a crash or a full disk never meets half of it:
//! beside its place under a hidden name, flushed, and then renamed into place in one step. It must
//! never know what is in a file. Paths given here are made of our own ids and of folders the
//! operator named.
//!
//! Limits: one file system, since a rename is atomic only there; the folder itself belongs to the
//! operator, who decides who may read it. Not supported: locking, because whoever shares the folder
//! need not honour it.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
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
/// place. Dropped before that, it is removed.
#[derive(Debug)]
pub struct Staged {
    staged: PathBuf,
    path: PathBuf,
    is_put: bool,
}

impl Staged {
    /// Begins a file; what is given is written to. Refuses when the place is taken.
    pub fn begin(path: &Path, unique: &str) -> io::Result<(Self, File)> {
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let staged = folder.join(format!(".{unique}.partial"));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&staged)?;
        Ok((
            Self { staged, path: folder.join(path.file_name().unwrap_or_default()), is_put: false },
            file,
        ))
    }

    /// Puts the file, which must be flushed, into its place, and makes that durable.
    pub fn put(mut self) -> io::Result<()> {
        if self.path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(&self.staged, &self.path)?;
        self.is_put = true;
        flush_folder(self.path.parent().ok_or(io::ErrorKind::InvalidInput)?)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_put {
            drop(std::fs::remove_file(&self.staged));
        }
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
