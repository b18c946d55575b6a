use proptest::prelude::*;

use super::*;
use crate::json::samples;

fn refused(text: &str) -> ReadError {
    parse(text.as_bytes()).expect_err(text)
}

#[test]
fn elements_have_names_namespaces_text_and_places() {
    let root = parse(b"<?xml version='1.0'?>\n<a:r xmlns:a=\"one\" a:x='1' y=\"2&amp;\">\n <b xmlns='two'>x&#x41;<![CDATA[<]]> </b></a:r>").expect("well-formed");
    assert!(root.is(Some("one"), "r"));
    assert_eq!((root.line, root.column), (2, 1));
    assert_eq!(root.attribute("y"), Some("2&"));
    assert_eq!(root.attribute("x"), None, "it is in a namespace");
    assert!(root.child("b").is_none(), "it is in another namespace");
    let b = root.elements().next().expect("one");
    assert!(b.is(Some("two"), "b"));
    assert_eq!((b.line, b.column), (3, 2));
    assert_eq!(b.text(), "xA<");
}

#[test]
fn what_makes_xml_dangerous_is_refused() {
    for (text, rule) in [
        ("<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>", "xml-doctype-declares"),
        ("<!DOCTYPE r [ ]><r/>", "xml-doctype-declares"),
        ("<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r>&a;</r>", "xml-entity"),
        ("<r>&nbsp;</r>", "xml-entity"),
        ("<r a='&nbsp;'/>", "xml-entity"),
        ("<r>&#0;</r>", "xml-syntax"),
        ("<r>&#xD800;</r>", "xml-syntax"),
        ("<r>\u{1}</r>", "xml-character"),
        ("<r a='1' a='2'/>", "xml-attribute-repeated"),
        ("<r xmlns:a='n' xmlns:b='n' a:x='1' b:x='2'/>", "xml-attribute-repeated"),
        ("<a:r/>", "xml-prefix"),
        ("<r xmlns:xml='n'/>", "xml-prefix"),
        ("<r a='1'b='2'/>", "xml-syntax"),
        ("<r a=1/>", "xml-syntax"),
        ("<r a='<'/>", "xml-syntax"),
        ("<1r/>", "xml-syntax"),
        ("<r>]]></r>", "xml-syntax"),
        ("<r/><r/>", "xml-syntax"),
        ("<r/>x", "xml-syntax"),
        ("<r/>&#65;", "xml-syntax"),
        ("<r></s>", "xml-syntax"),
        ("<r>", "xml-cut-short"),
        ("", "xml-syntax"),
        ("<r><?xml version='1.0'?></r>", "xml-syntax"),
        ("<?xml version='1.1'?><r/>", "xml-version"),
        ("<?xml version='1.0' encoding='EBCDIC'?><r/>", "xml-encoding-unknown"),
        ("<r/><!DOCTYPE r>", "xml-syntax"),
        ("<!DOCTYPE r SYSTEM><r/>", "xml-syntax"),
    ] {
        assert_eq!(refused(text).rule, rule, "{text}");
    }
}

#[test]
fn a_document_type_is_accepted_and_never_loaded() {
    for text in [
        "<!DOCTYPE r><r/>",
        "<!DOCTYPE r SYSTEM \"no-such.dtd\"><r/>",
        "<!DOCTYPE r SYSTEM '..\\Schemas\\ReportMsg03.dtd' ><r/>",
        "<!DOCTYPE r PUBLIC \"-//X//Y\" \"http://192.0.2.1/x.dtd\"><r/>",
    ] {
        parse(text.as_bytes()).expect(text);
    }
}

#[test]
fn every_limit_is_kept() {
    let deep = "<r>".repeat(65);
    assert_eq!(refused(&deep).rule, "xml-too-deep");
    let wide = format!("<r>{}</r>", "<a/>".repeat(400_001));
    assert_eq!(refused(&wide).rule, "xml-too-many-elements");
    let many: Vec<String> = (0..65).map(|n| format!(" a{n}='1'")).collect();
    let many = many.concat();
    assert_eq!(refused(&format!("<r{many}/>")).rule, "xml-syntax");
    let long = format!("<r>{}</r>", "x".repeat(16 * 1024 * 1024 + 1));
    assert_eq!(refused(&long).rule, "xml-text-too-large");
}

#[test]
fn encodings_are_declared_or_refused() {
    let latin = b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><r>caf\xe9</r>";
    assert_eq!(parse(latin).expect("declared").text(), "café");
    let units = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let wide = [b"\xff\xfe".to_vec(), units("<?xml version='1.0' encoding='utf-16'?><r>é</r>")];
    assert_eq!(parse(&wide.concat()).expect("marked").text(), "é");
    let lying = [b"\xff\xfe".to_vec(), units("<?xml version='1.0' encoding='utf-8'?><r>é</r>")];
    assert_eq!(parse(&lying.concat()).expect_err("contradiction").rule, "encoding-mark");
    assert!(read(&lying.concat(), true).expect("guessed").guessed);
    let undeclared = b"<r>caf\xe9</r>";
    assert_eq!(parse(undeclared).expect_err("not UTF-8").rule, "encoding-utf-8");
    let guessed = read(undeclared, true).expect("guessed");
    assert_eq!((guessed.root.text().as_str(), guessed.guessed), ("café", true));
    assert!(!read(b"<r>plain</r>", true).expect("UTF-8").guessed);
}

