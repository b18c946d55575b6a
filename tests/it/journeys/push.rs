//! Push: to the partner's own endpoint, again until it takes it, once in effect.

use std::time::Duration;

use gateway::practice::Behaviour;
use jiff::SignedDuration;
use tests::each_engine;

#[test]
fn a_push_is_tried_again_until_the_endpoint_takes_it() {
    each_engine("push_again", |gateway| async move {
        let endpoint = &gateway.cast.endpoint;
        endpoint.behave(Behaviour::Unavailable);
        let leg = gateway.request(1, "SALT").await;
        endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
        endpoint.behave(Behaviour::Take);
        gateway.clock.advance(SignedDuration::from_mins(5));
        let parcels = endpoint.wait_for(1, Duration::from_secs(20)).await;
        assert_eq!(parcels.len(), 1);
        assert_eq!(parcels[0].0, leg, "the delivery's id is the idempotency key");
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "delivered");
        gateway.end().await;
    });
}

#[test]
fn an_endpoint_that_refuses_for_good_leaves_it_to_a_person() {
    each_engine("push_refused", |gateway| async move {
        gateway.cast.endpoint.behave(Behaviour::Refuse);
        gateway.request(2, "SALT").await;
        gateway.cast.endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
        gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
        assert_eq!(gateway.board(gateway.la()).await[0]["delivery"], "failed");
        gateway.end().await;
    });
}
