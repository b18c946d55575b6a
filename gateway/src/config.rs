//! The settings of one gateway: read whole, checked whole, or refused with a line and a fix.
//!
//! Owns: the form of `ehc-gateway.toml` and `partners.toml`, their defaults, and how a mistake in
//! them is reported. Unknown settings are errors with a suggestion. Secrets are never settings:
//! a setting names the *file* that holds one. Relative paths start at the configuration file.
//!
//! Must never know: what a certificate, a record or a database is. It reads no key and opens no
//! connection.
//!
//! Use: `Config::load(path)?`, then `config.check_files()` before serving, then
//! `Partners::load(&config.files.partners)?`.
//!
//! Limits: a configuration file is at most 1 MiB. Environment variables are not read at all.

mod audit;
mod backup;
mod consent;
mod document;
mod documents;
mod files;
mod folders;
mod mesh;
mod partners;
mod reconciliation;
mod retention;
mod witness;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::OrganisationCode;
use serde::Deserialize;

pub use audit::{AuditSection, ConfirmedBy, SinkKind, SinkSection, WitnessSection};
pub use backup::BackupSection;
pub use consent::{ConsentSection, IfMatch};
use document::{Document, Step};
pub use documents::{DocumentsSection, KeepingSection, S3Section, ScannerAddress};
pub use files::FilesSection;
use files::file_fault;
pub(crate) use files::readable_by_others;
pub use folders::Watch;
pub use mesh::MeshSection;
pub(crate) use partners::mllp_address;
pub use partners::{Partner, Partners, Pin};
pub use reconciliation::ReconciliationSection;
pub use retention::RetentionSection;
pub use witness::{WitnessConfig, WitnessedLog};

/// Everything in `ehc-gateway.toml`, with paths resolved and defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who this gateway is and where it listens.
    pub gateway: GatewaySection,
    /// Certificates and what is asked of callers.
    pub tls: TlsSection,
    /// Where records are kept.
    pub store: StoreSection,
    /// The files that hold this gateway's own keys.
    pub keys: KeysSection,
    /// The data files the gateway works by.
    pub files: FilesSection,
    /// How deliveries are attempted.
    pub delivery: DeliverySection,
    /// This gateway's own mailbox on NHS MESH, when it has one.
    pub mesh: Option<MeshSection>,
    /// Where large documents are kept, and which are accepted.
    pub documents: DocumentsSection,
    /// When a day is reconciled with each partner.
    pub reconciliation: ReconciliationSection,
    /// How long things are kept, and whether they are then removed.
    pub retention: RetentionSection,
    /// What must be said for the audit log, and where it goes besides the database.
    pub audit: AuditSection,
    /// Which key seals backups, and where the gateway puts those it makes by itself.
    pub backup: BackupSection,
    /// How decisions about sharing come into force.
    pub consent: ConsentSection,
    /// Where the newest checkpoint of the log is kept, outside the database: what a restored
    /// backup is held against at start.
    pub checkpoint_file: PathBuf,
    /// What is written about the gateway's own work.
    pub log: LogSection,
    /// Where HL7 v2 comes in, if it does.
    pub mllp: Option<MllpSection>,
    document: Document,
}

/// `[gateway]`: who this gateway is and where it listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySection {
    /// The organisation that runs this gateway, by its code.
    pub organisation: OrganisationCode,
    /// Its name, as partners read it.
    pub name: String,
    /// The partners' listener: mutual TLS only.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Health and metrics over plain HTTP: loopback only.
    #[serde(default = "default_admin_listen")]
    pub admin_listen: SocketAddr,
    /// Where the embedded store, and whatever else must survive, is kept.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// How many partner connections may be open at once.
    #[serde(default = "default_max_connections")]
    pub max_connections: NonZeroUsize,
    /// How long a caller has to prove who it is.
    #[serde(default = "default_handshake_timeout_seconds")]
    pub handshake_timeout_seconds: NonZeroU32,
    /// How long a connection may wait for, or spend on, the head of a request.
    #[serde(default = "default_header_timeout_seconds")]
    pub header_timeout_seconds: NonZeroU32,
    /// How long one request may take as a whole.
    #[serde(default = "default_request_timeout_seconds")]
    pub request_timeout_seconds: NonZeroU32,
    /// How long requests in progress may go on once the gateway was told to stop.
    #[serde(default = "default_drain_timeout_seconds")]
    pub drain_timeout_seconds: NonZeroU32,
}

