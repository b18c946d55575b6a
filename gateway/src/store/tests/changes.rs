//! Changes of state: what may follow what, and what is refused because it came too late.

use jiff::SignedDuration;
use jiff::civil::date;

use super::samples::{at, event, organisation, request, subject};
use super::{Place, on_both_engines};
use crate::audit::EventKind;
use crate::authority::Override;
use crate::queue::{CarrierKind, DeliveryId, DeliveryState, LegState};
use crate::store::{BoardFilter, Change, Settlement, Store, StoreError, Write};

async fn write(store: &Store, write: Write) -> Result<(), StoreError> {
    let change = Change::because(event(EventKind::LegChanged)).write(write);
    store.commit(change).await.map(drop)
}

async fn asked(store: &Store, person: u64, carrier: CarrierKind) -> DeliveryId {
    let asked = request(subject(person), "RRK", carrier);
    store.commit(asked.change).await.unwrap();
    asked.delivery
}

async fn leg_state(store: &Store, id: DeliveryId) -> LegState {
    store.find_leg(id.leg()).await.unwrap().unwrap().state
}

async fn delivery_state(store: &Store, id: DeliveryId) -> DeliveryState {
    store.find_delivery(id).await.unwrap().unwrap().state
}

fn moved(id: DeliveryId, from: LegState, state: LegState) -> Write {
    let answered_on = (state == LegState::Answered).then(|| date(2026, 12, 1));
    Write::LegChanged { leg: id.leg(), from, state, answered_on, expected_on: None }
}

/// Has the only push that is due end this way.
async fn settle(store: &Store, settlement: Settlement) {
    let lease_for = SignedDuration::from_secs(60);
    let leases = store.lease_due(at(0), lease_for, 10, 10).await.unwrap();
    let [lease] = leases.as_slice() else { panic!("{leases:?}") };
    let (delivery, token) = (lease.delivery.id, lease.token);
    write(store, Write::Settle { delivery, token, settlement }).await.unwrap();
}

fn vote(id: DeliveryId, person: &str) -> Write {
    let organisation = organisation("334");
    let basis = crate::authority::Basis::Statute;
    Write::Override(id, Override { person: person.to_owned(), organisation, basis, at: at(1) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leg_changes_only_from_the_state_that_was_read() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let id = asked(&store, 1, CarrierKind::Collect).await;
        write(&store, moved(id, LegState::Waiting, LegState::Answered)).await.unwrap();
        let late = write(&store, moved(id, LegState::Waiting, LegState::Nil)).await.unwrap_err();
        let rule = "the leg has changed meanwhile";
        assert!(matches!(late, StoreError::Conflict { rule: found } if found == rule), "{late:?}");
        assert_eq!(leg_state(&store, id).await, LegState::Answered);
        write(&store, moved(id, LegState::Answered, LegState::Answered)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_leg_that_is_still_owed_becomes_withheld() {
    on_both_engines(async |place: Place| {
        use LegState::{
            Accepted, Answered, Exception, Nil, Redirected, Rejected, Waiting, Withheld,
        };
        let store = place.open().await;
        for (person, state) in (1u64..)
            .zip([Waiting, Accepted, Exception, Answered, Nil, Rejected, Redirected, Withheld])
        {
            let id = asked(&store, person, CarrierKind::Collect).await;
            write(&store, moved(id, Waiting, state)).await.unwrap();
            write(&store, Write::LegWithheld(id.leg())).await.unwrap();
            let wanted = if state.is_open() { Withheld } else { state };
            assert_eq!(leg_state(&store, id).await, wanted, "{state:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_hold_needs_new_votes() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let id = asked(&store, 1, CarrierKind::HttpsPush).await;
        let other = asked(&store, 2, CarrierKind::Collect).await;
        let hold = |id| Write::Stop(id, DeliveryState::Held, "r".to_owned());
        write(&store, hold(other)).await.unwrap();
        write(&store, vote(other, "a")).await.unwrap();
        write(&store, hold(id)).await.unwrap();
        for person in ["a", "b"] {
            write(&store, vote(id, person)).await.unwrap();
        }
        write(&store, Write::Resume(id, at(0))).await.unwrap();
        assert_eq!(store.overrides_for(id).await.unwrap().len(), 2, "they release it");
        write(&store, hold(id)).await.unwrap();
        assert!(store.overrides_for(id).await.unwrap().is_empty());
        write(&store, vote(id, "a")).await.unwrap();
        write(&store, Write::Resume(id, at(0))).await.unwrap();
        settle(&store, Settlement::Stopped(DeliveryState::Held, "r".to_owned())).await;
        assert!(store.overrides_for(id).await.unwrap().is_empty());
        assert_eq!(
            store.overrides_for(other).await.unwrap().len(),
            1,
            "another hold keeps its own"
        );
        let stop = Write::Stop(other, DeliveryState::Withdrawn, "r".to_owned());
        write(&store, stop).await.unwrap();
        assert_eq!(store.overrides_for(other).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_or_is_unknown_may_be_acknowledged_or_sent_again() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        for (person, state) in [(1, DeliveryState::Unknown), (2, DeliveryState::Failed)] {
            let id = asked(&store, person, CarrierKind::HttpsPush).await;
            settle(&store, Settlement::Stopped(state, "r".to_owned())).await;
            assert_eq!(delivery_state(&store, id).await, state);
            write(&store, Write::Resume(id, at(0))).await.unwrap();
            assert_eq!(delivery_state(&store, id).await, DeliveryState::Queued);
            settle(&store, Settlement::Stopped(state, "r".to_owned())).await;
            let accepted = || Write::Acknowledged(id, DeliveryState::Accepted, None, at(3));
            write(&store, accepted()).await.unwrap();
            assert_eq!(delivery_state(&store, id).await, DeliveryState::Accepted);
            let again = write(&store, Write::Resume(id, at(0))).await;
            assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        }
        let held = asked(&store, 3, CarrierKind::Collect).await;
        for state in [DeliveryState::Held, DeliveryState::Withdrawn] {
            write(&store, Write::Stop(held, state, "r".to_owned())).await.unwrap();
            let accepted = Write::Acknowledged(held, DeliveryState::Accepted, None, at(3));
            let refused = write(&store, accepted).await;
            assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_does_not_see_on_the_board_what_is_held_or_withdrawn() {
    on_both_engines(async |place: Place| {
        let store = place.open().await;
        let seen = asked(&store, 1, CarrierKind::Collect).await;
        for (person, state) in [(2, DeliveryState::Held), (3, DeliveryState::Withdrawn)] {
            let id = asked(&store, person, CarrierKind::Collect).await;
            write(&store, Write::Stop(id, state, "r".to_owned())).await.unwrap();
        }
        let filter = BoardFilter::default();
        assert_eq!(store.board(&filter, None, 10).await.unwrap().len(), 3);
        let filter = BoardFilter { out_only: true, ..filter };
        let lines = store.board(&filter, None, 10).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.leg.id).collect::<Vec<_>>(), [seen.leg()]);
    })
    .await;
}
