use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use schemas::transition::{Checklist, Duty, TransitionRules};
use schemas::{MessageType, OrganisationCode, PersonalText, RecordId};
use uuid::Uuid;

use super::{Case, Line, Over, State, work_out};
use crate::queue::{DeliveryId, DeliveryState};
use crate::transition::evidence::{Evidence, Handed, Said};

/// Turns 14 on 10 May 2026, in Year 9; 16 in 2028, 17 in 2029, 18 on 10 May 2030.
const BORN: Date = Date::constant(2012, 5, 10);

fn rules() -> &'static Checklist {
    TransitionRules::built_in().version_on(date(2026, 1, 1)).expect("a version")
}

fn said(born: Date) -> Said {
    Said {
        born,
        on: None,
        named_worker: None,
        receiving_service: None,
        transfer_on: None,
        starts_on: None,
        tracks: false,
        adult_care: false,
        eligible: None,
        leaves: false,
    }
}

/// A message from the children's service to the commissioning body, or as `between` says.
fn message(kind: MessageType, on: Date, state: DeliveryState) -> Evidence {
    between((Duty::Health, "RXT"), (Duty::CommissioningBody, "15E"), kind, on, state)
}

fn between(
    (from_is, from): (Duty, &str),
    (to_is, to): (Duty, &str),
    kind: MessageType,
    on: Date,
    state: DeliveryState,
) -> Evidence {
    let organisation = |code: &str| OrganisationCode::parse(code).expect("a code");
    let moves = super::moves_on(kind);
    let said = Said {
        on: Some(on),
        tracks: moves,
        adult_care: moves || super::continuing_care(kind),
        named_worker: moves.then(|| PersonalText::new("Pat Practice-Worker")),
        ..said(BORN)
    };
    Evidence {
        record: RecordId(Uuid::from_u128(1)),
        kind,
        sender: organisation(from),
        sender_is: BTreeSet::from([from_is]),
        accepted_on: on,
        said,
        handed: vec![Handed {
            delivery: DeliveryId(Uuid::from_u128(2)),
            to: organisation(to),
            to_is: BTreeSet::from([to_is]),
            state,
            reason: None,
            answered_on: None,
        }],
    }
}

fn from_authority(kind: MessageType, on: Date) -> Evidence {
    let authority = (Duty::Authority, "334");
    between(authority, (Duty::CommissioningBody, "15E"), kind, on, DeliveryState::Delivered)
}

fn case(evidence: &[Evidence], today: Date) -> Case<'static> {
    work_out(rules(), evidence, today).expect("dates").expect("a case")
}

fn line<'c>(case: &'c Case<'static>, item: &str) -> &'c Line<'static> {
    case.lines.iter().find(|line| line.item.id == item).unwrap_or_else(|| panic!("{item}: none"))
}

fn state(evidence: &[Evidence], today: Date, item: &str) -> State {
    line(&case(evidence, today), item).state
}

fn gaps(evidence: &[Evidence], today: Date) -> usize {
    case(evidence, today).lines.iter().filter(|line| line.is_gap(today)).count()
}

#[test]
fn a_child_with_a_plan_is_tracked_from_1_september_of_year_9() {
    let plan = [from_authority(MessageType::PlanFinal, date(2024, 3, 1))];
    assert_eq!(work_out(rules(), &plan, date(2025, 8, 31)).expect("dates"), None);
    assert_eq!(state(&plan, date(2025, 9, 1), "planning-started"), State::Due);
    assert_eq!(state(&plan, date(2026, 8, 31), "planning-started"), State::Due);
    assert_eq!(state(&plan, date(2026, 9, 1), "planning-started"), State::Overdue);
}

#[test]
fn who_is_said_to_be_in_year_9_is_tracked_though_younger() {
    let mut early = from_authority(MessageType::ReviewTermList, date(2025, 1, 10));
    early.said.tracks = true;
    assert_eq!(state(&[early], date(2025, 1, 10), "planning-started"), State::NotYet);
}

#[test]
fn the_plan_of_a_child_in_year_6_is_amended_by_15_february_and_no_gap_is_left_after_the_move() {
    let plan = from_authority(MessageType::PlanFinal, date(2021, 3, 1));
    let before = date(2023, 2, 15);
    assert_eq!(state(std::slice::from_ref(&plan), before, "phase-transfer-secondary"), State::Due);
    let after = date(2023, 2, 16);
    let overdue = state(std::slice::from_ref(&plan), after, "phase-transfer-secondary");
    assert_eq!(overdue, State::Overdue);
    let amended = from_authority(MessageType::PlanAmended, date(2023, 2, 10));
    let both = [plan.clone(), amended];
    assert_eq!(state(&both, after, "phase-transfer-secondary"), State::Done);
    assert_eq!(work_out(rules(), &both, date(2023, 9, 1)).expect("dates"), None);
    assert_eq!(work_out(rules(), &[plan], date(2023, 9, 1)).expect("dates"), None);
}

