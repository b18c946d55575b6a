//! The page of statutory clocks says what the rules say.

use schemas::deadlines::Rules;

use crate::tree;

const PAGE: &str = "gateway/docs/clocks.md";

#[test]
fn the_page_of_clocks_is_made_from_the_rules() {
    let page = tree::file(PAGE).expect("the page of clocks");
    let made = Rules::built_in().page();
    assert!(page.text == made, "{PAGE} differs: write it anew with `ehc-gateway clocks page`");
}

#[test]
fn the_page_of_clocks_names_every_rule_and_every_exception() {
    let page = Rules::built_in().page();
    for version in Rules::built_in().versions() {
        for period in &version.periods {
            assert!(page.contains(&format!("| `{}` |", period.id)), "{}", period.id);
            assert!(page.contains(&period.provision), "{}", period.id);
        }
        for exception in &version.exceptions {
            assert!(page.contains(&format!("| `{}` |", exception.id)), "{}", exception.id);
        }
    }
}
