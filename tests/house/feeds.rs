//! The table of feeds: every row says what is taken or refused, why, and which test holds it.
//!
//! A row names tests, or files of `tests/corpus` that the test of their format reads: those under
//! `good` must be accepted, those under `bad` must give exactly the issues beside them.

use std::collections::BTreeSet;

use crate::tree::File;
use crate::{assert_found, assert_none, tree};

const PAGE: &str = "gateway/docs/feeds.md";

/// The rows of the page's tables: line number and cells. Header and rule lines are left out.
fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &str| line.starts_with("|--") || line.starts_with("| --");
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let heads = lines.get(at + 1).is_some_and(|next| is_rule(next));
        if line.starts_with('|') && !is_rule(line) && !heads {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            found.push((at + 1, cells.collect()));
        }
    }
    found
}

/// What stands between backticks in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The names of the tests in some Rust text: functions under a test attribute, or in `proptest!`.
pub(crate) fn test_names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) =
            line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))
            && std::mem::take(&mut marked)
        {
            names.extend(rest.split(['(', '<']).next().map(str::to_owned));
        }
    }
    names
}

/// Rows that do not have four cells, do not say yes or no, give no reason, or name no test there is.
fn findings(page: &File, tests: &BTreeSet<String>, corpus: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    let rows = rows(&page.text);
    if rows.is_empty() {
        findings.push(format!("{}: there is no table", page.path));
    }
    for (line, cells) in rows {
        let place = format!("{}:{line}", page.path);
        let [_, taken, why, held_by] = cells.as_slice() else {
            findings
                .push(format!("{place}: a row has four cells: what, taken, how or why, held by"));
            continue;
        };
        if !["taken", "sent", "refused", "held", "left out"].contains(&taken.as_str()) {
            findings.push(format!("{place}: say taken, sent, refused, held or left out"));
        }
        if why.is_empty() {
            findings.push(format!("{place}: say how, or why not"));
        }
        let named = quoted(held_by);
        if named.is_empty() {
            findings.push(format!("{place}: name the test that holds it"));
        }
        for name in named {
            // A name with a slash is a file of the corpus, which the test of its format reads.
            let (there, kind) = if name.contains('/') {
                (corpus(name), "file of the corpus")
            } else {
                (tests.contains(name), "test")
            };
            if !there {
                findings.push(format!("{place}: there is no {kind} {name}"));
            }
        }
    }
    findings
}

#[test]
fn every_row_about_a_feed_is_held_by_a_test() {
    let page = tree::file(PAGE).expect("the feeds are documented");
    let sources = tree::files().iter().filter(|file| file.is("rs"));
    let tests = sources.flat_map(|file| test_names(&file.text)).collect();
    let corpus = |name: &str| tree::file(&format!("tests/corpus/{name}")).is_some();
    assert_none("feeds", &findings(page, &tests, &corpus));
}

#[test]
fn a_row_about_a_feed_that_nothing_holds_would_be_noticed() {
    let text = "| what | taken? | why | held by |\n|---|---|---|---|\n| a | taken | b | `there` |\n\
                | c | maybe | | |\n| d | refused | e | `gone` |\n| f | taken |\n\
                | g | held | h | `a/b.csv` `a/c.csv` |\n";
    let page = File { path: "p.md".to_owned(), text: text.to_owned() };
    let tests = test_names("#[test]\nfn there() {}\nfn gone() {}\n");
    assert_eq!(tests.len(), 1, "a function without the attribute is no test");
    let findings = findings(&page, &tests, &|name| name == "a/b.csv");
    assert_found(&findings, "p.md:4: say taken");
    assert_found(&findings, "p.md:4: say how");
    assert_found(&findings, "p.md:4: name the test");
    assert_found(&findings, "p.md:5: there is no test gone");
    assert_found(&findings, "p.md:6: a row has four cells");
    assert_found(&findings, "p.md:7: there is no file of the corpus a/c.csv");
    assert_eq!(findings.len(), 6, "{findings:?}");
}
