//! The file of rules: what is shipped, and what is refused with its line.

use std::collections::BTreeSet;

use super::{Rules, Test, rules};
use crate::access_report::{Sort, sort};
use crate::audit::{Actor, Event, EventKind};
use crate::odd_access::{ACCESSES, Rule};
use crate::telemetry::name_of;

/// What stands in `code` in some lines, as far as it is the name of a kind of entry.
fn kinds_in(text: &str) -> BTreeSet<String> {
    let words = text.split('`').skip(1).step_by(2);
    let is_kind = |word: &&str| serde_json::from_value::<EventKind>((*word).into()).is_ok();
    words.filter(is_kind).map(str::to_owned).collect()
}

#[test]
fn what_counts_as_an_access_is_every_look_and_the_page_lists_it() {
    let listed: BTreeSet<String> = ACCESSES.into_iter().map(name_of).collect();
    let all = kinds_in(include_str!("../../../docs/logging.md"));
    assert!(all.len() > 60, "{all:?}");
    let looks = all.into_iter().filter(|name| {
        let kind: EventKind = serde_json::from_value(name.as_str().into()).unwrap();
        matches!(sort(&Event::new(kind, Actor::local())), Sort::Given | Sort::Looked)
    });
    assert_eq!(looks.collect::<BTreeSet<_>>(), listed);
    let page = include_str!("../../../docs/odd-access.md");
    let (_, rest) = page.split_once("- Its `kind` is one of").unwrap();
    assert_eq!(kinds_in(rest.split_once("\n- ").unwrap().0), listed);
}

#[test]
fn what_is_shipped_has_every_kind_of_rule_and_the_page_tells_of_each() {
    const PAGE: &str = include_str!("../../../docs/odd-access.md");
    let rules = rules();
    let kinds: Vec<&str> = rules.rules.iter().map(Rule::kind).collect();
    for kind in [
        "override",
        "out-of-hours",
        "bulk",
        "rate",
        "unusual-recipient",
        "restricted",
        "own-surname",
        "own-postcode",
    ] {
        assert!(kinds.contains(&kind), "no rule is of kind {kind}");
    }
    for rule in &rules.rules {
        let row = format!(
            "| `{}` | {} | {} |",
            rule.name,
            rule.severity.as_str(),
            rule.reviewers.as_str()
        );
        assert!(PAGE.contains(&row), "the page does not say: {row}");
    }
    assert!(PAGE.contains(&format!("version {}", rules.version)), "another version");
    assert!(matches!(rules.rule("override").unwrap().test, Test::Override { .. }));
}

#[test]
fn every_vote_to_release_and_every_emergency_is_an_alert_of_one_rule() {
    let rules = rules();
    for reason in crate::journey::HOLD_REASONS {
        let tests = rules.rules.iter().map(|rule| &rule.test);
        let of = tests.filter(
            |test| matches!(test, Test::Override { grounds, .. } if grounds.contains(reason)),
        );
        // The one reason that only refuses releases nothing.
        assert_eq!(of.count(), usize::from(reason != "objection-upheld"), "{reason}");
    }
    assert_eq!(rules.rules.iter().filter(|rule| rule.is_of_emergencies()).count(), 1);
}

/// The shipped file with one piece replaced, and what is said of it.
fn refused(old: &str, new: &str) -> String {
    let text = Rules::built_in_text();
    assert!(text.contains(old), "{old} is not in the file");
    Rules::parse(&text.replacen(old, new, 1)).unwrap_err().to_string()
}

#[test]
fn a_mistake_is_refused_with_its_line_and_what_to_write() {
    for (old, new, said) in [
        ("version = \"2026-11-2\"", "version = \" \"", "version is empty"),
        ("from = 2024-09-01", "from = \"soon\"", "write a date"),
        ("from = 07:00:00", "from = 21:00:00", "`from` must be before `until`"),
        ("from = 07:00:00", "from = 7", "write a time"),
        ("\"monday\"", "\"Monday\"", "is no weekday"),
        ("\"monday\"", "\"friday\"", "is there twice"),
        ("bank_holidays = \"closed\"", "bank_holidays = \"maybe\"", "maybe"),
        ("kind = \"rate\"", "kind = \"speed\"", "speed"),
        ("severity = \"high\"", "severity = \"grave\"", "grave"),
        ("looks = 120", "looks = 0", "`looks` must be 1 or more"),
        ("looks = 120", "glances = 120", "glances"),
        ("looks = 120", "looks = 120\npeople = 3", "`people` means nothing"),
        ("within_minutes = 60", "", "`within_minutes` is needed"),
        ("within_minutes = 60", "within_minutes = 1441", "`within_minutes` is needed, 1 to 1440"),
        ("name = \"many-looks\"", "name = \"many-people\"", "two rules have this name"),
        ("name = \"many-looks\"", "name = \"Many looks\"", "lower-case"),
        ("name = \"many-looks\"", "name = \"sample\"", "not `sample`"),
        ("\"safeguarding\", ", "\"a-hunch\", ", "is no reason of a vote"),
        ("restrictions = [\"protected-address\"]", "restrictions = []", "at least one restriction"),
        ("restrictions = [\"protected-address\"]", "restrictions = [\"secret\"]", "secret"),
        ("shared_by_at_most = 4", "", "needs `shared_by_at_most`"),
        ("review_within_days = 2", "review_within_days = 0", "`review_within_days`"),
        ("once_within_hours = 24", "once_within_hours = 745", "1 to 744"),
        ("]\nemergencies = false", "]\nemergencies = true", "an emergency is one alert"),
        ("looks = 120", "looks = 120\nemergencies = false", "`emergencies` means nothing"),
        ("grounds = [", "once_within_hours = 3\ngrounds = [", "an alert of its own"),
    ] {
        let error = refused(old, new);
        assert!(error.contains(said), "{old} -> {new}: {error}");
        assert!(error.starts_with("line "), "{error}");
    }
    let error = refused("looks = 120", "looks = 0");
    let line = Rules::built_in_text().lines().position(|line| line == "name = \"many-looks\"");
    assert!(error.starts_with(&format!("line {}:", line.unwrap() + 1)), "{error}");
}
