use std::io::Cursor;

use calamine::{Data, DataType, Reader, Xlsx};
use jiff::civil::date;
use proptest::prelude::*;
use schemas::{Field, PersonalBytes, Place};

use super::*;
use crate::import_row::samples::{draft, every_type, outbound, record};

/// The workbook's header and row as an independent reader finds them.
fn read_back(bytes: &[u8]) -> (Vec<String>, Vec<Data>) {
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), [SHEET]);
    let range = book.worksheet_range(SHEET).unwrap();
    assert_eq!(range.height(), 2);
    let header = range.rows().next().unwrap().iter().map(ToString::to_string).collect();
    (header, range.rows().nth(1).unwrap().to_vec())
}

/// A cell as the CSV has it, without the apostrophe that only a CSV needs.
fn as_in_csv(cell: &Data) -> String {
    if let Data::DateTime(day) = cell {
        let (year, month, day, ..) = day.to_ymd_hms_milli();
        return format!("{day:02}/{month:02}/{year:04}");
    }
    if matches!(cell, Data::Empty) {
        return String::new();
    }
    cell.get_string().expect("a cell is text or a date").to_owned()
}

fn csv_row(bytes: &[u8]) -> Vec<String> {
    let mut rows = ::csv::ReaderBuilder::new().from_reader(bytes);
    let row = rows.records().next().unwrap().unwrap();
    row.iter().map(str::to_owned).collect()
}

#[test]
fn every_type_of_message_has_the_same_cells_as_in_csv() {
    for draft in every_type() {
        let record = record(draft);
        let (names, row) = read_back(&write(&record, &outbound()).unwrap());
        assert_eq!(names, header());
        let csv = csv_row(&crate::csv::write(&record, &outbound()).unwrap());
        for ((header, cell), text) in header().iter().zip(&row).zip(&csv) {
            let guarded = text.strip_prefix('\'').filter(|_| crate::csv::is_guarded(text));
            let text = guarded.unwrap_or(text);
            assert_eq!(as_in_csv(cell), text, "{header} of {}", record.message().kind);
        }
    }
}

#[test]
fn identifiers_are_text_and_dates_are_dates() {
    let mut draft = every_type().remove(4);
    draft.attachments.push(schemas::DraftAttachment {
        name: schemas::PersonalText::new("report.pdf"),
        media_type: "application/pdf".to_owned(),
        content: PersonalBytes::new(b"%PDF-1.7 example".to_vec()),
        place: Place::Whole,
    });
    let (_, row) = read_back(&write(&record(draft), &outbound()).unwrap());
    let cell = |name| row[header().iter().position(|header| header == name).unwrap()].clone();
    assert_eq!(cell("NHS_NUMBER"), Data::String("9990000018".to_owned()));
    assert_eq!(cell("HEALTH_NEEDS"), Data::String("=one, with a comma\ntwo".to_owned()));
    assert_eq!(cell("DOCUMENT_SAVED_AS"), Data::String("document-1.pdf".to_owned()));
    assert_eq!(cell("DOCUMENT_BYTES"), Data::String("16".to_owned()));
    assert_eq!(cell("UPN"), Data::Empty);
    for (name, day) in [("BIRTH_DTTM", "06/05/2014"), ("RECEIVED_DTTM", "01/07/2026")] {
        assert!(matches!(cell(name), Data::DateTime(_)), "{name}");
        assert_eq!(as_in_csv(&cell(name)), day);
    }
}

