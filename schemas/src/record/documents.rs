//! The documents of a record: those that came inside it, and those that are kept apart.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::personal::{PersonalBytes, PersonalText};

/// A document that came with a record, its type known from its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// A safe file name: letters, digits, `-`, `_` and `.`, at most 100 characters.
    pub name: PersonalText,
    /// The media type found from the content.
    pub media_type: String,
    /// The bytes.
    pub content: PersonalBytes,
}

/// A document of a record that is kept apart from it, because it may be large.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDocument {
    /// Its id at this gateway.
    pub id: uuid::Uuid,
    /// A safe file name, as an attachment's.
    pub name: PersonalText,
    /// The media type found from the content.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl StoredDocument {
    /// SHA-256 of its bytes, as 64 hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        let nibbles = self.sha256.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
    }
}

impl Record {
    /// The documents that came inside the message.
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }

    /// The documents that are kept apart, after the others: the first has the number that follows
    /// the last attachment's.
    pub fn stored(&self) -> &[StoredDocument] {
        &self.stored
    }

    /// The documents that are kept apart, each with its number within the message, from 1.
    pub fn numbered_stored(&self) -> impl Iterator<Item = (usize, &StoredDocument)> {
        let before = self.attachments.len();
        self.stored.iter().enumerate().map(move |(at, stored)| (before + at + 1, stored))
    }

    /// Adds the documents that are kept apart to a record that was opened. For the vault.
    #[must_use]
    pub fn with_stored(mut self, stored: Vec<StoredDocument>) -> Self {
        self.stored = stored;
        self
    }
}
