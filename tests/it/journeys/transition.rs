//! The way to adulthood: gaps rise while nothing is done, and close as each step is accepted.

use std::sync::atomic::{AtomicU32, Ordering};

use gateway::app::App;
use gateway::audit::Actor;
use gateway::pipeline::{self, RawMessage, Sender};
use gateway::practice::client::Partner;
use gateway::practice::people::{self, Child};
use gateway::queue::{DeliveryId, DeliveryState};
use gateway::transition::CaseView;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, ToSpan};
use schemas::OrganisationCode;
use schemas::PersonalBytes;
use schemas::record::RejectionReason;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The children's service, an adult service, the commissioning board and the authority.
const CHILDREN: &str = "RXT";
const ADULTS: &str = "RRK";
const BOARD: &str = "15E";
const AUTHORITY: &str = "334";

fn code(text: &str) -> OrganisationCode {
    OrganisationCode::parse(text).expect("a code")
}

/// A young person who turns 14 on 10 May of the school year that begins on `september`.
fn in_year_9(number: u32, september: Date) -> Child {
    let date_of_birth = date(september.year() + 1 - 14, 5, 10);
    Child { date_of_birth, ..people::child(number) }
}

/// The next 1 September, at least a week away.
fn next_september(today: Date) -> Date {
    let this_year = date(today.year(), 9, 1);
    if today.saturating_add(7.days()) <= this_year {
        this_year
    } else {
        date(today.year() + 1, 9, 1)
    }
}

fn move_to(gateway: &TestGateway, day: Date) {
    let days = (day - gateway.today()).get_days();
    assert!(days >= 0, "{day} has passed");
    gateway.clock.advance(SignedDuration::from_hours(24 * i64::from(days)));
    assert_eq!(gateway.today(), day);
}

/// A message as its sender writes it. From the last Friday of June of the year of the 16th birthday
/// the young person agrees, before that a parent.
fn message(app: &App, kind: &str, from: &str, to: &str, child: &Child, says: Value) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let today = app.clock.today();
    let passes = schemas::deadlines::end_of_compulsory_school_age(child.date_of_birth);
    let decides = if today > passes.expect("a date") { "young-person" } else { "parent" };
    let mut message = json!({
        "type": kind,
        "id": format!("T-{}", COUNT.fetch_add(1, Ordering::SeqCst)),
        "sender": from,
        "recipient": to,
        "case": format!("CASE-{from}"),
        "subject": people::subject(child),
        "consent": { "status": "given", "given_by": decides, "date": today.to_string() },
    });
    let member = if kind == "transition.health_plan" { "transition" } else { "particulars" };
    message[member] = says;
    message
}

/// Sends a message through the pipeline itself: the story takes years, certificates do not last as
/// long. Gives the delivery.
async fn send(app: &App, message: &Value) -> DeliveryId {
    let partner = app.partner(&code(message["sender"].as_str().expect("a sender")));
    let partner = partner.expect("a partner");
    let raw = RawMessage {
        format: adapters::Format::Json,
        mapping: None,
        bytes: PersonalBytes::new(message.to_string().into_bytes()),
        key: message["id"].as_str().expect("an id").to_owned(),
    };
    let answer = pipeline::receive(app, &Sender::partner(&partner, Actor::local()), raw).await;
    let answer = answer.expect("an answer");
    let row = answer.rows.first().unwrap_or_else(|| panic!("{}", text(&answer.body)));
    let leg = row.legs.first().unwrap_or_else(|| panic!("{}", text(&answer.body)));
    assert!(leg.outcome.starts_with("release"), "{}: {}", message["type"], leg.reason);
    DeliveryId(leg.leg.0)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The receiver says whether it accepts, as it may over any channel.
async fn answer(app: &App, who: &str, delivery: DeliveryId, rejected: Option<RejectionReason>) {
    let state = if rejected.is_some() { DeliveryState::Rejected } else { DeliveryState::Accepted };
    let said = (state, rejected);
    let change =
        gateway::journey::acknowledge(app, &code(who), &Actor::local(), delivery, said).await;
    let change = change.expect("an answer").expect("something new");
    app.store.commit(change).await.expect("it is kept");
}

async fn cases(app: &App, viewer: &str) -> Vec<CaseView> {
    let viewer = code(viewer);
    gateway::transition::list(app, Some(&viewer), &Actor::local()).await.expect("cases")
}

/// The one case of a viewer with its checklist.
async fn case(app: &App, viewer: &str) -> Value {
    let id = cases(app, viewer).await.remove(0).transition;
    let viewer = code(viewer);
    let view = gateway::transition::show(app, id, Some(&viewer), &Actor::local()).await;
    serde_json::to_value(view.expect("a case").expect("a case")).expect("JSON")
}

fn item<'v>(case: &'v Value, name: &str) -> &'v Value {
    let items = case["items"].as_array().expect("items");
    items.iter().find(|item| item["item"] == name).unwrap_or_else(|| panic!("no {name} in {case}"))
}

