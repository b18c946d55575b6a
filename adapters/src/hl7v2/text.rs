//! Bytes to text: the character set that MSH-18 declares, and what is done when it does not.
//!
//! A declared set is believed. Without one (HL7 says ASCII, which nobody keeps to) bytes must be
//! UTF-8; Windows-1252 is guessed only where the partner's feed allows it, and the guess is noted.

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};
use schemas::{Issue, Place};

use crate::feed::{Feed, Leniency};
use crate::read_error::{ReadError, ReadErrorKind};

/// The character set of a message.
#[derive(Clone, Copy)]
pub(super) enum Charset {
    /// UTF-8, or ASCII within it.
    Utf8,
    /// A set of single bytes.
    Single(&'static Encoding),
}

impl Charset {
    /// Bytes of an escape sequence in this set.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Single(encoding) => {
                let (text, failed) = encoding.decode_without_bom_handling(bytes);
                (!failed).then(|| text.into_owned())
            }
        }
    }
}

/// A decoded message, its set, and what there is to say about how it was found.
pub(super) struct Text<'a> {
    pub(super) content: Cow<'a, str>,
    pub(super) charset: Charset,
    pub(super) notes: Vec<Issue>,
}

/// What MSH-18 says.
enum Declared {
    Nothing,
    Utf8,
    Single(&'static Encoding),
    Unknown,
}

/// Decodes a whole message.
pub(super) fn decode<'a>(bytes: &'a [u8], feed: &Feed) -> Result<Text<'a>, ReadError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err(encoding_fault(
            "hl7-encoding-utf-16",
            "holds NUL bytes or a UTF-16 mark",
            "send UTF-8 and declare it in MSH-18: UNICODE UTF-8",
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let declared = declared(bytes);
    let mut notes = Vec::new();
    if matches!(declared, Declared::Unknown) {
        notes.push(Issue::warning(
            "hl7-encoding-unknown",
            None,
            place(),
            "names no character set that is known",
            "declare one of table 0211, for example UNICODE UTF-8",
        ));
    }
    if let Declared::Single(encoding) = declared {
        let (text, failed) = encoding.decode_without_bom_handling(bytes);
        if !failed {
            return Ok(Text { content: text, charset: Charset::Single(encoding), notes });
        }
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        if matches!(declared, Declared::Nothing) && !text.is_ascii() {
            notes.push(Issue::warning(
                "hl7-encoding-undeclared",
                None,
                place(),
                "declares no character set, and the message is UTF-8 and not ASCII",
                "declare it: UNICODE UTF-8",
            ));
        }
        return Ok(Text { content: Cow::Borrowed(text), charset: Charset::Utf8, notes });
    }
    if !feed.allows(Leniency::GuessedEncoding) {
        return Err(encoding_fault(
            "hl7-encoding",
            "does not declare the character set that the message is in, and it is not UTF-8",
            "declare it (8859/1, UNICODE UTF-8), or ask the operator to allow guessed-encoding",
        ));
    }
    notes.push(Issue::warning(
        "encoding-guessed",
        None,
        place(),
        "the message is in no declared character set and was read as Windows-1252",
        "declare the character set in MSH-18",
    ));
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    Ok(Text { content: text, charset: Charset::Single(WINDOWS_1252), notes })
}

fn declared(bytes: &[u8]) -> Declared {
    let Some(separator) = bytes.get(3) else { return Declared::Nothing };
    let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    let header = bytes.get(..end).unwrap_or_default();
    let field = header.split(|b| b == separator).nth(17).unwrap_or_default();
    let first = field.split(|b| *b == b'~').next().unwrap_or_default();
    let name = String::from_utf8_lossy(first).trim().to_ascii_uppercase();
    match name.as_str() {
        "" | "\"\"" | "ASCII" => Declared::Nothing,
        "UNICODE UTF-8" | "UTF-8" | "UTF8" | "UNICODE" => Declared::Utf8,
        other => {
            let part = other.strip_prefix("8859/").or_else(|| other.strip_prefix("ISO-8859-"));
            let part = part.filter(|part| PARTS.contains(part));
            let label = part.map(|part| format!("iso-8859-{part}"));
            // The label of part 1 names Windows-1252, which differs only where part 1 has controls.
            let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes()));
            encoding.map_or(Declared::Unknown, Declared::Single)
        }
    }
}

fn place() -> Place {
    Place::Segment { name: "MSH".to_owned(), nth: 1, field: 18, component: 0 }
}

fn encoding_fault(rule: &str, message: &str, next: &str) -> ReadError {
    ReadError::new(ReadErrorKind::Encoding, rule, place(), message, next)
}

/// The parts of ISO 8859 in table 0211.
const PARTS: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "15"];
