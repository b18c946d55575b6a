//! The audit log: what happened, who did it, on what basis, provable afterwards.
//!
//! An [`Event`] is what a change says of itself. In the transaction that makes the change it
//! becomes an [`Entry`]: numbered, timed, and a leaf of an append-only Merkle log in the C2SP
//! forms (tlog-tiles, checkpoint, signed note; RFC 9162 hashing). Leaves hold keyed pseudonyms
//! and hashes, never content or plain identifiers, so partners may hold the whole log.
//!
//! The log proves order and integrity. It cannot prove completeness against someone who owns the
//! machine and every copy of its checkpoints: that is why checkpoints leave the building.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::queue::{DeliveryId, SubmissionId};
use purpose::Purpose;

pub mod alias;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod forms;
pub mod found_by;
pub mod history;
pub mod log_look;
pub mod looked;
pub mod purpose;
pub mod signing;
pub mod tiles;
pub mod tree;
pub mod verify;

/// A child's or young person's pseudonym: an HMAC under a key of this deployment.
///
/// The same person always has the same pseudonym here and another one elsewhere. In the leaves of
/// the log an [`alias`] stands for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectKey(pub [u8; 32]);

/// Everything the log can say. The names are stable: reports and partners rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A record was accepted, sealed and stored with its deliveries.
    #[serde(rename = "record.accepted")]
    RecordAccepted,
    /// A record was superseded by a newer one, or recalled by its sender.
    #[serde(rename = "record.taken_back")]
    RecordTakenBack,
    /// A message or row was not accepted; it is kept sealed in quarantine with its reasons.
    #[serde(rename = "record.quarantined")]
    RecordQuarantined,
    /// A submission as a whole could not be read; nothing of it was accepted.
    #[serde(rename = "message.refused")]
    MessageRefused,
    /// A submission was received and answered with a signed receipt.
    #[serde(rename = "submission.received")]
    SubmissionReceived,
    /// Sharing was decided for one recipient at admission.
    #[serde(rename = "sharing.decided")]
    SharingDecided,
    /// A record was opened for its recipient's collection; committed before the bytes left.
    #[serde(rename = "delivery.collected")]
    DeliveryCollected,
    /// A push is about to start; committed before the network is touched.
    #[serde(rename = "delivery.attempted")]
    DeliveryAttempted,
    /// The recipient's endpoint took it.
    #[serde(rename = "delivery.delivered")]
    DeliveryDelivered,
    /// The attempt failed before it could have arrived; it will be tried again.
    #[serde(rename = "delivery.deferred")]
    DeliveryDeferred,
    /// The recipient's endpoint refused it for good, or attempts ran out.
    #[serde(rename = "delivery.failed")]
    DeliveryFailed,
    /// It may or may not have arrived.
    #[serde(rename = "delivery.unknown")]
    DeliveryUnknown,
    /// It will not go out: the authority for it no longer holds.
    #[serde(rename = "delivery.withdrawn")]
    DeliveryWithdrawn,
    /// It is stopped until a person decides.
    #[serde(rename = "delivery.held")]
    DeliveryHeld,
    /// It was opened, and its sender took it back: it can be fetched no more.
    #[serde(rename = "delivery.recalled")]
    DeliveryRecalled,
    /// The recipient acknowledged it as accepted or rejected.
    #[serde(rename = "delivery.acknowledged")]
    DeliveryAcknowledged,
    /// A person proposed, approved or refused a release that was held.
    #[serde(rename = "hold.decided")]
    HoldDecided,
    /// An answer changed a leg's clock.
    #[serde(rename = "leg.changed")]
    LegChanged,
    /// The clocks of a case began, were met, ended or were excused.
    #[serde(rename = "clock.changed")]
    ClockChanged,
    /// A service was reminded of advice that it owes.
    #[serde(rename = "leg.reminded")]
    LegReminded,
    /// An evidence pack was made of a leg.
    #[serde(rename = "evidence.made")]
    EvidenceMade,
    /// Agreement to share was recorded, refused or withdrawn.
    #[serde(rename = "consent.recorded")]
    ConsentRecorded,
    /// It was recorded who somebody is: a match, a merge, a death.
    #[serde(rename = "identity.recorded")]
    IdentityRecorded,
    /// A person asked about a held delivery.
    #[serde(rename = "hold.asked")]
    HoldAsked,
    /// A question about a held delivery was answered.
    #[serde(rename = "hold.answered")]
    HoldAnswered,
    /// Somebody looked at what is held or under review.
    #[serde(rename = "hold.viewed")]
    HoldViewed,
    /// One person released a held delivery in an emergency; a review must follow.
    #[serde(rename = "hold.broken")]
    HoldBroken,
    /// The review of a release in an emergency was closed.
    #[serde(rename = "review.closed")]
    ReviewClosed,
    /// A person had a delivery sent again that failed or whose fate was not known.
    #[serde(rename = "delivery.resent")]
    DeliveryResent,
    /// Somebody looked at why something is in quarantine.
    #[serde(rename = "quarantine.viewed")]
    QuarantineViewed,
    /// A quarantined item went through the pipeline again.
    #[serde(rename = "quarantine.replayed")]
    QuarantineReplayed,
    /// Somebody read what is recorded of agreement to share.
    #[serde(rename = "consent.viewed")]
    ConsentViewed,
    /// Somebody whose organisation never sent anything about a person asked what is recorded of
    /// agreement to share about them, and was told nothing.
    #[serde(rename = "consent.not-told")]
    ConsentNotTold,
    /// Somebody asked what a decision about sharing would do; nothing of it was recorded.
    #[serde(rename = "consent.previewed")]
    ConsentPreviewed,
    /// A checkpoint was shown that this database does not know, because it was restored from a
    /// backup: nothing is released from here on.
    #[serde(rename = "restore.found")]
    RestoreFound,
    /// An operator confirmed that the consent ledger has caught up after a restore.
    #[serde(rename = "restore.confirmed")]
    RestoreConfirmed,
    /// A sealed and signed copy of everything was made; committed before the file is there.
    #[serde(rename = "backup.made")]
    BackupMade,
    /// This database was restored from a backup: nothing is released from here on.
    #[serde(rename = "backup.restored")]
    BackupRestored,
    /// The upload of a document began.
    #[serde(rename = "document.begun")]
    DocumentBegun,
    /// All of a document came in, is what was declared, and may be named in messages.
    #[serde(rename = "document.stored")]
    DocumentStored,
    /// A document is held: the scanner found something, or could not look.
    #[serde(rename = "document.held")]
    DocumentHeld,
    /// A document was refused after it came in; its bytes are removed.
    #[serde(rename = "document.refused")]
    DocumentRefused,
    /// An upload that was not finished in time was given up; its bytes are removed.
    #[serde(rename = "document.abandoned")]
    DocumentAbandoned,
    /// A message that waited for the scanner was taken up again.
    #[serde(rename = "message.retaken")]
    MessageRetaken,
    /// Somebody looked at which messages belong to a case.
    #[serde(rename = "case.viewed")]
    CaseViewed,
    /// A day was reconciled with a partner, in a signed statement.
    #[serde(rename = "reconciliation.made")]
    ReconciliationMade,
    /// A partner, or somebody here, fetched a statement.
    #[serde(rename = "reconciliation.viewed")]
    ReconciliationViewed,
    /// A partner answered a statement.
    #[serde(rename = "reconciliation.answered")]
    ReconciliationAnswered,
    /// A person explained a difference that a partner had found.
    #[serde(rename = "difference.explained")]
    DifferenceExplained,
    /// Somebody looked at the board.
    #[serde(rename = "board.viewed")]
    BoardViewed,
    /// Somebody looked at how something stands: what waits, a recall, what a message would do.
    #[serde(rename = "standing.viewed")]
    StandingViewed,
    /// Somebody looked at cases on the way to adulthood.
    #[serde(rename = "transitions.viewed")]
    TransitionsViewed,
    /// Every case on the way to adulthood was worked out for the day; numbers of nobody.
    #[serde(rename = "transitions.worked-out")]
    TransitionsWorkedOut,
    /// Somebody looked at a record's journey.
    #[serde(rename = "journey.viewed")]
    JourneyViewed,
    /// Somebody read or verified the log.
    #[serde(rename = "audit.viewed")]
    AuditViewed,
    /// An access, or a few that belong together, is odd by a rule, or was drawn in a sample:
    /// somebody else must look into it. It names nobody.
    #[serde(rename = "alert.raised")]
    AlertRaised,
    /// More of the same was added to an open alert.
    #[serde(rename = "alert.grown")]
    AlertGrown,
    /// Somebody looked at alerts.
    #[serde(rename = "alert.viewed")]
    AlertViewed,
    /// Somebody signed an alert off, or passed it on.
    #[serde(rename = "alert.decided")]
    AlertDecided,
    /// Accesses of some days were drawn at random, to be confirmed.
    #[serde(rename = "access.sampled")]
    AccessSampled,
    /// An organisation listed its staff, so that an access to somebody's own is told.
    #[serde(rename = "staff.listed")]
    StaffListed,
    /// A record's sealed copy was removed, with its key, because its time was over.
    #[serde(rename = "record.removed")]
    RecordRemoved,
    /// Other sealed bytes were removed, with their key, because their time was over.
    #[serde(rename = "content.removed")]
    ContentRemoved,
    /// A certificate was signed of what was removed.
    #[serde(rename = "deletion.certified")]
    DeletionCertified,
    /// A person put a legal hold on somebody, a case or everything: nothing of it is removed.
    #[serde(rename = "legal-hold.placed")]
    LegalHoldPlaced,
    /// Another person lifted a legal hold.
    #[serde(rename = "legal-hold.lifted")]
    LegalHoldLifted,
    /// Somebody looked at what is due for removal, at legal holds or at a certificate.
    #[serde(rename = "retention.viewed")]
    RetentionViewed,
    /// The look-up of a period of the log was destroyed: nobody can tell any more whom its entries
    /// are about.
    #[serde(rename = "lookup.destroyed")]
    LookUpDestroyed,
    /// The gateway did by itself what falls due at a certain time.
    #[serde(rename = "duty.done")]
    DutyDone,
    /// A caller asked for something it may not have.
    #[serde(rename = "access.refused")]
    AccessRefused,
    /// A connection was refused in the handshake (counted, so that a flood is one entry).
    #[serde(rename = "connection.refused")]
    ConnectionRefused,
    /// Who may connect, what may be shared or how it is worked on changed: partners, pins, authorities,
    /// rules, agreements or another file of policy.
    #[serde(rename = "trust.changed")]
    TrustChanged,
    /// The gateway started with another configuration, certificate or key than before.
    #[serde(rename = "settings.changed")]
    SettingsChanged,
    /// A sink of the log was lost, or has caught up again.
    #[serde(rename = "sink.changed")]
    SinkChanged,
    /// The gateway started.
    #[serde(rename = "gateway.started")]
    GatewayStarted,
    /// The gateway stopped in good order. A start without a stop before it was a crash.
    #[serde(rename = "gateway.stopped")]
    GatewayStopped,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The organisation, or `gateway` for the gateway itself.
    pub organisation: String,
    /// How it authenticated: `mutual-tls`, `mesh` (by its mailbox, to MESH), `folder`, `gateway`
    /// (by itself); at the machine's own prompt `local-login`, `local-user`, or `local` where nobody
    /// is named.
    pub method: String,
    /// The SHA-256 fingerprint of the certificate's public key, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<String>,
    /// The person who acted, as a keyed pseudonym.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
    /// That person's role.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<String>,
    /// Whom somebody at the machine's own prompt says to be: a keyed pseudonym for which nothing and
    /// nobody vouches. Entries before this member have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed: Option<String>,
    /// Why they look, as they said. Not of the actor in an entry: [`Event::new`] makes a detail of it.
    #[serde(skip)]
    pub purpose: Option<Purpose>,
}

