//! What a record is.
//!
//! A sender *says* something: that is a [`Draft`], every field optional and located in what was
//! sent. [`Draft::check`] finds everything wrong with it at once and, if nothing is, makes a
//! [`Record`], the only form in which the gateway holds, seals and renders a message.
//!
//! This crate must never know: files, sockets, clocks, randomness, formats, partners or storage.
//! Dates arrive as arguments; the law arrives as data (`catalogue`, `deadlines`).

pub mod catalogue;
pub mod check;
pub mod deadlines;
pub mod document_type;
pub mod draft;
pub mod identifiers;
pub mod issue;
pub mod personal;
pub mod record;
#[cfg(test)]
mod samples;
pub mod transition;

pub use check::Checked;
pub use draft::{Draft, DraftAttachment, DraftReference, Field, Located, Standing};
pub use identifiers::{
    CaseReference, IdentifierError, LegId, MessageId, NhsNumber, OrganisationCode, Postcode,
    RecordId, ServiceCode, Uln, Upn, Urn,
};
pub use issue::{Issue, Place, Severity};
pub use personal::{PersonalBytes, PersonalText};
pub use record::{Body, Message, MessageType, Record, message_schema};

/// The version of the canonical record; authenticated with every sealed record and written in
/// every canonical message as `version`.
pub const SCHEMA_VERSION: u32 = 1;
