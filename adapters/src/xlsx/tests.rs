use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format as Style, Formula, Workbook, Worksheet};
use schemas::{Draft, Field};

use super::*;
use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX};

const HEADER: [&str; 9] = [
    "Unique id",
    "Case",
    "NHS\nnumber",
    "Person",
    "Surname",
    "Forename",
    "Date of birth \u{2013} child\u{2019}s",
    "Asked on",
    "Services",
];

const COLUMNS: &str = r#"
[constants]
"type" = "advice.request"
[columns]
"id" = { from = ["Unique ID"], required = true }
"case" = { from = ["Case"], required = true }
"subject.nhs_number" = { from = ["NHS number"], required = true }
"subject.la_person_id" = { from = ["Person"], required = true }
"subject.family_name" = { from = ["Surname"], required = true }
"subject.given_names" = { from = ["Forename"], required = true }
"subject.date_of_birth" = { from = ["Date of birth - childs"], required = true, date = true }
"request.requested_on" = { from = ["Asked on"], required = true, date = true }
"request.services" = { from = ["Services"], required = true, split = ";" }
"request.year_9_or_above" = { from = ["Year 9"] }
"#;

fn mapping(settings: &str) -> Mapping {
    let text = format!(
        "name = \"list\"\nversion = 1\nformat = \"xlsx\"\ndate_formats = [\"%d/%m/%Y\"]\n\
         null_markers = [\"#N/A\", \"NULL\"]\n{settings}\n{COLUMNS}"
    );
    Mapping::parse(&text).unwrap()
}

/// A sheet with a header and one row, which the test then changes.
fn filled(sheet: &mut Worksheet) {
    let date = Style::new().set_num_format("dd/mm/yyyy");
    for (column, name) in (0..).zip(HEADER) {
        sheet.write(0, column, name).unwrap();
    }
    sheet.write(1, 0, "A1").unwrap();
    sheet.write(1, 1, "C1").unwrap();
    sheet.write(1, 2, 9_990_000_018_u64).unwrap();
    sheet.write(1, 3, "0042").unwrap();
    sheet.write(1, 4, "Testcase").unwrap();
    sheet.write(1, 5, "Robin").unwrap();
    let born = ExcelDateTime::from_ymd(2014, 5, 6).unwrap();
    sheet.write_with_format(1, 6, &born, &date).unwrap();
    sheet.write(1, 7, "02/11/2026").unwrap();
    sheet.write(1, 8, "SALT;OT").unwrap();
}

fn workbook(change: impl FnOnce(&mut Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    filled(sheet);
    change(sheet);
    workbook.save_to_buffer().unwrap()
}

fn one(bytes: &[u8], mapping: &Mapping) -> Draft {
    let mut reading = read(bytes, mapping, "334").unwrap();
    assert_eq!(reading.items.len(), 1);
    reading.items.remove(0).draft
}

fn text(draft: &Draft, field: Field) -> &str {
    draft.first(field).unwrap().text.expose()
}

fn lines(issues: &[Issue]) -> Vec<String> {
    issues.iter().map(|issue| format!("{} @ {}", issue.rule, issue.place)).collect()
}

fn rule(bytes: &[u8], settings: &str) -> String {
    read(bytes, &mapping(settings), "334").unwrap_err().rule
}

#[test]
fn a_workbook_becomes_a_record_with_every_digit_and_the_right_day() {
    let reading = read(&workbook(|_| {}), &mapping(""), "334").unwrap();
    assert_eq!(lines(&reading.notes), ["number-cell @ sheet 1, cell C2"]);
    let draft = &reading.items[0].draft;
    assert_eq!(text(draft, Field::NHS_NUMBER), "9990000018");
    assert_eq!(text(draft, Field::LA_PERSON_ID), "0042");
    assert_eq!(text(draft, Field::DATE_OF_BIRTH), "2014-05-06");
    assert_eq!(text(draft, Field::REQUESTED_ON), "2026-11-02");
    let place = &draft.first(Field::DATE_OF_BIRTH).unwrap().place;
    assert_eq!(place.to_string(), "sheet 1, cell G2");
    let raw = String::from_utf8(reading.items[0].raw.expose().to_vec()).unwrap();
    assert_eq!(raw, "A1,C1,9990000018,0042,Testcase,Robin,2014-05-06,02/11/2026,SALT;OT\n");
    draft.clone().check(jiff::civil::date(2026, 11, 24)).unwrap();
}

#[test]
fn numbers_beyond_fifteen_digits_are_refused_where_digits_count() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 3, 12_345_678_901_234_567_890.0).unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["scientific-notation @ sheet 1, cell D2"]);
}

