//! What protects somebody, and what two named people can decide.

use DataClass::{Contact, Documents};
use MessageType as M;
use Restriction::{Adoption, CourtLimits, ProtectedAddress, Sealed, ThirdParty};

use super::*;

fn advice() -> Asked {
    asks(M::AdviceRequest, "334", "RYW")
}

fn answer() -> Asked {
    asks(M::AdviceResponse, "RYW", "334")
}

fn referral() -> Asked {
    asks(M::TransitionReferral, "RYW", "334").with([given()])
}

fn objection() -> ConsentEntry {
    ConsentEntry { recorded_at: ago(2), ..entry(1, ConsentStatus::Withdrawn) }
}

fn naming(restriction: Restriction, classes: &[DataClass]) -> ConsentEntry {
    ConsentEntry { classes: classes.to_vec(), ..restricted(1, restriction) }
}

fn lifted(restriction: Restriction) -> ConsentEntry {
    let day = Some(date(2026, 2, 1));
    ConsentEntry { status: ConsentStatus::Lifted, decided_on: day, ..restricted(2, restriction) }
}

fn begun_on(day: i8, restriction: Restriction) -> ConsentEntry {
    ConsentEntry { decided_on: Some(date(2026, 2, day)), ..restricted(1, restriction) }
}

fn lifted_on(day: i8, by: &str, restriction: Restriction) -> ConsentEntry {
    let decided_on = Some(date(2026, 2, day));
    ConsentEntry { decided_on, recorded_by: org(by), ..lifted(restriction) }
}

