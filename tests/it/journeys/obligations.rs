//! The clocks of a case, the reminders of what is owed, the figures of a month, and the proof of
//! one leg.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use gateway::duties;
use gateway::evidence::{Pack, verify};
use gateway::practice::client::Partner;
use gateway::practice::people;
use gateway::queue::{CarrierKind, DeliveryState};
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// A message of the catalogue about a child.
fn message(
    (from, to): (&Partner, &Partner),
    kind: &str,
    id: &str,
    number: u32,
    particulars: &Value,
) -> Value {
    json!({
        "type": kind, "id": id, "sender": from.code, "recipient": to.code,
        "case": format!("CASE-{number}"),
        "subject": people::subject(&people::child(number)), "particulars": particulars,
    })
}

async fn taken(from: &Partner, message: &Value) {
    let id = message["id"].as_str().expect("an id").to_lowercase();
    let reply = from.send(&id, message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

async fn clocks(of: &Partner) -> Vec<Value> {
    let reply = of.get("/v1/clocks", None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["clocks"].as_array().expect("clocks").clone()
}

async fn clock(of: &Partner, period: &str) -> Value {
    let all = clocks(of).await;
    let found = all.into_iter().find(|clock| clock["period"] == period);
    found.expect("the clock")
}

async fn say(by: &Partner, clock: &Value, key: &str, word: Value) -> (u16, String) {
    let path = format!("/v1/clocks/{}", clock["clock"].as_str().expect("an id"));
    let reply = by.post(&path, "application/json", key, word.to_string()).await.expect("one");
    (reply.status, reply.text())
}

fn plus(date: Date, days: i64) -> String {
    date.saturating_add(days.days()).to_string()
}

#[test]
fn a_request_starts_6_16_and_20_weeks_that_both_sides_see() {
    each_engine("clocks_start", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let asked = gateway.today().saturating_sub(3.days());
        let says = json!({ "assessment_requested_on": asked, "request_source": "parent" });
        taken(la, &message((la, trust), "ehcna.considering", "C-1", 1, &says)).await;
        for (period, after) in [("reg-5", 42), ("reg-10", 112), ("reg-13-2", 140)] {
            let ours = clock(la, period).await;
            assert_eq!(ours["due_on"], plus(asked, after), "{period}");
            assert_eq!(ours["alternative_on"], plus(asked, after - 1), "{period}");
            assert_eq!(ours["owner"], la.code.as_str());
            assert_eq!(ours["standing"], "running");
            assert_eq!(clock(trust, period).await["due_on"], ours["due_on"], "the same clock");
        }
        assert!(clocks(gateway.acute()).await.is_empty(), "nobody else sees it");
        // The same told to another trust by local rule is the same clock, which that one sees too.
        let (other, kind) = (gateway.acute(), "ehcna.considering");
        taken(la, &message((la, other), kind, "C-2", 1, &says)).await;
        assert_eq!(clocks(other).await.len(), 3);
        assert_eq!(clocks(la).await.len(), 3);
        // The decision meets the six weeks; the plan, and not its refusal, is what is owed now.
        let says = json!({ "will_assess": true, "decided_on": gateway.today() });
        taken(la, &message((la, trust), "ehcna.decision", "C-3", 1, &says)).await;
        assert_eq!(clock(la, "reg-5").await["standing"], "met-in-time");
        gateway.clock.advance(days(150));
        assert_eq!(clock(la, "reg-13-2").await["standing"], "overdue");
        gateway.end().await;
    });
}

#[test]
fn no_assessment_ends_what_else_was_owed() {
    each_engine("clocks_end", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let asked = gateway.today();
        let says = json!({ "assessment_requested_on": asked, "request_source": "school" });
        taken(la, &message((la, trust), "ehcna.considering", "C-1", 2, &says)).await;
        gateway.clock.advance(days(43));
        let says = json!({ "will_assess": false, "decided_on": gateway.today(), "reason": "x" });
        taken(la, &message((la, trust), "ehcna.decision", "C-2", 2, &says)).await;
        assert_eq!(clock(la, "reg-5").await["standing"], "met-late");
        for period in ["reg-10", "reg-13-2"] {
            let ended = clock(la, period).await;
            assert_eq!(ended["standing"], "ended", "{period}");
            assert_eq!(ended["ended_because"], "ehcna.decision");
        }
        gateway.end().await;
    });
}

#[test]
fn only_its_owner_says_what_excuses_a_clock_and_the_dates_must_show_it() {
    each_engine("clocks_excused", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let asked = gateway.today();
        let says = json!({ "assessment_requested_on": asked, "request_source": "parent" });
        taken(la, &message((la, trust), "ehcna.considering", "C-1", 3, &says)).await;
        gateway.clock.advance(days(150));
        let late = clock(la, "reg-13-2").await;
        assert_eq!(late["standing"], "overdue");
        let holiday = |closed: i64| {
            json!({
                "exception": "reg-10-4-a", "from": plus(asked, 30),
                "until": plus(asked, 30 + closed), "asked_on": plus(asked, 40),
            })
        };
        let (status, _) = say(trust, &late, "w-1", holiday(40)).await;
        assert_eq!(status, 404, "it is not the trust's to say");
        let (status, told) = say(la, &late, "w-2", holiday(20)).await;
        assert_eq!(status, 400, "{told}");
        assert!(told.contains("at least 28 days"), "{told}");
        let limb = json!({ "exception": "reg-8-2-a", "from": asked });
        let (status, told) = say(la, &late, "w-3", limb).await;
        assert_eq!(status, 400, "regulation 8(2) is the services' own: {told}");
        let (status, told) = say(la, &late, "w-4", holiday(40)).await;
        assert_eq!(status, 200, "{told}");
        let excused = clock(trust, "reg-13-2").await;
        assert_eq!(excused["standing"], "excused");
        assert_eq!(excused["exception"], "reg-10-4-a");
        gateway.end().await;
    });
}

