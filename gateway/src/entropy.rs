//! Randomness, as an argument.
//!
//! One of the three seams: the gateway draws from the operating system through ring; tests may
//! draw from a seed. Keys, nonces, tokens and identifiers all come from here.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use uuid::{Builder, Uuid};

/// Where random bytes come from.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills the slice. Errors only when the operating system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;

    /// A time-ordered identifier (RFC 9562, version 7).
    fn make_id(&self, now: Timestamp) -> Result<Uuid, EntropyError> {
        let mut random = [0u8; 10];
        self.fill(&mut random)?;
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Ok(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// The operating system had no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct EntropyError;

/// The operating system's randomness.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl Default for SystemEntropy {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(bytes).or(Err(EntropyError))
    }
}

/// Repeatable bytes from a seed: for tests and known-answer vectors, never for a gateway.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// A stream that depends on the seed alone.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in bytes.chunks_mut(32) {
            let counter = self.0.fetch_add(1, Ordering::SeqCst);
            let digest = ring::digest::digest(&ring::digest::SHA256, &counter.to_be_bytes());
            for (byte, random) in chunk.iter_mut().zip(digest.as_ref()) {
                *byte = *random;
            }
        }
        Ok(())
    }
}

/// SHA-256 of bytes that go by, for modules that may not name ring themselves.
pub struct Sha256(ring::digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }
}

impl Sha256 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken.
    pub fn finish(self) -> [u8; 32] {
        let mut hash = [0u8; 32];
        for (byte, hashed) in hash.iter_mut().zip(self.0.finish().as_ref()) {
            *byte = *hashed;
        }
        hash
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256(hidden)")
    }
}

/// Thirty-two bytes from sixty-four hexadecimal digits.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes = digits.chunks_exact(2).filter_map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    let bytes: Vec<u8> = bytes.collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

/// SHA-256 of public bytes: pins, fingerprints, "did this file change". For modules that may not
/// name ring themselves.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut hash = [0u8; 32];
    for (byte, hashed) in hash.iter_mut().zip(digest.as_ref()) {
        *byte = *hashed;
    }
    hash
}

/// HMAC-SHA256 under a key that others share with us, for the tokens that NHS MESH asks for.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let mut mac = [0u8; 32];
    for (byte, signed) in mac.iter_mut().zip(ring::hmac::sign(&key, message).as_ref()) {
        *byte = *signed;
    }
    mac
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.extend(char::from_digit(nibble.into(), 16));
        }
        text
    })
}

/// SHA-256 of public or sealed bytes, as lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

#[cfg(test)]
mod tests;
