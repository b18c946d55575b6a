use std::sync::Arc;

use base64::prelude::BASE64_STANDARD;
use uuid::Uuid;

use super::proof::ProofFault;
use super::*;
use crate::audit::bundle::Base64Hash;
use crate::audit::checkpoint::LogSigner;
use crate::audit::tree::{self, Frontier, NodeAt};
use crate::audit::{Actor, Entry, Event, EventKind};
use crate::entropy::SeededEntropy;

fn signer(seed: u64) -> ReceiptSigner {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt-key.p8");
    SigningKey::generate(&path, &SeededEntropy::new(seed)).unwrap();
    ReceiptSigner::load(&path).unwrap()
}

fn receipt() -> Receipt {
    let leg = LegOutcome {
        leg: LegId(Uuid::from_u128(9)),
        service: ServiceCode::parse("SALT").ok(),
        recipient: OrganisationCode::parse("RRK").unwrap(),
        outcome: "release".to_owned(),
        reason: "The law asks for it.".to_owned(),
        due_on: Some(jiff::civil::date(2026, 10, 13)),
    };
    let issue = Issue::error(
        "nhs-number-check-digit",
        Some(schemas::Field::NHS_NUMBER),
        Place::Cell { line: 3, column: 2 },
        "fails its check digit",
        "Check the number.",
    );
    let row = |line, outcome, record, legs, issues| RowOutcome {
        place: Place::Row { line },
        outcome,
        record,
        legs,
        disclosures: Vec::new(),
        issues,
    };
    Receipt {
        log: None,
        iss: "ehc-gateway/334".to_owned(),
        sub: SubmissionId(Uuid::from_u128(1)),
        iat: 1_800_000_000,
        received_at: "2026-09-01T10:00:00Z".parse().unwrap(),
        body_sha256: "00".repeat(32),
        rows: vec![
            row(2, RowResult::Accepted, Some(RecordId(Uuid::from_u128(2))), vec![leg], vec![]),
            row(3, RowResult::Quarantined, None, vec![], vec![issue]),
        ],
    }
}

#[test]
fn a_receipt_is_read_again_with_the_public_key() {
    let signer = signer(1);
    let jws = signer.sign(&receipt()).unwrap();
    assert_eq!(verify(&jws, &signer.public_jwk()).unwrap(), receipt());
}

#[test]
fn the_key_id_is_the_thumbprint_of_rfc_8037() {
    let x = BASE64_URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let kid = key_id(&x.try_into().unwrap());
    assert_eq!(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn no_changed_byte_of_a_receipt_is_believed() {
    let signer = signer(1);
    let (jws, jwk) = (signer.sign(&receipt()).unwrap(), signer.public_jwk());
    for place in 0..jws.len() {
        let mut changed = jws.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        assert!(verify(&String::from_utf8(changed).unwrap(), &jwk).is_err(), "byte {place}");
    }
}

#[test]
fn another_key_another_algorithm_and_no_signature_are_refused() {
    let jws = signer(1).sign(&receipt()).unwrap();
    assert!(matches!(verify(&jws, &signer(2).public_jwk()), Err(ReceiptError::Signature)));
    assert!(matches!(verify(&jws, &json!({"kty": "RSA"})), Err(ReceiptError::Key)));
    let claims = jws.split('.').nth(1).unwrap();
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"ehc-receipt+jwt","kid":""}"#);
    let unsigned = format!("{none}.{claims}.");
    assert!(matches!(verify(&unsigned, &signer(1).public_jwk()), Err(ReceiptError::Form)));
    assert!(verify("", &signer(1).public_jwk()).is_err());
}

/// A receipt with its proof, in a log of three entries.
fn proved(seed: u64) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate(&folder.path().join("k"), &SeededEntropy::new(seed));
    let key = Arc::new(key.unwrap());
    let log = LogSigner::new("ehc-gateway/334", Arc::clone(&key)).unwrap();
    let signer = ReceiptSigner::new(key);
    let receipt = Receipt { iss: "ehc-gateway/334".to_owned(), ..receipt() };
    let mut event = Event::new(EventKind::SubmissionReceived, Actor::gateway());
    event.submission = Some(receipt.sub);
    event.hashes.insert(proof::HASH.to_owned(), receipt.sha256_hex().unwrap());
    let entry = Entry { seq: 1, at_us: 5, id: Uuid::from_u128(7), event };
    let leaf = serde_json::to_vec(&entry).unwrap();
    let mut frontier = Frontier::default();
    let rows: Vec<Vec<u8>> =
        [b"a".as_slice(), &leaf, b"b"].iter().map(|leaf| frontier.append(leaf).unwrap()).collect();
    let read = |node: NodeAt| node.pick(rows.get(usize::try_from(node.row()).ok()?)?);
    let proof = tree::inclusion_proof(3, 1, read).unwrap().into_iter().map(Base64Hash).collect();
    let checkpoint = log.sign_checkpoint(3, frontier.root().unwrap(), receipt.received_at).unwrap();
    let entry = BASE64_STANDARD.encode(&leaf);
    let jws = signer.sign(&receipt).unwrap();
    let given = signer.sign_with(&jws, LogProof { seq: 1, entry, proof, checkpoint });
    (given.unwrap(), log.vkey())
}

