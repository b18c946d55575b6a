//! FHIR R4 message Bundles, in and out.
//!
//! Owns the mapping between our fields and the few FHIR elements we exchange; the table is
//! `schemas/fhir/mapping.md`. [`read`] takes a message Bundle (`MessageHeader` first) or a
//! document Bundle (`Composition` first) and gives one item; [`write()`] gives a message Bundle in
//! which every reference is resolved. It must never know a partner, a rule about content, a
//! server or a clock.
//!
//! Strict: a modifier extension or implicit rule is refused wherever it stands, references are
//! followed inside the Bundle only, documents come inside the message and never by address, and
//! nothing is taken because it stands first. Elements and resources that are not read are noted
//! as warnings. Positions are the line, column and path of the element.
//!
//! XML is read into the same tree as JSON (`markup`), so that there is one reader. What a message is
//! answered with is in [`reply`], what the gateway says of itself in [`capability`].
//!
//! Limits are those of the JSON and XML readers; one Bundle is one message.
//!
//! Not supported, and why: profile validation (almost all rules of UK Core are must-support and
//! prove little); contained resources other than authors and organisations; searching, history and
//! transactions, because the gateway is not a FHIR server; the claim to be `BaRS` (no use case of
//! it covers councils).

mod author;
mod bundle;
pub mod capability;
mod consent;
mod dates;
mod document;
mod element;
mod elements;
mod event;
mod itk3;
mod markup;
mod particulars;
mod patient;
mod reader;
pub mod reply;
mod resources;
mod systems;
mod task;
mod writer;

use schemas::{PersonalBytes, Record};

use crate::feed::Feed;
use crate::json::strict::{self, Node};
use crate::read_error::ReadError;
use crate::{Format, Item, Outbound, Reading, WriteError};

/// Reads one Bundle as JSON.
pub fn read(bytes: &[u8]) -> Result<Reading, ReadError> {
    read_as(Format::Fhir, bytes, &Feed::default())
}

/// Reads one Bundle as XML.
pub fn read_xml(bytes: &[u8]) -> Result<Reading, ReadError> {
    read_as(Format::FhirXml, bytes, &Feed::default())
}

/// Reads one Bundle of a feed, as JSON or XML.
pub(crate) fn read_as(format: Format, bytes: &[u8], feed: &Feed) -> Result<Reading, ReadError> {
    let root = tree(format, bytes)?;
    let mut draft = if itk3::is(&root) { itk3::draft(&root)? } else { reader::draft(&root)? };
    feed.complete(&mut draft);
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Ok(Reading { items: vec![item], notes: Vec::new() })
}

/// Writes a record as a FHIR R4 message Bundle for one recipient, as JSON.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    render(&writer::bundle(record, outbound), Format::Fhir)
}

/// The same as XML. Fails where a text holds a character that XML cannot hold.
pub fn write_xml(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    render(&writer::bundle(record, outbound), Format::FhirXml)
}

/// The tree of a resource in a FHIR format.
fn tree(format: Format, bytes: &[u8]) -> Result<Node, ReadError> {
    match format {
        Format::Fhir => strict::parse(bytes),
        Format::FhirXml => markup::parse(bytes),
        Format::Csv | Format::Json | Format::Xlsx | Format::Xml | Format::Hl7 => {
            Err(crate::not_read())
        }
    }
}

/// A resource as bytes in a FHIR format.
fn render(resource: &serde_json::Value, format: Format) -> Result<Vec<u8>, WriteError> {
    match format {
        Format::Fhir => serde_json::to_vec(resource).or(Err(WriteError::Failed)),
        Format::FhirXml => markup::write(resource),
        Format::Csv | Format::Json | Format::Xlsx | Format::Xml | Format::Hl7 => {
            Err(WriteError::Failed)
        }
    }
}

#[cfg(test)]
mod tests;
