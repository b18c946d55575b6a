//! What we *accept*: a checked message, in the one canonical form.
//!
//! Only [`Draft::check`](crate::Draft::check) makes a [`Record`] from outside; only the bytes the
//! gateway itself sealed make one again. A `Record` has no `Display` and no `Serialize`; its one
//! way into bytes is called [`Record::expose_json`].
//!
//! The structs below are the canonical JSON: the JSON Schema in `schemas/record/` is generated
//! from them, and their field paths are those of [`Field`](crate::Field).

mod documents;
mod hidden;
mod kind;
mod particulars;
mod reduction;
mod wire;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::catalogue::DataClass;
use crate::identifiers::{
    CaseReference, LegId, MessageId, NhsNumber, OrganisationCode, ServiceCode, Upn,
};
use crate::personal::PersonalText;

pub use documents::{Attachment, StoredDocument};
pub use kind::{Form, MessageType};
pub use particulars::{Particular, Particulars};
pub use wire::{WireAttachment, WireContent, WireReference, message_schema};

/// A checked message. Cannot be built except by a check, printed, or serialised by accident.
///
/// ```compile_fail
/// fn leak(record: &schemas::Record) {
///     let _ = serde_json::to_vec(record);
/// }
/// ```
///
/// The twin that compiles, so that the example above fails for the right reason:
///
/// ```
/// fn read(record: &schemas::Record) {
///     let _ = record.expose_json();
/// }
/// ```
pub struct Record {
    pub(crate) message: Message,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) stored: Vec<StoredDocument>,
}

impl Record {
    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The canonical JSON of the message without its documents. To be sealed, or written to the
    /// recipient a release names; nothing else.
    pub fn expose_json(&self) -> Zeroizing<Vec<u8>> {
        // Serialising these structs cannot fail: no maps with other keys than strings.
        Zeroizing::new(serde_json::to_vec(&self.message).unwrap_or_default())
    }

    /// Makes the record again from what [`Record::expose_json`] gave and from its documents.
    ///
    /// For the vault, which has just authenticated the bytes: content is not checked again,
    /// because rules change and what was accepted stays readable.
    pub fn reopen(json: &[u8], attachments: Vec<Attachment>) -> Result<Self, serde_json::Error> {
        Ok(Self { message: serde_json::from_slice(json)?, attachments, stored: Vec::new() })
    }
}

/// The canonical message: envelope, subject, consent and exactly one body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The message type.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The version of this schema, 1.
    pub version: u32,
    /// The sender's own reference for this message.
    pub id: MessageId,
    /// The sender's own reference of an earlier message that this one takes the place of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub supersedes: Option<MessageId>,
    /// The organisation that sends.
    pub sender: OrganisationCode,
    /// The organisation this is for, where no request decides it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipient: Option<OrganisationCode>,
    /// The authority's case reference.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<CaseReference>,
    /// The leg that this answers, or (on the way to a service) the leg that is asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leg: Option<LegId>,
    /// The person who acted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acting: Option<Acting>,
    /// The child or young person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Subject>,
    /// What is recorded of agreement to share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<Consent>,
    /// What the message says, one member named for it; absent for consent messages.
    #[serde(flatten)]
    pub body: Body,
}

/// What a message says, by its type.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// `advice.request`.
    Request(AdviceRequest),
    /// `advice.accepted`, `advice.rejected`, `advice.redirected`.
    Triage(Triage),
    /// `advice.response`.
    Advice(Box<Advice>),
    /// `advice.nil`.
    Nil(NilReturn),
    /// `advice.exception`.
    Exception(Exception),
    /// `transition.health_plan`.
    Transition(TransitionPlan),
    /// `ack.transport`, `ack.business` and `error`.
    Notice(Notice),
    /// `consent.grant` and its like: the `consent` member says it all.
    Decision(ConsentDecision),
    /// Every other type: the names that the catalogue gives it.
    Particulars(Particulars),
}

/// The person behind a message, as their own system knows them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acting {
    /// Their user id.
    pub user: PersonalText,
    /// Their role.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<PersonalText>,
}

