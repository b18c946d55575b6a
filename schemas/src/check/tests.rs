use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::record::{Body, ConsentStatus, DecisionMaker, RejectionReason};
use crate::samples::{TODAY, draft, with};
use crate::{DraftAttachment, Place, Severity};

/// The errors of a draft, as `field rule`.
fn errors(draft: Draft) -> Vec<String> {
    named(&draft.check(TODAY).expect_err("refused"), Severity::Error)
}

/// The warnings of a draft that is accepted, as `field rule`.
fn warnings(draft: Draft) -> Vec<String> {
    named(&draft.check(TODAY).expect("accepted").warnings, Severity::Warning)
}

fn named(issues: &[Issue], severity: Severity) -> Vec<String> {
    let of_severity = issues.iter().filter(|issue| issue.severity == severity);
    of_severity.map(|issue| format!("{} {}", issue.field, issue.rule)).collect()
}

fn accepted(draft: Draft) -> Message {
    draft.check(TODAY).expect("accepted").record.message().clone()
}

use MessageType as M;

#[test]
fn every_rule_about_one_value_refuses_it_at_its_place() {
    let long_name = "n".repeat(201);
    let long_line = "n".repeat(501);
    let cases: &[(M, Field, &str, &str)] = &[
        (M::AdviceRequest, Field::TYPE, "advice", "type-unknown"),
        (M::AdviceRequest, Field::VERSION, "2", "version-unknown"),
        (M::AdviceRequest, Field::ID, "two words", "identifier-characters"),
        (M::AdviceRequest, Field::SENDER, "LONGCODE", "identifier-length"),
        (M::AdviceRequest, Field::LEG, "leg-1", "identifier-characters"),
        (M::AdviceRequest, Field::NHS_NUMBER, "9991234560", "identifier-check-digit"),
        (M::AdviceRequest, Field::NHS_NUMBER, "0000000000", "identifier-filler"),
        (M::AdviceRequest, Field::NHS_NUMBER, "999000001", "identifier-length"),
        (M::AdviceRequest, Field::FAMILY_NAME, &long_name, "too-long"),
        (M::AdviceRequest, Field::GIVEN_NAMES, "Fe\u{0}rn", "control-characters"),
        (M::AdviceRequest, Field::ADDRESS, &long_line, "too-long"),
        (M::AdviceRequest, Field::DATE_OF_BIRTH, "2016-02-30", "date-impossible"),
        (M::AdviceRequest, Field::DATE_OF_BIRTH, "14/05/2016", "date-impossible"),
        (M::AdviceRequest, Field::DATE_OF_BIRTH, "2026-02-11", "date-in-future"),
        (M::AdviceRequest, Field::DATE_OF_BIRTH, "1900-01-01", "date-of-birth-implausible"),
        (M::AdviceRequest, Field::SEX, "Female", "code-unknown"),
        (M::AdviceRequest, Field::REQUESTED_ON, "2026-02-11", "date-in-future"),
        (M::AdviceRequest, Field::SERVICES, "S_LT", "identifier-characters"),
        (M::AdviceRequest, Field::YEAR_9_OR_ABOVE, "Y", "not-true-or-false"),
        (M::AdviceRequest, Field::REPLACES_LEG, "leg-1", "identifier-characters"),
        (M::AdviceRequest, Field::CONSENT_STATUS, "Yes", "code-unknown"),
        (M::AdviceRequest, Field::CONSENT_GIVEN_BY, "Mum", "code-unknown"),
        (M::AdviceRequest, Field::CONSENT_KIND, "all", "code-unknown"),
        (M::AdviceRequest, Field::CONSENT_DATE, "2026-02-11", "date-in-future"),
        (M::AdviceRequest, Field::CONSENT_EXPIRES, "2026-01-04", "dates-out-of-order"),
        (M::AdviceRequest, Field::CONSENT_PURPOSES, "Anything at all", "purpose-shape"),
        (M::AdviceRequest, Field::CONSENT_EXCLUSIONS, "the trust", "identifier-characters"),
        (M::ConsentGrant, Field::CONSENT_STATUS, "withdrawn", "consent-contradiction"),
        (M::ConsentWithdraw, Field::CONSENT_STATUS, "given", "consent-contradiction"),
        (M::AdviceRejected, Field::TRIAGE_REASON, "BUSY", "code-unknown"),
        (M::AdviceRedirected, Field::TRIAGE_REDIRECT_TO, "R-K", "identifier-characters"),
        (M::AdviceResponse, Field::ADVICE_BASIS, "hearsay", "code-unknown"),
        (M::AdviceNil, Field::NIL_REASON, "waiting-list", "code-unknown"),
        (M::AdviceException, Field::EXCEPTION_LIMB, "d", "code-unknown"),
        (M::AdviceException, Field::EXCEPTION_EXPECTED, "2026-01-20", "dates-out-of-order"),
        (M::Acknowledgement, Field::NOTICE_OUTCOME, "read", "code-unknown"),
        (M::Error, Field::NOTICE_CODE, "OOPS", "code-unknown"),
    ];
    for (kind, field, value, rule) in cases {
        let issues = with(draft(*kind), *field, &[value]).check(TODAY).expect_err("refused");
        let found = issues.iter().find(|issue| issue.rule == *rule && issue.is_error());
        let found = found.unwrap_or_else(|| panic!("{kind}, {field}, {rule}: {issues:?}"));
        assert_eq!(found.field, field.path());
        assert_eq!(found.place, Place::Cell { line: 99, column: 7 }, "{rule}");
        assert!(!found.message.is_empty() && !found.next.is_empty());
    }
}

