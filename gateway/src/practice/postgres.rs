//! A PostgreSQL server of our own, for the benchmark and the tests: made, used and thrown away.
//!
//! The server listens on a Unix socket in a folder of its own and runs under a small supervisor
//! whose standard input is a pipe from this process: when this process ends, however it ends, the
//! pipe closes, and the supervisor stops the server and removes the folder.
//!
//! To use it: [`find`] the programs, [`Server::start`], [`Server::make_database`], and
//! [`Server::stop`] to wait until it is gone. Everything here blocks.
//!
//! Limits: the folder's path has at most [`FOLDER_BYTES_MAX`] bytes, because a Unix socket's has.
//! A server started by root runs as the user `postgres`, who must be able to reach the folder.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a server promises of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk, as on any server that is used in earnest.
    Full,
    /// Nothing, for speed: a crash loses everything. For tests.
    None,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    folder: PathBuf,
    supervisor: Child,
}

/// The folder of the newest installed server's programs: Debian keeps them apart by version, off
/// the search path; elsewhere they are on it.
pub fn find(search_path: Option<&OsStr>) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin"))).filter(|(_, bin)| bin.join("initdb").exists())
    });
    found.max().map(|(_, bin)| bin).or_else(|| {
        std::env::split_paths(search_path?)
            .find(|bin| bin.join("initdb").exists() && bin.join("createdb").exists())
    })
}

impl Server {
    /// Makes the folder, which must not be there yet, and a server in it; waits until it answers.
    pub fn start(bin: PathBuf, folder: &Path, durability: Durability) -> io::Result<Self> {
        if folder.as_os_str().len() > FOLDER_BYTES_MAX {
            return Err(io::Error::other("the folder's path is too long for a Unix socket"));
        }
        fs::DirBuilder::new().mode(0o700).create(folder)?;
        let owner = server_user();
        if let Some((user, group)) = owner {
            chown(folder, Some(user), Some(group))?;
        }
        let mut initdb = as_owner(Command::new(bin.join("initdb")), owner, folder);
        initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D"]);
        initdb.arg(folder.join("data")).stdout(Stdio::null()).stderr(Stdio::null());
        let made = initdb.status().map_err(|error| {
            let text = format!("initdb could not run in {}: {error}", folder.display());
            io::Error::new(error.kind(), text)
        })?;
        if !made.success() {
            return Err(io::Error::other("initdb failed"));
        }
        let mut supervisor = as_owner(Command::new("/bin/sh"), owner, folder);
        supervisor.args(["-c", SUPERVISOR, "supervisor"]).arg(bin.join("postgres")).arg(folder);
        supervisor.args(match durability {
            Durability::Full => FULL,
            Durability::None => NONE,
        });
        supervisor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let supervisor = supervisor.process_group(0).spawn()?;
        let server = Self { bin, folder: folder.to_owned(), supervisor };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Makes an empty database; gives its address.
    pub fn make_database(&self, name: &str) -> io::Result<String> {
        let mut command = Command::new(self.bin.join("createdb"));
        command.arg("-h").arg(&self.folder).args(["-U", "postgres", name]);
        if !command.status()?.success() {
            return Err(io::Error::other("createdb failed"));
        }
        let host = percent_encoded(&self.folder);
        Ok(format!("postgres://postgres@localhost/{name}?host={host}"))
    }

    /// Copies a database that nobody is connected to; gives the copy's address.
    pub fn copy_database(&self, from: &str, name: &str) -> io::Result<String> {
        let mut command = Command::new(self.bin.join("createdb"));
        command.arg("-h").arg(&self.folder).args(["-U", "postgres", "-T", from, name]);
        if !command.status()?.success() {
            return Err(io::Error::other("createdb failed"));
        }
        let host = percent_encoded(&self.folder);
        Ok(format!("postgres://postgres@localhost/{name}?host={host}"))
    }

    /// Stops the server and waits until its folder is gone.
    pub fn stop(mut self) -> io::Result<()> {
        // Closing the pipe is the order to stop.
        drop(self.supervisor.stdin.take());
        self.supervisor.wait().map(drop)
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        for _ in 0..600 {
            let mut question = Command::new(self.bin.join("pg_isready"));
            question.arg("-q").arg("-h").arg(&self.folder);
            if question.status()?.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(io::Error::other("PostgreSQL did not become ready"))
    }
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

/// A path as it may stand in an address.
fn percent_encoded(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes
        .map(|byte| match byte {
            byte if plain(byte) => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// A socket's path has at most 107 bytes on Linux and 103 elsewhere; its name takes 18 of them.
pub const FOLDER_BYTES_MAX: usize = 85;

const FULL: &[&str] =
    &["-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on"];
const NONE: &[&str] =
    &["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB"];

/// `$1` is the server, `$2` the folder, then the server's arguments. `read` returns when the pipe
/// closes.
const SUPERVISOR: &str = r#"
program=$1 folder=$2
shift 2
"$program" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=300 \
    -c log_min_messages=panic "$@" </dev/null &
server=$!
read -r _
kill -QUIT "$server"
wait "$server"
cd / && rm -rf "$folder"
"#;

#[cfg(test)]
mod tests;
