//! `[retention]`: how long things are kept, and whether they are then removed.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[retention]`: how long things are kept, and whether they are then removed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Whether what is due is removed each day by itself; else by command only.
    pub enabled: bool,
    /// The schedule in force instead of the one that comes with the gateway.
    pub schedule: Option<PathBuf>,
    /// How many whole years after the end of a period its look-up is kept: whom the entries of
    /// the log are about.
    pub look_up_years: NonZeroU16,
}

impl Default for RetentionSection {
    fn default() -> Self {
        Self { enabled: false, schedule: None, look_up_years: LOOK_UP_YEARS }
    }
}

impl RetentionSection {
    /// The schedule's file, when one is named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.schedule.as_deref()
    }
}

/// Thirty-five: longer than a child's record is commonly kept, with room. A plan may last to 25, its
/// record is kept for some years more, and a claim may come later.
const LOOK_UP_YEARS: NonZeroU16 = NonZeroU16::MIN.saturating_add(34);
