use schemas::MessageType;
use uuid::Uuid;

use super::*;
use crate::audit::SubjectKey;

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
    let searched = event(EventKind::AuditViewed).with("what", WHAT);
    assert_eq!(words(searched), "searched the log");
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
