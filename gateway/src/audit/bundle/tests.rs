use std::io::Cursor;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::audit::tree::Frontier;
use crate::audit::{Actor, Event, EventKind};
use crate::entropy::SeededEntropy;

fn signer() -> LogSigner {
    let folder = tempfile::tempdir().unwrap();
    let entropy = SeededEntropy::new(7);
    LogSigner::generate(&folder.path().join("log-key"), "ehc-gateway/334", &entropy).unwrap()
}

/// A log, and the signed note over all of it.
fn log(entries: u64) -> (Vec<Row>, String) {
    let mut tree = Frontier::default();
    let row = |seq: u64| {
        let event = Event::new(EventKind::BoardViewed, Actor::gateway());
        let leaf = Entry { seq, at_us: 1, id: Uuid::from_u128(7), event }.to_bytes().unwrap();
        let nodes = tree.append(&leaf).unwrap();
        Row { seq, leaf, nodes }
    };
    let rows = (0..entries).map(row).collect();
    let note = signer().sign_checkpoint(entries, tree.root().unwrap(), Timestamp::UNIX_EPOCH);
    (rows, note.unwrap())
}

fn judged(file: &[u8]) -> Result<Judged, BundleError> {
    judge(&mut Cursor::new(file), &signer().vkey(), &[])
}

fn whole(entries: u64) -> Vec<u8> {
    let (rows, checkpoint) = log(entries);
    let mut header = Header::new("ehc-gateway/334", (Holds::Whole, Filter::default()), entries);
    (header.first, header.entries) = (Some(0), entries);
    let mut file = Vec::new();
    write_head(&mut file, &header, &Anchors { checkpoint, ..Anchors::default() }).unwrap();
    for row in rows {
        write_row(&mut file, &row).unwrap();
    }
    file
}

#[test]
fn what_was_written_is_judged_whole() {
    let judged = judged(&whole(5)).unwrap();
    assert!(judged.verification.is_whole(), "{judged:?}");
    assert_eq!((judged.version, judged.holds, judged.verification.entries), (2, Holds::Whole, 5));
    assert!(judged.proved[0].starts_with("These 5 entries are all that the log had"));
}

#[test]
fn a_bundle_without_a_header_is_still_read() {
    let (rows, note) = log(5);
    let mut file = Vec::new();
    for row in &rows {
        write_row(&mut file, row).unwrap();
    }
    let open = judged(&file).unwrap();
    assert!(!open.verification.is_whole(), "nothing signs its end");
    let kept = Checkpoint::parse_and_verify(&note, &signer().vkey()).unwrap();
    let with = judge(&mut Cursor::new(&file), &signer().vkey(), &[kept]).unwrap();
    assert!(with.verification.is_whole(), "a checkpoint that was kept does: {with:?}");
    write_line(&mut file, &CheckpointLine { checkpoint: note }).unwrap();
    let judged = judged(&file).unwrap();
    assert!(judged.verification.is_whole(), "{judged:?}");
    assert_eq!((judged.version, judged.verification.entries), (1, 5));
}

#[test]
fn a_line_that_is_not_ours_is_named_by_its_number_and_ends_the_reading() {
    let file = whole(3);
    let bad = [
        "{}\n".to_owned(),
        "\n".to_owned(),
        "{\"seq\":3,\"leaf\":\"!\",\"nodes\":\"\"}\n".to_owned(),
        "{\"seq\":3,\"leaf\":\"AA==\"".to_owned(),
        format!("{{\"seq\":3,\"leaf\":\"{}\",\"nodes\":\"\"}}\n", "A".repeat(2 * 1024 * 1024)),
    ];
    for line in bad {
        let judged = judged(&[file.as_slice(), line.as_bytes()].concat()).unwrap();
        assert_eq!(judged.verification.faults.len(), 1, "{judged:?}");
        let said = judged.verification.faults[0].to_string();
        assert!(said.starts_with("entry 3: line 6 of the bundle cannot be read"), "{said}");
        assert!(judged.proved.is_empty(), "nothing is proved");
    }
}

#[test]
fn what_is_no_bundle_is_refused() {
    for file in
        ["", "\n", "{}\n", "no bundle\n", "{\"format\":\"ehc-audit-bundle\",\"version\":2}\n"]
    {
        assert!(matches!(judged(file.as_bytes()), Err(BundleError::Form)), "{file:?}");
    }
    let newer = "{\"format\":\"ehc-audit-bundle\",\"version\":3,\"more\":1}\n";
    assert!(matches!(judged(newer.as_bytes()), Err(BundleError::Version(3))));
    let file = whole(3);
    let no_key = judge(&mut Cursor::new(&file), "no key", &[]);
    assert!(matches!(no_key, Err(BundleError::Key)));
}

#[test]
fn the_page_about_the_form_names_every_member_of_an_entry_in_order() {
    let page = include_str!("../../../docs/audit-format.md");
    let row = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let record = RecordId(Uuid::nil());
    let text = || Some(String::new());
    let map = || [(String::new(), String::new())].into();
    let actor = Actor {
        certificate: text(),
        person: text(),
        role: text(),
        claimed: text(),
        ..Actor::gateway()
    };
    let mut event = Event::new(EventKind::BoardViewed, actor).with("a", 1);
    event.subject = Some(crate::audit::SubjectKey([0; 32]));
    event.submission = Some(crate::queue::SubmissionId(Uuid::nil()));
    event.record = Some(record);
    event.delivery = Some(crate::queue::DeliveryId(Uuid::nil()));
    event.message_type = Some(schemas::MessageType::AdviceRequest);
    event.counterparty = OrganisationCode::parse("RRK").ok();
    event.hashes = map();
    event.decision = Some(crate::audit::DecisionNote {
        outcome: String::new(),
        authority: text(),
        reference: text(),
        rule: String::new(),
        rule_version: String::new(),
        agreement: text(),
        consent: Some(record),
        consent_version: Some(1),
        cut: map(),
        reason: String::new(),
    });
    let entry = Entry { seq: 1, at_us: 1, id: Uuid::nil(), event };
    let bytes = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&bytes).unwrap();
    let event = &value["event"];
    for (name, object) in [
        ("entry", &value),
        ("event", event),
        ("actor", &event["actor"]),
        ("decision", &event["decision"]),
    ] {
        let members = row(name);
        assert_eq!(members.len(), object.as_object().unwrap().len(), "{name}");
        // Each stands after the one before it.
        let mut rest = bytes.as_str();
        for member in members {
            let place = rest.find(&format!("\"{member}\":"));
            rest = rest.split_at(place.unwrap_or_else(|| panic!("{name}: {member}"))).1;
        }
    }
}
