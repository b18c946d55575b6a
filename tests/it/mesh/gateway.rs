//! A whole gateway with a mailbox: what it keeps, what it leaves, and what it never does twice.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use adapters::mesh::{MeshMessageId, WorkflowId};
use gateway::clock::{Clock, SystemClock};
use gateway::practice::mailbox::Mood;
use gateway::practice::{Plan, Stage, StorePlan, Trust, people};
use jiff::SignedDuration;
use tempfile::TempDir;
use tests::binary::Binary;
use tests::mailboxes::{each_engine_by_mesh, eventually, one_by_mesh};
use tests::{TestGateway, each_engine};

const SOON: Duration = Duration::from_secs(20);

fn workflow(id: &str) -> WorkflowId {
    WorkflowId::parse(id).expect("a workflow id")
}

async fn delivery_of(gateway: &TestGateway) -> String {
    gateway.board(gateway.la()).await[0]["delivery"].as_str().expect("a state").to_owned()
}

#[test]
fn a_lost_answer_to_the_first_post_is_for_a_person_and_never_a_second_post() {
    each_engine_by_mesh("mesh_unknown", Trust::Mental, |gateway, mesh| async move {
        mesh.server.feel(Mood::LoseFirstAnswers);
        let leg = gateway.request(1, "CAMHS").await;
        assert!(eventually(async || delivery_of(&gateway).await == "unknown").await);
        mesh.server.feel(Mood::Well);
        gateway.clock.advance(SignedDuration::from_mins(90));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(mesh.server.taken(), 1, "no second POST");
        assert_eq!(delivery_of(&gateway).await, "unknown");

        // It had arrived; the trust says so, and the person need not ask.
        let asked = mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
        assert_eq!(asked.headers.local_id.as_deref(), Some(leg.as_str()));
        let sent = mesh.trust.send_receipt("RXT", &asked.headers, "accepted", None).await;
        sent.expect("it is taken");
        assert!(eventually(async || delivery_of(&gateway).await == "accepted").await);
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn a_busy_server_is_tried_again_with_one_message_in_the_end() {
    each_engine_by_mesh("mesh_busy", Trust::Mental, |gateway, mesh| async move {
        mesh.server.feel(Mood::Busy(10));
        gateway.request(2, "CAMHS").await;
        let (app, clock) = (gateway.cast.app(), Arc::clone(&gateway.clock));
        let arrived = eventually(async || {
            // Time passes between attempts only: a lease that lapsed under one would end them.
            let under_way = app.store.pushes_under_way(app.clock.now()).await;
            if under_way.expect("a count") == 0 {
                clock.advance(SignedDuration::from_secs(5));
            }
            mesh.server.taken() == 1
        });
        assert!(arrived.await, "it is tried until it is taken");
        assert!(eventually(async || delivery_of(&gateway).await == "delivered").await);
        assert_eq!(mesh.server.taken(), 1);
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn a_stop_between_commit_and_acknowledgement_makes_no_second_record() {
    each_engine_by_mesh("mesh_crash", Trust::Mental, |gateway, mesh| async move {
        let leg = gateway.request(3, "CAMHS").await;
        mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
        mesh.server.feel(Mood::NoAcknowledgements);
        let advice = people::advice("RXT", "A-3", &leg, &people::child(3), gateway.today());
        let body = advice.to_string();
        let answers = workflow("EHC_ADVICE_RESP");
        let sent = mesh.trust.send(&answers, "A-3", "application/json", body.as_bytes()).await;
        sent.expect("it is taken");
        assert!(eventually(async || mesh.server.acknowledgements() > 1).await);
        assert_eq!(gateway.inbox(gateway.la()).await.len(), 1, "kept before MESH is told");
        let gateway = gateway.restart().await;
        let before = mesh.server.acknowledgements();
        assert!(eventually(async || mesh.server.acknowledgements() > before).await);
        mesh.server.feel(Mood::Well);
        let ours = &mesh.gateway_mailbox;
        assert!(eventually(async || mesh.server.waiting(ours).is_empty()).await);
        assert_eq!(gateway.inbox(gateway.la()).await.len(), 1, "no second record");
        let mut receipts: Vec<String> = mesh
            .server
            .local_ids(&mesh.trust_mailbox)
            .into_iter()
            .filter(|id| id.starts_with("ack-"))
            .collect();
        assert!(receipts.len() > 1, "the receipt may go again");
        receipts.dedup();
        assert_eq!(receipts.len(), 1, "with the same local id and the same answer");
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn what_cannot_be_kept_is_left_and_nothing_waits_behind_it() {
    each_engine_by_mesh("mesh_left", Trust::Mental, |gateway, mesh| async move {
        let leg = gateway.request(4, "CAMHS").await;
        mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
        let (json, answers) = ("application/json", workflow("EHC_ADVICE_RESP"));
        let send = async |body: &[u8], local: &str| -> MeshMessageId {
            mesh.trust.send(&answers, local, json, body).await.expect("it is taken")
        };
        let advice = people::advice("RXT", "A-4", &leg, &people::child(4), gateway.today());
        // Damaged in transport: the compression's own check, or the checksum, finds it.
        let damaged = send(b"{\"type\":\"advice.response\"}", "damaged").await;
        mesh.server.damage(&damaged);
        let broken = send(b"{ this is not JSON", "broken").await;
        send(advice.to_string().as_bytes(), "A-4").await;
        let la = gateway.la();
        assert!(eventually(async || gateway.board(la).await[0]["state"] == "answered").await);
        let ours = &mesh.gateway_mailbox;
        let left = eventually(async || !mesh.server.waiting(ours).contains(&broken)).await;
        assert!(left, "what is quarantined is kept, so it is acknowledged");
        let waiting = mesh.server.waiting(ours);
        assert!(waiting.is_empty() || waiting == [damaged], "{waiting:?}");
        let metrics = gateway.cast.metrics();
        assert!(metrics.contains("ehc_mesh_messages_total{outcome=\"taken\"}"), "{metrics}");
        let rejected = eventually(async || {
            let letter = mesh.trust.collect(Duration::from_millis(100)).await.expect("an answer");
            letter.is_some_and(|letter| {
                let text = String::from_utf8_lossy(&letter.body).into_owned();
                text.contains("\"about\":\"broken\"") && text.contains("\"rejected\"")
            })
        });
        assert!(rejected.await, "the sender is told");
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn a_report_marks_the_delivery_as_failed_with_its_code() {
    each_engine_by_mesh("mesh_report", Trust::Mental, |gateway, mesh| async move {
        gateway.request(5, "CAMHS").await;
        assert!(eventually(async || delivery_of(&gateway).await == "delivered").await);
        let sent = mesh.server.waiting(&mesh.trust_mailbox);
        let report = mesh.server.report(&sent[0], "14").expect("a report");
        assert!(eventually(async || delivery_of(&gateway).await == "failed").await);
        let ours = &mesh.gateway_mailbox;
        assert!(eventually(async || !mesh.server.waiting(ours).contains(&report)).await);
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn a_worker_killed_while_it_waits_for_the_first_answer_leaves_it_to_a_person() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = TempDir::new().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let dir = folder.path().to_owned();
        let stage = Stage::set(Plan { dir, store: StorePlan::Sqlite, clock: Arc::clone(&clock) });
        let stage = stage.expect("a stage");
        let mesh = stage.open_mesh(Trust::Mental, clock).await.expect("a practice MESH");
        let config = stage.config_path();
        let text = std::fs::read_to_string(config).expect("the configuration");
        let quick = "[delivery]\nconnect_timeout_seconds = 1\nsend_timeout_seconds = 8\n\
                     lease_seconds = 10\n";
        std::fs::write(config, format!("{text}\n{quick}")).expect("written");
        let la = stage.authority();
        mesh.server.feel(Mood::HoldFirstAnswers);
        let mut gateway = Binary::start(config, Stdio::null());
        gateway.wait_until_ready(&la).await;
        let today = Clock::today(&SystemClock);
        let message = people::request(&la.code, "AR-6", &people::child(6), &["CAMHS"], today);
        let reply = la.send("AR-6", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(eventually(async || mesh.server.taken() == 1).await);
        gateway.kill();
        mesh.server.feel(Mood::Well);
        let mut gateway = Binary::start(config, Stdio::null());
        gateway.wait_until_ready(&la).await;
        let state = async || {
            let board = la.get("/v1/board", None).await.expect("an answer").json();
            board["legs"][0]["delivery"].as_str().expect("a state").to_owned()
        };
        assert!(eventually(async || state().await == "unknown").await, "{}", state().await);
        assert_eq!(mesh.server.taken(), 1, "no second POST");
        gateway.kill();
        mesh.server.close().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_nobody_configured_is_not_acknowledged() {
    let (gateway, mesh) = one_by_mesh(Trust::Mental).await;
    let file = gateway.folder().join("partners.toml");
    let text = std::fs::read_to_string(&file).expect("the partners");
    assert!(text.contains("X26ABC2"), "{text}");
    let other = text.replace("X26ABC2", "X26OTHER");
    let beside = file.with_extension("new");
    std::fs::write(&beside, other).expect("written");
    std::fs::rename(&beside, &file).expect("renamed");
    let known = || gateway.cast.app().peers.partners().by_mailbox(&mesh.trust_mailbox).is_some();
    assert!(eventually(async || !known()).await, "the partners are read again");
    let answers = workflow("EHC_ADVICE_RESP");
    let sent = mesh.trust.send(&answers, "S-1", "application/json", b"{}").await;
    let sent = sent.expect("it is taken");
    let metric = "ehc_mesh_messages_total{outcome=\"unknown-sender\"} 1";
    assert!(eventually(async || gateway.cast.metrics().contains(metric)).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(mesh.server.waiting(&mesh.gateway_mailbox), [sent], "it stays at MESH");
    assert!(gateway.cast.metrics().contains(metric), "and is passed over for an hour");
    gateway.end().await;
    mesh.server.close().await;
}

#[test]
fn a_gateway_without_a_mailbox_polls_nothing() {
    each_engine("mesh_none", |gateway| async move {
        assert!(gateway.cast.app().config.mesh.is_none());
        assert!(!gateway.cast.metrics().contains("ehc_mesh_messages_total{"));
        gateway.end().await;
    });
}
