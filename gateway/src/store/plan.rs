//! From changes to rows: numbers each event, extends the log, and sorts writes so that rows of one
//! kind share statements.
//!
//! Pure but for the random id of each entry. It must never know how the tree is hashed or who
//! signs, nor how an alias is made: that is the [`LogKeeper`], functions the store is given.
//!
//! Before you change this: rows are inserted kind by kind (submissions, records, deliveries, legs,
//! quarantine, entries) and only then are the other writes applied, in the order of their changes.
//! A write may thus rely on rows that its own change inserts.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemas::{OrganisationCode, ServiceCode};

use super::change::{Change, NewDelivery, NewLeg, NewQuarantine, NewRecord, NewSubmission, Write};
use super::commit::Committed;
use super::error::StoreError;
use super::holds::HoldWrite;
use super::log::Head;
use super::looks;
use super::periods::LogPeriod;
use super::retention::{self, RetentionWrite};
use super::sinks::RequiredSink;
use super::value::{Value, name_of, values};
use crate::audit::alias::{self, Period};
use crate::audit::found_by::FoundBy;
use crate::audit::{Entry, SubjectKey};
use crate::entropy::Entropy;
use crate::queue::DeliveryState;

/// Why the log could not be extended or signed.
pub type LogError = Box<dyn Error + Send + Sync>;

/// What the store must have done to its log without knowing how.
pub struct LogKeeper {
    append: Box<Append>,
    checkpoint: Box<Sign>,
    required: Vec<RequiredSink>,
    look_up: Option<(Box<MakeKey>, Box<MakeAlias>)>,
}

type Append = dyn Fn(u64, &[u8], &[u8]) -> Result<Appended, LogError> + Send + Sync;
type Sign = dyn Fn(u64, &[u8], Timestamp) -> Result<String, LogError> + Send + Sync;
type MakeKey = dyn Fn(Period) -> Result<Vec<u8>, LogError> + Send + Sync;
type MakeAlias = dyn Fn(Period, &[u8], SubjectKey) -> Result<SubjectKey, LogError> + Send + Sync;

/// What appending a leaf to the log gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The hashes of the subtrees the leaf completes, kept with the entry.
    pub nodes: Vec<u8>,
    /// The new frontier.
    pub frontier: Vec<u8>,
}

impl LogKeeper {
    /// `append(size, frontier, leaf)` extends the log by one leaf; `checkpoint(size, frontier,
    /// at)` signs its state. Neither may wait for anything: they run inside the transaction.
    ///
    /// Such a log can be of nobody: an event that names a person is refused until it has a
    /// look-up.
    pub fn new(
        append: impl Fn(u64, &[u8], &[u8]) -> Result<Appended, LogError> + Send + Sync + 'static,
        checkpoint: impl Fn(u64, &[u8], Timestamp) -> Result<String, LogError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            append: Box::new(append),
            checkpoint: Box::new(checkpoint),
            required: Vec::new(),
            look_up: None,
        }
    }

    /// The sinks that entries must reach besides the database.
    #[must_use]
    pub fn requiring(self, required: Vec<RequiredSink>) -> Self {
        Self { required, ..self }
    }

    pub(super) fn required(&self) -> Vec<RequiredSink> {
        self.required.clone()
    }

    /// `make(period)` makes the sealed key of a period; `alias(period, key, subject)` what stands for
    /// a person in its leaves. Neither may wait for anything.
    #[must_use]
    pub fn with_look_up(
        self,
        make: impl Fn(Period) -> Result<Vec<u8>, LogError> + Send + Sync + 'static,
        alias: impl Fn(Period, &[u8], SubjectKey) -> Result<SubjectKey, LogError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { look_up: Some((Box::new(make), Box::new(alias))), ..self }
    }

    /// The sealed key of a period, where the log has a look-up.
    pub(super) fn make_key(&self, period: Period) -> Result<Option<Vec<u8>>, StoreError> {
        let made = self.look_up.as_ref().map(|(make, _)| make(period)).transpose();
        made.map_err(|error| StoreError::Log(Arc::from(error)))
    }

    /// What stands for a person in the leaves of a period.
    pub(super) fn alias(
        &self,
        period: Option<&LogPeriod>,
        subject: SubjectKey,
    ) -> Result<SubjectKey, StoreError> {
        let fault = |error: LogError| StoreError::Log(Arc::from(error));
        let Some(period) = period else {
            return Err(fault("a log without a look-up can name nobody".into()));
        };
        if period.period == Period::BEFORE {
            return Ok(subject);
        }
        match (&self.look_up, &period.key) {
            (Some((_, alias)), Some(key)) => alias(period.period, key, subject).map_err(fault),
            (_, _) => Err(fault("the key of this period is not here".into())),
        }
    }
}

