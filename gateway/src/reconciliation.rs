//! Reconciliation: at the end of each day, what passed with each partner, signed and answerable.
//!
//! A statement lists every item a partner sent, and every item it was sent as far as it may know of
//! it, each on one line with its state, and what is carried over from earlier days. The lines add
//! up to the totals. It holds no personal data: items are told by our own ids, which receipts gave
//! the sender row by row (ADR 0029). The partner agrees, or says what differs; a difference stays on
//! every later statement until a named person has explained it.
//!
//! A day is a stretch of the log ([`Span`]): stretches follow each other without gap or overlap. A
//! statement once made is kept as it was signed; computing a day anew makes another version of it.
//!
//! Use: [`make`] (the duty does, see [`duties`](crate::duties)), [`answer`], [`explain`],
//! [`Statement::balances`] for whoever receives one.
//!
//! Not supported: the sender's own references in a statement. They may name people, so they are
//! sealed with the message; the receipt ties place, record and delivery together.

mod statement;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemas::OrganisationCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::peer::Role;
use crate::receipt::{self, Signed};
use crate::store::{
    Change, Explained, NewDifference, NewStatement, Span, StatementId, StoreError, StoredStatement,
    Write,
};

pub use statement::{Direction, Line, LineState, Open, Statement, Totals};

/// Why something about a day was not done.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    /// The day has not closed yet.
    #[error("the day has not closed yet")]
    NotClosed,
    /// There is no such statement or difference.
    #[error("there is no such statement or difference")]
    NotFound,
    /// It was answered or explained before, or a newer version has taken its place.
    #[error("it was answered or explained before, or there is a newer version")]
    Settled,
    /// What is said does not fit the statement.
    #[error("{0}")]
    Unfit(&'static str),
    /// The statement could not be signed, or is not as it was signed.
    #[error("the statement could not be signed, or is not as it was signed")]
    Signature,
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
}

/// Makes the statement of a closed day for a partner: the first, or another version of it.
pub async fn make(
    app: &App,
    partner: &OrganisationCode,
    day: Date,
    actor: &Actor,
) -> Result<StoredStatement, ReconciliationError> {
    let closes_at = closes_at(app, day).filter(|at| *at <= app.clock.now());
    let closes_at = closes_at.ok_or(ReconciliationError::NotClosed)?;
    let before = app.store.statement(partner, day, None).await?;
    let span = match &before {
        Some(before) => before.span,
        None => stretch(app, partner, day, closes_at).await?,
    };
    let version = before.map_or(1, |before| before.id.version.saturating_add(1));
    let id = StatementId { partner: partner.clone(), day, version };
    let statement = Statement::of(app, &id, span, closes_at).await?;
    let signed = app.receipts.sign_as(Signed::Statement, &statement);
    let signed = signed.or(Err(ReconciliationError::Signature))?;
    let mut event = Event::new(EventKind::ReconciliationMade, actor.clone())
        .with("day", day)
        .with("version", version)
        .with("lines", statement.totals.lines);
    event.counterparty = Some(partner.clone());
    event.hashes.insert("statement".to_owned(), crate::entropy::sha256_hex(signed.as_bytes()));
    let new = NewStatement { id, span, signed };
    app.store.commit(Change::because(event).write(Write::Statement(new))).await?;
    let made = app.store.statement(partner, day, Some(version)).await?;
    made.ok_or(ReconciliationError::NotFound)
}

/// The stretch of the log that belongs to a day: from where the day before ended.
async fn stretch(
    app: &App,
    partner: &OrganisationCode,
    day: Date,
    closes_at: Timestamp,
) -> Result<Span, ReconciliationError> {
    let from = if let Some(before) = app.store.statement_before(partner, day).await? {
        before.span.until
    } else {
        let opened = day.yesterday().ok().and_then(|before| self::closes_at(app, before));
        app.store.entries_before(opened.ok_or(ReconciliationError::NotClosed)?).await?
    };
    let until = match app.store.statement_after(partner, day).await? {
        Some(after) => after.span.from,
        None => app.store.entries_before(closes_at).await?,
    };
    Ok(Span { from, until: until.max(from) })
}

