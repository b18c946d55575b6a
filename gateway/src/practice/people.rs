//! Made-up children and made-up messages about them, for the demo, the benchmark and the tests.
//!
//! NHS numbers are from the range 999 000 0000 to 999 999 9999, which is never issued, and pass
//! their check digit. Names are plainly invented.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

/// A made-up child or young person.
#[derive(Debug, Clone)]
pub struct Child {
    /// From the range reserved for tests.
    pub nhs_number: String,
    /// In the practice authority's case system.
    pub la_person_id: String,
    /// Plainly invented.
    pub family_name: String,
    /// Plainly invented.
    pub given_names: String,
    /// Between 2014 and 2019.
    pub date_of_birth: Date,
    /// In a postcode area that does not exist.
    pub postcode: String,
}

/// The `number`th made-up child: always the same one.
pub fn child(number: u32) -> Child {
    let family = ["Brook", "Fenn", "Hollow", "Larch", "Moor", "Quill", "Rook", "Thorn"];
    let given = ["Avery", "Blake", "Casey", "Devon", "Ellis", "Frankie", "Greer", "Harper"];
    let pick = |names: [&str; 8], n: u32| {
        let index = usize::try_from(n % 8).unwrap_or(0);
        names.get(index).copied().unwrap_or_default().to_owned()
    };
    let month = i8::try_from(number % 12).unwrap_or(0) + 1;
    let day = i8::try_from(number % 28).unwrap_or(0) + 1;
    let year = 2014 + i16::try_from(number % 6).unwrap_or(0);
    Child {
        nhs_number: nhs_number(number),
        la_person_id: format!("{}", 700_000 + number),
        family_name: format!("{}-Practice", pick(family, number)),
        given_names: pick(given, number / 8 + number),
        date_of_birth: date(year, month, day),
        postcode: format!("ZE{} {}ZZ", 10 + number % 89, number % 9 + 1),
    }
}

/// The `number`th NHS number of the test range that passes its check digit.
pub fn nhs_number(number: u32) -> String {
    let mut found = 0;
    let mut serial = 0u32;
    loop {
        let nine = format!("999{serial:06}");
        serial += 1;
        let sum: u32 = nine
            .chars()
            .filter_map(|digit| digit.to_digit(10))
            .zip((2..=10).rev())
            .map(|(digit, weight)| digit * weight)
            .sum();
        let check = match 11 - sum % 11 {
            11 => 0,
            10 => continue,
            other => other,
        };
        // 999 000 0000 would need a zero serial; start at the first that reads as a number.
        if serial == 1 {
            continue;
        }
        if found == number {
            return format!("{nine}{check}");
        }
        found += 1;
    }
}

/// One row of a practice extract.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which child.
    pub child: Child,
    /// The authority's reference of the request.
    pub reference: String,
    /// The services asked, by code.
    pub services: &'static str,
    /// `GIVEN`, `REFUSED`, or `NULL`.
    pub consent: &'static str,
}

impl Row {
    /// A row for the `number`th child, with consent given.
    pub fn new(number: u32, services: &'static str) -> Self {
        Self {
            child: child(number),
            reference: format!("AR-{:05}", 100 + number),
            services,
            consent: "GIVEN",
        }
    }
}

