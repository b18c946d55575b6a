//! How things leave: a parcel, addressed by what was opened, and the carriers.
//!
//! A [`Parcel`] is made from `Opened` alone, so its recipient is the one the release named; it
//! cannot be re-addressed. The carriers: *collect* (the inbox, served by `api`), [`https`] push,
//! [`fhir_message`], [`mllp`] for HL7 v2, [`mesh`] and a drop [`folder`]. This module must never
//! know the store, the rules or the keys.

pub mod fhir_message;
pub mod folder;
pub mod https;
pub mod mesh;
pub mod mllp;
pub mod witness;

use adapters::{Format, Outbound, WriteError};
use schemas::record::StoredDocument;
use schemas::{MessageType, OrganisationCode, PersonalBytes};

use crate::queue::DeliveryId;
use crate::vault::Opened;
use crate::vault::segments::Segments;

/// The carriers that send, each with the connections it keeps.
#[derive(Debug, Default)]
pub struct Carriers {
    /// HTTPS push.
    pub https: https::HttpsCarrier,
    /// FHIR messages.
    pub fhir: fhir_message::FhirCarrier,
    /// Mailboxes on NHS MESH.
    pub mesh: mesh::MeshCarrier,
    /// A folder that the recipient's job reads.
    pub folder: folder::FolderCarrier,
}

impl Carriers {
    /// Says that certificates, authorities or lists have changed: connections are made again.
    pub fn renew(&self) {
        self.https.renew();
        self.fhir.renew();
        self.mesh.renew();
    }
}

/// What leaves for one recipient. Not `Clone`, no `Debug` of the body.
#[derive(Debug)]
pub struct Parcel {
    delivery: DeliveryId,
    recipient: OrganisationCode,
    kind: MessageType,
    format: Option<Format>,
    media_type: String,
    file_name: Option<String>,
    body: PersonalBytes,
    documents: Option<Vec<Document>>,
}

/// A document that travels beside the body of a parcel.
#[derive(Debug)]
pub struct Document {
    /// A name that says nothing about anybody: `document-1.pdf`.
    pub name: String,
    /// What the sender said it is.
    pub media_type: String,
    /// Its bytes, or what opens them.
    pub content: DocumentContent,
}

/// The bytes of a document, or what opens them piece by piece.
#[derive(Debug)]
pub enum DocumentContent {
    /// It came inside its message.
    Inside(PersonalBytes),
    /// It is kept apart, because it may be large.
    Apart(Box<Apart>),
}

/// A document that is kept apart.
#[derive(Debug)]
pub struct Apart {
    /// What is known of it.
    pub document: StoredDocument,
    /// What opens it for the recipient of the parcel.
    pub segments: Segments,
}

/// Why a push did not end well; the type decides what happens next. No content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It provably did not arrive: try again.
    #[error("not sent: {0}")]
    Transient(String),
    /// The endpoint refused it for good.
    #[error("refused: {0}")]
    Permanent(String),
    /// It may have arrived.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

impl Parcel {
    /// Renders what was opened, for whom it was opened.
    pub fn message(
        opened: &Opened,
        format: Format,
        outbound: &Outbound,
    ) -> Result<Self, WriteError> {
        let body = adapters::write(format, opened.record(), outbound)?;
        Ok(Self {
            delivery: opened.delivery(),
            recipient: opened.recipient().clone(),
            kind: opened.record().message().kind,
            format: Some(format),
            media_type: format.media_type().to_owned(),
            file_name: None,
            body: PersonalBytes::new(body),
            documents: None,
        })
    }

    /// The same with the record's documents beside the body, for carriers that have a place for
    /// them. What was opened is the record that the body was written from, and `apart` opens what
    /// it keeps apart, in its order.
    #[must_use]
    pub fn enclosing_documents(self, opened: &Opened, apart: Vec<Segments>) -> Self {
        let inside = opened.record().attachments().iter().map(|attachment| {
            let content = DocumentContent::Inside(attachment.content.clone());
            (attachment.media_type.clone(), content)
        });
        let apart = opened.record().stored().iter().zip(apart).map(|(document, segments)| {
            let apart = Apart { document: document.clone(), segments };
            (document.media_type.clone(), DocumentContent::Apart(Box::new(apart)))
        });
        let documents = inside.chain(apart).enumerate();
        let documents = documents.map(|(index, (media_type, content))| Document {
            name: adapters::document_file_name(index, &media_type),
            media_type,
            content,
        });
        Self { documents: Some(documents.collect()), ..self }
    }

    /// One document of what was opened.
    pub fn document(opened: &Opened, index: usize) -> Option<Self> {
        let document = opened.record().attachments().get(index)?;
        Some(Self {
            delivery: opened.delivery(),
            recipient: opened.recipient().clone(),
            kind: opened.record().message().kind,
            format: None,
            media_type: document.media_type.clone(),
            file_name: Some(format!("document-{}", index + 1)),
            body: document.content.clone(),
            documents: None,
        })
    }

    /// The delivery: the recipient's idempotency key.
    pub fn delivery(&self) -> DeliveryId {
        self.delivery
    }

    /// For whom it was opened.
    pub fn recipient(&self) -> &OrganisationCode {
        &self.recipient
    }

    /// What type of message it is, or comes from.
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// The format of the body; `None` for a document on its own.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The documents beside the body; `None` when they were not enclosed.
    pub fn documents(&self) -> Option<&[Document]> {
        self.documents.as_deref()
    }

    /// The documents themselves. The rest of the parcel is spent.
    fn into_documents(self) -> Vec<Document> {
        self.documents.unwrap_or_default()
    }

    /// The media type of the body.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// A file name that says nothing, for documents.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// The body. For the wire to the recipient, and its hash for the log.
    pub fn expose_body(&self) -> &[u8] {
        self.body.expose()
    }
}
