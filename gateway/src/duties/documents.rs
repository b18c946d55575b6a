//! Every day, whatever the retention schedule is set to: takes away what is left of documents that were
//! refused, given up or removed, which is a segment that could not be taken away before.

use super::{Doing, DutyError};
use crate::app::App;
use crate::documents::caretaker;

/// Takes it away; gives of how many documents nothing is left any more. While something is left it is
/// not done, and tried again.
pub(super) fn clear(app: &App) -> Doing<'_> {
    Box::pin(async move {
        let cleared = caretaker::clear_ended(app).await?;
        // Keys that went meanwhile are not left in the journal either.
        super::free(app).await?;
        match cleared.left {
            0 => Ok(usize::try_from(cleared.documents).unwrap_or(usize::MAX)),
            left => Err(DutyError::SegmentsLeft(left)),
        }
    })
}
