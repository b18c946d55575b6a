//! The folder itself: what is in it, what is complete, and the renames between its parts.
//!
//! Everything here is about names and bytes on disk; nothing is believed about either. It must
//! never know what becomes of a file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use adapters::Format;
use adapters::limits::SUBMISSION_BYTES_MAX;
use jiff::{SignedDuration, Timestamp};
use schemas::{Issue, Place};

use crate::config::Watch;
use crate::entropy::sha256_hex;
use crate::intake::report::{FileOutcome, Report};
use crate::whole_file;

/// A watched folder with its parts.
#[derive(Debug, Clone)]
pub(super) struct Tray {
    folder: PathBuf,
    marker: Option<String>,
    settle: SignedDuration,
    /// The mapping that tables from this folder are read with.
    pub(super) mapping: Option<String>,
}

/// A file as it was when it was first seen like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    shape: Shape,
    since: Timestamp,
}

/// What changes when somebody writes to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
}

/// What one look at the folder found.
#[derive(Debug)]
pub(super) struct Look {
    /// What can be worked on now, oldest first.
    pub(super) due: Vec<Found>,
    /// How many files there are, complete or not.
    pub(super) waiting: usize,
}

/// Something whose turn has come.
#[derive(Debug)]
pub(super) enum Found {
    /// A complete file of a known format.
    Complete(OsString),
    /// Something that will not be read, and why.
    Unfit(OsString, Issue),
}

/// What is in a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// Somebody is still writing.
    Growing,
    /// It will not be read: why, and its size in bytes.
    Unfit(Issue, u64),
}

impl Tray {
    /// The folder of a partner's entry. It must be there; its parts are made.
    pub(super) fn open(watch: &Watch) -> io::Result<Self> {
        let folder = watch.folder.clone();
        if !std::fs::metadata(&folder)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let mode = whole_file::mode_within(&folder)?;
        for part in [PROCESSING, DONE, REFUSED] {
            whole_file::ensure_folder(&folder.join(part), mode)?;
        }
        Ok(Self {
            folder,
            marker: watch.marker.clone(),
            settle: SignedDuration::from_secs(watch.settle_seconds.get().into()),
            mapping: watch.mapping.clone(),
        })
    }

    /// What a gateway that stopped left in hand, and what waits for another try.
    pub(super) fn in_hand(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder.join(PROCESSING))? {
            let name = entry?.file_name();
            if format_of(&name).is_some() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Looks at what was left in the folder.
    pub(super) fn waiting(
        &self,
        seen: &mut BTreeMap<OsString, Seen>,
        now: Timestamp,
    ) -> io::Result<Look> {
        let mut next = BTreeMap::new();
        let mut due = Vec::new();
        let mut waiting = 0;
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            // It may have gone since the folder was read.
            let Ok(about) = std::fs::symlink_metadata(self.folder.join(&name)) else { continue };
            if about.is_dir() || name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if !is_plain_name(&name) {
                due.push((about.mtime(), Found::Unfit(name, unsafe_name())));
                continue;
            }
            if format_of(&name).is_none() {
                continue;
            }
            waiting += 1;
            if waiting > FILES_MAX {
                break;
            }
            if !about.is_file() {
                due.push((about.mtime(), Found::Unfit(name, not_plain())));
                continue;
            }
            let shape = Shape::of(&about);
            let before = seen.get(&name).filter(|before| before.shape == shape);
            let since = before.map_or(now, |before| before.since);
            if before.is_some() && self.is_complete(&name, since, now) {
                let found = match unfit(&about) {
                    Some(issue) => Found::Unfit(name.clone(), issue),
                    None => Found::Complete(name.clone()),
                };
                due.push((about.mtime(), found));
            }
            next.insert(name, Seen { shape, since });
        }
        *seen = next;
        due.sort_by(|(a, one), (b, other)| (a, one.name()).cmp(&(b, other.name())));
        Ok(Look { due: due.into_iter().map(|(_, found)| found).collect(), waiting })
    }

