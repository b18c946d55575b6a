//! The person of PID, and the people who wrote or read the document.

use schemas::{Draft, Field as Canonical, NhsNumber};

use super::er7::{Field, Segment};
use super::reader::{Parts, civil};
use crate::feed::Leniency;

/// Reads PID.
pub(super) fn read(pid: &Segment<'_>, parts: &Parts<'_>, draft: &mut Draft) {
    nhs_number(pid, parts, draft);
    trace_status(pid, parts);
    let names: Vec<Field<'_>> = pid.field(5).repeats().filter(|name| !name.is_empty()).collect();
    if let Some(name) = choose(&names, 7, &["L", "CURRENT", "OFFICIAL"], &["", "U", "D"]) {
        set(draft, Canonical::FAMILY_NAME, &name.component(1).sub(1));
        let given = [2, 3].into_iter().filter_map(|number| name.component(number).text());
        let given: Vec<String> = given.collect();
        if !given.is_empty() {
            draft.set(Canonical::GIVEN_NAMES, given.join(" "), name.component(2).place());
        }
    }
    let born = pid.field(7).component(1);
    if !born.is_empty() {
        // A time of day is often there and means nothing: the date part alone counts.
        let text = born.raw().trim();
        let day = text.get(..8).filter(|day| day.chars().all(|c| c.is_ascii_digit()));
        draft.set(Canonical::DATE_OF_BIRTH, day.map_or(text.to_owned(), civil), born.place());
    }
    let sex = pid.field(8).component(1);
    if let Some(code) = sex.text() {
        draft.set(Canonical::SEX, sex_of(&code), sex.place());
    }
    address(pid, draft);
}

/// The NHS number: in PID-3 by its assigning authority or type, elsewhere only where allowed.
fn nhs_number(pid: &Segment<'_>, parts: &Parts<'_>, draft: &mut Draft) {
    let mut found: Option<Field<'_>> = None;
    for id in pid.field(3).repeats().filter(|id| !id.component(1).is_empty()) {
        let authority = id.component(4);
        let by_authority = [1, 2].into_iter().any(|n| authority.sub(n).is_one_of(&AUTHORITIES));
        if !by_authority && !id.component(5).is_one_of(&TYPES) {
            continue;
        }
        let number = id.component(1);
        if found.is_some_and(|before| digits(&before) != digits(&number)) {
            parts.grammar.fault(
                "hl7-nhs-numbers-differ",
                number.place(),
                "gives two different NHS numbers",
                "send the current one only",
            );
        }
        found = found.or(Some(number));
    }
    if let Some(number) = found {
        set(draft, Canonical::NHS_NUMBER, &number);
        return;
    }
    if !parts.allows(Leniency::NhsNumberElsewhere) {
        return;
    }
    let elsewhere = [2, 4, 19].into_iter().flat_map(|n| pid.field(n).repeats().collect::<Vec<_>>());
    let passes = |field: &Field<'_>| {
        field.component(1).text().is_some_and(|text| NhsNumber::parse(&text).is_ok())
    };
    if let Some(field) = elsewhere.map(|field| field.component(1)).find(passes) {
        set(draft, Canonical::NHS_NUMBER, &field);
        parts.grammar.warn(
            "nhs-number-elsewhere",
            field.place(),
            "was taken as the NHS number because it passes its check digit",
            "send it in PID-3 as NUMBER^^^NHS^NH",
        );
    }
}

fn digits(field: &Field<'_>) -> String {
    field.raw().chars().filter(char::is_ascii_digit).collect()
}

/// How far the NHS number was traced (PID-32, NSTS01 to NSTS08; 01 is verified).
fn trace_status(pid: &Segment<'_>, parts: &Parts<'_>) {
    let stated: Vec<Field<'_>> =
        pid.field(32).repeats().filter(|f| f.raw().trim().starts_with("NSTS")).collect();
    let Some(status) = stated.first() else { return };
    if stated.len() > 1 {
        let next = "send one status";
        parts.grammar.warn("hl7-trace-status", status.place(), "gives two trace statuses", next);
    } else if !status.is("NSTS01") {
        parts.grammar.warn(
            "nhs-number-not-verified",
            status.place(),
            "says that the NHS number is not verified",
            "trace it; the answer attaches by the person's other details too",
        );
    }
}

