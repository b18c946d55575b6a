//! `pki` and `keys`: practice certificates, pins, and the gateway's own keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use schemas::OrganisationCode;

use super::{Outcome, eprintln_line, print_line, table};
use crate::app::KeyFiles;
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use crate::pki::{Practice, PracticePlan, pin_of_pem};
use crate::vault::keyring::KeyFile;

/// Practice certificates.
#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Mint a practice authority, a gateway, partners and villains into an empty folder.
    Mint {
        /// The folder; made when it is not there.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// The gateway's own organisation code.
        #[arg(long, default_value = "EHCGW", value_name = "CODE")]
        gateway: String,
        /// Partners as NAME=CODE, for example trust-rrk=RRK; the practice cast when none is given.
        #[arg(long = "partner", value_name = "NAME=CODE")]
        partners: Vec<String>,
        /// For how many days the certificates are valid.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=398))]
        days: u32,
    },
    /// Print the pin of a certificate, as the partners file takes it.
    Pin {
        /// The certificate, PEM.
        certificate: PathBuf,
    },
}

/// The gateway's own keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make the wrapping, log-signing, pseudonym and backup keys, each in a file only its owner
    /// can read.
    Make {
        /// The folder; made when it is not there. Existing keys are never replaced.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Make the backup key alone, for a gateway from before there were backups.
    MakeBackup {
        /// The file, for example `keys/backup.keys`. An existing one is never replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn pki(command: &PkiCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        PkiCommand::Mint { out, gateway, partners, days } => {
            let plan = PracticePlan {
                gateway: code(gateway)?,
                partners: members(partners)?,
                now: SystemClock.now(),
                days: *days,
            };
            let practice = Practice::mint(&plan)?;
            practice.write(out)?;
            show(&practice, json);
            eprintln_line(&format!(
                "Practice certificates are in {}. Never use them for real people.",
                out.display()
            ));
            Ok(Outcome::Done)
        }
        PkiCommand::Pin { certificate } => {
            let pem = std::fs::read(certificate)
                .with_context(|| format!("{} could not be read", certificate.display()))?;
            let pin = pin_of_pem(&pem)?.to_string();
            let said = if json { serde_json::json!({ "pin": pin }).to_string() } else { pin };
            print_line(&said);
            Ok(Outcome::Done)
        }
    }
}

pub(super) fn keys(command: &KeysCommand, json: bool) -> anyhow::Result<Outcome> {
    let made = match command {
        KeysCommand::Make { out } => {
            let files = KeyFiles::in_folder(out);
            files.make(&SystemEntropy::default())?;
            vec![files.wrapping, files.log_signing, files.pseudonym, files.backup]
        }
        KeysCommand::MakeBackup { out } => {
            KeyFile::generate_for_backups(out, &SystemEntropy::default())?;
            vec![out.clone()]
        }
    };
    let made: Vec<String> = made.iter().map(|file| file.display().to_string()).collect();
    if json {
        print_line(&serde_json::json!({ "made": made }).to_string());
    } else {
        for file in &made {
            print_line(file);
        }
        eprintln_line(
            "Back them up apart from the database: what they seal cannot be opened without them.",
        );
    }
    Ok(Outcome::Done)
}

fn show(practice: &Practice, json: bool) {
    let gateway = ("gateway".to_owned(), practice.gateway().pin().to_string());
    let partners = practice
        .partners()
        .map(|(name, partner)| (name.to_owned(), partner.client.pin().to_string()));
    let pins: Vec<(String, String)> = std::iter::once(gateway).chain(partners).collect();
    if json {
        let villains: Vec<&str> =
            practice.villains().iter().map(|villain| villain.kind.name()).collect();
        let pins: BTreeMap<String, String> = pins.into_iter().collect();
        print_line(&serde_json::json!({ "pins": pins, "villains": villains }).to_string());
    } else {
        let rows = pins.into_iter().map(|(name, pin)| vec![name, pin]);
        print_line(&table(&["certificate", "pin"], rows));
    }
}

fn members(partners: &[String]) -> anyhow::Result<BTreeMap<String, OrganisationCode>> {
    if partners.is_empty() {
        return crate::practice::members()
            .map(|(name, text)| Ok((name.to_owned(), code(text)?)))
            .collect();
    }
    partners
        .iter()
        .map(|text| {
            let (name, text) = text.split_once('=').context("--partner takes NAME=CODE")?;
            Ok((name.to_owned(), code(text)?))
        })
        .collect()
}

fn code(text: &str) -> anyhow::Result<OrganisationCode> {
    OrganisationCode::parse(text).context("an organisation code has three to six letters or digits")
}
