//! A witness on the network: its listener, over mutual TLS, for the gateways in its partners file.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bind;
use crate::clock::Clock;
use crate::config::{Partners, TlsSection};
use crate::peer::Peers;
use crate::serving::ServeError;
use crate::tls::{self, Limits, ServerTls, TrustNews};
use crate::witness::Witness;

/// A witness that serves.
#[derive(Debug)]
pub struct RunningWitness {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Starts to serve a witness. `partners` is the file that lists the gateways that may ask.
pub async fn serve_witness(
    witness: Arc<Witness>,
    listen: SocketAddr,
    (settings, partners): (&TlsSection, &Path),
    clock: Arc<dyn Clock>,
) -> Result<RunningWitness, ServeError> {
    let known = Partners::load(partners).map_err(crate::app::AppError::from)?;
    let peers = Arc::new(Peers::new(known));
    let tls = ServerTls::load(settings, Some(partners.to_owned()), peers, clock);
    let tls = Arc::new(tls.map_err(crate::app::AppError::from)?);
    let (listener, address) = bind(listen).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let router = crate::api::witness::router(witness);
    tasks.spawn(tls::serve(listener, Arc::clone(&tls), router, LIMITS, stop.clone()));
    tasks.spawn(tls.watch(stop.clone(), |news| async move {
        if let TrustNews::Kept(error) = &news {
            let error = crate::telemetry::chain(error);
            tracing::error!(error, "trust files were not read again; the last ones stay");
        }
        true
    }));
    tasks.close();
    Ok(RunningWitness { address, stop, tasks })
}

impl RunningWitness {
    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops taking questions and answers those it has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

/// A gateway asks a few times a minute, over one connection.
const LIMITS: Limits = Limits {
    connections_max: NonZeroUsize::MIN.saturating_add(255),
    handshake_timeout: Duration::from_secs(10),
    header_timeout: Duration::from_mins(1),
    drain_timeout: Duration::from_secs(5),
};
