//! A held delivery goes when two people say so, and not before.

use gateway::practice::people;
use serde_json::json;
use tests::{TestGateway, each_engine};

async fn held_leg(gateway: &TestGateway, number: u32) -> String {
    let la = gateway.la();
    let id = format!("H-{number}");
    let mut message =
        people::request(&la.code, &id, &people::child(number), &["CAMHS"], gateway.today());
    message["consent"] = json!({
        "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
    });
    let reply = la.send(&id, &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let leg = &reply.json()["rows"][0]["legs"][0];
    assert_eq!(leg["outcome"], "hold");
    leg["leg"].as_str().expect("a leg").to_owned()
}

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
        let leg = held_leg(&gateway, 1).await;
        let trust = gateway.mental();
        assert!(gateway.inbox(trust).await.is_empty());
        assert_eq!(vote(&gateway, "officer-1", &leg, "release").await, (200, "held".to_owned()));
        let retry = vote(&gateway, "officer-1", &leg, "release").await;
        assert_eq!(retry, (200, "held".to_owned()), "a retry gets the first answer");
        let (status, _) = vote_under("again", &gateway, "officer-1", &leg, "release").await;
        assert_eq!(status, 409, "one person cannot vote twice");
        assert!(gateway.inbox(trust).await.is_empty());
        assert_eq!(vote(&gateway, "manager-2", &leg, "release").await, (200, "queued".to_owned()));
        assert_eq!(gateway.inbox(trust).await, vec![leg.clone()]);
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 200, "{}", fetch.text());
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");
        gateway.end().await;
    });
}

#[test]
fn one_person_refuses_what_was_held() {
    each_engine("holds_refuse", |gateway| async move {
        let leg = held_leg(&gateway, 2).await;
        assert_eq!(vote(&gateway, "officer-1", &leg, "refuse").await.0, 200);
        let (status, _) = vote(&gateway, "manager-2", &leg, "release").await;
        assert_eq!(status, 409, "what was refused stays refused");
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 410);
        gateway.end().await;
    });
}
