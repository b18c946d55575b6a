//! The way to adulthood: who is on it, what is missing, and who owes it.
//!
//! Owns the list of cases and the checklist of one, as each party may see them. What is kept is
//! which records tell of whom, and what they say sealed; everything else is worked out when it is
//! looked at, from those facts, the deliveries' states and the day. So an acceptance, a rejection
//! or a changed mind counts at once, and nothing here can be out of date. It must never know HTTP.
//!
//! Use: [`list`] for the cases of a viewer, [`show`] for one, [`work_out_day`] once a day.
//!
//! Limits: a list opens the facts of every case its viewer is a party of, so a region's many
//! thousands of cases want a kept index first (ADR 0030). The totals on the board, which is looked
//! at all day, are of at most [`TOTALS_PEOPLE_MAX`] people, and say so when there are more.
//!
//! Not supported, and why: messages to the owing party on a birthday, because no type of the
//! catalogue says that, and because an entry about one person on that day would tell everybody who
//! holds the log whose birthday it is. Cases of two pseudonyms that are later found to be one
//! person stay two until a message under the surviving one tells again.

mod checklist;
mod evidence;
mod view;

use jiff::civil::Date;
use schemas::OrganisationCode;
use schemas::deadlines::{DeadlineError, end_of_compulsory_school_age};
use schemas::transition::{Checklist, TransitionRules};
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind, SubjectKey};
use crate::authority;
use crate::clock::london_date;
use crate::looks;
use crate::store::{
    Change, StoreError, TransitionDay, TransitionDelivery, TransitionFilter, TransitionStep,
    TransitionWrite, Write,
};
use crate::vault::{BlobKind, SealedBlob};

pub use checklist::{Case, Line, Over, State, work_out};
pub use evidence::{Evidence, Handed, KINDS, Said};
pub use view::{CaseView, EvidenceView, HandedView, HistoryView, LineView, NextView};

/// Why transitions could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
    /// A date is beyond the calendar.
    #[error("a date could not be worked out")]
    Date(#[from] DeadlineError),
    /// What was sealed could not be opened, or no rules hold today.
    #[error("the gateway could not work out {0}")]
    Ours(&'static str),
}

/// What all cases of a viewer come to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Cases on the way to adulthood.
    pub tracked: usize,
    /// Of these, with something missing.
    pub with_gaps: usize,
    /// Items missing, in all of them.
    pub gaps: usize,
    /// Of these, past their day.
    pub overdue: usize,
    /// Cases with gaps by the warning they have reached.
    pub within: Vec<Within>,
    /// Whether there are people who were not counted: the list has all.
    pub more: bool,
}

/// Cases with gaps that have reached one warning and not the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Within {
    /// Months before the 18th birthday; 0 from the day itself.
    pub months: i32,
    /// How many cases.
    pub cases: usize,
}

/// One person as the store has them, opened.
struct Known {
    id: Uuid,
    subject: SubjectKey,
    evidence: Vec<Evidence>,
    /// The sealed case reference of each piece of evidence, in the same order.
    labels: Vec<SealedBlob>,
}

