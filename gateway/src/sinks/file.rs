//! A sink in a folder: JSON lines, flushed before they are confirmed, in files that are begun anew by
//! size and by day.
//!
//! The folder itself knows how far it has come: the last whole line of its last file. So a crash at
//! any instant leaves neither a gap nor a line twice. A line that a crash cut in the middle stays as
//! it is, ended by a line feed; the entry is written again, whole, after it. Readers pass over lines that
//! are not JSON.
//!
//! A last line that this log does not have shows that the database was restored: the gateway is held. Once
//! an operator has confirmed that, the folder goes on. Every line stays where it is; a new file,
//! which is named so that it comes after all others, begins with a line that marks the cut and goes on with the
//! first entry that is not here.
//!
//! Limits: one process writes to a folder, which a lock on `.lock` sees to. Not supported: removing old
//! files, because that is for whoever owns the volume.

mod lines;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::task::JoinHandle;

use super::{Compared, SinkFault};
use crate::app::App;
use crate::audit::Entry;
use crate::audit::forms::{self, Form, Source};
use crate::config::SinkSection;
use crate::store::{AuditRow, Restore};
use crate::whole_file;

pub(super) use lines::Line;

/// A folder, and what is known of it.
#[derive(Debug)]
pub(super) struct Folder {
    sink: String,
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
    /// The files that were there when it was opened, the oldest first.
    names: Vec<String>,
    /// After how many restores the files are begun.
    restores: u32,
    file: Option<(File, u64, Date)>,
    /// The last line when it was opened.
    last: Option<Line>,
    /// The place of the first entry that is not here, once the last line was held against the log.
    next: Option<u64>,
    /// What the next file begins with.
    mark: Vec<u8>,
    /// What was read of a file that was asked for.
    read: Vec<(u64, String)>,
}

/// An entry to be written.
struct ToWrite {
    seq: u64,
    day: Date,
    bytes: Vec<u8>,
}

/// The last line of a folder, without writing there or taking its lock.
pub(super) async fn last(folder: PathBuf) -> Result<Option<Line>, SinkFault> {
    let read = tokio::task::spawn_blocking(move || lines::last_of(&folder));
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(Ok(last))) => Ok(last),
        Ok(Ok(Err(_)) | Err(_)) => Err(SinkFault::Unwritable),
        Err(_) => Err(SinkFault::Hangs),
    }
}

impl Folder {
    pub(super) fn of(settings: &SinkSection) -> Self {
        let path = settings.folder.clone().unwrap_or_default();
        let (sink, file_bytes) = (settings.name.clone(), settings.file_bytes.get());
        Self { sink, path, file_bytes, open: None, busy: None }
    }

    /// The place of the first entry that is not here.
    pub(super) async fn next(&mut self, app: &App) -> Result<u64, SinkFault> {
        if self.open.is_none() {
            let path = self.path.clone();
            self.work(PATIENCE, move || open(&path)).await?;
        }
        let Some(open) = &self.open else { return Err(SinkFault::Unwritable) };
        if let Some(next) = open.next {
            return Ok(next);
        }
        let next = match &open.last {
            None => 0,
            Some(last) => match super::compare(app, &self.sink, last).await? {
                Compared::OfThisLog => last.seq.saturating_add(1),
                Compared::OfAnother | Compared::Held => return Err(SinkFault::Foreign),
                Compared::LostAndConfirmed => self.cut(app).await?,
            },
        };
        if let Some(open) = &mut self.open {
            open.next = Some(next);
        }
        Ok(next)
    }

    /// The last line was lost in a restore that an operator has confirmed. What is here stays; a new
    /// file begins, which says so, with the first entry of this log that is not here.
    async fn cut(&mut self, app: &App) -> Result<u64, SinkFault> {
        let names = self.open.as_ref().map(|open| open.names.clone()).unwrap_or_default();
        let mut next = 0;
        for name in names.iter().rev() {
            let entries = self.read(name).await?;
            if let Some(shared) = last_shared(app, &entries).await? {
                next = shared.saturating_add(1);
                break;
            }
        }
        let restores = app.store.restores().await?;
        let Some(open) = &mut self.open else { return Err(SinkFault::Unwritable) };
        open.restores = open.restores.saturating_add(1);
        open.file = None;
        open.mark = mark(app.origin(), next, restores.last());
        Ok(next)
    }

