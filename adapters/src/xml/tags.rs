//! The inside of a start tag, character by character: names, attributes, references, namespaces.
//!
//! Owns what quick-xml leaves open: that names are names, that attributes are apart and quoted,
//! that references are to characters XML has, and what a prefix is bound to where.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::limits::XML_NAME_BYTES_MAX;

/// An attribute as it stands in a tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawAttribute<'a> {
    /// The name with its prefix.
    pub(super) name: &'a str,
    /// The value between its quotes, as it stands.
    pub(super) value: &'a str,
    /// Where the name begins in the text that was scanned, in bytes.
    pub(super) at: usize,
}

/// What is wrong inside a tag: where, in bytes from the start of the text, and what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TagFault {
    pub(super) at: usize,
    pub(super) fault: Fault,
}

/// The ways in which names, values and references go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Name,
    Attribute,
    Repeated,
    Reference,
    Entity,
    Prefix,
    Declaration,
}

/// The attributes in the text after an element's name (or of an XML declaration).
pub(super) fn attributes(text: &str) -> Result<Vec<RawAttribute<'_>>, TagFault> {
    let mut found: Vec<RawAttribute<'_>> = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start_matches(WHITE);
        let spaced = trimmed.len() < rest.len();
        let at = text.len() - trimmed.len();
        if trimmed.is_empty() {
            return Ok(found);
        }
        let fault = |fault| TagFault { at, fault };
        let Some((name, value)) = trimmed.split_once('=').filter(|_| spaced) else {
            return Err(fault(Fault::Attribute));
        };
        let name = name.trim_end_matches(WHITE);
        if !is_name(name) {
            return Err(fault(Fault::Name));
        }
        let value = value.trim_start_matches(WHITE);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inside = quote.and_then(|quote| value.strip_prefix(quote)?.split_once(quote));
        let Some((value, after)) = inside.filter(|(value, _)| !value.contains('<')) else {
            return Err(fault(Fault::Attribute));
        };
        if found.iter().any(|other| other.name == name) {
            return Err(fault(Fault::Repeated));
        }
        if found.len() >= crate::limits::XML_ATTRIBUTES_MAX {
            return Err(fault(Fault::Attribute));
        }
        found.push(RawAttribute { name, value, at });
        rest = after;
    }
}

/// The value of an attribute: references resolved, line ends and tabs become spaces (XML 3.3.3).
pub(super) fn value(raw: &str) -> Result<String, Fault> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        push_normal(&mut value, before);
        let (name, after) = after.split_once(';').ok_or(Fault::Reference)?;
        value.push(reference(name)?);
        rest = after;
    }
    push_normal(&mut value, rest);
    Ok(value)
}

fn push_normal(value: &mut String, text: &str) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        value.push(if WHITE.contains(&c) { ' ' } else { c });
    }
}

/// The character that a reference between `&` and `;` stands for.
pub(super) fn reference(name: &str) -> Result<char, Fault> {
    let Some(number) = name.strip_prefix('#') else {
        return match name {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "apos" => Ok('\''),
            "quot" => Ok('"'),
            _ => Err(Fault::Entity),
        };
    };
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16),
        None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse(),
        _ => return Err(Fault::Reference),
    };
    let character = code.ok().and_then(char::from_u32);
    character.filter(|c| is_character(*c)).ok_or(Fault::Reference)
}

/// A qualified name as prefix and local name.
pub(super) fn split(name: &str) -> Result<(Option<&str>, &str), Fault> {
    match name.split_once(':') {
        None if is_name(name) => Ok((None, name)),
        Some((prefix, local)) if is_name(prefix) && is_name(local) && !local.contains(':') => {
            Ok((Some(prefix), local))
        }
        _ => Err(Fault::Name),
    }
}

/// The depth of the element that binds a prefix, and the namespace (none: taken back).
type Binding = (usize, Option<Rc<str>>);

/// What prefixes are bound to, by the element that binds them. An inner binding hides an outer.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// By prefix (empty: the default), the innermost last.
    bindings: HashMap<String, Vec<Binding>>,
    /// What was declared, in order: depth of the element, and prefix.
    declared: Vec<(usize, String)>,
    /// Every namespace once: the same one is mostly declared again and again.
    namespaces: HashSet<Rc<str>>,
}

impl Scopes {
    /// Takes up a declaration of the element at a depth; false if the name is not a declaration.
    pub(super) fn declare(&mut self, depth: usize, name: &str, uri: &str) -> Result<bool, Fault> {
        let prefix = match name.strip_prefix("xmlns:") {
            Some(prefix) => prefix,
            None if name == "xmlns" => "",
            None => return Ok(false),
        };
        let reserved = matches!(uri, XML_NAMESPACE | XMLNS_NAMESPACE);
        let misused = match prefix {
            "xml" => uri != XML_NAMESPACE,
            "xmlns" => true,
            "" => reserved,
            _ => reserved || uri.is_empty() || split(name).is_err(),
        };
        if misused {
            return Err(Fault::Prefix);
        }
        let namespace = (!uri.is_empty()).then(|| self.shared(uri));
        self.bindings.entry(prefix.to_owned()).or_default().push((depth, namespace));
        self.declared.push((depth, prefix.to_owned()));
        Ok(true)
    }

    fn shared(&mut self, uri: &str) -> Rc<str> {
        if let Some(known) = self.namespaces.get(uri) {
            return Rc::clone(known);
        }
        let new: Rc<str> = Rc::from(uri);
        self.namespaces.insert(Rc::clone(&new));
        new
    }

    /// Forgets what the elements at this depth and below declared.
    pub(super) fn leave(&mut self, depth: usize) {
        while let Some((_, prefix)) = self.declared.pop_if(|(at, _)| *at >= depth) {
            if let Some(bound) = self.bindings.get_mut(&prefix) {
                bound.pop();
            }
        }
    }

    /// The namespace of a prefix, or of no prefix.
    pub(super) fn namespace(&self, prefix: Option<&str>) -> Result<Option<Rc<str>>, Fault> {
        let bound = self.bindings.get(prefix.unwrap_or_default()).and_then(|bound| bound.last());
        match (bound, prefix) {
            (Some((_, namespace)), _) => Ok(namespace.clone()),
            (None, None) => Ok(None),
            (None, Some("xml")) => Ok(Some(Rc::from(XML_NAMESPACE))),
            (None, Some(_)) => Err(Fault::Prefix),
        }
    }
}

/// Whether XML 1.0 can hold a character (production 2).
pub(crate) fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text is a name (production 5).
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= XML_NAME_BYTES_MAX
        && chars.next().is_some_and(starts_name)
        && chars.all(|c| starts_name(c) || continues_name(c))
}

fn starts_name(c: char) -> bool {
    matches!(c,
        ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn continues_name(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// White space in XML (production 3).
pub(super) const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
