use uuid::Uuid;

use super::*;
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
