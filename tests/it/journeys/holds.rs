//! A held delivery goes when two people say so, and not before; what waits is not forgotten.

use gateway::pipeline::{self, RawMessage, Sender};
use gateway::practice::people;
use gateway::prompt::{KnownBy, Login};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

async fn vote(gateway: &TestGateway, person: &str, leg: &str, decision: &str) -> (u16, String) {
    vote_under("first", gateway, person, leg, decision).await
}

async fn vote_under(
    key: &str,
    gateway: &TestGateway,
    person: &str,
    leg: &str,
    decision: &str,
) -> (u16, String) {
    let path = format!("/v1/holds/{leg}/decision");
    let body = json!({ "decision": decision, "reason": "statutory-duty-confirmed" }).to_string();
    let key = format!("{key}-{person}-{leg}-{decision}");
    let la = gateway.la();
    let reply = la.post_as(person, &path, "application/json", &key, body).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json()["state"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn two_different_people_release_what_was_held() {
    each_engine("holds_release", |gateway| async move {
        let (_, leg) = gateway.held(1).await;
        let trust = gateway.mental();
        assert!(gateway.inbox(trust).await.is_empty());
        assert_eq!(vote(&gateway, "officer-2", &leg, "release").await, (200, "held".to_owned()));
        let retry = vote(&gateway, "officer-2", &leg, "release").await;
        assert_eq!(retry, (200, "held".to_owned()), "a retry gets the first answer");
        let (status, _) = vote_under("again", &gateway, "officer-2", &leg, "release").await;
        assert_eq!(status, 409, "one person cannot vote twice");
        assert!(gateway.inbox(trust).await.is_empty());
        assert_eq!(vote(&gateway, "manager-3", &leg, "release").await, (200, "queued".to_owned()));
        assert_eq!(gateway.inbox(trust).await, vec![leg.clone()]);
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 200, "{}", fetch.text());
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");
        gateway.end().await;
    });
}

#[test]
fn whoever_imported_it_at_the_prompt_does_not_approve_it_elsewhere() {
    each_engine("holds_prompt", |gateway| async move {
        let app = gateway.cast.app();
        let child = people::child(9);
        let code = schemas::OrganisationCode::parse("334").expect("a code");
        let mut message = people::request("334", "H-9", &child, &["CAMHS"], gateway.today());
        message["consent"] = json!({
            "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
        });
        let login = Login::new("officer-2", KnownBy::Session).actor(app.vault.pseudonyms());
        let sender = Sender::partner(&app.partner(&code).expect("a partner"), login);
        let raw = RawMessage {
            format: adapters::Format::Json,
            mapping: None,
            bytes: schemas::PersonalBytes::new(message.to_string().into_bytes()),
            key: "H-9".to_owned(),
        };
        let answer = pipeline::receive(app, &sender, raw).await.expect("an answer");
        let leg = answer.rows[0].legs[0].leg.0.to_string();
        assert_eq!(vote(&gateway, "officer-2", &leg, "release").await.0, 403);
        assert_eq!(vote(&gateway, "officer-3", &leg, "release").await.0, 200);
        gateway.end().await;
    });
}

#[test]
fn one_person_refuses_what_was_held() {
    each_engine("holds_refuse", |gateway| async move {
        let (_, leg) = gateway.held(2).await;
        assert_eq!(vote(&gateway, "officer-2", &leg, "refuse").await.0, 200);
        let (status, _) = vote(&gateway, "manager-3", &leg, "release").await;
        assert_eq!(status, 409, "what was refused stays refused");
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 410);
        gateway.end().await;
    });
}

/// Posts a body under a key of its own, for a named person.
async fn act(
    caller: &gateway::practice::client::Partner,
    person: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let key = format!(
        "act-{person}-{}",
        gateway::entropy::sha256_hex(format!("{path}{body}").as_bytes())
    );
    let reply = caller.post_as(person, path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json())
}

