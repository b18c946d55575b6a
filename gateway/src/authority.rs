//! Release authority: may we hold this, and may it go to them, now?
//!
//! Consent is not the legal basis of most EHC exchange, so the question is not "is there
//! consent?" but "is there an authority, and does nothing stop it?" (`domain.md` 5.3). It is asked
//! twice: when a message is admitted and again at dispatch. The answers are values,
//! [`Admission`] and [`Release`], that later code must spend; nothing else makes them.
//!
//! Pure: evidence and time are arguments. This module must never know the store, the vault's
//! keys, or how anything is sent.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId, ServiceCode};

use crate::audit::{DecisionNote, SubjectKey};
use crate::queue::DeliveryId;

/// What is asked: may this record, about this person, go from here to there?
#[derive(Debug, Clone)]
pub struct Question {
    /// The record.
    pub record: RecordId,
    /// What kind of message it is.
    pub kind: MessageType,
    /// Who sends.
    pub sender: OrganisationCode,
    /// Who would receive.
    pub recipient: OrganisationCode,
    /// The service within the recipient, for requests.
    pub service: Option<ServiceCode>,
    /// About whom.
    pub subject: Option<SubjectKey>,
    /// The day from which the young person decides (end of compulsory school age).
    pub decisions_pass_on: Option<Date>,
}

/// A decision about sharing in the append-only consent ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentEntry {
    /// The version, from 1, for this person; the newest entry of a kind counts.
    pub version: u32,
    /// What was decided.
    pub status: schemas::record::ConsentStatus,
    /// Whether about sharing or about the plan document.
    pub kind: schemas::record::ConsentKind,
    /// Who decided.
    pub given_by: Option<schemas::record::DecisionMaker>,
    /// The date of the decision.
    pub decided_on: Option<Date>,
    /// The last day on which it holds.
    pub expires_on: Option<Date>,
    /// The purposes it covers; none means all.
    pub purposes: Vec<String>,
    /// Organisations that must not receive anything.
    pub exclusions: Vec<OrganisationCode>,
    /// Who recorded it.
    pub recorded_by: OrganisationCode,
    /// When.
    pub recorded_at: Timestamp,
}

/// A named person's vote to release a held delivery; two different people are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The person, as a keyed pseudonym.
    pub person: String,
    /// Their organisation.
    pub organisation: OrganisationCode,
    /// When.
    pub at: Timestamp,
}

/// What the question is decided on, gathered in the same breath.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The person's consent ledger, oldest first.
    pub consents: Vec<ConsentEntry>,
    /// Votes to release this delivery although it was held.
    pub overrides: Vec<Override>,
}

/// The answer, with what it costs: a token only when the answer is yes.
#[derive(Debug)]
pub enum Ruling<T> {
    /// Yes. The token must be spent.
    Granted(T, DecisionNote),
    /// A person must decide.
    Hold(DecisionNote),
    /// No.
    Refused(DecisionNote),
}

/// Proof that the gateway may hold a record for these recipients. Spent by `Vault::seal`.
#[derive(Debug)]
pub struct Admission {
    pub(crate) record: RecordId,
    pub(crate) kind: MessageType,
    pub(crate) sender: OrganisationCode,
    pub(crate) recipients: BTreeSet<OrganisationCode>,
}

/// Proof that one record may go to one recipient, now. Spent by `Vault::open`.
#[derive(Debug)]
pub struct Release {
    pub(crate) delivery: DeliveryId,
    pub(crate) record: RecordId,
    pub(crate) recipient: OrganisationCode,
    pub(crate) classes: BTreeSet<schemas::catalogue::DataClass>,
    pub(crate) expires_at: Timestamp,
}
