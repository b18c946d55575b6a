use proptest::prelude::*;
use schemas::record::Body;

use super::*;
use crate::feed::Feed;
use crate::fhir::{read, read_as};
use crate::json::samples::{self, TODAY, verdict};
use crate::{Format, Reading};

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("itk3/good", true, any_format);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("itk3/bad", false, any_format);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    samples::leaks_nothing("itk3/good", any_format);
}

/// JSON or XML, as the corpus has both.
fn any_format(bytes: &[u8]) -> Result<Reading, ReadError> {
    let xml = bytes.first() == Some(&b'<');
    read_as(if xml { Format::FhirXml } else { Format::Fhir }, bytes, &Feed::default())
}

#[test]
fn a_document_is_advice_that_names_no_request() {
    for sample in samples::corpus("itk3/good") {
        let item = any_format(&sample.bytes).expect("it is read").items.remove(0);
        assert!(item.draft.leg_by_person, "{}", sample.name);
        let record = item.draft.check(TODAY).expect("it is accepted").record;
        let message = record.message();
        assert_eq!(message.sender.as_str(), "RRK", "{}", sample.name);
        let subject = message.subject.as_ref().expect("a person");
        let number = subject.nhs_number.as_ref().expect("a number");
        assert_eq!(number.expose(), "9990000018", "{}", sample.name);
        let Body::Advice(advice) = &message.body else { panic!("it is not advice") };
        assert_eq!(advice.author_name.expose(), "Dr Alex Example", "{}", sample.name);
        assert_eq!(advice.date.to_string(), "2026-02-27", "{}", sample.name);
        assert_eq!(record.attachments().len(), 1, "{}", sample.name);
        assert_eq!(record.attachments()[0].content.expose(), b"%PDF-1.7 synthetic");
    }
}

#[test]
fn what_the_document_does_not_say_comes_from_the_feed() {
    let corpus = samples::corpus("itk3/good");
    let sample = corpus.iter().find(|s| s.name == "send-document.json").expect("one in JSON");
    let text = String::from_utf8(sample.bytes.clone()).expect("text");
    let bare = text.replace("\"code\": [{\"text\": \"Consultant paediatrician\"}],", "");
    assert_ne!(bare, text);
    let (accepted, issues) = verdict(read(bare.as_bytes()));
    assert!(!accepted && issues.iter().any(|issue| issue.field == "advice.author_profession"));
    let feed: Feed =
        toml::from_str("constants = { \"advice.author_profession\" = \"Paediatrician\" }")
            .expect("a feed");
    let (accepted, issues) = verdict(read_as(Format::Fhir, bare.as_bytes(), &feed));
    assert!(accepted, "{issues:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_documents_and_answers_never_panic(
        which in any::<prop::sample::Index>(), at in any::<usize>(), how in any::<u8>(), byte in any::<u8>(),
    ) {
        let corpus = samples::corpus("itk3/good");
        let bytes = samples::damaged(which.get(&corpus).bytes.clone(), at, how, byte);
        let _ = verdict(any_format(&bytes));
        for format in [Format::Fhir, Format::FhirXml] {
            let _ = crate::fhir::reply::identity(format, &bytes);
            let _ = crate::fhir::reply::read(format, &bytes, "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff");
        }
    }
}
