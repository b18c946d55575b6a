use super::*;

fn answer(status: u16, body: &serde_json::Value) -> Answer {
    Answer {
        submission: SubmissionId(uuid::Uuid::from_u128(5)),
        status,
        media_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
        rows: Vec::new(),
        entry: None,
        checkpoint: None,
        replayed: false,
        receipt_sha256: None,
    }
}

fn issue(rule: &str) -> Issue {
    let place = Place::Cell { line: 4, column: 2 };
    Issue::error(rule, Some(schemas::Field::NHS_NUMBER), place, "is wrong", "put it right")
}

#[test]
fn a_report_counts_rows_and_says_what_to_do_about_each() {
    let row = |line: u64, outcome: &str, issues: Vec<Issue>| serde_json::json!({"place": {"row": {"line": line}}, "outcome": outcome, "issues": issues});
    let body = serde_json::json!({
        "rows": [row(2, "accepted", vec![]), row(4, "quarantined", vec![issue("check-digit")])],
        "notes": [], "receipt": "a.b.c", "received_at": "2026-11-27T11:00:00Z",
    });
    let report = Report::answered(&answer(201, &body), Format::Csv, b"bytes");
    assert_eq!(report.outcome, FileOutcome::TakenInPart);
    assert_eq!((report.accepted, report.quarantined, report.bytes), (1, 1, 5));
    let text = report.to_text();
    let line = "line 4, column 2  subject.nhs_number  check-digit  is wrong       put it right\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("\nline 2  accepted\n") && text.ends_with("a.b.c\n"), "{text}");
    let again: Report = serde_json::from_slice(&report.to_json()).expect("a report");
    assert_eq!(again, report);
}

#[test]
fn a_message_that_was_refused_is_a_refused_file() {
    let body = serde_json::json!({"issues": [issue("check-digit")], "receipt": "a.b.c"});
    let report = Report::answered(&answer(422, &body), Format::Json, b"{}");
    assert_eq!((report.outcome, report.quarantined), (FileOutcome::Refused, 1));
    assert_eq!(report.issues.len(), 1);
    let unreadable = Report::answered(&answer(400, &body), Format::Json, b"{}");
    assert_eq!((unreadable.outcome, unreadable.quarantined), (FileOutcome::Refused, 0));
    let never_read = Report::refused(issue("file-too-large"), 9);
    assert!(never_read.to_text().contains("file-too-large"));
}
