//! `[audit]`: where the audit log goes besides the database.

use std::path::PathBuf;

use serde::Deserialize;

/// `[audit]`: where the audit log goes besides the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// The folder the log is published to as static files, on another disk or machine; none does
    /// not publish it.
    pub publish_to: Option<PathBuf>,
}
