//! The documents: that they exist, that links lead somewhere, that snippets parse.

use std::collections::BTreeSet;

use crate::feeds::test_names;
use crate::tree::File;
use crate::{assert_found, assert_none, tree};

/// Pages a reader is promised.
const PAGES: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "certs-example/README.md",
    "gateway/docs/architecture.md",
    "gateway/docs/audit-format.md",
    "gateway/docs/catalogue.md",
    "gateway/docs/clocks.md",
    "gateway/docs/feeds.md",
    "gateway/docs/for-information-governance.md",
    "gateway/docs/threat-model.md",
    "gateway/docs/logging.md",
    "gateway/docs/problems.md",
    "gateway/docs/odd-access.md",
    "gateway/docs/operations.md",
    "gateway/docs/retention.md",
    "gateway/docs/transition.md",
    "gateway/docs/adr/README.md",
];

/// Every setting, its default and its reason.
const EXAMPLE_CONFIG: &str = "gateway/config/ehc-gateway.example.toml";

const ADRS: &str = "gateway/docs/adr/";

/// The lines of a Markdown page outside fenced blocks, numbered from 1.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    });
    lines.collect()
}

/// The fenced blocks of a page: line, language, content.
fn fenced(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (open.take(), fence) {
            (Some(block), Some(_)) => found.push(block),
            (Some((start, language, content)), None) => {
                open = Some((start, language, content + line + "\n"));
            }
            (None, Some(language)) => {
                open = Some((at + 1, language.trim().to_owned(), String::new()));
            }
            (None, None) => {}
        }
    }
    found.extend(open);
    found
}

/// A heading's anchor, as the usual hosts of Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The headings of a page: level and text.
fn headings(text: &str) -> Vec<(usize, &str)> {
    let marked = prose(text).into_iter().filter_map(|(_, line)| {
        let level = line.chars().take_while(|&c| c == '#').count();
        let title = line.trim_start_matches('#').strip_prefix(' ')?;
        (1..=6).contains(&level).then_some((level, title.trim()))
    });
    marked.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    headings(text).into_iter().map(|(_, title)| anchor(title)).collect()
}

/// The targets of Markdown links in a line, code spans left out.
fn link_targets(line: &str) -> Vec<String> {
    let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let targets = plain.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split_whitespace().next()?;
        Some(target.trim_matches(['<', '>']).to_owned())
    });
    targets.collect()
}

