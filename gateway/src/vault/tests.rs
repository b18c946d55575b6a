use std::collections::BTreeSet;
use std::sync::Arc;

use schemas::MessageType;
use serde_json::Value;

use super::keyring::{ContentKey, KeyFile, WrappedKey};
use super::*;
use crate::entropy::SeededEntropy;

fn vault(seed: u64) -> Vault {
    let folder = tempfile::tempdir().unwrap();
    let entropy = Arc::new(SeededEntropy::new(seed));
    let keys = KeyFile::generate(&folder.path().join("keys.toml"), &*entropy, "2026").unwrap();
    Vault::new(Arc::new(keys), Pseudonyms::from_key(&[1; 32]).unwrap(), entropy)
}

fn org(code: &str) -> OrganisationCode {
    OrganisationCode::parse(code).unwrap()
}

fn record() -> Record {
    let json = br#"{"type":"ack.business","version":1,"id":"A-1","sender":"334","notice":{"about":"B-1"}}"#;
    let document = Attachment {
        name: PersonalText::new("letter.pdf"),
        media_type: "application/pdf".to_owned(),
        content: PersonalBytes::new(b"%PDF synthetic".to_vec()),
    };
    Record::reopen(json, vec![document]).unwrap()
}

fn admission() -> Admission {
    Admission {
        record: RecordId(Uuid::from_u128(1)),
        kind: MessageType::Acknowledgement,
        sender: org("334"),
        recipients: BTreeSet::from([org("RRK"), org("RJ1")]),
    }
}

