//! Clocks: what is said of a leg, how it stood at any time, and the clocks of a case.
//!
//! A leg's history is written with every change of the leg, so that how it stood on a past day is
//! read, not guessed. Rows are never rewritten, but for what a clock's owner or a later message
//! says of it once.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::Store;
use super::cases::{self, NewCaseClock};
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use super::writes::one;
use crate::audit::SubjectKey;
use crate::queue::LegState;

/// What can be written about clocks.
#[derive(Debug)]
pub enum ClockWrite {
    /// An exception was shown for a leg, by its name in the rules. What is written of a leg comes
    /// before `Write::LegChanged` in the same change: that one writes the leg's history.
    LegExcused(LegId, String),
    /// The rest of a leg's advice has a date: the day the part came, the day of the rest.
    LegPart(LegId, Date, Date),
    /// The advice of a leg will be late: when it is expected, and the code of the reason. Fails
    /// when the leg is no longer in the state that was read.
    LegForecast(LegId, LegState, Date, String),
    /// A redirected leg is replaced by this request. Fails when another replaced it before.
    LegReplaced(LegId, RecordId),
    /// A party agrees that existing advice is sufficient; fails when, meanwhile, more parties or
    /// fewer have agreed than were counted.
    LegAgreed {
        /// The leg.
        leg: LegId,
        /// `authority`, `adviser` or `family`.
        party: String,
        /// The record that says so.
        record: RecordId,
        /// Who recorded it.
        recorded_by: OrganisationCode,
        /// When the party agreed.
        agreed_on: Date,
        /// How many parties had agreed before.
        before: u32,
    },
    /// A leg was reminded of; the same reminder again changes nothing.
    Reminded {
        /// The leg.
        leg: LegId,
        /// The date that counted.
        due_on: Date,
        /// Days from it; negative is before.
        offset_days: i32,
        /// The message to the service.
        record: RecordId,
        /// The copy to the authority.
        copy: RecordId,
    },
    /// The clock of a case begins, unless the same one began before; the parties to the message
    /// see it either way.
    Started(NewCaseClock),
    /// A message meets the clocks of a case that this organisation owes.
    Met {
        /// About whom.
        subject: SubjectKey,
        /// The clock's name in the rules.
        period: String,
        /// Who owes.
        owner: OrganisationCode,
        /// Only the clock that began on this date.
        of: Option<Date>,
        /// Only clocks that began before the day.
        earlier: bool,
        /// The day.
        on: Date,
        /// The message.
        record: RecordId,
    },
    /// After a message nothing is owed any more.
    Ended {
        /// About whom.
        subject: SubjectKey,
        /// The clock's name in the rules.
        period: String,
        /// The owner, or a party to the message that began it.
        party: OrganisationCode,
        /// The day.
        on: Date,
        /// Why: the message's type.
        because: String,
    },
    /// A message was superseded or recalled: what it began ends, what it met is owed again.
    Undone(RecordId, Date),
    /// The owner says that it did what was due. Fails when the clock was met or has ended.
    Done(Uuid, Date),
    /// The owner relies on an exception. Fails when the clock was excused before or has ended.
    Excused {
        /// The clock.
        clock: Uuid,
        /// The exception.
        exception: String,
        /// The dates that show it, as JSON.
        claim: String,
        /// The day it was recorded.
        on: Date,
    },
}

/// How a leg stood from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegSnapshot {
    /// The leg.
    pub leg: LegId,
    /// The authority that asked.
    pub sender: OrganisationCode,
    /// The organisation asked.
    pub recipient: OrganisationCode,
    /// The service asked.
    pub service: ServiceCode,
    /// From when it stood so.
    pub at: Timestamp,
    /// The state.
    pub state: LegState,
    /// The civil date from which regulation 8 counts.
    pub received_on: Date,
    /// The statutory date.
    pub statutory_due: Date,
    /// When it was answered.
    pub answered_on: Option<Date>,
    /// The new expected date of an exception.
    pub expected_on: Option<Date>,
    /// The exception, by its name in the rules.
    pub exception: Option<String>,
    /// When a part of the advice came.
    pub part_on: Option<Date>,
    /// When the rest is expected.
    pub remainder_on: Option<Date>,
    /// The date of a forecast.
    pub forecast_on: Option<Date>,
    /// The reason of a forecast.
    pub late_reason: Option<String>,
}

/// Which legs to look back at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFilter {
    /// Asked by this authority.
    pub sender: Option<OrganisationCode>,
    /// Asked of this organisation.
    pub recipient: Option<OrganisationCode>,
    /// As they stood just before this instant.
    pub before: Timestamp,
    /// Whether `from` and `until` are of the date due, not of the date asked.
    pub by_due: bool,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub until: Date,
}

