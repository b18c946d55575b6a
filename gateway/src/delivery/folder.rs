//! A drop folder: an import file with its documents, for a job of the recipient's to read.
//!
//! One delivery is one sub-folder named by the delivery's id: `import.csv` (or as the partner's
//! format has it), `document-1.pdf` and so on, and [`MANIFEST`], which says what belongs to it with
//! sizes and SHA-256. Everything is written and flushed in a hidden folder beside it, the manifest
//! last, and then renamed into place in one step: whoever sees the sub-folder sees all of it.
//!
//! A second attempt for a delivery that lies there is taken as done; once the job has moved the
//! sub-folder away, it knows a second copy by its name. A missing folder, a full disk or a refused
//! permission defers the delivery and leaves nothing behind. The folder itself is never made here:
//! a share that is not mounted must not become an ordinary folder.
//!
//! This module must never know the store, and no name in the folder says anything about anybody.
//! Not supported: several deliveries in one file, because one that is withdrawn could not be told
//! from the others.

use std::io;
use std::path::{Path, PathBuf};

use adapters::Format;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Parcel, SendError};
use crate::config::Partner;
use crate::entropy::sha256_hex;
use crate::queue::DeliveryId;
use crate::whole_file;

/// The carrier that writes into folders. It keeps nothing between deliveries.
#[derive(Debug, Default)]
pub struct FolderCarrier;

/// What a delivery's sub-folder holds. Written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form: [`VERSION`].
    pub manifest: String,
    /// The delivery, which is also the name of the sub-folder.
    pub delivery: DeliveryId,
    /// The type of message.
    pub message_type: String,
    /// The format of the import file.
    pub format: Format,
    /// Records in the import file.
    pub records: usize,
    /// Documents beside it.
    pub documents: usize,
    /// Every other file: the import file first, then the documents in the record's order.
    pub files: Vec<ManifestFile>,
}

/// One file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name in the sub-folder.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub bytes: usize,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

impl FolderCarrier {
    /// Writes a parcel into its recipient's folder. The parcel is spent. `attempt` is fresh: it
    /// keeps two attempts for the same delivery apart until one of them is in place.
    pub async fn send(
        &self,
        parcel: Parcel,
        partner: &Partner,
        attempt: Uuid,
    ) -> Result<(), SendError> {
        let folder = partner.folder.clone().filter(|_| partner.enabled);
        let Some(folder) = folder.filter(|_| partner.organisation == *parcel.recipient()) else {
            return Err(SendError::Transient("the partner has no folder at present".to_owned()));
        };
        let written = tokio::task::spawn_blocking(move || drop_into(&folder, &parcel, attempt));
        written.await.unwrap_or_else(|_| {
            Err(SendError::Unknown("the attempt to write was interrupted".to_owned()))
        })
    }
}

/// Removes what attempts that were killed left in the hidden staging folder.
pub fn sweep(folder: &Path) -> io::Result<()> {
    sweep_where(folder, |_| true)
}

