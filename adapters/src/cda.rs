//! ITK 2 documents: CDA R2 (`ClinicalDocument`), alone or in its SOAP and distribution envelopes.
//!
//! Owns the envelopes and the elements of CDA that become advice. Table of elements and fields:
//! `schemas/cda/mapping.md`, held to the code by a test. Received only. Names no request, like a
//! letter. It must never know how XML is made safe (that is [`xml`](crate::xml)) or the pipeline.
//!
//! Elements are found by namespace, never by prefix. Of nested documents only the outermost is
//! read, and of its person only the one `recordTarget` of its own.
//!
//! Not supported: compressed and encrypted payloads (refused by name; nothing is decoded that was
//! not looked at), several payloads (one message, one letter), coded entries (the narrative is the
//! attested content, CDA R2 4.3.4), sections into separate fields of advice (no section code says
//! for certain "health need" or "provision"), references to files outside of the document.

mod body;
mod envelope;

use schemas::{Draft, Field, Issue, PersonalBytes, Place};

use crate::xml::{Document, Element};
use crate::{Item, ReadError, Reading, Source, letter};

/// The namespace of CDA.
pub(crate) const HL7: &str = "urn:hl7-org:v3";

/// Whether a root element is the outermost of a document that is read here.
pub(crate) fn is_root(root: &Element) -> bool {
    envelope::is_envelope(root) || root.is(Some(HL7), CDA)
}

/// Reads one document.
pub(crate) fn read(
    document: &Document<'_>,
    bytes: &[u8],
    source: Source<'_>,
) -> Result<Reading, ReadError> {
    let mut notes = Vec::new();
    let opened = envelope::open(&document.root, &mut notes)?;
    let root = opened.document();
    let mut clinical = Clinical { root, draft: letter::draft(root.place(CDA)) };
    clinical.draft.notes.append(&mut notes);
    letter::note_guess(&mut clinical.draft, document.guessed);
    clinical.identity();
    clinical.custodian(source.organisation);
    clinical.person();
    clinical.author();
    clinical.confidentiality();
    body::documents(root, &mut clinical.draft);
    let mut draft = clinical.draft;
    source.feed.complete(&mut draft);
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Ok(Reading { items: vec![item], notes: Vec::new() })
}

struct Clinical<'a> {
    root: &'a Element,
    draft: Draft,
}

