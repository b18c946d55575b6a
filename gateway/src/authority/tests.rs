use proptest::prelude::*;
use schemas::catalogue::DataClass;
use schemas::record::ConsentStatus;
use uuid::Uuid;

use super::fixtures::*;
use super::*;

fn facts(question: &Question) -> RecordFacts {
    RecordFacts { record: question.record, kind: question.kind, sender: question.sender.clone() }
}

fn delivery() -> DeliveryId {
    DeliveryId(Uuid::from_u128(9))
}

fn withdrawn() -> ConsentEntry {
    entry(2, ConsentStatus::Withdrawn)
}

#[test]
fn a_record_is_admitted_for_those_who_are_not_refused() {
    let to = |recipient| question(MessageType::AdviceRequest, "334", recipient);
    let questions = [to("RYW"), to("RRK"), to("RQ3")];
    let ledger = [ConsentEntry { exclusions: vec![org("RRK")], ..given() }];
    let evidence = evidence(&ledger, &[]);
    let admitted = admit(&facts(&request()), &questions, &evidence, &book(), now(), today());
    let outcomes: Vec<_> = admitted.per_question.iter().map(|decision| decision.outcome).collect();
    assert_eq!(outcomes, [Outcome::Release, Outcome::Hold, Outcome::Refuse]);
    let admission = admitted.admission.unwrap();
    assert_eq!(admission.recipients, [org("RYW"), org("RRK")].into());
    assert_eq!(admission.record, request().record);
    assert_eq!(admitted.keeping, None);
}

#[test]
fn a_record_that_everybody_is_refused_is_not_admitted() {
    let evidence = evidence(&[given(), withdrawn()], &[]);
    let question = transition();
    let admitted = admit(&facts(&question), &[question], &evidence, &book(), now(), today());
    assert!(admitted.admission.is_none());
    assert_eq!(admitted.per_question[0].rule, "consent-withdrawn");
}

#[test]
fn a_decision_of_the_family_is_kept_although_it_goes_to_nobody() {
    for kind in [MessageType::ConsentGrant, MessageType::ConsentWithdraw] {
        let facts = RecordFacts { kind, ..facts(&request()) };
        let evidence = evidence(&[given(), withdrawn()], &[]);
        let admitted = admit(&facts, &[], &evidence, &book(), now(), today());
        assert_eq!(admitted.admission.unwrap().recipients, [org("334")].into());
        let keeping = admitted.keeping.unwrap();
        assert_eq!(keeping.authority.as_deref(), Some("record-keeping"));
        assert!(keeping.reference.is_some_and(|provision| provision.contains("UK GDPR")));
        let kept = [DataClass::Identity, DataClass::Consent, DataClass::Documents];
        assert_eq!(keeping.classes, kept.into());
        assert!(keeping.reason.contains("UK GDPR"));
    }
}

#[test]
fn a_request_that_names_no_recipient_is_not_admitted() {
    let admitted = admit(&facts(&request()), &[], &Evidence::default(), &book(), now(), today());
    assert!(admitted.admission.is_none());
    assert_eq!(admitted.keeping.unwrap().rule, "recipient-none");
}

#[test]
fn a_question_about_another_record_admits_nothing() {
    for wrong in [
        Question { record: RecordId(Uuid::from_u128(8)), ..request() },
        question(MessageType::AdviceRequest, "330", "RYW"),
        question(MessageType::AdviceNil, "334", "RYW"),
    ] {
        let facts = facts(&request());
        let admitted = admit(&facts, &[wrong], &Evidence::default(), &book(), now(), today());
        assert!(admitted.admission.is_none());
        assert_eq!(admitted.per_question[0].rule, "question-mismatch");
    }
}

#[test]
fn votes_do_not_count_before_there_is_a_delivery() {
    let evidence = evidence(&[given(), withdrawn()], &[vote("p1", now()), vote("p2", now())]);
    let question = request();
    let admitted = admit(&facts(&question), &[question], &evidence, &book(), now(), today());
    assert_eq!(admitted.per_question[0].outcome, Outcome::Hold);
}

