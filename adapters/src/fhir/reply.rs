//! What a FHIR message is answered with, and what an answer to ours says.
//!
//! Owns the two levels below content: an `OperationOutcome` that says who failed, and the response
//! message of `$process-message` (a Bundle whose `MessageHeader.response` names the message it
//! answers). It must never know why something failed: it is told issues by rule and place, and
//! writes nothing else. [`identity()`] finds what a message calls itself before it is read,
//! [`Reply::write`] answers it, and [`read()`] reads a partner's answer to a message of ours.
//!
//! The codes are those of `BaRS` (`https://fhir.nhs.uk/Codesystem/http-error-codes`): a prefix for
//! whose move it is, and what happened. Limits: [`ANSWER_BYTES_MAX`] of a partner's answer.
//!
//! An ITK3 document (STU3) is answered in STU3, with the response codes of ITK beside ours: taken,
//! a duplicate, a payload that is invalid, a sender who may not, a patient who is or is not known.
//!
//! Not supported: reading what a partner's outcome says (its words may hold personal details, and
//! its code alone decides what happens next).

mod codes;
mod reading;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemas::{Issue, OrganisationCode, Place};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::systems;
use crate::{Format, WriteError};

pub use reading::{Identity, Said, identity, read};

/// The version and conventions a message came in, and its answer is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// FHIR R4.
    #[default]
    R4,
    /// ITK3: FHIR STU3.
    Itk3,
}

/// Whose move it is after a fault; the prefix of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The sender of the message (`SEND_`).
    Sender,
    /// The gateway between the two (`PROXY_`).
    Gateway,
    /// The organisation the message is for (`REC_`).
    Recipient,
}

/// What happened, by the names of `BaRS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the HTTP status of the same name")]
pub enum Cause {
    BadRequest,
    Forbidden,
    NotFound,
    NotAcceptable,
    Conflict,
    UnprocessableEntity,
    TooManyRequests,
    ServerError,
    Unavailable,
}

/// A fault as a whole: whose, what, and in words of ours.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Whose move it is.
    pub party: Party,
    /// What happened.
    pub cause: Cause,
    /// The stable name of our rule or kind of problem.
    pub rule: String,
    /// What is wrong and what to do next; never a value.
    pub words: String,
}

/// What an `OperationOutcome` says.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The fault, if it failed.
    pub fault: Option<Fault>,
    /// What was found in the message: rules and places.
    pub issues: Vec<Issue>,
    /// A reference to quote when asking about it.
    pub reference: Option<String>,
    /// Whether the message was taken before and nothing new was done.
    pub repeated: bool,
    /// What it is written in.
    pub dialect: Dialect,
}

/// `MessageHeader.response.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyCode {
    /// The message was taken.
    Ok,
    /// It was not, and the same message may be sent again.
    TransientError,
    /// It was not, and never will be as it stands.
    FatalError,
}

/// An organisation as a message names it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its code.
    pub code: &'a OrganisationCode,
    /// Its name.
    pub name: &'a str,
}

/// The answer to a message: itself a message.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The id of the answer; the same for every copy of it.
    pub id: Uuid,
    /// `MessageHeader.id` of the message it answers, or what stands for it.
    pub about: &'a str,
    /// What became of the message.
    pub code: ReplyCode,
    /// When it was answered.
    pub at: Timestamp,
    /// Who answers.
    pub from: Named<'a>,
    /// Whom it answers.
    pub to: Named<'a>,
    /// What is said of the message.
    pub outcome: &'a Outcome,
    /// The signed receipt (compact JWS), if there is one.
    pub receipt: Option<&'a str>,
}

impl Outcome {
    /// The `OperationOutcome`, in a FHIR format.
    pub fn write(&self, format: Format) -> Result<Vec<u8>, WriteError> {
        super::render(&self.resource(), format)
    }

    fn resource(&self) -> Value {
        let mut issues: Vec<Value> = self.issues.iter().map(|issue| self.issue(issue)).collect();
        let listed = self.issues.iter().any(Issue::is_error);
        if let Some(fault) = self.fault.as_ref().filter(|_| !listed) {
            issues.insert(0, self.whole(fault));
        }
        if issues.is_empty() {
            // An outcome has at least one issue; this one says that nothing is wrong.
            issues.push(json!({
                "severity": "information",
                "code": "informational",
                "details": {"text": "Nothing is wrong with the message."},
            }));
        }
        if self.dialect == Dialect::Itk3 {
            codes::add_itk(self, &mut issues);
            return json!({"resourceType": "OperationOutcome", "issue": issues});
        }
        json!({
            "resourceType": "OperationOutcome",
            "meta": {"profile": [systems::profile("OperationOutcome")]},
            "issue": issues,
        })
    }

