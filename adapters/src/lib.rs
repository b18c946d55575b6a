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
mod html;
pub mod json;
mod kettering;
mod letter;
pub mod limits;
pub mod manifest;
pub mod mapping;
mod person_level;
pub mod read_error;
pub mod set;
mod table;
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
    /// The writer itself failed.
    #[error("the message could not be written")]
    Failed,
}

/// Reads a submission in its format.
pub fn read(format: Format, bytes: &[u8], source: Source<'_>) -> Result<Reading, ReadError> {
    match format {
        Format::Csv => {
            csv::read(bytes, source.mapping.ok_or_else(no_mapping)?, source.organisation)
        }
        Format::Json => json::read(bytes),
        Format::Fhir => fhir::read(bytes),
        Format::Xml => read_xml(bytes, source),
        Format::Xlsx => {
            xlsx::read(bytes, source.mapping.ok_or_else(no_mapping)?, source.organisation)
        }
        Format::FhirXml | Format::Hl7 => Err(not_read()),
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
    match format {
        Format::Csv => csv::write(record, outbound),
        Format::Json => json::write(record, outbound),
        Format::Fhir => fhir::write(record, outbound),
        Format::Xml => gateway_xml::write(record, outbound),
        Format::FhirXml | Format::Xlsx | Format::Hl7 => {
            Err(WriteError::NoForm { format, kind: record.message().kind })
        }
    }
}
