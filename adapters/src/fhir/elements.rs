//! Which elements the resources we exchange have, in which order, and whether they repeat.
//!
//! Facts of FHIR R4 (and of STU3, for what ITK3 documents use) that JSON shows by its brackets
//! and quotes and XML does not. The table is `elements.txt`, one type a line: `!` before a
//! resource, `*` after an element that repeats, `:b` a boolean, `:n` a number, `:x` narrative,
//! `:R` a resource, `:Type` an element of that type, nothing for every other primitive. Where R4
//! and STU3 differ, R4 stands. Types that are not read are not in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What an element of a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) repeats: bool,
    pub(super) content: Content,
}

/// What stands in an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Text, a code, a date and so on.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// XHTML.
    Narrative,
    /// A whole resource.
    Resource,
    /// Elements of this type.
    Elements(&'static str),
}

/// A type: a resource, or a structure inside one.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) is_resource: bool,
    pub(super) forms: Vec<Form>,
}

impl Type {
    /// The type of this name, if it is in the table.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        TYPES.get(name)
    }

    /// What an element of this name is here.
    pub(super) fn form(&self, name: &str) -> Option<Form> {
        self.forms.iter().find(|form| form.name == name).copied()
    }
}

static TYPES: LazyLock<BTreeMap<&'static str, Type>> =
    LazyLock::new(|| include_str!("elements.txt").lines().filter_map(line).collect());

fn line(line: &'static str) -> Option<(&'static str, Type)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let resource = name.strip_prefix('!');
    let forms = words.map(form).collect();
    Some((resource.unwrap_or(name), Type { is_resource: resource.is_some(), forms }))
}

fn form(word: &'static str) -> Form {
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    let content = match kind {
        "" => Content::Text,
        "b" => Content::Boolean,
        "n" => Content::Number,
        "x" => Content::Narrative,
        "R" => Content::Resource,
        other => Content::Elements(other),
    };
    let single = name.strip_suffix('*');
    Form { name: single.unwrap_or(name), repeats: single.is_some(), content }
}
