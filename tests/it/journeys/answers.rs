//! The nine answers to a request for advice, and what each does to the clock of regulation 8.

use gateway::practice::client::Partner;
use gateway::practice::people;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// An answer of a type about a child's leg, with what the type says.
fn answer(from: &Partner, kind: &str, id: &str, (leg, number): (&str, u32), says: &Value) -> Value {
    let mut message = json!({
        "type": kind, "id": id, "sender": from.code, "leg": leg,
        "subject": people::subject(&people::child(number)),
    });
    for (name, value) in says.as_object().expect("an object") {
        message[name] = value.clone();
    }
    message
}

async fn taken(from: &Partner, message: &Value) {
    let id = message["id"].as_str().expect("an id").to_lowercase();
    let reply = from.send(&id, message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
}

async fn refused(from: &Partner, message: &Value) -> String {
    let id = message["id"].as_str().expect("an id").to_lowercase();
    let reply = from.send(&id, message).await.expect("an answer");
    assert_eq!(reply.status, 422, "{}", reply.text());
    reply.text()
}

async fn line(gateway: &TestGateway, leg: &str) -> Value {
    let board = gateway.board(gateway.la()).await;
    board.into_iter().find(|line| line["leg"] == leg).expect("the leg")
}

fn exception(limb: &str, from: Date, until: Option<Date>, expected: Date) -> Value {
    let mut says = json!({ "exception": {
        "limb": limb, "evidence": "Made-up evidence.", "from": from, "expected_on": expected,
    }});
    if let Some(until) = until {
        says["exception"]["until"] = json!(until);
    }
    says
}

#[test]
fn both_ways_of_counting_are_on_the_board() {
    each_engine("answers_both_ways", |gateway| async move {
        let leg = gateway.request(1, "CAMHS").await;
        let line = line(&gateway, &leg).await;
        let due: Date = line["statutory_due"].as_str().expect("a date").parse().expect("a date");
        let other: Date = line["alternative_due"].as_str().expect("a date").parse().expect("one");
        assert_eq!(due, gateway.today().saturating_add(42.days()));
        assert_eq!(other, gateway.today().saturating_add(41.days()));
        assert_eq!(line["standing"], "in-time");
        gateway.end().await;
    });
}

#[test]
fn a_part_lets_the_clock_run_and_the_rest_stops_it() {
    each_engine("answers_part", |gateway| async move {
        let leg = gateway.request(2, "CAMHS").await;
        let trust = gateway.mental();
        let rest_on = gateway.today().saturating_add(50.days());
        let mut part = people::advice(&trust.code, "P-1", &leg, &people::child(2), gateway.today());
        part["advice"]["remainder_on"] = json!(rest_on);
        taken(trust, &part).await;
        let first = line(&gateway, &leg).await;
        assert_eq!(first["state"], "partial");
        assert_eq!(first["part_on"], gateway.today().to_string());
        assert_eq!(first["remainder_on"], rest_on.to_string());
        gateway.clock.advance(days(43));
        assert_eq!(line(&gateway, &leg).await["standing"], "overdue", "a date excuses nothing");
        let rest = people::advice(&trust.code, "P-2", &leg, &people::child(2), gateway.today());
        taken(trust, &rest).await;
        assert_eq!(line(&gateway, &leg).await["standing"], "answered-late");
        gateway.end().await;
    });
}

#[test]
fn a_forecast_of_being_late_excuses_nothing() {
    each_engine("answers_late", |gateway| async move {
        let leg = gateway.request(3, "CAMHS").await;
        let trust = gateway.mental();
        let on = gateway.today().saturating_add(80.days());
        let says = json!({ "particulars": { "late_reason": "waiting-list", "forecast_on": on } });
        taken(trust, &answer(trust, "advice.late_forecast", "L-1", (&leg, 3), &says)).await;
        let forecast = line(&gateway, &leg).await;
        assert_eq!(forecast["standing"], "late-forecast");
        assert_eq!(forecast["late_reason"], "waiting-list");
        assert_eq!(forecast["state"], "waiting", "the clock runs");
        gateway.clock.advance(days(43));
        assert_eq!(
            line(&gateway, &leg).await["standing"],
            "overdue",
            "a waiting list is no excuse"
        );
        gateway.end().await;
    });
}

#[test]
fn only_dates_that_show_a_limb_of_regulation_8_2_excuse() {
    each_engine("answers_exceptions", |gateway| async move {
        let leg = gateway.request(4, "CAMHS").await;
        let trust = gateway.mental();
        let today = gateway.today();
        let after = |count: i64| today.saturating_add(count.days());
        let kind = "advice.exception";
        // An absence without its end, and one of a day less than four weeks.
        let open = exception("b", after(5), None, after(60));
        let told = refused(trust, &answer(trust, kind, "E-1", (&leg, 4), &open)).await;
        assert!(told.contains("exception-not-shown"), "{told}");
        let short = exception("b", after(5), Some(after(31)), after(60));
        let told = refused(trust, &answer(trust, kind, "E-2", (&leg, 4), &short)).await;
        assert!(told.contains("at least 4 weeks on end"), "{told}");
        // An appointment before the request came.
        let early = exception("c", today.saturating_sub(3.days()), None, after(60));
        let told = refused(trust, &answer(trust, kind, "E-3", (&leg, 4), &early)).await;
        assert!(told.contains("advice.late_forecast"), "{told}");
        assert_eq!(line(&gateway, &leg).await["state"], "waiting", "nothing was excused");
        let shown = exception("b", after(5), Some(after(32)), after(60));
        taken(trust, &answer(trust, kind, "E-4", (&leg, 4), &shown)).await;
        let excused = line(&gateway, &leg).await;
        assert_eq!(excused["exception"], "reg-8-2-b");
        gateway.clock.advance(days(50));
        assert_eq!(line(&gateway, &leg).await["standing"], "excused");
        gateway.clock.advance(days(11));
        assert_eq!(line(&gateway, &leg).await["standing"], "overdue", "past the new date");
        gateway.end().await;
    });
}

#[test]
fn a_nil_return_leaves_the_leg_unmet_for_the_authority() {
    each_engine("answers_nil", |gateway| async move {
        let trust = gateway.mental();
        for (number, reason) in [(5, "not-known"), (6, "discharged")] {
            let leg = gateway.request(number, "CAMHS").await;
            let says = json!({ "nil": { "reason": reason } });
            let id = format!("N-{number}");
            taken(trust, &answer(trust, "advice.nil", &id, (&leg, number), &says)).await;
            let line = line(&gateway, &leg).await;
            assert_eq!(line["standing"], "nil");
            assert_eq!(line["attention"], "leg-unmet");
        }
        gateway.end().await;
    });
}

#[test]
fn an_objection_stops_the_leg_for_people() {
    each_engine("answers_objection", |gateway| async move {
        let leg = gateway.request(7, "CAMHS").await;
        let trust = gateway.mental();
        let says = json!({ "triage": { "reason": "SUBJECT_OBJECTS" } });
        taken(trust, &answer(trust, "advice.rejected", "O-1", (&leg, 7), &says)).await;
        gateway.clock.advance(days(60));
        let line = line(&gateway, &leg).await;
        assert_eq!(line["state"], "objection");
        assert_eq!(line["standing"], "objection");
        assert_eq!(line["attention"], "objection");
        assert_eq!(line["overdue"], false, "the clock is stopped");
        gateway.end().await;
    });
}

#[test]
fn existing_advice_stops_the_clock_only_when_all_three_agree() {
    each_engine("answers_existing", |gateway| async move {
        let leg = gateway.request(8, "CAMHS").await;
        let (la, trust, other) = (gateway.la(), gateway.mental(), gateway.acute());
        let today = gateway.today();
        let agrees = |from: &Partner, to: &Partner, id: &str, party: &str| {
            let says = json!({ "recipient": to.code, "particulars": {
                "reports_relied_on": ["A made-up report"], "agreeing_party": party,
                "agreed_on": today, "agreed_by": "Somebody made up",
            }});
            answer(from, "advice.existing_sufficient", id, (&leg, 8), &says)
        };
        taken(trust, &agrees(trust, la, "S-1", "adviser")).await;
        assert_eq!(line(&gateway, &leg).await["state"], "waiting", "one of three");
        let told = refused(trust, &agrees(trust, la, "S-2", "authority")).await;
        assert!(told.contains("party-not-yours"), "{told}");
        let told = refused(other, &agrees(other, la, "S-3", "family")).await;
        assert!(told.contains("leg-unknown"), "{told}");
        taken(la, &agrees(la, trust, "S-4", "authority")).await;
        taken(la, &agrees(la, trust, "S-5", "authority")).await;
        assert_eq!(line(&gateway, &leg).await["state"], "waiting", "the same twice is one");
        taken(la, &agrees(la, trust, "S-6", "family")).await;
        let agreed = line(&gateway, &leg).await;
        assert_eq!(agreed["state"], "sufficient");
        assert_eq!(agreed["standing"], "on-time");
        assert_eq!(agreed["answered_on"], today.to_string());
        gateway.end().await;
    });
}

#[test]
fn a_redirected_leg_is_replaced_once_and_by_one_service() {
    each_engine("answers_replaced", |gateway| async move {
        let leg = gateway.request(9, "PAEDIATRICS").await;
        let first = gateway.today();
        let (la, trust) = (gateway.la(), gateway.acute());
        let says = json!({ "triage": { "reason": "WRONG_ORG", "redirect_to": "RXT" } });
        taken(trust, &answer(trust, "advice.redirected", "D-1", (&leg, 9), &says)).await;
        assert_eq!(line(&gateway, &leg).await["attention"], "ask-elsewhere");
        gateway.clock.advance(days(10));
        let again = |id: &str, services: &[&str]| {
            let child = people::child(9);
            let mut message = people::request(&la.code, id, &child, services, gateway.today());
            message["request"]["replaces_leg"] = json!(leg);
            message
        };
        let told = refused(la, &again("R-1", &["CAMHS", "SALT"])).await;
        assert!(told.contains("replaces-for-one"), "{told}");
        taken(la, &again("R-2", &["CAMHS"])).await;
        let board = gateway.board(la).await;
        let new = board.iter().find(|line| line["service"] == "CAMHS").expect("the new leg");
        assert_eq!(new["received_on"], first.to_string(), "the first date is kept");
        assert!(line(&gateway, &leg).await.get("attention").is_none(), "somebody else was asked");
        let told = refused(la, &again("R-3", &["SALT"])).await;
        assert!(told.contains("replaces-used"), "{told}");
        gateway.end().await;
    });
}