/// The child or young person a message is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// NHS number, ten digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nhs_number: Option<NhsNumber>,
    /// Their id in the authority's case system.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub la_person_id: Option<MessageId>,
    /// Unique pupil number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upn: Option<Upn>,
    /// Family name.
    pub family_name: PersonalText,
    /// Given names.
    pub given_names: PersonalText,
    /// Date of birth.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date_of_birth: Date,
    /// Sex as recorded: `female`, `male`, `other` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sex: Option<Sex>,
    /// Home postcode.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub postcode: Option<PersonalText>,
    /// Home address, one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<PersonalText>,
    /// School or setting.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub school: Option<PersonalText>,
}

/// Sex as recorded (FHIR R4 `administrative-gender`, to which the code sets of senders are mapped).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Recorded as neither.
    Other,
    /// Not known.
    Unknown,
}

/// Whether agreement to share is recorded, and its bounds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    /// What was decided.
    pub status: ConsentStatus,
    /// What the decision is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<ConsentKind>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub given_by: Option<DecisionMaker>,
    /// The date of the decision.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub date: Option<Date>,
    /// The last date on which it holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub expires_on: Option<Date>,
    /// The purposes it covers; none means every purpose of the case.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub purposes: Vec<String>,
    /// Organisations that must not receive anything.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub exclusions: Vec<OrganisationCode>,
    /// The organisations it covers; none means every one that needs it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub recipients: Vec<OrganisationCode>,
    /// The classes of data it covers; none means every class that is needed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<DataClass>,
    /// The restriction that begins or is lifted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restriction: Option<Restriction>,
    /// When competence or capacity for this decision was assessed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub assessed_on: Option<Date>,
    /// Who assessed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assessed_by: Option<PersonalText>,
    /// The authority's reference for the signed form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<MessageId>,
}

/// What was decided about sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentStatus {
    /// Agreement was given.
    Given,
    /// Agreement was refused.
    Refused,
    /// Agreement given before was withdrawn.
    Withdrawn,
    /// Nothing is recorded.
    NotRecorded,
    /// Agreement ran out.
    Expired,
    /// Agreement was given by somebody who no longer decides.
    Stale,
    /// A restriction holds, whoever agreed.
    Restricted,
    /// A restriction was lifted.
    Lifted,
}

/// What restricts sharing whatever the family agreed to (`domain.md` 5.3 step 4).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Restriction {
    /// The address must not become known.
    ProtectedAddress,
    /// The record holds information about or from somebody else.
    ThirdParty,
    /// The record touches an adoption.
    Adoption,
    /// The record is sealed.
    Sealed,
    /// A court has set limits.
    CourtLimits,
}

/// What a decision about sharing covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentKind {
    /// Sharing information for the case.
    Sharing,
    /// Disclosure of the plan document itself (SEND Regulations 2014, regulation 17).
    Plan,
}

/// Who may decide about sharing (`Mental Capacity Act 2005`; CFA 2014 section 80).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionMaker {
    /// A person with parental responsibility.
    Parent,
    /// A child who understands the decision (Gillick competence); prevails over a parent.
    CompetentChild,
    /// The young person.
    YoungPerson,
    /// A deputy, an attorney, or (failing both) a parent, for a young person without capacity.
    AlternativePerson,
    /// The authority, which shares parental responsibility under a care order.
    LocalAuthority,
}

/// A request for advice and information (regulation 6(1)), one leg per service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdviceRequest {
    /// The date the authority made the request.
    #[schemars(with = "String", extend("format" = "date"))]
    pub requested_on: Date,
    /// The date the authority received the request for an assessment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub assessment_requested_on: Option<Date>,
    /// The services asked.
    pub services: Vec<ServiceCode>,
    /// The questions put.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub questions: Vec<PersonalText>,
    /// In or beyond Year 9.
    pub year_9_or_above: bool,
    /// Reasonably asked for by the parent or young person.
    pub asked_by_family: bool,
    /// Where a person at the authority can be reached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reply_to: Option<PersonalText>,
    /// Reports the authority already holds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub existing_reports: Vec<PersonalText>,
    /// The redirected leg that this replaces.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces_leg: Option<LegId>,
}

/// What a service does with a request on first sight.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Triage {
    /// Why it was rejected or redirected.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<RejectionReason>,
    /// The organisation that should be asked instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redirect_to: Option<OrganisationCode>,
    /// A note for the authority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<PersonalText>,
}