#[test]
fn a_review_runs_its_chain_and_starts_the_next_year() {
    each_engine("clocks_review", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let meeting = gateway.today().saturating_add(20.days());
        let both = (la, trust);
        let says = json!({ "meeting_on": meeting });
        taken(la, &message(both, "review.invite", "R-1", 4, &says)).await;
        assert_eq!(clock(la, "review-notice").await["standing"], "met-in-time");
        let papers = clock(trust, "review-papers").await;
        assert_eq!(papers["owner"], trust.code.as_str(), "the adviser owes its advice");
        assert_eq!(papers["due_on"], plus(meeting, -14));
        assert_eq!(clock(la, "review-decision").await["due_on"], plus(meeting, 28));
        let says = json!({ "meeting_on": meeting, "progress": "A made-up word." });
        taken(trust, &message((trust, la), "review.advice", "R-2", 4, &says)).await;
        assert_eq!(clock(la, "review-papers").await["standing"], "met-in-time");
        gateway.clock.advance(days(40));
        let says = json!({
            "meeting_on": meeting, "review_decision": "amend", "decided_on": gateway.today(),
            "amendments_sent_on": gateway.today(),
        });
        taken(la, &message(both, "review.decision", "R-3", 4, &says)).await;
        assert_eq!(clock(la, "review-decision").await["standing"], "met-in-time");
        assert_eq!(clock(la, "review-final").await["due_on"], plus(meeting, 84));
        assert_eq!(clock(la, "reg-22").await["due_on"], plus(gateway.today(), 56));
        assert_eq!(clock(la, "reg-22-views").await["standing"], "window-open");
        assert_eq!(clock(la, "cfa-44").await["standing"], "running", "the next review");
        gateway.end().await;
    });
}

