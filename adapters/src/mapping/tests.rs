use super::*;

const SMALL: &str = r#"
name = "small"
version = 3
format = "csv"
date_formats = ["%d/%m/%Y", "%Y-%m-%d %H:%M:%S", "%d-%b-%Y"]
allow_midnight_times = true
null_markers = ["NULL"]
placeholder_dates = ["01/01/1900"]

[columns]
"subject.family_name" = { from = ["SURNAME"] }
"subject.date_of_birth" = { from = ["Date of Birth – child’s"], date = true }
"#;

fn refusal(change: &str, to: &str) -> String {
    assert!(SMALL.contains(change), "the test changes something");
    Mapping::parse(&SMALL.replacen(change, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_built_in_mapping_parses_under_its_own_name() {
    for name in built_in_names() {
        let text = Mapping::built_in_text(name).unwrap();
        let mapping = Mapping::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(mapping.name(), name);
    }
    assert!(Mapping::built_in("no-such-mapping").is_none());
}

#[test]
fn every_code_of_a_built_in_mapping_is_one_the_check_knows() {
    for name in built_in_names() {
        let mapping = Mapping::built_in(name).unwrap();
        for column in &mapping.columns {
            let codes = column.codes.iter().flat_map(BTreeMap::values);
            for code in codes {
                let mut draft = schemas::Draft::default();
                let kind = mapping.constants.iter().find(|(field, _)| *field == Field::TYPE);
                let named = column.field.path().strip_prefix("particulars.");
                let with_name = named.and_then(|name| {
                    let entries = schemas::catalogue::Catalogue::built_in().entries().iter();
                    let mut contents = entries.flat_map(|entry| &entry.content);
                    contents.find(|content| content.names().any(|known| known == name))
                });
                let default = with_name.map_or("advice.request", |content| &content.kind);
                let kind = kind.map_or(default, |(_, kind)| kind.as_str());
                draft.set(Field::TYPE, kind, Place::Whole);
                draft.set(Field::FAMILY_NAME, "Testcase", Place::Whole);
                draft.set(Field::CONSENT_STATUS, "refused", Place::Whole);
                draft.fields.retain(|(field, _)| *field != column.field);
                draft.set(column.field, code.clone(), Place::Whole);
                let issues = draft.check(jiff::civil::date(2026, 11, 24)).unwrap_err();
                let about = issues.iter().find(|issue| issue.field == column.field.path());
                assert!(about.is_none(), "{name}: {code} for {}: {about:?}", column.field);
            }
        }
    }
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    let error = refusal("version = 3", "version = 3\ncolour = \"blue\"");
    assert!(error.starts_with("line 4: ") && error.contains("colour"), "{error}");
    let error = refusal("date = true", "date = true, dates = true");
    assert!(error.starts_with("line 12: ") && error.contains("dates"), "{error}");
}

#[test]
fn unknown_fields_are_refused_with_their_line() {
    let error = refusal("subject.family_name", "subject.surname");
    assert!(error.starts_with("line 11: `subject.surname` is not a field"), "{error}");
}

#[test]
fn contradictions_are_refused_and_named() {
    let cases = [
        ("format = \"csv\"", "format = \"ods\"", "not a format"),
        ("name = \"small\"", "name = \"Small One\"", "may hold only"),
        ("%d/%m/%Y", "%d/%m/%y", "two-digit year"),
        ("%d/%m/%Y", "%m/%Y", "needs a day"),
        ("[\"%d/%m/%Y\",", "[\"%d/%m/%Y\", \"%m/%d/%Y\",", "exchanged"),
        ("version = 3", "version = 3\nheader = false", "need it"),
        ("version = 3", "version = 3\nwidth = 4", "need it"),
        ("version = 3", "version = 3\nheader = false\nwidth = 4", "needs `at`"),
        ("[\"SURNAME\"]", "[\"SURNAME\"], at = 2", "without a header"),
        ("version = 3", "version = 3\nheader_within = 0", "from 1 to 50"),
        ("version = 3", "version = 3\nrefuse_file_above_percent = 101", "at most 100"),
        ("format = \"csv\"", "format = \"set\"", "goes with"),
        ("format = \"csv\"", "format = [\"csv\", \"set\"]", "or ["),
        ("[columns]", "[[filter]]\nfrom = [\"T\"]\nwhy = \"w\"\n[columns]", "neither drops"),
        ("[columns]", "[[filter]]\ndrop = [\"1\"]\nwhy = \"w\"\n[columns]", "needs `from`"),
        ("[columns]", "[[filter]]\nat = 1\ndrop = [\"1\"]\nwhy = \"w\"\n[columns]", "needs `from`"),
        (
            "[columns]",
            "[[filter]]\nfrom = [\"T\"]\ndrop = [\"y\"]\nkeep = [\"Y\"]\nwhy = \"w\"\n[columns]",
            "one value twice",
        ),
        ("%d/%m/%Y", "%d/%m/%Y%Z", "may hold only"),
        (", date = true", "", "is a date"),
        ("[\"SURNAME\"]", "[\"SURNAME\"], date = true", "is not a date"),
        ("[\"SURNAME\"]", "[\"SURNAME\"], split = \";\"", "holds one value"),
        ("[\"SURNAME\"]", "[]", "names no header"),
        ("[\"SURNAME\"]", "[\" - \"]", "empty header"),
        ("[\"SURNAME\"]", "[\"date of birth - CHILDS\"]", "claimed by two fields"),
        ("version = 3", "version = 3\nignored_columns = [\"surname\"]", "both ignored and"),
        ("version = 3", "version = 3\ndelimiter = \"::\"", "is not one of"),
        ("[columns]", "[constants]\n\"subject.family_name\" = \"x\"\n[columns]", "constant and a"),
    ];
    for (change, to, expected) in cases {
        let error = refusal(change, to);
        assert!(error.contains(expected), "{to}: {error}");
        assert!(error.starts_with("line "), "{error}");
    }
}

#[test]
fn headers_are_compared_without_case_space_dashes_and_apostrophes() {
    let mapping = Mapping::parse(SMALL).unwrap();
    for header in
        ["date_of_birth - childs", "DATE OF\nBIRTH\u{a0}-CHILD'S", "\u{feff}Dateofbirthchilds"]
    {
        let column = mapping.column(header).unwrap();
        assert_eq!(column.field, Field::DATE_OF_BIRTH);
    }
    assert!(mapping.column("date of birth").is_none());
}

#[test]
fn dates_follow_the_patterns_and_nothing_else() {
    let mapping = Mapping::parse(SMALL).unwrap();
    let date = |text: &str| DateCell::Date(text.to_owned(), false);
    assert_eq!(mapping.date("29/02/2024"), date("2024-02-29"));
    assert_eq!(mapping.date("2024-02-29 09:31:00"), date("2024-02-29"));
    assert_eq!(mapping.date("01-SEP-2026"), date("2026-09-01"));
    assert_eq!(mapping.date("29/02/2024 00:00:00"), DateCell::Date("2024-02-29".into(), true));
    assert_eq!(mapping.date("01/01/1900 00:00:00"), DateCell::Placeholder);
    assert_eq!(mapping.date("29/02/24"), DateCell::TwoDigitYear);
    assert_eq!(mapping.date("45000"), DateCell::Serial);
    for wrong in [
        "30/02/2024",
        "1/9/2026",
        "09/31/2024",
        "2024-02-29",
        " 29/02/2024",
        "4500",
        "450000",
        "",
        "29/02/2024 09:31:00",
        "29/02/2024x",
        "29/02/02024",
    ] {
        assert_eq!(mapping.date(wrong), DateCell::Impossible, "{wrong}");
    }
}

#[test]
fn the_documented_table_is_the_liquidlogic_mapping() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/csv/mapping.md"))
            .unwrap();
    let documented: Vec<(String, String)> = page
        .lines()
        .skip_while(|line| *line != "## `liquidlogic-ehc-advice-request`")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let mut cells = line.split('|').map(|cell| cell.trim().replace('`', ""));
            let field = cells.nth(1).unwrap();
            (field, cells.next().unwrap())
        })
        .collect();
    let mapping = Mapping::built_in("liquidlogic-ehc-advice-request").unwrap();
    let actual: Vec<(String, String)> =
        mapping.fields().map(|(field, from)| (field.path().to_owned(), from.join(", "))).collect();
    assert_eq!(documented, actual);
}

#[test]
fn the_outgoing_header_is_what_its_mapping_reads() {
    let mapping = Mapping::built_in("gateway-message").unwrap();
    for header in crate::csv::header() {
        assert!(mapping.column(header).is_some() || mapping.ignores(header), "{header}");
    }
    for (field, from) in mapping.fields() {
        assert!(from.iter().all(|h| crate::csv::header().contains(h)), "{field}");
    }
}
