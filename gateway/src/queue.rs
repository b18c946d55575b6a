//! What is on its way: deliveries, their states, legs and leases.

pub mod worker;

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemas::{LegId, MessageType, OrganisationCode, RecordId, ServiceCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One record on its way to one recipient. For a request for advice it is also the leg's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl DeliveryId {
    /// The leg of which this delivery is the asking.
    pub fn leg(self) -> LegId {
        LegId(self.0)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One submission: a message or a batch, with one receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubmissionId(pub Uuid);

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A case, as messages about it are found together: a keyed pseudonym of the authority and its
/// reference, which nobody can compute who does not hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(pub Uuid);

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a delivery reaches its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CarrierKind {
    /// The recipient fetches it from its inbox.
    Collect,
    /// The gateway pushes it to the recipient's own HTTPS endpoint.
    HttpsPush,
    /// The gateway posts a FHIR message to the recipient's own `$process-message`.
    FhirMessage,
    /// The gateway sends HL7 v2 over MLLP and TLS, and waits for the acknowledgement.
    Mllp,
    /// The gateway sends to the recipient's mailbox on the NHS Message Exchange (MESH).
    Mesh,
    /// The gateway writes an import file into a folder that the recipient's job reads.
    DropFolder,
}

impl CarrierKind {
    /// Whether the recipient tells a second copy of a delivery by the delivery's id, so that
    /// sending again after an unknown outcome is safe (ADR 0006). Every POST to a mailbox makes a
    /// new message, and whoever collects it cannot be relied on to compare local ids.
    pub fn tells_copies_apart(self) -> bool {
        self != Self::Mesh
    }
}

/// Where a delivery stands. Stored by name; a delivery is in exactly one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// Waiting in the inbox, or for the next attempt.
    Queued,
    /// Stopped until a person decides.
    Held,
    /// Fetched by, or pushed to, the recipient's system. Collected is not read.
    Delivered,
    /// The recipient took it into its own system.
    Accepted,
    /// The recipient refused it, with a reason.
    Rejected,
    /// Never to go out: the authority for it no longer holds.
    Withdrawn,
    /// The recipient's endpoint refused it for good, or attempts ran out: for a person.
    Failed,
    /// It may or may not have arrived: for a person.
    Unknown,
}

impl DeliveryState {
    /// Whether the recipient of a delivery that was collected or pushed then, if ever, may know of
    /// it: whoever is waited for, or was refused, learns nothing; whoever had it before it was
    /// taken back may see that.
    pub fn is_known(self, delivered_at: Option<Timestamp>) -> bool {
        match self {
            Self::Held => false,
            Self::Withdrawn => delivered_at.is_some(),
            Self::Queued
            | Self::Delivered
            | Self::Accepted
            | Self::Rejected
            | Self::Failed
            | Self::Unknown => true,
        }
    }
}

/// Where one leg of a request for advice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegState {
    /// Asked, not answered; the clock runs.
    Waiting,
    /// Taken on by the service; the clock runs.
    Accepted,
    /// Lateness is excused under regulation 8(2); a new date is expected.
    Exception,
    /// A part of the advice was given, and the rest has a date; the clock runs.
    Partial,
    /// Advice was given; the clock stopped.
    Answered,
    /// Advice given before is sufficient, as adviser, authority and family agree (regulation
    /// 6(4)); the clock stopped.
    Sufficient,
    /// A nil return; the clock stopped, the leg is unmet.
    Nil,
    /// Refused by the service; for the authority to act on.
    Rejected,
    /// Another organisation should be asked; the first receipt date is kept.
    Redirected,
    /// The person or the family objects, and nothing overrides it; stopped, for people.
    Objection,
    /// Not sent, or taken back: held for, or stopped by, a decision about sharing; recalled, or
    /// superseded by a newer request. The reason stands with its delivery.
    Withheld,
}

impl LegState {
    /// Whether the service still owes an answer.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Accepted | Self::Exception | Self::Partial)
    }
}

/// A delivery as the queue and the inbox show it. No content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The record it carries.
    pub record: RecordId,
    /// What kind of message.
    pub kind: MessageType,
    /// Who sent the record.
    pub sender: OrganisationCode,
    /// Who receives it.
    pub recipient: OrganisationCode,
    /// The service within the recipient, for requests.
    pub service: Option<ServiceCode>,
    /// How it travels.
    pub carrier: CarrierKind,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was attempted.
    pub attempts: u32,
    /// Since when it may go.
    pub available_at: Timestamp,
    /// When it was collected or pushed.
    pub delivered_at: Option<Timestamp>,
    /// The rule or reason behind a held, withdrawn, rejected or failed state.
    pub reason: Option<String>,
}

/// A delivery that this worker, and no other, may attempt until the lease lapses.
///
/// Not `Clone`: settling consumes it.
#[derive(Debug)]
pub struct Lease {
    /// What is leased.
    pub delivery: Delivery,
    pub(crate) token: Uuid,
}

/// One line of the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The leg.
    pub id: LegId,
    /// The record that asks.
    pub record: RecordId,
    /// The authority that asks.
    pub sender: OrganisationCode,
    /// The organisation asked.
    pub recipient: OrganisationCode,
    /// The service asked.
    pub service: ServiceCode,
    /// The civil date from which regulation 8 counts.
    pub received_on: Date,
    /// The statutory date (`domain.md` 1.4).
    pub statutory_due: Date,
    /// The same by the other way of counting, where it differs.
    pub alternative_due: Option<Date>,
    /// The date to work to: it keeps both ways, and is a working day.
    pub operational_due: Date,
    /// The version of the rules the dates were computed with.
    pub rule_version: String,
    /// Where it stands.
    pub state: LegState,
    /// When it was answered, if it was.
    pub answered_on: Option<Date>,
    /// The new expected date of an exception.
    pub expected_on: Option<Date>,
    /// The exception that was shown, by its name in the rules.
    pub exception: Option<String>,
    /// When a part of the advice came.
    pub part_on: Option<Date>,
    /// When the rest of it is expected.
    pub remainder_on: Option<Date>,
    /// When the advice is expected that will be late; excuses nothing.
    pub forecast_on: Option<Date>,
    /// Why, by a code of the catalogue; excuses nothing.
    pub late_reason: Option<String>,
    /// The request that replaces it, once it was redirected.
    pub replaced_by: Option<RecordId>,
    /// The state of the delivery behind it.
    pub delivery: DeliveryState,
}

/// How long to wait after a failed attempt: doubling from two seconds to an hour, with up to half
/// as much again by chance, so that a returning partner is not met by everyone at once.
pub fn backoff(attempt: u32, jitter: u16) -> SignedDuration {
    let doublings = attempt.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
    let seconds = (BACKOFF_FIRST_S << doublings).min(BACKOFF_MAX_S);
    let extra = seconds * i64::from(jitter) / (2 * i64::from(u16::MAX));
    SignedDuration::from_secs(seconds + extra)
}

/// The first wait, in seconds: a restart of the partner's service.
const BACKOFF_FIRST_S: i64 = 2;
/// The longest wait, in seconds.
const BACKOFF_MAX_S: i64 = 3_600;
/// Doublings until the longest wait is reached.
const BACKOFF_DOUBLINGS_MAX: u32 = 11;
