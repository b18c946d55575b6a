//! The log, asked by what it is indexed by, in pages, up to a bound; and who sent the messages that
//! its entries are about.
//!
//! An entry about a delivery names who acted and the recipient. Who sent the message stands with the
//! record: [`Senders`] looks it up for many entries at once, for those of years ago, too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemas::{OrganisationCode, RecordId};

use super::{Ask, ENTRIES_MAX, ReportKind};
use crate::app::App;
use crate::audit::{Entry, EventKind, bundle};
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
    before: u64,
) -> Result<Gathered, StoreError> {
    pages(app, filter, None, before).await
}

/// Asks the log for entries of some kinds that one organisation has to do with: that it acted in, is
/// the other one of, or that are about a message it sent. All, when none is named.
pub(super) async fn gather_of(
    app: &App,
    filter: &LogFilter,
    own: Option<&OrganisationCode>,
    before: u64,
) -> Result<Gathered, StoreError> {
    let Some(own) = own else { return gather(app, filter, before).await };
    let acted = LogFilter { organisation: Some(own.to_string()), ..filter.clone() };
    let other = LogFilter { counterparty: Some(own.clone()), ..filter.clone() };
    let mut found: BTreeMap<u64, Entry> = BTreeMap::new();
    let mut cut = false;
    for gathered in [
        gather(app, &acted, before).await?,
        gather(app, &other, before).await?,
        pages(app, filter, Some(own), before).await?,
    ] {
        cut |= gathered.cut;
        found.extend(gathered.entries.into_iter().map(|entry| (entry.seq, entry)));
    }
    cut |= found.len() > ENTRIES_MAX;
    Ok(Gathered { entries: found.into_values().rev().take(ENTRIES_MAX).collect(), cut })
}

async fn pages(
    app: &App,
    filter: &LogFilter,
    sender: Option<&OrganisationCode>,
    mut before: u64,
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    loop {
        let page = match sender {
            Some(own) => app.store.entries_about_messages_of(own, filter, before, PAGE).await?,
            None => app.store.entries_matching(filter, before, PAGE).await?,
        };
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

/// Who sent the messages that entries are about.
#[derive(Debug, Default)]
pub(super) struct Senders(BTreeMap<RecordId, OrganisationCode>);

impl Senders {
    /// Those of the records that some entries name.
    pub(super) async fn of<'a>(
        app: &App,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, StoreError> {
        let records: BTreeSet<RecordId> =
            entries.into_iter().filter_map(|entry| entry.event.record).collect();
        Ok(Self(app.store.senders_of(&records).await?))
    }

    /// Who sent the message that an entry is about.
    pub(super) fn sender(&self, entry: &Entry) -> Option<&OrganisationCode> {
        self.0.get(&entry.event.record?)
    }

    /// Whether an organisation has to do with an entry.
    pub(super) fn concerns(&self, entry: &Entry, own: &OrganisationCode) -> bool {
        bundle::names(entry, own) || self.sender(entry) == Some(own)
    }

    #[cfg(test)]
    pub(super) fn known(senders: impl IntoIterator<Item = (RecordId, OrganisationCode)>) -> Self {
        Self(senders.into_iter().collect())
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
