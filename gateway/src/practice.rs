//! A practice world on this machine: one authority, three trusts, a commissioning board, an
//! auditor, an operator.
//!
//! Used by the demo, the benchmark and the tests: everything in it is real (certificates, mutual
//! TLS, store, configuration files) except the people. [`Stage::set`] makes the files,
//! [`Cast::rise`] starts the gateway and the pushed-to trust's own endpoint on loopback.
//!
//! Must never be used with real people: its keys lie in an ordinary folder.

pub mod client;
mod endpoint;
pub mod folders;
pub mod mailbox;
pub mod mllp;
pub mod people;
pub mod postgres;
mod witness;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use schemas::OrganisationCode;

use crate::app::{App, AppError, KeyFiles};
use crate::clock::Clock;
use crate::config::{Config, Partner, Partners, TlsSection};
use crate::entropy::{Entropy, SystemEntropy};
use crate::peer::{Peers, Role};
use crate::pki::{PkiError, Practice, PracticePlan};
use crate::queue::CarrierKind;
use crate::serving::{self, Running, ServeError};
use crate::store::StoreLocation;
use crate::tls::{Limits, ServerTls, TlsError};
use crate::verification::{self, Verification, VerificationError};

use client::Partner as Caller;
pub use endpoint::{Behaviour, Endpoint};
pub use witness::WitnessFiles;

/// What a practice world is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// An empty folder for its files.
    pub dir: PathBuf,
    /// Which database.
    pub store: StorePlan,
    /// The time in it.
    pub clock: Arc<dyn Clock>,
}

/// Which database a practice world keeps its records in.
#[derive(Debug, Clone)]
pub enum StorePlan {
    /// A file in the world's folder.
    Sqlite,
    /// A PostgreSQL database, by its connection URL.
    Postgres(String),
}

/// The three trusts, by how they are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Collects FHIR R4.
    Acute,
    /// Collects JSON.
    Mental,
    /// Is pushed to at its own endpoint.
    Community,
}

impl Trust {
    /// Its organisation code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Acute => "RRK",
            Self::Mental => "RXT",
            Self::Community => "RYW",
        }
    }
}

