//! From a Bundle to a `Draft`: the envelope, the person, and the resources of each event.

use schemas::record::Form;
use schemas::{Draft, Field, MessageType};

use super::bundle::Bundle;
use super::element::{self, Element, Notes};
use super::{author, consent, document, event, particulars, patient, systems, task};
use crate::json::strict::Node;
use crate::read_error::ReadError;

/// Reads the Bundle as one message.
pub(super) fn draft(root: &Node) -> Result<Draft, ReadError> {
    let notes = Notes::default();
    let mut draft = Draft::default();
    {
        let root = Element { node: root, path: "Bundle".to_owned(), notes: &notes };
        draft.place = root.place();
        let bundle = Bundle::open(root)?;
        message(&bundle, &mut draft);
    }
    draft.notes = notes.into_issues();
    Ok(draft)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others have nothing of the kind")]
fn message(bundle: &Bundle<'_>, draft: &mut Draft) {
    let kind = if bundle.kind == "message" {
        header(bundle, draft)
    } else {
        document_envelope(bundle, draft);
        Some(MessageType::AdviceResponse)
    };
    case(bundle, draft);
    subject(bundle, draft);
    let Some(kind) = kind else { return };
    consent::read(bundle, kind, draft);
    document::attachments(bundle, "data", draft);
    task::leg(bundle, draft);
    if kind == MessageType::AdviceRequest || kind.answers_a_leg() {
        task::read(bundle, kind, draft);
    } else if kind.form() == Form::Particulars {
        particulars::read(bundle, draft);
    }
    match kind {
        MessageType::AdviceResponse => document::advice(bundle, draft),
        MessageType::TransitionHealthPlan => plan(bundle, draft),
        MessageType::TransportReceipt | MessageType::Acknowledgement | MessageType::Error => {
            notice(bundle, kind, draft);
        }
        _ => {}
    }
}

/// The envelope of a message Bundle. The event decides the type.
fn header(bundle: &Bundle<'_>, draft: &mut Draft) -> Option<MessageType> {
    let header = bundle.only("MessageHeader")?.resource.clone();
    let kind = event::read(bundle, &header, draft);
    let own = bundle.root.get("identifier").and_then(|identifier| identifier.get("value"));
    element::set(draft, Field::ID, own.or_else(|| header.get("id")));
    let earlier = header.extension(systems::EXTENSION_SUPERSEDES);
    let earlier = earlier.and_then(|extension| extension.get("valueIdentifier"));
    element::set(draft, Field::SUPERSEDES, earlier.and_then(|identifier| identifier.get("value")));
    let sender = header.get("sender").and_then(|s| author::organisation(bundle, &header, &s));
    if let Some(sender) = sender {
        sender.set(draft, Field::SENDER);
    } else {
        let source = header.get("source").and_then(|source| source.get("endpoint"));
        endpoint(source, Field::SENDER, draft);
    }
    if let [destination] = header.list("destination").as_slice() {
        endpoint(destination.get("endpoint"), Field::RECIPIENT, draft);
    }
    author::enterer(bundle, &header, draft);
    kind
}

/// An organisation given as `urn:ehc-gateway:organisation:CODE`; other addresses say nothing.
fn endpoint(endpoint: Option<Element<'_>>, field: Field, draft: &mut Draft) {
    let Some(endpoint) = endpoint else { return };
    let code = endpoint.text().and_then(|text| text.strip_prefix(systems::ORGANISATION));
    if let Some(code) = code.and_then(|code| code.strip_prefix(':')) {
        draft.set(field, code, endpoint.place());
    }
}

/// The envelope of a document Bundle sent on its own, which is always advice.
fn document_envelope(bundle: &Bundle<'_>, draft: &mut Draft) {
    draft.set(Field::TYPE, MessageType::AdviceResponse.as_str(), bundle.root.place());
    let own = bundle.root.get("identifier").and_then(|identifier| identifier.get("value"));
    element::set(draft, Field::ID, own.or_else(|| bundle.root.get("id")));
    let Some(composition) = bundle.only("Composition") else { return };
    let composition = &composition.resource;
    let custodian = composition.get("custodian");
    let sender = custodian.and_then(|c| author::organisation(bundle, composition, &c));
    element::set(draft, Field::SENDER, sender);
}

fn case(bundle: &Bundle<'_>, draft: &mut Draft) {
    let groups = bundle.all("Task").filter_map(|task| task.resource.get("groupIdentifier"));
    let group = groups.filter(|id| id.is("system", systems::CASE)).find_map(|id| id.get("value"));
    let elsewhere = || {
        WITH_A_CASE.into_iter().find_map(|kind| {
            bundle.all(kind).find_map(|e| e.resource.identifier_in("identifier", systems::CASE))
        })
    };
    element::set(draft, Field::CASE, group.or_else(elsewhere));
}

/// The person: the Patient that the resources refer to, or else the only one.
fn subject(bundle: &Bundle<'_>, draft: &mut Draft) {
    let mut chosen: Option<Element<'_>> = None;
    for (kind, name) in SUBJECTS {
        for entry in bundle.all(kind) {
            let Some(reference) = entry.resource.get(name) else { continue };
            if reference.node.member("reference").is_none() {
                continue;
            }
            let Some(found) = bundle.resolve(&entry.resource, &reference) else { continue };
            match &chosen {
                Some(before) if !std::ptr::eq(before.node, found.resource.node) => {
                    reference.error(
                        "fhir-subjects-differ",
                        "refers to another person than an element before it",
                        "send one message about one person",
                    );
                }
                Some(_) => {}
                None => chosen = Some(found.resource),
            }
        }
    }
    let patient = chosen.or_else(|| bundle.only("Patient").map(|entry| entry.resource.clone()));
    if let Some(patient) = patient {
        patient::read(&patient, bundle.made_on().as_deref(), draft);
    }
}

fn plan(bundle: &Bundle<'_>, draft: &mut Draft) {
    let Some(entry) = bundle.only("CarePlan") else { return };
    let plan = &entry.resource;
    if !plan.is("status", "active") {
        plan.error("fhir-status-contradicts", "the plan is not active", "send the plan in force");
    }
    let worker = plan.get("author").and_then(|author| author.get("display"));
    element::set(draft, Field::NAMED_WORKER, worker);
    element::set_date(draft, Field::PLAN_DATE, plan.get("created"));
    let period = plan.get("period").and_then(|period| period.get("end"));
    element::set_date(draft, Field::TRANSFER_ON, period);
    for activity in plan.list("activity") {
        let action = activity.get("detail").and_then(|detail| detail.get("description"));
        element::set(draft, Field::ACTIONS, action);
    }
    let views = plan.list("note").iter().find_map(|note| note.get("text"));
    element::set(draft, Field::VIEWS, views);
}

fn notice(bundle: &Bundle<'_>, kind: MessageType, draft: &mut Draft) {
    let Some(header) = bundle.only("MessageHeader") else { return };
    let Some(response) = header.resource.get("response") else { return };
    let about = response.extension(systems::EXTENSION_ABOUT).and_then(|e| e.get("valueString"));
    element::set(draft, Field::NOTICE_ABOUT, about.or_else(|| response.get("identifier")));
    if let Some(code) = response.get("code").filter(|_| kind == MessageType::Acknowledgement) {
        let outcome = match code.text() {
            Some("ok") => "accepted",
            Some("fatal-error") => "rejected",
            // A transient error is no business acknowledgement; the check refuses the code.
            _ => "transient-error",
        };
        draft.set(Field::NOTICE_OUTCOME, outcome, code.place());
    }
    let Some(outcome) = bundle.only("OperationOutcome") else { return };
    let details = outcome.resource.list("issue");
    let details: Vec<Element<'_>> = details.iter().filter_map(|i| i.get("details")).collect();
    let code = details.iter().find_map(|concept| concept.code_in(systems::REJECTION_REASON));
    element::set(draft, Field::NOTICE_CODE, code);
    let words = details.iter().find_map(|concept| concept.get("text"));
    element::set(draft, Field::NOTICE_DETAIL, words);
}

/// Where each resource says whom it is about.
const SUBJECTS: [(&str, &str); 7] = [
    ("Task", "for"),
    ("ServiceRequest", "subject"),
    ("DocumentReference", "subject"),
    ("Composition", "subject"),
    ("Consent", "patient"),
    ("CarePlan", "subject"),
    ("Communication", "subject"),
];
/// What bears the case among its identifiers, besides Task.
const WITH_A_CASE: [&str; 5] =
    ["ServiceRequest", "DocumentReference", "Consent", "CarePlan", "Communication"];