/// A Liquidlogic-style extract: warehouse headers, dd/mm/yyyy with midnight times, a byte order
/// mark, `NULL` as text and `-1` for none.
pub fn extract(rows: &[Row], on: Date) -> String {
    let mut text = String::from(
        "\u{feff}DIM_PERSON_ID,NHS_NUMBER,UPN,FORENAME,SURNAME,BIRTH_DTTM,GENDER_MAIN_CODE,POSTCODE,SCHOOL_NAME,EHCP_EPISODE_ID,ADVICE_REQUEST_ID,REQUEST_DTTM,ADVICE_REQUEST_DTTM,SERVICES_REQUESTED,QUESTIONS,YEAR_9_FLAG,PARENT_REQUESTED_FLAG,WORKER_ID,WORKER_ROLE,CONSENT_CODE,CONSENT_DTTM,CONSENT_GIVEN_BY_CODE,CONSENT_EXCLUSIONS,CONSENT_REF\r\n",
    );
    let day = |date: Date| format!("{} 00:00:00", date.strftime("%d/%m/%Y"));
    for row in rows {
        let child = &row.child;
        let given = row.consent != "NULL";
        let cells = [
            child.la_person_id.clone(),
            child.nhs_number.clone(),
            "NULL".to_owned(),
            child.given_names.clone(),
            child.family_name.clone(),
            day(child.date_of_birth),
            "F".to_owned(),
            child.postcode.clone(),
            "Practice Primary School".to_owned(),
            format!("EHC-{}", row.reference),
            row.reference.clone(),
            day(on),
            day(on),
            row.services.to_owned(),
            "\"What does the service know, and what would help at school?\"".to_owned(),
            "N".to_owned(),
            "N".to_owned(),
            "worker-17".to_owned(),
            "SEND officer".to_owned(),
            row.consent.to_owned(),
            if given { day(on) } else { "NULL".to_owned() },
            if given { "PARENT".to_owned() } else { "NULL".to_owned() },
            "-1".to_owned(),
            "NULL".to_owned(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A person as the canonical message names one.
pub fn subject(child: &Child) -> Value {
    json!({
        "nhs_number": child.nhs_number,
        "la_person_id": child.la_person_id,
        "family_name": child.family_name,
        "given_names": child.given_names,
        "date_of_birth": child.date_of_birth.to_string(),
    })
}

/// A canonical request for advice.
pub fn request(sender: &str, id: &str, child: &Child, services: &[&str], on: Date) -> Value {
    json!({
        "type": "advice.request",
        "id": id,
        "sender": sender,
        "case": format!("EHC-{id}"),
        "acting": { "user": "worker-17", "role": "SEND officer" },
        "subject": subject(child),
        "request": { "requested_on": on.to_string(), "services": services },
    })
}

/// A canonical withdrawal of agreement to share.
pub fn withdrawal(sender: &str, id: &str, child: &Child, on: Date) -> Value {
    json!({
        "type": "consent.withdraw",
        "id": id,
        "sender": sender,
        "acting": { "user": "worker-17", "role": "SEND officer" },
        "subject": subject(child),
        "consent": { "given_by": "parent", "date": on.to_string() },
    })
}

/// Canonical advice on one leg, with a document.
pub fn advice(sender: &str, id: &str, leg: &str, child: &Child, on: Date) -> Value {
    json!({
        "type": "advice.response",
        "id": id,
        "sender": sender,
        "leg": leg,
        "acting": { "user": "clinician-4", "role": "Therapist" },
        "subject": subject(child),
        "advice": {
            "author_name": "Sam Practice-Clinician",
            "author_profession": "Speech and language therapist",
            "date": on.to_string(),
            "basis": "assessment",
            "summary": "Made-up advice for practice.",
            "health_needs": ["A made-up need"],
            "outcomes": ["A made-up outcome"],
            "health_provision": ["Made-up provision, weekly for one term"],
        },
        "attachments": [{
            "name": "advice.pdf",
            "media_type": "application/pdf",
            "content_base64": STANDARD.encode(pdf()),
        }],
    })
}

/// A canonical nil return on one leg.
pub fn nil(sender: &str, id: &str, leg: &str, child: &Child) -> Value {
    json!({
        "type": "advice.nil", "id": id, "sender": sender, "leg": leg,
        "subject": subject(child), "nil": { "reason": "not-known" },
    })
}

/// A canonical regulation 8(2) exception on one leg.
pub fn exception(sender: &str, id: &str, leg: &str, child: &Child, from: Date, to: Date) -> Value {
    json!({
        "type": "advice.exception", "id": id, "sender": sender, "leg": leg,
        "subject": subject(child),
        "exception": {
            "limb": "c",
            "evidence": "The appointment offered was not kept.",
            "from": from.to_string(),
            "expected_on": to.to_string(),
        },
    })
}

/// FHIR R4 advice: a message Bundle with Task, Patient and a DocumentReference that holds a PDF.
pub fn advice_fhir(sender: &str, id: &str, leg: &str, child: &Child, on: Date) -> Value {
    let entry = |uuid: &str, resource: Value| json!({ "fullUrl": format!("urn:uuid:{uuid}"), "resource": resource });
    let of = |uuid: &str| json!({ "reference": format!("urn:uuid:{uuid}") });
    let header = message_uuid(id);
    let [task, patient, document, author] = FHIR_IDS;
    json!({
        "resourceType": "Bundle",
        "id": id,
        "type": "message",
        "identifier": { "system": "urn:ehc-gateway:message-id", "value": id },
        "timestamp": format!("{on}T10:00:00Z"),
        "entry": [
            entry(&header, json!({
                "resourceType": "MessageHeader",
                "id": header,
                "eventCoding": { "system": "urn:ehc-gateway:message-event", "code": "advice.response" },
                "source": { "endpoint": format!("urn:ehc-gateway:organisation:{sender}") },
                "focus": [of(task), of(document)],
            })),
            entry(task, json!({
                "resourceType": "Task",
                "identifier": [{ "system": "urn:ehc-gateway:leg", "value": leg }],
                "status": "completed",
                "intent": "order",
                "for": of(patient),
                "output": [{ "type": { "text": "advice" }, "valueReference": of(document) }],
            })),
            entry(patient, json!({
                "resourceType": "Patient",
                "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": child.nhs_number }],
                "name": [{ "use": "official", "family": child.family_name, "given": [child.given_names] }],
                "birthDate": child.date_of_birth.to_string(),
            })),
            entry(document, json!({
                "resourceType": "DocumentReference",
                "status": "current",
                "docStatus": "final",
                "type": { "text": "Advice for an EHC needs assessment" },
                "subject": of(patient),
                "date": format!("{on}T09:30:00Z"),
                "author": [of(author)],
                "description": "Made-up advice for practice.",
                "content": [{ "attachment": {
                    "contentType": "application/pdf",
                    "title": "advice.pdf",
                    "data": STANDARD.encode(pdf()),
                } }],
            })),
            entry(author, json!({
                "resourceType": "Practitioner",
                "name": [{ "family": "Practice-Paediatrician", "given": ["Jo"] }],
                "qualification": [{ "code": { "text": "Community paediatrician" } }],
            })),
        ],
    })
}

/// The business level of a FHIR acknowledgement: a response message that says that the message
/// with the header id `about` is in the sender's own system.
pub fn acknowledgement_fhir(sender: &str, la: &str, id: &str, about: &str) -> Value {
    let header = message_uuid(id);
    json!({
        "resourceType": "Bundle",
        "id": id,
        "type": "message",
        "identifier": { "system": "urn:ehc-gateway:message-id", "value": id },
        "entry": [{ "fullUrl": format!("urn:uuid:{header}"), "resource": {
            "resourceType": "MessageHeader",
            "id": header,
            "eventCoding": { "system": "urn:ehc-gateway:message-event", "code": "ack.business" },
            "source": { "endpoint": format!("urn:ehc-gateway:organisation:{sender}") },
            "destination": [{ "endpoint": format!("urn:ehc-gateway:organisation:{la}") }],
            "response": { "identifier": about, "code": "ok" },
        } }],
    })
}

/// Advice as a Kettering letter, the way a document system sends it by MESH: a PDF in base64 under
/// a mark that says HTML, and nowhere to put the leg's id.
pub fn advice_kettering(sender: &str, id: &str, child: &Child, on: Date) -> String {
    let day = on.strftime("%Y%m%d");
    let born = child.date_of_birth.strftime("%Y%m%d");
    let document = STANDARD.encode(pdf());
    let (nhs, family, given) = (&child.nhs_number, &child.family_name, &child.given_names);
    format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
         <!DOCTYPE ReportMsg SYSTEM \"ReportMsg_EDT_03.dtd\">\n\
         <ReportMsg MsgStatus=\"Live\" MsgUrgency=\"Normal\">\n\
         <MsgId>{id}</MsgId><MsgIssueDate>{day}0930</MsgIssueDate>\n\
         <ServiceRequester><IdValue>2</IdValue></ServiceRequester>\
         <ServiceProvider><IdValue>1</IdValue></ServiceProvider>\n\
         <Parties><Party AgentId=\"1\"><OrgCode IdType=\"Provider\">{sender}</OrgCode>\
         <OrgName>Practice Acute NHS Trust</OrgName><HcpName>Dr Jo Practice-Paediatrician</HcpName>\
         <DepartmentName>Community paediatrics</DepartmentName></Party></Parties>\n\
         <PatientMatchingInfo><PatientId><Id><IdType>Nhs</IdType><IdValue>{nhs}</IdValue></Id></PatientId>\
         <PersonName_s><PersonNameType>CU</PersonNameType><StructPersonName><FamilyName>{family}</FamilyName>\
         <GivenName>{given}</GivenName></StructPersonName></PersonName_s>\
         <BirthDate>{born}</BirthDate></PatientMatchingInfo>\n\
         <ClinicalReport><ReportID>{id}</ReportID><ReportType>Letter</ReportType>\
         <EventDate>{day}</EventDate><DocCreationDate>{day}</DocCreationDate>\n\
         <TextItem><TextMarkupIndicator>HTML</TextMarkupIndicator><TextBlock>{document}</TextBlock></TextItem>\
         </ClinicalReport>\n</ReportMsg>\n"
    )
}

/// Advice as a CDA document, the way ITK 2 carries one: the person, who wrote it, and a PDF.
pub fn advice_cda(id: &str, child: &Child, on: Date) -> String {
    let day = on.strftime("%Y%m%d");
    let born = child.date_of_birth.strftime("%Y%m%d");
    let document = STANDARD.encode(pdf());
    let (nhs, family, given) = (&child.nhs_number, &child.family_name, &child.given_names);
    let root = message_uuid(id);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"{root}\"/>\
         <title>Clinic letter</title><effectiveTime value=\"{day}\"/>\n\
         <recordTarget><patientRole><id root=\"2.16.840.1.113883.2.1.4.1\" extension=\"{nhs}\"/>\
         <patient><name><given>{given}</given><family>{family}</family></name>\
         <birthTime value=\"{born}\"/></patient></patientRole></recordTarget>\n\
         <author><assignedAuthor><assignedPerson><name><given>Jo</given>\
         <family>Practice-Paediatrician</family></name></assignedPerson></assignedAuthor></author>\n\
         <component><nonXMLBody><text representation=\"B64\" mediaType=\"application/pdf\">{document}\
         </text></nonXMLBody></component></ClinicalDocument>\n"
    )
}

/// The id of a made-up message's header: the same for the same message, and for no other.
fn message_uuid(id: &str) -> String {
    let digits = crate::entropy::sha256_hex(id.as_bytes());
    let tail: String = digits.chars().take(12).collect();
    format!("0b9f6f9e-6d0c-4f8e-9f53-{tail}")
}

/// A one-page PDF with nothing on it but a line that says what it is.
pub fn pdf() -> Vec<u8> {
    let content = "BT /F1 18 Tf 72 720 Td (Practice advice. Nobody real.) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        let row = format!("{:010} 00000 n \n", file.len());
        table.push_str(&row);
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).into_bytes());
    }
    let start = file.len();
    let size = objects.len() + 1;
    file.extend(table.into_bytes());
    file.extend(
        format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n")
            .into_bytes(),
    );
    file
}

const FHIR_IDS: [&str; 4] = [
    "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7e0002",
    "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7e0003",
    "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7e0004",
    "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7e0005",
];
