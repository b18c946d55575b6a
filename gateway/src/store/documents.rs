//! Documents that are uploaded apart from their message: what is known of each, and the messages
//! that wait for the scanner. The sealed bytes themselves are in the document store.
//!
//! A document that is refused, given up or removed has ended: its key goes in that commit, its segments
//! after it, and `cleared_at` says when nothing of it was left.
//!
//! How far an upload has come is bookkeeping: it is not in the log, and only ever moves forward
//! from where it was read.

use jiff::Timestamp;
use schemas::OrganisationCode;
use uuid::Uuid;

use super::Store;
use super::change::Write;
use super::engine::{Transaction, statements};
use super::error::StoreError;
use super::row::Row;
use super::value::{name_of, values};
use super::writes::one;
use crate::documents::DocumentState;
use crate::vault::segments::DocumentHeader;

/// A document as it is known: uploaded, or on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// Its id.
    pub id: Uuid,
    /// Who uploads it.
    pub owner: OrganisationCode,
    /// How many bytes it will have.
    pub size: u64,
    /// The digest its sender declared.
    pub declared_sha256: Option<[u8; 32]>,
    /// The wrapped key of its segments; empty once it has ended.
    pub header: DocumentHeader,
    /// When its upload began.
    pub begun_at: Timestamp,
    /// Its state.
    pub state: DocumentState,
    /// The rule behind the state.
    pub reason: Option<String>,
    /// How many bytes have come in and are kept.
    pub received: u64,
    /// When something last came in or changed.
    pub touched_at: Timestamp,
    /// The digest of its bytes, once all were read.
    pub sha256: Option<[u8; 32]>,
    /// The media type of its content, once all was read.
    pub media_type: Option<String>,
}

/// A message in quarantine that waits for the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMessage {
    /// Its id in quarantine.
    pub id: Uuid,
    /// Who sent it.
    pub sender: OrganisationCode,
    /// Its own bytes, sealed.
    pub sealed: crate::vault::SealedBlob,
    /// The media type it is written in.
    pub format: String,
    /// When it came in.
    pub at: Timestamp,
}

impl Store {
    /// The document with an id, whose ever it is: the caller compares the owner.
    pub async fn find_document(&self, id: Uuid) -> Result<Option<StoredUpload>, StoreError> {
        let row = self.engine.row(&FIND_DOCUMENT, values![id]).await?;
        row.as_ref().map(upload).transpose()
    }

