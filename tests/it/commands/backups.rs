//! The restore drill, and backups that are not what they should be.
//!
//! The gateway is wiped as a fire would: database, documents and the newest checkpoint. What comes
//! back is a backup file and the keys, which are kept elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gateway::practice::client::Partner;
use gateway::practice::people;
use serde_json::json;
use tests::postgres::Cluster;
use tests::{Engine, TestGateway, each_engine};

use super::Ran;

const MIB: usize = 1024 * 1024;
/// Enough that something is always under way, and little enough for a machine that is busy.
const LOAD_MAX: u32 = 400;

/// Takes away everything the gateway wrote, and makes room for a new database.
fn wipe(engine: Engine, folder: &Path) {
    std::fs::remove_dir_all(folder.join("data")).expect("the data folder goes");
    if engine == Engine::Postgres {
        let fresh = Cluster::find().expect("a server").make_database();
        std::fs::write(folder.join("keys/database.url"), fresh).expect("the address");
    }
}

fn backup(folder: &Path, arguments: &[&str]) -> Ran {
    let config = folder.join("ehc-gateway.toml");
    Ran::run(&[&["backup"], arguments, &["-c", config.to_str().expect("a path")]].concat())
}

fn said(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// Sends requests until it is told to stop; how many were acknowledged.
async fn load(la: Partner, today: jiff::civil::Date, stop: Arc<AtomicBool>) -> u32 {
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) && sent < LOAD_MAX {
        let id = format!("L-{sent}");
        let child = people::child(100 + sent % 50);
        let message = people::request(&la.code, &id, &child, &["CAMHS"], today);
        assert_eq!(la.send(&id, &message).await.expect("an answer").status, 201);
        sent += 1;
    }
    sent
}

