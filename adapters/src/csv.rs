//! Tabular files: rows to drafts through a mapping, a record to one row.
//!
//! Owns the dialect at the boundary: encoding, quoting, limits, spreadsheet damage, and formula
//! safety on the way out. It must never know what makes a record acceptable (that is
//! [`Draft::check`](schemas::Draft::check)), partners, or where files come from.
//!
//! ```
//! use adapters::{csv, mapping::Mapping};
//!
//! let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").expect("shipped");
//! let refused = csv::read(b"one,two\n1,2\n", &mapping, "334").expect_err("no such columns");
//! assert_eq!(refused.rule, "header-missing");
//! ```
//!
//! A fault of the file (encoding, an open quote, missing columns, a limit) refuses the file; a
//! fault of a row is an error among the notes of that row's draft, and the other rows stand.
//! A cell that is refused still stands in the draft as it was written; its note stops the record.
//!
//! Two readers look at every file: ours finds rows, cells and faults by position, the csv crate
//! takes the cells out of their quotes. The crate always finds *a* reading; a file in which the
//! two disagree is refused, never guessed at.
//!
//! Limits: [`limits`](crate::limits). Not supported: escapes with a backslash (RFC 4180 has none),
//! lines before the header other than `sep=`, and several tables in one file (send several files).

mod outgoing;
mod rows;
mod text;

use schemas::{Issue, Place};

use crate::limits::SUBMISSION_BYTES_MAX;
use crate::mapping::{FileKind, Mapping};
use crate::table::{self, RowPlace, TableCell, TableRow};
use crate::{ReadError, ReadErrorKind, Reading};

pub use crate::import_row::{COLUMN_PREFIX, header};
pub use outgoing::write;

use rows::{Row, RowFault};
use text::Text;

/// Reads a tabular file through its mapping: one item per row.
///
/// `sender` fills [`Field::SENDER`](schemas::Field::SENDER) when neither a column nor a constant
/// of the mapping does.
pub fn read(bytes: &[u8], mapping: &Mapping, sender: &str) -> Result<Reading, ReadError> {
    mapping.takes(FileKind::Csv)?;
    preview(bytes, mapping, sender)
}

/// Reads like [`read`], also through mappings whose files cannot become messages.
pub fn preview(bytes: &[u8], mapping: &Mapping, sender: &str) -> Result<Reading, ReadError> {
    mapping.fits(FileKind::Csv)?;
    let mut notes = Vec::new();
    let text = decode(bytes, mapping)?;
    let rows = rows_of(&text, mapping, None, &mut notes)?;
    table::read(rows, mapping, sender, notes)
}

/// The text of a file, in the encoding of its mapping.
pub(crate) fn decode<'a>(bytes: &'a [u8], mapping: &Mapping) -> Result<Text<'a>, ReadError> {
    if bytes.len() > SUBMISSION_BYTES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "file-too-large",
            Place::Whole,
            "the file is larger than 32 MiB",
            "send it in parts",
        ));
    }
    Text::decode(bytes, mapping.encoding)
}

/// The rows of a text. In a set of files, `file` is the number of this one, from 1.
pub(crate) fn rows_of<'a>(
    text: &'a Text<'a>,
    mapping: &Mapping,
    file: Option<u32>,
    notes: &mut Vec<Issue>,
) -> Result<impl Iterator<Item = Result<TableRow<'a>, ReadError>> + use<'a>, ReadError> {
    let (body, first_line) = without_separator_line(text.as_str(), mapping, notes)?;
    let rows = rows::scan(body, mapping, first_line)?;
    let mut split = splitter(body, mapping);
    Ok(rows.into_iter().map(move |row| {
        let cells = next_cells(&mut split).ok_or_else(|| unclear(row.line))?;
        if cells.len() != row.cells {
            return Err(unclear(row.line));
        }
        Ok(TableRow {
            at: place(row.line, file),
            cells: cells.iter().map(|cell| TableCell::text(cell.to_owned())).collect(),
            fault: fault(&row, file),
            raw: text.original(row.text),
        })
    }))
}

fn place(line: u64, file: Option<u32>) -> RowPlace {
    match file {
        Some(file) => RowPlace::Member { file, line: u32::try_from(line).unwrap_or(u32::MAX) },
        None => RowPlace::Line(line),
    }
}

fn fault(row: &Row<'_>, file: Option<u32>) -> Option<Issue> {
    let RowFault::StrayQuote { column } = row.fault?;
    let index = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let at = place(row.line, file).cell(index);
    Some(Issue::error("quote-stray", None, at, STRAY_QUOTE, STRAY_QUOTE_NEXT))
}

/// Skips the line `sep=,` that some spreadsheets write; a delimiter it contradicts is a fault.
fn without_separator_line<'a>(
    text: &'a str,
    mapping: &Mapping,
    notes: &mut Vec<Issue>,
) -> Result<(&'a str, u64), ReadError> {
    let Some(rest) = text.strip_prefix("sep=").or_else(|| text.strip_prefix("SEP=")) else {
        return Ok((text, 1));
    };
    let place = Place::Cell { line: 1, column: 1 };
    let mut chars = rest.chars();
    let agrees = chars.next() == Some(char::from(mapping.delimiter));
    let rest = chars.as_str();
    let body = ["\r\n", "\n", "\r"].iter().find_map(|end| rest.strip_prefix(end));
    let Some(body) = body.filter(|_| agrees) else {
        return Err(ReadError::new(
            ReadErrorKind::Shape,
            "delimiter-mismatch",
            place,
            "the first line names another delimiter than the mapping does",
            "set the mapping's delimiter, or export again",
        ));
    };
    notes.push(Issue::warning(
        "separator-line",
        None,
        place,
        "the file begins with a line that only names the delimiter; it was skipped",
        "nothing needs doing",
    ));
    Ok((body, 2))
}

fn splitter<'a>(body: &'a str, mapping: &Mapping) -> ::csv::StringRecordsIntoIter<&'a [u8]> {
    ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(mapping.delimiter)
        .quoting(mapping.quoting)
        .from_reader(body.as_bytes())
        .into_records()
}

fn next_cells(split: &mut ::csv::StringRecordsIntoIter<&[u8]>) -> Option<::csv::StringRecord> {
    split.next()?.ok()
}

fn unclear(line: u64) -> ReadError {
    ReadError::new(
        ReadErrorKind::Syntax,
        "row-unclear",
        Place::Row { line },
        "the cells of this row cannot be told apart for certain",
        "quote every cell, and double the quotation marks inside cells",
    )
}

const STRAY_QUOTE: &str = "a quotation mark stands inside a cell without being doubled";
const STRAY_QUOTE_NEXT: &str = "quote the whole cell and double the quotation marks inside it";

/// Whether a text of ours begins with the apostrophe that guards against formulas.
#[cfg(test)]
pub(crate) fn is_guarded(text: &str) -> bool {
    table::needs_guard(text) && text.starts_with('\'')
}

#[cfg(test)]
mod tests;
