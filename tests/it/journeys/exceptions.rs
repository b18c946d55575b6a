//! Regulation 8(2): each of its three limbs, with its evidence, moves the clock; a limb that is only
//! claimed moves nothing.

use gateway::practice::client::Partner;
use gateway::practice::people;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// The three limbs as a service shows them, counted from the day of the request: the first day, and
/// the last where there is one.
const LIMBS: [(&str, &str, i64, Option<i64>); 3] = [
    ("a", "A bereavement in the family on the day given; no appointment was possible.", 10, None),
    ("b", "The family was abroad from the first to the last day given.", 5, Some(33)),
    ("c", "The appointment of the day given was not kept; a new one is booked.", 20, None),
];

fn claim(from: &Partner, id: &str, (leg, number): (&str, u32), says: &Value) -> Value {
    json!({
        "type": "advice.exception", "id": id, "sender": from.code, "leg": leg,
        "subject": people::subject(&people::child(number)), "exception": says,
    })
}

async fn line(gateway: &TestGateway, leg: &str) -> Value {
    let board = gateway.board(gateway.la()).await;
    board.into_iter().find(|line| line["leg"] == leg).expect("the leg")
}

async fn said(from: &Partner, message: &Value) -> (u16, String) {
    let id = message["id"].as_str().expect("an id").to_lowercase();
    let reply = from.send(&id, message).await.expect("an answer");
    (reply.status, reply.text())
}

#[test]
fn each_limb_with_its_evidence_is_taken_told_to_the_authority_and_excuses_until_its_new_date() {
    each_engine("exceptions_taken", |gateway| async move {
        let (trust, la) = (gateway.mental(), gateway.la());
        let asked = gateway.today();
        let after = |count: i64| asked.saturating_add(count.days());
        let mut legs = Vec::new();
        for (number, (limb, evidence, from, until)) in (70..).zip(LIMBS) {
            let leg = gateway.request(number, "CAMHS").await;
            let mut says = json!({
                "limb": limb, "evidence": evidence, "from": after(from), "expected_on": after(60),
            });
            if let Some(until) = until {
                says["until"] = json!(after(until));
            }
            let id = format!("X-{limb}");
            let (status, told) = said(trust, &claim(trust, &id, (&leg, number), &says)).await;
            assert_eq!(status, 201, "{limb}: {told}");
            legs.push((leg, number, limb, says));
        }
        // The authority receives the evidence as it was given.
        let mut received = Vec::new();
        for delivery in gateway.inbox(la).await {
            let path = format!("/v1/inbox/{delivery}");
            let reply = la.get(&path, Some("application/json")).await.expect("an answer");
            received.push(reply.json()["exception"].clone());
        }
        for (leg, _, limb, says) in &legs {
            assert!(received.contains(says), "{limb}: {received:?}");
            let line = line(&gateway, leg).await;
            assert_eq!(line["exception"], format!("reg-8-2-{limb}"), "{line}");
            assert_eq!(line["state"], "exception");
            assert_eq!(line["statutory_due"], after(42).to_string(), "the law's date stays");
            assert_eq!(line["expected_on"], after(60).to_string(), "the new one is beside it");
            assert_eq!(line["standing"], "in-time");
        }
        gateway.clock.advance(days(43));
        for (leg, _, limb, _) in &legs {
            let line = line(&gateway, leg).await;
            assert_eq!(line["standing"], "excused", "{limb}: past six weeks, and no breach");
            assert_eq!(line["overdue"], false);
        }
        // Advice before the new date is excused; what has not come by then is overdue.
        let (leg, number, ..) = &legs[0];
        let child = people::child(*number);
        let advice = people::advice(&trust.code, "X-ADVICE", leg, &child, gateway.today());
        assert_eq!(said(trust, &advice).await.0, 201);
        assert_eq!(line(&gateway, leg).await["standing"], "answered-excused");
        gateway.clock.advance(days(18));
        for (leg, _, limb, _) in &legs[1..] {
            assert_eq!(line(&gateway, leg).await["standing"], "overdue", "{limb}");
        }
        the_month_counts_one_excused(&gateway, asked).await;
        gateway.end().await;
    });
}

async fn the_month_counts_one_excused(gateway: &TestGateway, asked: Date) {
    let path = format!("/v1/performance?month={}", asked.strftime("%Y-%m"));
    let figures = gateway.la().get(&path, None).await.expect("an answer").json();
    let row = &figures["rows"][0];
    assert_eq!((&row["asked"], &row["excused"]), (&json!(3), &json!(1)), "{row}");
    assert_eq!((&row["late"], &row["overdue"]), (&json!(0), &json!(2)), "{row}");
}

#[test]
fn a_limb_without_its_evidence_is_refused_with_what_is_missing_and_moves_nothing() {
    each_engine("exceptions_refused", |gateway| async move {
        let trust = gateway.mental();
        let leg = gateway.request(75, "CAMHS").await;
        let asked = gateway.today();
        let after = |count: i64| asked.saturating_add(count.days());
        let whole = json!({
            "limb": "a", "evidence": "Made-up words.", "from": after(10), "expected_on": after(60),
        });
        let cases: [(&str, Value, &str); 9] = [
            ("evidence", json!(null), "exception.evidence"),
            ("evidence", json!("  "), "exception.evidence"),
            ("from", json!(null), "exception.from"),
            ("expected_on", json!(null), "exception.expected_on"),
            ("limb", json!(null), "exception.limb"),
            // There is no fourth limb.
            ("limb", json!("d"), "exception.limb"),
            // Circumstances that began after the six weeks do not fall in them.
            ("from", json!(after(43)), "exception-not-shown"),
            // An absence needs its last day.
            ("limb", json!("b"), "exception.until"),
            // An appointment before the request was received is none within the six weeks.
            ("from", json!(asked.saturating_sub(1.days())), "exception-not-shown"),
        ];
        for (number, (member, value, expected)) in cases.into_iter().enumerate() {
            let mut says = whole.clone();
            says[member] = value;
            if number == 8 {
                says["limb"] = json!("c");
            }
            let id = format!("N-{number}");
            let (status, told) = said(trust, &claim(trust, &id, (&leg, 75), &says)).await;
            assert_eq!(status, 422, "{number}: {says}: {told}");
            assert!(told.contains(expected), "{number}: {expected}: {told}");
            assert!(!told.contains("Made-up words."), "the evidence is not said back: {told}");
            let line = line(&gateway, &leg).await;
            assert_eq!(line["state"], "waiting", "{number}: {line}");
            assert!(line.get("exception").is_none(), "{number}: {line}");
        }
        assert!(gateway.inbox(gateway.la()).await.is_empty(), "nothing was passed on");
        gateway.clock.advance(days(43));
        assert_eq!(line(&gateway, &leg).await["standing"], "overdue", "the clock ran on");
        gateway.end().await;
    });
}
