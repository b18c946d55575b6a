use jiff::SignedDuration;
use schemas::OrganisationCode;

use super::*;
use crate::authority::Basis;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn note() -> DecisionNote {
    DecisionNote {
        outcome: "release".to_owned(),
        authority: Some("statute".to_owned()),
        reference: None,
        rule: "advice-request".to_owned(),
        rule_version: "1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: std::collections::BTreeMap::new(),
        reason: "It may go.".to_owned(),
    }
}

fn vote(person: &str, seconds: i64) -> Override {
    Override {
        person: person.to_owned(),
        organisation: OrganisationCode::parse("334").unwrap(),
        basis: Basis::Statute,
        at: at(seconds),
    }
}

#[test]
fn after_a_death_only_what_is_still_needed_goes() {
    let died = Some(at(10));
    let goes = |kind| stopped_by_death((kind, died), &[], &note()).is_none();
    let going: Vec<&str> =
        MessageType::ALL.into_iter().filter(|kind| goes(*kind)).map(MessageType::as_str).collect();
    assert_eq!(
        going,
        [
            "consent.grant",
            "consent.refuse",
            "consent.withdraw",
            "consent.stale",
            "consent.restriction",
            "safeguarding.alert_link",
            "ack.transport",
            "ack.business",
            "error",
            "recall",
            "person.match",
            "person.merge",
            "person.death",
            "person.address_safe",
        ]
    );
    let alive = stopped_by_death((MessageType::AdviceRequest, None), &[], &note());
    assert!(alive.is_none(), "nobody died");
}

#[test]
fn two_different_people_who_know_of_the_death_let_it_go() {
    let case = (MessageType::AdviceRequest, Some(at(10)));
    let held = stopped_by_death(case, &[vote("a", 11)], &note()).unwrap();
    assert_eq!((held.outcome.as_str(), held.rule.as_str()), ("hold", PERSON_DIED));
    assert!(stopped_by_death(case, &[vote("a", 11), vote("a", 12)], &note()).is_some());
    assert!(stopped_by_death(case, &[vote("a", 9), vote("b", 12)], &note()).is_some());
    assert!(stopped_by_death(case, &[vote("a", 11), vote("b", 12)], &note()).is_none());
}

#[test]
fn a_death_only_ever_stops() {
    let case = (MessageType::AdviceRequest, Some(at(10)));
    let held = after_death(Ruling::<()>::Hold(note()), case, &[]);
    assert!(matches!(held, Ruling::Hold(note) if note.rule == "advice-request"));
    let refused = after_death(Ruling::<()>::Refused(note()), case, &[]);
    assert!(matches!(refused, Ruling::Refused(_)));
    let granted = after_death(Ruling::Granted((), note()), case, &[]);
    assert!(matches!(granted, Ruling::Hold(note) if note.rule == PERSON_DIED));
}
