//! A sink in a folder: JSON lines, flushed before they are confirmed, in files that are begun anew by
//! size and by day.
//!
//! The folder itself knows how far it has come: the last whole line of its last file. So a crash at
//! any instant leaves neither a gap nor a line twice. A line that a crash cut in the middle stays as
//! it is, ended by a line feed; the entry is written again, whole, after it. Readers pass over lines that
//! are not JSON.
//!
//! Limits: one process writes to a folder, which a lock on `.lock` sees to. Not supported: removing old
//! files, because that is for whoever owns the volume.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::SinkFault;
use crate::app::App;
use crate::audit::Entry;
use crate::audit::forms::{self, Form, Source};
use crate::config::SinkSection;
use crate::store::AuditRow;
use crate::whole_file;

/// A folder, and what is known of it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    file_bytes: u64,
    /// `None`: it has to be looked at, at first and after each failure.
    open: Option<Open>,
    /// Work on the folder that has not ended: nothing else may begin before it has.
    busy: Option<JoinHandle<io::Result<Open>>>,
}

/// An open folder.
#[derive(Debug)]
struct Open {
    /// Held while this process writes here.
    _lock: File,
    file: Option<(File, u64, Date)>,
    /// The last line: its place and the hash of its leaf.
    last: Option<(u64, String)>,
    is_known: bool,
}

/// A line to be written.
struct Line {
    seq: u64,
    day: Date,
    hash: String,
    bytes: Vec<u8>,
}

impl Folder {
    pub(super) fn of(settings: &SinkSection) -> Self {
        let path = settings.folder.clone().unwrap_or_default();
        Self { path, file_bytes: settings.file_bytes.get(), open: None, busy: None }
    }

    /// The place of the first entry that is not here.
    pub(super) async fn next(&mut self, app: &App) -> Result<u64, SinkFault> {
        if self.open.is_none() {
            let path = self.path.clone();
            self.work(move || open(&path)).await?;
        }
        let Some(open) = &mut self.open else { return Err(SinkFault::Unwritable) };
        let Some((seq, hash)) = &open.last else { return Ok(0) };
        if !open.is_known {
            // What is here must be of this log, and the log must go at least as far.
            let row = app.store.audit_rows_at(&[*seq]).await?.into_iter().next();
            if row.is_none_or(|row| forms::leaf_hash(&row.leaf) != *hash) {
                return Err(SinkFault::Foreign);
            }
            open.is_known = true;
        }
        Ok(seq.saturating_add(1))
    }

    pub(super) async fn take(
        &mut self,
        app: &App,
        entries: Vec<(Option<Entry>, AuditRow)>,
    ) -> Result<(), SinkFault> {
        let organisation = app.organisation().to_string();
        let source = Source { log: app.origin(), organisation: &organisation };
        let Some(open) = self.open.take() else { return Err(SinkFault::Unwritable) };
        // An entry that cannot be read has no day: it goes where the one before it went.
        let mut day = open.file.as_ref().map(|(_, _, day)| *day).unwrap_or_default();
        let mut lines = Vec::with_capacity(entries.len());
        for (entry, row) in &entries {
            day = entry.as_ref().map_or(day, |entry| day_of(entry.at_us));
            let bytes = match entry {
                Some(entry) => Form::JsonLines.line(&source, entry, &row.leaf),
                None => forms::unreadable_line(&source, row.seq, &row.leaf),
            };
            lines.push(Line { seq: row.seq, day, hash: forms::leaf_hash(&row.leaf), bytes });
        }
        let (path, file_bytes) = (self.path.clone(), self.file_bytes);
        self.work(move || write(open, &path, file_bytes, lines)).await
    }

