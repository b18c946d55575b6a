//! What waits: holds, a restored gateway, and the way to adulthood.

use gateway::practice::people;
use serde_json::{Value, json};
use tests::{Engine, TestGateway};

use super::{Ran, beside_a_gateway};

const UNKNOWN: &str = "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff";

async fn held(gateway: &TestGateway, number: u32) -> String {
    let la = gateway.la();
    let id = format!("W-{number}");
    let mut message =
        people::request(&la.code, &id, &people::child(number), &["CAMHS"], gateway.today());
    message["consent"] = json!({
        "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
    });
    let reply = la.send(&id, &message).await.expect("an answer").json();
    reply["rows"][0]["legs"][0]["leg"].as_str().expect("a delivery").to_owned()
}

async fn act(gateway: &TestGateway, person: &str, path: &str, body: Value) -> Value {
    let key = format!("{person}-{}", path.replace('/', "-"));
    let reply =
        gateway.la().post_as(person, path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status / 100, 2, "{}", reply.text());
    reply.json()
}

#[test]
fn what_is_held_is_listed_shown_asked_about_approved_and_refused() {
    beside_a_gateway(async |gateway| {
        Ran::on(gateway, &["holds", "list"]).ends(0).talks("0 held");
        let (first, second) = (held(gateway, 51).await, held(gateway, 52).await);
        let header = ["DELIVERY", "HELD FOR", "TYPE", "FROM", "TO", "RULE", "VOTES", "WAITS FOR"];
        Ran::on(gateway, &["holds", "list"])
            .ends(6)
            .lines_up(&header)
            .says(&first)
            .says(&second)
            .says("restriction-meets-statute")
            .says("two people of 334")
            .talks("2 held, the oldest for 0 days; 0 releases in an emergency not reviewed.")
            .talks("their own organisation's system");
        Ran::on(gateway, &["holds", "list", "--to", "RRK"]).ends(0).talks("0 held");
        Ran::on(gateway, &["holds", "list", "--from", "not a code"])
            .ends(1)
            .talks("not an organisation code");

        // Asked about: whose move it is changes, and the question is shown.
        let path = format!("/v1/holds/{first}/questions");
        let body = json!({ "of": "recipient", "question": "need-without-consent" });
        let offered = gateway::holds::QUESTIONS;
        let body = if offered.contains(&"need-without-consent") {
            body
        } else {
            json!({ "of": "recipient", "question": offered[0] })
        };
        act(gateway, "officer-2", &path, body).await;
        Ran::on(gateway, &["holds", "show", &first])
            .ends(0)
            .lines_up(&["WHAT", "VALUE"])
            .says("Practice Borough Council (334)")
            .says("to RXT: not answered")
            .says("agreement to share was refused");

        // One vote is shown; the second releases, and it is held no more.
        let release = json!({ "decision": "release", "reason": "statutory-duty-confirmed" });
        let path = format!("/v1/holds/{first}/decision");
        act(gateway, "officer-2", &path, release.clone()).await;
        Ran::on(gateway, &["holds", "show", &first]).ends(0).says("vote").says("of 334");
        assert_eq!(act(gateway, "manager-3", &path, release).await["state"], "queued");
        Ran::on(gateway, &["holds", "show", &first])
            .ends(3)
            .talks("nothing with this id is held; `holds list` shows ids");

        // One refusal ends the other.
        let refuse = json!({ "decision": "refuse", "reason": "objection-upheld" });
        act(gateway, "officer-2", &format!("/v1/holds/{second}/decision"), refuse).await;
        let json = Ran::on(gateway, &["holds", "list", "--json"]).ends(0).json();
        assert_eq!(json["holds"], json!([]));
        Ran::on(gateway, &["holds", "show", UNKNOWN]).ends(3);
        // Nobody votes at the machine's own prompt: it cannot vouch for two people.
        Ran::on(gateway, &["holds", "approve", &second]).ends(2).talks("unrecognized subcommand");
    });
}

#[test]
fn a_restored_gateway_says_what_to_do_and_is_let_go_by_name_of_what_was_lost() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        Ran::on(&gateway, &["restore", "show"])
            .ends(0)
            .says("No checkpoint was shown that this database does not know.");
        let confirm = |gateway: &TestGateway, size: &str| {
            let reason = gateway::restore::REASONS[0];
            Ran::on(gateway, &["restore", "confirm", "--size", size, "--reason", reason])
        };
        confirm(&gateway, "7").ends(3).talks("look again with ehc-gateway restore show");
        gateway.request(53, "CAMHS").await;
        let gateway = gateway
            .restart_after(|folder| {
                let from = folder.join("data/gateway.db");
                std::fs::copy(from, folder.join("backup.db")).expect("a copy");
            })
            .await;
        let withdrawal =
            people::withdrawal(&gateway.la().code, "R-1", &people::child(53), gateway.today());
        assert_eq!(gateway.la().send("r-1", &withdrawal).await.expect("an answer").status, 201);
        let gateway = gateway
            .restart_after(|folder| {
                for journal in ["data/gateway.db-wal", "data/gateway.db-shm"] {
                    drop(std::fs::remove_file(folder.join(journal)));
                }
                let to = folder.join("data/gateway.db");
                std::fs::copy(folder.join("backup.db"), to).expect("a copy");
            })
            .await;
        let held = Ran::on(&gateway, &["restore", "show"])
            .ends(6)
            .lines_up(&["FOUND", "OWN SIZE", "LOST SIZE", "OF", "SHOWN BY", "CONFIRMED"])
            .says("HELD")
            .talks("send again the consent decisions")
            .talks("ehc-gateway restore confirm --size");
        drop(held);
        let json = Ran::on(&gateway, &["restore", "show", "--json"]).ends(6).json();
        assert_eq!(json["held"], true);
        let size = json["restores"][0]["lost_size"].to_string();
        Ran::on(&gateway, &["restore", "confirm", "--size", &size, "--reason", "because"])
            .ends(2)
            .talks("possible values");
        confirm(&gateway, "1").ends(3).talks("nothing is held at this size");
        confirm(&gateway, &size).ends(0).says("Deliveries go again");
        let json = Ran::on(&gateway, &["restore", "show", "--json"]).ends(0).json();
        assert_eq!(json["held"], false);
        gateway.end().await;
    });
}

