//! A record as the one row of an import file, whatever file it stands in.
//!
//! One fixed [`header`] for every type of message; the CSV and the workbook that a case system
//! imports have the same cells. Texts that repeat stand on lines of their own in one cell, so a
//! repeated text that itself has lines comes back as several. Documents are named, not contained:
//! their bytes travel beside the file. This module must never know how a cell is written.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemas::catalogue::{Catalogue, ValueKind};
use schemas::record::{
    Advice, AdviceRequest, Consent, Exception, NilReturn, Notice, Particular, Particulars, Sex,
    Subject, TransitionPlan, Triage,
};
use schemas::{Body, OrganisationCode, PersonalText, Record, ServiceCode};

use crate::{Outbound, WriteError, document_file_name};

/// One cell of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Text, empty when there is nothing to say. Identifiers and numbers are texts: nobody counts
    /// with them, and a leading zero matters.
    Text(String),
    /// A civil date.
    Date(Date),
}

/// The columns, in order. New ones are added at the end only: importers may count. After those of
/// the fields with a form of their own comes one for each name of the catalogue, in its order:
/// [`COLUMN_PREFIX`] and the name in capitals.
pub fn header() -> &'static [String] {
    static HEADER: OnceLock<Vec<String>> = OnceLock::new();
    HEADER.get_or_init(|| {
        let named = Catalogue::built_in().fields().iter().map(|field| column_of(&field.name));
        OWN.iter().map(|name| (*name).to_owned()).chain(named).collect()
    })
}

/// What begins the header of a column for a name of the catalogue: `P_MEETING_ON`.
pub const COLUMN_PREFIX: &str = "P_";

/// The header of the column for a name of the catalogue.
fn column_of(name: &str) -> String {
    format!("{COLUMN_PREFIX}{}", name.to_ascii_uppercase())
}

/// The columns of the fields with a form of their own.
const OWN: [&str; 86] = [
    "MESSAGE_TYPE",
    "MESSAGE_ID",
    "DELIVERY_ID",
    "LEG_ID",
    "CASE_REF",
    "SERVICE",
    "SENDER_ORG",
    "SENDER_NAME",
    "RECIPIENT_ORG",
    "RECIPIENT_NAME",
    "ANSWERED_BY_ORG",
    "RECEIVED_DTTM",
    "DUE_DTTM",
    "SENT_DTTM",
    "WORKER_ID",
    "WORKER_ROLE",
    "DIM_PERSON_ID",
    "NHS_NUMBER",
    "UPN",
    "SURNAME",
    "FORENAME",
    "BIRTH_DTTM",
    "GENDER_MAIN_CODE",
    "POSTCODE",
    "ADDRESS",
    "SCHOOL_NAME",
    "REQUEST_DTTM",
    "ADVICE_REQUEST_DTTM",
    "SERVICES_REQUESTED",
    "QUESTIONS",
    "YEAR_9_FLAG",
    "PARENT_REQUESTED_FLAG",
    "REPLY_TO",
    "EXISTING_REPORTS",
    "REPLACES_LEG_ID",
    "CONSENT_CODE",
    "CONSENT_KIND_CODE",
    "CONSENT_GIVEN_BY_CODE",
    "CONSENT_DTTM",
    "CONSENT_END_DTTM",
    "CONSENT_PURPOSES",
    "CONSENT_EXCLUSIONS",
    "CONSENT_REF",
    "TRIAGE_REASON_CODE",
    "REDIRECT_TO_ORG",
    "TRIAGE_NOTE",
    "ANSWER_DTTM",
    "AUTHOR_NAME",
    "AUTHOR_PROFESSION",
    "AUTHOR_REGISTRATION",
    "LAST_SEEN_DTTM",
    "BASIS_CODE",
    "SUMMARY",
    "HEALTH_NEEDS",
    "EDUCATIONAL_NEEDS",
    "OUTCOMES",
    "HEALTH_PROVISION",
    "EDUCATIONAL_PROVISION",
    "NIL_REASON_CODE",
    "NIL_LAST_SEEN_DTTM",
    "ALTERNATIVE_SERVICE",
    "EXCEPTION_LIMB",
    "EXCEPTION_EVIDENCE",
    "EXCEPTION_FROM_DTTM",
    "EXCEPTION_EXPECTED_DTTM",
    "NAMED_WORKER",
    "PLAN_DTTM",
    "TRANSFER_DTTM",
    "ACTIONS",
    "VIEWS",
    "NOTICE_ABOUT",
    "NOTICE_OUTCOME_CODE",
    "NOTICE_CODE",
    "NOTICE_DETAIL",
    "DOCUMENT_FILE",
    "DOCUMENT_TYPE",
    "DOCUMENT_BYTES",
    "DOCUMENT_SAVED_AS",
    "EXCEPTION_UNTIL_DTTM",
    "SUPERSEDES",
    "CONSENT_RECIPIENTS",
    "CONSENT_CLASSES",
    "CONSENT_RESTRICTION_CODE",
    "CONSENT_ASSESSED_DTTM",
    "CONSENT_ASSESSED_BY",
    "ADVICE_REMAINDER_DTTM",
];

