//! On the network: the partners' listener, the operator's, the worker and the watchers.
//!
//! [`start`] returns once partners can connect; [`Running::stop`] finishes what has begun, then
//! closes the store.

mod witness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, AppError};
use crate::audit::{Actor, Event, EventKind};
use crate::backup;
use crate::clock::Clock;
use crate::config::Config;
use crate::documents::caretaker;
use crate::entropy::Entropy;
use crate::intake;
use crate::outsiders;
use crate::publication;
use crate::queue::worker;
use crate::restore;
use crate::settings;
use crate::sinks;
use crate::store::Change;
use crate::tls::{self, Limits, ServerTls, TrustChange, TrustNews, TrustPrints};

pub use witness::{RunningWitness, serve_witness};

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    app: Arc<App>,
    address: SocketAddr,
    admin: SocketAddr,
    mllp: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why the gateway does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It could not be put together.
    #[error(transparent)]
    App(#[from] AppError),
    /// A listener could not be opened.
    #[error("{address} cannot be listened on; choose another port or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Starts a gateway from its configuration.
pub async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Running, ServeError> {
    let limits = Limits::from(&config.gateway);
    let (listen, admin_listen) = (config.gateway.listen, config.gateway.admin_listen);
    let partners_file = Some(config.files.partners.clone());
    let settings = config.tls.clone();
    let mllp = config.mllp.clone();
    let allow_tls12 = mllp.as_ref().is_some_and(|mllp| mllp.allow_tls12);
    let app = Arc::new(App::open(config, Arc::clone(&clock), entropy).await?);
    let peers = Arc::clone(&app.peers);
    let tls = ServerTls::load(&settings, partners_file, peers, clock).map_err(AppError::from)?;
    let tls = Arc::new(tls.with_tls12_for_streams(allow_tls12).map_err(AppError::from)?);
    restore::look_at_file(&app).await?;
    publication::look_at_folder(&app).await?;
    sinks::look_at_folders(&app).await?;
    outsiders::ask_at_start(&app).await?;
    outsiders::say_if_alone(&app);
    backup::sweep_quietly(&app.config);
    record_start(&app, &tls).await?;

    let (listener, address) = bind(listen).await?;
    let (admin_listener, admin) = bind(admin_listen).await?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let router = crate::api::router(&app);
    let serving = tls::serve(listener, Arc::clone(&tls), router, limits, stop.clone());
    tasks.spawn(async move {
        let served = serving.await;
        tracing::info!(cut_off = served.cut_off, "the partners' listener has stopped");
    });
    let admin_router = crate::api::admin_router(&app);
    let admin_stop = stop.clone();
    tasks.spawn(async move {
        let stopped = async move { admin_stop.cancelled().await };
        let served = axum::serve(admin_listener, admin_router).with_graceful_shutdown(stopped);
        if let Err(error) = served.await {
            tracing::error!(%error, "the operator's listener failed");
        }
    });
    let mllp = match mllp {
        Some(settings) => {
            let (listener, address) = bind(settings.listen).await?;
            let served = (Arc::clone(&app), Arc::clone(&tls));
            tasks.spawn(intake::mllp::serve(served, listener, (limits, settings), stop.clone()));
            Some(address)
        }
        None => None,
    };
    tasks.spawn(worker::run(Arc::clone(&app), stop.clone()));
    tasks.spawn(intake::mesh::run(Arc::clone(&app), stop.clone()));
    tasks.spawn(caretaker::run(Arc::clone(&app), stop.clone()));
    tasks.spawn(restore::keep_newest(Arc::clone(&app), stop.clone()));
    take_outside(&app, &tasks, &stop);
    tasks.spawn(do_duties(Arc::clone(&app), stop.clone()));
    tasks.spawn(watch_trust(Arc::clone(&app), Arc::clone(&tls), stop.clone()));
    tasks.spawn(write_down_refusals(Arc::clone(&app), tls, stop.clone()));
    for partner in app.peers.partners().iter() {
        let who = partner.organisation.clone();
        if partner.watch.is_some() {
            tasks.spawn(intake::folder::run(Arc::clone(&app), who.clone(), stop.clone()));
        }
        if partner.folder.is_some() {
            tasks.spawn(intake::acknowledgements::run(Arc::clone(&app), who, stop.clone()));
        }
    }
    tasks.close();
    tracing::info!(%address, %admin, engine = app.store.engine_name(), "serving on {address}");
    Ok(Running { app, address, admin, mllp, stop, tasks })
}

impl Running {
    /// The gateway's parts.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Where partners connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health and metrics are.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Where HL7 v2 comes in, if it does.
    pub fn mllp_address(&self) -> Option<SocketAddr> {
        self.mllp
    }

    /// Stops taking requests, finishes what has begun, and closes the store.
    pub async fn stop(self) {
        self.app.begin_stopping();
        self.stop.cancel();
        self.tasks.wait().await;
        let event = Event::new(EventKind::GatewayStopped, Actor::gateway());
        if let Err(error) = self.app.store.commit(Change::because(event)).await {
            let chain = crate::telemetry::chain(&error);
            tracing::warn!(error = %chain, "the stop could not be written down");
        }
        restore::keep_now(&self.app).await;
        self.app.store.close().await;
    }
}

/// The log goes to its folder, its sinks and its witnesses, to each at its own pace.
fn take_outside(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    tasks.spawn(publication::keep_published(Arc::clone(app), stop.clone()));
    for place in 0..app.config.audit.witnesses.len() {
        tasks.spawn(outsiders::keep_cosigned(Arc::clone(app), place, stop.clone()));
    }
    for state in app.sinks.each() {
        tasks.spawn(sinks::follow(Arc::clone(app), Arc::clone(state), stop.clone()));
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let fail = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}

/// The start is an entry, and so is trust that changed while the gateway was down.
async fn record_start(app: &App, tls: &ServerTls) -> Result<(), AppError> {
    let event = Event::new(EventKind::GatewayStarted, Actor::gateway())
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("engine", app.store.engine_name())
        .with("clock", app.clock.source());
    let mut change = Change::because(event);
    if let Some(changed) = settings::at_start(app, &tls.prints()).await? {
        change = change.join(changed);
    }
    app.store.commit(change).await?;
    Ok(())
}

/// Puts changed certificates, lists and partners in force, once the change is in the log.
async fn watch_trust(app: Arc<App>, tls: Arc<ServerTls>, stop: CancellationToken) {
    let now = Arc::clone(&tls);
    tls.watch(stop, move |news| {
        let (app, now) = (Arc::clone(&app), now.prints());
        async move { may_take_effect(&app, &now, news).await }
    })
    .await;
}

/// Writes a change of trust down; it takes effect only when that was done.
async fn may_take_effect(app: &App, now: &TrustPrints, news: TrustNews) -> bool {
    match news {
        TrustNews::Changing(changes, then) => {
            let what: Vec<&str> = changes.iter().map(TrustChange::name).collect();
            let partners = changes.iter().find_map(|change| match change {
                TrustChange::Partners { canonical_text } => Some(canonical_text.as_str()),
                TrustChange::Certificate
                | TrustChange::Authorities
                | TrustChange::RevocationLists => None,
            });
            let in_force = app.peers.partners().canonical_text();
            let partners = partners.unwrap_or(&in_force);
            let change = settings::at_reload((&in_force, now), (partners, &then));
            let written = match change {
                Some(change) => app.store.commit(change).await.map(drop),
                None => Ok(()),
            };
            match written {
                Ok(()) => {
                    tracing::info!(?what, "trust files were read again");
                    app.carriers.renew();
                    true
                }
                Err(error) => {
                    let chain = crate::telemetry::chain(&error);
                    tracing::error!(error = %chain, "a change of trust could not be written down");
                    false
                }
            }
        }
        TrustNews::Kept(error) => {
            let chain = crate::telemetry::chain(&error);
            tracing::error!(error = %chain, "trust files were not read again; the last ones stay");
            false
        }
    }
}

/// Does what falls due by itself.
async fn do_duties(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(DUTIES_EVERY) => {}
            () = stop.cancelled() => return,
        }
        // What fails is logged where it fails, and tried again.
        let _done = crate::duties::run_due(&app).await;
    }
}

