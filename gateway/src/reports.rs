//! The eleven reports of information governance: one question each, as tables.
//!
//! Owns what each report asks for, its tables, and the cover that goes with them: what was asked, by
//! whom and why, and the head of the log it was made from. It must never know content, a name or a
//! number of a child: rows are made of what the log, the ledger and the board say.
//!
//! [`ReportKind`] is the closed list.
//!
//! Limits: [`ENTRIES_MAX`] entries of the log for one report, newest first; a report that was cut short
//! says so on its cover.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use adapters::sheets::{Cell, Column, Kind, Sheet, SheetError, to_csv, to_workbook};

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

/// What a report was made of, of whom and why: the first page of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cover {
    /// Which report.
    pub report: ReportKind,
    /// What it was limited to, in words; never a value that names a child.
    pub filter: Vec<String>,
    /// From this day on, in London.
    pub from: Option<Date>,
    /// Until this day, which is included.
    pub until: Option<Date>,
    /// Who asked: the organisation, and the person's pseudonym if one was named.
    pub asked_by: String,
    /// Why, by a code.
    pub reason: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The entry of the log that says that it was asked.
    pub entry: u64,
    /// The head of the log it was made from.
    pub log: LogHead,
    /// What the reader has to know: rows that were left out, what is not kept.
    pub notes: Vec<String>,
    /// How anybody checks it.
    pub verification: String,
}

/// The head of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogHead {
    /// How many entries it has.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl Cover {
    /// The cover as a sheet of its own.
    pub fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new("Cover", &[("what", Kind::Text), ("value", Kind::Text)]);
        let mut row = |what: &str, value: Cell| sheet.rows.push(vec![what.into(), value]);
        row("report", format!("{}: {}", self.report.number(), self.report.title()).into());
        row("question", self.report.question().into());
        row("from", self.from.into());
        row("until", self.until.into());
        for words in &self.filter {
            row("limited to", words.clone().into());
        }
        row("asked by", self.asked_by.clone().into());
        row("reason", self.reason.clone().into());
        row("made (UTC)", self.made_at.to_string().into());
        row("entry of the asking", self.entry.into());
        row("entries in the log", self.log.size.into());
        row("root of the log", self.log.root.clone().into());
        row("checkpoint", self.log.checkpoint.clone().into());
        for note in &self.notes {
            row("note", note.clone().into());
        }
        row("to check it", self.verification.clone().into());
        sheet
    }
}

/// A report: its cover and its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The cover.
    pub cover: Cover,
    /// The tables.
    pub sheets: Vec<Sheet>,
}

/// The most entries of the log that are read for one report; a spreadsheet holds as many rows.
pub const ENTRIES_MAX: usize = adapters::sheets::ROWS_MAX;
