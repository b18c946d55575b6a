use std::sync::Arc;

use serde_json::Value;

use super::super::keyring::KeyFile;
use super::super::pseudonym::Pseudonyms;
use super::*;
use crate::entropy::SeededEntropy;

const MIB: u64 = 1024 * 1024;

fn vault(seed: u64) -> (Vault, Arc<SeededEntropy>) {
    let folder = tempfile::tempdir().unwrap();
    let entropy = Arc::new(SeededEntropy::new(seed));
    let keys = KeyFile::generate(&folder.path().join("keys.toml"), &*entropy, "2026").unwrap();
    let pseudonyms = Pseudonyms::from_key(&[1; 32]).unwrap();
    (Vault::new(Arc::new(keys), pseudonyms, Arc::<SeededEntropy>::clone(&entropy)), entropy)
}

fn place(id: u128, owner: &str, size: u64) -> DocumentPlace {
    let owner = OrganisationCode::parse(owner).unwrap();
    DocumentPlace { id: Uuid::from_u128(id), owner, size }
}

fn filled(length: usize, with: u8) -> Vec<u8> {
    (0..length).map(|at| with ^ u8::try_from(at % 251).unwrap()).collect()
}

/// The plain and the sealed segments of a document.
fn document(segments: &Segments, entropy: &dyn Entropy) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..segments.count())
        .map(|index| {
            let with = u8::try_from(index).unwrap();
            let plain = filled(segments.length_of(index).unwrap(), with);
            let sealed = segments.seal(index, &plain, entropy).unwrap();
            (plain, sealed)
        })
        .collect()
}

#[test]
fn every_segment_opens_in_its_own_place_and_in_no_other() {
    let (vault, entropy) = vault(1);
    let header = vault.begin_document().unwrap();
    let segments = vault.document_sealer(&place(1, "RRK", 3 * MIB), &header).unwrap();
    let all = document(&segments, &*entropy);
    for (index, (plain, sealed)) in (0..).zip(&all) {
        assert_eq!(&*segments.open(index, sealed).unwrap(), plain);
        for other in (0..5).filter(|other| *other != index) {
            assert!(segments.open(other, sealed).is_err(), "{index} opened as {other}");
        }
    }
}

#[test]
fn a_changed_or_cut_segment_does_not_open() {
    let (vault, entropy) = vault(1);
    let header = vault.begin_document().unwrap();
    let segments = vault.document_sealer(&place(1, "RRK", 40), &header).unwrap();
    let sealed = segments.seal(0, &filled(40, 9), &*entropy).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(segments.open(0, &changed).is_err(), "byte {at}");
        assert!(segments.open(0, &sealed[..at]).is_err(), "cut to {at}");
    }
    assert!(segments.open(0, &[sealed.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn segments_of_another_document_owner_or_size_are_refused() {
    let (vault, entropy) = vault(1);
    let header = vault.begin_document().unwrap();
    let own = place(1, "RRK", 2 * MIB);
    let segments = vault.document_sealer(&own, &header).unwrap();
    let all = document(&segments, &*entropy);
    let others = [
        place(2, "RRK", 2 * MIB),
        place(1, "RXT", 2 * MIB),
        // The tail was cut off, or something was added: no segment stands for the last.
        place(1, "RRK", MIB),
        place(1, "RRK", 3 * MIB),
    ];
    for other in others {
        let others = vault.document_sealer(&other, &header).unwrap();
        for (index, (_, sealed)) in (0..).zip(&all) {
            assert!(others.open(index, sealed).is_err(), "{other:?} {index}");
        }
    }
    // The same place under another document's key.
    let key = vault.begin_document().unwrap();
    let exchanged = vault.document_sealer(&own, &key).unwrap();
    assert!(exchanged.open(0, &all[0].1).is_err());
}

#[test]
fn a_header_that_was_changed_gives_no_key() {
    let (vault, entropy) = vault(1);
    let header = vault.begin_document().unwrap();
    let own = place(1, "RRK", 10);
    let segments = vault.document_sealer(&own, &header).unwrap();
    let sealed = segments.seal(0, &filled(10, 1), &*entropy).unwrap();
    for at in 0..header.0.len() {
        let mut changed = header.0.clone();
        changed[at] ^= 1;
        let opened = DocumentHeader::from_bytes(changed)
            .and_then(|header| vault.document_sealer(&own, &header))
            .and_then(|segments| segments.open(0, &sealed));
        assert!(opened.is_err(), "byte {at}");
        assert!(DocumentHeader::from_bytes(header.0[..at].to_vec()).is_err(), "cut to {at}");
    }
}

#[test]
fn the_same_place_sealed_twice_never_shares_a_nonce() {
    let (vault, entropy) = vault(1);
    let header = vault.begin_document().unwrap();
    let segments = vault.document_sealer(&place(1, "RRK", 10), &header).unwrap();
    let first = segments.seal(0, &filled(10, 1), &*entropy).unwrap();
    let second = segments.seal(0, &filled(10, 2), &*entropy).unwrap();
    assert_ne!(first[..NONCE_BYTES], second[..NONCE_BYTES]);
    assert!(segments.seal(0, &filled(11, 1), &*entropy).is_err(), "too long for its place");
    assert!(segments.seal(1, &filled(10, 1), &*entropy).is_err(), "there is no such place");
}

#[test]
fn a_range_names_its_segments() {
    assert_eq!(segments_for(&(0..1)), (0..1, 0));
    assert_eq!(segments_for(&(MIB - 1..MIB)), (0..1, SEGMENT_BYTES - 1));
    assert_eq!(segments_for(&(MIB - 1..MIB + 1)), (0..2, SEGMENT_BYTES - 1));
    assert_eq!(segments_for(&(MIB..3 * MIB)), (1..3, 0));
    assert_eq!(place(1, "RRK", 0).segments(), 1);
    assert_eq!(place(1, "RRK", MIB).segments(), 1);
    assert_eq!(place(1, "RRK", MIB + 1).segments(), 2);
}

/// A vector of version 1, made with another implementation and never made again.
#[test]
fn the_vector_of_version_1_opens() {
    let text = include_str!("../../../../tests/corpus/sealed/v1-document.json");
    let vector: Value = serde_json::from_str(text).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let number = |name: &str| vector[name].as_u64().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    crate::secret_file::create(&file, text("test_key_file").as_bytes()).unwrap();
    let keys = Arc::new(KeyFile::load(&file).unwrap());
    let entropy = Arc::new(SeededEntropy::new(1));
    let vault = Vault::new(keys, Pseudonyms::from_key(&[1; 32]).unwrap(), entropy);
    let id = Uuid::parse_str(&text("document")).unwrap();
    let own = place(id.as_u128(), &text("owner"), number("size"));
    let header = DocumentHeader::from_bytes(bytes_of(&text("header_hex"))).unwrap();
    let segments = vault.document_sealer(&own, &header).unwrap();
    let opened = segments.open(number("index"), &bytes_of(&text("segment_hex"))).unwrap();
    assert_eq!(&*opened, text("plaintext").as_bytes());
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap(), 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}