/// A party's agreement that existing advice is sufficient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementRow {
    /// `authority`, `adviser` or `family`.
    pub party: String,
    /// The record that says so, and holds who agreed.
    pub record: RecordId,
    /// Who recorded it.
    pub recorded_by: OrganisationCode,
    /// When the party agreed.
    pub agreed_on: Date,
    /// When it was recorded.
    pub at: Timestamp,
}

/// A reminder of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReminderRow {
    /// The date that counted.
    pub due_on: Date,
    /// Days from it; negative is before.
    pub offset_days: i32,
    /// The message to the service.
    pub record: RecordId,
    /// When it was made.
    pub at: Timestamp,
}

impl Store {
    /// How each leg of a span of days stood just before an instant.
    pub async fn legs_as_of(
        &self,
        filter: &SnapshotFilter,
    ) -> Result<Vec<LegSnapshot>, StoreError> {
        let values = values![
            filter.before,
            filter.sender.as_ref().map(OrganisationCode::as_str),
            filter.recipient.as_ref().map(OrganisationCode::as_str),
            i64::from(filter.by_due),
            filter.from,
            filter.until,
        ];
        let rows = self.engine.rows(&AS_OF, values).await?;
        rows.iter().map(snapshot).collect()
    }

    /// How a leg stood, from its beginning on.
    pub async fn history_of(&self, leg: LegId) -> Result<Vec<LegSnapshot>, StoreError> {
        let rows = self.engine.rows(&HISTORY_OF, values![leg.0]).await?;
        rows.iter().map(snapshot).collect()
    }

    /// Who agreed that existing advice is sufficient for a leg.
    pub async fn agreements_of(&self, leg: LegId) -> Result<Vec<AgreementRow>, StoreError> {
        let rows = self.engine.rows(&AGREEMENTS_OF, values![leg.0]).await?;
        let agreement = |row: &Row| {
            Ok(AgreementRow {
                party: row.text("party")?,
                record: RecordId(row.id("record_id")?),
                recorded_by: row.organisation("recorded_by")?,
                agreed_on: row.date("agreed_on")?,
                at: row.time("at_us")?,
            })
        };
        rows.iter().map(agreement).collect()
    }

    /// The reminders of a leg, oldest first.
    pub async fn reminders_of(&self, leg: LegId) -> Result<Vec<ReminderRow>, StoreError> {
        let rows = self.engine.rows(&REMINDERS_OF, values![leg.0]).await?;
        let reminder = |row: &Row| {
            let days = i32::try_from(row.int("offset_days")?);
            Ok(ReminderRow {
                due_on: row.date("due_on")?,
                offset_days: days.or(Err(row.contradiction("offset_days")))?,
                record: RecordId(row.id("record_id")?),
                at: row.time("at_us")?,
            })
        };
        rows.iter().map(reminder).collect()
    }

    /// Legs whose clock runs and whose request may be known to the service, what is due first
    /// first, after a place.
    pub async fn running_legs(
        &self,
        after: Option<LegId>,
        limit: u32,
    ) -> Result<Vec<LegId>, StoreError> {
        let after = after.map(|leg| leg.0.as_bytes().to_vec()).unwrap_or_default();
        let rows = self.engine.rows(&RUNNING, values![after, limit]).await?;
        rows.iter().map(|row| row.id("id").map(LegId)).collect()
    }
}

/// Writes down how a leg stands now.
pub(super) async fn remember(
    tx: &mut Transaction,
    leg: LegId,
    now: Timestamp,
) -> Result<(), StoreError> {
    one(tx, &REMEMBER, values![leg.0, now], "there is no such leg").await
}

/// Applies what is said of a clock.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &ClockWrite,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        ClockWrite::LegExcused(leg, exception) => {
            one(tx, &EXCUSED_LEG, values![leg.0, exception.as_str()], "there is no such leg").await
        }
        ClockWrite::LegPart(leg, part, rest) => {
            one(tx, &PART, values![leg.0, *part, *rest], "there is no such leg").await
        }
        ClockWrite::LegForecast(leg, from, on, reason) => {
            let values = values![leg.0, name_of(*from), *on, reason.as_str()];
            one(tx, &FORECAST, values, "the leg has changed meanwhile").await
        }
        ClockWrite::LegReplaced(leg, record) => {
            let rule = "a redirected request is replaced once";
            one(tx, &REPLACED, values![leg.0, record.0], rule).await
        }
        ClockWrite::LegAgreed { leg, party, record, recorded_by, agreed_on, before } => {
            let values =
                values![leg.0, party.as_str(), record.0, recorded_by, *agreed_on, now, *before,];
            one(tx, &AGREED, values, "another agreement was recorded meanwhile").await
        }
        ClockWrite::Reminded { leg, due_on, offset_days, record, copy } => {
            let values = values![leg.0, *due_on, i64::from(*offset_days), record.0, copy.0, now,];
            tx.execute(&REMINDED, values).await.map(drop)
        }
        ClockWrite::Started(_)
        | ClockWrite::Met { .. }
        | ClockWrite::Ended { .. }
        | ClockWrite::Undone(..)
        | ClockWrite::Done(..)
        | ClockWrite::Excused { .. } => cases::update(tx, write, now).await,
    }
}

