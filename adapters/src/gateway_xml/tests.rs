use proptest::prelude::*;
use schemas::record::StoredDocument;
use schemas::{Message, MessageType, PersonalText};

use super::*;
use crate::import_row::samples as every;
use crate::json::samples::{self, TODAY, outbound, records};
use crate::xml;
use crate::xml::tests::{never_panics, plants_canaries, read_as};

fn read_xml(bytes: &[u8]) -> Result<Reading, crate::ReadError> {
    read_as("", None, bytes)
}

fn read_back(bytes: &[u8]) -> (Message, Vec<schemas::record::Attachment>) {
    let item = read_xml(bytes).expect("it is read").items.pop().expect("one message");
    let checked = item.draft.check(TODAY).expect("it is accepted");
    (checked.record.message().clone(), checked.record.attachments().to_vec())
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("xml/good", true, read_xml);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    plants_canaries("xml/good", read_xml);
}

#[test]
fn no_damage_makes_it_panic() {
    never_panics("xml/good", read_xml);
}

#[test]
fn a_document_kept_apart_refuses_a_format_that_must_carry_it() {
    let apart = StoredDocument {
        id: uuid::Uuid::from_u128(5),
        name: PersonalText::new("scan.pdf"),
        media_type: "application/pdf".to_owned(),
        size: 1 << 30,
        sha256: [7; 32],
    };
    let outbound = every::outbound();
    for draft in every::every_type() {
        let record = every::record(draft).with_stored(vec![apart.clone()]);
        let kind = record.message().kind;
        for format in [crate::Format::Xml, crate::Format::Hl7] {
            let refused = crate::write(format, &record, &outbound);
            assert_eq!(refused, Err(WriteError::DocumentApart { format }), "{kind}");
        }
        assert!(crate::write(crate::Format::Json, &record, &outbound).is_ok(), "{kind}");
    }
}

#[test]
fn every_field_of_the_canonical_message_is_in_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/xml/message-1.xsd");
    let schema = xml::parse(&std::fs::read(path).expect("the schema is there")).expect("XML");
    let elements = |type_name: &str| -> Vec<String> {
        let types = schema.children_named("complexType");
        let mut wanted = types.filter(|t| t.attribute("name") == Some(type_name));
        let sequence = wanted.next().and_then(|t| t.child("sequence")).expect(type_name);
        let names = sequence.children_named("element").filter_map(|e| e.attribute("name"));
        let choices = sequence.children_named("choice").flat_map(|c| c.children_named("element"));
        names.chain(choices.filter_map(|e| e.attribute("name"))).map(str::to_owned).collect()
    };
    let mut documented = Vec::new();
    for name in elements("message") {
        if Field::from_path(&name).is_some() {
            documented.push(name);
        } else if is_group(&name) {
            documented.extend(elements(&name).iter().map(|inner| format!("{name}.{inner}")));
        }
    }
    documented.sort();
    let mut fields: Vec<&str> = Field::every().map(Field::path).collect();
    fields.sort_unstable();
    assert_eq!(documented, fields);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_type_of_message_survives_the_round_trip(seed in any::<u64>()) {
        use proptest::strategy::ValueTree;
        let rng = proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &[seed.to_le_bytes(), [7; 8], [1; 8], [9; 8]].concat(),
        );
        let mut runner = proptest::test_runner::TestRunner::new_with_rng(ProptestConfig::default(), rng);
        for kind in MessageType::ALL {
            let record = records(kind).new_tree(&mut runner).expect("a sample").current();
            let bytes = write(&record, &outbound(Some("SALT"))).expect("it is written");
            let (message, attachments) = read_back(&bytes);
            let mut expected = record.message().clone();
            expected.leg = message.leg;
            prop_assert!(message == expected, "{kind}");
            prop_assert!(attachments == record.attachments(), "{kind}");
        }
    }
}

#[test]
fn what_xml_cannot_hold_is_not_written_halfway() {
    let mut draft = Draft::default();
    for (field, value) in [
        (Field::TYPE, "error"),
        (Field::ID, "E-1"),
        (Field::SENDER, "334"),
        (Field::RECIPIENT, "RRK"),
        (Field::NOTICE_ABOUT, "M-1"),
        (Field::NOTICE_CODE, "SCHEMA"),
        (Field::NOTICE_DETAIL, "a\u{fffe}b"),
    ] {
        draft.set(field, value, schemas::Place::Whole);
    }
    let record = draft.check(TODAY).expect("the check has nothing against it").record;
    assert_eq!(write(&record, &outbound(None)), Err(WriteError::Failed));
}