/// Counts refused connections into the log: one entry per reason and interval, so that a flood
/// of strangers does not become a flood of entries.
async fn write_down_refusals(app: Arc<App>, tls: Arc<ServerTls>, stop: CancellationToken) {
    let (mut last, mut waiting) = (false, BTreeMap::<&'static str, u64>::new());
    while !last {
        tokio::select! {
            () = tokio::time::sleep(REFUSALS_EVERY) => {}
            () = stop.cancelled() => last = true,
        }
        for (reason, count) in tls.refusals().drain() {
            app.metrics.refused_connections(reason, count);
            let all = waiting.entry(reason).or_default();
            *all = all.saturating_add(count);
        }
        let changes = waiting.iter().map(|(reason, count)| {
            let event = Event::new(EventKind::ConnectionRefused, Actor::gateway())
                .with("reason", reason)
                .with("count", count);
            Change::because(event)
        });
        let Some(change) = changes.reduce(Change::join) else { continue };
        match app.store.commit(change).await {
            Ok(_) => waiting.clear(),
            // They are counted on, and written down when the log can be written again.
            Err(error) => {
                let chain = crate::telemetry::chain(&error);
                tracing::error!(error = %chain, "refused connections could not be written down");
            }
        }
    }
}

/// How often the gateway looks for what has fallen due.
const DUTIES_EVERY: Duration = Duration::from_mins(1);
/// How often refused connections are written down.
const REFUSALS_EVERY: Duration = Duration::from_secs(5);
