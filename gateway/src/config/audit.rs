//! `[audit]`: where the audit log goes besides the database.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use schemas::OrganisationCode;
use serde::Deserialize;

use crate::audit::cosignature::CosignerKey;

/// `[audit]`: where the audit log goes besides the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// The folder the log is published to as static files, on another disk or machine; none does
    /// not publish it.
    pub publish_to: Option<PathBuf>,
    /// Who cosigns the log's checkpoints.
    pub witnesses: Vec<WitnessSection>,
    /// How many witnesses must have cosigned a checkpoint for it to be given as cosigned.
    pub quorum: Option<NonZeroUsize>,
    /// Whether so many witnesses must answer before the gateway starts to serve.
    pub require_witness: bool,
}

/// `[[audit.witnesses]]`: one who cosigns, and where it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessSection {
    /// Its public key, as `ehc-gateway witness key` prints it.
    pub vkey: String,
    /// Where it is asked: `https://host:port`, with the path before `/add-checkpoint` if any.
    pub url: String,
    /// The partner that runs it; its `server_pins` are the keys it answers with.
    pub partner: OrganisationCode,
}

impl AuditSection {
    /// How many witnesses are wanted.
    pub fn wanted(&self) -> usize {
        self.quorum.map_or(1, NonZeroUsize::get)
    }

    /// What is wrong: the setting, the problem and the fix.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str, &'static str)> {
        if self.witnesses.iter().any(|one| CosignerKey::parse(&one.vkey).is_err()) {
            let problem = "a vkey is not the verifier key of a witness";
            return Some((
                "witnesses",
                problem,
                "copy what `ehc-gateway witness key` prints there",
            ));
        }
        if self.witnesses.iter().any(|one| !one.url.starts_with("https://")) {
            let problem = "a url does not begin with https://";
            return Some(("witnesses", problem, "write https://, a host, a colon and a port"));
        }
        let (asked, wanted) = (self.witnesses.len(), self.wanted());
        if wanted > asked && (self.quorum.is_some() || self.require_witness) {
            let setting = if self.quorum.is_some() { "quorum" } else { "require_witness" };
            let problem = "it asks for more witnesses than are listed";
            return Some((setting, problem, "list the witnesses under [[audit.witnesses]]"));
        }
        None
    }
}
