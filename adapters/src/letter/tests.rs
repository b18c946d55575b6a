use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn documents(text: &str) -> Draft {
    let mut made = Draft::default();
    text_document(&mut made, text, Place::Whole);
    made
}

#[test]
fn dates_are_read_in_three_lengths_and_nothing_is_guessed() {
    let day = |text: &str| date(text).map(|date| date.to_string());
    for text in ["20260228", "202602281159", "20260228235959", "20260228235959.123+0000"] {
        assert_eq!(day(text).as_deref(), Some("2026-02-28"), "{text}");
    }
    assert_eq!(day("20260630233000+0000").as_deref(), Some("2026-07-01"), "a summer's evening");
    for text in [
        "20260230",
        "20262802",
        "202602282460",
        "2026022",
        "2026-02-28",
        "28/02/2026",
        "",
        "99999999",
        "20260228+00",
        "20260228115900+0",
        "é0260228",
    ] {
        // A day alone has no zone to move it by.
        assert!(day(text).is_none() || text == "20260228+00", "{text}");
    }
}

#[test]
fn content_decides_what_a_document_is() {
    let pdf = STANDARD.encode([b"%PDF-1.7 ".as_slice(), &[b'x'; 90]].concat());
    let lines: Vec<&str> =
        pdf.as_bytes().chunks(40).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    let broken = lines.join(
        "
  ",
    );
    for text in [pdf.clone(), broken] {
        let draft = documents(&text);
        assert_eq!(draft.attachments[0].name.expose(), "letter-1.pdf");
        assert!(draft.attachments[0].content.expose().starts_with(b"%PDF-"));
    }
    let html = documents("<p>Dear</p>");
    assert_eq!(html.attachments[0].content.expose(), b"Dear");
    assert_eq!(html.notes[0].rule, "letter-html");
    let packed = STANDARD.encode(format!("<p>caf\u{e9} {}</p>", "word ".repeat(20)));
    assert!(documents(&packed).attachments[0].content.expose().starts_with("café".as_bytes()));
    assert_eq!(documents("Seen today").attachments[0].content.expose(), b"Seen today");
    let (cut, _) = pdf.split_at(pdf.len() - 3);
    assert_eq!(documents(cut).notes[0].rule, "attachment-base64");
    assert_eq!(documents("<p></p>").notes[1].rule, "letter-empty");
}

#[test]
fn a_site_speaks_for_its_trust_and_nobody_else_does() {
    for (code, expected) in [("RRK", "RRK"), ("rrk02", "RRK"), ("RRK0", "RRK0"), ("RXT", "RXT")] {
        let mut made = Draft::default();
        sender(&mut made, Some((code.to_owned(), Place::Whole)), "RRK");
        assert_eq!(made.first(Field::SENDER).expect("set").text.expose(), expected);
    }
}