async fn withdraw(gateway: &TestGateway, number: u32) {
    let la = gateway.la();
    let id = format!("W-{number}");
    let message = people::withdrawal(&la.code, &id, &people::child(number), gateway.today());
    let reply = la.post("/v1/consents", "application/json", &id, message.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

async fn fetch(gateway: &TestGateway, leg: &str) -> (u16, String) {
    let reply = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// A made-up report of some MiB, answered with by the acute trust; where the authority fetches it.
async fn report(gateway: &TestGateway, bytes: &[u8]) -> String {
    let leg = gateway.request(3, "PAEDIATRICS").await;
    let trust = gateway.acute();
    let size = json!({ "size": bytes.len() }).to_string();
    let begun = trust.post("/v1/documents", "application/json", "d-1", size).await;
    let id = begun.expect("an answer").json()["document"].as_str().expect("an id").to_owned();
    let reply = trust.append(&id, 0, bytes.to_vec()).await.expect("an answer");
    assert_eq!(reply.json()["state"], "ready", "{}", reply.text());
    let child = people::child(3);
    let mut advice = people::advice(&trust.code, "A-1", &leg, &child, gateway.today());
    advice["attachments"] = json!([{ "document": id, "name": "report.pdf" }]);
    let reply = trust.send("a-1", &advice).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let delivery = gateway.inbox(gateway.la()).await.pop().expect("a delivery");
    format!("/v1/inbox/{delivery}/documents/1")
}

fn pdf() -> Vec<u8> {
    let filling = (0..3 * MIB + 4_321).map(|at| u8::try_from(at * 11 % 251).expect("a byte"));
    b"%PDF-1.7\n".iter().copied().chain(filling).collect()
}

#[test]
fn a_backup_made_under_load_brings_all_back_and_holds_until_the_lost_withdrawal_is_sent_again() {
    // The binary is built before anything is timed.
    Ran::run(&["--version"]).ends(0);
    each_engine("the restore drill", |gateway| async move {
        let (leg, other) = (gateway.request(1, "CAMHS").await, gateway.request(2, "CAMHS").await);
        let (engine, pdf) = (gateway.engine, pdf());
        let report = report(&gateway, &pdf).await;
        let safe = tempfile::TempDir::new().expect("a folder elsewhere");
        let file = safe.path().join("night.ehcbackup");

        let stop = Arc::new(AtomicBool::new(false));
        let load = tokio::spawn(load(gateway.la().clone(), gateway.today(), Arc::clone(&stop)));
        let begun = Instant::now();
        let made = backup(gateway.folder(), &["make", "--to", said(&file), "--json"]);
        let making = begun.elapsed();
        stop.store(true, Ordering::SeqCst);
        let sent = load.await.expect("the load ends");
        let made = made.ends(0).json();
        backup(gateway.folder(), &["make", "--to", said(&file)]).ends(5).talks("never replaces");

        withdraw(&gateway, 1).await;
        let kept = gateway.la().get("/v1/audit/checkpoint", None).await.expect("an answer").text();
        let mut times = Vec::new();
        let gateway = gateway
            .restart_after(|folder| {
                wipe(engine, folder);
                let scratch = ["verify", said(&file), "--scratch", said(safe.path())];
                for command in [scratch.as_slice(), &["restore", said(&file)]] {
                    let begun = Instant::now();
                    backup(folder, command).ends(0);
                    times.push(begun.elapsed());
                }
                backup(folder, &["restore", said(&file)]).ends(5).talks("is not empty");
                let config = folder.join("ehc-gateway.toml");
                Ran::run(&["audit", "verify", "-c", said(&config)]).ends(0);
            })
            .await;

        let answer = gateway.operator_page("/readyz").await;
        assert!(answer.contains("held: this database was restored from a backup"), "{answer}");
        let held = (503, "held-after-restore".to_owned());
        assert_eq!(fetch(&gateway, &leg).await, held);
        assert_eq!(fetch(&gateway, &other).await, held);
        let la = gateway.la();
        let shown = la.post("/v1/audit/checkpoints", "text/plain", "show", kept).await;
        assert_eq!(shown.expect("an answer").json()["held"], true);
        withdraw(&gateway, 1).await;
        let json = Ran::on(&gateway, &["restore", "show", "--json"]).ends(6).json();
        let size = json["restores"][0]["lost_size"].to_string();
        let confirm = ["restore", "confirm", "--size", &size, "--reason", "partners-sent-again"];
        Ran::on(&gateway, &confirm).ends(0);

        assert_eq!(fetch(&gateway, &leg).await.0, 410, "the withdrawal is not undone");
        assert_eq!(fetch(&gateway, &other).await.0, 200, "the rest goes on");
        let whole = format!("bytes=0-{}", pdf.len() - 1);
        let document = gateway.la().get_range(&report, &whole).await.expect("an answer");
        assert!(document.bytes().await.expect("a body") == pdf.as_slice(), "the document is back");
        eprintln!(
            "drill on {engine:?}: {sent} sent meanwhile, {} bytes; made in {} ms, proved in {} ms, \
             restored in {} ms",
            made["bytes"],
            making.as_millis(),
            times[0].as_millis(),
            times[1].as_millis()
        );
        gateway.end().await;
    });
}

/// Where each segment of a backup begins and ends, the header first.
fn segments(backup: &[u8]) -> Vec<std::ops::Range<usize>> {
    let number = |at: usize| {
        let bytes = backup[at..at + 4].try_into().expect("four bytes");
        usize::try_from(u32::from_be_bytes(bytes)).expect("a size")
    };
    let mut ranges = Vec::from([std::ops::Range { start: 0, end: 9 + number(5) }]);
    while let Some(last) = ranges.last().filter(|last| last.end < backup.len()).cloned() {
        ranges.push(last.end..last.end + 9 + number(last.end + 5));
    }
    ranges
}

#[test]
fn a_backup_that_was_cut_changed_mixed_or_made_by_another_is_refused_and_its_part_named() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        report(&gateway, &pdf()).await;
        let folder = gateway.folder();
        let (first, second) = (folder.join("1.ehcbackup"), folder.join("2.ehcbackup"));
        for file in [&first, &second] {
            backup(folder, &["make", "--to", said(file), "--reason", "exercise"]).ends(0);
        }
        backup(folder, &["verify", said(&first)])
            .ends(0)
            .says("signed by it")
            .says("every large document its database names is in it (1)")
            .says("NOT PROVED: that no newer backup exists");
        Ran::run(&["backup", "show", said(&first)]).ends(0).says("ehc-gateway/EHCGW");
        let whole = std::fs::read(&first).expect("a backup");
        let other = std::fs::read(&second).expect("a backup");
        let (parts, others) = (segments(&whole), segments(&other));
        assert!(parts.len() >= 7, "a header, a database, four segments, a manifest: {parts:?}");
        let refused = |what: &str, bytes: &[u8], talk: &str| {
            let file = folder.join(format!("{what}.ehcbackup"));
            std::fs::write(&file, bytes).expect("a file");
            backup(folder, &["verify", said(&file)]).ends(5).talks(talk);
        };
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let last = parts.last().expect("a manifest").clone();
        // From behind: the manifest, the last and the last but one segment of the document.
        let (b, a) = (parts[parts.len() - 2].clone(), parts[parts.len() - 3].clone());
        refused("no-backup", &flipped(0), "is not a backup");
        let text = String::from_utf8_lossy(&whole[..parts[0].end]).into_owned();
        let year = text.find("\"made_at\":\"").expect("a time") + 14;
        refused("header", &flipped(year), "segment 0, in the database, does not open");
        refused("row", &flipped(parts[1].start + 500), "segment 0, in the database");
        refused("document", &flipped(a.start + 500), "in document number 1, does not open");
        refused("end", &flipped(a.start + 4), "in document number 1, does not open");
        refused("signature", &flipped(last.end - 30), "in the manifest, does not open");
        refused("cut-1", &whole[..whole.len() - 1], "cut short");
        refused("cut-2", &whole[..last.start], "cut short");
        refused("cut-3", &whole[..a.start + 77], "in document number 1");
        refused("cut-4", &whole[..parts[0].end], "cut short after 0 segments");
        refused("added", &[whole.as_slice(), b"x"].concat(), "added after the end");
        let swapped =
            [&whole[..a.start], &whole[b.clone()], &whole[a.clone()], &whole[b.end..]].concat();
        refused("swapped", &swapped, "in document number 1, does not open");
        let left_out = [&whole[..a.start], &whole[a.end..]].concat();
        refused("left-out", &left_out, "in document number 1, does not open");
        let mixed =
            [&whole[..parts[1].start], &other[others[1].clone()], &whole[parts[1].end..]].concat();
        refused("mixed", &mixed, "segment 0, in the database, does not open");
        another_key(folder, &first);
        gateway.end().await;
    });
}

