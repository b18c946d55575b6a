use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{SecretFileError, create, read};

#[test]
fn what_was_created_is_read_again_and_is_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    create(&path, b"synthetic").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read(&path).unwrap().as_slice(), b"synthetic");
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    create(&path, b"first").unwrap();
    assert!(matches!(create(&path, b"second"), Err(SecretFileError::Io { .. })));
    assert_eq!(read(&path).unwrap().as_slice(), b"first");
}

#[test]
fn a_file_that_others_can_read_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for mode in [0o640, 0o604, 0o620, 0o644, 0o666, 0o610] {
        fs::write(&path, b"canary-secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, SecretFileError::NotPrivate { mode: found, .. } if found == mode));
        let text = format!("{error} {error:?}");
        assert!(text.contains("chmod 600") && !text.contains("canary-secret"));
    }
}

#[test]
fn a_folder_and_an_oversized_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(folder.path()), Err(SecretFileError::NotAFile { .. })));
    let path = folder.path().join("large");
    create(&path, &vec![b'x'; 65 * 1024]).unwrap();
    assert!(matches!(read(&path), Err(SecretFileError::NotAFile { .. })));
}