#[test]
fn the_plan_is_amended_by_31_march_of_the_year_of_the_move_to_post_16() {
    let plan = from_authority(MessageType::PlanFinal, date(2024, 3, 1));
    let plan = std::slice::from_ref(&plan);
    assert_eq!(state(plan, date(2028, 3, 31), "phase-transfer-post-16"), State::Due);
    assert_eq!(state(plan, date(2028, 4, 1), "phase-transfer-post-16"), State::Overdue);
    for outside in [date(2027, 8, 31), date(2028, 9, 1)] {
        let case = case(plan, outside);
        assert!(case.lines.iter().all(|line| line.item.id != "phase-transfer-post-16"));
    }
}

#[test]
fn without_a_sign_of_continuing_healthcare_nobody_owes_a_checklist_at_16() {
    let plan = [from_authority(MessageType::PlanFinal, date(2024, 3, 1))];
    let case = case(&plan, date(2028, 10, 1));
    let items: Vec<&str> = case.lines.iter().map(|line| line.item.id.as_str()).collect();
    assert_eq!(items, ["planning-started"]);
}

#[test]
fn a_notice_at_14_counts_only_when_the_commissioning_body_has_accepted_it() {
    let today = date(2026, 5, 1);
    let with = |state| vec![message(MessageType::TransitionNotify14, today, state)];
    let stand = |state_of| state(&with(state_of), today, "notify-14");
    assert_eq!(stand(DeliveryState::Queued), State::AwaitingAcceptance);
    assert_eq!(stand(DeliveryState::Delivered), State::AwaitingAcceptance, "collected only");
    assert_eq!(stand(DeliveryState::Rejected), State::NotAccepted);
    assert_eq!(stand(DeliveryState::Accepted), State::Accepted);
    assert_eq!(stand(DeliveryState::Failed), State::Due);
    assert_eq!(stand(DeliveryState::Held), State::Due, "it has not gone");
}

#[test]
fn a_notice_at_14_that_the_authority_accepted_is_not_the_commissioning_bodys_acceptance() {
    let (today, kind) = (date(2026, 5, 1), MessageType::TransitionNotify14);
    let (health, authority) = ((Duty::Health, "RXT"), (Duty::Authority, "334"));
    let astray = between(health, authority, kind, today, DeliveryState::Accepted);
    assert_eq!(state(&[astray], today, "notify-14"), State::Due);
}

#[test]
fn a_rejection_opens_the_gap_again_until_another_notice_is_accepted() {
    let first = message(MessageType::TransitionNotify14, date(2026, 4, 1), DeliveryState::Rejected);
    let mut evidence = vec![first];
    assert_eq!(state(&evidence, date(2026, 6, 1), "notify-14"), State::NotAccepted);
    assert!(line(&case(&evidence, date(2026, 6, 1)), "notify-14").overdue);
    let kind = MessageType::TransitionNotify14;
    evidence.push(message(kind, date(2026, 6, 2), DeliveryState::Delivered));
    assert_eq!(state(&evidence, date(2026, 6, 2), "notify-14"), State::AwaitingAcceptance);
    assert!(line(&case(&evidence, date(2026, 6, 2)), "notify-14").overdue, "late all the same");
    evidence.pop();
    evidence.push(message(kind, date(2026, 6, 2), DeliveryState::Accepted));
    assert_eq!(state(&evidence, date(2026, 6, 3), "notify-14"), State::Accepted);
}

#[test]
fn what_had_passed_when_a_case_was_first_known_is_due_28_days_later() {
    let known = message(MessageType::CypCcReferral, date(2027, 10, 1), DeliveryState::Accepted);
    let known = std::slice::from_ref(&known);
    assert_eq!(state(known, date(2027, 10, 29), "notify-14"), State::Due);
    assert_eq!(state(known, date(2027, 10, 30), "notify-14"), State::Overdue);
}

#[test]
fn screening_is_owed_from_the_16th_birthday_and_the_decision_from_the_17th() {
    let known = message(MessageType::CypCcReferral, date(2025, 10, 1), DeliveryState::Accepted);
    let known = std::slice::from_ref(&known);
    assert_eq!(state(known, date(2028, 5, 9), "screening-16"), State::NotYet);
    assert_eq!(state(known, date(2028, 5, 10), "screening-16"), State::Due);
    assert_eq!(state(known, date(2028, 8, 11), "screening-16"), State::Overdue);
    assert_eq!(state(known, date(2029, 5, 9), "decision-17"), State::NotYet);
    assert_eq!(state(known, date(2029, 5, 10), "decision-17"), State::Due);
}

