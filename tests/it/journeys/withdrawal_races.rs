//! After a withdrawal was acknowledged nothing leaves, whatever became of the sender's guard.

use std::time::{Duration, Instant};

use gateway::audit::Actor;
use gateway::pipeline::{self, Collected, Handover, Stopped};
use gateway::practice::client::Reply;
use gateway::practice::people;
use gateway::queue::{DeliveryId, DeliveryState};
use jiff::SignedDuration;
use schemas::OrganisationCode;
use serde_json::json;
use tests::{TestGateway, each_engine};

/// A gateway that waits a second for what leaves, and lets bytes leave for a second.
async fn impatient(gateway: TestGateway) -> TestGateway {
    gateway
        .restart_after(|folder| {
            let file = folder.join("ehc-gateway.toml");
            let text = std::fs::read_to_string(&file).expect("the configuration");
            let text = format!("{text}\n[consent]\nwait_seconds = 1\nleaving_seconds = 1\n");
            std::fs::write(&file, text).expect("the configuration is written");
        })
        .await
}

/// Something that rests on agreement, on its way to the acute trust.
async fn on_its_way(gateway: &TestGateway, number: u32) -> DeliveryId {
    let subject = people::subject(&people::child(number));
    let id = format!("P-{number}");
    let message = gateway.plan(&id, gateway.acute(), &subject);
    let reply = gateway.mental().send(&id, &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let leg = reply.json()["rows"][0]["legs"][0]["leg"].as_str().expect("an id").to_owned();
    DeliveryId(leg.parse().expect("an id"))
}

async fn withdraw(gateway: &TestGateway, number: u32) -> Reply {
    let trust = gateway.mental();
    let id = format!("W-{number}");
    let child = people::child(number);
    let message = people::withdrawal(&trust.code, &id, &child, gateway.today()).to_string();
    trust.post("/v1/consents", "application/json", &id, message).await.expect("an answer")
}

/// Collects within the gateway's process, as far as the bytes: none has left yet.
async fn released(gateway: &TestGateway, delivery: DeliveryId) -> Collected {
    let recipient = OrganisationCode::parse(&gateway.acute().code).expect("a code");
    let actor = Actor::folder(&recipient);
    let app = gateway.cast.app();
    pipeline::collect(app, &recipient, &actor, delivery, None).await.expect("it is released")
}

#[test]
fn a_withdrawal_is_not_acknowledged_while_a_sender_that_lost_its_guard_still_sends() {
    each_engine("races_lost", |gateway| async move {
        let gateway = impatient(gateway).await;
        let delivery = on_its_way(&gateway, 1).await;
        let mut collected = released(&gateway, delivery).await;
        let guard = collected.guard.as_mut().expect("a guard");
        // Its database session is killed; it does not know, and goes on.
        guard.lose();
        assert!(guard.may_leave());

        let early = withdraw(&gateway, 1).await;
        assert_eq!(early.status, 503, "{}", early.text());
        assert_eq!(early.json()["code"], "not-yet-in-force");
        assert!(early.header("retry-after").is_some());
        // Meanwhile nothing new begins to go about this person.
        let acute = gateway.acute();
        let path = format!("/v1/inbox/{}", delivery.0);
        let fetch = acute.get(&path, None).await.expect("an answer");
        assert_eq!(fetch.status, 503, "{}", fetch.text());

        // Its bytes have gone; it ends.
        drop(collected);
        let done = withdraw(&gateway, 1).await;
        assert_eq!(done.status, 201, "{}", done.text());
        assert_eq!(done.json()["rows"][0]["disclosures"][0]["recipient"], acute.code);
        assert_eq!(acute.get(&path, None).await.expect("an answer").status, 410);
        gateway.end().await;
    });
}

#[test]
fn a_sender_that_was_frozen_lets_nothing_go_when_it_wakes() {
    each_engine("races_frozen", |gateway| async move {
        let gateway = impatient(gateway).await;
        let delivery = on_its_way(&gateway, 1).await;
        // Frozen between its release and its bytes, with its guard and its session alive.
        let frozen = released(&gateway, delivery).await;
        let early = withdraw(&gateway, 1).await;
        assert_eq!(early.status, 503, "a guard that is held is waited for, not passed over");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        // What its clock may differ by has passed as well: it cannot be sending any more.
        gateway.clock.advance(SignedDuration::from_secs(7));
        let done = withdraw(&gateway, 1).await;
        assert_eq!(done.status, 201, "{}", done.text());
        // It wakes after the acknowledgement, and hands over what the inbox would: nothing.
        let Collected { parcel, guard } = frozen;
        assert!(guard.is_some() && !parcel.expose_body().is_empty());
        let mut handover = Handover::new(parcel.expose_body(), guard, usize::MAX);
        assert_eq!(handover.next_piece(), Some(Err(Stopped)));
        assert_eq!(handover.next_piece(), None);
        gateway.end().await;
    });
}

#[test]
fn a_release_that_was_decided_before_a_withdrawal_is_not_begun_after_it() {
    each_engine("races_fence", |gateway| async move {
        let delivery = on_its_way(&gateway, 1).await;
        let app = gateway.cast.app();
        let stored = app.store.find_delivery(delivery).await.expect("the store").expect("it");
        let record = app.store.find_record(stored.record).await.expect("the store").expect("it");
        let send = |ledger| gateway::store::NewSend {
            id: app.make_id().expect("an id"),
            subject: record.subject,
            ledger,
            until: gateway::clock::Clock::now(gateway.clock.as_ref())
                .checked_add(SignedDuration::from_secs(30))
                .expect("a time"),
        };
        let asked = send(1);
        app.store.begin_sending(&asked).await.expect("the ledger is as it was asked about");
        app.store.end_sending(asked.id).await.expect("it has left");
        assert_eq!(withdraw(&gateway, 1).await.status, 201);
        let late = app.store.begin_sending(&send(1)).await;
        assert!(matches!(late, Err(gateway::store::StoreError::Fenced)), "{late:?}");
        gateway.end().await;
    });
}

#[test]
fn a_push_waits_while_a_withdrawal_is_being_recorded_and_then_asks_again() {
    each_engine("races_push", |gateway| async move {
        let gateway = impatient(gateway).await;
        let subject = people::subject(&people::child(2));
        let delivery = on_its_way(&gateway, 2).await;
        let mut held = released(&gateway, delivery).await;
        held.guard.as_mut().expect("a guard").lose();
        assert_eq!(withdraw(&gateway, 2).await.status, 503);
        // Something new to a trust that is pushed to: it does not begin.
        gateway.cast.endpoint.open();
        let pushed = gateway.plan("P-2-push", gateway.community(), &subject);
        let reply = gateway.mental().send("p-2-push", &pushed).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let plan = reply.json()["rows"][0]["legs"][0]["leg"].as_str().expect("an id").to_owned();
        // What is about somebody else goes meanwhile: the way is open, and the plan is not on it.
        let endpoint = &gateway.cast.endpoint;
        let other = gateway.request(50, "SALT").await;
        let went = |parcels: Vec<(String, String)>| -> Vec<String> {
            let mut ids: Vec<String> = parcels.into_iter().map(|(delivery, _)| delivery).collect();
            ids.sort();
            ids
        };
        assert_eq!(went(endpoint.wait_for(1, PATIENCE).await), std::slice::from_ref(&other));
        drop(held);
        assert_eq!(withdraw(&gateway, 2).await.status, 201);
        gateway.clock.advance(SignedDuration::from_secs(60));
        let later = gateway.request(51, "SALT").await;
        endpoint.wait_for(2, PATIENCE).await;
        gateway.cast.wait_until_idle(PATIENCE).await;
        let mut of_others = [other, later];
        of_others.sort();
        assert_eq!(went(endpoint.parcels()), of_others, "nothing about this person");
        let stopped = DeliveryId(plan.parse().expect("an id"));
        let stored = gateway.cast.app().store.find_delivery(stopped).await.expect("the store");
        assert_eq!(stored.expect("it").state, DeliveryState::Withdrawn);
        gateway.end().await;
    });
}

/// How long a push may take that nothing stops.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the document: several stretches of it.
const DOCUMENT: usize = 48 * 1024 * 1024;

#[test]
fn a_large_document_stops_in_the_middle_when_agreement_is_withdrawn() {
    each_engine("races_document", |gateway| async move {
        let trust = gateway.acute();
        let leg = gateway.request(3, "PAEDIATRICS").await;
        let mut pdf = vec![b'x'; DOCUMENT];
        pdf[..9].copy_from_slice(b"%PDF-1.7\n");
        let said = json!({ "size": DOCUMENT }).to_string();
        let begun = trust.post("/v1/documents", "application/json", "d", said).await;
        let id = begun.expect("an answer").json()["document"].as_str().expect("an id").to_owned();
        for (number, piece) in pdf.chunks(8 * 1024 * 1024).enumerate() {
            let offset = u64::try_from(number * 8 * 1024 * 1024).expect("an offset");
            let reply = trust.append(&id, offset, piece.to_vec()).await.expect("an answer");
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        let mut advice =
            people::advice(&trust.code, "A-3", &leg, &people::child(3), gateway.today());
        advice["attachments"] = json!([{ "document": id, "name": "report.pdf" }]);
        let reply = trust.send("a-3", &advice).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        let delivery = gateway.inbox(gateway.la()).await.remove(0);
        let path = format!("/v1/inbox/{delivery}/documents/1");
        let last = DOCUMENT - 1;
        let stream = gateway.la().get_range(&path, &format!("bytes=0-{last}")).await;
        let mut stream = stream.expect("an answer");
        assert_eq!(stream.status().as_u16(), 206);
        let mut got = stream.chunk().await.expect("bytes").expect("a piece").len();
        let reading = async {
            let mut whole = true;
            loop {
                // As fast as a poor line: the document takes several stretches, and a withdrawal
                // comes in the middle of it on a busy machine too.
                tokio::time::sleep(Duration::from_millis(10)).await;
                match stream.chunk().await {
                    Ok(Some(piece)) => got += piece.len(),
                    Ok(None) => break,
                    Err(_) => {
                        whole = false;
                        break;
                    }
                }
            }
            (got, whole)
        };
        let began = Instant::now();
        let withdrawing = async {
            loop {
                let reply = withdraw_as_authority(&gateway).await;
                if reply.status != 503 {
                    return reply;
                }
                assert!(began.elapsed() < Duration::from_mins(1), "{}", reply.text());
            }
        };
        let ((got, whole), reply) = tokio::join!(reading, withdrawing);
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(!whole, "the connection is cut, so that half a document is never a whole one");
        assert!(got < DOCUMENT, "{got} bytes of {DOCUMENT} came");
        let again = gateway.la().get_range(&path, "bytes=0-99").await.expect("an answer");
        assert_eq!(again.status().as_u16(), 410, "and it does not go on");
        gateway.end().await;
    });
}

async fn withdraw_as_authority(gateway: &TestGateway) -> Reply {
    let la = gateway.la();
    let child = people::child(3);
    let message = people::withdrawal(&la.code, "W-3", &child, gateway.today()).to_string();
    la.post("/v1/consents", "application/json", "w-3", message).await.expect("an answer")
}
