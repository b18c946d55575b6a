//! What was removed when its time was over, and the writes that remove; the certificates of it.
//!
//! Removing writes nothing over the sealed bytes, and with them the wrapped key, and leaves the row:
//! other rows refer to it. The row of `removals` says by which entry of the log. Each statement asks
//! again what its caller asked of the same thing before (whether a delivery of it waits, a release is
//! not reviewed, a recall is under way, its case is open, the scanner has not answered), so that what
//! has begun to move meanwhile stays; that legal holds are the same is asked once for a commit. A
//! record of which something is leaving at the moment stays too, and nothing of one that was removed
//! begins to leave: commits have one order. With the last sealed copy about a person go the marks by
//! which access to somebody's own was told.

use jiff::Timestamp;
use schemas::RecordId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Store;
use super::engine::{Statement, Transaction, statements};
use super::error::{REMOVED_MEANWHILE, StoreError};
use super::legal_holds::{self, Lifted, NewLegalHold};
use super::row::Row;
use super::value::{Value, name_of, values};
use super::writes::one;
use crate::queue::DeliveryId;

/// What can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removable {
    /// A record's sealed copy; `record` where it is written.
    #[serde(rename = "record")]
    SealedCopy,
    /// A submission as it came in.
    Original,
    /// A quarantined item's bytes.
    Quarantine,
    /// The key of a document that is kept apart.
    Document,
    /// A record's sealed case reference.
    Label,
    /// What a record says of the way to adulthood.
    Transition,
}

impl Removable {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SealedCopy => "record",
            Self::Original => "original",
            Self::Quarantine => "quarantine",
            Self::Document => "document",
            Self::Label => "label",
            Self::Transition => "transition",
        }
    }
}

/// Writes about retention.
#[derive(Debug)]
pub enum RetentionWrite {
    /// Fails when legal holds are not as many as were read: placed ever, and lifted of these. Fails
    /// with [`StoreError::HeldAfterRestore`] when some may have been lost with a backup.
    HoldsAre(u64, u64),
    /// Fails when a record was removed: content of it is about to be shown.
    StillKept(RecordId),
    /// Something is removed. Fails when it was, or may not be any more.
    Removed(Removal),
    /// A legal hold is placed.
    HoldPlaced(NewLegalHold),
    /// A legal hold is lifted. Fails when it was, or by whoever placed it.
    HoldLifted(Uuid, Lifted),
    /// What was removed, up to an entry of the log, and was not certified yet, is certified. Fails
    /// when that is not as many things as the certificate lists.
    Certified(NewCertificate),
    /// A record names a document that is kept apart. Fails when that was removed.
    DocumentNamed(RecordId, Uuid),
}

/// Something that is removed, explained by the event of its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// What.
    pub what: Removable,
    /// The record, submission, quarantined item or document.
    pub item: Uuid,
    /// Its class in the schedule.
    pub class: &'static str,
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
    /// The version of the schedule.
    pub rule_version: String,
}

/// A certificate of deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCertificate {
    /// Its id.
    pub id: Uuid,
    /// How many things it lists.
    pub items: u64,
    /// The last entry of the log that it lists.
    pub last_entry: u64,
    /// The signed text.
    pub certificate: String,
}

/// Something that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRemoval {
    /// The entry of the log that says so.
    pub entry: u64,
    /// What.
    pub what: Removable,
    /// The record, submission, quarantined item or document.
    pub item: Uuid,
    /// Its class in the schedule.
    pub class: String,
    /// SHA-256 of the sealed bytes.
    pub sha256: [u8; 32],
    /// The version of the schedule.
    pub rule_version: String,
    /// When.
    pub at: Timestamp,
    /// The certificate that lists it.
    pub certificate: Option<Uuid>,
}

/// A certificate as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCertificate {
    /// Its id.
    pub id: Uuid,
    /// When it was made.
    pub made_at: Timestamp,
    /// How many things it lists.
    pub items: u64,
    /// The signed text.
    pub certificate: String,
}