#[test]
fn a_checklist_that_the_commissioning_body_itself_wrote_needs_no_receiver() {
    let today = date(2028, 6, 1);
    let board = (Duty::CommissioningBody, "15E");
    let kind = MessageType::ChcChecklist;
    let own = between(board, (Duty::Authority, "334"), kind, today, DeliveryState::Queued);
    assert_eq!(state(&[own], today, "screening-16"), State::Done);
}

#[test]
fn a_favourable_decision_makes_the_package_owed_by_the_18th_birthday() {
    let mut decision = between(
        (Duty::CommissioningBody, "15E"),
        (Duty::Authority, "334"),
        MessageType::ChcDecision,
        date(2029, 6, 1),
        DeliveryState::Delivered,
    );
    decision.said.eligible = Some(false);
    let case_of = |decision: &Evidence| case(std::slice::from_ref(decision), date(2030, 5, 11));
    let items = |case: &Case<'_>| case.lines.iter().any(|line| line.item.id == "package-18");
    assert!(!items(&case_of(&decision)), "nothing to get ready");
    decision.said.eligible = Some(true);
    assert_eq!(line(&case_of(&decision), "package-18").state, State::Overdue);
    decision.said.starts_on = Some(date(2030, 5, 10));
    assert_eq!(line(&case_of(&decision), "package-18").state, State::Done);
    assert_eq!(line(&case_of(&decision), "decision-17").state, State::Done);
}

#[test]
fn children_not_eligible_for_continuing_care_leave_the_continuing_healthcare_items() {
    let referral = message(MessageType::CypCcReferral, date(2026, 1, 5), DeliveryState::Accepted);
    let mut decision =
        message(MessageType::CypCcDecision, date(2026, 2, 5), DeliveryState::Accepted);
    decision.said.eligible = Some(false);
    let case = case(&[referral, decision], date(2026, 3, 1));
    assert!(case.lines.iter().all(|line| line.item.id != "notify-14"));
}

#[test]
fn a_health_plan_is_due_again_a_year_after_the_one_that_was_accepted() {
    let kind = MessageType::TransitionHealthPlan;
    let plan = message(kind, date(2026, 3, 1), DeliveryState::Accepted);
    let mut evidence = vec![plan];
    assert_eq!(state(&evidence, date(2027, 3, 1), "health-plan"), State::Accepted);
    assert_eq!(state(&evidence, date(2027, 3, 2), "health-plan"), State::Overdue);
    evidence.push(message(kind, date(2027, 3, 3), DeliveryState::Delivered));
    assert_eq!(state(&evidence, date(2027, 3, 3), "health-plan"), State::AwaitingAcceptance);
    evidence.pop();
    evidence.push(message(kind, date(2027, 3, 3), DeliveryState::Accepted));
    let case = case(&evidence, date(2027, 3, 4));
    assert_eq!(line(&case, "health-plan").state, State::Accepted);
    assert_eq!(line(&case, "health-plan").due, date(2028, 3, 3));
}

#[test]
fn nothing_is_renewed_after_the_transfer() {
    let kind = MessageType::TransitionHealthPlan;
    let plan = message(kind, date(2029, 12, 1), DeliveryState::Accepted);
    assert_eq!(state(&[plan], date(2030, 12, 31), "health-plan"), State::Accepted);
}

#[test]
fn a_named_worker_is_one_whom_an_accepted_message_names() {
    let today = date(2026, 5, 1);
    let mut notice = message(MessageType::TransitionNotify14, today, DeliveryState::Accepted);
    assert_eq!(state(std::slice::from_ref(&notice), today, "named-worker"), State::Accepted);
    notice.said.named_worker = None;
    assert_eq!(state(&[notice], today, "named-worker"), State::Due);
}

#[test]
fn an_adult_referral_names_the_service_and_is_accepted_by_it() {
    let today = date(2029, 6, 1);
    let kind = MessageType::TransitionReferral;
    let mut referral = message(kind, today, DeliveryState::Accepted);
    assert_eq!(state(std::slice::from_ref(&referral), today, "adult-referral"), State::Due);
    referral.said.receiving_service = Some(PersonalText::new("Adult learning disability team"));
    assert_eq!(state(std::slice::from_ref(&referral), today, "adult-referral"), State::Accepted);
    assert_eq!(state(&[referral], date(2028, 1, 1), "adult-referral"), State::Accepted);
}

#[test]
fn an_assessment_that_was_requested_owes_its_outcome_by_the_18th_birthday() {
    let mut request = from_authority(MessageType::CareAct58Request, date(2028, 9, 1));
    request.said.tracks = true;
    let mut evidence = vec![request];
    assert_eq!(state(&evidence, date(2028, 9, 2), "section-58-requested"), State::Done);
    assert_eq!(state(&evidence, date(2030, 5, 10), "section-58-outcome"), State::Due);
    assert_eq!(state(&evidence, date(2030, 5, 11), "section-58-outcome"), State::Overdue);
    evidence.push(from_authority(MessageType::CareAct58Outcome, date(2030, 5, 11)));
    assert_eq!(state(&evidence, date(2030, 5, 11), "section-58-outcome"), State::Done);
}

