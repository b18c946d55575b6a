//! Backups: sealed in segments in the order in which they are written, so that neither making nor
//! reading one holds it whole.
//!
//! Owns how a segment of a backup is sealed and what it is bound to. A backup has a fresh content
//! key, wrapped by the current *backup key*, which lives in a key file of its own. Each segment is
//! bound to the header of its backup, to its part, to its place in the file and to whether it ends
//! its part or the backup (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
//! The place is the nonce too: a backup is written once, from its beginning to its end, under a key
//! of its own, and one that broke off is thrown away, so that no nonce comes twice.
//!
//! It must never know files, tables or why somebody makes a backup.
//!
//! To use it: [`FreshKey::make`], [`FreshKey::bind`], and [`BackupKey::seal`] for every segment in order;
//! [`BackupKey::unwrap`] and [`BackupKey::open`] in the same order.
//!
//! Limits: 2^64 segments of at most 2^32 bytes. Before you change this: version 1 must open for
//! ever. Not supported: opening from the middle, because a backup is proved as a whole.

use ring::aead::{Aad, LessSafeKey, Nonce};
use zeroize::Zeroizing;

use super::VaultError;
use super::keyring::{ContentKey, KeyWrapper, WrappedKey, cipher};
use crate::entropy::Entropy;

/// What seals or opens the segments of one backup, in their order.
pub struct BackupKey {
    cipher: LessSafeKey,
    context: Vec<u8>,
    next: u64,
}

/// Where a segment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPlace {
    /// The part of the backup, from 0.
    pub part: u32,
    /// What ends with it: 0 nothing, 1 its part, 2 its part and the backup.
    pub end: u8,
}

/// A fresh content key, not yet bound to the header that will carry it.
pub struct FreshKey(ContentKey);

impl FreshKey {
    /// Makes a key and wraps it with the current backup key.
    pub fn make(
        keys: &dyn KeyWrapper,
        entropy: &dyn Entropy,
    ) -> Result<(Self, WrappedKey), VaultError> {
        let key = ContentKey::make(entropy)?;
        let wrapped = keys.wrap(&key, entropy)?;
        Ok((Self(key), wrapped))
    }

    /// Binds it to the bytes of the header.
    pub fn bind(self, header: &[u8]) -> Result<BackupKey, VaultError> {
        BackupKey::new(&self.0, header)
    }
}

impl BackupKey {
    fn new(key: &ContentKey, header: &[u8]) -> Result<Self, VaultError> {
        let digest = crate::entropy::sha256(header);
        let context = [CONTEXT, digest.as_slice()].concat();
        Ok(Self { cipher: cipher(key.expose())?, context, next: 0 })
    }

    /// Opens the wrapped key of a backup with these bytes as its header.
    ///
    /// Errors: [`VaultError::UnknownKey`] when the key file does not have the backup key.
    pub fn unwrap(
        keys: &dyn KeyWrapper,
        wrapped: &WrappedKey,
        header: &[u8],
    ) -> Result<Self, VaultError> {
        Self::new(&keys.expose_content_key(wrapped)?, header)
    }

    /// How many segments were sealed or opened.
    pub fn segments(&self) -> u64 {
        self.next
    }

    /// Seals the next segment.
    pub fn seal(&mut self, place: SegmentPlace, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (nonce, context) = self.advance(place)?;
        let mut sealed = plain.to_vec();
        self.cipher
            .seal_in_place_append_tag(nonce, Aad::from(context), &mut sealed)
            .or(Err(VaultError::Refused))?;
        Ok(sealed)
    }

    /// Opens the next segment: only there, where it was sealed.
    pub fn open(
        &mut self,
        place: SegmentPlace,
        mut sealed: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, context) = self.advance(place)?;
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(context), &mut sealed)
            .or(Err(VaultError::Refused))?
            .len();
        sealed.truncate(length);
        Ok(Zeroizing::new(sealed))
    }

    fn advance(&mut self, place: SegmentPlace) -> Result<(Nonce, Vec<u8>), VaultError> {
        let index = self.next;
        self.next = index.checked_add(1).ok_or(VaultError::Malformed("segment"))?;
        let place_in_file = u128::from(index).to_be_bytes();
        let (_, nonce) = place_in_file.split_last_chunk::<12>().ok_or(VaultError::Refused)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let context = [
            self.context.as_slice(),
            &index.to_be_bytes(),
            &place.part.to_be_bytes(),
            &[place.end],
        ];
        Ok((nonce, context.concat()))
    }
}

impl std::fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BackupKey(hidden, {} segments)", self.next)
    }
}

impl std::fmt::Debug for FreshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FreshKey(hidden)")
    }
}

/// By how much a sealed segment is longer than its content.
pub const TAG_BYTES: usize = 16;
const CONTEXT: &[u8] = b"ehc-gateway backup segment 1\0";
