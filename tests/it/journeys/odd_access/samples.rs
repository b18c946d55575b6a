//! Samples: drawn by hashes, confirmed by a line manager, made again by whoever holds the log.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::audit::Actor;
use gateway::audit::tree::Frontier;
use gateway::entropy::sha256_hex;
use gateway::journey;
use gateway::practice::client::Partner;
use gateway::verification::{self, Wanted};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, text};

use super::{act, decide, move_to_hour, open_journey, record};

async fn draw(caller: &Partner, body: &Value) -> (u16, Value) {
    act(caller, "auditor-9", "/v1/alerts/sample", body).await
}

#[test]
fn a_sample_is_drawn_by_hashes_once_and_confirmed_by_somebody_else() {
    each_engine("odd_sample", |gateway| async move {
        move_to_hour(&gateway, 10);
        let opened = record(&gateway, 91).await;
        for _ in 0..12 {
            open_journey(&gateway, &opened).await;
        }
        let day = gateway.today();
        let asked = json!({ "from": day, "until": day, "count": 5 });
        let auditor = gateway.auditor();
        assert_eq!(draw(auditor, &asked).await.0, 400, "the day is not over");
        assert_eq!(draw(gateway.la(), &asked).await.0, 403);
        gateway.clock.advance(SignedDuration::from_hours(24));
        open_journey(&gateway, &opened).await;
        let many = json!({ "from": day, "until": day, "count": 201 });
        assert_eq!(draw(auditor, &many).await.0, 400);
        let asked = json!({ "from": day, "until": day, "count": 5, "organisation": "334" });
        let (status, drawn) = draw(auditor, &asked).await;
        assert_eq!(status, 200, "{drawn}");
        assert_eq!(drawn["population"], 12, "the other day's look is not among them");

        assert_eq!(drawn["entries"].as_array().map(Vec::len), Some(5));
        let by_the_book = Asked { from: day, until: day, count: 5, organisation: "334" };
        by_the_book.draws(&gateway, &drawn).await;

        let again = json!({ "from": day, "until": day, "count": 9, "organisation": "334" });
        let (status, said) = draw(auditor, &again).await;
        assert_eq!(status, 409, "nobody draws until it suits");
        assert!(text(&said["detail"]).contains(&text(&drawn["sample"])), "{said}");
        let own = gateway.la().get("/v1/alerts?kind=sample", None).await.expect("an answer").json();
        let own = own["alerts"].as_array().expect("alerts").clone();
        assert_eq!(own.len(), 5, "the line manager's queue");
        let right = ("justified", "legitimate-relationship");
        assert_eq!(
            decide(gateway.la(), "officer-1", &own[0], right).await.0,
            403,
            "not by oneself"
        );
        assert_eq!(decide(gateway.la(), "manager-3", &own[0], right).await.0, 200);
        let left =
            gateway.la().get("/v1/alerts?kind=sample", None).await.expect("an answer").json();
        assert_eq!(left["alerts"].as_array().map(Vec::len), Some(4));
        let closed = "/v1/alerts?kind=sample&state=closed";
        let closed = gateway.auditor().get(closed, None).await.expect("an answer").json();
        assert_eq!(closed["alerts"][0]["state"], "justified");
        gateway.end().await;
    });
}

/// What a sample was asked for.
struct Asked {
    from: Date,
    until: Date,
    count: usize,
    organisation: &'static str,
}

impl Asked {
    /// Makes a draw again from an exported bundle, as `gateway/docs/odd-access.md` says it and with
    /// nothing else of ours: it must be the same.
    async fn draws(&self, gateway: &TestGateway, drawn: &Value) {
        let mut file = Vec::new();
        let app = gateway.cast.app();
        let made = verification::export(app, &Wanted::Whole, "check", &mut file, |_| {}).await;
        made.expect("a store").expect("a log");
        let mut lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut next = || lines.next().map(|line| serde_json::from_slice(line).expect("JSON"));
        let header: Value = next().expect("a header");
        let _anchors: Value = next().expect("anchors");

        // Step 1: the first three lines of the checkpoint, worked out from the entries.
        let size = drawn["checkpoint_size"].as_u64().expect("a size");
        let (mut tree, mut entries): (_, Vec<Value>) = (Frontier::default(), Vec::new());
        while let Some(line) = next().filter(|_| tree.size() < size) {
            let leaf = BASE64_STANDARD.decode(text(&line["leaf"])).expect("base64");
            tree.append(&leaf).expect("a tree");
            entries.push(serde_json::from_slice(&leaf).expect("an entry"));
        }
        let root = BASE64_STANDARD.encode(tree.root().expect("a root"));
        let Self { from, until, count, organisation } = self;
        let seed = sha256_hex(
            format!(
                "ehc-gateway sample 1\n{}\n{size}\n{root}\n{from} {until} {count} {organisation}\n",
                text(&header["log"])
            )
            .as_bytes(),
        );
        assert_eq!(drawn["seed"], seed);

        // Steps 2 and 3: the lowest ranks among the accesses by people of those days.
        let london = TimeZone::get("Europe/London").expect("a zone");
        let midnight =
            |day: Date| london.to_timestamp(day.at(0, 0, 0, 0)).expect("a time").as_microsecond();
        let days = midnight(*from)..midnight(*until + 1.day());
        let mut ranked: Vec<(String, u64)> = entries
            .iter()
            .filter(|entry| days.contains(&entry["at_us"].as_i64().expect("a time")))
            .filter(|entry| {
                *organisation == "-" || entry["event"]["actor"]["organisation"] == *organisation
            })
            .filter(|entry| is_access_by_a_person(&entry["event"]))
            .map(|entry| entry["seq"].as_u64().expect("a place"))
            .map(|seq| (sha256_hex(format!("{seed} {seq}").as_bytes()), seq))
            .collect();
        assert_eq!(drawn["population"], ranked.len());
        ranked.sort();
        let expected: Vec<u64> = ranked.into_iter().take(*count).map(|(_, seq)| seq).collect();
        assert_eq!(drawn["entries"], json!(expected));
    }
}