/// The cells of a record's row, in the order of [`header`].
pub(crate) fn cells(record: &Record, outbound: &Outbound) -> Result<Vec<Cell>, WriteError> {
    let mut row = OutgoingRow { cells: vec![Cell::Text(String::new()); header().len()] };
    row.envelope(record, outbound)?;
    let message = record.message();
    if let Some(subject) = &message.subject {
        row.subject(subject);
    }
    if let Some(consent) = &message.consent {
        row.consent(consent);
    }
    match &message.body {
        Body::Request(request) => row.request(request),
        Body::Triage(triage) => row.triage(triage),
        Body::Advice(advice) => row.advice(advice),
        Body::Nil(nil) => row.nil(nil),
        Body::Exception(exception) => row.exception(exception),
        Body::Transition(plan) => row.transition(plan),
        Body::Notice(notice) => row.notice(notice),
        Body::Particulars(particulars) => row.particulars(particulars),
        Body::Decision(_) => {}
    }
    row.documents(record);
    Ok(row.cells)
}

struct OutgoingRow {
    cells: Vec<Cell>,
}

impl OutgoingRow {
    fn envelope(&mut self, record: &Record, outbound: &Outbound) -> Result<(), WriteError> {
        let message = record.message();
        let leg = outbound.leg.or(message.leg);
        self.put("MESSAGE_TYPE", message.kind.as_str());
        self.put("MESSAGE_ID", message.id.expose());
        self.put("SUPERSEDES", message.supersedes.as_ref().map_or("", |id| id.expose()));
        self.put("DELIVERY_ID", &outbound.delivery.to_string());
        self.put("LEG_ID", &leg.map(|leg| leg.to_string()).unwrap_or_default());
        self.put("CASE_REF", message.case.as_ref().map_or("", |case| case.expose()));
        self.put("SERVICE", outbound.service.as_ref().map_or("", |service| service.as_str()));
        self.put("SENDER_ORG", message.sender.as_str());
        self.put("SENDER_NAME", &outbound.sender_name);
        self.put("RECIPIENT_ORG", outbound.recipient.as_str());
        self.put("RECIPIENT_NAME", &outbound.recipient_name);
        if message.kind.answers_a_leg() {
            self.put("ANSWERED_BY_ORG", message.sender.as_str());
        }
        self.date("RECEIVED_DTTM", Some(in_london(outbound.received_at)?));
        self.date("DUE_DTTM", outbound.due_on);
        self.date("SENT_DTTM", Some(in_london(outbound.sent_at)?));
        if let Some(acting) = &message.acting {
            self.put("WORKER_ID", acting.user.expose());
            self.text("WORKER_ROLE", acting.role.as_ref());
        }
        Ok(())
    }

    fn subject(&mut self, subject: &Subject) {
        let sex = subject.sex.map(|sex| match sex {
            Sex::Female => "F",
            Sex::Male => "M",
            Sex::Other => "I",
            Sex::Unknown => "U",
        });
        self.put("DIM_PERSON_ID", subject.la_person_id.as_ref().map_or("", |id| id.expose()));
        self.put("NHS_NUMBER", subject.nhs_number.as_ref().map_or("", |number| number.expose()));
        self.put("UPN", subject.upn.as_ref().map_or("", |upn| upn.expose()));
        self.put("SURNAME", subject.family_name.expose());
        self.put("FORENAME", subject.given_names.expose());
        self.date("BIRTH_DTTM", Some(subject.date_of_birth));
        self.put("GENDER_MAIN_CODE", sex.unwrap_or_default());
        self.text("POSTCODE", subject.postcode.as_ref());
        self.text("ADDRESS", subject.address.as_ref());
        self.text("SCHOOL_NAME", subject.school.as_ref());
    }

