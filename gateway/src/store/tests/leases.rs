//! Leases: one worker at a time, for a time, in order.

use std::collections::HashSet;

use jiff::SignedDuration;

use super::samples::{at, event, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::queue::{CarrierKind, DeliveryId, DeliveryState, Lease};
use crate::store::{Change, Settlement, Store, StoreError, Write};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

async fn queue(store: &Store, person: u64, recipient: &str) -> DeliveryId {
    let asked = request(subject(person), recipient, CarrierKind::HttpsPush);
    store.commit(asked.change).await.unwrap();
    asked.delivery
}

async fn settle(store: &Store, lease: &Lease, settlement: Settlement) -> Result<(), StoreError> {
    let settled = Change::because(event(EventKind::DeliveryAttempted)).write(Write::Settle {
        delivery: lease.delivery.id,
        token: lease.token,
        settlement,
    });
    store.commit(settled).await.map(drop)
}

fn ids(leases: &[Lease]) -> HashSet<DeliveryId> {
    leases.iter().map(|lease| lease.delivery.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_racing_never_hold_the_same_delivery() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut queued = HashSet::new();
        for person in 0..40 {
            queued.insert(queue(&store, person, "RRK").await);
        }
        let other = place.open().await;
        let worker = |store: Store| {
            tokio::spawn(async move {
                let mut held = Vec::new();
                for _ in 0..20 {
                    held.extend(store.lease_due(at(1), MINUTE, 5, 100).await.unwrap());
                }
                held
            })
        };
        let (one, two) = (worker(store.clone()), worker(other));
        let (one, two) = (one.await.unwrap(), two.await.unwrap());
        assert_eq!(one.len() + two.len(), 40);
        assert!(ids(&one).is_disjoint(&ids(&two)));
        assert_eq!(&ids(&one) | &ids(&two), queued);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_settled_once_and_only_by_its_holder() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let id = queue(&store, 1, "RRK").await;
        let lease = store.lease_due(at(1), MINUTE, 5, 5).await.unwrap().pop().unwrap();
        assert_eq!(lease.delivery.id, id);
        assert!(store.lease_due(at(60), MINUTE, 5, 5).await.unwrap().is_empty());
        settle(&store, &lease, Settlement::Attempting).await.unwrap();
        let head = store.audit_head().await.unwrap().size;
        assert_eq!(head, 3, "an attempt is audited, a lease is not");
        settle(&store, &lease, Settlement::Delivered(at(2))).await.unwrap();
        let delivery = store.find_delivery(id).await.unwrap().unwrap();
        assert_eq!(delivery.state, DeliveryState::Delivered);
        assert_eq!((delivery.attempts, delivery.delivered_at), (1, Some(at(2))));
        let error = settle(&store, &lease, Settlement::Delivered(at(3))).await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapsed_lease_returns_to_the_pool_and_its_holder_may_not_begin() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        queue(&store, 1, "RRK").await;
        let lapsed = store.lease_due(at(1), MINUTE, 5, 5).await.unwrap().pop().unwrap();
        place.clock().advance(SignedDuration::from_secs(100));
        let error = settle(&store, &lapsed, Settlement::Attempting).await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
        let lease = store.lease_due(at(100), MINUTE, 5, 5).await.unwrap().pop().unwrap();
        let error = settle(&store, &lapsed, Settlement::Delivered(at(100))).await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
        settle(&store, &lease, Settlement::Attempting).await.unwrap();
        let failed = Settlement::Stopped(DeliveryState::Failed, "attempts".to_owned());
        settle(&store, &lease, failed).await.unwrap();
        let counts = store.counts(jiff::civil::date(2026, 11, 2)).await.unwrap();
        assert_eq!((counts.failed, counts.queued), (1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_s_deliveries_to_one_recipient_keep_their_order() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let first = queue(&store, 1, "RRK").await;
        let second = queue(&store, 1, "RRK").await;
        let elsewhere = queue(&store, 1, "RYR").await;
        let leases = store.lease_due(at(1), MINUTE, 9, 9).await.unwrap();
        assert_eq!(ids(&leases), HashSet::from([first, elsewhere]));
        let lease = leases.iter().find(|lease| lease.delivery.id == first).unwrap();
        settle(&store, lease, Settlement::Deferred(at(50))).await.unwrap();
        assert!(store.lease_due(at(2), MINUTE, 9, 9).await.unwrap().is_empty());
        let leases = store.lease_due(at(50), MINUTE, 9, 9).await.unwrap();
        assert_eq!(ids(&leases), HashSet::from([first]));
        settle(&store, &leases[0], Settlement::Delivered(at(51))).await.unwrap();
        assert_eq!(ids(&store.lease_due(at(52), MINUTE, 9, 9).await.unwrap()), [second].into());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_s_backlog_does_not_keep_out_another() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        for person in 0..10 {
            queue(&store, person, "RRK").await;
        }
        let other = queue(&store, 11, "RYR").await;
        let first = store.lease_due(at(1), MINUTE, 4, 2).await.unwrap();
        assert_eq!(first.len(), 2);
        assert_eq!(first[0].delivery.recipient, organisation("RRK"));
        let second = store.lease_due(at(1), MINUTE, 4, 2).await.unwrap();
        assert_eq!(ids(&second), HashSet::from([other]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_delivery_takes_its_lease_with_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let id = queue(&store, 1, "RRK").await;
        let lease = store.lease_due(at(1), MINUTE, 5, 5).await.unwrap().pop().unwrap();
        let stop = Write::Stop(id, DeliveryState::Withdrawn, "consent.withdrawn".to_owned());
        let change = Change::because(event(EventKind::DeliveryWithdrawn)).write(stop);
        store.commit(change).await.unwrap();
        let error = settle(&store, &lease, Settlement::Attempting).await.unwrap_err();
        assert!(matches!(error, StoreError::LeaseLost), "{error:?}");
        assert!(store.lease_due(at(200), MINUTE, 5, 5).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_whoever_waits_for_work_here_and_on_other_gateways() {
    on_both_engines(async |place: Place| {
        let (store, other) = (place.open().await, place.open().await);
        let hears_others = other.engine_name() == "postgres";
        let long = std::time::Duration::from_secs(20);
        // Lets the listener of the other gateway connect.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        queue(&store, 1, "RRK").await;
        let wait = tokio::time::timeout(long / 2, store.wait_for_work(long)).await;
        assert!(wait.is_ok(), "a signal that came before the wait is not lost");
        if hears_others {
            let wait = tokio::time::timeout(long / 2, other.wait_for_work(long)).await;
            assert!(wait.is_ok(), "the other gateway did not hear of it");
        }
    })
    .await;
}
