//! The way to adulthood: which records tell of it, with what they say sealed.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId};
use uuid::Uuid;

use super::Store;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{values, whole};
use crate::audit::SubjectKey;
use crate::queue::{DeliveryId, DeliveryState};
use crate::vault::SealedBlob;

/// What is written of the way to adulthood.
#[derive(Debug)]
pub enum TransitionWrite {
    /// A record tells of somebody's.
    Step(NewTransitionStep),
    /// What the checklists came to on a day; replaces the same day's.
    Day(TransitionDay),
}

/// A record that tells of somebody's way to adulthood.
#[derive(Debug, Clone)]
pub struct NewTransitionStep {
    /// The id of the person's transition, unless there is one already.
    pub transition: Uuid,
    /// The person's pseudonym.
    pub subject: SubjectKey,
    /// The record.
    pub record: RecordId,
    /// The first day on which the checklist is looked at; an earlier one that is known stays.
    pub looked_at_from: Date,
    /// What it says that the checklist needs, sealed.
    pub facts: SealedBlob,
}

/// Which transitions to read. Nothing set means all that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionFilter {
    /// Only those that are looked at on this day.
    pub on: Date,
    /// Only those an organisation is a party of: it sent something of it, or was sent something.
    pub party: Option<OrganisationCode>,
    /// Only this one.
    pub id: Option<Uuid>,
    /// At most this many people: those first who are looked at longest, who are the oldest unless
    /// a message told of them early. None means all.
    pub at_most: Option<u32>,
}

/// One record of a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionStep {
    /// The transition.
    pub transition: Uuid,
    /// The person's pseudonym.
    pub subject: SubjectKey,
    /// The record.
    pub record: RecordId,
    /// Its type.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What it says, sealed.
    pub facts: SealedBlob,
    /// Its case reference, sealed.
    pub label: SealedBlob,
}

/// One delivery of a record of a transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionDelivery {
    /// The record.
    pub record: RecordId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The receiver.
    pub recipient: OrganisationCode,
    /// Where it stands.
    pub state: DeliveryState,
    /// The rule or reason behind it.
    pub reason: Option<String>,
    /// When the receiver last said whether it accepts.
    pub acknowledged_at: Option<Timestamp>,
}

/// What the checklists came to on one day: numbers of nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionDay {
    /// The civil day.
    pub day: Date,
    /// Cases on the way to adulthood.
    pub tracked: u64,
    /// Of these, with something missing.
    pub with_gaps: u64,
    /// Items missing, in all cases.
    pub gaps: u64,
    /// Of these, past their day.
    pub overdue: u64,
    /// Cases with gaps by the warning they have reached: months before the 18th birthday, 0 from
    /// the day itself.
    pub within_months: Vec<(i32, u64)>,
}

