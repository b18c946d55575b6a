//! Envelope version 1: the form in which anything sealed is kept.
//!
//! ```text
//! magic "EHCV" | version 1 | key id: u8 length, text | wrapped key: u16 length, bytes
//!              | nonce: 12 bytes | ciphertext and tag (AES-256-GCM)
//! ```
//!
//! Owns those bytes and what they are bound to: a [`Context`] of a namespace and fields, written
//! without ambiguity and authenticated with the content, so that one kind of sealed thing is never
//! opened as another, nor in another's place. It must never know what the content means.
//!
//! Everything that can be checked without a key is checked first. The content is padded to size
//! buckets with an authenticated length. Numbers are big-endian.
//!
//! Before you change this: version 1 must open for ever. `tests/corpus/sealed` holds vectors that
//! are never made again; a new form is a new version beside this one. Limits: content of at most
//! [`CONTENT_BYTES_MAX`], held in memory whole.

use ring::aead::{Aad, Nonce};
use zeroize::Zeroizing;

use super::VaultError;
use super::keyring::{ContentKey, KeyId, KeyWrapper, WrappedKey, cipher};
use crate::entropy::Entropy;

/// What kind of thing is sealed. The names are authenticated and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Record,
    Original,
    Quarantine,
    Label,
    Answer,
    Transition,
    Period,
}

/// What a sealed thing is bound to.
pub(super) struct Context {
    bytes: Vec<u8>,
}

/// An envelope taken apart, nothing of it believed yet.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) wrapped: WrappedKey,
    nonce: [u8; 12],
    ciphertext: &'a [u8],
}

impl Namespace {
    fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Original => "original",
            Self::Quarantine => "quarantine",
            Self::Label => "label",
            Self::Answer => "answer",
            Self::Transition => "transition",
            Self::Period => "period",
        }
    }
}

impl Context {
    /// Binds a namespace and its fields, in order. The number of fields and the length of each is
    /// written, so no two different lists give the same bytes.
    pub(super) fn new(namespace: Namespace, fields: &[&[u8]]) -> Self {
        let mut bytes = [MAGIC, &[VERSION]].concat();
        push_list(&mut bytes, &[namespace.name().as_bytes()]);
        push_list(&mut bytes, fields);
        Self { bytes }
    }
}

/// Writes a list of fields: their number, then each with its length.
pub(super) fn push_list(to: &mut Vec<u8>, fields: &[&[u8]]) {
    push_length(to, fields.len());
    for field in fields {
        push_length(to, field.len());
        to.extend_from_slice(field);
    }
}

/// Writes a length in eight bytes.
pub(super) fn push_length(to: &mut Vec<u8>, length: usize) {
    to.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

/// Takes a length of eight bytes and that many bytes from the front.
pub(super) fn take_field<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let (field, rest) = rest.split_at_checked(length)?;
    *from = rest;
    Some(field)
}

/// Seals content under a fresh key.
pub(super) fn seal(
    context: &Context,
    content: &[u8],
    keys: &dyn KeyWrapper,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    if content.len() > CONTENT_BYTES_MAX {
        return Err(VaultError::TooLarge { bytes: content.len(), limit: CONTENT_BYTES_MAX });
    }
    let content_key = ContentKey::make(entropy)?;
    let wrapped = keys.wrap(&content_key, entropy)?;
    let mut nonce = [0; 12];
    entropy.fill(&mut nonce)?;

    let size = padded_length(content.len());
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    push_length(&mut padded, content.len());
    padded.extend_from_slice(content);
    padded.resize(size, 0);
    let tag = cipher(content_key.expose())?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&context.bytes),
            &mut padded,
        )
        .or(Err(VaultError::Refused))?;

    let mut envelope = header(&wrapped)?;
    envelope.reserve(NONCE_BYTES.saturating_add(size).saturating_add(TAG_BYTES));
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&padded);
    envelope.extend_from_slice(tag.as_ref());
    Ok(envelope)
}

