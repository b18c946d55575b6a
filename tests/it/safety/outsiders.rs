//! The canary hunt over everything that somebody who is not concerned can get.
//!
//! Twenty children with unlikely names are asked about; one is answered, consented for, held, released
//! in an emergency and refused. Then a trust that has nothing to do with them, the auditor and the
//! operator ask every route there is with the real ids, and take away every file that a command makes
//! for outsiders ([`given_away`](super::given_away)). None may name a child, or hold anything the
//! gateway was told about one.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use gateway::api::{ROUTES, Route};
use gateway::clock::Clock;
use gateway::practice::{Stage, people};
use gateway::reports::ReportKind;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::binary::Binary;
use tests::collector::{Collector, Mood};
use tests::{Engine, TestGateway, text};

use super::given_away;
use super::hunt::{CANARIES, CASE, FAMILY, GIVEN, Hunt, STREET, WORRY, canary};

/// Who outside has a part of the log: a folder, a security team's receiver and two witnesses.
pub(super) struct Outside {
    pub(super) soc: Collector,
    pub(super) visiting: gateway::practice::WitnessFiles,
    /// Stopped when the test is over.
    _serving: Binary,
}

/// What happened, by the ids that a curious outsider would need.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) nhs_number: String,
    pub(super) leg: String,
    pub(super) day: String,
    /// By the names of the parameters in the paths of routes.
    pub(super) ids: BTreeMap<&'static str, String>,
    /// What was answered to whoever sent something.
    pub(super) receipts: Vec<Vec<u8>>,
}

#[test]
fn nobody_who_is_not_concerned_can_get_anything_that_names_a_child() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (gateway, outside) = TestGateway::prepared(Engine::Sqlite, None, &outside).await;
        let mut told = tell(&gateway).await;
        a_day_goes_by(&gateway, &mut told).await;
        ask_everything(&gateway, &told).await;
        given_away::hunt_through(&gateway, &told, &outside).await;
        gateway.end().await;
    });
}

