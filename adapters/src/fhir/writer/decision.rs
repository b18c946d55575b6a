//! `CarePlan`, and what a reply says.

use schemas::MessageType;
use schemas::record::{Notice, NoticeOutcome, TransitionPlan};
use serde_json::{Map, Value, json};

use super::super::systems;
use super::{Part, Parts, identifier, put, put_list, put_some, resource};

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
    let kind = parts.record.message().kind;
    let accepted = notice.outcome == Some(NoticeOutcome::Accepted) || arrived(kind, notice);
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
    let kind = parts.record.message().kind;
    let well = notice.outcome == Some(NoticeOutcome::Accepted) || arrived(kind, notice);
    put(&mut members, "code", json!(if well { "ok" } else { "fatal-error" }));
    put_some(&mut members, "details", details);
    Value::Object(members)
}

/// A transport receipt says that a message arrived, and gives a code only when it did not.
fn arrived(kind: MessageType, notice: &Notice) -> bool {
    kind == MessageType::TransportReceipt && notice.code.is_none()
}
