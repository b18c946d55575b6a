//! A gateway on a restored backup releases nothing until its consent ledger has caught up.

use std::path::Path;

use gateway::audit::Actor;
use gateway::practice::people;
use gateway::restore;
use serde_json::{Value, json};
use tests::postgres::Cluster;
use tests::{Engine, TestGateway, each_engine};

/// Keeps a copy of the database beside it.
pub(super) fn back_up(engine: Engine, folder: &Path) {
    match engine {
        Engine::Sqlite => {
            std::fs::copy(folder.join("data/gateway.db"), folder.join("backup.db"))
                .expect("a copy");
        }
        Engine::Postgres => {
            let address = address(folder);
            let name = address.split(['/', '?']).find(|part| part.starts_with("test_"));
            let name = name.expect("a database of ours");
            let server = &Cluster::find().expect("a server").server;
            let copy = server.copy_database(name, &format!("{name}_copy")).expect("a copy");
            std::fs::write(folder.join("backup.url"), copy).expect("a file");
        }
    }
}

/// Puts the copy in the database's place.
pub(super) fn put_back(engine: Engine, folder: &Path) {
    match engine {
        Engine::Sqlite => {
            for journal in ["data/gateway.db-wal", "data/gateway.db-shm"] {
                drop(std::fs::remove_file(folder.join(journal)));
            }
            std::fs::copy(folder.join("backup.db"), folder.join("data/gateway.db"))
                .expect("a copy");
        }
        Engine::Postgres => {
            let copy = std::fs::read(folder.join("backup.url")).expect("a copy");
            std::fs::write(folder.join("keys/database.url"), copy).expect("the address");
        }
    }
}

fn address(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("keys/database.url")).expect("an address")
}

pub(super) async fn ready(gateway: &TestGateway) -> String {
    let answer = gateway.operator_page("/readyz").await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.0 200"), "it takes consent decisions: {head}");
    body.to_owned()
}

pub(super) async fn checkpoint(gateway: &TestGateway) -> String {
    let reply = gateway.la().get("/v1/audit/checkpoint", None).await.expect("an answer");
    assert_eq!(reply.status, 200);
    reply.text()
}

async fn show(gateway: &TestGateway, note: &str) -> Value {
    let la = gateway.la();
    let reply = la.post("/v1/audit/checkpoints", "text/plain", "show", note.to_owned()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn withdraw(gateway: &TestGateway) {
    let la = gateway.la();
    let message = people::withdrawal(&la.code, "W-1", &people::child(1), gateway.today());
    let reply = la.post("/v1/consents", "application/json", "w-1", message.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

async fn fetch(gateway: &TestGateway, leg: &str) -> (u16, String) {
    let reply = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn after_a_restore_nothing_goes_until_the_withdrawal_that_was_lost_is_sent_again() {
    each_engine("restore", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let other = gateway.request(2, "CAMHS").await;
        let engine = gateway.engine;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        assert_eq!(ready(&gateway).await, "ready\n");
        withdraw(&gateway).await;
        let kept = checkpoint(&gateway).await;

        // The disk fails; yesterday's backup comes back, and the withdrawal is forgotten.
        let gateway = gateway.restart_after(|folder| put_back(engine, folder)).await;
        let said = ready(&gateway).await;
        assert!(said.starts_with("held:"), "{said}");
        let held = (503, "held-after-restore".to_owned());
        assert_eq!(fetch(&gateway, &leg).await, held);
        assert_eq!(fetch(&gateway, &other).await, held);
        // A partner that is pushed to gets nothing either.
        gateway.cast.endpoint.open();
        let pushed = gateway.request(3, "SALT").await;
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        assert!(gateway.cast.endpoint.parcels().is_empty());
        let gateway = gateway.restart().await;
        assert!(ready(&gateway).await.starts_with("held:"), "a restart changes nothing");

        withdraw(&gateway).await;
        let standing = show(&gateway, &kept).await;
        assert_eq!(standing["held"], true);
        let lost = standing["lost_size"].as_u64().expect("a size");
        let app = gateway.cast.app();
        let wrong = restore::confirm(app, &Actor::local(), lost - 1, restore::REASONS[0]).await;
        assert!(wrong.is_err(), "another size than what is held is not confirmed");
        restore::confirm(app, &Actor::local(), lost, restore::REASONS[0]).await.expect("confirmed");

        assert_eq!(ready(&gateway).await, "ready\n");
        // What was not pushed before goes now: nothing but the hold was in its way.
        let endpoint = &gateway.cast.endpoint;
        endpoint.open();
        gateway.until("the push goes", || !endpoint.parcels().is_empty()).await;
        assert_eq!(endpoint.parcels()[0].0, pushed);
        assert_eq!(fetch(&gateway, &leg).await.0, 410, "the withdrawal holds");
        assert_eq!(fetch(&gateway, &other).await.0, 200, "the rest goes on");
        assert_eq!(show(&gateway, &kept).await["standing"], "lost-and-confirmed");
        let newest = checkpoint(&gateway).await;
        assert_eq!(show(&gateway, &newest).await["standing"], "known");
        let gateway = gateway.restart().await;
        assert_eq!(ready(&gateway).await, "ready\n");
        gateway.end().await;
    });
}

#[test]
fn a_checkpoint_that_a_partner_holds_finds_a_restore_that_the_file_does_not() {
    each_engine("restore_partner", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let engine = gateway.engine;
        let gateway = gateway.restart_after(|folder| back_up(engine, folder)).await;
        withdraw(&gateway).await;
        let kept = checkpoint(&gateway).await;
        // The file is lost with the database, and the log grows past what was lost before anybody
        // notices.
        let put = |folder: &Path| {
            put_back(engine, folder);
            std::fs::remove_file(folder.join("data/newest-checkpoint.txt")).expect("the file");
        };
        let gateway = gateway.restart_after(put).await;
        for number in 10..30 {
            gateway.request(number, "CAMHS").await;
        }
        assert_eq!(ready(&gateway).await, "ready\n");
        assert_eq!(show(&gateway, &kept).await["standing"], "not-known");
        assert_eq!(fetch(&gateway, &leg).await, (503, "held-after-restore".to_owned()));
        let forged = kept.replace("time ", "time 1");
        let la = gateway.la();
        let reply = la.post("/v1/audit/checkpoints", "text/plain", "show", forged).await;
        assert_eq!(reply.expect("an answer").status, 400, "only what we signed counts");
        let whose = json!({ "nhs_number": people::nhs_number(1) }).to_string();
        let reply = la.post("/v1/consents/find", "application/json", "look", whose).await;
        assert_eq!(reply.expect("an answer").status, 200);
        gateway.end().await;
    });
}