#[test]
fn each_type_says_which_of_its_fields_are_missing() {
    let cases: &[(M, &[Field])] = &[
        (M::AdviceRequest, &[Field::ID, Field::SENDER, Field::CASE, Field::REQUESTED_ON]),
        (M::AdviceRequest, &[Field::SERVICES, Field::FAMILY_NAME, Field::GIVEN_NAMES]),
        (M::AdviceRequest, &[Field::DATE_OF_BIRTH, Field::TYPE]),
        (M::AdviceRequest, &[Field::CONSENT_GIVEN_BY, Field::CONSENT_DATE]),
        (M::AdviceAccepted, &[Field::LEG]),
        (M::AdviceRejected, &[Field::LEG, Field::TRIAGE_REASON]),
        (M::AdviceRedirected, &[Field::LEG, Field::TRIAGE_REDIRECT_TO]),
        (M::AdviceResponse, &[Field::AUTHOR_NAME, Field::AUTHOR_PROFESSION, Field::ADVICE_DATE]),
        (M::AdviceNil, &[Field::LEG, Field::NIL_REASON]),
        (M::AdviceException, &[Field::EXCEPTION_LIMB, Field::EXCEPTION_EVIDENCE]),
        (M::AdviceException, &[Field::EXCEPTION_FROM, Field::EXCEPTION_EXPECTED]),
        (M::ConsentGrant, &[Field::CONSENT_GIVEN_BY, Field::CONSENT_DATE]),
        (M::TransitionHealthPlan, &[Field::RECIPIENT, Field::NAMED_WORKER, Field::PLAN_DATE]),
        (M::TransitionHealthPlan, &[Field::ACTIONS]),
        (M::Acknowledgement, &[Field::RECIPIENT, Field::NOTICE_ABOUT, Field::NOTICE_OUTCOME]),
        (M::Error, &[Field::NOTICE_CODE]),
    ];
    for (kind, fields) in cases {
        for field in *fields {
            let issues = with(draft(*kind), *field, &[]).check(TODAY).expect_err("refused");
            let expected = format!("{} missing", field.path());
            assert_eq!(named(&issues, Severity::Error), [expected], "{kind}");
            assert_eq!(issues.first().map(|i| i.place.clone()), Some(Place::Row { line: 1 }));
        }
    }
}

#[test]
fn a_required_text_that_is_blank_is_missing_and_its_place_is_known() {
    let issues = with(draft(M::AdviceRequest), Field::FAMILY_NAME, &[" \u{a0}"])
        .check(TODAY)
        .expect_err("refused");
    assert_eq!(named(&issues, Severity::Error), ["subject.family_name missing"]);
    assert_eq!(issues.first().map(|i| i.place.clone()), Some(Place::Cell { line: 99, column: 7 }));
}

#[test]
fn several_faults_are_reported_at_once_in_the_order_of_the_fields() {
    let mut bad = draft(M::AdviceRequest);
    for (field, value) in [
        (Field::REQUESTED_ON, "yesterday"),
        (Field::NHS_NUMBER, "9876544321"),
        (Field::SENDER, "?"),
        (Field::CONSENT_GIVEN_BY, "Nan"),
    ] {
        bad = with(bad, field, &[value]);
    }
    bad = with(bad, Field::CASE, &[]);
    assert_eq!(
        errors(bad),
        [
            "sender identifier-characters",
            "case missing",
            "subject.nhs_number identifier-check-digit",
            "request.requested_on date-impossible",
            "consent.given_by code-unknown",
        ]
    );
}

