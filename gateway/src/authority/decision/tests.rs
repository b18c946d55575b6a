//! Tests of the decision: the table that information governance reads, what it cannot show, and
//! properties.

mod properties;
mod table;

use jiff::SignedDuration;
use jiff::civil::date;
use schemas::MessageType;
use schemas::record::{ConsentStatus, DecisionMaker};

use super::*;
use crate::authority::ConsentEntry;
use crate::authority::fixtures::*;

fn ask(question: &Question, evidence: &Evidence) -> Decision {
    decide(question, evidence, &book(), now(), today())
}

/// The outcome and the rule, for tables.
fn told(question: &Question, consents: &[ConsentEntry]) -> (Outcome, String) {
    let decision = ask(question, &evidence(consents, &[]));
    (decision.outcome, decision.rule)
}

fn is(outcome: Outcome, rule: &str) -> (Outcome, String) {
    (outcome, rule.to_owned())
}

fn withdrawn() -> ConsentEntry {
    ConsentEntry { recorded_at: ago(2), ..entry(2, ConsentStatus::Withdrawn) }
}

#[test]
fn an_agreement_that_ended_or_has_not_begun_is_none() {
    let ended = AGREEMENTS.replace("from = 2024-09-01", "from = 2024-09-01\nuntil = 2026-03-01");
    let future = AGREEMENTS.replace("from = 2024-09-01", "from = 2026-03-03");
    for (text, word) in [(ended, "ended"), (future, "has not begun")] {
        let decision =
            decide(&request(), &Evidence::default(), &book_of(&text, RULES), now(), today());
        assert_eq!((decision.outcome, decision.rule.as_str()), (Outcome::Refuse, "agreement-none"));
        assert!(decision.reason.contains(word), "{}", decision.reason);
        assert_eq!(decision.agreement, None);
    }
}

#[test]
fn a_message_does_not_pass_in_the_wrong_direction() {
    for (kind, sender, recipient) in [
        (MessageType::AdviceRequest, "RYW", "334"),
        (MessageType::AdviceRequest, "RYW", "RRK"),
        (MessageType::AdviceResponse, "334", "RYW"),
        (MessageType::AdviceResponse, "RYW", "RRK"),
    ] {
        let decision = told(&question(kind, sender, recipient), &[given()]);
        let expected = is(Outcome::Refuse, "direction-not-allowed");
        assert_eq!(decision, expected, "{kind} {sender} {recipient}");
    }
    for (kind, sender, recipient) in
        [(MessageType::AdviceRequest, "334", "RYW"), (MessageType::AdviceResponse, "RYW", "334")]
    {
        let decision = told(&question(kind, sender, recipient), &[given()]);
        assert_eq!(decision.0, Outcome::Release, "{kind}: the other way it passes");
    }
}

#[test]
fn the_law_needs_no_agreement_of_the_family() {
    for consents in [vec![], vec![given()], vec![entry(1, ConsentStatus::NotRecorded)]] {
        let decision = ask(&request(), &evidence(&consents, &[]));
        assert_eq!(decision.outcome, Outcome::Release);
        assert_eq!(decision.rule, "advice-request");
        assert_eq!(decision.authority.as_deref(), Some("statute"));
        let provision = "SEND Regulations 2014, regulation 6(1)";
        assert_eq!(decision.reference.as_deref(), Some(provision));
        assert_eq!(decision.agreement.as_deref(), Some("EX-334-EHC-ADVICE"));
        assert!(decision.reason.contains(provision));
        assert_eq!(decision.classes.len(), 5);
        assert!(decision.cut.is_empty());
    }
}

#[test]
fn a_decision_names_the_entry_that_stands_even_where_the_law_decides() {
    let decision = ask(&request(), &evidence(&[given()], &[]));
    assert_eq!((decision.consent_version, decision.consent), (Some(1), Some(given().record)));
    let none = ask(&request(), &Evidence::default());
    assert_eq!((none.consent_version, none.consent), (None, None));
}

