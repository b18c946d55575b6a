//! What is odd raises one alert that names nobody, and somebody else signs it off.

mod samples;
mod systems;

use std::path::Path;
use std::sync::Arc;

use gateway::clock::{Clock, london_time};
use gateway::practice::client::Partner;
use gateway::practice::{Stage, people};
use gateway::prompt::{KnownBy, Login};
use gateway::{duties, odd_access};
use jiff::SignedDuration;
use jiff::civil::{Time, Weekday};
use serde_json::{Value, json};
use tests::gateway::each_engine_prepared;
use tests::{TestGateway, text};

/// The shipped rules with numbers that a test reaches.
fn low_numbers(stage: &Stage) {
    let rules = odd_access::Rules::built_in_text()
        .replace("people = 40", "people = 4")
        .replace("looks = 120", "looks = 12")
        .replace("settle_days = 28", "settle_days = 2");
    let folder = stage.config_path().parent().expect("a folder");
    std::fs::write(folder.join("odd-access.toml"), rules).expect("a file");
    let config = std::fs::read_to_string(stage.config_path()).expect("a file");
    let config = config.replace("[files]\n", "[files]\nodd_access = \"odd-access.toml\"\n");
    std::fs::write(stage.config_path(), config).expect("a file");
}

fn with_low_numbers<T: Future<Output = ()>>(name: &str, test: impl Fn(TestGateway) -> T) {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| low_numbers(stage);
    each_engine_prepared(name, &prepare, |gateway, ()| test(gateway));
}

/// Moves the clock on to the next working day (no bank holiday is near a Tuesday of a test's week
/// that this does not pass over) at this hour in London.
fn move_to_hour(gateway: &TestGateway, hour: i8) {
    let holidays = gateway.cast.app().rules.bank_holidays().clone();
    for _ in 0..20 * 24 * 12 {
        let now = london_time(gateway.clock.now());
        let working = holidays.is_working_day(now.date()).expect("a covered day");
        let weekday = now.weekday() != Weekday::Friday;
        if working
            && weekday
            && now.time().hour() == hour
            && now.time() < Time::constant(hour, 5, 0, 0)
        {
            return;
        }
        gateway.clock.advance(SignedDuration::from_mins(5));
    }
    unreachable!("no such hour came");
}

async fn watch(gateway: &TestGateway) {
    duties::run_due(gateway.cast.app()).await.expect("the duties are done");
}

/// The open alerts as the auditor sees them: rule, organisation, entries.
async fn queue(gateway: &TestGateway) -> Vec<Value> {
    let reply = gateway.auditor().get("/v1/alerts", None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["alerts"].as_array().expect("alerts").clone()
}

fn rules_of(alerts: &[Value]) -> Vec<String> {
    let mut rules: Vec<String> = alerts.iter().map(|alert| text(&alert["rule"])).collect();
    rules.sort();
    rules
}

fn of_rule<'a>(alerts: &'a [Value], rule: &str) -> &'a Value {
    alerts.iter().find(|alert| alert["rule"] == rule).expect("an alert of the rule")
}

