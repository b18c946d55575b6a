//! Wake-ups: something may be ready to be sent.
//!
//! A signal only saves waiting. Whoever waits also polls, so a lost one costs time and nothing
//! else. Gateways on one PostgreSQL hear each other through `listen`.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Store;
use super::engine::Engine;

/// Raised by commits, here or on another gateway.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    raised: Arc<Notify>,
    closed: CancellationToken,
}

impl Signal {
    /// A signal; on PostgreSQL also one that hears the other gateways.
    pub(super) fn open(engine: &Engine) -> Self {
        let signal = Self { raised: Arc::new(Notify::new()), closed: CancellationToken::new() };
        if let Engine::Postgres { locks, .. } = engine {
            tokio::spawn(signal.clone().listen(locks.clone()));
        }
        signal
    }

    /// Wakes one waiter, or the next to come.
    pub(super) fn raise(&self) {
        self.raised.notify_one();
    }

    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    async fn listen(self, pool: PgPool) {
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = self.hear(&pool) => {}
            }
            // The server went away: polling is the floor until it is back.
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Passes notifications on until the connection breaks.
    async fn hear(&self, pool: &PgPool) {
        let Ok(mut listener) = PgListener::connect_with(pool).await else { return };
        if listener.listen("ehc_work").await.is_ok() {
            while listener.recv().await.is_ok() {
                self.raise();
            }
        }
    }
}

impl Store {
    /// Returns when something may be ready to be sent, or after `timeout`: callers poll then.
    pub async fn wait_for_work(&self, timeout: Duration) {
        // A timeout is as good as a signal.
        drop(tokio::time::timeout(timeout, self.signal.raised.notified()).await);
    }
}

const RETRY: Duration = Duration::from_secs(1);
