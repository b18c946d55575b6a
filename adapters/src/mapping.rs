//! What a tabular file's columns mean, as data: one mapping file per source.
//!
//! Owns the mapping file: its form, its rules, and the mappings shipped with the binary. A mapping
//! names every leniency a reader may use; what it does not name is refused. It must never know
//! the bytes of a file (that is [`csv`](crate::csv)), partners, or what makes a record acceptable.
//!
//! ```
//! use adapters::mapping::Mapping;
//!
//! let mapping = Mapping::built_in("canonical-la-advice-request").expect("shipped with the binary");
//! assert_eq!(mapping.version(), 1);
//! ```
//!
//! Limits: dates are matched against the listed patterns only, character for character; codes are
//! matched exactly; two columns never feed one field. Not supported: computed values and
//! conditions (a mapping that needs them hides a rule that belongs in the check), two-digit years
//! (nobody can tell 1926 from 2026), files without a header (column order drifts silently), and
//! lines before the header other than `sep=`.

mod dates;
mod file;
mod rows;

use std::collections::BTreeMap;

use schemas::Field;

pub use file::MappingError;

pub(crate) use rows::{Filter, Verdict};

use dates::DatePattern;

/// How a source writes its tabular files, and which column means which field.
#[derive(Debug, Clone)]
pub struct Mapping {
    name: String,
    version: u32,
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    pub(crate) quoting: bool,
    pub(crate) unknown_columns: UnknownColumns,
    pub(crate) identity: Option<Identity>,
    pub(crate) constants: Vec<(Field, String)>,
    pub(crate) columns: Vec<Column>,
    /// The path of the element that is one record, in files of XML.
    pub(crate) record: Option<String>,
    /// What a record says about itself. Only files of XML have them.
    pub(crate) filters: Vec<Filter>,
    date_patterns: Vec<DatePattern>,
    midnight_times: bool,
    null_markers: Vec<String>,
    placeholder_dates: Vec<String>,
    ignored: Vec<String>,
}

/// How the bytes of a file become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows code page 1252.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// UTF-16, whose byte order mark is required.
    #[serde(rename = "utf-16")]
    Utf16,
}

/// What to do about a column the mapping does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UnknownColumns {
    /// Leave it out and say so.
    Warn,
    /// Refuse the file.
    Refuse,
}

/// How a row gets its `id` when the file has no column for it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Stands before the fields.
    pub(crate) prefix: String,
    /// The fields whose values are joined with hyphens.
    pub(crate) fields: Vec<Field>,
}

/// Where one field comes from.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// The field that is filled.
    pub(crate) field: Field,
    /// The headers that stand for it.
    pub(crate) from: Vec<String>,
    /// Whether a file without this column is refused.
    pub(crate) required: bool,
    /// The source's codes and ours, if the field is coded.
    pub(crate) codes: Option<BTreeMap<String, String>>,
    /// What separates several values in one cell.
    pub(crate) split: Option<String>,
    /// Whether it is a date.
    pub(crate) date: bool,
}

/// What a cell that should hold a date turned out to hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DateCell {
    /// A date, as `yyyy-mm-dd`, and whether a midnight time was dropped.
    Date(String, bool),
    /// A date that stands for "none" at the source.
    Placeholder,
    /// A date whose year has two digits.
    TwoDigitYear,
    /// Nothing that the patterns allow.
    Impossible,
}

impl Mapping {
    /// Parses a mapping file. Unknown keys, unknown fields and contradictions are refused.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        file::parse(text)
    }

    /// The mapping shipped under this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(text).ok()
    }

    /// The text of the mapping shipped under this name, for an operator to start from.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The name of the mapping.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the mapping, raised whenever its meaning changes.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The fields that come from columns, each with the headers that stand for it.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &[String])> {
        self.columns.iter().map(|column| (column.field, column.from.as_slice()))
    }

    /// The column rule for a header, if the mapping names it.
    pub(crate) fn column(&self, header: &str) -> Option<&Column> {
        let folded = fold(header);
        self.columns.iter().find(|column| column.from.iter().any(|name| fold(name) == folded))
    }

    /// Whether the mapping says that a column is left out on purpose.
    pub(crate) fn ignores(&self, header: &str) -> bool {
        let folded = fold(header);
        self.ignored.iter().any(|name| fold(name) == folded)
    }

    /// Whether a cell says "nothing" in the words of the source.
    pub(crate) fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.null_markers.iter().any(|marker| marker == text)
    }

    /// Reads a date by the patterns of the mapping and nothing else.
    pub(crate) fn date(&self, text: &str) -> DateCell {
        let midnight = MIDNIGHTS.iter().find_map(|time| text.strip_suffix(time));
        let (day, dropped) = match midnight {
            Some(day) if self.midnight_times => (day, true),
            _ => (text, false),
        };
        if self.placeholder_dates.iter().any(|p| p == day || p == text) {
            return DateCell::Placeholder;
        }
        // The whole text first: a pattern with a time of its own drops nothing silently.
        let whole = self.date_patterns.iter().find_map(|pattern| pattern.parse(text));
        if let Some(date) = whole {
            return DateCell::Date(date.to_string(), false);
        }
        if let Some(date) = self.date_patterns.iter().find_map(|pattern| pattern.parse(day)) {
            return DateCell::Date(date.to_string(), dropped);
        }
        if self.date_patterns.iter().any(|pattern| pattern.fits_two_digit_year(day)) {
            return DateCell::TwoDigitYear;
        }
        DateCell::Impossible
    }
}

/// The names of the mappings shipped with the binary.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A header as it is compared: case, white space, dashes, underscores and apostrophes do not count.
pub(crate) fn fold(header: &str) -> String {
    header
        .chars()
        .filter(|c| !c.is_whitespace() && !FOLDED.contains(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Hyphens and dashes, the underscore, apostrophes, and characters of no width.
const FOLDED: &str = "-_\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}'\u{2018}\u{2019}\u{2bc}`\u{feff}\u{200b}\u{ad}";

const MIDNIGHTS: [&str; 5] = [" 00:00:00.000", " 00:00:00", " 00:00", "T00:00:00.000", "T00:00:00"];

const BUILT_IN: [(&str, &str); 5] = [
    (
        "liquidlogic-ehc-advice-request",
        include_str!("../mappings/liquidlogic-ehc-advice-request.toml"),
    ),
    ("canonical-la-advice-request", include_str!("../mappings/canonical-la-advice-request.toml")),
    ("gateway-message", include_str!("../mappings/gateway-message.toml")),
    (
        "liquidlogic-xml-advice-request",
        include_str!("../mappings/liquidlogic-xml-advice-request.toml"),
    ),
    ("sen2-person-level", include_str!("../mappings/sen2-person-level.toml")),
];

#[cfg(test)]
mod tests;
