//! The first page of a report: what was asked, by whom and why, and the log it was made from.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Cell, Kind, ReportError, ReportKind, Sheet};
use crate::app::App;
use crate::audit::checkpoint::Checkpoint;

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
    /// Who asked: the organisation, and the person's pseudonym if one was named; the login's name
    /// too, of whoever asked at the machine.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl LogHead {
    /// The newest head that is signed.
    pub(crate) async fn newest(app: &App) -> Result<Self, ReportError> {
        let stored = app.store.latest_checkpoint().await?.ok_or(ReportError::NoCheckpoint)?;
        Self::of(&stored.note, &app.log_vkey)
    }

    /// The head that had so many entries; when none was signed just then, the next.
    pub(crate) async fn of_size(app: &App, size: u64) -> Result<Self, ReportError> {
        let stored = app.store.checkpoints(size, 1).await?.into_iter().next();
        Self::of(&stored.ok_or(ReportError::NoCheckpoint)?.note, &app.log_vkey)
    }

    fn of(note: &str, vkey: &str) -> Result<Self, ReportError> {
        let checkpoint = Checkpoint::parse_and_verify(note, vkey);
        let Checkpoint { size, root, .. } = checkpoint.or(Err(ReportError::NoCheckpoint))?;
        Ok(Self { size, root: BASE64_STANDARD.encode(root), checkpoint: note.to_owned() })
    }
}
