use super::*;
use crate::entropy::SystemEntropy;
use crate::vault::keyring::KeyFile;

fn keys(folder: &tempfile::TempDir) -> PeriodKeys {
    let entropy = Arc::new(SystemEntropy::default());
    let file = folder.path().join("wrapping-keys.toml");
    let wrapper = KeyFile::generate(&file, entropy.as_ref(), "first").unwrap();
    PeriodKeys::new(Arc::new(wrapper), entropy)
}

#[test]
fn a_person_has_one_alias_in_a_period_and_others_in_others() {
    let folder = tempfile::TempDir::new().unwrap();
    let keys = keys(&folder);
    let (this, next) = (Period::of_year(2026), Period::of_year(2027));
    let (key, other) = (keys.make(this).unwrap(), keys.make(next).unwrap());
    let (one, two) = (SubjectKey([1; 32]), SubjectKey([2; 32]));
    let alias = keys.alias(this, &key, one).unwrap();
    assert_ne!(keys.alias(next, &other, one).unwrap(), alias);
    assert_ne!(keys.alias(this, &key, two).unwrap(), alias);
    assert_eq!(keys.alias(this, &key, one).unwrap(), alias, "after another key was used");
    let opening = keys.opening(this, &key, one).unwrap();
    assert_eq!(alias::of(&opening, one), alias, "the opening shows whose it is");
    assert_ne!(alias::of(&opening, two), alias);
}

#[test]
fn a_key_serves_its_own_period_only_and_none_without_the_wrapping_key() {
    let folder = tempfile::TempDir::new().unwrap();
    let here = keys(&folder);
    let (this, next) = (Period::of_year(2026), Period::of_year(2027));
    let (key, subject) = (here.make(this).unwrap(), SubjectKey([1; 32]));
    assert!(matches!(here.alias(next, &key, subject), Err(VaultError::Refused)));
    let elsewhere = tempfile::TempDir::new().unwrap();
    let stranger = keys(&elsewhere);
    assert!(matches!(stranger.alias(this, &key, subject), Err(VaultError::UnknownKey(_))));
    here.alias(this, &key, subject).unwrap();
    here.forget();
    assert!(here.last.lock().unwrap().is_none());
    let mut changed = key;
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    assert!(matches!(here.alias(this, &changed, subject), Err(VaultError::Refused)));
}
