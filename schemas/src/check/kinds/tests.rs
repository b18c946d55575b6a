use crate::catalogue::{Catalogue, DataClass};
use crate::samples::{TODAY, draft, with};
use crate::{Draft, DraftAttachment, Field, Issue, MessageType as M, PersonalBytes, PersonalText};
use crate::{Place, Severity};

fn said(name: &str) -> Field {
    Field::from_path(&format!("particulars.{name}")).expect("it is a name of the catalogue")
}

/// The example of a type with some of its names said otherwise; none takes the name away.
fn but(kind: M, changes: &[(&str, Option<&str>)]) -> Draft {
    changes.iter().fold(draft(kind), |draft, (name, value)| {
        with(draft, said(name), &value.iter().copied().collect::<Vec<_>>())
    })
}

fn born(kind: M, on: &str) -> Draft {
    with(draft(kind), Field::DATE_OF_BIRTH, &[on])
}

fn found(issues: &[Issue], severity: Severity) -> Vec<String> {
    let issues = issues.iter().filter(|issue| issue.severity == severity);
    issues.map(|issue| format!("{} {}", issue.field, issue.rule)).collect()
}

fn refused(draft: Draft) -> Vec<String> {
    found(&draft.check(TODAY).expect_err("refused"), Severity::Error)
}

fn doubted(draft: Draft) -> Vec<String> {
    found(&draft.check(TODAY).expect("accepted").warnings, Severity::Warning)
}

fn with_a_document(mut draft: Draft) -> Draft {
    draft.attachments.push(DraftAttachment {
        name: PersonalText::new("note.txt"),
        media_type: "text/plain".to_owned(),
        content: PersonalBytes::new(b"a synthetic note".to_vec()),
        place: Place::Whole,
    });
    draft
}

#[test]
fn a_section_23_notice_is_only_about_a_child_under_compulsory_school_age() {
    // Five on 31 December 2025, so of compulsory school age from that very day.
    assert_eq!(
        refused(born(M::S23Notification, "2020-12-31")),
        ["subject.date_of_birth age-not-for-type"]
    );
    // Five on 1 January 2026, so not until 31 March 2026.
    assert!(doubted(born(M::S23Notification, "2021-01-01")).is_empty());
}

#[test]
fn the_parent_is_told_before_the_authority_is() {
    let tomorrow = but(M::S23Notification, &[("parent_informed_on", Some("2026-02-11"))]);
    assert_eq!(
        refused(tomorrow),
        [
            "particulars.parent_informed_on date-in-future",
            "particulars.discussed_on dates-out-of-order"
        ]
    );
    let not_offered = but(M::S23Notification, &[("discussion_offered_on", None)]);
    assert_eq!(refused(not_offered), ["particulars.discussion_offered_on missing"]);
    let before = but(M::S23Notification, &[("discussed_on", Some("2026-01-25"))]);
    assert_eq!(refused(before), ["particulars.discussed_on dates-out-of-order"; 2]);
}

#[test]
fn nothing_that_is_decided_agreed_or_issued_lies_in_the_future() {
    for (kind, name) in [
        (M::EhcnaDecision, "decided_on"),
        (M::AdviceExistingSufficient, "agreed_on"),
        (M::PlanDraft, "served_on"),
        (M::PlanFinal, "issued_on"),
        (M::PlanTransfer, "aware_on"),
        (M::ReviewDecision, "decided_on"),
        (M::ChcDecision, "decided_on"),
        (M::TribunalRecommendation, "recommended_on"),
        (M::TribunalResponse, "responded_on"),
        (M::PersonMerge, "effective_on"),
        (M::PersonDeath, "effective_on"),
        (M::ReviewReport, "meeting_on"),
    ] {
        let issues = refused(but(kind, &[(name, Some("2026-02-11"))]));
        let expected = format!("particulars.{name} date-in-future");
        assert!(issues.contains(&expected), "{kind}: {issues:?}");
    }
}

