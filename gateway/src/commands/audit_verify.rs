//! `audit verify`, `audit publish` and `audit keys`: is the log whole, and what others need to find
//! out for themselves.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::audit_export::{self, ExportArgs};
use super::audit_search::{AuditSearchArgs, audit_search};
use super::audit_status;
use super::check_receipt::{CheckReceiptArgs, check_receipt};
use super::look_ups::{self, DestroyArgs};
use super::who_has_seen::{WhoHasSeenArgs, who_has_seen};
use super::who_is::{WhoIsArgs, who_is};
use super::{Configured, Outcome, eprintln_line, print_line, progress};
use crate::audit::bundle::{self, BundleError, Judged};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::log_look::LogLook;
use crate::audit::verify::{Fault, Verification};
use crate::publication;
use crate::store::Change;
use crate::verification;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove that the log and the sealed records are whole, or name the first entry that is not.
    Verify(VerifyArgs),
    /// Write the log, a time of it, or what it says of a case or a partner as a bundle that can be
    /// verified without this gateway.
    Export(ExportArgs),
    /// Prove from receipts that their entries are in the log, and that it was not rewritten since:
    /// what a partner runs, with nothing but what it received and the log's key.
    CheckReceipt(CheckReceiptArgs),
    /// How long the log is, and who outside is known to hold how much of it.
    Status(Configured),
    /// The newest checkpoint: the signed size and root of the log. Keep one elsewhere every night; with
    /// it `audit verify` finds a log that was cut or put back.
    Checkpoint {
        #[command(flatten)]
        configured: Configured,
        /// Write it to a new file instead of printing it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
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
    /// Search the log by child, person, organisation, kind, purpose, authority, outcome and time.
    Search(Box<AuditSearchArgs>),
    /// Which of some user names has which pseudonym in the log; the names, one a line, on standard
    /// input.
    WhoIs(WhoIsArgs),
    /// The years of the log: whether it can be told whom their entries are about, and how long.
    LookUps {
        #[command(flatten)]
        configured: Configured,
    },
    /// Destroy, for good, what tells whom the entries of a year are about. Proofs stay valid.
    DestroyLookUp(DestroyArgs),
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
            match (&args.bundle, &args.key) {
                (Some(file), Some(key)) => of_bundle(file, key, &kept, json),
                _ => Ok(report(&of_store(args, &kept).await?, json)),
            }
        }
        AuditCommand::Export(args) => audit_export::export(args, json).await,
        AuditCommand::CheckReceipt(args) => check_receipt(args, json),
        AuditCommand::Status(configured) => audit_status::status(configured, json).await,
        AuditCommand::Checkpoint { configured, out } => {
            audit_status::checkpoint(configured, out.as_deref(), json).await
        }
        AuditCommand::Publish { configured, to } => publish(configured, to, json).await,
        AuditCommand::WhoHasSeen(args) => who_has_seen(args, json).await,
        AuditCommand::Search(args) => audit_search(args, json).await,
        AuditCommand::WhoIs(args) => who_is(args, json).await,
        AuditCommand::LookUps { configured } => look_ups::list(configured, json).await,
        AuditCommand::DestroyLookUp(args) => look_ups::destroy(args, json).await,
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
        let event = LogLook::Verify
            .event(app.operator())
            .with("entries", verified.entries)
            .with("outcome", "whole");
        app.store.commit(Change::because(event)).await?;
    }
    app.store.close().await;
    Ok(verified)
}

/// Without the gateway, its store, or any of its keys but the public one.
fn of_bundle(file: &Path, key: &str, kept: &[String], json: bool) -> anyhow::Result<Outcome> {
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let kept = kept.iter().map(|note| Checkpoint::parse_and_verify(note, key));
    let kept = kept.collect::<Result<Vec<_>, _>>();
    let kept = kept.context("a checkpoint that was handed in is not one of this log")?;
    match bundle::judge(&mut BufReader::new(opened), key, &kept) {
        Ok(judged) => Ok(report_bundle(&judged, json)),
        Err(error @ (BundleError::Form | BundleError::Version(_))) => {
            if json {
                let body =
                    serde_json::json!({ "code": "not-a-bundle", "detail": error.to_string() });
                print_line(&body.to_string());
            }
            eprintln_line(&format!("error: {error}"));
            Ok(Outcome::InputRefused)
        }
        Err(error @ (BundleError::Key | BundleError::Io(_))) => Err(error.into()),
    }
}

fn report_bundle(judged: &Judged, json: bool) -> Outcome {
    let verification = &judged.verification;
    if json {
        print_json(judged, verification);
    } else {
        let Verification { entries, checkpoints_checked, .. } = verification;
        print_line(&format!("Checked: entries {entries}, checkpoints {checkpoints_checked}."));
        print_faults(verification);
        for (title, lines) in [("Proved:", &judged.proved), ("Not proved:", &judged.not_proved)] {
            if !lines.is_empty() {
                print_line(title);
            }
            for line in lines {
                print_line(&format!("  {line}"));
            }
        }
    }
    if verification.is_whole() {
        eprintln_line("The bundle is whole.");
        return Outcome::Done;
    }
    let first = verification.first_bad();
    let first = first.map_or_else(
        || "no entry can be named as the first bad one".to_owned(),
        |seq| format!("it first goes wrong at entry {seq}"),
    );
    eprintln_line(&format!(
        "The bundle is NOT whole: {first}. Keep it as it is and tell your information governance lead."
    ));
    Outcome::Found
}

async fn publish(configured: &Configured, to: &Path, json: bool) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let event = LogLook::Publish.event(app.operator());
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
        print_json(verification, verification);
    } else {
        print_line(&format!(
            "Checked: entries {}, checkpoints {}, sealed records {}, of these lawfully removed {}.",
            verification.entries,
            verification.checkpoints_checked,
            verification.records_checked,
            verification.records_removed
        ));
        print_faults(verification);
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

fn print_json(body: &impl serde::Serialize, verification: &Verification) {
    let mut body = serde_json::to_value(body).unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.insert("whole".to_owned(), verification.is_whole().into());
        body.insert("first_bad".to_owned(), verification.first_bad().into());
    }
    print_line(&format!("{body:#}"));
}

fn print_faults(verification: &Verification) {
    // Many faults often have one cause: the first is what to look at.
    let mut faults: Vec<&Fault> = verification.faults.iter().collect();
    faults.sort_by_key(|fault| (fault.first_bad.is_none(), fault.first_bad));
    let mut lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.dedup();
    for line in lines.iter().take(SHOWN_MAX) {
        print_line(&format!("  {line}"));
    }
}

/// Faults listed for reading; `--json` has them all.
const SHOWN_MAX: usize = 20;
