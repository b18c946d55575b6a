//! The eleven reports of information governance: one question each, as tables.
//!
//! Owns what each report asks for, its tables, and the cover that goes with them: what was asked, by
//! whom and why, and the head of the log it was made from. It must never know content, a name or a
//! number of a child: rows are made of what the log, the ledger and the board say.
//!
//! [`make`] writes the asking into the log before anything is read, and makes the tables;
//! [`ReportKind`] is the closed list. What is handed over as a file is noted with its hash by
//! [`note_export`] before it is given. Each report has a room of its own, whose tables are made by pure
//! functions of entries; the log is asked in `gathering` alone, and always by what it is indexed by.
//!
//! Limits: [`ENTRIES_MAX`] entries of the log for one question to it, newest first; a report that was cut
//! short says so on its cover. Not supported: reports on a timer, because somebody has to ask and say
//! why; reports of content, because nobody may open a record for a table.

mod access_review;
mod child;
mod consents;
mod cover;
mod disclosures;
mod exceptions;
mod exports;
mod gathering;
mod integrity;
mod list;
mod misdirected;
mod odd;
mod person;
mod retention;
mod rows;
mod sample;
mod six_weeks;

use jiff::civil::Date;
use schemas::OrganisationCode;
use serde::Serialize;

use crate::access_report::{self, Question, Reason};
use crate::app::App;
use crate::audit::log_look::LogLook;
use crate::audit::{Actor, Event, SubjectKey};
use crate::entropy::hex;
use crate::store::{Change, StoreError};
use crate::telemetry::name_of;
use crate::verification::VerificationError;

pub use adapters::sheets::{Cell, Column, Kind, Sheet, SheetError, to_csv, to_workbook};
pub(crate) use child::{lines as lines_of, lists as looks_at_lists, organisations as summaries_of};
pub use cover::{Cover, LogHead};
pub(crate) use disclosures::is_one as disclosed_in;
pub(crate) use exports::file_name;
pub use exports::{Exported, Form, exported_as, files, note_export};
pub use list::ReportKind;
pub(crate) use rows::when as entry_time;
pub use sample::Draw;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which report.
    pub report: ReportKind,
    /// Why.
    pub reason: Reason,
    /// From this day on, in London; from the beginning when left out.
    pub from: Option<Date>,
    /// Until this day, which is included; until now when left out.
    pub until: Option<Date>,
    /// About whom, for the report about one child.
    pub subject: Option<SubjectKey>,
    /// Of whom, for the report about one person: a pseudonym of [`organisation`](Self::organisation).
    pub person: Option<String>,
    /// Only what this organisation did or was sent, and what became of messages that it sent.
    pub organisation: Option<OrganisationCode>,
    /// The person is a login of the gateway's own machine, and of no organisation.
    pub at_the_machine: bool,
    /// It is handed to people outside: counts under five are not told.
    pub outside: bool,
    /// How a sample is drawn.
    pub draw: Draw,
}

impl Ask {
    /// A question without limits.
    pub fn new(report: ReportKind, reason: Reason) -> Self {
        Self {
            report,
            reason,
            from: None,
            until: None,
            subject: None,
            person: None,
            organisation: None,
            at_the_machine: false,
            outside: false,
            draw: Draw::default(),
        }
    }

