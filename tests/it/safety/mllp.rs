//! The MLLP listener against those who should not be there, and against streams that make no sense.

use gateway::practice::mllp::document;
use gateway::practice::people;
use tests::{TestGateway, with_letters_from_a_psychologist};

/// Nobody's name; if it comes back in an answer, an answer quotes its input.
const CANARY: &str = "Zyxquorn";

fn framed(message: &str) -> Vec<u8> {
    gateway::mllp::framed(message.as_bytes())
}

async fn entries(gateway: &TestGateway) -> String {
    let rows = gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log is read");
    rows.iter().map(|row| String::from_utf8_lossy(&row.leaf).into_owned()).collect()
}

#[test]
fn every_villain_is_refused_on_the_mllp_port_too() {
    with_letters_from_a_psychologist(async |gateway| {
        let leg = gateway.request(1, "CAMHS").await;
        let villains = gateway.cast.stage().mllp_villains();
        assert!(villains.len() >= 12, "only {} villains", villains.len());
        let message = document("RXT", "V-1", Some(&leg), &people::child(1), gateway.today());
        for (name, villain) in &villains {
            assert_eq!(villain.send(message.as_bytes()).await, None, "{name} was answered");
        }
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");
    });
}

#[test]
fn a_partner_cannot_send_under_anothers_name() {
    with_letters_from_a_psychologist(async |gateway| {
        let leg = gateway.request(1, "CAMHS").await;
        let other = gateway.cast.stage().mllp_caller("trust-rrk").expect("a client");
        let message = document("RXT", "F-1", Some(&leg), &people::child(1), gateway.today());
        let ack = other.send(message.as_bytes()).await.expect("an acknowledgement");
        assert!(ack.contains("MSA|CR|C-F-1\r"), "{ack}");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");
        let entries = entries(gateway).await;
        assert!(entries.contains("hl7-facility"), "the refusal is an entry");
    });
}

#[test]
fn a_partner_that_is_switched_off_gets_no_more_answers_on_an_open_connection() {
    with_letters_from_a_psychologist(async |gateway| {
        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        let message = document("RXT", "S-1", None, &people::child(1), gateway.today());
        let mut connection = trust.connect().await.expect("a connection");
        let first = connection.ask(message.as_bytes()).await;
        assert!(first.is_some_and(|ack| ack.contains("MSA|CR|")), "nobody asked for this advice");
        let off = gateway.cast.change_partner("RXT", |partner| partner.enabled = false);
        off.await.expect("the partner is changed");
        assert_eq!(connection.ask(message.as_bytes()).await, None);
        assert_eq!(trust.send(message.as_bytes()).await, None, "nor on a new one");
    });
}

#[test]
fn a_stream_that_makes_no_sense_hurts_neither_the_next_frame_nor_another_partner() {
    with_letters_from_a_psychologist(async |gateway| {
        let leg = gateway.request(1, "CAMHS").await;
        let good = document("RXT", "M-1", Some(&leg), &people::child(1), gateway.today());
        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        let other = gateway.cast.stage().mllp_caller("trust-rrk").expect("a client");
        let mut stream = CANARY.as_bytes().to_vec();
        stream.extend(framed(CANARY));
        stream.extend(framed(""));
        stream.extend(b"\x0bMSH|^~\\&|cut short");
        stream.extend(framed(&format!(
            "MSH|^~\\&|TIE|RXT|||||ADT^A01|{CANARY}1|P|2.4\rPID|{CANARY}\r"
        )));
        stream.extend(framed(&good));
        let garbage = [0x0b, 0xff, 0x00, 0x1b, 0x1c].repeat(50);
        let noisy = other.send_raw(&garbage, 50);
        let (answers, noise) = tokio::join!(trust.send_raw(&stream, 4), noisy);
        assert_eq!(noise.len(), 50, "each frame is answered");
        let codes: Vec<&str> =
            answers.iter().filter_map(|ack| ack.split("MSA|").nth(1)?.get(..2)).collect();
        assert_eq!(codes, ["AR", "AR", "AR", "CA"], "{answers:?}");
        let quoted = answers.iter().filter(|ack| ack.contains(CANARY)).count();
        assert_eq!(quoted, 1, "only its own control id comes back to the sender: {answers:?}");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "answered");
        assert!(!entries(gateway).await.contains(CANARY), "the log quotes its input");
        assert!(!gateway.cast.metrics().contains(CANARY));
    });
}

#[test]
fn a_frame_over_the_limit_is_refused_and_the_next_is_taken() {
    with_letters_from_a_psychologist(async |gateway| {
        let leg = gateway.request(1, "CAMHS").await;
        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        let good = document("RXT", "L-1", Some(&leg), &people::child(1), gateway.today());
        let large = good.replace("C-L-1", "C-L-0")
            + &"x".repeat(adapters::limits::SUBMISSION_BYTES_MAX + 1);
        let stream = [framed(&large), framed(&good)].concat();
        let answers = trust.send_raw(&stream, 2).await;
        assert!(answers[0].contains("MSA|CR|C-L-0\r"), "{answers:?}");
        assert!(answers[0].contains("hl7-too-large"), "{answers:?}");
        assert!(answers[1].contains("MSA|CA|C-L-1\r"), "{answers:?}");
    });
}