decision_table! {
    a_protected_address_is_cut_from_what_the_law_requires:
        advice().with([restricted(1, ProtectedAddress)])
            => goes_without("statute", &[(Contact, "protected-address")]);
    a_protected_address_waits_for_a_person_where_the_recipient_cannot_do_without:
        referral().with([restricted(1, ProtectedAddress)]) => waits("restriction-meets-consent");
    two_people_may_release_a_protected_address_to_keep_somebody_safe:
        referral().with([restricted(1, ProtectedAddress)])
            .claimed_by_two(Basis::SafeguardingOverride) => goes("safeguarding-override");
    an_address_that_is_no_longer_protected_goes_again:
        advice().with([restricted(1, ProtectedAddress), lifted(ProtectedAddress)])
            => goes("statute");
    lifting_another_restriction_does_not_lift_this_one:
        advice().with([restricted(1, ProtectedAddress), lifted(Sealed)])
            => goes_without("statute", &[(Contact, "protected-address")]);
    lifting_dated_before_a_restriction_does_not_lift_it:
        advice().with([begun_on(10, ProtectedAddress), lifted_on(9, "334", ProtectedAddress)])
            => goes_without("statute", &[(Contact, "protected-address")]);
    lifting_of_the_same_day_by_whoever_recorded_the_restriction_lifts_it:
        advice().with([begun_on(10, ProtectedAddress), lifted_on(10, "334", ProtectedAddress)])
            => goes("statute");
    lifting_of_the_same_day_by_somebody_else_does_not_lift_it:
        advice().with([begun_on(10, ProtectedAddress), lifted_on(10, "RYW", ProtectedAddress)])
            => goes_without("statute", &[(Contact, "protected-address")]);
    a_seal_lifted_by_somebody_else_on_the_day_it_was_set_still_stands:
        advice().with([begun_on(10, Sealed), lifted_on(10, "RYW", Sealed)])
            => waits("restriction-meets-statute");
    lifting_on_a_later_day_by_somebody_else_lifts_it:
        advice().with([begun_on(10, Sealed), lifted_on(11, "RYW", Sealed)])
            => goes("statute");
    nobody_but_who_protected_an_address_lifts_that_on_any_day:
        advice().with([begun_on(10, ProtectedAddress), lifted_on(11, "RYW", ProtectedAddress)])
            => goes_without("statute", &[(Contact, "protected-address")]);
    lifting_for_one_recipient_does_not_lift_what_holds_for_all:
        advice().with([
            begun_on(10, Sealed),
            ConsentEntry { recipients: vec![org("RYW")], ..lifted_on(11, "334", Sealed) },
        ]) => waits("restriction-meets-statute");
    lifting_for_a_class_of_data_does_not_lift_what_holds_for_all:
        advice().with([
            begun_on(10, Sealed),
            ConsentEntry { classes: vec![Documents], ..lifted_on(11, "334", Sealed) },
        ]) => waits("restriction-meets-statute");
    lifting_that_names_what_the_restriction_named_lifts_it:
        advice().with([
            ConsentEntry { recipients: vec![org("RYW")], ..begun_on(10, Sealed) },
            ConsentEntry { recipients: vec![org("RYW")], ..lifted_on(11, "334", Sealed) },
        ]) => goes("statute");
    lifting_for_everybody_lifts_what_held_for_one_recipient:
        advice().with([
            ConsentEntry { recipients: vec![org("RYW")], ..begun_on(10, Sealed) },
            lifted_on(11, "334", Sealed),
        ]) => goes("statute");
    a_lifting_that_does_not_say_of_what_lifts_nothing:
        advice().with([
            ConsentEntry { restriction: None, ..begun_on(10, Sealed) },
            ConsentEntry { restriction: None, ..lifted_on(11, "334", Sealed) },
        ]) => waits("restriction-meets-statute");
    an_approval_from_before_a_restriction_does_not_lift_it:
        advice().with([ConsentEntry { recorded_at: now(), ..restricted(1, Adoption) }])
            .claimed_by("p1", Basis::SafeguardingOverride)
            .claimed_by("p2", Basis::SafeguardingOverride) => waits("restriction-meets-statute");
    a_notice_that_an_address_is_to_be_protected_says_nothing_of_the_address:
        asks(M::PersonAddressSafe, "334", "RYW").with([restricted(1, ProtectedAddress)])
            => goes_without("record-keeping", &[(Contact, "not-needed")]);
    documents_with_information_about_somebody_else_are_cut:
        advice().with([restricted(1, ThirdParty)])
            => goes_without("statute", &[(Documents, "third-party")]);
    information_about_somebody_else_in_what_the_council_needs_waits_for_a_person:
        answer().with([naming(ThirdParty, &[DataClass::Health])])
            => waits("restriction-meets-statute");
    two_people_who_have_looked_may_confirm_the_duty_all_the_same:
        answer().with([naming(ThirdParty, &[DataClass::Health])]).claimed_by_two(Basis::Statute)
            => goes("statute");
    anything_about_an_adoption_waits_for_a_person:
        advice().with([restricted(1, Adoption)]) => waits("restriction-meets-statute");
    to_confirm_the_duty_does_not_open_an_adoption_record:
        advice().with([restricted(1, Adoption)]).claimed_by_two(Basis::Statute)
            => waits("restriction-meets-statute");
    sealed_items_wait_for_a_person:
        advice().with([restricted(1, Sealed)]) => waits("restriction-meets-statute");
    sealed_items_of_a_named_class_are_cut_and_the_rest_goes:
        advice().with([naming(Sealed, &[Documents])])
            => goes_without("statute", &[(Documents, "sealed")]);
    a_restriction_towards_another_recipient_does_not_stop_this_one:
        advice().with([ConsentEntry { recipients: vec![org("RRK")], ..restricted(1, Sealed) }])
            => goes("statute");
    a_court_s_limits_stop_what_the_law_requires_until_people_have_looked:
        advice().with([restricted(1, CourtLimits)]) => waits("restriction-meets-statute");
    a_court_s_limits_stop_what_the_family_agreed_to:
        asks(M::TransitionHealthPlan, "RYW", "334").with([given(), restricted(2, CourtLimits)])
            => waits("restriction-meets-consent");
    nothing_but_a_court_lifts_a_court_s_limits:
        advice().with([restricted(1, CourtLimits)]).claimed_by_two(Basis::SafeguardingOverride)
            => waits("restriction-meets-statute");
    two_people_who_have_read_the_order_release_what_it_allows:
        advice().with([restricted(1, CourtLimits)]).claimed_by_two(Basis::CourtOrTribunal)
            => goes("court-or-tribunal");
    a_withdrawal_stays_a_refusal_whatever_else_is_restricted:
        asks(M::TransitionHealthPlan, "RYW", "334").with([given(), objection(), restricted(3, Sealed)])
            => refused("consent-withdrawn");
    one_person_alone_releases_nothing:
        advice().with([objection()]).claimed_by("p1", Basis::SafeguardingOverride)
            => waits("restriction-meets-statute");
    the_same_person_twice_is_one_person:
        advice().with([objection()]).claimed_by("p1", Basis::SafeguardingOverride)
            .claimed_by("p1", Basis::SafeguardingOverride) => waits("restriction-meets-statute");
    two_people_on_two_different_grounds_release_nothing:
        advice().with([objection()]).claimed_by("p1", Basis::SafeguardingOverride)
            .claimed_by("p2", Basis::VitalInterests) => waits("restriction-meets-statute");
    two_people_may_confirm_that_a_duty_prevails_over_an_objection:
        advice().with([objection()]).claimed_by_two(Basis::Statute) => goes("statute");
    two_people_may_confirm_that_a_plan_is_due_to_the_commissioning_body:
        asks(M::PlanFinal, "334", "QHL").with([objection()]).claimed_by_two(Basis::Statute)
            => goes("statute");
    two_people_may_override_an_objection_to_protect_a_child:
        advice().with([objection()]).claimed_by_two(Basis::SafeguardingOverride)
            => goes("safeguarding-override");
    one_person_may_release_to_save_a_life_in_an_emergency_that_is_reviewed:
        advice().with([objection()]).released_in_an_emergency(Basis::VitalInterests)
            => goes("vital-interests");
    one_person_in_an_emergency_does_not_open_an_adoption_record:
        advice().with([restricted(1, Adoption)]).released_in_an_emergency(Basis::VitalInterests)
            => waits("restriction-meets-statute");
    one_person_in_an_emergency_does_not_release_a_protected_address:
        referral().with([restricted(1, ProtectedAddress)])
            .released_in_an_emergency(Basis::SafeguardingOverride)
            => waits("restriction-meets-consent");
    an_emergency_is_no_ground_for_best_interests:
        asks(M::CareAct58Request, "334", "RYW").released_in_an_emergency(Basis::BestInterests)
            => waits("override-needed");
    an_emergency_releases_nothing_that_was_refused:
        asks(M::TransitionHealthPlan, "RYW", "334").with([given(), objection()])
            .released_in_an_emergency(Basis::VitalInterests) => refused("consent-withdrawn");
    two_people_may_override_an_objection_to_save_a_life:
        advice().with([objection()]).claimed_by_two(Basis::VitalInterests)
            => goes("vital-interests");
    best_interests_do_not_overcome_the_objection_of_somebody_who_can_decide:
        advice().with([objection()]).claimed_by_two(Basis::BestInterests)
            => waits("restriction-meets-statute");
    no_claim_releases_what_was_refused:
        asks(M::TransitionHealthPlan, "RYW", "334").with([given(), objection()])
            .claimed_by_two(Basis::SafeguardingOverride) => refused("consent-withdrawn");
    a_care_act_assessment_goes_with_the_child_s_consent:
        asks(M::CareAct58Request, "334", "RYW").with([given()])
            => goes_without("consent", &[(Contact, "not-needed"),
                (DataClass::Education, "not-needed"), (DataClass::SocialCare, "not-needed"),
                (Documents, "not-needed")]);
    a_care_act_assessment_without_consent_waits_for_a_person:
        asks(M::CareAct58Request, "334", "RYW") => waits("override-needed");
    a_care_act_assessment_goes_in_the_best_interests_of_a_child_who_cannot_decide:
        asks(M::CareAct58Request, "334", "RYW").claimed_by_two(Basis::BestInterests)
            => goes_without("best-interests", &[(Contact, "not-needed"),
                (DataClass::Education, "not-needed"), (DataClass::SocialCare, "not-needed"),
                (Documents, "not-needed")]);
    a_care_act_assessment_must_go_where_there_is_abuse_even_against_a_refusal:
        asks(M::CareAct58Request, "334", "RYW").with([entry(1, ConsentStatus::Refused)])
            .claimed_by_two(Basis::SafeguardingOverride)
            => goes_without("safeguarding-override", &[(Contact, "not-needed"),
                (DataClass::Education, "not-needed"), (DataClass::SocialCare, "not-needed"),
                (Documents, "not-needed")]);
    two_people_may_act_on_a_stale_agreement_in_best_interests:
        asks(M::TransitionHealthPlan, "RYW", "334").young_person_decides().with([given()])
            .claimed_by_two(Basis::BestInterests) => goes("best-interests");
    two_people_who_act_on_a_stale_agreement_release_no_more_than_it_named:
        asks(M::TransitionHealthPlan, "RYW", "334").young_person_decides()
            .with([ConsentEntry {
                classes: vec![DataClass::Health, DataClass::Consent], ..given()
            }])
            .claimed_by_two(Basis::BestInterests)
            => goes_without("best-interests", &[(Contact, "consent-scope"),
                (DataClass::Education, "consent-scope"), (Documents, "consent-scope")]);
    two_people_may_settle_a_disagreement_between_parents_in_the_child_s_interests:
        asks(M::ChcReferral, "RYW", "QHL")
            .with([entry(1, ConsentStatus::Refused), entry(2, ConsentStatus::Given)])
            .claimed_by_two(Basis::BestInterests) => goes("best-interests");
    to_confirm_a_duty_cannot_stand_in_for_agreement:
        asks(M::CareAct58Request, "334", "RYW").claimed_by_two(Basis::Statute)
            => waits("override-needed");
}
