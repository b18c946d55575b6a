//! `backup`: made, looked at, proved, restored, and all of it rehearsed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::{Configured, Outcome, eprintln_line, print_line, progress, table};
use crate::backup::{
    self, BackupError, Documents, Keys, Made, Manifest, Proved, Scratch, Seams, Why, Work,
};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::vault::pseudonym::Pseudonyms;

/// Commands about backups.
#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Make one: of a gateway that runs, or of one that stands still.
    Make {
        #[command(flatten)]
        configured: Configured,
        /// Where to: a file that is not there yet, or a folder.
        #[arg(long, value_name = "FILE|FOLDER")]
        to: PathBuf,
        /// Why, for the log.
        #[arg(long, value_name = "REASON", default_value = "on-request",
            value_parser = PossibleValuesParser::new(Why::REASONS))]
        reason: String,
    },
    /// What a backup says of itself in the open: whose, when, of which engine. Proves nothing.
    Show {
        /// The backup.
        file: PathBuf,
    },
    /// Prove one: every byte, the signature, and the log and the records in it.
    Verify {
        #[command(flatten)]
        configured: Configured,
        /// The backup.
        file: PathBuf,
        /// A folder with room for the database in it; by default the gateway's own `data_dir`.
        #[arg(long, value_name = "FOLDER")]
        scratch: Option<PathBuf>,
    },
    /// Put one back into the empty database of a configuration. The gateway then starts held.
    Restore {
        #[command(flatten)]
        configured: Configured,
        /// The backup.
        file: PathBuf,
    },
    /// Rehearse: make one, put it back beside, prove it, say how long each took, and leave nothing.
    Drill {
        #[command(flatten)]
        configured: Configured,
        /// A folder with room for both; by default the gateway's own `data_dir`.
        #[arg(long, value_name = "FOLDER")]
        scratch: Option<PathBuf>,
    },
}

pub(super) async fn backup(command: &BackupCommand, json: bool) -> anyhow::Result<Outcome> {
    let has_something_beside = match command {
        BackupCommand::Make { .. } | BackupCommand::Verify { .. } | BackupCommand::Drill { .. } => {
            true
        }
        BackupCommand::Show { .. } | BackupCommand::Restore { .. } => false,
    };
    let done = tokio::select! {
        done = carry_out(command, json) => done,
        // What was begun is dropped, and what it made beside goes with it.
        signal = super::serve::stopped_by(), if has_something_beside => {
            eprintln_line("Stopped before the end; what was made beside is removed.");
            return Ok(Outcome::Stopped(signal));
        }
    };
    match done {
        Ok(outcome) => Ok(outcome),
        Err(error) => match error.downcast::<BackupError>() {
            Ok(error) if is_about_the_file(&error) => {
                let said = crate::telemetry::chain(&error);
                if json {
                    let body = serde_json::json!({ "code": "backup-refused", "detail": said });
                    print_line(&body.to_string());
                }
                eprintln_line(&format!("error: {said}"));
                Ok(Outcome::InputRefused)
            }
            Ok(error) => Err(error.into()),
            Err(error) => Err(error),
        },
    }
}

async fn carry_out(command: &BackupCommand, json: bool) -> anyhow::Result<Outcome> {
    match command {
        BackupCommand::Make { configured, to, reason } => make(configured, to, reason, json).await,
        BackupCommand::Show { file } => show(file, json).await,
        BackupCommand::Verify { configured, file, scratch } => {
            verify(configured, file, scratch.as_deref(), json).await
        }
        BackupCommand::Restore { configured, file } => restore(configured, file, json).await,
        BackupCommand::Drill { configured, scratch } => {
            drill(configured, scratch.as_deref(), json).await
        }
    }
}

/// Removes what commands that were killed have left, here and where this one will work.
fn sweep(config: &Config, here: &Path) {
    let swept = backup::sweep(backup::places(config).chain([here]));
    if swept.removed > 0 {
        eprintln_line(&format!(
            "Removed: {} folders or files that interrupted backup commands had left.",
            swept.removed
        ));
    }
    if swept.left > 0 {
        eprintln_line(&format!(
            "WARNING: {} folders or files that interrupted backup commands have left (.backup-ID, \
             .drill-ID) cannot be removed: do so, a copy of the database may be in them.",
            swept.left
        ));
    }
}

/// Whether the backup or the place is to blame, and not this machine.
fn is_about_the_file(error: &BackupError) -> bool {
    match error {
        BackupError::Taken(_)
        | BackupError::NotABackup(_)
        | BackupError::OtherGateway { .. }
        | BackupError::Key(_)
        | BackupError::Changed { .. }
        | BackupError::CutShort { .. }
        | BackupError::Added
        | BackupError::Part { .. }
        | BackupError::Signature
        | BackupError::NotEmpty(_) => true,
        BackupError::File { .. }
        | BackupError::Store(_)
        | BackupError::Keeping(_)
        | BackupError::DocumentMissing(_)
        | BackupError::App(_)
        | BackupError::Verification(_)
        | BackupError::Entropy(_) => false,
    }
}

