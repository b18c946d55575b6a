use super::*;

const ID: &str = "01900000-0000-7000-8000-000000000007";

#[test]
fn a_file_says_what_became_of_a_delivery() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, content: &str| {
        std::fs::write(folder.path().join(name), content).expect("written");
        read(folder.path(), OsStr::new(name))
    };
    let id = DeliveryId(ID.parse().expect("an id"));
    let accepted = Said::Outcome(id, DeliveryState::Accepted, None);
    assert_eq!(put(&format!("{ID}.accepted"), ""), accepted);
    let wrong = Said::Outcome(id, DeliveryState::Rejected, Some(RejectionReason::WrongOrg));
    assert_eq!(put(&format!("{ID}.rejected"), "WRONG_ORG\r\n"), wrong);
    for content in ["", "WRONG", "they said so", &"x".repeat(5000)] {
        assert_eq!(put(&format!("{ID}.rejected"), content), Said::Nothing(NO_REASON));
    }
    for name in ["x.accepted", "done", "..accepted", &format!("{ID}.taken")] {
        assert_eq!(outcome_of(OsStr::new(name)), None, "{name}");
    }
}

#[test]
fn a_link_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("{ID}.accepted");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join(&name)).expect("linked");
    assert_eq!(read(folder.path(), OsStr::new(&name)), Said::Nothing("it is not a plain file"));
}
