//! Report 4: access that is out of the ordinary.

use super::{Ask, Made, ReportError};
use crate::app::App;

/// The tables; none as long as the rules of odd access keep nothing.
#[expect(clippy::unused_async, reason = "what the rules find is read from the store")]
pub(super) async fn made(_app: &App, _ask: &Ask, _asked: u64) -> Result<Made, ReportError> {
    Ok(Made::default().note(NOT_KEPT))
}

const NOT_KEPT: &str = "Not kept yet: no rules about odd access are in force, so that nothing can be said. Out of hours and volume of one person are in the report person-actions; emergencies and overrides in exceptions.";
