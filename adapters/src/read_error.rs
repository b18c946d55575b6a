//! Why a submission could not be read at all, and where reading stopped.

use std::fmt;

use schemas::{Issue, Place};

/// What kind of fault stopped the reader. Decides the problem type the sender is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadErrorKind {
    /// It is larger than a limit allows.
    TooLarge,
    /// Its bytes are not in the declared encoding.
    Encoding,
    /// It is not well-formed in its format, or is cut short.
    Syntax,
    /// It is well-formed, but not the shape that is agreed: columns, resources, members.
    Shape,
}

/// The submission could not be read. Says what, where and what next; never quotes the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// What kind of fault it was.
    pub kind: ReadErrorKind,
    /// The stable name of the rule.
    pub rule: String,
    /// Where.
    pub place: Place,
    /// What is wrong, in plain words.
    pub message: String,
    /// What the sender can do.
    pub next: String,
}

impl ReadError {
    /// A fault at a place.
    pub fn new(kind: ReadErrorKind, rule: &str, place: Place, message: &str, next: &str) -> Self {
        Self {
            kind,
            rule: rule.to_owned(),
            place,
            message: message.to_owned(),
            next: next.to_owned(),
        }
    }

    /// The same as an issue, for answers that list issues.
    pub fn to_issue(&self) -> Issue {
        Issue::error(&self.rule, None, self.place.clone(), &self.message, &self.next)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_issue().fmt(f)
    }
}

impl std::error::Error for ReadError {}
