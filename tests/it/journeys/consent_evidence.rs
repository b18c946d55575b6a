//! The evidence of a decision about sharing: the signed form comes with it, is sealed, is listed with
//! its entry, and goes back to the body that took it and to nobody else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::practice::client::Partner;
use gateway::practice::people;
use jiff::ToSpan;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

fn grant(gateway: &TestGateway, from: &Partner, id: &str, number: u32) -> Value {
    let today = gateway.today();
    json!({
        "type": "consent.grant", "id": id, "sender": from.code,
        "subject": people::subject(&people::child(number)),
        "consent": {
            "given_by": "competent-child", "date": today, "assessed_on": today,
            "assessed_by": "Jo Practice-Assessor", "reference": "FORM-2026-17",
            "expires_on": today.saturating_add(1.years()),
        },
        "attachments": [{
            "name": "signed-form.pdf", "media_type": "application/pdf",
            "content_base64": STANDARD.encode(people::pdf()),
        }],
    })
}

async fn record(from: &Partner, message: &Value) -> String {
    let id = message["id"].as_str().expect("an id").to_lowercase();
    let reply = from.post("/v1/consents", "application/json", &id, message.to_string()).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["rows"][0]["record"].as_str().expect("a record").to_owned()
}

async fn entries(of: &Partner, number: u32) -> Vec<Value> {
    let whose = json!({ "nhs_number": people::nhs_number(number) }).to_string();
    let reply = of.post("/v1/consents/find", "application/json", "look", whose).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["consents"].as_array().expect("entries").clone()
}

/// How often the log says that somebody looked at what a record brought.
async fn looks(gateway: &TestGateway, record: &str) -> usize {
    let rows = gateway.cast.app().store.audit_rows(0, 5000).await.expect("the log");
    let leaves = rows.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned());
    let looked =
        |leaf: &String| leaf.contains("\"kind\":\"consent.viewed\"") && leaf.contains(record);
    leaves.filter(looked).count()
}

#[test]
fn the_signed_form_is_listed_with_its_entry_and_fetched_by_whoever_recorded_it() {
    each_engine("consent_evidence", |gateway| async move {
        let la = gateway.la();
        let record = record(la, &grant(&gateway, la, "G-1", 91)).await;
        let entry = entries(la, 91).await.remove(0);
        let href = entry["evidence"].as_str().expect("where it is").to_owned();
        assert_eq!(href, format!("/v1/consents/{record}/evidence"));
        assert!(entries(gateway.auditor(), 91).await[0].get("evidence").is_none());

        let kept = la.get(&href, None).await.expect("an answer");
        assert_eq!(kept.status, 200, "{}", kept.text());
        let kept = kept.json();
        assert_eq!(kept["reference"], "FORM-2026-17", "{kept}");
        assert_eq!(kept["assessed_by"], "Jo Practice-Assessor");
        let document = &kept["documents"][0];
        assert_eq!(document["name"], "signed-form.pdf");
        assert_eq!(document["media_type"], "application/pdf");
        assert_eq!(document["sha256"], gateway::entropy::sha256_hex(&people::pdf()));
        let path = document["href"].as_str().expect("where it is").to_owned();
        let form = la.get(&path, None).await.expect("an answer");
        assert_eq!((form.status, form.media_type.as_str()), (200, "application/pdf"));
        assert_eq!(form.body, people::pdf(), "byte for byte");
        let name = form.header("content-disposition").expect("a name");
        assert!(!name.contains("signed-form"), "file names may say who it is about: {name}");
        assert_eq!(looks(&gateway, &record).await, 2, "each look is in the log");
        let none = la.get(&format!("{href}/2"), None).await.expect("an answer");
        assert_eq!(none.status, 404);

        // Nobody else: not a trust, not the auditor, not the operator.
        for other in [gateway.mental(), gateway.cast.commissioner()] {
            assert_eq!(other.get(&href, None).await.expect("an answer").status, 404);
            assert_eq!(other.get(&path, None).await.expect("an answer").status, 404);
        }
        for other in [gateway.auditor(), gateway.cast.operator()] {
            assert_eq!(other.get(&href, None).await.expect("an answer").status, 403);
        }
        let path = format!("/v1/consents/{}/evidence", uuid::Uuid::nil());
        assert_eq!(la.get(&path, None).await.expect("an answer").status, 404);
        gateway.end().await;
    });
}

