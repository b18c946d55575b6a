//! A record as MDM^T02, version 2.5: a document with its content.
//!
//! The person stands in PID, the document in TXA, and what the message says in OBX rows: words as
//! TX (FT where they have several lines), each named in our own coding system and with a label
//! that any viewer shows, and documents as ED. The control id is derived from the delivery, so
//! that a repeated attempt bears the same one; it says nothing of anybody.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemas::catalogue::Catalogue;
use schemas::record::{Sex, Subject};
use schemas::{Body, Field, MessageType, Record};
use serde_json::Value;
use uuid::Uuid;

use super::escapes::escape;
use super::{OURS, is_carried};
use crate::{Format, Outbound, WriteError};

/// Writes the message.
pub(super) fn message(record: &Record, outbound: &Outbound) -> Result<Vec<u8>, WriteError> {
    let message = record.message();
    let Some(subject) = &message.subject else {
        return Err(WriteError::NoForm { format: Format::Hl7, kind: message.kind });
    };
    let mut lines = vec![
        header(record, outbound),
        format!("EVN|T02|{}", time(outbound.received_at)),
        person(subject, message.sender.as_str()),
        // Table 0004, N: the document belongs to no visit.
        "PV1|1|N".to_owned(),
        document(record, outbound),
    ];
    rows(record, outbound, &mut lines)?;
    let mut text = lines.join("\r");
    text.push('\r');
    Ok(text.into_bytes())
}

fn header(record: &Record, outbound: &Outbound) -> String {
    format!(
        "MSH|^~\\&|{APPLICATION}|{}||{}|{}||MDM^T02^MDM_T02|{}|P|2.5||||||UNICODE UTF-8",
        record.message().sender,
        outbound.recipient,
        time(outbound.sent_at),
        control_id(outbound.delivery),
    )
}

/// MSH-10: twenty characters (its length in 2.5) that are the end of the delivery's id.
pub(super) fn control_id(delivery: Uuid) -> String {
    let mut rest = delivery.as_u128();
    let mut characters = Vec::with_capacity(CONTROL_ID_CHARS);
    for _ in 0..CONTROL_ID_CHARS {
        let digit = u8::try_from(rest % 32).unwrap_or(0);
        characters.push(char::from(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 }));
        rest /= 32;
    }
    characters.into_iter().rev().collect()
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S+0000").to_string()
}

fn person(subject: &Subject, authority: &str) -> String {
    let mut ids = Vec::new();
    if let Some(number) = &subject.nhs_number {
        ids.push(format!("{}^^^NHS^NH", number.expose()));
    }
    if let Some(id) = &subject.la_person_id {
        ids.push(format!("{}^^^{authority}^PI", escape(id.expose())));
    }
    let sex = subject.sex.map_or("", |sex| match sex {
        Sex::Female => "F",
        Sex::Male => "M",
        Sex::Other => "O",
        Sex::Unknown => "U",
    });
    let text = |text: &Option<schemas::PersonalText>| {
        text.as_ref().map(|text| escape(text.expose())).unwrap_or_default()
    };
    let (address, postcode) = (text(&subject.address), text(&subject.postcode));
    let home = match (address.as_str(), postcode.as_str()) {
        ("", "") => String::new(),
        _ => format!("{address}^^^^{postcode}^^H"),
    };
    format!(
        "PID|1||{}||{}^{}^^^^^L||{}|{sex}|||{home}",
        ids.join("~"),
        escape(subject.family_name.expose()),
        escape(subject.given_names.expose()),
        subject.date_of_birth.strftime("%Y%m%d"),
    )
}

fn document(record: &Record, outbound: &Outbound) -> String {
    let message = record.message();
    let kind = super::document_type(message.kind);
    let leg = outbound.leg.or(message.leg).map(|leg| format!("{leg}^{APPLICATION}"));
    let (author, written) = match &message.body {
        Body::Advice(advice) => {
            let author = format!("^{}", escape(advice.author_name.expose()));
            (author, advice.date.strftime("%Y%m%d").to_string())
        }
        Body::Request(request) => {
            (String::new(), request.requested_on.strftime("%Y%m%d").to_string())
        }
        Body::Triage(_)
        | Body::Nil(_)
        | Body::Exception(_)
        | Body::Transition(_)
        | Body::Notice(_)
        | Body::Decision(_)
        | Body::Particulars(_) => (String::new(), time(outbound.received_at)),
    };
    let file = record.attachments().first().map(|file| escape(file.name.expose()));
    // TXA-17 AU: what the gateway passes on was checked and released.
    format!(
        "TXA|1|{kind}|TX|||{written}|||{author}|||{}^{APPLICATION}||{}||{}|AU||AV",
        outbound.delivery,
        leg.unwrap_or_default(),
        file.unwrap_or_default(),
    )
}

