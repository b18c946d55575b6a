//! Who somebody is: cases, numbers of others, and events that act on what is queued.

use gateway::practice::people::{self, Child};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

/// An identity event of the authority about a child.
fn event(gateway: &TestGateway, kind: &str, id: &str, child: &Child, extra: &Value) -> Value {
    let mut particulars = json!({ "effective_on": gateway.today().to_string() });
    for (name, value) in extra.as_object().into_iter().flatten() {
        particulars[name] = value.clone();
    }
    json!({
        "type": kind, "id": id, "sender": gateway.la().code, "recipient": gateway.mental().code,
        "acting": { "user": "worker-17" },
        "subject": people::subject(child),
        "particulars": particulars,
    })
}

async fn accepted(gateway: &TestGateway, key: &str, message: &Value) -> Value {
    let reply = gateway.la().send(key, message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

fn rules(reply: &Value) -> Vec<String> {
    let issues = reply["issues"].as_array().cloned().unwrap_or_default();
    issues.iter().filter_map(|issue| issue["rule"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_case_whose_person_changes_stops() {
    each_engine("case_person", |gateway| async move {
        let la = gateway.la();
        let request = |id: &str, child: &Child| {
            let mut message = people::request(&la.code, id, child, &["CAMHS"], gateway.today());
            message["case"] = json!("EHC-ONE");
            message
        };
        let child = people::child(31);
        accepted(&gateway, "c-1", &request("C-1", &child)).await;
        accepted(&gateway, "c-2", &request("C-2", &child)).await;
        let twin = Child { nhs_number: people::nhs_number(32), ..child.clone() };
        let renamed = Child { family_name: "Another-Name".to_owned(), ..child.clone() };
        for (id, other) in [("C-3", &twin), ("C-4", &renamed)] {
            let reply = la.send(id, &request(id, other)).await.expect("an answer");
            assert_eq!(reply.status, 422, "{}", reply.text());
            assert_eq!(rules(&reply.json()), ["case-person-changed"]);
            assert!(!reply.text().contains(&child.family_name), "nothing of what is held is said");
            assert!(!reply.text().contains(&child.nhs_number));
        }
        // A person says that the new name is the same person's: then it is.
        let extra = json!({
            "old_person_id": child.la_person_id, "new_nhs_number": child.nhs_number,
        });
        accepted(&gateway, "m-1", &event(&gateway, "person.match", "M-1", &renamed, &extra)).await;
        accepted(&gateway, "c-5", &request("C-5", &renamed)).await;
        gateway.end().await;
    });
}

#[test]
fn another_childs_number_in_the_text_stops_the_message() {
    each_engine("other_number", |gateway| async move {
        let leg = gateway.request(33, "CAMHS").await;
        let trust = gateway.mental();
        let child = people::child(33);
        let other = people::nhs_number(34);
        let spaced = [0, 3, 6]
            .map(|at| other.chars().skip(at).take(if at == 6 { 4 } else { 3 }).collect::<String>())
            .join(" ");
        for (id, text) in
            [("N-1", format!("See also {other}.")), ("N-2", format!("NHS No {spaced}"))]
        {
            let mut advice = people::advice(&trust.code, id, &leg, &child, gateway.today());
            advice["advice"]["health_needs"] = json!(["A need", text]);
            let reply = trust.send(id, &advice).await.expect("an answer");
            assert_eq!(reply.status, 422, "{}", reply.text());
            assert_eq!(rules(&reply.json()), ["another-persons-number"]);
            assert_eq!(reply.json()["issues"][0]["field"], "advice.health_needs");
            assert!(!reply.text().contains(&other) && !reply.text().contains(&spaced));
        }
        let mut advice = people::advice(&trust.code, "N-3", &leg, &child, gateway.today());
        let own = people::nhs_number(33);
        advice["advice"]["summary"] = json!(format!("About {own}, telephone 0121 496 0000."));
        let reply = trust.send("n-3", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.end().await;
    });
}

#[test]
fn after_a_match_the_ledger_and_the_answers_follow_the_person() {
    each_engine("identity_match", |gateway| async move {
        let la = gateway.la();
        let known = people::child(35);
        // Asked before the NHS number was known: the pseudonym is the authority's own id's.
        let mut message = people::request(&la.code, "I-1", &known, &["CAMHS"], gateway.today());
        message["subject"].as_object_mut().expect("a subject").remove("nhs_number");
        let asked = accepted(&gateway, "i-1", &message).await;
        let leg = asked["rows"][0]["legs"][0]["leg"].as_str().expect("a leg").to_owned();
        let trust = gateway.mental();
        let nil = people::nil(&trust.code, "I-2", &leg, &known);
        let reply = trust.send("i-2", &nil).await.expect("an answer");
        assert_eq!(rules(&reply.json()), ["identity-mismatch"], "not yet known to be one person");

        let extra =
            json!({ "old_person_id": known.la_person_id, "new_nhs_number": known.nhs_number });
        accepted(&gateway, "i-3", &event(&gateway, "person.match", "I-3", &known, &extra)).await;
        let nil = people::nil(&trust.code, "I-2-again", &leg, &known);
        let reply = trust.send("i-2-again", &nil).await.expect("an answer");
        assert_eq!(reply.status, 201, "the answer attaches now: {}", reply.text());
        let line = gateway.board(la).await.remove(0);
        assert_eq!((&line["leg"], &line["state"]), (&json!(leg), &json!("nil")));
        // A withdrawal under the number stops what was asked under the id.
        let withdrawal = people::withdrawal(&la.code, "I-4", &known, gateway.today());
        let reply =
            la.post("/v1/consents", "application/json", "i-4", withdrawal.to_string()).await;
        assert_eq!(reply.expect("an answer").status, 201);
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 410, "the withdrawal follows the person");
        gateway.end().await;
    });
}

#[test]
fn a_merge_lets_an_answer_under_the_new_number_attach() {
    each_engine("identity_merge", |gateway| async move {
        let leg = gateway.request(36, "CAMHS").await;
        let old = people::child(36);
        let new = Child { nhs_number: people::nhs_number(37), ..old.clone() };
        let trust = gateway.mental();
        let nil = people::nil(&trust.code, "G-1", &leg, &new);
        let reply = trust.send("g-1", &nil).await.expect("an answer");
        assert_eq!(rules(&reply.json()), ["identity-mismatch"]);
        let extra = json!({ "old_nhs_number": old.nhs_number, "new_nhs_number": new.nhs_number });
        accepted(&gateway, "g-2", &event(&gateway, "person.merge", "G-2", &new, &extra)).await;
        let nil = people::nil(&trust.code, "G-3", &leg, &new);
        let reply = trust.send("g-3", &nil).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.end().await;
    });
}

#[test]
fn a_match_by_somebody_who_never_dealt_with_the_person_changes_nothing() {
    each_engine("identity_stranger", |gateway| async move {
        let leg = gateway.request(38, "CAMHS").await;
        let old = people::child(38);
        let new = Child { nhs_number: people::nhs_number(39), ..old.clone() };
        let stranger = gateway.acute();
        let mut message = event(
            &gateway,
            "person.match",
            "S-1",
            &new,
            &json!({
                "old_nhs_number": old.nhs_number, "new_nhs_number": new.nhs_number,
            }),
        );
        message["sender"] = json!(stranger.code);
        message["recipient"] = json!(gateway.la().code);
        let reply = stranger.send("s-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(reply.json()["rows"][0]["issues"][0]["rule"], "identity-no-effect");
        let trust = gateway.mental();
        let nil = people::nil(&trust.code, "S-2", &leg, &new);
        let reply = trust.send("s-2", &nil).await.expect("an answer");
        assert_eq!(rules(&reply.json()), ["identity-mismatch"]);
        gateway.end().await;
    });
}

#[test]
fn after_a_death_what_is_queued_waits_for_people() {
    each_engine("identity_death", |gateway| async move {
        let leg = gateway.request(40, "CAMHS").await;
        let trust = gateway.mental();
        assert_eq!(gateway.inbox(trust).await, vec![leg.clone()]);
        let child = people::child(40);
        accepted(&gateway, "d-1", &event(&gateway, "person.death", "D-1", &child, &json!({})))
            .await;
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 410);
        let waiting = gateway.inbox(trust).await;
        assert_eq!(waiting.len(), 1, "only the news itself goes: {waiting:?}");
        let held = gateway.la().get("/v1/holds", None).await.expect("an answer").json();
        assert_eq!(held["holds"][0]["delivery"], json!(leg));
        assert_eq!(held["holds"][0]["rule"], "person-died");
        // What comes later waits too.
        gateway.clock.advance(jiff::SignedDuration::from_secs(1));
        let later = gateway.request(40, "SALT").await;
        let held = gateway.la().get("/v1/holds", None).await.expect("an answer").json();
        assert_eq!(held["holds"][1]["delivery"], json!(later));
        let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" }).to_string();
        let path = format!("/v1/holds/{leg}/break-glass");
        let reply =
            gateway.la().post_as("officer-2", &path, "application/json", "b-1", broken).await;
        assert_eq!(reply.expect("an answer").status, 403);
        let path = format!("/v1/holds/{leg}/decision");
        let body =
            json!({ "decision": "release", "reason": "statutory-duty-confirmed" }).to_string();
        for (person, state) in [("officer-2", "held"), ("officer-3", "queued")] {
            let reply = gateway
                .la()
                .post_as(person, &path, "application/json", &format!("v-{person}"), body.clone())
                .await;
            let reply = reply.expect("an answer");
            assert_eq!(reply.json()["state"], state, "{}", reply.text());
        }
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 200, "two people decided that it is still needed");
        gateway.end().await;
    });
}

#[test]
fn an_emergency_releases_nothing_about_somebody_who_died_whatever_held_it_before() {
    each_engine("identity_death_glass", |gateway| async move {
        let break_glass = async |leg: &str| {
            let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
            let (path, key) = (format!("/v1/holds/{leg}/break-glass"), format!("b-{leg}"));
            let body = broken.to_string();
            let la = gateway.la();
            let reply = la.post_as("officer-2", &path, "application/json", &key, body).await;
            reply.expect("an answer")
        };
        let (_, leg) = gateway.held(42).await;
        let (_, alive) = gateway.held(43).await;
        let child = people::child(42);
        accepted(&gateway, "d-2", &event(&gateway, "person.death", "D-2", &child, &json!({})))
            .await;
        let held = gateway.la().get("/v1/holds", None).await.expect("an answer").json();
        let lines = held["holds"].as_array().expect("holds").iter();
        let rules: Vec<_> = lines.filter(|l| l["delivery"] == leg).map(|l| &l["rule"]).collect();
        assert_eq!(rules, ["restriction-meets-statute"], "it was held before, for another reason");
        let reply = break_glass(&leg).await;
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("has died"), "{}", reply.text());
        assert_eq!(break_glass(&alive).await.status, 200, "of somebody alive it is released");
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 410);
        gateway.end().await;
    });
}

#[test]
fn a_protected_address_is_cut_from_what_was_queued_before() {
    each_engine("identity_address", |gateway| async move {
        let la = gateway.la();
        let child = people::child(41);
        let mut message = people::request(&la.code, "A-1", &child, &["CAMHS"], gateway.today());
        message["subject"]["postcode"] = json!(child.postcode);
        message["subject"]["address"] = json!("17 Nowhere Lane, Practiceton");
        let asked = accepted(&gateway, "a-1", &message).await;
        let leg = asked["rows"][0]["legs"][0]["leg"].as_str().expect("a leg").to_owned();
        let safe = json!({ "address_protected": true });
        accepted(&gateway, "a-2", &event(&gateway, "person.address_safe", "A-2", &child, &safe))
            .await;
        let trust = gateway.mental();
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 200, "{}", fetch.text());
        let said = fetch.text();
        assert!(said.contains(&child.family_name));
        assert!(!said.contains("Nowhere Lane") && !said.contains(&child.postcode), "{said}");
        // Only who protected it lifts it.
        let mut lift = event(
            &gateway,
            "person.address_safe",
            "A-3",
            &child,
            &json!({
                "address_protected": false,
            }),
        );
        lift["sender"] = json!(trust.code);
        lift["recipient"] = json!(la.code);
        let reply = trust.send("a-3", &lift).await.expect("an answer");
        assert_eq!(reply.json()["rows"][0]["issues"][0]["rule"], "protection-not-yours");
        gateway.end().await;
    });
}
