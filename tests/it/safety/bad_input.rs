//! Bad input gets a clear problem, with a place and a next step, and leaves nothing behind.

use gateway::practice::client::Reply;
use gateway::practice::people::{self, Row};
use serde_json::{Value, json};
use tests::{Engine, TestGateway};

/// Nobody's name; if it comes back in an answer, an answer quotes its input.
const CANARY: &str = "Zyxquorn";

fn with_gateway(test: impl AsyncFnOnce(&TestGateway)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        test(&gateway).await;
        gateway.end().await;
    });
}

fn request(gateway: &TestGateway, id: &str) -> Value {
    let mut child = people::child(1);
    CANARY.clone_into(&mut child.family_name);
    people::request(&gateway.la().code, id, &child, &["SALT"], gateway.today())
}

fn assert_clear(what: &str, reply: &Reply, status: u16, code: &str) {
    let text = reply.text();
    assert_eq!(reply.status, status, "{what}: {text}");
    let problem = reply.json();
    assert_eq!(problem["code"], code, "{what}: {text}");
    assert_eq!(reply.media_type, "application/problem+json", "{what}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 20), "{what}: {text}");
    assert!(!text.contains(CANARY), "{what} quotes its input: {text}");
}

#[test]
fn every_kind_of_bad_message_gets_a_clear_problem() {
    with_gateway(async |gateway| {
        let la = gateway.la();
        let good = request(gateway, "B-1").to_string();
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let duplicate = good.replacen("\"id\":", "\"id\":\"B-0\",\"id\":", 1);
        let cases: [(&str, &str, Vec<u8>); 8] = [
            ("not JSON", "application/json", b"advice please".to_vec()),
            ("cut short", "application/json", good.as_bytes()[..good.len() - 9].to_vec()),
            ("duplicate key", "application/json", duplicate.into_bytes()),
            ("too deep", "application/json", deep.into_bytes()),
            ("wrong encoding", "application/json", [good.as_bytes(), &[0xff]].concat()),
            ("no Bundle", "application/fhir+json", b"{\"resourceType\":\"Zyxquorn\"}".to_vec()),
            ("no header row", "text/csv", format!("1,{CANARY},2\r\n").into_bytes()),
            ("open quote", "text/csv", format!("\"{CANARY},{CANARY}\r\n").into_bytes()),
        ];
        for (index, (what, media, body)) in cases.into_iter().enumerate() {
            let reply = la.post("/v1/messages", media, &format!("bad-{index}"), body).await;
            let reply = reply.expect("an answer");
            match what {
                "too deep" => assert_clear(what, &reply, 413, "too-large"),
                _ => assert_clear(what, &reply, 400, "malformed-message"),
            }
            let issue = &reply.json()["issues"][0];
            assert!(issue["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{what}");
            assert!(issue["next"].as_str().is_some_and(|next| !next.is_empty()), "{what}");
        }
        assert!(gateway.board(la).await.is_empty(), "something was stored");
    });
}

#[test]
fn every_problem_has_a_section_with_its_status() {
    let page = include_str!("../../../gateway/docs/problems.md");
    for kind in gateway::api::problem::Kind::ALL {
        let heading = format!("## {}", kind.code());
        let section = page.split_once(&heading).map(|(_, rest)| rest);
        let section = section.unwrap_or_else(|| panic!("problems.md has no {heading}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        assert!(section.contains(&kind.status().to_string()), "{heading} lacks its status");
    }
}

#[test]
fn every_wrong_field_is_named_at_once() {
    with_gateway(async |gateway| {
        let la = gateway.la();
        let mut message = request(gateway, "B-2");
        message["subject"]["nhs_number"] = json!("9991234560");
        message["subject"]["date_of_birth"] = json!("2015-02-30");
        message["request"]["requested_on"] = json!("2099-01-01");
        message["request"]["services"] = json!(["SALT", "!"]);
        let reply = la.send("b-2", &message).await.expect("an answer");
        assert_clear("wrong fields", &reply, 422, "message-refused");
        let problem = reply.json();
        let fields: Vec<&str> = problem["issues"]
            .as_array()
            .expect("issues")
            .iter()
            .filter_map(|issue| issue["field"].as_str())
            .collect();
        for field in [
            "subject.nhs_number",
            "subject.date_of_birth",
            "request.requested_on",
            "request.services",
        ] {
            assert!(fields.contains(&field), "{field} is not named in {fields:?}");
        }
        assert!(gateway.board(la).await.is_empty());
    });
}

#[test]
fn wrong_requests_say_what_is_missing() {
    with_gateway(async |gateway| {
        let la = gateway.la();
        let good = request(gateway, "B-3").to_string();
        let reply = la.post("/v1/messages", "application/json", "", good.clone()).await;
        assert_clear("no key", &reply.expect("an answer"), 400, "idempotency-key-missing");
        let reply = la.post("/v1/messages", "text/plain", "b-4", good.clone()).await;
        assert_clear("wrong type", &reply.expect("an answer"), 415, "unsupported-media-type");
        let large = vec![b' '; adapters::limits::SUBMISSION_BYTES_MAX + 1];
        let reply = la.post("/v1/messages", "application/json", "b-5", large).await;
        assert_clear("too large", &reply.expect("an answer"), 413, "too-large");
        let reply = la.get("/v1/nothing-here", None).await.expect("an answer");
        assert_clear("no route", &reply, 404, "not-found");
        let reply = la.get("/v1/board?limit=0", None).await.expect("an answer");
        assert_clear("wrong limit", &reply, 400, "invalid-parameter");
        let reply = la.get("/v1/inbox/not-an-id", None).await.expect("an answer");
        assert_clear("wrong id", &reply, 404, "not-found");
        let mut other = request(gateway, "B-6");
        other["sender"] = json!("RRK");
        let reply = la.send("b-6", &other).await.expect("an answer");
        assert_clear("another's name", &reply, 422, "message-refused");
        assert_eq!(reply.json()["issues"][0]["rule"], "sender-not-you");
    });
}

#[test]
fn a_formula_in_a_cell_is_refused_and_never_repeated() {
    with_gateway(async |gateway| {
        let mut row = Row::new(1, "SALT");
        row.child.family_name = format!("=cmd|'{CANARY}'!A1");
        let answer = gateway.push_rows("f-1", &[row]).await;
        assert_eq!(answer[0]["outcome"], "quarantined");
        let text = answer[0].to_string();
        assert!(text.contains("formula-cell"), "{text}");
        assert!(!text.contains(CANARY), "{text}");
    });
}