fn seams() -> Seams {
    (Arc::new(SystemClock), Arc::new(SystemEntropy::default()))
}

async fn make(
    configured: &Configured,
    to: &Path,
    reason: &str,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    sweep(&app.config, if to.is_dir() { to } else { to.parent().unwrap_or(to) });
    let made = make_with(&app, to, reason).await;
    app.store.close().await;
    let made = made?;
    if json {
        let more = serde_json::json!({ "file": made.path.display().to_string(), "bytes": made.bytes, "sha256": made.sha256, "entry": made.entry });
        let body = of_manifest(&made.manifest, more);
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&made.path.display().to_string());
        eprintln_line(&format!(
            "{} bytes, SHA-256 {}, entry {} of the log. No key is in it: keep the key files, the \
             configuration and the partners file apart. Prove it: ehc-gateway backup verify FILE",
            made.bytes, made.sha256, made.entry
        ));
        if made.manifest.documents == Documents::InTheirOwnStore {
            eprintln_line(
                "WARNING: large documents are NOT in it. They are in the S3-compatible store: turn \
                 on its versions, and copy it for itself.",
            );
        }
    }
    Ok(Outcome::Done)
}

async fn make_with(app: &crate::app::App, to: &Path, reason: &str) -> anyhow::Result<Made> {
    let reason = Why::REASONS.into_iter().find(|known| *known == reason);
    let why = Why { actor: app.operator(), reason: reason.unwrap_or("on-request") };
    let keys = Keys::load(&app.config)?;
    let bar = progress(0, "written, in bytes");
    let mut told = |bytes: u64| {
        bar.set_length(bytes);
        bar.set_position(bytes);
    };
    let made = backup::make(app, &keys, to, &why, &mut told).await;
    bar.finish_and_clear();
    Ok(made?)
}

