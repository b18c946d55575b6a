//! `witness.toml`: the settings of a witness, which another organisation runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemas::OrganisationCode;
use serde::Deserialize;

use super::document::{Document, Step};
use super::{ConfigError, TlsSection};
use crate::audit::checkpoint::Checkpoint;

/// Everything in `witness.toml`, with paths resolved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// The name under which it cosigns: a URL without `https://`, for example
    /// `witness.example.nhs.uk/1`.
    pub name: String,
    /// The file with its signing key.
    pub key: PathBuf,
    /// The file in which it remembers what it cosigned last.
    pub state: PathBuf,
    /// Where it is asked, over mutual TLS.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// Who may ask, and whom it asks: a partners file that lists gateways.
    #[serde(default)]
    pub partners: Option<PathBuf>,
    /// Its certificate, and the authorities that gateways' certificates must come from.
    #[serde(default)]
    pub tls: Option<TlsSection>,
    /// The logs it knows.
    #[serde(default, rename = "log")]
    pub logs: Vec<WitnessedLog>,
}

/// `[[log]]`: a log that a witness knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessedLog {
    /// The log's public key, got by a way of its own.
    pub vkey: String,
    /// The folder its static files are in, where `witness once` reads them.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// The gateway's address, `https://host:port`, where `witness once` asks over mutual TLS.
    #[serde(default)]
    pub url: Option<String>,
    /// The gateway, by its organisation's code in the partners file.
    #[serde(default)]
    pub gateway: Option<OrganisationCode>,
}

impl WitnessConfig {
    /// Reads the settings whole.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let document = Document::read(path)?;
        let mut config: Self = document.parse()?;
        config.check(&document)?;
        let folder = document.file().parent().unwrap_or(Path::new("")).to_owned();
        let tls = config.tls.iter_mut().flat_map(|tls| {
            [&mut tls.certificate, &mut tls.key, &mut tls.client_authorities]
                .into_iter()
                .chain(tls.revocation_lists.iter_mut())
        });
        let logs = config.logs.iter_mut().filter_map(|log| log.folder.as_mut());
        [&mut config.key, &mut config.state]
            .into_iter()
            .chain(config.partners.iter_mut())
            .chain(tls)
            .chain(logs)
            .for_each(|path| *path = folder.join(&path));
        Ok(config)
    }

    fn check(&self, document: &Document) -> Result<(), ConfigError> {
        if self.logs.is_empty() {
            return Err(document.error(&[], "there is no log here", "add a [[log]] entry"));
        }
        let online = self.listen.is_some() || self.logs.iter().any(|log| log.url.is_some());
        if online && (self.tls.is_none() || self.partners.is_none()) {
            let problem = "listen or url is set, and no certificate or nobody who may be spoken to";
            return Err(document.error(&[], problem, "add a [tls] section and partners"));
        }
        for (index, log) in self.logs.iter().enumerate() {
            let at = |setting| [Step::Key("log"), Step::Index(index), Step::Key(setting)];
            if Checkpoint::origin_of_key(&log.vkey).is_none() {
                let fix = "copy what `ehc-gateway audit keys` prints as log";
                return Err(document.error(&at("vkey"), "the vkey is not the key of a log", fix));
            }
            if log.url.is_some() != log.gateway.is_some() {
                let problem = "url and gateway go together";
                let fix = "name the gateway by its code in the partners file";
                return Err(document.error(&at("url"), problem, fix));
            }
            if log.url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
                let fix = "write https://, a host, a colon and a port";
                return Err(document.error(
                    &at("url"),
                    "the url does not begin with https://",
                    fix,
                ));
            }
        }
        Ok(())
    }
}
