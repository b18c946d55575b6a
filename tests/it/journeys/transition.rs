//! The way to adulthood: gaps rise while nothing is done, and close as each step is accepted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use gateway::app::App;
use gateway::audit::Actor;
use gateway::pipeline::{self, RawMessage, Sender};
use gateway::practice::client::Partner;
use gateway::practice::people::{self, Child};
use gateway::queue::{DeliveryId, DeliveryState};
use gateway::transition::CaseView;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use schemas::OrganisationCode;
use schemas::PersonalBytes;
use schemas::record::RejectionReason;
use serde_json::{Value, json};
use tests::{Engine, TestGateway, each_engine};

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
    let leg = answer.rows.first().and_then(|row| row.legs.first());
    assert!(leg.is_some(), "{}", text(&answer.body));
    let leg = leg.expect("a leg");
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
    let found = items.iter().find(|item| item["item"] == name);
    assert!(found.is_some(), "no {name} in {case}");
    found.expect("the item")
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

/// One young person from Year 9 to 18.
struct Story<'g> {
    gateway: &'g TestGateway,
    child: Child,
    /// The calendar year in which their Year 9 begins.
    year: i16,
}

impl<'g> Story<'g> {
    fn new(gateway: &'g TestGateway, number: u32) -> Self {
        let september = next_september(gateway.today());
        Self { gateway, child: in_year_9(number, september), year: september.year() }
    }

