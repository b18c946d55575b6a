//! FHIR Consent, both ways: agreement with its bounds comes in, a release rests on it within them and
//! not beyond, and a recipient that reads FHIR is told it as a Consent.

use gateway::practice::client::Partner;
use gateway::practice::people::{self, Child};
use jiff::{SignedDuration, ToSpan};
use serde_json::{Value, json};
use tests::{TestGateway, each_engine, peers};

const FHIR: &str = "application/fhir+json; fhirVersion=4.0";
const HEADER: &str = "0197f0cc-0000-7000-8000-00000000a000";
const CONSENT: &str = "0197f0cc-0000-7000-8000-00000000a001";
const PATIENT: &str = "0197f0cc-0000-7000-8000-00000000a002";
const PARENT: &str = "0197f0cc-0000-7000-8000-00000000a003";

fn of(id: &str) -> Value {
    json!({ "reference": format!("urn:uuid:{id}") })
}

fn organisation(code: &str) -> Value {
    let system = "https://fhir.nhs.uk/Id/ods-organization-code";
    json!({ "role": { "text": "recipient" },
        "reference": { "identifier": { "system": system, "value": code } } })
}

/// Agreement by a parent to what helps with the move to adulthood: for one recipient, two classes of
/// data, until a day; and never to the community trust.
fn grant(
    from: &Partner,
    to: &str,
    child: &Child,
    (on, until): (&str, &str),
    covers: &str,
) -> Value {
    let class = |code: &str| json!({ "system": "urn:ehc-gateway:data-class", "code": code });
    let entry = |id: &str, resource: Value| json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": resource });
    let code = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
    let terminology = "http://terminology.hl7.org/CodeSystem";
    json!({
        "resourceType": "Bundle", "type": "message",
        "identifier": { "system": "urn:ehc-gateway:message-id", "value": format!("FC-{to}") },
        "timestamp": format!("{on}T10:00:00Z"),
        "entry": [
            entry(HEADER, json!({
                "resourceType": "MessageHeader", "id": HEADER,
                "eventCoding": { "system": "urn:ehc-gateway:message-event", "code": "consent.grant" },
                "source": { "endpoint": format!("urn:ehc-gateway:organisation:{}", from.code) },
                "destination": [{ "endpoint": format!("urn:ehc-gateway:organisation:{to}") }],
                "focus": [of(CONSENT)],
            })),
            entry(CONSENT, json!({
                "resourceType": "Consent", "status": "active",
                "scope": code(&format!("{terminology}/consentscope"), "patient-privacy"),
                "category": [code(&format!("{terminology}/v3-ActCode"), "INFA")],
                "patient": of(PATIENT), "dateTime": on, "performer": [of(PARENT)],
                "policyRule": { "text": "As agreed" },
                "identifier": [{ "system": "urn:ehc-gateway:consent-reference", "value": "FORM-7" }],
                "provision": {
                    "period": { "end": until },
                    "purpose": [{ "system": "urn:ehc-gateway:purpose", "code": "transition-to-adulthood" }],
                    "provision": [
                        { "type": "permit", "actor": [organisation(covers)],
                          "class": [class("identity"), class("health"), class("consent")] },
                        { "type": "deny", "actor": [organisation("RYW")] },
                    ],
                },
            })),
            entry(PATIENT, json!({
                "resourceType": "Patient",
                "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": child.nhs_number }],
                "name": [{ "use": "official", "family": child.family_name, "given": [child.given_names] }],
                "birthDate": child.date_of_birth.to_string(),
            })),
            entry(PARENT, json!({
                "resourceType": "RelatedPerson", "patient": of(PATIENT),
                "relationship": [code(&format!("{terminology}/v3-RoleCode"), "MTH")],
            })),
        ],
    })
}

/// A transition plan that says nothing of agreement: it rests on what the ledger has.
fn plan(gateway: &TestGateway, id: &str, to: &str, number: u32) -> Value {
    let today = gateway.today().to_string();
    let mut subject = people::subject(&people::child(number));
    subject["postcode"] = json!("ZX9 9ZZ");
    json!({
        "type": "transition.health_plan", "id": id, "sender": gateway.mental().code,
        "recipient": to, "subject": subject,
        "transition": {
            "named_worker": "Pat Practice-Worker", "plan_date": today,
            "actions": ["A made-up action"],
        },
    })
}

