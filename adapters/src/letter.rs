//! What letters in XML have alike: their dates, their sender, and the document inside.
//!
//! Kettering and CDA both carry one letter about one person, answer a request without naming it,
//! and say of their content more or less what it is. It must never know an element's name.

use encoding_rs::WINDOWS_1252;
use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{
    Draft, DraftAttachment, Field, Issue, MessageType, PersonalBytes, PersonalText, Place,
};

use crate::html;
use crate::json::decode_document;
use crate::limits::DOCUMENTS_MAX;

/// A draft of advice that names no request.
pub(crate) fn draft(place: Place) -> Draft {
    let mut draft = Draft { place: place.clone(), leg_by_person: true, ..Draft::default() };
    draft.set(Field::TYPE, MessageType::AdviceResponse.as_str(), place);
    draft
}

/// Says that the encoding was guessed, as the feed allows.
pub(crate) fn note_guess(draft: &mut Draft, guessed: bool) {
    if guessed {
        draft.notes.push(Issue::warning(
            "leniency-guessed-encoding",
            None,
            draft.place.clone(),
            "the encoding was guessed, because it is not declared or declared wrongly",
            "declare the encoding that is used",
        ));
    }
}

/// Sets a text with all white space inside it made single spaces; nothing when it is empty.
pub(crate) fn set(draft: &mut Draft, field: Field, text: &str, place: Place) {
    let text = words(text);
    if !text.is_empty() {
        draft.set(field, text, place);
    }
}

/// A text with single spaces: letters are padded and broken wherever their writers liked.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sets a date. One that does not exist is set as it stands, which the check then refuses.
pub(crate) fn set_date(draft: &mut Draft, field: Field, text: &str, place: Place) {
    let text = words(text);
    if !text.is_empty() {
        draft.set(field, date(&text).map_or(text, |date| date.to_string()), place);
    }
}