    fn app(&self) -> &'g App {
        self.gateway.cast.app()
    }

    fn today(&self) -> String {
        self.gateway.today().to_string()
    }

    /// The years are counted from the beginning of Year 9.
    fn on(&self, years: i16, month: i8, day: i8) -> Date {
        let day = date(self.year + years, month, day);
        self.gateway.move_to(day);
        day
    }

    /// One party tells another.
    async fn told(&self, kind: &str, from: &str, to: &str, says: Value) -> DeliveryId {
        send(self.app(), &message(self.app(), kind, from, to, &self.child, says)).await
    }

    /// The children's service makes a plan and the authority accepts it.
    async fn plan_is_made_and_accepted(&self) {
        let plan = health_plan(self.gateway.today());
        let plan = self.told("transition.health_plan", CHILDREN, AUTHORITY, plan).await;
        let waits = case(self.app(), AUTHORITY).await;
        assert_ne!(item(&waits, "health-plan")["state"], "accepted", "collected is not accepted");
        answer(self.app(), AUTHORITY, plan, None).await;
    }

    async fn missing_for(&self, viewer: &str) -> Vec<String> {
        missing(&case(self.app(), viewer).await).into_iter().map(str::to_owned).collect()
    }

    async fn year_9_begins_and_continuing_care_is_asked_for(&self) {
        let says = json!({
            "review_due_on": self.today(), "preparing_for_adulthood": false,
        });
        self.told("review.term_list", AUTHORITY, BOARD, says).await;
        assert!(cases(self.app(), AUTHORITY).await.is_empty(), "not in Year 9 yet");
        self.on(0, 9, 1);
        let year_9 = case(self.app(), AUTHORITY).await;
        assert_eq!(missing(&year_9), ["planning-started"]);
        assert_eq!((&year_9["age"], &year_9["year_group"]), (&json!(13), &json!(9)));
        assert_eq!(year_9["case"], "CASE-334");

        let referral = json!({ "referred_on": self.today() });
        let referral = self.told("cyp_cc.referral", CHILDREN, BOARD, referral).await;
        answer(self.app(), BOARD, referral, None).await;
        let year_9 = case(self.app(), AUTHORITY).await;
        let owed = ["planning-started", "named-worker", "notify-14", "health-plan"];
        assert_eq!(missing(&year_9), owed);
        assert_eq!(year_9["overdue"], 0);
    }

    /// Sent is not accepted; rejected opens the gap again with its reason; accepted closes it.
    async fn the_14th_birthday_passes_and_the_notice_is_rejected_then_accepted(&self) {
        let app = self.app();
        self.on(1, 5, 10);
        assert_eq!(case(app, AUTHORITY).await["checkpoint"], "birthday-14");
        self.on(1, 5, 11);
        assert_eq!(item(&case(app, AUTHORITY).await, "notify-14")["state"], "overdue");

        let notice =
            json!({ "likely_need": "Made-up need", "named_worker": "Pat Practice-Worker" });
        let first = self.told("transition.notify_14", CHILDREN, BOARD, notice.clone()).await;
        let waits = item(&case(app, CHILDREN).await, "notify-14").clone();
        assert_eq!((&waits["state"], &waits["gap"]), (&json!("awaiting-acceptance"), &json!(true)));
        answer(app, BOARD, first, Some(RejectionReason::WrongOrg)).await;
        let rejected = case(app, CHILDREN).await;
        let notify = item(&rejected, "notify-14");
        assert_eq!((&notify["state"], &notify["overdue"]), (&json!("not-accepted"), &json!(true)));
        assert_eq!(notify["evidence"]["receivers"][0]["reason"], "WRONG_ORG");
        let seen = case(app, AUTHORITY).await;
        assert_eq!(item(&seen, "notify-14")["state"], "not-accepted");
        assert!(item(&seen, "notify-14")["evidence"].is_null(), "not the authority's record");

        let second = self.told("transition.notify_14", CHILDREN, BOARD, notice).await;
        answer(app, BOARD, second, None).await;
        let done = case(app, BOARD).await;
        assert_eq!(item(&done, "notify-14")["state"], "accepted");
        assert_eq!(done["named_worker"], "Pat Practice-Worker");
        assert!(case(app, AUTHORITY).await["named_worker"].is_null());
        let history = done["history"].as_array().expect("a history").iter();
        let said: Vec<_> = history.filter(|step| !step["outcome"].is_null()).collect();
        let outcomes: Vec<_> = said.iter().map(|step| &step["outcome"]).collect();
        assert_eq!(outcomes, ["accepted", "rejected", "accepted"]);
        assert_eq!(said[1]["reason"], "WRONG_ORG");
    }

    async fn a_review_and_a_plan_leave_nothing_missing(&self) {
        let meeting = json!({ "meeting_on": self.today() });
        self.told("review.report", AUTHORITY, CHILDREN, meeting).await;
        assert_eq!(self.missing_for(AUTHORITY).await, ["health-plan"]);
        self.plan_is_made_and_accepted().await;
        let seen = case(self.app(), AUTHORITY).await;
        assert!(missing(&seen).is_empty(), "{seen}");
        assert_eq!(seen["named_worker"], "Pat Practice-Worker");
    }

    async fn year_11_owes_the_yearly_plan_and_the_move_to_post_16(&self) {
        self.on(3, 4, 1);
        let year_11 = case(self.app(), AUTHORITY).await;
        assert_eq!(missing(&year_11), ["phase-transfer-post-16", "health-plan"]);
        let due = &item(&year_11, "phase-transfer-post-16")["due"];
        assert_eq!(*due, date(self.year + 3, 3, 31).to_string());
        assert_eq!(year_11["overdue"], 2);
    }

    async fn sixteen_owes_screening_a_referral_and_an_assessment(&self) {
        let app = self.app();
        self.on(3, 7, 20);
        let owed = [
            "phase-transfer-post-16",
            "health-plan",
            "screening-16",
            "adult-referral",
            "section-58-requested",
        ];
        assert_eq!(self.missing_for(AUTHORITY).await, owed);
        self.plan_is_made_and_accepted().await;
        let screening = json!({ "referred_on": self.today() });
        let screening = self.told("chc.referral", CHILDREN, BOARD, screening).await;
        answer(app, BOARD, screening, None).await;
        let says = json!({
            "need": "Made-up need", "receiving_service": "Practice adult team",
            "planned_on": date(self.year + 5, 5, 10).to_string(),
        });
        let referral = self.told("transition.referral", CHILDREN, ADULTS, says).await;
        let waits = case(app, ADULTS).await;
        assert_eq!(item(&waits, "adult-referral")["state"], "awaiting-acceptance");
        answer(app, ADULTS, referral, None).await;
        assert_eq!(case(app, ADULTS).await["receiving_service"], "Practice adult team");
        let consent = json!({ "consent_condition": "consents" });
        self.told("careact58.request", AUTHORITY, CHILDREN, consent).await;
        self.on(3, 9, 1);
        assert_eq!(self.missing_for(AUTHORITY).await, ["section-58-outcome"], "moved by now");
    }

    async fn seventeen_owes_a_decision_in_principle_and_then_a_package(&self) {
        self.on(4, 5, 10);
        assert_eq!(self.missing_for(BOARD).await, ["section-58-outcome", "decision-17"]);
        let decision = json!({
            "chc_decision": "eligible", "in_principle": true, "decided_on": self.today(),
        });
        self.told("chc.decision", BOARD, AUTHORITY, decision).await;
        assert_eq!(self.missing_for(BOARD).await, ["section-58-outcome", "package-18"]);
    }

    async fn six_months_before_18_the_case_rises_and_is_made_ready(&self) {
        self.on(4, 11, 10);
        let near = case(self.app(), AUTHORITY).await;
        assert_eq!(
            (&near["within_months"], &near["checkpoint"]),
            (&json!(6), &json!("6-months-before-18"))
        );
        assert!(missing(&near).contains(&"support-before-transfer"));
        self.plan_is_made_and_accepted().await;
        let package = json!({
            "chc_decision": "eligible", "in_principle": false, "decided_on": self.today(),
            "starts_on": date(self.year + 5, 5, 10).to_string(),
        });
        self.told("chc.decision", BOARD, AUTHORITY, package).await;
        let outcome = json!({
            "consent_condition": "consents", "assessment_outcome": "Made-up outcome",
            "decided_on": self.today(),
        });
        self.told("careact58.outcome", AUTHORITY, CHILDREN, outcome).await;
        let ready = self.missing_for(AUTHORITY).await;
        assert!(ready.is_empty(), "{ready:?}");
    }

    async fn after_18_the_support_is_reported_and_nothing_is_left(&self) {
        self.on(5, 5, 10);
        let adult = case(self.app(), AUTHORITY).await;
        assert_eq!((&adult["age"], &adult["within_months"]), (&json!(18), &json!(0)));
        assert_eq!(missing(&adult), ["support-after-transfer"]);
        self.on(5, 8, 1);
        let plan = health_plan(self.gateway.today());
        let plan = self.told("transition.health_plan", CHILDREN, AUTHORITY, plan).await;
        answer(self.app(), AUTHORITY, plan, None).await;
        let end = case(self.app(), AUTHORITY).await;
        assert!(missing(&end).is_empty(), "{end}");
        assert_eq!(end["next"], Value::Null, "nothing is left to do");
    }

    /// What the database holds of a birthday or a name, on the embedded engine.
    fn nothing_personal_lies_in_the_clear(&self) {
        let born = self.child.date_of_birth.to_string();
        let data = self.gateway.folder().join("data");
        let mut looked_at = 0;
        for file in std::fs::read_dir(data).expect("a folder").flatten() {
            if file.path().is_dir() {
                continue;
            }
            let bytes = std::fs::read(file.path()).expect("a file");
            for text in [born.as_str(), "Pat Practice-Worker", "Practice adult team"] {
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "it is in {}", file.path().display());
            }
            looked_at += 1;
        }
        assert!(self.gateway.engine == Engine::Postgres || looked_at > 0, "nothing was looked at");
    }
}