impl Store {
    /// What was removed in a time, oldest first, from after an entry of the log.
    pub async fn removals(
        &self,
        (from, until): (Timestamp, Timestamp),
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<StoredRemoval>, StoreError> {
        let after = after.map_or(-1, super::value::whole);
        let rows = self.engine.rows(&REMOVALS, values![from, until, after, limit]).await?;
        rows.iter().map(removal).collect()
    }

    /// How and when something was removed.
    pub async fn removal_of(
        &self,
        what: Removable,
        item: Uuid,
    ) -> Result<Option<StoredRemoval>, StoreError> {
        let row = self.engine.row(&REMOVAL_OF, values![what.as_str(), item]).await?;
        row.as_ref().map(removal).transpose()
    }

    /// What was removed and is on no certificate yet, oldest first.
    pub async fn uncertified(&self, limit: u32) -> Result<Vec<StoredRemoval>, StoreError> {
        let rows = self.engine.rows(&UNCERTIFIED, values![limit]).await?;
        rows.iter().map(removal).collect()
    }

    /// The newest certificates of deletion, newest first.
    pub async fn deletion_certificates(
        &self,
        limit: u32,
    ) -> Result<Vec<StoredCertificate>, StoreError> {
        let rows = self.engine.rows(&CERTIFICATES, values![limit]).await?;
        rows.iter().map(certificate).collect()
    }

    /// The certificate of deletion with an id.
    pub async fn deletion_certificate(
        &self,
        id: Uuid,
    ) -> Result<Option<StoredCertificate>, StoreError> {
        let row = self.engine.row(&FIND_CERTIFICATE, values![id]).await?;
        row.as_ref().map(certificate).transpose()
    }
}

/// Applies a write about retention.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &RetentionWrite,
    now: Timestamp,
) -> Result<(), StoreError> {
    match write {
        RetentionWrite::HoldsAre(placed, lifted) => legal_holds::are(tx, *placed, *lifted).await,
        RetentionWrite::StillKept(record) => {
            if tx.rows(&STILL_KEPT, values![record.0]).await?.is_empty() {
                return Err(StoreError::Conflict { rule: REMOVED_MEANWHILE });
            }
            Ok(())
        }
        RetentionWrite::HoldPlaced(new) => legal_holds::place(tx, new, now).await,
        RetentionWrite::HoldLifted(id, lifted) => legal_holds::lift(tx, *id, lifted, now).await,
        RetentionWrite::Removed(removal) => remove(tx, removal, now).await,
        RetentionWrite::Certified(new) => {
            let values = values![new.id, now, new.items, new.certificate.as_str()];
            tx.execute(&CERTIFY, values).await?;
            let listed = tx.execute(&LISTED, values![new.id, new.last_entry]).await?;
            let rule = "what a certificate lists was certified before";
            if listed == new.items { Ok(()) } else { Err(StoreError::Conflict { rule }) }
        }
        RetentionWrite::DocumentNamed(record, document) => {
            let rule = "a document that is named is there";
            one(tx, &NAMED, values![record.0, *document], rule).await
        }
    }
}

async fn remove(tx: &mut Transaction, gone: &Removal, now: Timestamp) -> Result<(), StoreError> {
    let statement: &Statement = match gone.what {
        Removable::SealedCopy => &REMOVE_RECORD,
        Removable::Original => &REMOVE_ORIGINAL,
        Removable::Quarantine => &REMOVE_QUARANTINE,
        Removable::Document => &REMOVE_DOCUMENT,
        Removable::Label => &REMOVE_LABEL,
        Removable::Transition => &REMOVE_FACTS,
    };
    let values = values![gone.item, Vec::<u8>::new(), now];
    one(tx, statement, values, "what is removed is there, and nothing waits for it").await?;
    if gone.what == Removable::SealedCopy {
        tx.execute(&FORGET_MARKS, values![gone.item]).await?;
    }
    Ok(())
}

/// Whether the record of a delivery was removed.
pub(super) async fn is_removed_from(
    tx: &mut Transaction,
    delivery: DeliveryId,
) -> Result<bool, StoreError> {
    Ok(!tx.rows(&REMOVED_FROM, values![delivery.0]).await?.is_empty())
}

/// The row of what is removed, with the entry that says so.
pub(super) fn row_of(gone: &Removal, seq: u64, at: Timestamp) -> Vec<Value> {
    values![
        seq,
        name_of(gone.what),
        gone.item,
        gone.class,
        gone.sha256,
        gone.rule_version.as_str(),
        at,
    ]
}

fn removal(row: &Row) -> Result<StoredRemoval, StoreError> {
    Ok(StoredRemoval {
        entry: row.count("entry")?,
        what: row.name("what")?,
        item: row.id("item")?,
        class: row.text("class")?,
        sha256: row.hash("sha256")?,
        rule_version: row.text("rule_version")?,
        at: row.time("at_us")?,
        certificate: row.maybe_id("certificate")?,
    })
}

