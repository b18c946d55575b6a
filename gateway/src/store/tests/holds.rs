//! What waits for people keeps its age, its questions and its reviews; each is decided once.

use jiff::SignedDuration;

use super::samples::{at, event, id, organisation, quarantine, request, subject, submission};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::clock::Clock;
use crate::queue::{CarrierKind, DeliveryId, DeliveryState, SubmissionId};
use crate::store::{
    Change, Finding, HoldFilter, HoldWrite, NewQuestion, NewReview, Settlement, Store, StoreError,
    Write,
};

async fn write(store: &Store, write: Write) -> Result<(), StoreError> {
    let change = Change::because(event(EventKind::HoldDecided)).write(write);
    store.commit(change).await.map(drop)
}

async fn hold(store: &Store, write_: HoldWrite) -> Result<(), StoreError> {
    write(store, Write::Hold(write_)).await
}

async fn asked(store: &Store, person: u64, carrier: CarrierKind) -> DeliveryId {
    let asked = request(subject(person), "RRK", carrier);
    store.commit(asked.change).await.unwrap();
    asked.delivery
}

async fn held(store: &Store, person: u64) -> DeliveryId {
    let delivery = asked(store, person, CarrierKind::Collect).await;
    stop(store, delivery, "r.hold").await;
    delivery
}

async fn stop(store: &Store, id: DeliveryId, rule: &str) {
    write(store, Write::Stop(id, DeliveryState::Held, rule.to_owned())).await.unwrap();
}

/// Moves the clock on to this many seconds after the beginning.
fn until(place: &Place, seconds: i64) {
    place.clock().advance(at(seconds).duration_since(place.clock().now()));
}

fn review(delivery: DeliveryId, who: &str, seconds: i64) -> NewReview {
    NewReview {
        id: id(),
        delivery,
        organisation: organisation("334"),
        person: format!("person-{who}"),
        who: who.to_owned(),
        basis: "vital-interests".to_owned(),
        reason: "risk-to-life".to_owned(),
        rule: "r.hold".to_owned(),
        at: at(seconds),
    }
}

fn finding(who: &str, upheld: bool) -> Finding {
    Finding {
        upheld,
        finding: "emergency-was-real".to_owned(),
        by: (organisation("334"), format!("person-{who}")),
        who: who.to_owned(),
    }
}