impl Actor {
    /// The method of somebody at the prompt whom the system knows by their session.
    pub const LOGIN: &str = "local-login";
    /// The method of somebody at the prompt who is known only as whom the program runs.
    pub const PROCESS: &str = "local-user";
    const LOCAL: &str = "local";

    /// The gateway itself, for example its delivery worker.
    pub fn gateway() -> Self {
        Self {
            organisation: "gateway".to_owned(),
            method: "gateway".to_owned(),
            certificate: None,
            person: None,
            role: None,
            claimed: None,
            purpose: None,
        }
    }

    /// Somebody at the machine itself whom nobody names.
    pub fn local() -> Self {
        Self { method: Self::LOCAL.to_owned(), ..Self::gateway() }
    }

    /// Whether it was typed at the machine's own prompt.
    pub fn is_at_the_prompt(&self) -> bool {
        [Self::LOCAL, Self::LOGIN, Self::PROCESS].contains(&self.method.as_str())
    }

    /// Whoever may write to the folder that the operator gave an organisation.
    pub fn folder(organisation: &OrganisationCode) -> Self {
        let organisation = organisation.to_string();
        Self { organisation, method: "folder".to_owned(), ..Self::gateway() }
    }
}

/// What was decided about sharing, by which rule, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionNote {
    /// `release`, `release-reduced`, `hold` or `refuse`.
    pub outcome: String,
    /// The authority relied on, for example `statute`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authority: Option<String>,
    /// The provision that authority comes from. Entries before this member have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
    /// The rule that decided.
    pub rule: String,
    /// The version of the rules and agreements.
    pub rule_version: String,
    /// The sharing agreement, if one was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agreement: Option<String>,
    /// The record that brought the consent that was looked at. Entries before this member have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent: Option<RecordId>,
    /// The version of the consent that was looked at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consent_version: Option<u32>,
    /// The classes of data that were cut, and what cut each. Entries before this member have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub cut: BTreeMap<String, String>,
    /// Why, in plain words, without personal details.
    pub reason: String,
}

