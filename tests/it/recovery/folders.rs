//! `kill -9` of the real binary while folders are busy both ways: every export has its report,
//! every advice lies whole in the drop folder, and nothing is there twice.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use gateway::clock::{Clock, SystemClock};
use gateway::delivery::folder::is_whole;
use gateway::practice::folders::Folders;
use gateway::practice::people::{self, Row};
use gateway::practice::{Plan, Stage, StorePlan};
use tempfile::TempDir;
use tests::binary::{self, Binary};
use tests::postgres;

const ROUNDS: u32 = 6;
const FILES: u32 = 4;

#[test]
fn nothing_is_lost_or_doubled_when_killed_with_busy_folders_on_sqlite() {
    run(StorePlan::Sqlite);
}

#[test]
fn nothing_is_lost_or_doubled_when_killed_with_busy_folders_on_postgresql() {
    match postgres::Cluster::find() {
        Some(cluster) => run(StorePlan::Postgres(cluster.make_database())),
        None => eprintln!("the kill test of folders on PostgreSQL did not run"),
    }
}

fn run(store: StorePlan) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let plan = Plan { dir: folder.path().to_owned(), store, clock: Arc::new(SystemClock) };
        let stage = Stage::set(plan).expect("a stage");
        let folders = stage.exchange_folders("334", Format::Csv).expect("folders");
        let la = stage.authority();
        let mut answered = BTreeSet::new();
        for round in 0..ROUNDS {
            let mut gateway = Binary::start(stage.config_path(), Stdio::null());
            gateway.wait_until_ready(&la).await;
            leave_some(&folders, round);
            answer_some(&stage, &folders, &mut answered).await;
            // A different moment each round: settling, being read, or being reported on.
            tokio::time::sleep(Duration::from_millis(u64::from(600 + round * 170))).await;
            gateway.kill();
        }
        let mut gateway = Binary::start(stage.config_path(), Stdio::null());
        gateway.wait_until_ready(&la).await;
        let names: Vec<String> = (0..ROUNDS * FILES).map(name).collect();
        wait("reports", || names.iter().all(|name| folders.report(name).is_some())).await;
        answer_some(&stage, &folders, &mut answered).await;
        let count = names.len();
        assert_eq!(answered.len(), count, "every export was asked about once");
        wait("advice", || folders.arrived().is_ok_and(|all| all.len() >= count)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;

        let arrived = folders.arrived().expect("a folder");
        assert_eq!(arrived.len(), count, "no advice is there twice");
        assert!(arrived.iter().all(|(place, manifest)| is_whole(place, manifest)));
        let legs = la.get("/v1/board?limit=500", None).await.expect("an answer").json();
        let legs = legs["legs"].as_array().expect("legs").clone();
        assert_eq!(legs.len(), count, "no request was made twice");
        assert!(legs.iter().all(|leg| leg["state"] == "answered"), "{legs:?}");
        assert!(names.iter().all(|name| !folders.is_waiting(name)));
        gateway.kill();
        let verified = binary::command()
            .args(["audit", "verify", "--json", "-c"])
            .arg(stage.config_path())
            .output()
            .expect("the command runs");
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "the log does not verify: {said}");
    });
}

fn name(number: u32) -> String {
    format!("export-{number}.csv")
}

fn leave_some(folders: &Folders, round: u32) {
    for number in (0..FILES).map(|file| round * FILES + file) {
        let rows = [Row::new(number + 1, "PAEDIATRICS")];
        let extract = people::extract(&rows, SystemClock.today());
        folders.leave(&name(number), extract.as_bytes()).expect("left");
    }
}

/// Answers every request that has its report by now, once.
async fn answer_some(stage: &Stage, folders: &Folders, answered: &mut BTreeSet<u32>) {
    let trust = stage.caller("trust-rrk").expect("a trust");
    for number in 0..ROUNDS * FILES {
        let Some(report) = folders.report(&name(number)).filter(|_| !answered.contains(&number))
        else {
            continue;
        };
        let leg = report.rows[0].legs[0].leg.to_string();
        let (id, child) = (format!("A-{number}"), people::child(number + 1));
        let advice = people::advice_fhir(&trust.code, &id, &leg, &child, SystemClock.today());
        let media = "application/fhir+json";
        let reply = trust.post("/v1/messages", media, &id, advice.to_string()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        answered.insert(number);
    }
}

async fn wait(what: &str, so: impl Fn() -> bool) {
    for _ in 0..600 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(so(), "{what}: this did not come about");
}