async fn held_lines(gateway: &TestGateway, query: &str) -> Vec<Value> {
    let reply = gateway.la().get(&format!("/v1/holds{query}"), None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["holds"].as_array().expect("holds").clone()
}

/// Puts a restriction about a child on record.
async fn restrict(gateway: &TestGateway, number: u32, restriction: &str) {
    let la = gateway.la();
    let message = json!({
        "type": "consent.restriction", "id": format!("R-{number}"), "sender": la.code,
        "subject": people::subject(&people::child(number)),
        "consent": {
            "status": "restricted", "restriction": restriction,
            "date": gateway.today().to_string(),
        },
    });
    let reply = la.send(&format!("r-{number}"), &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

#[test]
fn what_is_held_grows_old_in_the_queue_on_the_board_and_in_metrics() {
    each_engine("holds_age", |gateway| async move {
        let (_, first) = gateway.held(11).await;
        gateway.clock.advance(SignedDuration::from_hours(49));
        let (_, second) = gateway.held(12).await;
        let lines = held_lines(&gateway, "").await;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["delivery"], json!(first), "the oldest first");
        assert_eq!(lines[0]["age_days"], 2);
        assert_eq!(lines[1]["delivery"], json!(second));
        assert_eq!(lines[0]["from"], "334");
        assert_eq!(lines[0]["to"], "RXT");
        assert_eq!(lines[0]["rule"], "restriction-meets-statute");
        assert!(lines[0]["reason"].as_str().expect("a reason").contains("refused"));
        assert!(lines[0]["waits_for"].as_str().expect("words").contains("two people of 334"));
        assert_eq!(held_lines(&gateway, "?older-than=1").await.len(), 1);
        assert_eq!(held_lines(&gateway, "?rule=another-rule").await.len(), 0);
        assert_eq!(held_lines(&gateway, "?to=RXT&limit=1").await.len(), 1);
        let page = gateway.la().get("/v1/holds?limit=1", None).await.expect("an answer").json();
        let next = page["next"].as_str().expect("there is more");
        let rest = held_lines(&gateway, &format!("?limit=1&cursor={next}")).await;
        assert_eq!(rest[0]["delivery"], json!(second));

        let board = gateway.la().get("/v1/board", None).await.expect("an answer").json();
        assert_eq!(board["holds"]["count"], 2);
        assert_eq!(board["holds"]["oldest_days"], 2);
        let metrics = gateway.metrics().await;
        let rule = "{rule=\"restriction-meets-statute\"}";
        assert!(metrics.contains(&format!("ehc_holds{rule} 2\n")), "{metrics}");
        let oldest = format!("ehc_holds_oldest_seconds{rule} {}", 49 * 3_600);
        assert!(metrics.contains(&oldest), "{metrics}");
        let asked = gateway.mental().get("/v1/board", None).await.expect("an answer").json();
        assert!(asked["holds"].is_null(), "whoever is asked learns nothing of what is held");
        let seen = gateway.mental().get("/v1/holds", None).await.expect("an answer").json();
        assert_eq!(seen["holds"], json!([]), "nor in the queue");
        let shown = gateway.mental().get(&format!("/v1/holds/{first}"), None).await;
        assert_eq!(shown.expect("an answer").status, 404);
        gateway.end().await;
    });
}

#[test]
fn nobody_approves_what_they_sent_and_nobody_has_two_voices() {
    each_engine("holds_voices", |gateway| async move {
        let (_, leg) = gateway.held(13).await;
        // The case system's own user, and the person who acted by the message itself.
        for own in ["officer-1", "worker-17", "WORKER-17"] {
            let (status, _) = vote(&gateway, own, &leg, "release").await;
            assert_eq!(status, 403, "{own} approves their own message");
        }
        assert_eq!(vote(&gateway, "officer-2", &leg, "release").await.0, 200);
        let path = format!("/v1/holds/{leg}/decision");
        let body = json!({ "decision": "release", "reason": "statutory-duty-confirmed" });
        let (status, _) = act(gateway.auditor(), "officer-2", &path, &body).await;
        assert_eq!(status, 409, "the same person through another organisation's header");
        assert!(gateway.inbox(gateway.mental()).await.is_empty());
        let (status, said) = act(gateway.auditor(), "auditor-9", &path, &body).await;
        assert_eq!((status, said["state"].as_str()), (200, Some("queued")), "{said}");
        gateway.end().await;
    });
}

#[test]
fn a_question_is_put_and_answered_and_releases_nothing() {
    each_engine("holds_questions", |gateway| async move {
        let (_, leg) = gateway.held(14).await;
        let ask = format!("/v1/holds/{leg}/questions");
        let free = json!({ "of": "recipient", "question": "Is Avery your patient?" });
        assert_eq!(act(gateway.la(), "officer-2", &ask, &free).await.0, 400, "codes only");
        let asked = json!({ "of": "recipient", "question": "is-this-the-right-service" });
        assert_eq!(act(gateway.mental(), "clinician-4", &ask, &asked).await.0, 404);
        let (status, said) = act(gateway.la(), "officer-2", &ask, &asked).await;
        assert_eq!(status, 200, "{said}");
        let question = said["question"]["id"].as_str().expect("an id").to_owned();
        let line = held_lines(&gateway, "").await.remove(0);
        assert_eq!(line["waits_for"], "an answer from RXT");

        let told = gateway.mental().get("/v1/questions", None).await.expect("an answer");
        assert_eq!(told.json()["questions"][0]["question"], "is-this-the-right-service");
        assert_eq!(told.json()["questions"][0]["message_type"], "advice.request");
        let child = people::child(14);
        for secret in [&child.family_name, &child.nhs_number, &"H-14".to_owned()] {
            assert!(!told.text().contains(secret.as_str()), "{}", told.text());
        }
        assert_eq!(
            gateway.acute().get("/v1/questions", None).await.expect("an answer").json()["questions"],
            json!([])
        );
        let answer = format!("/v1/questions/{question}/answer");
        let yes = json!({ "answer": "yes" });
        assert_eq!(act(gateway.acute(), "clinician-5", &answer, &yes).await.0, 404);
        assert_eq!(act(gateway.mental(), "clinician-4", &answer, &yes).await.0, 200);
        let no = json!({ "answer": "no" });
        assert_eq!(act(gateway.mental(), "clinician-6", &answer, &no).await.0, 409);
        let line = held_lines(&gateway, "").await.remove(0);
        assert_eq!(line["questions"][0]["answer"], "yes");
        assert!(gateway.inbox(gateway.mental()).await.is_empty(), "nothing goes by itself");
        gateway.end().await;
    });
}

#[test]
fn one_person_breaks_the_glass_and_another_must_review_it() {
    each_engine("holds_emergency", |gateway| async move {
        let (_, leg) = gateway.held(15).await;
        let path = format!("/v1/holds/{leg}/break-glass");
        let wrong = json!({ "basis": "best-interests", "reason": "risk-to-life" });
        assert_eq!(act(gateway.la(), "officer-2", &path, &wrong).await.0, 400);
        let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        assert_eq!(act(gateway.la(), "worker-17", &path, &broken).await.0, 403);
        assert_eq!(act(gateway.mental(), "clinician-4", &path, &broken).await.0, 404);
        let (status, said) = act(gateway.la(), "officer-2", &path, &broken).await;
        assert_eq!(status, 200, "{said}");
        let review = said["review"].as_str().expect("a review").to_owned();
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 200, "it goes at once");

        gateway.clock.advance(SignedDuration::from_hours(72));
        for concerned in [gateway.la(), gateway.mental(), gateway.auditor()] {
            let seen = concerned.get("/v1/reviews", None).await.expect("an answer").json();
            assert_eq!(seen["reviews"][0]["id"], json!(review), "{}", concerned.code);
            assert_eq!(seen["waiting"]["oldest_days"], 3);
        }
        let board = gateway.la().get("/v1/board", None).await.expect("an answer").json();
        assert_eq!(board["reviews"]["count"], 1);
        let close = format!("/v1/reviews/{review}/decision");
        let upheld = json!({ "outcome": "upheld", "finding": "emergency-was-real" });
        assert_eq!(act(gateway.la(), "officer-2", &close, &upheld).await.0, 403, "not by oneself");
        assert_eq!(act(gateway.auditor(), "officer-2", &close, &upheld).await.0, 403);
        assert_eq!(act(gateway.mental(), "clinician-4", &close, &upheld).await.0, 404);
        assert_eq!(act(gateway.la(), "manager-3", &close, &upheld).await.0, 200);
        let again = json!({ "outcome": "not-upheld", "finding": "no-emergency" });
        assert_eq!(act(gateway.la(), "manager-4", &close, &again).await.0, 409);
        let board = gateway.la().get("/v1/board", None).await.expect("an answer").json();
        assert_eq!(board["reviews"]["count"], 0);

        let line = gateway.board(gateway.la()).await.remove(0);
        let record = line["record"].as_str().expect("a record");
        let journey = gateway.la().get(&format!("/v1/records/{record}/journey"), None).await;
        let journey = journey.expect("an answer").json();
        let steps = journey["steps"].as_array().expect("steps");
        let broken = steps.iter().find(|step| step["event"] == "hold.broken").expect("the entry");
        assert_eq!(broken["decision"]["rule"], "break-glass");
        assert!(steps.iter().any(|step| step["event"] == "review.closed"));
        gateway.end().await;
    });
}

#[test]
fn an_emergency_that_is_not_upheld_stops_what_has_not_gone() {
    each_engine("holds_not_upheld", |gateway| async move {
        let (_, leg) = gateway.held(16).await;
        let path = format!("/v1/holds/{leg}/break-glass");
        let broken = json!({ "basis": "safeguarding-override", "reason": "child-missing" });
        let (_, said) = act(gateway.la(), "officer-2", &path, &broken).await;
        assert_eq!(gateway.inbox(gateway.mental()).await, vec![leg.clone()]);
        let review = said["review"].as_str().expect("a review");
        let reviews = async |who: &gateway::practice::client::Partner| {
            let seen = who.get("/v1/reviews", None).await.expect("an answer").json();
            (seen["reviews"].as_array().expect("reviews").clone(), seen["waiting"].clone())
        };
        let (seen, waiting) = reviews(gateway.mental()).await;
        assert_eq!((&seen[0]["id"], &waiting["count"]), (&json!(review), &json!(1)));
        assert!(seen[0].get("rule").is_none(), "what had held it is not the recipient's to know");
        for sees in [gateway.la(), gateway.auditor()] {
            assert_eq!(reviews(sees).await.0[0]["rule"], "restriction-meets-statute");
        }
        let close = format!("/v1/reviews/{review}/decision");
        let not = json!({ "outcome": "not-upheld", "finding": "no-emergency" });
        assert_eq!(act(gateway.auditor(), "auditor-9", &close, &not).await.0, 200);
        assert!(gateway.inbox(gateway.mental()).await.is_empty());
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 410);
        assert_eq!(held_lines(&gateway, "").await.len(), 1, "it waits again");
        assert!(reviews(gateway.mental()).await.0.is_empty(), "and is nothing it may know of");
        assert_eq!(reviews(gateway.la()).await.0.len(), 1);
        gateway.end().await;
    });
}

