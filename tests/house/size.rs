//! Ceilings: a file of 600 lines, a production function of 70.

use crate::lexer::Token;
use crate::tokens::{closing, production_tokens};
use crate::{assert_found, assert_none, tree};

/// Lines a Rust file may have, its documentation included.
const FILE_LINES_MAX: usize = 600;

/// Lines of code the body of a production function may have; comments and blanks are free.
const FUNCTION_LINES_MAX: usize = 70;

/// Files over the ceiling, each to be split. This list may only shrink.
const TOO_LONG: &[&str] = &[];

fn long_file(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX)
        .then(|| format!("{path}: {lines} lines, {FILE_LINES_MAX} at most; split it by noun"))
}

fn long_functions(path: &str, text: &str) -> Vec<String> {
    let all = production_tokens(text);
    let starts = (0..all.len()).filter(|&at| all.get(at).is_some_and(|token| token.is_word("fn")));
    let measured = starts.filter_map(|at| {
        let name = all.get(at + 1)?;
        let (open, close) = body(&all, at)?;
        let mut lines: Vec<usize> = all
            .get(open + 1..close)?
            .iter()
            .flat_map(|token| token.line..=token.last_line)
            .collect();
        lines.dedup();
        (lines.len() > FUNCTION_LINES_MAX).then(|| {
            format!(
                "{path}:{}: {} has {} lines, {FUNCTION_LINES_MAX} at most",
                name.line,
                name.word().unwrap_or("a function type"),
                lines.len()
            )
        })
    });
    measured.collect()
}

/// The braces of the body that follows a signature; none for a declaration or a function type.
fn body(all: &[Token], start: usize) -> Option<(usize, usize)> {
    let mut at = start + 1;
    loop {
        let token = all.get(at)?;
        if token.is_mark("{") {
            return Some((at, closing(all, at)?));
        }
        if [";", "}", ")", "="].iter().any(|mark| token.is_mark(mark)) {
            return None;
        }
        let bracket = token.is_mark("(") || token.is_mark("[");
        at = if bracket { closing(all, at)? + 1 } else { at + 1 };
    }
}

#[test]
fn no_file_is_longer_than_its_ceiling() {
    let sources = tree::files().iter().filter(|file| file.is("rs"));
    let findings: Vec<String> = sources
        .filter(|file| !TOO_LONG.contains(&file.path.as_str()))
        .filter_map(|file| long_file(&file.path, &file.text))
        .collect();
    assert_none("files too long", &findings);
}

#[test]
fn the_list_of_exceptions_holds_nothing_that_has_been_mended() {
    let mended = TOO_LONG.iter().filter(|path| {
        tree::file(path).is_none_or(|file| long_file(&file.path, &file.text).is_none())
    });
    let findings: Vec<String> = mended.map(|path| format!("{path} is short again")).collect();
    assert_none("exceptions to take off the list", &findings);
}

#[test]
fn no_production_function_is_longer_than_its_ceiling() {
    let sources = tree::production();
    let findings: Vec<String> =
        sources.iter().flat_map(|file| long_functions(&file.path, &file.text)).collect();
    assert_none("functions too long", &findings);
}

#[test]
fn a_file_or_function_over_its_ceiling_would_be_noticed() {
    assert!(long_file("a.rs", &"\n".repeat(601)).is_some());
    assert!(long_file("a.rs", &"\n".repeat(600)).is_none());
    let function =
        |lines: usize| format!("fn long(a: [u8; 2]) -> u8 {{\n{}}}", "a();\n".repeat(lines));
    assert_found(&long_functions("a.rs", &function(71)), "long has 71 lines");
    assert!(long_functions("a.rs", &function(70)).is_empty());
    let commented = format!("fn a() {{\n{}}}", "// why\n\n".repeat(80));
    assert!(long_functions("a.rs", &commented).is_empty());
}
