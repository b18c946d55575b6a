use uuid::Uuid;

use super::*;
use crate::audit::purpose::{Purpose, Reason};
use crate::audit::{Actor, DecisionNote, Event, EventKind, SubjectKey};
use crate::queue::DeliveryId;
use schemas::{OrganisationCode, RecordId};

const SOURCE: Source<'static> = Source { log: "ehc-gateway/EHCGW", organisation: "EHCGW" };

fn collected() -> Entry {
    let actor =
        Actor { organisation: "RRK".into(), method: "mutual-tls".into(), ..Actor::gateway() };
    let mut event = Event::new(EventKind::DeliveryCollected, actor).with("note", "<\"&\n");
    event.subject = Some(SubjectKey([7; 32]));
    event.record = Some(RecordId(Uuid::from_u128(1)));
    event.delivery = Some(DeliveryId(Uuid::from_u128(2)));
    event.counterparty = OrganisationCode::parse("RRK").ok();
    event.hashes.insert("sealed".into(), "ab".into());
    event.decision = Some(DecisionNote {
        outcome: "release".into(),
        authority: Some("statute".into()),
        reference: Some("SEND Regulations 2014, regulation 6".into()),
        rule: "advice".into(),
        rule_version: "1".into(),
        agreement: None,
        consent: None,
        consent_version: None,
        cut: std::collections::BTreeMap::default(),
        reason: "plain words".into(),
    });
    Entry { seq: 12, at_us: 1_764_000_000_000_001, id: Uuid::from_u128(3), event }
}

fn line(form: Form) -> String {
    let entry = collected();
    let leaf = entry.to_bytes().unwrap();
    String::from_utf8(form.line(&SOURCE, &entry, &leaf)).unwrap()
}

#[test]
fn a_json_line_has_the_entry_itself_and_its_hash() {
    let line = line(Form::JsonLines);
    let leaf = String::from_utf8(collected().to_bytes().unwrap()).unwrap();
    assert!(line.ends_with(&format!(",\"entry\":{leaf}}}\n")));
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["at"], "2025-11-24T16:00:00.000001Z");
    assert_eq!(said["outcome"], "success");
    assert_eq!(said["leaf_hash"], leaf_hash(leaf.as_bytes()));
}

#[test]
fn a_syslog_message_is_one_line_whose_xml_escapes_what_it_holds() {
    let mut entry = collected();
    entry.event.actor.role = Some("a<b>&\"c\"\n".into());
    entry.event.actor.person = Some("somebody".into());
    let leaf = entry.to_bytes().unwrap();
    let message = String::from_utf8(syslog(&SOURCE, &entry, &leaf)).unwrap();
    assert!(
        message.starts_with("<85>1 2025-11-24T16:00:00.000001Z EHCGW ehc-gateway - DICOM+RFC3881")
    );
    assert!(message.contains("[meta sequenceId=\"13\"] \u{feff}<?xml"));
    assert!(!message.contains('\n'));
    assert!(message.contains("UserName=\"a&lt;b&gt;&amp;&quot;c&quot;&#10;\""));
    assert!(message.contains("ParticipantObjectID=\"ehc-gateway/EHCGW#12\""));
}

#[test]
fn a_disclosure_claims_its_profile_only_with_a_person_and_data() {
    let said: serde_json::Value = serde_json::from_str(&line(Form::Balp)).unwrap();
    let profile = said["meta"]["profile"][0].as_str().unwrap();
    assert!(profile.ends_with("IHE.BasicAudit.PrivacyDisclosure.Source"), "{profile}");
    assert_eq!(said["purposeOfEvent"][0]["text"], "statute: SEND Regulations 2014, regulation 6");
    assert_eq!(said["agent"][0]["who"], said["source"]["observer"]);
    let mut entry = collected();
    entry.event.subject = None;
    let leaf = entry.to_bytes().unwrap();
    let said: serde_json::Value =
        serde_json::from_slice(&Form::Balp.line(&SOURCE, &entry, &leaf)).unwrap();
    assert!(said["meta"].is_null());
}

#[test]
fn a_purpose_that_was_said_is_the_purpose_of_use() {
    let viewed = |purpose| {
        let actor = Actor { purpose, ..Actor::gateway() };
        let event = Event::new(EventKind::CaseViewed, actor);
        let entry = Entry { event, ..collected() };
        let leaf = entry.to_bytes().unwrap();
        let said: serde_json::Value =
            serde_json::from_slice(&Form::Balp.line(&SOURCE, &entry, &leaf)).unwrap();
        let codings = said["purposeOfEvent"][0]["coding"].as_array().unwrap().clone();
        let codes: Vec<String> =
            codings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
        (codes, String::from_utf8(syslog(&SOURCE, &entry, &leaf)).unwrap())
    };
    let (codes, message) = viewed(Some(Purpose::Asked(Reason::Tribunal)));
    assert_eq!(codes, ["HLEGAL", "tribunal"]);
    assert!(message.contains("<PurposeOfUse csd-code=\"HLEGAL\""), "{message}");
    let (codes, message) = viewed(None);
    assert_eq!(codes, ["CAREMGT"]);
    assert!(message.contains("<PurposeOfUse csd-code=\"CAREMGT\""), "{message}");
}

#[test]
fn what_cannot_be_read_is_handed_on_as_its_bytes_and_its_hash() {
    let leaf = b"{\"seq\":12,\n\xff";
    let line = unreadable_line(&SOURCE, 12, leaf);
    assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line");
    let said: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(said["seq"], 12);
    assert_eq!(said["unreadable"], true);
    assert_eq!(said["leaf_hash"], leaf_hash(leaf));
    assert_eq!(BASE64_STANDARD.decode(said["leaf"].as_str().unwrap()).unwrap(), leaf);
    let message = unreadable_syslog(&SOURCE, 12, leaf);
    let head = "<85>1 - EHCGW ehc-gateway - unreadable-entry [meta sequenceId=\"13\"] \u{feff}";
    let body = message.strip_prefix(head.as_bytes()).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(body).unwrap(), said);
}
