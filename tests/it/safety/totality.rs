//! Everything leaves an entry: each route and duty, and which kinds of entries it was seen to leave.
//!
//! The tasks beside requests are in `tasks`, the commands where commands are run. The table of the routes is `totality.txt`. A route that is new, or leaves something else, fails this test
//! until somebody has looked at its line and put it in the file. Routes that leave nothing have their
//! reasons in the program (`api::leaves_nothing`); an answer of any other is withheld without an entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::api::{ROUTES, leaves_nothing};
use gateway::audit::{Entry, EventKind};
use gateway::practice::client::{Partner, Reply};
use gateway::practice::{Behaviour, people};
use serde_json::{Value, json};
use tests::{Engine, TestGateway};

const GOLDEN: &str = include_str!("totality.txt");

/// Calls routes, and remembers what each left.
struct Watch<'a> {
    gateway: &'a TestGateway,
    seen: BTreeMap<String, BTreeSet<String>>,
    calls: u32,
    failed: Vec<String>,
}

impl Watch<'_> {
    async fn get(&mut self, who: &Partner, route: &str, path: &str) -> Reply {
        let before = self.size().await;
        let reply = who.get(path, None).await.expect("an answer");
        self.left(who, ("GET", route), before, &reply).await;
        reply
    }

    async fn post(&mut self, who: &Partner, route: &str, path: &str, body: Value) -> Value {
        self.post_as(("officer-1", who), route, path, body).await
    }

    async fn post_as(
        &mut self,
        (person, who): (&str, &Partner),
        route: &str,
        path: &str,
        body: Value,
    ) -> Value {
        let before = self.size().await;
        self.calls += 1;
        let key = format!("totality-{}", self.calls);
        let body = match body {
            Value::String(text) => text,
            body @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => body.to_string(),
        };
        let reply = who.post_as(person, path, "application/json", &key, body).await;
        let reply = reply.expect("an answer");
        self.left(who, ("POST", route), before, &reply).await;
        reply.json()
    }

    async fn size(&self) -> u64 {
        self.gateway.cast.app().log_size().await.expect("a size")
    }

    async fn left(&mut self, who: &Partner, of: (&str, &str), before: u64, reply: &Reply) {
        let (method, route) = of;
        let route = format!("{method} {route}");
        if !(200..300).contains(&reply.status) {
            self.failed.push(format!("{route}: {}", reply.text()));
            return;
        }
        let known = ROUTES.iter().any(|one| format!("{} {}", one.method, one.path) == route);
        assert!(known, "there is no route {route}");
        let kinds = self.seen.entry(route).or_default();
        let rows = self.gateway.cast.app().store.audit_rows(before, 500).await.expect("rows");
        for row in rows {
            let entry = Entry::parse(&row.leaf).expect("an entry");
            let actor = entry.event.actor.organisation;
            if actor == who.code {
                kinds.insert(text(&json!(entry.event.kind)));
            }
        }
    }
}

#[test]
fn every_route_leaves_the_entries_that_the_table_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let table = runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await.restart_after(do_everything).await;
        let seen = call_everything(&gateway).await;
        gateway.end().await;
        let mut table = String::new();
        for route in ROUTES {
            let name = format!("{} {}", route.method, route.path);
            let kinds = seen.get(&name).cloned().unwrap_or_default();
            let kinds: Vec<String> = kinds.into_iter().collect();
            let said = match leaves_nothing(route.id) {
                Some(why) if kinds.is_empty() => format!("nothing: {why}"),
                _ => kinds.join(" "),
            };
            writeln!(table, "{name:<56}{said}").expect("room");
        }
        table
    });
    let missing: Vec<&str> = table.lines().filter(|line| line.trim_end().len() <= 56).collect();
    assert!(missing.is_empty(), "these were not seen to leave anything: {missing:#?}");
    assert_eq!(
        table.trim_end(),
        GOLDEN.trim_end(),
        "look at every line that changed, then put it in totality.txt:\n{table}"
    );
}

/// Has the gateway do by itself what it does only when it is told to.
fn do_everything(folder: &Path) {
    std::fs::create_dir(folder.join("backups")).expect("a folder");
    let file = folder.join("ehc-gateway.toml");
    let config = std::fs::read_to_string(&file).expect("a configuration");
    let told = "\n[backup]\nto = \"backups\"\n\n[retention]\nenabled = true\n";
    std::fs::write(file, config + told).expect("a configuration");
}

