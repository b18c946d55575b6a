//! Nothing passes that the scanner has not looked at: with a real clamd, away and back again.

use gateway::documents::caretaker;
use gateway::practice::client::{Partner, Reply};
use gateway::practice::people;
use serde_json::{Value, json};
use tests::clamd::{Clamd, HARMFUL};
use tests::{TestGateway, each_engine};

const MIB: usize = 1024 * 1024;

fn pdf(size: usize, inside: &[u8]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.extend_from_slice(inside);
    bytes.resize(size.max(bytes.len()), b' ');
    bytes
}

async fn upload(partner: &Partner, key: &str, bytes: &[u8]) -> Value {
    let said = json!({ "size": bytes.len() }).to_string();
    let reply = partner.post("/v1/documents", "application/json", key, said).await;
    let id = reply.expect("an answer").json()["document"].as_str().expect("an id").to_owned();
    let reply = partner.append(&id, 0, bytes.to_vec()).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn state(partner: &Partner, stands: &Value) -> Value {
    let path = format!("/v1/documents/{}", stands["document"].as_str().expect("an id"));
    partner.get(&path, None).await.expect("an answer").json()["state"].clone()
}

fn rules(reply: &Reply) -> Vec<String> {
    let reply = reply.json();
    let issues = reply["issues"].as_array().expect("issues");
    issues.iter().map(|issue| issue["rule"].as_str().expect("a rule").to_owned()).collect()
}

/// Sends advice with these attachments.
async fn advise(gateway: &TestGateway, id: &str, leg: &str, attachments: Value) -> Reply {
    let trust = gateway.acute();
    let child = people::child(1);
    let mut advice = people::advice(&trust.code, id, leg, &child, gateway.today());
    advice["attachments"] = attachments;
    trust.send(id, &advice).await.expect("an answer")
}

fn inside(bytes: &[u8]) -> Value {
    use base64::Engine as _;
    let content = base64::engine::general_purpose::STANDARD.encode(bytes);
    json!([{ "name": "a.pdf", "media_type": "application/pdf", "content_base64": content }])
}

fn apart(stands: &Value) -> Value {
    json!([{ "name": "a.pdf", "document": stands["document"] }])
}

/// The same gateway with a scanner configured.
async fn with_scanner(gateway: TestGateway) -> TestGateway {
    let socket = gateway.folder().join("clamd.socket");
    let file = gateway.cast.config_path().to_owned();
    let settings = std::fs::read_to_string(&file).expect("a configuration");
    let scanner = format!("\n[documents]\nscanner = \"unix:{}\"\n", socket.display());
    std::fs::write(&file, settings + &scanner).expect("written");
    gateway.restart().await
}

#[test]
fn what_the_scanner_cannot_see_is_held_until_it_can_and_what_it_flags_for_good() {
    each_engine("scanner", |gateway| async move {
        let gateway = Box::pin(with_scanner(gateway)).await;
        let leg = gateway.request(1, "PAEDIATRICS").await;
        let trust = gateway.acute();

        let stored = upload(trust, "d-1", &pdf(2 * MIB, b"")).await;
        assert_eq!(stored["state"], "not-scanned");
        let held = advise(&gateway, "A-1", &leg, inside(&pdf(5000, b""))).await;
        assert_eq!((held.status, rules(&held)), (422, vec!["document-not-scanned".to_owned()]));
        let held = advise(&gateway, "A-2", &leg, apart(&stored)).await;
        assert_eq!((held.status, rules(&held)), (422, vec!["document-not-scanned".to_owned()]));
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!((round.not_scanned, round.retaken, round.waiting), (1, 0, 2));
        assert!(gateway.inbox(gateway.la()).await.is_empty(), "nothing passed");

        let Some(clamd) = Clamd::start(gateway.folder()) else { return gateway.end().await };
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!((round.not_scanned, round.retaken, round.waiting), (0, 2, 0));
        assert_eq!(state(trust, &stored).await, "ready");
        assert_eq!(gateway.inbox(gateway.la()).await.len(), 2, "both went on, once");
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!((round.inspected, round.retaken), (0, 0));

        let flagged = upload(trust, "d-2", &pdf(3 * MIB, HARMFUL)).await;
        assert_eq!(flagged["state"], "flagged");
        for attachments in [apart(&flagged), inside(&pdf(5000, HARMFUL))] {
            let id = format!("A-{}", attachments[0].get("document").is_some());
            let reply = advise(&gateway, &id, &leg, attachments).await;
            assert_eq!((reply.status, rules(&reply)), (422, vec!["document-flagged".to_owned()]));
        }

        // More than this scanner takes: never looked at, so never passed.
        let large = upload(trust, "d-3", &pdf(9 * MIB, b"")).await;
        assert_eq!(large["state"], "not-scanned");
        let held = advise(&gateway, "A-3", &leg, apart(&large)).await;
        assert_eq!(rules(&held), ["document-not-scanned"]);
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!((round.not_scanned, round.retaken, round.waiting), (1, 0, 1));
        assert_eq!(gateway.inbox(gateway.la()).await.len(), 2);
        drop(clamd);
        gateway.end().await;
    });
}

#[test]
fn an_upload_that_is_left_alone_is_given_up_and_nothing_stays_of_it() {
    each_engine("documents_abandoned", |gateway| async move {
        let trust = gateway.acute();
        let said = json!({ "size": 3 * MIB }).to_string();
        let reply = trust.post("/v1/documents", "application/json", "d-1", said).await;
        let stands = reply.expect("an answer").json();
        let id = stands["document"].as_str().expect("an id");
        trust.append(id, 0, pdf(2 * MIB, b"")).await.expect("an answer");
        let kept = gateway.folder().join("data/documents").join(id);
        assert!(kept.is_dir());
        gateway.clock.advance(jiff::SignedDuration::from_hours(47));
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!(round.abandoned, 0);
        gateway.clock.advance(jiff::SignedDuration::from_hours(2));
        let round = caretaker::round(gateway.cast.app()).await.expect("a round");
        assert_eq!(round.abandoned, 1);
        assert!(!kept.exists());
        assert_eq!(state(trust, &stands).await, "abandoned");
        let late = trust.append(id, 2 * 1024 * 1024, pdf(MIB, b"")).await.expect("an answer");
        assert_eq!(late.status, 409);
        gateway.end().await;
    });
}
