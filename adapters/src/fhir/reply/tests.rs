use schemas::{Field, Severity};

use super::*;

fn code(text: &str) -> OrganisationCode {
    OrganisationCode::parse(text).expect("a code")
}

fn written(code_said: ReplyCode, outcome: &Outcome, receipt: Option<&str>) -> Vec<u8> {
    let (from, to) = (code("334"), code("RRK"));
    let reply = Reply {
        id: Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000),
        about: "message-1",
        code: code_said,
        at: Timestamp::from_second(1_772_000_000).expect("a time"),
        from: Named { code: &from, name: "Practice Borough Council" },
        to: Named { code: &to, name: "Practice Acute NHS Trust" },
        outcome,
        receipt,
    };
    reply.write(Format::Fhir).expect("it is written")
}

fn refused() -> Outcome {
    let place = Place::Text { line: 3, column: 9, path: "Bundle.entry[1].resource.status".into() };
    let issue = Issue::error("missing", Some(Field::LEG), place, "is missing", "send it");
    let fault = Fault {
        party: Party::Sender,
        cause: Cause::UnprocessableEntity,
        rule: "message-refused".to_owned(),
        words: "It was not accepted.".to_owned(),
    };
    let reference = Some("reference 7".to_owned());
    Outcome { fault: Some(fault), issues: vec![issue], reference, ..Outcome::default() }
}

#[test]
fn every_code_that_is_written_is_read_back_for_its_own_message_only() {
    let outcome = Outcome::default();
    for said in [ReplyCode::Ok, ReplyCode::TransientError, ReplyCode::FatalError] {
        let bytes = written(said, &outcome, None);
        assert_eq!(read(Format::Fhir, &bytes, "message-1"), Said::Response(said));
        assert_eq!(read(Format::Fhir, &bytes, "message-2"), Said::AboutAnother);
    }
}

#[test]
fn what_is_no_answer_is_never_taken_for_one() {
    let good = written(ReplyCode::Ok, &Outcome::default(), None);
    let text = String::from_utf8(good).expect("text");
    for damaged in [
        String::new(),
        "{}".to_owned(),
        text.replace("\"message\"", "\"collection\""),
        text.replace("\"ok\"", "\"fine\""),
        text.replace("\"response\"", "\"respond\""),
        text.replace("\"MessageHeader\"", "\"Patient\""),
        text.get(..text.len() - 2).expect("shorter").to_owned(),
        format!("{text}{}", " ".repeat(ANSWER_BYTES_MAX)),
    ] {
        assert_eq!(read(Format::Fhir, damaged.as_bytes(), "message-1"), Said::Unreadable);
    }
    let alone = refused().write(Format::Fhir).expect("it is written");
    assert_eq!(read(Format::Fhir, &alone, "message-1"), Said::OutcomeAlone);
}

#[test]
fn an_outcome_says_who_failed_which_rule_and_where() {
    let outcome: Value =
        serde_json::from_slice(&refused().write(Format::Fhir).expect("written")).expect("JSON");
    let issue = &outcome["issue"][0];
    assert_eq!(issue["severity"], "error");
    assert_eq!(issue["code"], "required");
    assert_eq!(issue["details"]["coding"][0]["code"], "SEND_UNPROCESSABLE_ENTITY");
    assert_eq!(issue["details"]["coding"][1]["code"], "missing");
    assert_eq!(issue["expression"][0], "Bundle.entry[1].resource.status");
    let words = issue["diagnostics"].as_str().expect("words");
    assert!(words.contains("line 3, column 9") && words.ends_with("reference 7"), "{words}");
}

#[test]
fn a_fault_without_issues_stands_for_itself_and_warnings_do_not_hide_it() {
    let mut outcome = refused();
    outcome.issues[0].severity = Severity::Warning;
    let value: Value =
        serde_json::from_slice(&outcome.write(Format::Fhir).expect("written")).expect("JSON");
    assert_eq!(value["issue"][0]["details"]["coding"][1]["code"], "message-refused");
    assert_eq!(value["issue"][1]["severity"], "warning");
}

#[test]
fn the_receipt_travels_in_the_answer_and_every_reference_resolves() {
    let bytes = written(ReplyCode::Ok, &Outcome::default(), Some("a.b.c"));
    let bundle: Value = serde_json::from_slice(&bytes).expect("JSON");
    let header = &bundle["entry"][0]["resource"];
    assert_eq!(header["response"]["details"]["reference"], bundle["entry"][1]["fullUrl"]);
    assert_eq!(header["focus"][0]["reference"], bundle["entry"][2]["fullUrl"]);
    assert_eq!(bundle["entry"][2]["resource"]["contentType"], "application/jose");
    assert_eq!(bytes, written(ReplyCode::Ok, &Outcome::default(), Some("a.b.c")));
}

#[test]
fn an_id_outside_the_grammar_is_not_an_identity() {
    let message = |id: &str| {
        format!(
            r#"{{"resourceType":"Bundle","id":"{id}","type":"message","entry":[
            {{"resource":{{"resourceType":"MessageHeader","id":"{id}"}}}}]}}"#
        )
    };
    let found = identity(Format::Fhir, message("a-1.b").as_bytes());
    assert_eq!(found.message.as_deref(), Some("a-1.b"));
    assert_eq!(found.bundle.as_deref(), Some("a-1.b"));
    for id in ["", "with space", &"x".repeat(65), "ü"] {
        assert_eq!(identity(Format::Fhir, message(id).as_bytes()), Identity::default());
    }
    assert_eq!(identity(Format::Fhir, b"no"), Identity::default());
}

#[test]
fn a_document_of_itk_is_answered_in_its_own_codes_and_version() {
    let first = |outcome: &Outcome| -> Vec<String> {
        let bundle: Value =
            serde_json::from_slice(&written(ReplyCode::Ok, outcome, Some("a.b.c"))).expect("JSON");
        let header = &bundle["entry"][0]["resource"];
        assert_eq!(header["event"]["code"], "ack.transport");
        assert!(header.get("eventCoding").is_none() && bundle.get("timestamp").is_none());
        assert!(bundle["entry"][2]["resource"]["content"].is_string());
        let codings = &bundle["entry"][1]["resource"]["issue"][0]["details"]["coding"];
        let codings = codings.as_array().cloned().unwrap_or_default();
        codings.iter().map(|c| c["code"].as_str().expect("a code").to_owned()).collect()
    };
    let taken = Outcome { dialect: Dialect::Itk3, ..Outcome::default() };
    assert_eq!(first(&taken), ["20013", "30001"]);
    assert_eq!(first(&Outcome { repeated: true, ..taken.clone() }), ["20007"]);
    let bad = Outcome { dialect: Dialect::Itk3, ..refused() };
    assert_eq!(first(&bad), ["20009", "SEND_UNPROCESSABLE_ENTITY", "missing"]);
    for (rule, code) in [("leg-not-found", "30002"), ("sender-not-you", "20012")] {
        let mut bad = bad.clone();
        rule.clone_into(&mut bad.issues[0].rule);
        assert_eq!(first(&bad)[0], code);
    }
    let mut later = bad.clone();
    later.fault.as_mut().expect("a fault").cause = Cause::Unavailable;
    assert_eq!(first(&later), ["SEND_UNAVAILABLE", "missing"], "nothing is claimed");
}
