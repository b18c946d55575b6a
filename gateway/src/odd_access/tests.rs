//! Each rule on its own, without a store: what is odd, and what is not.

mod reading;

use std::collections::BTreeSet;

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use schemas::deadlines::Rules as Deadlines;
use schemas::{MessageType, OrganisationCode};
use uuid::Uuid;

use super::*;
use crate::audit::{Actor, DecisionNote, Entry, Event, EventKind, SubjectKey};
use crate::queue::DeliveryId;

fn rules() -> Rules {
    Rules::parse(Rules::built_in_text()).unwrap()
}

fn london(at: DateTime) -> Timestamp {
    TimeZone::get("Europe/London").unwrap().to_timestamp(at).unwrap()
}

/// A Tuesday at ten.
fn tuesday() -> Timestamp {
    london(date(2026, 12, 1).at(10, 0, 0, 0))
}

fn subject(number: u8) -> SubjectKey {
    SubjectKey([number; 32])
}

fn actor(method: &str, person: Option<&str>) -> Actor {
    let organisation = if method == "local" { "gateway" } else { "334" };
    Actor {
        organisation: organisation.to_owned(),
        method: method.to_owned(),
        certificate: None,
        person: person.map(str::to_owned),
        role: None,
        claimed: None,
        purpose: None,
    }
}

fn entry(at: Timestamp, event: Event) -> Entry {
    Entry { seq: 7, at_us: at.as_microsecond(), id: Uuid::nil(), event }
}

fn look_by(actor: Actor, at: Timestamp, about: u8) -> Observation {
    let mut event = Event::new(EventKind::JourneyViewed, actor);
    event.subject = Some(subject(about));
    observe(&entry(at, event), None).unwrap()
}

fn look(at: Timestamp, about: u8) -> Observation {
    look_by(actor("mutual-tls", Some("p-1")), at, about)
}

fn before(at: Timestamp, about: u8) -> Look {
    Look { at, opened: Some(subject(about)), listed: 0 }
}

fn around<'a>(of_person: &'a [Look], of_organisation: &'a [Look]) -> Around<'a> {
    Around {
        holidays: Deadlines::built_in().bank_holidays(),
        of_person,
        of_organisation,
        restrictions: BTreeSet::new(),
        surname_shared_by: None,
        same_postcode: false,
        way: Way { known_since: tuesday(), last_sent: None, last_back: None, routed: false },
    }
}

fn found(around: &Around<'_>, seen: &Observation) -> Vec<String> {
    let rules = rules();
    judge(&rules, around, seen).into_iter().map(|odd| odd.rule.name.clone()).collect()
}

fn alone(seen: &Observation) -> Vec<String> {
    found(&around(&[], &[]), seen)
}

#[test]
fn a_look_in_working_hours_is_not_odd() {
    assert!(alone(&look(tuesday(), 1)).is_empty());
}

#[test]
fn nights_weekends_and_bank_holidays_are_out_of_hours_by_londons_clocks() {
    let odd = ["out-of-hours"];
    let quiet: [&str; 0] = [];
    for (at, expected) in [
        (date(2026, 12, 1).at(6, 59, 59, 0), &odd[..]),
        (date(2026, 12, 1).at(7, 0, 0, 0), &quiet[..]),
        (date(2026, 12, 1).at(19, 59, 59, 0), &quiet[..]),
        (date(2026, 12, 1).at(20, 0, 0, 0), &odd[..]),
        (date(2026, 12, 5).at(11, 0, 0, 0), &odd[..]),
        (date(2026, 12, 25).at(11, 0, 0, 0), &odd[..]),
        // British summer time: 19:30 in London is 18:30 UTC, and 07:30 is 06:30.
        (date(2027, 7, 1).at(7, 30, 0, 0), &quiet[..]),
        (date(2027, 7, 1).at(20, 30, 0, 0), &odd[..]),
    ] {
        assert_eq!(alone(&look(london(at), 1)), expected, "{at}");
    }
}

