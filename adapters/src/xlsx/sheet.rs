//! The cells of one sheet, typed, as rows of a table.
//!
//! Knows how workbooks keep numbers, dates, errors and formulas. Must never know columns' meaning.

use std::borrow::Cow;
use std::io::Cursor;

use calamine::{DataRef, Dimensions, ExcelDateTime, Xlsx};
use schemas::{Issue, Place};

use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROWS_MAX, SHEET_CELLS_MAX, SHEET_TEXT_BYTES_MAX};
use crate::table::{CellKind, RowPlace, TableCell, TableRow};
use crate::{ReadError, ReadErrorKind};

/// The rows of a sheet that hold anything, in order; one blank row stands for any gap.
pub(super) fn rows(
    workbook: &mut Xlsx<Cursor<Vec<u8>>>,
    number: u32,
    name: &str,
) -> Result<Vec<TableRow<'static>>, ReadError> {
    let merged = workbook.merge_cells_by_sheet_name(name).map_err(|_quoted| super::broken())?;
    let mut cells = workbook.worksheet_cells_reader(name).map_err(|_quoted| super::broken())?;
    let mut sheet = Sheet { number, rows: Vec::new(), row: 0, cells: Vec::new(), held: 0, text: 0 };
    let mut before = None;
    loop {
        let record = cells.next_cell_with_formula_metadata().map_err(|_quoted| super::broken())?;
        let Some(record) = record else { break };
        if before.is_some_and(|before| before >= record.pos) {
            return Err(super::broken());
        }
        before = Some(record.pos);
        let formula = record.formula.is_some();
        let (text, kind) = typed(&record.value);
        if !text.is_empty() || formula {
            sheet.cell(record.pos, TableCell { text: Cow::Owned(text), kind, formula })?;
        }
    }
    sheet.end_row()?;
    let mut rows = sheet.rows;
    mark_merged(&mut rows, &merged);
    Ok(rows)
}

struct Sheet {
    number: u32,
    rows: Vec<TableRow<'static>>,
    /// The row that is gathered, from 1; 0 before the first.
    row: u32,
    cells: Vec<TableCell<'static>>,
    /// Cells and bytes of text so far, for the limits.
    held: usize,
    text: usize,
}

impl Sheet {
    fn cell(
        &mut self,
        (row, column): (u32, u32),
        cell: TableCell<'static>,
    ) -> Result<(), ReadError> {
        let row = row.saturating_add(1);
        let place = || Place::Sheet { sheet: self.number, row, column: column.saturating_add(1) };
        let index = usize::try_from(column).unwrap_or(usize::MAX);
        if index >= COLUMNS_MAX {
            return Err(too_large(
                "columns-too-many",
                place(),
                "the row has more than 512 cells",
                "export only the columns of the mapping",
            ));
        }
        if cell.text.len() > CELL_BYTES_MAX {
            return Err(too_large(
                "cell-too-large",
                place(),
                "the cell is larger than 64 KiB",
                "attach long texts as documents",
            ));
        }
        self.text += cell.text.len();
        if self.text > SHEET_TEXT_BYTES_MAX {
            return Err(too_large(
                "sheet-too-large",
                place(),
                "the sheet holds more than 64 MiB of text",
                "send it in parts",
            ));
        }
        if row != self.row {
            self.end_row()?;
            self.row = row;
        }
        self.cells.resize(index, TableCell::text(""));
        self.cells.push(cell);
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), ReadError> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let at = RowPlace::Sheet { sheet: self.number, row: self.row };
        let cells = std::mem::take(&mut self.cells);
        self.held += cells.len();
        if self.held > SHEET_CELLS_MAX {
            return Err(too_large(
                "sheet-too-large",
                at.row(),
                "the sheet has more than 2,000,000 cells",
                "send it in parts",
            ));
        }
        let last = self.rows.last().map(|row| row.at);
        if let Some(RowPlace::Sheet { row: last, .. }) = last
            && last + 1 < self.row
        {
            let gap = RowPlace::Sheet { sheet: self.number, row: last + 1 };
            self.rows.push(TableRow { at: gap, cells: Vec::new(), fault: None, raw: Vec::new() });
        }
        if self.rows.len() > ROWS_MAX {
            return Err(too_large(
                "rows-too-many",
                at.row(),
                "the sheet has more than 50,000 rows",
                "send it in parts",
            ));
        }
        let raw = rendered(&cells);
        self.rows.push(TableRow { at, cells, fault: None, raw });
        Ok(())
    }
}