#[test]
fn a_subject_needs_one_of_two_identifiers() {
    let without = with(draft(M::AdviceRequest), Field::NHS_NUMBER, &[]);
    assert!(accepted(without.clone()).subject.is_some_and(|s| s.nhs_number.is_none()));
    let neither = with(without, Field::LA_PERSON_ID, &[]);
    assert_eq!(errors(neither), ["subject.nhs_number subject-identifier-missing"]);
}

#[test]
fn a_field_given_twice_is_reported_once_unless_it_may_repeat() {
    let twice = with(draft(M::AdviceRequest), Field::FAMILY_NAME, &["Alder", "Rowan", "Elm"]);
    assert_eq!(errors(twice), ["subject.family_name field-repeated"]);
    let many = with(draft(M::AdviceRequest), Field::QUESTIONS, &["One?", "Two?", "Three?"]);
    let Body::Request(request) = accepted(many).body else { panic!("a request") };
    assert_eq!(request.questions.len(), 3);
}

#[test]
fn a_service_named_twice_is_asked_once() {
    let twice = with(draft(M::AdviceRequest), Field::SERVICES, &["SALT", "OT", "salt"]);
    let Body::Request(request) = accepted(twice).body else { panic!("a request") };
    let services: Vec<&str> = request.services.iter().map(crate::ServiceCode::as_str).collect();
    assert_eq!(services, ["SALT", "OT"]);
}

#[test]
fn what_is_often_wrong_in_practice_is_a_warning_and_left_out_where_it_is_useless() {
    let upn = with(draft(M::AdviceRequest), Field::UPN, &["A334210024017"]);
    assert_eq!(warnings(upn.clone()), ["subject.upn upn-check-letter"]);
    assert!(accepted(upn).subject.is_some_and(|s| s.upn.is_some()));
    let upn = with(draft(M::AdviceRequest), Field::UPN, &["unknown"]);
    assert_eq!(warnings(upn.clone()), ["subject.upn upn-shape"]);
    assert!(accepted(upn).subject.is_some_and(|s| s.upn.is_none()));
    for postcode in ["XXX XXX", "nope", "nopostcode", "B91", "somewhere in Solihull"] {
        let bad = with(draft(M::AdviceRequest), Field::POSTCODE, &[postcode]);
        assert_eq!(warnings(bad.clone()), ["subject.postcode postcode-shape"], "{postcode}");
        assert!(accepted(bad).subject.is_some_and(|s| s.postcode.is_none()));
    }
}

#[test]
fn a_postcode_is_kept_in_its_one_form() {
    let subject = accepted(with(draft(M::AdviceRequest), Field::POSTCODE, &["b913qb"])).subject;
    let postcode = subject.and_then(|subject| subject.postcode);
    assert_eq!(postcode.map(|p| p.expose().to_owned()), Some("B91 3QB".to_owned()));
}

#[test]
fn agreement_with_an_unknown_giver_is_refused_and_says_only_that() {
    let row = with(draft(M::AdviceRequest), Field::CONSENT_GIVEN_BY, &["foster carer"]);
    assert_eq!(errors(row), ["consent.given_by code-unknown"]);
}

#[test]
fn agreement_without_giver_and_date_lacks_both() {
    let row = with(draft(M::AdviceRequest), Field::CONSENT_GIVEN_BY, &[]);
    let row = with(row, Field::CONSENT_DATE, &[]);
    let row = with(row, Field::CONSENT_EXPIRES, &[]);
    assert_eq!(errors(row.clone()), ["consent.given_by missing", "consent.date missing"]);
    for status in ["refused", "withdrawn", "not-recorded"] {
        let row = with(row.clone(), Field::CONSENT_STATUS, &[status]);
        assert!(accepted(row).consent.is_some(), "{status} needs neither");
    }
}

#[test]
fn exclusions_are_not_lost_when_the_status_is_missing() {
    let row = with(draft(M::AdviceRequest), Field::CONSENT_STATUS, &[]);
    assert_eq!(warnings(row.clone()), ["consent.status consent-status-missing"]);
    let consent = accepted(row).consent.expect("kept");
    assert_eq!(consent.status, ConsentStatus::NotRecorded);
    assert_eq!(consent.exclusions.len(), 1);
}

