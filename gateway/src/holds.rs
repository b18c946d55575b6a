//! What waits for people: the queue of holds, its questions, emergencies and their reviews.
//!
//! Owns who may do what about a held delivery: a named person of the organisation whose record it
//! is, or an information governance auditor, votes to release it or refuses it, asks the sender or
//! the recipient, or in an emergency releases it alone, which somebody else must then review. One
//! person has one voice, whatever organisation they call through, and none about a message they
//! sent. Reasons, questions and answers are codes of closed lists: free text would be personal data.
//!
//! Must never know HTTP, SQL, or whether sharing is lawful: authority is asked, and asked again when
//! a delivery goes.
//!
//! Use: [`lines`] and [`line`](fn@line) to look; [`decide`], [`ask`], [`answer`], [`break_glass`] and
//! [`close_review`] give the change to commit.
//!
//! Limits: people are told apart by the user id that their organisation's system vouches for.
//! Not supported: releasing in an emergency across an adoption, a sealed record, limits set by a
//! court, a protected address or a death, because one person alone cannot set those aside (ADR 0025).

mod deciding;
mod emergency;
mod questions;

use jiff::{SignedDuration, Timestamp};
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::Serialize;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::looks;
use crate::queue::{Delivery, DeliveryId, DeliveryState};
use crate::store::{Ageing, Change, HoldFilter, HoldPlace, StoreError, StoredQuestion};

pub use deciding::{HOLD_REASONS, HoldDecision, decide};
pub(crate) use emergency::ground_of;
pub use emergency::{
    BREAK_GLASS_BASES, BREAK_GLASS_REASONS, Emergency, FINDINGS, ReviewLine, break_glass,
    close_review, reviews,
};
pub use questions::{ANSWERS, Party, QUESTIONS, QuestionLine, answer, ask, questions};

/// Who acts about a hold: the organisation, the actor as the log knows them, and the pseudonym
/// that the person has in every organisation.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// As the log knows them.
    pub actor: Actor,
    /// The pseudonym that they have in every organisation.
    pub who: String,
    /// Whether they see and decide about everybody's holds.
    pub sees_all: bool,
}

