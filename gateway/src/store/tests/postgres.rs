//! A PostgreSQL server for tests: one for each test process, one database for each test.
//!
//! Another crate's tests include this file too: whoever includes it says where `server` is
//! (`practice::postgres` of the gateway).

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::server::{self, Durability, Server};

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    /// The server itself.
    pub server: Server,
    made: Mutex<u32>,
}

impl Cluster {
    /// The server of this process; started when first asked for. None when PostgreSQL is not
    /// installed, which is said on standard error, unless `EHC_REQUIRE_POSTGRES` is `1`: then it
    /// is a failure.
    pub fn find() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| {
            let bin = binaries()?;
            Some(Self::start(bin).expect("PostgreSQL is installed but does not start"))
        });
        if cluster.is_none() {
            assert!(!is_required(), "PostgreSQL is required, and was not found");
            eprintln!("PostgreSQL was not found: the PostgreSQL half of this test did not run");
        }
        cluster.as_ref()
    }

    /// Makes an empty database; gives its address.
    pub fn make_database(&self) -> String {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        self.server.make_database(&format!("test_{made}")).expect("a database could not be made")
    }

    fn start(bin: PathBuf) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("ehc-pg-{}", std::process::id()));
        if folder.exists() {
            // Left by an earlier process of the same number that was killed with its supervisor.
            std::fs::remove_dir_all(&folder)?;
        }
        let server = Server::start(bin, &folder, Durability::None)?;
        Ok(Self { server, made: Mutex::new(0) })
    }
}

#[expect(clippy::disallowed_methods, reason = "tests find the server on the path")]
fn binaries() -> Option<PathBuf> {
    server::find(std::env::var_os("PATH").as_deref())
}

#[expect(clippy::disallowed_methods, reason = "the only switch of this file")]
fn is_required() -> bool {
    std::env::var("EHC_REQUIRE_POSTGRES").is_ok_and(|value| value == "1")
}
