//! The paths a source file names, with `use` groups spread out: `use a::{b, c::d}` names `a::b`
//! and `a::c::d`.

use crate::lexer::Token;

/// A path and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The line.
    pub(crate) line: usize,
    /// Its parts; a glob's last part is `*`.
    pub(crate) parts: Vec<String>,
}

impl Path {
    /// Whether the path is `prefix` or goes on from it.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        let mut own = self.parts.iter();
        prefix.split("::").all(|part| own.next().is_some_and(|name| name == part))
    }

    /// Whether a part of the path is this word.
    pub(crate) fn names(&self, word: &str) -> bool {
        self.parts.iter().any(|part| part == word)
    }

    /// The path as it would be written.
    pub(crate) fn written(&self) -> String {
        self.parts.join("::")
    }
}

/// Every path in these tokens, single words included.
pub(crate) fn paths(all: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let starts = all.get(at).and_then(Token::word).is_some();
        at = if starts { read(all, at, &[], &mut found) } else { at + 1 };
    }
    found
}

/// Reads one path at `at` under `prefix`; gives the place behind it.
fn read(all: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let line = all.get(at).map_or(0, |token| token.line);
    let mut parts = prefix.to_vec();
    while let Some(token) = all.get(at) {
        if let Some(word) = token.word() {
            parts.push(word.to_owned());
        } else if token.is_mark("*") && !parts.is_empty() {
            parts.push("*".to_owned());
        } else if token.is_mark("{") && parts.len() > prefix.len() {
            return read_group(all, at, &parts, found);
        } else {
            break;
        }
        at += 1;
        if !all.get(at).is_some_and(|token| token.is_mark("::")) {
            break;
        }
        at += 1;
        // A turbofish ends the path: `a::<B>`.
        if all.get(at).is_some_and(|token| token.is_mark("<")) {
            break;
        }
    }
    // `use a::{self}` names `a`.
    if parts.len() > 1 && parts.last().is_some_and(|part| part == "self") {
        parts.pop();
    }
    found.push(Path { line, parts });
    at.max(1)
}

fn read_group(all: &[Token], open: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut at = open + 1;
    while let Some(token) = all.get(at) {
        if token.is_mark("}") {
            return at + 1;
        }
        let starts = token.word().is_some() || token.is_mark("*");
        let renamed = token.is_word("as");
        at = match (starts, renamed) {
            (_, true) => at + 2,
            (true, false) => read(all, at, prefix, found),
            (false, false) => at + 1,
        };
    }
    at
}

#[cfg(test)]
fn written(source: &str) -> Vec<String> {
    paths(&crate::lexer::tokens(source)).iter().map(Path::written).collect()
}

#[test]
fn use_groups_are_spread_out() {
    let found = written("use std::{fs, net::{self, TcpStream as T}}; x(std::env::var::<A>(b));");
    for expected in ["std::fs", "std::net", "std::net::TcpStream", "std::env::var"] {
        assert!(found.iter().any(|path| path == expected), "{expected} not in {found:?}");
    }
    assert!(!found.iter().any(|path| path == "std"));
}

#[test]
fn globs_are_kept() {
    assert!(written("use schemas::*; use a::{b::*};").contains(&"a::b::*".to_owned()));
}