async fn call_everything(gateway: &TestGateway) -> BTreeMap<String, BTreeSet<String>> {
    let mut watch = Watch { gateway, seen: BTreeMap::new(), calls: 0, failed: Vec::new() };
    let (la, mental) = (gateway.la(), gateway.mental());
    for route in ["/v1/audit/checkpoint", "/v1/audit/keys", "/v1/whoami", "/v1/openapi.json"] {
        watch.get(la, route, route).await;
    }
    watch.get(la, "/fhir/metadata", "/fhir/metadata").await;
    watch.get(la, "/v1/audit/entries", "/v1/audit/entries").await;
    watch.get(la, "/v1/audit/tile/{*tile}", "/v1/audit/tile/entries/000.p/1").await;
    watch.get(la, "/v1/audit/entries/{seq}/proof", "/v1/audit/entries/0/proof").await;
    watch.get(la, "/v1/audit/consistency", "/v1/audit/consistency?from=1").await;
    let note = la.get("/v1/audit/checkpoint", None).await.expect("an answer").text();
    watch.post(la, "/v1/audit/checkpoints", "/v1/audit/checkpoints", json!(note)).await;
    messages(&mut watch).await;
    held(&mut watch).await;
    consents(&mut watch).await;
    documents(&mut watch).await;
    for route in ["/v1/board", "/v1/clocks", "/v1/holds", "/v1/reviews", "/v1/questions"] {
        watch.get(la, route, route).await;
    }
    let month = gateway.today().strftime("%Y-%m").to_string();
    watch.get(la, "/v1/performance", &format!("/v1/performance?month={month}")).await;
    clocks_and_transitions(&mut watch).await;
    undelivered(&mut watch).await;
    let whose = json!({ "nhs_number": people::nhs_number(1), "reason": "complaint" });
    let route = "/v1/audit/who-has-seen";
    watch.post(gateway.auditor(), route, route, whose).await;
    a_day(&mut watch, mental).await;
    information_governance(&mut watch).await;
    kept_and_removed(&mut watch).await;
    assert!(watch.failed.is_empty(), "{:#?}\n{:#?}", watch.failed, watch.seen);
    watch.seen
}

/// A member that should be text; what is not there fails the call that needs it.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or("missing").to_owned()
}

async fn messages(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let (la, mental) = (gateway.la(), gateway.mental());
    let request = |id: &str, number: u32, service: &'static str| {
        people::request("334", id, &people::child(number), &[service], gateway.today())
    };
    watch
        .post(la, "/v1/messages/dry-run", "/v1/messages/dry-run", request("AR-1", 1, "CAMHS"))
        .await;
    let taken = watch.post(la, "/v1/messages", "/v1/messages", request("AR-1", 1, "CAMHS")).await;
    let row = &taken["rows"][0];
    let (record, leg) = (text(&row["record"]), text(&row["legs"][0]["leg"]));
    watch.get(mental, "/v1/inbox", "/v1/inbox").await;
    watch.get(mental, "/v1/inbox/{delivery}", &format!("/v1/inbox/{leg}")).await;
    let path = format!("/v1/inbox/{leg}/acknowledgement");
    let taken = json!({ "outcome": "accepted" });
    watch.post(mental, "/v1/inbox/{delivery}/acknowledgement", &path, taken).await;
    watch.get(la, "/v1/records/{record}/journey", &format!("/v1/records/{record}/journey")).await;
    let path = format!("/v1/records/{record}/authority");
    watch.get(la, "/v1/records/{record}/authority", &path).await;
    watch.get(la, "/v1/legs/{leg}/evidence", &format!("/v1/legs/{leg}/evidence")).await;
    let case =
        watch.post(la, "/v1/cases/find", "/v1/cases/find", json!({ "record": record })).await;
    watch.get(la, "/v1/cases/{case}", &format!("/v1/cases/{}", text(&case["case"]))).await;
    let path = format!("/v1/records/{record}/recall");
    let wrong = json!({ "reason": "wrong-recipient" });
    watch.post(la, "/v1/records/{record}/recall", &path, wrong).await;
    watch.get(la, "/v1/records/{record}/recall", &path).await;
    let inbox = mental.get("/v1/inbox", None).await.expect("an answer").json();
    let lines = inbox["deliveries"].as_array().expect("lines").clone();
    let notice = lines.iter().find_map(|line| line["notice"].as_str()).unwrap_or("/v1/none");
    watch.get(mental, "/v1/records/{record}/notice", notice).await;
    // The FHIR way, by a trust that answers.
    let leg = gateway.request(2, "SALT").await;
    gateway.cast.endpoint.wait_for(1, Duration::from_secs(20)).await;
    let trust = gateway.community();
    let child = people::child(2);
    let bundle = people::advice_fhir(&trust.code, "A-2", &leg, &child, gateway.today());
    let before = watch.size().await;
    let reply = trust
        .process_message("application/fhir+json", &[], bundle.to_string())
        .await
        .expect("an answer");
    watch.left(trust, ("POST", "/fhir/$process-message"), before, &reply).await;
}