#[test]
fn what_is_written_is_read_again() {
    let mut writer = Writer::new();
    writer.start("r", &[("xmlns", "n"), ("a", "1 < 2 & \"3\"\n\t")]);
    writer.leaf("t", &[], "]]> & \r\n é");
    writer.empty("e", &[]);
    writer.end();
    let root = parse(&writer.finish().expect("written")).expect("read");
    assert_eq!(root.attribute("a"), Some("1 < 2 & \"3\"\n\t"));
    assert_eq!(root.child("t").expect("there").raw_text(), "]]> & \r\n é");
}

#[test]
fn what_xml_cannot_hold_is_not_written() {
    let mut writer = Writer::new();
    writer.leaf("r", &[], "\u{0}");
    assert_eq!(writer.finish(), Err(writer::Unwritable::Character));
}

/// Reads XML as a sender whose feed and mapping are these.
pub(crate) fn read_as(
    feed: &str,
    mapping: Option<&crate::mapping::Mapping>,
    bytes: &[u8],
) -> Result<crate::Reading, ReadError> {
    let feed = toml::from_str(feed).expect("a feed");
    let source = crate::Source { organisation: "RRK", mapping, feed: &feed };
    crate::read(crate::Format::Xml, bytes, source)
}

fn read_plainly(bytes: &[u8]) -> Result<crate::Reading, ReadError> {
    read_as("", None, bytes)
}

#[test]
fn attacks_and_damage_are_refused_with_every_rule_and_place() {
    samples::agrees("xml/bad", false, read_plainly);
}

/// Nothing that is said about good files, damaged at every text and value, quotes that text.
pub(crate) fn plants_canaries(corner: &str, read: fn(&[u8]) -> Result<crate::Reading, ReadError>) {
    for sample in samples::corpus(corner) {
        let Ok(text) = String::from_utf8(sample.bytes) else { continue };
        let signs: Vec<usize> = text.match_indices(['>', '"', '<']).map(|(at, _)| at).collect();
        for at in signs {
            let (before, after) = text.split_at(at + 1);
            for canary in ["Zq7CANARY7qZ", "CANARY></CANARY>", "!CANARY"] {
                let planted = [before, canary, after].concat();
                let (_, issues) = samples::verdict(read(planted.as_bytes()));
                let said = format!("{issues:?} {}", samples::lines(&issues).join("\n"));
                assert!(!said.contains("CANARY"), "{}: {said}", sample.name);
            }
        }
    }
}

/// Cut anywhere, with any byte changed or piece repeated, files are read or refused.
pub(crate) fn never_panics(corner: &str, read: fn(&[u8]) -> Result<crate::Reading, ReadError>) {
    let corpus = samples::corpus(corner);
    let damage = (0..corpus.len(), any::<usize>(), any::<u8>(), any::<u8>());
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&damage, |(which, at, how, byte)| {
        samples::verdict(read(&samples::damaged(corpus[which].bytes.clone(), at, how, byte)));
        Ok(())
    });
    outcome.expect("nothing panics");
}

/// The table of a mapping page: field and elements.
pub(crate) struct Documented(Vec<(String, String)>);

impl Documented {
    pub(crate) fn of(format: &str) -> Self {
        let path = format!("{}/../schemas/{format}/mapping.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(path).expect("the page is there");
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let field = cells.next()?.trim().trim_end_matches('`').to_owned();
            schemas::Field::from_path(&field)?;
            Some((field, cells.next()?.to_owned()))
        });
        Self(rows.collect())
    }

    /// Every field that good files set is in the table with its element, and no other.
    pub(crate) fn agrees_with(
        &self,
        corner: &str,
        root: &str,
        read: fn(&[u8]) -> Result<crate::Reading, ReadError>,
    ) {
        let mut seen = std::collections::BTreeSet::new();
        for sample in samples::corpus(corner) {
            for item in read(&sample.bytes).expect("it is good").items {
                for (field, located) in &item.draft.fields {
                    let row = self.0.iter().find(|(documented, _)| documented == field.path());
                    let (_, elements) = row.unwrap_or_else(|| panic!("{field} is not documented"));
                    if let Place::Text { path, .. } = &located.place {
                        let path = path.strip_prefix(root).unwrap_or_default();
                        assert!(elements.contains(path), "{field} comes from {path}");
                    }
                    seen.insert(field.path().to_owned());
                }
            }
        }
        let documented = self.0.iter().map(|(field, _)| field.clone()).collect();
        assert_eq!(seen, documented, "{corner}");
    }
}

proptest! {
    #[test]
    fn any_text_written_is_read_again(texts in prop::collection::vec("[\\PC\\n\\t\r<>&\"']{0,40}", 0..5)) {
        let mut writer = Writer::new();
        writer.start("r", &[]);
        for text in &texts {
            writer.leaf("t", &[("a", text)], text);
        }
        writer.end();
        // Unassigned code points may be ones that XML refuses.
        if let Ok(bytes) = writer.finish() {
            let root = parse(&bytes).expect("what is written is well-formed");
            let read: Vec<(String, String)> = root
                .elements()
                .map(|t| (t.raw_text().into_owned(), t.attribute("a").unwrap_or_default().to_owned()))
                .collect();
            let wrote: Vec<(String, String)> = texts.iter().map(|t| (t.clone(), t.clone())).collect();
            prop_assert_eq!(read, wrote);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), guess: bool) {
        let _ = read(&bytes, guess);
    }

    #[test]
    fn nothing_like_xml_makes_it_panic(text in "(<|</|>|/>|a|:|=|\"|'|&|;|#|x|1|!|\\[|\\]|CDATA|DOCTYPE|--|\\?|xml|xmlns| |\n|é){0,60}") {
        let _ = read(text.as_bytes(), false);
    }
}
