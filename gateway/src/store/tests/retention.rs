//! Removing what is over: only what nothing waits for, and never against a legal hold.

use jiff::Timestamp;
use uuid::Uuid;

use super::samples::{at, blob, event, hash, id, organisation, quarantine, request, subject};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::queue::{CarrierKind, DeliveryState};
use crate::store::{
    Change, HOLDS_MOVED, HeldScope, HoldActor, Lifted, Mark, NewCertificate, NewLegalHold,
    Removable, Removal, RetentionWrite, StaffMember, Store, StoreError, WatchWrite, Write,
};

fn removal(what: Removable, item: Uuid) -> RetentionWrite {
    RetentionWrite::Removed(Removal {
        what,
        item,
        class: "transit-copy",
        sha256: hash(5),
        rule_version: "r-1:abc".to_owned(),
    })
}

/// Each under an event of its own, as a removal must be.
async fn apply(store: &Store, writes: Vec<RetentionWrite>) -> Result<(), StoreError> {
    let mut change = Change::because(event(EventKind::ContentRemoved));
    for write in writes {
        change = change.and(event(EventKind::RecordRemoved)).write(Write::Retention(write));
    }
    store.commit(change).await.map(drop)
}

fn by(who: &str) -> HoldActor {
    HoldActor { organisation: organisation("334"), person: format!("p-{who}"), who: who.to_owned() }
}

