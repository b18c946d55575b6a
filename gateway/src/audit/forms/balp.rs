//! FHIR R4 `AuditEvent`, after the Basic Audit Log Patterns of IHE where they have a profile for it.
//!
//! What left the gateway about a person is a privacy disclosure as its source records it; what came in,
//! as its recipient does. Everything else is a plain `AuditEvent`: the other profiles of BALP
//! are about calls of a FHIR server and about sign-in, and are not claimed for what is neither.

use serde_json::{Value, json};

use super::classes::{Class, Code, Way};
use super::{Source, instant, leaf_hash};
use crate::audit::purpose::Purpose;
use crate::audit::{Entry, Event};
use crate::telemetry::name_of;

pub(super) fn audit_event(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Value {
    let event = &entry.event;
    let class = Class::of(event);
    let profile = profile(event, &class);
    let mut subtypes = Vec::new();
    if profile.is_some() {
        subtypes.push(coding(LIFECYCLE, ("disclose", "Disclose Record Lifecycle Event")));
    }
    subtypes.extend(class.kind.map(|kind| coding(DCM, kind)));
    let kind = name_of(event.kind);
    subtypes.push(json!({ "system": "urn:ehc-gateway:event", "code": kind }));
    let mut resource = json!({
        "resourceType": "AuditEvent",
        "id": entry.id.to_string(),
        "type": coding(DCM, class.id),
        "subtype": subtypes,
        "action": class.action,
        "recorded": instant(entry),
        "outcome": class.outcome.code(),
        "purposeOfEvent": [purpose(event, &class)],
        "agent": agents(source, event, &class),
        "source": {
            "site": source.log,
            "observer": organisation(source.organisation),
            "type": [coding(SOURCE_TYPE, ("4", "Application Server"))],
        },
        "entity": entities(source, entry, leaf),
    });
    if let (Some(profile), Some(members)) = (profile, resource.as_object_mut()) {
        members.insert("meta".to_owned(), json!({ "profile": [format!("{BALP}{profile}")] }));
    }
    if let (Some(note), Some(members)) = (&event.decision, resource.as_object_mut()) {
        members.insert("outcomeDesc".to_owned(), format!("{}: {}", note.rule, note.outcome).into());
    }
    resource
}

/// A disclosure has a person and data; without either no profile is claimed.
fn profile(event: &Event, class: &Class) -> Option<&'static str> {
    event.subject.zip(event.record)?;
    class.disclosure.map(|way| match way {
        Way::Out => "IHE.BasicAudit.PrivacyDisclosure.Source",
        Way::In => "IHE.BasicAudit.PrivacyDisclosure.Recipient",
    })
}

fn purpose(event: &Event, class: &Class) -> Value {
    let mut codings = vec![coding(ACT_REASON, class.purpose)];
    if let Some(said) = Purpose::of(event) {
        let (code, words) = (name_of(said), said.in_words());
        codings.push(json!({ "system": OWN_PURPOSE, "code": code, "display": words }));
    }
    let mut purpose = json!({ "coding": codings });
    let note = event.decision.as_ref();
    let authority = note.and_then(|note| note.authority.as_deref());
    if let (Some(authority), Some(members)) = (authority, purpose.as_object_mut()) {
        let reference = note.and_then(|note| note.reference.as_deref());
        let text = reference.map(|reference| format!("{authority}: {reference}"));
        members.insert("text".to_owned(), text.unwrap_or_else(|| authority.to_owned()).into());
    }
    purpose
}

fn agents(source: &Source<'_>, event: &Event, class: &Class) -> Vec<Value> {
    let actor = &event.actor;
    let own = source.organisation;
    let by = if actor.organisation == "gateway" { own } else { actor.organisation.as_str() };
    let other = event.counterparty.as_ref().map(ToString::to_string);
    let mut agents = match class.disclosure {
        Some(Way::Out) => {
            let to = other.as_deref().unwrap_or(by);
            vec![agent(own, by == own, Some(FROM)), agent(to, by == to && by != own, Some(TO))]
        }
        Some(Way::In) => vec![agent(by, true, Some(FROM)), agent(own, false, Some(TO))],
        None => vec![agent(by, actor.person.is_none(), None)],
    };
    if let Some(person) = &actor.person {
        // The person asked, through the organisation's system.
        for agent in &mut agents {
            if let Some(members) = agent.as_object_mut() {
                members.insert("requestor".to_owned(), false.into());
            }
        }
        let mut who = json!({
            "who": identified("urn:ehc-gateway:person", person),
            "requestor": true,
        });
        if let (Some(role), Some(members)) = (&actor.role, who.as_object_mut()) {
            members.insert("role".to_owned(), json!([{ "text": role }]));
        }
        agents.push(who);
    }
    agents
}