#[test]
fn every_answer_of_a_trust_goes_to_the_council_under_regulation_8() {
    for kind in [
        MessageType::AdviceAccepted,
        MessageType::AdviceRejected,
        MessageType::AdviceRedirected,
        MessageType::AdviceResponse,
        MessageType::AdviceNil,
        MessageType::AdviceException,
        MessageType::AdviceLateForecast,
    ] {
        let decision = ask(&question(kind, "RXT", "334"), &Evidence::default());
        assert_eq!(decision.outcome, Outcome::Release, "{}", kind.as_str());
        assert!(decision.reason.contains("regulation 8(1)"), "{}", kind.as_str());
    }
}

#[test]
fn the_newest_version_counts_whatever_the_order() {
    let again = entry(3, ConsentStatus::Given);
    let ledger = [again, withdrawn(), given()];
    assert_eq!(told(&transition(), &ledger), is(Outcome::Release, "transition-health-plan"));
}

#[test]
fn what_the_ledger_notes_of_a_disagreement_is_said_beside_a_legal_power() {
    let disputed = [entry(1, ConsentStatus::Refused), entry(2, ConsentStatus::Given)];
    let statutory = ask(&request(), &evidence(&disputed, &[]));
    assert_eq!(statutory.outcome, Outcome::Release);
    assert!(statutory.reason.contains("objection"), "{}", statutory.reason);
    let passed = Question { decisions_pass_on: Some(today()), ..request() };
    let stale = ask(&passed, &evidence(&[given()], &[]));
    assert!(stale.reason.contains("should be asked for again"), "{}", stale.reason);
}

#[test]
fn the_switch_of_the_duty_to_share_counts_from_its_day() {
    let ask = |book: &RuleBook, on| decide(&transition(), &evidence(&[], &[]), book, now(), on);
    let (before, after) = (date(2026, 9, 29), date(2026, 9, 30));
    assert_eq!(ask(&book(), after).outcome, Outcome::Refuse);
    assert_eq!(ask(&book_with_16la(), before).outcome, Outcome::Refuse);
    let by_people = ask(&book_with_16la(), after);
    assert_eq!((by_people.outcome, by_people.rule.as_str()), (Outcome::Hold, "detriment-test"));
    let on_record = ask(&book_with_16la_on_record(), after);
    assert_eq!(on_record.outcome, Outcome::Release);
    assert_eq!(on_record.authority.as_deref(), Some("ca2004-16la"));
}

#[test]
fn votes_count_once_the_matter_is_on_record_and_from_different_people() {
    let ledger = [given(), withdrawn()];
    let later = now() + SignedDuration::from_secs(1);
    for (votes, outcome) in [
        (vec![], Outcome::Hold),
        (vec![vote("p1", ago(1))], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote(" p1", now())], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote(" ", ago(1))], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote("p2", now())], Outcome::Release),
        // At the very instant at which the withdrawal was recorded.
        (vec![vote("p1", ago(2)), vote("p2", ago(2))], Outcome::Release),
        // Cast before the withdrawal was on record: they did not weigh it.
        (vec![vote("p1", ago(3)), vote("p2", ago(1))], Outcome::Hold),
        // Dated after now.
        (vec![vote("p1", ago(1)), vote("p2", later)], Outcome::Hold),
        // Two people, two different grounds.
        (vec![vote("p1", ago(1)), claim("p2", Basis::VitalInterests, ago(1))], Outcome::Hold),
    ] {
        let decision = ask(&request(), &evidence(&ledger, &votes));
        assert_eq!(decision.outcome, outcome, "{votes:?}");
        if outcome == Outcome::Release {
            assert_eq!(decision.authority.as_deref(), Some("statute"));
            assert_eq!(decision.rule, "approved-override");
            assert!(decision.reason.contains("restriction-meets-statute"));
        }
    }
}