#[test]
fn a_message_that_says_nothing_of_agreement_records_none() {
    assert_eq!(accepted(draft(M::AdviceAccepted)).consent, None);
}

#[test]
fn a_consent_message_takes_its_status_from_its_type() {
    let grant = with(draft(M::ConsentGrant), Field::CONSENT_STATUS, &[]);
    let consent = accepted(grant).consent.expect("recorded");
    assert_eq!(consent.status, ConsentStatus::Given);
    assert_eq!(consent.given_by, Some(DecisionMaker::YoungPerson));
    let withdraw = with(draft(M::ConsentWithdraw), Field::CONSENT_STATUS, &[]);
    assert_eq!(accepted(withdraw).consent.map(|c| c.status), Some(ConsentStatus::Withdrawn));
}

#[test]
fn fields_of_another_type_of_message_are_reported_and_left_out() {
    let mut stray = draft(M::AdviceNil);
    stray.set(Field::SUMMARY, "Quite well", Place::Whole);
    stray.set(Field::HEALTH_NEEDS, "None", Place::Whole);
    stray.set(Field::HEALTH_NEEDS, "None again", Place::Whole);
    let expected = ["advice.summary field-not-for-type", "advice.health_needs field-not-for-type"];
    assert_eq!(warnings(stray), expected);
}

#[test]
fn advice_that_says_nothing_is_refused_unless_a_document_says_it() {
    let mut empty = draft(M::AdviceResponse);
    for field in [Field::SUMMARY, Field::HEALTH_NEEDS, Field::EDUCATIONAL_NEEDS] {
        empty = with(empty, field, &[]);
    }
    assert_eq!(errors(empty.clone()), ["advice.summary advice-empty"]);
    empty.attachments.push(document("report.pdf", b"%PDF-1.7 synthetic"));
    assert!(empty.check(TODAY).is_ok());
}

#[test]
fn advice_dated_in_the_future_is_accepted_with_a_warning() {
    let dated = with(draft(M::AdviceResponse), Field::ADVICE_DATE, &["2026-02-11"]);
    assert_eq!(warnings(dated), ["advice.date date-in-future"]);
    let seen = with(draft(M::AdviceNil), Field::NIL_LAST_SEEN, &["2062-02-10"]);
    assert_eq!(warnings(seen), ["nil.last_seen_on date-in-future"]);
}

#[test]
fn a_rejecting_acknowledgement_says_why() {
    let rejecting = with(draft(M::Acknowledgement), Field::NOTICE_OUTCOME, &["rejected"]);
    assert_eq!(errors(rejecting.clone()), ["notice.code missing"]);
    let rejecting = with(rejecting, Field::NOTICE_CODE, &["OUT_OF_AREA"]);
    let Body::Notice(notice) = accepted(rejecting).body else { panic!("a notice") };
    assert_eq!(notice.code, Some(RejectionReason::OutOfArea));
}

#[test]
fn a_refusal_for_mismatched_identity_discloses_nothing_more() {
    let notice = with(draft(M::Error), Field::NOTICE_CODE, &["IDENTITY_MISMATCH"]);
    assert_eq!(warnings(notice.clone()), ["notice.detail mismatch-detail"]);
    let Body::Notice(body) = accepted(notice).body else { panic!("a notice") };
    assert_eq!(body.detail, None);
    let triage = with(draft(M::AdviceRejected), Field::TRIAGE_REASON, &["IDENTITY_MISMATCH"]);
    let Body::Triage(body) = accepted(triage).body else { panic!("a triage") };
    assert_eq!(body.note, None);
}

#[test]
fn notes_of_the_reader_come_first_and_an_error_among_them_refuses_the_record() {
    let mut noted = draft(M::AdviceNil);
    noted.notes.push(Issue::warning("date-format", None, Place::Row { line: 1 }, "a", "b"));
    assert_eq!(warnings(noted.clone()), [" date-format"]);
    noted.notes.push(Issue::error("row-short", None, Place::Row { line: 1 }, "a", "b"));
    assert_eq!(errors(noted), [" row-short"]);
}

fn document(name: &str, content: &[u8]) -> DraftAttachment {
    DraftAttachment {
        name: PersonalText::new(name),
        media_type: "application/octet-stream".to_owned(),
        content: crate::PersonalBytes::new(content.to_vec()),
        place: Place::Whole,
    }
}

