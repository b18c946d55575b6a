//! `[files]`: the law, agreements and mappings, each in place of what is shipped.

use std::path::PathBuf;

use serde::Deserialize;

/// `[files]`: the data the gateway works by.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesSection {
    /// Who may connect: `partners.toml`.
    pub partners: PathBuf,
    /// Sharing agreements, in place of those shipped.
    #[serde(default)]
    pub agreements: Option<PathBuf>,
    /// The rules of release authority, in place of those shipped.
    #[serde(default)]
    pub rules: Option<PathBuf>,
    /// Which organisation gives which advice, in place of the table shipped.
    #[serde(default)]
    pub routing: Option<PathBuf>,
    /// What counts as odd about an access, in place of the rules shipped.
    #[serde(default)]
    pub odd_access: Option<PathBuf>,
    /// A folder of mapping files, looked at before those shipped.
    #[serde(default)]
    pub mappings: Option<PathBuf>,
    /// Statutory clocks, in place of those shipped.
    #[serde(default)]
    pub clocks: Option<PathBuf>,
    /// The table of bank holidays, in place of the one shipped.
    #[serde(default)]
    pub bank_holidays: Option<PathBuf>,
}
