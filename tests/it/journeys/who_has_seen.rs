//! Who saw this child's record, why, and can you prove it.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use gateway::audit::EventKind;
use gateway::practice::client::Partner;
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

const CHILD: u32 = 61;

/// What a partner is answered when it asks who has seen a record.
async fn ask(partner: &Partner, more: &Value) -> (u16, Value) {
    let mut body = json!({ "nhs_number": people::nhs_number(CHILD), "reason": "complaint" });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let path = "/v1/audit/who-has-seen";
    let reply = partner.post(path, "application/json", "look", body.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(!reply.text().contains(&people::nhs_number(CHILD)), "{}", reply.text());
    (reply.status, reply.json())
}

/// What a command ends with, prints and says, given this on standard input.
fn command(
    gateway: &TestGateway,
    arguments: &[&str],
    input: &str,
) -> (Option<i32>, String, String) {
    let mut command = tests::binary::command();
    command.args(["audit", "who-has-seen"]).args(arguments);
    command.arg("-c").arg(gateway.cast.config_path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // A command that refuses its arguments is gone before it reads.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn verify(file: &std::path::Path, key: &str) -> (Option<i32>, String) {
    let output = tests::binary::command()
        .args(["evidence", "verify"])
        .arg(file)
        .args(["--key", key])
        .output()
        .expect("it runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
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
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

/// Everything people do about a child: a request is collected and looked at in every way, another
/// is held and asked about. Gives the leg that went and the one that is held.
async fn a_life(gateway: &TestGateway) -> (String, String) {
    let (la, trust) = (gateway.la(), gateway.mental());
    let went = gateway.request(CHILD, "CAMHS").await;
    get(trust, &format!("/v1/inbox/{went}")).await;
    let line = gateway.board(la).await.remove(0);
    let record = line["record"].as_str().expect("a record").to_owned();
    get(la, &format!("/v1/records/{record}/journey")).await;
    get(la, &format!("/v1/legs/{went}/evidence")).await;
    let case = act(la, "/v1/cases/find", json!({ "record": record })).await;
    get(la, &format!("/v1/cases/{}", case["case"].as_str().expect("an id"))).await;
    let whose = json!({ "nhs_number": people::nhs_number(CHILD) });
    act(gateway.auditor(), "/v1/consents/find", whose).await;
    let (_, held) = gateway.held(CHILD).await;
    get(gateway.auditor(), &format!("/v1/holds/{held}")).await;
    let question = json!({ "of": "recipient", "question": "is-this-the-right-service" });
    let asked = act(la, &format!("/v1/holds/{held}/questions"), question).await;
    let question = asked["question"]["id"].as_str().expect("an id");
    act(trust, &format!("/v1/questions/{question}/answer"), json!({ "answer": "yes" })).await;
    // Another child, of whom nothing may appear.
    gateway.request(CHILD + 1, "CAMHS").await;
    (went, held)
}

fn whats(lines: &Value) -> Vec<String> {
    let lines = lines.as_array().expect("lines");
    lines.iter().map(|line| line["what"].as_str().expect("words").to_owned()).collect()
}

#[test]
fn an_officer_is_told_who_saw_what_and_why_and_the_asking_is_in_the_log_first() {
    each_engine("who_has_seen", |gateway| async move {
        a_life(&gateway).await;
        let before = gateway.cast.app().log_size().await.expect("a size");
        let (status, answer) = ask(gateway.auditor(), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        let report = &answer["report"];
        assert_eq!(report["entry"], before, "the asking is the next entry");
        let entries = gateway.cast.app().store.audit_rows_at(&[before]).await.expect("the log");
        let asking = gateway::audit::Entry::parse(&entries[0].leaf).expect("an entry").event;
        assert_eq!(asking.kind, EventKind::AuditViewed);
        assert_eq!(asking.detail["what"], "who-has-seen");
        assert_eq!(asking.detail["reason"], "complaint");
        assert!(asking.subject.is_some() && asking.actor.person.is_some());

        let request = "\"Request for advice and information\" (advice.request)";
        assert_eq!(
            whats(&report["seen"]),
            [
                "asked who has seen the record".to_owned(),
                format!("answered about what is held: {request}"),
                format!("asked about what is held: {request}"),
                format!("looked at what is held: {request}"),
                "read what is recorded of agreement to share".to_owned(),
                "looked at the messages of the case".to_owned(),
                format!("made an evidence pack of {request}"),
                format!("looked at what happened to {request}"),
                format!("fetched {request}"),
            ]
        );
        let fetched = &report["seen"][8];
        assert_eq!(fetched["organisation"], "RXT");
        assert_eq!(fetched["authority"], "statute");
        assert!(fetched["why"].as_str().expect("why").contains("regulation 6(1)"), "{fetched}");
        let not_given = whats(&report["not_given"]);
        assert_eq!(not_given, [format!("held: {request}")]);
        let of_trust = report["organisations"].as_array().expect("organisations");
        let of_trust = of_trust.iter().find(|one| one["organisation"] == "RXT").expect("RXT");
        assert_eq!((&of_trust["given"], &of_trust["not_given"]), (&json!(1), &json!(1)));
        assert_eq!(report["other_entries"]["record.accepted"], 2, "{report}");

        // It is asked again: the first asking is a look too. Nobody else may ask.
        let (_, again) = ask(gateway.auditor(), &json!({ "reason": "routine-check" })).await;
        assert_eq!(whats(&again["report"]["seen"]).len(), 10);
        for other in [gateway.la(), gateway.mental()] {
            assert_eq!(ask(other, &json!({})).await.0, 403);
        }
        for wrong in [json!({ "reason": "curiosity" }), json!({ "person_id": "x" })] {
            assert_eq!(ask(gateway.auditor(), &wrong).await.0, 400, "{wrong}");
        }
        let tomorrow = gateway.today().tomorrow().expect("a day").to_string();
        let (_, none) = ask(gateway.auditor(), &json!({ "from": tomorrow })).await;
        assert_eq!(none["report"]["seen"], json!([]));
        gateway.end().await;
    });
}

#[test]
fn at_the_machine_the_answer_is_a_table_with_a_proof_that_anybody_can_check() {
    each_engine("who_has_seen_command", |gateway| async move {
        a_life(&gateway).await;
        let number = people::nhs_number(CHILD);
        let file = gateway.folder().join("proof.json");
        let path = file.to_str().expect("a path");
        let (code, data, talk) =
            command(&gateway, &["--reason", "incident", "--proof", path], &number);
        assert_eq!(code, Some(0), "{talk}");
        assert!(data.contains("Practice Mental Health NHS Trust (RXT)"), "{data}");
        assert!(data.contains("Asked for and not given"), "{data}");
        assert!(data.contains("reason: incident"), "{data}");
        let key = gateway.cast.app().log_vkey.clone();
        let (code, said) = verify(&file, &key);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("looked at 8 times, on a list that was looked at 1 times"), "{said}");

        // One byte of one leaf is another thing said.
        let text = std::fs::read_to_string(&file).expect("a proof");
        let mut proof: Value = serde_json::from_str(&text).expect("JSON");
        let leaf = proof["log"]["entries"][0]["leaf"].as_str().expect("a leaf").to_owned();
        proof["log"]["entries"][0]["leaf"] = json!(leaf.replacen('e', "f", 1));
        std::fs::write(&file, proof.to_string()).expect("written");
        assert_eq!(verify(&file, &key).0, Some(6));
        let (code, _, talk) =
            command(&gateway, &["--reason", "incident", "--proof", path], &number);
        assert_eq!(code, Some(5), "a file is never written over: {talk}");

        let stranger = people::nhs_number(CHILD + 30);
        assert_eq!(command(&gateway, &["--reason", "incident"], &stranger).0, Some(3));
        assert_eq!(command(&gateway, &["--reason", "incident"], "not a number").0, Some(5));
        let (code, _, talk) = command(&gateway, &[], &number);
        assert_eq!(code, Some(2), "a reason is asked for: {talk}");
        assert!(talk.contains("--reason"), "{talk}");
        gateway.end().await;
    });
}

#[test]
fn a_record_under_another_pseudonym_is_found_once_they_are_known_to_be_one_person() {
    each_engine("who_has_seen_matched", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let child = people::child(CHILD);
        let mut message = people::request(&la.code, "W-1", &child, &["CAMHS"], gateway.today());
        message["subject"].as_object_mut().expect("a subject").remove("nhs_number");
        let reply = la.send("w-1", &message).await.expect("an answer").json();
        let leg = reply["rows"][0]["legs"][0]["leg"].as_str().expect("a leg");
        get(trust, &format!("/v1/inbox/{leg}")).await;
        let (_, before) = ask(gateway.auditor(), &json!({})).await;
        assert_eq!(whats(&before["report"]["seen"]).len(), 1, "only the asking");
        let input = child.la_person_id.clone();
        let arguments = ["--reason", "complaint", "--id-of", "334"];
        let (code, data, talk) = command(&gateway, &arguments, &input);
        assert_eq!(code, Some(0), "{talk}");
        assert!(data.contains("fetched"), "by the authority's own id: {data}");

        let event = json!({
            "type": "person.match", "id": "W-2", "sender": la.code, "recipient": trust.code,
            "acting": { "user": "worker-17" }, "subject": people::subject(&child),
            "particulars": {
                "effective_on": gateway.today().to_string(),
                "old_person_id": child.la_person_id, "new_nhs_number": child.nhs_number,
            },
        });
        assert_eq!(la.send("w-2", &event).await.expect("an answer").status, 201);
        let (_, after) = ask(gateway.auditor(), &json!({})).await;
        let seen = whats(&after["report"]["seen"]);
        assert!(seen.iter().any(|what| what.starts_with("fetched ")), "{seen:?}");
        gateway.end().await;
    });
}

#[test]
fn a_family_is_told_who_was_given_what_and_nothing_that_could_harm() {
    each_engine("who_has_seen_family", |gateway| async move {
        a_life(&gateway).await;
        let family = json!({ "for_family": true, "reason": "family-question" });
        let (status, answer) = ask(gateway.auditor(), &family).await;
        assert_eq!(status, 200, "{answer}");
        let text = answer.to_string();
        assert!(text.contains("Practice Mental Health NHS Trust"), "{text}");
        assert!(text.contains("was given: Request for advice and information"), "{text}");
        for secret in ["held", "hold", "restriction", "rule", "entry", "person\"", "RXT"] {
            assert!(!text.contains(secret), "{secret} is told: {text}");
        }
        let number = people::nhs_number(CHILD);
        let arguments = ["--reason", "family-question", "--for-family"];
        let (code, data, talk) = command(&gateway, &arguments, &number);
        assert_eq!(code, Some(0), "{talk}");
        assert!(data.contains("asks for this or allows it"), "{data}");
        let both = json!({ "for_family": true, "proof": true });
        assert_eq!(ask(gateway.auditor(), &both).await.0, 400, "a proof has pseudonyms");

        // An address that is protected: even the name of a hospital may tell where it is.
        let la = gateway.la();
        let message = json!({
            "type": "consent.restriction", "id": "W-R", "sender": la.code,
            "subject": people::subject(&people::child(CHILD)),
            "consent": {
                "status": "restricted", "restriction": "protected-address",
                "date": gateway.today().to_string(),
            },
        });
        assert_eq!(la.send("w-r", &message).await.expect("an answer").status, 201);
        let (status, answer) = ask(gateway.auditor(), &family).await;
        assert_eq!(status, 403, "{answer}");
        assert!(!answer.to_string().contains("Trust"), "{answer}");
        let (code, data, talk) = command(&gateway, &arguments, &number);
        assert_eq!((code, data.as_str()), (Some(5), ""), "{talk}");
        gateway.end().await;
    });
}
