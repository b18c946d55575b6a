use schemas::Draft;

use super::*;
use crate::json::samples;
use crate::xml::tests::{never_panics, plants_canaries, read_as};

/// Reads a file of the corpus through the mapping its root is for.
fn read(bytes: &[u8]) -> Result<Reading, ReadError> {
    let sen2 = bytes.windows(9).any(|window| window == b"<Message>");
    let name = if sen2 { "sen2-person-level" } else { "liquidlogic-xml-advice-request" };
    let mapping = Mapping::built_in(name).expect("it is shipped");
    read_as("[constants]\n\"request.services\" = \"PAEDIATRICS\"", Some(&mapping), bytes)
}

fn drafts(name: &str) -> Vec<(Draft, PersonalBytes)> {
    let corpus = samples::corpus("xml-la/good");
    let sample = corpus.into_iter().find(|sample| sample.name == name).expect("it is there");
    let items = read(&sample.bytes).expect("it is read").items;
    items.into_iter().map(|item| (item.draft, item.raw)).collect()
}

fn texts(draft: &Draft, field: Field) -> Vec<&str> {
    draft.all(field).map(|located| located.text.expose()).collect()
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("xml-la/good", true, read);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("xml-la/bad", false, read);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    plants_canaries("xml-la/good", read);
}

#[test]
fn no_damage_makes_it_panic() {
    never_panics("xml-la/good", read);
}

#[test]
fn a_record_has_its_own_bytes_codes_lists_and_places() {
    let drafts = drafts("liquidlogic-export.xml");
    let (draft, raw) = &drafts[0];
    assert_eq!(texts(draft, Field::SERVICES), ["SALT", "OT"]);
    assert_eq!(texts(draft, Field::QUESTIONS), ["What helps?", "What hinders?"]);
    assert_eq!(texts(draft, Field::SEX), ["female"]);
    assert_eq!(texts(draft, Field::DATE_OF_BIRTH), ["2017-05-14"]);
    let place = &draft.first(Field::NHS_NUMBER).expect("it is there").place;
    let expected = "line 8, column 5 (ADVICE_REQUESTS/ADVICE_REQUEST/NHS_NUMBER)";
    assert_eq!(place.to_string(), expected);
    let raw = std::str::from_utf8(raw.expose()).expect("text");
    assert!(raw.starts_with("<ADVICE_REQUEST>") && raw.ends_with("</ADVICE_REQUEST>"));
    assert_eq!(raw.matches("EHCP_EPISODE_ID").count(), 2, "of one record only");
    assert_eq!(texts(&drafts[1].0, Field::FAMILY_NAME), ["Ångström & Söhne"]);
}

#[test]
fn a_request_of_the_return_has_the_person_around_it() {
    let drafts = drafts("sen2-with-local-ids.xml");
    assert_eq!(drafts.len(), 2, "a plan is no request, and nor is a refused assessment");
    let (draft, raw) = &drafts[1];
    assert_eq!(texts(draft, Field::LA_PERSON_ID), ["700002"]);
    assert_eq!(texts(draft, Field::CASE), ["EP-2"]);
    assert_eq!(texts(draft, Field::ID), ["SEN2-EP-2-2026-02-20"]);
    assert_eq!(texts(draft, Field::SERVICES), ["PAEDIATRICS"], "a constant of the feed");
    assert!(raw.expose().starts_with(b"<Person>"));
}

/// The table of the mapping page under a heading: field and elements.
fn documented(name: &str) -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/xml/mapping.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let section = page.lines().skip_while(|line| *line != format!("## `{name}`")).skip(1);
    let rows = section.take_while(|line| !line.starts_with("## ")).filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let field = cells.next()?.trim_end_matches('`').to_owned();
        Some((field, cells.next()?.replace('`', "")))
    });
    rows.collect()
}

#[test]
fn the_documented_tables_are_the_mappings() {
    for name in ["liquidlogic-xml-advice-request", "sen2-person-level"] {
        let mapping = Mapping::built_in(name).expect("it is shipped");
        let fields = mapping.fields();
        let actual: Vec<(String, String)> =
            fields.map(|(field, from)| (field.path().to_owned(), from.join(", "))).collect();
        assert_eq!(documented(name), actual, "{name}");
    }
}

#[test]
fn the_schema_of_the_export_has_every_element_that_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/xml/liquidlogic-export-1.xsd");
    let schema = std::fs::read_to_string(path).expect("the schema is there");
    let mapping = Mapping::built_in("liquidlogic-xml-advice-request").expect("it is shipped");
    for name in mapping.fields().flat_map(|(_, from)| from) {
        assert!(schema.contains(&format!("name=\"{name}\"")), "{name}");
    }
}