#[test]
fn what_no_message_says_its_owner_says() {
    each_engine("clocks_done", |gateway| async move {
        let (la, board) = (gateway.la(), gateway.cast.commissioner());
        let says = json!({ "recommendation": "A made-up one.", "recommended_on": gateway.today() });
        taken(la, &message((la, board), "tribunal.recommendation", "T-1", 5, &says)).await;
        let owed = clock(board, "tribunal-response").await;
        assert_eq!(owed["owner"], board.code.as_str());
        assert_eq!(owed["verified"], false, "the five weeks are not checked against the law");
        let (status, told) =
            say(board, &owed, "d-1", json!({ "met_on": plus(gateway.today(), 1) })).await;
        assert_eq!(status, 400, "not before the day has come: {told}");
        let (status, told) = say(board, &owed, "d-2", json!({ "met_on": gateway.today() })).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(clock(la, "tribunal-response").await["standing"], "met-in-time");
        let (status, told) = say(board, &owed, "d-3", json!({ "met_on": gateway.today() })).await;
        assert_eq!(status, 409, "once: {told}");
        gateway.end().await;
    });
}

#[test]
fn a_message_that_replaces_another_takes_back_what_that_did_to_clocks() {
    each_engine("clocks_replaced", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let (wrong, right) = (gateway.today().saturating_sub(30.days()), gateway.today());
        let says = |on: Date| json!({ "assessment_requested_on": on, "request_source": "parent" });
        taken(la, &message((la, trust), "ehcna.considering", "S-1", 6, &says(wrong))).await;
        let mut again = message((la, trust), "ehcna.considering", "S-2", 6, &says(right));
        again["supersedes"] = json!("S-1");
        taken(la, &again).await;
        let open = la.get("/v1/clocks?open=true&period=reg-5", None).await.expect("one").json();
        let open = open["clocks"].as_array().expect("clocks");
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(open[0]["due_on"], plus(right, 42));
        gateway.end().await;
    });
}

async fn chasers(of: &Partner) -> Vec<Value> {
    let reply = of.get("/v1/inbox", None).await.expect("an answer").json();
    let mut found = Vec::new();
    for line in reply["deliveries"].as_array().expect("deliveries") {
        if line["type"] == "advice.chaser" {
            let path = format!("/v1/inbox/{}", line["delivery"].as_str().expect("an id"));
            let fetched = of.get(&path, Some("application/json")).await.expect("an answer");
            assert_eq!(fetched.status, 200, "{}", fetched.text());
            found.push(fetched.json());
            let key = format!("ack-{}", line["delivery"].as_str().expect("an id"));
            let body = r#"{"outcome":"accepted"}"#;
            let path = format!("{path}/acknowledgement");
            let taken = of.post(&path, "application/json", &key, body).await.expect("an answer");
            assert_eq!(taken.status, 200, "{}", taken.text());
        }
    }
    found
}

async fn duties(gateway: &TestGateway) {
    duties::run_due(gateway.cast.app()).await.expect("the duties are done");
}

#[test]
fn what_is_owed_is_reminded_of_once_on_each_day_and_names_no_child() {
    each_engine("reminders", |gateway| async move {
        let leg = gateway.request(7, "CAMHS").await;
        let (la, trust) = (gateway.la(), gateway.mental());
        duties(&gateway).await;
        assert!(chasers(trust).await.is_empty(), "six weeks ahead there is nothing to say");
        for (advance, offset) in [(28, -14), (7, -7), (5, -2), (2, 0), (7, 7)] {
            gateway.clock.advance(days(advance));
            duties(&gateway).await;
            duties(&gateway).await;
            let new = chasers(trust).await;
            assert_eq!(new.len(), 1, "one at {offset}: {new:?}");
            let text = new[0].to_string();
            assert_eq!(new[0]["particulars"]["days_from_due"], offset.to_string());
            assert_eq!(new[0]["leg"], leg.as_str());
            assert!(new[0].get("subject").is_none(), "{text}");
            assert!(!text.contains(&people::nhs_number(7)), "{text}");
            let copy = chasers(la).await;
            assert_eq!(copy.len(), 1, "and its copy at {offset}");
        }
        gateway.clock.advance(days(1));
        duties(&gateway).await;
        assert!(chasers(trust).await.is_empty(), "no more after a week");
        gateway.end().await;
    });
}