#[test]
fn an_emergency_does_not_cross_a_seal_an_adoption_or_a_court() {
    each_engine("holds_beyond_one", |gateway| async move {
        for (number, restriction) in [(17, "sealed"), (18, "adoption"), (19, "court-limits")] {
            let la = gateway.la();
            let (_, leg) = gateway.held(number).await;
            restrict(&gateway, number, restriction).await;
            let path = format!("/v1/holds/{leg}/break-glass");
            let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
            let (status, said) = act(la, "officer-2", &path, &broken).await;
            assert_eq!(status, 403, "{restriction}: {said}");
        }
        assert!(gateway.inbox(gateway.mental()).await.is_empty());
        gateway.end().await;
    });
}

#[test]
fn an_emergency_leaves_a_protected_address_out() {
    each_engine("holds_protected", |gateway| async move {
        for (number, protected) in [(21, false), (22, true)] {
            let la = gateway.la();
            let child = people::child(number);
            let id = format!("P-{number}");
            let mut message = people::request(&la.code, &id, &child, &["CAMHS"], gateway.today());
            message["subject"]["address"] = json!("17 Nowhere Lane, Practiceton");
            message["consent"] = json!({
                "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
            });
            let reply = la.send(&id, &message).await.expect("an answer");
            let leg = text(&reply.json()["rows"][0]["legs"][0]["leg"]);
            if protected {
                restrict(&gateway, number, "protected-address").await;
            }
            let path = format!("/v1/holds/{leg}/break-glass");
            let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
            assert_eq!(act(la, "officer-2", &path, &broken).await.0, 200);
            let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
            let fetch = fetch.expect("an answer");
            assert_eq!(fetch.status, 200, "{}", fetch.text());
            assert!(fetch.text().contains(&child.family_name));
            assert_eq!(fetch.text().contains("Nowhere Lane"), !protected, "{}", fetch.text());
        }
        gateway.end().await;
    });
}