/// The home address, if there is one.
fn address(pid: &Segment<'_>, draft: &mut Draft) {
    let all: Vec<Field<'_>> = pid.field(11).repeats().filter(|a| !a.is_empty()).collect();
    let Some(home) = choose(&all, 7, &["H", "HOME", "CURRENT"], &["", "P", "L", "M"]) else {
        return;
    };
    set(draft, Canonical::POSTCODE, &home.component(5));
    let first = home.component(1).sub(1).text();
    let rest = [2, 3, 4].into_iter().filter_map(|number| home.component(number).text());
    let lines: Vec<String> = first.into_iter().chain(rest).collect();
    if !lines.is_empty() {
        draft.set(Canonical::ADDRESS, lines.join(", "), home.component(1).place());
    }
}

/// The repetition whose type is one of the best, else one of the next best.
fn choose<'a>(
    repeats: &[Field<'a>],
    kind: u32,
    best: &[&str],
    next_best: &[&str],
) -> Option<Field<'a>> {
    let of = |codes: &[&str]| {
        let typed = |field: &&Field<'a>| {
            let kind = field.component(kind);
            kind.is_one_of(codes) || (kind.is_empty() && codes.contains(&""))
        };
        repeats.iter().find(typed).copied()
    };
    of(best).or_else(|| of(next_best))
}

/// Table 0001 and the NHS Data Dictionary's person gender codes.
fn sex_of(code: &str) -> String {
    let known = match code.to_ascii_uppercase().as_str() {
        "F" | "2" => "female",
        "M" | "1" => "male",
        "O" | "A" | "I" | "9" => "other",
        "U" | "N" | "0" => "unknown",
        _ => return code.to_owned(),
    };
    known.to_owned()
}

/// The author: the first of these people who has a name.
pub(super) fn author<'a>(people: impl Iterator<Item = Field<'a>>, draft: &mut Draft) {
    for person in people {
        let parts = [6, 3, 4, 2].map(|number| person.component(number).sub(1).text());
        let name: Vec<String> = parts.into_iter().flatten().collect();
        if name.is_empty() {
            continue;
        }
        draft.set(Canonical::AUTHOR_NAME, name.join(" "), person.place());
        let issuer = [9, 13, 8].into_iter().map(|number| person.component(number).sub(1));
        if issuer.into_iter().any(|field| field.is_one_of(&REGISTERS)) {
            set(draft, Canonical::AUTHOR_REGISTRATION, &person.component(1));
        }
        return;
    }
}

/// The author of a report: its principal interpreter (OBR-32), else who is responsible for a row.
pub(super) fn interpreter(field: &Field<'_>, parts: &Parts<'_>, draft: &mut Draft) {
    // NDL.1 is a person whose components are written as sub-components.
    let person = field.component(1);
    let names = [6, 3, 4, 2].map(|number| person.sub(number).text());
    let name: Vec<String> = names.into_iter().flatten().collect();
    if name.is_empty() {
        let rows = parts.all("OBX").flat_map(|row| row.field(16).repeats().collect::<Vec<_>>());
        author(rows, draft);
    } else {
        draft.set(Canonical::AUTHOR_NAME, name.join(" "), person.place());
    }
}

fn set(draft: &mut Draft, canonical: Canonical, field: &Field<'_>) {
    if let Some(text) = field.text() {
        draft.set(canonical, text, field.place());
    }
}

/// Who assigns NHS numbers, as CX.4 names it: by name, and by the OIDs of verified and unverified.
const AUTHORITIES: [&str; 5] =
    ["NHS", "NHSNBR", "NHSNMBR", "2.16.840.1.113883.2.1.4.1", "2.16.840.1.113883.2.1.3.2.4.18.23"];
/// What CX.5 calls an NHS number.
const TYPES: [&str; 3] = ["NH", "NHS", "NHSNMBR"];
/// The registers of professions, as an identifier's issuer or type names them.
const REGISTERS: [&str; 6] = ["GMC", "NMC", "HCPC", "GDC", "GPHC", "SWE"];
