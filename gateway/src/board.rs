//! The board: who owes what to whom by when.
//!
//! Read from the legs' clocks; the case reference is opened for the organisations concerned, so
//! looking at the board is an entry in the log.

mod standing;

use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::looks;
use crate::queue::{DeliveryState, LegState};
use crate::store::{BoardFilter, BoardLine, BoardPlace, StoreError};
use crate::vault::BlobKind;

pub use standing::{Attention, Facts, Standing};

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
    /// The same by the other way of counting weeks, where it gives another date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative_due: Option<Date>,
    /// The date to work to.
    pub operational_due: Date,
    /// The exception that was shown, by its name in the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The new date expected under regulation 8(2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_on: Option<Date>,
    /// When a part of the advice came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_on: Option<Date>,
    /// When the rest of it is expected; excuses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remainder_on: Option<Date>,
    /// When advice is expected that will be late; excuses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast_on: Option<Date>,
    /// Why it will be late, by a code of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_reason: Option<String>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_on: Option<Date>,
    /// Where the leg stands.
    pub state: LegState,
    /// How it stands today: overdue, excused, late and nil told apart.
    pub standing: Standing,
    /// What that means, in a sentence.
    pub why: &'static str,
    /// What people must see to, where the clock does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
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
    looks::at_records(app, event, rows.iter().map(|row| row.leg.record)).await?;
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
    let facts = Facts::from(&leg);
    let attention = standing::attention(&leg);
    let due = facts.date_that_counts();
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
        alternative_due: leg.alternative_due,
        operational_due: leg.operational_due,
        standing: facts.standing(today),
        why: facts.standing(today).words(),
        attention,
        exception: leg.exception,
        expected_on: leg.expected_on,
        part_on: leg.part_on,
        remainder_on: leg.remainder_on,
        forecast_on: leg.forecast_on,
        late_reason: leg.late_reason,
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
