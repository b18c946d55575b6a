use jiff::Timestamp;
use schemas::{Issue, Place};

use crate::hl7v2::ack::{self, Code, Header, Outcome};

fn header(version: &str, accept: &str, application: &str) -> Header {
    let text = format!(
        "MSH|^~\\&|TIE|RXT|EHC-GATEWAY|EHCGW|202602271030||MDM^T02^MDM_T02|C-1|P|{version}|||{accept}|{application}\rEVN|T02\r"
    );
    Header::of(text.as_bytes()).expect("a header")
}

fn refusal() -> Vec<Issue> {
    let place = Place::Segment { name: "PID".to_owned(), nth: 1, field: 3, component: 1 };
    vec![
        Issue::error("identifier-check-digit", None, place, "fails its check digit", "correct it"),
        Issue::warning("hl7-event-differs", None, Place::Whole, "differs", "send the same"),
    ]
}

fn answer(header: &Header, code: Code, issues: &[Issue]) -> String {
    let at = Timestamp::from_second(1_772_186_400).expect("a time");
    String::from_utf8(header.acknowledge(code, "G-1", at, issues)).expect("it is text")
}

#[test]
fn original_mode_gives_one_answer() {
    let header = header("2.4", "", "");
    assert_eq!(header.answers(Outcome::Taken), [Code::Aa]);
    assert_eq!(header.answers(Outcome::Failed), [Code::Ae]);
    assert_eq!(header.answers(Outcome::Refused), [Code::Ar]);
}

#[test]
fn enhanced_mode_gives_what_is_asked_for() {
    let cases: [(&str, &str, Outcome, &[Code]); 14] = [
        ("AL", "AL", Outcome::Taken, &[Code::Ca, Code::Aa]),
        ("AL", "AL", Outcome::Refused, &[Code::Cr]),
        ("AL", "AL", Outcome::Failed, &[Code::Ce]),
        ("AL", "NE", Outcome::Taken, &[Code::Ca]),
        ("AL", "", Outcome::Refused, &[Code::Cr]),
        ("NE", "AL", Outcome::Taken, &[Code::Aa]),
        ("NE", "AL", Outcome::Refused, &[Code::Ar]),
        ("NE", "NE", Outcome::Refused, &[]),
        ("ER", "NE", Outcome::Taken, &[]),
        ("ER", "NE", Outcome::Failed, &[Code::Ce]),
        ("SU", "ER", Outcome::Taken, &[Code::Ca]),
        ("SU", "ER", Outcome::Refused, &[Code::Ar]),
        ("NE", "SU", Outcome::Taken, &[Code::Aa]),
        ("", "ER", Outcome::Taken, &[]),
    ];
    for (accept, application, outcome, expected) in cases {
        let header = header("2.5", accept, application);
        assert_eq!(header.answers(outcome), expected, "{accept} {application} {outcome:?}");
    }
}

#[test]
fn an_answer_turns_the_header_round_and_ends_with_a_carriage_return() {
    let text = answer(&header("2.4", "", ""), Code::Aa, &[]);
    assert_eq!(
        text,
        "MSH|^~\\&|EHC-GATEWAY|EHCGW|TIE|RXT|20260227100000+0000||ACK^T02^ACK|G-1|P|2.4\r\
         MSA|AA|C-1\r"
    );
    assert!(answer(&header("2.3", "", ""), Code::Aa, &[]).contains("||ACK|G-1|P|2.3\r"));
}

#[test]
fn a_refusal_names_the_place_as_its_version_does_and_no_warning() {
    let new = answer(&header("2.5", "", ""), Code::Ar, &refusal());
    assert!(
        new.ends_with(
            "MSA|AR|C-1\rERR||PID^1^3^1^1|102^Data type error^HL70357|E|identifier-check-digit^fails its check digit; correct it^99EHC\r"
        ),
        "{new}"
    );
    let old = answer(&header("2.3", "", ""), Code::Ar, &refusal());
    assert!(old.ends_with("MSA|AR|C-1\rERR|PID^1^3^102&identifier-check-digit\r"), "{old}");
    let taken = answer(&header("2.5", "", ""), Code::Aa, &refusal());
    assert!(!taken.contains("ERR"), "{taken}");
}

#[test]
fn an_answer_is_matched_by_the_control_id_it_is_about() {
    let read = |text: &str| ack::read(text.as_bytes(), "C-1").map(|a| (a.code, a.matches));
    assert_eq!(read("MSH|^~\\&|||||||ACK|ACK|P|2.5\rMSA|AA|C-1\r"), Some((Code::Aa, true)));
    assert_eq!(read("MSH|^~\\&|||||||ACK|9|P|2.5\nMSA|AE|C-1|sorry"), Some((Code::Ae, true)));
    assert_eq!(read("MSH|^~\\&|||||||ACK|9|P|2.5\rMSA|CA|C-2\r"), Some((Code::Ca, false)));
    assert_eq!(read("MSH|^~\\&|||||||ACK|9|P|2.5\rMSA|AA\r"), Some((Code::Aa, false)));
    for garbage in
        ["", "AA", "MSH|^~\\&|||||||ACK|9|P|2.5\r", "MSA|AA|C-1\r", "MSH|^~\\&\rMSA|XX|C-1"]
    {
        assert_eq!(read(garbage), None, "{garbage}");
    }
}

#[test]
fn codes_mean_what_the_standard_says() {
    for (code, outcome) in [
        (Code::Aa, Outcome::Taken),
        (Code::Ca, Outcome::Taken),
        (Code::Ae, Outcome::Failed),
        (Code::Ce, Outcome::Failed),
        (Code::Ar, Outcome::Refused),
        (Code::Cr, Outcome::Refused),
    ] {
        assert_eq!(code.outcome(), outcome);
    }
}

#[test]
fn only_known_events_are_named_for_a_log() {
    assert_eq!(header("2.4", "", "").event(), "MDM^T02");
    let other = Header::of(b"MSH|^~\\&|||||||Avery^Practice|1|P|2.4\r").expect("a header");
    assert_eq!(other.event(), "other");
    assert_eq!(ack::no_header().event(), "other");
}
