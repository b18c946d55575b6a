//! `Consent`, `CarePlan`, and what a reply says.

use schemas::record::{Consent, ConsentStatus, Notice, NoticeOutcome, TransitionPlan};
use serde_json::{Map, Value, json};

use super::super::systems;
use super::{Part, Parts, concept, identifier, organisation, put, put_list, put_some, resource};

/// What is recorded of agreement to share.
pub(super) fn consent(parts: &mut Parts<'_>, consent: &Consent) {
    let mut members = resource("Consent");
    let given_by = consent
        .given_by
        .map(|given_by| json!([{"url": systems::EXTENSION_GIVEN_BY, "valueCode": given_by}]));
    put_some(&mut members, "extension", given_by);
    let message = parts.record.message();
    let mut identifiers = Vec::new();
    if let Some(reference) = &consent.reference {
        identifiers.push(identifier(systems::CONSENT_REFERENCE, reference.expose()));
    }
    if let Some(case) = &message.case {
        identifiers.push(identifier(systems::CASE, case.expose()));
    }
    put_list(&mut members, "identifier", identifiers);
    let status = match consent.status {
        ConsentStatus::Given | ConsentStatus::Restricted => "active",
        ConsentStatus::Refused => "rejected",
        ConsentStatus::Withdrawn
        | ConsentStatus::Expired
        | ConsentStatus::Stale
        | ConsentStatus::Lifted => "inactive",
        ConsentStatus::NotRecorded => "draft",
    };
    put(&mut members, "status", json!(status));
    let scope = "http://terminology.hl7.org/CodeSystem/consentscope";
    put(&mut members, "scope", concept(scope, "patient-privacy"));
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let mut categories = vec![concept(act, "INFA")];
    categories.extend(consent.kind.map(|kind| concept(systems::CONSENT_KIND, kind)));
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

fn provision(consent: &Consent) -> Map<String, Value> {
    let mut members = Map::new();
    let expires = consent.expires_on.map(|date| json!({"end": date.to_string()}));
    put_some(&mut members, "period", expires);
    let purposes = consent.purposes.iter();
    let purposes = purposes.map(|code| json!({"system": systems::PURPOSE, "code": code}));
    put_list(&mut members, "purpose", purposes.collect());
    if !consent.exclusions.is_empty() {
        let role = concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "PRCP");
        let actors: Vec<Value> = consent
            .exclusions
            .iter()
            .map(|code| {
                let excluded = json!({"identifier": organisation(code.as_str())});
                json!({"role": role, "reference": excluded})
            })
            .collect();
        put(&mut members, "provision", json!([{"type": "deny", "actor": actors}]));
    }
    members
}

/// The health part of a plan for moving to adult services.
pub(super) fn plan(parts: &mut Parts<'_>, plan: &TransitionPlan) -> Part {
    let mut members = resource("CarePlan");
    if let Some(case) = &parts.record.message().case {
        put(&mut members, "identifier", json!([identifier(systems::CASE, case.expose())]));
    }
    put(&mut members, "status", json!("active"));
    put(&mut members, "intent", json!("plan"));
    put(&mut members, "title", json!("Health plan for the move to adult services"));
    if parts.has_subject() {
        put(&mut members, "subject", parts.reference(Part::Patient));
    }
    let transfer = plan.transfer_on.map(|date| json!({"end": date.to_string()}));
    put_some(&mut members, "period", transfer);
    put(&mut members, "created", json!(plan.plan_date.to_string()));
    put(&mut members, "author", json!({"display": plan.named_worker.expose()}));
    let actions = plan.actions.iter();
    let actions = actions
        .map(|action| json!({"detail": {"status": "scheduled", "description": action.expose()}}));
    put_list(&mut members, "activity", actions.collect());
    let views = plan.views.as_ref().map(|views| json!([{"text": views.expose()}]));
    put_some(&mut members, "note", views);
    parts.push(Part::CarePlan, Value::Object(members));
    Part::CarePlan
}

/// The code and words of a reply, if it has any.
pub(super) fn outcome(parts: &mut Parts<'_>, notice: &Notice) -> Option<Part> {
    if notice.code.is_none() && notice.detail.is_none() {
        return None;
    }
    let mut details = Map::new();
    let code = notice.code.map(|c| json!([{"system": systems::REJECTION_REASON, "code": c}]));
    put_some(&mut details, "coding", code);
    put_some(&mut details, "text", notice.detail.as_ref().map(|text| json!(text.expose())));
    let accepted = notice.outcome == Some(NoticeOutcome::Accepted);
    let severity = if accepted { "information" } else { "error" };
    let kind = if accepted { "informational" } else { "processing" };
    let mut members = resource("OperationOutcome");
    put(&mut members, "issue", json!([{"severity": severity, "code": kind, "details": details}]));
    parts.push(Part::Outcome, Value::Object(members));
    Some(Part::Outcome)
}

/// `MessageHeader.response`.
pub(super) fn response(parts: &Parts<'_>, notice: &Notice, details: Option<Value>) -> Value {
    let about = notice.about.expose();
    let mut members = Map::new();
    // FHIR's `id` allows fewer characters than a sender's reference may have.
    if about.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
        put(&mut members, "identifier", json!(about));
    } else {
        let extension = json!([{"url": systems::EXTENSION_ABOUT, "valueString": about}]);
        put(&mut members, "extension", extension);
        put(&mut members, "identifier", json!(parts.outbound.delivery.to_string()));
    }
    let accepted = notice.outcome == Some(NoticeOutcome::Accepted);
    put(&mut members, "code", json!(if accepted { "ok" } else { "fatal-error" }));
    put_some(&mut members, "details", details);
    Value::Object(members)
}
