//! Which resources and elements are read, and which are passed over in silence.
//!
//! An element in neither list is passed over with a warning. The silent list is short and has
//! reasons: narrative repeats what is coded; `meta` is read for its security labels only;
//! `language` and `extension` change no meaning (what changes meaning is a modifier, refused).

/// A resource the reader knows, with the elements it reads.
pub(super) struct Resource {
    pub(super) name: &'static str,
    elements: &'static [&'static str],
}

impl Resource {
    /// The resource of this name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|resource| resource.name == name)
    }

    /// Whether an element of this resource is read, or passed over in silence.
    pub(super) fn knows(&self, element: &str) -> bool {
        SILENT.contains(&element) || self.elements.contains(&element)
    }
}

/// Passed over in silence in every resource.
const SILENT: [&str; 7] =
    ["resourceType", "id", "meta", "language", "text", "extension", "contained"];

/// Every resource that is read. `status` of each is read where it decides the meaning.
const ALL: [Resource; 16] = [
    Resource { name: "Bundle", elements: &["identifier", "type", "timestamp", "entry"] },
    Resource {
        name: "MessageHeader",
        elements: &[
            "eventCoding",
            "destination",
            "sender",
            "enterer",
            "author",
            "source",
            "responsible",
            "reason",
            "response",
            "focus",
            // STU3:
            "event",
            "receiver",
            "timestamp",
        ],
    },
    Resource {
        name: "Task",
        elements: &[
            "identifier",
            "basedOn",
            "groupIdentifier",
            "status",
            "statusReason",
            "intent",
            "priority",
            "code",
            "focus",
            "for",
            "executionPeriod",
            "authoredOn",
            "lastModified",
            "requester",
            "owner",
            "note",
            "restriction",
            "input",
            "output",
            "businessStatus",
        ],
    },
    Resource {
        name: "ServiceRequest",
        elements: &[
            "identifier",
            "replaces",
            "requisition",
            "status",
            "intent",
            "category",
            "priority",
            "code",
            "subject",
            "authoredOn",
            "requester",
            "performerType",
            "performer",
            "reasonCode",
        ],
    },
    Resource {
        name: "Patient",
        elements: &[
            "identifier",
            "active",
            "name",
            "gender",
            "birthDate",
            "address",
            "telecom",
            "generalPractitioner",
            "managingOrganization",
            "contact",
            "communication",
        ],
    },
    Resource {
        name: "Organization",
        elements: &["identifier", "active", "type", "name", "telecom", "address"],
    },
    Resource {
        name: "RelatedPerson",
        elements: &[
            "identifier",
            "active",
            "patient",
            "relationship",
            "name",
            "telecom",
            "gender",
            "birthDate",
            "address",
        ],
    },
    Resource {
        name: "Practitioner",
        elements: &["identifier", "active", "name", "qualification", "telecom", "gender"],
    },
    Resource {
        name: "PractitionerRole",
        elements: &["identifier", "active", "practitioner", "organization", "code", "specialty"],
    },
    Resource {
        name: "DocumentReference",
        elements: &[
            "identifier",
            "masterIdentifier",
            "status",
            "docStatus",
            "type",
            "category",
            "subject",
            "date",
            "author",
            "authenticator",
            "custodian",
            "description",
            "securityLabel",
            "content",
            "context",
        ],
    },
    Resource {
        name: "Composition",
        elements: &[
            "identifier",
            "status",
            "type",
            "category",
            "subject",
            "date",
            "author",
            "title",
            "confidentiality",
            "attester",
            "custodian",
            "section",
            // STU3:
            "class",
            "encounter",
        ],
    },
    Resource { name: "Binary", elements: &["contentType", "data", "content"] },
    Resource {
        name: "Consent",
        elements: &[
            "identifier",
            "status",
            "scope",
            "category",
            "patient",
            "dateTime",
            "performer",
            "organization",
            "sourceReference",
            "policyRule",
            "provision",
        ],
    },
    Resource {
        name: "CarePlan",
        elements: &[
            "identifier",
            "status",
            "intent",
            "category",
            "title",
            "description",
            "subject",
            "period",
            "created",
            "author",
            "activity",
            "note",
        ],
    },
    Resource {
        name: "Communication",
        elements: &[
            "identifier",
            "basedOn",
            "status",
            "category",
            "priority",
            "medium",
            "subject",
            "topic",
            "sent",
            "received",
            "recipient",
            "sender",
            "payload",
        ],
    },
    Resource { name: "OperationOutcome", elements: &["issue"] },
];
