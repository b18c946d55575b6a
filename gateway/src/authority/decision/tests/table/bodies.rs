//! Between which bodies a message may pass, by which power, and how much of it.

use DataClass::{Contact, Documents, SocialCare};
use MessageType as M;

use super::*;

fn later() -> Date {
    date(2026, 10, 1)
}

decision_table! {
    a_recipient_outside_every_sharing_agreement_gets_nothing:
        asks(M::AdviceRequest, "334", "RQ3").with([given()]) => refused("agreement-none");
    a_sharing_agreement_for_other_messages_does_not_cover_this_one:
        asks(M::AdviceResponse, "RYW", "QHL") => refused("agreement-none");
    a_message_does_not_pass_in_the_wrong_direction:
        asks(M::AdviceRequest, "RYW", "334") => refused("direction-not-allowed");
    what_is_about_an_organisation_s_own_requests_goes_back_to_it_whole:
        asks(M::AdviceChaser, "334", "334") => goes("record-keeping");
    a_notice_that_a_young_child_probably_has_needs_goes_to_the_council_without_consent:
        asks(M::S23Notification, "RYW", "334") => goes("statute");
    the_commissioning_body_is_told_that_an_assessment_is_considered:
        asks(M::EhcnaConsidering, "334", "QHL")
            => goes_without("statute", &[(Contact, "agreement"), (DataClass::Health, "agreement"),
                (Documents, "agreement")]);
    a_trust_is_told_by_local_rule_only_that_an_assessment_is_considered:
        asks(M::EhcnaConsidering, "334", "RYW")
            => goes_without("statute", &[(Contact, "not-needed"), (DataClass::Health, "not-needed"),
                (Documents, "not-needed")]);
    a_council_asks_a_trust_for_advice_whether_or_not_the_family_agreed:
        asks(M::AdviceRequest, "334", "RYW") => goes("statute");
    the_commissioning_body_sees_a_request_without_address_and_documents:
        asks(M::AdviceRequest, "334", "QHL")
            => goes_without("statute", &[(Contact, "not-needed"), (Documents, "not-needed")]);
    advice_goes_to_the_council_that_asked_whole:
        asks(M::AdviceResponse, "RXT", "334") => goes("statute");
    the_draft_s_health_sections_go_to_the_service_without_education_or_documents:
        asks(M::PlanDraftHealthReview, "334", "RYW")
            => goes_without("statute", &[(DataClass::Education, "not-needed"),
                (Documents, "not-needed")]);
    the_final_plan_goes_to_the_commissioning_body_because_the_regulations_require_it:
        asks(M::PlanFinal, "334", "QHL") => goes("statute");
    the_final_plan_does_not_go_to_a_service_on_general_agreement_to_share:
        asks(M::PlanFinal, "334", "RYW").with([given()]) => waits("override-needed");
    the_final_plan_goes_to_a_service_with_consent_about_the_plan_itself:
        asks(M::PlanFinal, "334", "RYW").with([about_plan()])
            => goes_without("consent", &[(Contact, "not-needed"), (SocialCare, "not-needed"),
                (DataClass::Consent, "not-needed"), (Documents, "not-needed")]);
    two_people_may_find_that_the_plan_is_needed_in_the_child_s_interests:
        asks(M::PlanFinal, "334", "RYW").claimed_by_two(Basis::BestInterests)
            => goes_without("best-interests", &[(Contact, "not-needed"),
                (SocialCare, "not-needed"), (DataClass::Consent, "not-needed"),
                (Documents, "not-needed")]);
    an_amended_plan_is_as_strict_as_the_first:
        asks(M::PlanAmended, "334", "RYW") => waits("override-needed");
    the_old_council_sends_the_plan_to_the_new_one_when_a_child_moves:
        asks(M::PlanTransfer, "334", "330") => goes("statute");
    a_review_advice_goes_to_the_council:
        asks(M::ReviewAdvice, "RYW", "334") => goes("statute");
    the_council_and_the_commissioning_body_speak_of_an_appeal:
        asks(M::TribunalNotice, "334", "QHL") => goes("statute");
    a_pointer_to_the_safeguarding_route_carries_nothing_but_who_it_is_about:
        asks(M::SafeguardingAlertLink, "RYW", "334") => goes("statute");
    a_referral_between_health_bodies_rests_on_what_a_patient_expects_of_their_care:
        asks(M::TransitionReferral, "RYW", "RRK") => goes("direct-care-implied");
    implied_agreement_is_never_for_a_council:
        asks(M::TransitionReferral, "RYW", "334") => refused("consent-missing");
    the_duty_of_16la_counts_for_nothing_while_it_is_switched_off:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book, later())
            => refused("consent-missing");
    the_duty_of_16la_counts_for_nothing_before_its_day:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la_on_record, today())
            => refused("consent-missing");
    once_begun_16la_waits_until_two_people_have_weighed_the_detriment:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la, later())
            => waits("detriment-test");
    two_people_who_find_no_greater_detriment_release_under_16la:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la, later())
            .claimed_by_two(Basis::Statute) => goes("ca2004-16la");
    where_the_test_is_done_on_record_16la_releases_what_nothing_speaks_against:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la_on_record, later())
            => goes("ca2004-16la");
    an_objection_leaves_the_test_of_16la_to_people_even_so:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la_on_record, later())
            .with([given(), entry(2, ConsentStatus::Withdrawn)])
            => waits("restriction-meets-statute");
    a_protected_address_leaves_the_test_of_16la_to_people_even_so:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la_on_record, later())
            .with([restricted(1, Restriction::ProtectedAddress)]) => waits("detriment-test");
    agreement_to_something_narrower_leaves_the_test_of_16la_to_people_even_so:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la_on_record, later())
            .with([ConsentEntry { purposes: vec!["ehc-needs-assessment".to_owned()], ..given() }])
            => waits("detriment-test");
    valid_consent_is_preferred_to_the_duty_of_16la:
        asks(M::TransitionHealthPlan, "RYW", "334").under(book_with_16la, later()).with([given()])
            => goes("consent");
}