/// `[tls]`: certificates and what is asked of callers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// The gateway's certificate chain, leaf first (PEM).
    pub certificate: PathBuf,
    /// The key of that certificate (PEM, readable by its owner only).
    pub key: PathBuf,
    /// The authorities that partners' certificates must come from (PEM).
    pub client_authorities: PathBuf,
    /// Certificate revocation lists (PEM). With any, a certificate of unknown status is refused.
    #[serde(default)]
    pub revocation_lists: Vec<PathBuf>,
    /// Refuse every caller without hybrid post-quantum key exchange.
    #[serde(default)]
    pub require_hybrid: bool,
    /// How often the files above are looked at for changes.
    #[serde(default = "default_reload_seconds")]
    pub reload_seconds: NonZeroU32,
}

/// `[store]`: where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSection {
    /// The embedded default: one file.
    Sqlite {
        /// The database file.
        path: PathBuf,
    },
    /// A `PostgreSQL` server, for several gateways at once.
    Postgres {
        /// The file that holds the connection URL, password included.
        url_file: PathBuf,
    },
}

/// `[keys]`: the files that hold this gateway's own keys, each readable by its owner only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysSection {
    /// Wraps the keys that seal records.
    pub wrapping: PathBuf,
    /// Signs the audit log's checkpoints.
    pub log_signing: PathBuf,
    /// Makes children's pseudonyms for the audit log.
    pub pseudonym: PathBuf,
}

/// `[delivery]`: how deliveries are attempted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySection {
    /// How often a push is tried before a person is asked.
    pub attempts_max: NonZeroU32,
    /// How long reaching a partner's endpoint may take.
    pub connect_timeout_seconds: NonZeroU32,
    /// How long one push may take as a whole.
    pub send_timeout_seconds: NonZeroU32,
    /// How many pushes to one partner may be under way at once.
    pub in_flight_per_partner: NonZeroUsize,
    /// For how long one worker holds a delivery. Longer than the two timeouts together.
    pub lease_seconds: NonZeroU32,
}

/// `[mllp]`: the listener for HL7 v2 over MLLP. Absent, there is none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MllpSection {
    /// Where it listens: mutual TLS only.
    pub listen: SocketAddr,
    /// Take TLS 1.2 as well as 1.3.
    #[serde(default)]
    pub allow_tls12: bool,
    /// How long a connection may be silent between messages.
    #[serde(default = "default_idle_timeout_seconds")]
    pub idle_timeout_seconds: NonZeroU32,
    /// How long one message may take from its first byte to its last.
    #[serde(default = "default_frame_timeout_seconds")]
    pub frame_timeout_seconds: NonZeroU32,
}

/// `[log]`: what is written about the gateway's own work.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// How much.
    pub level: LogLevel,
    /// One JSON object per line instead of plain text.
    pub json: bool,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// And what may soon need one.
    Warn,
    /// And one line per request and delivery.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// A configuration that cannot be used: where, why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("{} could not be read: {source}; check the path and its permissions", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A setting is wrong.
    #[error("{}:{line}:{column}: {problem}; fix: {fix}", .file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        fix: String,
    },
}

