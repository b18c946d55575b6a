use proptest::prelude::*;

use super::*;
use crate::limits;

fn rule(bytes: &[u8]) -> (String, Place) {
    let error = parse(bytes).err().expect("it is refused");
    (error.rule, error.place)
}

fn at(line: u64, column: u64) -> Place {
    Place::Text { line, column, path: String::new() }
}

#[test]
fn every_refusal_has_its_rule_and_position() {
    let cases: [(&[u8], &str, u64, u64); 30] = [
        (b"", "json-truncated", 1, 1),
        (b"  \n ", "json-truncated", 2, 2),
        (b"{", "json-truncated", 1, 2),
        (b"{\"a\"", "json-truncated", 1, 5),
        (b"{\"a\":", "json-truncated", 1, 6),
        (b"[1", "json-truncated", 1, 3),
        (b"[1,", "json-truncated", 1, 4),
        (b"\"abc", "json-truncated", 1, 5),
        (b"\"abc\\", "json-truncated", 1, 6),
        (b"\"\\u12", "json-truncated", 1, 6),
        (b"tru", "json-truncated", 1, 1),
        (b"{\"a\":1,\n \"b\":2,\n \"a\":3}", "json-duplicate-key", 3, 2),
        (b"{\"a\":1,\"\\u0061\":2}", "json-duplicate-key", 1, 8),
        (b"{\"a\":1,}", "json-syntax", 1, 8),
        (b"[1,]", "json-syntax", 1, 4),
        (b"{a:1}", "json-syntax", 1, 2),
        (b"{} {}", "json-trailing", 1, 4),
        (b"{}\0", "json-trailing", 1, 3),
        (b"// note\n{}", "json-syntax", 1, 1),
        (b"NaN", "json-syntax", 1, 1),
        (b"[Infinity]", "json-syntax", 1, 2),
        (b"01", "json-number", 1, 2),
        (b"-", "json-truncated", 1, 2),
        (b"[1.]", "json-number", 1, 4),
        (b"[1e]", "json-number", 1, 4),
        (b"\"a\tb\"", "json-control-character", 1, 3),
        (b"\"\\x\"", "json-escape", 1, 3),
        (b"\"\\ud800\"", "json-surrogate", 1, 8),
        (b"\"\\udc00\\ud800\"", "json-surrogate", 1, 8),
        (b"{\"a\":\n\"\xff\"}", "json-encoding", 2, 2),
    ];
    for (bytes, expected, line, column) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(rule(bytes), (expected.to_owned(), at(line, column)), "{shown:?}");
    }
    assert_eq!(rule("\u{feff}{}".as_bytes()).0, "json-byte-order-mark");
    assert_eq!(rule(b"\"caf\xc3").0, "json-encoding");
}

#[test]
fn numbers_stay_text_however_big() {
    let node = parse(b"[123456789012345678901234567890, -0, 1.50, 1E+400]").expect("it is read");
    let texts: Vec<&str> = node
        .elements()
        .iter()
        .map(|node| if let Value::Number(text) = &node.value { text.expose() } else { "" })
        .collect();
    assert_eq!(texts, ["123456789012345678901234567890", "-0", "1.50", "1E+400"]);
}

#[test]
fn surrogate_pairs_and_escapes_are_read() {
    let node = parse(br#""\ud83d\ude00 \u00e9 \n \/""#).expect("it is read");
    assert_eq!(node.text(), Some("\u{1f600} \u{e9} \n /"));
}

#[test]
fn the_depth_limit_is_exact_and_nesting_beyond_it_is_refused_early() {
    let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    assert!(parse(&nested(limits::DEPTH_MAX)).is_ok());
    assert_eq!(rule(&nested(limits::DEPTH_MAX + 1)).0, "json-too-deep");
    assert_eq!(rule(&vec![b'['; 1_000_000]).0, "json-too-deep");
}

#[test]
fn the_limit_of_values_is_exact() {
    let array = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    assert!(parse(array(limits::NODES_MAX - 1).as_bytes()).is_ok());
    assert_eq!(rule(array(limits::NODES_MAX).as_bytes()).0, "json-too-many-nodes");
}

#[test]
fn an_object_of_very_many_names_is_read_quickly() {
    let members: Vec<String> = (0..190_000).map(|n| format!("\"n{n}\":1")).collect();
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(parse(text.as_bytes()).expect("it is read").members().len(), 190_000);
}

#[test]
fn a_submission_beyond_the_limit_is_refused_unread() {
    let bytes = vec![b' '; limits::SUBMISSION_BYTES_MAX + 1];
    assert_eq!(rule(&bytes), ("json-too-large".to_owned(), Place::Whole));
}

#[test]
fn spans_are_the_bytes_of_the_value() {
    let text = b" [ {\"a\" : 1} , 2 ]";
    let node = parse(text).expect("it is read");
    let spans: Vec<&[u8]> = node.elements().iter().map(|n| &text[n.span.clone()]).collect();
    assert_eq!(spans, [&b"{\"a\" : 1}"[..], b"2"]);
}

/// JSON as people and programs write it, as it is or with one mark put in somewhere.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        "\"[a-e \u{e9}]{0,4}(\\\\[nu\"]([0-9a-f]{4})?)?\"",
        prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
    ];
    let json = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    });
    let mark = prop::sample::select(vec!["", "", ",", "]", "}", "\"", "\\", "0", "-", "e", " "]);
    (json, any::<prop::sample::Index>(), mark).prop_map(|(json, at, mark)| {
        let at = at.index(json.chars().count() + 1);
        json.chars().take(at).chain(mark.chars()).chain(json.chars().skip(at)).collect()
    })
}

#[test]
fn nearly_json_is_accepted_often_and_refused_often() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let texts = nearly_json();
    let accepted = (0..1_000)
        .map(|_| texts.new_tree(&mut runner).expect("a text").current())
        .filter(|text| parse(text.as_bytes()).is_ok())
        .count();
    assert!((200..800).contains(&accepted), "{accepted} of 1,000");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn json_like_text_never_panics(text in r#"[\[\]{}",:\\u0-9a-fntrue.\- \n]{0,200}"#) {
        let _ = parse(text.as_bytes());
    }

    #[test]
    fn what_is_accepted_is_json_to_others_too(text in nearly_json()) {
        if parse(text.as_bytes()).is_ok() {
            // Another reader may find a number too big for it, and nothing else.
            let other: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
            prop_assert!(other.is_ok());
        }
    }
}
