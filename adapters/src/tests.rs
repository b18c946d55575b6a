//! What holds in every format at once.

use std::collections::BTreeSet;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use calamine::{Reader, Xlsx};
use schemas::catalogue::{Catalogue, DataClass};
use schemas::{Field, MessageType};
use serde_json::Value;

use super::*;
use crate::json::samples::{canary, outbound, with_everything};

const FORMATS: [Format; 7] = [
    Format::Csv,
    Format::Json,
    Format::Fhir,
    Format::FhirXml,
    Format::Xlsx,
    Format::Xml,
    Format::Hl7,
];

/// What a recipient can read in a message, whatever it is packed in.
fn readable(format: Format, record: &Record) -> Option<String> {
    let bytes = match write(format, record, &outbound(None)) {
        Ok(bytes) => bytes,
        Err(WriteError::NoForm { .. }) => return None,
        Err(error) => panic!("{}: {error}", record.message().kind),
    };
    if format != Format::Xlsx {
        return Some(String::from_utf8(bytes).expect("it is text"));
    }
    let mut book: Xlsx<_> =
        calamine::open_workbook_from_rs(Cursor::new(bytes)).expect("a workbook");
    let sheets = book.worksheets();
    let rows = sheets.iter().flat_map(|(_, range)| range.rows());
    Some(rows.flatten().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Every text of the canonical message.
fn texts(record: &Record) -> BTreeSet<String> {
    fn walk(value: &Value, texts: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.values().for_each(|member| walk(member, texts)),
            Value::Array(values) => values.iter().for_each(|value| walk(value, texts)),
            Value::String(text) => drop(texts.insert(text.clone())),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut texts = BTreeSet::new();
    walk(&serde_json::from_slice(&record.expose_json()).expect("JSON"), &mut texts);
    let documents = record.attachments().iter();
    texts.extend(documents.clone().map(|document| document.name.expose().to_owned()));
    texts.extend(documents.map(|document| STANDARD.encode(document.content.expose())));
    texts
}

#[test]
fn what_a_reduction_cuts_out_is_in_no_format() {
    let mut looked_at = 0;
    for kind in MessageType::ALL {
        for class in DataClass::ALL {
            let keep = DataClass::ALL.into_iter().filter(|kept| *kept != class).collect();
            let whole = with_everything(kind);
            let (reduced, _) = with_everything(kind).reduced_to(&keep);
            let left = texts(&reduced);
            // What still stands elsewhere proves nothing, nor does a code that is a word of a format.
            let stands = |text: &str| left.iter().any(|left| left.contains(text));
            let cut: Vec<String> = texts(&whole)
                .into_iter()
                .filter(|text| {
                    text.starts_with("Zq") || text.contains(|c: char| c.is_ascii_digit())
                })
                .filter(|text| text.len() > 4 && !stands(text))
                .collect();
            for format in FORMATS {
                let (Some(before), Some(after)) =
                    (readable(format, &whole), readable(format, &reduced))
                else {
                    continue;
                };
                for text in &cut {
                    looked_at += usize::from(before.contains(text.as_str()));
                    assert!(!after.contains(text.as_str()), "{kind} without {class}, {format:?}");
                }
            }
        }
    }
    assert!(looked_at > 1_000, "only {looked_at} texts were there to be cut");
}

#[test]
fn each_name_of_a_class_that_is_not_kept_is_gone_from_every_format() {
    let catalogue = Catalogue::built_in();
    let (mut types, mut looked_at) = (0, 0);
    for kind in MessageType::ALL {
        let Some(content) = catalogue.content(kind) else { continue };
        types += 1;
        let whole = FORMATS.map(|format| readable(format, &with_everything(kind)));
        for class in DataClass::ALL {
            let keep = DataClass::ALL.into_iter().filter(|kept| *kept != class).collect();
            let (reduced, dropped) = with_everything(kind).reduced_to(&keep);
            let of_class = content.may.iter().filter_map(|name| catalogue.field(name));
            let of_class: Vec<_> = of_class
                .filter(|field| field.class == Some(class))
                .map(Field::of_content)
                .collect();
            assert!(of_class.is_empty() || dropped.contains(&class), "{kind}: {class}");
            for (format, before) in FORMATS.into_iter().zip(&whole) {
                let (Some(before), Some(said)) = (before, readable(format, &reduced)) else {
                    continue;
                };
                for field in &of_class {
                    looked_at += usize::from(before.contains(&canary(*field)));
                    assert!(!said.contains(&canary(*field)), "{kind} without {class}: {field}");
                }
            }
        }
    }
    assert!(types >= 40, "only {types} types have content of their own");
    assert!(looked_at > 300, "only {looked_at} names were there to be cut");
}

#[test]
fn every_text_that_a_type_can_hold_is_in_every_format_that_has_a_form_for_it() {
    let (mut looked_at, mut without) = (0, 0);
    for kind in MessageType::ALL {
        let whole = with_everything(kind);
        for format in FORMATS {
            let Some(said) = readable(format, &whole) else {
                assert_eq!(format, Format::Hl7, "{kind}");
                assert!(whole.message().subject.is_none(), "{kind}");
                without += 1;
                continue;
            };
            for field in Field::every() {
                let text = canary(field);
                let held = texts(&whole).contains(&text);
                looked_at += usize::from(held);
                assert!(!held || said.contains(&text), "{kind}, {format:?}: {field} is lost");
            }
        }
    }
    assert_eq!(without, 3, "types about nobody, which have no form in HL7");
    assert!(looked_at > 1_000, "only {looked_at} texts were there to be lost");
}
