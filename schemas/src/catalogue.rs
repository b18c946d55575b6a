//! The message catalogue as data (stub for the first build).

use serde::{Deserialize, Serialize};

/// A class of data within a message; a release names the classes it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataClass {
    /// Names, date of birth, sex, identifiers.
    Identity,
    /// Address and postcode.
    Contact,
    /// School or setting, year group, questions about education.
    Education,
    /// Health needs, outcomes, provision and reports.
    Health,
    /// What is recorded of agreement to share.
    Consent,
    /// Documents attached.
    Documents,
}

/// The catalogue.
#[derive(Debug)]
pub struct Catalogue {}
/// One entry.
#[derive(Debug)]
pub struct Entry {}

impl Catalogue {
    /// The catalogue shipped with the binary.
    pub fn built_in() -> Option<&'static Self> {
        None
    }
    /// Finds an entry.
    pub fn find(&self, _kind: &str) -> Option<&Entry> {
        None
    }
}
