//! For tests: the synthetic examples of `record/examples`, as JSON and as drafts.

use serde_json::Value;

use crate::{Draft, Field, MessageType, Place};

/// The day on which the examples are checked.
pub(crate) const TODAY: jiff::civil::Date = jiff::civil::date(2026, 2, 10);

/// The examples, from a table of types and file names.
macro_rules! examples {
    ($($variant:ident = $name:literal,)*) => {
        /// The example of a type, as it stands in its file.
        pub(crate) fn text(kind: MessageType) -> &'static str {
            match kind {
                $(MessageType::$variant => {
                    include_str!(concat!("../record/examples/", $name, ".json"))
                })*
            }
        }
    };
}

examples! {
    S23Notification = "s23.notification",
    EhcnaConsidering = "ehcna.considering",
    EhcnaDecision = "ehcna.decision",
    AdviceRequest = "advice.request",
    AdviceAccepted = "advice.accepted",
    AdviceRejected = "advice.rejected",
    AdviceRedirected = "advice.redirected",
    AdviceResponse = "advice.response",
    AdviceExistingSufficient = "advice.existing_sufficient",
    AdviceNil = "advice.nil",
    AdviceException = "advice.exception",
    AdviceLateForecast = "advice.late_forecast",
    AdviceChaser = "advice.chaser",
    AdviceClarify = "advice.clarify",
    AdviceAmend = "advice.amend",
    PlanDraftHealthReview = "plan.draft_health_review",
    PlanSectionGAgreement = "plan.section_g_agreement",
    PlanDraft = "plan.draft",
    PlanFinal = "plan.final",
    PlanNotIssued = "plan.not_issued",
    ReviewTermList = "review.term_list",
    ReviewInvite = "review.invite",
    ReviewAdvice = "review.advice",
    ReviewReport = "review.report",
    ReviewDecision = "review.decision",
    PlanAmended = "plan.amended",
    PlanCeased = "plan.ceased",
    PlanTransfer = "plan.transfer",
    RcbChange = "rcb.change",
    ConsentGrant = "consent.grant",
    ConsentRefuse = "consent.refuse",
    ConsentWithdraw = "consent.withdraw",
    ConsentStale = "consent.stale",
    ConsentRestriction = "consent.restriction",
    TransitionNotify14 = "transition.notify_14",
    TransitionReferral = "transition.referral",
    TransitionHealthPlan = "transition.health_plan",
    CareAct58Request = "careact58.request",
    CareAct58Outcome = "careact58.outcome",
    ChcChecklist = "chc.checklist",
    ChcReferral = "chc.referral",
    ChcDecision = "chc.decision",
    CypCcReferral = "cyp_cc.referral",
    CypCcDecision = "cyp_cc.decision",
    TribunalNotice = "tribunal.notice",
    TribunalRecommendation = "tribunal.recommendation",
    TribunalResponse = "tribunal.response",
    SafeguardingAlertLink = "safeguarding.alert_link",
    TransportReceipt = "ack.transport",
    Acknowledgement = "ack.business",
    Error = "error",
    Recall = "recall",
    PersonMatch = "person.match",
    PersonMerge = "person.merge",
    PersonDeath = "person.death",
    PersonAddressSafe = "person.address_safe",
}

/// The example of a type.
pub(crate) fn json(kind: MessageType) -> Value {
    serde_json::from_str(text(kind)).expect("an example is JSON")
}

/// The example of a type as a reader would draft it; each value on a line of its own, from 2.
pub(crate) fn draft(kind: MessageType) -> Draft {
    let mut draft = Draft { place: Place::Row { line: 1 }, ..Draft::default() };
    fill(&mut draft, "", &json(kind));
    draft
}

/// The draft with one field's values replaced, at line 99.
pub(crate) fn with(mut draft: Draft, field: Field, values: &[&str]) -> Draft {
    draft.fields.retain(|(other, _)| *other != field);
    for value in values {
        draft.set(field, *value, Place::Cell { line: 99, column: 7 });
    }
    draft
}

fn fill(draft: &mut Draft, path: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fill(draft, &path, member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fill(draft, path, item)),
        Value::String(text) => set(draft, path, text),
        Value::Number(number) => set(draft, path, &number.to_string()),
        Value::Bool(flag) => set(draft, path, &flag.to_string()),
        Value::Null => {}
    }
}

fn set(draft: &mut Draft, path: &str, text: &str) {
    let field = Field::from_path(path).unwrap_or_else(|| panic!("{path} is a field"));
    let line = u64::try_from(draft.fields.len()).expect("small") + 2;
    draft.set(field, text, Place::Cell { line, column: 1 });
}
