//! XML, the one way in and the one way out: bytes to a tree with positions, a tree to bytes.
//!
//! Owns everything that makes XML dangerous: encodings, document types, entities, limits,
//! namespaces. Every XML format is read through [`parse`] or [`read`] and written through
//! [`Writer`]. It must never know what an element means (that is each format's reader), nor load
//! anything that a document names.
//!
//! ```text
//! let root = xml::parse(bytes)?;
//! let family = root.child("Patient").and_then(|p| p.child("FamilyName")).map(Element::text);
//! ```
//!
//! quick-xml finds the events; names, attributes, characters, references and namespaces are
//! checked here, because it does not. A document type that names an outside file is accepted and
//! never loaded. Refused: an internal subset, entity declarations, references to entities other
//! than the five of XML, characters that XML 1.0 cannot hold, XML 1.1.
//!
//! Limits: [`limits`](crate::limits). Not supported: `XInclude` and `xml:base` (nothing outside is
//! ever read), external subsets with default attributes (what they would add is not there).

mod reader;
mod tags;
mod text;
mod writer;

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use schemas::Place;

use crate::ReadError;

pub(crate) use writer::Writer;

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// The root element.
    pub(crate) root: Element,
    /// The decoded text, into which [`Element::span`] points.
    pub(crate) text: Cow<'a, str>,
    /// Whether the encoding was guessed, which the feed must allow and the draft must say.
    pub(crate) guessed: bool,
}

/// An element with all that is in it.
#[derive(Debug)]
pub(crate) struct Element {
    /// The name without its prefix.
    pub(crate) name: String,
    /// The namespace its prefix, or the default, is bound to here.
    pub(crate) namespace: Option<Rc<str>>,
    /// The attributes in order, without declarations of namespaces.
    pub(crate) attributes: Vec<Attribute>,
    /// Elements and text in order; comments and processing instructions are left out.
    pub(crate) children: Vec<Node>,
    /// The line of its first byte, from 1.
    pub(crate) line: u64,
    /// The column of its first byte, in bytes from 1.
    pub(crate) column: u64,
    /// Where it stands in the decoded text, in bytes.
    pub(crate) span: Range<usize>,
}

/// An attribute with its value normalised.
#[derive(Debug)]
pub(crate) struct Attribute {
    /// The name without its prefix.
    pub(crate) name: String,
    /// The namespace of its prefix; none without one.
    pub(crate) namespace: Option<Rc<str>>,
    /// The value, references resolved.
    pub(crate) value: String,
    /// The line of its first byte, from 1.
    pub(crate) line: u64,
    /// The column of its first byte, in bytes from 1.
    pub(crate) column: u64,
}

/// What stands in an element.
#[derive(Debug)]
pub(crate) enum Node {
    /// An element.
    Element(Box<Element>),
    /// Text, with CDATA and references joined in; line ends are line feeds.
    Text(String),
}

/// Reads a document whose encoding is declared or UTF-8, or says where it is not one.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, ReadError> {
    read(bytes, false).map(|document| document.root)
}

/// Reads a document; with `guess`, one whose encoding is not declared or is declared wrongly too.
pub(crate) fn read(bytes: &[u8], guess: bool) -> Result<Document<'_>, ReadError> {
    let decoded = text::decode(bytes, guess)?;
    let root = reader::read(&decoded.text)?;
    Ok(Document { root, text: decoded.text, guessed: decoded.guessed })
}

impl Element {
    /// Whether this is the element of that name in that namespace (none: in no namespace).
    pub(crate) fn is(&self, namespace: Option<&str>, name: &str) -> bool {
        self.name == name && self.namespace.as_deref() == namespace
    }

    /// The child elements in order.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element.as_ref()),
            Node::Text(_) => None,
        })
    }

    /// The child elements of a name that are in the namespace of this element.
    pub(crate) fn children_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |child| child.is(self.namespace.as_deref(), name))
    }

    /// The first child element of a name that is in the namespace of this element.
    pub(crate) fn child<'a>(&'a self, name: &str) -> Option<&'a Element> {
        self.children_named(name).next()
    }

    /// The first element down a path of names, each in the namespace of this element.
    pub(crate) fn descend<'a>(&'a self, path: &[&str]) -> Option<&'a Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The value of an attribute without a prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attribute_named(name).map(|attribute| attribute.value.as_str())
    }

    /// An attribute without a prefix.
    pub(crate) fn attribute_named(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.namespace.is_none() && attribute.name == name)
    }

    /// The text that stands directly in the element, as it stands.
    pub(crate) fn raw_text(&self) -> Cow<'_, str> {
        let mut texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        let first = texts.next().unwrap_or_default();
        match texts.next() {
            None => Cow::Borrowed(first),
            Some(second) => Cow::Owned([first, second].into_iter().chain(texts).collect()),
        }
    }

    /// The text that stands directly in the element, without white space around it.
    pub(crate) fn text(&self) -> String {
        self.raw_text().trim().to_owned()
    }

    /// Where the element stands; `path` holds only names of the standard or of our own schema.
    pub(crate) fn place(&self, path: impl Into<String>) -> Place {
        Place::Text { line: self.line, column: self.column, path: path.into() }
    }
}

impl Attribute {
    /// Where the attribute stands; `path` as in [`Element::place`].
    pub(crate) fn place(&self, path: impl Into<String>) -> Place {
        Place::Text { line: self.line, column: self.column, path: path.into() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
