//! The log in the forms of other machines, as a command writes them and as others read them.

use super::{Ran, beside_a_gateway};

#[test]
fn an_export_is_taken_by_readers_that_are_not_ours_and_is_itself_in_the_log() {
    beside_a_gateway(async |gateway| {
        let first = gateway.today();
        gateway.request(1, "CAMHS").await;
        gateway.request(2, "SALT").await;
        gateway.held(3).await;
        for delivery in gateway.inbox(gateway.mental()).await {
            let reply = gateway.mental().get(&format!("/v1/inbox/{delivery}"), None).await;
            assert_eq!(reply.expect("an answer").status, 200);
        }
        gateway.cast.wait_until_idle(std::time::Duration::from_secs(20)).await;
        gateway.board(gateway.la()).await;
        gateway.acute().post("/v1/holds/none/decision", "application/json", "k", "{}").await.ok();
        gateway.move_to(first.tomorrow().expect("a day"));
        gateway.request(4, "CAMHS").await;
        let day = first.to_string();
        let export = |form: &str, filter: &[&str]| {
            let file = gateway.folder().join(format!("{form}-{}", filter.len()));
            let path = file.to_str().expect("a path").to_owned();
            let base = ["audit", "export", "--reason", "incident", "--as", form, "--out", &path];
            let ran = Ran::on(gateway, &[&base, filter].concat());
            (ran, std::fs::read(&file).unwrap_or_default())
        };
        for form in ["jsonl", "atna", "balp"] {
            let (ran, whole) = export(form, &[]);
            ran.ends(0).talks("It proves nothing by itself");
            let kinds = tests::peers::must_take_form(form, &whole);
            if let Some(kinds) = kinds {
                assert!(kinds["lines"].as_u64().expect("a count") > 15, "{kinds}");
                let balp = form == "balp";
                for kind in ["record.accepted", "delivery.collected", "delivery.attempted"] {
                    let profile = if kind == "record.accepted" { "Recipient" } else { "Source" };
                    let kind = if balp {
                        format!("{kind} PrivacyDisclosure.{profile}")
                    } else {
                        kind.to_owned()
                    };
                    assert!(kinds["kinds"][&kind].as_u64() > Some(0), "{kind}: {kinds}");
                }
            }
            let (ran, period) = export(form, &["--from", &day, "--until", &day]);
            ran.ends(0);
            let count = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count() - 1;
            assert!(count(&period) > 0 && count(&period) < count(&whole), "a day is less than all");
            let (ran, partner) = export(form, &["--partner", "RXT", "--json"]);
            ran.ends(0).says(&format!("\"{form}\":"));
            assert!(count(&partner) > 0 && count(&partner) < count(&whole));
            let said = String::from_utf8(whole).expect("UTF-8");
            for word in ["Practice-", "999000"] {
                assert!(!said.contains(word), "{form} has {word}");
            }
        }
        let store = &gateway.cast.app().store;
        let rows = store.audit_rows(0, 10_000).await.expect("rows");
        let said: Vec<String> =
            rows.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned()).collect();
        let exports: Vec<&String> =
            said.iter().filter(|leaf| leaf.contains("\"form\":\"balp\"")).collect();
        assert_eq!(exports.len(), 3, "each is an entry, with its form and reason");
        assert!(exports.iter().all(|leaf| leaf.contains("\"reason\":\"incident\"")));
    });
}
