//! What the rules ask of tokens: production code only, matching brackets, string literals.

use crate::lexer::{Kind, Token, tokens};

/// The tokens of a file without anything under `#[cfg(test)]` or `#[test]`.
pub(crate) fn production_tokens(source: &str) -> Vec<Token> {
    let all = tokens(source);
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = all.get(at) {
        if is_test_attribute(&all, at) {
            at = end_of_item(&all, at);
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

/// The modules a file declares for tests only (`#[cfg(test)] mod name;`).
pub(crate) fn test_modules(source: &str) -> Vec<String> {
    let all = tokens(source);
    let attributes = (0..all.len()).filter(|&at| is_test_attribute(&all, at));
    attributes
        .filter_map(|at| {
            let item = all.get(at..end_of_item(&all, at))?;
            let place = item.iter().position(|token| token.is_word("mod"))?;
            let closed = item.last().is_some_and(|token| token.is_mark(";"));
            closed.then(|| item.get(place + 1)?.word().map(str::to_owned)).flatten()
        })
        .collect()
}

/// The string literals of production code, with their lines.
pub(crate) fn production_texts(source: &str) -> Vec<(usize, String)> {
    let texts = production_tokens(source).into_iter().filter_map(|token| match token.kind {
        Kind::Text(text) => Some((token.line, text)),
        Kind::Word(_) | Kind::Mark(_) | Kind::Other => None,
    });
    texts.collect()
}

/// The index of the bracket that closes the one at `open`.
pub(crate) fn closing(all: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in all.iter().enumerate().skip(open) {
        if ["{", "(", "["].iter().any(|mark| token.is_mark(mark)) {
            depth += 1;
        }
        if ["}", ")", "]"].iter().any(|mark| token.is_mark(mark)) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// `#[cfg(test)]`, `#[cfg(any(test, …))]`, `#[test]`, `#[tokio::test]`; not `cfg(not(test))`.
fn is_test_attribute(all: &[Token], at: usize) -> bool {
    let opens = all.get(at).is_some_and(|token| token.is_mark("#"))
        && all.get(at + 1).is_some_and(|token| token.is_mark("["));
    let inside = closing(all, at + 1).filter(|_| opens).and_then(|end| all.get(at + 2..end));
    inside.is_some_and(|inside| {
        let has = |word: &str| inside.iter().any(|token| token.is_word(word));
        has("test") && !has("not") && !has("cfg_attr")
    })
}

/// Just past the item that the attribute at `at` belongs to.
fn end_of_item(all: &[Token], at: usize) -> usize {
    let mut next = closing(all, at + 1).map_or(all.len(), |end| end + 1);
    // A comma ends a field, a variant or an arm, but not a declaration with `<A, B>` in it.
    let mut declaration = false;
    while let Some(token) = all.get(next) {
        declaration |= token.word().is_some_and(|word| ["fn", "impl", "type"].contains(&word));
        if token.is_mark(";") || (token.is_mark(",") && !declaration) {
            return next + 1;
        }
        if token.is_mark("{") {
            return closing(all, next).map_or(all.len(), |end| end + 1);
        }
        if token.is_mark("}") {
            return next;
        }
        let bracket = token.is_mark("(") || token.is_mark("[");
        next = if bracket { closing(all, next).map_or(all.len(), |e| e + 1) } else { next + 1 };
    }
    next
}

#[test]
fn what_is_compiled_for_tests_only_is_not_production() {
    let source = "fn kept() {} #[cfg(test)] mod tests { fn gone() {} } #[cfg(test)] mod apart;\
                  #[test] fn gone_too<A, B>() { gone(); } #[cfg(not(test))] fn kept_too() {}";
    let kept = production_tokens(source);
    let words: Vec<&str> = kept.iter().filter_map(Token::word).collect();
    assert!(words.contains(&"kept") && words.contains(&"kept_too"));
    assert!(!words.iter().any(|word| word.starts_with("gone")));
    assert_eq!(test_modules(source), ["apart"]);
}
