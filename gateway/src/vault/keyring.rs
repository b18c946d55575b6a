//! Wrapping keys: who keeps them and how a content key is wrapped by one.
//!
//! Owns the seam [`KeyWrapper`] and its default, [`KeyFile`]. It must never know what is sealed: it
//! sees content keys only, and nothing outside the vault sees even those. One key is current and
//! wraps; every key in the file opens. Each belongs to a period, so that destroying a key makes
//! everything sealed in that period unreadable, in backups too.
//!
//! ```no_run
//! use gateway::vault::keyring::KeyFile;
//! let keys = KeyFile::load(std::path::Path::new("/var/lib/ehc-gateway/wrapping-keys.toml"));
//! ```
//!
//! Limits: keys are wiped from our memory when dropped, but ring keeps its own expanded form of a
//! key while it works and does not wipe it. Wrapping nonces are random: change the current key well
//! before 2^32 wraps. Not supported here: a key service or HSM; that is another `KeyWrapper`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::VaultError;
use crate::entropy::{Entropy, hmac_sha256, sha256};
use crate::secret_file;

/// The name of a wrapping key: 1 to 32 small letters, digits and hyphens. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// A key that seals one thing and is then only ever used to open it.
pub struct ContentKey(pub(super) Zeroizing<[u8; 32]>);

/// A content key as it is kept: wrapped by the named key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key that wraps it.
    pub key: KeyId,
    /// The wrapped bytes, in the wrapper's own form.
    pub bytes: Vec<u8>,
}

/// Whoever keeps the wrapping keys: a key file here; a key service or HSM at a deployer's wish.
pub trait KeyWrapper: Send + Sync + fmt::Debug {
    /// The key that wraps now.
    fn current(&self) -> KeyId;

    /// Wraps a content key with the current key.
    fn wrap(&self, content: &ContentKey, entropy: &dyn Entropy) -> Result<WrappedKey, VaultError>;

    /// Opens a wrapped content key with the key it names, current or not.
    ///
    /// Errors: [`VaultError::UnknownKey`] when this keeper has no such key.
    fn expose_content_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, VaultError>;
}

/// Wrapping keys in a TOML file that only its owner can read.
pub struct KeyFile {
    current: KeyId,
    keys: BTreeMap<KeyId, Key>,
}

struct Key {
    period: String,
    secret: Zeroizing<[u8; 32]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    current: String,
    key: Vec<KeyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    id: String,
    period: String,
    secret: String,
}

impl KeyId {
    /// Parses the name of a key.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ((1..=32).contains(&text.len()) && text.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ContentKey {
    /// A fresh key for one thing.
    pub(super) fn make(entropy: &dyn Entropy) -> Result<Self, VaultError> {
        let mut key = Self(Zeroizing::new([0; 32]));
        entropy.fill(key.0.as_mut())?;
        Ok(key)
    }

    /// The key's bytes, for another keeper of wrapping keys to wrap, and nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A content key from the bytes another keeper of wrapping keys unwrapped.
    pub fn from_unwrapped(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }
}

impl KeyFile {
    /// Reads a key file. Refuses one that others can read, and never says what stands in it.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let bytes = secret_file::read(path)?;
        Self::parse(&bytes)
            .map_err(|problem| VaultError::KeyFile { path: path.to_owned(), problem })
    }

    /// Makes a key file with one fresh key for a period, readable by its owner only.
    ///
    /// Refuses when the file exists: a lost wrapping key cannot be made again.
    pub fn generate(path: &Path, entropy: &dyn Entropy, period: &str) -> Result<Self, VaultError> {
        Self::generate_under(HEADER, path, entropy, period)
    }

    /// The same for the keys of backups, which open no record.
    pub fn generate_for_backups(path: &Path, entropy: &dyn Entropy) -> Result<Self, VaultError> {
        Self::generate_under(BACKUP_HEADER, path, entropy, "backup")
    }

    fn generate_under(
        header: &str,
        path: &Path,
        entropy: &dyn Entropy,
        period: &str,
    ) -> Result<Self, VaultError> {
        let bad = |problem| VaultError::KeyFile { path: path.to_owned(), problem };
        let mut text = Zeroizing::new(String::with_capacity(1024));
        text.push_str(header);
        let id = key_id_for(period, entropy)?.ok_or_else(|| bad(PERIOD.to_owned()))?;
        for part in ["current = \"", id.as_str(), "\"\n"] {
            text.push_str(part);
        }
        push_key(&mut text, &id, period, entropy)?;
        secret_file::create(path, text.as_bytes())?;
        Self::parse(text.as_bytes()).map_err(bad)
    }

    /// Whether this file has the key.
    pub fn holds(&self, id: &KeyId) -> bool {
        self.keys.contains_key(id)
    }

    /// The keys and their periods, for people; never the keys themselves.
    pub fn periods(&self) -> impl Iterator<Item = (&KeyId, &str)> {
        self.keys.iter().map(|(id, key)| (id, key.period.as_str()))
    }

    /// A fingerprint of which keys there are and which is current. It tells nothing of a key.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut all = self.current.as_str().as_bytes().to_vec();
        for (id, key) in &self.keys {
            for part in [id.as_str(), key.period.as_str()] {
                all.push(0);
                all.extend_from_slice(part.as_bytes());
            }
            all.extend_from_slice(&hmac_sha256(key.secret.as_ref(), b"fingerprint"));
        }
        sha256(&all)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).or(Err("it is not text".to_owned()))?;
        // The reader's own message would quote the line, which may be a key: say where, not what.
        let file: FileText = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            format!("line {line} does not have the form of a key file")
        })?;
        let mut keys = BTreeMap::new();
        for (place, entry) in (1..).zip(file.key) {
            let encoded = Zeroizing::new(entry.secret);
            let id = KeyId::parse(&entry.id)
                .ok_or_else(|| format!("the id of key {place} is not 1 to 32 of a-z, 0-9 and -"))?;
            let secret = decode_32(encoded.as_bytes())
                .ok_or_else(|| format!("the secret of key {place} is not 32 bytes in base64"))?;
            if keys.insert(id, Key { period: entry.period, secret }).is_some() {
                return Err(format!("key {place} has the id of another"));
            }
        }
        let current = KeyId::parse(&file.current).filter(|id| keys.contains_key(id));
        let current = current.ok_or("current does not name one of its keys")?;
        Ok(Self { current, keys })
    }
}