/// What lies complete in a drop folder: each sub-folder with its manifest. Half-written, foreign
/// and hidden things are not listed.
pub fn arrived(folder: &Path) -> io::Result<Vec<(PathBuf, Manifest)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(manifest) = read_manifest(&path)
            && path.file_name().is_some_and(|name| *name == *manifest.delivery.to_string())
        {
            found.push((path, manifest));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether every file that a manifest names is there, with its size and its hash.
pub fn is_whole(delivery: &Path, manifest: &Manifest) -> bool {
    manifest.files.iter().all(|file| {
        let content = std::fs::read(delivery.join(&file.name)).unwrap_or_default();
        content.len() == file.bytes && sha256_hex(&content) == file.sha256
    })
}

fn drop_into(folder: &Path, parcel: &Parcel, attempt: Uuid) -> Result<(), SendError> {
    let (files, manifest) = contents(parcel)?;
    if !std::fs::metadata(folder).is_ok_and(|folder| folder.is_dir()) {
        return Err(SendError::Transient("the folder is not there".to_owned()));
    }
    let delivery = parcel.delivery().to_string();
    let place = folder.join(&delivery);
    if let Some(answer) = in_place(&place, &manifest) {
        return answer;
    }
    let own = format!("{delivery}.");
    let staged = folder.join(STAGING).join(format!("{own}{attempt}"));
    let staging = sweep_where(folder, |name| name.starts_with(&own)).and_then(|()| {
        let mode = whole_file::mode_within(folder)?;
        whole_file::ensure_folder(&folder.join(STAGING), mode)?;
        stage((&staged, mode), &files, &manifest)
    });
    if let Err(error) = staging {
        drop(std::fs::remove_dir_all(&staged));
        return Err(SendError::Transient(reason(&error)));
    }
    // The one step by which it appears. An empty folder of that name would be replaced; one with
    // something in it makes the step fail.
    if let Err(error) = std::fs::rename(&staged, &place) {
        drop(std::fs::remove_dir_all(&staged));
        return in_place(&place, &manifest)
            .unwrap_or_else(|| Err(SendError::Transient(reason(&error))));
    }
    whole_file::flush_folder(folder).map_err(|error| SendError::Unknown(reason(&error)))
}

type Named<'a> = Vec<(&'a str, &'a [u8])>;

fn contents(parcel: &Parcel) -> Result<(Named<'_>, Manifest), SendError> {
    let (Some(format), Some(documents)) = (parcel.format(), parcel.documents()) else {
        // The partner's carrier changed between rendering and sending: the next attempt has them.
        return Err(SendError::Transient("it was rendered for another carrier".to_owned()));
    };
    let mut files = vec![(import_name(format), parcel.expose_body())];
    let mut listed = vec![listed(import_name(format), parcel.media_type(), parcel.expose_body())];
    for document in documents {
        let content = document.expose_content();
        files.push((&document.name, content));
        listed.push(self::listed(&document.name, &document.media_type, content));
    }
    let manifest = Manifest {
        manifest: VERSION.to_owned(),
        delivery: parcel.delivery(),
        message_type: parcel.kind().as_str().to_owned(),
        format,
        records: 1,
        documents: documents.len(),
        files: listed,
    };
    Ok((files, manifest))
}

fn listed(name: &str, media_type: &str, content: &[u8]) -> ManifestFile {
    ManifestFile {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: content.len(),
        sha256: sha256_hex(content),
    }
}

fn stage(
    (staged, mode): (&Path, u32),
    files: &[(&str, &[u8])],
    manifest: &Manifest,
) -> io::Result<()> {
    whole_file::ensure_folder(staged, mode)?;
    for (name, content) in files {
        whole_file::create(&staged.join(name), content, mode)?;
    }
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    whole_file::create(&staged.join(MANIFEST), &text, mode)?;
    whole_file::flush_folder(staged)
}

/// What an earlier attempt for the same delivery left in its place: taken, when it is that. The
/// import file may differ, because it says on which day it was written; the record cannot.
fn in_place(place: &Path, manifest: &Manifest) -> Option<Result<(), SendError>> {
    std::fs::symlink_metadata(place).ok()?;
    if std::fs::read_dir(place).is_ok_and(|mut inside| inside.next().is_none()) {
        return None;
    }
    let there = read_manifest(place);
    let same = there.is_some_and(|there| {
        there.delivery == manifest.delivery
            && there.message_type == manifest.message_type
            && there.files.get(1..) == manifest.files.get(1..)
    });
    Some(if same {
        Ok(())
    } else {
        Err(SendError::Transient("something else lies in the place of this delivery".to_owned()))
    })
}

fn read_manifest(delivery: &Path) -> Option<Manifest> {
    if !std::fs::symlink_metadata(delivery).ok()?.is_dir() {
        return None;
    }
    let (file, about) = whole_file::open_plain(&delivery.join(MANIFEST)).ok()?;
    let small = about.len() <= MANIFEST_BYTES_MAX;
    let manifest: Manifest = small.then(|| serde_json::from_reader(file).ok())??;
    (manifest.manifest == VERSION).then_some(manifest)
}

/// Clears staged folders away. Each is renamed first, so that an attempt that is still at work on
/// it can no longer put it in place: it never appears with a part missing.
fn sweep_where(folder: &Path, which: impl Fn(&str) -> bool) -> io::Result<()> {
    let staging = folder.join(STAGING);
    match std::fs::symlink_metadata(&staging) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    for entry in std::fs::read_dir(&staging)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| which(name)) else { continue };
        let away = staging.join(format!("{SWEPT}{}", name.trim_start_matches(SWEPT)));
        let moved = std::fs::rename(entry.path(), &away);
        let gone = moved.and_then(|()| std::fs::remove_dir_all(&away));
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// What went wrong, without the path: the operator knows the folder, the log need not.
fn reason(error: &io::Error) -> String {
    let known = REASONS.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(
        || format!("the folder could not be written to ({})", error.kind()),
        |(_, words)| (*words).to_owned(),
    )
}

fn import_name(format: Format) -> &'static str {
    match format {
        Format::Csv => "import.csv",
        Format::Json => "import.json",
        Format::Fhir => "import.fhir.json",
        Format::FhirXml => "import.fhir.xml",
        Format::Xlsx => "import.xlsx",
        Format::Xml => "import.xml",
        Format::Hl7 => "import.hl7",
    }
}

/// What an operator reads for the faults that happen.
const REASONS: [(io::ErrorKind, &str); 6] = [
    (io::ErrorKind::PermissionDenied, "the gateway may not write to the folder"),
    (io::ErrorKind::StorageFull, "the disk is full"),
    (io::ErrorKind::QuotaExceeded, "the disk is full"),
    (io::ErrorKind::NotFound, "the folder, or what was staged in it, is not there"),
    (io::ErrorKind::ReadOnlyFilesystem, "the file system is read-only"),
    (io::ErrorKind::NotADirectory, "something in the folder is not a folder"),
];
/// The name of the file that says what a delivery consists of.
pub const MANIFEST: &str = "manifest.json";
/// The version of the manifest's form.
pub const VERSION: &str = "ehc-gateway-drop/1";
/// Where deliveries are written until they are whole. Hidden, and on the same file system.
const STAGING: &str = ".staging";
/// How names of what is being cleared away begin.
const SWEPT: &str = "swept-";
/// The largest manifest read back: ours have a few lines per document.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
