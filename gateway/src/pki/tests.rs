use super::*;

fn practice() -> Practice {
    let code = |code: &str| OrganisationCode::parse(code).expect("a code");
    let partners = [("la", "334"), ("trust", "RRK")];
    let plan = PracticePlan {
        gateway: code("QHL"),
        partners: partners.iter().map(|(name, of)| ((*name).to_owned(), code(of))).collect(),
        now: "2026-06-01T09:00:00Z".parse().expect("an instant"),
        days: 30,
    };
    Practice::mint(&plan).expect("minted")
}

#[test]
fn every_villain_but_one_has_the_victims_own_key() {
    let practice = practice();
    let victim = practice.partner("la").expect("planned").client.pin();
    for villain in practice.villains() {
        let own = villain.issued.pin() == victim;
        assert_eq!(own, villain.kind != VillainKind::UnknownKey, "{:?}", villain.kind);
    }
}

#[test]
fn the_pin_of_a_file_is_the_pin_of_its_certificate() {
    let practice = practice();
    let issued = &practice.partner("trust").expect("planned").client;
    let pin = pin_of_pem(issued.certificate_pem().as_bytes()).expect("a certificate");
    assert_eq!(pin, issued.pin());
    assert!(pin_of_pem(b"nonsense").is_err());
}

#[cfg(unix)]
#[test]
fn keys_are_written_for_their_owner_only_and_nothing_is_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let practice = practice();
    let written = practice.write(folder.path()).expect("written");
    let keys: Vec<_> =
        written.iter().filter(|file| file.to_string_lossy().ends_with("key.pem")).collect();
    assert_eq!(keys.len(), 2 + 4 + practice.villains().len());
    for key in keys {
        let mode = std::fs::metadata(key).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
    assert!(practice.write(folder.path()).is_err());
}

#[test]
fn a_partner_is_not_called_what_could_leave_the_folder() {
    for name in ["", "../up", "a/b", "A", "nul\0"] {
        assert!(writer::check_name(name).is_err(), "{name:?}");
    }
}

#[test]
fn no_key_is_printed() {
    let printed = format!("{:?}", practice());
    assert!(!printed.contains("PRIVATE"), "{printed}");
}
