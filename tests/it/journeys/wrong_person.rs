//! An answer attaches only to its own leg and only to its own child.

use gateway::practice::people;
use tests::each_engine;

#[test]
fn an_answer_about_another_child_is_refused_without_saying_who_was_asked_about() {
    each_engine("wrong_person", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let trust = gateway.mental();
        let mut wrong = people::child(1);
        wrong.family_name = "Somebody-Else".to_owned();
        for (key, child) in [("w-1", people::child(2)), ("w-2", wrong)] {
            let advice = people::advice(&trust.code, key, &leg, &child, gateway.today());
            let reply = trust.send(key, &advice).await.expect("an answer");
            assert_eq!(reply.status, 422, "{}", reply.text());
            assert_eq!(reply.json()["issues"][0]["rule"], "identity-mismatch");
            let said = reply.text();
            assert!(!said.contains(&people::child(1).family_name));
            assert!(!said.contains(&people::nhs_number(1)));
        }
        assert!(gateway.inbox(gateway.la()).await.is_empty());
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");
        gateway.end().await;
    });
}

#[test]
fn a_trust_cannot_answer_or_fetch_what_was_asked_of_another() {
    each_engine("wrong_trust", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let other = gateway.acute();
        let fetch = other.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 404);
        let nil = people::nil(&other.code, "O-1", &leg, &people::child(1));
        let reply = other.send("o-1", &nil).await.expect("an answer");
        assert_eq!(reply.status, 422);
        let unknown = reply.json()["issues"][0]["message"].clone();
        let nil = people::nil(
            &other.code,
            "O-2",
            "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff",
            &people::child(1),
        );
        let reply = other.send("o-2", &nil).await.expect("an answer");
        assert_eq!(reply.json()["issues"][0]["message"], unknown, "both look the same");
        gateway.end().await;
    });
}
