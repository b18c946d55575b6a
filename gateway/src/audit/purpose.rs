//! Why somebody looks, as they say it: a code of a closed list.
//!
//! Owns the list, its words, and where it stands in an entry: the detail [`NAME`] of the entry that the
//! look leaves. Free text would hold names, and the log is for ever. Must never know who looks, nor
//! whether what they say is true: the caller's system vouches for it, as it does for the person.
//!
//! To use it: set [`Actor::purpose`](super::Actor::purpose), and every event of that actor says it.
//!
//! Not supported: several purposes of one look, because nobody could say which it was.

use serde::{Deserialize, Serialize};

use super::{Event, EventKind};

/// Why somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Work on this child's case: assessing, planning, advising, providing.
    DirectWork,
    /// A colleague, or another organisation, asked about the case.
    AnsweringARequest,
    /// Somebody may be at risk.
    Safeguarding,
    /// Whether what is recorded is right and complete.
    QualityCheck,
    /// Why something does not work.
    TechnicalSupport,
    /// Whether the log is what it should be.
    LogVerification,
    /// What somebody may ask the log for, too.
    #[serde(untagged)]
    Asked(Reason),
}

/// Why somebody asks the log, for example who has seen a record. A closed list: the log is for ever, and free text would
/// hold names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The person, or somebody for them, asked for what is held (UK GDPR, article 15).
    SubjectAccessRequest,
    /// Somebody complained.
    Complaint,
    /// Something went wrong, or may have.
    Incident,
    /// Somebody who answers for it looks from time to time.
    RoutineCheck,
    /// The family asked.
    FamilyQuestion,
    /// The conduct of somebody on the staff is looked into.
    StaffInvestigation,
    /// The Information Commissioner or an inspectorate asked.
    Regulator,
    /// A court, a tribunal or an ombudsman asked.
    Tribunal,
    /// Figures for those who answer for the service.
    Management,
}

impl Reason {
    /// Every code, in the order in which they are offered.
    pub const CODES: [&str; 9] = [
        "subject-access-request",
        "complaint",
        "incident",
        "routine-check",
        "family-question",
        "staff-investigation",
        "regulator",
        "tribunal",
        "management",
    ];

    /// From its code.
    pub fn parse(code: &str) -> Option<Self> {
        serde_json::from_value(code.into()).ok()
    }
}

impl Purpose {
    /// Every code, in the order in which they are offered.
    pub fn codes() -> Vec<&'static str> {
        OWN.into_iter().chain(Reason::CODES).collect()
    }

    /// From its code.
    pub fn parse(code: &str) -> Option<Self> {
        serde_json::from_value(code.into()).ok()
    }

    /// In words that stand alone.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::DirectWork => "work on the child's case",
            Self::AnsweringARequest => "answering somebody who asked about the case",
            Self::Safeguarding => "somebody may be at risk",
            Self::QualityCheck => "checking that what is recorded is right",
            Self::TechnicalSupport => "finding out why something does not work",
            Self::LogVerification => "verifying the log",
            Self::Asked(Reason::SubjectAccessRequest) => "the person asked what is held about them",
            Self::Asked(Reason::Complaint) => "a complaint",
            Self::Asked(Reason::Incident) => "something went wrong",
            Self::Asked(Reason::RoutineCheck) => "a check from time to time",
            Self::Asked(Reason::FamilyQuestion) => "the family asked",
            Self::Asked(Reason::StaffInvestigation) => "looking into the conduct of staff",
            Self::Asked(Reason::Regulator) => "a regulator asked",
            Self::Asked(Reason::Tribunal) => "a court, tribunal or ombudsman asked",
            Self::Asked(Reason::Management) => "figures for those who answer for the service",
        }
    }

    /// The purpose that an event says; of a look at the log, the reason that was asked for instead. Codes
    /// that this program does not know are none.
    pub fn of(event: &Event) -> Option<Self> {
        let asked = event.detail.get("reason").filter(|_| event.kind == EventKind::AuditViewed);
        event.detail.get(NAME).or(asked).and_then(|code| Self::parse(code))
    }
}

/// What an event says of its purpose, for people: words and code, or a code that is not known here.
pub fn said_in(event: &Event) -> Option<String> {
    let code = event.detail.get(NAME)?;
    let known = Purpose::parse(code);
    Some(known.map_or_else(
        || format!("purpose: {code}"),
        |purpose| format!("{} ({code})", purpose.in_words()),
    ))
}

/// The codes of purposes that are no reason to ask the log.
const OWN: [&str; 6] = [
    "direct-work",
    "answering-a-request",
    "safeguarding",
    "quality-check",
    "technical-support",
    "log-verification",
];

/// The detail of an entry that says it.
pub const NAME: &str = "purpose";

#[cfg(test)]
mod tests;