#[test]
fn machines_at_night_are_not_odd_and_the_machines_own_prompt_is() {
    let night = london(date(2026, 12, 1).at(2, 0, 0, 0));
    assert!(alone(&look_by(actor("mutual-tls", None), night, 1)).is_empty());
    assert_eq!(alone(&look_by(actor("local", None), night, 1)), ["out-of-hours"]);
    let own = entry(night, {
        let mut event = Event::new(EventKind::DeliveryAttempted, Actor::gateway());
        event.subject = Some(subject(1));
        event
    });
    assert_eq!(observe(&own, None), None, "what the gateway does by itself is nobody's access");
}

#[test]
fn nothing_is_odd_before_the_rules_hold() {
    let early = london(date(2024, 8, 30).at(3, 0, 0, 0));
    assert!(alone(&look(early, 1)).is_empty());
}

#[test]
fn forty_different_people_in_an_hour_are_many_and_the_same_one_forty_times_is_not() {
    let ago = |minutes| tuesday() - SignedDuration::from_mins(minutes);
    let different: Vec<Look> = (1..40).map(|n| before(ago(1), n)).collect();
    let same: Vec<Look> = (1..40).map(|_| before(ago(1), 9)).collect();
    let older: Vec<Look> = (1..40).map(|n| before(ago(60), n)).collect();
    assert_eq!(found(&around(&different, &[]), &look(tuesday(), 99)), ["many-people"]);
    assert!(found(&around(&different, &[]), &look(tuesday(), 5)).is_empty(), "39 different");
    assert!(found(&around(&same, &[]), &look(tuesday(), 99)).is_empty());
    assert!(found(&around(&older, &[]), &look(tuesday(), 99)).is_empty(), "an hour ago is over");
}

#[test]
fn a_long_list_counts_once_however_often_it_is_opened() {
    let list = |rows: u64| {
        let event = Event::new(EventKind::BoardViewed, actor("mutual-tls", Some("p-1")));
        observe(&entry(tuesday(), event.with("people", rows).with("rows", rows)), None).unwrap()
    };
    let again: Vec<Look> =
        (0..9).map(|_| Look { at: tuesday(), opened: None, listed: 300 }).collect();
    assert!(found(&around(&again, &[]), &list(300)).is_empty());
    assert_eq!(alone(&list(400)), ["many-people"]);
    let nothing = Event::new(EventKind::BoardViewed, actor("mutual-tls", Some("p-1")));
    let nothing = nothing.with("people", 0).with("rows", 0);
    assert_eq!(observe(&entry(tuesday(), nothing), None), None);
}

#[test]
fn the_people_on_a_list_count_and_not_its_lines() {
    let by = || actor("mutual-tls", Some("p-1"));
    let listed = |event: Event| {
        observe(&entry(tuesday(), event), None).and_then(|seen| seen.access).map(|it| it.listed)
    };
    let clocks = Event::new(EventKind::BoardViewed, by()).with("clocks", 12).with("people", 9);
    assert_eq!(listed(clocks), Some(9));
    let cases = Event::new(EventKind::TransitionsViewed, by()).with("cases", 3).with("people", 3);
    assert_eq!(listed(cases), Some(3));
    let unknown = Event::new(EventKind::QuarantineViewed, by()).with("rows", 700);
    assert_eq!(listed(unknown), Some(0), "a look, at nobody knows whom");
    for kind in [EventKind::RetentionViewed, EventKind::StandingViewed, EventKind::BoardViewed] {
        assert_eq!(listed(Event::new(kind, by()).with("rows", 700)), None, "{kind:?}");
    }
}

#[test]
fn whose_record_it_was_is_asked_of_the_look_up_and_only_the_alias_is_kept() {
    let leaf = |about| {
        let mut event = Event::new(EventKind::JourneyViewed, actor("mutual-tls", Some("p-1")));
        event.subject = Some(subject(about));
        entry(tuesday(), event)
    };
    let seen = observe(&leaf(1), Some(subject(77))).unwrap();
    assert_eq!(seen.access.as_ref().unwrap().opened, Some(subject(77)));
    let rules = rules();
    let mut known = around(&[], &[]);
    known.same_postcode = true;
    let odd = judge(&rules, &known, &seen);
    assert!(odd[0].likeness.contains(&subject(1).to_hex()), "{odd:?}");
    assert!(!odd[0].likeness.contains(&subject(77).to_hex()), "{odd:?}");
    let forgotten = observe(&leaf(1), None).unwrap();
    assert_eq!(forgotten.access.unwrap().opened, Some(subject(1)), "it still counts");
}