impl Store {
    /// The records of transitions: those of one transition together, oldest first.
    pub async fn transition_steps(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Vec<TransitionStep>, StoreError> {
        let rows = self.engine.rows(&STEPS, bound(filter)).await?;
        let step = |row: &Row| {
            Ok(TransitionStep {
                transition: row.id("id")?,
                subject: SubjectKey(row.hash("subject")?),
                record: RecordId(row.id("record_id")?),
                kind: row.name("kind")?,
                sender: row.organisation("sender")?,
                accepted_at: row.time("accepted_at")?,
                facts: SealedBlob { envelope: row.bytes("facts")? },
                label: SealedBlob { envelope: row.bytes("label")? },
            })
        };
        rows.iter().map(step).collect()
    }

    /// The deliveries of those records.
    pub async fn transition_deliveries(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Vec<TransitionDelivery>, StoreError> {
        let rows = self.engine.rows(&STEP_DELIVERIES, bound(filter)).await?;
        let delivery = |row: &Row| {
            Ok(TransitionDelivery {
                record: RecordId(row.id("record_id")?),
                delivery: DeliveryId(row.id("id")?),
                recipient: row.organisation("recipient")?,
                state: row.name("state")?,
                reason: row.maybe_text("reason")?,
                acknowledged_at: row.maybe_time("acknowledged_at")?,
            })
        };
        rows.iter().map(delivery).collect()
    }

    /// What the checklists last came to.
    pub async fn newest_transition_day(&self) -> Result<Option<TransitionDay>, StoreError> {
        let row = self.engine.row(&NEWEST_DAY, values![]).await?;
        let day = |row: Row| {
            Ok(TransitionDay {
                day: row.date("day")?,
                tracked: row.count("tracked")?,
                with_gaps: row.count("with_gaps")?,
                gaps: row.count("gaps")?,
                overdue: row.count("overdue")?,
                within_months: row.list("within_months")?,
            })
        };
        row.map(day).transpose()
    }
}

fn bound(filter: &TransitionFilter) -> Vec<super::value::Value> {
    values![
        filter.on,
        filter.party.as_ref().map(OrganisationCode::as_str),
        i64::from(filter.id.is_some()),
        filter.id.unwrap_or_default(),
        filter.at_most.map_or(i64::MAX, i64::from),
    ]
}

/// Makes the change.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &TransitionWrite,
) -> Result<(), StoreError> {
    match write {
        TransitionWrite::Step(new) => step(tx, new).await,
        TransitionWrite::Day(new) => day(tx, new).await,
    }
}

async fn step(tx: &mut Transaction, new: &NewTransitionStep) -> Result<(), StoreError> {
    let (subject, from) = (new.subject.0, new.looked_at_from);
    tx.execute(&BEGIN, values![new.transition, subject, from]).await?;
    tx.execute(&EARLIER, values![subject, from]).await?;
    let facts = new.facts.envelope.clone();
    super::writes::one(
        tx,
        &STEP,
        values![new.record.0, subject, facts],
        "a record tells of one person's transition, once",
    )
    .await
}

async fn day(tx: &mut Transaction, day: &TransitionDay) -> Result<(), StoreError> {
    let within = serde_json::to_string(&day.within_months).unwrap_or_default();
    let values = values![
        day.day,
        whole(day.tracked),
        whole(day.with_gaps),
        whole(day.gaps),
        whole(day.overdue),
        within,
    ];
    tx.execute(&DAY, values).await.map(drop)
}

statements! {
    STEPS = "transitions::transition_steps" on "transitions":
        "select t.id as id, t.subject as subject, s.record_id as record_id, r.kind as kind,
            r.sender as sender, r.accepted_at as accepted_at, s.facts as facts, r.label as label
        from (
            select p.id as id, p.subject as subject from transitions p
            where p.looked_at_from <= $1
                and (cast($2 as text) is null or p.id in (
                    select s2.transition_id from transition_steps s2
                        join records r2 on r2.id = s2.record_id where r2.sender = $2
                    union
                    select s3.transition_id from transition_steps s3
                        join deliveries d on d.record_id = s3.record_id
                    where d.recipient = $2 and d.state not in ('held', 'withdrawn')))
                and (cast($3 as bigint) = 0 or p.id = $4)
            order by p.looked_at_from, p.id limit $5
        ) t
            join transition_steps s on s.transition_id = t.id and s.removed_at is null
            join records r on r.id = s.record_id
            join submissions m on m.id = r.submission_id
        order by t.id, r.accepted_at, m.audit_seq, s.record_id";
    STEP_DELIVERIES = "transitions::transition_deliveries" on "deliveries":
        "select v.id as id, v.record_id as record_id, v.recipient as recipient, v.state as state,
            v.reason as reason, v.acknowledged_at as acknowledged_at
        from (
            select p.id as id, p.subject as subject from transitions p
            where p.looked_at_from <= $1
                and (cast($2 as text) is null or p.id in (
                    select s2.transition_id from transition_steps s2
                        join records r2 on r2.id = s2.record_id where r2.sender = $2
                    union
                    select s3.transition_id from transition_steps s3
                        join deliveries d on d.record_id = s3.record_id
                    where d.recipient = $2 and d.state not in ('held', 'withdrawn')))
                and (cast($3 as bigint) = 0 or p.id = $4)
            order by p.looked_at_from, p.id limit $5
        ) t
            join transition_steps s on s.transition_id = t.id
            join deliveries v on v.record_id = s.record_id
        order by v.record_id, v.recipient, v.id";
    NEWEST_DAY = "transitions::newest_transition_day" on "transition_days":
        "select day, tracked, with_gaps, gaps, overdue, within_months
        from transition_days order by day desc limit 1";
    BEGIN = "transitions::step" on "transitions":
        "insert into transitions (id, subject, looked_at_from) values ($1, $2, $3)
        on conflict (subject) do nothing";
    EARLIER = "transitions::step" on "transitions":
        "update transitions set looked_at_from = $2 where subject = $1 and looked_at_from > $2";
    STEP = "transitions::step" on "transition_steps":
        "insert into transition_steps (record_id, transition_id, facts)
        select $1, id, $3 from transitions where subject = $2";
    DAY = "transitions::day" on "transition_days":
        "insert into transition_days (day, tracked, with_gaps, gaps, overdue, within_months)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (day) do update set tracked = excluded.tracked,
            with_gaps = excluded.with_gaps, gaps = excluded.gaps, overdue = excluded.overdue,
            within_months = excluded.within_months";
}
