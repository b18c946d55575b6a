//! Kettering (EDT) letters: `ReportMsg`, one letter about one person, received only.
//!
//! Owns the elements of the format in both its styles (parties; agents directory). Table of
//! elements and fields: `schemas/kettering/mapping.md`, held to the code by a test. Names no
//! request: the letter answers the one request about its person that its sender still owes.
//! It must never know the request, the pipeline, or how XML is made safe (that is
//! [`xml`](crate::xml)).
//!
//! ```text
//! let document = xml::read(bytes, false)?;
//! let reading = kettering::read(&document, bytes, source)?;
//! ```
//!
//! A letter marked as a test never reaches a case. Only children of the outermost `ReportMsg` are
//! read, so that a message inside a message speaks for nobody.
//!
//! Not supported: sending (the format is being retired), several letters in one message (which
//! identity would answer?), coded data and medication flags (advice has no place for them; the
//! letter itself says it), the recipient's party (the request decides who is answered).

use schemas::{Draft, Field, Issue, PersonalBytes, Place};

use crate::xml::{Document, Element, Node};
use crate::{Item, ReadError, ReadErrorKind, Reading, Source, letter};

/// The name of the root element, in no namespace.
pub(crate) const ROOT: &str = "ReportMsg";

/// Reads one letter.
pub(crate) fn read(
    document: &Document<'_>,
    bytes: &[u8],
    source: Source<'_>,
) -> Result<Reading, ReadError> {
    let root = &document.root;
    let mut draft = letter::draft(root.place(ROOT));
    letter::note_guess(&mut draft, document.guessed);
    let mut reports = root.children_named("ClinicalReport");
    let Some(report) = reports.next() else {
        return Err(ReadError::new(
            ReadErrorKind::Shape,
            "kettering-no-report",
            root.place(ROOT),
            "the message holds no ClinicalReport",
            "send the letter in ClinicalReport",
        ));
    };
    if let Some(second) = reports.next() {
        draft.notes.push(Issue::error(
            "kettering-several-reports",
            None,
            second.place("ReportMsg/ClinicalReport"),
            "the message holds a second ClinicalReport",
            "send one letter in one message",
        ));
    }
    let mut letter = Letter { root, report, draft };
    letter.status();
    letter.identity();
    letter.parties(source.organisation);
    letter.person();
    letter.dates();
    letter.documents();
    letter.flags();
    let mut draft = letter.draft;
    source.feed.complete(&mut draft);
    let item = Item { draft, raw: PersonalBytes::new(bytes.to_vec()) };
    Ok(Reading { items: vec![item], notes: Vec::new() })
}

struct Letter<'a> {
    root: &'a Element,
    report: &'a Element,
    draft: Draft,
}

impl<'a> Letter<'a> {
    /// A letter that is not live must never become anybody's advice.
    fn status(&mut self) {
        let attribute = self.root.attribute_named("MsgStatus");
        let path = "ReportMsg/@MsgStatus";
        let place = attribute.map_or_else(|| self.root.place(path), |status| status.place(path));
        match attribute.map(|attribute| attribute.value.trim()) {
            Some("Live") => {}
            Some("Test") => self.draft.notes.push(Issue::error(
                "kettering-test",
                None,
                place,
                "the message is marked as a test, which never reaches a case",
                "send it as Live when it is meant",
            )),
            Some(_) => self.draft.notes.push(Issue::error(
                "kettering-status",
                None,
                place,
                "the message is neither Live nor Test",
                "send MsgStatus as the standard says",
            )),
            None => self.draft.notes.push(Issue::warning(
                "kettering-status-missing",
                None,
                place,
                "the message does not say that it is Live, and was taken as such",
                "send MsgStatus with every message",
            )),
        }
    }

    /// The report's id recognises a letter that is sent again; the message's is new each time.
    fn identity(&mut self) {
        let own = self.report.child("ReportID").filter(|id| !id.text().is_empty());
        match own {
            Some(id) => {
                let place = id.place("ReportMsg/ClinicalReport/ReportID");
                letter::set(&mut self.draft, Field::ID, &id.text(), place);
            }
            None => self.take(self.root, &["MsgId"], Field::ID, "ReportMsg/MsgId"),
        }
        for nested in nested(self.root) {
            self.draft.notes.push(Issue::warning(
                "kettering-nested",
                None,
                nested.place("ReportMsg//ReportMsg"),
                "a message stands inside this one, and was left out",
                "send it on its own",
            ));
        }
    }

