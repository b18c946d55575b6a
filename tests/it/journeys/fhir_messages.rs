//! `$process-message`, both ways: a request out, advice in, and the two levels of acknowledgement.

use std::time::Duration;

use adapters::Format;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::practice::client::Reply;
use gateway::practice::{Behaviour, people};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, peers};

const FHIR: &str = "application/fhir+json; fhirVersion=4.0";

/// The response message in an answer: a peer takes it, and it is about this message.
fn response(reply: &Reply, about: &str) -> Value {
    peers::must_take(&["fhir"], &reply.text());
    assert_eq!(reply.media_type, "application/fhir+json", "{}", reply.text());
    let bundle = reply.json();
    assert_eq!(bundle["type"], "message");
    let response = bundle["entry"][0]["resource"]["response"].clone();
    assert_eq!(response["identifier"], about, "{bundle}");
    assert_eq!(response["details"]["reference"], bundle["entry"][1]["fullUrl"]);
    response
}

/// The Bundle in which a trust answers a request, and the id of its header.
fn advice(gateway: &TestGateway, id: &str, leg: &str, child: u32) -> (Value, String) {
    let child = people::child(child);
    let code = &gateway.community().code;
    let bundle = people::advice_fhir(code, id, leg, &child, gateway.today());
    let header = bundle["entry"][0]["resource"]["id"].as_str().expect("an id").to_owned();
    (bundle, header)
}