async fn outside(stage: &Stage, _: Arc<dyn Clock>) -> Outside {
    let soc = Collector::start(stage, Mood::Take).await;
    let vkey = stage.log_vkey().expect("a key");
    let more = "publish_to = \"published\"";
    let serving = stage.appoint_witness(&vkey, more).expect("a witness");
    let visiting = stage.visiting_witness(&vkey).expect("a witness");
    let file = stage.config_path();
    let before = std::fs::read_to_string(file).expect("a configuration");
    let sinks = format!(
        "\n[[audit.sinks]]\nname = \"archive\"\nkind = \"file\"\nfolder = \"archive\"\n\
         \n[[audit.sinks]]\nname = \"soc\"\nkind = \"syslog\"\naddress = \"{}\"\n",
        soc.address
    );
    std::fs::write(file, before + &sinks).expect("written");
    let process = Binary::witness(&serving.config, Stdio::null());
    for _ in 0..400 {
        if std::net::TcpStream::connect(serving.address).is_ok() {
            return Outside { soc, visiting, _serving: process };
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    unreachable!("the witness does not listen");
}

/// Children are asked about at two trusts; one answers; a mother agrees; a row is refused; what a
/// refusal holds is released in an emergency by somebody who has the child's name.
async fn tell(gateway: &TestGateway) -> Told {
    let (la, mental) = (gateway.la(), gateway.mental());
    let child = canary(1);
    let mut receipts = Vec::new();
    let staff = json!({ "staff": [{
        "user": "officer-1", "surnames": [child.family_name], "postcodes": [child.postcode],
    }] });
    acted(gateway, "manager-3", "/v1/staff", &staff).await;
    let (mut records, mut legs) = (Vec::new(), Vec::new());
    for number in 1..=CANARIES {
        let message = asked_about(gateway, number);
        let reply = la.send(&format!("o-{number}"), &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let row = &reply.json()["rows"][0];
        records.push(text(&row["record"]));
        legs.push(text(&row["legs"][0]["leg"]));
        receipts.push(reply.body.clone());
    }
    let mut refused = asked_about(gateway, 3);
    refused["id"] = json!("O-99");
    refused["subject"]["date_of_birth"] = json!(format!("{FAMILY} 2015"));
    let reply = la.send("o-99", &refused).await.expect("an answer");
    assert_eq!(reply.status, 422);
    receipts.push(reply.body);

    let leg = legs[0].clone();
    let fetched = mental.get(&format!("/v1/inbox/{leg}"), None).await.expect("an answer");
    let said = fetched.text();
    let all = [FAMILY, GIVEN, STREET, &child.postcode];
    assert!(all.iter().all(|word| said.contains(*word)), "nothing was planted: {said}");
    let mut advice = people::advice(&mental.code, "A-1", &leg, &child, gateway.today());
    advice["advice"]["summary"] = json!(format!("She is afraid of {WORRY}s."));
    let reply = mental.send("a-1", &advice).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    receipts.push(reply.body);
    let withdrawal = people::withdrawal(&la.code, "O-98", &child, gateway.today());
    receipts.push(acted(gateway, "officer-1", "/v1/consents", &withdrawal).await.1);
    // The second is held, because its family refused.
    let broken = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
    let path = format!("/v1/holds/{}/break-glass", legs[1]);
    let review = acted(gateway, "officer-2", &path, &broken).await.0["review"].clone();
    la.get(&format!("/v1/records/{}/journey", records[0]), None).await.expect("an answer");
    let case = json!({ "record": records[0] });
    let case = acted(gateway, "officer-1", "/v1/cases/find", &case).await.0["case"].clone();
    gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
    let ids = BTreeMap::from([
        ("record", records[0].clone()),
        ("case", text(&case)),
        ("review", text(&review)),
        ("delivery", leg.clone()),
    ]);
    let day = gateway.today().to_string();
    Told { nhs_number: child.nhs_number, leg, day, ids, receipts }
}

/// A request about one of the children, with everything that a message may say of where it lives.
fn asked_about(gateway: &TestGateway, number: u32) -> Value {
    let child = canary(number);
    let other = number >= 3 && number.is_multiple_of(2);
    let service = if other { ["PAEDIATRICS"] } else { ["CAMHS"] };
    let la = &gateway.la().code;
    let id = format!("O-{number}");
    let mut message = people::request(la, &id, &child, &service, gateway.today());
    message["subject"]["address"] = json!(format!("{number} {STREET} Lane"));
    message["subject"]["postcode"] = json!(child.postcode);
    message["case"] = json!(format!("{CASE}-{number}"));
    if number == 2 {
        message["consent"] = json!({
            "status": "refused", "given_by": "parent", "date": gateway.today().to_string(),
        });
    }
    message
}

async fn acted(gateway: &TestGateway, person: &str, path: &str, body: &Value) -> (Value, Vec<u8>) {
    let key = path.replace('/', "-");
    let reply = gateway.la().post_as(person, path, "application/json", &key, body.to_string());
    let reply = reply.await.expect("an answer");
    assert!(reply.status < 300, "{path}: {}", reply.text());
    (reply.json(), reply.body)
}

/// The day is signed, and what was odd of it found.
async fn a_day_goes_by(gateway: &TestGateway, told: &mut Told) {
    let app = gateway.cast.app();
    let day = gateway.today();
    while gateway::reconciliation::last_closed(app).is_none_or(|closed| closed < day) {
        gateway.clock.advance(SignedDuration::from_mins(30));
    }
    told.ids.insert("day", day.to_string());
    gateway::duties::run_due(app).await.expect("the duties are done");
    // A day closes in the evening, and is over at midnight.
    if gateway.today() == day {
        gateway.move_to(day.tomorrow().expect("a day"));
    }
    let listed = gateway.auditor().get("/v1/alerts", None).await.expect("an answer").json();
    let alerts = listed["alerts"].as_array().expect("alerts");
    assert!(alerts.iter().any(|alert| alert["rule"] == "override"), "{listed}");
    told.ids.insert("alert", text(&alerts[0]["alert"]));
    let drawn = json!({ "from": day, "until": day, "count": 5, "organisation": "334" });
    let path = "/v1/alerts/sample";
    let reply = gateway.auditor().post(path, "application/json", "draw", drawn.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(reply.status < 300, "{}", reply.text());
    told.receipts.push(reply.body);
}

/// Whoever is not concerned asks every route with the real ids.
pub(super) async fn ask_everything(gateway: &TestGateway, told: &Told) {
    let hunt = Hunt::of_canaries();
    let outsiders = [
        ("another trust", gateway.community()),
        ("the auditor", gateway.auditor()),
        ("the operator", gateway.cast.operator()),
    ];
    let (mut asked, mut given, mut reports) = (0, 0, BTreeSet::new());
    for (route, path) in ROUTES.iter().flat_map(|route| filled(route, told, gateway)) {
        for (name, outsider) in &outsiders {
            // What is only fetched is asked for once.
            let times = if route.method == "GET" { 1 } else { 3 };
            for body in bodies(&path, told).into_iter().take(times) {
                asked += 1;
                let reply = if route.method == "GET" {
                    outsider.get(&path, None).await
                } else {
                    let key = format!("curious-{asked}");
                    outsider.post(&path, "application/json", &key, body.to_string()).await
                };
                let reply = reply.expect("an answer");
                given += usize::from(reply.status < 300);
                if reply.status == 200 && route.path == "/v1/reports/{report}" {
                    reports.insert((path.clone(), reply.media_type.clone()));
                }
                hunt.through(&format!("what {name} gets by {} {path}", route.method), &reply.body);
            }
        }
    }
    assert!(given > 60, "only {given} requests were answered, so this hunts nothing");
    assert_eq!(reports.len(), ReportKind::ALL.len() * 3, "each report in each form: {reports:#?}");
}

/// The paths of a route with the ids of what happened.
fn filled<'a>(route: &'a Route, told: &Told, gateway: &TestGateway) -> Vec<(&'a Route, String)> {
    let kinds: Vec<&str> = ReportKind::ALL.into_iter().map(ReportKind::code).collect();
    let (each, month) =
        (if route.path.contains("{report}") { kinds } else { vec![""] }, gateway.today());
    let asked = match route.path {
        "/v1/performance" => format!("?month={}", month.strftime("%Y-%m")),
        "/v1/audit/consistency" => "?from=1".to_owned(),
        _ => String::new(),
    };
    let of = |report: &str| {
        let mut path = route
            .path
            .replace("{report}", report)
            .replace("{number}", "1")
            .replace("{*tile}", "entries/000.p/9")
            .replace("{seq}", "1");
        for (name, id) in &told.ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        // Whatever else has an id is the delivery, or hangs on it.
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, &told.leg);
        }
        (route, path + &asked)
    };
    each.into_iter().map(of).collect()
}

/// What an outsider may post who wants to know: nothing, and questions about the child. The answer
/// to a question about a number may not say the number again.
fn bodies(path: &str, told: &Told) -> [Value; 3] {
    let nhs_number = &told.nhs_number;
    let Some(report) = path.strip_prefix("/v1/reports/") else {
        let asked = json!({ "nhs_number": nhs_number, "reason": "routine-check", "proof": true });
        let search = json!({ "nhs_number": nhs_number, "reason": "routine-check" });
        return [json!({}), asked, search];
    };
    let mut asked = json!({ "reason": "routine-check" });
    match report {
        "child-access" => asked["nhs_number"] = json!(nhs_number),
        "person-actions" => {
            asked["organisation"] = json!("334");
            asked["user"] = json!("officer-1");
        }
        _ => {}
    }
    let form = |form: &str| {
        let mut asked = asked.clone();
        asked["form"] = json!(form);
        asked
    };
    [asked.clone(), form("csv"), form("xlsx")]
}
