//! What a folder says of itself: its files in order, and the lines in them.
//!
//! Reads only, and blocks: to be called away from the threads that answer partners. Must never know
//! the log that the lines are of.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

/// A line of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::sinks) struct Line {
    /// The origin of the log.
    pub(in crate::sinks) log: String,
    /// The place of the entry.
    pub(in crate::sinks) seq: u64,
    /// The hash of its leaf, in hexadecimal.
    pub(in crate::sinks) leaf_hash: String,
    /// None where it could not be read.
    entry: Option<EntryInLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct EntryInLine {
    at_us: i64,
}

impl Line {
    /// When the entry was made, where that can be read.
    pub(in crate::sinks) fn at(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.entry?.at_us).ok()
    }
}

/// The files of a folder, the oldest first.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
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
    Ok(names)
}

/// The last line of a folder; `None` when it has none, or there is no folder.
pub(super) fn last_of(folder: &Path) -> io::Result<Option<Line>> {
    let names = match names(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Nearly always the last file has a line; one that was just begun may have none.
    for name in names.iter().rev() {
        let (last, _) = last_line(&mut File::open(folder.join(name))?)?;
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

/// The last line that can be read, and whether the file ends with a line feed, or is empty.
pub(super) fn last_line(file: &mut File) -> io::Result<(Option<Line>, bool)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let ended = tail.last().is_none_or(|byte| *byte == b'\n');
    let mut lines: Vec<&[u8]> = tail.split(|byte| *byte == b'\n').collect();
    // What follows the last line feed is nothing, or half a line.
    lines.pop();
    let known = lines.iter().rev().find_map(|line| serde_json::from_slice::<Line>(line).ok());
    Ok((known, ended))
}

/// Every entry in a file, in order: its place and the hash of its leaf.
pub(super) fn entries(file: &Path) -> io::Result<Vec<(u64, String)>> {
    let mut entries = Vec::new();
    let mut lines = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    while lines.by_ref().take(TAIL_BYTES).read_until(b'\n', &mut line)? > 0 {
        if let Ok(Line { seq, leaf_hash, .. }) = serde_json::from_slice(&line) {
            entries.push((seq, leaf_hash));
        }
        line.clear();
    }
    Ok(entries)
}

/// The name of a file that begins with an entry. Those that were begun after a restore come after all
/// those from before it.
pub(super) fn name(restores: u32, seq: u64) -> String {
    match restores {
        0 => format!("{PREFIX}{seq:020}{SUFFIX}"),
        restores => format!("{AFTER_RESTORE}{restores:04}-{seq:020}{SUFFIX}"),
    }
}

/// After how many restores a file was begun, by its name.
pub(super) fn restores_before(name: &str) -> u32 {
    let number = name.strip_prefix(AFTER_RESTORE).and_then(|rest| rest.split('-').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

const PREFIX: &str = "audit-";
const AFTER_RESTORE: &str = "audit-r";
const SUFFIX: &str = ".jsonl";
/// More than two lines of the longest entry (65,535 bytes, in base64 a third more), so that a whole
/// one is among them.
const TAIL_BYTES: u64 = 256 * 1024;
