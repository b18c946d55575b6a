//! The message catalogue: what may travel, from whom to whom, by which power and clock.
//!
//! The catalogue is data (`catalogue/messages-1.toml`, one entry for each of M01 to M33), shipped
//! with the binary and replaceable by configuration. This module reads it and answers questions
//! about it; it must never know a partner, an agreement or a decision.
//!
//! ```
//! use schemas::catalogue::Catalogue;
//!
//! let entry = Catalogue::built_in().find("advice.request").expect("a type of the catalogue");
//! assert_eq!(entry.number, "M04");
//! ```

mod content;
mod page;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::record::{Form, MessageType};

pub use content::{Content, FieldDefinition, ValueKind};

/// A class of data within a message; a release names the classes it covers.
///
/// Which field belongs to which class is written at
/// [`Record::reduced_to`](crate::Record::reduced_to).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DataClass {
    /// Names, date of birth, sex, identifiers.
    Identity,
    /// Address and postcode.
    Contact,
    /// School or setting, year group, questions about education.
    Education,
    /// Health needs, outcomes, provision and reports.
    Health,
    /// Social care needs and provision (sections D, H and J of a plan).
    SocialCare,
    /// What is recorded of agreement to share.
    Consent,
    /// Documents attached.
    Documents,
}

impl DataClass {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Contact,
        Self::Education,
        Self::Health,
        Self::SocialCare,
        Self::Consent,
        Self::Documents,
    ];

    /// The name of the class in data files and decisions, for example `health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Contact => "contact",
            Self::Education => "education",
            Self::Health => "health",
            Self::SocialCare => "social-care",
            Self::Consent => "consent",
            Self::Documents => "documents",
        }
    }
}

impl std::fmt::Display for DataClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Between whom a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From a local authority to a health body.
    AuthorityToHealth,
    /// From a health body to a local authority.
    HealthToAuthority,
    /// From one health body to another.
    WithinHealth,
    /// Any way round; the parties are in words beside it.
    Either,
}

/// The clock that a message starts, stops or keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// The name of the clock; the name of a period of [`deadlines`](crate::deadlines) where the
    /// clock has one, for example `reg-8`.
    pub id: String,
    /// What the message does to the clock, in plain words.
    pub words: String,
}

/// One entry of the catalogue: a purpose with its message types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The catalogue number, `M01` to `M33`.
    pub number: String,
    /// The title, for people.
    pub title: String,
    /// The message types by their names on the wire, for example `advice.request`.
    pub types: Vec<String>,
    /// Between whom it travels.
    pub direction: Direction,
    /// The parties, in words.
    pub parties: String,
    /// What makes someone send it, in words.
    pub trigger: String,
    /// The legal power or duty, where there is one.
    #[serde(default)]
    pub statute: Option<String>,
    /// The clock it moves, where there is one.
    #[serde(default)]
    pub clock: Option<Clock>,
    /// The classes of data that the message needs; a release is reduced to these.
    pub data_classes: BTreeSet<DataClass>,
    /// The documents that come with it, in words; `none` where none do.
    pub attachments: String,
    /// The fields without which it says too little, in words.
    pub minimum_fields: String,
    /// The purpose that sharing agreements and consents name, for example
    /// `ehc-needs-assessment`.
    pub purpose: String,
    /// The candidate authorities for a release, in the order in which they are tried:
    /// `statute`, `consent`, `direct-care-implied`, `best-interests`, `safeguarding-override`,
    /// `court-or-tribunal`; `consent-record` for the consent messages themselves (they change
    /// the ledger) and `operation` for acknowledgements (they answer a message already released).
    pub authority: Vec<String>,
    /// What its types say beyond the envelope; none for the types with a form of their own.
    #[serde(default)]
    pub content: Vec<Content>,
}

/// The catalogue, in one version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    version: String,
    effective_from: Date,
    #[serde(rename = "message")]
    entries: Vec<Entry>,
    #[serde(rename = "field")]
    fields: Vec<FieldDefinition>,
}

/// Why a catalogue file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The file is not TOML of the shape a catalogue has.
    #[error("line {line}: {message}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// What the reader of TOML says.
        message: String,
    },
    /// A number or a type stands more than once.
    #[error("line {line}: {name} is in the catalogue more than once")]
    Repeated {
        /// The line of the second time, from 1.
        line: usize,
        /// The number or type.
        name: String,
    },
    /// A type is not one that this gateway knows, or its content does not fit its form.
    #[error("line {line}: {name}: {problem}")]
    Content {
        /// The line, from 1.
        line: usize,
        /// The type or name.
        name: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
}

