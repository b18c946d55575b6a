//! Why something went or did not: said to the sender, and made again from the log.

use gateway::accountability::{Past, Replay};
use gateway::authority::rehearsal::{again, rehearse};
use gateway::authority::{RuleBook, Rules};
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

async fn explained(partner: &gateway::practice::client::Partner, record: &str) -> (u16, Value) {
    let path = format!("/v1/records/{record}/authority");
    let reply = partner.get(&path, None).await.expect("an answer");
    (reply.status, reply.json())
}

async fn all_past(gateway: &TestGateway) -> Vec<Past> {
    let mut replay = Replay::new(gateway.cast.app());
    let mut past = Vec::new();
    while let Some(page) = replay.page().await.expect("the log can be read") {
        past.extend(page);
    }
    past
}

#[test]
fn the_sender_is_told_every_step_and_the_recipient_only_what_concerns_it() {
    each_engine("authority_explained", |gateway| async move {
        let (record, leg) = gateway.held(31).await;
        let (status, told) = explained(gateway.la(), &record).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["decided"][0]["decision"]["outcome"], "hold");
        assert_eq!(told["decided"][0]["decision"]["consent"], record.as_str());
        let line = &told["now"][0];
        assert_eq!(line["delivery"], leg.as_str());
        assert_eq!(line["decision"]["rule"], "restriction-meets-statute");
        let words: Vec<_> = line["steps"].as_array().expect("steps").iter().collect();
        let said = |text: &str| {
            words.iter().any(|step| step["words"].as_str().is_some_and(|one| one.contains(text)))
        };
        assert!(
            said("agreement to share was refused (entry 1), which stops all of it"),
            "{words:?}"
        );
        assert!(said("It waits for a person"), "{words:?}");
        let (status, _) = explained(gateway.mental(), &record).await;
        assert_eq!(status, 404, "a trust learns nothing of what is held");
        // Of what has gone to it a recipient sees its own delivery, and nothing of the others.
        let la = gateway.la();
        let services = ["CAMHS", "PAEDIATRICS"];
        let message =
            people::request(&la.code, "A-32", &people::child(32), &services, gateway.today());
        let row = la.send("a-32", &message).await.expect("an answer").json()["rows"][0].clone();
        let legs = row["legs"].as_array().expect("legs");
        let theirs = legs.iter().find(|leg| leg["service"] == "CAMHS").expect("the leg");
        let sent = text(&theirs["leg"]);
        let fetch = gateway.mental().get(&format!("/v1/inbox/{sent}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 200);
        let record = text(&row["record"]);
        let (status, told) = explained(gateway.mental(), &record).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["now"], json!([]), "how it would be decided now is the sender's to see");
        let decided = told["decided"].as_array().expect("decisions");
        assert!(!decided.is_empty(), "its own is there: {told}");
        for step in decided {
            assert_eq!(step["delivery"], sent, "{step}");
        }
        let (_, all) = explained(la, &record).await;
        assert_eq!(all["now"].as_array().map(Vec::len), Some(2), "{all}");
        let of_another = |step: &&Value| step["counterparty"] == gateway.acute().code;
        assert!(all["decided"].as_array().expect("decisions").iter().any(|s| of_another(&s)));
        gateway.end().await;
    });
}

#[test]
fn past_decisions_are_made_again_as_the_log_has_them_and_a_draft_shows_what_it_changes() {
    each_engine("authority_rehearsed", |gateway| async move {
        let (_, leg) = gateway.held(33).await;
        for person in ["officer-2", "manager-3"] {
            let path = format!("/v1/holds/{leg}/decision");
            let body = json!({ "decision": "release", "reason": "safeguarding" }).to_string();
            let key = format!("{person}-{leg}");
            let reply = gateway.la().post_as(person, &path, "application/json", &key, body).await;
            assert_eq!(reply.expect("an answer").status, 200);
        }
        let fetch = gateway.mental().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(fetch.expect("an answer").status, 200);
        gateway.request(34, "PAEDIATRICS").await;
        let past = all_past(&gateway).await;
        let book = gateway.cast.app().rule_book();
        assert!(past.len() >= 3, "{past:?}");
        for one in &past {
            assert_eq!(again(&one.case, book).note(), one.note, "entry {}", one.entry);
        }
        let overridden =
            past.iter().any(|one| one.note.authority.as_deref() == Some("safeguarding-override"));
        assert!(overridden, "the release names the ground that two people claimed");
        let cases: Vec<_> = past.into_iter().map(|one| one.case).collect();
        assert_eq!(rehearse(&cases, book, book).count(), 0, "the rules in force change nothing");
        let text = Rules::built_in_text();
        let draft = text.replace(
            "classes = [\"identity\", \"contact\", \"education\", \"consent\", \"documents\"] },\n  { to = \"icb\"",
            "classes = [\"identity\", \"education\", \"consent\"] },\n  { to = \"icb\"",
        );
        assert_ne!(draft, text);
        let rules = Rules::parse(&draft).expect("the draft can be read");
        let draft = RuleBook { rules, agreements: book.agreements.clone() };
        let changed: Vec<_> = rehearse(&cases, book, &draft).collect();
        assert!(!changed.is_empty());
        assert!(changed.iter().all(|one| one.after.classes.len() < one.before.classes.len()));
        gateway.end().await;
    });
}