    /// Works on the folder away from the threads that answer partners. A volume that hangs keeps its
    /// work; nothing more is begun there until it ends.
    async fn work(
        &mut self,
        act: impl FnOnce() -> io::Result<Open> + Send + 'static,
    ) -> Result<(), SinkFault> {
        let busy = match &mut self.busy {
            Some(busy) => {
                // What it ends with is not trusted: the folder is looked at again.
                if tokio::time::timeout(PATIENCE, busy).await.is_err() {
                    return Err(SinkFault::Hangs);
                }
                self.busy = None;
                return Err(SinkFault::Unwritable);
            }
            None => self.busy.insert(tokio::task::spawn_blocking(act)),
        };
        let Ok(ended) = tokio::time::timeout(PATIENCE, busy).await else {
            return Err(SinkFault::Hangs);
        };
        self.busy = None;
        match ended {
            Ok(Ok(open)) => {
                self.open = Some(open);
                Ok(())
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Err(SinkFault::Taken),
            Ok(Err(_)) | Err(_) => Err(SinkFault::Unwritable),
        }
    }
}

/// Opens a folder: takes the lock, and finds the last whole line.
fn open(folder: &Path) -> io::Result<Open> {
    whole_file::ensure_folder(folder, MODE)?;
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(MODE & 0o666)
        .open(folder.join(".lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            // Neither a link nor a device: it is read to its end.
            if !entry.file_type()?.is_file() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            names.push(name);
        }
    }
    names.sort_unstable();
    let mut opened = Open { _lock: lock, file: None, last: None, is_known: false };
    // Nearly always the last file has a line; one that was just begun may have none.
    for (back, name) in names.iter().rev().enumerate() {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).open(folder.join(name))?;
        let (last, ended) = last_line(&mut file)?;
        if back == 0 {
            if !ended {
                file.write_all(b"\n")?;
            }
            // A line that a crash left behind may not have been flushed.
            file.sync_all()?;
            let bytes = file.metadata()?.len();
            let entry = last.as_ref().and_then(|line| line.entry.as_ref());
            let day = entry.map(|entry| day_of(entry.at_us));
            opened.file = day.map(|day| (file, bytes, day));
        }
        if let Some(line) = last {
            opened.last = Some((line.seq, line.leaf_hash));
            break;
        }
    }
    Ok(opened)
}

/// The last line that can be read, and whether the file ends with a line feed, or is empty.
fn last_line(file: &mut File) -> io::Result<(Option<Known>, bool)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let ended = tail.last().is_none_or(|byte| *byte == b'\n');
    let mut lines: Vec<&[u8]> = tail.split(|byte| *byte == b'\n').collect();
    // What follows the last line feed is nothing, or half a line.
    lines.pop();
    let known = lines.iter().rev().find_map(|line| serde_json::from_slice::<Known>(line).ok());
    Ok((known, ended))
}

/// Writes lines in order, beginning a new file where one is full or of another day.
fn write(mut open: Open, folder: &Path, file_bytes: u64, lines: Vec<Line>) -> io::Result<Open> {
    let mut pending: Vec<u8> = Vec::new();
    for line in lines {
        let full = open.file.as_ref().is_none_or(|(_, bytes, day)| {
            let pending = u64::try_from(pending.len()).unwrap_or(u64::MAX);
            *day != line.day || bytes.saturating_add(pending) >= file_bytes
        });
        if full {
            flush(&mut open, &mut pending)?;
            let name = format!("{PREFIX}{:020}{SUFFIX}", line.seq);
            let mut options = OpenOptions::new();
            let file =
                options.create(true).append(true).mode(MODE & 0o666).open(folder.join(name))?;
            whole_file::flush_folder(folder)?;
            let bytes = file.metadata()?.len();
            open.file = Some((file, bytes, line.day));
        }
        pending.extend_from_slice(&line.bytes);
        open.last = Some((line.seq, line.hash));
    }
    flush(&mut open, &mut pending)?;
    open.is_known = true;
    Ok(open)
}

fn flush(open: &mut Open, pending: &mut Vec<u8>) -> io::Result<()> {
    let Some((file, bytes, _)) = open.file.as_mut().filter(|_| !pending.is_empty()) else {
        return Ok(());
    };
    file.write_all(pending)?;
    file.sync_data()?;
    *bytes = bytes.saturating_add(u64::try_from(pending.len()).unwrap_or(0));
    pending.clear();
    Ok(())
}

/// The day of an entry, in UTC.
fn day_of(at_us: i64) -> Date {
    TimeZone::UTC.to_datetime(Timestamp::from_microsecond(at_us).unwrap_or_default()).date()
}

/// What is asked of a line that is there.
#[derive(Debug, Deserialize)]
struct Known {
    seq: u64,
    leaf_hash: String,
    /// None where it could not be read.
    entry: Option<KnownEntry>,
}

#[derive(Debug, Deserialize)]
struct KnownEntry {
    at_us: i64,
}

const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
/// For the owner, and whoever the operator puts into the folder's group.
const MODE: u32 = 0o740;
/// More than two lines of the longest entry (65,535 bytes, in base64 a third more), so that a whole
/// one is among them.
const TAIL_BYTES: u64 = 256 * 1024;
/// The longest that a healthy volume takes.
const PATIENCE: Duration = Duration::from_secs(5);
