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

mod cells;
mod header;
mod outgoing;
mod rows;
mod text;

use std::collections::HashMap;

use schemas::{Draft, Field, Issue, PersonalBytes, Place};

use crate::limits::SUBMISSION_BYTES_MAX;
use crate::mapping::Mapping;
use crate::{Item, ReadError, ReadErrorKind, Reading};

pub use crate::import_row::HEADER;
pub use outgoing::write;

use cells::RowReader;
use header::Header;
use rows::{Row, RowFault};
use text::Text;

/// Reads a tabular file through its mapping: one item per row.
///
/// `sender` fills [`Field::SENDER`] when neither a column nor a constant of the mapping does.
pub fn read(bytes: &[u8], mapping: &Mapping, sender: &str) -> Result<Reading, ReadError> {
    if bytes.len() > SUBMISSION_BYTES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "file-too-large",
            Place::Whole,
            "the file is larger than 32 MiB",
            "send it in parts",
        ));
    }
    let text = Text::decode(bytes, mapping.encoding)?;
    let mut notes = Vec::new();
    let (body, first_line) = without_separator_line(text.as_str(), mapping, &mut notes)?;
    let mut rows = rows::scan(body, mapping, first_line)?.into_iter();
    let mut split = splitter(body, mapping);
    let (Some(header_row), Some(names)) = (rows.next(), next_cells(&mut split)) else {
        return Err(ReadError::new(
            ReadErrorKind::Shape,
            "file-empty",
            Place::Whole,
            "the file is empty",
            "send a header row and the rows; a header row alone says that there is nothing",
        ));
    };
    if let Some(RowFault::StrayQuote { column }) = header_row.fault {
        let place = Place::Cell { line: header_row.line, column };
        return Err(ReadError::new(
            ReadErrorKind::Syntax,
            "quote-stray",
            place,
            STRAY_QUOTE,
            STRAY_QUOTE_NEXT,
        ));
    }
    if names.len() != header_row.cells {
        return Err(unclear(header_row.line));
    }
    let header = Header::recognise(&names, mapping, header_row.line, &mut notes)?;
    let mut table = Table {
        mapping,
        sender,
        header: &header,
        text: &text,
        seen: HashMap::new(),
        midnights: Vec::new(),
    };
    let mut items = Vec::new();
    let mut blank = Vec::new();
    for row in rows {
        let Some(cells) = next_cells(&mut split) else { return Err(unclear(row.line)) };
        if cells.len() != row.cells {
            return Err(unclear(row.line));
        }
        if cells.iter().all(|cell| cells::trimmed(cell).is_empty()) {
            blank.push(row.line);
            continue;
        }
        // Blank rows at the end are what spreadsheets leave; between rows something may be lost.
        notes.extend(blank.drain(..).map(blank_row));
        items.push(table.item(&row, &cells));
    }
    notes.extend(table.midnights.into_iter().map(midnight_times));
    Ok(Reading { items, notes })
}

/// What stays the same from row to row, and the references seen so far.
struct Table<'a> {
    mapping: &'a Mapping,
    sender: &'a str,
    header: &'a Header<'a>,
    text: &'a Text<'a>,
    seen: HashMap<String, u64>,
    midnights: Vec<(Field, Place)>,
}

impl Table<'_> {
    fn item(&mut self, row: &Row<'_>, cells: &::csv::StringRecord) -> Item {
        let place = Place::Row { line: row.line };
        let mut draft = Draft { place: place.clone(), ..Draft::default() };
        for (field, value) in &self.mapping.constants {
            draft.set(*field, value.clone(), place.clone());
        }
        let has_sender = draft.first(Field::SENDER).is_some() || self.header.has(Field::SENDER);
        if !has_sender {
            draft.set(Field::SENDER, self.sender, Place::Whole);
        }
        if let Some(fault) = self.fault(row) {
            // Cells that may stand in the wrong column are not read at all.
            draft.notes.push(fault);
        } else {
            let mut reader = RowReader {
                mapping: self.mapping,
                line: row.line,
                draft,
                midnights: &mut self.midnights,
            };
            for (index, column) in &self.header.columns {
                reader.cell(column, *index, cells.get(*index).unwrap_or_default());
            }
            draft = reader.draft;
            self.identify(&mut draft);
            self.repeated(&mut draft, row.line);
        }
        Item { draft, raw: PersonalBytes::new(self.text.original(row.text)) }
    }

    fn fault(&self, row: &Row<'_>) -> Option<Issue> {
        let place = Place::Row { line: row.line };
        if let Some(RowFault::StrayQuote { column }) = row.fault {
            return Some(Issue::error(
                "quote-stray",
                None,
                Place::Cell { line: row.line, column },
                STRAY_QUOTE,
                STRAY_QUOTE_NEXT,
            ));
        }
        (row.cells != self.header.width).then(|| {
            let fewer = row.cells < self.header.width;
            Issue::error(
                "row-ragged",
                None,
                place,
                if fewer {
                    "the row has fewer cells than the header"
                } else {
                    "the row has more cells than the header"
                },
                "look for an unquoted delimiter or line break in this row or the one before",
            )
        })
    }

    /// Makes the reference of a row from its fields, for files without a column for it.
    fn identify(&self, draft: &mut Draft) {
        let Some(identity) = &self.mapping.identity else { return };
        if self.header.has(Field::ID) || draft.first(Field::ID).is_some() {
            return;
        }
        let mut parts = vec![identity.prefix.clone()];
        let mut place = None;
        for field in &identity.fields {
            let Some(first) = draft.first(*field) else { return };
            place.get_or_insert_with(|| first.place.clone());
            parts.extend(draft.all(*field).map(|located| located.text.expose().to_owned()));
        }
        parts.retain(|part| !part.is_empty());
        if let Some(place) = place {
            draft.set(Field::ID, parts.join("-"), place);
        }
    }

    fn repeated(&mut self, draft: &mut Draft, line: u64) {
        let Some(id) = draft.first(Field::ID) else { return };
        let place = id.place.clone();
        let first = *self.seen.entry(id.text.expose().to_owned()).or_insert(line);
        if first != line {
            draft.notes.push(Issue::error(
                "row-duplicate",
                Some(Field::ID),
                place,
                &format!("has the same reference as the row on line {first}"),
                "send each request once, with its own reference",
            ));
        }
    }
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

/// A midnight time is said once for its column: every row has it.
fn midnight_times((field, place): (Field, Place)) -> Issue {
    Issue::warning(
        "midnight-time",
        Some(field),
        place,
        "has a midnight time, which was dropped here and in the rows below",
        "nothing needs doing",
    )
}

fn blank_row(line: u64) -> Issue {
    Issue::warning(
        "row-blank",
        None,
        Place::Row { line },
        "a blank row stands between others and was left out",
        "check that nothing was cut from the export",
    )
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
    cells::needs_guard(text) && text.starts_with('\'')
}

#[cfg(test)]
mod tests;
