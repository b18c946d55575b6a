//! Every day: says aloud what has waited for people too long.
//!
//! Holds and reviews have their age on the board and in metrics; whoever looks at neither still has
//! this line in the log of each day, and the count with the duty in the audit log. It must never
//! say about whom anything is.

use jiff::{SignedDuration, Timestamp};

use super::DutyError;
use crate::app::App;
use crate::store::Ageing;

/// Counts what has waited too long, and warns of each rule that has any.
pub(super) async fn speak_of(app: &App) -> Result<usize, DutyError> {
    let now = app.clock.now();
    let mut forgotten = 0;
    for held in app.store.holds_by_rule(None).await? {
        if is_over(&held, now, HOLDS_WITHIN) {
            forgotten += 1;
            let days = days(&held, now);
            tracing::warn!(rule = held.rule, held = held.count, days, "deliveries wait for people");
        }
    }
    let open = app.store.reviews_open(None).await?;
    if let Some(open) = open.filter(|open| is_over(open, now, REVIEWS_WITHIN)) {
        forgotten += 1;
        let days = days(&open, now);
        tracing::warn!(open = open.count, days, "releases in an emergency are not reviewed");
    }
    Ok(forgotten)
}

fn is_over(ageing: &Ageing, now: Timestamp, within: SignedDuration) -> bool {
    now.duration_since(ageing.oldest) > within
}

fn days(ageing: &Ageing, now: Timestamp) -> i64 {
    now.duration_since(ageing.oldest).as_hours() / 24
}

/// Of the six weeks of regulation 8 a hold takes none, but the family waits: a working week.
const HOLDS_WITHIN: SignedDuration = SignedDuration::from_hours(5 * 24);
/// What one person did alone is looked at while it can still be put right.
const REVIEWS_WITHIN: SignedDuration = SignedDuration::from_hours(2 * 24);
