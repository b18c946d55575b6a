use crate::ReadError;
use crate::json::samples;
use crate::xml::tests::{Documented, never_panics, plants_canaries, read_as};

fn read(bytes: &[u8]) -> Result<crate::Reading, ReadError> {
    read_as(FEED, None, bytes)
}

#[test]
fn the_good_corpus_is_accepted() {
    samples::agrees("kettering/good", true, read);
}

#[test]
fn the_bad_corpus_is_refused_with_every_rule_and_place() {
    samples::agrees("kettering/bad", false, read);
}

#[test]
fn no_issue_quotes_what_was_sent() {
    plants_canaries("kettering/good", read);
}

#[test]
fn no_damage_makes_it_panic() {
    never_panics("kettering/good", read);
}

#[test]
fn the_documented_table_is_what_is_read() {
    Documented::of("kettering").agrees_with("kettering/good", "ReportMsg/", read);
}

#[test]
fn without_a_constant_the_profession_is_missing_and_nothing_else() {
    for sample in samples::corpus("kettering/good") {
        let (accepted, issues) = samples::verdict(read_as("", None, &sample.bytes));
        let errors: Vec<&str> =
            issues.iter().filter(|i| i.is_error()).map(|i| i.field.as_str()).collect();
        assert!(!accepted);
        assert_eq!(errors, ["advice.author_profession"], "{}", sample.name);
    }
}

#[test]
fn a_wrong_encoding_is_guessed_only_where_the_feed_allows_it() {
    let corpus = samples::corpus("kettering/bad");
    let wrong = corpus.iter().find(|s| s.name == "encoding-wrong.xml").expect("it is there");
    let feed = format!("allow = [\"guessed-encoding\"]\n{FEED}");
    let (accepted, issues) = samples::verdict(read_as(&feed, None, &wrong.bytes));
    assert!(accepted);
    assert!(issues.iter().any(|issue| issue.rule == "leniency-guessed-encoding"));
}

#[test]
fn the_words_of_html_are_the_document() {
    let corpus = samples::corpus("kettering/good");
    let html = corpus.iter().find(|s| s.name.starts_with("parties-html")).expect("it is there");
    let draft = read(&html.bytes).expect("it is read").items.remove(0).draft;
    let words = String::from_utf8(draft.attachments[0].content.expose().to_vec()).expect("text");
    assert_eq!(words, "Dear colleague,\n\nSeen with her mother.\n\nWeight\t21 kg");
}

const FEED: &str = "[constants]\n\"advice.author_profession\" = \"Paediatrician\"";
