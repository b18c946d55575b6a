use jiff::civil::date;
use schemas::MessageType;

use super::*;
use crate::authority::fixtures::{RULES, book, book_with_16la};

fn problem(from: &str, to: &str) -> TableError {
    let text = RULES.replacen(from, to, 1);
    assert_ne!(text, RULES, "nothing was replaced: {from}");
    Rules::parse(&text).unwrap_err()
}

#[test]
fn the_built_in_rules_cover_every_type_of_message() {
    let rules = Rules::built_in().unwrap();
    for kind in MessageType::ALL {
        assert_eq!(rules.rule(kind.as_str()).unwrap().message, kind.as_str());
    }
    assert_eq!(rules.version(), "authority-1");
    assert_eq!(Rules::parse(Rules::built_in_text()), Ok(rules.clone()), "the text that is shown");
    assert_eq!(rules.all().count(), MessageType::ALL.len());
}

#[test]
fn the_version_names_rules_and_agreements() {
    assert_eq!(book().version(), "authority-1+agreements-example-1");
}

#[test]
fn the_duty_that_is_not_in_force_is_off_until_switched_on_and_begun() {
    assert!(!Rules::built_in().unwrap().ca2004_16la_holds_on(date(2027, 1, 1)));
    let on = book_with_16la().rules;
    assert!(!on.ca2004_16la_holds_on(date(2026, 9, 29)));
    assert!(on.ca2004_16la_holds_on(date(2026, 9, 30)));
}

#[test]
fn a_rules_file_cannot_ask_for_a_silent_release() {
    for (from, to) in [
        ("regulation 6(1)\", restricted = \"hold\"", "regulation 6(1)\", restricted = \"proceed\""),
        ("regulation 6(1)\", restricted = \"hold\"", "regulation 6(1)\", restricted = \"refuse\""),
        (
            "confidentiality\", restricted = \"refuse\"",
            "confidentiality\", restricted = \"proceed\"",
        ),
        ("16LA\", restricted = \"hold\"", "16LA\", restricted = \"proceed\""),
        ("7(1)\", restricted = \"proceed\"", "7(1)\", restricted = \"refuse\""),
    ] {
        let error = problem(from, to);
        assert!(error.problem.starts_with("a restriction must"), "{to}: {error}");
    }
}

#[test]
fn a_mistake_names_its_line_and_what_is_wrong() {
    for (from, to, expected) in [
        ("message = \"advice.nil\"", "message = \"advice.nill\"", "no rule is for"),
        ("message = \"advice.nil\"", "message = \"advice.request\"", "two rules are for this"),
        ("id = \"advice-nil\"", "id = \"advice-request\"", "two rules have this id"),
        ("id = \"advice-nil\"", "id = \"\"", "must not be empty"),
        ("purposes = [\"ehc-plan\"]", "purposes = []", "at least one purpose"),
        ("carries = [\"identity\"]", "carries = [\"consent\"]", "`carries` does not name"),
        (
            "{ to = \"icb\", classes = [\"identity\"] }",
            "{ to = \"health-trust\", classes = [] }",
            "twice",
        ),
        ("SEND Regulations 2014, regulation 6(1)", "", "needs a `reference`"),
        (
            "purposes = [\"ehc-plan\"]",
            "purposes = [\"ehc-plan\"]\nundirected = true",
            "can be `undirected`",
        ),
        ("basis = \"ca2004-16la\"", "basis = \"record-keeping\"", "cannot stand beside"),
        ("basis = \"statute\"", "basis = \"habit\"", "unknown variant"),
        ("undirected = true", "directed = true", "unknown field"),
        ("from = 2026-09-30", "from = \"soon\"", "without quotes"),
        ("version = \"authority-1\"", "version = \"\"", "empty"),
    ] {
        let error = problem(from, to);
        assert!(error.problem.contains(expected), "{to}: {error}");
        assert!(error.line > 1, "{to}: {error}");
    }
}

#[test]
fn every_legal_power_names_its_provision() {
    for rule in Rules::built_in().unwrap().all() {
        for candidate in &rule.authority {
            if !matches!(candidate.basis, Basis::Consent | Basis::DirectCareImplied) {
                assert!(candidate.reference.contains(char::is_numeric), "{}", rule.id);
            }
        }
    }
}
