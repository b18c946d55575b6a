//! Whether the positions in a sheet are ones a spreadsheet could have written.
//!
//! Before you change this: the library that reads cells adds up rows and columns without looking
//! whether they overflow, so a sheet is looked at here first, by the same parser and with the same
//! elements in mind. It was found by fuzzing; `ref="B2:A1"` alone is enough.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Whether every position in the XML of a sheet exists, and every range ends after it begins.
pub(super) fn are_sound(xml: &[u8]) -> bool {
    let xml = xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml);
    let Ok(text) = std::str::from_utf8(xml) else { return false };
    let mut events = Reader::from_str(text);
    events.config_mut().check_end_names = false;
    loop {
        match events.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) if !tag_is_sound(&tag) => return false,
            Ok(Event::Decl(declaration)) => {
                let encoding = declaration.encoding().transpose();
                // Another encoding would make other text of the same bytes.
                let known = |encoding: &[u8]| encoding.eq_ignore_ascii_case(b"utf-8");
                if !encoding.is_ok_and(|name| name.is_none_or(|name| known(name.as_bytes()))) {
                    return false;
                }
            }
            Ok(Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn tag_is_sound(tag: &BytesStart<'_>) -> bool {
    let local = tag.local_name();
    let local = local.as_ref();
    if !matches!(local, "c" | "row" | "dimension" | "mergeCell" | "f") {
        return true;
    }
    tag.attributes().all(|attribute| {
        // A tag whose attributes can be read in two ways says two things.
        attribute.is_ok_and(|attribute| {
            let value = attribute.value.as_bytes();
            match attribute.key.local_name().as_ref() {
                "r" if local == "row" => row(value).is_some(),
                "r" => cell(value).is_some(),
                "ref" => range(value),
                _ => true,
            }
        })
    })
}

/// `A1`, or `A1:B2`.
fn range(text: &[u8]) -> bool {
    let mut ends = text.split(|byte| *byte == b':').map(cell);
    match (ends.next().flatten(), ends.next(), ends.next()) {
        (Some(_), None, _) => true,
        (Some(from), Some(Some(to)), None) => from.0 <= to.0 && from.1 <= to.1,
        _ => false,
    }
}

/// The row and column of `XFD1048576`, both from 1.
fn cell(text: &[u8]) -> Option<(u32, u32)> {
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (letters, digits) = text.split_at_checked(letters)?;
    if !(1..=3).contains(&letters.len()) {
        return None;
    }
    let column = letters
        .iter()
        .fold(0, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    (column <= COLUMN_LAST).then_some((row(digits)?, column))
}

fn row(digits: &[u8]) -> Option<u32> {
    let plain = (1..=7).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let row: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (plain && (1..=ROW_LAST).contains(&row)).then_some(row)
}

/// The last row and column of a sheet (ECMA-376 leaves them open; no spreadsheet has more).
const ROW_LAST: u32 = 1_048_576;
const COLUMN_LAST: u32 = 16_384;