/// The cases a viewer may see, most urgent first: those with something overdue, then those with
/// gaps, each by how near the 18th birthday is. `None` as viewer is the operator at the machine.
/// `Ok` only once the look is in the log.
pub async fn list(
    app: &App,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Vec<CaseView>, TransitionError> {
    let views = views(app, viewer, None).await?;
    let event = Event::new(EventKind::TransitionsViewed, actor.clone()).with("cases", views.len());
    looks::at_people(app, event, views.iter().map(|(_, known)| known.subject)).await?;
    Ok(views.into_iter().map(|(view, _)| view.without_lines()).collect())
}

/// One case with its checklist and history; `Ok(None)` when there is no such case for this viewer.
pub async fn show(
    app: &App,
    id: Uuid,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<CaseView>, TransitionError> {
    let Some((mut view, known)) = views(app, viewer, Some(id)).await?.pop() else {
        return Ok(None);
    };
    let mut event = Event::new(EventKind::TransitionsViewed, actor.clone()).with("cases", 1);
    event.subject = Some(known.subject);
    app.store.commit(Change::because(event)).await?;
    for evidence in known.evidence.iter().filter(|one| viewer.is_none_or(|who| one.is_with(who))) {
        view.history.extend(view::history(evidence, &app.store.journey(evidence.record).await?));
    }
    view.history.sort_by_key(|step| step.entry);
    Ok(Some(view))
}

/// What a viewer's cases come to, for the board. The look is the board's to log.
pub async fn totals(
    app: &App,
    viewer: Option<&OrganisationCode>,
) -> Result<Totals, TransitionError> {
    let on = app.clock.today();
    let at_most = Some(TOTALS_PEOPLE_MAX.saturating_add(1));
    let filter = TransitionFilter { on, party: viewer.cloned(), id: None, at_most };
    let known = known(app, filter).await?;
    let more = u32::try_from(known.len()).is_ok_and(|people| people > TOTALS_PEOPLE_MAX);
    let views = seen(app, viewer, known).await?;
    Ok(Totals { more, ..sum(rules_on(on)?, views.iter().map(|(view, _)| view)) })
}

/// Adds up cases.
pub fn sum<'a>(rules: &Checklist, cases: impl Iterator<Item = &'a CaseView>) -> Totals {
    let months = rules.warnings.iter().copied().chain([0]);
    let within = months.map(|months| Within { months, cases: 0 }).collect();
    let mut totals = Totals { tracked: 0, with_gaps: 0, gaps: 0, overdue: 0, within, more: false };
    for case in cases.filter(|case| case.over.is_none()) {
        totals.tracked += 1;
        totals.gaps += case.gaps;
        totals.overdue += case.overdue;
        if case.gaps > 0 {
            totals.with_gaps += 1;
            let reached = totals.within.iter_mut();
            for within in reached.filter(|within| case.within_months == Some(within.months)) {
                within.cases += 1;
            }
        }
    }
    totals
}

/// Works out every case and keeps the numbers of the day, for the metrics. Says how many cases
/// have something missing.
pub async fn work_out_day(app: &App) -> Result<usize, TransitionError> {
    let today = app.clock.today();
    let views = views(app, None, None).await?;
    let totals = sum(rules_on(today)?, views.iter().map(|(view, _)| view));
    let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let day = TransitionDay {
        day: today,
        tracked: many(totals.tracked),
        with_gaps: many(totals.with_gaps),
        gaps: many(totals.gaps),
        overdue: many(totals.overdue),
        within_months: totals.within.iter().map(|w| (w.months, many(w.cases))).collect(),
    };
    // Numbers only: an entry about one person on a birthday would tell whose it is.
    let event = Event::new(EventKind::TransitionsWorkedOut, Actor::gateway())
        .with("tracked", totals.tracked)
        .with("gaps", totals.gaps)
        .with("overdue", totals.overdue);
    app.store
        .commit(Change::because(event).write(Write::Transition(TransitionWrite::Day(day))))
        .await?;
    Ok(totals.with_gaps)
}

/// The version of the checklist that holds on a day.
pub fn rules_on(today: Date) -> Result<&'static Checklist, TransitionError> {
    let rules = TransitionRules::built_in().version_on(today);
    rules.ok_or(TransitionError::Ours("the checklist: no version holds today"))
}

async fn views(
    app: &App,
    viewer: Option<&OrganisationCode>,
    id: Option<Uuid>,
) -> Result<Vec<(CaseView, Known)>, TransitionError> {
    let filter =
        TransitionFilter { on: app.clock.today(), party: viewer.cloned(), id, at_most: None };
    let known = known(app, filter).await?;
    seen(app, viewer, known).await
}

