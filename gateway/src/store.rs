//! The one place where anything is kept: a concrete store over two engines.
//!
//! A change is a [`Change`]: events, each with the writes it explains. There is no other way to
//! write audited tables, so no change can be committed without its audit entry. Changes that wait
//! at the same time share one durable transaction (group commit).
//!
//! This module must never know a `Record` or a plaintext byte of one: it takes sealed things only.

pub mod change;

pub use change::{
    Change, NewConsent, NewDelivery, NewLeg, NewQuarantine, NewRecord, NewSubmission, Settlement,
    Write,
};