impl Config {
    /// Reads a configuration file whole.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::from_document(Document::read(path)?)
    }

    /// The same from text that stands for the file at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::from_document(Document::new(path, text.to_owned()))
    }

    /// Checks that the files named here exist and that secrets are readable by their owner only.
    /// Reports all mistakes at once. Files a command creates itself (the database) are not asked for.
    pub fn check_files(&self) -> Vec<ConfigError> {
        let mut named: Vec<(&str, &str, &Path, bool)> = vec![
            ("tls", "certificate", &self.tls.certificate, false),
            ("tls", "key", &self.tls.key, true),
            ("tls", "client_authorities", &self.tls.client_authorities, false),
            ("keys", "wrapping", &self.keys.wrapping, true),
            ("keys", "log_signing", &self.keys.log_signing, true),
            ("keys", "pseudonym", &self.keys.pseudonym, true),
            ("files", "partners", &self.files.partners, false),
        ];
        named.extend(
            self.tls
                .revocation_lists
                .iter()
                .map(|p| ("tls", "revocation_lists", p.as_path(), false)),
        );
        let optional = [
            ("agreements", &self.files.agreements),
            ("rules", &self.files.rules),
            ("odd_access", &self.files.odd_access),
            ("routing", &self.files.routing),
            ("mappings", &self.files.mappings),
            ("clocks", &self.files.clocks),
            ("bank_holidays", &self.files.bank_holidays),
        ];
        for (setting, path) in optional {
            named.extend(path.iter().map(|path| ("files", setting, path.as_path(), false)));
        }
        named.extend(self.retention.file().map(|path| ("retention", "schedule", path, false)));
        if let Some(mesh) = &self.mesh {
            named.extend(
                mesh.files()
                    .map(|(setting, path, secret)| ("mesh", setting, path.as_path(), secret)),
            );
        }
        if let StoreSection::Postgres { url_file } = &self.store {
            named.push(("store", "url_file", url_file, true));
        }
        named.extend(self.documents.secret().map(|path| ("documents", "s3", path, true)));
        named.extend(self.backup.files());
        named
            .into_iter()
            .filter_map(|(section, setting, path, secret)| {
                let (problem, fix) = file_fault(path, secret)?;
                let at = [Step::Key(section), Step::Key(setting)];
                Some(self.document.error(&at, &format!("{setting}: {problem}"), &fix))
            })
            .collect()
    }

    /// The file this was read from.
    pub fn file(&self) -> &Path {
        self.document.file()
    }

    /// The line and column at which a setting stands, for messages about it from elsewhere.
    pub fn position(&self, section: &str, setting: &str) -> (usize, usize) {
        self.document.position(&[Step::Key(section), Step::Key(setting)])
    }

    fn from_document(document: Document) -> Result<Self, ConfigError> {
        let raw: Raw = document.parse()?;
        let newest = raw.gateway.data_dir.join("newest-checkpoint.txt");
        let mut config = Self {
            checkpoint_file: raw.store.checkpoint_file.clone().unwrap_or(newest),
            audit: raw.audit,
            retention: raw.retention,
            backup: raw.backup.checked(&raw.keys, &document)?,
            consent: raw.consent,
            store: raw.store.checked(&raw.gateway.data_dir, &document)?,
            documents: raw.documents.checked(&raw.gateway.data_dir, &document)?,
            gateway: raw.gateway,
            tls: raw.tls,
            keys: raw.keys,
            files: raw.files,
            delivery: raw.delivery,
            mesh: raw.mesh,
            reconciliation: raw.reconciliation,
            log: raw.log,
            mllp: raw.mllp,
            document,
        };
        config.check()?;
        config.resolve();
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |section, setting, problem: &str, fix: &str| {
            Err(self.document.error(&[Step::Key(section), Step::Key(setting)], problem, fix))
        };
        let name = self.gateway.name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return wrong("gateway", "name", "the name is empty or not plain text", "write a name");
        }
        if !self.gateway.admin_listen.ip().is_loopback() {
            let problem = "admin_listen is plain HTTP and must stay on this machine";
            return wrong("gateway", "admin_listen", problem, "use a loopback address: 127.0.0.1");
        }
        if self.gateway.admin_listen.port() != 0
            && self.gateway.admin_listen.port() == self.gateway.listen.port()
        {
            let problem = "admin_listen has the same port as listen";
            return wrong("gateway", "admin_listen", problem, "give it a port of its own");
        }
        if let Some(mllp) = &self.mllp
            && mllp.listen.port() != 0
            && [self.gateway.listen, self.gateway.admin_listen]
                .iter()
                .any(|other| other.port() == mllp.listen.port())
        {
            let problem = "listen has the same port as another listener";
            return wrong("mllp", "listen", problem, "give it a port of its own, for example 2575");
        }
        let delivery = &self.delivery;
        let attempt =
            delivery.connect_timeout_seconds.saturating_add(delivery.send_timeout_seconds.get());
        if delivery.lease_seconds <= attempt {
            let problem = "lease_seconds is not longer than one attempt, so two workers could send";
            let fix = format!("use more than {attempt} seconds (both timeouts together)");
            return wrong("delivery", "lease_seconds", problem, &fix);
        }
        if let Some((setting, problem, fix)) = self.consent.fault() {
            return wrong("consent", setting, problem, fix);
        }
        if let Some((at, setting, problem, fix)) = self.audit.sink_fault() {
            let step =
                [Step::Key("audit"), Step::Key("sinks"), Step::Index(at), Step::Key(setting)];
            return Err(self.document.error(&step, problem, fix));
        }
        if let Some((setting, problem, fix)) = self.audit.witness_fault() {
            return wrong("audit", setting, problem, fix);
        }
        if let Some((setting, problem, fix)) = self.mesh.as_ref().and_then(MeshSection::fault) {
            return wrong("mesh", setting, problem, fix);
        }
        Ok(())
    }

    /// Makes relative paths start at the folder of the configuration file.
    fn resolve(&mut self) {
        let folder = self.document.file().parent().unwrap_or(Path::new("")).to_owned();
        let store = match &mut self.store {
            StoreSection::Sqlite { path } => path,
            StoreSection::Postgres { url_file } => url_file,
        };
        let files = &mut self.files;
        let required = [
            store,
            &mut self.checkpoint_file,
            &mut self.gateway.data_dir,
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.client_authorities,
            &mut self.keys.wrapping,
            &mut self.keys.log_signing,
            &mut self.keys.pseudonym,
            &mut files.partners,
        ];
        let optional = [
            &mut files.agreements,
            &mut files.rules,
            &mut files.odd_access,
            &mut files.routing,
            &mut files.mappings,
            &mut files.clocks,
            &mut files.bank_holidays,
        ];
        required
            .into_iter()
            .chain(self.tls.revocation_lists.iter_mut())
            .chain(optional.into_iter().flatten())
            .chain(self.mesh.iter_mut().flat_map(MeshSection::paths))
            .chain(self.documents.paths())
            .chain(self.audit.paths())
            .chain(self.retention.schedule.iter_mut())
            .chain(self.backup.paths())
            .for_each(|path| *path = folder.join(&path));
    }
}

