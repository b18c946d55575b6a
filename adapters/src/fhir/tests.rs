use proptest::prelude::*;
use proptest::strategy::ValueTree;
use schemas::catalogue::DataClass;
use schemas::record::{
    Attachment, Body, ConsentStatus, ExceptionLimb, NoticeOutcome, RejectionReason, Restriction,
};
use schemas::{Field, Message, MessageType};
use serde_json::Value;

use super::*;
use crate::json::samples::{self, TODAY, outbound, records, verdict};

fn read_back(bytes: &[u8]) -> (Message, Vec<Attachment>) {
    let mut reading = read(bytes).expect("it is read");
    let item = reading.items.pop().expect("there is one message");
    let checked = item.draft.check(TODAY).expect("it is accepted");
    let ours = checked.warnings.iter().filter(|warning| warning.rule.starts_with("fhir"));
    assert_eq!(ours.count(), 0, "the gateway warns about what it wrote itself");
    (checked.record.message().clone(), checked.record.attachments().to_vec())
}

fn sample(kind: MessageType) -> Record {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    records(kind).new_tree(&mut runner).expect("a sample").current()
}

fn written(kind: MessageType) -> Value {
    let bytes = write(&sample(kind), &outbound(Some("SALT"))).expect("it is written");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("fhir/good", true, read);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("fhir/bad", false, read);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    samples::leaks_nothing("fhir/good", read);
}

#[test]
fn every_type_of_message_has_a_good_file_in_the_corpus() {
    let corpus = samples::corpus("fhir/good");
    let silent = corpus.iter().filter(|sample| !sample.name.starts_with("warned"));
    let mut seen: Vec<MessageType> = silent.map(|sample| read_back(&sample.bytes).0.kind).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, MessageType::ALL);
}

#[test]
fn the_header_of_a_request_comes_first_and_names_the_leg_and_the_due_date() {
    let bundle = written(MessageType::AdviceRequest);
    let header = &bundle["entry"][0]["resource"];
    assert_eq!(header["resourceType"], "MessageHeader");
    assert_eq!(header["id"], outbound(None).delivery.to_string());
    assert_eq!(header["destination"][0]["endpoint"], "urn:ehc-gateway:organisation:RRK");
    let entries = bundle["entry"].as_array().expect("there are entries");
    let task = entries.iter().find(|e| e["resource"]["resourceType"] == "Task").expect("a Task");
    assert_eq!(header["focus"][0]["reference"], task["fullUrl"]);
    let task = &task["resource"];
    assert_eq!(task["identifier"][0]["value"], samples::LEG);
    assert_eq!(task["restriction"]["period"]["end"], "2026-04-13");
}

#[test]
fn the_same_delivery_is_written_to_the_same_bytes() {
    let record = sample(MessageType::AdviceResponse);
    let again = || write(&record, &outbound(None)).expect("it is written");
    assert_eq!(again(), again());
}