fn agent(code: &str, requestor: bool, role: Option<Code>) -> Value {
    let mut agent = json!({
        "who": organisation(code),
        "requestor": requestor,
        // 5: a URI. An entry holds no address of a network.
        "network": { "address": format!("urn:ehc-gateway:organisation:{code}"), "type": "5" },
    });
    if let (Some(role), Some(members)) = (role, agent.as_object_mut()) {
        members.insert("type".to_owned(), json!({ "coding": [coding(DCM, role)] }));
    }
    agent
}

fn entities(source: &Source<'_>, entry: &Entry, leaf: &[u8]) -> Vec<Value> {
    let event = &entry.event;
    let mut entities = Vec::new();
    if let Some(subject) = event.subject {
        let system = format!("urn:ehc-gateway:subject:{}", source.organisation);
        entities.push(json!({
            "what": identified(&system, &subject.to_hex()),
            "type": coding(ENTITY_TYPE, ("1", "Person")),
            "role": coding(OBJECT_ROLE, ("1", "Patient")),
        }));
    }
    let uuids = [
        (event.record.map(|record| record.0), "record"),
        (event.delivery.map(|delivery| delivery.0), "delivery"),
        (event.submission.map(|submission| submission.0), "submission"),
    ];
    for (id, what) in uuids {
        let Some(id) = id else { continue };
        let mut details = vec![detail("kind", what)];
        if what == "record" {
            details.extend(event.message_type.map(|kind| detail("message-type", &name_of(kind))));
            let hashes = event.hashes.iter();
            details.extend(hashes.map(|(name, hash)| detail(&format!("sha256-{name}"), hash)));
        }
        entities.push(json!({
            "what": identified("urn:ietf:rfc:3986", &format!("urn:uuid:{id}")),
            "type": coding(ENTITY_TYPE, ("2", "System Object")),
            "role": coding(OBJECT_ROLE, ("3", "Report")),
            "detail": details,
        }));
    }
    let mut details = vec![detail("leaf-hash", &leaf_hash(leaf))];
    if let Some(note) = &event.decision {
        let said = [("agreement", &note.agreement), ("reference", &note.reference)];
        let said = said.into_iter().filter_map(|(name, one)| Some(detail(name, one.as_deref()?)));
        details.extend(said);
        details.push(detail("rule-version", &note.rule_version));
    }
    let filled = event.detail.iter().filter(|(_, value)| !value.is_empty());
    details.extend(filled.map(|(name, value)| detail(name, value)));
    let log = format!("urn:ehc-gateway:log:{}", source.log);
    entities.push(json!({
        "what": identified(&log, &entry.seq.to_string()),
        "type": coding(ENTITY_TYPE, ("2", "System Object")),
        "role": coding(OBJECT_ROLE, ("13", "Security Resource")),
        "detail": details,
    }));
    entities
}

fn detail(name: &str, value: &str) -> Value {
    json!({ "type": name, "valueString": value })
}

fn organisation(code: &str) -> Value {
    identified("urn:ehc-gateway:organisation", code)
}

/// A reference to what is no resource here, by its identifier.
fn identified(system: &str, value: &str) -> Value {
    json!({ "identifier": { "system": system, "value": value } })
}

fn coding(system: &str, (code, display): Code) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
/// The purposes that whoever looks may say.
const OWN_PURPOSE: &str = "urn:ehc-gateway:look-purpose";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const FROM: Code = ("110153", "Source Role ID");
const TO: Code = ("110152", "Destination Role ID");
