//! Guards on people, and the doors a store does not open through.

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