#[test]
fn a_request_goes_out_by_fhir_message_and_advice_and_acknowledgement_come_back() {
    each_engine("fhir_messages", |gateway| async move {
        let gateway = gateway.with_fhir_messages(Format::Fhir).await;
        let endpoint = &gateway.cast.endpoint;
        endpoint.behave(Behaviour::Unavailable);
        let leg = gateway.request(1, "SALT").await;
        endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
        endpoint.behave(Behaviour::Take);
        gateway.clock.advance(SignedDuration::from_mins(5));
        let parcels = endpoint.wait_for(1, Duration::from_secs(20)).await;
        assert_eq!(parcels.len(), 1, "a transient error is tried again");
        assert_eq!(parcels[0].0, leg, "the header's id is the delivery's");
        peers::must_take(&["fhir"], &parcels[0].1);
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "delivered");

        let trust = gateway.community();
        let received = json!({
            "resourceType": "Bundle", "id": "ack-1", "type": "message",
            "identifier": { "system": "urn:ehc-gateway:message-id", "value": "BA-1" },
            "entry": [{ "fullUrl": "urn:uuid:5b1d0f66-9d55-4ed3-9b51-4a8d2c2c9e01", "resource": {
                "resourceType": "MessageHeader",
                "id": "5b1d0f66-9d55-4ed3-9b51-4a8d2c2c9e01",
                "eventCoding": { "system": "urn:ehc-gateway:message-event", "code": "ack.business" },
                "source": { "endpoint": "urn:ehc-gateway:organisation:RYW" },
                "destination": [{ "endpoint": "urn:ehc-gateway:organisation:334" }],
                "response": { "identifier": leg, "code": "ok" },
            } }],
        });
        let reply = trust.process_message(FHIR, &[], received.to_string()).await.expect("answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let said = response(&reply, "5b1d0f66-9d55-4ed3-9b51-4a8d2c2c9e01");
        assert_eq!(said["code"], "ok");
        let board = gateway.board(gateway.la()).await;
        assert_eq!(board[0]["delivery"], "accepted", "the business level reached the delivery");
        assert_eq!(board[0]["state"], "accepted");

        let (bundle, header) = advice(&gateway, "FA-1", &leg, 1);
        let ids = [
            ("x-request-id", "c1ab3fba-6bae-4ba4-b257-5a87c44d4a91"),
            ("x-correlation-id", "9562466f-c982-4bd5-bb0e-255e9f5e6689"),
        ];
        let reply = trust.process_message(FHIR, &ids, bundle.to_string()).await.expect("answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(response(&reply, &header)["code"], "ok");
        for (name, value) in ids {
            assert_eq!(reply.header(name), Some(value));
        }
        assert!(reply.header("ehc-reference").is_some_and(|ours| ours.len() == 36));
        let receipt = reply.json()["entry"][2]["resource"]["data"].clone();
        let receipt = STANDARD.decode(receipt.as_str().expect("data")).expect("base64");
        let keys = trust.get("/v1/audit/keys", None).await.expect("an answer").json();
        let jws = String::from_utf8(receipt).expect("text");
        peers::must_take(&["receipt", &keys["receipts"].to_string()], &jws);

        let again = trust.process_message(FHIR, &[], bundle.to_string()).await.expect("answer");
        assert!(again.replayed, "the same message again gets the same answer");
        assert_eq!(again.text(), reply.text());
        let board = gateway.board(gateway.la()).await;
        assert_eq!(board[0]["state"], "answered");
        assert_eq!(
            gateway.inbox(gateway.la()).await.len(),
            2,
            "the acknowledgement and the advice"
        );
        gateway.end().await;
    });
}

#[test]
fn only_a_response_about_this_message_counts_as_delivered() {
    each_engine("fhir_answers", |gateway| async move {
        let gateway = gateway.with_fhir_messages(Format::Fhir).await;
        let endpoint = &gateway.cast.endpoint;
        for (number, behaviour, state) in [
            (1, Behaviour::Refuse, "failed"),
            (2, Behaviour::AnswerAboutAnother, "queued"),
            (3, Behaviour::AnswerNonsense, "queued"),
            (4, Behaviour::TakeAndFail, "queued"),
        ] {
            endpoint.behave(behaviour);
            let before = endpoint.attempts();
            let leg = gateway.request(number, "SALT").await;
            endpoint.wait_for_attempts(before + 1, Duration::from_secs(20)).await;
            gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
            let board = gateway.board(gateway.la()).await;
            let line = board.iter().find(|line| line["leg"] == leg.as_str()).expect("a line");
            assert_eq!(line["delivery"], state, "{behaviour:?}");
        }
        gateway.end().await;
    });
}

#[test]
fn a_bad_bundle_gets_a_fatal_error_that_names_rule_and_place() {
    each_engine("fhir_bad", |gateway| async move {
        let leg = gateway.request(2, "SALT").await;
        let trust = gateway.community();
        let (mut bundle, header) = advice(&gateway, "FB-1", &leg, 2);
        bundle["entry"][1]["resource"]["status"] = json!("cancelled");
        bundle["entry"][2]["resource"]["name"][0]["family"] = json!("Zyxquorn");
        let reply = trust.process_message(FHIR, &[], bundle.to_string()).await.expect("answer");
        assert_eq!(reply.status, 422, "{}", reply.text());
        assert_eq!(response(&reply, &header)["code"], "fatal-error");
        let text = reply.text();
        assert!(!text.contains("Zyxquorn"), "{text}");
        let outcome = &reply.json()["entry"][1]["resource"];
        let issue = &outcome["issue"][0];
        assert_eq!(issue["expression"][0], "Bundle.entry[1].resource.status", "{outcome}");
        let codes = &issue["details"]["coding"];
        assert_eq!(codes[0]["code"], "SEND_UNPROCESSABLE_ENTITY", "{outcome}");
        assert_eq!(reply.json()["entry"][2]["resource"]["contentType"], "application/jose");

        let cut = bundle.to_string();
        let cut = cut.get(..cut.len() - 40).expect("shorter");
        let id = [("x-request-id", "c1ab3fba-6bae-4ba4-b257-5a87c44d4a92")];
        let reply = trust.process_message(FHIR, &id, cut).await.expect("answer");
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(response(&reply, "c1ab3fba-6bae-4ba4-b257-5a87c44d4a92")["code"], "fatal-error");
        assert_ne!(gateway.board(gateway.la()).await[0]["state"], "answered");
        gateway.end().await;
    });
}

#[test]
fn every_error_of_the_fhir_routes_is_an_operation_outcome() {
    each_engine("fhir_errors", |gateway| async move {
        let trust = gateway.community();
        let outcome = |reply: &Reply, status: u16, code: &str| {
            assert_eq!(reply.status, status, "{}", reply.text());
            peers::must_take(&["fhir"], &reply.text());
            let outcome = reply.json();
            assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
            assert_eq!(outcome["issue"][0]["details"]["coding"][0]["code"], code, "{outcome}");
        };
        let reply = trust.get("/fhir/Patient/1", None).await.expect("an answer");
        outcome(&reply, 404, "SEND_NOT_FOUND");
        let reply = trust.get("/fhir/metadata", Some("text/csv")).await.expect("an answer");
        outcome(&reply, 406, "SEND_NOT_ACCEPTABLE");
        let reply = trust.process_message("text/csv", &[], "a,b").await.expect("an answer");
        outcome(&reply, 415, "SEND_BAD_REQUEST");
        for (name, value) in [
            ("x-request-id", "not-a-uuid"),
            ("x-correlation-id", "{}"),
            ("nhsd-target-identifier", "e30="),
            ("nhsd-end-user-organisation", "eyJyZXNvdXJjZVR5cGUiOiJQYXRpZW50In0="),
            ("nhsd-requesting-software", "%%%"),
        ] {
            let reply = trust.process_message(FHIR, &[(name, value)], "{}").await;
            outcome(&reply.expect("an answer"), 400, "SEND_BAD_REQUEST");
        }
        let reply = gateway.auditor().process_message(FHIR, &[], "{}").await.expect("an answer");
        outcome(&reply, 403, "SEND_FORBIDDEN");
        let reply = trust.get("/fhir/metadata", None).await.expect("an answer");
        assert_eq!(reply.status, 200);
        peers::must_take(&["fhir"], &reply.text());
        assert_eq!(reply.json()["resourceType"], "CapabilityStatement");
        gateway.end().await;
    });
}
