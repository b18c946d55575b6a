//! The worker: leases what is due, attempts it, and sleeps until there is more.
//!
//! Work happens outside transactions. A worker that dies loses its lease, and another takes over;
//! the recipient tells the second copy by the delivery's id.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::app::App;
use crate::pipeline::{self, CollectError};
use crate::queue::{DeliveryId, Lease};
use crate::store::StoreError;

/// Runs until told to stop; attempts that have begun are finished.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let attempts = TaskTracker::new();
    while !stop.is_cancelled() {
        let free = IN_FLIGHT_MAX.saturating_sub(attempts.len());
        let leases = match u32::try_from(free).unwrap_or(0) {
            0 => Vec::new(),
            free => match lease(&app, free).await {
                Ok(leases) => leases,
                Err(error) => {
                    let chain = crate::telemetry::chain(&error);
                    tracing::error!(error = %chain, "the queue could not be read");
                    Vec::new()
                }
            },
        };
        let idle = leases.is_empty();
        for lease in leases {
            let (app, stop) = (Arc::clone(&app), stop.clone());
            attempts.spawn(async move {
                let (delivery, token) = (lease.delivery.id, lease.token);
                if let Err(error) = pipeline::dispatch(&app, lease).await {
                    let chain = crate::telemetry::chain(&error);
                    tracing::error!(%delivery, error = %chain, "attempt for {delivery} failed");
                    if let CollectError::Store(error) = error
                        && is_passing(&error)
                    {
                        give_back(&app, (delivery, token), &stop).await;
                    }
                }
            });
        }
        if idle {
            tokio::select! {
                () = app.store.wait_for_work(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    attempts.close();
    attempts.wait().await;
}

async fn lease(app: &App, free: u32) -> Result<Vec<Lease>, StoreError> {
    if app.store.unconfirmed_restore().await?.is_some() {
        return Ok(Vec::new());
    }
    // Nothing is claimed that could not be written down.
    if app.store.sinks_are_near().await.is_err() {
        return Ok(Vec::new());
    }
    let settings = &app.config.delivery;
    let lease_for = SignedDuration::from_secs(settings.lease_seconds.get().into());
    let per_partner = u32::try_from(settings.in_flight_per_partner.get()).unwrap_or(u32::MAX);
    app.store.lease_due(app.clock.now(), lease_for, free, per_partner).await
}

/// Whether what kept an attempt from being written down passes without anybody's doing.
fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::SinkBehind { .. })
}

/// Lets a delivery go again as soon as something can be written, not only when its lease lapses.
async fn give_back(app: &App, (delivery, token): (DeliveryId, Uuid), stop: &CancellationToken) {
    let mut waited = Duration::ZERO;
    let lapses = Duration::from_secs(app.config.delivery.lease_seconds.get().into());
    while waited < lapses && !stop.is_cancelled() {
        if app.store.is_writable().await.is_ok() && app.store.sinks_are_near().await.is_ok() {
            // Otherwise it is tried again; the lease lapses at last.
            if app.store.give_back(delivery, token).await.is_ok() {
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => waited = waited.saturating_add(AGAIN),
            () = stop.cancelled() => {}
        }
    }
}

/// How often it is tried to give a lease back.
const AGAIN: Duration = Duration::from_secs(1);
/// Attempts under way at once, over all partners.
const IN_FLIGHT_MAX: usize = 16;
/// The floor when no wake-up arrives.
const POLL: Duration = Duration::from_millis(500);
