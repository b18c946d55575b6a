use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use schemas::{Issue, Message, MessageType};

use super::*;
use crate::feed::Feed;
use crate::json::samples::{self, TODAY, outbound, records, verdict};

mod acks;
mod documents;

fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/hl7").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hl7"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The feed a corpus file is read with: the one beside it, or a strict one.
fn feed_for(file: &Path) -> Feed {
    let own = file.with_extension("toml");
    if own.exists() {
        toml::from_str(&std::fs::read_to_string(own).unwrap()).unwrap()
    } else {
        Feed::default()
    }
}

fn read_as(bytes: &[u8], organisation: &str, feed: &Feed) -> Result<Reading, ReadError> {
    read(bytes, Source { organisation, mapping: None, feed })
}

fn lenient() -> Feed {
    toml::from_str(
        "allow = [\"guessed-encoding\", \"nhs-number-elsewhere\", \"drafts\", \"training\"]\n\
         constants = { \"advice.author_profession\" = \"Therapist\" }",
    )
    .unwrap()
}

fn expect_lines(file: &Path, extension: &str, actual: &str) {
    let expected = std::fs::read_to_string(file.with_extension(extension)).unwrap_or_default();
    assert_eq!(actual, expected, "{}", file.display());
}

fn lines(issues: &[Issue]) -> String {
    let mut lines: Vec<String> =
        issues.iter().map(|issue| format!("{} @ {}\n", issue.rule, issue.place)).collect();
    lines.sort();
    lines.concat()
}

#[test]
fn good_messages_give_records_and_the_summary_beside_them() {
    for file in corpus("good") {
        let bytes = std::fs::read(&file).unwrap();
        let reading = read_as(&bytes, "RXT", &feed_for(&file)).unwrap();
        let mut summary = String::new();
        for item in reading.items {
            for (field, located) in &item.draft.fields {
                let text = located.text.expose().escape_debug();
                writeln!(summary, "{field} = {text} @ {}", located.place).unwrap();
            }
            for document in &item.draft.attachments {
                let (name, len) = (document.name.expose(), document.content.len());
                let place = &document.place;
                writeln!(summary, "document {name}: {len} bytes @ {place}").unwrap();
            }
            let checked = item.draft.check(TODAY);
            let checked = checked.unwrap_or_else(|issues| panic!("{}: {issues:?}", file.display()));
            summary.push_str(&lines(&checked.warnings));
            for document in checked.record.attachments() {
                writeln!(summary, "{}", document.media_type).unwrap();
            }
        }
        expect_lines(&file, "draft", &summary);
    }
}

#[test]
fn bad_messages_are_refused_with_every_rule_and_place() {
    for file in corpus("bad") {
        let bytes = std::fs::read(&file).unwrap();
        let (accepted, issues) = verdict(read_as(&bytes, "RXT", &feed_for(&file)));
        assert!(!accepted, "{}", file.display());
        expect_lines(&file, "issues", &lines(&issues));
    }
}

#[test]
fn no_issue_quotes_what_was_sent() {
    for folder in ["good", "bad"] {
        for file in corpus(folder) {
            let bytes = std::fs::read(&file).unwrap();
            let ends: Vec<usize> =
                (0..bytes.len()).filter(|at| matches!(bytes[*at], b'|' | b'^' | b'\r')).collect();
            for at in ends {
                let planted = [&bytes[..at], b"Zq7CANARY7qZ", &bytes[at..]].concat();
                let (_, issues) = verdict(read_as(&planted, "RXT", &lenient()));
                let said = format!("{issues:?}");
                assert!(!said.contains("CANARY"), "{}: {said}", file.display());
            }
        }
    }
}

fn sample(kind: MessageType) -> Record {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    records(kind).new_tree(&mut runner).unwrap().current()
}

fn written(kind: MessageType) -> String {
    String::from_utf8(write(&sample(kind), &outbound(Some("SALT"))).unwrap()).unwrap()
}

#[test]
fn a_request_is_written_with_its_numbers_and_the_due_date() {
    let text = written(MessageType::AdviceRequest);
    let segments: Vec<&str> = text.split('\r').map(|line| line.get(..3).unwrap_or("")).collect();
    assert_eq!(segments[..6], ["MSH", "EVN", "PID", "PV1", "TXA", "OBX"]);
    let fields = |name: &str| -> Vec<String> {
        let line = text.split('\r').find(|line| line.starts_with(name)).unwrap();
        line.split('|').map(str::to_owned).collect()
    };
    let (header, txa) = (fields("MSH"), fields("TXA"));
    assert_eq!((header[3].as_str(), header[5].as_str()), ("334", "RRK"));
    assert_eq!(header[8], "MDM^T02^MDM_T02");
    assert_eq!(header[9].len(), 20);
    assert_eq!(txa[12], format!("{}^EHC-GATEWAY", outbound(None).delivery));
    assert_eq!(txa[14], format!("{}^EHC-GATEWAY", samples::LEG));
    assert!(fields("PID")[3].contains("^^^NHS^NH"));
    assert!(text.contains("|due_on^Answer due by^99EHC||2026-04-13|"));
    assert!(text.contains("|request.services^Services^99EHC||SALT|"));
    assert!(text.ends_with('\r'));
}

#[test]
fn a_control_id_is_the_deliverys_own() {
    let ids: BTreeSet<String> = (0_u128..1_000)
        .map(|n| writer::control_id(uuid::Uuid::from_u128((0x0197_f0bb << 96) | n)))
        .collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric()) && id.len() == 20));
}

#[test]
fn the_same_delivery_is_written_to_the_same_bytes() {
    assert_eq!(written(MessageType::AdviceResponse), written(MessageType::AdviceResponse));
}

