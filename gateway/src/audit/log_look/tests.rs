use std::path::Path;

use super::*;

#[test]
fn every_look_at_the_log_has_a_code_of_its_own_that_is_read_again() {
    for look in LogLook::ALL {
        assert_eq!(LogLook::parse(look.code()), Some(look));
        assert!(!look.in_words().contains("audit"), "{look:?} is not in plain words");
    }
    assert_eq!(LogLook::parse("of-next-year"), None);
}

/// The files below a folder, tests left out.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            found.push((path.display().to_string(), packed));
        }
    }
}

/// Whoever writes `audit.viewed` without [`LogLook`] writes a code that may have no words.
#[test]
fn no_entry_of_a_look_at_the_log_is_begun_elsewhere() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100, "the sources were not found");
    let begun = |text: &str| text.matches("Event::new(EventKind::AuditViewed").count();
    let places: Vec<(&str, usize)> = found
        .iter()
        .map(|(path, text)| (path.rsplit("/src/").next().unwrap(), begun(text)))
        .filter(|(_, begun)| *begun > 0)
        .collect();
    // A page of entries and a tile have no code.
    assert_eq!(
        places.iter().filter(|(path, _)| *path != "audit/log_look.rs").collect::<Vec<_>>(),
        [&("api/audit.rs", 2)],
        "begin the event with LogLook, and give it words there"
    );
}
