//! The leak hunt: unlikely names planted everywhere, looked for everywhere they must not be.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::practice::{Plan, Stage, StorePlan, people};
use serde_json::json;
use tests::binary::Binary;
use tests::{Engine, TestGateway};

use super::hunt::{FAMILY, GIVEN, Hunt, STREET};

/// In files in which anything may look like a number, so only the child's own are looked for.
fn hunt(where_it_is: &str, bytes: &[u8], canaries: &[String]) {
    let hunt = Hunt::of(canaries.iter().cloned()).of_known_numbers_only();
    hunt.through(where_it_is, bytes);
}

pub(super) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn no_child_is_named_in_what_the_binary_logs_at_its_most_talkative() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::TempDir::new().expect("a folder");
        let clock = std::sync::Arc::new(gateway::clock::SystemClock);
        let plan = Plan { dir: folder.path().to_owned(), store: StorePlan::Sqlite, clock };
        let stage = Stage::set(plan).expect("a stage");
        let mut config = std::fs::read_to_string(stage.config_path()).expect("a file");
        config.push_str("\n[log]\nlevel = \"trace\"\njson = true\n");
        std::fs::write(stage.config_path(), config).expect("a file");
        let file = folder.path().join("log.jsonl");
        let log = std::fs::File::create(&file).expect("a file");
        let mut gateway = Binary::start(stage.config_path(), log.into());
        let la = stage.authority();
        gateway.wait_until_ready(&la).await;

        let today = gateway::clock::Clock::today(&gateway::clock::SystemClock);
        let mut child = people::child(4);
        child.family_name = FAMILY.to_owned();
        child.given_names = GIVEN.to_owned();
        let mut message = people::request(&la.code, "L-1", &child, &["CAMHS", "SALT"], today);
        assert_eq!(la.send("l-1", &message).await.expect("an answer").status, 201);
        message["subject"]["date_of_birth"] = json!(FAMILY);
        assert_eq!(la.send(FAMILY, &message).await.expect("an answer").status, 422);
        let broken = format!("{{\"{FAMILY}\": {GIVEN}");
        let reply = la.post("/v1/messages", "application/json", "l-3", broken).await;
        assert_eq!(reply.expect("an answer").status, 400);
        let reply = la.get(&format!("/v1/{FAMILY}?{GIVEN}={STREET}"), None).await;
        assert_eq!(reply.expect("an answer").status, 404);
        assert!(gateway.stop(), "it did not stop in good order");

        let log = std::fs::read(&file).expect("the log");
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains("/v1/messages"), "nothing was logged: {text}");
        let mut canaries = vec![FAMILY.to_owned(), GIVEN.to_owned(), STREET.to_owned()];
        canaries.push(child.nhs_number.clone());
        hunt("the log", &log, &canaries);
    });
}

#[test]
fn no_child_is_named_in_database_metrics_errors_or_audit_log() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let la = gateway.la();
        let mut child = people::child(4);
        child.family_name = FAMILY.to_owned();
        child.given_names = GIVEN.to_owned();
        let mut canaries = vec![FAMILY.to_owned(), GIVEN.to_owned(), STREET.to_owned()];
        canaries.push(child.nhs_number.clone());

        let mut message =
            people::request(&la.code, "L-1", &child, &["CAMHS", "SALT"], gateway.today());
        message["subject"]["address"] = json!(format!("1 {STREET} Lane"));
        let reply = la.send("l-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        hunt("a receipt", &reply.body, &canaries);
        message["subject"]["date_of_birth"] = json!(format!("{FAMILY} 2015"));
        message["id"] = json!("L-2");
        message[GIVEN] = json!(STREET);
        let reply = la.send("l-2", &message).await.expect("an answer");
        assert_eq!(reply.status, 422);
        hunt("a problem", &reply.body, &canaries);

        let mental = gateway.mental();
        let inbox = gateway.inbox(mental).await;
        let fetched = mental.get(&format!("/v1/inbox/{}", inbox[0]), None).await;
        assert!(fetched.expect("an answer").text().contains(FAMILY), "nothing was planted");
        let advice = people::advice(&mental.code, "L-3", &inbox[0], &child, gateway.today());
        let reply = mental.send("l-3", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.cast.wait_until_idle(std::time::Duration::from_secs(20)).await;

        let entries = la.get("/v1/audit/entries?limit=5000", None).await.expect("an answer");
        for line in entries.text().lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line");
            let leaf = STANDARD.decode(line["leaf"].as_str().expect("a leaf")).expect("base64");
            hunt("the audit log", &leaf, &canaries);
        }
        let metrics = gateway.cast.metrics();
        assert!(metrics.contains("http_server_request_duration_seconds"), "{metrics}");
        hunt("the metrics", metrics.as_bytes(), &canaries);
        // The database and its write-ahead log, while the gateway runs and the log is not folded in.
        for file in files(gateway.folder()) {
            let bytes = std::fs::read(&file).expect("a file");
            hunt(&file.display().to_string(), &bytes, &canaries);
        }
        gateway.end().await;
    });
}
