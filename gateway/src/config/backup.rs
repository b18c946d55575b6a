//! `[backup]`: which key seals backups, and where the gateway puts those it makes by itself.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::document::{Document, Step};
use super::{ConfigError, KeysSection};

/// `[backup]`, with paths resolved and defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSection {
    /// The backup keys: by default `backup.keys` beside the wrapping keys.
    pub keys: PathBuf,
    /// The folder for the backups that the gateway makes by itself; none makes none.
    pub to: Option<PathBuf>,
    /// How often it makes one, in hours.
    pub every_hours: NonZeroU32,
    keys_are_named: bool,
}

/// The section as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBackup {
    keys: Option<PathBuf>,
    to: Option<PathBuf>,
    every_hours: NonZeroU32,
}

impl Default for RawBackup {
    fn default() -> Self {
        Self { keys: None, to: None, every_hours: NonZeroU32::MIN.saturating_add(23) }
    }
}

impl RawBackup {
    /// The section, or what is wrong with it.
    pub(super) fn checked(
        self,
        others: &KeysSection,
        document: &Document,
    ) -> Result<BackupSection, ConfigError> {
        let wrong = |setting, problem, fix| {
            Err(document.error(&[Step::Key("backup"), Step::Key(setting)], problem, fix))
        };
        let keys_are_named = self.keys.is_some();
        let keys = self.keys.unwrap_or_else(|| others.wrapping.with_file_name("backup.keys"));
        if keys == others.wrapping {
            let problem = "whoever can open a backup could open every record in it";
            return wrong("keys", problem, "make another key: ehc-gateway keys make-backup");
        }
        if self.every_hours.get() > EVERY_HOURS_MAX {
            return wrong("every_hours", "a month without a backup", "use 1 to 744");
        }
        Ok(BackupSection { keys, to: self.to, every_hours: self.every_hours, keys_are_named })
    }
}

impl BackupSection {
    /// The paths in it, for making them start at the configuration file.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        std::iter::once(&mut self.keys).chain(&mut self.to)
    }

    /// The files that must be there: setting, path, and whether it is a secret.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &'static str, &Path, bool)> {
        let needed = self.keys_are_named || self.to.is_some();
        let keys = needed.then_some(("backup", "keys", self.keys.as_path(), true));
        keys.into_iter().chain(self.to.iter().map(|to| ("backup", "to", to.as_path(), false)))
    }
}

/// A month.
const EVERY_HOURS_MAX: u32 = 744;
