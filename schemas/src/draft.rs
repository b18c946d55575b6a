//! What a sender *said*: every field optional, repeated if they repeated it, and located.
//!
//! A reader in `adapters` fills a [`Draft`] with text exactly as it stood and says where each
//! piece stood. Nothing here is believed yet; only [`Draft::check`] turns it into a record.

use std::fmt;

use crate::catalogue::{Catalogue, FieldDefinition};
use crate::issue::Place;
use crate::personal::{PersonalBytes, PersonalText};

/// Every field of the canonical message that a format can carry, by its path in canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(&'static str, bool);

impl Field {
    /// The path of the field in canonical JSON, for example `subject.date_of_birth`.
    pub fn path(self) -> &'static str {
        self.0
    }

    /// Whether the field may stand several times (an array in canonical JSON).
    pub fn repeats(self) -> bool {
        self.1
    }

    /// The field with this canonical path.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.0 == path).or_else(|| {
            let definition = Catalogue::built_in().field(path.strip_prefix("particulars.")?)?;
            Some(Self::of_content(definition))
        })
    }

    /// The field of a name that the catalogue gives to what messages say.
    pub fn of_content(definition: &'static FieldDefinition) -> Self {
        Self(definition.path(), definition.kind.repeats())
    }

    /// Every field: those of [`ALL`](Self::ALL), and then the catalogue's.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Catalogue::built_in().fields().iter().map(Self::of_content))
    }

    /// The message type, for example `advice.request`.
    pub const TYPE: Self = Self("type", false);
    /// The schema version the sender wrote to; absent means the current one.
    pub const VERSION: Self = Self("version", false);
    /// The sender's own reference for this message.
    pub const ID: Self = Self("id", false);
    /// The sender's own reference of an earlier message that this one takes the place of.
    pub const SUPERSEDES: Self = Self("supersedes", false);
    /// The organisation that says it sends; must be the authenticated one.
    pub const SENDER: Self = Self("sender", false);
    /// The organisation a message is for, where no request decides it.
    pub const RECIPIENT: Self = Self("recipient", false);
    /// The local authority's case reference.
    pub const CASE: Self = Self("case", false);
    /// The leg (one service's part of a request) that this answers.
    pub const LEG: Self = Self("leg", false);
    /// The user id of the person who acted, as their own system knows them.
    pub const ACTING_USER: Self = Self("acting.user", false);
    /// That person's role.
    pub const ACTING_ROLE: Self = Self("acting.role", false);
    /// The child's or young person's NHS number.
    pub const NHS_NUMBER: Self = Self("subject.nhs_number", false);
    /// The person's id in the local authority's case system.
    pub const LA_PERSON_ID: Self = Self("subject.la_person_id", false);
    /// The unique pupil number.
    pub const UPN: Self = Self("subject.upn", false);
    /// Family name.
    pub const FAMILY_NAME: Self = Self("subject.family_name", false);
    /// Given names.
    pub const GIVEN_NAMES: Self = Self("subject.given_names", false);
    /// Date of birth.
    pub const DATE_OF_BIRTH: Self = Self("subject.date_of_birth", false);
    /// Sex as recorded.
    pub const SEX: Self = Self("subject.sex", false);
    /// Home postcode.
    pub const POSTCODE: Self = Self("subject.postcode", false);
    /// Home address, one line.
    pub const ADDRESS: Self = Self("subject.address", false);
    /// School or setting, by name.
    pub const SCHOOL: Self = Self("subject.school", false);
    /// The date the authority made the request for advice.
    pub const REQUESTED_ON: Self = Self("request.requested_on", false);
    /// The date the authority received the request for an assessment (its own 20-week clock).
    pub const ASSESSMENT_REQUESTED_ON: Self = Self("request.assessment_requested_on", false);
    /// The services asked for advice, by routing code.
    pub const SERVICES: Self = Self("request.services", true);
    /// The questions put to the services.
    pub const QUESTIONS: Self = Self("request.questions", true);
    /// Whether the person is in or beyond Year 9 (regulation 6(1)(g)).
    pub const YEAR_9_OR_ABOVE: Self = Self("request.year_9_or_above", false);
    /// Whether the parent or young person reasonably asked for this advice (regulation 6(1)(h)).
    pub const ASKED_BY_FAMILY: Self = Self("request.asked_by_family", false);
    /// Where a person at the authority can be reached about the request.
    pub const REPLY_TO: Self = Self("request.reply_to", false);
    /// Titles of reports the authority already holds.
    pub const EXISTING_REPORTS: Self = Self("request.existing_reports", true);
    /// A redirected leg that this request replaces; the first receipt date is kept.
    pub const REPLACES_LEG: Self = Self("request.replaces_leg", false);
    /// Whether agreement to share was given: `given`, `refused`, `withdrawn`, `not-recorded`,
    /// `expired`, `stale`, `restricted`, `lifted`.
    pub const CONSENT_STATUS: Self = Self("consent.status", false);
    /// Who decided: `parent`, `competent-child`, `young-person`, `alternative-person`,
    /// `local-authority`.
    pub const CONSENT_GIVEN_BY: Self = Self("consent.given_by", false);
    /// The date of the decision.
    pub const CONSENT_DATE: Self = Self("consent.date", false);
    /// The date on which the agreement ends, if it does.
    pub const CONSENT_EXPIRES: Self = Self("consent.expires_on", false);
    /// What the agreement is for; absent means every purpose of the case.
    pub const CONSENT_PURPOSES: Self = Self("consent.purposes", true);
    /// Organisations that must not receive anything under this agreement.
    pub const CONSENT_EXCLUSIONS: Self = Self("consent.exclusions", true);
    /// The organisations that the agreement covers; absent means every one that needs it.
    pub const CONSENT_RECIPIENTS: Self = Self("consent.recipients", true);
    /// The classes of data that the agreement covers; absent means every class that is needed.
    pub const CONSENT_CLASSES: Self = Self("consent.classes", true);
    /// The restriction that begins or is lifted: `protected-address`, `third-party`, `adoption`,
    /// `sealed`, `court-limits`.
    pub const CONSENT_RESTRICTION: Self = Self("consent.restriction", false);
    /// When competence or capacity for this decision was assessed.
    pub const CONSENT_ASSESSED_ON: Self = Self("consent.assessed_on", false);
    /// Who assessed it.
    pub const CONSENT_ASSESSED_BY: Self = Self("consent.assessed_by", false);
    /// The authority's reference for the signed form.
    pub const CONSENT_REFERENCE: Self = Self("consent.reference", false);
    /// The person who wrote the advice.
    pub const AUTHOR_NAME: Self = Self("advice.author_name", false);
    /// The author's profession.
    pub const AUTHOR_PROFESSION: Self = Self("advice.author_profession", false);
    /// The author's professional registration number.
    pub const AUTHOR_REGISTRATION: Self = Self("advice.author_registration", false);
    /// The date of the advice.
    pub const ADVICE_DATE: Self = Self("advice.date", false);
    /// The date on which the person was last seen.
    pub const LAST_SEEN: Self = Self("advice.last_seen_on", false);
    /// What the advice rests on: `assessment`, `records-review`, `existing-report`.
    pub const ADVICE_BASIS: Self = Self("advice.basis", false);
    /// A summary in plain words.
    pub const SUMMARY: Self = Self("advice.summary", false);
    /// Health needs related to special educational needs (section C).
    pub const HEALTH_NEEDS: Self = Self("advice.health_needs", true);
    /// Needs that educate or train (section B).
    pub const EDUCATIONAL_NEEDS: Self = Self("advice.educational_needs", true);
    /// Outcomes (section E).
    pub const OUTCOMES: Self = Self("advice.outcomes", true);
    /// Health provision (section G).
    pub const HEALTH_PROVISION: Self = Self("advice.health_provision", true);
    /// Provision that educates or trains (section F).
    pub const EDUCATIONAL_PROVISION: Self = Self("advice.educational_provision", true);
    /// When the rest of the advice is expected, where this is a part of it.
    pub const REMAINDER_ON: Self = Self("advice.remainder_on", false);
    /// Why nothing can be said: `not-known` or `discharged`.
    pub const NIL_REASON: Self = Self("nil.reason", false);
    /// When the service last saw the person.
    pub const NIL_LAST_SEEN: Self = Self("nil.last_seen_on", false);
    /// A service that may know the person.
    pub const NIL_ALTERNATIVE: Self = Self("nil.alternative_service", false);
    /// Limb of regulation 8(2): `a`, `b` or `c`.
    pub const EXCEPTION_LIMB: Self = Self("exception.limb", false);
    /// The evidence for it, in words.
    pub const EXCEPTION_EVIDENCE: Self = Self("exception.evidence", false);
    /// When the circumstances began.
    pub const EXCEPTION_FROM: Self = Self("exception.from", false);
    /// The last day of an absence, or of circumstances that are over.
    pub const EXCEPTION_UNTIL: Self = Self("exception.until", false);
    /// When the advice is now expected.
    pub const EXCEPTION_EXPECTED: Self = Self("exception.expected_on", false);
    /// A rejection reason from the catalogue, for example `NOT_MY_PATIENT`.
    pub const TRIAGE_REASON: Self = Self("triage.reason", false);
    /// The organisation that should be asked instead.
    pub const TRIAGE_REDIRECT_TO: Self = Self("triage.redirect_to", false);
    /// A note for the authority.
    pub const TRIAGE_NOTE: Self = Self("triage.note", false);
    /// The named worker who co-ordinates the transition.
    pub const NAMED_WORKER: Self = Self("transition.named_worker", false);
    /// The date of the plan.
    pub const PLAN_DATE: Self = Self("transition.plan_date", false);
    /// The date on which adult services take over.
    pub const TRANSFER_ON: Self = Self("transition.transfer_on", false);
    /// What will be done, a line each.
    pub const ACTIONS: Self = Self("transition.actions", true);
    /// The young person's own view.
    pub const VIEWS: Self = Self("transition.views", false);
    /// The sender's reference of the message that is acknowledged or in error.
    pub const NOTICE_ABOUT: Self = Self("notice.about", false);
    /// `accepted` or `rejected` for an acknowledgement.
    pub const NOTICE_OUTCOME: Self = Self("notice.outcome", false);
    /// A reason code from the catalogue.
    pub const NOTICE_CODE: Self = Self("notice.code", false);
    /// What went wrong, in words without personal details.
    pub const NOTICE_DETAIL: Self = Self("notice.detail", false);

    /// Every field that is not the catalogue's, in the order of the canonical message.
    pub const ALL: [Self; 75] = [
        Self::TYPE,
        Self::VERSION,
        Self::ID,
        Self::SUPERSEDES,
        Self::SENDER,
        Self::RECIPIENT,
        Self::CASE,
        Self::LEG,
        Self::ACTING_USER,
        Self::ACTING_ROLE,
        Self::NHS_NUMBER,
        Self::LA_PERSON_ID,
        Self::UPN,
        Self::FAMILY_NAME,
        Self::GIVEN_NAMES,
        Self::DATE_OF_BIRTH,
        Self::SEX,
        Self::POSTCODE,
        Self::ADDRESS,
        Self::SCHOOL,
        Self::REQUESTED_ON,
        Self::ASSESSMENT_REQUESTED_ON,
        Self::SERVICES,
        Self::QUESTIONS,
        Self::YEAR_9_OR_ABOVE,
        Self::ASKED_BY_FAMILY,
        Self::REPLY_TO,
        Self::EXISTING_REPORTS,
        Self::REPLACES_LEG,
        Self::CONSENT_STATUS,
        Self::CONSENT_GIVEN_BY,
        Self::CONSENT_DATE,
        Self::CONSENT_EXPIRES,
        Self::CONSENT_PURPOSES,
        Self::CONSENT_EXCLUSIONS,
        Self::CONSENT_RECIPIENTS,
        Self::CONSENT_CLASSES,
        Self::CONSENT_RESTRICTION,
        Self::CONSENT_ASSESSED_ON,
        Self::CONSENT_ASSESSED_BY,
        Self::CONSENT_REFERENCE,
        Self::AUTHOR_NAME,
        Self::AUTHOR_PROFESSION,
        Self::AUTHOR_REGISTRATION,
        Self::ADVICE_DATE,
        Self::LAST_SEEN,
        Self::ADVICE_BASIS,
        Self::SUMMARY,
        Self::HEALTH_NEEDS,
        Self::EDUCATIONAL_NEEDS,
        Self::OUTCOMES,
        Self::HEALTH_PROVISION,
        Self::EDUCATIONAL_PROVISION,
        Self::REMAINDER_ON,
        Self::NIL_REASON,
        Self::NIL_LAST_SEEN,
        Self::NIL_ALTERNATIVE,
        Self::EXCEPTION_LIMB,
        Self::EXCEPTION_EVIDENCE,
        Self::EXCEPTION_FROM,
        Self::EXCEPTION_UNTIL,
        Self::EXCEPTION_EXPECTED,
        Self::TRIAGE_REASON,
        Self::TRIAGE_REDIRECT_TO,
        Self::TRIAGE_NOTE,
        Self::NAMED_WORKER,
        Self::PLAN_DATE,
        Self::TRANSFER_ON,
        Self::ACTIONS,
        Self::VIEWS,
        Self::NOTICE_ABOUT,
        Self::NOTICE_OUTCOME,
        Self::NOTICE_CODE,
        Self::NOTICE_DETAIL,
        Self::CONSENT_KIND,
    ];

    /// Whether this is about `sharing` (the default) or the disclosure of the `plan` itself.
    pub const CONSENT_KIND: Self = Self("consent.kind", false);
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A piece of text and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The text as the sender wrote it, trimmed of surrounding white space by the reader.
    pub text: PersonalText,
    /// Where it stood.
    pub place: Place,
}

