//! One type of message on its way: made from its example, sent, released, collected, compared,
//! acknowledged, and its effect looked at.

use gateway::practice::client::Partner;
use gateway::practice::people;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use tests::TestGateway;

use super::ways::{Before, Does, Way, Who};

/// What is on its way.
struct Story<'a> {
    gateway: &'a TestGateway,
    from: &'a Partner,
    to: &'a Partner,
    way: &'a Way,
    /// The number of the person it is about.
    number: u32,
    message: Value,
    /// The leg, the earlier delivery, or the record that comes before.
    earlier: Option<String>,
}

pub(super) async fn carry(gateway: &TestGateway, next: &Partner, (number, way): (u32, &Way)) {
    let who = |who| match who {
        Who::La => gateway.la(),
        Who::Next => next,
        Who::Trust => gateway.mental(),
        Who::Other => gateway.acute(),
        Who::Icb => gateway.cast.commissioner(),
    };
    let (from, to) = (who(way.from), who(way.to));
    let message = example(way.kind, number, (from, to));
    let mut story = Story { gateway, from, to, way, number, message, earlier: None };
    story.make_ready().await;
    let (record, delivery) = story.send().await;
    story.collect(&delivery).await;
    acknowledge(story.to, &delivery).await;
    story.is_said(&record).await;
    story.stands_in_its_case(&record).await;
    story.does(&record, &delivery).await;
}

/// The synthetic example of a type, about a person of its own and between these two.
fn example(kind: &str, number: u32, (from, to): (&Partner, &Partner)) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/record/examples");
    let text = std::fs::read_to_string(format!("{folder}/{kind}.json")).expect("an example");
    let mut message: Value = serde_json::from_str(&text).expect("JSON");
    message["id"] = json!(format!("EX-{number}"));
    message["sender"] = json!(from.code);
    message["recipient"] = json!(to.code);
    if message.get("case").is_some() {
        message["case"] = json!(case(number));
    }
    if message.get("subject").is_some() {
        message["subject"]["nhs_number"] = json!(people::nhs_number(number));
        message["subject"]["la_person_id"] = json!(format!("P-{number}"));
    }
    message
}

fn case(number: u32) -> String {
    format!("CASE-{number}")
}

