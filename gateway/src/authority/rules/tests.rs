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
fn what_people_may_override_is_held_to_the_law_whoever_writes_the_file() {
    let harm = "Working Together to Safeguard Children\"\nlifts = [";
    for (from, to, expected) in [
        ("basis = \"vital-interests\"", "basis = \"consent\"", "only an override or `statute`"),
        ("basis = \"vital-interests\"", "basis = \"best-interests\"", "two overrides have"),
        ("\"UK GDPR, Articles 6(1)(d) and 9(2)(c)\"", "\" \"", "an override needs a `reference`"),
        (harm, &format!("{harm}\"court-limits\", "), "only `court-or-tribunal` can lift"),
        (
            "lifts = [\"objection\", \"detriment\"",
            "lifts = [\"objection\", \"no-agreement\", \"detriment\"",
            "cannot stand in for agreement",
        ),
        ("disclosure = \"social-services\"", "disclosure = \"fishing\"", "[[plan_disclosure]]"),
    ] {
        let error = problem(from, to);
        assert!(error.problem.contains(expected), "{to}: {error}");
        assert!(error.line > 1, "{to}: {error}");
    }
}

#[test]
fn what_a_restriction_does_is_said_once_for_each_and_never_cuts_who_it_is_about() {
    for (from, to, expected) in [
        ("kind = \"sealed\"", "kind = \"objection\"", "not a restriction that the ledger"),
        ("kind = \"sealed\"", "kind = \"adoption\"", "two rows are for this restriction"),
        ("cuts = [\"contact\"]", "cuts = [\"identity\"]", "without the identity"),
        (
            "\"Adoption and Children Act 2002, sections 56 to 65\"",
            "\" \"",
            "a restriction needs a `reference`",
        ),
        (
            "[[restriction]]\nkind = \"adoption\"\nreference = \"Adoption and Children Act 2002, \
             sections 56 to 65\"\n",
            "",
            "no [[restriction]] says what `adoption` does",
        ),
    ] {
        let error = problem(from, to);
        assert!(error.problem.contains(expected), "{to}: {error}");
        assert!(error.line > 1, "{to}: {error}");
    }
}

#[test]
fn a_plan_document_rests_on_consent_or_on_a_purpose_of_regulation_17() {
    let by_law = "13(2)\", restricted = \"hold\", to = [\"icb\"], disclosure = ";
    let bare = "13(2)\", restricted = \"hold\", to = [\"icb\"] ";
    let error = problem(&format!("{by_law}\"required-by-the-regulations\" "), bare);
    assert!(error.problem.contains("only for a purpose of regulation 17"), "{error}");
    let error =
        problem(&format!("{by_law}\"required-by-the-regulations\""), &format!("{by_law}\"x\""));
    assert!(error.problem.contains("[[plan_disclosure]]"), "{error}");
}

#[test]
fn the_purposes_of_regulation_17_are_listed_in_the_order_of_the_file() {
    let rules = Rules::built_in().unwrap();
    let listed: Vec<_> = rules.plan_disclosures().iter().map(|one| one.purpose.as_str()).collect();
    let expected = [
        "required-by-the-regulations",
        "interests-of-the-child",
        "appeal",
        "court-or-criminal-proceedings",
        "ombudsman",
        "secretary-of-state",
        "social-services",
        "inspection",
        "research",
        "disabled-students-allowance",
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_recipient_is_given_what_it_needs_and_what_the_message_cannot_be_made_without() {
    let response = "\"consent\", \"documents\"], needs = [\"identity\", \"health\"] }";
    let error = problem(response, &response.replace("\"health\"]", "\"social-care\"]"));
    assert!(error.problem.contains("`needs` a class of data that it is not given"), "{error}");
    for rule in Rules::built_in().unwrap().all() {
        let kind = MessageType::parse(&rule.message).unwrap();
        for share in rule.release.values() {
            assert!(share.needs.contains(&DataClass::Identity), "{}", rule.id);
            assert!(share.needs.is_superset(&kind.indispensable_classes()), "{}", rule.id);
            assert!(share.needs.is_subset(&share.classes), "{}", rule.id);
        }
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