#[test]
fn every_type_of_message_is_read_back_as_the_same_record_but_for_texts_like_formulas() {
    let mapping = crate::mapping::Mapping::built_in("gateway-message").unwrap();
    for draft in every_type() {
        let record = record(draft);
        let bytes = write(&record, &outbound()).unwrap();
        let feed = crate::feed::Feed::default();
        let source = crate::Source { organisation: "334", mapping: Some(&mapping), feed: &feed };
        let mut reading = crate::read(Format::Xlsx, &bytes, source).unwrap();
        assert_eq!(reading.items.len(), 1);
        let like_formulas = import_row::cells(&record, &outbound()).unwrap();
        let like_formulas = like_formulas.iter().any(|cell| {
            let text = if let Cell::Text(text) = cell { text.as_str() } else { "" };
            text.lines().any(|line| line.starts_with(['=', '-']))
        });
        let again = match reading.items.remove(0).draft.check(date(2026, 11, 24)) {
            Ok(checked) => checked.record,
            // A workbook has no apostrophe that says it is meant: the reader takes no chances.
            Err(issues) => {
                assert!(like_formulas, "{issues:?}");
                assert!(issues.iter().any(|issue| issue.rule == "formula-cell"), "{issues:?}");
                continue;
            }
        };
        let mut expected = record.message().clone();
        expected.leg = outbound().leg;
        expected.recipient = Some(outbound().recipient);
        assert_eq!(again.message(), &expected, "{}", record.message().kind);
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let record = record(every_type().remove(4));
    let first = write(&record, &outbound()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, write(&record, &outbound()).unwrap());
}

#[test]
fn a_text_longer_than_a_cell_refuses_the_file_instead_of_being_cut() {
    let longest = "x".repeat(CELL_CHARS_MAX);
    let advice = |text: &str| {
        let mut draft = every_type().remove(4);
        draft.set(Field::SUMMARY, text, Place::Whole);
        record(draft)
    };
    let (_, row) = read_back(&write(&advice(&longest), &outbound()).unwrap());
    assert!(row.contains(&Data::String(longest.clone())));
    let refused = write(&advice(&format!("{longest}x")), &outbound()).unwrap_err();
    assert_eq!(refused, WriteError::TooLong { format: Format::Xlsx });
}

#[test]
fn a_date_that_spreadsheets_do_not_know_is_text() {
    assert!(known_date(date(1900, 2, 28)).unwrap().is_none());
    assert!(known_date(date(1900, 3, 1)).unwrap().is_some());
    assert!(known_date(date(9999, 12, 31)).unwrap().is_some());
}

proptest! {
    #[test]
    fn names_stand_in_the_workbook_as_they_were(
        name in "([=+@'\",\t\n;|_x0-9a-zé🙂 \\-]|_x00[0-9A-F]{2}_){1,30}"
    ) {
        let name = name.trim();
        prop_assume!(!name.is_empty());
        let record = record(draft("advice.accepted", &[(Field::FAMILY_NAME, name)]));
        let (_, row) = read_back(&write(&record, &outbound()).unwrap());
        let at = header().iter().position(|header| header == "SURNAME").unwrap();
        let kept = record.message().subject.as_ref().unwrap().family_name.expose().to_owned();
        prop_assert_eq!(&row[at], &Data::String(kept));
    }
}

/// The lines of a documented table after a heading, as cells without their code marks.
fn documented(page: &str, after: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(after).unwrap();
    let lines = rest.lines().skip_while(|line| !line.starts_with("| `"));
    let lines = lines.take_while(|line| line.starts_with("| `"));
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('`', "")).collect()
    };
    lines.map(cells).collect()
}

#[test]
fn the_documented_columns_are_those_that_are_written() {
    let csv = include_str!("../../../schemas/csv/mapping.md");
    let xlsx = include_str!("../../../schemas/xlsx/mapping.md");
    let columns = documented(csv, "| column | our field | in the workbook |");
    let names: Vec<&str> = columns.iter().map(|cells| cells[0].as_str()).collect();
    assert_eq!(names, header());
    let mapping = crate::mapping::Mapping::built_in("gateway-message").unwrap();
    for cells in &columns {
        let read: Vec<String> = mapping
            .fields()
            .filter(|(_, from)| from.contains(&cells[0]))
            .map(|(field, _)| field.path().to_owned())
            .collect();
        let documented = [cells[1].clone()];
        assert!(read.is_empty() || read == documented, "{cells:?}");
    }
    let listed: Vec<&str> = xlsx
        .lines()
        .filter_map(|line| line.strip_prefix("- `").and_then(|line| line.strip_suffix('`')))
        .collect();
    let dates = columns.iter().filter(|cells| cells[2] == "date");
    assert_eq!(listed, dates.map(|cells| cells[0].as_str()).collect::<Vec<_>>());
    // What any type of message writes as a date is documented as one, and nothing else is.
    for draft in every_type() {
        let cells = import_row::cells(&record(draft), &outbound()).unwrap();
        for (header, cell) in header().iter().zip(cells) {
            match cell {
                Cell::Date(_) => assert!(listed.contains(&header.as_str()), "{header}"),
                Cell::Text(text) => {
                    assert!(text.is_empty() || !listed.contains(&header.as_str()), "{header}");
                }
            }
        }
    }
}
