//! Proving a backup, and putting it back: one way through, which differs in where it leads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::form::{DATABASE, MANIFEST, Reader, read_header};
use super::manifest::{Documents, Header, Manifest};
use super::rows::{self, Next};
use super::scratch::{Scratch, Work};
use super::{BackupError, Progress};
use crate::app::{AppError, frontier_from, location, log_keeper, log_signer, open_copy};
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::audit::{Actor, Event, EventKind};
use crate::clock::Clock;
use crate::config::{Config, KeepingSection};
use crate::documents::DocumentState;
use crate::documents::keeping::Keeping;
use crate::entropy::{Entropy, hex, sha256_hex};
use crate::restore::BY_COMMAND;
use crate::store::dump::{Cell, Loader, ONLY_INTO_AN_EMPTY_PLACE, Shape};
use crate::store::{Change, Shown, Store, StoreError, StoreLocation, Write};
use crate::vault::keyring::{KeyFile, KeyWrapper};
use crate::vault::look_up::PeriodKeys;
use crate::verification::{self, Verification};

/// The keys that a backup is made, proved and restored with.
#[derive(Debug)]
pub struct Keys {
    backup: KeyFile,
    /// Opens the keys of the log's periods, to verify whom entries are about.
    wrapping: Arc<KeyFile>,
    signer: LogSigner,
    holder: Actor,
}

/// The time and randomness.
pub type Seams = (Arc<dyn Clock>, Arc<dyn Entropy>);

/// A backup that was read through: made by this gateway, whole, and unaltered.
#[derive(Debug)]
pub struct Proved {
    /// What it holds.
    pub manifest: Manifest,
    /// How many segments were opened.
    pub segments: u64,
    /// How many bytes the file has.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// What the verification of the log in it said.
    pub verification: Verification,
    /// Documents that the database in it names as kept, and that are not in it.
    pub absent: Vec<Uuid>,
}

/// A backup that was put back.
#[derive(Debug)]
pub struct Restored {
    /// What it holds.
    pub manifest: Manifest,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The entry in the log of the restored database.
    pub entry: u64,
}

impl Keys {
    /// Reads the backup keys and the log's signing key of a configuration.
    pub fn load(config: &Config) -> Result<Self, BackupError> {
        let backup = KeyFile::load(&config.backup.keys).map_err(BackupError::Key)?;
        let wrapping = Arc::new(KeyFile::load(&config.keys.wrapping).map_err(AppError::from)?);
        Ok(Self { backup, wrapping, signer: log_signer(config)?, holder: Actor::local() })
    }

    /// The same in the hands of whoever restores: the entry names them.
    #[must_use]
    pub fn in_hands_of(self, holder: Actor) -> Self {
        Self { holder, ..self }
    }

    pub(super) fn backup(&self) -> &dyn KeyWrapper {
        &self.backup
    }

    pub(super) fn signer(&self) -> &LogSigner {
        &self.signer
    }
}

/// What stands before everything, without a key and without proof.
pub async fn header_of(file: &Path) -> Result<Header, BackupError> {
    Ok(read_header(file).await?.0)
}

/// Reads a backup through, into a database of its own in a folder, which is removed again even when
/// this is dropped before its end, and verifies the log and the records in it against its checkpoint.
pub async fn prove(
    file: &Path,
    keys: &Keys,
    scratch: &Path,
    (clock, entropy): Seams,
    told: Progress<'_>,
) -> Result<Proved, BackupError> {
    let unique = entropy.make_id(clock.now())?;
    let folder = Scratch::make(scratch, Work::Proof, unique)?;
    let location = StoreLocation::Sqlite { path: folder.path().join("gateway.db") };
    let (reader, header, json) = Reader::open(file, keys.backup(), told).await?;
    let through = Through { keys, header, json, documents: None };
    let loader = Loader::begin(&location, through.header.schema, clock.now()).await?;
    let (loader, read) = through.load(loader, reader).await?;
    let keeper = log_keeper(keys.signer.clone());
    loader.finish(None, &keeper, (clock.now(), &*entropy)).await?;
    let wrapping: Arc<dyn KeyWrapper> = Arc::<KeyFile>::clone(&keys.wrapping);
    let periods = Arc::new(PeriodKeys::new(wrapping, Arc::clone(&entropy)));
    let store = open_copy(location, &periods, (clock, entropy)).await?;
    let looked = look(&store, keys, &read).await;
    store.close().await;
    let (verification, absent) = looked?;
    let Read { manifest, segments, bytes, sha256, .. } = read;
    Ok(Proved { manifest, segments, bytes, sha256: hex(&sha256), verification, absent })
}

