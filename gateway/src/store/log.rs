//! Questions about the audit log: entries as they were appended, hashes for proofs, checkpoints.
//!
//! It hands out what is stored, as it is stored; whether that is what was once signed is for the
//! verifier to find out, so nothing here checks or repairs.

use jiff::Timestamp;
use schemas::{OrganisationCode, RecordId};

use super::Store;
use super::engine::{Statement, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{Value, values, whole};
use crate::audit::found_by::FoundBy;
use crate::audit::{Entry, SubjectKey};

/// The head of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are.
    pub size: u64,
    /// The roots of the complete subtrees that make up the log.
    pub frontier: Vec<u8>,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place.
    pub seq: u64,
    /// The canonical bytes of the entry.
    pub leaf: Vec<u8>,
    /// The hashes of the subtrees it completes.
    pub nodes: Vec<u8>,
}

impl From<AuditRow> for crate::audit::verify::Row {
    fn from(AuditRow { seq, leaf, nodes }: AuditRow) -> Self {
        Self { seq, leaf, nodes }
    }
}

/// A signed checkpoint as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// How many entries it speaks of.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note.
    pub note: String,
}

impl Store {
    /// The head of the log.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        let missing =
            || StoreError::Contradiction { table: "audit_head", column: "id", row: "1".to_owned() };
        let row = self.engine.row(&AUDIT_HEAD, values![]).await?.ok_or_else(missing)?;
        Ok(Head { size: row.count("size")?, frontier: row.bytes("frontier")? })
    }

    /// Entries from a place on.
    pub async fn audit_rows(&self, from: u64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let rows = self.engine.rows(&AUDIT_ROWS, values![from, limit]).await?;
        rows.iter().map(audit_row).collect()
    }

    /// Entries from a place on, each with what it is searched by.
    pub async fn audit_rows_found_by(
        &self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<(AuditRow, FoundBy)>, StoreError> {
        let rows = self.engine.rows(&AUDIT_ROWS_FOUND_BY, values![from, limit]).await?;
        rows.iter().map(|row| Ok((audit_row(row)?, found_by(row)?))).collect()
    }

    /// The entries at these places, in order of place; those that are not there are left out.
    /// Proofs are computed from their nodes.
    pub async fn audit_rows_at(&self, seqs: &[u64]) -> Result<Vec<AuditRow>, StoreError> {
        let mut found = Vec::with_capacity(seqs.len());
        let mut seqs = seqs.to_vec();
        seqs.sort_unstable();
        seqs.dedup();
        for some in seqs.chunks(SEQS) {
            let places = some.iter().map(|seq| Some(whole(*seq)));
            let places = places.chain(std::iter::repeat(None)).take(SEQS);
            let rows = self.engine.rows(&AUDIT_ROWS_AT, places.map(Value::Int).collect()).await?;
            for row in &rows {
                found.push(audit_row(row)?);
            }
        }
        Ok(found)
    }

    /// Everything the log says of a record or any of its deliveries and legs, oldest first.
    pub async fn journey(&self, record: RecordId) -> Result<Vec<Entry>, StoreError> {
        let rows = self.engine.rows(&JOURNEY, values![record.0]).await?;
        rows.iter().map(entry).collect()
    }

    /// The places of every entry that an organisation acted in, was the other one of, or that is
    /// about a record that was accepted from it: who collected it, who held it, who looked at it.
    pub async fn places_naming(
        &self,
        organisation: &OrganisationCode,
    ) -> Result<Vec<u64>, StoreError> {
        let rows = self.engine.rows(&PLACES_NAMING, values![organisation.as_str()]).await?;
        rows.iter().map(|row| row.count("seq")).collect()
    }

    /// The place of the first entry about a record. It does not read the entry, which may have
    /// been tampered with.
    pub async fn first_entry_about(&self, record: RecordId) -> Result<Option<u64>, StoreError> {
        let row = self.engine.row(&FIRST_ENTRY, values![record.0]).await?;
        row.map(|row| row.count("seq")).transpose()
    }

    /// Everything the log says of a person under any pseudonym that means them, oldest first, from
    /// a place on.
    pub async fn entries_about(
        &self,
        subject: SubjectKey,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for one in self.pseudonyms_of(subject).await? {
            let rows = self.engine.rows(&ENTRIES_ABOUT, values![one.0, from, limit]).await?;
            entries.extend(rows.iter().map(entry).collect::<Result<Vec<Entry>, _>>()?);
        }
        entries.sort_by_key(|entry| entry.seq);
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// The newest entries that concern a person, newest first, from before a place: those that name
    /// any pseudonym of theirs, those that name only a record or a delivery about them, and looks at
    /// lists that they were on.
    pub async fn entries_concerning(
        &self,
        subject: SubjectKey,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = self.entries_naming(subject, before, limit).await?;
        entries.extend(self.looks_concerning(subject, before, limit).await?);
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
        entries.dedup_by_key(|entry| entry.seq);
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(entries)
    }

    /// Of the entries that concern a person those that are no looks at lists, newest first.
    pub async fn entries_naming(
        &self,
        subject: SubjectKey,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.newest(&ENTRIES_NAMING, subject, before, limit).await
    }

    /// The looks at lists that a person was on, newest first: there may be many more of them than
    /// of anything else.
    pub async fn looks_concerning(
        &self,
        subject: SubjectKey,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.newest(&LOOKS_CONCERNING, subject, before, limit).await
    }

    /// The newest entries that a statement finds of a person, under any pseudonym of theirs.
    async fn newest(
        &self,
        statement: &Statement,
        subject: SubjectKey,
        before: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = std::collections::BTreeMap::new();
        for one in self.pseudonyms_of(subject).await? {
            for row in &self.engine.rows(statement, values![one.0, before, limit]).await? {
                entries.insert(row.count("seq")?, entry(row)?);
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(entries.into_values().rev().take(limit).collect())
    }

    /// Checkpoints of at least this size, smallest first.
    pub async fn checkpoints(
        &self,
        from_size: u64,
        limit: u32,
    ) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let rows = self.engine.rows(&CHECKPOINTS, values![from_size, limit]).await?;
        rows.iter().map(checkpoint).collect()
    }

    /// The newest checkpoint, if anything was ever committed.
    pub async fn latest_checkpoint(&self) -> Result<Option<StoredCheckpoint>, StoreError> {
        let row = self.engine.row(&LATEST_CHECKPOINT, values![]).await?;
        row.as_ref().map(checkpoint).transpose()
    }
}

fn audit_row(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow { seq: row.count("seq")?, leaf: row.bytes("leaf")?, nodes: row.bytes("nodes")? })
}

fn found_by(row: &Row) -> Result<FoundBy, StoreError> {
    Ok(FoundBy {
        kind: row.text("kind")?,
        at_us: row.int("at_us")?,
        organisation: row.text("organisation")?,
        person: row.maybe_text("person")?,
        counterparty: row.maybe_text("counterparty")?,
        authority: row.maybe_text("authority")?,
        outcome: row.maybe_text("outcome")?,
        reason: row.maybe_text("reason")?,
        record: row.maybe_id("record_id")?,
        delivery: row.maybe_id("delivery_id")?,
        subject: row.maybe_subject("subject")?,
    })
}

/// An entry as the gateway works with it: about whom, is what stands beside the leaf; the leaf has an
/// alias.
pub(super) fn entry(row: &Row) -> Result<Entry, StoreError> {
    let leaf = serde_json::from_slice(&row.bytes("leaf")?);
    let mut entry: Entry = leaf.or(Err(row.contradiction("leaf")))?;
    entry.event.subject = row.maybe_subject("subject")?;
    Ok(entry)
}

pub(super) fn checkpoint(row: &Row) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint {
        size: row.count("seq")?,
        at: row.time("at_us")?,
        note: row.text("note")?,
    })
}

