//! The workbook that a case system imports: the header and the row of
//! `import_row` on one sheet.
//!
//! Identifiers, NHS numbers and free text are cells of text, also for the spreadsheet's own idea of
//! them (format `@`), so that no leading zero is lost; what begins like a formula is text too and
//! stays text when somebody edits the cell. Dates are dates, shown dd/mm/yyyy. The header does not
//! scroll away. The same record gives the same bytes: the workbook's own dates are fixed.
//!
//! ```
//! # fn show(record: &schemas::Record, outbound: &adapters::Outbound) {
//! let bytes = adapters::write(adapters::Format::Xlsx, record, outbound).expect("a workbook");
//! assert!(bytes.starts_with(b"PK"));
//! # }
//! ```
//!
//! Limits: a cell holds 32,767 characters; a longer text refuses the file instead of being cut. A
//! date that spreadsheets do not know (before 1 March 1900, where they count a day that never was)
//! is text as yyyy-mm-dd. Not supported: several rows, because a delivery is one record; formulas
//! and macros, because an import has no use for them.

use jiff::civil::Date;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format as Look, Workbook, Worksheet, XlsxError,
};
use schemas::Record;

use crate::import_row::{self, Cell, header};
use crate::{Format, Outbound, WriteError};

/// Writes a record as a workbook with a header and one row.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    let cells = import_row::cells(record, outbound)?;
    let too_long = |cell: &Cell| match cell {
        Cell::Text(text) => text.encode_utf16().count() > CELL_CHARS_MAX,
        Cell::Date(_) => false,
    };
    if cells.iter().any(too_long) {
        return Err(WriteError::TooLong { format: Format::Xlsx });
    }
    render(&cells).or(Err(WriteError::Failed))
}

fn render(cells: &[Cell]) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let sheet = workbook.add_worksheet();
    sheet.set_name(SHEET)?;
    sheet.set_freeze_panes(1, 0)?;
    let head = Look::new().set_bold().set_num_format("@");
    for (column, (name, cell)) in (0u16..).zip(header().iter().zip(cells)) {
        sheet.set_column_width(column, WIDTH)?;
        sheet.write_string_with_format(0, column, name, &head)?;
        put(sheet, column, cell)?;
    }
    workbook.save_to_buffer()
}

fn put(sheet: &mut Worksheet, column: u16, cell: &Cell) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) if text.is_empty() => Ok(()),
        Cell::Text(text) => put_text(sheet, column, text),
        Cell::Date(date) => match known_date(*date)? {
            Some(known) => {
                let look = Look::new().set_num_format("dd/mm/yyyy");
                sheet.write_datetime_with_format(1, column, &known, &look).map(|_| ())
            }
            None => put_text(sheet, column, &date.to_string()),
        },
    }
}

fn put_text(sheet: &mut Worksheet, column: u16, text: &str) -> Result<(), XlsxError> {
    let look = Look::new().set_num_format("@").set_quote_prefix();
    sheet.write_string_with_format(1, column, text, &look).map(|_| ())
}

/// A date as spreadsheets count them, when they can.
fn known_date(date: Date) -> Result<Option<ExcelDateTime>, XlsxError> {
    if date < FIRST_DATE {
        return Ok(None);
    }
    let (year, month, day) = (date.year(), date.month(), date.day());
    let parts = (u16::try_from(year), u8::try_from(month), u8::try_from(day));
    let (Ok(year), Ok(month), Ok(day)) = parts else { return Ok(None) };
    ExcelDateTime::from_ymd(year, month, day).map(Some)
}

/// The one sheet.
pub const SHEET: &str = "Import";
/// The most characters of a cell, counted as spreadsheets do: in UTF-16 units.
pub const CELL_CHARS_MAX: usize = 32_767;
/// The first date after the 29 February 1900 that spreadsheets count and that never was.
const FIRST_DATE: Date = Date::constant(1900, 3, 1);
/// Wide enough for a header to be read.
const WIDTH: f64 = 18.0;

#[cfg(test)]
mod tests;
