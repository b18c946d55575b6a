use crate::ReadError;
use crate::json::samples;
use crate::xml::tests::{Documented, never_panics, plants_canaries, read_as};

fn read(bytes: &[u8]) -> Result<crate::Reading, ReadError> {
    read_as("", None, bytes)
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("cda/good", true, read);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("cda/bad", false, read);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    plants_canaries("cda/good", read);
}

#[test]
fn no_damage_makes_it_panic() {
    never_panics("cda/good", read);
}

#[test]
fn the_documented_table_is_what_is_read() {
    Documented::of("cda").agrees_with("cda/good", "ClinicalDocument/", read);
}

#[test]
fn sections_are_rendered_in_their_order() {
    let corpus = samples::corpus("cda/good");
    let alone = corpus.iter().find(|s| s.name.starts_with("structured")).expect("it is there");
    let draft = read(&alone.bytes).expect("it is read").items.remove(0).draft;
    let words = String::from_utf8(draft.attachments[0].content.expose().to_vec()).expect("text");
    assert_eq!(
        words,
        "Outpatient letter\n\nFindings\nHeight and weight as expected.\n- first\n\
         - second < third\nWeight\t21 kg\n\nPlan\nReview in\nsix months."
    );
}
