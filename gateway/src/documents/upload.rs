//! Uploading: a document comes in piece by piece, and what came in stays.
//!
//! An upload is begun with its size; then its bytes come in order, in as many requests as it takes.
//! Every whole segment is sealed and kept before the next is taken, so what a broken connection
//! loses is less than one segment. Where to go on is always asked of the gateway.

use std::future::Future;

use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keeping::KeepingError;
use super::{DOCUMENT_BYTES_MAX, DocumentState, UPLOADS_OPEN_MAX, event, place};
use crate::app::App;
use crate::audit::EventKind;
use crate::entropy::EntropyError;
use crate::pipeline::{self, Answer, ReceiveError, Sender};
use crate::store::{Change, NewDocument, StoreError, StoredUpload, Write};
use crate::vault::VaultError;
use crate::vault::segments::{SEGMENT_BYTES, Segments};

/// What a sender says of a document before it comes.
#[derive(Debug, Clone)]
pub struct Declared {
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256, if it says so.
    pub sha256: Option<[u8; 32]>,
}

/// Why bytes were not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no such upload of this organisation.
    #[error("there is no such document of this organisation")]
    NotFound,
    /// It has all its bytes, or was given up.
    #[error("the document takes no more bytes")]
    Finished,
    /// Another request is adding to it.
    #[error("another request is adding to the document")]
    InProgress,
    /// The bytes do not begin where those before them end.
    #[error("the upload goes on at {0}")]
    WrongOffset(u64),
    /// More bytes came than the document has, or than one request may bring.
    #[error("there are more bytes than there should be")]
    TooMuch,
    /// The size declared cannot be taken.
    #[error("a document has from 1 byte to {DOCUMENT_BYTES_MAX}")]
    Size,
    /// The organisation has too many uploads that are not finished.
    #[error("there are {UPLOADS_OPEN_MAX} unfinished uploads")]
    TooMany,
    /// They could not be kept.
    #[error("what came in could not be kept")]
    Keeping(#[from] KeepingError),
    /// They could not be sealed.
    #[error("what came in could not be sealed")]
    Vault(#[from] VaultError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system had no randomness to give.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The answer could not be made.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
}

/// Where a body comes from: the next piece, nothing at its end, or that it broke off.
pub trait Pieces {
    /// How many bytes there will be, where it was said beforehand.
    fn announced(&self) -> Option<u64>;

    /// The next piece.
    fn next_piece(&mut self) -> impl Future<Output = Option<Result<Bytes, BrokenOff>>> + Send;
}

/// A body that ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

/// Begins an upload. The same key and declaration always get the same answer.
pub async fn begin(
    app: &App,
    sender: &Sender,
    key: &str,
    declared: Declared,
) -> Result<Answer, UploadError> {
    let digest = declared.sha256.map(|digest| crate::entropy::hex(&digest));
    let request = format!("document {} {}", declared.size, digest.unwrap_or_default());
    if let Some(before) = pipeline::answered_before(app, sender, key, request.as_bytes()).await? {
        return Ok(before);
    }
    let most = DOCUMENT_BYTES_MAX.min(app.documents.settings.size_max());
    if !(1..=most).contains(&declared.size) {
        return Err(UploadError::Size);
    }
    if app.store.uploads_open(&sender.organisation).await? >= UPLOADS_OPEN_MAX {
        return Err(UploadError::TooMany);
    }
    let new = NewDocument {
        id: app.make_id()?,
        owner: sender.organisation.clone(),
        size: declared.size,
        declared_sha256: declared.sha256,
        header: app.vault.begin_document()?,
    };
    let said = crate::audit::Event::new(EventKind::DocumentBegun, sender.actor.clone())
        .with("document", new.id)
        .with("bytes", new.size);
    let answer = serde_json::json!({
        "document": new.id,
        "state": DocumentState::Uploading,
        "size": new.size,
        "received": 0,
        "href": format!("/v1/documents/{}", new.id),
        "segment_bytes": SEGMENT_BYTES,
    });
    let change = Change::because(said).write(Write::DocumentBegun(new));
    let once = (key, request.as_bytes());
    Ok(pipeline::commit_once(app, sender, once, &answer, change).await?)
}

/// The upload with an id, if it is this organisation's.
pub async fn find(app: &App, sender: &Sender, id: Uuid) -> Result<StoredUpload, UploadError> {
    let known = app.store.find_document(id).await?;
    known.filter(|known| known.owner == sender.organisation).ok_or(UploadError::NotFound)
}

/// Adds the bytes of one request, from an offset on; says how far the upload has come.
///
/// Whole segments are kept, even when the body breaks off after them; what remains of it is to be
/// sent again, unless it is the document's last.
pub async fn append(
    app: &App,
    sender: &Sender,
    id: Uuid,
    offset: u64,
    body: &mut impl Pieces,
) -> Result<StoredUpload, UploadError> {
    let known = find(app, sender, id).await?;
    if known.state != DocumentState::Uploading || known.received == known.size {
        return Err(UploadError::Finished);
    }
    let _in_hand = app.documents.take(id).ok_or(UploadError::InProgress)?;
    // Read again: another request may have added to it before this one had it in hand.
    let known = find(app, sender, id).await?;
    if offset != known.received {
        return Err(UploadError::WrongOffset(known.received));
    }
    if body.announced().is_some_and(|bytes| too_much(&known, bytes)) {
        return Err(UploadError::TooMuch);
    }
    let segments = app.vault.document_sealer(&place(&known), &known.header)?;
    let mut intake = Intake { app, known: &known, segments, at: offset, noted: offset };
    let taken = intake.take(body).await;
    // What was kept is noted whether or not the rest came.
    intake.note().await?;
    taken?;
    find(app, sender, id).await
}

/// Whether so many bytes are more than are missing, or than one request may bring.
fn too_much(known: &StoredUpload, bytes: u64) -> bool {
    bytes > REQUEST_BYTES_MAX || known.received.saturating_add(bytes) > known.size
}

/// Bytes on their way into segments.
struct Intake<'a> {
    app: &'a App,
    known: &'a StoredUpload,
    segments: Segments,
    /// How much is kept.
    at: u64,
    /// How much of it is noted.
    noted: u64,
}

