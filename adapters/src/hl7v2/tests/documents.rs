use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::{Feed, read_as, verdict};

fn message(rows: &[String]) -> Vec<u8> {
    let mut text = String::from(
        "MSH|^~\\&|TIE|RXT|||202602271030||MDM^T02|C-1|P|2.4\r\
         PID|1||9990000018^^^NHS^NH||Practice^Avery||20150304|F\r\
         TXA|1|LET|AP|202602260900|||||G4^Practice^Sam|||D-1||||a.pdf|AU||AV\r",
    );
    text.push_str(&rows.concat());
    text.into_bytes()
}

fn documents(bytes: &[u8]) -> Vec<Vec<u8>> {
    let reading = read_as(bytes, "RXT", &Feed::default()).expect("it is read");
    let draft = &reading.items[0].draft;
    draft.attachments.iter().map(|document| document.content.expose().to_vec()).collect()
}

#[test]
fn a_document_that_is_too_large_is_named_by_its_row() {
    let of = |len: usize| {
        let data = STANDARD.encode([b"%PDF-".to_vec(), vec![b'x'; len - 5]].concat());
        message(&[format!("OBX|1|ED|PDF||^application^pdf^Base64^{data}||||||F\r")])
    };
    assert_eq!(documents(&of(crate::limits::DOCUMENT_BYTES_MAX)).len(), 1);
    let (_, issues) =
        verdict(read_as(&of(crate::limits::DOCUMENT_BYTES_MAX + 3), "RXT", &Feed::default()));
    let found = issues.iter().find(|issue| issue.rule == "document-too-large");
    assert_eq!(found.expect("it is refused").place.to_string(), "OBX[1]-5.5");
}

#[test]
fn too_many_documents_are_refused() {
    let data = STANDARD.encode(b"%PDF-1.4 one of many");
    let rows = |count: usize| -> Vec<String> {
        (1..=count).map(|n| format!("OBX|{n}|ED|PDF||^^^Base64^{data}||||||F\r")).collect()
    };
    let refused = |count: usize| {
        let (_, issues) = verdict(read_as(&message(&rows(count)), "RXT", &Feed::default()));
        issues.iter().any(|issue| issue.rule == "too-many-documents")
    };
    assert!(!refused(crate::limits::DOCUMENTS_MAX));
    assert!(refused(crate::limits::DOCUMENTS_MAX + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever the text is cut, and whatever white space is strewn in, the document is the same.
    #[test]
    fn a_document_cut_anywhere_is_joined_again(
        body in prop::collection::vec(any::<u8>(), 0..400), cuts in prop::collection::vec(1_usize..80, 1..12),
    ) {
        let document = [b"%PDF-1.4 ".to_vec(), body].concat();
        let data = STANDARD.encode(&document);
        let mut rest = data.as_str();
        let mut rows = Vec::new();
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            if piece.is_empty() {
                break;
            }
            rows.push(format!("OBX|{}|ED|PDF||^application^pdf^Base64^{piece}\\.br\\ ||||||F\r", rows.len() + 1));
            rest = after;
        }
        prop_assert_eq!(documents(&message(&rows)), vec![document]);
    }
}