#[test]
fn the_words_say_how_far_an_approval_has_come() {
    let ledger = [given(), withdrawn()];
    let words = |votes: &[_]| ask(&request(), &evidence(&ledger, votes)).reason;
    assert!(words(&[vote("p1", ago(1))]).contains("a second, different person must"));
    let too_narrow = words(&both_claim(Basis::BestInterests));
    assert!(too_narrow.contains("does not overcome"), "{too_narrow}");
    assert!(!words(&[]).contains("approved"));
}

#[test]
fn a_claim_that_overcomes_is_found_beside_one_that_does_not() {
    let mut votes = both_claim(Basis::BestInterests).to_vec();
    votes.extend([
        claim("p3", Basis::SafeguardingOverride, ago(1)),
        claim("p4", Basis::SafeguardingOverride, ago(1)),
    ]);
    let decision = ask(&request(), &evidence(&[given(), withdrawn()], &votes));
    assert_eq!(decision.authority.as_deref(), Some("safeguarding-override"));
    assert!(decision.reference.is_some_and(|provision| provision.contains("sections 17 and 47")));
}

#[test]
fn no_vote_releases_a_refusal() {
    for basis in [Basis::Statute, Basis::SafeguardingOverride, Basis::CourtOrTribunal] {
        for (question, ledger) in [
            (transition(), vec![given(), withdrawn()]),
            (transition(), vec![]),
            (question(MessageType::AdviceRequest, "334", "RQ3"), vec![]),
        ] {
            let decision = ask(&question, &evidence(&ledger, &both_claim(basis)));
            assert_eq!(decision.outcome, Outcome::Refuse);
        }
    }
}

#[test]
fn votes_lift_a_restriction_but_do_not_make_up_an_agreement() {
    let rules = RULES.replace(
        "confidentiality\", restricted = \"refuse\"",
        "confidentiality\", restricted = \"hold\"",
    );
    let book = book_of(AGREEMENTS, &rules);
    let excluded = ConsentEntry { exclusions: vec![org("334")], ..given() };
    let expired = ConsentEntry { expires_on: Some(date(2026, 1, 6)), ..excluded.clone() };
    let votes = both_claim(Basis::SafeguardingOverride);
    let ask = |entry| decide(&transition(), &evidence(&[entry], &votes), &book, now(), today());
    assert_eq!(ask(excluded).rule, "approved-override");
    assert_eq!(ask(expired).rule, "consent-expired");
}

#[test]
fn votes_on_a_stale_agreement_count_from_the_day_the_young_person_decides() {
    let question = Question { decisions_pass_on: Some(date(2026, 3, 2)), ..transition() };
    let outcome = |at| {
        let votes = ["p1", "p2"].map(|who| claim(who, Basis::BestInterests, at));
        ask(&question, &evidence(&[given()], &votes)).outcome
    };
    assert_eq!(outcome(ago(24)), Outcome::Hold);
    assert_eq!(outcome(ago(1)), Outcome::Release);
}

#[test]
fn the_agreement_between_bodies_limits_what_may_go() {
    let every = "classes = [\"identity\", \"contact\", \"education\", \"health\", \"consent\", \"documents\"]";
    for (classes, outcome, rule) in [
        ("classes = [\"identity\", \"education\"]", Outcome::ReleaseReduced, "advice-request"),
        ("classes = [\"education\"]", Outcome::Refuse, "agreement-classes"),
    ] {
        let book = book_of(&AGREEMENTS.replace(every, classes), RULES);
        let decision = decide(&request(), &Evidence::default(), &book, now(), today());
        assert_eq!((decision.outcome, decision.rule.as_str()), (outcome, rule));
        if outcome == Outcome::ReleaseReduced {
            assert_eq!(decision.cut.get(&DataClass::Contact), Some(&Cut::Agreement));
        }
    }
}

#[test]
fn an_alternative_person_needs_the_assessment_and_the_day() {
    let by = |assessed_on| ConsentEntry {
        given_by: Some(DecisionMaker::AlternativePerson),
        assessed_on,
        ..given()
    };
    let passed = Question { decisions_pass_on: Some(date(2026, 3, 2)), ..transition() };
    let capacity = is(Outcome::Hold, "consent-capacity-not-recorded");
    assert_eq!(told(&passed, &[by(None)]), capacity);
    assert_eq!(told(&passed, &[by(Some(date(2026, 1, 4)))]).0, Outcome::Release);
}

