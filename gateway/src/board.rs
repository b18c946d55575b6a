//! The board: who owes what to whom by when.
//!
//! Read from the legs' clocks; the case reference is opened for the organisations concerned, so
//! looking at the board is an entry in the log.

use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::queue::{DeliveryState, Leg, LegState};
use crate::store::{BoardFilter, BoardLine, BoardPlace, Change, StoreError};
use crate::vault::BlobKind;

/// One line of the board.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The leg.
    pub leg: LegId,
    /// The record that asks.
    pub record: RecordId,
    /// The authority's case reference, for the organisations concerned.
    pub case: String,
    /// The authority that asks.
    pub authority: OrganisationCode,
    /// The organisation asked.
    pub organisation: OrganisationCode,
    /// Its name.
    pub organisation_name: String,
    /// The service asked.
    pub service: ServiceCode,
    /// The date from which regulation 8 counts.
    pub received_on: Date,
    /// The statutory date.
    pub statutory_due: Date,
    /// The date to work to.
    pub operational_due: Date,
    /// The new date expected under regulation 8(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_on: Option<Date>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_on: Option<Date>,
    /// Where the leg stands.
    pub state: LegState,
    /// Where the delivery stands.
    pub delivery: DeliveryState,
    /// The rule or reason behind where the delivery stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request that took this one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RecordId>,
    /// Days until the date that counts; negative when it has passed. Absent once settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i32>,
    /// Whether an answer is owed and the date that counts has passed.
    pub overdue: bool,
    /// Whether the answer came after the date that counts.
    pub answered_late: bool,
    /// The version of the rules behind the dates.
    pub rule_version: String,
}

/// Whether case references are opened: for the authority and the services asked, not for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// The viewer is a party to every line, or sits at the gateway itself.
    Shown,
    /// The viewer is not.
    Hidden,
}

/// The lines a viewer may see, most urgent first. `Ok` only once the look is in the log.
pub async fn lines(
    app: &App,
    (filter, labels): (&BoardFilter, Labels),
    after: Option<BoardPlace>,
    limit: u32,
    actor: &Actor,
) -> Result<Vec<Line>, StoreError> {
    let rows = app.store.board(filter, after, limit).await?;
    let event = Event::new(EventKind::BoardViewed, actor.clone()).with("rows", rows.len());
    app.store.commit(Change::because(event)).await?;
    let today = app.clock.today();
    Ok(rows.into_iter().map(|row| line(app, row, labels, today)).collect())
}

fn line(app: &App, row: BoardLine, labels: Labels, today: Date) -> Line {
    let BoardLine { leg, label, reason, superseded_by } = row;
    let case = app
        .vault
        .expose_blob_for_owner(BlobKind::Label, leg.record.0, &leg.sender, &label)
        .ok()
        .filter(|_| labels == Labels::Shown)
        .and_then(|bytes| String::from_utf8(bytes.expose().to_vec()).ok())
        .unwrap_or_default();
    let due = date_that_counts(&leg);
    let days_left = leg.state.is_open().then(|| (due - today).get_days());
    Line {
        case,
        leg: leg.id,
        record: leg.record,
        authority: leg.sender,
        organisation_name: app.name_of(&leg.recipient),
        organisation: leg.recipient,
        service: leg.service,
        received_on: leg.received_on,
        statutory_due: leg.statutory_due,
        operational_due: leg.operational_due,
        expected_on: leg.expected_on,
        answered_on: leg.answered_on,
        state: leg.state,
        delivery: leg.delivery,
        reason,
        superseded_by,
        days_left,
        overdue: days_left.is_some_and(|days| days < 0),
        answered_late: leg.answered_on.is_some_and(|answered| answered > due),
        rule_version: leg.rule_version,
    }
}

/// The statutory date, or the later one of a notified exception (regulation 8(2)).
fn date_that_counts(leg: &Leg) -> Date {
    leg.expected_on.map_or(leg.statutory_due, |expected| expected.max(leg.statutory_due))
}
