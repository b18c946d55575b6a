use super::super::tests::{code, entry, words};
use super::*;
use crate::notices::Recall;
use crate::queue::{DeliveryId, DeliveryState};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn contained(opened: Option<&str>, acknowledged: Option<&str>) -> Contained {
    Contained {
        delivery: DeliveryId(Uuid::nil()),
        recipient: code("RXT"),
        service: None,
        state: DeliveryState::Delivered,
        reason: None,
        opened: opened.is_some(),
        opened_at: opened.map(at),
        told_by: None,
        acknowledged_at: acknowledged.map(at),
    }
}

#[test]
fn the_time_to_contain_runs_until_each_recipient_has_acknowledged() {
    let mut said = entry(1, EventKind::RecordTakenBack, "334");
    said.event = said.event.with("how", "recalled");
    assert!(is_recall(&said));
    let how = Containment {
        record: RecordId(Uuid::nil()),
        recalls: vec![Recall {
            by: RecordId(Uuid::nil()),
            at: at("2026-01-05T13:00:00Z"),
            reason: "wrong-person".to_owned(),
        }],
        deliveries: vec![
            contained(Some("2026-01-05T09:30:00Z"), Some("2026-01-05T14:30:00Z")),
            contained(Some("2026-01-05T09:30:00Z"), None),
            contained(None, None),
        ],
        contained_at: None,
        seconds_to_contain: None,
    };
    let rows = words(&incidents(&of_recall(&said, &how), &|code| code.to_owned()));
    let figures: Vec<[&str; 4]> = rows
        .iter()
        .map(|row| [row[2].as_str(), row[5].as_str(), row[11].as_str(), row[12].as_str()])
        .collect();
    assert_eq!(
        figures,
        [
            ["wrong-person", "RXT", "5", "2"],
            // Somebody still has it.
            ["wrong-person", "RXT", "", ""],
            // Nobody opened it.
            ["wrong-person", "RXT", "", "0"],
        ]
    );
}

#[test]
fn only_what_was_for_somebody_else_or_about_another_child_counts() {
    let rejected = |reason: &str| {
        let mut said = entry(1, EventKind::DeliveryAcknowledged, "RXT");
        said.event = said.event.with("outcome", "rejected").with("reason", reason);
        said
    };
    assert!(is_misdirected(&rejected("NOT_MY_PATIENT")));
    assert!(is_misdirected(&rejected("IDENTITY_MISMATCH")));
    assert!(!is_misdirected(&rejected("DUPLICATE")));
    let refused = of_entry(&rejected("WRONG_ORG"), "refused by the recipient");
    assert_eq!((refused.recipient.as_deref(), refused.contained), (Some("RXT"), None));
    let quarantined = |rules: &str| {
        let mut said = entry(1, EventKind::RecordQuarantined, "RXT");
        said.event = said.event.with("rules", rules);
        said
    };
    assert!(is_wrong_child(&quarantined("leg-unknown identity-mismatch")));
    assert!(!is_wrong_child(&quarantined("leg-unknown")));
    assert!(!is_recall(&entry(1, EventKind::RecordTakenBack, "334")));
}