#[test]
fn gaps_rise_while_nothing_is_done_and_the_18th_birthday_nears() {
    let known = [message(MessageType::CypCcReferral, date(2025, 9, 1), DeliveryState::Accepted)];
    let at = |today| gaps(&known, today);
    assert_eq!(at(date(2025, 9, 1)), 4, "planning, worker, notice, plan");
    assert_eq!(at(date(2028, 5, 10)), 7, "screening, referral and section 58 at 16");
    assert_eq!(at(date(2029, 5, 10)), 8, "the decision at 17");
    assert_eq!(at(date(2029, 11, 10)), 9, "support before the transfer");
    assert_eq!(at(date(2030, 5, 10)), 10, "support after it");
    let within = |today| case(&known, today).within_months(rules(), today);
    assert_eq!(within(date(2029, 11, 9)), None);
    assert_eq!(within(date(2029, 11, 10)), Some(6));
    assert_eq!(within(date(2030, 2, 10)), Some(3));
    assert_eq!(within(date(2030, 4, 9)), Some(3));
    assert_eq!(within(date(2030, 4, 10)), Some(1));
    assert_eq!(within(date(2030, 5, 10)), Some(0));
}

#[test]
fn a_checkpoint_is_shown_for_a_week() {
    let known = [message(MessageType::CypCcReferral, date(2025, 9, 1), DeliveryState::Accepted)];
    let at = |today| case(&known, today).checkpoint(rules(), BORN, today).map(|(name, _)| name);
    assert_eq!(at(date(2026, 5, 9)), None);
    assert_eq!(at(date(2026, 5, 10)).as_deref(), Some("birthday-14"));
    assert_eq!(at(date(2026, 5, 16)).as_deref(), Some("birthday-14"));
    assert_eq!(at(date(2026, 5, 17)), None);
    assert_eq!(at(date(2030, 2, 10)).as_deref(), Some("3-months-before-18"));
    assert_eq!(at(date(2030, 5, 10)).as_deref(), Some("birthday-18"));
}

#[test]
fn a_case_is_over_when_the_person_dies_leaves_or_is_past_the_year_of_the_25th_birthday() {
    let plan = from_authority(MessageType::PlanFinal, date(2025, 10, 1));
    let over = |last: Evidence, today| case(&[plan.clone(), last], today).over;
    let died = from_authority(MessageType::PersonDeath, date(2026, 1, 1));
    assert_eq!(over(died, date(2026, 1, 2)), Some(Over::Died));
    let mut ceased = from_authority(MessageType::PlanCeased, date(2026, 1, 1));
    ceased.said.leaves = true;
    assert_eq!(over(ceased, date(2026, 1, 2)), Some(Over::Left));
    let known = [message(MessageType::CypCcReferral, date(2025, 9, 1), DeliveryState::Accepted)];
    assert_eq!(case(&known, date(2037, 8, 31)).over, None);
    assert_eq!(case(&known, date(2037, 9, 1)).over, Some(Over::TooOld));
}

#[test]
fn a_plan_that_ceased_owes_no_planning_but_the_move_to_adult_services_goes_on() {
    let plan = from_authority(MessageType::PlanFinal, date(2025, 10, 1));
    let kind = MessageType::TransitionReferral;
    let referral = message(kind, date(2028, 10, 1), DeliveryState::Rejected);
    let ceased = from_authority(MessageType::PlanCeased, date(2029, 1, 1));
    let case = case(&[plan, referral, ceased], date(2029, 1, 2));
    assert!(case.over.is_none());
    assert!(case.lines.iter().all(|line| line.item.id != "planning-started"));
    assert!(case.lines.iter().any(|line| line.item.id == "health-plan"));
}

#[test]
fn the_authoritys_date_of_birth_counts_before_others() {
    let plan = from_authority(MessageType::PlanFinal, date(2025, 10, 1));
    let kind = MessageType::TransitionNotify14;
    let mut wrong = message(kind, date(2026, 5, 1), DeliveryState::Accepted);
    wrong.said.born = date(2002, 5, 10);
    assert_eq!(case(&[plan, wrong], date(2026, 5, 2)).age, 13);
}

#[test]
fn a_message_dated_in_the_future_is_dated_when_it_came() {
    let kind = MessageType::TransitionHealthPlan;
    let mut plan = message(kind, date(2026, 3, 1), DeliveryState::Accepted);
    plan.said.on = Some(date(2040, 1, 1));
    assert_eq!(line(&case(&[plan], date(2026, 3, 2)), "health-plan").due, date(2027, 3, 1));
}
