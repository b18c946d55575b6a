//! What is wrong with something a sender said, and where.
//!
//! An [`Issue`] names a field, a place, a rule and the next step. It never holds the value: a
//! value may be a child's name typed into the wrong column.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::draft::Field;

/// Where in the sender's bytes something stands.
///
/// Only positions and our own field names, never text from the sender: a header row that is
/// missing makes a child's name look like a header.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The message as a whole.
    #[default]
    Whole,
    /// A cell of a tabular file: physical line (the header is line 1) and column, both from 1.
    Cell {
        /// Physical line on which the row starts, from 1.
        line: u64,
        /// Column, from 1.
        column: u32,
    },
    /// A row of a tabular file as a whole.
    Row {
        /// Physical line on which the row starts, from 1.
        line: u64,
    },
    /// A place in a text format: line and column of the first byte, both from 1.
    Text {
        /// Line, from 1.
        line: u64,
        /// Column in bytes, from 1.
        column: u64,
        /// The path to the element, built from names in our own schema or the standard only.
        path: String,
    },
    /// A cell of a workbook, or a whole row of one (column 0).
    Sheet {
        /// The sheet, by its place in the workbook, from 1.
        sheet: u32,
        /// The row, from 1.
        row: u32,
        /// The column, from 1; 0 for the row as a whole.
        column: u32,
    },
    /// A place in an HL7 v2 message.
    Segment {
        /// The segment's name, when it is one the standard defines; `Z` or `?` for others.
        name: String,
        /// Which of the segments of that name, from 1.
        nth: u32,
        /// The field, from 1 as HL7 counts; 0 for the segment as a whole.
        field: u32,
        /// The component, from 1; 0 for the field as a whole.
        component: u32,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the message"),
            Self::Cell { line, column } => write!(f, "line {line}, column {column}"),
            Self::Row { line } => write!(f, "line {line}"),
            Self::Text { line, column, path } if path.is_empty() => {
                write!(f, "line {line}, column {column}")
            }
            Self::Text { line, column, path } => {
                write!(f, "line {line}, column {column} ({path})")
            }
            Self::Sheet { sheet, row, column: 0 } => write!(f, "sheet {sheet}, row {row}"),
            Self::Sheet { sheet, row, column } => {
                write!(f, "sheet {sheet}, cell {}{row}", letters(*column))
            }
            Self::Segment { name, nth, field: 0, .. } => write!(f, "{name}[{nth}]"),
            Self::Segment { name, nth, field, component: 0 } => {
                write!(f, "{name}[{nth}]-{field}")
            }
            Self::Segment { name, nth, field, component } => {
                write!(f, "{name}[{nth}]-{field}.{component}")
            }
        }
    }
}

/// A column as workbooks name it: 1 is A, 27 is AA.
fn letters(mut column: u32) -> String {
    let mut name = Vec::new();
    while column > 0 {
        let letter = u8::try_from((column - 1) % 26).unwrap_or(0);
        name.push(char::from(b'A' + letter));
        column = (column - 1) / 26;
    }
    name.into_iter().rev().collect()
}

/// Whether an issue stops the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The record cannot be accepted until this is put right.
    Error,
    /// The record is accepted; the sender should look at this.
    Warning,
}

/// One thing wrong with one field of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The stable name of the rule that was broken, for example `nhs-number-check-digit`.
    pub rule: String,
    /// The canonical path of the field, for example `subject.nhs_number`; empty for the message.
    pub field: String,
    /// Where it stands in what was sent.
    pub place: Place,
    /// Whether it stops the record.
    pub severity: Severity,
    /// What is wrong, in plain words, without the value.
    pub message: String,
    /// What the sender can do about it.
    pub next: String,
}

impl Issue {
    /// An issue that stops the record.
    pub fn error(
        rule: &str,
        field: Option<Field>,
        place: Place,
        message: &str,
        next: &str,
    ) -> Self {
        Self {
            rule: rule.to_owned(),
            field: field.map(|f| f.path().to_owned()).unwrap_or_default(),
            place,
            severity: Severity::Error,
            message: message.to_owned(),
            next: next.to_owned(),
        }
    }

    /// An issue that is reported while the record is accepted.
    pub fn warning(
        rule: &str,
        field: Option<Field>,
        place: Place,
        message: &str,
        next: &str,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, field, place, message, next) }
    }

    /// Whether this issue stops the record.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "{}: {} [{}]. {}", self.place, self.message, self.rule, self.next)
        } else {
            write!(
                f,
                "{}, {}: {} [{}]. {}",
                self.place, self.field, self.message, self.rule, self.next
            )
        }
    }
}
