//! `audit verify` and `audit export`: is the log whole, and a copy to check elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::who_has_seen::{WhoHasSeenArgs, who_has_seen};
use super::{Configured, Outcome, eprintln_line, print_line, progress};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::verify::{Verification, verify};
use crate::audit::{Actor, Event, EventKind, bundle};
use crate::publication;
use crate::store::Change;
use crate::verification;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove that the log and the sealed records are whole, or name the first entry that is not.
    Verify(VerifyArgs),
    /// Write the log as a bundle that can be verified without this gateway.
    Export {
        #[command(flatten)]
        configured: Configured,
        /// The file to write; refused when it exists.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the log as static files that transparency-log tools read; only what is new.
    Publish {
        #[command(flatten)]
        configured: Configured,
        /// The folder to publish into; made when it is not there.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Who has seen a person's record, or was sent it, and why; whose, on standard input.
    WhoHasSeen(Box<WhoHasSeenArgs>),
    /// Print the keys that checkpoints and receipts are verified with.
    Keys {
        #[command(flatten)]
        configured: Configured,
    },
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    configured: Configured,
    /// Verify an exported bundle instead of the store; needs --key, and no configuration.
    #[arg(long, value_name = "FILE", requires = "key")]
    bundle: Option<PathBuf>,
    /// The log's public key (vkey), as a partner was given it.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// A checkpoint that a partner kept; may be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
}

pub(super) async fn audit(command: &AuditCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        AuditCommand::Verify(args) => {
            let kept: Vec<String> = args.checkpoint.iter().map(note).collect::<Result<_, _>>()?;
            let verification = match (&args.bundle, &args.key) {
                (Some(file), Some(key)) => of_bundle(file, key, &kept)?,
                _ => of_store(args, &kept).await?,
            };
            Ok(report(&verification, json))
        }
        AuditCommand::Export { configured, out } => export(configured, out, json).await,
        AuditCommand::Publish { configured, to } => publish(configured, to, json).await,
        AuditCommand::WhoHasSeen(args) => who_has_seen(args, json).await,
        AuditCommand::Keys { configured } => {
            let app = super::serve::open_existing(configured).await?;
            let keys = serde_json::json!({
                "log": app.log_vkey, "receipts": { "keys": [app.receipts.public_jwk()] },
            });
            app.store.close().await;
            print_line(&if json { keys.to_string() } else { format!("{keys:#}") });
            Ok(Outcome::Done)
        }
    }
}

async fn of_store(args: &VerifyArgs, kept: &[String]) -> anyhow::Result<Verification> {
    let app = super::serve::open_existing(&args.configured).await?;
    let key = args.key.clone().unwrap_or_else(|| app.log_vkey.clone());
    let size = app.log_size().await?;
    let bar = progress(size, "verifying");
    let verified =
        verification::of_store(&app.store, &key, kept, |seen| bar.set_position(seen)).await;
    bar.finish_and_clear();
    let verified = verified?;
    // A look at the log is an entry too, unless the log is broken: a broken log is left as found.
    if verified.is_whole() {
        let event = Event::new(EventKind::AuditViewed, Actor::local())
            .with("entries", verified.entries)
            .with("what", "verify");
        app.store.commit(Change::because(event)).await?;
    }
    app.store.close().await;
    Ok(verified)
}

/// Without the gateway, its store, or any of its keys but the public one.
fn of_bundle(file: &Path, key: &str, kept: &[String]) -> anyhow::Result<Verification> {
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let bundle = bundle::read(&mut BufReader::new(opened))?;
    let notes = bundle.checkpoints.iter().chain(kept);
    let checkpoints = notes
        .map(|note| Checkpoint::parse_and_verify(note, key))
        .collect::<Result<Vec<_>, _>>()
        .context("a checkpoint is not one of this log")?;
    Ok(verify(&bundle.rows, checkpoints, None))
}

async fn export(configured: &Configured, out: &Path, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let event = Event::new(EventKind::AuditViewed, Actor::local()).with("what", "export");
    app.store.commit(Change::because(event)).await?;
    let file = File::create_new(out)
        .with_context(|| format!("{} could not be made; is it there already?", out.display()))?;
    let mut file = BufWriter::new(file);
    let entries = verification::export(&app.store, &mut file).await?;
    file.flush()?;
    app.store.close().await;
    if json {
        let body = serde_json::json!({ "entries": entries, "bundle": out.display().to_string() });
        print_line(&body.to_string());
    }
    eprintln_line(&format!("{entries} entries are in {}.", out.display()));
    Ok(Outcome::Done)
}

async fn publish(configured: &Configured, to: &Path, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let event = Event::new(EventKind::AuditViewed, Actor::local()).with("what", "publish");
    app.store.commit(Change::because(event)).await?;
    let unique = app.make_id()?.to_string();
    let bar = progress(0, "publishing");
    let published = publication::publish(&app.store, &app.log_vkey, (to, &unique), |done, of| {
        bar.set_length(u64::try_from(of).unwrap_or_default());
        bar.set_position(u64::try_from(done).unwrap_or_default());
    });
    let published = published.await;
    bar.finish_and_clear();
    app.store.close().await;
    let published = published?;
    if json {
        let body = serde_json::json!({ "entries": published.size, "tiles": published.tiles });
        print_line(&body.to_string());
    }
    eprintln_line(&format!(
        "{} entries are published in {}; {} tiles were new.",
        published.size,
        to.display(),
        published.tiles
    ));
    Ok(Outcome::Done)
}

fn note(file: &PathBuf) -> anyhow::Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("the checkpoint {} could not be read", file.display()))
}

fn report(verification: &Verification, json: bool) -> Outcome {
    if json {
        let mut body = serde_json::to_value(verification).unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            body.insert("whole".to_owned(), verification.is_whole().into());
            body.insert("first_bad".to_owned(), verification.first_bad().into());
        }
        print_line(&format!("{body:#}"));
    } else {
        print_line(&format!(
            "Checked: entries {}, checkpoints {}, sealed records {}.",
            verification.entries, verification.checkpoints_checked, verification.records_checked
        ));
        // Many faults often have one cause: the first is what to look at.
        let mut said: BTreeMap<String, usize> = BTreeMap::new();
        for fault in verification.faults.iter().take(SHOWN_MAX) {
            *said.entry(fault.to_string()).or_default() += 1;
        }
        for line in said.keys() {
            print_line(&format!("  {line}"));
        }
    }
    if verification.is_whole() {
        eprintln_line("The log is whole.");
        Outcome::Done
    } else {
        let first = verification.first_bad();
        let first = first.map_or_else(|| "somewhere".to_owned(), |seq| format!("at entry {seq}"));
        eprintln_line(&format!(
            "The log is NOT whole: it first goes wrong {first}. Keep the files as they are and tell your information governance lead; see operations.md, incidents."
        ));
        Outcome::Found
    }
}

/// Faults listed for reading; `--json` has them all.
const SHOWN_MAX: usize = 20;
