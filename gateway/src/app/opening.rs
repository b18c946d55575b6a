//! Building the parts from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use adapters::mapping::{self, Mapping};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use schemas::catalogue::Catalogue;
use schemas::deadlines::{Rules as DeadlineRules, RulesError};

use super::{App, AppError};
use crate::audit::bundle::Base64Hash;
use crate::audit::checkpoint::{Checkpoint, LogSigner};
use crate::audit::tree::{self, Frontier, NodeAt, TreeHash};
use crate::authority::agreements::Agreements;
use crate::authority::routing::Routing;
use crate::authority::rules::consistency::Source;
use crate::authority::rules::{RuleBook, Rules};
use crate::clock::Clock;
use crate::config::{Config, Partners, StoreSection};
use crate::delivery::Carriers;
use crate::documents::Documents;
use crate::entropy::Entropy;
use crate::odd_access::Rules as OddAccessRules;
use crate::peer::Peers;
use crate::publication::Lying;
use crate::queue::CarrierKind;
use crate::receipt::{LogProof, ReceiptSigner};
use crate::retention::schedule::Schedule;
use crate::settings::Files;
use crate::sinks::{self, States};
use crate::store::{Appended, DatabaseUrl, LogError, LogKeeper, Store, StoreError, StoreLocation};
use crate::telemetry::Metrics;
use crate::vault::Vault;
use crate::vault::keyring::KeyFile;
use crate::vault::look_up::PeriodKeys;
use crate::vault::pseudonym::Pseudonyms;

