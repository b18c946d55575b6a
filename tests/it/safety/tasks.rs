//! Every task that the gateway runs beside requests, and which kinds of entries it was seen to leave.
//!
//! The table is `tasks.txt`: a task with `=` was seen to leave these kinds, one with `:` leaves none of its
//! own, for the reason said. A task that is new, or leaves something else, fails here until somebody
//! has looked at its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use adapters::mesh::WorkflowId;
use gateway::audit::{Actor, Entry};
use gateway::clock::Clock;
use gateway::documents::caretaker;
use gateway::practice::folders::Folders;
use gateway::practice::mllp::document;
use gateway::practice::people::{self, Row};
use gateway::practice::{Behaviour, Stage, Trust};
use jiff::SignedDuration;
use serde_json::json;
use tests::mailboxes::{eventually, one_by_mesh};
use tests::{Engine, TestGateway, text};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/safety/tasks.txt");
const SOON: Duration = Duration::from_secs(20);

/// What each task was seen to leave.
type Seen = BTreeMap<&'static str, BTreeSet<String>>;

#[test]
fn every_task_beside_requests_leaves_the_entries_that_its_line_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let seen = runtime.block_on(async {
        let mut seen = Seen::new();
        Box::pin(in_one_world(&mut seen)).await;
        Box::pin(by_mesh(&mut seen)).await;
        seen
    });
    let (golden, mut table) = (std::fs::read_to_string(GOLDEN).expect("a table"), String::new());
    for task in spawned() {
        let reason = golden.lines().find_map(|line| line.strip_prefix(&format!("{task}: ")));
        match (seen.get(task.as_str()), reason) {
            (Some(kinds), _) => {
                let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                writeln!(table, "{task} = {}", kinds.join(" ")).expect("room");
            }
            (None, Some(reason)) => writeln!(table, "{task}: {reason}").expect("room"),
            (None, None) => writeln!(table, "{task} WAS NOT SEEN").expect("room"),
        }
    }
    assert_eq!(
        table.trim_end(),
        golden.trim_end(),
        "look at every line that changed, then put it in tasks.txt:\n{table}"
    );
}

/// The tasks that are begun, by what each runs; one that has no name of its own by its place.
fn spawned() -> Vec<String> {
    let serving = include_str!("../../../gateway/src/serving.rs");
    let begun = serving.lines().filter_map(|line| line.trim().strip_prefix("tasks.spawn("));
    let mut found: Vec<String> = Vec::new();
    for rest in begun {
        let name = rest.split(['(', '\n']).next().unwrap_or_default().trim();
        let name = if name == "async move {" { LISTENERS[found.len()] } else { name };
        found.push(name.to_owned());
    }
    found.sort();
    found
}

/// The tasks that have no name of their own; they are begun first.
const LISTENERS: [&str; 2] = ["the partners' listener", "the operator's listener"];

async fn size(gateway: &TestGateway) -> u64 {
    gateway.cast.app().log_size().await.expect("a size")
}

/// The kinds of the entries from here on by whoever is meant.
async fn kinds(
    gateway: &TestGateway,
    before: u64,
    by: impl Fn(&Actor) -> bool,
) -> BTreeSet<String> {
    let rows = gateway.cast.app().store.audit_rows(before, 5_000).await.expect("rows");
    let entries = rows.iter().map(|row| Entry::parse(&row.leaf).expect("an entry").event);
    let meant = entries.filter(|event| by(&event.actor));
    meant.map(|event| text(&json!(event.kind))).collect()
}

/// What the gateway left by itself from here on. The worker goes on meanwhile: what it leaves is its own.
async fn beside_the_worker(gateway: &TestGateway, before: u64, seen: &Seen) -> BTreeSet<String> {
    let left = kinds(gateway, before, is_gateway).await;
    left.difference(&seen["worker::run"]).cloned().collect()
}

fn is_gateway(actor: &Actor) -> bool {
    *actor == Actor::gateway()
}

/// The local authority exchanges files, and a second place for the log does not answer.
async fn prepare(stage: &Stage, _: Arc<dyn Clock>) -> Folders {
    let file = stage.config_path();
    let before = std::fs::read_to_string(file).expect("a configuration");
    let sink = "\n[[audit.sinks]]\nname = \"soc\"\nkind = \"syslog\"\naddress = \"127.0.0.1:1\"\n";
    std::fs::write(file, before + sink).expect("written");
    stage.exchange_folders("334", Format::Csv).expect("folders")
}

