//! What a mapping says of records: filters on what a record says about itself.
//!
//! Owns the meaning of one filter. It must never know cells or elements beyond their text.

use serde::Deserialize;

/// What becomes of a record by one of its values: drop a test patient, refuse a confidential one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Where the value stands.
    pub(crate) from: Vec<String>,
    /// Whether a file without it is refused.
    pub(crate) required: bool,
    /// Why, in words that may be shown to anybody.
    pub(crate) why: String,
    keep: Vec<String>,
    drop: Vec<String>,
    refuse: Vec<String>,
    otherwise: Option<Verdict>,
}

/// What becomes of a record.
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
    /// What becomes of a record by the trimmed text of its value, null markers being empty; none
    /// when the filter does not know the text.
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
    from: Vec<String>,
    #[serde(default)]
    required: bool,
    why: String,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    refuse: Vec<String>,
    otherwise: Option<Verdict>,
}

impl From<FilterTable> for Filter {
    fn from(table: FilterTable) -> Self {
        let FilterTable { from, required, why, keep, drop, refuse, otherwise } = table;
        Self { from, required, why, keep, drop, refuse, otherwise }
    }
}
