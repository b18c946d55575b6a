//! The EHC Gateway: who may hold a record, send it and see it.
//!
//! Modules in reading order:
//!
//! - [`authority`]: may it go? The only maker of `Admission` and `Release`.
//! - [`vault`]: sealing and opening; the only spender of `Release`.
//! - [`store`]: the one place where anything is kept.
//! - [`audit`]: the provable log.
//! - [`queue`]: deliveries, legs and leases.
//! - [`receipt`]: signed proof of what was handed in and what became of it.
//! - [`secret_file`]: key files that only their owner can read.
//! - [`clock`], [`entropy`]: time and randomness, as arguments.

pub mod audit;
pub mod authority;
pub mod clock;
pub mod entropy;
pub mod queue;
pub mod receipt;
pub mod secret_file;
pub mod store;
pub mod vault;
