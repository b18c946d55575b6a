//! A real clamd for one test, with one signature of our own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::peers;

/// The text that the scanner finds. It does nothing and means nothing.
pub const HARMFUL: &[u8] = b"EHC-GATEWAY-PRACTICE-SIGNATURE-7f3a9c";

/// A scanner that runs, and is stopped when dropped.
pub struct Clamd {
    child: Child,
    socket: PathBuf,
}

impl Clamd {
    /// Starts a scanner in a folder, on a socket there; `None` when there is none on this machine.
    pub fn start(folder: &Path) -> Option<Self> {
        let Some(program) = peers::program("clamd") else {
            eprintln!("clamd was not found: nothing was scanned by a real scanner");
            return None;
        };
        let signatures = folder.join("signatures");
        std::fs::create_dir_all(&signatures).expect("a folder");
        let digits = gateway::entropy::hex(HARMFUL);
        let line = format!("EHC.Practice.Signature:0:*:{digits}\n");
        std::fs::write(signatures.join("practice.ndb"), line).expect("a file");
        let socket = folder.join("clamd.socket");
        let settings = format!(
            "Foreground yes\nLocalSocket {}\nDatabaseDirectory {}\nStreamMaxLength 8M\n\
             AlertExceedsMax yes\nMaxThreads 2\n",
            socket.display(),
            signatures.display(),
        );
        let file = folder.join("clamd.conf");
        std::fs::write(&file, settings).expect("a file");
        let child = Command::new(program)
            .arg("--config-file")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("clamd starts");
        let clamd = Self { child, socket };
        for _ in 0..600 {
            if std::os::unix::net::UnixStream::connect(&clamd.socket).is_ok() {
                return Some(clamd);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("clamd did not listen");
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.socket));
    }
}
