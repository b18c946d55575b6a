//! Names: of files, folders, modules and tests, and what stands at the top level.

use std::collections::BTreeSet;

use crate::lexer::{Token, tokens};
use crate::tokens::closing;
use crate::{assert_found, assert_none, tree};

/// Names that say nothing about what is inside.
const REFUSED: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "shared", "core", "manager", "base"];

/// What stands at the top level besides dotfiles.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "CHANGELOG.md",
    "README.md",
    "adapters",
    "certs-example",
    "gateway",
    "schemas",
    "tests",
];

fn refused_in_path(path: &str) -> Option<String> {
    let refused = path.split('/').find(|part| {
        let stem = part.trim_start_matches('.').split('.').next().unwrap_or(part);
        REFUSED.contains(&stem.to_lowercase().as_str())
    });
    refused.map(|part| format!("{path}: {part} says nothing; name it for what it holds"))
}

fn refused_modules(path: &str, text: &str) -> Vec<String> {
    let all = tokens(text);
    let modules = all.windows(2).filter_map(|pair| match pair {
        [key, name] if key.is_word("mod") => Some((name.line, name.word()?)),
        _ => None,
    });
    modules
        .filter(|(_, name)| REFUSED.contains(name))
        .map(|(line, name)| format!("{path}:{line}: mod {name} says nothing"))
        .collect()
}

fn strangers_at_the_top<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let tops: BTreeSet<&str> = paths.filter_map(|path| path.split('/').next()).collect();
    let strangers = tops.iter().filter(|top| !(top.starts_with('.') || TOP_LEVEL.contains(top)));
    strangers.map(|top| format!("{top} does not belong at the top level")).collect()
}

/// Test functions whose names are not sentences: fewer than three words.
fn short_test_names(path: &str, text: &str) -> Vec<String> {
    let all = tokens(text);
    let mut findings = Vec::new();
    for at in 0..all.len() {
        let marked = all.get(at).is_some_and(|token| token.is_mark("#"));
        let Some(end) = closing(&all, at + 1).filter(|_| marked) else { continue };
        let last = end.checked_sub(1).and_then(|place| all.get(place));
        if !last.is_some_and(|token| token.is_word("test")) {
            continue;
        }
        let mut rest = all.iter().skip(end + 1).skip_while(|token| !token.is_word("fn"));
        // A table of tests has its names in its rows, where the document it writes shows them.
        let Some(name) = rest.nth(1).and_then(Token::word) else { continue };
        if name.split('_').filter(|part| !part.is_empty()).count() < 3 {
            let line = all.get(at).map_or(0, |token| token.line);
            findings.push(format!("{path}:{line}: {name} is not a sentence"));
        }
    }
    findings
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    let findings: Vec<String> =
        tree::files().iter().filter_map(|file| refused_in_path(&file.path)).collect();
    assert_none("refused names", &findings);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let sources = tree::files().iter().filter(|file| file.is("rs"));
    let findings: Vec<String> =
        sources.flat_map(|file| refused_modules(&file.path, &file.text)).collect();
    assert_none("refused modules", &findings);
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    let paths = tree::files().iter().map(|file| file.path.as_str());
    assert_none("top level", &strangers_at_the_top(paths));
}

#[test]
fn test_names_are_sentences() {
    let sources = tree::files().iter().filter(|file| file.is("rs"));
    let findings: Vec<String> =
        sources.flat_map(|file| short_test_names(&file.path, &file.text)).collect();
    assert_none("test names", &findings);
}

#[test]
fn a_name_that_says_nothing_would_be_noticed() {
    assert!(refused_in_path("gateway/src/utils.rs").is_some());
    assert!(refused_in_path("tests/common/pki.rs").is_some());
    assert!(refused_in_path("gateway/src/baseline.rs").is_none());
    assert_found(&refused_modules("a.rs", "pub mod helpers { }"), "mod helpers");
    assert!(refused_modules("a.rs", "// mod helpers").is_empty());
}

#[test]
fn a_stranger_at_the_top_level_would_be_noticed() {
    let paths = ["docs/a.md", ".ci/run", "gateway/src/lib.rs"];
    assert_eq!(strangers_at_the_top(paths.into_iter()).len(), 1);
}

#[test]
fn a_test_name_that_is_no_sentence_would_be_noticed() {
    assert_found(&short_test_names("a.rs", "#[test]\nfn works() {}"), "works is not");
    assert_found(&short_test_names("a.rs", "#[tokio::test] async fn it_works() {}"), "it_works");
    assert!(short_test_names("a.rs", "#[test] fn a_lease_lapses() {}").is_empty());
    assert!(short_test_names("a.rs", "#[cfg(test)] mod tests;").is_empty());
}
