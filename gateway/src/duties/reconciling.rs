//! At the end of each day: a signed statement for every partner.

use super::{Doing, DutyError};
use crate::app::App;
use crate::reconciliation::{self, ReconciliationError};

/// The last day that has closed.
pub(super) fn period(app: &App) -> Option<String> {
    reconciliation::last_closed(app).map(|day| day.to_string())
}

/// Makes what is missing up to that day.
pub(super) fn act(app: &App) -> Doing<'_> {
    Box::pin(async move {
        reconciliation::make_missing(app).await.map_err(|error| match error {
            ReconciliationError::Store(error) => DutyError::Store(error),
            ReconciliationError::NotClosed
            | ReconciliationError::NotFound
            | ReconciliationError::Settled
            | ReconciliationError::Unfit(_)
            | ReconciliationError::Signature => DutyError::Ours("the day's statement"),
        })
    })
}