impl Intake<'_> {
    async fn take(&mut self, body: &mut impl Pieces) -> Result<(), UploadError> {
        let mut held = Zeroizing::new(Vec::with_capacity(SEGMENT_BYTES));
        let mut came = 0_u64;
        while let Some(piece) = body.next_piece().await {
            // A broken body ends this request; what was kept of it stays.
            let Ok(piece) = piece else { return Ok(()) };
            came = came.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if too_much(self.known, came) {
                return Err(UploadError::TooMuch);
            }
            let mut rest = piece.as_ref();
            while !rest.is_empty() {
                let wanted = self.wanted().saturating_sub(held.len());
                let (now, later) = rest.split_at(wanted.min(rest.len()));
                held.extend_from_slice(now);
                rest = later;
                if held.len() == self.wanted() {
                    self.keep(&held).await?;
                    held.clear();
                }
            }
        }
        Ok(())
    }

    /// The place of the segment that is being filled.
    fn index(&self) -> u64 {
        self.at / SEGMENT
    }

    /// How many bytes it has.
    fn wanted(&self) -> usize {
        self.segments.length_of(self.index()).unwrap_or(0)
    }

    async fn keep(&mut self, plain: &[u8]) -> Result<(), UploadError> {
        let sealed = self.segments.seal(self.index(), plain, &*self.app.entropy)?;
        self.app.documents.keeping.put(self.known.id, self.index(), sealed).await?;
        self.at = self.at.saturating_add(u64::try_from(plain.len()).unwrap_or(0));
        if self.at.saturating_sub(self.noted) >= NOTE_EVERY {
            self.note().await?;
        }
        Ok(())
    }

    /// Says how much is kept. Somebody else's progress ends ours.
    async fn note(&mut self) -> Result<(), UploadError> {
        if self.at == self.noted {
            return Ok(());
        }
        let (app, moved) = (self.app, (self.noted, self.at));
        if !app.store.document_received(self.known.id, moved, app.clock.now()).await? {
            return Err(UploadError::InProgress);
        }
        self.noted = self.at;
        Ok(())
    }
}

/// Gives up an upload: says so, with its key gone in the same commit, then removes what was kept.
pub(super) async fn abandon(app: &App, known: &StoredUpload) -> Result<(), UploadError> {
    let said = event(EventKind::DocumentAbandoned, crate::audit::Actor::gateway(), known)
        .with("received", known.received);
    let change = Change::because(said).write(Write::DocumentMoved {
        document: known.id,
        from: DocumentState::Uploading,
        state: DocumentState::Abandoned,
        reason: Some("document-abandoned".to_owned()),
        found: None,
    });
    app.store.commit(change).await?;
    super::clear(app, known).await?;
    Ok(())
}

/// [`SEGMENT_BYTES`], as offsets are counted.
const SEGMENT: u64 = 1024 * 1024;
/// What one request may bring: with one minute for a request, more would only be sent twice.
pub const REQUEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often progress is written down within a request.
const NOTE_EVERY: u64 = 16 * SEGMENT;
