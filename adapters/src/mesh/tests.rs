use proptest::prelude::*;
use schemas::MessageType;

use super::*;
use crate::json::samples::corpus;
use crate::read_error::ReadError;

fn own() -> Mailbox {
    Mailbox::parse("X26ABC1").expect("a mailbox")
}

/// Reads a file of the corpus by what its name says it is.
fn read(name: &str, bytes: &[u8]) -> Result<(), ReadError> {
    match name.split('-').next() {
        Some("inbox") => inbox_page(bytes, &own()).map(drop),
        Some("sent") => sent(bytes).map(drop),
        Some("tracking") => tracking(bytes).map(drop),
        Some("lookup") => mailboxes(bytes).map(drop),
        other => panic!("{other:?} is no answer of MESH"),
    }
}

#[test]
fn the_good_corpus_is_read() {
    for sample in corpus("mesh/good") {
        let read = read(&sample.name, &sample.bytes);
        assert!(read.is_ok(), "{}: {read:?}", sample.name);
    }
}

#[test]
fn the_bad_corpus_is_refused_with_rule_and_place() {
    let mut wrong = Vec::new();
    for sample in corpus("mesh/bad") {
        let issue = read(&sample.name, &sample.bytes).expect_err(&sample.name).to_issue();
        let said = format!("{} @ {}", issue.rule, issue.place);
        if sample.issues != [said.as_str()] {
            wrong.push(format!("{}: {said}", sample.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_page_says_what_waits_and_where_the_next_one_is() {
    let body = br#"{"messages":["M1",7,"a/b","M2"],"links":{"next":"/messageexchange/X26ABC1/inbox?continue_from=M2"}}"#;
    let page = inbox_page(body, &own()).expect("a page");
    let ids: Vec<&str> = page.messages.iter().map(MeshMessageId::as_str).collect();
    assert_eq!((ids, page.unusable), (vec!["M1", "M2"], 2), "one bad entry blocks nothing");
    assert_eq!(page.next.as_deref(), Some("/messageexchange/X26ABC1/inbox?continue_from=M2"));
}

/// The published vector: two independent implementations agree on its hash
/// 1d7da1305d2c4f169b097f4e7fddbc8dfba024de2ea0fdee858b64536f2a90bc (see `gateway::entropy`).
#[test]
fn a_token_signs_the_password_before_the_timestamp_and_shows_it_nowhere() {
    let now: Timestamp = "2020-05-04T13:05:59Z".parse().expect("a time");
    let nonce = "bd0e2bd5-218e-41d0-83a9-73fdec414803".to_owned();
    let parts = TokenParts::new(own(), nonce, 0, now);
    assert_eq!(
        parts.signed_text("password"),
        "X26ABC1:bd0e2bd5-218e-41d0-83a9-73fdec414803:0:password:202005041305"
    );
    let header = parts.authorization("abc");
    assert_eq!(header, "NHSMESH X26ABC1:bd0e2bd5-218e-41d0-83a9-73fdec414803:0:202005041305:abc");
    assert_eq!(TokenParts::parse(&header), Some((parts, "abc".to_owned())));
    for wrong in [
        "NHSMESH: X26ABC1:n:0:202005041305:abc",
        "NHSMESH  X26ABC1:n:0:202005041305:abc",
        "NHSMESH x26abc1:n:0:202005041305:abc",
        "NHSMESH X26ABC1:n:0:20200504:abc",
        "NHSMESH X26ABC1:n:0:202005041305:abc:d",
        "NHSMESH X26ABC1:n:0:202005041305",
        "Bearer X26ABC1:n:0:202005041305:abc",
    ] {
        assert_eq!(TokenParts::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn ids_keep_to_their_alphabets() {
    for wrong in
        ["", "x26abc1", "X26 ABC1", "X26/ABC1", "GPPROVIDER_9990000018_X", &"A".repeat(101)]
    {
        assert!(Mailbox::parse(wrong).is_none(), "{wrong}");
    }
    for wrong in ["", "a b", "a/b", "a\n", "https://x", &"A".repeat(301)] {
        assert!(WorkflowId::parse(wrong).is_none(), "{wrong}");
    }
    for wrong in ["", "../M1", "M1?", "M 1", &"A".repeat(101)] {
        assert!(MeshMessageId::parse(wrong).is_none(), "{wrong}");
    }
    let id = WorkflowId::parse("EHC_ADVICE_REQ").expect("an id");
    assert_eq!(id.receipt().receipt(), id.receipt(), "a receipt is not acknowledged");
}

fn outgoing() -> Outgoing {
    Outgoing {
        to: own(),
        workflow: WorkflowId::parse("EHC_ADVICE_REQ").expect("an id"),
        local_id: "0196f000-0000-7000-8000-000000000001".to_owned(),
        subject: "advice.request".to_owned(),
        file_name: "a.dat".to_owned(),
        content_type: "application/fhir+json; fhirVersion=4.0".to_owned(),
        checksum: Checksum::sha256(&"0a".repeat(32)),
        chunk: ChunkRange::new(1, 3),
    }
}

#[test]
fn outgoing_headers_keep_to_their_limits_and_alphabets() {
    let headers = outgoing().headers().expect("they fit");
    assert!(headers.contains(&("mex-chunk-range", "1:3".to_owned())));
    assert!(headers.contains(&("mex-content-checksum", format!("sha256:{}", "0a".repeat(32)))));
    let refused = |change: fn(&mut Outgoing)| {
        let mut changed = outgoing();
        change(&mut changed);
        changed.headers().expect_err("refused").header
    };
    assert_eq!(refused(|o| o.subject = "a\u{1}b".to_owned()), "mex-subject");
    assert_eq!(refused(|o| o.subject = "caf\u{e9}".to_owned()), "mex-subject");
    assert_eq!(refused(|o| o.subject = "x".repeat(501)), "mex-subject");
    assert_eq!(refused(|o| o.local_id = "a\r\nmex-to: X".to_owned()), "mex-localid");
    assert_eq!(refused(|o| o.local_id = "x".repeat(301)), "mex-localid");
    assert_eq!(refused(|o| o.file_name = "x".repeat(301)), "mex-filename");
    assert_eq!(refused(|o| o.chunk = ChunkRange::new(4, 3)), "mex-chunk-range");
    let faults = outgoing().headers().map(drop);
    assert_eq!(faults, Ok(()));
}

#[test]
fn a_checksum_is_compared_only_when_it_is_one_we_know() {
    let digits = "0A".repeat(32);
    let known = Claimed::Sha256(digits.to_lowercase());
    for text in [format!("sha256:{digits}"), format!("SHA-256 {digits}"), digits.clone()] {
        assert_eq!(Claimed::read(&text), known, "{text}");
    }
    for text in ["b10a8db164e0754105b7a99be72e3fe5", "sha256:abc", "", &format!("md5:{digits}")] {
        assert_eq!(Claimed::read(text), Claimed::Other, "{text}");
    }
}

#[test]
fn incoming_headers_are_read_or_named() {
    let read = |pairs: &[(&'static str, &'static str)]| {
        Incoming::read(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| *value))
    };
    let data = [("mex-messageid", "M1"), ("mex-messagetype", "DATA"), ("mex-from", "X26ABC2")];
    let incoming = read(&data).expect("a message");
    assert_eq!(incoming.chunk, ChunkRange::new(1, 1), "one chunk when none is said");
    let report = [
        ("mex-messageid", "M2"),
        ("mex-messagetype", "REPORT"),
        ("mex-chunk-range", "1:0"),
        ("mex-linkedmsgid", "M1"),
        ("mex-statuscode", "14"),
    ];
    let report = read(&report).expect("a report");
    assert_eq!((report.kind, report.from), (Kind::Report, None));
    assert_eq!(report.linked.expect("a link").as_str(), "M1");
    assert_eq!(report.code.as_deref(), Some("14"));
    for (pairs, header) in [
        (&[("mex-messagetype", "DATA")][..], "mex-messageid"),
        (&[("mex-messageid", "M1")][..], "mex-messagetype"),
        (&[("mex-messageid", "M1"), ("mex-messagetype", "NOTE")][..], "mex-messagetype"),
        (&[data[0], data[1], ("mex-chunk-range", "3:2")][..], "mex-chunk-range"),
        (&[data[0], data[1], ("mex-chunk-range", "1:0")][..], "mex-chunk-range"),
        (&[data[0], data[1], ("mex-chunk-range", "1:99999")][..], "mex-chunk-range"),
    ] {
        assert_eq!(read(pairs).expect_err("refused").header, header);
    }
    let odd = [data[0], data[1], ("mex-localid", "a\u{7}b"), ("mex-from", "not a mailbox")];
    let odd = read(&odd).expect("a message");
    assert_eq!((odd.local_id, odd.from), (None, None), "what cannot be repeated is not kept");
}

#[test]
fn chunks_are_split_and_put_together_in_turn() {
    let parts = chunks(b"abcdefg", 3).expect("chunks");
    let ranges: Vec<String> = parts.iter().map(|(range, _)| range.to_string()).collect();
    assert_eq!(ranges, ["1:3", "2:3", "3:3"]);
    assert_eq!(chunks(b"", 3).expect("one empty chunk").len(), 1);
    assert!(chunks(&[0; 2000], 1).is_err(), "more chunks than MESH takes");
    let mut assembly = Assembly::new(3, 7);
    assert_eq!(assembly.take(parts[1].0, parts[1].1), Err(AssemblyFault::OutOfTurn));
    assembly.take(parts[0].0, parts[0].1).expect("the first");
    assert_eq!(assembly.take(parts[0].0, parts[0].1), Err(AssemblyFault::OutOfTurn));
    assert_eq!(assembly.take(ChunkRange::new(2, 4), b"x"), Err(AssemblyFault::Changed));
    assert_eq!(assembly.take(parts[1].0, b"abcde"), Err(AssemblyFault::TooLarge));
    assembly.take(parts[1].0, parts[1].1).expect("the second");
    assert_eq!(assembly.next(), Some(3));
    assembly.take(parts[2].0, parts[2].1).expect("the last");
    assert_eq!(assembly.whole(), Ok(b"abcdefg".to_vec()));
    assert_eq!(Assembly::new(2, 9).whole(), Err(AssemblyFault::Incomplete));
}

#[test]
fn a_refusal_is_told_by_its_codes_and_quotes_nothing() {
    let v2 = br#"{"message_id":"M1","detail":[{"event":"SEND","code":"12","msg":"Jane Secret"}]}"#;
    assert_eq!(fault(v2).to_string(), "code 12 (the recipient's mailbox is not registered)");
    let v1 = br#"{"errorEvent":"SEND","errorCode":"EPL-151","errorDescription":"Jane Secret"}"#;
    assert_eq!(fault(v1).to_string(), "code EPL-151 (no mailbox matches)");
    let validation = br#"{"detail":[{"loc":["header","mex-to"],"msg":"Jane","type":"missing"}]}"#;
    assert_eq!(fault(validation).to_string(), "header mex-to");
    for nothing in [&b"<html>Jane Secret</html>"[..], b"", b"[]", b"{\"detail\":\"Jane Secret\"}"] {
        assert_eq!(fault(nothing).to_string(), "no code");
    }
    assert!(fault(br#"{"errorCode":"Jane Secret"}"#).codes.is_empty(), "no code holds a space");
}

#[test]
fn workflow_ids_are_configuration_with_placeholders_until_then() {
    let shipped = Workflows::placeholders();
    for kind in MessageType::ALL {
        let id = shipped.id_for(kind).expect("every type has one");
        assert!(is_placeholder(id) && shipped.knows(id) && shipped.knows(&id.receipt()));
    }
    assert_eq!(shipped.unregistered().len(), 3);
    let own: Workflows = toml::from_str("\"*\" = \"REGISTERED_1\"").expect("a table");
    assert!(own.unregistered().is_empty());
    let id = own.id_for(MessageType::AdviceRequest).expect("the one for every other");
    assert_eq!(id.as_str(), "REGISTERED_1");
    let wrong = toml::from_str::<Workflows>("\"advice.reqest\" = \"A\"").expect_err("no such type");
    assert!(wrong.to_string().contains("fix: write one"), "{wrong}");
    assert!(toml::from_str::<Workflows>("\"*\" = \"a b\"").is_err());
    assert!(Workflows::none().id_for(MessageType::Error).is_none());
}

/// The tables of `schemas/mesh/mapping.md` are what the code does.
#[test]
fn the_documented_tables_are_what_the_code_does() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/mesh/mapping.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let table = |heading: &str| -> Vec<Vec<String>> {
        let rows = page.lines().skip_while(|line| *line != heading).skip(1);
        let rows = rows.take_while(|line| !line.starts_with("## "));
        let rows = rows.filter(|line| line.starts_with("| `"));
        let cells = rows.map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        });
        cells.collect()
    };
    let workflows = Workflows::placeholders();
    let actual: Vec<Vec<String>> = workflows
        .rows()
        .map(|(kind, id)| vec![kind, id.to_string(), id.receipt().to_string()])
        .collect();
    assert_eq!(table("## Workflow ids"), actual);
    let headers = outgoing().headers().expect("headers");
    let named: Vec<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
    let documented =
        table("## Headers we send").into_iter().filter_map(|row| row.into_iter().next());
    assert_eq!(documented.collect::<Vec<String>>(), named);
    let codes: Vec<Vec<String>> = table("## Codes");
    assert!(!codes.is_empty());
    for row in codes {
        assert_eq!(meaning(&row[0]), Some(row[1].as_str()), "{row:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = inbox_page(&bytes, &own());
        let _ = sent(&bytes);
        let _ = tracking(&bytes);
        let _ = mailboxes(&bytes);
        let _ = fault(&bytes).to_string();
    }

    #[test]
    fn no_headers_make_a_reader_panic(values in proptest::collection::vec(".{0,40}", 9)) {
        let names = ["mex-messageid", "mex-messagetype", "mex-chunk-range", "mex-from",
            "mex-workflowid", "mex-localid", "mex-content-checksum", "mex-linkedmsgid", "mex-statuscode"];
        let found = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            values.get(at).map(String::as_str)
        };
        let _ = Incoming::read(found);
        for value in &values {
            let _ = TokenParts::parse(value);
            let _ = ChunkRange::parse(value);
            let _ = Claimed::read(value);
        }
    }

    #[test]
    fn whatever_is_split_is_put_together_again(
        body in proptest::collection::vec(any::<u8>(), 0..500),
        most in 1u32..200,
    ) {
        let parts = chunks(&body, most).expect("chunks");
        let total = u32::try_from(parts.len()).expect("a count");
        let mut assembly = Assembly::new(total, body.len());
        for (range, bytes) in parts {
            prop_assert!(bytes.len() <= usize::try_from(most).expect("a size"));
            assembly.take(range, bytes).expect("in turn");
        }
        prop_assert_eq!(assembly.whole().expect("whole"), body);
    }
}