fn snapshot(row: &Row) -> Result<LegSnapshot, StoreError> {
    let service = row.maybe_text("service")?.and_then(|code| ServiceCode::parse(&code).ok());
    Ok(LegSnapshot {
        leg: LegId(row.id("id")?),
        sender: row.organisation("sender")?,
        recipient: row.organisation("recipient")?,
        service: service.ok_or_else(|| row.contradiction("service"))?,
        at: row.time("at_us")?,
        state: row.name("state")?,
        received_on: row.date("received_on")?,
        statutory_due: row.date("statutory_due")?,
        answered_on: row.maybe_date("answered_on")?,
        expected_on: row.maybe_date("expected_on")?,
        exception: row.maybe_text("exception")?,
        part_on: row.maybe_date("part_on")?,
        remainder_on: row.maybe_date("remainder_on")?,
        forecast_on: row.maybe_date("forecast_on")?,
        late_reason: row.maybe_text("late_reason")?,
    })
}

statements! {
    REMEMBER = "clocks::remember" on "leg_history":
        "insert into leg_history (leg_id, version, at_us, state, received_on, statutory_due,
            answered_on, expected_on, exception, part_on, remainder_on, forecast_on, late_reason)
        select l.id, (select count(*) + 1 from leg_history h where h.leg_id = l.id), $2, l.state,
            l.received_on, l.statutory_due, l.answered_on, l.expected_on, l.exception, l.part_on,
            l.remainder_on, l.forecast_on, l.late_reason
        from legs l where l.id = $1";
    AS_OF = "clocks::legs_as_of" on "leg_history":
        "select h.leg_id as id, r.sender, d.recipient, d.service, h.at_us, h.state, h.received_on,
            h.statutory_due, h.answered_on, h.expected_on, h.exception, h.part_on,
            h.remainder_on, h.forecast_on, h.late_reason
        from leg_history h
        join deliveries d on d.id = h.leg_id
        join records r on r.id = d.record_id
        where h.version = (select max(n.version) from leg_history n
                where n.leg_id = h.leg_id and n.at_us < $1)
            and (cast($2 as text) is null or r.sender = $2)
            and (cast($3 as text) is null or d.recipient = $3)
            and case when cast($4 as bigint) = 1 then h.statutory_due else h.received_on end
                between $5 and $6
        order by d.recipient, d.service, h.leg_id";
    HISTORY_OF = "clocks::history_of" on "leg_history":
        "select h.leg_id as id, r.sender, d.recipient, d.service, h.at_us, h.state, h.received_on,
            h.statutory_due, h.answered_on, h.expected_on, h.exception, h.part_on,
            h.remainder_on, h.forecast_on, h.late_reason
        from leg_history h
        join deliveries d on d.id = h.leg_id
        join records r on r.id = d.record_id
        where h.leg_id = $1 order by h.version";
    AGREEMENTS_OF = "clocks::agreements_of" on "leg_agreements":
        "select party, record_id, recorded_by, agreed_on, at_us from leg_agreements
        where leg_id = $1 order by at_us, party";
    REMINDERS_OF = "clocks::reminders_of" on "leg_reminders":
        "select due_on, offset_days, record_id, at_us from leg_reminders
        where leg_id = $1 order by at_us, due_on, offset_days";
    REMINDED = "clocks::update" on "leg_reminders":
        "insert into leg_reminders (leg_id, due_on, offset_days, record_id, copy_id, at_us)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (leg_id, due_on, offset_days) do nothing";
    RUNNING = "clocks::running_legs" on "legs":
        "select l.id from legs l join deliveries d on d.id = l.id
        where l.state in ('waiting', 'accepted', 'exception', 'partial')
            and d.state not in ('held', 'withdrawn') and l.id > $1
        order by l.id limit $2";
    EXCUSED_LEG = "clocks::update" on "legs":
        "update legs set exception = $2 where id = $1";
    PART = "clocks::update" on "legs":
        "update legs set part_on = coalesce(part_on, $2), remainder_on = $3 where id = $1";
    FORECAST = "clocks::update" on "legs":
        "update legs set forecast_on = $3, late_reason = $4 where id = $1 and state = $2";
    REPLACED = "clocks::update" on "legs":
        "update legs set replaced_by = $2
        where id = $1 and state = 'redirected' and replaced_by is null";
    AGREED = "clocks::update" on "leg_agreements":
        "insert into leg_agreements (leg_id, party, record_id, recorded_by, agreed_on, at_us)
        select id, $2, $3, $4, $5, $6 from legs
        where id = $1 and $7 = (select count(*) from leg_agreements where leg_id = $1)";
}