/// A request about a child, accepted; its record.
async fn record(gateway: &TestGateway, number: u32) -> String {
    let id = format!("OA-{number}");
    let la = gateway.la();
    let child = people::child(number);
    let mut message = people::request(&la.code, &id, &child, &["CAMHS"], gateway.today());
    message["subject"]["postcode"] = json!(child.postcode);
    let reply = la.send(&id, &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    text(&reply.json()["rows"][0]["record"])
}

async fn open_journey(gateway: &TestGateway, record: &str) {
    let path = format!("/v1/records/{record}/journey");
    let reply = gateway.la().get(&path, None).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn act(caller: &Partner, person: &str, path: &str, body: &Value) -> (u16, Value) {
    let key = gateway::entropy::sha256_hex(format!("{person}{path}{body}").as_bytes());
    let reply = caller.post_as(person, path, "application/json", &key, body.to_string()).await;
    let reply = reply.expect("an answer");
    (reply.status, reply.json())
}

async fn decide(
    caller: &Partner,
    person: &str,
    alert: &Value,
    (outcome, reason): (&str, &str),
) -> (u16, Value) {
    let path = format!("/v1/alerts/{}/decision", text(&alert["alert"]));
    act(caller, person, &path, &json!({ "outcome": outcome, "reason": reason })).await
}

async fn list_staff(gateway: &TestGateway, staff: Value) -> (u16, Value) {
    act(gateway.la(), "manager-3", "/v1/staff", &json!({ "staff": staff })).await
}

/// The fifth child's address is protected; somebody looks at the child's record.
async fn open_a_protected_one(gateway: &TestGateway, record: &str) {
    let restricted = json!({
        "type": "consent.restriction", "id": "OA-R", "sender": "334",
        "subject": people::subject(&people::child(5)),
        "consent": {
            "status": "restricted", "restriction": "protected-address",
            "date": gateway.today().to_string(),
        },
    });
    let reply = gateway.la().send("oa-r", &restricted).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    open_journey(gateway, record).await;
    watch(gateway).await;
    of_rule(&queue(gateway).await, "protected-address");
}

/// The officer has the sixth child's surname and postcode, and looks at the child's record.
async fn open_ones_own(gateway: &TestGateway, record: &str) {
    let child = people::child(6);
    let surname = child.family_name.split('-').next().expect("a name");
    let staff = json!([{
        "user": "OFFICER-1", "surnames": ["Vexor", surname], "postcodes": [child.postcode],
    }]);
    let (status, said) = list_staff(gateway, staff).await;
    assert_eq!((status, &said["people"]), (200, &json!(1)), "{said}");
    open_journey(gateway, record).await;
    watch(gateway).await;
}

#[test]
fn each_rule_raises_exactly_one_alert() {
    with_low_numbers("odd_each", |gateway| async move {
        move_to_hour(&gateway, 10);
        let mut records = Vec::new();
        for number in 1..=6 {
            records.push(record(&gateway, number).await);
        }
        watch(&gateway).await;
        assert!(queue(&gateway).await.is_empty(), "a working day's requests are not odd");

        open_journey(&gateway, &records[0]).await;
        watch(&gateway).await;
        assert!(queue(&gateway).await.is_empty(), "nor is one look");
        for record in &records[1..4] {
            open_journey(&gateway, record).await;
        }
        watch(&gateway).await;
        assert_eq!(rules_of(&queue(&gateway).await), ["many-people"]);
        for _ in 0..8 {
            open_journey(&gateway, &records[0]).await;
        }
        watch(&gateway).await;
        assert_eq!(rules_of(&queue(&gateway).await), ["many-looks", "many-people"]);

        move_to_hour(&gateway, 22);
        open_journey(&gateway, &records[0]).await;
        gateway.clock.advance(SignedDuration::from_mins(20));
        open_journey(&gateway, &records[0]).await;
        watch(&gateway).await;
        let alerts = queue(&gateway).await;
        assert_eq!(rules_of(&alerts), ["many-looks", "many-people", "out-of-hours"]);
        assert_eq!(of_rule(&alerts, "out-of-hours")["entries"], 2, "one alert for one night");

        move_to_hour(&gateway, 11);
        open_a_protected_one(&gateway, &records[4]).await;
        open_ones_own(&gateway, &records[5]).await;

        let (_, leg) = gateway.held(7).await;
        let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        let path = format!("/v1/holds/{leg}/break-glass");
        assert_eq!(act(gateway.la(), "officer-2", &path, &broken).await.0, 200);
        watch(&gateway).await;
        watch(&gateway).await;
        let alerts = queue(&gateway).await;
        assert_eq!(
            rules_of(&alerts),
            [
                "many-looks",
                "many-people",
                "out-of-hours",
                "override",
                "own-postcode",
                "own-surname",
                "protected-address",
            ]
        );
        let metrics = gateway.metrics().await;
        for alert in &alerts {
            let rule = text(&alert["rule"]);
            assert!(metrics.contains(&format!("ehc_alerts{{rule=\"{rule}\"}} 1\n")), "{metrics}");
            let raised = format!("ehc_alerts_raised_total{{rule=\"{rule}\"}} 1\n");
            assert!(metrics.contains(&raised), "{metrics}");
        }
        gateway.end().await;
    });
}

#[test]
fn a_recipient_that_nobody_expects_raises_one_alert_when_the_gateway_has_learnt() {
    with_low_numbers("odd_recipient", |gateway| async move {
        let child = people::subject(&people::child(21));
        let early = gateway.plan("OA-P1", gateway.acute(), &child);
        let sent = gateway.mental().send("p1", &early).await.expect("an answer");
        assert_eq!(sent.status, 201, "{}", sent.text());
        watch(&gateway).await;
        assert!(queue(&gateway).await.is_empty(), "it only learns");
        gateway.clock.advance(SignedDuration::from_hours(72));
        let same = gateway.plan("OA-P2", gateway.acute(), &child);
        let sent = gateway.mental().send("p2", &same).await.expect("an answer");
        assert_eq!(sent.status, 201, "{}", sent.text());
        watch(&gateway).await;
        assert!(queue(&gateway).await.is_empty(), "it has gone this way before");
        let commissioner = gateway.cast.commissioner();
        for id in ["OA-P3", "OA-P4"] {
            let other = gateway.plan(id, commissioner, &child);
            let sent = gateway.mental().send(id, &other).await.expect("an answer");
            assert_eq!(sent.status, 201, "{}", sent.text());
        }
        watch(&gateway).await;
        let alerts = queue(&gateway).await;
        assert_eq!(rules_of(&alerts), ["unusual-recipient"], "{alerts:?}");
        assert_eq!(alerts[0]["organisation"], json!(gateway.mental().code));
        assert_eq!(alerts[0]["counterparty"], json!(commissioner.code));
        let own = gateway.mental().get("/v1/alerts", None).await.expect("an answer").json();
        assert_eq!(own["alerts"], json!([]), "whom to tell is information governance's to say");
        gateway.end().await;
    });
}

/// What stands in the log of the kinds that are about alerts.
async fn entries_about_alerts(gateway: &TestGateway) -> Vec<String> {
    let rows = gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log");
    let texts = rows.into_iter().map(|row| String::from_utf8(row.leaf).expect("text"));
    texts
        .filter(|text| text.contains("\"alert.raised\"") || text.contains("\"alert.grown\""))
        .collect()
}

#[test]
fn an_alert_names_nobody_and_only_its_view_shows_who_acted() {
    with_low_numbers("odd_nobody", |gateway| async move {
        move_to_hour(&gateway, 22);
        let child = people::child(31);
        let opened = record(&gateway, 31).await;
        for _ in 0..2 {
            open_journey(&gateway, &opened).await;
            watch(&gateway).await;
        }
        let app = gateway.cast.app();
        let names = app.vault.pseudonyms();
        let number = schemas::NhsNumber::parse(&child.nhs_number).expect("a number");
        let la = schemas::OrganisationCode::parse("334").expect("a code");
        let person = names.person(&la, "officer-1");
        let secrets = [
            child.nhs_number.clone(),
            child.family_name.clone(),
            names.key_of_nhs_number(&number).to_hex(),
            person.clone(),
            names.anywhere("officer-1"),
            "officer-1".to_owned(),
            opened.clone(),
        ];
        let listed = gateway.auditor().get("/v1/alerts", None).await.expect("an answer").text();
        let entries = entries_about_alerts(&gateway).await;
        assert_eq!(entries.len(), 2, "one raised and one grown: {entries:?}");
        let metrics = gateway.metrics().await;
        for said in entries.iter().chain([&listed, &metrics]) {
            for secret in &secrets {
                assert!(!said.contains(secret.as_str()), "{secret} is in {said}");
            }
        }
        let alert = queue(&gateway).await.remove(0);
        assert_eq!(alert["entries"], 2);
        let path = format!("/v1/alerts/{}", text(&alert["alert"]));
        let view = gateway.la().get(&path, None).await.expect("an answer");
        assert_eq!(view.status, 200, "{}", view.text());
        let shown = view.json();
        assert_eq!(shown["concerns"].as_array().map(Vec::len), Some(2));
        assert_eq!(shown["concerns"][0]["person"], json!(person));
        assert_eq!(shown["concerns"][0]["record"], json!(opened));
        let whose = names.key_of_nhs_number(&number).to_hex();
        assert!(!view.text().contains(&whose), "about whom, stands nowhere in it");
        for nobody in [gateway.mental(), gateway.cast.operator()] {
            let status = nobody.get(&path, None).await.expect("an answer").status;
            assert!(matches!(status, 404 | 403), "{status}");
        }
        gateway.end().await;
    });
}

#[test]
fn whoever_acted_never_signs_off_through_whichever_organisation_they_call() {
    with_low_numbers("odd_actor", |gateway| async move {
        move_to_hour(&gateway, 22);
        let opened = record(&gateway, 41).await;
        open_journey(&gateway, &opened).await;
        watch(&gateway).await;
        let alert = queue(&gateway).await.remove(0);
        let right = ("justified", "on-call-or-agreed-hours");
        for (caller, person) in [
            (gateway.la(), "officer-1"),
            (gateway.la(), " OFFICER-1"),
            (gateway.auditor(), "officer-1"),
        ] {
            let before = gateway.cast.app().log_size().await.expect("a size");
            let (status, said) = decide(caller, person, &alert, right).await;
            assert_eq!((status, &said["code"]), (403, &json!("not-yours-to-decide")), "{said}");
            let after = gateway.cast.app().log_size().await.expect("a size");
            assert_eq!(after, before + 1, "the refusal is in the log");
        }
        assert_eq!(decide(gateway.mental(), "officer-9", &alert, right).await.0, 404);
        let wrong = ("justified", "no-business-need");
        assert_eq!(decide(gateway.la(), "manager-3", &alert, wrong).await.0, 400);
        let pass_on = ("escalate", "needs-information-governance");
        assert_eq!(decide(gateway.la(), "manager-3", &alert, pass_on).await.0, 200);
        assert_eq!(queue(&gateway).await[0]["state"], "escalated");
        let (status, _) = decide(gateway.auditor(), "manager-3", &alert, right).await;
        assert_eq!(status, 403, "who passed it on does not close it");
        assert_eq!(decide(gateway.auditor(), "auditor-9", &alert, right).await.0, 200);
        let (status, _) = decide(gateway.auditor(), "auditor-8", &alert, right).await;
        assert_eq!(status, 409, "it is closed once");
        assert!(queue(&gateway).await.is_empty());
        let path = format!("/v1/alerts/{}", text(&alert["alert"]));
        let view = gateway.auditor().get(&path, None).await.expect("an answer").json();
        assert_eq!(view["state"], "justified");
        let trail: Vec<String> = view["decisions"]
            .as_array()
            .expect("a trail")
            .iter()
            .map(|one| format!("{} {}", text(&one["outcome"]), text(&one["organisation"])))
            .collect();
        assert_eq!(trail.len(), 2, "{trail:?}");
        assert!(trail.contains(&"escalated 334".to_owned()), "{trail:?}");
        open_journey(&gateway, &opened).await;
        watch(&gateway).await;
        let again = queue(&gateway).await;
        assert_eq!(again.len(), 1, "what happens after the sign-off is a new alert");
        assert_ne!(again[0]["alert"], alert["alert"]);
        gateway.end().await;
    });
}

#[test]
fn at_the_machines_own_prompt_nobody_is_told_apart() {
    with_low_numbers("odd_prompt", |gateway| async move {
        move_to_hour(&gateway, 22);
        let opened = record(&gateway, 51).await;
        let app = gateway.cast.app();
        let id = schemas::RecordId(opened.parse().expect("an id"));
        let local = gateway::audit::Actor::local();
        gateway::journey::of_record(app, id, None, &local).await.expect("a journey");
        watch(&gateway).await;
        let alert = queue(&gateway).await.remove(0);
        assert_eq!(
            (&alert["rule"], &alert["organisation"]),
            (&json!("out-of-hours"), &json!("gateway"))
        );
        let right = ("justified", "task-of-the-role");
        assert_eq!(decide(gateway.la(), "manager-3", &alert, right).await.0, 404, "not theirs");
        let (status, said) = decide(gateway.auditor(), "auditor-9", &alert, right).await;
        let own = gateway.auditor().code == app.organisation().as_str();
        assert_eq!(status, if own { 403 } else { 200 }, "{said}");
        gateway.end().await;
    });
}

#[test]
fn what_a_login_did_at_the_prompt_is_not_signed_off_by_the_same_name_elsewhere() {
    with_low_numbers("odd_login", |gateway| async move {
        move_to_hour(&gateway, 22);
        let opened = record(&gateway, 52).await;
        let app = gateway.cast.app();
        let id = schemas::RecordId(opened.parse().expect("an id"));
        let login = Login::new("auditor-9", KnownBy::Process).saying(Some("auditor-8".to_owned()));
        let actor = login.actor(app.vault.pseudonyms());
        gateway::journey::of_record(app, id, None, &actor).await.expect("a journey");
        watch(&gateway).await;
        let alert = queue(&gateway).await.remove(0);
        assert_eq!(alert["organisation"], json!("gateway"));
        let right = ("justified", "task-of-the-role");
        for same in ["auditor-9", "Auditor-9", "auditor-8"] {
            let (status, said) = decide(gateway.auditor(), same, &alert, right).await;
            assert_eq!(status, 403, "{same}: {said}");
        }
        let (status, said) = decide(gateway.auditor(), "auditor-7", &alert, right).await;
        assert_eq!(status, 200, "{said}");
        gateway.end().await;
    });
}

#[test]
fn an_emergencys_own_review_decides_its_alert() {
    with_low_numbers("odd_review", |gateway| async move {
        // At night: that it is also out of hours is another alert, which the review does not decide.
        move_to_hour(&gateway, 22);
        let (_, leg) = gateway.held(61).await;
        let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        let path = format!("/v1/holds/{leg}/break-glass");
        let (_, said) = act(gateway.la(), "officer-2", &path, &broken).await;
        watch(&gateway).await;
        let alerts = queue(&gateway).await;
        assert_eq!(rules_of(&alerts), ["out-of-hours", "override"]);
        assert!(of_rule(&alerts, "out-of-hours").get("review").is_none());
        let alert = of_rule(&alerts, "override").clone();
        assert_eq!(alert["review"], said["review"]);
        let right = ("justified", "task-of-the-role");
        let (status, told) = decide(gateway.auditor(), "auditor-9", &alert, right).await;
        assert_eq!(status, 409, "{told}");
        assert!(text(&told["detail"]).contains("/v1/reviews/"), "{told}");
        let close = format!("/v1/reviews/{}/decision", text(&said["review"]));
        let not = json!({ "outcome": "not-upheld", "finding": "no-emergency" });
        assert_eq!(act(gateway.auditor(), "auditor-9", &close, &not).await.0, 200);
        watch(&gateway).await;
        let path = format!("/v1/alerts/{}", text(&alert["alert"]));
        let view = gateway.auditor().get(&path, None).await.expect("an answer").json();
        assert_eq!(view["state"], "not-justified", "{view}");
        assert_eq!(view["decisions"][0]["reason"], "its-review-was-closed");
        assert_eq!(rules_of(&queue(&gateway).await), ["out-of-hours", "out-of-hours"]);
        gateway.end().await;
    });
}

#[test]
fn a_restart_and_a_second_gateway_neither_lose_nor_double_an_alert() {
    with_low_numbers("odd_restart", |gateway| async move {
        move_to_hour(&gateway, 22);
        let opened = record(&gateway, 71).await;
        open_journey(&gateway, &opened).await;
        let gateway = gateway.restart().await;
        let app = gateway.cast.app();
        let config = gateway::config::Config::load(gateway.cast.config_path()).expect("a file");
        let (clock, entropy) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
        let second = gateway::app::App::open(config, clock, entropy).await.expect("a second one");
        let (one, other) = tokio::join!(odd_access::watch(app), odd_access::watch(&second));
        let raised = one.expect("watched") + other.expect("watched");
        assert_eq!(raised, 1, "whichever came first");
        let gateway = gateway.restart().await;
        watch(&gateway).await;
        assert_eq!(odd_access::watch(&second).await.expect("watched"), 0);
        let alerts = queue(&gateway).await;
        assert_eq!(rules_of(&alerts), ["out-of-hours"]);
        assert_eq!(alerts[0]["entries"], 1);
        second.store.close().await;
        gateway.end().await;
    });
}

fn bytes_under(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            bytes_under(&entry.path(), all);
        } else {
            all.extend(std::fs::read(entry.path()).expect("a file"));
        }
    }
}

