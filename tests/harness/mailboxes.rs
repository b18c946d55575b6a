//! A whole gateway with a mailbox, and a trust that is reached through its own.

use std::future::Future;
use std::time::Duration;

use gateway::practice::Trust;
use gateway::practice::mailbox::PracticeMesh;

use crate::gateway::{Engine, TestGateway, each_engine_prepared};

/// Runs a test on each engine, with one trust reached through a practice MESH.
pub fn each_engine_by_mesh<F, T>(name: &str, trust: Trust, test: F)
where
    F: Fn(TestGateway, PracticeMesh) -> T,
    T: Future<Output = ()>,
{
    each_engine_prepared(
        name,
        &async |stage, clock| stage.open_mesh(trust, clock).await.expect("a practice MESH"),
        test,
    );
}

/// One such gateway on SQLite, for tests that are about something other than the store.
pub async fn one_by_mesh(trust: Trust) -> (TestGateway, PracticeMesh) {
    TestGateway::prepared(Engine::Sqlite, None, &async |stage, clock| {
        stage.open_mesh(trust, clock).await.expect("a practice MESH")
    })
    .await
}

/// Waits until something holds, for ten seconds at most; whether it does.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..400 {
        if holds().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