#[test]
fn a_ground_without_a_purpose_of_regulation_17_releases_no_plan_document() {
    let listed = "\"third-party\"]\ndisclosure = \"interests-of-the-child\"";
    let rules = RULES.replacen(listed, "\"third-party\"]", 1);
    assert_ne!(rules, RULES);
    let book = book_of(AGREEMENTS, &rules);
    let ask = |kind| {
        let votes = both_claim(Basis::BestInterests);
        let question = question(kind, "334", "RYW");
        decide(&question, &evidence(&[], &votes), &book, now(), today()).outcome
    };
    assert_eq!(ask(MessageType::PlanFinal), Outcome::Hold);
    assert_eq!(ask(MessageType::CareAct58Request), Outcome::ReleaseReduced);
}

#[test]
fn the_reason_on_a_vote_is_the_ground_it_claims() {
    for (reason, ground) in [
        ("safeguarding", Some(Basis::SafeguardingOverride)),
        ("court-or-tribunal", Some(Basis::CourtOrTribunal)),
        ("best-interests", Some(Basis::BestInterests)),
        ("vital-interests", Some(Basis::VitalInterests)),
        ("statutory-duty-confirmed", Some(Basis::Statute)),
        ("objection-upheld", None),
    ] {
        assert_eq!(Basis::claimed_by(reason), ground, "{reason}");
    }
}

#[test]
fn an_explanation_says_whose_voice_prevails_and_what_is_cut() {
    let words = |question: &Question, ledger: &[ConsentEntry]| {
        let evidence = evidence(ledger, &[]);
        let explained = crate::authority::explain(question, &evidence, &book(), now(), today());
        explained.steps.into_iter().map(|step| step.words).collect::<Vec<_>>().join("\n")
    };
    let own = "the person's own, which prevails";
    let child = ConsentEntry { given_by: Some(DecisionMaker::CompetentChild), ..given() };
    assert!(words(&transition(), &[child]).contains(own));
    assert!(!words(&transition(), &[given()]).contains(own));
    let stands = "Of agreement to share, entry 1 of the ledger stands; it is valid today";
    assert!(words(&transition(), &[given()]).contains(stands));
    let about_plan = "Of agreement to disclose the plan document, nothing stands in the ledger.";
    assert!(
        words(&question(MessageType::PlanFinal, "334", "RYW"), &[given()]).contains(about_plan)
    );
    let to_board = words(&question(MessageType::AdviceRequest, "334", "QHL"), &[]);
    let expected = "What may go: identity, education, consent. What is cut: contact (not-needed), \
                    documents (not-needed).";
    assert!(to_board.contains(expected), "{to_board}");
}

#[test]
fn a_stop_names_the_entry_that_stops_and_the_provision_it_met() {
    let other = RecordId(uuid::Uuid::from_u128(70));
    let excluding = ConsentEntry {
        exclusions: vec![org("RYW")],
        record: other,
        ..entry(2, ConsentStatus::NotRecorded)
    };
    let decision = ask(&request(), &evidence(&[given(), excluding], &[]));
    assert_eq!((decision.consent_version, decision.consent), (Some(2), Some(other)));
    assert_eq!(decision.authority.as_deref(), Some("statute"));
    assert!(decision.reference.is_some_and(|provision| provision.contains("regulation 6(1)")));
}