#[test]
fn a_vote_that_did_not_weigh_what_was_recorded_since_is_asked_for_again() {
    each_engine("holds_anew", |gateway| async move {
        let la = gateway.la();
        for (number, since) in [(23, "withdrawal"), (24, "protected-address")] {
            let (record, leg) = gateway.held(number).await;
            assert_eq!(vote(&gateway, "officer-2", &leg, "release").await.0, 200);
            let held = async || {
                let lines = held_lines(&gateway, "").await;
                lines.into_iter().find(|line| line["delivery"] == leg).expect("it is held")
            };
            let before = held().await;
            assert_eq!(before["votes"].as_array().map(Vec::len), Some(1), "{before}");
            gateway.clock.advance(SignedDuration::from_secs(60));
            if since == "withdrawal" {
                let child = people::child(number);
                let message = people::withdrawal(&la.code, "W-23", &child, gateway.today());
                let message = message.to_string();
                let reply = la.post("/v1/consents", "application/json", "w-23", message).await;
                assert_eq!(reply.expect("an answer").status, 201);
            } else {
                restrict(&gateway, number, since).await;
            }
            let after = held().await;
            assert_eq!(after["votes"], json!([]), "{since}: {after}");
            let journey = la.get(&format!("/v1/records/{record}/journey"), None).await;
            let journey = journey.expect("an answer").json();
            let steps = journey["steps"].as_array().expect("steps").iter();
            let anew = steps.filter(|step| step["event"] == "delivery.held").count();
            assert_eq!(anew, 1, "{since}: it is held anew: {journey}");
            // One more voice is one, and not the second.
            let (status, state) = vote(&gateway, "manager-3", &leg, "release").await;
            assert_eq!((status, state.as_str()), (200, "held"), "{since}");
            let early = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
            assert_eq!(early.expect("an answer").status, 410, "{since}");
            let second = vote_under("again", &gateway, "officer-2", &leg, "release").await;
            assert_eq!(second, (200, "queued".to_owned()), "{since}: whoever voted may weigh it");
            let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
            assert_eq!(fetch.expect("an answer").status, 200);
        }
        gateway.end().await;
    });
}

