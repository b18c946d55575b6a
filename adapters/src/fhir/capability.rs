//! The `CapabilityStatement`: what this gateway does as a FHIR endpoint, and nothing more.
//!
//! It must never know who asks: the statement is the same for every partner.

use schemas::MessageType;
use serde_json::{Value, json};

use super::systems;
use crate::{Format, WriteError};

/// What a statement is made from.
#[derive(Debug, Clone, Copy)]
pub struct Capability<'a> {
    /// The gateway's version.
    pub version: &'a str,
    /// The name of the organisation that runs it.
    pub publisher: &'a str,
}

impl Capability<'_> {
    /// The statement, in a FHIR format.
    pub fn write(&self, format: Format) -> Result<Vec<u8>, WriteError> {
        super::render(&self.resource(), format)
    }

    fn resource(&self) -> Value {
        let messages: Vec<Value> = MessageType::ALL.into_iter().flat_map(supported).collect();
        json!({
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": CHANGED_ON,
            "publisher": self.publisher,
            "kind": "instance",
            "software": {"name": "EHC Gateway", "version": self.version},
            "implementation": {
                "description": "Advice for Education, Health and Care plans, as FHIR messages",
            },
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "application/fhir+xml"],
            "rest": [{
                "mode": "server",
                "documentation": "No resource is read, searched or written here: messages only.",
                "security": {"description": "Mutual TLS 1.3 with pinned keys."},
                "operation": [{"name": "process-message", "definition": PROCESS_MESSAGE}],
            }],
            "messaging": [{
                "documentation": DOCUMENTATION,
                "supportedMessage": messages,
            }],
        })
    }
}

fn supported(kind: MessageType) -> [Value; 2] {
    let definition = format!("{}:{kind}", systems::DEFINITION);
    ["sender", "receiver"].map(|mode| json!({"mode": mode, "definition": definition}))
}

const PROCESS_MESSAGE: &str =
    "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message";
/// When what the statement says last changed.
const CHANGED_ON: &str = "2026-11-27";
/// How messages are told apart, and what an answer means.
const DOCUMENTATION: &str = "A second copy is told by MessageHeader.id and Bundle.id together and \
is answered as the first was. The answer is the infrastructure level; a business acknowledgement is \
a message of its own with MessageHeader.response. Not BaRS, though shaped like it.";
