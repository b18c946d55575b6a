//! `Draft` to `Record`: every rule about one message, all issues at once.
//!
//! Rules here need the message and today's date, nothing else: no partner, no consent, no other
//! record. Issues carry the rule, the field, the place and the next step; never the value. What
//! may differ in practice (a UPN's check letter) is a warning, not a refusal (`domain.md` 3.2).

use jiff::civil::Date;

use crate::catalogue::Catalogue;
use crate::draft::{Draft, DraftAttachment, Field, Located};
use crate::identifiers::{
    CaseReference, IdentifierError, LegId, MessageId, NhsNumber, OrganisationCode, ServiceCode, Upn,
};
use crate::issue::{Issue, Place};
use crate::personal::PersonalText;
use crate::record::{
    Acting, Advice, AdviceRequest, Attachment, Body, Consent, ConsentDecision, Exception, Message,
    MessageType, NilReturn, Notice, Record, Subject, TransitionPlan, Triage,
};

/// A record and what the sender should still look at.
#[derive(Debug)]
pub struct Checked {
    /// The accepted record.
    pub record: Record,
    /// Warnings: none of them stops the record.
    pub warnings: Vec<Issue>,
}

impl Draft {
    /// Checks everything that can be checked about one message on its own.
    ///
    /// `today` is the civil date in Europe/London. Errors: every issue found, in field order, at
    /// least one of which is an error.
    pub fn check(self, today: Date) -> Result<Checked, Vec<Issue>> {
        let mut check = Check { draft: &self, today, issues: self.notes.clone() };
        check.no_repeats();
        let message = check.message();
        let attachments = check.attachments();
        let issues = check.issues;
        match (message, issues.iter().any(Issue::is_error)) {
            (Some(message), false) => {
                Ok(Checked { record: Record { message, attachments }, warnings: issues })
            }
            _ => Err(issues),
        }
    }
}

struct Check<'a> {
    draft: &'a Draft,
    today: Date,
    issues: Vec<Issue>,
}

