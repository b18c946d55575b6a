//! The repository's own rules, as tests.
//!
//! Each rule is a pure function from text to findings, so each has a twin test that feeds it
//! something wrong and expects to be told: a rule that cannot fail guards nothing. Findings name
//! file and line, and say what to do. Exceptions are constants beside the rule they soften; they
//! are meant to shrink.

#![expect(
    clippy::expect_used,
    reason = "a tree that cannot be read is a failed test, and the message says which file"
)]

mod absences;
mod clocks;
mod direction;
mod documents;
mod feeds;
mod lexer;
mod logging;
mod names;
mod paths;
mod size;
mod text;
mod tokens;
mod transition;
mod tree;

/// Fails a test with all findings at once, one to a line.
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}: {} found\n  {}\n", findings.len(), findings.join("\n  "));
}

/// The self-test of a rule: it must find something in what is known to be wrong.
fn assert_found(findings: &[String], expected: &str) {
    assert!(
        findings.iter().any(|finding| finding.contains(expected)),
        "expected a finding that mentions {expected:?}, got {findings:?}"
    );
}
