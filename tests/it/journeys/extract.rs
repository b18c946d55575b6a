//! The nightly extract: row by row, with positions, and never all or nothing.

use gateway::practice::people::{self, Row};
use tests::each_engine;

#[test]
fn a_bad_row_is_quarantined_and_the_others_go() {
    each_engine("extract_rows", |gateway| async move {
        let mut rows =
            vec![Row::new(1, "SALT"), Row::new(2, "CAMHS;PAEDIATRICS"), Row::new(3, "OT")];
        rows[2].child.nhs_number = "9991234560".to_owned();
        let answer = gateway.push_rows("x-1", &rows).await;
        assert_eq!(answer[0]["outcome"], "accepted");
        assert_eq!(answer[1]["legs"].as_array().expect("legs").len(), 2);
        assert_eq!(answer[2]["outcome"], "quarantined");
        let issue = &answer[2]["issues"][0];
        assert_eq!(issue["rule"], "identifier-check-digit");
        assert_eq!(issue["field"], "subject.nhs_number");
        assert_eq!(issue["place"]["cell"]["line"], 4);
        assert_eq!(issue["place"]["cell"]["column"], 2);
        let whole = answer[2].to_string();
        assert!(!whole.contains("9991234560"), "the value must not come back");
        assert!(!whole.contains(&rows[2].child.family_name));
        assert_eq!(gateway.board(gateway.la()).await.len(), 3);
        gateway.end().await;
    });
}

#[test]
fn a_dry_run_says_what_would_happen_and_commits_nothing_but_that_it_was_asked() {
    each_engine("extract_dry_run", |gateway| async move {
        let size = gateway.cast.app().log_size().await.expect("a size");
        let extract =
            people::extract(&[Row::new(1, "SALT"), Row::new(2, "NOBODY")], gateway.today());
        let path = "/v1/messages/dry-run";
        let reply = gateway.la().post(path, "text/csv", "d-1", extract).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let preview = reply.json();
        assert_eq!(preview["accepted"], 1);
        assert_eq!(preview["quarantined"], 1);
        assert_eq!(preview["rows"][1]["issues"][0]["rule"], "service-unknown");
        // It says whether a message is known and what would be decided: a look, and nothing else.
        let rows = gateway.cast.app().store.audit_rows(size, 10).await.expect("rows");
        assert_eq!(rows.len(), 1);
        let entry = gateway::audit::Entry::parse(&rows[0].leaf).expect("an entry");
        assert_eq!(entry.event.kind, gateway::audit::EventKind::StandingViewed);
        assert!(gateway.board(gateway.la()).await.is_empty());
        gateway.end().await;
    });
}

#[test]
fn the_same_row_in_the_next_extract_changes_nothing() {
    each_engine("extract_again", |gateway| async move {
        let rows = vec![Row::new(1, "SALT")];
        let first = gateway.push_rows("n-1", &rows).await;
        let mut rows = rows;
        rows.push(Row::new(2, "SALT"));
        let next = gateway.push_rows("n-2", &rows).await;
        assert_eq!(next[0]["outcome"], "unchanged");
        assert_eq!(next[0]["record"], first[0]["record"]);
        assert_eq!(next[1]["outcome"], "accepted");
        rows[0].services = "CAMHS";
        let changed = gateway.push_rows("n-3", &rows).await;
        assert_eq!(changed[0]["outcome"], "quarantined");
        assert_eq!(changed[0]["issues"][0]["rule"], "id-reused");
        assert_eq!(gateway.board(gateway.la()).await.len(), 2);
        gateway.end().await;
    });
}