impl fmt::Debug for LogKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogKeeper")
    }
}

/// The rows and the new head of one transaction.
pub(super) struct Plan {
    at: Timestamp,
    period: Option<LogPeriod>,
    pub(super) head: Head,
    pub(super) note: String,
    pub(super) rows: Rows,
    spans: Vec<(u64, u64)>,
    work: bool,
}

/// Rows to insert, by table.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) submissions: Vec<Vec<Value>>,
    pub(super) records: Vec<Vec<Value>>,
    pub(super) deliveries: Vec<Vec<Value>>,
    pub(super) legs: Vec<Vec<Value>>,
    pub(super) quarantine: Vec<Vec<Value>>,
    pub(super) entries: Vec<Vec<Value>>,
    pub(super) looks: Vec<Vec<Value>>,
    pub(super) removals: Vec<Vec<Value>>,
}

impl Plan {
    /// A plan that continues the log from its head, within a period.
    pub(super) fn new(head: Head, at: Timestamp, period: Option<LogPeriod>) -> Self {
        let (note, rows) = (String::new(), Rows::default());
        Self { at, period, head, note, rows, spans: Vec::new(), work: false }
    }

    /// Adds a change: its events to the log, its rows to their tables.
    pub(super) fn take(
        &mut self,
        change: &Change,
        keeper: &LogKeeper,
        entropy: &dyn Entropy,
    ) -> Result<(), StoreError> {
        let first = self.head.size;
        for (event, writes) in &change.steps {
            let seq = self.head.size;
            let id = entropy.make_id(self.at)?;
            let entry = Entry { seq, at_us: self.at.as_microsecond(), id, event: event.clone() };
            self.append(&entry, keeper)?;
            for write in writes {
                self.sort(write, seq)?;
            }
        }
        self.spans.push((first, self.head.size.saturating_sub(1)));
        Ok(())
    }

    /// Signs the log as it will be.
    pub(super) fn sign(&mut self, keeper: &LogKeeper) -> Result<(), StoreError> {
        self.note = (keeper.checkpoint)(self.head.size, &self.head.frontier, self.at)
            .map_err(|error| StoreError::Log(Arc::from(error)))?;
        Ok(())
    }

    /// When it is committed, to the gateway's clock.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether something may now be ready to be sent.
    pub(super) fn makes_work(&self) -> bool {
        self.work
    }

    /// What each change gets back, in their order.
    pub(super) fn into_committed(self) -> Vec<Committed> {
        let checkpoint = self.note;
        self.spans
            .into_iter()
            .map(|(first_seq, last_seq)| Committed {
                first_seq,
                last_seq,
                checkpoint: checkpoint.clone(),
            })
            .collect()
    }

    /// The leaf names an alias; beside it stands the pseudonym, by which it is found.
    fn append(&mut self, entry: &Entry, keeper: &LogKeeper) -> Result<(), StoreError> {
        let name = |subject| keeper.alias(self.period.as_ref(), subject);
        let told = Entry { event: alias::renamed(&entry.event, name)?, ..*entry };
        let leaf = serde_json::to_vec(&told).map_err(|error| StoreError::Log(Arc::new(error)))?;
        let appended = (keeper.append)(self.head.size, &self.head.frontier, &leaf)
            .map_err(|error| StoreError::Log(Arc::from(error)))?;
        let found_by = FoundBy::of(entry);
        self.rows.entries.push(values![
            entry.seq,
            leaf,
            appended.nodes,
            found_by.record,
            found_by.delivery,
            found_by.subject.map(|key| key.0),
            found_by.kind,
            found_by.at_us,
            found_by.organisation,
            found_by.person,
            found_by.counterparty,
            found_by.authority,
            found_by.outcome,
            found_by.reason,
        ]);
        self.head = Head { size: self.head.size + 1, frontier: appended.frontier };
        Ok(())
    }

