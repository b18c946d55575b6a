use super::*;
use crate::authority::fixtures::*;

fn found(agreements: &str, rules: &str) -> Vec<(Source, usize, String)> {
    let findings = book_of(agreements, rules).findings(Catalogue::built_in());
    findings.into_iter().map(|one| (one.source, one.line, one.problem)).collect()
}

/// What is found once one thing in a file is replaced by another.
fn in_rules(from: &str, to: &str) -> Vec<(Source, usize, String)> {
    let text = RULES.replacen(from, to, 1);
    assert_ne!(text, RULES, "nothing was replaced: {from}");
    found(AGREEMENTS, &text)
}

fn one_about(found: &[(Source, usize, String)], words: &str) {
    assert!(
        found.iter().any(|(_, line, problem)| *line > 1 && problem.contains(words)),
        "{found:?}"
    );
}

/// The part of the rules file that is the rule for a type of message.
fn rule_text(message: &str) -> &'static str {
    let named = format!("message = \"{message}\"");
    RULES.split("\n[[rule]]\n").find(|part| part.contains(&named)).unwrap()
}

#[test]
fn nothing_contradicts_in_what_is_shipped() {
    assert_eq!(found(AGREEMENTS, RULES), []);
    assert_eq!(found(AGREEMENTS, &RULES.replace("enabled = false", "enabled = true")), []);
    let on_record =
        RULES.replace("\ndetriment_test = \"by-a-person\"", "\ndetriment_test = \"on-record\"");
    assert_eq!(found(AGREEMENTS, &on_record), []);
}

#[test]
fn an_authority_that_another_always_decides_before_is_found() {
    let statute = "regulation 6(4)\", restricted = \"hold\" },\n";
    let beside = format!(
        "{statute}  {{ basis = \"consent\", reference = \"the common law duty\", restricted = \
         \"refuse\" }},\n"
    );
    one_about(&in_rules(statute, &beside), "\"consent\" (the common law duty) can never be");
}

#[test]
fn a_recipient_whom_no_authority_covers_is_found() {
    let to_trusts = "(by the joint arrangements)\", restricted = \"hold\", to = [\"health-trust\"]";
    let to_boards = to_trusts.replace("health-trust", "icb");
    let found = in_rules(to_trusts, &to_boards);
    one_about(&found, "`release` names a health trust, for which no authority");
    one_about(&found, "can never be the one relied on");
}

#[test]
fn rules_and_catalogue_that_disagree_are_found() {
    let found = in_rules("purposes = [\"early-identification\"]", "purposes = [\"ehc-plan\"]");
    one_about(&found, "`purposes` lacks \"early-identification\", which M01 is for");
    let rule = rule_text("s23.notification");
    let narrower = rule.replace(", \"health\", \"documents\"]", "]");
    one_about(&in_rules(rule, &narrower), "`carries` lacks \"health\"");
    let wider = rule_text("plan.draft")
        .replace("carries = [\"identity\"]", "carries = [\"identity\", \"health\", \"documents\"]");
    let found = in_rules(rule_text("plan.draft"), &wider);
    one_about(&found, "`carries` has \"health\" and \"documents\", which M15 is not for");
    let rested = rule.replace("basis = \"statute\"", "basis = \"consent\"");
    let found = in_rules(rule, &rested);
    one_about(&found, "`authority` has \"consent\", which M01 of the catalogue does not");
    one_about(&found, "`authority` lacks \"statute\", which M01 has");
    let turned = rule.replace("from = [\"health-trust\", \"icb\"]", "from = [\"local-authority\"]");
    one_about(&in_rules(rule, &turned), "goes from health to a local authority");
}

#[test]
fn a_rule_goes_in_the_direction_that_the_catalogue_gives_it() {
    let agree = |message, direction| {
        let book = book();
        against_direction(book.rules.rule(message).unwrap(), direction)
    };
    // From the council to trusts; from trusts to the council; from trusts to both.
    for (message, allowed) in [
        ("advice.request", vec![Direction::AuthorityToHealth]),
        ("advice.response", vec![Direction::HealthToAuthority]),
        ("transition.referral", vec![]),
    ] {
        for direction in [
            Direction::AuthorityToHealth,
            Direction::HealthToAuthority,
            Direction::WithinHealth,
            Direction::Either,
        ] {
            let agrees = direction == Direction::Either || allowed.contains(&direction);
            assert_eq!(agree(message, direction).is_none(), agrees, "{message} {direction:?}");
        }
    }
    let words = agree("advice.request", Direction::WithinHealth).unwrap();
    assert!(words.contains("that it goes within health"), "{words}");
}

