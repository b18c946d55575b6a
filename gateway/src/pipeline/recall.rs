//! Recall: a sender takes a message back, and what was not opened yet is never opened.
//!
//! What was opened cannot be unread: it is listed with when and by whom, can be fetched no more,
//! and its recipient is told by the recall itself, which asks it to delete and to acknowledge. All
//! is done under the exclusive guard of whom the message is about, as a withdrawal is: whoever
//! fetches or is pushed to either was first, and is told, or gets nothing.

use schemas::record::Body;
use schemas::{Field, Issue, MessageType, Place, Record};

use super::ReceiveError;
use super::admission::{Batch, Facts};
use super::relations::{How, RECALLED, TakingBack};
use crate::audit::{Event, EventKind};
use crate::queue::DeliveryState;
use crate::store::{Change, ClockWrite, Taken, Write};

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
        let earlier =
            earlier.filter(|earlier| facts.subject.is_none() || earlier.subject == facts.subject);
        let Some(earlier) = earlier else {
            return Ok(issue(
                "recall-unknown",
                about,
                "is not an earlier message of yours that was accepted",
                "use the reference you gave it, or the record's id in its receipt",
            ));
        };
        let kind = earlier.sealed.kind();
        if kind.is_about_consent() || kind.may_name_nobody() && kind != MessageType::AdviceChaser {
            return Ok(issue(
                "recall-not-this-type",
                about,
                "is a message of a type that is not taken back",
                "for agreement to share send what is decided now; a notice stands as it was sent",
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
