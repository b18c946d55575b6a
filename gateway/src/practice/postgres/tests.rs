use super::*;

#[test]
fn a_path_with_signs_that_mean_something_in_an_address_is_encoded() {
    assert_eq!(percent_encoded(Path::new("/tmp/ehc-pg_1.d")), "/tmp/ehc-pg_1.d");
    assert_eq!(percent_encoded(Path::new("/a b/c+d&é")), "/a%20b/c%2Bd%26%C3%A9");
}

#[test]
fn a_folder_too_deep_for_a_socket_is_refused_before_anything_is_made() {
    let folder = std::env::temp_dir().join("x".repeat(FOLDER_BYTES_MAX));
    assert!(Server::start(PathBuf::new(), &folder, Durability::None).is_err());
    assert!(!folder.exists());
}