/// With another backup key it does not open; made with another log key it is not believed.
fn another_key(folder: &Path, file: &Path) {
    let config = std::fs::read_to_string(folder.join("ehc-gateway.toml")).expect("settings");
    let keys = folder.join("other");
    Ran::run(&["keys", "make", "--out", said(&keys)]).ends(0).says("backup.keys");
    let with = |name: &str, config: String| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, config).expect("settings");
        path
    };
    let verify = |config: &Path| Ran::run(&["backup", "verify", said(file), "-c", said(config)]);
    let wrong = with("wrong.toml", format!("{config}\n[backup]\nkeys = \"other/backup.keys\"\n"));
    verify(&wrong).ends(5).talks("which is not here: restore that key");
    let stranger = with("stranger.toml", config.replace("keys/log-signing", "other/log-signing"));
    verify(&stranger).ends(5).talks("not signed by this gateway's log-signing key");
    let whose = with("whose.toml", config.replace("\"EHCGW\"", "\"EHCG2\""));
    verify(&whose).ends(5).talks("a backup of ehc-gateway/EHCGW");
    let same = with("same.toml", format!("{config}\n[backup]\nkeys = \"keys/wrapping.keys\"\n"));
    verify(&same).ends(5).talks("whoever can open a backup could open every record in it");
}

