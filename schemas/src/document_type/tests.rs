use super::*;

fn in_pieces(bytes: &[u8], size: usize) -> Option<DocumentType> {
    let mut finder = TypeFinder::default();
    bytes.chunks(size).for_each(|piece| finder.take(piece));
    finder.finish()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn with(start: &[u8], filling: usize, end: &[u8]) -> Vec<u8> {
    [start, &vec![0x55; filling], end].concat()
}

#[test]
fn pieces_of_any_size_give_the_same_answer_as_the_whole() {
    let compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
    let long = "Plain words: Łódź, naïve, 10 °C. ".repeat(60);
    let cases: Vec<(Vec<u8>, Option<DocumentType>)> = vec![
        (with(b"%PDF-1.7", 3000, b""), Some(DocumentType::Pdf)),
        (with(b"PK\x03\x04", 3000, b"word/document.xml"), Some(DocumentType::Docx)),
        (with(b"PK\x03\x04", 700, b"xl/workbook.xml"), None),
        (with(b"PK\x03\x04word/document.xml", 900, b"word/vbaProject.bin"), None),
        (with(compound, 3000, b""), Some(DocumentType::Doc)),
        (with(compound, 2999, &utf16("_VBA_PROJECT")), None),
        (with(compound, 777, &utf16("EncryptedPackage")), None),
        (with(compound, 600, &utf16("Workbook")), None),
        (long.clone().into_bytes(), Some(DocumentType::Text)),
        (with(long.as_bytes(), 0, b"\xc5"), None),
        (with(long.as_bytes(), 0, b"\0"), None),
        (with(b"MZ\x90\0", 2000, b""), None),
        (b"#!/bin/sh\nrm".to_vec(), None),
        (b"\xef\xbb\xbf  <html>".to_vec(), None),
        (b" \n\t ".repeat(400), None),
        (Vec::new(), None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(of(&bytes), expected, "{:?}", bytes.get(..20));
        for size in [1, 7, 39, 40, 41, 512, 513, 1024] {
            assert_eq!(in_pieces(&bytes, size), expected, "{size}: {:?}", bytes.get(..20));
        }
    }
}

#[test]
fn every_kind_is_known_by_its_media_type_and_no_pattern_is_longer_than_what_is_kept() {
    for kind in DocumentType::ALL {
        assert_eq!(DocumentType::from_media_type(kind.media_type()), Some(kind));
    }
    let patterns = COMPOUND_REFUSED.iter().chain([&WORD_PART, &MACROS_PART]);
    assert!(patterns.into_iter().all(|pattern| pattern.len() <= PATTERN_BYTES_MAX));
}
