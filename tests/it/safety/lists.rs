//! Lists that name deliveries and days and nothing of a person: each look at one is an entry, no more.

use std::time::Duration;

use gateway::duties;
use gateway::practice::{Behaviour, people};
use jiff::SignedDuration;
use serde_json::Value;
use tests::{Engine, TestGateway};

#[test]
fn what_failed_and_what_differs_is_listed_without_a_word_about_a_person() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let la = gateway.la();
        gateway.cast.endpoint.behave(Behaviour::Refuse);
        gateway.request(95, "SALT").await;
        gateway.cast.endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        let day = a_day_that_differs(&gateway).await;
        let app = gateway.cast.app();
        let before = app.log_size().await.expect("a size");
        let operator = gateway.cast.operator();
        let mut shown = 0;
        for (who, path, items) in [
            (la, "/v1/deliveries?state=failed", "deliveries"),
            (operator, "/v1/deliveries?state=failed", "deliveries"),
            (la, "/v1/reconciliations", "reconciliations"),
            (la, "/v1/differences", "differences"),
            (operator, "/v1/differences", "differences"),
        ] {
            let reply = who.get(path, None).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
            shown += reply.json()[items].as_array().expect("items").len();
            assert!(!reply.json()[items][0].is_null(), "{path} shows something");
            let child = people::child(95);
            for secret in [&child.nhs_number, &child.family_name, &child.la_person_id] {
                assert!(!reply.text().contains(secret.as_str()), "{path}: {}", reply.text());
            }
            assert!(!reply.text().contains("EHC-AR-95"), "nor the case: {}", reply.text());
        }
        assert!(shown >= 5);
        let before = before + 5;
        assert_eq!(app.log_size().await.expect("a size"), before, "each of them is a look");
        let path = format!("/v1/reconciliations/{day}");
        assert_eq!(la.get(&path, None).await.expect("an answer").status, 200);
        assert_eq!(app.log_size().await.expect("a size"), before + 1, "a statement is one");
        gateway.end().await;
    });
}

/// A day with the authority on which something passed, of which it says that one item differs.
async fn a_day_that_differs(gateway: &TestGateway) -> String {
    let la = gateway.la();
    let mut found: Option<(String, Value)> = None;
    for _ in 0..50 {
        gateway.clock.advance(SignedDuration::from_hours(1));
        duties::run_due(gateway.cast.app()).await.expect("the duties are done");
        let days = la.get("/v1/reconciliations", None).await.expect("an answer").json();
        for one in days["reconciliations"].as_array().expect("days") {
            let path = one["href"].as_str().expect("a link").to_owned();
            let statement = la.get(&path, None).await.expect("an answer").json();
            let item = statement["statement"]["lines"][0]["item"].clone();
            if item.is_string() {
                found = Some((path, item));
            }
        }
        if found.is_some() {
            break;
        }
    }
    let (path, item) = found.expect("a day closes within fifty hours");
    let body = serde_json::json!({
        "version": 1, "outcome": "differs",
        "differences": [{ "item": item, "code": "state-differs" }],
    });
    let path_of_answer = format!("{path}/answer");
    let reply = la.post(&path_of_answer, "application/json", "d-1", body.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status / 100, 2, "{}", reply.text());
    path.rsplit('/').next().expect("a day").to_owned()
}
