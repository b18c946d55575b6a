//! The log in a second place: a folder, and a security team's receiver, each at its own pace.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::audit::Actor;
use gateway::clock::Clock;
use gateway::practice::{Stage, people};
use gateway::restore;
use jiff::SignedDuration;
use serde_json::Value;
use tests::collector::{Collector, Mood};
use tests::{Engine, TestGateway, each_engine_prepared, peers};

use super::restore::{back_up, put_back};

const SOON: Duration = Duration::from_secs(5);

pub(super) fn add(stage: &Stage, sinks: &str) {
    let file = stage.config_path();
    let before = std::fs::read_to_string(file).expect("a configuration");
    std::fs::write(file, format!("{before}\n{sinks}")).expect("written");
}

pub(super) fn syslog(collector: &Collector, more: &str) -> String {
    format!(
        "[[audit.sinks]]\nname = \"soc\"\nkind = \"syslog\"\naddress = \"{}\"\n{more}\n",
        collector.address
    )
}

pub(super) const ARCHIVE: &str = "[[audit.sinks]]\nname = \"archive\"\nkind = \"file\"\nrequired = true\n\
                       folder = \"archive\"\nfile_bytes = 6000\n";

/// The lines of a folder in the order of its files, and how many files there are.
pub(crate) fn lines(folder: &Path) -> (Vec<Value>, usize) {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("text");
        // A line that a crash cut is no JSON.
        lines.extend(text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
    }
    (lines, files.len())
}

/// The folder has every entry of the log, once and in order, as it is.
pub(super) async fn holds_all(gateway: &TestGateway, folder: &Path) {
    let store = &gateway.cast.app().store;
    let rows = store.audit_rows(0, 10_000).await.expect("rows");
    let (lines, _) = lines(folder);
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!(line["seq"], row.seq);
        let entry = serde_json::to_vec(&line["entry"]).expect("JSON");
        assert_eq!(entry, row.leaf, "the entry is there as it was signed");
    }
}

/// Waits until a sink has confirmed all that there is.
pub(super) async fn caught_up(gateway: &TestGateway, name: &str) {
    let since = Instant::now();
    loop {
        let app = gateway.cast.app();
        let (next, size) = (app.store.sink_cursor(name).await, app.log_size().await);
        if next.expect("a place") == size.expect("a size") {
            return;
        }
        assert!(since.elapsed() < SOON, "{name} has not caught up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn try_request(gateway: &TestGateway, number: u32) -> (u16, Duration) {
    let id = format!("AR-{number}");
    let child = people::child(number);
    let message = people::request("334", &id, &child, &["CAMHS"], gateway.today());
    let since = Instant::now();
    let reply = gateway.la().send(&id, &message).await.expect("an answer");
    (reply.status, since.elapsed())
}

async fn accepted_within(gateway: &TestGateway, number: u32) {
    let since = Instant::now();
    while try_request(gateway, number).await.0 != 201 {
        assert!(since.elapsed() < SOON, "it did not resume by itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What it has just accepted may not be confirmed yet.
    loop {
        let page = gateway.operator_page("/readyz").await;
        if page.contains("\r\n\r\nready\n") {
            break;
        }
        assert!(since.elapsed() < SOON, "{page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("{:?}: resumed within {:?}", gateway.engine, since.elapsed());
}

#[test]
fn a_folder_has_every_entry_once_in_files_by_size_and_over_restarts() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| add(stage, ARCHIVE);
    each_engine_prepared("file_sink", &prepare, |gateway, ()| async move {
        for number in 1..=4 {
            assert_eq!(try_request(&gateway, number).await.0, 201);
        }
        caught_up(&gateway, "archive").await;
        let folder = gateway.folder().join("archive");
        holds_all(&gateway, &folder).await;
        let (_, files) = lines(&folder);
        assert!(files > 1, "a new file is begun by size");
        gateway.clock.advance(SignedDuration::from_hours(25));
        assert_eq!(try_request(&gateway, 5).await.0, 201);
        caught_up(&gateway, "archive").await;
        // A crash in the middle of a line: it stays, and the entry is written whole after it.
        let gateway = gateway
            .restart_after(|folder| {
                let folder = folder.join("archive");
                let mut files: Vec<_> = std::fs::read_dir(&folder)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path())
                    .filter(|path| path.extension().is_some_and(|found| found == "jsonl"))
                    .collect();
                files.sort();
                let last = files.last().expect("a file");
                let whole = std::fs::read(last).expect("a file");
                std::fs::write(last, [&whole[..], b"{\"log\":\"ehc-gat"].concat())
                    .expect("written");
            })
            .await;
        caught_up(&gateway, "archive").await;
        holds_all(&gateway, &folder_of(&gateway)).await;
        let all = std::fs::read_dir(folder_of(&gateway)).expect("a folder");
        let text: String =
            all.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok()).collect();
        assert!(text.contains("{\"log\":\"ehc-gat\n"), "nothing is cut off or written over");
        gateway.end().await;
    });
}

fn folder_of(gateway: &TestGateway) -> std::path::PathBuf {
    gateway.folder().join("archive")
}

#[test]
fn a_required_folder_that_cannot_be_written_stops_everything_until_it_can() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| add(stage, ARCHIVE);
    each_engine_prepared("file_sink_away", &prepare, |gateway, ()| async move {
        assert_eq!(try_request(&gateway, 1).await.0, 201);
        caught_up(&gateway, "archive").await;
        // Something that is no file lies where the next one should be, whichever it is.
        let size = gateway.cast.app().log_size().await.expect("a size");
        let folder = folder_of(&gateway);
        let blocks: Vec<_> =
            (size..size + 40).map(|seq| folder.join(format!("audit-{seq:020}.jsonl"))).collect();
        for block in &blocks {
            std::fs::create_dir(block).expect("a folder");
        }
        gateway.clock.advance(SignedDuration::from_hours(24));
        let _ = try_request(&gateway, 2).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        gateway.clock.advance(SignedDuration::from_secs(6));
        assert_eq!(try_request(&gateway, 3).await.0, 503);
        let page = gateway.operator_page("/readyz").await;
        assert!(page.contains("503") && page.contains("sink archive, which is required"), "{page}");
        assert!(page.contains("its folder cannot be written"), "{page}");
        for block in &blocks {
            std::fs::remove_dir(block).expect("removed");
        }
        accepted_within(&gateway, 3).await;
        caught_up(&gateway, "archive").await;
        holds_all(&gateway, &folder).await;
        gateway.end().await;
    });
}

#[test]
fn a_receiver_that_hangs_slows_nobody_and_misses_nothing() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let collector = Collector::start(stage, Mood::Hang).await;
        add(stage, &format!("{ARCHIVE}{}", syslog(&collector, "")));
        collector
    };
    each_engine_prepared("hanging_sink", &prepare, |gateway, collector| async move {
        let mut slowest = Duration::ZERO;
        for number in 1..=20 {
            let (status, took) = try_request(&gateway, number).await;
            assert_eq!(status, 201);
            slowest = slowest.max(took);
        }
        assert!(slowest < Duration::from_secs(2), "a request took {slowest:?}");
        // The folder, which is required, has gone on meanwhile.
        caught_up(&gateway, "archive").await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let page = gateway.operator_page("/readyz").await;
        assert!(page.contains("\r\n\r\nready\nthe audit sink soc takes no entries: "), "{page}");
        let metrics = gateway.metrics().await;
        assert!(metrics.contains("ehc_audit_sink_lost{sink=\"soc\"} 1"), "{metrics}");
        assert!(metrics.contains("ehc_audit_sink_lost{sink=\"archive\"} 0"), "{metrics}");
        collector.feel(Mood::Take);
        caught_up(&gateway, "soc").await;
        received_all(&gateway, &collector).await;
        eprintln!("{:?}: the slowest of 20 took {slowest:?}", gateway.engine);
        gateway.end().await;
    });
}

