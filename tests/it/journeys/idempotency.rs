//! A retry gets the first answer, also after a restart; a clash is refused.

use gateway::practice::people;
use serde_json::json;
use tests::each_engine;

#[test]
fn a_late_retry_of_an_acknowledgement_does_not_undo_the_next_one() {
    each_engine("idempotency_ack", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let trust = gateway.mental();
        let path = format!("/v1/inbox/{leg}/acknowledgement");
        let accept = json!({ "outcome": "accepted" }).to_string();
        let reject = json!({ "outcome": "rejected", "reason": "WRONG_ORG" }).to_string();
        for (key, body, status) in [
            ("a-1", &accept, 200),
            ("a-2", &reject, 200),
            ("a-1", &accept, 200),
            ("a-1", &reject, 422),
        ] {
            let reply = trust.post(&path, "application/json", key, body.clone()).await;
            let reply = reply.expect("an answer");
            assert_eq!(reply.status, status, "{key}: {}", reply.text());
        }
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "rejected");
        gateway.end().await;
    });
}

#[test]
fn a_retry_after_a_restart_gets_the_first_answer() {
    each_engine("idempotency_restart", |gateway| async move {
        let la = gateway.la().clone();
        let message =
            people::request(&la.code, "I-1", &people::child(1), &["SALT"], gateway.today());
        let first = la.send("key-1", &message).await.expect("an answer");
        assert_eq!(first.status, 201, "{}", first.text());
        let gateway = gateway.restart().await;
        let la = gateway.la();
        let again = la.send("key-1", &message).await.expect("an answer");
        assert!(again.replayed);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.log_entry, first.log_entry);
        assert_eq!(gateway.board(la).await.len(), 1, "one effect");

        let other = people::request(&la.code, "I-2", &people::child(2), &["SALT"], gateway.today());
        let clash = la.send("key-1", &other).await.expect("an answer");
        assert_eq!(clash.status, 422);
        assert_eq!(clash.json()["code"], "idempotency-key-reused");
        let mental = gateway.mental();
        let theirs = mental.send("key-1", &other).await.expect("an answer");
        assert_ne!(theirs.json()["code"], "idempotency-key-reused", "keys belong to their sender");
        gateway.end().await;
    });
}
