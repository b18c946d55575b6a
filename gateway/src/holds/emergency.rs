//! Breaking the glass: one named person releases what is held, at once, and somebody else reviews it.
//!
//! Two grounds only: vital interests (UK GDPR, Article 9(2)(c)) and safeguarding (Children Act 1989,
//! sections 17 and 47). What one person alone cannot set aside stays held: an adoption, a sealed
//! record, limits set by a court, a protected address; and a death, after which nobody's life is
//! saved by haste.

use jiff::Timestamp;
use schemas::{MessageType, OrganisationCode};
use serde::Serialize;
use uuid::Uuid;

use super::{HoldError, Person, days_since, held_for, not_their_own, viewed};
use crate::app::App;
use crate::audit::{Actor, EventKind};
use crate::authority::{self, Basis, BreakGlass, Ruling};
use crate::journey::resumed_leg;
use crate::pipeline::{self, delivery_event};
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::{Change, Finding, HoldWrite, NewReview, Write};

/// What a person claims when they break the glass.
#[derive(Debug, Clone, Copy)]
pub struct Emergency<'a> {
    /// The ground, one of [`BREAK_GLASS_BASES`].
    pub basis: &'a str,
    /// What the emergency is, one of [`BREAK_GLASS_REASONS`].
    pub reason: &'a str,
}

/// A review as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewLine {
    /// Its id.
    pub id: Uuid,
    /// The delivery that was released.
    pub delivery: DeliveryId,
    /// What kind of message.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// Whose record it is.
    pub from: OrganisationCode,
    /// Who received it.
    pub to: OrganisationCode,
    /// Where the delivery stands.
    pub state: DeliveryState,
    /// Whose person released it.
    pub released_by: OrganisationCode,
    /// Who, as a keyed pseudonym.
    pub person: String,
    /// The ground claimed.
    pub basis: String,
    /// What the emergency was.
    pub reason: String,
    /// The rule that had held it; for its sender and for those who see all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Since when the review is open.
    pub since: Timestamp,
    /// For how many whole days it was or is open.
    pub age_days: i64,
    /// `upheld` or `not-upheld`, once closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// The change by which one person releases a held delivery in an emergency, and its review's id.
pub async fn break_glass(
    app: &App,
    person: &Person,
    id: DeliveryId,
    emergency: Emergency<'_>,
) -> Result<(Uuid, Change), HoldError> {
    let (delivery, stored) = held_for(app, person, id).await?;
    let Emergency { basis, reason } = emergency;
    if !BREAK_GLASS_BASES.contains(&basis) || !BREAK_GLASS_REASONS.contains(&reason) {
        return Err(HoldError::Code("Use a ground and a reason of the lists."));
    }
    not_their_own(app, person, delivery.record).await?;
    let rule = delivery.reason.clone().unwrap_or_default();
    if rule == pipeline::PERSON_DIED {
        return Err(HoldError::NotYours(NOT_AFTER_DEATH));
    }
    let question = pipeline::question(&delivery, &stored);
    let mut evidence = pipeline::evidence(app, &question, Some(id)).await?;
    let now = app.clock.now();
    let review = NewReview {
        id: app.make_id()?,
        delivery: id,
        organisation: person.organisation.clone(),
        person: person.actor.person.clone().unwrap_or_default(),
        who: person.who.clone(),
        basis: basis.to_owned(),
        reason: reason.to_owned(),
        rule,
        at: now,
    };
    evidence.emergency = ground_of(basis).map(|basis| BreakGlass { basis, at: now });
    let today = app.clock.today();
    let ruling = authority::release(&question, id, &evidence, app.rule_book(), now, today);
    // What was held before for another reason is not released after a death either.
    let votes = &evidence.overrides;
    let note = match pipeline::after_recorded_death(app, &question, ruling, votes).await? {
        Ruling::Granted(_, note) => note,
        Ruling::Hold(note) if note.rule == pipeline::PERSON_DIED => {
            return Err(HoldError::NotYours(NOT_AFTER_DEATH));
        }
        Ruling::Hold(_) | Ruling::Refused(_) => return Err(HoldError::NotYours(NOT_LIFTED)),
    };
    let mut event = delivery_event(EventKind::HoldBroken, &delivery, &stored, &person.actor)
        .with("basis", basis)
        .with("reason", reason)
        .with("review", review.id);
    event.decision = Some(note);
    let opened = review.id;
    let change = Change::because(event)
        .write(Write::Hold(HoldWrite::ReviewOpened(review)))
        .write(Write::Resume(id, now));
    Ok((opened, resumed_leg(app, &delivery, change).await?))
}