fn certificate(row: &Row) -> Result<StoredCertificate, StoreError> {
    Ok(StoredCertificate {
        id: row.id("id")?,
        made_at: row.time("made_at")?,
        items: row.count("items")?,
        certificate: row.text("certificate")?,
    })
}

statements! {
    REMOVALS = "retention::removals" on "removals":
        "select entry, what, item, class, sha256, rule_version, at_us, certificate from removals
        where at_us >= $1 and at_us < $2 and entry > $3 order by entry limit $4";
    REMOVAL_OF = "retention::removal_of" on "removals":
        "select entry, what, item, class, sha256, rule_version, at_us, certificate from removals
        where what = $1 and item = $2";
    UNCERTIFIED = "retention::uncertified" on "removals":
        "select entry, what, item, class, sha256, rule_version, at_us, certificate from removals
        where certificate is null order by entry limit $1";
    CERTIFICATES = "retention::deletion_certificates" on "deletion_certificates":
        "select id, made_at, items, certificate from deletion_certificates
        order by made_at desc, id desc limit $1";
    FIND_CERTIFICATE = "retention::deletion_certificate" on "deletion_certificates":
        "select id, made_at, items, certificate from deletion_certificates where id = $1";
    CERTIFY = "retention::update" on "deletion_certificates":
        "insert into deletion_certificates (id, made_at, items, certificate)
        values ($1, $2, $3, $4)";
    LISTED = "retention::update" on "removals":
        "update removals set certificate = $1 where certificate is null and entry <= $2";
    NAMED = "retention::update" on "record_documents":
        "insert into record_documents (record_id, document_id)
        select $1, id from documents where id = $2 and removed_at is null";
    REMOVE_RECORD = "retention::remove" on "records":
        "update records set envelope = $2, removed_at = $3
        where id = $1 and removed_at is null and exists (
            select 1 from record_standing s where s.id = records.id and s.waiting = 0
                and s.under_review = 0 and s.being_recalled = 0 and s.open_in_case = 0)
            and not exists (
                select 1 from sends l where l.subject = records.subject and l.until > $3)";
    FORGET_MARKS = "retention::remove" on "subject_marks":
        "delete from subject_marks
        where subject in (select g.subject from records g where g.id = $1) and not exists (
            select 1 from records r
            where r.subject = subject_marks.subject and r.removed_at is null)";
    REMOVE_ORIGINAL = "retention::remove" on "submissions":
        "update submissions set original = $2, removed_at = $3
        where id = $1 and removed_at is null
            and not exists (select 1 from records r
                where r.submission_id = submissions.id and r.removed_at is null)
            and not exists (select 1 from quarantine q
                where q.submission_id = submissions.id and q.removed_at is null)";
    REMOVE_QUARANTINE = "retention::remove" on "quarantine":
        "update quarantine set sealed = $2, removed_at = $3
        where id = $1 and removed_at is null and not exists (
            select 1 from held_messages h where h.id = quarantine.id and h.taken_at is null)";
    REMOVE_DOCUMENT = "retention::remove" on "documents":
        "update documents set header = $2, removed_at = $3, state = 'abandoned',
            reason = 'retention'
        where id = $1 and removed_at is null and state in ('ready', 'flagged') and names_known = 1
            and not exists (
            select 1 from record_documents n join records r on r.id = n.record_id
            where n.document_id = documents.id and r.removed_at is null)";
    REMOVE_LABEL = "retention::remove" on "records":
        "update records set label = $2, label_removed_at = $3
        where id = $1 and label_removed_at is null and removed_at is not null and exists (
            select 1 from record_standing s where s.id = records.id and s.open_in_case = 0)";
    REMOVE_FACTS = "retention::remove" on "transition_steps":
        "update transition_steps set facts = $2, removed_at = $3
        where record_id = $1 and removed_at is null and exists (
            select 1 from record_standing s
            where s.id = transition_steps.record_id and s.open_in_case = 0)";
    STILL_KEPT = "retention::update" on "records":
        "select id from records where id = $1 and removed_at is null";
    REMOVED_FROM = "retention::is_removed_from" on "records":
        "select r.id from records r join deliveries d on d.record_id = r.id
        where d.id = $1 and r.removed_at is not null";
}
