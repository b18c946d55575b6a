//! The clocks of cases: begun, met, ended and excused, and asked for by those who may see them.
//!
//! A clock is the same however many messages say that it began; the parties to each of them see
//! it, once that message may reach them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::deadlines::Nature;
use schemas::{OrganisationCode, RecordId};
use uuid::Uuid;

use super::Store;
use super::clocks::ClockWrite;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use super::writes::one;
use crate::audit::SubjectKey;
use crate::vault::SealedBlob;

/// The clock of a case as it begins.
#[derive(Debug, Clone)]
pub struct NewCaseClock {
    /// Its id.
    pub id: Uuid,
    /// About whom.
    pub subject: SubjectKey,
    /// Its name in the rules.
    pub period: String,
    /// What ends with it.
    pub nature: Nature,
    /// The version of the rules.
    pub rule_version: String,
    /// Who owes.
    pub owner: OrganisationCode,
    /// The message that started it.
    pub started_by: RecordId,
    /// The civil date it counts from.
    pub started_on: Date,
    /// The statutory date.
    pub due_on: Date,
    /// The same by the other way of counting, where it differs.
    pub alternative_on: Option<Date>,
    /// The date to work to, as far as bank holidays are known.
    pub work_to_on: Option<Date>,
}

/// The clock of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseClock {
    /// Its id.
    pub id: Uuid,
    /// About whom.
    pub subject: SubjectKey,
    /// Its name in the rules.
    pub period: String,
    /// What ends with it.
    pub nature: Nature,
    /// The version of the rules.
    pub rule_version: String,
    /// Who owes.
    pub owner: OrganisationCode,
    /// The message that started it.
    pub started_by: RecordId,
    /// Who sent that message.
    pub sender: OrganisationCode,
    /// The civil date it counts from.
    pub started_on: Date,
    /// The statutory date.
    pub due_on: Date,
    /// The same by the other way of counting, where it differs.
    pub alternative_on: Option<Date>,
    /// The date to work to.
    pub work_to_on: Option<Date>,
    /// The day it was met.
    pub met_on: Option<Date>,
    /// The message that met it.
    pub met_by: Option<RecordId>,
    /// The day from which nothing is owed any more.
    pub ended_on: Option<Date>,
    /// Why.
    pub ended_because: Option<String>,
    /// The exception that excuses lateness.
    pub exception: Option<String>,
    /// The day it was recorded.
    pub excused_on: Option<Date>,
}

/// A clock with the case reference, sealed, for those who may open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseClockLine {
    /// The clock.
    pub clock: CaseClock,
    /// The case reference, sealed.
    pub label: SealedBlob,
}

/// Which clocks of cases to show. Nothing set means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClockFilter {
    /// That this organisation may see.
    pub viewer: Option<OrganisationCode>,
    /// That this organisation owes.
    pub owner: Option<OrganisationCode>,
    /// Of this name in the rules.
    pub period: Option<String>,
    /// Only those that were not met and have not ended.
    pub open_only: bool,
}

impl Store {
    /// The clocks of cases, what is due first first.
    pub async fn case_clocks(
        &self,
        filter: &ClockFilter,
        after: Option<(Date, Uuid)>,
        limit: u32,
    ) -> Result<Vec<CaseClockLine>, StoreError> {
        let values = values![
            filter.viewer.as_ref().map(OrganisationCode::as_str),
            filter.owner.as_ref().map(OrganisationCode::as_str),
            filter.period.clone(),
            i64::from(filter.open_only),
            after.map(|(due, _)| due.to_string()).unwrap_or_default(),
            after.map(|(_, id)| id.as_bytes().to_vec()).unwrap_or_default(),
            limit,
        ];
        let rows = self.engine.rows(&CASE_CLOCKS, values).await?;
        let line = |row: &Row| {
            let label = SealedBlob { envelope: row.bytes("label")? };
            Ok(CaseClockLine { clock: case_clock(row)?, label })
        };
        rows.iter().map(line).collect()
    }

    /// The names of the clocks that run about a person.
    pub async fn running_periods(
        &self,
        subject: SubjectKey,
    ) -> Result<BTreeSet<String>, StoreError> {
        let rows = self.engine.rows(&RUNNING_PERIODS, values![subject.0]).await?;
        rows.iter().map(|row| row.text("period")).collect()
    }

    /// The clock of a case with an id.
    pub async fn find_case_clock(&self, id: Uuid) -> Result<Option<CaseClock>, StoreError> {
        let row = self.engine.row(&FIND_CASE_CLOCK, values![id]).await?;
        row.as_ref().map(case_clock).transpose()
    }
}

/// Applies what is said of the clock of a case.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &ClockWrite,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        ClockWrite::Started(new) => started(tx, new, now).await,
        ClockWrite::Met { subject, period, owner, of, earlier, on, record } => {
            let values = values![
                subject.0,
                period.as_str(),
                owner,
                *of,
                *on,
                record.0,
                i64::from(*earlier),
            ];
            tx.execute(&MET, values).await.map(drop)
        }
        ClockWrite::Ended { subject, period, party, on, because } => {
            let values = values![subject.0, period.as_str(), party, *on, because.as_str()];
            tx.execute(&ENDED, values).await.map(drop)
        }
        ClockWrite::Undone(record, on) => {
            tx.execute(&UNDONE_START, values![record.0, *on]).await?;
            tx.execute(&UNDONE_MET, values![record.0]).await.map(drop)
        }
        ClockWrite::Done(clock, on) => {
            one(tx, &DONE, values![*clock, *on], "the clock was met or has ended before").await
        }
        ClockWrite::Excused { clock, exception, claim, on } => {
            let values = values![*clock, exception.as_str(), claim.as_str(), *on];
            one(tx, &EXCUSED, values, "the clock was excused or has ended before").await
        }
        ClockWrite::LegExcused(..)
        | ClockWrite::LegPart(..)
        | ClockWrite::LegForecast(..)
        | ClockWrite::LegReplaced(..)
        | ClockWrite::LegAgreed { .. }
        | ClockWrite::Reminded { .. } => Ok(()),
    }
}

