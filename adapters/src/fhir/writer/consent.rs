//! `Consent`: what was decided about sharing, by whom, and its bounds.

use schemas::OrganisationCode;
use schemas::record::Consent;
use serde_json::{Map, Value, json};

use super::super::{consent::EXACT, systems};
use super::{Part, Parts, concept, identifier, organisation, put, put_list, put_some, resource};

/// What is recorded of agreement to share, or of a restriction.
pub(super) fn write(parts: &mut Parts<'_>, consent: &Consent) {
    let mut members = resource("Consent");
    put_list(&mut members, "extension", extensions(consent));
    let message = parts.record.message();
    let mut identifiers = Vec::new();
    if let Some(reference) = &consent.reference {
        identifiers.push(identifier(systems::CONSENT_REFERENCE, reference.expose()));
    }
    if let Some(case) = &message.case {
        identifiers.push(identifier(systems::CASE, case.expose()));
    }
    put_list(&mut members, "identifier", identifiers);
    let exact = json!(consent.status);
    let status = EXACT.into_iter().find(|(said, _)| exact.as_str() == Some(said));
    put(&mut members, "status", json!(status.map_or("draft", |(_, status)| status)));
    let scope = "http://terminology.hl7.org/CodeSystem/consentscope";
    put(&mut members, "scope", concept(scope, "patient-privacy"));
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let mut categories = vec![concept(act, "INFA")];
    categories.extend(consent.kind.map(|kind| concept(systems::CONSENT_KIND, kind)));
    let restriction = consent.restriction;
    categories.extend(restriction.map(|restriction| concept(systems::RESTRICTION, restriction)));
    put_list(&mut members, "category", categories);
    if parts.has_subject() {
        put(&mut members, "patient", parts.reference(Part::Patient));
    }
    put_some(&mut members, "dateTime", consent.date.map(|date| json!(date.to_string())));
    put(&mut members, "policyRule", json!({"text": "As agreed with the local authority"}));
    let provision = provision(consent);
    if !provision.is_empty() {
        put(&mut members, "provision", Value::Object(provision));
    }
    parts.push(Part::Consent, Value::Object(members));
}

/// What FHIR has no element for: the exact status, who decided, and the assessment of capacity.
fn extensions(consent: &Consent) -> Vec<Value> {
    let code = |url: &str, code: Value| -> Value { json!({"url": url, "valueCode": code}) };
    let mut extensions = vec![code(systems::EXTENSION_CONSENT_STATUS, json!(consent.status))];
    let given_by = consent.given_by;
    extensions.extend(given_by.map(|by| code(systems::EXTENSION_GIVEN_BY, json!(by))));
    let on = consent.assessed_on.map(|on| json!({"url": "on", "valueDate": on.to_string()}));
    let by = consent.assessed_by.as_ref();
    let by = by.map(|by| json!({"url": "by", "valueString": by.expose()}));
    let assessed: Vec<Value> = on.into_iter().chain(by).collect();
    if !assessed.is_empty() {
        extensions.push(json!({"url": systems::EXTENSION_ASSESSED, "extension": assessed}));
    }
    extensions
}

fn provision(consent: &Consent) -> Map<String, Value> {
    let mut members = Map::new();
    let expires = consent.expires_on.map(|date| json!({"end": date.to_string()}));
    put_some(&mut members, "period", expires);
    let purposes = consent.purposes.iter();
    let purposes = purposes.map(|code| json!({"system": systems::PURPOSE, "code": code}));
    put_list(&mut members, "purpose", purposes.collect());
    let mut inner = Vec::new();
    let mut permitted = Map::new();
    put_list(&mut permitted, "actor", actors(&consent.recipients));
    let classes = consent.classes.iter();
    let classes = classes.map(|code| json!({"system": systems::DATA_CLASS, "code": code}));
    put_list(&mut permitted, "class", classes.collect());
    if !permitted.is_empty() {
        put(&mut permitted, "type", json!("permit"));
        inner.push(Value::Object(permitted));
    }
    if !consent.exclusions.is_empty() {
        inner.push(json!({"type": "deny", "actor": actors(&consent.exclusions)}));
    }
    put_list(&mut members, "provision", inner);
    members
}

/// Organisations by their codes, as recipients of information.
fn actors(organisations: &[OrganisationCode]) -> Vec<Value> {
    let role = concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "PRCP");
    let actor = |code: &OrganisationCode| {
        let reference = json!({"identifier": organisation(code.as_str())});
        json!({"role": role, "reference": reference})
    };
    organisations.iter().map(actor).collect()
}
