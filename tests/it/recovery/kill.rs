//! `kill -9` of the real binary under load: nothing acknowledged is lost, nothing happens twice.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateway::clock::SystemClock;
use gateway::practice::client::Partner;
use gateway::practice::{Plan, Stage, StorePlan, people};
use serde_json::Value;
use tempfile::TempDir;
use tests::binary::{self, Binary};
use tests::postgres;

/// A message that was acknowledged: its key, what was sent, and what was answered.
type Acknowledged = (String, Value, Vec<u8>);

const ROUNDS: u32 = 20;
const SENDERS: u32 = 4;

#[test]
fn nothing_acknowledged_is_lost_when_the_gateway_is_killed_on_sqlite() {
    run(StorePlan::Sqlite, ROUNDS);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_gateway_is_killed_on_postgresql() {
    match postgres::Cluster::find() {
        Some(cluster) => run(StorePlan::Postgres(cluster.make_database()), ROUNDS),
        None => eprintln!("the kill test on PostgreSQL did not run"),
    }
}

fn run(store: StorePlan, rounds: u32) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let plan = Plan { dir: folder.path().to_owned(), store, clock: Arc::new(SystemClock) };
        let stage = Stage::set(plan).expect("a stage");
        let la = stage.authority();
        let counter = Arc::new(AtomicU32::new(0));
        let mut acknowledged: Vec<Acknowledged> = Vec::new();
        for round in 0..rounds {
            let mut gateway = Binary::start(stage.config_path(), Stdio::null());
            gateway.wait_until_ready(&la).await;
            let load: Vec<_> = (0..SENDERS)
                .map(|_| tokio::spawn(load(la.clone(), Arc::clone(&counter))))
                .collect();
            // A different moment each round, from the first handshake to a full queue.
            tokio::time::sleep(Duration::from_millis(u64::from(40 + round * 23))).await;
            gateway.kill();
            for sender in load {
                acknowledged.extend(sender.await.expect("the sender ends"));
            }
        }
        assert!(acknowledged.len() > 20, "only {} were acknowledged", acknowledged.len());
        let mut gateway = Binary::start(stage.config_path(), Stdio::null());
        gateway.wait_until_ready(&la).await;
        for (key, message, first) in &acknowledged {
            let again = la.send(key, message).await.expect("an answer");
            assert!(again.replayed, "{key} was acknowledged and is lost: {}", again.text());
            assert_eq!(&again.body, first, "{key} is answered differently");
        }
        let legs = count_legs(&la).await;
        let sent = usize::try_from(counter.load(Ordering::SeqCst)).expect("a count");
        assert!(legs >= acknowledged.len() && legs <= sent, "{legs} legs from {sent} requests");
        gateway.kill();
        let verified = binary::command()
            .args(["audit", "verify", "--json", "-c"])
            .arg(stage.config_path())
            .output()
            .expect("the command runs");
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "the log does not verify: {said}");
        eprintln!(
            "{rounds} kills, {sent} sent, {} acknowledged, {legs} kept, none lost",
            acknowledged.len()
        );
    });
}

/// Sends until the gateway dies; what was acknowledged.
async fn load(la: Partner, counter: Arc<AtomicU32>) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    loop {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        let id = format!("K-{number}");
        let today = gateway::clock::Clock::today(&SystemClock);
        let child = people::child(number % 50);
        let message = people::request(&la.code, &id, &child, &["CAMHS"], today);
        match la.send(&id, &message).await {
            Ok(reply) if reply.status == 201 => acknowledged.push((id, message, reply.body)),
            Ok(reply) => assert_eq!(reply.status, 503, "{}", reply.text()),
            Err(_) => return acknowledged,
        }
    }
}

async fn count_legs(la: &Partner) -> usize {
    let mut count = 0;
    let mut cursor = String::new();
    loop {
        let page = la.get(&format!("/v1/board?limit=500{cursor}"), None).await;
        let page = page.expect("an answer").json();
        count += page["legs"].as_array().expect("legs").len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return count,
        }
    }
}
