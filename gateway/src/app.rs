//! The wired parts: the one place that builds them.
//!
//! [`App::open`] makes everything from a configuration; [`serving`](crate::serving) puts it on
//! the network.
//! Concrete types throughout, and the three seams behind `Arc<dyn …>`.

mod dropping;
mod opening;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use adapters::Format;
use adapters::mapping::Mapping;
use jiff::Timestamp;
use jiff::civil::Date;
use schemas::deadlines::Rules;
use schemas::{OrganisationCode, ServiceCode};
use uuid::Uuid;

use crate::audit::Actor;
use crate::audit::checkpoint::LogSigner;
use crate::authority::routing::{Route, Routing};
use crate::authority::rules::RuleBook;
use crate::clock::Clock;
use crate::config::{Config, Partner};
use crate::delivery::fhir_message::Attempt;
use crate::delivery::{Carriers, Parcel, SendError};
use crate::documents::Documents;
use crate::entropy::{Entropy, EntropyError};
use crate::odd_access::Rules as OddAccessRules;
use crate::peer::Peers;
use crate::prompt::Login;
use crate::publication::Lying;
use crate::queue::CarrierKind;
use crate::receipt::ReceiptSigner;
use crate::retention::schedule::Schedule;
use crate::settings::Files;
use crate::sinks::States;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::vault::keyring::KeyFile;
use crate::vault::look_up::PeriodKeys;
use crate::vault::pseudonym::Pseudonyms;

pub use opening::{check_files, open_store_alone};
pub(crate) use opening::{
    frontier_from, location, log_keeper, log_signer, naming_log_keeper, open_copy,
};

/// Everything a request or a command needs.
#[derive(Debug)]
pub struct App {
    /// The configuration it was built from.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where everything is kept.
    pub store: Store,
    /// Sealing and opening.
    pub vault: Vault,
    /// The keys of the log's periods.
    pub period_keys: Arc<PeriodKeys>,
    /// Who may call.
    pub peers: Arc<Peers>,
    /// The statutory periods.
    pub rules: Arc<Rules>,
    /// What signs receipts.
    pub receipts: ReceiptSigner,
    /// What verifies the log's checkpoints.
    pub log_vkey: String,
    /// How parcels leave.
    pub carriers: Carriers,
    /// Where large documents are kept, and what scans them.
    pub documents: Documents,
    /// How long each class of what is kept is kept.
    pub schedule: Schedule,
    /// What an operator may see.
    pub metrics: Metrics,
    /// Where the log goes besides the database, and how that stands.
    pub sinks: States,
    /// What lies in the folder that the log is published to.
    pub published: Lying,
    /// Since when this process has been at it.
    pub opened_at: Timestamp,
    login: Option<Login>,
    origin: String,
    rule_book: Arc<RuleBook>,
    routing: Routing,
    odd_access: OddAccessRules,
    mappings: BTreeMap<String, Mapping>,
    files: Files,
    claimed: Mutex<BTreeSet<(OrganisationCode, String)>>,
    in_hand: Mutex<BTreeMap<OrganisationCode, usize>>,
    stopping: AtomicBool,
}

