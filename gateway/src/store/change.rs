//! Changes as values: what is written, and the event that says why.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId, ServiceCode};
use uuid::Uuid;

use super::alerts::AlertWrite;
use super::backups::NewBackup;
use super::clocks::ClockWrite;
use super::holds::HoldWrite;
use super::identities::IdentityWrite;
use super::periods::LookUpGone;
use super::reconciliations::{Explained, NewDifference, NewStatement, StatementId};
use super::restores::Shown;
use super::retention::RetentionWrite;
use super::sends::NewSend;
use super::watch::WatchWrite;
use crate::audit::looked::Looked;
use crate::audit::{Event, SubjectKey};
use crate::authority::ConsentEntry;
use crate::documents::DocumentState;
use crate::queue::{CarrierKind, CaseId, DeliveryId, DeliveryState, LegState, SubmissionId};
use crate::vault::segments::DocumentHeader;
use crate::vault::{SealedBlob, SealedRecord};

/// A change that commits whole or not at all: one or more steps, each an event and its writes.
///
/// ```compile_fail
/// // There is no change without an event.
/// let change = gateway::store::Change::default();
/// ```
///
/// The twin that compiles:
///
/// ```
/// use gateway::audit::{Actor, Event, EventKind};
/// let change = gateway::store::Change::because(Event::new(EventKind::GatewayStarted, Actor::gateway()));
/// # let _ = change;
/// ```
#[derive(Debug)]
pub struct Change {
    pub(crate) steps: Vec<(Event, Vec<Write>)>,
}

impl Change {
    /// A change that so far writes nothing but its event.
    pub fn because(event: Event) -> Self {
        Self { steps: vec![(event, Vec::new())] }
    }

    /// Adds a write, explained by the latest event.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        if let Some((_, writes)) = self.steps.last_mut() {
            writes.push(write);
        }
        self
    }

    /// Adds a write before all others, explained by the first event: for a condition that those
    /// others end.
    #[must_use]
    pub fn write_first(mut self, write: Write) -> Self {
        if let Some((_, writes)) = self.steps.first_mut() {
            writes.insert(0, write);
        }
        self
    }

    /// Adds another event; later writes are explained by it.
    #[must_use]
    pub fn and(mut self, event: Event) -> Self {
        self.steps.push((event, Vec::new()));
        self
    }

    /// Adds all steps of another change, to commit together with this one.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }
}

