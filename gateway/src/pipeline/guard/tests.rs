//! The guard against arbitrary people: twins, namesakes, slips of the pen.

use proptest::prelude::*;
use schemas::OrganisationCode;
use schemas::record::Subject;

use super::*;
use crate::vault::pseudonym::Pseudonyms;

/// The valid NHS number of the test range that begins with these nine digits, or the next one.
fn nhs_number(serial: u32) -> String {
    let mut serial = serial % 900_000 + 1;
    loop {
        let nine = format!("999{serial:06}");
        let found = (0..10).map(|last| format!("{nine}{last}"));
        if let Some(number) = found.into_iter().find(|number| NhsNumber::parse(number).is_ok()) {
            return number;
        }
        serial += 1;
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Person {
    number: String,
    family: String,
    born: (i16, i8, i8),
}

fn person() -> impl Strategy<Value = Person> {
    let born = (2001i16..2024, 1i8..=12, 1i8..=28);
    (any::<u32>(), "[A-Z][a-z]{1,8}", born).prop_map(|(serial, family, born)| Person {
        number: nhs_number(serial),
        family,
        born,
    })
}

fn keys(person: &Person) -> Keys {
    let names = Pseudonyms::from_key(&[3; 32]).unwrap();
    let (year, month, day) = person.born;
    let subject: Subject = serde_json::from_value(serde_json::json!({
        "nhs_number": person.number, "family_name": person.family, "given_names": "Test",
        "date_of_birth": format!("{year:04}-{month:02}-{day:02}"),
    }))
    .unwrap();
    let sender = OrganisationCode::parse("334").unwrap();
    Keys {
        subject: Some(names.subject_key(&subject, &sender)),
        demographics: Some(names.demographics(&subject)),
    }
}

/// What the gateway knows of a person after one request about them.
fn known(person: &Person) -> Known {
    let keys = keys(person);
    Known {
        pseudonyms: keys.subject.into_iter().collect(),
        details: keys.demographics.into_iter().collect(),
    }
}

proptest! {
    #[test]
    fn an_answer_about_the_same_person_attaches(one in person()) {
        prop_assert!(known(&one).agrees(&keys(&one)));
    }

    #[test]
    fn an_answer_about_anybody_else_does_not(one in person(), other in person()) {
        let same = one == other;
        prop_assert_eq!(known(&one).agrees(&keys(&other)), same);
    }

    #[test]
    fn twins_with_one_name_and_birthday_are_told_apart(one in person(), serial in any::<u32>()) {
        let twin = Person { number: nhs_number(serial), ..one.clone() };
        prop_assume!(twin.number != one.number);
        prop_assert!(!known(&one).agrees(&keys(&twin)));
    }

    #[test]
    fn one_number_with_other_details_is_stopped(one in person(), other in person()) {
        let misfiled = Person { number: one.number.clone(), ..other };
        prop_assume!((&misfiled.family, misfiled.born) != (&one.family, one.born));
        prop_assert!(!known(&one).agrees(&keys(&misfiled)));
    }

    #[test]
    fn a_slip_in_one_digit_or_letter_attaches_to_nobody(
        one in person(), at in 0usize..10, digit in 0u8..10, letter in proptest::char::range('a', 'z'),
    ) {
        let mut digits = one.number.clone().into_bytes();
        digits[at] = b'0' + digit;
        let slipped = String::from_utf8(digits).unwrap();
        // One wrong digit never passes the check digit: it is refused before the guard.
        prop_assert!(slipped == one.number || NhsNumber::parse(&slipped).is_err());
        let misspelt = Person { family: format!("{}{letter}", one.family), ..one.clone() };
        prop_assert!(!known(&one).agrees(&keys(&misspelt)));
        let (year, month, day) = one.born;
        let misdated = Person { born: (year, month % 12 + 1, day), ..one.clone() };
        prop_assert!(!known(&one).agrees(&keys(&misdated)));
    }

    #[test]
    fn nothing_attaches_without_both_keys(one in person()) {
        let both = keys(&one);
        let known = known(&one);
        let subject_only = Keys { subject: both.subject, demographics: None };
        prop_assert!(!known.agrees(&subject_only));
        let details_only = Keys { subject: None, demographics: both.demographics };
        prop_assert!(!known.agrees(&details_only));
        prop_assert!(!Known::default().agrees(&both), "nobody is known");
    }

    #[test]
    fn a_number_is_found_wherever_it_stands(
        serial in any::<u32>(), before in "[a-z .,:(]{0,9}[ .,:(]", after in "[ .,;)][a-z ]{0,9}",
    ) {
        let number = nhs_number(serial);
        let part = |from: usize, to: usize| number.get(from..to).unwrap();
        let spaced = format!("{} {} {}", part(0, 3), part(3, 6), part(6, 10));
        let dashed = spaced.replace(' ', "-");
        for written in [number.clone(), spaced, dashed] {
            let found = numbers_in(&format!("{before}{written}{after}"));
            prop_assert_eq!(found.len(), 1, "{}{}{}", before, written, after);
            prop_assert_eq!(found[0].expose(), number.as_str());
        }
    }

    #[test]
    fn no_text_makes_it_fail(text in ".{0,200}") {
        numbers_in(&text);
    }
}

#[test]
fn references_and_telephone_numbers_are_not_taken_for_people() {
    for text in [
        "0121 496 0000",
        "+44 121 496 0000",
        "EHC9990000018",
        "9990000018X",
        "99900000180",
        "19990000018",
        "9990000019",
        "999  000  0018",
        "999/000/0018",
        "2026-02-10 and 12 of 34",
    ] {
        assert!(numbers_in(text).is_empty(), "{text}");
    }
    assert_eq!(numbers_in("9990000018, 9990000026").len(), 2);
    assert_eq!(numbers_in("999\u{a0}000\u{a0}0018 2014").len(), 1);
}

fn message(subject: &Value, content: &Value) -> Record {
    let mut message = serde_json::json!({
        "type": "advice.response", "id": "9990000026", "sender": "RYW", "version": 1,
        "leg": "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff", "subject": subject,
        "advice": {
            "author_name": "Sam", "author_profession": "Therapist", "date": "2026-02-01",
        },
    });
    for (name, value) in content.as_object().unwrap() {
        message["advice"][name] = value.clone();
    }
    Record::reopen(message.to_string().as_bytes(), Vec::new()).unwrap()
}

fn subject(number: Option<&str>) -> Value {
    let mut subject = serde_json::json!({
        "la_person_id": "9990000042", "family_name": "Alder", "given_names": "Rowan",
        "date_of_birth": "2015-03-04",
    });
    if let Some(number) = number {
        subject["nhs_number"] = number.into();
    }
    subject
}

#[test]
fn another_number_in_any_text_is_named_by_its_field_and_never_by_its_value() {
    let own = subject(Some("9990000018"));
    for name in ["summary", "author_name", "author_profession"] {
        let content = serde_json::json!({ name: "of 999 000 0026 too" });
        let issues = numbers_of_others(&message(&own, &content), &Place::Whole);
        assert_eq!(issues.len(), 1, "{name}");
        assert_eq!(
            (issues[0].rule.as_str(), issues[0].is_error()),
            ("another-persons-number", true)
        );
        assert_eq!(issues[0].field, format!("advice.{name}"));
        assert!(!issues[0].to_string().contains("0026"));
    }
    let content = serde_json::json!({ "summary": "of 9990000018", "outcomes": ["One", "Two"] });
    assert!(numbers_of_others(&message(&own, &content), &Place::Whole).is_empty());
}

#[test]
fn a_single_number_is_a_warning_where_the_person_has_none() {
    let nobody = subject(None);
    let content = serde_json::json!({ "summary": "9990000018", "outcomes": ["9990000018"] });
    let issues = numbers_of_others(&message(&nobody, &content), &Place::Whole);
    assert!(issues.iter().all(|issue| issue.rule == "nhs-number-in-text" && !issue.is_error()));
    assert_eq!(issues.len(), 2);
    let content = serde_json::json!({ "summary": "9990000018", "outcomes": ["9990000026"] });
    let issues = numbers_of_others(&message(&nobody, &content), &Place::Whole);
    assert!(issues.iter().all(Issue::is_error), "two numbers are two people");
}

#[test]
fn a_match_may_name_two_numbers() {
    let text = serde_json::json!({
        "type": "person.match", "id": "M-1", "sender": "334", "version": 1, "recipient": "RYW",
        "subject": subject(Some("9990000018")),
        "particulars": {
            "effective_on": "2026-02-02", "old_nhs_number": "9990000026",
            "new_nhs_number": "9990000018",
        },
    });
    let record = Record::reopen(text.to_string().as_bytes(), Vec::new()).unwrap();
    assert!(numbers_of_others(&record, &Place::Whole).is_empty());
    assert!(identifying(&record).is_some());
}