/// Makes what is missing of the last days, for every partner; gives how many statements it made.
pub async fn make_missing(app: &App) -> Result<usize, ReconciliationError> {
    let Some(closed) = last_closed(app) else { return Ok(0) };
    let mut made = 0;
    for partner in partners(app) {
        let end = closed.tomorrow().unwrap_or(closed);
        let last = app.store.statement_before(&partner, end).await?.map(|last| last.id.day);
        let earliest = closed.saturating_sub(jiff::Span::new().days(DAYS_MADE_UP_FOR));
        let mut day = last.and_then(|last| last.tomorrow().ok()).unwrap_or(closed).max(earliest);
        while day <= closed {
            make(app, &partner, day, &Actor::gateway()).await?;
            made += 1;
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
    }
    Ok(made)
}

/// Everybody who is reconciled with: who sends and is sent messages.
fn partners(app: &App) -> Vec<OrganisationCode> {
    let exchanges = [Role::LaCaseSystem, Role::HealthTrust, Role::Icb];
    let partners = app.peers.partners();
    let who =
        partners.iter().filter(|partner| exchanges.iter().any(|role| partner.roles.contains(role)));
    who.map(|partner| partner.organisation.clone()).collect()
}

/// When a day closes, by London's clocks.
pub fn closes_at(app: &App, day: Date) -> Option<Timestamp> {
    let london = TimeZone::get("Europe/London").ok()?;
    let at = app.config.reconciliation.at;
    london.to_timestamp(day.to_datetime(at)).ok()
}

/// The last day that has closed.
pub fn last_closed(app: &App) -> Option<Date> {
    let (today, now) = (app.clock.today(), app.clock.now());
    let closed = closes_at(app, today).is_some_and(|at| at <= now);
    if closed { Some(today) } else { today.yesterday().ok() }
}

/// What a stored statement says, once its signature was checked.
pub fn read(app: &App, stored: &StoredStatement) -> Result<Statement, ReconciliationError> {
    let key = app.receipts.public_jwk();
    receipt::verify_as(Signed::Statement, &stored.signed, &key)
        .or(Err(ReconciliationError::Signature))
}

/// A partner's answer to a statement.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The version that is answered.
    pub version: u32,
    /// Agreed, or not.
    pub outcome: Agreement,
    /// What differs.
    #[serde(default)]
    pub differences: Vec<Difference>,
}

/// Whether a partner agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// It agrees with every line.
    Agreed,
    /// It does not agree with some.
    Differs,
}

/// One difference as a partner says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The item of the line, or for `not-listed` the record or delivery that has none.
    pub item: Uuid,
    /// A code of [`DIFFERENCE_CODES`].
    pub code: String,
}

/// The change that a partner's answer makes, and the ids of the differences it opens.
pub async fn answer(
    app: &App,
    (partner, day): (&OrganisationCode, Date),
    said: &Answer,
    actor: &Actor,
) -> Result<(Change, Vec<Uuid>), ReconciliationError> {
    let newest = app.store.statement(partner, day, None).await?;
    let stored = newest.ok_or(ReconciliationError::NotFound)?;
    if stored.id.version != said.version || stored.answered.is_some() {
        return Err(ReconciliationError::Settled);
    }
    let agreed = said.outcome == Agreement::Agreed;
    fits(&read(app, &stored)?, said)?;
    let event = |kind| {
        let mut event = Event::new(kind, actor.clone())
            .with("day", day)
            .with("version", said.version)
            .with("differences", said.differences.len());
        event.counterparty = Some(partner.clone());
        event
    };
    let answered = event(EventKind::ReconciliationAnswered)
        .with("outcome", if agreed { "agreed" } else { "differs" });
    let write = Write::StatementAnswered(stored.id.clone(), agreed);
    let mut change = Change::because(answered).write(write);
    let mut ids = Vec::new();
    for difference in &said.differences {
        let id = app.make_id().map_err(StoreError::from)?;
        ids.push(id);
        change = change.write(Write::Difference(NewDifference {
            id,
            about: stored.id.clone(),
            item: difference.item,
            code: difference.code.clone(),
        }));
    }
    Ok((change, ids))
}

