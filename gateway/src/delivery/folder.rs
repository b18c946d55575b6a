//! A drop folder: an import file with its documents, for a job of the recipient's to read.
//!
//! One delivery is one sub-folder named by the delivery's id: `import.csv` (or as the partner's
//! format has it), `document-1.pdf` and so on, and [`MANIFEST`], which says what belongs to it with
//! sizes and SHA-256. Everything is written and flushed in a hidden folder beside it, the manifest
//! last, and then renamed into place in one step: whoever sees the sub-folder sees all of it. Documents
//! that are kept apart are written piece by piece; a withdrawal waits until the write has ended.
//!
//! A second attempt for a delivery that lies there is taken as done; once the job has moved the
//! sub-folder away, it knows a second copy by its name. A missing folder, a full disk or a refused
//! permission defers the delivery and leaves nothing behind. The folder itself is never made here:
//! a share that is not mounted must not become an ordinary folder.
//!
//! This module must never know the store, and no name in the folder says anything about anybody.
//! Not supported: several deliveries in one file, because one that is withdrawn could not be told
//! from the others.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use adapters::Format;
use schemas::record::StoredDocument;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Apart, Document, DocumentContent, Parcel, SendError};
use crate::config::Partner;
use crate::entropy::{Sha256, hex, sha256_hex};
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
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// A delivery that is being written, out of sight. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    folder: PathBuf,
    place: PathBuf,
    hidden: PathBuf,
    mode: u32,
    manifest: Manifest,
    apart: VecDeque<(String, Box<Apart>)>,
    writing: Option<Writing>,
    placed: bool,
}

/// A document of which some has been written.
#[derive(Debug)]
struct Writing {
    file: File,
    hash: Sha256,
    document: StoredDocument,
}

impl FolderCarrier {
    /// Begins to write a parcel into its recipient's folder: everything but the documents that are
    /// kept apart. `None` when the delivery lies there already. The parcel is spent. `attempt` is
    /// fresh: it keeps two attempts for the same delivery apart until one of them is in place.
    pub async fn begin(
        &self,
        parcel: Parcel,
        partner: &Partner,
        attempt: Uuid,
    ) -> Result<Option<Staged>, SendError> {
        let folder = partner.folder.clone().filter(|_| partner.enabled);
        let Some(folder) = folder.filter(|_| partner.organisation == *parcel.recipient()) else {
            return Err(SendError::Transient("the partner has no folder at present".to_owned()));
        };
        off_the_runtime(move || begin_in(&folder, parcel, attempt)).await
    }
}

impl Staged {
    /// Ends the document that was written last, and begins the next of those that are kept apart.
    pub async fn next_apart(&mut self) -> Result<Option<Box<Apart>>, SendError> {
        if let Some(Writing { file, hash, document }) = self.writing.take() {
            if hash.finish() != document.sha256 {
                let reason = "a document is not what was accepted".to_owned();
                return Err(SendError::Permanent(reason));
            }
            off_the_runtime(move || file.sync_all().map_err(|e| transient(&e))).await?;
        }
        let Some((name, apart)) = self.apart.pop_front() else { return Ok(None) };
        let (path, mode) = (self.hidden.join(name), self.mode);
        let made = off_the_runtime(move || {
            whole_file::create(&path, b"", mode).map_err(|error| transient(&error))?;
            File::options().append(true).open(&path).map_err(|error| transient(&error))
        });
        let file = made.await?;
        let document = apart.document.clone();
        self.writing = Some(Writing { file, hash: Sha256::default(), document });
        Ok(Some(apart))
    }

    /// Writes the next piece of the document that was begun last.
    pub async fn append(&mut self, piece: Zeroizing<Vec<u8>>) -> Result<(), SendError> {
        let Some(mut writing) = self.writing.take() else {
            return Err(SendError::Transient("no document was begun".to_owned()));
        };
        let written = off_the_runtime(move || {
            writing.file.write_all(&piece).map_err(|error| transient(&error))?;
            writing.hash.update(&piece);
            Ok(writing)
        });
        self.writing = Some(written.await?);
        Ok(())
    }

    /// Writes the manifest and lets the delivery appear.
    pub async fn put_in_place(mut self) -> Result<(), SendError> {
        off_the_runtime(move || {
            self.finish().map_err(|error| transient(&error))?;
            // The one step by which it appears. An empty folder of that name would be replaced;
            // one with something in it makes the step fail.
            if let Err(error) = std::fs::rename(&self.hidden, &self.place) {
                let there = in_place(&self.place, &self.manifest);
                return there.unwrap_or_else(|| Err(transient(&error)));
            }
            self.placed = true;
            let flushed = whole_file::flush_folder(&self.folder);
            flushed.map_err(|error| SendError::Unknown(reason(&error)))
        })
        .await
    }

