//! What is still kept under the retention schedule, and all that decides whether it may go.
//!
//! Reads only. Each list is of what began by a time, oldest first, so that what is not due yet is never
//! looked at.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{MessageType, OrganisationCode, RecordId};
use uuid::Uuid;

use super::Store;
use super::engine::{Statement, statements};
use super::error::StoreError;
use super::retention::Removable;
use super::row::Row;
use super::value::{Value, values};
use crate::audit::SubjectKey;
use crate::documents::DocumentState;
use crate::queue::{CaseId, SubmissionId};

/// Whose something is, for legal holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whose {
    /// About whom it is.
    pub subject: Option<SubjectKey>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
}

/// A record whose sealed copy is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a reason of its own to keep it")]
pub struct KeptRecord {
    /// The record.
    pub record: RecordId,
    /// Its type.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// Whose it is.
    pub whose: Whose,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When it was last delivered to anybody.
    pub last_delivered: Option<Timestamp>,
    /// Whether a delivery of it waits, failed, or is of unknown fate.
    pub waiting: bool,
    /// Whether a release of it in an emergency is not reviewed yet.
    pub under_review: bool,
    /// Whether its recall is still on its way to somebody.
    pub being_recalled: bool,
    /// Whether an answer or a duty is still owed in its case.
    pub open_in_case: bool,
}

/// A record whose sealed case reference, or facts, are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPart {
    /// The record.
    pub record: RecordId,
    /// Its type.
    pub kind: MessageType,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// Whose it is.
    pub whose: Whose,
    /// When the record was accepted.
    pub accepted_at: Timestamp,
    /// For facts: the first day on which the checklist was looked at.
    pub looked_at_from: Option<Date>,
    /// Whether an answer or a duty is still owed in its case.
    pub open_in_case: bool,
}

/// A submission whose original is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOriginal {
    /// The submission.
    pub submission: SubmissionId,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// When.
    pub received_at: Timestamp,
}

/// A quarantined item whose bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptQuarantine {
    /// Its id.
    pub id: Uuid,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// When it came.
    pub at: Timestamp,
    /// When a replay of it was accepted.
    pub resolved_at: Option<Timestamp>,
    /// Whether it waits for the scanner.
    pub waits_for_scanner: bool,
}

/// A document that is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument {
    /// Its id.
    pub id: Uuid,
    /// Who uploaded it.
    pub owner: OrganisationCode,
    /// Where it stands.
    pub state: DocumentState,
    /// When something last happened to it.
    pub touched_at: Timestamp,
    /// Whether it is known which messages name it.
    pub names_known: bool,
}

/// What was made of a submission, or names a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The record or quarantined item.
    pub item: Uuid,
    /// Whether it is a record; else it cannot be told whose it is.
    pub is_record: bool,
    /// Whose it is.
    pub whose: Whose,
    /// When it was removed, if it was.
    pub removed_at: Option<Timestamp>,
}

/// What was made of each submission, or names each document.
pub type Contents = HashMap<Uuid, Vec<Content>>;

/// A place in a list by time: after this one.
pub type KeptPlace = (Timestamp, Uuid);

impl Store {
    /// Records whose sealed copy is kept and that were accepted by a time, oldest first.
    pub async fn kept_records(
        &self,
        until: Timestamp,
        after: Option<KeptPlace>,
        limit: u32,
    ) -> Result<Vec<KeptRecord>, StoreError> {
        let rows = self.engine.rows(&KEPT_RECORDS, page(until, after, limit)).await?;
        let kept = |row: &Row| {
            Ok(KeptRecord {
                record: RecordId(row.id("id")?),
                kind: row.name("kind")?,
                sender: row.organisation("sender")?,
                whose: whose(row)?,
                accepted_at: row.time("accepted_at")?,
                last_delivered: row.maybe_time("last_delivered")?,
                waiting: row.count("waiting")? > 0,
                under_review: row.count("under_review")? > 0,
                being_recalled: row.count("being_recalled")? > 0,
                open_in_case: row.count("open_in_case")? > 0,
            })
        };
        rows.iter().map(kept).collect()
    }

    /// Records whose sealed copy is gone, whose case reference is kept, and that were accepted by a
    /// time, oldest first.
    pub async fn kept_labels(
        &self,
        until: Timestamp,
        after: Option<KeptPlace>,
        limit: u32,
    ) -> Result<Vec<KeptPart>, StoreError> {
        let rows = self.engine.rows(&KEPT_LABELS, page(until, after, limit)).await?;
        rows.iter().map(|row| part(row, None)).collect()
    }

