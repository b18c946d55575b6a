//! Why somebody looked: said with the look, kept with it, told to whoever asks; and a look in vain.

use gateway::api::{Purposes, ROUTES, purposes};
use gateway::audit::purpose::Purpose;
use gateway::peer::Role;
use gateway::practice::client::Partner;
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{Engine, TestGateway, each_engine};

const CHILD: u32 = 91;

async fn get(partner: &Partner, path: &str) -> (u16, Value) {
    let reply = partner.get(path, None).await.expect("an answer");
    (reply.status, reply.json())
}

async fn post(partner: &Partner, path: &str, body: &Value) -> (u16, Value) {
    let reply = partner.post(path, "application/json", "purposes", body.to_string()).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json())
}

/// What an officer is told of the child, or a family.
async fn seen(gateway: &TestGateway, for_family: bool) -> Value {
    let body = json!({
        "nhs_number": people::nhs_number(CHILD), "reason": "complaint", "for_family": for_family,
    });
    let (status, answer) = post(gateway.auditor(), "/v1/audit/who-has-seen", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Each line of a list: who, what and why.
fn lines(list: &Value) -> Vec<[String; 3]> {
    let text = |line: &Value, name: &str| line[name].as_str().expect("text").to_owned();
    let lines = list.as_array().expect("lines").iter();
    lines.map(|line| ["organisation", "what", "why"].map(|name| text(line, name))).collect()
}

fn command(gateway: &TestGateway, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = tests::binary::command();
    command.arg("audit").args(arguments).arg("-c").arg(gateway.cast.config_path());
    let output = command.output().expect("the command runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn a_look_keeps_the_purpose_that_was_said_and_officers_are_told_it_and_search_by_it() {
    each_engine("purposes", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        // An act has its own reasons: there the header is not read.
        let unread = la.for_purpose("curiosity");
        let child = people::child(CHILD);
        let message = people::request(&la.code, "P-1", &child, &["CAMHS"], gateway.today());
        let sent = unread.send("p-1", &message).await.expect("an answer");
        assert_eq!(sent.status, 201, "{}", sent.text());
        let row = &sent.json()["rows"][0];
        let went = row["legs"][0]["leg"].as_str().expect("a leg").to_owned();
        let record = row["record"].as_str().expect("a record").to_owned();

        let work = la.for_purpose("direct-work");
        let journey = format!("/v1/records/{record}/journey");
        let inbox = format!("/v1/inbox/{went}");
        assert_eq!(get(&trust.for_purpose("safeguarding"), &inbox).await.0, 200);
        for who in [&work, la] {
            assert_eq!(get(who, &journey).await.0, 200);
            assert_eq!(get(who, "/v1/board").await.0, 200);
        }
        let (status, case) = post(&work, "/v1/cases/find", &json!({ "record": record })).await;
        assert_eq!(status, 200, "{case}");
        let case = format!("/v1/cases/{}", case["case"].as_str().expect("an id"));
        assert_eq!(get(&la.for_purpose("quality-check"), &case).await.0, 200);
        let verifying = trust.for_purpose("log-verification");
        let entries = verifying.get("/v1/audit/entries?limit=1", None).await.expect("an answer");
        assert_eq!(entries.status, 200);
        for path in [journey.as_str(), "/v1/board", inbox.as_str()] {
            let (status, problem) = get(&unread, path).await;
            assert_eq!((status, &problem["code"]), (400, &json!("invalid-parameter")), "{path}");
            let said = problem["detail"].as_str().expect("a sentence");
            assert!(Purpose::codes().iter().all(|code| said.contains(code)), "{said}");
            assert!(!said.contains("curiosity"), "{said}");
        }

        let report = &seen(&gateway, false).await["report"];
        let told = lines(&report["seen"]);
        let whys: Vec<&str> = told.iter().map(|[_, _, why]| why.as_str()).collect();
        let (said, not_said) = ("work on the child's case (direct-work)", "not said");
        let checking = "checking that what is recorded is right (quality-check)";
        assert_eq!(whys[..4], ["reason: complaint", checking, not_said, said], "{told:?}");
        assert!(whys[4].ends_with("; purpose: somebody may be at risk (safeguarding)"), "{told:?}");
        assert_eq!(report["seen"][3]["purpose"], "direct-work");
        let boards = lines(&report["lists"]);
        let whys: Vec<&str> = boards.iter().map(|[_, _, why]| why.as_str()).collect();
        assert_eq!(whys, [not_said, said], "{boards:?}");
        let family = seen(&gateway, true).await.to_string();
        assert!(family.contains("looked at the list of messages of the case"), "{family}");
        for code in ["quality-check", "direct-work", "safeguarding", "recorded is right"] {
            assert!(!family.contains(code), "{family}");
        }

        let wanted = json!({ "reason": "routine-check", "purpose": "direct-work" });
        let (status, found) = post(gateway.auditor(), "/v1/audit/search", &wanted).await;
        assert_eq!(status, 200, "{found}");
        let found: Vec<(&str, &str)> = found["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|one| (one["kind"].as_str().expect("a kind"), one["why"].as_str().expect("why")))
            .collect();
        let looks = ["standing.viewed", "board.viewed", "journey.viewed"];
        assert_eq!(found, looks.map(|kind| (kind, said)));
        let searched = ["search", "--reason", "incident", "--purpose", "log-verification"];
        let (code, data) = command(&gateway, &searched);
        assert_eq!(code, Some(0), "{data}");
        assert!(data.contains("read entries of the log"), "{data}");
        assert!(data.contains("verifying the log (log-verification)"), "{data}");
        // What entries are found by is compared with what they say.
        assert_eq!(command(&gateway, &["verify"]).0, Some(0));
        gateway.end().await;
    });
}

#[test]
fn where_a_purpose_is_required_no_look_at_a_child_is_answered_without_one_and_machines_go_on() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let gateway = gateway.restart_after(|folder| {
            let file = folder.join("ehc-gateway.toml");
            let config = std::fs::read_to_string(&file).expect("a configuration");
            let config = format!("{config}\n[audit]\nrequire_purpose = true\n");
            std::fs::write(file, config).expect("a configuration");
        });
        let gateway = gateway.await;
        let (la, auditor) = (gateway.la(), gateway.auditor());
        gateway.request(CHILD, "CAMHS").await;
        let id = uuid::Uuid::nil().to_string();
        let mut wanted = 0;
        for route in ROUTES.iter().filter(|route| purposes(route.id) == Purposes::Wanted) {
            let who = if route.roles.contains(&Role::LaCaseSystem) { la } else { auditor };
            let parts = route.path.split('/');
            let parts = parts.map(|part| if part.starts_with('{') { id.as_str() } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            let (status, problem) = match route.method {
                "GET" => get(who, &path).await,
                _ => post(who, &path, &json!({})).await,
            };
            assert_eq!(status, 400, "{path}: {problem}");
            let said = problem["detail"].as_str().expect("a sentence");
            assert!(said.contains("in the header EHC-Purpose"), "{path}: {said}");
            wanted += 1;
        }
        assert!(wanted > 20, "{wanted}");
        assert_eq!(get(&la.for_purpose("direct-work"), "/v1/board").await.0, 200);
        for path in ["/v1/inbox", "/v1/audit/tile/entries/000.p/1", "/v1/reconciliations"] {
            let reply = gateway.mental().get(path, None).await.expect("an answer");
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        }
        // Who asks for a reason in the body has it there.
        let report = &seen(&gateway, false).await["report"];
        assert_eq!(lines(&report["seen"])[0][2], "reason: complaint");
        gateway.end().await;
    });
}

#[test]
fn who_asks_for_a_childs_ledger_in_vain_has_read_nothing_and_officers_are_told_that_they_asked() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, neighbour) = TestGateway::start(Engine::Sqlite).await.with_neighbour().await;
        let whose = json!({ "nhs_number": people::nhs_number(CHILD) });
        let la = gateway.la();
        for who in [&neighbour, la] {
            let (status, answer) = post(who, "/v1/consents/find", &whose).await;
            assert_eq!((status, answer), (200, json!({ "consents": [] })));
        }
        gateway.request(CHILD, "CAMHS").await;
        assert_eq!(post(la, "/v1/consents/find", &whose).await.0, 200);
        let report = &seen(&gateway, false).await["report"];
        let vain = "asked what is recorded of agreement to share, and was told nothing";
        let asked =
            |organisation: &str| [organisation, vain, "rule: not-concerned"].map(str::to_owned);
        assert_eq!(lines(&report["not_given"]), [asked("334"), asked(&neighbour.code)]);
        let read = lines(&report["seen"]);
        assert_eq!(read.len(), 2, "the asking, and one who read: {read:?}");
        assert_eq!(read[1][..2], ["334", "read what is recorded of agreement to share"]);
        let family = seen(&gateway, true).await["for_family"].clone();
        assert!(!family.to_string().contains("Neighbouring"), "{family}");
        let lines = family.as_array().expect("lines");
        let readers = lines.iter().filter(|line| line["what"].to_string().contains("agreement"));
        assert_eq!(readers.count(), 0, "nothing was fetched that could be told: {family}");
        gateway.end().await;
    });
}