/// The ground of a name that is kept with a review.
pub(crate) fn ground_of(name: &str) -> Option<Basis> {
    [Basis::VitalInterests, Basis::SafeguardingOverride]
        .into_iter()
        .find(|one| one.as_str() == name)
}

/// The change that closes a review. Whoever broke the glass does not close it; an emergency that
/// is not upheld stops what has not gone yet.
pub async fn close_review(
    app: &App,
    person: &Person,
    id: Uuid,
    (upheld, finding): (bool, &str),
) -> Result<Change, HoldError> {
    let stored = app.store.find_review(id).await?.ok_or(HoldError::NotFound)?;
    let review = stored.review;
    let delivery = app.store.find_delivery(review.delivery).await?.ok_or(HoldError::NotFound)?;
    if !person.sees_all && delivery.sender != person.organisation {
        return Err(HoldError::NotFound);
    }
    if stored.closed.is_some() {
        return Err(HoldError::AlreadyDecided("The review was closed before."));
    }
    if !FINDINGS.contains(&finding) {
        return Err(HoldError::Code("Use a finding of the list."));
    }
    let by = person.actor.person.clone().unwrap_or_default();
    if review.who == person.who || review.person == by {
        return Err(HoldError::NotYours("You released it; somebody else must review that."));
    }
    let record = app.store.find_record(delivery.record).await?.ok_or(HoldError::NotFound)?;
    let outcome = if upheld { "upheld" } else { "not-upheld" };
    let event = delivery_event(EventKind::ReviewClosed, &delivery, &record, &person.actor)
        .with("review", id)
        .with("outcome", outcome)
        .with("finding", finding);
    let closed = Finding {
        upheld,
        finding: finding.to_owned(),
        by: (person.organisation.clone(), by),
        who: person.who.clone(),
    };
    let change = Change::because(event).write(Write::Hold(HoldWrite::ReviewClosed(id, closed)));
    if upheld || delivery.state != DeliveryState::Queued {
        return Ok(change);
    }
    let stop = Write::Stop(delivery.id, DeliveryState::Held, review.rule);
    let change = change.write(stop);
    Ok(if delivery.kind == MessageType::AdviceRequest {
        change.write(Write::LegWithheld(delivery.id.leg()))
    } else {
        change
    })
}

/// The reviews of what the person's organisation sent or was sent; those that are open first.
pub async fn reviews(
    app: &App,
    organisation: Option<&OrganisationCode>,
    actor: &Actor,
) -> Result<Vec<ReviewLine>, HoldError> {
    let found = app.store.reviews(organisation, LISTED_MAX).await?;
    viewed(app, actor, "reviews", found.iter().map(|(_, delivery)| delivery.record)).await?;
    let lines = found.into_iter().map(|(stored, delivery)| {
        let review = stored.review;
        let closed = stored.closed;
        let until = closed.as_ref().map(|(.., at)| *at);
        let open = days_since(app, review.at) - until.map_or(0, |at| days_since(app, at));
        ReviewLine {
            id: review.id,
            delivery: delivery.id,
            kind: delivery.kind,
            rule: organisation.is_none_or(|own| *own == delivery.sender).then_some(review.rule),
            from: delivery.sender,
            to: delivery.recipient,
            state: delivery.state,
            released_by: review.organisation,
            person: review.person,
            basis: review.basis,
            reason: review.reason,
            since: review.at,
            age_days: open,
            closed_at: until,
            outcome: closed.as_ref().map(|(outcome, ..)| outcome.clone()),
            finding: closed.map(|(_, finding, _)| finding),
        }
    });
    Ok(lines.collect())
}

/// The grounds on which one person may release what is held.
pub const BREAK_GLASS_BASES: [&str; 2] = ["vital-interests", "safeguarding-override"];

/// What an emergency may be.
pub const BREAK_GLASS_REASONS: [&str; 4] =
    ["risk-to-life", "urgent-treatment", "risk-of-serious-harm", "child-missing"];

/// What a review may find.
pub const FINDINGS: [&str; 5] = [
    "emergency-was-real",
    "ground-was-lawful",
    "no-emergency",
    "less-would-have-done",
    "wrong-recipient",
];

const NOT_AFTER_DEATH: &str =
    "The person has died: two people decide whether this is still needed.";
const NOT_LIFTED: &str =
    "One person alone cannot set aside what holds this, whatever the emergency; two must decide.";
/// The most reviews listed at once.
const LISTED_MAX: u32 = 500;