#[test]
fn a_list_of_staff_leaves_nothing_but_marks_and_forgets_leavers() {
    with_low_numbers("odd_staff", |gateway| async move {
        move_to_hour(&gateway, 10);
        let opened = record(&gateway, 81).await;
        let child = people::child(81);
        let own = |user: &str| json!({ "user": user, "surnames": [child.family_name], "postcodes": ["ZE1 1QQ"] });
        // The part of the name that all made-up children have is common here; five have the whole.
        let many: Vec<Value> = ["officer-1", "b", "c", "d", "e"].into_iter().map(own).collect();
        assert_eq!(list_staff(&gateway, json!(many)).await.0, 200);
        open_journey(&gateway, &opened).await;
        watch(&gateway).await;
        assert!(queue(&gateway).await.is_empty(), "a name that many have says nothing");
        let canary = json!([{
            "user": "officer-1", "surnames": ["Zyzzwick", child.family_name],
            "postcodes": ["QQ7 7QQ"],
        }, { "user": "leaver-Xyloph" }]);
        assert_eq!(list_staff(&gateway, canary).await.0, 200);
        open_journey(&gateway, &opened).await;
        watch(&gateway).await;
        assert_eq!(rules_of(&queue(&gateway).await), ["own-surname"]);
        let mut stored = Vec::new();
        bytes_under(gateway.folder(), &mut stored);
        for secret in
            ["Zyzzwick", "zyzzwick", "QQ7 7QQ", "qq77qq", "leaver-Xyloph", "leaver-xyloph"]
        {
            let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} was kept");
        }
        assert_eq!(list_staff(&gateway, json!([])).await.0, 200, "everybody left");
        gateway.clock.advance(SignedDuration::from_hours(24 * 8));
        move_to_hour(&gateway, 10);
        open_journey(&gateway, &opened).await;
        watch(&gateway).await;
        assert_eq!(queue(&gateway).await[0]["entries"], 1, "nothing was added");
        assert_eq!(queue(&gateway).await.len(), 1);
        let mistake = json!([{ "user": "officer-1", "surnames": ["Zyzzwick"] }, { "user": " " }]);
        let (status, said) = list_staff(&gateway, mistake).await;
        assert_eq!(status, 400);
        assert!(text(&said["detail"]).contains("entry 2"), "{said}");
        assert!(!said.to_string().contains("Zyzzwick"), "{said}");
        gateway.end().await;
    });
}