async fn look(
    store: &Store,
    keys: &Keys,
    read: &Read,
) -> Result<(Verification, Vec<Uuid>), BackupError> {
    let note = [read.manifest.checkpoint.clone()];
    let kept = if read.manifest.log_size == 0 { &[] } else { note.as_slice() };
    let vkey = keys.signer.vkey();
    let verification = verification::of_store(store, &vkey, kept, |_| {}).await?;
    let mut absent = Vec::new();
    if read.manifest.documents == Documents::Included {
        for state in [DocumentState::Ready, DocumentState::NotScanned, DocumentState::Flagged] {
            let mut after = None;
            loop {
                let some = store.documents_in(state, jiff::Timestamp::MAX, after, PAGE).await?;
                let Some(last) = some.last() else { break };
                after = Some(last.id);
                let ids = some.iter().map(|document| document.id);
                absent.extend(ids.filter(|id| !read.documents.contains(id)));
            }
        }
    }
    Ok((verification, absent))
}

/// Puts a backup into the empty database, and its documents into the empty place, of a
/// configuration. What is put there is held from its first moment.
pub async fn restore(
    file: &Path,
    config: &Config,
    keys: &Keys,
    (clock, entropy): Seams,
    told: Progress<'_>,
) -> Result<Restored, BackupError> {
    refuse_kept_documents(config)?;
    let keeping = Keeping::open(&config.documents.keeping)?;
    let location = location(config)?;
    let (reader, header, json) = Reader::open(file, keys.backup(), told).await?;
    let through = Through { keys, header, json, documents: Some(&keeping) };
    let begun = Loader::begin(&location, through.header.schema, clock.now()).await;
    let taken = |error: &StoreError| matches!(error, StoreError::Conflict { rule } if *rule == ONLY_INTO_AN_EMPTY_PLACE);
    let loader = begun.map_err(|error| {
        if taken(&error) {
            return BackupError::NotEmpty("the database of this configuration".to_owned());
        }
        error.into()
    })?;
    let (loader, read) = through.load(loader, reader).await?;
    let keeper = log_keeper(keys.signer.clone());
    let finished =
        loader.finish(Some(mark(&read, &keys.holder)), &keeper, (clock.now(), &*entropy)).await;
    let committed = match finished {
        Ok(committed) => committed,
        Err(error) => {
            take_back(&keeping, &read.put).await;
            return Err(error.into());
        }
    };
    let entry = committed.map_or(read.manifest.log_size, |committed| committed.first_seq);
    Ok(Restored { manifest: read.manifest, sha256: hex(&read.sha256), entry })
}

/// The entry and the mark that holds the gateway, in the transaction of the rows themselves.
fn mark(read: &Read, holder: &Actor) -> Change {
    let mut event = Event::new(EventKind::BackupRestored, holder.clone())
        .with("backup", read.manifest.id)
        .with("made_at", read.manifest.made_at)
        .with("own_size", read.manifest.log_size);
    event.hashes.insert("backup".to_owned(), hex(&read.sha256));
    let shown = Shown {
        own_size: read.manifest.log_size,
        size: read.manifest.log_size,
        at: read.at,
        by: BY_COMMAND.to_owned(),
    };
    Change::because(event).write(Write::RestoreFound(shown))
}

