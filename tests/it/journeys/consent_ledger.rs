//! The consent ledger as people use it: look, see what a decision would do, confirm, and be told.

use std::io::Write;
use std::process::Stdio;

use gateway::practice::client::Partner;
use gateway::practice::people::{self, Row};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

async fn send(from: &Partner, id: &str, message: &Value) -> Value {
    let reply = from.send(id, message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

async fn collect(gateway: &TestGateway, who: &Partner) -> Vec<Value> {
    let mut messages = Vec::new();
    for delivery in gateway.inbox(who).await {
        let path = format!("/v1/inbox/{delivery}");
        let reply = who.get(&path, Some("application/json")).await.expect("an answer");
        // What was collected before may be stopped since.
        if reply.status != 410 {
            assert_eq!(reply.status, 200, "{}", reply.text());
            messages.push(reply.json());
        }
    }
    messages
}

/// What is recorded about a child, and the tag of it.
async fn ledger(gateway: &TestGateway, number: u32) -> (Vec<Value>, String) {
    let whose = json!({ "nhs_number": people::nhs_number(number) }).to_string();
    let auditor = gateway.auditor();
    let reply = auditor.post("/v1/consents/find", "application/json", "look", whose).await;
    let reply = reply.expect("an answer");
    let tag = reply.header("etag").expect("a tag").to_owned();
    (reply.json()["consents"].as_array().expect("entries").clone(), tag)
}

/// What a command says, given this on standard input, and its exit code.
fn command(gateway: &TestGateway, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = tests::binary::command();
    command.args(arguments).args(["--json", "-c"]).arg(gateway.cast.config_path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

/// How many entries of the log are of a kind.
async fn logged(gateway: &TestGateway, kind: &str) -> usize {
    let rows = gateway.cast.app().store.audit_rows(0, 5000).await.expect("the log");
    let leaves = rows.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned());
    leaves.filter(|leaf| leaf.contains(&format!("\"kind\":\"{kind}\""))).count()
}

#[test]
fn an_edit_made_on_an_old_version_of_the_ledger_is_refused() {
    each_engine("ledger_etag", |gateway| async move {
        let (la, child) = (gateway.la(), people::child(1));
        gateway.request(1, "CAMHS").await;
        let (_, empty) = ledger(&gateway, 1).await;
        let (_, of_another) = ledger(&gateway, 2).await;
        assert_ne!(empty, of_another, "a tag fits one person");
        let grant = |id: &str| {
            let today = gateway.today().to_string();
            json!({
                "type": "consent.grant", "id": id, "sender": la.code,
                "subject": people::subject(&child),
                "consent": { "given_by": "parent", "date": today },
            })
            .to_string()
        };
        let reply = la.post_if(&empty, "/v1/consents", "g-1", grant("G-1")).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let first = reply.header("etag").expect("a tag").to_owned();
        assert_eq!(ledger(&gateway, 1).await.1, first, "the answer names the new version");

        let withdrawal = people::withdrawal(&la.code, "W-1", &child, gateway.today()).to_string();
        let stale = la.post_if(&empty, "/v1/consents", "w-1", withdrawal.clone()).await;
        let stale = stale.expect("an answer");
        assert_eq!((stale.status, stale.json()["code"].as_str()), (412, Some("ledger-moved")));
        assert_eq!(ledger(&gateway, 1).await.0.len(), 1, "nothing was recorded");
        let now = la.post_if(&first, "/v1/consents", "w-1", withdrawal).await;
        assert_eq!(now.expect("an answer").status, 201);
        let (entries, tag) = ledger(&gateway, 1).await;
        assert_eq!(entries[1]["status"], "withdrawn");
        assert_ne!(tag, first);
        gateway.end().await;
    });
}

#[test]
fn where_it_is_required_an_edit_must_name_the_version_it_was_made_on() {
    each_engine("ledger_required", |gateway| async move {
        let gateway = gateway
            .restart_after(|folder| {
                let file = folder.join("ehc-gateway.toml");
                let text = std::fs::read_to_string(&file).expect("the configuration");
                let text = format!("{text}\n[consent]\nif_match = \"required\"\n");
                std::fs::write(&file, text).expect("the configuration is written");
            })
            .await;
        let la = gateway.la();
        let message =
            people::withdrawal(&la.code, "W-1", &people::child(1), gateway.today()).to_string();
        let without = la.post("/v1/consents", "application/json", "w-1", message.clone()).await;
        let without = without.expect("an answer");
        assert_eq!(
            (without.status, without.json()["code"].as_str()),
            (428, Some("if-match-required"))
        );
        let (_, tag) = ledger(&gateway, 1).await;
        let with = la.post_if(&tag, "/v1/consents", "w-1", message).await;
        assert_eq!(with.expect("an answer").status, 201);
        gateway.end().await;
    });
}

#[test]
fn a_preview_says_what_a_withdrawal_would_do_and_does_nothing() {
    each_engine("ledger_preview", |gateway| async move {
        let (trust, la) = (gateway.mental(), gateway.la());
        let subject = people::subject(&people::child(4));
        // Gone on agreement; on its way on agreement; on its way under statute.
        send(trust, "P-1", &gateway.plan("P-1", gateway.acute(), &subject)).await;
        assert_eq!(collect(&gateway, gateway.acute()).await.len(), 1);
        send(trust, "P-2", &gateway.plan("P-2", la, &subject)).await;
        gateway.request(4, "PAEDIATRICS").await;

        let withdrawal =
            people::withdrawal(&trust.code, "W-4", &people::child(4), gateway.today()).to_string();
        let asked =
            || trust.post("/v1/consents/preview", "application/json", "none", withdrawal.clone());
        let shown = asked().await.expect("an answer");
        assert_eq!(shown.status, 200, "{}", shown.text());
        let effect = shown.json();
        let open = effect["open"].as_array().expect("open items");
        assert_eq!(open.len(), 1, "the authority's own request is only counted: {effect}");
        assert_eq!((&open[0]["now"], &open[0]["then"]), (&json!("queued"), &json!("withdrawn")));
        assert_eq!(effect["disclosed"][0]["recipient"], gateway.acute().code);
        assert_eq!(effect["disclosed"][0]["told"], true);
        assert_eq!(effect["told"], json!([gateway.acute().code]));
        assert_eq!(effect["of_others"], 1);
        assert_eq!(ledger(&gateway, 4).await.0.len(), 2, "nothing was recorded");
        assert_eq!(gateway.inbox(la).await.len(), 1, "nothing was stopped");
        assert_eq!(logged(&gateway, "consent.previewed").await, 1, "that somebody asked is logged");

        // The same at the machine itself, from a file and from standard input.
        let file = gateway.folder().join("withdrawal.json");
        std::fs::write(&file, &withdrawal).expect("a file");
        let path = file.to_str().expect("a path");
        let (code, said) =
            command(&gateway, &["consents", "preview", path, "--as", &trust.code], "");
        assert_eq!(code, Some(0));
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["etag"], effect["etag"], "it shows the same");
        let (code, said) = command(&gateway, &["consents", "history"], &people::nhs_number(4));
        assert_eq!(code, Some(0));
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["consents"].as_array().expect("entries").len(), 2);
        assert_eq!(command(&gateway, &["consents", "show"], "9990000000").0, Some(5));

        // Somebody collects meanwhile: what was shown is no longer so.
        let before = shown.header("etag").expect("a tag").to_owned();
        assert_eq!(collect(&gateway, la).await.len(), 1);
        let late = trust.post_if(&before, "/v1/consents", "w-4", withdrawal.clone()).await;
        assert_eq!(late.expect("an answer").status, 412);
        let again = asked().await.expect("an answer");
        let tag = again.header("etag").expect("a tag").to_owned();
        let done = trust.post_if(&tag, "/v1/consents", "w-4", withdrawal.clone()).await;
        let done = done.expect("an answer");
        assert_eq!(done.status, 201, "{}", done.text());
        gateway.end().await;
    });
}

#[test]
fn a_preview_by_somebody_who_never_dealt_with_the_person_says_nothing_of_who_did() {
    each_engine("ledger_stranger", |gateway| async move {
        let (trust, acute, stranger) = (gateway.mental(), gateway.acute(), gateway.community());
        let child = people::child(9);
        let subject = people::subject(&child);
        send(trust, "P-1", &gateway.plan("P-1", acute, &subject)).await;
        assert_eq!(collect(&gateway, acute).await.len(), 1);
        let shown = async |who: &Partner| {
            let ask = people::withdrawal(&who.code, "W-9", &child, gateway.today()).to_string();
            let reply = who.post("/v1/consents/preview", "application/json", "none", ask).await;
            let reply = reply.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
            reply.json()
        };
        // The acute trust has received it; of the sender's records it gets a number.
        for (who, of_others) in [(trust, 0), (acute, 1)] {
            let effect = shown(who).await;
            assert_eq!(effect["version"], 2, "{}: {effect}", who.code);
            assert_eq!(effect["of_others"], of_others, "{}: {effect}", who.code);
        }
        assert_eq!(shown(trust).await["told"], json!([acute.code]));
        let effect = shown(stranger).await;
        assert!(effect.get("version").is_none(), "{effect}");
        for (name, nothing) in [
            ("told", json!([])),
            ("of_others", json!(0)),
            ("open", json!([])),
            ("disclosed", json!([])),
        ] {
            assert_eq!(effect[name], nothing, "{name}: {effect}");
        }
        gateway.end().await;
    });
}

#[test]
fn agreement_that_names_fewer_recipients_or_classes_stops_at_once_what_it_no_longer_covers() {
    each_engine("ledger_narrowed", |gateway| async move {
        let (trust, acute, la) = (gateway.mental(), gateway.acute(), gateway.la());
        for (number, bound) in [
            (4, ("recipients", json!([la.code]))),
            (5, ("classes", json!(["identity", "consent"]))),
        ] {
            let subject = people::subject(&people::child(number));
            let id = format!("P-{number}");
            send(trust, &id, &gateway.plan(&id, acute, &subject)).await;
            assert_eq!(gateway.inbox(acute).await.len(), 1, "the plan waits to be fetched");
            let mut narrower = json!({
                "type": "consent.grant", "id": format!("G-{number}"), "sender": trust.code,
                "subject": subject,
                "consent": { "given_by": "parent", "date": gateway.today().to_string() },
            });
            narrower["consent"][bound.0] = bound.1;
            send(trust, &format!("G-{number}"), &narrower).await;
            assert!(gateway.inbox(acute).await.is_empty(), "narrower {} stop it", bound.0);
        }
        gateway.end().await;
    });
}

#[test]
fn a_grant_that_is_sent_again_does_not_undo_the_withdrawal_of_the_same_day() {
    each_engine("ledger_sent_again", |gateway| async move {
        let trust = gateway.mental();
        let subject = people::subject(&people::child(4));
        let today = gateway.today().to_string();
        let grant = json!({
            "type": "consent.grant", "id": "G-4", "sender": trust.code, "subject": subject,
            "consent": { "given_by": "parent", "date": today },
        });
        send(trust, "g-4", &grant).await;
        let withdrawal = people::withdrawal(&trust.code, "W-4", &people::child(4), gateway.today());
        send(trust, "w-4", &withdrawal).await;
        // A mailbox or a folder may bring the same message again, under another key.
        for (key, message) in [("g-4-again", &grant), ("w-4-again", &withdrawal)] {
            let reply = trust.send(key, message).await.expect("an answer");
            assert_eq!(reply.json()["rows"][0]["outcome"], "unchanged", "{}", reply.text());
        }
        let statuses: Vec<Value> =
            ledger(&gateway, 4).await.0.iter().map(|entry| entry["status"].clone()).collect();
        assert_eq!(statuses, ["given", "withdrawn"]);
        let reply = trust.send("p-4", &plan_without_consent(&gateway, &subject)).await;
        assert_eq!(reply.expect("an answer").status, 422, "nothing goes on it");
        gateway.end().await;
    });
}

/// A transition plan that says nothing of agreement.
fn plan_without_consent(gateway: &TestGateway, subject: &Value) -> Value {
    let mut message = gateway.plan("P-4", gateway.acute(), subject);
    message.as_object_mut().expect("an object").remove("consent");
    message
}

#[test]
fn a_withdrawal_in_a_message_that_is_refused_for_it_is_recorded_and_made_known() {
    each_engine("ledger_refused", |gateway| async move {
        let (trust, acute) = (gateway.mental(), gateway.acute());
        let subject = people::subject(&people::child(4));
        send(trust, "P-1", &gateway.plan("P-1", acute, &subject)).await;
        assert_eq!(collect(&gateway, acute).await.len(), 1, "it rested on agreement, and has gone");
        send(trust, "P-2", &gateway.plan("P-2", gateway.la(), &subject)).await;
        let mut message = gateway.plan("P-3", acute, &subject);
        message["consent"]["status"] = json!("withdrawn");
        let refused = trust.send("P-3", &message).await.expect("an answer");
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(refused.text().contains("consent-recorded-apart"), "{}", refused.text());
        let (entries, _) = ledger(&gateway, 4).await;
        assert_eq!(entries.last().expect("an entry")["status"], "withdrawn");
        assert!(gateway.inbox(gateway.la()).await.is_empty(), "what waited does not go");
        let told = collect(&gateway, acute).await;
        assert_eq!(told.len(), 1, "whoever relied on it is told, once");
        assert_eq!(told[0]["type"], "consent.withdraw");
        gateway.end().await;
    });
}

#[test]
fn whoever_relied_on_withdrawn_agreement_is_told_and_nobody_else() {
    each_engine("ledger_told", |gateway| async move {
        let trust = gateway.mental();
        let subject = people::subject(&people::child(5));
        send(trust, "P-1", &gateway.plan("P-1", gateway.acute(), &subject)).await;
        collect(&gateway, gateway.acute()).await;
        // This one never left, and its recipient learns nothing.
        send(trust, "P-2", &gateway.plan("P-2", gateway.la(), &subject)).await;

        let message =
            people::withdrawal(&trust.code, "W-5", &people::child(5), gateway.today()).to_string();
        let reply = trust.post("/v1/consents", "application/json", "w-5", message).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let row = &reply.json()["rows"][0];
        let listed = row["disclosures"].as_array().expect("disclosures");
        assert_eq!(listed.len(), 1, "{row}");
        assert_eq!(listed[0]["recipient"], gateway.acute().code);
        assert_eq!(listed[0]["authority"], "consent");
        assert_eq!((&listed[0]["arrived"], &listed[0]["told"]), (&json!(true), &json!(true)));

        let told = collect(&gateway, gateway.acute()).await;
        let withdrawn = told.iter().find(|message| message["type"] == "consent.withdraw");
        let withdrawn = withdrawn.expect("the withdrawal itself");
        assert_eq!(withdrawn["subject"]["nhs_number"], people::nhs_number(5));
        assert!(gateway.inbox(gateway.la()).await.is_empty(), "others are not told");
        assert!(gateway.inbox(gateway.community()).await.is_empty());
        gateway.end().await;
    });
}

#[test]
fn a_withdrawal_in_an_extract_is_made_known_by_a_message_of_its_own() {
    each_engine("ledger_extract", |gateway| async move {
        let trust = gateway.mental();
        let mut rows = vec![Row::new(6, "CAMHS")];
        gateway.push_rows("k-1", &rows).await;
        let subject = people::subject(&people::child(6));
        send(trust, "P-6", &gateway.plan("P-6", gateway.acute(), &subject)).await;
        collect(&gateway, gateway.acute()).await;

        rows[0].consent = "WITHDRAWN";
        let answer = gateway.push_rows("k-2", &rows).await;
        assert_eq!(answer.len(), 1, "the notice is no row of the extract");
        let told = collect(&gateway, gateway.acute()).await;
        let withdrawals = told.iter().filter(|message| message["type"] == "consent.withdraw");
        assert_eq!(withdrawals.count(), 1, "{told:?}");
        let statuses: Vec<Value> =
            ledger(&gateway, 6).await.0.iter().map(|entry| entry["status"].clone()).collect();
        let withdrawn = statuses.iter().filter(|status| **status == "withdrawn").count();
        assert_eq!(withdrawn, 1, "it is in the ledger once: {statuses:?}");
        gateway.end().await;
    });
}

/// A FHIR message with sender and recipient exchanged.
fn answered_in_kind(value: &Value, here: &str, there: &str) -> Value {
    match value {
        Value::String(text) if text.ends_with(here) => json!(text.replace(here, there)),
        Value::String(text) if text.ends_with(there) => json!(text.replace(there, here)),
        Value::Array(items) => {
            items.iter().map(|item| answered_in_kind(item, here, there)).collect()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), answered_in_kind(member, here, there)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn a_withdrawal_goes_out_and_comes_in_as_a_fhir_consent() {
    each_engine("ledger_fhir", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        gateway.request(8, "CAMHS").await;
        let mut message = people::withdrawal(&la.code, "W-8", &people::child(8), gateway.today());
        message["recipient"] = json!(trust.code);
        let reply = la.post("/v1/consents", "application/json", "w-8", message.to_string()).await;
        assert_eq!(reply.expect("an answer").status, 201);
        let mut bundle = Value::Null;
        for delivery in gateway.inbox(trust).await {
            let path = format!("/v1/inbox/{delivery}");
            let reply = trust.get(&path, Some("application/fhir+json")).await.expect("an answer");
            if reply.text().contains("\"Consent\"") {
                bundle = reply.json();
            }
        }
        let kinds: Vec<&Value> = bundle["entry"]
            .as_array()
            .expect("a bundle with a Consent")
            .iter()
            .map(|entry| &entry["resource"]["resourceType"])
            .collect();
        assert!(kinds.contains(&&json!("Consent")), "{kinds:?}");

        // The trust heard it from the family as well, and says so in the same form.
        let own = answered_in_kind(&bundle, &la.code, &trust.code).to_string();
        let media_type = "application/fhir+json";
        let reply = trust.post("/v1/consents", media_type, "w-8-trust", own).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let entries = ledger(&gateway, 8).await.0;
        let by: Vec<&Value> = entries.iter().map(|entry| &entry["recorded_by"]).collect();
        assert_eq!(by, [&json!(la.code), &json!(trust.code)]);
        assert!(entries.iter().all(|entry| entry["status"] == "withdrawn"), "{entries:?}");
        assert!(entries.iter().all(|entry| entry["given_by"] == "parent"), "{entries:?}");
        gateway.end().await;
    });
}
