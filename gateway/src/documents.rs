//! Documents of any size: uploaded apart from their message, sealed, looked at, and delivered in
//! ranges.
//!
//! ```text
//! upload ──► sealed segment by segment ──► all in: read back, hashed, typed, scanned
//!                                            ├──► ready         may be named in a message
//!                                            ├──► not-scanned   held until the scanner answers
//!                                            ├──► flagged       held for good
//!                                            └──► refused       its bytes are removed
//! ```
//!
//! Owns that walk, the place where sealed bytes are kept ([`keeping`]), and the scanner's protocol
//! ([`scanner`]). A segment is the unit of everything: it is sealed, written whole or not at all, read
//! and opened on its own. So an upload that breaks off leaves whole segments, and memory does not
//! grow with a document. It must never know HTTP, SQL or keys.
//!
//! To use it: [`upload::begin`], [`upload::append`] until all is in, [`inspection::inspect`];
//! `standing` when a message names it; `segment` when the pipeline
//! delivers it against a release; and [`caretaker::round`] now and then.
//!
//! Limits: a document of [`DOCUMENT_BYTES_MAX`]; at most [`UPLOADS_OPEN_MAX`] unfinished uploads of
//! one organisation. One request holds three segments (3 MiB) at most, whatever a document's size:
//! what comes in, what is sealed, and what waits for the wire. What is removed when its time is over
//! is [`retention`](crate::retention)'s to say.

use std::collections::BTreeSet;
use std::sync::Mutex;

use schemas::document_type::DocumentType;
use schemas::{OrganisationCode, Standing};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::audit::{Actor, Event, EventKind};
use crate::config::DocumentsSection;
use crate::store::{StoreError, StoredUpload};
use crate::vault::segments::{DocumentPlace, Segments};

use keeping::{Keeping, KeepingError};
use scanner::{Scan, Scanner};

pub mod caretaker;
pub mod inspection;
pub mod keeping;
pub mod scanner;
pub mod upload;

/// Where a document stands. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentState {
    /// It is coming in, or all of it is in and is being looked at.
    Uploading,
    /// It may be named in messages.
    Ready,
    /// The scanner could not look at it: held.
    NotScanned,
    /// The scanner found something: held for good.
    Flagged,
    /// It is not what was declared, or not of an accepted type; its key and its bytes are removed.
    Refused,
    /// Its upload was not finished in time, or its time was over; its key and its bytes are removed.
    Abandoned,
}

/// The parts that documents need: where they are kept, and what scans them.
#[derive(Debug)]
pub struct Documents {
    pub(crate) keeping: Keeping,
    scanner: Option<Scanner>,
    settings: DocumentsSection,
    in_hand: Mutex<BTreeSet<Uuid>>,
}

impl Documents {
    /// Opens the place where documents are kept.
    pub fn open(settings: &DocumentsSection) -> Result<Self, KeepingError> {
        Ok(Self {
            keeping: Keeping::open(&settings.keeping)?,
            scanner: settings.scanner.clone().map(|address| Scanner::new(address, settings)),
            settings: settings.clone(),
            in_hand: Mutex::new(BTreeSet::new()),
        })
    }

    /// Whether policy accepts a media type that was found from a document's content.
    pub fn accepts(&self, media_type: &str) -> bool {
        let kind = DocumentType::from_media_type(media_type);
        kind.is_some_and(|kind| self.settings.accepts(kind))
    }

    /// Has the scanner look at bytes that are here whole: documents inside messages.
    pub async fn scan(&self, bytes: &[u8]) -> Scan {
        match &self.scanner {
            Some(scanner) => scanner.scan(bytes).await,
            None => Scan::Clean,
        }
    }

    /// Whether a scanner is configured.
    pub fn has_scanner(&self) -> bool {
        self.scanner.is_some()
    }

    /// Takes a document in hand; `None` when this process is working on it already.
    fn take(&self, id: Uuid) -> Option<InHand<'_>> {
        let mut in_hand = self.in_hand.lock().ok()?;
        in_hand.insert(id).then_some(InHand { documents: self, id })
    }
}

/// A document that is being worked on; let go when dropped.
#[derive(Debug)]
struct InHand<'a> {
    documents: &'a Documents,
    id: Uuid,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if let Ok(mut in_hand) = self.documents.in_hand.lock() {
            in_hand.remove(&self.id);
        }
    }
}

/// What is known of a document that a message of an organisation names. Another organisation's
/// document looks exactly like one that does not exist.
pub async fn standing(
    app: &App,
    owner: &OrganisationCode,
    document: &str,
) -> Result<Standing, StoreError> {
    let Ok(id) = Uuid::try_parse(document.trim()) else { return Ok(Standing::Unknown) };
    let known = app.store.find_document(id).await?.filter(|known| known.owner == *owner);
    let Some(known) = known else { return Ok(Standing::Unknown) };
    Ok(match known.state {
        DocumentState::Uploading if known.received == known.size => Standing::BeingChecked,
        DocumentState::Uploading => Standing::Incomplete,
        DocumentState::NotScanned => Standing::NotScanned,
        DocumentState::Flagged => Standing::Flagged,
        DocumentState::Refused => Standing::Refused,
        DocumentState::Abandoned => Standing::Unknown,
        DocumentState::Ready => match (known.sha256, known.media_type) {
            (Some(sha256), Some(media_type)) => {
                Standing::Ready { size: known.size, sha256, media_type }
            }
            _ => Standing::BeingChecked,
        },
    })
}

/// A plain segment of a document, for the pipeline to send on: `segments` comes out of a release.
pub(crate) async fn segment(
    app: &App,
    document: Uuid,
    segments: &Segments,
    index: u64,
) -> Result<zeroize::Zeroizing<Vec<u8>>, SegmentError> {
    let sealed = app.documents.keeping.get(document, index).await?;
    Ok(segments.open(index, &sealed)?)
}

/// Takes away what is kept of a document whose key is gone, and notes that nothing is left. Doing it
/// again is no fault. What cannot be taken away is the [`caretaker`]'s to try again: that the document
/// has ended stands either way. Whether nothing is left.
async fn clear(app: &App, known: &StoredUpload) -> Result<bool, StoreError> {
    if let Err(error) = app.documents.keeping.remove(known.id, place(known).segments()).await {
        let error = crate::telemetry::chain(&error);
        tracing::error!(document = %known.id, error, "segments of an ended document are left");
        return Ok(false);
    }
    app.store.document_cleared(known.id, app.clock.now()).await?;
    Ok(true)
}

/// Why a segment could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// It could not be read.
    #[error(transparent)]
    Keeping(#[from] KeepingError),
    /// It does not open.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
}

/// What a document's segments are bound to.
fn place(known: &StoredUpload) -> DocumentPlace {
    DocumentPlace { id: known.id, owner: known.owner.clone(), size: known.size }
}

/// An event about a document.
fn event(kind: EventKind, actor: Actor, known: &StoredUpload) -> Event {
    let mut event = Event::new(kind, actor).with("document", known.id).with("bytes", known.size);
    event.counterparty = Some(known.owner.clone());
    event
}

/// The largest document, in bytes: 5 GiB, a long video report or a whole scanned file.
pub const DOCUMENT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Unfinished uploads of one organisation at once: more is a client that never finishes any.
pub const UPLOADS_OPEN_MAX: u64 = 64;