#[test]
fn what_failed_is_sent_again_by_a_named_person_with_a_reason() {
    each_engine("resend", |gateway| async move {
        use gateway::practice::Behaviour;
        use std::time::Duration;
        let endpoint = &gateway.cast.endpoint;
        endpoint.behave(Behaviour::Refuse);
        let leg = gateway.request(20, "SALT").await;
        endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        let la = gateway.la();
        let listed = la.get("/v1/deliveries?state=failed", None).await.expect("an answer").json();
        assert_eq!(listed["deliveries"][0]["delivery"], json!(leg));
        let other = gateway.acute().get("/v1/deliveries?state=failed", None).await;
        assert_eq!(other.expect("an answer").json()["deliveries"], json!([]));
        let path = format!("/v1/deliveries/{leg}/resend");
        let why = json!({ "reason": "endpoint-repaired" });
        assert_eq!(act(gateway.acute(), "clinician-5", &path, &why).await.0, 404);
        assert_eq!(act(la, "officer-1", &path, &json!({ "reason": "because" })).await.0, 400);
        endpoint.behave(Behaviour::Take);
        assert_eq!(act(la, "officer-1", &path, &why).await.0, 200);
        endpoint.wait_for(1, Duration::from_secs(20)).await;
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        assert_eq!(gateway.board(la).await[0]["delivery"], "delivered");
        let again = json!({ "reason": "recipient-asked-for-it" });
        assert_eq!(act(la, "officer-1", &path, &again).await.0, 409);
        gateway.end().await;
    });
}
