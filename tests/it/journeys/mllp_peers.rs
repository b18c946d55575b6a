//! HL7 v2 with software we did not write: python-hl7 on both ends of MLLP, hl7apy for the content.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use gateway::practice::mllp::document;
use gateway::practice::people;
use gateway::queue::CarrierKind;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::peers::{self, Verdict};
use tests::{TestGateway, with_letters_from_a_psychologist};

const LONG: Duration = Duration::from_secs(20);

fn pki(gateway: &TestGateway) -> PathBuf {
    gateway.folder().join("pki")
}

/// What python-hl7 got back: for each acknowledgement its code, control id and rules.
async fn send(gateway: &TestGateway, steps: Value) -> Option<Vec<Value>> {
    let mut command = peers::script("mllp.py")?;
    let address = gateway.cast.stage().mllp_address();
    let own = pki(gateway).join("partners/trust-rxt");
    command
        .args(["send", &address.ip().to_string(), &address.port().to_string()])
        .arg(own.join("certificate.pem"))
        .arg(own.join("key.pem"))
        .arg(pki(gateway).join("authority/certificate.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("the peer starts");
        let mut input = child.stdin.take().expect("its input");
        input.write_all(steps.to_string().as_bytes()).expect("it reads");
        drop(input);
        child.wait_with_output().expect("it ends")
    });
    let output = output.await.expect("the peer ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Some(answers.as_array().expect("a list").clone())
}

#[test]
fn python_hl7_sends_and_is_answered_with_what_is_true() {
    with_letters_from_a_psychologist(async |gateway| {
        let leg = gateway.request(1, "CAMHS").await;
        let other = gateway.request(2, "CAMHS").await;
        let plain = |text: String| text.replace("|||AL|NE\r", "\r");
        let of = |id: &str, child: u32, leg: &str| {
            plain(document("RXT", id, Some(leg), &people::child(child), gateway.today()))
        };
        let good = of("D-1", 1, &leg);
        let changed = good.replace("|C-D-1|", "|C-D-1b|").replace("Made-up advice", "Other advice");
        let half = of("D-2", 2, &other);
        let (first, rest) = half.split_at(half.len() / 2);
        let wrong = of("D-3", 1, &other);
        let draft = of("D-4", 1, &leg).replace("|AU||AV", "|DO||AV");
        let foreign = of("D-5", 1, &leg).replace("|TIE|RXT|", "|TIE|RRK|");
        let again = good.replace("Made-up advice", "Yet other advice");
        let enhanced = document("RXT", "D-6", Some(&leg), &people::child(1), gateway.today())
            .replace("|||AL|NE\r", "|||AL|AL\r");
        let steps = json!([
            {"message": good},
            {"message": good},
            {"message": changed},
            {"raw": "noise between frames\r\n"},
            {"pieces": [first, rest]},
            {"together": [wrong, draft]},
            {"message": foreign},
            {"message": again},
            {"together": [enhanced, of("D-7", 1, &leg)]},
        ]);
        let Some(answers) = send(gateway, steps).await else { return };
        let expected = [
            ("AA", "C-D-1", ""),
            ("AA", "C-D-1", ""),
            ("AR", "C-D-1b", "id-reused"),
            ("AA", "C-D-2", ""),
            ("AR", "C-D-3", "identity-mismatch"),
            ("AR", "C-D-4", "document-not-authenticated"),
            ("AR", "C-D-5", "hl7-facility"),
            ("AR", "C-D-1", "control-id-reused"),
            ("CA", "C-D-6", ""),
            ("AA", "C-D-6", ""),
        ];
        assert_eq!(answers.len(), expected.len(), "{answers:?}");
        for (answer, (code, id, rule)) in answers.iter().zip(expected) {
            assert_eq!((answer[0].as_str(), answer[1].as_str()), (Some(code), Some(id)));
            let rules = answer[2].to_string();
            assert!(rules.contains(rule), "{id}: {rules}");
            assert!(code.ends_with('A') == (rules == "[]"), "{id}: {rules}");
        }
        let la = gateway.la();
        let answered = gateway.board(la).await;
        assert!(answered.iter().all(|line| line["state"] == "answered"), "{answered:?}");
    });
}

/// python-hl7 as a trust's engine: it listens, and answers as planned.
struct Engine7 {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Engine7 {
    fn start(gateway: &TestGateway, plan: &[&str]) -> Option<(Self, u16)> {
        let own = pki(gateway).join("partners/trust-rxt");
        let mut command = peers::script("mllp.py")?;
        command
            .arg("serve")
            .arg(own.join("server.pem"))
            .arg(own.join("server-key.pem"))
            .arg(pki(gateway).join("authority/certificate.pem"))
            .args(plan)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the peer starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut engine = Self { child, output };
        let port = engine.line().trim().parse().expect("a port");
        Some((engine, port))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it prints");
        line
    }
}

impl Drop for Engine7 {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn towards(gateway: &TestGateway, port: u16) {
    let certificate = pki(gateway).join("partners/trust-rxt/server.pem");
    let pin = pin_of(&certificate);
    let changed = gateway.cast.change_partner("RXT", |partner| {
        partner.carrier = CarrierKind::Mllp;
        partner.format = adapters::Format::Hl7;
        partner.endpoint = Some(format!("mllps://127.0.0.1:{port}"));
        partner.server_pins = [pin].into();
    });
    changed.await.expect("the partner is changed");
}

fn pin_of(certificate: &Path) -> gateway::config::Pin {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let der = CertificateDer::from_pem_file(certificate).expect("a certificate");
    gateway::peer::pin_of(&der).expect("a pin")
}

#[test]
fn python_hl7_takes_what_is_sent_and_only_its_own_acknowledgement_counts() {
    with_letters_from_a_psychologist(async |gateway| {
        let plan = ["AE", "mismatched", "garbage", "silent", "CE", "nonsense"];
        let Some((mut engine, port)) = Engine7::start(gateway, &plan) else { return };
        towards(gateway, port).await;
        gateway.request(1, "CAMHS").await;
        let mut ids = Vec::new();
        for (number, how) in plan.iter().enumerate() {
            let (line, back) = tokio::task::spawn_blocking(move || (engine.line(), engine))
                .await
                .expect("the peer was listened to");
            engine = back;
            let message: String = serde_json::from_str(&line).expect("a message");
            ids.push(message.split('|').nth(9).expect("a control id").to_owned());
            assert!(message.contains(&people::nhs_number(1)), "{how}");
            peers::must_take(&["hl7"], &message);
            if number + 1 < plan.len() {
                // Nothing but a true acknowledgement delivers it: it comes again.
                wait_for_attempt(gateway, number + 1).await;
                assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "queued", "{how}");
                gateway.clock.advance(SignedDuration::from_hours(2));
            }
        }
        gateway.cast.wait_until_idle(LONG).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "delivered");
        ids.dedup();
        assert_eq!(ids.len(), 1, "each attempt bears the same control id");
    });
}

/// Waits until an attempt was settled as deferred.
async fn wait_for_attempt(gateway: &TestGateway, count: usize) {
    let mut settled = 0;
    for _ in 0..400 {
        let rows = gateway.cast.app().store.audit_rows(0, 5_000).await.expect("the log is read");
        let deferred = |leaf: &[u8]| String::from_utf8_lossy(leaf).contains("delivery.deferred");
        settled = rows.iter().filter(|row| deferred(&row.leaf)).count();
        if settled >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(settled >= count, "attempt {count} was not settled");
}

#[test]
fn an_acknowledgement_that_refuses_is_for_a_person() {
    with_letters_from_a_psychologist(async |gateway| {
        let Some((_engine, port)) = Engine7::start(gateway, &["AR"]) else { return };
        towards(gateway, port).await;
        gateway.request(1, "CAMHS").await;
        for _ in 0..400 {
            if gateway.board(gateway.la()).await[0]["delivery"] == "failed" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it did not fail");
    });
}

#[test]
fn what_hl7apy_builds_is_read() {
    with_letters_from_a_psychologist(async |gateway| {
        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        for (child, version) in [(1, "2.5"), (2, "2.6")] {
            let leg = gateway.request(child, "CAMHS").await;
            let person = people::child(child);
            let said = json!({
                "sender": "RXT", "id": format!("H-{child}"), "leg": leg, "text": "Seen in clinic.",
                "nhs_number": person.nhs_number, "family_name": person.family_name,
                "given_names": person.given_names,
                "born": person.date_of_birth.strftime("%Y%m%d").to_string(),
            });
            let built = match peers::ask(&["hl7-build", version], &said.to_string()) {
                Verdict::Taken(text) => text.replace('\n', "\r"),
                Verdict::Refused(reason) => panic!("hl7apy did not build it: {reason}"),
                Verdict::Absent => return,
            };
            let ack = trust.send(built.as_bytes()).await.expect("an acknowledgement");
            assert!(ack.contains(&format!("MSA|AA|H-{child}\r")), "{ack}");
            peers::must_take(&["hl7"], &ack);
        }
        let board = gateway.board(gateway.la()).await;
        assert!(board.iter().all(|line| line["state"] == "answered"), "{board:?}");
    });
}
