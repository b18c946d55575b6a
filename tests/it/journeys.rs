//! Stories a user would tell, each over real mutual TLS, on both engines.

mod advice;
mod clock;
mod consent;
mod documents;
mod extract;
mod holds;
mod idempotency;
mod push;
mod scanner;
mod wrong_person;