/// Why the gateway could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration or a file it names.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The store.
    #[error("the store could not be opened")]
    Store(#[from] StoreError),
    /// A key file.
    #[error("the keys could not be read")]
    Vault(#[from] crate::vault::VaultError),
    /// The log's signing key.
    #[error("the log's signing key could not be read")]
    Checkpoint(#[from] crate::audit::checkpoint::CheckpointError),
    /// Where documents are kept.
    #[error("the place for documents could not be opened")]
    Documents(#[from] crate::documents::keeping::KeepingError),
    /// Certificates.
    #[error("the certificates could not be read")]
    Tls(#[from] crate::tls::TlsError),
    /// Witnesses are required, and too few answered.
    #[error(
        "{answered} witnesses answered and {wanted} must, so that a restored backup is found before anything is released: start the witnesses, or take require_witness out of [audit]"
    )]
    Unwitnessed {
        /// How many must answer.
        wanted: usize,
        /// How many did.
        answered: usize,
    },
    /// A data file: agreements, routing or a mapping.
    #[error("{file}: {message}")]
    DataFile {
        /// The file.
        file: String,
        /// What is wrong with it, where, and what to do.
        message: String,
    },
}

impl App {
    /// The gateway's own organisation.
    pub fn organisation(&self) -> &OrganisationCode {
        &self.config.gateway.organisation
    }

    /// The same, with who types at the machine's own prompt.
    #[must_use]
    pub fn at_the_prompt_of(self, login: Option<Login>) -> Self {
        Self { login, ..self }
    }

    /// Whoever types at the machine's own prompt, as the log may know them; nobody by name where the
    /// operating system does not say, and in a gateway that serves.
    pub fn operator(&self) -> Actor {
        let names = self.vault.pseudonyms();
        self.login.as_ref().map_or_else(Actor::local, |login| login.actor(names))
    }

    /// The same where they say who decides: a user id of the gateway's own organisation.
    pub fn operator_saying(&self, user: &str) -> Actor {
        let said = Some(self.vault.pseudonyms().person(self.organisation(), user));
        let operator = self.operator();
        match operator.person {
            Some(_) => Actor { claimed: said, ..operator },
            None => Actor { person: said, ..operator },
        }
    }

    /// Who asked for a file that is taken out, for its cover: by name only whoever takes it out
    /// themselves, at the prompt.
    pub(crate) fn asked_by(&self, actor: &Actor) -> String {
        let person = actor.person.as_deref();
        match self.login.as_ref().filter(|_| actor.is_at_the_prompt()).zip(person) {
            Some((login, person)) => {
                format!("{} (login {}, {person} in the log)", actor.organisation, login.name())
            }
            None => format!("{} ({})", actor.organisation, person.unwrap_or("at the machine")),
        }
    }

    /// A fresh identifier.
    pub fn make_id(&self) -> Result<Uuid, EntropyError> {
        self.entropy.make_id(self.clock.now())
    }

    /// Two random bytes, for jitter.
    pub fn random_u16(&self) -> Result<u16, EntropyError> {
        let mut bytes = [0u8; 2];
        self.entropy.fill(&mut bytes)?;
        Ok(u16::from_be_bytes(bytes))
    }

    /// The name of the log, which is also the issuer of receipts.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The sharing rules and agreements in force.
    pub fn rule_book(&self) -> &RuleBook {
        &self.rule_book
    }

    /// The fingerprints of the files it was built from.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// What counts as odd about an access.
    pub fn odd_access(&self) -> &OddAccessRules {
        &self.odd_access
    }

    /// The routes in force on a day.
    pub fn routes_in_force(&self, on: Date) -> impl Iterator<Item = &Route> {
        self.routing.all().iter().filter(move |route| route.holds_on(on))
    }

    /// The organisation that answers for a service on a day.
    pub fn route(&self, service: &ServiceCode, on: Date) -> Option<OrganisationCode> {
        self.routing.route(service, on).ok().map(|route| route.organisation.clone())
    }

    /// An organisation's entry in the partners file in force.
    pub fn partner(&self, organisation: &OrganisationCode) -> Option<Partner> {
        self.peers.partners().by_organisation(organisation).cloned()
    }

    /// How an organisation receives; `None` when it is no partner of this gateway.
    pub fn carrier_of(&self, organisation: &OrganisationCode) -> Option<CarrierKind> {
        self.partner(organisation).map(|partner| partner.carrier)
    }

    /// The format an organisation receives; canonical JSON when nothing else is set.
    pub fn format_of(&self, organisation: &OrganisationCode) -> Format {
        self.partner(organisation).map_or(Format::Json, |partner| partner.format)
    }

    /// The name of an organisation; its code when it is no partner.
    pub fn name_of(&self, organisation: &OrganisationCode) -> String {
        let partner = self.partner(organisation);
        partner.map_or_else(|| organisation.to_string(), |partner| partner.name.clone())
    }

    /// The name of whoever an entry of the log says acted: an organisation's, or the gateway's own,
    /// which is also an operator's at its machine.
    pub fn name_of_code(&self, code: &str) -> String {
        match OrganisationCode::parse(code) {
            Ok(code) => self.name_of(&code),
            Err(_) => "The gateway".to_owned(),
        }
    }

    /// A mapping by name; the sender's own when none is named.
    pub fn mapping(&self, sender: &OrganisationCode, name: Option<&str>) -> Option<Mapping> {
        let own = self.partner(sender).and_then(|partner| partner.mapping.clone());
        let name = name.map(str::to_owned).or(own)?;
        self.mappings.get(&name).cloned()
    }

    /// The names of every mapping.
    pub fn mapping_names(&self) -> impl Iterator<Item = &String> {
        self.mappings.keys()
    }

    /// Pushes a parcel to the partner it was opened for, by the trust files in force now.
    pub async fn push(&self, parcel: Parcel) -> Result<(), SendError> {
        let Some(partner) = self.partner(parcel.recipient()) else {
            return Err(SendError::Transient("the recipient is not a partner".to_owned()));
        };
        let tls = |partner: &Partner| {
            crate::tls::client_config(&self.config.tls, partner, Arc::clone(&self.clock))
        };
        match partner.carrier {
            CarrierKind::HttpsPush => {
                self.carriers.https.send(parcel, &partner, &self.config.delivery, tls).await
            }
            CarrierKind::FhirMessage => {
                let request = self.make_id();
                let request = request.or(Err(SendError::Transient("no randomness".to_owned())))?;
                let (gateway, settings) = (&self.config.gateway, &self.config.delivery);
                let attempt = Attempt { gateway, settings, request };
                self.carriers.fhir.send(parcel, &partner, attempt, tls).await
            }
            CarrierKind::Mllp => {
                let clock = Arc::clone(&self.clock);
                let settings = (&self.config.tls, &self.config.delivery);
                crate::delivery::mllp::send(parcel, &partner, settings, clock).await
            }
            CarrierKind::Mesh => self.carriers.mesh.send(self, parcel, &partner).await,
            CarrierKind::DropFolder => self.drop_into_folder(parcel, &partner).await,
            CarrierKind::Collect => {
                Err(SendError::Transient("the partner is not pushed to at present".to_owned()))
            }
        }
    }

    /// An idempotency key as it is stored: keyed and hashed, because senders put anything in it.
    pub fn stored_key(&self, key: &str) -> String {
        crate::entropy::hex(&self.vault.pseudonyms().recognition("key", key.as_bytes()))
    }

    /// Claims an idempotency key for the time of one request; `None` when it is claimed already.
    pub fn claim_key(&self, sender: &OrganisationCode, key: &str) -> Option<KeyClaim<'_>> {
        let claim = (sender.clone(), key.to_owned());
        let mut claimed = self.claimed.lock().ok()?;
        claimed.insert(claim.clone()).then_some(KeyClaim { app: self, claim })
    }

    /// A place for one request of a partner; `None` when it has as many in hand as it may, so that
    /// one partner never takes the gateway from the others.
    pub fn take_place(&self, partner: &OrganisationCode) -> Option<Place<'_>> {
        let mut in_hand = self.in_hand.lock().ok()?;
        let count = in_hand.entry(partner.clone()).or_default();
        if *count >= IN_HAND_MAX {
            return None;
        }
        *count += 1;
        Some(Place { app: self, partner: partner.clone() })
    }

    /// Whether the gateway is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Says that the gateway is stopping: readiness turns false.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// The number of entries in the log.
    pub async fn log_size(&self) -> Result<u64, StoreError> {
        Ok(self.store.audit_head().await?.size)
    }
}