/// A document that came with a message.
#[derive(Clone, PartialEq, Eq)]
pub struct DraftAttachment {
    /// The file name as sent; checked before use.
    pub name: PersonalText,
    /// The media type as declared; the content decides.
    pub media_type: String,
    /// The decoded bytes.
    pub content: PersonalBytes,
    /// Where the document stood.
    pub place: Place,
}

impl fmt::Debug for DraftAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The declared media type is the sender's own text and stays hidden too.
        f.debug_struct("DraftAttachment")
            .field("content", &self.content)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A document that was sent on its own before, and is only named in the message.
///
/// A reader sets `document`, `name` and `place`. What the gateway knows of the document is found
/// before the check and put into `standing`; the check decides on it.
#[derive(Clone, PartialEq, Eq)]
pub struct DraftReference {
    /// The document's id as sent.
    pub document: String,
    /// The file name as sent, if one was; checked before use.
    pub name: PersonalText,
    /// Where the reference stood.
    pub place: Place,
    /// What the gateway knows of the document.
    pub standing: Standing,
}

impl DraftReference {
    /// A reference as a reader finds it: nothing is known of the document yet.
    pub fn new(document: impl Into<String>, name: PersonalText, place: Place) -> Self {
        Self { document: document.into(), name, place, standing: Standing::Unknown }
    }
}