#[test]
fn a_release_names_its_delivery_its_recipient_and_its_end() {
    let ruling = release(&request(), delivery(), &Evidence::default(), &book(), now(), today());
    let Ruling::Granted(proof, note) = ruling else { panic!("not granted") };
    assert_eq!(proof.delivery, delivery());
    assert_eq!((proof.record, proof.recipient), (request().record, org("RYW")));
    assert_eq!(proof.expires_at, now() + SignedDuration::from_secs(30));
    assert_eq!(proof.classes.len(), 5);
    assert_eq!(note.outcome, "release");
}

#[test]
fn a_withdrawn_consent_stops_a_queued_delivery() {
    let ledger = [given()];
    for (question, rule) in
        [(transition(), "consent-withdrawn"), (request(), "restriction-meets-statute")]
    {
        let before = evidence(&ledger, &[]);
        let facts = facts(&question);
        let questions = [question.clone()];
        assert!(admit(&facts, &questions, &before, &book(), now(), today()).admission.is_some());
        let after = evidence(&[given(), withdrawn()], &[]);
        match release(&question, delivery(), &after, &book(), now(), today()) {
            Ruling::Granted(..) => panic!("released after a withdrawal"),
            Ruling::Hold(note) | Ruling::Refused(note) => assert_eq!(note.rule, rule),
        }
    }
}

#[test]
fn an_agreement_that_ends_stops_a_queued_delivery() {
    let ended = AGREEMENTS.replace("from = 2024-09-01", "from = 2024-09-01\nuntil = 2026-03-01");
    let book = book_of(&ended, RULES);
    let ruling = release(&request(), delivery(), &Evidence::default(), &book, now(), today());
    assert!(matches!(ruling, Ruling::Refused(note) if note.rule == "agreement-none"));
}

proptest! {
    #[test]
    fn a_proof_exists_exactly_when_the_outcome_is_a_release(
        kind in proptest::sample::select(MessageType::ALL.to_vec()),
        sender in "334|RYW|QHL|RQ3",
        recipient in "334|RYW|QHL|RQ3",
        stopped in any::<bool>(),
    ) {
        let question = question(kind, &sender, &recipient);
        let ledger = if stopped { vec![given(), withdrawn()] } else { vec![given()] };
        let evidence = evidence(&ledger, &[]);
        let decision = decide(&question, &evidence, &book(), now(), today());
        let ruling = release(&question, delivery(), &evidence, &book(), now(), today());
        let agrees = match ruling {
            Ruling::Granted(..) => decision.outcome.is_release(),
            Ruling::Hold(_) => decision.outcome == Outcome::Hold,
            Ruling::Refused(_) => decision.outcome == Outcome::Refuse,
        };
        prop_assert!(agrees);
        let admitted = admit(&facts(&question), &[question], &evidence, &book(), now(), today());
        prop_assert_eq!(admitted.admission.is_some(), decision.outcome != Outcome::Refuse);
    }
}

#[test]
fn a_case_is_kept_from_whom_the_family_or_a_court_stopped_and_from_nobody_else() {
    use schemas::record::Restriction;
    let kept = |ledger: &[ConsentEntry]| is_kept_from(ledger, &org("RYW"), None, today());
    let excluding = |code| ConsentEntry { exclusions: vec![org(code)], ..given() };
    for (ledger, expected) in [
        (vec![], false),
        (vec![given()], false),
        (vec![withdrawn()], true),
        (vec![entry(1, ConsentStatus::Refused)], true),
        (vec![excluding("RYW")], true),
        (vec![excluding("RRK")], false),
        (vec![restricted(1, Restriction::CourtLimits)], true),
        (vec![restricted(1, Restriction::Sealed)], true),
        // These cut an address or a document; they do not hide that there is a case.
        (vec![restricted(1, Restriction::ProtectedAddress)], false),
        (vec![restricted(1, Restriction::ThirdParty)], false),
    ] {
        assert_eq!(kept(&ledger), expected, "{ledger:?}");
    }
    // A parent's withdrawal stops nothing once the young person has agreed for themselves.
    let own = ConsentEntry {
        given_by: Some(schemas::record::DecisionMaker::YoungPerson),
        decided_on: Some(today()),
        ..given()
    };
    let ledger = [withdrawn(), own];
    assert!(!is_kept_from(&ledger, &org("RYW"), Some(today()), today()));
}
