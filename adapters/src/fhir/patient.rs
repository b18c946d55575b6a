//! `Patient`: identifiers by system, name and address by use and period, never by position.

use schemas::{Draft, Field, Issue};

use super::element::{self, Element};
use super::systems;

/// Reads the person. `made_on` is the date of the Bundle, against which periods are read.
pub(super) fn read(patient: &Element<'_>, made_on: Option<&str>, draft: &mut Draft) {
    identifiers(patient, made_on, draft);
    if let Some(name) = chosen(patient.list("name"), &["official", "usual"], made_on) {
        element::set(draft, Field::FAMILY_NAME, name.get("family"));
        let given = name.list("given");
        let names: Vec<&str> = given.iter().filter_map(Element::text).collect();
        if let Some(first) = given.first() {
            draft.set(Field::GIVEN_NAMES, names.join(" "), first.place());
        }
    }
    element::set(draft, Field::DATE_OF_BIRTH, patient.get("birthDate"));
    element::set(draft, Field::SEX, patient.get("gender"));
    if let Some(address) = chosen(patient.list("address"), &["home"], made_on) {
        element::set(draft, Field::POSTCODE, address.get("postalCode"));
        if let Some(text) = address.get("text") {
            text.set(draft, Field::ADDRESS);
        } else {
            let lines = address.list("line");
            let mut parts: Vec<&str> = lines.iter().filter_map(Element::text).collect();
            parts.extend(["city", "district"].into_iter().filter_map(|name| address.text_of(name)));
            if !parts.is_empty() {
                draft.set(Field::ADDRESS, parts.join(", "), address.place());
            }
        }
    }
    let school = patient.extension(systems::EXTENSION_SCHOOL);
    element::set(draft, Field::SCHOOL, school.and_then(|e| e.get("valueString")));
}

fn identifiers(patient: &Element<'_>, made_on: Option<&str>, draft: &mut Draft) {
    let mut numbered = false;
    for identifier in patient.list("identifier") {
        spelling(&identifier, systems::NHS_NUMBER);
        if identifier.is("use", "old") || has_ended(&identifier, made_on) {
            continue;
        }
        if identifier.is("system", systems::NHS_NUMBER) && !numbered {
            numbered = true;
            nhs_number(&identifier, draft);
        }
    }
    let la_person = patient.identifier_in("identifier", systems::LA_PERSON);
    element::set(draft, Field::LA_PERSON_ID, la_person);
    element::set(draft, Field::UPN, patient.identifier_in("identifier", systems::UPN));
}

fn nhs_number(identifier: &Element<'_>, draft: &mut Draft) {
    let Some(value) = identifier.get("value") else {
        identifier.notes.add(Issue::error(
            "fhir-nhs-number-slice",
            Some(Field::NHS_NUMBER),
            identifier.place(),
            "the identifier has the NHS number's system and no value",
            "send both, or leave the identifier out",
        ));
        return;
    };
    let digits =
        value.text().filter(|text| text.len() == 10 && text.chars().all(|c| c.is_ascii_digit()));
    if digits.is_none() {
        identifier.notes.add(Issue::error(
            "fhir-nhs-number-slice",
            Some(Field::NHS_NUMBER),
            value.place(),
            "is not ten digits without spaces",
            "write the NHS number as ten digits",
        ));
        return;
    }
    value.set(draft, Field::NHS_NUMBER);
    let statuses = systems::VERIFICATION.into_iter().filter_map(|url| identifier.extension(url));
    for status in statuses {
        let codings = status.get("valueCodeableConcept").map(|c| c.list("coding"));
        let codings = codings.unwrap_or_default();
        let verified = codings.iter().any(|c| systems::VERIFIED.iter().any(|v| c.is("code", v)));
        if !verified {
            status.notes.add(Issue::warning(
                "nhs-number-not-verified",
                Some(Field::NHS_NUMBER),
                status.place(),
                "is marked as not verified by its sender",
                "check the person's other details before use",
            ));
        }
    }
}

/// Reports an identifier whose system differs from a known one in capitals only.
pub(super) fn spelling(identifier: &Element<'_>, system: &str) {
    let Some(given) = identifier.node.member("system").and_then(|node| node.text()) else { return };
    if given != system && given.eq_ignore_ascii_case(system) {
        identifier.warn(
            "fhir-system-spelling",
            "has a system that differs from a known one in capitals only, and is not used",
            "write the system exactly",
        );
    }
}

/// The item to use: current before ended, then in the order of `uses`, then without a use.
///
/// Items of other uses (old, maiden, temporary, billing) are never used. Two that rank alike and
/// differ are reported.
pub(super) fn chosen<'a>(
    items: Vec<Element<'a>>,
    uses: &[&str],
    made_on: Option<&str>,
) -> Option<Element<'a>> {
    let mut ranked: Vec<(usize, Element<'a>)> = items
        .into_iter()
        .filter_map(|item| {
            let rank = match item.node.member("use") {
                None => uses.len(),
                Some(_) => uses.iter().position(|name| item.is("use", name))?,
            };
            (!has_ended(&item, made_on)).then_some((rank, item))
        })
        .collect();
    // Stable: within a rank the sender's order stands.
    ranked.sort_by_key(|(rank, _)| *rank);
    if let [(first, _), (second, unclear), ..] = ranked.as_slice()
        && first == second
    {
        unclear.warn(
            "fhir-choice-unclear",
            "is as good a choice as another before it, which was used",
            "mark one as official, and end the period of the other",
        );
    }
    ranked.into_iter().next().map(|(_, item)| item)
}

/// Whether the period of an item ended before the Bundle was made. Without a date of the Bundle,
/// a period that has an end has ended.
fn has_ended(item: &Element<'_>, made_on: Option<&str>) -> bool {
    let Some(end) = item.get("period").and_then(|period| period.text_of("end")) else {
        return false;
    };
    // ISO dates sort as text; a partial date (a year, a month) is compared by its length.
    let end = super::dates::civil_date(end);
    made_on.is_none_or(|made_on| made_on.get(..end.len()).is_none_or(|day| *end < *day))
}