fn missing(case: &Value) -> Vec<&str> {
    let items = case["items"].as_array().expect("items").iter();
    items.filter(|i| i["gap"] == true).map(|i| i["item"].as_str().expect("a name")).collect()
}

fn health_plan(today: Date) -> Value {
    json!({
        "named_worker": "Pat Practice-Worker", "plan_date": today.to_string(),
        "actions": ["A made-up action"],
    })
}

#[test]
fn from_year_9_to_18_gaps_open_at_their_time_and_close_as_each_step_is_accepted() {
    each_engine("transition_story", |gateway| async move {
        let september = next_september(gateway.today());
        let child = in_year_9(41, september);
        let year = september.year();
        let app = gateway.cast.app();
        let told = async |kind: &str, from: &str, to: &str, says: Value| {
            send(app, &message(app, kind, from, to, &child, says)).await
        };

        // Year 8: known, and nothing is owed yet. Year 9 begins: planning is owed.
        let list =
            json!({ "review_due_on": september.to_string(), "preparing_for_adulthood": false });
        told("review.term_list", AUTHORITY, BOARD, list).await;
        assert!(cases(app, AUTHORITY).await.is_empty(), "not in Year 9 yet");
        move_to(&gateway, september);
        let year_9 = case(app, AUTHORITY).await;
        assert_eq!(missing(&year_9), ["planning-started"]);
        assert_eq!((&year_9["age"], &year_9["year_group"]), (&json!(13), &json!(9)));
        assert_eq!(year_9["case"], "CASE-334");

        // Continuing care is asked for and the board takes it: more is owed.
        let referral = json!({ "referred_on": gateway.today().to_string() });
        let referral = told("cyp_cc.referral", CHILDREN, BOARD, referral).await;
        answer(app, BOARD, referral, None).await;
        let year_9 = case(app, AUTHORITY).await;
        let owed = ["planning-started", "named-worker", "notify-14", "health-plan"];
        assert_eq!(missing(&year_9), owed);
        assert_eq!(year_9["overdue"], 0);

        // The 14th birthday passes and nobody has told the board.
        move_to(&gateway, date(year + 1, 5, 10));
        assert_eq!(case(app, AUTHORITY).await["checkpoint"], "birthday-14");
        move_to(&gateway, date(year + 1, 5, 11));
        assert_eq!(item(&case(app, AUTHORITY).await, "notify-14")["state"], "overdue");

        // Sent is not accepted; rejected opens the gap again with its reason; accepted closes it.
        let notice =
            json!({ "likely_need": "Made-up need", "named_worker": "Pat Practice-Worker" });
        let first = told("transition.notify_14", CHILDREN, BOARD, notice.clone()).await;
        let waits = item(&case(app, CHILDREN).await, "notify-14").clone();
        assert_eq!((&waits["state"], &waits["gap"]), (&json!("awaiting-acceptance"), &json!(true)));
        answer(app, BOARD, first, Some(RejectionReason::WrongOrg)).await;
        let rejected = case(app, CHILDREN).await;
        let notify = item(&rejected, "notify-14");
        assert_eq!((&notify["state"], &notify["overdue"]), (&json!("not-accepted"), &json!(true)));
        assert_eq!(notify["evidence"]["receivers"][0]["reason"], "WRONG_ORG");
        let seen = case(app, AUTHORITY).await;
        assert_eq!(item(&seen, "notify-14")["state"], "not-accepted");
        assert!(item(&seen, "notify-14")["evidence"].is_null(), "it is not the authority's record");
        let second = told("transition.notify_14", CHILDREN, BOARD, notice).await;
        answer(app, BOARD, second, None).await;
        let done = case(app, BOARD).await;
        assert_eq!(item(&done, "notify-14")["state"], "accepted");
        assert_eq!(done["named_worker"], "Pat Practice-Worker");
        assert!(case(app, AUTHORITY).await["named_worker"].is_null());
        let history = done["history"].as_array().expect("a history");
        let said: Vec<_> = history.iter().filter(|step| !step["outcome"].is_null()).collect();
        assert_eq!(said.len(), 3, "{history:?}");
        assert_eq!(
            (&said[1]["outcome"], &said[1]["reason"]),
            (&json!("rejected"), &json!("WRONG_ORG"))
        );

        // A review and a plan that the authority accepts: nothing is missing.
        let meeting = json!({ "meeting_on": gateway.today().to_string() });
        told("review.report", AUTHORITY, CHILDREN, meeting).await;
        let plan =
            told("transition.health_plan", CHILDREN, AUTHORITY, health_plan(gateway.today())).await;
        assert_eq!(missing(&case(app, AUTHORITY).await), ["health-plan"]);
        answer(app, AUTHORITY, plan, None).await;
        assert!(missing(&case(app, AUTHORITY).await).is_empty());
        assert_eq!(case(app, AUTHORITY).await["named_worker"], "Pat Practice-Worker");

        // Year 11: the plan is due again, and by 31 March amended for the move to post-16.
        move_to(&gateway, date(year + 3, 4, 1));
        let year_11 = case(app, AUTHORITY).await;
        assert_eq!(missing(&year_11), ["phase-transfer-post-16", "health-plan"]);
        assert_eq!(
            item(&year_11, "phase-transfer-post-16")["due"],
            date(year + 3, 3, 31).to_string()
        );
        assert_eq!(year_11["overdue"], 2);

        // 16: screening, a referral to the adult service, an assessment under section 58.
        move_to(&gateway, date(year + 3, 7, 20));
        let sixteen = case(app, AUTHORITY).await;
        let owed = [
            "phase-transfer-post-16",
            "health-plan",
            "screening-16",
            "adult-referral",
            "section-58-requested",
        ];
        assert_eq!(missing(&sixteen), owed);
        let plan =
            told("transition.health_plan", CHILDREN, AUTHORITY, health_plan(gateway.today())).await;
        answer(app, AUTHORITY, plan, None).await;
        let today = gateway.today().to_string();
        let screening =
            told("chc.referral", CHILDREN, BOARD, json!({ "referred_on": today })).await;
        answer(app, BOARD, screening, None).await;
        let eighteen = date(year + 5, 5, 10);
        let says = json!({
            "need": "Made-up need", "receiving_service": "Practice adult team",
            "planned_on": eighteen.to_string(),
        });
        let referral = told("transition.referral", CHILDREN, ADULTS, says).await;
        assert_eq!(
            item(&case(app, ADULTS).await, "adult-referral")["state"],
            "awaiting-acceptance"
        );
        answer(app, ADULTS, referral, None).await;
        let receiver = case(app, ADULTS).await;
        assert_eq!(receiver["receiving_service"], "Practice adult team");
        let consent = json!({ "consent_condition": "consents" });
        told("careact58.request", AUTHORITY, CHILDREN, consent).await;
        move_to(&gateway, date(year + 3, 9, 1));
        assert_eq!(
            missing(&case(app, AUTHORITY).await),
            ["section-58-outcome"],
            "the move is over"
        );

        // 17: a decision in principle, which makes a package owed.
        move_to(&gateway, date(year + 4, 5, 10));
        let seventeen = case(app, BOARD).await;
        assert_eq!(missing(&seventeen), ["section-58-outcome", "decision-17"]);
        let today = gateway.today().to_string();
        let decision =
            json!({ "chc_decision": "eligible", "in_principle": true, "decided_on": today });
        told("chc.decision", BOARD, AUTHORITY, decision).await;
        assert_eq!(missing(&case(app, BOARD).await), ["section-58-outcome", "package-18"]);

        // Six months before 18 the case rises; what is left is done, and after 18 it is reported on.
        move_to(&gateway, date(year + 4, 11, 10));
        let near = case(app, AUTHORITY).await;
        assert_eq!(
            (&near["within_months"], &near["checkpoint"]),
            (&json!(6), &json!("6-months-before-18"))
        );
        assert!(missing(&near).contains(&"support-before-transfer"));
        let plan =
            told("transition.health_plan", CHILDREN, AUTHORITY, health_plan(gateway.today())).await;
        answer(app, AUTHORITY, plan, None).await;
        let today = gateway.today().to_string();
        let package = json!({
            "chc_decision": "eligible", "in_principle": false, "decided_on": today,
            "starts_on": eighteen.to_string(),
        });
        told("chc.decision", BOARD, AUTHORITY, package).await;
        let outcome = json!({
            "consent_condition": "consents", "assessment_outcome": "Made-up outcome", "decided_on": today,
        });
        told("careact58.outcome", AUTHORITY, CHILDREN, outcome).await;
        assert!(missing(&case(app, AUTHORITY).await).is_empty(), "ready for 18");
        move_to(&gateway, eighteen);
        let adult = case(app, AUTHORITY).await;
        assert_eq!((&adult["age"], &adult["within_months"]), (&json!(18), &json!(0)));
        assert_eq!(missing(&adult), ["support-after-transfer"]);
        move_to(&gateway, date(year + 5, 8, 1));
        let plan =
            told("transition.health_plan", CHILDREN, AUTHORITY, health_plan(gateway.today())).await;
        answer(app, AUTHORITY, plan, None).await;
        let end = case(app, AUTHORITY).await;
        assert!(missing(&end).is_empty(), "{end}");
        assert_eq!(end["next"], Value::Null, "nothing is left to do");
        gateway.end().await;
    });
}

