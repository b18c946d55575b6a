//! A folder that remembers what it was given proves that a backup was restored, and goes on after that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::audit::{Actor, Entry, EventKind};
use gateway::clock::Clock;
use gateway::practice::Stage;
use gateway::restore;
use serde_json::{Value, json};
use tests::gateway::each_engine_prepared;
use tests::{Engine, TestGateway};

use super::restore::{back_up, ready};
use super::sinks::{add, caught_up, lines};
use super::witnesses::restore_all;

const SINK: &str = "[[audit.sinks]]\nname = \"archive\"\nkind = \"file\"\nfolder = \"archive\"\nfile_bytes = 6000\n";
const HELD: &str = "held: this database is older than what audit-sink-archive holds";

async fn one_folder(stage: &Stage, _: Arc<dyn Clock>) {
    add(stage, SINK);
}

/// The files of a sink with what is in them, in order.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let all = std::fs::read_dir(folder).expect("a folder");
    let all = all.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        all.filter(|path| path.extension().is_some_and(|found| found == "jsonl")).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("text");
        (path, text)
    };
    files.into_iter().map(read).collect()
}

async fn fetch(gateway: &TestGateway, leg: &str) -> (u16, String) {
    let reply = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

async fn confirm(gateway: &TestGateway) -> u64 {
    let app = gateway.cast.app();
    let lost = app.store.unconfirmed_restore().await.expect("a state").expect("held").lost_size;
    restore::confirm(app, &Actor::local(), lost, restore::REASONS[0]).await.expect("confirmed");
    lost
}

/// The folder goes on: what was there is as it was, then come a mark and, from the place that it names on,
/// the entries that the log has.
async fn goes_on(gateway: &TestGateway, before: &[(PathBuf, String)], lost: u64) {
    caught_up(gateway, "archive").await;
    let after = files(&gateway.folder().join("archive"));
    let (old, new) = after.split_at(before.len());
    assert_eq!(old, before, "nothing that it held was touched, and all of it comes first");
    let text: String = new.iter().map(|(_, text)| text.as_str()).collect();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mark = lines.next().expect("a mark");
    assert_eq!((&mark["restored"], &mark["lost_size"]), (&json!(true), &json!(lost)), "{mark}");
    let from = mark["goes_on_with"].as_u64().expect("a place");
    assert!(from > 0 && from < lost, "it goes on where the histories part: {mark}");
    let rows = gateway.cast.app().store.audit_rows(from, 10_000).await.expect("rows");
    let kept: Vec<_> =
        lines.map(|line| serde_json::to_vec(&line["entry"]).expect("JSON")).collect();
    let leaves: Vec<_> = rows.into_iter().map(|row| row.leaf).collect();
    assert_eq!(kept, leaves, "every entry that it did not have, once and in order");
    // What it had of this log before is what the log has.
    let shared = before.iter().flat_map(|(_, text)| text.lines());
    let shared = shared.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let shared: Vec<_> =
        shared.filter(|line| line["seq"].as_u64().is_some_and(|seq| seq < from)).collect();
    let rows = gateway.cast.app().store.audit_rows(0, 10_000).await.expect("rows");
    let last = shared.last().expect("a line");
    let at = usize::try_from(from - 1).expect("a place");
    assert_eq!(serde_json::to_vec(&last["entry"]).expect("JSON"), rows[at].leaf);
}

#[test]
fn a_folder_that_proves_a_restore_holds_the_gateway_from_its_start_and_goes_on_when_confirmed() {
    each_engine_prepared("sink_proves", &one_folder, |gateway, ()| async move {
        let engine = gateway.engine;
        let leg = gateway.request(1, "CAMHS").await;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        gateway.request(2, "CAMHS").await;
        caught_up(&gateway, "archive").await;
        let own = gateway.cast.app().log_size().await.expect("a size");

        // The database comes back from the backup, and the newest checkpoint is gone with it.
        let mut before = Vec::new();
        let gateway = gateway
            .restart_after(|folder| {
                before = files(&folder.join("archive"));
                restore_all(engine, folder);
            })
            .await;
        let said = ready(&gateway).await;
        assert!(said.starts_with(HELD) && said.contains("nothing is released"), "{said}");
        assert_eq!(fetch(&gateway, &leg).await, (503, "held-after-restore".to_owned()));
        // It was found before the start was written down, and so before anything could go.
        let store = &gateway.cast.app().store;
        let rows = store.audit_rows(0, 10_000).await.expect("rows");
        let kinds: Vec<_> =
            rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry").event.kind).collect();
        let found = kinds.iter().rposition(|kind| *kind == EventKind::RestoreFound);
        let started = kinds.iter().rposition(|kind| *kind == EventKind::GatewayStarted);
        assert!(found.is_some() && found < started, "{kinds:?}");
        let lost = store.unconfirmed_restore().await.expect("a state").expect("held").lost_size;
        assert!(lost >= own, "it says how much the folder has: {lost} of at least {own}");
        let gateway = gateway.restart().await;
        assert!(ready(&gateway).await.starts_with(HELD), "a restart changes nothing");
        assert_eq!(files(&gateway.folder().join("archive")), before, "it is the evidence");

        assert_eq!(confirm(&gateway).await, lost);
        goes_on(&gateway, &before, lost).await;
        assert_eq!(ready(&gateway).await, "ready\n");
        assert_eq!(fetch(&gateway, &leg).await.0, 200);
        let gateway = gateway.restart().await;
        assert_eq!(ready(&gateway).await, "ready\n", "what was confirmed is not found again");
        goes_on(&gateway, &before, lost).await;
        if engine == Engine::Sqlite {
            Box::pin(again(gateway)).await;
        } else {
            gateway.end().await;
        }
    });
}

/// The same backup comes back once more: it does not know of the first restore either.
async fn again(gateway: TestGateway) {
    gateway.request(3, "CAMHS").await;
    caught_up(&gateway, "archive").await;
    gateway.clock.advance(jiff::SignedDuration::from_secs(1));
    let mut before = Vec::new();
    let gateway = gateway
        .restart_after(|folder| {
            before = files(&folder.join("archive"));
            restore_all(Engine::Sqlite, folder);
        })
        .await;
    assert!(ready(&gateway).await.starts_with(HELD));
    let lost = confirm(&gateway).await;
    goes_on(&gateway, &before, lost).await;
    let names = files(&gateway.folder().join("archive"));
    let last = names.last().expect("a file").0.display().to_string();
    assert!(last.contains("/audit-r0002-"), "{last}");
    gateway.end().await;
}

#[test]
fn a_folder_that_is_away_at_the_start_holds_the_gateway_as_soon_as_it_is_back() {
    each_engine_prepared("sink_proves_late", &one_folder, |gateway, ()| async move {
        let engine = gateway.engine;
        let leg = gateway.request(1, "CAMHS").await;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        gateway.request(2, "CAMHS").await;
        caught_up(&gateway, "archive").await;
        let gateway = gateway
            .restart_after(|folder| {
                restore_all(engine, folder);
                let archive = folder.join("archive");
                std::fs::rename(&archive, folder.join("aside")).expect("it is gone");
                std::fs::write(archive, "no folder").expect("something else is there");
            })
            .await;
        assert!(ready(&gateway).await.starts_with("ready\n"), "nothing here can tell");
        let archive = gateway.folder().join("archive");
        std::fs::remove_file(&archive).expect("it is gone");
        std::fs::rename(gateway.folder().join("aside"), &archive).expect("it is back");
        let since = Instant::now();
        while !ready(&gateway).await.starts_with(HELD) {
            assert!(since.elapsed() < Duration::from_secs(10), "it is not held");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(fetch(&gateway, &leg).await, (503, "held-after-restore".to_owned()));
        let before = files(&archive);
        let lost = confirm(&gateway).await;
        goes_on(&gateway, &before, lost).await;
        gateway.end().await;
    });
}

#[test]
fn a_folder_of_another_log_is_not_written_to_and_holds_nobody() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| {
        add(stage, SINK);
        let folder = stage.config_path().parent().expect("a folder").join("archive");
        std::fs::create_dir(&folder).expect("a folder");
        let line = json!({
            "log": "ehc-gateway/RXT", "seq": 9_000, "leaf_hash": "00", "entry": { "at_us": 1 },
        });
        std::fs::write(folder.join("audit-00000000000000009000.jsonl"), format!("{line}\n"))
            .expect("written");
    };
    each_engine_prepared("sink_of_another", &prepare, |gateway, ()| async move {
        let leg = gateway.request(1, "CAMHS").await;
        assert_eq!(fetch(&gateway, &leg).await.0, 200, "it is no matter to this log");
        let since = Instant::now();
        let told = "ready\nthe audit sink archive takes no entries: it holds entries that this log";
        while !ready(&gateway).await.starts_with(told) {
            assert!(since.elapsed() < Duration::from_secs(10), "{}", ready(&gateway).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(lines(&gateway.folder().join("archive")).0.len(), 1, "nothing was added");
        gateway.end().await;
    });
}
