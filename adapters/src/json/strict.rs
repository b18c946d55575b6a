//! A strict, bounded, positioned reader of JSON (RFC 8259), for every JSON-based format.
//!
//! It owns the grammar and nothing else: it must never know a message, a field or a partner.
//! `parse(bytes)` gives a tree in which every value knows its line, its column and its bytes.
//!
//! It exists because the usual readers keep the last of two equal names in silence (so that two
//! readers see two different children) and forget where a value stood. Limits: bytes, nesting and
//! number of values, as in [`limits`]. Nesting is bounded, so recursion is.
//!
//! Not supported, and why: a byte order mark (RFC 8259 forbids sending it), comments, trailing
//! commas, `NaN`, lone surrogates and any encoding but UTF-8, because each is read differently by
//! different readers. Numbers are kept as their text: no arithmetic happens here.
//!
//! Errors never quote what was read, not even a name: a name may be a person's.

use std::ops::Range;

use schemas::{PersonalText, Place};

use crate::limits;
use crate::read_error::{ReadError, ReadErrorKind};

/// Where a value starts: line and column in bytes, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Spot {
    /// This spot with the path of the element there.
    pub(crate) fn place(self, path: impl Into<String>) -> Place {
        Place::Text { line: self.line, column: self.column, path: path.into() }
    }
}

/// One value, where it starts and which bytes it covers. No `Debug`: names may be personal.
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) spot: Spot,
    pub(crate) span: Range<usize>,
}

/// A JSON value.
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number, as its text.
    Number(PersonalText),
    Text(PersonalText),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object, with the spot of its name.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) spot: Spot,
    pub(crate) node: Node,
}

impl Node {
    /// The member of this name, if this is an object that has it.
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.node)
    }

    /// The members, if this is an object.
    pub(crate) fn members(&self) -> &[Member] {
        if let Value::Object(members) = &self.value { members } else { &[] }
    }

    /// The elements, if this is an array.
    pub(crate) fn elements(&self) -> &[Node] {
        if let Value::Array(elements) = &self.value { elements } else { &[] }
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text.expose()) } else { None }
    }
}

/// Reads one JSON text, wholly.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, ReadError> {
    if bytes.len() > limits::SUBMISSION_BYTES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "json-too-large",
            Place::Whole,
            "the submission is larger than 32 MiB",
            "split it, or send documents on their own",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, &error))?;
    if text.starts_with('\u{feff}') {
        return Err(ReadError::new(
            ReadErrorKind::Encoding,
            "json-byte-order-mark",
            Spot { line: 1, column: 1 }.place(""),
            "the text starts with a byte order mark",
            "write UTF-8 without a byte order mark",
        ));
    }
    let mut reader = Reader { text, at: 0, line: 1, line_start: 0, nodes: 0 };
    reader.skip_space();
    let node = reader.value(1)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.fault("json-trailing", "there is more after the end of the JSON text"));
    }
    Ok(node)
}

fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> ReadError {
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let lines = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let spot = Spot { line: count(lines), column: count(before.len() - start + 1) };
    ReadError::new(
        ReadErrorKind::Encoding,
        "json-encoding",
        spot.place(""),
        "the bytes are not UTF-8",
        "write the file in UTF-8",
    )
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    line_start: usize,
    nodes: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, ReadError> {
        if depth > limits::DEPTH_MAX {
            let (rule, message) = ("json-too-deep", "values are nested too deeply");
            return Err(self.too_much(rule, message, "send flatter JSON"));
        }
        self.nodes += 1;
        if self.nodes > limits::NODES_MAX {
            let (rule, message) = ("json-too-many-nodes", "there are too many values");
            return Err(self.too_much(rule, message, "send fewer messages at a time"));
        }
        let (spot, start) = (self.spot(), self.at);
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::Text(PersonalText::new(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err(self.fault("json-syntax", "a value was expected here")),
            None => return Err(self.truncated()),
        };
        Ok(Node { value, spot, span: start..self.at })
    }

    fn object(&mut self, depth: usize) -> Result<Value, ReadError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let spot = self.spot();
            match self.peek() {
                Some(b'"') => {}
                None => return Err(self.truncated()),
                Some(_) => return Err(self.fault("json-syntax", "a name in quotes was expected")),
            }
            let name = self.string()?;
            self.skip_space();
            self.expect(b':', "a colon was expected here")?;
            self.skip_space();
            let node = self.value(depth + 1)?;
            members.push(Member { name, spot, node });
            self.skip_space();
            if self.take(b'}') {
                break;
            }
            self.expect(b',', "a comma or the end of the object was expected here")?;
        }
        unrepeated(&members)?;
        Ok(Value::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Value, ReadError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::Array(elements));
        }
        loop {
            self.skip_space();
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::Array(elements));
            }
            self.expect(b',', "a comma or the end of the array was expected here")?;
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ReadError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        if !rest.is_empty() && word.starts_with(rest) {
            return Err(self.truncated());
        }
        Err(self.fault("json-syntax", "a value was expected here"))
    }

    /// A number by the grammar of RFC 8259, section 6; never turned into a float.
    fn number(&mut self) -> Result<Value, ReadError> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.fault("json-number", "a number has a leading zero"));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(PersonalText::new(text)))
    }

    fn digits(&mut self) -> Result<(), ReadError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        match self.peek() {
            None => Err(self.truncated()),
            Some(_) => Err(self.fault("json-number", "a number lacks a digit here")),
        }
    }

    fn string(&mut self) -> Result<String, ReadError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let run = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(self.text.get(run..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => {
                    let message = "a control character stands unescaped in a text";
                    return Err(self.fault("json-control-character", message));
                }
                None => return Err(self.truncated()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ReadError> {
        self.at += 1;
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            Some(_) => return Err(self.fault("json-escape", "an escape is not one of JSON's")),
            None => return Err(self.truncated()),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, ReadError> {
        let first = self.hex()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let lone = "half of a surrogate pair stands alone";
        let paired = (0xd800..0xdc00).contains(&first) && self.take(b'\\');
        if !paired || self.peek() != Some(b'u') {
            return Err(match self.peek() {
                None => self.truncated(),
                Some(_) => self.fault("json-surrogate", lone),
            });
        }
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.fault("json-surrogate", lone));
        }
        let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(c).ok_or_else(|| self.fault("json-surrogate", lone))
    }

    /// `u` and four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, ReadError> {
        self.at += 1;
        let mut value = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return Err(self.truncated()) };
            let digit = char::from(byte).to_digit(16);
            let digit = digit.ok_or_else(|| self.fault("json-escape", "an escape is not hex"))?;
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8, message: &str) -> Result<(), ReadError> {
        if self.take(byte) {
            return Ok(());
        }
        match self.peek() {
            None => Err(self.truncated()),
            Some(_) => Err(self.fault("json-syntax", message)),
        }
    }

    fn spot(&self) -> Spot {
        Spot { line: self.line, column: count(self.at - self.line_start + 1) }
    }

    fn fault(&self, rule: &str, message: &str) -> ReadError {
        let next = "check the software that writes the JSON";
        ReadError::new(ReadErrorKind::Syntax, rule, self.spot().place(""), message, next)
    }

    fn truncated(&self) -> ReadError {
        self.fault("json-truncated", "the text ends before the JSON does")
    }

    fn too_much(&self, rule: &str, message: &str, next: &str) -> ReadError {
        ReadError::new(ReadErrorKind::TooLarge, rule, self.spot().place(""), message, next)
    }
}

/// Refuses an object in which a name stands twice. Sorted, not compared pair by pair: an object
/// may have very many members.
fn unrepeated(members: &[Member]) -> Result<(), ReadError> {
    let mut sorted: Vec<&Member> = members.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let repeats = sorted.array_windows().filter(|[a, b]| a.name == b.name);
    let first = repeats.map(|[_, again]| again.spot).min_by_key(|spot| (spot.line, spot.column));
    match first {
        None => Ok(()),
        Some(spot) => Err(ReadError::new(
            ReadErrorKind::Syntax,
            "json-duplicate-key",
            spot.place(""),
            "a name stands twice in one object",
            "write each name once",
        )),
    }
}

#[cfg(test)]
mod tests;