/// Everything that can be written to audited tables.
#[derive(Debug)]
pub enum Write {
    /// A submission with its answer; fails with a conflict when its idempotency key is taken.
    Submission(NewSubmission),
    /// An accepted record.
    Record(NewRecord),
    /// A delivery of a record to a recipient.
    Delivery(NewDelivery),
    /// The clock of one leg.
    Leg(NewLeg),
    /// Something that could not be accepted, kept sealed with its reasons.
    Quarantine(NewQuarantine),
    /// An entry of the consent ledger. The version is given by the store: one more than the last.
    Consent(NewConsent),
    /// An attempt under a lease moves on; fails when the lease is no longer held.
    Settle {
        /// The delivery.
        delivery: DeliveryId,
        /// The lease's token.
        token: Uuid,
        /// What became of the attempt.
        settlement: Settlement,
    },
    /// A delivery in the inbox was opened for its recipient. Fails unless it is queued,
    /// delivered or acknowledged. The first collection sets the time and the state `Delivered`.
    Collected(DeliveryId, Timestamp),
    /// A delivery is stopped until a person decides (state `Held`), or for good (`Withdrawn`).
    /// A new hold needs new votes: earlier ones are taken off the delivery and stay in the log.
    Stop(DeliveryId, DeliveryState, String),
    /// A delivery is taken back by its sender, opened or not, under this rule: it is withdrawn, and
    /// keeps the time at which it was opened. Fails when it is no longer in the state, or was
    /// attempted more often than, that was read: then somebody may have it who was not told.
    TakenBack(DeliveryId, (DeliveryState, u64), &'static str),
    /// The recipient's business acknowledgement: `Accepted` or `Rejected`, with a reason code.
    /// Fails when the delivery is held or withdrawn: a recipient may well have what we believe
    /// failed, or do not know the fate of.
    Acknowledged(DeliveryId, DeliveryState, Option<String>, Timestamp),
    /// What was handed over, or may have been, did not reach the recipient after all: whoever
    /// carried it says so. Fails when the recipient has acknowledged it, or it is not on its way.
    Undelivered(DeliveryId, String),
    /// A leg's state changes, with the dates that come with it. Fails when it is no longer in the
    /// state that was read.
    LegChanged {
        /// Which leg.
        leg: LegId,
        /// The state it was in when the change was decided.
        from: LegState,
        /// Its new state.
        state: LegState,
        /// The day it was answered, when it was.
        answered_on: Option<Date>,
        /// The new expected date, for an exception.
        expected_on: Option<Date>,
    },
    /// A leg whose answer was taken back: the service owes it again, in the state it had before it
    /// answered as far as that is known. Fails when it is no longer in the state that was read.
    LegReopened(LegId, LegState),
    /// A leg whose request is stopped: withheld if the service still owes an answer. One that was
    /// answered before stays as it is, and that is no failure.
    LegWithheld(LegId),
    /// A leg that was withheld begins again, with the dates of its new beginning.
    LegRestarted(NewLeg),
    /// What is said of a clock: see [`ClockWrite`].
    Clock(ClockWrite),
    /// A person's vote on a held delivery. Fails when the same person has voted before.
    Override(DeliveryId, crate::authority::Override),
    /// A delivery is queued again from this time on: a held one (after enough votes), or one that
    /// failed or whose fate is unknown (a person sends it again). Fails for any other.
    Resume(DeliveryId, Timestamp),
    /// The fingerprint of a file, setting or key now in force, by its name.
    InForce(String, String),
    /// Somebody is about to send about a person: in the commit that says that bytes will leave.
    /// Fails when the person's ledger is not the one authority was asked about, when a withdrawal
    /// waits, or when nothing may go after a restore.
    Sending(NewSend),
    /// What was being sent has left.
    Sent(Uuid),
    /// A checkpoint was shown that this database does not know: nothing goes from here on.
    RestoreFound(Shown),
    /// A backup was made.
    BackupMade(NewBackup),
    /// An operator confirms, naming the size that was lost and why, that the consent ledger has
    /// caught up. Fails when nothing is held, or another size is.
    RestoreConfirmed {
        /// The size of the newest checkpoint that was shown.
        lost_size: u64,
        /// The operator's reason, a code.
        reason: String,
    },
    /// A duty was done for its period. Fails when it was done before.
    DutyDone(&'static str, String),
    /// A day was reconciled with a partner. Fails when there is that version.
    Statement(NewStatement),
    /// The partner's answer to a statement: agreed, or not. Fails when it was answered before.
    StatementAnswered(StatementId, bool),
    /// A difference that a partner found.
    Difference(NewDifference),
    /// A person explained a difference. Fails when it was explained before.
    DifferenceExplained(Uuid, Explained),
    /// The way to adulthood: what a record tells of it, or what a day came to.
    Transition(super::TransitionWrite),
    /// The upload of a document begins.
    DocumentBegun(NewDocument),
    /// A document comes into another state. Fails when it is no longer in the one that was read.
    DocumentMoved {
        /// Which document.
        document: Uuid,
        /// The state it was in when the change was decided.
        from: DocumentState,
        /// Its new state.
        state: DocumentState,
        /// The rule behind it.
        reason: Option<String>,
        /// What was found when all of it was read.
        found: Option<DocumentFound>,
    },
    /// A quarantined message waits for the scanner; it is written in the format of this media type.
    MessageHeld(Uuid, String),
    /// A message that waited for the scanner is taken up again. Fails when it was before.
    MessageTaken(Uuid),
    /// About what waits for people.
    Hold(HoldWrite),
    /// About who people are.
    Identity(IdentityWrite),
    /// Who was on the list that the event says was looked at.
    Looked(Looked),
    /// About alerts of odd access, and samples.
    Alert(AlertWrite),
    /// About what the watch over the log keeps.
    Watch(WatchWrite),
    /// About how long things are kept.
    Retention(RetentionWrite),
    /// The look-up of a period of the log is destroyed: its key, whom its entries are about, and who
    /// was on lists. Fails when it is not as it was read, or its period is not over.
    LookUpDestroyed(LookUpGone),
}

/// The upload of a document as it begins.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its id.
    pub id: Uuid,
    /// Who uploads it.
    pub owner: OrganisationCode,
    /// How many bytes it will have.
    pub size: u64,
    /// The digest its sender declared.
    pub declared_sha256: Option<[u8; 32]>,
    /// The wrapped key of its segments.
    pub header: DocumentHeader,
}

/// What was found of a document when all of it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFound {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The media type of its content.
    pub media_type: String,
}

