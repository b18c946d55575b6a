//! FHIR in its forms: every message in JSON and XML as a peer reads them, and ITK3 documents in.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use adapters::{Format, fhir};
use gateway::practice::client::Reply;
use gateway::practice::{Behaviour, people};
use serde_json::Value;
use tests::each_engine;
use tests::peers::{self, Verdict};

const XML: &str = "application/fhir+xml; fhirVersion=4.0";

/// The files of a corner of the corpus whose names end so.
fn corpus(corner: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corner);
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    assert!(!paths.is_empty(), "{corner} has no {extension}");
    paths
}

/// The record in a file of the corpus.
fn record(path: &Path) -> schemas::Record {
    let bytes = std::fs::read(path).expect("it is readable");
    let draft = fhir::read(&bytes).expect("it is read").items.remove(0).draft;
    draft.check(jiff::civil::date(2026, 3, 2)).expect("it is accepted").record
}

/// What is needed to send a record on.
fn outbound(record: &schemas::Record) -> adapters::Outbound {
    let at = jiff::Timestamp::from_second(1_772_460_000).expect("a time");
    adapters::Outbound {
        delivery: uuid::Uuid::from_u128(0x0197_f0bb_0000_7000_8000_0000_0000_0001),
        leg: record.message().leg,
        service: None,
        sender_name: "Practice Borough Council".to_owned(),
        recipient: schemas::OrganisationCode::parse("RRK").expect("a code"),
        recipient_name: "Practice Acute NHS Trust".to_owned(),
        received_at: at,
        due_on: None,
        sent_at: at,
    }
}

/// What `xmllint`, where it is installed, says of a document: it must be well-formed.
fn well_formed(bytes: &[u8]) {
    let Some(program) = peers::program("xmllint") else {
        eprintln!("xmllint was not found: XML was not checked by it");
        return;
    };
    let mut child = Command::new(program)
        .args(["--noout", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("xmllint starts");
    child.stdin.take().expect("its input").write_all(bytes).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "xmllint refuses it");
}

/// Every type of message once, by the first file of the corpus that has it.
fn one_of_each() -> Vec<(schemas::MessageType, PathBuf)> {
    let mut found: Vec<(schemas::MessageType, PathBuf)> = Vec::new();
    for path in corpus("fhir/good", "json") {
        let kind = record(&path).message().kind;
        if found.iter().all(|(known, _)| *known != kind) {
            found.push((kind, path));
        }
    }
    assert_eq!(found.len(), schemas::MessageType::ALL.len());
    found
}

#[test]
fn every_type_of_message_is_taken_by_a_peer_in_json_and_in_xml_as_the_same() {
    for (kind, path) in one_of_each() {
        let record = record(&path);
        let outbound = outbound(&record);
        let json = fhir::write(&record, &outbound).expect("it is written");
        let xml = fhir::write_xml(&record, &outbound).expect("it is written");
        well_formed(&xml);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        match (peers::ask(&["fhir"], &text(json)), peers::ask(&["fhirxml"], &text(xml))) {
            (Verdict::Taken(json), Verdict::Taken(xml)) => assert_eq!(json, xml, "{kind}"),
            (Verdict::Absent, Verdict::Absent) => {}
            (json, xml) => panic!("{kind}: {json:?} {xml:?}"),
        }
    }
}

/// What a response message in XML is about, and its code.
fn response(reply: &Reply) -> (String, String) {
    assert_eq!(reply.media_type, "application/fhir+xml", "{}", reply.text());
    well_formed(&reply.body);
    peers::must_take(&["fhirxml"], &reply.text());
    let text = reply.text();
    let response = text.split_once("<response>").expect("a response").1;
    let value = |name: &str| {
        let rest = response.split_once(&format!("<{name} value=\"")).expect("the element").1;
        rest.split('"').next().expect("a value").to_owned()
    };
    (value("identifier"), value("code"))
}

#[test]
fn a_request_goes_out_as_xml_and_advice_comes_back_as_xml() {
    each_engine("fhir_xml", |gateway| async move {
        let gateway = gateway.with_fhir_messages(Format::FhirXml).await;
        let endpoint = &gateway.cast.endpoint;
        endpoint.behave(Behaviour::Take);
        let leg = gateway.request(1, "SALT").await;
        let parcels = endpoint.wait_for(1, Duration::from_secs(20)).await;
        assert_eq!(parcels[0].0, leg);
        well_formed(parcels[0].1.as_bytes());
        peers::must_take(&["fhirxml"], &parcels[0].1);
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "delivered");

        let trust = gateway.community();
        let child = people::child(1);
        let advice = people::advice_fhir(&trust.code, "XA-1", &leg, &child, gateway.today());
        let reading = fhir::read(advice.to_string().as_bytes()).expect("it is read");
        let draft = reading.items.into_iter().next().expect("a message").draft;
        let record = draft.check(gateway.today()).expect("it is accepted").record;
        let outbound = outbound(&record);
        let xml = fhir::write_xml(&record, &outbound).expect("it is written");
        let xml = String::from_utf8(xml).expect("text");
        let accept = [("accept", "application/fhir+xml")];
        let reply = trust.process_message(XML, &accept, xml.clone()).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let header = outbound.delivery.to_string();
        assert_eq!(response(&reply), (header.clone(), "ok".to_owned()));
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "answered");

        let broken = xml.replace("<status value=\"completed\"/>", "<status valeu=\"completed\"/>");
        let broken = broken.replace(&header, "0197f0bb-0000-7000-8000-0000000000ff");
        let reply = trust.process_message(XML, &accept, broken).await.expect("an answer");
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert_eq!(response(&reply).1, "fatal-error");
        assert!(reply.text().contains("fhir-xml-attribute"), "{}", reply.text());
        let reply = trust.get("/fhir/metadata", Some("application/fhir+xml")).await;
        let reply = reply.expect("an answer");
        well_formed(&reply.body);
        peers::must_take(&["fhirxml"], &reply.text());
        gateway.end().await;
    });
}