#[test]
fn whoever_is_nearest_to_18_with_something_overdue_stands_first_and_the_numbers_are_metrics() {
    each_engine("transition_order", |gateway| async move {
        let app = gateway.cast.app();
        let today = gateway.today();
        // Born so that the 18th birthday is in so many days; all three were in Year 9 long ago.
        let aged = |number: u32, days: i32| {
            let adult_on = today.saturating_add(days.days());
            let date_of_birth = adult_on.saturating_sub(18.years());
            Child { date_of_birth, ..people::child(number) }
        };
        for (number, days) in [(51, 100), (52, 20), (53, 400)] {
            let says = json!({ "referred_on": today.to_string() });
            send(app, &message(app, "cyp_cc.referral", CHILDREN, BOARD, &aged(number, days), says))
                .await;
        }
        let near: Vec<_> = cases(app, BOARD).await.iter().map(|case| case.within_months).collect();
        assert_eq!(near, [Some(1), Some(6), None]);
        assert!(cases(app, BOARD).await.iter().all(|case| case.overdue > 0));
        assert!(cases(app, AUTHORITY).await.is_empty(), "it is no party of these");
        assert!(cases(app, ADULTS).await.is_empty());

        let before = app.log_size().await.expect("a size");
        gateway::duties::run_due(app).await.expect("duties");
        gateway::duties::run_due(app).await.expect("duties");
        assert!(app.log_size().await.expect("a size") > before, "it is in the log");
        let day = app.store.newest_transition_day().await.expect("a day").expect("a day");
        assert_eq!((day.day, day.tracked, day.with_gaps), (today, 3, 3));
        assert_eq!(day.within_months, [(6, 1), (3, 0), (1, 1), (0, 0)]);
        let metrics = metrics(&gateway).await;
        assert!(metrics.contains("ehc_transitions 3"), "{metrics}");
        assert!(metrics.contains("ehc_transitions_near_18_with_gaps{months=\"1\"} 1"), "{metrics}");
        gateway.end().await;
    });
}

