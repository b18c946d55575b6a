//! `disclosure-pack`: what was shared about one person, for whoever answers their request.

use std::path::PathBuf;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::{Configured, Outcome, eprintln_line, print_line, who_has_seen};
use crate::access_report::{Question, Reason};
use crate::app::App;
use crate::audit::SubjectKey;
use crate::disclosure_pack::{self, PackError};

/// Commands about disclosure packs.
#[derive(Debug, Subcommand)]
pub(super) enum DisclosurePackCommand {
    /// Make the pack of a subject access request; whose, on standard input.
    Make(MakeArgs),
    /// Compare a pack with its manifest and the log's public key: no gateway is needed.
    Check {
        /// The folder.
        folder: PathBuf,
        /// The log's public key (vkey), as a partner was given it.
        #[arg(long, value_name = "VKEY")]
        key: String,
    },
}

/// Arguments of `disclosure-pack make`.
#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    configured: Configured,
    /// The folder to make; refused when it exists.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Why you ask; it goes into the log with your asking.
    #[arg(long, default_value = "subject-access-request", value_parser = PossibleValuesParser::new(Reason::CODES))]
    reason: String,
    /// From this day on.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Until this day, which is included.
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// What stands on standard input is this organisation's own id of the person, not an NHS
    /// number.
    #[arg(long, value_name = "CODE")]
    id_of: Option<String>,
    /// You know that restrictions are recorded, and work with the Caldicott guardian.
    #[arg(long)]
    restrictions_known: bool,
}

pub(super) async fn disclosure_pack(
    command: &DisclosurePackCommand,
    json: bool,
) -> anyhow::Result<Outcome> {
    match command {
        DisclosurePackCommand::Make(args) => make(args, json).await,
        DisclosurePackCommand::Check { folder, key } => {
            let checked = disclosure_pack::check(folder, key)
                .with_context(|| format!("{} cannot be read", folder.display()))?;
            let faults: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
            if json {
                let body = serde_json::json!({
                    "as_made": faults.is_empty(), "files": checked.files,
                    "entries": checked.entries, "faults": faults,
                });
                print_line(&body.to_string());
            } else if faults.is_empty() {
                print_line(&format!(
                    "as it was made: {} files are those of the manifest, and {} entries are in the signed log.",
                    checked.files, checked.entries
                ));
            } else {
                for fault in &faults {
                    print_line(fault);
                }
            }
            Ok(if faults.is_empty() { Outcome::Done } else { Outcome::Found })
        }
    }
}

async fn make(args: &MakeArgs, json: bool) -> anyhow::Result<Outcome> {
    if args.out.exists() {
        eprintln_line(&format!("error: {} exists; name a new folder", args.out.display()));
        return Ok(Outcome::InputRefused);
    }
    let whose = super::consents::whose()?;
    let app = super::serve::open_existing(&args.configured).await?;
    let subject = who_has_seen::subject(&app, &whose, args.id_of.as_deref());
    let made = if let Some(subject) = subject? {
        made(&app, args, subject, json).await
    } else {
        eprintln_line("error: write one NHS number to standard input, or an id with --id-of");
        Ok(Outcome::InputRefused)
    };
    app.store.close().await;
    made
}

async fn made(
    app: &App,
    args: &MakeArgs,
    subject: SubjectKey,
    json: bool,
) -> anyhow::Result<Outcome> {
    let reason = Reason::parse(&args.reason).context("--reason is one of the listed codes")?;
    let question = Question { subject, reason, from: args.from, until: args.until };
    let pack =
        disclosure_pack::make(app, &question, args.restrictions_known, &app.operator()).await;
    let pack = match pack {
        Ok(pack) => pack,
        Err(error @ PackError::Restricted) => {
            eprintln_line(&format!("error: {error} (--restrictions-known)"));
            return Ok(Outcome::InputRefused);
        }
        Err(error @ PackError::Nothing { .. }) => {
            eprintln_line(&error.to_string());
            if let PackError::Nothing { not_known, .. } = &error {
                for one in not_known {
                    eprintln_line(&who_has_seen::not_known(one));
                }
            }
            return Ok(Outcome::NotFound);
        }
        Err(error @ (PackError::Report(_) | PackError::Form(_))) => return Err(error.into()),
    };
    let unique = app.make_id()?.to_string();
    pack.write(&args.out, &unique)
        .with_context(|| format!("{} could not be made", args.out.display()))?;
    if json {
        let body = serde_json::json!({
            "folder": args.out.display().to_string(), "entry": pack.entry,
            "manifest": pack.manifest,
        });
        print_line(&body.to_string());
    }
    for warning in &pack.manifest.warnings {
        eprintln_line(&format!("WARNING: {warning}"));
    }
    eprintln_line(&format!(
        "{} disclosures; {} lines to go through in to-redact.csv before anything is given away. The pack is in {}; the hash of its manifest is in entry {} of the log.",
        pack.manifest.disclosures,
        pack.manifest.to_redact,
        args.out.display(),
        pack.entry
    ));
    Ok(Outcome::Done)
}
