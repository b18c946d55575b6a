//! Advice as `DocumentReference` or as a document Bundle, and the documents themselves.

use schemas::{Draft, DraftAttachment, DraftReference, Field, Issue, PersonalText};

use super::author;
use super::bundle::Bundle;
use super::element::{self, Element};
use super::systems;
use crate::json::decode_document;
use crate::limits;

/// Reads who wrote the advice, when, and what it says.
pub(super) fn advice(bundle: &Bundle<'_>, draft: &mut Draft) {
    if let Some(composition) = bundle.only("Composition") {
        let composition = &composition.resource;
        status(composition, "status", &["final", "amended"]);
        author::read(bundle, composition, draft);
        element::set_date(draft, Field::ADVICE_DATE, composition.get("date"));
        sections(bundle, composition, draft);
        return;
    }
    let all: Vec<&Element<'_>> = bundle.all("DocumentReference").map(|e| &e.resource).collect();
    let mut authored = all.iter().filter(|document| document.node.member("author").is_some());
    let Some(document) = authored.next() else { return };
    if let Some(second) = authored.next() {
        second.warn(
            "fhir-several-authored",
            "is a second authored document; author and date are those of the first",
            "send one message per report, or a document Bundle",
        );
    }
    author::read(bundle, document, draft);
    element::set_date(draft, Field::ADVICE_DATE, document.get("date"));
    element::set(draft, Field::SUMMARY, document.get("description"));
    let period = document.get("context").and_then(|context| context.get("period"));
    element::set_date(draft, Field::LAST_SEEN, period.and_then(|period| period.get("end")));
}

/// Reads every document in the Bundle, each once. `binary` is the element of a Binary that holds
/// its bytes: `data`, and in STU3 `content`.
pub(super) fn attachments(bundle: &Bundle<'_>, binary: &'static str, draft: &mut Draft) {
    for entry in bundle.all("DocumentReference") {
        status(&entry.resource, "status", &["current"]);
        status(&entry.resource, "docStatus", &["final", "amended"]);
        for content in entry.resource.list("content") {
            if let Some(attachment) = content.get("attachment") {
                attachment_of(bundle, &attachment, draft);
            }
        }
    }
    for entry in bundle.all("Binary") {
        document(&entry.resource, entry.resource.get(binary), draft);
    }
    if draft.attachments.len() + draft.references.len() > limits::DOCUMENTS_MAX {
        draft.attachments.truncate(limits::DOCUMENTS_MAX);
        draft.references.clear();
        bundle.root.error(
            "attachment-too-many",
            "holds more than 20 documents",
            "send fewer documents in one message",
        );
    }
}

fn attachment_of(bundle: &Bundle<'_>, attachment: &Element<'_>, draft: &mut Draft) {
    if let Some(url) = attachment.get("url") {
        let address = url.text().unwrap_or_default();
        if bundle.holds(address) {
            return;
        }
        // What was uploaded to this gateway before; any other address would have to be fetched.
        if let Some(id) = address.strip_prefix("urn:uuid:") {
            let name = PersonalText::new(attachment.text_of("title").unwrap_or("document"));
            draft.references.push(DraftReference::new(id, name, url.place()));
            return;
        }
        url.error(
            "fhir-attachment-url",
            "gives a document by an address; nothing is fetched",
            "send the document in attachment.data, or upload it and give urn:uuid: and its id",
        );
        return;
    }
    if attachment.extension(systems::DATA_ABSENT).is_some() {
        return;
    }
    document(attachment, attachment.get("data"), draft);
}

/// Takes the document of an Attachment or a Binary.
fn document(owner: &Element<'_>, data: Option<Element<'_>>, draft: &mut Draft) {
    let Some(data) = data else {
        owner.error("fhir-attachment-empty", "holds no data", "send the document in its data");
        return;
    };
    let Some(text) = data.text() else { return };
    let content = match decode_document(text) {
        Ok(content) => content,
        Err(fault) => {
            owner.notes.add(fault.issue(data.place()));
            return;
        }
    };
    let size = owner.node.member("size");
    if size.is_some_and(|size| !says(size, content.len())) {
        owner.error(
            "fhir-attachment-size",
            "gives a size that is not the size of its data",
            "send the document again; it may have been cut short",
        );
    }
    draft.attachments.push(DraftAttachment {
        name: PersonalText::new(owner.text_of("title").unwrap_or("document")),
        media_type: owner.text_of("contentType").unwrap_or_default().to_owned(),
        content,
        place: data.place(),
    });
}

fn says(node: &crate::json::strict::Node, size: usize) -> bool {
    let crate::json::strict::Value::Number(number) = &node.value else { return false };
    number.expose() == size.to_string()
}

/// Sections by our code go to their field; the words of the others are the summary.
fn sections(bundle: &Bundle<'_>, composition: &Element<'_>, draft: &mut Draft) {
    let mut summary = Vec::new();
    let mut first = None;
    for section in composition.list("section") {
        for entry in section.list("entry") {
            // Only to say when it points outside: documents are taken wherever they stand.
            bundle.resolve(composition, &entry);
        }
        let Some(div) = section.get("text").and_then(|text| text.get("div")) else { continue };
        let Some(words) = div.text().map(words_of).filter(|words| !words.is_empty()) else {
            continue;
        };
        if let Some(code) = section.get("code").and_then(|code| code.code_in(systems::DETAIL)) {
            let path = format!("advice.{}", code.text().unwrap_or_default());
            match Field::from_path(&path) {
                Some(field) => draft.set(field, words, div.place()),
                None => code.warn(
                    "fhir-element-ignored",
                    "is not the code of a section that is read",
                    "use a code of the mapping",
                ),
            }
            continue;
        }
        summary.extend(section.text_of("title").map(str::to_owned));
        summary.push(words);
        first = first.or_else(|| Some(div.place()));
    }
    if let Some(place) = first {
        draft.set(Field::SUMMARY, summary.join("\n"), place);
    }
}

fn status(resource: &Element<'_>, name: &'static str, accepted: &[&str]) {
    let Some(given) = resource.get(name) else { return };
    let text = given.text();
    if text.is_some_and(|text| accepted.contains(&text)) {
        return;
    }
    let message = "is not that of a finished, current document";
    let next = "send the document when it is final";
    if text == Some("preliminary") {
        given.notes.add(Issue::warning("fhir-document-status", None, given.place(), message, next));
    } else {
        given.error("fhir-document-status", message, next);
    }
}

/// The words of a narrative `div`: tags removed, block ends as line ends, entities resolved.
fn words_of(div: &str) -> String {
    let mut out = String::with_capacity(div.len());
    let mut rest = div;
    while let Some((before, after)) = rest.split_once('<') {
        entities(before, &mut out);
        let (tag, tail) = after.split_once('>').unwrap_or((after, ""));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if ["p", "br", "li", "div", "tr", "h1", "h2", "h3"].contains(&name) {
            out.push('\n');
        }
        rest = tail;
    }
    entities(rest, &mut out);
    let lines = out.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn entities(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').and_then(|(name, tail)| Some((character(name)?, tail)));
        if let Some((c, tail)) = entity {
            out.push(c);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
}

/// The character of an XML entity.
fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
