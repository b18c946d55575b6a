//! Recall: what was not opened is never opened; whoever opened it is told and acknowledges.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use gateway::notices::Notice;
use gateway::practice::client::{Partner, Reply};
use gateway::practice::{Behaviour, people};
use gateway::receipt::{Signed, verify_as};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

async fn send(gateway: &TestGateway, number: u32, id: &str, services: &[&str]) -> Value {
    let la = gateway.la();
    let message = people::request(&la.code, id, &people::child(number), services, gateway.today());
    let reply = la.send(id, &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["rows"][0].clone()
}

async fn recall(partner: &Partner, record: &str, key: &str, body: Value) -> Reply {
    let path = format!("/v1/records/{record}/recall");
    partner.post(&path, "application/json", key, body.to_string()).await.expect("an answer")
}

async fn stands(partner: &Partner, record: &str) -> Value {
    let path = format!("/v1/records/{record}/recall");
    let reply = partner.get(&path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn acknowledge(partner: &Partner, delivery: &str) {
    let path = format!("/v1/inbox/{delivery}/acknowledgement");
    let body = json!({ "outcome": "accepted" }).to_string();
    let reply = partner.post(&path, "application/json", &format!("ack-{delivery}"), body).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn what_was_not_opened_is_withdrawn_and_whoever_opened_it_is_told() {
    each_engine("recall", |gateway| async move {
        let row = send(&gateway, 1, "AR-RECALL", &["CAMHS", "PAEDIATRICS"]).await;
        let record = text(&row["record"]);
        let legs: BTreeMap<String, String> = row["legs"]
            .as_array()
            .expect("legs")
            .iter()
            .map(|leg| (text(&leg["recipient"]), text(&leg["leg"])))
            .collect();
        let (mental, acute, la) = (gateway.mental(), gateway.acute(), gateway.la());
        let opened = &legs[&mental.code];
        let path = format!("/v1/inbox/{opened}");
        assert_eq!(mental.get(&path, None).await.expect("an answer").status, 200);

        let body = json!({ "reason": "wrong-person" });
        let reply = recall(la, &record, "r-1", body.clone()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let by = text(&reply.json()["rows"][0]["record"]);
        let told = &reply.json()["rows"][0]["legs"];
        assert_eq!(told.as_array().expect("whom it tells").len(), 1, "{told}");
        assert_eq!(told[0]["recipient"], mental.code);
        let again = recall(la, &record, "r-1", body.clone()).await;
        assert!(again.replayed, "the same key gets the same answer");

        // Never opened: nothing in the inbox, nothing to fetch, and no notice either.
        assert!(gateway.inbox(acute).await.is_empty());
        let gone = acute.get(&format!("/v1/inbox/{}", legs[&acute.code]), None).await;
        assert_eq!(gone.expect("an answer").status, 410);
        let none = acute.get(&format!("/v1/records/{record}/notice"), None).await;
        assert_eq!(none.expect("an answer").status, 404);
        // Opened: it can be fetched no more, and the recall waits in the inbox.
        assert_eq!(mental.get(&path, None).await.expect("an answer").status, 410);
        let inbox = mental.get("/v1/inbox", None).await.expect("an answer").json();
        let line = inbox["deliveries"][0].clone();
        assert_eq!(line["type"], "recall", "{inbox}");
        assert_eq!(line["recalls"], json!({ "deliveries": [opened], "reason": "wrong-person" }));
        let notice = text(&line["delivery"]);
        let read = mental.get(&format!("/v1/inbox/{notice}"), None).await.expect("an answer");
        assert_eq!(read.json()["particulars"]["recall_reason"], "wrong-person");
        assert_eq!(read.json()["leg"], *opened, "the recipient knows which it is");
        a_recipient_verifies_the_notice(mental, &text(&line["notice"]), [&record, &by, opened])
            .await;

        let before = stands(la, &record).await;
        assert!(before.get("contained_at").is_none(), "{before}");
        let lines = before["deliveries"].as_array().expect("deliveries");
        let of = |code: &str| lines.iter().find(|line| line["recipient"] == code).expect("it");
        assert_eq!(of(&mental.code)["opened"], true);
        assert!(of(&mental.code)["opened_at"].is_string());
        assert_eq!(of(&acute.code)["opened"], false);
        gateway.clock.advance(SignedDuration::from_secs(90));
        acknowledge(mental, &notice).await;
        let after = stands(la, &record).await;
        assert_eq!(after["seconds_to_contain"], 90, "{after}");

        for line in gateway.board(la).await {
            assert_eq!(line["state"], "withheld", "{line}");
            assert_eq!(line["reason"], "recalled", "{line}");
        }
        let late =
            people::advice(&mental.code, "ADV-1", opened, &people::child(1), gateway.today());
        let late = mental.send("adv-1", &late).await.expect("an answer");
        assert_eq!(late.status, 422);
        assert!(late.text().contains("leg-taken-back"), "{}", late.text());
        gateway.end().await;
    });
}

async fn a_recipient_verifies_the_notice(partner: &Partner, path: &str, ids: [&str; 3]) {
    let keys = partner.get("/v1/audit/keys", None).await.expect("an answer").json();
    let key = &keys["receipts"]["keys"][0];
    let signed = partner.get(path, None).await.expect("an answer");
    assert_eq!(signed.media_type, "application/jose");
    let notice: Notice = verify_as(Signed::Notice, &signed.text(), key).expect("a signed notice");
    assert_eq!(notice.how, "recalled");
    assert_eq!(notice.reason.as_deref(), Some("wrong-person"));
    assert_eq!([notice.record.to_string(), notice.by.to_string()], [ids[0], ids[1]]);
    let deliveries: Vec<String> = notice.deliveries.iter().map(ToString::to_string).collect();
    assert_eq!(deliveries, [ids[2]], "only the recipient's own");
    let entry = notice.entry.expect("the entry in the log");
    let entries = partner.get(&format!("/v1/audit/entries?from={entry}&limit=1"), None).await;
    let line: Value = serde_json::from_str(&entries.expect("an answer").text()).expect("one line");
    let leaf = STANDARD.decode(text(&line["leaf"])).expect("base64");
    let leaf: Value = serde_json::from_slice(&leaf).expect("an entry");
    assert_eq!((&leaf["seq"], &leaf["event"]["kind"]), (&json!(entry), &json!("record.accepted")));
    assert_eq!(leaf["event"]["record"], ids[1], "the entry that it names is the recall's");
    assert!(
        verify_as::<Notice>(Signed::Receipt, &signed.text(), key).is_err(),
        "a notice does not pass for a receipt"
    );
}

#[test]
fn a_recall_names_one_recipient_or_is_refused_with_what_to_do() {
    each_engine("recall_one", |gateway| async move {
        let (mental, acute, la) = (gateway.mental(), gateway.acute(), gateway.la());
        let row = send(&gateway, 2, "AR-ONE", &["CAMHS", "PAEDIATRICS"]).await;
        let record = text(&row["record"]);
        let one = json!({ "reason": "wrong-recipient", "recipient": mental.code });
        let reply = recall(la, &record, "o-1", one.clone()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(gateway.inbox(mental).await.is_empty());
        assert_eq!(gateway.inbox(acute).await.len(), 1, "the other still has it waiting");
        let stood = stands(la, &record).await;
        assert_eq!(stood["seconds_to_contain"], 0, "nobody had opened it: {stood}");

        let refusals = [
            ("nothing left", record.clone(), one, "recall-nothing-left"),
            (
                "never sent to",
                record.clone(),
                json!({ "reason": "other", "recipient": "RXX" }),
                "recall-recipient-unknown",
            ),
            ("no such reason", record.clone(), json!({ "reason": "just-because" }), "code"),
        ];
        for (what, record, body, rule) in refusals {
            let reply = recall(la, &record, &format!("o-{what}").replace(' ', "-"), body).await;
            assert_eq!(reply.status, 422, "{what}: {}", reply.text());
            assert!(reply.text().contains(rule), "{what}: {}", reply.text());
        }
        // Whoever did not send it cannot recall it, whether by route or by message.
        let other = recall(acute, &record, "o-9", json!({ "reason": "other" })).await;
        assert_eq!(other.status, 404);
        let message = json!({
            "type": "recall", "id": "REC-X", "sender": acute.code,
            "particulars": { "about": record, "recall_reason": "other" },
        });
        let refused = acute.send("o-10", &message).await.expect("an answer");
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("recall-unknown"), "{}", refused.text());
        // By message, with the sender's own reference, it is the same recall.
        let message = json!({
            "type": "recall", "id": "REC-1", "sender": la.code,
            "particulars": { "about": "AR-ONE", "recall_reason": "sent-twice" },
        });
        let taken = la.send("o-11", &message).await.expect("an answer");
        assert_eq!(taken.status, 201, "{}", taken.text());
        assert!(gateway.inbox(acute).await.is_empty());
        gateway.end().await;
    });
}

#[test]
fn a_recall_and_a_fetch_never_both_think_they_were_first() {
    each_engine("recall_race", |gateway| async move {
        let (mental, la) = (gateway.mental(), gateway.la());
        let (mut opened, mut stopped) = (0, 0);
        // By how much the fetch begins after the recall; before it when negative. Whoever was
        // first begins later the next time, so both outcomes come about on any machine, and the
        // tries stay where it is close.
        let mut late_us = 0_i64;
        for number in 0..RACES {
            let row =
                send(&gateway, 1 + number % 20, &format!("AR-RACE-{number}"), &["CAMHS"]).await;
            let record = text(&row["record"]);
            let leg = text(&row["legs"][0]["leg"]);
            let path = format!("/v1/inbox/{leg}");
            let key = format!("race-{number}");
            let wait =
                |us: i64| tokio::time::sleep(Duration::from_micros(us.max(0).unsigned_abs()));
            let fetch = async {
                wait(late_us).await;
                mental.get(&path, None).await.expect("an answer").status
            };
            let recalling = async {
                wait(-late_us).await;
                recall(la, &record, &key, json!({ "reason": "wrong-content" })).await
            };
            let (fetched, recalled) = tokio::join!(fetch, recalling);
            assert_eq!(recalled.status, 201, "{}", recalled.text());
            let told = recalled.json()["rows"][0]["legs"].as_array().map_or(0, Vec::len);
            match (fetched, told) {
                (200, 1) => {
                    opened += 1;
                    late_us += STEP_US;
                }
                (410, 0) => {
                    stopped += 1;
                    late_us -= STEP_US;
                }
                found => panic!("try {number}: fetched and told are {found:?}"),
            }
            let after = mental.get(&path, None).await.expect("an answer").status;
            assert_eq!(after, 410, "try {number}: a byte left after the recall was answered");
        }
        eprintln!("{RACES} races: {opened} opened first and were told, {stopped} stopped");
        assert!(opened > 0 && stopped > 0, "no race: {opened} opened, {stopped} stopped");
        gateway.end().await;
    });
}

/// Tries on each engine.
const RACES: u32 = 300;
/// How much later whoever was first begins the next time: all steps together are longer than any
/// request takes.
const STEP_US: i64 = 500;

#[test]
fn a_push_that_waits_is_stopped_and_one_that_arrived_is_told() {
    each_engine("recall_push", |gateway| async move {
        let (la, endpoint) = (gateway.la(), &gateway.cast.endpoint);
        endpoint.behave(Behaviour::Take);
        let row = send(&gateway, 3, "AR-PUSHED", &["SALT"]).await;
        let pushed = endpoint.wait_for(1, Duration::from_secs(20)).await;
        assert_eq!(pushed.len(), 1);
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        let record = text(&row["record"]);
        let reply = recall(la, &record, "p-1", json!({ "reason": "wrong-content" })).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let parcels = endpoint.wait_for(2, Duration::from_secs(20)).await;
        let told = parcels.iter().any(|(_, body)| body.contains("wrong-content"));
        assert!(told, "the recall is pushed too: {parcels:?}");
        gateway.end().await;
    });
}

#[test]
fn recalled_advice_is_owed_again() {
    each_engine("recall_advice", |gateway| async move {
        let (la, mental) = (gateway.la(), gateway.mental());
        let row = send(&gateway, 4, "AR-ADVICE", &["CAMHS"]).await;
        let leg = text(&row["legs"][0]["leg"]);
        let child = people::child(4);
        let advice = |id: &str| people::advice(&mental.code, id, &leg, &child, gateway.today());
        let sent = mental.send("adv-1", &advice("ADV-1")).await.expect("an answer");
        let record = text(&sent.json()["rows"][0]["record"]);
        assert_eq!(gateway.board(la).await[0]["state"], "answered");
        let reply = recall(mental, &record, "a-1", json!({ "reason": "wrong-content" })).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(gateway.inbox(la).await.is_empty(), "the authority never sees it");
        let line = gateway.board(la).await.remove(0);
        assert_eq!(line["state"], "accepted", "{line}");
        assert!(line.get("answered_on").is_none(), "{line}");
        let again = mental.send("adv-2", &advice("ADV-2")).await.expect("an answer");
        assert_eq!(again.status, 201, "{}", again.text());
        assert_eq!(gateway.board(la).await[0]["state"], "answered");
        gateway.end().await;
    });
}
