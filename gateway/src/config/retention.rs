//! `[retention]`: how long things are kept, and whether they are then removed.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `[retention]`: how long things are kept, and whether they are then removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Whether what is due is removed each day by itself; else by command only.
    pub enabled: bool,
    /// The schedule in force instead of the one that comes with the gateway.
    pub schedule: Option<PathBuf>,
}

impl RetentionSection {
    /// The schedule's file, when one is named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.schedule.as_deref()
    }
}
