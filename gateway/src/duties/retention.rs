//! Every day, where the operator has switched it on: removes what is due under the retention schedule.

use super::Doing;
use crate::app::App;
use crate::audit::Actor;
use crate::retention;

/// The civil day, unless it is switched off.
pub(super) fn period(app: &App) -> Option<String> {
    app.config.retention.enabled.then(|| app.clock.today().to_string())
}

/// Removes what is due; gives how many things were removed. What is left of documents is the next
/// duty's.
pub(super) fn act(app: &App) -> Doing<'_> {
    Box::pin(async move {
        let ran = retention::run(app, &Actor::gateway()).await?;
        tracing::info!(
            removed = ran.removed,
            moved_on = ran.moved_on,
            certificates = ran.certificates.len(),
            segments_left = ran.segments_left,
            freed = ran.freed,
            "what was due under the retention schedule was removed"
        );
        if !ran.freed {
            super::say_not_freed(app);
        }
        Ok(usize::try_from(ran.removed).unwrap_or(usize::MAX))
    })
}
