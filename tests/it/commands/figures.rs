//! What is shown to others: the figures of a month, the proof of a leg, a day with a partner.

use gateway::duties;
use gateway::practice::people;
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::TestGateway;

use super::{Ran, beside_a_gateway};

/// One leg answered with advice, one with nothing, one still owed.
async fn three_legs(gateway: &TestGateway) -> String {
    let trust = gateway.mental();
    let mut legs = Vec::new();
    for number in 61..64 {
        legs.push(gateway.request(number, "CAMHS").await);
    }
    let today = gateway.today();
    let advice = people::advice(&trust.code, "F-1", &legs[0], &people::child(61), today);
    let nil = people::nil(&trust.code, "F-2", &legs[1], &people::child(62));
    for (key, message) in [("f-1", advice), ("f-2", nil)] {
        let reply = trust.send(key, &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    legs.swap_remove(0)
}

#[test]
fn the_figures_of_a_month_come_as_a_table_as_csv_and_as_json_and_for_a_past_day() {
    beside_a_gateway(async |gateway| {
        three_legs(gateway).await;
        let today = gateway.today();
        let month = today.strftime("%Y-%m").to_string();
        let figures =
            |more: &[&str]| Ran::on(gateway, &[&["performance", "--month", &month], more].concat());
        figures(&[])
            .ends(0)
            .lines_up(&[
                "ASKED BY",
                "ASKED OF",
                "SERVICE",
                "ASKED",
                "ON TIME",
                "EXCUSED",
                "LATE",
                "NIL",
                "OUTSTANDING",
                "OVERDUE",
            ])
            .says("Practice Mental Health NHS Trust (RXT)")
            .talks(&format!("as of {today}."));
        let csv = figures(&["--csv"]).ends(0).data;
        let mut lines = csv.lines();
        assert!(lines.next().expect("a header").starts_with("month,as_of,by,authority"), "{csv}");
        assert!(lines.next().expect("a row").contains("CAMHS,3,1,0,0,1,1,0"), "{csv}");
        let json = figures(&["--json"]).ends(0).json();
        assert_eq!(json["rows"][0]["asked"], 3, "{json}");
        assert_eq!(json["rows"][0]["on_time"], 1, "{json}");
        // Yesterday nothing had been asked.
        let before = today.saturating_sub(1.days()).to_string();
        let json = figures(&["--json", "--as-of", &before]).ends(0).json();
        assert_eq!(json["total"]["asked"], 0, "{json}");
        let only = figures(&["--json", "--organisation", "RRK"]).ends(0).json();
        assert_eq!(only["total"]["asked"], 0, "{only}");

        Ran::on(gateway, &["performance", "--month", "May"])
            .ends(1)
            .talks("a month is written as a year and a month, for example 2026-11");
        figures(&["--as-of", "tomorrow"]).ends(2).talks("--as-of");
        figures(&["--organisation", "not a code"]).ends(1).talks("not an organisation code");
    });
}

#[test]
fn an_evidence_pack_is_proved_by_the_public_key_alone_and_an_altered_one_is_not() {
    beside_a_gateway(async |gateway| {
        let leg = three_legs(gateway).await;
        let folder = TempDir::new().expect("a folder");
        let file = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
        let (good, bad, none) = (file("pack.json"), file("altered.json"), file("list.csv"));
        Ran::on(gateway, &["evidence", "make", &leg, "--out", &good])
            .ends(0)
            .talks("entries with their proofs.");
        Ran::on(gateway, &["evidence", "make", &leg, "--out", &good])
            .ends(5)
            .talks("exists; name a new file");
        let key = gateway.cast.app().log_vkey.clone();
        let verify = |file: &str, key: &str| Ran::run(&["evidence", "verify", file, "--key", key]);
        verify(&good, &key)
            .ends(0)
            .says("proved: ")
            .says("entries are in the signed log; every hash and receipt holds.");

        // One digit of the hash of the answer is another.
        let text = std::fs::read_to_string(&good).expect("the pack");
        assert!(!text.contains(&people::nhs_number(61)), "it names no child");
        let mut pack: Value = serde_json::from_str(&text).expect("JSON");
        let hash = pack["answers"][0]["sealed_sha256"].as_str().expect("a hash").to_owned();
        let digit = if hash.starts_with('0') { '1' } else { '0' };
        let other = format!("{digit}{}", hash.get(1..).expect("more"));
        pack["answers"][0]["sealed_sha256"] = json!(other);
        std::fs::write(&bad, pack.to_string()).expect("written");
        let found = verify(&bad, &key).ends(6);
        assert!(!found.data.contains("proved:"), "{}", found.data);
        assert!(!found.data.trim().is_empty(), "it says what does not hold");
        let json = Ran::run(&["evidence", "verify", &bad, "--key", &key, "--json"]).ends(6).json();
        assert_eq!(json["proved"], false);
        let other = "other+00000000+AUAs8wl9ePD4mh8JjZ4Dmo9UPbAY0GMtsLC3uGXCuY1A";
        verify(&good, other).ends(6);
        std::fs::write(&none, "a,b\n").expect("written");
        verify(&none, &key).ends(5).talks("this is not an evidence pack");
        verify(&file("nothing.json"), &key).ends(1).talks("nothing.json");
        let unknown = "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff";
        Ran::on(gateway, &["evidence", "make", unknown])
            .ends(3)
            .talks("there is no leg with this id; the board and receipts show ids");
    });
}

/// Goes on until a day has closed on which something passed with the trust; the day, and what its
/// statement says.
async fn day_with_lines(gateway: &TestGateway) -> (String, Value) {
    let trust = gateway.mental();
    let mut found = None;
    for _ in 0..50 {
        gateway.clock.advance(SignedDuration::from_hours(1));
        duties::run_due(gateway.cast.app()).await.expect("the duties are done");
        let days = trust.get("/v1/reconciliations", None).await.expect("an answer").json();
        for one in days["reconciliations"].as_array().expect("days") {
            let path = one["href"].as_str().expect("a link");
            let statement = trust.get(path, None).await.expect("an answer").json();
            if statement["statement"]["lines"].as_array().is_some_and(|lines| !lines.is_empty()) {
                found = Some((one["day"].as_str().expect("a day").to_owned(), statement));
            }
        }
        if found.is_some() {
            break;
        }
    }
    found.expect("a day closes within fifty hours")
}

#[test]
fn a_day_with_a_partner_is_shown_and_what_differs_explained_by_name() {
    beside_a_gateway(async |gateway| {
        three_legs(gateway).await;
        let later = gateway.today().saturating_add(9.days()).to_string();
        Ran::on(gateway, &["reconcile", "--partner", "RXT", "--day", &later])
            .ends(1)
            .talks(&format!("{later} has not closed yet: a day closes at "));
        let trust = gateway.mental();
        let (day, statement) = day_with_lines(gateway).await;
        let path = format!("/v1/reconciliations/{day}");
        Ran::on(gateway, &["reconcile", "--partner", "RXT", "--day", &day])
            .ends(0)
            .says(&format!("{day} with RXT, closed "))
            .lines_up(&["DIRECTION", "STATE", "ITEMS"])
            .talks("Version 1, not answered yet.");
        Ran::on(gateway, &["reconcile", "--day", &day]).ends(1).talks("--partner CODE");
        Ran::on(gateway, &["reconcile", "--partner", "RZZ", "--day", &day])
            .ends(3)
            .talks("there is no partner with this code in the partners file");

        let item = &statement["statement"]["lines"][0]["item"];
        let body = json!({
            "version": 1, "outcome": "differs",
            "differences": [{ "item": item, "code": "not-received" }],
        });
        let path = format!("{path}/answer");
        let reply = trust.post(&path, "application/json", "d-1", body.to_string()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status / 100, 2, "{}", reply.text());
        Ran::on(gateway, &["reconcile", "differences"])
            .ends(6)
            .lines_up(&["DIFFERENCE", "PARTNER", "DAY", "CODE", "ITEM", "DAYS OPEN"])
            .says("not-received");
        let id = reply.json()["differences"][0].as_str().expect("an id").to_owned();
        let explain = |code: &str| {
            let words = ["reconcile", "explain", &id, "--code", code, "--person", "ig-officer-1"];
            Ran::on(gateway, &words)
        };
        explain("because").ends(2).talks("possible values");
        explain("arrived-since").ends(0).talks("the partner's next statement says so");
        explain("arrived-since").ends(1).talks("the difference was not explained");
        let said = Ran::on(gateway, &["reconcile", "differences"]).ends(0);
        assert!(!said.data.contains("not-received"), "{}", said.data);
    });
}
