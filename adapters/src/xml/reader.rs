//! Events to a tree, with positions and limits.
//!
//! Before you change this: everything accepted here must be well-formed by an independent parser
//! too (`tests/peers`), and nothing here may be recursive: depth is the sender's choice.

use std::rc::Rc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use schemas::Place;

use super::tags::{self, Fault, Scopes, TagFault, WHITE};
use super::{Attribute, Element, Node};
use crate::limits::{XML_DEPTH_MAX, XML_NODES_MAX, XML_TEXT_BYTES_MAX};
use crate::{ReadError, ReadErrorKind};

/// Reads the text of a document into its root element.
pub(super) fn read(text: &str) -> Result<Element, ReadError> {
    let mut events = Reader::from_str(text);
    events.config_mut().check_comments = true;
    let mut tree = Tree {
        text,
        cursor: Cursor { at: 0, line: 1, column: 1 },
        open: Vec::new(),
        scopes: Scopes::default(),
        root: None,
        doctype: false,
        nodes: 0,
        text_bytes: 0,
    };
    loop {
        let at = position(events.buffer_position());
        let event = events.read_event();
        let end = position(events.buffer_position());
        match event {
            Ok(Event::Eof) => return tree.finish(),
            Ok(event) => tree.event(&event, at, end)?,
            // Its words may quote the document, so they are not repeated.
            Err(_) => {
                return Err(syntax(
                    text,
                    position(events.error_position()).max(at),
                    "the document is not well-formed here",
                ));
            }
        }
    }
}

struct Tree<'a> {
    text: &'a str,
    cursor: Cursor,
    open: Vec<Element>,
    scopes: Scopes,
    root: Option<Element>,
    doctype: bool,
    nodes: usize,
    text_bytes: usize,
}