/// One row for every field that no segment has a place for, then the documents.
fn rows(record: &Record, outbound: &Outbound, lines: &mut Vec<String>) -> Result<(), WriteError> {
    let message = record.message();
    let canonical: Value =
        serde_json::from_slice(&record.expose_json()).or(Err(WriteError::Failed))?;
    let mut rows: Vec<(String, String, String)> = vec![
        ("reference".to_owned(), "Reference".to_owned(), message.id.expose().to_owned()),
        ("title".to_owned(), "Document".to_owned(), title(message.kind).to_owned()),
        ("from".to_owned(), "From".to_owned(), outbound.sender_name.clone()),
    ];
    if let Some(due_on) = outbound.due_on.filter(|_| message.kind == MessageType::AdviceRequest) {
        rows.push(("due_on".to_owned(), "Answer due by".to_owned(), due_on.to_string()));
    }
    for field in Field::every().filter(|field| is_carried(*field)) {
        // A service is told what is asked of itself, not who else is asked.
        if let (Field::SERVICES, Some(service)) = (field, &outbound.service) {
            rows.push((field.path().to_owned(), label(field), service.to_string()));
            continue;
        }
        for text in texts(&canonical, field) {
            rows.push((field.path().to_owned(), label(field), text));
        }
    }
    let first = lines.len();
    let number = |lines: &Vec<String>| lines.len() + 1 - first;
    for (code, label, text) in rows {
        let kind = if text.contains('\n') { "FT" } else { "TX" };
        let text = escape(&text);
        lines.push(format!("OBX|{}|{kind}|{code}^{label}^{OURS}||{text}||||||F", number(lines)));
    }
    for (file, index) in record.attachments().iter().zip(1_usize..) {
        let (kind, subtype) = file.media_type.split_once('/').unwrap_or(("application", ""));
        let data = STANDARD.encode(file.content.expose());
        let name = escape(file.name.expose());
        lines.push(format!(
            "OBX|{}|ED|document-{index}^{name}^{OURS}|{index}|^{kind}^{subtype}^Base64^{data}||||||F",
            number(lines),
        ));
    }
    Ok(())
}

/// What the canonical message says under a path.
fn texts(canonical: &Value, field: Field) -> Vec<String> {
    let mut value = canonical;
    for name in field.path().split('.') {
        match value.get(name) {
            Some(member) => value = member,
            None => return Vec::new(),
        }
    }
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(values) => values.iter().filter_map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            text(value).into_iter().collect()
        }
    }
}

/// A field's name for people: the last part of its path.
fn label(field: Field) -> String {
    let name = field.path().rsplit('.').next().unwrap_or_default().replace('_', " ");
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others have the title of the catalogue")]
fn title(kind: MessageType) -> &'static str {
    match kind {
        MessageType::AdviceRequest => "Request for advice for an EHC needs assessment",
        MessageType::AdviceAccepted => "Request for advice taken on",
        MessageType::AdviceRejected => "Request for advice rejected",
        MessageType::AdviceRedirected => "Request for advice redirected",
        MessageType::AdviceResponse => "Advice for an EHC needs assessment",
        MessageType::AdviceNil => "Nothing to advise",
        MessageType::AdviceException => "Advice is late with lawful reason",
        MessageType::ConsentGrant => "Agreement to share given",
        MessageType::ConsentWithdraw => "Agreement to share withdrawn",
        MessageType::TransitionHealthPlan => "Health plan for the move to adult services",
        MessageType::Acknowledgement => "Acknowledgement",
        MessageType::Error => "Error",
        // The catalogue's own title; its words are for people too.
        _ => Catalogue::built_in().find(kind.as_str()).map_or("Message", |entry| &entry.title),
    }
}

/// What we call ourselves in MSH-3, and as the issuer of numbers.
const APPLICATION: &str = "EHC-GATEWAY";
const CONTROL_ID_CHARS: usize = 20;