/// Something that happened, as the change that makes it happen says it.
///
/// `detail` values are ours: codes, counts and positions, never text from a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub actor: Actor,
    /// About whom, as a pseudonym.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<SubjectKey>,
    /// The submission.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub submission: Option<SubmissionId>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<RecordId>,
    /// The delivery or leg.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery: Option<DeliveryId>,
    /// The type of message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message_type: Option<MessageType>,
    /// The other organisation: who receives, or whose record it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counterparty: Option<OrganisationCode>,
    /// What was decided about sharing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<DecisionNote>,
    /// SHA-256 of sealed bytes this event vouches for, in hexadecimal, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub hashes: BTreeMap<String, String>,
    /// Codes, counts and positions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub detail: BTreeMap<String, String>,
}

impl Event {
    /// An event of a kind by an actor, with the purpose that they said; the rest is added where it
    /// applies.
    pub fn new(kind: EventKind, mut actor: Actor) -> Self {
        let purpose = actor.purpose.take();
        let event = Self {
            kind,
            actor,
            subject: None,
            submission: None,
            record: None,
            delivery: None,
            message_type: None,
            counterparty: None,
            decision: None,
            hashes: BTreeMap::new(),
            detail: BTreeMap::new(),
        };
        match purpose {
            Some(purpose) => event.with(purpose::NAME, crate::telemetry::name_of(purpose)),
            None => event,
        }
    }