    /// The sender is the party that provides the service, whatever number it has.
    fn parties(&mut self, organisation: &str) {
        let provider = self.party("ServiceProvider", "2");
        let code = provider.and_then(|party| within(party, "OrgCode"));
        let stated = code.map(|code| (code.text(), code.place(PARTY_ORGANISATION)));
        letter::sender(&mut self.draft, stated, organisation);
        if let Some(name) = provider.and_then(|party| within(party, "HcpName")) {
            let place = name.place(PARTY_PERSON);
            letter::set(&mut self.draft, Field::AUTHOR_NAME, &name.text(), place);
        }
    }

    /// The party of a role, in either style; `usual` is its number where no role is given.
    fn party(&self, role: &str, usual: &str) -> Option<&'a Element> {
        let root = self.root;
        let given = root.descend(&[role, "IdValue"]).map(Element::text);
        let wanted = given.unwrap_or_else(|| usual.to_owned());
        let new = root.child("Parties").into_iter().flat_map(|p| p.children_named("Party"));
        let old = root.child("AgentsDirectory");
        let old = old.into_iter().flat_map(|agents| agents.children_named("AgentInContext"));
        new.chain(old).find(|party| {
            let id = within(party, "AgentId");
            let id = id.map(|id| id.child("IdValue").unwrap_or(id).text());
            party.attribute("AgentId").map(str::trim) == Some(&wanted)
                || id.as_deref() == Some(&wanted)
        })
    }

    fn person(&mut self) {
        let Some(person) = self.root.child("PatientMatchingInfo") else { return };
        self.nhs_number(person);
        if let Some(name) = current_name(person) {
            for (child, field) in
                [("FamilyName", Field::FAMILY_NAME), ("GivenName", Field::GIVEN_NAMES)]
            {
                let path = format!("{PERSON}/PersonName_s/StructPersonName/{child}");
                self.take(name, &[child], field, &path);
            }
        }
        if let Some(born) = person.child("BirthDate") {
            let place = born.place(format!("{PERSON}/BirthDate"));
            letter::set_date(&mut self.draft, Field::DATE_OF_BIRTH, &born.text(), place);
        }
        if let Some(sex) = person.child("Sex") {
            let text = sex.text();
            let code = match text.as_str() {
                "0" | "9" => "unknown",
                "1" => "male",
                "2" => "female",
                other => other,
            };
            letter::set(&mut self.draft, Field::SEX, code, sex.place(format!("{PERSON}/Sex")));
        }
        let path = format!("{PERSON}/Address_u/PostCode");
        self.take(person, &["Address_u", "PostCode"], Field::POSTCODE, &path);
        if let Some(address) = person.descend(&["Address_u", "UnstructAddress"]) {
            let lines = address.children_named("UnstructAddressLine");
            let lines: Vec<String> = lines.map(|line| letter::words(&line.text())).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
            let place = address.place(format!("{PERSON}/Address_u/UnstructAddress"));
            letter::set(&mut self.draft, Field::ADDRESS, &lines.join(", "), place);
        }
    }

    fn nhs_number(&mut self, person: &Element) {
        let mut numbers = Vec::new();
        for id in person.child("PatientId").into_iter().flat_map(|ids| ids.children_named("Id")) {
            let kind = id.child("IdType").map(Element::text).unwrap_or_default();
            let Some(value) = id.child("IdValue") else { continue };
            let place = value.place(format!("{PERSON}/PatientId/Id/IdValue"));
            if kind == "Nhs" {
                numbers.push((value.text(), place));
            } else if kind.eq_ignore_ascii_case("nhs") {
                self.draft.notes.push(Issue::error(
                    "kettering-id-type",
                    Some(Field::NHS_NUMBER),
                    place,
                    "has an IdType that is Nhs in other letters than the standard's",
                    "write Nhs",
                ));
            }
        }
        letter::nhs_numbers(&mut self.draft, &numbers);
    }

    fn dates(&mut self) {
        let issued = self.root.child("MsgIssueDate");
        let created = self.report.child("DocCreationDate").filter(|date| !date.text().is_empty());
        match (created, issued) {
            (Some(created), issued) => {
                let place = created.place("ReportMsg/ClinicalReport/DocCreationDate");
                letter::set_date(&mut self.draft, Field::ADVICE_DATE, &created.text(), place);
                let wrong = issued.filter(|issued| letter::date(&issued.text()).is_none());
                if let Some(issued) = wrong {
                    self.draft.notes.push(Issue::warning(
                        "kettering-issue-date",
                        None,
                        issued.place("ReportMsg/MsgIssueDate"),
                        "is not a date that exists, and was left out",
                        "write yyyymmdd or yyyymmddhhmm",
                    ));
                }
            }
            (None, Some(issued)) => {
                let place = issued.place("ReportMsg/MsgIssueDate");
                letter::set_date(&mut self.draft, Field::ADVICE_DATE, &issued.text(), place);
            }
            (None, None) => {}
        }
        let ends = ["EventDateEnd", "EventDate"].into_iter().find_map(|name| {
            let date = self.report.child(name).filter(|date| !date.text().is_empty())?;
            Some((date.text(), date.place(format!("ReportMsg/ClinicalReport/{name}"))))
        });
        if let Some((text, place)) = ends.or_else(|| related_date(self.report)) {
            letter::set_date(&mut self.draft, Field::LAST_SEEN, &text, place);
        }
    }

    fn documents(&mut self) {
        for item in self.report.children_named("TextItem") {
            for block in item.children_named("TextBlock") {
                let place = block.place("ReportMsg/ClinicalReport/TextItem/TextBlock");
                if block.elements().next().is_some() {
                    self.draft.notes.push(Issue::error(
                        "kettering-markup",
                        None,
                        place,
                        "holds elements; a letter is text, CDATA or base64",
                        "put HTML into CDATA",
                    ));
                } else if !block.text().is_empty() {
                    letter::text_document(&mut self.draft, &block.raw_text(), place);
                }
            }
        }
        if self.draft.attachments.is_empty() && !self.draft.notes.iter().any(Issue::is_error) {
            self.draft.notes.push(Issue::error(
                "letter-empty",
                None,
                self.report.place("ReportMsg/ClinicalReport"),
                "the letter holds no document",
                "send the letter in TextItem/TextBlock",
            ));
        }
    }

    fn flags(&mut self) {
        let asked = self.root.descend(&["ReportingInformation", "ActionRequested"]);
        if let Some(asked) = asked.filter(|asked| asked.text().eq_ignore_ascii_case("y")) {
            self.draft.notes.push(Issue::warning(
                "kettering-action-requested",
                None,
                asked.place("ReportMsg/ReportingInformation/ActionRequested"),
                "asks for an action, which advice has no place for",
                "say in the letter what is asked of whom",
            ));
        }
    }

    /// Sets the text of a descendant, if there is one.
    fn take(&mut self, from: &Element, names: &[&str], field: Field, path: &str) {
        if let Some(element) = from.descend(names) {
            letter::set(&mut self.draft, field, &element.text(), element.place(path));
        }
    }
}

