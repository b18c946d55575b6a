//! Samples: drawn by hashes, confirmed by a line manager, made again by whoever holds the log.

use std::collections::BTreeMap;

use gateway::odd_access;
use gateway::practice::client::Partner;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::{each_engine, text};

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

        // Made again from the log alone: the seed's text, and the lowest ranks.
        let rows = gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log");
        let size = drawn["checkpoint_size"].as_u64().expect("a size");
        let looks = rows.iter().filter(|row| row.seq < size).filter_map(|row| {
            let entry: Value = serde_json::from_slice(&row.leaf).expect("an entry");
            let event = &entry["event"];
            (event["kind"] == "journey.viewed" && event["actor"]["organisation"] == "334")
                .then_some(row.seq)
        });
        let seed = text(&drawn["seed"]);
        let ranked: BTreeMap<String, u64> =
            looks.map(|seq| (odd_access::rank(&seed, seq), seq)).collect();
        let expected: Vec<u64> = ranked.into_values().take(5).collect();
        assert_eq!(drawn["entries"], json!(expected));
        let checkpoints = gateway.cast.app().store.checkpoints(size, 1).await.expect("one");
        let signed: String = checkpoints[0].note.split_inclusive('\n').take(3).collect();
        let seed_text = format!("ehc-gateway sample 1\n{signed}{day} {day} 5 334\n");
        assert_eq!(seed, gateway::entropy::sha256_hex(seed_text.as_bytes()));

        let again = json!({ "from": day, "until": day, "count": 9, "organisation": "334" });
        assert_eq!(draw(auditor, &again).await.0, 409, "nobody draws until it suits");
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
