use super::*;

fn subject(family: &str, number: Option<&str>) -> Subject {
    let mut json = serde_json::json!({
        "family_name": family, "given_names": "Test", "date_of_birth": "2016-02-29",
        "la_person_id": "P-1",
    });
    if let Some(number) = number {
        json["nhs_number"] = number.into();
    }
    serde_json::from_value(json).unwrap()
}

#[test]
fn one_person_has_one_pseudonym_here_and_another_elsewhere() {
    let (here, there) = (Pseudonyms::from_key(&[1; 32]), Pseudonyms::from_key(&[2; 32]));
    let (here, there) = (here.unwrap(), there.unwrap());
    let (a, b) = (OrganisationCode::parse("334").unwrap(), OrganisationCode::parse("335").unwrap());
    let known = subject("Synthetic", Some("9990000018"));
    assert_eq!(here.subject_key(&known, &a), here.subject_key(&known, &b));
    assert_ne!(here.subject_key(&known, &a), there.subject_key(&known, &a));
    let local = subject("Synthetic", None);
    assert_ne!(here.subject_key(&local, &a), here.subject_key(&local, &b));
    assert_ne!(here.person(&a, "u1"), here.person(&b, "u1"));
    assert_eq!(here.person(&a, "u1").len(), 16);
}

#[test]
fn case_spaces_hyphens_and_apostrophes_do_not_make_another_name() {
    let pseudonyms = Pseudonyms::from_key(&[1; 32]).unwrap();
    let of = |name| pseudonyms.demographics(&subject(name, None));
    for name in ["O'Test-Smith", "o\u{2019}test smith", "OTESTSMITH"] {
        assert_eq!(of(name), of("O'Test Smith"));
    }
    assert_ne!(of("Otest Smyth"), of("Otest Smith"));
}

#[test]
fn a_family_name_of_several_parts_has_a_mark_in_common_with_each_and_none_with_a_postcode() {
    let names = Pseudonyms::from_key(&[1; 32]).unwrap();
    let common =
        |one: &str, other: &str| !names.surname_marks(one).is_disjoint(&names.surname_marks(other));
    assert!(common("Test-Smith", "SMITH"));
    assert!(common("O'Test Smith", "otest"));
    assert!(!common("Smith", "Smithson"));
    assert!(!common("de Vexor", "de Plumb"), "`de` is no name of its own");
    assert!(common("Vu", "VU"), "a short name is one");
    assert!(names.surname_marks(" - ").is_empty());
    assert_eq!(names.postcode_mark("ze1 1zz"), names.postcode_mark("ZE11ZZ"));
    assert_ne!(names.postcode_mark("ZE1 1ZZ"), names.postcode_mark("ZE1 2ZZ"));
    for none in ["", "ZE1", "ZZ99 3VZ", "not a postcode at all"] {
        assert_eq!(names.postcode_mark(none), None, "{none}");
    }
    let elsewhere = Pseudonyms::from_key(&[2; 32]).unwrap();
    assert_ne!(names.postcode_mark("ZE1 1ZZ"), elsewhere.postcode_mark("ZE1 1ZZ"));
}