#[test]
fn the_way_to_adulthood_is_listed_and_one_case_shown_item_by_item() {
    beside_a_gateway(async |gateway| {
        Ran::on(gateway, &["transitions"]).ends(0).talks("0 cases");
        let trust = gateway.mental();
        let mut subject = people::subject(&people::child(54));
        // Seventeen years old.
        let born = gateway.today().saturating_sub(jiff::Span::new().years(17).months(3));
        subject["date_of_birth"] = json!(born.to_string());
        let message = json!({
            "type": "transition.referral", "id": "TR-1", "sender": trust.code,
            "recipient": gateway.acute().code, "case": "CASE-54", "subject": subject,
            "particulars": {
                "need": "A made-up need.", "receiving_service": "Adult practice",
                "planned_on": gateway.today().saturating_add(jiff::Span::new().months(6)),
                "named_worker": "Jo Practice-Worker",
            },
        });
        let reply = trust.send("tr-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let header = [
            "CASE",
            "AGE",
            "18",
            "GAPS",
            "OVERDUE",
            "NEXT",
            "BY",
            "OWED BY",
            "NAMED WORKER",
            "RECEIVED BY",
            "ID",
        ];
        let listed = Ran::on(gateway, &["transitions"]);
        // Much is missing, and nothing of it is overdue on the day of which it was first told.
        let listed = listed.ends(0).lines_up(&header).says("CASE-54").says("17 (Year ");
        assert!(listed.talk.contains("1 cases, 1 with gaps"), "{}", listed.talk);
        let json = Ran::on(gateway, &["transitions", "--gaps", "--json"]).ends(0).json();
        let id = json["transitions"][0]["transition"].as_str().expect("an id").to_owned();
        Ran::on(gateway, &["transitions", &id])
            .ends(0)
            .lines_up(&["ITEM", "WHAT", "OWED BY", "FROM", "BY", "STATE", "REASON", "RECORD"])
            .says("adult-referral");
        Ran::on(gateway, &["transitions", UNKNOWN])
            .ends(3)
            .talks("there is no case with this id; `ehc-gateway transitions` lists them");
    });
}

#[test]
fn odd_accesses_are_listed_shown_and_drawn_and_never_signed_off_at_the_prompt() {
    beside_a_gateway(async |gateway| {
        Ran::on(gateway, &["alerts", "rules"])
            .ends(0)
            .lines_up(&["RULE", "SEVERITY", "LOOKED INTO BY", "WHAT IT MEANS"])
            .says("own-postcode")
            .says("information-governance, 2 days");
        Ran::on(gateway, &["alerts", "list"]).ends(0).talks("0 alerts");
        let leg = held(gateway, 57).await;
        let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        let path = format!("/v1/holds/{leg}/break-glass");
        let review = act(gateway, "officer-2", &path, broken).await["review"].clone();
        gateway::duties::run_due(gateway.cast.app()).await.expect("the duties are done");
        let listed = Ran::on(gateway, &["alerts", "list", "--rule", "override", "--json"]).ends(0);
        let listed = listed.json();
        assert_eq!(listed["alerts"].as_array().map(Vec::len), Some(1), "{listed}");
        let alert = listed["alerts"][0]["alert"].as_str().expect("a reference").to_owned();
        Ran::on(gateway, &["alerts", "list", "--rule", "override"])
            .ends(0)
            .lines_up(&[
                "ALERT",
                "RULE",
                "SEVERITY",
                "OF",
                "AGE",
                "ENTRIES",
                "STATE",
                "LOOKED INTO BY",
            ])
            .says(&alert)
            .talks("sign them off over HTTPS, by name");
        Ran::on(gateway, &["alerts", "show", &alert])
            .ends(0)
            .says("hold.broken")
            .says(review.as_str().expect("a review"));
        Ran::on(gateway, &["alerts", "show", UNKNOWN])
            .ends(3)
            .talks("no alert with this reference");
        let today = gateway.today();
        let (today, before) = (today.to_string(), today.yesterday().expect("a day").to_string());
        Ran::on(gateway, &["alerts", "sample", "--from", &today, "--until", &today])
            .ends(5)
            .talks("days that are over");
        Ran::on(gateway, &["alerts", "sample", "--from", &before, "--until", &before])
            .ends(3)
            .talks("no entry from before");
        Ran::run(&["alerts", "decide"]).ends(2);
    });
}
