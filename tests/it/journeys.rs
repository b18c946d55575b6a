//! Stories a user would tell, each over real mutual TLS, on both engines.

mod advice;
mod clock;
mod consent;
mod extract;
mod holds;
mod idempotency;
mod letters;
mod push;
mod wrong_person;
mod xml_extract;
