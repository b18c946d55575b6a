//! What an event is in the words of DICOM PS3.15 annex A (CID 400, 401) and of FHIR, which takes them over.
//!
//! Every kind is named, so that a new one has to be thought about.

use crate::audit::purpose::{Purpose, Reason};
use crate::audit::{Event, EventKind};

/// A code with its meaning.
pub(super) type Code = (&'static str, &'static str);

/// What an event is to an audit store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    /// Its identification (DICOM CID 400).
    pub(super) id: Code,
    /// Its type (DICOM CID 401), beside the name of its kind.
    pub(super) kind: Option<Code>,
    /// Create, read, update, delete or execute.
    pub(super) action: &'static str,
    pub(super) outcome: Outcome,
    /// Which way a person's data went, if it did.
    pub(super) disclosure: Option<Way>,
    /// The purpose of use (HL7 v3 `ActReason`): what was said, or what such events are for.
    pub(super) purpose: Code,
}

/// Which way a person's data went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    MinorFailure,
    SeriousFailure,
}

impl Outcome {
    /// The code of both standards.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::MinorFailure => "4",
            Self::SeriousFailure => "8",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::MinorFailure => "minor-failure",
            Self::SeriousFailure => "serious-failure",
        }
    }
}

impl Class {
    pub(super) fn of(event: &Event) -> Self {
        let (id, kind, action) = identified(event.kind);
        let out = [EventKind::DeliveryCollected, EventKind::DeliveryAttempted];
        let disclosure = if out.contains(&event.kind) {
            Some(Way::Out)
        } else {
            (event.kind == EventKind::RecordAccepted).then_some(Way::In)
        };
        let purpose = Purpose::of(event).map_or_else(|| purpose(event.kind), of_use);
        Self { id, kind, action, outcome: outcome(event), disclosure, purpose }
    }
}

#[rustfmt::skip]
fn identified(kind: EventKind) -> (Code, Option<Code>, &'static str) {
    match kind {
        EventKind::GatewayStarted => (ACTIVITY, Some(("110120", "Application Start")), EXECUTE),
        EventKind::GatewayStopped => (ACTIVITY, Some(("110121", "Application Stop")), EXECUTE),
        EventKind::RecordAccepted | EventKind::SubmissionReceived | EventKind::MessageRefused
        | EventKind::MessageRetaken | EventKind::RecordQuarantined | EventKind::DocumentBegun
        | EventKind::DocumentStored | EventKind::DocumentRefused => (IMPORT, None, CREATE),
        EventKind::DeliveryCollected | EventKind::DeliveryAttempted | EventKind::EvidenceMade
        | EventKind::BackupMade => (EXPORT, None, READ),
        EventKind::AuditViewed | EventKind::AlertViewed | EventKind::AccessSampled => {
            (LOG_USED, None, READ)
        }
        EventKind::BoardViewed | EventKind::StandingViewed | EventKind::TransitionsViewed
        | EventKind::ConsentPreviewed | EventKind::ConsentNotTold | EventKind::RetentionViewed
        | EventKind::ReconciliationViewed => (QUERY, None, EXECUTE),
        EventKind::HoldViewed | EventKind::QuarantineViewed | EventKind::ConsentViewed
        | EventKind::CaseViewed | EventKind::JourneyViewed => (RECORD, None, READ),
        EventKind::HoldBroken => (ALERT, Some(("110127", "Emergency Override Started")), EXECUTE),
        EventKind::ConnectionRefused => (ALERT, Some(("110126", "Node Authentication")), EXECUTE),
        EventKind::AccessRefused => {
            (ALERT, Some(("110132", "Use of Restricted Function")), EXECUTE)
        }
        EventKind::TrustChanged | EventKind::SettingsChanged => {
            (ALERT, Some(("110129", "Security Configuration")), UPDATE)
        }
        EventKind::SinkChanged => (ALERT, Some(("110129", "Security Configuration")), EXECUTE),
        EventKind::RestoreFound | EventKind::RestoreConfirmed | EventKind::BackupRestored
        | EventKind::AlertRaised | EventKind::AlertGrown | EventKind::AlertDecided => (ALERT, None, EXECUTE),
        EventKind::DocumentAbandoned | EventKind::RecordRemoved | EventKind::ContentRemoved
        | EventKind::LookUpDestroyed => (RECORD, None, DELETE),
        EventKind::RecordTakenBack | EventKind::SharingDecided | EventKind::DeliveryDelivered
        | EventKind::DeliveryDeferred | EventKind::DeliveryFailed | EventKind::DeliveryUnknown
        | EventKind::DeliveryWithdrawn | EventKind::DeliveryHeld | EventKind::DeliveryRecalled
        | EventKind::DeliveryAcknowledged | EventKind::DeliveryResent | EventKind::HoldDecided
        | EventKind::HoldAsked | EventKind::HoldAnswered | EventKind::ReviewClosed
        | EventKind::LegChanged | EventKind::LegReminded | EventKind::ClockChanged
        | EventKind::ConsentRecorded | EventKind::IdentityRecorded | EventKind::QuarantineReplayed
        | EventKind::LegalHoldPlaced | EventKind::LegalHoldLifted | EventKind::DocumentHeld => (RECORD, None, UPDATE),
        EventKind::ReconciliationMade | EventKind::ReconciliationAnswered
        | EventKind::DifferenceExplained | EventKind::TransitionsWorkedOut
        | EventKind::StaffListed | EventKind::DeletionCertified | EventKind::DutyDone => (ACTIVITY, None, EXECUTE),
    }
}

