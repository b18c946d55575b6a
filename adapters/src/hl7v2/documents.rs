//! Documents inside OBX rows: found, joined from the pieces they were cut into, then decoded.
//!
//! A document may stand in one row, or be cut over successive rows with the same OBX-3. The base64
//! text is joined first and decoded once. A row begins a document of its own when its base64
//! begins as a known type of file does, when OBX-3 differs, or when OBX-4 differs and the document
//! before it was complete.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::{Draft, DraftAttachment, PersonalBytes, PersonalText, Place};

use super::content::Row;
use super::er7::{Field, Grammar};
use super::reader::Parts;
use crate::limits;

/// One row's part of a document.
pub(super) struct Piece<'a> {
    data: String,
    plain: bool,
    code: &'a str,
    sub_id: &'a str,
    /// OBX-1.
    number: Option<u32>,
    title: Option<String>,
    declared: String,
    place: Place,
}

/// The pieces in a row, or nothing when the row does not carry a document.
pub(super) fn pieces<'a>(
    row: &Row<'a, '_>,
    before: Option<&Piece<'a>>,
    grammar: &Grammar,
) -> Option<Vec<Piece<'a>>> {
    let typed = row.kind.is("ED");
    let marked = |value: &Field<'a>| value.components().any(|part| part.is("Base64"));
    let continues = |value: &Field<'a>| {
        // Later pieces of a document in a text field have no mark of their own.
        before.is_some_and(|piece| piece.code == row.code.raw() && !piece.plain)
            && value.components().count() == 1
            && value.raw().len() >= PIECE_MIN
            && compact(value.raw(), grammar).bytes().all(is_base64)
    };
    let carries = row
        .values()
        .any(|value| typed || marked(&value) || begins_a_file(value.raw()) || continues(&value));
    if !carries {
        return None;
    }
    Some(row.values().filter(|v| !v.is_empty()).map(|v| piece(row, &v, grammar)).collect())
}

fn piece<'a>(row: &Row<'a, '_>, value: &Field<'a>, grammar: &Grammar) -> Piece<'a> {
    let parts: Vec<Field<'a>> = value.components().collect();
    let mark = parts.iter().position(|part| part.is("Base64"));
    // ED.4 A: the document is plain text as it stands.
    let plain = mark.is_none() && parts.get(3).is_some_and(|part| part.is("A"));
    let data = match mark {
        Some(at) => parts.get(at + 1).copied(),
        None if plain => parts.get(4).copied(),
        None => parts.iter().max_by_key(|part| part.raw().len()).copied(),
    };
    let data = data.unwrap_or_else(|| value.component(5));
    let declared = parts.iter().skip(1).take(mark.unwrap_or(3).saturating_sub(1));
    let declared: Vec<String> = declared.filter_map(Field::text).collect();
    Piece {
        data: if plain { data.lines().unwrap_or_default() } else { compact(data.raw(), grammar) },
        plain,
        code: row.code.raw(),
        sub_id: row.segment.field(4).raw(),
        number: row.number(),
        title: row.code.component(2).text().filter(|_| row.is_ours()),
        declared: declared.join("/").to_ascii_lowercase(),
        place: data.place(),
    }
}

