//! Commits: together when they wait together, alone when they fail, never without their entries.

use super::samples::{
    at, consent, delivery, event, hash, organisation, record, request, subject, submission,
};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::queue::{CarrierKind, DeliveryState, LegState};
use crate::store::{Change, Store, StoreError, Write};
use schemas::record::ConsentStatus;

fn started() -> Change {
    Change::because(event(EventKind::GatewayStarted))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_appends_one_entry_and_every_group_one_checkpoint() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        assert_eq!(store.audit_head().await.unwrap().size, 0);
        assert_eq!(store.latest_checkpoint().await.unwrap(), None);
        let first = store.commit(started()).await.unwrap();
        assert_eq!((first.first_seq, first.last_seq), (0, 0));
        let three = started().and(event(EventKind::AuditViewed)).join(started());
        let second = store.commit(three).await.unwrap();
        assert_eq!((second.first_seq, second.last_seq), (1, 3));
        let rows = store.audit_rows(0, 100).await.unwrap();
        let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [0, 1, 2, 3]);
        assert_eq!(rows[0].nodes.len(), 32);
        let checkpoints = store.checkpoints(0, 100).await.unwrap();
        let sizes: Vec<u64> = checkpoints.iter().map(|checkpoint| checkpoint.size).collect();
        assert_eq!(sizes, [1, 4]);
        assert_eq!(checkpoints[1].note, second.checkpoint);
        assert_eq!(store.latest_checkpoint().await.unwrap().unwrap(), checkpoints[1]);
        let some = store.audit_rows_at(&[3, 1, 1, 99]).await.unwrap();
        assert_eq!(some.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(some[1], rows[3]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_concurrent_commits_share_transactions_and_lose_nothing() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let commits: Vec<_> = (0..100)
            .map(|number| {
                let (store, request) =
                    (store.clone(), request(subject(number), "RRK", CarrierKind::Collect));
                tokio::spawn(async move { (store.commit(request.change).await, request.record) })
            })
            .collect();
        let mut seqs = Vec::new();
        for commit in commits {
            let (committed, record) = commit.await.unwrap();
            let committed = committed.unwrap();
            seqs.extend([committed.first_seq, committed.last_seq]);
            assert!(store.find_record(record).await.unwrap().is_some());
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (0..200).collect::<Vec<u64>>());
        assert_eq!(store.audit_head().await.unwrap().size, 200);
        let traffic = store.traffic();
        assert_eq!(traffic.changes, 100);
        assert!(traffic.transactions < 60, "{traffic:?}");
        assert_eq!(store.counts(jiff::civil::date(2026, 12, 15)).await.unwrap().overdue, 100);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_change_in_a_group_fails_alone() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let taken = submission("taken");
        store.commit(started().write(Write::Submission(taken.clone()))).await.unwrap();
        let mut waiting = Vec::new();
        for number in 0..20 {
            let key = if number == 7 { "taken".to_owned() } else { format!("free-{number}") };
            let change = started().write(Write::Submission(submission(&key)));
            let store = store.clone();
            waiting.push(tokio::spawn(async move { store.commit(change).await }));
        }
        for (number, commit) in waiting.into_iter().enumerate() {
            match commit.await.unwrap() {
                Ok(_) => assert_ne!(number, 7),
                Err(error) => {
                    assert!(matches!(error, StoreError::KeyTaken), "{error:?}");
                    assert_eq!(number, 7);
                }
            }
        }
        assert_eq!(store.audit_head().await.unwrap().size, 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_key_and_a_known_reference_are_told_apart() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let first = submission("key");
        store.commit(started().write(Write::Submission(first.clone()))).await.unwrap();
        let again = started().write(Write::Submission(submission("key")));
        let error = store.commit(again).await.unwrap_err();
        assert!(matches!(error, StoreError::KeyTaken), "{error:?}");
        let mut other = submission("key");
        other.sender = organisation("335");
        store.commit(started().write(Write::Submission(other))).await.unwrap();

        let mut one = record(first.id, subject(1));
        one.identity = hash(77);
        let mut two = record(first.id, subject(2));
        two.identity = hash(77);
        store.commit(started().write(Write::Record(one.clone()))).await.unwrap();
        let known = store.find_duplicate(hash(77)).await.unwrap();
        assert_eq!(known, Some((one.sealed.record, one.fingerprint)));
        let error = store.commit(started().write(Write::Record(two))).await.unwrap_err();
        assert!(matches!(error, StoreError::DuplicateRecord), "{error:?}");
        assert_eq!(store.audit_head().await.unwrap().size, 3, "a refused change leaves no entry");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_types_promise_the_database_checks_again() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        let mut wrong_status = submission("status");
        wrong_status.status = 999;
        let mut delivered = delivery(asked.record, "RRK", CarrierKind::Collect);
        delivered.state = DeliveryState::Delivered;
        let nowhere =
            delivery(schemas::RecordId(super::samples::id()), "RRK", CarrierKind::Collect);
        let orphan = record(crate::queue::SubmissionId(super::samples::id()), subject(1));
        let no_leg = Write::LegChanged {
            leg: schemas::LegId(super::samples::id()),
            from: LegState::Waiting,
            state: LegState::Nil,
            answered_on: None,
            expected_on: None,
        };
        for write in [
            Write::Submission(wrong_status),
            Write::Delivery(delivered),
            Write::Delivery(nowhere),
            Write::Record(orphan),
            Write::Resume(asked.delivery, at(1)),
            Write::Stop(asked.delivery, DeliveryState::Accepted, "rule".to_owned()),
            Write::Acknowledged(asked.delivery, DeliveryState::Queued, None, at(1)),
            no_leg,
        ] {
            let shown = format!("{write:?}");
            let error = store.commit(started().write(write)).await.unwrap_err();
            assert!(matches!(error, StoreError::Conflict { .. }), "{error:?} for {shown}");
        }
        assert_eq!(store.audit_head().await.unwrap().size, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_commits_whole_or_not_at_all() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let doomed = asked.change.write(Write::Resume(asked.delivery, at(1)));
        let error = store.commit(doomed).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        assert!(store.find_record(asked.record).await.unwrap().is_none());
        let sender = organisation("334");
        assert!(store.find_submission(&sender, &asked.key).await.unwrap().is_none());
        assert_eq!(store.audit_head().await.unwrap().size, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_when_the_log_cannot_be_extended() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let unspeakable = event(EventKind::GatewayStarted).with("step", "refuse");
        let change = Change::because(unspeakable).write(Write::Submission(submission("k")));
        let error = store.commit(change).await.unwrap_err();
        assert!(matches!(error, StoreError::Log(_)), "{error:?}");
        assert!(store.find_submission(&organisation("334"), "k").await.unwrap().is_none());
        store.commit(started()).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reopening_goes_on_where_the_log_ended() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        store.commit(started()).await.unwrap();
        let head = store.audit_head().await.unwrap();
        store.close().await;
        let refused = store.commit(started()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Closed), "{refused:?}");
        let store = place.open().await;
        assert_eq!(store.audit_head().await.unwrap(), head);
        assert_eq!(store.commit(started()).await.unwrap().first_seq, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_database_share_one_log() {
    on_both_engines(async |place: Place| {
        let stores = [place.open().await, place.open().await];
        // One after the other at each store, so that groups are small and meet often.
        let workers = stores.map(|store: Store| {
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                for _ in 0..50 {
                    seqs.push(store.commit(started()).await.unwrap().first_seq);
                }
                seqs
            })
        });
        let mut seqs = Vec::new();
        for worker in workers {
            seqs.extend(worker.await.unwrap());
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (0..100).collect::<Vec<u64>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_over_is_committed_although_the_caller_went_away_and_before_the_end() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        for number in 0..10 {
            let change = started().write(Write::Submission(submission(&format!("k{number}"))));
            let commit = store.commit(change);
            // One poll hands it over; then the caller is gone.
            drop(tokio::time::timeout(std::time::Duration::ZERO, commit).await);
        }
        store.close().await;
        assert_eq!(place.open().await.audit_head().await.unwrap().size, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_versions_count_up_for_each_person() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        store.commit(asked.change).await.unwrap();
        for (person, status) in
            [(1, ConsentStatus::Given), (2, ConsentStatus::Refused), (1, ConsentStatus::Withdrawn)]
        {
            let new = consent(subject(person), asked.record, status);
            store.commit(started().write(Write::Consent(new))).await.unwrap();
        }
        let ledger = store.consents_for(subject(1)).await.unwrap();
        let mut wanted = consent(subject(1), asked.record, ConsentStatus::Given).entry;
        wanted.version = 1;
        assert_eq!(ledger[0], wanted);
        assert_eq!((ledger[1].version, ledger[1].status), (2, ConsentStatus::Withdrawn));
        assert_eq!(ledger.len(), 2);
        assert_eq!(store.consents_for(subject(2)).await.unwrap()[0].version, 1);
    })
    .await;
}
