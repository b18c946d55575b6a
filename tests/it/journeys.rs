//! Stories a user would tell, each over real mutual TLS, on both engines.

mod advice;
mod clock;
mod consent;
mod extract;
mod folders;
mod holds;
mod idempotency;
mod push;
mod wrong_person;
