//! Where rows and cells begin and end, strictly, and what is wrong with their quotes.
//!
//! Before you change this: [`scan`] must find the same rows and as many cells as the csv crate
//! does (`csv.rs` refuses files in which they differ, and a property test says they never do).
//! Rows end at CR, LF or CR LF; empty lines are no rows; a quotation mark opens a quoted cell only
//! as the first byte of a cell.

use schemas::Place;

use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROWS_MAX};
use crate::mapping::Mapping;
use crate::{ReadError, ReadErrorKind};

/// One row as it stands in the file.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The physical line on which it starts, from 1.
    pub(super) line: u64,
    /// Its text without the line end.
    pub(super) text: &'a str,
    /// How many cells it has.
    pub(super) cells: usize,
    /// What is wrong with it.
    pub(super) fault: Option<RowFault>,
}

/// What is wrong with the quotes of a row. The row's end is still certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowFault {
    /// A quotation mark inside a cell that is neither doubled nor the cell's end.
    StrayQuote {
        /// The column of the cell, from 1.
        column: u32,
    },
}

/// Finds the rows of a text whose first line has the number `first_line`.
pub(super) fn scan<'a>(
    text: &'a str,
    mapping: &Mapping,
    first_line: u64,
) -> Result<Vec<Row<'a>>, ReadError> {
    let mut scan = Scan {
        text,
        delimiter: mapping.delimiter,
        quoting: mapping.quoting,
        rows: Vec::new(),
        state: State::CellStart,
        line: first_line,
        row_line: first_line,
        row_start: 0,
        cell_line: first_line,
        cell_start: 0,
        cells: 0,
        fault: None,
    };
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let ends_line =
            byte == b'\n' || (byte == b'\r' && bytes.peek().is_none_or(|(_, next)| *next != b'\n'));
        scan.byte(at, byte)?;
        scan.line += u64::from(ends_line);
    }
    scan.end()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    /// An unquoted cell that began `="`, as spreadsheets protect leading noughts.
    Armoured,
    Quoted,
    /// A quotation mark inside a quoted cell: its end, or the first of two.
    QuoteInQuoted,
}

struct Scan<'a> {
    text: &'a str,
    delimiter: u8,
    quoting: bool,
    rows: Vec<Row<'a>>,
    state: State,
    line: u64,
    row_line: u64,
    row_start: usize,
    cell_line: u64,
    cell_start: usize,
    cells: usize,
    fault: Option<RowFault>,
}

impl<'a> Scan<'a> {
    fn byte(&mut self, at: usize, byte: u8) -> Result<(), ReadError> {
        if at - self.cell_start > CELL_BYTES_MAX {
            return Err(self.cell_too_large());
        }
        if self.state == State::CellStart {
            self.cell_line = self.line;
            self.cell_start = at;
            if self.cells == 0 {
                self.row_line = self.line;
                self.row_start = at;
            }
        }
        let quoted = self.state == State::Quoted;
        match byte {
            b'"' if self.quoting => self.quote(at),
            _ if quoted => {}
            b'\r' | b'\n' => self.end_row(at)?,
            _ if byte == self.delimiter => self.end_cell(at)?,
            _ if self.state == State::QuoteInQuoted => {
                self.stray();
                self.state = State::Plain;
            }
            _ if self.state == State::CellStart => self.state = State::Plain,
            _ => {}
        }
        Ok(())
    }

    fn quote(&mut self, at: usize) {
        let opens_armour = self.state == State::Plain
            && self.text.as_bytes().get(self.cell_start..at) == Some(b"=".as_slice());
        match self.state {
            State::CellStart | State::QuoteInQuoted => self.state = State::Quoted,
            State::Quoted => self.state = State::QuoteInQuoted,
            State::Plain if opens_armour => self.state = State::Armoured,
            State::Armoured => {}
            State::Plain => self.stray(),
        }
    }

    fn stray(&mut self) {
        let column = u32::try_from(self.cells + 1).unwrap_or(u32::MAX);
        self.fault.get_or_insert(RowFault::StrayQuote { column });
    }

    fn end_cell(&mut self, at: usize) -> Result<(), ReadError> {
        self.cells += 1;
        self.state = State::CellStart;
        self.cell_start = at + 1;
        if self.cells > COLUMNS_MAX {
            return Err(ReadError::new(
                ReadErrorKind::TooLarge,
                "columns-too-many",
                Place::Row { line: self.row_line },
                "the row has more than 512 cells",
                "export only the columns of the mapping",
            ));
        }
        Ok(())
    }

    fn end_row(&mut self, at: usize) -> Result<(), ReadError> {
        if self.cells == 0 && self.state == State::CellStart {
            // An empty line.
            self.cell_start = at + 1;
            return Ok(());
        }
        self.end_cell(at)?;
        self.rows.push(Row {
            line: self.row_line,
            text: self.text.get(self.row_start..at).unwrap_or_default(),
            cells: self.cells,
            fault: self.fault.take(),
        });
        self.cells = 0;
        if self.rows.len() > ROWS_MAX + 1 {
            return Err(ReadError::new(
                ReadErrorKind::TooLarge,
                "rows-too-many",
                Place::Row { line: self.row_line },
                "the file has more than 50,000 rows",
                "send it in parts",
            ));
        }
        Ok(())
    }

    fn end(mut self) -> Result<Vec<Row<'a>>, ReadError> {
        if self.state == State::Quoted {
            return Err(ReadError::new(
                ReadErrorKind::Syntax,
                "quote-unterminated",
                self.cell_place(),
                "the quotation mark that opens here is never closed",
                "close it; if the file was cut short, send it again",
            ));
        }
        self.end_row(self.text.len())?;
        Ok(self.rows)
    }

    fn cell_too_large(&self) -> ReadError {
        let place = self.cell_place();
        if self.state == State::Quoted {
            ReadError::new(
                ReadErrorKind::TooLarge,
                "cell-too-large",
                place,
                "the quoted cell that opens here is larger than 64 KiB; its quotation mark may \
                 never be closed",
                "close the quotation mark, or attach long texts as documents",
            )
        } else {
            ReadError::new(
                ReadErrorKind::TooLarge,
                "cell-too-large",
                place,
                "the cell is larger than 64 KiB",
                "attach long texts as documents",
            )
        }
    }

    fn cell_place(&self) -> Place {
        let column = u32::try_from(self.cells + 1).unwrap_or(u32::MAX);
        Place::Cell { line: self.cell_line, column }
    }
}
