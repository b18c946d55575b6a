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
//! Limits are those of the JSON reader; one Bundle is one message.
//!
//! Not supported, and why: XML and STU3 (no partner asks for them; ITK3 is read elsewhere);
//! profile validation (almost all rules of UK Core are must-support and prove little); contained
//! resources other than authors and organisations; searching, history and transactions, because
//! the gateway is not a FHIR server; the claim to be `BaRS` (no use case of it covers councils).

mod author;
mod bundle;
pub mod capability;
mod dates;
mod document;
mod element;
mod patient;
mod reader;
pub mod reply;
mod resources;
mod systems;
mod task;
mod writer;

use schemas::{PersonalBytes, Record};

use crate::json::strict::{self, Node};
use crate::read_error::ReadError;
use crate::{Format, Item, Outbound, Reading, WriteError};

/// Reads one FHIR R4 Bundle.
pub fn read(bytes: &[u8]) -> Result<Reading, ReadError> {
    let root = strict::parse(bytes)?;
    let draft = reader::draft(&root)?;
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Ok(Reading { items: vec![item], notes: Vec::new() })
}

/// Writes a record as a FHIR R4 message Bundle for one recipient.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    render(&writer::bundle(record, outbound), Format::Fhir)
}

/// The tree of a resource in a FHIR format.
fn tree(format: Format, bytes: &[u8]) -> Result<Node, ReadError> {
    match format {
        Format::Fhir => strict::parse(bytes),
        Format::FhirXml | Format::Csv | Format::Json | Format::Xlsx | Format::Xml | Format::Hl7 => {
            Err(crate::not_read())
        }
    }
}

/// A resource as bytes in a FHIR format.
fn render(resource: &serde_json::Value, format: Format) -> Result<Vec<u8>, WriteError> {
    match format {
        Format::Fhir => serde_json::to_vec(resource).or(Err(WriteError::Failed)),
        Format::FhirXml | Format::Csv | Format::Json | Format::Xlsx | Format::Xml | Format::Hl7 => {
            Err(WriteError::Failed)
        }
    }
}

#[cfg(test)]
mod tests;
