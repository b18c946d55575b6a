//! Documents as a message comes in: those it names are found, those it brings are scanned.
//!
//! What is found goes into the draft, so that the check says everything at once. Nothing passes
//! that was not looked at: with a scanner configured, a document it could not see holds its message.

use schemas::{Draft, Issue, Message, Place, Record};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::admission::{Batch, Mode};
use super::{ReceiveError, Sender};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::documents::{self, scanner::Scan};
use crate::store::{Change, Write};

/// Finds the documents a draft names, and has the scanner look at those it brings.
pub(super) async fn look(
    app: &App,
    sender: &Sender,
    draft: &mut Draft,
) -> Result<(), ReceiveError> {
    for reference in &mut draft.references {
        let owner = &sender.organisation;
        reference.standing = documents::standing(app, owner, &reference.document).await?;
    }
    for attachment in &draft.attachments {
        let (rule, message, next) = match app.documents.scan(attachment.content.expose()).await {
            Scan::Clean => continue,
            Scan::Found => (
                "document-flagged",
                "has a document in which the scanner found something",
                "do not send it again; tell your information security team and the operator",
            ),
            Scan::NotScanned(_) => (
                NOT_SCANNED,
                "has a document that the scanner could not look at, so the message is held",
                "wait: it is taken up again when the scanner answers; the operator sees that it is held",
            ),
        };
        draft.notes.push(Issue::error(rule, None, attachment.place.clone(), message, next));
    }
    Ok(())
}

/// The issue of a record with a document that policy does not accept, inside it or apart.
pub(super) fn not_accepted(app: &App, record: &Record, place: &Place) -> Option<Issue> {
    let inside = record.attachments().iter().map(|document| document.media_type.as_str());
    let apart = record.stored().iter().map(|document| document.media_type.as_str());
    let refused = inside.chain(apart).any(|media_type| !app.documents.accepts(media_type));
    refused.then(|| {
        Issue::error(
            "attachment-type",
            None,
            place.clone(),
            "has a document of a type that this gateway is not set to accept",
            "ask the operator which types are accepted, or send it as PDF",
        )
    })
}

/// The change that remembers a quarantined message which waits for nothing but the scanner.
pub(super) fn waits_for_the_scanner(
    batch: &Batch<'_>,
    quarantined: Uuid,
    issues: &[Issue],
) -> Option<Change> {
    let format = batch.format.filter(|_| batch.mode == Mode::Commit)?;
    let mut errors = issues.iter().filter(|issue| issue.is_error()).peekable();
    errors.peek()?;
    if !errors.all(|issue| issue.rule == NOT_SCANNED) {
        return None;
    }
    let mut said = Event::new(EventKind::DocumentHeld, batch.sender.actor.clone())
        .with("held", quarantined)
        .with("rule", NOT_SCANNED);
    said.submission = Some(batch.submission);
    let held = Write::MessageHeld(quarantined, format.media_type().to_owned());
    Some(Change::because(said).write(held))
}

/// What makes a message the same message: everything but what it says of consent, which a nightly
/// extract repeats and changes, and with every document.
pub(super) fn recognisable(record: &Record) -> Zeroizing<Vec<u8>> {
    let message = Message { consent: None, ..record.message().clone() };
    let mut bytes = Zeroizing::new(serde_json::to_vec(&message).unwrap_or_default());
    for document in record.attachments() {
        bytes.extend_from_slice(document.media_type.as_bytes());
        bytes.extend_from_slice(&crate::entropy::sha256(document.content.expose()));
    }
    for document in record.stored() {
        bytes.extend_from_slice(document.media_type.as_bytes());
        bytes.extend_from_slice(&document.sha256);
    }
    bytes
}

/// The rule under which something waits for the scanner.
pub const NOT_SCANNED: &str = "document-not-scanned";