#[test]
fn from_year_9_to_18_gaps_open_at_their_time_and_close_as_each_step_is_accepted() {
    each_engine("transition_story", |gateway| async move {
        let story = Story::new(&gateway, 41);
        story.year_9_begins_and_continuing_care_is_asked_for().await;
        story.the_14th_birthday_passes_and_the_notice_is_rejected_then_accepted().await;
        story.a_review_and_a_plan_leave_nothing_missing().await;
        story.year_11_owes_the_yearly_plan_and_the_move_to_post_16().await;
        story.sixteen_owes_screening_a_referral_and_an_assessment().await;
        story.seventeen_owes_a_decision_in_principle_and_then_a_package().await;
        story.six_months_before_18_the_case_rises_and_is_made_ready().await;
        story.after_18_the_support_is_reported_and_nothing_is_left().await;
        story.nothing_personal_lies_in_the_clear();
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
        let metrics = gateway.metrics().await;
        assert!(metrics.contains("ehc_transitions 3"), "{metrics}");
        assert!(metrics.contains("ehc_transitions_near_18_with_gaps{months=\"1\"} 1"), "{metrics}");

        // The same by command, beside the running gateway.
        let command = |more: &[&str]| {
            let mut command = tests::binary::command();
            command.arg("transitions").args(more).arg("-c").arg(gateway.cast.config_path());
            command.output().expect("it runs")
        };
        let table = command(&[]);
        assert_eq!(table.status.code(), Some(6), "something is overdue");
        let table = text(&table.stdout);
        let first = table.lines().nth(1).expect("a line");
        assert!(first.contains("within 1 month") && first.contains("CASE-RXT"), "{table}");
        let nearest = cases(app, BOARD).await.remove(0).transition.to_string();
        let one = command(&["--json", &nearest]);
        let one: Value = serde_json::from_slice(&one.stdout).expect("JSON");
        assert_eq!(item(&one, "screening-16")["state"], "overdue");
        let unknown = command(&["0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff"]);
        assert_eq!(unknown.status.code(), Some(3));
        gateway.end().await;
    });
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
        let (mut seen, mut ids, mut pages) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut path = "/v1/transitions?limit=2".to_owned();
        loop {
            let (status, page) = get(gateway.la(), &path).await;
            assert_eq!(status, 200, "{page}");
            let cases = page["transitions"].as_array().expect("cases");
            pages.push(cases.len());
            for case in cases {
                ids.insert(case["transition"].as_str().expect("an id").to_owned());
                seen.push(case["case"].as_str().expect("a label").to_owned());
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/transitions?limit=2&cursor={next}");
        }
        seen.sort();
        assert_eq!(seen, ["EHC-Y-71", "EHC-Y-72", "EHC-Y-73"]);
        assert_eq!((pages, ids.len()), (vec![2, 1], 3), "each case once, with an id of its own");
        for id in ids {
            let (status, case) = get(gateway.la(), &format!("/v1/transitions/{id}")).await;
            assert_eq!((status, &case["transition"]), (200, &json!(id)));
        }
        gateway.end().await;
    });
}
