//! Guards on people, and the doors a store does not open through.

use std::collections::BTreeSet;
use std::time::Duration;

use super::samples::subject;
use super::{Place, on_both_engines};
use crate::store::{Hold, Store, StoreError};

async fn is_free(store: &Store, person: u64, hold: Hold) -> bool {
    let guard = store.subject_guard(subject(person), hold);
    tokio::time::timeout(Duration::from_millis(300), guard).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_waits_for_what_is_being_sent_and_sends_wait_for_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let one = store.subject_guard(subject(1), Hold::Shared).await.unwrap();
        let two = store.subject_guard(subject(1), Hold::Shared).await.unwrap();
        assert!(!is_free(&store, 1, Hold::Exclusive).await);
        assert!(is_free(&store, 2, Hold::Exclusive).await, "another person is not concerned");
        tokio::spawn(async move { drop(one) }).await.unwrap();
        assert!(!is_free(&store, 1, Hold::Exclusive).await);
        drop(two);
        let alone = store.subject_guard(subject(1), Hold::Exclusive).await.unwrap();
        assert!(!is_free(&store, 1, Hold::Shared).await);
        drop(alone);
        assert!(is_free(&store, 1, Hold::Shared).await);
        assert_eq!(store.subjects.len(), 0, "a guard that nobody holds is forgotten");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_on_one_server_wait_for_each_other() {
    on_both_engines(async |place: Place| {
        let (here, there) = (place.open().await, place.open().await);
        if here.engine_name() == "sqlite" {
            return;
        }
        let sending = here.subject_guard(subject(1), Hold::Shared).await.unwrap();
        assert!(is_free(&there, 1, Hold::Shared).await);
        assert!(!is_free(&there, 1, Hold::Exclusive).await);
        drop(sending);
        let alone = there.subject_guard(subject(1), Hold::Exclusive).await.unwrap();
        assert!(!is_free(&here, 1, Hold::Shared).await);
        drop(alone);
        let again = here.subject_guard(subject(1), Hold::Shared);
        assert!(tokio::time::timeout(Duration::from_secs(10), again).await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_people_are_guarded_at_once() {
    on_both_engines(async |place: Place| {
        let (here, there) = (place.open().await, place.open().await);
        let people: BTreeSet<_> = (0..100).map(subject).collect();
        let taken = here.subject_guards(&people, Hold::Exclusive);
        let guards = tokio::time::timeout(Duration::from_secs(20), taken).await.unwrap().unwrap();
        let elsewhere = if here.engine_name() == "sqlite" { &here } else { &there };
        for person in [0, 57, 99] {
            assert!(!is_free(elsewhere, person, Hold::Shared).await);
        }
        assert!(is_free(elsewhere, 100, Hold::Exclusive).await);
        drop(guards);
        assert_eq!(here.subjects.len(), 0);
        let again = elsewhere.subject_guards(&people, Hold::Shared);
        assert!(tokio::time::timeout(Duration::from_secs(20), again).await.unwrap().is_ok());
        let nobody = here.subject_guards(&BTreeSet::new(), Hold::Exclusive).await;
        assert!(nobody.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sets_of_people_that_overlap_do_not_wait_for_each_other_for_ever() {
    on_both_engines(async |place: Place| {
        let here = place.open().await;
        // On a server the second set is taken by another gateway.
        let there = if here.engine_name() == "sqlite" { here.clone() } else { place.open().await };
        let takers =
            [(here.clone(), 0..40), (there, 20..60), (here, 10..50)].map(|(store, range)| {
                let people: BTreeSet<_> = range.map(subject).collect();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        drop(store.subject_guards(&people, Hold::Exclusive).await.unwrap());
                    }
                })
            });
        for taker in takers {
            tokio::time::timeout(Duration::from_secs(30), taker).await.unwrap().unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_up_waiting_for_many_leaves_nothing_locked() {
    on_both_engines(async |place: Place| {
        let (here, there) = (place.open().await, place.open().await);
        let people: BTreeSet<_> = (0..3).map(subject).collect();
        let other = if here.engine_name() == "sqlite" { &here } else { &there };
        // Numbers are taken in order, so the first is held when the last is waited for.
        let last = other.subject_guard(subject(2), Hold::Exclusive).await.unwrap();
        let waiting = here.subject_guards(&people, Hold::Exclusive);
        assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
        drop(last);
        let again = other.subject_guards(&people, Hold::Exclusive);
        assert!(tokio::time::timeout(Duration::from_secs(20), again).await.unwrap().is_ok());
        assert_eq!(here.subjects.len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_must_be_there_is_not_made() {
    on_both_engines(async |place: Place| {
        let existing = async |location: crate::store::StoreLocation| {
            let clock = std::sync::Arc::clone(&place.clock);
            let entropy = std::sync::Arc::new(crate::entropy::SystemEntropy::default());
            Store::open_existing(location, super::chain(), clock, entropy).await
        };
        if matches!(place.location, crate::store::StoreLocation::Sqlite { .. }) {
            let error = existing(place.location.clone()).await.unwrap_err();
            let setting = "database file: it does not exist";
            assert!(matches!(error, StoreError::Setting { setting: s } if s == setting));
            assert!(!place.file().exists());
        }
        place.open().await.close().await;
        let store = existing(place.location.clone()).await.unwrap();
        if store.engine_name() == "sqlite" {
            let copy = place.folder.path().join("copy.db");
            store.copy_to(&copy).await.unwrap();
            let location = crate::store::StoreLocation::Sqlite { path: copy };
            assert_eq!(existing(location).await.unwrap().audit_head().await.unwrap().size, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_newer_than_the_program_is_refused() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut tx = store.engine.begin().await.unwrap();
        tx.script("insert into migrations (number, name, applied_at) values (9999, 'later', 0)")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        let error = place.try_open().await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 9999, .. }), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_data_that_contradicts_itself_is_named_by_place_and_not_by_content() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = super::samples::request(subject(1), "RRK", crate::queue::CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        let mut tx = store.engine.begin().await.unwrap();
        tx.script("update records set recipients = 'not json', sender = '?'").await.unwrap();
        tx.commit().await.unwrap();
        let error = store.find_record(asked.record).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("stored data contradicts itself: records.sender, row {}", asked.record)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_file_belongs_to_its_owner_only() {
    on_both_engines(async |place: Place| {
        use std::os::unix::fs::PermissionsExt;
        let store = place.open().await;
        if store.engine_name() == "sqlite" {
            let mode = std::fs::metadata(place.file()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_cannot_be_used_is_refused_without_repeating_it() {
    let url = crate::store::DatabaseUrl::new("postgres://user:hunter2@:::/?");
    assert_eq!(format!("{url:?}"), "DatabaseUrl(hidden)");
    let place = crate::store::StoreLocation::Postgres { url };
    let clock = std::sync::Arc::new(crate::clock::SystemClock);
    let entropy = std::sync::Arc::new(crate::entropy::SystemEntropy::default());
    let error = Store::open(place, super::chain(), clock, entropy).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
