//! What a withdrawal did is told: what it stopped, what had left already, and what was recalled.

use gateway::practice::people;
use serde_json::{Value, json};
use tests::each_engine;

use super::{CHILD, act, plan_on_consent, report, rows, with};

const TABLE: &str = "Effect of withdrawals";

#[test]
fn the_effect_of_a_withdrawal_is_told_and_what_was_recalled_since() {
    each_engine("reports_effects", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        plan_on_consent(&gateway, CHILD).await;
        let leg = gateway.request(CHILD, "CAMHS").await;
        let withdrawal =
            people::withdrawal(&la.code, "W-1", &people::child(CHILD), gateway.today());
        act(la, "/v1/consents", withdrawal).await;

        let made = report(&gateway, "consents", &json!({})).await;
        let decisions = rows(&made, "Decisions");
        let withdrawn = with(&decisions, "decision", "withdrawn");
        assert_eq!(
            (&withdrawn[0]["about"], &withdrawn[0]["given by"]),
            (&json!("sharing"), &json!("parent"))
        );
        let effects = rows(&made, TABLE);
        assert!(effects.iter().all(|row| row["entry of the decision"] == withdrawn[0]["entry"]));
        let stopped = with(&effects, "effect", "stopped: held for people");
        assert_eq!(stopped.len(), 1, "{effects:?}");
        assert_eq!(stopped[0]["delivery"], json!(leg));
        assert_eq!((&stopped[0]["from"], &stopped[0]["to"]), (&json!(la.code), &json!(trust.code)));
        let left = with(&effects, "effect", "had left already");
        assert_eq!(left.len(), 1, "{effects:?}");
        assert_eq!((&left[0]["from"], &left[0]["to"]), (&json!(trust.code), &json!(la.code)));
        assert_eq!(left[0]["basis"], "consent");
        assert_eq!(left[0]["recalled (London)"], Value::Null);

        let path = format!("/v1/records/{}/recall", left[0]["record"].as_str().expect("an id"));
        act(trust, &path, json!({ "reason": "wrong-person" })).await;
        for whose in [&la.code, &trust.code] {
            let made = report(&gateway, "consents", &json!({ "organisation": whose })).await;
            let effects = rows(&made, TABLE);
            let left = with(&effects, "effect", "had left already");
            assert!(left[0]["recalled (London)"].is_string(), "{whose}: {effects:?}");
            assert_eq!(left[0]["recall acknowledged (London)"], Value::Null);
        }
        let nobody = json!({ "organisation": gateway.acute().code });
        let made = report(&gateway, "consents", &nobody).await;
        assert_eq!(rows(&made, TABLE), Vec::<Value>::new());
        let tomorrow = json!({ "from": gateway.today().tomorrow().expect("a day").to_string() });
        let made = report(&gateway, "consents", &tomorrow).await;
        assert_eq!(rows(&made, TABLE), Vec::<Value>::new());
        gateway.end().await;
    });
}

#[test]
fn a_refusal_with_nothing_to_stop_says_so() {
    each_engine("reports_no_effect", |gateway| async move {
        let la = gateway.la();
        let withdrawal =
            people::withdrawal(&la.code, "W-2", &people::child(CHILD), gateway.today());
        act(la, "/v1/consents", withdrawal).await;
        let made = report(&gateway, "consents", &json!({})).await;
        let effects = rows(&made, TABLE);
        assert_eq!(effects.len(), 1, "{effects:?}");
        assert_eq!(effects[0]["effect"], "nothing was on its way, and nothing had left");
        assert_eq!(effects[0]["decision"], "withdrawn");
        gateway.end().await;
    });
}
