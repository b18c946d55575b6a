//! The closed list of reports.

use serde::{Deserialize, Serialize};

/// The eleven reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportKind {
    /// Who has accessed or received one child's data.
    ChildAccess,
    /// What one person did.
    PersonActions,
    /// Overrides, emergencies, holds and refusals.
    Exceptions,
    /// Access that is out of the ordinary.
    OddAccess,
    /// Disclosures that did not rest on consent.
    Disclosures,
    /// Agreement to share: what was decided, and what left after a withdrawal.
    Consents,
    /// Messages that went to the wrong place or were about the wrong child.
    Misdirected,
    /// The six weeks of regulation 8.
    SixWeeks,
    /// A random sample of accesses for managers to confirm.
    Sample,
    /// What is kept for how long, and who may still come in.
    Retention,
    /// Whether the log is whole.
    LogIntegrity,
}

impl ReportKind {
    /// All, by number.
    pub const ALL: [Self; 11] = [
        Self::ChildAccess,
        Self::PersonActions,
        Self::Exceptions,
        Self::OddAccess,
        Self::Disclosures,
        Self::Consents,
        Self::Misdirected,
        Self::SixWeeks,
        Self::Sample,
        Self::Retention,
        Self::LogIntegrity,
    ];

    /// Its number, from 1 to 11, its code, its title, and the question it answers.
    const fn said(self) -> (u8, &'static str, &'static str, &'static str) {
        match self {
            Self::ChildAccess => (
                1,
                "child-access",
                "Access to one child's data",
                "Who has accessed or received this child's data, ever?",
            ),
            Self::PersonActions => {
                (2, "person-actions", "Actions of one person", "What did this person do, and when?")
            }
            Self::Exceptions => (
                3,
                "exceptions",
                "Overrides, emergencies, holds and refusals",
                "What was overridden, released in an emergency, held or refused, why, and what waits for a review?",
            ),
            Self::OddAccess => (
                4,
                "odd-access",
                "Access out of the ordinary",
                "Who looked out of hours, in bulk, too often, at their own family, or sent somewhere unusual?",
            ),
            Self::Disclosures => (
                5,
                "disclosures",
                "Disclosures without consent",
                "What was disclosed without consent, on which legal basis and to whom, month by month?",
            ),
            Self::Consents => (
                6,
                "consents",
                "Agreement to share",
                "What was agreed, what ran out or was withdrawn, and did anything leave after a withdrawal?",
            ),
            Self::Misdirected => (
                7,
                "misdirected",
                "Misdirected messages and recalls",
                "What went to the wrong place or was about the wrong child, and how long until it was contained?",
            ),
            Self::SixWeeks => (
                8,
                "six-weeks",
                "The six weeks of regulation 8",
                "Which services answered on time, with an exception, late, or with nil?",
            ),
            Self::Sample => (
                9,
                "sample",
                "Random sample of accesses",
                "Which accesses shall managers confirm this time?",
            ),
            Self::Retention => (
                10,
                "retention",
                "Retention, and review of access",
                "What falls due for deletion, what is kept by a legal hold, what was deleted, and who may still come in?",
            ),
            Self::LogIntegrity => (
                11,
                "log-integrity",
                "Integrity of the log",
                "Was anything in the log altered in this time, and how does an outsider check it?",
            ),
        }
    }

    /// Its number in `domain.md` 5.8 of the design, from 1 to 11.
    pub const fn number(self) -> u8 {
        self.said().0
    }

    /// Its name on the command line and in the API.
    pub const fn code(self) -> &'static str {
        self.said().1
    }

    /// Its title.
    pub const fn title(self) -> &'static str {
        self.said().2
    }

    /// The question that it answers.
    pub const fn question(self) -> &'static str {
        self.said().3
    }

    /// From its code or its number.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |kind: &Self| kind.code() == text || kind.number().to_string() == text;
        Self::ALL.into_iter().find(is)
    }
}
