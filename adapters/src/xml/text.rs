//! Bytes to text by the byte order mark and the XML declaration; nothing is guessed unasked.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_8859_15, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::tags::is_character;
use crate::limits::SUBMISSION_BYTES_MAX;
use crate::{ReadError, ReadErrorKind};

/// A document as text without its byte order mark.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) guessed: bool,
}

/// How the bytes of a document become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Ascii,
    Utf8,
    /// UTF-16; `None` takes the order of bytes from the mark.
    Utf16(Option<bool>),
    /// ISO-8859-1 and Windows-1252 are read alike: what is declared as the first is mostly the
    /// second, and what differs are control characters that no letter holds.
    Windows1252,
    Latin9,
}

/// Decodes a whole document.
pub(super) fn decode(bytes: &[u8], guess: bool) -> Result<Decoded<'_>, ReadError> {
    if bytes.len() > SUBMISSION_BYTES_MAX {
        return Err(refused(
            ReadErrorKind::TooLarge,
            "file-too-large",
            "the document is larger than 32 MiB",
            "send large documents as attachments of their own",
        ));
    }
    let (mark, content) = match bytes {
        [0xef, 0xbb, 0xbf, content @ ..] => (Some(Charset::Utf8), content),
        [0xff, 0xfe, content @ ..] => (Some(Charset::Utf16(Some(false))), content),
        [0xfe, 0xff, content @ ..] => (Some(Charset::Utf16(Some(true))), content),
        [b'<', 0, ..] => (Some(Charset::Utf16(Some(false))), bytes),
        [0, b'<', ..] => (Some(Charset::Utf16(Some(true))), bytes),
        _ => (None, bytes),
    };
    let attempt = declared_or_marked(content, mark);
    let decoded = match attempt {
        Ok((text, true)) => Decoded { text, guessed: false },
        Ok((text, false)) if guess => Decoded { text, guessed: true },
        Ok((_, false)) => return Err(contradiction()),
        Err(_) if guess && mark.is_none() => {
            let text = utf8(content).unwrap_or_else(|_| single(content, WINDOWS_1252));
            Decoded { text, guessed: true }
        }
        Err(error) => return Err(error),
    };
    match decoded.text.char_indices().find(|(_, c)| !is_character(*c)) {
        None => Ok(decoded),
        Some((at, _)) => Err(super::reader::fault_at(
            &decoded.text,
            at,
            "xml-character",
            "a character here cannot stand in XML 1.0",
            "remove control characters at the source; they are often a wrong encoding",
        )),
    }
}

/// The text, and whether mark and declaration agree.
fn declared_or_marked(
    content: &[u8],
    mark: Option<Charset>,
) -> Result<(Cow<'_, str>, bool), ReadError> {
    match mark {
        Some(charset) => {
            let text = by(charset, content)?;
            let agrees = match declared(text.as_bytes())? {
                None => true,
                Some(Charset::Utf16(order)) => {
                    charset == Charset::Utf16(order)
                        || (order.is_none() && matches!(charset, Charset::Utf16(_)))
                }
                Some(declared) => declared == charset,
            };
            Ok((text, agrees))
        }
        None => match declared(content)? {
            // Without a mark and with `<` in one byte it cannot be UTF-16, whatever it says.
            Some(Charset::Utf16(_)) => Ok((utf8(content)?, false)),
            Some(charset) => Ok((by(charset, content)?, true)),
            None => Ok((utf8(content)?, true)),
        },
    }
}

fn by(charset: Charset, content: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    match charset {
        Charset::Ascii if !content.is_ascii() => {
            let at = content.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
            Err(broken(content, at, "encoding-ascii", "the bytes here are not ASCII"))
        }
        Charset::Ascii | Charset::Utf8 => utf8(content),
        Charset::Utf16(Some(true)) => utf16(content, UTF_16BE),
        Charset::Utf16(_) => utf16(content, UTF_16LE),
        Charset::Windows1252 => Ok(single(content, WINDOWS_1252)),
        Charset::Latin9 => Ok(single(content, ISO_8859_15)),
    }
}

fn utf8(content: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    std::str::from_utf8(content).map(Cow::Borrowed).map_err(|error| {
        broken(content, error.valid_up_to(), "encoding-utf-8", "the bytes here are not UTF-8")
    })
}

fn utf16<'a>(content: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, str>, ReadError> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(content);
    text.filter(|_| content.len().is_multiple_of(2)).ok_or_else(|| {
        refused(
            ReadErrorKind::Encoding,
            "encoding-utf-16",
            "the bytes are not UTF-16, or the document is cut short",
            "send the document as binary, whole",
        )
    })
}

fn single<'a>(content: &'a [u8], encoding: &'static Encoding) -> Cow<'a, str> {
    encoding.decode_without_bom_handling(content).0
}

/// The encoding that the XML declaration names, if there is a declaration and it names one.
fn declared(content: &[u8]) -> Result<Option<Charset>, ReadError> {
    let head = content.get(..DECLARATION_BYTES_MAX).unwrap_or(content);
    let Some(rest) = head.strip_prefix(b"<?xml") else { return Ok(None) };
    let end = rest.windows(2).position(|pair| pair == b"?>");
    let declaration = end.and_then(|end| rest.get(..end)).unwrap_or_default();
    let declaration = String::from_utf8_lossy(declaration);
    // The declaration is checked in full once it is text; only the name matters here.
    let Some((_, after)) = declaration.split_once("encoding") else { return Ok(None) };
    let after = after.trim_start().strip_prefix('=').unwrap_or_default().trim_start();
    let mut parts = after.split(['"', '\'']);
    let label = parts.nth(1).unwrap_or_default().to_ascii_lowercase();
    match label.as_str() {
        "utf-8" | "utf8" => Ok(Some(Charset::Utf8)),
        "us-ascii" | "ascii" => Ok(Some(Charset::Ascii)),
        "utf-16" => Ok(Some(Charset::Utf16(None))),
        "utf-16le" => Ok(Some(Charset::Utf16(Some(false)))),
        "utf-16be" => Ok(Some(Charset::Utf16(Some(true)))),
        "iso-8859-1" | "iso8859-1" | "latin1" | "windows-1252" | "cp1252" => {
            Ok(Some(Charset::Windows1252))
        }
        "iso-8859-15" | "latin-9" => Ok(Some(Charset::Latin9)),
        _ => Err(refused(
            ReadErrorKind::Encoding,
            "xml-encoding-unknown",
            "the declaration names an encoding that is not read",
            "send UTF-8, UTF-16, ISO-8859-1, ISO-8859-15 or Windows-1252",
        )),
    }
}

fn contradiction() -> ReadError {
    refused(
        ReadErrorKind::Encoding,
        "encoding-mark",
        "the encoding that is declared is not the one the bytes are in",
        "declare the encoding that is used",
    )
}

fn broken(bytes: &[u8], at: usize, rule: &str, message: &str) -> ReadError {
    let before = bytes.get(..at).unwrap_or(bytes);
    let place = super::reader::place_after(before);
    ReadError::new(
        ReadErrorKind::Encoding,
        rule,
        place,
        message,
        "declare the encoding that is used, for example encoding=\"windows-1252\"",
    )
}

fn refused(kind: ReadErrorKind, rule: &str, message: &str, next: &str) -> ReadError {
    ReadError::new(kind, rule, schemas::Place::Whole, message, next)
}

/// A declaration with all its parts and generous spaces is shorter.
const DECLARATION_BYTES_MAX: usize = 1024;