#[test]
fn a_document_is_what_its_content_says() {
    let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let cases: &[(&[u8], Option<&str>)] = &[
        (b"%PDF-1.7", Some("application/pdf")),
        (b"{\\rtf1 x}", Some("application/rtf")),
        (b"II*\0rest", Some("image/tiff")),
        (b"MM\0*rest", Some("image/tiff")),
        (b"PK\x03\x04....word/document.xml", Some(word)),
        (b"PK\x03\x04....xl/workbook.xml", None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", Some("application/msword")),
        (b"Plain words,\r\n\tand more.", Some("text/plain")),
        (b"<html><script>", None),
        (b"  <svg/>", None),
        (b"MZ\x90\x00", None),
        (b"\xff\xfe", None),
        (b"   ", None),
        (b"", None),
    ];
    for (content, expected) in cases {
        let mut advice = draft(M::AdviceResponse);
        advice.attachments.push(document("report.pdf", content));
        match (advice.check(TODAY), expected) {
            (Ok(checked), Some(expected)) => {
                assert_eq!(checked.record.attachments()[0].media_type, *expected);
            }
            (Err(issues), None) => {
                assert_eq!(named(&issues, Severity::Error), [" attachment-type"]);
            }
            (outcome, _) => panic!("{content:?}: {outcome:?}"),
        }
    }
}

#[test]
fn the_name_of_a_document_is_made_safe() {
    let cases = [
        ("../../etc/passwd", "....etcpasswd"),
        ("re port\"\r\n.pdf", "report.pdf"),
        ("..", "document"),
        ("отчёт", "document"),
        ("", "document"),
    ];
    for (name, safe) in cases {
        let mut advice = draft(M::AdviceResponse);
        advice.attachments.push(document(name, b"%PDF-1.7"));
        let checked = advice.check(TODAY).expect("accepted");
        assert_eq!(checked.record.attachments()[0].name.expose(), safe);
    }
}

#[test]
fn a_plan_ends_at_25_and_so_does_the_gateway() {
    let oldest = with(draft(M::AdviceNil), Field::DATE_OF_BIRTH, &["2000-12-31"]);
    assert!(oldest.clone().check(TODAY).is_ok());
    assert!(oldest.check(date(2027, 1, 1)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_issue_ever_holds_the_value(
        kind in 0..MessageType::ALL.len(), position in 0..Field::ALL.len(),
        shape in prop::sample::select(vec!["", "2016-", "999", "\u{0}", "given "]),
        long in any::<bool>(),
    ) {
        const CANARY: &str = "qqcanary77";
        let (kind, field) = (MessageType::ALL[kind], Field::ALL[position]);
        let value = format!("{shape}{CANARY}{}", CANARY.repeat(if long { 7_000 } else { 0 }));
        let mut bad = with(draft(kind), field, &[&value, &value]);
        bad.attachments.push(document(&value, b"MZ\x90\x00"));
        let issues = bad.check(TODAY).expect_err("the document is refused");
        let shown = issues.iter().map(|issue| format!("{issue} {issue:?}"));
        let shown = shown.collect::<Vec<_>>().concat();
        prop_assert!(!shown.contains(CANARY), "{field} of {kind}");
        let json = serde_json::to_string(&issues).expect("JSON");
        prop_assert!(!json.contains(CANARY));
    }

    #[test]
    fn no_text_in_any_field_makes_a_check_panic(
        kind in 0..MessageType::ALL.len(), position in 0..Field::ALL.len(), text in any::<String>(),
    ) {
        let bad = with(draft(MessageType::ALL[kind]), Field::ALL[position], &[&text]);
        if let Err(issues) = bad.check(TODAY) {
            prop_assert!(issues.iter().any(Issue::is_error));
        }
    }
}

#[test]
fn no_field_of_any_type_shows_its_value_in_an_issue() {
    const CANARY: &str = "Qq Canary 77";
    for kind in MessageType::ALL {
        for field in Field::ALL {
            let bad = with(draft(kind), field, &[CANARY, CANARY]);
            let issues = match bad.check(TODAY) {
                Ok(checked) => checked.warnings,
                Err(issues) => issues,
            };
            let shown = format!("{issues:?} {}", serde_json::to_string(&issues).expect("JSON"));
            assert!(!shown.contains("Canary"), "{field} of {kind}");
        }
    }
}
