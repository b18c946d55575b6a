//! HL7 v2 over MLLP: a request goes out as MDM^T02, advice comes back as MDM^T02 with a PDF.

use std::time::Duration;

use adapters::hl7v2::ack::Outcome;
use gateway::practice::mllp::{Answering, MllpEndpoint, document};
use gateway::practice::people;
use gateway::queue::CarrierKind;
use jiff::SignedDuration;
use tests::{TestGateway, each_engine, peers};

const LONG: Duration = Duration::from_secs(20);

/// The mental health trust is sent to over MLLP from now on, at a listener of its own.
async fn with_mllp(gateway: &TestGateway) -> MllpEndpoint {
    let endpoint = gateway.cast.stage().open_mllp("trust-rxt").await.expect("it listens");
    let changed = gateway.cast.change_partner("RXT", |partner| {
        partner.carrier = CarrierKind::Mllp;
        partner.format = adapters::Format::Hl7;
        partner.endpoint = Some(endpoint.endpoint());
        partner.server_pins = [endpoint.pin()].into();
        let profession = adapters::feed::Feed::default();
        partner.feed = toml::from_str(
            "constants = { \"advice.author_profession\" = \"Clinical psychologist\" }",
        )
        .unwrap_or(profession);
    });
    changed.await.expect("the partner is changed");
    endpoint
}

#[test]
fn a_request_goes_out_over_mllp_and_the_answer_with_a_pdf_is_collected() {
    each_engine("mllp_there_and_back", |gateway| async move {
        let endpoint = with_mllp(&gateway).await;
        let leg = gateway.request(1, "CAMHS").await;
        let sent = endpoint.wait_for(1, LONG).await;
        assert!(sent[0].contains("|MDM^T02^MDM_T02|"), "{}", sent[0]);
        assert!(sent[0].contains(&leg), "the trust is told our number of the request");
        assert!(sent[0].contains(&format!("{}^^^NHS^NH", people::nhs_number(1))));
        gateway.cast.wait_until_idle(LONG).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "delivered");

        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        let child = people::child(1);
        let answer = document("RXT", "DOC-1", Some(&leg), &child, gateway.today());
        let ack = trust.send(answer.as_bytes()).await.expect("an acknowledgement");
        assert!(ack.contains("MSA|CA|C-DOC-1\r"), "{ack}");
        let again = trust.send(answer.as_bytes()).await.expect("an acknowledgement");
        assert!(again.contains("MSA|CA|C-DOC-1\r"), "{again}");

        let la = gateway.la();
        assert_eq!(gateway.board(la).await[0]["state"], "answered");
        let inbox = gateway.inbox(la).await;
        assert_eq!(inbox.len(), 1, "the second copy had no effect");
        let path = format!("/v1/inbox/{}", inbox[0]);
        let message = la.get(&path, Some("application/json")).await.expect("an answer").json();
        assert_eq!(message["advice"]["author_name"], "Dr Sam Practice-Therapist");
        assert_eq!(message["advice"]["author_profession"], "Clinical psychologist");
        assert_eq!(message["advice"]["summary"], "Made-up advice for practice.");
        let letter = la.get(&path, Some("application/hl7-v2")).await.expect("an answer");
        assert_eq!(letter.media_type, "application/hl7-v2");
        peers::must_take(&["hl7"], &letter.text());
        let file = la.get(&format!("{path}/documents/1"), None).await.expect("an answer");
        assert_eq!(file.body, people::pdf());
        endpoint.close().await;
        gateway.end().await;
    });
}

#[test]
fn an_answer_without_our_number_attaches_by_the_person() {
    each_engine("mllp_by_person", |gateway| async move {
        let endpoint = with_mllp(&gateway).await;
        gateway.request(2, "CAMHS").await;
        endpoint.wait_for(1, LONG).await;
        let trust = gateway.cast.stage().mllp_caller("trust-rxt").expect("a client");
        let stranger = document("RXT", "DOC-2", None, &people::child(3), gateway.today());
        let ack = trust.send(stranger.as_bytes()).await.expect("an acknowledgement");
        assert!(ack.contains("MSA|CR|C-DOC-2\r"), "{ack}");
        assert!(ack.contains("leg-not-found"), "{ack}");
        let own = document("RXT", "DOC-3", None, &people::child(2), gateway.today());
        let ack = trust.send(own.as_bytes()).await.expect("an acknowledgement");
        assert!(ack.contains("MSA|CA|C-DOC-3\r"), "{ack}");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "answered");
        endpoint.close().await;
        gateway.end().await;
    });
}

#[test]
fn a_refusal_over_mllp_is_for_a_person_and_a_failure_is_tried_again() {
    each_engine("mllp_refused", |gateway| async move {
        let endpoint = with_mllp(&gateway).await;
        endpoint.behave(Answering::With(Outcome::Failed));
        gateway.request(4, "CAMHS").await;
        endpoint.wait_for(1, LONG).await;
        endpoint.behave(Answering::Silence);
        gateway.clock.advance(SignedDuration::from_mins(5));
        endpoint.wait_for(2, LONG).await;
        endpoint.behave(Answering::With(Outcome::Refused));
        gateway.clock.advance(SignedDuration::from_mins(30));
        let sent = endpoint.wait_for(3, LONG).await;
        gateway.cast.wait_until_idle(LONG).await;
        let ids: Vec<&str> = sent.iter().filter_map(|text| text.split('|').nth(9)).collect();
        assert_eq!(ids.len(), 3, "{sent:?}");
        assert!(ids.iter().all(|id| *id == ids[0]), "each attempt bears the same control id");
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "failed");
        endpoint.close().await;
        gateway.end().await;
    });
}
