//! Superseding: the new message goes, the old one does not, and who has both sees which is which.

use gateway::notices::Notice;
use gateway::practice::people;
use gateway::receipt::{Signed, verify_as};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

fn request(gateway: &TestGateway, number: u32, id: &str, supersedes: Option<&str>) -> Value {
    let child = people::child(number);
    let mut message = people::request(&gateway.la().code, id, &child, &["CAMHS"], gateway.today());
    message["case"] = json!(format!("EHC-CASE-{number}"));
    if let Some(earlier) = supersedes {
        message["supersedes"] = json!(earlier);
    }
    message
}

async fn sent(gateway: &TestGateway, message: &Value) -> Value {
    let key = text(&message["id"]);
    let reply = gateway.la().send(&key, message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["rows"][0].clone()
}

#[test]
fn an_unopened_message_gives_way_to_the_one_that_supersedes_it() {
    each_engine("supersede_unopened", |gateway| async move {
        let first = sent(&gateway, &request(&gateway, 1, "AR-1", None)).await;
        gateway.clock.advance(SignedDuration::from_hours(48));
        let second = sent(&gateway, &request(&gateway, 1, "AR-2", Some("AR-1"))).await;
        let mental = gateway.mental();
        assert_eq!(gateway.inbox(mental).await, [text(&second["legs"][0]["leg"])]);
        let gone = format!("/v1/inbox/{}", text(&first["legs"][0]["leg"]));
        assert_eq!(mental.get(&gone, None).await.expect("an answer").status, 410);

        let board = gateway.board(gateway.la()).await;
        let line = |row: &Value| {
            board.iter().find(|line| line["record"] == row["record"]).expect("a line").clone()
        };
        assert_eq!(line(&first)["state"], "withheld");
        assert_eq!(line(&first)["reason"], "superseded");
        assert_eq!(line(&first)["superseded_by"], second["record"]);
        assert_eq!(line(&second)["state"], "waiting");
        assert_eq!(
            line(&second)["received_on"],
            line(&first)["received_on"],
            "a correction does not give the service more time"
        );
        gateway.end().await;
    });
}

#[test]
fn whoever_opened_the_earlier_one_is_shown_what_takes_its_place() {
    each_engine("supersede_opened", |gateway| async move {
        let mental = gateway.mental();
        let first = sent(&gateway, &request(&gateway, 2, "AR-1", None)).await;
        let old = text(&first["legs"][0]["leg"]);
        let path = format!("/v1/inbox/{old}");
        assert_eq!(mental.get(&path, None).await.expect("an answer").status, 200);
        let second = sent(&gateway, &request(&gateway, 2, "AR-2", Some("AR-1"))).await;
        let new = text(&second["legs"][0]["leg"]);
        let inbox = mental.get("/v1/inbox", None).await.expect("an answer").json();
        let lines = inbox["deliveries"].as_array().expect("deliveries");
        let line = |id: &str| lines.iter().find(|line| line["delivery"] == id).expect("a line");
        assert_eq!(line(&new)["supersedes"], old, "{inbox}");
        assert_eq!(line(&old)["superseded_by"], new, "{inbox}");

        let keys = mental.get("/v1/audit/keys", None).await.expect("an answer").json();
        let signed = mental.get(&text(&line(&new)["notice"]), None).await.expect("an answer");
        let notice: Notice =
            verify_as(Signed::Notice, &signed.text(), &keys["receipts"]["keys"][0])
                .expect("a signed notice");
        assert_eq!(notice.how, "superseded");
        assert_eq!(notice.by.to_string(), text(&second["record"]));
        assert_eq!(notice.deliveries.len(), 1);

        let journey = format!("/v1/records/{}/journey", text(&first["record"]));
        let journey = gateway.la().get(&journey, None).await.expect("an answer").json();
        let steps = journey["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["event"] == "record.taken_back").expect("a step");
        assert_eq!(step["detail"]["by"], second["record"]);

        let advice = |id: &str, leg: &str| {
            people::advice(&mental.code, id, leg, &people::child(2), gateway.today())
        };
        let late = mental.send("adv-1", &advice("ADV-1", &old)).await.expect("an answer");
        assert!(late.text().contains("leg-taken-back"), "{}", late.text());
        let taken = mental.send("adv-2", &advice("ADV-2", &new)).await.expect("an answer");
        assert_eq!(taken.status, 201, "{}", taken.text());
        gateway.end().await;
    });
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_do() {
    each_engine("supersede_refused", |gateway| async move {
        let first = sent(&gateway, &request(&gateway, 3, "AR-1", None)).await;
        let second = sent(&gateway, &request(&gateway, 3, "AR-2", Some("AR-1"))).await;
        let (la, mental) = (gateway.la(), gateway.mental());
        let withdrawal = {
            let mut message =
                people::withdrawal(&la.code, "W-1", &people::child(3), gateway.today());
            message["supersedes"] = json!("AR-2");
            message
        };
        let nil = {
            let leg = text(&second["legs"][0]["leg"]);
            let mut message = people::nil(&mental.code, "N-1", &leg, &people::child(3));
            message["supersedes"] = json!("AR-2");
            message
        };
        let refusals = [
            (la, request(&gateway, 3, "AR-3", Some("AR-1")), "supersedes-superseded"),
            (la, request(&gateway, 3, "AR-4", Some("AR-4")), "supersedes-itself"),
            (la, request(&gateway, 3, "AR-5", Some("AR-NEVER")), "supersedes-unknown"),
            (la, request(&gateway, 4, "AR-6", Some("AR-2")), "supersedes-other-person"),
            (la, withdrawal, "supersedes-not-this-type"),
            (mental, nil, "supersedes-unknown"),
        ];
        for (who, message, rule) in refusals {
            let key = format!("no-{}", text(&message["id"]));
            let reply = who.send(&key, &message).await.expect("an answer");
            assert_eq!(reply.status, 422, "{rule}: {}", reply.text());
            assert!(reply.text().contains(rule), "{rule}: {}", reply.text());
        }
        let chain = request(&gateway, 3, "AR-3", Some("AR-1"));
        let reply = la.send("chain", &chain).await.expect("an answer").text();
        assert!(reply.contains(&text(&second["record"])), "the newest is named: {reply}");
        assert!(!reply.contains("AR-2"), "by its record, never by a reference: {reply}");
        let third = sent(&gateway, &request(&gateway, 3, "AR-7", Some("AR-2"))).await;
        assert_eq!(gateway.inbox(mental).await, [text(&third["legs"][0]["leg"])]);
        assert_ne!(first["record"], third["record"]);
        gateway.end().await;
    });
}

#[test]
fn advice_is_amended_by_its_correcting_type() {
    each_engine("supersede_amend", |gateway| async move {
        let (la, mental) = (gateway.la(), gateway.mental());
        let row = sent(&gateway, &request(&gateway, 5, "AR-1", None)).await;
        let leg = text(&row["legs"][0]["leg"]);
        let advice =
            people::advice(&mental.code, "ADV-1", &leg, &people::child(5), gateway.today());
        let reply = mental.send("adv-1", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let amend = json!({
            "type": "advice.amend", "id": "AMD-1", "sender": mental.code,
            "recipient": la.code, "supersedes": "ADV-1",
            "subject": people::subject(&people::child(5)),
            "particulars": { "correction": "A made-up correction.", "revision": "2" },
        });
        let reply = mental.send("amd-1", &amend).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let inbox = la.get("/v1/inbox", None).await.expect("an answer").json();
        let kinds: Vec<_> = inbox["deliveries"].as_array().expect("deliveries").iter().collect();
        assert_eq!(kinds.len(), 1, "the unopened advice gave way: {inbox}");
        assert_eq!(kinds[0]["type"], "advice.amend");
        gateway.end().await;
    });
}

#[test]
fn messages_of_a_case_are_found_together_by_whoever_may_see_them() {
    each_engine("case", |gateway| async move {
        let (la, mental, acute) = (gateway.la(), gateway.mental(), gateway.acute());
        let row = sent(&gateway, &request(&gateway, 6, "AR-1", None)).await;
        let leg = text(&row["legs"][0]["leg"]);
        let advice =
            people::advice(&mental.code, "ADV-1", &leg, &people::child(6), gateway.today());
        assert_eq!(mental.send("adv-1", &advice).await.expect("an answer").status, 201);
        // A health body's message that names the authority's case: the same person's, or another's.
        let notice = |id: &str, number: u32| {
            json!({
                "type": "transition.health_plan", "id": id, "sender": mental.code,
                "recipient": la.code, "case": "EHC-CASE-6",
                "subject": people::subject(&people::child(number)),
                "consent": {
                    "status": "given", "given_by": "parent", "date": gateway.today().to_string(),
                },
                "transition": {
                    "named_worker": "Pat Practice-Worker",
                    "plan_date": gateway.today().to_string(),
                    "actions": ["A made-up action"],
                },
            })
        };
        let same = mental.send("plan-1", &notice("PLAN-1", 6)).await.expect("an answer");
        assert_eq!(same.status, 201, "{}", same.text());
        assert!(!same.text().contains("case-not-found"), "{}", same.text());
        let other = mental.send("plan-2", &notice("PLAN-2", 7)).await.expect("an answer");
        assert_eq!(other.status, 422, "{}", other.text());
        assert!(other.text().contains("case-person-changed"), "{}", other.text());
        let mut unknown = notice("PLAN-3", 6);
        unknown["case"] = json!("EHC-CASE-NEVER");
        let unknown = mental.send("plan-3", &unknown).await.expect("an answer");
        assert_eq!(unknown.status, 201, "{}", unknown.text());
        assert!(unknown.text().contains("case-not-found"), "{}", unknown.text());
        let find = async |who: &gateway::practice::client::Partner, body: Value| {
            who.post("/v1/cases/find", "application/json", "f", body.to_string())
                .await
                .expect("an answer")
        };
        let found = find(la, json!({ "reference": "EHC-CASE-6" })).await;
        assert_eq!(found.status, 200, "{}", found.text());
        let case = text(&found.json()["case"]);
        assert!(!case.contains("CASE-6"));
        let by_record = find(mental, json!({ "record": row["record"] })).await;
        assert_eq!(by_record.json()["case"], found.json()["case"]);
        let theirs = find(mental, json!({ "reference": "EHC-CASE-6", "authority": la.code })).await;
        assert_eq!(theirs.json()["case"], found.json()["case"]);
        let nothing = find(acute, json!({ "reference": "EHC-CASE-6", "authority": la.code })).await;
        assert_eq!(nothing.status, 404, "a party to nothing learns nothing");

        let path = format!("/v1/cases/{case}");
        let seen = la.get(&path, None).await.expect("an answer").json();
        let kinds: Vec<_> = seen["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|m| text(&m["type"]))
            .collect();
        assert_eq!(
            kinds,
            ["advice.request", "advice.response", "transition.health_plan"],
            "{seen}"
        );
        assert_eq!(seen["messages"][0]["deliveries"][0]["leg"], "answered");
        assert_eq!(acute.get(&path, None).await.expect("an answer").status, 404);
        gateway.end().await;
    });
}