/// Documents of another database must not lie among those that are put back.
fn refuse_kept_documents(config: &Config) -> Result<(), BackupError> {
    let KeepingSection::Folder(folder) = &config.documents.keeping else { return Ok(()) };
    let found = match std::fs::read_dir(folder) {
        Ok(mut found) => found.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => {
            return Err(BackupError::file(folder, "the folder cannot be looked into")(error));
        }
    };
    if found { Err(BackupError::NotEmpty(folder.display().to_string())) } else { Ok(()) }
}

async fn take_back(keeping: &Keeping, put: &BTreeMap<Uuid, u64>) {
    for (document, segments) in put {
        // What cannot be removed is sealed, and in nobody's way but the next restore's.
        drop(keeping.remove(*document, *segments).await);
    }
}

/// What was read of a backup.
struct Read {
    manifest: Manifest,
    segments: u64,
    bytes: u64,
    sha256: [u8; 32],
    /// When the newest checkpoint was signed.
    at: jiff::Timestamp,
    documents: BTreeSet<Uuid>,
    put: BTreeMap<Uuid, u64>,
}

/// One way through a backup.
struct Through<'a> {
    keys: &'a Keys,
    header: Header,
    json: Vec<u8>,
    /// Where documents are put; nowhere when it is only proved.
    documents: Option<&'a Keeping>,
}

impl Through<'_> {
    /// Puts everything into the loader and proves all of it; nothing is committed.
    async fn load(
        &self,
        mut loader: Loader,
        mut reader: Reader<'_>,
    ) -> Result<(Loader, Read), BackupError> {
        let mut put = BTreeMap::new();
        match self.all(&mut loader, &mut reader, &mut put).await {
            Ok((manifest, at)) => {
                let (segments, bytes, sha256) = reader.finish();
                let documents = put.keys().copied().collect();
                Ok((loader, Read { manifest, segments, bytes, sha256, at, documents, put }))
            }
            Err(error) => {
                loader.give_up().await;
                if let Some(keeping) = self.documents {
                    take_back(keeping, &put).await;
                }
                Err(error)
            }
        }
    }

    async fn all(
        &self,
        loader: &mut Loader,
        reader: &mut Reader<'_>,
        put: &mut BTreeMap<Uuid, u64>,
    ) -> Result<(Manifest, jiff::Timestamp), BackupError> {
        let (found, wanted) = (&self.header.gateway, self.keys.signer.origin());
        if found != wanted {
            let (found, wanted) = (found.clone(), wanted.to_owned());
            return Err(BackupError::OtherGateway { found, wanted });
        }
        if reader.part() != DATABASE {
            return Err(reader.malformed("it does not begin with the database"));
        }
        let tables = database(reader, loader).await?;
        let mut names = vec!["database".to_owned()];
        reader.next_part().await?;
        while reader.part() != MANIFEST {
            names.push(self.document(reader, put).await?.to_string());
            reader.next_part().await?;
        }
        let bytes = reader.manifest().await?;
        let public = self.keys.signer.key().public();
        let manifest = Manifest::verify(&bytes, &public).ok_or(BackupError::Signature)?;
        self.compare(&manifest, &tables, (&names, reader.parts()))?;
        let at = self.head(&manifest, loader).await?;
        Ok((manifest, at))
    }

    /// Everything that was read against what was signed.
    fn compare(
        &self,
        manifest: &Manifest,
        tables: &BTreeMap<String, u64>,
        (names, parts): (&[String], &[(u64, String)]),
    ) -> Result<(), BackupError> {
        let differs = |part: &str, what| Err(BackupError::Part { part: part.to_owned(), what });
        let header = &self.header;
        if manifest.header != sha256_hex(&self.json)
            || (manifest.id, manifest.schema) != (header.id, header.schema)
        {
            return differs("the header", "it is not the one that was signed");
        }
        if manifest.parts.len() != names.len() || parts.len() != names.len() {
            return differs("the backup", "it has more or fewer parts");
        }
        for ((note, name), (bytes, sha256)) in manifest.parts.iter().zip(names).zip(parts) {
            if (&note.name, note.bytes, &note.sha256) != (name, *bytes, sha256) {
                return differs(name, "its size or its SHA-256 differs");
            }
        }
        if manifest.tables != *tables {
            return differs("the database", "a table has more or fewer rows");
        }
        Ok(())
    }

    /// The head of the log that was put in against the signed checkpoint.
    async fn head(
        &self,
        manifest: &Manifest,
        loader: &mut Loader,
    ) -> Result<jiff::Timestamp, BackupError> {
        let wrong = || BackupError::Part {
            part: "the log".to_owned(),
            what: "its head is not the one of the signed checkpoint",
        };
        let head = loader.head().await?;
        if head.size == 0 && manifest.log_size == 0 {
            return Ok(manifest.made_at);
        }
        let vkey = self.keys.signer.vkey();
        let signed = Checkpoint::parse_and_verify(&manifest.checkpoint, &vkey);
        let signed = signed.map_err(AppError::from)?;
        let root = frontier_from(&head.frontier).ok().and_then(|frontier| frontier.root().ok());
        let same = (signed.size, Some(signed.root)) == (head.size, root);
        if same && head.size == manifest.log_size { Ok(signed.at) } else { Err(wrong()) }
    }

    /// One document: where it leads is kept, or it is only read.
    async fn document(
        &self,
        reader: &mut Reader<'_>,
        put: &mut BTreeMap<Uuid, u64>,
    ) -> Result<Uuid, BackupError> {
        let id = reader.take(16).await?;
        let id = Uuid::from_slice(&id).or(Err(reader.malformed("a document without an id")))?;
        if put.insert(id, 0).is_some() {
            return Err(reader.malformed("a document that came before"));
        }
        let mut segments = 0;
        while !reader.is_at_end().await? {
            let place = number(reader).await?;
            let length = usize::try_from(number(reader).await?).unwrap_or(usize::MAX);
            let sealed = reader.take(length).await?;
            if u64::from(place) != segments {
                return Err(reader.malformed("its segments are out of order"));
            }
            if let Some(keeping) = self.documents {
                keeping.put(id, segments, sealed).await?;
            }
            segments += 1;
            put.insert(id, segments);
        }
        Ok(id)
    }
}

