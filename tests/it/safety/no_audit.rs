//! No audit, no release: while the log cannot be written nothing is accepted and nothing leaves, health
//! says why, and everything goes on by itself within five seconds.

use std::time::{Duration, Instant};

use gateway::practice::{Behaviour, people};
use jiff::SignedDuration;
use tests::faults::Beside;
use tests::{Engine, TestGateway, each_engine};

/// What is promised, and what a machine with other things to do may take.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn without_entries_nothing_is_accepted_or_released_and_service_resumes_by_itself() {
    each_engine("no_entries", |gateway| async move {
        let mut beside = Beside::of(&gateway).await;
        let waiting = prepared(&gateway).await;
        let size = gateway.cast.app().log_size().await.expect("a size");

        beside.refuse_entries().await;
        not_ready(&gateway, "not ready: the audit log cannot be written: ").await;
        not_ready(&gateway, "made up fault").await;
        nothing_goes(&gateway, &waiting).await;
        for _ in 0..3 {
            gateway.operator_page("/readyz").await;
        }
        assert_eq!(gateway.cast.app().log_size().await.expect("a size"), size, "health adds none");

        beside.take_entries().await;
        everything_goes(&gateway, &waiting).await;
        gateway.end().await;
    });
}

#[test]
fn a_database_that_takes_no_writes_stops_everything_until_it_takes_them_again() {
    each_engine("locked", |gateway| async move {
        let mut beside = Beside::of(&gateway).await;
        let waiting = prepared(&gateway).await;
        beside.lock().await;
        not_ready(&gateway, "has not taken a write").await;
        let held = Instant::now();
        nothing_goes(&gateway, &waiting).await;
        eprintln!("{:?}: refused after {:?}", gateway.engine, held.elapsed());
        beside.unlock().await;
        everything_goes(&gateway, &waiting).await;
        gateway.end().await;
    });
}

#[test]
fn a_server_that_cannot_be_reached_stops_everything_until_it_can() {
    each_engine("unreachable", |gateway| async move {
        // An embedded database is a file: it cannot be away without the gateway.
        if gateway.engine == Engine::Postgres {
            let waiting = prepared(&gateway).await;
            let (mut server, name) = Beside::of_server(&gateway).await;
            server.run(&format!("alter database {name} allow_connections false")).await;
            let end = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
            );
            server.run(&end).await;
            not_ready(&gateway, "not ready: the audit log cannot be written").await;
            let message =
                people::request("334", "AR-X", &people::child(9), &["CAMHS"], gateway.today());
            let reply = gateway.la().send("AR-X", &message).await.expect("an answer");
            assert_eq!(reply.status, 503, "{}", reply.text());
            server.run(&format!("alter database {name} allow_connections true")).await;
            everything_goes(&gateway, &waiting).await;
        }
        gateway.end().await;
    });
}

/// One delivery to be collected, one push that is due again in five minutes.
async fn prepared(gateway: &TestGateway) -> String {
    assert!(gateway.operator_page("/readyz").await.contains("\r\n\r\nready\n"));
    gateway.cast.endpoint.behave(Behaviour::Unavailable);
    gateway.request(1, "SALT").await;
    gateway.cast.endpoint.wait_for_attempts(1, Duration::from_secs(20)).await;
    gateway.cast.wait_until_idle(Duration::from_secs(20)).await;
    gateway.request(2, "CAMHS").await;
    gateway.cast.endpoint.behave(Behaviour::Take);
    gateway.inbox(gateway.mental()).await.remove(0)
}

/// Health says so, and why, within five seconds.
async fn not_ready(gateway: &TestGateway, why: &str) {
    let since = Instant::now();
    loop {
        let page = gateway.operator_page("/readyz").await;
        if page.starts_with("HTTP/1.0 503") && page.contains(why) {
            return;
        }
        assert!(since.elapsed() < SOON, "{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn nothing_goes(gateway: &TestGateway, waiting: &str) {
    gateway.clock.advance(SignedDuration::from_mins(5));
    let message = people::request("334", "AR-3", &people::child(3), &["CAMHS"], gateway.today());
    let path = format!("/v1/inbox/{waiting}");
    let (sent, fetched) =
        tokio::join!(gateway.la().send("AR-3", &message), gateway.mental().get(&path, None));
    for reply in [sent.expect("an answer"), fetched.expect("an answer")] {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(reply.json()["code"], "temporarily-unavailable", "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(gateway.cast.endpoint.parcels().is_empty(), "something was pushed");
    assert!(gateway.operator_page("/readyz").await.contains("not ready"));
}

async fn everything_goes(gateway: &TestGateway, waiting: &str) {
    let since = Instant::now();
    let ready = || async { gateway.operator_page("/readyz").await.contains("\r\n\r\nready\n") };
    while !ready().await {
        assert!(since.elapsed() < SOON, "it did not get ready by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let message = people::request("334", "AR-3", &people::child(3), &["CAMHS"], gateway.today());
    let sent = gateway.la().send("AR-3", &message).await.expect("an answer");
    assert_eq!(sent.status, 201, "{}", sent.text());
    let fetched = gateway.mental().get(&format!("/v1/inbox/{waiting}"), None).await;
    assert_eq!(fetched.expect("an answer").status, 200);
    assert!(since.elapsed() < SOON, "service took {:?} to resume", since.elapsed());
    // What was due waits for its own time, or for the lease to be given back.
    gateway.clock.advance(SignedDuration::from_mins(5));
    gateway.cast.endpoint.wait_for(1, SOON).await;
    assert!(!gateway.cast.endpoint.parcels().is_empty(), "the push did not go");
    eprintln!("{:?}: resumed within {:?}", gateway.engine, since.elapsed());
}
