//! Each day, signed: every item on one line, answered by the partner, differences until explained.

use std::collections::{BTreeMap, BTreeSet};

use gateway::audit::Actor;
use gateway::practice::client::{Partner, Reply};
use gateway::practice::people;
use gateway::receipt::{Signed, verify_as};
use gateway::reconciliation::{self, Direction, LineState, Statement};
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

/// Moves the clock past the next end of a day, and has the gateway do what falls due then.
async fn end_the_day(gateway: &TestGateway) -> Date {
    let app = gateway.cast.app();
    let before = reconciliation::last_closed(app).expect("a day");
    while reconciliation::last_closed(app) == Some(before) {
        gateway.clock.advance(SignedDuration::from_mins(30));
    }
    gateway::duties::run_due(app).await.expect("duties are done");
    reconciliation::last_closed(app).expect("a day")
}

async fn fetch(partner: &Partner, day: Date) -> Reply {
    let reply = partner.get(&format!("/v1/reconciliations/{day}"), None).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

/// A partner's statement of a day, verified with the gateway's public key.
async fn statement(partner: &Partner, day: Date) -> Statement {
    let keys = partner.get("/v1/audit/keys", None).await.expect("an answer").json();
    let body = fetch(partner, day).await.json();
    let key = &keys["receipts"]["keys"][0];
    let signed = text(&body["signed"]);
    let statement: Statement =
        verify_as(Signed::Statement, &signed, key).expect("a signed statement");
    assert!(statement.balances(), "{body}");
    assert_eq!(serde_json::to_value(&statement).expect("JSON"), body["statement"]);
    statement
}

fn states(statement: &Statement, direction: Direction) -> BTreeMap<LineState, u64> {
    statement.totals.of.get(&direction).cloned().unwrap_or_default()
}

async fn answer(partner: &Partner, day: Date, key: &str, body: Value) -> Reply {
    let path = format!("/v1/reconciliations/{day}/answer");
    partner.post(&path, "application/json", key, body.to_string()).await.expect("an answer")
}

#[test]
fn a_day_lists_what_each_partner_sent_and_was_sent() {
    use LineState::{Answered, Held, Opened, Queued, Received, Refused};
    each_engine("reconciliation_day", |gateway| async move {
        end_the_day(&gateway).await;
        let (la, mental) = (gateway.la(), gateway.mental());
        let opened = gateway.request(1, "CAMHS").await;
        gateway.request(2, "CAMHS").await;
        let answered = gateway.request(3, "CAMHS").await;
        let path = format!("/v1/inbox/{opened}");
        assert_eq!(mental.get(&path, None).await.expect("an answer").status, 200);
        let nil = people::nil(&mental.code, "N-1", &answered, &people::child(3));
        assert_eq!(mental.send("n-1", &nil).await.expect("an answer").status, 201);
        // Held, because agreement to share is withdrawn; the trust never learns of it.
        let withdrawal = people::withdrawal(&la.code, "W-4", &people::child(4), gateway.today());
        let body = withdrawal.to_string();
        assert_eq!(
            la.post("/v1/consents", "application/json", "w", body).await.expect("it").status,
            201
        );
        let held = gateway.request(4, "CAMHS").await;
        // A row that cannot be accepted, and bytes that cannot be read.
        let mut wrong =
            people::request(&la.code, "BAD-1", &people::child(5), &["NO-SUCH"], gateway.today());
        wrong["case"] = json!("EHC-BAD");
        assert_eq!(la.send("bad", &wrong).await.expect("an answer").status, 422);
        let unread = la.post("/v1/messages", "application/json", "unread", "{").await;
        assert_eq!(unread.expect("an answer").status, 400);

        let day = end_the_day(&gateway).await;
        let theirs = statement(la, day).await;
        assert_eq!(
            states(&theirs, Direction::FromYou),
            BTreeMap::from([
                (Received, 1),
                (Queued, 1),
                (Held, 1),
                (Opened, 1),
                (Answered, 1),
                (Refused, 2)
            ]),
            "{theirs:?}"
        );
        assert_eq!(states(&theirs, Direction::ToYou), BTreeMap::from([(Queued, 1)]));
        assert_eq!(theirs.held_for_you.len(), 1, "the nil return waits for the authority");
        let rules: BTreeSet<&str> = theirs
            .lines
            .iter()
            .filter(|line| line.state == Refused)
            .flat_map(|line| line.rules.iter().map(String::as_str))
            .collect();
        assert!(rules.contains("service-unknown"), "{rules:?}");
        let trusts = statement(mental, day).await;
        assert_eq!(
            states(&trusts, Direction::ToYou),
            BTreeMap::from([(Queued, 1), (Opened, 1), (Answered, 1)])
        );
        assert!(trusts.lines.iter().all(|line| line.item.to_string() != held), "held is not told");
        let whole = fetch(la, day).await.text();
        for secret in ["EHC-AR", "BAD-1", "W-4", &people::nhs_number(1), "Practice-Clinician"] {
            assert!(!whole.contains(secret), "{secret} stands in a statement");
        }
        gateway.end().await;
    });
}

#[test]
fn a_statement_stays_as_it_was_signed_and_a_new_one_is_a_new_version() {
    each_engine("reconciliation_versions", |gateway| async move {
        end_the_day(&gateway).await;
        let (la, mental) = (gateway.la(), gateway.mental());
        let leg = gateway.request(1, "CAMHS").await;
        let day = end_the_day(&gateway).await;
        let first = fetch(la, day).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        assert_eq!(mental.get(&format!("/v1/inbox/{leg}"), None).await.expect("it").status, 200);
        let again = fetch(la, day).await;
        assert_eq!(again.json()["signed"], first.json()["signed"], "the same bytes");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        gateway::duties::run_due(gateway.cast.app()).await.expect("duties are done");
        assert_eq!(fetch(la, day).await.json()["signed"], first.json()["signed"]);

        let app = gateway.cast.app();
        let code = schemas::OrganisationCode::parse(&la.code).expect("a code");
        let made = reconciliation::make(app, &code, day, &Actor::local()).await.expect("a version");
        assert_eq!(made.id.version, 2);
        let second = statement(la, day).await;
        assert_eq!(states(&second, Direction::FromYou), BTreeMap::from([(LineState::Opened, 1)]));
        let one = la.get(&format!("/v1/reconciliations/{day}?version=1"), None).await;
        assert_eq!(one.expect("an answer").json()["signed"], first.json()["signed"]);
        let late = answer(la, day, "late", json!({ "version": 1, "outcome": "agreed" })).await;
        assert_eq!(late.status, 409, "the newest version is answered: {}", late.text());
        // Nobody has another's, and a day that has not closed has none.
        let tomorrow = day.tomorrow().expect("a day");
        let none = la.get(&format!("/v1/reconciliations/{tomorrow}"), None).await;
        assert_eq!(none.expect("an answer").status, 404);
        // The next day carries what has moved: the request that was opened after the close.
        let next = end_the_day(&gateway).await;
        assert_eq!(
            states(&statement(la, next).await, Direction::FromYouBefore),
            BTreeMap::from([(LineState::Opened, 1)])
        );
        gateway.end().await;
    });
}

#[test]
fn a_difference_stays_until_a_named_person_explains_it() {
    each_engine("reconciliation_difference", |gateway| async move {
        end_the_day(&gateway).await;
        let (la, mental) = (gateway.la(), gateway.mental());
        let leg = gateway.request(1, "CAMHS").await;
        let day = end_the_day(&gateway).await;
        let agreed = answer(la, day, "yes", json!({ "version": 1, "outcome": "agreed" })).await;
        assert_eq!(agreed.status, 200, "{}", agreed.text());
        let unfit = [
            json!({ "version": 1, "outcome": "differs" }),
            json!({ "version": 1, "outcome": "agreed",
                "differences": [{ "item": leg, "code": "not-received" }] }),
            json!({ "version": 1, "outcome": "differs",
                "differences": [{ "item": leg, "code": "never-heard-of" }] }),
            json!({ "version": 1, "outcome": "differs",
                "differences": [{ "item": leg, "code": "not-listed" }] }),
            json!({ "version": 1, "outcome": "differs", "differences": [
                { "item": "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff", "code": "not-received" }] }),
        ];
        for (number, body) in unfit.into_iter().enumerate() {
            let reply = answer(mental, day, &format!("unfit-{number}"), body).await;
            assert_eq!(reply.status, 400, "{number}: {}", reply.text());
        }
        let body = json!({ "version": 1, "outcome": "differs",
            "differences": [{ "item": leg, "code": "not-received" }] });
        let raised = answer(mental, day, "no", body.clone()).await;
        assert_eq!(raised.status, 200, "{}", raised.text());
        assert!(answer(mental, day, "no", body.clone()).await.replayed);
        assert_eq!(answer(mental, day, "no-2", body).await.status, 409, "it is answered once");
        let difference = text(&raised.json()["differences"][0]);

        gateway.clock.advance(SignedDuration::from_hours(48));
        let board = mental.get("/v1/board", None).await.expect("an answer").json();
        assert_eq!(board["differences"], json!({ "open": 1, "oldest_days": 2 }));
        let metrics = gateway.metrics().await;
        assert!(metrics.contains("ehc_differences_open 1"), "{metrics}");
        assert!(metrics.contains("ehc_differences_oldest_days 2"), "{metrics}");
        let next = end_the_day(&gateway).await;
        let carried = statement(mental, next).await.differences;
        assert_eq!(carried.len(), 1);
        assert_eq!(carried[0].explanation, None);
        assert!(statement(la, next).await.differences.is_empty(), "it is the trust's");

        let explain = async |who: &Partner, code: &str| {
            let path = format!("/v1/differences/{difference}/explanation");
            let body = json!({ "code": code }).to_string();
            let key = format!("explain-{}-{code}", who.code);
            who.post(&path, "application/json", &key, body).await.expect("an answer").status
        };
        assert_eq!(explain(mental, "arrived-since").await, 403);
        assert_eq!(explain(gateway.auditor(), "because").await, 400);
        assert_eq!(explain(gateway.auditor(), "arrived-since").await, 200);
        assert_eq!(explain(gateway.auditor(), "sent-again").await, 409);
        let said = statement(mental, end_the_day(&gateway).await).await.differences;
        assert_eq!(said[0].explanation.as_deref(), Some("arrived-since"));
        assert!(statement(mental, end_the_day(&gateway).await).await.differences.is_empty());
        gateway.end().await;
    });
}

/// Runs a command of the operator's and gives its exit code and what it answered.
fn operator(gateway: &TestGateway, configured: bool, arguments: &[&str]) -> (i32, Value) {
    let mut command = tests::binary::command();
    command.args(arguments).arg("--json");
    if configured {
        command.arg("-c").arg(gateway.cast.config_path());
    }
    let ran = command.output().expect("it ran");
    let answer = serde_json::from_slice(&ran.stdout).unwrap_or(Value::Null);
    (ran.status.code().expect("a code"), answer)
}

#[test]
fn an_operator_prints_a_day_and_anybody_checks_it_with_the_key_alone() {
    each_engine("reconciliation_commands", |gateway| async move {
        end_the_day(&gateway).await;
        let (la, mental) = (gateway.la(), gateway.mental());
        let leg = gateway.request(1, "CAMHS").await;
        let record = text(&gateway.board(la).await[0]["record"]);
        let day = end_the_day(&gateway).await;
        let on = day.to_string();
        let asked = ["reconcile", "--partner", &la.code, "--day", &on];
        let (code, printed) = operator(&gateway, true, &asked);
        assert_eq!(code, 0, "{printed}");
        assert_eq!(printed["signed"], fetch(la, day).await.json()["signed"]);
        let (code, shown) = operator(&gateway, true, &["case", "show", "--record", &record]);
        assert_eq!((code, &shown["messages"][0]["type"]), (0, &json!("advice.request")));

        let folder = tempfile::TempDir::new().expect("a folder");
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("it is written");
            path.to_str().expect("a path").to_owned()
        };
        let keys = la.get("/v1/audit/keys", None).await.expect("an answer").text();
        let (keys, kept) = (write("keys.json", &keys), write("day.json", &printed.to_string()));
        let check =
            |file: &str| operator(&gateway, false, &["reconcile", "verify", file, "--key", &keys]);
        let (code, verified) = check(&kept);
        assert_eq!((code, &verified["balances"]), (0, &json!(true)), "{verified}");
        let signed = text(&printed["signed"]);
        let at = signed.find('.').expect("three parts") + 40;
        let other = if signed.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let changed =
            signed.char_indices().map(|(i, c)| if i == at { other } else { c }).collect::<String>();
        let (code, refused) = check(&write("changed.jws", &changed));
        assert_eq!((code, &refused["verified"]), (6, &json!(false)), "one letter was changed");

        let body = json!({ "version": 1, "outcome": "differs",
            "differences": [{ "item": leg, "code": "not-received" }] });
        let raised = answer(mental, day, "differs", body).await;
        let difference = text(&raised.json()["differences"][0]);
        let (code, open) = operator(&gateway, true, &["reconcile", "differences"]);
        assert_eq!((code, &open[0]["difference"]), (6, &json!(difference)));
        let explain = ["reconcile", "explain", &difference, "--code", "arrived-since"];
        let explain = [&explain[..], &["--person", "officer-9"]].concat();
        assert_eq!(operator(&gateway, true, &explain).0, 0);
        assert_eq!(operator(&gateway, true, &["reconcile", "differences"]).0, 0);
        gateway.end().await;
    });
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a story has sent, as its own receipts say.
#[derive(Default)]
struct Kept {
    /// What each sender was told became of its messages: legs, or records that go to nobody.
    sent: BTreeMap<String, BTreeSet<String>>,
    /// How many messages of each sender were not accepted.
    refused: BTreeMap<String, usize>,
    /// Legs by recipient, that went at once.
    to: BTreeMap<String, BTreeSet<String>>,
    requests: Vec<(String, String, u32)>,
}

impl Kept {
    fn keep(&mut self, sender: &Partner, reply: &Reply) {
        if reply.status >= 400 {
            *self.refused.entry(sender.code.clone()).or_default() += 1;
            return;
        }
        for row in reply.json()["rows"].as_array().expect("rows") {
            let sent = self.sent.entry(sender.code.clone()).or_default();
            let legs = row["legs"].as_array().cloned().unwrap_or_default();
            if legs.is_empty() {
                sent.insert(text(&row["record"]));
            }
            for leg in legs {
                sent.insert(text(&leg["leg"]));
                if text(&leg["outcome"]).starts_with("release") {
                    let to = self.to.entry(text(&leg["recipient"])).or_default();
                    to.insert(text(&leg["leg"]));
                }
            }
        }
    }

    /// One thing that happens.
    async fn happen(&mut self, gateway: &TestGateway, dice: &mut Dice, number: u32) {
        let (la, mental) = (gateway.la(), gateway.mental());
        let key = format!("story-{number}");
        let child = people::child(1 + number % 30);
        let earlier = self.requests.last().cloned();
        match (dice.roll(8), earlier) {
            (0, Some((_, leg, child))) => {
                let nil = people::nil(&mental.code, &key, &leg, &people::child(child));
                let reply = mental.send(&key, &nil).await.expect("an answer");
                self.keep(mental, &reply);
            }
            (1, Some((record, _, _))) => {
                let path = format!("/v1/records/{record}/recall");
                let body = json!({ "reason": "other" }).to_string();
                let reply = la.post(&path, "application/json", &key, body).await;
                self.keep(la, &reply.expect("an answer"));
            }
            (2, _) => {
                let message = people::withdrawal(&la.code, &key, &child, gateway.today());
                let reply = la.post("/v1/consents", "application/json", &key, message.to_string());
                self.keep(la, &reply.await.expect("an answer"));
            }
            (3, _) => {
                let reply = la.post("/v1/messages", "application/json", &key, "{").await;
                self.keep(la, &reply.expect("an answer"));
            }
            (4, _) => {
                for delivery in gateway.inbox(mental).await.iter().take(2) {
                    let path = format!("/v1/inbox/{delivery}");
                    mental.get(&path, None).await.expect("an answer");
                }
            }
            (_, _) => {
                let message = people::request(
                    &la.code,
                    &key,
                    &child,
                    &["CAMHS", "PAEDIATRICS"],
                    gateway.today(),
                );
                let reply = la.send(&key, &message).await.expect("an answer");
                self.keep(la, &reply);
                let row = &reply.json()["rows"][0];
                if row["legs"][0]["outcome"]
                    .as_str()
                    .is_some_and(|said| said.starts_with("release"))
                {
                    let leg = text(&row["legs"][0]["leg"]);
                    self.requests.push((text(&row["record"]), leg, 1 + number % 30));
                }
            }
        }
    }
}

/// Every line of a partner over some days, by the item, in one direction.
async fn lines(
    partner: &Partner,
    days: &[Date],
    of: Direction,
) -> (BTreeMap<String, usize>, usize) {
    let (mut found, mut refused) = (BTreeMap::new(), 0);
    for day in days {
        for line in statement(partner, *day).await.lines.iter().filter(|one| one.direction == of) {
            if matches!(line.state, LineState::Refused | LineState::Quarantined) {
                refused += 1;
            } else {
                *found.entry(line.item.to_string()).or_default() += 1;
            }
        }
    }
    (found, refused)
}

#[test]
fn whatever_happens_every_item_is_on_one_line_of_one_day_for_each_partner() {
    each_engine("reconciliation_balance", |gateway| async move {
        let mut kept = Kept::default();
        let mut days = vec![end_the_day(&gateway).await];
        let mut dice = Dice(2_026);
        for number in 0..120 {
            kept.happen(&gateway, &mut dice, number).await;
            // Also in the night, and not a whole number of items a day.
            gateway
                .clock
                .advance(SignedDuration::from_mins(i64::try_from(dice.roll(50)).expect("it")));
            if dice.roll(12) == 0 {
                days.push(end_the_day(&gateway).await);
            }
        }
        let app = gateway.cast.app();
        gateway::duties::run_due(app).await.expect("duties are done");
        end_the_day(&gateway).await;
        let all = gateway.la().get("/v1/reconciliations", None).await.expect("an answer").json();
        let all = all["reconciliations"].as_array().expect("days").iter();
        let days: Vec<Date> = all.map(|one| text(&one["day"]).parse().expect("a day")).collect();
        for partner in [gateway.la(), gateway.mental(), gateway.acute()] {
            let (found, refused) = lines(partner, &days, Direction::FromYou).await;
            let sent = kept.sent.remove(&partner.code).unwrap_or_default();
            assert!(found.values().all(|times| *times == 1), "{}: {found:?}", partner.code);
            assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), sent, "{}", partner.code);
            assert_eq!(refused, kept.refused.get(&partner.code).copied().unwrap_or(0));
            let (found, _) = lines(partner, &days, Direction::ToYou).await;
            let to = kept.to.remove(&partner.code).unwrap_or_default();
            assert!(found.values().all(|times| *times == 1), "{}: {found:?}", partner.code);
            let found: BTreeSet<String> = found.into_keys().collect();
            assert!(found.is_subset(&to), "{}: what was not sent to them is listed", partner.code);
            for item in to.difference(&found) {
                let id = uuid::Uuid::parse_str(item).expect("an id");
                let one = app.store.find_delivery(gateway::queue::DeliveryId(id)).await;
                let one = one.expect("the store").expect("the delivery");
                let stopped = ["withdrawn", "held"].contains(&name(one.state).as_str());
                assert!(stopped && one.delivered_at.is_none(), "{item} is on no line: {one:?}");
            }
        }
        gateway.end().await;
    });
}

fn name(state: gateway::queue::DeliveryState) -> String {
    text(&serde_json::to_value(state).expect("JSON"))
}
