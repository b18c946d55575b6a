//! `[audit]`: what must be said for the audit log, and where it goes besides the database.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use schemas::OrganisationCode;
use serde::Deserialize;

use super::Pin;
use crate::audit::cosignature::CosignerKey;

/// `[audit]`: what must be said for the audit log, and where it goes besides the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// The folder the log is published to as static files, on another disk or machine; none does
    /// not publish it.
    pub publish_to: Option<PathBuf>,
    /// Where every entry goes besides the database.
    pub sinks: Vec<SinkSection>,
    /// Who cosigns the log's checkpoints.
    pub witnesses: Vec<WitnessSection>,
    /// How many witnesses must have cosigned a checkpoint for it to be given as cosigned.
    pub quorum: Option<NonZeroUsize>,
    /// Whether so many witnesses must answer before the gateway starts to serve.
    pub require_witness: bool,
    /// Whether whoever looks at something about a child must say for which purpose.
    pub require_purpose: bool,
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
    pub(super) fn witness_fault(&self) -> Option<(&'static str, &'static str, &'static str)> {
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

/// `[[audit.sinks]]`: one more place for every entry, append-only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSection {
    /// Its name in the log and in the store: small letters, digits and hyphens.
    pub name: String,
    /// What it is.
    pub kind: SinkKind,
    /// Whether nothing is accepted or released while it is further behind than it may be.
    #[serde(default)]
    pub required: bool,
    /// The most entries that a required sink may not have confirmed.
    #[serde(default = "default_behind_entries")]
    pub behind_entries: NonZeroU64,
    /// The longest, in seconds, that an entry may wait to be confirmed by a required sink.
    #[serde(default = "default_behind_seconds")]
    pub behind_seconds: NonZeroU32,
    /// `file`: the folder, on another volume.
    pub folder: Option<PathBuf>,
    /// `file`: a new file is begun when one has more bytes than this.
    #[serde(default = "default_file_bytes")]
    pub file_bytes: NonZeroU64,
    /// `syslog`: host and port of the receiver, as its certificate has the host.
    pub address: Option<String>,
    /// `syslog`: our certificate chain (PEM); that of `[tls]` when none is named.
    pub certificate: Option<PathBuf>,
    /// `syslog`: the key of that certificate.
    pub key: Option<PathBuf>,
    /// `syslog`: the authorities of the receiver's certificate (PEM); those of `[tls]` when none are
    /// named.
    pub authorities: Option<PathBuf>,
    /// `syslog`: keys the receiver answers with; with any, no other is accepted.
    #[serde(default)]
    pub server_pins: BTreeSet<Pin>,
    /// `syslog`: what counts as the receiver's confirmation.
    #[serde(default)]
    pub confirmed_by: ConfirmedBy,
}

/// What a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SinkKind {
    /// JSON lines in files of a folder.
    File,
    /// ATNA messages to a syslog receiver over TLS (RFC 5425).
    Syslog,
}

/// What counts as a syslog receiver's confirmation that it has read all: syslog itself has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfirmedBy {
    /// That it answers our `close_notify` with its own, as RFC 5425 section 4.4 has it.
    #[default]
    CloseNotify,
    /// That it ends the connection after our `close_notify`: weaker, for receivers that do no more.
    EndOfStream,
}

impl AuditSection {
    /// Every path, for resolving.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of_sinks = self.sinks.iter_mut().flat_map(|sink| {
            let files = [&mut sink.folder, &mut sink.certificate, &mut sink.key];
            files.into_iter().chain([&mut sink.authorities]).flatten()
        });
        self.publish_to.iter_mut().chain(of_sinks)
    }

    /// The first thing that does not fit together: which sink, which setting, what, and what to do.
    pub(super) fn sink_fault(&self) -> Option<(usize, &'static str, &'static str, &'static str)> {
        for (at, sink) in self.sinks.iter().enumerate() {
            let twice = self.sinks.iter().take(at).any(|other| other.name == sink.name);
            if let Some((setting, problem, fix)) = sink.fault(twice) {
                return Some((at, setting, problem, fix));
            }
        }
        None
    }
}

impl SinkSection {
    /// Host and port of a syslog receiver.
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        let (host, port) = self.address.as_deref()?.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (!host.is_empty()).then_some(())?;
        Some((host.to_owned(), port.parse().ok()?))
    }

    fn fault(&self, twice: bool) -> Option<(&'static str, &'static str, &'static str)> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > NAME_CHARS_MAX || !self.name.chars().all(plain)
        {
            let problem = "a sink's name is up to 40 small letters, digits and hyphens";
            return Some(("name", problem, "write for example name = \"archive\""));
        }
        if twice {
            return Some(("name", "two sinks have this name", "give each a name of its own"));
        }
        let of_syslog = self.address.is_some()
            || self.certificate.is_some()
            || self.key.is_some()
            || self.authorities.is_some()
            || !self.server_pins.is_empty();
        match self.kind {
            SinkKind::File if self.folder.is_none() => {
                Some(("kind", "a file sink needs a folder", "add folder, on another volume"))
            }
            SinkKind::File if of_syslog => {
                let problem = "a file sink has no address, certificate, key, authorities or pins";
                Some(("kind", problem, "remove them, or set kind = \"syslog\""))
            }
            SinkKind::Syslog if self.folder.is_some() => {
                Some(("kind", "a syslog sink has no folder", "remove it"))
            }
            SinkKind::Syslog if self.host_and_port().is_none() => {
                let fix = "add address, for example \"collector.example.nhs.uk:6514\"";
                Some(("kind", "a syslog sink needs the address of its receiver", fix))
            }
            SinkKind::Syslog if self.certificate.is_some() != self.key.is_some() => {
                Some(("kind", "certificate and key go together", "name both, or neither"))
            }
            SinkKind::File | SinkKind::Syslog => None,
        }
    }
}

fn default_behind_entries() -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(999)
}

fn default_behind_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(4)
}

/// 64 MiB: some tens of thousands of entries.
fn default_file_bytes() -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(64 * 1024 * 1024 - 1)
}

/// Longer names say no more.
const NAME_CHARS_MAX: usize = 40;