#[test]
fn a_refusal_names_the_entry_that_refuses_not_the_agreement_that_stands_beside_it() {
    let left_out = |recipient| ConsentEntry {
        exclusions: vec![org(recipient)],
        record: RecordId(uuid::Uuid::from_u128(70)),
        ..entry(2, ConsentStatus::NotRecorded)
    };
    // Where it rests on agreement, and where on implied agreement alone.
    let consent = "  { basis = \"consent\", reference = \"the common law duty of confidentiality\", \
                   restricted = \"refuse\" },\n";
    let implied = "  { basis = \"direct-care-implied\"";
    let alone = RULES.replace(&format!("{consent}{implied}"), implied);
    assert_ne!(alone, RULES);
    let referral = question(MessageType::TransitionReferral, "RYW", "RRK");
    for (question, excluding, rules) in
        [(transition(), left_out("334"), RULES), (referral, left_out("RRK"), &*alone)]
    {
        let evidence = evidence(&[given(), excluding.clone()], &[]);
        let book = book_of(AGREEMENTS, rules);
        let decision = decide(&question, &evidence, &book, now(), today());
        assert_eq!(decision.rule, "recipient-excluded");
        assert_eq!(decision.consent_version, Some(2));
        assert_eq!(decision.consent, Some(excluding.record));
    }
}

#[test]
fn what_goes_back_to_the_organisation_whose_own_record_it_is_names_its_provision() {
    let own = ask(&question(MessageType::AdviceChaser, "334", "334"), &Evidence::default());
    assert_eq!(own.rule, OWN_RECORD);
    assert_eq!(own.reference.as_deref(), Some("UK GDPR, Article 5(2)"));
}

#[test]
fn a_note_says_what_the_decision_says() {
    let decision = ask(&request(), &evidence(&[given(), withdrawn()], &[]));
    let note = DecisionNote::from(decision.clone());
    assert_eq!(note.outcome, "hold");
    assert_eq!(note.rule_version, "authority-1+agreements-example-1");
    assert_eq!(note.consent_version, Some(2));
    assert_eq!(note.consent, Some(withdrawn().record));
    assert_eq!((note.rule, note.reason), (decision.rule, decision.reason));
    let reduced = ask(&question(MessageType::AdviceRequest, "334", "QHL"), &Evidence::default());
    let cut = reduced.note().cut;
    assert_eq!(cut.get("contact").map(String::as_str), Some("not-needed"));
}

#[test]
fn a_note_from_before_the_new_members_is_read_and_written_as_it_was() {
    let old = r#"{"outcome":"release","authority":"statute","rule":"advice-request","rule_version":"authority-1+agreements-1","agreement":"A","reason":"Because."}"#;
    let note: DecisionNote = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&note).unwrap(), old);
}

#[test]
fn an_explanation_is_the_decision_with_its_steps_in_order() {
    let ledger = [given(), withdrawn(), restricted(3, schemas::record::Restriction::Sealed)];
    let votes = [vote("p1", ago(1))];
    for question in [request(), transition(), question(MessageType::AdviceRequest, "334", "334")] {
        let evidence = evidence(&ledger, &votes);
        let explained = crate::authority::explain(&question, &evidence, &book(), now(), today());
        assert_eq!(explained.decision, ask(&question, &evidence));
        assert!(explained.steps.len() >= 2, "{:?}", explained.steps);
        assert_eq!(explained.steps.last().unwrap().stage, Stage::Outcome);
    }
    let explained =
        crate::authority::explain(&request(), &evidence(&ledger, &votes), &book(), now(), today());
    let stages: Vec<_> = explained.steps.iter().map(|step| step.stage).collect();
    let expected = [
        Stage::Rule,
        Stage::Agreement,
        Stage::Direction,
        Stage::DecisionMaker,
        Stage::Consent,
        Stage::Restrictions,
        Stage::Authority,
        Stage::Overrides,
        Stage::Outcome,
    ];
    assert_eq!(stages, expected);
    let words: Vec<_> = explained.steps.iter().map(|step| step.words.as_str()).collect();
    assert!(words.iter().any(|one| one.starts_with("statute: hold (restriction")), "{words:?}");
    assert!(words.iter().any(|one| one.contains("items are sealed (entry 3)")), "{words:?}");
    assert!(words.iter().any(|one| one.contains("One person claims statute")), "{words:?}");
}
