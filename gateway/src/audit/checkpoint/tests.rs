use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::entropy::SeededEntropy;

fn signer(origin: &str, seed: u64) -> LogSigner {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log-key.p8");
    LogSigner::generate(&path, origin, &SeededEntropy::new(seed)).unwrap()
}

fn note(signer: &LogSigner) -> String {
    let at: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
    signer.sign_checkpoint(12, [5; 32], at).unwrap()
}

#[test]
fn a_checkpoint_is_read_again_with_the_verifier_key() {
    let signer = signer("ehc-gateway/334", 1);
    let kept = Checkpoint::parse_and_verify(&note(&signer), &signer.vkey()).unwrap();
    assert_eq!((kept.origin.as_str(), kept.size, kept.root), ("ehc-gateway/334", 12, [5; 32]));
    assert_eq!(kept.at.to_string(), "2026-09-01T10:00:00Z");
}

#[test]
fn the_key_file_loads_to_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log-key.p8");
    let made = LogSigner::generate(&path, "ehc-gateway/334", &SeededEntropy::new(3)).unwrap();
    assert_eq!(LogSigner::load(&path, "ehc-gateway/334").unwrap().vkey(), made.vkey());
    assert!(LogSigner::generate(&path, "ehc-gateway/334", &SeededEntropy::new(4)).is_err());
    std::fs::write(&path, b"not a key").unwrap();
    assert!(matches!(
        LogSigner::load(&path, "ehc-gateway/334"),
        Err(CheckpointError::Key(SigningKeyError::Form(_)))
    ));
}

#[test]
fn no_changed_byte_of_a_checkpoint_is_believed() {
    let signer = signer("ehc-gateway/334", 1);
    let (note, vkey) = (note(&signer), signer.vkey());
    for place in 0..note.len() {
        let mut changed = note.clone().into_bytes();
        changed[place] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(Checkpoint::parse_and_verify(&changed, &vkey).is_err(), "byte {place}");
    }
}

#[test]
fn another_key_or_another_log_is_refused() {
    let ours = signer("ehc-gateway/334", 1);
    let theirs = signer("ehc-gateway/334", 2);
    let other = LogSigner::new("ehc-gateway/335", ours.key()).unwrap();
    assert!(Checkpoint::parse_and_verify(&note(&ours), &theirs.vkey()).is_err());
    assert!(Checkpoint::parse_and_verify(&note(&ours), &other.vkey()).is_err());
    assert!(Checkpoint::parse_and_verify(&note(&ours), "nonsense").is_err());
    assert!(Checkpoint::parse_and_verify("", &ours.vkey()).is_err());
    for origin in ["", "with space", "with+plus", "line\nbreak"] {
        assert!(LogSigner::new(origin, Arc::clone(&ours.key)).is_err());
    }
}
