//! Each question, answered from what was committed.

use jiff::civil::date;
use schemas::{LegId, RecordId};

use super::samples::{
    at, blob, delivery, event, hash, leg, organisation, quarantine, record, request, subject,
    submission,
};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::authority::Override;
use crate::queue::{CarrierKind, DeliveryState, LegState};
use crate::store::{
    BoardFilter, BoardPlace, Change, HoldFilter, HoldPlace, InboxPlace, Store, StoreError, Write,
};

fn because(kind: EventKind) -> Change {
    Change::because(event(kind))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_submitted_is_found_as_it_was_committed() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let sent = submission("key");
        let mut new = record(sent.id, subject(1));
        new.about = Some(LegId(super::samples::id()));
        let item = quarantine(sent.id);
        let change = because(EventKind::SubmissionReceived)
            .write(Write::Submission(sent.clone()))
            .write(Write::Record(new.clone()))
            .write(Write::Quarantine(item.clone()));
        store.commit(because(EventKind::GatewayStarted)).await.unwrap();
        store.commit(change).await.unwrap();

        let found = store.find_submission(&sent.sender, "key").await.unwrap().unwrap();
        assert_eq!((found.id, found.request_hash), (sent.id, hash(1)));
        assert_eq!((found.status, found.audit_seq), (202, 1));
        assert_eq!((&found.original, found.received_at), (&blob("original"), at(0)));
        assert_eq!(
            (found.answer.as_slice(), found.answer_type.as_str()),
            (&b"{}"[..], "application/json")
        );
        assert_eq!(store.submission(sent.id).await.unwrap(), Some(found));
        assert_eq!(store.find_submission(&sent.sender, "other").await.unwrap(), None);

        let found = store.find_record(new.sealed.record).await.unwrap().unwrap();
        assert_eq!((&found.sealed, found.submission), (&new.sealed, sent.id));
        assert_eq!((found.subject, found.demographics), (new.subject, new.demographics));
        assert_eq!((&found.label, found.about), (&new.label, new.about));
        assert_eq!(found.decisions_pass_on, new.decisions_pass_on);
        assert_eq!(found.accepted_at, at(0));
        let (me, other) = (organisation("334"), organisation("335"));
        assert!(store.has_record_about(&me, subject(1)).await.unwrap());
        assert!(!store.has_record_about(&other, subject(1)).await.unwrap());
        assert!(!store.has_record_about(&me, subject(2)).await.unwrap());
        assert_eq!(store.answers_to(new.about.unwrap()).await.unwrap(), [new.sealed.record]);
        let envelopes = store.sealed_envelopes(None, 10).await.unwrap();
        assert_eq!(envelopes, [(new.sealed.record, vec![0, 1, 2, 255])]);
        assert!(store.sealed_envelopes(Some(new.sealed.record), 10).await.unwrap().is_empty());

        let kept = store.quarantined(Some(&sent.sender), None, 10).await.unwrap();
        assert_eq!((kept[0].id, &kept[0].sealed), (item.id, &item.sealed));
        assert_eq!(store.quarantined(None, None, 10).await.unwrap(), kept);
        assert!(store.quarantined(Some(&organisation("335")), None, 9).await.unwrap().is_empty());
        assert!(store.quarantined(None, Some(item.id), 9).await.unwrap().is_empty());
        assert_eq!(store.counts(date(2026, 11, 2)).await.unwrap().quarantined, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_is_paged_in_a_stable_order_and_belongs_to_one_recipient() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut wanted = Vec::new();
        for person in 0..5 {
            let asked = request(subject(person), "RRK", CarrierKind::Collect);
            store.commit(asked.change).await.unwrap();
            wanted.push(asked.delivery);
        }
        let pushed = request(subject(6), "RRK", CarrierKind::HttpsPush);
        store.commit(pushed.change).await.unwrap();
        let other = request(subject(7), "RYR", CarrierKind::Collect);
        store.commit(other.change).await.unwrap();

        let (me, states) = (organisation("RRK"), [DeliveryState::Queued]);
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.inbox(&me, &states, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(InboxPlace { available_at: last.available_at, id: last.id });
            seen.extend(page.iter().map(|delivery| delivery.id));
        }
        assert_eq!(seen, wanted);

        let collected = Write::Collected(wanted[0], at(5));
        store.commit(because(EventKind::DeliveryCollected).write(collected)).await.unwrap();
        assert_eq!(store.inbox(&me, &states, None, 9).await.unwrap().len(), 4);
        let both = [DeliveryState::Queued, DeliveryState::Delivered];
        assert_eq!(store.inbox(&me, &both, None, 9).await.unwrap().len(), 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_collected_again_and_acknowledged_but_not_once_withdrawn() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        for seconds in [5, 9] {
            let collected = Write::Collected(asked.delivery, at(seconds));
            store.commit(because(EventKind::DeliveryCollected).write(collected)).await.unwrap();
        }
        let found = store.find_delivery(asked.delivery).await.unwrap().unwrap();
        assert_eq!((found.state, found.delivered_at), (DeliveryState::Delivered, Some(at(5))));
        let reason = Some("not-known".to_owned());
        let rejected =
            Write::Acknowledged(asked.delivery, DeliveryState::Rejected, reason.clone(), at(10));
        store.commit(because(EventKind::DeliveryAcknowledged).write(rejected)).await.unwrap();
        let found = store.find_delivery(asked.delivery).await.unwrap().unwrap();
        assert_eq!((found.state, found.reason), (DeliveryState::Rejected, reason));
        assert_eq!(store.deliveries_of(asked.record).await.unwrap().len(), 1);

        let other = request(subject(2), "RRK", CarrierKind::Collect);
        store.commit(other.change).await.unwrap();
        assert_eq!(store.queued_for_subject(subject(2)).await.unwrap()[0].id, other.delivery);
        let stop = Write::Stop(other.delivery, DeliveryState::Withdrawn, "rule".to_owned());
        store.commit(because(EventKind::DeliveryWithdrawn).write(stop)).await.unwrap();
        assert!(store.queued_for_subject(subject(2)).await.unwrap().is_empty());
        let collected = Write::Collected(other.delivery, at(6));
        let refused = store.commit(because(EventKind::DeliveryCollected).write(collected)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_delivery_goes_again_after_votes_of_different_people() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let stop = Write::Stop(asked.delivery, DeliveryState::Held, "r.hold".to_owned());
        store.commit(asked.change.write(stop)).await.unwrap();
        let of = |sender: Option<&str>| HoldFilter {
            sender: sender.map(organisation),
            ..HoldFilter::default()
        };
        let held = store.held(&of(None), None, 10).await.unwrap();
        assert_eq!((held.len(), held[0].0.reason.as_deref()), (1, Some("r.hold")));
        let place_of = HoldPlace { since: held[0].1, id: held[0].0.id };
        assert!(store.held(&of(None), Some(place_of), 10).await.unwrap().is_empty());
        assert_eq!(store.held(&of(Some("334")), None, 10).await.unwrap(), held);
        assert!(store.held(&of(Some("335")), None, 10).await.unwrap().is_empty());
        let vote = |person: &str| Override {
            person: person.to_owned(),
            organisation: organisation("334"),
            basis: crate::authority::Basis::BestInterests,
            at: at(1),
        };
        let cast = async |store: &Store, person: &str| {
            let write = Write::Override(asked.delivery, vote(person));
            store.commit(because(EventKind::HoldDecided).write(write)).await
        };
        cast(&store, "a").await.unwrap();
        let twice = cast(&store, "a").await;
        assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
        cast(&store, "b").await.unwrap();
        assert_eq!(store.overrides_for(asked.delivery).await.unwrap(), [vote("a"), vote("b")]);
        let resume = Write::Resume(asked.delivery, at(2));
        store.commit(because(EventKind::HoldDecided).write(resume)).await.unwrap();
        let found = store.find_delivery(asked.delivery).await.unwrap().unwrap();
        assert_eq!((found.state, found.reason), (DeliveryState::Queued, None));
        let late = cast(&store, "c").await;
        assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_shows_what_is_due_first_and_only_what_was_asked_for() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let sent = submission("board");
        let new = record(sent.id, subject(1));
        let mut change = because(EventKind::SubmissionReceived)
            .write(Write::Submission(sent))
            .write(Write::Record(new.clone()));
        let mut ids = Vec::new();
        for (day, recipient) in [(20, "RRK"), (14, "RRK"), (17, "RYR")] {
            let asked = delivery(new.sealed.record, recipient, CarrierKind::Collect);
            let mut clock = leg(asked.id.leg());
            clock.statutory_due = date(2026, 12, day);
            ids.push(clock.id);
            change = change.write(Write::Delivery(asked)).write(Write::Leg(clock));
        }
        let answered = Write::LegChanged {
            leg: ids[2],
            from: LegState::Waiting,
            state: LegState::Answered,
            answered_on: Some(date(2026, 12, 1)),
            expected_on: None,
        };
        store.commit(change.write(answered)).await.unwrap();

        let shown = async |filter: BoardFilter, after: Option<BoardPlace>| {
            let lines = store.board(&filter, after, 10).await.unwrap();
            lines.iter().map(|line| line.leg.id).collect::<Vec<_>>()
        };
        let all = BoardFilter::default();
        assert_eq!(shown(all.clone(), None).await, [ids[1], ids[2], ids[0]]);
        let after = BoardPlace { statutory_due: date(2026, 12, 14), id: ids[1] };
        assert_eq!(shown(all.clone(), Some(after)).await, [ids[2], ids[0]]);
        let open = BoardFilter { open_only: true, ..all.clone() };
        assert_eq!(shown(open, None).await, [ids[1], ids[0]]);
        let theirs = BoardFilter { recipient: Some(organisation("RYR")), ..all.clone() };
        assert_eq!(shown(theirs, None).await, [ids[2]]);
        let ours = BoardFilter { sender: Some(organisation("335")), ..all.clone() };
        assert!(shown(ours, None).await.is_empty());
        let done = BoardFilter { state: Some(LegState::Answered), ..all };
        assert_eq!(shown(done, None).await, [ids[2]]);

        let found = store.find_leg(ids[2]).await.unwrap().unwrap();
        assert_eq!((found.state, found.answered_on), (LegState::Answered, Some(date(2026, 12, 1))));
        assert_eq!((found.record, found.delivery), (new.sealed.record, DeliveryState::Queued));
        assert_eq!(store.legs_of(new.sealed.record).await.unwrap().len(), 3);
        assert_eq!(
            store.board(&BoardFilter::default(), None, 1).await.unwrap()[0].label,
            blob("label")
        );
        let counts = store.counts(date(2026, 12, 15)).await.unwrap();
        assert_eq!((counts.open, counts.overdue, counts.queued), (2, 1, 3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_is_all_that_was_said_of_a_record_and_its_deliveries() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let other = request(subject(2), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        store.commit(other.change).await.unwrap();
        let mut collected = event(EventKind::DeliveryCollected);
        collected.delivery = Some(asked.delivery);
        let write = Write::Collected(asked.delivery, at(1));
        store.commit(Change::because(collected).write(write)).await.unwrap();
        let journey = store.journey(asked.record).await.unwrap();
        let kinds: Vec<_> = journey.iter().map(|entry| entry.event.kind).collect();
        assert_eq!(kinds, [EventKind::RecordAccepted, EventKind::DeliveryCollected]);
        assert_eq!(journey[1].seq, 4);
        assert_eq!(journey[1].at_us, at(0).as_microsecond());
        assert!(store.journey(RecordId(super::samples::id())).await.unwrap().is_empty());
        let about = store.entries_about(subject(2), 0, 10).await.unwrap();
        assert_eq!(about.len(), 1);
        assert_eq!(about[0].event.record, Some(other.record));
        assert!(store.entries_about(subject(2), about[0].seq + 1, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trust_in_force_is_the_last_one_written() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        assert!(store.in_force().await.unwrap().is_empty());
        for (name, fingerprint) in [("rules", "one"), ("partners", "three"), ("rules", "two")] {
            let write = Write::InForce(name.to_owned(), fingerprint.to_owned());
            store.commit(because(EventKind::TrustChanged).write(write)).await.unwrap();
        }
        let in_force = store.in_force().await.unwrap();
        let in_force: Vec<_> = in_force.iter().map(|(name, print)| (&**name, &**print)).collect();
        assert_eq!(in_force, [("partners", "three"), ("rules", "two")]);
    })
    .await;
}
