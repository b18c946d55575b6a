//! Answers: which leg a message answers, whether it may, and what it does to the clock.
//!
//! The wrong-person guard stands here: an answer attaches to a leg only when both the pseudonym
//! and the demographics agree with the request's. A mismatch discloses nothing of what we hold.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemas::{Body, Field, Issue, LegId, MessageType, Place, Record};

use super::{ReceiveError, Sender};
use crate::app::App;
use crate::audit::{Event, SubjectKey};
use crate::queue::{DeliveryState, Leg, LegState};
use crate::store::{Change, StoredRecord, Write};
use crate::telemetry::name_of;

/// The leg an answer belongs to.
pub(super) struct Attachment {
    pub(super) leg: Leg,
}

/// What the wrong-person guard compares.
pub(super) struct Keys {
    pub(super) subject: Option<SubjectKey>,
    pub(super) demographics: Option<[u8; 32]>,
}

impl Keys {
    fn agree_with(&self, request: &StoredRecord) -> bool {
        request.subject.is_some()
            && request.subject == self.subject
            && request.demographics == self.demographics
    }
}

/// An issue that does not know its place yet.
pub(super) struct Unplaced(&'static str, Field, &'static str, &'static str);

impl Unplaced {
    pub(super) fn at(self, place: &Place) -> Issue {
        Issue::error(self.0, Some(self.1), place.clone(), self.2, self.3)
    }
}

/// Finds the leg that a message answers; `None` for messages that answer none. `moved` is where
/// earlier rows of the same batch have brought legs.
pub(super) async fn attach(
    app: &App,
    sender: &Sender,
    record: &Record,
    keys: &Keys,
    moved: &BTreeMap<LegId, LegState>,
) -> Result<Result<Option<Attachment>, Unplaced>, ReceiveError> {
    let message = record.message();
    if !message.kind.answers_a_leg() {
        return Ok(Ok(None));
    }
    let leg_id = match message.leg {
        Some(leg) => leg,
        None => match only_leg(app, sender, message.kind, keys, moved).await? {
            Ok(leg) => leg,
            Err(issue) => return Ok(Err(issue)),
        },
    };
    // A leg of somebody else looks exactly like a leg that does not exist.
    let unknown = Unplaced(
        "leg-unknown",
        Field::LEG,
        "is not a request that was put to your organisation",
        "use the leg id of the request as it was delivered to you",
    );
    let Some(mut leg) = app.store.find_leg(leg_id).await? else { return Ok(Err(unknown)) };
    leg.state = moved.get(&leg_id).copied().unwrap_or(leg.state);
    if leg.recipient != sender.organisation {
        return Ok(Err(unknown));
    }
    if leg.state == LegState::Withheld {
        // What was withheld was never put to them, unless it was taken back after they opened it.
        let delivery = app.store.find_delivery(crate::queue::DeliveryId(leg_id.0)).await?;
        let opened =
            delivery.filter(|d| d.delivered_at.is_some() && d.state != DeliveryState::Held);
        return Ok(Err(opened.map_or(unknown, |_| TAKEN_BACK)));
    }
    let request = app.store.find_record(leg.record).await?;
    if !request.is_some_and(|request| keys.agree_with(&request)) {
        return Ok(Err(Unplaced(
            "identity-mismatch",
            Field::NHS_NUMBER,
            "the person's details do not agree with the request that this answers",
            "check that this answer is about the right person; a person at the authority will look",
        )));
    }
    let settled = matches!(leg.state, LegState::Answered | LegState::Nil | LegState::Redirected);
    let replaces = message.kind == MessageType::AdviceResponse;
    if settled && !replaces {
        return Ok(Err(Unplaced(
            "leg-settled",
            Field::LEG,
            "has been answered already",
            "send a corrected advice.response, or speak to the authority",
        )));
    }
    Ok(Ok(Some(Attachment { leg })))
}

/// A request that its authority took back after it had been opened.
const TAKEN_BACK: Unplaced = Unplaced(
    "leg-taken-back",
    Field::LEG,
    "is a request that the authority has recalled, or replaced by a newer one",
    "answer the newer request in your inbox, or speak to the authority",
);

/// The one leg that an answer without a leg's id can only mean: the single request about this
/// person that the sender still owes; for advice, failing that, the single one it answered before.
async fn only_leg(
    app: &App,
    sender: &Sender,
    kind: MessageType,
    keys: &Keys,
    moved: &BTreeMap<LegId, LegState>,
) -> Result<Result<LegId, Unplaced>, ReceiveError> {
    let unknown = Unplaced(
        "leg-not-found",
        Field::LEG,
        "names no request, and none about this person waits for your organisation",
        "give the leg id of the request, or check that the person has an NHS number in both",
    );
    let Some(subject) = keys.subject else { return Ok(Err(unknown)) };
    let mut legs = app.store.legs_about(subject, &sender.organisation).await?;
    for leg in &mut legs {
        leg.state = moved.get(&leg.id).copied().unwrap_or(leg.state);
    }
    let open: Vec<LegId> = legs.iter().filter(|l| l.state.is_open()).map(|l| l.id).collect();
    let answered = legs.iter().filter(|l| l.state == LegState::Answered).map(|l| l.id);
    let meant = match open.as_slice() {
        [] if kind == MessageType::AdviceResponse => answered.collect(),
        _ => open,
    };
    Ok(match meant.as_slice() {
        [leg] => Ok(*leg),
        [] => Err(unknown),
        [..] => Err(Unplaced(
            "leg-ambiguous",
            Field::LEG,
            "names no request, and several about this person wait for your organisation",
            "give the leg id of the request that this answers",
        )),
    })
}

/// The first receipt date of the redirected leg that a request replaces (`domain.md` 2.3,
/// REDIRECT); `None` when it replaces none. Only a leg about the same person counts.
pub(super) async fn replaced(
    app: &App,
    sender: &Sender,
    replaces: Option<LegId>,
    keys: &Keys,
) -> Result<Result<Option<Date>, Unplaced>, ReceiveError> {
    let Some(replaces) = replaces else { return Ok(Ok(None)) };
    let unknown = Unplaced(
        "replaces-unknown",
        Field::REPLACES_LEG,
        "is not a redirected request of yours about the same person",
        "use the leg id of the redirected request, or leave it out",
    );
    let leg = app.store.find_leg(replaces).await?;
    let leg =
        leg.filter(|leg| leg.sender == sender.organisation && leg.state == LegState::Redirected);
    let Some(leg) = leg else { return Ok(Err(unknown)) };
    let request = app.store.find_record(leg.record).await?;
    let same = request.is_some_and(|request| keys.agree_with(&request));
    Ok(if same { Ok(Some(leg.received_on)) } else { Err(unknown) })
}

/// What an answer does to its leg.
pub(super) struct Effect {
    leg: LegId,
    from: LegState,
    state: LegState,
    answered_on: Option<Date>,
    expected_on: Option<Date>,
}

/// The effect of an answer (`domain.md` 2.3).
pub(super) fn effect(record: &Record, attachment: &Attachment, app: &App) -> Effect {
    let today = app.clock.today();
    let leg = &attachment.leg;
    let (state, answered_on, expected_on) = match (&record.message().body, record.message().kind) {
        (Body::Advice(_), _) => {
            // A correction does not move the day on which the advice was first given.
            let first = leg.answered_on.filter(|_| leg.state == LegState::Answered);
            (LegState::Answered, first.or(Some(today)), leg.expected_on)
        }
        (Body::Nil(_), _) => (LegState::Nil, Some(today), None),
        (Body::Exception(exception), _) => (LegState::Exception, None, Some(exception.expected_on)),
        (_, MessageType::AdviceRejected) => (LegState::Rejected, None, None),
        (_, MessageType::AdviceRedirected) => (LegState::Redirected, None, None),
        // Taking a request on does not undo an exception that was notified before.
        (_, _) if leg.state == LegState::Exception => (LegState::Exception, None, leg.expected_on),
        (_, _) => (LegState::Accepted, None, None),
    };
    Effect { leg: leg.id, from: leg.state, state, answered_on, expected_on }
}

impl Effect {
    /// Where the leg will be.
    pub(super) fn leads_to(&self) -> (LegId, LegState) {
        (self.leg, self.state)
    }

    pub(super) fn into_change(self, event: Event) -> Change {
        let mut event = event.with("state", name_of(self.state));
        if let Some(expected) = self.expected_on {
            event = event.with("expected_on", expected);
        }
        event.delivery = Some(crate::queue::DeliveryId(self.leg.0));
        Change::because(event).write(Write::LegChanged {
            leg: self.leg,
            from: self.from,
            state: self.state,
            answered_on: self.answered_on,
            expected_on: self.expected_on,
        })
    }
}
