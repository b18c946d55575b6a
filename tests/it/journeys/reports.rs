//! The reports of information governance: each answers its question, says what it was made from,
//! and the asking is in the log first.

mod by_sender;
mod withdrawals;
mod witnessed;

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::audit::{Entry, EventKind};
use gateway::practice::client::Partner;
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

const CHILD: u32 = 41;

/// A report, as the auditor gets it.
async fn report(gateway: &TestGateway, name: &str, more: &Value) -> Value {
    let (status, body) = asked(gateway.auditor(), name, more).await;
    assert_eq!(status, 200, "{name}: {body}");
    body
}

async fn asked(partner: &Partner, name: &str, more: &Value) -> (u16, Value) {
    let mut body = json!({ "reason": "routine-check" });
    for (member, value) in more.as_object().into_iter().flatten() {
        body[member] = value.clone();
    }
    let path = format!("/v1/reports/{name}");
    let reply = partner.post(&path, "application/json", "look", body.to_string()).await;
    let reply = reply.expect("an answer");
    for child in [CHILD, CHILD + 1] {
        let child = people::child(child);
        for canary in [&child.nhs_number, &child.family_name, &child.given_names] {
            assert!(!reply.text().contains(canary.as_str()), "{name} tells {canary}");
        }
    }
    (reply.status, reply.json())
}

/// A table of a report as rows by the names of its columns.
fn rows(report: &Value, title: &str) -> Vec<Value> {
    let sheets = report["sheets"].as_array().expect("sheets");
    let sheet = sheets.iter().find(|sheet| sheet["title"] == title);
    let sheet = sheet.unwrap_or_else(|| unreachable!("no table {title} in {report}"));
    let names: Vec<&str> = sheet["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| column["name"].as_str().expect("a name"))
        .collect();
    let row = |row: &Value| {
        let cells = row.as_array().expect("cells");
        assert_eq!(cells.len(), names.len());
        Value::Object(names.iter().map(|name| (*name).to_owned()).zip(cells.clone()).collect())
    };
    sheet["rows"].as_array().expect("rows").iter().map(row).collect()
}

fn with<'a>(rows: &'a [Value], column: &str, value: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row[column] == value).collect()
}

fn notes(report: &Value) -> String {
    report["cover"]["notes"].to_string()
}

