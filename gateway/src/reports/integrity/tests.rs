use super::super::tests::{release, words};
use super::*;

#[test]
fn the_redacted_form_has_no_pseudonym_and_no_id_but_the_hash_of_each_leaf() {
    let mut entry = release(5, 1, ("RXT", "statute"));
    entry.event.actor.person = Some("0123456789abcdef".to_owned());
    let leaf = entry.to_bytes().unwrap();
    let line = serde_json::json!({ "seq": 5, "leaf": BASE64_STANDARD.encode(&leaf), "nodes": "" });
    let unreadable = serde_json::json!({ "seq": 6, "leaf": "AAAA", "nodes": "" });
    let file = format!("{{\"format\":\"x\"}}\n{line}\n{unreadable}\n");
    let entries = leaves(file.as_bytes());
    assert_eq!(entries.len(), 2);
    let rows = words(&redacted(&entries, &|code| code.to_owned()));
    assert_eq!(rows.len(), 1, "what cannot be read is named by the proof");
    assert_eq!(rows[0].last(), Some(&hex(&leaf_hash(&leaf))));
    let text = rows.concat().join(" ");
    for hidden in [
        "0123456789abcdef".to_owned(),
        entry.event.subject.unwrap().to_hex().chars().take(12).collect(),
        entry.event.record.unwrap().to_string(),
        entry.event.delivery.unwrap().to_string(),
    ] {
        assert!(!text.contains(&hidden), "{text}");
    }
    assert_eq!(words(&counts(&entries)), [["delivery.collected", "1"], ["unreadable", "1"]]);
}

#[test]
fn a_bundle_that_is_too_large_is_given_up_and_not_cut() {
    let mut file = Bounded::default();
    let most = vec![0; BUNDLE_BYTES_MAX];
    assert!(file.write(&most).is_ok() && !file.full);
    assert!(file.write(b"x").is_err() && file.full);
}
