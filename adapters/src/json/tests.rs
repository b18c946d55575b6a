use proptest::prelude::*;
use proptest::strategy::ValueTree;
use schemas::{Message, MessageType};

use super::samples::{self, TODAY, outbound, records, verdict};
use super::*;

fn read_back(bytes: &[u8]) -> (Message, Vec<schemas::record::Attachment>) {
    let mut reading = read(bytes).expect("it is read");
    let item = reading.items.pop().expect("there is one message");
    let checked = item.draft.check(TODAY).expect("it is accepted");
    (checked.record.message().clone(), checked.record.attachments().to_vec())
}

fn rules(text: &str) -> Vec<String> {
    verdict(read(text.as_bytes())).1.into_iter().map(|issue| issue.rule).collect()
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("json/good", true, read);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("json/bad", false, read);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    samples::leaks_nothing("json/good", read);
}

#[test]
fn each_message_of_an_array_keeps_its_own_bytes() {
    let text = b"[ {\"type\":\"x\"}, {\"type\" :\"y\"} ]";
    let reading = read(text).expect("it is read");
    let raw: Vec<&[u8]> = reading.items.iter().map(|item| item.raw.expose()).collect();
    assert_eq!(raw, [&b"{\"type\":\"x\"}"[..], b"{\"type\" :\"y\"}"]);
}

#[test]
fn the_limit_of_messages_is_exact() {
    let of = |n: usize| format!("[{}]", vec!["{}"; n].join(","));
    assert_eq!(read(of(1_000).as_bytes()).expect("it is read").items.len(), 1_000);
    assert_eq!(rules(&of(1_001)), ["json-too-many-messages"]);
}

#[test]
fn a_list_of_very_many_values_is_refused_and_not_walked() {
    let values = vec!["\"SALT\""; 201].join(",");
    let text = format!("{{\"request\":{{\"services\":[{values}]}}}}");
    assert!(rules(&text).contains(&"json-too-many-values".to_owned()));
}

#[test]
fn the_faults_of_one_message_are_bounded() {
    let members: Vec<String> = (0..500).map(|n| format!("\"n{n}\":1")).collect();
    let reading = read(format!("{{{}}}", members.join(",")).as_bytes()).expect("it is read");
    assert_eq!(reading.items[0].draft.notes.len(), NOTES_MAX + 1);
}

#[test]
fn a_document_is_decoded_strictly() {
    for text in ["JVBERi0", "JVBERi0=\n", "JVBE Ri0=", "JVBERi1=", "_-__", "====", "JVBERi0=A"] {
        assert_eq!(decode_document(text), Err(DocumentFault::NotBase64), "{text}");
    }
    assert_eq!(decode_document(""), Err(DocumentFault::Empty));
    assert_eq!(decode_document(&samples::pdf()).expect("it is strict").len(), 18);
}

#[test]
fn the_limit_of_a_document_is_exact() {
    let of = |len: usize| STANDARD.encode(vec![b'x'; len]);
    assert!(decode_document(&of(limits::DOCUMENT_BYTES_MAX)).is_ok());
    let over = decode_document(&of(limits::DOCUMENT_BYTES_MAX + 1));
    assert_eq!(over, Err(DocumentFault::TooLarge));
}

#[test]
fn a_request_is_written_with_the_leg_and_the_delivery() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let record = records(MessageType::AdviceRequest).new_tree(&mut runner).expect("a sample");
    let written = write(&record.current(), &outbound(Some("SALT"))).expect("it is written");
    let json: Json = serde_json::from_slice(&written).expect("it is JSON");
    assert_eq!(json["leg"], samples::LEG);
    assert_eq!(json["delivery"]["service"], "SALT");
    assert_eq!(json["delivery"]["due_on"], "2026-04-13");
    assert_eq!(json["delivery"]["sender_name"], "Anytown Council");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(record in prop::sample::select(&MessageType::ALL[..]).prop_flat_map(records)) {
        let written = write(&record, &outbound(None)).expect("it is written");
        let (message, attachments) = read_back(&written);
        prop_assert_eq!(&message, record.message());
        prop_assert_eq!(&attachments[..], record.attachments());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = verdict(read(&bytes));
    }

    #[test]
    fn damaged_messages_never_panic(
        which in any::<prop::sample::Index>(), at in any::<usize>(), how in any::<u8>(), byte in any::<u8>(),
    ) {
        let corpus = samples::corpus("json/good");
        let bytes = which.get(&corpus).bytes.clone();
        let _ = verdict(read(&samples::damaged(bytes, at, how, byte)));
    }
}