/// The day of `yyyymmdd`, `yyyymmddhhmm` or `yyyymmddhhmmss`, perhaps with fractions and a zone.
///
/// With a zone it is the day it was in England; a time that does not exist makes it no date.
pub(crate) fn date(text: &str) -> Option<Date> {
    let (local, zone) = match text.find(['+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, ""),
    };
    let (digits, fraction) = local.split_once('.').unwrap_or((local, ""));
    let fits = matches!(digits.len(), 8 | 12 | 14)
        && digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !fits {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).unwrap_or("00");
    let day = format!("{}-{}-{}", digits.get(..4)?, two(4), two(6));
    let moment = format!("{day}T{}:{}:{}", two(8), two(10), two(12));
    let civil: jiff::civil::DateTime = moment.parse().ok()?;
    if zone.is_empty() || digits.len() == 8 {
        return Some(civil.date());
    }
    let (hours, minutes) = zone.split_at_checked(3).filter(|(_, minutes)| minutes.len() == 2)?;
    let instant: Timestamp = format!("{moment}{hours}:{minutes}").parse().ok()?;
    instant.in_tz("Europe/London").ok().map(|zoned| zoned.date())
}

/// Sets the sender. A site of the connected trust (its code and two characters) speaks for it; any
/// other code stands as it is, and is refused further in.
pub(crate) fn sender(draft: &mut Draft, stated: Option<(String, Place)>, organisation: &str) {
    let Some((code, place)) = stated.filter(|(code, _)| !code.is_empty()) else {
        draft.set(Field::SENDER, organisation, Place::Whole);
        return;
    };
    let own = code.get(..organisation.len()).is_some_and(|c| c.eq_ignore_ascii_case(organisation));
    let site = organisation.len() == 3 && code.len() == 5;
    if own && (site || code.len() == organisation.len()) {
        draft.set(Field::SENDER, organisation, place);
    } else {
        draft.set(Field::SENDER, code, place);
    }
}

/// Sets the NHS number, one number however often it stands. `9999999999` means "unknown".
pub(crate) fn nhs_numbers(draft: &mut Draft, numbers: &[(String, Place)]) {
    let mut first: Option<String> = None;
    for (number, place) in numbers {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if digits == UNKNOWN_NHS_NUMBER {
            draft.notes.push(Issue::warning(
                "nhs-number-unknown",
                Some(Field::NHS_NUMBER),
                place.clone(),
                "is the number that stands for an unknown one, and was left out",
                "trace the person's NHS number; without one the letter finds no request",
            ));
            continue;
        }
        match &first {
            None => {
                set(draft, Field::NHS_NUMBER, number, place.clone());
                first = Some(digits);
            }
            Some(before) if *before != digits => draft.notes.push(Issue::error(
                "nhs-numbers-differ",
                Some(Field::NHS_NUMBER),
                place.clone(),
                "is another NHS number than the one before it",
                "send one letter about one person",
            )),
            Some(_) => {}
        }
    }
}

/// Takes a document that is text: base64 of a file, HTML, or words. Its content decides.
pub(crate) fn text_document(draft: &mut Draft, text: &str, place: Place) {
    let trimmed = text.trim();
    match unwrapped(trimmed) {
        Some(packed) => match decode_document(&packed) {
            Ok(content) => file(draft, content, place),
            Err(fault) => draft.notes.push(fault.issue(place)),
        },
        None => words_document(draft, trimmed, place),
    }
}

/// Takes a document in base64, line breaks allowed.
pub(crate) fn packed_document(draft: &mut Draft, text: &str, place: Place) {
    let packed: String = text.split_whitespace().collect();
    match decode_document(&packed) {
        Ok(content) => file(draft, content, place),
        Err(fault) => draft.notes.push(fault.issue(place)),
    }
}

/// The base64 inside a text without its white space, if that is what the text is: one long run of
/// its alphabet in lines, not words.
fn unwrapped(text: &str) -> Option<String> {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let packed: String = lines().collect();
    let long = packed.len() >= PACKED_CHARS_MIN || packed.starts_with("JVBERi0");
    (long && packed.chars().all(alphabet)).then_some(packed)
}

/// Takes a file: HTML and text become plain text, everything else goes to the check as it is.
fn file(draft: &mut Draft, content: PersonalBytes, place: Place) {
    let bytes = content.expose();
    let known = EXTENSIONS.iter().find(|(start, _)| bytes.starts_with(start));
    if let Some((_, extension)) = known {
        return attach(draft, extension, content, place);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode(bytes).0.into_owned(),
    };
    // Text in the old code page is common; control characters mean that it is no text at all.
    let is_text = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    if is_text { words_document(draft, &text, place) } else { attach(draft, "bin", content, place) }
}

fn words_document(draft: &mut Draft, text: &str, place: Place) {
    let rendered = if html::is_html(text) {
        draft.notes.push(Issue::warning(
            "letter-html",
            None,
            place.clone(),
            "the HTML was made plain text, without its layout and images; the original is kept",
            "send PDF where layout matters",
        ));
        html::to_text(text)
    } else {
        text.trim().to_owned()
    };
    if rendered.is_empty() {
        draft.notes.push(Issue::error(
            "letter-empty",
            None,
            place,
            "the document holds no words",
            "send the letter itself, as text, HTML or PDF",
        ));
        return;
    }
    attach(draft, "txt", PersonalBytes::new(rendered.into_bytes()), place);
}

/// Takes words that are known to be words.
pub(crate) fn plain_document(draft: &mut Draft, text: &str, place: Place) {
    attach(draft, "txt", PersonalBytes::new(text.as_bytes().to_vec()), place);
}

/// Adds a document under a name of ours: the sender's own names hold people.
fn attach(draft: &mut Draft, extension: &str, content: PersonalBytes, place: Place) {
    let number = draft.attachments.len() + 1;
    if number > DOCUMENTS_MAX {
        draft.notes.push(Issue::error(
            "attachment-too-many",
            None,
            place,
            "holds more than 20 documents",
            "send fewer documents in one message",
        ));
        return;
    }
    draft.attachments.push(DraftAttachment {
        name: PersonalText::new(format!("letter-{number}.{extension}")),
        media_type: String::new(),
        content,
        place,
    });
}

/// Stands for "not known" in letters, which is no fault of whoever wrote the number.
const UNKNOWN_NHS_NUMBER: &str = "9999999999";
/// Shorter runs of letters without a space are words.
const PACKED_CHARS_MIN: usize = 64;
/// How files begin, and the ending of their names.
const EXTENSIONS: [(&[u8], &str); 6] = [
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"PK\x03\x04", "docx"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "doc"),
];

#[cfg(test)]
mod tests;
