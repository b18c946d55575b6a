//! Pseudonyms that mean one person are asked for together, whatever is asked.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::date;
use schemas::RecordId;
use schemas::record::ConsentStatus;

use super::samples::{at, consent, event, hash, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::{EventKind, SubjectKey};
use crate::queue::CarrierKind;
use crate::store::{
    CaseKey, CasePerson, Change, Hold, IdentityKind, IdentityWrite, NewIdentity, Store, StoreError,
    Write,
};

async fn identity(store: &Store, write: IdentityWrite) -> Result<(), StoreError> {
    let change = Change::because(event(EventKind::IdentityRecorded)).write(Write::Identity(write));
    store.commit(change).await.map(drop)
}

fn says(record: RecordId, kind: IdentityKind, old: SubjectKey, new: SubjectKey) -> IdentityWrite {
    IdentityWrite::Identity(NewIdentity {
        record,
        kind,
        old,
        subject: new,
        demographics: hash(77),
        effective_on: date(2026, 11, 2),
        recorded_by: organisation("334"),
        recorded_at: at(3),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_under_one_pseudonym_follows_the_person_to_the_others() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let (a, b, c, stranger) = (subject(1), subject(2), subject(3), subject(9));
        let (of_a, of_b) =
            (request(a, "RRK", CarrierKind::Collect), request(b, "RRK", CarrierKind::Collect));
        let (record_a, record_b) = (of_a.record, of_b.record);
        let (delivery_a, delivery_b) = (of_a.delivery, of_b.delivery);
        store.commit(of_a.change).await.unwrap();
        store.commit(of_b.change).await.unwrap();
        let recorded = |subject, record, seconds, status| {
            let mut new = consent(subject, record, status);
            new.entry.recorded_at = at(seconds);
            Change::because(event(EventKind::ConsentRecorded)).write(Write::Consent(new))
        };
        for (subject, record, seconds, status) in [
            (a, record_a, 1, ConsentStatus::Given),
            (a, record_a, 5, ConsentStatus::Given),
            (b, record_b, 3, ConsentStatus::Withdrawn),
        ] {
            store.commit(recorded(subject, record, seconds, status)).await.unwrap();
        }
        assert_eq!(store.consents_for(c).await.unwrap().len(), 0);
        identity(&store, says(record_a, IdentityKind::Match, a, b)).await.unwrap();
        identity(&store, says(record_b, IdentityKind::Merge, b, c)).await.unwrap();
        for one in [a, b, c] {
            assert_eq!(store.pseudonyms_of(one).await.unwrap(), BTreeSet::from([a, b, c]));
            let ledger = store.consents_for(one).await.unwrap();
            let order: Vec<_> = ledger.iter().map(|e| (e.version, e.recorded_at)).collect();
            assert_eq!(order, [(1, at(1)), (2, at(3)), (3, at(5))], "one ledger, in order of time");
            let queued = store.queued_for_subject(one).await.unwrap();
            let ids: BTreeSet<_> = queued.iter().map(|delivery| delivery.id).collect();
            assert_eq!(ids, BTreeSet::from([delivery_a, delivery_b]));
            assert_eq!(store.legs_about(one, &organisation("RRK")).await.unwrap().len(), 2);
            assert!(store.has_record_about(&organisation("334"), one).await.unwrap());
            assert!(store.has_dealt_with(&organisation("RRK"), one).await.unwrap());
            assert!(!store.has_dealt_with(&organisation("RYR"), one).await.unwrap());
            assert!(store.accepted_demographics(one).await.unwrap().contains(&hash(77)));
        }
        assert_eq!(store.pseudonyms_of(stranger).await.unwrap(), BTreeSet::from([stranger]));
        assert!(store.queued_for_subject(stranger).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_on_one_pseudonym_guards_the_person() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let record = asked.record;
        store.commit(asked.change).await.unwrap();
        let said = says(record, IdentityKind::Match, subject(1), subject(2));
        identity(&store, said).await.unwrap();
        let sending = store.subject_guard(subject(1), Hold::Shared).await.unwrap();
        let withdrawal = store.subject_guard(subject(2), Hold::Exclusive);
        let waited = tokio::time::timeout(Duration::from_millis(200), withdrawal).await;
        assert!(waited.is_err(), "a withdrawal under the other pseudonym waits for the send");
        drop(sending);
        let withdrawal = store.subject_guard(subject(2), Hold::Exclusive);
        let taken = tokio::time::timeout(Duration::from_secs(10), withdrawal).await.unwrap();
        drop(taken.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_is_known_under_every_pseudonym() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let second = request(subject(2), "RRK", CarrierKind::Collect);
        let (first_record, second_record) = (asked.record, second.record);
        store.commit(asked.change).await.unwrap();
        store.commit(second.change).await.unwrap();
        assert_eq!(store.death_of(subject(1)).await.unwrap(), None);
        let death = says(first_record, IdentityKind::Death, subject(1), subject(1));
        identity(&store, death).await.unwrap();
        assert_eq!(store.death_of(subject(1)).await.unwrap(), Some(at(3)));
        assert_eq!(store.death_of(subject(2)).await.unwrap(), None);
        let tie = says(second_record, IdentityKind::Match, subject(1), subject(2));
        identity(&store, tie).await.unwrap();
        assert_eq!(store.death_of(subject(2)).await.unwrap(), Some(at(3)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_about_the_person_it_was_opened_for() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let asked = request(subject(1), "RRK", CarrierKind::Collect);
        let record = asked.record;
        store.commit(asked.change).await.unwrap();
        let key = |owner: &str| CaseKey { owner: organisation(owner), reference: hash(50) };
        let person = |number| CasePerson { subject: subject(number), demographics: hash(2) };
        let open =
            |owner: &str, number| IdentityWrite::CaseOpened(key(owner), person(number), record);
        assert_eq!(store.find_case(&key("334")).await.unwrap(), None);
        identity(&store, open("334", 1)).await.unwrap();
        identity(&store, open("334", 1)).await.unwrap();
        let other = identity(&store, open("334", 2)).await;
        assert!(matches!(other, Err(StoreError::Conflict { .. })), "{other:?}");
        assert_eq!(store.find_case(&key("334")).await.unwrap(), Some(person(1)));
        identity(&store, open("330", 2)).await.unwrap();
        identity(&store, IdentityWrite::ActedFor(record, "who".to_owned())).await.unwrap();
        assert_eq!(store.acted_for(record).await.unwrap().as_deref(), Some("who"));
    })
    .await;
}
