//! What a login is in the log.

use super::*;

fn names() -> Pseudonyms {
    Pseudonyms::from_key(&[7; 32]).expect("a key")
}

#[test]
fn a_login_is_a_pseudonym_that_no_organisations_user_has_and_says_how_it_is_known() {
    let names = names();
    let by_session = Login::new("maryam", KnownBy::Session).actor(&names);
    assert_eq!(by_session.organisation, "gateway");
    assert_eq!(by_session.method, "local-login");
    assert!(by_session.is_at_the_prompt());
    let person = by_session.person.expect("a pseudonym");
    assert_eq!((person.len(), person.contains("maryam")), (16, false));
    let council = schemas::OrganisationCode::parse("334").expect("a code");
    assert_ne!(names.person(&council, "maryam"), person);
    // The form in which two organisations' user ids are compared.
    assert_eq!(names.anywhere("Maryam"), person);
    let by_process = Login::new("maryam", KnownBy::Process).actor(&names);
    assert_eq!((by_process.method.as_str(), by_process.person), ("local-user", Some(person)));
}

#[test]
fn what_is_only_said_stands_beside_and_is_left_out_where_it_says_the_same() {
    let names = names();
    let said = |name: &str| {
        let login = Login::new("root", KnownBy::Process).saying(Some(name.to_owned()));
        login.actor(&names).claimed
    };
    assert_eq!(said("maryam"), Some(names.login("maryam")));
    assert_eq!((said("root"), said(" ")), (None, None));
    assert!(!format!("{:?}", Login::new("maryam", KnownBy::Session)).contains("maryam"));
}
