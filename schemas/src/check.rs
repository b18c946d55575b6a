//! `Draft` to `Record`: every rule about one message, all issues at once.
//!
//! Rules here need the message and today's date, nothing else: no partner, no consent, no other
//! record. Issues carry the rule, the field, the place and the next step; never the value. What
//! may differ in practice (a UPN's check letter) is a warning, not a refusal (`domain.md` 3.2).

mod bodies;
mod documents;
mod fields;
mod kinds;
mod particulars;

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::draft::{Draft, Field};
use crate::identifiers::{
    CaseReference, IdentifierError, LegId, MessageId, NhsNumber, OrganisationCode, Postcode, Upn,
};
use crate::issue::Issue;
use crate::personal::PersonalText;
use crate::record::{
    Acting, Body, Consent, ConsentStatus, DecisionMaker, Message, MessageType, Record, Restriction,
    Subject,
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
        let stored = check.stored();
        let mut issues = check.issues;
        issues.sort_by_key(|issue| Field::every().position(|f| f.path() == issue.field));
        match (message, issues.iter().any(Issue::is_error)) {
            (Some(message), false) => {
                Ok(Checked { record: Record { message, attachments, stored }, warnings: issues })
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
        let supersedes = self.optional(Field::SUPERSEDES, MessageId::parse);
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
        self.not_for(kind);
        self.documents_fit(kind);
        if let Some(Body::Particulars(particulars)) = &body {
            self.of_the_kind(kind, subject.as_ref(), particulars);
        }
        let message = Message {
            kind,
            version: version?,
            id: id?,
            supersedes,
            sender: sender?,
            recipient,
            case,
            leg,
            acting,
            subject,
            consent,
            body: body?,
        };
        self.references(&message);
        Some(message)
    }

    fn kind(&mut self) -> Option<MessageType> {
        let located = self.present(Field::TYPE)?.clone();
        let kind = MessageType::parse(located.text.expose());
        if kind.is_none() {
            self.fault(
                Field::TYPE,
                &located.place,
                "type-unknown",
                "is not a message type of the catalogue",
                "use a type from the catalogue, for example advice.request",
            );
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
        if kind.answers_a_leg() && !self.draft.leg_by_person {
            self.present(Field::LEG);
        }
        if kind.needs_a_recipient() {
            self.present(Field::RECIPIENT);
        }
        if kind == MessageType::AdviceAmend {
            self.present(Field::SUPERSEDES);
        }
    }

    fn acting(&mut self) -> Option<Acting> {
        let user = self.text(Field::ACTING_USER, NAME_CHARS_MAX)?;
        let role = self.text(Field::ACTING_ROLE, NAME_CHARS_MAX);
        Some(Acting { user, role })
    }

    fn subject(&mut self, kind: MessageType) -> Option<Subject> {
        let required = !kind.may_name_nobody();
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
        let postcode = self.postcode();
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

    fn postcode(&mut self) -> Option<PersonalText> {
        let located = self.draft.first(Field::POSTCODE)?.clone();
        let message = match Postcode::parse(located.text.expose()) {
            Ok(postcode) => return Some(PersonalText::new(postcode.expose())),
            Err(IdentifierError::Filler) => "is a filler, not a postcode, and was left out",
            Err(_) => "is not a postcode and was left out",
        };
        let next = "correct it in the case system when convenient";
        self.warn(Field::POSTCODE, &located.place, "postcode-shape", message, next);
        None
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
        let about_consent = kind.is_about_consent();
        let by_type = kind.says_of_consent();
        let any = CONSENT_FIELDS.iter().any(|field| self.draft.first(*field).is_some());
        if !about_consent && !any {
            return None;
        }
        if about_consent && by_type.is_none() {
            self.present(Field::CONSENT_STATUS);
        }
        let status = self.consent_status(by_type);
        let kind = self.code(Field::CONSENT_KIND);
        let given_by = self.code(Field::CONSENT_GIVEN_BY);
        let date = self.date(Field::CONSENT_DATE);
        let expires_on = self.date(Field::CONSENT_EXPIRES);
        if status == Some(ConsentStatus::Given) {
            self.present(Field::CONSENT_GIVEN_BY);
            self.present(Field::CONSENT_DATE);
        }
        self.not_in_future(Field::CONSENT_DATE, date);
        if date.zip(expires_on).is_some_and(|(date, expires_on)| expires_on < date) {
            let place = self.place(Field::CONSENT_EXPIRES);
            self.fault(
                Field::CONSENT_EXPIRES,
                &place,
                "dates-out-of-order",
                "is before the date of the decision",
                "check both dates",
            );
        }
        let purposes = self.purposes();
        let exclusions = self.list(Field::CONSENT_EXCLUSIONS, OrganisationCode::parse);
        let reference = self.optional(Field::CONSENT_REFERENCE, MessageId::parse);
        let recipients = self.list(Field::CONSENT_RECIPIENTS, OrganisationCode::parse);
        let classes = self.codes(Field::CONSENT_CLASSES);
        let restriction = self.restriction(status);
        let assessed_on = self.date(Field::CONSENT_ASSESSED_ON);
        self.not_in_future(Field::CONSENT_ASSESSED_ON, assessed_on);
        let assessed_by = self.text(Field::CONSENT_ASSESSED_BY, NAME_CHARS_MAX);
        let rests = matches!(
            given_by,
            Some(DecisionMaker::CompetentChild | DecisionMaker::AlternativePerson)
        );
        if rests && assessed_on.is_none() {
            let place = self.place(Field::CONSENT_ASSESSED_ON);
            self.warn(
                Field::CONSENT_ASSESSED_ON,
                &place,
                "capacity-not-assessed",
                "is missing, though who decides rests on an assessment of competence or capacity",
                "give the date of the assessment, and who made it",
            );
        }
        Some(Consent {
            status: status?,
            kind,
            given_by,
            date,
            expires_on,
            purposes,
            exclusions,
            recipients,
            classes,
            restriction,
            assessed_on,
            assessed_by,
            reference,
        })
    }

    /// The restriction that a status is about: needed by it, and by no other.
    fn restriction(&mut self, status: Option<ConsentStatus>) -> Option<Restriction> {
        let about = matches!(status, Some(ConsentStatus::Restricted | ConsentStatus::Lifted));
        if about {
            self.present(Field::CONSENT_RESTRICTION);
        }
        let restriction = self.code(Field::CONSENT_RESTRICTION);
        if restriction.is_some() && !about {
            let place = self.place(Field::CONSENT_RESTRICTION);
            self.fault(
                Field::CONSENT_RESTRICTION,
                &place,
                "consent-contradiction",
                "names a restriction while the status is about agreement",
                "send the status restricted or lifted, or leave the restriction out",
            );
        }
        restriction
    }

    /// The status by the type of message, or as given; none when what is given was reported.
    fn consent_status(&mut self, by_type: Option<ConsentStatus>) -> Option<ConsentStatus> {
        let stated = self.draft.first(Field::CONSENT_STATUS).is_some();
        let given: Option<ConsentStatus> = self.code(Field::CONSENT_STATUS);
        if by_type.zip(given).is_some_and(|(by_type, given)| by_type != given) {
            let place = self.place(Field::CONSENT_STATUS);
            self.fault(
                Field::CONSENT_STATUS,
                &place,
                "consent-contradiction",
                "contradicts the type of the message",
                "leave it out, or send the type that says what was decided",
            );
        }
        if by_type.is_some() || stated {
            return by_type.or(given);
        }
        // Exclusions must not be lost because a status column was left empty.
        let place = self.draft.place.clone();
        self.warn(
            Field::CONSENT_STATUS,
            &place,
            "consent-status-missing",
            "is missing while other details of agreement are given; taken as not recorded",
            "send the status, or no details of agreement at all",
        );
        Some(ConsentStatus::NotRecorded)
    }

    /// Purposes are names from sharing agreements, never free text.
    fn purposes(&mut self) -> Vec<String> {
        let draft = self.draft;
        let mut purposes = Vec::new();
        for located in draft.all(Field::CONSENT_PURPOSES) {
            let text = located.text.expose();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if (2..=PURPOSE_CHARS_MAX).contains(&text.len()) && text.chars().all(plain) {
                purposes.push(text.to_owned());
            } else {
                self.fault(
                    Field::CONSENT_PURPOSES,
                    &located.place,
                    "purpose-shape",
                    "is not the name of a purpose",
                    "use lower-case letters, digits and hyphens, for example ehc-needs-assessment",
                );
            }
        }
        purposes
    }

    /// Fields that say something the type of message has no place for: reported, never silent.
    fn not_for(&mut self, kind: MessageType) {
        let draft = self.draft;
        let mut reported = BTreeSet::new();
        for (field, located) in &draft.fields {
            let (group, _) = field.path().split_once('.').unwrap_or_default();
            let elsewhere = BODIES.contains(&group) && group != kind.form().member();
            if elsewhere && reported.insert(*field) {
                self.warn(
                    *field,
                    &located.place,
                    "field-not-for-type",
                    "does not belong to this type of message and was left out",
                    "send it in a message of the type it belongs to",
                );
            }
        }
    }
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
/// A purpose is a name, not a sentence.
const PURPOSE_CHARS_MAX: usize = 64;

/// The members of a message that hold a body; one of them belongs to each type.
const BODIES: [&str; 8] =
    ["request", "advice", "nil", "exception", "triage", "transition", "notice", "particulars"];

const CONSENT_FIELDS: [Field; 13] = [
    Field::CONSENT_STATUS,
    Field::CONSENT_KIND,
    Field::CONSENT_GIVEN_BY,
    Field::CONSENT_DATE,
    Field::CONSENT_EXPIRES,
    Field::CONSENT_PURPOSES,
    Field::CONSENT_EXCLUSIONS,
    Field::CONSENT_RECIPIENTS,
    Field::CONSENT_CLASSES,
    Field::CONSENT_RESTRICTION,
    Field::CONSENT_ASSESSED_ON,
    Field::CONSENT_ASSESSED_BY,
    Field::CONSENT_REFERENCE,
];

#[cfg(test)]
mod tests;
