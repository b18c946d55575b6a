//! A removal and what it must not cross: something that is leaving, a case that is open, a restore that
//! nobody has confirmed. And documents that end, whose key goes with that.

use jiff::SignedDuration;
use schemas::RecordId;
use uuid::Uuid;

use super::samples::{at, event, hash, id, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::documents::DocumentState;
use crate::queue::{CarrierKind, DeliveryId, DeliveryState, LegState};
use crate::store::{
    Change, HoldWrite, NewDocument, NewReview, NewSend, REMOVED_MEANWHILE, Removable, Removal,
    RetentionWrite, Shown, Store, StoreError, Write,
};
use crate::vault::segments::DocumentHeader;

async fn write(store: &Store, kind: EventKind, write: Write) -> Result<(), StoreError> {
    store.commit(Change::because(event(kind)).write(write)).await.map(drop)
}

fn gone(what: Removable, item: Uuid) -> Write {
    Write::Retention(RetentionWrite::Removed(Removal {
        what,
        item,
        class: "transit-copy",
        sha256: hash(5),
        rule_version: "r-1:abc".to_owned(),
    }))
}

async fn remove(store: &Store, record: RecordId) -> Result<(), StoreError> {
    write(store, EventKind::RecordRemoved, gone(Removable::SealedCopy, record.0)).await
}

fn rule(result: Result<(), StoreError>) -> &'static str {
    match result {
        Err(StoreError::Conflict { rule }) => rule,
        other => panic!("{other:?}"),
    }
}

/// A request that was collected and answered: nothing of it waits.
async fn over(store: &Store, person: u64) -> (RecordId, DeliveryId) {
    let made = request(subject(person), "RRK", CarrierKind::Collect);
    let (record, delivery) = (made.record, made.delivery);
    store.commit(made.change).await.unwrap();
    write(store, EventKind::DeliveryCollected, Write::Collected(delivery, at(1))).await.unwrap();
    leg(store, delivery, (LegState::Waiting, LegState::Answered)).await;
    (record, delivery)
}

