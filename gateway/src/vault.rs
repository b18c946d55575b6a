//! Sealing and opening: nothing else.

use schemas::{OrganisationCode, RecordId};

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