    /// The entries of one file.
    async fn read(&mut self, name: &str) -> Result<Vec<(u64, String)>, SinkFault> {
        let Some(mut open) = self.open.take() else { return Err(SinkFault::Unwritable) };
        let file = self.path.join(name);
        let read = move || {
            open.read = lines::entries(&file)?;
            Ok(open)
        };
        self.work(READING_PATIENCE, read).await?;
        Ok(self.open.as_mut().map(|open| std::mem::take(&mut open.read)).unwrap_or_default())
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
            day = entry.as_ref().map_or(day, |entry| day_of(entry.at()));
            let bytes = match entry {
                Some(entry) => Form::JsonLines.line(&source, entry, &row.leaf),
                None => forms::unreadable_line(&source, row.seq, &row.leaf),
            };
            lines.push(ToWrite { seq: row.seq, day, bytes });
        }
        let (path, file_bytes) = (self.path.clone(), self.file_bytes);
        self.work(PATIENCE, move || write(open, &path, file_bytes, lines)).await
    }

    /// Works on the folder away from the threads that answer partners. A volume that hangs keeps its
    /// work; nothing more is begun there until it ends.
    async fn work(
        &mut self,
        patience: Duration,
        act: impl FnOnce() -> io::Result<Open> + Send + 'static,
    ) -> Result<(), SinkFault> {
        let busy = match &mut self.busy {
            Some(busy) => {
                // What it ends with is not trusted: the folder is looked at again.
                if tokio::time::timeout(patience, busy).await.is_err() {
                    return Err(SinkFault::Hangs);
                }
                self.busy = None;
                return Err(SinkFault::Unwritable);
            }
            None => self.busy.insert(tokio::task::spawn_blocking(act)),
        };
        let Ok(ended) = tokio::time::timeout(patience, busy).await else {
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

/// The place of the last of these entries that this log has. They are of one history: those that it
/// has come first.
async fn last_shared(app: &App, entries: &[(u64, String)]) -> Result<Option<u64>, SinkFault> {
    let (mut low, mut high) = (0, entries.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some((seq, hash)) = entries.get(middle) else { break };
        if super::has(app, *seq, hash).await? { low = middle + 1 } else { high = middle }
    }
    Ok(low.checked_sub(1).and_then(|at| entries.get(at)).map(|(seq, _)| *seq))
}

/// The line that marks a cut: what is there of the places from `next` on was lost in a restore, and the
/// entries that follow are those of the log as it goes on.
fn mark(log: &str, next: u64, restore: Option<&Restore>) -> Vec<u8> {
    let confirmed = restore.and_then(|restore| restore.confirmed_at);
    let line = serde_json::json!({
        "log": log,
        "restored": true,
        "goes_on_with": next,
        "lost_size": restore.map(|restore| restore.lost_size),
        "confirmed_at": confirmed.map(|at| at.to_string()),
    });
    format!("{line}\n").into_bytes()
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
    let names = lines::names(folder)?;
    let restores = names.last().map_or(0, |name| lines::restores_before(name));
    let mut opened = Open {
        _lock: lock,
        names,
        restores,
        file: None,
        last: None,
        next: None,
        mark: Vec::new(),
        read: Vec::new(),
    };
    // Nearly always the last file has a line; one that was just begun may have none.
    for (back, name) in opened.names.iter().rev().enumerate() {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).open(folder.join(name))?;
        let (last, ended) = lines::last_line(&mut file)?;
        if back == 0 {
            if !ended {
                file.write_all(b"\n")?;
            }
            // A line that a crash left behind may not have been flushed.
            file.sync_all()?;
            let bytes = file.metadata()?.len();
            let at = last.as_ref().and_then(Line::at);
            opened.file = at.map(|at| (file, bytes, day_of(at)));
        }
        if last.is_some() {
            opened.last = last;
            break;
        }
    }
    Ok(opened)
}

/// Writes entries in order, beginning a new file where one is full or of another day.
fn write(
    mut open: Open,
    folder: &Path,
    file_bytes: u64,
    entries: Vec<ToWrite>,
) -> io::Result<Open> {
    let mut pending: Vec<u8> = Vec::new();
    for entry in entries {
        let full = open.file.as_ref().is_none_or(|(_, bytes, day)| {
            let pending = u64::try_from(pending.len()).unwrap_or(u64::MAX);
            *day != entry.day || bytes.saturating_add(pending) >= file_bytes
        });
        if full {
            flush(&mut open, &mut pending)?;
            let mut options = OpenOptions::new();
            let name = lines::name(open.restores, entry.seq);
            let file =
                options.create(true).append(true).mode(MODE & 0o666).open(folder.join(name))?;
            whole_file::flush_folder(folder)?;
            let bytes = file.metadata()?.len();
            open.file = Some((file, bytes, entry.day));
            pending.append(&mut open.mark);
        }
        pending.extend_from_slice(&entry.bytes);
        open.next = Some(entry.seq.saturating_add(1));
    }
    flush(&mut open, &mut pending)?;
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
fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// For the owner, and whoever the operator puts into the folder's group.
const MODE: u32 = 0o740;
/// The longest that a healthy volume takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that it takes to read a whole file, which the operator may let grow to gigabytes.
const READING_PATIENCE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests;