/// Why a practice world could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// A certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A key.
    #[error("a key could not be made")]
    Keys(#[source] AppError),
    /// A file.
    #[error("{} could not be written", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// The file with the database's address.
    #[error(transparent)]
    Secret(#[from] crate::secret_file::SecretFileError),
    /// A port.
    #[error("no port could be had on loopback")]
    Port(#[source] std::io::Error),
    /// The gateway.
    #[error("the practice gateway did not start")]
    Serve(#[from] ServeError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A witness.
    #[error(transparent)]
    Witness(#[from] crate::witness::WitnessError),
    /// A client.
    #[error("a partner's client could not be made")]
    Client(#[from] reqwest::Error),
    /// A mailbox.
    #[error("a mailbox could not be opened")]
    Mesh(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A name in this file is wrong.
    #[error("{0} is not an organisation code")]
    Code(&'static str),
}

/// The files of a practice world: certificates, keys, configuration, partners.
#[derive(Debug)]
pub struct Stage {
    plan: Plan,
    practice: Practice,
    config: PathBuf,
    address: SocketAddr,
    admin: SocketAddr,
    endpoint: SocketAddr,
    mllp: SocketAddr,
    /// Keeps the ports for this world alone while it lasts; nobody connects to these.
    _kept: Vec<TcpListener>,
}

/// A practice world that runs.
#[derive(Debug)]
pub struct Cast {
    stage: Stage,
    running: Running,
    /// The pushed-to trust's own endpoint.
    pub endpoint: Endpoint,
    partners: BTreeMap<&'static str, Caller>,
}

impl Stage {
    /// Makes the files of a practice world in an empty folder.
    pub fn set(plan: Plan) -> Result<Self, PracticeError> {
        let mut partners = BTreeMap::new();
        for (name, code) in members().chain([NEIGHBOUR]) {
            partners.insert(name.to_owned(), organisation(code)?);
        }
        let now = plan.clock.now();
        let gateway = organisation(GATEWAY)?;
        let practice = Practice::mint(&PracticePlan { gateway, partners, now, days: VALID_DAYS })?;
        practice.write(&plan.dir.join("pki"))?;
        let keys = plan.dir.join("keys");
        KeyFiles::in_folder(&keys).make(&SystemEntropy::default()).map_err(PracticeError::Keys)?;
        let mut kept = Vec::new();
        let mut port = || free_port(&mut kept);
        let (address, admin, endpoint, mllp) = (port()?, port()?, port()?, port()?);
        let config = plan.dir.join("ehc-gateway.toml");
        let stage = Self { plan, practice, config, address, admin, endpoint, mllp, _kept: kept };
        stage.write_files()?;
        Ok(stage)
    }

    /// The gateway's configuration file.
    pub fn config_path(&self) -> &Path {
        &self.config
    }

    /// The local authority's system.
    pub fn authority(&self) -> Caller {
        self.caller("authority-334").unwrap_or_else(|_| unreachable_caller())
    }

    /// A member of the cast by the name of its folder.
    pub fn caller(&self, name: &str) -> Result<Caller, PracticeError> {
        let mut all = members().chain([NEIGHBOUR]);
        let code = all.find(|(member, _)| *member == name).map_or("", |(_, code)| code);
        self.caller_from(code, &self.plan.dir.join("pki/partners").join(name))
    }

    /// Has the community trust reached by FHIR messages to its own `$process-message` instead of
    /// by a plain push, in this format; from the next start of the gateway on.
    pub fn send_fhir_messages(&self, format: Format) -> Result<(), PracticeError> {
        let mut partners = self.partners()?;
        for partner in &mut partners {
            if partner.carrier == CarrierKind::HttpsPush {
                partner.carrier = CarrierKind::FhirMessage;
                partner.format = format;
                partner.endpoint = Some(format!("https://{}/fhir/$process-message", self.endpoint));
            }
        }
        write(&self.plan.dir.join("partners.toml"), &partners_file(partners)?)
    }

    /// Makes the neighbouring authority a partner, from the next start of the gateway on: for what
    /// passes between two authorities. Its own side is [`Self::caller`] by the name
    /// `authority-330`.
    pub fn admit_neighbour(&self) -> Result<(), PracticeError> {
        let mut partners = self.partners()?;
        let (name, code) = NEIGHBOUR;
        let pin = self.practice.partner(name)?.client.pin();
        let (title, role, format) = describe(code);
        let neighbour = Partner::new(organisation(code)?, title, role, pin);
        partners.push(Partner { format, carrier: CarrierKind::Collect, ..neighbour });
        write(&self.plan.dir.join("partners.toml"), &partners_file(partners)?)
    }

    /// Callers with one fault each, by the fault's name.
    pub fn villains(&self) -> Vec<(String, Caller)> {
        let folder = self.plan.dir.join("pki/villains");
        let mut villains = Vec::new();
        for villain in self.practice.villains() {
            let name = villain.kind.name();
            if let Ok(caller) = self.caller_from("334", &folder.join(name)) {
                villains.push((name.to_owned(), caller));
            }
        }
        villains
    }

    fn caller_from(&self, code: &str, folder: &Path) -> Result<Caller, PracticeError> {
        let tls = self.tls_section(folder.join("certificate.pem"), folder.join("key.pem"));
        let gateway = self.gateway_as_partner()?;
        let config = crate::tls::client_config(&tls, &gateway, Arc::clone(&self.plan.clock))?;
        Ok(Caller::new(code, format!("https://{}", self.address), config)?)
    }

    fn tls_section(&self, certificate: PathBuf, key: PathBuf) -> TlsSection {
        TlsSection {
            certificate,
            key,
            client_authorities: self.plan.dir.join("pki/authority/certificate.pem"),
            revocation_lists: Vec::new(),
            require_hybrid: false,
            reload_seconds: std::num::NonZeroU32::MIN,
        }
    }

    /// The gateway as a partner's own configuration knows it.
    fn gateway_as_partner(&self) -> Result<Partner, PracticeError> {
        let pin = self.practice.gateway().pin();
        Ok(Partner {
            carrier: CarrierKind::HttpsPush,
            endpoint: Some(format!("https://{}", self.address)),
            server_pins: [pin].into(),
            require_hybrid: true,
            ..Partner::new(organisation(GATEWAY)?, "Practice gateway", Role::Operator, pin)
        })
    }

    /// What a member serves with: its own certificate, for the gateway and nobody else.
    fn server_of(&self, name: &str) -> Result<ServerTls, PracticeError> {
        let folder = self.plan.dir.join("pki/partners").join(name);
        let tls = self.tls_section(folder.join("server.pem"), folder.join("server-key.pem"));
        let text = partners_file(vec![self.gateway_as_partner()?])?;
        let partners = Partners::parse(&folder.join("partners.toml"), &text)?;
        let peers = Arc::new(Peers::new(partners));
        Ok(ServerTls::load(&tls, None, peers, Arc::clone(&self.plan.clock))?)
    }

    fn write_files(&self) -> Result<(), PracticeError> {
        let dir = &self.plan.dir;
        let store = match &self.plan.store {
            StorePlan::Sqlite => "engine = \"sqlite\"\npath = \"data/gateway.db\"".to_owned(),
            StorePlan::Postgres(url) => {
                let file = dir.join("keys/database.url");
                crate::secret_file::create(&file, url.as_bytes())?;
                "engine = \"postgres\"\nurl_file = \"keys/database.url\"".to_owned()
            }
        };
        let config = CONFIG
            .replace("{address}", &self.address.to_string())
            .replace("{admin}", &self.admin.to_string())
            .replace("{mllp}", &self.mllp.to_string())
            .replace("{store}", &store);
        write(&self.config, &config)?;
        write(&dir.join("agreements.toml"), AGREEMENTS)?;
        write(&dir.join("routing.toml"), ROUTING)?;
        write(&dir.join("partners.toml"), &partners_file(self.partners()?)?)
    }

    fn partners(&self) -> Result<Vec<Partner>, PracticeError> {
        let mut partners = Vec::new();
        for (name, code) in MEMBERS {
            let minted = self.practice.partner(name)?;
            let (title, role, format) = describe(code);
            let pushed = code == Trust::Community.code();
            partners.push(Partner {
                format,
                mapping: (code == "334").then(|| "liquidlogic-ehc-advice-request".to_owned()),
                carrier: if pushed { CarrierKind::HttpsPush } else { CarrierKind::Collect },
                endpoint: pushed.then(|| format!("https://{}/inbox", self.endpoint)),
                server_pins: pushed.then(|| minted.server.pin()).into_iter().collect(),
                ..Partner::new(organisation(code)?, title, role, minted.client.pin())
            });
        }
        Ok(partners)
    }
}

impl Cast {
    /// Starts the gateway and the pushed-to trust's endpoint on a stage.
    pub async fn rise(stage: Stage) -> Result<Self, PracticeError> {
        let endpoint = stage.open_endpoint().await?;
        let config = Config::load(&stage.config)?;
        let entropy = Arc::new(SystemEntropy::default());
        let clock = Arc::clone(&stage.plan.clock);
        let running = serving::start(config, clock, entropy).await?;
        let mut partners = BTreeMap::new();
        for (name, code) in MEMBERS {
            partners.insert(code, stage.caller(name)?);
        }
        Ok(Self { stage, running, endpoint, partners })
    }

    /// Stops everything in good order. The stage can be risen on again.
    pub async fn fall(self) -> Stage {
        self.running.stop().await;
        self.endpoint.close().await;
        self.stage
    }

    /// The local authority.
    pub fn authority(&self) -> &Caller {
        self.member("334")
    }

    /// A trust.
    pub fn trust(&self, trust: Trust) -> &Caller {
        self.member(trust.code())
    }

    /// The commissioning board's system.
    pub fn commissioner(&self) -> &Caller {
        self.member("15E")
    }

    /// The information governance auditor.
    pub fn auditor(&self) -> &Caller {
        self.member("QHL")
    }

    /// The operator's own system.
    pub fn operator(&self) -> &Caller {
        self.member("OPS01")
    }

    /// The gateway's parts.
    pub fn app(&self) -> &App {
        self.running.app()
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.stage.address
    }

    /// The files it runs on.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Changes a partner's entry in the partners file, and waits until it is in force.
    pub async fn change_partner(
        &self,
        code: &'static str,
        change: impl FnOnce(&mut Partner),
    ) -> Result<(), PracticeError> {
        let app = self.app();
        let code = organisation(code)?;
        let mut partners: Vec<Partner> = app.peers.partners().iter().cloned().collect();
        let mut changed = None;
        if let Some(partner) = partners.iter_mut().find(|partner| partner.organisation == code) {
            change(partner);
            changed = Some(partner.clone());
        }
        write(&self.stage.plan.dir.join("partners.toml"), &partners_file(partners)?)?;
        for _ in 0..RELOAD_STEPS {
            if app.peers.partners().by_organisation(&code).cloned() == changed {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(PracticeError::Code("a partner that was changed"))
    }

    /// Where health and metrics are.
    pub fn admin_address(&self) -> SocketAddr {
        self.stage.admin
    }

    /// The gateway's configuration file.
    pub fn config_path(&self) -> &Path {
        &self.stage.config
    }

    /// A member of the cast by the name of its folder, with connections of its own.
    pub fn caller(&self, name: &str) -> Result<Caller, PracticeError> {
        self.stage.caller(name)
    }

    /// Callers with one fault each.
    pub fn villains(&self) -> Vec<(String, Caller)> {
        self.stage.villains()
    }

    /// The metrics as an operator's Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.app().metrics.render()
    }

    /// Verifies the running gateway's log and records.
    pub async fn verify_log(&self) -> Result<Verification, VerificationError> {
        let app = self.app();
        verification::of_store(&app.store, &app.log_vkey, &[], |_| {}).await
    }

    /// Verifies a copy of the gateway's embedded database, against checkpoints partners kept.
    pub async fn verify_copy(
        &self,
        copy: &Path,
        kept: &[&str],
    ) -> Result<Verification, VerificationError> {
        let location = StoreLocation::Sqlite { path: copy.to_owned() };
        let store = crate::app::open_store_alone(location, self.app()).await?;
        let kept: Vec<String> = kept.iter().map(|note| (*note).to_owned()).collect();
        let verified = verification::of_store(&store, &self.app().log_vkey, &kept, |_| {}).await;
        store.close().await;
        verified
    }

    /// Waits until no push is due or under way, at most this long.
    pub async fn wait_until_idle(&self, at_most: Duration) {
        let steps = at_most.as_millis() / 25;
        for _ in 0..steps {
            let now = self.app().clock.now();
            match self.app().store.pushes_under_way(now).await {
                Ok(0) => return,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }

    #[expect(clippy::expect_used, reason = "every member is put in by `rise`")]
    fn member(&self, code: &str) -> &Caller {
        self.partners.get(code).expect("a member of the cast")
    }
}

#[expect(clippy::panic, reason = "a practice world without its authority is a fault of ours")]
fn unreachable_caller() -> Caller {
    panic!("the authority's certificate was minted a moment ago and cannot be read")
}

fn describe(code: &str) -> (&'static str, Role, Format) {
    match code {
        "334" => ("Practice Borough Council", Role::LaCaseSystem, Format::Json),
        "330" => ("Practice Neighbouring Council", Role::LaCaseSystem, Format::Json),
        "RRK" => ("Practice Acute NHS Trust", Role::HealthTrust, Format::Fhir),
        "RXT" => ("Practice Mental Health NHS Trust", Role::HealthTrust, Format::Json),
        "RYW" => ("Practice Community NHS Trust", Role::HealthTrust, Format::Json),
        "15E" => ("Practice Commissioning Board", Role::Icb, Format::Json),
        "QHL" => ("Practice Information Governance", Role::IgAuditor, Format::Json),
        _ => ("Practice Operations", Role::Operator, Format::Json),
    }
}

/// What the made-up servers of partners allow a caller.
fn practice_limits() -> Limits {
    Limits {
        connections_max: std::num::NonZeroUsize::MIN.saturating_add(99),
        handshake_timeout: Duration::from_secs(10),
        header_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(1),
    }
}

/// A partners file as the gateway reads it.
fn partners_file(partners: Vec<Partner>) -> Result<String, PracticeError> {
    toml::to_string(&BTreeMap::from([("partner", partners)]))
        .or(Err(PracticeError::Code("a partner of the practice world")))
}

fn organisation(code: &'static str) -> Result<OrganisationCode, PracticeError> {
    OrganisationCode::parse(code).or(Err(PracticeError::Code(code)))
}

/// A port that was free a moment ago, below those that outgoing connections are given: so that
/// none of them takes it before the gateway does. The same port on the next loopback address is kept
/// as long as the world lasts, so that two worlds that begin together never choose the same.
fn free_port(kept: &mut Vec<TcpListener>) -> Result<SocketAddr, PracticeError> {
    let entropy = SystemEntropy::default();
    let mut last = std::io::Error::other("no port was tried");
    for _ in 0..PORTS_TRIED {
        let mut random = [0u8; 2];
        entropy.fill(&mut random).map_err(PkiError::from)?;
        let port = FIRST_PORT + u16::from_be_bytes(random) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let sign = match TcpListener::bind((KEEPING, port)) {
            Ok(sign) => Some(sign),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
            // Not every system has more than one loopback address.
            Err(_) => None,
        };
        match TcpListener::bind(address) {
            Ok(_) => {
                kept.extend(sign);
                return Ok(address);
            }
            Err(error) => last = error,
        }
    }
    Err(PracticeError::Port(last))
}

fn write(file: &Path, text: &str) -> Result<(), PracticeError> {
    std::fs::write(file, text).map_err(|error| PracticeError::File(file.to_owned(), error))
}

/// The members of the cast: the names of their folders, and their organisation codes.
pub fn members() -> impl Iterator<Item = (&'static str, &'static str)> {
    MEMBERS.into_iter()
}

/// The members of the cast: the names of their folders, and their organisation codes.
const MEMBERS: [(&str, &str); 7] = [
    ("authority-334", "334"),
    ("trust-rrk", "RRK"),
    ("trust-rxt", "RXT"),
    ("trust-ryw", "RYW"),
    ("commissioner-15e", "15E"),
    ("auditor-qhl", "QHL"),
    ("operator", "OPS01"),
];
/// An authority next door: it has certificates, and is a partner once it was admitted.
const NEIGHBOUR: (&str, &str) = ("authority-330", "330");
/// The practice gateway's own code.
const GATEWAY: &str = "EHCGW";
/// Where a port is kept for a world.
const KEEPING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The ports a practice world listens on: 10,000 to 29,999.
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 20_000;
const PORTS_TRIED: usize = 50;
/// How often it is looked whether a changed file is in force: ten seconds, ten reloads.
const RELOAD_STEPS: usize = 400;
/// Long enough for the demo's weeks to pass, and the months to the next last Friday of June.
const VALID_DAYS: u32 = 800;

const AGREEMENTS: &str = include_str!("../config/agreements.example.toml");
const ROUTING: &str = include_str!("../config/routing.example.toml");
const CONFIG: &str = r#"# A practice gateway: made-up people only.
[gateway]
organisation = "EHCGW"
name = "Practice gateway"
listen = "{address}"
admin_listen = "{admin}"
data_dir = "data"

[tls]
certificate = "pki/gateway/certificate.pem"
key = "pki/gateway/key.pem"
client_authorities = "pki/authority/certificate.pem"
revocation_lists = ["pki/authority/revoked.pem"]
reload_seconds = 1

[mllp]
listen = "{mllp}"

[store]
{store}

[keys]
wrapping = "keys/wrapping.keys"
log_signing = "keys/log-signing.key"
pseudonym = "keys/pseudonym.key"

[files]
partners = "partners.toml"
agreements = "agreements.toml"
routing = "routing.toml"
"#;
