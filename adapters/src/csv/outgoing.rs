//! The CSV file that a case system imports.
//!
//! UTF-8 with a byte order mark, CR LF, the header and the row of
//! [`import_row`](crate::import_row), dates as dd/mm/yyyy, flags as Y and N. A cell that a
//! spreadsheet would take for a formula gets a guarding apostrophe in front. The built-in mapping
//! `gateway-message` reads this form back.

use schemas::Record;

use crate::import_row::{self, Cell, header};
use crate::table::needs_guard;
use crate::{Outbound, WriteError};

/// Writes a record as a header and one row.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    let cells = import_row::cells(record, outbound)?;
    let cells = cells.into_iter().map(|cell| match cell {
        Cell::Text(text) if needs_guard(&text) => format!("'{text}"),
        Cell::Text(text) => text,
        Cell::Date(date) => date.strftime("%d/%m/%Y").to_string(),
    });
    let mut writer = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .from_writer(b"\xef\xbb\xbf".to_vec());
    let written = writer.write_record(header()).and_then(|()| writer.write_record(cells));
    written.or(Err(WriteError::Failed))?;
    writer.into_inner().or(Err(WriteError::Failed))
}
