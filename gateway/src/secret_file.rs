//! Files that hold a secret: read only when nobody else can read them, made so that nobody else can.
//!
//! Owns the one check that every key file passes. It must never know what a key is for, and its
//! errors never hold a byte of a file. Use [`read`] to load and [`create`] to make; the content is
//! wiped from memory when dropped.
//!
//! Limits: a file of at most [`SIZE_BYTES_MAX`]; permissions are those of the file itself, so a
//! folder that others can write to is the operator's to close. Unix only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a file with a secret was not read or made. Never holds content.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Others than the owner may read or write it.
    #[error("{path} can be read or changed by others (mode {mode:03o}): run chmod 600 {path}", path = .path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a folder, a device or too large to be a key file.
    #[error("{path} is not a key file: it must be a plain file of at most 64 KiB", path = .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path} could not be opened as a key file", path = .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Reads a secret that only its owner can read.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let io = |source| SecretFileError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // The permissions of the open file, not of the name: nothing can be swapped in between.
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() || meta.len() > SIZE_BYTES_MAX {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::NotPrivate { path: path.to_owned(), mode });
    }
    // Room for all of it at once, so that no copy is left behind by growing.
    let room = usize::try_from(meta.len()).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(meta.len()).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Makes a file that only its owner can read. Refuses when the path is taken.
pub fn create(path: &Path, content: &[u8]) -> Result<(), SecretFileError> {
    let io = |source| SecretFileError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(content).map_err(io)?;
    file.sync_all().map_err(io)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    Ok(())
}

/// The largest key file that is read.
pub const SIZE_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