#[test]
fn a_trust_reached_by_mllp_finds_its_reminders_in_its_inbox_because_hl7_has_no_form_for_them() {
    each_engine("reminders_mllp", |gateway| async move {
        gateway.request(7, "CAMHS").await;
        let by_mllp = gateway.cast.change_partner("RXT", |partner| {
            partner.carrier = CarrierKind::Mllp;
            partner.format = adapters::Format::Hl7;
            partner.endpoint = Some("mllps://127.0.0.1:1".to_owned());
            partner.server_pins = partner.pins.clone();
        });
        by_mllp.await.expect("the partner is changed");
        gateway.clock.advance(days(28));
        duties(&gateway).await;
        assert_eq!(chasers(gateway.mental()).await.len(), 1);
        let store = &gateway.cast.app().store;
        let failed = store.deliveries_in(DeliveryState::Failed, None, 10).await.expect("a store");
        assert_eq!(failed, []);
        gateway.end().await;
    });
}

#[test]
fn a_leg_whose_clock_is_stopped_is_not_reminded_of_and_an_excused_one_of_its_new_date() {
    each_engine("reminders_stopped", |gateway| async move {
        let (answered, excused) =
            (gateway.request(8, "CAMHS").await, gateway.request(9, "CAMHS").await);
        let trust = gateway.mental();
        let today = gateway.today();
        let advice = people::advice(&trust.code, "A-8", &answered, &people::child(8), today);
        taken(trust, &advice).await;
        let to = today.saturating_add(60.days());
        let excuse = people::exception(&trust.code, "E-9", &excused, &people::child(9), today, to);
        taken(trust, &excuse).await;
        gateway.clock.advance(days(42));
        duties(&gateway).await;
        assert!(chasers(trust).await.is_empty(), "the statutory date of an excused leg passed");
        gateway.clock.advance(days(11));
        duties(&gateway).await;
        let new = chasers(trust).await;
        assert_eq!(new.len(), 1);
        assert_eq!(new[0]["particulars"]["due_on"], to.to_string());
        gateway.end().await;
    });
}

#[test]
fn the_figures_of_a_month_come_out_the_same_for_any_past_day() {
    each_engine("performance", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let start = gateway.today();
        let mut legs = Vec::new();
        for number in 10..15 {
            legs.push(gateway.request(number, "CAMHS").await);
        }
        let advise = |id: &str, leg: &str, number: u32, on: Date| {
            people::advice(&trust.code, id, leg, &people::child(number), on)
        };
        taken(trust, &advise("A-10", &legs[0], 10, start)).await;
        taken(trust, &people::nil(&trust.code, "N-11", &legs[1], &people::child(11))).await;
        let to = start.saturating_add(60.days());
        let child = people::child(12);
        let excuse = people::exception(&trust.code, "E-12", &legs[2], &child, start, to);
        taken(trust, &excuse).await;
        gateway.clock.advance(days(50));
        let late = gateway.today();
        taken(trust, &advise("A-12", &legs[2], 12, late)).await;
        taken(trust, &advise("A-13", &legs[3], 13, late)).await;
        let month = start.strftime("%Y-%m").to_string();
        let figures = async |of: &Partner, as_of: Date| {
            let path = format!("/v1/performance?month={month}&as_of={as_of}");
            let reply = of.get(&path, None).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
            reply.json()
        };
        let now = figures(la, late).await;
        let row = &now["rows"][0];
        let counts = ["asked", "on_time", "excused", "late", "nil", "outstanding", "overdue"];
        let read = |row: &Value| counts.map(|name| row[name].as_u64().expect("a count"));
        assert_eq!(row["service"], "CAMHS");
        assert_eq!(read(row), [5, 1, 1, 1, 1, 1, 1]);
        assert_eq!(figures(trust, late).await["rows"], now["rows"], "both sides see the same");
        let other = figures(gateway.acute(), late).await;
        assert_eq!(other["total"]["asked"], 0, "others see theirs only");
        let before = figures(la, late.saturating_sub(1.days())).await;
        assert_eq!(read(&before["rows"][0]), [5, 1, 1, 0, 1, 2, 2], "as it stood the day before");
        gateway.clock.advance(days(100));
        assert_eq!(figures(la, late).await["rows"], now["rows"], "and the same much later");
        let path = format!("/v1/performance?month={month}&as_of={late}");
        let csv = la.get(&path, Some("text/csv")).await.expect("an answer").text();
        let mut lines = csv.lines();
        assert!(lines.next().expect("a header").starts_with("month,as_of,by,authority"));
        assert!(lines.next().expect("a row").ends_with("CAMHS,5,1,1,1,1,1,1,0,0,0"), "{csv}");
        gateway.end().await;
    });
}

