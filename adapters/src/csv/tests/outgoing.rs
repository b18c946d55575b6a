use schemas::PersonalBytes;

use super::*;
use crate::csv::header;
use crate::import_row::samples::{draft, every_type, outbound, record};
use crate::{Format, Item};

fn read_back(bytes: &[u8]) -> Item {
    let mapping = Mapping::built_in("gateway-message").unwrap();
    let mut reading = read(bytes, &mapping, "334").unwrap();
    assert_eq!(reading.items.len(), 1);
    reading.items.remove(0)
}

#[test]
fn every_type_of_message_is_written_and_read_back_as_the_same_record() {
    for draft in every_type() {
        let record = record(draft);
        let bytes = crate::write(Format::Csv, &record, &outbound()).unwrap();
        let item = read_back(&bytes);
        let again = item.draft.check(date(2026, 11, 24)).unwrap_or_else(|i| panic!("{i:?}")).record;
        let kind = record.message().kind;
        let mut expected = record.message().clone();
        expected.leg = outbound().leg;
        expected.recipient = Some(outbound().recipient);
        assert_eq!(again.message(), &expected, "{kind}");
    }
}

#[test]
fn the_file_is_what_a_case_system_imports() {
    let mut draft = every_type().remove(4);
    draft.attachments.push(schemas::DraftAttachment {
        name: schemas::PersonalText::new("report.pdf"),
        media_type: "application/pdf".to_owned(),
        content: PersonalBytes::new(b"%PDF-1.7 example".to_vec()),
        place: Place::Whole,
    });
    let bytes = write(&record(draft), &outbound()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let expected =
        "\u{feff}MESSAGE_TYPE,MESSAGE_ID,DELIVERY_ID,LEG_ID,CASE_REF,SERVICE,SENDER_ORG,";
    assert!(text.starts_with(expected), "{text}");
    let row = "advice.response,M-1,00000000-0000-0000-0000-000000000007,\
        00000000-0000-0000-0000-000000000009,E7,SALT,RRK,Example Community Trust,334,\
        Example Council,RRK,01/07/2026,12/08/2026,01/07/2026,,,,9990000018,,Testcase,Robin,\
        06/05/2014,,,,,,,,,,,,,,,,,,,,,,,,,20/11/2026,\"D'Arcy, \"\"Jo\"\"\",\
        speech and language therapist,,,records-review,,\"'=one, with a comma\ntwo\",,,weekly,,,\
        ,,,,,,,,,,,,,,,report.pdf,application/pdf,16,document-1.pdf";
    let written = text.split_once("\r\n").unwrap().1;
    let rest = written.strip_prefix(row).unwrap_or_else(|| panic!("{written}"));
    assert_eq!(rest, format!("{}\r\n", ",".repeat(header().len() - 78)));
}

proptest! {
    #[test]
    fn names_come_back_as_they_were(name in "[=+@'\",\t\r\n;|a-zé0-9 \\-]{1,30}") {
        prop_assume!(!table::trimmed(&name).is_empty());
        // The reader trims; whatever is left of a name must survive the journey.
        let name = table::trimmed(&name);
        let record = record(draft("advice.accepted", &[(Field::FAMILY_NAME, name)]));
        let bytes = write(&record, &outbound()).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let item = read_back(&bytes);
        prop_assert!(!item.draft.notes.iter().any(Issue::is_error), "{:?}", item.draft.notes);
        prop_assert_eq!(item.draft.first(Field::FAMILY_NAME).unwrap().text.expose(), name);
        let mut cells = ::csv::ReaderBuilder::new().from_reader(text.as_bytes());
        for cell in &cells.records().next().unwrap().unwrap() {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
