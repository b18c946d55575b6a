//! Once a civil day: every case on the way to adulthood is worked out, and the numbers kept.

use super::{Doing, DutyError};
use crate::app::App;
use crate::transition::{TransitionError, work_out_day};

/// Works out the day.
pub(super) fn act(app: &App) -> Doing<'_> {
    Box::pin(async move {
        work_out_day(app).await.map_err(|error| match error {
            TransitionError::Store(error) => DutyError::Store(error),
            TransitionError::Date(_) => DutyError::Ours("a date of a transition"),
            TransitionError::Ours(what) => DutyError::Ours(what),
        })
    })
}
