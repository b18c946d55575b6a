//! `Consent`: what was decided about sharing, by whom, and its bounds.
//!
//! Our own extensions say exactly what FHIR's few statuses approximate; without them the status is
//! read together with the type of the message. A bound that is not understood is an error: an
//! agreement must not become wider on its way.

use schemas::{Draft, Field, MessageType};

use super::author;
use super::bundle::Bundle;
use super::element::{self, Element};
use super::systems;

/// Reads the only Consent, if there is one.
pub(super) fn read(bundle: &Bundle<'_>, kind: MessageType, draft: &mut Draft) {
    let Some(entry) = bundle.only("Consent") else { return };
    let consent = &entry.resource;
    status(consent, kind, draft);
    let categories = consent.list("category");
    let coded = |system| categories.iter().find_map(|category| category.code_in(system));
    element::set(draft, Field::CONSENT_KIND, coded(systems::CONSENT_KIND));
    element::set(draft, Field::CONSENT_RESTRICTION, coded(systems::RESTRICTION));
    let given_by = consent.extension(systems::EXTENSION_GIVEN_BY);
    match given_by.and_then(|e| e.get("valueCode")) {
        Some(said) => said.set(draft, Field::CONSENT_GIVEN_BY),
        None => performer(bundle, consent, draft),
    }
    element::set_date(draft, Field::CONSENT_DATE, consent.get("dateTime"));
    if let Some(assessed) = consent.extension(systems::EXTENSION_ASSESSED) {
        let part = |url, value| assessed.extension(url).and_then(|part| part.get(value));
        element::set_date(draft, Field::CONSENT_ASSESSED_ON, part("on", "valueDate"));
        element::set(draft, Field::CONSENT_ASSESSED_BY, part("by", "valueString"));
    }
    let reference = consent.identifier_in("identifier", systems::CONSENT_REFERENCE);
    element::set(draft, Field::CONSENT_REFERENCE, reference);
    if let Some(provision) = consent.get("provision") {
        limits_of(&provision, draft);
    }
}

