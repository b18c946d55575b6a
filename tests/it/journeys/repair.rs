//! What was not accepted goes through the pipeline again, from the bytes its partner sent.

use gateway::audit::Actor;
use gateway::pipeline::{self, RawMessage, Sender};
use gateway::practice::people::{self, Row};
use gateway::repair::{self, RepairError, Replay};
use tests::{TestGateway, each_engine};
use uuid::Uuid;

async fn quarantined(gateway: &TestGateway) -> Vec<repair::QuarantineLine> {
    let app = gateway.cast.app();
    repair::quarantined(app, None, &Actor::local(), 10).await.expect("a list")
}

fn under(mapping: &str) -> Replay {
    Replay { mapping: Some(mapping.to_owned()), format: None }
}

#[test]
fn a_file_that_was_read_through_the_wrong_mapping_is_replayed_through_the_right_one() {
    each_engine("repair_mapping", |gateway| async move {
        let changed = gateway.cast.change_partner("334", |partner| {
            partner.mapping = Some("canonical-la-advice-request".to_owned());
        });
        changed.await.expect("the partner is changed");
        let extract = people::extract(&[Row::new(51, "CAMHS")], gateway.today());
        let reply = gateway.la().post("/v1/messages", "text/csv", "wrong-1", extract).await;
        let status = reply.expect("an answer").status;
        assert!(status >= 400, "the wrong mapping was taken: {status}");
        let items = quarantined(&gateway).await;
        let item = items.first().expect("an item").id;
        let app = gateway.cast.app();
        let right = || under("liquidlogic-ehc-advice-request");

        let preview = repair::rehearse_replay(app, item, right()).await.expect("a preview");
        assert_eq!((preview.accepted, preview.quarantined), (1, 0));
        assert!(gateway.inbox(gateway.mental()).await.is_empty(), "a rehearsal changes nothing");
        let answer = repair::replay(app, item, right(), &Actor::local()).await.expect("an answer");
        assert_eq!(answer.status, 201);
        assert_eq!(gateway.inbox(gateway.mental()).await.len(), 1);
        assert!(quarantined(&gateway).await.is_empty(), "it is resolved");
        let again = repair::replay(app, item, right(), &Actor::local()).await;
        assert!(matches!(again, Err(RepairError::AlreadyDone(_))), "{again:?}");
        assert_eq!(gateway.inbox(gateway.mental()).await.len(), 1, "and nothing is sent twice");
        let nothing = repair::replay(app, Uuid::nil(), right(), &Actor::local()).await;
        assert!(matches!(nothing, Err(RepairError::NotFound)), "{nothing:?}");
        gateway.end().await;
    });
}

#[test]
fn a_replay_that_is_refused_again_stays_and_doubles_nothing() {
    each_engine("repair_again", |gateway| async move {
        let mut rows = vec![Row::new(52, "CAMHS"), Row::new(53, "CAMHS")];
        rows[1].child.nhs_number = "9990000019".to_owned();
        let answered = gateway.push_rows("again-1", &rows).await;
        assert_eq!(answered[1]["outcome"], "quarantined");
        assert_eq!(gateway.inbox(gateway.mental()).await.len(), 1);
        let item = quarantined(&gateway).await.first().expect("an item").clone();
        assert!(item.issues.iter().any(|issue| issue.rule == "identifier-check-digit"));
        let app = gateway.cast.app();
        for _ in 0..2 {
            let how = Replay::default();
            let answer = repair::replay(app, item.id, how, &Actor::local()).await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.rows.len(), 2);
            assert!(!answer.replayed, "each attempt has a key of its own");
        }
        let items = quarantined(&gateway).await;
        let same = items.iter().find(|one| one.id == item.id).expect("it stays");
        assert_eq!((same.replays, same.resolved_as), (2, None));
        assert_eq!(gateway.inbox(gateway.mental()).await.len(), 1, "the good row is known");
        gateway.end().await;
    });
}

#[test]
fn a_replay_whose_outcome_was_not_kept_resolves_nothing_that_was_refused() {
    each_engine("repair_repeated", |gateway| async move {
        let mut rows = vec![Row::new(55, "CAMHS"), Row::new(56, "CAMHS")];
        rows[1].child.nhs_number = "9990000019".to_owned();
        let extract = people::extract(&rows, gateway.today());
        let reply = gateway.la().post("/v1/messages", "text/csv", "rep-1", extract.clone()).await;
        assert_eq!(reply.expect("an answer").status, 201);
        let item = quarantined(&gateway).await.first().expect("an item").clone();
        let app = gateway.cast.app();
        // A replay was answered, and the gateway was killed before it noted what came of it: the
        // next goes under the same key and gets the same answer.
        let own = schemas::OrganisationCode::parse(&gateway.la().code).expect("a code");
        let partner = app.partner(&own).expect("a partner");
        let raw = RawMessage {
            format: adapters::Format::Csv,
            mapping: None,
            bytes: schemas::PersonalBytes::new(extract.into()),
            key: format!("quarantine-replay-{}-0", item.id),
        };
        let sender = Sender::partner(&partner, Actor::local());
        let first = pipeline::receive(app, &sender, raw).await.expect("an answer");
        assert!(!first.replayed && !first.is_accepted_whole(), "{:?}", first.rows);

        let answer = repair::replay(app, item.id, Replay::default(), &Actor::local()).await;
        let answer = answer.expect("an answer");
        assert!(answer.replayed && answer.status < 400, "it was answered before");
        let items = quarantined(&gateway).await;
        let same = items.iter().find(|one| one.id == item.id).expect("it stays");
        assert_eq!((same.replays, same.resolved_as), (1, None), "one of its rows was refused");
        gateway.end().await;
    });
}

#[test]
fn what_is_forgotten_is_spoken_of_each_day() {
    each_engine("repair_forgotten", |gateway| async move {
        gateway.held(54).await;
        gateway.clock.advance(jiff::SignedDuration::from_hours(7 * 24));
        let app = gateway.cast.app();
        let said = async || {
            let entries = app.store.audit_rows(0, 5_000).await.expect("the log");
            let texts = entries.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned());
            texts.filter(|text| text.contains("forgotten-holds")).collect::<Vec<_>>()
        };
        for _ in 0..3 {
            gateway::duties::run_due(app).await.expect("the duties are done");
        }
        let duty = said().await;
        assert_eq!(duty.len(), 1, "once a day, however often the duties run");
        assert!(duty[0].contains("\"count\":\"1\""), "{}", duty[0]);
        let metrics = gateway.metrics().await;
        let rule = "{rule=\"restriction-meets-statute\"}";
        assert!(metrics.contains(&format!("ehc_holds{rule} 1")), "{metrics}");
        assert!(metrics.contains(&format!("ehc_holds_oldest_seconds{rule} 6048")), "{metrics}");
        gateway.move_to(gateway.today().tomorrow().expect("a day"));
        gateway::duties::run_due(app).await.expect("the duties are done");
        assert_eq!(said().await.len(), 2, "and again the next day");
        gateway.end().await;
    });
}
