//! FHIR XML: to the tree that JSON gives, and from it.
//!
//! Owns the two differences of the formats that matter: XML does not show which elements repeat or
//! are numbers (the table in [`elements`](super::elements) does), and it keeps primitive values,
//! ids and the addresses of extensions in attributes. Everything dangerous about XML is refused by
//! [`crate::xml`]. It must never know what an element means.
//!
//! Positions are those of the XML: of the element, or of its `value`. A `div` is carried as its
//! own text. Not supported, and refused: text outside attributes and `div`, elements of other
//! namespaces, attributes FHIR does not have; a resource of a type that is not in the table is
//! read by what stands in it, for the search for what must not stand anywhere.

mod writing;

use schemas::PersonalText;

use super::elements::{Content, Form, Type};
use crate::json::strict::{Member, Node, Spot, Value};
use crate::read_error::{ReadError, ReadErrorKind};
use crate::xml::{self, Attribute, Element};

pub(super) use writing::write;

/// Reads a resource as the tree that its JSON would give.
pub(super) fn parse(bytes: &[u8]) -> Result<Node, ReadError> {
    let document = xml::read(bytes, false)?;
    let root = &document.root;
    if root.namespace.as_deref() != Some(FHIR) {
        return Err(fault(root, "fhir-xml-namespace", "the root is not an element of FHIR"));
    }
    Reader { text: &document.text }.resource(root)
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    /// A resource: its element is named by its type.
    fn resource(&self, element: &Element) -> Result<Node, ReadError> {
        attributes(element, &[])?;
        let name = Node {
            value: Value::Text(PersonalText::new(element.name.as_str())),
            spot: spot(element),
            span: element.span.clone(),
        };
        let members = vec![member("resourceType".to_owned(), name)];
        self.elements(element, Type::find(&element.name), members)
    }

    /// The members of an element of a type, after those that are known already.
    fn elements(
        &self,
        element: &Element,
        kind: Option<&'static Type>,
        mut members: Vec<Member>,
    ) -> Result<Node, ReadError> {
        if !element.raw_text().trim().is_empty() {
            return Err(fault(element, "fhir-xml-text", "holds text outside an attribute"));
        }
        let mut groups: Vec<(&str, Vec<&Element>)> = Vec::new();
        for child in element.elements() {
            let foreign = child.namespace.as_deref() != Some(FHIR);
            if foreign && !child.is(Some(XHTML), "div") {
                let message = "is not an element of FHIR";
                return Err(fault(child, "fhir-xml-namespace", message));
            }
            match groups.iter_mut().find(|(name, _)| *name == child.name) {
                Some((_, group)) => group.push(child),
                None => groups.push((&child.name, vec![child])),
            }
        }
        for (name, group) in groups {
            self.group(name, &group, kind.and_then(|kind| kind.form(name)), &mut members)?;
        }
        Ok(Node { value: Value::Object(members), spot: spot(element), span: element.span.clone() })
    }

    /// The elements of one name, as the one or two members they are in JSON.
    fn group(
        &self,
        name: &str,
        group: &[&Element],
        form: Option<Form>,
        members: &mut Vec<Member>,
    ) -> Result<(), ReadError> {
        let mut values = Vec::new();
        let mut besides = Vec::new();
        for element in group {
            let (value, beside) = self.element(element, form)?;
            values.push(value.unwrap_or_else(|| null(element)));
            besides.push(beside.unwrap_or_else(|| null(element)));
        }
        let some = |nodes: &[Node]| nodes.iter().any(|node| !matches!(node.value, Value::Null));
        let repeats = form.is_some_and(|form| form.repeats) || group.len() > 1;
        let Some(first) = group.first() else { return Ok(()) };
        let gathered = |nodes: Vec<Node>| Node {
            value: Value::Array(nodes),
            spot: spot(first),
            span: first.span.clone(),
        };
        for (name, nodes) in [(name.to_owned(), values), (format!("_{name}"), besides)] {
            if !some(&nodes) {
                continue;
            }
            let node = if repeats { Some(gathered(nodes)) } else { nodes.into_iter().next() };
            members.extend(node.map(|node| member(name, node)));
        }
        Ok(())
    }

    /// One element: its value, and what stands beside the value of a primitive.
    fn element(
        &self,
        element: &Element,
        form: Option<Form>,
    ) -> Result<(Option<Node>, Option<Node>), ReadError> {
        let content = form.map(|form| form.content);
        if element.is(Some(XHTML), "div") || content == Some(Content::Narrative) {
            let div = self.text.get(element.span.clone()).unwrap_or_default();
            let value = Value::Text(PersonalText::new(div));
            return Ok((
                Some(Node { value, spot: spot(element), span: element.span.clone() }),
                None,
            ));
        }
        match content {
            Some(Content::Resource) => {
                attributes(element, &[])?;
                let mut inside = element.elements();
                let (Some(resource), None) = (inside.next(), inside.next()) else {
                    let message = "does not hold exactly one resource";
                    return Err(fault(element, "fhir-xml-resource", message));
                };
                self.resource(resource).map(|node| (Some(node), None))
            }
            Some(Content::Elements(name)) => {
                attributes(element, &["id", "url"])?;
                let node = self.elements(element, Type::find(name), identities(element))?;
                Ok((Some(node), None))
            }
            Some(Content::Text | Content::Boolean | Content::Number) => {
                self.primitive(element, content)
            }
            None if element.attribute("value").is_some() => self.primitive(element, None),
            None => {
                // Unknown: perhaps a resource inside a container, perhaps a structure.
                attributes(element, &["id", "url"])?;
                let node = self.elements(element, None, identities(element))?;
                Ok((Some(node), None))
            }
            Some(Content::Narrative) => Ok((None, None)),
        }
    }

    fn primitive(
        &self,
        element: &Element,
        content: Option<Content>,
    ) -> Result<(Option<Node>, Option<Node>), ReadError> {
        attributes(element, &["id", "value"])?;
        let beside = self.elements(element, Type::find("Element"), identities(element))?;
        let beside = if beside.members().is_empty() { None } else { Some(beside) };
        let given = element.attributes.iter().find(|a| a.namespace.is_none() && a.name == "value");
        let Some(attribute) = given else {
            // Without a value and without anything instead of one, it is an empty text.
            let empty = || node(Value::Text(PersonalText::new("")), spot(element), element);
            return Ok((beside.is_none().then(empty), beside));
        };
        let spot = Spot { line: attribute.line, column: attribute.column };
        Ok((Some(node(typed(attribute, content), spot, element)), beside))
    }
}

