use super::*;

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.txt");
    replace(&path, b"first", "a").expect("written");
    replace(&path, b"second", "b").expect("written again");
    assert_eq!(std::fs::read(&path).expect("there"), b"second");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let missing = folder.path().join("missing/report.txt");
    assert!(replace(&missing, b"x", "c").is_err());
}

#[test]
fn what_is_made_is_never_open_to_strangers() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), shared).expect("opened");
    assert!(is_open_to_others(folder.path()).expect("a mode"));
    let inner = folder.path().join("inner");
    let mode = mode_within(folder.path()).expect("a mode");
    ensure_folder(&inner, mode).expect("made");
    ensure_folder(&inner, mode).expect("made already");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o007;
    assert_eq!(mode(&inner), 0);
    replace(&inner.join("file"), b"x", "a").expect("written");
    assert_eq!(mode(&inner.join("file")), 0);
}

#[test]
fn links_are_not_folders_and_not_plain_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target");
    std::fs::write(&target, "x").expect("written");
    assert!(open_plain(&target).is_ok());
    std::os::unix::fs::symlink(&target, folder.path().join("link")).expect("linked");
    assert!(open_plain(&folder.path().join("link")).is_err());
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).expect("linked");
    assert!(ensure_folder(&folder.path().join("loop"), 0o700).is_err());
    std::fs::hard_link(&target, folder.path().join("twin")).expect("linked");
    assert!(open_plain(&target).is_err(), "it is somewhere else too");
}