async fn in_one_world(seen: &mut Seen) {
    let (gateway, folders) = TestGateway::prepared(Engine::Sqlite, None, &prepare).await;
    // Nothing else goes on: the log says that a sink does not answer, and nothing more.
    let told = async || kinds(&gateway, 0, is_gateway).await.contains("sink.changed");
    while !told().await {
        gateway.clock.advance(SignedDuration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let started = ["gateway.started".to_owned()].into();
    let by_sinks = kinds(&gateway, 0, is_gateway).await;
    seen.insert("sinks::follow", by_sinks.difference(&started).cloned().collect());

    let before = size(&gateway).await;
    folders
        .leave(
            "export.csv",
            people::extract(&[Row::new(1, "PAEDIATRICS")], gateway.today()).as_bytes(),
        )
        .expect("left");
    gateway.until("a report", || folders.report("export.csv").is_some()).await;
    let of = |actor: &Actor| actor.method == "folder";
    seen.insert("intake::folder::run", kinds(&gateway, before, of).await);

    // What was asked for is answered; the worker puts the answer into the folder, and pushes elsewhere.
    // One attempt is put off, because the recipient is busy.
    let before = size(&gateway).await;
    gateway.cast.endpoint.behave(Behaviour::Unavailable);
    gateway.request(2, "SALT").await;
    let report = folders.report("export.csv").expect("a report");
    let leg = report.rows[0].legs[0].leg.to_string();
    answer(&gateway, &leg).await;
    let arrived = || folders.arrived().expect("a folder");
    let both = async || {
        let left = kinds(&gateway, before, is_gateway).await;
        left.contains("delivery.deferred") && left.contains("delivery.delivered")
    };
    assert!(eventually(both).await, "one is put off and one arrives");
    gateway.cast.endpoint.behave(Behaviour::Take);
    gateway.clock.advance(SignedDuration::from_hours(1));
    gateway.cast.wait_until_idle(SOON).await;
    seen.insert("worker::run", kinds(&gateway, before, is_gateway).await);

    let before = size(&gateway).await;
    folders.acknowledge(arrived()[0].1.delivery, None).expect("left");
    let done = folders.import.join("acknowledgements/done");
    let done = done.join(format!("{}.accepted", arrived()[0].1.delivery));
    gateway.until("an acknowledgement", || done.exists()).await;
    let by = |actor: &Actor| actor.method == "folder";
    seen.insert("intake::acknowledgements::run", kinds(&gateway, before, by).await);
    at_the_edges(&gateway, seen).await;
    by_itself(&gateway, seen).await;
    gateway.end().await;
}

async fn answer(gateway: &TestGateway, leg: &str) {
    let (trust, child) = (gateway.acute(), people::child(1));
    let advice = people::advice(&trust.code, "A-1", leg, &child, gateway.today());
    let reply = trust.send("a-1", &advice).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// What comes in by another door, changed trust, and who does not get in.
async fn at_the_edges(gateway: &TestGateway, seen: &mut Seen) {
    let leg = gateway.request(3, "CAMHS").await;
    let changed = gateway.cast.change_partner("RXT", |partner| {
        let words = "constants = { \"advice.author_profession\" = \"Clinical psychologist\" }";
        partner.feed = toml::from_str(words).expect("a feed");
    });
    let before = size(gateway).await;
    changed.await.expect("the partner is changed");
    // Trust is changed by whoever keeps the machine.
    let by = |actor: &Actor| actor.method == "local";
    seen.insert("watch_trust", kinds(gateway, before, by).await);

    let before = size(gateway).await;
    let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
    let today = gateway.today();
    let answer = document("RXT", "DOC-1", Some(&leg), &people::child(3), today);
    let taken = trust.send(answer.as_bytes()).await.expect("an acknowledgement");
    assert!(taken.contains("MSA|CA|"), "{taken}");
    let stranger = document("RXT", "DOC-2", None, &people::child(30), today);
    let refused = trust.send(stranger.as_bytes()).await.expect("an acknowledgement");
    assert!(!refused.contains("MSA|CA|"), "{refused}");
    let by = |actor: &Actor| actor.organisation == "RXT";
    seen.insert("intake::mllp::serve", kinds(gateway, before, by).await);
    gateway.cast.wait_until_idle(SOON).await;

    let before = size(gateway).await;
    let (_, villain) = gateway.cast.villains().remove(0);
    assert!(villain.get("/v1/whoami", None).await.is_err(), "a villain was answered");
    let told = async || !beside_the_worker(gateway, before, seen).await.is_empty();
    assert!(eventually(told).await, "a refused connection is in the log within ten seconds");
    seen.insert("write_down_refusals", beside_the_worker(gateway, before, seen).await);
}

/// What two of the tasks do each minute, without the wait.
async fn by_itself(gateway: &TestGateway, seen: &mut Seen) {
    let app = gateway.cast.app();
    let (said, trust) = (json!({ "size": 9_000 }).to_string(), gateway.mental());
    let begun = trust.post("/v1/documents", "application/json", "d-1", said).await;
    assert!(begun.expect("an answer").status < 300);
    gateway.clock.advance(SignedDuration::from_hours(50));
    let before = size(gateway).await;
    caretaker::round(app).await.expect("a round");
    seen.insert("caretaker::run", beside_the_worker(gateway, before, seen).await);

    gateway.held(4).await;
    gateway.clock.advance(SignedDuration::from_hours(8 * 24));
    let before = size(gateway).await;
    gateway::duties::run_due(app).await.expect("the duties are done");
    seen.insert("do_duties", beside_the_worker(gateway, before, seen).await);
}

async fn by_mesh(seen: &mut Seen) {
    let (gateway, mesh) = one_by_mesh(Trust::Mental).await;
    let leg = gateway.request(1, "CAMHS").await;
    mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
    let before = size(&gateway).await;
    let advice = people::advice("RXT", "A-1", &leg, &people::child(1), gateway.today());
    let answers = WorkflowId::parse("EHC_ADVICE_RESP").expect("a workflow");
    let body = advice.to_string();
    let sent = mesh.trust.send(&answers, "A-1", "application/json", body.as_bytes()).await;
    sent.expect("it is taken");
    assert!(eventually(async || !gateway.inbox(gateway.la()).await.is_empty()).await);
    let by = |actor: &Actor| actor.method == "mesh";
    seen.insert("intake::mesh::run", kinds(&gateway, before, by).await);
    gateway.end().await;
    mesh.server.close().await;
}
