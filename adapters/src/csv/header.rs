//! Which column of a file feeds which field.

use ::csv::StringRecord;
use schemas::{Field, Issue, Place};

use crate::mapping::{Column, Mapping, UnknownColumns};
use crate::{ReadError, ReadErrorKind};

/// The header row, recognised.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// How many cells the header has.
    pub(super) width: usize,
    /// The index of each column the mapping names, from 0, in the order of the file.
    pub(super) columns: Vec<(usize, &'a Column)>,
}

impl<'a> Header<'a> {
    /// Recognises the header row. Says column numbers and the mapping's own names, never what the
    /// row holds: where the header is missing, it is a child's details.
    pub(super) fn recognise(
        names: &StringRecord,
        mapping: &'a Mapping,
        line: u64,
        notes: &mut Vec<Issue>,
    ) -> Result<Self, ReadError> {
        let mut columns: Vec<(usize, &Column)> = Vec::new();
        let mut unknown = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let Some(column) = mapping.column(name) else {
                if !mapping.ignores(name) {
                    unknown.push(index);
                }
                continue;
            };
            if let Some((first, _)) = columns.iter().find(|(_, c)| c.field == column.field) {
                return Err(twice(column.field, *first, index, line));
            }
            columns.push((index, column));
        }
        if columns.is_empty() {
            return Err(ReadError::new(
                ReadErrorKind::Shape,
                "header-missing",
                Place::Row { line },
                "no column of the mapping is recognised; the header row may be missing, or the \
                 delimiter may be another",
                "send the header row first, and check the delimiter in the mapping",
            ));
        }
        complete(mapping, &columns, line)?;
        for index in unknown {
            match mapping.unknown_columns {
                UnknownColumns::Refuse => return Err(not_named(index, line)),
                UnknownColumns::Warn => notes.push(not_named_note(index, line)),
            }
        }
        Ok(Self { width: names.len(), columns })
    }

    /// Whether a column feeds this field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.columns.iter().any(|(_, column)| column.field == field)
    }
}

/// A place in the file, from the index of a cell.
pub(super) fn cell(line: u64, index: usize) -> Place {
    Place::Cell { line, column: number(index) }
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn complete(mapping: &Mapping, columns: &[(usize, &Column)], line: u64) -> Result<(), ReadError> {
    let found = |field: Field| columns.iter().any(|(_, column)| column.field == field);
    let missing: Vec<String> = mapping
        .columns
        .iter()
        .filter(|column| column.required && !found(column.field))
        .map(|column| format!("{} ({})", column.from.join(" or "), column.field))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ReadError::new(
        ReadErrorKind::Shape,
        "column-missing",
        Place::Row { line },
        &format!("the header lacks columns that the mapping requires: {}", missing.join(", ")),
        "add them to the export, or add the export's own headers to the mapping",
    ))
}

fn twice(field: Field, first: usize, second: usize, line: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "header-duplicate",
        cell(line, second),
        &format!("columns {} and {} both claim to be {field}", number(first), number(second)),
        "export the column once, or name one of the two in the mapping's ignored_columns",
    )
}

fn not_named(index: usize, line: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "column-unknown",
        cell(line, index),
        "the mapping does not name this column",
        "add it to the mapping as a column or to ignored_columns, or leave it out of the export",
    )
}

fn not_named_note(index: usize, line: u64) -> Issue {
    Issue::warning(
        "column-unknown",
        None,
        cell(line, index),
        "the mapping does not name this column; it was left out",
        "add it to the mapping as a column or to ignored_columns",
    )
}
