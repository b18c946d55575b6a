//! Typed steps through a tree of JSON: one element, its path, and where to say what is wrong.
//!
//! Paths are built from names in this crate and indexes only, never from names that were read.

use std::cell::RefCell;

use schemas::{Draft, Field, Issue, Place};

use crate::json::strict::{Node, Value};

/// What there is to say about the message, collected while it is read.
#[derive(Default)]
pub(super) struct Notes(RefCell<Vec<Issue>>);

impl Notes {
    pub(super) fn add(&self, issue: Issue) {
        let mut notes = self.0.borrow_mut();
        if notes.len() < NOTES_MAX && !notes.contains(&issue) {
            notes.push(issue);
        } else if notes.len() == NOTES_MAX {
            notes.push(Issue::error(
                "fhir-more-faults",
                None,
                Place::Whole,
                "there are more faults than are listed here",
                "put these right and send it again",
            ));
        }
    }

    pub(super) fn into_issues(self) -> Vec<Issue> {
        self.0.into_inner()
    }
}

/// One element of the Bundle.
#[derive(Clone)]
pub(super) struct Element<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
    pub(super) notes: &'a Notes,
}

impl<'a> Element<'a> {
    pub(super) fn place(&self) -> Place {
        self.node.spot.place(&self.path)
    }

    /// The single element of this name.
    pub(super) fn get(&self, name: &'static str) -> Option<Element<'a>> {
        let node = self.node.member(name)?;
        let element = self.step(node, name);
        if matches!(node.value, Value::Null | Value::Array(_)) {
            element.wrong_type("is not a single value");
            return None;
        }
        Some(element)
    }

    /// Every element of this name, which FHIR writes as an array.
    pub(super) fn list(&self, name: &'static str) -> Vec<Element<'a>> {
        let Some(node) = self.node.member(name) else { return Vec::new() };
        let Value::Array(elements) = &node.value else {
            self.step(node, name).wrong_type("is not an array");
            return Vec::new();
        };
        let indexed = elements.iter().zip(0_usize..);
        indexed
            .map(|(node, index)| Element {
                node,
                path: format!("{}.{name}[{index}]", self.path),
                notes: self.notes,
            })
            .collect()
    }

    /// The text of this element, trimmed; noted as a fault if it has none.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if !text.expose().trim().is_empty() => Some(text.expose().trim()),
            Value::Text(_) => {
                self.error("fhir-empty", "is empty", "leave out what has no value");
                None
            }
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong_type("is not a text");
                None
            }
        }
    }

    /// The text of a single element below this one.
    pub(super) fn text_of(&self, name: &'static str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    /// Whether a code or uri below this one is exactly this.
    pub(super) fn is(&self, name: &'static str, wanted: &str) -> bool {
        self.node.member(name).and_then(Node::text) == Some(wanted)
    }

    /// The code of this system in a list of codings, or in a `CodeableConcept`.
    pub(super) fn code_in(&self, system: &str) -> Option<Element<'a>> {
        let codings = self.list("coding");
        codings.into_iter().find(|coding| coding.is("system", system))?.get("code")
    }

    /// The value of the identifier of this system in a list.
    pub(super) fn identifier_in(&self, name: &'static str, system: &str) -> Option<Element<'a>> {
        let found = self.list(name).into_iter().find(|id| id.is("system", system))?;
        found.get("value")
    }

    /// The value of an extension by its address.
    pub(super) fn extension(&self, url: &str) -> Option<Element<'a>> {
        self.list("extension").into_iter().find(|extension| extension.is("url", url))
    }

    /// Sets a field from this element's text.
    pub(super) fn set(&self, draft: &mut Draft, field: Field) {
        if let Some(text) = self.text() {
            draft.set(field, text, self.place());
        }
    }

    /// Sets a field from this element's date.
    pub(super) fn set_date(&self, draft: &mut Draft, field: Field) {
        if let Some(text) = self.text() {
            draft.set(field, super::dates::civil_date(text), self.place());
        }
    }

    pub(super) fn error(&self, rule: &str, message: &str, next: &str) {
        self.notes.add(Issue::error(rule, None, self.place(), message, next));
    }

    pub(super) fn warn(&self, rule: &str, message: &str, next: &str) {
        self.notes.add(Issue::warning(rule, None, self.place(), message, next));
    }

    fn wrong_type(&self, message: &str) {
        self.error("fhir-wrong-type", message, "write the element as FHIR R4 defines it");
    }

    fn step(&self, node: &'a Node, name: &'static str) -> Element<'a> {
        Element { node, path: format!("{}.{name}", self.path), notes: self.notes }
    }
}

/// Sets a field from an element that may be missing.
pub(super) fn set(draft: &mut Draft, field: Field, element: Option<Element<'_>>) {
    if let Some(element) = element {
        element.set(draft, field);
    }
}

/// Sets a field from a date that may be missing.
pub(super) fn set_date(draft: &mut Draft, field: Field, element: Option<Element<'_>>) {
    if let Some(element) = element {
        element.set_date(draft, field);
    }
}

/// The most faults listed for one message.
const NOTES_MAX: usize = 100;