/// What was decided: by our extension where it stands, and it must agree with FHIR's status.
fn status(consent: &Element<'_>, kind: MessageType, draft: &mut Draft) {
    let Some(status) = consent.get("status") else { return };
    let exact = consent.extension(systems::EXTENSION_CONSENT_STATUS);
    let exact = exact.and_then(|extension| extension.get("valueCode"));
    let said = match (&exact, status.text()) {
        (Some(exact), Some(status)) => {
            let known = EXACT.into_iter().find(|(said, _)| exact.text() == Some(said));
            known.filter(|(_, fhir)| *fhir == status).map(|(said, _)| said)
        }
        (None, Some("active")) if kind == MessageType::ConsentRestriction => Some("restricted"),
        (None, Some("inactive")) if kind == MessageType::ConsentRestriction => Some("lifted"),
        (None, Some("inactive")) if kind == MessageType::ConsentStale => Some("stale"),
        (None, Some("active")) => Some("given"),
        (None, Some("rejected")) => Some("refused"),
        (None, Some("inactive")) => Some("withdrawn"),
        (None, Some("draft" | "proposed")) => Some("not-recorded"),
        (_, _) => None,
    };
    let by_type = kind.says_of_consent().and_then(|said| serde_json::to_value(said).ok());
    let contradicts = by_type.is_some_and(|by_type| by_type.as_str() != said);
    if said.is_none() || contradicts {
        status.error(
            "fhir-status-contradicts",
            "the status is not one that is read, or does not agree with the message's event",
            "send active with consent.grant, rejected with consent.refuse, inactive with \
             consent.withdraw and consent.stale, and the extension that says it exactly",
        );
    }
    draft.set(Field::CONSENT_STATUS, said.unwrap_or_default(), status.place());
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

/// Until when, for what, to whom and of which classes; and to whom not.
fn limits_of(provision: &Element<'_>, draft: &mut Draft) {
    let period = provision.get("period");
    element::set_date(draft, Field::CONSENT_EXPIRES, period.and_then(|period| period.get("end")));
    for purpose in provision.list("purpose") {
        element::set(draft, Field::CONSENT_PURPOSES, purpose.get("code"));
    }
    if holds_other_than(provision, &LIMITS) {
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
    covered(provision, draft);
    let inner = provision.list("provision");
    let permits = inner.iter().filter(|inner| inner.is("type", "permit")).count();
    let bounded = ["actor", "class"].iter().any(|name| provision.node.member(name).is_some());
    // Two that each pair recipients with classes cannot be said in one list of each.
    let one_permits = permits == 1 && !bounded;
    for inner in inner {
        if inner.is("type", "permit") && one_permits && !holds_other_than(&inner, &PERMITTED) {
            covered(&inner, draft);
            continue;
        }
        let excluded = organisations(&inner);
        if !inner.is("type", "deny") || holds_other_than(&inner, &DENIED) || excluded.is_none() {
            // A limit on sharing that is not understood must not be passed over.
            inner.error(
                "fhir-consent-provision",
                "is not a denial to organisations by their codes, and cannot be carried",
                "send type deny with actors by ODS code, or ask the authority to record it",
            );
        }
        for organisation in excluded.unwrap_or_default() {
            organisation.set(draft, Field::CONSENT_EXCLUSIONS);
        }
    }
}

/// The organisations and the classes of data that a provision covers.
fn covered(provision: &Element<'_>, draft: &mut Draft) {
    let recipients = organisations(provision);
    if recipients.is_none() && provision.node.member("actor").is_some() {
        provision.error(
            "fhir-consent-provision",
            "names an actor that is not an organisation by its code",
            "send actors by ODS code, or ask the authority to record it",
        );
    }
    for organisation in recipients.unwrap_or_default() {
        organisation.set(draft, Field::CONSENT_RECIPIENTS);
    }
    for class in provision.list("class") {
        if class.is("system", systems::DATA_CLASS) {
            element::set(draft, Field::CONSENT_CLASSES, class.get("code"));
        } else {
            class.error(
                "fhir-consent-provision",
                "is not a class of data of the catalogue",
                "use a code of urn:ehc-gateway:data-class, or ask the authority to record it",
            );
        }
    }
}

/// The organisations that are the actors of a provision; none where there is no actor, or one
/// that is not an organisation by its code.
fn organisations<'a>(provision: &Element<'a>) -> Option<Vec<Element<'a>>> {
    let actors = provision.list("actor");
    let known: Vec<Element<'_>> = actors
        .iter()
        .filter_map(|actor| author::logical_organisation(&actor.get("reference")?))
        .collect();
    (!known.is_empty() && known.len() == actors.len()).then_some(known)
}

fn holds_other_than(provision: &Element<'_>, known: &[&str]) -> bool {
    provision.node.members().iter().any(|member| !known.contains(&member.name.as_str()))
}

/// What a decision is called exactly, and the FHIR status it goes with.
pub(super) const EXACT: [(&str, &str); 8] = [
    ("given", "active"),
    ("refused", "rejected"),
    ("withdrawn", "inactive"),
    ("not-recorded", "draft"),
    ("expired", "inactive"),
    ("stale", "inactive"),
    ("restricted", "active"),
    ("lifted", "inactive"),
];
/// What a provision may hold.
const LIMITS: [&str; 8] =
    ["id", "extension", "type", "period", "purpose", "actor", "class", "provision"];
/// What a permission inside it may hold.
const PERMITTED: [&str; 5] = ["id", "extension", "type", "actor", "class"];
/// What a denial inside it may hold: one that is narrower than a denial is no denial.
const DENIED: [&str; 4] = ["id", "extension", "type", "actor"];
/// Relationships that are a parent's in every case; a guardian or carer may be one, and is not
/// taken for one.
const PARENTS: [&str; 5] = ["PRN", "MTH", "FTH", "NMTH", "NFTH"];