fn rule(result: Result<(), StoreError>) -> &'static str {
    match result {
        Err(StoreError::Conflict { rule }) => rule,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_goes_once_nothing_waits_for_it_and_leaves_its_row() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let made = request(subject(1), "RRK", CarrierKind::Collect);
        let (record, delivery) = (made.record, made.delivery);
        store.commit(made.change).await.unwrap();
        let submission = store.find_record(record).await.unwrap().unwrap().submission;
        let all = || store.kept_records(at(1_000_000), None, 10);
        let kept = all().await.unwrap();
        assert!(kept[0].waiting && kept[0].open_in_case, "{kept:?}");
        assert_eq!(kept[0].whose.subject, Some(subject(1)));
        let waits = apply(&store, vec![removal(Removable::SealedCopy, record.0)]).await;
        assert!(rule(waits).contains("nothing waits"));

        let stop = Write::Stop(delivery, DeliveryState::Withdrawn, "r".to_owned());
        let stop = Change::because(event(EventKind::DeliveryWithdrawn)).write(stop);
        store.commit(stop.write(Write::LegWithheld(delivery.leg()))).await.unwrap();
        let kept = all().await.unwrap();
        assert!(!kept[0].waiting && !kept[0].open_in_case, "{kept:?}");
        let early = apply(&store, vec![removal(Removable::Original, submission.0)]).await;
        assert!(rule(early).contains("nothing waits"), "what it became is still there");
        let early = apply(&store, vec![removal(Removable::Label, record.0)]).await;
        assert!(rule(early).contains("nothing waits"));
        let both = vec![
            removal(Removable::SealedCopy, record.0),
            removal(Removable::Original, submission.0),
            removal(Removable::Label, record.0),
        ];
        apply(&store, both).await.unwrap();
        assert!(all().await.unwrap().is_empty());
        let stored = store.find_record(record).await.unwrap().unwrap();
        assert!(stored.sealed.is_removed() && stored.label.is_removed());
        assert!(store.submission(submission).await.unwrap().unwrap().original.is_removed());
        assert!(store.sealed_envelopes(None, 10).await.unwrap().is_empty());
        assert_eq!(store.kept_bytes(Removable::SealedCopy, record.0).await.unwrap(), None);
        let again = apply(&store, vec![removal(Removable::SealedCopy, record.0)]).await;
        assert!(again.is_err());
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_marks_of_a_person_go_with_the_last_sealed_copy_about_them() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let mark = Mark::Surname(hash(7));
        let (who, people) = (organisation("334"), [subject(1), subject(2)]);
        let member = StaffMember { person: "p-1".to_owned(), marks: [mark].into() };
        let staff = Write::Watch(WatchWrite::Staff(who.clone(), vec![member]));
        store.commit(Change::because(event(EventKind::ContentRemoved)).write(staff)).await.unwrap();
        let mut records = Vec::new();
        for about in [people[0], people[0], people[1]] {
            let made = request(about, "RRK", CarrierKind::Collect);
            records.push(made.record);
            let marks = Write::Watch(WatchWrite::SubjectMarks(about, [mark].into()));
            store.commit(made.change.write(marks)).await.unwrap();
            let stop = Write::Stop(made.delivery, DeliveryState::Withdrawn, "r".to_owned());
            let stop = Change::because(event(EventKind::DeliveryWithdrawn)).write(stop);
            let owed = Write::LegWithheld(made.delivery.leg());
            store.commit(stop.write(owed)).await.unwrap();
        }
        let told = async |about| {
            let found = store.in_common((who.as_str(), "p-1"), about).await.unwrap();
            found.surname_shared_by.is_some()
        };
        let gone = |which: usize| vec![removal(Removable::SealedCopy, records[which].0)];
        apply(&store, gone(0)).await.unwrap();
        assert!(told(people[0]).await, "another record of theirs is there");
        apply(&store, gone(1)).await.unwrap();
        assert!(!told(people[0]).await);
        assert!(told(people[1]).await, "somebody else's are as they were");
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_names_its_entry_and_is_certified_once() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let made = request(subject(1), "RRK", CarrierKind::Collect);
        let (record, delivery) = (made.record, made.delivery);
        store.commit(made.change).await.unwrap();
        let submission = store.find_record(record).await.unwrap().unwrap().submission;
        let item = quarantine(submission);
        let (quarantined, sealed) = (item.id, item.sealed.clone());
        let change = Change::because(event(EventKind::RecordQuarantined));
        store.commit(change.write(Write::Quarantine(item))).await.unwrap();
        assert_eq!(sealed, blob("row"));
        let stop = Write::Stop(delivery, DeliveryState::Withdrawn, "r".to_owned());
        let stop = Change::because(event(EventKind::DeliveryWithdrawn)).write(stop);
        store.commit(stop.write(Write::LegWithheld(delivery.leg()))).await.unwrap();
        let contents = store.contents_of(&[submission.0, Uuid::nil()]).await.unwrap();
        assert_eq!(contents.len(), 1, "nothing was made of the other");
        let contents = &contents[&submission.0];
        assert_eq!(contents.iter().filter(|one| one.is_record).count(), 1);
        assert_eq!(contents.len(), 2);

        let first = store.audit_head().await.unwrap().size;
        let step = |kind| Change::because(event(kind));
        let change = step(EventKind::RecordRemoved)
            .write(Write::Retention(removal(Removable::SealedCopy, record.0)))
            .and(event(EventKind::ContentRemoved))
            .write(Write::Retention(removal(Removable::Quarantine, quarantined)));
        store.commit(change).await.unwrap();
        let listed = store.uncertified(10).await.unwrap();
        assert_eq!(listed.iter().map(|one| one.entry).collect::<Vec<_>>(), [first, first + 1]);
        assert_eq!(listed[0].sha256, hash(5));
        let all = store.removals((Timestamp::MIN, Timestamp::MAX), None, 10).await.unwrap();
        assert_eq!(all, listed);

        let certificate = |items| NewCertificate {
            id: id(),
            items,
            last_entry: first + 1,
            certificate: "a.b.c".to_owned(),
        };
        let certify = async |items| {
            let write = Write::Retention(RetentionWrite::Certified(certificate(items)));
            store.commit(step(EventKind::DeletionCertified).write(write)).await.map(drop)
        };
        assert!(rule(certify(3).await).contains("certified before"));
        certify(2).await.unwrap();
        assert!(certify(2).await.is_err(), "once");
        assert!(store.uncertified(10).await.unwrap().is_empty());
        let made = store.deletion_certificates(10).await.unwrap();
        assert_eq!((made.len(), made[0].items), (1, 2));
        let removed = store.removal_of(Removable::SealedCopy, record.0).await.unwrap().unwrap();
        assert_eq!(removed.certificate, Some(made[0].id));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legal_hold_that_came_meanwhile_stops_a_removal_and_only_another_person_lifts_it() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let made = request(subject(1), "RRK", CarrierKind::Collect);
        let (record, delivery) = (made.record, made.delivery);
        store.commit(made.change).await.unwrap();
        let stop = Write::Stop(delivery, DeliveryState::Withdrawn, "r".to_owned());
        let stop = Change::because(event(EventKind::DeliveryWithdrawn)).write(stop);
        store.commit(stop.write(Write::LegWithheld(delivery.leg()))).await.unwrap();
        let hold = NewLegalHold {
            id: id(),
            scope: HeldScope::Person(subject(1)),
            reason: "litigation".to_owned(),
            reference: "C/1".to_owned(),
            by: by("one"),
        };
        apply(&store, vec![RetentionWrite::HoldPlaced(hold.clone())]).await.unwrap();
        let gone = || removal(Removable::SealedCopy, record.0);
        let old = apply(&store, vec![RetentionWrite::HoldsAre(0, 0), gone()]).await;
        assert_eq!(rule(old), HOLDS_MOVED);
        let lift = async |who| {
            let lifted = Lifted { reason: "request-answered".to_owned(), by: by(who) };
            apply(&store, vec![RetentionWrite::HoldLifted(hold.id, lifted)]).await
        };
        assert!(rule(lift("one").await).contains("another person"));
        lift("two").await.unwrap();
        assert!(lift("three").await.is_err(), "once");
        let stored = store.legal_hold(hold.id).await.unwrap().unwrap();
        assert_eq!(stored.hold, hold);
        assert_eq!(stored.lifted.unwrap().0.by, by("two"));
        apply(&store, vec![RetentionWrite::HoldsAre(1, 1), gone()]).await.unwrap();
        store.close().await;
    })
    .await;
}
