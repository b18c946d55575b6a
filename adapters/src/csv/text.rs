//! Bytes to text and back: the encodings a mapping can name, and nothing guessed.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;
use schemas::Place;

use crate::mapping::Encoding;
use crate::{ReadError, ReadErrorKind};

/// A decoded file that can give any part of itself back in the bytes it came in.
pub(crate) struct Text<'a> {
    text: Cow<'a, str>,
    bytes: Bytes,
}

#[derive(Debug, Clone, Copy)]
enum Bytes {
    Utf8,
    Windows1252,
    Utf16 { big_endian: bool },
}

impl<'a> Text<'a> {
    /// Decodes a whole file, or says on which line its bytes stop making sense.
    pub(crate) fn decode(bytes: &'a [u8], encoding: Encoding) -> Result<Self, ReadError> {
        let marked_utf8 = bytes.strip_prefix(b"\xef\xbb\xbf");
        let marked_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let text = match encoding {
            Encoding::Utf8 if marked_utf16 => Err(other_encoding()),
            Encoding::Windows1252 if marked_utf16 || marked_utf8.is_some() => Err(other_encoding()),
            Encoding::Utf8 => utf8(marked_utf8.unwrap_or(bytes)),
            Encoding::Windows1252 => {
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
                Ok(Self { text, bytes: Bytes::Windows1252 })
            }
            Encoding::Utf16 => utf16(bytes),
        }?;
        match text.as_str().bytes().position(|byte| byte == 0) {
            Some(at) => Err(nul(text.as_str().as_bytes(), at)),
            None => Ok(text),
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A part of the text in the bytes it came in.
    pub(crate) fn original(&self, part: &str) -> Vec<u8> {
        match self.bytes {
            Bytes::Utf8 => part.as_bytes().to_vec(),
            Bytes::Windows1252 => WINDOWS_1252.encode(part).0.into_owned(),
            Bytes::Utf16 { big_endian } => part
                .encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect(),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<Text<'_>, ReadError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Text { text: Cow::Borrowed(text), bytes: Bytes::Utf8 }),
        Err(error) => Err(ReadError::new(
            ReadErrorKind::Encoding,
            "encoding-utf-8",
            place_at(bytes, error.valid_up_to()),
            "the bytes here are not UTF-8",
            "export as UTF-8, or name the right encoding in the mapping",
        )),
    }
}

fn utf16(bytes: &[u8]) -> Result<Text<'_>, ReadError> {
    let (content, big_endian) = match bytes {
        [0xff, 0xfe, content @ ..] => (content, false),
        [0xfe, 0xff, content @ ..] => (content, true),
        _ => return Err(other_encoding()),
    };
    let (pairs, rest) = content.as_chunks::<2>();
    let units = pairs
        .iter()
        .map(|pair| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    let mut text = String::with_capacity(pairs.len());
    for unit in char::decode_utf16(units) {
        let Ok(c) = unit else { return Err(broken_utf16(&text)) };
        text.push(c);
    }
    if !rest.is_empty() {
        return Err(broken_utf16(&text));
    }
    Ok(Text { text: Cow::Owned(text), bytes: Bytes::Utf16 { big_endian } })
}

fn broken_utf16(before: &str) -> ReadError {
    ReadError::new(
        ReadErrorKind::Encoding,
        "encoding-utf-16",
        place_at(before.as_bytes(), before.len()),
        "the bytes here are not UTF-16, or the file is cut short",
        "export again; send the file as binary",
    )
}

fn other_encoding() -> ReadError {
    ReadError::new(
        ReadErrorKind::Encoding,
        "encoding-mark",
        Place::Text { line: 1, column: 1, path: String::new() },
        "the file's byte order mark, or its absence, contradicts the encoding in the mapping",
        "name the right encoding in the mapping: utf-8, utf-16 or windows-1252",
    )
}

fn nul(bytes: &[u8], at: usize) -> ReadError {
    ReadError::new(
        ReadErrorKind::Encoding,
        "nul-byte",
        place_at(bytes, at),
        "the file holds a NUL character",
        "export as text in the encoding the mapping names; this often is UTF-16 without its mark",
    )
}

/// Line and column in bytes, both from 1. Columns count from the decoded text.
fn place_at(bytes: &[u8], at: usize) -> Place {
    let before = bytes.get(..at).unwrap_or(bytes);
    let mut line = 1;
    let mut column = 1;
    let mut rest = before.iter().peekable();
    while let Some(byte) = rest.next() {
        let pair = *byte == b'\r' && rest.peek() == Some(&&b'\n');
        if !pair && matches!(byte, b'\n' | b'\r') {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    Place::Text { line, column, path: String::new() }
}
