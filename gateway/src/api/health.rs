//! Is it well, and who am I? Health and metrics live on a listener of their own, loopback only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use super::Caller;
use crate::app::App;
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
    match app.store.unconfirmed_restore().await {
        Ok(None) => "ready\n".into_response(),
        Ok(Some(restore)) if restore.shown_by == crate::restore::BY_COMMAND => format!(
            "held: this database was restored from a backup of {} entries; nothing is released \
             until the consent ledger has caught up: see ehc-gateway restore show\n",
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
