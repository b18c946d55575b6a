//! `witness`: what another organisation runs to cosign a gateway's log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::{Outcome, eprintln_line, print_line};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature;
use crate::audit::tree;
use crate::clock::SystemClock;
use crate::config::{Partners, WitnessConfig, WitnessedLog};
use crate::delivery::witness::LogReader;
use crate::entropy::SystemEntropy;
use crate::publication;
use crate::serving::serve_witness;
use crate::witness::{Refusal, Submission, Witness};

/// Commands of a witness.
#[derive(Debug, Subcommand)]
pub(super) enum WitnessCommand {
    /// Make the key and the empty state of a new witness; prints its public key.
    Init(WitnessConfigured),
    /// Print the witness's public key.
    Key(WitnessConfigured),
    /// Answer gateways that ask for cosignatures, over mutual TLS.
    Serve(WitnessConfigured),
    /// Look at each log once, from its gateway or its published folder; cosign, or say why not.
    Once {
        #[command(flatten)]
        configured: WitnessConfigured,
        /// Write the cosigned checkpoints into this folder, one file for each log.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

/// The witness's configuration file.
#[derive(Debug, Args)]
pub(super) struct WitnessConfigured {
    /// The witness's configuration file.
    #[arg(long, short, default_value = "witness.toml", value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn witness(command: &WitnessCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        WitnessCommand::Init(configured) => {
            let config = WitnessConfig::load(&configured.config)?;
            say_key(&Witness::make(&config, &SystemEntropy::default())?, json);
            eprintln_line(
                "Keep key and state together and back neither up: a witness that forgets what it cosigned must not cosign again.",
            );
            Ok(Outcome::Done)
        }
        WitnessCommand::Key(configured) => {
            let config = WitnessConfig::load(&configured.config)?;
            say_key(&open(&config)?.vkey(), json);
            Ok(Outcome::Done)
        }
        WitnessCommand::Serve(configured) => serve(configured, json).await,
        WitnessCommand::Once { configured, out } => once(configured, out.as_deref(), json).await,
    }
}

fn open(config: &WitnessConfig) -> anyhow::Result<Witness> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
    Ok(Witness::open(config, clock, entropy)?)
}

fn say_key(vkey: &str, json: bool) {
    print_line(&if json {
        serde_json::json!({ "vkey": vkey }).to_string()
    } else {
        vkey.to_owned()
    });
}

async fn serve(configured: &WitnessConfigured, json: bool) -> anyhow::Result<Outcome> {
    let config = WitnessConfig::load(&configured.config)?;
    crate::telemetry::start_logging(tracing::Level::INFO, false);
    let witness = Arc::new(open(&config)?);
    let (Some(listen), Some(tls), Some(partners)) = (config.listen, &config.tls, &config.partners)
    else {
        bail!("{}: set listen, partners and [tls] to serve", configured.config.display());
    };
    let clock = Arc::new(SystemClock);
    let running = serve_witness(witness, listen, (tls, partners.as_path()), clock).await?;
    let address = running.address().to_string();
    if json {
        print_line(&serde_json::json!({ "serving": address }).to_string());
    } else {
        eprintln_line(&format!("Cosigning on {address} (mutual TLS). Ctrl-C stops it."));
    }
    super::serve::told_to_stop().await;
    running.stop().await;
    Ok(Outcome::Done)
}

/// What one look at a log came to.
struct Look {
    origin: String,
    size: u64,
    /// The cosigned checkpoint, or why there is none.
    cosigned: Result<String, Refusal>,
    /// What the gateway said when it was shown what this witness holds.
    told: Option<String>,
}

async fn once(
    configured: &WitnessConfigured,
    out: Option<&Path>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let config = WitnessConfig::load(&configured.config)?;
    let witness = open(&config)?;
    let mut outcome = Outcome::Done;
    let mut looks = Vec::new();
    for (origin, log) in witness.logs() {
        let look = look_at(&witness, &config, (origin, log)).await?;
        if let Err(refusal) = &look.cosigned {
            if !refusal.is_against_the_log() {
                bail!("{origin}: {refusal}");
            }
            outcome = Outcome::Found;
        }
        looks.push(look);
    }
    for look in &looks {
        say(look, out, json)?;
    }
    Ok(outcome)
}