impl Clinical<'_> {
    /// The id of this version of the document: a new version is a new message.
    fn identity(&mut self) {
        let Some(id) = self.root.child("id") else { return };
        let root = id.attribute("root").unwrap_or_default();
        let text = match id.attribute("extension") {
            Some(extension) => format!("{root}:{extension}"),
            None => root.to_owned(),
        };
        letter::set(&mut self.draft, Field::ID, &text, place(id, "id"));
    }

    fn custodian(&mut self, organisation: &str) {
        let path = ["custodian", "assignedCustodian", "representedCustodianOrganization"];
        let ids = self.root.descend(&path).into_iter().flat_map(|o| o.children_named("id"));
        let ods = ids.filter(|id| id.attribute("root").is_some_and(|r| ODS.contains(&r)));
        let stated = ods.filter_map(|id| {
            let code = id.attribute("extension")?.trim().to_owned();
            Some((code, place(id, &path.join("/"))))
        });
        let stated = stated.into_iter().next();
        letter::sender(&mut self.draft, stated, organisation);
    }

    fn person(&mut self) {
        let mut targets = self.root.children_named("recordTarget");
        let Some(target) = targets.next() else { return };
        if let Some(second) = targets.next() {
            self.error(
                "cda-several-people",
                None,
                place(second, "recordTarget"),
                "is a second person",
                "send one document about one person",
            );
        }
        let Some(role) = target.child("patientRole") else { return };
        self.nhs_number(role);
        if let Some(address) = role.child("addr") {
            self.address(address);
        }
        let Some(patient) = role.child("patient") else { return };
        if let Some(name) = chosen_name(patient) {
            let path = format!("{PERSON}/patient/name");
            if let Some(family) = name.child("family") {
                let at = place(family, &format!("{path}/family"));
                letter::set(&mut self.draft, Field::FAMILY_NAME, &family.text(), at);
            }
            let given: Vec<&Element> = name.children_named("given").collect();
            if let Some(first) = given.first() {
                let names: Vec<String> = given.iter().map(|given| given.text()).collect();
                let at = place(first, &format!("{path}/given"));
                letter::set(&mut self.draft, Field::GIVEN_NAMES, &names.join(" "), at);
            }
        }
        self.date(patient.child("birthTime"), "value", Field::DATE_OF_BIRTH, "birthTime");
        if let Some(gender) = patient.child("administrativeGenderCode") {
            let code = gender.attribute("code").unwrap_or_default();
            let ours = match code {
                "0" | "9" | "X" | "UN" => "unknown",
                "1" | "M" => "male",
                "2" | "F" => "female",
                other => other,
            };
            let at = place(gender, &format!("{PERSON}/patient/administrativeGenderCode"));
            letter::set(&mut self.draft, Field::SEX, ours, at);
        }
    }

    /// Verified and unverified numbers have roots of their own; an unverified one is reported.
    fn nhs_number(&mut self, role: &Element) {
        let mut numbers = Vec::new();
        let ids = || role.children_named("id");
        let verified = ids().filter(|id| id.attribute("root") == Some(NHS_VERIFIED));
        let unverified = ids().filter(|id| id.attribute("root") == Some(NHS_UNVERIFIED));
        for id in verified.chain(unverified) {
            let Some(number) = id.attribute("extension") else { continue };
            let at = place(id, &format!("{PERSON}/id"));
            if id.attribute("root") == Some(NHS_UNVERIFIED) && numbers.is_empty() {
                self.draft.notes.push(Issue::warning(
                    "nhs-number-unverified",
                    Some(Field::NHS_NUMBER),
                    at.clone(),
                    "has not been verified by its sender",
                    "trace it; the person's other details must agree with the request",
                ));
            }
            numbers.push((number.to_owned(), at));
        }
        letter::nhs_numbers(&mut self.draft, &numbers);
    }

    fn address(&mut self, address: &Element) {
        let path = format!("{PERSON}/addr");
        if let Some(postcode) = address.child("postalCode") {
            let at = place(postcode, &format!("{path}/postalCode"));
            letter::set(&mut self.draft, Field::POSTCODE, &postcode.text(), at);
        }
        let lines = address.elements().filter(|part| ADDRESS_PARTS.contains(&part.name.as_str()));
        let lines: Vec<String> = lines.map(|line| letter::words(&line.text())).collect();
        let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        letter::set(&mut self.draft, Field::ADDRESS, &lines.join(", "), place(address, &path));
    }

    fn author(&mut self) {
        self.date(self.root.child("effectiveTime"), "value", Field::ADVICE_DATE, "effectiveTime");
        let encounter = self.root.descend(&["componentOf", "encompassingEncounter"]);
        if let Some(time) = encounter.and_then(|encounter| encounter.child("effectiveTime")) {
            let ends = ["high", "low"].into_iter().find_map(|name| time.child(name));
            let path = "componentOf/encompassingEncounter/effectiveTime";
            self.date(Some(ends.unwrap_or(time)), "value", Field::LAST_SEEN, path);
        }
        let Some(author) = self.root.descend(&["author", "assignedAuthor"]) else { return };
        if let Some(name) = author.descend(&["assignedPerson", "name"]) {
            let at = place(name, "author/assignedAuthor/assignedPerson/name");
            letter::set(&mut self.draft, Field::AUTHOR_NAME, &whole_name(name), at);
        }
        if let Some(code) = author.child("code")
            && let Some(display) = code.attribute("displayName")
        {
            let at = place(code, "author/assignedAuthor/code/@displayName");
            letter::set(&mut self.draft, Field::AUTHOR_PROFESSION, display, at);
        }
    }

    /// Restricted documents are for named eyes only, which a gateway cannot give them.
    fn confidentiality(&mut self) {
        let Some(code) = self.root.child("confidentialityCode") else { return };
        if code.attribute("code").is_none_or(|code| code == "N") {
            return;
        }
        self.error(
            "cda-restricted",
            None,
            place(code, "confidentialityCode"),
            "is more confidential than is normal",
            "agree with the authority how to send it; nothing restricted is carried",
        );
    }

    fn date(&mut self, element: Option<&Element>, attribute: &str, field: Field, path: &str) {
        let Some(element) = element else { return };
        if let Some(value) = element.attribute(attribute) {
            letter::set_date(&mut self.draft, field, value, place(element, path));
        }
    }

    fn error(&mut self, rule: &str, field: Option<Field>, at: Place, message: &str, next: &str) {
        self.draft.notes.push(Issue::error(rule, field, at, message, next));
    }
}

/// The usual name (`L`), or the only one.
fn chosen_name(patient: &Element) -> Option<&Element> {
    let mut names = patient.children_named("name");
    let usual = patient.children_named("name").find(|name| name.attribute("use") == Some("L"));
    usual.or_else(|| names.next().filter(|_| names.next().is_none()))
}

/// A name as it is said: its parts in their order, or its text.
fn whole_name(name: &Element) -> String {
    let parts: Vec<String> = name.elements().map(Element::text).collect();
    if parts.is_empty() { name.text() } else { parts.join(" ") }
}

fn place(element: &Element, path: &str) -> Place {
    element.place(format!("{CDA}/{path}"))
}

const CDA: &str = "ClinicalDocument";
const PERSON: &str = "recordTarget/patientRole";
/// NHS number, verified by tracing.
const NHS_VERIFIED: &str = "2.16.840.1.113883.2.1.4.1";
/// NHS number, not verified.
const NHS_UNVERIFIED: &str = "2.16.840.1.113883.2.1.3.2.4.18.23";
/// Organisations and their sites, by ODS code.
const ODS: [&str; 2] = ["2.16.840.1.113883.2.1.3.2.4.19.1", "2.16.840.1.113883.2.1.3.2.4.19.2"];
const ADDRESS_PARTS: [&str; 5] =
    ["streetAddressLine", "houseNumber", "streetName", "city", "county"];

#[cfg(test)]
mod tests;
