//! The EHC Gateway: who may hold a record, send it and see it.
//!
//! Modules in reading order:
//!
//! - [`authority`]: may it go? The only maker of `Admission` and `Release`.
//! - [`vault`]: sealing and opening; the only spender of `Release`.
//! - [`store`]: the one place where anything is kept.
//! - [`audit`]: the provable log.
//! - [`queue`]: deliveries, legs and leases.
//! - [`config`]: the settings and the partners, read whole or refused.
//! - [`tls`], [`peer`]: who is calling, proved before a byte of HTTP is read.
//! - [`pki`]: practice certificates, villains included.
//! - [`clock`], [`entropy`]: time and randomness, as arguments.

pub mod audit;
pub mod authority;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod peer;
pub mod pki;
pub mod queue;
pub mod store;
pub mod tls;
pub mod vault;
