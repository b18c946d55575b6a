use proptest::prelude::*;

use super::*;

#[test]
fn the_documented_nhs_numbers_are_valid() {
    for number in [
        "9434765919",
        "9876543210",
        "9876544322",
        "9990000018",
        "9990000026",
        "9990000034",
        "9990000042",
    ] {
        assert_eq!(NhsNumber::parse(number).map(|n| n.expose().to_owned()), Ok(number.to_owned()));
    }
}

#[test]
fn the_documented_bad_nhs_numbers_fail_their_check_digit() {
    for number in ["9991234560", "9876544321"] {
        assert_eq!(NhsNumber::parse(number), Err(IdentifierError::CheckDigit));
    }
}

#[test]
fn separators_between_the_digits_of_an_nhs_number_are_accepted() {
    for text in [
        "999 000 0018",
        " 9990000018 ",
        "999-000-0018",
        "999\u{a0}000\u{a0}0018",
        "999\u{2011}000\u{2011}0018",
    ] {
        assert_eq!(NhsNumber::parse(text).map(|n| n.expose().to_owned()), Ok("9990000018".into()));
    }
}

#[test]
fn nhs_numbers_of_another_shape_are_refused_by_rule() {
    let cases = [
        ("", IdentifierError::Length),
        ("999000001", IdentifierError::Length),
        ("99900000188", IdentifierError::Length),
        ("999000001O", IdentifierError::Characters),
        ("999/000/0018", IdentifierError::Characters),
        ("٩٩٩٠٠٠٠٠١٨", IdentifierError::Characters),
        ("0000000000", IdentifierError::Filler),
        ("9999999999", IdentifierError::Filler),
        ("111 111 1111", IdentifierError::Filler),
    ];
    for (text, error) in cases {
        assert_eq!(NhsNumber::parse(text), Err(error), "{text}");
    }
}

#[test]
fn the_range_reserved_for_tests_is_known() {
    assert!(NhsNumber::parse("9990000018").is_ok_and(|n| n.is_reserved_for_tests()));
    assert!(NhsNumber::parse("9434765919").is_ok_and(|n| !n.is_reserved_for_tests()));
}

#[test]
fn the_documented_upns_have_their_check_letters() {
    for text in ["H801200001001", "R201100018042", "B334210024017", "C33421002401A"] {
        let upn = Upn::parse(text).expect("the shape of a UPN");
        assert!(upn.check_letter_agrees(), "{text}");
    }
}

#[test]
fn only_one_letter_agrees_with_the_rest_of_a_upn() {
    let agreeing: Vec<char> = UPN_LETTERS
        .chars()
        .filter(|letter| {
            let upn = Upn::parse(&format!("{letter}201100018042")).expect("the shape of a UPN");
            upn.check_letter_agrees()
        })
        .collect();
    assert_eq!(agreeing, ['R']);
}

#[test]
fn upns_are_trimmed_and_made_capitals() {
    let upn = Upn::parse("  h801200001001 ").expect("padded, as extracts have it");
    assert_eq!(upn.expose(), "H801200001001");
}

#[test]
fn upns_of_another_shape_are_refused() {
    let cases = [
        ("H80120000100", IdentifierError::Length),
        ("H8012000010011", IdentifierError::Length),
        ("I801200001001", IdentifierError::Characters),
        ("O801200001001", IdentifierError::Characters),
        ("S801200001001", IdentifierError::Characters),
        ("HH01200001001", IdentifierError::Characters),
        ("H80120000100S", IdentifierError::Characters),
    ];
    for (text, error) in cases {
        assert_eq!(Upn::parse(text), Err(error), "{text}");
    }
}

#[test]
fn the_documented_ulns_are_valid() {
    for text in ["1000102504", "0000000042"] {
        assert_eq!(Uln::parse(text).map(|uln| uln.expose().to_owned()), Ok(text.to_owned()));
    }
}

