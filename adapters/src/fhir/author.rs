//! Who wrote, sent or entered something: practitioners, their roles, and organisations.

use schemas::{Draft, Field};

use super::bundle::{Bundle, Entry};
use super::element::{self, Element};
use super::patient;
use super::systems;

/// Reads the author of advice from the `author` references of a document.
pub(super) fn read<'a>(bundle: &Bundle<'a>, document: &Element<'a>, draft: &mut Draft) {
    let people: Vec<(Element<'a>, Option<Entry<'a>>)> = document
        .list("author")
        .into_iter()
        .map(|author| {
            let target = author.node.member("reference").and(bundle.resolve(document, &author));
            (author, target)
        })
        .filter(|(author, target)| match target {
            Some(entry) => entry.kind == "Practitioner" || entry.kind == "PractitionerRole",
            None => author.node.member("display").is_some(),
        })
        .collect();
    if let Some((second, _)) = people.get(1) {
        second.warn(
            "fhir-several-authors",
            "is a second author; the first is named",
            "name the others in the document",
        );
    }
    let Some((author, target)) = people.into_iter().next() else { return };
    let (role, person) = match target {
        Some(entry) if entry.kind == "PractitionerRole" => {
            let practitioner = entry.resource.get("practitioner");
            let owner = if entry.resource.path.contains(".contained[") {
                document
            } else {
                &entry.resource
            };
            let person = practitioner.as_ref().and_then(|p| {
                p.node.member("reference").and(bundle.resolve(owner, p)).map(|e| e.resource)
            });
            let display = practitioner.and_then(|p| p.get("display"));
            if person.is_none() {
                element::set(draft, Field::AUTHOR_NAME, display.or_else(|| author.get("display")));
            }
            (Some(entry.resource), person)
        }
        Some(entry) => (None, Some(entry.resource)),
        None => {
            element::set(draft, Field::AUTHOR_NAME, author.get("display"));
            (None, None)
        }
    };
    if let Some(person) = &person {
        name(person, bundle.made_on().as_deref(), draft);
        registration(person, draft);
    }
    profession(role.as_ref(), person.as_ref(), draft);
}

fn name(person: &Element<'_>, made_on: Option<&str>, draft: &mut Draft) {
    let chosen = patient::chosen(person.list("name"), &["official", "usual"], made_on);
    let Some(name) = chosen else { return };
    if let Some(text) = name.get("text") {
        text.set(draft, Field::AUTHOR_NAME);
        return;
    }
    let (prefix, given) = (name.list("prefix"), name.list("given"));
    let mut parts: Vec<&str> = prefix.iter().chain(&given).filter_map(Element::text).collect();
    parts.extend(name.text_of("family"));
    if !parts.is_empty() {
        draft.set(Field::AUTHOR_NAME, parts.join(" "), name.place());
    }
}

fn registration(person: &Element<'_>, draft: &mut Draft) {
    let known = [systems::REGISTRATION, systems::GMC];
    let number = known.into_iter().find_map(|system| person.identifier_in("identifier", system));
    element::set(draft, Field::AUTHOR_REGISTRATION, number);
}

fn profession(role: Option<&Element<'_>>, person: Option<&Element<'_>>, draft: &mut Draft) {
    let of_role = role.and_then(|role| role.list("code").iter().find_map(words));
    let of_person = || {
        let qualifications = person?.list("qualification");
        qualifications.iter().filter_map(|q| q.get("code")).find_map(|code| words(&code))
    };
    element::set(draft, Field::AUTHOR_PROFESSION, of_role.or_else(of_person));
}

/// The words of a `CodeableConcept`: its own text, or the display of a coding.
fn words<'a>(concept: &Element<'a>) -> Option<Element<'a>> {
    let display = || concept.list("coding").into_iter().find_map(|coding| coding.get("display"));
    concept.get("text").or_else(display)
}

/// The code of the organisation that a Reference means.
pub(super) fn organisation<'a>(
    bundle: &Bundle<'a>,
    owner: &Element<'a>,
    reference: &Element<'a>,
) -> Option<Element<'a>> {
    let target = reference.node.member("reference").and(bundle.resolve(owner, reference));
    if let Some(entry) = target.filter(|entry| entry.kind == "Organization") {
        for identifier in entry.resource.list("identifier") {
            patient::spelling(&identifier, systems::ODS);
        }
        let mut found = [systems::ODS, systems::ORGANISATION].into_iter();
        return found.find_map(|system| entry.resource.identifier_in("identifier", system));
    }
    logical_organisation(reference)
}

/// The code of an organisation in a Reference by identifier.
pub(super) fn logical_organisation<'a>(reference: &Element<'a>) -> Option<Element<'a>> {
    let identifier = reference.get("identifier")?;
    let known = [systems::ODS, systems::ORGANISATION].iter().any(|s| identifier.is("system", s));
    if known { identifier.get("value") } else { None }
}

/// Reads the person behind the message from `MessageHeader.enterer`.
pub(super) fn enterer<'a>(bundle: &Bundle<'a>, header: &Element<'a>, draft: &mut Draft) {
    let Some(reference) = header.get("enterer") else { return };
    let Some(entry) = bundle.resolve(header, &reference) else { return };
    let mut known = [systems::USER, systems::SDS_USER].into_iter();
    let user = known.find_map(|system| entry.resource.identifier_in("identifier", system));
    element::set(draft, Field::ACTING_USER, user);
    let role = entry.resource.list("code").iter().find_map(words);
    if entry.kind == "PractitionerRole" {
        element::set(draft, Field::ACTING_ROLE, role);
    }
}