/// The metrics as they are scraped: reading them is what brings them up to date.
async fn metrics(gateway: &TestGateway) -> String {
    let stream = tokio::net::TcpStream::connect(gateway.cast.admin_address()).await;
    let mut stream = stream.expect("a connection");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("an answer");
    text
}

async fn get(partner: &Partner, path: &str) -> (u16, Value) {
    let reply = partner.get(path, None).await.expect("an answer");
    (reply.status, reply.json())
}

#[test]
fn each_party_sees_its_cases_over_the_api_and_nobody_else_learns_that_there_is_one() {
    each_engine("transition_api", |gateway| async move {
        let app = gateway.cast.app();
        let today = gateway.today();
        let date_of_birth = today.saturating_sub(16.years()).saturating_sub(30.days());
        let child = Child { date_of_birth, ..people::child(61) };
        let says = json!({ "need": "Made-up need", "receiving_service": "Practice adult team", "planned_on": today.to_string() });
        let referral = message(app, "transition.referral", CHILDREN, ADULTS, &child, says);
        let reply = gateway.mental().send("t-1", &referral).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        let (status, list) = get(gateway.acute(), "/v1/transitions").await;
        assert_eq!(status, 200, "{list}");
        let id = list["transitions"][0]["transition"].as_str().expect("an id").to_owned();
        assert!(list["transitions"][0]["items"].is_null(), "a list has no checklists");
        assert_eq!(list["totals"]["tracked"], 1);
        let path = format!("/v1/transitions/{id}");
        let (_, shown) = get(gateway.acute(), &path).await;
        assert_eq!(item(&shown, "adult-referral")["state"], "awaiting-acceptance");

        // Fetching it is not accepting it; the acknowledgement is.
        let delivery = gateway.inbox(gateway.acute()).await.remove(0);
        get(gateway.acute(), &format!("/v1/inbox/{delivery}")).await;
        let (_, shown) = get(gateway.mental(), &path).await;
        assert_eq!(item(&shown, "adult-referral")["state"], "awaiting-acceptance");
        let says = json!({ "outcome": "accepted" }).to_string();
        let acknowledge = format!("/v1/inbox/{delivery}/acknowledgement");
        let reply = gateway.acute().post(&acknowledge, "application/json", "a-1", says).await;
        assert_eq!(reply.expect("an answer").status, 200);
        let (_, shown) = get(gateway.mental(), &path).await;
        assert_eq!(item(&shown, "adult-referral")["state"], "accepted");

        for stranger in [gateway.la(), gateway.community()] {
            let (status, list) = get(stranger, "/v1/transitions").await;
            assert_eq!((status, &list["transitions"]), (200, &json!([])));
            assert_eq!(get(stranger, &path).await.0, 404);
            assert_eq!(get(stranger, "/v1/transitions/no-such-id").await.0, 404);
        }
        assert_eq!(get(gateway.auditor(), "/v1/transitions").await.0, 403);
        assert_eq!(get(gateway.acute(), "/v1/transitions?limit=0").await.0, 400);
        assert_eq!(get(gateway.acute(), "/v1/transitions?cursor=x").await.0, 400);
        let (_, board) = get(gateway.acute(), "/v1/board").await;
        assert_eq!(board["transitions"]["tracked"], 1, "{board}");

        // The family withdraws: the adult service no longer sees the case.
        let withdrawal = people::withdrawal(&gateway.la().code, "W-1", &child, today);
        let reply =
            gateway.la().post("/v1/consents", "application/json", "w-1", withdrawal.to_string());
        assert_eq!(reply.await.expect("an answer").status, 201);
        assert_eq!(get(gateway.acute(), &path).await.0, 404);
        let (_, list) = get(gateway.acute(), "/v1/transitions").await;
        assert_eq!(list["transitions"], json!([]));
        gateway.end().await;
    });
}

#[test]
fn a_request_that_says_year_9_begins_a_case_page_by_page() {
    each_engine("transition_pages", |gateway| async move {
        for number in 71..74 {
            let id = format!("Y-{number}");
            let mut request = people::request(
                &gateway.la().code,
                &id,
                &people::child(number),
                &["CAMHS"],
                gateway.today(),
            );
            request["request"]["year_9_or_above"] = json!(true);
            let reply = gateway.la().send(&id, &request).await.expect("an answer");
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
        let mut seen = Vec::new();
        let mut path = "/v1/transitions?limit=2".to_owned();
        loop {
            let (status, page) = get(gateway.la(), &path).await;
            assert_eq!(status, 200, "{page}");
            for case in page["transitions"].as_array().expect("cases") {
                seen.push(case["case"].as_str().expect("a label").to_owned());
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/transitions?limit=2&cursor={next}");
        }
        seen.sort();
        assert_eq!(seen, ["EHC-Y-71", "EHC-Y-72", "EHC-Y-73"]);
        gateway.end().await;
    });
}
