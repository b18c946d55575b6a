//! Reading the data files of this module: agreements, routes and rules.
//!
//! Owns the one error they share and the way dates are written in them. Must never know what a
//! table means. Use: `table::read::<MyFile>(text)?`. Limits: positions are lines, not columns.

use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;

/// What is wrong with a data file, and on which line. These files hold no personal data, so the
/// problem may quote them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct TableError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead where that is known.
    pub problem: String,
}

impl TableError {
    pub(crate) fn at<T>(text: &str, place: &Spanned<T>, problem: impl Into<String>) -> Self {
        Self { line: line_of(text, place.span().start), problem: problem.into() }
    }
}

pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, TableError> {
    toml::from_str(text).map_err(|error| TableError {
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        problem: error.message().to_owned(),
    })
}

/// A TOML date, written without quotes: `from = 2026-09-01`.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let written = toml::value::Datetime::deserialize(deserializer)
        .map_err(|_syntax| D::Error::custom(DATE_HELP))?;
    match (written.date, written.time, written.offset) {
        (Some(day), None, None) => to_civil(day).ok_or_else(|| D::Error::custom(DATE_HELP)),
        _ => Err(D::Error::custom(DATE_HELP)),
    }
}

/// As [`date`], for a key that may be absent.
pub(super) fn optional_date<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Date>, D::Error> {
    date(deserializer).map(Some)
}

fn to_civil(day: toml::value::Date) -> Option<Date> {
    let year = i16::try_from(day.year).ok()?;
    let month = i8::try_from(day.month).ok()?;
    Date::new(year, month, i8::try_from(day.day).ok()?).ok()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

const DATE_HELP: &str = "write a date as 2026-09-01, without quotes and without a time";
