//! Looks at how something stands: what waits, what was taken back, what a message would do.
//!
//! Owns their entry, `standing.viewed`, for whatever has no kind of look of its own. It names our own ids and
//! counts; whoever goes on from there to a record leaves that record's entry. A list that was empty
//! named nobody and is no entry, so that asking every few seconds whether something has come does
//! not fill the log.

use schemas::RecordId;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::store::{Change, StoreError};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// What waits for a recipient.
    Inbox,
    /// Deliveries that did not arrive.
    Deliveries,
    /// The days of a partner's statements.
    Reconciliations,
    /// A day's statement, at the machine.
    Statement,
    /// What partners found otherwise.
    Differences,
    /// Which case a reference or a record is of.
    Case,
    /// How a recall stands.
    Recall,
    /// A notice that something was superseded or recalled.
    Notice,
    /// What taking a message in would do.
    Rehearsal,
}

impl Standing {
    fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Deliveries => "deliveries",
            Self::Reconciliations => "reconciliations",
            Self::Statement => "statement",
            Self::Differences => "differences",
            Self::Case => "case",
            Self::Recall => "recall",
            Self::Notice => "notice",
            Self::Rehearsal => "rehearsal",
        }
    }
}

/// Writes a look down, before anything is shown.
pub async fn viewed(
    app: &App,
    actor: &Actor,
    (what, rows): (Standing, usize),
    about: Option<RecordId>,
) -> Result<(), StoreError> {
    let mut event = Event::new(EventKind::StandingViewed, actor.clone())
        .with("what", what.name())
        .with("rows", rows);
    event.record = about;
    if let Some(record) = about {
        event.subject = app.store.find_record(record).await?.and_then(|stored| stored.subject);
    }
    app.store.commit(Change::because(event)).await.map(drop)
}