async fn get(partner: &Partner, path: &str) -> Value {
    let reply = partner.get(path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

async fn act(partner: &Partner, path: &str, body: Value) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let key = format!("act-{}", COUNT.fetch_add(1, Ordering::SeqCst));
    let reply = partner.post(path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(reply.status < 300, "{path}: {}", reply.text());
    reply.json()
}

/// The kinds of the entries of a bundle.
fn kinds_of(file: &[u8]) -> Vec<String> {
    let lines = file.split(|byte| *byte == b'\n').filter_map(|line| {
        let line: Value = serde_json::from_slice(line).ok()?;
        let leaf = BASE64_STANDARD.decode(line["leaf"].as_str()?).ok()?;
        let entry: Value = serde_json::from_slice(&leaf).ok()?;
        Some(entry["event"]["kind"].as_str()?.to_owned())
    });
    lines.collect()
}

/// The event of an entry of the log.
async fn event(gateway: &TestGateway, seq: u64) -> gateway::audit::Event {
    let rows = gateway.cast.app().store.audit_rows_at(&[seq]).await.expect("the log");
    Entry::parse(&rows[0].leaf).expect("an entry").event
}

#[test]
fn the_list_names_all_eleven_and_only_an_auditor_is_answered() {
    each_engine("reports_listed", |gateway| async move {
        let listed = get(gateway.auditor(), "/v1/reports").await;
        let listed = listed["reports"].as_array().expect("a list").clone();
        assert_eq!(listed.len(), 11);
        for one in &listed {
            let name = one["report"].as_str().expect("a code");
            for other in [gateway.la(), gateway.mental()] {
                assert_eq!(asked(other, name, &json!({})).await.0, 403, "{name}");
            }
            let more = match name {
                "child-access" => json!({ "nhs_number": people::nhs_number(CHILD) }),
                "person-actions" => json!({ "organisation": "334", "user": "officer-1" }),
                _ => json!({}),
            };
            let before = gateway.cast.app().log_size().await.expect("a size");
            let made = report(&gateway, name, &more).await;
            let cover = &made["cover"];
            assert_eq!(cover["entry"], before, "{name}: the asking is the next entry");
            assert!(cover["log"]["size"].as_u64() > Some(before), "{cover}");
            let note = cover["log"]["checkpoint"].as_str().expect("a note");
            assert!(note.contains(cover["log"]["root"].as_str().expect("a root")), "{note}");
            let asking = event(&gateway, before).await;
            assert_eq!(asking.kind, EventKind::AuditViewed);
            assert_eq!(asking.detail["report"], name);
            assert_eq!(asking.detail["reason"], "routine-check");
            assert!(asking.actor.person.is_some());
        }
        for (name, wrong) in [
            ("six-weeks", json!({ "reason": "curiosity" })),
            ("six-weeks", json!({ "nhs_number": people::nhs_number(CHILD) })),
            ("child-access", json!({})),
            ("person-actions", json!({ "user": "officer-1" })),
            ("exceptions", json!({ "outside": true })),
            ("sample", json!({ "accesses": 0 })),
            ("consents", json!({ "from": "2026-02-02", "until": "2026-02-01" })),
        ] {
            assert_eq!(asked(gateway.auditor(), name, &wrong).await.0, 400, "{name} {wrong}");
        }
        assert_eq!(asked(gateway.auditor(), "gossip", &json!({})).await.0, 404);
        gateway.end().await;
    });
}

#[test]
fn who_saw_a_child_and_what_a_person_did() {
    each_engine("reports_who", |gateway| async move {
        let leg = gateway.request(CHILD, "CAMHS").await;
        get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        let line = gateway.board(gateway.la()).await.remove(0);
        let record = line["record"].as_str().expect("a record").to_owned();
        get(gateway.la(), &format!("/v1/records/{record}/journey")).await;
        gateway.request(CHILD + 1, "CAMHS").await;

        let whose = json!({ "nhs_number": people::nhs_number(CHILD), "reason": "complaint" });
        let made = report(&gateway, "child-access", &whose).await;
        let seen = rows(&made, "Seen");
        assert_eq!(seen.len(), 3, "fetched, looked at, asked: {seen:?}");
        assert_eq!(with(&seen, "organisation", "RXT").len(), 1);
        assert!(seen.iter().skip(1).all(|row| row["record"] == record), "{seen:?}");
        let of_trust = rows(&made, "By organisation");
        assert_eq!(with(&of_trust, "organisation", "RXT")[0]["sent or given"], 1);

        // The user as the practice partner names them, and nobody else.
        let user = "officer-1";
        let whose = json!({ "organisation": "334", "user": user, "reason": "staff-investigation" });
        let made = report(&gateway, "person-actions", &whose).await;
        let actions = rows(&made, "Actions");
        assert!(actions.iter().any(|row| row["event"] == "journey.viewed"), "{actions:?}");
        assert!(actions.iter().all(|row| row["organisation"] == "334"), "{actions:?}");
        let beside = rows(&made, "Beside colleagues");
        assert_eq!(beside[0]["value"], actions.len());
        let whose = json!({ "organisation": "334", "user": "somebody-else" });
        let made = report(&gateway, "person-actions", &whose).await;
        assert_eq!(rows(&made, "Actions"), Vec::<Value>::new());
        assert!(!made.to_string().contains("somebody-else"));
        gateway.end().await;
    });
}

#[test]
fn what_was_held_overridden_and_released_in_an_emergency() {
    each_engine("reports_exceptions", |gateway| async move {
        let (_, held) = gateway.held(CHILD).await;
        let (_, broken) = gateway.held(CHILD + 1).await;
        let glass = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        let path = format!("/v1/holds/{broken}/break-glass");
        let (media, key) = ("application/json", "glass");
        let reply = gateway.la().post_as("officer-2", &path, media, key, glass.to_string()).await;
        assert_eq!(reply.expect("an answer").status, 200);
        gateway.clock.advance(jiff::SignedDuration::from_hours(74));
        let made = report(&gateway, "exceptions", &json!({})).await;
        let happened = rows(&made, "What happened");
        assert_eq!(with(&happened, "sort", "hold").len(), 2, "{happened:?}");
        let emergency = with(&happened, "sort", "emergency");
        assert_eq!(emergency.len(), 1);
        assert_eq!(emergency[0]["rule or reason"], "risk-to-life");
        let waiting = rows(&made, "Held now");
        assert_eq!(waiting.len(), 1);
        assert_eq!((&waiting[0]["delivery"], &waiting[0]["days"]), (&json!(held), &json!(3)));
        let reviews = rows(&made, "Reviews");
        assert_eq!(reviews.len(), 1);
        assert_eq!(reviews[0]["reviewed"], "not yet");
        assert_eq!(reviews[0]["days until review"], 3);
        let other = json!({ "organisation": "RRK" });
        let made = report(&gateway, "exceptions", &other).await;
        assert_eq!(rows(&made, "Held now"), Vec::<Value>::new());
        gateway.end().await;
    });
}

#[test]
fn what_left_without_consent_is_counted_by_month_basis_and_recipient() {
    each_engine("reports_disclosures", |gateway| async move {
        let mut legs = Vec::new();
        for number in [CHILD, CHILD + 1] {
            legs.push(gateway.request(number, "CAMHS").await);
        }
        for leg in &legs {
            // Fetched twice: it counts once.
            get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
            get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        }
        plan_on_consent(&gateway, CHILD + 2).await;
        let made = report(&gateway, "disclosures", &json!({})).await;
        let months = rows(&made, "By month");
        assert_eq!(months.len(), 1, "{months:?}");
        let month = gateway.today().strftime("%Y-%m").to_string();
        assert_eq!(months[0]["month"], month);
        assert_eq!(months[0]["basis"], "statute");
        assert_eq!(months[0]["recipient"], "RXT");
        assert_eq!((&months[0]["messages"], &months[0]["children"]), (&json!(2), &json!(2)));
        assert_eq!(rows(&made, "Each disclosure").len(), 2);
        assert!(notes(&made).contains("1 disclosures rested on consent"), "{made}");

        let made = report(&gateway, "disclosures", &json!({ "outside": true })).await;
        assert_eq!(rows(&made, "By month")[0]["messages"], "under 5");
        assert_eq!(made["sheets"].as_array().map(Vec::len), Some(1), "no line for each event");
        let nobody = json!({ "organisation": "RRK" });
        let made = report(&gateway, "disclosures", &nobody).await;
        assert_eq!(rows(&made, "By month"), Vec::<Value>::new());
        let tomorrow = json!({ "from": gateway.today().tomorrow().expect("a day").to_string() });
        let made = report(&gateway, "disclosures", &tomorrow).await;
        assert_eq!(rows(&made, "Each disclosure"), Vec::<Value>::new());
        gateway.end().await;
    });
}

/// A transition plan that rests on agreement, sent and fetched.
async fn plan_on_consent(gateway: &TestGateway, number: u32) {
    let subject = people::subject(&people::child(number));
    let plan = gateway.plan(&format!("P-{number}"), gateway.la(), &subject);
    let reply = gateway.mental().send(&format!("p-{number}"), &plan).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    for delivery in gateway.inbox(gateway.la()).await {
        get(gateway.la(), &format!("/v1/inbox/{delivery}")).await;
    }
}

#[test]
fn nothing_left_on_agreement_after_it_was_withdrawn() {
    each_engine("reports_consents", |gateway| async move {
        let la = gateway.la();
        plan_on_consent(&gateway, CHILD).await;
        let withdrawal =
            people::withdrawal(&la.code, "W-1", &people::child(CHILD), gateway.today());
        act(la, "/v1/consents", withdrawal).await;
        // What a statute asks for is held after that, and two people let it go.
        let leg = gateway.request(CHILD, "CAMHS").await;
        let vote = json!({ "decision": "release", "reason": "statutory-duty-confirmed" });
        for person in ["officer-a", "officer-b"] {
            let path = format!("/v1/holds/{leg}/decision");
            let media = "application/json";
            let reply =
                gateway.auditor().post_as(person, &path, media, person, vote.to_string()).await;
            assert_eq!(reply.expect("an answer").status, 200);
        }
        get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;

        let made = report(&gateway, "consents", &json!({})).await;
        let decisions = rows(&made, "Decisions");
        let said: Vec<&str> =
            decisions.iter().map(|row| row["decision"].as_str().expect("a code")).collect();
        assert!(said.contains(&"given") && said.contains(&"withdrawn"), "{said:?}");
        let after = rows(&made, "After a withdrawal");
        assert_eq!(after.len(), 1, "{after:?}");
        assert_eq!(after[0]["finding"], "rested on something else");
        assert_eq!(after[0]["recipient"], "RXT");
        let none = "0 releases rested on agreement that had been withdrawn or refused";
        assert!(notes(&made).contains(none), "{made}");
        assert!(notes(&made).contains("Worked out for 1 people"), "{made}");
        gateway.end().await;
    });
}

#[test]
fn a_message_about_the_wrong_child_is_told_until_it_was_contained() {
    each_engine("reports_misdirected", |gateway| async move {
        let leg = gateway.request(CHILD, "CAMHS").await;
        get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        let line = gateway.board(gateway.la()).await.remove(0);
        let record = line["record"].as_str().expect("a record").to_owned();
        gateway.clock.advance(jiff::SignedDuration::from_hours(2));
        let wrong = json!({ "reason": "wrong-person" });
        act(gateway.la(), &format!("/v1/records/{record}/recall"), wrong).await;
        let made = report(&gateway, "misdirected", &json!({})).await;
        let found = rows(&made, "Incidents");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["reason"], "wrong-person");
        assert_eq!(found[0]["record"], record);
        assert_eq!(found[0]["hours to contain"], Value::Null, "the trust has not acknowledged");

        gateway.clock.advance(jiff::SignedDuration::from_hours(3));
        for told in gateway.inbox(gateway.mental()).await {
            let path = format!("/v1/inbox/{told}/acknowledgement");
            act(gateway.mental(), &path, json!({ "outcome": "accepted" })).await;
        }
        // Another is refused by its recipient, which does not take it back.
        let other = gateway.request(CHILD + 1, "CAMHS").await;
        get(gateway.mental(), &format!("/v1/inbox/{other}")).await;
        let path = format!("/v1/inbox/{other}/acknowledgement");
        let refused = json!({ "outcome": "rejected", "reason": "NOT_MY_PATIENT" });
        act(gateway.mental(), &path, refused).await;
        let made = report(&gateway, "misdirected", &json!({ "organisation": "RXT" })).await;
        let found = rows(&made, "Incidents");
        let refused = with(&found, "reason", "NOT_MY_PATIENT");
        assert_eq!(refused.len(), 1, "{found:?}");
        assert_eq!(refused[0]["contained (London)"], Value::Null);
        let made = report(&gateway, "misdirected", &json!({})).await;
        let found = rows(&made, "Incidents");
        let recalled = with(&found, "what", "recalled");
        assert_eq!(recalled[0]["hours to contain"], 3, "{found:?}");
        assert_eq!(recalled[0]["hours out"], 5, "{found:?}");
        gateway.end().await;
    });
}

#[test]
fn a_sample_cannot_be_picked_and_can_be_drawn_again() {
    each_engine("reports_sample", |gateway| async move {
        let leg = gateway.request(CHILD, "CAMHS").await;
        get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        let line = gateway.board(gateway.la()).await.remove(0);
        let record = line["record"].as_str().expect("a record").to_owned();
        for _ in 0..12 {
            get(gateway.la(), &format!("/v1/records/{record}/journey")).await;
        }
        let first = report(&gateway, "sample", &json!({ "accesses": 4 })).await;
        let drawn = rows(&first, "Sample");
        assert_eq!(drawn.len(), 4);
        assert!(drawn.iter().all(|row| row["person"].is_string() && row["manager"].is_null()));
        let size = first["cover"]["log"]["size"].as_u64().expect("a size");
        let again = json!({ "accesses": 4, "again": size });
        let again = report(&gateway, "sample", &again).await;
        assert_eq!(rows(&again, "Sample"), drawn, "anybody draws the same");
        let entries: Vec<&Value> = drawn.iter().map(|row| &row["entry"]).collect();
        let other = report(&gateway, "sample", &json!({ "accesses": 4 })).await;
        let others = rows(&other, "Sample");
        assert_ne!(rows(&first, "Sample")[0]["lot"], others[0]["lot"], "each asking has its own");
        assert_eq!(entries.len(), others.len());
        gateway.end().await;
    });
}

#[test]
fn the_log_of_some_days_is_proved_and_told_in_a_redacted_form() {
    each_engine("reports_integrity", |gateway| async move {
        let leg = gateway.request(CHILD, "CAMHS").await;
        get(gateway.mental(), &format!("/v1/inbox/{leg}")).await;
        let today = gateway.today().to_string();
        let days = json!({ "from": today, "until": today, "reason": "tribunal" });
        let made = report(&gateway, "log-integrity", &days).await;
        let proof = rows(&made, "Proof");
        assert_eq!(with(&proof, "what", "verdict")[0]["words"], "whole");
        assert!(!with(&proof, "what", "proved").is_empty(), "{proof:?}");
        let entries = rows(&made, "Entries, redacted");
        let collected = with(&entries, "event", "delivery.collected");
        assert_eq!(collected.len(), 1);
        assert_eq!(collected[0]["basis"], "statute");
        let seq = collected[0]["entry"].as_u64().expect("a place");
        let stored = gateway.cast.app().store.audit_rows_at(&[seq]).await.expect("the log");
        let hash = gateway::audit::tree::leaf_hash(&stored[0].leaf);
        assert_eq!(collected[0]["leaf hash"], gateway::entropy::hex(&hash));
        let text = made["sheets"].to_string();
        assert!(!text.contains(&leg), "no ids");
        let earlier = json!({ "until": "2020-01-01" });
        let none = report(&gateway, "log-integrity", &earlier).await;
        assert!(notes(&none).contains("it began later"), "{none}");
        gateway.end().await;
    });
}

#[test]
fn who_may_come_in_is_reviewed() {
    each_engine("reports_access_review", |gateway| async move {
        gateway.request(CHILD, "CAMHS").await;
        gateway.clock.advance(jiff::SignedDuration::from_hours(24 * 91));
        let made = report(&gateway, "retention", &json!({})).await;
        let organisations = rows(&made, "Organisations");
        assert!(with(&organisations, "organisation", "334")[0]["keys pinned"].as_u64() >= Some(1));
        let people = rows(&made, "People");
        let of_la = with(&people, "organisation", "334");
        assert_eq!(of_la[0]["finding"], "not seen for long: a leaver?");
        let keys = rows(&made, "Certificates");
        assert!(!with(&keys, "finding", "pinned and used").is_empty(), "{keys:?}");
        gateway.end().await;
    });
}