async fn started(
    tx: &mut Transaction,
    new: &NewCaseClock,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = values![
        new.id,
        new.subject.0,
        new.period.as_str(),
        name_of(new.nature),
        new.rule_version.as_str(),
        &new.owner,
        new.started_by.0,
        new.started_on,
        new.due_on,
        new.alternative_on,
        new.work_to_on,
        now,
    ];
    tx.execute(&STARTED, values).await?;
    let values =
        values![new.subject.0, new.period.as_str(), &new.owner, new.started_on, new.started_by.0,];
    tx.execute(&SOURCE, values).await.map(drop)
}

fn case_clock(row: &Row) -> Result<CaseClock, StoreError> {
    Ok(CaseClock {
        id: row.id("id")?,
        subject: SubjectKey(row.hash("subject")?),
        period: row.text("period")?,
        nature: row.name("nature")?,
        rule_version: row.text("rule_version")?,
        owner: row.organisation("owner")?,
        started_by: RecordId(row.id("started_by")?),
        sender: row.organisation("sender")?,
        started_on: row.date("started_on")?,
        due_on: row.date("due_on")?,
        alternative_on: row.maybe_date("alternative_on")?,
        work_to_on: row.maybe_date("work_to_on")?,
        met_on: row.maybe_date("met_on")?,
        met_by: row.maybe_id("met_by")?.map(RecordId),
        ended_on: row.maybe_date("ended_on")?,
        ended_because: row.maybe_text("ended_because")?,
        exception: row.maybe_text("exception")?,
        excused_on: row.maybe_date("excused_on")?,
    })
}

statements! {
    STARTED = "cases::started" on "case_clocks":
        "insert into case_clocks (id, subject, period, nature, rule_version, owner, started_by,
            started_on, due_on, alternative_on, work_to_on, started_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (subject, period, owner, started_on) do update
        set ended_on = null, ended_because = null, started_by = excluded.started_by
        where case_clocks.ended_because = 'replaced'";
    SOURCE = "cases::started" on "case_clock_sources":
        "insert into case_clock_sources (clock_id, record_id)
        select id, $5 from case_clocks
        where subject = $1 and period = $2 and owner = $3 and started_on = $4
        on conflict (clock_id, record_id) do nothing";
    MET = "cases::update" on "case_clocks":
        "update case_clocks set met_on = $5, met_by = $6
        where subject = $1 and period = $2 and owner = $3 and met_on is null and ended_on is null
            and (cast($4 as text) is null or started_on = $4)
            and (cast($7 as bigint) = 0 or started_on < $5)";
    ENDED = "cases::update" on "case_clocks":
        "update case_clocks set ended_on = $4, ended_because = $5
        where subject = $1 and period = $2 and met_on is null and ended_on is null
            and exists (select 1 from case_clock_sources s
                join records r on r.id = s.record_id
                left join deliveries d on d.record_id = s.record_id
                where s.clock_id = case_clocks.id and (r.sender = $3 or d.recipient = $3))";
    UNDONE_START = "cases::update" on "case_clocks":
        "update case_clocks set ended_on = $2, ended_because = 'replaced'
        where started_by = $1 and ended_on is null";
    UNDONE_MET = "cases::update" on "case_clocks":
        "update case_clocks set met_on = null, met_by = null where met_by = $1";
    DONE = "cases::update" on "case_clocks":
        "update case_clocks set met_on = $2
        where id = $1 and met_on is null and ended_on is null";
    EXCUSED = "cases::update" on "case_clocks":
        "update case_clocks set exception = $2, claim = $3, excused_on = $4
        where id = $1 and exception is null and ended_on is null";
    CASE_CLOCKS = "cases::case_clocks" on "case_clocks":
        "select c.id, c.subject, c.period, c.nature, c.rule_version, c.owner, c.started_by,
            r.sender, c.started_on, c.due_on, c.alternative_on, c.work_to_on, c.met_on, c.met_by,
            c.ended_on, c.ended_because, c.exception, c.excused_on, r.label
        from case_clocks c join records r on r.id = c.started_by
        where (cast($1 as text) is null or exists (select 1 from case_clock_sources s
                join records o on o.id = s.record_id
                left join deliveries d on d.record_id = s.record_id
                where s.clock_id = c.id and (o.sender = $1 or (d.recipient = $1
                    and d.state not in ('held', 'withdrawn')))))
            and (cast($2 as text) is null or c.owner = $2)
            and (cast($3 as text) is null or c.period = $3)
            and (cast($4 as bigint) = 0 or (c.met_on is null and c.ended_on is null))
            and (c.due_on, c.id) > ($5, $6)
        order by c.due_on, c.id limit $7";
    RUNNING_PERIODS = "cases::running_periods" on "case_clocks":
        "select distinct period from case_clocks
        where subject = $1 and met_on is null and ended_on is null";
    FIND_CASE_CLOCK = "cases::find_case_clock" on "case_clocks":
        "select c.id, c.subject, c.period, c.nature, c.rule_version, c.owner, c.started_by,
            r.sender, c.started_on, c.due_on, c.alternative_on, c.work_to_on, c.met_on, c.met_by,
            c.ended_on, c.ended_because, c.exception, c.excused_on
        from case_clocks c join records r on r.id = c.started_by
        where c.id = $1";
}
