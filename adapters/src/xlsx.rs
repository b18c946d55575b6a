//! Workbooks (XLSX, ECMA-376): the rows of one sheet to drafts, through a mapping.
//!
//! Owns what a workbook adds to a table: which sheet, typed cells, formulas, merged cells. It must
//! never know what a column means (that is the mapping), or what makes a record acceptable.
//!
//! ```
//! use adapters::{mapping::Mapping, xlsx};
//!
//! let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").expect("shipped");
//! let refused = xlsx::read(b"\xd0\xcf\x11\xe0 old", &mapping, "334").expect_err("no workbook");
//! assert_eq!(refused.rule, "workbook-legacy");
//! ```
//!
//! The container is unpacked by [`archive`] within its limits, and only the parts
//! that hold sheets are handed on: macros, links and pictures are never looked at. Cells:
//!
//! - a date is what the cell's format says is one; a number without such a format is a number;
//! - a number is written out in full; beyond fifteen digits a workbook has lost some, which is an
//!   error where every digit counts;
//! - what a formula computed is refused, or taken as it was saved where the mapping says so:
//!   nobody can compute it again here, and it may be older than what it was computed from;
//! - a merged cell is an error of every row it covers: it looks as if it stood in all of them;
//! - rows and columns that a filter or a person has hidden are read like the others.
//!
//! Limits: [`limits`](crate::limits). Not supported: `.xls` and `.xlsb` (export as `.xlsx`),
//! passwords (the connection is what protects the file), sheets that are hidden (somebody hid it
//! for a reason), and several sheets at once (send the file once for each mapping).

mod references;
mod sheet;

use std::io::Cursor;

use calamine::{Reader, SheetType, SheetVisible, Xlsx};
use schemas::{Issue, Place};

use crate::archive::{self, ArchiveFault};
use crate::limits::SUBMISSION_BYTES_MAX;
use crate::mapping::{FileKind, Mapping, SheetChoice};
use crate::table::{self, TableRow};
use crate::{ReadError, ReadErrorKind, Reading};

/// Reads a sheet of a workbook through its mapping: one item per row.
///
/// The raw bytes of a row are its cells as a line of CSV: a row of a workbook has none of its own.
pub fn read(bytes: &[u8], mapping: &Mapping, sender: &str) -> Result<Reading, ReadError> {
    mapping.takes(FileKind::Xlsx)?;
    preview(bytes, mapping, sender)
}

/// Reads like [`read`], also through mappings whose files cannot become messages.
pub fn preview(bytes: &[u8], mapping: &Mapping, sender: &str) -> Result<Reading, ReadError> {
    mapping.fits(FileKind::Xlsx)?;
    let mut notes = Vec::new();
    let rows = rows_of(bytes, mapping, &mut notes)?;
    table::read(rows.into_iter().map(Ok), mapping, sender, notes)
}

/// The rows of the sheet that the mapping means.
pub(crate) fn rows_of(
    bytes: &[u8],
    mapping: &Mapping,
    notes: &mut Vec<Issue>,
) -> Result<Vec<TableRow<'static>>, ReadError> {
    let mut workbook = open(bytes)?;
    let (number, name) = choose(&workbook, mapping.sheet.as_ref(), notes)?;
    sheet::rows(&mut workbook, number, &name)
}

/// A workbook unpacked, and packed again without anything but its sheets.
fn open(bytes: &[u8]) -> Result<Xlsx<Cursor<Vec<u8>>>, ReadError> {
    if bytes.len() > SUBMISSION_BYTES_MAX {
        return Err(refusal(
            ReadErrorKind::TooLarge,
            "file-too-large",
            "the file is larger than 32 MiB",
            "send it in parts",
        ));
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(compound(bytes));
    }
    let parts = archive::unpack(bytes, is_needed).map_err(unpacking)?;
    if parts.iter().any(|part| holds(&part.bytes, b"<!DOCTYPE") || holds(&part.bytes, b"<!ENTITY"))
    {
        return Err(refusal(
            ReadErrorKind::Syntax,
            "workbook-document-type",
            "the workbook declares a document type, which no spreadsheet writes",
            "export it again",
        ));
    }
    if !parts.iter().all(|part| references::are_sound(&part.bytes)) {
        return Err(broken());
    }
    let parts = parts.iter().map(|part| (part.name.as_str(), part.bytes.as_slice()));
    let packed = archive::pack(parts).ok_or_else(broken)?;
    // What the library says may quote the workbook, so it is not passed on.
    Xlsx::new(Cursor::new(packed)).map_err(|_quoted| broken())
}

