//! What changed while the gateway was not running: its configuration, its certificate and its keys.
//!
//! Owns their fingerprints, and that a start with another one is an entry of the log. Partners, rules and
//! routing are watched apart, as trust (`trust.changed`). A fingerprint tells that something is another
//! and nothing of what it is; those of secret keys are keyed by the key itself.
//!
//! Limits: what is changed and changed back while the gateway is down is not seen. Not supported:
//! approval of changes by two people, because whoever may write these files owns the machine.

use crate::app::{App, AppError};
use crate::audit::{Actor, Event, EventKind};
use crate::entropy::{hex, sha256, sha256_hex};
use crate::store::{Change, Write};
use crate::vault::keyring::KeyFile;

/// The change that says what is another than at the last start, if anything is.
pub(crate) async fn changed(app: &App) -> Result<Option<Change>, AppError> {
    let mut news = Vec::new();
    for (name, fingerprint) in in_force(app)? {
        if app.store.in_force(name).await?.as_deref() != Some(fingerprint.as_str()) {
            news.push((name, fingerprint));
        }
    }
    if news.is_empty() {
        return Ok(None);
    }
    let what: Vec<&str> = news.iter().map(|(name, _)| *name).collect();
    let event = Event::new(EventKind::SettingsChanged, Actor::local()).with("what", what.join(" "));
    let event = news.iter().fold(event, |event, (name, fingerprint)| event.with(name, fingerprint));
    let change = Change::because(event);
    let writes = news.into_iter().map(|(name, fingerprint)| Write::InForce(name, fingerprint));
    Ok(Some(writes.fold(change, Change::write)))
}

fn in_force(app: &App) -> Result<[(&'static str, String); 5], AppError> {
    let file = |path: &std::path::Path| {
        let bytes = std::fs::read(path).map_err(|error| AppError::DataFile {
            file: path.display().to_string(),
            message: error.to_string(),
        })?;
        Ok::<_, AppError>(sha256_hex(&bytes))
    };
    let own = app.vault.pseudonyms().recognition("key", b"fingerprint");
    Ok([
        ("configuration", file(app.config.file())?),
        ("certificate", file(&app.config.tls.certificate)?),
        ("log-signing-key", sha256_hex(app.log_vkey.as_bytes())),
        ("wrapping-keys", hex(&KeyFile::load(&app.config.keys.wrapping)?.fingerprint())),
        ("pseudonym-key", hex(&sha256(&own))),
    ])
}