#[test]
fn a_recipient_of_the_decision_gets_it_without_the_form() {
    each_engine("consent_evidence_told", |gateway| async move {
        let (la, trust) = (gateway.la(), gateway.mental());
        let mut message = grant(&gateway, la, "G-2", 92);
        message["recipient"] = json!(trust.code);
        let record = record(la, &message).await;
        let delivery = gateway.inbox(trust).await.remove(0);
        let path = format!("/v1/inbox/{delivery}");
        let told = trust.get(&path, Some("application/json")).await.expect("an answer");
        assert_eq!(told.status, 200, "{}", told.text());
        assert_eq!(told.json()["consent"]["given_by"], "competent-child");
        assert!(told.json().get("attachments").is_none(), "{}", told.text());
        let document = trust.get(&format!("{path}/documents/1"), None).await.expect("an answer");
        assert_eq!(document.status, 404);
        let theirs = trust.get(&format!("/v1/consents/{record}/evidence"), None).await;
        assert_eq!(theirs.expect("an answer").status, 404, "it stays with the body that took it");
        let own = la.get(&format!("/v1/consents/{record}/evidence/1"), None).await;
        let own = own.expect("an answer");
        assert_eq!((own.status, own.body), (200, people::pdf()));
        gateway.end().await;
    });
}

#[test]
fn a_form_that_was_uploaded_apart_is_evidence_too_and_a_request_has_none() {
    each_engine("consent_evidence_apart", |gateway| async move {
        let trust = gateway.mental();
        let pdf = people::pdf();
        let body = json!({ "size": pdf.len(), "sha256": gateway::entropy::sha256_hex(&pdf) });
        let begun = trust.post("/v1/documents", "application/json", "b-1", body.to_string()).await;
        let begun = begun.expect("an answer");
        assert_eq!(begun.status, 200, "{}", begun.text());
        let id = begun.json()["document"].as_str().expect("an id").to_owned();
        let kept = trust.append(&id, 0, pdf.clone()).await.expect("an answer");
        assert_eq!(kept.json()["state"], "ready", "{}", kept.text());
        let mut message = grant(&gateway, trust, "G-3", 93);
        message["attachments"] = json!([{ "document": id, "name": "form.pdf" }]);
        let record = record(trust, &message).await;
        let shown = trust.get(&format!("/v1/consents/{record}/evidence"), None).await;
        let shown = shown.expect("an answer").json();
        assert_eq!(shown["documents"][0]["size"], pdf.len(), "{shown}");
        let path = shown["documents"][0]["href"].as_str().expect("where it is").to_owned();
        let form = trust.get(&path, None).await.expect("an answer");
        assert_eq!((form.status, form.body), (200, pdf));

        // What a request for advice says of agreement is an entry; its documents are no evidence of it.
        let la = gateway.la();
        let mut request =
            people::request(&la.code, "Q-1", &people::child(94), &["CAMHS"], gateway.today());
        request["consent"] = json!({
            "status": "given", "given_by": "parent", "date": gateway.today(), "reference": "FORM-9",
        });
        request["attachments"] = json!([{
            "name": "report.pdf", "media_type": "application/pdf",
            "content_base64": STANDARD.encode(people::pdf()),
        }]);
        assert_eq!(la.send("q-1", &request).await.expect("an answer").status, 201);
        let href = entries(la, 94).await[0]["evidence"].as_str().expect("it").to_owned();
        let shown = la.get(&href, None).await.expect("an answer").json();
        assert_eq!((&shown["reference"], &shown["documents"]), (&json!("FORM-9"), &json!([])));
        let document = la.get(&format!("{href}/1"), None).await.expect("an answer");
        assert_eq!(document.status, 404);
        gateway.end().await;
    });
}
