use schemas::{Draft, Field};

use super::*;
use crate::archive::pack;

/// Not SHA-256, and not meant to be: what matters here is that it is the same twice. The gateway's
/// own tests use the real one.
fn marked(bytes: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{hash:064x}")
}

const PERSON: &str = "person_id,family_name,given_names,date_of_birth,sex,change,merged_into\n\
    P1,Testcase,Robin,2014-05-06,female,current,\n\
    P2,Sample,Alex,2011-09-14,male,merged,P3\n\
    P3,Sample,Alexander,2011-09-14,male,,\n\
    P4,Gone,Sam,2012-01-01,,deleted,\n";
const IDENTIFIER: &str = "person_id,kind,value\nP1,nhs_number,999 000 0018\nP1,upn,B334210024017\n\
    P2,nhs_number,9990000026\nP3,nhs_number,9990000026\n";
const ADDRESS: &str = "person_id,address,postcode,starts_on,ends_on\n\
    P1,\"1 Old Road\",B91 1AA,2010-01-01,2020-01-01\nP1,\"2 New Road\",B91 9ZZ,2020-01-01,\n";
const CASE: &str = "case_ref,person_id,received_on,change\n\
    C1,P1,2026-10-20,current\nC2,P2,2026-10-21,current\nC4,P4,2026-10-22,\n";
const REQUEST: &str = "advice_request_id,case_ref,requested_on,services,questions\n\
    A1,C1,2026-11-02,SALT;OT,How?|What?\nA2,C2,2026-11-02,OT,\n";
const CONSENT: &str = "case_ref,status,given_by,decided_on,reference\n\
    C1,refused,parent,2026-10-01,F1\nC1,given,parent,2026-10-21,F2\n";
const DOCUMENT: &str = "advice_request_id,file,sha256,media_type\n";

struct Export {
    files: Vec<(&'static str, String)>,
    documents: Vec<(&'static str, &'static [u8])>,
}

impl Export {
    fn whole() -> Self {
        let files = [
            ("person", PERSON),
            ("person_identifier", IDENTIFIER),
            ("address", ADDRESS),
            ("ehc_request", CASE),
            ("advice_request", REQUEST),
            ("consent", CONSENT),
        ];
        let files = files.map(|(entity, text)| (entity, text.to_owned()));
        Self { files: files.to_vec(), documents: Vec::new() }
    }

    fn with(mut self, entity: &'static str, text: &str) -> Self {
        self.files.retain(|(known, _)| *known != entity);
        self.files.push((entity, text.to_owned()));
        self
    }

    fn manifest(&self) -> String {
        let files = self.files.iter().map(|(entity, text)| {
            let rows = text.lines().count() - 1;
            let hash = marked(text.as_bytes());
            format!(
                "{{\"entity\":\"{entity}\",\"name\":\"{entity}.csv\",\"rows\":{rows},\"sha256\":\"{hash}\"}}"
            )
        });
        format!(
            "{{\"schema\":\"ehc-gateway/la-export/1\",\"authority\":\"334\",\
             \"extracted_at\":\"2026-11-20T02:00:00Z\",\"mode\":\"full\",\"files\":[{}]}}",
            files.collect::<Vec<_>>().join(",")
        )
    }

