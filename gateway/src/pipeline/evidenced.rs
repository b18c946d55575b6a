//! The evidence of an entry of the consent ledger, for the organisation that recorded it.
//!
//! An entry names the record that brought it, and that record is sealed with what came in it: who
//! said what, the reference of the signed form, the form itself. A recipient of a notice about
//! agreement is never given the form (it stays with the body that took it), so this is the one
//! way to it. Authority is asked, as for every opening: rule `own-record`, because it goes to
//! nobody but whose own record it is. Every look is an entry in the log before anything is shown.
//!
//! Limits: what a message about something else carried (an extract's row, a request for advice)
//! is no evidence of agreement; its entries have a reference at most. A document kept apart is
//! read as a whole, so one of more than 32 MiB is listed and not given: a signed
//! form is no video, and whoever recorded it has it.

use schemas::{MessageType, OrganisationCode, RecordId};
use serde::Serialize;
use zeroize::Zeroizing;

use super::evidence;
use super::sending::CollectError;
use crate::app::App;
use crate::audit::{Actor, DecisionNote, Event, EventKind};
use crate::authority::{self, Question, Ruling};
use crate::documents;
use crate::entropy::sha256_hex;
use crate::queue::DeliveryId;
use crate::store::{Change, RetentionWrite, StoreError, StoredRecord, Write};
use crate::vault::Opened;

/// What is kept as evidence of an entry. Personal data: for the organisation that recorded it.
#[derive(Serialize)]
pub struct Kept {
    /// The record that brought the entry.
    pub record: RecordId,
    /// What kind of message it was.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The recorder's own reference of the signed form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who assessed competence or capacity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessed_by: Option<String>,
    /// Its documents.
    pub documents: Vec<KeptDocument>,
}

