//! Looking at what came in: its digest, its type, and what the scanner says, in one pass.
//!
//! The pass reads the sealed segments back from where they are kept, so it also proves that what
//! was kept can be opened. It holds one segment at a time.

use schemas::document_type::TypeFinder;
use uuid::Uuid;

use super::keeping::KeepingError;
use super::scanner::Scan;
use super::{DocumentState, event, place};
use crate::app::App;
use crate::audit::{Actor, EventKind};
use crate::entropy::Sha256;
use crate::store::{Change, DocumentFound, StoreError, StoredUpload, Write};
use crate::vault::VaultError;

/// Why a document could not be looked at. It stays as it is, and is looked at again.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was kept could not be read.
    #[error("what was kept of the document could not be read")]
    Keeping(#[from] KeepingError),
    /// Its key could not be had.
    #[error("the document's key could not be had")]
    Vault(#[from] VaultError),
}

/// What one pass over a document found.
struct Seen {
    sha256: [u8; 32],
    media_type: Option<&'static str>,
    scan: Scan,
}

/// Why a document is not ready: the rule, and the state it comes into.
type Fault = (&'static str, DocumentState);

/// Looks at a document of which everything is in, or that was not scanned before, and says what
/// became of it. One that needs no look, or that is being looked at now, is left as it is.
pub async fn inspect(app: &App, id: Uuid) -> Result<(), InspectionError> {
    let Some(_in_hand) = app.documents.take(id) else { return Ok(()) };
    let Some(known) = app.store.find_document(id).await? else { return Ok(()) };
    let complete = known.received == known.size;
    let due = match known.state {
        DocumentState::Uploading => complete,
        DocumentState::NotScanned => true,
        DocumentState::Ready
        | DocumentState::Flagged
        | DocumentState::Refused
        | DocumentState::Abandoned => false,
    };
    if !due {
        return Ok(());
    }
    let (fault, found) = match read(app, &known).await {
        Ok(seen) => {
            let media_type = seen.media_type.filter(|found| app.documents.accepts(found));
            let found = media_type.map(|media_type| DocumentFound {
                sha256: seen.sha256,
                media_type: media_type.to_owned(),
            });
            (fault(&known, &seen, media_type), found)
        }
        // Changed or damaged where it is kept: no second look makes it whole.
        Err(
            InspectionError::Vault(VaultError::Refused)
            | InspectionError::Keeping(KeepingError::Missing),
        ) => (Some(("document-damaged", DocumentState::Refused)), None),
        Err(error) => return Err(error),
    };
    if fault.is_some_and(|(_, state)| state == known.state) {
        // Still not scanned: said once, when it was first so.
        return Ok(());
    }
    settle(app, &known, fault, found).await
}

fn fault(known: &StoredUpload, seen: &Seen, media_type: Option<&str>) -> Option<Fault> {
    if known.declared_sha256.is_some_and(|declared| declared != seen.sha256) {
        return Some(("document-digest", DocumentState::Refused));
    }
    if media_type.is_none() {
        return Some(("document-type", DocumentState::Refused));
    }
    match seen.scan {
        Scan::Clean => None,
        Scan::Found => Some(("document-flagged", DocumentState::Flagged)),
        Scan::NotScanned(_) => Some(("document-not-scanned", DocumentState::NotScanned)),
    }
}

async fn read(app: &App, known: &StoredUpload) -> Result<Seen, InspectionError> {
    let segments = app.vault.document_sealer(&place(known), &known.header)?;
    let mut session = match &app.documents.scanner {
        Some(scanner) => Some(scanner.begin().await),
        None => None,
    };
    let (mut hash, mut finder) = (Sha256::default(), TypeFinder::default());
    for index in 0..segments.count() {
        let sealed = app.documents.keeping.get(known.id, index).await?;
        let plain = segments.open(index, &sealed)?;
        hash.update(&plain);
        finder.take(&plain);
        if let Some(Ok(session)) = &mut session {
            session.take(&plain).await;
        }
    }
    let scan = match session {
        None => Scan::Clean,
        Some(Err(why)) => Scan::NotScanned(why),
        Some(Ok(session)) => session.finish().await,
    };
    if let Scan::NotScanned(why) = scan {
        tracing::warn!(document = %known.id, why, "a document was not scanned: {why}");
    }
    let media_type = finder.finish().map(schemas::document_type::DocumentType::media_type);
    Ok(Seen { sha256: hash.finish(), media_type, scan })
}

async fn settle(
    app: &App,
    known: &StoredUpload,
    fault: Option<Fault>,
    found: Option<DocumentFound>,
) -> Result<(), InspectionError> {
    let (rule, state) = match fault {
        Some((rule, state)) => (Some(rule.to_owned()), state),
        None => (None, DocumentState::Ready),
    };
    let kind = match state {
        DocumentState::Ready => EventKind::DocumentStored,
        DocumentState::NotScanned | DocumentState::Flagged => EventKind::DocumentHeld,
        DocumentState::Refused | DocumentState::Uploading | DocumentState::Abandoned => {
            EventKind::DocumentRefused
        }
    };
    let mut said = event(kind, Actor::gateway(), known);
    if let Some(rule) = &rule {
        said = said.with("rule", rule);
    }
    if let Some(found) = &found {
        said = said.with("media_type", &found.media_type);
        said.hashes.insert("document".to_owned(), crate::entropy::hex(&found.sha256));
    }
    let change = Change::because(said).write(Write::DocumentMoved {
        document: known.id,
        from: known.state,
        state,
        reason: rule,
        found,
    });
    match app.store.commit(change).await {
        Ok(_) => {}
        // Another gateway looked at it too, and was first.
        Err(StoreError::Conflict { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if state == DocumentState::Refused {
        super::clear(app, known).await?;
    }
    Ok(())
}
