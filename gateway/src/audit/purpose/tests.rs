use super::*;
use crate::audit::{Actor, Entry};
use crate::telemetry::name_of;

#[test]
fn the_codes_of_purposes_are_those_that_are_read_and_every_reason_is_one() {
    for code in Purpose::codes() {
        let purpose = Purpose::parse(code).unwrap();
        assert_eq!(name_of(purpose), code);
        let words = purpose.in_words();
        assert!(words.len() > code.len() && !words.contains('-'), "{code} is no words");
    }
    for code in Reason::CODES {
        assert!(Purpose::parse(code).is_some(), "{code}");
    }
    assert_eq!(Purpose::parse("curiosity"), None);
}

#[test]
fn what_an_actor_says_stands_in_the_detail_of_the_event_and_not_in_the_actor() {
    let actor = Actor { purpose: Some(Purpose::DirectWork), ..Actor::gateway() };
    let event = Event::new(EventKind::CaseViewed, actor);
    assert_eq!(event.actor, Actor::gateway());
    assert_eq!(event.detail[NAME], "direct-work");
    assert_eq!(said_in(&event).unwrap(), "work on the child's case (direct-work)");
    let entry = Entry { seq: 0, at_us: 0, id: uuid::Uuid::nil(), event };
    let leaf = entry.to_bytes().unwrap();
    assert_eq!(Entry::parse(&leaf), Ok(entry));
    assert_eq!(String::from_utf8(leaf).unwrap().matches("purpose").count(), 1);
}

#[test]
fn a_reason_counts_as_a_purpose_of_looks_at_the_log_only() {
    let event = |kind| Event::new(kind, Actor::gateway()).with("reason", "tribunal");
    assert_eq!(Purpose::of(&event(EventKind::AuditViewed)), Some(Purpose::Asked(Reason::Tribunal)));
    assert_eq!(Purpose::of(&event(EventKind::HoldDecided)), None);
    let newer = Event::new(EventKind::CaseViewed, Actor::gateway()).with(NAME, "of-next-year");
    assert_eq!(Purpose::of(&newer), None);
    assert_eq!(said_in(&newer).unwrap(), "purpose: of-next-year");
}