statements! {
    AUDIT_HEAD = "log::audit_head" on "audit_head":
        "select size, frontier from audit_head where id = 1";
    AUDIT_ROWS = "log::audit_rows" on "audit_entries":
        "select seq, leaf, nodes from audit_entries where seq >= $1 order by seq limit $2";
    AUDIT_ROWS_FOUND_BY = "log::audit_rows_found_by" on "audit_entries":
        "select seq, leaf, nodes, kind, at_us, organisation, person, counterparty, authority,
            outcome, reason, record_id, delivery_id, subject
        from audit_entries where seq >= $1 order by seq limit $2";
    AUDIT_ROWS_AT = "log::audit_rows_at" on "audit_entries":
        "select seq, leaf, nodes from audit_entries
        where seq in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        order by seq";
    JOURNEY = "log::journey" on "audit_entries":
        "select seq, leaf, subject from audit_entries
        where record_id = $1
            or delivery_id in (select d.id from deliveries d where d.record_id = $1)
        order by seq";
    FIRST_ENTRY = "log::first_entry_about" on "audit_entries":
        "select seq from audit_entries where record_id = $1 order by seq limit 1";
    ENTRIES_ABOUT = "log::entries_about" on "audit_entries":
        "select seq, leaf, subject from audit_entries where subject = $1 and seq >= $2
        order by seq limit $3";
    LOOKS_CONCERNING = "log::looks_concerning" on "audit_entries":
        "select a.seq, a.leaf, a.subject from looks l join audit_entries a on a.seq = l.seq
        where l.subject = $1 and l.seq < $2 order by l.seq desc limit $3";
    PLACES_NAMING = "log::places_naming" on "audit_entries":
        "select seq from audit_entries where organisation = $1
        union
        select seq from audit_entries where counterparty = $1
        union
        select b.seq from audit_entries a
            join audit_entries b on b.record_id = a.record_id and b.seq > a.seq
        where a.organisation = $1 and a.kind = 'record.accepted'
        order by seq";
    ENTRIES_NAMING = "log::entries_naming" on "audit_entries":
        "select seq, leaf, subject from audit_entries where seq in (
            select a.seq from audit_entries a where a.subject = $1
            union
            select a.seq from records r join audit_entries a on a.record_id = r.id
            where r.subject = $1
            union
            select a.seq from records r join deliveries d on d.record_id = r.id
                join audit_entries a on a.delivery_id = d.id
            where r.subject = $1)
        and not exists (select 1 from log_periods p
            where p.destroyed_at is not null and seq >= p.from_seq and seq < p.until_seq)
        and seq < $2 order by seq desc limit $3";
    CHECKPOINTS = "log::checkpoints" on "checkpoints":
        "select size as seq, at_us, note from checkpoints where size >= $1 order by size limit $2";
    LATEST_CHECKPOINT = "log::latest_checkpoint" on "checkpoints":
        "select size as seq, at_us, note from checkpoints order by size desc limit 1";
}

/// How many places one statement asks for.
const SEQS: usize = 16;