impl Catalogue {
    /// The catalogue shipped with the binary.
    #[expect(clippy::expect_used, reason = "the file is compiled in and a test parses it")]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: OnceLock<Catalogue> = OnceLock::new();
        BUILT_IN.get_or_init(|| {
            Self::parse(include_str!("../catalogue/messages-1.toml"))
                .expect("the built-in catalogue parses")
        })
    }

    /// Reads a catalogue file.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let mut catalogue: Self = toml::from_str(text).map_err(|error| CatalogueError::Shape {
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            message: error.message().to_owned(),
        })?;
        let mut seen = BTreeSet::new();
        for entry in &catalogue.entries {
            for name in std::iter::once(&entry.number).chain(&entry.types) {
                if !seen.insert(name) {
                    return Err(repeated(text, name));
                }
            }
        }
        let mut names = BTreeSet::new();
        for field in &mut catalogue.fields {
            if !names.insert(field.name.clone()) {
                return Err(repeated(text, &field.name));
            }
            field.path = format!("particulars.{}", field.name);
        }
        let faults = catalogue.entries.iter().find_map(|entry| catalogue.fault_of(entry));
        match faults {
            Some((name, problem)) => {
                let (line, name) = (last_line_with(text, &name), name);
                Err(CatalogueError::Content { line, name, problem })
            }
            None => Ok(catalogue),
        }
    }

    /// What is wrong with the types and content of an entry, if anything.
    fn fault_of(&self, entry: &Entry) -> Option<(String, &'static str)> {
        for name in &entry.types {
            let Some(kind) = MessageType::parse(name) else {
                return Some((name.clone(), "is not a type that this gateway reads; take it out"));
            };
            let said = entry.content.iter().filter(|content| content.kind == *name).count();
            let wanted = usize::from(kind.form() == Form::Particulars);
            if said != wanted {
                let problem = "needs one [[message.content]], or none if it has a form of its own";
                return Some((name.clone(), problem));
            }
        }
        for content in &entry.content {
            if !entry.types.contains(&content.kind) {
                return Some((content.kind.clone(), "is not a type of the entry it stands under"));
            }
            let mut seen = BTreeSet::new();
            for name in content.names() {
                let Some(field) = self.field(name) else {
                    return Some((name.clone(), "is not explained under [[field]]"));
                };
                if !seen.insert(name) {
                    return Some((name.clone(), "stands twice in the content of one type"));
                }
                let class = field.class.filter(|class| !entry.data_classes.contains(class));
                if class.is_some() {
                    let problem = "belongs to a class that `data_classes` of the entry leaves out";
                    return Some((name.clone(), problem));
                }
                if (field.kind == ValueKind::Code) == field.codes.is_empty() {
                    return Some((
                        name.clone(),
                        "`codes` belongs to the kind `code`, and only there",
                    ));
                }
            }
        }
        None
    }

    /// Every name that the content of messages is made of, in the order of the file.
    pub fn fields(&self) -> &[FieldDefinition] {
        &self.fields
    }

    /// The definition of a name, for example `meeting_on`.
    pub fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What a type says beyond the envelope; `None` for the types with a form of their own.
    pub fn content(&self, kind: MessageType) -> Option<&Content> {
        let name = kind.as_str();
        self.find(name)?.content.iter().find(|content| content.kind == name)
    }

    /// The version, written into every decision made by it, for example `catalogue-1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The date from which it holds.
    pub fn effective_from(&self) -> Date {
        self.effective_from
    }

    /// Every entry, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry that has a type of this name on the wire.
    pub fn find(&self, type_name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.types.iter().any(|name| name == type_name))
    }
}

/// The line, from 1, in which a byte stands.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn repeated(text: &str, name: &str) -> CatalogueError {
    CatalogueError::Repeated { line: last_line_with(text, name), name: name.to_owned() }
}

/// The last line, from 1, that has this name in quotation marks.
fn last_line_with(text: &str, name: &str) -> usize {
    let quoted = format!("\"{name}\"");
    let found = text.lines().zip(1..).filter(|(line, _)| line.contains(&quoted)).last();
    found.map_or(1, |(_, number)| number)
}

#[cfg(test)]
mod tests;
