//! Who looked at a list a child stood on, and the log searched in every way.

use std::io::Write as _;
use std::process::Stdio;

use gateway::audit::{Entry, EventKind};
use gateway::practice::client::Partner;
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

const CHILD: u32 = 71;

async fn post(partner: &Partner, path: &str, body: &Value) -> (u16, Value) {
    let reply = partner.post(path, "application/json", "search", body.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(!reply.text().contains(&people::nhs_number(CHILD)), "{}", reply.text());
    (reply.status, reply.json())
}

async fn search(gateway: &TestGateway, more: Value) -> Value {
    let mut body = json!({ "reason": "routine-check" });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let (status, found) = post(gateway.auditor(), "/v1/audit/search", &body).await;
    assert_eq!(status, 200, "{found}");
    found
}

async fn seen(gateway: &TestGateway, child: u32, more: Value) -> Value {
    let mut body = json!({ "nhs_number": people::nhs_number(child), "reason": "complaint" });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let (status, answer) = post(gateway.auditor(), "/v1/audit/who-has-seen", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn get(partner: &Partner, path: &str) -> Value {
    let reply = partner.get(path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

/// What another program says of a proof: how many lists are proved, or that one is not.
fn python(proof: &gateway::access_report::AccessProof) -> Option<Result<String, String>> {
    let mut command = tests::peers::script("log_looks.py")?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the peer starts");
    let text = serde_json::to_vec(proof).expect("JSON");
    child.stdin.take().expect("a pipe").write_all(&text).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some(if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) })
}

/// What `audit search` ends with, prints and says, given this on standard input.
fn command(gateway: &TestGateway, flags: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = tests::binary::command();
    command.args(["audit", "search"]).args(flags).arg("-c").arg(gateway.cast.config_path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command runs");
    // A command that does not read it may be gone already.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn kinds(found: &Value) -> Vec<String> {
    let entries = found["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["kind"].as_str().expect("a kind").to_owned()).collect()
}

/// The lists that somebody who asks is told of: what, by whom, how often, how many lines.
fn lists(answer: &Value) -> Vec<(String, String, u64, u64)> {
    let lists = answer["report"]["lists"].as_array().expect("lists");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let line = |list: &Value| {
        (
            text(&list["what"]),
            text(&list["organisation"]),
            number(&list["looks"]),
            number(&list["lines"]),
        )
    };
    lists.iter().map(line).collect()
}

#[test]
fn every_list_a_child_stood_on_is_told_and_no_other() {
    each_engine("looks_at_lists", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        gateway.request(CHILD, "CAMHS").await;
        gateway.request(CHILD + 1, "PAEDIATRICS").await;
        gateway.held(CHILD + 2).await;
        get(la, "/v1/board").await;
        get(la, "/v1/board").await;
        get(trust, "/v1/board").await;
        get(gateway.auditor(), "/v1/holds").await;
        get(la, "/v1/questions").await;
        get(la, "/v1/reviews").await;
        get(la, "/v1/clocks").await;
        get(la, "/v1/transitions").await;

        let board = |organisation: &str, looks, lines| {
            ("the board of who owes what".to_owned(), organisation.to_owned(), looks, lines)
        };
        let holds = ("what is held".to_owned(), gateway.auditor().code.clone(), 1, 1);
        // The trust was asked about one child; of what is held it is shown nothing.
        let first = seen(&gateway, CHILD, json!({})).await;
        assert_eq!(lists(&first), [board("RXT", 1, 1), board("334", 2, 3)]);
        let second = seen(&gateway, CHILD + 1, json!({})).await;
        assert_eq!(lists(&second), [board("334", 2, 3)]);
        let third = seen(&gateway, CHILD + 2, json!({})).await;
        assert_eq!(lists(&third), [holds, board("334", 2, 3)]);
        let looks = &first["report"]["organisations"];
        assert!(looks.to_string().contains("\"looks\":2"), "{looks}");

        // A family is told of no list, and of nothing held by one.
        let family = json!({ "for_family": true, "reason": "family-question" });
        for child in [CHILD, CHILD + 2] {
            let told = seen(&gateway, child, family.clone()).await.to_string();
            assert!(!told.contains("list of what") && !told.contains("board"), "{told}");
            assert!(!told.contains("held") && !told.contains("stood"), "{told}");
        }
        gateway.end().await;
    });
}

#[test]
fn the_link_between_a_look_at_a_list_and_the_child_can_be_proved_of_nobody_else() {
    each_engine("looks_proved", |gateway| async move {
        gateway.request(CHILD, "CAMHS").await;
        gateway.request(CHILD + 1, "CAMHS").await;
        get(gateway.la(), "/v1/board").await;
        let answer = seen(&gateway, CHILD, json!({ "proof": true })).await;
        let proof: gateway::access_report::AccessProof =
            serde_json::from_value(answer["proof"].clone()).expect("a proof");
        let key = gateway.cast.app().log_vkey.clone();
        let proved = gateway::access_report::verify(&proof, &key);
        assert_eq!(proved.faults, [], "{proof:?}");
        assert_eq!(proved.account.lists.len(), 1);
        assert_eq!(proof.lists[0].commitments.len(), 2);

        // Somebody else's pseudonym, another salt, a list of fewer, and nothing at all.
        let stranger = seen(&gateway, CHILD + 1, json!({ "proof": true })).await;
        let other: gateway::access_report::AccessProof =
            serde_json::from_value(stranger["proof"].clone()).expect("a proof");
        let mut swapped = proof.clone();
        swapped.lists[0].subject = other.lists[0].subject;
        let mut salted = proof.clone();
        salted.lists[0].salt = other.lists[0].salt.clone();
        let mut fewer = proof.clone();
        fewer.lists[0].commitments.pop();
        let mut nothing = proof.clone();
        nothing.lists.clear();
        if let Some(said) = python(&proof) {
            assert_eq!(said, Ok("1".to_owned()), "another program, written from the document");
        }
        for altered in [swapped, salted, fewer, nothing] {
            assert!(python(&altered).is_none_or(|said| said.is_err()), "{altered:?}");
            let faults = gateway::access_report::verify(&altered, &key).faults;
            assert_eq!(faults.len(), 1, "{altered:?}");
            assert!(faults[0].to_string().contains("on the list"), "{faults:?}");
        }
        gateway.end().await;
    });
}

fn at_the_machine(gateway: &TestGateway, number: &str) {
    // At the machine: a child comes on standard input, never on the command line.
    let flags = ["--reason", "incident", "--child", "--kind", "delivery.collected"];
    let (code, data, talk) = command(gateway, &flags, number);
    assert_eq!(code, Some(0), "{talk}");
    assert!(data.contains("Practice Mental Health NHS Trust (RXT)"), "{data}");
    assert!(data.contains("fetched \"Request for advice"), "{data}");
    assert!(!format!("{data}{talk}").contains(number), "{data}{talk}");
    assert!(talk.contains("That you asked is entry"), "{talk}");
    let flags = ["--reason", "incident", "--user-of", "334", "--limit", "1"];
    let (code, data, talk) = command(gateway, &flags, "officer-1");
    assert_eq!(code, Some(0), "{talk}");
    assert!(data.contains("looked at the board") && talk.contains("--before"), "{data}{talk}");
    for wrong in [&["--child"][..], &["--kind", "everything"], &["--person", "Alice"]] {
        let flags = [&["--reason", "incident"], wrong].concat();
        assert_eq!(command(gateway, &flags, "nobody").0, Some(5), "{wrong:?}");
    }
}

async fn refused(gateway: &TestGateway, number: &str) {
    for other in [gateway.la(), gateway.mental()] {
        let asked = json!({ "reason": "complaint" });
        assert_eq!(post(other, "/v1/audit/search", &asked).await.0, 403);
    }
    let wrong = [
        json!({}),
        json!({ "reason": "curiosity" }),
        json!({ "reason": "complaint", "kinds": ["everything"] }),
        json!({ "reason": "complaint", "nhs_number": "999" }),
        json!({ "reason": "complaint", "nhs_number": number, "person_id": "x", "id_of": "334" }),
        json!({ "reason": "complaint", "person": "Alice" }),
        json!({ "reason": "complaint", "purpose": "Anna Example" }),
        json!({ "reason": "complaint", "limit": 501 }),
        json!({ "reason": "complaint", "surname": "Example" }),
    ];
    for asked in wrong {
        let (status, problem) = post(gateway.auditor(), "/v1/audit/search", &asked).await;
        assert_eq!(status, 400, "{asked}: {problem}");
        assert!(!problem.to_string().contains("Example"), "{problem}");
    }
}

#[test]
fn an_officer_searches_the_log_in_every_way_and_that_is_in_it_first() {
    each_engine("log_search", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let went = gateway.request(CHILD, "CAMHS").await;
        get(trust, &format!("/v1/inbox/{went}")).await;
        gateway.held(CHILD + 1).await;
        get(la, "/v1/board").await;

        let number = people::nhs_number(CHILD);
        let before = gateway.cast.app().log_size().await.expect("a size");
        let child = search(&gateway, json!({ "nhs_number": number })).await;
        assert_eq!(child["entry"], before, "the asking is the next entry");
        let rows = gateway.cast.app().store.audit_rows_at(&[before]).await.expect("the log");
        let asking = Entry::parse(&rows[0].leaf).expect("an entry").event;
        assert_eq!(asking.kind, EventKind::AuditViewed);
        assert_eq!((&*asking.detail["what"], &*asking.detail["by"]), ("search", "child"));
        assert_eq!(asking.detail["reason"], "routine-check");
        assert!(asking.actor.person.is_some());
        let found = kinds(&child);
        assert_eq!(found[..3], ["audit.viewed", "board.viewed", "delivery.collected"], "{found:?}");
        assert!(found.contains(&"record.accepted".to_owned()), "{found:?}");
        let key = gateway
            .cast
            .app()
            .vault
            .pseudonyms()
            .key_of_nhs_number(&schemas::NhsNumber::parse(&number).expect("a number"));
        assert!(!child.to_string().contains(&key.to_hex()), "the whole pseudonym is told");
        assert!(key.to_hex().starts_with(child["entries"][0]["about"].as_str().expect("a part")));

        let person = asking.actor.person.clone().expect("a person");
        let collected = json!(["delivery.collected"]);
        let ways = [
            (json!({ "person": person }), "audit.viewed"),
            (json!({ "organisation": "RXT" }), "delivery.collected"),
            (json!({ "counterparty": "RXT", "kinds": collected }), "delivery.collected"),
            (json!({ "kinds": ["board.viewed"] }), "board.viewed"),
            (json!({ "purpose": "routine-check" }), "audit.viewed"),
            (json!({ "authority": "statute", "kinds": collected }), "delivery.collected"),
            (json!({ "outcome": "hold" }), "sharing.decided"),
            (json!({ "from": gateway.today().to_string() }), "audit.viewed"),
        ];
        for (way, newest) in ways {
            let found = search(&gateway, way.clone()).await;
            assert_eq!(kinds(&found)[0], newest, "{way}: {found}");
            let asked = found["entry"].as_u64().expect("a place");
            let rows = gateway.cast.app().store.audit_rows_at(&[asked]).await.expect("the log");
            let said = String::from_utf8(rows[0].leaf.clone()).expect("text");
            let by: Vec<&String> = way.as_object().expect("members").keys().collect();
            let by = by.iter().all(|name| said.contains(name.trim_end_matches('s')));
            assert!(by, "{way}: {said}");
        }
        let user = json!({ "user": "officer-1", "user_of": gateway.auditor().code });
        assert_eq!(kinds(&search(&gateway, user).await)[0], "audit.viewed");
        let tomorrow = gateway.today().tomorrow().expect("a day").to_string();
        assert!(kinds(&search(&gateway, json!({ "from": tomorrow })).await).is_empty());

        at_the_machine(&gateway, &number);

        // Page by page there is everything, once.
        let mut places = Vec::new();
        let mut page = search(&gateway, json!({ "limit": 4 })).await;
        loop {
            let entries = page["entries"].as_array().expect("entries");
            places.extend(entries.iter().map(|entry| entry["entry"].as_u64().expect("a place")));
            let Some(next) = page.get("next_before").cloned() else { break };
            page = search(&gateway, json!({ "limit": 4, "before": next })).await;
        }
        assert!(places.windows(2).all(|pair| pair[0] == pair[1] + 1), "{places:?}");
        assert_eq!(places.last(), Some(&0));

        refused(&gateway, &number).await;
        gateway.end().await;
    });
}