/// The database's part into the loader; how many rows each table had.
async fn database(
    reader: &mut Reader<'_>,
    loader: &mut Loader,
) -> Result<BTreeMap<String, u64>, BackupError> {
    let mut counts = BTreeMap::new();
    let mut table: Option<(Shape, u64)> = None;
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    loop {
        match rows::next(reader, table.as_ref().map(|(shape, _)| shape)).await? {
            Next::Table(_) if table.is_some() => {
                return Err(reader.malformed("a table begins before the last one ended"));
            }
            Next::Table(shape) => {
                loader.begin_table(&shape)?;
                table = Some((shape, 0));
            }
            Next::Row(cells) => {
                bytes += cells.iter().map(Cell::bytes).sum::<usize>();
                waiting.push(cells);
                if let Some((_, count)) = &mut table {
                    *count += 1;
                }
                if waiting.len() >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                    loader.rows(std::mem::take(&mut waiting)).await?;
                    bytes = 0;
                }
            }
            Next::End(said) => {
                loader.rows(std::mem::take(&mut waiting)).await?;
                bytes = 0;
                match table.take() {
                    Some((shape, count)) if count == said => counts.insert(shape.name, count),
                    Some(_) | None => {
                        return Err(reader.malformed("a table has more or fewer rows than it says"));
                    }
                };
            }
            Next::Nothing if table.is_none() => return Ok(counts),
            Next::Nothing => return Err(reader.malformed("it ends within a table")),
        }
    }
}

async fn number(reader: &mut Reader<'_>) -> Result<u32, BackupError> {
    let bytes = reader.take(4).await?;
    let bytes = bytes.try_into().or(Err(reader.malformed("it ends in the middle of a number")))?;
    Ok(u32::from_be_bytes(bytes))
}

const ROWS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
const PAGE: u32 = 500;