/// Why a message is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RejectionReason {
    /// The person is not a patient of this service.
    NotMyPatient,
    /// Another organisation is responsible.
    WrongOrg,
    /// The person's details do not agree; the recipient's own are not disclosed.
    IdentityMismatch,
    /// The message does not follow its schema.
    Schema,
    /// A document could not be read.
    UnreadableAttachment,
    /// A document was found to be harmful.
    Malware,
    /// The message was received before.
    Duplicate,
    /// The authority for sharing does not hold.
    AuthorityInvalid,
    /// The person lives or studies outside the area.
    OutOfArea,
    /// The type of message is not handled.
    UnsupportedType,
    /// The person or the family objects, and nothing overrides it.
    SubjectObjects,
}

/// Advice and information from a health professional.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// Who wrote it.
    pub author_name: PersonalText,
    /// Their profession.
    pub author_profession: PersonalText,
    /// Their registration number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author_registration: Option<PersonalText>,
    /// The date of the advice.
    #[schemars(with = "String", extend("format" = "date"))]
    pub date: Date,
    /// When the person was last seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub last_seen_on: Option<Date>,
    /// What it rests on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub basis: Option<AdviceBasis>,
    /// A summary in plain words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub summary: Option<PersonalText>,
    /// Health needs related to special educational needs (section C).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub health_needs: Vec<PersonalText>,
    /// Needs that educate or train (section B).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub educational_needs: Vec<PersonalText>,
    /// Outcomes (section E).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outcomes: Vec<PersonalText>,
    /// Health provision (section G).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub health_provision: Vec<PersonalText>,
    /// Provision that educates or trains (section F).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub educational_provision: Vec<PersonalText>,
    /// When the rest of the advice is expected, where this is a part of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub remainder_on: Option<Date>,
}

/// What advice rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdviceBasis {
    /// The person was assessed.
    Assessment,
    /// The records were reviewed.
    RecordsReview,
    /// A report that exists.
    ExistingReport,
}

/// A nil return.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NilReturn {
    /// Why nothing can be said.
    pub reason: NilReason,
    /// When the service last saw the person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub last_seen_on: Option<Date>,
    /// A service that may know the person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alternative_service: Option<PersonalText>,
}

/// Why a service has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NilReason {
    /// The person was never known, or is not known now.
    NotKnown,
    /// The person was known and has been discharged.
    Discharged,
}

/// A lawful exception to the six weeks (regulation 8(2)).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// Which limb.
    pub limb: ExceptionLimb,
    /// The evidence for it.
    pub evidence: PersonalText,
    /// The first day of the circumstances or of the absence; the day of the appointment missed.
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Date,
    /// The last day of the absence, or of circumstances that are over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub until: Option<Date>,
    /// When the advice is now expected.
    #[schemars(with = "String", extend("format" = "date"))]
    pub expected_on: Date,
}

/// The three limbs of regulation 8(2); a waiting list is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionLimb {
    /// Exceptional circumstances affect the child, parent or young person.
    A,
    /// Absence from the area for at least four weeks.
    B,
    /// An appointment was not kept.
    C,
}

/// The health part of a plan for moving to adult services.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransitionPlan {
    /// The named worker (NICE NG43).
    pub named_worker: PersonalText,
    /// The date of the plan.
    #[schemars(with = "String", extend("format" = "date"))]
    pub plan_date: Date,
    /// When adult services take over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub transfer_on: Option<Date>,
    /// What will be done.
    pub actions: Vec<PersonalText>,
    /// The young person's own view.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub views: Option<PersonalText>,
}

/// An acknowledgement, or a notice that a message could not be used.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The reference of the message it is about.
    pub about: MessageId,
    /// Whether that message was accepted; absent on errors.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<NoticeOutcome>,
    /// A reason code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<RejectionReason>,
    /// What went wrong, without personal details.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<PersonalText>,
}

/// What became of a message at its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeOutcome {
    /// Taken into the recipient's system.
    Accepted,
    /// Not taken.
    Rejected,
}

/// Marks a message whose `consent` member is what it says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ConsentDecision {}

#[cfg(test)]
mod tests;