async fn held(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let (la, mental) = (gateway.la(), gateway.mental());
    let (_, leg) = gateway.held(10).await;
    watch.get(la, "/v1/holds/{delivery}", &format!("/v1/holds/{leg}")).await;
    let asked = json!({ "of": "recipient", "question": "is-this-the-right-service" });
    let path = format!("/v1/holds/{leg}/questions");
    let asked = watch.post(la, "/v1/holds/{delivery}/questions", &path, asked).await;
    let path = format!("/v1/questions/{}/answer", text(&asked["question"]["id"]));
    let route = "/v1/questions/{question}/answer";
    watch.post(mental, route, &path, json!({ "answer": "yes" })).await;
    let vote = json!({ "decision": "release", "reason": "statutory-duty-confirmed" });
    let path = format!("/v1/holds/{leg}/decision");
    watch.post_as(("officer-2", la), "/v1/holds/{delivery}/decision", &path, vote).await;
    let (_, leg) = gateway.held(11).await;
    let path = format!("/v1/holds/{leg}/break-glass");
    let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
    let route = "/v1/holds/{delivery}/break-glass";
    let said = watch.post_as(("officer-2", la), route, &path, broken).await;
    let path = format!("/v1/reviews/{}/decision", text(&said["review"]));
    let upheld = json!({ "outcome": "upheld", "finding": "emergency-was-real" });
    let route = "/v1/reviews/{review}/decision";
    watch.post_as(("manager-3", la), route, &path, upheld).await;
    gateway.held(12).await;
}

async fn consents(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let la = gateway.la();
    let mut message = people::withdrawal("334", "W-1", &people::child(20), gateway.today());
    message["attachments"] = json!([{
        "name": "signed-form.pdf", "media_type": "application/pdf",
        "content_base64": BASE64_STANDARD.encode(people::pdf()),
    }]);
    watch.post(la, "/v1/consents/preview", "/v1/consents/preview", message.clone()).await;
    let taken = watch.post(la, "/v1/consents", "/v1/consents", message).await;
    let record = text(&taken["rows"][0]["record"]);
    let whose = json!({ "nhs_number": people::nhs_number(20) });
    watch.post(la, "/v1/consents/find", "/v1/consents/find", whose).await;
    let stranger = json!({ "nhs_number": people::nhs_number(21) });
    watch.post(la, "/v1/consents/find", "/v1/consents/find", stranger).await;
    let path = format!("/v1/consents/{record}/evidence");
    watch.get(la, "/v1/consents/{record}/evidence", &path).await;
    watch.get(la, "/v1/consents/{record}/evidence/{number}", &format!("{path}/1")).await;
}

async fn documents(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let (la, mental) = (gateway.la(), gateway.mental());
    let bytes = people::pdf();
    let said = json!({ "size": bytes.len() });
    let begun = watch.post(mental, "/v1/documents", "/v1/documents", said).await;
    let document = text(&begun["document"]);
    let before = watch.size().await;
    let reply = mental.append(&document, 0, bytes).await.expect("an answer");
    watch.left(mental, ("POST", "/v1/documents/{document}/content"), before, &reply).await;
    watch.get(mental, "/v1/documents/{document}", &format!("/v1/documents/{document}")).await;
    let leg = gateway.request(30, "CAMHS").await;
    let child = people::child(30);
    let mut advice = people::advice(&mental.code, "A-30", &leg, &child, gateway.today());
    advice["attachments"] = json!([{ "document": document, "name": "report.pdf" }]);
    let reply = mental.send("a-30", &advice).await.expect("an answer");
    if reply.status != 201 {
        watch.failed.push(reply.text());
    }
    let inbox = la.get("/v1/inbox", None).await.expect("an answer").json();
    let lines = inbox["deliveries"].as_array().expect("lines").clone();
    let advice = lines.iter().find(|line| {
        line["type"].as_str().is_some_and(|kind| kind.starts_with("advice"))
            && line["from"] == mental.code
    });
    let advice = advice.map_or_else(|| "missing".to_owned(), |line| text(&line["delivery"]));
    let path = format!("/v1/inbox/{advice}/documents/1");
    watch.get(la, "/v1/inbox/{delivery}/documents/{number}", &path).await;
}

