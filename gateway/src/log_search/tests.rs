use schemas::MessageType;
use uuid::Uuid;

use super::*;
use crate::audit::purpose::Purpose;
use crate::audit::{Event, SubjectKey};

fn words(event: Event) -> String {
    words::of(&Entry { seq: 0, at_us: 0, id: Uuid::nil(), event }).0
}

fn event(kind: EventKind) -> Event {
    Event::new(kind, Actor::gateway())
}

#[test]
fn the_log_is_told_of_what_was_asked_by_and_not_what() {
    let filter = LogFilter {
        kinds: vec![EventKind::BoardViewed],
        person: Some("0123456789abcdef".to_owned()),
        subject: Some(SubjectKey([1; 32])),
        reason: Some("complaint".to_owned()),
        until: Some(Timestamp::UNIX_EPOCH),
        ..LogFilter::default()
    };
    assert_eq!(members(&filter), ["child", "person", "kind", "purpose", "until"]);
    assert!(members(&LogFilter::default()).is_empty());
}

#[test]
fn entries_are_told_in_words_with_the_message_they_are_about() {
    assert_eq!(words(event(EventKind::GatewayStarted)), "the gateway started");
    let mut accepted = event(EventKind::RecordAccepted);
    accepted.record = Some(RecordId(Uuid::nil()));
    accepted.message_type = Some(MessageType::AdviceRequest);
    let said = "was accepted: \"Request for advice and information\" (advice.request)";
    assert_eq!(words(accepted), said);
    assert_eq!(words(LogLook::Search.event(Actor::gateway())), "searched the log");
    let mut held = event(EventKind::HoldViewed);
    assert_eq!(words(held.clone()), "looked at what is held");
    held.message_type = Some(MessageType::AdviceRequest);
    assert!(words(held).starts_with("looked at what is held: \"Request for advice"));
    let tile = event(EventKind::AuditViewed).with("tile", "tile/entries/000");
    assert_eq!(words(tile), "read entries of the log");
    let mut fetched = event(EventKind::DeliveryCollected);
    fetched.message_type = Some(MessageType::AdviceRequest);
    assert!(words(fetched).starts_with("fetched \"Request for advice"));
}

#[test]
fn every_kind_is_told_in_words_that_are_not_its_name() {
    let page = include_str!("../../docs/logging.md");
    // A test of the repository holds that the page names every kind.
    let named = page.split('`').skip(1).step_by(2);
    let kinds = named.filter_map(|name| serde_json::from_value::<EventKind>(name.into()).ok());
    let mut told = std::collections::BTreeMap::new();
    for kind in kinds {
        let words = words(event(kind));
        assert!(
            words.len() > 5 && !words.contains('.') && !words.contains('_'),
            "{kind:?}: {words}"
        );
        assert!(!words.ends_with([':', ' ']), "{kind:?}: {words}");
        told.insert(kind, words);
    }
    assert!(told.len() > 70, "{}", told.len());
    let different: std::collections::BTreeSet<&String> = told.values().collect();
    assert_eq!(different.len(), told.len(), "{told:?}");
}

#[test]
fn every_look_at_the_log_is_told_for_what_it_was_and_one_of_another_version_by_its_code() {
    for look in LogLook::ALL {
        assert_eq!(words(look.event(Actor::gateway())), look.in_words());
    }
    let mut child = LogLook::Search.event(Actor::gateway());
    child.subject = Some(SubjectKey([1; 32]));
    assert_eq!(words(child), "searched the log for the child");
    let newer = event(EventKind::AuditViewed).with("what", "of-next-year");
    assert_eq!(words(newer), "looked at something of the log (of-next-year)");
}

#[test]
fn one_kind_of_look_at_several_things_is_told_by_what_it_was_at() {
    let look = |kind, what: &str| words(event(kind).with("what", what));
    assert_eq!(look(EventKind::StandingViewed, "inbox"), "looked at what waits for them");
    assert_eq!(look(EventKind::HoldViewed, "reviews"), "looked at releases in an emergency");
    assert_eq!(look(EventKind::RetentionViewed, "legal-holds"), "looked at legal holds");
    assert_eq!(look(EventKind::HoldViewed, "held"), "looked at what is held");
    assert_eq!(
        words(event(EventKind::BoardViewed).with("clocks", 3)),
        "looked at the statutory clocks of cases"
    );
    let lost = event(EventKind::SinkChanged).with("state", "lost");
    assert_eq!(words(lost), "a second place for the log was lost");
}

#[test]
fn the_purpose_of_a_look_is_told_and_is_what_it_is_found_by() {
    let actor = Actor { purpose: Some(Purpose::Asked(Reason::Complaint)), ..Actor::gateway() };
    let event = Event::new(EventKind::CaseViewed, actor);
    let entry = Entry { seq: 0, at_us: 0, id: Uuid::nil(), event };
    assert_eq!(words::of(&entry).1, "a complaint (complaint)");
    assert_eq!(crate::audit::found_by::FoundBy::of(&entry).reason.as_deref(), Some("complaint"));
}
