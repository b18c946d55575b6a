//! Everything that concerns a person is found, by indexes, however an entry names them.

use jiff::civil::date;

use super::samples::{at, event, hash, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::{Event, EventKind};
use crate::queue::CarrierKind;
use crate::store::engine::{Engine, Statement};
use crate::store::log::ENTRIES_NAMING;
use crate::store::value::values;
use crate::store::{Change, IdentityKind, IdentityWrite, NewIdentity, Store, Write};

async fn commit(store: &Store, event: Event) -> u64 {
    store.commit(Change::because(event)).await.unwrap().first_seq
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_name_a_pseudonym_a_record_or_only_a_delivery_are_all_found() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (number, own_id, stranger) = (subject(1), subject(2), subject(9));
        let one = request(own_id, "RRK", CarrierKind::Collect);
        let other = request(stranger, "RRK", CarrierKind::Collect);
        let (record, delivery) = (one.record, one.delivery);
        let (foreign_record, foreign_delivery) = (other.record, other.delivery);
        let accepted = store.commit(one.change).await.unwrap().last_seq;
        store.commit(other.change).await.unwrap();
        let mut expected = vec![accepted];

        let mut by_subject = event(EventKind::CaseViewed);
        by_subject.subject = Some(number);
        expected.push(commit(&store, by_subject).await);
        let mut by_record = event(EventKind::LegReminded);
        by_record.record = Some(record);
        expected.push(commit(&store, by_record).await);
        let mut by_delivery = event(EventKind::HoldAnswered);
        by_delivery.delivery = Some(delivery);
        expected.push(commit(&store, by_delivery).await);
        let mut all_three = event(EventKind::DeliveryCollected);
        (all_three.subject, all_three.record) = (Some(own_id), Some(record));
        all_three.delivery = Some(delivery);
        expected.push(commit(&store, all_three).await);
        // Of somebody else, and of nobody.
        let mut foreign = event(EventKind::HoldAnswered);
        (foreign.record, foreign.delivery) = (Some(foreign_record), Some(foreign_delivery));
        commit(&store, foreign).await;
        commit(&store, event(EventKind::BoardViewed)).await;

        let seqs = async |before, limit| {
            let entries = store.entries_concerning(number, before, limit).await.unwrap();
            entries.into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(1000, 100).await, expected[1..2], "not yet known to be one person");
        let identity = IdentityWrite::Identity(NewIdentity {
            record,
            kind: IdentityKind::Match,
            old: own_id,
            subject: number,
            demographics: hash(77),
            effective_on: date(2026, 11, 2),
            recorded_by: organisation("334"),
            recorded_at: at(3),
        });
        let mut matched = event(EventKind::IdentityRecorded);
        matched.subject = Some(number);
        let change = Change::because(matched).write(Write::Identity(identity));
        expected.push(store.commit(change).await.unwrap().first_seq);
        expected.reverse();
        assert_eq!(seqs(1000, 100).await, expected, "newest first, each once");
        assert_eq!(seqs(1000, 2).await, expected[..2]);
        assert_eq!(seqs(expected[1], 100).await, expected[2..], "from before a place");
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_not_read_through_to_find_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        if let Engine::Sqlite { .. } = &store.engine {
            let ask: &'static str =
                Box::leak(format!("explain query plan {}", ENTRIES_NAMING.sqlite).into());
            let ask = Statement { table: "plan", sqlite: ask, postgres: ask };
            let rows = store.engine.rows(&ask, values![subject(1).0, 10_u64, 10_u32]).await;
            let steps: Vec<String> =
                rows.unwrap().iter().map(|row| row.text("detail").unwrap()).collect();
            let indexed = |name: &str| steps.iter().any(|step| step.contains(name));
            for index in ["audit_entries_subject", "audit_entries_record", "audit_entries_delivery"]
            {
                assert!(indexed(index), "{index} is not used: {steps:?}");
            }
            let read_through = |step: &&String| {
                step.starts_with("SCAN") && !step.contains("SUBQUERY") && !step.contains('(')
            };
            let scans: Vec<_> = steps.iter().filter(read_through).collect();
            assert!(scans.is_empty(), "{steps:?}");
        }
        store.close().await;
    })
    .await;
}