impl Tree<'_> {
    fn event(&mut self, event: &Event<'_>, at: usize, end: usize) -> Result<(), ReadError> {
        match event {
            Event::Start(tag) => self.start(tag, at, end),
            Event::Empty(tag) => {
                self.start(tag, at, end)?;
                self.close(end);
                Ok(())
            }
            Event::End(_) => {
                self.close(end);
                Ok(())
            }
            Event::Text(text) if text.contains("]]>") => {
                Err(syntax(self.text, at, "the end of a CDATA section stands outside of one"))
            }
            Event::Text(text) => self.characters(&text.xml10_content(), at),
            Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => {
                Err(outside(self.text, at))
            }
            Event::CData(text) => self.characters(&text.xml10_content(), at),
            Event::GeneralRef(name) => {
                let c = tags::reference(name).map_err(|fault| self.fault(at, fault))?;
                self.characters(c.encode_utf8(&mut [0; 4]), at)
            }
            Event::Comment(_) | Event::Eof => Ok(()),
            Event::Decl(declaration) => self.declaration(declaration, at),
            Event::PI(instruction) => {
                let target = instruction.target();
                if !tags::is_name(target) || target.eq_ignore_ascii_case("xml") {
                    return Err(self.fault(at, Fault::Declaration));
                }
                Ok(())
            }
            Event::DocType(doctype) => self.doctype(doctype, at),
        }
    }

    /// `<?xml version="1.0" encoding=".." standalone=".."?>`, first of all or not at all.
    fn declaration(&self, declaration: &str, at: usize) -> Result<(), ReadError> {
        let content = declaration.strip_prefix("xml").unwrap_or_default();
        let parts = tags::attributes(content).map_err(|fault| self.fault(at, fault.fault))?;
        let mut parts = parts.iter().peekable();
        if parts.peek().is_some_and(|part| part.name == "version" && part.value == "1.1") {
            return Err(fault_at(
                self.text,
                at,
                "xml-version",
                "the document is XML 1.1",
                "send XML 1.0",
            ));
        }
        let version = parts.next_if(|part| part.name == "version" && part.value == "1.0");
        parts.next_if(|part| part.name == "encoding");
        parts.next_if(|part| part.name == "standalone" && ["yes", "no"].contains(&part.value));
        if at != 0 || version.is_none() || parts.next().is_some() {
            return Err(self.fault(at, Fault::Declaration));
        }
        Ok(())
    }

    /// A document type may name an outside file, which is never loaded. It may declare nothing.
    fn doctype(&mut self, doctype: &str, at: usize) -> Result<(), ReadError> {
        if doctype.contains('[') || doctype.contains("<!") {
            return Err(fault_at(
                self.text,
                at,
                "xml-doctype-declares",
                "the document type declares things of its own",
                "remove the declarations in square brackets; entities are never expanded",
            ));
        }
        let misplaced = self.doctype || self.root.is_some() || !self.open.is_empty();
        self.doctype = true;
        if misplaced || !is_doctype(doctype) || !self.stands(at, "<!DOCTYPE") {
            return Err(syntax(self.text, at, "the document type is not well-formed here"));
        }
        Ok(())
    }

    fn start(&mut self, tag: &BytesStart<'_>, at: usize, end: usize) -> Result<(), ReadError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(outside(self.text, at));
        }
        if self.open.len() >= XML_DEPTH_MAX {
            return Err(too_large(self.text, at, "xml-too-deep", "the nesting is too deep here"));
        }
        let depth = self.open.len();
        let name = tag.name().into_inner();
        let raw = tags::attributes(tag.attributes_raw());
        // Attributes begin behind `<` and the name.
        let first = at + 1 + name.len();
        let raw = raw.map_err(|TagFault { at, fault }| self.fault(first + at, fault))?;
        self.count(at, 1 + raw.len())?;
        let mut attributes = Vec::new();
        for attribute in raw {
            let at = first + attribute.at;
            let value = tags::value(attribute.value).map_err(|fault| self.fault(at, fault))?;
            if value.len() > XML_TEXT_BYTES_MAX {
                return Err(text_too_large(self.text, at));
            }
            let declares = self.scopes.declare(depth, attribute.name, &value);
            if !declares.map_err(|fault| self.fault(at, fault))? {
                attributes.push((attribute.name, value, at));
            }
        }
        let (prefix, local) = tags::split(name).map_err(|fault| self.fault(at, fault))?;
        let namespace = self.scopes.namespace(prefix).map_err(|fault| self.fault(at, fault))?;
        let (line, column) = self.cursor.advance(self.text, at);
        let attributes = self.attributes(attributes)?;
        self.open.push(Element {
            name: local.to_owned(),
            namespace,
            attributes,
            children: Vec::new(),
            line,
            column,
            span: at..end,
        });
        Ok(())
    }

    /// Binds attributes to their namespaces; one name twice in one namespace is once too often.
    fn attributes(&mut self, raw: Vec<(&str, String, usize)>) -> Result<Vec<Attribute>, ReadError> {
        let mut attributes: Vec<Attribute> = Vec::with_capacity(raw.len());
        for (name, value, at) in raw {
            let (prefix, local) = tags::split(name).map_err(|fault| self.fault(at, fault))?;
            let namespace: Option<Rc<str>> = match prefix {
                None => None,
                Some(_) => self.scopes.namespace(prefix).map_err(|fault| self.fault(at, fault))?,
            };
            let same = |other: &Attribute| other.name == local && other.namespace == namespace;
            if attributes.iter().any(same) {
                return Err(self.fault(at, Fault::Repeated));
            }
            let (line, column) = self.cursor.advance(self.text, at);
            let name = local.to_owned();
            attributes.push(Attribute { name, namespace, value, line, column });
        }
        Ok(attributes)
    }

    fn close(&mut self, end: usize) {
        // quick-xml has matched the name of the end tag with the open element.
        let Some(mut element) = self.open.pop() else { return };
        element.span.end = end;
        self.scopes.leave(self.open.len());
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(Box::new(element))),
            None => self.root = Some(element),
        }
    }

    fn characters(&mut self, text: &str, at: usize) -> Result<(), ReadError> {
        let Some(element) = self.open.last_mut() else {
            return if text.trim_matches(WHITE).is_empty() {
                Ok(())
            } else {
                Err(outside(self.text, at))
            };
        };
        if let Some(Node::Text(before)) = element.children.last_mut() {
            before.push_str(text);
            self.text_bytes += text.len();
        } else {
            element.children.push(Node::Text(text.to_owned()));
            self.text_bytes = text.len();
        }
        if self.text_bytes > XML_TEXT_BYTES_MAX {
            return Err(text_too_large(self.text, at));
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, ReadError> {
        match (self.root, self.open.last()) {
            (Some(root), None) => Ok(root),
            (_, Some(open)) => Err(fault_at(
                self.text,
                open.span.start,
                "xml-cut-short",
                "the element that opens here is never closed",
                "send the document again, whole",
            )),
            (None, None) => Err(syntax(self.text, 0, "there is no element")),
        }
    }

    fn count(&mut self, at: usize, nodes: usize) -> Result<(), ReadError> {
        self.nodes += nodes;
        if self.nodes > XML_NODES_MAX {
            let message = "there are more than 400,000 elements and attributes up to here";
            return Err(too_large(self.text, at, "xml-too-many-elements", message));
        }
        Ok(())
    }

    fn stands(&self, at: usize, text: &str) -> bool {
        self.text.get(at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn fault(&self, at: usize, fault: Fault) -> ReadError {
        let (rule, message, next) = match fault {
            Fault::Name => ("xml-syntax", "a name here is not a name in XML", SEND_XML),
            Fault::Attribute => (
                "xml-syntax",
                "the attributes here are not well-formed, or more than 64",
                "write name=\"value\", apart by white space, with < and & escaped",
            ),
            Fault::Repeated => (
                "xml-attribute-repeated",
                "an attribute stands here twice",
                "send it once: nobody can tell which one is meant",
            ),
            Fault::Reference => {
                ("xml-syntax", "a reference here is not one to a character of XML", SEND_XML)
            }
            Fault::Entity => (
                "xml-entity",
                "an entity that XML does not have is referred to here",
                "write the character itself; entities are never expanded",
            ),
            Fault::Prefix => (
                "xml-prefix",
                "a prefix here is bound to no namespace, or to one it cannot be bound to",
                "declare the prefix with xmlns on this element or one around it",
            ),
            Fault::Declaration => (
                "xml-syntax",
                "an XML declaration here is not well-formed, or does not come first",
                "begin the document with <?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            ),
        };
        fault_at(self.text, at, rule, message, next)
    }
}

/// `name`, `name SYSTEM "..."` or `name PUBLIC "..." "..."`, and nothing else.
fn is_doctype(doctype: &str) -> bool {
    let (name, rest) = doctype.split_once(WHITE).unwrap_or((doctype, ""));
    let rest = rest.trim_matches(WHITE);
    let literals = match rest.split_once(WHITE) {
        Some(("SYSTEM", rest)) => literals(rest, 1),
        Some(("PUBLIC", rest)) => literals(rest, 2),
        _ => rest.is_empty(),
    };
    tags::is_name(name) && literals
}

fn literals(text: &str, count: usize) -> bool {
    let mut rest = text;
    for nth in 0..count {
        let trimmed = rest.trim_start_matches(WHITE);
        if nth > 0 && trimmed.len() == rest.len() {
            return false;
        }
        let quote = trimmed.chars().next().filter(|c| matches!(c, '"' | '\''));
        let literal = quote.and_then(|quote| trimmed.strip_prefix(quote)?.split_once(quote));
        let Some((inside, after)) = literal else { return false };
        // A public identifier has few characters (production 13).
        let public = |c: char| c.is_ascii_alphanumeric() || " \r\n-'()+,./:=?;!*#@$_%".contains(c);
        if count == 2 && nth == 0 && !inside.chars().all(public) {
            return false;
        }
        rest = after;
    }
    rest.trim_matches(WHITE).is_empty()
}

/// Where reading is, in line and column, as far as it has been asked for.
struct Cursor {
    at: usize,
    line: u64,
    column: u64,
}

impl Cursor {
    /// Line and column of a byte that stands behind the last one asked for.
    fn advance(&mut self, text: &str, to: usize) -> (u64, u64) {
        for byte in text.as_bytes().get(self.at..to).unwrap_or_default() {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at = self.at.max(to);
        (self.line, self.column)
    }
}

/// The place that comes after some bytes.
pub(super) fn place_after(before: &[u8]) -> Place {
    let lines = before.split(|byte| *byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or((0, before));
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX).saturating_add(1);
    Place::Text { line: count(line), column: count(last.len()), path: String::new() }
}

/// A fault at a byte of the text.
pub(super) fn fault_at(text: &str, at: usize, rule: &str, message: &str, next: &str) -> ReadError {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    ReadError::new(ReadErrorKind::Syntax, rule, place_after(before), message, next)
}

fn syntax(text: &str, at: usize, message: &str) -> ReadError {
    fault_at(text, at, "xml-syntax", message, SEND_XML)
}

fn outside(text: &str, at: usize) -> ReadError {
    syntax(text, at, "something stands outside of the one root element")
}

fn too_large(text: &str, at: usize, rule: &str, message: &str) -> ReadError {
    let error = fault_at(text, at, rule, message, "send less in one document");
    ReadError { kind: ReadErrorKind::TooLarge, ..error }
}

fn text_too_large(text: &str, at: usize) -> ReadError {
    let message = "a text here is larger than 16 MiB";
    too_large(text, at, "xml-text-too-large", message)
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

const SEND_XML: &str = "send XML 1.0 as its standard says";
