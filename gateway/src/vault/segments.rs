//! Large documents: sealed in segments, so that neither sealing nor opening holds one whole.
//!
//! ```text
//! header   magic "EHCS" | version 1 | key id: u8 length, text | wrapped key: u16 length, bytes
//! segment  nonce: 12 random bytes | ciphertext and tag (AES-256-GCM)
//! ```
//!
//! Owns those bytes and what they are bound to. A document has a fresh content key, wrapped as an
//! envelope's is and kept in its header. It is cut into segments of [`SEGMENT_BYTES`], the last one
//! shorter; each is sealed on its own and bound to the document's id, owner and size, to the size of
//! a segment, to its own place, and to whether it is the last (the STREAM construction of Hoang,
//! Reyhanitabar, Rogaway and Vizár, 2015). So a segment opens in one place of one document only:
//! cut, moved, doubled or exchanged ones are refused, and a range is read without what is before it.
//!
//! The place is authenticated, but it is not the nonce: an upload that broke off may seal the same
//! place again with other bytes, and a nonce must never be used twice. A document has at most 5,120
//! segments, so random nonces under its own key do not meet.
//!
//! To use it: [`Vault::begin_document`] once, [`Vault::document_sealer`] whenever more comes in,
//! [`Vault::document_for_release`] to deliver.
//!
//! Before you change this: version 1 must open for ever; `tests/corpus/sealed` holds vectors. An
//! older form of a segment, put back by someone who can write where documents are kept, opens: the
//! SHA-256 in the record finds that when the document is read whole. Not supported: sealing to a
//! recipient's public key.

use std::ops::Range;

use ring::aead::{Aad, LessSafeKey, Nonce};
use schemas::OrganisationCode;
use schemas::record::StoredDocument;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::envelope::{push_length, push_list};
use super::keyring::{ContentKey, KeyId, WrappedKey, cipher};
use super::{Opened, Vault, VaultError};
use crate::entropy::Entropy;

/// How much of a document is sealed in one piece: the unit in which memory is held.
pub const SEGMENT_BYTES: usize = 1024 * 1024;

/// What a document's segments are bound to beside their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPlace {
    /// The document.
    pub id: Uuid,
    /// The organisation whose it is.
    pub owner: OrganisationCode,
    /// How many bytes it has, as declared before the first came.
    pub size: u64,
}

/// A document's wrapped key, as it is kept beside what is known of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentHeader(pub(crate) Vec<u8>);

/// Seals and opens the segments of one document.
pub struct Segments {
    cipher: LessSafeKey,
    context: Vec<u8>,
    size: u64,
}

impl DocumentPlace {
    /// How many segments a document has: at least one.
    pub fn segments(&self) -> u64 {
        segments_of(self.size)
    }
}

impl DocumentHeader {
    /// From what the store holds. Checks its form.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, VaultError> {
        parse(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Vault {
    /// Makes the key of a new document.
    pub fn begin_document(&self) -> Result<DocumentHeader, VaultError> {
        let wrapped = self.keys.wrap(&ContentKey::make(&*self.entropy)?, &*self.entropy)?;
        header(&wrapped).map(DocumentHeader)
    }

    /// What seals a document's segments, and opens them again for the gateway's own check of what
    /// came in. The caller answers for what it does with the plain bytes: hash, scan, drop.
    pub fn document_sealer(
        &self,
        place: &DocumentPlace,
        header: &DocumentHeader,
    ) -> Result<Segments, VaultError> {
        let key = self.keys.expose_content_key(&parse(&header.0)?)?;
        Ok(Segments { cipher: cipher(&key.0)?, context: context(place), size: place.size })
    }

    /// What opens a document that a released record names. Nothing else opens one for anybody.
    pub fn document_for_release(
        &self,
        opened: &Opened,
        document: &StoredDocument,
        header: &DocumentHeader,
    ) -> Result<Segments, VaultError> {
        if !opened.record().stored().contains(document) {
            return Err(VaultError::Token("the record that was opened does not name the document"));
        }
        let owner = opened.record().message().sender.clone();
        let place = DocumentPlace { id: document.id, owner, size: document.size };
        self.document_sealer(&place, header)
    }
}

impl Segments {
    /// How many segments the document has.
    pub fn count(&self) -> u64 {
        segments_of(self.size)
    }

    /// How many plain bytes a segment has.
    pub fn length_of(&self, index: u64) -> Option<usize> {
        let rest = self.size.checked_sub(index.checked_mul(SEGMENT)?)?;
        (index < self.count()).then(|| usize::try_from(rest.min(SEGMENT)).ok()).flatten()
    }

    /// Seals the segment at a place. Its length must be what that place has.
    pub fn seal(
        &self,
        index: u64,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, VaultError> {
        if self.length_of(index) != Some(plain.len()) {
            return Err(VaultError::Malformed("segment length"));
        }
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(plain.len() + NONCE_BYTES + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let content = sealed.get_mut(NONCE_BYTES..).unwrap_or_default();
        let tag = self
            .cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.place(index)),
                content,
            )
            .or(Err(VaultError::Refused))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens the segment at a place, where it was sealed and nowhere else.
    pub fn open(&self, index: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, content) =
            sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Malformed("segment"))?;
        let expected = self.length_of(index).map(|length| length + TAG_BYTES);
        if expected != Some(content.len()) {
            return Err(VaultError::Refused);
        }
        let mut plain = Zeroizing::new(content.to_vec());
        let opened = self
            .cipher
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(self.place(index)),
                plain.as_mut_slice(),
            )
            .or(Err(VaultError::Refused))?
            .len();
        plain.truncate(opened);
        Ok(plain)
    }