impl fmt::Debug for DraftReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DraftReference")
            .field("place", &self.place)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// What is known of a document that a message names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// There is none of this id, or it is another organisation's.
    #[default]
    Unknown,
    /// Not all of it has come in.
    Incomplete,
    /// It has come in and is being looked at.
    BeingChecked,
    /// It was refused: not what was declared, or not of an accepted type.
    Refused,
    /// A scanner found something in it.
    Flagged,
    /// The scanner could not look at it yet.
    NotScanned,
    /// It may be sent.
    Ready {
        /// How many bytes it has.
        size: u64,
        /// SHA-256 of its bytes.
        sha256: [u8; 32],
        /// The media type found from its content.
        media_type: String,
    },
}

/// What a sender said, unchecked.
///
/// ```
/// use schemas::{Draft, Field, Place};
///
/// let mut draft = Draft::default();
/// draft.set(Field::TYPE, "advice.nil", Place::Whole);
/// assert!(draft.check(jiff::civil::date(2026, 1, 5)).is_err(), "almost everything is missing");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The fields in the order in which they were read.
    pub fields: Vec<(Field, Located)>,
    /// The documents, in order.
    pub attachments: Vec<DraftAttachment>,
    /// The documents that were sent on their own before, in order; they come after the others.
    pub references: Vec<DraftReference>,
    /// Where the message as a whole stood, for example its row.
    pub place: Place,
    /// What the reader has to say about this message: leniencies it used (warnings) and faults
    /// of the row or element itself (errors, which then stop the record).
    pub notes: Vec<crate::Issue>,
    /// The format has no place for the id of a leg (letters, Kettering, most HL7 v2): without one,
    /// the only request about this person that the sender still owes an answer to is meant.
    pub leg_by_person: bool,
}

impl Draft {
    /// Adds one value of a field.
    pub fn set(&mut self, field: Field, text: impl Into<String>, place: Place) {
        self.fields.push((field, Located { text: PersonalText::new(text), place }));
    }

    /// Every value of a field, in order.
    pub fn all(&self, field: Field) -> impl Iterator<Item = &Located> {
        self.fields.iter().filter(move |(f, _)| *f == field).map(|(_, located)| located)
    }

    /// The first value of a field.
    pub fn first(&self, field: Field) -> Option<&Located> {
        self.all(field).next()
    }
}