async fn leg(store: &Store, delivery: DeliveryId, (from, state): (LegState, LegState)) {
    let leg = delivery.leg();
    let changed = Write::LegChanged { leg, from, state, answered_on: None, expected_on: None };
    write(store, EventKind::LegChanged, changed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_removed_record_leaves_and_nothing_that_leaves_is_removed() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (record, delivery) = over(&store, 1).await;
        let send = NewSend { id: id(), subject: Some(subject(1)), ledger: 0, until: at(100) };
        let collected = || Write::Collected(delivery, at(2));
        let again = Change::because(event(EventKind::DeliveryCollected));
        store.commit(again.write(Write::Sending(send)).write(collected())).await.unwrap();
        assert!(rule(remove(&store, record).await).contains("nothing waits"), "it is leaving");
        let (other, _) = over(&store, 2).await;
        remove(&store, other).await.unwrap();
        store.end_sending(send.id).await.unwrap();
        let kept = || Write::Retention(RetentionWrite::StillKept(record));
        write(&store, EventKind::ConsentViewed, kept()).await.unwrap();
        remove(&store, record).await.unwrap();

        let late = write(&store, EventKind::DeliveryCollected, collected()).await;
        assert_eq!(rule(late), REMOVED_MEANWHILE);
        let late = write(&store, EventKind::ConsentViewed, kept()).await;
        assert_eq!(rule(late), REMOVED_MEANWHILE);
        assert!(store.find_record(record).await.unwrap().unwrap().sealed.is_removed());

        // A send that was never ended lapses.
        let (record, _) = over(&store, 3).await;
        let send = NewSend { id: id(), subject: Some(subject(3)), ledger: 0, until: at(100) };
        store.begin_sending(&send).await.unwrap();
        assert!(remove(&store, record).await.is_err());
        place.clock().advance(SignedDuration::from_secs(101));
        remove(&store, record).await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_stays_while_its_case_is_open_or_its_emergency_is_not_reviewed() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (record, delivery) = over(&store, 1).await;
        leg(&store, delivery, (LegState::Answered, LegState::Accepted)).await;
        assert!(rule(remove(&store, record).await).contains("nothing waits"), "it is owed again");
        leg(&store, delivery, (LegState::Accepted, LegState::Answered)).await;
        remove(&store, record).await.unwrap();
        leg(&store, delivery, (LegState::Answered, LegState::Accepted)).await;
        let label = || gone(Removable::Label, record.0);
        let open = write(&store, EventKind::ContentRemoved, label()).await;
        assert!(rule(open).contains("nothing waits"), "the board still shows it");
        leg(&store, delivery, (LegState::Accepted, LegState::Answered)).await;
        write(&store, EventKind::ContentRemoved, label()).await.unwrap();

        let made = request(subject(2), "RRK", CarrierKind::Collect);
        let (record, delivery) = (made.record, made.delivery);
        store.commit(made.change).await.unwrap();
        let held = Write::Stop(delivery, DeliveryState::Held, "r.hold".to_owned());
        write(&store, EventKind::DeliveryHeld, held).await.unwrap();
        let review = NewReview {
            id: id(),
            delivery,
            organisation: organisation("334"),
            person: "person-a".to_owned(),
            who: "a".to_owned(),
            basis: "vital-interests".to_owned(),
            reason: "risk-to-life".to_owned(),
            rule: "r.hold".to_owned(),
            at: at(2),
        };
        let opened = Write::Hold(HoldWrite::ReviewOpened(review));
        write(&store, EventKind::HoldBroken, opened).await.unwrap();
        let resume = Write::Resume(delivery, at(3));
        write(&store, EventKind::HoldBroken, resume).await.unwrap();
        let collected = Write::Collected(delivery, at(4));
        write(&store, EventKind::DeliveryCollected, collected).await.unwrap();
        leg(&store, delivery, (LegState::Waiting, LegState::Answered)).await;
        let kept = store.kept_records(at(1_000), None, 10).await.unwrap();
        assert!(kept.iter().any(|kept| kept.under_review && !kept.open_in_case), "{kept:?}");
        assert!(rule(remove(&store, record).await).contains("nothing waits"));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_was_planned_before_a_restore_was_found_is_not_committed() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (record, _) = over(&store, 1).await;
        let removal = || {
            Change::because(event(EventKind::RecordRemoved))
                .write(Write::Retention(RetentionWrite::HoldsAre(0, 0)))
                .write(gone(Removable::SealedCopy, record.0))
        };
        let size = store.audit_head().await.unwrap().size;
        let by = "RRK".to_owned();
        let shown = Shown { own_size: size, size: size + 9, at: at(5), by };
        write(&store, EventKind::RestoreFound, Write::RestoreFound(shown)).await.unwrap();
        let held = store.commit(removal()).await.map(drop);
        assert!(matches!(held, Err(StoreError::HeldAfterRestore)), "{held:?}");
        assert!(!store.find_record(record).await.unwrap().unwrap().sealed.is_removed());
        let confirmed =
            Write::RestoreConfirmed { lost_size: size + 9, reason: "exercise".to_owned() };
        write(&store, EventKind::RestoreConfirmed, confirmed).await.unwrap();
        store.commit(removal()).await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_document_goes_with_the_commit_that_ends_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mut documents = Vec::new();
        for _ in 0..3 {
            let new = NewDocument {
                id: id(),
                owner: organisation("334"),
                size: 3,
                declared_sha256: None,
                header: DocumentHeader(vec![1, 2, 3]),
            };
            documents.push(new.id);
            write(&store, EventKind::DocumentBegun, Write::DocumentBegun(new)).await.unwrap();
        }
        let moved = async |document, state| {
            let moved = Write::DocumentMoved {
                document,
                from: DocumentState::Uploading,
                state,
                reason: Some("document-type".to_owned()),
                found: None,
            };
            // The stand-in of the log takes nothing that says "refused".
            write(&store, EventKind::DocumentAbandoned, moved).await.unwrap();
        };
        assert!(store.document_received(documents[0], (0, 3), at(1)).await.unwrap());
        moved(documents[0], DocumentState::Refused).await;
        moved(documents[1], DocumentState::Abandoned).await;
        let left = async || {
            let left = store.uncleared_documents(None, 10).await.unwrap();
            left.into_iter().map(|one| (one.id, one.header.0)).collect::<Vec<_>>()
        };
        assert_eq!(left().await, [(documents[0], vec![]), (documents[1], vec![])]);
        let after = store.uncleared_documents(Some(documents[0]), 10).await.unwrap();
        assert_eq!(after.len(), 1);
        let untouched = store.find_document(documents[2]).await.unwrap().unwrap();
        assert_eq!(untouched.header.0, [1, 2, 3]);
        assert_eq!(store.forget_ended_keys(at(2)).await.unwrap(), 0, "none was left");
        store.document_cleared(documents[0], at(3)).await.unwrap();
        assert_eq!(left().await, [(documents[1], vec![])]);
        store.close().await;
    })
    .await;
}
