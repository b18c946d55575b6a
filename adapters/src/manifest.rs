//! The manifest of a set of files: what should be there, proved against what is.
//!
//! Owns the form of `manifest.json` and the comparison with the files. It must never know where
//! files come from, what their rows mean, or how a hash is computed: it is handed hashes.
//!
//! ```
//! use adapters::manifest::{Manifest, Mode};
//!
//! let text = r#"{ "schema": "ehc-gateway/la-export/1", "authority": "334",
//!   "extracted_at": "2026-11-20T02:00:00Z", "mode": "full", "files": [] }"#;
//! let manifest = Manifest::parse(text.as_bytes()).expect("well-formed");
//! assert_eq!(manifest.mode, Mode::Full);
//! ```
//!
//! Limits: one file for each entity. Not supported: manifests as CSV (a list cannot say when the
//! extract was made), and signatures (the connection says who sends it).

use std::collections::HashSet;

use jiff::Timestamp;
use schemas::Place;
use serde::{Deserialize, Serialize};

use crate::mapping::Entity;
use crate::{ReadError, ReadErrorKind};

/// What an authority says of a set of files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the layout: [`SCHEMA`].
    pub schema: String,
    /// The organisation code of the authority.
    pub authority: String,
    /// When the extract was made.
    pub extracted_at: Timestamp,
    /// Whether it holds everything or what changed.
    pub mode: Mode,
    /// For a delta: the extract it continues, by the time that one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The files.
    pub files: Vec<Listed>,
}

/// Whether a set holds everything or what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everything that is current. What is not in it was not deleted by that: tombstones say so.
    Full,
    /// What changed, with everything that the changed requests refer to.
    Delta,
}

/// One file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// What its rows are about: the name of an [`Entity`].
    pub entity: String,
    /// Its name, without a folder.
    pub name: String,
    /// How many rows it has below its header, blank ones not counted.
    pub rows: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// The layout that is read.
pub const SCHEMA: &str = "ehc-gateway/la-export/1";
/// The name of the manifest in a folder or archive.
pub const FILE_NAME: &str = "manifest.json";

impl Manifest {
    /// Reads a manifest and checks it in itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            let place = Place::Text {
                line: u64::try_from(error.line()).unwrap_or(0).max(1),
                column: u64::try_from(error.column()).unwrap_or(0).max(1),
                path: String::new(),
            };
            // What the parser says may quote the file, so it is not passed on.
            ReadError::new(
                ReadErrorKind::Syntax,
                "manifest-unreadable",
                place,
                "the manifest is not of the agreed form",
                "write it as schemas/csv/export.md says",
            )
        })?;
        manifest.consistent()?;
        Ok(manifest)
    }

    fn consistent(&self) -> Result<(), ReadError> {
        if self.schema != SCHEMA {
            return Err(shape(
                "manifest-schema",
                "the manifest is of another layout than ehc-gateway/la-export/1",
                "export in the agreed layout",
            ));
        }
        let since_fits = match (self.mode, self.since) {
            (Mode::Full, None) => true,
            (Mode::Delta, Some(since)) => since < self.extracted_at,
            (Mode::Full, Some(_)) | (Mode::Delta, None) => false,
        };
        if !since_fits {
            return Err(shape(
                "manifest-since",
                "a delta says `since` when, before it was made; a full extract does not",
                "correct `mode` or `since`",
            ));
        }
        let (mut names, mut entities) = (HashSet::new(), HashSet::new());
        for listed in &self.files {
            let entity = Entity::from_name(&listed.entity);
            let once = entity.is_some_and(|entity| entities.insert(entity));
            let plain = !listed.name.contains(['/', '\\', ':']) && !listed.name.starts_with('.');
            let hash = listed.sha256.len() == 64
                && listed.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !(once && plain && hash && names.insert(listed.name.as_str())) {
                return Err(shape(
                    "manifest-file",
                    "the manifest lists a file with an unknown or repeated entity, a repeated name \
                     or one with a folder, or a hash that is not 64 hexadecimal digits",
                    "list each entity once, as schemas/csv/export.md says",
                ));
            }
        }
        Ok(())
    }

    /// The file of an entity, with its place in the list, from 1.
    pub fn file(&self, entity: Entity) -> Option<(u32, &Listed)> {
        let found = self.files.iter().zip(1_u32..).find(|(file, _)| file.entity == entity.name());
        found.map(|(file, number)| (number, file))
    }

    /// Refuses a set whose files are not exactly those listed, byte for byte. `present` is the
    /// names and hashes (hexadecimal) of all files beside the manifest, documents left out.
    pub fn proves(&self, present: &[(&str, String)]) -> Result<(), ReadError> {
        for (listed, number) in self.files.iter().zip(1_u32..) {
            let place = Place::Sheet { sheet: number, row: 1, column: 0 };
            let Some((_, hash)) = present.iter().find(|(name, _)| *name == listed.name) else {
                return Err(ReadError::new(
                    ReadErrorKind::Shape,
                    "manifest-file-missing",
                    place,
                    "a file that the manifest lists is not there",
                    "wait until every file is written, then send the set again",
                ));
            };
            if !hash.eq_ignore_ascii_case(&listed.sha256) {
                return Err(ReadError::new(
                    ReadErrorKind::Shape,
                    "manifest-hash",
                    place,
                    "a file is not the one the manifest lists: its SHA-256 differs",
                    "write the manifest last, and send the set again",
                ));
            }
        }
        let listed = |name: &str| self.files.iter().any(|file| file.name == name);
        if present.iter().any(|(name, _)| !listed(name)) {
            return Err(shape(
                "manifest-file-unlisted",
                "there is a file that the manifest does not list",
                "list it, or leave it out of the set",
            ));
        }
        Ok(())
    }

    /// Refuses a file with another number of rows than the manifest says.
    pub fn counts(&self, entity: Entity, rows: u64) -> Result<(), ReadError> {
        let Some((number, listed)) = self.file(entity) else { return Ok(()) };
        if listed.rows == rows {
            return Ok(());
        }
        Err(ReadError::new(
            ReadErrorKind::Shape,
            "manifest-rows",
            Place::Sheet { sheet: number, row: 1, column: 0 },
            &format!("has {rows} rows, and the manifest says {}", listed.rows),
            "check that the export was not cut short, and send the set again",
        ))
    }

    /// Refuses a set that does not continue the one before it.
    pub fn follows(&self, before: &Self) -> Result<(), ReadError> {
        if self.authority != before.authority {
            return Err(shape(
                "manifest-authority",
                "is of another authority than the set before it",
                "compare it with the last set of the same authority",
            ));
        }
        if self.extracted_at <= before.extracted_at {
            return Err(shape(
                "manifest-older",
                "is not newer than the set before it",
                "send sets in the order in which they were made",
            ));
        }
        if self.since.is_some_and(|since| since > before.extracted_at) {
            return Err(shape(
                "manifest-gap",
                "continues an extract that is later than the set before it: one in between is missing",
                "send the missing delta first, or a full extract",
            ));
        }
        Ok(())
    }
}

fn shape(rule: &str, message: &str, next: &str) -> ReadError {
    ReadError::new(ReadErrorKind::Shape, rule, Place::Whole, message, next)
}

#[cfg(test)]
mod tests;