#[test]
fn bad_ulns_are_refused_by_rule() {
    let cases = [
        ("1000102505", IdentifierError::CheckDigit),
        // 3 x 3 + 1 x 2 leaves no remainder by 11: never issued.
        ("0000000310", IdentifierError::CheckDigit),
        ("9999999999", IdentifierError::Filler),
        ("100010250", IdentifierError::Length),
        ("100010250X", IdentifierError::Characters),
    ];
    for (text, error) in cases {
        assert_eq!(Uln::parse(text), Err(error), "{text}");
    }
}

#[test]
fn urns_are_six_digits() {
    assert_eq!(Urn::parse(" 104113 ").map(|urn| urn.to_string()), Ok("104113".to_owned()));
    assert_eq!(Urn::parse("10411"), Err(IdentifierError::Length));
    assert_eq!(Urn::parse("10411A"), Err(IdentifierError::Characters));
    assert_eq!(Urn::parse("999999"), Err(IdentifierError::Filler));
    assert_eq!(Urn::parse("012345"), Err(IdentifierError::Filler));
}

#[test]
fn postcodes_are_read_with_or_without_their_space() {
    let cases = [
        ("B91 3QB", "B91 3QB"),
        ("b913qb", "B91 3QB"),
        (" B 9 1 3 Q B ", "B91 3QB"),
        ("M1 1AE", "M1 1AE"),
        ("CR2 6XH", "CR2 6XH"),
        ("DN55 1PT", "DN55 1PT"),
        ("W1A 1HQ", "W1A 1HQ"),
        ("EC1A1BB", "EC1A 1BB"),
        ("B37\u{a0}7YE", "B37 7YE"),
        ("GIR 0AA", "GIR 0AA"),
    ];
    for (text, canonical) in cases {
        assert_eq!(Postcode::parse(text).map(|p| p.expose().to_owned()), Ok(canonical.to_owned()));
    }
}

#[test]
fn fillers_in_the_place_of_a_postcode_are_known_as_such() {
    for text in [
        "X",
        "XX",
        "XXX XXX",
        "xxxx xxx",
        "XXXXXXXX",
        "nope",
        "NOPE",
        "nopostcode",
        "No Postcode",
        "NULL",
        "#N/A",
        "n/a",
        "-1",
        "unknown",
        "ZZ99 3WZ",
        "ZZ99 3VZ",
    ] {
        assert_eq!(Postcode::parse(text), Err(IdentifierError::Filler), "{text}");
    }
}

#[test]
fn texts_that_are_no_postcode_are_refused() {
    let cases = [
        ("", IdentifierError::Length),
        ("B91", IdentifierError::Length),
        ("B91 3QBB", IdentifierError::Characters),
        ("B91 33QB", IdentifierError::Characters),
        ("Q91 3QB", IdentifierError::Characters),
        ("BI1 3QB", IdentifierError::Characters),
        ("B91 3CB", IdentifierError::Characters),
        ("B9É 3QB", IdentifierError::Characters),
    ];
    for (text, error) in cases {
        assert_eq!(Postcode::parse(text), Err(error), "{text}");
    }
}

#[test]
fn organisations_and_services_are_plain_codes_in_capitals() {
    assert_eq!(OrganisationCode::parse(" rrk ").map(|c| c.to_string()), Ok("RRK".to_owned()));
    assert_eq!(OrganisationCode::parse("334").map(|c| c.to_string()), Ok("334".to_owned()));
    assert_eq!(OrganisationCode::parse("RR"), Err(IdentifierError::Length));
    assert_eq!(OrganisationCode::parse("RRK0123"), Err(IdentifierError::Length));
    assert_eq!(OrganisationCode::parse("R R K"), Err(IdentifierError::Characters));
    assert_eq!(ServiceCode::parse("salt").map(|c| c.to_string()), Ok("SALT".to_owned()));
    assert_eq!(ServiceCode::parse("NEURO-DEV").map(|c| c.to_string()), Ok("NEURO-DEV".to_owned()));
    assert_eq!(ServiceCode::parse("S_LT"), Err(IdentifierError::Characters));
}

