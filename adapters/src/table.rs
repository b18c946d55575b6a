//! Tables: rows of cells to drafts, whatever kind of file they stood in.
//!
//! Owns what a mapping says of rows: which of them is the header, which are no records, which
//! are refused, and what a cell means. It must never know how a file is written (that is
//! [`csv`](crate::csv) and [`xlsx`](crate::xlsx), which give it rows), or what makes a record
//! acceptable (that is [`Draft::check`](schemas::Draft::check)).
//!
//! A source gives [`TableRow`]s in order and [`read`] makes one item of each that is a record. A
//! fault of the table (no header, columns missing, too many rows refused) refuses the file; a
//! fault of a row is an error among the notes of its draft, and the other rows stand.
//!
//! Limits: [`limits`](crate::limits). Not supported: rows that need one another (a total, a row
//! that continues the one above), because nobody could say which row is wrong.

mod cells;
mod filters;
mod header;
mod reading;

use std::borrow::Cow;

use schemas::{Issue, Place};

pub(crate) use cells::{needs_guard, plain, starts_formula, trimmed};
pub(crate) use reading::{Body, fields, read};

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowPlace {
    /// A line of text, from 1.
    Line(u64),
    /// A row of a sheet, or of a file of a set; both from 1.
    Sheet {
        /// The sheet, by its place in the workbook.
        sheet: u32,
        /// The row.
        row: u32,
    },
    /// A line of a text file of a set; both from 1. Shown like a row of a sheet.
    Member {
        /// The file, by its place in the manifest.
        file: u32,
        /// The line.
        line: u32,
    },
}

impl RowPlace {
    /// The row as a whole.
    pub(crate) fn row(self) -> Place {
        match self {
            Self::Line(line) => Place::Row { line },
            Self::Sheet { sheet, row } | Self::Member { file: sheet, line: row } => {
                Place::Sheet { sheet, row, column: 0 }
            }
        }
    }

    /// A cell of it, by its index from 0.
    pub(crate) fn cell(self, index: usize) -> Place {
        let column = u32::try_from(index + 1).unwrap_or(u32::MAX);
        match self {
            Self::Line(line) => Place::Cell { line, column },
            Self::Sheet { sheet, row } | Self::Member { file: sheet, line: row } => {
                Place::Sheet { sheet, row, column }
            }
        }
    }

    /// Whether cells at the end of a row may be absent: workbooks do not keep empty ones.
    fn keeps_no_empty_cells(self) -> bool {
        matches!(self, Self::Sheet { .. })
    }
}

/// What kind of cell a text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// Text: of a text file, or of a cell that holds text.
    Text,
    /// A number of a workbook, written out in full.
    Number,
    /// A number of which a workbook kept only the first fifteen digits.
    LostDigits,
    /// A date of a workbook: `yyyy-mm-dd`, with ` HH:MM:SS` when it has a time of day.
    Date,
    /// TRUE or FALSE of a workbook.
    Flag,
    /// An error value of a workbook, for example `#N/A`.
    Error,
}

/// One cell as its source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableCell<'a> {
    /// Its text.
    pub(crate) text: Cow<'a, str>,
    /// What it came from.
    pub(crate) kind: CellKind,
    /// Whether the text is what a formula gave when the workbook was last saved.
    pub(crate) formula: bool,
}

impl<'a> TableCell<'a> {
    /// A cell of a text file.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), kind: CellKind::Text, formula: false }
    }

    fn is_blank(&self) -> bool {
        trimmed(&self.text).is_empty() && !self.formula
    }
}

/// One row as its source gives it.
#[derive(Debug)]
pub(crate) struct TableRow<'a> {
    /// Where it stands.
    pub(crate) at: RowPlace,
    /// Its cells, in order.
    pub(crate) cells: Vec<TableCell<'a>>,
    /// Why its cells must not be read.
    pub(crate) fault: Option<Issue>,
    /// Its bytes as sent, or a rendering where a row has no bytes of its own.
    pub(crate) raw: Vec<u8>,
}

impl TableRow<'_> {
    /// Whether no cell of it holds anything.
    pub(crate) fn is_blank(&self) -> bool {
        self.cells.iter().all(TableCell::is_blank)
    }
}