impl GatewaySection {
    /// How long one request may take as a whole.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds.get().into())
    }
}

impl Default for DeliverySection {
    fn default() -> Self {
        Self {
            attempts_max: NonZeroU32::MIN.saturating_add(11),
            connect_timeout_seconds: NonZeroU32::MIN.saturating_add(9),
            send_timeout_seconds: NonZeroU32::MIN.saturating_add(29),
            in_flight_per_partner: NonZeroUsize::MIN.saturating_add(3),
            lease_seconds: NonZeroU32::MIN.saturating_add(119),
        }
    }
}

/// The file as written, before what depends on more than one setting is decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    gateway: GatewaySection,
    tls: TlsSection,
    #[serde(default)]
    store: RawStore,
    keys: KeysSection,
    files: FilesSection,
    #[serde(default)]
    delivery: DeliverySection,
    #[serde(default)]
    mesh: Option<MeshSection>,
    #[serde(default)]
    documents: documents::RawDocuments,
    #[serde(default)]
    reconciliation: ReconciliationSection,
    #[serde(default)]
    retention: RetentionSection,
    #[serde(default)]
    audit: AuditSection,
    #[serde(default)]
    consent: ConsentSection,
    #[serde(default)]
    backup: backup::RawBackup,
    #[serde(default)]
    log: LogSection,
    #[serde(default)]
    mllp: Option<MllpSection>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStore {
    engine: Engine,
    path: Option<PathBuf>,
    url_file: Option<PathBuf>,
    checkpoint_file: Option<PathBuf>,
}

#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Engine {
    #[default]
    Sqlite,
    Postgres,
}

impl RawStore {
    fn checked(self, data_dir: &Path, document: &Document) -> Result<StoreSection, ConfigError> {
        let wrong = |setting, problem, fix| {
            Err(document.error(&[Step::Key("store"), Step::Key(setting)], problem, fix))
        };
        match (self.engine, self.path, self.url_file) {
            (Engine::Sqlite, path, None) => Ok(StoreSection::Sqlite {
                path: path.unwrap_or_else(|| data_dir.join("gateway.db")),
            }),
            (Engine::Postgres, None, Some(url_file)) => Ok(StoreSection::Postgres { url_file }),
            (Engine::Sqlite, _, Some(_)) => wrong(
                "url_file",
                "sqlite has no url_file",
                "remove it, or set engine = \"postgres\"",
            ),
            (Engine::Postgres, Some(_), _) => {
                wrong("path", "postgres has no path", "remove it, or set engine = \"sqlite\"")
            }
            (Engine::Postgres, None, None) => wrong(
                "engine",
                "postgres needs a url_file",
                "put the connection URL into a file that only its owner reads and name it in url_file",
            ),
        }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8443))
}

fn default_admin_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9443))
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("data")
}

fn default_max_connections() -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(1023)
}

fn default_handshake_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(9)
}

fn default_header_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(29)
}

fn default_request_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(59)
}

fn default_drain_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(19)
}

fn default_idle_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(599)
}

fn default_frame_timeout_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(59)
}

fn default_reload_seconds() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(4)
}

#[cfg(test)]
mod tests;
