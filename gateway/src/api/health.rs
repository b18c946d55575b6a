//! Is it well, and who am I? Health and metrics live on a listener of their own, loopback only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use super::Caller;
use crate::app::App;
use crate::outsiders::Reach;
use crate::sinks::State as SinkState;
use crate::store::StoreError;
use crate::telemetry::Ages;

/// The router of the operator's own listener: `/livez`, `/readyz`, `/metrics`.
pub fn admin_router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(app))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if let Some(why) = why_not(&app).await {
        tracing::warn!(why, "not ready: what happens cannot be written down");
        return (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response();
    }
    match app.store.unconfirmed_restore().await {
        Ok(None) => {
            format!("ready\n{}{}", lost_sinks(&app), nothing_outside(&app).await).into_response()
        }
        Ok(Some(restore)) if restore.shown_by == crate::restore::BY_COMMAND => format!(
            "held: this database was restored from a backup of {} entries; nothing is released \
             until the consent ledger has caught up: see ehc-gateway restore show
",
            restore.own_size
        )
        .into_response(),
        // Ready to take consent decisions, which is what it waits for.
        Ok(Some(restore)) => format!(
            "held: this database is older than what {} holds ({} entries against {}); nothing is \
             released until the consent ledger has caught up: see ehc-gateway restore show\n",
            restore.shown_by, restore.own_size, restore.lost_size
        )
        .into_response(),
        Err(error) => {
            tracing::warn!(error = %crate::telemetry::chain(&error), "not ready: the store failed");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the store does not answer\n")
                .into_response()
        }
    }
}

/// Why nothing is accepted or released: no audit, no release.
async fn why_not(app: &App) -> Option<String> {
    if let Err(why) = app.store.is_writable().await {
        return Some(format!("the audit log cannot be written: {why}"));
    }
    match app.store.sinks_are_near().await {
        Err(StoreError::SinkBehind { sink, entries }) => {
            let fault = app.sinks.by_name(&sink).and_then(SinkState::fault);
            let fault = fault.map_or_else(|| "it is slow".to_owned(), |fault| fault.to_string());
            Some(format!(
                "the audit log does not reach its sink {sink}, which is required: {fault}; it has not \
                 confirmed {entries} entries"
            ))
        }
        // What else is wrong with the store is said of the store.
        Err(_) | Ok(()) => None,
    }
}

/// A line for each sink that takes no entries and does not have to.
fn lost_sinks(app: &App) -> String {
    let lines = app.sinks.each().filter_map(|state| {
        let fault = state.fault()?;
        Some(format!("the audit sink {} takes no entries: {fault}\n", state.settings.name))
    });
    lines.collect()
}

/// A line when nothing outside holds the newest checkpoint although something should.
async fn nothing_outside(app: &App) -> String {
    let Ok(reach) = Reach::of(app).await else { return String::new() };
    let late = reach.late_since(app.clock.now(), app.opened_at);
    late.map_or_else(String::new, |seconds| {
        format!(
            "nothing outside holds the newest checkpoint of the log: the first that is missing there was \
             signed {seconds} seconds ago or earlier; see ehc-gateway audit status\n"
        )
    })
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    if let Ok(counts) = app.store.counts(app.clock.today()).await {
        app.metrics.queue(&counts);
    }
    if let Ok((open, days)) = crate::reconciliation::open_differences(&app, None).await {
        app.metrics.differences(open, days);
    }
    if let Ok(Some(day)) = app.store.newest_transition_day().await {
        app.metrics.transitions(&day);
    }
    let now = app.clock.now();
    if let Ok(Some(newest)) = app.store.newest_backup().await {
        let age = u64::try_from(now.duration_since(newest.made_at).as_secs()).unwrap_or(0);
        let settings = &app.config.backup;
        let every = settings.to.as_ref().map_or(0, |_| settings.every_hours.get());
        app.metrics.backup(age, u64::from(every) * 3600);
    }
    if let Ok(holds) = app.store.holds_by_rule(None).await {
        app.metrics.ageing(Ages::Holds, &holds, now);
    }
    if let Ok(reviews) = app.store.reviews_open(None).await {
        app.metrics.ageing(Ages::Reviews, reviews.as_slice(), now);
    }
    if let Ok(alerts) = app.store.alerts_by_rule(None).await {
        app.metrics.ageing(Ages::Alerts, &alerts, now);
    }
    if let Ok(size) = app.log_size().await {
        for state in app.sinks.each() {
            let lost = state.fault().is_some();
            app.metrics.sink(&state.settings.name, size.saturating_sub(state.next()), lost);
        }
    }
    if let Ok(reach) = Reach::of(&app).await {
        app.metrics.outside(reach.age(now));
        for holder in &reach.holders {
            app.metrics.holder(&holder.name, holder.age(now));
        }
    }
    let text = app.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

pub(super) async fn who_am_i(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    Json(serde_json::json!({
        "organisation": caller.peer.organisation(),
        "name": caller.peer.name(),
        "roles": caller.peer.roles(),
        "certificate": format!("sha256:{}", caller.peer.pin().to_hex()),
        "key_exchange": caller.peer.key_exchange().name(),
        "gateway": app.organisation(),
    }))
    .into_response()
}
