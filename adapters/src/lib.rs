//! How others write a record down.
//!
//! Pure functions, no I/O: bytes to [`Draft`]s with positions, a [`Record`] to bytes. A reader
//! never returns a `Record`: a format cannot vouch for content. Readers are strict; every
//! leniency is named in a mapping file, and every one used is noted on the draft.
//!
//! This crate must never know: partners, authority, storage, the clock or the network.

use jiff::Timestamp;
use jiff::civil::Date;
use schemas::{Draft, Issue, LegId, OrganisationCode, PersonalBytes, Record, ServiceCode};
use uuid::Uuid;

pub mod archive;
mod cda;
pub mod csv;
pub mod drift;
pub mod feed;
pub mod fhir;
pub mod gateway_xml;
pub mod hl7v2;
mod html;
mod import_row;
pub mod json;
mod kettering;
mod letter;
pub mod limits;
pub mod manifest;
pub mod mapping;
pub mod mesh;
mod person_level;
pub mod read_error;
pub mod set;
pub mod sheets;
mod table;
pub mod workbook;
pub mod xlsx;
mod xml;

pub use read_error::{ReadError, ReadErrorKind};

/// A format the gateway reads or writes. Closed: a `match` finds every place a new one touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A tabular extract, read through a mapping file.
    Csv,
    /// The canonical JSON message.
    Json,
    /// A FHIR message Bundle as JSON: R4, or the STU3 of ITK3 documents.
    Fhir,
    /// The same as XML.
    FhirXml,
    /// A workbook, read through a mapping file.
    Xlsx,
    /// XML whose root element says what it is: a return or export of an authority, a Kettering
    /// letter, an ITK CDA document.
    Xml,
    /// HL7 v2 (ER7).
    Hl7,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 7] =
        [Self::Csv, Self::Json, Self::Fhir, Self::FhirXml, Self::Xlsx, Self::Xml, Self::Hl7];

    /// The format that a media type names, parameters ignored.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            // An archive is a set of tables, read through a mapping of sets.
            "text/csv" | "application/zip" => Some(Self::Csv),
            "application/json" => Some(Self::Json),
            "application/fhir+json" => Some(Self::Fhir),
            "application/fhir+xml" => Some(Self::FhirXml),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Some(Self::Xlsx),
            "application/xml" | "text/xml" => Some(Self::Xml),
            "application/hl7-v2" | "x-application/hl7-v2+er7" => Some(Self::Hl7),
            _ => None,
        }
    }

    /// The media type the gateway writes for this format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Fhir => "application/fhir+json; fhirVersion=4.0",
            Self::FhirXml => "application/fhir+xml; fhirVersion=4.0",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Hl7 => "application/hl7-v2",
        }
    }

    /// How names of files in this format end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json | Self::Fhir => "json",
            Self::FhirXml | Self::Xml => "xml",
            Self::Xlsx => "xlsx",
            Self::Hl7 => "hl7",
        }
    }

    /// The format that a file's extension names, in any case: `json` is the canonical message and
    /// `xml` whatever its root says; FHIR has no extension of its own.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "zip" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            // Workbooks of before 2007 are refused by name.
            "xlsx" | "xls" => Some(Self::Xlsx),
            "hl7" => Some(Self::Hl7),
            _ => None,
        }
    }

    /// Whether a file of this format holds rows: many requests, each accepted or not on its own.
    pub fn is_tabular(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx)
    }
}

/// What a reader is told about the source of the bytes, by configuration.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The organisation that sends, as authenticated.
    pub organisation: &'a str,
    /// The mapping of its tabular files and person-level XML.
    pub mapping: Option<&'a mapping::Mapping>,
    /// What its feed may leave out, and what it stands for then.
    pub feed: &'a feed::Feed,
}

/// What a reader made of one submission.
#[derive(Debug)]
pub struct Reading {
    /// One item per message or row, in order.
    pub items: Vec<Item>,
    /// What there is to say about the file as a whole: unknown columns, leniencies used.
    pub notes: Vec<Issue>,
}

/// One message or row: what it says, and its own bytes.
#[derive(Debug)]
pub struct Item {
    /// What it says. Faults of the row itself are errors among its `notes`.
    pub draft: Draft,
    /// The bytes of this message or row as sent, kept for quarantine and replay.
    pub raw: PersonalBytes,
}

/// Everything a writer needs beside the record, decided by the gateway and its release.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The delivery: the recipient's idempotency key.
    pub delivery: Uuid,
    /// The leg that is asked or answered.
    pub leg: Option<LegId>,
    /// The service that is asked.
    pub service: Option<ServiceCode>,
    /// The name of the sending organisation.
    pub sender_name: String,
    /// The organisation this is for.
    pub recipient: OrganisationCode,
    /// Its name.
    pub recipient_name: String,
    /// When the gateway received the record on the recipient's behalf; starts the clock.
    pub received_at: Timestamp,
    /// The statutory date for the answer, for requests.
    pub due_on: Option<Date>,
    /// When this is written.
    pub sent_at: Timestamp,
}

