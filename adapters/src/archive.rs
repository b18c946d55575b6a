//! Zip archives, unpacked within limits and packed plainly.
//!
//! Owns the container of workbooks and of sets of files. Parts are inflated into memory up to a
//! limit, each proved by its length and checksum, so that what is read next is exactly what the
//! sender's own software would see: an archive whose directory can be read in two ways is refused.
//! [`pack`] writes parts uncompressed and without a time, so the same parts give the same bytes.
//!
//! Limits: [`ARCHIVE_BYTES_MAX`], [`ARCHIVE_PARTS_MAX`]. Not supported: encryption, compression
//! other than deflate, archives of several volumes or beyond 4 GiB, because no export needs them.

use std::collections::HashSet;
use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_PARTS_MAX};

/// One file of an archive.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Its path in the archive, with `/` between folders.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names may be those of people.
        f.debug_struct("Part").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Why an archive could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFault {
    /// It is no archive, is cut short, or says two things of one part.
    Broken,
    /// It unpacks to more than [`ARCHIVE_BYTES_MAX`] bytes or [`ARCHIVE_PARTS_MAX`] parts.
    TooLarge,
    /// A part is encrypted.
    Encrypted,
    /// A part is compressed in a way other than deflate.
    Method,
}

/// Whether bytes begin like an archive.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Unpacks the parts whose names are wanted. Folders are left out.
pub fn unpack(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Vec<Part>, ArchiveFault> {
    let (count, mut directory) = directory(bytes).ok_or(ArchiveFault::Broken)?;
    if count > ARCHIVE_PARTS_MAX {
        return Err(ArchiveFault::TooLarge);
    }
    let mut names = HashSet::new();
    let mut parts = Vec::new();
    let mut room = ARCHIVE_BYTES_MAX;
    for _ in 0..count {
        let entry = Entry::take(&mut directory).ok_or(ArchiveFault::Broken)?;
        if !names.insert(entry.name.to_lowercase()) || escapes(&entry.name) {
            return Err(ArchiveFault::Broken);
        }
        if entry.name.ends_with('/') || !wanted(&entry.name) {
            continue;
        }
        let content = entry.content(bytes, room)?;
        room -= content.len();
        parts.push(Part { name: entry.name, bytes: content });
    }
    Ok(parts)
}

/// Packs parts, uncompressed and in order. None if one is beyond 4 GiB or a name beyond 64 KiB.
pub fn pack<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let mut count: u16 = 0;
    for (name, bytes) in parts {
        let offset = u32::try_from(out.len()).ok()?;
        let (name_len, len) = (u16::try_from(name.len()).ok()?, u32::try_from(bytes.len()).ok()?);
        let mut crc = Crc::new();
        crc.update(bytes);
        // Version 2.0, names in UTF-8, stored, 1 January 1980.
        let mut fields = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        fields.extend(crc.sum().to_le_bytes());
        fields.extend(len.to_le_bytes());
        fields.extend(len.to_le_bytes());
        fields.extend(name_len.to_le_bytes());
        fields.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(name.as_bytes());
        out.extend(bytes);
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 0]);
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
        count = count.checked_add(1)?;
    }
    let start = u32::try_from(out.len()).ok()?;
    let size = u32::try_from(directory.len()).ok()?;
    out.extend(directory);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    Some(out)
}

/// The number of entries and the bytes of the directory, when the archive ends with it.
fn directory(bytes: &[u8]) -> Option<(usize, &[u8])> {
    // The end record is 22 bytes and a comment of at most 65,535, whose length must be its own.
    let farthest = bytes.len().checked_sub(22)?;
    let nearest = farthest.saturating_sub(0xffff);
    let end = (nearest..=farthest).rev().find(|at| {
        let mut rest = bytes.get(*at..).unwrap_or_default();
        let marked = take(&mut rest, 4) == Some(b"PK\x05\x06".as_slice());
        marked && rest.get(16..18).and_then(number) == rest.len().checked_sub(18)
    })?;
    let mut rest = bytes.get(end + 4..)?;
    let disks = take(&mut rest, 4)?;
    let (here, all) = (number(take(&mut rest, 2)?)?, number(take(&mut rest, 2)?)?);
    let (size, start) = (number(take(&mut rest, 4)?)?, number(take(&mut rest, 4)?)?);
    let one_volume = disks == [0; 4] && here == all;
    let directory = bytes.get(start..start.checked_add(size)?)?;
    // Nothing may stand between the directory and its end: that is where a second one hides.
    let ends_there = start + size == end || zip64_end(bytes, start + size, end);
    (one_volume && ends_there).then_some((all, directory))
}

