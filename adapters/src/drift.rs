//! What changed in a source's layout since its last file.
//!
//! Owns the [`Shape`] of a table: which column stands where, and which codes of the mapping occur.
//! A shape may be kept: it holds names of our own fields, positions, numbers, codes that the
//! mapping itself lists, and marks (hashes) of headers. It never holds a header or a cell.
//!
//! ```
//! use adapters::{Format, drift::Shape, mapping::Mapping};
//!
//! let mapping = Mapping::built_in("sen2-blade-requests").expect("shipped");
//! let before = b"requeststableid,persontableid,receiveddate\n1,2,2026-Sep-28 00:00:00\n";
//! let now = b"persontableid,requeststableid,receiveddate,extra\n";
//! let before = Shape::of(Format::Csv, before, &mapping).expect("a table");
//! let now = Shape::of(Format::Csv, now, &mapping).expect("a table");
//! let rules: Vec<_> = now.drift_from(&before).into_iter().map(|issue| issue.rule).collect();
//! assert_eq!(rules, ["column-moved", "column-moved", "column-new"]);
//! ```
//!
//! Limits: a column that is renamed is a missing and a new one. Not supported: drift of sets (their
//! manifest counts rows, and their layout is agreed), and of how texts are distributed (that needs
//! values).

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Field, Issue, Place};
use serde::{Deserialize, Serialize};

use crate::mapping::Mapping;
use crate::table::{self, Body, TableRow};
use crate::{Format, ReadError, csv, xlsx};

/// The layout of one table, without anything it says of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The columns, in order.
    pub columns: Vec<ShapeColumn>,
    /// For each coded field, by its path: what occurs.
    pub codes: BTreeMap<String, CodesSeen>,
    /// How many rows there are.
    pub rows: u64,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeColumn {
    /// The path of the field it feeds, if the mapping reads it.
    pub field: Option<String>,
    /// A hash of its header as headers are compared; 0 in files without a header.
    pub mark: u64,
}

/// The codes that occur in one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesSeen {
    /// Those that the mapping lists.
    pub known: BTreeSet<String>,
    /// How many cells hold something else.
    pub unmapped: u64,
}

impl Shape {
    /// The shape of a table. The file must be readable as far as its rows; its cells may be wrong.
    pub fn of(format: Format, bytes: &[u8], mapping: &Mapping) -> Result<Self, ReadError> {
        let mut notes = Vec::new();
        if format == Format::Xlsx {
            let rows = xlsx::rows_of(bytes, mapping, &mut notes)?;
            return Self::of_rows(rows.into_iter().map(Ok), mapping);
        }
        let text = csv::decode(bytes, mapping)?;
        Self::of_rows(csv::rows_of(&text, mapping, None, &mut notes)?, mapping)
    }

    fn of_rows<'a>(
        rows: impl Iterator<Item = Result<TableRow<'a>, ReadError>>,
        mapping: &Mapping,
    ) -> Result<Self, ReadError> {
        let mut body = Body::begin(mapping, rows, Vec::new())?;
        let columns = (0..body.header.width).map(|index| ShapeColumn {
            field: body.header.columns.iter().find(|(at, _)| *at == index).map(field_of),
            mark: body.header.marks.get(index).copied().unwrap_or_default(),
        });
        let mut shape = Self { columns: columns.collect(), codes: BTreeMap::new(), rows: 0 };
        while let Some((row, faults)) = body.next_row()? {
            shape.rows += 1;
            if !faults.is_empty() {
                continue;
            }
            for (index, column) in &body.header.columns {
                let Some(codes) = &column.codes else { continue };
                let text = row.cells.get(*index).map(|cell| table::plain(&cell.text));
                let text = text.unwrap_or_default();
                if mapping.is_null(text) {
                    continue;
                }
                let seen = shape.codes.entry(column.field.path().to_owned()).or_default();
                match codes.get_key_value(text) {
                    Some((code, _)) => {
                        seen.known.insert(code.clone());
                    }
                    None => seen.unmapped += 1,
                }
            }
        }
        Ok(shape)
    }

    /// What is different from an earlier file of the same source, as warnings.
    pub fn drift_from(&self, before: &Self) -> Vec<Issue> {
        let mut issues = Vec::new();
        for (column, number) in self.columns.iter().zip(1_u32..) {
            match before.position(column) {
                Some(from) if from != number => issues.push(said(
                    "column-moved",
                    column,
                    number,
                    &format!("stood in column {from} before"),
                    "nothing needs doing while the file has a header",
                )),
                Some(_) => {}
                None => issues.push(said(
                    "column-new",
                    column,
                    number,
                    "was not in the last file",
                    "add it to the mapping as a column or to ignored_columns",
                )),
            }
        }
        for (column, number) in before.columns.iter().zip(1_u32..) {
            if self.position(column).is_none() {
                issues.push(Issue::warning(
                    "column-gone",
                    field(column),
                    Place::Whole,
                    &format!("column {number} of the last file is not there any more"),
                    "ask whoever writes the export whether that was meant",
                ));
            }
        }
        for (path, now) in &self.codes {
            let empty = CodesSeen::default();
            let then = before.codes.get(path).unwrap_or(&empty);
            issues.extend(code_drift(path, now, then));
        }
        issues
    }

    /// Where a column stands, from 1: the same header, or the same field under another one.
    fn position(&self, wanted: &ShapeColumn) -> Option<u32> {
        let same = |column: &ShapeColumn| match &wanted.field {
            Some(field) => column.field.as_ref() == Some(field),
            None => column.field.is_none() && column.mark == wanted.mark,
        };
        self.columns.iter().zip(1_u32..).find(|(column, _)| same(column)).map(|(_, number)| number)
    }
}

fn code_drift(path: &str, now: &CodesSeen, then: &CodesSeen) -> Vec<Issue> {
    let mut issues = Vec::new();
    let about = Field::from_path(path);
    for code in now.known.difference(&then.known) {
        issues.push(Issue::warning(
            "code-unseen",
            about,
            Place::Whole,
            &format!("the code `{code}` of the mapping did not occur in the last file"),
            "nothing needs doing if it is right",
        ));
    }
    if now.unmapped > then.unmapped {
        issues.push(Issue::warning(
            "codes-unmapped-more",
            about,
            Place::Whole,
            &format!(
                "{} cells hold codes that the mapping does not list, {} did in the last file",
                now.unmapped, then.unmapped
            ),
            "add the new codes to the mapping",
        ));
    }
    issues
}

fn said(rule: &str, column: &ShapeColumn, number: u32, message: &str, next: &str) -> Issue {
    let message = format!("column {number} {message}");
    Issue::warning(rule, field(column), Place::Whole, &message, next)
}

fn field(column: &ShapeColumn) -> Option<Field> {
    column.field.as_deref().and_then(Field::from_path)
}

fn field_of((_, column): &(usize, &crate::mapping::Column)) -> String {
    column.field.path().to_owned()
}

#[cfg(test)]
mod tests;
