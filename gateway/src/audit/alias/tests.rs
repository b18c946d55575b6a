use super::*;
use crate::audit::{Actor, EventKind};

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_period_is_a_year_by_the_clocks_of_london() {
    assert_eq!(Period::at(instant("2026-12-31T23:59:59.999999Z")).year(), 2026);
    assert_eq!(Period::at(instant("2027-01-01T00:00:00Z")).year(), 2027);
    assert_eq!(Period::of_year(2026).ends(), instant("2027-01-01T00:00:00Z"));
    assert!(Period::BEFORE < Period::of_year(1970));
}

#[test]
fn an_alias_is_of_its_opening_and_its_pseudonym() {
    let (subject, opening) = (SubjectKey([1; 32]), [2; 32]);
    let alias = of(&opening, subject);
    // Computed apart: hashlib.sha256(b"ehc-alias-1\n" + b"\x02" * 32 + b"\x01" * 32).hexdigest()
    assert_eq!(alias.to_hex(), "f4b0adc4238a56a4a153f431aa81c2363626d67d89bdd4c51dbb350d67a7a767");
    assert_ne!(of(&[3; 32], subject), alias);
    assert_ne!(of(&opening, SubjectKey([4; 32])), alias);
}

#[test]
fn everybody_whom_an_event_names_is_renamed_and_nothing_else() {
    let (one, other) = (SubjectKey([1; 32]), SubjectKey([2; 32]));
    let mut event = Event::new(EventKind::IdentityRecorded, Actor::gateway())
        .with(KNOWN_AS, other.to_hex())
        .with("what", "merge");
    event.subject = Some(one);
    let flip = |key: SubjectKey| Ok::<_, ()>(SubjectKey(key.0.map(|byte| byte ^ 0xff)));
    let renamed_once = renamed(&event, flip).unwrap();
    assert_eq!(renamed_once.subject, Some(SubjectKey([0xfe; 32])));
    assert_eq!(renamed_once.detail[KNOWN_AS], SubjectKey([0xfd; 32]).to_hex());
    assert_eq!(renamed_once.detail["what"], "merge");
    assert_eq!(renamed(&renamed_once, flip).unwrap(), event);
    assert_eq!(renamed(&event, |_| Err(())), Err(()));
}
