//! Making a backup, of a gateway that runs or stands still.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::form::{Writer, Written};
use super::manifest::{Documents, Header, Manifest};
use super::opening::Keys;
use super::{BackupError, Progress, rows};
use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::config::KeepingSection;
use crate::documents::DocumentState;
use crate::documents::keeping::KeepingError;
use crate::entropy::{hex, sha256_hex};
use crate::store::dump::Snapshot;
use crate::store::{Change, NewBackup, Write};
use crate::vault::backups::FreshKey;
use crate::vault::segments::segments_for;

/// Who has a backup made, and why.
#[derive(Debug, Clone)]
pub struct Why {
    /// Who.
    pub actor: Actor,
    /// Why, one of [`Why::REASONS`].
    pub reason: &'static str,
}

impl Why {
    /// Why a backup is made, as the log says it.
    pub const REASONS: [&'static str; 4] =
        ["scheduled", "before-upgrade", "exercise", "on-request"];
}

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// How many bytes the file has.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal: also in the log.
    pub sha256: String,
    /// The entry in the log.
    pub entry: u64,
}

/// What a backup is called in a folder: whose it is, and when it was begun.
pub fn file_name(gateway: &OrganisationCode, at: Timestamp) -> String {
    let digits: String = at.to_string().chars().take(19).filter(|c| !"-:".contains(*c)).collect();
    format!("ehc-gateway-{gateway}-{digits}Z.ehcbackup")
}

/// Makes a backup in a file or, under a name of its own, in a folder. It is in the log before it is
/// in its place.
pub async fn make(
    app: &App,
    keys: &Keys,
    to: &Path,
    why: &Why,
    told: Progress<'_>,
) -> Result<Made, BackupError> {
    let now = app.clock.now();
    let name = file_name(app.organisation(), now);
    let path = if to.is_dir() { to.join(name) } else { to.to_owned() };
    let mut snapshot = app.store.snapshot().await?;
    let (fresh, wrapped) =
        FreshKey::make(keys.backup(), &*app.entropy).map_err(BackupError::Key)?;
    let (key, wrapped) = Header::of(&wrapped);
    let header = Header {
        id: app.make_id()?,
        made_at: now,
        gateway: app.origin().to_owned(),
        engine: app.store.engine_name().to_owned(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        schema: snapshot.schema(),
        key,
        wrapped,
    };
    let json = serde_json::to_vec(&header).or(Err(unwritable("the header")))?;
    let sealer = fresh.bind(&json).map_err(BackupError::Key)?;
    let header_hash = sha256_hex(&json);
    let mut writer = Writer::begin(&path, (&header, &json), sealer).await?;
    let tables = database(&mut writer, &mut snapshot, told).await?;
    let documents = documents(app, &mut writer, snapshot.documents(), told).await?;
    let checkpoint = snapshot.checkpoint().filter(|kept| kept.size == snapshot.head().size);
    let manifest = Manifest {
        id: header.id,
        made_at: header.made_at,
        gateway: header.gateway,
        engine: header.engine,
        software: header.software,
        header: header_hash,
        schema: header.schema,
        log_size: snapshot.head().size,
        checkpoint: checkpoint.map(|kept| kept.note.clone()).unwrap_or_default(),
        tables,
        documents,
        parts: writer.parts(),
    };
    drop(snapshot);
    let signed = manifest.sign(keys.signer().key().as_ref());
    let written = writer.finish(&signed.ok_or_else(|| unwritable("the manifest"))?).await?;
    let entry = write_down(app, &manifest, &written, why).await?;
    let (bytes, sha256) = (written.bytes, hex(&written.sha256));
    written.put(&path)?;
    Ok(Made { path, manifest, bytes, sha256, entry })
}

/// No entry, no backup: committed while the file is not yet in its place.
async fn write_down(
    app: &App,
    manifest: &Manifest,
    written: &Written,
    why: &Why,
) -> Result<u64, BackupError> {
    let mut event = Event::new(EventKind::BackupMade, why.actor.clone())
        .with("backup", manifest.id)
        .with("reason", why.reason)
        .with("log_size", manifest.log_size)
        .with("bytes", written.bytes)
        .with("documents", manifest.parts.len().saturating_sub(1));
    event.hashes.insert("backup".to_owned(), hex(&written.sha256));
    let new = NewBackup {
        id: manifest.id,
        log_size: manifest.log_size,
        bytes: written.bytes,
        sha256: written.sha256,
    };
    let change = Change::because(event).write(Write::BackupMade(new));
    Ok(app.store.commit(change).await?.first_seq)
}

/// The database's part; how many rows each table has.
async fn database(
    writer: &mut Writer,
    snapshot: &mut Snapshot,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<BTreeMap<String, u64>, BackupError> {
    let mut counts = BTreeMap::new();
    for shape in snapshot.tables() {
        writer.write(&rows::table(&shape)).await?;
        snapshot.begin_table(&shape).await?;
        let mut count = 0u64;
        loop {
            let rows = snapshot.rows().await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                writer.write(&rows::row(row)).await?;
                count = count.saturating_add(1);
            }
            told(writer.bytes());
        }
        writer.write(&rows::end(count)).await?;
        counts.insert(shape.name, count);
    }
    writer.end_part("database".to_owned()).await?;
    Ok(counts)
}

/// Each document as it is kept: its id, then each segment with its place and length.
async fn documents(
    app: &App,
    writer: &mut Writer,
    kept: &[(Uuid, u64)],
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<Documents, BackupError> {
    if matches!(app.config.documents.keeping, KeepingSection::S3(_)) {
        return Ok(Documents::InTheirOwnStore);
    }
    for (document, received) in kept {
        writer.write(document.as_bytes()).await?;
        let (segments, _) = segments_for(&(0..*received));
        for index in segments {
            match app.documents.keeping.get(*document, index).await {
                Ok(sealed) => {
                    let length = u32::try_from(sealed.len()).unwrap_or(0);
                    let place = u32::try_from(index).unwrap_or(0);
                    let head = [place.to_be_bytes(), length.to_be_bytes()].concat();
                    writer.write(&head).await?;
                    writer.write(&sealed).await?;
                    told(writer.bytes());
                }
                // It may have been refused or given up since the instant of the database.
                Err(KeepingError::Missing) if is_gone(app, *document).await? => break,
                Err(KeepingError::Missing) => return Err(BackupError::DocumentMissing(*document)),
                Err(error) => return Err(error.into()),
            }
        }
        writer.end_part(document.to_string()).await?;
    }
    Ok(Documents::Included)
}

async fn is_gone(app: &App, document: Uuid) -> Result<bool, BackupError> {
    let now = app.store.find_document(document).await?;
    Ok(now.is_none_or(|now| match now.state {
        DocumentState::Refused | DocumentState::Abandoned => true,
        DocumentState::Uploading
        | DocumentState::Ready
        | DocumentState::NotScanned
        | DocumentState::Flagged => false,
    }))
}

fn unwritable(part: &str) -> BackupError {
    BackupError::Part { part: part.to_owned(), what: "it cannot be written" }
}