/// Why nothing was done about a hold.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There is no such thing for this person.
    #[error("there is no such thing for this person")]
    NotFound,
    /// The person may not do this themselves.
    #[error("{0}")]
    NotYours(&'static str),
    /// It is in another state.
    #[error("{0}")]
    AlreadyDecided(&'static str),
    /// A code is not one of its list.
    #[error("{0}")]
    Code(&'static str),
    /// What releasing it takes could not be worked out.
    #[error("it could not be decided")]
    Release(#[from] crate::pipeline::CollectError),
    /// The store refused or failed.
    #[error("the store refused or failed")]
    Store(#[from] StoreError),
    /// The operating system had no randomness to give.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

/// A held delivery as people see it. No content, nobody's name.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The record it carries.
    pub record: RecordId,
    /// What kind of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Whose record it is.
    pub from: OrganisationCode,
    /// The sender's name.
    pub from_name: String,
    /// Who would receive it.
    pub to: OrganisationCode,
    /// The recipient's name.
    pub to_name: String,
    /// The service within the recipient.
    pub service: Option<ServiceCode>,
    /// Since when it is held.
    pub since: Timestamp,
    /// For how many whole days.
    pub age_days: i64,
    /// The rule that holds it.
    pub rule: Option<String>,
    /// Why, in plain words, as it was decided.
    pub reason: Option<String>,
    /// Votes to release it so far.
    pub votes: Vec<VoteLine>,
    /// The questions asked about it.
    pub questions: Vec<QuestionLine>,
    /// Who must act now, in words.
    pub waits_for: String,
}

/// A vote as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct VoteLine {
    /// The person, as a keyed pseudonym.
    pub person: String,
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// When.
    pub at: Timestamp,
}

/// How much waits, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the oldest.
    pub oldest_since: Option<Timestamp>,
    /// For how many whole days.
    pub oldest_days: i64,
}

/// What is held, oldest first. `Ok` only once the look is in the log.
pub async fn lines(
    app: &App,
    filter: &HoldFilter,
    after: Option<HoldPlace>,
    limit: u32,
    actor: &Actor,
) -> Result<Vec<Line>, StoreError> {
    let held = app.store.held(filter, after, limit).await?;
    viewed(app, actor, "holds", held.iter().map(|(delivery, _)| delivery.record)).await?;
    let mut lines = Vec::with_capacity(held.len());
    for (delivery, since) in held {
        lines.push(line_of(app, delivery, since).await?);
    }
    Ok(lines)
}

/// One held delivery; `None` when it is not held, or not this organisation's to see.
pub async fn line(
    app: &App,
    id: DeliveryId,
    viewer: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Option<Line>, StoreError> {
    let delivery = app.store.find_delivery(id).await?;
    let delivery = delivery.filter(|d| d.state == DeliveryState::Held);
    let delivery = delivery.filter(|d| viewer.is_none_or(|viewer| d.sender == *viewer));
    let since = app.store.held_since(id).await?;
    let (Some(delivery), Some(since)) = (delivery, since) else { return Ok(None) };
    let Some(stored) = app.store.find_record(delivery.record).await? else { return Ok(None) };
    let event = crate::pipeline::delivery_event(EventKind::HoldViewed, &delivery, &stored, actor);
    app.store.commit(Change::because(event.with("what", "hold").with("rows", 1))).await?;
    line_of(app, delivery, since).await.map(Some)
}

/// How many holds of an organisation's records there are, or of all, and how old the oldest is.
pub async fn waiting(app: &App, sender: Option<&OrganisationCode>) -> Result<Waiting, StoreError> {
    let by_rule = app.store.holds_by_rule(sender).await?;
    Ok(summed(app, &by_rule))
}

/// How many reviews are open about what an organisation sent or was sent, or of all.
pub async fn reviews_waiting(
    app: &App,
    organisation: Option<&OrganisationCode>,
) -> Result<Waiting, StoreError> {
    let open = app.store.reviews_open(organisation).await?;
    Ok(summed(app, open.as_slice()))
}

fn summed(app: &App, ageing: &[Ageing]) -> Waiting {
    let oldest = ageing.iter().map(|one| one.oldest).min();
    Waiting {
        count: ageing.iter().map(|one| one.count).sum(),
        oldest_since: oldest,
        oldest_days: oldest.map_or(0, |since| days_since(app, since)),
    }
}

async fn line_of(app: &App, delivery: Delivery, since: Timestamp) -> Result<Line, StoreError> {
    let votes = app.store.overrides_for(delivery.id).await?;
    let asked = app.store.questions_about(delivery.id).await?;
    let votes: Vec<VoteLine> = votes
        .into_iter()
        .map(|vote| VoteLine { person: vote.person, organisation: vote.organisation, at: vote.at })
        .collect();
    let waits_for = waits_for(&delivery, votes.len(), &asked);
    let entries = app.store.journey(delivery.record).await?;
    let decided = entries.into_iter().rev().find(|entry| {
        let here = entry.event.delivery == Some(delivery.id);
        here && entry.event.decision.as_ref().is_some_and(|note| note.outcome == "hold")
    });
    let reason = decided.and_then(|entry| entry.event.decision).map(|note| note.reason);
    Ok(Line {
        delivery: delivery.id,
        record: delivery.record,
        kind: delivery.kind,
        from_name: app.name_of(&delivery.sender),
        from: delivery.sender,
        to_name: app.name_of(&delivery.recipient),
        to: delivery.recipient,
        service: delivery.service,
        since,
        age_days: days_since(app, since),
        rule: delivery.reason,
        reason,
        votes,
        questions: asked.into_iter().map(QuestionLine::from).collect(),
        waits_for,
    })
}

/// Whose move it is, in words.
fn waits_for(delivery: &Delivery, votes: usize, asked: &[StoredQuestion]) -> String {
    let open = asked.iter().find(|question| question.answer.is_none());
    if let Some(open) = open {
        return format!("an answer from {}", open.asked.asked_of);
    }
    let sender = &delivery.sender;
    match votes {
        0 => format!("two people of {sender} or information governance"),
        1 => format!("a second person of {sender} or information governance"),
        _ => format!("two people of {sender} or information governance who claim the same ground"),
    }
}

/// Whole days since an instant.
fn days_since(app: &App, since: Timestamp) -> i64 {
    app.clock.now().duration_since(since).max(SignedDuration::ZERO).as_hours() / 24
}

/// Somebody looks at a list about what is held, each line about a record.
async fn viewed(
    app: &App,
    actor: &Actor,
    what: &str,
    records: impl ExactSizeIterator<Item = RecordId>,
) -> Result<(), StoreError> {
    let event = Event::new(EventKind::HoldViewed, actor.clone()).with("what", what);
    looks::at_records(app, event.with("rows", records.len()), records).await
}

/// A held delivery that a person may act about: of their organisation's records, or any.
async fn held_for(
    app: &App,
    person: &Person,
    id: DeliveryId,
) -> Result<(Delivery, crate::store::StoredRecord), HoldError> {
    let delivery = app.store.find_delivery(id).await?.ok_or(HoldError::NotFound)?;
    if !person.sees_all && delivery.sender != person.organisation {
        return Err(HoldError::NotFound);
    }
    if delivery.state != DeliveryState::Held {
        return Err(HoldError::AlreadyDecided("Only what is held is decided."));
    }
    let stored = app.store.find_record(delivery.record).await?.ok_or(HoldError::NotFound)?;
    Ok((delivery, stored))
}

/// Refuses somebody who acted for the sender of a record: nobody approves their own message.
async fn not_their_own(app: &App, person: &Person, record: RecordId) -> Result<(), HoldError> {
    const OWN: &str = "You acted when this was sent; somebody else must decide about it.";
    if app.store.acted_for(record).await?.as_deref() == Some(person.who.as_str()) {
        return Err(HoldError::NotYours(OWN));
    }
    let entries = app.store.journey(record).await?;
    let submitted = entries.iter().any(|entry| {
        let actor = &entry.event.actor;
        // A login is named by what somebody is in every organisation.
        let typed = actor.is_at_the_prompt()
            && [&actor.person, &actor.claimed].contains(&&Some(person.who.clone()));
        entry.event.kind == EventKind::RecordAccepted
            && actor.person.is_some()
            && (typed || actor.person == person.actor.person)
    });
    if submitted { Err(HoldError::NotYours(OWN)) } else { Ok(()) }
}
