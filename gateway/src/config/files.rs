//! `[files]`: the law, agreements and mappings, each in place of what is shipped. And what may be
//! wrong with any file that a setting names.

use std::path::{Path, PathBuf};

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

/// What is wrong with a file, if anything, and what to do.
pub(super) fn file_fault(path: &Path, secret: bool) -> Option<(String, String)> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => {
            let fix = format!("create {shown}, or correct the path");
            Some((format!("{shown} cannot be read ({error})"), fix))
        }
        Ok(found) if secret && readable_by_others(&found) => {
            let fix = format!("chmod 600 {shown}");
            Some((format!("{shown} holds a secret and others may read it"), fix))
        }
        Ok(_) => None,
    }
}

/// Whether anyone but the owner may read, write or run a file.
#[cfg(unix)]
pub(crate) fn readable_by_others(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o077 != 0
}

/// Elsewhere than on Unix the access list is the operator's to check.
#[cfg(not(unix))]
pub(crate) fn readable_by_others(_found: &std::fs::Metadata) -> bool {
    false
}
