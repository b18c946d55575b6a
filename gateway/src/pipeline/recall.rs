//! Recall: a sender takes a message back, and what was not opened yet is never opened.
//!
//! What was opened cannot be unread: it is listed with when and by whom, can be fetched no more,
//! and its recipient is told by the recall itself, which asks it to delete and to acknowledge. All
//! is done under the exclusive guard of whom the message is about, as a withdrawal is: whoever
//! fetches or is pushed to either was first, and is told, or gets nothing.

use schemas::record::Body;
use schemas::{Field, Issue, LegId, MessageType, OrganisationCode, Place, Record};

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::relations::{How, RECALLED, TakingBack};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::queue::{DeliveryId, DeliveryState, LegState};
use crate::store::{Change, ClockWrite, StoreError, StoredRecord, Taken, Write};

impl Batch<'_> {
    /// The earlier record that a recall takes back; none when the message is no recall.
    pub(super) async fn recalled(
        &self,
        record: &Record,
        facts: &Facts,
        place: &Place,
    ) -> Result<Result<Option<TakingBack>, Issue>, ReceiveError> {
        let message = record.message();
        let (MessageType::Recall, Body::Particulars(said)) = (message.kind, &message.body) else {
            return Ok(Ok(None));
        };
        let about = Field::from_path("particulars.about");
        let issue = |rule: &str, field: Option<Field>, message: &str, next: &str| {
            Err(Issue::error(rule, field, place.clone(), message, next))
        };
        let reference = said.text("about").unwrap_or_default();
        let earlier = self.own_record(reference).await?;
        let same = match &earlier {
            Some(earlier) if facts.subject.is_some() => {
                self.same_person(earlier.subject, facts.subject).await?
            }
            Some(_) | None => true,
        };
        let earlier = earlier.filter(|_| same);
        let Some(earlier) = earlier else {
            return Ok(issue(
                "recall-unknown",
                about,
                "is not an earlier message of yours that was accepted",
                "use the reference you gave it, or the record's id in its receipt",
            ));
        };
        if !may_be_recalled(earlier.sealed.kind()) {
            return Ok(issue(
                "recall-not-this-type",
                about,
                "is a message of a type that is not taken back",
                "say what holds now: agreement by a new decision, a request's handling by the next answer; a notice stands as it was sent",
            ));
        }
        let taking = self.taking(earlier, How::Recalled, message.recipient.clone(), facts).await?;
        if taking.recipients().is_empty() {
            return Ok(issue(
                "recall-recipient-unknown",
                Some(Field::RECIPIENT),
                "was sent nothing by the message that is recalled",
                "name an organisation it was sent to, or nobody to recall it from all",
            ));
        }
        let left =
            |taken: &Taken| taking.concerns(taken) && taken.state != DeliveryState::Withdrawn;
        if !taking.seen.iter().any(left) {
            return Ok(issue(
                "recall-nothing-left",
                about,
                "has nothing left to take back: it was recalled or withdrawn before",
                "look at how the recall stands at /v1/records/{record}/recall",
            ));
        }
        Ok(Ok(Some(taking)))
    }

    /// Stops what an earlier record still has on its way, and tells whoever has opened what is
    /// recalled. The earlier record's guard is held alone.
    pub(super) async fn take_back(&mut self, taking: TakingBack) -> Result<(), ReceiveError> {
        let record = taking.earlier.sealed.record();
        let mut said =
            self.event(EventKind::RecordTakenBack, &taking.by).with("how", taking.how.rule());
        said.record = Some(record);
        said.subject = taking.earlier.subject;
        let mut said = Change::because(said.with("by", taking.by.id));
        if taking.how == How::Recalled && taking.only.is_none() {
            // What was never said starts no clock. Superseding sees to its own.
            let today = self.app.clock.today();
            said = said.write(Write::Clock(ClockWrite::Undone(record, today)));
        }
        self.changes.push(said);
        let now = self.app.store.taken(record).await?;
        for taken in now.iter().filter(|taken| taking.concerns(taken)) {
            let change = self.stop(&taking, taken);
            self.changes.extend(change);
        }
        let reopened = self.leg_reopened(&taking).await?;
        self.changes.extend(reopened);
        for (to, note) in &taking.told {
            let has_it = |taken: &Taken| {
                taken.recipient == to.recipient
                    && taken.may_have_left()
                    && taken.reason.as_deref() != Some(RECALLED)
            };
            if !now.iter().any(has_it) {
                continue;
            }
            let (step, leg) = self.deliver(&taking.by, to, note, self.app.clock.today())?;
            self.changes.push(step);
            if let Some(row) = self.rows.get_mut(taking.row) {
                row.legs.push(leg);
            }
        }
        Ok(())
    }

    /// The change to one delivery: none when it was withdrawn before.
    fn stop(&mut self, taking: &TakingBack, taken: &Taken) -> Option<Change> {
        if taken.state == DeliveryState::Withdrawn {
            return None;
        }
        let waits = matches!(taken.state, DeliveryState::Queued | DeliveryState::Held);
        let kind = match (taking.how, waits) {
            (How::Superseded | How::Recalled, true) => EventKind::DeliveryWithdrawn,
            (How::Recalled, false) => EventKind::DeliveryRecalled,
            (How::Superseded, false) => return self.leg_closed(taking, taken),
        };
        let rule = taking.how.rule();
        let event = self.about(kind, taking, taken).with("rule", rule);
        self.stopped.insert(taken.delivery);
        let seen = (taken.state, taken.attempts);
        let change = Change::because(event).write(Write::TakenBack(taken.delivery, seen, rule));
        Some(match Self::leg_of(taking, taken.delivery) {
            Some(leg) => change.write(Write::LegWithheld(leg)),
            None => change,
        })
    }

    /// A superseded request that was opened stays where it is; its clock goes to the new one.
    fn leg_closed(&self, taking: &TakingBack, taken: &Taken) -> Option<Change> {
        let leg = Self::leg_of(taking, taken.delivery)?;
        let event =
            self.about(EventKind::LegChanged, taking, taken).with("rule", taking.how.rule());
        Some(Change::because(event).write(Write::LegWithheld(leg)))
    }

    /// The change to the leg that recalled advice, or a recalled nil return, had answered: it is
    /// owed again, unless another answer still stands.
    async fn leg_reopened(&self, taking: &TakingBack) -> Result<Option<Change>, ReceiveError> {
        let store = &self.app.store;
        let Some(leg) = taking.earlier.about.filter(|_| taking.how == How::Recalled) else {
            return Ok(None);
        };
        let Some(leg) = store.find_leg(leg).await? else { return Ok(None) };
        let answered = matches!(leg.state, LegState::Answered | LegState::Nil | LegState::Partial);
        let mut stands = false;
        for answer in store.answers_to(leg.id).await? {
            let answers = store
                .find_record(answer)
                .await?
                .is_some_and(|record| answers_in_full(record.sealed.kind()));
            let taken = answer == taking.earlier.sealed.record()
                || !store.recalls_of(answer).await?.is_empty()
                || store.superseded_by(answer).await?.is_some();
            stands |= answers && !taken;
        }
        if !answered || stands {
            return Ok(None);
        }
        let mut event = self.event(EventKind::LegChanged, &taking.by).with("rule", RECALLED);
        event.record = Some(leg.record);
        event.subject = taking.earlier.subject;
        event.delivery = Some(DeliveryId(leg.id.0));
        event.counterparty = Some(leg.sender.clone());
        Ok(Some(Change::because(event).write(Write::LegReopened(leg.id, leg.state))))
    }

    fn about(&self, kind: EventKind, taking: &TakingBack, taken: &Taken) -> Event {
        let mut event = self.event(kind, &taking.by).with("by", taking.by.id);
        event.record = Some(taking.earlier.sealed.record());
        event.subject = taking.earlier.subject;
        event.message_type = Some(taking.earlier.sealed.kind());
        event.delivery = Some(taken.delivery);
        event.counterparty = Some(taken.recipient.clone());
        event
    }
}

