//! `[mesh]`: this gateway's own mailbox on NHS MESH.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::PathBuf;

use adapters::Format;
use adapters::mesh::{Mailbox, REQUEST_BYTES_MAX, WorkflowId, Workflows};
use serde::Deserialize;

use super::Pin;

/// `[mesh]`: how this gateway sends and collects through NHS MESH. Absent: it does neither.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeshSection {
    /// The MESH server, without a path.
    pub base_url: String,
    /// Our own mailbox.
    pub mailbox: Mailbox,
    /// The file that holds the mailbox's password.
    pub password_file: PathBuf,
    /// The file that holds the environment's shared key.
    pub shared_key_file: PathBuf,
    /// The certificate chain that NHS England issued for this mailbox, leaf first (PEM).
    pub certificate: PathBuf,
    /// The key of that certificate (PEM, readable by its owner only).
    pub key: PathBuf,
    /// The authorities that the MESH server's certificate must come from (PEM).
    pub authorities: PathBuf,
    /// Keys the MESH server answers with; with any, no other is accepted.
    #[serde(default)]
    pub server_pins: BTreeSet<Pin>,
    /// How often the inbox is listed.
    #[serde(default = "default_poll_seconds")]
    pub poll_seconds: NonZeroU32,
    /// The most bytes of a body sent in one request, before compression.
    #[serde(default = "default_chunk_bytes")]
    pub chunk_bytes: NonZeroU32,
    /// Under which workflow id each message type travels.
    #[serde(default = "Workflows::placeholders")]
    pub workflows: Workflows,
    /// Workflow ids whose messages are in another format than their sender's own.
    #[serde(default)]
    pub formats: BTreeMap<WorkflowId, Format>,
}

impl MeshSection {
    /// Files that must be there: the setting, the path, whether it holds a secret.
    pub(super) fn files(&self) -> [(&'static str, &PathBuf, bool); 5] {
        [
            ("password_file", &self.password_file, true),
            ("shared_key_file", &self.shared_key_file, true),
            ("certificate", &self.certificate, false),
            ("key", &self.key, true),
            ("authorities", &self.authorities, false),
        ]
    }

    /// Every path, for resolving.
    pub(super) fn paths(&mut self) -> [&mut PathBuf; 5] {
        [
            &mut self.password_file,
            &mut self.shared_key_file,
            &mut self.certificate,
            &mut self.key,
            &mut self.authorities,
        ]
    }

    /// What is wrong with the section on its own: the setting, the problem and the fix.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str, &'static str)> {
        let url = reqwest::Url::parse(&self.base_url).ok().filter(|url| {
            url.scheme() == "https"
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let Some(url) = url else {
            let fix = "write https://host or https://host:port; paths are added by the gateway";
            return Some(("base_url", "this is not the address of a MESH server", fix));
        };
        let practice = url.host_str().is_some_and(|h| matches!(h, "localhost" | "127.0.0.1"));
        if self.poll_seconds.get() < POLL_SECONDS_MIN && !practice {
            let problem = "MESH may be listed every five minutes at most";
            return Some(("poll_seconds", problem, "use 300 or more"));
        }
        if self.poll_seconds.get() > POLL_SECONDS_MAX {
            let problem = "a mailbox must be listed at least once a day";
            return Some(("poll_seconds", problem, "use 86400 or less"));
        }
        if !(CHUNK_BYTES_MIN..=REQUEST_BYTES_MAX).contains(&self.chunk_bytes.get()) {
            let problem = "chunk_bytes is not a size MESH takes in one request";
            return Some(("chunk_bytes", problem, "use 1024 to 100000000"));
        }
        if self.workflows.is_empty() {
            let fix = "add \"*\" = \"YOUR_WORKFLOW_ID\", or leave the table out";
            return Some(("workflows", "no message has a workflow id", fix));
        }
        None
    }
}

fn default_poll_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(POLL_SECONDS_MIN - 1)
}

/// What NHS England's own client splits at: 75 MiB.
fn default_chunk_bytes() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(75 * 1024 * 1024 - 1)
}

/// Five minutes: MESH's own rule, unless more is waiting.
const POLL_SECONDS_MIN: u32 = 300;
/// A day: MESH's own rule.
const POLL_SECONDS_MAX: u32 = 86_400;
/// Smaller chunks would be requests without a body worth the name.
const CHUNK_BYTES_MIN: u32 = 1024;