async fn clocks_and_transitions(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let la = gateway.la();
    let considering = json!({
        "type": "ehcna.considering", "id": "C-1", "sender": "334",
        "recipient": gateway.mental().code, "case": "CASE-60",
        "subject": people::subject(&people::child(60)),
        "particulars": {
            "assessment_requested_on": gateway.today().to_string(), "request_source": "parent",
        },
    });
    let reply = la.send("c-1", &considering).await.expect("an answer");
    if reply.status != 201 {
        watch.failed.push(reply.text());
    }
    let clocks = la.get("/v1/clocks?open=true", None).await.expect("an answer").json();
    let clocks = clocks["clocks"].as_array().expect("clocks").clone();
    let own = clocks.iter().find(|clock| clock.to_string().contains("\"334\""));
    let path = format!("/v1/clocks/{}", own.map_or_else(String::new, |own| text(&own["clock"])));
    let done = json!({ "met_on": gateway.today().to_string() });
    watch.post(la, "/v1/clocks/{clock}", &path, done).await;
    let (children, adults) = (gateway.mental(), gateway.acute());
    let mut child = people::child(61);
    child.date_of_birth = gateway.today().saturating_sub(jiff::Span::new().years(17));
    let today = gateway.today().to_string();
    let referral = json!({
        "type": "transition.referral", "id": "T-1", "sender": children.code,
        "recipient": adults.code, "case": "EHC-T-1", "subject": people::subject(&child),
        "consent": { "status": "given", "given_by": "young-person", "date": today },
        "particulars": {
            "need": "Made-up need", "receiving_service": "Practice adult team", "planned_on": today,
        },
    });
    let reply = children.send("t-1", &referral).await.expect("an answer");
    if reply.status != 201 {
        watch.failed.push(reply.text());
    }
    let list = watch.get(adults, "/v1/transitions", "/v1/transitions").await.json();
    let id = text(&list["transitions"][0]["transition"]);
    watch.get(adults, "/v1/transitions/{transition}", &format!("/v1/transitions/{id}")).await;
}

async fn undelivered(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let la = gateway.la();
    gateway.cast.endpoint.behave(Behaviour::Refuse);
    let leg = gateway.request(40, "SALT").await;
    gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
    watch.get(la, "/v1/deliveries", "/v1/deliveries?state=failed").await;
    gateway.cast.endpoint.behave(Behaviour::Take);
    let path = format!("/v1/deliveries/{leg}/resend");
    let why = json!({ "reason": gateway::repair::RESEND_REASONS[0] });
    watch.post(la, "/v1/deliveries/{delivery}/resend", &path, why).await;
    gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
}

/// The day ends: its statement, an answer that differs, and somebody who explains it.
async fn a_day(watch: &mut Watch<'_>, partner: &Partner) {
    let gateway = watch.gateway;
    let app = gateway.cast.app();
    let item = gateway.request(50, "CAMHS").await;
    let before = gateway::reconciliation::last_closed(app);
    while gateway::reconciliation::last_closed(app) == before {
        gateway.clock.advance(jiff::SignedDuration::from_mins(30));
    }
    let day = gateway::reconciliation::last_closed(app).expect("a day");
    gateway::duties::run_due(app).await.expect("duties are done");
    let mut done = BTreeSet::new();
    for row in app.store.audit_rows(0, 10_000).await.expect("rows") {
        let entry = Entry::parse(&row.leaf).expect("an entry");
        if entry.event.kind == EventKind::DutyDone {
            done.insert(entry.event.detail["duty"].clone());
        }
    }
    let duties: BTreeSet<String> = gateway::duties::names().map(str::to_owned).collect();
    if done != duties {
        watch.failed.push(format!("duties that were no entry: {:?}", duties.difference(&done)));
    }
    watch.get(partner, "/v1/reconciliations", "/v1/reconciliations").await;
    let path = format!("/v1/reconciliations/{day}");
    watch.get(partner, "/v1/reconciliations/{day}", &path).await;
    let differs = json!({
        "version": 1, "outcome": "differs",
        "differences": [{ "item": item, "code": "not-received" }],
    });
    let route = "/v1/reconciliations/{day}/answer";
    watch.post(partner, route, &format!("{path}/answer"), differs).await;
    let open = watch.get(gateway.auditor(), "/v1/differences", "/v1/differences").await.json();
    let path =
        format!("/v1/differences/{}/explanation", text(&open["differences"][0]["difference"]));
    let route = "/v1/differences/{difference}/explanation";
    watch.post(gateway.auditor(), route, &path, json!({ "code": "arrived-since" })).await;
}