#[test]
fn a_number_in_a_date_column_is_a_day_only_where_the_mapping_says_so() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 7, 46_328).unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["date-serial @ sheet 1, cell H2"]);
    let draft = one(&bytes, &mapping("serial_dates = true"));
    assert_eq!(text(&draft, Field::REQUESTED_ON), "2026-11-02");
    assert!(draft.notes.is_empty());
}

#[test]
fn a_time_of_day_is_dropped_only_where_a_form_has_one() {
    let bytes = workbook(|sheet| {
        let style = Style::new().set_num_format("dd/mm/yyyy hh:mm");
        let asked = ExcelDateTime::from_ymd(2026, 11, 2).unwrap().and_hms(9, 31, 0).unwrap();
        sheet.write_with_format(1, 7, &asked, &style).unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["date-impossible @ sheet 1, cell H2"]);
    let forms = mapping("").name().to_owned();
    assert_eq!(forms, "list");
    let timed = "name = \"list\"\nversion = 1\nformat = \"xlsx\"\n\
                 date_formats = [\"%d/%m/%Y\", \"%d/%m/%Y %H:%M:%S\"]\n";
    let timed = Mapping::parse(&format!("{timed}{COLUMNS}")).unwrap();
    assert_eq!(text(&one(&bytes, &timed), Field::REQUESTED_ON), "2026-11-02");
}

#[test]
fn text_dates_follow_the_patterns_of_the_mapping() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 7, "11/13/2026").unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["date-impossible @ sheet 1, cell H2"]);
}

#[test]
fn formulas_are_refused_unless_their_last_result_is_allowed() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 4, Formula::new("=\"Test\"&\"case\"").set_result("Testcase")).unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["formula-cell @ sheet 1, cell E2"]);
    let cached = mapping("[workbook]\nformulas = \"cached\"");
    let reading = read(&bytes, &cached, "334").unwrap();
    let said = lines(&reading.notes);
    assert!(said.contains(&"formula-cached @ sheet 1, cell E2".to_owned()), "{said:?}");
    assert_eq!(text(&reading.items[0].draft, Field::FAMILY_NAME), "Testcase");
    assert!(reading.items[0].draft.notes.is_empty());
}

#[test]
fn what_a_formula_gave_is_still_not_a_formula_for_whoever_reads_it_next() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 4, Formula::new("=A1").set_result("=HYPERLINK(1)")).unwrap();
    });
    let draft = one(&bytes, &mapping("[workbook]\nformulas = \"cached\""));
    assert_eq!(lines(&draft.notes), ["formula-cell @ sheet 1, cell E2"]);
}

#[test]
fn errors_of_a_spreadsheet_are_refused_unless_they_mean_nothing() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 5, Formula::new("=NA()").set_result("#N/A")).unwrap();
        sheet.write(1, 4, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    });
    let draft = one(&bytes, &mapping("[workbook]\nformulas = \"cached\""));
    assert_eq!(lines(&draft.notes), ["cell-error @ sheet 1, cell E2"]);
    assert!(draft.first(Field::GIVEN_NAMES).is_none(), "#N/A is a null marker of the mapping");
}

