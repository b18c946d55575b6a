use std::fmt::Write;
use std::path::{Path, PathBuf};

use jiff::civil::date;
use proptest::prelude::*;
use schemas::Field;

use super::*;

mod outgoing;

/// The mapping a corpus file is read with: its own (`name.toml`) or a built-in one.
fn mapping_for(file: &Path) -> Mapping {
    let own = file.with_extension("toml");
    if own.exists() {
        return Mapping::parse(&std::fs::read_to_string(own).unwrap()).unwrap();
    }
    let file = file.file_name().unwrap().to_string_lossy().into_owned();
    let named = crate::mapping::built_in_names().find(|name| file.starts_with(name));
    let canonical = file.starts_with("canonical").then_some("canonical-la-advice-request");
    let name = named.or(canonical).unwrap_or("liquidlogic-ehc-advice-request");
    Mapping::built_in(name).unwrap()
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/csv").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn line(issue: &Issue) -> String {
    format!("{} @ {}", issue.rule, issue.place)
}

/// Everything said about a file by the reader: one line per issue, or the refusal alone.
fn said(bytes: &[u8], mapping: &Mapping) -> Vec<Issue> {
    match read(bytes, mapping, "334") {
        Ok(reading) => {
            let rows = reading.items.into_iter().flat_map(|item| item.draft.notes);
            reading.notes.into_iter().chain(rows).collect()
        }
        Err(refused) => vec![refused.to_issue()],
    }
}

fn expect_lines(file: &Path, extension: &str, actual: &str) {
    let expected = std::fs::read_to_string(file.with_extension(extension)).unwrap_or_default();
    assert_eq!(actual, expected, "{}", file.display());
}

#[test]
fn good_files_give_records_and_the_summary_beside_them() {
    for file in corpus("good") {
        let bytes = std::fs::read(&file).unwrap();
        let reading = read(&bytes, &mapping_for(&file), "334").unwrap();
        let mut summary = String::new();
        for note in &reading.notes {
            writeln!(summary, "note: {}", line(note)).unwrap();
        }
        for item in reading.items {
            writeln!(summary, "{}", item.draft.place).unwrap();
            for (field, located) in &item.draft.fields {
                let text = located.text.expose().escape_debug();
                writeln!(summary, "  {field} = {text} @ {}", located.place).unwrap();
            }
            for note in &item.draft.notes {
                writeln!(summary, "  note: {}", line(note)).unwrap();
            }
            let checked = item.draft.check(date(2026, 11, 24));
            checked.unwrap_or_else(|issues| panic!("{}: {issues:?}", file.display()));
        }
        expect_lines(&file, "drafts", &summary);
    }
}

#[test]
fn bad_files_give_exactly_the_issues_beside_them() {
    for file in corpus("bad") {
        let bytes = std::fs::read(&file).unwrap();
        let issues = said(&bytes, &mapping_for(&file));
        assert!(issues.iter().any(Issue::is_error), "{} is bad", file.display());
        let lines: String = issues.iter().map(|issue| line(issue) + "\n").collect();
        expect_lines(&file, "issues", &lines);
    }
}

fn canonical(rows: &str) -> Vec<u8> {
    format!("{CANONICAL_HEADER}\n{rows}").into_bytes()
}

const CANONICAL_HEADER: &str = "id,case,subject.nhs_number,subject.la_person_id,\
subject.family_name,subject.given_names,subject.date_of_birth,request.requested_on,request.services";
const CANONICAL_ROW: &str = "A1,C1,9990000018,P1,Testcase,Robin,2014-05-06,2026-11-02,SALT;OT\n";

fn canonical_mapping() -> Mapping {
    Mapping::built_in("canonical-la-advice-request").unwrap()
}