/// The current name (`CU`), or the only one.
fn current_name(person: &Element) -> Option<&Element> {
    let mut names = person.children_named("PersonName_s");
    let kind = |name: &Element| name.child("PersonNameType").map(Element::text);
    let current = person.children_named("PersonName_s").find(|n| kind(n).as_deref() == Some("CU"));
    let chosen = current.or_else(|| names.next().filter(|_| names.next().is_none()))?;
    chosen.child("StructPersonName")
}

/// The date of the event in the old style: the `RelDate` whose role has the code 82.
fn related_date(report: &Element) -> Option<(String, Place)> {
    let service = report.child("ReportedService")?;
    let dates = descendants(service).filter(|element| element.name == "RelDate");
    let mut of_event = dates.filter(|date| {
        let coded = |e: &Element| {
            e.text() == "82" || e.attributes.iter().any(|attribute| attribute.value.trim() == "82")
        };
        coded(date) || descendants(date).any(coded)
    });
    let date = of_event.next()?;
    let texts = std::iter::once(date).chain(descendants(date)).map(|e| letter::words(&e.text()));
    let text = texts.into_iter().find(|text| text.len() >= 8)?;
    Some((text, date.place("ReportMsg/ClinicalReport/ReportedService/RelDate")))
}

/// Messages inside the message.
fn nested(root: &Element) -> impl Iterator<Item = &Element> {
    descendants(root).filter(|element| element.name == ROOT)
}

/// The first descendant of a name.
fn within<'a>(element: &'a Element, name: &str) -> Option<&'a Element> {
    descendants(element).find(|descendant| descendant.name == name)
}

/// All elements inside an element, in the order of the document. Depth is bounded by the reader.
fn descendants(element: &Element) -> impl Iterator<Item = &Element> {
    let mut waiting: Vec<&Element> = element.elements().collect();
    waiting.reverse();
    std::iter::from_fn(move || {
        let next = waiting.pop()?;
        waiting.extend(next.children.iter().rev().filter_map(|node| match node {
            Node::Element(element) => Some(element.as_ref()),
            Node::Text(_) => None,
        }));
        Some(next)
    })
}

const PERSON: &str = "ReportMsg/PatientMatchingInfo";
const PARTY_ORGANISATION: &str = "ReportMsg/Parties/Party/OrgCode";
const PARTY_PERSON: &str = "ReportMsg/Parties/Party/HcpName";

#[cfg(test)]
mod tests;