fn release() -> Release {
    use DataClass::{Consent, Contact, Documents, Education, Health, Identity};
    Release {
        delivery: DeliveryId(Uuid::from_u128(2)),
        record: RecordId(Uuid::from_u128(1)),
        recipient: org("RRK"),
        classes: BTreeSet::from([Identity, Contact, Education, Health, Consent, Documents]),
        expires_at: Timestamp::from_second(100).unwrap(),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(50).unwrap()
}

#[test]
fn a_record_is_opened_for_its_recipient_as_it_was_sealed() {
    let vault = vault(1);
    let sealed = vault.seal(record(), admission()).unwrap();
    let opened = vault.open(&sealed, release(), now()).unwrap();
    assert_eq!(opened.record().message(), record().message());
    assert_eq!(opened.record().attachments(), record().attachments());
    assert_eq!((opened.recipient(), opened.delivery()), (&org("RRK"), release().delivery));
    assert!(!sealed.envelope().windows(6).any(|bytes| bytes == b"letter"));
}

#[test]
fn a_token_for_something_else_opens_and_seals_nothing() {
    let vault = vault(1);
    let sealed = vault.seal(record(), admission()).unwrap();
    let wrong = [
        Release { record: RecordId(Uuid::from_u128(9)), ..release() },
        Release { recipient: org("RXX"), ..release() },
        Release { expires_at: now(), ..release() },
    ];
    for release in wrong {
        assert!(matches!(vault.open(&sealed, release, now()), Err(VaultError::Token(_))));
    }
    let wrong = [
        Admission { kind: MessageType::Error, ..admission() },
        Admission { sender: org("335"), ..admission() },
    ];
    for admission in wrong {
        assert!(matches!(vault.seal(record(), admission), Err(VaultError::Token(_))));
    }
}

#[test]
fn a_release_of_fewer_classes_opens_only_those() {
    let vault = vault(1);
    let sealed = vault.seal(record(), admission()).unwrap();
    let release = Release { classes: BTreeSet::from([DataClass::Identity]), ..release() };
    let opened = vault.open(&sealed, release, now()).unwrap();
    assert!(opened.record().attachments().is_empty());
    assert!(opened.left_out().contains(&DataClass::Documents));
}

#[test]
fn no_changed_byte_of_an_envelope_opens() {
    let vault = vault(1);
    let sealed = vault.seal(record(), admission()).unwrap();
    for place in 0..sealed.envelope.len() {
        let mut changed = sealed.clone();
        changed.envelope[place] ^= 1;
        assert!(vault.open(&changed, release(), now()).is_err(), "byte {place}");
    }
    for length in 0..sealed.envelope.len() {
        let cut = SealedBlob::from_bytes(sealed.envelope[..length].to_vec());
        assert!(cut.is_err(), "cut to {length}");
    }
}

#[test]
fn nothing_that_a_record_is_bound_to_can_be_changed() {
    let vault = vault(1);
    let sealed = vault.seal(record(), admission()).unwrap();
    let id = RecordId(Uuid::from_u128(9));
    let moved = [
        SealedRecord { record: id, ..sealed.clone() },
        SealedRecord { kind: MessageType::Error, ..sealed.clone() },
        SealedRecord { sender: org("335"), ..sealed.clone() },
        SealedRecord { recipients: vec![org("RRK")], ..sealed.clone() },
        SealedRecord { recipients: vec![org("RJ1"), org("RRK"), org("RXX")], ..sealed.clone() },
    ];
    for moved in moved {
        let release = Release { record: moved.record, ..release() };
        assert!(matches!(vault.open(&moved, release, now()), Err(VaultError::Refused)));
    }
}

#[test]
fn one_kind_of_sealed_bytes_never_opens_as_another_nor_elsewhere() {
    let vault = vault(1);
    let kinds = [BlobKind::Original, BlobKind::Quarantine, BlobKind::Label, BlobKind::Answer];
    let (place, elsewhere) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for kind in kinds {
        let blob = vault.seal_blob(kind, place, &org("334"), b"text").unwrap();
        let open = |kind, place, owner: &OrganisationCode| {
            vault.expose_blob_for_owner(kind, place, owner, &blob)
        };
        assert_eq!(open(kind, place, &org("334")).unwrap().expose(), b"text");
        assert!(open(kind, elsewhere, &org("334")).is_err());
        assert!(open(kind, place, &org("335")).is_err());
        for other in kinds.into_iter().filter(|other| *other != kind) {
            assert!(open(other, place, &org("334")).is_err());
        }
    }
}

#[test]
fn sizes_are_hidden_in_buckets() {
    let vault = vault(1);
    let size = |content: usize| {
        let content = vec![7; content];
        let seal = vault.seal_blob(BlobKind::Label, Uuid::nil(), &org("334"), &content);
        seal.unwrap().as_bytes().len()
    };
    assert_eq!(size(0), size(1016));
    assert_eq!(size(1017) - size(1016), 1024);
    assert_eq!(size(65_529), size(130_000));
}

/// Two key files, of which the second is current.
#[derive(Debug)]
struct Rotated(KeyFile, KeyFile);

impl KeyWrapper for Rotated {
    fn current(&self) -> KeyId {
        self.1.current()
    }
    fn wrap(&self, content: &ContentKey, entropy: &dyn Entropy) -> Result<WrappedKey, VaultError> {
        self.1.wrap(content, entropy)
    }
    fn expose_content_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, VaultError> {
        let keys = if self.0.holds(&wrapped.key) { &self.0 } else { &self.1 };
        keys.expose_content_key(wrapped)
    }
}

#[test]
fn rotation_wraps_the_key_anew_and_an_unknown_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, seed| {
        KeyFile::generate(&folder.path().join(name), &SeededEntropy::new(seed), "2026").unwrap()
    };
    let load = |name: &str| KeyFile::load(&folder.path().join(name)).unwrap();
    let over = |keys: Arc<dyn KeyWrapper>| {
        let entropy = Arc::new(SeededEntropy::new(500));
        Vault::new(keys, Pseudonyms::from_key(&[1; 32]).unwrap(), entropy)
    };
    let (old, new) = (over(Arc::new(file("old", 1))), over(Arc::new(file("new", 100))));
    let both = over(Arc::new(Rotated(load("old"), load("new"))));
    let sealed = old.seal(record(), admission()).unwrap();
    assert!(matches!(new.open(&sealed, release(), now()), Err(VaultError::UnknownKey(_))));
    let rewrapped = both.rewrap_record(&sealed).unwrap();
    assert!(new.open(&rewrapped, release(), now()).is_ok());
    assert!(old.open(&rewrapped, release(), now()).is_err());
    let end = sealed.envelope.len() - 1000;
    assert_eq!(sealed.envelope[end..], rewrapped.envelope[end..], "content is not sealed again");
}

#[test]
fn a_bad_key_file_is_refused_without_saying_what_stands_in_it() {
    let folder = tempfile::tempdir().unwrap();
    for (place, text) in ["current = CANARY", "current=\"a\"\nkey=[]", "CANARY"].iter().enumerate()
    {
        let path = folder.path().join(place.to_string());
        crate::secret_file::create(&path, text.as_bytes()).unwrap();
        let error = KeyFile::load(&path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
}

#[test]
fn a_vector_of_version_1_opens_for_ever() {
    let vector: Value =
        serde_json::from_str(include_str!("../../../tests/corpus/sealed/v1-label.json")).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.toml");
    crate::secret_file::create(&path, text("test_key_file").as_bytes()).unwrap();
    let keys = Arc::new(KeyFile::load(&path).unwrap());
    let entropy = Arc::new(SeededEntropy::new(1));
    let vault = Vault::new(keys, Pseudonyms::from_key(&[1; 32]).unwrap(), entropy);
    let digits = text("envelope_hex");
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap(), 16).unwrap();
    let envelope: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    let blob = SealedBlob::from_bytes(envelope).unwrap();
    let (place, owner) = (Uuid::parse_str(&text("place")).unwrap(), org(&text("owner")));
    let opened = vault.expose_blob_for_owner(BlobKind::Label, place, &owner, &blob).unwrap();
    assert_eq!(opened.expose(), text("plaintext").as_bytes());
}