fn typed(attribute: &Attribute, content: Option<Content>) -> Value {
    let text = attribute.value.as_str();
    match (content, text) {
        (Some(Content::Boolean), "true") => Value::Bool(true),
        (Some(Content::Boolean), "false") => Value::Bool(false),
        (Some(Content::Number), _) if is_number(text) => Value::Number(PersonalText::new(text)),
        // What is not of its type stays a text, and is reported by whoever reads it.
        _ => Value::Text(PersonalText::new(text)),
    }
}

/// A number as JSON writes it.
fn is_number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok() && text.trim() == text
}

/// The `id` of an element and the `url` of an extension, which are attributes in XML.
fn identities(element: &Element) -> Vec<Member> {
    let mut members = Vec::new();
    for attribute in &element.attributes {
        let name = attribute.name.as_str();
        if attribute.namespace.is_none() && (name == "id" || name == "url") {
            let spot = Spot { line: attribute.line, column: attribute.column };
            let value = Value::Text(PersonalText::new(attribute.value.as_str()));
            members.push(member(name.to_owned(), node(value, spot, element)));
        }
    }
    members
}

/// Attributes without a namespace are those of FHIR; those with one (`xsi:schemaLocation`) say
/// nothing about the content.
fn attributes(element: &Element, allowed: &[&str]) -> Result<(), ReadError> {
    let strange = |attribute: &&Attribute| {
        attribute.namespace.is_none() && !allowed.contains(&attribute.name.as_str())
    };
    match element.attributes.iter().find(strange) {
        None => Ok(()),
        Some(attribute) => Err(ReadError::new(
            ReadErrorKind::Shape,
            "fhir-xml-attribute",
            attribute.place(""),
            "is an attribute that FHIR does not have here",
            NEXT,
        )),
    }
}

fn member(name: String, node: Node) -> Member {
    Member { name, spot: node.spot, node }
}

fn node(value: Value, spot: Spot, element: &Element) -> Node {
    Node { value, spot, span: element.span.clone() }
}

fn null(element: &Element) -> Node {
    node(Value::Null, spot(element), element)
}

fn spot(element: &Element) -> Spot {
    Spot { line: element.line, column: element.column }
}

fn fault(element: &Element, rule: &str, message: &str) -> ReadError {
    ReadError::new(ReadErrorKind::Shape, rule, element.place(""), message, NEXT)
}

const NEXT: &str = "send FHIR XML as the standard defines it, or JSON";
/// The namespace of FHIR's elements.
const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of narrative.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

#[cfg(test)]
mod tests;