#[test]
fn a_finding_is_read_with_its_line() {
    let finding = Finding { source: Source::Rules, line: 12, problem: "no".to_owned() };
    assert_eq!(finding.to_string(), "line 12: no");
}

#[test]
fn a_rule_for_a_message_the_catalogue_does_not_know_is_found() {
    let rule = rule_text("plan.draft");
    let more = rule.replace("plan-draft", "x").replace("plan.draft", "plan.sketch");
    let text = format!("{RULES}\n[[rule]]\n{more}");
    one_about(&found(AGREEMENTS, &text), "the catalogue has no message `plan.sketch`");
}

#[test]
fn a_plan_in_one_file_for_somebody_who_may_not_have_every_section_is_found() {
    let rule = rule_text("plan.final");
    let given = rule.replace(
        "classes = [\"identity\", \"education\", \"health\"]",
        "classes = [\"identity\", \"education\", \"health\", \"documents\"]",
    );
    one_about(&in_rules(rule, &given), "the plan in one file but not every section");
}

const AGREEMENT: &str = r#"
[[agreement]]
id = "OTHER"
title = "Another"
local_authorities = ["334"]
health_trusts = ["RYW"]
purposes = ["ehc-needs-assessment"]
classes = ["identity", "health"]
from = 2025-01-01
statute = "none"
"#;

#[test]
fn two_agreements_that_contradict_are_found_with_both_lines() {
    let text = format!("{AGREEMENTS}{AGREEMENT}");
    let found = found(&text, RULES);
    let [(source, line, problem)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*source, Source::Agreements);
    let place = text.lines().position(|line| line.contains("\"OTHER\"")).unwrap() + 1;
    assert_eq!(*line, place);
    assert!(problem.contains("it contradicts `EX-334-EHC-ADVICE` on line"), "{problem}");
    // One day on which both are in force is enough.
    let one_day = AGREEMENT.replace("from = 2025-01-01", "from = 2019-01-01\nuntil = 2024-09-01");
    one_about(&self::found(&format!("{AGREEMENTS}{one_day}"), RULES), "it contradicts `EX-334");
    // The same classes, other bodies, other days or other purposes contradict nothing.
    for (from, to) in [
        (
            "classes = [\"identity\", \"health\"]",
            "classes = [\"identity\", \"contact\", \"education\", \"health\", \"consent\", \"documents\"]",
        ),
        ("\"334\"", "\"330\""),
        ("from = 2025-01-01", "from = 2019-01-01\nuntil = 2024-08-31"),
        ("ehc-needs-assessment", "continuing-care"),
    ] {
        let changed = format!("{AGREEMENTS}{}", AGREEMENT.replace(from, to));
        let found = self::found(&changed, RULES);
        let about = found.iter().filter(|(_, _, problem)| problem.contains("ADVICE"));
        assert_eq!(about.count(), 0, "{to}: {found:?}");
    }
}

#[test]
fn an_agreement_under_which_nothing_can_go_is_found() {
    let with = |from: &str, to: &str| {
        let other = AGREEMENT.replace("\"334\"", "\"330\"").replace(from, to);
        found(&format!("{AGREEMENTS}{other}"), RULES)
    };
    one_about(&with("\"identity\", ", ""), "`classes` lacks \"identity\"");
    one_about(&with("ehc-needs-assessment", "fishing"), "names `fishing`, which no rule is for");
    let messages = with("purposes = [\"ehc-needs-assessment\"]", "messages = [\"plan.sketch\"]");
    one_about(&messages, "names `plan.sketch`, for which there is no rule");
}

#[test]
fn an_agreement_whose_withdrawal_could_reach_nobody_is_found() {
    let told = "messages = [\"consent.withdraw\", \"recall\"]";
    assert!(AGREEMENTS.contains(told));
    let found = found(&AGREEMENTS.replace(told, "messages = [\"recall\"]"), RULES);
    one_about(&found, "because somebody agreed, and nothing lets 15E be told");
    assert_eq!(found.len(), 1, "{found:?}");
}
