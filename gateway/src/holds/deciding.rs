//! Votes to release what is held, and refusals.

use super::{HoldError, Person, held_for, not_their_own};
use crate::app::App;
use crate::journey;
use crate::queue::{DeliveryId, DeliveryState};
use crate::store::{Change, HoldWrite, Write};

pub use crate::journey::{HOLD_REASONS, HoldDecision};

/// The change that a person's decision about a held delivery makes, and the state it leads to.
///
/// Whoever acted when the message was sent does not vote, and nobody votes twice, whichever
/// organisation they call through. Refusing is open to them all: it releases nothing.
pub async fn decide(
    app: &App,
    person: &Person,
    id: DeliveryId,
    (decision, reason): (HoldDecision, &str),
) -> Result<(DeliveryState, Change), HoldError> {
    let (delivery, _) = held_for(app, person, id).await?;
    if !HOLD_REASONS.contains(&reason) {
        return Err(HoldError::Code("Use a reason of the list."));
    }
    let releases = decision == HoldDecision::Release;
    if releases && reason == OBJECTION {
        return Err(HoldError::Code("An objection that is upheld is a reason to refuse."));
    }
    if releases {
        not_their_own(app, person, delivery.record).await?;
    }
    let said = (decision, reason);
    let (state, change) =
        journey::decide_hold(app, &person.organisation, &person.actor, id, said).await?;
    if !releases {
        return Ok((state, change));
    }
    // Before the delivery may be queued: a voter must be new while it is still held.
    let voted = Write::Hold(HoldWrite::Voter(id, person.who.clone()));
    Ok((state, change.write_first(voted)))
}

/// The one reason that only refuses.
const OBJECTION: &str = "objection-upheld";