    fn issue(&self, issue: &Issue) -> Value {
        let mut coding = Vec::new();
        if let Some(fault) = self.fault.as_ref().filter(|_| issue.is_error()) {
            coding.push(codes::coding(fault.party, fault.cause));
        }
        coding.push(json!({"system": systems::RULE, "code": issue.rule}));
        let severity = if issue.is_error() { "error" } else { "warning" };
        let mut said = Map::new();
        said.insert("severity".to_owned(), json!(severity));
        said.insert("code".to_owned(), json!(codes::of_rule(&issue.rule)));
        let text = format!("{}; {}", issue.message, issue.next);
        said.insert("details".to_owned(), json!({"coding": coding, "text": text}));
        let field = if issue.field.is_empty() { None } else { Some(issue.field.as_str()) };
        let place = issue.place.to_string();
        let words = [Some(place.as_str()), field, self.reference.as_deref()];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        said.insert("diagnostics".to_owned(), json!(words.join("; ")));
        if let Place::Text { path, .. } = &issue.place
            && !path.is_empty()
        {
            said.insert("expression".to_owned(), json!([path]));
        }
        Value::Object(said)
    }

    fn whole(&self, fault: &Fault) -> Value {
        let rule = json!({"system": systems::RULE, "code": fault.rule});
        let coding = [codes::coding(fault.party, fault.cause), rule];
        let mut said = json!({
            "severity": "error",
            "code": codes::of_cause(fault.cause),
            "details": {"coding": coding, "text": fault.words},
        });
        if let (Some(reference), Some(members)) = (&self.reference, said.as_object_mut()) {
            members.insert("diagnostics".to_owned(), json!(reference));
        }
        said
    }
}

impl Reply<'_> {
    /// The response message, in a FHIR format. The same reply gives the same bytes.
    pub fn write(&self, format: Format) -> Result<Vec<u8>, WriteError> {
        super::render(&self.bundle(), format)
    }

    fn bundle(&self) -> Value {
        let itk3 = self.outcome.dialect == Dialect::Itk3;
        let urn = |number| format!("urn:uuid:{}", self.part(number));
        let mut outcome = self.outcome.resource();
        put(&mut outcome, "id", json!(self.part(1).to_string()));
        let mut entries = vec![json!({"fullUrl": urn(1), "resource": outcome})];
        let mut header = self.header();
        if let Some(receipt) = self.receipt {
            let mut binary = json!({
                "resourceType": "Binary",
                "id": self.part(2).to_string(),
                "contentType": RECEIPT_TYPE,
            });
            let data = json!(STANDARD.encode(receipt));
            put(&mut binary, if itk3 { "content" } else { "data" }, data);
            entries.push(json!({"fullUrl": urn(2), "resource": binary}));
            put(&mut header, "focus", json!([{"reference": urn(2)}]));
        }
        entries.insert(0, json!({"fullUrl": urn(0), "resource": header}));
        let mut bundle = json!({
            "resourceType": "Bundle",
            "id": self.id.to_string(),
            "type": "message",
            "entry": entries,
        });
        if !itk3 {
            put(&mut bundle, "meta", json!({"profile": [systems::profile("Bundle")]}));
            put(&mut bundle, "timestamp", json!(self.at.to_string()));
        }
        bundle
    }

    fn header(&self) -> Value {
        let address = |code: &OrganisationCode| format!("{}:{code}", systems::ORGANISATION);
        let event = json!({"system": systems::EVENT, "code": TRANSPORT});
        let mut header = json!({
            "resourceType": "MessageHeader",
            "id": self.part(0).to_string(),
            "destination": [{"name": self.to.name, "endpoint": address(self.to.code)}],
            "sender": {"identifier": organisation(self.from.code), "display": self.from.name},
            "source": {"name": self.from.name, "endpoint": address(self.from.code)},
            "response": {
                "identifier": self.about,
                "code": self.code.as_str(),
                "details": {"reference": format!("urn:uuid:{}", self.part(1))},
            },
        });
        if self.outcome.dialect == Dialect::Itk3 {
            put(&mut header, "event", event);
            put(&mut header, "timestamp", json!(self.at.to_string()));
        } else {
            put(&mut header, "meta", json!({"profile": [systems::profile("MessageHeader")]}));
            put(&mut header, "eventCoding", event);
        }
        header
    }

    /// The id of a part of the answer, from the answer's own.
    fn part(&self, number: u8) -> Uuid {
        let mut bytes = self.id.into_bytes();
        if let Some(last) = bytes.last_mut() {
            *last ^= number.wrapping_add(1);
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl ReplyCode {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TransientError => "transient-error",
            Self::FatalError => "fatal-error",
        }
    }
}

impl Dialect {
    /// The media type of an answer in this dialect and format.
    pub fn media_type(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Itk3, Format::FhirXml) => "application/fhir+xml; fhirVersion=3.0",
            (Self::Itk3, _) => "application/fhir+json; fhirVersion=3.0",
            (Self::R4, _) => format.media_type(),
        }
    }
}

fn put(resource: &mut Value, name: &str, value: Value) {
    if let Some(members) = resource.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn organisation(code: &OrganisationCode) -> Value {
    json!({"system": systems::organisation_system(code.as_str()), "value": code.as_str()})
}

/// The event of an answer at the level of transport: not a business acknowledgement.
const TRANSPORT: &str = "ack.transport";
/// The media type of a signed receipt inside an answer (RFC 7515).
const RECEIPT_TYPE: &str = "application/jose";
/// The most of a partner's answer that is read, in bytes: an answer has no documents.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

#[cfg(test)]
mod tests;