#[test]
fn an_address_may_be_made_safe_from_a_coming_day_and_a_move_may_lie_ahead() {
    assert!(doubted(but(M::PersonAddressSafe, &[("effective_on", Some("2026-03-01"))])).is_empty());
    assert!(doubted(but(M::PlanTransfer, &[("moved_on", Some("2026-03-01"))])).is_empty());
}

#[test]
fn no_date_is_before_the_one_it_follows() {
    for (kind, changes, later) in [
        (M::EhcnaDecision, [("assessment_requested_on", "2026-02-10")], "decided_on"),
        (M::ReviewInvite, [("papers_by", "2026-03-07")], "meeting_on"),
        (M::PlanAmended, [("notice_sent_on", "2026-02-10")], "issued_on"),
        (M::PlanFinal, [("appeal_by", "2026-02-08")], "appeal_by"),
        (M::CareAct58Request, [("requested_on", "2026-02-11")], "requested_on"),
        (M::TribunalNotice, [("respond_by", "2026-01-25")], "respond_by"),
        (M::TribunalRecommendation, [("respond_by", "2026-02-01")], "respond_by"),
    ] {
        let changes = changes.map(|(name, value)| (name, Some(value)));
        let issues = refused(but(kind, &changes));
        let about = format!("particulars.{later} date");
        assert!(issues.iter().any(|issue| issue.starts_with(&about)), "{kind}: {issues:?}");
    }
}

#[test]
fn a_family_has_fifteen_days_for_its_views_and_the_day_of_service_is_the_first() {
    // The vector of the page: served on 1 December 2025, until 15 December 2025.
    let served =
        |by| but(M::PlanDraft, &[("served_on", Some("2025-12-01")), ("views_by", Some(by))]);
    assert_eq!(refused(served("2025-12-14")), ["particulars.views_by views-too-short"]);
    assert!(doubted(served("2025-12-15")).is_empty());
    assert!(doubted(served("2026-01-05")).is_empty(), "longer is the authority's to give");
}

#[test]
fn a_decision_to_amend_goes_out_with_the_amendments_within_four_weeks_of_the_meeting() {
    let late = but(
        M::ReviewDecision,
        &[
            ("meeting_on", Some("2026-01-12")),
            ("decided_on", Some("2026-02-10")),
            ("appeal_by", None),
        ],
    );
    assert_eq!(doubted(late), ["particulars.decided_on decision-late"]);
    let without = but(M::ReviewDecision, &[("amendments_sent_on", None)]);
    let expected = ["particulars.amendments_sent_on amendments-not-with-decision"];
    assert_eq!(doubted(without), expected);
    let after = but(M::ReviewDecision, &[("amendments_sent_on", Some("2026-02-10"))]);
    assert_eq!(doubted(after), expected);
    let maintained = but(
        M::ReviewDecision,
        &[("review_decision", Some("maintain")), ("amendments_sent_on", None)],
    );
    assert!(doubted(maintained).is_empty());
}

#[test]
fn an_amended_plan_more_than_eight_weeks_after_its_notice_is_late_and_still_travels() {
    let late = but(M::PlanAmended, &[("notice_sent_on", Some("2025-12-14"))]);
    assert_eq!(doubted(late), ["particulars.issued_on plan-late"]);
    let in_time = but(M::PlanAmended, &[("notice_sent_on", Some("2025-12-15"))]);
    assert!(doubted(in_time).is_empty());
}

#[test]
fn less_than_two_months_for_an_appeal_is_doubted() {
    for kind in [M::PlanFinal, M::PlanAmended, M::PlanNotIssued, M::ReviewDecision] {
        let short = but(kind, &[("appeal_by", Some("2026-04-08"))]);
        assert_eq!(doubted(short), ["particulars.appeal_by appeal-window-short"], "{kind}");
    }
}

#[test]
fn a_plan_without_a_section_or_a_document_is_doubted() {
    let sections = "abcdefg".chars().map(|letter| format!("section_{letter}"));
    let sections = sections.chain(["h1", "h2", "i", "j"].map(|name| format!("section_{name}")));
    let bare = sections.fold(draft(M::PlanFinal), |draft, name| with(draft, said(&name), &[]));
    assert_eq!(doubted(bare.clone()), ["particulars.plan_version plan-without-content"]);
    assert!(doubted(with_a_document(bare)).is_empty());
}

