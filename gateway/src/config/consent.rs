//! `[consent]`: how decisions about sharing come into force.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

/// `[consent]`: how decisions about sharing come into force.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentSection {
    /// Whether an edit of a person's ledger must name the version it was made on (`If-Match`).
    pub if_match: IfMatch,
    /// How long bytes that were released may take to leave, in seconds, 1 to 30. After a guard was
    /// lost a withdrawal waits no longer than this.
    pub leaving_seconds: NonZeroU32,
    /// How long a withdrawal waits for what is leaving before it says "not yet in force", in
    /// seconds, 1 to 60.
    pub wait_seconds: NonZeroU32,
}

/// Whether `If-Match` must be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IfMatch {
    /// It is compared when it is sent.
    Optional,
    /// `POST /v1/consents` is refused without it.
    Required,
}

impl Default for ConsentSection {
    fn default() -> Self {
        Self {
            if_match: IfMatch::Optional,
            leaving_seconds: NonZeroU32::MIN.saturating_add(29),
            wait_seconds: NonZeroU32::MIN.saturating_add(14),
        }
    }
}

impl ConsentSection {
    /// How long released bytes may take to leave.
    pub fn leaving(&self) -> Duration {
        Duration::from_secs(self.leaving_seconds.get().into())
    }

    /// How long a withdrawal waits.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds.get().into())
    }

    /// What is wrong with the settings, if anything: the setting, the problem, and what to do.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str, &'static str)> {
        if self.leaving_seconds.get() > 30 {
            // A release holds for thirty seconds (RELEASE_HOLDS_FOR).
            let problem = "leaving_seconds is longer than a release holds";
            return Some(("leaving_seconds", problem, "use 1 to 30"));
        }
        let fix = "use 1 to 60, and less than request_timeout_seconds";
        (self.wait_seconds.get() > 60).then_some(("wait_seconds", "wait_seconds is too long", fix))
    }
}
