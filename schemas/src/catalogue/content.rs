//! What messages are made of: the names that the catalogue gives to what a type says.

use serde::{Deserialize, Serialize};

use super::DataClass;

/// What kind of value a name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// A date, `yyyy-mm-dd`.
    Date,
    /// `true` or `false`.
    Flag,
    /// A whole number, perhaps negative.
    Number,
    /// One line.
    Line,
    /// Paragraphs.
    Text,
    /// A list of paragraphs.
    Texts,
    /// One of a closed set.
    Code,
    /// An organisation code.
    Organisation,
    /// A sender's reference.
    Reference,
    /// An NHS number.
    NhsNumber,
}

impl ValueKind {
    /// Whether the name may stand several times.
    pub fn repeats(self) -> bool {
        self == Self::Texts
    }
}

/// A name, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDefinition {
    /// The name, for example `meeting_on`.
    pub name: String,
    /// The kind of value.
    pub kind: ValueKind,
    /// The class of data it belongs to; none for what is about the process.
    #[serde(default)]
    pub class: Option<DataClass>,
    /// The codes of a closed set.
    #[serde(default)]
    pub codes: Vec<String>,
    /// What it means, in words.
    pub words: String,
    #[serde(skip)]
    pub(super) path: String,
}

impl FieldDefinition {
    /// The path in canonical JSON, for example `particulars.meeting_on`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// What a type of message says beyond its envelope and the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// The type, by its name on the wire.
    #[serde(rename = "type")]
    pub kind: String,
    /// The names without which it says too little.
    pub needs: Vec<String>,
    /// The names it may have.
    pub may: Vec<String>,
}

impl Content {
    /// Every name it may have, those it needs first.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.needs.iter().chain(&self.may)
    }
}
