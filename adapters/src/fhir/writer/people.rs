//! The person, the organisations and the people behind a message.

use schemas::record::{Acting, Advice, Subject};
use serde_json::{Value, json};

use super::super::systems;
use super::{Part, Parts, identifier, organisation, put, put_list, put_some, resource};

/// The person, both organisations, and whoever acted.
pub(super) fn write(parts: &mut Parts<'_>) {
    let message = parts.record.message();
    if let Some(subject) = &message.subject {
        parts.push(Part::Patient, patient(subject));
    }
    let outbound = parts.outbound;
    for (part, code, name) in [
        (Part::Sender, &message.sender, &outbound.sender_name),
        (Part::Recipient, &outbound.recipient, &outbound.recipient_name),
    ] {
        let mut members = resource("Organization");
        put(&mut members, "identifier", json!([organisation(code.as_str())]));
        put(&mut members, "name", json!(name));
        parts.push(part, Value::Object(members));
    }
    if let Some(acting) = &message.acting {
        parts.push(Part::Enterer, enterer(acting));
    }
}

fn patient(subject: &Subject) -> Value {
    let mut members = resource("Patient");
    let mut identifiers = Vec::new();
    if let Some(number) = &subject.nhs_number {
        identifiers.push(identifier(systems::NHS_NUMBER, number.expose()));
    }
    if let Some(id) = &subject.la_person_id {
        identifiers.push(identifier(systems::LA_PERSON, id.expose()));
    }
    if let Some(upn) = &subject.upn {
        identifiers.push(identifier(systems::UPN, upn.expose()));
    }
    put_list(&mut members, "identifier", identifiers);
    let name = json!([{
        "use": "official",
        "family": subject.family_name.expose(),
        "given": [subject.given_names.expose()],
    }]);
    put(&mut members, "name", name);
    put_some(&mut members, "gender", subject.sex.map(|sex| json!(sex)));
    put(&mut members, "birthDate", json!(subject.date_of_birth.to_string()));
    if subject.address.is_some() || subject.postcode.is_some() {
        let mut address = serde_json::Map::new();
        put(&mut address, "use", json!("home"));
        put_some(&mut address, "text", subject.address.as_ref().map(|text| json!(text.expose())));
        let postcode = subject.postcode.as_ref().map(|text| json!(text.expose()));
        put_some(&mut address, "postalCode", postcode);
        put(&mut members, "address", json!([address]));
    }
    if let Some(school) = &subject.school {
        let extension = json!([{"url": systems::EXTENSION_SCHOOL, "valueString": school.expose()}]);
        put(&mut members, "extension", extension);
    }
    Value::Object(members)
}

fn enterer(acting: &Acting) -> Value {
    let mut members = resource("PractitionerRole");
    put(&mut members, "identifier", json!([identifier(systems::USER, acting.user.expose())]));
    let role = acting.role.as_ref().map(|role| json!([{"text": role.expose()}]));
    put_some(&mut members, "code", role);
    Value::Object(members)
}

/// The author of advice, with profession.
pub(super) fn author(parts: &mut Parts<'_>, advice: &Advice) {
    let mut person = resource("Practitioner");
    if let Some(number) = &advice.author_registration {
        let number = identifier(systems::REGISTRATION, number.expose());
        put(&mut person, "identifier", json!([number]));
    }
    put(&mut person, "name", json!([{"text": advice.author_name.expose()}]));
    parts.push(Part::Author, Value::Object(person));
    let mut role = resource("PractitionerRole");
    put(&mut role, "practitioner", parts.reference(Part::Author));
    put(&mut role, "organization", parts.reference(Part::Sender));
    put(&mut role, "code", json!([{"text": advice.author_profession.expose()}]));
    parts.push(Part::AuthorRole, Value::Object(role));
}