impl Check<'_> {
    fn message(&mut self) -> Option<Message> {
        let kind = self.kind();
        let id = self.required(Field::ID, MessageId::parse);
        let sender = self.required(Field::SENDER, OrganisationCode::parse);
        let version = self.version();
        let recipient = self.optional(Field::RECIPIENT, OrganisationCode::parse);
        let case = self.optional(Field::CASE, CaseReference::parse);
        let leg = self.optional(Field::LEG, LegId::parse);
        let acting = self.acting();
        let kind = kind?;
        let subject = self.subject(kind);
        let consent = self.consent(kind);
        let body = self.body(kind);
        self.envelope_for(kind);
        Some(Message {
            kind,
            version: version?,
            id: id?,
            sender: sender?,
            recipient,
            case,
            leg,
            acting,
            subject,
            consent,
            body: body?,
        })
    }

    fn kind(&mut self) -> Option<MessageType> {
        let located = self.present(Field::TYPE)?.clone();
        let kind = MessageType::parse(located.text.expose());
        if kind.is_none() {
            if Catalogue::built_in().find(located.text.expose()).is_some() {
                self.fault(
                    Field::TYPE,
                    &located.place,
                    "type-not-carried",
                    "is in the catalogue but not carried by this gateway yet",
                    "send it another way, or ask the operator which types are carried",
                );
            } else {
                self.fault(
                    Field::TYPE,
                    &located.place,
                    "type-unknown",
                    "is not a message type of the catalogue",
                    "use a type from the catalogue, for example advice.request",
                );
            }
        }
        kind
    }

    fn version(&mut self) -> Option<u32> {
        let Some(located) = self.draft.first(Field::VERSION) else {
            return Some(crate::SCHEMA_VERSION);
        };
        if located.text.expose() == crate::SCHEMA_VERSION.to_string() {
            return Some(crate::SCHEMA_VERSION);
        }
        let place = located.place.clone();
        self.fault(
            Field::VERSION,
            &place,
            "version-unknown",
            "is not a version this gateway reads",
            "send version 1",
        );
        None
    }

    /// What each type needs in the envelope beyond what all need.
    fn envelope_for(&mut self, kind: MessageType) {
        if kind == MessageType::AdviceRequest {
            self.present(Field::CASE);
        }
        if kind.answers_a_leg() {
            self.present(Field::LEG);
        }
        if matches!(
            kind,
            MessageType::TransitionHealthPlan | MessageType::Acknowledgement | MessageType::Error
        ) {
            self.present(Field::RECIPIENT);
        }
    }

    fn acting(&mut self) -> Option<Acting> {
        let user = self.text(Field::ACTING_USER, NAME_CHARS_MAX)?;
        let role = self.text(Field::ACTING_ROLE, NAME_CHARS_MAX);
        Some(Acting { user, role })
    }

    fn subject(&mut self, kind: MessageType) -> Option<Subject> {
        let required = !matches!(kind, MessageType::Acknowledgement | MessageType::Error);
        let any = SUBJECT_FIELDS.iter().any(|field| self.draft.first(*field).is_some());
        if !required && !any {
            return None;
        }
        let nhs_number = self.optional(Field::NHS_NUMBER, NhsNumber::parse);
        let la_person_id = self.optional(Field::LA_PERSON_ID, MessageId::parse);
        if self.draft.first(Field::NHS_NUMBER).is_none()
            && self.draft.first(Field::LA_PERSON_ID).is_none()
        {
            self.fault(
                Field::NHS_NUMBER,
                &self.draft.place.clone(),
                "subject-identifier-missing",
                "neither an NHS number nor a local authority person id is given",
                "give at least one of the two",
            );
        }
        let upn = self.upn();
        let family_name = self.required_text(Field::FAMILY_NAME, NAME_CHARS_MAX);
        let given_names = self.required_text(Field::GIVEN_NAMES, NAME_CHARS_MAX);
        let date_of_birth = self.date_of_birth();
        let sex = self.code(Field::SEX);
        let postcode = self.text(Field::POSTCODE, 10);
        let address = self.text(Field::ADDRESS, LINE_CHARS_MAX);
        let school = self.text(Field::SCHOOL, LINE_CHARS_MAX);
        Some(Subject {
            nhs_number,
            la_person_id,
            upn,
            family_name: family_name?,
            given_names: given_names?,
            date_of_birth: date_of_birth?,
            sex,
            postcode,
            address,
            school,
        })
    }

    fn upn(&mut self) -> Option<Upn> {
        let located = self.draft.first(Field::UPN)?.clone();
        match Upn::parse(located.text.expose()) {
            Ok(upn) if upn.check_letter_agrees() => Some(upn),
            // Most UPNs in real extracts fail (domain.md 3.2), so this never stops a record.
            Ok(upn) => {
                self.warn(
                    Field::UPN,
                    &located.place,
                    "upn-check-letter",
                    "fails its check letter",
                    "correct it in the case system when convenient",
                );
                Some(upn)
            }
            Err(_) => {
                self.warn(
                    Field::UPN,
                    &located.place,
                    "upn-shape",
                    "is not a unique pupil number and was left out",
                    "correct it in the case system when convenient",
                );
                None
            }
        }
    }

    fn date_of_birth(&mut self) -> Option<Date> {
        let date = self.required_date(Field::DATE_OF_BIRTH)?;
        let place = self.place(Field::DATE_OF_BIRTH);
        if date > self.today {
            self.fault(
                Field::DATE_OF_BIRTH,
                &place,
                "date-in-future",
                "is in the future",
                "check the year and the order of day and month",
            );
            return None;
        }
        let years = self.today.year() - date.year();
        if years > AGE_YEARS_MAX {
            self.fault(
                Field::DATE_OF_BIRTH,
                &place,
                "date-of-birth-implausible",
                "is more than 26 years ago; plans end at 25",
                "check the century and placeholder dates such as 01/01/1900",
            );
            return None;
        }
        Some(date)
    }

    fn consent(&mut self, kind: MessageType) -> Option<Consent> {
        let required = matches!(kind, MessageType::ConsentGrant | MessageType::ConsentWithdraw);
        if !required && self.draft.first(Field::CONSENT_STATUS).is_none() {
            return None;
        }
        let status = if kind == MessageType::ConsentGrant {
            Some(crate::record::ConsentStatus::Given)
        } else if kind == MessageType::ConsentWithdraw {
            Some(crate::record::ConsentStatus::Withdrawn)
        } else {
            self.code(Field::CONSENT_STATUS)
        };
        let given_by = self.code(Field::CONSENT_GIVEN_BY);
        let date = self.date(Field::CONSENT_DATE);
        if status == Some(crate::record::ConsentStatus::Given) {
            if self.present(Field::CONSENT_GIVEN_BY).is_some() && date.is_none() {
                self.present(Field::CONSENT_DATE);
            }
            if date.is_some_and(|date| date > self.today) {
                let place = self.place(Field::CONSENT_DATE);
                self.fault(
                    Field::CONSENT_DATE,
                    &place,
                    "date-in-future",
                    "is in the future",
                    "record agreement on the day it is given",
                );
            }
        }
        let expires_on = self.date(Field::CONSENT_EXPIRES);
        let purposes = self.draft.all(Field::CONSENT_PURPOSES).map(|l| l.text.expose().to_owned());
        let purposes = purposes.collect();
        let exclusions = self.list(Field::CONSENT_EXCLUSIONS, OrganisationCode::parse);
        let reference = self.optional(Field::CONSENT_REFERENCE, MessageId::parse);
        let kind = self.code(Field::CONSENT_KIND);
        Some(Consent {
            status: status?,
            kind,
            given_by,
            date,
            expires_on,
            purposes,
            exclusions,
            reference,
        })
    }

    fn body(&mut self, kind: MessageType) -> Option<Body> {
        match kind {
            MessageType::AdviceRequest => self.request().map(Body::Request),
            MessageType::AdviceAccepted => Some(Body::Triage(self.triage(&[]))),
            MessageType::AdviceRejected => Some(Body::Triage(self.triage(&[Field::TRIAGE_REASON]))),
            MessageType::AdviceRedirected => {
                Some(Body::Triage(self.triage(&[Field::TRIAGE_REDIRECT_TO])))
            }
            MessageType::AdviceResponse => self.advice().map(Box::new).map(Body::Advice),
            MessageType::AdviceNil => self.nil().map(Body::Nil),
            MessageType::AdviceException => self.exception().map(Body::Exception),
            MessageType::TransitionHealthPlan => self.transition().map(Body::Transition),
            MessageType::Acknowledgement => self.notice(Field::NOTICE_OUTCOME).map(Body::Notice),
            MessageType::Error => self.notice(Field::NOTICE_CODE).map(Body::Notice),
            MessageType::ConsentGrant | MessageType::ConsentWithdraw => {
                Some(Body::Decision(ConsentDecision::default()))
            }
        }
    }

    fn request(&mut self) -> Option<AdviceRequest> {
        let requested_on = self.required_date(Field::REQUESTED_ON);
        if requested_on.is_some_and(|date| date > self.today) {
            let place = self.place(Field::REQUESTED_ON);
            self.fault(
                Field::REQUESTED_ON,
                &place,
                "date-in-future",
                "is in the future",
                "check the order of day and month",
            );
        }
        let assessment_requested_on = self.date(Field::ASSESSMENT_REQUESTED_ON);
        let mut services = self.list(Field::SERVICES, ServiceCode::parse);
        services.dedup();
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

    fn triage(&mut self, needed: &[Field]) -> Triage {
        for field in needed {
            self.present(*field);
        }
        Triage {
            reason: self.code(Field::TRIAGE_REASON),
            redirect_to: self.optional(Field::TRIAGE_REDIRECT_TO, OrganisationCode::parse),
            note: self.text(Field::TRIAGE_NOTE, TEXT_CHARS_MAX),
        }
    }

    fn advice(&mut self) -> Option<Advice> {
        let author_name = self.required_text(Field::AUTHOR_NAME, NAME_CHARS_MAX);
        let author_profession = self.required_text(Field::AUTHOR_PROFESSION, NAME_CHARS_MAX);
        let author_registration = self.text(Field::AUTHOR_REGISTRATION, NAME_CHARS_MAX);
        let date = self.required_date(Field::ADVICE_DATE);
        let last_seen_on = self.date(Field::LAST_SEEN);
        let basis = self.code(Field::ADVICE_BASIS);
        let summary = self.text(Field::SUMMARY, TEXT_CHARS_MAX);
        let health_needs = self.texts(Field::HEALTH_NEEDS);
        let nothing_said = summary.is_none()
            && health_needs.is_empty()
            && self.draft.attachments.is_empty()
            && self.draft.first(Field::EDUCATIONAL_NEEDS).is_none();
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
            educational_needs: self.texts(Field::EDUCATIONAL_NEEDS),
            outcomes: self.texts(Field::OUTCOMES),
            health_provision: self.texts(Field::HEALTH_PROVISION),
            educational_provision: self.texts(Field::EDUCATIONAL_PROVISION),
        })
    }

    fn nil(&mut self) -> Option<NilReturn> {
        self.present(Field::NIL_REASON);
        let reason = self.code(Field::NIL_REASON);
        let last_seen_on = self.date(Field::NIL_LAST_SEEN);
        let alternative_service = self.text(Field::NIL_ALTERNATIVE, LINE_CHARS_MAX);
        Some(NilReturn { reason: reason?, last_seen_on, alternative_service })
    }

    fn exception(&mut self) -> Option<Exception> {
        self.present(Field::EXCEPTION_LIMB);
        let limb = self.code(Field::EXCEPTION_LIMB);
        let evidence = self.required_text(Field::EXCEPTION_EVIDENCE, TEXT_CHARS_MAX);
        let from = self.required_date(Field::EXCEPTION_FROM);
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
        Some(Exception { limb: limb?, evidence: evidence?, from: from?, expected_on: expected_on? })
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

    fn notice(&mut self, needed: Field) -> Option<Notice> {
        self.present(needed);
        let about = self.required(Field::NOTICE_ABOUT, MessageId::parse);
        let outcome = self.code(Field::NOTICE_OUTCOME);
        let code = self.code(Field::NOTICE_CODE);
        let detail = self.text(Field::NOTICE_DETAIL, LINE_CHARS_MAX);
        Some(Notice { about: about?, outcome, code, detail })
    }

    fn attachments(&mut self) -> Vec<Attachment> {
        let draft = self.draft;
        draft.attachments.iter().filter_map(|attachment| self.attachment(attachment)).collect()
    }

    fn attachment(&mut self, attachment: &DraftAttachment) -> Option<Attachment> {
        let bytes = attachment.content.expose();
        let media_type = media_type_of(bytes);
        let Some(media_type) = media_type else {
            self.issues.push(Issue::error(
                "attachment-type",
                None,
                attachment.place.clone(),
                "a document is not of an accepted type (its content decides, not its name)",
                "send PDF, RTF, TIFF, Word or plain text",
            ));
            return None;
        };
        let name: String = attachment
            .name
            .expose()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
            .take(100)
            .collect();
        let name = if name.trim_matches('.').is_empty() { "document".to_owned() } else { name };
        Some(Attachment {
            name: PersonalText::new(name),
            media_type: media_type.to_owned(),
            content: attachment.content.clone(),
        })
    }
}

