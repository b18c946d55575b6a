//! The body of a CDA document: a file, or sections whose words are rendered as plain text.

use schemas::{Draft, Issue};

use super::{CDA, HL7};
use crate::letter;
use crate::xml::{Element, Node};

/// Takes the documents out of the body, the letter itself first.
pub(super) fn documents(root: &Element, draft: &mut Draft) {
    let body = root.children_named("component").find_map(|component| {
        component.child("nonXMLBody").or_else(|| component.child("structuredBody"))
    });
    match body {
        Some(body) if body.name == "nonXMLBody" => file(body, draft),
        Some(body) => {
            let mut text = root.child("title").map(Element::text).unwrap_or_default();
            for section in sections(body) {
                section_text(section, &mut text);
            }
            let at = body.place(format!("{CDA}/component/structuredBody"));
            let text = tidy(&text);
            if !text.is_empty() {
                // Its own markup was rendered; what still looks like a tag is somebody's words.
                letter::plain_document(draft, &text, at);
            }
            media(body, draft);
        }
        None => {}
    }
    if draft.attachments.is_empty() && !draft.notes.iter().any(Issue::is_error) {
        draft.notes.push(Issue::error(
            "letter-empty",
            None,
            root.place(format!("{CDA}/component")),
            "the document holds no body that can be read",
            "send a structuredBody with text, or a nonXMLBody in base64",
        ));
    }
}

fn file(body: &Element, draft: &mut Draft) {
    let Some(text) = body.child("text") else { return };
    let at = text.place(format!("{CDA}/component/nonXMLBody/text"));
    if text.child("reference").is_some() {
        draft.notes.push(Issue::error(
            "cda-reference",
            None,
            at,
            "refers to a file outside of the document; nothing is fetched",
            "send the file in base64 inside the document",
        ));
    } else if text.attribute("representation") == Some("B64") {
        letter::packed_document(draft, &text.raw_text(), at);
    } else if !text.text().is_empty() {
        letter::text_document(draft, &text.raw_text(), at);
    }
}

fn sections(parent: &Element) -> impl Iterator<Item = &Element> {
    parent.children_named("component").filter_map(|component| component.child("section"))
}

/// A section's title and words, then its sections'. Depth is bounded by the reader.
fn section_text(section: &Element, out: &mut String) {
    if let Some(title) = section.child("title") {
        line(out);
        out.push('\n');
        out.push_str(&letter::words(&title.text()));
        out.push('\n');
    }
    if let Some(text) = section.child("text") {
        narrative(text, out);
    }
    for inner in sections(section) {
        section_text(inner, out);
    }
}

fn narrative(element: &Element, out: &mut String) {
    for node in &element.children {
        match node {
            Node::Text(text) => inline(text, out),
            Node::Element(child) => {
                let name = child.name.as_str();
                match name {
                    "br" | "paragraph" | "list" | "table" | "tr" | "caption" => line(out),
                    "item" => {
                        line(out);
                        out.push_str("- ");
                    }
                    "td" | "th" if !out.ends_with('\n') => out.push('\t'),
                    _ => {}
                }
                narrative(child, out);
                if matches!(name, "paragraph" | "item" | "list" | "table" | "tr" | "caption") {
                    line(out);
                }
            }
        }
    }
}

/// Text with its white space made single spaces.
fn inline(text: &str, out: &mut String) {
    let begins = text.starts_with(char::is_whitespace);
    let mut words = text.split_whitespace().peekable();
    if words.peek().is_none() || begins {
        space(out);
    }
    while let Some(word) = words.next() {
        out.push_str(word);
        if words.peek().is_some() || text.ends_with(char::is_whitespace) {
            space(out);
        }
    }
}

fn space(out: &mut String) {
    if !out.is_empty() && !out.ends_with([' ', '\n', '\t']) {
        out.push(' ');
    }
}

fn line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

fn tidy(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Files that sections show: `observationMedia`, wherever in the body it stands.
fn media(element: &Element, draft: &mut Draft) {
    for child in element.elements().filter(|child| child.namespace.as_deref() == Some(HL7)) {
        let value = child.child("value").filter(|_| child.name == "observationMedia");
        if let Some(value) = value {
            let at = value.place(format!("{CDA}/component/structuredBody//observationMedia/value"));
            letter::packed_document(draft, &value.raw_text(), at);
        } else if child.name != CDA {
            media(child, draft);
        }
    }
}
