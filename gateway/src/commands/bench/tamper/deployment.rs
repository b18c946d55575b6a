//! A practice deployment's log, made through the store's own commit, with what partners keep of it.
//!
//! Everything in it follows from the seed: the key, the entries, how many share a commit. The
//! entries are about nobody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use schemas::{OrganisationCode, RecordId};
use uuid::Uuid;

use crate::app::log_keeper;
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::audit::verify::{Row, SEALED};
use crate::audit::{Actor, Event, EventKind};
use crate::clock::FrozenClock;
use crate::entropy::{self, SeededEntropy};
use crate::store::{Change, Store, StoreLocation};

/// A log and its surroundings.
pub(in crate::commands::bench) struct Deployment {
    /// The key that signs it: an insider has it.
    pub(in crate::commands::bench) signer: LogSigner,
    /// The log.
    pub(in crate::commands::bench) rows: Vec<Row>,
    /// The checkpoint of every commit, as the partners keep them with their receipts.
    pub(in crate::commands::bench) kept: Vec<Checkpoint>,
    /// Copies of the database made on the way, each with the size of the log then.
    pub(in crate::commands::bench) backups: Vec<(PathBuf, u64)>,
}

/// Numbers that follow from a seed (SplitMix64): what is altered must be the same in every run.
#[derive(Debug, Clone)]
pub(in crate::commands::bench) struct Dice(u64);

impl Dice {
    pub(in crate::commands::bench) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one; 0 below 0.
    pub(in crate::commands::bench) fn below(&mut self, end: u64) -> u64 {
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// A place below a length.
    pub(in crate::commands::bench) fn place(&mut self, length: usize) -> usize {
        let end = u64::try_from(length).unwrap_or(0);
        usize::try_from(self.below(end)).unwrap_or(0)
    }
}

impl Deployment {
    /// Makes a log of this many entries in a folder to be made, with a number of backups.
    pub(in crate::commands::bench) async fn found(
        folder: &Path,
        seed: u64,
        entries: u64,
        backups: u64,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir(folder)
            .with_context(|| format!("{} could not be made", folder.display()))?;
        let origin = format!("ehc-gateway/practice-{seed}");
        let entropy = SeededEntropy::new(seed.wrapping_mul(0x1_0000_0001));
        let signer = LogSigner::generate(&folder.join("log-key.p8"), &origin, &entropy)?;
        let store = open(&folder.join("log.db"), &signer, seed).await?;
        let mut made = Self { signer, rows: Vec::new(), kept: Vec::new(), backups: Vec::new() };
        let mut dice = Dice::new(seed);
        let mut size = 0;
        while size < entries {
            let count = (1 + dice.below(COMMIT_ENTRIES_MAX)).min(entries - size);
            let committed = store.commit(change(size, count, &mut dice)?).await?;
            let (note, vkey) = (&committed.checkpoint, made.signer.vkey());
            made.kept.push(Checkpoint::parse_and_verify(note, &vkey)?);
            size += count;
            let due = made.backups.len() + 1;
            let due = u64::try_from(due).unwrap_or(u64::MAX).saturating_mul(entries);
            if size < entries && due <= size.saturating_mul(backups + 1) {
                let file = folder.join(format!("backup-{size}.db"));
                store.copy_to(&file).await?;
                made.backups.push((file, size));
            }
        }
        made.rows = read(&store).await?;
        store.close().await;
        Ok(made)
    }

    /// Restores a backup and lets the gateway go on from it, with other things happening, until
    /// the log has at least this many entries.
    pub(in crate::commands::bench) async fn restore(
        &self,
        backup: &Path,
        from: u64,
        until: u64,
    ) -> anyhow::Result<Vec<Row>> {
        let mut dice = Dice::new(!from);
        let store = open(backup, &self.signer, !from).await?;
        let mut size = from;
        while size < until {
            store.commit(change(size, 1, &mut dice)?).await?;
            size += 1;
        }
        let rows = read(&store).await?;
        store.close().await;
        Ok(rows)
    }
}

async fn open(file: &Path, signer: &LogSigner, seed: u64) -> anyhow::Result<Store> {
    let location = StoreLocation::Sqlite { path: file.to_owned() };
    let clock = Arc::new(FrozenClock::new(Timestamp::from_second(NOW)?));
    let entropy = Arc::new(SeededEntropy::new(seed));
    Ok(Store::open(location, log_keeper(signer.clone()), clock, entropy).await?)
}

async fn read(store: &Store) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    loop {
        let from = u64::try_from(rows.len())?;
        let more = store.audit_rows(from, ROWS_AT_ONCE).await?;
        if more.is_empty() {
            return Ok(rows);
        }
        rows.extend(more.into_iter().map(|row| {
            let crate::store::AuditRow { seq, leaf, nodes } = row;
            Row { seq, leaf, nodes }
        }));
    }
}

/// A change that says this many things happened.
fn change(from: u64, count: u64, dice: &mut Dice) -> anyhow::Result<Change> {
    let mut change = Change::because(event(from, dice)?);
    for seq in (from..from + count).skip(1) {
        change = change.and(event(seq, dice)?);
    }
    Ok(change)
}

/// Something that happened, to nobody.
pub(in crate::commands::bench) fn event(seq: u64, dice: &mut Dice) -> anyhow::Result<Event> {
    const KINDS: [EventKind; 5] = [
        EventKind::RecordAccepted,
        EventKind::DeliveryAttempted,
        EventKind::DeliveryDelivered,
        EventKind::BoardViewed,
        EventKind::AccessRefused,
    ];
    let kind = KINDS.get(dice.place(KINDS.len())).copied().unwrap_or(EventKind::BoardViewed);
    let actor = Actor { organisation: "334".to_owned(), ..Actor::gateway() };
    let mut event = Event::new(kind, actor).with("number", dice.below(1_000_000));
    event.counterparty = Some(OrganisationCode::parse("RRK")?);
    if kind == EventKind::RecordAccepted {
        event.record = Some(RecordId(Uuid::from_u64_pair(1, seq)));
        let hash = entropy::hex(&entropy::sha256(&dice.roll().to_be_bytes()));
        event.hashes.insert(SEALED.to_owned(), hash);
    }
    Ok(event)
}

/// Entries that share a commit, at most; an accept has about as many.
const COMMIT_ENTRIES_MAX: u64 = 8;
const ROWS_AT_ONCE: u32 = 1_000;
/// When everything happens.
const NOW: i64 = 1_800_000_000;
