use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;
use schemas::MessageType;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker};

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

// Step 1: an agreement in force.

#[test]
fn a_recipient_outside_every_agreement_gets_nothing() {
    let stranger = question(MessageType::AdviceRequest, "334", "RQ3");
    assert_eq!(told(&stranger, &[given()]), is(Outcome::Refuse, "agreement-none"));
    let self_sent = question(MessageType::AdviceRequest, "334", "334");
    assert_eq!(told(&self_sent, &[]), is(Outcome::Refuse, "agreement-none"));
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
fn an_agreement_for_another_message_does_not_cover_this_one() {
    let advice_to_board = question(MessageType::AdviceResponse, "RYW", "QHL");
    assert_eq!(told(&advice_to_board, &[]), is(Outcome::Refuse, "agreement-none"));
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
        assert_eq!(decision, is(Outcome::Refuse, "direction-not-allowed"), "{sender} {recipient}");
    }
}

// Steps 2 and 3: who decides today, and what can be relied on.

#[test]
fn the_law_needs_no_agreement_of_the_family() {
    for consents in [vec![], vec![given()], vec![entry(1, ConsentStatus::NotRecorded)]] {
        let decision = ask(&request(), &evidence(&consents, &[]));
        assert_eq!(decision.outcome, Outcome::Release);
        assert_eq!(decision.rule, "advice-request");
        assert_eq!(decision.authority.as_deref(), Some("statute"));
        assert_eq!(decision.agreement.as_deref(), Some("EX-334-EHC-ADVICE"));
        assert!(decision.reason.contains("regulation 6(1)"));
        assert_eq!(decision.classes.len(), 6);
    }
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
    ] {
        let decision = ask(&question(kind, "RXT", "334"), &Evidence::default());
        assert_eq!(decision.outcome, Outcome::Release, "{}", kind.as_str());
        assert!(decision.reason.contains("regulation 8(1)"), "{}", kind.as_str());
    }
}

#[test]
fn what_rests_on_consent_goes_only_while_consent_holds() {
    let purposes = |text: &str| ConsentEntry { purposes: vec![text.to_owned()], ..given() };
    let expires = |on| ConsentEntry { expires_on: Some(on), ..given() };
    let go = || is(Outcome::Release, "transition-health-plan");
    for (consents, expected) in [
        (vec![given()], go()),
        (vec![], is(Outcome::Refuse, "consent-missing")),
        (vec![entry(1, ConsentStatus::NotRecorded)], is(Outcome::Refuse, "consent-missing")),
        (vec![entry(1, ConsentStatus::Refused)], is(Outcome::Refuse, "consent-refused")),
        (vec![given(), withdrawn()], is(Outcome::Refuse, "consent-withdrawn")),
        (vec![expires(date(2026, 3, 1))], is(Outcome::Refuse, "consent-expired")),
        (vec![expires(date(2026, 3, 2))], go()),
        (vec![purposes("ehc-needs-assessment")], is(Outcome::Refuse, "consent-purpose")),
        (vec![purposes(" Transition-To-Adulthood")], go()),
        (
            vec![ConsentEntry { decided_on: Some(date(2026, 3, 3)), ..given() }],
            is(Outcome::Refuse, "consent-not-begun"),
        ),
        (
            vec![ConsentEntry { kind: ConsentKind::Plan, ..given() }],
            is(Outcome::Refuse, "consent-missing"),
        ),
    ] {
        assert_eq!(told(&transition(), &consents), expected, "{consents:?}");
    }
}

#[test]
fn a_blank_in_a_later_extract_does_not_undo_a_withdrawal() {
    let ledger = [given(), withdrawn(), entry(3, ConsentStatus::NotRecorded)];
    assert_eq!(told(&transition(), &ledger), is(Outcome::Refuse, "consent-withdrawn"));
    assert_eq!(told(&request(), &ledger), is(Outcome::Hold, "restriction-meets-statute"));
}

#[test]
fn the_newest_version_counts_whatever_the_order() {
    let again = entry(3, ConsentStatus::Given);
    let ledger = [again, withdrawn(), given()];
    assert_eq!(told(&transition(), &ledger), is(Outcome::Release, "transition-health-plan"));
}

