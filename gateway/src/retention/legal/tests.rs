use super::*;

#[test]
fn what_is_not_known_to_be_about_anybody_may_be_about_whoever_a_hold_is_on() {
    let [held, other] = [SubjectKey([1; 32]), SubjectKey([2; 32])];
    let on_one = InForce { placed: 2, lifted: 1, subjects: [held].into(), ..InForce::default() };
    let whose = |subject| Whose { subject, case: None };
    assert_eq!(on_one.keeps(&whose(Some(held))), Some(LEGAL_HOLD));
    assert_eq!(on_one.keeps(&whose(Some(other))), None);
    assert_eq!(on_one.keeps(&whose(None)), Some(LEGAL_HOLD_MAY));
    let on_all = InForce { placed: 1, everything: true, ..InForce::default() };
    assert_eq!(on_all.keeps(&whose(None)), Some(LEGAL_HOLD));
    assert_eq!(InForce::default().keeps(&whose(None)), None);
}

#[test]
fn a_hold_as_people_see_it_tells_eight_digits_of_the_person() {
    let by = HoldActor {
        organisation: OrganisationCode::parse("334").unwrap(),
        person: "p-1".to_owned(),
        who: "w-1".to_owned(),
    };
    let hold = NewLegalHold {
        id: Uuid::nil(),
        scope: HeldScope::Person(SubjectKey([0xab; 32])),
        reason: "tribunal".to_owned(),
        reference: "T/1".to_owned(),
        by,
    };
    let placed_at = Timestamp::UNIX_EPOCH;
    let line = LegalHoldLine::from(StoredLegalHold { hold, placed_at, lifted: None });
    let told = serde_json::to_value(&line).unwrap();
    assert_eq!(told["subject"], "abababab");
    assert!(!told.to_string().contains("ababababab"));
}