#[test]
fn each_section_of_a_plan_belongs_to_the_class_of_those_who_wrote_it() {
    for (class, sections) in [
        (DataClass::Education, ["a", "b", "e", "f", "i"].as_slice()),
        (DataClass::Health, &["c", "g"]),
        (DataClass::SocialCare, &["d", "h1", "h2", "j"]),
    ] {
        for section in sections {
            let field = Catalogue::built_in().field(&format!("section_{section}"));
            assert_eq!(field.and_then(|field| field.class), Some(class), "{section}");
        }
    }
}

#[test]
fn a_plan_passes_from_one_body_to_another() {
    for kind in [M::PlanTransfer, M::RcbChange] {
        let same = but(kind, &[("old_body", Some("QHL")), ("new_body", Some("QHL"))]);
        assert_eq!(refused(same), ["particulars.new_body bodies-the-same"], "{kind}");
    }
}

#[test]
fn a_match_or_merge_names_what_was_used_before_and_what_is_used_now() {
    for kind in [M::PersonMatch, M::PersonMerge] {
        let no_old = but(kind, &[("old_nhs_number", None), ("old_person_id", None)]);
        assert_eq!(refused(no_old), ["particulars.old_nhs_number identifier-missing"], "{kind}");
        let no_new = but(kind, &[("new_nhs_number", None), ("new_person_id", None)]);
        assert_eq!(refused(no_new), ["particulars.new_nhs_number identifier-missing"], "{kind}");
    }
}

#[test]
fn two_records_that_are_merged_differ_and_a_match_may_confirm_a_number() {
    let same = |kind| {
        let number = Some("9990000026");
        but(kind, &[("old_nhs_number", number), ("new_nhs_number", number)])
    };
    let refusal = ["particulars.new_nhs_number identifiers-the-same"];
    assert_eq!(refused(same(M::PersonMerge)), refusal);
    assert!(doubted(same(M::PersonMatch)).is_empty());
}

#[test]
fn a_pointer_to_the_safeguarding_team_cannot_carry_the_concern() {
    let words = "The child said ".repeat(9);
    let told = but(M::SafeguardingAlertLink, &[("contact_route", Some(&words))]);
    assert_eq!(refused(told), ["particulars.contact_route safeguarding-route-only"]);
    let attached = with_a_document(draft(M::SafeguardingAlertLink));
    assert_eq!(refused(attached), [" attachment-not-for-type"]);
    // No name of another type is kept beside the route.
    let beside = with(draft(M::SafeguardingAlertLink), said("question"), &["What was seen"]);
    let checked = beside.check(TODAY).expect("accepted");
    assert_eq!(
        found(&checked.warnings, Severity::Warning),
        ["particulars.question field-not-for-type"]
    );
    assert!(!String::from_utf8_lossy(&checked.record.expose_json()).contains("What was seen"));
}

#[test]
fn a_document_with_a_type_that_brings_none_is_doubted() {
    for kind in [M::AdviceChaser, M::PlanCeased, M::EhcnaDecision, M::PersonDeath] {
        assert_eq!(doubted(with_a_document(draft(kind))), [" attachment-not-for-type"], "{kind}");
    }
    assert!(doubted(with_a_document(draft(M::PlanTransfer))).is_empty());
}

#[test]
fn ages_that_guidance_does_not_expect_are_doubted_and_an_adult_is_no_child() {
    let doubt = ["subject.date_of_birth age-not-for-type"];
    for (kind, day) in [
        (M::TransitionNotify14, "2014-06-01"),
        (M::TransitionNotify14, "2008-02-10"),
        (M::ChcChecklist, "2010-02-11"),
        (M::ChcReferral, "2012-01-01"),
        (M::CypCcReferral, "2008-02-10"),
    ] {
        assert_eq!(doubted(born(kind, day)), doubt, "{kind}");
    }
    assert!(doubted(born(M::ChcChecklist, "2010-02-10")).is_empty(), "sixteen today");
    assert_eq!(refused(born(M::CareAct58Request, "2008-02-10")), doubt);
    assert!(doubted(born(M::CareAct58Request, "2008-02-11")).is_empty(), "eighteen tomorrow");
}