async fn pack(of: &Partner, leg: &str) -> Pack {
    let path = format!("/v1/legs/{leg}/evidence");
    let reply = of.get(&path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_value(reply.json()).expect("a pack")
}

#[test]
fn an_evidence_pack_proves_itself_without_the_gateway() {
    each_engine("evidence", |gateway| async move {
        let leg = gateway.request(16, "CAMHS").await;
        let (la, trust) = (gateway.la(), gateway.mental());
        let to = gateway.today().saturating_add(60.days());
        let child = people::child(16);
        let excuse = people::exception(&trust.code, "E-16", &leg, &child, gateway.today(), to);
        taken(trust, &excuse).await;
        gateway.clock.advance(days(46));
        duties(&gateway).await;
        let advice = people::advice(&trust.code, "A-16", &leg, &child, gateway.today());
        taken(trust, &advice).await;
        let vkey = gateway.cast.app().log_vkey.clone();

        let ours = pack(la, &leg).await;
        assert_eq!(verify(&ours, &vkey), [], "everything it says is proved");
        assert_eq!(ours.leg.standing, "answered-excused");
        assert_eq!(ours.answers.len(), 2, "the exception and the advice");
        assert_eq!(ours.exceptions[0].id, "reg-8-2-c");
        assert_eq!(ours.reminders.len(), 1);
        assert!(ours.request.receipt.is_some(), "the authority's own receipt");
        let states: Vec<&str> = ours.history.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(states, ["waiting", "exception", "answered"]);
        let text = serde_json::to_string(&ours).expect("JSON");
        for secret in [people::nhs_number(16), child.family_name.clone()] {
            assert!(!text.contains(&secret), "it names no child");
        }

        let theirs = pack(trust, &leg).await;
        assert_eq!(verify(&theirs, &vkey), [], "the trust's is proved as well");
        assert!(theirs.request.receipt.is_none(), "the receipt was the authority's");
        assert!(theirs.answers.iter().all(|answer| answer.receipt.is_some()));
        let path = format!("/v1/legs/{leg}/evidence");
        let stranger = gateway.acute().get(&path, None).await.expect("an answer");
        assert_eq!(stranger.status, 404);

        let mut forged = ours.clone();
        forged.answers[1].sealed_sha256 = forged.answers[0].sealed_sha256.clone();
        assert!(!verify(&forged, &vkey).is_empty(), "another record's hash");
        let mut forged = ours.clone();
        forged.log.entries.remove(0);
        assert!(!verify(&forged, &vkey).is_empty(), "an entry taken out");
        let mut forged = ours.clone();
        forged.log.entries[0].leaf = forged.log.entries[1].leaf.clone();
        assert!(!verify(&forged, &vkey).is_empty(), "an entry changed");
        let mut forged = ours;
        forged.request.receipt = theirs.answers[0].receipt.clone();
        assert!(!verify(&forged, &vkey).is_empty(), "another receipt");
        let other = "other+00000000+AUAs8wl9ePD4mh8JjZ4Dmo9UPbAY0GMtsLC3uGXCuY1A";
        assert!(!verify(&theirs, other).is_empty(), "another key");
        gateway.end().await;
    });
}

#[test]
fn a_pack_for_the_trust_that_was_asked_holds_no_answer_that_is_held_from_it() {
    each_engine("evidence_held", |gateway| async move {
        let leg = gateway.request(19, "CAMHS").await;
        let (la, trust) = (gateway.la(), gateway.mental());
        let fetch = trust.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
        assert_eq!(fetch.status, 200);
        let child = people::child(19);
        let withdrawal = people::withdrawal(&la.code, "W-19", &child, gateway.today()).to_string();
        let reply = la.post("/v1/consents", "application/json", "w-19", withdrawal).await;
        assert_eq!(reply.expect("an answer").status, 201);
        let says = json!({
            "reports_relied_on": ["A made-up report"], "agreeing_party": "authority",
            "agreed_on": gateway.today(), "agreed_by": "Somebody made up",
        });
        let kind = "advice.existing_sufficient";
        let mut message = message((la, trust), kind, "S-19", 19, &says);
        message["leg"] = json!(leg);
        message.as_object_mut().expect("an object").remove("case");
        let reply = la.send("s-19", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let (record, held) = (
            text(&reply.json()["rows"][0]["record"]),
            text(&reply.json()["rows"][0]["legs"][0]["leg"]),
        );
        let names = |pack: &Pack| {
            let answers: Vec<String> = pack.answers.iter().map(|a| a.record.to_string()).collect();
            (answers.contains(&record), serde_json::to_string(pack).expect("JSON"))
        };
        assert!(names(&pack(la, &leg).await).0, "its sender has it");
        let vkey = gateway.cast.app().log_vkey.clone();
        let theirs = pack(trust, &leg).await;
        assert_eq!(verify(&theirs, &vkey), []);
        let (listed, all) = names(&theirs);
        assert!(!listed && !all.contains(&record), "{all}");
        assert!(theirs.log.entries.iter().all(|entry| {
            let leaf = STANDARD.decode(&entry.leaf).expect("base64");
            !String::from_utf8_lossy(&leaf).contains(&record)
        }));
        for person in ["officer-2", "manager-3"] {
            let path = format!("/v1/holds/{held}/decision");
            let body = json!({ "decision": "release", "reason": "statutory-duty-confirmed" });
            let (key, body) = (format!("{person}-{held}"), body.to_string());
            let reply = la.post_as(person, &path, "application/json", &key, body).await;
            assert_eq!(reply.expect("an answer").status, 200);
        }
        assert!(names(&pack(trust, &leg).await).0, "what two people released it may see");
        gateway.end().await;
    });
}

#[test]
fn the_board_is_filtered_by_trust_service_date_and_state() {
    each_engine("board_filters", |gateway| async move {
        gateway.request(17, "CAMHS").await;
        gateway.clock.advance(days(10));
        let second = gateway.request(18, "PAEDIATRICS").await;
        let la = gateway.la();
        let only = async |query: &str| {
            let reply = la.get(&format!("/v1/board?{query}"), None).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
            let legs = reply.json()["legs"].as_array().expect("legs").clone();
            legs.iter().map(|leg| leg["service"].as_str().expect("a code").to_owned()).collect()
        };
        let services: Vec<String> = only("organisation=RXT").await;
        assert_eq!(services, ["CAMHS"]);
        let services: Vec<String> = only("service=PAEDIATRICS").await;
        assert_eq!(services, ["PAEDIATRICS"]);
        let due = plus(gateway.today(), 42);
        let services: Vec<String> = only(&format!("due_from={due}")).await;
        assert_eq!(services, ["PAEDIATRICS"]);
        let nil = people::nil(&gateway.acute().code, "N-18", &second, &people::child(18));
        taken(gateway.acute(), &nil).await;
        let services: Vec<String> = only("state=nil").await;
        assert_eq!(services, ["PAEDIATRICS"]);
        gateway.clock.advance(days(33));
        let services: Vec<String> = only("overdue=true").await;
        assert_eq!(services, ["CAMHS"]);
        gateway.end().await;
    });
}