    fn sort(&mut self, write: &Write, seq: u64) -> Result<(), StoreError> {
        match write {
            Write::Submission(new) => self.rows.submissions.push(submission(new, seq)),
            Write::Record(new) => self.rows.records.push(record(new)),
            Write::Delivery(new) => {
                self.rows.deliveries.push(delivery(new, seq)?);
                self.work |= new.state == DeliveryState::Queued;
            }
            Write::Leg(new) => self.rows.legs.push(leg(new)),
            Write::Quarantine(new) => self.rows.quarantine.push(quarantine(new)),
            Write::Looked(looked) => self.rows.looks.extend(looks::rows(looked, seq)),
            Write::Resume(..) | Write::Hold(HoldWrite::Resent(..)) => self.work = true,
            Write::Retention(RetentionWrite::Removed(gone)) => {
                self.rows.removals.push(retention::row_of(gone, seq, self.at));
            }
            Write::Consent(_)
            | Write::Settle { .. }
            | Write::Collected(..)
            | Write::Stop(..)
            | Write::TakenBack(..)
            | Write::Statement(_)
            | Write::StatementAnswered(..)
            | Write::Difference(_)
            | Write::DifferenceExplained(..)
            | Write::Acknowledged(..)
            | Write::Undelivered(..)
            | Write::LegChanged { .. }
            | Write::LegWithheld(_)
            | Write::LegReopened(..)
            | Write::LegRestarted(_)
            | Write::Clock(_)
            | Write::Override(..)
            | Write::InForce(..)
            | Write::DutyDone(..)
            | Write::Sending(_)
            | Write::Sent(_)
            | Write::LookUpDestroyed(_)
            | Write::RestoreFound(_)
            | Write::BackupMade(_)
            | Write::RestoreConfirmed { .. }
            | Write::Transition(_)
            | Write::DocumentBegun(_)
            | Write::DocumentMoved { .. }
            | Write::MessageHeld(..)
            | Write::MessageTaken(_)
            | Write::Hold(_)
            | Write::Identity(_)
            | Write::Alert(_)
            | Write::Watch(_)
            | Write::Retention(_) => {}
        }
        Ok(())
    }
}

fn submission(new: &NewSubmission, seq: u64) -> Vec<Value> {
    values![
        new.id.0,
        &new.sender,
        new.key.clone(),
        new.request_hash,
        new.status,
        new.answer.clone(),
        new.answer_type.clone(),
        new.original.envelope.clone(),
        new.received_at,
        seq,
    ]
}

fn record(new: &NewRecord) -> Vec<Value> {
    let recipients: Vec<&str> =
        new.sealed.recipients.iter().map(OrganisationCode::as_str).collect();
    values![
        new.sealed.record.0,
        new.submission.0,
        new.sealed.kind.as_str(),
        &new.sealed.sender,
        serde_json::Value::from(recipients).to_string(),
        new.sealed.envelope.clone(),
        new.identity,
        new.fingerprint,
        new.subject.map(|key| key.0),
        new.demographics,
        new.label.envelope.clone(),
        new.about.map(|leg| leg.0),
        new.decisions_pass_on,
        new.accepted_at,
        new.relations.case.map(|case| case.0),
        new.relations.supersedes.map(|id| id.0),
        new.relations.recalls.as_ref().map(|(id, _)| id.0),
        new.relations.recalls.as_ref().map(|(_, reason)| reason.clone()),
    ]
}

fn delivery(new: &NewDelivery, seq: u64) -> Result<Vec<Value>, StoreError> {
    use DeliveryState::{Held, Queued, Withdrawn};
    if !matches!(new.state, Queued | Held | Withdrawn) {
        return Err(StoreError::Conflict { rule: "a delivery begins queued, held or withdrawn" });
    }
    Ok(values![
        new.id.0,
        new.record.0,
        new.record.0,
        seq,
        &new.recipient,
        new.service.as_ref().map(ServiceCode::as_str),
        name_of(new.carrier),
        name_of(new.state),
        new.reason.clone(),
        new.available_at,
        (new.state == Held).then_some(new.available_at),
    ])
}

fn leg(new: &NewLeg) -> Vec<Value> {
    values![
        new.id.0,
        new.received_on,
        new.statutory_due,
        new.operational_due,
        new.rule_version.clone(),
        name_of(new.state),
        new.alternative_due,
    ]
}

fn quarantine(new: &NewQuarantine) -> Vec<Value> {
    values![
        new.id,
        new.submission.0,
        &new.sender,
        new.sealed.envelope.clone(),
        new.issues.clone(),
        new.at,
    ]
}
