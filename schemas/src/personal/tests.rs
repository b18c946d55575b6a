use super::*;

#[test]
fn debug_shows_only_how_long_a_text_is() {
    let text = PersonalText::new("Rowan Alder");
    assert_eq!(format!("{text:?} {text:#?}"), "PersonalText(11 bytes) PersonalText(11 bytes)");
}

#[test]
fn debug_shows_only_how_many_bytes_a_document_has() {
    let bytes = PersonalBytes::new(b"Rowan Alder".to_vec());
    assert_eq!(format!("{bytes:?}"), "PersonalBytes(11 bytes)");
    assert!(!bytes.is_empty() && bytes.len() == 11);
}

#[test]
fn a_text_is_a_plain_string_in_sealed_bytes() {
    let text = PersonalText::new("Rowan");
    let json = serde_json::to_string(&text).expect("a string");
    assert_eq!(json, "\"Rowan\"");
    assert_eq!(serde_json::from_str::<PersonalText>(&json).expect("a text"), text);
}
