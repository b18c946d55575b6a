//! Records to write, for tests of what is written: one of every type that is carried.

use jiff::Timestamp;
use jiff::civil::date;
use schemas::{Draft, Field, LegId, MessageType, OrganisationCode, Place, Record, ServiceCode};
use uuid::Uuid;

use crate::Outbound;

pub(crate) fn outbound() -> Outbound {
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

pub(crate) fn draft(kind: &str, fields: &[(Field, &str)]) -> Draft {
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

pub(crate) fn record(draft: Draft) -> Record {
    draft.check(date(2026, 11, 24)).unwrap_or_else(|issues| panic!("{issues:?}")).record
}

/// One draft of every type: some written here, the others those of `schemas/record/examples`.
pub(crate) fn every_type() -> Vec<Draft> {
    let mut drafts = written_here();
    let types = |drafts: &[Draft]| -> Vec<String> {
        let types = drafts.iter().filter_map(|draft| draft.first(Field::TYPE));
        types.map(|kind| kind.text.expose().to_owned()).collect()
    };
    let written = types(&drafts);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/record/examples");
    for kind in MessageType::ALL {
        if !written.contains(&kind.to_string()) {
            let bytes = std::fs::read(format!("{root}/{kind}.json")).unwrap();
            drafts.push(crate::json::read(&bytes).unwrap().items.remove(0).draft);
        }
    }
    assert_eq!(types(&drafts).len(), MessageType::ALL.len());
    drafts
}

fn written_here() -> Vec<Draft> {
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
                (Field::EXCEPTION_UNTIL, "2026-12-05"),
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