/// What is decided about such a plan, and the delivery.
async fn decided(gateway: &TestGateway, id: &str, to: &str, number: u32) -> (String, String) {
    let reply = gateway.mental().send(id, &plan(gateway, id, to, number)).await;
    let reply = reply.expect("an answer");
    if reply.status == 422 {
        return ("refuse".to_owned(), reply.text());
    }
    assert_eq!(reply.status, 201, "{}", reply.text());
    let leg = reply.json()["rows"][0]["legs"][0].clone();
    let text = |name: &str| leg[name].as_str().expect("text").to_owned();
    (text("outcome"), text("leg"))
}

async fn post(from: &Partner, bundle: &Value) {
    peers::must_take(&["fhir"], &bundle.to_string());
    let reply = from.process_message(FHIR, &[], bundle.to_string()).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["entry"][0]["resource"]["response"]["code"], "ok", "{}", reply.text());
}

async fn ledger(gateway: &TestGateway, number: u32) -> Vec<Value> {
    let whose = json!({ "nhs_number": people::nhs_number(number) }).to_string();
    let auditor = gateway.auditor();
    let reply = auditor.post("/v1/consents/find", "application/json", "look", whose).await;
    reply.expect("an answer").json()["consents"].as_array().expect("entries").clone()
}

#[test]
fn agreement_that_came_as_fhir_releases_within_its_bounds_and_not_beyond() {
    each_engine("fhir_consent_in", |gateway| async move {
        let (trust, la) = (gateway.mental(), gateway.la());
        let child = people::child(81);
        let (before, delivery) = decided(&gateway, "P-0", &la.code, 81).await;
        assert_eq!(before, "refuse", "nobody has agreed: {delivery}");

        let (today, until) = (gateway.today(), gateway.today().saturating_add(30.days()));
        let days = (&*today.to_string(), &*until.to_string());
        post(trust, &grant(trust, "334", &child, days, "334")).await;
        let entries = ledger(&gateway, 81).await;
        let entry = &entries[0];
        assert_eq!(entry["status"], "given", "{entry}");
        assert_eq!(entry["given_by"], "parent", "the performer is the mother: {entry}");
        assert_eq!(entry["decided_on"], days.0);
        assert_eq!(entry["expires_on"], days.1);
        assert_eq!(entry["purposes"], json!(["transition-to-adulthood"]));
        assert_eq!(entry["recipients"], json!(["334"]));
        assert_eq!(entry["exclusions"], json!(["RYW"]));
        assert_eq!(entry["recorded_by"], trust.code.as_str());
        let mut classes: Vec<&str> = entry["classes"]
            .as_array()
            .expect("classes")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        classes.sort_unstable();
        assert_eq!(classes, ["consent", "health", "identity"]);

        // To whom it was agreed, with the classes that were agreed.
        let (outcome, delivery) = decided(&gateway, "P-1", &la.code, 81).await;
        assert_eq!(outcome, "release-reduced", "{delivery}");
        let path = format!("/v1/inbox/{delivery}");
        let got = la.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(got.status, 200, "{}", got.text());
        let got = got.json();
        assert_eq!(got["transition"]["actions"], json!(["A made-up action"]));
        assert!(got["subject"].get("postcode").is_none(), "the address was not agreed: {got}");
        // To another, and to the one left out, it does not go.
        for (id, to) in [("P-2", "RRK"), ("P-3", "RYW")] {
            let (outcome, told) = decided(&gateway, id, to, 81).await;
            assert_eq!(outcome, "refuse", "{to}: {told}");
        }
        // On its last day it holds, and on the next no more.
        gateway.clock.advance(SignedDuration::from_hours(24 * 30));
        assert_eq!(decided(&gateway, "P-4", &la.code, 81).await.0, "release-reduced");
        gateway.clock.advance(SignedDuration::from_hours(24));
        assert_eq!(decided(&gateway, "P-5", &la.code, 81).await.0, "refuse");
        gateway.end().await;
    });
}

