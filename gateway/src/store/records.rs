//! Questions about what came in: submissions, records, and what could not be accepted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{LegId, OrganisationCode, RecordId};
use uuid::Uuid;

use super::Store;
use super::change::Relations;
use super::engine::statements;
use super::error::StoreError;
use super::row::Row;
use super::value::{Value, values};
use crate::audit::SubjectKey;
use crate::queue::{CaseId, SubmissionId};
use crate::vault::{SealedBlob, SealedRecord};

/// A submission as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The idempotency key.
    pub key: String,
    /// SHA-256 of the request, to tell a retry from a clash.
    pub request_hash: [u8; 32],
    /// The HTTP status answered.
    pub status: u16,
    /// The answer.
    pub answer: Vec<u8>,
    /// The media type of the answer.
    pub answer_type: String,
    /// The original bytes, sealed.
    pub original: SealedBlob,
    /// When it was received.
    pub received_at: Timestamp,
    /// The place in the log of the event that explains it.
    pub audit_seq: u64,
}

/// An accepted record: sealed content and what may be known without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The sealed record.
    pub sealed: SealedRecord,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// About whom.
    pub subject: Option<SubjectKey>,
    /// HMAC of date of birth and family name.
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

/// Something that could not be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredQuarantine {
    /// Its id.
    pub id: Uuid,
    /// The submission it came in.
    pub submission: SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// The row's own bytes, sealed.
    pub sealed: SealedBlob,
    /// The issues, as JSON.
    pub issues: String,
    /// When.
    pub at: Timestamp,
    /// How often it went through the pipeline again.
    pub replays: u64,
    /// The submission that a replay became, when one was accepted.
    pub resolved_as: Option<SubmissionId>,
}

impl Store {
    /// The submission a sender made under an idempotency key.
    pub async fn find_submission(
        &self,
        sender: &OrganisationCode,
        key: &str,
    ) -> Result<Option<StoredSubmission>, StoreError> {
        let row = self.engine.row(&FIND_SUBMISSION, values![sender, key]).await?;
        row.as_ref().map(submission).transpose()
    }

    /// The submission with an id, for example the one a record came in.
    pub async fn submission(
        &self,
        id: SubmissionId,
    ) -> Result<Option<StoredSubmission>, StoreError> {
        let row = self.engine.row(&SUBMISSION, values![id.0]).await?;
        row.as_ref().map(submission).transpose()
    }

    /// The record with an id.
    pub async fn find_record(&self, id: RecordId) -> Result<Option<StoredRecord>, StoreError> {
        let row = self.engine.row(&FIND_RECORD, values![id.0]).await?;
        row.as_ref().map(record).transpose()
    }

    /// Who sent each of some records; those that are not there are left out.
    pub async fn senders_of(
        &self,
        records: &BTreeSet<RecordId>,
    ) -> Result<BTreeMap<RecordId, OrganisationCode>, StoreError> {
        let mut found = BTreeMap::new();
        let records: Vec<&RecordId> = records.iter().collect();
        for some in records.chunks(AT_ONCE) {
            let ids = some.iter().map(|id| Some(id.0.as_bytes().to_vec()));
            let ids = ids.chain(std::iter::repeat(None)).take(AT_ONCE);
            for row in &self.engine.rows(&SENDERS_OF, ids.map(Value::Blob).collect()).await? {
                found.insert(RecordId(row.id("id")?), row.organisation("sender")?);
            }
        }
        Ok(found)
    }

    /// The record a sender sent before under the same reference, and its fingerprint.
    pub async fn find_duplicate(
        &self,
        identity: [u8; 32],
    ) -> Result<Option<(RecordId, [u8; 32])>, StoreError> {
        let row = self.engine.row(&FIND_DUPLICATE, values![identity]).await?;
        row.map(|row| Ok((RecordId(row.id("id")?), row.hash("fingerprint")?))).transpose()
    }