/// The leg by which a recipient knows what a recall takes back: the one it was asked, or the one
/// that was answered to it; none when there is no such leg, or more than one.
pub(super) async fn leg_taken_back(
    app: &App,
    recall: &StoredRecord,
    recipient: &OrganisationCode,
) -> Result<Option<LegId>, StoreError> {
    let Some((record, _)) = &recall.relations.recalls else { return Ok(recall.about) };
    let Some(earlier) = app.store.find_record(*record).await? else { return Ok(None) };
    if earlier.sealed.kind() != MessageType::AdviceRequest {
        return Ok(earlier.about);
    }
    let taken = app.store.taken(*record).await?;
    let mut theirs = taken.iter().filter(|taken| taken.recipient == *recipient);
    Ok(match (theirs.next(), theirs.next()) {
        (Some(taken), None) => Some(taken.delivery.leg()),
        (Some(_), Some(_)) | (None, _) => None,
    })
}

/// Whether a type can be taken back. Agreement is a ledger and a notice an event; how a service
/// handles a request is put right by its next answer.
fn may_be_recalled(kind: MessageType) -> bool {
    let notice = kind.may_name_nobody() && kind != MessageType::AdviceChaser;
    let handling = kind.answers_a_leg() && !answers_in_full(kind);
    !kind.is_about_consent() && !notice && !handling
}

/// Whether a type says all that a service has to say.
fn answers_in_full(kind: MessageType) -> bool {
    matches!(kind, MessageType::AdviceResponse | MessageType::AdviceNil)
}