#[test]
fn a_system_that_fetches_thousands_is_odd_by_its_organisation_alone() {
    let looks: Vec<Look> = (0u16..999)
        .map(|n| {
            let mut key = [0u8; 32];
            key[..2].copy_from_slice(&n.to_be_bytes());
            Look { at: tuesday(), opened: Some(SubjectKey(key)), listed: 0 }
        })
        .collect();
    let seen = look_by(actor("mutual-tls", None), tuesday(), 255);
    assert_eq!(found(&around(&[], &looks), &seen), ["many-people-by-a-system"]);
    assert!(found(&around(&[], &looks[1..]), &seen).is_empty());
}

#[test]
fn looking_faster_than_a_person_reads_is_odd() {
    let ago = tuesday() - SignedDuration::from_mins(9);
    let looks: Vec<Look> = (0..119).map(|_| before(ago, 1)).collect();
    assert_eq!(found(&around(&looks, &[]), &look(tuesday(), 1)), ["many-looks"]);
    assert!(found(&around(&looks[1..], &[]), &look(tuesday(), 1)).is_empty());
}

#[test]
fn a_protected_address_their_own_name_and_their_own_postcode() {
    let mut known = around(&[], &[]);
    known.restrictions.insert("protected-address".to_owned());
    assert_eq!(found(&known, &look(tuesday(), 1)), ["protected-address"]);
    let machine = look_by(actor("mutual-tls", None), tuesday(), 1);
    assert!(
        found(&known, &machine).is_empty(),
        "what a system fetches is cut by the rules of release"
    );
    known.restrictions = BTreeSet::from(["third-party".to_owned()]);
    assert!(found(&known, &look(tuesday(), 1)).is_empty());

    let mut known = around(&[], &[]);
    known.surname_shared_by = Some(4);
    assert_eq!(found(&known, &look(tuesday(), 1)), ["own-surname"]);
    known.surname_shared_by = Some(5);
    assert!(found(&known, &look(tuesday(), 1)).is_empty(), "a common name says nothing");
    known.same_postcode = true;
    assert_eq!(found(&known, &look(tuesday(), 1)), ["own-surname", "own-postcode"]);
    known.surname_shared_by = None;
    assert_eq!(found(&known, &look(tuesday(), 1)), ["own-postcode"]);
}