/// Whether exactly the two records of the 64-bit form stand there; small archives may have them.
fn zip64_end(bytes: &[u8], from: usize, to: usize) -> bool {
    let between = bytes.get(from..to).unwrap_or_default();
    between.len() == 76 && between.starts_with(b"PK\x06\x06")
}

/// One entry of the directory.
struct Entry {
    name: String,
    encrypted: bool,
    method: usize,
    checksum: usize,
    packed: usize,
    unpacked: usize,
    offset: usize,
}

impl Entry {
    fn take(directory: &mut &[u8]) -> Option<Self> {
        if take(directory, 4)? != b"PK\x01\x02" {
            return None;
        }
        take(directory, 4)?;
        let flags = number(take(directory, 2)?)?;
        let method = number(take(directory, 2)?)?;
        take(directory, 4)?;
        let checksum = number(take(directory, 4)?)?;
        let mut sizes = [number(take(directory, 4)?)?, number(take(directory, 4)?)?, 0];
        let name = number(take(directory, 2)?)?;
        let extra = number(take(directory, 2)?)?;
        let comment = number(take(directory, 2)?)?;
        take(directory, 8)?;
        let [packed, unpacked, offset] = &mut sizes;
        *offset = number(take(directory, 4)?)?;
        let name = std::str::from_utf8(take(directory, name)?).ok()?.replace('\\', "/");
        let extra = take(directory, extra)?;
        take(directory, comment)?;
        widen(extra, [unpacked, packed, offset])?;
        let encrypted = flags & 1 == 1;
        let [packed, unpacked, offset] = sizes;
        Some(Self { name, encrypted, method, checksum, packed, unpacked, offset })
    }

    fn content(&self, archive: &[u8], room: usize) -> Result<Vec<u8>, ArchiveFault> {
        if self.encrypted {
            return Err(ArchiveFault::Encrypted);
        }
        if self.unpacked > room {
            return Err(ArchiveFault::TooLarge);
        }
        let packed = self.packed_bytes(archive).ok_or(ArchiveFault::Broken)?;
        let content = match self.method {
            0 => packed.to_vec(),
            8 => {
                // One byte more than declared shows that the declaration was false.
                let limit = u64::try_from(self.unpacked).map_or(u64::MAX, |n| n.saturating_add(1));
                let mut content = Vec::new();
                let read = DeflateDecoder::new(packed).take(limit).read_to_end(&mut content);
                read.map_err(|_broken| ArchiveFault::Broken)?;
                content
            }
            _ => return Err(ArchiveFault::Method),
        };
        let mut crc = Crc::new();
        crc.update(&content);
        let proved =
            content.len() == self.unpacked && usize::try_from(crc.sum()) == Ok(self.checksum);
        if proved { Ok(content) } else { Err(ArchiveFault::Broken) }
    }

    fn packed_bytes<'a>(&self, archive: &'a [u8]) -> Option<&'a [u8]> {
        let mut local = archive.get(self.offset..)?;
        if take(&mut local, 4)? != b"PK\x03\x04" {
            return None;
        }
        take(&mut local, 22)?;
        let name = number(take(&mut local, 2)?)?;
        let extra = number(take(&mut local, 2)?)?;
        take(&mut local, name + extra)?;
        local.get(..self.packed)
    }
}

/// Fills in the sizes that stand in the 64-bit extra field, where the short ones say so.
fn widen(mut extra: &[u8], sizes: [&mut usize; 3]) -> Option<()> {
    let wide = loop {
        if extra.is_empty() {
            break None;
        }
        let id = number(take(&mut extra, 2)?)?;
        let length = number(take(&mut extra, 2)?)?;
        let content = take(&mut extra, length)?;
        if id == 1 {
            break Some(content);
        }
    };
    let mut wide = wide.unwrap_or_default();
    for size in sizes {
        if *size == 0xffff_ffff {
            *size = number(take(&mut wide, 8)?)?;
        }
    }
    Some(())
}

/// Whether a name leads out of the archive.
fn escapes(name: &str) -> bool {
    name.starts_with('/') || name.contains(':') || name.split('/').any(|part| part == "..")
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> Option<usize> {
    let value = bytes.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    usize::try_from(value).ok()
}

#[cfg(test)]
mod tests;
