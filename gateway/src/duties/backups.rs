//! Every so many hours, when a folder is named for it: a backup.

use super::DutyError;
use crate::app::App;
use crate::audit::Actor;
use crate::backup::{self, Keys, Why};

/// The stretch of hours it is now; none when the gateway makes no backups by itself.
pub(super) fn period(app: &App) -> Option<String> {
    app.config.backup.to.as_ref()?;
    let every = i64::from(app.config.backup.every_hours.get());
    let hours = app.clock.now().as_second().div_euclid(3600);
    Some(format!("{every}h-{}", hours.div_euclid(every)))
}

/// Makes it, under a name of its own in that folder.
pub(super) async fn make(app: &App) -> Result<usize, DutyError> {
    let Some(folder) = &app.config.backup.to else { return Ok(0) };
    backup::sweep_quietly(&app.config);
    let keys = Keys::load(&app.config)?;
    let why = Why { actor: Actor::gateway(), reason: "scheduled" };
    let made = backup::make(app, &keys, folder, &why, &mut |_| {}).await?;
    tracing::info!(bytes = made.bytes, entry = made.entry, "a backup was made");
    Ok(1)
}