fn outcome(event: &Event) -> Outcome {
    let minor = [
        EventKind::MessageRefused,
        EventKind::RecordQuarantined,
        EventKind::DocumentRefused,
        EventKind::DocumentHeld,
        EventKind::DeliveryDeferred,
        EventKind::DeliveryFailed,
        EventKind::DeliveryUnknown,
        EventKind::DeliveryHeld,
        EventKind::DeliveryWithdrawn,
        EventKind::AccessRefused,
        EventKind::ConnectionRefused,
    ];
    let not_released = event.kind == EventKind::SharingDecided
        && event.decision.as_ref().is_some_and(|note| !note.outcome.starts_with("release"));
    let lost = event.detail.get("state").is_some_and(|state| state == "lost");
    if event.kind == EventKind::RestoreFound || (event.kind == EventKind::SinkChanged && lost) {
        Outcome::SeriousFailure
    } else if minor.contains(&event.kind) || not_released {
        Outcome::MinorFailure
    } else {
        Outcome::Success
    }
}

fn purpose(kind: EventKind) -> Code {
    let (id, _, _) = identified(kind);
    if kind == EventKind::HoldBroken {
        ("BTG", "break the glass")
    } else if id == LOG_USED {
        ("HOPERAT", "healthcare operations")
    } else if id == ACTIVITY || id == ALERT {
        ("HSYSADMIN", "health system administration")
    } else {
        ("CAREMGT", "care management")
    }
}

/// The nearest that the standard has to a purpose that was said.
fn of_use(said: Purpose) -> Code {
    match said {
        Purpose::DirectWork => ("CAREMGT", "care management"),
        Purpose::AnsweringARequest => ("COC", "coordination of care"),
        Purpose::Safeguarding => ("THREAT", "threat"),
        Purpose::QualityCheck => ("HQUALIMP", "health quality improvement"),
        Purpose::TechnicalSupport => ("HSYSADMIN", "health system administration"),
        Purpose::Asked(Reason::SubjectAccessRequest) => ("PATRQT", "patient requested"),
        Purpose::Asked(Reason::FamilyQuestion) => ("FAMRQT", "family requested"),
        Purpose::Asked(Reason::Incident) => ("PATSFTY", "patient safety"),
        Purpose::Asked(Reason::Tribunal) => ("HLEGAL", "legal"),
        Purpose::LogVerification
        | Purpose::Asked(Reason::RoutineCheck | Reason::StaffInvestigation | Reason::Regulator) => {
            ("HCOMPL", "health compliance")
        }
        Purpose::Asked(Reason::Complaint | Reason::Management) => {
            ("HOPERAT", "healthcare operations")
        }
    }
}

const ACTIVITY: Code = ("110100", "Application Activity");
const LOG_USED: Code = ("110101", "Audit Log Used");
const EXPORT: Code = ("110106", "Export");
const IMPORT: Code = ("110107", "Import");
const RECORD: Code = ("110110", "Patient Record");
const QUERY: Code = ("110112", "Query");
const ALERT: Code = ("110113", "Security Alert");

const CREATE: &str = "C";
const READ: &str = "R";
const UPDATE: &str = "U";
const DELETE: &str = "D";
const EXECUTE: &str = "E";
