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
