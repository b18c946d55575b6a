//! Tables for people who work in a spreadsheet: as CSV, and as a workbook of several sheets.
//!
//! Owns how a table of text, numbers, days and times is written so that a spreadsheet shows what
//! was meant: text stays text (format `@`, so that no leading zero is lost), days are days, and a
//! cell that begins like a formula is never one. It must never know what a table is about.
//!
//! ```
//! use adapters::sheets::{Cell, Column, Kind, Sheet, to_csv, to_workbook};
//! let mut sheet = Sheet::new("Counts", &[("organisation", Kind::Text), ("messages", Kind::Number)]);
//! sheet.rows.push(vec!["=RXT".into(), Cell::Number(3)]);
//! assert!(to_csv(&sheet).unwrap().ends_with(b"\"'=RXT\",3\r\n"));
//! assert!(to_workbook(&[sheet]).unwrap().starts_with(b"PK"));
//! ```
//!
//! CSV is UTF-8 with a byte order mark, CR LF, and quotes around every text (RFC 4180); a text that
//! a spreadsheet would take for a formula gets a guarding apostrophe. In a workbook such a text is
//! marked as text and is otherwise as it was. The same tables give the same bytes: the workbook's
//! own dates are fixed.
//!
//! Limits: [`ROWS_MAX`] rows of a sheet, [`CELL_CHARS_MAX`] characters of a cell, [`SHEETS_MAX`] sheets;
//! more is refused and never cut. A day before 1 March 1900 is text, because spreadsheets count a
//! day there that never was. Not supported: formulas, links, colours and charts, because what is
//! handed over is to be read and counted, and nothing in it may run.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format as Look, Workbook, Worksheet, XlsxError,
};
use serde::Serialize;

use crate::table::starts_formula;

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sheet {
    /// What it is called; at most 31 characters, none of `[ ] : * ? / \`.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// What stands in it.
    pub kind: Kind,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Text: codes, identifiers and NHS numbers too.
    Text,
    /// A count.
    Number,
    /// A civil time.
    Time,
    /// A day.
    Date,
}

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Nothing.
    Nothing,
    /// A text.
    Text(String),
    /// A count.
    Number(i64),
    /// A civil time, without a zone: the heading says which.
    Time(DateTime),
    /// A day.
    Date(Date),
}

/// Why a table could not be written. Nothing of it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// A text is longer than a cell can hold; it is never cut.
    #[error("a text is longer than a cell of a spreadsheet can hold")]
    TooLong,
    /// There are more rows or sheets than a spreadsheet can hold, or can be worked with.
    #[error("there are more rows or sheets than a spreadsheet can hold; ask for a shorter time")]
    TooMany,
    /// A row has not as many cells as there are columns, or two sheets have the same title.
    #[error("the table is not well formed")]
    Form,
    /// The writer itself failed.
    #[error("the table could not be written")]
    Failed,
}

