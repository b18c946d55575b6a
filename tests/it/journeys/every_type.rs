//! The whole catalogue, end to end: every type of message, M01 to M33, from a role that may send it
//! to one that may have it, over real mutual TLS.
//!
//! Each is the synthetic example of its type about a person of its own. It is taken, decided on
//! (with the agreement, the leg, the earlier message or the two people it needs), collected and
//! compared member by member with what was sent, acknowledged, and its effect looked at.

mod carrying;
mod ways;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway::store::TransitionFilter;
use schemas::MessageType;
use tests::{TestGateway, each_engine};
use tokio::runtime::Handle;

use ways::WAYS;

#[test]
fn every_type_of_the_catalogue_is_carried_end_to_end() {
    let kinds: BTreeSet<&str> = WAYS.iter().map(|way| way.kind).collect();
    let all: BTreeSet<&str> = MessageType::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(kinds, all, "exactly every type");
    assert_eq!(WAYS.len(), MessageType::ALL.len(), "each once");
    each_engine("every_type", |gateway| async move {
        let (gateway, neighbour) = gateway.with_neighbour().await;
        let mut failed = Vec::new();
        let mut carried = 0;
        for (number, way) in (200..).zip(WAYS) {
            // One that fails does not hide the others.
            let one = AssertUnwindSafe(|| {
                let carried = carrying::carry(&gateway, &neighbour, (number, way));
                tokio::task::block_in_place(|| Handle::current().block_on(carried));
            });
            match catch_unwind(one) {
                Ok(()) => carried += 1,
                Err(_) => failed.push(way.kind),
            }
        }
        assert!(failed.is_empty(), "these are not carried: {failed:?}");
        assert_eq!(carried, 56, "none is left out");
        the_way_to_adulthood_is_read_in_bounds(&gateway).await;
        gateway.end().await;
    });
}

/// The board's totals open the facts of so many people and no more, the oldest first.
async fn the_way_to_adulthood_is_read_in_bounds(gateway: &TestGateway) {
    let people = async |at_most| {
        let filter = TransitionFilter { on: gateway.today(), party: None, id: None, at_most };
        let store = &gateway.cast.app().store;
        let steps = store.transition_steps(&filter).await.expect("steps");
        let deliveries = store.transition_deliveries(&filter).await.expect("deliveries");
        let of: BTreeSet<_> = steps.iter().map(|step| step.record).collect();
        assert!(deliveries.iter().all(|delivery| of.contains(&delivery.record)), "the same people");
        steps.iter().map(|step| step.transition).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(people(Some(2)).await, 2);
    let all = people(None).await;
    assert!(all > 2, "{all}");
    let board = gateway.la().get("/v1/board", None).await.expect("an answer").json();
    assert_eq!(board["transitions"]["more"], false, "all of {all} were counted: {board}");
}