#[test]
fn a_receipt_proves_its_entry_with_nothing_but_the_log_s_key() {
    let (jws, vkey) = proved(77);
    let checked = proof::check(&jws, &vkey, None).unwrap();
    assert!(checked.vouched);
    assert_eq!(checked.checkpoint.unwrap().size, 3);
    assert_eq!(checked.entry.unwrap().seq, 1);
    let claims = verify(&jws, &jwk_of_vkey(&vkey).unwrap()).unwrap();
    assert_eq!(Receipt { log: None, ..claims }.sub, receipt().sub);
    let (other, other_key) = proved(78);
    assert!(matches!(proof::check(&other, &vkey, None), Err(ProofFault::Receipt(_))));
    assert!(proof::check(&other, &other_key, None).is_ok());
    assert!(matches!(proof::check(&jws, "x", None), Err(ProofFault::Key)));
}

#[test]
fn a_receipt_whose_proof_is_of_something_else_is_refused_though_it_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let key = SigningKey::generate(&path, &SeededEntropy::new(5)).unwrap();
    let key = Arc::new(key);
    let log = LogSigner::new("ehc-gateway/334", Arc::clone(&key)).unwrap();
    let signer = ReceiptSigner::new(key);
    let told = Receipt { iss: "ehc-gateway/334".to_owned(), ..receipt() };
    let judged = |change: &dyn Fn(&mut Event), told: &Receipt, at: u64| {
        let mut event = Event::new(EventKind::SubmissionReceived, Actor::gateway());
        event.submission = Some(told.sub);
        event.hashes.insert(proof::HASH.to_owned(), told.sha256_hex().unwrap());
        change(&mut event);
        let entry = Entry { seq: at, at_us: 5, id: Uuid::from_u128(7), event };
        let leaf = serde_json::to_vec(&entry).unwrap();
        let mut frontier = Frontier::default();
        frontier.append(&leaf).unwrap();
        let checkpoint =
            log.sign_checkpoint(1, frontier.root().unwrap(), told.received_at).unwrap();
        let entry = BASE64_STANDARD.encode(&leaf);
        let log = LogProof { seq: 0, entry, proof: Vec::new(), checkpoint };
        let jws = signer.sign(&Receipt { log: Some(log), ..told.clone() }).unwrap();
        proof::check(&jws, &log_key(&signer), None)
    };
    assert!(judged(&|_| {}, &told, 0).unwrap().vouched);
    let old = judged(&|event| event.hashes.clear(), &told, 0).unwrap();
    assert!(!old.vouched, "an entry of before vouches for nothing, and that is said");
    let other = |result: Result<_, _>| matches!(result, Err(ProofFault::OtherEntry));
    assert!(other(judged(&|event| event.submission = None, &told, 0)));
    assert!(other(judged(&|event| event.kind = EventKind::BoardViewed, &told, 0)));
    let altered = |event: &mut Event| {
        event.hashes.insert(proof::HASH.to_owned(), "0".repeat(64));
    };
    assert!(other(judged(&altered, &told, 0)));
    assert!(other(judged(&|_| {}, &told, 3)), "an entry that says that it is another one");
    let elsewhere = Receipt { iss: "ehc-gateway/335".to_owned(), ..told.clone() };
    assert!(matches!(judged(&|_| {}, &elsewhere, 0), Err(ProofFault::OtherLog)));
}

/// The log's key as partners know it, of a signer that signs both.
fn log_key(signer: &ReceiptSigner) -> String {
    LogSigner::new("ehc-gateway/334", Arc::clone(&signer.key)).unwrap().vkey()
}
