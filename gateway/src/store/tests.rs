//! The store against real databases: each test runs on both engines.

mod alerts;
mod changes;
mod commits;
mod concerning;
mod guards;
mod holds;
mod identities;
mod leases;
mod letters;
mod look_ups;
#[expect(unreachable_pub, reason = "the file is also included by the tests crate")]
mod postgres;
mod questions;
mod removals;
mod retention;
mod samples;
mod searches;
mod sinks;
mod statements;

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Appended, DatabaseUrl, LogKeeper, Store, StoreError, StoreLocation};
use crate::audit::SubjectKey;
use crate::clock::FrozenClock;
use crate::entropy::SystemEntropy;
use crate::practice::postgres as server;
use samples::at;

/// An empty database of one engine, and a clock that stands still.
pub(super) struct Place {
    location: StoreLocation,
    clock: Arc<FrozenClock>,
    folder: TempDir,
}

impl Place {
    /// Opens the store there; again and again if wanted.
    pub(super) async fn try_open(&self) -> Result<Store, StoreError> {
        let clock = Arc::clone(&self.clock);
        let entropy = Arc::new(SystemEntropy::default());
        Store::open(self.location.clone(), chain(), clock, entropy).await
    }

    pub(super) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    pub(super) fn clock(&self) -> &FrozenClock {
        &self.clock
    }

    /// The database file, on SQLite.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.db")
    }
}

/// Runs a test on SQLite, then on PostgreSQL if it is installed.
pub(super) async fn on_both_engines<T: Future<Output = ()>>(test: impl Fn(Place) -> T) {
    let place = |location: Option<StoreLocation>| {
        let folder = TempDir::new().unwrap();
        let file = StoreLocation::Sqlite { path: folder.path().join("gateway.db") };
        let clock = Arc::new(FrozenClock::new(at(0)));
        Place { location: location.unwrap_or(file), clock, folder }
    };
    test(place(None)).await;
    if let Some(cluster) = postgres::Cluster::find() {
        let url = DatabaseUrl::new(cluster.make_database());
        test(place(Some(StoreLocation::Postgres { url }))).await;
    }
}

/// A stand-in for the tree: each head is the hash of the one before and the leaf.
fn chain() -> LogKeeper {
    LogKeeper::new(
        |_, frontier, leaf| {
            let hash =
                |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
            if leaf.windows(6).any(|part| part == b"refuse") {
                return Err("refused".into());
            }
            Ok(Appended { nodes: hash(leaf), frontier: hash(&[frontier, leaf].concat()) })
        },
        |size, frontier, _| Ok(format!("{size} {:02x?}", frontier.get(..4).unwrap_or_default())),
    )
    .with_look_up(
        |period| {
            let mut random = [0; 32];
            crate::entropy::Entropy::fill(&SystemEntropy::default(), &mut random)?;
            Ok([period.to_string().as_bytes(), &random].concat())
        },
        |_, key, subject| Ok(SubjectKey(crate::entropy::hmac_sha256(key, &subject.0))),
    )
}