/// Looks at one log, by the way that is set for it.
async fn look_at(
    witness: &Witness,
    config: &WitnessConfig,
    (origin, log): (&str, &WitnessedLog),
) -> anyhow::Result<Look> {
    let old = witness.head(origin).map_or(0, |head| head.size);
    let reader = reader(config, log)?;
    let note = match (&reader, &log.folder) {
        (Some(reader), _) => reader.checkpoint().await?,
        (None, Some(folder)) => publication::note_in_folder(folder)
            .with_context(|| format!("{} has no checkpoint", folder.display()))?,
        (None, None) => bail!("{origin}: set url and gateway, or folder, to look at this log"),
    };
    let size = Checkpoint::parse_and_verify(&note, &log.vkey)
        .with_context(|| format!("{origin} shows something else than a checkpoint of its"))?
        .size;
    // Without growth there is nothing to prove; one that is shorter or cannot prove it is refused.
    let proof = match (&reader, &log.folder) {
        _ if old == 0 || old >= size => Vec::new(),
        (Some(reader), _) => {
            let link = reader.consistency(old, size).await?;
            link.hashes.into_iter().map(|hash| hash.0).collect()
        }
        (None, Some(folder)) => {
            let read = |node| publication::node_in_folder(folder, size, node);
            tree::consistency_proof(size, old, read)
                .with_context(|| format!("{} has not all its tiles", folder.display()))?
        }
        (None, None) => Vec::new(),
    };
    let submission = Submission { old: old.min(size), proof, note };
    let cosigned = witness.add(&submission);
    let cosigned = cosigned.map(|line| cosignature::with_lines(&submission.note, [line.as_str()]));
    // The gateway gets the cosignature, or the evidence against its database.
    let held = witness.head(origin).map(|head| head.note);
    let told = match (&reader, held) {
        (Some(reader), Some(held)) => Some(reader.show(&held).await?),
        (Some(_) | None, Some(_) | None) => None,
    };
    Ok(Look { origin: origin.to_owned(), size, cosigned, told })
}

fn reader(config: &WitnessConfig, log: &WitnessedLog) -> anyhow::Result<Option<LogReader>> {
    let (Some(url), Some(gateway)) = (&log.url, &log.gateway) else { return Ok(None) };
    let (Some(tls), Some(partners)) = (&config.tls, &config.partners) else { return Ok(None) };
    let partners = Partners::load(partners)?;
    let gateway = partners.by_organisation(gateway);
    let gateway = gateway.context("the gateway of a [[log]] is not in the partners file")?;
    let tls = crate::tls::client_config(tls, gateway, Arc::new(SystemClock))?;
    Ok(Some(LogReader::new(url, tls)?))
}

fn say(look: &Look, out: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let Look { origin, size, cosigned, told } = look;
    if let (Ok(note), Some(out)) = (cosigned, out) {
        std::fs::create_dir_all(out)?;
        let file = out.join(format!("{}.checkpoint", origin.replace('/', "_")));
        std::fs::write(&file, note).with_context(|| format!("{}", file.display()))?;
    }
    if json {
        let told = told.as_deref().and_then(|told| serde_json::from_str(told).ok());
        let told: Option<serde_json::Value> = told;
        let refused = cosigned.as_ref().err().map(ToString::to_string);
        let body = serde_json::json!({
            "log": origin, "size": size, "cosigned": cosigned.as_ref().ok(),
            "refused": refused, "gateway": told,
        });
        print_line(&body.to_string());
    }
    match cosigned {
        Ok(note) => {
            if !json && out.is_none() {
                print_line(note.trim_end());
            }
            eprintln_line(&format!("{origin}: cosigned {size} entries."));
        }
        Err(refusal) => {
            eprintln_line(&format!("{origin}: NOT cosigned. {refusal}."));
            if told.is_some() {
                eprintln_line("The gateway was shown what this witness cosigned.");
            }
            eprintln_line(
                "Keep the state file as it is, and tell both organisations' information governance leads.",
            );
        }
    }
    Ok(())
}