    fn consent(&mut self, consent: &Consent) {
        let codes = |organisations: &[OrganisationCode]| {
            let codes: Vec<&str> = organisations.iter().map(OrganisationCode::as_str).collect();
            codes.join(";")
        };
        let classes: Vec<&str> = consent.classes.iter().map(|class| class.as_str()).collect();
        self.code("CONSENT_CODE", Some(&consent.status));
        self.code("CONSENT_KIND_CODE", consent.kind.as_ref());
        self.code("CONSENT_GIVEN_BY_CODE", consent.given_by.as_ref());
        self.date("CONSENT_DTTM", consent.date);
        self.date("CONSENT_END_DTTM", consent.expires_on);
        self.put("CONSENT_PURPOSES", &consent.purposes.join(";"));
        self.put("CONSENT_EXCLUSIONS", &codes(&consent.exclusions));
        self.put("CONSENT_REF", consent.reference.as_ref().map_or("", |id| id.expose()));
        self.put("CONSENT_RECIPIENTS", &codes(&consent.recipients));
        self.put("CONSENT_CLASSES", &classes.join(";"));
        self.code("CONSENT_RESTRICTION_CODE", consent.restriction.as_ref());
        self.date("CONSENT_ASSESSED_DTTM", consent.assessed_on);
        self.text("CONSENT_ASSESSED_BY", consent.assessed_by.as_ref());
    }

    fn request(&mut self, request: &AdviceRequest) {
        let services: Vec<&str> = request.services.iter().map(ServiceCode::as_str).collect();
        let replaces = request.replaces_leg.map(|leg| leg.to_string());
        self.date("REQUEST_DTTM", request.assessment_requested_on);
        self.date("ADVICE_REQUEST_DTTM", Some(request.requested_on));
        self.put("SERVICES_REQUESTED", &services.join(";"));
        self.lines("QUESTIONS", &request.questions);
        self.put("YEAR_9_FLAG", if request.year_9_or_above { "Y" } else { "N" });
        self.put("PARENT_REQUESTED_FLAG", if request.asked_by_family { "Y" } else { "N" });
        self.text("REPLY_TO", request.reply_to.as_ref());
        self.lines("EXISTING_REPORTS", &request.existing_reports);
        self.put("REPLACES_LEG_ID", &replaces.unwrap_or_default());
    }

    fn triage(&mut self, triage: &Triage) {
        self.code("TRIAGE_REASON_CODE", triage.reason.as_ref());
        self.put("REDIRECT_TO_ORG", triage.redirect_to.as_ref().map_or("", |org| org.as_str()));
        self.text("TRIAGE_NOTE", triage.note.as_ref());
    }

    fn advice(&mut self, advice: &Advice) {
        self.date("ANSWER_DTTM", Some(advice.date));
        self.put("AUTHOR_NAME", advice.author_name.expose());
        self.put("AUTHOR_PROFESSION", advice.author_profession.expose());
        self.text("AUTHOR_REGISTRATION", advice.author_registration.as_ref());
        self.date("LAST_SEEN_DTTM", advice.last_seen_on);
        self.code("BASIS_CODE", advice.basis.as_ref());
        self.text("SUMMARY", advice.summary.as_ref());
        self.lines("HEALTH_NEEDS", &advice.health_needs);
        self.lines("EDUCATIONAL_NEEDS", &advice.educational_needs);
        self.lines("OUTCOMES", &advice.outcomes);
        self.lines("HEALTH_PROVISION", &advice.health_provision);
        self.lines("EDUCATIONAL_PROVISION", &advice.educational_provision);
        self.date("ADVICE_REMAINDER_DTTM", advice.remainder_on);
    }

    fn nil(&mut self, nil: &NilReturn) {
        self.code("NIL_REASON_CODE", Some(&nil.reason));
        self.date("NIL_LAST_SEEN_DTTM", nil.last_seen_on);
        self.text("ALTERNATIVE_SERVICE", nil.alternative_service.as_ref());
    }

