//! Agreement that stops by itself: on the day the young person begins to decide, and after its last
//! day.

use gateway::duties;
use gateway::practice::people;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

/// The last Friday of a June.
fn last_friday_of_june(year: i16) -> Date {
    let mut day = date(year, 6, 30);
    while day.weekday() != Weekday::Friday {
        day = day.yesterday().expect("a day");
    }
    day
}

/// A made-up young person whose decisions pass on next, and on which day. Born on 1 September, so
/// that the birthday is long before; the 31 August of the year before would pass on a year earlier.
fn young_person(today: Date) -> (Value, Date) {
    let this_year = last_friday_of_june(today.year());
    let day = if today < this_year { this_year } else { last_friday_of_june(today.year() + 1) };
    let mut subject = people::subject(&people::child(7));
    subject["date_of_birth"] = json!(date(day.year() - 17, 9, 1).to_string());
    (subject, day)
}

async fn statuses(gateway: &TestGateway) -> Vec<Value> {
    let whose = json!({ "nhs_number": people::nhs_number(7) }).to_string();
    let reply =
        gateway.auditor().post("/v1/consents/find", "application/json", "look", whose).await;
    let reply = reply.expect("an answer").json();
    let entries = reply["consents"].as_array().expect("entries");
    entries.iter().map(|entry| entry["status"].clone()).collect()
}

#[test]
fn the_vectors_of_the_end_of_compulsory_school_age() {
    // `domain.md` 1.4, and the day in each year the journey below moves to.
    let end = schemas::deadlines::end_of_compulsory_school_age;
    for (born, passes) in [
        (date(2010, 7, 3), date(2026, 6, 26)),
        (date(2010, 8, 31), date(2026, 6, 26)),
        (date(2010, 9, 1), date(2027, 6, 25)),
    ] {
        assert_eq!(end(born).expect("a date"), passes);
        assert_eq!(last_friday_of_june(passes.year()), passes);
    }
}

#[test]
fn on_the_day_the_young_person_decides_a_parents_agreement_is_stale_and_is_asked_again() {
    each_engine("decision_maker", |gateway| async move {
        let (trust, acute) = (gateway.mental(), gateway.acute());
        let (subject, day) = young_person(gateway.today());
        let message = gateway.plan("P-7", acute, &subject);
        let reply = trust.send("p-7", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(gateway.inbox(acute).await.len(), 1);
        let delivery = gateway.inbox(acute).await.remove(0);

        gateway.move_to(day.yesterday().expect("a day"));
        duties::run_due(gateway.cast.app()).await.expect("duties");
        assert_eq!(statuses(&gateway).await, ["given"], "the day before, the parent decides");
        assert_eq!(gateway.inbox(acute).await.len(), 1);

        gateway.move_to(day);
        duties::run_due(gateway.cast.app()).await.expect("duties");
        assert_eq!(statuses(&gateway).await, ["given", "stale"]);
        assert!(gateway.inbox(acute).await.is_empty(), "what rested on it does not go");
        let path = format!("/v1/inbox/{delivery}");
        assert_eq!(acute.get(&path, None).await.expect("an answer").status, 410);

        // The organisation that recorded it is told for which case to ask again.
        let told = gateway.inbox(trust).await;
        assert_eq!(told.len(), 1, "one notice");
        let path = format!("/v1/inbox/{}", told[0]);
        let notice = trust.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(notice.status, 200, "{}", notice.text());
        let notice = notice.json();
        assert_eq!(notice["type"], "consent.stale");
        assert_eq!(notice["subject"]["nhs_number"], people::nhs_number(7));
        assert_eq!(notice["case"], "EHC-P-7");

        duties::run_due(gateway.cast.app()).await.expect("duties");
        gateway.move_to(day.tomorrow().expect("a day"));
        duties::run_due(gateway.cast.app()).await.expect("duties");
        assert_eq!(statuses(&gateway).await, ["given", "stale"], "once, and once only");

        // The young person agrees: new shares go.
        let mut own = gateway.plan("P-8", acute, &subject);
        own["consent"]["given_by"] = json!("young-person");
        let reply = trust.send("p-8", &own).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(gateway.inbox(acute).await.len(), 1);
        gateway.end().await;
    });
}

#[test]
fn agreement_expires_the_day_after_its_last_day() {
    each_engine("consent_expiry", |gateway| async move {
        let (trust, acute) = (gateway.mental(), gateway.acute());
        let last = gateway.today().checked_add(10.days()).expect("a day");
        let mut message = gateway.plan("P-7", acute, &people::subject(&people::child(7)));
        message["consent"]["expires_on"] = json!(last.to_string());
        let reply = trust.send("p-7", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        gateway.move_to(last);
        duties::run_due(gateway.cast.app()).await.expect("duties");
        assert_eq!(statuses(&gateway).await, ["given"], "it holds on its last day");
        assert_eq!(gateway.inbox(acute).await.len(), 1);
        gateway.move_to(last.tomorrow().expect("a day"));
        duties::run_due(gateway.cast.app()).await.expect("duties");
        duties::run_due(gateway.cast.app()).await.expect("duties");
        assert_eq!(statuses(&gateway).await, ["given", "expired"]);
        assert!(gateway.inbox(acute).await.is_empty());
        gateway.end().await;
    });
}
