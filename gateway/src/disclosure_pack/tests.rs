use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use schemas::record::{ConsentStatus, Restriction};
use schemas::{OrganisationCode, RecordId};
use uuid::Uuid;

use super::*;
use crate::audit::Event;

const SUBJECT: SubjectKey = SubjectKey([1; 32]);

fn accepted(seq: u64, kind: MessageType, subject: SubjectKey) -> Entry {
    let actor = Actor { organisation: "334".to_owned(), ..Actor::gateway() };
    let mut event = Event::new(EventKind::RecordAccepted, actor);
    event.record = Some(RecordId(Uuid::from_u128(u128::from(seq))));
    event.message_type = Some(kind);
    event.subject = Some(subject);
    Entry { seq, at_us: 0, id: Uuid::nil(), event }
}

fn restriction(which: Restriction) -> ConsentEntry {
    let code = OrganisationCode::parse("334").unwrap();
    let record = RecordId(Uuid::nil());
    let status = ConsentStatus::Restricted;
    let mut entry = ConsentEntry::bare(status, record, code, Timestamp::UNIX_EPOCH);
    entry.restriction = Some(which);
    entry
}

/// The checks of the list by class of data.
fn checks(
    entry: &Entry,
    ledger: &[ConsentEntry],
    restricted: bool,
) -> BTreeMap<String, Vec<String>> {
    let sheet = redaction::list(&[entry], ledger, SUBJECT, restricted);
    let mut checks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &sheet.rows {
        assert_eq!(row.len(), sheet.columns.len());
        assert_eq!(
            row[9..],
            [Cell::Nothing, Cell::Nothing, Cell::Nothing],
            "a person's to fill in"
        );
        checks.entry(row[5].words()).or_default().push(row[4].words());
    }
    checks
}

#[test]
fn each_record_is_gone_through_by_the_classes_it_may_hold() {
    let request = accepted(1, MessageType::AdviceRequest, SUBJECT);
    let found = checks(&request, &[], false);
    let codes: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        codes,
        [
            "child-abuse",
            "practitioners",
            "serious-harm-education",
            "serious-harm-health",
            "serious-harm-social-care",
            "third-parties"
        ]
    );
    assert_eq!(found["serious-harm-social-care"], ["documents"], "a request has no other");
    assert!(!found["practitioners"].contains(&"identity".to_owned()));
    let other = Entry { event: Event::new(EventKind::JourneyViewed, Actor::local()), ..request };
    assert!(checks(&other, &[], false).is_empty(), "only what is kept is gone through");
}

#[test]
fn what_is_recorded_and_what_kind_it_is_adds_to_the_list() {
    let request = accepted(1, MessageType::AdviceRequest, SUBJECT);
    for (which, code) in [
        (Restriction::ProtectedAddress, "protected-address"),
        (Restriction::ThirdParty, "recorded-third-party"),
        (Restriction::Adoption, "adoption"),
        (Restriction::Sealed, "sealed-items"),
        (Restriction::CourtLimits, "court-limits"),
    ] {
        let found = checks(&request, &[restriction(which)], true);
        assert_eq!(found[code], ["all of it"], "{code}");
    }
    assert!(
        checks(&request, &[], true).contains_key("protected-address"),
        "reported, not recorded"
    );
    let plan = accepted(1, MessageType::PlanFinal, SUBJECT);
    assert!(checks(&plan, &[], false).contains_key("plan-disclosure"));
    let joined = accepted(1, MessageType::AdviceRequest, SubjectKey([2; 32]));
    assert!(checks(&joined, &[], false).contains_key("joined-record"));
    let warned = accepted(1, MessageType::PersonAddressSafe, SUBJECT);
    let found = checks(&warned, &[restriction(Restriction::ProtectedAddress)], true);
    assert_eq!(found["protected-address"].len(), 1, "said once");
}

fn pack() -> Pack {
    let log = LogHead { size: 4, root: "AAAA".to_owned(), checkpoint: "note".to_owned() };
    let bytes = b"a,b\r\n".to_vec();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        made_at: "2026-01-05T12:00:00Z".to_owned(),
        asked_by: "334 (at the machine)".to_owned(),
        reason: "subject-access-request".to_owned(),
        entry: 3,
        log,
        restricted: false,
        warnings: Vec::new(),
        disclosures: 0,
        to_redact: 0,
        items: vec![item("records.csv", &bytes)],
    };
    let told = serde_json::to_vec(&manifest).unwrap();
    let files = vec![("records.csv".to_owned(), bytes), (MANIFEST.to_owned(), told)];
    Pack { files, manifest, entry: 5 }
}

#[test]
fn a_pack_is_there_whole_or_not_at_all_and_only_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pack");
    pack().write(&out, "1").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&out), mode(&out.join("records.csv"))), (0o700, 0o600));
    assert!(pack().write(&out, "2").is_err(), "nothing is written over");
    let mut twice = pack();
    twice.files.push(twice.files[0].clone());
    let other = folder.path().join("other");
    assert!(twice.write(&other, "3").is_err());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing partial stays: {left:?}");
}

#[test]
fn a_check_names_what_is_missing_changed_or_added_and_what_is_not_proved() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pack");
    pack().write(&out, "1").unwrap();
    // Neither the checkpoint nor a proof is there in this one.
    let lacking = [PackFault::Checkpoint, PackFault::Missing(PROOF.to_owned())];
    assert_eq!(check(&out, "no key").unwrap().faults, lacking);
    std::fs::write(out.join("records.csv"), "other").unwrap();
    std::fs::write(out.join("more"), "other").unwrap();
    let found = check(&out, "no key").unwrap().faults;
    assert_eq!(found[..2], [PackFault::Changed("records.csv".to_owned()), PackFault::Added(1)]);
    std::fs::remove_file(out.join("records.csv")).unwrap();
    let found = check(&out, "no key").unwrap().faults;
    assert_eq!(found[0], PackFault::Missing("records.csv".to_owned()));
    std::fs::write(out.join(MANIFEST), "{}").unwrap();
    assert_eq!(check(&out, "no key").unwrap().faults, [PackFault::Manifest]);
    assert!(check(&folder.path().join("none"), "no key").unwrap().faults.len() == 1);
}
