//! A request goes out as FHIR and as JSON; the advice comes back with its document.

use gateway::practice::people;
use serde_json::json;
use tests::{each_engine, peers};

#[test]
fn a_request_is_collected_as_fhir_and_answered_with_a_document() {
    each_engine("advice_fhir", |gateway| async move {
        let leg = gateway.request(1, "PAEDIATRICS").await;
        let trust = gateway.acute();
        assert_eq!(gateway.inbox(trust).await, vec![leg.clone()]);

        let path = format!("/v1/inbox/{leg}");
        let bundle = trust.get(&path, Some("application/fhir+json")).await.expect("an answer");
        assert_eq!(bundle.status, 200, "{}", bundle.text());
        peers::must_take(&["fhir"], &bundle.text());
        let text = bundle.text();
        for kind in ["MessageHeader", "Task", "ServiceRequest", "Patient", "Organization"] {
            assert!(text.contains(&format!("\"{kind}\"")), "no {kind}");
        }

        let ack = json!({ "outcome": "accepted" }).to_string();
        let path = format!("{path}/acknowledgement");
        let reply = trust.post(&path, "application/json", "ack-1", ack).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "accepted");

        let child = people::child(1);
        let advice = people::advice_fhir(&trust.code, "A-1", &leg, &child, gateway.today());
        let media = "application/fhir+json";
        let reply = trust.post("/v1/messages", media, "a-1", advice.to_string()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        let la = gateway.la();
        let inbox = gateway.inbox(la).await;
        assert_eq!(inbox.len(), 1);
        let path = format!("/v1/inbox/{}", inbox[0]);
        let answer = la.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(answer.json()["type"], "advice.response");
        assert_eq!(answer.json()["leg"], leg.as_str());
        let table = la.get(&path, Some("text/csv")).await.expect("an answer");
        assert!(table.text().starts_with('\u{feff}'), "Excel needs the mark");
        assert!(table.text().contains(&leg));
        let document = la.get(&format!("{path}/documents/1"), None).await.expect("an answer");
        assert_eq!(document.media_type, "application/pdf");
        assert_eq!(document.body, people::pdf());
        let missing = la.get(&format!("{path}/documents/2"), None).await.expect("an answer");
        assert_eq!(missing.status, 404);

        let board = gateway.board(la).await;
        assert_eq!(board[0]["state"], "answered");
        assert_eq!(board[0]["answered_late"], false);
        gateway.end().await;
    });
}

#[test]
fn a_request_is_collected_as_json_and_answered_with_nil() {
    each_engine("advice_nil", |gateway| async move {
        let leg = gateway.request(2, "CAMHS").await;
        let trust = gateway.mental();
        let path = format!("/v1/inbox/{leg}");
        let message = trust.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(message.json()["type"], "advice.request");
        assert_eq!(message.json()["subject"]["nhs_number"], people::nhs_number(2));
        let nil = people::nil(&trust.code, "N-1", &leg, &people::child(2));
        let reply = trust.send("n-1", &nil).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let board = gateway.board(gateway.la()).await;
        assert_eq!(board[0]["state"], "nil");
        assert!(board[0].get("days_left").is_none(), "the clock stopped");
        gateway.end().await;
    });
}

#[test]
fn the_description_of_the_api_is_valid_and_names_every_route() {
    let description = gateway::api::openapi_document();
    peers::must_take(&["openapi"], &description.to_string());
    let file = include_str!("../../../schemas/api/openapi.json");
    let written: serde_json::Value = serde_json::from_str(file).expect("JSON");
    assert_eq!(
        written, description,
        "write it again: cargo run -- openapi > schemas/api/openapi.json"
    );
    for route in gateway::api::ROUTES {
        let path = route.path.replace("{*", "{");
        let operation = &description["paths"][path.as_str()][route.method.to_lowercase()];
        assert_eq!(operation["summary"], route.summary, "{} {}", route.method, route.path);
    }
}

#[test]
fn a_receipt_and_a_checkpoint_verify_with_software_we_did_not_write() {
    each_engine("receipt", |gateway| async move {
        let la = gateway.la();
        let message =
            people::request(&la.code, "R-1", &people::child(3), &["SALT"], gateway.today());
        let reply = la.send("r-1", &message).await.expect("an answer").json();
        let keys = la.get("/v1/audit/keys", None).await.expect("an answer").json();
        let jws = reply["receipt"].as_str().expect("a receipt");
        peers::must_take(&["receipt", &keys["receipts"].to_string()], jws);
        let note = la.get("/v1/audit/checkpoint", None).await.expect("an answer").text();
        let vkey = keys["log"].as_str().expect("a key");
        peers::must_take(&["checkpoint", vkey], &note);
        gateway.end().await;
    });
}
