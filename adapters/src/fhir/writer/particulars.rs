//! What the types of the catalogue say by name: a `Task` for an answer to a leg, a `Communication`
//! for everything else.

use schemas::PersonalText;
use schemas::catalogue::{Catalogue, ValueKind};
use schemas::record::{Particular, Particulars};
use serde_json::{Value, json};

use super::super::systems;
use super::answer::{detail, task};
use super::{Part, Parts, concept, identifier, put, put_list, resource};

/// An answer to a leg: its Task, with what it says as outputs.
pub(super) fn answer(parts: &mut Parts<'_>, particulars: &Particulars) -> Part {
    let outputs = each(particulars, |name, kind, value| match (kind, value) {
        (_, Said::Flag(flag)) => detail(name, "valueBoolean", json!(flag)),
        (ValueKind::Date, Said::Text(text)) => detail(name, "valueDate", json!(text)),
        (ValueKind::Code, Said::Text(text)) => detail(name, "valueCode", json!(text)),
        (
            ValueKind::Flag
            | ValueKind::Number
            | ValueKind::Line
            | ValueKind::Text
            | ValueKind::Texts
            | ValueKind::Organisation
            | ValueKind::Reference
            | ValueKind::NhsNumber,
            Said::Text(text),
        ) => detail(name, "valueString", json!(text)),
    });
    let task = task(parts, "output", outputs);
    parts.push(Part::Task, Value::Object(task));
    Part::Task
}

/// Everything else: what was said, to whom, about whom.
pub(super) fn communication(parts: &mut Parts<'_>, particulars: &Particulars) -> Part {
    let (message, outbound) = (parts.record.message(), parts.outbound);
    let mut members = resource("Communication");
    if let Some(case) = &message.case {
        put(&mut members, "identifier", json!([identifier(systems::CASE, case.expose())]));
    }
    if let Some(leg) = outbound.leg.or(message.leg) {
        let leg = json!([{"identifier": identifier(systems::LEG, &leg.to_string())}]);
        put(&mut members, "basedOn", leg);
    }
    put(&mut members, "status", json!("completed"));
    put(&mut members, "category", json!([concept(systems::EVENT, message.kind.as_str())]));
    if parts.has_subject() {
        put(&mut members, "subject", parts.reference(Part::Patient));
    }
    let entry = Catalogue::built_in().find(message.kind.as_str());
    put(&mut members, "topic", json!({"text": entry.map_or("Message", |entry| &entry.title)}));
    put(&mut members, "sent", json!(outbound.sent_at.to_string()));
    put(&mut members, "recipient", json!([parts.reference(Part::Recipient)]));
    put(&mut members, "sender", parts.reference(Part::Sender));
    let payloads = each(particulars, |name, _, value| {
        let text = match value {
            Said::Flag(flag) => flag.to_string(),
            Said::Text(text) => text.to_owned(),
        };
        let code = concept(systems::DETAIL, name);
        let named = json!([{"url": systems::EXTENSION_DETAIL, "valueCodeableConcept": code}]);
        json!({"extension": named, "contentString": text})
    });
    put_list(&mut members, "payload", payloads);
    parts.push(Part::Communication, Value::Object(members));
    Part::Communication
}

/// One value.
enum Said<'a> {
    Flag(bool),
    Text(&'a str),
}

/// Every value by its name and kind, a list as several, in the order of names.
fn each(
    particulars: &Particulars,
    write: impl Fn(&str, ValueKind, Said<'_>) -> Value,
) -> Vec<Value> {
    let mut written = Vec::new();
    for (name, value) in particulars.iter() {
        let kind = Catalogue::built_in().field(name).map_or(ValueKind::Text, |field| field.kind);
        let mut one = |said| written.push(write(name, kind, said));
        match value {
            Particular::Flag(flag) => one(Said::Flag(*flag)),
            Particular::Text(text) => one(Said::Text(text.expose())),
            Particular::Texts(texts) => {
                texts.iter().map(PersonalText::expose).for_each(|text| one(Said::Text(text)));
            }
        }
    }
    written
}
