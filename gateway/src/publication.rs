//! The log as static files: what a web server, or a copy to another machine, can give to anybody.
//!
//! Owns the folder: the tiles of the log (see [`tiles`]) and, written after
//! them, the signed `checkpoint`. So whoever reads the checkpoint finds every tile it speaks of.
//! Full tiles are written once. The folder remembers what it was given: a checkpoint in it that
//! this database does not know means that the database was restored, and nothing is released
//! (see [`restore`]).
//!
//! Use: [`publish`] once, or set `[audit] publish_to`: while the gateway runs, a checkpoint is out at
//! most half a minute after it was signed, and sooner when a hundred entries wait; and within a minute
//! after a folder that was away is back.
//!
//! Must never know who reads the folder. Entries hold pseudonyms and hashes only.
//!
//! Limits: one folder for each gateway, since the newest checkpoint of two would alternate. Partial
//! tiles that were overtaken stay, as C2SP tlog-tiles allows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError};
use crate::audit::Actor;
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::cosignature;
use crate::audit::tiles::{self, Tile};
use crate::audit::tree::{NodeAt, TreeHash};
use crate::audit::verify::Row;
use crate::outsiders::{self, Means, Pace};
use crate::restore::{self, RestoreError};
use crate::store::{Store, StoreError};

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// How many entries the checkpoint in the folder speaks of.
    pub size: u64,
    /// How many tiles were written.
    pub tiles: usize,
}

/// Why the log was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// The folder holds a checkpoint that is not one of this log.
    #[error("{0}/checkpoint is not one of this log; publish into a folder of its own")]
    Foreign(String, #[source] CheckpointError),
    /// The folder holds a checkpoint that this log does not know.
    #[error(
        "{0}/checkpoint speaks of entries that this log does not have: the database was restored, \
         or the folder is another gateway's"
    )]
    Ahead(String),
    /// A row of the log is not there, or is not what a tile can be made of.
    #[error("the log cannot be read at {0}; run `audit verify`")]
    Log(String),
    /// A file could not be written.
    #[error("{0} could not be written")]
    Io(String, #[source] io::Error),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes what is new since the folder's checkpoint; `seen` is told how many tiles of how many
/// are written.
pub async fn publish(
    store: &Store,
    vkey: &str,
    (folder, unique): (&Path, &str),
    mut seen: impl FnMut(usize, usize),
) -> Result<Published, PublicationError> {
    let Some(newest) = store.latest_checkpoint().await? else {
        return Ok(Published { size: 0, tiles: 0 });
    };
    let before = published(store, vkey, folder, newest.size).await?;
    let tiles = Tile::of_growth(before, newest.size);
    for (done, tile) in tiles.iter().enumerate() {
        let bytes = tile.bytes(&rows_of(store, *tile).await?);
        let bytes = bytes.ok_or_else(|| PublicationError::Log(tile.to_string()))?;
        write(folder.join(tile.to_string()), bytes, unique).await?;
        seen(done + 1, tiles.len());
    }
    write(folder.join(CHECKPOINT), newest.note.into_bytes(), unique).await?;
    Ok(Published { size: newest.size, tiles: tiles.len() })
}

/// The bytes of one tile; `None` when the log does not have it yet.
pub async fn tile(store: &Store, tile: Tile) -> Result<Option<Vec<u8>>, StoreError> {
    if !tile.is_in(store.audit_head().await?.size) {
        return Ok(None);
    }
    Ok(tile.bytes(&rows_of(store, tile).await?))
}

/// Compares the published checkpoint with the database, before anything is published or released.
pub(crate) async fn look_at_folder(app: &App) -> Result<(), AppError> {
    let Some(folder) = &app.config.audit.publish_to else { return Ok(()) };
    let file = folder.join(CHECKPOINT);
    let fault = |message: String| AppError::DataFile { file: file.display().to_string(), message };
    let note = match std::fs::read_to_string(&file) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(format!("the checkpoint cannot be read: {error}"))),
    };
    let actor = Actor { organisation: outsiders::PUBLISHED.to_owned(), ..Actor::local() };
    match restore::show(app, &note, &actor).await {
        Ok(_) => {
            app.published.is(&note);
            Ok(())
        }
        Err(RestoreError::Store(error)) => Err(error.into()),
        Err(RestoreError::Checkpoint(error)) => {
            Err(fault(format!("{error}; publish into a folder of this log's own")))
        }
    }
}

/// What lies in the folder that this gateway publishes to, as far as it knows: so that nobody but the one
/// task that writes there waits for the folder.
#[derive(Debug, Default)]
pub struct Lying(Mutex<Option<String>>);

impl Lying {
    /// The checkpoint there.
    pub fn note(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is(&self, note: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.to_owned());
    }
}

/// Publishes while the gateway runs, and once more when it stops. A folder that cannot be written, or
/// hangs, stops nothing else and is tried again; each failure is logged.
pub(crate) async fn keep_published(app: Arc<App>, stop: CancellationToken) {
    let Some(folder) = app.config.audit.publish_to.clone() else { return };
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST).await;
    };
    tokio::select! {
        () = publish_to(&app, &folder, &stop) => {}
        () = stopped => {}
    }
}

