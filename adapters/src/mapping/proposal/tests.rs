use proptest::prelude::*;

use super::*;

fn proposal(text: &str) -> Proposal {
    propose(Format::Csv, text.as_bytes(), "solihull").unwrap()
}

const EXPORT: &str = "Report run by the case team;;;;;;\n\
    Person Id;Surname;Forename(s);NHS Number;Date_of-Birth;Mystery;Gender\n\
    1;Zanzibarq;Robin;9990000018;2014-May-06;x;F\n";

#[test]
fn a_proposal_parses_and_reads_the_file_it_was_made_for() {
    let proposal = proposal(EXPORT);
    let mapping = Mapping::parse(&proposal.text).unwrap();
    assert_eq!(mapping.name(), "solihull");
    let reading = csv::read(EXPORT.as_bytes(), &mapping, "334").unwrap();
    let draft = &reading.items[0].draft;
    let text = |field: Field| draft.first(field).unwrap().text.expose().to_owned();
    assert_eq!(text(Field::LA_PERSON_ID), "1");
    assert_eq!(text(Field::DATE_OF_BIRTH), "2014-05-06");
    assert_eq!(text(Field::SEX), "female");
}

#[test]
fn what_was_guessed_and_what_nobody_knows_is_said() {
    let proposal = proposal(EXPORT);
    assert_eq!(proposal.unknown, [6]);
    let given = proposal.recognised.iter().find(|(field, _, _)| *field == Field::GIVEN_NAMES);
    assert_eq!(given, Some(&(Field::GIVEN_NAMES, 3, true)), "`Forename(s)` is like `Forenames`");
    let surname = proposal.recognised.iter().find(|(field, _, _)| *field == Field::FAMILY_NAME);
    assert_eq!(surname, Some(&(Field::FAMILY_NAME, 2, false)));
    assert!(proposal.text.contains("ignored_columns = [\"Mystery\"]"));
}

#[test]
fn no_cell_is_repeated_in_a_proposal() {
    let proposal = proposal(EXPORT);
    for cell in ["Zanzibarq", "9990000018", "2014", "Report run"] {
        assert!(!proposal.text.contains(cell), "{}", proposal.text);
    }
}

#[test]
fn a_file_whose_first_row_is_no_header_gets_no_proposal() {
    let refused = propose(Format::Csv, b"1,Zanzibarq,9990000018\n", "x").unwrap_err();
    assert_eq!(refused.rule, "header-missing");
    assert!(!refused.to_string().contains("Zanzibarq"));
}

#[test]
fn dates_of_either_order_are_taken_as_ours_and_marked() {
    let text = proposal("Surname,DOB\nA,01/02/2014\n").text;
    assert!(text.contains("date_formats = [\"%d/%m/%Y\"] # ?"), "{text}");
    let text = proposal("Surname,DOB\nA,01/02/2014\nB,12/31/2014\n").text;
    assert!(text.contains("date_formats = [\"%m/%d/%Y\"] # ?"), "{text}");
}

fn any_file() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        Just("Surname".to_owned()),
        Just("NHS No".to_owned()),
        Just("DOB".to_owned()),
        Just("Date of birth".to_owned()),
        Just("sex".to_owned()),
        "[ -~]{0,20}",
        "[\"'\\\\\u{e9}\u{2013}#=]{1,6}",
    ];
    proptest::collection::vec(header, 1..12).prop_map(|headers| {
        let quoted = headers.iter().map(|header| format!("\"{}\"", header.replace('"', "\"\"")));
        format!("{}\n", quoted.collect::<Vec<_>>().join(","))
    })
}

#[test]
fn many_headers_get_a_proposal() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let files = any_file();
    let proposed = (0..48)
        .map(|_| files.new_tree(&mut runner).expect("a file").current())
        .filter(|file| propose(Format::Csv, file.as_bytes(), "x").is_ok())
        .count();
    assert!(proposed >= 10, "{proposed} of 48");
}

proptest! {
    #[test]
    fn every_proposal_is_a_mapping(file in any_file(), name in "[ -~]{0,20}") {
        if let Ok(proposal) = propose(Format::Csv, file.as_bytes(), &name) {
            prop_assert!(Mapping::parse(&proposal.text).is_ok());
        }
    }

    #[test]
    fn any_bytes_get_a_proposal_or_a_refusal(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = propose(Format::Csv, &bytes, "x");
        let _ = propose(Format::Xlsx, &bytes, "x");
    }
}