/// Base64 without white space and line breaks, written as they are or escaped.
fn compact(text: &str, grammar: &Grammar) -> String {
    let line_break = format!("{0}.br{0}", grammar.escape);
    let joined = text.replace(&line_break, "");
    joined.chars().filter(|c| !c.is_whitespace()).collect()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Whether base64 begins as one of the types of file that are accepted does.
fn begins_a_file(text: &str) -> bool {
    let text = text.trim_start();
    FILE_STARTS.iter().any(|start| text.starts_with(start))
}

/// Joins, decodes and names the documents.
pub(super) fn attach(pieces: Vec<Piece<'_>>, parts: &Parts<'_>, draft: &mut Draft) {
    let mut documents: Vec<Vec<Piece<'_>>> = Vec::new();
    for piece in pieces {
        let same = documents.last().and_then(|document| document.last()).is_some_and(|before| {
            let complete = before.data.ends_with('=');
            before.code == piece.code
                && before.plain == piece.plain
                && !begins_a_file(&piece.data)
                && (before.sub_id == piece.sub_id || !complete)
                && !piece.plain
        });
        match documents.last_mut() {
            Some(document) if same => document.push(piece),
            _ => documents.push(vec![piece]),
        }
    }
    let file_name = parts.first("TXA").and_then(|txa| txa.field(16).first().text());
    for (document, number) in documents.into_iter().zip(1_u32..) {
        let Some(first) = document.first() else { continue };
        let place = first.place.clone();
        let named = first.title.clone().or_else(|| file_name.clone().filter(|_| number == 1));
        let name = named.unwrap_or_else(|| format!("document-{number}"));
        let media_type = first.declared.clone();
        match decode(&document, parts.grammar) {
            Ok(content) => draft.attachments.push(DraftAttachment {
                name: PersonalText::new(name),
                media_type,
                content: PersonalBytes::new(content),
                place,
            }),
            Err(Fault { rule, message, next }) => parts.grammar.fault(rule, place, message, next),
        }
    }
}

struct Fault {
    rule: &'static str,
    message: &'static str,
    next: &'static str,
}

fn decode(pieces: &[Piece<'_>], grammar: &Grammar) -> Result<Vec<u8>, Fault> {
    let joined: String = pieces.iter().map(|piece| piece.data.as_str()).collect();
    if joined.len() / 4 * 3 > limits::DOCUMENT_BYTES_MAX + 2 {
        return Err(Fault {
            rule: "document-too-large",
            message: "a document is larger than one message may carry",
            next: "send it another way, or in several documents",
        });
    }
    if pieces.iter().any(|piece| piece.plain) {
        return Ok(joined.into_bytes());
    }
    if joined.is_empty() {
        return Err(Fault {
            rule: "document-empty",
            message: "a document has no content",
            next: "send the document, base64-encoded",
        });
    }
    let jumps = pieces.windows(2).any(|pair| match pair {
        [before, after] => {
            before.number.zip(after.number).is_some_and(|(b, a)| a > b.saturating_add(1))
        }
        _ => false,
    });
    if jumps {
        return Err(Fault {
            rule: "hl7-piece-missing",
            message: "a row of the document is missing: OBX-1 leaves a number out",
            next: "send every piece, with OBX-1 counted on",
        });
    }
    let not_base64 = Fault {
        rule: "hl7-base64",
        message: "a document is not base64, or a piece of it is missing",
        next: "encode the document whole, then cut the text; send every piece in order",
    };
    if let Ok(content) = STANDARD.decode(&joined) {
        return Ok(content);
    }
    // Some senders encode each piece by itself: then each is base64, and its bytes are joined.
    let apart: Result<Vec<Vec<u8>>, _> =
        pieces.iter().map(|piece| STANDARD.decode(&piece.data)).collect();
    let Ok(apart) = apart else { return Err(not_base64) };
    if let (Some(first), true) = (pieces.first(), pieces.len() > 1) {
        let next = "encode the document whole, then cut the text";
        let message = "the pieces of the document were encoded one by one";
        grammar.warn("hl7-pieces-encoded-apart", first.place.clone(), message, next);
    }
    Ok(apart.concat())
}

/// Refuses more documents than one message may carry.
pub(super) fn limits(draft: &mut Draft) {
    if draft.attachments.len() > limits::DOCUMENTS_MAX {
        draft.notes.push(schemas::Issue::error(
            "too-many-documents",
            None,
            Place::Whole,
            "carries more documents than one message may",
            "send them in several messages",
        ));
    }
}

/// How base64 of PDF, RTF, zip, TIFF, Word before 2007 and HTML begins.
const FILE_STARTS: [&str; 8] =
    ["JVBERi", "e1xydG", "UEsDB", "SUkqA", "TU0AK", "0M8R4KGxGuE", "PGh0bWw", "PCFET0"];
/// Text that is shorter is never taken for a piece of a document without a mark.
const PIECE_MIN: usize = 64;
