//! What a system does without naming a person counts for its organisation.

use std::sync::Arc;

use gateway::clock::Clock;
use gateway::odd_access;
use gateway::practice::Stage;
use serde_json::json;
use tests::gateway::each_engine_prepared;

use super::{move_to_hour, queue, rules_of, watch};

/// The shipped rules, with fewer people that are too many for an organisation.
fn fewer(stage: &Stage) {
    let shipped = odd_access::Rules::built_in_text();
    let rules = shipped.replace("people = 1000", "people = 5");
    assert_ne!(rules, shipped);
    let folder = stage.config_path().parent().expect("a folder");
    std::fs::write(folder.join("odd-access.toml"), rules).expect("a file");
    let config = std::fs::read_to_string(stage.config_path()).expect("a file");
    let config = config.replace("[files]\n", "[files]\nodd_access = \"odd-access.toml\"\n");
    std::fs::write(stage.config_path(), config).expect("a file");
}

#[test]
fn a_system_that_fetches_unusually_many_children_raises_one_alert_about_its_organisation() {
    let prepare = async |stage: &Stage, _: Arc<dyn Clock>| fewer(stage);
    each_engine_prepared("odd_systems", &prepare, |gateway, ()| async move {
        // At night: a machine is never out of hours.
        move_to_hour(&gateway, 22);
        let mut legs = Vec::new();
        for number in 11..=16 {
            legs.push(gateway.request(number, "CAMHS").await);
        }
        for (fetched, leg) in legs.iter().enumerate() {
            let path = format!("/v1/inbox/{leg}");
            // No header names a person.
            let reply = gateway.mental().get_range(&path, "bytes=0-").await.expect("an answer");
            assert_eq!(reply.status().as_u16(), 200);
            watch(&gateway).await;
            let expected: &[&str] = if fetched < 4 { &[] } else { &["many-people-by-a-system"] };
            assert_eq!(rules_of(&queue(&gateway).await), expected, "after {}", fetched + 1);
        }
        let alerts = queue(&gateway).await;
        assert_eq!(alerts[0]["organisation"], json!(gateway.mental().code));
        assert_eq!(alerts[0]["entries"], 2, "the fifth and the sixth: {alerts:?}");
        let own = gateway.mental().get("/v1/alerts", None).await.expect("an answer").json();
        assert_eq!(own["alerts"], json!([]), "it is information governance's to look into");
        gateway.end().await;
    });
}