/// Rows that a merged cell covers cannot be told what they say in it.
fn mark_merged(rows: &mut [TableRow<'static>], merged: &[Dimensions]) {
    for area in merged {
        let (first, last) = (area.start.0.saturating_add(1), area.end.0.saturating_add(1));
        let column = area.start.1.saturating_add(1);
        let number = |row: &TableRow<'_>| match row.at {
            RowPlace::Sheet { row, .. } => row,
            RowPlace::Line(_) | RowPlace::Member { .. } => 0,
        };
        let from = rows.partition_point(|row| number(row) < first);
        let covered = rows.iter_mut().skip(from).take_while(|row| number(row) <= last);
        for row in covered.filter(|row| row.fault.is_none() && !row.cells.is_empty()) {
            let RowPlace::Sheet { sheet, row: at } = row.at else { continue };
            row.fault = Some(Issue::error(
                "cell-merged",
                None,
                Place::Sheet { sheet, row: at, column },
                "a merged cell covers this row, so its cells cannot be told apart",
                "unmerge the cells and fill in each row",
            ));
        }
    }
}

/// A cell as text, and what kind of cell it was.
fn typed(value: &DataRef<'_>) -> (String, CellKind) {
    match value {
        DataRef::Empty => (String::new(), CellKind::Text),
        DataRef::String(text) | DataRef::DurationIso(text) => (text.clone(), CellKind::Text),
        DataRef::SharedString(text) => ((*text).to_owned(), CellKind::Text),
        DataRef::Int(number) => (number.to_string(), CellKind::Number),
        DataRef::Float(number) => float(*number),
        DataRef::Bool(true) => ("TRUE".to_owned(), CellKind::Flag),
        DataRef::Bool(false) => ("FALSE".to_owned(), CellKind::Flag),
        DataRef::Error(error) => (error.to_string(), CellKind::Error),
        DataRef::DateTime(date) => day(date),
        DataRef::DateTimeIso(text) => {
            let text = text.replacen('T', " ", 1);
            let day = [" 00:00:00.000", " 00:00:00", " 00:00"];
            let day = day.iter().find_map(|midnight| text.strip_suffix(midnight));
            (day.unwrap_or(&text).to_owned(), CellKind::Date)
        }
    }
}

/// A number in full: `9990000018`, never `9.99E+09`.
fn float(number: f64) -> (String, CellKind) {
    if !number.is_finite() || number.abs() >= DIGITS_KEPT {
        return (format!("{number:e}"), CellKind::LostDigits);
    }
    // Without a fraction this writes none.
    (number.to_string(), CellKind::Number)
}

fn day(date: &ExcelDateTime) -> (String, CellKind) {
    let serial = date.as_f64();
    if date.is_duration() || !(0.0..SERIAL_END).contains(&serial) {
        return float(serial);
    }
    let (year, month, day, hour, minute, second, thousandths) = date.to_ymd_hms_milli();
    let day = format!("{year:04}-{month:02}-{day:02}");
    let midnight = (hour, minute, second, thousandths) == (0, 0, 0, 0);
    let text = if midnight { day } else { format!("{day} {hour:02}:{minute:02}:{second:02}") };
    (text, CellKind::Date)
}

/// The row as a line of CSV, for quarantine and replay.
fn rendered(cells: &[TableCell<'_>]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let written = writer.write_record(cells.iter().map(|cell| cell.text.as_bytes()));
    written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default()
}

fn too_large(rule: &str, place: Place, message: &str, next: &str) -> ReadError {
    ReadError::new(ReadErrorKind::TooLarge, rule, place, message, next)
}

/// A workbook keeps fifteen digits of a number.
const DIGITS_KEPT: f64 = 1e15;
/// The number for 1 January 10000, after the last day a workbook knows.
const SERIAL_END: f64 = 2_958_466.0;
