//! Backup commands that are interrupted in the middle, by being told to stop and by being killed: the
//! copy of the database that they made beside is not left for ever.
//!
//! They are held in the middle by a pipe in the place of a file, which nobody fills.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tests::{Engine, TestGateway, binary};

use super::Ran;

/// What is left in a folder of commands that make something beside a backup.
fn left(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let ours = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(".backup-") || name.starts_with(".drill-")
    });
    ours.map(|entry| entry.path()).collect()
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe is made");
}

fn start(arguments: &[&str]) -> Child {
    let mut command = binary::command();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Sends a signal and gives the exit code; none when it had no chance to give one.
fn end(mut child: Child, signal: &str) -> Option<i32> {
    let told = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(told.is_ok_and(|status| status.success()), "it is told");
    child.wait().expect("it ends").code()
}

fn until(what: &str, so: impl Fn() -> bool) {
    let mut tries = 0;
    while !so() {
        assert!(tries < 600, "{what}: this did not come about");
        tries += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn said(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A proof that waits for the end of the backup: the process, and the pipe that it reads from.
fn half_a_proof(folder: &Path, backup: &[u8], number: usize) -> (Child, File) {
    let file = folder.join(format!("{number}.pipe"));
    let config = folder.join("ehc-gateway.toml");
    let before = left(&folder.join("data"));
    pipe(&file);
    let child = start(&["backup", "verify", said(&file), "-c", said(&config)]);
    let mut feeding = std::fs::OpenOptions::new().write(true).open(&file).expect("it is read");
    feeding.write_all(&backup[..backup.len() - 10]).expect("it is read");
    until("the copy is made", || {
        let now = left(&folder.join("data"));
        now.iter().any(|one| !before.contains(one) && one.join("gateway.db").exists())
    });
    (child, feeding)
}

#[test]
fn an_interrupted_proof_leaves_no_copy_of_the_database_and_a_killed_one_only_until_the_next() {
    super::beside_a_gateway(async |gateway| {
        gateway.request(1, "CAMHS").await;
        let (folder, data) = (gateway.folder(), gateway.folder().join("data"));
        let file = folder.join("1.ehcbackup");
        Ran::on(gateway, &["backup", "make", "--to", said(&file)]).ends(0);
        let backup = std::fs::read(&file).expect("a backup");

        for (number, (signal, code)) in [("-TERM", 143), ("-INT", 130)].into_iter().enumerate() {
            let (child, feeding) = half_a_proof(folder, &backup, number);
            assert_eq!(end(child, signal), Some(code));
            assert!(left(&data).is_empty(), "{signal}");
            drop(feeding);
        }

        let (child, _feeding) = half_a_proof(folder, &backup, 2);
        assert_eq!(end(child, "-KILL"), None);
        let dead = left(&data);
        assert_eq!(dead.len(), 1, "it had no chance");
        // Another that is under way is nobody's to clear away.
        let (mut child, mut feeding) = half_a_proof(folder, &backup, 3);
        assert!(!dead[0].exists(), "the next clears it away before it begins");
        let alive = left(&data);
        assert_eq!(alive.len(), 1);
        Ran::on(gateway, &["backup", "verify", said(&file)]).ends(0);
        assert_eq!(left(&data), alive);
        feeding.write_all(&backup[backup.len() - 10..]).expect("it is read");
        drop(feeding);
        assert!(child.wait().expect("it ends").success(), "it was not disturbed");
        assert!(left(&data).is_empty());
    });
}

/// A document that is kept apart; the file of its first segment.
async fn document(gateway: &TestGateway) -> PathBuf {
    let trust = gateway.acute();
    let bytes: Vec<u8> = b"%PDF-1.7".iter().copied().cycle().take(5_000).collect();
    let size = json!({ "size": bytes.len() }).to_string();
    let begun = trust.post("/v1/documents", "application/json", "d-1", size).await;
    let id = begun.expect("an answer").json()["document"].as_str().expect("an id").to_owned();
    let reply = trust.append(&id, 0, bytes).await.expect("an answer");
    assert_eq!(reply.json()["state"], "ready", "{}", reply.text());
    gateway.folder().join("data/documents").join(id).join("00000")
}

/// Whether a backup is being written somewhere below: it has its beginning.
fn is_writing(folder: &Path) -> bool {
    left(folder).iter().any(|one| {
        if one.is_dir() {
            return is_writing(one);
        }
        one.extension().is_some_and(|end| end == "partial")
    })
}

#[test]
fn an_interrupted_drill_or_backup_leaves_nothing_and_a_killed_one_only_until_the_next_start() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        gateway.request(1, "CAMHS").await;
        let segment = document(&gateway).await;
        let (folder, data) = (gateway.folder().to_owned(), gateway.folder().join("data"));
        let (away, to) = (folder.join("segment"), folder.join("backups"));
        std::fs::create_dir(&to).expect("a folder");
        let config = folder.join("ehc-gateway.toml");
        let hang = || {
            std::fs::rename(&segment, &away).expect("it is moved");
            pipe(&segment);
        };
        let go_on = || std::fs::rename(&away, &segment).expect("it is back");
        let drill = ["backup", "drill", "-c", said(&config)];
        let make = ["backup", "make", "--to", said(&to), "-c", said(&config)];

        hang();
        for (arguments, place) in [(drill.as_slice(), &data), (&make, &to)] {
            for (signal, code) in [("-TERM", Some(143)), ("-KILL", None)] {
                let child = start(arguments);
                until("it is written", || is_writing(place));
                assert_eq!(end(child, signal), code);
                assert_eq!(
                    left(place).len(),
                    usize::from(code.is_none()),
                    "{arguments:?} {signal}"
                );
            }
        }
        go_on();
        Ran::run(&make).ends(0).talks("interrupted backup commands had left");
        assert!(left(&to).is_empty() && left(&data).is_empty());

        hang();
        let child = start(&drill);
        until("it is written", || is_writing(&data));
        assert_eq!(end(child, "-KILL"), None);
        assert_eq!(left(&data).len(), 1);
        go_on();
        let gateway = gateway.restart().await;
        assert!(left(&data).is_empty(), "the gateway's start clears it away");
        Ran::run(&drill).ends(0).says("Nothing is left of it");
        assert!(left(&data).is_empty());
        gateway.end().await;
    });
}