#[test]
fn an_itk3_document_answers_the_open_request_about_its_person() {
    each_engine("itk3", |gateway| async move {
        gateway.request(1, "PAEDIATRICS").await;
        let trust = gateway.acute();
        let text = std::fs::read_to_string(&corpus("itk3/good", "json")[0]).expect("readable");
        let child = people::child(1);
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        let patient = &mut document["entry"][2]["resource"]["entry"][1]["resource"];
        patient["identifier"][0]["value"] = child.nhs_number.clone().into();
        patient["name"][0]["family"] = child.family_name.clone().into();
        patient["name"][0]["given"][0] = child.given_names.clone().into();
        patient["birthDate"] = child.date_of_birth.to_string().into();
        let day = gateway.today();
        document["entry"][2]["resource"]["entry"][0]["resource"]["date"] =
            format!("{day}T09:30:00+00:00").into();
        let media = "application/fhir+json";
        let header = document["entry"][0]["resource"]["id"].as_str().expect("an id").to_owned();
        peers::must_take(&["fhir3"], &document.to_string());

        let codes = |reply: &Reply| -> Vec<String> {
            peers::must_take(&["fhir3"], &reply.text());
            let bundle = reply.json();
            assert_eq!(bundle["entry"][0]["resource"]["response"]["identifier"], header.as_str());
            let codings = &bundle["entry"][1]["resource"]["issue"][0]["details"]["coding"];
            let codings = codings.as_array().expect("codings").iter();
            codings.map(|coding| coding["code"].as_str().expect("a code").to_owned()).collect()
        };
        let reply = trust.process_message(media, &[], document.to_string()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(codes(&reply)[..2], ["20013", "30001"]);
        let board = gateway.board(gateway.la()).await;
        assert_eq!(board[0]["state"], "answered");

        // Sent again in a Bundle of its own: the same document, a duplicate.
        document["id"] = "another-bundle".into();
        let reply = trust.process_message(media, &[], document.to_string()).await;
        assert_eq!(codes(&reply.expect("an answer"))[0], "20007");

        // Nobody asked about this person: not known here.
        let stranger = people::child(7);
        document["id"] = "a-third-bundle".into();
        document["identifier"]["value"] = "a-third-document".into();
        let patient = &mut document["entry"][2]["resource"]["entry"][1]["resource"];
        patient["identifier"][0]["value"] = stranger.nhs_number.into();
        let reply = trust.process_message(media, &[], document.to_string()).await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 422, "{}", reply.text());
        assert_eq!(codes(&reply)[0], "30002");
        gateway.end().await;
    });
}