    /// The context, the place within the document, and whether it is the last.
    fn place(&self, index: u64) -> Vec<u8> {
        let last = u8::from(index + 1 == self.count());
        [self.context.as_slice(), &index.to_be_bytes(), &[last]].concat()
    }
}

impl std::fmt::Debug for Segments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segments({} of {} bytes)", self.count(), self.size)
    }
}

/// The segments that hold a range of a document's bytes, and where the range begins in the first.
pub fn segments_for(range: &Range<u64>) -> (Range<u64>, usize) {
    let first = range.start / SEGMENT;
    let end = if range.is_empty() { first } else { range.end.div_ceil(SEGMENT) };
    (first..end, usize::try_from(range.start % SEGMENT).unwrap_or(0))
}

fn segments_of(size: u64) -> u64 {
    size.div_ceil(SEGMENT).max(1)
}

fn context(place: &DocumentPlace) -> Vec<u8> {
    let mut context = [MAGIC, &[VERSION]].concat();
    push_list(&mut context, &[b"document", place.id.as_bytes(), place.owner.as_str().as_bytes()]);
    context.extend_from_slice(&place.size.to_be_bytes());
    push_length(&mut context, SEGMENT_BYTES);
    context
}

fn header(wrapped: &WrappedKey) -> Result<Vec<u8>, VaultError> {
    let malformed = |_| VaultError::Malformed("wrapped key");
    let key = wrapped.key.as_str().as_bytes();
    let key_length = u8::try_from(key.len()).map_err(malformed)?;
    let length = u16::try_from(wrapped.bytes.len()).map_err(malformed)?;
    let start = [MAGIC, &[VERSION, key_length], key, &length.to_be_bytes()].concat();
    Ok([start.as_slice(), &wrapped.bytes].concat())
}

fn parse(bytes: &[u8]) -> Result<WrappedKey, VaultError> {
    let malformed = || VaultError::Malformed("document header");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(malformed)?;
    let (version, rest) = rest.split_first().ok_or_else(malformed)?;
    let (length, rest) = rest.split_first().ok_or_else(malformed)?;
    let (key, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(malformed)?;
    let key = std::str::from_utf8(key).ok().and_then(KeyId::parse).ok_or_else(malformed)?;
    let (length, wrapped) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
    let whole = wrapped.len() == usize::from(u16::from_be_bytes(*length)) && !wrapped.is_empty();
    if *version != VERSION || !whole {
        return Err(malformed());
    }
    Ok(WrappedKey { key, bytes: wrapped.to_vec() })
}

/// [`SEGMENT_BYTES`] as sizes of documents are counted.
const SEGMENT: u64 = 1024 * 1024;
const _: () = assert!(SEGMENT_BYTES == 1 << 20 && SEGMENT == 1 << 20);
const MAGIC: &[u8] = b"EHCS";
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests;
