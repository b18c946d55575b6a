use jiff::Timestamp;
use schemas::MessageType;

use super::{Class, Period, SHIPPED, Schedule};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_shipped_schedule_names_every_class_and_its_version_follows_its_text() {
    let schedule = Schedule::shipped().unwrap();
    assert_eq!(schedule.iter().count(), Class::ALL.len());
    assert!(schedule.version().starts_with("retention-1:"), "{}", schedule.version());
    let other = SHIPPED.replace("period = \"30 days\"", "period = \"31 days\"");
    let other = Schedule::parse(&other).unwrap();
    assert_ne!(other.version(), schedule.version());
    for class in Class::ALL {
        let name = serde_json::to_value(class).unwrap();
        assert_eq!(name, class.as_str());
    }
}

#[test]
fn a_period_counts_days_calendar_months_and_years_from_its_start() {
    let schedule = Schedule::shipped().unwrap();
    let delivered = at("2027-01-31T10:00:00Z");
    let due = schedule.due_at(Class::TransitCopy, delivered).unwrap();
    assert_eq!(due, at("2027-03-02T10:00:00Z"));
    let due = schedule.due_at(Class::Undelivered, delivered).unwrap();
    assert_eq!(due, at("2028-01-31T10:00:00Z"));
    let leap = at("2028-02-29T00:00:00Z");
    assert_eq!(schedule.due_at(Class::ConsentEvidence, leap), Some(at("2036-02-29T00:00:00Z")));
    assert_eq!(schedule.due_at(Class::AuditLog, leap), None, "for ever");
    assert_eq!(Period::Months(1).after(delivered), Some(at("2027-02-28T10:00:00Z")));
}

#[test]
fn only_whole_plain_periods_are_read() {
    assert_eq!(Period::parse("30 days"), Some(Period::Days(30)));
    assert_eq!(Period::parse("100 years"), Some(Period::Years(100)));
    for wrong in
        ["", "30", "days", "-1 days", "+3 days", "1.5 years", "101 years", "3 weeks", "30  days"]
    {
        assert_eq!(Period::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_record_is_of_the_class_of_its_type_and_fate() {
    use MessageType::{AdviceRequest, ConsentWithdraw, PersonMerge};
    assert_eq!(Class::of_record(AdviceRequest, true), Class::TransitCopy);
    assert_eq!(Class::of_record(AdviceRequest, false), Class::Undelivered);
    assert_eq!(Class::of_record(ConsentWithdraw, true), Class::ConsentEvidence);
    assert_eq!(Class::of_record(PersonMerge, false), Class::IdentityEvidence);
}

#[test]
fn a_mistake_in_a_schedule_is_refused_with_its_line() {
    let refused = |from: &str, to: &str| {
        assert!(SHIPPED.contains(from), "{from}");
        Schedule::parse(&SHIPPED.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let cases = [
        ("version = \"retention-1\"", "version = \"\"", "version is"),
        ("name = \"undelivered\"", "name = \"transit-copy\"", "counts from delivered"),
        ("start = \"received\"", "start = \"delivered\"", "original counts from received"),
        ("period = \"30 days\"", "period = \"a month\"", "the period of transit-copy"),
        ("period = \"30 days\"", "period = \"0 days\"", "at least a day"),
        ("deleted_by = \"operator\"", "deleted_by = \"gateway\"", "audit-lookup is not deleted"),
        ("name = \"backups\"", "name = \"tapes\"", "unknown variant"),
    ];
    for (from, to, expected) in cases {
        let error = refused(from, to);
        assert!(error.contains(expected) && error.starts_with("line "), "{error}");
    }
    let (before, of_look_up) = SHIPPED.split_once("\"year-ended\"").unwrap();
    let shorter =
        format!("{before}\"year-ended\"{}", of_look_up.replacen("35 years", "34 years", 1));
    let error = Schedule::parse(&shorter).unwrap_err().to_string();
    assert!(
        error.contains("audit-lookup is kept for at least as long as consent-ledger, 35 years"),
        "{error}"
    );
    let error = refused("holds = \"Copies", "unknown = \"Copies");
    assert!(error.contains("unknown field") || error.contains("missing field"), "{error}");
    let without = SHIPPED.rfind("[[class]]").unwrap();
    let error = Schedule::parse(SHIPPED.get(..without).unwrap()).unwrap_err().to_string();
    assert!(error.contains("the class backups is missing"), "{error}");
    let twice = format!("{SHIPPED}\n{}", SHIPPED.get(without..).unwrap());
    let error = Schedule::parse(&twice).unwrap_err().to_string();
    assert!(error.contains("backups is there twice"), "{error}");
}

#[test]
fn a_document_that_a_quarantined_message_may_name_is_kept_as_long_as_that() {
    let with = |unnamed: &str, waits: &str| {
        let mut text = SHIPPED.to_owned();
        for (class, period) in [("document-unnamed", unnamed), ("quarantine-unresolved", waits)] {
            let from = text.find(&format!("name = \"{class}\"")).unwrap();
            let (before, after) = text.split_at(from);
            let after = after.replacen("\"12 months\"", &format!("\"{period}\""), 1);
            text = format!("{before}{after}");
        }
        Schedule::parse(&text)
    };
    let longer = [
        ("12 months", "12 months"),
        ("1 years", "12 months"),
        ("366 days", "12 months"),
        ("12 months", "365 days"),
        ("for-ever", "100 years"),
        ("for-ever", "for-ever"),
        ("31 days", "1 months"),
    ];
    for (unnamed, waits) in longer {
        assert!(with(unnamed, waits).is_ok(), "{unnamed} {waits}");
    }
    let shorter = [
        ("90 days", "12 months"),
        ("365 days", "12 months"),
        ("11 months", "1 years"),
        ("12 months", "366 days"),
        ("30 days", "1 months"),
        ("100 years", "for-ever"),
    ];
    let line = SHIPPED.lines().position(|line| line == "name = \"document-unnamed\"").unwrap() + 1;
    for (unnamed, waits) in shorter {
        let error = with(unnamed, waits).unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.problem.contains("at least as long as quarantine-unresolved"), "{error}");
        assert!(error.problem.contains(waits), "{error}");
    }
}
