//! What a command reads from disk: one file, or a folder with a manifest.
//!
//! Owns how a file's format is known, and how a folder becomes the archive in which a set of files
//! travels. Nothing is believed of it here: the pipeline proves the set against its manifest.

use std::path::Path;

use adapters::manifest::{FILE_NAME, Manifest};
use adapters::set::DOCUMENTS;
use adapters::{Format, ReadError};
use anyhow::Context;

/// What was read from disk.
pub(super) struct Extract {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

/// Why there is nothing to work with.
pub(super) enum NoExtract {
    /// It cannot be used as it is.
    Refused(ReadError),
    /// It could not be read from disk.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NoExtract {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Reads a file, or a folder with a manifest, or the folder of that manifest. A set must follow
/// the one whose manifest is `after`.
pub(super) fn of(
    path: &Path,
    format: Option<Format>,
    after: Option<&Path>,
) -> Result<Extract, NoExtract> {
    let folder = if path.is_dir() {
        Some(path)
    } else if path.file_name().is_some_and(|name| name == FILE_NAME) {
        Some(path.parent().unwrap_or(Path::new(".")))
    } else {
        None
    };
    let Some(folder) = folder else { return Ok(file(path, format)?) };
    let now = Manifest::parse(&read(&folder.join(FILE_NAME))?).map_err(NoExtract::Refused)?;
    if let Some(before) = after {
        let before = Manifest::parse(&read(before)?).map_err(NoExtract::Refused)?;
        now.follows(&before).map_err(NoExtract::Refused)?;
    }
    Ok(Extract { format: Format::Csv, bytes: packed(folder)? })
}

/// One file, in the format its name or the operator says.
pub(super) fn file(path: &Path, format: Option<Format>) -> anyhow::Result<Extract> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = format.or_else(|| extension.and_then(Format::from_extension));
    let format = format.context(
        "the file's name does not say its format; add --format, for example --format csv",
    )?;
    Ok(Extract { format, bytes: read(path)? })
}

/// A format as an operator names it.
pub(super) fn format_named(name: &str) -> Result<Format, String> {
    let format = serde_json::from_value(serde_json::Value::String(name.to_ascii_lowercase()));
    format.or(Err("use one of: csv, xlsx, xml, json, fhir, fhir-xml, hl7".to_owned()))
}

/// The files of a set and its documents, as the archive in which a set travels. The order of
/// files is theirs by name, so that the same set has the same bytes, and the same key.
fn packed(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut files = Vec::new();
    for name in names(folder)? {
        files.push((name.clone(), read(&folder.join(&name))?));
    }
    let documents = folder.join(DOCUMENTS);
    if documents.is_dir() {
        for name in names(&documents)? {
            let bytes = read(&documents.join(&name))?;
            files.push((format!("{DOCUMENTS}{name}"), bytes));
        }
    }
    let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    adapters::archive::pack(files).context("the set is too large to be sent as one")
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let failed = || format!("the folder {} could not be read", folder.display());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = entry.file_name().into_string().ok().with_context(failed)?;
        if entry.path().is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("the file {} could not be read", path.display()))
}