#[test]
fn a_parents_agreement_is_asked_for_again_when_the_young_person_decides() {
    let passed = |question| Question { decisions_pass_on: Some(date(2026, 3, 2)), ..question };
    let by = |who| [ConsentEntry { given_by: who, ..given() }];
    let stale = is(Outcome::Hold, "consent-stale-decision-maker");
    let fresh = is(Outcome::Release, "transition-health-plan");
    for (who, expected) in [
        (Some(DecisionMaker::Parent), &stale),
        (Some(DecisionMaker::LocalAuthority), &stale),
        (None, &stale),
        (Some(DecisionMaker::YoungPerson), &fresh),
        (Some(DecisionMaker::AlternativePerson), &fresh),
    ] {
        assert_eq!(&told(&passed(transition()), &by(who)), expected, "{who:?}");
    }
    let tomorrow = Question { decisions_pass_on: Some(date(2026, 3, 3)), ..transition() };
    assert_eq!(told(&tomorrow, &[given()]), fresh);
    let statutory = ask(&passed(request()), &evidence(&[given()], &[]));
    assert_eq!(statutory.outcome, Outcome::Release);
    assert!(statutory.reason.contains("should be asked for again"), "{}", statutory.reason);
}

#[test]
fn an_objection_by_one_parent_sends_the_other_parents_agreement_to_a_person() {
    let ledger = [entry(1, ConsentStatus::Refused), entry(2, ConsentStatus::Given)];
    assert_eq!(told(&transition(), &ledger), is(Outcome::Hold, "consent-disputed"));
    let statutory = ask(&request(), &evidence(&ledger, &[]));
    assert_eq!(statutory.outcome, Outcome::Release);
    assert!(statutory.reason.contains("objection"), "{}", statutory.reason);
    // The young person's own decision settles it; so does none having refused.
    let [refused, mut own] = ledger;
    own.given_by = Some(DecisionMaker::YoungPerson);
    assert_eq!(told(&transition(), &[refused, own]).0, Outcome::Release);
    let changed_mind = [given(), withdrawn(), entry(3, ConsentStatus::Given)];
    assert_eq!(told(&transition(), &changed_mind).0, Outcome::Release);
}

#[test]
fn the_duty_to_share_stands_in_for_missing_consent_only_once_switched_on_and_begun() {
    let ask = |book: &RuleBook, consents: &[ConsentEntry], on| {
        let decision = decide(&transition(), &evidence(consents, &[]), book, now(), on);
        (decision.outcome, decision.authority.unwrap_or_default())
    };
    let before = date(2026, 9, 29);
    let after = date(2026, 9, 30);
    let duty = "ca2004-16la".to_owned();
    assert_eq!(ask(&book(), &[], after).0, Outcome::Refuse);
    assert_eq!(ask(&book_with_16la(), &[], before).0, Outcome::Refuse);
    assert_eq!(ask(&book_with_16la(), &[], after), (Outcome::Release, duty.clone()));
    assert_eq!(ask(&book_with_16la(), &[given()], after).1, "consent");
    assert_eq!(ask(&book_with_16la(), &[given(), withdrawn()], after), (Outcome::Hold, duty));
}

// Step 4: restrictions.

#[test]
fn a_restriction_that_meets_the_law_goes_to_a_person() {
    let excluded = ConsentEntry { exclusions: vec![org("RYW")], ..given() };
    for ledger in
        [vec![given(), withdrawn()], vec![entry(1, ConsentStatus::Refused)], vec![excluded]]
    {
        let decision = ask(&request(), &evidence(&ledger, &[]));
        assert_eq!(decision.outcome, Outcome::Hold);
        assert_eq!(decision.rule, "restriction-meets-statute");
        assert_eq!(decision.authority.as_deref(), Some("statute"));
        assert_eq!(decision.consent_version, ledger.last().map(|entry| entry.version));
        assert!(decision.classes.is_empty());
    }
}

#[test]
fn an_exclusion_stops_the_recipient_it_names_and_no_other() {
    let ledger = [ConsentEntry { exclusions: vec![org("RYW")], ..given() }];
    let other = question(MessageType::AdviceRequest, "334", "RRK");
    assert_eq!(told(&other, &ledger), is(Outcome::Release, "advice-request"));
    let to_excluded = question(MessageType::TransitionHealthPlan, "334", "RYW");
    assert_eq!(told(&to_excluded, &ledger), is(Outcome::Refuse, "recipient-excluded"));
}

#[test]
fn an_exclusion_recorded_without_a_decision_still_counts() {
    let later =
        ConsentEntry { exclusions: vec![org("334")], ..entry(2, ConsentStatus::NotRecorded) };
    let ledger = [given(), later];
    assert_eq!(told(&transition(), &ledger), is(Outcome::Refuse, "recipient-excluded"));
}

#[test]
fn a_notice_of_withdrawal_reaches_those_who_relied_on_agreement() {
    let notice = question(MessageType::ConsentWithdraw, "334", "RYW");
    let decision = ask(&notice, &evidence(&[given(), withdrawn()], &[]));
    assert_eq!(decision.outcome, Outcome::ReleaseReduced);
    assert_eq!(decision.authority.as_deref(), Some("record-keeping"));
    assert!(!decision.classes.contains(&DataClass::Documents));
}

