use std::collections::BTreeMap;

use jiff::Timestamp;
use schemas::{MessageType, RecordId};
use uuid::Uuid;

use super::exports::hashes;
use super::*;
use crate::audit::{DecisionNote, Entry, EventKind};
use crate::entropy::sha256_hex;
use crate::queue::DeliveryId;

/// An entry by an organisation, an hour after the one before it; the first is of 5 January 2026,
/// 12:00 in London.
pub(super) fn entry(seq: u64, kind: EventKind, organisation: &str) -> Entry {
    let actor = Actor { organisation: organisation.to_owned(), ..Actor::gateway() };
    let at: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
    let hours = i64::try_from(seq).unwrap() * 3_600_000_000;
    Entry {
        seq,
        at_us: at.as_microsecond() + hours,
        id: Uuid::from_u128(u128::from(seq)),
        event: Event::new(kind, actor),
    }
}

/// A release of the `which`th delivery to an organisation, on a basis.
pub(super) fn release(seq: u64, which: u128, (to, basis): (&str, &str)) -> Entry {
    let mut entry = entry(seq, EventKind::DeliveryCollected, to);
    entry.event.delivery = Some(DeliveryId(Uuid::from_u128(which)));
    entry.event.record = Some(RecordId(Uuid::from_u128(1_000 + which)));
    entry.event.subject = Some(SubjectKey([u8::try_from(which).unwrap(); 32]));
    entry.event.message_type = Some(MessageType::AdviceRequest);
    entry.event.counterparty = Some(code(to));
    entry.event.decision = Some(DecisionNote {
        outcome: "release".to_owned(),
        authority: Some(basis.to_owned()),
        reference: Some("a provision".to_owned()),
        rule: "a-rule".to_owned(),
        rule_version: "1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: BTreeMap::new(),
        reason: "Because.".to_owned(),
    });
    entry
}

pub(super) fn code(text: &str) -> OrganisationCode {
    OrganisationCode::parse(text).unwrap()
}

/// A table as rows of words.
pub(super) fn words(sheet: &Sheet) -> Vec<Vec<String>> {
    assert!(sheet.rows.iter().all(|row| row.len() == sheet.columns.len()), "{}", sheet.title);
    sheet.rows.iter().map(|row| row.iter().map(Cell::words).collect()).collect()
}

#[test]
fn a_child_has_one_mark_in_a_report_and_another_in_the_next() {
    let marks = [rows::Marks::of(7), rows::Marks::of(8)];
    let [one, other] = [SubjectKey([1; 32]), SubjectKey([2; 32])];
    let mark = marks[0].child(one);
    assert_eq!(marks[0].child(one), mark);
    assert_ne!(marks[0].child(other), mark);
    assert_ne!(marks[1].child(one), mark);
    assert_ne!(rows::Marks::of_draw(7).child(one), mark);
    assert!(!one.to_hex().contains(&mark));
    // No mark can be read as a number.
    assert!(mark.len() == 12 && mark.chars().all(|letter| letter.is_ascii_lowercase()), "{mark}");
}

