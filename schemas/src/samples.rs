//! For tests: the synthetic examples of `record/examples`, as JSON and as drafts.

use serde_json::Value;

use crate::{Draft, Field, MessageType, Place};

/// The day on which the examples are checked.
pub(crate) const TODAY: jiff::civil::Date = jiff::civil::date(2026, 2, 10);

/// The example of a type, as it stands in its file.
pub(crate) fn text(kind: MessageType) -> String {
    let file = format!("{}/record/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).expect("every type has an example")
}

/// The example of a type.
pub(crate) fn json(kind: MessageType) -> Value {
    serde_json::from_str(&text(kind)).expect("an example is JSON")
}

/// The example of a type as a reader would draft it; each value on a line of its own, from 2.
pub(crate) fn draft(kind: MessageType) -> Draft {
    let mut draft = Draft { place: Place::Row { line: 1 }, ..Draft::default() };
    fill(&mut draft, "", &json(kind));
    draft
}

/// The draft with one field's values replaced, at line 99.
pub(crate) fn with(mut draft: Draft, field: Field, values: &[&str]) -> Draft {
    draft.fields.retain(|(other, _)| *other != field);
    for value in values {
        draft.set(field, *value, Place::Cell { line: 99, column: 7 });
    }
    draft
}

fn fill(draft: &mut Draft, path: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fill(draft, &path, member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fill(draft, path, item)),
        Value::String(text) => set(draft, path, text),
        Value::Number(number) => set(draft, path, &number.to_string()),
        Value::Bool(flag) => set(draft, path, &flag.to_string()),
        Value::Null => {}
    }
}

fn set(draft: &mut Draft, path: &str, text: &str) {
    let field = Field::from_path(path).unwrap_or_else(|| panic!("{path} is a field"));
    let line = u64::try_from(draft.fields.len()).expect("small") + 2;
    draft.set(field, text, Place::Cell { line, column: 1 });
}