    fn exception(&mut self, exception: &Exception) {
        self.code("EXCEPTION_LIMB", Some(&exception.limb));
        self.put("EXCEPTION_EVIDENCE", exception.evidence.expose());
        self.date("EXCEPTION_FROM_DTTM", Some(exception.from));
        self.date("EXCEPTION_UNTIL_DTTM", exception.until);
        self.date("EXCEPTION_EXPECTED_DTTM", Some(exception.expected_on));
    }

    fn transition(&mut self, plan: &TransitionPlan) {
        self.put("NAMED_WORKER", plan.named_worker.expose());
        self.date("PLAN_DTTM", Some(plan.plan_date));
        self.date("TRANSFER_DTTM", plan.transfer_on);
        self.lines("ACTIONS", &plan.actions);
        self.text("VIEWS", plan.views.as_ref());
    }

    fn notice(&mut self, notice: &Notice) {
        self.put("NOTICE_ABOUT", notice.about.expose());
        self.code("NOTICE_OUTCOME_CODE", notice.outcome.as_ref());
        self.code("NOTICE_CODE", notice.code.as_ref());
        self.text("NOTICE_DETAIL", notice.detail.as_ref());
    }

    fn particulars(&mut self, particulars: &Particulars) {
        for (name, value) in particulars.iter() {
            let header = column_of(name);
            let dated = Catalogue::built_in().field(name).map(|field| field.kind);
            match (value, dated) {
                (Particular::Flag(flag), _) => self.put(&header, if *flag { "Y" } else { "N" }),
                (Particular::Text(_), Some(ValueKind::Date)) => {
                    self.date(&header, particulars.date(name));
                }
                (Particular::Text(text), _) => self.put(&header, text.expose()),
                (Particular::Texts(texts), _) => self.lines(&header, texts),
            }
        }
    }

    fn documents(&mut self, record: &Record) {
        let inside = record.attachments().iter();
        let inside =
            inside.map(|d| (d.name.expose(), d.media_type.as_str(), d.content.len().to_string()));
        let apart = record.stored().iter();
        let apart = apart.map(|d| (d.name.expose(), d.media_type.as_str(), d.size.to_string()));
        let documents: Vec<(&str, &str, String)> = inside.chain(apart).collect();
        let names: Vec<&str> = documents.iter().map(|(name, _, _)| *name).collect();
        let types: Vec<&str> = documents.iter().map(|(_, media_type, _)| *media_type).collect();
        let sizes: Vec<&str> = documents.iter().map(|(_, _, size)| size.as_str()).collect();
        self.put("DOCUMENT_FILE", &names.join("\n"));
        self.put("DOCUMENT_TYPE", &types.join("\n"));
        self.put("DOCUMENT_BYTES", &sizes.join("\n"));
        let saved = types.iter().enumerate().map(|(at, kind)| document_file_name(at, kind));
        self.put("DOCUMENT_SAVED_AS", &saved.collect::<Vec<_>>().join("\n"));
    }

    /// Puts a text into the column with this header.
    fn put(&mut self, header: &str, text: &str) {
        self.set(header, Cell::Text(text.to_owned()));
    }

    fn set(&mut self, header: &str, value: Cell) {
        let index = self::header().iter().position(|name| name == header);
        if let Some(cell) = index.and_then(|index| self.cells.get_mut(index)) {
            *cell = value;
        }
    }

    fn text(&mut self, header: &str, text: Option<&PersonalText>) {
        self.put(header, text.map_or("", PersonalText::expose));
    }

    fn lines(&mut self, header: &str, texts: &[PersonalText]) {
        let lines: Vec<&str> = texts.iter().map(PersonalText::expose).collect();
        self.put(header, &lines.join("\n"));
    }

    fn date(&mut self, header: &str, date: Option<Date>) {
        if let Some(date) = date {
            self.set(header, Cell::Date(date));
        }
    }

    /// A code by its name in canonical JSON.
    fn code<T: serde::Serialize>(&mut self, header: &str, code: Option<&T>) {
        let name = code.and_then(|code| serde_json::to_value(code).ok());
        self.put(header, name.as_ref().and_then(|name| name.as_str()).unwrap_or_default());
    }
}

/// The day on which something happened where the law counts days.
fn in_london(at: Timestamp) -> Result<Date, WriteError> {
    let zone = TimeZone::get("Europe/London").or(Err(WriteError::Failed))?;
    Ok(at.to_zoned_datetime(zone).date())
}

#[cfg(test)]
pub(crate) mod samples;
