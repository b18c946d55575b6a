//! A PostgreSQL server for tests: one for each test process, one database for each test.
//!
//! Self-contained (standard library only), so that another crate's tests may include this file.
//! The server listens on a Unix socket in a temporary folder and runs under a small supervisor
//! whose standard input is a pipe from this process: when this process ends, however it ends, the
//! pipe closes, and the supervisor stops the server and removes the folder.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    made: Mutex<u32>,
    _supervisor: Child,
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
        let name = format!("test_{made}");
        let folder = self.folder.display().to_string();
        let done = Command::new(self.bin.join("createdb"))
            .args(["-h", &folder, "-U", "postgres", &name])
            .status();
        assert!(done.is_ok_and(|status| status.success()), "a database could not be made");
        format!("postgres://postgres@localhost/{name}?host={folder}")
    }

    fn start(bin: PathBuf) -> io::Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ehc-pg-{}-{number}", std::process::id()));
        if folder.exists() {
            // Left by an earlier process of the same number that was killed with its supervisor.
            fs::remove_dir_all(&folder)?;
        }
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let owner = server_user();
        if let Some((user, group)) = owner {
            chown(&folder, Some(user), Some(group))?;
        }
        let data = folder.join("data");
        let mut initdb = as_owner(Command::new(bin.join("initdb")), owner, &folder);
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D"]);
        let made = initdb.arg(&data).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !made.success() {
            return Err(io::Error::other("initdb failed"));
        }
        let mut supervisor = as_owner(Command::new("/bin/sh"), owner, &folder);
        supervisor.args(["-c", SUPERVISOR, "supervisor"]).arg(bin.join("postgres")).arg(&folder);
        supervisor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let supervisor = supervisor.process_group(0).spawn()?;
        wait_until_ready(&bin, &folder)?;
        Ok(Self { bin, folder, made: Mutex::new(0), _supervisor: supervisor })
    }
}

fn wait_until_ready(bin: &Path, folder: &Path) -> io::Result<()> {
    for _ in 0..600 {
        let mut question = Command::new(bin.join("pg_isready"));
        question.arg("-q").arg("-h").arg(folder);
        if question.status()?.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::other("PostgreSQL did not become ready"))
}

/// The folder of the newest installed server: Debian keeps them apart by version, off the path.
#[expect(clippy::disallowed_methods, reason = "tests find the server on the path")]
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, bin)| bin);
    newest.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|bin| bin.join("initdb").exists() && bin.join("createdb").exists())
    })
}

#[expect(clippy::disallowed_methods, reason = "the only switch of this file")]
fn is_required() -> bool {
    std::env::var("EHC_REQUIRE_POSTGRES").is_ok_and(|value| value == "1")
}

/// PostgreSQL refuses to run as root: then it runs as its own user.
fn server_user() -> Option<(u32, u32)> {
    let number = |args: &[&str]| {
        let answer = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(answer.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if number(&["-u"])? != 0 {
        return None;
    }
    Some((number(&["-u", "postgres"])?, number(&["-g", "postgres"])?))
}

fn as_owner(mut command: Command, owner: Option<(u32, u32)>, folder: &Path) -> Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir(folder);
    command
}

/// `$1` is the server, `$2` the folder. `read` returns when the pipe closes.
const SUPERVISOR: &str = r#"
"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c max_connections=300 -c shared_buffers=16MB -c log_min_messages=panic </dev/null &
server=$!
read -r _
kill -QUIT "$server"
wait "$server"
cd / && rm -rf "$2"
"#;