async fn show(file: &Path, json: bool) -> anyhow::Result<Outcome> {
    let header = backup::header_of(file).await?;
    let made_at = header.made_at.to_string();
    let schema = header.schema.to_string();
    if json {
        let body = serde_json::json!({
            "backup": header.id, "made_at": made_at, "gateway": header.gateway,
            "engine": header.engine, "software": header.software, "schema": header.schema,
            "key": header.key, "proved": false,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
        return Ok(Outcome::Done);
    }
    let id = header.id.to_string();
    let lines = [
        ("backup", &id),
        ("made at", &made_at),
        ("gateway", &header.gateway),
        ("engine", &header.engine),
        ("software", &header.software),
        ("migration", &schema),
        ("backup key", &header.key),
    ];
    print_line(&table(
        &["what", "value"],
        lines.into_iter().map(|(what, value)| vec![what.to_owned(), value.clone()]),
    ));
    eprintln_line("This is what it says. Whether it is so: ehc-gateway backup verify FILE");
    Ok(Outcome::Done)
}

async fn verify(
    configured: &Configured,
    file: &Path,
    scratch: Option<&Path>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let config = Config::load(&configured.config)?;
    let scratch = scratch.unwrap_or(&config.gateway.data_dir);
    sweep(&config, scratch);
    let proved = prove(&config, file, scratch).await?;
    say(&proved, json)
}

async fn prove(config: &Config, file: &Path, scratch: &Path) -> anyhow::Result<Proved> {
    let keys = Keys::load(config)?;
    let bar = bar(file, "proved, of bytes");
    let mut told = |bytes| bar.set_position(bytes);
    let proved = backup::prove(file, &keys, scratch, seams(), &mut told).await;
    bar.finish_and_clear();
    Ok(proved?)
}

fn bar(file: &Path, what: &'static str) -> indicatif::ProgressBar {
    progress(std::fs::metadata(file).map_or(0, |found| found.len()), what)
}

fn say(proved: &Proved, json: bool) -> anyhow::Result<Outcome> {
    let verification = &proved.verification;
    let whole = verification.faults.is_empty() && proved.absent.is_empty();
    if json {
        let faults: Vec<String> = verification.faults.iter().map(ToString::to_string).collect();
        let more = serde_json::json!({ "bytes": proved.bytes, "sha256": proved.sha256.clone(), "segments": proved.segments, "records": verification.records_checked, "faults": faults, "absent_documents": proved.absent.len(), "proved": whole });
        let body = of_manifest(&proved.manifest, more);
        print_line(&serde_json::to_string_pretty(&body)?);
        return Ok(if whole { Outcome::Done } else { Outcome::Found });
    }
    let manifest = &proved.manifest;
    print_line(&format!(
        "PROVED: this is backup {} of {}, made {}",
        manifest.id, manifest.gateway, manifest.made_at
    ));
    print_line(&format!(
        "  and signed by it; all of its {} segments are whole and in order",
        proved.segments
    ));
    print_line(&format!("  ({} bytes, SHA-256 {}).", proved.bytes, proved.sha256));
    if verification.faults.is_empty() {
        print_line(&format!(
            "PROVED: the log in it is whole from the first of its {} entries to the last, and ends",
            verification.entries
        ));
        print_line(&format!(
            "  as its checkpoint says; its {} sealed records are those the log vouches for.",
            verification.records_checked
        ));
    }
    for fault in &verification.faults {
        print_line(&format!("NOT WHOLE: {fault}"));
    }
    match manifest.documents {
        Documents::InTheirOwnStore => print_line(
            "NOT IN IT: large documents, which are in an S3-compatible store of their own.",
        ),
        Documents::Included if proved.absent.is_empty() => print_line(&format!(
            "PROVED: every large document its database names is in it ({}).",
            manifest.parts.len().saturating_sub(1)
        )),
        Documents::Included => print_line(&format!(
            "NOT WHOLE: {} large documents that its database names are not in it.",
            proved.absent.len()
        )),
    }
    print_line(
        "NOT PROVED: that no newer backup exists; what came after it; that the wrapping keys",
    );
    print_line("  which open its records are at hand. No key is in it.");
    Ok(if whole { Outcome::Done } else { Outcome::Found })
}

/// What a backup holds, and more about it.
fn of_manifest(manifest: &Manifest, more: serde_json::Value) -> serde_json::Value {
    let mut body = serde_json::json!({
        "backup": manifest.id,
        "made_at": manifest.made_at.to_string(),
        "gateway": manifest.gateway,
        "engine": manifest.engine,
        "log_size": manifest.log_size,
        "documents": manifest.documents,
        "documents_in_it": manifest.parts.len().saturating_sub(1),
    });
    if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

async fn restore(configured: &Configured, file: &Path, json: bool) -> anyhow::Result<Outcome> {
    let config = Config::load(&configured.config)?;
    let mut keys = Keys::load(&config)?;
    if let Some(login) = super::login::of_this_process() {
        keys = keys.in_hands_of(login.actor(&Pseudonyms::load(&config.keys.pseudonym)?));
    }
    let bar = bar(file, "restored, of bytes");
    let mut told = |bytes| bar.set_position(bytes);
    let restored = backup::restore(file, &config, &keys, seams(), &mut told).await;
    bar.finish_and_clear();
    let restored = restored?;
    if json {
        let more =
            serde_json::json!({ "sha256": restored.sha256, "entry": restored.entry, "held": true });
        let body = of_manifest(&restored.manifest, more);
        print_line(&serde_json::to_string_pretty(&body)?);
    } else {
        print_line(&format!(
            "Restored: {} entries of the log, as of {}.",
            restored.manifest.log_size, restored.manifest.made_at
        ));
        if restored.manifest.documents == Documents::InTheirOwnStore {
            print_line("WARNING: large documents were not in it. Look after their own store.");
        }
    }
    eprintln_line(
        "HELD: the gateway takes everything in and releases nothing until the consent ledger has \
         caught up. 1. ehc-gateway audit verify   2. start it   3. have every partner send again \
         the consent decisions it has sent since   4. ehc-gateway restore show, then restore confirm",
    );
    Ok(Outcome::Done)
}

async fn drill(
    configured: &Configured,
    scratch: Option<&Path>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = super::serve::open_existing(configured).await?;
    let done = rehearse(&app, scratch).await;
    app.store.close().await;
    let (proved, making, proving) = done?;
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if json {
        let whole = proved.verification.faults.is_empty() && proved.absent.is_empty();
        let more = serde_json::json!({ "bytes": proved.bytes, "made_in_ms": ms(making), "restored_and_proved_in_ms": ms(proving), "proved": whole });
        let body = of_manifest(&proved.manifest, more);
        print_line(&serde_json::to_string_pretty(&body)?);
        return Ok(if whole { Outcome::Done } else { Outcome::Found });
    }
    let outcome = say(&proved, false)?;
    print_line(&format!(
        "Made in {} ms; restored beside and proved in {} ms. Nothing is left of it.",
        ms(making),
        ms(proving)
    ));
    Ok(outcome)
}

async fn rehearse(
    app: &crate::app::App,
    scratch: Option<&Path>,
) -> anyhow::Result<(Proved, Duration, Duration)> {
    let scratch = scratch.unwrap_or(&app.config.gateway.data_dir);
    sweep(&app.config, scratch);
    let unique = app.entropy.make_id(app.clock.now())?;
    let beside = Scratch::make(scratch, Work::Drill, unique)?;
    let started = Instant::now();
    let made = make_with(app, &beside.path().join("drill.ehcbackup"), "exercise").await?;
    let making = started.elapsed();
    let started = Instant::now();
    let proved = prove(&app.config, &made.path, beside.path()).await?;
    let proving = started.elapsed();
    Ok((proved, making, proving))
}
