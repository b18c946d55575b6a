//! What one partner's feed may leave out or do differently, as data from the partners file.
//!
//! Readers are strict. What real feeds get wrong is allowed partner by partner, by name, and each
//! use is noted on the draft (`Issue::warning`). This module must never know a format's grammar.
//!
//! ```
//! use adapters::feed::{Feed, Leniency};
//!
//! let feed: Feed = toml::from_str("allow = [\"guessed-encoding\"]").expect("a feed");
//! assert!(feed.allows(Leniency::GuessedEncoding));
//! assert!(!feed.allows(Leniency::Drafts));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Draft, Field, Place};
use serde::{Deserialize, Serialize};

/// How one partner's feed is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// What is allowed that the standard, or our reading of it, refuses.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<Leniency>,
    /// Values for fields of the canonical message that the feed never carries, by path; what a
    /// message says itself comes first. Never a detail of a person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<Constant, String>,
    /// HL7 v2: by which names the sender may call itself in MSH.
    #[serde(default, skip_serializing_if = "Hl7Names::is_empty")]
    pub hl7: Hl7Names,
}

/// How a partner names itself in HL7 v2 messages. A message under another name is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hl7Names {
    /// The names it uses in MSH-4 (facility); with none, its organisation code.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub facility: BTreeSet<String>,
    /// The names it uses in MSH-3 (application); with none, MSH-3 is not looked at.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub application: BTreeSet<String>,
}

/// One thing a feed may do that readers refuse by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leniency {
    /// Text whose encoding is not declared, or is declared wrongly, is read as UTF-8 when it is
    /// that, else as Windows-1252.
    GuessedEncoding,
    /// HL7 v2: an NHS number in PID-2, PID-4 or PID-19 counts when it passes its check digit.
    NhsNumberElsewhere,
    /// Documents that nobody has authenticated yet are taken as advice instead of being held back.
    Drafts,
    /// HL7 v2: messages marked as training or debugging (MSH-11 T or D) are taken. Never for a
    /// gateway that serves real people.
    Training,
}

/// A field that a feed may have a constant for: nothing about the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constant(Field);

impl Feed {
    /// Whether something is allowed.
    pub fn allows(&self, leniency: Leniency) -> bool {
        self.allow.contains(&leniency)
    }

    /// Fills in the constants for fields the draft does not have.
    pub fn complete(&self, draft: &mut Draft) {
        for (constant, value) in &self.constants {
            if draft.first(constant.0).is_none() {
                draft.set(constant.0, value.clone(), Place::Whole);
            }
        }
    }
}

impl Hl7Names {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.facility.is_empty() && self.application.is_empty()
    }
}

impl From<Constant> for String {
    fn from(constant: Constant) -> Self {
        constant.0.path().to_owned()
    }
}

impl TryFrom<String> for Constant {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let field = Field::from_path(&path).filter(|field| !field.path().starts_with("subject."));
        field.map(Self).ok_or_else(|| {
            "a constant is for a field of the canonical message that says nothing of the person, \
             for example advice.author_profession"
                .to_owned()
        })
    }
}
