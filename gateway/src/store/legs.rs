//! Questions about legs: the board of who owes what by when.

use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId, ServiceCode};

use super::Store;
use super::engine::statements;
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use crate::audit::SubjectKey;
use crate::queue::{Leg, LegState};
use crate::vault::SealedBlob;

/// Which legs to show. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardFilter {
    /// Asked by this authority.
    pub sender: Option<OrganisationCode>,
    /// Asked of this organisation.
    pub recipient: Option<OrganisationCode>,
    /// In this state.
    pub state: Option<LegState>,
    /// Of this service.
    pub service: Option<ServiceCode>,
    /// Due by law on this day or later.
    pub due_from: Option<Date>,
    /// Due by law on this day or earlier.
    pub due_until: Option<Date>,
    /// Only those that owe an answer whose date has passed before this day.
    pub overdue_on: Option<Date>,
    /// Only those whose clock runs.
    pub open_only: bool,
    /// Only those whose request may go out, for a recipient: not what is held or withdrawn.
    pub out_only: bool,
}

/// A place on the board: after this leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardPlace {
    /// That leg's statutory date.
    pub statutory_due: Date,
    /// That leg.
    pub id: LegId,
}

/// A line of the board, with the case reference for those who may open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardLine {
    /// The leg.
    pub leg: Leg,
    /// The case reference, sealed.
    pub label: SealedBlob,
    /// The rule or reason behind the state of the delivery.
    pub reason: Option<String>,
    /// The record that took the place of the one that asks.
    pub superseded_by: Option<RecordId>,
}

impl Store {
    /// The leg with an id.
    pub async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        let row = self.engine.row(&FIND_LEG, values![id.0]).await?;
        row.as_ref().map(leg).transpose()
    }

    /// All legs of a request.
    pub async fn legs_of(&self, record: RecordId) -> Result<Vec<Leg>, StoreError> {
        let rows = self.engine.rows(&LEGS_OF, values![record.0]).await?;
        rows.iter().map(leg).collect()
    }

    /// All legs put to an organisation about one person, by any pseudonym that means them.
    pub async fn legs_about(
        &self,
        subject: SubjectKey,
        recipient: &OrganisationCode,
    ) -> Result<Vec<Leg>, StoreError> {
        let mut legs = Vec::new();
        for one in self.pseudonyms_of(subject).await? {
            let values = values![one.0.to_vec(), recipient.as_str()];
            for row in self.engine.rows(&LEGS_ABOUT, values).await? {
                legs.push(leg(&row)?);
            }
        }
        Ok(legs)
    }

    /// The board, what is due first first.
    pub async fn board(
        &self,
        filter: &BoardFilter,
        after: Option<BoardPlace>,
        limit: u32,
    ) -> Result<Vec<BoardLine>, StoreError> {
        let values = values![
            filter.sender.as_ref().map(OrganisationCode::as_str),
            filter.recipient.as_ref().map(OrganisationCode::as_str),
            filter.state.map(name_of),
            i64::from(filter.open_only),
            after.map(|place| place.statutory_due.to_string()).unwrap_or_default(),
            after.map(|place| place.id.0.as_bytes().to_vec()).unwrap_or_default(),
            limit,
            i64::from(filter.out_only),
            filter.service.as_ref().map(ServiceCode::as_str),
            filter.due_from,
            filter.due_until,
            filter.overdue_on,
        ];
        let rows = self.engine.rows(&BOARD, values).await?;
        let line = |row: &Row| {
            Ok(BoardLine {
                leg: leg(row)?,
                label: SealedBlob { envelope: row.bytes("label")? },
                reason: row.maybe_text("reason")?,
                superseded_by: row.maybe_id("superseded_by")?.map(RecordId),
            })
        };
        rows.iter().map(line).collect()
    }
}

fn leg(row: &Row) -> Result<Leg, StoreError> {
    // Only requests have legs, and a request is always to a service.
    let service = row.maybe_text("service")?.and_then(|code| ServiceCode::parse(&code).ok());
    Ok(Leg {
        id: LegId(row.id("id")?),
        record: RecordId(row.id("record_id")?),
        sender: row.organisation("sender")?,
        recipient: row.organisation("recipient")?,
        service: service.ok_or_else(|| row.contradiction("service"))?,
        received_on: row.date("received_on")?,
        statutory_due: row.date("statutory_due")?,
        alternative_due: row.maybe_date("alternative_due")?,
        operational_due: row.date("operational_due")?,
        rule_version: row.text("rule_version")?,
        state: row.name("state")?,
        answered_on: row.maybe_date("answered_on")?,
        expected_on: row.maybe_date("expected_on")?,
        exception: row.maybe_text("exception")?,
        part_on: row.maybe_date("part_on")?,
        remainder_on: row.maybe_date("remainder_on")?,
        forecast_on: row.maybe_date("forecast_on")?,
        late_reason: row.maybe_text("late_reason")?,
        replaced_by: row.maybe_id("replaced_by")?.map(RecordId),
        delivery: row.name("delivery_state")?,
    })
}

statements! {
    FIND_LEG = "legs::find_leg" on "legs":
        "select id, record_id, sender, recipient, service, received_on, statutory_due,
            alternative_due, operational_due, rule_version, state, answered_on, expected_on,
            exception, part_on, remainder_on, forecast_on, late_reason, replaced_by,
            delivery_state
        from leg_lines where id = $1";
    LEGS_OF = "legs::legs_of" on "legs":
        "select id, record_id, sender, recipient, service, received_on, statutory_due,
            alternative_due, operational_due, rule_version, state, answered_on, expected_on,
            exception, part_on, remainder_on, forecast_on, late_reason, replaced_by,
            delivery_state
        from leg_lines where record_id = $1 order by recipient, service, id";
    LEGS_ABOUT = "legs::legs_about" on "legs":
        "select id, record_id, sender, recipient, service, received_on, statutory_due,
            alternative_due, operational_due, rule_version, state, answered_on, expected_on,
            exception, part_on, remainder_on, forecast_on, late_reason, replaced_by,
            delivery_state
        from leg_lines
        where record_id in (select id from records where subject = $1) and recipient = $2
        order by id";
    BOARD = "legs::board" on "legs":
        "select id, record_id, sender, recipient, service, received_on, statutory_due,
            alternative_due, operational_due, rule_version, state, answered_on, expected_on,
            exception, part_on, remainder_on, forecast_on, late_reason, replaced_by,
            delivery_state, label,
            (select d.reason from deliveries d where d.id = leg_lines.id) as reason,
            (select n.id from records n where n.supersedes = leg_lines.record_id) as superseded_by
        from leg_lines
        where (cast($1 as text) is null or sender = $1)
            and (cast($2 as text) is null or recipient = $2)
            and (cast($3 as text) is null or state = $3)
            and (cast($4 as bigint) = 0 or state in ('waiting', 'accepted', 'exception', 'partial'))
            and (cast($8 as bigint) = 0 or delivery_state not in ('held', 'withdrawn'))
            and (cast($9 as text) is null or service = $9)
            and (cast($10 as text) is null or statutory_due >= $10)
            and (cast($11 as text) is null or statutory_due <= $11)
            and (cast($12 as text) is null
                or (state in ('waiting', 'accepted', 'exception', 'partial')
                    and case when expected_on is not null and expected_on > statutory_due
                        then expected_on else statutory_due end < $12))
            and (statutory_due, id) > ($5, $6)
        order by statutory_due, id limit $7";
}