#[test]
fn ticks_become_flags_and_cells_that_look_like_formulas_are_refused() {
    let bytes = workbook(|sheet| {
        sheet.write(0, 9, "Year 9").unwrap();
        sheet.write(1, 9, true).unwrap();
        sheet.write_string(1, 4, "=cmd|' /C calc'!A0").unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(text(&draft, Field::YEAR_9_OR_ABOVE), "true");
    assert_eq!(lines(&draft.notes), ["formula-cell @ sheet 1, cell E2"]);
}

#[test]
fn merged_cells_refuse_the_rows_they_cover_and_no_other() {
    let bytes = workbook(|sheet| {
        for row in 2..5 {
            sheet.write(row, 0, format!("A{row}")).unwrap();
            sheet.write(row, 1, "C1").unwrap();
        }
        sheet.merge_range(2, 4, 3, 4, "Testcase", &Style::new()).unwrap();
    });
    let reading = read(&bytes, &mapping(""), "334").unwrap();
    let merged: Vec<bool> = reading
        .items
        .iter()
        .map(|item| item.draft.notes.iter().any(|issue| issue.rule == "cell-merged"))
        .collect();
    assert_eq!(merged, [false, true, true, false]);
    assert_eq!(reading.items[1].draft.notes[0].place.to_string(), "sheet 1, cell E3");
    assert!(reading.items[1].draft.first(Field::CASE).is_none(), "its cells are not read");
}

#[test]
fn a_merged_header_refuses_the_file_and_a_merged_title_does_not() {
    let bytes = workbook(|sheet| {
        sheet.merge_range(0, 4, 0, 5, "Name", &Style::new()).unwrap();
    });
    assert_eq!(rule(&bytes, ""), "cell-merged");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.merge_range(0, 0, 0, 8, "Requests for advice", &Style::new()).unwrap();
    for (column, name) in (0..).zip(HEADER) {
        sheet.write(2, column, name).unwrap();
    }
    let bytes = book.save_to_buffer().unwrap();
    let reading = read(&bytes, &mapping("header_within = 5"), "334").unwrap();
    assert_eq!(lines(&reading.notes), ["preamble-skipped @ sheet 1, row 1"]);
}

#[test]
fn sheets_are_chosen_by_name_or_place_and_never_hidden() {
    let book = |hide: bool| {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("Cover").unwrap().write(0, 0, "About").unwrap();
        let sheet = book.add_worksheet().set_name("List 2 \u{2013} requests").unwrap();
        filled(sheet);
        sheet.set_hidden(hide);
        book.save_to_buffer().unwrap()
    };
    let shown = book(false);
    assert_eq!(rule(&shown, ""), "sheet-unclear");
    for choice in ["sheet = 2", "sheet = \"LIST 2 - Requests\""] {
        let mapping = mapping(&format!("[workbook]\n{choice}"));
        let reading = read(&shown, &mapping, "334").unwrap();
        assert_eq!(lines(&reading.notes)[0], "sheets-unread @ sheet 2, row 1");
        assert_eq!(reading.items[0].draft.place.to_string(), "sheet 2, row 2");
    }
    assert_eq!(rule(&shown, "[workbook]\nsheet = 3"), "sheet-missing");
    assert_eq!(rule(&book(true), "[workbook]\nsheet = 2"), "sheet-hidden");
    assert_eq!(rule(&book(true), ""), "header-missing", "the hidden one is not looked for");
}

#[test]
fn blank_rows_are_noted_between_rows_and_not_at_the_end() {
    let bytes = workbook(|sheet| {
        sheet.write(4, 0, "A2").unwrap();
        sheet.write_blank(9, 0, &Style::new().set_bold()).unwrap();
        sheet.write(20, 3, "  ").unwrap();
    });
    let reading = read(&bytes, &mapping(""), "334").unwrap();
    assert_eq!(reading.items.len(), 2);
    assert!(lines(&reading.notes).contains(&"row-blank @ sheet 1, row 3".to_owned()));
    assert_eq!(reading.notes.iter().filter(|note| note.rule == "row-blank").count(), 1);
}

#[test]
fn a_cell_beside_the_header_makes_its_row_ragged() {
    let bytes = workbook(|sheet| {
        sheet.write(1, 12, "a note").unwrap();
    });
    let draft = one(&bytes, &mapping(""));
    assert_eq!(lines(&draft.notes), ["row-ragged @ sheet 1, row 2"]);
}

#[test]
fn limits_refuse_wide_rows_and_large_cells() {
    let wide = workbook(|sheet| {
        let column = u16::try_from(COLUMNS_MAX).unwrap();
        sheet.write(1, column, "x").unwrap();
    });
    assert_eq!(rule(&wide, ""), "columns-too-many");
    let parts = archive::unpack(&workbook(|_| {}), |_| true).unwrap();
    let long = "x".repeat(CELL_BYTES_MAX + 1);
    let bytes = with_part(&parts, "xl/sharedStrings.xml", |xml| xml.replace("Testcase", &long));
    assert_eq!(rule(&bytes, ""), "cell-too-large");
}

/// A workbook with one part changed.
fn with_part(parts: &[archive::Part], name: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let changed: Vec<(String, Vec<u8>)> = parts
        .iter()
        .map(|part| {
            let text = String::from_utf8(part.bytes.clone()).unwrap();
            let text = if part.name == name { change(&text) } else { text };
            (part.name.clone(), text.into_bytes())
        })
        .collect();
    let changed = changed.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    archive::pack(changed).unwrap()
}

#[test]
fn a_document_type_or_cells_out_of_order_refuse_the_workbook() {
    let parts = archive::unpack(&workbook(|_| {}), |_| true).unwrap();
    let sheet = "xl/worksheets/sheet1.xml";
    let typed =
        with_part(&parts, sheet, |xml| xml.replacen("?>", "?><!DOCTYPE x [<!ENTITY a \"b\">]>", 1));
    assert_eq!(rule(&typed, ""), "workbook-document-type");
    let twice = with_part(&parts, sheet, |xml| xml.replace("r=\"B2\"", "r=\"A2\""));
    assert_eq!(rule(&twice, ""), "workbook-broken");
    let cut = with_part(&parts, sheet, |xml| xml.chars().take(xml.len() / 2).collect());
    assert_eq!(rule(&cut, ""), "workbook-broken");
    // Each of these made the library add past the end of a number.
    for position in ["ZZZZZZZZ1", "A99999999999", "ZZZ1", "A0", "A1048577", "1", "A", "&#65;2"] {
        let far =
            with_part(&parts, sheet, |xml| xml.replace("r=\"B2\"", &format!("r=\"{position}\"")));
        assert_eq!(rule(&far, ""), "workbook-broken", "{position}");
    }
    for range in ["B2:A1", "A2:B1", "A1:B2:C3", "A1:", ""] {
        let turned = with_part(&parts, sheet, |xml| {
            let merged =
                format!("</sheetData><mergeCells><mergeCell ref=\"{range}\"/></mergeCells>");
            xml.replace("</sheetData>", &merged)
        });
        assert_eq!(rule(&turned, ""), "workbook-broken", "{range}");
    }
}

#[test]
fn old_protected_and_other_files_are_refused_by_name() {
    let mark: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    assert_eq!(rule(&compound, ""), "workbook-legacy");
    assert_eq!(rule(&[compound, mark].concat(), ""), "workbook-encrypted");
    assert_eq!(rule(b"id,case\n", ""), "workbook-broken");
    assert_eq!(rule(b"", ""), "workbook-broken");
    let other = archive::pack([("word/document.xml", b"<a/>".as_slice())]).unwrap();
    assert_eq!(rule(&other, ""), "workbook-broken");
    let xml = Mapping::built_in("liquidlogic-xml-advice-request").unwrap();
    assert_eq!(read(&workbook(|_| {}), &xml, "334").unwrap_err().rule, "mapping-format");
}

#[test]
fn a_bomb_is_refused_and_so_is_a_sheet_of_endless_text() {
    let bomb = vec![b' '; crate::limits::ARCHIVE_BYTES_MAX + 1];
    let packed = archive::pack([("xl/workbook.xml", bomb.as_slice())]).unwrap();
    assert_eq!(rule(&packed, ""), "file-too-large");
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut deflated, &bomb).unwrap();
    let small = deflated.finish().unwrap();
    assert!(small.len() < 1024 * 1024);
    assert_eq!(rule(&deflated_part(&small, &bomb), ""), "workbook-too-large");
    // One text of 60 KiB in every cell of a column: small as a file, large as a table.
    let text = "x".repeat(32_000);
    let bytes = workbook(|sheet| {
        for row in 2..2_400 {
            sheet.write(row, 4, text.as_str()).unwrap();
        }
    });
    assert!(bytes.len() < 200_000);
    assert_eq!(rule(&bytes, ""), "sheet-too-large");
}

/// An archive of one deflated part, made by hand.
fn deflated_part(packed: &[u8], whole: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(whole);
    let name = b"xl/workbook.xml";
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let fields = [
        &[20, 0, 0, 8, 8, 0, 0, 0, 0x21, 0][..],
        &crc.sum().to_le_bytes(),
        &size(packed),
        &size(whole),
        &[15, 0, 0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", fields.as_slice(), name, packed].concat();
    let directory = [b"PK\x01\x02\x14\x00".as_slice(), &fields, &[0; 14], name.as_slice()].concat();
    let end =
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &size(&directory), &size(&local), &[0, 0]]
            .concat();
    [local, directory, end].concat()
}

#[test]
fn a_list_that_is_no_message_is_refused_and_can_be_looked_at() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.set_name("List 1").unwrap();
    for (row, cells) in
        [["Unique ID", "Date of birth", "Gender"], ["P1", "06/05/2014", "b) Female"]]
            .iter()
            .enumerate()
    {
        for (column, cell) in (0..).zip(cells) {
            sheet.write(u32::try_from(row).unwrap(), column, *cell).unwrap();
        }
    }
    let bytes = book.save_to_buffer().unwrap();
    let mapping = Mapping::built_in("annex-a-send-plans").unwrap();
    assert_eq!(read(&bytes, &mapping, "334").unwrap_err().rule, "mapping-no-message");
    let reading = preview(&bytes, &mapping, "334").unwrap();
    assert_eq!(text(&reading.items[0].draft, Field::SEX), "female");
}

/// Nothing that is said of a workbook repeats what stood in it.
fn assert_quiet(bytes: &[u8]) {
    let all = mapping("[workbook]\nformulas = \"cached\"");
    let issues = match read(bytes, &all, "334") {
        Ok(reading) => {
            let rows = reading.items.into_iter().flat_map(|item| item.draft.notes);
            reading.notes.into_iter().chain(rows).collect()
        }
        Err(refused) => vec![refused.to_issue()],
    };
    for issue in issues {
        let said = format!("{issue} {issue:?}");
        assert!(!said.contains("Zanzibarq"), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        assert_quiet(&bytes);
        assert_quiet(&[b"PK\x03\x04".as_slice(), &bytes].concat());
    }

    #[test]
    fn a_workbook_changed_anywhere_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        with in prop_oneof![
            Just("\""), Just("<"), Just(">"), Just("0"), Just("-1"), Just("99999999999999999999"),
            Just("Zanzibarq"), Just("&#0;"), Just("&zanzi;"), Just("</c>"), Just("t=\"n\""), Just("inf"),
            Just("1e999"), Just("+1"), Just("t=\"Zanzibarq\""), Just("\u{fffd}"), Just(" "),
        ],
        over in 0_usize..4,
    ) {
        let bytes = workbook(|sheet| {
            sheet.write(1, 4, Formula::new("=A1").set_result("Zanzibarq")).unwrap();
            sheet.merge_range(4, 4, 5, 5, "Zanzibarq", &Style::new()).unwrap();
            sheet.write(7, 1, false).unwrap();
        });
        let parts = archive::unpack(&bytes, is_needed).unwrap();
        let name = which.get(&parts).name.clone();
        let changed = with_part(&parts, &name, |xml| {
            let from = at.index(xml.len());
            let before = xml.chars().take(from);
            let after = xml.chars().skip(from + over);
            before.chain(with.chars()).chain(after).collect()
        });
        assert_quiet(&changed);
    }

    #[test]
    fn what_another_library_writes_comes_back(
        names in proptest::collection::vec("[A-Z][a-z '\u{e9}\u{2019}-]{0,20}[a-z]", 1..12),
        days in proptest::collection::vec(0_i64..9_000, 12),
    ) {
        let date = Style::new().set_num_format("yyyy-mm-dd");
        let bytes = workbook(|sheet| {
            for ((row, name), day) in (1_u32..).zip(&names).zip(&days) {
                sheet.write(row, 0, format!("A{row}")).unwrap();
                sheet.write(row, 4, name.as_str()).unwrap();
                let serial = f64::from(u32::try_from(39_000 + day).unwrap());
                sheet.write_with_format(row, 6, serial, &date).unwrap();
            }
        });
        let reading = read(&bytes, &mapping(""), "334").unwrap();
        prop_assert_eq!(reading.items.len(), names.len());
        let epoch = jiff::civil::date(1899, 12, 30);
        for ((item, name), day) in reading.items.iter().zip(&names).zip(&days) {
            prop_assert_eq!(text(&item.draft, Field::FAMILY_NAME), name.trim());
            let born = epoch + jiff::Span::new().days(39_000 + day);
            prop_assert_eq!(text(&item.draft, Field::DATE_OF_BIRTH), born.to_string());
        }
    }
}
