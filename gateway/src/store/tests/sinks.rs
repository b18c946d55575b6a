//! The cursors of sinks: what a restore does to them, and what a required sink lets through.

use std::sync::Arc;

use super::samples::{at, event};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::entropy::SystemEntropy;
use crate::store::{Change, RequiredSink, Shown, Store, StoreError, Write};

/// A restore is found, as by a partner that holds more of the log.
fn found(size: u64) -> Change {
    let shown = Shown { own_size: 1, size, at: at(0), by: "RRK".to_owned() };
    Change::because(event(EventKind::RestoreFound)).write(Write::RestoreFound(shown))
}

fn confirmed(lost_size: u64) -> Change {
    let write = Write::RestoreConfirmed { lost_size, reason: "exercise".to_owned() };
    Change::because(event(EventKind::RestoreConfirmed)).write(write)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_no_sink_goes_on_under_its_name() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        store.commit(Change::because(event(EventKind::GatewayStarted))).await.unwrap();
        store.sink_confirmed("soc", (0, 1)).await.unwrap();
        assert_eq!(store.sink_cursor("soc").await.unwrap(), 1);
        store.commit(found(9)).await.unwrap();
        let size = store.audit_head().await.unwrap().size;
        let beyond = store.sink_cursor("soc").await.unwrap();
        assert!(beyond > size, "nothing follows it");
        // A batch was under way when the restore was found.
        store.sink_confirmed("soc", (1, 2)).await.unwrap();
        assert_eq!(store.sink_cursor("soc").await.unwrap(), beyond);
        // One that begins anew is not touched when partners show that more was lost.
        store.sink_confirmed("soc-2", (0, 2)).await.unwrap();
        store.commit(found(12)).await.unwrap();
        store.commit(confirmed(12)).await.unwrap();
        assert_eq!(store.sink_cursor("soc-2").await.unwrap(), 2);
        assert_eq!(store.sink_cursor("soc").await.unwrap(), beyond, "not even when it is over");
        // A folder whose last line is of this log sets its cursor right.
        store.sink_confirmed("soc", (beyond, 2)).await.unwrap();
        assert_eq!(store.sink_cursor("soc").await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_sink_that_is_lost_lets_a_restore_be_found_and_confirmed_and_nothing_else() {
    on_both_engines(async |place: Place| {
        let required = RequiredSink { name: "archive".to_owned(), entries: 1, seconds: 5 };
        let keeper = super::chain().requiring(vec![required]);
        let (clock, entropy) = (Arc::clone(&place.clock), Arc::new(SystemEntropy::default()));
        let store = Store::open(place.location.clone(), keeper, clock, entropy).await.unwrap();
        store.sink_confirmed("archive", (0, 1)).await.unwrap();
        store.commit(Change::because(event(EventKind::GatewayStarted))).await.unwrap();
        store.commit(found(9)).await.unwrap();
        let refused = store.commit(Change::because(event(EventKind::RecordAccepted))).await;
        assert!(matches!(refused, Err(StoreError::SinkBehind { .. })), "{refused:?}");
        store.commit(confirmed(9)).await.unwrap();
        let refused = store.sinks_are_near().await;
        assert!(matches!(refused, Err(StoreError::SinkBehind { .. })), "{refused:?}");
    })
    .await;
}