/// An idempotency key that is being worked on; let go when dropped.
#[derive(Debug)]
pub struct KeyClaim<'a> {
    app: &'a App,
    claim: (OrganisationCode, String),
}

impl Drop for KeyClaim<'_> {
    fn drop(&mut self) {
        if let Ok(mut claimed) = self.app.claimed.lock() {
            claimed.remove(&self.claim);
        }
    }
}

/// One request of a partner in hand; given back when dropped.
#[derive(Debug)]
pub struct Place<'a> {
    app: &'a App,
    partner: OrganisationCode,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Ok(mut in_hand) = self.app.in_hand.lock()
            && let Some(count) = in_hand.get_mut(&self.partner)
        {
            *count = count.saturating_sub(1);
        }
    }
}

/// The gateway's own key files.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    /// Wraps the keys that seal records.
    pub wrapping: PathBuf,
    /// Signs checkpoints and receipts.
    pub log_signing: PathBuf,
    /// Makes pseudonyms.
    pub pseudonym: PathBuf,
    /// Wraps the keys that seal backups.
    pub backup: PathBuf,
}

impl KeyFiles {
    /// The usual names in one folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            wrapping: folder.join("wrapping.keys"),
            log_signing: folder.join("log-signing.key"),
            pseudonym: folder.join("pseudonym.key"),
            backup: folder.join("backup.keys"),
        }
    }

    /// Makes all four. Refuses when one exists: a lost wrapping key cannot be made again.
    pub fn make(&self, entropy: &dyn Entropy) -> Result<(), AppError> {
        for file in [&self.wrapping, &self.log_signing, &self.pseudonym, &self.backup] {
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(|error| AppError::DataFile {
                    file: folder.display().to_string(),
                    message: format!("the folder could not be made: {error}"),
                })?;
            }
        }
        KeyFile::generate(&self.wrapping, entropy, FIRST_PERIOD)?;
        LogSigner::generate(&self.log_signing, "ehc-gateway", entropy)?;
        Pseudonyms::generate(&self.pseudonym, entropy)?;
        KeyFile::generate_for_backups(&self.backup, entropy)?;
        Ok(())
    }
}

/// Requests of one partner in hand at once: a case system's batch jobs need a handful.
const IN_HAND_MAX: usize = 64;
/// The name of the first retention period's wrapping key.
const FIRST_PERIOD: &str = "first";