/// What a viewer may see of people, most urgent first.
async fn seen(
    app: &App,
    viewer: Option<&OrganisationCode>,
    people: Vec<Known>,
) -> Result<Vec<(CaseView, Known)>, TransitionError> {
    let today = app.clock.today();
    let rules = rules_on(today)?;
    let mut views = Vec::new();
    for known in people {
        let Some(case) = work_out(rules, &known.evidence, today)? else { continue };
        if let Some(viewer) = viewer
            && is_kept_from(app, viewer, &known, today).await?
        {
            continue;
        }
        views.extend(view::of(app, viewer, (rules, &case), &known, today).map(|v| (v, known)));
    }
    views.sort_by_cached_key(|(view, _)| view.urgency(today));
    Ok(views)
}

/// Whether the family's withdrawal or wish keeps a case from a viewer. The authority goes on seeing
/// what it owes.
async fn is_kept_from(
    app: &App,
    viewer: &OrganisationCode,
    known: &Known,
    today: Date,
) -> Result<bool, StoreError> {
    let roles = app.partner(viewer).map(|partner| partner.roles).unwrap_or_default();
    if evidence::duties(&roles).contains(&schemas::transition::Duty::Authority) {
        return Ok(false);
    }
    let consents = app.store.consents_for(known.subject).await?;
    let born = checklist::date_of_birth(&known.evidence);
    let pass_on = born.and_then(|born| end_of_compulsory_school_age(born).ok());
    Ok(authority::is_kept_from(&consents, viewer, pass_on, today))
}

/// Reads and opens what the store has.
async fn known(app: &App, filter: TransitionFilter) -> Result<Vec<Known>, TransitionError> {
    let steps = app.store.transition_steps(&filter).await?;
    let mut deliveries = std::collections::BTreeMap::<_, Vec<TransitionDelivery>>::new();
    for delivery in app.store.transition_deliveries(&filter).await? {
        deliveries.entry(delivery.record).or_default().push(delivery);
    }
    let mut all: Vec<Known> = Vec::new();
    for step in steps {
        let handed = deliveries.remove(&step.record).unwrap_or_default();
        let handed = handed.into_iter().map(|delivery| handed_to(app, delivery)).collect();
        let TransitionStep { transition, subject, label, .. } = step.clone();
        let evidence = open(app, step, handed)?;
        match all.last_mut().filter(|known| known.id == transition) {
            Some(known) => {
                known.evidence.push(evidence);
                known.labels.push(label);
            }
            None => all.push(Known {
                id: transition,
                subject,
                evidence: vec![evidence],
                labels: vec![label],
            }),
        }
    }
    Ok(all)
}

fn open(app: &App, step: TransitionStep, handed: Vec<Handed>) -> Result<Evidence, TransitionError> {
    let TransitionStep { record, kind, sender, accepted_at, facts, .. } = step;
    let bytes = app.vault.expose_blob_for_owner(BlobKind::Transition, record.0, &sender, &facts);
    let bytes = bytes.or(Err(TransitionError::Ours("the facts of a transition")))?;
    let said = Said::from_bytes(bytes.expose());
    let said = said.ok_or(TransitionError::Ours("the facts of a transition"))?;
    let sender_is = duties_of(app, &sender);
    let accepted_on = london_date(accepted_at);
    Ok(Evidence { record, kind, sender, sender_is, accepted_on, said, handed })
}

fn handed_to(app: &App, delivery: TransitionDelivery) -> Handed {
    Handed {
        delivery: delivery.delivery,
        to_is: duties_of(app, &delivery.recipient),
        to: delivery.recipient,
        state: delivery.state,
        reason: delivery.reason,
        answered_on: delivery.acknowledged_at.map(london_date),
    }
}

fn duties_of(
    app: &App,
    organisation: &OrganisationCode,
) -> std::collections::BTreeSet<schemas::transition::Duty> {
    app.partner(organisation).map(|partner| evidence::duties(&partner.roles)).unwrap_or_default()
}

/// The most people whose totals are worked out for the board: more than the largest authority has
/// from Year 9 on, and some tenths of a second of opening at worst.
pub const TOTALS_PEOPLE_MAX: u32 = 5_000;
