//! A set of files: one CSV for each entity of an authority's export, joined into requests.
//!
//! Owns the joining: which rows belong together, and what happens when they do not. Every row of
//! `advice_request` becomes a draft; the other files say who and what it is about. It must never
//! know where files come from, or what makes a record acceptable.
//!
//! A set travels as one archive (zip), so that it is proved, sealed and answered as one thing:
//! `manifest.json`, the files it lists, and a folder `documents`. In places, a file is known by
//! its number in the manifest: "sheet 2, row 5" is line 5 of the second file.
//!
//! A set that differs from its manifest by a byte or a row is refused whole: it may be half
//! written. A row that cannot be joined is an error of that request, and the others stand:
//!
//! - a person that was merged is replaced by the one it was merged into, and that is said;
//! - a person that was deleted, stands twice, or shares an NHS number with another stops the
//!   request: a person must say who is meant;
//! - a request or case that was deleted is refused, because nothing that was sent can be recalled.
//!
//! Limits: [`limits`](crate::limits). Not supported: entities that no message carries
//! ([`Entity::Plan`], [`Entity::Review`], [`Entity::Involvement`], [`Entity::ContactPr`]) are
//! counted and proved, not read; a delta must hold everything its requests refer to, because the
//! gateway keeps no copy of an authority's people.

mod join;
mod people;
mod rows;

use schemas::{Issue, Place};

use crate::archive::{self, ArchiveFault, Part};
use crate::manifest::{FILE_NAME, Manifest};
use crate::mapping::{Entity, FileKind, Mapping};
use crate::{ReadError, ReadErrorKind, Reading};

use rows::EntityRows;

/// Computes the SHA-256 of bytes, in hexadecimal. Handed in: this crate computes none.
pub type Sha256Hex = fn(&[u8]) -> String;

/// Reads an archive of a set through its mapping: one item per row of `advice_request`.
pub fn read(
    bytes: &[u8],
    mapping: &Mapping,
    sender: &str,
    sha256: Sha256Hex,
) -> Result<Reading, ReadError> {
    mapping.takes(FileKind::Set)?;
    let mut parts = archive::unpack(bytes, |_| true).map_err(unpacking)?;
    let documents = parts.extract_if(.., |part| part.name.starts_with(DOCUMENTS)).collect();
    let manifest = manifest(&mut parts)?;
    if manifest.authority != sender {
        return Err(refusal(
            "manifest-authority",
            "the manifest names another authority than the one that sends",
            "send the sets of your own authority only",
        ));
    }
    let present: Vec<(&str, String)> =
        parts.iter().map(|part| (part.name.as_str(), sha256(&part.bytes))).collect();
    manifest.proves(&present)?;
    let mut notes = Vec::new();
    let mut files = Vec::new();
    for entity in Entity::ALL {
        let Some((number, listed)) = manifest.file(entity) else { continue };
        let Some(part) = parts.iter().find(|part| part.name == listed.name) else { continue };
        if let Some(mapping) = mapping.entity(entity) {
            let rows = rows::read(&part.bytes, mapping, number, &mut notes)?;
            manifest.counts(entity, rows.count)?;
            files.push((entity, rows));
        } else {
            notes.push(unread(number));
            manifest.counts(entity, rows::count(&part.bytes, mapping, number)?)?;
        }
    }
    let required = [Entity::Person, Entity::EhcRequest, Entity::AdviceRequest];
    if !required.iter().all(|entity| files.iter().any(|(known, _)| known == entity)) {
        return Err(refusal(
            "manifest-entity-missing",
            "a set needs the files of person, ehc_request and advice_request",
            "export them; a file with a header alone says that there is nothing",
        ));
    }
    let of = |entity: Entity| {
        let found = files.iter().find(|(known, _)| *known == entity);
        found.map_or(EntityRows::NONE, |(_, rows)| rows)
    };
    let joiner = join::Joiner::new(mapping, sender, &of, documents, sha256);
    let items = joiner.items(of(Entity::AdviceRequest), &mut notes);
    Ok(Reading { items, notes })
}

/// The manifest of a set, taken out of its parts.
fn manifest(parts: &mut Vec<Part>) -> Result<Manifest, ReadError> {
    let at = parts.iter().position(|part| part.name == FILE_NAME).ok_or_else(|| {
        refusal(
            "manifest-missing",
            "the set has no manifest.json",
            "write one as schemas/csv/export.md says, after every other file",
        )
    })?;
    Manifest::parse(&parts.remove(at).bytes)
}

fn unread(number: u32) -> Issue {
    Issue::warning(
        "entity-unread",
        None,
        Place::Sheet { sheet: number, row: 1, column: 0 },
        "the file was counted and proved, not read: no message carries what it holds",
        "nothing needs doing",
    )
}

fn unpacking(fault: ArchiveFault) -> ReadError {
    let (kind, rule, message) = match fault {
        ArchiveFault::Broken | ArchiveFault::Method | ArchiveFault::Encrypted => (
            ReadErrorKind::Syntax,
            "set-broken",
            "is not an archive (zip) of a set of files, or is damaged or encrypted",
        ),
        ArchiveFault::TooLarge => (
            ReadErrorKind::TooLarge,
            "set-too-large",
            "the set unpacks to more than 96 MiB, or to more than 2,000 files",
        ),
    };
    let next = "pack the files and the manifest with any zip program, without a password";
    ReadError::new(kind, rule, Place::Whole, message, next)
}

fn refusal(rule: &str, message: &str, next: &str) -> ReadError {
    ReadError::new(ReadErrorKind::Shape, rule, Place::Whole, message, next)
}

/// Where documents stand in a set.
pub const DOCUMENTS: &str = "documents/";

#[cfg(test)]
mod tests;
