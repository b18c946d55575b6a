//! Sealing and opening: nothing else.
//!
//! Owns the only way from a record to bytes that may be kept, and the only way back. Both cost a
//! token that only the release authority makes: an `Admission` to seal, a `Release` to open. It
//! must never know the store, the network, or why something may go.
//!
//! ```text
//! let sealed = vault.seal(record, admission)?;          // spends the admission
//! let opened = vault.open(&sealed, release, now)?;      // spends the release
//! opened.recipient();                                   // comes out of the release
//! ```
//!
//! A token cannot be built, and cannot be spent twice:
//!
//! ```compile_fail
//! use std::collections::BTreeSet;
//! let admission = gateway::authority::Admission { recipients: BTreeSet::new() };
//! ```
//!
//! ```compile_fail
//! fn twice(admission: gateway::authority::Admission) {
//!     let _ = admission.clone();
//! }
//! ```
//!
//! ```compile_fail
//! fn twice(release: gateway::authority::Release) {
//!     let _ = release.clone();
//! }
//! ```
//!
//! ```compile_fail
//! fn twice(vault: &gateway::vault::Vault, record: schemas::Record, other: schemas::Record,
//!          admission: gateway::authority::Admission) {
//!     let _ = vault.seal(record, admission);
//!     let _ = vault.seal(other, admission);
//! }
//! ```
//!
//! Nor is anything sealed without sealing it:
//!
//! ```compile_fail
//! let sealed = gateway::vault::SealedBlob { envelope: b"plain".to_vec() };
//! ```
//!
//! The twins that compile, so that the examples above fail for the right reason:
//!
//! ```
//! fn once(vault: &gateway::vault::Vault, record: schemas::Record,
//!         admission: gateway::authority::Admission) {
//!     let _ = vault.seal(record, admission);
//! }
//! fn spend(vault: &gateway::vault::Vault, sealed: &gateway::vault::SealedRecord,
//!          release: gateway::authority::Release, now: jiff::Timestamp) {
//!     let _ = vault.open(sealed, release, now);
//! }
//! assert!(gateway::vault::SealedBlob::from_bytes(b"plain".to_vec()).is_err());
//! ```
//!
//! Limits: a record is sealed and held in memory whole (128 MiB at most), a large document in
//! [`segments`]; the key of each thing is fresh, and the wrapping keys and their limits are [`keyring`]'s. Not supported here: sealing to
//! a recipient's public key; that is a delivery profile.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use schemas::catalogue::DataClass;
use schemas::record::Attachment;
use schemas::{OrganisationCode, PersonalBytes, PersonalText, Record, RecordId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::authority::{Admission, Release};
use crate::entropy::{Entropy, EntropyError};
use crate::queue::DeliveryId;
use crate::secret_file::SecretFileError;

use envelope::{Context, Envelope, Namespace};
use keyring::{KeyId, KeyWrapper};
use pseudonym::Pseudonyms;

pub mod backups;
mod envelope;
pub mod keyring;
pub mod look_up;
pub mod pseudonym;
pub mod segments;

/// A record as it is stored: sealed, and bound to its id, type, sender and recipients.
///
/// Made by `Vault::seal`, or by parsing what the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    pub(crate) record: RecordId,
    pub(crate) kind: schemas::MessageType,
    pub(crate) sender: OrganisationCode,
    pub(crate) recipients: Vec<OrganisationCode>,
    pub(crate) envelope: Vec<u8>,
}

/// Other sealed bytes: an original submission, a quarantined row, a label. Bound to one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlob {
    pub(crate) envelope: Vec<u8>,
}

/// What kind of bytes a [`SealedBlob`] holds. One kind never opens as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    /// A submission as it came in; its place is the submission.
    Original,
    /// A row or message that could not be accepted; its place is the quarantine entry.
    Quarantine,
    /// What a board shows of a record to its own organisation; its place is the record.
    Label,
    /// An answer kept for a retry; its place is the submission.
    Answer,
    /// What the checklist of the way to adulthood needs of a record; its place is the record.
    Transition,
}

/// A record that was opened for one recipient. It cannot be re-addressed.
#[derive(Debug)]
pub struct Opened {
    record: Record,
    recipient: OrganisationCode,
    delivery: DeliveryId,
    left_out: BTreeSet<DataClass>,
}