    fn finish(&self) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.manifest)?;
        text.push(b'\n');
        whole_file::create(&self.hidden.join(MANIFEST), &text, self.mode)?;
        whole_file::flush_folder(&self.hidden)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.placed {
            drop(std::fs::remove_dir_all(&self.hidden));
        }
    }
}

/// Removes what attempts that were killed left in the hidden staging folder. Each is renamed first,
/// so that an attempt that is still at work on it can no longer put it in place: it never appears
/// with a part missing.
pub fn sweep(folder: &Path) -> io::Result<()> {
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
        let Some(name) = name.to_str() else { continue };
        let away = staging.join(format!("{SWEPT}{}", name.trim_start_matches(SWEPT)));
        let moved = std::fs::rename(entry.path(), &away);
        match moved.and_then(|()| std::fs::remove_dir_all(&away)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
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
    let whole = |file: &ManifestFile| {
        let (mut file_here, about) = whole_file::open_plain(&delivery.join(&file.name))?;
        let mut hash = Sha256::default();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = file_here.read(&mut piece)?;
            hash.update(piece.get(..read).unwrap_or_default());
            if read == 0 {
                let same = about.len() == file.bytes && hex(&hash.finish()) == file.sha256;
                return Ok::<bool, io::Error>(same);
            }
        }
    };
    manifest.files.iter().all(|file| whole(file).unwrap_or(false))
}

fn begin_in(folder: &Path, parcel: Parcel, attempt: Uuid) -> Result<Option<Staged>, SendError> {
    if !std::fs::metadata(folder).is_ok_and(|folder| folder.is_dir()) {
        return Err(SendError::Transient("the folder is not there".to_owned()));
    }
    let manifest = manifest_of(&parcel)?;
    let delivery = parcel.delivery().to_string();
    let place = folder.join(&delivery);
    if let Some(answer) = in_place(&place, &manifest) {
        return answer.map(|()| None);
    }
    let mode = whole_file::mode_within(folder).map_err(|error| transient(&error))?;
    let mut staged = Staged {
        folder: folder.to_owned(),
        place,
        hidden: folder.join(STAGING).join(format!("{delivery}.{attempt}")),
        mode,
        manifest,
        apart: VecDeque::new(),
        writing: None,
        placed: false,
    };
    stage(&mut staged, parcel).map_err(|error| transient(&error))?;
    Ok(Some(staged))
}

/// Writes the body and the documents that came inside; those kept apart are written afterwards.
fn stage(to: &mut Staged, parcel: Parcel) -> io::Result<()> {
    whole_file::ensure_folder(&to.folder.join(STAGING), to.mode)?;
    whole_file::ensure_folder(&to.hidden, to.mode)?;
    let import = to.manifest.files.first().map(|file| to.hidden.join(&file.name));
    let import = import.ok_or(io::ErrorKind::InvalidInput)?;
    whole_file::create(&import, parcel.expose_body(), to.mode)?;
    for Document { name, content, .. } in parcel.into_documents() {
        match content {
            DocumentContent::Inside(content) => {
                whole_file::create(&to.hidden.join(name), content.expose(), to.mode)?;
            }
            DocumentContent::Apart(apart) => {
                to.apart.push_back((name, apart));
            }
        }
    }
    Ok(())
}

fn manifest_of(parcel: &Parcel) -> Result<Manifest, SendError> {
    let (Some(format), Some(documents)) = (parcel.format(), parcel.documents()) else {
        // The partner's carrier changed between rendering and sending: the next attempt has them.
        return Err(SendError::Transient("it was rendered for another carrier".to_owned()));
    };
    let whole = |name: &str, media_type: &str, content: &[u8]| ManifestFile {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
        sha256: sha256_hex(content),
    };
    let mut files = vec![whole(import_name(format), parcel.media_type(), parcel.expose_body())];
    for Document { name, media_type, content } in documents {
        files.push(match content {
            DocumentContent::Inside(content) => whole(name, media_type, content.expose()),
            DocumentContent::Apart(apart) => ManifestFile {
                name: name.clone(),
                media_type: media_type.clone(),
                bytes: apart.document.size,
                sha256: apart.document.sha256_hex(),
            },
        });
    }
    Ok(Manifest {
        manifest: VERSION.to_owned(),
        delivery: parcel.delivery(),
        message_type: parcel.kind().as_str().to_owned(),
        format,
        records: 1,
        documents: documents.len(),
        files,
    })
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

/// Disks are slow: their work is done beside the runtime, and waited for.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SendError> + Send + 'static,
) -> Result<T, SendError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(SendError::Unknown("the write was interrupted".to_owned())))
}

fn transient(error: &io::Error) -> SendError {
    SendError::Transient(reason(error))
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
/// How much of a file is hashed at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// The largest manifest read back: ours have a few lines per document.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
