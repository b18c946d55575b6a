//! The last step of a message on its way out: its bytes, piece by piece, under the person's guard.
//!
//! Owns the one look before every piece, whether it may still leave. The inbox hands over through
//! this, and so do the races of `bench withdrawals`: what is proved there is what runs here. The
//! guard lives as long as the handover does. It must never know HTTP.
//!
//! Limits: bytes are handed to whoever asks for the next piece; what becomes of them in a
//! connection's buffers is not known here. Not supported: documents that are kept apart, because
//! they ask authority again on the way (`documents`).

use bytes::Bytes;

use super::Stopped;
use crate::store::SubjectGuard;

/// Bytes on their way out. Must live until the last piece was taken.
#[derive(Debug)]
pub struct Handover {
    bytes: Bytes,
    guard: Option<SubjectGuard>,
    piece: usize,
}

impl Handover {
    /// A body that leaves in pieces of at most this many bytes (1 or more) under a guard.
    pub fn new(body: &[u8], guard: Option<SubjectGuard>, piece: usize) -> Self {
        Self { bytes: Bytes::copy_from_slice(body), guard, piece: piece.max(1) }
    }

    /// The next piece; `None` after the last. An error when bytes may not leave any more: a sender
    /// that was frozen lets nothing go when it wakes. Nothing comes after an error.
    pub fn next_piece(&mut self) -> Option<Result<Bytes, Stopped>> {
        if self.bytes.is_empty() {
            return None;
        }
        if !self.guard.as_ref().is_none_or(SubjectGuard::may_leave) {
            self.bytes.clear();
            return Some(Err(Stopped));
        }
        let next = self.piece.min(self.bytes.len());
        Some(Ok(self.bytes.split_to(next)))
    }

    /// How many bytes have not been taken yet.
    pub fn left(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