async fn publish_to(app: &App, folder: &Path, stop: &CancellationToken) {
    let (mut pace, mut last) = (Pace::default(), false);
    while !last {
        tokio::select! {
            () = tokio::time::sleep(STEP) => {}
            () = stop.cancelled() => last = true,
        }
        add_cosignatures(app, folder).await;
        let (now, size) = (app.clock.now(), app.log_size().await.unwrap_or(pace.has()));
        if size == pace.has() || !(last || pace.is_due(now, size)) {
            continue;
        }
        let Ok(unique) = app.make_id() else { continue };
        // While the gateway is held the folder stays as it is: it is the evidence.
        if app.store.unconfirmed_restore().await.is_ok_and(|held| held.is_some()) {
            continue;
        }
        let to = (folder, unique.to_string());
        match publish(&app.store, &app.log_vkey, (to.0, &to.1), |_, _| {}).await {
            Ok(published) => {
                pace.reached(now, published.size);
                note_published(app, published.size).await;
            }
            Err(error) => {
                pace.failed(now);
                let error = crate::telemetry::chain(&error);
                tracing::error!(error, "the log could not be published");
            }
        }
    }
}

/// Remembers how far the folder has come: it is one that holds the log outside.
async fn note_published(app: &App, size: u64) {
    let noted = async {
        let stored = app.store.checkpoints(size, 1).await?;
        let Some(stored) = stored.first().filter(|stored| stored.size == size) else {
            return Ok(());
        };
        app.published.is(&stored.note);
        let by = (outsiders::PUBLISHED, Means::Published);
        outsiders::holds(app, by, (size, stored.at)).await
    };
    if let Err(error) = noted.await {
        let error = crate::telemetry::chain(&error);
        tracing::warn!(error, "it could not be noted how far the log is published");
    }
}

/// The checkpoint in the folder that this gateway publishes to, when it is signed by its key.
pub(crate) fn checkpoint_in(app: &App) -> Option<(Checkpoint, String)> {
    let note = app.published.note()?;
    Some((Checkpoint::parse_and_verify(&note, &app.log_vkey).ok()?, note))
}

/// A node of the tree of a published log of this size, from its files. `None` when they do not
/// have it. Nothing is verified: hold the root that follows against a signed one.
pub fn node_in_folder(folder: &Path, size: u64, node: NodeAt) -> Option<TreeHash> {
    tiles::node_in_tiles(size, node, |tile| {
        let file = |tile: Tile| std::fs::read(folder.join(tile.to_string())).ok();
        // A log that has grown may have its full tile only.
        file(tile).or_else(|| file(tile.grown()))
    })
}

/// The signed checkpoint of a published log, as it lies there.
pub fn note_in_folder(folder: &Path) -> io::Result<String> {
    std::fs::read_to_string(folder.join(CHECKPOINT))
}

/// Writes the published checkpoint again when witnesses have cosigned it since.
async fn add_cosignatures(app: &App, folder: &Path) {
    if app.config.audit.witnesses.is_empty() {
        return;
    }
    let Some((head, there)) = checkpoint_in(app) else { return };
    let stored = app.store.checkpoints(head.size, 1).await.unwrap_or_default().into_iter().next();
    let same = |note: &str| cosignature::text_of(note) == cosignature::text_of(&there);
    let Some(stored) = stored.filter(|stored| same(&stored.note)) else { return };
    let Ok(note) = outsiders::with_cosignatures(app, stored).await else { return };
    if note == there {
        return;
    }
    let Ok(unique) = app.make_id() else { return };
    let (file, with) = (folder.join(CHECKPOINT), note.clone());
    let replaced = away(move || {
        // Not into a folder that was emptied meanwhile, where its tiles are not.
        if std::fs::read_to_string(&file)? != there {
            return Ok(false);
        }
        crate::whole_file::replace(&file, with.as_bytes(), &unique.to_string()).map(|()| true)
    });
    match replaced.await {
        Ok(true) => app.published.is(&note),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let error = crate::telemetry::chain(&error);
            tracing::error!(error, "cosignatures could not be published");
        }
    }
}

/// Works on the folder away from the threads that answer partners: a volume may hang.
async fn away<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// How many entries of this log the folder has.
async fn published(
    store: &Store,
    vkey: &str,
    folder: &Path,
    size: u64,
) -> Result<u64, PublicationError> {
    let name = folder.display().to_string();
    let file = folder.join(CHECKPOINT);
    let note = match away(move || std::fs::read_to_string(file)).await {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(PublicationError::Io(name, error)),
    };
    let kept = Checkpoint::parse_and_verify(&note, vkey)
        .map_err(|error| PublicationError::Foreign(name.clone(), error))?;
    match restore::is_known((store, vkey), &kept, size).await {
        Ok(true) => Ok(kept.size),
        Ok(false) | Err(RestoreError::Checkpoint(_)) => Err(PublicationError::Ahead(name)),
        Err(RestoreError::Store(error)) => Err(error.into()),
    }
}

async fn rows_of(store: &Store, tile: Tile) -> Result<Vec<Row>, StoreError> {
    let rows = store.audit_rows_at(&tile.rows()).await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

async fn write(file: PathBuf, bytes: Vec<u8>, unique: &str) -> Result<(), PublicationError> {
    let (name, unique) = (file.display().to_string(), unique.to_owned());
    let written = away(move || {
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
        crate::whole_file::replace(&file, &bytes, &unique)
    });
    written.await.map_err(|error| PublicationError::Io(name, error))
}

/// How often it is looked whether there is something to publish.
const STEP: Duration = Duration::from_secs(1);
/// The longest that a stop waits for the folder.
const LAST: Duration = Duration::from_secs(10);
/// Where C2SP tlog-tiles has the newest checkpoint.
const CHECKPOINT: &str = "checkpoint";
