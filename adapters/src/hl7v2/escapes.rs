//! Escape sequences (HL7 v2.8, 2.7): read after splitting, written before joining.
//!
//! What is not known is kept as it stands and flagged; nothing is guessed and nothing is lost.

use schemas::Place;

use super::er7::Grammar;

/// The text that an escaped text stands for.
pub(super) fn unescape(text: &str, grammar: &Grammar, place: &Place) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(grammar.escape) {
        out.push_str(before);
        let Some((sequence, beyond)) = after.split_once(grammar.escape) else {
            flag(grammar, place);
            out.push(grammar.escape);
            rest = after;
            break;
        };
        if let Some(meant) = meaning(sequence, grammar) {
            out.push_str(&meant);
            rest = beyond;
        } else {
            flag(grammar, place);
            out.push(grammar.escape);
            if sequence.starts_with(['C', 'M', 'X', 'Z', '.']) {
                out.push_str(sequence);
                out.push(grammar.escape);
                rest = beyond;
            } else {
                // Most likely a backslash that nobody escaped: the next one may begin a sequence.
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn meaning(sequence: &str, grammar: &Grammar) -> Option<String> {
    let one = match sequence {
        "F" => grammar.field,
        "S" => grammar.component,
        "T" => grammar.sub,
        "R" => grammar.repeat,
        "E" => grammar.escape,
        "P" => grammar.truncation,
        ".br" | ".ce" => '\n',
        "H" | "N" | ".fi" | ".nf" => return Some(String::new()),
        _ => return formatted(sequence, grammar),
    };
    Some(one.to_string())
}

/// Sequences with a number or bytes in them.
fn formatted(sequence: &str, grammar: &Grammar) -> Option<String> {
    if let Some(digits) = sequence.strip_prefix('X') {
        let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
        let (pairs, odd) = digits.as_chunks::<2>();
        if pairs.is_empty() || !odd.is_empty() {
            return None;
        }
        let bytes = pairs.iter().filter_map(|[high, low]| u8::try_from(high * 16 + low).ok());
        return grammar.charset.decode(&bytes.collect::<Vec<u8>>());
    }
    let number = |text: &str| -> Option<usize> {
        let text = text.trim().trim_start_matches(['+', '-']);
        if text.is_empty() { Some(1) } else { text.parse().ok() }
    };
    if let Some(lines) = sequence.strip_prefix(".sp") {
        return Some("\n".repeat(number(lines)?.min(BLANK_MAX)));
    }
    if let Some(spaces) = sequence.strip_prefix(".sk") {
        return Some(" ".repeat(number(spaces)?.min(BLANK_MAX)));
    }
    let indent = sequence.strip_prefix(".in").or_else(|| sequence.strip_prefix(".ti"))?;
    number(indent).map(|_| String::new())
}

fn flag(grammar: &Grammar, place: &Place) {
    grammar.warn(
        "hl7-escape-unknown",
        place.clone(),
        "holds an escape sequence that is not known, and is kept as it stands",
        "escape a backslash in text as \\E\\",
    );
}

/// A text as it is written between the usual separators, `|^~\&`.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    if text == super::er7::DELETE {
        return "\\X22\\\\X22\\".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '&' => out.push_str("\\T\\"),
            '~' => out.push_str("\\R\\"),
            '\\' => out.push_str("\\E\\"),
            '\n' => out.push_str("\\.br\\"),
            '\r' => out.push_str("\\X0D\\"),
            // What would end the frame or the message never stands in a field.
            '\u{b}' | '\u{1c}' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// The most lines or spaces of one sequence: a page.
const BLANK_MAX: usize = 60;