fn shared(actor: Actor, outcome: &str, at: Timestamp) -> Option<Observation> {
    let mut event = Event::new(EventKind::SharingDecided, actor);
    event.counterparty = Some(OrganisationCode::parse("RXX").unwrap());
    event.message_type = Some(MessageType::AdviceRequest);
    event.subject = Some(subject(1));
    event.decision = Some(DecisionNote {
        outcome: outcome.to_owned(),
        authority: None,
        reference: None,
        rule: "r".to_owned(),
        rule_version: "1".to_owned(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: std::collections::BTreeMap::new(),
        reason: "because".to_owned(),
    });
    observe(&entry(at, event), None)
}

#[test]
fn a_recipient_is_unusual_unless_routed_known_or_answered() {
    let days = |n: i64| SignedDuration::from_hours(24 * n);
    let machine = || actor("mutual-tls", None);
    let seen = shared(machine(), "release-reduced", tuesday()).unwrap();
    let mut known = around(&[], &[]);
    known.way.known_since = tuesday() - days(28);
    assert_eq!(found(&known, &seen), ["unusual-recipient"]);
    let usual = |change: &dyn Fn(&mut Way)| {
        let mut known = known.clone();
        change(&mut known.way);
        found(&known, &seen).is_empty()
    };
    assert!(usual(&|way| way.routed = true));
    assert!(usual(&|way| way.known_since = tuesday() - days(27)), "it still learns");
    assert!(usual(&|way| way.last_sent = Some(tuesday() - days(179))));
    assert!(!usual(&|way| way.last_sent = Some(tuesday() - days(180))));
    assert!(usual(&|way| way.last_back = Some(tuesday() - days(1))), "an answer");
    assert_eq!(shared(machine(), "refuse", tuesday()), None, "nothing goes");
}

#[test]
fn overrides_are_odd_and_so_is_a_duty_that_was_confirmed() {
    let vote = |reason: &str| {
        let mut event = Event::new(EventKind::HoldDecided, actor("mutual-tls", Some("p-1")))
            .with("decision", "release")
            .with("reason", reason);
        event.delivery = Some(DeliveryId(Uuid::max()));
        event.subject = Some(subject(1));
        observe(&entry(tuesday(), event), None).unwrap()
    };
    assert_eq!(alone(&vote("safeguarding")), ["override"]);
    assert_eq!(alone(&vote("statutory-duty-confirmed")), ["override-by-duty"]);
    let severity = |name: &str| rules().rule(name).unwrap().severity;
    assert!(severity("override-by-duty") < severity("override"), "it is the commonest of votes");
    let review = Uuid::from_u128(5);
    let mut broken = Event::new(EventKind::HoldBroken, actor("mutual-tls", Some("p-1")))
        .with("reason", "risk-to-life")
        .with("review", review);
    broken.subject = Some(subject(1));
    let seen = observe(&entry(tuesday(), broken), None).unwrap();
    assert_eq!(seen.setting_aside.as_ref().unwrap().review, Some(review));
    assert_eq!(alone(&seen), ["override"]);
}

proptest! {
    /// Many people are many whatever their order, and however often each is looked at again.
    #[test]
    fn bulk_counts_different_people_within_the_time(
        looks in proptest::collection::vec((0u8..60, 0i64..120), 0..120),
        order in any::<u64>(),
    ) {
        let at = tuesday();
        let mut earlier: Vec<Look> = looks
            .iter()
            .map(|(about, minutes)| before(at - SignedDuration::from_mins(*minutes), *about))
            .collect();
        let mut different: BTreeSet<u8> =
            looks.iter().filter(|(_, minutes)| *minutes < 60).map(|(about, _)| *about).collect();
        different.insert(0);
        if !earlier.is_empty() {
            let by = usize::try_from(order % u64::try_from(earlier.len()).unwrap()).unwrap();
            earlier.rotate_left(by);
        }
        let odd = found(&around(&earlier, &[]), &look(at, 0));
        prop_assert_eq!(odd.contains(&"many-people".to_owned()), different.len() >= 40);
    }

    /// Whoever is not told apart from a machine is never judged as a person.
    #[test]
    fn nobody_is_suspected_for_what_a_machine_does(
        hours in 0i64..2000, shared in 1u64..9, postcode in any::<bool>(), n in 0usize..200,
    ) {
        let at = tuesday() + SignedDuration::from_hours(hours);
        let looks: Vec<Look> = (0..n).map(|_| before(at, 1)).collect();
        let mut known = around(&looks, &[]);
        known.restrictions.insert("protected-address".to_owned());
        known.surname_shared_by = Some(shared);
        known.same_postcode = postcode;
        prop_assert!(found(&known, &look_by(actor("mutual-tls", None), at, 1)).is_empty());
    }
}

#[test]
fn a_draw_is_made_again_by_whoever_has_the_seed() {
    let seed = "ab".repeat(32);
    assert_eq!(rank(&seed, 12), rank(&seed, 12));
    assert_ne!(rank(&seed, 12), rank(&seed, 13));
    assert_eq!(rank(&seed, 12), crate::entropy::sha256_hex(format!("{seed} 12").as_bytes()));
}

#[test]
fn every_reason_belongs_to_an_outcome_and_to_one_only() {
    let all = [Outcome::Justified, Outcome::NotJustified, Outcome::Escalate];
    let listed: Vec<&str> = all.into_iter().flat_map(Outcome::reasons).copied().collect();
    assert_eq!(listed, REASONS);
    assert_eq!(BTreeSet::from_iter(&listed).len(), listed.len());
}
