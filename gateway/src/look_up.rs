//! The look-up of the log: whom its entries are about, period by period, until it dies.
//!
//! A leaf names a person by an [alias](crate::audit::alias) that only the key of its period ties to
//! the pseudonym the gateway works with. That key, and the pseudonyms beside the entries, are the
//! look-up. [`destroy`] ends it for one period, with an entry that says so: from then on the gateway
//! itself cannot tell whom those entries are about, and every leaf, proof, bundle and receipt holds
//! as before. It must never know how a key is made or what a pseudonym stands for.
//!
//! [`refusal`] is the only rule that says when: never in a period that runs, nor before the time of
//! [`Class::AuditLookup`] in the retention schedule has passed since its end. While any legal hold is
//! in force none is destroyed, nor while the database is held after a restore, which may have lost one.
//!
//! Limits: records, cases, clocks, the consent ledger and what else is kept of a person has the
//! pseudonym of its own, outside the look-up. That of records whose content was removed goes with it;
//! [`LookUpSize::records`] says how many records that entries of the period name still lead to
//! somebody. One is enough to tell all entries of that person in that period. Backups made before
//! hold the sealed key until they go too. Entries from before there were periods name the pseudonym
//! itself, which nothing can take out of the log.
//!
//! Not supported: removing the leaves of a period, because then nobody could verify the log from its
//! entries; periods other than years, because nobody has asked for them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::app::App;
use crate::audit::alias::Period;
use crate::audit::log_look::LogLook;
use crate::audit::{Actor, Event, EventKind};
use crate::clock::london_date;
use crate::entropy::sha256_hex;
use crate::retention::schedule::{Class, Schedule};
use crate::store::{Change, LogFilter, LogPeriod, LookUpGone, RetentionWrite, StoreError, Write};

pub use crate::store::LookUpSize;

/// How the look-up of a period stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The period: a year, or 0 for entries from before there were periods.
    pub period: Period,
    /// Its first entry.
    pub first_entry: u64,
    /// Its last entry, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_entry: Option<u64>,
    /// The first day on which its look-up may be destroyed, where it ever may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be_destroyed_from: Option<Date>,
    /// That its look-up was destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Destruction>,
}

/// That a look-up was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Destruction {
    /// On which day.
    pub on: Date,
    /// The entry that says so; `None` when there is none, which `audit verify` names.
    pub entry: Option<u64>,
}

/// What was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destroyed {
    /// The entry that says so.
    pub entry: u64,
    /// What the look-up held.
    pub size: LookUpSize,
    /// Whether the freed bytes are gone from the database's files already. On a server its own
    /// housekeeping does that.
    pub freed: bool,
}

/// Why a look-up is not destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such period.
    #[error("the log has no entries of that year; `audit look-ups` lists the years it has")]
    Unknown,
    /// Its entries name the pseudonym itself.
    #[error(
        "entries from before the log had periods name the pseudonym itself: destroying what stands \
         beside them would not end the tie"
    )]
    Before,
    /// It runs.
    #[error("that year is the newest of the log, and its entries are still being written")]
    Running,
    /// It ended too lately.
    #[error("it is kept until {until}: `audit-lookup` in the retention schedule says how long")]
    Young {
        /// The first day on which it may be destroyed.
        until: Date,
    },
    /// The schedule keeps it for ever.
    #[error("the retention schedule keeps it for ever: see `audit-lookup` there")]
    ForEver,
    /// Somebody ordered that nothing is destroyed.
    #[error(
        "a legal hold is in force: whom entries are about may be asked for; `retention holds` lists \
         them"
    )]
    LegalHold,
    /// The database was restored from a backup, and what was lost with it is not back.
    #[error(
        "the database was restored from a backup and may have forgotten legal holds: place those \
         that were lost again, confirm the restore (`restore confirm`), then ask again"
    )]
    Restored,
    /// It was destroyed before.
    #[error("it was destroyed before; `audit look-ups` says when, and by which entry")]
    Destroyed,
}

/// Whether there is a reason in the period and the schedule not to destroy its look-up on a day.
pub fn refusal(period: &LogPeriod, today: Date, schedule: &Schedule) -> Option<Refusal> {
    if period.period == Period::BEFORE {
        return Some(Refusal::Before);
    }
    if period.destroyed_at.is_some() {
        return Some(Refusal::Destroyed);
    }
    if period.until.is_none() {
        return Some(Refusal::Running);
    }
    let Some(until) = kept_until(period.period, schedule) else { return Some(Refusal::ForEver) };
    (today < until).then_some(Refusal::Young { until })
}

/// The first day on which a look-up may be destroyed; `None` when never.
fn kept_until(period: Period, schedule: &Schedule) -> Option<Date> {
    let ended = Date::new(period.year().checked_add(1)?, 1, 1).ok()?;
    // Midnight of the first of January is the same in London and in UTC.
    let ended = ended.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp();
    schedule.due_at(Class::AuditLookup, ended).map(london_date)
}