    /// Whether a sender has ever sent a record about a person that was accepted, under any
    /// pseudonym that means them.
    pub async fn has_record_about(
        &self,
        sender: &OrganisationCode,
        subject: SubjectKey,
    ) -> Result<bool, StoreError> {
        for one in self.pseudonyms_of(subject).await? {
            if self.engine.row(&HAS_RECORD_ABOUT, values![sender, one.0]).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many records there are about a person, under this one pseudonym.
    pub async fn records_about(&self, subject: SubjectKey) -> Result<u64, StoreError> {
        let row = self.engine.row(&RECORDS_ABOUT, values![subject.0]).await?;
        row.map_or(Ok(0), |row| row.count("records"))
    }

    /// The records that answer a leg, oldest first.
    pub async fn answers_to(&self, leg: LegId) -> Result<Vec<RecordId>, StoreError> {
        let rows = self.engine.rows(&ANSWERS_TO, values![leg.0]).await?;
        rows.iter().map(|row| row.id("id").map(RecordId)).collect()
    }

    /// Sealed records that are there, in the order of their ids, for verification: what is hashed and
    /// compared with the log. Pass the last id to go on.
    pub async fn sealed_envelopes(
        &self,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<(RecordId, Vec<u8>)>, StoreError> {
        let after = after.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default();
        let rows = self.engine.rows(&SEALED_ENVELOPES, values![after, limit]).await?;
        rows.iter().map(|row| Ok((RecordId(row.id("id")?), row.bytes("envelope")?))).collect()
    }

    /// What could not be accepted, oldest first; of one sender, or of all. Pass the last id to go
    /// on.
    pub async fn quarantined(
        &self,
        sender: Option<&OrganisationCode>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<StoredQuarantine>, StoreError> {
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let sender = sender.map(OrganisationCode::as_str);
        let rows = self.engine.rows(&QUARANTINED, values![sender, after, limit]).await?;
        rows.iter().map(quarantine).collect()
    }

    /// The quarantined item with an id.
    pub async fn find_quarantined(&self, id: Uuid) -> Result<Option<StoredQuarantine>, StoreError> {
        let row = self.engine.row(&FIND_QUARANTINED, values![id]).await?;
        row.as_ref().map(quarantine).transpose()
    }
}

fn submission(row: &Row) -> Result<StoredSubmission, StoreError> {
    Ok(StoredSubmission {
        id: SubmissionId(row.id("id")?),
        sender: row.organisation("sender")?,
        key: row.text("idempotency_key")?,
        request_hash: row.hash("request_hash")?,
        status: u16::try_from(row.int("status")?).or(Err(row.contradiction("status")))?,
        answer: row.bytes("answer")?,
        answer_type: row.text("answer_type")?,
        original: SealedBlob { envelope: row.bytes("original")? },
        received_at: row.time("received_at")?,
        audit_seq: row.count("audit_seq")?,
    })
}

fn record(row: &Row) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord {
        sealed: SealedRecord {
            record: RecordId(row.id("id")?),
            kind: row.name("kind")?,
            sender: row.organisation("sender")?,
            recipients: row.list("recipients")?,
            envelope: row.bytes("envelope")?,
        },
        submission: SubmissionId(row.id("submission_id")?),
        subject: row.maybe_subject("subject")?,
        demographics: row.maybe_hash("demographics")?,
        label: SealedBlob { envelope: row.bytes("label")? },
        about: row.maybe_id("about")?.map(LegId),
        relations: relations(row)?,
        decisions_pass_on: row.maybe_date("decisions_pass_on")?,
        accepted_at: row.time("accepted_at")?,
    })
}

pub(super) fn relations(row: &Row) -> Result<Relations, StoreError> {
    let recalls = row.maybe_id("recalls")?.map(RecordId);
    Ok(Relations {
        case: row.maybe_id("case_id")?.map(CaseId),
        supersedes: row.maybe_id("supersedes")?.map(RecordId),
        recalls: recalls.zip(row.maybe_text("recall_reason")?),
    })
}

fn quarantine(row: &Row) -> Result<StoredQuarantine, StoreError> {
    Ok(StoredQuarantine {
        id: row.id("id")?,
        submission: SubmissionId(row.id("submission_id")?),
        sender: row.organisation("sender")?,
        sealed: SealedBlob { envelope: row.bytes("sealed")? },
        issues: row.text("issues")?,
        at: row.time("at_us")?,
        replays: row.count("replays")?,
        resolved_as: row.maybe_id("resolved_as")?.map(SubmissionId),
    })
}

statements! {
    FIND_SUBMISSION = "records::find_submission" on "submissions":
        "select id, sender, idempotency_key, request_hash, status, answer, answer_type, original,
            received_at, audit_seq
        from submissions where sender = $1 and idempotency_key = $2";
    SUBMISSION = "records::submission" on "submissions":
        "select id, sender, idempotency_key, request_hash, status, answer, answer_type, original,
            received_at, audit_seq
        from submissions where id = $1";
    FIND_RECORD = "records::find_record" on "records":
        "select id, submission_id, kind, sender, recipients, envelope, subject, demographics,
            label, about, decisions_pass_on, accepted_at, case_id, supersedes, recalls,
            recall_reason
        from records where id = $1";
    SENDERS_OF = "records::senders_of" on "records":
        "select id, sender from records
        where id in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    FIND_DUPLICATE = "records::find_duplicate" on "records":
        "select id, fingerprint from records where identity = $1";
    HAS_RECORD_ABOUT = "records::has_record_about" on "records":
        "select id from records where subject = $2 and sender = $1 limit 1";
    RECORDS_ABOUT = "records::records_about" on "records":
        "select count(*) as records from records where subject = $1";
    ANSWERS_TO = "records::answers_to" on "records":
        "select id from records where about = $1 order by accepted_at, id";
    SEALED_ENVELOPES = "records::sealed_envelopes" on "records":
        "select id, envelope from records where id > $1 and length(envelope) > 0
        order by id limit $2";
    QUARANTINED = "records::quarantined" on "quarantine":
        "select id, submission_id, sender, sealed, issues, at_us, replays, resolved_as
        from quarantine
        where (cast($1 as text) is null or sender = $1) and id > $2
        order by id limit $3";
    FIND_QUARANTINED = "records::find_quarantined" on "quarantine":
        "select id, submission_id, sender, sealed, issues, at_us, replays, resolved_as
        from quarantine where id = $1";
}

/// How many records one statement asks for.
const AT_ONCE: usize = 16;