#[test]
fn the_plan_document_needs_agreement_about_the_plan_itself() {
    let ask = |to: &str, consents: &[ConsentEntry]| {
        let question = question(MessageType::TransitionHealthPlan, "334", to);
        let evidence = evidence(consents, &[]);
        decide(&question, &evidence, &book_with_plan_rule(), now(), today())
    };
    let about_plan = ConsentEntry { kind: ConsentKind::Plan, ..given() };
    assert_eq!(ask("RYW", &[given()]).rule, "consent-missing");
    assert_eq!(ask("RYW", std::slice::from_ref(&about_plan)).outcome, Outcome::ReleaseReduced);
    assert_eq!(ask("RYW", &[about_plan, withdrawn()]).rule, "consent-withdrawn");
    let to_board = ask("QHL", &[]);
    assert_eq!(
        (to_board.outcome, to_board.authority.as_deref()),
        (Outcome::Release, Some("statute"))
    );
    assert_eq!(ask("QHL", &[withdrawn()]).rule, "restriction-meets-statute");
}

// Overrides.

#[test]
fn two_different_people_release_what_was_held() {
    let ledger = [given(), withdrawn()];
    for (votes, outcome) in [
        (vec![], Outcome::Hold),
        (vec![vote("p1", ago(1))], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote(" p1", now())], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote(" ", ago(1))], Outcome::Hold),
        (vec![vote("p1", ago(1)), vote("p2", now())], Outcome::Release),
        // Cast before the withdrawal was on record: they did not weigh it.
        (vec![vote("p1", ago(3)), vote("p2", ago(1))], Outcome::Hold),
        // Dated after now.
        (vec![vote("p1", ago(1)), vote("p2", now() + SignedDuration::from_secs(1))], Outcome::Hold),
    ] {
        let decision = ask(&request(), &evidence(&ledger, &votes));
        assert_eq!(decision.outcome, outcome, "{votes:?}");
        if outcome == Outcome::Release {
            assert_eq!(decision.authority.as_deref(), Some("approved-override"));
            assert_eq!(decision.rule, "approved-override");
            assert!(decision.reason.contains("restriction-meets-statute"));
        }
    }
}

#[test]
fn no_vote_releases_a_refusal() {
    let votes = [vote("p1", ago(1)), vote("p2", ago(1)), vote("p3", ago(1))];
    for (question, ledger) in [
        (transition(), vec![given(), withdrawn()]),
        (transition(), vec![]),
        (question(MessageType::AdviceRequest, "334", "RQ3"), vec![]),
    ] {
        assert_eq!(ask(&question, &evidence(&ledger, &votes)).outcome, Outcome::Refuse);
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
    let votes = [vote("p1", ago(1)), vote("p2", ago(1))];
    let ask = |entry| decide(&transition(), &evidence(&[entry], &votes), &book, now(), today());
    assert_eq!(ask(excluded).rule, "approved-override");
    assert_eq!(ask(expired).rule, "consent-expired");
}

#[test]
fn votes_on_a_stale_agreement_count_from_the_day_the_young_person_decides() {
    let question = Question { decisions_pass_on: Some(date(2026, 3, 2)), ..transition() };
    let outcome = |at| {
        let votes = [vote("p1", at), vote("p2", at)];
        ask(&question, &evidence(&[given()], &votes)).outcome
    };
    assert_eq!(outcome(ago(24)), Outcome::Hold);
    assert_eq!(outcome(ago(1)), Outcome::Release);
}

// Step 5: reduction.

#[test]
fn the_board_is_given_less_than_the_trust_that_is_asked() {
    let decision = ask(&question(MessageType::AdviceRequest, "334", "QHL"), &Evidence::default());
    assert_eq!(decision.outcome, Outcome::ReleaseReduced);
    let classes = [DataClass::Identity, DataClass::Education, DataClass::Consent];
    assert_eq!(decision.classes, classes.into());
}

#[test]
fn the_agreement_limits_what_may_go() {
    let every = "classes = [\"identity\", \"contact\", \"education\", \"health\", \"consent\", \"documents\"]";
    for (classes, outcome, rule) in [
        ("classes = [\"identity\", \"education\"]", Outcome::ReleaseReduced, "advice-request"),
        ("classes = [\"education\"]", Outcome::Refuse, "agreement-classes"),
    ] {
        let book = book_of(&AGREEMENTS.replace(every, classes), RULES);
        let decision = decide(&request(), &Evidence::default(), &book, now(), today());
        assert_eq!((decision.outcome, decision.rule.as_str()), (outcome, rule));
    }
}

#[test]
fn a_note_says_what_the_decision_says() {
    let decision = ask(&request(), &evidence(&[given(), withdrawn()], &[]));
    let note = DecisionNote::from(decision.clone());
    assert_eq!(note.outcome, "hold");
    assert_eq!(note.rule_version, "authority-1+agreements-example-1");
    assert_eq!(note.consent_version, Some(2));
    assert_eq!((note.rule, note.reason), (decision.rule, decision.reason));
}

// Properties.

fn any_entry() -> impl Strategy<Value = ConsentEntry> {
    let status = prop_oneof![
        Just(ConsentStatus::Given),
        Just(ConsentStatus::Refused),
        Just(ConsentStatus::Withdrawn),
        Just(ConsentStatus::NotRecorded),
    ];
    let kind = prop_oneof![3 => Just(ConsentKind::Sharing), 1 => Just(ConsentKind::Plan)];
    let by = proptest::option::of(prop_oneof![
        Just(DecisionMaker::Parent),
        Just(DecisionMaker::YoungPerson),
        Just(DecisionMaker::AlternativePerson),
        Just(DecisionMaker::LocalAuthority),
    ]);
    let excluded = proptest::option::of(any_party());
    let when = (-40i64..40, proptest::option::of(-400i32..400));
    (status, kind, by, excluded, when).prop_map(
        |(status, kind, given_by, excluded, (hours, days))| ConsentEntry {
            kind,
            given_by,
            exclusions: excluded.into_iter().map(org).collect(),
            recorded_at: ago(hours),
            expires_on: days.map(|days| today().saturating_add(jiff::Span::new().days(days))),
            ..entry(0, status)
        },
    )
}

fn any_party() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("334"), Just("RRK"), Just("RXT"), Just("RYW"), Just("QHL"), Just("RQ3")]
}

