//! The parser libraries on their own: what they take to go through the same bytes.

use std::hint::black_box;
use std::io::Cursor;

use adapters::Format;
use anyhow::Context;
use calamine::Reader as _;
use quick_xml::events::Event;
use serde_json::Value;

use super::Pass;

/// The library under a reader, going through the bytes.
pub(super) fn reader(format: Format, bytes: Vec<u8>) -> Option<(&'static str, Pass)> {
    let pass: (&'static str, Pass) = match format {
        Format::Csv => ("csv", Box::new(move || rows(&bytes).map(|rows| drop(black_box(rows))))),
        Format::Json | Format::Fhir => (
            "serde_json",
            Box::new(move || {
                black_box(serde_json::from_slice::<Value>(&bytes)?);
                Ok(())
            }),
        ),
        Format::FhirXml | Format::Xml => {
            ("quick-xml", Box::new(move || events(&bytes).map(|events| drop(black_box(events)))))
        }
        Format::Xlsx => ("calamine", Box::new(move || sheet(&bytes))),
        Format::Hl7 => return None,
    };
    Some(pass)
}

/// The library under a writer, writing again what was written.
pub(super) fn writer(
    format: Format,
    written: &[u8],
) -> anyhow::Result<Option<(&'static str, Pass)>> {
    let pass: (&'static str, Pass) = match format {
        Format::Csv => {
            let rows = rows(written)?;
            let write = move || {
                let mut writer = csv::Writer::from_writer(Vec::new());
                for row in &rows {
                    writer.write_record(row)?;
                }
                black_box(writer.into_inner().map_err(csv::IntoInnerError::into_error)?);
                Ok(())
            };
            ("csv", Box::new(write))
        }
        Format::Json | Format::Fhir => {
            let value: Value = serde_json::from_slice(written)?;
            let write = move || {
                black_box(serde_json::to_vec(&value)?);
                Ok(())
            };
            ("serde_json", Box::new(write))
        }
        Format::FhirXml | Format::Xml => {
            let events = events(written)?;
            let write = move || {
                let mut writer = quick_xml::Writer::new(Vec::new());
                for event in &events {
                    writer.write_event(event.borrow())?;
                }
                black_box(writer.into_inner());
                Ok(())
            };
            ("quick-xml", Box::new(write))
        }
        Format::Xlsx => {
            let cells = cells(written)?;
            ("rust_xlsxwriter", Box::new(move || workbook(&cells).map(|b| drop(black_box(b)))))
        }
        Format::Hl7 => return Ok(None),
    };
    Ok(Some(pass))
}

/// A table as a workbook of text.
pub(super) fn workbook_of(table: &[u8]) -> anyhow::Result<Vec<u8>> {
    let rows = rows(table)?;
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(str::to_owned).collect()).collect();
    workbook(&cells)
}

fn workbook(rows: &[Vec<String>]) -> anyhow::Result<Vec<u8>> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, cells) in (0u32..).zip(rows) {
        for (column, cell) in (0u16..).zip(cells) {
            if !cell.is_empty() {
                sheet.write_string(row, column, cell)?;
            }
        }
    }
    Ok(book.save_to_buffer()?)
}

fn rows(bytes: &[u8]) -> anyhow::Result<Vec<csv::StringRecord>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    Ok(reader.records().collect::<Result<_, _>>()?)
}

fn sheet(bytes: &[u8]) -> anyhow::Result<()> {
    black_box(range(bytes)?);
    Ok(())
}

fn cells(bytes: &[u8]) -> anyhow::Result<Vec<Vec<String>>> {
    let range = range(bytes)?;
    Ok(range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect())
}

fn range(bytes: &[u8]) -> anyhow::Result<calamine::Range<calamine::Data>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes))?;
    book.worksheet_range_at(0).context("the first sheet")?.map_err(anyhow::Error::from)
}

fn events(bytes: &[u8]) -> anyhow::Result<Vec<Event<'static>>> {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut buffer = Vec::new();
    let mut events = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer)?;
        if matches!(event, Event::Eof) {
            return Ok(events);
        }
        events.push(event.into_owned());
        buffer.clear();
    }
}
