//! The keys under which people have an alias in the log, one for each period.
//!
//! Makes them, seals them to be kept, and makes openings and aliases under them
//! ([`alias`]). It must never know where they are kept, nor when they may be destroyed: once
//! the sealed key is gone from everywhere, nobody can tell any more whose the aliases of its period
//! are, not even with every other key and every pseudonym.
//!
//! Limits: the last key that was used stays in memory, wiped when another one is used or when it is
//! [forgotten](PeriodKeys::forget). A sealed key is as lasting as the wrapping key it is sealed
//! under.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::VaultError;
use super::envelope::{self, Context, Namespace};
use super::keyring::KeyWrapper;
use crate::audit::SubjectKey;
use crate::audit::alias::{self, Period};
use crate::entropy::{Entropy, hmac_sha256};

/// Makes the keys of periods and uses them.
pub struct PeriodKeys {
    wrapper: Arc<dyn KeyWrapper>,
    entropy: Arc<dyn Entropy>,
    last: Mutex<Option<Known>>,
}

struct Known {
    period: Period,
    sealed: Vec<u8>,
    key: Zeroizing<[u8; 32]>,
}

impl PeriodKeys {
    /// Over a keeper of wrapping keys.
    pub fn new(wrapper: Arc<dyn KeyWrapper>, entropy: Arc<dyn Entropy>) -> Self {
        Self { wrapper, entropy, last: Mutex::new(None) }
    }

    /// A fresh key for a period, sealed.
    pub fn make(&self, period: Period) -> Result<Vec<u8>, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(key.as_mut())?;
        envelope::seal(&context(period), key.as_ref(), &*self.wrapper, &*self.entropy)
    }

    /// What shows whose an alias is, under the sealed key of a period.
    pub fn opening(
        &self,
        period: Period,
        sealed: &[u8],
        subject: SubjectKey,
    ) -> Result<[u8; 32], VaultError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.take().filter(|known| known.period == period && known.sealed == sealed);
        let known = match known {
            Some(known) => known,
            None => Known { period, sealed: sealed.to_vec(), key: self.expose(period, sealed)? },
        };
        let opening = hmac_sha256(known.key.as_ref(), &subject.0);
        *last = Some(known);
        Ok(opening)
    }

    /// The alias of a pseudonym, under the sealed key of a period.
    pub fn alias(
        &self,
        period: Period,
        sealed: &[u8],
        subject: SubjectKey,
    ) -> Result<SubjectKey, VaultError> {
        Ok(alias::of(&self.opening(period, sealed, subject)?, subject))
    }

    /// Wipes the key that was used last.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn expose(&self, period: Period, sealed: &[u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let content = envelope::open(&context(period), sealed, &*self.wrapper)?;
        let key: &[u8; 32] =
            content.as_slice().try_into().or(Err(VaultError::Malformed("key of a period")))?;
        Ok(Zeroizing::new(*key))
    }
}

impl fmt::Debug for PeriodKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeriodKeys(hidden)")
    }
}

fn context(period: Period) -> Context {
    Context::new(Namespace::Period, &[&period.year().to_be_bytes()])
}

#[cfg(test)]
mod tests;