fn own_mapping(extra: &str) -> Mapping {
    let text = Mapping::built_in_text("canonical-la-advice-request").unwrap();
    let keep = |line: &&str| !extra.contains(line.split(" = ").next().unwrap()) || line.is_empty();
    let kept: Vec<&str> = text.lines().filter(keep).collect();
    Mapping::parse(&format!("{extra}\n{}", kept.join("\n"))).unwrap()
}

#[test]
fn the_sender_fills_its_field_only_when_the_file_has_no_column_for_it() {
    let reading = read(&canonical(CANONICAL_ROW), &canonical_mapping(), "334").unwrap();
    let draft = &reading.items[0].draft;
    assert_eq!(draft.first(Field::SENDER).unwrap().text.expose(), "334");
    let with_column = format!("sender,{CANONICAL_HEADER}\n330,{CANONICAL_ROW}");
    let reading = read(with_column.as_bytes(), &canonical_mapping(), "334").unwrap();
    let senders: Vec<_> = reading.items[0].draft.all(Field::SENDER).collect();
    assert_eq!((senders.len(), senders[0].text.expose()), (1, "330"));
}

#[test]
fn a_row_is_kept_byte_for_byte_in_every_encoding() {
    let row = CANONICAL_ROW.replace("Robin", "Zoë");
    let text = String::from_utf8(canonical(&row)).unwrap();
    let row = row.trim_end();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let cases: [(&str, Vec<u8>, Vec<u8>); 3] = [
        ("utf-8", text.clone().into_bytes(), row.as_bytes().to_vec()),
        ("utf-16", [b"\xff\xfe".to_vec(), utf16(&text)].concat(), utf16(row)),
        ("windows-1252", latin(&text), latin(row)),
    ];
    for (encoding, bytes, raw) in cases {
        let mapping = own_mapping(&format!("encoding = \"{encoding}\""));
        let item = read(&bytes, &mapping, "334").unwrap().items.remove(0);
        assert_eq!(item.draft.first(Field::GIVEN_NAMES).unwrap().text.expose(), "Zoë");
        assert_eq!(item.raw.expose(), raw, "{encoding}");
    }
}

#[test]
fn other_delimiters_and_files_without_quotes_are_read_as_the_mapping_says() {
    let mapping = own_mapping("delimiter = \"|\"\nquote = false");
    let text =
        String::from_utf8(canonical(&CANONICAL_ROW.replace("Robin", "Robin \"Bo\""))).unwrap();
    let item = read(text.replace(',', "|").as_bytes(), &mapping, "334").unwrap().items.remove(0);
    assert_eq!(item.draft.first(Field::GIVEN_NAMES).unwrap().text.expose(), "Robin \"Bo\"");
    assert!(item.draft.notes.is_empty());
}

#[test]
fn an_open_quote_is_refused_where_it_opened_long_before_the_file_ends() {
    let filler = format!("{CANONICAL_ROW}{CANONICAL_ROW}").repeat(4_000);
    let bytes = canonical(&format!("{CANONICAL_ROW}A2,\"C2,{filler}"));
    let refused = read(&bytes, &canonical_mapping(), "334").unwrap_err();
    assert_eq!(refused.rule, "cell-too-large");
    assert_eq!(refused.place, Place::Cell { line: 3, column: 2 });
}

#[test]
fn limits_are_refused_not_truncated() {
    let too_many = canonical(&"A1\n".repeat(crate::limits::ROWS_MAX + 1));
    let rules = [
        (too_many, "rows-too-many"),
        (canonical(&",".repeat(600)), "columns-too-many"),
        (canonical(&"x".repeat(70_000)), "cell-too-large"),
        (vec![b'x'; SUBMISSION_BYTES_MAX + 1], "file-too-large"),
    ];
    for (bytes, rule) in rules {
        let refused = read(&bytes, &canonical_mapping(), "334").unwrap_err();
        assert_eq!((refused.kind, refused.rule.as_str()), (ReadErrorKind::TooLarge, rule));
    }
}