fn any_question() -> impl Strategy<Value = Question> {
    let kind = proptest::sample::select(MessageType::ALL.to_vec());
    let pass_on = proptest::option::of(-400i32..400);
    (kind, any_party(), any_party(), pass_on).prop_map(|(kind, sender, recipient, days)| Question {
        decisions_pass_on: days.map(|days| today().saturating_add(jiff::Span::new().days(days))),
        ..question(kind, sender, recipient)
    })
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let votes = proptest::collection::vec(("p[1-3]", -40i64..40), 0..4);
    (proptest::collection::vec(any_entry(), 0..5), votes).prop_map(|(mut consents, votes)| {
        for (entry, version) in consents.iter_mut().zip(1..) {
            entry.version = version;
        }
        let votes: Vec<_> = votes.iter().map(|(who, hours)| vote(who, ago(*hours))).collect();
        evidence(&consents, &votes)
    })
}

proptest! {
    #[test]
    fn nothing_that_rests_on_consent_goes_after_a_withdrawal(
        question in any_question(), evidence in any_evidence(),
    ) {
        let question = Question { kind: MessageType::TransitionHealthPlan, ..question };
        let newest = evidence.consents.iter().rev().find(|entry| {
            entry.kind == ConsentKind::Sharing && entry.status != ConsentStatus::NotRecorded
        });
        let decision = ask(&question, &evidence);
        if newest.is_some_and(|entry| entry.status == ConsentStatus::Withdrawn) {
            prop_assert_eq!(decision.outcome, Outcome::Refuse);
        }
    }

    #[test]
    fn a_held_or_refused_question_releases_no_class_of_data(
        question in any_question(), evidence in any_evidence(),
    ) {
        let decision = ask(&question, &evidence);
        prop_assert_eq!(decision.outcome.is_release(), !decision.classes.is_empty());
        prop_assert_eq!(decision.outcome == Outcome::Refuse, decision.authority.is_none());
    }

    #[test]
    fn every_decision_names_its_rule_its_version_and_a_plain_reason(
        question in any_question(), evidence in any_evidence(),
    ) {
        let decision = ask(&question, &evidence);
        prop_assert!(!decision.rule.is_empty());
        prop_assert_eq!(&decision.rule_version, &book().version());
        prop_assert!(decision.reason.ends_with('.'), "{}", decision.reason);
        let digits = decision.reason.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
        prop_assert!(digits.unwrap_or(0) <= 4, "{}", decision.reason);
    }

    #[test]
    fn one_person_alone_releases_nothing(question in any_question(), evidence in any_evidence()) {
        let alone = Evidence {
            overrides: vec![vote("p1", ago(0)), vote("p1", ago(1))],
            ..evidence
        };
        let unvoted = Evidence { overrides: Vec::new(), ..alone.clone() };
        prop_assert_eq!(ask(&question, &alone).outcome, ask(&question, &unvoted).outcome);
    }
}