/// Why something was not sealed or not opened. Holds no content and no personal data.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The bytes do not have the form of an envelope, or what was in it is not what it should be.
    #[error("not a sealed thing of version 1 ({0})")]
    Malformed(&'static str),
    /// It was sealed under a wrapping key that is not in the key file.
    #[error("sealed under the wrapping key {id}, which is not here: restore that key", id = .0.as_str())]
    UnknownKey(KeyId),
    /// It does not open: it was changed, or it was sealed as something else or in another place.
    #[error("does not open: changed since it was sealed, or sealed as something else")]
    Refused,
    /// There is too much of it.
    #[error("{bytes} bytes are more than the {limit} that are sealed in one piece")]
    TooLarge {
        /// How much there is.
        bytes: usize,
        /// How much there may be.
        limit: usize,
    },
    /// The admission or release is not for this record.
    #[error("the token is not for this record: {0}")]
    Token(&'static str),
    /// A key file is not what it should be.
    #[error("the key file {path} cannot be used: {problem}", path = .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never what stands in it.
        problem: String,
    },
    /// A key file was not read or made.
    #[error(transparent)]
    SecretFile(#[from] SecretFileError),
    /// There was no randomness to make a key from.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Seals records and other bytes, and opens them again for whom they may be opened.
pub struct Vault {
    keys: Arc<dyn KeyWrapper>,
    pseudonyms: Pseudonyms,
    entropy: Arc<dyn Entropy>,
}

impl Vault {
    /// A vault over a keeper of wrapping keys.
    pub fn new(
        keys: Arc<dyn KeyWrapper>,
        pseudonyms: Pseudonyms,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { keys, pseudonyms, entropy }
    }

    /// The pseudonyms of this deployment.
    pub fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// Seals a record for the recipients it was admitted for.
    #[expect(clippy::needless_pass_by_value, reason = "the record is wiped, the admission spent")]
    pub fn seal(&self, record: Record, admission: Admission) -> Result<SealedRecord, VaultError> {
        let message = record.message();
        if message.kind != admission.kind {
            return Err(VaultError::Token("another type of message was admitted"));
        }
        if message.sender != admission.sender {
            return Err(VaultError::Token("another sender was admitted"));
        }
        let mut sealed = SealedRecord {
            record: admission.record,
            kind: admission.kind,
            sender: admission.sender.clone(),
            recipients: admission.recipients.iter().cloned().collect(),
            envelope: Vec::new(),
        };
        let content = frame(&record);
        let context = sealed.context(schemas::SCHEMA_VERSION);
        sealed.envelope = envelope::seal(&context, &content, &*self.keys, &*self.entropy)?;
        Ok(sealed)
    }

    /// Opens a record for the recipient a release names, reduced to the classes it covers.
    pub fn open(
        &self,
        sealed: &SealedRecord,
        release: Release,
        now: Timestamp,
    ) -> Result<Opened, VaultError> {
        if release.record != sealed.record {
            return Err(VaultError::Token("it is for another record"));
        }
        // Authority lets a record go back to whose own record it is, whomever else it was for.
        let goes_back = release.recipient == sealed.sender;
        if !goes_back && !sealed.recipients.contains(&release.recipient) {
            return Err(VaultError::Token("its recipient is not one the record was sealed for"));
        }
        if release.expires_at <= now {
            return Err(VaultError::Token("it has expired"));
        }
        let content = self.open_any_version(sealed)?;
        let (record, left_out) = reduce(unframe(&content)?, &release.classes)?;
        let message = record.message();
        if message.kind != sealed.kind || message.sender != sealed.sender {
            return Err(VaultError::Malformed("record"));
        }
        let Release { recipient, delivery, .. } = release;
        Ok(Opened { record, recipient, delivery, left_out })
    }

    /// The schema version is authenticated, not stored beside: the current one is tried first, then
    /// those before it, so that what was sealed under an older schema opens for ever.
    fn open_any_version(&self, sealed: &SealedRecord) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut answer = Err(VaultError::Refused);
        for version in (1..=schemas::SCHEMA_VERSION).rev() {
            answer = envelope::open(&sealed.context(version), &sealed.envelope, &*self.keys);
            if !matches!(answer, Err(VaultError::Refused)) {
                break;
            }
        }
        answer
    }

    /// Seals other bytes in one place, for the organisation whose they are.
    pub fn seal_blob(
        &self,
        kind: BlobKind,
        place: Uuid,
        owner: &OrganisationCode,
        plaintext: &[u8],
    ) -> Result<SealedBlob, VaultError> {
        let context = blob_context(kind, place, owner);
        let envelope = envelope::seal(&context, plaintext, &*self.keys, &*self.entropy)?;
        Ok(SealedBlob { envelope })
    }

    /// Opens other bytes for the organisation whose they are, and nobody else. The caller answers
    /// for having authenticated that organisation and for the audit entry.
    pub fn expose_blob_for_owner(
        &self,
        kind: BlobKind,
        place: Uuid,
        owner: &OrganisationCode,
        blob: &SealedBlob,
    ) -> Result<PersonalBytes, VaultError> {
        let content =
            envelope::open(&blob_context(kind, place, owner), &blob.envelope, &*self.keys)?;
        Ok(PersonalBytes::new(content.to_vec()))
    }

    /// Whom a record is about, as its sender said, for a message back to that sender about its own
    /// record, and to nobody else. The caller answers for where it goes and for the audit entry.
    pub fn expose_subject_for_sender(
        &self,
        sealed: &SealedRecord,
        sender: &OrganisationCode,
    ) -> Result<Option<schemas::record::Subject>, VaultError> {
        if sealed.sender != *sender {
            return Err(VaultError::Token("the record is another organisation's"));
        }
        let record = unframe(&self.open_any_version(sealed)?)?;
        Ok(record.message().subject.clone())
    }

    /// Wraps the key of a sealed record with the current wrapping key; the content stays as it is.
    ///
    /// The envelope's hash changes with it, so the change that stores it carries an event with
    /// the new hash.
    pub fn rewrap_record(&self, sealed: &SealedRecord) -> Result<SealedRecord, VaultError> {
        let envelope = envelope::rewrap(&sealed.envelope, &*self.keys, &*self.entropy)?;
        Ok(SealedRecord { envelope, ..sealed.clone() })
    }

    /// Wraps the key of other sealed bytes with the current wrapping key.
    pub fn rewrap_blob(&self, blob: &SealedBlob) -> Result<SealedBlob, VaultError> {
        let envelope = envelope::rewrap(&blob.envelope, &*self.keys, &*self.entropy)?;
        Ok(SealedBlob { envelope })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Opened {
    /// The record, reduced to what the release covers.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whom it was opened for, and nobody else.
    pub fn recipient(&self) -> &OrganisationCode {
        &self.recipient
    }

    /// The delivery it was opened for.
    pub fn delivery(&self) -> DeliveryId {
        self.delivery
    }

    /// The classes of data that were there and were left out.
    pub fn left_out(&self) -> &BTreeSet<DataClass> {
        &self.left_out
    }
}

impl SealedRecord {
    /// From what the store holds. Checks the form of the envelope; that it agrees with the rest is
    /// checked when it is opened.
    pub fn from_parts(
        record: RecordId,
        kind: schemas::MessageType,
        sender: OrganisationCode,
        recipients: BTreeSet<OrganisationCode>,
        envelope: Vec<u8>,
    ) -> Result<Self, VaultError> {
        Envelope::parse(&envelope)?;
        Ok(Self { record, kind, sender, recipients: recipients.into_iter().collect(), envelope })
    }

    /// The record's id.
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// What kind of message it is.
    pub fn kind(&self) -> schemas::MessageType {
        self.kind
    }

    /// Who sent it.
    pub fn sender(&self) -> &OrganisationCode {
        &self.sender
    }

    /// For whom it was sealed, in order.
    pub fn recipients(&self) -> &[OrganisationCode] {
        &self.recipients
    }

    /// The sealed bytes.
    pub fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Whether the sealed bytes were removed, with the key in them, because their time was over.
    pub fn is_removed(&self) -> bool {
        self.envelope.is_empty()
    }

    /// The hash of the sealed bytes, for the audit entry that vouches for them.
    pub fn sha256_hex(&self) -> String {
        crate::entropy::sha256_hex(&self.envelope)
    }

    fn context(&self, schema_version: u32) -> Context {
        let mut recipients = Vec::new();
        let codes: Vec<&[u8]> = self.recipients.iter().map(|r| r.as_str().as_bytes()).collect();
        envelope::push_list(&mut recipients, &codes);
        let fields: [&[u8]; 5] = [
            self.record.0.as_bytes(),
            self.kind.as_str().as_bytes(),
            self.sender.as_str().as_bytes(),
            &recipients,
            &schema_version.to_be_bytes(),
        ];
        Context::new(Namespace::Record, &fields)
    }
}

impl SealedBlob {
    /// From what the store holds. Checks the form of the envelope.
    pub fn from_bytes(envelope: Vec<u8>) -> Result<Self, VaultError> {
        Envelope::parse(&envelope)?;
        Ok(Self { envelope })
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.envelope
    }

    /// Whether the sealed bytes were removed, with the key in them, because their time was over.
    pub fn is_removed(&self) -> bool {
        self.envelope.is_empty()
    }

    /// The hash of the sealed bytes.
    pub fn sha256_hex(&self) -> String {
        crate::entropy::sha256_hex(&self.envelope)
    }
}

fn blob_context(kind: BlobKind, place: Uuid, owner: &OrganisationCode) -> Context {
    let namespace = match kind {
        BlobKind::Original => Namespace::Original,
        BlobKind::Quarantine => Namespace::Quarantine,
        BlobKind::Label => Namespace::Label,
        BlobKind::Answer => Namespace::Answer,
        BlobKind::Transition => Namespace::Transition,
    };
    Context::new(namespace, &[place.as_bytes(), owner.as_str().as_bytes()])
}

/// A record as one run of bytes: its canonical JSON, then name, type and content of each document.
fn frame(record: &Record) -> Zeroizing<Vec<u8>> {
    let json = record.expose_json();
    // What is kept of a document elsewhere is bound to the record as an attachment of its own type.
    let apart: Vec<Zeroizing<Vec<u8>>> = record
        .stored()
        .iter()
        .map(|stored| Zeroizing::new(serde_json::to_vec(stored).unwrap_or_default()))
        .collect();
    let documents = record.attachments();
    let of_documents = documents.iter().flat_map(|document| {
        [
            document.name.expose().as_bytes(),
            document.media_type.as_bytes(),
            document.content.expose(),
        ]
    });
    let of_apart = apart.iter().flat_map(|stored| [b"".as_slice(), APART.as_bytes(), stored]);
    let fields: Vec<&[u8]> =
        std::iter::once(json.as_slice()).chain(of_documents).chain(of_apart).collect();
    let size = fields.iter().map(|field| field.len().saturating_add(8)).sum();
    let mut framed = Zeroizing::new(Vec::with_capacity(size));
    for field in fields {
        envelope::push_length(&mut framed, field.len());
        framed.extend_from_slice(field);
    }
    framed
}

fn unframe(mut content: &[u8]) -> Result<Record, VaultError> {
    let mut take = || envelope::take_field(&mut content).ok_or(VaultError::Malformed("record"));
    let json = take()?;
    let (mut attachments, mut stored) = (Vec::new(), Vec::new());
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).or(Err(VaultError::Malformed("document")));
    while let Ok(name) = take() {
        let (media_type, bytes) = (take()?, take()?);
        if media_type == APART.as_bytes() {
            let document = serde_json::from_slice(bytes);
            stored.push(document.or(Err(VaultError::Malformed("document")))?);
            continue;
        }
        attachments.push(Attachment {
            name: PersonalText::new(text(name)?),
            media_type: text(media_type)?,
            content: PersonalBytes::new(bytes.to_vec()),
        });
    }
    if !content.is_empty() {
        return Err(VaultError::Malformed("record"));
    }
    // The reader's own error may quote what it read.
    let record = Record::reopen(json, attachments).or(Err(VaultError::Malformed("record")))?;
    Ok(record.with_stored(stored))
}

/// Reduces a record to the classes a release covers; also says what was left out. A record whose
/// type needs a class that the release does not cover is refused, never widened.
fn reduce(
    record: Record,
    classes: &BTreeSet<DataClass>,
) -> Result<(Record, BTreeSet<DataClass>), VaultError> {
    let (record, left_out) = record.reduced_to(classes);
    if record.data_classes().is_subset(classes) {
        Ok((record, left_out))
    } else {
        Err(VaultError::Token("it does not cover every class of data the message needs"))
    }
}

/// The type of a frame that names a document kept apart; no content is ever found to be of it.
const APART: &str = "application/vnd.ehc-gateway.document+json";

#[cfg(test)]
mod tests;