    /// Adds a code, count or position.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }
}

/// An event in its place in the log: the canonical bytes of this are the leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The place in the log, from 0.
    pub seq: u64,
    /// The instant it was committed, microseconds since 1970 UTC.
    pub at_us: i64,
    /// A random id, so that a leaf cannot be guessed from its content.
    pub id: Uuid,
    /// What happened.
    pub event: Event,
}

/// The bytes are not the canonical form of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the canonical form of an entry of the log")]
pub struct EntryError;

impl Entry {
    /// The canonical bytes: the leaf of the log. Members in the order of the types above, names
    /// in order within maps, no white space.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        serde_json::to_vec(self).or(Err(EntryError))
    }

    /// When it was committed, by the gateway's clock.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at_us).unwrap_or_default()
    }

    /// Parses canonical bytes. Anything that would not give the same bytes again is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(bytes).or(Err(EntryError))?;
        (entry.to_bytes()? == bytes).then_some(entry).ok_or(EntryError)
    }
}

impl SubjectKey {
    /// Sixty-four hexadecimal digits.
    pub fn to_hex(self) -> String {
        crate::entropy::hex(&self.0)
    }

    /// From sixty-four hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::entropy::from_hex(text).map(Self)
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKey({}…)", self.to_hex().get(..8).unwrap_or_default())
    }
}

impl From<SubjectKey> for String {
    fn from(key: SubjectKey) -> Self {
        key.to_hex()
    }
}

impl TryFrom<String> for SubjectKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::from_hex(&text).ok_or_else(|| "not sixty-four hexadecimal digits".to_owned())
    }
}
