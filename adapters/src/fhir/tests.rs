use proptest::prelude::*;
use proptest::strategy::ValueTree;
use schemas::record::{Attachment, Body};
use schemas::{Message, MessageType};
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
