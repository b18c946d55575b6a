//! The bytes of a backup: a header, then sealed segments, written in order and read in order.

use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use zeroize::Zeroizing;

use super::manifest::{Header, PartNote};
use super::scratch::staged_name;
use super::{BackupError, Progress};
use crate::entropy::{Sha256, hex};
use crate::vault::backups::{BackupKey, SegmentPlace, TAG_BYTES};
use crate::vault::keyring::KeyWrapper;
use crate::whole_file::Staged;

/// Writes a backup from its beginning to its end.
pub(super) struct Writer {
    path: PathBuf,
    staged: Staged,
    file: BufWriter<File>,
    key: BackupKey,
    whole: Sha256,
    bytes: u64,
    part: u32,
    plain: Zeroizing<Vec<u8>>,
    hash: Sha256,
    part_bytes: u64,
    parts: Vec<PartNote>,
}

/// A backup that is written, but not yet in its place.
pub(super) struct Written {
    staged: Staged,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// The SHA-256 of the file.
    pub(super) sha256: [u8; 32],
}

impl Writer {
    /// Begins a file beside its place with the header.
    pub(super) async fn begin(
        path: &Path,
        header: (&Header, &[u8]),
        key: BackupKey,
    ) -> Result<Self, BackupError> {
        let (header, json) = header;
        let begun = Staged::begin(path, &staged_name(header.id));
        let (staged, file) =
            begun.map_err(BackupError::file(path, "the backup cannot be begun there"))?;
        let mut writer = Self {
            path: path.to_owned(),
            staged,
            file: BufWriter::new(File::from_std(file)),
            key,
            whole: Sha256::default(),
            bytes: 0,
            part: DATABASE,
            plain: Zeroizing::new(Vec::with_capacity(SEGMENT_BYTES)),
            hash: Sha256::default(),
            part_bytes: 0,
            parts: Vec::new(),
        };
        writer.put(&start(json)).await?;
        Ok(writer)
    }

    /// Adds bytes to the part that is being written.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        self.hash.update(bytes);
        self.part_bytes = self.part_bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        while !bytes.is_empty() {
            // A full segment waits until it is known that it is not the last of its part.
            if self.plain.len() == SEGMENT_BYTES {
                self.segment(GOES_ON).await?;
            }
            let room = SEGMENT_BYTES.saturating_sub(self.plain.len()).min(bytes.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the part; what is written next begins another.
    pub(super) async fn end_part(&mut self, name: String) -> Result<(), BackupError> {
        self.segment(ENDS_PART).await?;
        let sha256 = hex(&std::mem::take(&mut self.hash).finish());
        self.parts.push(PartNote { name, bytes: self.part_bytes, sha256 });
        self.part_bytes = 0;
        self.part = self.part.saturating_add(1);
        Ok(())
    }

    /// The parts that were written.
    pub(super) fn parts(&self) -> Vec<PartNote> {
        self.parts.clone()
    }

    /// How many bytes the file has so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the backup with its manifest, and flushes it.
    pub(super) async fn finish(mut self, manifest: &[u8]) -> Result<Written, BackupError> {
        self.part = MANIFEST;
        self.write(manifest).await?;
        self.segment(ENDS_ALL).await?;
        let fault = BackupError::file(&self.path, "the backup cannot be written");
        let flushed = async {
            self.file.flush().await?;
            self.file.get_ref().sync_all().await
        };
        flushed.await.map_err(fault)?;
        Ok(Written { staged: self.staged, bytes: self.bytes, sha256: self.whole.finish() })
    }

    async fn segment(&mut self, end: u8) -> Result<(), BackupError> {
        let place = SegmentPlace { part: self.part, end };
        let sealed = self.key.seal(place, &self.plain).map_err(BackupError::Key)?;
        self.plain.clear();
        let length = u32::try_from(sealed.len()).unwrap_or(0);
        let head = [self.part.to_be_bytes().as_slice(), &[end], &length.to_be_bytes()].concat();
        self.put(&head).await?;
        self.put(&sealed).await
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.whole.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        let written = self.file.write_all(bytes).await;
        written.map_err(BackupError::file(&self.path, "the backup cannot be written"))
    }
}

impl Written {
    /// Puts the file into its place.
    pub(super) fn put(self, path: &Path) -> Result<(), BackupError> {
        let put = self.staged.put();
        put.map_err(BackupError::file(path, "the backup cannot be put into its place"))
    }
}

/// Reads a backup from its beginning to its end. What it gives was sealed there, and nowhere else;
/// that it is all of it is known at the end.
pub(super) struct Reader<'a> {
    path: PathBuf,
    file: BufReader<File>,
    key: BackupKey,
    whole: Sha256,
    /// How many bytes have been read.
    bytes: u64,
    told: Progress<'a>,
    part: u32,
    end: u8,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
    hash: Sha256,
    part_bytes: u64,
    parts: Vec<(u64, String)>,
}

/// What the file begins with.
fn start(json: &[u8]) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap_or(0).to_be_bytes();
    [MAGIC.as_slice(), &[VERSION], &length, json].concat()
}

