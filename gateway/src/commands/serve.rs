//! `serve`: run the gateway until it is told to stop. And opening the parts for other commands.

use std::sync::Arc;

use super::{Configured, Outcome, eprintln_line, login, print_line};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{Config, LogLevel};
use crate::entropy::SystemEntropy;
use crate::serving;

/// Puts the parts together for a command that works beside, or instead of, a running gateway.
pub(super) async fn open(configured: &Configured) -> anyhow::Result<App> {
    let config = Config::load(&configured.config)?;
    let entropy = Arc::new(SystemEntropy::default());
    let app = App::open(config, Arc::new(SystemClock), entropy).await?;
    Ok(app.at_the_prompt_of(login::of_this_process()))
}

/// The same, for a command that looks: a database that is not there is refused, not made.
pub(super) async fn open_existing(configured: &Configured) -> anyhow::Result<App> {
    let config = Config::load(&configured.config)?;
    let entropy = Arc::new(SystemEntropy::default());
    let app = App::open_existing(config, Arc::new(SystemClock), entropy).await?;
    Ok(app.at_the_prompt_of(login::of_this_process()))
}

pub(super) async fn serve(configured: &Configured, json: bool) -> anyhow::Result<Outcome> {
    let config = Config::load(&configured.config)?;
    let findings = crate::app::check_files(&config);
    if !findings.is_empty() {
        for finding in &findings {
            eprintln_line(&format!("error: {finding}"));
        }
        return Ok(Outcome::InputRefused);
    }
    crate::telemetry::start_logging(level(config.log.level), config.log.json);
    let entropy = Arc::new(SystemEntropy::default());
    let running = serving::start(config, Arc::new(SystemClock), entropy).await?;
    if json {
        let body = serde_json::json!({
            "serving": running.address().to_string(),
            "admin": running.admin_address().to_string(),
        });
        print_line(&body.to_string());
    } else {
        eprintln_line(&format!(
            "Serving partners on {} (mutual TLS) and the operator on http://{}. Ctrl-C stops it.",
            running.address(),
            running.admin_address()
        ));
    }
    told_to_stop().await;
    eprintln_line("Stopping: finishing what has begun.");
    running.stop().await;
    Ok(Outcome::Done)
}

/// Waits for Ctrl-C or, from a service manager, SIGTERM.
pub(super) async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            },
            Err(_) => drop(interrupted.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}

/// The same for a command that clears away what it has begun; the number of the signal.
pub(super) async fn stopped_by() -> u8 {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        tokio::select! {
            signal = came(SignalKind::interrupt(), 2) => signal,
            signal = came(SignalKind::terminate(), 15) => signal,
        }
    }
    #[cfg(not(unix))]
    {
        drop(tokio::signal::ctrl_c().await);
        2
    }
}

/// Waits for a signal; for ever when it cannot be listened for, so that it ends the process itself.
#[cfg(unix)]
async fn came(kind: tokio::signal::unix::SignalKind, number: u8) -> u8 {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
    number
}

fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}
