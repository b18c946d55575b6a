//! Agreement to share, and what its withdrawal stops.

use gateway::practice::people::{self, Row};
use serde_json::json;
use tests::{TestGateway, each_engine};

async fn withdraw(gateway: &TestGateway, number: u32) {
    let la = gateway.la();
    let id = format!("W-{number}");
    let message = people::withdrawal(&la.code, &id, &people::child(number), gateway.today());
    let reply = la.post("/v1/consents", "application/json", &id, message.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

#[test]
fn a_withdrawn_consent_stops_a_queued_delivery() {
    each_engine("consent_queued", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        withdraw(&gateway, 1).await;
        let trust = gateway.mental();
        assert!(gateway.inbox(trust).await.is_empty());
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 410, "{}", fetch.text());
        let line = gateway.board(gateway.la()).await.remove(0);
        assert_eq!(line["state"], "withheld");
        assert_eq!(line["delivery"], "held");

        let record = line["record"].as_str().expect("a record");
        let path = format!("/v1/records/{record}/journey");
        let journey = gateway.la().get(&path, None).await.expect("an answer").json();
        let steps = journey["steps"].as_array().expect("steps");
        let held = steps.iter().find(|step| step["event"] == "delivery.held").expect("the hold");
        assert_eq!(held["decision"]["outcome"], "hold");
        assert!(!held["decision"]["rule"].as_str().expect("a rule").is_empty());
        assert!(!held["decision"]["rule_version"].as_str().expect("a version").is_empty());
        assert!(held["decision"]["reason"].as_str().expect("a reason").contains(' '));
        gateway.end().await;
    });
}

#[test]
fn a_transition_plan_goes_on_consent_alone() {
    each_engine("consent_transition", |gateway| async move {
        let trust = gateway.mental();
        let plan = |id: &str, number: u32, consent: Option<&str>| {
            let mut message = json!({
                "type": "transition.health_plan", "id": id, "sender": trust.code,
                "recipient": gateway.la().code,
                "subject": people::subject(&people::child(number)),
                "transition": {
                    "named_worker": "Pat Practice-Worker",
                    "plan_date": gateway.today().to_string(),
                    "actions": ["A made-up action"],
                },
            });
            if let Some(status) = consent {
                message["consent"] = json!({
                    "status": status, "given_by": "parent",
                    "date": gateway.today().to_string(),
                });
            }
            message
        };
        let refused = trust.send("t-1", &plan("T-1", 1, None)).await.expect("an answer");
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(refused.text().contains("consent-missing"), "{}", refused.text());

        let taken = trust.send("t-2", &plan("T-2", 2, Some("given"))).await.expect("an answer");
        assert_eq!(taken.status, 201, "{}", taken.text());
        let inbox = gateway.inbox(gateway.la()).await;
        assert_eq!(inbox.len(), 1);
        withdraw(&gateway, 2).await;
        let path = format!("/v1/inbox/{}", inbox[0]);
        let fetch = gateway.la().get(&path, None).await.expect("an answer");
        assert_eq!(fetch.status, 410, "a withdrawal refuses what rests on consent");
        gateway.end().await;
    });
}

#[test]
fn an_exclusion_counts_even_where_no_consent_is_recorded() {
    each_engine("consent_exclusion", |gateway| async move {
        let la = gateway.la();
        let mut message = people::request(
            &la.code,
            "X-1",
            &people::child(3),
            &["CAMHS", "SALT"],
            gateway.today(),
        );
        message["consent"] = json!({ "status": "not-recorded", "exclusions": ["RXT"] });
        let reply = la.send("x-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let legs = reply.json()["rows"][0]["legs"].clone();
        let outcome = |service: &str| {
            let legs = legs.as_array().expect("legs");
            let leg = legs.iter().find(|leg| leg["service"] == service).expect("the leg");
            leg["outcome"].as_str().expect("an outcome").to_owned()
        };
        assert_eq!(outcome("CAMHS"), "hold", "{legs}");
        assert!(outcome("SALT").starts_with("release"), "{legs}");
        assert!(gateway.inbox(gateway.mental()).await.is_empty());
        assert!(gateway.board(gateway.mental()).await.is_empty(), "the excluded see nothing");
        gateway.end().await;
    });
}

#[test]
fn a_withdrawal_later_in_the_same_file_stops_an_earlier_row() {
    each_engine("consent_same_file", |gateway| async move {
        let mut rows = vec![Row::new(6, "CAMHS"), Row::new(6, "PAEDIATRICS")];
        rows[1].reference = "AR-LATER".to_owned();
        rows[1].consent = "WITHDRAWN";
        gateway.push_rows("f-1", &rows).await;
        assert!(gateway.inbox(gateway.mental()).await.is_empty());
        assert!(gateway.inbox(gateway.acute()).await.is_empty());
        let board = gateway.board(gateway.la()).await;
        assert!(board.iter().all(|line| line["state"] == "withheld"), "{board:?}");
        gateway.end().await;
    });
}

#[test]
fn a_withdrawal_in_the_next_extract_counts_although_the_row_is_known() {
    each_engine("consent_known_row", |gateway| async move {
        let mut rows = vec![Row::new(6, "CAMHS")];
        gateway.push_rows("k-1", &rows).await;
        assert_eq!(gateway.inbox(gateway.mental()).await.len(), 1);
        rows[0].consent = "WITHDRAWN";
        let again = gateway.push_rows("k-2", &rows).await;
        assert_eq!(again[0]["outcome"], "unchanged");
        assert_eq!(again[0]["issues"][0]["rule"], "consent-updated");
        assert!(gateway.inbox(gateway.mental()).await.is_empty(), "it still waits");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "withheld");
        gateway.end().await;
    });
}

#[test]
fn the_ledger_is_read_by_a_named_person_and_never_through_a_url() {
    each_engine("consent_ledger", |gateway| async move {
        gateway.request(5, "SALT").await;
        withdraw(&gateway, 5).await;
        let whose = json!({ "nhs_number": people::nhs_number(5) }).to_string();
        let la = gateway.la();
        let reply = la.post("/v1/consents/find", "application/json", "f-1", whose).await;
        let ledger = reply.expect("an answer").json();
        let entries = ledger["consents"].as_array().expect("entries");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["status"], "withdrawn");
        let trust = gateway.mental();
        let whose = json!({ "nhs_number": people::nhs_number(5) }).to_string();
        let reply = trust.post("/v1/consents/find", "application/json", "f-2", whose).await;
        assert_eq!(reply.expect("an answer").status, 403);
        gateway.end().await;
    });
}
