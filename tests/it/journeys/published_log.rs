//! Outsiders read the log as static files and tiles, with tools that are not ours.

use std::path::Path;
use std::process::Output;

use gateway::publication;
use tests::binary::command;
use tests::{TestGateway, each_engine, peers};

/// What a verifier that shares nothing with ours says of a folder; `None` where there is no Python.
fn judged(vkey: &str, folder: &Path) -> Option<Result<String, String>> {
    let mut verifier = peers::script("log_verifier.py")?;
    let said = verifier.args(["tiles", vkey]).arg(folder).output().expect("it runs");
    let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
    Some(if said.status.success() { Ok(stdout) } else { Err(stderr) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Sets the folder that the gateway publishes its log to.
fn publish_to(folder: &Path) {
    let file = folder.join("ehc-gateway.toml");
    let config = std::fs::read_to_string(&file).expect("a configuration");
    let config = format!("{config}\n[audit]\npublish_to = \"published\"\n");
    std::fs::write(file, config).expect("a configuration");
}

fn publish(config: &Path, to: &Path) -> Output {
    let args = ["audit", "publish", "--json", "-c"];
    command().args(args).arg(config).arg("--to").arg(to).output().expect("it runs")
}

#[test]
fn a_running_gateway_publishes_its_log_and_anybody_can_verify_it_from_the_files() {
    each_engine("published log", |gateway| async move {
        let gateway = gateway.restart_after(publish_to).await;
        for number in 1..=3 {
            gateway.request(number, "CAMHS").await;
        }
        let vkey = vkey(&gateway);
        let size = gateway.cast.app().log_size().await.expect("a size");
        // When it stops, at the latest, everything is out.
        let gateway = gateway
            .restart_after(|folder| {
                let folder = folder.join("published");
                let checkpoint = std::fs::read_to_string(folder.join("checkpoint"));
                let checkpoint = checkpoint.expect("published");
                let published: u64 =
                    checkpoint.lines().nth(1).and_then(|line| line.parse().ok()).expect("a size");
                assert!(published >= size, "{published} entries of at least {size}");
                if let Some(said) = judged(&vkey, &folder) {
                    let said = said.expect("it is whole");
                    assert!(said.starts_with(&format!("{published} entries,")), "{said}");
                    every_change_is_found(&vkey, &folder);
                }
            })
            .await;
        gateway.end().await;
    });
}

fn vkey(gateway: &TestGateway) -> String {
    gateway.cast.app().log_vkey.clone()
}

/// One flipped bit in any file of the folder, or any file gone, and the verifier says which.
fn every_change_is_found(vkey: &str, folder: &Path) {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    let newest = |path: &&std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a file");
        // Partial tiles that were overtaken are nobody's any more.
        std::fs::rename(path, folder.with_extension("aside")).expect("moved");
        let gone = judged(vkey, folder).expect("a verifier");
        std::fs::write(path, bytes).expect("put back");
        gone.is_err()
    };
    let files: Vec<_> = files.iter().filter(newest).collect();
    assert!(files.len() >= 3, "the checkpoint, a tile of hashes, a tile of entries: {files:?}");
    for file in files {
        let whole = std::fs::read(file).expect("a file");
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(file, changed).expect("changed");
        let said = judged(vkey, folder).expect("a verifier");
        assert!(said.is_err(), "{} was altered unseen", file.display());
        std::fs::write(file, whole).expect("put back");
    }
    judged(vkey, folder).expect("a verifier").expect("whole again");
}

#[test]
fn the_command_publishes_what_is_new_and_never_into_another_logs_folder() {
    each_engine("publish command", |gateway| async move {
        gateway.request(1, "CAMHS").await;
        let (folder, vkey) = (gateway.folder().join("out"), vkey(&gateway));
        let config = gateway.folder().join("ehc-gateway.toml");
        let first = publish(&config, &folder);
        assert!(first.status.success(), "{}", text(&first.stderr));
        let first: serde_json::Value = serde_json::from_slice(&first.stdout).expect("JSON");
        assert_eq!(first["tiles"], 2, "one of hashes, one of entries");
        if let Some(said) = judged(&vkey, &folder) {
            said.expect("whole");
        }
        let other = TestGateway::start(tests::Engine::Sqlite).await;
        let refused = publish(&other.folder().join("ehc-gateway.toml"), &folder);
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused.stderr);
        assert!(said.contains("is not one of this log"), "{said}");
        other.end().await;
        gateway.end().await;
    });
}

#[test]
fn a_partner_reads_tiles_over_the_api_and_only_those_that_are_there() {
    each_engine("tiles", |gateway| async move {
        for number in 1..=2 {
            gateway.request(number, "CAMHS").await;
        }
        let trust = gateway.acute();
        let size = gateway.cast.app().log_size().await.expect("a size");
        let entries = trust.get(&format!("/v1/audit/tile/entries/000.p/{size}"), None).await;
        let entries = entries.expect("an answer");
        assert_eq!(entries.status, 200);
        let read = gateway::audit::tiles::entries(&entries.body).expect("entries");
        assert_eq!(u64::try_from(read.len()), Ok(size));
        let after = gateway.cast.app().log_size().await.expect("a size");
        assert_eq!(after, size + 1, "that somebody read entries is one");
        let hashes = trust.get(&format!("/v1/audit/tile/0/000.p/{size}"), None).await;
        let hashes = hashes.expect("an answer");
        assert_eq!((hashes.status, u64::try_from(hashes.body.len())), (200, Ok(size * 32)));
        let first = gateway::audit::tree::leaf_hash(read[0]);
        assert_eq!(hashes.body[..32], first, "the hash of the first entry");
        for none in ["0/000", "entries/000", "1/000.p/1", "0/000.p/0", "9/000", "entries/../000"] {
            let reply = trust.get(&format!("/v1/audit/tile/{none}"), None).await;
            assert_eq!(reply.expect("an answer").status, 404, "{none}");
        }
        gateway.end().await;
    });
}

#[test]
fn a_published_log_that_is_ahead_of_the_database_holds_the_gateway() {
    each_engine("published ahead", |gateway| async move {
        if gateway.engine == tests::Engine::Postgres {
            return gateway.end().await;
        }
        let gateway = gateway.restart_after(publish_to).await;
        let copy = gateway.folder().join("backup.db");
        let app = gateway.cast.app();
        app.store.copy_to(&copy).await.expect("a backup");
        gateway.request(1, "CAMHS").await;
        let gateway = gateway
            .restart_after(|folder| {
                let database = folder.join("data/gateway.db");
                for journal in ["data/gateway.db-wal", "data/gateway.db-shm"] {
                    drop(std::fs::remove_file(folder.join(journal)));
                }
                std::fs::rename(folder.join("backup.db"), database).expect("restored");
                // The file beside the database went back with it; the published log did not.
                std::fs::remove_file(folder.join("data/newest-checkpoint.txt")).expect("gone");
            })
            .await;
        let app = gateway.cast.app();
        let held = app.store.unconfirmed_restore().await.expect("a store");
        assert!(held.is_some(), "nothing is released until an operator confirms");
        let folder = gateway.folder().join("published");
        let unique = (folder.as_path(), "t");
        let refused = publication::publish(&app.store, &app.log_vkey, unique, |_, _| {}).await;
        assert!(refused.is_err(), "what the folder has is the evidence");
        gateway.end().await;
    });
}
