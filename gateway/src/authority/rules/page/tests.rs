use super::super::Rules;
use super::*;
use crate::authority::Agreements;

const AGREEMENTS: &str = include_str!("../../../../config/agreements.example.toml");

fn made(rules: &str) -> String {
    let (rules_of, agreements) =
        (Rules::parse(rules).unwrap(), Agreements::parse(AGREEMENTS).unwrap());
    page(&RuleBook { agreements, rules: rules_of }, rules)
}

#[test]
fn every_rule_is_there_with_its_law_its_recipients_and_its_version() {
    let page = made(Rules::built_in_text());
    let rules = Rules::built_in().unwrap();
    assert_eq!(page.matches("\n### `").count(), schemas::MessageType::ALL.len());
    for rule in rules.all() {
        let start = page.find(&format!("\n### `{}`\n", rule.message)).expect(&rule.message);
        let own = page.get(start + 4..).unwrap().split("\n### ").next().unwrap();
        assert!(own.contains(&format!("Rule `{}` of `authority-1`", rule.id)), "{own}");
        for candidate in &rule.authority {
            assert!(own.contains(&candidate.reference), "{own}");
        }
        for (kind, share) in &rule.release {
            let row = format!("| {} | {} |", kind.in_words(), classes(&share.classes));
            assert!(own.contains(&row), "{own}");
        }
    }
    for one in rules.plan_disclosures() {
        assert!(page.contains(&one.words), "{}", one.purpose);
    }
}

#[test]
fn what_the_file_says_above_a_rule_is_taken_over() {
    let page = made(Rules::built_in_text());
    assert!(page.contains("## Advice (M04 to M12)"), "sections as in the file");
    let considering = page.split("### `ehcna.considering`").nth(1).unwrap();
    let considering = considering.split("\n### ").next().unwrap();
    assert!(considering.contains("Regulation 4(2) names the responsible commissioning body."));
    let draft = page.split("## The plan while it is being made").nth(1).unwrap();
    assert!(draft.contains("regulation 17 does not apply to it. Not verified."));
    let count = |text: &str| text.matches("Not verified").count();
    assert_eq!(count(&page), count(Rules::built_in_text()), "what nobody has checked is all there");
}

#[test]
fn another_rule_makes_another_page() {
    let draft = Rules::built_in_text().replacen(
        "regulation 6(1)\", restricted",
        "regulation 99\", restricted",
        1,
    );
    assert_ne!(made(&draft), made(Rules::built_in_text()));
}

#[test]
fn the_page_among_the_documents_is_made_from_the_rules_and_the_example_agreements() {
    let found = include_str!("../../../../docs/authority.md");
    let made = made(Rules::built_in_text());
    assert!(
        found == made,
        "gateway/docs/authority.md differs: write it anew with `ehc-gateway authority page`"
    );
}