/// Every entry was received, once and in order, and is what its standard has.
pub(super) async fn received_all(gateway: &TestGateway, collector: &Collector) {
    let messages = collector.messages();
    let size = gateway.cast.app().log_size().await.expect("a size");
    for (seq, message) in messages.iter().enumerate() {
        let entry = format!("ParticipantObjectID=\"ehc-gateway/EHCGW#{seq}\"");
        assert!(message.contains(&entry), "{seq}: {message}");
    }
    assert!(messages.len() >= usize::try_from(size).expect("a size"), "{}", messages.len());
    let mut text = messages.join("\n");
    text.push('\n');
    peers::must_take_form("atna", text.as_bytes());
}

#[test]
fn a_required_receiver_that_is_away_stops_everything_until_it_has_caught_up() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let collector = Collector::start(stage, Mood::Take).await;
        add(stage, &syslog(&collector, "required = true"));
        collector
    };
    each_engine_prepared("required_sink", &prepare, |gateway, collector| async move {
        assert_eq!(try_request(&gateway, 1).await.0, 201);
        caught_up(&gateway, "soc").await;
        for (number, mood) in [(11, Mood::Hang), (13, Mood::Die), (12, Mood::Rude)] {
            collector.feel(mood);
            // Within the bound it goes on.
            assert_eq!(try_request(&gateway, number).await.0, 201);
            gateway.clock.advance(SignedDuration::from_secs(6));
            assert_eq!(try_request(&gateway, number + 10).await.0, 503, "{mood:?}");
            let page = gateway.operator_page("/readyz").await;
            assert!(page.contains("sink soc, which is required: "), "{mood:?}: {page}");
            collector.feel(Mood::Take);
            accepted_within(&gateway, number + 10).await;
            caught_up(&gateway, "soc").await;
        }
        gateway.end().await;
    });
}

/// Sends the withdrawal of the first child again, as a partner does after a restore.
async fn withdraw(gateway: &TestGateway) -> u16 {
    let message = people::withdrawal("334", "W-1", &people::child(1), gateway.today());
    let la = gateway.la();
    let reply = la.post("/v1/consents", "application/json", "w-1", message.to_string()).await;
    reply.expect("an answer").status
}

