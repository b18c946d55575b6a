//! Every day, where the operator has switched it on: removes what is due under the retention schedule.

use super::Doing;
use crate::app::App;
use crate::audit::Actor;
use crate::retention;

/// The civil day, unless it is switched off.
pub(super) fn period(app: &App) -> Option<String> {
    app.config.retention.enabled.then(|| app.clock.today().to_string())
}

/// Removes what is due; gives how many things were removed.
pub(super) fn act(app: &App) -> Doing<'_> {
    Box::pin(async move {
        let ran = retention::run(app, &Actor::gateway()).await?;
        Ok(usize::try_from(ran.removed).unwrap_or(usize::MAX))
    })
}