/// `folder` and a relative `link`, as one path from the root.
fn joined(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Relative links to nothing. `lookup` gives a page's text, or empty text for a folder.
fn dead_links(page: &File, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (number, line) in prose(&page.text) {
        for target in link_targets(line) {
            if target.contains(':') {
                continue;
            }
            let (path, place) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { page.path.clone() } else { joined(folder, path) };
            match lookup(&path) {
                None => findings.push(format!("{}:{number}: {target} leads nowhere", page.path)),
                Some(text) if !place.is_empty() && !anchors(&text).contains(place) => {
                    findings.push(format!("{}:{number}: {target} has no such heading", page.path));
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// What is at a path of the repository: a file's text, or nothing to read in a folder.
fn on_disk(path: &str) -> Option<String> {
    let folder = format!("{path}/");
    let within = || tree::files().iter().any(|file| file.path.starts_with(&folder));
    match tree::file(path) {
        Some(file) => Some(file.text.clone()),
        None => within().then(String::new),
    }
}

fn broken_snippets(page: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (line, language, content) in fenced(&page.text) {
        let problem = match language.as_str() {
            "toml" => content.parse::<toml::Table>().err().map(|error| error.message().to_owned()),
            "json" => {
                serde_json::from_str::<serde_json::Value>(&content).err().map(|e| e.to_string())
            }
            _ => None,
        };
        let told = problem.map(|problem| format!("{}:{line}: {language}: {problem}", page.path));
        findings.extend(told);
    }
    findings
}

/// Numbering and index of the decisions: four digits, no gap, each listed.
fn adr_findings(names: &[&str], index: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if !name.starts_with(&format!("{:04}-", at + 1)) {
            findings.push(format!("{name}: expected number {:04}, without gap or double", at + 1));
        }
        if !index.contains(&format!("({name})")) {
            findings.push(format!("{name} is not linked from the index"));
        }
    }
    if names.is_empty() {
        findings.push("there is no decision on record".to_owned());
    }
    findings
}

/// Problem types: unique anchors, and each tells meaning, status and what to do.
fn problem_findings(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let doubled = headings(text).into_iter().filter(|(_, title)| !seen.insert(anchor(title)));
    let mut findings: Vec<String> =
        doubled.map(|(_, title)| format!("the heading {title} is there twice")).collect();
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        for word in ["Meaning", "Status", "What to do"] {
            if !section.contains(&format!("**{word}**")) {
                findings.push(format!("{title} does not say: {word}"));
            }
        }
    }
    findings
}

/// Tests that a page names, in italics or as code, and that there are not: a name has three words
/// or more.
fn tests_that_are_gone(page: &File, tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in prose(&page.text) {
        for mark in ['*', '`'] {
            for name in line.split(mark).skip(1).step_by(2) {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                // A metric is no test.
                let named = name.matches('_').count() > 2 && !name.starts_with("ehc_");
                let named = named && name.chars().all(plain);
                if named && !tests.contains(name) {
                    findings.push(format!("{}:{number}: there is no test {name}", page.path));
                }
            }
        }
    }
    findings
}

fn has_version_or_unreleased(changelog: &str) -> bool {
    headings(changelog).iter().any(|(level, title)| {
        let title = title.trim_start_matches('[');
        *level == 2
            && (title.starts_with("Unreleased") || title.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn pages() -> impl Iterator<Item = &'static File> {
    tree::files().iter().filter(|file| file.is("md") && !file.path.contains("/corpus/"))
}

#[test]
fn every_promised_page_exists() {
    let missing = PAGES.iter().filter(|page| tree::file(page).is_none());
    let missing: Vec<String> = missing.map(|page| format!("{page} is missing")).collect();
    assert_none("pages", &missing);
}

#[test]
fn every_relative_link_leads_somewhere() {
    let findings: Vec<String> = pages().flat_map(|page| dead_links(page, &on_disk)).collect();
    assert_none("dead links", &findings);
}

#[test]
fn every_test_that_the_threat_model_and_the_proof_name_is_there() {
    let sources = tree::files().iter().filter(|file| file.is("rs"));
    let tests = sources.flat_map(|file| test_names(&file.text)).collect();
    let named = ["gateway/docs/threat-model.md", "gateway/docs/proof.md"];
    let pages = named.iter().filter_map(|path| tree::file(path));
    let findings: Vec<String> = pages.flat_map(|page| tests_that_are_gone(page, &tests)).collect();
    assert_none("tests", &findings);
}

#[test]
fn every_toml_and_json_snippet_parses() {
    let findings: Vec<String> = pages().flat_map(broken_snippets).collect();
    assert_none("snippets", &findings);
}

#[test]
fn every_toml_file_parses() {
    let files = tree::files().iter().filter(|file| file.is("toml") && !file.path.contains("/bad/"));
    let broken = files.filter_map(|file| {
        let error = file.text.parse::<toml::Table>().err()?;
        Some(format!("{}: {}", file.path, error.message()))
    });
    assert_none("TOML files", &broken.collect::<Vec<String>>());
}

#[test]
fn the_example_configuration_is_there() {
    assert!(tree::file(EXAMPLE_CONFIG).is_some(), "{EXAMPLE_CONFIG} is missing");
}

#[test]
fn decisions_are_numbered_without_gaps_and_indexed() {
    let files = tree::files().iter().filter_map(|file| file.path.strip_prefix(ADRS));
    let names: Vec<&str> = files.filter(|name| *name != "README.md").collect();
    let index = tree::file("gateway/docs/adr/README.md").map_or("", |file| file.text.as_str());
    assert_none("decisions", &adr_findings(&names, index));
}

#[test]
fn problem_types_have_unique_anchors_and_complete_entries() {
    let page = tree::file("gateway/docs/problems.md").expect("the problem types are documented");
    assert_none("problem types", &problem_findings(&page.text));
}

#[test]
fn the_readme_keeps_the_glossary() {
    let readme = tree::file("README.md").expect("there is a README");
    let found = headings(&readme.text).iter().any(|(_, title)| title.contains("lossary"));
    assert!(found, "README.md has no heading with the word glossary");
}

#[test]
fn the_changelog_has_a_version_or_unreleased_changes() {
    let changelog = tree::file("CHANGELOG.md").expect("there is a changelog");
    assert!(has_version_or_unreleased(&changelog.text), "no heading for a version");
}

#[test]
fn a_dead_link_would_be_noticed() {
    let text = "[a](b.md) [c](d.md#there) [e](d.md#gone) [f](https://x.org) `[g](h)`\n";
    let page = File { path: "docs/p.md".to_owned(), text: text.to_owned() };
    let lookup = |path: &str| (path == "docs/d.md").then(|| "## There\n".to_owned());
    let findings = dead_links(&page, &lookup);
    assert_found(&findings, "b.md leads nowhere");
    assert_found(&findings, "d.md#gone has no such heading");
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert_eq!(joined("gateway/docs", "../src/lib.rs"), "gateway/src/lib.rs");
    assert_eq!(anchor("What's `new`, and why"), "whats-new-and-why");
}

#[test]
fn a_test_that_is_gone_would_be_noticed() {
    let text = "*it_is_still_there* and `it_is_not_there`, *gone* `two_words` *a b_c_d_e*\n";
    let page = File { path: "p.md".to_owned(), text: text.to_owned() };
    let tests = BTreeSet::from(["it_is_still_there".to_owned()]);
    let findings = tests_that_are_gone(&page, &tests);
    assert_eq!(findings, ["p.md:1: there is no test it_is_not_there"]);
}

#[test]
fn a_broken_snippet_would_be_noticed() {
    let text = "```toml\na = \n```\n```json\n{\"a\": 1,}\n```\n```json\n{}\n```\n";
    let page = File { path: "p.md".to_owned(), text: text.to_owned() };
    let findings = broken_snippets(&page);
    assert_found(&findings, "p.md:1: toml");
    assert_found(&findings, "p.md:4: json");
    assert_eq!(findings.len(), 2);
}

#[test]
fn a_decision_out_of_order_or_off_the_index_would_be_noticed() {
    let findings = adr_findings(&["0001-a.md", "0003-b.md"], "[a](0001-a.md)");
    assert_found(&findings, "expected number 0002");
    assert_found(&findings, "0003-b.md is not linked");
    assert_found(&adr_findings(&[], ""), "no decision");
}

#[test]
fn a_doubled_or_incomplete_problem_type_would_be_noticed() {
    let text = "# P\n\n## a\n\n**Meaning** b **Status** c\n\n## a\n";
    assert_found(&problem_findings(text), "twice");
    assert_found(&problem_findings(text), "does not say: What to do");
    assert!(!has_version_or_unreleased("# Changelog\n### 1.0\n"));
}

#[test]
fn the_page_of_the_catalogue_is_made_from_the_catalogue() {
    const PAGE: &str = "gateway/docs/catalogue.md";
    let page = tree::file(PAGE).expect("the page of the catalogue");
    let made = schemas::catalogue::Catalogue::built_in().page();
    assert!(
        page.text == made,
        "{PAGE} differs: `cargo run -p schemas --example write-catalogue > {PAGE}`"
    );
}
