//! Report 10: what falls due for deletion, what a legal hold keeps, what was deleted; and the review
//! of who may still come in.

use super::{Ask, Made, ReportError, access_review};
use crate::app::App;

pub(super) async fn made(app: &App, ask: &Ask, asked: u64) -> Result<Made, ReportError> {
    Ok(access_review::made(app, ask, asked).await?.note(NOT_KEPT))
}

const NOT_KEPT: &str = "Not kept yet: retention, legal holds and deletions. This part of the report is about access alone.";
