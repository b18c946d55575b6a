use proptest::prelude::*;
use schemas::MessageType;

use super::*;
use crate::fhir;
use crate::json::samples::{self, outbound, records, verdict};
use crate::json::strict;

/// A tree as JSON, without positions, to compare.
fn plain(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(text) => serde_json::from_str(text.expose()).expect("a number"),
        Value::Text(text) => text.expose().into(),
        Value::Array(nodes) => nodes.iter().map(plain).collect(),
        Value::Object(members) => {
            members.iter().map(|member| (member.name.clone(), plain(&member.node))).collect()
        }
    }
}

fn value(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).expect("JSON")
}

#[test]
fn every_good_bundle_of_the_corpus_means_the_same_as_xml() {
    for sample in samples::corpus("fhir/good") {
        let as_xml = write(&value(&sample.bytes)).expect("it is written");
        let (accepted, issues) = verdict(fhir::read_xml(&as_xml));
        assert!(accepted, "{}: {issues:?}", sample.name);
        let rules = |issues: &[schemas::Issue]| -> Vec<String> {
            issues.iter().map(|issue| issue.rule.clone()).collect()
        };
        let (_, of_json) = verdict(fhir::read(&sample.bytes));
        assert_eq!(rules(&issues), rules(&of_json), "{}", sample.name);
        let message = |reading: Result<crate::Reading, ReadError>| {
            let draft = reading.expect("it is read").items.remove(0).draft;
            draft.check(samples::TODAY).expect("it is accepted").record.message().clone()
        };
        assert_eq!(message(fhir::read_xml(&as_xml)), message(fhir::read(&sample.bytes)));
    }
}

#[test]
fn primitives_lists_of_one_extensions_and_narrative_have_their_places() {
    let xml = r#"<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir">
  <id value="p1"/>
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">A &amp; <b>B</b></div></text>
  <contained><Organization><name value="O"/></Organization></contained>
  <extension url="urn:x"><valueBoolean value="true"/></extension>
  <active value="false"/>
  <name id="n1"><given value="A"><extension url="urn:y"><valueInteger value="7"/></extension></given>
    <given><extension url="urn:z"><valueDecimal value="1.50"/></extension></given></name>
</Patient>"#;
    let root = parse(xml.as_bytes()).expect("it is read");
    let expected = serde_json::json!({
        "resourceType": "Patient",
        "id": "p1",
        "text": {
            "status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">A &amp; <b>B</b></div>",
        },
        "contained": [{"resourceType": "Organization", "name": "O"}],
        "extension": [{"url": "urn:x", "valueBoolean": true}],
        "active": false,
        "name": [{
            "id": "n1",
            "given": ["A", null],
            "_given": [
                {"extension": [{"url": "urn:y", "valueInteger": 7}]},
                {"extension": [{"url": "urn:z", "valueDecimal": 1.50}]},
            ],
        }],
    });
    assert_eq!(plain(&root), expected);
    let active = root.member("active").expect("it is there");
    assert_eq!((active.spot.line, active.spot.column), (7, 11), "the place of the value");
    let mut again = plain(&parse(&write(&expected).expect("it is written")).expect("it is read"));
    let div = again["text"]["div"].as_str().expect("narrative");
    assert!(
        div.starts_with("<div xmlns=\"http://www.w3.org/1999/xhtml\">A &amp; <b>B</b>"),
        "{div}"
    );
    again["text"] = expected["text"].clone();
    assert_eq!(again, expected);
}

#[test]
fn what_fhir_xml_does_not_have_is_refused_with_its_place() {
    for (xml, rule, line, column) in [
        ("<Patient/>", "fhir-xml-namespace", 1, 1),
        ("<Patient xmlns='http://hl7.org/fhir'>\n text</Patient>", "fhir-xml-text", 1, 1),
        (
            "<Patient xmlns='http://hl7.org/fhir'>\n<x xmlns=''/></Patient>",
            "fhir-xml-namespace",
            2,
            1,
        ),
        (
            "<Patient xmlns='http://hl7.org/fhir'><id valeu='1'/></Patient>",
            "fhir-xml-attribute",
            1,
            42,
        ),
        (
            "<Bundle xmlns='http://hl7.org/fhir'><entry><resource/></entry></Bundle>",
            "fhir-xml-resource",
            1,
            44,
        ),
    ] {
        let Err(error) = parse(xml.as_bytes()) else { panic!("{xml} is read") };
        assert_eq!(error.rule, rule, "{xml}");
        let schemas::Place::Text { line: l, column: c, .. } = error.place else { panic!("{xml}") };
        assert_eq!((l, c), (line, column), "{xml}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_as_json_is_the_same_through_xml(
        record in prop::sample::select(&MessageType::ALL[..]).prop_flat_map(records),
    ) {
        let json = fhir::write(&record, &outbound(None)).expect("it is written");
        let xml = fhir::write_xml(&record, &outbound(None));
        // A character that XML cannot hold is a failure, never another character.
        if let Ok(xml) = xml {
            let tree = parse(&xml).expect("it is read");
            prop_assert_eq!(plain(&tree), value(&json));
            prop_assert_eq!(plain(&strict::parse(&json).expect("it is read")), value(&json));
        }
    }

    #[test]
    fn arbitrary_and_damaged_xml_never_panics(
        which in any::<prop::sample::Index>(), at in any::<usize>(), how in any::<u8>(), byte in any::<u8>(),
    ) {
        let corpus = samples::corpus("fhirxml/good");
        let bytes = which.get(&corpus).bytes.clone();
        let _ = verdict(fhir::read_xml(&samples::damaged(bytes, at, how, byte)));
    }
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("fhirxml/good", true, fhir::read_xml);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("fhirxml/bad", false, fhir::read_xml);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    samples::leaks_nothing("fhirxml/good", fhir::read_xml);
}