/// How the look-up of each period stands, oldest first.
pub async fn standings(app: &App) -> Result<Vec<Standing>, StoreError> {
    let kinds = vec![EventKind::LookUpDestroyed];
    let filter = LogFilter { kinds, ..LogFilter::default() };
    let entries = app.store.entries_matching(&filter, u64::MAX, DESTRUCTIONS_MAX).await?;
    let standing = |period: LogPeriod| {
        let said = entries.iter().find(|entry| {
            destroyed_by(&entry.event).is_some_and(|(destroyed, _)| destroyed == period.period)
        });
        let ever = period.period != Period::BEFORE && period.destroyed_at.is_none();
        Standing {
            period: period.period,
            first_entry: period.from,
            last_entry: period.until.map(|until| until.saturating_sub(1)),
            may_be_destroyed_from: kept_until(period.period, &app.schedule).filter(|_| ever),
            destroyed: period
                .destroyed_at
                .map(|at| Destruction { on: london_date(at), entry: said.map(|entry| entry.seq) }),
        }
    };
    Ok(app.store.log_periods().await?.into_iter().map(standing).collect())
}

/// The look-ups that were destroyed of periods with any day between two, both included and open
/// where none is named.
pub async fn destroyed_within(
    app: &App,
    from: Option<Date>,
    until: Option<Date>,
) -> Result<Vec<Standing>, StoreError> {
    let mut standings = standings(app).await?;
    standings.retain(|standing| {
        let year = standing.period.year();
        standing.destroyed.is_some()
            && from.is_none_or(|from| year >= from.year())
            && until.is_none_or(|until| year <= until.year())
    });
    Ok(standings)
}

/// What the look-up of a period holds, or why it would not be destroyed today. The asking is an entry
/// of the log.
pub async fn rehearse(
    app: &App,
    period: Period,
    actor: &Actor,
) -> Result<Result<LookUpGone, Refusal>, StoreError> {
    note_asking(app, period, actor).await?;
    Ok(found(app, period).await?.map(|(gone, _)| gone))
}

/// That a look-up was asked about is in the log. With an entry of today the period, if it is over, is
/// over in the log too.
async fn note_asking(app: &App, period: Period, actor: &Actor) -> Result<(), StoreError> {
    let event = LogLook::LookUp.event(actor.clone()).with(PERIOD, period);
    app.store.commit(Change::because(event)).await.map(drop)
}

/// What the look-up of a period holds, and the legal holds it was judged by: how many were placed
/// ever, and lifted of these.
async fn found(
    app: &App,
    period: Period,
) -> Result<Result<(LookUpGone, (u64, u64)), Refusal>, StoreError> {
    // A restored database has forgotten legal holds that were placed since the backup.
    if app.store.unconfirmed_restore().await?.is_some() {
        return Ok(Err(Refusal::Restored));
    }
    let periods = app.store.log_periods().await?;
    let Some(found) = periods.into_iter().find(|found| found.period == period) else {
        return Ok(Err(Refusal::Unknown));
    };
    if let Some(refusal) = refusal(&found, app.clock.today(), &app.schedule) {
        return Ok(Err(refusal));
    }
    // A look-up is of everybody, so that any hold keeps all of it.
    let holds = app.store.legal_holds().await?;
    if holds.iter().any(|hold| hold.lifted.is_none()) {
        return Ok(Err(Refusal::LegalHold));
    }
    let placed = u64::try_from(holds.len()).unwrap_or(u64::MAX);
    let size = app.store.look_up_size(&found).await?;
    Ok(Ok((LookUpGone { period: found, size }, (placed, placed))))
}

/// Destroys the look-up of a period for good, or says why not.
///
/// Errors: [`StoreError::Conflict`] when somebody else destroys it at the same moment, or a legal hold
/// is placed or lifted meanwhile.
pub async fn destroy(
    app: &App,
    period: Period,
    actor: &Actor,
) -> Result<Result<Destroyed, Refusal>, StoreError> {
    note_asking(app, period, actor).await?;
    let (gone, (placed, lifted)) = match found(app, period).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (size, first) = (gone.size, gone.period.from);
    let last = gone.period.until.unwrap_or_default().saturating_sub(1);
    let mut event = Event::new(EventKind::LookUpDestroyed, actor.clone())
        .with(PERIOD, period)
        .with(FIRST, first)
        .with(LAST, last)
        .with("entries", size.entries)
        .with("looks", size.looks)
        .with("records_kept", size.records);
    let sealed = gone.period.key.as_deref().unwrap_or_default();
    event.hashes.insert("key".to_owned(), sha256_hex(sealed));
    let change = Change::because(event)
        .write(Write::Retention(RetentionWrite::HoldsAre(placed, lifted)))
        .write(Write::LookUpDestroyed(gone));
    let entry = match app.store.commit(change).await {
        Ok(committed) => committed.first_seq,
        Err(StoreError::HeldAfterRestore) => return Ok(Err(Refusal::Restored)),
        Err(error) => return Err(error),
    };
    app.period_keys.forget();
    let freed = app.store.forget_freed().await?;
    Ok(Ok(Destroyed { entry, size, freed }))
}

/// Which look-up an event says was destroyed: of which period, from and before which entries.
pub(crate) fn destroyed_by(event: &Event) -> Option<(Period, (u64, u64))> {
    let said = |name: &str| event.detail.get(name);
    let last: u64 = said(LAST)?.parse().ok()?;
    let stretch = (said(FIRST)?.parse().ok()?, last.checked_add(1)?);
    let period = Period::of_year(said(PERIOD)?.parse().ok()?);
    (event.kind == EventKind::LookUpDestroyed).then_some((period, stretch))
}

/// The kind of the entry of a destruction, by its name in the log.
pub(crate) const DESTROYED: &str = "lookup.destroyed";

const PERIOD: &str = "period";
const FIRST: &str = "first_entry";
const LAST: &str = "last_entry";

/// More destructions than there are years in which there may be one.
const DESTRUCTIONS_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;
