//! The six weeks of regulation 8: computed, shown, excused, stopped, and kept across a redirect.

use gateway::practice::people;
use jiff::{SignedDuration, ToSpan};
use serde_json::json;
use tests::each_engine;

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

#[test]
fn an_unanswered_leg_is_overdue_after_six_weeks() {
    each_engine("clock_overdue", |gateway| async move {
        let received = gateway.today();
        gateway.request(1, "PAEDIATRICS").await;
        let line = gateway.board(gateway.la()).await.remove(0);
        let due = received.saturating_add(42.days());
        assert_eq!(line["received_on"], received.to_string());
        assert_eq!(line["statutory_due"], due.to_string());
        assert_eq!(line["days_left"], 42);
        gateway.clock.advance(days(42));
        assert_eq!(gateway.board(gateway.la()).await[0]["overdue"], false, "due today is in time");
        gateway.clock.advance(days(1));
        assert_eq!(gateway.board(gateway.la()).await[0]["overdue"], true);
        assert_eq!(gateway.board(gateway.acute()).await[0]["overdue"], true, "both sides see it");
        assert!(gateway.board(gateway.mental()).await.is_empty(), "nobody else does");
        assert_eq!(gateway.board(gateway.auditor()).await.len(), 1);
        gateway.end().await;
    });
}

#[test]
fn an_exception_moves_the_date_and_advice_stops_the_clock() {
    each_engine("clock_exception", |gateway| async move {
        let leg = gateway.request(2, "CAMHS").await;
        let trust = gateway.mental();
        let (from, to) = (gateway.today(), gateway.today().saturating_add(70.days()));
        let message = people::exception(&trust.code, "E-1", &leg, &people::child(2), from, to);
        let reply = trust.send("e-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.clock.advance(days(60));
        let line = gateway.board(gateway.la()).await.remove(0);
        assert_eq!(line["state"], "exception");
        assert_eq!(line["expected_on"], to.to_string());
        assert_eq!(line["overdue"], false, "lateness is excused until the new date");
        let advice = people::advice(&trust.code, "A-1", &leg, &people::child(2), gateway.today());
        let reply = trust.send("a-1", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.clock.advance(days(60));
        let line = gateway.board(gateway.la()).await.remove(0);
        assert_eq!(line["state"], "answered");
        assert_eq!(line["overdue"], false);
        gateway.end().await;
    });
}

#[test]
fn a_redirected_leg_keeps_its_first_date() {
    each_engine("clock_redirect", |gateway| async move {
        let leg = gateway.request(3, "PAEDIATRICS").await;
        let first = gateway.today();
        let trust = gateway.acute();
        let redirect = json!({
            "type": "advice.redirected", "id": "X-1", "sender": trust.code, "leg": leg,
            "subject": people::subject(&people::child(3)),
            "triage": { "reason": "WRONG_ORG", "redirect_to": "RXT" },
        });
        let reply = trust.send("x-1", &redirect).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        gateway.clock.advance(days(10));
        let la = gateway.la();
        let mut again =
            people::request(&la.code, "R-2", &people::child(3), &["CAMHS"], gateway.today());
        again["request"]["replaces_leg"] = json!(leg);
        let reply = la.send("r-2", &again).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let board = gateway.board(la).await;
        let line = board.iter().find(|line| line["service"] == "CAMHS").expect("the new leg");
        assert_eq!(line["received_on"], first.to_string());
        gateway.end().await;
    });
}
