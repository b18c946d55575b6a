//! Reading one TOML file so that every complaint has a file, a line, a column and a next step.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// The text of a configuration file, for finding where a setting stands.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    file: PathBuf,
    text: String,
}

/// A step on the way to a value: a key, or a place in a list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl Document {
    /// Reads a file whole. A configuration is small; anything over a mebibyte is a mistake.
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
        let size = std::fs::metadata(file).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(std::io::Error::other("larger than 1 MiB")));
        }
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        Ok(Self::new(file, text))
    }

    pub(crate) fn new(file: &Path, text: String) -> Self {
        Self { file: file.to_owned(), text }
    }

    /// The file's path as it was given.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The text as a type, or the first thing wrong with it, with its place and a fix.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let (problem, fix) = explain(error.message());
            self.error_at(at, problem, fix)
        })
    }

    /// A complaint about the value at a path; the nearest part of the path that exists is named.
    pub(crate) fn error(&self, path: &[Step<'_>], problem: &str, fix: &str) -> ConfigError {
        self.error_at(self.locate(path), problem.to_owned(), fix.to_owned())
    }

    /// The line and column of the value at a path.
    pub(crate) fn position(&self, path: &[Step<'_>]) -> (usize, usize) {
        self.line_and_column(self.locate(path))
    }

    fn error_at(&self, at: usize, problem: String, fix: String) -> ConfigError {
        let (line, column) = self.line_and_column(at);
        ConfigError::Invalid { file: self.file.clone(), line, column, problem, fix }
    }

    fn locate(&self, path: &[Step<'_>]) -> usize {
        let Ok(root) = DeTable::parse(&self.text) else { return 0 };
        let mut at = 0;
        let root = DeValue::Table(root.into_inner());
        let mut value = &root;
        for step in path {
            let next = match (step, value) {
                (Step::Key(key), DeValue::Table(table)) => table.get(*key),
                (Step::Index(index), DeValue::Array(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            at = next.span().start;
            value = next.get_ref();
        }
        at
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// Splits a message of ours into problem and fix, or finds a fix for one of the parser's.
fn explain(message: &str) -> (String, String) {
    if let Some((problem, fix)) = message.split_once(FIX) {
        return (problem.to_owned(), fix.to_owned());
    }
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let fix = match quoted.as_slice() {
        [unknown, known @ ..] if message.starts_with("unknown ") => match nearest(unknown, known) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("use one of: {}", known.join(", ")),
        },
        [missing, ..] if message.starts_with("missing field") => {
            format!("add `{missing} = ...` to this section")
        }
        _ if message.starts_with("invalid type") => {
            "write the value in the form that is expected; see ehc-gateway.example.toml".to_owned()
        }
        _ => "correct this line; see ehc-gateway.example.toml for the form".to_owned(),
    };
    (message.trim_end().replace('\n', "; "), fix)
}

/// The known word most like the one written, if any is like it at all.
fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|word| (distance(written, word), *word));
    let (distance, word) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2.max(written.len() / 3)).then_some(word)
}

/// Levenshtein's distance, one row at a time.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut previous = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right.chars()) {
            let substituted = diagonal + usize::from(from != to);
            diagonal = *cell;
            previous = substituted.min(diagonal + 1).min(previous + 1);
            *cell = previous;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Between the problem and its fix in the errors of our own deserialisers.
pub(crate) const FIX: &str = "; fix: ";
const FILE_BYTES_MAX: u64 = 1024 * 1024;