/// Reading single fields.
impl Check<'_> {
    fn no_repeats(&mut self) {
        let mut reported: Vec<Field> = Vec::new();
        for (index, (field, located)) in self.draft.fields.iter().enumerate() {
            let earlier = self.draft.fields.iter().take(index).any(|(f, _)| f == field);
            if earlier && !field.repeats() && !reported.contains(field) {
                reported.push(*field);
                let place = located.place.clone();
                self.issues.push(Issue::error(
                    "field-repeated",
                    Some(*field),
                    place,
                    "is given more than once",
                    "give it once",
                ));
            }
        }
    }

    fn place(&self, field: Field) -> Place {
        self.draft.first(field).map_or_else(|| self.draft.place.clone(), |l| l.place.clone())
    }

    fn fault(&mut self, field: Field, place: &Place, rule: &str, message: &str, next: &str) {
        self.issues.push(Issue::error(rule, Some(field), place.clone(), message, next));
    }

    fn warn(&mut self, field: Field, place: &Place, rule: &str, message: &str, next: &str) {
        self.issues.push(Issue::warning(rule, Some(field), place.clone(), message, next));
    }

    /// The field, reporting that it is missing when it is.
    fn present(&mut self, field: Field) -> Option<&Located> {
        if self.draft.first(field).is_none() {
            let place = self.draft.place.clone();
            let reported =
                self.issues.iter().any(|i| i.rule == "missing" && i.field == field.path());
            if !reported {
                self.fault(
                    field,
                    &place,
                    "missing",
                    "is required for this type of message and is missing",
                    "send it",
                );
            }
        }
        self.draft.first(field)
    }

    fn optional<T>(
        &mut self,
        field: Field,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        let located = self.draft.first(field)?.clone();
        self.parsed(field, &located, parse)
    }

    fn required<T>(
        &mut self,
        field: Field,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        self.present(field)?;
        self.optional(field, parse)
    }

    fn list<T>(&mut self, field: Field, parse: fn(&str) -> Result<T, IdentifierError>) -> Vec<T> {
        let draft = self.draft;
        draft.all(field).filter_map(|located| self.parsed(field, located, parse)).collect()
    }

    fn parsed<T>(
        &mut self,
        field: Field,
        located: &Located,
        parse: fn(&str) -> Result<T, IdentifierError>,
    ) -> Option<T> {
        match parse(located.text.expose()) {
            Ok(value) => Some(value),
            Err(error) => {
                let rule = match error {
                    IdentifierError::Length => "identifier-length",
                    IdentifierError::Characters => "identifier-characters",
                    IdentifierError::CheckDigit => "identifier-check-digit",
                    IdentifierError::Filler => "identifier-filler",
                };
                self.fault(
                    field,
                    &located.place,
                    rule,
                    &error.to_string(),
                    "correct it at its source; identifiers are never guessed",
                );
                None
            }
        }
    }

    fn text(&mut self, field: Field, chars_max: usize) -> Option<PersonalText> {
        let located = self.draft.first(field)?.clone();
        self.bounded(field, &located, chars_max)
    }

    fn required_text(&mut self, field: Field, chars_max: usize) -> Option<PersonalText> {
        self.present(field)?;
        self.text(field, chars_max)
    }

    fn texts(&mut self, field: Field) -> Vec<PersonalText> {
        let draft = self.draft;
        draft.all(field).filter_map(|l| self.bounded(field, l, TEXT_CHARS_MAX)).collect()
    }

    fn bounded(&mut self, field: Field, located: &Located, max: usize) -> Option<PersonalText> {
        let text = located.text.expose();
        if text.chars().count() > max {
            self.fault(
                field,
                &located.place,
                "too-long",
                "is longer than this field may be",
                "shorten it, or attach it as a document",
            );
            return None;
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.fault(
                field,
                &located.place,
                "control-characters",
                "holds control characters",
                "remove them at the source; they are often a wrong encoding",
            );
            return None;
        }
        Some(located.text.clone())
    }

    /// A value of a closed code set, by its name in canonical JSON.
    fn code<T: serde::de::DeserializeOwned>(&mut self, field: Field) -> Option<T> {
        let located = self.draft.first(field)?.clone();
        let text = located.text.expose();
        let value = serde_json::Value::String(text.to_owned());
        let code = serde_json::from_value(value).ok();
        if code.is_none() {
            self.fault(
                field,
                &located.place,
                "code-unknown",
                "is not a code of the set for this field",
                "use a code of the set, or add it to the mapping's code map",
            );
        }
        code
    }

    fn flag(&mut self, field: Field) -> bool {
        let Some(located) = self.draft.first(field).cloned() else { return false };
        match located.text.expose() {
            "true" => true,
            "false" => false,
            _ => {
                self.fault(
                    field,
                    &located.place,
                    "not-true-or-false",
                    "is neither true nor false",
                    "map the source's codes to true and false",
                );
                false
            }
        }
    }

    /// An ISO date. Readers turn other ways of writing dates into this one, under configuration.
    fn date(&mut self, field: Field) -> Option<Date> {
        let located = self.draft.first(field)?.clone();
        let text = located.text.expose();
        let date = (text.len() == 10).then(|| text.parse::<Date>().ok()).flatten();
        let date = date.filter(|date| (1900..2200).contains(&date.year()));
        if date.is_none() {
            self.fault(
                field,
                &located.place,
                "date-impossible",
                "is not a date that exists, in the form agreed",
                "write yyyy-mm-dd, or set the mapping's date format",
            );
        }
        date
    }

    fn required_date(&mut self, field: Field) -> Option<Date> {
        self.present(field)?;
        self.date(field)
    }
}

/// The media type of a document by its first bytes, if it is one we accept.
fn media_type_of(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 6] = [
        (b"%PDF-", "application/pdf"),
        (b"{\\rtf", "application/rtf"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    ];
    let known = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start));
    known.map(|(_, media_type)| *media_type).or_else(|| {
        let text = std::str::from_utf8(bytes).ok()?;
        let printable = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        let markup = text.trim_start().starts_with('<');
        (!text.is_empty() && printable && !markup).then_some("text/plain")
    })
}

const SUBJECT_FIELDS: [Field; 5] = [
    Field::NHS_NUMBER,
    Field::LA_PERSON_ID,
    Field::FAMILY_NAME,
    Field::GIVEN_NAMES,
    Field::DATE_OF_BIRTH,
];

/// Longer names than this are a column out of place.
const NAME_CHARS_MAX: usize = 200;
/// One line of an address or reference.
const LINE_CHARS_MAX: usize = 500;
/// A paragraph of advice; longer texts belong in a document.
const TEXT_CHARS_MAX: usize = 64 * 1024;
/// Plans end with the academic year of the 25th birthday.
const AGE_YEARS_MAX: i16 = 26;
