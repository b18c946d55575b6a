use std::collections::BTreeSet;

use super::super::tests::{code, entry, words};
use super::*;
use crate::audit::EventKind;
use crate::config::Pin;
use crate::peer::Role;

fn seen_by(seq: u64, person: &str, (role, certificate): (&str, &str)) -> Entry {
    let mut entry = entry(seq, EventKind::JourneyViewed, "334");
    entry.event.actor.person = Some(person.to_owned());
    entry.event.actor.role = Some(role.to_owned());
    entry.event.actor.certificate = Some(certificate.to_owned());
    entry
}

#[test]
fn keys_and_people_that_may_be_too_many_are_named() {
    let used = Pin::new([1; 32]);
    let unused = Pin::new([2; 32]);
    let mut partner = Partner::new(code("334"), "A council", Role::LaCaseSystem, used);
    partner.pins = BTreeSet::from([used, unused]);
    let gone = "3".repeat(64);
    let entries = [
        seen_by(24 * 100, "b", ("send-officer", &used.to_hex())),
        seen_by(24 * 99, "b", ("send-manager", &used.to_hex())),
        seen_by(2, "a", ("send-officer", &gone)),
    ];
    let now = entries[0].at();
    let seen = [(&partner, Seen::of(&entries))];
    let findings = |sheet: &Sheet, column: usize| -> Vec<String> {
        words(sheet).into_iter().map(|row| row[column].clone()).collect()
    };
    assert_eq!(
        findings(&certificates(&seen, now), 2),
        [
            "pinned and used",
            "pinned and not used: is it needed?",
            "used before, and no longer pinned"
        ]
    );
    let people = people(&seen, now);
    assert_eq!(findings(&people, 1), ["a", "b"], "whoever was not seen for longest comes first");
    assert_eq!(
        findings(&people, 3),
        ["not seen for long: a leaver?", "several roles: is each needed?"]
    );
    assert_eq!(findings(&people, 2), ["send-officer", "send-manager, send-officer"]);
    assert_eq!(findings(&people, 4), ["1", "2"]);
    let organisations = words(&organisations(&seen, now));
    assert_eq!(organisations[0][2..7], ["yes", "la-case-system", "collect", "2", "2"]);
    let silent = [(&partner, Seen::default())];
    assert_eq!(words(&super::organisations(&silent, now))[0][7..], ["", ""]);
}
