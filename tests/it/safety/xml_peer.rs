//! xmllint, which we did not write, agrees with what we read and validates what we write.

use std::path::Path;
use std::process::Command;

use adapters::feed::Feed;
use adapters::{Format, Outbound, Source};
use tests::peers;
use uuid::Uuid;

/// Whether our reader takes bytes for XML at all, whatever it thinks of the letter.
fn is_xml(bytes: &[u8]) -> bool {
    let feed = Feed::default();
    let source = Source { organisation: "RRK", mapping: None, feed: &feed };
    match adapters::read(Format::Xml, bytes, source) {
        Ok(_) => true,
        Err(refused) => {
            let syntax = refused.rule.starts_with("xml-") && refused.rule != "xml-root-unknown";
            !(syntax || refused.rule.starts_with("encoding-"))
        }
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for corner in [
        "kettering/good",
        "cda/good",
        "xml/good",
        "xml-la/good",
        "kettering/bad",
        "cda/bad",
        "xml/bad",
    ] {
        let mut paths: Vec<_> = std::fs::read_dir(root.join(corner))
            .expect("the corpus is there")
            .map(|file| file.expect("it is listed").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
            .collect();
        paths.sort();
        files.extend(paths.iter().map(|path| std::fs::read(path).expect("it is readable")));
    }
    files
}

#[test]
fn no_document_is_read_that_another_parser_calls_malformed() {
    let Some(xmllint) = peers::program("xmllint") else {
        eprintln!("xmllint was not found: the XML reader was not compared");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut taken = Vec::new();
    // A fixed sequence: the same damage every time.
    let mut state = 0x2026_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("a number") % below.max(1)
    };
    for original in corpus() {
        for round in 0..40 {
            let mut bytes = original.clone();
            if round > 0 && !bytes.is_empty() {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = b"<>&\"'=:;![]-?/ x\x00\xff"[next(18)],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"<>&\"'=:;![]-?/ x"[next(16)]),
                }
            }
            if is_xml(&bytes) {
                let file = folder.path().join(format!("{}.xml", taken.len()));
                std::fs::write(&file, bytes).expect("written");
                taken.push(file);
            }
        }
    }
    assert!(taken.len() > 500, "only {} documents were read", taken.len());
    let output = Command::new(xmllint).args(["--noout", "--nonet"]).args(&taken).output();
    let output = output.expect("xmllint runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "xmllint calls malformed what we read:\n{said}");
}

#[test]
fn the_exports_of_the_corpus_follow_the_schema_of_what_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/xml-la/good");
    for name in ["liquidlogic-export.xml", "liquidlogic-export-empty.xml"] {
        let text = std::fs::read_to_string(root.join(name)).expect("it is there");
        peers::must_follow_schema("schemas/xml/liquidlogic-export-1.xsd", &text);
    }
}

#[test]
fn every_type_of_message_is_written_as_its_schema_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/record/examples");
    let mut written = 0;
    for file in std::fs::read_dir(root).expect("the examples are there") {
        let bytes = std::fs::read(file.expect("it is listed").path()).expect("it is readable");
        let feed = Feed::default();
        let source = Source { organisation: "RRK", mapping: None, feed: &feed };
        let mut reading = adapters::read(Format::Json, &bytes, source).expect("it is read");
        let draft = reading.items.remove(0).draft;
        let record = draft.check(jiff::civil::date(2026, 3, 2)).expect("it is right").record;
        let outbound = Outbound {
            delivery: Uuid::from_u128(7),
            leg: record.message().leg,
            service: None,
            sender_name: "Practice & Sons".to_owned(),
            recipient: record.message().sender.clone(),
            recipient_name: "Practice Council".to_owned(),
            received_at: "2026-03-02T09:00:00Z".parse().expect("a time"),
            due_on: Some(jiff::civil::date(2026, 4, 13)),
            sent_at: "2026-03-02T09:05:00Z".parse().expect("a time"),
        };
        let xml = adapters::write(Format::Xml, &record, &outbound).expect("it is written");
        let xml = String::from_utf8(xml).expect("it is UTF-8");
        peers::must_follow_schema("schemas/xml/message-1.xsd", &xml);
        written += 1;
    }
    assert_eq!(written, schemas::MessageType::ALL.len());
}
