//! Stories a user would tell, each over real mutual TLS, on both engines.

mod advice;
mod answers;
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
mod push;
mod recall;
mod reconciliation;
mod repair;
mod scanner;
mod supersede;
mod tables;
mod wrong_person;
mod xml_extract;
