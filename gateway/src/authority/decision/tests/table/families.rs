//! What the family decided, for what, to whom, and who decides.

use DataClass::{Contact, Documents, Education};
use DecisionMaker::{AlternativePerson, CompetentChild, LocalAuthority, Parent, YoungPerson};
use MessageType as M;

use super::*;

fn plan() -> Asked {
    asks(M::TransitionHealthPlan, "RYW", "334")
}

fn advice() -> Asked {
    asks(M::AdviceRequest, "334", "RYW")
}

fn by(who: DecisionMaker, status: ConsentStatus) -> ConsentEntry {
    ConsentEntry { given_by: Some(who), assessed_on: Some(date(2026, 1, 4)), ..entry(1, status) }
}

fn on(day: i8, entry: ConsentEntry) -> ConsentEntry {
    ConsentEntry { decided_on: Some(date(2026, 2, day)), ..entry }
}

fn stopped() -> ConsentEntry {
    entry(1, ConsentStatus::Withdrawn)
}

decision_table! {
    a_transition_plan_goes_while_agreement_to_share_holds:
        plan().with([given()]) => goes("consent");
    a_transition_plan_does_not_go_without_agreement:
        plan() => refused("consent-missing");
    a_blank_in_the_record_is_not_agreement:
        plan().with([entry(1, ConsentStatus::NotRecorded)]) => refused("consent-missing");
    agreement_about_the_plan_document_is_not_agreement_to_share:
        plan().with([about_plan()]) => refused("consent-missing");
    agreement_dated_tomorrow_does_not_count_today:
        plan().with([ConsentEntry { decided_on: Some(date(2026, 3, 3)), ..given() }])
            => refused("consent-not-begun");
    agreement_dated_today_counts_today:
        plan().with([ConsentEntry { decided_on: Some(date(2026, 3, 2)), ..given() }])
            => goes("consent");
    agreement_holds_on_its_last_day:
        plan().with([ConsentEntry { expires_on: Some(date(2026, 3, 2)), ..given() }])
            => goes("consent");
    agreement_does_not_hold_the_day_after_its_last:
        plan().with([ConsentEntry { expires_on: Some(date(2026, 3, 1)), ..given() }])
            => refused("consent-expired");
    agreement_recorded_as_expired_does_not_hold:
        plan().with([given(), entry(2, ConsentStatus::Expired)]) => refused("consent-expired");
    agreement_for_another_purpose_does_not_cover_this:
        plan().with([ConsentEntry { purposes: vec!["ehc-needs-assessment".to_owned()], ..given() }])
            => refused("consent-purpose");
    agreement_that_names_its_purpose_in_other_letters_still_covers_it:
        plan().with([ConsentEntry {
            purposes: vec![" Transition-To-Adulthood".to_owned()], ..given()
        }]) => goes("consent");
    agreement_that_names_other_recipients_does_not_cover_this_one:
        plan().with([ConsentEntry { recipients: vec![org("QHL")], ..given() }])
            => refused("consent-recipient");
    agreement_that_names_this_recipient_covers_it:
        plan().with([ConsentEntry { recipients: vec![org("334")], ..given() }]) => goes("consent");
    classes_of_data_outside_the_agreement_are_cut:
        plan().with([ConsentEntry {
            classes: vec![DataClass::Health, DataClass::Consent], ..given()
        }]) => goes_without("consent", &[(Contact, "consent-scope"), (Education, "consent-scope"),
            (Documents, "consent-scope")]);
    agreement_without_a_class_the_recipient_cannot_do_without_is_not_enough:
        asks(M::TransitionReferral, "RYW", "334")
            .with([ConsentEntry { classes: vec![DataClass::Health], ..given() }])
            => refused("consent-classes");
    a_withdrawal_stops_what_rests_on_agreement:
        plan().with([given(), stopped()]) => refused("consent-withdrawn");
    a_withdrawal_that_meets_a_statutory_duty_goes_to_a_person:
        advice().with([given(), stopped()]) => waits("restriction-meets-statute");
    a_refusal_that_meets_a_statutory_duty_goes_to_a_person:
        advice().with([entry(1, ConsentStatus::Refused)]) => waits("restriction-meets-statute");
    a_blank_in_a_later_extract_does_not_undo_a_withdrawal:
        plan().with([given(), stopped(), entry(3, ConsentStatus::NotRecorded)])
            => refused("consent-withdrawn");
    an_extract_that_still_says_given_does_not_undo_a_withdrawal:
        plan().with([on(10, stopped()), on(9, given())]) => refused("consent-withdrawn");
    agreement_given_again_later_lifts_a_withdrawal:
        plan().with([on(10, stopped()), on(11, given())]) => goes("consent");
    a_recipient_the_family_left_out_gets_nothing_that_rests_on_agreement:
        plan().with([ConsentEntry { exclusions: vec![org("334")], ..given() }])
            => refused("recipient-excluded");
    a_recipient_the_family_left_out_is_for_a_person_where_the_law_requires_sharing:
        advice().with([ConsentEntry { exclusions: vec![org("RYW")], ..given() }])
            => waits("restriction-meets-statute");
    leaving_out_one_recipient_stops_no_other:
        asks(M::AdviceRequest, "334", "RRK")
            .with([ConsentEntry { exclusions: vec![org("RYW")], ..given() }]) => goes("statute");
    a_recipient_left_out_without_any_decision_is_left_out_all_the_same:
        plan().with([given(), ConsentEntry {
            exclusions: vec![org("334")], ..entry(2, ConsentStatus::NotRecorded)
        }]) => refused("recipient-excluded");
    a_recipient_left_out_by_nobody_knows_whom_is_let_in_again_by_later_agreement:
        plan().with([ConsentEntry {
            exclusions: vec![org("334")], given_by: None, ..on(10, entry(1, ConsentStatus::NotRecorded))
        }, on(11, given())]) => goes("consent");
    a_recipient_the_child_left_out_is_not_let_in_again_by_a_parent:
        plan().with([ConsentEntry {
            exclusions: vec![org("334")], ..on(10, by(CompetentChild, ConsentStatus::Given))
        }, on(11, given())]) => refused("recipient-excluded");
    an_objection_ends_implied_agreement_between_health_bodies:
        asks(M::TransitionReferral, "RYW", "RRK").with([stopped()]) => refused("consent-withdrawn");
    agreement_to_something_narrower_leaves_implied_agreement_to_a_person:
        asks(M::TransitionReferral, "RYW", "RRK")
            .with([ConsentEntry { recipients: vec![org("QHL")], ..given() }])
            => waits("implied-consent-limited");
    those_who_relied_on_agreement_are_told_of_its_withdrawal:
        asks(M::ConsentWithdraw, "334", "RYW").with([given(), stopped()])
            => goes_without("record-keeping", &[(Documents, "not-needed")]);
    a_parent_s_agreement_is_asked_for_again_once_the_young_person_decides:
        plan().young_person_decides().with([given()]) => waits("consent-stale-decision-maker");
    agreement_of_unknown_giver_is_asked_for_again_once_the_young_person_decides:
        plan().young_person_decides().with([ConsentEntry { given_by: None, ..given() }])
            => waits("consent-stale-decision-maker");
    the_young_person_s_own_agreement_counts_once_they_decide:
        plan().young_person_decides().with([by(YoungPerson, ConsentStatus::Given)])
            => goes("consent");
    before_the_young_person_decides_a_parent_s_refusal_counts:
        plan().with([by(YoungPerson, ConsentStatus::Given), on(20, by(Parent, ConsentStatus::Refused))])
            => refused("consent-refused");
    once_the_young_person_decides_a_parent_s_refusal_does_not_count:
        plan().young_person_decides()
            .with([by(YoungPerson, ConsentStatus::Given), on(20, by(Parent, ConsentStatus::Refused))])
            => goes("consent");
    agreement_recorded_as_stale_waits_for_a_person:
        plan().with([given(), entry(2, ConsentStatus::Stale)])
            => waits("consent-stale-decision-maker");
    the_law_does_not_wait_for_a_stale_agreement:
        advice().young_person_decides().with([given()]) => goes("statute");
    an_alternative_person_decides_with_the_assessment_of_capacity_on_record:
        plan().young_person_decides().with([by(AlternativePerson, ConsentStatus::Given)])
            => goes("consent");
    an_alternative_person_without_that_assessment_waits_for_a_person:
        plan().young_person_decides().with([ConsentEntry {
            assessed_on: None, ..by(AlternativePerson, ConsentStatus::Given)
        }]) => waits("consent-capacity-not-recorded");
    a_competent_child_s_agreement_counts_with_the_assessment_on_record:
        plan().with([by(CompetentChild, ConsentStatus::Given)]) => goes("consent");
    a_competent_child_s_agreement_without_that_assessment_waits_for_a_person:
        plan().with([ConsentEntry {
            assessed_on: None, ..by(CompetentChild, ConsentStatus::Given)
        }]) => waits("consent-capacity-not-recorded");
    a_competent_child_s_agreement_prevails_over_a_parent_s_refusal:
        plan().with([by(CompetentChild, ConsentStatus::Given), on(20, by(Parent, ConsentStatus::Refused))])
            => goes("consent");
    a_competent_child_s_refusal_prevails_over_a_parent_s_agreement:
        plan().with([by(CompetentChild, ConsentStatus::Refused), on(20, given())])
            => refused("consent-refused");
    a_blank_for_the_child_s_own_view_does_not_silence_a_parent:
        plan().with([given(), by(CompetentChild, ConsentStatus::NotRecorded)]) => goes("consent");
    agreement_of_unknown_giver_does_not_lift_a_competent_child_s_refusal:
        plan().with([
            by(CompetentChild, ConsentStatus::Refused),
            ConsentEntry { given_by: None, ..on(20, given()) },
        ]) => refused("consent-refused");
    a_competent_child_s_refusal_needs_no_assessment:
        plan().with([ConsentEntry {
            assessed_on: None, ..by(CompetentChild, ConsentStatus::Refused)
        }, on(20, given())]) => refused("consent-refused");
    a_competent_child_s_refusal_that_meets_a_statutory_duty_goes_to_a_person:
        advice().with([by(CompetentChild, ConsentStatus::Refused), on(20, given())])
            => waits("restriction-meets-statute");
    a_withdrawal_of_unknown_giver_stops_a_child_s_own_agreement_too:
        plan().with([by(CompetentChild, ConsentStatus::Given),
            ConsentEntry { given_by: None, ..on(20, stopped()) }]) => refused("consent-withdrawn");
    one_parent_who_objects_sends_the_other_s_agreement_to_a_person:
        plan().with([on(1, by(Parent, ConsentStatus::Refused)), on(2, given())])
            => waits("consent-disputed");
    one_parent_who_objects_later_sends_the_other_s_agreement_to_a_person:
        plan().with([on(1, given()), on(2, by(Parent, ConsentStatus::Refused))])
            => waits("consent-disputed");
    a_recipient_left_out_by_the_parent_who_refused_gets_nothing_although_the_other_agreed:
        plan().with([on(1, given()), ConsentEntry {
            exclusions: vec![org("334")], ..on(2, by(Parent, ConsentStatus::Refused))
        }]) => refused("consent-refused");
    a_parent_who_withdrew_and_then_refused_is_not_outweighed_by_what_was_agreed_before:
        plan().with([on(1, given()), on(2, stopped()), on(3, by(Parent, ConsentStatus::Refused))])
            => refused("consent-refused");
    a_refusal_of_unknown_giver_is_not_taken_for_one_of_two_parents:
        plan().with([on(1, given()),
            ConsentEntry { given_by: None, ..on(2, entry(1, ConsentStatus::Refused)) }])
            => refused("consent-refused");
    a_parent_and_the_council_with_parental_responsibility_may_disagree_too:
        plan().with([on(1, by(Parent, ConsentStatus::Refused)),
            on(2, by(LocalAuthority, ConsentStatus::Given))]) => waits("consent-disputed");
    a_refusal_of_unknown_giver_that_later_agreement_lifted_is_no_disagreement:
        plan().with([
            ConsentEntry { given_by: None, ..on(1, entry(1, ConsentStatus::Refused)) },
            on(2, given()),
        ]) => goes("consent");
    a_parent_who_withdrew_and_agreed_again_does_not_disagree_with_anybody:
        plan().with([on(1, stopped()), on(2, given())]) => goes("consent");
}
