//! The page on logging names every event, every metric and every line that there is, and no other.

use std::collections::BTreeSet;

use crate::lexer::{Kind, Token};
use crate::tokens::{closing, production_texts, production_tokens};
use crate::{assert_found, assert_none, tree};

const PAGE: &str = "gateway/docs/logging.md";

/// Lines that are described in words of their own, not in the table: one per request.
const TOLD_APART: &[&str] = &["… … … …", "… MLLP … …", "…"];

/// What stands under a heading of the second level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let begin = format!("\n## {heading}\n");
    let rest = page.split_once(&begin).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap_or_default()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names that an enum's variants are renamed to.
fn renamed(source: &str, name: &str) -> BTreeSet<String> {
    let all = production_tokens(source);
    let is_enum = |at: &usize| {
        let named = all.get(at + 1).is_some_and(|token| token.is_word(name));
        named && all.get(*at).is_some_and(|token| token.is_word("enum"))
    };
    let Some(at) = (0..all.len()).find(is_enum) else { return BTreeSet::new() };
    let inside = closing(&all, at + 2).and_then(|end| all.get(at..end)).unwrap_or_default();
    inside.iter().filter_map(text).map(str::to_owned).collect()
}

fn text(token: &Token) -> Option<&str> {
    match &token.kind {
        Kind::Text(text) => Some(text),
        Kind::Word(_) | Kind::Mark(_) | Kind::Other => None,
    }
}

/// A message as the page writes it: what is filled in is an ellipsis.
fn with_gaps(message: &str) -> String {
    let mut pieces = message.split('{');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces
        .fold(first, |told, piece| told + "…" + piece.split_once('}').map_or("", |(_, rest)| rest))
}

/// The messages of the lines that a source file logs: the last text of each call.
fn logged(source: &str) -> Vec<String> {
    let all = production_tokens(source);
    let levels = ["error", "warn", "info", "debug"];
    let calls = (0..all.len()).filter(|&at| {
        let is_level = |token: &Token| levels.iter().any(|level| token.is_word(level));
        all.get(at).is_some_and(|token| token.is_word("tracing"))
            && all.get(at + 1).is_some_and(|token| token.is_mark("::"))
            && all.get(at + 2).is_some_and(is_level)
            && all.get(at + 3).is_some_and(|token| token.is_mark("!"))
    });
    let messages = calls.filter_map(|at| {
        let inside = all.get(at + 4..closing(&all, at + 4)?)?;
        inside.iter().filter_map(text).next_back().map(with_gaps)
    });
    messages.collect()
}

fn differences(what: &str, code: &BTreeSet<String>, page: &BTreeSet<String>) -> Vec<String> {
    let missing = code.difference(page).map(|name| format!("{what} {name} is not on the page"));
    let stale = page.difference(code).map(|name| format!("{what} {name} is not in the code"));
    missing.chain(stale).collect()
}

fn page() -> &'static str {
    tree::file(PAGE).map_or("", |file| &file.text)
}

#[test]
fn the_page_names_every_event_of_the_audit_log_and_no_other() {
    let source = &tree::file("gateway/src/audit.rs").expect("the audit log").text;
    let code = renamed(source, "EventKind");
    assert!(code.len() > 40, "the events were not found");
    let rows = section(page(), "Events of the audit log").lines();
    let rows: String = rows.filter(|line| line.starts_with('|')).collect();
    let told = quoted(&rows).map(str::to_owned).collect();
    assert_none("events", &differences("event", &code, &told));
}

#[test]
fn the_page_names_every_metric_and_no_other() {
    let source = &tree::file("gateway/src/telemetry.rs").expect("the metrics").text;
    let names = production_texts(source).into_iter().map(|(_, text)| text);
    let is_metric = |text: &String| {
        let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let named = text.starts_with("ehc_") || text.starts_with("http_server_");
        // The binary's own name is the target of its lines.
        plain && named && text != "ehc_gateway"
    };
    let code: BTreeSet<String> = names.filter(is_metric).collect();
    assert!(code.len() > 10, "the metrics were not found");
    let rows = section(page(), "Metrics").lines();
    let named = rows.filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let told = named.flat_map(|cell| cell.split(", ").map(|one| one.trim_matches('`').to_owned()));
    assert_none("metrics", &differences("metric", &code, &told.collect()));
}

#[test]
fn the_page_names_every_line_that_is_logged() {
    let lines = section(page(), "The other lines");
    let sources = tree::production();
    let sources = sources.iter().filter(|file| file.path.starts_with("gateway/src/"));
    let messages = sources.flat_map(|file| logged(&file.text).into_iter().map(|m| (&file.path, m)));
    let silent = messages
        .filter(|(_, message)| !TOLD_APART.contains(&message.as_str()))
        .filter(|(_, message)| !lines.contains(&format!("| {message} |")))
        .map(|(path, message)| format!("{path} logs \"{message}\", which is not on the page"));
    assert_none("lines of the log", &silent.collect::<Vec<String>>());
}

#[test]
fn a_name_or_line_that_the_page_leaves_out_would_be_noticed() {
    let source = r#"
        pub enum EventKind { #[serde(rename = "a.done")] Done }
        fn a() { tracing::warn!(delivery = %id, error = chain("x"), "it is {id} at {b:?}: gone"); }
    "#;
    let code = renamed(source, "EventKind");
    assert_eq!(code, BTreeSet::from(["a.done".to_owned()]));
    let page = "# P\n\n## Here\n\n`b.done`\n\n## There\n\n`c.done`\n";
    let told = quoted(section(page, "Here")).map(str::to_owned).collect();
    let found = differences("event", &code, &told);
    assert_found(&found, "event a.done is not on the page");
    assert_found(&found, "event b.done is not in the code");
    assert_eq!(found.len(), 2);
    assert_eq!(logged(source), ["it is … at …: gone"]);
}