    /// Records whose facts of the way to adulthood are kept, of people first looked at by a day.
    pub async fn kept_facts(
        &self,
        until: Date,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<Vec<KeptPart>, StoreError> {
        let after = after.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default();
        let rows = self.engine.rows(&KEPT_FACTS, values![until, after, limit]).await?;
        rows.iter().map(|row| part(row, Some(row.date("looked_at_from")?))).collect()
    }

    /// Submissions whose original is kept and that came by a time, oldest first.
    pub async fn kept_originals(
        &self,
        until: Timestamp,
        after: Option<KeptPlace>,
        limit: u32,
    ) -> Result<Vec<KeptOriginal>, StoreError> {
        let rows = self.engine.rows(&KEPT_ORIGINALS, page(until, after, limit)).await?;
        let kept = |row: &Row| {
            Ok(KeptOriginal {
                submission: SubmissionId(row.id("id")?),
                sender: row.organisation("sender")?,
                received_at: row.time("received_at")?,
            })
        };
        rows.iter().map(kept).collect()
    }

    /// Quarantined items whose bytes are kept and that came by a time, oldest first.
    pub async fn kept_quarantine(
        &self,
        until: Timestamp,
        after: Option<KeptPlace>,
        limit: u32,
    ) -> Result<Vec<KeptQuarantine>, StoreError> {
        let rows = self.engine.rows(&KEPT_QUARANTINE, page(until, after, limit)).await?;
        let kept = |row: &Row| {
            Ok(KeptQuarantine {
                id: row.id("id")?,
                sender: row.organisation("sender")?,
                at: row.time("at_us")?,
                resolved_at: row.maybe_time("resolved_at")?,
                waits_for_scanner: row.count("waits")? > 0,
            })
        };
        rows.iter().map(kept).collect()
    }

    /// Documents that are kept and that nothing has happened to since before a time, oldest first.
    pub async fn kept_documents(
        &self,
        until: Timestamp,
        after: Option<KeptPlace>,
        limit: u32,
    ) -> Result<Vec<KeptDocument>, StoreError> {
        let rows = self.engine.rows(&KEPT_DOCUMENTS, page(until, after, limit)).await?;
        let kept = |row: &Row| {
            Ok(KeptDocument {
                id: row.id("id")?,
                owner: row.organisation("owner")?,
                state: row.name("state")?,
                touched_at: row.time("touched_at")?,
                names_known: row.count("names_known")? > 0,
            })
        };
        rows.iter().map(kept).collect()
    }

    /// The records and quarantined items that were made of each of these submissions. A submission
    /// that nothing was made of is not there.
    pub async fn contents_of(&self, submissions: &[Uuid]) -> Result<Contents, StoreError> {
        self.contents(&CONTENTS_OF, submissions).await
    }

    /// The records that name each of these documents. A document that none names is not there.
    pub async fn records_naming(&self, documents: &[Uuid]) -> Result<Contents, StoreError> {
        self.contents(&RECORDS_NAMING, documents).await
    }

    async fn contents(
        &self,
        statement: &'static Statement,
        of: &[Uuid],
    ) -> Result<Contents, StoreError> {
        let mut found = Contents::new();
        for some in of.chunks(ASKED) {
            let ids = some.iter().map(|id| Some(id.as_bytes().to_vec()));
            let ids = ids.chain(std::iter::repeat(None)).take(ASKED);
            let rows = self.engine.rows(statement, ids.map(Value::Blob).collect()).await?;
            for row in &rows {
                found.entry(row.id("made_of")?).or_default().push(content(row)?);
            }
        }
        Ok(found)
    }

    /// The sealed bytes of something, for their hash; `None` when they are gone.
    pub async fn kept_bytes(
        &self,
        what: Removable,
        item: Uuid,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let statement = match what {
            Removable::SealedCopy => &BYTES_OF_RECORD,
            Removable::Original => &BYTES_OF_ORIGINAL,
            Removable::Quarantine => &BYTES_OF_QUARANTINE,
            Removable::Document => &BYTES_OF_DOCUMENT,
            Removable::Label => &BYTES_OF_LABEL,
            Removable::Transition => &BYTES_OF_FACTS,
        };
        let row = self.engine.row(statement, values![item]).await?;
        row.map(|row| row.bytes("sealed")).transpose()
    }
}

fn page(until: Timestamp, after: Option<KeptPlace>, limit: u32) -> Vec<Value> {
    let (at, id) = match after {
        Some((at, id)) => (at.as_microsecond(), id.as_bytes().to_vec()),
        None => (i64::MIN, Vec::new()),
    };
    values![until, at, id, limit]
}

fn whose(row: &Row) -> Result<Whose, StoreError> {
    let case = row.maybe_id("case_id")?.map(CaseId);
    Ok(Whose { subject: row.maybe_subject("subject")?, case })
}

fn part(row: &Row, looked_at_from: Option<Date>) -> Result<KeptPart, StoreError> {
    Ok(KeptPart {
        record: RecordId(row.id("id")?),
        kind: row.name("kind")?,
        sender: row.organisation("sender")?,
        whose: whose(row)?,
        accepted_at: row.time("accepted_at")?,
        looked_at_from,
        open_in_case: row.count("open_in_case")? > 0,
    })
}

fn content(row: &Row) -> Result<Content, StoreError> {
    Ok(Content {
        item: row.id("id")?,
        is_record: row.count("is_record")? > 0,
        whose: whose(row)?,
        removed_at: row.maybe_time("removed_at")?,
    })
}

statements! {
    KEPT_RECORDS = "kept::kept_records" on "records":
        "select r.id, r.kind, r.sender, r.subject, r.case_id, r.accepted_at, s.last_delivered,
            s.waiting, s.under_review, s.being_recalled, s.open_in_case
        from records r join record_standing s on s.id = r.id
        where r.removed_at is null and r.accepted_at <= $1 and (r.accepted_at, r.id) > ($2, $3)
        order by r.accepted_at, r.id limit $4";
    KEPT_LABELS = "kept::kept_labels" on "records":
        "select r.id, r.kind, r.sender, r.subject, r.case_id, r.accepted_at, s.open_in_case
        from records r join record_standing s on s.id = r.id
        where r.label_removed_at is null and r.removed_at is not null and r.accepted_at <= $1
            and (r.accepted_at, r.id) > ($2, $3)
        order by r.accepted_at, r.id limit $4";
    KEPT_FACTS = "kept::kept_facts" on "transition_steps":
        "select r.id, r.kind, r.sender, t.subject, r.case_id, r.accepted_at, t.looked_at_from,
            s.open_in_case
        from transition_steps f join transitions t on t.id = f.transition_id
            join records r on r.id = f.record_id join record_standing s on s.id = r.id
        where f.removed_at is null and t.looked_at_from <= $1 and r.id > $2
        order by r.id limit $3";
    KEPT_ORIGINALS = "kept::kept_originals" on "submissions":
        "select id, sender, received_at from submissions
        where removed_at is null and received_at <= $1 and (received_at, id) > ($2, $3)
        order by received_at, id limit $4";
    KEPT_QUARANTINE = "kept::kept_quarantine" on "quarantine":
        "select q.id, q.sender, q.at_us, q.resolved_at,
            (select count(*) from held_messages h where h.id = q.id and h.taken_at is null) as waits
        from quarantine q
        where q.removed_at is null and q.at_us <= $1 and (q.at_us, q.id) > ($2, $3)
        order by q.at_us, q.id limit $4";
    KEPT_DOCUMENTS = "kept::kept_documents" on "documents":
        "select id, owner, state, touched_at, names_known from documents
        where removed_at is null and state in ('ready', 'not-scanned', 'flagged')
            and touched_at <= $1 and (touched_at, id) > ($2, $3)
        order by touched_at, id limit $4";
    CONTENTS_OF = "kept::contents_of" on "records":
        "select submission_id as made_of, id, cast(1 as bigint) as is_record, subject, case_id,
            removed_at
        from records where submission_id in
            ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        union all
        select submission_id, id, cast(0 as bigint), null, null, removed_at
        from quarantine where submission_id in
            ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    RECORDS_NAMING = "kept::records_naming" on "records":
        "select n.document_id as made_of, r.id, cast(1 as bigint) as is_record, r.subject, r.case_id,
            r.removed_at
        from record_documents n join records r on r.id = n.record_id where n.document_id in
            ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    BYTES_OF_RECORD = "kept::kept_bytes" on "records":
        "select envelope as sealed from records where id = $1 and removed_at is null";
    BYTES_OF_ORIGINAL = "kept::kept_bytes" on "submissions":
        "select original as sealed from submissions where id = $1 and removed_at is null";
    BYTES_OF_QUARANTINE = "kept::kept_bytes" on "quarantine":
        "select sealed from quarantine where id = $1 and removed_at is null";
    BYTES_OF_DOCUMENT = "kept::kept_bytes" on "documents":
        "select header as sealed from documents where id = $1 and removed_at is null";
    BYTES_OF_LABEL = "kept::kept_bytes" on "records":
        "select label as sealed from records where id = $1 and label_removed_at is null";
    BYTES_OF_FACTS = "kept::kept_bytes" on "transition_steps":
        "select facts as sealed from transition_steps where record_id = $1 and removed_at is null";
}

/// Of how many submissions or documents one statement asks.
const ASKED: usize = 16;
