//! What an answer does to its leg and the clock (`domain.md` 2.3).
//!
//! Nine kinds of answer: advice, and a nil return, stop the clock; existing advice stops it once
//! adviser, authority and family have all agreed; a redirection hands the first date on; an
//! exception excuses being late; a part, and a forecast of being late, let it run; an objection
//! stops the leg, for people.

use jiff::civil::Date;
use schemas::record::{Particulars, RejectionReason};
use schemas::{Body, LegId, MessageType, OrganisationCode, Record, RecordId};

use super::{Attachment, limb};
use crate::audit::Event;
use crate::queue::LegState;
use crate::store::{Change, ClockWrite, Write};
use crate::telemetry::name_of;

/// What an answer does to its leg.
pub(in crate::pipeline) struct Effect {
    leg: LegId,
    from: LegState,
    state: LegState,
    answered_on: Option<Date>,
    expected_on: Option<Date>,
    agrees: Option<String>,
    writes: Vec<ClockWrite>,
    /// Codes and dates for the log.
    says: Vec<(&'static str, String)>,
}

/// The effect of an answer from an organisation.
pub(in crate::pipeline) fn effect(
    record: &Record,
    id: RecordId,
    attachment: &Attachment,
    (today, sender): (Date, &OrganisationCode),
) -> Effect {
    let leg = &attachment.leg;
    let unmoved = Effect {
        leg: leg.id,
        from: leg.state,
        state: leg.state,
        answered_on: None,
        expected_on: None,
        agrees: None,
        writes: Vec::new(),
        says: Vec::new(),
    };
    let message = record.message();
    match (&message.body, message.kind) {
        (Body::Advice(advice), _) => unmoved.advice(advice.remainder_on, leg.answered_on, today),
        (Body::Nil(nil), _) => Effect {
            state: LegState::Nil,
            answered_on: Some(today),
            // The leg is unmet: the authority must still secure the advice.
            says: vec![("nil", name_of(nil.reason)), ("attention", "leg-unmet".to_owned())],
            ..unmoved
        },
        (Body::Exception(exception), _) => Effect {
            // What was given in part stays given.
            state: LegState::Exception,
            expected_on: Some(exception.expected_on),
            writes: vec![ClockWrite::LegExcused(leg.id, limb(exception))],
            says: vec![("exception", limb(exception))],
            ..unmoved
        },
        (Body::Particulars(said), MessageType::AdviceLateForecast) => unmoved.late(said),
        (Body::Particulars(said), MessageType::AdviceExistingSufficient) => {
            unmoved.sufficient(said, (id, sender), attachment, today)
        }
        (Body::Triage(triage), MessageType::AdviceRejected)
            if triage.reason == Some(RejectionReason::SubjectObjects) =>
        {
            let says = vec![("attention", "objection".to_owned())];
            Effect { state: LegState::Objection, says, ..unmoved }
        }
        (_, MessageType::AdviceRejected) => Effect { state: LegState::Rejected, ..unmoved },
        (_, MessageType::AdviceRedirected) => Effect { state: LegState::Redirected, ..unmoved },
        // Taking a request on does not undo what was said before.
        (_, _) if matches!(leg.state, LegState::Exception | LegState::Partial) => unmoved,
        (_, _) => Effect { state: LegState::Accepted, ..unmoved },
    }
}

impl Effect {
    /// Which leg.
    pub(super) fn leg(&self) -> LegId {
        self.leg
    }

    /// Where the leg will be.
    pub(super) fn state(&self) -> LegState {
        self.state
    }

    /// The party that agrees with it that existing advice is sufficient.
    pub(super) fn agrees(&self) -> Option<&str> {
        self.agrees.as_deref()
    }

    /// The change that makes it so.
    pub(in crate::pipeline) fn into_change(self, event: Event) -> Change {
        let mut event = event.with("state", name_of(self.state));
        if let Some(expected) = self.expected_on {
            event = event.with("expected_on", expected);
        }
        for (name, value) in self.says {
            event = event.with(name, value);
        }
        event.delivery = Some(crate::queue::DeliveryId(self.leg.0));
        let writes = self.writes.into_iter().map(Write::Clock);
        let change = writes.fold(Change::because(event), Change::write);
        change.write(Write::LegChanged {
            leg: self.leg,
            from: self.from,
            state: self.state,
            answered_on: self.answered_on,
            expected_on: self.expected_on,
        })
    }

    /// Advice: all of it, or a part with a date for the rest.
    fn advice(self, rest_on: Option<Date>, before: Option<Date>, today: Date) -> Self {
        // A correction does not move the day on which the advice was first given.
        let answered = self.from == LegState::Answered;
        match rest_on.filter(|_| !answered) {
            Some(rest) => {
                // An exception that was notified goes on excusing the rest.
                let excused = self.from == LegState::Exception;
                let state = if excused { self.from } else { LegState::Partial };
                let writes = vec![ClockWrite::LegPart(self.leg, today, rest)];
                Self { state, writes, says: vec![("remainder_on", rest.to_string())], ..self }
            }
            None => Self {
                state: LegState::Answered,
                answered_on: before.filter(|_| answered).or(Some(today)),
                ..self
            },
        }
    }

    /// It will be late, and nothing excuses it: the clock runs on.
    fn late(self, said: &Particulars) -> Self {
        let reason = said.text("late_reason").unwrap_or_default().to_owned();
        let Some(on) = said.date("forecast_on") else { return self };
        let says = vec![("forecast_on", on.to_string()), ("late_reason", reason.clone())];
        let writes = vec![ClockWrite::LegForecast(self.leg, self.from, on, reason)];
        Self { writes, says, ..self }
    }

    /// One of three agrees; the clock stops with the third.
    fn sufficient(
        self,
        said: &Particulars,
        (record, sender): (RecordId, &OrganisationCode),
        attachment: &Attachment,
        today: Date,
    ) -> Self {
        let party = said.text("agreeing_party").unwrap_or_default().to_owned();
        if attachment.agreed.contains(&party) {
            return self;
        }
        let before = u32::try_from(attachment.agreed.len()).unwrap_or(u32::MAX);
        let all = before.saturating_add(1) >= PARTIES;
        let writes = vec![ClockWrite::LegAgreed {
            leg: self.leg,
            party: party.clone(),
            record,
            recorded_by: sender.clone(),
            agreed_on: said.date("agreed_on").unwrap_or(today),
            before,
        }];
        Self {
            state: if all { LegState::Sufficient } else { self.state },
            answered_on: all.then_some(today),
            says: vec![("agrees", party.clone())],
            agrees: Some(party),
            writes,
            ..self
        }
    }
}

/// The authority, the adviser and the family (regulation 6(4)).
const PARTIES: u32 = 3;