/// Why a record could not be written in a format. Holds no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The format has no place for this type of message.
    #[error("{format:?} has no form for {kind}")]
    NoForm {
        /// The format.
        format: Format,
        /// The type of message.
        kind: schemas::MessageType,
    },
    /// The record has documents that are kept apart, and the format can only carry them inside.
    #[error("{format:?} has no form for a document that is kept apart because of its size")]
    DocumentApart {
        /// The format.
        format: Format,
    },
    /// A text is longer than the format can hold in one place; it is never cut.
    #[error("a text is longer than {format:?} can hold in one place")]
    TooLong {
        /// The format.
        format: Format,
    },
    /// The writer itself failed.
    #[error("the message could not be written")]
    Failed,
}

/// The name under which a document lies beside an import file, by its place from 0 and its type:
/// `document-1.pdf`. It says nothing about anybody; the import file says what it belongs to.
pub fn document_file_name(index: usize, media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let extension = match essence.as_str() {
        "application/pdf" => "pdf",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/rtf" | "text/rtf" => "rtf",
        "image/tiff" => "tiff",
        "text/plain" => "txt",
        _ => "bin",
    };
    format!("document-{}.{extension}", index.saturating_add(1))
}

/// The path at the gateway from which a recipient fetches a document of a delivery, from 1.
pub(crate) fn document_path(delivery: Uuid, number: usize) -> String {
    format!("/v1/inbox/{delivery}/documents/{number}")
}

/// Whether a format can say where a document is instead of carrying it.
fn refers_to_documents(format: Format) -> bool {
    match format {
        Format::Csv | Format::Xlsx | Format::Json | Format::Fhir | Format::FhirXml => true,
        Format::Xml | Format::Hl7 => false,
    }
}

/// Reads a submission in its format.
pub fn read(format: Format, bytes: &[u8], source: Source<'_>) -> Result<Reading, ReadError> {
    match format {
        Format::Csv => {
            csv::read(bytes, source.mapping.ok_or_else(no_mapping)?, source.organisation)
        }
        Format::Json => json::read(bytes),
        Format::Fhir | Format::FhirXml => fhir::read_as(format, bytes, source.feed),
        Format::Xml => read_xml(bytes, source),
        Format::Hl7 => hl7v2::read(bytes, source),
        Format::Xlsx => {
            xlsx::read(bytes, source.mapping.ok_or_else(no_mapping)?, source.organisation)
        }
    }
}

/// Reads XML by what its root element says it is.
fn read_xml(bytes: &[u8], source: Source<'_>) -> Result<Reading, ReadError> {
    let document = xml::read(bytes, source.feed.allows(feed::Leniency::GuessedEncoding))?;
    let root = &document.root;
    if root.is(None, kettering::ROOT) {
        return kettering::read(&document, bytes, source);
    }
    if root.is(Some(gateway_xml::NAMESPACE), gateway_xml::ROOT) {
        return Ok(gateway_xml::read(&document, bytes));
    }
    if cda::is_root(root) {
        return cda::read(&document, bytes, source);
    }
    if let Some((mapping, record)) = source.mapping.and_then(|m| Some((m, m.record.as_deref()?)))
        && record.split('/').next() == Some(root.name.as_str())
    {
        let mut reading = person_level::read(&document, mapping, record, source.organisation)?;
        for item in &mut reading.items {
            source.feed.complete(&mut item.draft);
        }
        return Ok(reading);
    }
    Err(ReadError::new(
        ReadErrorKind::Shape,
        "xml-root-unknown",
        root.place(""),
        "the root element is not one that is read",
        "send ReportMsg (Kettering), ClinicalDocument (urn:hl7-org:v3) alone or in its SOAP or \
         ITK DistributionEnvelope, message (urn:ehc-gateway:message:1), or a file whose root is \
         the first name in the `record` of your mapping",
    ))
}

fn no_mapping() -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "mapping-missing",
        schemas::Place::Whole,
        "is a table, and no mapping says what its columns mean",
        "name a mapping, or ask the operator to set one for your organisation",
    )
}

fn not_read() -> ReadError {
    ReadError::new(
        ReadErrorKind::Shape,
        "format-not-read",
        schemas::Place::Whole,
        "is in a format that is not read",
        "send it in another format",
    )
}

/// Writes a record for a recipient, in the recipient's format.
pub fn write(format: Format, record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    if !(record.stored().is_empty() || refers_to_documents(format)) {
        return Err(WriteError::DocumentApart { format });
    }
    match format {
        Format::Csv => csv::write(record, outbound),
        Format::Json => json::write(record, outbound),
        Format::Fhir => fhir::write(record, outbound),
        Format::FhirXml => fhir::write_xml(record, outbound),
        Format::Xml => gateway_xml::write(record, outbound),
        Format::Hl7 => hl7v2::write(record, outbound),
        Format::Xlsx => workbook::write(record, outbound),
    }
}

#[cfg(test)]
mod tests;