impl Story<'_> {
    fn today(&self) -> Date {
        self.gateway.today()
    }

    /// The person, as the message says it; somebody of the same number where it says nobody.
    fn subject(&self) -> Value {
        let said = self.message.get("subject").cloned();
        said.unwrap_or_else(|| people::subject(&people::child(self.number)))
    }

    /// What comes before, and what of the example must fit it.
    async fn make_ready(&mut self) {
        let today = self.today();
        match self.way.before {
            Before::Nothing | Before::TwoPeople => {}
            Before::Agreed => self.agree(),
            Before::Asked => self.asked().await,
            Before::CaseAndAgreed => {
                self.asked().await;
                self.message.as_object_mut().expect("an object").remove("leg");
                self.agree();
            }
            Before::Advised(reference) => self.advised(reference).await,
            Before::Opened => self.opened().await,
            Before::OtherNumber => self.other_number().await,
        }
        let message = &mut self.message;
        match self.way.kind {
            "advice.request" => message["request"]["services"] = json!(["CAMHS"]),
            // A limb counts within the six weeks of the request, which begin today.
            "advice.exception" => {
                message["exception"]["from"] = json!(today);
                message["exception"]["expected_on"] = json!(today.saturating_add(60.days()));
            }
            _ => {}
        }
    }

    /// Agreement comes with the message, by whoever decides.
    fn agree(&mut self) {
        let born: Date =
            self.subject()["date_of_birth"].as_str().expect("a date").parse().expect("one");
        let by = if born < date(2010, 1, 1) { "young-person" } else { "parent" };
        self.message["consent"] =
            json!({ "status": "given", "given_by": by, "date": self.today().to_string() });
    }

    /// The authority asks for advice about the person in the same case.
    async fn asked(&mut self) {
        let (gateway, la) = (self.gateway, self.gateway.la());
        let child = people::child(self.number);
        let id = format!("AR-{}", self.number);
        let mut request = people::request(&la.code, &id, &child, &["CAMHS"], self.today());
        request["subject"] = self.subject();
        request["case"] = json!(case(self.number));
        let reply = la.send(&id, &request).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}: {}", self.way.kind, reply.text());
        let leg = reply.json()["rows"][0]["legs"][0]["leg"].as_str().expect("a leg").to_owned();
        let opened = fetch(gateway.mental(), &leg).await;
        assert_eq!(opened["leg"], leg.as_str());
        let message = &mut self.message;
        if message.get("leg").is_some() {
            message["leg"] = json!(leg);
        }
        if message["particulars"].get("legs_outstanding").is_some() {
            message["particulars"]["legs_outstanding"] = json!([leg]);
        }
        if message.get("notice").is_some() {
            message["notice"]["about"] = json!(leg);
        }
        self.earlier = Some(leg);
    }

    /// The trust gives advice, which the authority opens.
    async fn advised(&mut self, reference: &str) {
        self.asked().await;
        let (trust, la) = (self.gateway.mental(), self.gateway.la());
        let leg = self.earlier.clone().expect("a leg");
        let id = format!("{reference}-{}", self.number);
        let child = people::child(self.number);
        let mut advice = people::advice(&trust.code, &id, &leg, &child, self.today());
        advice["subject"] = self.subject();
        let reply = trust.send(&id, &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let delivery = &reply.json()["rows"][0]["legs"][0]["leg"];
        fetch(la, delivery.as_str().expect("a delivery")).await;
        self.earlier =
            Some(reply.json()["rows"][0]["record"].as_str().expect("a record").to_owned());
        let message = &mut self.message;
        message["particulars"]["about"] = json!(id);
        if message.get("supersedes").is_some() {
            message["supersedes"] = json!(id);
        }
    }

    /// The sender sends something that the recipient opens.
    async fn opened(&mut self) {
        let id = format!("EARLIER-{}", self.number);
        let mut earlier = example("plan.draft", self.number, (self.from, self.to));
        earlier["id"] = json!(id);
        let reply = self.from.send(&id, &earlier).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let delivery = reply.json()["rows"][0]["legs"][0]["leg"].as_str().expect("one").to_owned();
        fetch(self.to, &delivery).await;
        self.message["particulars"]["about"] = json!(id);
        self.earlier = Some(delivery);
    }

    /// Agreement was recorded under a number and an id that turn out to be the same person's.
    async fn other_number(&mut self) {
        let old = format!("P-9{}", self.number);
        let mut subject = self.subject();
        subject["la_person_id"] = json!(old);
        subject["nhs_number"] = json!(people::nhs_number(self.number + 1_000));
        let particulars = &mut self.message["particulars"];
        particulars["old_person_id"] = json!(old);
        particulars["new_person_id"] = json!(format!("P-{}", self.number));
        particulars["new_nhs_number"] = json!(people::nhs_number(self.number));
        if particulars.get("old_nhs_number").is_some() {
            particulars["old_nhs_number"] = json!(people::nhs_number(self.number + 1_000));
        } else {
            subject.as_object_mut().expect("an object").remove("nhs_number");
        }
        let grant = json!({
            "type": "consent.grant", "id": format!("OLD-{}", self.number), "sender": self.from.code,
            "subject": subject,
            "consent": {
                "status": "given", "given_by": "young-person", "date": self.today().to_string(),
            },
        });
        let reply =
            self.from.send(&format!("old-{}", self.number), &grant).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(self.ledger().await.is_empty(), "two people, as far as anybody knows");
    }

    /// Sends it; the record and the delivery, released by whoever must.
    async fn send(&self) -> (String, String) {
        let (kind, number) = (self.way.kind, self.number);
        let reply =
            self.from.send(&format!("ex-{number}"), &self.message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{kind}: {}", reply.text());
        let row = reply.json()["rows"][0].clone();
        assert_eq!(row["outcome"], "accepted", "{kind}: {row}");
        let legs = row["legs"].as_array().expect("recipients");
        assert_eq!(legs.len(), 1, "{kind}: {row}");
        assert_eq!(legs[0]["recipient"], self.to.code.as_str(), "{kind}");
        let delivery = legs[0]["leg"].as_str().expect("a delivery").to_owned();
        let outcome = legs[0]["outcome"].as_str().expect("an outcome");
        if self.way.before == Before::TwoPeople {
            assert_eq!(outcome, "hold", "{kind}: {row}");
            self.two_people_decide(&delivery).await;
        } else {
            assert!(outcome.starts_with("release"), "{kind}: {row}");
        }
        (row["record"].as_str().expect("a record").to_owned(), delivery)
    }

    async fn two_people_decide(&self, delivery: &str) {
        assert!(!waits(self.to, delivery).await, "nothing goes before both have decided");
        for (person, state) in [("officer-2", "held"), ("manager-3", "queued")] {
            let path = format!("/v1/holds/{delivery}/decision");
            let body = json!({ "decision": "release", "reason": "best-interests" }).to_string();
            let key = format!("{person}-{delivery}");
            let reply = self.from.post_as(person, &path, "application/json", &key, body).await;
            let reply = reply.expect("an answer");
            assert_eq!(reply.status, 200, "{}: {}", self.way.kind, reply.text());
            assert_eq!(reply.json()["state"], state, "{}", self.way.kind);
        }
    }

    /// The recipient fetches it: everything that was sent is there, but for what is cut.
    async fn collect(&self, delivery: &str) {
        let kind = self.way.kind;
        assert!(waits(self.to, delivery).await, "{kind} waits for its recipient");
        let got = fetch(self.to, delivery).await;
        assert_eq!(got["delivery"]["id"], delivery, "{kind}");
        let mut differences = Vec::new();
        let mut missing = Vec::new();
        compare("", &self.message, &got, (&mut differences, &mut missing));
        let added = |path: &String| !ADDED.contains(&path.as_str());
        differences.retain(added);
        assert_eq!(differences, Vec::<String>::new(), "{kind}: {got}");
        assert_eq!(missing, self.way.cut, "{kind} lacks what it may not have: {got}");
    }

    /// The log says on what it went, and that it was acknowledged.
    async fn is_said(&self, record: &str) {
        let kind = self.way.kind;
        let path = format!("/v1/records/{record}/authority");
        // The sender reads why; it is never told less than the auditor.
        for who in [self.from, self.gateway.auditor()] {
            let reply = who.get(&path, None).await.expect("an answer");
            assert_eq!(reply.status, 200, "{kind}: {}", reply.text());
            let said = reply.json();
            assert_eq!(said["message_type"], kind);
            let decided = said["decided"].as_array().expect("decisions");
            let went = decided.iter().rfind(|step| step["event"] == "delivery.collected");
            let went = went.unwrap_or(&Value::Null);
            assert_eq!(went["decision"]["authority"], self.way.on, "{kind}: {said}");
            let version = "authority-1+agreements-example-1";
            assert_eq!(went["decision"]["rule_version"], version, "{kind}");
        }
        let journey =
            self.gateway.auditor().get(&format!("/v1/records/{record}/journey"), None).await;
        let journey = journey.expect("an answer").json();
        let steps = journey["steps"].as_array().expect("steps");
        for event in ["record.accepted", "delivery.collected", "delivery.acknowledged"] {
            assert!(steps.iter().any(|step| step["event"] == event), "{kind}: {event}: {journey}");
        }
    }

    /// What an authority says of its case, and what answers or follows it, is found in that case.
    async fn stands_in_its_case(&self, record: &str) {
        let kind = self.way.kind;
        let belongs = match self.way.before {
            Before::Asked | Before::Advised(_) | Before::Opened | Before::CaseAndAgreed => true,
            Before::Nothing | Before::OtherNumber | Before::Agreed | Before::TwoPeople => {
                self.way.from == Who::La && self.message.get("case").is_some()
            }
        };
        let auditor = self.gateway.auditor();
        let body = json!({ "record": record }).to_string();
        let found = auditor.post("/v1/cases/find", "application/json", "find", body).await;
        let found = found.expect("an answer");
        assert_eq!(found.status == 200, belongs, "{kind}: {}", found.text());
        if belongs {
            let href = found.json()["href"].as_str().expect("a link").to_owned();
            let shown = self.to.get(&href, None).await.expect("an answer");
            assert_eq!(shown.status, 200, "{kind}: {}", shown.text());
            let shown = shown.json();
            let messages = shown["messages"].as_array().expect("messages");
            assert!(messages.iter().any(|one| one["record"] == record), "{kind}: {shown}");
        }
    }

    async fn does(&self, record: &str, delivery: &str) {
        let kind = self.way.kind;
        match self.way.does {
            Does::Nothing => {}
            Does::Leg(state) => {
                let leg = self.earlier.as_deref().unwrap_or(delivery);
                let board = self.gateway.board(self.gateway.la()).await;
                let line = board.iter().find(|line| line["leg"] == leg).expect("a line");
                assert_eq!(line["state"], state, "{kind}: {line}");
            }
            Does::Clock(period, standing) => self.clock_is(period, standing).await,
            Does::Ledger(status) => {
                let ledger = self.ledger().await;
                let newest = ledger.last().expect("an entry");
                assert_eq!(newest["status"], status, "{kind}: {newest}");
                assert_eq!(newest["record"], record, "{kind}: {newest}");
            }
            Does::Shows(item) => self.shows(item, record).await,
            Does::Acknowledges => {
                let leg = self.earlier.as_deref().expect("a delivery");
                let board = self.gateway.board(self.gateway.la()).await;
                let line = board.iter().find(|line| line["leg"] == leg).expect("a line");
                assert_eq!(line["delivery"], "accepted", "{line}");
            }
            Does::TakesBack => {
                let path = format!("/v1/inbox/{}", self.earlier.as_deref().expect("a delivery"));
                assert_eq!(self.to.get(&path, None).await.expect("an answer").status, 410);
            }
            Does::Replaces => {
                let earlier = self.earlier.as_deref().expect("a record");
                let path = format!("/v1/records/{earlier}/notice");
                let notice = self.to.get(&path, None).await.expect("an answer");
                assert_eq!(notice.status, 200, "the signed notice: {}", notice.text());
            }
            Does::Stops => {
                let child = people::child(self.number);
                let id = format!("AFTER-{}", self.number);
                let la = self.gateway.la();
                let mut request = people::request(&la.code, &id, &child, &["CAMHS"], self.today());
                request["subject"] = self.subject();
                let reply = la.send(&id, &request).await.expect("an answer");
                let leg = &reply.json()["rows"][0]["legs"][0];
                assert_eq!(leg["outcome"], "hold", "{}", reply.text());
            }
            Does::OnePerson => {
                let ledger = self.ledger().await;
                assert_eq!(ledger.len(), 1, "{kind}: what was recorded under the other number");
                assert_eq!(ledger[0]["status"], "given");
            }
        }
    }

    async fn clock_is(&self, period: &str, standing: &str) {
        let path = format!("/v1/clocks?period={period}&limit=500");
        let clocks = self.gateway.la().get(&path, None).await.expect("an answer");
        assert_eq!(clocks.status, 200, "{}", clocks.text());
        let clocks = clocks.json();
        let all = clocks["clocks"].as_array().expect("clocks");
        let own: Vec<_> = all.iter().filter(|clock| clock["case"] == case(self.number)).collect();
        let found = own.iter().any(|clock| clock["standing"] == standing);
        assert!(found, "{}: {period} {standing}: {own:?}", self.way.kind);
    }

    /// What the ledger says about the person, to the auditor.
    async fn ledger(&self) -> Vec<Value> {
        let whose = json!({ "nhs_number": people::nhs_number(self.number) }).to_string();
        let auditor = self.gateway.auditor();
        let reply = auditor.post("/v1/consents/find", "application/json", "look", whose).await;
        let reply = reply.expect("an answer").json();
        reply["consents"].as_array().expect("entries").clone()
    }

    /// The way to adulthood has an item that this record shows to be done.
    async fn shows(&self, item: &str, record: &str) {
        let kind = self.way.kind;
        let app = self.gateway.cast.app();
        let actor = gateway::audit::Actor::local();
        let mut found = Vec::new();
        for case in gateway::transition::list(app, None, &actor).await.expect("cases") {
            let shown = gateway::transition::show(app, case.transition, None, &actor).await;
            let shown = serde_json::to_value(shown.expect("a case")).expect("JSON");
            for line in shown["items"].as_array().cloned().unwrap_or_default() {
                if line["evidence"]["record"] == record {
                    found.push(line["item"].as_str().expect("a name").to_owned());
                }
            }
        }
        assert!(found.iter().any(|found| found == item), "{kind}: {item}: {found:?}");
    }
}

/// What the gateway adds for the recipient.
const ADDED: [&str; 2] = ["delivery", "leg"];

/// Where what was received differs from what was sent: `differences` in what is there, `missing`
/// what is not.
fn compare(
    path: &str,
    sent: &Value,
    got: &Value,
    (differences, missing): (&mut Vec<String>, &mut Vec<String>),
) {
    let (Value::Object(sent), Value::Object(got)) = (sent, got) else {
        if sent != got {
            differences.push(format!("{path}: {sent} became {got}"));
        }
        return;
    };
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for (name, value) in sent {
        match got.get(name) {
            Some(other) => compare(&below(name), value, other, (differences, missing)),
            None => missing.push(below(name)),
        }
    }
    differences.extend(got.keys().filter(|name| !sent.contains_key(*name)).map(|name| below(name)));
}

async fn waits(who: &Partner, delivery: &str) -> bool {
    let inbox = who.get("/v1/inbox?limit=500", None).await.expect("an answer").json();
    let lines = inbox["deliveries"].as_array().expect("deliveries");
    lines.iter().any(|line| line["delivery"] == delivery)
}

async fn fetch(who: &Partner, delivery: &str) -> Value {
    let path = format!("/v1/inbox/{delivery}");
    let reply = who.get(&path, Some("application/json")).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn acknowledge(who: &Partner, delivery: &str) {
    let path = format!("/v1/inbox/{delivery}/acknowledgement");
    let key = format!("ack-{delivery}");
    let body = r#"{"outcome":"accepted"}"#;
    let reply = who.post(&path, "application/json", &key, body).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
}