impl KeyWrapper for KeyFile {
    fn current(&self) -> KeyId {
        self.current.clone()
    }

    fn wrap(&self, content: &ContentKey, entropy: &dyn Entropy) -> Result<WrappedKey, VaultError> {
        let id = self.current();
        let key = self.keys.get(&id).ok_or_else(|| VaultError::UnknownKey(id.clone()))?;
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce)?;
        let mut sealed = Zeroizing::new(content.expose().to_vec());
        let tag = cipher(&key.secret)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(wrap_context(&id)),
                &mut sealed,
            )
            .or(Err(VaultError::Refused))?;
        let bytes = [nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat();
        Ok(WrappedKey { key: id, bytes })
    }

    fn expose_content_key(&self, wrapped: &WrappedKey) -> Result<ContentKey, VaultError> {
        let unknown = || VaultError::UnknownKey(wrapped.key.clone());
        let key = self.keys.get(&wrapped.key).ok_or_else(unknown)?;
        let (nonce, sealed) =
            wrapped.bytes.split_first_chunk::<12>().ok_or(VaultError::Malformed("wrapped key"))?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = cipher(&key.secret)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(wrap_context(&wrapped.key)),
                &mut sealed,
            )
            .or(Err(VaultError::Refused))?;
        let opened: &[u8; 32] =
            (&*opened).try_into().or(Err(VaultError::Malformed("wrapped key")))?;
        Ok(ContentKey(Zeroizing::new(*opened)))
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFile({} keys, current {})", self.keys.len(), self.current.as_str())
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(hidden)")
    }
}

/// An AES-256-GCM cipher for a key.
pub(super) fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).or(Err(VaultError::Refused))
}

/// Thirty-two bytes from base64, trailing line ends allowed.
pub(super) fn decode_32(encoded: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut decoded = Zeroizing::new([0; 33]);
    let length = BASE64_STANDARD.decode_slice(encoded.trim_ascii(), decoded.as_mut()).ok()?;
    let (key, _) = decoded.split_first_chunk::<32>().filter(|_| length == 32)?;
    Some(Zeroizing::new(*key))
}

/// A fresh secret of 32 bytes in base64.
pub(super) fn make_encoded_secret(entropy: &dyn Entropy) -> Result<Zeroizing<String>, VaultError> {
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(secret.as_mut())?;
    Ok(Zeroizing::new(BASE64_STANDARD.encode(secret.as_ref())))
}

fn key_id_for(period: &str, entropy: &dyn Entropy) -> Result<Option<KeyId>, VaultError> {
    let mut random = [0; 4];
    entropy.fill(&mut random)?;
    Ok(KeyId::parse(&format!("{period}-{:08x}", u32::from_be_bytes(random))))
}

fn push_key(
    text: &mut String,
    id: &KeyId,
    period: &str,
    entropy: &dyn Entropy,
) -> Result<(), VaultError> {
    let secret = make_encoded_secret(entropy)?;
    for part in ["\n[[key]]\nid = \"", id.as_str(), "\"\nperiod = \"", period, "\"\nsecret = \""] {
        text.push_str(part);
    }
    text.push_str(&secret);
    text.push_str("\"\n");
    Ok(())
}

fn wrap_context(id: &KeyId) -> Vec<u8> {
    [b"ehc-gateway wrapped key 1\0".as_slice(), id.as_str().as_bytes()].concat()
}

const HEADER: &str = "\
# Wrapping keys of an EHC Gateway. Whoever has this file can read every sealed record.
# Keep it readable by its owner only (chmod 600) and keep a copy apart from the database.
# To change keys: add a [[key]], name it in current, and keep the old ones until all is re-wrapped.

";
const BACKUP_HEADER: &str = "\
# Backup keys of an EHC Gateway. Whoever has this file can open every backup; the records in it stay
# sealed under the wrapping keys. Keep it readable by its owner only (chmod 600), and keep a copy
# where neither the database nor the backups are: without it no backup can be restored.
# To change keys: add a [[key]], name it in current, and keep the old ones as long as their backups.

";
const PERIOD: &str = "a period is 1 to 23 of a-z, 0-9 and -, for example 2026";