impl App {
    /// Puts the parts together: keys, data files, partners, and the store brought up to date.
    pub async fn open(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AppError> {
        let (keys, location) = (period_keys(&config, &entropy)?, location(&config)?);
        let keeper = keeper(&config, &keys)?;
        let store = Store::open(location, keeper, Arc::clone(&clock), Arc::clone(&entropy)).await?;
        Self::over((store, keys), config, clock, entropy)
    }

    /// The same over a database that must be there: for commands that only look.
    pub async fn open_existing(
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AppError> {
        let (keys, location) = (period_keys(&config, &entropy)?, location(&config)?);
        let keeper = keeper(&config, &keys)?;
        let (time, random) = (Arc::clone(&clock), Arc::clone(&entropy));
        let store = Store::open_existing(location, keeper, time, random).await?;
        Self::over((store, keys), config, clock, entropy)
    }

    fn over(
        (store, period_keys): (Store, Arc<PeriodKeys>),
        config: Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, AppError> {
        let origin = format!("ehc-gateway/{}", config.gateway.organisation);
        let signer = LogSigner::load(&config.keys.log_signing, &origin)?;
        let vault = Vault::new(
            Arc::new(KeyFile::load(&config.keys.wrapping)?),
            Pseudonyms::load(&config.keys.pseudonym)?,
            Arc::clone(&entropy),
        );
        let partners = Partners::load(&config.files.partners)?;
        mailboxes(&config, &partners)?;
        let mut files = Files::default();
        let (rule_book, routing) = (rule_book(&config, &mut files)?, routing(&config, &mut files)?);
        let mappings = mappings(&config, &mut files)?;
        let odd_access = odd_access(&config, &mut files)?;
        let (rules, schedule) = (clocks(&config, &mut files)?, schedule(&config, &mut files)?);
        Ok(Self {
            opened_at: clock.now(),
            clock,
            entropy,
            store,
            vault,
            period_keys,
            peers: Arc::new(Peers::new(partners)),
            rules: Arc::new(rules),
            receipts: ReceiptSigner::new(signer.key()),
            log_vkey: signer.vkey(),
            login: None,
            origin,
            carriers: Carriers::default(),
            documents: Documents::open(&config.documents)?,
            schedule,
            files,
            metrics: Metrics::new(),
            sinks: States::of(&config.audit),
            published: Lying::default(),
            rule_book: Arc::new(rule_book),
            routing,
            odd_access,
            mappings,
            claimed: Mutex::new(BTreeSet::new()),
            in_hand: Mutex::new(BTreeMap::new()),
            stopping: AtomicBool::new(false),
            config,
        })
    }

    /// Proof that the tree of a size has an entry.
    pub async fn inclusion_proof(&self, size: u64, seq: u64) -> Result<Vec<TreeHash>, StoreError> {
        let needed = tree::inclusion_nodes(size, seq).map_err(log_fault)?;
        let nodes = self.nodes(&needed).await?;
        tree::inclusion_proof(size, seq, |node| nodes.get(&node).copied()).map_err(log_fault)
    }

    /// Proof that the tree of a size begins with that of an older size.
    pub async fn consistency_proof(
        &self,
        older: u64,
        size: u64,
    ) -> Result<Vec<TreeHash>, StoreError> {
        let needed = tree::consistency_nodes(size, older).map_err(log_fault)?;
        let nodes = self.nodes(&needed).await?;
        tree::consistency_proof(size, older, |node| nodes.get(&node).copied()).map_err(log_fault)
    }

    /// What proves to the holder of a receipt that entry `seq` is in the log of a checkpoint of ours.
    /// `None` when the checkpoint is not one of the key in force, or the entry is not there.
    pub(crate) async fn receipt_proof(
        &self,
        seq: u64,
        note: &str,
    ) -> Result<Option<LogProof>, StoreError> {
        let Ok(head) = Checkpoint::parse_and_verify(note, &self.log_vkey) else { return Ok(None) };
        let needed = tree::inclusion_nodes(head.size, seq).map_err(log_fault)?;
        let seqs: Vec<u64> = needed.iter().map(|node| node.row()).chain([seq]).collect();
        let rows = self.store.audit_rows_at(&seqs).await?;
        let row_at = |seq| rows.iter().find(|row| row.seq == seq);
        let read = |node: NodeAt| node.pick(&row_at(node.row())?.nodes);
        let proof = tree::inclusion_proof(head.size, seq, read).map_err(log_fault)?;
        Ok(row_at(seq).map(|row| LogProof {
            seq,
            entry: BASE64_STANDARD.encode(&row.leaf),
            proof: proof.into_iter().map(Base64Hash).collect(),
            checkpoint: note.to_owned(),
        }))
    }

    /// The nodes of the log's tree that are stored, of those that are needed.
    pub(crate) async fn nodes(
        &self,
        needed: &[NodeAt],
    ) -> Result<BTreeMap<NodeAt, TreeHash>, StoreError> {
        let seqs: Vec<u64> = needed.iter().map(|node| node.row()).collect();
        let rows = self.store.audit_rows_at(&seqs).await?;
        let found = needed.iter().filter_map(|node| {
            let row = rows.iter().find(|row| row.seq == node.row())?;
            Some((*node, node.pick(&row.nodes)?))
        });
        Ok(found.collect())
    }
}

/// What is wrong with the files a configuration names, without opening the store.
pub fn check_files(config: &Config) -> Vec<String> {
    let missing: Vec<String> =
        config.check_files().into_iter().map(|error| error.to_string()).collect();
    if !missing.is_empty() {
        return missing;
    }
    let mut findings = Vec::new();
    let files = &mut Files::default();
    let mut note = |result: Result<(), AppError>| {
        if let Err(error) = result {
            findings.push(crate::telemetry::chain(&error));
        }
    };
    note(rule_book(config, files).map(drop));
    note(routing(config, files).map(drop));
    note(odd_access(config, files).map(drop));
    note(clocks(config, files).map(drop));
    note(schedule(config, files).map(drop));
    note(partners_and_mappings(config));
    note(KeyFile::load(&config.keys.wrapping).map(drop).map_err(AppError::from));
    note(Pseudonyms::load(&config.keys.pseudonym).map(drop).map_err(AppError::from));
    note(LogSigner::load(&config.keys.log_signing, "check").map(drop).map_err(AppError::from));
    findings
}

/// How long things are kept: the operator's own schedule, or the one that comes with the gateway.
fn schedule(config: &Config, files: &mut Files) -> Result<Schedule, AppError> {
    let shipped = Schedule::shipped_text();
    let own = config.retention.schedule.as_deref();
    let (name, text) = data_file(own, "retention schedule", shipped)?;
    let schedule = Schedule::parse(&text).map_err(|error| in_file(&name, &error))?;
    files.note("retention-schedule", &text, Some(schedule.version()));
    Ok(schedule)
}

/// Every mapping that a partner names must be there.
fn partners_and_mappings(config: &Config) -> Result<(), AppError> {
    let mappings = mappings(config, &mut Files::default())?;
    let partners = Partners::load(&config.files.partners)?;
    mailboxes(config, &partners)?;
    for partner in partners.iter() {
        if let Some(name) = partner.mapping.as_ref().filter(|name| !mappings.contains_key(*name)) {
            let known: Vec<&str> = mappings.keys().map(String::as_str).collect();
            return Err(AppError::DataFile {
                file: show(&config.files.partners),
                message: format!(
                    "{} names the mapping {name:?}, which is not there; known are {}",
                    partner.organisation,
                    known.join(", ")
                ),
            });
        }
    }
    Ok(())
}

/// Whoever is reached through MESH needs a gateway that has a mailbox there.
fn mailboxes(config: &Config, partners: &Partners) -> Result<(), AppError> {
    let by_mesh = partners.iter().find(|partner| partner.carrier == CarrierKind::Mesh);
    match by_mesh.filter(|_| config.mesh.is_none()) {
        None => Ok(()),
        Some(partner) => Err(AppError::DataFile {
            file: show(&config.files.partners),
            message: format!(
                "{} is reached through MESH, and {} has no [mesh] section; add it with the \
                 gateway's own mailbox, or give the partner another carrier",
                partner.organisation,
                show(config.file())
            ),
        }),
    }
}

/// Opens another database with the parts of an app: a copy to verify, a restored backup.
pub async fn open_store_alone(location: StoreLocation, app: &App) -> Result<Store, StoreError> {
    let seams = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
    open_copy(location, &app.period_keys, seams).await
}

/// The same without an app.
pub(crate) async fn open_copy(
    location: StoreLocation,
    keys: &Arc<PeriodKeys>,
    (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
) -> Result<Store, StoreError> {
    let nobody = |_: u64, _: &[u8], _: Timestamp| Err("a copy is for reading".into());
    let keeper = LogKeeper::new(|_, _, _| Err("a copy is for reading".into()), nobody);
    let keeper = with_look_up(keeper, keys);
    Store::open_existing(location, keeper, clock, entropy).await
}

fn keeper(config: &Config, keys: &Arc<PeriodKeys>) -> Result<LogKeeper, AppError> {
    let keeper = naming_log_keeper(log_signer(config)?, keys);
    Ok(keeper.requiring(sinks::required(&config.audit)))
}

/// What signs the log of a configuration.
pub(crate) fn log_signer(config: &Config) -> Result<LogSigner, AppError> {
    let origin = format!("ehc-gateway/{}", config.gateway.organisation);
    Ok(LogSigner::load(&config.keys.log_signing, &origin)?)
}

/// The same of a log that names people, by an alias.
pub(crate) fn naming_log_keeper(signer: LogSigner, keys: &Arc<PeriodKeys>) -> LogKeeper {
    with_look_up(log_keeper(signer), keys)
}

fn period_keys(config: &Config, entropy: &Arc<dyn Entropy>) -> Result<Arc<PeriodKeys>, AppError> {
    let wrapper = Arc::new(KeyFile::load(&config.keys.wrapping)?);
    Ok(Arc::new(PeriodKeys::new(wrapper, Arc::clone(entropy))))
}

/// How the store has people named in its log, without knowing how.
fn with_look_up(keeper: LogKeeper, keys: &Arc<PeriodKeys>) -> LogKeeper {
    let (making, naming) = (Arc::clone(keys), Arc::clone(keys));
    keeper.with_look_up(
        move |period| Ok(making.make(period)?),
        move |period, key, subject| Ok(naming.alias(period, key, subject)?),
    )
}

/// How the store has its log extended and signed, without knowing how. Such a log can name nobody.
pub(crate) fn log_keeper(signer: LogSigner) -> LogKeeper {
    LogKeeper::new(
        |_size, frontier, leaf| {
            let mut frontier = frontier_from(frontier)?;
            let nodes = frontier.append(leaf)?;
            Ok(Appended { nodes, frontier: frontier.to_bytes() })
        },
        move |size, frontier, at: Timestamp| {
            let root = frontier_from(frontier)?.root()?;
            Ok(signer.sign_checkpoint(size, root, at)?)
        },
    )
}

/// The frontier in the head row; the empty one of a log that has just begun.
pub(crate) fn frontier_from(bytes: &[u8]) -> Result<Frontier, LogError> {
    if bytes.is_empty() { Ok(Frontier::default()) } else { Ok(Frontier::from_bytes(bytes)?) }
}

fn log_fault(error: tree::TreeError) -> StoreError {
    StoreError::Log(Arc::new(error))
}

/// The agreements and rules of a configuration, refused when they contradict each other. What is
/// shipped contradicts nothing, which a test holds, so it is not looked at again.
fn rule_book(config: &Config, noted: &mut Files) -> Result<RuleBook, AppError> {
    let files = &config.files;
    let (agreements_name, text) = data_file(files.agreements.as_deref(), "agreements", AGREEMENTS)?;
    let agreements = Agreements::parse(&text).map_err(|error| in_file(&agreements_name, &error))?;
    noted.note("agreements", &text, Some(agreements.version()));
    let (rules_name, text) = match files.rules.as_deref() {
        Some(file) => (show(file), read(file)?),
        None => ("the rules shipped".to_owned(), Rules::built_in_text().to_owned()),
    };
    let rules = Rules::parse(&text).map_err(|error| in_file(&rules_name, &error))?;
    noted.note("rules", &text, Some(rules.version()));
    let book = RuleBook { agreements, rules };
    let mut findings = Vec::new();
    if files.rules.is_some() {
        findings.extend(book.rules.findings(Catalogue::built_in()));
    }
    if files.rules.is_some() || files.agreements.is_some() {
        findings.extend(book.agreement_findings());
    }
    match findings.first() {
        None => Ok(book),
        Some(finding) => {
            let name = match finding.source {
                Source::Rules => &rules_name,
                Source::Agreements => &agreements_name,
            };
            Err(in_file(name, finding))
        }
    }
}

fn routing(config: &Config, files: &mut Files) -> Result<Routing, AppError> {
    let (name, text) = data_file(config.files.routing.as_deref(), "routing", ROUTING)?;
    let routing = Routing::parse(&text).map_err(|error| in_file(&name, &error))?;
    files.note("routing", &text, Some(routing.version()));
    Ok(routing)
}

/// What counts as odd about an access.
fn odd_access(config: &Config, files: &mut Files) -> Result<OddAccessRules, AppError> {
    let shipped = OddAccessRules::built_in_text();
    let (name, text) =
        data_file(config.files.odd_access.as_deref(), "rules of odd access", shipped)?;
    let rules = OddAccessRules::parse(&text).map_err(|error| in_file(&name, &error))?;
    files.note("odd-access", &text, Some(&rules.version));
    Ok(rules)
}

/// The statutory clocks, and the table of bank holidays.
fn clocks(config: &Config, files: &mut Files) -> Result<DeadlineRules, AppError> {
    let (shipped, days_shipped) = DeadlineRules::built_in_texts();
    let (clocks_name, clocks) = data_file(config.files.clocks.as_deref(), "clocks", shipped)?;
    let days = config.files.bank_holidays.as_deref();
    let (days_name, days) = data_file(days, "bank holidays", days_shipped)?;
    let rules = DeadlineRules::parse(&clocks, &days).map_err(|error| {
        let of_days = matches!(error, RulesError::BankHolidays { .. });
        in_file(if of_days { &days_name } else { &clocks_name }, &error)
    })?;
    let versions: Vec<&str> = rules.versions().iter().map(|one| one.id.as_str()).collect();
    files.note("clocks", &clocks, Some(&versions.join(",")));
    files.note("bank-holidays", &days, None);
    Ok(rules)
}

/// The mappings shipped, and those of the configured folder, which win.
fn mappings(config: &Config, noted: &mut Files) -> Result<BTreeMap<String, Mapping>, AppError> {
    let mut mappings = BTreeMap::new();
    let mut note = |mapping: &Mapping, text: &str| {
        let (name, version) =
            (format!("mapping.{}", mapping.name()), mapping.version().to_string());
        noted.note(&name, text, Some(&version));
    };
    for name in mapping::built_in_names() {
        let Some(mapping) = Mapping::built_in(name) else { continue };
        note(&mapping, Mapping::built_in_text(name).unwrap_or_default());
        mappings.insert(name.to_owned(), mapping);
    }
    let Some(folder) = &config.files.mappings else { return Ok(mappings) };
    let files = std::fs::read_dir(folder).map_err(|error| in_file(&show(folder), &error))?;
    // In the order of their names, so that of two files for one mapping the same one always wins.
    let mut files: Vec<_> = files.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        if file.extension().is_some_and(|extension| extension == "toml") {
            let text = read(&file)?;
            let mapping = Mapping::parse(&text).map_err(|error| in_file(&show(&file), &error))?;
            note(&mapping, &text);
            mappings.insert(mapping.name().to_owned(), mapping);
        }
    }
    Ok(mappings)
}

/// Where the database of a configuration is. An embedded one's folder is made.
pub(crate) fn location(config: &Config) -> Result<StoreLocation, AppError> {
    match &config.store {
        StoreSection::Sqlite { path } => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| in_file(&show(folder), &error))?;
            }
            Ok(StoreLocation::Sqlite { path: path.clone() })
        }
        StoreSection::Postgres { url_file } => {
            let url = crate::secret_file::read(url_file)
                .map_err(|error| in_file(&show(url_file), &error))?;
            let url = String::from_utf8_lossy(&url).trim().to_owned();
            Ok(StoreLocation::Postgres { url: DatabaseUrl::new(url) })
        }
    }
}

fn data_file(
    file: Option<&Path>,
    shipped_as: &str,
    shipped: &str,
) -> Result<(String, String), AppError> {
    match file {
        Some(file) => Ok((show(file), read(file)?)),
        None => Ok((format!("the {shipped_as} shipped"), shipped.to_owned())),
    }
}

fn read(file: &Path) -> Result<String, AppError> {
    std::fs::read_to_string(file).map_err(|error| in_file(&show(file), &error))
}

fn show(file: &Path) -> String {
    file.display().to_string()
}

fn in_file(file: &str, error: &impl std::fmt::Display) -> AppError {
    AppError::DataFile { file: file.to_owned(), message: error.to_string() }
}

const AGREEMENTS: &str = include_str!("../../config/agreements.example.toml");
const ROUTING: &str = include_str!("../../config/routing.example.toml");