    /// Documents in a state that nothing has happened to since before a time, oldest first. Pass
    /// the last id to go on.
    pub async fn documents_in(
        &self,
        state: DocumentState,
        touched_before: Timestamp,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<StoredUpload>, StoreError> {
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let values = values![name_of(state), touched_before, after, limit];
        let rows = self.engine.rows(&DOCUMENTS_IN, values).await?;
        rows.iter().map(upload).collect()
    }

    /// How many uploads of an organisation are not finished.
    pub async fn uploads_open(&self, owner: &OrganisationCode) -> Result<u64, StoreError> {
        let row = self.engine.row(&UPLOADS_OPEN, values![owner]).await?;
        row.map_or(Ok(0), |row| row.count("open_uploads"))
    }

    /// Says that more of an upload is kept. `false` when it was not where the caller read it: then
    /// somebody else writes to it, or it has come into another state.
    pub async fn document_received(
        &self,
        id: Uuid,
        (from, to): (u64, u64),
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.engine.begin().await?;
        let moved = tx.execute(&RECEIVED, values![id, from, to, at]).await?;
        tx.commit().await?;
        Ok(moved == 1)
    }

    /// Documents that have ended and whose segments may still be there. Pass the last id to go on.
    pub async fn uncleared_documents(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<StoredUpload>, StoreError> {
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let rows = self.engine.rows(&UNCLEARED, values![after, limit]).await?;
        rows.iter().map(upload).collect()
    }

    /// Empties the keys of documents that ended before their key went in the same commit; how many
    /// there were. Bookkeeping: that they ended is in the log.
    pub async fn forget_ended_keys(&self, at: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.engine.begin().await?;
        let forgotten = tx.execute(&FORGET_KEYS, values![Vec::<u8>::new(), at]).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// The segments of a removed document are gone. Bookkeeping: the removal is in the log.
    pub async fn document_cleared(&self, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.engine.begin().await?;
        tx.execute(&CLEARED, values![id, at]).await?;
        tx.commit().await
    }

    /// Messages that wait for the scanner, oldest first. Pass the last id to go on.
    pub async fn held_messages(
        &self,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<HeldMessage>, StoreError> {
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let rows = self.engine.rows(&HELD_MESSAGES, values![after, limit]).await?;
        rows.iter().map(held_message).collect()
    }
}

/// Applies a write about a document.
pub(super) async fn update(
    tx: &mut Transaction,
    write: &Write,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Write::DocumentBegun(new) = write {
        let header = new.header.as_bytes().to_vec();
        let values = values![new.id, &new.owner, new.size, new.declared_sha256, header, now];
        return tx.execute(&BEGUN, values).await.map(drop);
    }
    if let Write::DocumentMoved { document, from, state, reason, found } = write {
        let mut values = values![
            *document,
            name_of(*from),
            name_of(*state),
            reason.clone(),
            found.as_ref().map(|found| found.sha256),
            found.as_ref().map(|found| found.media_type.clone()),
            now,
        ];
        let statement = match state {
            DocumentState::Refused | DocumentState::Abandoned => {
                values.append(&mut values![Vec::<u8>::new()]);
                &ENDED
            }
            DocumentState::Uploading
            | DocumentState::Ready
            | DocumentState::NotScanned
            | DocumentState::Flagged => &MOVED,
        };
        return one(tx, statement, values, "the document has changed meanwhile").await;
    }
    if let Write::MessageHeld(id, format) = write {
        return tx.execute(&HELD, values![*id, format.as_str()]).await.map(drop);
    }
    if let Write::MessageTaken(id) = write {
        return one(tx, &TAKEN, values![*id, now], "the message was taken up before").await;
    }
    Ok(())
}

fn upload(row: &Row) -> Result<StoredUpload, StoreError> {
    Ok(StoredUpload {
        id: row.id("id")?,
        owner: row.organisation("owner")?,
        size: row.count("size")?,
        declared_sha256: row.maybe_hash("declared_sha256")?,
        header: DocumentHeader(row.bytes("header")?),
        begun_at: row.time("begun_at")?,
        state: row.name("state")?,
        reason: row.maybe_text("reason")?,
        received: row.count("received")?,
        touched_at: row.time("touched_at")?,
        sha256: row.maybe_hash("sha256")?,
        media_type: row.maybe_text("media_type")?,
    })
}

fn held_message(row: &Row) -> Result<HeldMessage, StoreError> {
    Ok(HeldMessage {
        id: row.id("id")?,
        sender: row.organisation("sender")?,
        sealed: crate::vault::SealedBlob { envelope: row.bytes("sealed")? },
        format: row.text("format")?,
        at: row.time("at_us")?,
    })
}

statements! {
    FIND_DOCUMENT = "documents::find_document" on "documents":
        "select id, owner, size, declared_sha256, header, begun_at, state, reason, received,
            touched_at, sha256, media_type
        from documents where id = $1";
    DOCUMENTS_IN = "documents::documents_in" on "documents":
        "select id, owner, size, declared_sha256, header, begun_at, state, reason, received,
            touched_at, sha256, media_type
        from documents where state = $1 and touched_at <= $2 and id > $3 order by id limit $4";
    UPLOADS_OPEN = "documents::uploads_open" on "documents":
        "select count(*) as open_uploads from documents where owner = $1 and state = 'uploading'";
    RECEIVED = "documents::document_received" on "documents":
        "update documents set received = $3, touched_at = $4
        where id = $1 and received = $2 and state = 'uploading' and $3 >= received";
    UNCLEARED = "documents::uncleared_documents" on "documents":
        "select id, owner, size, declared_sha256, header, begun_at, state, reason, received,
            touched_at, sha256, media_type
        from documents
        where state in ('refused', 'abandoned') and cleared_at is null and id > $1
        order by id limit $2";
    FORGET_KEYS = "documents::forget_ended_keys" on "documents":
        "update documents set header = $1, removed_at = $2
        where removed_at is null and state in ('refused', 'abandoned')";
    CLEARED = "documents::document_cleared" on "documents":
        "update documents set cleared_at = $2 where id = $1 and removed_at is not null";
    HELD_MESSAGES = "documents::held_messages" on "held_messages":
        "select q.id, q.sender, q.sealed, q.at_us, h.format
        from held_messages h join quarantine q on q.id = h.id
        where h.taken_at is null and h.id > $1 order by h.id limit $2";
    BEGUN = "documents::update" on "documents":
        "insert into documents (id, owner, size, declared_sha256, header, begun_at, state,
            touched_at, names_known)
        values ($1, $2, $3, $4, $5, $6, 'uploading', $6, 1)";
    MOVED = "documents::update" on "documents":
        "update documents set state = $3, reason = $4, sha256 = coalesce(sha256, $5),
            media_type = coalesce(media_type, $6), touched_at = $7
        where id = $1 and state = $2";
    ENDED = "documents::update" on "documents":
        "update documents set state = $3, reason = $4, sha256 = coalesce(sha256, $5),
            media_type = coalesce(media_type, $6), touched_at = $7, header = $8, removed_at = $7
        where id = $1 and state = $2";
    HELD = "documents::update" on "held_messages":
        "insert into held_messages (id, format) values ($1, $2)";
    TAKEN = "documents::update" on "held_messages":
        "update held_messages set taken_at = $2 where id = $1 and taken_at is null";
}