/// Reports, searches, odd accesses and samples: of the day that is over.
async fn information_governance(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let (la, auditor) = (gateway.la(), gateway.auditor());
    watch.get(auditor, "/v1/reports", "/v1/reports").await;
    let why = json!({ "reason": "routine-check" });
    watch.post(auditor, "/v1/reports/{report}", "/v1/reports/exceptions", why).await;
    let searched = json!({ "reason": "routine-check", "organisation": "334" });
    watch.post(auditor, "/v1/audit/search", "/v1/audit/search", searched).await;
    let staff =
        json!({ "staff": [{ "user": "OFFICER-9", "surnames": ["Vexor"], "postcodes": [] }] });
    watch.post_as(("manager-3", la), "/v1/staff", "/v1/staff", staff).await;
    // Every day of the log is over, also where the last one closed on the morning the test began.
    gateway.move_to(gateway.today().tomorrow().expect("a day"));
    let day = gateway.today().yesterday().expect("a day");
    let from = day.saturating_sub(jiff::Span::new().days(3));
    let drawn = json!({ "from": from, "until": day, "count": 2, "organisation": "334" });
    watch.post(auditor, "/v1/alerts/sample", "/v1/alerts/sample", drawn).await;
    let listed = watch.get(la, "/v1/alerts", "/v1/alerts?kind=sample").await.json();
    let path = format!("/v1/alerts/{}", text(&listed["alerts"][0]["alert"]));
    watch.get(la, "/v1/alerts/{alert}", &path).await;
    let route = "/v1/alerts/{alert}/decision";
    let right = json!({ "outcome": "justified", "reason": "legitimate-relationship" });
    watch.post_as(("manager-3", la), route, &format!("{path}/decision"), right).await;
}

/// A legal hold is placed and lifted; what is due goes, with a certificate.
async fn kept_and_removed(watch: &mut Watch<'_>) {
    let gateway = watch.gateway;
    let (app, auditor) = (gateway.cast.app(), gateway.auditor());
    let whose = json!({
        "nhs_number": people::nhs_number(1), "reason": "public-inquiry", "reference": "INQ/1",
    });
    let placed = watch.post(auditor, "/v1/retention/holds", "/v1/retention/holds", whose).await;
    watch.get(auditor, "/v1/retention/holds", "/v1/retention/holds").await;
    let path = format!("/v1/retention/holds/{}/lift", text(&placed["legal_hold"]));
    let over = json!({ "reason": "inquiry-closed" });
    watch.post_as(("manager-3", auditor), "/v1/retention/holds/{hold}/lift", &path, over).await;
    watch.get(auditor, "/v1/retention/due", "/v1/retention/due").await;
    gateway.clock.advance(jiff::SignedDuration::from_hours(24 * 60));
    gateway::retention::run(app, &gateway::audit::Actor::local()).await.expect("a run");
    let route = "/v1/retention/certificates";
    let listed = watch.get(auditor, route, route).await.json();
    let path = format!("{route}/{}", text(&listed["certificates"][0]["certificate"]));
    watch.get(auditor, "/v1/retention/certificates/{certificate}", &path).await;
}

/// A partner that asks for what there is not, for it, leaves an entry with the route and the rule.
#[test]
fn what_is_refused_is_an_entry() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let leg = gateway.request(1, "CAMHS").await;
        let before = gateway.cast.app().log_size().await.expect("a size");
        let reply = gateway.acute().get(&format!("/v1/inbox/{leg}"), None).await;
        assert_eq!(reply.expect("an answer").status, 404);
        let rows = gateway.cast.app().store.audit_rows(before, 10).await.expect("rows");
        let entry = Entry::parse(&rows.last().expect("an entry").leaf).expect("an entry");
        assert_eq!(entry.event.kind, EventKind::AccessRefused);
        assert_eq!(entry.event.actor.organisation, gateway.acute().code);
        assert_eq!(entry.event.detail["rule"], "not-found");
        assert_eq!(entry.event.detail["route"], "/v1/inbox/{delivery}");
        gateway.end().await;
    });
}