impl Sheet {
    /// A table without rows.
    pub fn new(title: &str, columns: &[(&str, Kind)]) -> Self {
        let column = |(name, kind): &(&str, Kind)| Column { name: (*name).to_owned(), kind: *kind };
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    fn check(&self) -> Result<(), SheetError> {
        if self.rows.len() > ROWS_MAX {
            return Err(SheetError::TooMany);
        }
        if self.rows.iter().any(|row| row.len() != self.columns.len()) {
            return Err(SheetError::Form);
        }
        let too_long = |cell: &Cell| match cell {
            Cell::Text(text) => text.encode_utf16().count() > CELL_CHARS_MAX,
            Cell::Nothing | Cell::Number(_) | Cell::Time(_) | Cell::Date(_) => false,
        };
        if self.rows.iter().flatten().any(too_long) {
            return Err(SheetError::TooLong);
        }
        Ok(())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<Date> for Cell {
    fn from(day: Date) -> Self {
        Self::Date(day)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

impl Cell {
    /// The cell in words, for a terminal.
    pub fn words(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(count) => count.to_string(),
            Self::Time(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Self::Date(day) => day.to_string(),
        }
    }
}

/// Writes one table as CSV.
pub fn to_csv(sheet: &Sheet) -> Result<Vec<u8>, SheetError> {
    sheet.check()?;
    let mut text = String::from("\u{feff}");
    let names = sheet.columns.iter().map(|column| Cell::Text(column.name.clone()));
    push_row(&mut text, &names.collect::<Vec<Cell>>());
    for row in &sheet.rows {
        push_row(&mut text, row);
    }
    Ok(text.into_bytes())
}

fn push_row(text: &mut String, row: &[Cell]) {
    for (place, cell) in row.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        match cell {
            Cell::Text(words) => {
                text.push('"');
                if is_like_a_formula(words) {
                    text.push('\'');
                }
                text.push_str(&words.replace('"', "\"\""));
                text.push('"');
            }
            Cell::Nothing | Cell::Number(_) | Cell::Time(_) | Cell::Date(_) => {
                text.push_str(&cell.words());
            }
        }
    }
    text.push_str("\r\n");
}

/// Whether a spreadsheet may take a text for a formula, white space in front of it or not.
fn is_like_a_formula(text: &str) -> bool {
    starts_formula(text) || text.starts_with('\n') || starts_formula(text.trim_start())
}

/// Writes tables as a workbook, one on each sheet, the headings fixed above the rows.
pub fn to_workbook(sheets: &[Sheet]) -> Result<Vec<u8>, SheetError> {
    if sheets.len() > SHEETS_MAX {
        return Err(SheetError::TooMany);
    }
    let titles: BTreeSet<String> = sheets.iter().map(|sheet| sheet.title.to_lowercase()).collect();
    if titles.len() != sheets.len() || sheets.is_empty() {
        return Err(SheetError::Form);
    }
    for sheet in sheets {
        sheet.check()?;
    }
    render(sheets).or(Err(SheetError::Failed))
}

fn render(sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let head = Look::new().set_bold().set_num_format("@").set_text_wrap();
    for sheet in sheets {
        let page = workbook.add_worksheet();
        page.set_name(&sheet.title)?;
        page.set_freeze_panes(1, 0)?;
        for (column, Column { name, kind }) in (0u16..).zip(&sheet.columns) {
            page.set_column_width(column, width(*kind))?;
            page.write_string_with_format(0, column, name, &head)?;
        }
        for (row, cells) in (1u32..).zip(&sheet.rows) {
            for (column, cell) in (0u16..).zip(cells) {
                put(page, (row, column), cell)?;
            }
        }
    }
    workbook.save_to_buffer()
}

fn put(page: &mut Worksheet, (row, column): (u32, u16), cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Nothing => Ok(()),
        Cell::Text(text) => put_text(page, (row, column), text),
        // A count of more than 2^53 would be rounded in a spreadsheet: then it is text.
        Cell::Number(count) => match i32::try_from(*count) {
            Ok(exact) => page.write_number(row, column, exact).map(|_| ()),
            Err(_) => put_text(page, (row, column), &count.to_string()),
        },
        Cell::Time(time) => match known(time.date())? {
            Some(day) => {
                let part = |part: i8| u16::try_from(part).unwrap_or_default();
                let second = u8::try_from(time.second()).unwrap_or_default();
                let minute = u8::try_from(time.minute()).unwrap_or_default();
                let known = day.and_hms(part(time.hour()), minute, f64::from(second))?;
                let look = Look::new().set_num_format("dd/mm/yyyy hh:mm:ss");
                page.write_datetime_with_format(row, column, &known, &look).map(|_| ())
            }
            None => put_text(page, (row, column), &cell.words()),
        },
        Cell::Date(date) => match known(*date)? {
            Some(known) => {
                let look = Look::new().set_num_format("dd/mm/yyyy");
                page.write_datetime_with_format(row, column, &known, &look).map(|_| ())
            }
            None => put_text(page, (row, column), &cell.words()),
        },
    }
}

fn put_text(page: &mut Worksheet, (row, column): (u32, u16), text: &str) -> Result<(), XlsxError> {
    let look = Look::new().set_num_format("@");
    // The mark keeps it text when somebody edits the cell.
    let look = if is_like_a_formula(text) { look.set_quote_prefix() } else { look };
    page.write_string_with_format(row, column, text, &look).map(|_| ())
}

/// A day as spreadsheets count them, when they can.
fn known(date: Date) -> Result<Option<ExcelDateTime>, XlsxError> {
    if date < FIRST_DATE {
        return Ok(None);
    }
    let (year, month, day) = (date.year(), date.month(), date.day());
    let parts = (u16::try_from(year), u8::try_from(month), u8::try_from(day));
    let (Ok(year), Ok(month), Ok(day)) = parts else { return Ok(None) };
    ExcelDateTime::from_ymd(year, month, day).map(Some)
}

const fn width(kind: Kind) -> f64 {
    match kind {
        Kind::Text => 28.0,
        Kind::Number | Kind::Date => 12.0,
        Kind::Time => 20.0,
    }
}

/// The most rows of one table: a workbook of a hundred thousand opens on an office machine.
pub const ROWS_MAX: usize = 100_000;
/// The most characters of a cell, counted as spreadsheets do: in UTF-16 units.
pub const CELL_CHARS_MAX: usize = crate::workbook::CELL_CHARS_MAX;
/// The most sheets of one workbook: nobody finds anything among more.
pub const SHEETS_MAX: usize = 32;
/// The first date after the 29 February 1900 that spreadsheets count and that never was.
const FIRST_DATE: Date = Date::constant(1900, 3, 1);

#[cfg(test)]
mod tests;
