//! What a mapping says of rows: filters on what a row says about itself, and keys that join files.
//!
//! Owns the meaning of one filter and one key. It must never know cells beyond their text.

use serde::Deserialize;

use super::fold;

/// What becomes of a row by one of its cells: drop a test patient, refuse a confidential record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The headers of the column.
    pub(crate) from: Vec<String>,
    /// Its index from 0, in files without a header.
    pub(crate) at: Option<usize>,
    /// Whether a file without the column is refused.
    pub(crate) required: bool,
    /// Why, in words that may be shown to anybody.
    pub(crate) why: String,
    keep: Vec<String>,
    drop: Vec<String>,
    refuse: Vec<String>,
    otherwise: Option<Verdict>,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// It is read like any other.
    Keep,
    /// It is left out and counted.
    Drop,
    /// It is kept for a person to decide.
    Refuse,
}

impl Filter {
    /// Whether a header is this filter's column.
    pub(crate) fn names(&self, header: &str) -> bool {
        let folded = fold(header);
        self.from.iter().any(|name| fold(name) == folded)
    }

    /// What becomes of a row by the trimmed text of its cell, null markers being empty; none when
    /// the filter does not know the text.
    pub(crate) fn verdict(&self, text: &str) -> Option<Verdict> {
        let holds = |list: &[String]| list.iter().any(|known| known.eq_ignore_ascii_case(text));
        if holds(&self.drop) {
            Some(Verdict::Drop)
        } else if holds(&self.refuse) {
            Some(Verdict::Refuse)
        } else if holds(&self.keep) {
            Some(Verdict::Keep)
        } else {
            self.otherwise
        }
    }
}

/// A filter as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterTable {
    #[serde(default)]
    from: Vec<String>,
    at: Option<usize>,
    #[serde(default)]
    required: bool,
    pub(super) why: String,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    refuse: Vec<String>,
    otherwise: Option<Verdict>,
}

impl FilterTable {
    /// The filter, or what is wrong with it.
    pub(super) fn filter(self, headless: bool) -> Result<Filter, &'static str> {
        let Self { from, at, required, why, keep, drop, refuse, otherwise } = self;
        if headless != at.is_some() || headless != from.is_empty() {
            return Err(if headless {
                "needs `at` and no `from`: the file has no header"
            } else {
                "needs `from` and no `at`: the file has a header"
            });
        }
        if at == Some(0) {
            return Err("has `at = 0`; columns count from 1");
        }
        if why.is_empty() || why.len() > 120 {
            return Err("needs a `why` of at most 120 characters");
        }
        let all = keep.iter().chain(&drop).chain(&refuse);
        let mut known: Vec<String> = all.map(|text| text.to_ascii_lowercase()).collect();
        let listed = known.len();
        known.sort();
        known.dedup();
        if known.len() != listed {
            return Err("lists one value twice");
        }
        let does_something = !drop.is_empty()
            || !refuse.is_empty()
            || matches!(otherwise, Some(Verdict::Drop | Verdict::Refuse));
        if !does_something {
            return Err("neither drops nor refuses anything");
        }
        let at = at.map(|at| at - 1);
        Ok(Filter { from, at, required, why, keep, drop, refuse, otherwise })
    }
}

/// A column that joins the files of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// What it says.
    pub(crate) role: KeyRole,
    /// The headers that stand for it.
    pub(crate) from: Vec<String>,
    /// Whether a file without it is refused.
    pub(crate) required: bool,
    /// The source's codes and ours, for keys that are coded.
    pub(crate) codes: std::collections::BTreeMap<String, String>,
}

impl Key {
    /// Our code for the source's, whatever its case.
    pub(crate) fn code(&self, text: &str) -> Option<&str> {
        let found = self.codes.iter().find(|(code, _)| code.eq_ignore_ascii_case(text));
        found.map(|(_, ours)| ours.as_str())
    }

    /// Whether a header is this key's column.
    pub(crate) fn names(&self, header: &str) -> bool {
        let folded = fold(header);
        self.from.iter().any(|name| fold(name) == folded)
    }
}

/// What a key column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyRole {
    /// The person a row is about.
    Person,
    /// The person into whom this one was merged.
    MergedInto,
    /// `current`, `deleted` or `merged`, by its codes.
    Change,
    /// The case a row is about.
    Case,
    /// The request for advice a row is about.
    Request,
    /// Which identifier a row holds: `nhs-number` or `upn`, by its codes.
    Kind,
    /// The identifier.
    Value,
    /// The day on which an address ended.
    EndsOn,
    /// The name of a document in the documents folder.
    DocumentName,
    /// Its SHA-256, in hexadecimal.
    DocumentHash,
    /// Its media type.
    DocumentType,
}

/// A key as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyTable {
    pub(super) from: Vec<String>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) codes: std::collections::BTreeMap<String, String>,
}