#[test]
fn a_cell_that_splits_into_too_many_values_is_refused_at_its_place() {
    let row = CANONICAL_ROW.replace("SALT;OT", &"OT;".repeat(101));
    let item = read(&canonical(&row), &canonical_mapping(), "334").unwrap().items.remove(0);
    assert_eq!(line(&item.draft.notes[0]), "values-too-many @ line 2, column 9");
    assert!(item.draft.first(Field::SERVICES).is_none());
}

#[test]
fn a_file_of_a_header_alone_says_that_there_is_nothing() {
    let reading = read(&canonical(""), &canonical_mapping(), "334").unwrap();
    assert!(reading.items.is_empty() && reading.notes.is_empty());
}

#[test]
fn a_reference_can_be_made_from_fields_when_there_is_no_column() {
    let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").unwrap();
    let file = "EHCP_EPISODE_ID,DIM_PERSON_ID,NHS_NUMBER,SURNAME,FORENAME,BIRTH_DTTM,\
        ADVICE_REQUEST_DTTM,SERVICES_REQUESTED\n\
        E7,P1,9990000018,Testcase,Robin,06/05/2014,02/11/2026,SALT\n\
        E7,P1,9990000018,Testcase,Robin,06/05/2014,02/11/2026,OT\n";
    let reading = read(file.as_bytes(), &mapping, "334").unwrap();
    let ids: Vec<&str> =
        reading.items.iter().map(|i| i.draft.first(Field::ID).unwrap().text.expose()).collect();
    assert_eq!(ids, ["LL-E7-2026-11-02", "LL-E7-2026-11-02"]);
    assert_eq!(reading.items[1].draft.notes[0].rule, "row-duplicate");
}

fn assert_nothing_leaks(issues: &[Issue]) {
    for issue in issues {
        let text = format!("{issue} {issue:?}");
        assert!(!text.contains("Zanzibarq"), "{text}");
        assert_ne!(issue.rule, "row-unclear", "the two readers disagree");
    }
}

#[test]
fn no_issue_repeats_a_cell_or_a_header() {
    let canaries = ["Zanzibarq", "=Zanzibarq", "\"Zanzibarq", "Zanzibarq\"x", "12/12/12Zanzibarq"];
    for folder in ["good", "bad"] {
        for file in corpus(folder) {
            let mapping = mapping_for(&file);
            let bytes = std::fs::read(&file).unwrap();
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let cells: Vec<&str> = text.split(',').collect();
            for index in 0..cells.len() {
                for canary in canaries {
                    let mut cells = cells.clone();
                    cells[index] = canary;
                    assert_nothing_leaks(&said(cells.join(",").as_bytes(), &mapping));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn reading_arbitrary_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for name in crate::mapping::built_in_names() {
            assert_nothing_leaks(&said(&bytes, &Mapping::built_in(name).unwrap()));
        }
    }

    #[test]
    fn the_two_readers_agree_on_any_arrangement_of_marks(
        marks in proptest::collection::vec(
            prop_oneof![Just("\""), Just(","), Just("\n"), Just("\r"), Just("\r\n"), Just("="),
                Just("x"), Just(" "), Just("Zanzibarq"), Just("\u{a0}"), Just("\u{feff}")],
            0..60,
        ),
    ) {
        let bytes = canonical(&marks.concat());
        assert_nothing_leaks(&said(&bytes, &canonical_mapping()));
    }

    #[test]
    fn reading_mutated_good_files_never_panics(
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        which in any::<prop::sample::Index>(),
    ) {
        let files = corpus("good");
        let file = which.get(&files);
        let mapping = mapping_for(file);
        let mut bytes = std::fs::read(file).unwrap();
        let position = at.index(bytes.len());
        bytes[position] = byte;
        assert_nothing_leaks(&said(&bytes, &mapping));
        bytes.truncate(cut.index(bytes.len()));
        assert_nothing_leaks(&said(&bytes, &mapping));
    }
}
