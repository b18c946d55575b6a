//! The log, asked by what it is indexed by, in pages, up to a bound.

use jiff::Timestamp;

use super::{Ask, ENTRIES_MAX, ReportKind};
use crate::app::App;
use crate::audit::{Entry, EventKind};
use crate::clock::london_day_ends;
use crate::look_up;
use crate::store::{LogFilter, StoreError};

/// What the log says to one question, newest first.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) entries: Vec<Entry>,
    /// Whether there are older entries that were not read.
    pub(super) cut: bool,
}

impl Gathered {
    /// The note about what was not read.
    pub(super) fn note(&self, what: &str) -> Option<String> {
        self.cut.then(|| {
            format!("Only the newest {ENTRIES_MAX} entries about {what} were read; there are older ones. Ask for a shorter time.")
        })
    }
}

/// The entries of some kinds within the days of a question.
pub(super) fn of_kinds(ask: &Ask, kinds: &[EventKind]) -> LogFilter {
    LogFilter { kinds: kinds.to_vec(), from: begin(ask), until: end(ask), ..LogFilter::default() }
}

/// The instant from which a question asks.
pub(super) fn begin(ask: &Ask) -> Option<Timestamp> {
    ask.from.map(|from| london_day_ends(from.yesterday().unwrap_or(from)))
}

/// The instant before which a question asks.
pub(super) fn end(ask: &Ask) -> Option<Timestamp> {
    ask.until.map(london_day_ends)
}

/// Asks the log for what stands before a place.
pub(super) async fn gather(
    app: &App,
    filter: &LogFilter,
    mut before: u64,
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    loop {
        let page = app.store.entries_matching(filter, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(gathered) };
        before = last.seq;
        let room = ENTRIES_MAX.saturating_sub(gathered.entries.len());
        gathered.cut = page.len() > room;
        gathered.entries.extend(page.into_iter().take(room));
        if gathered.cut {
            return Ok(gathered);
        }
    }
}

/// What a report has to say of years whose entries name nobody any more, where it counts or names
/// people by what the log says of them.
pub(super) async fn untied(app: &App, ask: &Ask) -> Result<Vec<String>, StoreError> {
    let (from, told) = match ask.report {
        ReportKind::ChildAccess => (ask.from, LINES_MISSING),
        // A withdrawal from before these days stops what would leave in them.
        ReportKind::Consents => (None, SAID_NO_MISSING),
        ReportKind::PersonActions
        | ReportKind::Exceptions
        | ReportKind::Disclosures
        | ReportKind::Sample => (ask.from, CHILDREN_MISSING),
        ReportKind::OddAccess
        | ReportKind::Misdirected
        | ReportKind::SixWeeks
        | ReportKind::Retention
        | ReportKind::LogIntegrity => return Ok(Vec::new()),
    };
    let gone = look_up::destroyed_within(app, from, ask.until).await?;
    let note = |year| {
        format!(
            "The look-up of {year} was lawfully destroyed: whom the entries of that year are about cannot be told any more, and {told}"
        )
    };
    Ok(gone.into_iter().map(|standing| note(standing.period)).collect())
}

const LINES_MISSING: &str = "lines of it are missing here.";
const SAID_NO_MISSING: &str = "people who said no in it are not among those for whom releases after a withdrawal were worked out: that none is found proves nothing about them.";
const CHILDREN_MISSING: &str = "its children are not named or counted here.";

/// How many are asked for at once.
const PAGE: u32 = 1_000;