#[test]
fn adult_healthcare_is_decided_in_principle_until_the_eighteenth_birthday() {
    let doubt = ["particulars.in_principle age-not-for-type"];
    assert_eq!(doubted(but(M::ChcDecision, &[("in_principle", Some("false"))])), doubt);
    assert_eq!(doubted(born(M::ChcDecision, "2008-02-02")), doubt, "eighteen on the day");
}

#[test]
fn a_refusal_without_its_reason_is_doubted() {
    let no = but(M::EhcnaDecision, &[("will_assess", Some("false"))]);
    assert_eq!(doubted(no), ["particulars.reason reason-missing"]);
    for (kind, decision, code) in [
        (M::PlanSectionGAgreement, "section_g_decision", "declined"),
        (M::ChcDecision, "chc_decision", "not-eligible"),
        (M::CypCcDecision, "cyp_cc_decision", "not-eligible"),
    ] {
        let silent = but(kind, &[(decision, Some(code)), ("reasons", None)]);
        assert_eq!(doubted(silent), ["particulars.reasons reason-missing"], "{kind}");
    }
}

#[test]
fn a_forecast_of_a_day_that_has_passed_is_doubted() {
    let past = but(M::AdviceLateForecast, &[("forecast_on", Some("2026-02-09"))]);
    assert_eq!(doubted(past), ["particulars.forecast_on date-in-past"]);
}

#[test]
fn sections_in_issue_are_letters_of_a_plan_and_year_groups_are_numbers() {
    let strange = but(M::TribunalNotice, &[("sections_in_issue", Some("section C"))]);
    assert_eq!(doubted(strange), ["particulars.sections_in_issue section-unknown"]);
    let year = but(M::EhcnaConsidering, &[("year_group", Some("Year 4"))]);
    assert_eq!(doubted(year), ["particulars.year_group year-group-unknown"]);
}

#[test]
fn a_correction_names_the_advice_that_it_takes_the_place_of() {
    let nothing = with(draft(M::AdviceAmend), Field::SUPERSEDES, &[]);
    assert_eq!(refused(nothing), ["supersedes missing"]);
    let itself = with(draft(M::AdviceAmend), Field::SUPERSEDES, &["T-advice-amend"]);
    assert_eq!(refused(itself), ["supersedes supersedes-itself"]);
    let recall = but(M::Recall, &[("about", Some("LA-recall"))]);
    assert_eq!(refused(recall), ["particulars.about recall-of-itself"]);
}

#[test]
fn who_decides_by_an_assessment_of_capacity_says_when_it_was_made() {
    for decider in ["competent-child", "alternative-person"] {
        let consent = with(draft(M::ConsentRefuse), Field::CONSENT_GIVEN_BY, &[decider]);
        let silent = with(consent.clone(), Field::CONSENT_ASSESSED_ON, &[]);
        assert_eq!(doubted(silent), ["consent.assessed_on capacity-not-assessed"]);
        assert!(doubted(consent).is_empty());
    }
}

#[test]
fn a_transport_receipt_says_nothing_of_what_was_made_of_the_message() {
    let receipt = with(draft(M::TransportReceipt), Field::NOTICE_OUTCOME, &["accepted"]);
    assert_eq!(doubted(receipt), ["notice.outcome field-not-for-type"]);
}

#[test]
fn no_issue_of_these_rules_holds_a_value() {
    let issues = but(M::PlanTransfer, &[("old_body", Some("QHL")), ("new_body", Some("QHL"))])
        .check(TODAY)
        .expect_err("refused");
    assert!(issues.iter().all(|issue| !issue.message.contains("QHL")));
    let place = issues.first().map(|issue| issue.place.clone());
    assert_eq!(place, Some(Place::Cell { line: 99, column: 7 }));
}