/// Opens an envelope as what the context says, or refuses.
pub(super) fn open(
    context: &Context,
    envelope: &[u8],
    keys: &dyn KeyWrapper,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let envelope = Envelope::parse(envelope)?;
    let content_key = keys.expose_content_key(&envelope.wrapped)?;
    let mut buffer = Zeroizing::new(envelope.ciphertext.to_vec());
    let padded = cipher(content_key.expose())?
        .open_in_place(
            Nonce::assume_unique_for_key(envelope.nonce),
            Aad::from(&context.bytes),
            &mut buffer,
        )
        .or(Err(VaultError::Refused))?;
    let padded: &[u8] = padded;
    let whole = padded.len();
    let mut rest = padded;
    let content = take_field(&mut rest).ok_or(VaultError::Malformed("length"))?;
    if padded_length(content.len()) != whole || rest.iter().any(|byte| *byte != 0) {
        return Err(VaultError::Malformed("padding"));
    }
    Ok(Zeroizing::new(content.to_vec()))
}

/// Wraps the content key of an envelope anew, with the current key. The sealed content, and what
/// it is bound to, stay byte for byte what they were.
pub(super) fn rewrap(
    envelope: &[u8],
    keys: &dyn KeyWrapper,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    let envelope = Envelope::parse(envelope)?;
    let content_key = keys.expose_content_key(&envelope.wrapped)?;
    let mut rewrapped = header(&keys.wrap(&content_key, entropy)?)?;
    rewrapped.extend_from_slice(&envelope.nonce);
    rewrapped.extend_from_slice(envelope.ciphertext);
    Ok(rewrapped)
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart: version, lengths and key id, before any key is touched.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, VaultError> {
        let malformed = |what| move || VaultError::Malformed(what);
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(malformed("magic"))?;
        let (version, rest) = rest.split_first().ok_or_else(malformed("version"))?;
        if *version != VERSION {
            return Err(VaultError::Malformed("version"));
        }
        let (length, rest) = rest.split_first().ok_or_else(malformed("key id"))?;
        let (key, rest) =
            rest.split_at_checked(usize::from(*length)).ok_or_else(malformed("key id"))?;
        let key = std::str::from_utf8(key).ok().and_then(KeyId::parse);
        let key = key.ok_or_else(malformed("key id"))?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(malformed("wrapped key"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !(1..=WRAPPED_BYTES_MAX).contains(&length) {
            return Err(VaultError::Malformed("wrapped key"));
        }
        let (wrapped, rest) = rest.split_at_checked(length).ok_or_else(malformed("wrapped key"))?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or_else(malformed("nonce"))?;
        let padded = ciphertext.len().checked_sub(TAG_BYTES);
        let padded = padded.filter(|length| *length <= padded_length(CONTENT_BYTES_MAX));
        if padded.is_none_or(|length| length < SMALL_BUCKET || !length.is_multiple_of(SMALL_BUCKET))
        {
            return Err(VaultError::Malformed("ciphertext"));
        }
        let wrapped = WrappedKey { key, bytes: wrapped.to_vec() };
        Ok(Self { wrapped, nonce: *nonce, ciphertext })
    }
}

fn header(wrapped: &WrappedKey) -> Result<Vec<u8>, VaultError> {
    let malformed = |_| VaultError::Malformed("wrapped key");
    let key = wrapped.key.as_str().as_bytes();
    let key_length = u8::try_from(key.len()).map_err(malformed)?;
    let length = u16::try_from(wrapped.bytes.len()).map_err(malformed)?;
    if usize::from(length) > WRAPPED_BYTES_MAX {
        return Err(VaultError::Malformed("wrapped key"));
    }
    let start = [MAGIC, &[VERSION, key_length], key, &length.to_be_bytes()].concat();
    Ok([start, wrapped.bytes.clone()].concat())
}

/// The length of the padded content: with its length of eight bytes, a multiple of 1 KiB up to
/// 64 KiB and of 64 KiB above.
fn padded_length(content: usize) -> usize {
    let whole = content.saturating_add(8);
    let bucket = if whole <= LARGE_BUCKET { SMALL_BUCKET } else { LARGE_BUCKET };
    whole.next_multiple_of(bucket)
}

const MAGIC: &[u8] = b"EHCV";
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const SMALL_BUCKET: usize = 1024;
const LARGE_BUCKET: usize = 64 * 1024;
/// Key services answer with more than a key file does; 2 KiB is room for any we know.
const WRAPPED_BYTES_MAX: usize = 2048;
/// The most that is sealed in one envelope.
pub(super) const CONTENT_BYTES_MAX: usize = 128 * 1024 * 1024;