#[test]
fn every_reference_written_is_resolved_and_every_address_is_its_own() {
    for kind in MessageType::ALL {
        let bundle = written(kind);
        let entries = bundle["entry"].as_array().expect("there are entries");
        let mut urls: Vec<&str> = entries.iter().filter_map(|e| e["fullUrl"].as_str()).collect();
        let mut references = Vec::new();
        collect(&bundle, &mut references);
        for reference in references {
            assert!(urls.contains(&reference), "{kind}: {reference}");
        }
        urls.sort_unstable();
        urls.dedup();
        assert_eq!(urls.len(), entries.len(), "{kind}");
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("reference").and_then(Value::as_str));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_summer_evening_keeps_its_day_in_england() {
    assert_eq!(dates::civil_date("2026-06-30T23:30:00Z"), "2026-07-01");
    assert_eq!(dates::civil_date("2026-01-30T23:30:00Z"), "2026-01-30");
    assert_eq!(dates::civil_date("2026-06-30T23:30:00+01:00"), "2026-06-30");
    assert_eq!(dates::civil_date("2026-06"), "2026-06");
    assert_eq!(dates::civil_date("no date"), "no date");
}

/// What FHIR does not carry, or carries for one recipient only, made equal.
fn comparable(message: &Message) -> Message {
    let mut message = message.clone();
    if let Body::Notice(_) = message.body {
        message.leg = None;
    }
    if matches!(message.body, Body::Decision(_) | Body::Transition(_)) {
        message.leg = None;
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(record in prop::sample::select(&MessageType::ALL[..]).prop_flat_map(records)) {
        let bytes = write(&record, &outbound(None)).expect("it is written");
        let (message, attachments) = read_back(&bytes);
        prop_assert_eq!(comparable(&message), comparable(record.message()));
        prop_assert_eq!(&attachments[..], record.attachments());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = verdict(read(&bytes));
    }

    #[test]
    fn damaged_bundles_never_panic(
        which in any::<prop::sample::Index>(), at in any::<usize>(), how in any::<u8>(), byte in any::<u8>(),
    ) {
        let corpus = samples::corpus("fhir/good");
        let bytes = which.get(&corpus).bytes.clone();
        let _ = verdict(read(&samples::damaged(bytes, at, how, byte)));
    }
}

fn good(name: &str) -> (Message, Vec<Attachment>) {
    let corpus = samples::corpus("fhir/good");
    let sample = corpus.iter().find(|sample| sample.name == name).expect("it is in the corpus");
    read_back(&sample.bytes)
}

#[test]
fn a_document_reference_gives_author_dates_summary_and_the_document() {
    let (message, attachments) = good("response-document-reference.json");
    let subject = message.subject.expect("there is a person");
    assert_eq!(subject.family_name.expose(), "Sample", "the official name, not the first");
    assert_eq!(subject.given_names.expose(), "Robin Lee");
    assert_eq!(subject.postcode.expect("there is one").expose(), "ZX9 9ZZ", "home, not first");
    assert_eq!(subject.address.expect("there is one").expose(), "1 Sample Road, Anytown");
    assert_eq!(message.sender.as_str(), "RRK");
    assert_eq!(message.leg.expect("there is one").to_string(), samples::LEG);
    let Body::Advice(advice) = message.body else { panic!("it is not advice") };
    assert_eq!(advice.author_name.expose(), "Dr Alex Example");
    assert_eq!(advice.author_profession.expose(), "Consultant paediatrician");
    assert_eq!(advice.date.to_string(), "2026-02-27");
    assert_eq!(advice.last_seen_on.expect("there is one").to_string(), "2026-02-20");
    assert_eq!(advice.summary.expect("there is one").expose(), "Health advice.");
    assert_eq!(attachments[0].content.expose(), b"%PDF-1.7 synthetic");
}

#[test]
fn a_document_bundle_gives_the_same_alone_and_inside_a_message() {
    for name in ["document-bundle.json", "response-nested-document.json"] {
        let (message, attachments) = good(name);
        assert_eq!(message.leg.expect("there is one").to_string(), samples::LEG, "{name}");
        assert_eq!(message.sender.as_str(), "RRK", "{name}");
        let Body::Advice(advice) = message.body else { panic!("it is not advice") };
        let summary = advice.summary.expect("there is one");
        assert_eq!(summary.expose(), "Opinion\nSeen in clinic.\nDoing well & growing.", "{name}");
        assert_eq!(advice.health_needs[0].expose(), "Need one", "{name}");
        assert_eq!(advice.author_name.expose(), "Dr Alex Example", "{name}");
        assert_eq!(attachments.len(), 1, "{name}");
    }
}

#[test]
fn an_exception_gives_its_limb_evidence_and_dates() {
    let Body::Exception(exception) = good("exception.json").0.body else { panic!("it is not one") };
    assert_eq!(exception.limb, ExceptionLimb::C);
    assert_eq!(exception.evidence.expose(), "Two appointments were not kept.");
    assert_eq!(exception.from.to_string(), "2026-02-10");
    assert_eq!(exception.expected_on.to_string(), "2026-05-01");
}

#[test]
fn a_consent_gives_who_decided_until_when_and_who_is_left_out() {
    let consent = good("consent-grant.json").0.consent.expect("there is consent");
    assert_eq!(consent.status, ConsentStatus::Given);
    assert_eq!(consent.expires_on.expect("there is one").to_string(), "2027-02-20");
    assert_eq!(consent.exclusions[0].as_str(), "RXT");
    let withdrawn = good("consent-withdraw.json").0.consent.expect("there is consent");
    assert_eq!(withdrawn.status, ConsentStatus::Withdrawn);
}

#[test]
fn a_consent_gives_the_recipients_and_classes_it_is_for() {
    let consent = good("consent-permit.json").0.consent.expect("there is consent");
    let codes = |list: &[schemas::OrganisationCode]| {
        list.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes(&consent.recipients), ["RXT"]);
    assert_eq!(codes(&consent.exclusions), ["RYW"]);
    assert_eq!(consent.classes, [DataClass::Health, DataClass::Documents]);
    // The same at the root of the provision, where some systems write it.
    let restricted = good("consent-restriction.json").0.consent.expect("there is consent");
    assert_eq!(restricted.status, ConsentStatus::Restricted);
    assert_eq!(restricted.restriction, Some(Restriction::ProtectedAddress));
    assert_eq!(codes(&restricted.recipients), ["RXT"]);
    assert_eq!(restricted.classes, [DataClass::Contact]);
}

#[test]
fn refused_stale_and_lifted_are_told_by_the_event_and_fhirs_own_status() {
    let status = |name| good(name).0.consent.expect("there is consent").status;
    assert_eq!(status("consent-refuse.json"), ConsentStatus::Refused);
    assert_eq!(status("consent-stale.json"), ConsentStatus::Stale);
    assert_eq!(status("consent-lifted.json"), ConsentStatus::Lifted);
    let refused = good("consent-refuse.json").0.consent.expect("there is consent");
    assert_eq!(refused.assessed_on.expect("there is one").to_string(), "2026-02-02");
    assert_eq!(refused.assessed_by.expect("there is one").expose(), "Sam Example");
}

#[test]
fn every_decision_is_written_with_its_exact_name_and_a_status_of_fhir_that_goes_with_it() {
    for (said, status) in consent::EXACT {
        let restriction = matches!(said, "restricted" | "lifted");
        let kind =
            if restriction { MessageType::ConsentRestriction } else { MessageType::AdviceRequest };
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut draft = samples::drafts(kind).new_tree(&mut runner).expect("a sample").current();
        draft.fields.retain(|(field, _)| *field != Field::CONSENT_STATUS);
        draft.set(Field::CONSENT_STATUS, said, schemas::Place::Whole);
        if said == "given" {
            for (field, value) in
                [(Field::CONSENT_GIVEN_BY, "parent"), (Field::CONSENT_DATE, "2026-01-05")]
            {
                draft.fields.retain(|(other, _)| *other != field);
                draft.set(field, value, schemas::Place::Whole);
            }
        }
        let record = draft.check(TODAY).expect("it is right").record;
        let bytes = write(&record, &outbound(None)).expect("it is written");
        let bundle: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        let entries = bundle["entry"].as_array().expect("there are entries");
        let consent = entries.iter().find(|e| e["resource"]["resourceType"] == "Consent");
        assert_eq!(consent.expect("a Consent")["resource"]["status"], status, "{said}");
        let read = read_back(&bytes).0.consent.expect("there is consent").status;
        assert_eq!(serde_json::to_value(read).expect("a name"), said);
    }
}

#[test]
fn what_the_catalogue_names_is_said_in_a_communication_about_the_person() {
    let bundle = written(MessageType::PlanSectionGAgreement);
    let entries = bundle["entry"].as_array().expect("there are entries");
    let said = entries.iter().find(|e| e["resource"]["resourceType"] == "Communication");
    let said = said.expect("a Communication");
    assert_eq!(bundle["entry"][0]["resource"]["focus"][0]["reference"], said["fullUrl"]);
    let said = &said["resource"];
    assert_eq!(said["status"], "completed");
    assert_eq!(said["category"][0]["coding"][0]["code"], "plan.section_g_agreement");
    let payloads = said["payload"].as_array().expect("there are payloads");
    let decision = payloads.iter().find(|payload| {
        let concept = &payload["extension"][0]["valueCodeableConcept"];
        concept["coding"][0]["code"] == "section_g_decision"
    });
    let decision = decision.expect("the decision")["contentString"].as_str().expect("a text");
    assert!(["agreed", "declined", "agreed-in-part"].contains(&decision));
}

#[test]
fn an_answer_to_a_leg_is_a_task_and_what_it_takes_the_place_of_stands_in_the_header() {
    let bundle = written(MessageType::AdviceLateForecast);
    let entries = bundle["entry"].as_array().expect("there are entries");
    let task = entries.iter().find(|e| e["resource"]["resourceType"] == "Task").expect("a Task");
    assert_eq!(task["resource"]["status"], "in-progress");
    assert_eq!(task["resource"]["identifier"][0]["value"], samples::LEG);
    let amended = written(MessageType::AdviceAmend);
    let earlier = &amended["entry"][0]["resource"]["extension"][0];
    assert_eq!(earlier["url"], systems::EXTENSION_SUPERSEDES);
    assert_eq!(earlier["valueIdentifier"]["value"], "MSG-0000");
}

#[test]
fn a_reply_says_what_became_of_which_message() {
    let Body::Notice(notice) = good("ack-rejected.json").0.body else { panic!("it is not one") };
    assert_eq!(notice.about.expose(), "MSG-1");
    assert_eq!(notice.outcome, Some(NoticeOutcome::Rejected));
    assert_eq!(notice.code, Some(RejectionReason::Schema));
    let Body::Notice(notice) = good("ack-accepted.json").0.body else { panic!("it is not one") };
    assert_eq!(notice.outcome, Some(NoticeOutcome::Accepted));
}

#[test]
fn an_ended_name_is_not_used_and_equal_choices_are_reported() {
    let corpus = samples::corpus("fhir/good");
    let sample = corpus.iter().find(|sample| sample.name == "nil.json").expect("it is there");
    let mut bundle: Value = serde_json::from_slice(&sample.bytes).expect("it is JSON");
    let names = &mut bundle["entry"][2]["resource"]["name"];
    *names = serde_json::json!([
        {"use": "official", "family": "Ended", "given": ["A"], "period": {"end": "2025-12-31"}},
        {"use": "official", "family": "Ending", "given": ["B"], "period": {"end": "2026-12-31"}},
        {"family": "Unmarked", "given": ["C"]},
    ]);
    let (message, _) = read_back(&serde_json::to_vec(&bundle).expect("it is JSON"));
    assert_eq!(message.subject.expect("there is one").family_name.expose(), "Ending");

    let names = &mut bundle["entry"][2]["resource"]["name"];
    *names =
        serde_json::json!([{"family": "One", "given": ["A"]}, {"family": "Two", "given": ["B"]}]);
    let (accepted, issues) = verdict(read(&serde_json::to_vec(&bundle).expect("it is JSON")));
    assert!(accepted);
    assert_eq!(issues.iter().map(|i| i.rule.as_str()).collect::<Vec<_>>(), ["fhir-choice-unclear"]);
}

#[test]
fn what_is_forbidden_is_found_in_nested_ignored_and_contained_resources() {
    let corpus = samples::corpus("fhir/good");
    let sample = corpus.iter().find(|s| s.name == "response-nested-document.json").expect("it is");
    let bundle: Value = serde_json::from_slice(&sample.bytes).expect("it is JSON");
    let rules = |bundle: &Value| -> Vec<String> {
        let (accepted, issues) = verdict(read(&serde_json::to_vec(bundle).expect("it is JSON")));
        assert!(!accepted);
        issues.into_iter().map(|issue| issue.rule).collect()
    };
    let last = bundle["entry"].as_array().expect("there are entries").len() - 1;
    let mut nested = bundle.clone();
    nested["entry"][last]["resource"]["modifierExtension"] = serde_json::json!([{"url": "urn:x"}]);
    assert_eq!(rules(&nested), ["fhir-modifier-extension"]);
    let mut ignored = bundle.clone();
    let number = serde_json::json!({"system": systems::NHS_NUMBER, "value": "9990000026"});
    let flag = serde_json::json!({"resource": {"resourceType": "Flag", "identifier": [number]}});
    let mut entries = bundle["entry"].as_array().expect("there are entries").clone();
    entries.push(flag);
    ignored["entry"] = entries.into();
    assert!(rules(&ignored).contains(&"nhs-numbers-differ".to_owned()));
    let mut contained = bundle.clone();
    contained["entry"][1]["resource"]["contained"] =
        serde_json::json!([{"resourceType": "Patient", "meta": {"security": [{"code": "V"}]}}]);
    assert_eq!(rules(&contained), ["fhir-restricted"]);
}

#[test]
fn a_bundle_of_very_many_entries_is_refused() {
    let entries = vec!["{}"; 501].join(",");
    let text = format!(r#"{{"resourceType":"Bundle","type":"message","entry":[{entries}]}}"#);
    assert_eq!(read(text.as_bytes()).expect_err("it is refused").rule, "fhir-too-many-entries");
}