/// Reads the header, without a key.
pub(super) async fn read_header(path: &Path) -> Result<(Header, Vec<u8>, File), BackupError> {
    let fault = || BackupError::file(path, "the backup cannot be read");
    let not = || BackupError::NotABackup(path.to_owned());
    let mut file = File::open(path).await.map_err(fault())?;
    let mut start = [0; 9];
    file.read_exact(&mut start).await.or(Err(not()))?;
    let [m0, m1, m2, m3, version, length @ ..] = start;
    let length = u32::from_be_bytes(length);
    if [m0, m1, m2, m3] != *MAGIC || version != VERSION || length > HEADER_BYTES_MAX {
        return Err(not());
    }
    let mut json = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact(&mut json).await.or(Err(not()))?;
    let header = serde_json::from_slice(&json).or(Err(not()))?;
    Ok((header, json, file))
}

impl<'a> Reader<'a> {
    /// Opens a backup with the backup keys.
    pub(super) async fn open(
        path: &Path,
        keys: &dyn KeyWrapper,
        told: Progress<'a>,
    ) -> Result<(Self, Header, Vec<u8>), BackupError> {
        let (header, json, file) = read_header(path).await?;
        let wrapped = header.wrapped();
        let wrapped = wrapped.ok_or_else(|| BackupError::NotABackup(path.to_owned()))?;
        let key = BackupKey::unwrap(keys, &wrapped, &json).map_err(BackupError::Key)?;
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(READ_AT_ONCE, file),
            key,
            whole: Sha256::default(),
            bytes: 0,
            told,
            part: DATABASE,
            end: ENDS_PART,
            plain: Zeroizing::new(Vec::new()),
            at: 0,
            hash: Sha256::default(),
            part_bytes: 0,
            parts: Vec::new(),
        };
        reader.count(&start(&json));
        reader.segment().await?;
        Ok((reader, header, json))
    }

    /// The part that is being read.
    pub(super) fn part(&self) -> u32 {
        self.part
    }

    /// Whether the part has no more bytes.
    pub(super) async fn is_at_end(&mut self) -> Result<bool, BackupError> {
        while self.at == self.plain.len() {
            if self.end != GOES_ON {
                return Ok(true);
            }
            self.segment().await?;
        }
        Ok(false)
    }

    /// Exactly so many bytes of the part.
    pub(super) async fn take(&mut self, count: usize) -> Result<Vec<u8>, BackupError> {
        // A length is believed only as far as there are bytes behind it.
        let mut taken = Vec::with_capacity(count.min(SEGMENT_BYTES));
        while taken.len() < count {
            if self.is_at_end().await? {
                return Err(self.malformed("it ends in the middle of something"));
            }
            let rest = self.plain.get(self.at..).unwrap_or_default();
            let now = rest.get(..count.saturating_sub(taken.len())).unwrap_or(rest);
            taken.extend_from_slice(now);
            self.at = self.at.saturating_add(now.len());
        }
        Ok(taken)
    }

    /// Goes on to the next part.
    pub(super) async fn next_part(&mut self) -> Result<(), BackupError> {
        let hash = std::mem::take(&mut self.hash).finish();
        self.parts.push((self.part_bytes, hex(&hash)));
        self.part_bytes = 0;
        self.segment().await
    }

    /// All of the last part. Nothing may follow it.
    pub(super) async fn manifest(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::new();
        while !self.is_at_end().await? {
            bytes.extend_from_slice(self.plain.get(self.at..).unwrap_or_default());
            self.at = self.plain.len();
            if bytes.len() > MANIFEST_BYTES_MAX {
                return Err(self.malformed("it is too large"));
            }
        }
        let mut more = [0; 1];
        let read = self.file.read(&mut more).await;
        match read.map_err(BackupError::file(&self.path, "the backup cannot be read"))? {
            0 => Ok(bytes),
            _ => Err(BackupError::Added),
        }
    }

    /// The parts that were read, each with its bytes and their SHA-256.
    pub(super) fn parts(&self) -> &[(u64, String)] {
        &self.parts
    }

    /// How many segments were read, how many bytes the file has, and their SHA-256.
    pub(super) fn finish(self) -> (u64, u64, [u8; 32]) {
        (self.key.segments(), self.bytes, self.whole.finish())
    }

    /// The part is not in the form it should be.
    pub(super) fn malformed(&self, what: &'static str) -> BackupError {
        BackupError::Part { part: name_of(self.part), what }
    }

    async fn segment(&mut self) -> Result<(), BackupError> {
        let mut head = [0; 9];
        self.fill(&mut head).await?;
        let [p0, p1, p2, p3, end, length @ ..] = head;
        let part = u32::from_be_bytes([p0, p1, p2, p3]);
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let segment = self.key.segments();
        let changed = || BackupError::Changed { segment, part: name_of(part) };
        if !(TAG_BYTES..=SEGMENT_BYTES + TAG_BYTES).contains(&length) {
            return Err(changed());
        }
        let mut sealed = vec![0; length];
        self.fill(&mut sealed).await?;
        let place = SegmentPlace { part, end };
        self.plain = self.key.open(place, sealed).or(Err(changed()))?;
        (self.part, self.end, self.at) = (part, end, 0);
        self.hash.update(&self.plain);
        let length = u64::try_from(self.plain.len()).unwrap_or(0);
        self.part_bytes = self.part_bytes.saturating_add(length);
        (self.told)(self.bytes);
        Ok(())
    }

    async fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        let cut = |error: std::io::Error| {
            if error.kind() == std::io::ErrorKind::UnexpectedEof {
                let (segments, part) = (self.key.segments(), name_of(self.part));
                return BackupError::CutShort { segments, part };
            }
            BackupError::file(&self.path, "the backup cannot be read")(error)
        };
        self.file.read_exact(bytes).await.map_err(cut)?;
        self.count(bytes);
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
    }
}

/// What a part is called in messages.
pub(super) fn name_of(part: u32) -> String {
    match part {
        DATABASE => "the database".to_owned(),
        MANIFEST => "the manifest".to_owned(),
        number => format!("document number {number}"),
    }
}

/// The number of the database's part.
pub(super) const DATABASE: u32 = 0;
/// The number of the manifest's part.
pub(super) const MANIFEST: u32 = u32::MAX;
/// How much is sealed in one piece: the unit in which memory is held.
pub(super) const SEGMENT_BYTES: usize = 1024 * 1024;
const GOES_ON: u8 = 0;
const ENDS_PART: u8 = 1;
const ENDS_ALL: u8 = 2;
const MAGIC: &[u8; 4] = b"EHCB";
const VERSION: u8 = 1;
/// Ours have about 400 bytes.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// A line for each document: room for more than half a million.
const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;
const READ_AT_ONCE: usize = 256 * 1024;
