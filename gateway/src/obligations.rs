//! The clocks of a case: who owes what by which provision, when, and how it stands.
//!
//! Read from what messages began, met and ended (`pipeline::clocks`), by the rules that held when
//! a clock began. Both parties to the message that began a clock see the same clock. What no
//! message of the catalogue says, its owner says here: that it was done, or which exception
//! excuses it. Must never know SQL or HTTP.

use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::deadlines::{Claim, Nature, NotShown};
use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::board::Labels;
use crate::looks;
use crate::store::{CaseClock, CaseClockLine, Change, ClockFilter, ClockWrite, StoreError, Write};
use crate::telemetry::name_of;
use crate::vault::BlobKind;

/// How the clock of a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockStanding {
    /// It is owed, and there is time.
    Running,
    /// It is owed, late, and an exception excuses that.
    Excused,
    /// It is owed, late, and nothing excuses that.
    Overdue,
    /// A target that has passed; no limit of law.
    BehindTarget,
    /// It was done in time.
    MetInTime,
    /// It was done late, and that was excused.
    MetExcused,
    /// It was done late.
    MetLate,
    /// The time that is given still runs.
    WindowOpen,
    /// The time that was given is over.
    WindowOver,
    /// Nothing is owed any more.
    Ended,
}

/// One clock of a case, for people.
#[derive(Debug, Clone, Serialize)]
pub struct Obligation {
    /// The clock.
    pub clock: Uuid,
    /// The case reference of the message that began it, for its parties.
    pub case: String,
    /// Its name in the rules.
    pub period: String,
    /// What is due, in words.
    pub due: String,
    /// By which provision.
    pub provision: String,
    /// Whether the number was checked against the text of the law.
    pub verified: bool,
    /// Who owes.
    pub owner: OrganisationCode,
    /// Its name.
    pub owner_name: String,
    /// The civil date it counts from.
    pub started_on: Date,
    /// The statutory date.
    pub due_on: Date,
    /// The same by the other way of counting, where it gives another date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative_on: Option<Date>,
    /// The day to work to, as far as bank holidays are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_to_on: Option<Date>,
    /// The day it was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met_on: Option<Date>,
    /// The day from which nothing was owed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
    /// Why: a type of message, or `replaced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
    /// The exception that excuses lateness, by its name in the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// How it stands today.
    pub standing: ClockStanding,
    /// Days until the statutory date; negative when it has passed. Absent once met or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i32>,
    /// The version of the rules behind the dates.
    pub rule_version: String,
}

/// What the owner of a clock says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It was done on a day that has come.
    Done(Date),
    /// An exception excuses being late, and these dates show it.
    Excused(String, Claim),
}

