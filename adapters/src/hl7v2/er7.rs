//! The grammar of ER7: segments, fields, repetitions, components, sub-components (HL7 v2.8, 2.5).
//!
//! The separators are those that MSH names. A field is split first and unescaped after. A place
//! names the segment (when the standard defines it), the field and the component; never text.

use std::cell::RefCell;
use std::collections::BTreeMap;

use schemas::{Issue, Place};

use super::text::Charset;
use crate::limits;
use crate::read_error::{ReadError, ReadErrorKind};

/// The separators of one message, and what there is to say about it while it is read.
pub(super) struct Grammar {
    pub(super) field: char,
    pub(super) component: char,
    pub(super) repeat: char,
    pub(super) escape: char,
    pub(super) sub: char,
    pub(super) truncation: char,
    pub(super) charset: Charset,
    notes: RefCell<Vec<Issue>>,
}

impl Grammar {
    /// The separators that a message names in MSH-1 and MSH-2.
    pub(super) fn of(text: &str, charset: Charset) -> Result<Self, ReadError> {
        let head = text.strip_prefix("MSH").ok_or_else(no_header)?;
        let mut chars = head.chars();
        let field = chars.next().ok_or_else(no_header)?;
        let named: Vec<char> = chars.take_while(|c| *c != field && *c != '\r').take(6).collect();
        let (component, repeat, escape, sub, truncation) = match named.as_slice() {
            [component, repeat, escape, sub] => (*component, *repeat, *escape, *sub, '#'),
            [component, repeat, escape, sub, last] => (*component, *repeat, *escape, *sub, *last),
            [..] => return Err(wrong_separators()),
        };
        let all = [field, component, repeat, escape, sub];
        let twice = all.iter().enumerate().any(|(at, c)| all.iter().skip(at + 1).any(|d| d == c));
        if twice || !all.iter().all(char::is_ascii_punctuation) {
            return Err(wrong_separators());
        }
        let notes = RefCell::default();
        Ok(Self { field, component, repeat, escape, sub, truncation, charset, notes })
    }

    /// Notes something about the message, once.
    pub(super) fn note(&self, issue: Issue) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX && !notes.contains(&issue) {
            notes.push(issue);
        } else if notes.len() == NOTES_MAX {
            notes.push(Issue::error(
                "hl7-more-faults",
                None,
                Place::Whole,
                "there are more faults than are listed here",
                "put these right and send it again",
            ));
        }
    }

    pub(super) fn warn(&self, rule: &str, place: Place, message: &str, next: &str) {
        self.note(Issue::warning(rule, None, place, message, next));
    }

    pub(super) fn fault(&self, rule: &str, place: Place, message: &str, next: &str) {
        self.note(Issue::error(rule, None, place, message, next));
    }

    pub(super) fn into_notes(self) -> Vec<Issue> {
        self.notes.into_inner()
    }
}

/// One segment.
pub(super) struct Segment<'a> {
    /// Its name as written.
    pub(super) name: &'a str,
    known: &'static str,
    nth: u32,
    fields: Vec<&'a str>,
    grammar: &'a Grammar,
}

impl<'a> Segment<'a> {
    /// A field by its number in the standard; an empty one when the segment ends before it.
    pub(super) fn field(&self, number: u32) -> Field<'a> {
        // MSH-1 is the separator itself, so MSH counts from one less.
        let index = if self.name == "MSH" { number.saturating_sub(1) } else { number };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let text = self.fields.get(index).copied().unwrap_or_default();
        let at = Spot { known: self.known, nth: self.nth, field: number, component: 0 };
        Field { text, at, grammar: self.grammar }
    }

    /// The segment as a whole.
    pub(super) fn place(&self) -> Place {
        Spot { known: self.known, nth: self.nth, field: 0, component: 0 }.place()
    }
}

#[derive(Clone, Copy)]
struct Spot {
    known: &'static str,
    nth: u32,
    field: u32,
    component: u32,
}

impl Spot {
    fn place(self) -> Place {
        Place::Segment {
            name: self.known.to_owned(),
            nth: self.nth,
            field: self.field,
            component: self.component,
        }
    }
}

/// A field, one of its repetitions, or a component or sub-component of it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    text: &'a str,
    at: Spot,
    grammar: &'a Grammar,
}