#[test]
fn references_are_short_and_plain() {
    assert!(MessageId::parse("LA/2026:0001.a_b-c").is_ok());
    assert_eq!(MessageId::parse(""), Err(IdentifierError::Length));
    assert_eq!(MessageId::parse(&"a".repeat(65)), Err(IdentifierError::Length));
    assert_eq!(CaseReference::parse("two words"), Err(IdentifierError::Characters));
    assert_eq!(CaseReference::parse("a\nb"), Err(IdentifierError::Characters));
    assert_eq!(LegId::parse("not-a-leg"), Err(IdentifierError::Characters));
    assert!(LegId::parse(" 6f9619ff-8b86-4d01-b42d-00cf4fc964ff ").is_ok());
}

#[test]
fn identifiers_of_people_and_their_cases_hide_in_debug() {
    let shown = [
        format!("{:?}", NhsNumber::parse("9990000018")),
        format!("{:?}", Upn::parse("H801200001001")),
        format!("{:?}", Uln::parse("1000102504")),
        format!("{:?}", Postcode::parse("B91 3QB")),
        format!("{:?}", MessageId::parse("MSG-77123")),
        format!("{:?}", CaseReference::parse("CASE-77123")),
    ];
    for text in shown {
        assert!(text.contains("hidden"), "{text}");
        let leaks = ["999000", "80120", "10001", "B91", "77123"];
        assert!(leaks.iter().all(|leak| !text.contains(leak)), "{text}");
    }
}

#[test]
fn sealed_bytes_with_a_bad_code_are_not_read_again() {
    assert!(serde_json::from_str::<OrganisationCode>("\"R R K\"").is_err());
    assert!(serde_json::from_str::<ServiceCode>("\"\"").is_err());
    assert!(serde_json::from_str::<Urn>("\"12\"").is_err());
}

/// A number of the range for tests, with its check digit; none when the check would be 10.
fn nhs_number_for_tests(serial: u32) -> Option<String> {
    let nine = format!("999{serial:06}");
    (0..10).map(|check| format!("{nine}{check}")).find(|text| NhsNumber::parse(text).is_ok())
}

proptest! {
    #[test]
    fn any_single_digit_changed_in_an_nhs_number_is_noticed(
        serial in 0u32..1_000_000, position in 0usize..10, by in 1u32..10,
    ) {
        let Some(number) = nhs_number_for_tests(serial) else { return Ok(()) };
        let changed: String = number
            .chars()
            .enumerate()
            .map(|(index, c)| {
                let digit = c.to_digit(10).expect("a digit");
                let digit = if index == position { (digit + by) % 10 } else { digit };
                char::from_digit(digit, 10).expect("a digit")
            })
            .collect();
        prop_assert!(NhsNumber::parse(&changed).is_err());
    }

    #[test]
    fn two_neighbouring_digits_exchanged_in_an_nhs_number_are_noticed(
        serial in 0u32..1_000_000, position in 0usize..9,
    ) {
        let Some(number) = nhs_number_for_tests(serial) else { return Ok(()) };
        let mut digits: Vec<char> = number.chars().collect();
        digits.swap(position, position + 1);
        let changed: String = digits.into_iter().collect();
        prop_assert!(changed == number || NhsNumber::parse(&changed).is_err());
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let _ = NhsNumber::parse(&text);
        let _ = Upn::parse(&text).map(|upn| upn.check_letter_agrees());
        let _ = Uln::parse(&text);
        let _ = Urn::parse(&text);
        let _ = Postcode::parse(&text);
        let _ = OrganisationCode::parse(&text);
        let _ = ServiceCode::parse(&text);
        let _ = MessageId::parse(&text);
        let _ = CaseReference::parse(&text);
        let _ = LegId::parse(&text);
    }

    #[test]
    fn a_postcode_that_was_read_reads_the_same_again(text in "[A-Za-z]{1,2}[0-9][A-Za-z0-9]? ?[0-9][A-Za-z]{2}") {
        if let Ok(once) = Postcode::parse(&text) {
            prop_assert_eq!(Postcode::parse(once.expose()), Ok(once.clone()));
        }
    }
}