/// The parts of a workbook that say what its cells hold.
fn is_needed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let xml = matches!(name.rsplit_once('.'), Some((_, "xml" | "rels")));
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    xml && matches!(folder, "" | "_rels" | "xl" | "xl/_rels" | "xl/worksheets")
}

/// The sheet to read: its number among all, from 1, and its name.
fn choose(
    workbook: &Xlsx<Cursor<Vec<u8>>>,
    choice: Option<&SheetChoice>,
    notes: &mut Vec<Issue>,
) -> Result<(u32, String), ReadError> {
    let sheets = workbook.sheets_metadata();
    let visible = |sheet: &calamine::Sheet| sheet.visible == SheetVisible::Visible;
    let tables = sheets.iter().enumerate().filter(|(_, sheet)| sheet.typ == SheetType::WorkSheet);
    let found: Vec<_> = match choice {
        Some(SheetChoice::Number(number)) => {
            tables.filter(|(index, _)| index + 1 == *number).collect()
        }
        Some(SheetChoice::Name(name)) => {
            let folded = crate::mapping::fold(name);
            tables.filter(|(_, sheet)| crate::mapping::fold(&sheet.name) == folded).collect()
        }
        None => tables.filter(|(_, sheet)| visible(sheet)).collect(),
    };
    let [(index, sheet)] = found.as_slice() else {
        let shape = |rule, message, next| refusal(ReadErrorKind::Shape, rule, message, next);
        return Err(if found.is_empty() {
            shape(
                "sheet-missing",
                "the workbook has no sheet that the mapping means",
                "check the name or place of the sheet in the mapping's [workbook] table",
            )
        } else {
            shape(
                "sheet-unclear",
                "the workbook has several sheets that could be meant",
                "name one in the mapping's [workbook] table, or export it alone",
            )
        });
    };
    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
    if !visible(sheet) {
        return Err(ReadError::new(
            ReadErrorKind::Shape,
            "sheet-hidden",
            Place::Sheet { sheet: number, row: 1, column: 0 },
            "the sheet is hidden; whoever sent the workbook may not have seen what is in it",
            "unhide it and send it again",
        ));
    }
    let others = sheets.iter().filter(|other| visible(other)).count() > 1;
    if others {
        notes.push(Issue::warning(
            "sheets-unread",
            None,
            Place::Sheet { sheet: number, row: 1, column: 0 },
            "only this sheet was read; the workbook has others",
            "send it again with another mapping if they matter",
        ));
    }
    Ok((number, sheet.name.clone()))
}

/// A compound file: a workbook of before 2007, or one with a password.
fn compound(bytes: &[u8]) -> ReadError {
    let mark: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if holds(bytes, &mark) {
        return encrypted();
    }
    refusal(
        ReadErrorKind::Shape,
        "workbook-legacy",
        "is in the format of spreadsheets before 2007 (.xls)",
        "save it as .xlsx, or as CSV",
    )
}

fn encrypted() -> ReadError {
    refusal(
        ReadErrorKind::Shape,
        "workbook-encrypted",
        "is protected by a password",
        "save it without one; the connection protects it on its way",
    )
}

fn unpacking(fault: ArchiveFault) -> ReadError {
    match fault {
        ArchiveFault::Broken | ArchiveFault::Method => broken(),
        ArchiveFault::Encrypted => encrypted(),
        ArchiveFault::TooLarge => refusal(
            ReadErrorKind::TooLarge,
            "workbook-too-large",
            "unpacks to more than 96 MiB, or to more than 2,000 parts",
            "send only the sheet that is needed, or send it as CSV",
        ),
    }
}

/// Not a workbook, or one that says contradictory things.
fn broken() -> ReadError {
    refusal(
        ReadErrorKind::Syntax,
        "workbook-broken",
        "is not a workbook (.xlsx), or is damaged",
        "open and save it in a spreadsheet, and send it as binary",
    )
}

fn refusal(kind: ReadErrorKind, rule: &str, message: &str, next: &str) -> ReadError {
    ReadError::new(kind, rule, Place::Whole, message, next)
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests;
