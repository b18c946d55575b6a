//! A request goes to a trust's mailbox; the trust answers through its mailbox.

use std::time::Duration;

use adapters::mesh::WorkflowId;
use gateway::practice::{Trust, people};
use tests::mailboxes::{each_engine_by_mesh, eventually};

const SOON: Duration = Duration::from_secs(20);

fn answers() -> WorkflowId {
    WorkflowId::parse("EHC_ADVICE_RESP").expect("a workflow id")
}

#[test]
fn a_request_and_its_answer_travel_through_mailboxes_as_json() {
    each_engine_by_mesh("mesh_json", Trust::Mental, |gateway, mesh| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let asked = mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
        assert_eq!(asked.headers.local_id.as_deref(), Some(leg.as_str()), "the delivery's id");
        let workflow = asked.headers.workflow.as_ref().expect("a workflow");
        assert_eq!(workflow.as_str(), "EHC_ADVICE_REQ");
        let request: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
        assert_eq!(request["type"], "advice.request");
        let headers = format!("{:?}", asked.headers);
        let person = &request["subject"];
        for detail in ["nhs_number", "family_name", "date_of_birth"] {
            let detail = person[detail].as_str().expect("a detail of the child");
            assert!(!headers.contains(detail), "the headers name the child");
        }
        let la = gateway.la();
        assert!(
            eventually(async || gateway.board(la).await[0]["delivery"] == "delivered").await,
            "collected is not accepted"
        );

        let sent = mesh.trust.send_receipt("RXT", &asked.headers, "accepted", None).await;
        sent.expect("it is taken").expect("the request has a local id");
        assert!(eventually(async || gateway.board(la).await[0]["state"] == "accepted").await);

        let advice = people::advice("RXT", "A-1", &leg, &people::child(1), gateway.today());
        let body = advice.to_string();
        let sent = mesh.trust.send(&answers(), "A-1", "application/json", body.as_bytes()).await;
        sent.expect("it is taken");
        let receipt = mesh.trust.collect(SOON).await.expect("an answer").expect("a receipt");
        let workflow = receipt.headers.workflow.as_ref().expect("a workflow");
        assert_eq!(workflow.as_str(), "EHC_ADVICE_RESP_ACK");
        let receipt: serde_json::Value = serde_json::from_slice(&receipt.body).expect("JSON");
        assert_eq!(receipt["type"], "ack.business");
        assert_eq!(receipt["notice"]["about"], "A-1");
        assert_eq!(receipt["notice"]["outcome"], "accepted");

        assert_eq!(gateway.board(la).await[0]["state"], "answered");
        let inbox = gateway.inbox(la).await;
        assert_eq!(inbox.len(), 1);
        let path = format!("/v1/inbox/{}", inbox[0]);
        let answer = la.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(answer.json()["type"], "advice.response");
        let document = la.get(&format!("{path}/documents/1"), None).await.expect("an answer");
        assert_eq!(document.body, people::pdf());
        assert!(mesh.server.waiting(&mesh.gateway_mailbox).is_empty(), "all is acknowledged");
        gateway.end().await;
        mesh.server.close().await;
    });
}

#[test]
fn a_trust_that_writes_fhir_answers_through_its_mailbox() {
    each_engine_by_mesh("mesh_fhir", Trust::Acute, |gateway, mesh| async move {
        let leg = gateway.request(2, "PAEDIATRICS").await;
        let asked = mesh.trust.collect(SOON).await.expect("an answer").expect("a request");
        let bundle: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
        assert_eq!(bundle["resourceType"], "Bundle");
        let child = people::child(2);
        let advice = people::advice_fhir("RRK", "A-2", &leg, &child, gateway.today()).to_string();
        let media = "application/fhir+json";
        let sent = mesh.trust.send(&answers(), "A-2", media, advice.as_bytes()).await;
        sent.expect("it is taken");
        let la = gateway.la();
        assert!(eventually(async || gateway.board(la).await[0]["state"] == "answered").await);
        let inbox = gateway.inbox(la).await;
        let path = format!("/v1/inbox/{}", inbox[0]);
        let table = la.get(&path, Some("text/csv")).await.expect("an answer");
        assert!(table.text().contains(&leg));
        gateway.end().await;
        mesh.server.close().await;
    });
}