impl<'a> Field<'a> {
    /// As it stands, escapes and all.
    pub(super) fn raw(&self) -> &'a str {
        self.text
    }

    /// Whether nothing is stated here: empty, or `""`, which asks for a value to be deleted.
    pub(super) fn is_empty(&self) -> bool {
        let text = self.text.trim();
        text.is_empty() || text == DELETE
    }

    /// The repetitions.
    pub(super) fn repeats(&self) -> impl Iterator<Item = Self> + use<'a> {
        let (at, grammar) = (self.at, self.grammar);
        self.text.split(grammar.repeat).map(move |text| Self { text, at, grammar })
    }

    /// The first repetition.
    pub(super) fn first(&self) -> Self {
        Self { text: self.text.split(self.grammar.repeat).next().unwrap_or_default(), ..*self }
    }

    /// The components, from 1.
    pub(super) fn components(&self) -> impl Iterator<Item = Self> + use<'a> {
        let (at, grammar) = (self.at, self.grammar);
        self.text.split(grammar.component).zip(1_u32..).map(move |(text, component)| Self {
            text,
            at: Spot { component, ..at },
            grammar,
        })
    }

    /// A component by its number; an empty one when there are fewer.
    pub(super) fn component(&self, number: u32) -> Self {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = self.text.split(self.grammar.component).nth(index).unwrap_or_default();
        Self { text, at: Spot { component: number, ..self.at }, ..*self }
    }

    /// A sub-component by its number; an empty one when there are fewer.
    pub(super) fn sub(&self, number: u32) -> Self {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = self.text.split(self.grammar.sub).nth(index).unwrap_or_default();
        Self { text, ..*self }
    }

    /// The text, unescaped and trimmed; `None` when nothing is stated.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.lines()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The text, unescaped, with its spacing; `None` when nothing is stated.
    pub(super) fn lines(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        Some(super::escapes::unescape(self.text, self.grammar, &self.place()))
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.at.place()
    }

    /// Whether the text is this code, whatever its case.
    pub(super) fn is(&self, code: &str) -> bool {
        self.text.trim().eq_ignore_ascii_case(code)
    }

    /// Whether the text is one of these codes, whatever its case.
    pub(super) fn is_one_of(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.is(code))
    }
}

/// The segments of a message, in order. Segments end with CR; an LF after it is passed over.
pub(super) fn segments<'a>(
    text: &'a str,
    grammar: &'a Grammar,
) -> Result<Vec<Segment<'a>>, ReadError> {
    let end = if text.contains('\r') { '\r' } else { '\n' };
    if end == '\n' && text.contains('\n') {
        grammar.warn(
            "hl7-line-feeds",
            Place::Whole,
            "segments end with a line feed instead of a carriage return",
            "end each segment with a carriage return (0x0D)",
        );
    }
    let mut segments: Vec<Segment<'a>> = Vec::new();
    let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
    for (line, number) in text.split(end).zip(1_u32..) {
        let line = line.strip_prefix('\n').unwrap_or(line);
        if line.trim().is_empty() {
            continue;
        }
        if segments.len() >= limits::HL7_SEGMENTS_MAX {
            return Err(too_many("segments", "hl7-too-many-segments", Place::Whole));
        }
        let fields: Vec<&str> = line.split(grammar.field).collect();
        let name = fields.first().copied().unwrap_or_default();
        let mut letters = name.chars();
        let named = letters.next().is_some_and(|c| c.is_ascii_uppercase())
            && name.len() == 3
            && letters.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !named {
            return Err(no_segment(number));
        }
        let known = known(name);
        let nth = counts.entry(known).and_modify(|nth| *nth += 1).or_insert(1_u32);
        let segment = Segment { name, known, nth: *nth, fields, grammar };
        if segment.fields.len() > limits::HL7_FIELDS_MAX {
            return Err(too_many("fields", "hl7-too-many-fields", segment.place()));
        }
        segments.push(segment);
    }
    Ok(segments)
}

/// The name of a segment for a place: only names that the standard defines.
fn known(name: &str) -> &'static str {
    let found = KNOWN.iter().find(|known| **known == name);
    found.copied().unwrap_or(if name.starts_with('Z') { "Z" } else { "?" })
}

fn no_header() -> ReadError {
    ReadError::new(
        ReadErrorKind::Syntax,
        "hl7-no-header",
        Place::Whole,
        "does not begin with an MSH segment",
        "send one HL7 v2 message in ER7 (pipes), starting with MSH",
    )
}

fn wrong_separators() -> ReadError {
    ReadError::new(
        ReadErrorKind::Syntax,
        "hl7-separators",
        Place::Segment { name: "MSH".to_owned(), nth: 1, field: 2, component: 0 },
        "does not name four or five different separators",
        "send MSH-2 as ^~\\&",
    )
}

fn no_segment(number: u32) -> ReadError {
    ReadError::new(
        ReadErrorKind::Syntax,
        "hl7-segment",
        Place::Segment { name: "?".to_owned(), nth: number, field: 0, component: 0 },
        "does not begin with the name of a segment; a line break inside a field looks like this",
        "write line breaks inside a field as \\.br\\ and end segments with a carriage return",
    )
}

fn too_many(what: &str, rule: &str, place: Place) -> ReadError {
    ReadError::new(
        ReadErrorKind::TooLarge,
        rule,
        place,
        &format!("has more {what} than are read"),
        "send a document as one OBX row, or split the message",
    )
}

/// The value that asks for a value to be deleted.
pub(super) const DELETE: &str = "\"\"";
/// The most issues of one message.
const NOTES_MAX: usize = 200;
const KNOWN: [&str; 31] = [
    "MSH", "MSA", "ERR", "SFT", "UAC", "EVN", "PID", "PD1", "NK1", "MRG", "PV1", "PV2", "ORC",
    "TQ1", "TQ2", "OBR", "OBX", "NTE", "TXA", "CON", "ROL", "PRT", "AL1", "DG1", "PR1", "SPM",
    "FT1", "CTD", "CTI", "ADD", "DSC",
];
