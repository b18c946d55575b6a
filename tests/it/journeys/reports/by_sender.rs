//! What became of an organisation's messages is found by who sent them, although the entries name
//! the recipient only.

use gateway::verification::{self, Wanted};
use schemas::OrganisationCode;
use serde_json::{Value, json};
use tests::each_engine;

use super::{CHILD, act, get, report, rows, with};

#[test]
fn a_sender_finds_what_was_refused_recalled_and_disclosed_of_its_messages() {
    each_engine("reports_by_sender", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let leg = gateway.request(CHILD, "CAMHS").await;
        get(trust, &format!("/v1/inbox/{leg}")).await;
        let path = format!("/v1/inbox/{leg}/acknowledgement");
        act(trust, &path, json!({ "outcome": "rejected", "reason": "NOT_MY_PATIENT" })).await;
        let other = gateway.request(CHILD + 1, "CAMHS").await;
        get(trust, &format!("/v1/inbox/{other}")).await;
        let line = gateway.board(la).await;
        let line = line.iter().find(|line| line["leg"] == json!(other)).expect("a line").clone();
        let record = line["record"].as_str().expect("a record").to_owned();
        act(la, &format!("/v1/records/{record}/recall"), json!({ "reason": "wrong-person" })).await;

        for whose in [&la.code, &trust.code] {
            let made = report(&gateway, "misdirected", &json!({ "organisation": whose })).await;
            let found = rows(&made, "Incidents");
            assert_eq!(found.len(), 2, "{whose}: {found:?}");
            for what in ["refused by the recipient", "recalled"] {
                let one = with(&found, "what", what);
                assert_eq!((&one[0]["from"], &one[0]["to"]), (&json!(la.code), &json!(trust.code)));
            }
            let made = report(&gateway, "disclosures", &json!({ "organisation": whose })).await;
            let each = rows(&made, "Each disclosure");
            assert_eq!(each.len(), 2, "{whose}: {each:?}");
            assert_eq!(with(&each, "from", &la.code).len(), 2, "{each:?}");
            assert_eq!(rows(&made, "By month")[0]["messages"], 2);
        }
        let nobody = json!({ "organisation": gateway.acute().code });
        for (name, table) in [("misdirected", "Incidents"), ("disclosures", "Each disclosure")] {
            let made = report(&gateway, name, &nobody).await;
            assert_eq!(rows(&made, table), Vec::<Value>::new());
        }

        // The bundle of the sender holds who collected and acknowledged its messages.
        let partner = OrganisationCode::parse(&la.code).expect("a code");
        let (wanted, mut file) = (Wanted::Partner(partner), Vec::new());
        let app = gateway.cast.app();
        let made = verification::export(app, &wanted, "check", &mut file, |_| {}).await;
        made.expect("a store").expect("entries");
        let vkey = &app.log_vkey;
        let judged = gateway::audit::bundle::judge(&mut std::io::Cursor::new(&file), vkey, &[]);
        assert!(judged.expect("a verdict").verification.is_whole());
        let kinds = super::kinds_of(&file);
        for kind in ["delivery.collected", "delivery.acknowledged", "record.accepted"] {
            assert!(kinds.contains(&kind.to_owned()), "{kind}: {kinds:?}");
        }
        gateway.end().await;
    });
}

#[test]
fn exceptions_are_counted_by_organisation_and_a_review_names_who_made_it() {
    each_engine("reports_reviewer", |gateway| async move {
        let (_, broken) = gateway.held(CHILD).await;
        let glass = json!({ "basis": "vital-interests", "reason": "risk-to-life" });
        let (path, media) = (format!("/v1/holds/{broken}/break-glass"), "application/json");
        let reply = gateway.la().post_as("officer-2", &path, media, "glass", glass.to_string());
        let review = reply.await.expect("an answer").json()["review"].clone();
        let path = format!("/v1/reviews/{}/decision", review.as_str().expect("an id"));
        let upheld = json!({ "outcome": "upheld", "finding": "emergency-was-real" });
        let reply = gateway.la().post_as("manager-3", &path, media, "review", upheld.to_string());
        assert_eq!(reply.await.expect("an answer").status, 200);
        let made = report(&gateway, "exceptions", &json!({})).await;
        let reviews = rows(&made, "Reviews");
        assert_eq!(
            (&reviews[0]["reviewed"], &reviews[0]["reviewed by"]),
            (&json!("upheld"), &json!("334"))
        );
        let (actor, reviewer) = (&reviews[0]["person"], &reviews[0]["reviewer"]);
        assert!(actor.is_string() && reviewer.is_string() && actor != reviewer, "{reviews:?}");
        let counted = rows(&made, "By organisation");
        let emergencies = with(&counted, "sort", "emergency");
        assert_eq!(emergencies.len(), 1, "{counted:?}");
        assert_eq!(emergencies[0]["month"], gateway.today().strftime("%Y-%m").to_string());
        assert_eq!(emergencies[0]["organisation"], "334");
        assert_eq!(emergencies[0]["rule or reason"], "risk-to-life");
        assert_eq!(emergencies[0]["how many"], 1);
        gateway.end().await;
    });
}