fn is_conflict(outcome: &Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_keeps_its_age_when_it_is_held_on_another_ground() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let first = held(&store, 1).await;
        until(&place, 500);
        let second = held(&store, 2).await;
        stop(&store, first, "r.other").await;
        let all = store.held(&HoldFilter::default(), None, 10).await.unwrap();
        let ages: Vec<_> = all.iter().map(|(delivery, since)| (delivery.id, *since)).collect();
        assert_eq!(ages, [(first, at(0)), (second, at(500))]);
        let early = HoldFilter { until: Some(at(100)), ..HoldFilter::default() };
        assert_eq!(store.held(&early, None, 10).await.unwrap().len(), 1);
        let by_rule = store.holds_by_rule(None).await.unwrap();
        let said: Vec<_> =
            by_rule.iter().map(|one| (one.rule.as_str(), one.count, one.oldest)).collect();
        assert_eq!(said, [("r.hold", 1, at(500)), ("r.other", 1, at(0))]);
        assert!(store.holds_by_rule(Some(&organisation("335"))).await.unwrap().is_empty());
        write(&store, Write::Resume(first, at(600))).await.unwrap();
        until(&place, 700);
        stop(&store, first, "r.hold").await;
        assert_eq!(store.held_since(first).await.unwrap(), Some(at(700)), "a new hold is new");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_has_one_voice_until_a_new_hold() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let delivery = held(&store, 1).await;
        let voter = |who: &str| HoldWrite::Voter(delivery, who.to_owned());
        hold(&store, voter("a")).await.unwrap();
        assert!(is_conflict(&hold(&store, voter("a")).await));
        hold(&store, voter("b")).await.unwrap();
        write(&store, Write::Resume(delivery, at(1))).await.unwrap();
        assert!(is_conflict(&hold(&store, voter("c")).await), "it is not held any more");
        stop(&store, delivery, "r.hold").await;
        hold(&store, voter("a")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_about_what_is_held_and_answered_once() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let delivery = held(&store, 1).await;
        let new = |delivery| NewQuestion {
            id: id(),
            delivery,
            asked_by: (organisation("334"), "p".to_owned()),
            asked_of: organisation("RRK"),
            question: "who-decides-today".to_owned(),
            at: at(5),
        };
        let question = new(delivery);
        hold(&store, HoldWrite::Asked(question.clone())).await.unwrap();
        let free = asked(&store, 2, CarrierKind::Collect).await;
        assert!(is_conflict(&hold(&store, HoldWrite::Asked(new(free))).await));
        for concerned in ["334", "RRK"] {
            let seen = store.questions_of(Some(&organisation(concerned)), 10).await.unwrap();
            assert_eq!(seen.iter().map(|one| &one.asked).collect::<Vec<_>>(), [&question]);
        }
        assert!(store.questions_of(Some(&organisation("RYR")), 10).await.unwrap().is_empty());
        let answer = || HoldWrite::Answered(question.id, "q".to_owned(), "yes".to_owned());
        until(&place, 9);
        hold(&store, answer()).await.unwrap();
        assert!(is_conflict(&hold(&store, answer()).await));
        let stored = store.questions_about(delivery).await.unwrap().remove(0);
        assert_eq!(stored.answer, Some(("yes".to_owned(), "q".to_owned(), at(9))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_lasts_until_a_new_hold_or_a_review_that_does_not_uphold_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let delivery = held(&store, 1).await;
        let opened = review(delivery, "a", 10);
        hold(&store, HoldWrite::ReviewOpened(opened.clone())).await.unwrap();
        write(&store, Write::Resume(delivery, at(10))).await.unwrap();
        assert_eq!(store.emergency_of(delivery).await.unwrap(), Some(opened.clone()));
        let open = store.reviews_open(None).await.unwrap().unwrap();
        assert_eq!((open.count, open.oldest), (1, at(10)));
        let late = HoldWrite::ReviewOpened(review(delivery, "a", 11));
        assert!(is_conflict(&hold(&store, late).await), "it is not held any more");
        let own = HoldWrite::ReviewClosed(opened.id, finding("a", true));
        assert!(is_conflict(&hold(&store, own).await), "not by who released it");
        until(&place, 20);
        stop(&store, delivery, "r.hold").await;
        assert_eq!(store.emergency_of(delivery).await.unwrap(), None, "a new hold is a new matter");

        let again = review(delivery, "a", 30);
        hold(&store, HoldWrite::ReviewOpened(again.clone())).await.unwrap();
        assert_eq!(store.emergency_of(delivery).await.unwrap(), Some(again.clone()));
        let closed = HoldWrite::ReviewClosed(again.id, finding("b", false));
        hold(&store, closed).await.unwrap();
        assert_eq!(store.emergency_of(delivery).await.unwrap(), None, "not upheld");
        let twice = HoldWrite::ReviewClosed(again.id, finding("c", true));
        assert!(is_conflict(&hold(&store, twice).await));
        let (sender, recipient) = (organisation("334"), organisation("RRK"));
        assert!(store.reviews(Some(&recipient), 10).await.unwrap().is_empty(), "it is held again");
        assert!(store.reviews_open(Some(&recipient)).await.unwrap().is_none());
        write(&store, Write::Resume(delivery, at(40))).await.unwrap();
        for concerned in [&sender, &recipient] {
            let seen = store.reviews(Some(concerned), 10).await.unwrap();
            assert_eq!(seen.len(), 2);
            assert_eq!(seen[0].0.review.id, opened.id, "the open one first");
            assert!(store.reviews_open(Some(concerned)).await.unwrap().is_some());
        }
        assert!(store.reviews_open(Some(&organisation("RYR"))).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_failed_or_is_unknown_is_sent_again_and_with_all_its_attempts() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let delivery = asked(&store, 1, CarrierKind::HttpsPush).await;
        let again = || HoldWrite::Resent(delivery, at(50));
        assert!(is_conflict(&hold(&store, again()).await), "it is queued");
        let lease_for = SignedDuration::from_secs(60);
        let lease = store.lease_due(at(0), lease_for, 10, 10).await.unwrap().remove(0);
        for settlement in [
            Settlement::Attempting,
            Settlement::Stopped(DeliveryState::Failed, "refused".to_owned()),
        ] {
            let (id, token) = (lease.delivery.id, lease.token);
            write(&store, Write::Settle { delivery: id, token, settlement }).await.unwrap();
        }
        let failed = store.deliveries_in(DeliveryState::Failed, None, 10).await.unwrap();
        assert_eq!((failed.len(), failed[0].attempts), (1, 1));
        let other = Some(organisation("335"));
        let theirs = store.deliveries_in(DeliveryState::Failed, other.as_ref(), 10).await.unwrap();
        assert!(theirs.is_empty());
        hold(&store, again()).await.unwrap();
        let found = store.find_delivery(delivery).await.unwrap().unwrap();
        assert_eq!((found.state, found.attempts), (DeliveryState::Queued, 0));
        assert_eq!((found.available_at, found.reason), (at(50), None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarantined_item_is_replayed_until_it_is_accepted() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (sent, other) = (submission("q-1"), submission("q-2"));
        let (sent_id, other_id) = (sent.id, other.id);
        let item = quarantine(sent_id);
        let item_id = item.id;
        let change = Change::because(event(EventKind::RecordQuarantined))
            .write(Write::Submission(sent))
            .write(Write::Submission(other))
            .write(Write::Quarantine(item));
        store.commit(change).await.unwrap();
        let replayed = |accepted: Option<SubmissionId>| HoldWrite::Replayed(item_id, accepted);
        hold(&store, replayed(None)).await.unwrap();
        hold(&store, replayed(Some(other_id))).await.unwrap();
        let found = store.find_quarantined(item_id).await.unwrap().unwrap();
        assert_eq!((found.replays, found.resolved_as), (2, Some(other_id)));
        assert!(is_conflict(&hold(&store, replayed(None)).await));
    })
    .await;
}