/// Why what was said of a clock was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// There is no such clock for this organisation to speak of.
    #[error("no such clock is yours")]
    NotFound,
    /// The day has not come, or is before the clock began.
    #[error("the day is not one on which this can have been done")]
    NotThen,
    /// The dates do not show the exception.
    #[error(transparent)]
    NotShown(#[from] NotShown),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The clocks a viewer may see, what is due first first. `Ok` only once the look is in the log.
pub async fn list(
    app: &App,
    (filter, labels): (&ClockFilter, Labels),
    after: Option<(Date, Uuid)>,
    limit: u32,
    actor: &Actor,
) -> Result<Vec<Obligation>, StoreError> {
    let rows = app.store.case_clocks(filter, after, limit).await?;
    let event = Event::new(EventKind::BoardViewed, actor.clone()).with("clocks", rows.len());
    looks::at_people(app, event, rows.iter().map(|row| row.clock.subject)).await?;
    let today = app.clock.today();
    Ok(rows.into_iter().map(|row| obligation(app, row, labels, today)).collect())
}

/// The change that records what its owner says of a clock.
pub async fn say(
    app: &App,
    owner: &OrganisationCode,
    actor: &Actor,
    clock: Uuid,
    said: &Said,
) -> Result<Change, SayError> {
    let found = app.store.find_case_clock(clock).await?.filter(|clock| clock.owner == *owner);
    let found = found.ok_or(SayError::NotFound)?;
    let today = app.clock.today();
    let mut event = Event::new(EventKind::ClockChanged, actor.clone())
        .with("clock", clock)
        .with("period", &found.period);
    event.subject = Some(found.subject);
    event.record = Some(found.started_by);
    let (event, write) = match said {
        Said::Done(on) => {
            if *on > today {
                return Err(SayError::NotThen);
            }
            (event.with("met", on), ClockWrite::Done(clock, *on))
        }
        Said::Excused(exception, claim) => {
            let period = (found.period.as_str(), found.started_on, found.due_on);
            let shown = app.rules.excuse(period, exception, claim)?;
            let exception = shown.id.clone();
            let claim = serde_json::to_string(claim).unwrap_or_default();
            let event = event.with("excused", &exception);
            (event, ClockWrite::Excused { clock, exception, claim, on: today })
        }
    };
    Ok(Change::because(event).write(Write::Clock(write)))
}

fn obligation(app: &App, row: CaseClockLine, labels: Labels, today: Date) -> Obligation {
    let CaseClockLine { clock, label } = row;
    let case = app
        .vault
        .expose_blob_for_owner(BlobKind::Label, clock.started_by.0, &clock.sender, &label)
        .ok()
        .filter(|_| labels == Labels::Shown)
        .and_then(|bytes| String::from_utf8(bytes.expose().to_vec()).ok())
        .unwrap_or_default();
    let version = app.rules.version_named(&clock.rule_version);
    let period = version.and_then(|version| version.period(&clock.period).ok());
    let standing = standing(&clock, today);
    let open = clock.met_on.is_none() && clock.ended_on.is_none();
    Obligation {
        clock: clock.id,
        case,
        due: period.map(|period| period.words.clone()).unwrap_or_default(),
        provision: period.map(|period| period.provision.clone()).unwrap_or_default(),
        verified: period.is_some_and(|period| period.verified),
        period: clock.period,
        owner_name: app.name_of(&clock.owner),
        owner: clock.owner,
        started_on: clock.started_on,
        due_on: clock.due_on,
        alternative_on: clock.alternative_on,
        work_to_on: clock.work_to_on,
        met_on: clock.met_on,
        ended_on: clock.ended_on,
        ended_because: clock.ended_because,
        exception: clock.exception,
        standing,
        days_left: open.then(|| (clock.due_on - today).get_days()),
        rule_version: clock.rule_version,
    }
}

/// How a clock stands on a day.
fn standing(clock: &CaseClock, on: Date) -> ClockStanding {
    if let Some(met) = clock.met_on {
        return match (met <= clock.due_on, clock.exception.is_some()) {
            (true, _) => ClockStanding::MetInTime,
            (false, true) => ClockStanding::MetExcused,
            (false, false) => ClockStanding::MetLate,
        };
    }
    if clock.ended_on.is_some() {
        return ClockStanding::Ended;
    }
    let passed = on > clock.due_on;
    match (clock.nature, passed) {
        (Nature::Window, false) => ClockStanding::WindowOpen,
        (Nature::Window, true) => ClockStanding::WindowOver,
        (Nature::Duty | Nature::Target, false) => ClockStanding::Running,
        (Nature::Target, true) => ClockStanding::BehindTarget,
        (Nature::Duty, true) if clock.exception.is_some() => ClockStanding::Excused,
        (Nature::Duty, true) => ClockStanding::Overdue,
    }
}

/// The states of a clock, for those who count them: how many stand so, by name.
pub fn tally(clocks: &[Obligation]) -> std::collections::BTreeMap<String, usize> {
    let mut tally = std::collections::BTreeMap::new();
    for clock in clocks {
        *tally.entry(name_of(clock.standing)).or_insert(0) += 1;
    }
    tally
}