#[test]
fn a_recipient_that_reads_fhir_is_told_agreement_as_a_consent() {
    each_engine("fhir_consent_out", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.acute());
        let child = people::child(82);
        let (today, until) = (gateway.today(), gateway.today().saturating_add(30.days()));
        let days = (&*today.to_string(), &*until.to_string());
        post(la, &grant(la, &trust.code, &child, days, "RRK")).await;
        let inbox = gateway.inbox(trust).await;
        assert_eq!(inbox.len(), 1);
        // Its own format is FHIR: nothing needs to be asked for.
        let path = format!("/v1/inbox/{}", inbox[0]);
        let reply = trust.get(&path, None).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.media_type, "application/fhir+json");
        peers::must_take(&["fhir"], &reply.text());
        let bundle = reply.json();
        let entries = bundle["entry"].as_array().expect("entries");
        let resources: Vec<&Value> = entries.iter().map(|entry| &entry["resource"]).collect();
        let only = |kind: &str| {
            let mut found = resources.iter().filter(|one| one["resourceType"] == kind);
            let one = found.next().unwrap_or_else(|| panic!("no {kind}: {bundle}"));
            assert!(found.next().is_none(), "one {kind}: {bundle}");
            *one
        };
        assert_eq!(only("MessageHeader")["eventCoding"]["code"], "consent.grant");
        let consent = only("Consent");
        assert_eq!(consent["status"], "active", "{consent}");
        assert_eq!(consent["dateTime"], days.0);
        assert_eq!(consent["provision"]["period"]["end"], days.1, "{consent}");
        let said = consent.to_string();
        for part in ["transition-to-adulthood", "\"RRK\"", "\"RYW\"", "\"health\"", "\"parent\""] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let patient = only("Patient").to_string();
        assert!(patient.contains(&child.nhs_number), "{patient}");

        // And the withdrawal of it too.
        let withdrawal = json!({
            "recipient": trust.code, "type": "consent.withdraw", "id": "FW-1", "sender": la.code,
            "subject": people::subject(&child),
            "consent": { "given_by": "parent", "date": days.0 },
        });
        assert_eq!(la.send("fw-1", &withdrawal).await.expect("an answer").status, 201);
        let now = gateway.inbox(trust).await;
        let newest = now.iter().find(|delivery| **delivery != inbox[0]).expect("another");
        let reply = trust.get(&format!("/v1/inbox/{newest}"), None).await.expect("an answer");
        peers::must_take(&["fhir"], &reply.text());
        assert!(reply.text().contains("\"inactive\""), "{}", reply.text());
        gateway.end().await;
    });
}

#[test]
fn a_childs_own_agreement_counts_with_the_assessment_that_the_consent_carries() {
    each_engine("fhir_consent_capacity", |gateway| async move {
        let (trust, la) = (gateway.mental(), gateway.la());
        let (today, until) = (gateway.today(), gateway.today().saturating_add(30.days()));
        let days = (&*today.to_string(), &*until.to_string());
        // By the child, with nothing about competence: people must look.
        for (number, assessed) in [(83, false), (84, true)] {
            let child = people::child(number);
            let mut bundle = grant(trust, "334", &child, days, "334");
            bundle["identifier"]["value"] = json!(format!("FC-{number}"));
            // Another message has another header.
            let text = bundle.to_string().replace("00000000a0", &format!("00000000{number}"));
            let mut bundle: Value = serde_json::from_str(&text).expect("JSON");
            let consent = &mut bundle["entry"][1]["resource"];
            consent.as_object_mut().expect("an object").remove("performer");
            let mut said = vec![json!({
                "url": "urn:ehc-gateway:extension:given-by", "valueCode": "competent-child",
            })];
            if assessed {
                said.push(json!({
                    "url": "urn:ehc-gateway:extension:capacity-assessed",
                    "extension": [
                        { "url": "on", "valueDate": days.0 },
                        { "url": "by", "valueString": "Jo Practice-Assessor" },
                    ],
                }));
            }
            consent["extension"] = json!(said);
            post(trust, &bundle).await;
            let entry = ledger(&gateway, number).await.remove(0);
            assert_eq!(entry["given_by"], "competent-child", "{entry}");
            assert_eq!(entry["assessed_on"].as_str(), assessed.then_some(days.0), "{entry}");
            let (outcome, told) = decided(&gateway, &format!("P-{number}"), &la.code, number).await;
            let expected = if assessed { "release-reduced" } else { "hold" };
            assert_eq!(outcome, expected, "{number}: {told}");
        }
        gateway.end().await;
    });
}
