use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::entropy::SystemEntropy;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn a_cosignature_is_found_under_its_checkpoint_and_nothing_else_is_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let entropy = SystemEntropy::default();
    let log = SigningKey::generate(&folder.path().join("log"), &entropy).unwrap();
    let log = LogSigner::new("ehc-gateway/EHCGW", Arc::new(log)).unwrap();
    let note = log.sign_checkpoint(7, [9; 32], at(1_700_000_000)).unwrap();
    let other = log.sign_checkpoint(7, [8; 32], at(1_700_000_000)).unwrap();
    let cosigner = Cosigner::generate(&folder.path().join("w"), "w.example/1", &entropy).unwrap();
    let key = CosignerKey::parse(&cosigner.vkey()).unwrap();
    let line = cosigner.cosign(&note, at(1_700_000_060)).unwrap();

    let found = key.find(&note, &line).unwrap();
    assert_eq!((found.by.as_str(), found.at), ("w.example/1", at(1_700_000_060)));
    let whole = with_lines(&note, [line.as_str(), line.as_str()]);
    assert_eq!(whole.matches("w.example/1").count(), 1, "each line stands once");
    assert_eq!(key.find(&whole, &whole).unwrap(), found, "in the note itself");
    assert!(Checkpoint::parse_and_verify(&whole, &log.vkey()).is_ok(), "the log's own still holds");
    assert!(key.find(&other, &line).is_none(), "another root was never cosigned");
    let later = line.replace("w.example/1", "w.example/2");
    assert!(key.find(&note, &later).is_none());

    let stranger = Cosigner::generate(&folder.path().join("x"), "w.example/1", &entropy).unwrap();
    assert!(CosignerKey::parse(&stranger.vkey()).unwrap().find(&note, &line).is_none());
    assert!(CosignerKey::parse(&log.vkey()).is_err(), "a log's key is not a witness's");
    assert!(Cosigner::load(&folder.path().join("w"), "two words").is_err());
}
