//! What is compared, and what the entry says of it.

use super::*;

fn prints(list: &str) -> TrustPrints {
    TrustPrints {
        certificate: "c".to_owned(),
        authorities: "a".to_owned(),
        revocation_lists: list.to_owned(),
    }
}

fn event(change: &Change) -> &Event {
    &change.steps[0].0
}

fn policy(text: &str, version: &str) -> Piece {
    let mut files = Files::default();
    files.note("agreements", text, Some(version));
    files.0["agreements"].clone()
}

#[test]
fn a_reload_names_what_changes_with_both_fingerprints_and_nothing_else() {
    assert!(at_reload(("p", &prints("l")), ("p", &prints("l"))).is_none());
    let change = at_reload(("p", &prints("l")), ("p", &prints("m"))).expect("a change");
    let said = &event(&change).detail;
    assert_eq!(said["what"], "revocation-lists");
    assert_eq!(
        (said["revocation-lists"].as_str(), said["revocation-lists.before"].as_str()),
        ("m", "l")
    );
    assert_eq!(said.len(), 4, "{said:?}");
}

#[test]
fn a_new_text_under_an_old_version_is_said_so_and_under_a_new_one_is_not() {
    let old = policy("one", "agreements-1").kept();
    assert!(News::of(policy("one", "agreements-1"), Some(&old)).is_none());
    for (version, same) in [("agreements-1", Some("agreements")), ("agreements-2", None)] {
        let news = News::of(policy("two", version), Some(&old)).expect("news");
        let change = changed(EventKind::TrustChanged, START, vec![news]).expect("a change");
        let said = event(&change).detail.get("same_version").map(String::as_str);
        assert_eq!(said, same, "{version}");
    }
    // What was not there, or was kept before versions were, is not the same version.
    for before in [None, Some("some-print"), Some(ABSENT)] {
        let news = News::of(policy("two", "agreements-1"), before).expect("news");
        assert!(!news.same_version);
    }
}

#[test]
fn a_folder_of_many_mappings_makes_an_entry_that_fits() {
    let news = (0..5_000).map(|at| News {
        piece: Piece::new(&format!("mapping.a-name-of-some-length-{at}"), "f".repeat(64)),
        before: Some("e".repeat(64)),
        same_version: false,
    });
    let change = changed(EventKind::TrustChanged, START, news.collect()).expect("a change");
    assert_eq!(event(&change).detail["more"], "4940");
    assert!(serde_json::to_vec(event(&change)).expect("JSON").len() < 65_536 / 3);
}