/// The list of the page, word for word.
fn is_access_by_a_person(event: &Value) -> bool {
    let (actor, detail) = (&event["actor"], &event["detail"]);
    let by_a_person = actor["method"] != "gateway"
        && (actor.get("person").is_some() || actor["method"] == "local");
    let is_one_of = |kinds: &str| kinds.split(' ').any(|kind| event["kind"] == kind);
    let looks = is_one_of(
        "delivery.collected delivery.attempted delivery.resent journey.viewed case.viewed \
         board.viewed standing.viewed transitions.viewed consent.viewed consent.previewed \
         hold.viewed hold.decided hold.asked hold.answered hold.broken review.closed evidence.made \
         quarantine.viewed quarantine.replayed reconciliation.viewed alert.viewed alert.decided \
         retention.viewed audit.viewed",
    );
    let at_somebody = detail.get("people").is_some()
        || is_one_of(
            "delivery.collected journey.viewed evidence.made case.viewed consent.viewed \
             quarantine.viewed quarantine.replayed",
        );
    let empty = ["rows", "clocks", "cases"].into_iter().any(|name| detail[name] == "0");
    by_a_person && looks && (event.get("subject").is_some() || (at_somebody && !empty))
}

/// A day on which a person, a list, a system that names nobody, and the machine's prompt look: the page
/// says which count.
async fn a_day(gateway: &TestGateway, opened: &str, leg: &str) -> Date {
    for _ in 0..4 {
        open_journey(gateway, opened).await;
        gateway.board(gateway.la()).await;
        let path = format!("/v1/inbox/{leg}");
        let nobody = gateway.mental().get_range(&path, "bytes=0-").await.expect("an answer");
        assert_eq!(nobody.status().as_u16(), 200);
        let id = schemas::RecordId(opened.parse().expect("an id"));
        let looked = journey::of_record(gateway.cast.app(), id, None, &Actor::local()).await;
        looked.expect("a journey");
    }
    gateway.today()
}

#[test]
fn a_day_is_drawn_from_once_whatever_range_or_organisation_is_named() {
    each_engine("odd_redraw", |gateway| async move {
        move_to_hour(&gateway, 10);
        let opened = record(&gateway, 92).await;
        let leg = gateway.request(93, "CAMHS").await;
        let day = a_day(&gateway, &opened, &leg).await;
        gateway.clock.advance(SignedDuration::from_hours(24));
        let next = a_day(&gateway, &opened, &leg).await;
        gateway.clock.advance(SignedDuration::from_hours(24));
        let (auditor, before) = (gateway.auditor(), day - 1.day());
        let days = |from: Date, until: Date| json!({ "from": from, "until": until, "count": 6 });
        let of = |mut asked: Value, code: &str| {
            asked["organisation"] = json!(code);
            asked
        };
        let (status, drawn) = draw(auditor, &of(days(day, day), "334")).await;
        assert_eq!(status, 200, "{drawn}");
        let by_the_book = Asked { from: day, until: day, count: 6, organisation: "334" };
        by_the_book.draws(&gateway, &drawn).await;
        for again in [
            of(days(before, day), "334"),
            of(days(day, next), "334"),
            days(day, day),
            days(before, next),
        ] {
            let (status, said) = draw(auditor, &again).await;
            assert_eq!(status, 409, "{again}: {said}");
            let detail = text(&said["detail"]);
            let named = [text(&drawn["sample"]), format!("{day} to {day}, of 334")];
            assert!(named.iter().all(|name| detail.contains(name)), "{detail}");
        }
        assert_eq!(draw(auditor, &of(days(day, day), "RXT")).await.0, 200, "another's people");
        let (status, all) = draw(auditor, &days(next, next)).await;
        assert_eq!(status, 200, "{all}");
        assert!(all["population"].as_u64() >= Some(12), "people and the prompt: {all}");
        let by_the_book = Asked { from: next, until: next, count: 6, organisation: "-" };
        by_the_book.draws(&gateway, &all).await;
        assert_eq!(draw(auditor, &of(days(next, next), "334")).await.0, 409, "all were drawn");
        gateway.end().await;
    });
}
