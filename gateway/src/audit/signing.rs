//! The gateway's Ed25519 key: what signs checkpoints and receipts.
//!
//! Owns the key file (PKCS#8, RFC 5958 and RFC 8410, readable by its owner only) and the two
//! operations on it. It must never know what is signed.
//!
//! ```no_run
//! # use gateway::audit::signing::{SigningKey, verify};
//! let key = SigningKey::load(std::path::Path::new("/var/lib/ehc-gateway/log-key.p8")).unwrap();
//! assert!(verify(&key.public(), b"text", &key.sign(b"text")));
//! ```
//!
//! Limits: ring keeps the private key in memory and does not wipe it.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::secret_file::{self, SecretFileError};

/// A private Ed25519 key.
pub struct SigningKey(Ed25519KeyPair);

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file is not a PKCS#8 Ed25519 key.
    #[error("{path} is not an Ed25519 key in PKCS#8 (DER)", path = .0.display())]
    Form(PathBuf),
    /// The key file was not read or made.
    #[error(transparent)]
    SecretFile(#[from] SecretFileError),
    /// There was no randomness to make a key from.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl SigningKey {
    /// Makes a key file that only its owner can read. Refuses when it exists.
    pub fn generate(path: &Path, entropy: &dyn Entropy) -> Result<Self, SigningKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut())?;
        let mut der = Zeroizing::new(Vec::with_capacity(64));
        der.extend_from_slice(PKCS8_ED25519);
        der.extend_from_slice(seed.as_ref());
        secret_file::create(path, &der)?;
        Self::load(path)
    }

    /// Reads a key file. Refuses one that others can read.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let der = secret_file::read(path)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
        pair.map(Self).or(Err(SigningKeyError::Form(path.to_owned())))
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap_or_default()
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// Whether the signature over the message is by the owner of the public key.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// What stands before the 32 bytes of an Ed25519 key in PKCS#8 version 1 (RFC 8410, section 7).
const PKCS8_ED25519: &[u8] =
    &[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
