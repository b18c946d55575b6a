//! HL7 v2 (ER7), in and out: documents as MDM, reports as ORU^R01, and acknowledgements.
//!
//! Owns the mapping between our fields and HL7 v2.3 to 2.8; the table is
//! `schemas/hl7v2/mapping.md`. [`read`] takes one message and gives one item; [`write()`] gives an
//! MDM^T02 of version 2.5; [`ack`] answers a message and reads answers. It must never know a
//! connection, a partner beyond its feed, or a clock.
//!
//! Letters have no place for our fields, so what a document says becomes the summary and the
//! attachments of advice. Both sides may be exact with rows whose OBX-3 is in our own coding system
//! (`99EHC`): each names a field by its canonical path. Separators, escapes and repetitions follow
//! the message's own MSH. Z segments are kept with the original and not read.
//!
//! Strict: drafts are held back, pointers (`RP`) are never followed, a sender is known by MSH-4,
//! and every place names segment, field and component. What is allowed instead is named in
//! [`Leniency`](crate::feed::Leniency) and noted when used.
//!
//! Limits: the message, its segments and fields, its documents, in [`limits`].
//!
//! Not supported, and why: batches (FHS, BHS) and continued messages (DSC), because MLLP sends
//! messages one by one; ADT, orders and queries, because no journey uses them; the XML encoding
//! of v2, because nobody here sends it; merging persons, which is for the master index.

pub mod ack;
mod content;
mod documents;
mod er7;
mod escapes;
mod person;
mod reader;
mod text;
mod writer;

use schemas::{Field, PersonalBytes, Record};

use crate::read_error::{ReadError, ReadErrorKind};
use crate::{Item, Outbound, Reading, Source, WriteError, limits};

/// Reads one HL7 v2 message.
pub fn read(bytes: &[u8], source: Source<'_>) -> Result<Reading, ReadError> {
    if bytes.len() > limits::SUBMISSION_BYTES_MAX {
        return Err(ReadError::new(
            ReadErrorKind::TooLarge,
            "hl7-too-large",
            schemas::Place::Whole,
            "is larger than one message may be",
            "send large documents another way",
        ));
    }
    let text = text::decode(bytes, source.feed)?;
    let grammar = er7::Grammar::of(&text.content, text.charset)?;
    text.notes.into_iter().for_each(|note| grammar.note(note));
    let segments = er7::segments(&text.content, &grammar)?;
    let mut draft = reader::draft(segments, source, &grammar)?;
    draft.notes.extend(grammar.into_notes());
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Ok(Reading { items: vec![item], notes: Vec::new() })
}

/// Writes a record as MDM^T02 for one recipient.
pub fn write(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    writer::message(record, outbound)
}

/// Whether a row in our own coding system may carry a field. The envelope and the person stand in
/// segments of their own.
fn is_carried(field: Field) -> bool {
    let path = field.path();
    let elsewhere = [Field::AUTHOR_NAME, Field::ADVICE_DATE, Field::RECIPIENT];
    let person = [Field::SUPERSEDES, Field::LA_PERSON_ID, Field::UPN, Field::SCHOOL];
    let groups = [
        "case",
        "acting.",
        "request.",
        "consent.",
        "advice.",
        "nil.",
        "exception.",
        "triage.",
        "transition.",
        "particulars.",
    ];
    person.contains(&field)
        || (!elsewhere.contains(&field) && groups.iter().any(|group| path.starts_with(group)))
}

/// What TXA-2 calls one of our types: its name, cut to the twenty characters there are.
fn document_type(kind: schemas::MessageType) -> &'static str {
    let name = kind.as_str();
    name.get(..DOCUMENT_TYPE_CHARS).unwrap_or(name)
}

/// The length of TXA-2 in version 2.5.
const DOCUMENT_TYPE_CHARS: usize = 20;
/// Our own coding system (HL7 v2.5, table 0396: local codes begin with 99).
const OURS: &str = "99EHC";
/// Rows we write for people to read, and pass over when they come back.
const OTHER_ROWS: [&str; 4] = ["title", "reference", "due_on", "from"];

#[cfg(test)]
mod tests;
