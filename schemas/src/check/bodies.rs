//! The rules for what each type of message says.

use std::collections::BTreeSet;

use super::{Check, LINE_CHARS_MAX, NAME_CHARS_MAX, TEXT_CHARS_MAX};
use crate::draft::Field;
use crate::identifiers::{LegId, MessageId, OrganisationCode, ServiceCode};
use crate::personal::PersonalText;
use crate::record::{
    Advice, AdviceRequest, Body, ConsentDecision, Exception, Form, MessageType, NilReturn, Notice,
    NoticeOutcome, RejectionReason, TransitionPlan, Triage,
};

impl Check<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the form says which types there are")]
    pub(super) fn body(&mut self, kind: MessageType) -> Option<Body> {
        match kind.form() {
            Form::Request => self.request().map(Body::Request),
            Form::Triage => {
                let needed = match kind {
                    MessageType::AdviceRejected => Some(Field::TRIAGE_REASON),
                    MessageType::AdviceRedirected => Some(Field::TRIAGE_REDIRECT_TO),
                    _ => None,
                };
                Some(Body::Triage(self.triage(needed)))
            }
            Form::Advice => self.advice().map(Box::new).map(Body::Advice),
            Form::Nil => self.nil().map(Body::Nil),
            Form::Exception => self.exception().map(Body::Exception),
            Form::Transition => self.transition().map(Body::Transition),
            Form::Notice => {
                let needed = match kind {
                    MessageType::Acknowledgement => Some(Field::NOTICE_OUTCOME),
                    MessageType::Error => Some(Field::NOTICE_CODE),
                    _ => None,
                };
                let notice = self.notice(needed)?;
                Some(Body::Notice(self.without_outcome(kind, notice)))
            }
            Form::Decision => Some(Body::Decision(ConsentDecision::default())),
            Form::Particulars => Some(Body::Particulars(self.particulars(kind))),
        }
    }

    fn request(&mut self) -> Option<AdviceRequest> {
        let requested_on = self.required_date(Field::REQUESTED_ON);
        self.not_in_future(Field::REQUESTED_ON, requested_on);
        let assessment_requested_on = self.date(Field::ASSESSMENT_REQUESTED_ON);
        let mut services = self.list(Field::SERVICES, ServiceCode::parse);
        let mut seen = BTreeSet::new();
        services.retain(|service| seen.insert(service.clone()));
        self.present(Field::SERVICES);
        let questions = self.texts(Field::QUESTIONS);
        let year_9_or_above = self.flag(Field::YEAR_9_OR_ABOVE);
        let asked_by_family = self.flag(Field::ASKED_BY_FAMILY);
        let reply_to = self.text(Field::REPLY_TO, LINE_CHARS_MAX);
        let existing_reports = self.texts(Field::EXISTING_REPORTS);
        let replaces_leg = self.optional(Field::REPLACES_LEG, LegId::parse);
        Some(AdviceRequest {
            requested_on: requested_on?,
            assessment_requested_on,
            services,
            questions,
            year_9_or_above,
            asked_by_family,
            reply_to,
            existing_reports,
            replaces_leg,
        })
    }

    fn triage(&mut self, needed: Option<Field>) -> Triage {
        if let Some(field) = needed {
            self.present(field);
        }
        let reason = self.code(Field::TRIAGE_REASON);
        let redirect_to = self.optional(Field::TRIAGE_REDIRECT_TO, OrganisationCode::parse);
        let note = self.text(Field::TRIAGE_NOTE, TEXT_CHARS_MAX);
        let note = self.not_on_mismatch(reason, Field::TRIAGE_NOTE, note);
        Triage { reason, redirect_to, note }
    }

    fn advice(&mut self) -> Option<Advice> {
        let author_name = self.required_text(Field::AUTHOR_NAME, NAME_CHARS_MAX);
        let author_profession = self.required_text(Field::AUTHOR_PROFESSION, NAME_CHARS_MAX);
        let author_registration = self.text(Field::AUTHOR_REGISTRATION, NAME_CHARS_MAX);
        let date = self.required_date(Field::ADVICE_DATE);
        let last_seen_on = self.date(Field::LAST_SEEN);
        self.perhaps_in_future(Field::ADVICE_DATE, date);
        self.perhaps_in_future(Field::LAST_SEEN, last_seen_on);
        let basis = self.code(Field::ADVICE_BASIS);
        let summary = self.text(Field::SUMMARY, TEXT_CHARS_MAX);
        let health_needs = self.texts(Field::HEALTH_NEEDS);
        let educational_needs = self.texts(Field::EDUCATIONAL_NEEDS);
        let nothing_said = summary.is_none()
            && health_needs.is_empty()
            && educational_needs.is_empty()
            && self.draft.attachments.is_empty();
        if nothing_said {
            let place = self.draft.place.clone();
            self.fault(
                Field::SUMMARY,
                &place,
                "advice-empty",
                "the advice says nothing: no summary, no needs and no document",
                "attach the signed report or fill in the needs; for a nil return send advice.nil",
            );
        }
        Some(Advice {
            author_name: author_name?,
            author_profession: author_profession?,
            author_registration,
            date: date?,
            last_seen_on,
            basis,
            summary,
            health_needs,
            educational_needs,
            outcomes: self.texts(Field::OUTCOMES),
            health_provision: self.texts(Field::HEALTH_PROVISION),
            educational_provision: self.texts(Field::EDUCATIONAL_PROVISION),
            remainder_on: self.date(Field::REMAINDER_ON),
        })
    }

    fn nil(&mut self) -> Option<NilReturn> {
        self.present(Field::NIL_REASON);
        let reason = self.code(Field::NIL_REASON);
        let last_seen_on = self.date(Field::NIL_LAST_SEEN);
        self.perhaps_in_future(Field::NIL_LAST_SEEN, last_seen_on);
        let alternative_service = self.text(Field::NIL_ALTERNATIVE, LINE_CHARS_MAX);
        Some(NilReturn { reason: reason?, last_seen_on, alternative_service })
    }

    fn exception(&mut self) -> Option<Exception> {
        self.present(Field::EXCEPTION_LIMB);
        let limb = self.code(Field::EXCEPTION_LIMB);
        let evidence = self.required_text(Field::EXCEPTION_EVIDENCE, TEXT_CHARS_MAX);
        let from = self.required_date(Field::EXCEPTION_FROM);
        let until = self.date(Field::EXCEPTION_UNTIL);
        if let (Some(first), Some(last)) = (from, until)
            && last < first
        {
            let place = self.place(Field::EXCEPTION_UNTIL);
            self.fault(
                Field::EXCEPTION_UNTIL,
                &place,
                "dates-out-of-order",
                "is before the date the circumstances began",
                "give the last day of the absence or of the circumstances",
            );
        }
        let expected_on = self.required_date(Field::EXCEPTION_EXPECTED);
        if let (Some(from), Some(expected)) = (from, expected_on)
            && expected <= from
        {
            let place = self.place(Field::EXCEPTION_EXPECTED);
            self.fault(
                Field::EXCEPTION_EXPECTED,
                &place,
                "dates-out-of-order",
                "is not after the date the circumstances began",
                "give the date on which advice is now expected",
            );
        }
        let (limb, evidence, from) = (limb?, evidence?, from?);
        Some(Exception { limb, evidence, from, until, expected_on: expected_on? })
    }

    fn transition(&mut self) -> Option<TransitionPlan> {
        let named_worker = self.required_text(Field::NAMED_WORKER, NAME_CHARS_MAX);
        let plan_date = self.required_date(Field::PLAN_DATE);
        let transfer_on = self.date(Field::TRANSFER_ON);
        self.present(Field::ACTIONS);
        let actions = self.texts(Field::ACTIONS);
        let views = self.text(Field::VIEWS, TEXT_CHARS_MAX);
        Some(TransitionPlan {
            named_worker: named_worker?,
            plan_date: plan_date?,
            transfer_on,
            actions,
            views,
        })
    }

    fn notice(&mut self, needed: Option<Field>) -> Option<Notice> {
        if let Some(field) = needed {
            self.present(field);
        }
        let about = self.required(Field::NOTICE_ABOUT, MessageId::parse);
        let outcome = self.code(Field::NOTICE_OUTCOME);
        if outcome == Some(NoticeOutcome::Rejected) {
            self.present(Field::NOTICE_CODE);
        }
        let code = self.code(Field::NOTICE_CODE);
        let detail = self.text(Field::NOTICE_DETAIL, LINE_CHARS_MAX);
        let detail = self.not_on_mismatch(code, Field::NOTICE_DETAIL, detail);
        Some(Notice { about: about?, outcome, code, detail })
    }

    /// That a message arrived says nothing of what its recipient makes of it.
    fn without_outcome(&mut self, kind: MessageType, mut notice: Notice) -> Notice {
        if kind == MessageType::TransportReceipt && notice.outcome.take().is_some() {
            let place = self.place(Field::NOTICE_OUTCOME);
            self.warn(
                Field::NOTICE_OUTCOME,
                &place,
                "field-not-for-type",
                "does not belong to this type of message and was left out",
                "send ack.business to say whether the message was taken on",
            );
        }
        notice
    }

    /// A refusal because details of a person disagree must not disclose the refuser's own
    /// (`domain.md` 6), so its free text is left out.
    fn not_on_mismatch(
        &mut self,
        reason: Option<RejectionReason>,
        field: Field,
        text: Option<PersonalText>,
    ) -> Option<PersonalText> {
        if reason != Some(RejectionReason::IdentityMismatch) || text.is_none() {
            return text;
        }
        let place = self.place(field);
        self.warn(
            field,
            &place,
            "mismatch-detail",
            "is left out: a refusal for mismatched identity says nothing more",
            "ask the sender to correct the details; do not tell them yours",
        );
        None
    }
}