    /// Why it cannot be answered as it is asked.
    fn contradiction(&self) -> Option<&'static str> {
        let is = |report: ReportKind| self.report == report;
        let counts = matches!(self.report, ReportKind::Disclosures | ReportKind::SixWeeks);
        let drawn = self.draw != Draw::default();
        if self.from.zip(self.until).is_some_and(|(from, until)| until < from) {
            Some("until is a day before from")
        } else if is(ReportKind::ChildAccess) != self.subject.is_some() {
            Some("a child is named for the report child-access, and for no other")
        } else if is(ReportKind::PersonActions) != self.person.is_some() {
            Some("a user is named for the report person-actions, and for no other")
        } else if self.at_the_machine && (self.person.is_none() || self.organisation.is_some()) {
            Some("a login of the machine is named for the report person-actions, and for no other")
        } else if self.person.is_some() && self.organisation.is_none() && !self.at_the_machine {
            Some("a user is one of an organisation: name it too")
        } else if is(ReportKind::ChildAccess) && self.organisation.is_some() {
            Some("the report child-access is of all organisations")
        } else if self.outside && !counts {
            Some(
                "only disclosures and six-weeks are made for outside: the others have a line for each event",
            )
        } else if drawn && !is(ReportKind::Sample) {
            Some("a size and a place to draw from are for the report sample")
        } else {
            self.draw.contradiction()
        }
    }

    /// The event of the asking.
    fn event(&self, actor: &Actor) -> Event {
        if let Some(subject) = self.subject {
            let question = self.question(subject);
            return access_report::asking(LogLook::WhoHasSeen, &question, actor)
                .with("report", self.report.code());
        }
        let mut event = LogLook::Report
            .event(actor.clone())
            .with("report", self.report.code())
            .with("reason", name_of(self.reason));
        for (name, day) in [("from", self.from), ("until", self.until)] {
            if let Some(day) = day {
                event = event.with(name, day);
            }
        }
        if self.outside {
            event = event.with("for", "outside");
        }
        // Of one person, whose organisation it is would tell an employer that somebody is looked into.
        if self.person.is_none() {
            event.counterparty.clone_from(&self.organisation);
        }
        event
    }

    fn question(&self, subject: SubjectKey) -> Question {
        Question { subject, reason: self.reason, from: self.from, until: self.until }
    }

    /// What it is limited to, in words.
    fn words(&self, app: &App) -> Vec<String> {
        let mut words = Vec::new();
        if self.subject.is_some() {
            words.push("one child, named by who asked".to_owned());
        }
        if let Some(person) = &self.person {
            words.push(format!("the person {person}, named by who asked"));
        }
        if let Some(code) = &self.organisation {
            words.push(format!("{} ({code})", app.name_of(code)));
        }
        if self.outside {
            words.push("for outside: counts under five are not told".to_owned());
        }
        words
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be answered as it is asked; what to put right.
    #[error("{0}")]
    Ask(&'static str),
    /// The store.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// The log could not be exported or followed.
    #[error("the log could not be verified")]
    Verification(#[from] VerificationError),
    /// There is no signed head of the log.
    #[error("the log has no signed checkpoint of that size; run `audit verify`")]
    NoCheckpoint,
    /// The tables could not be written.
    #[error("the tables could not be written: {0}")]
    Sheet(#[from] SheetError),
}

/// A report: its cover and its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The cover.
    pub cover: Cover,
    /// The tables.
    pub sheets: Vec<Sheet>,
}

/// What a room makes: tables, what they are limited to, and what the reader has to know.
#[derive(Debug, Default)]
struct Made {
    sheets: Vec<Sheet>,
    limits: Vec<String>,
    notes: Vec<String>,
}

impl From<Vec<Sheet>> for Made {
    fn from(sheets: Vec<Sheet>) -> Self {
        Self { sheets, ..Self::default() }
    }
}

impl Made {
    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Makes a report. That it was asked, and why, is durable in the log before anything is read.
pub async fn make(app: &App, ask: &Ask, actor: &Actor) -> Result<Report, ReportError> {
    if let Some(contradiction) = ask.contradiction() {
        return Err(ReportError::Ask(contradiction));
    }
    let mut event = ask.event(actor);
    if let Some(person) = &ask.person {
        // Partners read the log: the pseudonym itself would tell an employer who is looked into.
        let who = app.vault.pseudonyms().recognition("report-of-person", person.as_bytes());
        event.hashes.insert("of_person".to_owned(), hex(&who));
    }
    let asked = app.store.commit(Change::because(event)).await?.first_seq;
    let log = LogHead::newest(app).await?;
    let made = tables(app, ask, (asked, actor), &log).await?;
    let mut notes = made.notes;
    notes.extend(rows::marked(ask).map(str::to_owned));
    notes.extend(gathering::untied(app, ask).await?);
    let mut filter = ask.words(app);
    filter.extend(made.limits);
    let cover = Cover {
        report: ask.report,
        filter,
        from: ask.from,
        until: ask.until,
        asked_by: app.asked_by(actor),
        reason: name_of(ask.reason),
        made_at: app.clock.now(),
        entry: asked,
        log,
        notes,
        verification: VERIFICATION.to_owned(),
    };
    Ok(Report { cover, sheets: made.sheets })
}

async fn tables(
    app: &App,
    ask: &Ask,
    (asked, actor): (u64, &Actor),
    log: &LogHead,
) -> Result<Made, ReportError> {
    match ask.report {
        ReportKind::ChildAccess => child::made(app, ask, asked).await,
        ReportKind::PersonActions => person::made(app, ask, asked).await,
        ReportKind::Exceptions => exceptions::made(app, ask, asked).await,
        ReportKind::OddAccess => odd::made(app, ask).await,
        ReportKind::Disclosures => disclosures::made(app, ask, asked).await,
        ReportKind::Consents => consents::made(app, ask, asked).await,
        ReportKind::Misdirected => misdirected::made(app, ask, asked).await,
        ReportKind::SixWeeks => six_weeks::made(app, ask, actor).await,
        ReportKind::Sample => sample::made(app, ask, asked, log).await,
        ReportKind::Retention => retention::made(app, ask, asked).await,
        ReportKind::LogIntegrity => integrity::made(app, ask, asked).await,
    }
}

/// What there is to ask for.
pub fn listed() -> Vec<Listed> {
    let one = |kind: ReportKind| Listed {
        number: kind.number(),
        report: kind.code(),
        title: kind.title(),
        question: kind.question(),
    };
    ReportKind::ALL.into_iter().map(one).collect()
}

/// One report that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its number, from 1 to 11.
    pub number: u8,
    /// Its code.
    pub report: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The question that it answers.
    pub question: &'static str,
}

/// The most entries of the log that are read for one question to it; a table holds as many rows.
pub const ENTRIES_MAX: usize = adapters::sheets::ROWS_MAX;

/// How anybody checks a report.
const VERIFICATION: &str = "Keep the checkpoint above in a file and run `ehc-gateway audit verify --checkpoint FILE`: it proves that the log this was made from still stands. The SHA-256 of a file that was handed over is in the log, in an entry that names the entry of the asking; `ehc-gateway report check FILE` finds it.";

#[cfg(test)]
mod tests;