#[test]
fn there_are_eleven_and_each_is_found_by_code_and_number() {
    for (number, kind) in (1u8..).zip(ReportKind::ALL) {
        assert_eq!(kind.number(), number);
        assert_eq!(ReportKind::parse(kind.code()), Some(kind));
        assert_eq!(ReportKind::parse(&number.to_string()), Some(kind));
        assert_eq!(name_of(kind), kind.code());
        assert!(kind.question().ends_with('?'), "{}", kind.question());
    }
    assert_eq!(listed().len(), 11);
    for wrong in ["", "0", "12", "Consents"] {
        assert_eq!(ReportKind::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_question_that_contradicts_itself_is_not_asked() {
    let ask = |report| Ask::new(report, Reason::RoutineCheck);
    let subject = Some(SubjectKey([1; 32]));
    let person = Some("0123456789abcdef".to_owned());
    let day = |text: &str| Some(text.parse::<Date>().unwrap());
    let draw = |accesses, again| Draw { accesses, again };
    let wrong = [
        ask(ReportKind::ChildAccess),
        Ask { subject, ..ask(ReportKind::Consents) },
        Ask { subject, organisation: Some(code("334")), ..ask(ReportKind::ChildAccess) },
        ask(ReportKind::PersonActions),
        Ask { person: person.clone(), ..ask(ReportKind::PersonActions) },
        Ask { outside: true, ..ask(ReportKind::Exceptions) },
        Ask { draw: draw(Some(5), None), ..ask(ReportKind::Consents) },
        Ask { draw: draw(Some(0), None), ..ask(ReportKind::Sample) },
        Ask { draw: draw(Some(1_001), None), ..ask(ReportKind::Sample) },
        Ask { from: day("2026-02-02"), until: day("2026-02-01"), ..ask(ReportKind::Consents) },
    ];
    for ask in wrong {
        assert!(ask.contradiction().is_some(), "{ask:?}");
    }
    let right = [
        Ask { subject, ..ask(ReportKind::ChildAccess) },
        Ask { person, organisation: Some(code("334")), ..ask(ReportKind::PersonActions) },
        Ask { outside: true, ..ask(ReportKind::Disclosures) },
        Ask { draw: draw(Some(5), Some(100)), ..ask(ReportKind::Sample) },
        Ask { from: day("2026-02-01"), until: day("2026-02-01"), ..ask(ReportKind::Consents) },
    ];
    for ask in right {
        assert_eq!(ask.contradiction(), None, "{ask:?}");
    }
}

#[test]
fn the_asking_says_what_and_why_and_not_of_whom() {
    let mut ask = Ask::new(ReportKind::PersonActions, Reason::StaffInvestigation);
    ask.person = Some("0123456789abcdef".to_owned());
    ask.organisation = Some(code("334"));
    ask.from = Some("2026-02-01".parse().unwrap());
    let event = ask.event(&Actor::local());
    assert_eq!(event.kind, EventKind::AuditViewed);
    assert_eq!(event.counterparty, None);
    let detail: Vec<String> =
        event.detail.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        detail,
        ["from=2026-02-01", "reason=staff-investigation", "report=person-actions", "what=report"]
    );
}

#[test]
fn a_report_is_one_workbook_or_a_file_for_each_table_and_the_cover() {
    let cover = Cover {
        report: ReportKind::Consents,
        filter: vec!["=a filter".to_owned()],
        from: None,
        until: None,
        asked_by: "334 (0123456789abcdef)".to_owned(),
        reason: "routine-check".to_owned(),
        made_at: Timestamp::UNIX_EPOCH,
        entry: 3,
        log: LogHead { size: 4, root: "AAAA".to_owned(), checkpoint: "note".to_owned() },
        notes: vec!["a note".to_owned()],
        verification: VERIFICATION.to_owned(),
    };
    let sheet = |title: &str| Sheet::new(title, &[("what", Kind::Text)]);
    let report = Report { cover, sheets: vec![sheet("By month"), sheet("Ran out or stale")] };
    let csv = files(&report, Form::Csv).unwrap();
    let names: Vec<&str> = csv.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["", "ran-out-or-stale", "cover"]);
    assert_eq!(hashes(&csv).keys().collect::<Vec<_>>(), ["cover", "file", "ran-out-or-stale"]);
    let cover = String::from_utf8(csv[2].1.clone()).unwrap();
    assert!(cover.contains("\"limited to\",\"'=a filter\""), "{cover}");
    assert!(cover.contains("\"root of the log\",\"AAAA\""), "{cover}");
    let xlsx = files(&report, Form::Xlsx).unwrap();
    assert_eq!(xlsx.len(), 1);
    assert_eq!(hashes(&xlsx)["file"], sha256_hex(&xlsx[0].1));
}