    fn packed(&self, manifest: &str) -> Vec<u8> {
        let mut parts = vec![(FILE_NAME.to_owned(), manifest.as_bytes().to_vec())];
        for (entity, text) in &self.files {
            parts.push((format!("{entity}.csv"), text.clone().into_bytes()));
        }
        for (name, bytes) in &self.documents {
            parts.push((format!("{DOCUMENTS}{name}"), bytes.to_vec()));
        }
        pack(parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
    }

    fn read(&self) -> Result<Reading, ReadError> {
        read(&self.packed(&self.manifest()), &mapping(), "334", marked)
    }

    fn drafts(&self) -> Vec<Draft> {
        self.read().unwrap().items.into_iter().map(|item| item.draft).collect()
    }

    /// The rules that stop the first request.
    fn errors(&self) -> Vec<String> {
        let notes = self.drafts().remove(0).notes;
        notes.into_iter().filter(Issue::is_error).map(|issue| issue.rule).collect()
    }
}

fn mapping() -> Mapping {
    Mapping::built_in("canonical-la-export").unwrap()
}

fn text(draft: &Draft, field: Field) -> &str {
    draft.first(field).unwrap().text.expose()
}

#[test]
fn a_set_becomes_requests_that_know_who_they_are_about() {
    let drafts = Export::whole().drafts();
    assert_eq!(drafts.len(), 2);
    let first = &drafts[0];
    let expected = [
        (Field::ID, "A1"),
        (Field::CASE, "C1"),
        (Field::LA_PERSON_ID, "P1"),
        (Field::NHS_NUMBER, "999 000 0018"),
        (Field::UPN, "B334210024017"),
        (Field::FAMILY_NAME, "Testcase"),
        (Field::POSTCODE, "B91 9ZZ"),
        (Field::ASSESSMENT_REQUESTED_ON, "2026-10-20"),
        (Field::CONSENT_STATUS, "given"),
        (Field::CONSENT_REFERENCE, "F2"),
    ];
    for (field, value) in expected {
        assert_eq!(text(first, field), value, "{field}");
    }
    assert_eq!(first.first(Field::NHS_NUMBER).unwrap().place.to_string(), "sheet 2, cell C2");
    assert_eq!(first.place.to_string(), "sheet 5, row 2");
    for draft in drafts {
        draft.check(jiff::civil::date(2026, 11, 24)).unwrap();
    }
}

#[test]
fn a_merged_person_is_replaced_and_that_is_said() {
    let drafts = Export::whole().drafts();
    let second = &drafts[1];
    assert_eq!(text(second, Field::LA_PERSON_ID), "P3");
    assert_eq!(text(second, Field::GIVEN_NAMES), "Alexander");
    let rules: Vec<&str> = second.notes.iter().map(|note| note.rule.as_str()).collect();
    assert_eq!(rules, ["person-merged"]);
}

#[test]
fn whatever_could_mean_another_person_stops_the_request() {
    let head = "person_id,family_name,given_names,date_of_birth,change,merged_into\n";
    let person = |rows: &str| Export::whole().with("person", &format!("{head}{rows}")).errors();
    let robin = "P1,Testcase,Robin,2014-05-06";
    assert_eq!(person("P9,A,B,2014-05-06,,\n"), ["person-unknown"]);
    assert_eq!(person(&format!("{robin},,\n{robin},,\n")), ["person-duplicate"]);
    assert_eq!(person(&format!("{robin},deleted,\n")), ["person-deleted"]);
    assert_eq!(person(&format!("{robin},merged,\n")), ["person-merge-unclear"]);
    assert_eq!(person(&format!("{robin},merged,P1\n")), ["person-merge-unclear"]);
    assert_eq!(person(&format!("{robin},merged,P8\n")), ["person-unknown"]);
    assert_eq!(person(&format!("{robin},perhaps,\n")), ["code-unmapped"]);
    let identifiers = |rows: &str| {
        let head = "person_id,kind,value\n";
        Export::whole().with("person_identifier", &format!("{head}{rows}")).errors()
    };
    assert_eq!(
        identifiers("P1,nhs_number,9990000018\nP3,nhs_number,999-000-0018\n"),
        ["nhs-number-shared"]
    );
    assert_eq!(
        identifiers("P1,nhs_number,9990000018\nP1,nhs_number,9990000034\n"),
        ["identifier-twice"]
    );
    // The other owner is gone: merged into P3, or deleted.
    assert!(identifiers("P1,nhs_number,9990000018\nP2,nhs_number,9990000018\n").is_empty());
    assert!(identifiers("P1,nhs_number,9990000018\nP4,nhs_number,9990000018\n").is_empty());
}

#[test]
fn requests_and_cases_that_were_deleted_or_are_missing_are_refused() {
    let request = "advice_request_id,case_ref,requested_on,services,change\n";
    let requests =
        |row: &str| Export::whole().with("advice_request", &format!("{request}{row}")).errors();
    assert_eq!(requests("A1,C1,2026-11-02,OT,deleted\n"), ["request-deleted"]);
    assert_eq!(requests("A1,C9,2026-11-02,OT,\n"), ["case-unknown"]);
    assert_eq!(requests("A1,C4,2026-11-02,OT,\n"), ["person-deleted"]);
    let head = "case_ref,person_id,received_on,change\n";
    let cases = |rows: &str| Export::whole().with("ehc_request", &format!("{head}{rows}")).errors();
    assert_eq!(cases("C1,P1,2026-10-20,deleted\n"), ["case-deleted"]);
    assert_eq!(cases("C1,P1,2026-10-20,\nC1,P3,2026-10-20,\n"), ["case-duplicate"]);
    assert_eq!(cases("C1,P1,20/10/2026,\n"), ["date-impossible"]);
    let twice = "A1,C1,2026-11-02,OT,\nA1,C1,2026-11-02,SALT,\n";
    let drafts = Export::whole().with("advice_request", &format!("{request}{twice}")).drafts();
    assert_eq!(drafts[1].notes.last().unwrap().rule, "row-duplicate");
}

#[test]
fn two_decisions_of_one_day_that_differ_stop_the_request() {
    let head = "case_ref,status,given_by,decided_on\n";
    let rows = "C1,given,parent,2026-10-21\nC1,refused,parent,2026-10-21\n";
    assert_eq!(
        Export::whole().with("consent", &format!("{head}{rows}")).errors(),
        ["consent-unclear"]
    );
}

#[test]
fn an_address_that_is_not_certain_is_left_out() {
    let rows = "person_id,address,postcode,ends_on\nP1,1 A Road,B91 1AA,\nP1,2 B Road,B91 1AB,\n";
    let draft = Export::whole().with("address", rows).drafts().remove(0);
    assert!(draft.first(Field::POSTCODE).is_none());
    assert_eq!(draft.notes.last().unwrap().rule, "address-unclear");
}

#[test]
fn documents_go_with_their_request_when_they_are_the_ones_listed() {
    let pdf = b"%PDF-1.7 views";
    let index = |hash: &str| format!("{DOCUMENT}A1,views.pdf,{hash},application/pdf\n");
    let mut export = Export::whole().with("document_index", &index(&marked(pdf)));
    assert_eq!(export.errors(), ["document-missing"]);
    export.documents = vec![("views.pdf", pdf), ("other.pdf", b"x")];
    let reading = export.read().unwrap();
    assert_eq!(reading.notes.last().unwrap().rule, "documents-unindexed");
    let attachment = &reading.items[0].draft.attachments[0];
    assert_eq!(attachment.content.expose(), pdf);
    assert!(reading.items[1].draft.attachments.is_empty());
    let mut export = Export::whole().with("document_index", &index(&marked(b"another")));
    export.documents = vec![("views.pdf", pdf)];
    assert_eq!(export.errors(), ["document-hash"]);
}

#[test]
fn a_set_that_is_not_what_its_manifest_says_is_refused_whole() {
    let export = Export::whole();
    let rule = |manifest: &str| {
        read(&export.packed(manifest), &mapping(), "334", marked).unwrap_err().rule
    };
    let manifest = export.manifest();
    assert_eq!(rule(&manifest.replace("\"334\"", "\"330\"")), "manifest-authority");
    assert_eq!(rule(&manifest.replacen("\"rows\":4", "\"rows\":5", 1)), "manifest-rows");
    assert_eq!(rule(&manifest.replacen("person.csv", "people.csv", 1)), "manifest-file-missing");
    let hash = marked(PERSON.as_bytes());
    assert_eq!(rule(&manifest.replace(&hash, &marked(b""))), "manifest-hash");
    let mut more = Export::whole();
    more.files.push(("plan", "plan_id\n".to_owned()));
    let bytes = more.packed(&manifest);
    let refused = read(&bytes, &mapping(), "334", marked).unwrap_err();
    assert_eq!(refused.rule, "manifest-file-unlisted");
    let mut less = Export::whole();
    less.files.retain(|(entity, _)| *entity != "ehc_request");
    assert_eq!(less.read().unwrap_err().rule, "manifest-entity-missing");
    let alone = pack([("person.csv", PERSON.as_bytes())]).unwrap();
    assert_eq!(read(&alone, &mapping(), "334", marked).unwrap_err().rule, "manifest-missing");
    assert_eq!(read(b"id\n", &mapping(), "334", marked).unwrap_err().rule, "set-broken");
}

#[test]
fn entities_that_no_message_carries_are_counted_and_not_read() {
    let blank = Export::whole().with("plan", "plan_id,case_ref\nL1,C1\n\n");
    // The manifest made here counts the blank line, which is no row.
    assert_eq!(blank.read().unwrap_err().rule, "manifest-rows");
    let plain = Export::whole().with("plan", "plan_id,case_ref\nL1,C1\n").read().unwrap();
    assert!(plain.notes.iter().any(|note| note.rule == "entity-unread"));
}

#[test]
fn nothing_that_is_said_of_a_set_repeats_a_cell() {
    let cells: Vec<&str> = PERSON.split(',').collect();
    for index in 7..cells.len() {
        let mut cells = cells.clone();
        cells[index] = "Zanzibarq";
        let issues = match Export::whole().with("person", &cells.join(",")).read() {
            Ok(reading) => {
                let rows = reading.items.into_iter().flat_map(|item| item.draft.notes);
                reading.notes.into_iter().chain(rows).collect()
            }
            Err(refused) => vec![refused.to_issue()],
        };
        for issue in issues {
            assert!(!format!("{issue} {issue:?}").contains("Zanzibarq"), "{issue}");
        }
    }
}

#[test]
fn the_documented_columns_are_those_of_the_mapping() {
    let page = include_str!("../../../schemas/csv/export.md");
    let mapping = mapping();
    for (entity, part) in &mapping.entities {
        let start = format!("| `{}` |", entity.name());
        let line = page.lines().find(|line| line.starts_with(&start)).unwrap();
        let cell = line.split('|').nth(2).unwrap();
        let mut documented: Vec<(String, bool)> = cell
            .split(", ")
            .map(|name| (name.trim().replace(['`', '*'], ""), name.contains("**")))
            .collect();
        let columns = part.columns.iter().map(|column| (column.from[0].clone(), column.required));
        let keys = part.keys.iter().map(|key| (key.from[0].clone(), key.required));
        let mut actual: Vec<(String, bool)> = columns.chain(keys).collect();
        // What is left out on purpose is not documented, save the day an address began.
        documented.retain(|(name, _)| name != "starts_on");
        documented.sort();
        actual.sort();
        assert_eq!(documented, actual, "{}", entity.name());
    }
}
