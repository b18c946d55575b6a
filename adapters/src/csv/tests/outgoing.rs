use jiff::Timestamp;
use schemas::{Draft, LegId, OrganisationCode, PersonalBytes, Record, ServiceCode};
use uuid::Uuid;

use super::*;
use crate::{Format, Item, Outbound};

fn outbound() -> Outbound {
    Outbound {
        delivery: Uuid::from_u128(7),
        leg: Some(LegId(Uuid::from_u128(9))),
        service: Some(ServiceCode::parse("SALT").unwrap()),
        sender_name: "Example Community Trust".to_owned(),
        recipient: OrganisationCode::parse("334").unwrap(),
        recipient_name: "Example Council".to_owned(),
        received_at: "2026-06-30T23:30:00Z".parse::<Timestamp>().unwrap(),
        due_on: Some(date(2026, 8, 12)),
        sent_at: "2026-07-01T08:00:00Z".parse::<Timestamp>().unwrap(),
    }
}

fn draft(kind: &str, fields: &[(Field, &str)]) -> Draft {
    let common = [
        (Field::TYPE, kind),
        (Field::ID, "M-1"),
        (Field::SENDER, "RRK"),
        (Field::RECIPIENT, "334"),
        (Field::CASE, "E7"),
        (Field::LEG, "00000000-0000-0000-0000-000000000009"),
        (Field::NHS_NUMBER, "9990000018"),
        (Field::FAMILY_NAME, "Testcase"),
        (Field::GIVEN_NAMES, "Robin"),
        (Field::DATE_OF_BIRTH, "2014-05-06"),
    ];
    let mut draft = Draft::default();
    for (field, text) in common {
        if !fields.iter().any(|(given, _)| *given == field) {
            draft.set(field, text, Place::Whole);
        }
    }
    for (field, text) in fields {
        draft.set(*field, *text, Place::Whole);
    }
    draft
}

fn record(draft: Draft) -> Record {
    draft.check(date(2026, 11, 24)).unwrap_or_else(|issues| panic!("{issues:?}")).record
}

/// One draft of every type that is carried.
fn every_type() -> Vec<Draft> {
    vec![
        draft(
            "advice.request",
            &[
                (Field::REQUESTED_ON, "2026-11-02"),
                (Field::ASSESSMENT_REQUESTED_ON, "2026-10-20"),
                (Field::SERVICES, "SALT"),
                (Field::SERVICES, "OT"),
                (Field::QUESTIONS, "How does Robin hear?"),
                (Field::QUESTIONS, "- and speak?"),
                (Field::YEAR_9_OR_ABOVE, "true"),
                (Field::CONSENT_STATUS, "given"),
                (Field::CONSENT_GIVEN_BY, "parent"),
                (Field::CONSENT_DATE, "2026-10-21"),
                (Field::CONSENT_EXCLUSIONS, "RXT"),
                (Field::SEX, "other"),
            ],
        ),
        draft("advice.accepted", &[]),
        draft("advice.rejected", &[(Field::TRIAGE_REASON, "NOT_MY_PATIENT")]),
        draft("advice.redirected", &[(Field::TRIAGE_REDIRECT_TO, "RYW")]),
        draft(
            "advice.response",
            &[
                (Field::AUTHOR_NAME, "D'Arcy, \"Jo\""),
                (Field::AUTHOR_PROFESSION, "speech and language therapist"),
                (Field::ADVICE_DATE, "2026-11-20"),
                (Field::ADVICE_BASIS, "records-review"),
                (Field::HEALTH_NEEDS, "=one, with a comma"),
                (Field::HEALTH_NEEDS, "two"),
                (Field::HEALTH_PROVISION, "weekly"),
            ],
        ),
        draft(
            "advice.nil",
            &[(Field::NIL_REASON, "discharged"), (Field::NIL_LAST_SEEN, "2025-01-31")],
        ),
        draft(
            "advice.exception",
            &[
                (Field::EXCEPTION_LIMB, "b"),
                (Field::EXCEPTION_EVIDENCE, "away from the area"),
                (Field::EXCEPTION_FROM, "2026-11-01"),
                (Field::EXCEPTION_EXPECTED, "2026-12-20"),
            ],
        ),
        draft(
            "consent.grant",
            &[(Field::CONSENT_GIVEN_BY, "young-person"), (Field::CONSENT_DATE, "2026-11-01")],
        ),
        draft("consent.withdraw", &[(Field::CONSENT_DATE, "2026-11-01")]),
        draft(
            "transition.health_plan",
            &[
                (Field::NAMED_WORKER, "Sam Example"),
                (Field::PLAN_DATE, "2026-11-01"),
                (Field::ACTIONS, "visit the adult clinic"),
                (Field::ACTIONS, "transfer records"),
            ],
        ),
        draft("ack.business", &[(Field::NOTICE_ABOUT, "A1"), (Field::NOTICE_OUTCOME, "accepted")]),
        draft("error", &[(Field::NOTICE_ABOUT, "A1"), (Field::NOTICE_CODE, "SCHEMA")]),
    ]
}

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
        ,,,,,,,,,,,,,,,report.pdf,application/pdf,16\r\n";
    assert_eq!(text.split_once("\r\n").unwrap().1, row);
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