#[test]
fn an_old_backup_that_is_restored_on_purpose_raises_the_alarm() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        gateway.request(1, "CAMHS").await;
        let safe = tempfile::TempDir::new().expect("a folder elsewhere");
        backup(gateway.folder(), &["make", "--to", said(safe.path())]).ends(0);
        let old = std::fs::read_dir(safe.path()).expect("a folder").next().expect("a backup");
        let old = old.expect("a backup").path();
        let leg = gateway.request(2, "CAMHS").await;
        let rehearsed = backup(gateway.folder(), &["drill", "--json"]).ends(0).json();
        assert_eq!(rehearsed["proved"], true);
        // The database alone is put back to an earlier day; the checkpoint outside it stays.
        let gateway = gateway
            .restart_after(|folder| {
                for file in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
                    drop(std::fs::remove_file(folder.join("data").join(file)));
                }
                backup(folder, &["restore", said(&old)]).ends(0).talks("HELD");
            })
            .await;
        let answer = gateway.operator_page("/readyz").await;
        assert!(answer.contains("older than what checkpoint-file holds"), "{answer}");
        let json = Ran::on(&gateway, &["restore", "show", "--json"]).ends(6).json();
        let (own, lost) = (&json["restores"][0]["own_size"], &json["restores"][0]["lost_size"]);
        assert!(lost.as_u64() > own.as_u64(), "{json}");
        let reply = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(reply.expect("an answer").status, 404, "it was lost");
        Ran::on(&gateway, &["retention", "run", "--confirm"])
            .ends(5)
            .talks("See `restore show`, place those that were lost again");
        gateway.end().await;
    });
}

/// Makes the settings name a new and empty database of the other engine.
fn move_to_the_other(engine: Engine, folder: &Path, cluster: &Cluster) {
    let (sqlite, postgres) = (
        "engine = \"sqlite\"\npath = \"data/gateway.db\"",
        "engine = \"postgres\"\nurl_file = \"keys/database.url\"",
    );
    let (old, new) = match engine {
        Engine::Sqlite => (sqlite, postgres),
        Engine::Postgres => (postgres, sqlite),
    };
    std::fs::remove_dir_all(folder.join("data")).expect("the data folder goes");
    if engine == Engine::Sqlite {
        let address = cluster.make_database();
        gateway::secret_file::create(&folder.join("keys/database.url"), address.as_bytes())
            .expect("the address");
    }
    let file = folder.join("ehc-gateway.toml");
    let settings = std::fs::read_to_string(&file).expect("settings");
    assert!(settings.contains(old), "{settings}");
    std::fs::write(file, settings.replace(old, new)).expect("settings");
}

#[test]
fn a_backup_of_one_engine_is_restored_into_the_other() {
    each_engine("the move to another engine", |gateway| async move {
        // Where there is no server, the half that is about it has said so, or failed.
        let Some(cluster) = Cluster::find() else { return gateway.end().await };
        let (engine, pdf) = (gateway.engine, pdf());
        let leg = gateway.request(1, "CAMHS").await;
        let report = report(&gateway, &pdf).await;
        withdraw(&gateway, 2).await;
        let kept = gateway.la().get("/v1/audit/checkpoint", None).await.expect("an answer").text();
        let safe = tempfile::TempDir::new().expect("a folder elsewhere");
        let file = safe.path().join("night.ehcbackup");
        backup(gateway.folder(), &["make", "--to", said(&file)]).ends(0);
        let gateway = gateway
            .restart_after(|folder| {
                move_to_the_other(engine, folder, cluster);
                backup(folder, &["restore", said(&file)]).ends(0).talks("HELD");
                let config = folder.join("ehc-gateway.toml");
                Ran::run(&["audit", "verify", "-c", said(&config)]).ends(0);
            })
            .await;
        // What anybody kept of the log is still of this log, in the other engine's tables.
        let la = gateway.la();
        let shown = la.post("/v1/audit/checkpoints", "text/plain", "show", kept).await;
        assert_eq!(shown.expect("an answer").json()["standing"], "known");
        let json = Ran::on(&gateway, &["restore", "show", "--json"]).ends(6).json();
        let size = json["restores"][0]["lost_size"].to_string();
        let confirm = ["restore", "confirm", "--size", &size, "--reason", "partners-sent-again"];
        Ran::on(&gateway, &confirm).ends(0);
        assert_eq!(fetch(&gateway, &leg).await.0, 200);
        let whole = format!("bytes=0-{}", pdf.len() - 1);
        let document = la.get_range(&report, &whole).await.expect("an answer");
        assert!(document.bytes().await.expect("a body") == pdf.as_slice(), "the document is there");
        // It goes on: new rows take their places after those that came over.
        let leg = gateway.request(4, "CAMHS").await;
        assert_eq!(fetch(&gateway, &leg).await.0, 200);
        Ran::on(&gateway, &["audit", "verify"]).ends(0);
        gateway.end().await;
    });
}