#[test]
fn after_a_restore_a_sink_goes_on_under_a_new_name_only_and_then_the_steps_go_through() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        let collector = Collector::start(stage, Mood::Take).await;
        add(stage, &format!("{ARCHIVE}{}", syslog(&collector, "")));
        collector
    };
    each_engine_prepared("sinks_restored", &prepare, |gateway, collector| async move {
        let engine = gateway.engine;
        assert_eq!(try_request(&gateway, 1).await.0, 201);
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        assert_eq!(try_request(&gateway, 2).await.0, 201);
        caught_up(&gateway, "archive").await;
        caught_up(&gateway, "soc").await;
        let mut before = 0;
        let gateway = gateway
            .restart_after(|folder| {
                before = collector.messages().len();
                put_back(engine, folder);
            })
            .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(withdraw(&gateway).await, 503, "a folder of another history, and required");
        assert_eq!(collector.messages().len(), before, "no second history under one name");
        let page = gateway.operator_page("/readyz").await;
        assert!(page.contains("503") && page.contains("sink archive, which is required"), "{page}");
        assert!(page.contains("holds entries that this log does not have"), "{page}");

        let config = gateway.cast.config_path().to_owned();
        let gateway = gateway
            .restart_after(|_| {
                let text = std::fs::read_to_string(&config).expect("a configuration");
                let text = text.replace("\"archive\"", "\"archive-2\"");
                let text = text.replace("\"soc\"", "\"soc-2\"");
                std::fs::write(&config, text).expect("written");
            })
            .await;
        caught_up(&gateway, "archive-2").await;
        assert_eq!(withdraw(&gateway).await, 201, "consents are sent again");
        let app = gateway.cast.app();
        let held = app.store.unconfirmed_restore().await.expect("a state").expect("it is held");
        let (size, reason) = (held.lost_size, restore::REASONS[0]);
        restore::confirm(app, &Actor::local(), size, reason).await.expect("confirmed");
        accepted_within(&gateway, 3).await;
        caught_up(&gateway, "archive-2").await;
        holds_all(&gateway, &gateway.folder().join("archive-2")).await;
        caught_up(&gateway, "soc-2").await;
        let first = "ParticipantObjectID=\"ehc-gateway/EHCGW#0\"";
        assert!(collector.messages()[before].contains(first), "it begins with the first entry");
        gateway.end().await;
    });
}

#[test]
fn a_command_is_held_by_the_same_bound() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
            let collector = Collector::start(stage, Mood::Hang).await;
            add(stage, &syslog(&collector, "required = true\nbehind_entries = 1"));
            collector
        };
        let (gateway, collector) = TestGateway::prepared(Engine::Sqlite, None, &prepare).await;
        assert_eq!(try_request(&gateway, 1).await.0, 503);
        let config = gateway.cast.config_path().to_str().expect("a path");
        let board = || {
            let mut command = tests::binary::command();
            command.args(["board", "-c", config]);
            command.output().expect("it runs")
        };
        let ran = board();
        assert!(!ran.status.success(), "it showed what could not be written down");
        assert!(ran.stdout.is_empty());
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(said.contains("the audit sink soc has not confirmed"), "{said}");
        collector.feel(Mood::Take);
        accepted_within(&gateway, 1).await;
        caught_up(&gateway, "soc").await;
        assert!(board().status.success());
        gateway.end().await;
    });
}

#[test]
fn openssl_receives_what_is_sent_and_confirms_it() {
    let Some(openssl) = peers::program("openssl") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
            let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
            let port = socket.local_addr().expect("an address").port();
            drop(socket);
            let pki = stage.config_path().parent().expect("a folder").join("pki");
            let file = |name: &str| pki.join(name).display().to_string();
            let server = tokio::process::Command::new(&openssl)
                .args(["s_server", "-quiet", "-Verify", "2", "-verify_return_error"])
                .args(["-accept", &format!("127.0.0.1:{port}")])
                .args(["-CAfile", &file("authority/certificate.pem")])
                .args(["-cert", &file("partners/trust-ryw/server.pem")])
                .args(["-key", &file("partners/trust-ryw/server-key.pem")])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .kill_on_drop(true)
                .spawn();
            let sink = format!(
                "[[audit.sinks]]\nname = \"soc\"\nkind = \"syslog\"\n\
                 address = \"127.0.0.1:{port}\"\nrequired = true\n"
            );
            add(stage, &sink);
            server.expect("openssl starts")
        };
        let (gateway, server) = TestGateway::prepared(Engine::Sqlite, None, &prepare).await;
        accepted_within(&gateway, 1).await;
        caught_up(&gateway, "soc").await;
        let size = gateway.cast.app().log_size().await.expect("a size");
        gateway.end().await;
        let mut server = server;
        server.start_kill().expect("it is stopped");
        let said = server.wait_with_output().await.expect("what it received").stdout;
        let said = String::from_utf8_lossy(&said);
        for seq in 0..size {
            let entry = format!("ParticipantObjectID=\"ehc-gateway/EHCGW#{seq}\"");
            assert_eq!(said.matches(&entry).count(), 1, "entry {seq}");
        }
    });
}