/// Whether an answer fits the statement it is about.
fn fits(statement: &Statement, said: &Answer) -> Result<(), ReconciliationError> {
    let agreed = said.outcome == Agreement::Agreed;
    if agreed != said.differences.is_empty() {
        let fix = "Agree without differences, or name at least one difference.";
        return Err(ReconciliationError::Unfit(fix));
    }
    if said.differences.len() > DIFFERENCES_MAX {
        let fix = "Name at most 1,000 differences; speak to the operator when there are more.";
        return Err(ReconciliationError::Unfit(fix));
    }
    let mut named = BTreeSet::new();
    for difference in &said.differences {
        if !DIFFERENCE_CODES.contains(&difference.code.as_str()) || !named.insert(difference.item) {
            let fix = "Name each item once, with a code: not-received, unknown-to-us, state-differs or not-listed.";
            return Err(ReconciliationError::Unfit(fix));
        }
        let listed = statement.lines.iter().any(|line| line.item == difference.item);
        if listed == (difference.code == NOT_LISTED) {
            let fix =
                "Name items as the statement lists them; not-listed is for what it does not list.";
            return Err(ReconciliationError::Unfit(fix));
        }
    }
    Ok(())
}

/// The change by which a named person explains a difference.
pub async fn explain(
    app: &App,
    difference: Uuid,
    (organisation, code): (&OrganisationCode, &str),
    actor: &Actor,
) -> Result<Change, ReconciliationError> {
    let stored = app.store.find_difference(difference).await?;
    let stored = stored.ok_or(ReconciliationError::NotFound)?;
    if stored.explained.is_some() {
        return Err(ReconciliationError::Settled);
    }
    let person = actor.person.clone();
    let person = person.ok_or(ReconciliationError::Unfit("Name the person who explains."))?;
    if !EXPLANATION_CODES.contains(&code) {
        return Err(ReconciliationError::Unfit("Use a code of the list in the API description."));
    }
    let mut event = Event::new(EventKind::DifferenceExplained, actor.clone())
        .with("difference", difference)
        .with("code", code);
    event.counterparty = Some(stored.about.partner.clone());
    let said = Explained { code: code.to_owned(), person, organisation: organisation.clone() };
    Ok(Change::because(event).write(Write::DifferenceExplained(difference, said)))
}

/// How many differences of a partner, or of all, are open, and for how many days the oldest is.
pub async fn open_differences(
    app: &App,
    partner: Option<&OrganisationCode>,
) -> Result<(u64, u64), StoreError> {
    let (open, oldest) = app.store.open_differences(partner).await?;
    let days =
        oldest.map_or(0, |at| (app.clock.today() - crate::clock::london_date(at)).get_days());
    Ok((open, u64::try_from(days).unwrap_or(0)))
}

/// What a partner may say of an item.
pub const DIFFERENCE_CODES: [&str; 4] =
    ["not-received", "unknown-to-us", "state-differs", NOT_LISTED];

/// The code for an item that the partner has and the statement does not list.
const NOT_LISTED: &str = "not-listed";

/// How a difference may be explained. Free text would be personal data.
pub const EXPLANATION_CODES: [&str; 8] = [
    "arrived-since",
    "sent-again",
    "on-another-day",
    "state-has-moved-on",
    "recalled-or-withdrawn",
    "fault-at-the-partner",
    "fault-at-the-gateway",
    "agreed-by-telephone",
];

/// How many days before the last one are made up for after a gateway was down.
const DAYS_MADE_UP_FOR: i64 = 6;
/// The most differences in one answer; more is a fault to talk about.
const DIFFERENCES_MAX: usize = 1_000;
