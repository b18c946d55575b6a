//! From a Bundle to a `Draft`: the envelope, the person, and the resources of each event.

use schemas::{Draft, Field, MessageType};

use super::bundle::Bundle;
use super::element::{self, Element, Notes};
use super::{author, document, event, patient, systems, task};
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
    consent(bundle, kind, draft);
    document::attachments(bundle, "data", draft);
    if kind == MessageType::AdviceRequest || kind.answers_a_leg() {
        task::read(bundle, kind, draft);
    }
    match kind {
        MessageType::AdviceResponse => document::advice(bundle, draft),
        MessageType::TransitionHealthPlan => plan(bundle, draft),
        MessageType::Acknowledgement | MessageType::Error => notice(bundle, kind, draft),
        _ => {}
    }
}

/// The envelope of a message Bundle. The event decides the type.
fn header(bundle: &Bundle<'_>, draft: &mut Draft) -> Option<MessageType> {
    let header = bundle.only("MessageHeader")?.resource.clone();
    let kind = event::read(bundle, &header, draft);
    let own = bundle.root.get("identifier").and_then(|identifier| identifier.get("value"));
    element::set(draft, Field::ID, own.or_else(|| header.get("id")));
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
        ["ServiceRequest", "DocumentReference", "Consent", "CarePlan"].into_iter().find_map(
            |kind| {
                bundle.all(kind).find_map(|e| e.resource.identifier_in("identifier", systems::CASE))
            },
        )
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

fn consent(bundle: &Bundle<'_>, kind: MessageType, draft: &mut Draft) {
    let Some(entry) = bundle.only("Consent") else { return };
    let consent = &entry.resource;
    if let Some(status) = consent.get("status") {
        let said = match status.text() {
            Some("active") => "given",
            Some("rejected") => "refused",
            Some("inactive") => "withdrawn",
            Some("draft" | "proposed") => "not-recorded",
            _ => "",
        };
        let contradicts = (kind == MessageType::ConsentGrant && said != "given")
            || (kind == MessageType::ConsentWithdraw && said != "withdrawn");
        if said.is_empty() || contradicts {
            status.error(
                "fhir-status-contradicts",
                "the status is not one that is read, or does not agree with the message's event",
                "send active with consent.grant and inactive with consent.withdraw",
            );
        }
        draft.set(Field::CONSENT_STATUS, said, status.place());
    }
    let kinds = consent.list("category");
    let decided = kinds.iter().find_map(|category| category.code_in(systems::CONSENT_KIND));
    element::set(draft, Field::CONSENT_KIND, decided);
    let given_by = consent.extension(systems::EXTENSION_GIVEN_BY);
    match given_by.and_then(|e| e.get("valueCode")) {
        Some(said) => said.set(draft, Field::CONSENT_GIVEN_BY),
        None => performer(bundle, consent, draft),
    }
    element::set_date(draft, Field::CONSENT_DATE, consent.get("dateTime"));
    let reference = consent.identifier_in("identifier", systems::CONSENT_REFERENCE);
    element::set(draft, Field::CONSENT_REFERENCE, reference);
    if let Some(provision) = consent.get("provision") {
        limits_of(&provision, draft);
    }
}

/// Who decided, where only `performer` says it: the person, or a parent among the related people.
fn performer<'a>(bundle: &Bundle<'a>, consent: &Element<'a>, draft: &mut Draft) {
    for reference in consent.list("performer") {
        let target = reference.node.member("reference").and(bundle.resolve(consent, &reference));
        let Some(target) = target else { continue };
        let concepts = target.resource.list("relationship");
        let role = concepts.iter().find_map(|concept| concept.code_in(systems::ROLE));
        let parent = role.is_some_and(|role| role.text().is_some_and(|r| PARENTS.contains(&r)));
        let said = match target.kind {
            "Patient" => "young-person",
            "RelatedPerson" if parent => "parent",
            _ => continue,
        };
        draft.set(Field::CONSENT_GIVEN_BY, said, reference.place());
        return;
    }
}

/// Until when, for what and to whom not.
fn limits_of(provision: &Element<'_>, draft: &mut Draft) {
    let period = provision.get("period");
    element::set_date(draft, Field::CONSENT_EXPIRES, period.and_then(|period| period.get("end")));
    for purpose in provision.list("purpose") {
        element::set(draft, Field::CONSENT_PURPOSES, purpose.get("code"));
    }
    let limits = ["id", "extension", "type", "period", "purpose", "provision"];
    if provision.node.members().iter().any(|member| !limits.contains(&member.name.as_str())) {
        provision.error(
            "fhir-consent-provision",
            "holds a limit on sharing that cannot be carried",
            "send the agreement without it, or ask the authority to record it",
        );
    }
    if provision.is("type", "deny") {
        provision.error(
            "fhir-consent-deny",
            "a provision that denies everything is not an agreement",
            "send status rejected or inactive, or deny single organisations inside the provision",
        );
    }
    for inner in provision.list("provision") {
        let actors = inner.list("actor");
        let excluded: Vec<Element<'_>> = actors
            .iter()
            .filter_map(|actor| author::logical_organisation(&actor.get("reference")?))
            .collect();
        if !inner.is("type", "deny") || excluded.is_empty() || excluded.len() != actors.len() {
            // A limit on sharing that is not understood must not be passed over.
            inner.error(
                "fhir-consent-provision",
                "is not a denial to organisations by their codes, and cannot be carried",
                "send type deny with actors by ODS code, or ask the authority to record it",
            );
        }
        for organisation in excluded {
            organisation.set(draft, Field::CONSENT_EXCLUSIONS);
        }
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

/// Relationships that are a parent's in every case; a guardian or carer may be one, and is not
/// taken for one.
const PARENTS: [&str; 5] = ["PRN", "MTH", "FTH", "NMTH", "NFTH"];
/// Where each resource says whom it is about.
const SUBJECTS: [(&str, &str); 6] = [
    ("Task", "for"),
    ("ServiceRequest", "subject"),
    ("DocumentReference", "subject"),
    ("Composition", "subject"),
    ("Consent", "patient"),
    ("CarePlan", "subject"),
];