#[test]
fn what_has_no_person_has_no_form() {
    for kind in [MessageType::TransportReceipt, MessageType::Acknowledgement, MessageType::Error] {
        let refused = write(&sample(kind), &outbound(None));
        assert_eq!(refused, Err(WriteError::NoForm { format: crate::Format::Hl7, kind }));
    }
}

#[test]
fn twenty_characters_of_its_name_tell_every_type_from_every_other() {
    let names: BTreeSet<&str> = MessageType::ALL.into_iter().map(document_type).collect();
    assert_eq!(names.len(), MessageType::ALL.len());
    assert!(names.iter().all(|name| name.len() <= 20));
}

#[test]
fn the_limits_of_segments_and_fields_are_exact() {
    let file = std::fs::read(&corpus("good")[0]).unwrap();
    let rules = |bytes: &[u8]| {
        let (_, issues) = verdict(read_as(bytes, "RXT", &lenient()));
        issues.into_iter().map(|issue| issue.rule).collect::<Vec<_>>()
    };
    let held = file.split(|byte| *byte == b'\r').count() - 1;
    let with = |count: usize| [file.as_slice(), "ZZZ|1\r".repeat(count).as_bytes()].concat();
    let room = limits::HL7_SEGMENTS_MAX - held;
    assert!(!rules(&with(room)).contains(&"hl7-too-many-segments".to_owned()));
    assert_eq!(rules(&with(room + 1)), ["hl7-too-many-segments"]);
    let wide =
        |count: usize| [file.as_slice(), b"ZZZ", "|".repeat(count).as_bytes(), b"\r"].concat();
    assert!(!rules(&wide(limits::HL7_FIELDS_MAX - 1)).contains(&"hl7-too-many-fields".to_owned()));
    assert_eq!(rules(&wide(limits::HL7_FIELDS_MAX)), ["hl7-too-many-fields"]);
}

/// `word` in every source of this module that looks like one of our rules.
fn rules_in(text: &str) -> BTreeSet<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let ours = ["hl7-", "document-", "nhs-number-", "encoding-guessed", "too-many-documents"];
    let rule = |word: &&str| {
        ours.iter().any(|start| word.starts_with(start))
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !word.ends_with('-')
    };
    quoted.filter(rule).map(str::to_owned).collect()
}

#[test]
fn the_mapping_page_names_every_rule_and_every_row() {
    let sources = [
        include_str!("../hl7v2.rs"),
        include_str!("content.rs"),
        include_str!("documents.rs"),
        include_str!("er7.rs"),
        include_str!("escapes.rs"),
        include_str!("person.rs"),
        include_str!("reader.rs"),
        include_str!("text.rs"),
    ];
    let emitted: BTreeSet<String> = sources.iter().flat_map(|text| rules_in(text)).collect();
    let page = include_str!("../../../schemas/hl7v2/mapping.md");
    let (before, rules) = page.split_once("## Rules").unwrap();
    let listed: BTreeSet<String> = rules
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, emitted);
    let (_, rows) = before.split_once("## Our own rows").unwrap();
    let named: BTreeSet<&str> = rows.split('`').skip(1).step_by(2).collect();
    for field in Field::ALL.into_iter().filter(|field| is_carried(*field)) {
        assert!(named.contains(field.path()), "{field} is not listed");
    }
    assert!(named.contains("particulars."), "the names of the catalogue are not mentioned");
    for row in OTHER_ROWS {
        assert!(named.contains(row), "{row} is not listed");
    }
}

/// The types whose messages name somebody.
fn about_a_person() -> Vec<MessageType> {
    let mut types = MessageType::ALL.to_vec();
    types.retain(|kind| kind.form() != schemas::record::Form::Notice);
    types
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(
        record in prop::sample::select(about_a_person()).prop_flat_map(records),
    ) {
        let written = write(&record, &outbound(None)).expect("it is written");
        let mut reading = read_as(&written, "334", &Feed::default()).expect("it is read");
        let item = reading.items.pop().expect("there is one message");
        let checked = item.draft.check(TODAY).expect("it is accepted");
        let ours = checked.warnings.iter().filter(|warning| warning.rule.starts_with("hl7"));
        prop_assert_eq!(ours.count(), 0, "the gateway warns about what it wrote itself");
        let read = checked.record;
        // The document's number stands for the sender's reference, which is a row for people.
        let number = format!("EHC-GATEWAY/{}", outbound(None).delivery);
        prop_assert_eq!(read.message().id.expose(), number);
        let expected = Message {
            id: read.message().id.clone(),
            recipient: read.message().recipient.clone(),
            ..record.message().clone()
        };
        prop_assert!(read.message() == &expected, "the message differs");
        prop_assert_eq!(read.attachments(), record.attachments());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let framed = [b"MSH|^~\\&|A|RXT|||||MDM^T02|1|P|2.5\r".as_slice(), &bytes].concat();
        for bytes in [bytes, framed] {
            let _ = verdict(read_as(&bytes, "RXT", &lenient()));
            let _ = ack::read(&bytes, "1");
            if let Some(header) = ack::Header::of(&bytes) {
                for code in header.answers(ack::Outcome::Refused) {
                    let _ = header.acknowledge(code, "1", jiff::Timestamp::UNIX_EPOCH, &[]);
                }
            }
        }
    }

    #[test]
    fn damaged_messages_never_panic(
        which in any::<prop::sample::Index>(), at in any::<usize>(), how in any::<u8>(), byte in any::<u8>(),
    ) {
        let files = corpus("good");
        let bytes = std::fs::read(which.get(&files)).expect("it is readable");
        let _ = verdict(read_as(&samples::damaged(bytes, at, how, byte), "RXT", &lenient()));
    }
}