/// One document of the evidence.
#[derive(Serialize)]
pub struct KeptDocument {
    /// Its number, from 1.
    pub number: usize,
    /// The name it came under.
    pub name: String,
    /// What its content was found to be.
    pub media_type: String,
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
    /// Where it is fetched; none when it is too large to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

/// One document's bytes, for the organisation that recorded the entry.
pub struct GivenBack {
    /// What its content was found to be.
    pub media_type: String,
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What is kept as evidence of the entries that a record of the caller's brought; `NotFound` when
/// it brought none.
pub async fn evidence_of_entry(
    app: &App,
    own: &OrganisationCode,
    actor: &Actor,
    record: RecordId,
) -> Result<Kept, CollectError> {
    let (stored, opened, note) = open(app, own, record).await?;
    let message = opened.record().message();
    let consent = message.consent.as_ref();
    let mut kept = Kept {
        record,
        kind: message.kind,
        reference: consent.and_then(|c| Some(c.reference.as_ref()?.expose().to_owned())),
        assessed_by: consent.and_then(|c| Some(c.assessed_by.as_ref()?.expose().to_owned())),
        documents: Vec::new(),
    };
    if is_about_agreement(message.kind) {
        let href = |number: usize, size: u64| {
            let path = format!("/v1/consents/{record}/evidence/{number}");
            (size <= EVIDENCE_BYTES_MAX).then_some(path)
        };
        for (number, one) in (1..).zip(opened.record().attachments()) {
            let bytes = one.content.expose();
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            kept.documents.push(KeptDocument {
                number,
                name: one.name.expose().to_owned(),
                media_type: one.media_type.clone(),
                size,
                sha256: sha256_hex(bytes),
                href: href(number, size),
            });
        }
        kept.documents.extend(opened.record().numbered_stored().map(|(number, one)| {
            KeptDocument {
                number,
                name: one.name.expose().to_owned(),
                media_type: one.media_type.clone(),
                size: one.size,
                sha256: one.sha256_hex(),
                href: href(number, one.size),
            }
        }));
    }
    let event = viewed(&stored, note, actor).with("documents", kept.documents.len());
    app.store.commit(Change::because(event).write(still_kept(&stored))).await?;
    Ok(kept)
}

/// One document of that evidence, counted from 1.
pub async fn evidence_document(
    app: &App,
    own: &OrganisationCode,
    actor: &Actor,
    (record, number): (RecordId, usize),
) -> Result<GivenBack, CollectError> {
    let (stored, opened, note) = open(app, own, record).await?;
    if !is_about_agreement(opened.record().message().kind) {
        return Err(CollectError::NoDocument);
    }
    let place = number.checked_sub(1).ok_or(CollectError::NoDocument)?;
    let given = if let Some(inside) = opened.record().attachments().get(place) {
        let bytes = Zeroizing::new(inside.content.expose().to_vec());
        GivenBack { media_type: inside.media_type.clone(), bytes }
    } else {
        apart(app, &opened, number).await?
    };
    let mut event = viewed(&stored, note, actor).with("number", number);
    event.hashes.insert("document".to_owned(), sha256_hex(&given.bytes));
    app.store.commit(Change::because(event).write(still_kept(&stored))).await?;
    Ok(given)
}

/// A document that is kept apart, as a whole.
async fn apart(app: &App, opened: &Opened, number: usize) -> Result<GivenBack, CollectError> {
    let found = opened.record().numbered_stored().find(|(its, _)| *its == number);
    let document = found.map(|(_, document)| document.clone()).ok_or(CollectError::NoDocument)?;
    if document.size > EVIDENCE_BYTES_MAX {
        return Err(CollectError::NoDocument);
    }
    let known = app.store.find_document(document.id).await?.ok_or(CollectError::NoDocument)?;
    let segments = app.vault.document_for_release(opened, &document, &known.header)?;
    let mut bytes = Zeroizing::new(Vec::new());
    for index in 0..segments.count() {
        bytes.extend_from_slice(&documents::segment(app, document.id, &segments, index).await?);
    }
    Ok(GivenBack { media_type: document.media_type, bytes })
}

/// Opens a record for the organisation that recorded an entry of the ledger with it.
async fn open(
    app: &App,
    own: &OrganisationCode,
    record: RecordId,
) -> Result<(StoredRecord, Opened, DecisionNote), CollectError> {
    let stored = app.store.find_record(record).await?.filter(|one| one.sealed.sender() == own);
    let stored = stored.ok_or(CollectError::NotFound)?;
    let subject = stored.subject.ok_or(CollectError::NotFound)?;
    let ledger = app.store.consents_for(subject).await?;
    if !ledger.iter().any(|entry| entry.record == record && entry.recorded_by == *own) {
        return Err(CollectError::NotFound);
    }
    if stored.sealed.is_removed() {
        return Err(CollectError::Removed);
    }
    if app.store.unconfirmed_restore().await?.is_some() {
        return Err(StoreError::HeldAfterRestore.into());
    }
    let question = Question {
        record,
        kind: stored.sealed.kind(),
        sender: own.clone(),
        recipient: own.clone(),
        service: None,
        subject: stored.subject,
        decisions_pass_on: stored.decisions_pass_on,
    };
    let evidence = evidence(app, &question, None).await?;
    let (now, today) = (app.clock.now(), app.clock.today());
    // It goes to nobody, so there is no delivery; the release is bound to the record by its id.
    let delivery = DeliveryId(record.0);
    let ruling = authority::release(&question, delivery, &evidence, app.rule_book(), now, today);
    match ruling {
        Ruling::Granted(release, note) => {
            let opened = app.vault.open(&stored.sealed, release, now)?;
            Ok((stored, opened, note))
        }
        Ruling::Hold(_) | Ruling::Refused(_) => Err(CollectError::Stopped),
    }
}

/// What was removed meanwhile is not shown.
fn still_kept(stored: &StoredRecord) -> Write {
    Write::Retention(RetentionWrite::StillKept(stored.sealed.record()))
}

fn viewed(stored: &StoredRecord, note: DecisionNote, actor: &Actor) -> Event {
    let mut event = Event::new(EventKind::ConsentViewed, actor.clone());
    event.subject = stored.subject;
    event.record = Some(stored.sealed.record());
    event.message_type = Some(stored.sealed.kind());
    event.decision = Some(note);
    event
}

fn is_about_agreement(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::ConsentGrant
            | MessageType::ConsentRefuse
            | MessageType::ConsentWithdraw
            | MessageType::ConsentStale
            | MessageType::ConsentRestriction
    )
}

/// The largest document of evidence that is given back: 32 MiB, read and held as a whole.
const EVIDENCE_BYTES_MAX: u64 = 32 * 1024 * 1024;