/// A submission: what came in under one idempotency key, and what was answered.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The idempotency key: unique for the sender.
    pub key: String,
    /// SHA-256 of the request (route, media type, body), to tell a retry from a clash.
    pub request_hash: [u8; 32],
    /// The HTTP status answered.
    pub status: u16,
    /// The answer: a receipt or a problem; holds no personal data.
    pub answer: Vec<u8>,
    /// The media type of the answer.
    pub answer_type: String,
    /// The original bytes, sealed.
    pub original: SealedBlob,
    /// When it was received.
    pub received_at: Timestamp,
}

/// An accepted record: sealed content and the metadata the queue needs.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The sealed record; carries its id, type, sender and recipients.
    pub sealed: SealedRecord,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// SHA-256 of the sender and the sender's own reference: refuses the same message twice.
    pub identity: [u8; 32],
    /// HMAC of the canonical message: tells the same message from another under its reference.
    pub fingerprint: [u8; 32],
    /// About whom.
    pub subject: Option<SubjectKey>,
    /// HMAC of date of birth and family name: the second half of the wrong-person guard.
    pub demographics: Option<[u8; 32]>,
    /// The case reference, sealed for the board.
    pub label: SealedBlob,
    /// The leg it answers.
    pub about: Option<LegId>,
    /// How it stands to earlier records.
    pub relations: Relations,
    /// The day from which the young person decides.
    pub decisions_pass_on: Option<Date>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// How a record stands to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relations {
    /// The case it belongs to.
    pub case: Option<CaseId>,
    /// The record that it takes the place of. A record is superseded once.
    pub supersedes: Option<RecordId>,
    /// The record that it, a recall, takes back, and the code of the reason.
    pub recalls: Option<(RecordId, String)>,
}

/// A delivery to one recipient.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id; for requests also the leg's.
    pub id: DeliveryId,
    /// The record.
    pub record: RecordId,
    /// The recipient.
    pub recipient: OrganisationCode,
    /// The service within the recipient.
    pub service: Option<ServiceCode>,
    /// How it travels.
    pub carrier: CarrierKind,
    /// `Queued`, `Held` or `Withdrawn`.
    pub state: DeliveryState,
    /// The rule behind a held or withdrawn state.
    pub reason: Option<String>,
    /// From when it may go.
    pub available_at: Timestamp,
}

/// The clock of one leg.
#[derive(Debug, Clone)]
pub struct NewLeg {
    /// The leg; the same id as its delivery.
    pub id: LegId,
    /// The civil date from which regulation 8 counts.
    pub received_on: Date,
    /// The statutory date.
    pub statutory_due: Date,
    /// The same by the other way of counting, where it differs.
    pub alternative_due: Option<Date>,
    /// The date to work to.
    pub operational_due: Date,
    /// The version of the rules.
    pub rule_version: String,
    /// `Waiting` or `Withheld`.
    pub state: LegState,
}

/// Something that could not be accepted.
#[derive(Debug, Clone)]
pub struct NewQuarantine {
    /// Its id.
    pub id: Uuid,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The row's own bytes, sealed.
    pub sealed: SealedBlob,
    /// The issues, as JSON; positions and rules, never values.
    pub issues: String,
    /// When.
    pub at: Timestamp,
}

/// An entry for the consent ledger; its `version` field is ignored and set by the store.
#[derive(Debug, Clone)]
pub struct NewConsent {
    /// About whom.
    pub subject: SubjectKey,
    /// The record that brought it.
    pub record: RecordId,
    /// What was decided.
    pub entry: ConsentEntry,
    /// Whether it may stop what was free to go: then it fails while somebody still sends about
    /// the person.
    pub restricts: bool,
    /// The version the ledger must be at; any when none is named.
    pub expected: Option<u32>,
}

/// How an attempt under a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The attempt begins: committed before the network is touched; the lease is kept. The
    /// attempt is counted.
    Attempting,
    /// The recipient's endpoint took it.
    Delivered(Timestamp),
    /// It provably did not arrive; try again at this time.
    Deferred(Timestamp),
    /// It will not go: `Held`, `Withdrawn`, `Failed` or `Unknown`, with the rule or reason.
    Stopped(DeliveryState, String),
}
