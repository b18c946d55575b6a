use super::*;

fn folder() -> (tempfile::TempDir, Keeping) {
    let place = tempfile::tempdir().unwrap();
    let keeping = Keeping::open(&KeepingSection::Folder(place.path().join("documents"))).unwrap();
    (place, keeping)
}

#[tokio::test]
async fn a_segment_is_had_back_as_it_was_kept_and_kept_anew() {
    let (_place, keeping) = folder();
    let document = Uuid::from_u128(1);
    keeping.put(document, 3, b"first".to_vec()).await.unwrap();
    keeping.put(document, 3, b"second".to_vec()).await.unwrap();
    assert_eq!(keeping.get(document, 3).await.unwrap().as_ref(), b"second");
    assert!(matches!(keeping.get(document, 4).await, Err(KeepingError::Missing)));
    let other = Uuid::from_u128(2);
    assert!(matches!(keeping.get(other, 3).await, Err(KeepingError::Missing)));
}

#[tokio::test]
async fn removing_leaves_nothing_not_even_of_a_write_that_was_cut_short() {
    let (place, keeping) = folder();
    let document = Uuid::from_u128(1);
    for index in 0..4 {
        keeping.put(document, index, vec![7; 10]).await.unwrap();
    }
    let own = place.path().join("documents").join(document.to_string());
    std::fs::write(own.join("00004#1"), b"half a segment").unwrap();
    // More segments than were kept: an upload that was given up.
    keeping.remove(document, 9).await.unwrap();
    assert!(!own.exists());
    keeping.remove(document, 9).await.unwrap();
}

#[cfg(unix)]
#[test]
fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (place, _keeping) = folder();
    let found = std::fs::metadata(place.path().join("documents")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_that_is_a_file_is_refused_by_name() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let error = Keeping::open(&KeepingSection::Folder(place.path().to_owned())).unwrap_err();
    assert!(error.to_string().contains(&place.path().display().to_string()), "{error}");
}