    fn is_complete(&self, name: &OsStr, since: Timestamp, now: Timestamp) -> bool {
        let Some(marker) = self.marker_of(name) else {
            return now.duration_since(since) >= self.settle;
        };
        let plain = |path: PathBuf| std::fs::symlink_metadata(path).is_ok_and(|at| at.is_file());
        plain(self.folder.join(&marker)) || plain(self.folder.join(PROCESSING).join(&marker))
    }

    /// Moves a file to `processing/`; whether it is there now. Its marker goes first and is kept
    /// until the file has followed, so that a crash in between loses neither.
    pub(super) fn begin(&self, name: &OsStr) -> io::Result<bool> {
        let processing = self.folder.join(PROCESSING);
        if std::fs::symlink_metadata(processing.join(name)).is_ok() {
            // One of the same name waits for another try: its turn comes first.
            return Ok(false);
        }
        if let Some(marker) = self.marker_of(name) {
            gone_is_fine(std::fs::rename(self.folder.join(&marker), processing.join(&marker)))?;
        }
        match std::fs::rename(self.folder.join(name), processing.join(name)) {
            Ok(()) => whole_file::flush_folder(&processing).map(|()| true),
            // Taken back by whoever left it, or by another gateway.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads a file in `processing/`.
    pub(super) async fn read(&self, name: &OsStr) -> io::Result<Content> {
        let path = self.folder.join(PROCESSING).join(name);
        if let Some(marker) = self.marker_of(name) {
            gone_is_fine(std::fs::remove_file(self.folder.join(PROCESSING).join(marker)))?;
        }
        off_the_runtime(move || read_whole(&path)).await
    }

    /// Writes the report and moves the file out of `processing/`.
    pub(super) async fn finish(
        &self,
        name: &OsStr,
        report: &Report,
        unique: &str,
    ) -> io::Result<()> {
        let source = self.folder.join(PROCESSING).join(name);
        let part = if report.outcome == FileOutcome::Refused { REFUSED } else { DONE };
        let part = self.folder.join(part);
        let (name, report, unique) = (name.to_owned(), report.clone(), unique.to_owned());
        off_the_runtime(move || {
            let name = free_name(&part, &name, &source, &report)?;
            write_report(&part, &name, &report, &unique)?;
            gone_is_fine(std::fs::rename(&source, part.join(&name)))?;
            whole_file::flush_folder(&part)
        })
        .await
    }

    /// Moves what will not be read to `refused/`, under a name that is safe, with its report.
    pub(super) async fn refuse(
        &self,
        name: &OsStr,
        report: &Report,
        unique: &str,
    ) -> io::Result<()> {
        let source = self.folder.join(name);
        let part = self.folder.join(REFUSED);
        let mut kept = name.to_owned();
        if !is_plain_name(name) {
            let digits: String = sha256_hex(name.as_encoded_bytes()).chars().take(8).collect();
            kept = OsString::from(format!("unsafe-name-{digits}"));
        }
        if std::fs::symlink_metadata(part.join(&kept)).is_ok() {
            let mut other = OsString::from(format!("{unique}-"));
            other.push(&kept);
            kept = other;
        }
        let (report, unique) = (report.clone(), unique.to_owned());
        off_the_runtime(move || {
            write_report(&part, &kept, &report, &unique)?;
            gone_is_fine(std::fs::rename(&source, part.join(&kept)))?;
            whole_file::flush_folder(&part)
        })
        .await
    }

    fn marker_of(&self, name: &OsStr) -> Option<OsString> {
        let marker = self.marker.as_ref()?;
        let mut name = name.to_owned();
        name.push(format!(".{marker}"));
        Some(name)
    }
}

impl Found {
    fn name(&self) -> &OsStr {
        match self {
            Self::Complete(name) | Self::Unfit(name, _) => name,
        }
    }
}

impl Shape {
    fn of(about: &Metadata) -> Self {
        let modified = (about.mtime(), about.mtime_nsec());
        Self { bytes: about.len(), modified, inode: about.ino() }
    }
}

/// The format that a file's name says, in any case of letters; `None` for what is left alone.
pub(super) fn format_of(name: &OsStr) -> Option<Format> {
    let hidden = name.as_encoded_bytes().starts_with(b".");
    let extension = Path::new(name).extension()?.to_str()?;
    // A set of tables with its manifest travels as one archive.
    let set = extension.eq_ignore_ascii_case("zip").then_some(Format::Csv);
    Format::from_extension(extension).or(set).filter(|_| !hidden)
}

/// A name that fits on a line and leaves room for what reports and second copies add.
fn is_plain_name(name: &OsStr) -> bool {
    let text = name.to_str().filter(|text| text.len() <= NAME_BYTES_MAX);
    text.is_some_and(|text| !text.chars().any(char::is_control))
}

/// What the reader would not take, told from the outside.
fn unfit(about: &Metadata) -> Option<Issue> {
    if about.nlink() > 1 {
        return Some(linked());
    }
    (about.len() > limit()).then(too_large)
}

fn read_whole(path: &Path) -> io::Result<Content> {
    let Ok((file, before)) = whole_file::open_plain(path) else {
        let about = std::fs::symlink_metadata(path)?;
        let issue = if about.is_file() { linked() } else { not_plain() };
        return Ok(Content::Unfit(issue, about.len()));
    };
    if before.len() > limit() {
        return Ok(Content::Unfit(too_large(), before.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    (&file).take(limit() + 1).read_to_end(&mut bytes)?;
    let after = file.metadata()?;
    let whole = u64::try_from(bytes.len()).is_ok_and(|read| read == after.len());
    if Shape::of(&before) == Shape::of(&after) && whole {
        Ok(Content::Whole(bytes))
    } else {
        Ok(Content::Growing)
    }
}

/// The file's own name where that is free or holds the same file, else one with its hash: the same
/// after a crash.
fn free_name(part: &Path, name: &OsStr, source: &Path, report: &Report) -> io::Result<OsString> {
    let there = part.join(name);
    let Ok(about) = std::fs::symlink_metadata(&there) else { return Ok(name.to_owned()) };
    if about.is_file() && about.len() == report.bytes && same_content(&there, source)? {
        return Ok(name.to_owned());
    }
    let hash = report.sha256.clone().unwrap_or_else(|| sha256_hex(name.as_encoded_bytes()));
    let mut other: OsString = hash.chars().take(12).collect::<String>().into();
    other.push("-");
    other.push(name);
    Ok(other)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(std::fs::read(one)? == std::fs::read(other)?)
}

fn write_report(part: &Path, name: &OsStr, report: &Report, unique: &str) -> io::Result<()> {
    let beside = |ending: &str| {
        let mut name = name.to_owned();
        name.push(ending);
        part.join(name)
    };
    whole_file::replace(&beside(".report.json"), &report.to_json(), unique)?;
    whole_file::replace(&beside(".report.txt"), report.to_text().as_bytes(), unique)
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Disks are slow: their work is done beside the runtime, and waited for.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn issue(rule: &str, message: &str, next: &str) -> Issue {
    Issue::error(rule, None, Place::Whole, message, next)
}

fn unsafe_name() -> Issue {
    issue(
        "file-name-unsafe",
        "its name has control characters, is not text, or is longer than 180 bytes",
        "leave it under a short plain name",
    )
}

fn not_plain() -> Issue {
    issue(
        "file-not-plain",
        "it is a link or a device, not a file; where it leads was not looked at",
        "leave a copy of the file itself",
    )
}

fn linked() -> Issue {
    issue(
        "file-linked",
        "it has a second name somewhere else, so it may lie outside this folder",
        "leave a copy of the file itself",
    )
}

fn too_large() -> Issue {
    issue("file-too-large", "the file is larger than 32 MiB", "leave it in parts")
}

fn limit() -> u64 {
    u64::try_from(SUBMISSION_BYTES_MAX).unwrap_or(u64::MAX)
}

const PROCESSING: &str = "processing";
const DONE: &str = "done";
const REFUSED: &str = "refused";
/// Room for the longest ending and prefix within the 255 bytes of a name.
const NAME_BYTES_MAX: usize = 180;
/// The most files looked at in one go; the others have their turn once these have gone.
const FILES_MAX: usize = 10_000;
