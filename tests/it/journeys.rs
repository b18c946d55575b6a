//! Stories a user would tell, each over real mutual TLS, on both engines.

mod advice;
mod answers;
mod authority;
mod clock;
mod consent;
mod documents;
mod extract;
mod fhir_forms;
mod fhir_messages;
mod folders;
mod holds;
mod idempotency;
mod identity;
mod letters;
mod mesh;
mod mllp;
mod mllp_peers;
mod obligations;
mod push;
mod repair;
mod scanner;
mod tables;
mod wrong_person;
mod xml_extract;
